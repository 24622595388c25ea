/* zset: the value of a sorted set: members with scores, in the order of the scores, those of one
 * score in the order of their bytes.
 *
 * Terms. The sorted set's entry is the key's entry in the keyspace, made there; its link leads to
 * the value. The rank of a member is how many come before it. A span is a run of ranks: what a
 * command asks for by rank, by score or by name is found as a span first, and then visited or
 * removed.
 *
 *     encoding          OBJECT ENCODING   the link leads to
 *     ENTRY_PACK        listpack          a packmap of member, score ... in order
 *     ENTRY_ORDERED     skiplist          a dict of entries, and an index of them with ranks
 *
 * A sorted set begins as a pack and becomes ordered when it outgrows the limits; it never goes
 * back. Its entry stays where it is all the while: only its encoding and link change.
 *
 * Nothing here deletes an empty sorted set: the caller looks at zset_length after removals. Scores
 * are never NaN.
 *
 * Costs: in a pack a member is found by its hash, a rank by adding up sizes, and an edit moves what
 * is behind it. Ordered, all is logarithmic, but for finding a member, which is constant; a member
 * takes an entry of 16 bytes and its own, some 16 in the dict and 17 to 23 in the index. */
#ifndef LARDER_TYPES_ZSET_H
#define LARDER_TYPES_ZSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/option.h"
#include "base/random.h"
#include "base/sparse.h"
#include "ds/element_name.h"
#include "ds/entry.h"
#include "ds/ordered.h"
#include "ds/packmap.h"

/* When a pack becomes ordered. */
#define ZSET_OPTIONS(X)                                                                            \
    X(INT, pack_entries_max, "zset-max-listpack-entries", "128", 0, INT64_MAX, NULL, 0, NULL,      \
      "Most members of a sorted set that is kept as one compact list.")                            \
    X(MEMORY, pack_value_max, "zset-max-listpack-value", "64", 0, INT64_MAX, NULL, 0, NULL,        \
      "Longest member of a sorted set that is kept as one compact list.")
struct zset_options {
    ZSET_OPTIONS(OPTION_FIELD)
};

/* Declares the options with their older names (zset-max-ziplist-*). */
void zset_register_options(struct options *registry, struct zset_options *fields);

/* What an empty sorted set is made of, for the keyspace to make an entry from; zset_discard if it
 * does not. */
struct entry_shape zset_new_shape(void);
void zset_discard(const struct entry_shape *shape);

/* "listpack" or "skiplist". */
const char *zset_encoding_name(const struct entry *zset);

/* A member as visited. The name is valid during the visit. */
struct zset_member {
    struct bytes name;
    double score;
};
typedef void (*zset_visit_fn)(void *context, const struct zset_member *member);

size_t zset_length(const struct entry *zset);

/* False when absent. */
bool zset_score(const struct entry *zset, struct element_name name, double *score);

/* What to set, and when. */
enum zset_write_flag {
    ZSET_IF_ABSENT = 1,
    ZSET_IF_PRESENT = 2,
    ZSET_IF_GREATER = 4, /* these two do not keep a new member out */
    ZSET_IF_LESS = 8,
    ZSET_ADD = 16, /* the score is added to the member's, 0 if it is new */
};
struct zset_write {
    struct element_name name;
    double score;
    unsigned flags; /* enum zset_write_flag */
};

enum zset_outcome {
    ZSET_ADDED,
    ZSET_CHANGED,
    ZSET_SAME,      /* it had this score */
    ZSET_REFUSED,   /* by a condition */
    ZSET_NAN,       /* the sum is not a number */
    ZSET_NO_MEMORY, /* nothing has changed */
};

/* Sets a member's score; *score becomes what it has now, unless refused or failed. Of the two zeros
 * that may be the other one: if it is the same, the member keeps what it had. */
enum zset_outcome zset_set(struct entry *zset, const struct zset_options *limits,
                           const struct zset_write *write, double *score);

/* Removes a member; false when absent. */
bool zset_remove(struct entry *zset, struct element_name name);

/* A member's rank and score; false when absent. */
bool zset_rank(const struct entry *zset, struct element_name name, size_t *rank, double *score);

struct zset_span {
    size_t first; /* rank */
    size_t count;
};

/* Members with scores from `least` to `most`, without these two themselves where it says so. */
struct zset_scores {
    double least;
    double most;
    bool above; /* the least is not in */
    bool below; /* the most is not in */
};
struct zset_span zset_span_of_scores(const struct entry *zset, const struct zset_scores *range);

/* Members by their names, in a sorted set in which all have the same score. */
enum zset_limit_kind { ZSET_LOWEST, ZSET_INCLUDED, ZSET_EXCLUDED, ZSET_HIGHEST };
struct zset_limit {
    enum zset_limit_kind kind;
    struct bytes name; /* unless lowest or highest */
};
struct zset_names {
    struct zset_limit least;
    struct zset_limit most;
};
struct zset_span zset_span_of_names(const struct entry *zset, const struct zset_names *range);

/* Visits the members of a span within the length, in descending order if `reverse`. `visit` must
 * not change the sorted set. */
void zset_visit(const struct entry *zset, struct zset_span span, bool reverse, zset_visit_fn visit,
                void *context);

/* Removes the members of a span within the length. */
void zset_remove_span(struct entry *zset, struct zset_span span);

/* A walk over a sorted set that does not change meanwhile, some members at a time, in order. What
 * will be looked at next is asked for ahead. */
#define ZSET_BATCH 16
struct zset_batch {
    size_t count;
    struct bytes names[ZSET_BATCH]; /* valid as long as the batch */
    double scores[ZSET_BATCH];
    uint64_t hashes[ZSET_BATCH]; /* set by zset_batch_hash */
    char scratch[ZSET_BATCH][NUM_I64_SIZE];
};
struct zset_walk {
    const struct entry *zset;
    packmap_at packed;
    struct ordered_at ordered;
};
void zset_walk_begin(struct zset_walk *walk, const struct entry *zset);
/* The next members; false when there are no more. */
bool zset_walk_next(struct zset_walk *walk, struct zset_batch *batch);
void zset_batch_hash(struct zset_batch *batch);
/* Asks for what looking for the members of a batch that is hashed will read, in a sorted set or in
 * any other collection. */
void zset_batch_prefetch(const struct zset_batch *batch, const struct entry *collection);

/* Visits a portion, in no order: start with cursor 0, go on with what is returned, stop when that
 * is 0. What is in the sorted set from the first to the last call is visited at least once,
 * whatever changes in between. A pack is one portion. */
uint64_t zset_scan(const struct entry *zset, uint64_t cursor, zset_visit_fn visit, void *context);

/* Visits `count` random members, the same one perhaps several times. Not for an empty one. */
void zset_random(const struct entry *zset, struct random *random, size_t count, zset_visit_fn visit,
                 void *context);

/* Visits `count` different random members; `count` at most the length. */
void zset_random_distinct(const struct entry *zset, struct random *random, size_t count,
                          zset_visit_fn visit, void *context);

/* A copy of the value. 0, or -ENOMEM. */
int zset_copy(const struct entry *zset, struct entry_shape *copy);

/* A new value of the members of a span; its encoding is what its content demands. 0, or -ENOMEM. */
int zset_copy_span(const struct entry *zset, struct zset_span span,
                   const struct zset_options *limits, struct entry_shape *copy);

/* For who will look for a member's place among the others soon: asks for the root of the index, the
 * value being in the cache; and then, some time later each, for what lies on the way to a score so
 * many levels below the root, those above being in the cache. */
void zset_prefetch(const struct entry *zset);
void zset_prefetch_score(const struct entry *zset, double score, unsigned level);
/* Whether there are more levels than the root and one below it. Only of one that is ordered. */
bool zset_is_tall(const struct entry *zset);

/* How many steps it takes to free the value: 1 for a pack, else the number of members. */
size_t zset_free_cost(const struct entry *zset);

/* Frees the value, not the entry. zset_free_some takes about `max` steps and returns whether
 * all is freed; in between the sorted set is good for nothing else. */
void zset_free(struct entry *zset);
bool zset_free_some(struct entry *zset, size_t max);

/* Moves what the value is made of out of sparse slabs, a portion a call: *cursor is 0 at first and
 * again when that was all. */
void zset_settle(struct entry *zset, uint32_t *cursor, struct sparse_tally *tally);

/* Bytes that the value takes from the allocator, without the entry itself. Looks at `samples`
 * members of an ordered one and reckons from them; 0 looks at all. */
size_t zset_footprint(const struct entry *zset, size_t samples);

/* Walks everything and asserts what must hold. For tests. */
void zset_validate(const struct entry *zset);

#endif
