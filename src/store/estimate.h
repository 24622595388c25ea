/* estimate: tells store/reuse of the keys that it watches. A look-up pays one comparison of the
 * key's hash, which is known anyway, with `below`. */
#ifndef LARDER_STORE_ESTIMATE_H
#define LARDER_STORE_ESTIMATE_H

#include <stdint.h>

#include "store/reuse.h"

struct entry;
struct key;
struct keyspace;

struct estimate {
    uint64_t below; /* reuse_below; first: it is looked at all the time */
    struct reuse reuse;
    uint64_t reads_seen; /* all there were, up to which they are counted */
    uint64_t reads;      /* since the last tick, while it did not look away */
    uint32_t ticks;
};

void estimate_init(struct estimate *estimate);
void estimate_free(struct estimate *estimate);

/* For keys whose hash is below `below`. `entry` is NULL when the read has not found it. */
void estimate_read(struct keyspace *keyspace, const struct key *key, const struct entry *entry);
void estimate_written(struct keyspace *keyspace, const struct key *key, const struct entry *entry);
/* For all keys that go, but by eviction. */
void estimate_removed(struct keyspace *keyspace, const struct key *key);
void estimate_emptied(struct keyspace *keyspace, int database);

/* Ten times a second: what there is of keys may take `room` bytes. */
void estimate_tick(struct keyspace *keyspace, uint64_t room);

#endif
