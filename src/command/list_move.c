/* list_move: commands that take elements out of one of several lists, or from one list to another.
 * Those that wait for elements are elsewhere and use the same functions: command/list_call.h. */
#include "base/num.h"
#include "command/list_call.h"
#include "command/tables.h"

/* One element, the null if there is none. */
static void move_one(struct call *call, enum list_end from_end, enum list_end to_end) {
    struct list_call from;
    struct list_call to;
    if (!list_call_write(call, 1, &from)) {
        return;
    }
    if (from.list == NULL) {
        reply_null(call->reply);
        return;
    }
    if (list_call_write(call, 2, &to)) {
        list_call_move(&from, from_end, &to, to_end);
    }
}

static void lmove(struct call *call) {
    enum list_end from_end;
    enum list_end to_end;
    if (!list_call_end(call, 3, &from_end) || !list_call_end(call, 4, &to_end)) {
        reply_syntax_error(call->reply);
        return;
    }
    move_one(call, from_end, to_end);
}

static void rpoplpush(struct call *call) {
    move_one(call, LIST_TAIL, LIST_HEAD);
}

/* How many elements LMOVEM moves. */
struct move_amount {
    int64_t count;
    bool exactly; /* all of them or none */
    bool one_by_one;
};

static bool amount_options(struct call *call, struct move_amount *amount) {
    *amount = (struct move_amount){.count = 1};
    if (call->argc == 5) {
        return true;
    }
    amount->exactly = call->argc == 8 && call_arg_is(call, 5, "exactly");
    amount->one_by_one = call->argc == 8 && call_arg_is(call, 7, "obo");
    if (call->argc != 8 || (!amount->exactly && !call_arg_is(call, 5, "count")) ||
        (!amount->one_by_one && !call_arg_is(call, 7, "bulk"))) {
        reply_syntax_error(call->reply);
        return false;
    }
    if (!num_parse_i64(call->args[6], &amount->count) || amount->count < 1) {
        reply_error(call->reply, "ERR count should be greater than 0");
        return false;
    }
    return true;
}

static void lmovem(struct call *call) {
    enum list_end from_end;
    enum list_end to_end;
    struct move_amount amount;
    struct list_call from;
    struct list_call to;
    if (!list_call_end(call, 3, &from_end) || !list_call_end(call, 4, &to_end)) {
        reply_syntax_error(call->reply);
        return;
    }
    if (!amount_options(call, &amount) || !list_call_write(call, 1, &from)) {
        return;
    }
    size_t length = from.list != NULL ? list_length(from.list) : 0;
    size_t count = (uint64_t)amount.count < length ? (size_t)amount.count : length;
    if (count == 0 || (amount.exactly && count < (size_t)amount.count)) {
        reply_null_array(call->reply);
        return;
    }
    /* One by one, what was taken from an end and goes to the same end of the other list comes out
     * the other way round. */
    bool reverse = amount.one_by_one && from_end == to_end;
    if (list_call_write(call, 2, &to)) {
        list_call_move_many(&from, from_end, &to, to_end, count, reverse);
    }
}

static void lmpop(struct call *call) {
    struct list_mpop mpop;
    struct list_call on;
    if (!list_call_parse_mpop(call, 1, &mpop) ||
        !list_call_first(call, mpop.first_key, mpop.key_count, &on)) {
        return;
    }
    if (on.list != NULL) {
        list_call_mpop(&on, &mpop);
    } else {
        reply_null_array(call->reply);
    }
}

static const struct command_row rows[] = {
    {.name = "lmove",
     .fn = lmove,
     .arity = 5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE),
              KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Moves an element from an end of a list to an end of another, and returns it.",
     .syntax = "source destination <LEFT|RIGHT> <LEFT|RIGHT>"},
    {.name = "lmovem",
     .fn = lmovem,
     .arity = -5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE),
              KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "8.10.0",
     .complexity = "O(N) for N elements.",
     .summary = "Moves elements from an end of a list to an end of another, and returns them.",
     .syntax =
         "source destination <LEFT|RIGHT> <LEFT|RIGHT> [<COUNT count|EXACTLY exactly> <OBO|BULK>]"},
    {.name = "lmpop",
     .fn = lmpop,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(1, 0, 1, 1, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_LIST,
     .since = "7.0.0",
     .complexity = "O(N+M) for N keys and M elements.",
     .summary = "Removes elements from the first of several lists that has any, and returns them.",
     .syntax = "numkeys key [key ...] <LEFT|RIGHT> [COUNT count]"},
    {.name = "rpoplpush",
     .fn = rpoplpush,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE),
              KEYS_RANGE(2, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Moves the last element of a list to the head of another, and returns it.",
     .syntax = "source destination",
     .deprecated_since = "6.2.0",
     .replaced_by = "`LMOVE` with `RIGHT` and `LEFT`"},
};

const struct command_table *command_list_moves(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
