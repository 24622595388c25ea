/* access: the 24 bits in an entry that say how it has been used, for OBJECT IDLETIME and FREQ and
 * for eviction. The policy chosen decides what they are; when it changes they are not rewritten but
 * read by the new rule, and become right as keys are used.
 *
 * Recency:    23                                 0
 *             +-----------------------------------+
 *             | time of the last use, in ticks    |
 *             +-----------------------------------+
 * A tick is ACCESS_TICK_MS, so the field goes round in 12.4 days. A stamp that seems to lie up to
 * ACCESS_AHEAD_MAX in the future is taken as "just now": the clock was set back. So idle times are
 * right for 11.6 days. A finer tick would shorten that below the ten days that are promised; a
 * coarser one would blur the order of eviction.
 *
 * Frequency:  23                     8 7        0
 *             +-----------------------+----------+
 *             | minute it fell last   | counter  |
 *             +-----------------------+----------+
 * Redis's scheme: the counter grows with a probability that falls as it rises (a Morris counter, so
 * that 8 bits reach to a million uses), and loses one for every lfu-decay-time that passes.
 *
 * Worth, of allkeys-adaptive: see store/worth.h. */
#ifndef LARDER_STORE_ACCESS_H
#define LARDER_STORE_ACCESS_H

#include <stdint.h>

#include "base/random.h"
#include "ds/entry.h"

#define ACCESS_TICK_MS   64
#define ACCESS_MASK      0xffffffu
#define ACCESS_AHEAD_MAX (1u << 20) /* ticks: 18 hours */

/* The counter of a new key: above 0, so that it is not evicted before it could be used again. */
#define ACCESS_COUNTER_NEW 5u
#define ACCESS_COUNTER_MAX 255u
#define ACCESS_MINUTE_MASK 0xffffu

enum access_rule {
    ACCESS_RECENCY,
    ACCESS_FREQUENCY,
    ACCESS_WORTH,
};

/* What the field of an entry that is used at this time gets. */
static inline uint32_t access_tick(int64_t now_ms) {
    return (uint32_t)(now_ms / ACCESS_TICK_MS) & ACCESS_MASK;
}

/* Ticks since the last use; 0 for one that seems to be in the future. */
static inline uint32_t access_idle_ticks(const struct entry *entry, uint32_t now_tick) {
    uint32_t ticks = (now_tick - entry->access) & ACCESS_MASK;
    return ticks > ACCESS_MASK - ACCESS_AHEAD_MAX ? 0 : ticks;
}

/* Milliseconds since the last use; never too few, at most two ticks too many: who has waited for
 * two seconds reads two. */
static inline int64_t access_idle_ms(const struct entry *entry, int64_t now_ms) {
    uint32_t ticks = access_idle_ticks(entry, access_tick(now_ms));
    return ticks == 0 ? 0 : ((int64_t)ticks + 1) * ACCESS_TICK_MS;
}

static inline uint32_t access_minute(int64_t now_ms) {
    return (uint32_t)(now_ms / 60000) & ACCESS_MINUTE_MASK;
}

static inline uint32_t access_counted(uint32_t minute, uint32_t counter) {
    return minute << 8 | counter;
}

/* The counter as it is now, what it has lost by disuse taken off. `decay_minutes` 0: never. */
static inline uint32_t access_counter(uint32_t access, uint32_t minute, int64_t decay_minutes) {
    uint32_t counter = access & ACCESS_COUNTER_MAX;
    uint32_t passed = (minute - (access >> 8)) & ACCESS_MINUTE_MASK;
    if (decay_minutes == 0) {
        return counter;
    }
    uint64_t lost = passed / (uint64_t)decay_minutes;
    return lost >= counter ? 0 : counter - (uint32_t)lost;
}

/* The counter after one more use. */
static inline uint32_t access_count(uint32_t counter, int64_t log_factor, struct random *random) {
    if (counter >= ACCESS_COUNTER_MAX) {
        return ACCESS_COUNTER_MAX;
    }
    uint64_t above = counter > ACCESS_COUNTER_NEW ? counter - ACCESS_COUNTER_NEW : 0;
    return counter + (above == 0 || random_below(random, above * (uint64_t)log_factor + 1) == 0);
}

#endif
