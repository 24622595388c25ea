/* zset_range: commands on ranges of sorted sets, by rank, score or name: reading, storing and
 * removing them. Whatever names a range, it becomes a span of ranks first. */
#include "command/zset_call.h"

#include <errno.h>

#include "command/tables.h"

enum range_kind { BY_ANY, BY_RANK, BY_SCORE, BY_NAME };
enum range_direction { EITHER, FORWARDS, BACKWARDS };

/* A range as the arguments say it. */
struct range {
    enum range_kind kind;
    bool reverse;
    bool with_scores;
    bool has_limit;
    int64_t skip;  /* of LIMIT; negative: nothing is left */
    int64_t count; /* of LIMIT; negative: all */
    int64_t start; /* ranks, negative ones from the end */
    int64_t stop;
    struct zset_scores scores;
    struct zset_names names;
};

/* What a command's name says already; options may say what is left open. */
struct range_form {
    enum range_kind kind;
    enum range_direction direction;
    bool stores;
    int key; /* argument index; start and stop follow it */
};

/* False when an error has been replied. */
static bool read_options(struct call *call, const struct range_form *form, struct range *range) {
    *range =
        (struct range){.kind = form->kind, .reverse = form->direction == BACKWARDS, .count = -1};
    for (int i = form->key + 3; i < call->argc; i++) {
        if (!form->stores && call_arg_is(call, i, "withscores")) {
            range->with_scores = true;
        } else if (call_arg_is(call, i, "limit") && i + 2 < call->argc) {
            if (!call_integer(call, i + 1, &range->skip) ||
                !call_integer(call, i + 2, &range->count)) {
                return false;
            }
            range->has_limit = true;
            i += 2;
        } else if (form->direction == EITHER && !range->reverse && call_arg_is(call, i, "rev")) {
            range->reverse = true;
        } else if (range->kind == BY_ANY && call_arg_is(call, i, "byscore")) {
            range->kind = BY_SCORE;
        } else if (range->kind == BY_ANY && call_arg_is(call, i, "bylex")) {
            range->kind = BY_NAME;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    if (range->kind == BY_ANY) {
        range->kind = BY_RANK;
    }
    if (range->has_limit && range->count != -1 && range->kind == BY_RANK) {
        reply_error(call->reply, "ERR syntax error, LIMIT is only supported in combination with "
                                 "either BYSCORE or BYLEX");
        return false;
    }
    if (range->with_scores && range->kind == BY_NAME) {
        reply_error(call->reply,
                    "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return true;
}

static bool read_range(struct call *call, const struct range_form *form, struct range *range) {
    if (!read_options(call, form, range)) {
        return false;
    }
    /* In descending order the upper end comes first, unless it is a rank. */
    int least = form->key + (range->reverse ? 2 : 1);
    int most = form->key + (range->reverse ? 1 : 2);
    switch (range->kind) {
    case BY_SCORE:
        return zset_call_scores(call, least, most, &range->scores);
    case BY_NAME:
        return zset_call_names(call, least, most, &range->names);
    default:
        return call_integer(call, form->key + 1, &range->start) &&
               call_integer(call, form->key + 2, &range->stop);
    }
}

/* The span from one rank to another; negative ones count from the end. */
static struct zset_span span_of_ranks(int64_t length, int64_t start, int64_t stop) {
    start = start < 0 ? start + length : start;
    stop = stop < 0 ? stop + length : stop;
    start = start < 0 ? 0 : start;
    stop = stop >= length ? length - 1 : stop;
    if (start > stop) {
        return (struct zset_span){0};
    }
    return (struct zset_span){(size_t)start, (size_t)(stop - start + 1)};
}

/* What LIMIT leaves of a span, which is gone through from its end if `reverse`. */
static struct zset_span limit_span(struct zset_span span, const struct range *range) {
    if (range->skip < 0 || (uint64_t)range->skip >= span.count) {
        return (struct zset_span){0};
    }
    size_t rest = span.count - (size_t)range->skip;
    size_t count = range->count >= 0 && (uint64_t)range->count < rest ? (size_t)range->count : rest;
    span.first += range->reverse ? rest - count : (size_t)range->skip;
    span.count = count;
    return span;
}

static struct zset_span find_span(const struct entry *zset, const struct range *range) {
    size_t length = zset_length(zset);
    struct zset_span span;
    if (range->kind == BY_RANK) {
        span = span_of_ranks((int64_t)length, range->start, range->stop);
        if (range->reverse) {
            span.first = length - span.first - span.count;
        }
        return span;
    }
    span = range->kind == BY_SCORE ? zset_span_of_scores(zset, &range->scores)
                                   : zset_span_of_names(zset, &range->names);
    return range->has_limit ? limit_span(span, range) : span;
}

static void reply_range(struct call *call, enum range_kind kind, enum range_direction direction) {
    struct range_form form = {kind, direction, false, 1};
    struct range range;
    struct zset_call on;
    if (!read_range(call, &form, &range) || !zset_call_read(call, 1, &on)) {
        return;
    }
    struct zset_span span = {0};
    if (on.zset != NULL) {
        span = find_span(on.zset, &range);
    }
    struct zset_replying replying = zset_call_replying(call, range.with_scores);
    zset_call_reply_header(&replying, span.count);
    zset_call_reply_span(&replying, on.zset, span, range.reverse);
}

static void zrange(struct call *call) {
    reply_range(call, BY_ANY, EITHER);
}

static void zrevrange(struct call *call) {
    reply_range(call, BY_RANK, BACKWARDS);
}

static void zrangebyscore(struct call *call) {
    reply_range(call, BY_SCORE, FORWARDS);
}

static void zrevrangebyscore(struct call *call) {
    reply_range(call, BY_SCORE, BACKWARDS);
}

static void zrangebylex(struct call *call) {
    reply_range(call, BY_NAME, FORWARDS);
}

static void zrevrangebylex(struct call *call) {
    reply_range(call, BY_NAME, BACKWARDS);
}

static void zrangestore(struct call *call) {
    struct range_form form = {BY_ANY, EITHER, true, 2};
    struct range range;
    struct zset_call source;
    if (!read_range(call, &form, &range) || !zset_call_read(call, 2, &source)) {
        return;
    }
    struct zset_span span = {0};
    if (source.zset != NULL) {
        span = find_span(source.zset, &range);
    }
    struct entry_shape shape = zset_new_shape();
    if (span.count > 0) {
        zset_discard(&shape);
        if (zset_copy_span(source.zset, span, &call->keyspace->zset_options, &shape) != 0) {
            reply_no_memory(call->reply);
            return;
        }
    }
    zset_call_store(call, 1, &shape, span.count, "zrangestore");
}

/* Removes the range that argument 2 and 3 name. */
static void remove_range(struct call *call, enum range_kind kind, const char *event) {
    struct range range = {.kind = kind};
    bool is_read = kind == BY_SCORE ? zset_call_scores(call, 2, 3, &range.scores)
                   : kind == BY_NAME
                       ? zset_call_names(call, 2, 3, &range.names)
                       : call_integer(call, 2, &range.start) && call_integer(call, 3, &range.stop);
    struct zset_call on;
    if (!is_read || !zset_call_write(call, 1, &on)) {
        return;
    }
    struct zset_span span = {0};
    if (on.zset != NULL) {
        span = find_span(on.zset, &range);
        zset_call_remove(&on, span, event);
    }
    reply_integer(call->reply, (int64_t)span.count);
}

static void zremrangebyrank(struct call *call) {
    remove_range(call, BY_RANK, "zremrangebyrank");
}

static void zremrangebyscore(struct call *call) {
    remove_range(call, BY_SCORE, "zremrangebyscore");
}

static void zremrangebylex(struct call *call) {
    remove_range(call, BY_NAME, "zremrangebylex");
}

static const struct command_row rows[] = {
    {.name = "zrange",
     .fn = zrange,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(log(N)+M) for M members returned.",
     .summary = "Returns the members of a sorted set in a range of ranks, scores or names.",
     .syntax = "key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]"},
    {.name = "zrangebylex",
     .fn = zrangebylex,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.8.9",
     .complexity = "O(log(N)+M) for M members returned.",
     .summary = "Returns the members of a sorted set between two names.",
     .syntax = "key min max [LIMIT offset count]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with `BYLEX`"},
    {.name = "zrangebyscore",
     .fn = zrangebyscore,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "1.0.5",
     .complexity = "O(log(N)+M) for M members returned.",
     .summary = "Returns the members of a sorted set between two scores.",
     .syntax = "key min max [WITHSCORES] [LIMIT offset count]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with `BYSCORE`"},
    {.name = "zrangestore",
     .fn = zrangestore,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE),
              KEYS_RANGE(2, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity = "O(log(N)+M) for M members stored.",
     .summary = "Stores a range of a sorted set under another key.",
     .syntax = "dst src min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]"},
    {.name = "zremrangebylex",
     .fn = zremrangebylex,
     .arity = 4,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)},
     .group = GROUP_SORTED_SET,
     .since = "2.8.9",
     .complexity = "O(M*log(N)) for M members removed.",
     .summary = "Removes the members of a sorted set between two names.",
     .syntax = "key min max"},
    {.name = "zremrangebyrank",
     .fn = zremrangebyrank,
     .arity = 4,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)},
     .group = GROUP_SORTED_SET,
     .since = "2.0.0",
     .complexity = "O(M*log(N)) for M members removed.",
     .summary = "Removes the members of a sorted set between two ranks.",
     .syntax = "key start stop"},
    {.name = "zremrangebyscore",
     .fn = zremrangebyscore,
     .arity = 4,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)},
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(M*log(N)) for M members removed.",
     .summary = "Removes the members of a sorted set between two scores.",
     .syntax = "key min max"},
    {.name = "zrevrange",
     .fn = zrevrange,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(log(N)+M) for M members returned.",
     .summary = "Returns the members of a sorted set between two ranks, the highest score first.",
     .syntax = "key start stop [WITHSCORES]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with `REV`"},
    {.name = "zrevrangebylex",
     .fn = zrevrangebylex,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.8.9",
     .complexity = "O(log(N)+M) for M members returned.",
     .summary = "Returns the members of a sorted set between two names, the last one first.",
     .syntax = "key max min [LIMIT offset count]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with `REV` and `BYLEX`"},
    {.name = "zrevrangebyscore",
     .fn = zrevrangebyscore,
     .arity = -4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.2.0",
     .complexity = "O(log(N)+M) for M members returned.",
     .summary = "Returns the members of a sorted set between two scores, the highest one first.",
     .syntax = "key max min [WITHSCORES] [LIMIT offset count]",
     .deprecated_since = "6.2.0",
     .replaced_by = "`ZRANGE` with `REV` and `BYSCORE`"},
};

const struct command_table *command_zset_ranges(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
