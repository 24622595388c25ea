/* elements: what hashes and sets that are tables have in common: a dict of entries of theirs, to
 * draw from at random, to reckon the size of, to free. */
#ifndef LARDER_TYPES_ELEMENTS_H
#define LARDER_TYPES_ELEMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/random.h"
#include "ds/dict.h"

/* How many entries are taken out of a dict at a time. */
#define ELEMENTS_PORTION 64

/* What to draw from: those entries of the dict that `skips`, if there is one, does not want left
 * out. */
struct elements_draw {
    const struct dict *dict;
    struct random *random;
    size_t count; /* entries that are not left out */
    bool (*skips)(void *context, const struct entry *element);
    void (*visit)(void *context, const struct entry *element);
    void *context; /* of both */
};

/* Visits `count` random entries, the same one perhaps several times; none if all are left out. */
void elements_random(const struct elements_draw *draw, size_t count);

/* Visits `count` different random entries, or all. Returns how many. */
size_t elements_random_distinct(const struct elements_draw *draw, size_t count);

/* Frees the entries, each with `free_one`, up to `max`; whether none is left. */
bool elements_free_some(struct dict *dict, void (*free_one)(struct entry *element), size_t max);

/* The sum of `size_of` over all entries, reckoned from `samples` of them; 0 looks at all. */
size_t elements_footprint(const struct dict *dict, size_t samples,
                          size_t (*size_of)(const struct entry *element));

#endif
