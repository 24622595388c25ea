/* sizes: reading and drawing. */
#include "load/sizes.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

#define LOGNORMAL "lognormal:"
/* The largest value of a lognormal distribution when none is given, in medians. */
#define MEDIANS_MAX 100
#define SIGMA_MAX   10
#define WEIGHT_MAX  1000000000

static bool parse_size(struct bytes text, size_t *out) {
    uint64_t value;
    if (!num_parse_memory(text, &value) || value > SIZES_BYTES_MAX) {
        return false;
    }
    *out = (size_t)value;
    return true;
}

/* Cuts the text at the first `separator`; the rest is empty when there is none. */
static struct bytes cut(struct bytes *rest, char separator) {
    const char *stop = rest->size == 0 ? NULL : memchr(rest->at, separator, rest->size);
    struct bytes part = bytes_of(rest->at, stop == NULL ? rest->size : (size_t)(stop - rest->at));
    size_t used = part.size + (stop != NULL);
    *rest = bytes_of(rest->at + used, rest->size - used);
    return part;
}

static bool parse_list(struct sizes *sizes, struct bytes rest) {
    uint64_t sum = 0;
    sizes->kind = SIZES_LIST;
    sizes->least = SIZES_BYTES_MAX;
    while (rest.size > 0) {
        struct bytes weight = cut(&rest, ',');
        struct bytes size = cut(&weight, ':');
        int at = sizes->list_count;
        uint64_t value;
        if (at == SIZES_LIST_MAX || !parse_size(size, &sizes->list[at]) ||
            !num_parse_u64(weight, &value) || value == 0 || value > WEIGHT_MAX) {
            return false;
        }
        sum += value;
        sizes->weights[at] = sum;
        sizes->least = sizes->list[at] < sizes->least ? sizes->list[at] : sizes->least;
        sizes->most = sizes->list[at] > sizes->most ? sizes->list[at] : sizes->most;
        sizes->list_count++;
    }
    return sizes->list_count > 0;
}

static bool parse_lognormal(struct sizes *sizes, struct bytes rest) {
    sizes->kind = SIZES_LOGNORMAL;
    size_t median;
    if (!parse_size(cut(&rest, ':'), &median) || median == 0 ||
        !num_parse_double(cut(&rest, ':'), &sizes->sigma) || sizes->sigma <= 0 ||
        sizes->sigma > SIGMA_MAX) {
        return false;
    }
    sizes->median = (double)median;
    sizes->least = 1;
    sizes->most = median * MEDIANS_MAX < SIZES_BYTES_MAX ? median * MEDIANS_MAX : SIZES_BYTES_MAX;
    return rest.size == 0 || (parse_size(rest, &sizes->most) && sizes->most >= 1);
}

bool sizes_parse(struct sizes *sizes, const char *text) {
    *sizes = (struct sizes){.kind = SIZES_FIXED};
    struct bytes rest = bytes_text(text);
    if (strncmp(text, LOGNORMAL, strlen(LOGNORMAL)) == 0) {
        return parse_lognormal(sizes,
                               bytes_of(text + strlen(LOGNORMAL), rest.size - strlen(LOGNORMAL)));
    }
    if (strchr(text, ':') != NULL) {
        return parse_list(sizes, rest);
    }
    if (!parse_size(cut(&rest, '-'), &sizes->least)) {
        return false;
    }
    sizes->most = sizes->least;
    if (strchr(text, '-') != NULL) {
        sizes->kind = SIZES_RANGE;
        return parse_size(rest, &sizes->most) && sizes->most >= sizes->least;
    }
    return true;
}

/* Evenly in (0, 1): never 0, which has no logarithm. */
static double share(struct random *random) {
    return ((double)(random_next(random) >> 11) + 0.5) * 0x1p-53;
}

/* A number of the normal distribution (Box and Muller 1958). */
static double normal(struct random *random) {
    double radius = sqrt(-2 * log(share(random)));
    return radius * cos(2 * M_PI * share(random));
}

static size_t next_of_list(const struct sizes *sizes, struct random *random) {
    uint64_t at = random_below(random, sizes->weights[sizes->list_count - 1]);
    int i = 0;
    while (at >= sizes->weights[i]) {
        i++;
    }
    return sizes->list[i];
}

size_t sizes_next(const struct sizes *sizes, struct random *random) {
    double size;
    switch (sizes->kind) {
    case SIZES_RANGE:
        return sizes->least + (size_t)random_below(random, sizes->most - sizes->least + 1);
    case SIZES_LIST:
        return next_of_list(sizes, random);
    case SIZES_LOGNORMAL:
        size = round(sizes->median * exp(sizes->sigma * normal(random)));
        return size < 1 ? 1 : size > (double)sizes->most ? sizes->most : (size_t)size;
    case SIZES_FIXED:
        break;
    }
    return sizes->least;
}
