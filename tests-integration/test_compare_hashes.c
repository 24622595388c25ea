/* Hashes as the reference has them, compact ones and tables; and walks through hashes and the
 * keyspace with cursors, which must find the same on both servers. */
#include "compare.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Enough for the largest table of these tests, at a few elements a step. */
#define STEPS_MAX 100000

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

static int by_text(const void *one, const void *other) {
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* What a walk with a cursor finds. */
struct found {
    char **at; /* canonical texts, of elements or of pairs */
    size_t count;
};

/* Adds the elements of an array of bulk strings; `group` of them are one. */
static void add_found(struct found *found, const char *array, size_t size, size_t group) {
    size_t place = strcspn(array, "\r") + 2;
    while (place < size) {
        size_t whole = 0;
        for (size_t i = 0; i < group; i++) {
            whole += reply_size(array + place + whole, size - place - whole);
        }
        char *text = malloc(whole + 1);
        /* Keys with NUL bytes need not be told apart by strcmp here: none are used. */
        memcpy(text, array + place, whole);
        text[whole] = 0;
        found->at = realloc(found->at, (found->count + 1) * sizeof *found->at);
        found->at[found->count++] = text;
        place += whole;
    }
}

/* Walks to the end: `head` is the command up to the cursor, `tail` what follows. Elements that
 * come more than once count once. */
static struct found walk(int side, const char *head, const char *tail, size_t group) {
    struct found found = {0};
    int fd = wire_connect(pair_server(pair, side));
    char cursor[32] = "0";
    int steps = 0;
    do {
        char line[256];
        size_t size;
        snprintf(line, sizeof line, "%s %s%s\r\n", head, cursor, tail);
        wire_send_text(fd, line);
        char *raw = wire_read_raw(fd, &size);
        if (strncmp(raw, "*2\r\n$", 5) != 0 || ++steps > STEPS_MAX) {
            harness_fail("%s answers %.200s", line, raw);
        }
        const char *place = strchr(raw + 5, '\n') + 1;
        snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(place, "\r"), place);
        place += strcspn(place, "\r") + 2;
        add_found(&found, place, size - (size_t)(place - raw), group);
        free(raw);
    } while (strcmp(cursor, "0") != 0);
    close(fd);
    if (found.count > 0) {
        qsort(found.at, found.count, sizeof *found.at, by_text);
    }
    size_t kept = 0;
    for (size_t i = 0; i < found.count; i++) {
        if (kept > 0 && strcmp(found.at[kept - 1], found.at[i]) == 0) {
            free(found.at[i]);
        } else {
            found.at[kept++] = found.at[i];
        }
    }
    found.count = kept;
    return found;
}

static void compare_walks(const char *head, const char *tail, size_t group) {
    char note[256];
    snprintf(note, sizeof note, "%s 0%s", head, tail);
    harness_note(note);
    struct found ours = walk(0, head, tail, group);
    struct found theirs = walk(1, head, tail, group);
    assert_int_equal(ours.count, theirs.count);
    for (size_t i = 0; i < ours.count; i++) {
        assert_string_equal(ours.at[i], theirs.at[i]);
        free(ours.at[i]);
        free(theirs.at[i]);
    }
    free(ours.at);
    free(theirs.at);
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
            compare_walks("SCAN", tails[i], 1);
            compare_walks("HSCAN table", tails[i], 2);
            compare_walks("SSCAN set", tails[i], 1);
            compare_walks("SSCAN integers", tails[i], 1);
        }
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            compare_walks("SCAN", types[i], 1);
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
