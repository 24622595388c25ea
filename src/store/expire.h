/* expire: how far background expiry is behind, for INFO. What removes is keyspace_expire. */
#ifndef LARDER_STORE_EXPIRE_H
#define LARDER_STORE_EXPIRE_H

#include <stdint.h>

#include "store/keyspace.h"

/* How long ago the earliest deadline was whose key or hash is still there, in milliseconds; 0 when
 * all that was due has gone but what is allowed for (EXPIRE_ON_TIME_MS). An upper bound. */
int64_t expire_lag_ms(const struct keyspace *keyspace);

/* A key that is due leaves with the next slice after the end of the tick of its deadline: two
 * ticks. */
#define EXPIRE_ON_TIME_MS (2 * DUE_TICK_MS)

/* The share of keys with a deadline that are due and still there, in percent; from a sample. */
double expire_stale_percent(struct keyspace *keyspace);

#endif
