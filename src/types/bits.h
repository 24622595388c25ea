/* bits: a run of bytes as a row of bits, for the bitmap commands. Bit 0 is the highest bit of the
 * first byte, as in Redis. Pure functions over memory: no entries, no keys.
 *
 *     bit     0 1 2 3 4 5 6 7   8 9 ...
 *     byte    0                 1
 *     mask    80 40 20 ... 01   80 40 ... */
#ifndef LARDER_TYPES_BITS_H
#define LARDER_TYPES_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Widest field that bits_field and bits_set_field know. */
#define BITS_FIELD_MAX 64

/* Bits that are set, in all bytes. */
uint64_t bits_count(struct bytes bytes);

/* Bits that are set among bits first .. last; both must lie within the bytes, first <= last. */
uint64_t bits_count_range(struct bytes bytes, uint64_t first, uint64_t last);

/* The first bit with that value among bits first .. last, which must lie within the bytes,
 * first <= last; -1 when there is none. */
int64_t bits_find(struct bytes bytes, uint64_t first, uint64_t last, bool value);

/* The field of `width` bits (1 .. 64) that starts at bit `at`, highest bit first; bits beyond the
 * bytes are zero. */
uint64_t bits_field(struct bytes bytes, uint64_t at, unsigned width);

/* Writes the low `width` bits of `value` there; the field must lie within the memory. */
void bits_set_field(char *bytes, uint64_t at, unsigned width, uint64_t value);

/* How sources are combined, bit by bit. X is the first source, Y any of the others. */
enum bits_operation {
    BITS_AND,
    BITS_OR,
    BITS_XOR,
    BITS_NOT,   /* of X; there are no others */
    BITS_DIFF,  /* in X and in no Y */
    BITS_DIFF1, /* not in X and in some Y */
    BITS_ANDOR, /* in X and in some Y */
    BITS_ONE,   /* in exactly one source */
};

/* Writes `size` bytes. Sources that are shorter count as continued with zeros; there is at least
 * one source. `out` must not overlap any of them. */
void bits_combine(enum bits_operation operation, const struct bytes *sources, size_t count,
                  char *out, size_t size);

#endif
