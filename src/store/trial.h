/* trial: which of a few settings of the adaptive policy misses least with the requests that really
 * come.
 *
 * Each setting keeps a small cache of its own, without values, that sees only keys whose hash falls
 * into a share of the space, the same for all. If the share is as large against all keys as the
 * small cache is against the real one, their miss ratios are about the same (miniature simulation,
 * Waldspurger et al. 2017). The settings are compared once in TRIAL_PERIOD requests, and the best
 * is used from then on; ties and small differences change nothing.
 *
 *     set    | 2 new | 14 kept               | 16 evicted               |   tags and worths
 *
 * A small cache is made of sets, each of which works as the policy does: new keys first, then by
 * worth, and what was evicted is remembered. Costs: 6 KiB a setting; a request outside the share
 * one comparison, one inside some 100 ns. With N keys the share is TRIAL_KEYS / N. */
#ifndef LARDER_STORE_TRIAL_H
#define LARDER_STORE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRIAL_SETTINGS 3
#define TRIAL_SETS     32
#define TRIAL_NEW      2
#define TRIAL_KEPT     16 /* new ones included */
#define TRIAL_WAYS     32
#define TRIAL_KEYS     (TRIAL_SETS * TRIAL_KEPT)
#define TRIAL_PERIOD   2048

/* A setting: how the policy weighs recency against frequency. */
struct trial_setting {
    uint32_t
        half_life;  /* uses of any key, for each key that is kept, after which a use counts half */
    int32_t margin; /* how much more than the least a new key must be worth to stay */
    int32_t discount; /* how much less than one use the first one counts */
};

struct trial_set {
    uint16_t tags[TRIAL_WAYS];
    uint32_t worths[TRIAL_WAYS];
    uint32_t turn; /* which of the new ones gives way next */
};

struct trial_cache {
    uint64_t clock; /* now in half-lives, as worth.h has it */
    uint64_t misses;
    struct trial_set sets[TRIAL_SETS];
};

struct trial {
    uint32_t share;  /* a key belongs if the upper half of its hash is below */
    uint32_t sets;   /* in use: fewer when there are fewer keys than the caches have room for */
    uint32_t chosen; /* the setting that is used */
    uint32_t seen;   /* requests of the period */
    struct trial_cache caches[TRIAL_SETTINGS];
};

const struct trial_setting *trial_setting(uint32_t index);

void trial_init(struct trial *trial);

/* There are now so many keys in all. */
void trial_resize(struct trial *trial, size_t key_count);

/* The key with this hash has been used or added. */
void trial_see(struct trial *trial, uint64_t hash);

static inline bool trial_wants(const struct trial *trial, uint64_t hash) {
    return (uint32_t)(hash >> 32) <= trial->share;
}

#endif
