/* keys: which number comes next, of 0 .. count - 1: in sequence, each as likely as any other, or a
 * few much likelier than the rest (Zipf's law), as they are in caches. */
#ifndef LARDER_LOAD_KEYS_H
#define LARDER_LOAD_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

enum keys_order { KEYS_UNIFORM, KEYS_SEQUENCE, KEYS_ZIPF };

struct keys_plan {
    enum keys_order order;
    uint64_t count;  /* at least 1 */
    double exponent; /* of Zipf's law, > 0: rank k is k^-exponent as likely as the first */
    uint64_t seed;   /* the same seed gives the same keys */
};

struct keys {
    struct keys_plan plan;
    struct random random;
    int digits;    /* of the largest number */
    uint64_t last; /* the number drawn last, for who wants it again: not of keys.c */
    /* In sequence: from first, before end. */
    uint64_t next;
    uint64_t first;
    uint64_t end;
    /* Zipf's law; see keys.c. */
    double area_first;
    double area_last;
    double surely;
    uint64_t multiplier;
};

/* One of `parts` users of the same plan, each with a sequence of its own. In sequence they share
 * the keys out; when there are fewer keys than parts, each has all. Takes no notable time. */
void keys_init(struct keys *keys, const struct keys_plan *plan, int part, int parts);

uint64_t keys_next(struct keys *keys);

/* A rank by Zipf's law, 1 .. count; 1 is the likeliest. */
uint64_t keys_zipf_rank(struct keys *keys);

#endif
