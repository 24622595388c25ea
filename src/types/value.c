/* value: the table of types. A type without functions has no values yet. */
#include "types/value.h"

#include <string.h>

#include "base/check.h"
#include "ds/dict.h"
#include "types/hash.h"
#include "types/stream.h"
#include "types/list.h"
#include "types/list_watch.h"
#include "types/set.h"
#include "types/string.h"
#include "types/zset.h"

/* Bytes of a string that take as long to free as an element: giving them back to the system is what
 * takes long, 15 ms for 100 MB. A string of a megabyte is freed in the background. */
#define BYTES_PER_WEIGHT (16 * 1024)

/* What is asked of a value, by its type. Contracts are those of types/value.h; functions see the
 * value, the entry's own allocation is value.c's business. */
struct value_type {
    const char *name;
    const char *(*encoding_name)(const struct entry *entry);
    /* How long freeing takes, in elements. */
    size_t (*weight)(const struct entry *entry);
    void (*free)(struct entry *entry);
    void (*settle)(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally);
    size_t (*footprint)(const struct entry *entry, size_t samples);
    /* Encoding and word, or inline value, of a copy; type and all else are set. 0, or -ENOMEM. */
    int (*copy)(const struct entry *entry, struct entry_shape *copy);
    /* Frees what `copy` has made. */
    void (*discard)(const struct entry_shape *copy);
    void (*validate)(const struct entry *entry);
};

/* ---- strings, which are little more than their entry ---- */

static const char *string_encoding_name(const struct entry *entry) {
    if (entry_encoding(entry) == ENTRY_INTEGER) {
        return "int";
    }
    bool embedded = entry_encoding(entry) == ENTRY_INLINE &&
                    entry->value_size <= STRING_EMBSTR_MAX && !(entry->flags & ENTRY_TOUCHED_RAW);
    return embedded ? "embstr" : "raw";
}

static size_t string_weight(const struct entry *entry) {
    if (entry_encoding(entry) != ENTRY_BLOB) {
        return 1;
    }
    /* What a reply under way holds too is not freed with the entry. */
    const struct blob *blob = entry_pointer(entry);
    return blob_is_shared(blob) ? 1 : 1 + blob_footprint(blob) / BYTES_PER_WEIGHT;
}

static void string_free(struct entry *entry) {
    if (entry_encoding(entry) == ENTRY_BLOB) {
        blob_drop(entry_pointer(entry));
    }
}

static void string_settle(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally) {
    *cursor = 0;
    if (entry_encoding(entry) == ENTRY_BLOB) {
        entry_set_pointer(entry, blob_settle(entry_pointer(entry), tally));
    }
}

static size_t string_footprint(const struct entry *entry, size_t samples) {
    (void)samples;
    return entry_encoding(entry) == ENTRY_BLOB ? blob_footprint(entry_pointer(entry)) : 0;
}

/* Strings share their blob: it is copied when one of them changes. */
static int string_copy(const struct entry *entry, struct entry_shape *copy) {
    copy->encoding = entry_encoding(entry);
    if (copy->encoding == ENTRY_INLINE) {
        copy->value = entry_inline(entry);
        return 0;
    }
    copy->word = entry_shape_word(entry);
    if (copy->encoding == ENTRY_BLOB) {
        blob_share(entry_pointer(entry));
    }
    return 0;
}

static void string_discard(const struct entry_shape *copy) {
    if (copy->encoding == ENTRY_BLOB) {
        blob_drop((struct blob *)(uintptr_t)copy->word);
    }
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

/* ---- the types ---- */

static const struct value_type types[ENTRY_TYPES] = {
    [ENTRY_STRING] = {"string", string_encoding_name, string_weight, string_free, string_settle,
                      string_footprint, string_copy, string_discard, string_validate},
    [ENTRY_LIST] = {"list", list_encoding_name, list_weight, list_free, list_settle, list_footprint,
                    list_copy, list_discard, list_validate},
    [ENTRY_SET] = {"set", set_encoding_name, set_free_cost, set_free, set_settle, set_footprint,
                   set_copy, set_discard, set_validate},
    [ENTRY_SORTED_SET] = {"zset", zset_encoding_name, zset_free_cost, zset_free, zset_settle,
                          zset_footprint, zset_copy, zset_discard, zset_validate},
    [ENTRY_HASH] = {"hash", hash_encoding_name, hash_free_cost, hash_free, hash_settle,
                    hash_footprint, hash_copy, hash_discard, hash_validate},
    [ENTRY_STREAM] = {"stream", stream_encoding_name, stream_weight, stream_free, stream_settle,
                      stream_footprint, stream_copy, stream_discard, stream_validate},
};

/* The row of an entry's type, which has values. */
static const struct value_type *type_of(const struct entry *entry) {
    enum entry_type type = entry_type(entry);
    check(type < ENTRY_TYPES && types[type].free != NULL);
    return &types[type];
}

const char *value_type_name(enum entry_type type) {
    check(type < ENTRY_TYPES);
    return types[type].name;
}

int value_type_named(struct bytes name) {
    for (int type = 0; type < ENTRY_TYPES; type++) {
        if (bytes_is(name, types[type].name)) {
            return type;
        }
    }
    return -1;
}

const char *value_encoding_name(const struct entry *entry) {
    return type_of(entry)->encoding_name(entry);
}

size_t value_weight(const struct entry *entry) {
    return type_of(entry)->weight(entry);
}

struct entry_watch *value_watch(const struct entry *entry) {
    if (entry_encoding(entry) == ENTRY_TABLE || entry_encoding(entry) == ENTRY_ORDERED) {
        return ((const struct dict *)entry_pointer(entry))->watch;
    }
    if (entry_encoding(entry) == ENTRY_CHAIN) {
        return list_watched(entry);
    }
    return NULL;
}

void value_free(struct entry *entry) {
    type_of(entry)->free(entry);
    entry_free(entry);
}

void value_discard(const struct entry_shape *shape) {
    check(shape->type < ENTRY_TYPES && types[shape->type].discard != NULL);
    types[shape->type].discard(shape);
}

void value_settle(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally) {
    type_of(entry)->settle(entry, cursor, tally);
}

size_t value_footprint(const struct entry *entry, size_t samples) {
    return entry_footprint(entry) + type_of(entry)->footprint(entry, samples);
}

struct entry *value_try_copy(const struct entry *entry, struct bytes key) {
    const struct value_type *type = type_of(entry);
    struct entry_shape shape = {.type = entry_type(entry)};
    if (type->copy(entry, &shape) != 0) {
        return NULL;
    }
    shape.has_deadline = (entry->flags & ENTRY_HAS_DEADLINE) != 0;
    shape.extras = entry_extras(entry);
    struct entry *copy = entry_try_new(key, &shape);
    if (copy == NULL) {
        type->discard(&shape);
        return NULL;
    }
    copy->access = entry->access;
    copy->flags |= entry->flags & ENTRY_TOUCHED_RAW;
    return copy;
}

void value_validate(const struct entry *entry) {
    type_of(entry)->validate(entry);
}
