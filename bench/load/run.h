/* run: sends one sort of request over many connections, as many at a time as the pipeline has room
 * for, counts and times the replies, and reads what the server's process spent meanwhile. */
#ifndef LARDER_LOAD_RUN_H
#define LARDER_LOAD_RUN_H

#include <stdint.h>

#include "base/histogram.h"
#include "load/keys.h"
#include "load/replies.h"
#include "load/template.h"

struct run_plan {
    const char *host; /* an IPv4 or IPv6 address or a name */
    const char *port;
    const char *socket; /* path of a Unix socket, NULL: host and port */
    int connections;
    int pipeline;
    uint64_t requests; /* how many; 0: by time */
    double seconds;    /* how long; a tenth of it before, for warming up, is not measured */
    int server_pid;    /* 0: not known */
};

struct run_result {
    uint64_t requests; /* answered while measuring */
    int64_t elapsed_ns;
    int64_t
        server_ns; /* CPU time of the server's process, all threads, user and system; -1 unknown */
    struct histogram *latency; /* of a whole pipeline, once for each of its requests */
    struct replies_tally tally;
};

/* 0; or -1 after a word on standard error. On success run_result_free frees the result. */
int run_load(const struct run_plan *plan, const struct template *template, struct keys *keys,
             struct run_result *result);

void run_result_free(struct run_result *result);

#endif
