/* expiry: commands on keys' deadlines: EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT set one; TTL, PTTL,
 * EXPIRETIME, PEXPIRETIME read it; PERSIST takes it away. */
#include "command/tables.h"

#include "base/num.h"
#include "call/pass_on.h"
#include "call/call.h"

#define MS_IN_S 1000
/* What the reading commands answer when there is nothing to read. */
#define NO_KEY      (-2)
#define NO_DEADLINE (-1)

/* When a deadline may be set. */
enum condition {
    IF_NONE = 1,    /* NX */
    IF_ANY = 2,     /* XX */
    IF_LATER = 4,   /* GT; a key without deadline lives for ever, so nothing is later */
    IF_EARLIER = 8, /* LT */
};

/* False after an error. */
static bool parse_conditions(struct call *call, unsigned *conditions) {
    *conditions = 0;
    for (int i = 3; i < call->argc; i++) {
        if (call_arg_is(call, i, "nx")) {
            *conditions |= IF_NONE;
        } else if (call_arg_is(call, i, "xx")) {
            *conditions |= IF_ANY;
        } else if (call_arg_is(call, i, "gt")) {
            *conditions |= IF_LATER;
        } else if (call_arg_is(call, i, "lt")) {
            *conditions |= IF_EARLIER;
        } else {
            reply_errorf(call->reply, "ERR Unsupported option %.*s", bytes_printed(call->args[i]),
                         call->args[i].at);
            return false;
        }
    }
    if ((*conditions & IF_NONE) && (*conditions & ~(unsigned)IF_NONE)) {
        reply_error(call->reply,
                    "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*conditions & IF_LATER) && (*conditions & IF_EARLIER)) {
        reply_error(call->reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* Argument 2 as a time, milliseconds since 1970; false after an error. */
static bool parse_deadline(struct call *call, int64_t unit_ms, int64_t since_ms, int64_t *out) {
    int64_t value;
    if (!call_integer(call, 2, &value)) {
        return false;
    }
    if (__builtin_mul_overflow(value, unit_ms, &value) ||
        __builtin_add_overflow(value, since_ms, out)) {
        reply_errorf(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    return true;
}

static bool conditions_hold(unsigned conditions, int64_t current_ms, int64_t deadline_ms) {
    bool has = current_ms != ENTRY_NO_DEADLINE;
    return !((conditions & IF_NONE && has) || (conditions & IF_ANY && !has) ||
             (conditions & IF_LATER && (!has || deadline_ms <= current_ms)) ||
             (conditions & IF_EARLIER && has && deadline_ms >= current_ms));
}

/* The deadline is argument 2 times unit_ms, counted from since_ms. */
static void set_deadline(struct call *call, int64_t unit_ms, int64_t since_ms) {
    struct keyspace *keyspace = call->keyspace;
    unsigned conditions;
    int64_t deadline_ms;
    if (!parse_conditions(call, &conditions) ||
        !parse_deadline(call, unit_ms, since_ms, &deadline_ms)) {
        return;
    }
    deadline_ms = deadline_ms > ENTRY_DEADLINE_MAX ? ENTRY_DEADLINE_MAX : deadline_ms;
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(keyspace, &key);
    if (entry == NULL || !conditions_hold(conditions, entry_deadline(entry), deadline_ms)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (deadline_ms <= call->now_ms) {
        keyspace_remove(keyspace, &key, entry, keyspace->options.lazy_expire);
        keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "del");
        call_pass_on_removal(call, key.name, keyspace->options.lazy_expire);
    } else if (keyspace_set_deadline(keyspace, &key, entry, deadline_ms) != NULL) {
        keyspace_timed(keyspace, &key, "expire");
        call_pass_on_deadline(call, key.name, deadline_ms);
    } else {
        reply_no_memory(call->reply);
        return;
    }
    reply_integer(call->reply, 1);
}

static void expire(struct call *call) {
    set_deadline(call, MS_IN_S, call->now_ms);
}

static void pexpire(struct call *call) {
    set_deadline(call, 1, call->now_ms);
}

static void expireat(struct call *call) {
    set_deadline(call, MS_IN_S, 0);
}

static void pexpireat(struct call *call) {
    set_deadline(call, 1, 0);
}

/* Replies the deadline, counted from since_ms, in units. */
static void reply_deadline(struct call *call, int64_t unit_ms, int64_t since_ms) {
    struct key key = call_key(call, 1);
    const struct entry *entry = keyspace_look(call->keyspace, &key);
    if (entry == NULL) {
        reply_integer(call->reply, NO_KEY);
        return;
    }
    int64_t deadline_ms = entry_deadline(entry);
    if (deadline_ms == ENTRY_NO_DEADLINE) {
        reply_integer(call->reply, NO_DEADLINE);
        return;
    }
    /* Rounded to the nearest: a key that was set to live ten seconds shows ten, not nine. */
    reply_integer(call->reply, (deadline_ms - since_ms + unit_ms / 2) / unit_ms);
}

static void ttl(struct call *call) {
    reply_deadline(call, MS_IN_S, call->now_ms);
}

static void pttl(struct call *call) {
    reply_deadline(call, 1, call->now_ms);
}

static void expiretime(struct call *call) {
    reply_deadline(call, MS_IN_S, 0);
}

static void pexpiretime(struct call *call) {
    reply_deadline(call, 1, 0);
}

static void persist(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    if (entry == NULL || entry_deadline(entry) == ENTRY_NO_DEADLINE) {
        reply_integer(call->reply, 0);
        return;
    }
    if (keyspace_set_deadline(call->keyspace, &key, entry, ENTRY_NO_DEADLINE) == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    keyspace_timed(call->keyspace, &key, "persist");
    reply_integer(call->reply, 1);
}

#define SETS_FAST   (COMMAND_WRITE | COMMAND_FAST)
#define READS_FAST  (COMMAND_READONLY | COMMAND_FAST)
#define WRITE_FAST  (CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_FAST)
#define READ_FAST   (CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_FAST)
#define CHANGED_KEY KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)
#define READ_KEY    KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)

static const struct command_row rows[] = {
    {.name = "expire",
     .fn = expire,
     .arity = -3,
     .flags = SETS_FAST,
     .categories = WRITE_FAST,
     .keys = {CHANGED_KEY},
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Lets a key live for so many seconds more.",
     .syntax = "key seconds [NX|XX|GT|LT]"},
    {.name = "expireat",
     .fn = expireat,
     .arity = -3,
     .flags = SETS_FAST,
     .categories = WRITE_FAST,
     .keys = {CHANGED_KEY},
     .group = GROUP_GENERIC,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Lets a key live until a time, given in seconds since 1970.",
     .syntax = "key unix-time-seconds [NX|XX|GT|LT]"},
    {.name = "expiretime",
     .fn = expiretime,
     .arity = 2,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .group = GROUP_GENERIC,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Returns until when a key lives, in seconds since 1970.",
     .syntax = "key"},
    {.name = "persist",
     .fn = persist,
     .arity = 2,
     .flags = SETS_FAST,
     .categories = WRITE_FAST,
     .keys = {CHANGED_KEY},
     .group = GROUP_GENERIC,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Takes a key's deadline away.",
     .syntax = "key"},
    {.name = "pexpire",
     .fn = pexpire,
     .arity = -3,
     .flags = SETS_FAST,
     .categories = WRITE_FAST,
     .keys = {CHANGED_KEY},
     .group = GROUP_GENERIC,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Lets a key live for so many milliseconds more.",
     .syntax = "key milliseconds [NX|XX|GT|LT]"},
    {.name = "pexpireat",
     .fn = pexpireat,
     .arity = -3,
     .flags = SETS_FAST,
     .categories = WRITE_FAST,
     .keys = {CHANGED_KEY},
     .group = GROUP_GENERIC,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Lets a key live until a time, given in milliseconds since 1970.",
     .syntax = "key unix-time-milliseconds [NX|XX|GT|LT]"},
    {.name = "pexpiretime",
     .fn = pexpiretime,
     .arity = 2,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .group = GROUP_GENERIC,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Returns until when a key lives, in milliseconds since 1970.",
     .syntax = "key"},
    {.name = "pttl",
     .fn = pttl,
     .arity = 2,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .tips = TIP_CHANCE,
     .group = GROUP_GENERIC,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Returns how many milliseconds a key has left.",
     .syntax = "key"},
    {.name = "ttl",
     .fn = ttl,
     .arity = 2,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {READ_KEY},
     .tips = TIP_CHANCE,
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns how many seconds a key has left.",
     .syntax = "key"},
};

const struct command_table *command_expiry(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
