/* Tests of types/geo: places and hashes there and back, distances that are known, and that an
 * area's ranges hold every place that the area holds. */
#include "types/geo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static struct random source;

static int setup(void **state) {
    (void)state;
    random_init(&source, 3);
    return 0;
}

static double uniform(double least, double most) {
    return least + (most - least) * (double)random_below(&source, 1u << 30) / (double)(1u << 30);
}

static struct geo_place some_place(void) {
    return (struct geo_place){.longitude = uniform(-GEO_LONGITUDE_MAX, GEO_LONGITUDE_MAX),
                              .latitude = uniform(-GEO_LATITUDE_MAX, GEO_LATITUDE_MAX)};
}

static void test_there_and_back(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct geo_place place = some_place();
        uint64_t hash = geo_encode(place);
        struct geo_place back = geo_decode(hash);
        assert_true(hash < (uint64_t)1 << 52);
        assert_true(fabs(place.longitude - back.longitude) < 360.0 / (1 << 26));
        assert_true(fabs(place.latitude - back.latitude) < 180.0 / (1 << 26));
        assert_int_equal(geo_encode(back), hash);
    }
}

static void test_limits(void **state) {
    (void)state;
    const double longitudes[] = {-180, 0, 180};
    const double latitudes[] = {-GEO_LATITUDE_MAX, 0, GEO_LATITUDE_MAX};
    for (int i = 0; i < 9; i++) {
        struct geo_place place = {.longitude = longitudes[i % 3], .latitude = latitudes[i / 3]};
        assert_true(geo_is_valid(place));
        assert_true(geo_is_valid(geo_decode(geo_encode(place))));
    }
    const struct geo_place outside[] = {{180.0001, 0}, {-180.0001, 0}, {0, 85.06},
                                        {0, -85.06},   {NAN, 0},       {0, NAN},
                                        {INFINITY, 0}, {0, -INFINITY}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(geo_is_valid(outside[i]));
    }
    /* A sorted set may hold any score. */
    assert_true(geo_is_valid(geo_decode(UINT64_MAX)));
}

static void test_known(void **state) {
    (void)state;
    struct geo_place palermo = {13.361389, 38.115556};
    struct geo_place catania = {15.087269, 37.502669};
    assert_int_equal(geo_encode(palermo), 3479099956230698);
    assert_int_equal(geo_encode(catania), 3479447370796909);
    char text[GEO_TEXT_SIZE];
    geo_text(geo_encode(palermo), text);
    assert_memory_equal(text, "sqc8b49rny0", GEO_TEXT_SIZE);
    double distance =
        geo_distance(geo_decode(geo_encode(palermo)), geo_decode(geo_encode(catania)));
    assert_true(fabs(distance - 166274.1516) < 0.0001);
    assert_true(geo_distance(palermo, palermo) == 0);
}

static bool is_covered(const struct geo_range *ranges, size_t count, uint64_t hash) {
    for (size_t i = 0; i < count; i++) {
        if (hash >= ranges[i].least && hash < ranges[i].end) {
            return true;
        }
    }
    return false;
}

/* Around places of every latitude but the last degrees, where what lies beyond the pole is not
 * looked for. */
static void test_areas_are_covered(void **state) {
    (void)state;
    size_t held = 0;
    for (int i = 0; i < 3000; i++) {
        struct geo_area area = {.center = some_place(), .unit = 1, .is_box = i % 2 == 0};
        area.center.latitude *= 0.85;
        area.center.longitude *= 0.5;
        double size = exp(uniform(0, 13));
        area.radius = size;
        area.width = size;
        area.height = size * uniform(0.1, 2);
        struct geo_range ranges[GEO_RANGES_MAX];
        size_t count = geo_area_ranges(&area, ranges);
        assert_in_range(count, 1, GEO_RANGES_MAX);
        double reach = size / 100000;
        for (int k = 0; k < 20; k++) {
            struct geo_place place = {.longitude =
                                          area.center.longitude + uniform(-2 * reach, 2 * reach),
                                      .latitude = area.center.latitude + uniform(-reach, reach)};
            double distance;
            if (geo_is_valid(place)) {
                uint64_t hash = geo_encode(place);
                bool holds = geo_area_holds(&area, geo_decode(hash), &distance);
                held += holds;
                assert_true(!holds || is_covered(ranges, count, hash));
            }
        }
    }
    assert_true(held > 10000);
}

/* Sizes that are none, or more than the world. */
static void test_odd_areas(void **state) {
    (void)state;
    const double sizes[] = {0, 1e-300, 1, 1e8, 1e300, INFINITY};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct geo_area area = {.center = some_place(),
                                .unit = 1609.34,
                                .radius = sizes[i],
                                .width = sizes[i],
                                .height = sizes[i]};
        struct geo_range ranges[GEO_RANGES_MAX];
        assert_in_range(geo_area_ranges(&area, ranges), 1, GEO_RANGES_MAX);
        area.is_box = true;
        size_t count = geo_area_ranges(&area, ranges);
        assert_in_range(count, 1, GEO_RANGES_MAX);
        assert_true(is_covered(ranges, count, geo_encode(area.center)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_there_and_back, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_known, setup),
        cmocka_unit_test_setup(test_areas_are_covered, setup),
        cmocka_unit_test_setup(test_odd_areas, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
