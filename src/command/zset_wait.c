/* zset_wait: commands that pop from sorted sets and wait where there is nothing: client/waiting.h.
 * What they become for others is the command that does not wait. */
#include "client/waiting.h"
#include "command/tables.h"
#include "command/zset_call.h"

/* The first of several keys in a row that is there; `zset` is NULL when none is. False when one
 * before it holds another type: the error has been replied. */
static bool find_first(struct call *call, const struct wait *wait, struct zset_call *on) {
    for (int i = 0; i < wait->key_count; i++) {
        if (!zset_call_write(call, wait->first_key + i, on)) {
            return false;
        }
        if (on->zset != NULL) {
            return true;
        }
    }
    return true;
}

static void pop_or_wait(struct call *call, bool highest) {
    struct wait wait = {.type = ENTRY_SORTED_SET, .first_key = 1, .key_count = call->argc - 2};
    struct zset_call on;
    if (!waiting_read_seconds(call, call->argc - 1, &wait.timeout_ms) ||
        !find_first(call, &wait, &on)) {
        return;
    }
    if (on.zset == NULL) {
        waiting_begin(call, &wait);
        return;
    }
    const struct zset_replying replying = {.reply = call->reply, .with_scores = true};
    reply_array(call->reply, 3);
    reply_bulk(call->reply, on.key.name);
    zset_call_pass_on_pop(&on, highest, 1);
    zset_call_pop(&on, highest, 1, &replying);
}

static void bzpopmin(struct call *call) {
    pop_or_wait(call, false);
}

static void bzpopmax(struct call *call) {
    pop_or_wait(call, true);
}

static void bzmpop(struct call *call) {
    struct wait wait = {.type = ENTRY_SORTED_SET};
    struct zset_mpop mpop = {0};
    struct zset_call on = {0};
    if (!waiting_read_seconds(call, 1, &wait.timeout_ms) || !zset_call_parse_mpop(call, 2, &mpop)) {
        return;
    }
    wait.first_key = mpop.first_key;
    wait.key_count = mpop.key_count;
    if (!find_first(call, &wait, &on)) {
        return;
    }
    if (on.zset == NULL) {
        waiting_begin(call, &wait);
    } else {
        zset_call_mpop(&on, &mpop);
    }
}

#define WAIT_CATEGORIES (CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_BLOCKING)
#define POPPED          (KEY_RW | KEY_ACCESS | KEY_DELETE)

static const struct command_row rows[] = {
    {.name = "bzpopmin",
     .fn = bzpopmin,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_FAST,
     .categories = WAIT_CATEGORIES | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, -2, 1, 0, POPPED)},
     .group = GROUP_SORTED_SET,
     .since = "5.0.0",
     .complexity = "O(log(N)), N being the number of members",
     .summary = "Takes the member with the lowest score of the first sorted set that has one, and "
                "waits until one has.",
     .syntax = "key [key ...] timeout"},
    {.name = "bzpopmax",
     .fn = bzpopmax,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_FAST,
     .categories = WAIT_CATEGORIES | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, -2, 1, 0, POPPED)},
     .group = GROUP_SORTED_SET,
     .since = "5.0.0",
     .complexity = "O(log(N)), N being the number of members",
     .summary = "Takes the member with the highest score of the first sorted set that has one, "
                "and waits until one has.",
     .syntax = "key [key ...] timeout"},
    {.name = "bzmpop",
     .fn = bzmpop,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
     .categories = WAIT_CATEGORIES | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(2, 0, 1, 1, POPPED)},
     .group = GROUP_SORTED_SET,
     .since = "7.0.0",
     .complexity = "O(K)+O(M*log(N)) for K keys, M members that are taken and N that there are",
     .summary = "Takes members from an end of the first of several sorted sets that has any, and "
                "waits until one has.",
     .syntax = "timeout numkeys key [key ...] <MIN|MAX> [COUNT count]"},
};

const struct command_table *command_zset_waits(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
