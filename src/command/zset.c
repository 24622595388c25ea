/* zset: commands on members of sorted sets: adding, counting up, removing them, and asking for
 * scores and ranks. Ranges are in zset_range.c, what goes at random or from an end in zset_pop.c,
 * what makes one of several in zset_combine.c. */
#include "command/zset_call.h"

#include "base/num.h"
#include "command/tables.h"

/* ZADD as its arguments say it. */
struct adding {
    unsigned flags; /* enum zset_write_flag */
    bool tells_changed;
    int first; /* argument index of the first score */
};

/* Most first words are numbers, and need not be compared with all the options. */
static inline bool may_be_option(struct bytes word) {
    return word.size >= 2 && word.size <= 4 && (unsigned char)word.at[0] > '9';
}

static bool read_option(struct call *call, int index, struct adding *adding) {
    static const struct {
        const char *word;
        unsigned flag;
    } options[] = {{"nx", ZSET_IF_ABSENT},
                   {"xx", ZSET_IF_PRESENT},
                   {"gt", ZSET_IF_GREATER},
                   {"lt", ZSET_IF_LESS},
                   {"incr", ZSET_ADD}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (call_arg_is(call, index, options[i].word)) {
            adding->flags |= options[i].flag;
            return true;
        }
    }
    if (call_arg_is(call, index, "ch")) {
        adding->tells_changed = true;
        return true;
    }
    return false;
}

/* False when an error has been replied. The flags given are set already. */
static bool read_adding(struct call *call, unsigned adding_flags, struct adding *adding) {
    *adding = (struct adding){.flags = adding_flags, .first = 2};
    while (adding->first < call->argc && may_be_option(call->args[adding->first]) &&
           read_option(call, adding->first, adding)) {
        adding->first++;
    }
    int rest = call->argc - adding->first;
    unsigned flags = adding->flags;
    bool either = (flags & ZSET_IF_GREATER) && (flags & ZSET_IF_LESS);
    if (rest == 0 || rest % 2 != 0) {
        reply_syntax_error(call->reply);
    } else if ((flags & ZSET_IF_ABSENT) && (flags & ZSET_IF_PRESENT)) {
        reply_error(call->reply, "ERR XX and NX options at the same time are not compatible");
    } else if (either || ((flags & ZSET_IF_ABSENT) && (flags & (ZSET_IF_GREATER | ZSET_IF_LESS)))) {
        reply_error(call->reply,
                    "ERR GT, LT, and/or NX options at the same time are not compatible");
    } else if ((flags & ZSET_ADD) && rest > 2) {
        reply_error(call->reply, "ERR INCR option supports a single increment-element pair");
    } else {
        return true;
    }
    return false;
}

static bool read_score(struct call *call, int index, double *score) {
    if (LIKELY(num_parse_double(call->args[index], score))) {
        return true;
    }
    reply_not_float(call->reply);
    return false;
}

/* A score that is counted up: replies the new one, null if a condition does not hold. */
static void increment(struct zset_call *on, const struct zset_write *write) {
    struct reply *reply = on->call->reply;
    double score;
    switch (zset_call_set(on, write, &score)) {
    case ZSET_ADDED:
    case ZSET_CHANGED:
        zset_call_changed(on, "zincr");
        reply_double(reply, score);
        break;
    case ZSET_SAME:
        reply_double(reply, score);
        break;
    case ZSET_REFUSED:
        reply_null(reply);
        break;
    case ZSET_NAN:
        reply_error(reply, "ERR resulting score is not a number (NaN)");
        break;
    case ZSET_NO_MEMORY:
        reply_no_memory(reply);
    }
    zset_call_settle(on);
}

/* Scores that are kept from when they were checked; those of further pairs are read again. */
#define SCORES_KEPT 16

/* Sets all the pairs. All their scores are numbers; the first ones are in `scores`. */
static void add_pairs(struct zset_call *on, const struct adding *adding, const double *scores) {
    struct call *call = on->call;
    int64_t added = 0;
    int64_t changed = 0;
    bool failed = false;
    int pairs = (call->argc - adding->first) / 2;
    for (int i = 0; i < pairs && !failed; i++) {
        int index = adding->first + 2 * i;
        struct zset_write write = {.name = call_element_name(call, index + 1),
                                   .flags = adding->flags};
        if (i < SCORES_KEPT) {
            write.score = scores[i]; /* NOLINT(clang-analyzer-core.uninitialized.Assign) */
        } else {
            num_parse_double(call->args[index], &write.score);
        }
        double score;
        enum zset_outcome outcome = zset_call_set(on, &write, &score);
        added += outcome == ZSET_ADDED;
        changed += outcome == ZSET_CHANGED;
        failed = outcome == ZSET_NO_MEMORY;
    }
    if (added + changed > 0) {
        zset_call_changed(on, "zadd");
    }
    if (UNLIKELY(failed)) {
        reply_no_memory(call->reply);
        zset_call_settle(on);
        return;
    }
    reply_integer(call->reply, adding->tells_changed ? added + changed : added);
}

/* ZADD; the flags given are set already. */
static void add(struct call *call, unsigned flags) {
    struct adding adding;
    struct zset_call on;
    double scores[SCORES_KEPT];
    double further;
    if (!read_adding(call, flags, &adding)) {
        return;
    }
    for (int i = 0; adding.first + 2 * i < call->argc; i++) {
        if (!read_score(call, adding.first + 2 * i, i < SCORES_KEPT ? &scores[i] : &further)) {
            return;
        }
    }
    if (!zset_call_write(call, 1, &on)) {
        return;
    }
    bool increments = (adding.flags & ZSET_ADD) != 0;
    if (on.zset == NULL && (adding.flags & ZSET_IF_PRESENT)) {
        if (increments) {
            reply_null(call->reply);
        } else {
            reply_integer(call->reply, 0);
        }
        return;
    }
    if (!zset_call_create(&on)) {
        return;
    }
    if (increments) {
        struct zset_write write = {call_element_name(call, adding.first + 1), scores[0],
                                   adding.flags};
        increment(&on, &write);
    } else {
        add_pairs(&on, &adding, scores);
    }
}

static void zadd(struct call *call) {
    add(call, 0);
}

/* ZADD with INCR, to the letter: words that are its options are no increments. */
static void zincrby(struct call *call) {
    add(call, ZSET_ADD);
}

static void zrem(struct call *call) {
    struct zset_call on;
    if (!zset_call_write(call, 1, &on)) {
        return;
    }
    int64_t removed = 0;
    for (int i = 2; on.zset != NULL && i < call->argc; i++) {
        removed += zset_remove(on.zset, call_element_name(call, i));
    }
    if (removed > 0) {
        zset_call_changed(&on, "zrem");
        zset_call_settle(&on);
    }
    reply_integer(call->reply, removed);
}

static void zcard(struct call *call) {
    struct zset_call on;
    if (zset_call_read(call, 1, &on)) {
        reply_integer(call->reply, on.zset != NULL ? (int64_t)zset_length(on.zset) : 0);
    }
}

static void reply_score(const struct zset_call *on, struct element_name name) {
    double score;
    if (on->zset != NULL && zset_score(on->zset, name, &score)) {
        reply_double(on->call->reply, score);
    } else {
        reply_null(on->call->reply);
    }
}

static void zscore(struct call *call) {
    struct zset_call on;
    if (zset_call_read(call, 1, &on)) {
        reply_score(&on, call_element_name(call, 2));
    }
}

static void zmscore(struct call *call) {
    struct zset_call on;
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        reply_score(&on, call_element_name(call, i));
    }
}

static void reply_rank(struct call *call, bool from_top) {
    struct zset_call on;
    bool with_score = call->argc == 4;
    if (call->argc > 4) {
        reply_bad_arity(call->reply, call->command->name);
        return;
    }
    if (with_score && !call_arg_is(call, 3, "withscore")) {
        reply_syntax_error(call->reply);
        return;
    }
    if (!zset_call_read(call, 1, &on)) {
        return;
    }
    size_t rank;
    double score;
    if (on.zset == NULL || !zset_rank(on.zset, call_element_name(call, 2), &rank, &score)) {
        if (with_score) {
            reply_null_array(call->reply);
        } else {
            reply_null(call->reply);
        }
        return;
    }
    if (with_score) {
        reply_array(call->reply, 2);
    }
    reply_integer(call->reply, (int64_t)(from_top ? zset_length(on.zset) - 1 - rank : rank));
    if (with_score) {
        reply_double(call->reply, score);
    }
}

static void zrank(struct call *call) {
    reply_rank(call, false);
}

static void zrevrank(struct call *call) {
    reply_rank(call, true);
}

static void zcount(struct call *call) {
    struct zset_scores range;
    struct zset_call on;
    if (zset_call_scores(call, 2, 3, &range) && zset_call_read(call, 1, &on)) {
        size_t count = on.zset != NULL ? zset_span_of_scores(on.zset, &range).count : 0;
        reply_integer(call->reply, (int64_t)count);
    }
}

static void zlexcount(struct call *call) {
    struct zset_names range;
    struct zset_call on;
    if (zset_call_names(call, 2, 3, &range) && zset_call_read(call, 1, &on)) {
        size_t count = on.zset != NULL ? zset_span_of_names(on.zset, &range).count : 0;
        reply_integer(call->reply, (int64_t)count);
    }
}

static const struct command_row rows[] = {
    {.name = "zadd",
     .fn = zadd,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .element = 3,
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(log(N)) for each member, N being the length.",
     .summary = "Adds members to a sorted set, or changes their scores.",
     .syntax = "key [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]"},
    {.name = "zcard",
     .fn = zcard,
     .arity = 2,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO)},
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Returns how many members a sorted set has.",
     .syntax = "key"},
    {.name = "zcount",
     .fn = zcount,
     .arity = 4,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.0.0",
     .complexity = "O(log(N))",
     .summary = "Counts the members of a sorted set between two scores.",
     .syntax = "key min max"},
    {.name = "zincrby",
     .fn = zincrby,
     .arity = 4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .element = 3,
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(log(N))",
     .summary = "Adds to the score of a member of a sorted set; a missing one counts as 0.",
     .syntax = "key increment member"},
    {.name = "zlexcount",
     .fn = zlexcount,
     .arity = 4,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.8.9",
     .complexity = "O(log(N))",
     .summary = "Counts the members of a sorted set between two names.",
     .syntax = "key min max"},
    {.name = "zmscore",
     .fn = zmscore,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity = "O(N) for N members.",
     .summary = "Returns the scores of several members of a sorted set.",
     .syntax = "key member [member ...]"},
    {.name = "zrank",
     .fn = zrank,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_SORTED_SET,
     .since = "2.0.0",
     .complexity = "O(log(N))",
     .summary = "Returns the rank of a member of a sorted set, counted from the lowest score.",
     .syntax = "key member [WITHSCORE]"},
    {.name = "zrem",
     .fn = zrem,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)},
     .element = 2,
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(M*log(N)) for M members to remove.",
     .summary = "Removes members from a sorted set, and the sorted set with its last one.",
     .syntax = "key member [member ...]"},
    {.name = "zrevrank",
     .fn = zrevrank,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_SORTED_SET,
     .since = "2.0.0",
     .complexity = "O(log(N))",
     .summary = "Returns the rank of a member of a sorted set, counted from the highest score.",
     .syntax = "key member [WITHSCORE]"},
    {.name = "zscore",
     .fn = zscore,
     .arity = 3,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .element = 2,
     .group = GROUP_SORTED_SET,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Returns the score of a member of a sorted set.",
     .syntax = "key member"},
};

const struct command_table *command_zsets(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
