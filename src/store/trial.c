/* trial: the small caches. A set is searched as a whole; with 32 tags of 16 bits that are all in
 * one cache line it takes a few nanoseconds. */
#include "store/trial.h"

#include <string.h>

#include "base/hash.h"
#include "store/worth.h"

/* Another setting takes over only if it misses less than this part of what the present one does:
 * below that the difference is chance, and each change costs. */
#define BETTER_PERCENT 95
/* How much of a period's misses the next ones still count, in quarters. */
#define MEMORY_QUARTERS 3

/* From frequency to recency. The first is best on almost all traces of real caches, by far where
 * loops and scans pass through; the last follows when what is popular changes quickly. */
static const struct trial_setting settings[TRIAL_SETTINGS] = {
    {.half_life = 10, .margin = WORTH_ONE * 3 / 4, .discount = WORTH_ONE},
    {.half_life = 3, .margin = WORTH_ONE / 2, .discount = WORTH_ONE / 2},
    {.half_life = 1, .margin = 0, .discount = 0},
};

const struct trial_setting *trial_setting(uint32_t index) {
    return &settings[index];
}

void trial_init(struct trial *trial) {
    memset(trial, 0, sizeof *trial);
    trial_resize(trial, 0);
}

void trial_resize(struct trial *trial, size_t key_count) {
    if (key_count <= TRIAL_KEYS) {
        trial->share = UINT32_MAX;
        trial->sets = (uint32_t)(key_count / TRIAL_KEPT) + 1;
        trial->sets = trial->sets > TRIAL_SETS ? TRIAL_SETS : trial->sets;
        return;
    }
    trial->share = (uint32_t)((double)UINT32_MAX * TRIAL_KEYS / (double)key_count);
    trial->sets = TRIAL_SETS;
}

/* The first empty place in [from, to), else the one that is worth least. */
static unsigned least_worth(const struct trial_set *set, unsigned from, unsigned to, uint32_t now) {
    unsigned least = from;
    for (unsigned i = from; i < to; i++) {
        if (set->tags[i] == 0) {
            return i;
        }
        if (worth_above(set->worths[i], now) < worth_above(set->worths[least], now)) {
            least = i;
        }
    }
    return least;
}

static unsigned find(const struct trial_set *set, uint16_t tag) {
    unsigned i = 0;
    while (i < TRIAL_WAYS && set->tags[i] != tag) {
        i++;
    }
    return i;
}

static void put(struct trial_set *set, unsigned place, uint16_t tag, uint32_t worth) {
    set->tags[place] = tag;
    set->worths[place] = worth;
}

/* A key has come that the set does not keep. */
static void admit(struct trial_set *set, const struct trial_setting *setting, uint16_t tag,
                  uint32_t worth, uint32_t now) {
    unsigned new_place = set->turn++ % TRIAL_NEW;
    uint16_t leaving_tag = set->tags[new_place];
    uint32_t leaving_worth = set->worths[new_place];
    put(set, new_place, tag, worth);
    if (leaving_tag == 0) {
        return;
    }
    unsigned place = least_worth(set, TRIAL_NEW, TRIAL_KEPT, now);
    uint16_t other_tag = set->tags[place];
    uint32_t other_worth = set->worths[place];
    if (other_tag == 0 || worth_above(leaving_worth, now) >
                              (int64_t)worth_above(other_worth, now) + setting->margin) {
        put(set, place, leaving_tag, leaving_worth);
        leaving_tag = other_tag;
        leaving_worth = other_worth;
    }
    if (leaving_tag != 0) {
        put(set, least_worth(set, TRIAL_KEPT, TRIAL_WAYS, now), leaving_tag, leaving_worth);
    }
}

static void use(struct trial_cache *cache, const struct trial_setting *setting, uint32_t sets,
                uint64_t mixed) {
    struct trial_set *set = &cache->sets[(uint32_t)mixed % sets];
    uint16_t tag = (uint16_t)(mixed >> 48 | 1);
    cache->clock += worth_step(setting->half_life, (size_t)sets * TRIAL_KEPT);
    uint32_t now = worth_now(cache->clock);
    unsigned place = find(set, tag);
    if (place < TRIAL_KEPT) {
        set->worths[place] = worth_used(set->worths[place], now);
        return;
    }
    cache->misses++;
    uint32_t worth = now - (uint32_t)setting->discount;
    if (place < TRIAL_WAYS) {
        worth = worth_used(set->worths[place], now);
        set->tags[place] = 0;
    }
    admit(set, setting, tag, worth & WORTH_MASK, now);
}

static void choose(struct trial *trial) {
    uint32_t best = trial->chosen;
    for (uint32_t i = 0; i < TRIAL_SETTINGS; i++) {
        uint64_t needed =
            trial->caches[best].misses * (best == trial->chosen ? BETTER_PERCENT : 100);
        if (trial->caches[i].misses * 100 < needed) {
            best = i;
        }
    }
    trial->chosen = best;
    for (uint32_t i = 0; i < TRIAL_SETTINGS; i++) {
        trial->caches[i].misses = trial->caches[i].misses * MEMORY_QUARTERS / 4;
    }
}

void trial_see(struct trial *trial, uint64_t hash) {
    uint64_t mixed = hash_mix(hash);
    for (uint32_t i = 0; i < TRIAL_SETTINGS; i++) {
        use(&trial->caches[i], &settings[i], trial->sets, mixed);
    }
    if (++trial->seen == TRIAL_PERIOD) {
        trial->seen = 0;
        choose(trial);
    }
}
