/* victim: chooses the keys to evict.
 *
 * Terms. A chain is what one bucket of the dict holds, four entries on average; a score says how
 * much an entry should go; the pool holds the candidates with the highest scores that have been
 * seen.
 *
 * Method. Exact orders (a list of all keys by their last use) would cost every entry 16 bytes and
 * every use two cache misses. Instead, as in Redis, candidates are drawn at random and compared.
 * Drawing a chain costs one miss for the bucket and brings all its entries, whose headers are then
 * asked for at once, so a dozen candidates cost about as much as two. And these misses are hidden
 * as well: at the end of each eviction the buckets of the next but one are asked for, and the
 * entries of the next one, so that they have arrived when a later command needs them.
 *
 *     random hashes -> chains -> entries -> score -> pool of 16 -> the best that is still as it was
 *                                                     ^ stays for the next eviction
 *
 * The pool makes a small sample almost as good as a large one. It holds addresses that may have
 * been freed since: before one is followed, the dict is asked whether an entry at that address is
 * in the chain of that hash; and if the access field has changed, the key was used and is no
 * candidate any more.
 *
 * Keys whose deadline has passed are taken first of all. Databases are drawn in proportion to their
 * size.
 *
 * Volatile policies draw from the index of deadlines; volatile-ttl from the earliest place that it
 * has, whose width is 64 ms for what is due in the next seconds and in proportion for what is
 * further away.
 *
 * Invariants:
 * 1. pool[0 .. pool_count) ascends by score;
 * 2. no entry is in it twice. */
#include "store/victim.h"

#include <stdlib.h>
#include <string.h>

#include "store/access.h"
#include "store/adapt.h"
#include "store/worth.h"

/* Entries looked at for one eviction: more than all that the chains can hold is never needed. */
#define SEEN_MAX 128
/* Entries that a chain holds on average, rounded down: so many samples a chain stands for. */
#define CHAIN_SAMPLES 4
/* Drawings that may give nothing, in a dict with many empty buckets, before a key is chosen at
 * random. */
#define DRAWINGS_MAX 8
/* Of the earliest place of the index of deadlines so many are compared. */
#define EARLIEST_SAMPLES 32

/* Keys that a quantile is reckoned from. */
#define QUANTILE_SAMPLES 64

#define SCORE_EXPIRED UINT32_MAX

void victims_init(struct victims *victims, struct keyspace *keyspace, const struct limit *limit) {
    memset(victims, 0, sizeof *victims);
    victims->keyspace = keyspace;
    victims->limit = limit;
    random_init(&victims->random, random_next(&keyspace->random));
}

void victims_forget(struct victims *victims) {
    victims->pool_count = 0;
    victims->next.database = NULL;
    victims->then.database = NULL;
}

/* ---- where to look ---- */

static size_t candidates_in(const struct database *database, bool is_volatile) {
    return is_volatile ? database->deadlines.size : dict_size(&database->keys);
}

/* A database that has keys which may go, in proportion to how many; NULL when there is none. */
static struct database *draw_database(struct victims *victims, bool is_volatile) {
    struct keyspace *keyspace = victims->keyspace;
    size_t all = 0;
    struct database *only = NULL;
    int filled = 0;
    for (int i = 0; i < keyspace->database_count; i++) {
        size_t count = candidates_in(&keyspace->databases[i], is_volatile);
        if (count > 0) {
            only = &keyspace->databases[i];
            filled++;
            all += count;
        }
    }
    if (filled <= 1) {
        return only;
    }
    size_t nth = random_below(&victims->random, all);
    for (int i = 0;; i++) {
        size_t count = candidates_in(&keyspace->databases[i], is_volatile);
        if (nth < count) {
            return &keyspace->databases[i];
        }
        nth -= count;
    }
}

/* Draws chains and asks for their buckets. */
static void draw_chains(struct victims *victims, struct victim_drawing *drawing) {
    drawing->database = draw_database(victims, false);
    if (drawing->database == NULL) {
        return;
    }
    uint32_t count =
        (uint32_t)(victims->limit->options.samples + CHAIN_SAMPLES - 1) / CHAIN_SAMPLES;
    drawing->count = count < VICTIM_CHAINS_MAX ? count : VICTIM_CHAINS_MAX;
    for (uint32_t i = 0; i < drawing->count; i++) {
        drawing->points[i] = random_next(&victims->random);
        dict_prefetch_bucket(&drawing->database->keys, drawing->points[i]);
    }
}

static size_t entries_of(const struct victim_drawing *drawing, struct entry **entries) {
    size_t count = 0;
    for (uint32_t i = 0; i < drawing->count; i++) {
        count += dict_chain(&drawing->database->keys, drawing->points[i], entries + count,
                            SEEN_MAX - count);
    }
    return count;
}

/* The eviction after the next gets its chains, and the next one's, whose buckets have come, its
 * entries. */
static void look_ahead(struct victims *victims) {
    victims->next = victims->then;
    draw_chains(victims, &victims->then);
    if (victims->next.database == NULL) {
        return;
    }
    struct entry *seen[SEEN_MAX];
    size_t count = entries_of(&victims->next, seen);
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(seen[i]);
    }
    if (victims->pool_count > 0) {
        const struct victim *best = &victims->pool[victims->pool_count - 1];
        dict_prefetch_bucket(&best->database->keys, best->hash);
        __builtin_prefetch(best->entry);
    }
}

/* ---- scores ---- */

static uint32_t score_of(const struct victims *victims, const struct entry *entry) {
    const struct keyspace *keyspace = victims->keyspace;
    int64_t now_ms = keyspace->clock->now_ms;
    if (entry_is_due(entry, now_ms)) {
        return SCORE_EXPIRED;
    }
    if (keyspace->access_rule == ACCESS_FREQUENCY) {
        /* The rarest first, and of equals the one whose counter was not changed for longest. */
        uint32_t minute = access_minute(now_ms);
        uint32_t counter =
            access_counter(entry->access, minute, victims->limit->options.lfu_decay_minutes);
        uint32_t unchanged = (minute - (entry->access >> 8)) & ACCESS_MINUTE_MASK;
        return (ACCESS_COUNTER_MAX - counter) << 16 | unchanged;
    }
    if (keyspace->access_rule == ACCESS_WORTH) {
        /* From 1 up, and nothing is worth less than none. */
        int32_t above = worth_above(entry->access, adapt_now(keyspace->adapt));
        return above == WORTH_NONE ? SCORE_EXPIRED - 1 : (uint32_t)(WORTH_ABOVE_MAX + 1 - above);
    }
    return access_idle_ticks(entry, access_tick(now_ms));
}

uint32_t victims_score(const struct victims *victims, const struct entry *entry) {
    enum limit_policy policy = (enum limit_policy)victims->limit->options.policy;
    bool may_go = policy != LIMIT_NOEVICTION &&
                  (!limit_policy_is_volatile(policy) || entry->flags & ENTRY_HAS_DEADLINE);
    if (!may_go) {
        return 0;
    }
    uint32_t score = score_of(victims, entry);
    return score == 0 ? 1 : score;
}

static int compare_scores(const void *a, const void *b) {
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

uint32_t victims_quantile(struct victims *victims, unsigned share) {
    struct entry *entries[QUANTILE_SAMPLES];
    uint32_t scores[QUANTILE_SAMPLES];
    size_t count = 0;
    const struct database *database = draw_database(victims, false);
    size_t drawn = database == NULL
                       ? 0
                       : dict_sample(&database->keys, &victims->random, entries, QUANTILE_SAMPLES);
    for (size_t i = 0; i < drawn; i++) {
        uint32_t score = victims_score(victims, entries[i]);
        if (score > 0) {
            scores[count++] = score;
        }
    }
    if (count == 0) {
        return UINT32_MAX;
    }
    qsort(scores, count, sizeof scores[0], compare_scores);
    size_t above = count * share / 256;
    return scores[count - 1 - (above < count ? above : count - 1)];
}

/* ---- the pool ---- */

static bool pool_has(const struct victims *victims, const struct entry *entry) {
    for (uint32_t i = 0; i < victims->pool_count; i++) {
        if (victims->pool[i].entry == entry) {
            return true;
        }
    }
    return false;
}

/* Puts a candidate into its place if it is among the best. */
static void pool_offer(struct victims *victims, struct database *database, struct entry *entry) {
    uint32_t score = score_of(victims, entry);
    uint32_t count = victims->pool_count;
    struct victim *pool = victims->pool;
    if (count == VICTIM_POOL_MAX && score <= pool[0].score) {
        return;
    }
    if (pool_has(victims, entry)) {
        return;
    }
    if (count == VICTIM_POOL_MAX) {
        memmove(pool, pool + 1, (VICTIM_POOL_MAX - 1) * sizeof *pool);
        count--;
    }
    uint32_t at = count;
    while (at > 0 && pool[at - 1].score > score) {
        pool[at] = pool[at - 1];
        at--;
    }
    pool[at] = (struct victim){.database = database,
                               .entry = entry,
                               .hash = dict_hash(&database->keys, entry_key(entry)),
                               .access = entry->access,
                               .score = score};
    victims->pool_count = count + 1;
}

/* The best candidate that is still there and has not been used since. */
static bool pool_take(struct victims *victims, struct database **database, struct entry **entry) {
    while (victims->pool_count > 0) {
        const struct victim *best = &victims->pool[--victims->pool_count];
        if (dict_find_entry(&best->database->keys, best->hash, best->entry) != NULL &&
            best->entry->access == best->access) {
            *database = best->database;
            *entry = best->entry;
            return true;
        }
    }
    return false;
}

static void offer_all(struct victims *victims, struct database *database, struct entry **entries,
                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(entries[i]);
    }
    for (size_t i = 0; i < count; i++) {
        pool_offer(victims, database, entries[i]);
    }
}

/* ---- policies ---- */

static bool next_of_all(struct victims *victims, struct database **database, struct entry **entry) {
    for (int drawing = 0; drawing < DRAWINGS_MAX; drawing++) {
        if (victims->next.database == NULL) {
            draw_chains(victims, &victims->next);
        }
        if (victims->next.database == NULL) {
            return false;
        }
        struct entry *seen[SEEN_MAX];
        size_t count = entries_of(&victims->next, seen);
        offer_all(victims, victims->next.database, seen, count);
        bool found = pool_take(victims, database, entry);
        look_ahead(victims);
        if (found) {
            return true;
        }
    }
    *database = draw_database(victims, false);
    *entry = *database == NULL ? NULL : dict_random(&(*database)->keys, &victims->random);
    return *entry != NULL;
}

/* Between the key that leaves the window and the least worth of the others. */
static bool next_adaptive(struct victims *victims, struct database **database,
                          struct entry **entry) {
    struct adapt *adapt = victims->keyspace->adapt;
    struct database *young_database;
    uint64_t young_hash;
    if (!next_of_all(victims, database, entry)) {
        return false;
    }
    struct entry *young = adapt_leaving(adapt, &young_database, &young_hash);
    if (young == NULL || young == *entry) {
        return true;
    }
    uint32_t score = score_of(victims, young);
    uint32_t least = score_of(victims, *entry);
    if (least == SCORE_EXPIRED || (int64_t)score + adapt_margin(adapt) < (int64_t)least) {
        return true;
    }
    /* The other one remains a candidate for the next eviction. */
    pool_offer(victims, *database, *entry);
    *database = young_database;
    *entry = young;
    return true;
}

static bool next_volatile(struct victims *victims, struct database **database,
                          struct entry **entry) {
    for (int drawing = 0; drawing < DRAWINGS_MAX; drawing++) {
        *database = draw_database(victims, true);
        if (*database == NULL) {
            return false;
        }
        void *items[SEEN_MAX];
        struct entry *seen[SEEN_MAX];
        size_t count = due_sample(&(*database)->deadlines, &victims->random, items,
                                  (size_t)victims->limit->options.samples);
        for (size_t i = 0; i < count; i++) {
            seen[i] = items[i];
        }
        offer_all(victims, *database, seen, count);
        if (pool_take(victims, database, entry)) {
            return true;
        }
    }
    return false;
}

static bool next_random(struct victims *victims, bool is_volatile, struct database **database,
                        struct entry **entry) {
    *database = draw_database(victims, is_volatile);
    if (*database == NULL) {
        return false;
    }
    *entry = is_volatile ? due_random(&(*database)->deadlines, &victims->random)
                         : dict_random(&(*database)->keys, &victims->random);
    return true;
}

static bool next_earliest(struct victims *victims, struct database **database,
                          struct entry **entry) {
    int64_t earliest_ms = INT64_MAX;
    *entry = NULL;
    for (int i = 0; i < victims->keyspace->database_count; i++) {
        struct database *one = &victims->keyspace->databases[i];
        void *items[EARLIEST_SAMPLES];
        size_t count =
            one->deadlines.size == 0
                ? 0
                : due_sample_earliest(&one->deadlines, &victims->random, items, EARLIEST_SAMPLES);
        for (size_t k = 0; k < count; k++) {
            int64_t deadline_ms = entry_deadline(items[k]);
            if (deadline_ms < earliest_ms) {
                earliest_ms = deadline_ms;
                *database = one;
                *entry = items[k];
            }
        }
    }
    return *entry != NULL;
}

bool victims_next(struct victims *victims, struct database **database, struct entry **entry) {
    enum limit_policy policy = (enum limit_policy)victims->limit->options.policy;
    switch (policy) {
    case LIMIT_NOEVICTION:
        return false;
    case LIMIT_ALLKEYS_RANDOM:
    case LIMIT_VOLATILE_RANDOM:
        return next_random(victims, policy == LIMIT_VOLATILE_RANDOM, database, entry);
    case LIMIT_VOLATILE_TTL:
        return next_earliest(victims, database, entry);
    case LIMIT_VOLATILE_LRU:
    case LIMIT_VOLATILE_LFU:
        return next_volatile(victims, database, entry);
    case LIMIT_ALLKEYS_LRU:
    case LIMIT_ALLKEYS_LFU:
        return next_of_all(victims, database, entry);
    case LIMIT_ALLKEYS_ADAPTIVE:
        return next_adaptive(victims, database, entry);
    }
    return false;
}
