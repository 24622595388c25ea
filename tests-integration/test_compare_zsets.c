/* Sorted sets as the reference has them, compact ones and ordered ones, and sets where they take
 * part. */
#include "compare.h"
#include "compare_table.h"
#include "compare_walk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const char *const some_zsets[] = {
    "ZADD z:0 1 f1 2 f2 3 f3",
    "ZADD z:1 {%q %F}",
    "ZADD z:2 {%q %F}",
    "ZADD z:3 {%q %V}",
    "ZADD Z:0 1 a-member-of-more-than-64-bytes-makes-any-sorted-set-an-ordered-one-however-few "
    "{%q %T} {%q %T} {%q %T} {%q %T}",
    "ZADD Z:1 1 a-member-of-more-than-64-bytes-makes-any-sorted-set-an-ordered-one-however-few "
    "{%q %F} {%q %F}",
    "SET s:0 %v",
    NULL,
};

static const struct row zset_rows[] = {
    {12, COMPARE_EXACT, "ZADD %z [NX|XX] [GT|LT] [CH] {%q %F}"},
    {4, COMPARE_EXACT, "ZADD %z <[NX|XX] [GT|LT] [CH] [INCR]> %q %V"},
    {12, COMPARE_EXACT, "ZADD %Z <[NX|XX] [GT|LT] [CH]> {%q %T}"},
    {4, COMPARE_EXACT, "ZADD %Z <[NX|XX] [GT|LT] [CH] [INCR]> %q %T"},
    {6, COMPARE_EXACT, "ZINCRBY (%z %q %F|%Z %q %T)"},
    {6, COMPARE_EXACT, "ZREM (%z {%F}|%Z {%T})"},
    {3, COMPARE_EXACT, "ZCARD (%z|%Z)"},
    {4, COMPARE_EXACT, "ZSCORE (%z %F|%Z %T)"},
    {4, COMPARE_EXACT, "ZMSCORE (%z {%F}|%Z {%T})"},
    {5, COMPARE_EXACT, "ZCOUNT (%z|%Z) %Q %Q"},
    {8, COMPARE_EXACT, "ZRANGE (%z|%Z) %o %o <[REV] [WITHSCORES]>"},
    {8, COMPARE_EXACT,
     "ZRANGE (%z|%Z) %Q %Q <BYSCORE [REV] [WITHSCORES] [(LIMIT %c %c|LIMIT 1 2)]>"},
    {4, COMPARE_EXACT, "ZREVRANGE (%z|%Z) %o %o [WITHSCORES]"},
    {6, COMPARE_EXACT,
     "(ZRANGEBYSCORE|ZREVRANGEBYSCORE) (%z|%Z) %Q %Q <[WITHSCORES] [LIMIT %c %c]>"},
    {4, COMPARE_EXACT, "ZRANGESTORE (%z|%Z) (%z|%Z) %o %o [REV]"},
    {4, COMPARE_EXACT, "ZRANGESTORE (%z|%Z) (%z|%Z) %Q %Q <BYSCORE [REV] [LIMIT %c %c]>"},
    {2, COMPARE_EXACT, "ZREMRANGEBYRANK (%z|%Z) %o %o"},
    {2, COMPARE_EXACT, "ZREMRANGEBYSCORE (%z|%Z) %Q %Q"},
    {3, COMPARE_EXACT, "(ZPOPMIN|ZPOPMAX) (%z|%Z) [%c]"},
    {3, COMPARE_EXACT, "ZMPOP (1 %z|2 %z %Z|3 %Z %z %z) (MIN|MAX) [COUNT %c]"},
    {4, COMPARE_SHAPE, "ZRANDMEMBER (%z|%Z) [%c [WITHSCORES]]"},
    {4, COMPARE_EXACT, "ZSCAN %z 0 <[MATCH %p] [COUNT %c]>"},
    {3, COMPARE_EXACT, "OBJECT ENCODING (%z|%Z)"},
    {2, COMPARE_EXACT, "MEMORY USAGE (%z|%Z)"},
    {1, COMPARE_EXACT, "DEL (%z|%Z)"},
    {1, COMPARE_EXACT, "COPY (%z|%Z) (%z|%Z) REPLACE"},
    {1, COMPARE_EXACT, "RENAME (%z|%Z) (%z|%Z)"},
    {1, COMPARE_EXACT, "SET %z %v"},
    {1, COMPARE_EXACT, "EXPIRE (%z|%Z) %d"},
};

static void zsets(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(zset_rows, some_zsets)});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(zset_rows, some_zsets), .stray = 50, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

/* Outside of transactions, for a word too many is an error of another kind than in 7.0. */
static const struct row rank_rows[] = {
    {2, COMPARE_EXACT, "ZADD (%z {%q %F}|%Z {%q %T})"},
    {1, COMPARE_EXACT, "ZREM (%z {%F}|%Z {%T})"},
    {8, COMPARE_EXACT, "(ZRANK|ZREVRANK) (%z %F|%Z (%T|%F))"},
};

static void ranks(void **state) {
    (void)state;
    pair_compare(pair,
                 &(struct family){FAMILY(rank_rows, some_zsets), .alone = true, .time_share = 30});
}

/* Ranges of names make sense where all scores are alike, so members are added only in the setup,
 * which is never spoiled. */
static const struct row name_rows[] = {
    {8, COMPARE_EXACT, "ZRANGE (%z|%Z) %L %L <BYLEX [REV] [(LIMIT %c %c|LIMIT 1 2)]>"},
    {8, COMPARE_EXACT, "(ZRANGEBYLEX|ZREVRANGEBYLEX) (%z|%Z) %L %L [(LIMIT %c %c|LIMIT 1 2)]"},
    {6, COMPARE_EXACT, "ZLEXCOUNT (%z|%Z) %L %L"},
    {1, COMPARE_EXACT, "ZREMRANGEBYLEX (%z|%Z) %L %L"},
    {2, COMPARE_EXACT, "ZREM (%z %F|%Z %T)"},
    {2, COMPARE_EXACT, "ZRANGESTORE (z:3|z:4|Z:1) (%z|%Z) %L %L <BYLEX [REV] [LIMIT %c %c]>"},
};

static void ranges_of_names(void **state) {
    (void)state;
    static const char *const setup[] = {"ZADD z:0 {0 %F} {0 %F}",
                                        "ZADD z:1 0 a 0 b 0 c",
                                        "ZADD z:2 {0 %V} {0 %F}",
                                        "ZADD z:3 {0 %V} {0 %w} {0 %F} {0 %F}",
                                        "ZADD Z:0 {0 %T} {0 %F} {0 %T} {0 %v}",
                                        "ZADD Z:1 {0 %v} {0 %F} {0 %T} {0 %v} {0 %w}",
                                        NULL};
    pair_compare(pair,
                 &(struct family){FAMILY(name_rows, setup), .commands = 120, .time_share = 50});
}

static const struct row combining_rows[] = {
    {4, COMPARE_EXACT, "SADD %S {%F}"},
    {2, COMPARE_EXACT, "SADD %S {%T}"},
    {6, COMPARE_EXACT, "ZADD %z {%q %F}"},
    {6, COMPARE_EXACT, "ZADD %Z {%q %T}"},
    {2, COMPARE_EXACT, "ZREM (%z {%F}|%Z {%T})"},
    {8, COMPARE_EXACT,
     "(ZUNION|ZINTER) (1 %z|1 %Z) <[WEIGHTS %q] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]>"},
    {12, COMPARE_EXACT,
     "(ZUNION|ZINTER) (2 %z %z|2 %Z %Z|2 %z %Z|2 %S %z|2 %S %S) <[WEIGHTS %q %q] "
     "[AGGREGATE (SUM|MIN|MAX)] "
     "[WITHSCORES]>"},
    {8, COMPARE_EXACT,
     "(ZUNION|ZINTER) 3 (%z|%Z|%S) %z (%Z|%S) <[WEIGHTS %q 2 %q] [AGGREGATE (SUM|MIN|MAX)] "
     "[WITHSCORES]>"},
    {8, COMPARE_EXACT, "ZDIFF (1 %z|2 %z %z|2 %Z %Z|3 %z %Z %z|3 %Z %z %S|2 %S %z) [WITHSCORES]"},
    {8, COMPARE_EXACT,
     "(ZUNIONSTORE|ZINTERSTORE) (%z|%Z) (2 %z %z|2 %Z %Z|2 %z %Z|2 %z %S) [WEIGHTS %q %q]"},
    {4, COMPARE_EXACT, "ZDIFFSTORE (%z|%Z) (1 %z|2 %z %z|2 %Z %Z|3 %z %Z %z)"},
    {5, COMPARE_EXACT, "ZINTERCARD (1 %z|2 %z %z|2 %Z %Z|3 %z %Z %z|2 %S %z) [LIMIT %c]"},
    {2, COMPARE_EXACT, "OBJECT ENCODING (%z|%Z)"},
    {1, COMPARE_EXACT, "DEL (%z|%Z)"},
};

static void combining(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(combining_rows, some_zsets)});
    pair_compare(pair, &(struct family){FAMILY(combining_rows, some_zsets), .stray = 40,
                                        .spoiled = 50, .answered = 1, .time_share = 30});
}

/* Sorted sets around the limits of 128 members and 64 bytes, member by member. */
static void limits_of_compact_zsets(void **state) {
    (void)state;
    char line[512];
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    for (int size = 62; size <= 66; size++) {
        snprintf(line, sizeof line, "ZADD v%d 1 %0*d", size, size, 7);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "OBJECT ENCODING v%d", size);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "ZUNIONSTORE u%d 1 v%d", size, size);
        pair_ask(pair, COMPARE_EXACT, line);
        snprintf(line, sizeof line, "OBJECT ENCODING u%d", size);
        pair_ask(pair, COMPARE_EXACT, line);
    }
    for (int i = 0; i < 140; i++) {
        snprintf(line, sizeof line, "ZADD many %d member:%d", i * 7 % 140, i);
        pair_ask(pair, COMPARE_EXACT, line);
        pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING many");
        pair_ask(pair, COMPARE_EXACT, "ZUNIONSTORE copy 1 many");
        pair_ask(pair, COMPARE_EXACT, "OBJECT ENCODING copy");
    }
    for (int i = 0; i < 138; i++) {
        snprintf(line, sizeof line, "ZREM many member:%d", i);
        pair_ask(pair, COMPARE_EXACT, line);
    }
    static const char *const lines[] = {
        "OBJECT ENCODING many",
        "COPY many again",
        "OBJECT ENCODING again",
        "ZRANGESTORE few many 0 -1",
        "OBJECT ENCODING few",
        "ZDIFFSTORE none 2 many few",
        "EXISTS none",
        "ZREMRANGEBYRANK many 0 -1",
        "EXISTS many",
        "CONFIG SET zset-max-ziplist-entries 3",
        "CONFIG GET zset-max-listpack-entries",
        "CONFIG GET zset-max-ziplist-value",
        "ZUNIONSTORE sum 2 many few AGGREGATE MAX",
        "ZINTERSTORE sum 2 many few WEIGHTS 2 3 AGGREGATE MIN",
        "ZRANGE sum 0 -1 WITHSCORES",
        "ZADD three 1 a 2 b 3 c",
        "OBJECT ENCODING three",
        "ZADD three 4 d",
        "OBJECT ENCODING three",
        "CONFIG SET zset-max-listpack-entries 128",
        "ZRANDMEMBER few 4",
        "ZPOPMIN few 0",
        "ZPOPMIN nosuch 0",
        "ZSCAN nosuch 0",
        "SCAN 0 TYPE zset COUNT 1000 MATCH three",
        "TYPE three",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        pair_ask(pair, COMPARE_EXACT, lines[i]);
    }
}

/* Scores of every size are read and written alike, in both protocols. */
static void scores(void **state) {
    (void)state;
    struct generator generator;
    char line[128];
    generate_init(&generator, 77);
    for (int protocol = 2; protocol <= 3; protocol++) {
        pair_connect(pair, protocol);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        for (int i = 0; i < 3000; i++) {
            uint64_t bits = generate_number(&generator);
            double score;
            memcpy(&score, &bits, sizeof score);
            if (i % 3 == 1) {
                score = ldexp((double)(int64_t)bits, -(int)(bits % 80));
            }
            if (i % 3 == 2) {
                snprintf(line, sizeof line, "ZADD z INCR %llue-%u m%d",
                         (unsigned long long)(bits % 1000000), (unsigned)(bits >> 61), i % 500);
                pair_ask(pair, COMPARE_EXACT, line);
            } else if (!isnan(score)) {
                snprintf(line, sizeof line, "ZADD z INCR %.*g m%d", 15 + i % 3, score, i % 500);
                pair_ask(pair, COMPARE_EXACT, line);
            }
        }
        pair_ask(pair, COMPARE_EXACT, "ZRANGE z 0 -1 WITHSCORES");
        static const char *const lines[] = {
            "ZADD odd inf a -inf b 0 c -0 d 1e-320 e 1.7976931348623157e308 f",
            "ZRANGE odd 0 -1 WITHSCORES",
            "ZADD odd nan x",
            "ZADD odd 1e400 x",
            "ZADD odd 1e-400 x",
            "ZINCRBY odd -inf a",
            "ZADD odd INCR +inf b",
            "ZINCRBY odd 0 d",
            "ZSCORE odd d",
            "ZINCRBY odd 1.7976931348623157e308 f",
            "ZMSCORE odd a b c d e f nosuch",
            "ZCOUNT odd -inf (0",
            "ZCOUNT odd ( 1",
            "ZRANGEBYSCORE odd -1e999 1e999",
            "ZSCAN odd 0",
            "ZPOPMAX odd 2",
            "ZPOPMIN odd",
        };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            pair_ask(pair, COMPARE_EXACT, lines[i]);
        }
    }
}

static void walks(void **state) {
    (void)state;
    static const char *const tails[] = {
        "",           " COUNT 1",       " COUNT 10000",
        " MATCH *1*", " MATCH nothing", " COUNT 3 MATCH *:1? COUNT 7"};
    static const int sizes[] = {1, 5, 150, 1500};
    char line[128];
    for (size_t size = 0; size < sizeof sizes / sizeof *sizes; size++) {
        pair_connect(pair, 2);
        pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
        for (int i = 0; i < sizes[size]; i++) {
            snprintf(line, sizeof line, "ZADD zset %d.5 member:%d", i / 2, i);
            pair_ask(pair, COMPARE_EXACT, line);
        }
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            pair_compare_walks(pair, "ZSCAN zset", tails[i], 2);
        }
        pair_compare_walks(pair, "SCAN", " TYPE zset", 1);
        pair_compare_walks(pair, "SCAN", " TYPE set", 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zsets),        cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(ranks),        cmocka_unit_test(ranges_of_names),
        cmocka_unit_test(combining),    cmocka_unit_test(limits_of_compact_zsets),
        cmocka_unit_test(scores),       cmocka_unit_test(walks),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
