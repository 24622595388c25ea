/* extras: what an entry carries beyond key, value and deadline. Nothing when unused: one flag in
 * the header tells that there are any.
 *
 * Terms. Extras are items, each of another kind. A run is how they lie in the entry:
 *
 *     0         2                4
 *     +---------+----------------+--------- ... -+----------------+--------- ...
 *     | size 16 | kind 4 size 12 | item's bytes  | kind 4 size 12 | item's bytes
 *     +---------+----------------+--------- ... -+----------------+--------- ...
 *       of the run   of the item, without this head
 *
 *     behind the value:  | header 8 | deadline 8 | word 8 | key | inline value | run |
 *
 * The run lies behind the value, so that where key and value are is reckoned as without it; what
 * changes an inline value's size has to move the entry then (ds/entry.h, invariant 5). One item of
 * four bytes costs eight.
 *
 * Invariants (extras_validate):
 * 1. items lie in the order of their kinds, and no kind is there twice;
 * 2. the items fill the run, and there is one at least: an entry without items has no run;
 * 3. an item has a size that its kind may have.
 *
 * Costs: reading an item walks over those before it, of which there are a few; changing one moves
 * the entry. */
#ifndef LARDER_DS_EXTRAS_H
#define LARDER_DS_EXTRAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ds/entry.h"

/* Numbers are those in memory only: what a file has is persist's business. */
enum extra_kind {
    EXTRA_GRACE = 1, /* how much longer than its deadline it is kept: 4 bytes */
    EXTRA_TAGS = 2,  /* when it was written, and its tags' numbers: 4 bytes, and 4 a tag */
    EXTRA_KINDS
};

/* Longest item. */
#define EXTRA_SIZE_MAX 4095u
/* Longest run: one item of each kind. */
#define EXTRAS_SIZE_MAX (2 + (EXTRA_KINDS - 1) * (2 + EXTRA_SIZE_MAX))
_Static_assert(EXTRAS_SIZE_MAX <= UINT16_MAX, "a run's size is a number of 16 bits");

/* Longest grace that can be held: 68 years. From 24 days on it is rounded up to seconds. */
#define EXTRA_GRACE_MS_MAX ((int64_t)INT32_MAX * 1000)

/* A run in the making. */
struct extras {
    size_t size; /* 0: no item */
    char run[EXTRAS_SIZE_MAX];
};

/* An item of a run; .at NULL when there is none of that kind. */
struct bytes extras_item(struct bytes run, enum extra_kind kind);

/* An entry's item, likewise. */
static inline struct bytes entry_extra(const struct entry *e, enum extra_kind kind) {
    if (LIKELY(!(e->flags & ENTRY_HAS_EXTRAS))) {
        return bytes_of(NULL, 0);
    }
    return extras_item(entry_extras(e), kind);
}

/* Starts with the items of another run, which may be empty. */
void extras_begin(struct extras *extras, struct bytes run);

/* Sets an item in the place of one of its kind, if there is one; takes it away when `size` is 0.
 * The size must be one that the kind has. */
void extras_set(struct extras *extras, enum extra_kind kind, const void *at, size_t size);

/* The same for the grace, 0 to EXTRA_GRACE_MS_MAX milliseconds; 0: none. */
void extras_set_grace(struct extras *extras, int64_t grace_ms);

/* What goes into an entry's shape: not NULL, even when there is no item. */
static inline struct bytes extras_run(const struct extras *extras) {
    return bytes_of(extras->run, extras->size);
}

/* What becomes of a grace when it is held, in milliseconds. */
int64_t extras_rounded_grace(int64_t grace_ms);

/* Walks a run and asserts the invariants. For tests. */
void extras_validate(struct bytes run);

#endif
