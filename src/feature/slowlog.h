/* slowlog: the commands that took long, the newest ones first: what SLOWLOG shows.
 *
 * Not the whole of a command is kept: no more than SLOWLOG_ARGUMENTS_MAX arguments and of each no
 * more than SLOWLOG_ARGUMENT_SIZE_MAX bytes, with a remark of what was left out, so that the log's
 * memory is bounded by its length. Secrets are not written down (feature/redact.h). */
#ifndef LARDER_FEATURE_SLOWLOG_H
#define LARDER_FEATURE_SLOWLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/context.h"

/* Redis's limits; tools cut their columns by them. */
#define SLOWLOG_ARGUMENTS_MAX     32
#define SLOWLOG_ARGUMENT_SIZE_MAX 128

#define SLOWLOG_OPTIONS(X)                                                                         \
    X(INT, slower_than_us, "slowlog-log-slower-than", "10000", -1, INT64_MAX, NULL, 0,             \
      slowlog_apply, "Microseconds from which on a command is logged; 0: every one, -1: none.")    \
    X(INT, length_max, "slowlog-max-len", "128", 0, INT64_MAX, NULL, 0, slowlog_apply,             \
      "Entries that the slow log keeps.")
struct slowlog_options {
    SLOWLOG_OPTIONS(OPTION_FIELD)
};

#define SLOWLOG_METRICS(X)                                                                         \
    X(STATS, slowlog_commands_logged, COUNTER, "Commands that were written into the slow log.")
struct slowlog_metrics {
    SLOWLOG_METRICS(METRIC_FIELD)
};

struct slowlog;

/* One command. Its texts lie behind it in the same allocation. */
struct slowlog_entry {
    struct slowlog_entry *older;
    struct slowlog_entry *newer;
    int64_t id;     /* counts from 0, never anew */
    int64_t time_s; /* wall time, seconds since 1970 */
    int64_t duration_us;
    size_t size; /* of the allocation */
    int argument_count;
    struct bytes peer; /* "127.0.0.1:1234" */
    struct bytes name; /* what CLIENT SETNAME gave, or empty */
    struct bytes arguments[SLOWLOG_ARGUMENTS_MAX];
};

/* Registers options and metrics and observes the calls of context->clients. */
struct slowlog *slowlog_new(struct context *context);
void slowlog_free(struct slowlog *slowlog);

/* Once the options are read. */
void slowlog_start(struct slowlog *slowlog);

/* For the option tables. */
bool slowlog_apply(void *module, const char **error);

/* From how many microseconds on commands are logged; negative: none is. */
int64_t slowlog_slower_than_us(const struct slowlog *slowlog);

size_t slowlog_length(const struct slowlog *slowlog);
/* Then ->older. NULL when empty; valid until the next command. */
const struct slowlog_entry *slowlog_newest(const struct slowlog *slowlog);
/* Forgets all entries; ids go on. */
void slowlog_reset(struct slowlog *slowlog);

#endif
