/* due: the index of deadlines. Finds what is due without sampling, takes an item out exactly, and
 * costs an item about 13 bytes.
 *
 * Method: a hierarchical timing wheel (Varghese and Lauck 1987) of DUE_LEVELS levels with 64 places
 * each. Level 0's places are DUE_TICK_MS wide, each further level's 64 times wider. A place is a dict
 * by address. When time reaches a place of an upper level, its items are filed again further down.
 *
 *     level 0  |0|1|2| ... |63|    64 ms each,   4 s
 *     level 1  |0|1|2| ... |63|    4.1 s each,   4.4 minutes
 *     ...
 *     level 5  |0|1|2| ... |63|    2.2 years each, 139 years
 *     beyond   one place, looked at when level 5 goes round
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
 * Invariants: 1. an item is in exactly the place that its word names; 2. a place is never later than
 * the deadlines of its items; 3. a word of a filed item is never 0 (places count from 1). */
#ifndef LARDER_DS_DUE_H
#define LARDER_DS_DUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "ds/dict.h"

#define DUE_TICK_MS 64
#define DUE_LEVELS  6
#define DUE_PLACES  64

/* Where an item keeps its word. */
typedef uint64_t *(*due_word_fn)(void *item);

struct due {
    struct dict **levels[DUE_LEVELS]; /* each NULL until used: DUE_PLACES pointers, each NULL too */
    struct dict *beyond;
    int64_t tick; /* all places before this tick have been emptied */
    size_t size;  /* items */
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

/* Takes up to `max` items out whose deadlines have come, words set to 0, and files again what it finds
 * early; looks at no more than `work` items in all. Returns how many are in `out`. *done tells
 * whether everything due at now_ms has been taken. A clock that went back finds nothing due. */
size_t due_take(struct due *due, int64_t now_ms, void **out, size_t max, size_t work, bool *done);

/* A lower bound of the earliest deadline, INT64_MAX when empty: the start of the earliest place. */
int64_t due_earliest(const struct due *due);

/* Items from one of the earliest places that hold any, up to `max`: the candidates of volatile-ttl. */
size_t due_sample_earliest(const struct due *due, struct random *random, void **out, size_t max);

/* Items from any place, weighted by how many each holds, up to `max`. */
size_t due_sample(const struct due *due, struct random *random, void **out, size_t max);

size_t due_footprint(const struct due *due);

/* Walks everything and asserts the invariants. For tests. */
void due_validate(const struct due *due);

#endif
