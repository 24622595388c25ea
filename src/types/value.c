/* value: the switches over the types. A type that is not listed here has no value yet. */
#include "types/value.h"

#include <string.h>

#include "base/check.h"
#include "types/hash.h"
#include "types/string.h"

/* Bytes of a string that take as long to free as an element: giving them back to the system is what
 * takes long, 15 ms for 100 MB. A string of a megabyte is freed in the background. */
#define BYTES_PER_WEIGHT (16 * 1024)

static const char *const type_names[] = {
    [ENTRY_STRING] = "string",   [ENTRY_LIST] = "list", [ENTRY_SET] = "set",
    [ENTRY_SORTED_SET] = "zset", [ENTRY_HASH] = "hash", [ENTRY_STREAM] = "stream",
};
_Static_assert(sizeof type_names / sizeof type_names[0] == ENTRY_TYPES, "each type has a name");

const char *value_type_name(enum entry_type type) {
    check(type < ENTRY_TYPES);
    return type_names[type];
}

int value_type_named(struct bytes name) {
    for (int type = 0; type < ENTRY_TYPES; type++) {
        if (bytes_is(name, type_names[type])) {
            return type;
        }
    }
    return -1;
}

static const char *string_encoding_name(const struct entry *entry) {
    if (entry_encoding(entry) == ENTRY_INTEGER) {
        return "int";
    }
    bool embedded = entry_encoding(entry) == ENTRY_INLINE &&
                    entry->value_size <= STRING_EMBSTR_MAX && !(entry->flags & ENTRY_TOUCHED_RAW);
    return embedded ? "embstr" : "raw";
}

const char *value_encoding_name(const struct entry *entry) {
    if (entry_type(entry) == ENTRY_HASH) {
        return hash_encoding_name(entry);
    }
    check(entry_type(entry) == ENTRY_STRING);
    return string_encoding_name(entry);
}

size_t value_weight(const struct entry *entry) {
    if (entry_type(entry) == ENTRY_HASH) {
        return hash_free_cost(entry);
    }
    check(entry_type(entry) == ENTRY_STRING);
    if (entry_encoding(entry) != ENTRY_BLOB) {
        return 1;
    }
    /* What a reply under way holds too is not freed with the entry. */
    const struct blob *blob = entry_pointer(entry);
    return blob_is_shared(blob) ? 1 : 1 + blob_footprint(blob) / BYTES_PER_WEIGHT;
}

void value_free(struct entry *entry) {
    if (entry_type(entry) == ENTRY_HASH) {
        hash_free(entry);
    } else {
        check(entry_type(entry) == ENTRY_STRING);
        if (entry_encoding(entry) == ENTRY_BLOB) {
            blob_drop(entry_pointer(entry));
        }
    }
    entry_free(entry);
}

void value_settle(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally) {
    if (entry_type(entry) == ENTRY_HASH) {
        hash_settle(entry, cursor, tally);
        return;
    }
    check(entry_type(entry) == ENTRY_STRING);
    *cursor = 0;
    if (entry_encoding(entry) == ENTRY_BLOB) {
        entry_set_pointer(entry, blob_settle(entry_pointer(entry), tally));
    }
}

size_t value_footprint(const struct entry *entry, size_t samples) {
    size_t size = entry_footprint(entry);
    if (entry_type(entry) == ENTRY_HASH) {
        return size + hash_footprint(entry, samples);
    }
    check(entry_type(entry) == ENTRY_STRING);
    if (entry_encoding(entry) == ENTRY_BLOB) {
        size += blob_footprint(entry_pointer(entry));
    }
    return size;
}

static struct entry *try_copy_hash(const struct entry *entry, struct bytes key) {
    struct entry_shape shape;
    if (hash_copy(entry, &shape) != 0) {
        return NULL;
    }
    shape.has_deadline = (entry->flags & ENTRY_HAS_DEADLINE) != 0;
    struct entry *copy = entry_try_new(key, &shape);
    if (copy == NULL) {
        hash_discard(&shape);
        return NULL;
    }
    copy->access = entry->access;
    return copy;
}

/* Strings share their blob: it is copied when one of them changes. */
struct entry *value_try_copy(const struct entry *entry, struct bytes key) {
    if (entry_type(entry) == ENTRY_HASH) {
        return try_copy_hash(entry, key);
    }
    check(entry_type(entry) == ENTRY_STRING);
    struct entry *copy = entry_try_rename(entry, key);
    if (copy != NULL && entry_encoding(entry) == ENTRY_BLOB) {
        blob_share(entry_pointer(entry));
    }
    return copy;
}

static void string_validate(const struct entry *entry) {
    switch (entry_encoding(entry)) {
    case ENTRY_INLINE:
        check(entry->value_size <= ENTRY_INLINE_MAX);
        break;
    case ENTRY_INTEGER:
        break;
    case ENTRY_BLOB: {
        const struct blob *blob = entry_pointer(entry);
        check(blob->references > 0);
        check(blob->size <= blob_capacity(blob));
        check(sizeof *blob + blob_capacity(blob) == blob_footprint(blob));
        break;
    }
    default:
        check(!"a string has one of these encodings");
    }
}

void value_validate(const struct entry *entry) {
    if (entry_type(entry) == ENTRY_HASH) {
        hash_validate(entry);
        return;
    }
    check(entry_type(entry) == ENTRY_STRING);
    string_validate(entry);
}
