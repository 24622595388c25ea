/* lzf: a greedy search with a table of the place where each hash of three bytes was seen last. */
#include "persist/lzf.h"

#include <stdint.h>
#include <string.h>

#define LITERALS_MAX 32u
#define MATCH_MIN    3u
#define MATCH_MAX    264u
#define DISTANCE_MAX 8192u
/* Below this length a match needs no byte of its own for it. */
#define LONG_MATCH 9u
/* 16 KiB of stack; a larger table finds a little more and costs cache misses. Short texts, of which
 * there are many, take a part of it: clearing all of it would take longer than compressing. */
#define HASH_BITS       12
#define HASH_BITS_LEAST 8

struct packer {
    const uint8_t *at;
    size_t size;
    uint8_t *out;
    size_t room;
    size_t used;
};

static bool put_literals(struct packer *packer, size_t from, size_t to) {
    while (from < to) {
        size_t count = to - from < LITERALS_MAX ? to - from : LITERALS_MAX;
        if (packer->room - packer->used < count + 1) {
            return false;
        }
        packer->out[packer->used++] = (uint8_t)(count - 1);
        memcpy(packer->out + packer->used, packer->at + from, count);
        packer->used += count;
        from += count;
    }
    return true;
}

static bool put_match(struct packer *packer, size_t distance, size_t length) {
    if (packer->room - packer->used < 3) {
        return false;
    }
    size_t back = distance - 1;
    if (length < LONG_MATCH) {
        packer->out[packer->used++] = (uint8_t)((length - 2) << 5 | back >> 8);
    } else {
        packer->out[packer->used++] = (uint8_t)(7u << 5 | back >> 8);
        packer->out[packer->used++] = (uint8_t)(length - LONG_MATCH);
    }
    packer->out[packer->used++] = (uint8_t)back;
    return true;
}

static uint32_t hash_three(const uint8_t *at, unsigned bits) {
    uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
    return word * 2654435761u >> (32 - bits);
}

static size_t match_length(const struct packer *packer, size_t from, size_t at) {
    size_t most = packer->size - at < MATCH_MAX ? packer->size - at : MATCH_MAX;
    size_t length = 0;
    while (length < most && packer->at[from + length] == packer->at[at + length]) {
        length++;
    }
    return length;
}

size_t lzf_compress(struct bytes text, char *out, size_t room) {
    struct packer packer = {
        .at = (const uint8_t *)text.at, .size = text.size, .out = (uint8_t *)out, .room = room};
    uint32_t seen[1 << HASH_BITS]; /* place + 1; 0: nowhere */
    unsigned bits = HASH_BITS_LEAST;
    while (bits < HASH_BITS && (size_t)1 << bits < text.size) {
        bits++;
    }
    memset(seen, 0, sizeof *seen << bits);
    size_t written = 0;
    size_t at = 0;
    while (at + MATCH_MIN <= text.size) {
        uint32_t *place = &seen[hash_three(packer.at + at, bits)];
        size_t from = *place;
        *place = (uint32_t)at + 1;
        size_t length = 0;
        if (from > 0 && at - (from - 1) <= DISTANCE_MAX) {
            length = match_length(&packer, from - 1, at);
        }
        if (length < MATCH_MIN) {
            at++;
            continue;
        }
        if (!put_literals(&packer, written, at) || !put_match(&packer, at - (from - 1), length)) {
            return 0;
        }
        at += length;
        written = at;
    }
    return put_literals(&packer, written, text.size) ? packer.used : 0;
}

/* One match: its first byte was read. */
static bool expand_match(const uint8_t **in, const uint8_t *end, uint8_t control, uint8_t *out,
                         size_t *done, size_t size) {
    size_t length = (size_t)(control >> 5) + 2;
    if (length == LONG_MATCH) {
        if (*in == end) {
            return false;
        }
        length += *(*in)++;
    }
    if (*in == end) {
        return false;
    }
    size_t distance = ((size_t)(control & 31) << 8 | *(*in)++) + 1;
    if (distance > *done || length > size - *done) {
        return false;
    }
    for (; length > 0; length--, ++*done) {
        out[*done] = out[*done - distance];
    }
    return true;
}

bool lzf_expand(struct bytes packed, char *out, size_t size) {
    const uint8_t *in = (const uint8_t *)packed.at;
    const uint8_t *end = in + packed.size;
    size_t done = 0;
    while (in < end) {
        uint8_t control = *in++;
        if (control >= LITERALS_MAX) {
            if (!expand_match(&in, end, control, (uint8_t *)out, &done, size)) {
                return false;
            }
            continue;
        }
        size_t count = control + 1u;
        if (count > (size_t)(end - in) || count > size - done) {
            return false;
        }
        memcpy(out + done, in, count);
        in += count;
        done += count;
    }
    return done == size;
}
