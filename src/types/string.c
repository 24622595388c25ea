/* string: choosing the encoding of a string, and changing one in place where its allocation allows.
 *
 * Whatever may be an integer is stored as one, so that counters take no allocation to change and
 * OBJECT ENCODING answers as clients expect. */
#include "types/string.h"

#include <string.h>

#include "base/check.h"

/* How much a grown value may exceed what was asked for, at most. Doubling makes a run of appends
 * linear; beyond a mebibyte the waste would weigh more than the copying. */
#define GROWTH_EXTRA_MAX ((size_t)1 << 20)

bool string_shape(struct bytes text, struct entry_shape *shape) {
    int64_t integer;
    if (text.size <= NUM_I64_SIZE && num_parse_i64(text, &integer)) {
        *shape = string_integer_shape(integer);
        return true;
    }
    return string_text_shape(text, shape);
}

bool string_text_shape(struct bytes text, struct entry_shape *shape) {
    if (text.size <= ENTRY_INLINE_MAX) {
        /* A NULL pointer would leave the value unwritten. */
        struct bytes value = {.at = text.at != NULL ? text.at : "", .size = text.size};
        *shape =
            (struct entry_shape){.type = ENTRY_STRING, .encoding = ENTRY_INLINE, .value = value};
        return true;
    }
    struct blob *blob = blob_try_copy(text);
    if (blob == NULL) {
        return false;
    }
    *shape = string_blob_shape(blob);
    return true;
}

struct bytes string_bytes(const struct entry *entry, char *scratch) {
    enum entry_encoding encoding = entry_encoding(entry);
    if (encoding == ENTRY_INLINE) {
        return entry_inline(entry);
    }
    if (encoding == ENTRY_INTEGER) {
        return bytes_of(scratch, num_format_i64(scratch, entry_integer(entry)));
    }
    debug_check(encoding == ENTRY_BLOB);
    return blob_bytes(entry_pointer(entry));
}

size_t string_size(const struct entry *entry) {
    enum entry_encoding encoding = entry_encoding(entry);
    if (encoding == ENTRY_INLINE) {
        return entry->value_size;
    }
    if (encoding == ENTRY_INTEGER) {
        return num_digits_i64(entry_integer(entry));
    }
    debug_check(encoding == ENTRY_BLOB);
    return ((const struct blob *)entry_pointer(entry))->size;
}

bool string_to_integer(const struct entry *entry, int64_t *value) {
    if (entry_encoding(entry) == ENTRY_INTEGER) {
        *value = entry_integer(entry);
        return true;
    }
    size_t size = string_size(entry);
    return size <= NUM_I64_SIZE && num_parse_i64(string_bytes(entry, NULL), value);
}

bool string_overwrite(struct entry *entry, struct bytes text) {
    int64_t integer;
    bool is_integer = text.size <= NUM_I64_SIZE && num_parse_i64(text, &integer);
    enum entry_encoding encoding = entry_encoding(entry);
    if (encoding == ENTRY_INLINE && !is_integer && entry_inline_fits(entry, text.size)) {
        entry_set_inline_size(entry, text.size);
        if (text.size > 0) {
            memcpy(entry_inline_at(entry), text.at, text.size);
        }
        entry->flags &= (uint8_t)~ENTRY_TOUCHED_RAW;
        return true;
    }
    if (encoding == ENTRY_INTEGER && is_integer) {
        *entry_word(entry) = (uint64_t)integer;
        return true;
    }
    if (encoding == ENTRY_BLOB && text.size > ENTRY_INLINE_MAX) {
        struct blob *blob = entry_pointer(entry);
        if (!blob_is_shared(blob) && mem_class(sizeof *blob + text.size) == blob_footprint(blob)) {
            memcpy(blob->bytes, text.at, text.size);
            blob->size = text.size;
            return true;
        }
    }
    return false;
}

char *string_extend(struct entry *entry, size_t size) {
    if (entry_encoding(entry) == ENTRY_INLINE) {
        size_t old = entry->value_size;
        debug_check(size >= old);
        if (!entry_inline_fits(entry, size)) {
            return NULL;
        }
        entry_set_inline_size(entry, size);
        entry->flags |= ENTRY_TOUCHED_RAW;
        char *at = entry_inline_at(entry);
        memset(at + old, 0, size - old);
        return at;
    }
    if (entry_encoding(entry) == ENTRY_BLOB) {
        struct blob *blob = entry_pointer(entry);
        debug_check(size >= blob->size);
        if (blob_is_shared(blob) || blob_capacity(blob) < size) {
            return NULL;
        }
        memset(blob->bytes + blob->size, 0, size - blob->size);
        blob->size = size;
        return blob->bytes;
    }
    return NULL;
}

/* The capacity for a value that grows to `size`. */
static size_t roomy(size_t size) {
    return size + (size < GROWTH_EXTRA_MAX ? size : GROWTH_EXTRA_MAX);
}

struct blob *string_try_grown(const struct entry *entry, size_t size) {
    char scratch[NUM_I64_SIZE];
    struct bytes old = string_bytes(entry, scratch);
    debug_check(size >= old.size);
    struct blob *blob = blob_try_new(size > old.size ? roomy(size) : size);
    if (blob == NULL) {
        return NULL;
    }
    memcpy(blob->bytes, old.at, old.size);
    memset(blob->bytes + old.size, 0, size - old.size);
    blob->size = size;
    return blob;
}

char *string_try_extend_blob(struct entry *entry, size_t size) {
    struct blob *blob = entry_pointer(entry);
    debug_check(size >= blob->size);
    struct blob *grown;
    if (blob_is_shared(blob)) {
        grown = string_try_grown(entry, size);
        if (grown == NULL) {
            return NULL;
        }
        blob_drop(blob);
    } else {
        grown = size > blob_capacity(blob) ? blob_try_grow(blob, roomy(size)) : blob;
        if (grown == NULL) {
            return NULL;
        }
        memset(grown->bytes + grown->size, 0, size - grown->size);
        grown->size = size;
    }
    entry_set_pointer(entry, grown);
    return grown->bytes;
}
