/* sha1: plain C, one block of 64 bytes at a time. A script's digest is computed once, when it is
 * first seen, so its speed does not matter. */
#include "base/sha1.h"

#include <stdint.h>
#include <string.h>

#define BLOCK_SIZE 64
#define WORDS      16

static uint32_t rotate(uint32_t word, int bits) {
    return word << bits | word >> (32 - bits);
}

static uint32_t read_word(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_word(unsigned char *at, uint32_t word) {
    at[0] = (unsigned char)(word >> 24);
    at[1] = (unsigned char)(word >> 16);
    at[2] = (unsigned char)(word >> 8);
    at[3] = (unsigned char)word;
}

/* The function and the constant of round `t`. */
static uint32_t mixed(int t, uint32_t b, uint32_t c, uint32_t d) {
    if (t < 20) {
        return ((b & c) | (~b & d)) + 0x5a827999u;
    }
    if (t < 40) {
        return (b ^ c ^ d) + 0x6ed9eba1u;
    }
    if (t < 60) {
        return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
    }
    return (b ^ c ^ d) + 0xca62c1d6u;
}

static void add_block(uint32_t state[5], const unsigned char *block) {
    uint32_t words[WORDS];
    for (int i = 0; i < WORDS; i++) {
        words[i] = read_word(block + 4 * (size_t)i);
    }
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];
    uint32_t e = state[4];
    for (int t = 0; t < 80; t++) {
        uint32_t *word = &words[t % WORDS];
        if (t >= WORDS) {
            *word = rotate(words[(t - 3) % WORDS] ^ words[(t - 8) % WORDS] ^
                               words[(t - 14) % WORDS] ^ *word,
                           1);
        }
        uint32_t next = rotate(a, 5) + mixed(t, b, c, d) + e + *word;
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

void sha1_hex(struct bytes text, char hex[SHA1_HEX_SIZE + 1]) {
    static const char digits[] = "0123456789abcdef";
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    size_t done = 0;
    for (; text.size - done >= BLOCK_SIZE; done += BLOCK_SIZE) {
        add_block(state, (const unsigned char *)text.at + done);
    }
    /* The rest, a bit that is set, and the length in bits: one block or two. */
    unsigned char last[2 * BLOCK_SIZE] = {0};
    size_t rest = text.size - done;
    if (rest > 0) {
        memcpy(last, text.at + done, rest);
    }
    last[rest] = 0x80;
    size_t size = rest + 9 <= BLOCK_SIZE ? BLOCK_SIZE : 2 * BLOCK_SIZE;
    write_word(last + size - 8, (uint32_t)((uint64_t)text.size >> 29));
    write_word(last + size - 4, (uint32_t)((uint64_t)text.size << 3));
    for (size_t i = 0; i < size; i += BLOCK_SIZE) {
        add_block(state, last + i);
    }
    unsigned char digest[SHA1_SIZE];
    for (size_t i = 0; i < 5; i++) {
        write_word(digest + 4 * i, state[i]);
    }
    for (size_t i = 0; i < SHA1_SIZE; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[SHA1_HEX_SIZE] = '\0';
}
