/* string_set: the commands that give keys a string: SET and its options, and MSET's family.
 *
 * SET with three arguments is the hottest write of all and takes a path of its own, without a look
 * at options. A large value that was read straight into a blob becomes the key's value as it is. */
#include <string.h>

#include "call/pass_on.h"
#include "command/string_options.h"
#include "command/string_write.h"
#include "command/tables.h"

/* Keys whose cache lines are asked for ahead: enough to hide the latency of memory, few enough for
 * the lines to stay in the first cache. */
#define KEYS_AHEAD 32

static void set_with_options(struct call *call) {
    struct string_options options;
    struct string_write write = {.value = 2};
    if (string_options_read(
            call, 3, STRING_CONDITIONS | STRING_GET | STRING_KEEP_TTL | STRING_EXPIRES, &options) &&
        string_options_deadline(call, &options, &write.deadline_ms) &&
        string_write_on(call, &options, &write)) {
        call_pass_on_set(call, call->args[1], call->args[2], write.deadline_ms);
    }
}

static void set(struct call *call) {
    if (UNLIKELY(call->argc != 3)) {
        set_with_options(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *old = keyspace_write(call->keyspace, &key);
    if (LIKELY(string_assign(call, &key, old, 2, ENTRY_NO_DEADLINE))) {
        reply_ok(call->reply);
    }
}

static void setnx(struct call *call) {
    struct key key = call_key(call, 1);
    if (keyspace_write(call->keyspace, &key) != NULL) {
        reply_integer(call->reply, 0);
    } else if (string_assign(call, &key, NULL, 2, ENTRY_NO_DEADLINE)) {
        reply_integer(call->reply, 1);
    }
}

static void set_expiring(struct call *call, unsigned unit) {
    int64_t deadline_ms;
    if (!string_deadline(call, 2, unit, &deadline_ms)) {
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *old = keyspace_write(call->keyspace, &key);
    if (string_assign(call, &key, old, 3, deadline_ms)) {
        call_pass_on_set(call, key.name, call->args[3], deadline_ms);
        reply_ok(call->reply);
    }
}

static void setex(struct call *call) {
    set_expiring(call, STRING_EX);
}

static void psetex(struct call *call) {
    set_expiring(call, STRING_PX);
}

static void getset(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *old = keyspace_read(call->keyspace, &key);
    if (call_type_ok(call, old, ENTRY_STRING)) {
        string_exchange(call, &key, old,
                        &(struct string_write){.value = 2, .deadline_ms = ENTRY_NO_DEADLINE});
    }
}

/* Up to KEYS_AHEAD of the keys that are arguments first, first + 2 ... before `end`; returns how
 * many. */
static int gather(struct call *call, int first, int end, struct key *keys) {
    int count = 0;
    for (int i = first; i < end && count < KEYS_AHEAD; i += 2) {
        keys[count] = call_key(call, i);
        count++;
    }
    keyspace_prefetch(keys, (size_t)count);
    return count;
}

/* Sets all of the keys, values beside them; false when there was no memory for one: replied. */
static bool set_all(struct call *call, int first, int end, int64_t deadline_ms) {
    struct key keys[KEYS_AHEAD];
    int count;
    for (int i = first; i < end; i += 2 * count) {
        count = gather(call, i, end, keys);
        for (int k = 0; k < count; k++) {
            struct entry *old = keyspace_write(call->keyspace, &keys[k]);
            if (!string_assign(call, &keys[k], old, i + 2 * k + 1, deadline_ms)) {
                return false;
            }
        }
    }
    return true;
}

/* Whether all of the keys are there, or absent, as `wanted` says. */
static bool all_are(struct call *call, int first, int end, bool wanted) {
    struct key keys[KEYS_AHEAD];
    int count;
    for (int i = first; i < end; i += 2 * count) {
        count = gather(call, i, end, keys);
        for (int k = 0; k < count; k++) {
            if ((keyspace_write(call->keyspace, &keys[k]) != NULL) != wanted) {
                return false;
            }
        }
    }
    return true;
}

static bool pairs_ok(struct call *call) {
    if (call->argc % 2 == 0) {
        reply_bad_arity(call->reply, call->command->row->name);
        return false;
    }
    return true;
}

static void mset(struct call *call) {
    if (pairs_ok(call) && set_all(call, 1, call->argc, ENTRY_NO_DEADLINE)) {
        reply_ok(call->reply);
    }
}

static void msetnx(struct call *call) {
    if (!pairs_ok(call)) {
        return;
    }
    if (!all_are(call, 1, call->argc, false)) {
        reply_integer(call->reply, 0);
    } else if (set_all(call, 1, call->argc, ENTRY_NO_DEADLINE)) {
        reply_integer(call->reply, 1);
    }
}

/* MSETEX without its condition, with a time of the clock. */
static void pass_on_pairs(struct call *call, int end, int64_t deadline_ms) {
    if (!call_is_heard(call)) {
        return;
    }
    size_t size = ((size_t)end + 2) * sizeof(struct bytes);
    struct bytes *words = mem_alloc(MEM_ARENA, size);
    char digits[NUM_I64_SIZE];
    int count = end;
    memcpy(words, call->args, (size_t)end * sizeof *words);
    if (deadline_ms >= 0) {
        words[count++] = bytes_text("PXAT");
        words[count++] = pass_on_number(digits, deadline_ms);
    } else if (deadline_ms == KEYSPACE_KEEP_DEADLINE) {
        words[count++] = bytes_text("KEEPTTL");
    }
    call_pass_on(call, words, count);
    mem_free(MEM_ARENA, words, size);
}

static void msetex(struct call *call) {
    int64_t count;
    if (!num_parse_i64(call->args[1], &count) || count < 1 || count > INT32_MAX) {
        reply_error(call->reply, "ERR invalid numkeys value");
        return;
    }
    if (count > (call->argc - 2) / 2) {
        reply_error(call->reply, "ERR wrong number of key-value pairs");
        return;
    }
    int end = 2 + 2 * (int)count;
    struct string_options options;
    int64_t deadline_ms;
    if (!string_options_read(call, end, STRING_NX | STRING_XX | STRING_KEEP_TTL | STRING_EXPIRES,
                             &options) ||
        !string_options_deadline(call, &options, &deadline_ms)) {
        return;
    }
    if ((options.given & STRING_CONDITIONS) != 0 &&
        !all_are(call, 2, end, (options.given & STRING_XX) != 0)) {
        reply_integer(call->reply, 0);
    } else if (set_all(call, 2, end, deadline_ms)) {
        pass_on_pairs(call, end, deadline_ms);
        reply_integer(call->reply, 1);
    }
}

#define SETS      (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_SLOW)
#define SETS_FAST (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_FAST)

static const struct command_row rows[] = {
    {.name = "getset",
     .fn = getset,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = SETS_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key a new value and returns the one it had.",
     .syntax = "key value",
     .deprecated_since = "6.2.0",
     .replaced_by = "`SET` with the `!GET` argument"},
    {.name = "mset",
     .fn = mset,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = SETS,
     .keys = {KEYS_RANGE(1, -1, 2, 0, KEY_OW | KEY_UPDATE)},
     .tips = TIP_SHARDS_OF_KEYS | TIP_ALL_SUCCEEDED,
     .group = GROUP_STRING,
     .since = "1.0.1",
     .complexity = "O(N), N being the number of keys",
     .summary = "Sets several keys at once.",
     .syntax = "key value [key value ...]"},
    {.name = "msetex",
     .fn = msetex,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = SETS,
     .keys = {KEYS_COUNT(1, 0, 1, 2, KEY_OW | KEY_UPDATE)},
     .group = GROUP_STRING,
     .since = "8.4.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Sets several keys at once with one deadline, perhaps on a condition.",
     .syntax = "numkeys key value [key value ...] [NX|XX] [EX seconds|PX milliseconds|EXAT "
               "unix-time-seconds|PXAT unix-time-milliseconds|KEEPTTL]"},
    {.name = "msetnx",
     .fn = msetnx,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = SETS,
     .keys = {KEYS_RANGE(1, -1, 2, 0, KEY_OW | KEY_INSERT)},
     .tips = TIP_SHARDS_OF_KEYS | TIP_LEAST,
     .group = GROUP_STRING,
     .since = "1.0.1",
     .complexity = "O(N), N being the number of keys",
     .summary = "Sets several keys at once if none of them is there yet.",
     .syntax = "key value [key value ...]"},
    {.name = "psetex",
     .fn = psetex,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_BRIEF,
     .categories = SETS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE)},
     .group = GROUP_STRING,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Sets a key that expires after so many milliseconds.",
     .syntax = "key milliseconds value"},
    {.name = "set",
     .fn = set,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_BRIEF,
     .categories = SETS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE | KEY_VARIABLE_FLAGS)},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key a string value, whatever it held before.",
     .syntax = "key value [NX|XX|IFEQ ifeq-value|IFNE ifne-value|IFDEQ ifdeq-digest|IFDNE "
               "ifdne-digest] [GET] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT "
               "unix-time-milliseconds|KEEPTTL]"},
    {.name = "setex",
     .fn = setex,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_BRIEF,
     .categories = SETS,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE)},
     .group = GROUP_STRING,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Sets a key that expires after so many seconds.",
     .syntax = "key seconds value"},
    {.name = "setnx",
     .fn = setnx,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = SETS_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_INSERT)},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Sets a key if it is not there yet.",
     .syntax = "key value"},
};

const struct command_table *command_string_set(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
