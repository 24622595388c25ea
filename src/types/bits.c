/* bits: counting, searching and combining, eight bytes or more at a time.
 *
 * Combining goes through the sources in blocks that stay in the first cache, so that the result
 * and its helper are not written to memory once a source. The inner loops take 32 bytes at a time
 * in the compiler's vector types, since it does not vectorise loops of unknown length by itself at
 * -O2. */
#include "types/bits.h"

#include <string.h>

#include "base/check.h"

/* Bytes of a block: small enough for result, helper and source to share the first cache. */
#define BLOCK_SIZE ((size_t)4096)

/* Bytes anywhere in memory, taken together. */
typedef uint64_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

/* Four sums at once, so that the additions do not wait for each other. */
static inline __attribute__((always_inline)) uint64_t count_words(const char *at, size_t words) {
    uint64_t sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= words; i += 4) {
        uint64_t w[4];
        memcpy(w, at + 8 * i, sizeof w);
        sums[0] += (uint64_t)__builtin_popcountll(w[0]);
        sums[1] += (uint64_t)__builtin_popcountll(w[1]);
        sums[2] += (uint64_t)__builtin_popcountll(w[2]);
        sums[3] += (uint64_t)__builtin_popcountll(w[3]);
    }
    for (; i < words; i++) {
        uint64_t w;
        memcpy(&w, at + 8 * i, sizeof w);
        sums[0] += (uint64_t)__builtin_popcountll(w);
    }
    return sums[0] + sums[1] + sums[2] + sums[3];
}

#if defined(__x86_64__) && !defined(__POPCNT__)

/* The processor's own instruction, which the oldest of the family lack. */
__attribute__((target("popcnt"))) static uint64_t count_words_fast(const char *at, size_t words) {
    return count_words(at, words);
}

static uint64_t count_whole(const char *at, size_t words) {
    return __builtin_cpu_supports("popcnt") ? count_words_fast(at, words) : count_words(at, words);
}

#else

static uint64_t count_whole(const char *at, size_t words) {
    return count_words(at, words);
}

#endif

uint64_t bits_count(struct bytes bytes) {
    size_t words = bytes.size / 8;
    uint64_t count = count_whole(bytes.at, words);
    uint64_t rest = 0;
    if (bytes.size % 8 != 0) {
        memcpy(&rest, bytes.at + 8 * words, bytes.size % 8);
    }
    return count + (uint64_t)__builtin_popcountll(rest);
}

uint64_t bits_count_range(struct bytes bytes, uint64_t first, uint64_t last) {
    check(first <= last && last / 8 < bytes.size);
    const char *at = bytes.at + first / 8;
    uint64_t count = bits_count(bytes_of(at, last / 8 - first / 8 + 1));
    unsigned before = (unsigned)(first % 8);
    unsigned behind = 7 - (unsigned)(last % 8);
    uint8_t head = (uint8_t)at[0] & (uint8_t) ~(0xFFu >> before);
    uint8_t tail = (uint8_t)bytes.at[last / 8] & (uint8_t)((1u << behind) - 1);
    return count - (uint64_t)__builtin_popcount(head) - (uint64_t)__builtin_popcount(tail);
}

int64_t bits_find(struct bytes bytes, uint64_t first, uint64_t last, bool value) {
    check(first <= last && last / 8 < bytes.size);
    /* What is searched becomes 1. */
    uint8_t flip = value ? 0 : 0xFF;
    uint64_t nothing = value ? 0 : UINT64_MAX;
    size_t i = first / 8;
    size_t end = last / 8 + 1;
    uint8_t byte = ((uint8_t)bytes.at[i] ^ flip) & (uint8_t)(0xFFu >> (first % 8));
    if (byte == 0) {
        i++;
        for (; i + 8 <= end; i += 8) {
            uint64_t word;
            memcpy(&word, bytes.at + i, sizeof word);
            if (word != nothing) {
                break;
            }
        }
        while (i < end && ((uint8_t)bytes.at[i] ^ flip) == 0) {
            i++;
        }
        if (i == end) {
            return -1;
        }
        byte = (uint8_t)bytes.at[i] ^ flip;
    }
    uint64_t at = 8 * (uint64_t)i + (uint64_t)__builtin_clz(byte) - 24;
    return at <= last ? (int64_t)at : -1;
}

/* A field touches at most nine bytes: they are handled as one number. */
uint64_t bits_field(struct bytes bytes, uint64_t at, unsigned width) {
    check(width >= 1 && width <= BITS_FIELD_MAX);
    size_t first = at / 8;
    size_t last = (at + width - 1) / 8;
    unsigned __int128 number = 0;
    for (size_t i = first; i <= last; i++) {
        number = number << 8 | (i < bytes.size ? (uint8_t)bytes.at[i] : 0);
    }
    number >>= 7 - (at + width - 1) % 8;
    return (uint64_t)(number & (((unsigned __int128)1 << width) - 1));
}

void bits_set_field(char *bytes, uint64_t at, unsigned width, uint64_t value) {
    check(width >= 1 && width <= BITS_FIELD_MAX);
    size_t first = at / 8;
    size_t last = (at + width - 1) / 8;
    unsigned behind = 7 - (unsigned)((at + width - 1) % 8);
    unsigned __int128 mask = (((unsigned __int128)1 << width) - 1) << behind;
    unsigned __int128 number = (unsigned __int128)value << behind & mask;
    for (size_t i = last + 1; i > first; i--) {
        uint8_t old = (uint8_t)bytes[i - 1];
        bytes[i - 1] = (char)((old & (uint8_t)~mask) | (uint8_t)number);
        mask >>= 8;
        number >>= 8;
    }
}

/* The part of a source that lies in the block at `from`. */
static struct bytes part(struct bytes source, size_t from, size_t size) {
    if (source.size <= from) {
        return bytes_of("", 0);
    }
    size_t left = source.size - from;
    return bytes_of(source.at + from, left < size ? left : size);
}

static void copy_part(char *out, size_t size, struct bytes source) {
    memcpy(out, source.at, source.size);
    memset(out + source.size, 0, size - source.size);
}

static void and_part(char *restrict out, size_t size, struct bytes source) {
    const char *restrict at = source.at;
    size_t i = 0;
    for (; i + sizeof(lanes) <= source.size; i += sizeof(lanes)) {
        *(lanes *)(out + i) &= *(const lanes *)(at + i);
    }
    for (; i < source.size; i++) {
        out[i] &= at[i];
    }
    memset(out + source.size, 0, size - source.size);
}

static void or_part(char *restrict out, struct bytes source) {
    const char *restrict at = source.at;
    size_t i = 0;
    for (; i + sizeof(lanes) <= source.size; i += sizeof(lanes)) {
        *(lanes *)(out + i) |= *(const lanes *)(at + i);
    }
    for (; i < source.size; i++) {
        out[i] |= at[i];
    }
}

static void xor_part(char *restrict out, struct bytes source) {
    const char *restrict at = source.at;
    size_t i = 0;
    for (; i + sizeof(lanes) <= source.size; i += sizeof(lanes)) {
        *(lanes *)(out + i) ^= *(const lanes *)(at + i);
    }
    for (; i < source.size; i++) {
        out[i] ^= at[i];
    }
}

/* out: seen in some source so far; twice: in more than one. */
static void note_part(char *restrict out, char *restrict twice, struct bytes source) {
    const char *restrict at = source.at;
    size_t i = 0;
    for (; i + sizeof(lanes) <= source.size; i += sizeof(lanes)) {
        *(lanes *)(twice + i) |= *(lanes *)(out + i) & *(const lanes *)(at + i);
        *(lanes *)(out + i) |= *(const lanes *)(at + i);
    }
    for (; i < source.size; i++) {
        twice[i] |= out[i] & at[i];
        out[i] |= at[i];
    }
}

static void invert(char *out, size_t size) {
    size_t i = 0;
    for (; i + sizeof(lanes) <= size; i += sizeof(lanes)) {
        *(lanes *)(out + i) = ~*(lanes *)(out + i);
    }
    for (; i < size; i++) {
        out[i] = (char)~out[i];
    }
}

static void combine_plain(enum bits_operation operation, const struct bytes *sources, size_t count,
                          size_t from, char *out, size_t size) {
    copy_part(out, size, part(sources[0], from, size));
    for (size_t i = 1; i < count; i++) {
        struct bytes source = part(sources[i], from, size);
        if (operation == BITS_AND) {
            and_part(out, size, source);
        } else if (operation == BITS_OR) {
            or_part(out, source);
        } else {
            xor_part(out, source);
        }
    }
    if (operation == BITS_NOT) {
        invert(out, size);
    }
}

static void combine_one(const struct bytes *sources, size_t count, size_t from, char *out,
                        size_t size) {
    char twice[BLOCK_SIZE] = {0};
    memset(out, 0, size);
    for (size_t i = 0; i < count; i++) {
        note_part(out, twice, part(sources[i], from, size));
    }
    invert(twice, size);
    and_part(out, size, bytes_of(twice, size));
}

/* DIFF, DIFF1 and ANDOR: the first source against what is in any of the others. */
static void combine_first(enum bits_operation operation, const struct bytes *sources, size_t count,
                          size_t from, char *out, size_t size) {
    char x[BLOCK_SIZE];
    copy_part(x, size, part(sources[0], from, size));
    memset(out, 0, size);
    for (size_t i = 1; i < count; i++) {
        or_part(out, part(sources[i], from, size));
    }
    if (operation == BITS_DIFF) {
        invert(out, size);
    } else if (operation == BITS_DIFF1) {
        invert(x, size);
    }
    and_part(out, size, bytes_of(x, size));
}

void bits_combine(enum bits_operation operation, const struct bytes *sources, size_t count,
                  char *out, size_t size) {
    check(count >= 1);
    for (size_t from = 0; from < size; from += BLOCK_SIZE) {
        size_t length = size - from < BLOCK_SIZE ? size - from : BLOCK_SIZE;
        if (operation == BITS_ONE) {
            combine_one(sources, count, from, out + from, length);
        } else if (operation == BITS_DIFF || operation == BITS_DIFF1 || operation == BITS_ANDOR) {
            combine_first(operation, sources, count, from, out + from, length);
        } else {
            combine_plain(operation, sources, count, from, out + from, length);
        }
    }
}
