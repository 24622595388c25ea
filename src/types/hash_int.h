/* hash_int: what the files of the hash value share: the two compact encodings (hash_pack.c) and
 * the table (hash_table.c) behind one set of functions (hash.c). The contracts are those of
 * types/hash.h where names match.
 *
 *     ENTRY_PACK        link -> packmap of field, value
 *
 *     ENTRY_TIMED_PACK  link -> +------------+---------------+--------+
 *                               | due word 8 | earliest ms 8 | map 8  |   24 bytes
 *                               +------------+---------------+--------+
 *                               map -> packmap of field, value, deadline (0: none)
 *
 *     ENTRY_TABLE       link -> struct hash_table: dict of ENTRY_ELEMENT entries, whose value is
 *                               ENTRY_INLINE, ENTRY_INTEGER or ENTRY_BLOB
 *
 * Invariants (hash_validate checks them):
 * 1. A field is there once.
 * 2. earliest_ms is the least deadline in the pack, INT64_MAX when there is none.
 * 3. A table's entry is filed in `due` exactly when its deadline word is not 0; room for a
 *    deadline may be left over with the word 0.
 * 4. Nothing that is due at clean_ms is in the table.
 * 5. A value that is a canonical integer is ENTRY_INTEGER; what is ENTRY_BLOB is longer than
 *    ENTRY_INLINE_MAX. */
#ifndef LARDER_TYPES_HASH_INT_H
#define LARDER_TYPES_HASH_INT_H

#include "ds/dict.h"
#include "ds/due.h"
#include "ds/packmap.h"
#include "types/hash.h"

struct hash_timed {
    uint64_t due_word; /* the owner's, see hash_due_word */
    int64_t earliest_ms;
    struct packmap *map;
};
_Static_assert(sizeof(struct hash_timed) == 24, "a timed pack's header is 24 bytes");

struct hash_table {
    struct dict dict;  /* first: see ds/element_name.h */
    struct due *due;   /* NULL until the first deadline */
    uint64_t due_word; /* the owner's, see hash_due_word */
    int64_t clean_ms;
};

static inline struct hash_table *hash_table_of(const struct entry *hash) {
    return entry_pointer(hash);
}

/* Changes encoding and link of a hash's entry in place: both encodings have a link. */
static inline void hash_become(struct entry *hash, enum entry_encoding encoding, void *value) {
    hash->kind = (uint8_t)(encoding << 4 | ENTRY_HASH);
    entry_set_pointer(hash, value);
}

/* A deadline as it can be held. */
static inline int64_t hash_deadline_held(int64_t deadline_ms) {
    if (deadline_ms > ENTRY_DEADLINE_MAX) {
        return ENTRY_DEADLINE_MAX;
    }
    return deadline_ms < 1 ? 1 : deadline_ms;
}

size_t hash_packed_length(const struct entry *hash, int64_t now_ms);
bool hash_packed_is_empty(const struct entry *hash);
bool hash_packed_get(const struct entry *hash, struct element_name field, int64_t now_ms,
                     struct hash_value *value);
int64_t hash_packed_deadline(const struct entry *hash, struct element_name field, int64_t now_ms);
/* Like hash_set; -E2BIG when the hash has to become a table for it. Leaves write->blob alone. */
int hash_packed_set(struct entry *hash, const struct hash_options *limits,
                    const struct hash_write *write, int64_t now_ms);
bool hash_packed_delete(struct entry *hash, struct element_name field, int64_t now_ms);
/* A deadline of 0 takes it away: -ENODATA when there was none. */
int hash_packed_set_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                             int64_t now_ms);
size_t hash_packed_expire_due(struct entry *hash, int64_t now_ms, size_t max,
                              const struct hash_gone *gone, bool *done);
void hash_packed_visit(const struct entry *hash, int64_t now_ms, hash_visit_fn visit,
                       void *context);
size_t hash_packed_random(const struct entry *hash, int64_t now_ms, struct random *random,
                          size_t count, bool distinct, hash_visit_fn visit, void *context);
void hash_packed_copy(const struct entry *hash, struct entry_shape *copy);
void hash_packed_free(struct entry *hash);
void hash_packed_settle(struct entry *hash, struct sparse_tally *tally);
size_t hash_packed_footprint(const struct entry *hash);
void hash_packed_validate(const struct entry *hash);

/* Makes a table of a hash that is packed. 0, or -ENOMEM with nothing changed. */
int hash_become_table(struct entry *hash, int64_t now_ms);

size_t hash_table_length(const struct entry *hash, int64_t now_ms);
bool hash_table_get(const struct entry *hash, struct element_name field, int64_t now_ms,
                    struct hash_value *value);
int64_t hash_table_deadline(const struct entry *hash, struct element_name field, int64_t now_ms);
int hash_table_set(struct entry *hash, const struct hash_write *write, int64_t now_ms);
bool hash_table_delete(struct entry *hash, struct element_name field, int64_t now_ms);
/* A deadline of 0 takes it away: -ENODATA when there was none. */
int hash_table_set_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                            int64_t now_ms);
int64_t hash_table_next_deadline(const struct entry *hash);
size_t hash_table_expire_due(struct entry *hash, int64_t now_ms, size_t max,
                             const struct hash_gone *gone, bool *done);
uint64_t hash_table_scan(const struct entry *hash, uint64_t cursor, int64_t now_ms,
                         hash_visit_fn visit, void *context);
size_t hash_table_random(const struct entry *hash, int64_t now_ms, struct random *random,
                         size_t count, bool distinct, hash_visit_fn visit, void *context);
int hash_table_copy(const struct entry *hash, struct entry_shape *copy);
bool hash_table_free_some(struct entry *hash, size_t max);
void hash_table_settle(struct entry *hash, uint32_t *cursor, struct sparse_tally *tally);
size_t hash_table_footprint(const struct entry *hash, size_t samples);
void hash_table_validate(const struct entry *hash);

#endif
