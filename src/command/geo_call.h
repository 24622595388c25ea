/* geo_call: what the commands on places share: reading places and units, replying them. */
#ifndef LARDER_COMMAND_GEO_CALL_H
#define LARDER_COMMAND_GEO_CALL_H

#include <stdbool.h>

#include "call/call.h"
#include "types/geo.h"

/* Arguments `index` and the one behind it as longitude and latitude. False when they are none: the
 * error has been replied. */
bool geo_call_place(struct call *call, int index, struct geo_place *place);

/* Argument `index` as a unit of length, in meters. False: replied. */
bool geo_call_unit(struct call *call, int index, double *meters);

/* A score as a hash. A sorted set may hold any other scores too, which mean nothing; but they mean
 * the same as in Redis. */
static inline uint64_t geo_call_hash_of(double score) {
    if (score >= 0x1p63) {
        return score < 0x1p64 ? (uint64_t)score : 0;
    }
    return score >= -0x1p63 ? (uint64_t)(int64_t)score : (uint64_t)1 << 63;
}

/* The hash of a member; false when the sorted set has no such member, or is NULL. */
bool geo_call_hash(const struct entry *zset, struct element_name name, uint64_t *hash);

/* With four decimals. */
void geo_call_reply_distance(struct reply *reply, double distance);

/* An array of longitude and latitude. */
void geo_call_reply_place(struct reply *reply, uint64_t hash);

#endif
