/* zset_combine: commands that make one sorted set of several: unions, intersections and
 * differences, replied, stored or counted. Sets take part as sorted sets in which every score is 1.
 *
 * Scores are added up in the order of the inputs' sizes, as Redis does it: sums of floating point
 * numbers depend on that. */
#include "command/zset_call.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "command/tables.h"
#include "types/set.h"
#include "types/zset_gather.h"

enum operation { UNION, INTERSECTION, DIFFERENCE };
enum aggregate { SUM, LEAST, MOST, COUNT };

struct source {
    const struct entry *entry; /* NULL: absent, which is empty */
    bool is_set;
    size_t size;
    double weight;
    int index; /* among the arguments: equal sizes keep this order */
};

/* What a command is told and works with. */
struct combining {
    struct call *call;
    enum operation operation;
    enum aggregate aggregate;
    bool with_scores;
    struct source *sources;
    int count;
    int keys; /* argument index of the first key */
    struct zset_gather gather;
};

/* ---- arguments ---- */

/* Looks the inputs up. False when an error has been replied. */
static bool read_sources(struct combining *combining, int number_at) {
    struct call *call = combining->call;
    int64_t count;
    if (!call_integer(call, number_at, &count)) {
        return false;
    }
    if (count < 1) {
        reply_errorf(call->reply, "ERR at least 1 input key is needed for '%s' command",
                     call->command->name);
        return false;
    }
    if (count > call->argc - number_at - 1) {
        reply_syntax_error(call->reply);
        return false;
    }
    combining->count = (int)count;
    combining->keys = number_at + 1;
    combining->sources = mem_try_alloc(MEM_OTHER, (size_t)count * sizeof *combining->sources);
    if (combining->sources == NULL) {
        reply_no_memory(call->reply);
        return false;
    }
    for (int i = 0; i < combining->count; i++) {
        struct key key = call_key(call, combining->keys + i);
        const struct entry *entry = keyspace_read(call->keyspace, &key);
        bool is_set = entry != NULL && entry_type(entry) == ENTRY_SET;
        if (!is_set && !call_type_ok(call, entry, ENTRY_SORTED_SET)) {
            return false;
        }
        combining->sources[i] = (struct source){
            .entry = entry,
            .is_set = is_set,
            .size = is_set          ? set_size(entry)
                    : entry != NULL ? zset_length(entry)
                                    : 0,
            .weight = 1,
            .index = i,
        };
    }
    return true;
}

/* WEIGHTS and its numbers, which begin at `index`. */
static bool read_weights(struct combining *combining, int index) {
    for (int i = 0; i < combining->count; i++) {
        if (!num_parse_double(combining->call->args[index + i], &combining->sources[i].weight)) {
            reply_error(combining->call->reply, "ERR weight value is not a float");
            return false;
        }
    }
    return true;
}

static bool read_aggregate(struct combining *combining, int index) {
    static const struct {
        const char *word;
        enum aggregate aggregate;
    } words[] = {{"sum", SUM}, {"min", LEAST}, {"max", MOST}, {"count", COUNT}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (call_arg_is(combining->call, index, words[i].word)) {
            combining->aggregate = words[i].aggregate;
            return true;
        }
    }
    reply_syntax_error(combining->call->reply);
    return false;
}

/* The options behind the keys. False when an error has been replied. */
static bool read_options(struct combining *combining, bool stores) {
    struct call *call = combining->call;
    bool weighs = combining->operation != DIFFERENCE;
    for (int i = combining->keys + combining->count; i < call->argc; i++) {
        int rest = call->argc - i - 1;
        if (weighs && rest >= combining->count && call_arg_is(call, i, "weights")) {
            if (!read_weights(combining, i + 1)) {
                return false;
            }
            i += combining->count;
        } else if (weighs && rest >= 1 && call_arg_is(call, i, "aggregate")) {
            if (!read_aggregate(combining, ++i)) {
                return false;
            }
        } else if (!stores && call_arg_is(call, i, "withscores")) {
            combining->with_scores = true;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static int by_size(const void *one, const void *other) {
    const struct source *a = one;
    const struct source *b = other;
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

static void sort_sources(struct combining *combining) {
    qsort(combining->sources, (size_t)combining->count, sizeof *combining->sources, by_size);
}

/* ---- members of inputs ---- */

/* A walk over an input, whatever it is. */
struct walk {
    struct zset_batch batch; /* what it has come to, hashed */
    bool is_set;
    struct zset_walk of_zset;
    struct set_walk of_set;
    struct set_batch members; /* of the set: what batch.names refer to */
};
_Static_assert(SET_BATCH <= ZSET_BATCH, "a batch of a set fits one of a sorted set");

static void walk_begin(struct walk *walk, const struct source *source) {
    walk->is_set = source->is_set;
    if (walk->is_set) {
        set_walk_begin(&walk->of_set, source->entry);
    } else {
        zset_walk_begin(&walk->of_zset, source->entry);
    }
}

/* The next members; false when there are no more. */
static bool walk_next(struct walk *walk) {
    struct zset_batch *batch = &walk->batch;
    if (walk->is_set) {
        if (!set_walk_next(&walk->of_set, &walk->members)) {
            return false;
        }
        batch->count = walk->members.count;
        for (size_t i = 0; i < batch->count; i++) {
            batch->names[i] = walk->members.members[i];
            batch->scores[i] = 1;
        }
    } else if (!zset_walk_next(&walk->of_zset, batch)) {
        return false;
    }
    zset_batch_hash(batch);
    return true;
}

static struct element_name name_at(const struct zset_batch *batch, size_t index) {
    return (struct element_name){batch->names[index], batch->hashes[index]};
}

/* Whether an input that is there has a member, and its score. */
static bool source_has(const struct source *source, struct element_name name, double *score) {
    if (source->is_set) {
        *score = 1;
        return set_has(source->entry, name.text, name.hash);
    }
    return zset_score(source->entry, name, score);
}

/* ---- scores ---- */

/* What a member of an input brings along. */
static inline double weighted(const struct combining *combining, const struct source *source,
                              double score) {
    return combining->aggregate == COUNT ? source->weight : source->weight * score;
}

/* Infinity times 0, and infinity less infinity, count as 0. */
static inline double or_zero(double score) {
    return isnan(score) ? 0 : score;
}

static inline double aggregate(enum aggregate how, double so_far, double score) {
    switch (how) {
    case LEAST:
        return score < so_far ? score : so_far;
    case MOST:
        return score > so_far ? score : so_far;
    default:
        return or_zero(so_far + score);
    }
}

/* ---- the operations; each false when there is no memory ---- */

static bool unite(struct combining *combining) {
    sort_sources(combining);
    struct zset_gather *gather = &combining->gather;
    for (int i = 0; i < combining->count; i++) {
        const struct source *source = &combining->sources[i];
        struct walk walk;
        const struct zset_batch *batch = &walk.batch;
        if (source->entry == NULL) {
            continue;
        }
        walk_begin(&walk, source);
        while (walk_next(&walk)) {
            zset_gather_prefetch(gather, batch);
            for (size_t j = 0; j < batch->count; j++) {
                double score = or_zero(weighted(combining, source, batch->scores[j]));
                double *so_far = zset_gather_find(gather, name_at(batch, j));
                if (so_far != NULL) {
                    *so_far = aggregate(combining->aggregate, *so_far, score);
                } else if (!zset_gather_add(gather, name_at(batch, j), score)) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Whether all the inputs but the first have the member; then its score. */
static bool is_in_all(const struct combining *combining, struct element_name name, double *score) {
    for (int i = 1; i < combining->count; i++) {
        const struct source *source = &combining->sources[i];
        double other;
        if (!source_has(source, name, &other)) {
            return false;
        }
        *score = aggregate(combining->aggregate, *score, weighted(combining, source, other));
    }
    return true;
}

/* Gathers the intersection until `limit` members were found, or only counts them. Returns how many;
 * -1 when there is no memory. */
static int64_t intersect(struct combining *combining, bool counts, uint64_t limit) {
    sort_sources(combining);
    const struct source *smallest = &combining->sources[0];
    struct walk walk;
    const struct zset_batch *batch = &walk.batch;
    uint64_t found = 0;
    if (smallest->size == 0) {
        return 0;
    }
    walk_begin(&walk, smallest);
    while (found < limit && walk_next(&walk)) {
        if (combining->count > 1) {
            zset_batch_prefetch(batch, combining->sources[1].entry);
        }
        for (size_t i = 0; i < batch->count && found < limit; i++) {
            double score = or_zero(weighted(combining, smallest, batch->scores[i]));
            if (!is_in_all(combining, name_at(batch, i), &score)) {
                continue;
            }
            found++;
            if (!counts && !zset_gather_add(&combining->gather, name_at(batch, i), score)) {
                return -1;
            }
        }
    }
    return (int64_t)found;
}

static bool is_in_none(const struct combining *combining, struct element_name name) {
    for (int i = 1; i < combining->count; i++) {
        const struct source *source = &combining->sources[i];
        double other;
        if (source->entry != NULL && source_has(source, name, &other)) {
            return false;
        }
    }
    return true;
}

static bool subtract(struct combining *combining) {
    const struct source *first = &combining->sources[0];
    struct walk walk;
    const struct zset_batch *batch = &walk.batch;
    if (first->entry == NULL) {
        return true;
    }
    walk_begin(&walk, first);
    while (walk_next(&walk)) {
        if (combining->count > 1 && combining->sources[1].entry != NULL) {
            zset_batch_prefetch(batch, combining->sources[1].entry);
        }
        for (size_t i = 0; i < batch->count; i++) {
            if (is_in_none(combining, name_at(batch, i)) &&
                !zset_gather_add(&combining->gather, name_at(batch, i), batch->scores[i])) {
                return false;
            }
        }
    }
    return true;
}

static bool operate(struct combining *combining) {
    bool done = combining->operation == UNION ? unite(combining)
                : combining->operation == INTERSECTION
                    ? intersect(combining, false, UINT64_MAX) >= 0
                    : subtract(combining);
    return done && zset_gather_sort(&combining->gather) == 0;
}

/* ---- commands ---- */

static void begin(struct combining *combining, struct call *call, enum operation operation) {
    *combining = (struct combining){.call = call, .operation = operation};
    zset_gather_init(&combining->gather);
}

static void end(struct combining *combining) {
    zset_gather_free(&combining->gather);
    mem_free(MEM_OTHER, combining->sources, (size_t)combining->count * sizeof *combining->sources);
}

static void reply_combined(struct call *call, enum operation operation) {
    struct combining combining;
    begin(&combining, call, operation);
    if (read_sources(&combining, 1) && read_options(&combining, false)) {
        if (operate(&combining)) {
            struct zset_replying replying = zset_call_replying(call, combining.with_scores);
            zset_call_reply_header(&replying, zset_gather_count(&combining.gather));
            zset_gather_visit(&combining.gather, zset_call_reply_member, &replying);
        } else {
            reply_no_memory(call->reply);
        }
    }
    end(&combining);
}

static void store_combined(struct call *call, enum operation operation, const char *event) {
    struct combining combining;
    begin(&combining, call, operation);
    if (read_sources(&combining, 2) && read_options(&combining, true)) {
        if (operate(&combining)) {
            size_t count = zset_gather_count(&combining.gather);
            struct entry_shape shape;
            zset_gather_take(&combining.gather, &call->keyspace->zset_options, &shape);
            zset_call_store(call, 1, &shape, count, event);
        } else {
            reply_no_memory(call->reply);
        }
    }
    end(&combining);
}

static void zunion(struct call *call) {
    reply_combined(call, UNION);
}

static void zinter(struct call *call) {
    reply_combined(call, INTERSECTION);
}

static void zdiff(struct call *call) {
    reply_combined(call, DIFFERENCE);
}

static void zunionstore(struct call *call) {
    store_combined(call, UNION, "zunionstore");
}

static void zinterstore(struct call *call) {
    store_combined(call, INTERSECTION, "zinterstore");
}

static void zdiffstore(struct call *call) {
    store_combined(call, DIFFERENCE, "zdiffstore");
}

/* LIMIT, the only option; 0 is none. */
static bool read_limit(struct combining *combining, int64_t *limit) {
    struct call *call = combining->call;
    *limit = 0;
    for (int i = combining->keys + combining->count; i < call->argc; i += 2) {
        if (i + 1 == call->argc || !call_arg_is(call, i, "limit")) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (!num_parse_i64(call->args[i + 1], limit) || *limit < 0) {
            reply_error(call->reply, "ERR LIMIT can't be negative");
            return false;
        }
    }
    return true;
}

static void zintercard(struct call *call) {
    struct combining combining;
    int64_t limit;
    begin(&combining, call, INTERSECTION);
    if (read_sources(&combining, 1) && read_limit(&combining, &limit)) {
        uint64_t most = limit == 0 ? UINT64_MAX : (uint64_t)limit;
        reply_integer(call->reply, intersect(&combining, true, most));
    }
    end(&combining);
}

static const struct command_row rows[] = {
    {.name = "zdiff",
     .fn = zdiff,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(1, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity = "O(N*K) for N members of the first of K inputs, and O(M*log(M)) for M results.",
     .summary = "Returns the members of a sorted set that are in none of the others.",
     .syntax = "numkeys key [key ...] [WITHSCORES]"},
    {.name = "zdiffstore",
     .fn = zdiffstore,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE),
              KEYS_COUNT(2, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity = "O(N*K) for N members of the first of K inputs, and O(M*log(M)) for M results.",
     .summary = "Stores the members of a sorted set that are in none of the others.",
     .syntax = "destination numkeys key [key ...]"},
    {.name = "zinter",
     .fn = zinter,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(1, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity =
         "O(N*K) for N members of the smallest of K inputs, and O(M*log(M)) for M results.",
     .summary = "Returns the members that all of several sorted sets have.",
     .syntax = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX|COUNT] "
               "[WITHSCORES]"},
    {.name = "zintercard",
     .fn = zintercard,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(1, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "7.0.0",
     .complexity = "O(N*K) for N members of the smallest of K inputs.",
     .summary = "Counts the members that all of several sorted sets have.",
     .syntax = "numkeys key [key ...] [LIMIT limit]"},
    {.name = "zinterstore",
     .fn = zinterstore,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE),
              KEYS_COUNT(2, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.0.0",
     .complexity =
         "O(N*K) for N members of the smallest of K inputs, and O(M*log(M)) for M results.",
     .summary = "Stores the members that all of several sorted sets have.",
     .syntax = "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE "
               "SUM|MIN|MAX|COUNT]"},
    {.name = "zunion",
     .fn = zunion,
     .arity = -3,
     .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_READ | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_COUNT(1, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "6.2.0",
     .complexity = "O(N) for N members of all inputs, and O(M*log(M)) for M results.",
     .summary = "Returns the members of several sorted sets taken together.",
     .syntax = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM|MIN|MAX|COUNT] "
               "[WITHSCORES]"},
    {.name = "zunionstore",
     .fn = zunionstore,
     .arity = -4,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_SORTED_SET | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_OW | KEY_UPDATE),
              KEYS_COUNT(2, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SORTED_SET,
     .since = "2.0.0",
     .complexity = "O(N) for N members of all inputs, and O(M*log(M)) for M results.",
     .summary = "Stores the members of several sorted sets taken together.",
     .syntax = "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE "
               "SUM|MIN|MAX|COUNT]"},
};

const struct command_table *command_zset_combining(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
