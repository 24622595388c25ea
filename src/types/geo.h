/* geo: places on the earth as numbers that a sorted set can order, and areas as ranges of such
 * numbers. Pure functions.
 *
 * Terms. Longitude and latitude are degrees. At step s the world is a grid of 2^s columns and as
 * many rows, which are those of Web Mercator: from -180 to 180 degrees, and from -85.05112878 to
 * 85.05112878. A cell's number has the bits of its row in its even places and those of its column
 * in its odd ones (Morton order), so all cells of a larger cell have numbers in a row. A place's
 * hash is the number of its cell at step 26: 52 bits, which a double holds exactly.
 *
 * The earth is a ball here, of the radius that Redis takes, and distances are those of the
 * haversine formula in the same order of operations, so that they are the same to the last
 * digit. */
#ifndef LARDER_TYPES_GEO_H
#define LARDER_TYPES_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEO_LONGITUDE_MAX 180.0
#define GEO_LATITUDE_MAX  85.05112878
/* Characters of a place's geohash as the world writes it. */
#define GEO_TEXT_SIZE 11

struct geo_place {
    double longitude;
    double latitude;
};

/* Whether it lies within the limits; not for what is no number. */
bool geo_is_valid(struct geo_place place);

/* The place's hash. It must be valid. */
uint64_t geo_encode(struct geo_place place);

/* The middle of the hash's cell. */
struct geo_place geo_decode(uint64_t hash);

/* The geohash of geohash.org, in base 32, of the middle of the hash's cell. No NUL behind it. */
void geo_text(uint64_t hash, char text[GEO_TEXT_SIZE]);

/* In meters. */
double geo_distance(struct geo_place a, struct geo_place b);

/* A circle or a rectangle on the globe. */
struct geo_area {
    struct geo_place center;
    bool is_box;
    double radius; /* of a circle, in units */
    double width;  /* of a box */
    double height;
    double unit; /* in meters */
};

/* Whether the area holds the place; then its distance from the center, in meters. */
bool geo_area_holds(const struct geo_area *area, struct geo_place place, double *distance);

/* Hashes from `least` on and before `end`. */
struct geo_range {
    uint64_t least;
    uint64_t end;
};

/* The ranges in which the area's places lie, in the order in which Redis looks at them. Returns how
 * many. */
#define GEO_RANGES_MAX 9
size_t geo_area_ranges(const struct geo_area *area, struct geo_range ranges[GEO_RANGES_MAX]);

#endif
