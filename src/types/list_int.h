/* list_int: what the files of the list value share: a chain of strips (list_chain.c) and the
 * functions over both encodings (list.c, list_whole.c).
 *
 *     ENTRY_CHAIN   link -> +---------+---------+--------+-----------------------------------+
 *                           | count 8 | first 8 | last 8 | index: root 8, strips 8, depth 8  |
 *                           +---------+---------+--------+-----------------------------------+
 *
 * Invariants (list_validate checks them):
 * 1. The strips' counts add up to `count`; no strip is empty.
 * 2. `first` and `last` are the index's end strips, which count as 0 there.
 * 3. A strip is within the limits it was filled under; one of a single element may exceed them.
 * 4. While nobody watches, all strips have the chain's phase as their mark. While somebody does,
 *    a strip with the other is as it was when the watch began: it is not changed and not freed, but
 *    a copy takes its place, or none, and it is the watch's, marked STRIP_LEFT. */
#ifndef LARDER_TYPES_LIST_INT_H
#define LARDER_TYPES_LIST_INT_H

#include "types/list.h"
#include "types/list_index.h"
#include "types/list_watch.h"

struct list_chain {
    size_t count;
    struct strip *first;
    struct strip *last;
    struct list_index index;
    struct list_watch *watch; /* NULL: nobody */
    unsigned phase;           /* mark of its strips: 0 or STRIP_PHASE */
};

/* A place in a chain. */
struct list_place {
    struct list_path path;
    struct strip *strip;
    size_t within; /* index of the element in the strip */
};

/* An element as it goes into a list: a form for a strip, or a blob. */
struct list_piece {
    struct blob *blob; /* NULL: the form */
    struct element_form form;
};

static inline struct list_chain *list_chain_of(const struct entry *list) {
    return entry_pointer(list);
}

static inline bool list_is_chain(const struct entry *list) {
    return entry_encoding(list) == ENTRY_CHAIN;
}

/* Changes encoding and link of a list's entry in place: both encodings have a link. */
static inline void list_become(struct entry *list, enum entry_encoding encoding, void *value) {
    list->kind = (uint8_t)(encoding << 4 | ENTRY_LIST);
    entry_set_pointer(list, value);
}

struct strip_limits list_limits(const struct list_options *options);

/* A chain of this strip, which has elements; or of none, which must get one at once. */
struct list_chain *list_chain_new(struct strip *strip);
/* Frees the chain and all its strips. */
void list_chain_free(struct list_chain *chain);

/* The place of the element at a position below the count. */
void list_chain_find(const struct list_chain *chain, size_t at, struct list_place *place);

/* Adds at an end. */
void list_chain_push(struct list_chain *chain, const struct strip_limits *limits, enum list_end end,
                     const struct list_piece *piece);
/* Adds before a position below the count; replaces the element there. */
void list_chain_insert(struct list_chain *chain, const struct strip_limits *limits, size_t at,
                       const struct list_piece *piece);
void list_chain_set(struct list_chain *chain, const struct strip_limits *limits, size_t at,
                    const struct list_piece *piece);

/* Whether somebody has yet to see the strip as it is. */
static inline bool list_chain_is_old(const struct list_chain *chain, const struct strip *strip) {
    return ((strip->capacity ^ chain->phase) & STRIP_PHASE) != 0;
}

/* The strip at the place is about to be changed: if it is old, a copy takes its place. */
void list_chain_own(struct list_chain *chain, struct list_place *place);

/* Takes the strip at the place out, with all its elements. Then the place is good for nothing. */
void list_chain_drop(struct list_chain *chain, struct list_place *place);

/* The strip at the place has become `strip`, which may be empty: files it anew, or frees it. Then
 * the place is good for nothing. */
void list_chain_put(struct list_chain *chain, struct list_place *place, struct strip *strip,
                    size_t old_count);

/* Joins the strip that has the element at a position with its neighbours if all of it is small. */
void list_chain_mend(struct list_chain *chain, const struct strip_limits *limits, size_t at);

/* Adds a strip at the end: for copies. */
void list_chain_append(struct list_chain *chain, struct strip *strip);

#endif
