/* hash: the value of a hash key: fields with values, each field with a deadline of its own if it
 * likes.
 *
 * Terms. The hash's entry is the key's entry in the keyspace, made there; its link leads to
 * the value. A field is expired from the moment its deadline is reached and absent for every read
 * from then on; it leaves memory with the next hash_expire_due, or when it is set anew.
 *
 *     encoding            OBJECT ENCODING   the link leads to
 *     ENTRY_PACK          listpack          a packmap of field, value
 *     ENTRY_TIMED_PACK    listpackex        a packmap of field, value, deadline
 *     ENTRY_TABLE         hashtable         a dict of entries, and an index of their deadlines
 *
 * A hash begins as a pack, becomes a timed pack with the first deadline, and a table when it
 * outgrows the limits; it never goes back. The hash's entry stays where it is all the while:
 * only its encoding and link change.
 *
 * Functions that take now_ms take an expired field as absent. Nothing here deletes an empty
 * hash: the caller looks at hash_is_empty after deletions.
 *
 * Costs: in a pack a find compares 16 fields at a time (see ds/packmap.h); in a table it is one of
 * the dict. A field in a table takes an entry of 8 + field + value bytes (see ds/entry.h), 8 more
 * with a deadline, and about 12 in the dict. */
#ifndef LARDER_TYPES_HASH_H
#define LARDER_TYPES_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/option.h"
#include "base/random.h"
#include "base/sparse.h"
#include "ds/blob.h"
#include "ds/element_name.h"
#include "ds/entry.h"
#include "ds/packmap.h"

/* When a pack becomes a table. */
#define HASH_OPTIONS(X)                                                                            \
    X(INT, pack_entries_max, "hash-max-listpack-entries", "512", 0, INT64_MAX, NULL, 0, NULL,      \
      "Most fields of a hash that is kept as one compact list.")                                   \
    X(MEMORY, pack_value_max, "hash-max-listpack-value", "64", 0, INT64_MAX, NULL, 0, NULL,        \
      "Longest field or value of a hash that is kept as one compact list.")
struct hash_options {
    HASH_OPTIONS(OPTION_FIELD)
};

/* A pack never grows beyond this, whatever the options say: every edit moves what is behind it, so
 * beyond that a table is better anyway, and an allocation of this size need not be able to fail. */
#define HASH_PACK_SIZE_MAX PACKMAP_SIZE_MAX

/* Declares the options with their older names (hash-max-ziplist-*). */
void hash_register_options(struct options *registry, struct hash_options *fields);

/* What an empty hash is made of, for the keyspace to make an entry from; hash_discard if it does
 * not. */
struct entry_shape hash_new_shape(void);
void hash_discard(const struct entry_shape *shape);

/* "listpack", "listpackex" or "hashtable". */
const char *hash_encoding_name(const struct entry *hash);

/* A value as read. The text is valid until the hash's next change, or as long as this struct
 * where it was an integer: hence the struct must not be copied. */
struct hash_value {
    struct bytes text;
    struct blob
        *blob; /* the blob that holds the text, for replies that want to refer to it; or NULL */
    char scratch[NUM_I64_SIZE];
};

/* A field as visited. Texts are valid during the visit. */
struct hash_field {
    struct bytes name;
    struct bytes value;
    struct blob *blob;   /* as in struct hash_value */
    int64_t deadline_ms; /* or ENTRY_NO_DEADLINE */
};
typedef void (*hash_visit_fn)(void *context, const struct hash_field *field);

/* Fields that are not expired. Counts one by one when something may have expired since the last
 * hash_expire_due that was done. */
size_t hash_length(const struct entry *hash, int64_t now_ms);

/* Whether there is no field in memory, expired or not: then the key can go. */
bool hash_is_empty(const struct entry *hash);

/* False when absent. */
bool hash_get(const struct entry *hash, struct element_name field, int64_t now_ms,
              struct hash_value *value);
bool hash_exists(const struct entry *hash, struct element_name field, int64_t now_ms);

/* For `deadline_ms` of a write: as it is, which is none for a new field. */
#define HASH_KEEP_DEADLINE (-2)

/* What to set. */
struct hash_write {
    struct element_name field;
    struct bytes value;
    struct blob *blob; /* NULL, or a blob whose bytes are the value: its reference is taken over */
    int64_t deadline_ms; /* ENTRY_NO_DEADLINE, HASH_KEEP_DEADLINE or milliseconds since 1970 */
};

/* Sets a field. 1: it is new, 0: it was there, -ENOMEM: nothing has changed. */
int hash_set(struct entry *hash, const struct hash_options *limits, const struct hash_write *write,
             int64_t now_ms);

/* Removes a field; false when absent. */
bool hash_delete(struct entry *hash, struct element_name field, int64_t now_ms);

/* The field's deadline, ENTRY_NO_DEADLINE, or HASH_NO_FIELD. */
#define HASH_NO_FIELD (-2)
int64_t hash_deadline(const struct entry *hash, struct element_name field, int64_t now_ms);

/* Gives a field a deadline (> 0, later than ENTRY_DEADLINE_MAX is taken as that). 0, -ENOENT when
 * absent, -ENOMEM. */
int hash_set_deadline(struct entry *hash, struct element_name field, int64_t deadline_ms,
                      int64_t now_ms);

/* Takes a field's deadline away. 0, -ENOENT when absent, -ENODATA when it had none. */
int hash_persist(struct entry *hash, struct element_name field, int64_t now_ms);

/* Whether any field, expired or not, has a deadline. */
bool hash_has_deadlines(const struct entry *hash);

/* The earliest of the fields' deadlines, or an earlier time (by up to the width of a place of
 * the index, see ds/due.h); ENTRY_NO_DEADLINE when there is none. */
int64_t hash_next_deadline(const struct entry *hash);

/* Who is told of each field that expires, while its name is still there. */
struct hash_gone {
    void (*fn)(void *context, struct bytes field);
    void *context;
};

/* Removes up to `max` expired fields and returns how many; *done tells whether these were all.
 * `gone` may be NULL. */
size_t hash_expire_due(struct entry *hash, int64_t now_ms, size_t max, const struct hash_gone *gone,
                       bool *done);

/* A word for the owner's index of hashes by their next deadline; 0 at first and in copies. NULL
 * while no field has ever had a deadline. The address changes with the hash's encoding, the
 * content does not. */
uint64_t *hash_due_word(struct entry *hash);

/* Visits all the fields that are not expired, each once. `visit` must not change the hash. */
void hash_visit(const struct entry *hash, int64_t now_ms, hash_visit_fn visit, void *context);

/* Reads an element of a hash that is a table: the entry of its dict, expired or not. `scratch` has
 * NUM_I64_SIZE bytes, in which the value lies when it is an integer. */
void hash_read_element(const struct entry *element, struct hash_field *field, char *scratch);

/* Visits a portion: start with cursor 0, go on with what is returned, stop when that is 0. What
 * is in the hash from the first to the last call is visited at least once, whatever changes in
 * between. A pack is one portion. */
uint64_t hash_scan(const struct entry *hash, uint64_t cursor, int64_t now_ms, hash_visit_fn visit,
                   void *context);

/* Visits `count` random fields, the same one perhaps several times; none if all are absent.
 * Returns how many. */
size_t hash_random(const struct entry *hash, int64_t now_ms, struct random *random, size_t count,
                   hash_visit_fn visit, void *context);

/* Visits `count` different random fields, or all if there are no more. Returns how many. */
size_t hash_random_distinct(const struct entry *hash, int64_t now_ms, struct random *random,
                            size_t count, hash_visit_fn visit, void *context);

/* A copy of the value with its deadlines; what is expired and still there is copied too. 0, or
 * -ENOMEM. */
int hash_copy(const struct entry *hash, struct entry_shape *copy);

/* How many steps it takes to free the value: 1 for a pack, else the number of fields. */
size_t hash_free_cost(const struct entry *hash);

/* Frees the value, not the entry. hash_free_some takes at most `max` steps and returns whether
 * all is freed; in between the hash is good for nothing else. */
void hash_free(struct entry *hash);
bool hash_free_some(struct entry *hash, size_t max);

/* Moves what the value is made of out of sparse slabs, a portion a call: *cursor is 0 at first and
 * again when that was all. Call it in one go for a value that is not a table: that is one
 * portion. */
void hash_settle(struct entry *hash, uint32_t *cursor, struct sparse_tally *tally);

/* Bytes that the value takes from the allocator, without the entry itself. Looks at `samples`
 * fields of a table and reckons from them; 0 looks at all. */
size_t hash_footprint(const struct entry *hash, size_t samples);

/* Walks everything and asserts what must hold. For tests. */
void hash_validate(const struct entry *hash);

#endif
