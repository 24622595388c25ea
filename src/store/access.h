/* access: the clock in an entry's access field: when the key was last used, for OBJECT IDLETIME and
 * for eviction by recency.
 *
 * The field has 24 bits and counts ticks of ACCESS_TICK_MS, so it goes round in 12.4 days. A stamp
 * that seems to lie up to ACCESS_AHEAD_MAX in the future is taken as "just now": the clock was set
 * back. So idle times are right for 11.6 days. A finer tick would shorten that below the ten days
 * that are promised; a coarser one would blur the order of eviction. */
#ifndef LARDER_STORE_ACCESS_H
#define LARDER_STORE_ACCESS_H

#include <stdint.h>

#include "ds/entry.h"

#define ACCESS_TICK_MS   64
#define ACCESS_MASK      0xffffffu
#define ACCESS_AHEAD_MAX (1u << 20) /* ticks: 18 hours */

/* What the field of an entry that is used at this time gets. */
static inline uint32_t access_tick(int64_t now_ms) {
    return (uint32_t)(now_ms / ACCESS_TICK_MS) & ACCESS_MASK;
}

/* Milliseconds since the last use; never too few, at most two ticks too many: who has waited for
 * two seconds reads two. */
static inline int64_t access_idle_ms(const struct entry *entry, int64_t now_ms) {
    uint32_t ticks = (access_tick(now_ms) - entry->access) & ACCESS_MASK;
    if (ticks == 0 || ticks > ACCESS_MASK - ACCESS_AHEAD_MAX) {
        return 0;
    }
    return ((int64_t)ticks + 1) * ACCESS_TICK_MS;
}

#endif
