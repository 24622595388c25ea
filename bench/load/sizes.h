/* sizes: how large the next value is: always the same, evenly between two sizes, one of a list with
 * weights, or lognormal, which is what the values of many caches look like: most are small, and a
 * few very large ones hold most of the bytes. */
#ifndef LARDER_LOAD_SIZES_H
#define LARDER_LOAD_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

#define SIZES_LIST_MAX 64
/* Largest value that the protocol allows. */
#define SIZES_BYTES_MAX ((size_t)512 * 1024 * 1024)

enum sizes_kind { SIZES_FIXED, SIZES_RANGE, SIZES_LIST, SIZES_LOGNORMAL };

/* Never changed once it is read: all threads share it and bring their own random numbers. */
struct sizes {
    enum sizes_kind kind;
    size_t least; /* fixed: the size */
    size_t most;
    /* a list: sizes, and the sums of the weights up to each */
    int list_count;
    size_t list[SIZES_LIST_MAX];
    uint64_t weights[SIZES_LIST_MAX];
    /* lognormal: half of the values are smaller than the median */
    double median;
    double sigma;
};

/* Reads `64`, `16-4096`, `64:90,1024:9,65536:1` or `lognormal:median:sigma[:largest]`; without the
 * last, the largest is a hundred times the median. Sizes may have a unit: 4kb. False when the text
 * is none of these. */
bool sizes_parse(struct sizes *sizes, const char *text);

/* Bytes of the next value. */
size_t sizes_next(const struct sizes *sizes, struct random *random);

#endif
