/* hll: see the header. Raising a register of the sparse form splits the run that covers it in up to
 * three, and then joins neighbours of equal rank; both happen within a few bytes, and what is
 * behind moves. */
#include "types/hll.h"

#include <math.h>
#include <string.h>

#include "base/check.h"

#define REGISTER_BITS 14
#define RANK_BITS     (64 - REGISTER_BITS)
#define HASH_SEED     0xadc83b19u
#define SPARSE        1
#define DENSE         0
#define BEHIND_FORM   5 /* where the rest of the header begins */
/* In the last byte of the cardinality. */
#define STALE_BYTE 15
#define STALE      0x80u

/* Longest runs of each form. */
#define ZERO_MAX   64u
#define XZERO_MAX  16384u
#define VALUE_MAX  4u
#define SPLIT_MAX  5 /* bytes that take the place of one run: two of zeros between them a value */
#define JOIN_TRIES 5 /* neighbours that are looked at after a split: more cannot have changed */

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct hll_options, __VA_ARGS__)
    HLL_OPTIONS(ROW)
#undef ROW
};

void hll_register_options(struct options *registry, struct hll_options *fields) {
    options_register(registry, rows, sizeof rows / sizeof rows[0], fields, fields);
}

/* 1 / (2 ln 2): the constant of the estimator for infinitely many registers. */
static const double alpha = 0.721347520444481703680;

static uint64_t load_u64(const unsigned char *at) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | at[i];
    }
    return value;
}

/* MurmurHash64A, with little-endian reads. */
static uint64_t hash(struct bytes element) {
    const uint64_t m = 0xc6a4a7935bd1e995u;
    const unsigned char *at = (const unsigned char *)element.at;
    size_t left = element.size;
    uint64_t h = HASH_SEED ^ (left * m);
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t k = load_u64(at) * m;
        k ^= k >> 47;
        h = (h ^ (k * m)) * m;
    }
    if (left > 0) {
        for (size_t i = 0; i < left; i++) {
            h ^= (uint64_t)at[i] << (8 * i);
        }
        h *= m;
    }
    h = (h ^ h >> 47) * m;
    return h ^ h >> 47;
}

struct hll_place hll_place_of(struct bytes element) {
    uint64_t h = hash(element);
    /* A bit behind the last one ends the count where all of them are zeros. */
    uint64_t rest = h >> REGISTER_BITS | (uint64_t)1 << RANK_BITS;
    return (struct hll_place){.index = (uint32_t)(h & (HLL_REGISTERS - 1)),
                              .rank = (uint8_t)(__builtin_ctzll(rest) + 1)};
}

bool hll_is_valid(struct bytes value) {
    if (value.size < HLL_HEADER_SIZE || memcmp(value.at, "HYLL", 4) != 0) {
        return false;
    }
    return value.at[4] == SPARSE || (value.at[4] == DENSE && value.size == HLL_DENSE_SIZE);
}

static void write_header(char *at, char form) {
    memset(at, 0, HLL_HEADER_SIZE);
    memcpy(at, "HYLL", 4);
    at[4] = form;
}

/* ---- runs ---- */

bool hll_run_at(struct bytes value, size_t offset, struct hll_run *run) {
    if (offset >= value.size) {
        return false;
    }
    uint8_t byte = (uint8_t)value.at[offset];
    if (byte & 0x80u) {
        *run =
            (struct hll_run){.length = (byte & 3u) + 1, .rank = (byte >> 2 & 31) + 1, .bytes = 1};
        return true;
    }
    if (!(byte & 0x40u)) {
        *run = (struct hll_run){.length = byte + 1u, .bytes = 1};
        return true;
    }
    if (offset + 1 >= value.size) {
        return false;
    }
    uint32_t length = ((byte & 63u) << 8 | (uint8_t)value.at[offset + 1]) + 1;
    *run = (struct hll_run){.length = length, .bytes = 2};
    return true;
}

/* Appends a run; `length` may be 0. Returns behind it. */
static uint8_t *put_run(uint8_t *out, uint32_t length, uint8_t rank) {
    if (length == 0) {
        return out;
    }
    if (rank > 0) {
        debug_check(length <= VALUE_MAX && rank <= HLL_SPARSE_RANK_MAX);
        *out++ = (uint8_t)(0x80u | (rank - 1u) << 2 | (length - 1));
    } else if (length <= ZERO_MAX) {
        *out++ = (uint8_t)(length - 1);
    } else {
        *out++ = (uint8_t)(0x40u | (length - 1) >> 8);
        *out++ = (uint8_t)(length - 1);
    }
    return out;
}

size_t hll_new(char *at) {
    write_header(at, SPARSE);
    uint8_t *end = put_run((uint8_t *)at + HLL_HEADER_SIZE, HLL_REGISTERS, 0);
    return (size_t)(end - (uint8_t *)at);
}

bool hll_sparse_load(struct hll_sparse *sparse, struct bytes value) {
    if (value.size > sizeof sparse->bytes) {
        return false;
    }
    memcpy(sparse->bytes, value.at, value.size);
    sparse->size = value.size;
    return true;
}

static struct bytes sparse_bytes(const struct hll_sparse *sparse) {
    return bytes_of(sparse->bytes, sparse->size);
}

/* Joins values of one rank that lie side by side from `offset` on, as far as a change reaches. */
static void join_values(struct hll_sparse *sparse, size_t offset) {
    struct hll_run run;
    struct hll_run next;
    for (int i = 0; i < JOIN_TRIES && hll_run_at(sparse_bytes(sparse), offset, &run); i++) {
        if (run.rank > 0 && hll_run_at(sparse_bytes(sparse), offset + 1, &next) &&
            next.rank == run.rank && run.length + next.length <= VALUE_MAX) {
            put_run((uint8_t *)sparse->bytes + offset, run.length + next.length, run.rank);
            memmove(sparse->bytes + offset + 1, sparse->bytes + offset + 2,
                    sparse->size - offset - 2);
            sparse->size--;
        } else {
            offset += run.bytes;
        }
    }
}

enum hll_status hll_sparse_raise(struct hll_sparse *sparse, struct hll_place place,
                                 size_t size_max) {
    if (place.rank > HLL_SPARSE_RANK_MAX) {
        return HLL_TOO_LARGE;
    }
    size_t offset = HLL_HEADER_SIZE;
    size_t previous = offset;
    uint32_t first = 0; /* register of the run at `offset` */
    struct hll_run run;
    for (;;) {
        if (!hll_run_at(sparse_bytes(sparse), offset, &run)) {
            return HLL_CORRUPT;
        }
        if (place.index < first + run.length) {
            break;
        }
        first += run.length;
        previous = offset;
        offset += run.bytes;
    }
    if (run.rank >= place.rank) {
        return HLL_UNCHANGED;
    }
    uint8_t split[SPLIT_MAX];
    uint8_t *end = put_run(split, place.index - first, run.rank);
    end = put_run(end, 1, place.rank);
    end = put_run(end, first + run.length - place.index - 1, run.rank);
    size_t bytes = (size_t)(end - split);
    size_t size = sparse->size - run.bytes + bytes;
    if (size > sparse->size && (size > size_max || size > sizeof sparse->bytes)) {
        return HLL_TOO_LARGE;
    }
    memmove(sparse->bytes + offset + bytes, sparse->bytes + offset + run.bytes,
            sparse->size - offset - run.bytes);
    memcpy(sparse->bytes + offset, split, bytes);
    sparse->size = size;
    join_values(sparse, previous);
    hll_forget(sparse->bytes);
    return HLL_CHANGED;
}

/* ---- registers of six bits ---- */

/* A register lies in one byte or in two; the byte behind the last one is not touched. */
static uint8_t dense_get(const uint8_t *registers, uint32_t index) {
    uint32_t bit = index * 6;
    unsigned word = registers[bit / 8];
    if (bit % 8 > 2) {
        word |= (unsigned)registers[bit / 8 + 1] << 8;
    }
    return word >> bit % 8 & 63;
}

static void dense_set(uint8_t *registers, uint32_t index, uint8_t rank) {
    uint32_t bit = index * 6;
    unsigned shift = bit % 8;
    uint8_t *at = registers + bit / 8;
    at[0] = (uint8_t)((at[0] & ~(63u << shift)) | (unsigned)rank << shift);
    if (shift > 2) {
        at[1] = (uint8_t)((at[1] & ~(63u >> (8 - shift))) | rank >> (8 - shift));
    }
}

enum hll_status hll_dense_raise(char *dense, struct hll_place place) {
    uint8_t *registers = (uint8_t *)dense + HLL_HEADER_SIZE;
    if (dense_get(registers, place.index) >= place.rank) {
        return HLL_UNCHANGED;
    }
    dense_set(registers, place.index, place.rank);
    hll_forget(dense);
    return HLL_CHANGED;
}

static void read_dense(const uint8_t *at, uint8_t *out) {
    for (uint32_t i = 0; i < HLL_REGISTERS; i += 4, at += 3) {
        uint32_t word = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
        out[i] = word & 63;
        out[i + 1] = word >> 6 & 63;
        out[i + 2] = word >> 12 & 63;
        out[i + 3] = word >> 18 & 63;
    }
}

enum hll_status hll_read(struct bytes value, uint8_t registers[HLL_REGISTERS]) {
    if (!hll_is_sparse(value)) {
        read_dense((const uint8_t *)value.at + HLL_HEADER_SIZE, registers);
        return HLL_UNCHANGED;
    }
    uint32_t index = 0;
    struct hll_run run;
    for (size_t offset = HLL_HEADER_SIZE; offset < value.size; offset += run.bytes) {
        if (!hll_run_at(value, offset, &run) || run.length > HLL_REGISTERS - index) {
            return HLL_CORRUPT;
        }
        memset(registers + index, run.rank, run.length);
        index += run.length;
    }
    return index == HLL_REGISTERS ? HLL_UNCHANGED : HLL_CORRUPT;
}

void hll_merge(uint8_t registers[HLL_REGISTERS], const uint8_t other[HLL_REGISTERS]) {
    for (int i = 0; i < HLL_REGISTERS; i++) {
        registers[i] = registers[i] > other[i] ? registers[i] : other[i];
    }
}

/* The runs of the registers; 0 when they do not fit. */
static size_t write_sparse(const uint8_t *registers, size_t size_max, char *at) {
    uint8_t *out = (uint8_t *)at + HLL_HEADER_SIZE;
    uint32_t first = 0;
    while (first < HLL_REGISTERS) {
        uint8_t rank = registers[first];
        uint32_t most = rank == 0 ? XZERO_MAX : VALUE_MAX;
        uint32_t end = first + 1;
        while (end < HLL_REGISTERS && end - first < most && registers[end] == rank) {
            end++;
        }
        if (rank > HLL_SPARSE_RANK_MAX ||
            (size_t)(out - (uint8_t *)at) + (end - first > ZERO_MAX ? 2 : 1) > size_max) {
            return 0;
        }
        out = put_run(out, end - first, rank);
        first = end;
    }
    return (size_t)(out - (uint8_t *)at);
}

size_t hll_write(const uint8_t registers[HLL_REGISTERS], size_t sparse_max, const char *header,
                 char *at) {
    sparse_max = sparse_max < HLL_SPARSE_SIZE_MAX ? sparse_max : HLL_SPARSE_SIZE_MAX;
    size_t size = write_sparse(registers, sparse_max, at);
    write_header(at, size > 0 ? SPARSE : DENSE);
    if (header != NULL) {
        memcpy(at + BEHIND_FORM, header + BEHIND_FORM, HLL_HEADER_SIZE - BEHIND_FORM);
    }
    if (size > 0) {
        return size;
    }
    memset(at + HLL_HEADER_SIZE, 0, HLL_DENSE_SIZE - HLL_HEADER_SIZE);
    for (uint32_t i = 0; i < HLL_REGISTERS; i++) {
        dense_set((uint8_t *)at + HLL_HEADER_SIZE, i, registers[i]);
    }
    return HLL_DENSE_SIZE;
}

/* ---- the estimate ---- */

/* Both series converge until the sum does not change any more; x is a fraction of the registers, so
 * some 30 terms at most. */
static double sigma(double x) {
    if (x == 1.0) {
        return INFINITY;
    }
    double y = 1;
    double z = x;
    double before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (before != z);
    return z;
}

static double tau(double x) {
    if (x == 0.0 || x == 1.0) {
        return 0;
    }
    double y = 1.0;
    double z = 1 - x;
    double before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (before != z);
    return z / 3;
}

uint64_t hll_estimate(const uint8_t registers[HLL_REGISTERS]) {
    uint32_t counts[64] = {0};
    for (int i = 0; i < HLL_REGISTERS; i++) {
        counts[registers[i] & 63]++;
    }
    const double m = HLL_REGISTERS;
    double z = m * tau((m - counts[HLL_RANK_MAX]) / m);
    for (int rank = HLL_RANK_MAX - 1; rank >= 1; rank--) {
        z += counts[rank];
        z *= 0.5;
    }
    z += m * sigma(counts[0] / m);
    return (uint64_t)llround(alpha * m * m / z);
}

bool hll_remembered(struct bytes value, uint64_t *cardinality) {
    if ((uint8_t)value.at[STALE_BYTE] & STALE) {
        return false;
    }
    *cardinality = load_u64((const unsigned char *)value.at + 8);
    return true;
}

void hll_remember(char *value, uint64_t cardinality) {
    for (int i = 0; i < 8; i++) {
        value[8 + i] = (char)(cardinality >> (8 * i));
    }
}

void hll_forget(char *value) {
    value[STALE_BYTE] = (char)((uint8_t)value[STALE_BYTE] | STALE);
}
