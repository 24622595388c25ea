/* blob: allocation of shared runs of bytes. A capacity is always rounded up to what the allocator
 * hands out anyway, so that a value that grows a little finds the room for it. */
#include "ds/blob.h"

#include <string.h>

#include "base/check.h"

_Static_assert(sizeof(struct blob) == 24, "the header of a blob is 24 bytes");

/* Beyond this the rounding to a class might overflow; no allocator has so much. */
#define CAPACITY_MAX ((size_t)1 << 54)

/* The capacity that fills the class which holds `capacity` bytes. */
static size_t filled(size_t capacity) {
    return mem_class(sizeof(struct blob) + capacity) - sizeof(struct blob);
}

static void set_room(struct blob *blob, uint64_t capacity, enum mem_purpose purpose) {
    atomic_store_explicit(&blob->room, capacity << 8 | (uint64_t)purpose, memory_order_relaxed);
}

struct blob *blob_try_new(size_t capacity) {
    if (capacity > CAPACITY_MAX) {
        return NULL;
    }
    capacity = filled(capacity);
    struct blob *blob = mem_try_alloc(MEM_DATA, sizeof *blob + capacity);
    if (blob == NULL) {
        return NULL;
    }
    atomic_init(&blob->references, 1);
    atomic_init(&blob->values, 1);
    blob->size = 0;
    set_room(blob, capacity, MEM_DATA);
    return blob;
}

void blob_charge(struct blob *blob, enum mem_purpose purpose) {
    mem_recount(blob_purpose(blob), purpose, sizeof *blob + blob_capacity(blob));
    set_room(blob, blob_capacity(blob), purpose);
    atomic_store_explicit(&blob->values, purpose == MEM_DATA, memory_order_relaxed);
}

struct blob *blob_try_copy(struct bytes content) {
    struct blob *blob = blob_try_new(content.size);
    if (blob != NULL && content.size > 0) {
        memcpy(blob->bytes, content.at, content.size);
        blob->size = content.size;
    }
    return blob;
}

void blob_release(struct blob *blob) {
    /* Whoever frees must see all that the others did with the bytes before they let go. A sole
     * holder needs no locked instruction: nobody else can take a reference. */
    if (atomic_load_explicit(&blob->references, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) == 1) {
        mem_free(blob_purpose(blob), blob, sizeof *blob + blob_capacity(blob));
    }
}

void blob_drop(struct blob *blob) {
    if (UNLIKELY(blob_is_shared(blob)) &&
        atomic_fetch_sub_explicit(&blob->values, 1, memory_order_relaxed) == 1) {
        mem_recount(blob_purpose(blob), MEM_BUFFER, sizeof *blob + blob_capacity(blob));
        set_room(blob, blob_capacity(blob), MEM_BUFFER);
    }
    blob_release(blob);
}

struct blob *blob_try_grow(struct blob *blob, size_t capacity) {
    debug_check(!blob_is_shared(blob));
    if (capacity <= blob_capacity(blob)) {
        return blob;
    }
    if (capacity > CAPACITY_MAX) {
        return NULL;
    }
    capacity = filled(capacity);
    struct blob *grown = mem_try_realloc(
        blob_purpose(blob), blob, sizeof *blob + blob_capacity(blob), sizeof *blob + capacity);
    if (grown != NULL) {
        set_room(grown, capacity, blob_purpose(grown));
    }
    return grown;
}

struct blob *blob_settle(struct blob *blob, struct sparse_tally *tally) {
    /* With one reference nobody else can let go or hold: whoever could has the last one. The
     * acquiring load makes what others have read of the bytes come before the move. */
    if (atomic_load_explicit(&blob->references, memory_order_acquire) > 1) {
        return blob;
    }
    return sparse_settle(blob, sizeof *blob + blob_capacity(blob), tally);
}
