/* geo: see the header. An area is covered by the cell of its center and the eight around it, at the
 * finest step at which these reach as far as the area; those that do not touch it are left out. */
#include "types/geo.h"

#include <math.h>
#include <string.h>

#define STEP_MAX 26u
/* Meters. */
#define EARTH_RADIUS 6372797.560856
/* Half of the equator, as Mercator has it: an area of that size needs the whole world. */
#define WORLD_MAX 20037726.37
/* Degrees of latitude from which a cell is so narrow that one step less, and one more, is
 * needed. */
#define NARROW_LATITUDE   66
#define NARROWER_LATITUDE 80

struct cell {
    uint32_t row;
    uint32_t column;
};

/* What a cell covers. */
struct bounds {
    double west, east;
    double south, north;
};

static double radians(double degrees) {
    return degrees * (M_PI / 180.0);
}

static double degrees(double radians_) {
    return radians_ / (M_PI / 180.0);
}

bool geo_is_valid(struct geo_place place) {
    return place.longitude >= -GEO_LONGITUDE_MAX && place.longitude <= GEO_LONGITUDE_MAX &&
           place.latitude >= -GEO_LATITUDE_MAX && place.latitude <= GEO_LATITUDE_MAX;
}

/* ---- cells ---- */

/* The bits of `value` in the even places. */
static uint64_t spread(uint32_t value) {
    uint64_t x = value;
    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fu;
    x = (x | x << 2) & 0x3333333333333333u;
    return (x | x << 1) & 0x5555555555555555u;
}

static uint32_t gather(uint64_t x) {
    x &= 0x5555555555555555u;
    x = (x | x >> 1) & 0x3333333333333333u;
    x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0fu;
    x = (x | x >> 4) & 0x00ff00ff00ff00ffu;
    x = (x | x >> 8) & 0x0000ffff0000ffffu;
    return (uint32_t)(x | x >> 16);
}

static uint64_t cell_number(struct cell cell) {
    return spread(cell.row) | spread(cell.column) << 1;
}

static struct cell numbered_cell(uint64_t number) {
    return (struct cell){.row = gather(number), .column = gather(number >> 1)};
}

/* At the eastern and northern edges the column and the row are one beyond the grid. */
static struct cell cell_of(struct geo_place place, unsigned step, double latitude_max) {
    double across = (place.longitude + GEO_LONGITUDE_MAX) / (2 * GEO_LONGITUDE_MAX);
    double up = (place.latitude + latitude_max) / (2 * latitude_max);
    double cells = (double)((uint64_t)1 << step);
    return (struct cell){.row = (uint32_t)(up * cells), .column = (uint32_t)(across * cells)};
}

static double edge(uint32_t index, unsigned step, double max) {
    return -max + index * 1.0 / (double)((uint64_t)1 << step) * (2 * max);
}

static struct bounds bounds_of(struct cell cell, unsigned step) {
    return (struct bounds){
        .west = edge(cell.column, step, GEO_LONGITUDE_MAX),
        .east = edge(cell.column + 1, step, GEO_LONGITUDE_MAX),
        .south = edge(cell.row, step, GEO_LATITUDE_MAX),
        .north = edge(cell.row + 1, step, GEO_LATITUDE_MAX),
    };
}

/* The world is a ring, from north to south as well; but what lies beyond the grid stays there if it
 * is not moved in that direction. */
static struct cell neighbour(struct cell cell, int columns, int rows, unsigned step) {
    uint32_t mask = (uint32_t)(((uint64_t)1 << step) - 1);
    if (columns != 0) {
        cell.column = (cell.column + (uint32_t)columns) & mask;
    }
    if (rows != 0) {
        cell.row = (cell.row + (uint32_t)rows) & mask;
    }
    return cell;
}

uint64_t geo_encode(struct geo_place place) {
    return cell_number(cell_of(place, STEP_MAX, GEO_LATITUDE_MAX));
}

static double within(double value, double max) {
    return value > max ? max : value < -max ? -max : value;
}

struct geo_place geo_decode(uint64_t hash) {
    struct bounds bounds = bounds_of(numbered_cell(hash), STEP_MAX);
    return (struct geo_place){
        .longitude = within((bounds.west + bounds.east) / 2, GEO_LONGITUDE_MAX),
        .latitude = within((bounds.south + bounds.north) / 2, GEO_LATITUDE_MAX),
    };
}

/* geohash.org has latitudes up to the poles. Of the eleventh character only two bits are known,
 * which Redis leaves out. */
void geo_text(uint64_t hash, char text[GEO_TEXT_SIZE]) {
    static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t number = cell_number(cell_of(geo_decode(hash), STEP_MAX, 90.0));
    for (unsigned i = 0; i < GEO_TEXT_SIZE - 1; i++) {
        text[i] = digits[number >> (2 * STEP_MAX - 5 * (i + 1)) & 31];
    }
    text[GEO_TEXT_SIZE - 1] = '0';
}

/* ---- distances ---- */

static double latitude_distance(double a, double b) {
    return EARTH_RADIUS * fabs(radians(b) - radians(a));
}

double geo_distance(struct geo_place a, struct geo_place b) {
    double a_latitude = radians(a.latitude);
    double b_latitude = radians(b.latitude);
    double v = sin((radians(b.longitude) - radians(a.longitude)) / 2);
    if (v == 0.0) {
        return latitude_distance(a.latitude, b.latitude);
    }
    double u = sin((b_latitude - a_latitude) / 2);
    double h = u * u + cos(a_latitude) * cos(b_latitude) * v * v;
    return 2.0 * EARTH_RADIUS * asin(sqrt(h));
}

bool geo_area_holds(const struct geo_area *area, struct geo_place place, double *distance) {
    if (area->is_box) {
        struct geo_place beside = {.longitude = area->center.longitude, .latitude = place.latitude};
        if (latitude_distance(place.latitude, area->center.latitude) >
                area->height * area->unit / 2 ||
            geo_distance(place, beside) > area->width * area->unit / 2) {
            return false;
        }
    }
    *distance = geo_distance(area->center, place);
    return area->is_box || *distance <= area->radius * area->unit;
}

/* ---- covering an area ---- */

/* The box around the area. Towards the pole a degree of longitude is shorter, so the side nearer to
 * it counts. */
static struct bounds bounds_around(const struct geo_area *area) {
    const struct geo_place center = area->center;
    double high = area->unit * (area->is_box ? area->height / 2 : area->radius);
    double wide = area->unit * (area->is_box ? area->width / 2 : area->radius);
    double up = degrees(high / EARTH_RADIUS);
    double nearest = center.latitude < 0 ? center.latitude - up : center.latitude + up;
    double across = degrees(wide / EARTH_RADIUS / cos(radians(nearest)));
    return (struct bounds){.west = center.longitude - across,
                           .east = center.longitude + across,
                           .south = center.latitude - up,
                           .north = center.latitude + up};
}

/* A step whose cells are at least as large as the area's half. */
static unsigned step_for(const struct geo_area *area) {
    double reach = area->radius;
    if (area->is_box) {
        reach = sqrt(area->width / 2 * (area->width / 2) + area->height / 2 * (area->height / 2));
    }
    reach *= area->unit;
    if (reach == 0) {
        return STEP_MAX;
    }
    int step = 1;
    for (; reach < WORLD_MAX; reach *= 2) {
        step++;
    }
    step -= 2;
    double latitude = fabs(area->center.latitude);
    step -= (latitude > NARROW_LATITUDE) + (latitude > NARROWER_LATITUDE);
    return step < 1 ? 1 : step > (int)STEP_MAX ? STEP_MAX : (unsigned)step;
}

/* Whether the neighbours do not reach as far as the area on some side. */
static bool is_too_fine(struct cell cell, unsigned step, const struct bounds *around) {
    return bounds_of(neighbour(cell, 0, 1, step), step).north < around->north ||
           bounds_of(neighbour(cell, 0, -1, step), step).south > around->south ||
           bounds_of(neighbour(cell, 1, 0, step), step).east < around->east ||
           bounds_of(neighbour(cell, -1, 0, step), step).west > around->west;
}

/* Whether the area can reach into the neighbour on that side. */
static bool is_reached(int columns, int rows, const struct bounds *own,
                       const struct bounds *around) {
    return !((rows < 0 && own->south < around->south) || (rows > 0 && own->north > around->north) ||
             (columns < 0 && own->west < around->west) ||
             (columns > 0 && own->east > around->east));
}

size_t geo_area_ranges(const struct geo_area *area, struct geo_range ranges[GEO_RANGES_MAX]) {
    static const int8_t sides[GEO_RANGES_MAX][2] = {{0, 0}, {0, 1},  {0, -1}, {1, 0},  {-1, 0},
                                                    {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    struct bounds around = bounds_around(area);
    unsigned step = step_for(area);
    struct cell center = cell_of(area->center, step, GEO_LATITUDE_MAX);
    if (step > 1 && is_too_fine(center, step, &around)) {
        step--;
        center = cell_of(area->center, step, GEO_LATITUDE_MAX);
    }
    struct bounds own = bounds_of(center, step);
    size_t count = 0;
    uint64_t last = 0;
    for (int i = 0; i < GEO_RANGES_MAX; i++) {
        /* At the first step a cell's neighbours are all there is. */
        if (step > 1 && !is_reached(sides[i][0], sides[i][1], &own, &around)) {
            continue;
        }
        uint64_t number =
            cell_number(i == 0 ? center : neighbour(center, sides[i][0], sides[i][1], step));
        /* In a small ring a neighbour to one side is that to the other too. */
        if (count > 1 && number == last) {
            continue;
        }
        last = number;
        unsigned shift = 2 * (STEP_MAX - step);
        ranges[count++] =
            (struct geo_range){.least = number << shift, .end = (number + 1) << shift};
    }
    return count;
}
