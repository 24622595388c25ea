/* compact: moves keys and values out of slabs that hold little else, so that the resident set
 * follows what is stored when values of other sizes come. How and when is in compact.c. */
#ifndef LARDER_STORE_COMPACT_H
#define LARDER_STORE_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metric.h"
#include "base/option.h"
#include "base/sparse.h"
#include "store/evict.h"
#include "store/keyspace.h"

/* Redis's names. The defaults are ours: they keep the resident set of a full cache within 1.15 of
 * its limit whatever sizes come, and a cache whose sizes do not change never gets there. */
#define COMPACT_OPTIONS(X)                                                                         \
    X(BOOL, enabled, "activedefrag", "yes", 0, 0, NULL, 0, NULL,                                   \
      "Whether keys and values are moved together when the allocator's pages are partly empty.")   \
    X(MEMORY, ignore_bytes, "active-defrag-ignore-bytes", "2mb", 1, INT64_MAX, NULL, 0, NULL,      \
      "Bytes lost to fragmentation below which nothing is moved.")                                 \
    X(INT, threshold_lower, "active-defrag-threshold-lower", "2", 0, 1000, NULL, 0, NULL,          \
      "Percent of fragmentation from which on something is moved.")                                \
    X(INT, threshold_upper, "active-defrag-threshold-upper", "5", 0, 1000, NULL, 0, NULL,          \
      "Percent of fragmentation from which on as much time as allowed goes into it.")              \
    X(INT, cycle_min, "active-defrag-cycle-min", "5", 1, 99, NULL, 0, NULL,                        \
      "Percent of the time that goes into it at the lower threshold.")                             \
    X(INT, cycle_max, "active-defrag-cycle-max", "50", 1, 99, NULL, 0, NULL,                       \
      "Percent of the time that goes into it at most.")                                            \
    X(INT, fields_max, "active-defrag-max-scan-fields", "1000", 1, INT64_MAX, NULL, 0, NULL,       \
      "Accepted for compatibility: large values are looked at in portions in any case.")
struct compact_options {
    COMPACT_OPTIONS(OPTION_FIELD)
};

#define COMPACT_METRICS(X)                                                                         \
    X(STATS, active_defrag_evicted_keys, COUNTER,                                                  \
      "Keys evicted rather than moved, since there was not the time.")                             \
    X(STATS, allocator_purges, COUNTER, "Times that unused memory was given back at once.")        \
    X(STATS, active_defrag_key_hits, COUNTER, "Keys of which something was moved.")                \
    X(STATS, active_defrag_key_misses, COUNTER, "Keys that were looked at and stayed.")
struct compact_metrics {
    COMPACT_METRICS(METRIC_FIELD)
};

/* A key that is noted for later; it may be gone when it is its turn. */
struct compact_key {
    struct database *database;
    struct entry *entry;
    uint64_t hash;
};

/* A large value that is being looked at in portions. */
struct compact_value {
    struct compact_key key;
    uint32_t cursor;
};

struct compact {
    struct keyspace *keyspace;
    struct evict *evict;
    /* The walk. */
    int database;
    uint32_t bucket;
    struct compact_value large[SPARSE_BATCH_MAX];
    size_t large_count;
    struct compact_key drops[SPARSE_BATCH_MAX]; /* may be evicted instead of being moved */
    size_t drop_count;
    uint32_t drop_score; /* from which score on a key may; 0: none */
    double steer_part;   /* of the evictions, those that come from `drops` */
    double steer_credit;
    struct sparse_tally tally; /* moved and kept: since start, or CONFIG RESETSTAT */
    uint64_t round_keys;       /* looked at in this round */
    uint64_t round_moved;      /* blocks that were moved, or keys evicted instead */
    unsigned fruitless;        /* rounds in a row that moved nothing */
    bool is_survey;            /* this round only finds out which slabs are the emptiest */
    uint64_t survey_end;       /* blocks looked at since start after which it has found out */
    /* When and how much. */
    int percent;         /* of the time; 0: nothing is to be done */
    uint64_t to_gain;    /* bytes that should become free */
    size_t allocated;    /* bytes that the allocator has handed out */
    int64_t look_due_us; /* when the allocator is asked again */
    int64_t rest_us;     /* how long there is nothing to do after rounds that moved nothing */
    int64_t rest_end_us; /* until when, unless more is lost than ... */
    uint64_t rest_gain;
    int64_t credited_us; /* up to when time was credited */
    int64_t credit_us;   /* that may be spent */
    int64_t began_us;    /* when percent became other than 0 */
    int64_t spent_us;    /* in slices, since start or CONFIG RESETSTAT */
    struct compact_options options;
    struct compact_metrics metrics;
};

/* Registers options and metrics. `keyspace` and `evict` must outlive it. */
void compact_init(struct compact *compact, struct keyspace *keyspace, struct evict *evict,
                  struct options *options, struct metrics *metrics);
void compact_free(struct compact *compact);

/* Once a pass, at its end: does a slice if it is time for one, which should take no longer than
 * `left_us`; where much is lost it does. Whether more is to be done soon, within COMPACT_PERIOD_MS.
 */
bool compact_pass(struct compact *compact, int64_t left_us);
#define COMPACT_PERIOD_MS 1

/* Walks for `budget_us`, whatever the allocator says of itself; true when as many keys as there are
 * have been looked at since the last time that this was so. */
bool compact_slice(struct compact *compact, int64_t budget_us);

#endif
