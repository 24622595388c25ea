/* random: a fast generator for sampling (xoshiro256**, Blackman and Vigna 2018). Not for secrets:
 * those come from random_secret. Each user owns its state. */
#ifndef LARDER_BASE_RANDOM_H
#define LARDER_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* Any seed will do, zero too. */
void random_init(struct random *random, uint64_t seed);

uint64_t random_next(struct random *random);

/* Uniform in [0, bound), bound >= 1. */
uint64_t random_below(struct random *random, uint64_t bound);

/* Fills the buffer from the system's random source; aborts when there is none. */
void random_secret(void *at, size_t size);

#endif
