/* worth: one number that says how much a key has been used, recently and in all. It is what an
 * entry's access field holds under the policy allkeys-adaptive.
 *
 * Each use counts 1 at first and half of it after each half-life; a key's count is the sum over its
 * uses (CRF of the policy LRFU, Lee et al. 2001). With long half-lives that is its frequency, with
 * short ones its recency. Because all counts fall at the same pace, their order does not change
 * while nobody is used, so the number kept is
 *
 *     worth = log2(count) + now,   now in half-lives
 *
 * and a key that is not used needs no change. In fixed point: 8 bits of fraction, 16 of half-lives,
 * going round; numbers more than WORTH_ABOVE_MAX above now are no worth at all (left by another
 * policy, or so old that they have gone round). */
#ifndef LARDER_STORE_WORTH_H
#define LARDER_STORE_WORTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORTH_ONE  256 /* a half-life, or a factor of two in the count */
#define WORTH_MASK 0xffffffu
/* A count of 2^32 is more than anything has. */
#define WORTH_ABOVE_MAX (32 * WORTH_ONE)
/* Below this a count adds nothing to the next use. */
#define WORTH_BELOW_MAX (-16 * WORTH_ONE)
#define WORTH_NONE      INT32_MIN

/* How far a worth is above now: 0 is a count of 1, -WORTH_ONE half of it. WORTH_NONE for none. */
static inline int32_t worth_above(uint32_t worth, uint32_t now) {
    int32_t above = (int32_t)((worth - now) << 8) >> 8;
    return above > WORTH_ABOVE_MAX ? WORTH_NONE : above;
}

/* A clock that ticks with uses: `now` with 20 more bits of fraction, so that it can advance by very
 * little. */
#define WORTH_CLOCK_BITS 20

static inline uint32_t worth_now(uint64_t clock) {
    return (uint32_t)(clock >> WORTH_CLOCK_BITS) & WORTH_MASK;
}

/* What one use advances the clock by, if a half-life is `half_life` uses for each of `keys`
 * keys. */
static inline uint64_t worth_step(uint32_t half_life, size_t keys) {
    return ((uint64_t)WORTH_ONE << WORTH_CLOCK_BITS) / ((uint64_t)half_life * (keys + 1));
}

/* The worth after one more use. */
uint32_t worth_used(uint32_t worth, uint32_t now);

/* The count that it stands for, rounded; for people. */
int64_t worth_count(uint32_t worth, uint32_t now);

#endif
