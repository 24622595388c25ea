/* schedule: when the requests of an open loop are due: at even distances, or as a Poisson process,
 * which is how requests of many independent users arrive. The times are fixed by the rate alone:
 * however slow the server is, nothing is put off. */
#ifndef LARDER_LOAD_SCHEDULE_H
#define LARDER_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

struct schedule {
    double interval_ns; /* average distance of two requests */
    double since_ns;    /* of the next one, from start_ns */
    int64_t start_ns;
    bool poisson;
    struct random random;
};

/* One of `parts` schedules that together give `rate` requests a second, rate > 0, from `start_ns`
 * on by the monotonic clock. Even ones interleave. */
void schedule_init(struct schedule *schedule, double rate, bool poisson, int64_t start_ns, int part,
                   int parts, uint64_t seed);

/* When the next request is due, ns. */
static inline int64_t schedule_due(const struct schedule *schedule) {
    return schedule->start_ns + (int64_t)schedule->since_ns;
}

/* Goes on to the request behind it. */
void schedule_advance(struct schedule *schedule);

#endif
