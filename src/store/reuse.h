/* reuse: what more memory would bring, or less: the miss ratio that a cache of another size would
 * have had, kept up while requests come.
 *
 * SHARDS (Waldspurger, Park, Garthwaite, Ahmad 2015): only keys whose hash is below a threshold are
 * watched, all their uses, so that what is true of them is true of all at a size reduced alike.
 * They lie in the order of their last use, and of each it is known between which sizes of the
 * cache, in halves of the present one, it lies:
 *
 *     newest                                              oldest
 *     | 0 ... 1/2 | 1/2 ... 1 | 1 ... 3/2 | 3/2 ... 2 |  forgotten
 *       zone 0      zone 1      zone 2      zone 3
 *
 * A read of a key in zone z is a hit for a cache of (z + 1) halves and more, a miss for smaller
 * ones; it moves to the front, and at the end of each zone before its old place something moves on.
 * That is the cache that evicts what was used longest ago (LRU), at four sizes at once.
 *
 * What it may cost is fixed. REUSE_ITEMS keys of memory: when there are more, the threshold is
 * halved, and what was counted weighs as much less. REUSE_USES_EACH uses a tick, saved up to
 * REUSE_USES_MAX: who spends more than that allows is given half the threshold too, as long as
 * enough keys are watched; and when everything is spent it looks away until REUSE_USES_BURST are
 * saved.
 *
 * Invariants (reuse_validate):
 * 1. each item is in the list, in one chain, and its hash is below the threshold;
 * 2. from newest to oldest, zones never fall; `oldest[z]` is the last item of zone z;
 * 3. `bytes[z]` is the sum of zone z's items. */
#ifndef LARDER_STORE_REUSE_H
#define LARDER_STORE_REUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef LARDER_TEST_SMALL
#define REUSE_ITEMS       1024
#define REUSE_ITEMS_FEW   64
#define REUSE_ITEMS_LEAST 16
#else
/* Of 40 bytes, with their chains 720 KB: an error of about one percent. Memory for them is taken as
 * there are more, from REUSE_ITEMS_LEAST on. */
#define REUSE_ITEMS       16384
/* With fewer the estimate gets coarse, and looking away now and then is better. */
#define REUSE_ITEMS_FEW   2048
#define REUSE_ITEMS_LEAST 512
#endif
/* A tick is a tenth of a second: at a million GETs a second one of 50, some 200 instructions each,
 * which is less than one percent of what a GET takes with the least of the kernel. */
#define REUSE_USES_EACH 2000
/* Some ms in all, for a server that has been idle for two seconds. */
#define REUSE_USES_MAX 40000
/* Several times as many as there are keys watched then, so that distances mean something. */
#define REUSE_USES_BURST 20000
#define REUSE_ZONES      4
/* Zones of the present size. */
#define REUSE_ZONES_NOW 2

struct reuse_item {
    uint64_t id; /* the key's hash, mixed with its database */
    uint64_t bytes;
    uint32_t newer; /* places in the list; 0: none */
    uint32_t older;
    uint32_t next;       /* in its chain, or among the free ones */
    uint32_t deadline_s; /* 0: none */
    int32_t database;
    uint8_t zone;
};

struct reuse {
    uint64_t threshold; /* hashes below it are watched: 2^64 times the rate */
    bool paused;        /* until the next tick */
    bool full_rate;     /* the threshold is as high as it gets */
    int64_t saved;      /* uses that may be looked at */
    uint32_t used;      /* in this tick */
    uint32_t calm;      /* ticks in a row in which a higher threshold would have been cheap */
    uint32_t count;
    uint32_t capacity; /* a power of two; of the chains too */
    uint32_t free;     /* items, by next */
    uint32_t newest;
    uint32_t oldest[REUSE_ZONES];
    uint64_t bytes[REUSE_ZONES];
    uint64_t zone_bytes; /* that a zone may hold */
    uint64_t room;       /* the present size when the zones were reckoned */
    double hits[REUSE_ZONES];
    double reads;    /* of watched keys */
    double expected; /* how many these should have been, going by all reads */
    uint32_t *chains;
    struct reuse_item *items; /* from 1 */
};

void reuse_init(struct reuse *reuse);
void reuse_free(struct reuse *reuse);

/* Keys whose hash is below this are to be told of, all others are not; 0 while it looks away. */
static inline uint64_t reuse_below(const struct reuse *reuse) {
    return reuse->paused ? 0 : reuse->threshold;
}

/* What the key took when it was told of last; 0: it is not in the list. */
size_t reuse_bytes(const struct reuse *reuse, uint64_t hash, int database);

/* A read has found the key, which takes so many bytes; deadline in milliseconds, negative: none. */
void reuse_found(struct reuse *reuse, uint64_t hash, int database, size_t bytes,
                 int64_t deadline_ms);
/* A read has not found the key. */
void reuse_missed(struct reuse *reuse, uint64_t hash, int database, int64_t now_ms);
/* The key was added or used for writing. */
void reuse_written(struct reuse *reuse, uint64_t hash, int database, size_t bytes,
                   int64_t deadline_ms);
/* The key was removed or has expired, but not evicted. */
void reuse_removed(struct reuse *reuse, uint64_t hash, int database);
/* The database, -1: all, was emptied. */
void reuse_emptied(struct reuse *reuse, int database);

/* About ten times a second: the keys may take `room` bytes now, and there were so many reads since
 * the last tick that reuse was to be told of. Some 100 us at most, and rarely. */
void reuse_tick(struct reuse *reuse, uint64_t room, uint64_t reads);

/* Makes what is counted weigh less by and by: once a minute. */
void reuse_fade(struct reuse *reuse);

/* What a cache of (zones / 2) times the present size would miss, 1 <= zones <= REUSE_ZONES, from 0
 * to 1; negative: not known yet. */
double reuse_miss_ratio(const struct reuse *reuse, int zones);

/* Asserts the invariants. For tests. */
void reuse_validate(const struct reuse *reuse);

#endif
