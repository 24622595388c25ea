/* durations: how long things took, kept so that any percentile can be told to within a thousandth,
 * in a fixed quarter of a megabyte however many there are. The log-linear idea is that of
 * HdrHistogram (Gil Tene): a bucket's width follows its value.
 *
 * base/histogram does the same for the server, in less memory and with an error of 1.6 percent: a
 * benchmark that compares servers must tell apart what is nearer than that.
 *
 * Values are nanoseconds from 0 to DURATIONS_MAX, a little over an hour; larger ones count as the
 * largest, negative ones as 0. Not for several threads at once: each has its own, merged at the
 * end. */
#ifndef LARDER_LOAD_DURATIONS_H
#define LARDER_LOAD_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

#define DURATIONS_MAX (((int64_t)1 << 42) - 1)
/* A percentile is at most this share above the duration that it stands for, and never below it. */
#define DURATIONS_ERROR (1.0 / 1024)

struct durations;

struct durations *durations_new(void);
/* NULL does nothing. */
void durations_free(struct durations *durations);

/* Adds `count` durations of `ns` each. */
void durations_record(struct durations *durations, int64_t ns, uint64_t count);

/* Adds all that `from` holds. */
void durations_merge(struct durations *durations, const struct durations *from);

/* How many there are; the least and the largest, exactly; their average. 0 when there are none. */
uint64_t durations_count(const struct durations *durations);
int64_t durations_min(const struct durations *durations);
int64_t durations_max(const struct durations *durations);
double durations_mean(const struct durations *durations);

/* The least duration that at least `percent` percent of all do not exceed (nearest rank), percent
 * in [0, 100]: the upper end of its bucket, though never more than the largest. With 0, the least.
 * 0 when there are none. */
int64_t durations_percentile(const struct durations *durations, double percent);

#endif
