/* hash: XXH3 with the process's seed. The library is compiled into this file only, whole, so that
 * the branches on the size are laid out for the short keys that a cache mostly has: up to 16 bytes
 * cost a multiplication or two. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hash.h"

#include "base/random.h"

static uint64_t process_seed;

uint64_t hash_seed(void) {
    return process_seed;
}

void hash_seed_draw(void) {
    random_secret(&process_seed, sizeof process_seed);
}

void hash_seed_set(uint64_t seed) {
    process_seed = seed;
}

uint64_t hash_bytes(uint64_t seed, const void *at, size_t size) {
    return XXH3_64bits_withSeed(at, size, seed);
}
