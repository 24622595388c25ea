/* worth: adding one to a count of which the logarithm is known: with d the distance between the
 * larger and the smaller of both, log2(a + b) = log2(larger) + log2(1 + 2^-d), and the second term,
 * from 1 down to next to nothing, comes from a table. */
#include "store/worth.h"

/* Distances that a place of the table stands for; finer would not change an order. */
#define STEP 16

/* WORTH_ONE * log2(1 + 2^-(d / WORTH_ONE)) at the middle of each step, d up to 16 half-lives;
 * rounds to 0 for the second half. */
static const uint8_t more[128] = {
    252, 244, 237, 229, 222, 215, 208, 201, 194, 188, 181, 175, 169, 164, 158, 152, 147, 142, 137,
    132, 127, 123, 118, 114, 110, 106, 102, 98,  94,  91,  87,  84,  81,  78,  75,  72,  69,  66,
    64,  61,  59,  57,  54,  52,  50,  48,  46,  44,  43,  41,  39,  38,  36,  35,  33,  32,  31,
    29,  28,  27,  26,  25,  24,  23,  22,  21,  20,  19,  19,  18,  17,  16,  16,  15,  14,  14,
    13,  13,  12,  12,  11,  11,  10,  10,  9,   9,   9,   8,   8,   8,   7,   7,   7,   6,   6,
    6,   6,   5,   5,   5,   5,   5,   4,   4,   4,   4,   4,   3,   3,   3,   3,   3,   3,   3,
    3,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   2,   1};

uint32_t worth_used(uint32_t worth, uint32_t now) {
    int32_t above = worth_above(worth, now);
    if (above < WORTH_BELOW_MAX) {
        return now & WORTH_MASK;
    }
    uint32_t distance = (uint32_t)(above < 0 ? -above : above) / STEP;
    uint32_t larger = above < 0 ? now : worth;
    return (larger + (distance < sizeof more ? more[distance] : 0)) & WORTH_MASK;
}

int64_t worth_count(uint32_t worth, uint32_t now) {
    int32_t above = worth_above(worth, now);
    if (above < -WORTH_ONE) {
        return 0;
    }
    /* The power's whole part, and its fraction by the nearest straight line. */
    int32_t whole = above < 0 ? -1 : above / WORTH_ONE;
    int64_t halves = ((int64_t)2 << (whole + 1)) * (WORTH_ONE + above - whole * WORTH_ONE);
    return (halves + 2 * WORTH_ONE) / (4 * WORTH_ONE);
}
