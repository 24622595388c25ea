/* list_index: see the header. A path is an explicit stack, so nothing here recurses. */
#include "types/list_index.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* A node begins with so many slots and grows to about twice as many, each time filling a class. */
#define FIRST_SLOTS 3u

static size_t node_size(size_t capacity) {
    return sizeof(struct list_node) + capacity * sizeof(struct list_slot);
}

static struct list_node *node_new(size_t capacity) {
    struct list_node *node = mem_alloc(MEM_TABLE, node_size(capacity));
    node->used = 0;
    node->capacity = (uint16_t)capacity;
    return node;
}

static void node_free(struct list_node *node) {
    mem_free(MEM_TABLE, node, node_size(node->capacity));
}

static size_t node_count(const struct list_node *node) {
    size_t count = 0;
    for (uint32_t i = 0; i < node->used; i++) {
        count += node->slots[i].count;
    }
    return count;
}

void list_index_init(struct list_index *index) {
    *index = (struct list_index){.root = node_new(FIRST_SLOTS), .depth = 1};
}

/* Goes down from a level's slot along the first or the last slots. */
static void descend(const struct list_index *index, struct list_path *path, uint32_t level,
                    bool first) {
    while (level + 1 < index->depth) {
        struct list_node *child = path->step[level].node->slots[path->step[level].at].child;
        level++;
        path->step[level].node = child;
        path->step[level].at = first ? 0 : child->used - 1u;
    }
}

void list_index_free(struct list_index *index) {
    struct list_path path;
    uint32_t level = 0;
    path.step[0].node = index->root;
    path.step[0].at = 0;
    for (;;) {
        struct list_node *node = path.step[level].node;
        if (level + 1 < index->depth && path.step[level].at < node->used) {
            path.step[level + 1].node = node->slots[path.step[level].at].child;
            path.step[level + 1].at = 0;
            path.step[level].at++;
            level++;
            continue;
        }
        node_free(node);
        if (level == 0) {
            return;
        }
        level--;
    }
}

void list_index_first(const struct list_index *index, struct list_path *path) {
    path->step[0].node = index->root;
    path->step[0].at = 0;
    descend(index, path, 0, true);
}

void list_index_last(const struct list_index *index, struct list_path *path) {
    path->step[0].node = index->root;
    path->step[0].at = index->root->used - 1u;
    descend(index, path, 0, false);
}

void list_index_find(const struct list_index *index, size_t *position, struct list_path *path) {
    struct list_node *node = index->root;
    for (uint32_t level = 0;; level++) {
        uint32_t at = 0;
        size_t left = *position;
        while (left >= node->slots[at].count) {
            left -= node->slots[at].count;
            at++;
            debug_check(at < node->used);
        }
        *position = left;
        path->step[level].node = node;
        path->step[level].at = at;
        if (level + 1 == index->depth) {
            return;
        }
        node = node->slots[at].child;
    }
}

bool list_index_next(const struct list_index *index, struct list_path *path) {
    for (uint32_t level = index->depth; level-- > 0;) {
        if (path->step[level].at + 1 < path->step[level].node->used) {
            path->step[level].at++;
            descend(index, path, level, true);
            return true;
        }
    }
    return false;
}

bool list_index_previous(const struct list_index *index, struct list_path *path) {
    for (uint32_t level = index->depth; level-- > 0;) {
        if (path->step[level].at > 0) {
            path->step[level].at--;
            descend(index, path, level, false);
            return true;
        }
    }
    return false;
}

/* Adds to the counts of the path's slots on the levels below `levels`. */
static void count_above(struct list_path *path, uint32_t levels, size_t change) {
    for (uint32_t level = 0; level < levels; level++) {
        path->step[level].node->slots[path->step[level].at].count += change;
    }
}

/* Negative changes wrap, and so come out right. */
void list_index_count(struct list_index *index, const struct list_path *path, ptrdiff_t change) {
    for (uint32_t level = 0; level < index->depth; level++) {
        path->step[level].node->slots[path->step[level].at].count += (size_t)change;
    }
}

static void put_slot(struct list_node *node, uint32_t at, struct list_slot slot) {
    memmove(&node->slots[at + 1], &node->slots[at], (node->used - at) * sizeof slot);
    node->slots[at] = slot;
    node->used++;
}

/* A node that is not of full size grows, and its parent learns where it is. */
static struct list_node *grow(struct list_index *index, struct list_path *path, uint32_t level) {
    struct list_node *node = path->step[level].node;
    size_t capacity = 2u * node->capacity + 1;
    capacity = capacity < LIST_NODE_SLOTS ? capacity : LIST_NODE_SLOTS;
    node = mem_realloc(MEM_TABLE, node, node_size(node->capacity), node_size(capacity));
    node->capacity = (uint16_t)capacity;
    path->step[level].node = node;
    if (level == 0) {
        index->root = node;
    } else {
        path->step[level - 1].node->slots[path->step[level - 1].at].child = node;
    }
    return node;
}

/* Puts a slot into a full node: what lies behind some slot goes to a new node, which is returned. A
 * node that is added to at an end stays full, for more will come at that end. */
static struct list_node *split(struct list_node *node, uint32_t at, struct list_slot slot) {
    uint32_t kept = at == node->used ? node->used : at == 0 ? 0 : node->used / 2u;
    struct list_node *right = node_new(node->capacity);
    right->used = (uint16_t)(node->used - kept);
    memcpy(right->slots, &node->slots[kept], right->used * sizeof slot);
    node->used = (uint16_t)kept;
    if (at < kept || kept == 0) {
        put_slot(node, at, slot);
    } else {
        put_slot(right, at - kept, slot);
    }
    return right;
}

/* The root has been split: a new one above both halves. */
static void add_level(struct list_index *index, struct list_node *right) {
    struct list_node *root = node_new(FIRST_SLOTS);
    root->slots[0] = (struct list_slot){index->root, node_count(index->root)};
    root->slots[1] = (struct list_slot){right, node_count(right)};
    root->used = 2;
    index->root = root;
    index->depth++;
    check(index->depth <= LIST_INDEX_DEPTH_MAX);
}

void list_index_insert(struct list_index *index, struct list_path *path, bool after,
                       struct strip *strip, size_t count) {
    struct list_slot slot = {strip, count};
    if (index->strips++ == 0) {
        put_slot(index->root, 0, slot);
        return;
    }
    uint32_t level = index->depth - 1;
    uint32_t at = path->step[level].at + after;
    for (;; level--) {
        struct list_node *node = path->step[level].node;
        if (node->used == node->capacity && node->capacity < LIST_NODE_SLOTS) {
            node = grow(index, path, level);
        }
        if (node->used < node->capacity) {
            put_slot(node, at, slot);
            count_above(path, level, count);
            return;
        }
        struct list_node *right = split(node, at, slot);
        if (level == 0) {
            add_level(index, right);
            return;
        }
        struct list_node *parent = path->step[level - 1].node;
        at = path->step[level - 1].at;
        parent->slots[at].count = node_count(node);
        slot = (struct list_slot){right, node_count(right)};
        /* The parent's sum grows by what was added below, and by no more. */
        at++;
    }
}

void list_index_remove(struct list_index *index, struct list_path *path) {
    uint32_t level = index->depth - 1;
    size_t count = list_index_slot(index, path)->count;
    index->strips--;
    for (;; level--) {
        struct list_node *node = path->step[level].node;
        uint32_t at = path->step[level].at;
        node->used--;
        memmove(&node->slots[at], &node->slots[at + 1],
                (node->used - at) * sizeof(struct list_slot));
        if (node->used > 0 || level == 0) {
            break;
        }
        node_free(node);
    }
    count_above(path, level, 0 - count);
    while (index->depth > 1 && index->root->used == 1) {
        struct list_node *root = index->root;
        index->root = root->slots[0].child;
        index->depth--;
        node_free(root);
    }
    check(index->strips > 0 || index->depth == 1);
}

/* As if leaves were full, and with a 32nd for what is above them. */
size_t list_index_footprint(const struct list_index *index) {
    if (index->depth == 1) {
        return mem_class(node_size(index->root->capacity));
    }
    size_t leaves = index->strips / LIST_NODE_SLOTS + 1;
    return (leaves + leaves / 32 + 1) * mem_class(node_size(LIST_NODE_SLOTS));
}

void list_index_settle(struct list_index *index, struct list_path *path,
                       struct sparse_tally *tally) {
    for (uint32_t level = 0; level < index->depth; level++) {
        struct list_node *node = path->step[level].node;
        node = sparse_settle(node, node_size(node->capacity), tally);
        path->step[level].node = node;
        if (level == 0) {
            index->root = node;
        } else {
            path->step[level - 1].node->slots[path->step[level - 1].at].child = node;
        }
    }
}

/* The nodes of a path hold what they should, as seen from each of their slots. */
static void validate_path(const struct list_index *index, const struct list_path *path) {
    for (uint32_t level = 0; level < index->depth; level++) {
        const struct list_node *node = path->step[level].node;
        check(node->used > 0 && node->used <= node->capacity);
        check(node->capacity <= LIST_NODE_SLOTS);
        const struct list_slot *slot = &node->slots[path->step[level].at];
        if (level + 1 < index->depth) {
            check(slot->child == path->step[level + 1].node);
            check(slot->count == node_count(slot->child));
        }
    }
}

void list_index_validate(const struct list_index *index, const struct strip *first,
                         const struct strip *last) {
    size_t strips = 0;
    struct list_path path;
    check(index->depth == 1 || index->root->used > 1);
    if (index->strips > 0) {
        list_index_first(index, &path);
        check(list_index_slot(index, &path)->child == first);
        do {
            validate_path(index, &path);
            const struct list_slot *slot = list_index_slot(index, &path);
            const struct strip *strip = slot->child;
            bool is_end = strip == first || strip == last;
            check(slot->count == (is_end ? 0 : strip->count));
            strips++;
        } while (list_index_next(index, &path));
        check(list_index_slot(index, &path)->child == last);
    }
    check(strips == index->strips);
}
