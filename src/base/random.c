/* random: xoshiro256** for sampling, the system's source for secrets. */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/check.h"

/* One step of splitmix64 (Steele, Lea and Flood 2014): spreads a seed so that no seed, not even
 * zero, gives the one state that xoshiro cannot leave. */
static uint64_t split_mix(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static uint64_t rotate_left(uint64_t x, unsigned bits) {
    return (x << bits) | (x >> (64 - bits));
}

void random_init(struct random *random, uint64_t seed) {
    for (int i = 0; i < 4; i++) {
        random->state[i] = split_mix(&seed);
    }
}

uint64_t random_next(struct random *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The high half of a product instead of a remainder (Lemire 2019): the few values that would make
 * some results likelier are drawn again. */
uint64_t random_below(struct random *random, uint64_t bound) {
    debug_check(bound >= 1);
    __uint128_t product = (__uint128_t)random_next(random) * bound;
    if (UNLIKELY((uint64_t)product < bound)) {
        uint64_t least = (0 - bound) % bound;
        while ((uint64_t)product < least) {
            product = (__uint128_t)random_next(random) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

void random_secret(void *at, size_t size) {
    unsigned char *to = at;
    while (size > 0) {
        ssize_t got = getrandom(to, size, 0);
        if (got < 0) {
            check(errno == EINTR);
            continue;
        }
        to += got;
        size -= (size_t)got;
    }
}
