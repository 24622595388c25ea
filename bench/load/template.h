/* template: the bytes of one request, and the places in it where a number is filled in.
 *
 *     *3 $3 SET $16 key:000000000000 $64 xxxx...      as protocol bytes
 *                       ^ place
 *
 * In the words of a command, `__rand_int__` is such a place: twelve decimal digits, just as long as
 * the word itself. `__value__` is a value of the size that was asked for. */
#ifndef LARDER_LOAD_TEMPLATE_H
#define LARDER_LOAD_TEMPLATE_H

#include <stddef.h>

#include "base/buffer.h"
#include "load/keys.h"

#define TEMPLATE_DIGITS     12
#define TEMPLATE_PLACES_MAX 64

struct template {
    struct buffer bytes;
    size_t places[TEMPLATE_PLACES_MAX];
    int place_count;
};

/* The request of these words. 0, or -1 when it has too many places. Freed with template_free. */
int template_init(struct template *template, const char *const *words, int count,
                  size_t value_size);

/* The bytes as they are, with no protocol around them: an inline request. */
void template_init_raw(struct template *template, const char *bytes);

void template_free(struct template *template);

/* Writes numbers into the places of a copy of the bytes, which begins at `copy`. */
void template_number(const struct template *template, char *copy, struct keys *keys);

#endif
