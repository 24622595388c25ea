/* run: puts one server under one load, by one or more threads, and tells what it bore.
 *
 * Closed loop: each connection sends a pipeline of requests, awaits all replies and sends the next.
 * Open loop: requests are due at times that the rate alone fixes, whether or not the server keeps
 * up, and a request's latency counts from when it was due. */
#ifndef LARDER_LOAD_RUN_H
#define LARDER_LOAD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "load/connect.h"
#include "load/durations.h"
#include "load/keys.h"
#include "load/mix.h"
#include "load/replies.h"

struct run_plan {
    struct login login;
    int connections;   /* with pairs an even number for each thread */
    int threads;       /* at most as many as connections */
    int pipeline;      /* most requests under way on a connection */
    uint64_t requests; /* how many; 0: by time */
    double seconds;    /* how long, where requests is 0 */
    double warmup;     /* seconds under load before measuring */
    double rate;       /* requests a second in all of an open loop; 0: closed loop */
    bool poisson;      /* open loop: arrivals at random instead of even distances */
    struct keys_plan keys;
    int server_pid;       /* the server's process, for its CPU time; 0: the server is asked */
    const char *progress; /* a word for the line that tells how far it is; NULL: no line */
};

struct run_result {
    uint64_t requests;  /* answered, of those that are measured */
    int64_t elapsed_ns; /* of the measurement */
    int64_t server_ns;  /* CPU time of the server meanwhile, user and system; -1 unknown */
    int64_t user_ns;    /* of that, user time; -1 unknown */
    int64_t own_ns;     /* CPU time of this program */
    struct durations *latency;
    struct durations *lateness; /* open loop: from due to sent; otherwise empty */
    uint64_t unsent; /* open loop: due, and not sent by the end; they count with what they waited */
    struct replies_tally tally;
    bool interrupted;
};

/* 0; or -1 after a word on standard error. On success run_result_free frees the result. */
int run_load(const struct run_plan *plan, const struct endpoint *endpoint, const struct mix *mix,
             struct run_result *result);

void run_result_free(struct run_result *result);

/* From now on SIGINT and SIGTERM end a run early, with what it has measured; a second one ends the
 * program. What they set is the process's own: the one global state of the load generator. */
void run_catch_interrupts(void);
bool run_interrupted(void);

#endif
