/* set_visit: commands that go through the members of a set: all of them, a portion, or some at
 * random, which SPOP takes out. */
#include "base/buffer.h"
#include "call/pass_on.h"
#include "command/element_scan.h"
#include "command/set_call.h"
#include "command/tables.h"

static void smembers(struct call *call) {
    struct set_call on;
    if (!set_call_read(call, 1, &on)) {
        return;
    }
    if (on.set == NULL) {
        reply_set(call->reply, 0);
        return;
    }
    struct set_walk walk;
    struct set_batch batch;
    reply_set(call->reply, (int64_t)set_size(on.set));
    set_walk_begin(&walk, on.set);
    while (set_walk_next(&walk, &batch) && !reply_is_discarded(call->reply)) {
        for (size_t i = 0; i < batch.count; i++) {
            reply_bulk(call->reply, batch.members[i]);
        }
    }
}

/* Most members that a negative count of SRANDMEMBER may ask for. The reply of so many is some
 * hundred megabytes; what asks for more is a mistake or an attack. */
#define REPEATED_MAX (1 << 24)
/* Members between two looks at whether the reply is still wanted. */
#define REPEATED_PORTION 1024

static void reply_some_at_random(struct call *call, const struct entry *set, int64_t count) {
    struct random *random = &call->keyspace->random;
    if (set == NULL || count == 0) {
        reply_array(call->reply, 0);
    } else if (count < 0) {
        if (count < -REPEATED_MAX) {
            reply_error(call->reply, "ERR value is out of range");
            return;
        }
        reply_array(call->reply, -count);
        for (int64_t left = -count; left > 0 && !reply_is_discarded(call->reply);) {
            size_t portion = left < REPEATED_PORTION ? (size_t)left : REPEATED_PORTION;
            set_random(set, random, portion, set_call_reply_member, call->reply);
            left -= (int64_t)portion;
        }
    } else {
        int64_t size = (int64_t)set_size(set);
        reply_array(call->reply, count < size ? count : size);
        set_random_distinct(set, random, (size_t)count, set_call_reply_member, call->reply);
    }
}

static void srandmember(struct call *call) {
    struct set_call on;
    int64_t count;
    if (call->argc > 3) {
        reply_syntax_error(call->reply);
    } else if (call->argc == 3) {
        if (call_integer_between(call, 2, -INT64_MAX, INT64_MAX, &count) &&
            set_call_read(call, 1, &on)) {
            reply_some_at_random(call, on.set, count);
        }
    } else if (set_call_read(call, 1, &on)) {
        if (on.set == NULL) {
            reply_null(call->reply);
        } else {
            set_random(on.set, &call->keyspace->random, 1, set_call_reply_member, call->reply);
        }
    }
}

/* Members that are passed on together, and bytes of them from which they are. */
#define PASSED_TOGETHER 128
#define PASSED_BYTES    (64 * 1024)

/* Members being popped: they are replied, and for who repeats what happens they become SREM. */
struct popping {
    struct call *call;
    bool is_heard;
    size_t count;
    struct buffer texts; /* of the members that are not passed on yet */
    size_t ends[PASSED_TOGETHER];
};

static void pass_on_removed(struct popping *popping) {
    struct bytes words[PASSED_TOGETHER + 2] = {bytes_text("SREM"), popping->call->args[1]};
    size_t begin = 0;
    for (size_t i = 0; i < popping->count; i++) {
        words[i + 2] = bytes_of(popping->texts.at + begin, popping->ends[i] - begin);
        begin = popping->ends[i];
    }
    if (popping->count > 0) {
        call_pass_on(popping->call, words, (int)popping->count + 2);
    }
    popping->count = 0;
    popping->texts.size = 0;
}

static void pop_member(void *context, struct bytes member) {
    struct popping *popping = context;
    reply_bulk(popping->call->reply, member);
    if (popping->is_heard) {
        buffer_append(&popping->texts, member.at, member.size);
        popping->ends[popping->count++] = popping->texts.size;
        if (popping->count == PASSED_TOGETHER || popping->texts.size >= PASSED_BYTES) {
            pass_on_removed(popping);
        }
    }
}

static void pop_some(struct call *call, struct set_call *on, size_t count) {
    struct popping popping = {.call = call, .is_heard = call_is_heard(call)};
    buffer_init(&popping.texts, MEM_ARENA);
    set_pop(on->set, &call->keyspace->random, count, pop_member, &popping);
    pass_on_removed(&popping);
    buffer_clear(&popping.texts);
    set_call_changed(on, "spop");
    set_call_settle(on);
}

static void pop_all(struct call *call, struct set_call *on) {
    uint64_t cursor = 0;
    do {
        cursor = set_scan(on->set, cursor, set_call_reply_member, call->reply);
    } while (cursor != 0);
    CALL_PASS_ON(call, bytes_text("DEL"), call->args[1]);
    set_call_changed(on, "spop");
    keyspace_remove(call->keyspace, &on->key, on->set, call->keyspace->options.lazy_server_del);
    keyspace_event(call->keyspace, &on->key, KEYSPACE_GENERIC, "del");
}

static void spop(struct call *call) {
    struct set_call on;
    int64_t count = 1;
    bool has_count = call->argc == 3;
    if (call->argc > 3) {
        reply_syntax_error(call->reply);
        return;
    }
    if (has_count && !call_integer_between(call, 2, 0, INT64_MAX, &count)) {
        return;
    }
    if (!set_call_write(call, 1, &on)) {
        return;
    }
    size_t size = on.set != NULL ? set_size(on.set) : 0;
    if (!has_count) {
        if (size == 0) {
            reply_null(call->reply);
        } else {
            pop_some(call, &on, 1);
        }
        return;
    }
    size_t wanted = (uint64_t)count < size ? (size_t)count : size;
    reply_set(call->reply, (int64_t)wanted);
    if (wanted == 0) {
        return;
    }
    if (wanted == size) {
        pop_all(call, &on);
    } else {
        pop_some(call, &on, wanted);
    }
}

struct scanning {
    struct element_scan scan;
    const struct entry *set;
};

static void scan_member(void *context, struct bytes member) {
    struct scanning *scanning = context;
    if (element_scan_meets(&scanning->scan, member)) {
        reply_bulk(scanning->scan.call->reply, member);
    }
}

static uint64_t scan_portion(void *context, uint64_t cursor) {
    struct scanning *scanning = context;
    return set_scan(scanning->set, cursor, scan_member, scanning);
}

static void sscan(struct call *call) {
    struct scanning scanning;
    struct set_call on;
    if (!element_scan_cursor(call, &scanning.scan) || !set_call_read(call, 1, &on)) {
        return;
    }
    if (on.set == NULL) {
        element_scan_reply_none(call);
    } else if (element_scan_options(call, &scanning.scan, NULL)) {
        scanning.set = on.set;
        element_scan_reply(&scanning.scan, 1, scan_portion, &scanning);
    }
}

#define READ_SLOW    (CATEGORY_READ | CATEGORY_SET | CATEGORY_SLOW)
#define ONE_KEY(how) KEYS_RANGE(1, 0, 1, 0, (how))

static const struct command_row rows[] = {
    {.name = "smembers",
     .fn = smembers,
     .arity = 2,
     .flags = COMMAND_READONLY,
     .categories = READ_SLOW,
     .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for a set of N members.",
     .summary = "Returns all members of a set.",
     .syntax = "key"},
    {.name = "spop",
     .fn = spop,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_SET | CATEGORY_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .tips = TIP_CHANCE,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members popped.",
     .summary = "Removes members of a set at random and returns them.",
     .syntax = "key [count]"},
    {.name = "srandmember",
     .fn = srandmember,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = READ_SLOW,
     .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members returned.",
     .summary = "Returns members of a set at random.",
     .syntax = "key [count]"},
    {.name = "sscan",
     .fn = sscan,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = READ_SLOW,
     .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_SET,
     .since = "2.8.0",
     .complexity = "O(1) for a call, O(N) for a whole scan of N members.",
     .summary = "Goes through the members of a set in portions.",
     .syntax = "key cursor [MATCH pattern] [COUNT count]"},
};

const struct command_table *command_set_visits(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
