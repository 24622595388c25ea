/* hll: HyperLogLog in the byte format of Redis, so that a value read here may be written there. A
 * string value; these are functions over its bytes.
 *
 *     0      4        5       8              16
 *     +------+--------+-------+--------------+-----------
 *     | HYLL | 0 or 1 | zeros | cardinality  | registers
 *     +------+--------+-------+--------------+-----------
 *             dense(0)         little-endian; its top bit set: it has to be reckoned anew
 *             sparse(1)
 *
 *     dense    16,384 registers of 6 bits, the lowest bits of a byte first: 12,288 bytes
 *     sparse   runs: 00nnnnnn            n + 1 registers of 0
 *                    01nnnnnn nnnnnnnn   the same, 14 bits
 *                    1vvvvvnn            n + 1 registers of v + 1
 *
 * An element's hash (MurmurHash64A, by Appleby) names a register by its low 14 bits; the register
 * keeps the greatest rank it has seen, which is the number of zeros at the low end of the remaining
 * 50 bits and 1. Estimation is Ertl's improved raw estimator ("New cardinality estimation
 * algorithms for HyperLogLog sketches", 2017): one pass over a histogram of ranks, no table of
 * corrections.
 *
 * Values come from anywhere, so what is sparse is read with every bound checked. */
#ifndef LARDER_TYPES_HLL_H
#define LARDER_TYPES_HLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/option.h"

#define HLL_OPTIONS(X)                                                                             \
    X(MEMORY, sparse_max, "hll-sparse-max-bytes", "3000", 0, INT64_MAX, NULL, 0, NULL,             \
      "Most bytes of a HyperLogLog in its sparse form, header included.")
struct hll_options {
    HLL_OPTIONS(OPTION_FIELD)
};
void hll_register_options(struct options *registry, struct hll_options *fields);

#define HLL_REGISTERS   16384
#define HLL_HEADER_SIZE 16
#define HLL_DENSE_SIZE  (HLL_HEADER_SIZE + HLL_REGISTERS * 6 / 8)
/* Greatest rank: all of the 50 bits are zeros. */
#define HLL_RANK_MAX 51
/* ... and the greatest that the sparse form can hold. */
#define HLL_SPARSE_RANK_MAX 32
/* No sparse form needs more: a byte for each register at worst. */
#define HLL_SPARSE_SIZE_MAX (HLL_HEADER_SIZE + HLL_REGISTERS)

enum hll_status {
    HLL_UNCHANGED,
    HLL_CHANGED,
    HLL_TOO_LARGE, /* must become dense; nothing has changed */
    HLL_CORRUPT,   /* its runs do not cover the registers */
};

/* Whether the bytes have the header of one, and the length that its form asks for. The runs are
 * looked at by whoever reads them. */
bool hll_is_valid(struct bytes value);

static inline bool hll_is_sparse(struct bytes value) {
    return value.at[4] == 1;
}

/* The register of an element, and its rank there. */
struct hll_place {
    uint32_t index; /* < HLL_REGISTERS */
    uint8_t rank;   /* 1 .. HLL_RANK_MAX */
};
struct hll_place hll_place_of(struct bytes element);

/* An empty sparse one: HLL_HEADER_SIZE + 2 bytes are written, and that is returned. */
size_t hll_new(char *at);

/* A sparse value to be changed, as a copy of its bytes. */
struct hll_sparse {
    size_t size; /* header included */
    char bytes[HLL_SPARSE_SIZE_MAX];
};

/* Copies a sparse value; false when it is too large to be one. */
bool hll_sparse_load(struct hll_sparse *sparse, struct bytes value);

/* Raises a register to a rank at least. HLL_TOO_LARGE when the rank or `size_max` (bytes of the
 * runs and the header) do not allow it in this form. */
enum hll_status hll_sparse_raise(struct hll_sparse *sparse, struct hll_place place,
                                 size_t size_max);

/* The same in a dense value. */
enum hll_status hll_dense_raise(char *dense, struct hll_place place);

/* All registers, a byte each. HLL_UNCHANGED or HLL_CORRUPT. */
enum hll_status hll_read(struct bytes value, uint8_t registers[HLL_REGISTERS]);

/* Raises each register to the other's. */
void hll_merge(uint8_t registers[HLL_REGISTERS], const uint8_t other[HLL_REGISTERS]);

/* Writes a value of these registers, in the sparse form if `sparse_max` bytes and the ranks allow
 * it: returns its size, which is HLL_DENSE_SIZE for a dense one. What the header says besides, the
 * remembered cardinality too, is that of `header`, HLL_HEADER_SIZE bytes, or if that is NULL a new
 * one's. `at` has room for HLL_SPARSE_SIZE_MAX bytes. */
size_t hll_write(const uint8_t registers[HLL_REGISTERS], size_t sparse_max, const char *header,
                 char *at);

/* The estimate from registers. */
uint64_t hll_estimate(const uint8_t registers[HLL_REGISTERS]);

/* The cardinality that the value remembers; false when it does not. */
bool hll_remembered(struct bytes value, uint64_t *cardinality);
void hll_remember(char *value, uint64_t cardinality);
void hll_forget(char *value);

/* The runs of a sparse value, for whoever shows them: 0 registers at the end. False when what is at
 * *offset is no run. *offset begins with HLL_HEADER_SIZE. */
struct hll_run {
    uint32_t length; /* registers */
    uint8_t rank;    /* 0: zeros */
    uint8_t bytes;   /* that the run takes */
};
bool hll_run_at(struct bytes value, size_t offset, struct hll_run *run);

#endif
