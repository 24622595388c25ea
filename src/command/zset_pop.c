/* zset_pop: commands that take members of sorted sets from an end, at random, or as a walk comes to
 * them. */
#include "command/zset_call.h"

#include "base/num.h"
#include "call/pass_on.h"
#include "command/element_random.h"
#include "command/element_scan.h"
#include "command/tables.h"

static void pop(struct call *call, bool highest) {
    int64_t count = 1;
    bool has_count = call->argc == 3;
    struct zset_call on;
    if (call->argc > 3) {
        reply_syntax_error(call->reply);
        return;
    }
    if ((has_count && !call_integer_between(call, 2, 0, INT64_MAX, &count)) ||
        !zset_call_write(call, 1, &on)) {
        return;
    }
    if (on.zset == NULL || count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    size_t length = zset_length(on.zset);
    size_t popped = (uint64_t)count < length ? (size_t)count : length;
    struct zset_replying replying = zset_call_replying(call, true);
    /* A single one without a count is a pair without an array around it. */
    replying.in_pairs = replying.in_pairs && has_count;
    zset_call_reply_header(&replying, popped);
    zset_call_pop(&on, highest, popped, &replying);
}

static void zpopmin(struct call *call) {
    pop(call, false);
}

static void zpopmax(struct call *call) {
    pop(call, true);
}

static void zmpop(struct call *call) {
    struct zset_mpop mpop;
    if (!zset_call_parse_mpop(call, 1, &mpop)) {
        return;
    }
    for (int i = 0; i < mpop.key_count; i++) {
        struct zset_call on;
        if (!zset_call_write(call, mpop.first_key + i, &on)) {
            return;
        }
        if (on.zset != NULL) {
            zset_call_mpop(&on, &mpop);
            return;
        }
    }
    reply_null_array(call->reply);
}

/* Most members that a negative count of ZRANDMEMBER may ask for. The reply of so many is some
 * hundred megabytes; what asks for more is a mistake or an attack. */
#define REPEATED_MAX (1 << 24)

static void reply_random(struct call *call, int64_t count, bool with_scores) {
    struct zset_call on;
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    if (on.zset == NULL || count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    size_t length = zset_length(on.zset);
    bool distinct = count > 0;
    uint64_t wanted = distinct ? (uint64_t)count : -(uint64_t)count;
    if (distinct && wanted > length) {
        wanted = length;
    } else if (!distinct && wanted > REPEATED_MAX) {
        reply_error(call->reply, "ERR value is out of range");
        return;
    }
    struct zset_replying replying = zset_call_replying(call, with_scores);
    zset_call_reply_header(&replying, wanted);
    struct random *random = &call->keyspace->random;
    if (distinct && wanted == length) {
        /* All of them: nothing to choose, and from the highest score down, as in Redis. */
        zset_call_reply_span(&replying, on.zset, (struct zset_span){0, length}, true);
    } else if (distinct) {
        zset_random_distinct(on.zset, random, wanted, zset_call_reply_member, &replying);
    } else {
        while (wanted > 0 && !reply_is_discarded(call->reply)) {
            size_t portion = wanted < ZSET_CALL_PORTION ? wanted : ZSET_CALL_PORTION;
            zset_random(on.zset, random, portion, zset_call_reply_member, &replying);
            wanted -= portion;
        }
    }
}

static void zrandmember(struct call *call) {
    if (call->argc > 2) {
        int64_t count;
        bool with_scores;
        if (element_random_read(call, "withscores", &count, &with_scores)) {
            reply_random(call, count, with_scores);
        }
        return;
    }
    struct zset_call on;
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    if (on.zset == NULL) {
        reply_null(call->reply);
        return;
    }
    struct zset_replying replying = {.reply = call->reply};
    zset_random(on.zset, &call->keyspace->random, 1, zset_call_reply_member, &replying);
}

struct scanning {
    struct element_scan scan;
    struct entry *zset;
};

/* Redis keeps whole numbers up to here as such in what is compact, and ZSCAN shows what is kept. */
#define KEPT_WHOLE_MAX ((double)(INT64_MAX / 2))

/* Scores are texts here, in RESP3 too. */
static void reply_scanned_score(const struct scanning *scanning, double score) {
    struct reply *reply = scanning->scan.call->reply;
    if (entry_encoding(scanning->zset) == ENTRY_PACK && score >= -KEPT_WHOLE_MAX &&
        score <= KEPT_WHOLE_MAX && (double)(int64_t)score == score) {
        reply_bulk_integer(reply, (int64_t)score);
        return;
    }
    char digits[NUM_FLOAT_SIZE];
    reply_bulk(reply, bytes_of(digits, num_format_double(digits, score)));
}

static void scan_member(void *context, const struct zset_member *member) {
    struct scanning *scanning = context;
    if (element_scan_meets(&scanning->scan, member->name)) {
        reply_bulk(scanning->scan.call->reply, member->name);
        if (!scanning->scan.no_values) {
            reply_scanned_score(scanning, member->score);
        }
    }
}

static uint64_t scan_portion(void *context, uint64_t cursor) {
    struct scanning *scanning = context;
    return zset_scan(scanning->zset, cursor, scan_member, scanning);
}

static void zscan(struct call *call) {
    struct scanning scanning;
    struct zset_call on;
    if (!element_scan_cursor(call, &scanning.scan) || !zset_call_read(call, 1, &on)) {
        return;
    }
    if (on.zset == NULL) {
        element_scan_reply_none(call);
    } else if (element_scan_options(call, &scanning.scan, "noscores")) {
        scanning.zset = on.zset;
        element_scan_reply(&scanning.scan, scanning.scan.no_values ? 1 : 2, scan_portion,
                           &scanning);
    }
}

static const struct command_row rows[] = {
    {.name = "zmpop",
     .fn = zmpop,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(1, 0, 1, 1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_SORTED_SET,
     .since = "7.0.0",
     .complexity = "O(K+M*log(N)) for K keys and M members popped.",
     .summary =
         "Takes the lowest or highest members from the first of several sorted sets that has any.",
     .syntax = "numkeys key [key ...] <MIN|MAX> [COUNT count]"},
    {.name = "zpopmax",
     .fn = zpopmax,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_SORTED_SET,
     .since = "5.0.0",
     .complexity = "O(M*log(N)) for M members popped.",
     .summary = "Takes the members with the highest scores out of a sorted set and returns them.",
     .syntax = "key [count]"},
    {.name = "zpopmin",
     .fn = zpopmin,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_SORTED_SET,
     .since = "5.0.0",
     .complexity = "O(M*log(N)) for M members popped.",
     .summary = "Takes the members with the lowest scores out of a sorted set and returns them.",
     .syntax = "key [count]"},
    {.name = "zrandmember",
     .fn = zrandmember,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity = "O(M*log(N)) for M members returned, at most O(N) if they are to differ.",
     .summary = "Returns members of a sorted set at random.",
     .syntax = "key [count [WITHSCORES]]"},
    {.name = "zscan",
     .fn = zscan,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_SORTED_SET,
     .since = "2.8.0",
     .complexity = "O(1) for a call, O(N) for a whole scan of N members.",
     .summary = "Goes through the members of a sorted set in portions.",
     .syntax = "key cursor [MATCH pattern] [COUNT count] [NOSCORES]"},
};

const struct command_table *command_zset_pops(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
