/* ids: clients by their id, found in constant time.
 *
 *     buckets  [0][1] ... [level - 1][level] ... [used - 1]| room
 *               |  each a chain through client->next_by_id
 *
 * Linear hashing over the ids as they are, which are given out in order and so spread themselves:
 * a client is in bucket id mod 2*level if there is such a bucket, else in id mod level. Each client
 * that makes them more than the buckets splits one bucket, so growing takes no long step but the
 * copying of the array of pointers when that doubles (8 bytes for each client there ever was at the
 * same time; it does not shrink).
 *
 * Invariants: 1. level <= used < 2 * level, level a power of two; 2. each client is in the bucket
 * that its id says, once; 3. count <= used. */
#ifndef LARDER_CLIENT_IDS_H
#define LARDER_CLIENT_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

struct ids {
    struct client **buckets;
    size_t room;
    size_t used;
    size_t level;
    size_t count;
};

void ids_init(struct ids *ids);
/* Forgets all clients. */
void ids_free(struct ids *ids);

/* The client's id must not be there; it must not change while it is. */
void ids_add(struct ids *ids, struct client *client);
/* The client must be there. */
void ids_remove(struct ids *ids, struct client *client);
/* NULL when there is none. */
struct client *ids_find(const struct ids *ids, uint64_t id);

/* Whether the invariants hold; walks all. For tests. */
bool ids_are_valid(const struct ids *ids);

#endif
