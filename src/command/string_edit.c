/* string_edit: a value is written where it is if its allocation allows; otherwise it takes the next
 * shape: inline in a larger entry, or a blob with room to grow. */
#include "command/string_edit.h"

#include <string.h>

#include "client/client.h"
#include "types/string.h"

bool string_size_ok(struct call *call, size_t old_size, size_t more) {
    uint64_t most = (uint64_t)clients_options(call->context->clients)->bulk_size_max;
    /* The sum may not wrap around: both are sizes of what is in memory, or at most INT64_MAX. */
    if ((uint64_t)old_size + more > most) {
        reply_error(call->reply, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return false;
    }
    return true;
}

static char *edit_new(struct call *call, struct key *key, size_t size) {
    struct entry_shape shape = {
        .type = ENTRY_STRING, .encoding = ENTRY_INLINE, .value = {.at = NULL, .size = size}};
    struct blob *blob = NULL;
    if (size > ENTRY_INLINE_MAX) {
        blob = blob_try_new(size);
        if (blob == NULL) {
            return NULL;
        }
        blob->size = size;
        shape = string_blob_shape(blob);
    }
    struct entry *entry = keyspace_add(call->keyspace, key, &shape, ENTRY_NO_DEADLINE);
    if (entry == NULL) {
        if (blob != NULL) {
            blob_release(blob);
        }
        return NULL;
    }
    char *at = blob != NULL ? blob->bytes : entry_inline_at(entry);
    entry->flags |= ENTRY_TOUCHED_RAW;
    memset(at, 0, size);
    return at;
}

/* From an integer or a smaller entry to an inline value of `size` bytes. */
static char *edit_inline(struct call *call, struct key *key, struct entry *entry, size_t size) {
    char scratch[NUM_I64_SIZE];
    char copy[ENTRY_INLINE_MAX];
    struct bytes old = string_bytes(entry, scratch);
    memcpy(copy, old.at, old.size);
    struct entry_shape shape = {
        .type = ENTRY_STRING, .encoding = ENTRY_INLINE, .value = {.at = NULL, .size = size}};
    struct entry *moved = keyspace_reshape(call->keyspace, key, entry, &shape);
    if (moved == NULL) {
        return NULL;
    }
    moved->flags |= ENTRY_TOUCHED_RAW;
    char *at = entry_inline_at(moved);
    memcpy(at, copy, old.size);
    memset(at + old.size, 0, size - old.size);
    return at;
}

static char *edit_to_blob(struct call *call, struct key *key, struct entry *entry, size_t size) {
    struct blob *blob = string_try_grown(entry, size);
    if (blob == NULL) {
        return NULL;
    }
    struct entry_shape shape = string_blob_shape(blob);
    if (keyspace_reshape(call->keyspace, key, entry, &shape) == NULL) {
        blob_release(blob);
        return NULL;
    }
    return blob->bytes;
}

char *string_edit(struct call *call, struct key *key, struct entry *entry, size_t size) {
    char *at;
    if (entry == NULL) {
        at = edit_new(call, key, size);
    } else {
        size_t old_size = string_size(entry);
        size = size > old_size ? size : old_size;
        at = string_extend(entry, size);
        if (at != NULL) {
            return at;
        }
        if (entry_encoding(entry) == ENTRY_BLOB) {
            at = string_try_extend_blob(entry, size);
        } else if (size <= ENTRY_INLINE_MAX) {
            at = edit_inline(call, key, entry, size);
        } else {
            at = edit_to_blob(call, key, entry, size);
        }
    }
    if (at == NULL) {
        reply_no_memory(call->reply);
    }
    return at;
}
