/* set: the value of a set key: different byte strings.
 *
 * Terms. The set's entry is the key's entry in the keyspace, made there; its link leads to the
 * value. A member's hash is set_hash of its bytes, the same in every set, so that who looks for a
 * member in many sets reckons it once.
 *
 *     encoding          OBJECT ENCODING   the link leads to
 *     ENTRY_INTEGERS    intset            a sorted array: every member is an integer
 *     ENTRY_PACK        listpack          a packmap of width 1: few and short members
 *     ENTRY_TABLE       hashtable         struct set_table: a dict of entries without a value
 *
 * A set begins as what its first member asks for. Integers become a pack with the first member
 * that is none, and a table when they outgrow their limit; a pack becomes a table when it outgrows
 * its own. It never goes back. The set's entry stays where it is all the while: only its encoding
 * and word change.
 *
 * Nothing here deletes an empty set: the caller looks at set_size after removals.
 *
 * Costs: integers are found by binary search, members of a pack by one byte of hash each, in a
 * table as the dict finds them. A member in a table takes an entry of 8 + its bytes, and about 14
 * in the dict. */
#ifndef LARDER_TYPES_SET_H
#define LARDER_TYPES_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/option.h"
#include "base/random.h"
#include "base/sparse.h"
#include "ds/dict.h"
#include "ds/entry.h"
#include "ds/packmap.h"

/* When a compact set becomes a table. */
#define SET_OPTIONS(X)                                                                             \
    X(INT, integers_max, "set-max-intset-entries", "512", 0, INT64_MAX, NULL, 0, NULL,             \
      "Most members of a set of integers that is kept as a sorted array.")                         \
    X(INT, pack_entries_max, "set-max-listpack-entries", "128", 0, INT64_MAX, NULL, 0, NULL,       \
      "Most members of a set that is kept as one compact list.")                                   \
    X(INT, pack_value_max, "set-max-listpack-value", "64", 0, INT64_MAX, NULL, 0, NULL,            \
      "Longest member of a set that is kept as one compact list.")
struct set_options {
    SET_OPTIONS(OPTION_FIELD)
};

/* An array of integers never grows beyond this, whatever the options say: every edit moves what is
 * behind it. Packs have PACKMAP_SIZE_MAX. */
#define SET_INTEGERS_SIZE_MAX ((size_t)1 << 20)

void set_register_options(struct options *registry, struct set_options *fields);

/* The dict comes first, so that planning can ask for a bucket without knowing the type. */
struct set_table {
    struct dict dict;
};

static inline uint64_t set_hash(struct bytes member) {
    return hash_bytes(hash_seed(), member.at, member.size);
}

/* What an empty set is made of that will begin with `first` and hold `count` members, as far as is
 * known; for the keyspace to make an entry from. set_discard if it does not. */
struct entry_shape set_new_shape(const struct set_options *limits, struct bytes first,
                                 size_t count);
void set_discard(const struct entry_shape *shape);

/* "intset", "listpack" or "hashtable". */
const char *set_encoding_name(const struct entry *set);

size_t set_size(const struct entry *set);

bool set_has(const struct entry *set, struct bytes member, uint64_t hash);

/* Adds a member. 1: it is new, 0: it was there, -ENOMEM: nothing has changed. */
int set_add(struct entry *set, const struct set_options *limits, struct bytes member,
            uint64_t hash);
/* The same for one that is known to be new. 0, or -ENOMEM. */
int set_add_new(struct entry *set, const struct set_options *limits, struct bytes member,
                uint64_t hash);

/* Removes a member; false when absent. */
bool set_remove(struct entry *set, struct bytes member, uint64_t hash);

/* A member as visited; valid during the visit. */
typedef void (*set_visit_fn)(void *context, struct bytes member);

/* Visits a portion: start with cursor 0, go on with what is returned, stop when that is 0. What is
 * in the set from the first to the last call is visited at least once, whatever changes in
 * between. A compact set is one portion. */
uint64_t set_scan(const struct entry *set, uint64_t cursor, set_visit_fn visit, void *context);

/* A walk over a set that does not change meanwhile, some members at a time, each once: integers
 * ascend. What will be looked at next is asked for ahead. */
#define SET_BATCH 16

struct set_batch {
    size_t count;
    struct bytes members[SET_BATCH];
    uint64_t hashes[SET_BATCH]; /* set by set_batch_hash */
    char scratch[SET_BATCH][NUM_I64_SIZE];
};

struct set_walk {
    const struct entry *set;
    size_t index;          /* of integers: the next one */
    packmap_at at;         /* of a pack: the next one */
    struct dict_walk walk; /* of a table: behind what is in `ahead` */
    struct entry *ahead[SET_BATCH];
    size_t ahead_count;
};

void set_walk_begin(struct set_walk *walk, const struct entry *set);
/* The next members; false when there are no more. They are valid until the next call, texts of
 * integers as long as the batch. */
bool set_walk_next(struct set_walk *walk, struct set_batch *batch);
void set_batch_hash(struct set_batch *batch);
/* Asks for what looking for the members of a batch that is hashed will read. */
void set_batch_prefetch(const struct set_batch *batch, const struct entry *set);
/* Keeps of a batch that is hashed those that the set has, or those that it has not. */
void set_batch_keep(struct set_batch *batch, const struct entry *set, bool those_it_has);

/* Visits `count` random members, the same one perhaps several times. The set is not empty. */
void set_random(const struct entry *set, struct random *random, size_t count, set_visit_fn visit,
                void *context);

/* Visits `count` different random members, or all if there are no more. */
void set_random_distinct(const struct entry *set, struct random *random, size_t count,
                         set_visit_fn visit, void *context);

/* Visits and removes `count` different random members, fewer than all. */
void set_pop(struct entry *set, struct random *random, size_t count, set_visit_fn visit,
             void *context);

/* A copy of the value. 0, or -ENOMEM. */
int set_copy(const struct entry *set, struct entry_shape *copy);

/* How many steps it takes to free the value: 1 for a compact set, else the number of members. */
size_t set_free_cost(const struct entry *set);

/* Frees the value, not the entry. */
void set_free(struct entry *set);

/* Moves what the value is made of out of sparse slabs, a portion a call: *cursor is 0 at first and
 * again when that was all. */
void set_settle(struct entry *set, uint32_t *cursor, struct sparse_tally *tally);

/* Bytes that the value takes from the allocator, without the entry itself. Looks at `samples`
 * members of a table and reckons from them; 0 looks at all. */
size_t set_footprint(const struct entry *set, size_t samples);

/* Walks everything and asserts what must hold. For tests. */
void set_validate(const struct entry *set);

#endif
