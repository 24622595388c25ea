/* due: the index of deadlines. Finds what is due without sampling, takes an item out exactly, and
 * costs an item about 13 bytes.
 *
 * Terms. A tick is DUE_TICK_MS; `tick` is the one that is running: all before it have been dealt
 * with. A place is a dict by address that holds the items of one span of time.
 *
 * Method: a hierarchical timing wheel (Varghese and Lauck 1987) of DUE_LEVELS levels with 64 places
 * each. Level 0's places are a tick wide, each further level's 64 times wider. A deadline's tick is
 * written as digits to the base of 64; the highest digit in which it differs from the running tick
 * gives the level, and that digit's value the place. So a place never comes round: those behind the
 * running tick are empty, and a bit map a level finds the next one that is not. When time enters a
 * place of an upper level, its items are filed again further down.
 *
 *     level 0  |0|1|2| ... |63|    64 ms each,   4 s
 *     level 1  |0|1|2| ... |63|    4.1 s each,   4.4 minutes
 *     ...
 *     level 5  |0|1|2| ... |63|    2.2 years each, 139 years
 *     beyond   |even|odd|          what lies behind the 139 years that are running, by whether
 *                                  their number is even: filed again when they are over
 *
 * An item has a word of 64 bits that this index owns: 54 bits of deadline and 10 bits naming the
 * place that it is filed in. When a deadline moves to a later time the item stays where it is
 * filed and is filed again only when that place comes due: refreshing a key's deadline again
 * and again costs nothing.
 *
 *     word  63                                    10 9          0
 *           +---------------------------------------+------------+
 *           | deadline, milliseconds since 1970     | place      |
 *           +---------------------------------------+------------+
 *
 * Invariants (due_validate checks them):
 * 1. An item is in exactly the place that its word names; a filed item's word is never 0 (places
 *    count from 1).
 * 2. A place does not begin later than the deadlines of its items, except that what was due
 *    already when it was filed is in the place of the running tick.
 * 3. No place that is wholly behind the running tick has items, unless `stranded` says so.
 * 4. A bit of `occupied` is set exactly when its place has items; only then the place has a dict.
 *
 * When the clock is set back by more than DUE_BACK_TICKS, the running tick follows it, to a tick
 * with the same last digit, so that the place of the running tick stays what it is. A place's
 * digits then name an earlier time than they did, which invariant 2 allows: its items are filed
 * again when that time comes. Places that have come to lie behind the running tick are stranded:
 * due_take empties them first of all, in slices like everything else, and time does not go on
 * before. */
#ifndef LARDER_DS_DUE_H
#define LARDER_DS_DUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "ds/dict.h"

#define DUE_TICK_MS 64
#define DUE_LEVELS  6
#define DUE_PLACES  64

/* A clock that goes back by less, half a second, is waited for. */
#define DUE_BACK_TICKS 8

/* Where an item keeps its word. */
typedef uint64_t *(*due_word_fn)(void *item);

struct due {
    struct dict **levels[DUE_LEVELS]; /* each NULL until used: DUE_PLACES pointers, each NULL too */
    uint64_t occupied[DUE_LEVELS];    /* which of them have items */
    struct dict *beyond[2];
    int64_t tick;
    int64_t next_ms; /* nothing in the running tick's own place is due before this */
    size_t size;     /* items */
    bool stranded;   /* the clock was set back, and not all that lies behind it is filed again */
    due_word_fn word;
};

static inline int64_t due_word_deadline(uint64_t word) {
    return (int64_t)(word >> 10);
}

/* `now_ms`: places before it are taken as emptied. */
void due_init(struct due *due, due_word_fn word, int64_t now_ms);

/* Frees the index, not the items. */
void due_clear(struct due *due);

/* Files an item whose word is 0. Deadlines in the past are due at the next due_take. */
void due_add(struct due *due, void *item, int64_t deadline_ms);

/* Takes a filed item out; its word becomes 0. */
void due_remove(struct due *due, void *item);

/* Changes a filed item's deadline. */
void due_move(struct due *due, void *item, int64_t deadline_ms);

/* The item has moved to another address (its word was copied along). */
void due_replace(struct due *due, void *old_item, void *item);

/* Takes up to `max` items out whose deadlines have come, words set to 0, and files again what it
 * finds early; looks at no more than `work` items in all. Returns how many are in `out`. *done
 * tells whether everything due at now_ms has been taken.
 *
 * Of the tick that now_ms lies in, all items may be looked at beyond `work`. Who asks for the last
 * millisecond of a tick that is over (keyspace_expire) never pays for that. */
size_t due_take(struct due *due, int64_t now_ms, void **out, size_t max, size_t work, bool *done);

/* Brings the running tick of an empty index to that of now_ms, so that due_earliest is near the
 * truth for what is filed next: a place of a level above the lowest may begin long before. */
static inline void due_follow(struct due *due, int64_t now_ms) {
    if (due->size == 0 && now_ms / DUE_TICK_MS > due->tick) {
        due->tick = now_ms / DUE_TICK_MS;
        due->next_ms = INT64_MAX;
    }
}

/* A lower bound of the earliest deadline, INT64_MAX when empty: the start of the earliest place, or
 * what is known of the running tick's; 0 when nothing is, since a taking was interrupted. */
int64_t due_earliest(const struct due *due);

/* Items from one of the earliest places that hold any, up to `max`: candidates of volatile-ttl. */
size_t due_sample_earliest(const struct due *due, struct random *random, void **out, size_t max);

/* Items from any place, weighted by how many each holds, up to `max`. */
size_t due_sample(const struct due *due, struct random *random, void **out, size_t max);
/* One item from any place, NULL when empty. The first of a sample is none: it is the first of its
 * chain, and those behind it would hardly ever be. */
void *due_random(const struct due *due, struct random *random);

size_t due_footprint(const struct due *due);

/* Walks everything and asserts the invariants. For tests. */
void due_validate(const struct due *due);

#endif
