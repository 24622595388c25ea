/* keys: the three orders. Zipf's law is drawn by rejection-inversion (Hoermann and Derflinger,
 * Rejection-inversion to generate variates from monotone discrete distributions, 1996): exact for
 * any exponent, two or three logarithms and exponentials for each number, nothing prepared.
 *
 * The bars k^-e, k = 1 .. count, lie below the curve x^-e. A point is drawn evenly from the area
 * below the curve between 1.5 (with the first bar put in front) and count + 0.5, the inverse of the
 * area gives its x, and the nearest bar is taken unless the point lies above it. That is rare: for
 * a point near enough to its bar's middle it is known without looking (`surely`). */
#include "load/keys.h"

#include <math.h>

#include "base/hash.h"
#include "base/num.h"

#define GOLDEN 0.6180339887498949

static double curve(const struct keys *keys, double x) {
    return exp(-keys->plan.exponent * log(x));
}

/* The area below the curve from 1 to x: (x^(1-e) - 1) / (1-e), and log x where e is 1. */
static double area(const struct keys *keys, double x) {
    double power = 1 - keys->plan.exponent;
    double scaled = power * log(x);
    return fabs(scaled) < 1e-8 ? log(x) * (1 + scaled / 2) : expm1(scaled) / power;
}

static double area_inverse(const struct keys *keys, double value) {
    double power = 1 - keys->plan.exponent;
    double scaled = fmax(value * power, -1);
    return exp(fabs(scaled) < 1e-8 ? value * (1 - scaled / 2) : log1p(scaled) / power);
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void zipf_init(struct keys *keys) {
    uint64_t count = keys->plan.count;
    keys->area_first = area(keys, 1.5) - 1;
    keys->area_last = area(keys, (double)count + 0.5);
    keys->surely = 2 - area_inverse(keys, area(keys, 2.5) - curve(keys, 2));
    /* Multiplying by what has no divisor in common with count exchanges the keys among themselves,
     * so that each rank has a key of its own and neighbours in rank are far apart. */
    keys->multiplier = (uint64_t)((double)count * GOLDEN) | 1;
    while (common_divisor(keys->multiplier, count) != 1) {
        keys->multiplier += 2;
    }
}

void keys_init(struct keys *keys, const struct keys_plan *plan, int part, int parts) {
    *keys = (struct keys){.plan = *plan, .end = plan->count};
    keys->digits = (int)num_digits_i64((int64_t)plan->count - 1);
    random_init(&keys->random, hash_mix(plan->seed + (uint64_t)part));
    if (plan->order == KEYS_SEQUENCE && plan->count >= (uint64_t)parts) {
        keys->first = (uint64_t)((__uint128_t)plan->count * (uint64_t)part / (uint64_t)parts);
        keys->end = (uint64_t)((__uint128_t)plan->count * (uint64_t)(part + 1) / (uint64_t)parts);
    }
    keys->next = keys->first;
    if (plan->order == KEYS_ZIPF) {
        zipf_init(keys);
    }
}

uint64_t keys_zipf_rank(struct keys *keys) {
    double last = (double)keys->plan.count;
    for (;;) {
        double share = (double)(random_next(&keys->random) >> 11) * 0x1p-53;
        double point = keys->area_last + share * (keys->area_first - keys->area_last);
        double x = area_inverse(keys, point);
        double rank = fmin(fmax(floor(x + 0.5), 1), last);
        if (rank - x <= keys->surely || point >= area(keys, rank + 0.5) - curve(keys, rank)) {
            return (uint64_t)rank;
        }
    }
}

uint64_t keys_next(struct keys *keys) {
    uint64_t key;
    switch (keys->plan.order) {
    case KEYS_SEQUENCE:
        key = keys->next++;
        if (keys->next == keys->end) {
            keys->next = keys->first;
        }
        return key;
    case KEYS_ZIPF:
        key = keys_zipf_rank(keys) - 1;
        return (uint64_t)((__uint128_t)key * keys->multiplier % keys->plan.count);
    case KEYS_UNIFORM:
        break;
    }
    return keys->plan.count == 1 ? 0 : random_below(&keys->random, keys->plan.count);
}
