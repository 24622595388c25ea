/* ordered_int: what the files of the ordered index share: its nodes, and the way to a leaf.
 * ordered.c searches and changes, ordered_memory.c frees, moves, measures and validates. */
#ifndef LARDER_DS_ORDERED_INT_H
#define LARDER_DS_ORDERED_INT_H

#include "ds/ordered.h"

/* Items of a leaf and children of an inner node. Each capacity fills a class of the allocator; see
 * ordered_leaf_size. Leaves of 30, 62 and 126 items take the same time in large indexes; 30 take
 * 3 % more memory, 126 a quarter more time where all is in the cache. */
#ifdef LARDER_TEST_SMALL
#define ORDERED_LEAF_FIRST 2
#define ORDERED_LEAF_FULL  6
#define ORDERED_INNER_FULL 5
#else
#define ORDERED_LEAF_FIRST 6
#define ORDERED_LEAF_FULL  62
#define ORDERED_INNER_FULL 63
#endif

struct ordered_inner {
    uint16_t count;
    struct ordered_item firsts[ORDERED_INNER_FULL];
    void *children[ORDERED_INNER_FULL];
    size_t sizes[ORDERED_INNER_FULL];
};

static inline size_t ordered_leaf_size(unsigned capacity) {
    return sizeof(struct ordered_leaf) + capacity * sizeof(struct ordered_item);
}

/* The way to a leaf: path[0] is the root, the leaf's parent comes last. */
struct ordered_step {
    struct ordered_inner *inner;
    unsigned index; /* of the child that the way goes on with */
};
struct ordered_path {
    unsigned depth; /* inner nodes: height - 1 */
    struct ordered_leaf *leaf;
    unsigned index; /* of the item in the leaf */
    struct ordered_step steps[ORDERED_HEIGHT_MAX];
};

/* The way to the item of this rank, which is below the size. */
static inline void ordered_find_rank(const struct ordered *ordered, size_t rank,
                                     struct ordered_path *path) {
    void *node = ordered->root;
    path->depth = ordered->height - 1u;
    for (unsigned i = 0; i < path->depth; i++) {
        struct ordered_inner *inner = node;
        unsigned index = 0;
        while (rank >= inner->sizes[index]) {
            rank -= inner->sizes[index++];
        }
        path->steps[i] = (struct ordered_step){inner, index};
        node = inner->children[index];
    }
    path->leaf = node;
    path->index = (unsigned)rank;
}

/* Of a child: how many items or children it has. */
static inline unsigned ordered_child_count(const struct ordered_inner *parent, unsigned index,
                                           bool is_leaf) {
    return is_leaf ? ((const struct ordered_leaf *)parent->children[index])->count
                   : ((const struct ordered_inner *)parent->children[index])->count;
}

static inline void ordered_leaf_free(struct ordered *ordered, struct ordered_leaf *leaf) {
    ordered->leaf_count--;
    mem_free(ordered->purpose, leaf, ordered_leaf_size(leaf->capacity));
}

static inline void ordered_inner_free(struct ordered *ordered, struct ordered_inner *inner) {
    ordered->inner_count--;
    mem_free(ordered->purpose, inner, sizeof *inner);
}

#endif
