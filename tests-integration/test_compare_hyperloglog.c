/* HyperLogLogs as the reference has them: the same replies and, since the values may be read by
 * GET, the same bytes. */
#include "compare.h"
#include "wire.h"

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

static const char *const some_counts[] = {
    "PFADD p:0 {%w} {%w}", "PFADD p:1 {%v}", "PFADD p:2", "PFADD p:3 {%w} {%v} {%i}", NULL,
};

#define KEY  "(p:0|p:1|p:2|p:3|p:4|%s)"
#define KEYS "(p:0|p:0 p:1|p:1 p:2 p:3|p:5 p:4|p:4 p:4|%s p:0)"

static const struct row count_rows[] = {
    {20, COMPARE_EXACT, "PFADD " KEY " {%w}"},
    {10, COMPARE_EXACT, "PFADD " KEY " {%v} {%i} {%w}"},
    {2, COMPARE_EXACT, "PFADD " KEY},
    {8, COMPARE_EXACT, "PFCOUNT " KEY},
    {6, COMPARE_EXACT, "PFCOUNT " KEYS},
    {4, COMPARE_EXACT, "PFMERGE " KEY " " KEYS},
    {1, COMPARE_EXACT, "PFMERGE " KEY},
    {4, COMPARE_EXACT, "GET " KEY},
    {2, COMPARE_EXACT, "STRLEN " KEY},
    {2, COMPARE_EXACT, "OBJECT ENCODING " KEY},
    {2, COMPARE_EXACT, "PFDEBUG (DECODE|ENCODING) " KEY},
    {1, COMPARE_EXACT, "PFDEBUG (TODENSE|GETREG|what) " KEY},
    {1, COMPARE_EXACT, "COPY " KEY " " KEY " REPLACE"},
    {1, COMPARE_EXACT, "SET " KEY " %v"},
    {1, COMPARE_EXACT, "EXPIRE " KEY " %d"},
    {2, COMPARE_EXACT, "DEL " KEY},
};

static void counts(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(count_rows, some_counts), .answered = 30});
}

static void wrong_types_and_words(void **state) {
    (void)state;
    pair_compare(pair, &(struct family){FAMILY(count_rows, some_counts), .stray = 50, .spoiled = 50,
                                        .answered = 1, .time_share = 50});
}

/* From nothing through the sparse form to the dense one, at several limits. */
static void growth(void **state) {
    (void)state;
    static const char *const limits[] = {"0", "1", "100", "3000", "16000", "1000000"};
    uint32_t element = 0;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct words words = {0};
        words_add_line(&words, "CONFIG SET hll-sparse-max-bytes");
        words_add_text(&words, limits[i]);
        pair_connect(pair, 2);
        pair_ask_words(pair, COMPARE_EXACT, &words);
        pair_ask(pair, COMPARE_EXACT, "DEL g");
        for (int step = 0; step < 150; step++) {
            words_clear(&words);
            words_add_line(&words, "PFADD g");
            for (int k = 0; k < 1 + step / 4; k++) {
                words_add(&words, &element, sizeof element);
                element += 7;
            }
            pair_ask_words(pair, COMPARE_EXACT, &words);
            pair_ask(pair, COMPARE_EXACT, "PFCOUNT g");
            pair_ask(pair, COMPARE_EXACT, "PFDEBUG ENCODING g");
        }
        pair_ask(pair, COMPARE_EXACT, "GET g");
        words_clear(&words);
    }
    pair_ask(pair, COMPARE_EXACT, "CONFIG SET hll-sparse-max-bytes 3000");
}

/* Values that end too early, go on too long, or have no end. */
static void broken(void **state) {
    (void)state;
    pair_connect(pair, 3);
    static const char *const tails[] = {"",     "\x7f", "\x7f\xff\x80",     "\x7f\xfe",
                                        "\x40", "\x80", "\x7f\xff\x7f\xff", "\x7f\xff\x00"};
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct words words = {0};
        char value[32] = "HYLL\x01";
        /* The cardinality is to be reckoned. */
        value[15] = (char)0x80;
        size_t size = strlen(tails[i]);
        memcpy(value + 16, tails[i], size);
        words_add_line(&words, "SET b");
        words_add(&words, value, 16 + size);
        pair_ask_words(pair, COMPARE_EXACT, &words);
        words_clear(&words);
        pair_ask(pair, COMPARE_EXACT, "PFCOUNT b");
        pair_ask(pair, COMPARE_EXACT, "PFCOUNT b b");
        pair_ask(pair, COMPARE_EXACT, "PFMERGE d b");
    }
}

static void tests_itself(void **state) {
    (void)state;
    pair_connect(pair, 2);
    pair_ask(pair, COMPARE_EXACT, "PFSELFTEST");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),       cmocka_unit_test(wrong_types_and_words),
        cmocka_unit_test(growth),       cmocka_unit_test(broken),
        cmocka_unit_test(tests_itself), cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
