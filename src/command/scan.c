/* scan: commands that walk a database: KEYS, SCAN, RANDOMKEY. */
#include "command/tables.h"

#include "base/buffer.h"
#include "base/glob.h"
#include "base/num.h"
#include "call/call.h"
#include "types/value.h"

/* What SCAN visits when it is not told. */
#define SCAN_COUNT_DEFAULT 10
/* Portions a call visits for each key asked for: a bound for walking through empty ones. */
#define SCAN_STEPS_EACH 10
/* A type filter that no key passes. */
#define NO_TYPE  (-1)
#define ANY_TYPE (-2)

struct filter {
    struct bytes pattern; /* .at NULL: every key */
    int type;             /* enum entry_type, ANY_TYPE or NO_TYPE */
};

static bool passes(const struct filter *filter, const struct entry *entry) {
    return (filter->type == ANY_TYPE || filter->type == (int)entry_type(entry)) &&
           (filter->pattern.at == NULL || glob_match(filter->pattern, entry_key(entry), false));
}

static void set_pattern(struct filter *filter, struct bytes pattern) {
    filter->pattern = glob_matches_all(pattern) ? bytes_of(NULL, 0) : pattern;
}

struct keys_walk {
    struct reply *reply;
    struct filter filter;
    int64_t count;
};

static void keys_visit(void *context, struct entry *entry) {
    struct keys_walk *walk = context;
    if (passes(&walk->filter, entry)) {
        reply_bulk(walk->reply, entry_key(entry));
        walk->count++;
    }
}

static void keys(struct call *call) {
    struct keys_walk walk = {.reply = call->reply, .filter = {.type = ANY_TYPE}};
    set_pattern(&walk.filter, call->args[1]);
    struct reply_mark mark = reply_defer(call->reply);
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(call->keyspace, call->database, cursor, keys_visit, &walk);
    } while (cursor != 0);
    reply_defer_end(call->reply, mark, '*', walk.count);
}

/* A cursor as clients may write it: what strtoul takes. A negative number counts from the end of
 * the range. */
static bool parse_cursor(struct bytes text, uint64_t *cursor) {
    bool negative = text.size > 0 && text.at[0] == '-';
    size_t at = text.size > 0 && (negative || text.at[0] == '+');
    if (at == 1 && text.size == 1) {
        return false;
    }
    uint64_t value = 0;
    for (; at < text.size; at++) {
        unsigned digit = (unsigned char)text.at[at] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *cursor = negative ? -value : value;
    return true;
}

struct scan_walk {
    struct filter filter;
    struct buffer found; /* struct entry * */
    int64_t seen;        /* keys, whether they pass or not */
};

static void scan_visit(void *context, struct entry *entry) {
    struct scan_walk *walk = context;
    walk->seen++;
    if (passes(&walk->filter, entry)) {
        buffer_append(&walk->found, &entry, sizeof entry);
    }
}

/* Options from argument 2 on; false after an error. */
static bool parse_scan(struct call *call, struct filter *filter, int64_t *count) {
    *count = SCAN_COUNT_DEFAULT;
    *filter = (struct filter){.type = ANY_TYPE};
    for (int i = 2; i < call->argc; i += 2) {
        bool has_value = i + 1 < call->argc;
        if (has_value && call_arg_is(call, i, "count")) {
            if (!call_integer(call, i + 1, count)) {
                return false;
            }
            if (*count < 1) {
                reply_syntax_error(call->reply);
                return false;
            }
        } else if (has_value && call_arg_is(call, i, "match")) {
            set_pattern(filter, call->args[i + 1]);
        } else if (has_value && call_arg_is(call, i, "type")) {
            int type = value_type_named(call->args[i + 1]);
            filter->type = type < 0 ? NO_TYPE : type;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static void reply_found(struct reply *reply, uint64_t cursor, const struct buffer *found) {
    char digits[NUM_I64_SIZE];
    reply_array(reply, 2);
    reply_bulk(reply, bytes_of(digits, num_format_u64(digits, cursor)));
    size_t count = found->size / sizeof(struct entry *);
    reply_array(reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry;
        memcpy(&entry, found->at + i * sizeof entry, sizeof entry);
        reply_bulk(reply, entry_key(entry));
    }
}

static void scan(struct call *call) {
    uint64_t cursor;
    if (!parse_cursor(call->args[1], &cursor)) {
        reply_error(call->reply, "ERR invalid cursor");
        return;
    }
    struct scan_walk walk = {0};
    int64_t count;
    if (!parse_scan(call, &walk.filter, &count)) {
        return;
    }
    buffer_init(&walk.found, MEM_ARENA);
    int64_t steps = 0;
    do {
        cursor = keyspace_scan(call->keyspace, call->database, cursor, scan_visit, &walk);
        steps++;
    } while (cursor != 0 && walk.seen < count && steps / SCAN_STEPS_EACH < count);
    reply_found(call->reply, cursor, &walk.found);
    buffer_clear(&walk.found);
}

static void randomkey(struct call *call) {
    const struct entry *entry = keyspace_random(call->keyspace, call->database);
    if (entry == NULL) {
        reply_null(call->reply);
    } else {
        reply_bulk(call->reply, entry_key(entry));
    }
}

static const struct command_row rows[] = {
    {.name = "keys",
     .fn = keys,
     .arity = 2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .tips = TIP_ALL_SHARDS | TIP_ANY_ORDER,
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(N) for N keys in the database.",
     .summary = "Returns all keys that match a pattern.",
     .syntax = "pattern"},
    {.name = "randomkey",
     .fn = randomkey,
     .arity = 1,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_SLOW,
     .tips = TIP_ALL_SHARDS | TIP_CHANCE,
     .group = GROUP_GENERIC,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Returns some key of the database."},
    {.name = "scan",
     .fn = scan,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_SLOW,
     .tips = TIP_CHANCE | TIP_REQUEST_SPECIAL,
     .group = GROUP_GENERIC,
     .since = "2.8.0",
     .complexity = "O(1) for a call, O(N) for walking through N keys.",
     .summary = "Walks through the keys of a database in portions.",
     .syntax = "cursor [MATCH pattern] [COUNT count] [TYPE type]"},
};

const struct command_table *command_scan(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
