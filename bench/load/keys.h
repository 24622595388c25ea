/* keys: which number comes next, of 0 .. count - 1: in sequence, each as likely as any other, or a
 * few much likelier than the rest (Zipf's law), as they are in caches. */
#ifndef LARDER_LOAD_KEYS_H
#define LARDER_LOAD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

struct keys {
    uint64_t count;
    uint64_t next; /* in sequence */
    bool in_sequence;
    struct random random;
    /* Zipf's law; theta 0 means that all are equally likely. */
    double theta;
    double alpha;
    double zeta;
    double eta;
};

/* `count` at least 1; `theta` in [0, 1), of no effect in sequence. With theta > 0 this takes
 * `count` steps. */
void keys_init(struct keys *keys, uint64_t count, double theta, bool in_sequence);

uint64_t keys_next(struct keys *keys);

#endif
