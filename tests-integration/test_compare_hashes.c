/* Hashes as the reference has them, compact ones and tables; and walks through hashes and the
 * keyspace with cursors, which must find the same on both servers. */
#include "compare.h"
#include "compare_walk.h"

#include <stdio.h>

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

static const char *const some_hashes[] = {
    "HSET h:0 f1 %V f2 %V f3 5",
    "HSET h:1 {%F %V}",
    "HSET h:2 {%F %i}",
    "HSET h:3 {%F %f}",
    "HSET t:0 %T %v {%T %v} {%T %i} {%T %f} f1 "
    "a-value-of-more-than-64-bytes-makes-a-table-of-any-hash-however-small-it-be",
    "SET s:0 %v",
    NULL,
};

static const struct row hash_rows[] = {
    {12, COMPARE_EXACT, "HSET %h {%F %V}"},
    {4, COMPARE_EXACT, "HSET %h %F %i"},
    {8, COMPARE_EXACT, "HSET %t {%T %v}"},
    {2, COMPARE_EXACT, "HMSET %h {%F %V}"},
    {4, COMPARE_EXACT, "HSETNX %h %F %V"},
    {8, COMPARE_EXACT, "HGET (%h %F|%t %T)"},
    {6, COMPARE_EXACT, "HMGET (%h {%F}|%t {%T})"},
    {6, COMPARE_EXACT, "HDEL (%h {%F}|%t {%T})"},
    {4, COMPARE_EXACT, "HEXISTS (%h %F|%t %T)"},
    {4, COMPARE_EXACT, "HLEN (%h|%t)"},
    {4, COMPARE_EXACT, "HSTRLEN (%h %F|%t %T)"},
    {10, COMPARE_EXACT, "HINCRBY (%h %F|%t %T) %i"},
    {10, COMPARE_EXACT, "HINCRBYFLOAT (%h %F|%t %T) %f"},
    {5, COMPARE_PAIRS, "HGETALL (%h|%t)"},
    {5, COMPARE_SET, "(HKEYS|HVALS) (%h|%t)"},
    {4, COMPARE_SHAPE, "HRANDFIELD (%h|%t) [%c [WITHVALUES]]"},
    {3, COMPARE_EXACT, "OBJECT ENCODING (%h|%t)"},
    {2, COMPARE_EXACT, "DEL (%h|%t)"},
    {1, COMPARE_EXACT, "COPY (%h %h|%t %t) REPLACE"},
    {1, COMPARE_EXACT, "RENAME (%h %h|%t %t)"},
    {1, COMPARE_EXACT, "SET %h %v"},
    {1, COMPARE_EXACT, "EXPIRE %h %d"},
};

static void hashes(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(hash_rows, some_hashes)});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(hash_rows, some_hashes), .stray = 50, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

/* A compact hash keeps its order, and shows it. */
static const struct row ordered_rows[] = {
    {8, COMPARE_EXACT, "HSET %h {%F %w}"},
    {3, COMPARE_EXACT, "HSETNX %h %F %w"},
    {3, COMPARE_EXACT, "HINCRBY %h (7|-12) 3"},
    {3, COMPARE_EXACT, "HDEL %h {%F}"},
    {5, COMPARE_EXACT, "(HGETALL|HKEYS|HVALS) %h"},
    {5, COMPARE_EXACT, "HSCAN %h 0 <[MATCH %p] [COUNT %c]>"},
    {1, COMPARE_EXACT, "COPY %h %h REPLACE"},
    {1, COMPARE_EXACT, "RENAME %h %h"},
    {1, COMPARE_EXACT, "OBJECT ENCODING %h"},
};

static void order_of_compact_hashes(void **state) {
    (void)state;
    static const char *const setup[] = {"HSET h:0 {%F %w}", "HSET h:1 {%F %w}", NULL};
    pair_compare(pair, &(struct family){FAMILY(ordered_rows, setup), .time_share = 50});
}

/* Hashes around the limits of 128 fields and 64 bytes, field by field. */
static void limits_of_compact_hashes(void **state) {
    (void)state;
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    char line[512];
    for (int size = 62; size <= 66; size++) {
        static const char *const forms[] = {"HSET v%d f %0*d", "HSET f%d %0*d v"};
        for (int i = 0; i < 2; i++) {
            snprintf(line, sizeof line, i == 0 ? "HSET v%d f %0*d" : "HSET f%d %0*d v", size, size,
                     7);
            pair_ask(pair, COMPARE_EXACT, line);
            snprintf(line, sizeof line, "OBJECT ENCODING %c%d", forms[i][5], size);
            pair_ask(pair, COMPARE_EXACT, line);
        }
    }
    for (int i = 0; i < 140; i++) {
        snprintf(line, sizeof line, "HSET many field:%d %d", i, i);
        pair_ask(pair, COMPARE_EXACT, line);
        pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING many");
    }
    for (int i = 0; i < 139; i++) {
        snprintf(line, sizeof line, "HDEL many field:%d", i);
        pair_ask(pair, COMPARE_EXACT, line);
    }
    pair_ask(pair, COMPARE_EXACT, "HSET few a 1 b 2 c 3 d 4");
    pair_ask(pair, COMPARE_EXACT, "HRANDFIELD few 4");
    pair_ask(pair, COMPARE_EXACT, "HRANDFIELD few 5 WITHVALUES");
    pair_ask(pair, COMPARE_EXACT, "HGETALL many");
    pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING many");
    pair_ask(pair, COMPARE_EXACT, "COPY many again");
    pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING again");
}

static void fill(int keys, int fields) {
    char line[256];
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    for (int i = 0; i < keys; i++) {
        snprintf(line, sizeof line, i % 7 == 0 ? "HSET key:%d f %d" : "SET key:%d %d", i, i);
        pair_ask(pair, COMPARE_EXACT, line);
    }
    for (int i = 0; i < fields; i++) {
        snprintf(line, sizeof line, "HSET table field:%d %d", i, i);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "SADD set member:%d", i);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "SADD integers %d", i);
        pair_ask(pair, COMPARE_EXACT, line);
    }
}

static void walks(void **state) {
    (void)state;
    static const char *const tails[] = {"",
                                        " COUNT 1",
                                        " COUNT 10000",
                                        " MATCH *1*",
                                        " MATCH nothing",
                                        " MATCH ?????:[0-4] COUNT 3",
                                        " COUNT 3 MATCH *:1? COUNT 7"};
    static const char *const types[] = {" TYPE hash", " TYPE string", " TYPE list", " TYPE set",
                                        " TYPE string COUNT 5 MATCH key:*0"};
    static const int sizes[] = {0, 1, 5, 150, 1500};
    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
        fill(sizes[size], sizes[size]);
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            pair_compare_walks(pair, "SCAN", tails[i], 1);
            pair_compare_walks(pair, "HSCAN table", tails[i], 2);
            pair_compare_walks(pair, "SSCAN set", tails[i], 1);
            pair_compare_walks(pair, "SSCAN integers", tails[i], 1);
        }
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            pair_compare_walks(pair, "SCAN", types[i], 1);
        }
    }
    static const char *const lines[] = {"SCAN x",

                                        "SCAN 0 COUNT 0",
                                        "SCAN 0 COUNT -1",
                                        "SCAN 0 COUNT x",
                                        "SCAN 0 MATCH",
                                        "SCAN 0 NOSUCH 1",
                                        "SCAN 0 TYPE",
                                        "SCAN 0 COUNT",
                                        "HSCAN table x",
                                        "HSCAN table",
                                        "HSCAN none 0",
                                        "HSCAN key:1 0",
                                        "HSCAN key:1 x",
                                        "HSCAN none x",
                                        "HSCAN table 0 TYPE hash",
                                        "HSCAN table 0 COUNT 0",
                                        "HSCAN table 0 MATCH",
                                        "SSCAN set x",
                                        "SSCAN set",
                                        "SSCAN none 0",
                                        "SSCAN table 0",
                                        "SSCAN set 0 COUNT 0",
                                        "SSCAN set 0 NOVALUES",
                                        "SSCAN none 0 NOVALUES",
                                        "SCAN 99999999999999999999",
                                        "HSCAN none 0 COUNT 0",
                                        "SCAN 18446744073709551615 COUNT x"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pair_ask(pair, COMPARE_EXACT, lines[i]);
    }
    pair_ask(pair, COMPARE_SHAPE, "SCAN 0 TYPE nosuch");
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    pair_ask(pair, COMPARE_EXACT, "SCAN -1");
    pair_ask(pair, COMPARE_EXACT, "SCAN 18446744073709551615");
    pair_ask(pair, COMPARE_EXACT, "SCAN 0x10");
    pair_ask(pair, COMPARE_EXACT, "SCAN  1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(order_of_compact_hashes),
        cmocka_unit_test(limits_of_compact_hashes),
        cmocka_unit_test(walks),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
