/* ordered: entries in the order of their scores, with ranks: a B+tree that counts.
 *
 * Terms. An item is a score and the entry that has it; items of one score are in the order of the
 * entries' keys, as bytes. A leaf holds items; an inner node holds, for each child, the child's
 * first item and how many items are below it. The rank of an item is how many come before it.
 *
 *     inner  | count | first items ... | children ... | sizes ... |              up to 2032 bytes
 *                          |
 *     leaf   | count, capacity | before | after | item | item | ...              up to 1016 bytes
 *               2        2+4       8       8       16
 *
 * The tree refers to entries and owns none. It compares keys only where scores are equal, so that a
 * search among different scores reads nodes and no entry.
 *
 * Invariants (ordered_validate checks them):
 * 1. Items ascend through the leaves, which are chained in that order; all leaves are at one depth.
 * 2. An inner node's first items and sizes are those of its children; no node is empty.
 * 3. Two neighbours under one parent hold together more than half of what one can. Hence the tree
 *    is never higher than ORDERED_HEIGHT_MAX.
 * 4. A leaf that is not the root has the full capacity; a root that is a leaf begins small.
 *
 * Costs: all searches, insertions and removals are logarithmic. An item takes 16 bytes, 23 with
 * what is left free in nodes that were filled in random order, 17 in ascending order. */
#ifndef LARDER_DS_ORDERED_H
#define LARDER_DS_ORDERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/sparse.h"
#include "ds/entry.h"

struct ordered_item {
    double score; /* not a NaN */
    struct entry *entry;
};

struct ordered_leaf {
    uint16_t count;
    uint16_t capacity;
    struct ordered_leaf *before; /* NULL: the first */
    struct ordered_leaf *after;  /* NULL: the last */
    struct ordered_item items[];
};

struct ordered {
    void *root; /* NULL: empty; a leaf if height is 1 */
    size_t size;
    uint32_t leaf_count;
    uint32_t inner_count;
    uint8_t height;
    uint8_t purpose; /* enum mem_purpose of its memory */
};

/* More levels than any memory holds. */
#define ORDERED_HEIGHT_MAX 20

/* An empty index; allocates nothing. */
void ordered_init(struct ordered *ordered, enum mem_purpose purpose);

/* Frees the nodes. ordered_free_some frees at most `max` of them (at least 1), the last leaves
 * first, and returns whether all are freed; in between the index is good for nothing else. */
void ordered_clear(struct ordered *ordered);
bool ordered_free_some(struct ordered *ordered, size_t max);

static inline size_t ordered_size(const struct ordered *ordered) {
    return ordered->size;
}

/* Inserts an item whose score and key are not there together. */
void ordered_insert(struct ordered *ordered, double score, struct entry *entry);

/* The same when it comes behind all that are there: how an index is built from sorted items. Nodes
 * become full. */
void ordered_append(struct ordered *ordered, double score, struct entry *entry);

/* Takes an item that is there out. */
void ordered_remove(struct ordered *ordered, double score, const struct entry *entry);
/* The same by rank, below the size; returns it. */
struct ordered_item ordered_remove_at(struct ordered *ordered, size_t rank);

/* An item that is there gets another score. */
void ordered_move(struct ordered *ordered, double score, struct entry *entry, double new_score);

/* The entry of an item that is there has moved to another address; the old place can still be
 * read. */
void ordered_replace(struct ordered *ordered, double score, const struct entry *old,
                     struct entry *entry);

/* The rank of an item that is there. */
size_t ordered_rank(const struct ordered *ordered, double score, const struct entry *entry);

/* How many items are before a border. `is_before` is asked of items and must be true of all up to
 * some place and false of all behind it. */
typedef bool (*ordered_before_fn)(const void *context, const struct ordered_item *item);
size_t ordered_count_before(const struct ordered *ordered, ordered_before_fn is_before,
                            const void *context);

/* A place, for going through items; valid until the next change. */
struct ordered_at {
    const struct ordered_leaf *leaf; /* NULL: beyond an end */
    unsigned index;
};

/* The item of this rank; beyond the end when there is none. */
struct ordered_at ordered_seek(const struct ordered *ordered, size_t rank);

static inline const struct ordered_item *ordered_item(const struct ordered_at *at) {
    return &at->leaf->items[at->index];
}

static inline void ordered_next(struct ordered_at *at) {
    if (++at->index == at->leaf->count) {
        at->leaf = at->leaf->after;
        at->index = 0;
    }
}

static inline void ordered_previous(struct ordered_at *at) {
    if (at->index == 0) {
        at->leaf = at->leaf->before;
        at->index = at->leaf != NULL ? at->leaf->count : 1u;
    }
    at->index--;
}

/* Asks for the cache lines that the next operation will begin with, those of the root; and for
 * those of the node `level` levels below it, if there are so many, where an item of this score
 * belongs. They are hints, but the second reads the nodes above. */
void ordered_prefetch(const struct ordered *ordered);
void ordered_prefetch_score(const struct ordered *ordered, double score, unsigned level);

/* Moves nodes out of sparse slabs, a portion a call: *rank is 0 at first, and again when that was
 * all. Items beyond the rank of 2^31 stay where they are. */
void ordered_settle(struct ordered *ordered, uint32_t *rank, struct sparse_tally *tally);

/* What the nodes take from the allocator, in bytes. */
size_t ordered_footprint(const struct ordered *ordered);

/* Walks everything and asserts the invariants. For tests. */
void ordered_validate(const struct ordered *ordered);

#endif
