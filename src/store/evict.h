/* evict: keeps what is stored within maxmemory. What counts is everything but the buffers of
 * connections, which have a limit of their own.
 *
 * Before a command that may add, evict_is_over says whether there is something to do, and
 * evict_make_room does it or says that the command must be refused. At the end of a pass, and when
 * the limit was lowered, evict_slice does it in the background. */
#ifndef LARDER_STORE_EVICT_H
#define LARDER_STORE_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "store/keyspace.h"
#include "store/limit.h"
#include "store/victim.h"

struct evict {
    int64_t stored_max; /* mem_stored_here may be this before there is something to do */
    struct limit *limit;
    struct keyspace *keyspace;
    int64_t bytes_max; /* the limit; 0: none */
    int64_t ceiling;   /* bytes_max, or more after it was lowered: what is not to be exceeded now */
    int64_t clients_bytes_max; /* what buffers of connections may take; 0: no limit */
    int64_t beside;            /* what counts and is not stored by this thread */
    struct victims victims;
    /* Set by who wants to know how long single keys take to go, and all that one command has to
     * evict: called while *timed_ms is above 0. */
    void (*took)(void *context, const char *event, int64_t duration_us);
    void *took_context;
    const int64_t *timed_ms;
    int64_t lost; /* evict_count_lost */
    bool suspended;
    /* Set by store/compact while it should have a say in which key goes: chooses one, or false. */
    bool (*steer)(void *context, struct database **database, struct entry **entry);
    void *steer_context;
    int64_t end_us;        /* when the time of this pass for making room is up; 0: not used yet */
    uint32_t unlooked;     /* keys removed since the clock was read */
    int64_t over_since_us; /* when the use came to be above the limit, monotonic; 0: it is not */
    int64_t over_us;       /* how long it was, until then, since start or CONFIG RESETSTAT */
};

/* Registers metrics. `limit` and `keyspace` must outlive it. evict_start once the options are read
 * and the databases made. */
void evict_init(struct evict *evict, struct limit *limit, struct keyspace *keyspace,
                struct metrics *metrics);
void evict_start(struct evict *evict);

/* A replica leaves it to its primary to evict: while suspended there is no limit for data. */
void evict_suspend(struct evict *evict, bool on);

/* At the start of a pass: looks at what others have taken or freed, and whether that is too
 * much. */
void evict_pass(struct evict *evict);

/* Whether more is in use than may be. Costs a nanosecond. */
static inline bool evict_is_over(const struct evict *evict) {
    return mem_stored_here() > evict->stored_max;
}

/* Removes keys until no more is in use than may be; false when the policy allows no more to go:
 * the command must be refused. */
bool evict_make_room(struct evict *evict);

/* From now on so many bytes count against the limit besides, which slices make room for: memory
 * that is lost between keys and values and cannot be had back as fast as needed. */
void evict_count_lost(struct evict *evict, int64_t bytes);

/* Whether evict_slice has something to do. */
static inline bool evict_is_wanted(const struct evict *evict) {
    return evict->bytes_max > 0 && mem_stored_here() + evict->beside > evict->bytes_max;
}

/* Removes keys for at most `budget_us`. Whether there is more to remove. */
bool evict_slice(struct evict *evict, int64_t budget_us);

/* Bytes in use that count against the limit. */
int64_t evict_used(const struct evict *evict);

#endif
