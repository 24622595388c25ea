/* stream_range: XRANGE and XREVRANGE. */
#include "base/num.h"
#include "command/stream_call.h"
#include "command/tables.h"

/* COUNT of the arguments from 4 on; false when an error has been replied. -1: not given. */
static bool parse_count(struct call *call, int64_t *count) {
    *count = -1;
    for (int i = 4; i < call->argc; i += 2) {
        if (i + 1 >= call->argc || !call_arg_is(call, i, "count")) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (!call_integer(call, i + 1, count)) {
            return false;
        }
        if (*count < 0) {
            *count = 0;
        }
    }
    return true;
}

static void reply_range(struct call *call, bool reverse) {
    struct stream_id first;
    struct stream_id last;
    int64_t count;
    struct stream_call on;
    if (!stream_call_start(call, reverse ? 3 : 2, &first) ||
        !stream_call_end(call, reverse ? 2 : 3, &last) || !parse_count(call, &count) ||
        !stream_call_read(call, 1, &on)) {
        return;
    }
    if (on.stream == NULL) {
        reply_array(call->reply, 0);
        return;
    }
    if (count == 0) {
        reply_null_array(call->reply);
        return;
    }
    struct stream_range range;
    struct stream_entry entry;
    int64_t found = 0;
    struct reply_mark mark = reply_defer(call->reply);
    stream_range_begin(&range, on.stream, first, last, reverse);
    while (found != count && stream_range_next(&range, &entry)) {
        stream_reply_entry(call->reply, &entry);
        found++;
    }
    reply_defer_end(call->reply, mark, '*', found);
}

static void xrange(struct call *call) {
    reply_range(call, false);
}

static void xrevrange(struct call *call) {
    reply_range(call, true);
}

#define READS_RANGE                                                                                \
    .arity = -4, .flags = COMMAND_READONLY,                                                        \
    .categories = CATEGORY_READ | CATEGORY_STREAM | CATEGORY_SLOW,                                 \
    .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)}, .group = GROUP_STREAM,                  \
    .since = "5.0.0", .complexity = "O(log N + M) for N entries, M of which are returned."

static const struct command_row rows[] = {
    {READS_RANGE, .name = "xrange", .fn = xrange,
     .summary = "Returns the entries of a stream between two ids.",
     .syntax = "key start end [COUNT count]"},
    {READS_RANGE, .name = "xrevrange", .fn = xrevrange,
     .summary = "Returns the entries of a stream between two ids, the last one first.",
     .syntax = "key end start [COUNT count]"},
};

const struct command_table *command_stream_ranges(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
