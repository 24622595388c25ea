/* ordered: searching and changing; see the header for the picture. Every change goes down from the
 * root and notes its path, so that nodes need not know their parents; what it changes above the
 * leaf it changes on the way back.
 *
 * Method: a B+tree (Bayer and McCreight 1972) with subtree sizes. A node that is full is split in
 * the middle, or, where it grows at its very end, so that it stays full. A node that a removal
 * leaves half empty is joined with a neighbour if both together fill three quarters at most: the
 * rest is room for what comes next, so that a tree that swings does not split and join. */
#include "ds/ordered.h"

#include <string.h>

#include "base/check.h"
#include "ds/ordered_int.h"

/* What a joined node may hold. */
#define JOIN_MAX(full) ((full)*3u / 4)

static struct ordered_leaf *leaf_new(struct ordered *ordered, unsigned capacity) {
    struct ordered_leaf *leaf = mem_alloc(ordered->purpose, ordered_leaf_size(capacity));
    *leaf = (struct ordered_leaf){.capacity = (uint16_t)capacity};
    ordered->leaf_count++;
    return leaf;
}

static struct ordered_inner *inner_new(struct ordered *ordered) {
    struct ordered_inner *inner = mem_alloc(ordered->purpose, sizeof *inner);
    inner->count = 0;
    ordered->inner_count++;
    return inner;
}

/* Makes room at `index` in each of an inner node's arrays, or closes it. */
static void inner_shift(struct ordered_inner *inner, unsigned index, int by) {
    unsigned from = by > 0 ? index : index + 1;
    unsigned to = by > 0 ? index + 1 : index;
    size_t rest = inner->count - from;
    memmove(inner->firsts + to, inner->firsts + from, rest * sizeof inner->firsts[0]);
    memmove(inner->children + to, inner->children + from, rest * sizeof inner->children[0]);
    memmove(inner->sizes + to, inner->sizes + from, rest * sizeof inner->sizes[0]);
    inner->count = (uint16_t)(inner->count + by);
}

/* Copies children from one node behind those of another; counts are the caller's. */
static void inner_copy(struct ordered_inner *to, unsigned to_index,
                       const struct ordered_inner *from, unsigned from_index, size_t count) {
    memcpy(to->firsts + to_index, from->firsts + from_index, count * sizeof to->firsts[0]);
    memcpy(to->children + to_index, from->children + from_index, count * sizeof to->children[0]);
    memcpy(to->sizes + to_index, from->sizes + from_index, count * sizeof to->sizes[0]);
}

static size_t inner_size(const struct ordered_inner *inner) {
    size_t size = 0;
    for (unsigned i = 0; i < inner->count; i++) {
        size += inner->sizes[i];
    }
    return size;
}

/* Processors fetch lines in pairs. */
#define PREFETCH_STEP 128

/* Asks for all of a node, whose lines a search would wait for one after the other. */
static inline void prefetch_node(const void *node, size_t size) {
    for (size_t i = 0; i < size; i += PREFETCH_STEP) {
        __builtin_prefetch((const char *)node + i);
    }
}

static inline void prefetch_leaf(const struct ordered_leaf *leaf) {
    prefetch_node(leaf, ordered_leaf_size(ORDERED_LEAF_FULL));
}

/* The first items, and the children that half as many have: these are what a search reads. */
static inline void prefetch_inner(const struct ordered_inner *inner) {
    prefetch_node(inner, offsetof(struct ordered_inner, children[ORDERED_INNER_FULL / 2]));
}

/* Asks for a child that is `left` levels above the leaves, which are 0. */
static inline void prefetch_child(const void *child, unsigned left) {
    if (left == 0) {
        prefetch_leaf(child);
    } else {
        prefetch_inner(child);
    }
}

/* ---- searching ---- */

/* How many of the items have a lower score; a lower or the same one. Steps are multiplied, not
 * chosen, since of a choice the compiler makes a branch, and every second one is mispredicted. */
static inline unsigned count_below(const struct ordered_item *items, unsigned count, double score) {
    const struct ordered_item *base = items;
    while (count > 0) {
        unsigned half = (count + 1) / 2;
        base += half * (size_t)(base[half - 1].score < score);
        count -= half;
    }
    return (unsigned)(base - items);
}

static inline unsigned count_up_to(const struct ordered_item *items, unsigned count, double score) {
    const struct ordered_item *base = items;
    while (count > 0) {
        unsigned half = (count + 1) / 2;
        base += half * (size_t)(base[half - 1].score <= score);
        count -= half;
    }
    return (unsigned)(base - items);
}

/* How many of the items come before the score and key, itself included. */
static inline unsigned count_through(const struct ordered_item *items, unsigned count, double score,
                                     const struct entry *entry) {
    unsigned low = count_below(items, count, score);
    if (LIKELY(low == count || items[low].score != score)) {
        return low;
    }
    unsigned high = low + count_up_to(items + low, count - low, score);
    struct bytes key = entry_key(entry);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (items[middle].entry == entry ||
            bytes_compare(entry_key(items[middle].entry), key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The way to the leaf where the score and key belong; path->index is how many of its items come
 * before, itself included. */
static void find_through(const struct ordered *ordered, double score, const struct entry *entry,
                         struct ordered_path *path) {
    void *node = ordered->root;
    path->depth = ordered->height - 1u;
    for (unsigned i = 0; i < path->depth; i++) {
        struct ordered_inner *inner = node;
        unsigned before = count_through(inner->firsts, inner->count, score, entry);
        path->steps[i].inner = inner;
        path->steps[i].index = before == 0 ? 0 : before - 1;
        node = inner->children[path->steps[i].index];
        prefetch_child(node, path->depth - 1 - i);
        __builtin_prefetch(&inner->sizes[path->steps[i].index], 1);
    }
    path->leaf = node;
    path->index = count_through(path->leaf->items, path->leaf->count, score, entry);
}

/* The way to an item that is there. */
static void find_item(const struct ordered *ordered, double score, const struct entry *entry,
                      struct ordered_path *path) {
    find_through(ordered, score, entry, path);
    check(path->index > 0 && path->leaf->items[path->index - 1].entry == entry);
    path->index--;
}

static size_t sum_before(const struct ordered_inner *inner, unsigned index) {
    size_t sum = 0;
    for (unsigned i = 0; i < index; i++) {
        sum += inner->sizes[i];
    }
    return sum;
}

size_t ordered_rank(const struct ordered *ordered, double score, const struct entry *entry) {
    struct ordered_path path;
    find_item(ordered, score, entry, &path);
    size_t rank = path.index;
    for (unsigned i = 0; i < path.depth; i++) {
        rank += sum_before(path.steps[i].inner, path.steps[i].index);
    }
    return rank;
}

/* How many of a node's items are before the border. */
static unsigned count_before(const struct ordered_item *items, unsigned count,
                             ordered_before_fn is_before, const void *context) {
    unsigned low = 0;
    while (low < count) {
        unsigned middle = (low + count) / 2;
        if (is_before(context, &items[middle])) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

size_t ordered_count_before(const struct ordered *ordered, ordered_before_fn is_before,
                            const void *context) {
    const void *node = ordered->root;
    size_t rank = 0;
    if (node == NULL) {
        return 0;
    }
    for (unsigned left = ordered->height - 1u; left > 0; left--) {
        const struct ordered_inner *inner = node;
        unsigned before = count_before(inner->firsts, inner->count, is_before, context);
        unsigned index = before == 0 ? 0 : before - 1;
        node = inner->children[index];
        prefetch_child(node, left - 1);
        rank += sum_before(inner, index);
    }
    const struct ordered_leaf *leaf = node;
    return rank + count_before(leaf->items, leaf->count, is_before, context);
}

/* ---- inserting ---- */

/* The first item of what the way leads to has changed. */
static void first_changed(struct ordered_path *path, unsigned depth,
                          const struct ordered_item *first) {
    while (depth > 0) {
        struct ordered_step *step = &path->steps[--depth];
        step->inner->firsts[step->index] = *first;
        if (step->index > 0) {
            return;
        }
    }
}

static void leaf_put(struct ordered_leaf *leaf, unsigned index, double score, struct entry *entry) {
    memmove(leaf->items + index + 1, leaf->items + index,
            (leaf->count - index) * sizeof leaf->items[0]);
    leaf->items[index] = (struct ordered_item){score, entry};
    leaf->count++;
}

/* A root that is a leaf with less than the full capacity gets the next one. */
static void grow_root(struct ordered *ordered, struct ordered_path *path) {
    struct ordered_leaf *leaf = path->leaf;
    size_t capacity = leaf->capacity * 2u + 2;
    leaf = mem_realloc(ordered->purpose, leaf, ordered_leaf_size(leaf->capacity),
                       ordered_leaf_size(capacity));
    leaf->capacity = (uint16_t)capacity;
    ordered->root = path->leaf = leaf;
}
_Static_assert(ORDERED_LEAF_FIRST * 2 + 2 == ORDERED_LEAF_FULL ||
                   ((ORDERED_LEAF_FIRST * 2 + 2) * 2 + 2) * 2 + 2 == ORDERED_LEAF_FULL,
               "the capacities of a growing root end with the full one");

/* How many items a full node keeps when it is split for one more at `index`: half, but all when it
 * grows at the end of everything. */
static unsigned split_point(unsigned full, unsigned index, bool at_end) {
    return at_end && index == full ? full : full / 2;
}

/* Puts a new node behind the one that the way leads to at `depth`; makes room for it by splitting
 * upwards. Sizes above are right for both together; `first` and `size` are the new node's. */
static void add_behind(struct ordered *ordered, struct ordered_path *path, void *node,
                       const struct ordered_item *first, size_t size, bool at_end) {
    unsigned depth = path->depth;
    struct ordered_item node_first = *first;
    while (depth > 0) {
        struct ordered_step *step = &path->steps[depth - 1];
        struct ordered_inner *inner = step->inner;
        unsigned index = step->index + 1;
        inner->sizes[step->index] -= size;
        struct ordered_inner *fresh = NULL;
        size_t fresh_size = 0;
        struct ordered_inner *target = inner;
        if (inner->count == ORDERED_INNER_FULL) {
            unsigned kept = split_point(ORDERED_INNER_FULL, index, at_end);
            fresh = inner_new(ordered);
            inner_copy(fresh, 0, inner, kept, ORDERED_INNER_FULL - kept);
            fresh->count = (uint16_t)(ORDERED_INNER_FULL - kept);
            inner->count = (uint16_t)kept;
            if (index > kept || kept == ORDERED_INNER_FULL) {
                target = fresh;
                index -= kept;
            }
        }
        inner_shift(target, index, 1);
        target->firsts[index] = node_first;
        target->children[index] = node;
        target->sizes[index] = size;
        if (fresh == NULL) {
            return;
        }
        fresh_size = inner_size(fresh);
        node = fresh;
        node_first = fresh->firsts[0];
        size = fresh_size;
        depth--;
    }
    /* The root itself was split. */
    struct ordered_inner *root = inner_new(ordered);
    root->count = 2;
    root->children[0] = ordered->root;
    root->firsts[0] = ordered->height == 1
                          ? ((const struct ordered_leaf *)ordered->root)->items[0]
                          : ((const struct ordered_inner *)ordered->root)->firsts[0];
    root->sizes[0] = ordered->size - size;
    root->children[1] = node;
    root->firsts[1] = node_first;
    root->sizes[1] = size;
    ordered->root = root;
    ordered->height++;
    check(ordered->height < ORDERED_HEIGHT_MAX);
}

/* Splits a full leaf for an item at path->index and puts it where it belongs. */
static void insert_splitting(struct ordered *ordered, struct ordered_path *path, double score,
                             struct entry *entry) {
    struct ordered_leaf *leaf = path->leaf;
    bool at_end = leaf->after == NULL;
    unsigned kept = split_point(ORDERED_LEAF_FULL, path->index, at_end);
    struct ordered_leaf *fresh = leaf_new(ordered, ORDERED_LEAF_FULL);
    memcpy(fresh->items, leaf->items + kept, (ORDERED_LEAF_FULL - kept) * sizeof leaf->items[0]);
    fresh->count = (uint16_t)(ORDERED_LEAF_FULL - kept);
    leaf->count = (uint16_t)kept;
    fresh->before = leaf;
    fresh->after = leaf->after;
    if (leaf->after != NULL) {
        leaf->after->before = fresh;
    }
    leaf->after = fresh;
    if (path->index > kept || kept == ORDERED_LEAF_FULL) {
        leaf_put(fresh, path->index - kept, score, entry);
    } else {
        leaf_put(leaf, path->index, score, entry);
        if (path->index == 0) {
            first_changed(path, path->depth, &leaf->items[0]);
        }
    }
    add_behind(ordered, path, fresh, &fresh->items[0], fresh->count, at_end);
}

static void insert_at(struct ordered *ordered, struct ordered_path *path, double score,
                      struct entry *entry) {
    ordered->size++;
    for (unsigned i = 0; i < path->depth; i++) {
        path->steps[i].inner->sizes[path->steps[i].index]++;
    }
    if (UNLIKELY(path->leaf->count == path->leaf->capacity)) {
        if (path->leaf->capacity == ORDERED_LEAF_FULL) {
            insert_splitting(ordered, path, score, entry);
            return;
        }
        grow_root(ordered, path);
    }
    leaf_put(path->leaf, path->index, score, entry);
    if (path->index == 0) {
        first_changed(path, path->depth, &path->leaf->items[0]);
    }
}

static void plant(struct ordered *ordered) {
    ordered->root = leaf_new(ordered, ORDERED_LEAF_FIRST);
    ordered->height = 1;
}

void ordered_insert(struct ordered *ordered, double score, struct entry *entry) {
    if (UNLIKELY(ordered->root == NULL)) {
        plant(ordered);
    }
    struct ordered_path path;
    find_through(ordered, score, entry, &path);
    insert_at(ordered, &path, score, entry);
}

void ordered_append(struct ordered *ordered, double score, struct entry *entry) {
    if (UNLIKELY(ordered->root == NULL)) {
        plant(ordered);
    }
    struct ordered_path path;
    void *node = ordered->root;
    path.depth = ordered->height - 1u;
    for (unsigned i = 0; i < path.depth; i++) {
        struct ordered_inner *inner = node;
        path.steps[i] = (struct ordered_step){inner, inner->count - 1u};
        node = inner->children[inner->count - 1];
    }
    path.leaf = node;
    path.index = path.leaf->count;
    insert_at(ordered, &path, score, entry);
}

/* ---- removing ---- */

static void leaf_unlink(const struct ordered_leaf *leaf) {
    if (leaf->before != NULL) {
        leaf->before->after = leaf->after;
    }
    if (leaf->after != NULL) {
        leaf->after->before = leaf->before;
    }
}

/* Appends all of the child at index + 1 to the one at `index` and frees it. */
static void join(struct ordered *ordered, struct ordered_inner *parent, unsigned index,
                 bool are_leaves) {
    if (are_leaves) {
        struct ordered_leaf *left = parent->children[index];
        struct ordered_leaf *right = parent->children[index + 1];
        memcpy(left->items + left->count, right->items, right->count * sizeof right->items[0]);
        left->count = (uint16_t)(left->count + right->count);
        leaf_unlink(right);
        ordered_leaf_free(ordered, right);
    } else {
        struct ordered_inner *left = parent->children[index];
        struct ordered_inner *right = parent->children[index + 1];
        inner_copy(left, left->count, right, 0, right->count);
        left->count = (uint16_t)(left->count + right->count);
        ordered_inner_free(ordered, right);
    }
    parent->sizes[index] += parent->sizes[index + 1];
    inner_shift(parent, index + 1, -1);
}

/* Joins the children at index and index + 1, at `left` levels above the leaves, and what this makes
 * neighbours further down, as far as they fit. */
static void join_seam(struct ordered *ordered, struct ordered_inner *parent, unsigned index,
                      unsigned left) {
    for (;;) {
        bool are_leaves = left == 0;
        unsigned seam = ordered_child_count(parent, index, are_leaves);
        join(ordered, parent, index, are_leaves);
        if (are_leaves) {
            return;
        }
        left--;
        parent = parent->children[index];
        index = seam - 1;
        if (ordered_child_count(parent, index, left == 0) +
                ordered_child_count(parent, index + 1, left == 0) >
            JOIN_MAX(left == 0 ? ORDERED_LEAF_FULL : ORDERED_INNER_FULL)) {
            return;
        }
    }
}

/* Joins the child at `index`, which has become emptier, with a neighbour if they fit. Whether the
 * parent has lost a child. */
static bool join_if_fits(struct ordered *ordered, struct ordered_inner *parent, unsigned index,
                         unsigned left) {
    bool is_leaf = left == 0;
    unsigned full = is_leaf ? ORDERED_LEAF_FULL : ORDERED_INNER_FULL;
    unsigned count = ordered_child_count(parent, index, is_leaf);
    if (count > full / 2) {
        return false;
    }
    if (index > 0 && ordered_child_count(parent, index - 1, is_leaf) + count <= JOIN_MAX(full)) {
        join_seam(ordered, parent, index - 1, left);
        return true;
    }
    if (index + 1u < parent->count &&
        ordered_child_count(parent, index + 1, is_leaf) + count <= JOIN_MAX(full)) {
        join_seam(ordered, parent, index, left);
        return true;
    }
    return false;
}

/* Takes the empty child at `index` out. */
static void drop_child(struct ordered *ordered, struct ordered_inner *parent, unsigned index,
                       bool is_leaf) {
    if (is_leaf) {
        leaf_unlink(parent->children[index]);
        ordered_leaf_free(ordered, parent->children[index]);
    } else {
        ordered_inner_free(ordered, parent->children[index]);
    }
    inner_shift(parent, index, -1);
}

/* After an item was taken out of the leaf: nodes that have become empty go, others are joined. */
static void shrink(struct ordered *ordered, struct ordered_path *path) {
    for (unsigned depth = path->depth; depth > 0; depth--) {
        struct ordered_step *step = &path->steps[depth - 1];
        unsigned left = path->depth - depth;
        if (ordered_child_count(step->inner, step->index, left == 0) == 0) {
            drop_child(ordered, step->inner, step->index, left == 0);
            if (step->index == 0 && step->inner->count > 0) {
                first_changed(path, depth - 1, &step->inner->firsts[0]);
            }
        } else if (!join_if_fits(ordered, step->inner, step->index, left)) {
            return;
        }
    }
    while (ordered->height > 1 && ((struct ordered_inner *)ordered->root)->count == 1) {
        struct ordered_inner *root = ordered->root;
        ordered->root = root->children[0];
        ordered->height--;
        ordered_inner_free(ordered, root);
    }
}

static void remove_at(struct ordered *ordered, struct ordered_path *path) {
    struct ordered_leaf *leaf = path->leaf;
    leaf->count--;
    memmove(leaf->items + path->index, leaf->items + path->index + 1,
            (leaf->count - path->index) * sizeof leaf->items[0]);
    for (unsigned i = 0; i < path->depth; i++) {
        path->steps[i].inner->sizes[path->steps[i].index]--;
    }
    ordered->size--;
    if (ordered->size == 0) {
        ordered_clear(ordered);
        return;
    }
    if (path->index == 0 && leaf->count > 0) {
        first_changed(path, path->depth, &leaf->items[0]);
    }
    if (leaf->count <= ORDERED_LEAF_FULL / 2) {
        shrink(ordered, path);
    }
}

void ordered_remove(struct ordered *ordered, double score, const struct entry *entry) {
    struct ordered_path path;
    find_item(ordered, score, entry, &path);
    remove_at(ordered, &path);
}

struct ordered_item ordered_remove_at(struct ordered *ordered, size_t rank) {
    struct ordered_path path;
    ordered_find_rank(ordered, rank, &path);
    struct ordered_item item = path.leaf->items[path.index];
    remove_at(ordered, &path);
    return item;
}

void ordered_move(struct ordered *ordered, double score, struct entry *entry, double new_score) {
    struct ordered_path path;
    find_item(ordered, score, entry, &path);
    struct ordered_leaf *leaf = path.leaf;
    unsigned index = path.index;
    /* Often it stays between its neighbours. */
    bool above = index > 0 ? leaf->items[index - 1].score < new_score : leaf->before == NULL;
    bool below =
        index + 1u < leaf->count ? new_score < leaf->items[index + 1].score : leaf->after == NULL;
    if (above && below) {
        leaf->items[index].score = new_score;
        if (index == 0) {
            first_changed(&path, path.depth, &leaf->items[0]);
        }
        return;
    }
    remove_at(ordered, &path);
    ordered_insert(ordered, new_score, entry);
}

void ordered_replace(struct ordered *ordered, double score, const struct entry *old,
                     struct entry *entry) {
    struct ordered_path path;
    find_item(ordered, score, old, &path);
    path.leaf->items[path.index].entry = entry;
    if (path.index == 0) {
        first_changed(&path, path.depth, &path.leaf->items[0]);
    }
}

/* ---- going through ---- */

struct ordered_at ordered_seek(const struct ordered *ordered, size_t rank) {
    if (rank >= ordered->size) {
        return (struct ordered_at){0};
    }
    struct ordered_path path;
    ordered_find_rank(ordered, rank, &path);
    return (struct ordered_at){path.leaf, path.index};
}

void ordered_prefetch(const struct ordered *ordered) {
    if (ordered->root != NULL) {
        prefetch_child(ordered->root, ordered->height - 1u);
        /* The compiler drops calls of functions that only prefetch. */
        __asm__ volatile("");
    }
}

void ordered_prefetch_score(const struct ordered *ordered, double score, unsigned level) {
    const void *node = ordered->root;
    unsigned left = ordered->height;
    if (node == NULL || level >= left) {
        return;
    }
    for (; level > 0; level--) {
        const struct ordered_inner *inner = node;
        unsigned before = count_up_to(inner->firsts, inner->count, score);
        node = inner->children[before == 0 ? 0 : before - 1];
        left--;
    }
    prefetch_child(node, left - 1);
    __asm__ volatile("");
}
