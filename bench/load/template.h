/* template: the bytes of one request, which is one command or several, and the places in it that
 * differ from request to request.
 *
 *     *3 $3 SET $16 key:000000000000 $64 xxxx...      as protocol bytes
 *                       ^ number     ^ value, where sizes differ
 *
 * Words of a command: `__rand_int__` anywhere in a word is a number of twelve digits. So are
 * `__group__`, which draws a number and shows which thousand it is in, `__member__` behind it,
 * which one of the thousand, and `__same__`, the number drawn last once more. `__key__` alone is a
 * key of the shape that was asked for; `__value__` alone is a value. A value whose size is always
 * the same is part of the bytes; of others nothing is there, and template_append puts them in. */
#ifndef LARDER_LOAD_TEMPLATE_H
#define LARDER_LOAD_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "load/keys.h"
#include "load/sizes.h"

#define TEMPLATE_DIGITS     12
#define TEMPLATE_PLACES_MAX 64

/* What keys and values look like. */
struct shape {
    const char *key_prefix;
    int key_zeros;  /* between the prefix and the number, for long keys */
    int key_digits; /* of the number, 1 .. TEMPLATE_DIGITS */
    struct sizes sizes;
};

/* What a place shows of numbers. */
enum template_sort { TEMPLATE_NEXT, TEMPLATE_SAME, TEMPLATE_GROUP, TEMPLATE_MEMBER };
#define TEMPLATE_GROUP_SIZE 1000

struct template_place {
    size_t at;
    enum template_sort sort;
    int digits; /* 0: a value goes here */
};

struct template {
    struct buffer bytes;
    struct template_place places[TEMPLATE_PLACES_MAX];
    int place_count;
    int commands; /* and so many replies */
    bool varies;  /* some value has no size of its own; the shape's sizes are needed */
};

/* The request of these words. 0, or -1 when it has too many places. Freed with template_free. */
int template_init(struct template *template, const char *const *words, int count,
                  const struct shape *shape);

/* Appends a further command to a request that template_init has begun; the same. */
int template_add(struct template *template, const char *const *words, int count,
                 const struct shape *shape);

/* The bytes as they are, with no protocol around them: an inline request. */
void template_init_raw(struct template *template, const char *bytes);

void template_free(struct template *template);

/* Writes numbers into the places of a copy of the bytes, which begins at `copy`. For templates that
 * do not vary. */
void template_number(const struct template *template, char *copy, struct keys *keys);

/* Appends a request. */
void template_append(const struct template *template, struct buffer *out, struct keys *keys,
                     const struct sizes *sizes);

#endif
