/* posted: calls that other threads ask the loop to make. For loop.c.
 *
 * Two runs of calls: callers append to `incoming` under a lock; the loop takes the whole of it in
 * exchange for its own empty `running` and works that off without the lock, a portion a pass.
 *
 * Invariants:
 * 1. calls run in the order in which they were posted;
 * 2. only the loop's thread touches `running` and `next`. */
#ifndef LARDER_EV_POSTED_H
#define LARDER_EV_POSTED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "ev/loop.h"

/* Calls made in one pass. More would make clients wait who have nothing to do with them. */
#define POSTED_PER_PASS 1024

struct posted_call {
    loop_posted_fn function;
    void *context;
};

struct posted_list {
    struct posted_call *calls;
    size_t count;
    size_t capacity;
};

struct posted {
    pthread_mutex_t lock;
    struct posted_list incoming;
    atomic_bool has_incoming; /* spares the loop the lock when nothing came */
    struct posted_list running;
    size_t next; /* in `running` */
};

void posted_init(struct posted *posted);
/* What has not run is dropped. */
void posted_clear(struct posted *posted);

/* From any thread. */
void posted_add(struct posted *posted, loop_posted_fn function, void *context);

/* Whether there is something to run. */
static inline bool posted_waits(const struct posted *posted) {
    return posted->next < posted->running.count ||
           atomic_load_explicit(&posted->has_incoming, memory_order_acquire);
}

/* Runs POSTED_PER_PASS calls at most. What they post themselves has its turn in the next pass. */
void posted_run(struct posted *posted);

#endif
