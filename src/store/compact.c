/* compact: walking the keyspace and moving what lies in sparse slabs (base/sparse.h).
 *
 *     pass ... | batch | eviction | expiry | slice |  wait
 *                                              |
 *              buckets of a database's dict  --+--> slots -> entries, 32 at a time
 *                                                     entry in a sparse slab: copied, the dict and
 *                                                       the indexes of deadlines learn the address
 *                                                     its value's own blocks: types/value
 *                                                     large values: noted, and looked at in
 *                                                     portions
 *
 * Which entries to move is known from their addresses alone, so that those that stay cost 20 ns.
 * The walk goes by the number of the bucket, which the processor reads ahead. What is added or
 * split off behind its back is met in the next round; nothing is lost by that.
 *
 * Nobody keeps an entry's address from one pass to the next but the dict, the indexes of deadlines
 * and those who ask the dict before they follow it (victim, window). What replies under way refer
 * to are blobs with further references, and these are not moved.
 *
 * How much. Of all the time a part goes into slices: none below both thresholds, cycle_min percent
 * from the lower one on, cycle_max from the upper one on. Time that passes is credited by that
 * part, and a slice spends it, but no more than is left of the pass. Only when values of other
 * sizes come so fast that keys are evicted for what is lost, slices become longer: a slab is empty
 * when the walk has been round once, and until then evictions elsewhere empty none.
 *
 * A round begins with a survey of a part of the keys. If next to nothing of what is lost is there,
 * the round ends with it: all of a million elements need not be looked at to find that out.
 * Two rounds that have found next to nothing to move are followed by a rest, longer each time, that
 * ends when more is lost: then what is lost is not in keys and values. What it takes still counts
 * as used.
 *
 * What the allocator has got back goes to the system within a second; if that makes the resident
 * set too large, at once, by the thread of store/lazyfree.
 *
 * What it costs per key that is moved: 0.3 us, most of it waiting for memory. To replace all values
 * of a full cache by values of another size takes three moves a key on average. */
#include "store/compact.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/keyspace_int.h"
#include "store/lazyfree.h"
#include "types/value.h"

/* Between two questions to the allocator, 10 us each: while there is nothing to do, and while there
 * is. */
#define LOOK_IDLE_US 10000
#define LOOK_BUSY_US 500
/* A slice shall not be longer. */
#define SLICE_US 300
/* A slice that is shorter is not worth its overhead; and what a pass that is longer anyway gets
 * while keys are evicted for want of time, the last figure when as much is lost as counts. */
#define SLICE_US_MIN     50
#define SLICE_US_FULL    150
#define SLICE_US_PRESSED 500
/* Keys that are looked at to find out which slabs are the emptiest; and blocks, where a key has
 * many: then the keys that were begun stand for all. */
#ifdef LARDER_TEST_SMALL
#define SURVEY_KEYS   32
#define SURVEY_BLOCKS 128
#else
#define SURVEY_KEYS   16384
#define SURVEY_BLOCKS 65536
#endif
/* Part of the keys that are moved at most in a round: as long as moving takes no longer than
 * looking, more rounds choose better than one. */
#define MOVED_PART 20
/* Of the way from the lower to the upper threshold this part goes by without evicting what should
 * be moved; from there on the oldest go, and at the end this share (of 256) of all keys would. */
#define DROP_FROM  0.2
#define DROP_SHARE 192
/* Nothing is evicted that way while so large a part of the limit is free. */
#define DROP_FREE_PART 32
/* What may be lost, as a part of the limit, before keys are evicted for it, and how many times as
 * much again they are evicted for at most. (Parts of 25 left the resident set a percent larger
 * while sizes change, and parts of 50 made no further difference.) */
#define LOST_PART      33
#define LOST_PARTS_MAX 5
/* What the allocator may keep of unused memory, as a part of the limit and at least, and what may
 * be resident beyond the limit before that matters. */
#define UNUSED_PART   128
#define UNUSED_MIN    ((size_t)1 << 20)
#define RESIDENT_PART 20
/* Portions of the walk after which an eviction has to do without: 5 us. */
#define STEER_STEPS_MAX 8
/* A round is fruitless when it moves less than this part of what it has looked at. */
#define FRUITLESS_PART 512
/* And it ends with its survey when that has found less than this part of what is lost. */
#define FOUND_PART 32
/* What may be lost besides before it goes on, as a part of what is stored. */
#define REST_PART   64
#define REST_US_MIN ((int64_t)100000)
#define REST_US_MAX ((int64_t)10000000)

/* ---- moving ---- */

/* Whether keys go to make room for others now. */
static bool is_full(const struct compact *compact) {
    struct evict *evict = compact->evict;
    return evict->bytes_max > 0 &&
           evict_used(evict) + evict->lost > evict->bytes_max - evict->bytes_max / DROP_FREE_PART;
}

/* Notes a key that may be evicted instead of being moved. */
static bool key_goes(void *context, struct entry *entry) {
    struct compact *compact = context;
    if (compact->drop_score == 0 ||
        victims_score(&compact->evict->victims, entry) < compact->drop_score) {
        return false;
    }
    compact->drops[compact->drop_count++] = (struct compact_key){
        .database = &compact->keyspace->databases[compact->database],
        .entry = entry,
        .hash = keyspace_hash(compact->keyspace, entry_key(entry)),
    };
    return true;
}

static void key_moved(void *context, struct entry *old, struct entry *entry) {
    struct compact *compact = context;
    struct database *database = &compact->keyspace->databases[compact->database];
    if (entry->flags & ENTRY_HAS_DEADLINE) {
        due_replace(&database->deadlines, old, entry);
    }
    if (keyspace_fields_filed(entry)) {
        due_replace(&database->field_deadlines, old, entry);
    }
}

/* The blocks that the entry's word refers to. */
static void settle_value(struct compact *compact, struct database *database, struct entry *entry) {
    uint32_t cursor = 0;
    value_settle(entry, &cursor, &compact->tally);
    if (cursor != 0) {
        uint64_t hash = keyspace_hash(compact->keyspace, entry_key(entry));
        compact->large[compact->large_count++] = (struct compact_value){
            .key = {.database = database, .entry = entry, .hash = hash}, .cursor = cursor};
    }
}

static bool is_there(const struct compact_key *key) {
    return dict_find_entry(&key->database->keys, key->hash, key->entry) != NULL;
}

/* A portion of a large value. */
static void settle_large(struct compact *compact) {
    struct compact_value *value = &compact->large[compact->large_count - 1];
    if (!is_there(&value->key)) {
        compact->large_count--;
        return;
    }
    uint64_t moved = compact->tally.moved;
    value_settle(value->key.entry, &value->cursor, &compact->tally);
    compact->round_moved += compact->tally.moved - moved;
    if (value->cursor == 0) {
        compact->large_count--;
    }
}

/* The next database that has keys; behind the last one comes the first. */
static void next_database(struct compact *compact) {
    for (int i = 0; i < compact->keyspace->database_count; i++) {
        compact->database = (compact->database + 1) % compact->keyspace->database_count;
        if (dict_size(&compact->keyspace->databases[compact->database].keys) > 0) {
            return;
        }
    }
}

/* A few buckets. Nothing is in `large` or `drops`. */
static void settle_keys(struct compact *compact) {
    struct database *database = &compact->keyspace->databases[compact->database];
    uint64_t *slots[SPARSE_BATCH_MAX];
    size_t count =
        dict_slots(&database->keys, &compact->bucket, slots, SPARSE_BATCH_MAX, &compact->tally);
    for (size_t i = 0; i < count; i++) {
        if (dict_slot_has_link(*slots[i])) {
            __builtin_prefetch(dict_slot_entry(*slots[i]));
        }
    }
    uint64_t moved = compact->tally.moved;
    const struct dict_mover mover = {.stays = key_goes, .moved = key_moved, .context = compact};
    dict_settle(slots, count, &mover, &compact->tally);
    uint64_t key_hits = compact->tally.moved - moved;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = dict_slot_entry(*slots[i]);
        if (dict_slot_has_link(*slots[i])) {
            settle_value(compact, database, entry);
        }
    }
    compact->metrics.active_defrag_key_hits += key_hits;
    compact->metrics.active_defrag_key_misses += count - key_hits - compact->drop_count;
    compact->round_keys += count;
    compact->round_moved += compact->tally.moved - moved + compact->drop_count;
    if (compact->bucket == 0) {
        next_database(compact);
    }
}

static uint64_t blocks_seen(const struct compact *compact) {
    return compact->tally.moved + compact->tally.kept;
}

/* A round begins with a survey: some keys are looked at, to find out which slabs are the emptiest.
 * Half of the keys are skipped before: what stays behind in a slab that is being emptied are keys
 * with which the round before began, when the slab was not so empty yet, so that among these it
 * would seem that much is in empty slabs. */
static void begin_round(struct compact *compact) {
    uint32_t buckets = compact->keyspace->databases[compact->database].keys.bucket_count;
    compact->bucket += buckets / 2;
    compact->bucket -= compact->bucket < buckets ? 0 : buckets;
    compact->bucket = compact->bucket < buckets ? compact->bucket : 0;
    compact->is_survey = true;
    compact->round_keys = 0;
    compact->round_moved = 0;
    compact->survey_end = blocks_seen(compact) + SURVEY_BLOCKS;
    sparse_begin_round(&compact->tally, compact->allocated);
    compact->tally.least_steps = SPARSE_STEPS;
}

static bool survey_is_over(const struct compact *compact, uint64_t keys) {
    return compact->round_keys >= (keys < SURVEY_KEYS ? keys : SURVEY_KEYS) ||
           blocks_seen(compact) >= compact->survey_end;
}

/* From now on these are emptied. If keys are to be evicted from there there must be enough of them,
 * otherwise no more than is to be gained. False when it is not worth it. */
static bool end_survey(struct compact *compact) {
    double part = (double)compact->round_keys / (double)(keyspace_size(compact->keyspace) + 1);
    uint64_t bytes = (uint64_t)((double)compact->to_gain * part);
    bool drops = compact->drop_score > 0;
    uint64_t blocks = blocks_seen(compact) - (compact->survey_end - SURVEY_BLOCKS);
    uint64_t found =
        sparse_choose(&compact->tally, drops ? UINT64_MAX : bytes, blocks / MOVED_PART);
    compact->is_survey = false;
    compact->round_keys = 0;
    return drops || found > bytes / FOUND_PART;
}

/* A portion of the walk. False when everything has been looked at. */
static bool step(struct compact *compact) {
    uint64_t keys = keyspace_size(compact->keyspace);
    if (compact->is_survey && survey_is_over(compact, keys) && !end_survey(compact)) {
        return false;
    }
    if (compact->large_count > 0) {
        settle_large(compact);
        return true;
    }
    if (compact->round_keys >= keys) {
        return false;
    }
    settle_keys(compact);
    return true;
}

/* Evicts what was noted, as long as that only makes the room that is needed next. */
static void drop_noted(struct compact *compact) {
    while (compact->drop_count > 0) {
        struct compact_key *key = &compact->drops[--compact->drop_count];
        if (is_full(compact) && is_there(key)) {
            keyspace_evict(compact->keyspace, key->database, key->entry);
            compact->metrics.active_defrag_evicted_keys++;
        }
    }
}

/* For store/evict, which needs a key that goes: one from a sparse slab. */
static bool steer(void *context, struct database **database, struct entry **entry) {
    struct compact *compact = context;
    compact->steer_credit += compact->steer_part;
    if (compact->steer_credit < 1) {
        return false;
    }
    compact->steer_credit -= 1;
    for (int i = 0; i < STEER_STEPS_MAX; i++) {
        while (compact->drop_count > 0) {
            struct compact_key *key = &compact->drops[--compact->drop_count];
            if (is_there(key)) {
                *database = key->database;
                *entry = key->entry;
                compact->metrics.active_defrag_evicted_keys++;
                return true;
            }
        }
        if (!step(compact)) {
            break;
        }
    }
    /* There are hardly any: no more of that before the next look. */
    compact->evict->steer = NULL;
    return false;
}

bool compact_slice(struct compact *compact, int64_t budget_us) {
    int64_t end_us = clock_mono_us() + budget_us;
    bool more;
    do {
        more = step(compact);
        drop_noted(compact);
    } while (more && clock_mono_us() < end_us);
    return !more;
}

/* ---- when and how much ---- */

/* How far the loss is on its way from the lower threshold to the upper: below 0 when it is below
 * the lower one, or below what is ignored, 1 from the upper one on. */
static double pressure_of(const struct compact *compact, const struct mem_allocator_stats *stats) {
    const struct compact_options *options = &compact->options;
    double lost = (double)stats->active - (double)stats->allocated;
    if (stats->allocated == 0 || lost < (double)options->ignore_bytes) {
        return -1;
    }
    double percent = 100 * lost / (double)stats->allocated;
    double lower = (double)options->threshold_lower;
    double upper = (double)options->threshold_upper;
    if (percent >= upper) {
        return percent < lower ? -1 : 1;
    }
    return (percent - lower) / (upper - lower);
}

/* From which score on a key goes rather than being moved, 0: none does. */
static uint32_t drop_score(struct compact *compact, double pressure) {
    if (!is_full(compact) || pressure <= DROP_FROM) {
        return 0;
    }
    double part = (pressure - DROP_FROM) / (1 - DROP_FROM);
    return victims_quantile(&compact->evict->victims, (unsigned)(part * DROP_SHARE));
}

/* What may count as in use though it is not. */
static int64_t lost_max(const struct evict *evict) {
    return evict->bytes_max / LOST_PART * LOST_PARTS_MAX;
}

/* What counts as in use though it is not: what is lost beyond LOST_PART of the limit, but no more
 * than LOST_PARTS_MAX times as much again. */
static int64_t counted_as_used(const struct compact *compact) {
    struct evict *evict = compact->evict;
    enum limit_policy policy = (enum limit_policy)evict->limit->options.policy;
    if (compact->drop_score == 0 || policy == LIMIT_NOEVICTION ||
        limit_policy_is_volatile(policy)) {
        return 0;
    }
    int64_t lost = (int64_t)compact->to_gain - evict->bytes_max / LOST_PART;
    lost = lost < 0 ? 0 : lost;
    return lost > lost_max(evict) ? lost_max(evict) : lost;
}

static void start(struct compact *compact, int64_t now_us) {
    compact->began_us = now_us;
    compact->credited_us = now_us;
    compact->credit_us = 0;
    compact->fruitless = 0;
    begin_round(compact);
}

/* Nothing is to be done. */
static void stop(struct compact *compact) {
    compact->percent = 0;
    compact->drop_score = 0;
    compact->drop_count = 0;
    compact->large_count = 0;
    compact->evict->steer = NULL;
    sparse_forget(&compact->tally);
}

/* Whether it is of no use to go on, as it was a moment ago: no more has been lost since. */
static bool rests(const struct compact *compact, int64_t now_us) {
    uint64_t more = compact->allocated / REST_PART;
    return now_us < compact->rest_end_us && compact->to_gain <= compact->rest_gain + more;
}

/* How much is to be done: percent of the time, and which part of what is evicted comes from sparse
 * slabs. */
static int decide(struct compact *compact, const struct mem_allocator_stats *stats) {
    double pressure = pressure_of(compact, stats);
    if (pressure < 0) {
        return 0;
    }
    compact->to_gain = stats->active - stats->allocated;
    compact->allocated = stats->allocated;
    compact->drop_score = drop_score(compact, pressure);
    compact->steer_part = pressure;
    evict_count_lost(compact->evict, counted_as_used(compact));
    double least = (double)compact->options.cycle_min;
    double most = (double)compact->options.cycle_max;
    return (int)(most > least ? least + (most - least) * pressure : least);
}

/* What the allocator keeps for the next time goes back at once when there is too much of it. */
static void bound_unused(struct compact *compact, const struct mem_allocator_stats *stats) {
    size_t limit = (size_t)compact->evict->bytes_max;
    if (limit > 0 && stats->unused > UNUSED_MIN && stats->unused > limit / UNUSED_PART &&
        stats->resident > limit + limit / RESIDENT_PART) {
        bool begins = lazyfree_give_back(compact->keyspace->lazyfree);
        compact->metrics.allocator_purges += begins;
    }
}

static void look(struct compact *compact, int64_t now_us) {
    struct mem_allocator_stats stats;
    mem_allocator_stats(&stats);
    bound_unused(compact, &stats);
    int percent = compact->options.enabled && sparse_is_known() ? decide(compact, &stats) : 0;
    if (percent == 0) {
        evict_count_lost(compact->evict, 0);
    } else if (rests(compact, now_us)) {
        percent = 0;
    }
    if (percent > 0 && compact->percent == 0) {
        start(compact, now_us);
    } else if (percent == 0 && compact->percent > 0) {
        stop(compact);
    }
    compact->percent = percent;
    compact->evict->steer = percent > 0 && compact->drop_score > 0 ? steer : NULL;
    compact->look_due_us = now_us + (percent > 0 ? LOOK_BUSY_US : LOOK_IDLE_US);
}

/* Rests after a round that was of no use. */
static void note_round(struct compact *compact, int64_t now_us) {
    bool useful = compact->round_moved > compact->round_keys / FRUITLESS_PART;
    begin_round(compact);
    if (useful) {
        compact->fruitless = 0;
        compact->rest_us = 0;
        return;
    }
    if (compact->fruitless++ == 0) {
        return; /* it may have chosen too few slabs */
    }
    int64_t rest_us = compact->rest_us * 2;
    rest_us = rest_us < REST_US_MIN ? REST_US_MIN : rest_us;
    compact->rest_us = rest_us < REST_US_MAX ? rest_us : REST_US_MAX;
    compact->rest_end_us = now_us + compact->rest_us;
    compact->rest_gain = compact->to_gain;
    stop(compact);
}

/* How long a slice may take where so much is left of the pass: what must be, the more the more is
 * lost. */
static int64_t slice_us(const struct compact *compact, int64_t left_us) {
    int64_t least_us = compact->drop_score > 0 ? SLICE_US_FULL : SLICE_US_MIN;
    int64_t most = lost_max(compact->evict);
    int64_t lost = compact->evict->lost;
    if (lost > 0 && most > 0) { /* a limit may have been lowered since, to next to nothing */
        lost = lost < most ? lost : most;
        least_us = SLICE_US_FULL + (SLICE_US_PRESSED - SLICE_US_FULL) * lost / most;
    }
    left_us = left_us < SLICE_US ? left_us : SLICE_US;
    return left_us < least_us ? least_us : left_us;
}

bool compact_pass(struct compact *compact, int64_t left_us) {
    int64_t now_us = clock_mono_us();
    if (now_us >= compact->look_due_us) {
        look(compact, now_us);
    }
    if (compact->percent == 0) {
        return false;
    }
    compact->credit_us += (now_us - compact->credited_us) * compact->percent / 100;
    compact->credited_us = now_us;
    int64_t budget_us = slice_us(compact, left_us);
    if (compact->credit_us > SLICE_US_PRESSED) {
        compact->credit_us = SLICE_US_PRESSED;
    }
    if (compact->credit_us < SLICE_US_MIN) {
        return true;
    }
    bool ended =
        compact_slice(compact, compact->credit_us < budget_us ? compact->credit_us : budget_us);
    int64_t taken_us = clock_mono_us() - now_us;
    compact->credit_us -= taken_us;
    compact->spent_us += taken_us;
    if (ended) {
        note_round(compact, now_us);
    }
    return compact->percent > 0;
}

/* ---- declarations ---- */

static int64_t metric_running(void *module) {
    const struct compact *compact = module;
    return compact->percent;
}

static int64_t metric_hits(void *module) {
    const struct compact *compact = module;
    return (int64_t)compact->tally.moved;
}

static int64_t metric_misses(void *module) {
    const struct compact *compact = module;
    return (int64_t)compact->tally.kept;
}

static int64_t metric_total_ms(void *module) {
    const struct compact *compact = module;
    return compact->spent_us / 1000;
}

static int64_t metric_current_ms(void *module) {
    const struct compact *compact = module;
    return compact->percent == 0 ? 0 : (clock_mono_us() - compact->began_us) / 1000;
}

static void reset_metrics(void *module) {
    struct compact *compact = module;
    compact->tally.moved = 0;
    compact->tally.kept = 0;
    compact->survey_end = SURVEY_BLOCKS;
    compact->spent_us = 0;
}

void compact_init(struct compact *compact, struct keyspace *keyspace, struct evict *evict,
                  struct options *options, struct metrics *metrics) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct compact_options, __VA_ARGS__)
        COMPACT_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
        {.name = "active_defrag_running",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_running,
         .description = "Percent of the time that goes into moving keys together."},
        {.name = "active_defrag_hits",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_hits,
         .description = "Blocks that were moved."},
        {.name = "active_defrag_misses",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_misses,
         .description = "Blocks that were looked at and stayed."},
#define ROW(...) METRIC_ROW(struct compact_metrics, __VA_ARGS__)
        COMPACT_METRICS(ROW)
#undef ROW
            {.name = "total_active_defrag_time",
             .section = METRIC_STATS,
             .kind = METRIC_KIND_NUMBER,
             .number = metric_total_ms,
             .description = "Milliseconds spent in moving."},
        {.name = "current_active_defrag_time",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_current_ms,
         .description = "Milliseconds since something was to be moved, 0 when nothing is."},
    };
    memset(compact, 0, sizeof *compact);
    compact->keyspace = keyspace;
    compact->evict = evict;
    evict->steer_context = compact;
    options_register(options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &compact->options, compact);
    metrics_register(metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &compact->metrics, compact, reset_metrics);
}

void compact_free(struct compact *compact) {
    sparse_forget(&compact->tally);
}
