/* list_chain: strips in their order. The index does not count the end strips, so whoever makes a
 * strip an end, or makes it cease to be one, tells the index: that is all here in add_strip and
 * remove_strip. */
#include "types/list_int.h"

#include "base/check.h"
#include "base/mem.h"

/* A strip that elements are pushed into gets room for this part more than it holds, for in a chain
 * it is likely to be filled; but no more than this part of what is in the chain. */
#define SPARE_PART       2
#define SPARE_CHAIN_PART 256

/* Strips that together fill this part of the limits or less are joined. */
#define JOINED_PART 2

struct list_chain *list_chain_new(struct strip *strip) {
    struct list_chain *chain = mem_alloc(MEM_DATA, sizeof *chain);
    *chain = (struct list_chain){.count = 0};
    list_index_init(&chain->index);
    if (strip != NULL) {
        list_chain_append(chain, strip);
    }
    return chain;
}

void list_chain_free(struct list_chain *chain) {
    struct list_path path;
    if (chain->index.strips > 0) {
        list_index_first(&chain->index, &path);
        do {
            strip_free(list_index_slot(&chain->index, &path)->child);
        } while (list_index_next(&chain->index, &path));
    }
    list_index_free(&chain->index);
    mem_free(MEM_DATA, chain, sizeof *chain);
}

void list_chain_find(const struct list_chain *chain, size_t at, struct list_place *place) {
    debug_check(at < chain->count);
    size_t behind = chain->count - chain->last->count;
    if (at < chain->first->count) {
        list_index_first(&chain->index, &place->path);
        place->within = at;
    } else if (at >= behind) {
        list_index_last(&chain->index, &place->path);
        place->within = at - behind;
    } else {
        place->within = at - chain->first->count;
        list_index_find(&chain->index, &place->within, &place->path);
    }
    place->strip = list_index_slot(&chain->index, &place->path)->child;
}

static void find_end(const struct list_chain *chain, enum list_end end, struct list_path *path) {
    if (end == LIST_HEAD) {
        list_index_first(&chain->index, path);
    } else {
        list_index_last(&chain->index, path);
    }
}

/* The strip is in the chain no more. */
static void let_go(struct list_chain *chain, struct strip *strip) {
    if (UNLIKELY(list_chain_is_old(chain, strip))) {
        *chain->watch->kept += strip_footprint(strip);
        strip_set_marks(strip, strip_marks(strip) | STRIP_LEFT);
    } else {
        strip_free(strip);
    }
}

/* Adds a strip of `strip->count` elements beside the one that the path leads to. The chain's count
 * is the caller's business. */
static void add_strip(struct list_chain *chain, struct list_path *path, bool after,
                      struct strip *strip) {
    strip_set_marks(strip, chain->phase);
    if (chain->index.strips == 0) {
        list_index_insert(&chain->index, path, after, strip, 0);
        chain->first = strip;
        chain->last = strip;
        return;
    }
    struct strip *beside = list_index_slot(&chain->index, path)->child;
    bool is_end = beside == (after ? chain->last : chain->first);
    if (is_end && chain->first != chain->last) {
        list_index_count(&chain->index, path, beside->count);
    }
    list_index_insert(&chain->index, path, after, strip, is_end ? 0 : strip->count);
    if (is_end && after) {
        chain->last = strip;
    } else if (is_end) {
        chain->first = strip;
    }
}

/* Takes a strip out, without freeing it. */
static void remove_strip(struct list_chain *chain, struct list_path *path) {
    struct strip *strip = list_index_slot(&chain->index, path)->child;
    bool was_first = strip == chain->first;
    bool was_last = strip == chain->last;
    list_index_remove(&chain->index, path);
    if (chain->index.strips == 0) {
        chain->first = NULL;
        chain->last = NULL;
        return;
    }
    if (!was_first && !was_last) {
        return;
    }
    struct list_path end;
    find_end(chain, was_first ? LIST_HEAD : LIST_TAIL, &end);
    struct strip *now = list_index_slot(&chain->index, &end)->child;
    if (now != (was_first ? chain->last : chain->first)) {
        list_index_count(&chain->index, &end, -(ptrdiff_t)now->count);
    }
    if (was_first) {
        chain->first = now;
    } else {
        chain->last = now;
    }
}

/* The strip that the path leads to lies elsewhere now. */
static void moved(struct list_chain *chain, const struct list_path *path, struct strip *strip) {
    struct list_slot *slot = list_index_slot(&chain->index, path);
    strip_set_marks(strip, chain->phase);
    if (chain->first == slot->child) {
        chain->first = strip;
    }
    if (chain->last == slot->child) {
        chain->last = strip;
    }
    slot->child = strip;
}

/* A copy of an old strip that the path leads to takes its place. A large text is shared by both. */
static __attribute__((noinline)) struct strip *
replace_old(struct list_chain *chain, const struct list_path *path, struct strip *strip) {
    struct strip *copy = strip_copy(strip);
    moved(chain, path, copy);
    let_go(chain, strip);
    return copy;
}

/* The strip that the path leads to, which is about to be changed. */
static struct strip *to_change(struct list_chain *chain, const struct list_path *path) {
    struct strip *strip = list_index_slot(&chain->index, path)->child;
    return LIKELY(!list_chain_is_old(chain, strip)) ? strip : replace_old(chain, path, strip);
}

void list_chain_own(struct list_chain *chain, struct list_place *place) {
    place->strip = to_change(chain, &place->path);
}

void list_chain_drop(struct list_chain *chain, struct list_place *place) {
    remove_strip(chain, &place->path);
    chain->count -= place->strip->count;
    let_go(chain, place->strip);
}

/* What the index knows of the strip's count changes, unless it is an end. */
static void recount(struct list_chain *chain, const struct list_path *path, ptrdiff_t change) {
    const struct strip *strip = list_index_slot(&chain->index, path)->child;
    if (strip != chain->first && strip != chain->last) {
        list_index_count(&chain->index, path, change);
    }
}

void list_chain_put(struct list_chain *chain, struct list_place *place, struct strip *strip,
                    size_t old_count) {
    ptrdiff_t change = (ptrdiff_t)strip->count - (ptrdiff_t)old_count;
    moved(chain, &place->path, strip);
    recount(chain, &place->path, change);
    chain->count += (size_t)change;
    place->strip = strip;
    if (strip->count == 0) {
        remove_strip(chain, &place->path);
        strip_free(strip);
    }
}

void list_chain_append(struct list_chain *chain, struct strip *strip) {
    struct list_path path;
    path.step[0].at = 0;
    if (chain->index.strips > 0) {
        list_index_last(&chain->index, &path);
    }
    add_strip(chain, &path, true, strip);
    chain->count += strip->count;
}

/* A strip of this one element. */
static struct strip *strip_of(const struct list_piece *piece) {
    if (piece->blob != NULL) {
        return strip_new_large(piece->blob);
    }
    return strip_push_back(strip_new(piece->form.total), &piece->form, 0);
}

/* Room to spare when a strip of a chain grows, within what it may become. */
static size_t spare_for(const struct list_chain *chain, const struct strip *strip,
                        const struct strip_limits *limits, size_t total) {
    size_t size = STRIP_HEADER_SIZE + strip_used(strip) + total;
    size_t spare = size / SPARE_PART;
    size_t fair = chain->index.strips * limits->size / SPARE_CHAIN_PART;
    size_t most = limits->size > size ? limits->size - size : 0;
    spare = spare < fair ? spare : fair;
    return spare < most ? spare : most;
}

/* The end strip is full, or large, or has to grow. */
static __attribute__((noinline)) void push_slowly(struct list_chain *chain,
                                                  const struct strip_limits *limits,
                                                  enum list_end end,
                                                  const struct list_piece *piece) {
    struct list_path path;
    struct strip *strip = end == LIST_HEAD ? chain->first : chain->last;
    path.step[0].at = 0;
    if (strip != NULL) {
        find_end(chain, end, &path);
    }
    if (strip == NULL || piece->blob != NULL || !strip_fits(strip, limits, piece->form.total)) {
        add_strip(chain, &path, end == LIST_TAIL, strip_of(piece));
        chain->count++;
        return;
    }
    strip = to_change(chain, &path);
    size_t spare = spare_for(chain, strip, limits, piece->form.total);
    strip = end == LIST_HEAD ? strip_push_front(strip, &piece->form, spare)
                             : strip_push_back(strip, &piece->form, spare);
    moved(chain, &path, strip);
    chain->count++;
}

void list_chain_push(struct list_chain *chain, const struct strip_limits *limits, enum list_end end,
                     const struct list_piece *piece) {
    struct strip *strip = end == LIST_HEAD ? chain->first : chain->last;
    size_t total = piece->form.total;
    if (LIKELY(strip != NULL && piece->blob == NULL && strip_fits(strip, limits, total))) {
        size_t room = end == LIST_HEAD ? strip->start - STRIP_HEADER_SIZE
                                       : strip_capacity(strip) - strip->end;
        if (LIKELY(room >= total && !list_chain_is_old(chain, strip))) {
            /* It does not move. */
            if (end == LIST_HEAD) {
                strip_push_front(strip, &piece->form, 0);
            } else {
                strip_push_back(strip, &piece->form, 0);
            }
            chain->count++;
            return;
        }
    }
    push_slowly(chain, limits, end, piece);
}

/* The strip before or after, if it has room at its near end. */
static bool insert_into_neighbour(struct list_chain *chain, const struct strip_limits *limits,
                                  const struct list_place *place, bool after,
                                  const struct list_piece *piece) {
    struct list_place near = *place;
    bool there = after ? list_index_next(&chain->index, &near.path)
                       : list_index_previous(&chain->index, &near.path);
    if (!there || piece->blob != NULL) {
        return false;
    }
    near.strip = list_index_slot(&chain->index, &near.path)->child;
    if (!strip_fits(near.strip, limits, piece->form.total)) {
        return false;
    }
    near.strip = to_change(chain, &near.path);
    size_t old_count = near.strip->count;
    struct strip *strip = after ? strip_push_front(near.strip, &piece->form, 0)
                                : strip_push_back(near.strip, &piece->form, 0);
    list_chain_put(chain, &near, strip, old_count);
    return true;
}

/* Cuts the strip in front of the element at the place; the place is still in the front half. */
static void cut(struct list_chain *chain, struct list_place *place) {
    list_chain_own(chain, place);
    size_t old_count = place->strip->count;
    struct strip *rest = strip_split(place->strip, place->within);
    recount(chain, &place->path, (ptrdiff_t)place->strip->count - (ptrdiff_t)old_count);
    struct list_path path = place->path;
    add_strip(chain, &path, true, rest);
}

void list_chain_insert(struct list_chain *chain, const struct strip_limits *limits, size_t at,
                       const struct list_piece *piece) {
    struct list_place place;
    list_chain_find(chain, at, &place);
    if (piece->blob == NULL && strip_fits(place.strip, limits, piece->form.total)) {
        list_chain_own(chain, &place);
        size_t old_count = place.strip->count;
        strip_at within = strip_seek(place.strip, place.within);
        list_chain_put(chain, &place, strip_insert(place.strip, within, &piece->form), old_count);
        return;
    }
    if (place.within == 0) {
        if (!insert_into_neighbour(chain, limits, &place, false, piece)) {
            add_strip(chain, &place.path, false, strip_of(piece));
            chain->count++;
        }
        return;
    }
    cut(chain, &place);
    /* Behind the front half, or in front of the other, or between them. */
    list_chain_find(chain, at - 1, &place);
    if (piece->blob == NULL && strip_fits(place.strip, limits, piece->form.total)) {
        size_t old_count = place.strip->count;
        list_chain_put(chain, &place, strip_push_back(place.strip, &piece->form, 0), old_count);
    } else if (!insert_into_neighbour(chain, limits, &place, true, piece)) {
        add_strip(chain, &place.path, true, strip_of(piece));
        chain->count++;
    }
    list_chain_mend(chain, limits, at - 1);
    list_chain_mend(chain, limits, at + 1 < chain->count ? at + 1 : at);
}

void list_chain_set(struct list_chain *chain, const struct strip_limits *limits, size_t at,
                    const struct list_piece *piece) {
    struct list_place place;
    list_chain_find(chain, at, &place);
    struct strip *old = place.strip;
    if (old->count == 1) {
        moved(chain, &place.path, strip_of(piece));
        let_go(chain, old);
        return;
    }
    list_chain_own(chain, &place);
    old = place.strip;
    strip_at within = strip_seek(old, place.within);
    size_t before = element_size(strip_element(old, within));
    size_t size = STRIP_HEADER_SIZE + strip_used(old) - before + piece->form.total;
    if (piece->blob == NULL && (size <= limits->size || piece->form.total <= before)) {
        moved(chain, &place.path, strip_replace(old, within, &piece->form));
        return;
    }
    size_t old_count = old->count;
    list_chain_put(chain, &place, strip_remove(old, place.within, 1), old_count);
    if (at < chain->count) {
        list_chain_insert(chain, limits, at, piece);
    } else {
        list_chain_push(chain, limits, LIST_TAIL, piece);
    }
}

static bool may_join(const struct strip *a, const struct strip *b,
                     const struct strip_limits *limits) {
    return !strip_is_large(a) && !strip_is_large(b) &&
           STRIP_HEADER_SIZE + strip_used(a) + strip_used(b) <= limits->size / JOINED_PART &&
           (size_t)a->count + b->count <= limits->count / JOINED_PART;
}

/* Joins the strip that has the element at a position with the next one, if both are small. */
static void join_next(struct list_chain *chain, const struct strip_limits *limits, size_t at) {
    struct list_place place;
    list_chain_find(chain, at, &place);
    struct list_path path = place.path;
    if (!list_index_next(&chain->index, &path)) {
        return;
    }
    struct strip *next = list_index_slot(&chain->index, &path)->child;
    if (!may_join(place.strip, next, limits) || list_chain_is_old(chain, place.strip) ||
        list_chain_is_old(chain, next)) {
        return;
    }
    remove_strip(chain, &path);
    chain->count -= next->count;
    /* What was the way to it has changed; its elements' positions have not. */
    list_chain_find(chain, at, &place);
    size_t old_count = place.strip->count;
    list_chain_put(chain, &place, strip_join(place.strip, next), old_count);
}

void list_chain_mend(struct list_chain *chain, const struct strip_limits *limits, size_t at) {
    struct list_place place;
    join_next(chain, limits, at);
    list_chain_find(chain, at, &place);
    if (at > place.within) {
        join_next(chain, limits, at - place.within - 1);
    }
}
