/* saving_points: see the header. */
#include "persist/saving_points.h"

#include <string.h>

#include "base/num.h"

/* The next number of a word, which it is taken off. False when there is none that is right. */
static bool next_number(struct bytes *rest, int64_t *number) {
    const char *space = memchr(rest->at, ' ', rest->size);
    size_t size = space == NULL ? rest->size : (size_t)(space - rest->at);
    bool is_good = num_parse_i64(bytes_of(rest->at, size), number);
    size += space != NULL;
    *rest = bytes_of(rest->at + size, rest->size - size);
    return is_good;
}

bool saving_points_read(struct saving_points *points, const struct bytes *words, int count) {
    struct saving_points read = {0};
    bool has_seconds = false;
    for (int i = 0; i < count; i++) {
        struct bytes rest = words[i];
        while (rest.size > 0) {
            int64_t number;
            if (read.count == SAVING_POINTS_MAX || !next_number(&rest, &number) ||
                number < (has_seconds ? 0 : 1)) {
                return false;
            }
            struct saving_point *point = &read.list[read.count];
            *(has_seconds ? &point->changes : &point->seconds) = number;
            read.count += has_seconds;
            has_seconds = !has_seconds;
        }
    }
    if (has_seconds) {
        return false;
    }
    *points = read;
    return true;
}

void saving_points_print(const struct saving_points *points, struct buffer *out) {
    for (int i = 0; i < points->count; i++) {
        buffer_printf(out, "%s%lld %lld", i == 0 ? "" : " ", (long long)points->list[i].seconds,
                      (long long)points->list[i].changes);
    }
}

const struct saving_point *saving_points_due(const struct saving_points *points, int64_t seconds,
                                             uint64_t changes) {
    for (int i = 0; i < points->count; i++) {
        const struct saving_point *point = &points->list[i];
        if (changes >= (uint64_t)point->changes && seconds > point->seconds) {
            return point;
        }
    }
    return NULL;
}
