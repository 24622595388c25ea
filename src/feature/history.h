/* history: what the server was like in the recent past: a point for each of the last 15 minutes'
 * seconds and one for each of the last 24 hours' minutes, so that there is something to see when
 * somebody looks for the first time.
 *
 *     seconds   | p | p | p | . | . |    900 points of 64 bytes, a ring
 *     minutes   | p | p | . | . | . |    1,440 points
 *
 * A point has a number for each series, all of 4 bytes: 150 KB in all. Who makes points
 * (server/recorder.h) sees to it that one comes each second. */
#ifndef LARDER_FEATURE_HISTORY_H
#define LARDER_FEATURE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many as a chart has room for. */
#define HISTORY_SECONDS 900
#define HISTORY_MINUTES 1440
/* Seconds that a point of the second ring stands for. */
#define HISTORY_MINUTE 60

/* What each series is: a sum over the point's time, a distribution's figure, or a state at its
 * end. */
enum history_series {
    HISTORY_REQUESTS, /* sums */
    HISTORY_HITS,
    HISTORY_MISSES,
    HISTORY_EVICTED,
    HISTORY_EXPIRED,
    HISTORY_INPUT,  /* bytes from clients */
    HISTORY_OUTPUT, /* bytes to clients */
    HISTORY_P50,    /* nanoseconds from when a request could be read until its reply was sent */
    HISTORY_P99,
    HISTORY_P999,
    HISTORY_KEYS, /* states */
    HISTORY_CLIENTS,
    HISTORY_DATA,    /* bytes: what the user stored */
    HISTORY_TABLES,  /* dictionaries and deadlines */
    HISTORY_BUFFERS, /* connections, requests and replies under way */
    HISTORY_OTHER,   /* all the rest */
    HISTORY_SERIES
};

/* Counts above 2^24 are rounded to that many bits. Negative: nothing is known of that time. */
struct history_point {
    float values[HISTORY_SERIES];
};

enum history_ring { HISTORY_BY_SECOND, HISTORY_BY_MINUTE, HISTORY_RINGS };

struct history;

struct history *history_new(void);
void history_free(struct history *history);

/* The ring's next point, which stands for what was up to `time_s` (wall time, seconds since 1970).
 * `skipped` points in front of it are missing, for nobody was there to make them. */
void history_add(struct history *history, enum history_ring ring, int64_t time_s, uint64_t skipped,
                 const struct history_point *point);

/* Points in the ring; when the newest ends; the one that is `age` points older than the newest, age
 * below the count. */
size_t history_count(const struct history *history, enum history_ring ring);
int64_t history_time(const struct history *history, enum history_ring ring);
const struct history_point *history_at(const struct history *history, enum history_ring ring,
                                       size_t age);

/* Points that were ever added, missing ones included: who has seen so many wants those behind. */
uint64_t history_added(const struct history *history, enum history_ring ring);

/* "requests", "hits" ... */
const char *history_name(enum history_series series);

/* Whether it is a sum over the point's time. */
static inline bool history_is_sum(enum history_series series) {
    return series < HISTORY_P50;
}

#endif
