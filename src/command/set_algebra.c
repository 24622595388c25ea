/* set_algebra: intersections, unions and differences of sets: replied, counted or stored.
 *
 * Members come in batches from one set and are looked for in the others, sixteen at a time, so that
 * the waits for memory overlap; a member's hash is reckoned once, since all sets' dicts share their
 * seed. Nothing is built for a reply where the sets themselves tell whether a member has come
 * before:
 *
 *     intersection   of the smallest set, what each other one has
 *     difference     of the first set, what no other one has
 *     union          of each set, what none before it has
 *
 * That takes time in proportion to members times sets. Where it would be more than the sum of all
 * sets' sizes by much, a result is built instead, as it is for storing. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "command/set_call.h"
#include "command/tables.h"

/* Sets that need no memory of their own to be remembered. */
#define SETS_FEW 16
/* Keys whose buckets are asked for at a time. */
#define KEYS_PORTION 16
/* Up to so many sets a union looks through the sets before instead of building a result. */
#define UNION_COMPARED_MAX 4

/* The sets that a command names. */
struct operands {
    struct entry **sets; /* NULL where a key is absent */
    size_t count;
    size_t absent;
    struct entry *few[SETS_FEW];
};

/* False when a key holds another type, or there is no memory: the error has been replied. */
static bool operands_read(struct call *call, int first, size_t count, struct operands *operands) {
    operands->count = count;
    operands->absent = 0;
    operands->sets = operands->few;
    if (count > SETS_FEW) {
        operands->sets = mem_try_alloc(MEM_ARENA, count * sizeof *operands->sets);
        if (operands->sets == NULL) {
            reply_no_memory(call->reply);
            return false;
        }
    }
    for (size_t i = 0; i < count; i += KEYS_PORTION) {
        struct key keys[KEYS_PORTION];
        size_t portion = count - i < KEYS_PORTION ? count - i : KEYS_PORTION;
        for (size_t k = 0; k < portion; k++) {
            keys[k] = call_key(call, first + (int)(i + k));
        }
        keyspace_prefetch(keys, portion);
        for (size_t k = 0; k < portion; k++) {
            struct entry *set = keyspace_read(call->keyspace, &keys[k]);
            operands->sets[i + k] = set;
            operands->absent += set == NULL;
            if (!call_type_ok(call, set, ENTRY_SET)) {
                if (operands->sets != operands->few) {
                    mem_free(MEM_ARENA, operands->sets, count * sizeof *operands->sets);
                }
                return false;
            }
        }
    }
    return true;
}

static void operands_free(struct operands *operands) {
    if (operands->sets != operands->few) {
        mem_free(MEM_ARENA, operands->sets, operands->count * sizeof *operands->sets);
    }
}

/* Moves what is absent out of the way. */
static void drop_absent(struct operands *operands, size_t from) {
    size_t kept = from;
    for (size_t i = from; i < operands->count - operands->absent; i++) {
        while (operands->sets[kept] == NULL) {
            kept++;
        }
        operands->sets[i] = operands->sets[kept++];
    }
}

/* ---- where members go ---- */

enum goal { GOAL_REPLY, GOAL_COUNT, GOAL_STORE };

/* A set that is in no keyspace: an entry without a key. */
struct result {
    bool exists;
    union entry_carrier carrier;
};

/* An operation under way. */
struct work {
    struct call *call;
    enum goal goal;
    int64_t limit; /* of a count */
    int64_t taken;
    bool has_begun;         /* of a reply */
    struct reply_mark mark; /* then where its header goes */
    bool failed;            /* there was no memory: before a reply has begun */
    struct result result;   /* of one that is built */
};

static void result_free(struct work *work) {
    if (work->result.exists) {
        set_free(&work->result.carrier.entry);
        work->result.exists = false;
    }
}

/* Adds a batch that is hashed, and new, to the result. */
static bool result_add(struct work *work, const struct set_batch *batch) {
    const struct set_options *limits = &work->call->keyspace->set_options;
    if (batch->count > 0 && !work->result.exists) {
        struct entry_shape shape = set_new_shape(limits, batch->members[0], 1);
        entry_carry(&work->result.carrier, &shape);
        work->result.exists = true;
    }
    for (size_t i = 0; i < batch->count && !work->failed; i++) {
        work->failed = set_add_new(&work->result.carrier.entry, limits, batch->members[i],
                                   batch->hashes[i]) < 0;
    }
    return !work->failed;
}

/* A batch of the outcome. False when no more is wanted. */
static bool take(struct work *work, const struct set_batch *batch) {
    work->taken += (int64_t)batch->count;
    if (work->goal == GOAL_STORE) {
        return result_add(work, batch);
    }
    if (work->goal == GOAL_COUNT) {
        return work->taken < work->limit;
    }
    if (!work->has_begun) {
        work->mark = reply_defer(work->call->reply);
        work->has_begun = true;
    }
    for (size_t i = 0; i < batch->count; i++) {
        reply_bulk(work->call->reply, batch->members[i]);
    }
    return !reply_is_discarded(work->call->reply);
}

/* The outcome is what was built. */
static void take_result(struct work *work) {
    size_t size = work->result.exists ? set_size(&work->result.carrier.entry) : 0;
    if (work->goal == GOAL_REPLY && size > 0 && !work->failed) {
        struct set_walk walk;
        struct set_batch batch;
        set_walk_begin(&walk, &work->result.carrier.entry);
        bool goes_on = true;
        while (goes_on && set_walk_next(&walk, &batch)) {
            goes_on = take(work, &batch);
        }
    }
    work->taken = (int64_t)size;
}

/* ---- the operations ---- */

/* Integers first among sets of one size, so that members come in order. */
static int by_size(const void *one, const void *other) {
    const struct entry *a = *(struct entry *const *)one;
    const struct entry *b = *(struct entry *const *)other;
    size_t a_size = set_size(a);
    size_t b_size = set_size(b);
    if (a_size != b_size) {
        return a_size < b_size ? -1 : 1;
    }
    return (entry_encoding(b) == ENTRY_INTEGERS) - (entry_encoding(a) == ENTRY_INTEGERS);
}

static void sort_by_size(struct operands *operands) {
    drop_absent(operands, 0);
    if (operands->count - operands->absent > 1) {
        qsort(operands->sets, operands->count - operands->absent, sizeof *operands->sets, by_size);
    }
}

/* Gives `take` those members of a set that each of the others has, or that none has. */
static bool sift(struct work *work, const struct entry *set, struct entry *const *others,
                 size_t count, bool those_they_have) {
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        if (count > 0 || work->goal == GOAL_STORE) {
            set_batch_hash(&batch);
        }
        for (size_t i = 0; i < count && batch.count > 0; i++) {
            set_batch_keep(&batch, others[i], those_they_have);
        }
        if (!take(work, &batch)) {
            return false;
        }
    }
    return true;
}

static void intersect(struct work *work, struct operands *operands) {
    if (operands->absent == 0) {
        sort_by_size(operands);
        sift(work, operands->sets[0], operands->sets + 1, operands->count - 1, true);
    }
}

/* Builds the union as result. */
static void build_union(struct work *work, struct entry *const *sets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct set_walk walk;
        struct set_batch batch;
        set_walk_begin(&walk, sets[i]);
        while (set_walk_next(&walk, &batch)) {
            set_batch_hash(&batch);
            if (i > 0) {
                set_batch_keep(&batch, &work->result.carrier.entry, false);
            }
            if (!result_add(work, &batch)) {
                return;
            }
        }
    }
}

/* Integers alone are united in order, which takes a result. */
static bool all_are_integers(struct entry *const *sets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (entry_encoding(sets[i]) != ENTRY_INTEGERS) {
            return false;
        }
    }
    return true;
}

/* The largest set first: nothing has to be looked for to take its members. */
static void unite(struct work *work, struct operands *operands) {
    size_t count = operands->count - operands->absent;
    struct entry **sets = operands->sets;
    sort_by_size(operands);
    for (size_t i = 0; i < count / 2; i++) {
        struct entry *set = sets[i];
        sets[i] = sets[count - 1 - i];
        sets[count - 1 - i] = set;
    }
    if (work->goal == GOAL_STORE || count > UNION_COMPARED_MAX ||
        (work->goal == GOAL_REPLY && all_are_integers(sets, count))) {
        build_union(work, sets, count);
        take_result(work);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!sift(work, sets[i], sets, i, false)) {
            return;
        }
    }
}

/* Builds the difference as result: takes out of the first set what the others have. */
static void build_difference(struct work *work, struct entry *const *sets, size_t count) {
    build_union(work, sets, 1);
    for (size_t i = 1; i < count && !work->failed; i++) {
        struct set_walk walk;
        struct set_batch batch;
        set_walk_begin(&walk, sets[i]);
        while (set_walk_next(&walk, &batch)) {
            set_batch_hash(&batch);
            set_batch_keep(&batch, &work->result.carrier.entry, true);
            for (size_t k = 0; k < batch.count; k++) {
                set_remove(&work->result.carrier.entry, batch.members[k], batch.hashes[k]);
            }
        }
    }
}

/* Whether building the difference costs less: every set is walked once, instead of the first one's
 * members being looked for in every other. Half of these look-ups are reckoned with, since a member
 * is done with when it is found, and two for a member that is built. */
static bool building_is_cheaper(struct entry *const *sets, size_t count) {
    double first = (double)set_size(sets[0]);
    double others = 0;
    for (size_t i = 1; i < count; i++) {
        others += (double)set_size(sets[i]);
    }
    return count > 2 && first * (double)(count - 1) / 2 > 2 * first + others;
}

static void subtract(struct work *work, struct operands *operands) {
    struct entry **sets = operands->sets;
    if (sets[0] == NULL) {
        return;
    }
    drop_absent(operands, 0);
    size_t count = operands->count - operands->absent;
    if (building_is_cheaper(sets, count)) {
        build_difference(work, sets, count);
        take_result(work);
    } else {
        sift(work, sets[0], sets + 1, count - 1, false);
    }
}

/* ---- the commands ---- */

typedef void (*operation_fn)(struct work *work, struct operands *operands);

static void reply_outcome(struct call *call, operation_fn operation) {
    struct operands operands;
    struct work work = {.call = call, .goal = GOAL_REPLY};
    if (!operands_read(call, 1, (size_t)call->argc - 1, &operands)) {
        return;
    }
    operation(&work, &operands);
    if (work.failed) {
        reply_no_memory(call->reply);
    } else if (work.has_begun) {
        reply_defer_end(call->reply, work.mark, '~', work.taken);
    } else {
        reply_set(call->reply, 0);
    }
    result_free(&work);
    operands_free(&operands);
}

/* Makes the result the destination's value; an empty one is none. */
static void assign(struct work *work, const char *event) {
    struct call *call = work->call;
    struct keyspace *keyspace = call->keyspace;
    struct key key = call_key(call, 1);
    struct entry *old = keyspace_write(keyspace, &key);
    if (work->taken == 0) {
        if (old != NULL) {
            keyspace_remove(keyspace, &key, old, keyspace->options.lazy_server_del);
            keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "del");
        }
        reply_integer(call->reply, 0);
        return;
    }
    struct entry_shape shape = {.type = ENTRY_SET,
                                .encoding = entry_encoding(&work->result.carrier.entry),
                                .word = entry_shape_word(&work->result.carrier.entry)};
    if (keyspace_assign(keyspace, &key, old, &shape, ENTRY_NO_DEADLINE) == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    work->result.exists = false;
    keyspace_changed(keyspace, &key, KEYSPACE_SET, event);
    reply_integer(call->reply, work->taken);
}

static void store_outcome(struct call *call, operation_fn operation, const char *event) {
    struct operands operands;
    struct work work = {.call = call, .goal = GOAL_STORE};
    if (!operands_read(call, 2, (size_t)call->argc - 2, &operands)) {
        return;
    }
    operation(&work, &operands);
    operands_free(&operands);
    if (work.failed) {
        reply_no_memory(call->reply);
    } else {
        assign(&work, event);
    }
    result_free(&work);
}

/* The number of keys that argument 1 says; 0 when an error has been replied. */
static size_t read_key_count(struct call *call) {
    int64_t count;
    if (!num_parse_i64(call->args[1], &count) || count < 1) {
        reply_error(call->reply, "ERR numkeys should be greater than 0");
        return 0;
    }
    if (count > call->argc - 2) {
        reply_error(call->reply, "ERR Number of keys can't be greater than number of args");
        return 0;
    }
    return (size_t)count;
}

/* LIMIT, and APPROX where that is an option: an exact count is as good as any. */
static bool read_count_options(struct call *call, int from, bool may_approximate, int64_t *limit) {
    *limit = INT64_MAX;
    for (int i = from; i < call->argc; i++) {
        if (call_arg_is(call, i, "limit") && i + 1 < call->argc) {
            i++;
            if (!num_parse_i64(call->args[i], limit) || *limit < 0) {
                reply_error(call->reply, "ERR LIMIT can't be negative");
                return false;
            }
            *limit = *limit == 0 ? INT64_MAX : *limit;
        } else if (!may_approximate || !call_arg_is(call, i, "approx")) {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static void count_outcome(struct call *call, operation_fn operation, bool may_approximate) {
    struct operands operands;
    struct work work = {.call = call, .goal = GOAL_COUNT};
    size_t count = read_key_count(call);
    if (count == 0 || !read_count_options(call, 2 + (int)count, may_approximate, &work.limit) ||
        !operands_read(call, 2, count, &operands)) {
        return;
    }
    operation(&work, &operands);
    if (work.failed) {
        reply_no_memory(call->reply);
    } else {
        reply_integer(call->reply, work.taken < work.limit ? work.taken : work.limit);
    }
    result_free(&work);
    operands_free(&operands);
}

static void sinter(struct call *call) {
    reply_outcome(call, intersect);
}

static void sunion(struct call *call) {
    reply_outcome(call, unite);
}

static void sdiff(struct call *call) {
    reply_outcome(call, subtract);
}

static void sinterstore(struct call *call) {
    store_outcome(call, intersect, "sinterstore");
}

static void sunionstore(struct call *call) {
    store_outcome(call, unite, "sunionstore");
}

static void sdiffstore(struct call *call) {
    store_outcome(call, subtract, "sdiffstore");
}

static void sintercard(struct call *call) {
    count_outcome(call, intersect, false);
}

static void sunioncard(struct call *call) {
    count_outcome(call, unite, true);
}

static void sdiffcard(struct call *call) {
    count_outcome(call, subtract, false);
}

#define READ_SLOW   (CATEGORY_READ | CATEGORY_SET | CATEGORY_SLOW)
#define WRITE_SLOW  (CATEGORY_WRITE | CATEGORY_SET | CATEGORY_SLOW)
#define ALL_KEYS    KEYS_RANGE(1, -1, 1, 0, KEY_RO | KEY_ACCESS)
#define COUNTED     KEYS_COUNT(1, 0, 1, 1, KEY_RO | KEY_ACCESS)
#define DESTINATION KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE)
#define SOURCES     KEYS_RANGE(2, -1, 1, 0, KEY_RO | KEY_ACCESS)

static const struct command_row rows[] = {
    {.name = "sdiff",
     .fn = sdiff,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = READ_SLOW,
     .keys = {ALL_KEYS},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members in all sets, or less.",
     .summary = "Returns the members of a set that no other of the sets has.",
     .syntax = "key [key ...]"},
    {.name = "sdiffcard",
     .fn = sdiffcard,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = READ_SLOW,
     .keys = {COUNTED},
     .group = GROUP_SET,
     .since = "8.10.0",
     .complexity = "O(N) for N members in all sets, or less.",
     .summary = "Counts the members of a set that no other of the sets has.",
     .syntax = "numkeys key [key ...] [LIMIT limit]"},
    {.name = "sdiffstore",
     .fn = sdiffstore,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = WRITE_SLOW,
     .keys = {DESTINATION, SOURCES},
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members in all sets, or less.",
     .summary = "Stores the members of a set that no other of the sets has.",
     .syntax = "destination key [key ...]"},
    {.name = "sinter",
     .fn = sinter,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = READ_SLOW,
     .keys = {ALL_KEYS},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N*M) for a smallest set of N members and M sets.",
     .summary = "Returns the members that all of the sets have.",
     .syntax = "key [key ...]"},
    {.name = "sintercard",
     .fn = sintercard,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = READ_SLOW,
     .keys = {COUNTED},
     .group = GROUP_SET,
     .since = "7.0.0",
     .complexity = "O(N*M) for a smallest set of N members and M sets.",
     .summary = "Counts the members that all of the sets have.",
     .syntax = "numkeys key [key ...] [LIMIT limit]"},
    {.name = "sinterstore",
     .fn = sinterstore,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = WRITE_SLOW,
     .keys = {DESTINATION, SOURCES},
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N*M) for a smallest set of N members and M sets.",
     .summary = "Stores the members that all of the sets have.",
     .syntax = "destination key [key ...]"},
    {.name = "sunion",
     .fn = sunion,
     .arity = -2,
     .flags = COMMAND_READONLY,
     .categories = READ_SLOW,
     .keys = {ALL_KEYS},
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members in all sets.",
     .summary = "Returns the members that any of the sets has.",
     .syntax = "key [key ...]"},
    {.name = "sunioncard",
     .fn = sunioncard,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = READ_SLOW,
     .keys = {COUNTED},
     .group = GROUP_SET,
     .since = "8.10.0",
     .complexity = "O(N) for N members in all sets.",
     .summary = "Counts the members that any of the sets has.",
     .syntax = "numkeys key [key ...] [APPROX] [LIMIT limit]"},
    {.name = "sunionstore",
     .fn = sunionstore,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM,
     .categories = WRITE_SLOW,
     .keys = {DESTINATION, SOURCES},
     .group = GROUP_SET,
     .since = "1.0.0",
     .complexity = "O(N) for N members in all sets.",
     .summary = "Stores the members that any of the sets has.",
     .syntax = "destination key [key ...]"},
};

const struct command_table *command_set_algebra(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
