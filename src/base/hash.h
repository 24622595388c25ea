/* hash: 64-bit hash of bytes, XXH3 with a seed that is drawn at random when the process starts, so
 * that nobody outside can choose keys that collide. */
#ifndef LARDER_BASE_HASH_H
#define LARDER_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The process's seed. Hot loops read it once and pass it on. */
uint64_t hash_seed(void);

/* Draws the seed from the system's random source. Called once by main before any dict exists. */
void hash_seed_draw(void);

/* Sets the seed, for tests that want the same run twice. */
void hash_seed_set(uint64_t seed);

uint64_t hash_bytes(uint64_t seed, const void *at, size_t size);

/* Mixes a pointer or a number into 64 well-spread bits (the finaliser of MurmurHash3). */
static inline uint64_t hash_mix(uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

#endif
