/* blob: a large run of bytes with a reference count, so that a reply may hold a value that the
 * keyspace has already dropped, and a value may be read from the socket straight into its place.
 *
 *     +--------------+-----------+-------------+--------------------------+
 *     | references 4 | values 4  | size 8      | capacity 7 | purpose 1   |  24 bytes
 *     +--------------+-----------+-------------+--------------------------+
 *     | bytes[capacity] ...
 *
 * Terms. Of the references some are values': the keyspace's. The others are of replies under way,
 * or of a request that is still being read.
 *
 * Invariants:
 * 1. a blob with more than one reference is never written to;
 * 2. size <= capacity;
 * 3. the allocation is exactly blob header + capacity bytes (capacity is chosen to fill the class).
 *
 * 4. While there is a value's reference the memory is counted as data; when the last of them goes
 * and others remain, as a buffer of connections: data is not evicted for what a slow reader holds.
 *
 * The counts are atomic, since another thread may let go of what it has sent, or free a value; so
 * is the last word, since another may ask for the capacity while the purpose changes. The purpose
 * is changed by the sole holder (blob_charge), or by the one holder that brings `values` to 0,
 * before it gives its reference back; and read by the one that gives the last one back, who sees
 * what all others did before. `values` never rises from 0 while there are others: only who holds a
 * value's reference makes another. */
#ifndef LARDER_DS_BLOB_H
#define LARDER_DS_BLOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/sparse.h"

struct blob {
    _Atomic uint32_t references;
    _Atomic uint32_t values; /* of the references, those of values */
    size_t size;
    _Atomic uint64_t room; /* capacity << 8 | what its memory is counted under: enum mem_purpose */
    char bytes[];
};

/* A blob with one reference, a value's, size 0 and at least `capacity` bytes of room; NULL when
 * there is no memory (capacity is a client's choice). */
struct blob *blob_try_new(size_t capacity);

/* From now on its memory is counted under another purpose; a new one's is MEM_DATA. The caller's is
 * the only reference: a value's exactly when the purpose is MEM_DATA. */
void blob_charge(struct blob *blob, enum mem_purpose purpose);

/* A blob that holds a copy. NULL when there is no memory. */
struct blob *blob_try_copy(struct bytes content);

/* Bytes that there is room for. */
static inline uint64_t blob_capacity(const struct blob *blob) {
    return atomic_load_explicit(&blob->room, memory_order_relaxed) >> 8;
}

static inline struct blob *blob_hold(struct blob *blob) {
    atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    return blob;
}

/* Gives one reference back; the last one frees. */
void blob_release(struct blob *blob);

/* Another value refers to it: the caller has a value's reference, and takes another. */
static inline struct blob *blob_share(struct blob *blob) {
    atomic_fetch_add_explicit(&blob->values, 1, memory_order_relaxed);
    return blob_hold(blob);
}

/* Gives a value's reference back. */
void blob_drop(struct blob *blob);

/* Who sees that it is not may write: whatever others did with it was before. */
static inline bool blob_is_shared(const struct blob *blob) {
    return atomic_load_explicit(&blob->references, memory_order_acquire) > 1;
}

/* Makes room for `capacity` bytes in a blob that is not shared; the content is kept, the blob may
 * move. NULL when there is no memory: the old one is untouched then. */
struct blob *blob_try_grow(struct blob *blob, size_t capacity);

/* Moves a blob that only the caller refers to, if it lies in a sparse slab. Returns it. */
struct blob *blob_settle(struct blob *blob, struct sparse_tally *tally);

static inline struct bytes blob_bytes(const struct blob *blob) {
    return bytes_of(blob->bytes, blob->size);
}

/* What its memory is counted under. */
static inline enum mem_purpose blob_purpose(const struct blob *blob) {
    return (enum mem_purpose)(atomic_load_explicit(&blob->room, memory_order_relaxed) & 0xff);
}

/* What it takes from the allocator, in bytes. */
static inline size_t blob_footprint(const struct blob *blob) {
    return mem_class(sizeof *blob + blob_capacity(blob));
}

#endif
