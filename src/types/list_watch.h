/* list_watch: a large list as it is at one moment, seen strip by strip while it goes on changing.
 *
 *     the list      [ s0 | s1 | s2' | s4 | s5 ]      s2 was changed, s3 removed, s5 is new
 *                     ^    ^          ^
 *     the watch     [ s0 | s1 | s2 | s3 | s4 ]       s2 and s3 are kept for the watch only
 *                          ^ at
 *
 * When the watch begins it notes all strips in their order. A strip that has not been seen is old:
 * who changes the list leaves it alone and works on a copy (invariant 4 in types/list_int.h).
 *
 * Costs: 8 bytes a strip, and the time to note it: some milliseconds for a list of a hundred
 * million elements; a copy of each strip that is changed before it is seen. */
#ifndef LARDER_TYPES_LIST_WATCH_H
#define LARDER_TYPES_LIST_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "ds/entry.h"
#include "ds/strip.h"

struct list_chain;

struct list_watch {
    struct entry_watch watch; /* first; of its functions only `left` is called */
    struct list_chain *chain;
    struct strip **strips;
    size_t count;
    size_t at;    /* those before it have been seen */
    size_t *kept; /* bytes of strips that are kept for watches only */
};

/* Strips of a list; 1 if it is no chain, which cannot be watched. */
size_t list_strips(const struct entry *list);

/* Who watches it; NULL when nobody does, or it is no chain. */
struct entry_watch *list_watched(const struct entry *list);

/* The moment is now. `watch->watch.left` and `watch->kept` are set; one watch at a time for a list.
 * The list may be renamed and emptied meanwhile, and leave the keyspace as `left` says. */
void list_watch_begin(struct list_watch *watch, const struct entry *list);

/* The next strip, or NULL when all have been seen. It is good until list_watch_seen, which is
 * called before the next one is asked for. */
const struct strip *list_watch_next(const struct list_watch *watch);
void list_watch_seen(struct list_watch *watch);

/* All that has not been seen is taken for seen. */
void list_watch_end(struct list_watch *watch);

#endif
