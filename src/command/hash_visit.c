/* hash_visit: commands that go through the fields of a hash: all of them, a portion, or some at
 * random. */
#include "command/hash_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/num.h"
#include "command/tables.h"

/* What of a field is replied. */
enum parts {
    PART_FIELD = 1,
    PART_VALUE = 2,
    PARTS_BOTH = 3,
};

/* A reply that fields are added to. */
struct replying {
    struct reply *reply;
    enum parts parts;
    bool in_pairs; /* each field with its value in an array of its own */
};

static void reply_field(void *context, const struct hash_field *field) {
    const struct replying *replying = context;
    if (replying->in_pairs) {
        reply_array(replying->reply, 2);
    }
    if (replying->parts & PART_FIELD) {
        reply_bulk(replying->reply, field->name);
    }
    if (replying->parts & PART_VALUE) {
        hash_call_reply_value(replying->reply, field->value, field->blob);
    }
}

static void reply_all(struct call *call, enum parts parts) {
    struct hash_call on;
    if (!hash_call_read(call, &on)) {
        return;
    }
    int64_t length = on.hash != NULL ? (int64_t)hash_length(on.hash, call->now_ms) : 0;
    if (parts == PARTS_BOTH) {
        reply_map(call->reply, length);
    } else {
        reply_array(call->reply, length);
    }
    if (on.hash != NULL) {
        struct replying replying = {.reply = call->reply, .parts = parts};
        hash_visit(on.hash, call->now_ms, reply_field, &replying);
    }
}

static void hgetall(struct call *call) {
    reply_all(call, PARTS_BOTH);
}

static void hkeys(struct call *call) {
    reply_all(call, PART_FIELD);
}

static void hvals(struct call *call) {
    reply_all(call, PART_VALUE);
}

/* Most fields that a negative count of HRANDFIELD may ask for. The reply of so many is some hundred
 * megabytes; what asks for more is a mistake or an attack. */
#define REPEATED_MAX (1 << 24)

/* Fields drawn between two looks at the reply: whoever may not be sent so much has gone. */
#define REPEATED_PORTION 1024

static void reply_repeated(const struct hash_call *on, const struct call *call,
                           struct random *random, uint64_t wanted, struct replying *replying) {
    for (uint64_t done = 0; done < wanted && !reply_is_discarded(call->reply);) {
        uint64_t part = wanted - done < REPEATED_PORTION ? wanted - done : REPEATED_PORTION;
        hash_random(on->hash, call->now_ms, random, (size_t)part, reply_field, replying);
        done += part;
    }
}

static void reply_random(struct call *call, int64_t count, bool with_values) {
    struct hash_call on;
    if (!hash_call_read(call, &on)) {
        return;
    }
    size_t length = on.hash != NULL ? hash_length(on.hash, call->now_ms) : 0;
    bool is_resp3 = call->reply->version >= 3;
    if (length == 0 || count == 0) {
        reply_array(call->reply, 0);
        return;
    }
    bool distinct = count > 0;
    uint64_t wanted = distinct ? (uint64_t)count : -(uint64_t)count;
    if (distinct && wanted > length) {
        wanted = length;
    } else if (!distinct && wanted > REPEATED_MAX) {
        reply_error(call->reply, "ERR value is out of range");
        return;
    }
    struct replying replying = {
        .reply = call->reply,
        .parts = with_values ? PARTS_BOTH : PART_FIELD,
        .in_pairs = with_values && is_resp3,
    };
    reply_array(call->reply, (int64_t)(with_values && !is_resp3 ? 2 * wanted : wanted));
    struct random *random = &call->keyspace->random;
    if (distinct && wanted == length) {
        /* All of them: nothing to choose, and in the hash's order, as in Redis. */
        hash_visit(on.hash, call->now_ms, reply_field, &replying);
    } else if (distinct) {
        hash_random_distinct(on.hash, call->now_ms, random, wanted, reply_field, &replying);
    } else {
        reply_repeated(&on, call, random, wanted, &replying);
    }
}

static void hrandfield(struct call *call) {
    if (call->argc > 2) {
        int64_t count;
        if (!call_integer_between(call, 2, -INT64_MAX, INT64_MAX, &count)) {
            return;
        }
        bool with_values = call->argc == 4 && call_arg_is(call, 3, "withvalues");
        if (call->argc > 3 && !with_values) {
            reply_syntax_error(call->reply);
        } else if (with_values && (count < -(INT64_MAX / 2) || count > INT64_MAX / 2)) {
            reply_error(call->reply, "ERR value is out of range");
        } else {
            reply_random(call, count, with_values);
        }
        return;
    }
    struct hash_call on;
    if (!hash_call_read(call, &on)) {
        return;
    }
    struct replying replying = {.reply = call->reply, .parts = PART_FIELD};
    if (on.hash == NULL || hash_random(on.hash, call->now_ms, &call->keyspace->random, 1,
                                       reply_field, &replying) == 0) {
        reply_null(call->reply);
    }
}

/* A step of HSCAN looks at no more than this many portions of the dict for each field asked for. */
#define PORTIONS_PER_FIELD 10
#define SCAN_COUNT         10

struct scanning {
    struct replying replying;
    const struct bytes *pattern; /* NULL: all match */
    int64_t seen;                /* fields, matching or not */
    int64_t matching;
};

static void count_field(void *context, const struct hash_field *field) {
    struct scanning *scanning = context;
    scanning->seen++;
    scanning->matching +=
        scanning->pattern == NULL || glob_match(*scanning->pattern, field->name, false);
}

static void reply_matching(void *context, const struct hash_field *field) {
    struct scanning *scanning = context;
    if (scanning->pattern == NULL || glob_match(*scanning->pattern, field->name, false)) {
        reply_field(&scanning->replying, field);
    }
}

/* Cursors are read as leniently as strtoul does, except for leading space. */
static bool read_cursor(struct bytes text, uint64_t *cursor) {
    char copy[64];
    if (text.size >= sizeof copy || (text.size > 0 && isspace((unsigned char)text.at[0]))) {
        return false;
    }
    if (text.size > 0) {
        memcpy(copy, text.at, text.size);
    }
    copy[text.size] = '\0';
    char *end;
    errno = 0;
    *cursor = strtoull(copy, &end, 10);
    return end == copy + text.size && errno != ERANGE;
}

/* False when an error has been replied. */
static bool read_scan_options(struct call *call, struct scanning *scanning, int64_t *count) {
    for (int i = 3; i < call->argc; i++) {
        bool has_next = i + 1 < call->argc;
        if (call_arg_is(call, i, "count") && has_next) {
            if (!call_integer(call, ++i, count)) {
                return false;
            }
            if (*count < 1) {
                reply_syntax_error(call->reply);
                return false;
            }
        } else if (call_arg_is(call, i, "match") && has_next) {
            i++;
            scanning->pattern = glob_matches_all(call->args[i]) ? NULL : &call->args[i];
        } else if (call_arg_is(call, i, "novalues")) {
            scanning->replying.parts = PART_FIELD;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

/* The reply begins with where to go on and with how many fields there are, so the portions are gone
 * through twice: first to know these, then to reply. */
static void hscan(struct call *call) {
    uint64_t first;
    if (!read_cursor(call->args[2], &first)) {
        reply_error(call->reply, "ERR invalid cursor");
        return;
    }
    struct hash_call on;
    if (!hash_call_read(call, &on)) {
        return;
    }
    if (on.hash == NULL) {
        reply_array(call->reply, 2);
        reply_bulk_text(call->reply, "0");
        reply_array(call->reply, 0);
        return;
    }
    struct scanning scanning = {.replying = {.reply = call->reply, .parts = PARTS_BOTH}};
    int64_t count = SCAN_COUNT;
    if (!read_scan_options(call, &scanning, &count)) {
        return;
    }
    uint64_t cursor = first;
    uint64_t portions_max = (uint64_t)count * PORTIONS_PER_FIELD;
    uint64_t portions = 0;
    do {
        cursor = hash_scan(on.hash, cursor, call->now_ms, count_field, &scanning);
        portions++;
    } while (cursor != 0 && scanning.seen < count && portions < portions_max);
    char digits[NUM_I64_SIZE];
    reply_array(call->reply, 2);
    reply_bulk(call->reply, bytes_of(digits, num_format_u64(digits, cursor)));
    reply_array(call->reply,
                scanning.replying.parts == PARTS_BOTH ? 2 * scanning.matching : scanning.matching);
    cursor = first;
    for (uint64_t i = 0; i < portions; i++) {
        cursor = hash_scan(on.hash, cursor, call->now_ms, reply_matching, &scanning);
    }
}

static const struct command_row rows[] = {
    {.name = "hgetall",
     .fn = hgetall,
     .arity = 2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_HASH | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for a hash of N fields.",
     .summary = "Returns all fields of a hash with their values.",
     .syntax = "key"},
    {.name = "hkeys",
     .fn = hkeys,
     .arity = 2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_HASH | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for a hash of N fields.",
     .summary = "Returns the names of all fields of a hash.",
     .syntax = "key"},
    {.name = "hrandfield",
     .fn = hrandfield,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_HASH | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_HASH,
     .since = "6.2.0",
     .complexity = "O(N) for N fields returned.",
     .summary = "Returns fields of a hash at random.",
     .syntax = "key [count [WITHVALUES]]"},
    {.name = "hscan",
     .fn = hscan,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_HASH | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_HASH,
     .since = "2.8.0",
     .complexity = "O(1) for a call, O(N) for a whole scan of N fields.",
     .summary = "Goes through the fields of a hash in portions.",
     .syntax = "key cursor [MATCH pattern] [COUNT count] [NOVALUES]"},
    {.name = "hvals",
     .fn = hvals,
     .arity = 2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_HASH | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_HASH,
     .since = "2.0.0",
     .complexity = "O(N) for a hash of N fields.",
     .summary = "Returns the values of all fields of a hash.",
     .syntax = "key"},
};

const struct command_table *command_hash_visits(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
