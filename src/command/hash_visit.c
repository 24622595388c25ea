/* hash_visit: commands that go through the fields of a hash: all of them, a portion, or some at
 * random. */
#include "command/element_random.h"
#include "command/element_scan.h"
#include "command/hash_call.h"
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
        bool with_values;
        if (element_random_read(call, "withvalues", &count, &with_values)) {
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

struct scanning {
    struct element_scan scan;
    struct entry *hash;
    struct replying replying;
};

static void scan_field(void *context, const struct hash_field *field) {
    struct scanning *scanning = context;
    if (element_scan_meets(&scanning->scan, field->name)) {
        reply_field(&scanning->replying, field);
    }
}

static uint64_t scan_portion(void *context, uint64_t cursor) {
    struct scanning *scanning = context;
    return hash_scan(scanning->hash, cursor, scanning->scan.call->now_ms, scan_field, scanning);
}

static void hscan(struct call *call) {
    struct scanning scanning;
    struct hash_call on;
    if (!element_scan_cursor(call, &scanning.scan) || !hash_call_read(call, &on)) {
        return;
    }
    if (on.hash == NULL) {
        element_scan_reply_none(call);
    } else if (element_scan_options(call, &scanning.scan, "novalues")) {
        scanning.hash = on.hash;
        scanning.replying = (struct replying){
            .reply = call->reply, .parts = scanning.scan.no_values ? PART_FIELD : PARTS_BOTH};
        element_scan_reply(&scanning.scan, scanning.scan.no_values ? 1 : 2, scan_portion,
                           &scanning);
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
