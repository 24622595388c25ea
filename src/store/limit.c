/* limit: the declarations of the memory options and the lines that show them. */
#include "store/limit.h"

#include <string.h>

#include "base/check.h"
#include "base/num.h"

/* The longest text of num_format_human. */
#define HUMAN_SIZE 32

/* In the order in which an error lists them. */
static const struct option_choice limit_policies[] = {
    {"volatile-lru", LIMIT_VOLATILE_LRU},
    {"volatile-lfu", LIMIT_VOLATILE_LFU},
    {"volatile-random", LIMIT_VOLATILE_RANDOM},
    {"volatile-ttl", LIMIT_VOLATILE_TTL},
    {"allkeys-lru", LIMIT_ALLKEYS_LRU},
    {"allkeys-lfu", LIMIT_ALLKEYS_LFU},
    {"allkeys-random", LIMIT_ALLKEYS_RANDOM},
    {"noeviction", LIMIT_NOEVICTION},
    {NULL, 0},
};

const char *limit_policy_name(enum limit_policy policy) {
    check(policy >= LIMIT_VOLATILE_LRU && policy <= LIMIT_NOEVICTION);
    return limit_policies[policy].name;
}

static int64_t metric_bytes_max(void *module) {
    const struct limit *limit = module;
    return limit->options.bytes_max;
}

static void metric_bytes_max_human(void *module, struct buffer *out) {
    const struct limit *limit = module;
    char text[HUMAN_SIZE];
    num_format_human(text, (uint64_t)limit->options.bytes_max);
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
    options_register(options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &limit->options, limit);
    metrics_register(metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0], NULL, limit,
                     NULL);
}
