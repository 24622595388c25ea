/* list: commands on lists: their ends, elements by position, ranges. What looks for elements by
 * what they are is in list_search.c, what involves two lists or several in list_move.c. */
#include "command/list_call.h"
#include "command/list_reply.h"
#include "command/tables.h"
#include "ds/element.h"

/* Room for the arguments from an index on. */
static size_t room_for(const struct call *call, int index) {
    size_t size = 0;
    for (int i = index; i < call->argc && size < REPLY_REFER_MIN; i++) {
        size += element_form_of_text(call->args[i]).total;
    }
    return size;
}

static void push(struct call *call, enum list_end end, bool only_if_there) {
    struct list_call on;
    if (!list_call_write(call, 1, &on)) {
        return;
    }
    if (only_if_there && on.list == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    if (UNLIKELY(on.list == NULL) && !list_call_create(&on, room_for(call, 2))) {
        return;
    }
    const struct list_options *options = &call->keyspace->list_options;
    int added = 0;
    int result = 0;
    for (int i = 2; i < call->argc; i++) {
        struct list_write write = list_call_argument(call, i);
        result = list_push(on.list, options, end, &write);
        if (UNLIKELY(result != 0)) {
            break;
        }
        added++;
    }
    if (LIKELY(added > 0)) {
        list_call_changed(&on, end == LIST_HEAD ? "lpush" : "rpush");
    }
    if (UNLIKELY(result != 0)) {
        reply_no_memory(call->reply);
        list_call_settle(&on);
        return;
    }
    reply_integer(call->reply, (int64_t)list_length(on.list));
}

static void lpush(struct call *call) {
    push(call, LIST_HEAD, false);
}

static void rpush(struct call *call) {
    push(call, LIST_TAIL, false);
}

static void lpushx(struct call *call) {
    push(call, LIST_HEAD, true);
}

static void rpushx(struct call *call) {
    push(call, LIST_TAIL, true);
}

static void pop(struct call *call, enum list_end end) {
    bool several = call->argc == 3;
    int64_t count = 1;
    struct list_call on;
    if (call->argc > 3) {
        reply_bad_arity(call->reply, call->command->name);
        return;
    }
    if ((several && !call_integer_between(call, 2, 0, INT64_MAX, &count)) ||
        !list_call_write(call, 1, &on)) {
        return;
    }
    if (on.list == NULL) {
        if (several) {
            reply_null_array(call->reply);
        } else {
            reply_null(call->reply);
        }
        return;
    }
    size_t length = list_length(on.list);
    if (several) {
        count = (uint64_t)count < length ? count : (int64_t)length;
        reply_array(call->reply, count);
    }
    if (count > 0) {
        list_call_pop(&on, end, (size_t)count);
    }
}

static void lpop(struct call *call) {
    pop(call, LIST_HEAD);
}

static void rpop(struct call *call) {
    pop(call, LIST_TAIL);
}

static void llen(struct call *call) {
    struct list_call on;
    if (list_call_read(call, 1, &on)) {
        reply_integer(call->reply, on.list != NULL ? (int64_t)list_length(on.list) : 0);
    }
}

/* A position from the start, of an index that counts from the end if it is negative; false when
 * there is none. */
static bool position(const struct entry *list, int64_t index, size_t *at) {
    int64_t length = (int64_t)list_length(list);
    if (index < 0) {
        index += length;
    }
    *at = (size_t)index;
    return index >= 0 && index < length;
}

static void lindex(struct call *call) {
    struct list_call on;
    int64_t index;
    size_t at;
    if (!list_call_read(call, 1, &on)) {
        return;
    }
    if (on.list == NULL) {
        reply_null(call->reply);
        return;
    }
    if (!call_integer(call, 2, &index)) {
        return;
    }
    if (position(on.list, index, &at)) {
        list_reply_element(call->reply, on.list, at);
    } else {
        reply_null(call->reply);
    }
}

static void lset(struct call *call) {
    struct list_call on;
    int64_t index;
    size_t at;
    if (!list_call_write(call, 1, &on)) {
        return;
    }
    if (on.list == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    if (!call_integer(call, 2, &index)) {
        return;
    }
    if (!position(on.list, index, &at)) {
        reply_error(call->reply, "ERR index out of range");
        return;
    }
    struct list_write write = list_call_argument(call, 3);
    if (list_set(on.list, &call->keyspace->list_options, at, &write) != 0) {
        reply_no_memory(call->reply);
        return;
    }
    reply_ok(call->reply);
    list_call_changed(&on, "lset");
}

/* The part of a list between two indexes, both included: false when it is empty. */
static bool part(const struct entry *list, int64_t start, int64_t stop, size_t *at, size_t *count) {
    int64_t length = (int64_t)list_length(list);
    start = start < 0 ? start + length : start;
    stop = stop < 0 ? stop + length : stop;
    start = start < 0 ? 0 : start;
    stop = stop < length ? stop : length - 1;
    if (start > stop) {
        return false;
    }
    *at = (size_t)start;
    *count = (size_t)(stop - start) + 1;
    return true;
}

static void lrange(struct call *call) {
    struct list_call on;
    int64_t start;
    int64_t stop;
    size_t at;
    size_t count;
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &stop) ||
        !list_call_read(call, 1, &on)) {
        return;
    }
    if (on.list == NULL || !part(on.list, start, stop, &at, &count)) {
        reply_array(call->reply, 0);
        return;
    }
    reply_array(call->reply, (int64_t)count);
    list_reply_range(call->reply, on.list, at, count);
}

static void ltrim(struct call *call) {
    struct list_call on;
    int64_t start;
    int64_t stop;
    size_t at;
    size_t count;
    if (!call_integer(call, 2, &start) || !call_integer(call, 3, &stop) ||
        !list_call_write(call, 1, &on)) {
        return;
    }
    if (on.list != NULL) {
        const struct list_options *options = &call->keyspace->list_options;
        size_t length = list_length(on.list);
        if (!part(on.list, start, stop, &at, &count)) {
            at = 0;
            count = 0;
        }
        list_remove(on.list, options, at + count, length - at - count);
        list_remove(on.list, options, 0, at);
        list_call_changed(&on, "ltrim");
        list_call_settle(&on);
    }
    reply_ok(call->reply);
}

static const struct command_row rows[] = {
    {.name = "lindex",
     .fn = lindex,
     .arity = 3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for the elements of a block; finding the block is logarithmic.",
     .summary = "Returns the element at a position of a list.",
     .syntax = "key index"},
    {.name = "llen",
     .fn = llen,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns how many elements a list has.",
     .syntax = "key"},
    {.name = "lpop",
     .fn = lpop,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for N elements.",
     .summary = "Removes elements from the head of a list and returns them.",
     .syntax = "key [count]"},
    {.name = "lpush",
     .fn = lpush,
     .element = 2,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for N elements.",
     .summary = "Adds elements at the head of a list, one after the other.",
     .syntax = "key element [element ...]"},
    {.name = "lpushx",
     .fn = lpushx,
     .element = 2,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "2.2.0",
     .complexity = "O(N) for N elements.",
     .summary = "Adds elements at the head of a list if it exists.",
     .syntax = "key element [element ...]"},
    {.name = "lrange",
     .fn = lrange,
     .arity = 4,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for N elements; where they begin is found in logarithmic time.",
     .summary = "Returns the elements between two positions of a list.",
     .syntax = "key start stop"},
    {.name = "lset",
     .fn = lset,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for the elements of a block; finding the block is logarithmic.",
     .summary = "Replaces the element at a position of a list.",
     .syntax = "key index element"},
    {.name = "ltrim",
     .fn = ltrim,
     .arity = 4,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for N elements removed.",
     .summary = "Removes all elements of a list but those between two positions.",
     .syntax = "key start stop"},
    {.name = "rpop",
     .fn = rpop,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for N elements.",
     .summary = "Removes elements from the tail of a list and returns them.",
     .syntax = "key [count]"},
    {.name = "rpush",
     .fn = rpush,
     .element = 2,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "1.0.0",
     .complexity = "O(N) for N elements.",
     .summary = "Adds elements at the tail of a list.",
     .syntax = "key element [element ...]"},
    {.name = "rpushx",
     .fn = rpushx,
     .element = 2,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_LIST | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_INSERT)},
     .group = GROUP_LIST,
     .since = "2.2.0",
     .complexity = "O(N) for N elements.",
     .summary = "Adds elements at the tail of a list if it exists.",
     .syntax = "key element [element ...]"},
};

const struct command_table *command_lists(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
