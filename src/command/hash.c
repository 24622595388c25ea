/* hash: commands on fields of hashes: setting, reading, counting up and deleting them. What
 * visits all fields is in hash_visit.c, deadlines of fields in hash_expire.c. */
#include "call/pass_on.h"
#include "command/hash_call.h"

#include <math.h>

#include "base/num.h"
#include "command/tables.h"

/* HSET and HMSET; false when an error has been replied. */
static bool set_pairs(struct call *call, int64_t *created) {
    if (call->argc % 2 != 0) {
        reply_bad_arity(call->reply, call->command->name);
        return false;
    }
    struct hash_call on;
    if (!hash_call_write(call, &on) || !hash_call_create(&on)) {
        return false;
    }
    *created = 0;
    int result = 0;
    int i = 2;
    for (; i < call->argc && result >= 0; i += 2) {
        result = hash_call_set(&on, i, ENTRY_NO_DEADLINE);
        *created += result > 0;
    }
    if (result >= 0 || i > 4) {
        hash_call_changed(&on, "hset");
    }
    hash_call_settle(&on);
    return result >= 0;
}

static void hset(struct call *call) {
    int64_t created;
    if (set_pairs(call, &created)) {
        reply_integer(call->reply, created);
    }
}

static void hmset(struct call *call) {
    int64_t created;
    if (set_pairs(call, &created)) {
        reply_ok(call->reply);
    }
}

static void hsetnx(struct call *call) {
    struct hash_call on;
    if (!hash_call_write(call, &on)) {
        return;
    }
    if (on.hash != NULL && hash_exists(on.hash, call_element_name(call, 2), call->now_ms)) {
        reply_integer(call->reply, 0);
        return;
    }
    if (!hash_call_create(&on)) {
        return;
    }
    if (hash_call_set(&on, 2, ENTRY_NO_DEADLINE) >= 0) {
        reply_integer(call->reply, 1);
        hash_call_changed(&on, "hset");
        CALL_PASS_ON(call, bytes_text("HSET"), on.key.name, call->args[2], call->args[3]);
    }
    hash_call_settle(&on);
}

static void hget(struct call *call) {
    struct hash_call on;
    if (hash_call_read(call, &on)) {
        hash_call_reply_field(&on, call_element_name(call, 2));
    }
}

static void hmget(struct call *call) {
    struct hash_call on;
    if (!hash_call_read(call, &on)) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        hash_call_reply_field(&on, call_element_name(call, i));
    }
}

static void hexists(struct call *call) {
    struct hash_call on;
    if (hash_call_read(call, &on)) {
        bool exists =
            on.hash != NULL && hash_exists(on.hash, call_element_name(call, 2), call->now_ms);
        reply_integer(call->reply, exists);
    }
}

static void hlen(struct call *call) {
    struct hash_call on;
    if (hash_call_read(call, &on)) {
        size_t length = on.hash != NULL ? hash_length(on.hash, call->now_ms) : 0;
        reply_integer(call->reply, (int64_t)length);
    }
}

static void hstrlen(struct call *call) {
    struct hash_call on;
    if (hash_call_read(call, &on)) {
        struct hash_value value = {.text.size = 0};
        bool exists =
            on.hash != NULL && hash_get(on.hash, call_element_name(call, 2), call->now_ms, &value);
        reply_integer(call->reply, exists ? (int64_t)value.text.size : 0);
    }
}

static void hdel(struct call *call) {
    struct hash_call on;
    if (!hash_call_write(call, &on)) {
        return;
    }
    int64_t deleted = 0;
    for (int i = 2; on.hash != NULL && i < call->argc; i++) {
        deleted += hash_delete(on.hash, call_element_name(call, i), call->now_ms);
    }
    reply_integer(call->reply, deleted);
    if (deleted > 0) {
        hash_call_changed(&on, "hdel");
        hash_call_settle(&on);
    }
}

/* Replies the values of the fields and takes them away. The values are replied before they are
 * deleted, one by one, for a field may be named twice. */
static void hgetdel(struct call *call) {
    struct hash_call on;
    int64_t count;
    if (!hash_call_write(call, &on)) {
        return;
    }
    if (!call_arg_is(call, 2, "fields")) {
        reply_error(call->reply,
                    "ERR Mandatory argument FIELDS is missing or not at the right position");
        return;
    }
    if (!num_parse_i64(call->args[3], &count) || count < 1) {
        reply_error(call->reply, "ERR Number of fields must be a positive integer");
        return;
    }
    if (count != call->argc - 4) {
        reply_error(call->reply,
                    "ERR The `numfields` parameter must match the number of arguments");
        return;
    }
    bool deleted = false;
    reply_array(call->reply, count);
    for (int i = 4; i < call->argc; i++) {
        hash_call_reply_field(&on, call_element_name(call, i));
        if (on.hash != NULL && hash_delete(on.hash, call_element_name(call, i), call->now_ms)) {
            deleted = true;
        }
    }
    if (deleted) {
        hash_call_changed(&on, "hdel");
        hash_call_pass_on_deleted(&on, call->args + 4, call->argc - 4);
        hash_call_settle(&on);
    }
}

/* What an increment becomes: its result, with the deadline that the field has now. Others may still
 * have a field that has expired here. */
static void pass_on_result(const struct hash_call *on, struct bytes text) {
    struct call *call = on->call;
    if (!call_is_heard(call)) {
        return;
    }
    char digits[NUM_I64_SIZE];
    int64_t deadline_ms = hash_deadline(on->hash, call_element_name(call, 2), call->now_ms);
    if (deadline_ms < 0) {
        CALL_PASS_ON(call, bytes_text("HSET"), on->key.name, call->args[2], text);
    } else {
        CALL_PASS_ON(call, bytes_text("HSETEX"), on->key.name, bytes_text("PXAT"),
                     pass_on_number(digits, deadline_ms), bytes_text("FIELDS"), bytes_text("1"),
                     call->args[2], text);
    }
}

/* Sets a field to the result of an increment: its deadline stays. */
static bool set_result(struct hash_call *on, struct bytes text, const char *event) {
    struct call *call = on->call;
    struct hash_write write = {
        .field = call_element_name(call, 2), .value = text, .deadline_ms = HASH_KEEP_DEADLINE};
    int result = hash_set(on->hash, &call->keyspace->hash_options, &write, call->now_ms);
    if (result < 0) {
        reply_no_memory(call->reply);
    } else {
        hash_call_changed(on, event);
        pass_on_result(on, text);
    }
    hash_call_settle(on);
    return result >= 0;
}

static void hincrby(struct call *call) {
    int64_t increment;
    struct hash_call on;
    if (!call_integer(call, 3, &increment) || !hash_call_write(call, &on)) {
        return;
    }
    int64_t number = 0;
    struct hash_value value;
    if (on.hash != NULL && hash_get(on.hash, call_element_name(call, 2), call->now_ms, &value) &&
        !num_parse_i64(value.text, &number)) {
        reply_error(call->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(number, increment, &number)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    if (!hash_call_create(&on)) {
        return;
    }
    char digits[NUM_I64_SIZE];
    if (set_result(&on, bytes_of(digits, num_format_i64(digits, number)), "hincrby")) {
        reply_integer(call->reply, number);
    }
}

static void hincrbyfloat(struct call *call) {
    long double increment;
    if (!num_parse_long_double(call->args[3], &increment)) {
        reply_not_float(call->reply);
        return;
    }
    if (isnan(increment) || isinf(increment)) {
        reply_error(call->reply, "ERR value is NaN or Infinity");
        return;
    }
    struct hash_call on;
    if (!hash_call_write(call, &on)) {
        return;
    }
    long double number = 0;
    struct hash_value value;
    if (on.hash != NULL && hash_get(on.hash, call_element_name(call, 2), call->now_ms, &value) &&
        !num_parse_long_double(value.text, &number)) {
        reply_error(call->reply, "ERR hash value is not a float");
        return;
    }
    number += increment;
    if (isnan(number) || isinf(number)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    if (!hash_call_create(&on)) {
        return;
    }
    char digits[NUM_FLOAT_SIZE];
    struct bytes text = bytes_of(digits, num_format_long_double(digits, number));
    if (set_result(&on, text, "hincrbyfloat")) {
        reply_bulk(call->reply, text);
    }
}

#define READS_FAST   (COMMAND_READONLY | COMMAND_FAST)
#define WRITES_FAST  (COMMAND_WRITE | COMMAND_FAST)
#define GROWS_FAST   (COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST)
#define READ_FAST    (CATEGORY_READ | CATEGORY_HASH | CATEGORY_FAST)
#define WRITE_FAST   (CATEGORY_WRITE | CATEGORY_HASH | CATEGORY_FAST)
#define ONE_KEY(how) KEYS_RANGE(1, 0, 1, 0, (how))

static const struct command_row rows[] = {
    {.name = "hdel",
     .fn = hdel,
     .arity = -3,
     .flags = WRITES_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_DELETE)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for N fields to delete.",
     .summary = "Deletes fields of a hash, and the hash with its last field.",
     .syntax = "key field [field ...]"},
    {.name = "hexists",
     .fn = hexists,
     .arity = 3,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Tells whether a hash has a field.",
     .syntax = "key field"},
    {.name = "hget",
     .fn = hget,
     .arity = 3,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Returns the value of a field of a hash.",
     .syntax = "key field"},
    {.name = "hgetdel",
     .fn = hgetdel,
     .arity = -5,
     .flags = WRITES_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_DELETE)},
     .element = 4,
     .group = GROUP_HASH,
     .since = "8.0.0",
     .complexity = "O(N) for N fields.",
     .summary = "Returns the values of fields of a hash and deletes the fields.",
     .syntax = "key FIELDS numfields field [field ...]"},
    {.name = "hincrby",
     .fn = hincrby,
     .arity = 4,
     .flags = GROWS_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Adds to the integer in a field of a hash; a missing field counts as 0.",
     .syntax = "key field increment"},
    {.name = "hincrbyfloat",
     .fn = hincrbyfloat,
     .arity = 4,
     .flags = GROWS_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary =
         "Adds to the floating point number in a field of a hash; a missing field counts as 0.",
     .syntax = "key field increment"},
    {.name = "hlen",
     .fn = hlen,
     .arity = 2,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO)},
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Returns how many fields a hash has.",
     .syntax = "key"},
    {.name = "hmget",
     .fn = hmget,
     .arity = -3,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for N fields.",
     .summary = "Returns the values of several fields of a hash.",
     .syntax = "key field [field ...]"},
    {.name = "hmset",
     .fn = hmset,
     .arity = -4,
     .flags = GROWS_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for N fields.",
     .summary = "Sets several fields of a hash.",
     .syntax = "key field value [field value ...]",
     .deprecated_since = "4.0.0",
     .replaced_by = "`HSET` with several pairs of field and value"},
    {.name = "hset",
     .fn = hset,
     .arity = -4,
     .flags = GROWS_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_UPDATE)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for N fields.",
     .summary = "Sets fields of a hash and returns how many of them are new.",
     .syntax = "key field value [field value ...]"},
    {.name = "hsetnx",
     .fn = hsetnx,
     .arity = 4,
     .flags = GROWS_FAST,
     .categories = WRITE_FAST,
     .keys = {ONE_KEY(KEY_RW | KEY_INSERT)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Sets a field of a hash unless it exists.",
     .syntax = "key field value"},
    {.name = "hstrlen",
     .fn = hstrlen,
     .arity = 3,
     .flags = READS_FAST,
     .categories = READ_FAST,
     .keys = {ONE_KEY(KEY_RO)},
     .element = 2,
     .group = GROUP_HASH,
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Returns how long the value of a field of a hash is, in bytes.",
     .syntax = "key field"},
};

const struct command_table *command_hashes(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
