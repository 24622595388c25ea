/* hash: chooses between the encodings. A compact one is tried first when a field is set; when it
 * would outgrow its limits, the hash becomes a table and stays one. */
#include "types/hash.h"

#include <errno.h>
#include <stddef.h>

#include "base/check.h"
#include "types/hash_int.h"

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct hash_options, __VA_ARGS__)
    HASH_OPTIONS(ROW)
#undef ROW
};

void hash_register_options(struct options *registry, struct hash_options *fields) {
    options_register(registry, rows, sizeof rows / sizeof rows[0], fields, fields);
    options_alias(registry, "hash-max-ziplist-entries", "hash-max-listpack-entries");
    options_alias(registry, "hash-max-ziplist-value", "hash-max-listpack-value");
}

static inline bool is_table(const struct entry *hash) {
    return entry_encoding(hash) == ENTRY_TABLE;
}

struct entry_shape hash_new_shape(void) {
    return (struct entry_shape){
        .type = ENTRY_HASH, .encoding = ENTRY_PACK, .word = (uintptr_t)packmap_new(2)};
}

void hash_discard(const struct entry_shape *shape) {
    union entry_carrier carrier;
    hash_free(entry_carry(&carrier, shape));
}

const char *hash_encoding_name(const struct entry *hash) {
    switch (entry_encoding(hash)) {
    case ENTRY_PACK:
        return "listpack";
    case ENTRY_TIMED_PACK:
        return "listpackex";
    default:
        return "hashtable";
    }
}

size_t hash_length(const struct entry *hash, int64_t now_ms) {
    return is_table(hash) ? hash_table_length(hash, now_ms) : hash_packed_length(hash, now_ms);
}

bool hash_is_empty(const struct entry *hash) {
    return is_table(hash) ? dict_size(&hash_table_of(hash)->dict) == 0 : hash_packed_is_empty(hash);
}

bool hash_get(const struct entry *hash, struct element_name field, int64_t now_ms,
              struct hash_value *value) {
    return is_table(hash) ? hash_table_get(hash, field, now_ms, value)
                          : hash_packed_get(hash, field, now_ms, value);
}

bool hash_exists(const struct entry *hash, struct element_name field, int64_t now_ms) {
    return hash_deadline(hash, field, now_ms) != HASH_NO_FIELD;
}

int hash_set(struct entry *hash, const struct hash_options *limits, const struct hash_write *write,
             int64_t now_ms) {
    int result = -E2BIG;
    if (!is_table(hash)) {
        result = hash_packed_set(hash, limits, write, now_ms);
        if (result == -E2BIG && hash_become_table(hash, now_ms) != 0) {
            result = -ENOMEM;
        }
    }
    if (result == -E2BIG) {
        result = hash_table_set(hash, write, now_ms);
    }
    if (write->blob != NULL) {
        blob_drop(write->blob);
    }
    return result;
}

bool hash_delete(struct entry *hash, struct element_name field, int64_t now_ms) {
    return is_table(hash) ? hash_table_delete(hash, field, now_ms)
                          : hash_packed_delete(hash, field, now_ms);
}

int64_t hash_deadline(const struct entry *hash, struct element_name field, int64_t now_ms) {
    return is_table(hash) ? hash_table_deadline(hash, field, now_ms)
                          : hash_packed_deadline(hash, field, now_ms);
}

/* 0 takes the deadline away. */
static int change_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                           int64_t now_ms) {
    return is_table(hash) ? hash_table_set_deadline(hash, field, deadline_ms, now_ms)
                          : hash_packed_set_deadline(hash, field, deadline_ms, now_ms);
}

int hash_set_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                      int64_t now_ms) {
    return change_deadline(hash, field, hash_deadline_held(deadline_ms), now_ms);
}

int hash_persist(struct entry *hash, struct element_name field, int64_t now_ms) {
    return change_deadline(hash, field, 0, now_ms);
}

bool hash_has_deadlines(const struct entry *hash) {
    return hash_next_deadline(hash) != ENTRY_NO_DEADLINE;
}

int64_t hash_next_deadline(const struct entry *hash) {
    if (is_table(hash)) {
        return hash_table_next_deadline(hash);
    }
    if (entry_encoding(hash) == ENTRY_PACK) {
        return ENTRY_NO_DEADLINE;
    }
    const struct hash_timed *timed = entry_pointer(hash);
    return timed->earliest_ms == INT64_MAX ? ENTRY_NO_DEADLINE : timed->earliest_ms;
}

size_t hash_expire_due(struct entry *hash, int64_t now_ms, size_t max, const struct hash_gone *gone,
                       bool *done) {
    return is_table(hash) ? hash_table_expire_due(hash, now_ms, max, gone, done)
                          : hash_packed_expire_due(hash, now_ms, max, gone, done);
}

uint64_t *hash_due_word(struct entry *hash) {
    if (is_table(hash)) {
        return &hash_table_of(hash)->due_word;
    }
    if (entry_encoding(hash) == ENTRY_PACK) {
        return NULL;
    }
    struct hash_timed *timed = entry_pointer(hash);
    return &timed->due_word;
}

void hash_visit(const struct entry *hash, int64_t now_ms, hash_visit_fn visit, void *context) {
    uint64_t cursor = 0;
    do {
        cursor = hash_scan(hash, cursor, now_ms, visit, context);
    } while (cursor != 0);
}

uint64_t hash_scan(const struct entry *hash, uint64_t cursor, int64_t now_ms, hash_visit_fn visit,
                   void *context) {
    if (is_table(hash)) {
        return hash_table_scan(hash, cursor, now_ms, visit, context);
    }
    hash_packed_visit(hash, now_ms, visit, context);
    return 0;
}

size_t hash_random(const struct entry *hash, int64_t now_ms, struct random *random, size_t count,
                   hash_visit_fn visit, void *context) {
    return is_table(hash) ? hash_table_random(hash, now_ms, random, count, false, visit, context)
                          : hash_packed_random(hash, now_ms, random, count, false, visit, context);
}

size_t hash_random_distinct(const struct entry *hash, int64_t now_ms, struct random *random,
                            size_t count, hash_visit_fn visit, void *context) {
    return is_table(hash) ? hash_table_random(hash, now_ms, random, count, true, visit, context)
                          : hash_packed_random(hash, now_ms, random, count, true, visit, context);
}

int hash_copy(const struct entry *hash, struct entry_shape *copy) {
    *copy = (struct entry_shape){.type = ENTRY_HASH};
    if (is_table(hash)) {
        return hash_table_copy(hash, copy);
    }
    hash_packed_copy(hash, copy);
    return 0;
}

size_t hash_free_cost(const struct entry *hash) {
    return is_table(hash) ? dict_size(&hash_table_of(hash)->dict) : 1;
}

bool hash_free_some(struct entry *hash, size_t max) {
    if (is_table(hash)) {
        return hash_table_free_some(hash, max);
    }
    hash_packed_free(hash);
    return true;
}

void hash_free(struct entry *hash) {
    hash_free_some(hash, SIZE_MAX);
}

void hash_settle(struct entry *hash, uint32_t *cursor, struct sparse_tally *tally) {
    if (is_table(hash)) {
        hash_table_settle(hash, cursor, tally);
    } else {
        hash_packed_settle(hash, tally);
        *cursor = 0;
    }
}

size_t hash_footprint(const struct entry *hash, size_t samples) {
    return is_table(hash) ? hash_table_footprint(hash, samples) : hash_packed_footprint(hash);
}

void hash_validate(const struct entry *hash) {
    check(entry_type(hash) == ENTRY_HASH);
    if (is_table(hash)) {
        hash_table_validate(hash);
    } else {
        hash_packed_validate(hash);
    }
}
