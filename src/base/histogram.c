/* histogram: buckets whose width grows with their value.
 *
 * The values are divided into octaves, and each octave into OCTAVE_BUCKETS buckets of equal width.
 * Octave 0 is linear from 0; each further one covers one doubling.
 *
 *     octave   0              1               2                 36
 *     from     0              64              128               2^41
 *     to       63             127             255               2^42 - 1
 *     width    1              1               2                 2^35
 *
 *     struct  | octaves: 37 pointers | count | sum | max |      320 bytes
 *                 |       NULL
 *                 v
 *              | 64 counters of 8 bytes |                       512 bytes
 *
 * A command's durations lie in a handful of octaves, so an octave gets its counters when the first
 * value falls into it: three to five kilobytes for a usual command, 19 at most. Counters have 64
 * bits, since 32 are full after an hour of a million calls a second.
 *
 * Invariants:
 * 1. `count` is the sum of all counters;
 * 2. no octave in use is empty except after histogram_reset, which keeps none;
 * 3. max is 0 or lies in the highest octave that is in use.
 *
 * Costs: record is a shift, a load and an addition; queries walk the counters. */
#include "base/histogram.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* 64 buckets for a doubling make the widest 1/64 of its value. */
#define OCTAVE_POWER   6
#define OCTAVE_BUCKETS (1 << OCTAVE_POWER)
#define OCTAVES        37
_Static_assert(HISTOGRAM_MAX == ((int64_t)1 << (OCTAVE_POWER + OCTAVES - 1)) - 1,
               "the last octave ends at the largest value");

struct octave {
    uint64_t counts[OCTAVE_BUCKETS];
};
_Static_assert(sizeof(struct octave) == 512, "as the picture says");

struct histogram {
    struct octave *octaves[OCTAVES];
    uint64_t count;
    uint64_t sum;
    int64_t max;
};
_Static_assert(sizeof(struct histogram) == 320, "as the picture says");

/* Octave 0 and 1 both have width 1. */
static unsigned octave_shift(unsigned octave) {
    return octave <= 1 ? 0 : octave - 1;
}

static unsigned octave_of(uint64_t value) {
    /* The lowest octave is where values have at most OCTAVE_POWER bits. */
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(value | (OCTAVE_BUCKETS - 1));
    return top_bit - (OCTAVE_POWER - 1);
}

/* The largest value that falls into the bucket. */
static int64_t bucket_end(unsigned octave, unsigned bucket) {
    int64_t base = octave == 0 ? 0 : (int64_t)1 << (octave + OCTAVE_POWER - 1);
    return base + ((int64_t)(bucket + 1) << octave_shift(octave)) - 1;
}

struct histogram *histogram_new(void) {
    return mem_zalloc(MEM_FEATURE, sizeof(struct histogram));
}

void histogram_free(struct histogram *histogram) {
    if (histogram == NULL) {
        return;
    }
    histogram_reset(histogram);
    mem_free(MEM_FEATURE, histogram, sizeof *histogram);
}

static struct octave *octave_ready(struct histogram *histogram, unsigned octave) {
    if (UNLIKELY(histogram->octaves[octave] == NULL)) {
        histogram->octaves[octave] = mem_zalloc(MEM_FEATURE, sizeof(struct octave));
    }
    return histogram->octaves[octave];
}

void histogram_record(struct histogram *histogram, int64_t ns, uint64_t count) {
    if (UNLIKELY(count == 0)) {
        return;
    }
    int64_t value = ns < 0 ? 0 : ns > HISTOGRAM_MAX ? HISTOGRAM_MAX : ns;
    unsigned octave = octave_of((uint64_t)value);
    unsigned bucket = ((uint64_t)value >> octave_shift(octave)) & (OCTAVE_BUCKETS - 1);
    octave_ready(histogram, octave)->counts[bucket] += count;
    histogram->count += count;
    histogram->sum += (uint64_t)value * count;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void histogram_reset(struct histogram *histogram) {
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        mem_free(MEM_FEATURE, histogram->octaves[octave], sizeof(struct octave));
    }
    memset(histogram, 0, sizeof *histogram);
}

void histogram_merge(struct histogram *histogram, const struct histogram *from) {
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        const struct octave *source = from->octaves[octave];
        if (source == NULL) {
            continue;
        }
        struct octave *target = octave_ready(histogram, octave);
        for (unsigned bucket = 0; bucket < OCTAVE_BUCKETS; bucket++) {
            target->counts[bucket] += source->counts[bucket];
        }
    }
    histogram->count += from->count;
    histogram->sum += from->sum;
    if (from->max > histogram->max) {
        histogram->max = from->max;
    }
}

/* What is left of an octave; *largest becomes the end of its last bucket in use. */
static uint64_t subtract_octave(struct octave *octave, const struct octave *from, unsigned number,
                                int64_t *largest) {
    uint64_t left = 0;
    for (unsigned bucket = 0; bucket < OCTAVE_BUCKETS; bucket++) {
        uint64_t less = from == NULL ? 0 : from->counts[bucket];
        uint64_t *count = &octave->counts[bucket];
        *count = *count > less ? *count - less : 0;
        left += *count;
        *largest = *count > 0 ? bucket_end(number, bucket) : *largest;
    }
    return left;
}

void histogram_subtract(struct histogram *histogram, const struct histogram *from) {
    int64_t largest = 0;
    histogram->count = 0;
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        struct octave *counts = histogram->octaves[octave];
        if (counts == NULL) {
            continue;
        }
        uint64_t left = subtract_octave(counts, from->octaves[octave], octave, &largest);
        if (left == 0) {
            mem_free(MEM_FEATURE, counts, sizeof *counts);
            histogram->octaves[octave] = NULL;
        }
        histogram->count += left;
    }
    histogram->sum = histogram->sum > from->sum ? histogram->sum - from->sum : 0;
    histogram->max = largest < histogram->max ? largest : histogram->max;
}

uint64_t histogram_count(const struct histogram *histogram) {
    return histogram->count;
}

int64_t histogram_max(const struct histogram *histogram) {
    return histogram->max;
}

uint64_t histogram_sum(const struct histogram *histogram) {
    return histogram->sum;
}

int64_t histogram_percentile(const struct histogram *histogram, double percent) {
    check(percent >= 0 && percent <= 100);
    uint64_t wanted = (uint64_t)(percent / 100 * (double)histogram->count + 0.5);
    if (wanted == 0) {
        wanted = 1;
    }
    uint64_t seen = 0;
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        if (histogram->octaves[octave] == NULL) {
            continue;
        }
        for (unsigned bucket = 0; bucket < OCTAVE_BUCKETS; bucket++) {
            seen += histogram->octaves[octave]->counts[bucket];
            if (seen >= wanted) {
                int64_t end = bucket_end(octave, bucket);
                return end < histogram->max ? end : histogram->max;
            }
        }
    }
    /* Rounding of a very large count, or no count at all. */
    return histogram->max;
}

uint64_t histogram_count_below_power(const struct histogram *histogram, unsigned power) {
    uint64_t below = 0;
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        if (histogram->octaves[octave] == NULL) {
            continue;
        }
        for (unsigned bucket = 0; bucket < OCTAVE_BUCKETS; bucket++) {
            if (power < 63 && bucket_end(octave, bucket) >= (int64_t)1 << power) {
                return below;
            }
            below += histogram->octaves[octave]->counts[bucket];
        }
    }
    return below;
}

size_t histogram_footprint(const struct histogram *histogram) {
    size_t bytes = mem_class(sizeof *histogram);
    for (unsigned octave = 0; octave < OCTAVES; octave++) {
        if (histogram->octaves[octave] != NULL) {
            bytes += mem_class(sizeof(struct octave));
        }
    }
    return bytes;
}
