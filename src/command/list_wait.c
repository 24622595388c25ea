/* list_wait: commands that pop from lists, or move elements, and wait where there is nothing:
 * client/waiting.h. What they become for others is the command that does not wait. */
#include "call/pass_on.h"
#include "client/waiting.h"
#include "command/list_call.h"
#include "command/tables.h"

static void pass_on_pop(struct call *call, const struct list_call *on, enum list_end end) {
    CALL_PASS_ON(call, bytes_text(end == LIST_HEAD ? "LPOP" : "RPOP"), on->key.name);
}

static void pop_or_wait(struct call *call, enum list_end end) {
    struct wait wait = {.type = ENTRY_LIST, .first_key = 1, .key_count = call->argc - 2};
    struct list_call on;
    if (!waiting_read_seconds(call, call->argc - 1, &wait.timeout_ms) ||
        !list_call_first(call, wait.first_key, wait.key_count, &on)) {
        return;
    }
    if (on.list == NULL) {
        waiting_begin(call, &wait);
        return;
    }
    list_call_pop_one(&on, end);
    pass_on_pop(call, &on, end);
}

static void blpop(struct call *call) {
    pop_or_wait(call, LIST_HEAD);
}

static void brpop(struct call *call) {
    pop_or_wait(call, LIST_TAIL);
}

static void blmpop(struct call *call) {
    struct wait wait = {.type = ENTRY_LIST};
    struct list_mpop mpop;
    struct list_call on;
    if (!waiting_read_seconds(call, 1, &wait.timeout_ms) || !list_call_parse_mpop(call, 2, &mpop) ||
        !list_call_first(call, mpop.first_key, mpop.key_count, &on)) {
        return;
    }
    if (on.list == NULL) {
        wait.first_key = mpop.first_key;
        wait.key_count = mpop.key_count;
        waiting_begin(call, &wait);
        return;
    }
    list_call_mpop(&on, &mpop);
}

/* Whether it was moved; otherwise the client waits, or an error has been replied. */
static bool move_or_wait(struct call *call, enum list_end from_end, enum list_end to_end,
                         int timeout) {
    struct wait wait = {.type = ENTRY_LIST, .first_key = 1, .key_count = 1};
    struct list_call from;
    struct list_call to;
    if (!waiting_read_seconds(call, timeout, &wait.timeout_ms) ||
        !list_call_write(call, 1, &from)) {
        return false;
    }
    if (from.list == NULL) {
        waiting_begin(call, &wait);
        return false;
    }
    return list_call_write(call, 2, &to) && list_call_move(&from, from_end, &to, to_end);
}

static void blmove(struct call *call) {
    enum list_end from_end;
    enum list_end to_end;
    if (!list_call_end(call, 3, &from_end) || !list_call_end(call, 4, &to_end)) {
        reply_syntax_error(call->reply);
        return;
    }
    if (move_or_wait(call, from_end, to_end, 5)) {
        CALL_PASS_ON(call, bytes_text("LMOVE"), call->args[1], call->args[2], call->args[3],
                     call->args[4]);
    }
}

static void brpoplpush(struct call *call) {
    if (move_or_wait(call, LIST_TAIL, LIST_HEAD, 3)) {
        CALL_PASS_ON(call, bytes_text("RPOPLPUSH"), call->args[1], call->args[2]);
    }
}

#define WAIT_CATEGORIES (CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW | CATEGORY_BLOCKING)
#define POPPED          (KEY_RW | KEY_ACCESS | KEY_DELETE)

static const struct command_row rows[] = {
    {.name = "blpop",
     .fn = blpop,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING,
     .categories = WAIT_CATEGORIES,
     .keys = {KEYS_RANGE(1, -2, 1, 0, POPPED)},
     .group = GROUP_LIST,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Takes the first element of the first list that has one, and waits until one has.",
     .syntax = "key [key ...] timeout"},
    {.name = "brpop",
     .fn = brpop,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING,
     .categories = WAIT_CATEGORIES,
     .keys = {KEYS_RANGE(1, -2, 1, 0, POPPED)},
     .group = GROUP_LIST,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Takes the last element of the first list that has one, and waits until one has.",
     .syntax = "key [key ...] timeout"},
    {.name = "blmpop",
     .fn = blmpop,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
     .categories = WAIT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, POPPED)},
     .group = GROUP_LIST,
     .since = "7.0.0",
     .complexity = "O(N+M) for N keys and M elements",
     .summary = "Takes elements of the first of several lists that has any, and waits until one "
                "has.",
     .syntax = "timeout numkeys key [key ...] <LEFT|RIGHT> [COUNT count]"},
    {.name = "blmove",
     .fn = blmove,
     .arity = 6,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_BLOCKING,
     .categories = WAIT_CATEGORIES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, POPPED), KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Moves an element from one list to another, and waits until there is one.",
     .syntax = "source destination <LEFT|RIGHT> <LEFT|RIGHT> timeout"},
    {.name = "brpoplpush",
     .fn = brpoplpush,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_BLOCKING,
     .categories = WAIT_CATEGORIES,
     .keys = {KEYS_RANGE(1, 0, 1, 0, POPPED), KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Moves the last element of a list to the head of another, and waits until there "
                "is one.",
     .syntax = "source destination timeout",
     .deprecated_since = "6.2.0",
     .replaced_by = "`BLMOVE` with `RIGHT` and `LEFT`"},
};

const struct command_table *command_list_waits(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
