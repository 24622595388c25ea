/* ordered_memory: what concerns an index as memory: freeing it, moving and measuring its nodes, and
 * validating it. */
#include "ds/ordered.h"

#include "base/check.h"
#include "ds/ordered_int.h"

/* Nodes settled in a call: some microseconds. */
#define SETTLE_PORTION 32
/* Where settling ends, see the header. */
#define SETTLE_RANK_MAX ((size_t)1 << 31)

void ordered_init(struct ordered *ordered, enum mem_purpose purpose) {
    *ordered = (struct ordered){.purpose = (uint8_t)purpose};
}

/* Frees the last leaf, with the inner nodes that this empties. */
static void free_last(struct ordered *ordered) {
    struct ordered_inner *way[ORDERED_HEIGHT_MAX];
    unsigned depth = ordered->height - 1u;
    void *node = ordered->root;
    for (unsigned i = 0; i < depth; i++) {
        way[i] = node;
        node = way[i]->children[way[i]->count - 1];
    }
    ordered_leaf_free(ordered, node);
    while (depth > 0) {
        struct ordered_inner *inner = way[--depth];
        if (--inner->count > 0) {
            return;
        }
        ordered_inner_free(ordered, inner);
    }
    ordered->root = NULL;
}

bool ordered_free_some(struct ordered *ordered, size_t max) {
    for (; ordered->root != NULL && max > 0; max--) {
        free_last(ordered);
    }
    if (ordered->root != NULL) {
        return false;
    }
    ordered_init(ordered, ordered->purpose);
    return true;
}

void ordered_clear(struct ordered *ordered) {
    ordered_free_some(ordered, SIZE_MAX);
}

/* Moves the leaf that the way leads to, and the nodes above that begin with it. */
static void settle_path(struct ordered *ordered, struct ordered_path *path,
                        struct sparse_tally *tally) {
    struct ordered_leaf *leaf = path->leaf;
    path->leaf = sparse_settle(leaf, ordered_leaf_size(leaf->capacity), tally);
    if (path->leaf != leaf) {
        leaf = path->leaf;
        if (leaf->before != NULL) {
            leaf->before->after = leaf;
        }
        if (leaf->after != NULL) {
            leaf->after->before = leaf;
        }
    }
    void *child = leaf;
    bool is_first = true;
    for (unsigned depth = path->depth; depth > 0; depth--) {
        struct ordered_step *step = &path->steps[depth - 1];
        step->inner->children[step->index] = child;
        is_first = is_first && step->index == 0;
        if (!is_first) {
            return;
        }
        step->inner = sparse_settle(step->inner, sizeof *step->inner, tally);
        child = step->inner;
    }
    ordered->root = child;
}

void ordered_settle(struct ordered *ordered, uint32_t *rank, struct sparse_tally *tally) {
    size_t end = ordered->size < SETTLE_RANK_MAX ? ordered->size : SETTLE_RANK_MAX;
    for (unsigned i = 0; i < SETTLE_PORTION && *rank < end; i++) {
        struct ordered_path path;
        ordered_find_rank(ordered, *rank, &path);
        settle_path(ordered, &path, tally);
        *rank += path.leaf->count - path.index;
    }
    if (*rank >= end) {
        *rank = 0;
    }
}

size_t ordered_footprint(const struct ordered *ordered) {
    if (ordered->height == 1) {
        return mem_class(ordered_leaf_size(((const struct ordered_leaf *)ordered->root)->capacity));
    }
    return ordered->leaf_count * mem_class(ordered_leaf_size(ORDERED_LEAF_FULL)) +
           ordered->inner_count * mem_class(sizeof(struct ordered_inner));
}

/* Goes through the tree in depth-first order with a path, as everything else does. */
struct validating {
    const struct ordered *ordered;
    const struct ordered_leaf *last;
    struct ordered_item item; /* the last one seen */
    size_t seen;
    size_t leaves;
    size_t inners;
};

static void validate_leaf(struct validating *validating, const struct ordered_leaf *leaf) {
    check(leaf->count > 0 && leaf->count <= leaf->capacity);
    check(validating->ordered->height == 1 || leaf->capacity == ORDERED_LEAF_FULL);
    check(leaf->before == validating->last);
    check(validating->last == NULL || validating->last->after == leaf);
    for (unsigned i = 0; i < leaf->count; i++) {
        const struct ordered_item *item = &leaf->items[i];
        const struct ordered_item *before = &validating->item;
        check(item->score == item->score);
        check(validating->seen == 0 || before->score < item->score ||
              (before->score == item->score &&
               bytes_compare(entry_key(before->entry), entry_key(item->entry)) < 0));
        validating->item = *item;
        validating->seen++;
    }
    validating->last = leaf;
    validating->leaves++;
}

/* What the parent says of a child that has just been walked through. */
static void validate_child(const struct ordered_inner *inner, unsigned index, bool is_leaf,
                           size_t size) {
    check(inner->sizes[index] == size);
    const struct ordered_item *first =
        is_leaf ? &((const struct ordered_leaf *)inner->children[index])->items[0]
                : &((const struct ordered_inner *)inner->children[index])->firsts[0];
    check(inner->firsts[index].entry == first->entry);
    check(inner->firsts[index].score == first->score);
    unsigned full = is_leaf ? ORDERED_LEAF_FULL : ORDERED_INNER_FULL;
    check(index == 0 || ordered_child_count(inner, index, is_leaf) +
                                ordered_child_count(inner, index - 1, is_leaf) >
                            full / 2);
}

void ordered_validate(const struct ordered *ordered) {
    struct validating validating = {.ordered = ordered};
    struct ordered_step steps[ORDERED_HEIGHT_MAX];
    size_t seen_before[ORDERED_HEIGHT_MAX] = {0};
    if (ordered->root == NULL) {
        check(ordered->size == 0 && ordered->leaf_count == 0 && ordered->inner_count == 0);
        return;
    }
    check(ordered->height >= 1 && ordered->height < ORDERED_HEIGHT_MAX);
    unsigned bottom = ordered->height - 1u;
    if (bottom == 0) {
        validate_leaf(&validating, ordered->root);
    } else {
        check(((const struct ordered_inner *)ordered->root)->count > 1);
        steps[0] = (struct ordered_step){ordered->root, 0};
        validating.inners++;
        for (unsigned depth = 0;;) {
            struct ordered_step *step = &steps[depth];
            check(step->inner->count > 0 && step->inner->count <= ORDERED_INNER_FULL);
            if (step->index == step->inner->count) {
                if (depth == 0) {
                    break;
                }
                depth--;
            } else {
                seen_before[depth] = validating.seen;
                if (depth + 1 < bottom) {
                    steps[++depth] = (struct ordered_step){step->inner->children[step->index], 0};
                    validating.inners++;
                    continue;
                }
                validate_leaf(&validating, step->inner->children[step->index]);
            }
            step = &steps[depth];
            validate_child(step->inner, step->index, depth + 1 == bottom,
                           validating.seen - seen_before[depth]);
            step->index++;
        }
    }
    check(validating.last->after == NULL);
    check(validating.seen == ordered->size);
    check(validating.leaves == ordered->leaf_count);
    check(validating.inners == ordered->inner_count);
}
