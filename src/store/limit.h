/* limit: how much memory the server may take, and how keys are chosen that must go when it is
 * reached. Options and what INFO shows of them. */
#ifndef LARDER_STORE_LIMIT_H
#define LARDER_STORE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"
#include "base/option.h"

enum limit_policy {
    LIMIT_VOLATILE_LRU,
    LIMIT_VOLATILE_LFU,
    LIMIT_VOLATILE_RANDOM,
    LIMIT_VOLATILE_TTL,
    LIMIT_ALLKEYS_LRU,
    LIMIT_ALLKEYS_LFU,
    LIMIT_ALLKEYS_RANDOM,
    LIMIT_NOEVICTION,
};

#define MEMORY_OPTIONS(X)                                                                          \
    X(MEMORY, bytes_max, "maxmemory", "0", 0, INT64_MAX, NULL, 0, NULL,                            \
      "Bytes that data may take; 0: no limit.")                                                    \
    X(CHOICE, policy, "maxmemory-policy", "noeviction", 0, 0, limit_policies, 0, NULL,             \
      "Which keys go when maxmemory is reached.")                                                  \
    X(INT, samples, "maxmemory-samples", "5", 1, 64, NULL, 0, NULL,                                \
      "Keys looked at to find one that may go; more are nearer to the truth.")                     \
    X(INT, tenacity, "maxmemory-eviction-tenacity", "10", 0, 100, NULL, 0, NULL,                   \
      "How much of a pass may go into making room, 0: little, 100: whatever it takes.")            \
    X(MEMORY, clients_bytes_max, "maxmemory-clients", "0", 0, INT64_MAX, NULL, OPTION_PERCENT,     \
      NULL, "Bytes that all connections may take, or percent of maxmemory; 0: no limit.")          \
    X(INT, lfu_log_factor, "lfu-log-factor", "10", 0, INT32_MAX, NULL, 0, NULL,                    \
      "How many uses it takes to raise a key's frequency counter; more: higher numbers.")          \
    X(INT, lfu_decay_minutes, "lfu-decay-time", "1", 0, INT32_MAX, NULL, 0, NULL,                  \
      "Minutes after which an unused key's frequency counter falls by one; 0: never.")
struct limit_options {
    MEMORY_OPTIONS(OPTION_FIELD)
};

struct limit {
    struct limit_options options;
};

/* Registers options and metrics. */
void limit_init(struct limit *limit, struct options *options, struct metrics *metrics);

/* "allkeys-lru" ... */
const char *limit_policy_name(enum limit_policy policy);

#endif
