/* limit: the declarations of the memory options, the lines that show them, and what they come
 * to. */
#include "store/limit.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/num.h"

/* The longest text of num_format_human. */
#define HUMAN_SIZE 32

/* In the order in which an error lists them. */
static const struct option_choice limit_policies[] = {
    {"volatile-lru", LIMIT_VOLATILE_LRU},         {"volatile-lfu", LIMIT_VOLATILE_LFU},
    {"volatile-random", LIMIT_VOLATILE_RANDOM},   {"volatile-ttl", LIMIT_VOLATILE_TTL},
    {"allkeys-lru", LIMIT_ALLKEYS_LRU},           {"allkeys-lfu", LIMIT_ALLKEYS_LFU},
    {"allkeys-random", LIMIT_ALLKEYS_RANDOM},     {"noeviction", LIMIT_NOEVICTION},
    {"allkeys-adaptive", LIMIT_ALLKEYS_ADAPTIVE}, {NULL, 0},
};

const char *limit_policy_name(enum limit_policy policy) {
    check(policy >= LIMIT_VOLATILE_LRU && policy <= LIMIT_ALLKEYS_ADAPTIVE);
    return limit_policies[policy].name;
}

void limit_warn(const struct limit *limit) {
    int64_t bytes = limit->options.bytes_max;
    if (bytes > 0 && bytes < LIMIT_SENSIBLE_MIN) {
        log_warning("maxmemory is %lld bytes, which is less than the server needs for itself: is a "
                    "unit missing (100mb)?",
                    (long long)bytes);
    }
}

bool limit_apply(void *module, const char **error) {
    (void)error;
    struct limit *limit = module;
    limit_warn(limit);
    if (limit->changed != NULL) {
        limit->changed(limit->context);
    }
    return true;
}

/* An option's value: bytes, or below zero a share of `whole`. */
static int64_t share_of(int64_t value, int64_t whole) {
    return value >= 0 ? value : (int64_t)((double)whole * (double)-value / 100);
}

int64_t limit_bytes(const struct limit *limit) {
    return share_of(limit->options.bytes_max, limit->machine_bytes);
}

int64_t limit_clients_bytes(const struct limit *limit) {
    int64_t value = limit->options.clients_bytes_max;
    int64_t whole = limit_bytes(limit);
    int64_t bytes = share_of(value, whole > 0 ? whole : limit->machine_bytes);
    return value < 0 && bytes < LIMIT_CLIENTS_SHARE_MIN ? LIMIT_CLIENTS_SHARE_MIN : bytes;
}

static int64_t metric_bytes_max(void *module) {
    const struct limit *limit = module;
    return limit_bytes(limit);
}

static void metric_bytes_max_human(void *module, struct buffer *out) {
    const struct limit *limit = module;
    char text[HUMAN_SIZE];
    num_format_human(text, (uint64_t)limit_bytes(limit));
    buffer_append_text(out, text);
}

static void metric_policy(void *module, struct buffer *out) {
    const struct limit *limit = module;
    buffer_append_text(out, limit_policy_name((enum limit_policy)limit->options.policy));
}

void limit_init(struct limit *limit, struct options *options, struct metrics *metrics) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct limit_options, __VA_ARGS__)
        MEMORY_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
        {.name = "maxmemory",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_bytes_max,
         .description = "The limit of memory in bytes; 0: none."},
        {.name = "maxmemory_human",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_TEXT,
         .text = metric_bytes_max_human,
         .description = "The same for people."},
        {.name = "maxmemory_policy",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_TEXT,
         .text = metric_policy,
         .description = "Which keys go when the limit is reached."},
    };
    memset(limit, 0, sizeof *limit);
    limit->machine_bytes = (int64_t)machine_memory("");
    options_register(options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &limit->options, limit);
    metrics_register(metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0], NULL, limit,
                     NULL);
}
