/* saving_points: the option save: after how many seconds with how many changes a snapshot is
 * written. */
#ifndef LARDER_PERSIST_SAVING_POINTS_H
#define LARDER_PERSIST_SAVING_POINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

/* No sensible line has more. */
#define SAVING_POINTS_MAX 128

struct saving_point {
    int64_t seconds;
    int64_t changes;
};

struct saving_points {
    int count;
    struct saving_point list[SAVING_POINTS_MAX];
};

/* Reads words, each of which may hold several numbers. False when they are wrong, and nothing has
 * changed. */
bool saving_points_read(struct saving_points *points, const struct bytes *words, int count);
void saving_points_print(const struct saving_points *points, struct buffer *out);

/* The first point that so much asks for, or NULL. */
const struct saving_point *saving_points_due(const struct saving_points *points, int64_t seconds,
                                             uint64_t changes);

#endif
