/* latency: a record of when the server was slow, and why: by cause (an event: "command",
 * "fast-command", "expire-cycle" ...) the spikes of the recent past, which LATENCY LATEST, HISTORY,
 * GRAPH and DOCTOR show. It is off until latency-monitor-threshold says what slow means.
 *
 * An event keeps LATENCY_SAMPLES samples, no more than one a second: the worst of that second. */
#ifndef LARDER_FEATURE_LATENCY_H
#define LARDER_FEATURE_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/context.h"

/* Two graphs of 80 columns each; as many as Redis keeps. */
#define LATENCY_SAMPLES 160
/* Names of events are fixed in the program, so that this is room for all of them. */
#define LATENCY_EVENTS_MAX 16
/* More percentiles than anybody reads in a line of INFO. */
#define LATENCY_PERCENTILES_MAX 16

#define LATENCY_OPTIONS(X)                                                                         \
    X(INT, threshold_ms, "latency-monitor-threshold", "0", 0, INT64_MAX, NULL, 0, latency_apply,   \
      "Milliseconds from which on a delay is kept as a spike; 0: none is.")                        \
    X(BOOL, tracking, "latency-tracking", "yes", 0, 0, NULL, 0, latency_apply,                     \
      "Whether the durations of each command are counted: INFO latencystats, LATENCY HISTOGRAM.")  \
    X(CUSTOM, percentiles, "latency-tracking-info-percentiles", "50 99 99.9", 0, 0,                \
      &latency_percentiles_option, 0, NULL, "Which percentiles INFO latencystats shows.")
struct latency_options {
    LATENCY_OPTIONS(OPTION_FIELD)
};

#define LATENCY_METRICS(X) X(STATS, latency_spikes, COUNTER, "Delays that were kept as spikes.")
struct latency_metrics {
    LATENCY_METRICS(METRIC_FIELD)
};

struct latency;

struct latency_sample {
    int64_t time_s; /* wall time, seconds since 1970 */
    int64_t ms;
};

struct latency_event {
    const char *name;
    struct latency_sample samples[LATENCY_SAMPLES]; /* a ring: the next one goes to `next` */
    size_t next;
    size_t count;   /* samples in the ring */
    int64_t max_ms; /* since the last reset */
};

/* Registers options and metrics and observes the calls of context->clients. */
struct latency *latency_new(struct context *context);
void latency_free(struct latency *latency);

/* Once the options are read. */
void latency_start(struct latency *latency);

/* For the option tables. */
bool latency_apply(void *module, const char **error);

const struct latency_options *latency_options(const struct latency *latency);

/* Something took `duration_us`: kept if that is a spike. `name` is a text that lives as long as the
 * process; at most LATENCY_EVENTS_MAX different ones are kept. */
void latency_note(struct latency *latency, const char *name, int64_t duration_us);

/* Events that have samples, from index 0; NULL ends. */
const struct latency_event *latency_event_at(const struct latency *latency, size_t index);
/* By name, letters fold; NULL when it has no samples. */
const struct latency_event *latency_event_find(const struct latency *latency, struct bytes name);

/* The sample with that age: 0 is the oldest, count - 1 the newest. */
static inline const struct latency_sample *latency_sample_at(const struct latency_event *event,
                                                             size_t index) {
    size_t oldest = (event->next + LATENCY_SAMPLES - event->count) % LATENCY_SAMPLES;
    return &event->samples[(oldest + index) % LATENCY_SAMPLES];
}

/* Forgets one event, or all with an empty name. Returns how many were forgotten. */
size_t latency_reset(struct latency *latency, struct bytes name);

/* The percentiles of INFO latencystats, in [0, 100]; returns how many. */
size_t latency_percentiles(const struct latency *latency, const double **percentiles);

#endif
