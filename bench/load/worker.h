/* worker: one thread of a run, with connections, random numbers and sums of its own. */
#ifndef LARDER_LOAD_WORKER_H
#define LARDER_LOAD_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "load/run.h"
#include "load/schedule.h"

#define WORKER_PROBLEM_MAX 256

/* What all threads of a run see; fixed before they start but for the flag. */
struct worker_task {
    const struct run_plan *plan;
    const struct mix *mix;
    int64_t start;    /* ns, monotonic: when the load begins */
    int64_t from;     /* when measuring begins */
    int64_t end;      /* when it ends; INT64_MAX by number */
    atomic_bool stop; /* leave at once: an interruption, or another thread's problem */
};

struct connection;

struct worker {
    struct worker_task *task;
    int part; /* which of the plan's threads */
    struct connection *connections;
    int connection_count;
    uint64_t quota; /* requests to measure; UINT64_MAX by time */
    struct keys keys;
    struct schedule schedule;
    int epoll;
    struct tls_desk *desk; /* NULL: no TLS */
    char *in;
    /* Requests that were sent to be measured, are under way, and were answered. */
    uint64_t asked;
    uint64_t under_way;
    _Atomic uint64_t answered; /* for others to look at: all, measured or not */
    uint64_t measured;
    uint64_t unsent;
    int64_t heard_at; /* ns; when the server last said something, or had nothing to say */
    int64_t finished; /* when the last one that is measured was answered */
    /* Open loop: connections with room, as a ring, and those with bytes to be sent. */
    int *with_room;
    int room_first;
    int room_count;
    int *unflushed;
    int unflushed_count;
    struct durations *latency;
    struct durations *lateness;
    struct replies_tally tally;
    char problem[WORKER_PROBLEM_MAX]; /* "": none */
};

/* Takes over `count` connections. Freed with worker_free, which closes them. -1 when there is no
 * memory for their buffers. */
int worker_init(struct worker *worker, struct worker_task *task, int part,
                struct transport *const *links, int count);
void worker_free(struct worker *worker);

/* Sends and receives until the task is done or stopped. On a problem, sets `problem` and the
 * task's flag. */
void worker_run(struct worker *worker);

#endif
