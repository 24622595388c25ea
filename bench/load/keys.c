/* keys: the three orders. Zipf's law is drawn by the method of Gray et al. (Quickly generating
 * billion-record synthetic databases, 1994): one power for each number, nothing kept by number. */
#include "load/keys.h"

#include <math.h>

#include "base/hash.h"

/* Always the same, so that two runs send the same requests. */
#define SEED 20240229

void keys_init(struct keys *keys, uint64_t count, double theta, bool in_sequence) {
    *keys = (struct keys){.count = count, .in_sequence = in_sequence, .theta = theta};
    random_init(&keys->random, SEED);
    if (theta <= 0 || count < 3) {
        keys->theta = 0;
        return;
    }
    for (uint64_t i = 1; i <= count; i++) {
        keys->zeta += pow(1 / (double)i, theta);
    }
    double zeta_2 = 1 + pow(0.5, theta);
    keys->alpha = 1 / (1 - theta);
    keys->eta = (1 - pow(2 / (double)count, 1 - theta)) / (1 - zeta_2 / keys->zeta);
}

/* 0 is the likeliest. */
static uint64_t zipf_rank(struct keys *keys) {
    double u = (double)(random_next(&keys->random) >> 11) * 0x1p-53;
    double scaled = u * keys->zeta;
    if (scaled < 1) {
        return 0;
    }
    if (scaled < 1 + pow(0.5, keys->theta)) {
        return 1;
    }
    double rank = (double)keys->count * pow(keys->eta * u - keys->eta + 1, keys->alpha);
    return rank < (double)keys->count ? (uint64_t)rank : keys->count - 1;
}

uint64_t keys_next(struct keys *keys) {
    if (keys->in_sequence) {
        uint64_t key = keys->next++;
        if (keys->next == keys->count) {
            keys->next = 0;
        }
        return key;
    }
    if (keys->theta > 0) {
        /* Scattered: keys that were stored one after another shall not be the likely ones. */
        return hash_mix(zipf_rank(keys) + 1) % keys->count;
    }
    return random_below(&keys->random, keys->count);
}
