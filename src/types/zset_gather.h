/* zset_gather: members with scores that come in any order and may come again, gathered until they
 * are sorted and replied or become a sorted set: what unions, intersections and differences do.
 *
 *     add, find ...      a dict of entries, and their addresses as they came
 *     sort               (score, entry) in order
 *     visit, take        replied, or made the value of a key: the entries themselves move in
 *
 * Costs: a member takes what it takes in a sorted set, and 24 bytes more until it is taken. Sorting
 * is a merge sort of what runs there are. */
#ifndef LARDER_TYPES_ZSET_GATHER_H
#define LARDER_TYPES_ZSET_GATHER_H

#include "ds/dict.h"
#include "types/zset.h"

struct zset_gather {
    struct dict dict;
    struct ordered_item *items; /* as they came; scores are set by sorting */
    size_t capacity;
    size_t longest; /* name, in bytes */
};

void zset_gather_init(struct zset_gather *gather);
void zset_gather_free(struct zset_gather *gather);

static inline size_t zset_gather_count(const struct zset_gather *gather) {
    return dict_size(&gather->dict);
}

/* Where the score of a member is kept; NULL when there is no such member. */
double *zset_gather_find(struct zset_gather *gather, struct element_name name);

/* Asks for what finding and adding the members of a batch that is hashed will read. */
void zset_gather_prefetch(const struct zset_gather *gather, const struct zset_batch *batch);

/* Adds a member that is not there. False when there is no memory. */
bool zset_gather_add(struct zset_gather *gather, struct element_name name, double score);

/* After the last one was added. 0, or -ENOMEM. */
int zset_gather_sort(struct zset_gather *gather);

/* Of what is sorted. */
void zset_gather_visit(const struct zset_gather *gather, zset_visit_fn visit, void *context);

/* Makes a sorted set of what is sorted; nothing is left then. Its encoding is what its content
 * demands. */
void zset_gather_take(struct zset_gather *gather, const struct zset_options *limits,
                      struct entry_shape *shape);

#endif
