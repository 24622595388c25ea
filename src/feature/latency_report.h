/* latency_report: what the recorded spikes look like, for people: LATENCY GRAPH and DOCTOR. */
#ifndef LARDER_FEATURE_LATENCY_REPORT_H
#define LARDER_FEATURE_LATENCY_REPORT_H

#include <stdint.h>

#include "base/buffer.h"
#include "feature/latency.h"

/* A graph of the event's samples in characters, oldest to the left, with each one's age below. */
void latency_print_graph(const struct latency_event *event, int64_t now_s, struct buffer *out);

/* What the numbers say about each event. */
struct latency_figures {
    int64_t mean_ms;
    int64_t deviation_ms; /* mean distance from the mean */
    int64_t low_ms;
    int64_t high_ms;
    double period_s; /* between two spikes, on average */
};
struct latency_figures latency_figures(const struct latency_event *event, int64_t now_s);

/* A report over all events with advice. `slower_than_us` is what the slow log is set to. */
void latency_print_report(const struct latency *latency, int64_t slower_than_us, int64_t now_s,
                          struct buffer *out);

#endif
