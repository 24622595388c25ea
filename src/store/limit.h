/* limit: how much memory the server may take, and how keys are chosen that must go when it is
 * reached: the options, what INFO shows of them, and what they come to in bytes. They are carried
 * out by store/evict.h and, for connections, by client/. */
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
    LIMIT_ALLKEYS_ADAPTIVE,
};

/* Below this much a limit of memory is a slip of the pen: a unit is missing, or another was meant.
 * The server's own tables take more. */
#define LIMIT_SENSIBLE_MIN ((int64_t)1 << 20)

#define MEMORY_OPTIONS(X)                                                                          \
    X(MEMORY, bytes_max, "maxmemory", "0", 0, INT64_MAX, NULL, OPTION_PERCENT, limit_apply,        \
      "Bytes that data may take, or percent of the memory that the server may use; 0: no limit.")  \
    X(CHOICE, policy, "maxmemory-policy", "noeviction", 0, 0, limit_policies, 0, limit_apply,      \
      "Which keys go when maxmemory is reached.")                                                  \
    X(INT, samples, "maxmemory-samples", "5", 1, 64, NULL, 0, NULL,                                \
      "Keys looked at to find one that may go; more are nearer to the truth.")                     \
    X(INT, tenacity, "maxmemory-eviction-tenacity", "10", 0, 100, NULL, 0, NULL,                   \
      "How much of a pass may go into making room, 0: little, 100: whatever it takes.")            \
    X(MEMORY, clients_bytes_max, "maxmemory-clients", "5%", 0, INT64_MAX, NULL, OPTION_PERCENT,    \
      limit_apply,                                                                                 \
      "Bytes that all connections may take, or percent of maxmemory, of the machine's memory if "  \
      "there is none; 0: no limit.")                                                               \
    X(INT, lfu_log_factor, "lfu-log-factor", "10", 0, INT32_MAX, NULL, 0, limit_apply,             \
      "How many uses it takes to raise a key's frequency counter; more: higher numbers.")          \
    X(INT, lfu_decay_minutes, "lfu-decay-time", "1", 0, INT32_MAX, NULL, 0, limit_apply,           \
      "Minutes after which an unused key's frequency counter falls by one; 0: never.")
struct limit_options {
    MEMORY_OPTIONS(OPTION_FIELD)
};

/* Of clients_bytes_max, a share is never less than this: a few percent of a small limit would not
 * hold a single pipeline. */
#define LIMIT_CLIENTS_SHARE_MIN ((int64_t)16 << 20)

struct limit {
    struct limit_options options;
    int64_t machine_bytes;          /* what the process may use: base/machine.h */
    void (*changed)(void *context); /* an option that evict.c follows has a new value */
    void *context;
};

/* Registers options and metrics. */
void limit_init(struct limit *limit, struct options *options, struct metrics *metrics);

/* What the options come to, in bytes; 0: no limit. */
int64_t limit_bytes(const struct limit *limit);
int64_t limit_clients_bytes(const struct limit *limit);

/* "allkeys-lru" ... */
const char *limit_policy_name(enum limit_policy policy);

/* Whether only keys with a deadline may go. */
static inline bool limit_policy_is_volatile(enum limit_policy policy) {
    return policy <= LIMIT_VOLATILE_TTL;
}

static inline bool limit_policy_is_lfu(enum limit_policy policy) {
    return policy == LIMIT_VOLATILE_LFU || policy == LIMIT_ALLKEYS_LFU;
}

/* For the option table. */
bool limit_apply(void *module, const char **error);

/* Says in the log that maxmemory is so small that hardly anybody can mean it, if it is. */
void limit_warn(const struct limit *limit);

#endif
