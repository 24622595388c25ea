/* victim: which key goes next when room must be made. Opening comment and method are in
 * victim.c. */
#ifndef LARDER_STORE_VICTIM_H
#define LARDER_STORE_VICTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "ds/entry.h"
#include "store/keyspace.h"
#include "store/limit.h"

/* Candidates kept from one eviction to the next. */
#define VICTIM_POOL_MAX 16
/* Chains drawn for one eviction: with some four entries each, enough for 64 samples. */
#define VICTIM_CHAINS_MAX 16

/* A candidate as it was when it was seen. The pointer is not followed before the dict has confirmed
 * that an entry is there. */
struct victim {
    struct database *database;
    struct entry *entry;
    uint64_t hash;
    uint32_t access; /* the entry's field then: if it has changed, the key was used meanwhile */
    uint32_t score;  /* how much it should go; the highest goes first */
};

/* Chains drawn for one eviction. */
struct victim_drawing {
    struct database *database; /* NULL: none are drawn */
    uint32_t count;
    uint64_t points[VICTIM_CHAINS_MAX]; /* hashes that choose the chains */
};

struct victims {
    struct keyspace *keyspace;
    const struct limit *limit;
    struct random random;
    struct victim_drawing next; /* its entries are asked for */
    struct victim_drawing then; /* its buckets are asked for */
    uint32_t pool_count;
    struct victim pool[VICTIM_POOL_MAX]; /* ascending by score */
};

void victims_init(struct victims *victims, struct keyspace *keyspace, const struct limit *limit);

/* Forgets what it has seen: the policy has changed. */
void victims_forget(struct victims *victims);

/* How much an entry should go by the limit's policy, more for a higher number; 0 when it may
 * not. */
uint32_t victims_score(const struct victims *victims, const struct entry *entry);

/* The score that a part of the keys exceeds, `share` of 256; from a sample. UINT32_MAX when no key
 * may go. */
uint32_t victims_quantile(struct victims *victims, unsigned share);

/* Chooses by the limit's policy. The entry is in its database; the caller removes it. False when
 * no key may go. */
bool victims_next(struct victims *victims, struct database **database, struct entry **entry);

#endif
