/* window: the youngest keys, in the order in which they came: a queue of 8 bytes for each. A key at
 * its end is asked whether it may stay; until then nobody compares it.
 *
 *     item   63          32 31          16 15           0
 *            +-------------+--------------+--------------+
 *            | hash, low   | database     | address / 16 |
 *            +-------------+--------------+--------------+
 *
 * An item does not own its key, which may be gone when its turn comes: the hash finds the chain,
 * and what is there is compared. Chunks are allocated as the queue grows and freed as it is
 * emptied. */
#ifndef LARDER_STORE_WINDOW_H
#define LARDER_STORE_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "store/keyspace.h"

struct window_chunk;

struct window {
    struct window_chunk *first; /* taken from */
    struct window_chunk *last;  /* added to */
    uint32_t taken;             /* of the first chunk */
    uint32_t added;             /* to the last one */
    size_t size;                /* items */
};

void window_init(struct window *window);
void window_clear(struct window *window);

void window_push(struct window *window, const struct database *database, uint64_t hash,
                 const struct entry *entry);

/* Takes the oldest item out: its entry, with database and hash, or NULL when the key is gone. The
 * window is not empty. */
struct entry *window_pop(struct window *window, struct keyspace *keyspace,
                         struct database **database, uint64_t *hash);

#endif
