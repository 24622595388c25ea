/* list_index: a list's strips in their order, found by position: a B+tree of counts.
 *
 *     node     +--------+------------+-------+-----------------+-----------------+---
 *              | used 2 | capacity 2 | -   4 | child 8 count 8 | child 8 count 8 | ...
 *              +--------+------------+-------+-----------------+-----------------+---
 *
 *                         [ 5000 | 9000 ]                root, depth 2
 *                          /          \
 *          [ 0 | 240 | 260 ...]   [ 240 | 240 ... 0 ]    leaves: the children are strips
 *
 * Terms. A slot's count is how many elements are below it. A path leads from the root to a slot of
 * a leaf. The end strips are the first and the last.
 *
 * Invariants (list_index_validate checks them):
 * 1. No node is empty, except the root of an empty index; a root that is not a leaf has two slots
 *    or more, after removals.
 * 2. A slot's count is the sum of its child's; of a leaf's slot, the strip's count, except that the
 *    end strips count as 0: they change with every push and pop, which therefore need not touch the
 *    index. Who owns the index knows the end strips' counts himself.
 *
 * Costs: 16 bytes a strip; a position is found by looking through one node a level, of up to 63
 * slots. Nodes are not joined when they become sparse, only removed when they are empty. */
#ifndef LARDER_TYPES_LIST_INDEX_H
#define LARDER_TYPES_LIST_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sparse.h"
#include "ds/strip.h"

/* Slots that a node may grow to: 8 bytes less than a kilobyte, an allocator's class, are used. */
#ifdef LARDER_TEST_SMALL
#define LIST_NODE_SLOTS 3u
#else
#define LIST_NODE_SLOTS 63u
#endif

/* Levels at most. A level is added only when all of the root's slots are taken, and a full node is
 * halved at worst, so this is more than memory has room for. */
#define LIST_INDEX_DEPTH_MAX 40

struct list_slot {
    void *child; /* node, or strip */
    size_t count;
};

struct list_node {
    uint16_t used;
    uint16_t capacity;
    struct list_slot slots[];
};

struct list_index {
    struct list_node *root;
    size_t strips;
    uint32_t depth; /* levels of nodes, 1 or more */
};

struct list_path {
    struct {
        struct list_node *node;
        uint32_t at;
    } step[LIST_INDEX_DEPTH_MAX]; /* from the root */
};

void list_index_init(struct list_index *index);
/* Frees the nodes, not the strips. */
void list_index_free(struct list_index *index);

/* Paths to the ends; the index must not be empty. */
void list_index_first(const struct list_index *index, struct list_path *path);
void list_index_last(const struct list_index *index, struct list_path *path);

/* The strip that the element at *position is in, end strips not counted: *position must be below
 * the sum of all counts, and becomes the index within the strip. */
void list_index_find(const struct list_index *index, size_t *position, struct list_path *path);

/* To the next or previous strip; false at the end, and the path is as it was. */
bool list_index_next(const struct list_index *index, struct list_path *path);
bool list_index_previous(const struct list_index *index, struct list_path *path);

/* The slot that a path leads to. */
static inline struct list_slot *list_index_slot(const struct list_index *index,
                                                const struct list_path *path) {
    uint32_t leaf = index->depth - 1;
    /* Finding has filled as many steps as the index is deep, which the analyser cannot know. */
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript) */
    return &path->step[leaf].node->slots[path->step[leaf].at];
}

/* Changes the count of the strip that the path leads to. */
void list_index_count(struct list_index *index, const struct list_path *path, ptrdiff_t change);

/* Adds a strip before or after the one that the path leads to, or as the only one if the index is
 * empty. The path is good for nothing then. */
void list_index_insert(struct list_index *index, struct list_path *path, bool after,
                       struct strip *strip, size_t count);

/* Takes out the strip that the path leads to. The path is good for nothing then. */
void list_index_remove(struct list_index *index, struct list_path *path);

/* Bytes that the nodes take, reckoned from the number of strips. */
size_t list_index_footprint(const struct list_index *index);

/* Moves the nodes of a path out of sparse slabs, and the path with them. */
void list_index_settle(struct list_index *index, struct list_path *path,
                       struct sparse_tally *tally);

/* Asserts that counts and order are right; `first` and `last` are the end strips. */
void list_index_validate(const struct list_index *index, const struct strip *first,
                         const struct strip *last);

#endif
