/* string_number: counters: INCR's family, INCRBYFLOAT and INCREX.
 *
 * A counter is an integer in its entry's word, so that counting neither allocates nor prints.
 * Floating point values are kept as text, as in Redis, with the precision of a long double. */
#include <float.h>
#include <math.h>

#include "call/pass_on.h"
#include "call/call.h"
#include "command/string_options.h"
#include "command/tables.h"
#include "types/string.h"

/* Makes the key's value the integer. False when there is no memory: replied. */
static bool store_integer(struct call *call, struct key *key, struct entry *old, int64_t value,
                          int64_t deadline_ms) {
    if (old != NULL && entry_encoding(old) == ENTRY_INTEGER &&
        deadline_ms == KEYSPACE_KEEP_DEADLINE) {
        *entry_word(old) = (uint64_t)value;
        return true;
    }
    struct entry_shape shape = string_integer_shape(value);
    if (keyspace_assign(call->keyspace, key, old, &shape, deadline_ms) == NULL) {
        reply_no_memory(call->reply);
        return false;
    }
    return true;
}

/* Makes the key's value the text, which is never an integer for OBJECT ENCODING. */
static bool store_text(struct call *call, struct key *key, struct entry *old, struct bytes text,
                       int64_t deadline_ms) {
    struct entry_shape shape;
    if (string_text_shape(text, &shape)) {
        if (keyspace_assign(call->keyspace, key, old, &shape, deadline_ms) != NULL) {
            return true;
        }
        if (shape.encoding == ENTRY_BLOB) {
            blob_release((struct blob *)(uintptr_t)shape.word);
        }
    }
    reply_no_memory(call->reply);
    return false;
}

/* What the entry counts; an absent one 0. False when it is no integer: replied. */
static bool read_integer(struct call *call, const struct entry *entry, int64_t *value) {
    *value = 0;
    if (entry == NULL) {
        return true;
    }
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return false;
    }
    if (!string_to_integer(entry, value)) {
        reply_not_integer(call->reply);
        return false;
    }
    return true;
}

static bool read_float(struct call *call, const struct entry *entry, long double *value) {
    *value = 0;
    if (entry == NULL) {
        return true;
    }
    if (!call_type_ok(call, entry, ENTRY_STRING)) {
        return false;
    }
    char scratch[NUM_I64_SIZE];
    if (!num_parse_long_double(string_bytes(entry, scratch), value)) {
        reply_not_float(call->reply);
        return false;
    }
    return true;
}

static void add(struct call *call, int64_t increment) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    int64_t value;
    if (!read_integer(call, entry, &value)) {
        return;
    }
    if (__builtin_add_overflow(value, increment, &value)) {
        reply_error(call->reply, "ERR increment or decrement would overflow");
        return;
    }
    if (store_integer(call, &key, entry, value, KEYSPACE_KEEP_DEADLINE)) {
        keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "incrby");
        reply_integer(call->reply, value);
    }
}

static void incr(struct call *call) {
    add(call, 1);
}

static void decr(struct call *call) {
    add(call, -1);
}

static void incrby(struct call *call) {
    int64_t increment;
    if (call_integer(call, 2, &increment)) {
        add(call, increment);
    }
}

static void decrby(struct call *call) {
    int64_t decrement;
    if (!call_integer(call, 2, &decrement)) {
        return;
    }
    if (decrement == INT64_MIN) {
        reply_error(call->reply, "ERR decrement would overflow");
        return;
    }
    add(call, -decrement);
}

static void incrbyfloat(struct call *call) {
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    long double value;
    long double increment;
    if (!read_float(call, entry, &value)) {
        return;
    }
    if (!num_parse_long_double(call->args[2], &increment)) {
        reply_not_float(call->reply);
        return;
    }
    value += increment;
    if (!isfinite(value)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char digits[NUM_FLOAT_SIZE];
    struct bytes text = bytes_of(digits, num_format_long_double(digits, value));
    if (store_text(call, &key, entry, text, KEYSPACE_KEEP_DEADLINE)) {
        keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "incrbyfloat");
        call_pass_on_set(call, key.name, text, KEYSPACE_KEEP_DEADLINE);
        reply_bulk(call->reply, text);
    }
}

/* INCREX: a counter with bounds and a deadline: what a rate limiter needs, in one step. Without
 * SATURATE a result beyond a bound leaves everything as it was, and the reply's increment is 0. */
struct increx {
    struct string_options options;
    int64_t deadline_ms; /* to be set, or ENTRY_NO_DEADLINE, or KEYSPACE_KEEP_DEADLINE */
};

static bool increx_options_ok(struct call *call, struct increx *increx) {
    if (!string_options_read(call, 2,
                             STRING_EXPIRES | STRING_PERSIST | STRING_ENX | STRING_SATURATE |
                                 STRING_LBOUND | STRING_UBOUND | STRING_BYINT | STRING_BYFLOAT,
                             &increx->options)) {
        return false;
    }
    unsigned given = increx->options.given;
    if ((given & STRING_ENX) == 0 || (given & STRING_EXPIRES) != 0) {
        return true;
    }
    if ((given & STRING_PERSIST) != 0) {
        reply_syntax_error(call->reply);
    } else {
        reply_error(call->reply, "ERR ENX flag requires an expiration");
    }
    return false;
}

/* The deadline that the key gets; with ENX one that it has stays. */
static bool increx_deadline(struct call *call, struct increx *increx, const struct entry *entry) {
    unsigned given = increx->options.given;
    if (!string_options_deadline(call, &increx->options, &increx->deadline_ms)) {
        return false;
    }
    bool keeps =
        (given & (STRING_EXPIRES | STRING_PERSIST)) == 0 ||
        ((given & STRING_ENX) != 0 && entry != NULL && entry_deadline(entry) != ENTRY_NO_DEADLINE);
    if (keeps) {
        increx->deadline_ms = KEYSPACE_KEEP_DEADLINE;
    }
    return true;
}

static void increx_changed(struct call *call, const struct increx *increx, struct key *key,
                           bool had_deadline, const char *event) {
    keyspace_changed(call->keyspace, key, KEYSPACE_STRING, event);
    if (increx->deadline_ms >= 0) {
        keyspace_event(call->keyspace, key, KEYSPACE_GENERIC, "expire");
    } else if (increx->deadline_ms == ENTRY_NO_DEADLINE && had_deadline) {
        keyspace_event(call->keyspace, key, KEYSPACE_GENERIC, "persist");
    }
}

static void reply_bounds_error(struct call *call) {
    reply_error(call->reply, "ERR LBOUND must be less than or equal to UBOUND");
}

static void reply_applied_error(struct call *call) {
    reply_error(call->reply, "ERR applied increment would overflow");
}

static void reply_integers(struct call *call, int64_t value, int64_t applied) {
    reply_array(call->reply, 2);
    reply_integer(call->reply, value);
    reply_integer(call->reply, applied);
}

static void increx_integer(struct call *call, struct increx *increx) {
    const struct string_options *options = &increx->options;
    int64_t increment = 1;
    int64_t lower = INT64_MIN;
    int64_t upper = INT64_MAX;
    if ((options->increment_at != 0 && !call_integer(call, options->increment_at, &increment)) ||
        (options->lower_at != 0 && !call_integer(call, options->lower_at, &lower)) ||
        (options->upper_at != 0 && !call_integer(call, options->upper_at, &upper))) {
        return;
    }
    if (lower > upper) {
        reply_bounds_error(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    int64_t old;
    if (!increx_deadline(call, increx, entry) || !read_integer(call, entry, &old)) {
        return;
    }
    int64_t value;
    bool overflows = __builtin_add_overflow(old, increment, &value);
    bool above = overflows ? increment > 0 : value > upper;
    bool below = overflows ? increment < 0 : value < lower;
    if (above || below) {
        if ((options->given & STRING_SATURATE) == 0) {
            reply_integers(call, old, 0);
            return;
        }
        value = above ? upper : lower;
    }
    int64_t applied;
    if (__builtin_sub_overflow(value, old, &applied)) {
        reply_applied_error(call);
        return;
    }
    bool had_deadline = entry != NULL && entry_deadline(entry) != ENTRY_NO_DEADLINE;
    if (store_integer(call, &key, entry, value, increx->deadline_ms)) {
        char digits[NUM_I64_SIZE];
        increx_changed(call, increx, &key, had_deadline, "incrby");
        call_pass_on_set(call, key.name, pass_on_number(digits, value), increx->deadline_ms);
        reply_integers(call, value, applied);
    }
}

/* A bulk in RESP2, a double in RESP3, in either with all the digits. */
static void reply_float(struct call *call, long double value) {
    if (call->reply->version == 2) {
        reply_long_double(call->reply, value);
        return;
    }
    char digits[NUM_FLOAT_SIZE];
    size_t size = num_format_long_double(digits, value);
    reply_literal(call->reply, ",");
    reply_raw(call->reply, digits, size);
    reply_literal(call->reply, "\r\n");
}

static void reply_floats(struct call *call, long double value, long double applied) {
    reply_array(call->reply, 2);
    reply_float(call, value);
    reply_float(call, applied);
}

/* An argument as a float; 0: not given, and then nothing changes. */
static bool float_argument(struct call *call, int index, long double *value) {
    if (index != 0 && !num_parse_long_double(call->args[index], value)) {
        reply_not_float(call->reply);
        return false;
    }
    return true;
}

static void increx_float(struct call *call, struct increx *increx) {
    const struct string_options *options = &increx->options;
    long double increment = 1;
    long double lower = -LDBL_MAX;
    long double upper = LDBL_MAX;
    if (!float_argument(call, options->increment_at, &increment) ||
        !float_argument(call, options->lower_at, &lower) ||
        !float_argument(call, options->upper_at, &upper)) {
        return;
    }
    if (lower > upper) {
        reply_bounds_error(call);
        return;
    }
    struct key key = call_key(call, 1);
    struct entry *entry = keyspace_write(call->keyspace, &key);
    long double old;
    if (!increx_deadline(call, increx, entry) || !read_float(call, entry, &old)) {
        return;
    }
    long double value = old + increment;
    if (value > upper || value < lower) {
        if ((options->given & STRING_SATURATE) == 0) {
            reply_floats(call, old, 0);
            return;
        }
        value = value > upper ? upper : lower;
    }
    long double applied = value - old;
    if (!isfinite(value) || !isfinite(applied)) {
        reply_error(call->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char digits[NUM_FLOAT_SIZE];
    struct bytes text = bytes_of(digits, num_format_long_double(digits, value));
    bool had_deadline = entry != NULL && entry_deadline(entry) != ENTRY_NO_DEADLINE;
    if (store_text(call, &key, entry, text, increx->deadline_ms)) {
        increx_changed(call, increx, &key, had_deadline, "incrbyfloat");
        call_pass_on_set(call, key.name, text, increx->deadline_ms);
        reply_floats(call, value, applied);
    }
}

static void increx(struct call *call) {
    struct increx state;
    if (!increx_options_ok(call, &state)) {
        return;
    }
    if ((state.options.given & STRING_BYFLOAT) != 0) {
        increx_float(call, &state);
    } else {
        increx_integer(call, &state);
    }
}

#define COUNTER_FLAGS      (COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST)
#define COUNTER_CATEGORIES (CATEGORY_WRITE | CATEGORY_STRING | CATEGORY_FAST)
#define COUNTER_KEY        KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)

static const struct command_row rows[] = {
    {.name = "decr",
     .fn = decr,
     .arity = 2,
     .flags = COUNTER_FLAGS,
     .categories = COUNTER_CATEGORIES,
     .keys = {COUNTER_KEY},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Takes 1 from the integer that a key holds; an absent key counts as 0.",
     .syntax = "key"},
    {.name = "decrby",
     .fn = decrby,
     .arity = 3,
     .flags = COUNTER_FLAGS,
     .categories = COUNTER_CATEGORIES,
     .keys = {COUNTER_KEY},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Takes a number from the integer that a key holds; an absent key counts as 0.",
     .syntax = "key decrement"},
    {.name = "incr",
     .fn = incr,
     .arity = 2,
     .flags = COUNTER_FLAGS,
     .categories = COUNTER_CATEGORIES,
     .keys = {COUNTER_KEY},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds 1 to the integer that a key holds; an absent key counts as 0.",
     .syntax = "key"},
    {.name = "incrby",
     .fn = incrby,
     .arity = 3,
     .flags = COUNTER_FLAGS,
     .categories = COUNTER_CATEGORIES,
     .keys = {COUNTER_KEY},
     .group = GROUP_STRING,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds a number to the integer that a key holds; an absent key counts as 0.",
     .syntax = "key increment"},
    {.name = "incrbyfloat",
     .fn = incrbyfloat,
     .arity = 3,
     .flags = COUNTER_FLAGS,
     .categories = COUNTER_CATEGORIES,
     .keys = {COUNTER_KEY},
     .group = GROUP_STRING,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Adds a floating point number to the number that a key holds.",
     .syntax = "key increment"},
    {.name = "increx",
     .fn = increx,
     .arity = -2,
     .flags = COUNTER_FLAGS,
     .categories = COUNTER_CATEGORIES,
     .keys = {COUNTER_KEY},
     .group = GROUP_STRING,
     .since = "8.8.0",
     .complexity = "O(1)",
     .summary = "Adds to the number that a key holds, within bounds, and sets its deadline.",
     .syntax = "key [BYFLOAT float|BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND "
               "upperbound] [EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT "
               "unix-time-milliseconds|PERSIST] [ENX]"},
};

const struct command_table *command_string_numbers(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
