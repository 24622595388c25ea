/* histogram: how durations are distributed: counts by size, with an error below 1.6 percent at any
 * size, in a few kilobytes however many durations there are. The log-linear idea is that of
 * HdrHistogram (Gil Tene): a bucket's width follows its value.
 *
 * Values are nanoseconds from 0 to HISTOGRAM_MAX, a little over an hour; larger ones count as the
 * largest, negative ones (a clock that misbehaves) as 0. Not for several threads at once. */
#ifndef LARDER_BASE_HISTOGRAM_H
#define LARDER_BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MAX (((int64_t)1 << 42) - 1)

struct histogram;

struct histogram *histogram_new(void);
/* NULL does nothing. */
void histogram_free(struct histogram *histogram);

/* Adds `count` durations of `ns` each. For a run of calls that was measured as a whole: the average
 * and the number of calls. */
void histogram_record(struct histogram *histogram, int64_t ns, uint64_t count);

/* Forgets everything. */
void histogram_reset(struct histogram *histogram);

/* Adds all that `from` holds. */
void histogram_merge(struct histogram *histogram, const struct histogram *from);

/* Takes away what `from` holds, an earlier state of the same histogram: what was recorded since is
 * left. If it was reset meanwhile, everything since then may be gone too, but nothing is below 0.
 * The largest becomes the end of its bucket. */
void histogram_subtract(struct histogram *histogram, const struct histogram *from);

/* How many durations were recorded; the largest of them; their sum. 0 when there are none. */
uint64_t histogram_count(const struct histogram *histogram);
int64_t histogram_max(const struct histogram *histogram);
uint64_t histogram_sum(const struct histogram *histogram);

/* The duration that `percent` percent of all do not exceed, percent in [0, 100]: the upper end of
 * the bucket it falls into, though never more than the largest recorded. 0 when there are none. */
int64_t histogram_percentile(const struct histogram *histogram, double percent);

/* How many durations were below 2^power nanoseconds, 0 <= power: exact, for no bucket lies across a
 * power of two. */
uint64_t histogram_count_below_power(const struct histogram *histogram, unsigned power);

/* Bytes that the histogram takes. */
size_t histogram_footprint(const struct histogram *histogram);

#endif
