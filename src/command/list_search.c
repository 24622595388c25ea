/* list_search: commands that look for elements by what they are: LPOS, LINSERT, LREM. */
#include "base/num.h"
#include "command/list_call.h"
#include "command/tables.h"

/* Notes the first position found. */
static bool note_first(void *context, size_t at) {
    size_t *found = context;
    *found = at;
    return false;
}

static void linsert(struct call *call) {
    bool after = call_arg_is(call, 2, "after");
    if (!after && !call_arg_is(call, 2, "before")) {
        reply_syntax_error(call->reply);
        return;
    }
    struct list_call on;
    if (!list_call_write(call, 1, &on)) {
        return;
    }
    if (on.list == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    size_t at = SIZE_MAX;
    struct list_search search = {.text = call->args[3],
                                 .max = SIZE_MAX,
                                 .from = LIST_HEAD,
                                 .found = note_first,
                                 .context = &at};
    list_find(on.list, &search);
    if (at == SIZE_MAX) {
        reply_integer(call->reply, -1);
        return;
    }
    struct list_write write = list_call_argument(call, 4);
    if (list_insert(on.list, &call->keyspace->list_options, at + after, &write) != 0) {
        reply_no_memory(call->reply);
        return;
    }
    reply_integer(call->reply, (int64_t)list_length(on.list));
    list_call_changed(&on, "linsert");
}

static void lrem(struct call *call) {
    struct list_call on;
    int64_t count;
    if (!call_integer(call, 2, &count) || !list_call_write(call, 1, &on)) {
        return;
    }
    if (on.list == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    size_t max = count == 0 ? SIZE_MAX : count < 0 ? 0 - (size_t)count : (size_t)count;
    size_t removed = list_remove_equal(on.list, &call->keyspace->list_options, call->args[3], max,
                                       count < 0 ? LIST_TAIL : LIST_HEAD);
    reply_integer(call->reply, (int64_t)removed);
    if (removed > 0) {
        list_call_changed(&on, "lrem");
        list_call_settle(&on);
    }
}

/* What LPOS asks for. */
struct lpos {
    struct call *call;
    bool several; /* COUNT is given */
    size_t left;  /* to be found; SIZE_MAX: all */
    int64_t found;
};

static bool lpos_found(void *context, size_t at) {
    struct lpos *lpos = context;
    reply_integer(lpos->call->reply, (int64_t)at);
    lpos->found++;
    return --lpos->left > 0;
}

/* RANK, COUNT and MAXLEN in any order; false when an error has been replied. */
static bool lpos_options(struct call *call, struct lpos *lpos, struct list_search *search) {
    for (int i = 3; i < call->argc; i += 2) {
        int64_t number;
        if (i + 1 == call->argc) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (call_arg_is(call, i, "rank")) {
            if (!call_integer_between(call, i + 1, -INT64_MAX, INT64_MAX, &number)) {
                return false;
            }
            if (number == 0) {
                reply_error(call->reply,
                            "ERR RANK can't be zero: use 1 to start from the first match, 2 from "
                            "the second ... or use negative to start from the end of the list");
                return false;
            }
            search->from = number < 0 ? LIST_TAIL : LIST_HEAD;
            search->skip = (size_t)(number < 0 ? -number : number) - 1;
        } else if (call_arg_is(call, i, "count") || call_arg_is(call, i, "maxlen")) {
            bool is_count = call_arg_is(call, i, "count");
            if (!num_parse_i64(call->args[i + 1], &number) || number < 0) {
                reply_error(call->reply, is_count ? "ERR COUNT can't be negative"
                                                  : "ERR MAXLEN can't be negative");
                return false;
            }
            size_t limit = number == 0 ? SIZE_MAX : (size_t)number;
            if (is_count) {
                lpos->several = true;
                lpos->left = limit;
            } else {
                search->max = limit;
            }
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static void lpos(struct call *call) {
    struct lpos lpos = {.call = call, .left = 1};
    struct list_search search = {.text = call->args[2],
                                 .max = SIZE_MAX,
                                 .from = LIST_HEAD,
                                 .found = lpos_found,
                                 .context = &lpos};
    struct list_call on;
    if (!lpos_options(call, &lpos, &search) || !list_call_read(call, 1, &on)) {
        return;
    }
    if (on.list != NULL && search.from == LIST_TAIL) {
        search.at = list_length(on.list) - 1;
    }
    if (!lpos.several) {
        if (on.list != NULL) {
            list_find(on.list, &search);
        }
        if (lpos.found == 0) {
            reply_null(call->reply);
        }
    } else if (on.list == NULL) {
        reply_array(call->reply, 0);
    } else {
        struct reply_mark mark = reply_defer(call->reply);
        list_find(on.list, &search);
        reply_defer_end(call->reply, mark, '*', lpos.found);
    }
}

static const struct command_row rows[] = {
    {.name = "linsert",
     .fn = linsert,
     .arity = 5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "2.2.0",
     .complexity = "O(N) for N elements up to the one that is looked for.",
     .summary = "Adds an element before or after the first one that equals another.",
     .syntax = "key <BEFORE|AFTER> pivot element"},
    {.name = "lpos",
     .fn = lpos,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_LIST,
     .since = "6.0.6",
     .complexity = "O(N) for N elements looked at.",
     .summary = "Returns the positions of elements that equal a given one.",
     .syntax = "key element [RANK rank] [COUNT num-matches] [MAXLEN len]"},
    {.name = "lrem",
     .fn = lrem,
     .arity = 4,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for a list of N elements.",
     .summary = "Removes elements that equal a given one.",
     .syntax = "key count element"},
};

const struct command_table *command_list_search(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
