/* Sets as the reference has them: arrays of integers, compact ones and tables, and what comes of
 * them together. What chance decides is compared by its kind and its count. */
#include "compare.h"
#include "compare_table.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct pair *pair;

static int start(void **state) {
    (void)state;
    allow_packed_sets();
    pair = pair_start(NULL);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

static const char *const some_sets[] = {
    "SADD S:0 %M %M %M {%M} {%M}",
    "SADD S:1 %M {%M} {%M} {%M}",
    "SADD S:2 %m {%m} {%m} {%m}",
    "SADD S:3 %m {%m} {%m}",
    "SET s:0 %v",
    "HSET h:0 {%F %V}",
    NULL,
};

static const struct row set_rows[] = {
    {14, COMPARE_EXACT, "SADD %S {%M}"},
    {8, COMPARE_EXACT, "SADD %S {%m}"},
    {6, COMPARE_EXACT, "SREM %S ({%M}|{%m})"},
    {5, COMPARE_EXACT, "SISMEMBER %S (%M|%m)"},
    {5, COMPARE_EXACT, "SMISMEMBER %S ({%M}|{%m})"},
    {4, COMPARE_EXACT, "SCARD %S"},
    {5, COMPARE_SET, "SMEMBERS %S"},
    {6, COMPARE_EXACT, "SMOVE %S %S (%M|%m)"},
    {4, COMPARE_SHAPE, "SRANDMEMBER %S [%c]"},
    {3, COMPARE_SHAPE, "SRANDMEMBER %S 1000000"},
    {6, COMPARE_SET, "(SINTER|SUNION|SDIFF) %S {%S}"},
    {3, COMPARE_SET, "(SINTER|SUNION|SDIFF) {%S %S %S}"},
    {5, COMPARE_EXACT, "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) %S {%S}"},
    {2, COMPARE_EXACT, "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) %S {%S %S %S}"},
    {1, COMPARE_EXACT, "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) %k {%S}"},
    {3, COMPARE_EXACT, "SINTERCARD (1 %S|2 %S %S|3 %S %S %S|%c {%S}) [LIMIT %c]"},
    {2, COMPARE_EXACT, "SINTERCARD 2 %S %S [LIMIT (0|1|2|5|-1|x|)]"},
    {3, COMPARE_EXACT, "OBJECT ENCODING %S"},
    {1, COMPARE_EXACT, "MEMORY USAGE %S"},
    {1, COMPARE_EXACT, "DEL %S"},
    {1, COMPARE_EXACT, "COPY %S %S [REPLACE]"},
    {1, COMPARE_EXACT, "RENAME %S %S"},
    {1, COMPARE_EXACT, "TYPE %S"},
    {1, COMPARE_EXACT, "SET %S %v"},
    {1, COMPARE_EXACT, "EXPIRE %S %d"},
    {1, COMPARE_EXACT, "GET %S"},
};

static void sets(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(set_rows, some_sets)});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(set_rows, some_sets), .stray = 50, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

/* Sets of integers show them in order, and so does what comes of such sets alone. They are begun
 * anew before any can have more than 512. */
static void order_of_integers(void **state) {
    (void)state;
    enum { COMMANDS = 4000, BEGIN_ANEW = 150 };
    static const char *const forms[] = {
        "SADD %S {%m}",
        "SADD %S {%m}",
        "SADD %S {%m}",
        "SREM %S {%m}",
        "SMEMBERS %S",
        "SSCAN %S 0 <[MATCH *1*] [COUNT 3]>",
        "SRANDMEMBER %S 1000",
        "SPOP %S 1000",
        "SMOVE %S %S %m",
        "(SINTER|SUNION|SDIFF) %S {%S}",
        "(SINTER|SUNION|SDIFF) %S {%S}",
        "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) %S {%S}",
        "OBJECT ENCODING %S",
        "COPY %S %S REPLACE",
    };
    struct generator generator;
    struct words words = {0};
    generate_init(&generator, 1);
    generator.stray = generator.spoiled = 0;
    for (int i = 0; i < COMMANDS; i++) {
        if (i % BEGIN_ANEW == 0) {
            pair_connect(pair, i % (2 * BEGIN_ANEW) == 0 ? 2 : 3);
            pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        }
        generate_command(&generator,
                         forms[generate_below(&generator, sizeof forms / sizeof *forms)], &words);
        pair_ask_words(pair, COMPARE_EXACT, &words);
        words_clear(&words);
    }
}

/* What is left when chance has decided: as many on both sides, from each encoding. */
static void pops(void **state) {
    (void)state;
    char line[128];
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        for (int size = 1; size < 700; size = size * 2 + 1) {
            for (int count = 0; count <= size + 1; count = count * 3 + 1) {
                for (int kind = 0; kind < 2; kind++) {
                    for (int i = 0; i < size; i++) {
                        snprintf(line, sizeof line, "SADD set:pop %s%d", kind == 0 ? "" : "m", i);
                        pair_ask(pair, COMPARE_EXACT, line);
                    }
                    snprintf(line, sizeof line, "SRANDMEMBER set:pop %d", count);
                    pair_ask(pair, count < size ? COMPARE_SHAPE : COMPARE_SET, line);
                    snprintf(line, sizeof line, "SRANDMEMBER set:pop -%d", count);
                    pair_ask(pair, COMPARE_SHAPE, line);
                    snprintf(line, sizeof line, "SPOP set:pop %d", count);
                    pair_ask(pair, count < size ? COMPARE_SHAPE : COMPARE_SET, line);
                    pair_ask(pair, COMPARE_EXACT, "SCARD set:pop");
                    pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING set:pop");
                    pair_ask(pair, COMPARE_SHAPE, "SPOP set:pop");
                    pair_ask(pair, COMPARE_EXACT, "SCARD set:pop");
                    pair_ask(pair, COMPARE_EXACT, "DEL set:pop");
                }
            }
        }
        static const char *const lines[] = {
            "SPOP none",
            "SPOP none 0",
            "SPOP none 5",
            "SPOP none -1",
            "SPOP none x",
            "SPOP none 1 2",
            "SPOP",
            "SRANDMEMBER none",
            "SRANDMEMBER none 5",
            "SRANDMEMBER none x",
            "SRANDMEMBER none 1 2",
            "SRANDMEMBER none -9223372036854775808",
            "SADD text a",
            "SRANDMEMBER text 1 2",
            "SRANDMEMBER text -9223372036854775808",
            "SRANDMEMBER text 0",
            "SPOP text 0",
            "SPOP text 9223372036854775808",
            "SPOP text -1",
            "SRANDMEMBER text 9223372036854775807",
        };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            pair_ask(pair, COMPARE_EXACT, lines[i]);
        }
    }
}

/* Sets around the limits: of 512 integers, of 16, 32 and 64 bits. */
static void limits_of_integer_sets(void **state) {
    (void)state;
    static const char *const edges[] = {"32767",
                                        "32768",
                                        "-32768",
                                        "-32769",
                                        "2147483647",
                                        "2147483648",
                                        "-2147483648",
                                        "-2147483649",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "007",
                                        "-0",
                                        "+1",
                                        "1.0",
                                        "1e3"};
    char line[128];
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        snprintf(line, sizeof line, "SADD edge %s", edges[i]);
        pair_ask(pair, COMPARE_EXACT, line);
        pair_ask(pair, i < 10 ? COMPARE_EXACT : COMPARE_SET, "SMEMBERS edge");
        snprintf(line, sizeof line, "SADD one:%zu %s", i, edges[i]);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "OBJECT ENCODING one:%zu", i);
        if (i < 10) {
            pair_ask(pair, COMPARE_EXACT, line);
        }
        for (size_t k = 0; k < sizeof edges / sizeof *edges; k++) {
            snprintf(line, sizeof line, "SISMEMBER edge %s", edges[k]);
            pair_ask(pair, COMPARE_EXACT, line);
        }
    }
    for (int i = 0; i < 520; i++) {
        snprintf(line, sizeof line, "SADD many %d", i * 7919 % 100003);
        pair_ask(pair, COMPARE_EXACT, line);
        if (i > 508) {
            pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING many");
        }
    }
    for (int i = 0; i < 519; i++) {
        snprintf(line, sizeof line, "SREM many %d", i * 7919 % 100003);
        pair_ask(pair, COMPARE_EXACT, line);
    }
    pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING many");
    pair_ask(pair, COMPARE_EXACT, "SMEMBERS many");
    pair_ask(pair, COMPARE_EXACT, "COPY many again");
    pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING again");
}

/* Many sets at once, tables among them, and large ones. */
static void of_many_sets(void **state) {
    (void)state;
    char line[8192];
    pair_connect(pair, 3);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    for (int set = 0; set < 40; set++) {
        for (int i = 0; i < 30; i++) {
            size_t end = (size_t)snprintf(line, sizeof line, "SADD set%d", set);
            for (int k = 0; k < 40; k++) {
                end += (size_t)snprintf(line + end, sizeof line - end, " %s%d",
                                        set % 3 == 0 ? "" : "m", (i * 40 + k) * (set + 1) % 2000);
            }
            pair_ask(pair, COMPARE_EXACT, line);
        }
    }
    static const char *const names[] = {"SINTER", "SUNION", "SDIFF"};
    for (int first = 0; first < 40; first++) {
        for (int step = 1; step < 5; step++) {
            for (int kind = 0; kind < 6; kind++) {
                size_t end = (size_t)snprintf(line, sizeof line, "%s%s", names[kind % 3],
                                              kind < 3 ? "" : "STORE result");
                for (int set = first; set < 40 && set < first + step * 12; set += step) {
                    end += (size_t)snprintf(line + end, sizeof line - end, " set%d", set);
                }
                pair_ask(pair, kind < 3 ? COMPARE_SET : COMPARE_EXACT, line);
                pair_ask(pair, COMPARE_SET, "SMEMBERS result");
            }
        }
    }
    pair_compare_state(pair);
}

/* What the reference does not have: the counts must be those of the sets that it gives. */
static void counts_of_unions_and_differences(void **state) {
    (void)state;
    static const char *const setup[] = {"SADD a 1 2 3 x y",   "SADD b 2 3 4 y", "SADD c 9 z",
                                        "SADD d 1 2 3 4 5 6", "SET text v",     NULL};
    static const struct {
        const char *line;
        const char *answer;
    } rows[] = {
        {"SUNIONCARD 2 a b", ":6"},
        {"SUNIONCARD 1 a", ":5"},
        {"SUNIONCARD 2 a none", ":5"},
        {"SUNIONCARD 1 none", ":0"},
        {"SUNIONCARD 5 a b c d none", ":10"},
        {"SUNIONCARD 4 a b c d LIMIT 7", ":7"},
        {"SUNIONCARD 6 a b c d a b LIMIT 7", ":7"},
        {"SUNIONCARD 2 a b APPROX", ":6"},
        {"SUNIONCARD 2 a b APPROX LIMIT 3", ":3"},
        {"SUNIONCARD 2 a b LIMIT 0", ":6"},
        {"SDIFFCARD 2 a b", ":2"},
        {"SDIFFCARD 2 a b LIMIT 1", ":1"},
        {"SDIFFCARD 1 a", ":5"},
        {"SDIFFCARD 2 none a", ":0"},
        {"SDIFFCARD 3 a none b", ":2"},
        {"SDIFFCARD 2 a a", ":0"},
        {"SDIFFCARD 0 a", "-ERR numkeys should be greater than 0"},
        {"SDIFFCARD x a", "-ERR numkeys should be greater than 0"},
        {"SDIFFCARD 2 a", "-ERR Number of keys can't be greater than number of args"},
        {"SDIFFCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative"},
        {"SDIFFCARD 1 a LIMIT", "-ERR syntax error"},
        {"SDIFFCARD 1 a APPROX", "-ERR syntax error"},
        {"SUNIONCARD 1 text", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
    };
    int fd = wire_connect(pair_server(pair, 0));
    wire_send_text(fd, "FLUSHALL\r\n");
    size_t size;
    free(wire_read_raw(fd, &size));
    for (size_t i = 0; setup[i] != NULL; i++) {
        wire_send_text(fd, setup[i]);
        wire_send_text(fd, "\r\n");
        free(wire_read_raw(fd, &size));
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wire_send_text(fd, rows[i].line);
        wire_send_text(fd, "\r\n");
        char *raw = wire_read_raw(fd, &size);
        raw[strcspn(raw, "\r")] = '\0';
        if (strcmp(raw, rows[i].answer) != 0) {
            harness_fail("%s answers %s, not %s", rows[i].line, raw, rows[i].answer);
        }
        free(raw);
    }
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets),
        cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(order_of_integers),
        cmocka_unit_test(pops),
        cmocka_unit_test(limits_of_integer_sets),
        cmocka_unit_test(of_many_sets),
        cmocka_unit_test(counts_of_unions_and_differences),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
