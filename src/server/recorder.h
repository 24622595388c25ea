/* recorder: makes the points of the server's history (feature/history.h): once a second it looks at
 * counters that are kept anyway and writes down what they grew by. Nothing that serves requests
 * knows of it. */
#ifndef LARDER_SERVER_RECORDER_H
#define LARDER_SERVER_RECORDER_H

#include <stdint.h>

#include "feature/history.h"

struct server;
struct histogram;

/* What is counted since start, as it was when a point began. */
struct recorder_mark {
    uint64_t counts[HISTORY_P50];
    struct histogram *latency;
};

struct recorder {
    struct server *server;
    int64_t began_us; /* the first point's beginning, on the monotonic clock */
    uint64_t seconds; /* recorded since then */
    struct recorder_mark second;
    struct recorder_mark minute;
};

/* The first point begins now. */
void recorder_start(struct recorder *recorder, struct server *server);
void recorder_free(struct recorder *recorder);

/* Some times a second: adds the point of the second that is over. The I/O threads stand still for
 * some microseconds then. */
void recorder_look(struct recorder *recorder);

#endif
