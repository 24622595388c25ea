/* Strings and bitmaps as the reference has them: thousands of commands made up at random, every
 * reply compared. */
#include "compare.h"

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

static const char *const some_strings[] = {"MSET s:0 %v s:1 %v s:2 %v s:3 %v s:4 12 s:5 %v",
                                           "HSET h:0 f1 %V f2 %V", NULL};

static const struct row string_rows[] = {
    {12, COMPARE_EXACT, "SET %s %v <[NX|XX] [GET] [EX %d|PX %D|EXAT %a|PXAT %A|KEEPTTL]>"},
    {6, COMPARE_EXACT, "SET %s %v"},
    {10, COMPARE_EXACT, "GET %s"},
    {3, COMPARE_EXACT, "GETSET %s %v"},
    {3, COMPARE_EXACT, "GETDEL %s"},
    {6, COMPARE_EXACT, "GETEX %s <[EX %d|PX %D|EXAT %a|PXAT %A|PERSIST]>"},
    {4, COMPARE_EXACT, "SETNX %s %v"},
    {3, COMPARE_EXACT, "SETEX %s %d %v"},
    {3, COMPARE_EXACT, "PSETEX %s %D %v"},
    {5, COMPARE_EXACT, "APPEND %s %v"},
    {3, COMPARE_EXACT, "STRLEN %s"},
    {5, COMPARE_EXACT, "GETRANGE %s %o %o"},
    {4, COMPARE_EXACT, "SETRANGE %s %O %v"},
    {2, COMPARE_EXACT, "SUBSTR %s %o %o"},
    {4, COMPARE_EXACT, "MGET {%k}"},
    {4, COMPARE_EXACT, "MSET {%s %v}"},
    {3, COMPARE_EXACT, "MSETNX {%s %v}"},
    {4, COMPARE_EXACT, "LCS %s %s <[LEN] [IDX] [MINMATCHLEN %c] [WITHMATCHLEN]>"},
    {6, COMPARE_NEAR, "(TTL|PTTL|EXPIRETIME|PEXPIRETIME) %s"},
    {4, COMPARE_EXACT, "OBJECT ENCODING %s"},
    {2, COMPARE_EXACT, "DEL {%s}"},
    {1, COMPARE_EXACT, "TYPE %s"},
};

static void strings(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(string_rows, some_strings)});
}

static const char *const some_numbers[] = {
    "MSET s:0 %i s:1 %i s:2 %f s:3 %f s:4 12 s:5 3.0 s:6 -7 s:7 9223372036854775800", NULL};

static const struct row number_rows[] = {
    {6, COMPARE_EXACT, "SET %s (%i|%f)"},  {6, COMPARE_EXACT, "INCR %s"},
    {6, COMPARE_EXACT, "DECR %s"},         {8, COMPARE_EXACT, "INCRBY %s %i"},
    {8, COMPARE_EXACT, "DECRBY %s %i"},    {12, COMPARE_EXACT, "INCRBYFLOAT %s %f"},
    {2, COMPARE_EXACT, "APPEND %s %i"},    {2, COMPARE_EXACT, "SETRANGE %s %O (1|-|.)"},
    {4, COMPARE_EXACT, "GET %s"},          {3, COMPARE_EXACT, "OBJECT ENCODING %s"},
    {3, COMPARE_EXACT, "STRLEN %s"},       {2, COMPARE_EXACT, "GETRANGE %s %o %o"},
    {2, COMPARE_EXACT, "GETSET %s %i"},    {2, COMPARE_EXACT, "DEL %s"},
    {2, COMPARE_EXACT, "EXPIRE %s %d"},    {2, COMPARE_NEAR, "TTL %s"},
    {1, COMPARE_EXACT, "SETBIT %s %x %e"},
};

static void numbers(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(number_rows, some_numbers)});
}

static const struct row bitmap_rows[] = {
    {8, COMPARE_EXACT, "SETBIT %s %x %e"},
    {6, COMPARE_EXACT, "GETBIT %s %x"},
    {8, COMPARE_EXACT, "BITCOUNT %s [%o %o [BYTE|BIT]]"},
    {8, COMPARE_EXACT, "BITPOS %s %e [%o [%o [BYTE|BIT]]]"},
    {6, COMPARE_EXACT, "BITOP (AND|OR|XOR) %s {%s}"},
    {3, COMPARE_EXACT, "BITOP NOT %s %s"},
    {12, COMPARE_EXACT,
     "BITFIELD %s {(GET %y %Y|SET %y %Y %I|INCRBY %y %Y %I|OVERFLOW (WRAP|SAT|FAIL))}"},
    {4, COMPARE_EXACT, "BITFIELD_RO %s {GET %y %Y}"},
    {2, COMPARE_EXACT, "BITFIELD_RO %s GET %y %Y SET %y %Y %I"},
    {5, COMPARE_EXACT, "SET %s %v"},
    {2, COMPARE_EXACT, "SETRANGE %s %O %w"},
    {4, COMPARE_EXACT, "GET %s"},
    {3, COMPARE_EXACT, "STRLEN %s"},
    {2, COMPARE_EXACT, "OBJECT ENCODING %s"},
    {1, COMPARE_EXACT, "EXPIRE %s %d"},
    {1, COMPARE_NEAR, "TTL %s"},
    {1, COMPARE_EXACT, "DEL %s"},
};

static void bitmaps(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(bitmap_rows, some_strings)});
}

static const struct row big_rows[] = {
    {6, COMPARE_EXACT, "SET %s %B [EX %d]"},
    {6, COMPARE_EXACT, "GET %s"},
    {2, COMPARE_EXACT, "APPEND %s %B"},
    {2, COMPARE_EXACT, "SETRANGE %s %O %B"},
    {2, COMPARE_EXACT, "GETSET %s %B"},
    {2, COMPARE_EXACT, "GETDEL %s"},
    {2, COMPARE_EXACT, "MSET {%s %B}"},
    {2, COMPARE_EXACT, "MGET {%s}"},
    {2, COMPARE_EXACT, "GETRANGE %s %o %o"},
    {2, COMPARE_EXACT, "GETRANGE %s 100 200000"},
    {2, COMPARE_EXACT, "HSET %h %F %B %F %V"},
    {2, COMPARE_EXACT, "HGET %h %F"},
    {1, COMPARE_PAIRS, "HGETALL %h"},
    {1, COMPARE_EXACT, "HSTRLEN %h %F"},
    {1, COMPARE_EXACT, "BITCOUNT %s"},
    {1, COMPARE_EXACT, "BITOP (OR|XOR|AND) %s %s %s"},
    {2, COMPARE_EXACT, "COPY %s %s REPLACE"},
    {2, COMPARE_EXACT, "RENAME %s %s"},
    {1, COMPARE_EXACT, "ECHO %B"},
    {1, COMPARE_EXACT, "DEL {%k}"},
    {1, COMPARE_EXACT, "STRLEN %s"},
};

static void big_values(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(big_rows, some_strings), .commands = 120});
}

/* Hardly a key is of the type that the command is for, and much else is wrong as well. */
static void wrong_types_and_words(void **state) {
    (void)state;
    static const char *const keys[] = {"MSET s:0 %v s:1 %v s:2 %v h:4 %v t:1 %v", "HSET h:0 %F %V",
                                       "HSET s:7 %F %V", "HSET s:6 %F %V", NULL};
    const struct family families[] = {
        {FAMILY(string_rows, keys)}, {FAMILY(number_rows, keys)}, {FAMILY(bitmap_rows, keys)}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct family family = families[i];
        family.stray = 60;
        family.spoiled = 40;
        family.answered = 1;
        family.time_share = 30;
        pair_compare(pair, &family);
    }
}

static void expect_texts(const char *line, const char *ours, const char *theirs) {
    char *texts[2];
    pair_texts(pair, line, texts);
    assert_string_equal(texts[0], ours);
    assert_string_equal(texts[1], theirs);
    free(texts[0]);
    free(texts[1]);
}

/* The reference saturates what is far below the least number of a field to its largest, since its
 * subtraction overflows. We saturate to the least. The templates leave such numbers out. */
static void saturates_downwards(void **state) {
    (void)state;
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "FLUSHALL");
    expect_texts("BITFIELD s OVERFLOW SAT SET i16 0 -9223372036854775808 GET i16 0",
                 "[:0, :-32768]", "[:0, :32767]");
    pair_ask(pair, COMPARE_EXACT, "DEL s");
    pair_ask(pair, COMPARE_EXACT, "BITFIELD s OVERFLOW SAT SET i16 0 -9223372036854743040");
    pair_ask(pair, COMPARE_EXACT, "BITFIELD s OVERFLOW SAT SET i64 0 -9223372036854775808");
    pair_ask(pair, COMPARE_EXACT, "BITFIELD s OVERFLOW SAT INCRBY i16 0 -9223372036854775808");
    pair_ask(pair, COMPARE_EXACT, "GET s");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bitmaps),
        cmocka_unit_test(big_values),
        cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(saturates_downwards),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
