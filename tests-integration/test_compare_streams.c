/* Streams as the reference has them. Ids are given, so that both servers' are the same; what time
 * decides is compared by its shape. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const char *const some_streams[] = {
    "XADD j:0 %n f1 %V f2 %V",
    "XADD j:0 %n f1 %V f2 %V",
    "XADD j:1 %n f1 %i",
    "SET s:0 %v",
    "HSET h:0 f v",
    NULL,
};

static const struct row entry_rows[] = {
    {20, COMPARE_EXACT, "XADD %j %n f1 %V f2 %V"},
    {10, COMPARE_EXACT, "XADD %j %n {%F %v}"},
    {3, COMPARE_EXACT, "XADD (%j|nostream) [NOMKSTREAM] %n f1 %i f2 %f"},
    {4, COMPARE_EXACT, "XADD %j (MAXLEN (=|) %c|MINID (=|) %N) %n f1 %w"},
    {1, COMPARE_EXACT,
     "XADD %j <[MAXLEN (=|) %c|MINID (=|) %N] [LIMIT %c] [NOMKSTREAM]> %n f1 "
     "%w"},
    {4, COMPARE_EXACT, "XLEN %j"},
    {8, COMPARE_EXACT, "XRANGE %j (-|%N) (+|%N) [COUNT %c]"},
    {8, COMPARE_EXACT, "XREVRANGE %j (+|%N) (-|%N) [COUNT %c]"},
    {8, COMPARE_EXACT, "XDEL %j {%N}"},
    {2, COMPARE_EXACT, "XTRIM %j MAXLEN (=|) %c"},
    {2, COMPARE_EXACT, "XTRIM %j MINID (=|) %N"},
    {1, COMPARE_EXACT, "XTRIM %j <[MAXLEN (=|) %c|MINID (=|) %N] [LIMIT %c]>"},
    {2, COMPARE_EXACT, "XSETID %j (%N|%n) [ENTRIESADDED %i] [MAXDELETEDID %N]"},
    {1, COMPARE_EXACT, "(DEL|UNLINK|TYPE|EXISTS|OBJECT ENCODING) %j"},
    {1, COMPARE_EXACT, "COPY %j %j REPLACE"},
    {1, COMPARE_EXACT, "RENAME %j %j"},
    {1, COMPARE_EXACT, "(MEMORY USAGE|GET|HGETALL) %j"},
    {1, COMPARE_EXACT, "(XLEN|XDEL|XRANGE) %s"},
    {1, COMPARE_EXACT, "EXPIRE %j %d"},
};

static void entries(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(entry_rows, some_streams)});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(entry_rows, some_streams), .stray = 50,
                                        .spoiled = 50, .answered = 1, .time_share = 50});
}

static void ask(const char *line) {
    pair_ask(pair, COMPARE_EXACT, line);
}

/* Trimming by whole nodes, which here have few entries. */
static const struct row node_rows[] = {
    {20, COMPARE_EXACT, "XADD %j %n f1 %w"},
    {4, COMPARE_EXACT, "XADD %j MAXLEN ~ (5|10|20) [LIMIT (0|3|10)] %n f1 %w f2 %w"},
    {4, COMPARE_EXACT, "XADD %j MINID ~ %N [LIMIT (0|3|10)] %n f1 %w"},
    {3, COMPARE_EXACT, "XTRIM %j (MAXLEN ~ (5|10|20)|MINID ~ %N) [LIMIT (0|3|10)]"},
    {3, COMPARE_EXACT, "XTRIM %j (MAXLEN (5|10|20)|MINID %N)"},
    {5, COMPARE_EXACT, "XLEN %j"},
    {5, COMPARE_EXACT, "(XRANGE|XREVRANGE) %j (-|%N|+) (+|%N|-)"},
};

static void nodes(void **state) {
    (void)state;
    pair_connect(pair, 2);
    static const char *const sizes[] = {"1", "3", "7"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char line[64];
        snprintf(line, sizeof line, "CONFIG SET stream-node-max-entries %s", sizes[i]);
        ask(line);
        pair_compare(pair, &(struct family){FAMILY(node_rows, some_streams), .time_share = 30});
    }
    ask("CONFIG SET stream-node-max-entries 100");
}

static const char *const some_groups[] = {
    "XADD j:0 %n f1 %V f2 %V",
    "XADD j:0 %n f1 %V f2 %V",
    "XADD j:1 %n f1 %i",
    "XGROUP CREATE j:0 g1 0",
    "XGROUP CREATE j:0 g2 $",
    "XGROUP CREATE j:1 g1 0",
    "XGROUP CREATE j:2 g1 0 MKSTREAM",
    "SET s:0 %v",
    "HSET h:0 f v",
    NULL,
};

/* What the reference decides by the clock is only how long something has been pending: the idle
 * times asked for are none, or longer than the test. */
static const struct row group_rows[] = {
    {20, COMPARE_EXACT, "XADD %j %n f1 %w f2 %w"},
    {4, COMPARE_EXACT, "XDEL %j {%N}"},
    {1, COMPARE_EXACT, "XTRIM %j MAXLEN %c"},
    {12, COMPARE_EXACT, "XREADGROUP GROUP (g1|g2) (c1|c2|c3|c4) [COUNT %c] [NOACK] STREAMS %j >"},
    {6, COMPARE_EXACT,
     "XREADGROUP GROUP (g1|g2|g3) (c1|c2|c3) [COUNT %c] STREAMS %j %j (>|0|%N) "
     "(>|%N)"},
    {3, COMPARE_EXACT, "XREADGROUP <GROUP (g1|g2) (c1|c2) [COUNT %c] [NOACK]> STREAMS %j (%N|$)"},
    {4, COMPARE_EXACT, "XREAD [COUNT %c] STREAMS %j %j (0|$|%N) (0|%N)"},
    {8, COMPARE_EXACT, "XACK %j (g1|g2|g3) {%N}"},
    {8, COMPARE_EXACT, "XPENDING %j (g1|g2|g3)"},
    {6, COMPARE_SHAPE, "XPENDING %j (g1|g2) (-|%N) (+|%N) %c [(c1|c2|c9)]"},
    {2, COMPARE_SHAPE, "XPENDING %j (g1|g2) IDLE (0|-1|1000000) (-|%N) (+|%N) %c [(c1|c2)]"},
    {8, COMPARE_EXACT,
     "XCLAIM %j (g1|g2|g3) (c1|c2|c5) (0|0|1000000|-1) {%N} <[FORCE] [JUSTID] "
     "[IDLE %c] [RETRYCOUNT %c] [LASTID %N]>"},
    {1, COMPARE_EXACT, "XCLAIM %j (g1|g2) (c1|c2) 0 {%N} TIME %i"},
    {6, COMPARE_EXACT,
     "XAUTOCLAIM %j (g1|g2|g3) (c1|c2|c6) (0|0|1000000) (-|0|%N) [COUNT %c] "
     "[JUSTID]"},
    {3, COMPARE_EXACT, "XGROUP CREATE %j (g1|g2|g3|\"\") (0|$|%N) [MKSTREAM] [ENTRIESREAD %c]"},
    {3, COMPARE_EXACT, "XGROUP SETID %j (g1|g2|g3) (0|$|%N) [ENTRIESREAD %c]"},
    {1, COMPARE_EXACT, "XGROUP DESTROY %j (g1|g2|g3)"},
    {2, COMPARE_EXACT, "XGROUP CREATECONSUMER %j (g1|g2) (c1|c7)"},
    {2, COMPARE_EXACT, "XGROUP DELCONSUMER %j (g1|g2) (c1|c2|c3|c7)"},
    {8, COMPARE_EXACT, "XINFO GROUPS %j"},
    {1, COMPARE_EXACT, "XSETID %j %n [ENTRIESADDED %c] [MAXDELETEDID %N]"},
    {1, COMPARE_EXACT, "(DEL|UNLINK) %j"},
    {2, COMPARE_EXACT, "COPY %j %j REPLACE"},
    {1, COMPARE_EXACT, "RENAME %j %j"},
    {1, COMPARE_EXACT, "(XACK|XPENDING) %s g1"},
    {1, COMPARE_KIND, "XINFO (GROUPS|CONSUMERS|STREAM|FOO) (%j|%s) [g1]"},
};

static void groups(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(group_rows, some_groups)});
}

static void wrong_words_for_groups(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(group_rows, some_groups), .stray = 50, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

/* Ids at the ends of what there is, and in every form that they can be written in. */
static const char *const id_lines[] = {
    "FLUSHALL",
    "XADD e 0-0 a b",
    "XADD e 0-* a b",
    "XADD e 0-* a b",
    "XADD e 0-1 a b",
    "XADD e +7 a b",
    "XADD e 8-0x5 a b",
    "XADD e 008 a b",
    "XADD e 9-00000000000000000000000000000005 a b",
    "XADD e 9--05 a b",
    "XADD e 9-18446744073709551615 a b",
    "XADD e 9-* a b",
    "XADD e 10-* a b",
    "XADD e - a b",
    "XADD e + a b",
    "XADD e 11- a b",
    "XADD e -11 a b",
    "XADD e 12 a",
    "XADD e 12 a b c",
    "XADD e 12",
    "XADD e * a",
    "XADD e 9223372036854775807-9223372036854775808 a b",
    "XADD e 18446744073709551615-18446744073709551614 a b",
    "XADD e 18446744073709551616-1 a b",
    "XRANGE e - +",
    "XREVRANGE e + -",
    "XRANGE e (0-1 (10-0",
    "XRANGE e 9 9",
    "XREVRANGE e 9 9",
    "XRANGE e 10 9",
    "XRANGE e ( +",
    "XRANGE e (- +",
    "XRANGE e - (0-0",
    "XRANGE e - + COUNT",
    "XRANGE e - + COUNT x",
    "XRANGE e - + COUNT 0",
    "XRANGE e - + COUNT -1",
    "XRANGE e - + COUNT 1 COUNT 2",
    "XRANGE none - + COUNT 0",
    "XADD e 18446744073709551615-* a b",
    "XADD e * a b",
    "XADD e 5 a b",
    "XRANGE e 18446744073709551615 +",
    "XDEL e 18446744073709551615-18446744073709551615",
    "XADD e * a b",
    "XSETID e 5",
    "XSETID none 5",
    "XSETID e 18446744073709551615-18446744073709551614",
    "XTRIM e MAXLEN 0",
    "XLEN e",
    "EXISTS e",
    "XSETID e 4",
    "XSETID e 4 MAXDELETEDID 5",
    "XSETID e 4 ENTRIESADDED",
    "XSETID e 4 ENTRIESADDED 1 FOO 2",
    "XSETID e 18446744073709551615-18446744073709551615 ENTRIESADDED 9223372036854775807",
    "XTRIM e",
    "XTRIM e MAXLEN",
    "XTRIM e LIMIT 1",
    "XTRIM e LIMIT 0 LIMIT 0",
    "XTRIM e FOO 1",
    "XTRIM e MAXLEN 1 MINID 1",
    "XTRIM e MAXLEN ~ 1 LIMIT -1",
    "XTRIM e MAXLEN = 1 LIMIT 1",
    "XTRIM e MAXLEN 1 LIMIT 0",
    "XTRIM none MAXLEN -1",
    "XTRIM none MAXLEN 1",
    "XADD none NOMKSTREAM * a b",
    "XADD none LIMIT 1 * a b",
    "XADD none MAXLEN * a b",
    "XREAD BLOCK 5 STREAMS none $",
    "XREAD BLOCK 5 STREAMS none none 0 $",
    "XREAD COUNT 2 BLOCK 5 STREAMS e $",
    "XREAD BLOCK -1 STREAMS none $",
    "XREAD BLOCK x STREAMS none $",
    "XREAD BLOCK 1.5 STREAMS none $",
    "XREAD BLOCK STREAMS none $",
    "XGROUP CREATE waits g $ MKSTREAM",
    "XREADGROUP GROUP g c BLOCK 5 STREAMS waits >",
    "XREADGROUP GROUP g c BLOCK 5 STREAMS waits 0",
    "XREADGROUP GROUP x c BLOCK 5 STREAMS waits >",
    "XREADGROUP GROUP g c BLOCK 5 STREAMS none >",
    "XREADGROUP GROUP g c BLOCK -5 STREAMS waits >",
    "XINFO GROUPS waits",
};

static void ids(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        for (size_t i = 0; i < sizeof id_lines / sizeof *id_lines; i++) {
            ask(id_lines[i]);
        }
    }
    pair_ask(pair, COMPARE_SHAPE, "XADD auto * a b");
    pair_ask(pair, COMPARE_SHAPE, "XADD auto * a b");
    pair_ask(pair, COMPARE_SHAPE, "XRANGE auto - +");
}

/* Thousands of entries, so that there are many nodes, with every kind of value. */
static void long_streams(void **state) {
    (void)state;
    pair_connect(pair, 3);
    ask("FLUSHALL");
    char line[256];
    for (int i = 1; i <= 3000; i++) {
        snprintf(line, sizeof line, "XADD long %d-%d name value:%d n %d %s", i / 3, i, i, i * 7919,
                 i % 10 == 0 ? "more 1" : "last -12345678901");
        ask(line);
    }
    for (int i = 0; i < 60; i++) {
        snprintf(line, sizeof line, "XRANGE long %d %d", i * 17, i * 19 + 5);
        ask(line);
        snprintf(line, sizeof line, "XREVRANGE long %d - COUNT %d", i * 19, i);
        ask(line);
        snprintf(line, sizeof line, "XDEL long %d-%d %d-%d", i * 2, i * 6 + 1, i * 5, i * 15);
        ask(line);
    }
    ask("XRANGE long - +");
    ask("XREVRANGE long + -");
    ask("COPY long twin");
    ask("XTRIM long MAXLEN 1234");
    ask("XRANGE long - + COUNT 10");
    ask("XTRIM long MINID 900");
    ask("XRANGE long - + COUNT 10");
    ask("XLEN long");
    ask("XRANGE twin 5 50");
    ask("DEL twin long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),      cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(groups),       cmocka_unit_test(wrong_words_for_groups),
        cmocka_unit_test(nodes),        cmocka_unit_test(ids),
        cmocka_unit_test(long_streams), cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
