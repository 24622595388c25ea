/* Places as the reference has them, to the last digit: hashes, distances, and which places an area
 * holds and in what order, in towns and across the seam of the map, at the poles and around the
 * whole world. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

static struct pair *pair;

static int start(void **state) {
    (void)state;
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

#define LON                                                                                        \
    "(13.361389|15.087269|15|14.9|14.99999|2.3522|-0.1276|-122.4194|179.9|179.999999|-179.9|180|"  \
    "-180|0|0.0001|90|-90|100.5)"
#define LAT                                                                                        \
    "(38.115556|37.502669|37|37.1|37.00001|48.8566|51.5074|37.7749|85|85.05112878|-85.05112878|"   \
    "-85|0|0.0001|67|-67|81|-81|60.25)"
#define KEY    "(g:0|g:1|g:2|g:3|%s)"
#define MEMBER "(a|b|c|d|e|f|7|%w)"
#define UNIT   "(m|km|ft|mi)"
#define RADIUS "(0|1|10|100|250|1000|12000|40000|0.5|1e7|%f)"
#define WITH   "[WITHCOORD] [WITHDIST] [WITHHASH]"
/* Which of several places that are equally far the reference counts is a matter of its sorting:
 * a_country has none that are. */
#define REST "[ASC|DESC|COUNT %c ANY]"

static const char *const some_places[] = {
    "GEOADD g:0 {" LON " " LAT " %w}",
    "GEOADD g:0 {" LON " " LAT " %w}",
    "GEOADD g:1 " LON " " LAT " a " LON " " LAT " b " LON " " LAT " c",
    "GEOADD g:1 {" LON " " LAT " " MEMBER "}",
    "ZADD g:2 %f a %i b %f c",
    NULL,
};

static const struct row place_rows[] = {
    {20, COMPARE_EXACT, "GEOADD " KEY " [NX|XX] [CH] {" LON " " LAT " " MEMBER "}"},
    {2, COMPARE_EXACT, "GEOADD " KEY " %f %f " MEMBER},
    {6, COMPARE_EXACT, "GEODIST " KEY " " MEMBER " " MEMBER " [" UNIT "]"},
    {4, COMPARE_EXACT, "(GEOHASH|GEOPOS) " KEY " {" MEMBER "}"},
    {16, COMPARE_EXACT,
     "GEOSEARCH " KEY " FROMLONLAT " LON " " LAT " BYRADIUS " RADIUS " " UNIT " " REST " " WITH},
    {12, COMPARE_EXACT,
     "GEOSEARCH " KEY " FROMLONLAT " LON " " LAT " BYBOX " RADIUS " " RADIUS " " UNIT " " REST
     " " WITH},
    {6, COMPARE_EXACT,
     "GEOSEARCH " KEY " FROMMEMBER " MEMBER " BYRADIUS " RADIUS " " UNIT " " REST " " WITH},
    {4, COMPARE_EXACT,
     "GEOSEARCH " KEY " <BYBOX " RADIUS " " RADIUS " " UNIT " FROMMEMBER " MEMBER ">"},
    {6, COMPARE_EXACT,
     "(GEORADIUS|GEORADIUS_RO) " KEY " " LON " " LAT " " RADIUS " " UNIT " " REST " " WITH},
    {6, COMPARE_EXACT,
     "(GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO) " KEY " " MEMBER " " RADIUS " " UNIT " " REST
     " " WITH},
    {3, COMPARE_EXACT,
     "GEORADIUS " KEY " " LON " " LAT " " RADIUS " " UNIT " " REST " (STORE|STOREDIST) " KEY},
    {2, COMPARE_EXACT,
     "GEORADIUSBYMEMBER " KEY " " MEMBER " " RADIUS " " UNIT " (STORE|STOREDIST) " KEY},
    {4, COMPARE_EXACT,
     "GEOSEARCHSTORE " KEY " " KEY " FROMLONLAT " LON " " LAT " BYRADIUS " RADIUS " " UNIT " " REST
     " [STOREDIST]"},
    {3, COMPARE_EXACT, "ZRANGE " KEY " 0 -1 WITHSCORES"},
    {2, COMPARE_EXACT, "ZREM " KEY " " MEMBER},
    {1, COMPARE_EXACT, "DEL " KEY},
    {1, COMPARE_EXACT, "SET " KEY " %v"},
};

static void places(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(place_rows, some_places), .answered = 30});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(place_rows, some_places), .stray = 40, .spoiled = 60,
                                        .answered = 1, .time_share = 60});
}

/* Many places in one country and areas of every size in and around it. */
static void a_country(void **state) {
    (void)state;
    uint64_t x = 12345;
    struct words words = {0};
    pair_connect(pair, 2);
    for (int round = 0; round < 40; round++) {
        words_clear(&words);
        words_add_line(&words, "GEOADD country");
        for (int i = 0; i < 60; i++) {
            char text[64];
            x = x * 6364136223846793005u + 1442695040888963407u;
            snprintf(text, sizeof text, "%.6f", 5 + (double)(x >> 40) * 10 / (1 << 24));
            words_add_text(&words, text);
            x = x * 6364136223846793005u + 1442695040888963407u;
            snprintf(text, sizeof text, "%.6f", 47 + (double)(x >> 40) * 7 / (1 << 24));
            words_add_text(&words, text);
            snprintf(text, sizeof text, "town:%d", round * 60 + i);
            words_add_text(&words, text);
        }
        pair_ask_words(pair, COMPARE_EXACT, &words);
    }
    words_clear(&words);
    pair_ask(pair, COMPARE_EXACT, "ZRANGE country 0 -1 WITHSCORES");
    for (int i = 0; i < 300; i++) {
        char line[256];
        x = x * 6364136223846793005u + 1442695040888963407u;
        double longitude = 4 + (double)(x >> 40) * 12 / (1 << 24);
        x = x * 6364136223846793005u + 1442695040888963407u;
        double latitude = 46 + (double)(x >> 40) * 9 / (1 << 24);
        double size = (double)(1 << i % 12) * 0.7;
        const char *form = i % 2 == 0 ? "BYRADIUS %.3f km" : "BYBOX %.3f 60 km";
        char shape[64];
        snprintf(shape, sizeof shape, form, size);
        snprintf(line, sizeof line, "GEOSEARCH country FROMLONLAT %.6f %.6f %s%s%s", longitude,
                 latitude, shape,
                 i % 3 == 0   ? " COUNT 9 ANY"
                 : i % 3 == 1 ? " COUNT 5"
                              : "",
                 i % 5 == 0 ? " DESC WITHDIST" : " WITHCOORD WITHHASH");
        pair_ask(pair, COMPARE_EXACT, line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),
        cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(a_country),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
