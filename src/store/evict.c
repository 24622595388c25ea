/* evict: making room.
 *
 *     used      what counts: stored by this thread + beside
 *     beside    everything else that counts, as it was at the start of the pass, less what the
 *               background thread is about to free, and what compact.c adds
 *     ceiling   what may be in use now
 *     limit     what may be in use in the end
 *
 *              limit             ceiling
 *     |-----------|-----------------|----------->
 *                  <- slices lower -
 *
 * Usually the ceiling is the limit. When the limit is lowered below what is in use, or what
 * commands do not add has grown (a table of the server's own, what counts as lost), the ceiling
 * stays where the use is and comes down slice by slice, so that no pass takes longer; commands
 * meanwhile remove what they add.
 *
 * A command removes keys until the use is below the ceiling. When that has taken longer in a pass
 * than its share of time (maxmemory-eviction-tenacity), the ceiling is raised likewise, unless the
 * use is beyond OVER_MAX: then the limit's truth comes before the pause. It is not raised where no
 * key may go, for then commands must be refused.
 *
 * Keys of which the values are freed by the background thread count as gone from the moment they
 * are handed over: otherwise many more would be evicted before the memory is really free. So the
 * use may be told too low by as much as the thread has freed already of the one value that it is
 * busy with.
 *
 * Invariant: stored_max = ceiling - beside, or INT64_MAX without a limit; INT64_MIN: to be reckoned
 * anew.
 *
 * Costs: 1 ns a command that may add while there is room; a slow look and a key's removal, some 150
 * to 300 ns, for each when there is none. */
#include "store/evict.h"

#include "base/check.h"
#include "base/clock.h"
#include "store/access.h"
#include "store/adapt.h"
#include "store/lazyfree.h"

#define US_PER_MS 1000
/* Keys removed between two looks at the clock, by whichever commands: a few microseconds. */
#define BETWEEN_LOOKS 16
/* What ghosts may take of the limit. */
#define GHOSTS_PART 50
/* The ceiling may be raised above the limit by this part of it, more only for what is lost. */
#define OVER_MAX_PART 64
/* Of limits, as they are counted with: 2 EiB. */
#define BYTES_MAX (INT64_MAX / 4)

/* The time of one pass that may go into making room, by maxmemory-eviction-tenacity: up to 10 in
 * steps of 25 us, beyond that 15 percent more for every step, and 100 means without end. */
static int64_t tenacity_us(int64_t tenacity) {
    if (tenacity <= 10) {
        return 25 * tenacity;
    }
    if (tenacity >= 100) {
        return INT64_MAX;
    }
    double us = 250;
    for (int64_t i = 10; i < tenacity; i++) {
        us *= 1.15;
    }
    return (int64_t)us;
}

static void look_beside(struct evict *evict) {
    evict->beside = mem_used_beside() - (int64_t)lazyfree_pending_bytes(evict->keyspace->lazyfree) +
                    evict->lost;
    evict->stored_max = evict->bytes_max == 0 ? INT64_MAX : evict->ceiling - evict->beside;
}

int64_t evict_used(const struct evict *evict) {
    return mem_stored_here() + evict->beside;
}

/* Whether the policy has keys to take. */
static bool may_evict(const struct evict *evict) {
    enum limit_policy policy = (enum limit_policy)evict->limit->options.policy;
    return policy != LIMIT_NOEVICTION &&
           (limit_policy_is_volatile(policy) ? keyspace_volatile_size(evict->keyspace)
                                             : keyspace_size(evict->keyspace)) > 0;
}

/* Commands need not remove more than they add from now on, unless more than `max` is in use. */
static void raise_ceiling(struct evict *evict, int64_t max) {
    int64_t used = evict_used(evict);
    if (UNLIKELY(used > evict->ceiling) && used <= max && may_evict(evict)) {
        evict->ceiling = used;
        evict->stored_max = evict->ceiling - evict->beside;
    }
}

static int64_t over_max(const struct evict *evict) {
    return evict->bytes_max + evict->bytes_max / OVER_MAX_PART;
}

/* The ceiling follows the use down to the limit. */
static void lower_ceiling(struct evict *evict) {
    int64_t used = evict_used(evict);
    if (evict->ceiling > evict->bytes_max && used < evict->ceiling) {
        evict->ceiling = used > evict->bytes_max ? used : evict->bytes_max;
        evict->stored_max = evict->ceiling - evict->beside;
    }
}

/* A limit may be any number; one that no machine reaches leaves room for what is added to it. */
static int64_t at_most(int64_t bytes) {
    return bytes < BYTES_MAX ? bytes : BYTES_MAX;
}

/* An option has changed. */
static void follow_options(void *context) {
    struct evict *evict = context;
    const struct limit_options *options = &evict->limit->options;
    enum limit_policy policy = (enum limit_policy)options->policy;
    victims_forget(&evict->victims);
    int rule = policy == LIMIT_ALLKEYS_ADAPTIVE ? ACCESS_WORTH
               : limit_policy_is_lfu(policy)    ? ACCESS_FREQUENCY
                                                : ACCESS_RECENCY;
    keyspace_set_access_rule(evict->keyspace, rule, options->lfu_log_factor,
                             options->lfu_decay_minutes);
    evict->bytes_max = evict->suspended ? 0 : at_most(limit_bytes(evict->limit));
    evict->clients_bytes_max = at_most(limit_clients_bytes(evict->limit));
    if (evict->keyspace->adapt != NULL) {
        adapt_limit(evict->keyspace->adapt, (size_t)evict->bytes_max / GHOSTS_PART);
    }
    evict->ceiling = evict->bytes_max;
    look_beside(evict);
    if (evict->bytes_max > 0) {
        raise_ceiling(evict, INT64_MAX);
    }
}

/* How long the use has been above the limit this time. */
static int64_t over_now_us(const struct evict *evict) {
    return evict->over_since_us == 0 ? 0 : evict->keyspace->clock->mono_us - evict->over_since_us;
}

static int64_t metric_over_ms(void *module) {
    const struct evict *evict = module;
    return (evict->over_us + over_now_us(evict)) / US_PER_MS;
}

static int64_t metric_over_now_ms(void *module) {
    return over_now_us(module) / US_PER_MS;
}

static void reset_metrics(void *module) {
    struct evict *evict = module;
    evict->over_us = -over_now_us(evict);
}

void evict_init(struct evict *evict, struct limit *limit, struct keyspace *keyspace,
                struct metrics *metrics) {
    static const struct metric rows[] = {
        {.name = "total_eviction_exceeded_time",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_over_ms,
         .description = "Milliseconds that more was in use than maxmemory, in all."},
        {.name = "current_eviction_exceeded_time",
         .section = METRIC_STATS,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_over_now_ms,
         .description = "Milliseconds since more came to be in use than maxmemory, 0: it is not."},
    };
    *evict = (struct evict){.stored_max = INT64_MAX, .limit = limit, .keyspace = keyspace};
    metrics_register(metrics, rows, sizeof rows / sizeof rows[0], NULL, evict, reset_metrics);
}

void evict_suspend(struct evict *evict, bool on) {
    if (evict->suspended != on) {
        evict->suspended = on;
        follow_options(evict);
    }
}

void evict_start(struct evict *evict) {
    victims_init(&evict->victims, evict->keyspace, evict->limit);
    evict->limit->context = evict;
    evict->limit->changed = follow_options;
    follow_options(evict);
    evict->ceiling = evict->bytes_max;
    look_beside(evict);
}

void evict_pass(struct evict *evict) {
    if (evict->bytes_max > 0) {
        look_beside(evict);
        raise_ceiling(evict, over_max(evict));
    }
    evict->end_us = 0;
    bool over = evict_is_wanted(evict);
    if (UNLIKELY(over != (evict->over_since_us != 0))) {
        evict->over_us += over_now_us(evict);
        evict->over_since_us = over ? evict->keyspace->clock->mono_us : 0;
    }
}

static inline bool is_timed(const struct evict *evict) {
    return evict->timed_ms != NULL && *evict->timed_ms > 0;
}

/* Removes one key; false when none may go. */
static bool evict_one(struct evict *evict) {
    struct database *database;
    struct entry *entry;
    bool steered =
        UNLIKELY(evict->steer != NULL) && evict->steer(evict->steer_context, &database, &entry);
    if (!steered && !victims_next(&evict->victims, &database, &entry)) {
        if (evict->keyspace->adapt != NULL) {
            adapt_forget(evict->keyspace->adapt);
            look_beside(evict);
        }
        return false;
    }
    size_t pending = lazyfree_pending_bytes(evict->keyspace->lazyfree);
    bool timed = is_timed(evict);
    int64_t start_us = timed ? clock_mono_us() : 0;
    keyspace_evict(evict->keyspace, database, entry);
    if (UNLIKELY(timed)) {
        evict->took(evict->took_context, "eviction-del", clock_mono_us() - start_us);
    }
    if (UNLIKELY(lazyfree_pending_bytes(evict->keyspace->lazyfree) != pending)) {
        look_beside(evict);
    }
    return true;
}

static bool make_room(struct evict *evict) {
    while (evict_is_over(evict)) {
        if (!evict_one(evict)) {
            look_beside(evict);
            return evict_used(evict) <= evict->bytes_max;
        }
        if (++evict->unlooked < BETWEEN_LOOKS) {
            continue;
        }
        evict->unlooked = 0;
        int64_t now_us = clock_mono_us();
        if (evict->end_us == 0) {
            int64_t budget_us = tenacity_us(evict->limit->options.tenacity);
            evict->end_us = budget_us == INT64_MAX ? INT64_MAX : now_us + budget_us;
        } else if (now_us >= evict->end_us) {
            raise_ceiling(evict, over_max(evict));
        }
    }
    return true;
}

void evict_count_lost(struct evict *evict, int64_t bytes) {
    bool more = bytes > evict->lost;
    evict->lost = bytes;
    look_beside(evict);
    if (more) {
        raise_ceiling(evict, INT64_MAX);
    }
}

bool evict_make_room(struct evict *evict) {
    if (LIKELY(!is_timed(evict))) {
        return make_room(evict);
    }
    int64_t start_us = clock_mono_us();
    bool made = make_room(evict);
    evict->took(evict->took_context, "eviction-cycle", clock_mono_us() - start_us);
    return made;
}

bool evict_slice(struct evict *evict, int64_t budget_us) {
    if (evict->bytes_max == 0 || evict_used(evict) <= evict->bytes_max) {
        lower_ceiling(evict);
        return false;
    }
    look_beside(evict);
    int64_t end_us = clock_mono_us() + budget_us;
    for (uint64_t evicted = 1; evict_used(evict) > evict->bytes_max; evicted++) {
        if (!evict_one(evict)) {
            /* Nothing more may go: from here on commands are refused. */
            evict->ceiling = evict->bytes_max;
            look_beside(evict);
            return false;
        }
        if (evicted % BETWEEN_LOOKS == 0 && clock_mono_us() >= end_us) {
            break;
        }
    }
    lower_ceiling(evict);
    return evict_used(evict) > evict->bytes_max;
}
