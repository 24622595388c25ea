/* outcome: what became of one test on one server: its rounds, the median of each figure over them,
 * and all latencies together. */
#ifndef LARDER_LOAD_OUTCOME_H
#define LARDER_LOAD_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "load/control.h"
#include "load/options.h"
#include "load/run.h"

/* The figures of a round. Times of latency are in microseconds. */
enum figure {
    FIGURE_RATE,      /* requests a second */
    FIGURE_SERVER_NS, /* CPU time of the server for each request */
    FIGURE_USER_NS,   /* of that, user time */
    FIGURE_OWN_NS,    /* and of this program */
    FIGURE_MEAN,
    FIGURE_MIN,
    FIGURE_P50,
    FIGURE_P90,
    FIGURE_P95,
    FIGURE_P99,
    FIGURE_P999,
    FIGURE_P9999,
    FIGURE_MAX,
    FIGURES
};

struct outcome {
    const char *test;
    int pipeline;
    const struct endpoint *server;
    const char *version; /* what the server calls itself; "" unknown */
    int rounds;
    double values[FIGURES][ROUNDS_MAX]; /* NAN: not known */
    uint64_t requests;
    uint64_t unsent;
    double seconds;
    struct durations *latency;
    struct durations *lateness;
    struct replies_tally tally;
    bool interrupted;
};

void outcome_init(struct outcome *outcome, const char *test, int pipeline,
                  const struct endpoint *server, const char *version);
void outcome_free(struct outcome *outcome);

/* Adds a round. At most ROUNDS_MAX. */
void outcome_add(struct outcome *outcome, const struct run_result *result);

/* The median over the rounds; NAN when there is none. */
double outcome_figure(const struct outcome *outcome, enum figure figure);

/* The median of `count` numbers, which it sorts: the middle one, or the average of the two in the
 * middle. NAN when there are none, or one of them is NAN. */
double median(double *values, int count);

#endif
