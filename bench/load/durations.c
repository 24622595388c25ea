/* durations: buckets whose width grows with their value.
 *
 *     shift    0               1                2                      31
 *     values   0 .. 2047       2048 .. 4095     4096 .. 8191           2^41 .. 2^42 - 1
 *     width    1               2                4                      2^31
 *     index    0 .. 2047       2048 .. 3071     3072 .. 4095           .. 33791
 *
 * The index of a value is shift * 1024 + (value >> shift): what is left after the shift lies in
 * 1024 .. 2047 from shift 1 on, so that the rows join without a gap.
 *
 *     struct | count | sum | min | max | 33792 counters of 8 bytes |     270,368 bytes
 *
 * A run's durations lie in two or three doublings, so that what is touched stays in the cache.
 *
 * Invariants:
 * 1. `count` is the sum of all counters;
 * 2. min and max are exact, and 0 while count is 0. Costs: record is a shift and some additions;
 *    queries walk the counters. */
#include "load/durations.h"

#include <math.h>

#include "base/check.h"
#include "base/mem.h"

#define ROW_POWER 10
#define ROW       ((size_t)1 << ROW_POWER)
#define SHIFT_MAX 31
#define BUCKETS   ((SHIFT_MAX + 2) * ROW)
_Static_assert(DURATIONS_MAX == ((int64_t)1 << (SHIFT_MAX + ROW_POWER + 1)) - 1,
               "the last bucket ends at the largest value");

struct durations {
    uint64_t count;
    uint64_t sum;
    int64_t min;
    int64_t max;
    uint64_t counts[BUCKETS];
};

static unsigned shift_of(uint64_t value) {
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(value | ROW);
    return top_bit - ROW_POWER;
}

static size_t bucket_of(uint64_t value) {
    unsigned shift = shift_of(value);
    return shift * ROW + (size_t)(value >> shift);
}

/* The largest value that falls into the bucket. */
static int64_t bucket_end(size_t bucket) {
    size_t shift = bucket < 2 * ROW ? 0 : bucket / ROW - 1;
    return ((int64_t)(bucket - shift * ROW + 1) << shift) - 1;
}

struct durations *durations_new(void) {
    return mem_zalloc(MEM_OTHER, sizeof(struct durations));
}

void durations_free(struct durations *durations) {
    mem_free(MEM_OTHER, durations, sizeof *durations);
}

static void take_extremes(struct durations *durations, int64_t min, int64_t max) {
    if (durations->count == 0 || min < durations->min) {
        durations->min = min;
    }
    if (max > durations->max) {
        durations->max = max;
    }
}

void durations_record(struct durations *durations, int64_t ns, uint64_t count) {
    if (count == 0) {
        return;
    }
    int64_t value = ns < 0 ? 0 : ns > DURATIONS_MAX ? DURATIONS_MAX : ns;
    take_extremes(durations, value, value);
    durations->counts[bucket_of((uint64_t)value)] += count;
    durations->count += count;
    durations->sum += (uint64_t)value * count;
}

void durations_merge(struct durations *durations, const struct durations *from) {
    if (from->count == 0) {
        return;
    }
    take_extremes(durations, from->min, from->max);
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        durations->counts[bucket] += from->counts[bucket];
    }
    durations->count += from->count;
    durations->sum += from->sum;
}

uint64_t durations_count(const struct durations *durations) {
    return durations->count;
}

int64_t durations_min(const struct durations *durations) {
    return durations->min;
}

int64_t durations_max(const struct durations *durations) {
    return durations->max;
}

double durations_mean(const struct durations *durations) {
    return durations->count == 0 ? 0 : (double)durations->sum / (double)durations->count;
}

int64_t durations_percentile(const struct durations *durations, double percent) {
    check(percent >= 0 && percent <= 100);
    if (percent <= 0) {
        return durations->min;
    }
    /* The slack takes back what 99.9 / 100 is too much as a binary fraction. */
    double rank = ceil(percent / 100 * (double)durations->count * (1 - 1e-12));
    uint64_t wanted = rank < 1 ? 1 : (uint64_t)rank;
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += durations->counts[bucket];
        if (seen >= wanted) {
            int64_t end = bucket_end(bucket);
            return end < durations->max ? end : durations->max;
        }
    }
    return durations->max;
}
