/* SORT as the reference has it, over lists, sets and sorted sets: by numbers, by texts, by other
 * keys and fields, with parts of them answered or stored. Where the reference leaves the order open
 * (equal weights of texts, a set that is not sorted) the elements are compared as a set. No number
 * is out of range: from then on the reference takes others for no numbers, until something resets
 * errno. */
#include "compare.h"
#include "compare_table.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pair *pair;

static int start(void **state) {
    (void)state;
    /* The reference makes a compact sorted set a large one to sort it. */
    static const char *const options[] = {"--zset-max-listpack-entries", "0", NULL};
    allow_packed_sets();
    pair = pair_start(options);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    pair_stop(pair);
}

static const char *const some_keys[] = {
    "RPUSH l:0 {%i} {%i} {%i} {%i}",
    "RPUSH l:1 3 1 2 10 -5 2 7 7 0",
    "RPUSH l:2 {%E} {%E} {%E}",
    "RPUSH l:3 1.5 -2.25 1e3 .5 007 3 3.0",
    "RPUSH l:4 1 2 3 4 5 6 7",
    "SADD n:set 3 1 2 10 -5 7 0 1.5",
    "SADD w:set c b a x",
    "ZADD n:zset 5 3 1 1 2 2 2 10 9 -5",
    "MSET w_1 5 w_2 4 w_3 30 w_5 x w_7 1.5 w_10 -2 w_a 3 w_b 1 w_-5 9",
    "MSET g_1 one g_2 two g_3 three g_4 444",
    "HSET o_1 w 9 name uno",
    "HSET o_2 w 1 name dos",
    "HSET o_3 name tres",
    "HSET h:0 f1 %V",
    "SET s:0 %w",
    NULL,
};

static const struct row sort_rows[] = {
    {8, COMPARE_EXACT, "(SORT|SORT_RO) (%l|l:1|l:4|n:set|n:zset) <[ASC|DESC] [LIMIT %c %c]>"},
    {8, COMPARE_EXACT, "SORT (%l|l:1|l:4|w:set|n:set|n:zset) <ALPHA [ASC|DESC] [LIMIT %c %c]>"},
    {8, COMPARE_EXACT, "SORT (l:1|l:4|n:zset) <BY (w_*|o_*->w|none_*) [ASC|DESC] [LIMIT %c %c]>"},
    {4, COMPARE_SET, "SORT (l:1|l:4|n:set) <BY (g_*|o_*->name) ALPHA>"},
    {6, COMPARE_EXACT, "SORT (l:1|l:4|n:zset) <BY nosort [DESC] [LIMIT %c %c]>"},
    {2, COMPARE_SET, "SORT (n:set|w:set) BY nosort"},
    {8, COMPARE_EXACT,
     "SORT (l:1|l:4) <GET (g_*|o_*->name|#|w_*|none) [GET #] [DESC] [LIMIT %c %c]>"},
    {4, COMPARE_EXACT, "SORT l:4 <BY (w_*|o_*->w|nosort) GET # GET (g_*|o_*->name|o_*->)>"},
    {8, COMPARE_EXACT,
     "SORT (l:1|l:4|n:set|n:zset|%l) <[GET (g_*|#)] [DESC] [LIMIT %c %c] STORE "
     "(%l|s:1|l:9)>"},
    {4, COMPARE_EXACT, "SORT (w:set|n:set|l:4) <BY nosort STORE (%l|l:9)>"},
    {2, COMPARE_EXACT, "SORT (%k|none) [ALPHA] [STORE l:9]"},
    {2, COMPARE_EXACT, "RPUSH %l (%i|1.5|%E)"},
    {1, COMPARE_EXACT, "DEL %l"},
    {1, COMPARE_EXACT, "LRANGE l:9 0 -1"},
    {1, COMPARE_EXACT, "SET (w_1|w_4|g_5) (%i|0.25|%E)"},
};

static void sorts(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(sort_rows, some_keys), .answered = 35});
}

static void wrong_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(sort_rows, some_keys), .stray = 30, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

static const char *const edge_lines[] = {
    "FLUSHALL",
    "RPUSH l 3 1 2",
    "SORT l LIMIT x 1",
    "SORT l LIMIT 1 x",
    "SORT l LIMIT 1",
    "SORT l LIMIT -9223372036854775808 9223372036854775807",
    "SORT l LIMIT 9223372036854775807 9223372036854775807",
    "SORT l LIMIT 1 -9223372036854775808",
    "SORT l LIMIT 3 1",
    "SORT l BY",
    "SORT l GET",
    "SORT l STORE",
    "SORT l nosuch",
    "SORT_RO l STORE x",
    "SORT none STORE l2",
    "SET l2 x",
    "SORT none STORE l2",
    "EXISTS l2",
    "SET l2 x",
    "SORT l STORE l2",
    "LRANGE l2 0 -1",
    "SORT l STORE l",
    "LRANGE l 0 -1",
    "EXPIRE l2 1000",
    "SORT l DESC STORE l2",
    "TTL l2",
    "SET string x",
    "SORT string",
    "SORT string LIMIT x 1",
    "RPUSH bad 1 2 x",
    "SORT bad",
    "SORT bad STORE l2",
    "LRANGE l2 0 -1",
    "RPUSH nan nan 1",
    "SORT nan",
    "RPUSH inf inf -inf 0 1e300 -1e300 -0 0",
    "SORT inf",
    "SORT inf DESC",
    "RPUSH hex 0x10 15 1e1 .5 5.",
    "SORT hex",
    "RPUSH same 1 1.0 01 +1 1e0",
    "SORT same",
    "SORT same DESC",
    "RPUSH big 9007199254740993 9007199254740992 9007199254740994 -9007199254740993",
    "SORT big",
    "RPUSH prefixed user:10 user:9 user:100 user:1 user: user:00000010 user:00000009",
    "SORT prefixed ALPHA",
    "SORT prefixed ALPHA DESC",
    "SORT prefixed ALPHA LIMIT 2 3",
    "SORT l BY nosort GET # GET w_*->",
    "SET w_1-> arrow",
    "SORT l BY nosort GET w_*-> GET w_*->x GET *",
    "SORT l GET **",
    "SORT l GET GET",
    "SORT l GET STORE",
    "SORT l GET ASC GET #",
    "COMMAND GETKEYS SORT l BY w_* STORE l9 DESC",
};

static void edges(void **state) {
    (void)state;
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        for (size_t i = 0; i < sizeof edge_lines / sizeof *edge_lines; i++) {
            pair_ask(pair, COMPARE_EXACT, edge_lines[i]);
        }
        pair_compare_state(pair);
    }
}

/* Enough elements that they are sorted by the bytes of their keys. */
static void many_elements(void **state) {
    (void)state;
    static const char *const forms[] = {"%d", "%d.5", "-%d", "1e%d", "word:%d", "w%04d"};
    static const char *const lines[] = {"SORT many",
                                        "SORT many DESC",
                                        "SORT many ALPHA",
                                        "SORT many ALPHA DESC LIMIT 100 500",
                                        "SORT many ALPHA STORE stored",
                                        "LRANGE stored 0 -1",
                                        "SORT many BY none_*",
                                        "SORT many BY none_* DESC"};
    unsigned dice = 1;
    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
        pair_connect(pair, 2);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        for (int i = 0; i < 50; i++) {
            struct words words = {0};
            words_add_line(&words, "RPUSH many");
            for (int j = 0; j < 40; j++) {
                char text[32];
                dice = dice * 1103515245 + 12345;
                snprintf(text, sizeof text, forms[form], (int)(dice >> 16) % 290);
                words_add_text(&words, text);
            }
            pair_ask_words(pair, COMPARE_EXACT, &words);
            words_clear(&words);
        }
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            pair_ask(pair, COMPARE_EXACT, lines[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges),       cmocka_unit_test(many_elements), cmocka_unit_test(sorts),
        cmocka_unit_test(wrong_words), cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
