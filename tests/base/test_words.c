/* Tests of base/words. The odd cases were compared with what redis-server 7.0 answers. */
#include "base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define WORDS_MAX 16

/* Splits, in place and into another buffer, and writes the words as `[a][b]`; errors as numbers. */
static const char *split(const char *line, size_t size) {
    static char told[600];
    char apart[200];
    char in_place[200];
    struct bytes words[WORDS_MAX];
    struct bytes same[WORDS_MAX];
    memcpy(in_place, line, size);
    int count = words_split(bytes_of(line, size), apart, words, WORDS_MAX);
    assert_int_equal(words_split(bytes_of(in_place, size), in_place, same, WORDS_MAX), count);
    if (count < 0) {
        snprintf(told, sizeof told, "%d", count);
        return told;
    }
    size_t used = 0;
    told[0] = '\0';
    for (int i = 0; i < count; i++) {
        assert_true(bytes_equal(words[i], same[i]));
        used += (size_t)snprintf(told + used, sizeof told - used, "[%.*s]", (int)words[i].size,
                                 words[i].at);
    }
    return told;
}

static const char *split_text(const char *line) {
    return split(line, strlen(line));
}

static void test_plain(void **state) {
    (void)state;
    assert_string_equal(split_text(""), "");
    assert_string_equal(split_text(" \t\r\n\v\f "), "");
    assert_string_equal(split_text("get key"), "[get][key]");
    assert_string_equal(split_text("  get\tkey \r\n"), "[get][key]");
    assert_string_equal(split_text("a\\b"), "[a\\b]");
    assert_string_equal(split_text("a\\nb \\"), "[a\\nb][\\]");
    /* Vertical tab and form feed stand before words, but do not end them. */
    assert_string_equal(split_text("\va\vb\f"), "[a\vb\f]");
}

static void test_double_quotes(void **state) {
    (void)state;
    assert_string_equal(split_text("\"\""), "[]");
    assert_string_equal(split_text("\"a b\" c"), "[a b][c]");
    assert_string_equal(split_text("set k \"\\x41\\x42\\n\\r\\t\\\"\\\\\\q\""),
                        "[set][k][AB\n\r\t\"\\q]");
    assert_string_equal(split_text("\"\\a\\b\""), "[\a\b]");
    assert_string_equal(split_text("\"\\xZ1\\x4\""), "[xZ1x4]");
    assert_string_equal(split_text("\"it's\""), "[it's]");
    assert_string_equal(split_text("\"a\"\v"), "[a]");
    struct bytes word;
    char scratch[10];
    assert_int_equal(words_split(bytes_text("\"a\\x00b\""), scratch, &word, 1), 1);
    assert_true(bytes_equal(word, bytes_of("a\0b", 3)));
}

static void test_single_quotes(void **state) {
    (void)state;
    assert_string_equal(split_text("''"), "[]");
    assert_string_equal(split_text("'a b' 'c\\'d' '\\n\"'"), "[a b][c'd][\\n\"]");
}

static void test_quotes_within_words(void **state) {
    (void)state;
    assert_string_equal(split_text("foo\"bar\""), "[foobar]");
    assert_string_equal(split_text("foo'b r' x"), "[foob r][x]");
}

static void test_unbalanced(void **state) {
    (void)state;
    assert_string_equal(split_text("\""), "-1");
    assert_string_equal(split_text("\"abc"), "-1");
    assert_string_equal(split_text("'abc"), "-1");
    assert_string_equal(split_text("'a\\'"), "-1");
    assert_string_equal(split_text("\"a\\\""), "-1");
    assert_string_equal(split_text("\"a\\"), "-1");
    assert_string_equal(split_text("\"a\"b"), "-1");
    assert_string_equal(split_text("'a'b"), "-1");
    assert_string_equal(split_text("\"a\"\"b\""), "-1");
    assert_string_equal(split_text("ok ok a\"b"), "-1");
}

static void test_line_ends_at_nul(void **state) {
    (void)state;
    assert_string_equal(split("get a\0b c", 9), "[get][a]");
    assert_string_equal(split("\"a\0b\"", 5), "-1");
    assert_string_equal(split("\0a", 2), "");
}

static void test_too_many(void **state) {
    (void)state;
    assert_string_equal(split_text("1 2 3 4 5 6 7 8 9 a b c d e f g"),
                        "[1][2][3][4][5][6][7][8][9][a][b][c][d][e][f][g]");
    assert_string_equal(split_text("1 2 3 4 5 6 7 8 9 a b c d e f g h"), "-2");
    char scratch[8];
    assert_int_equal(words_split(bytes_text("a"), scratch, NULL, 0), -2);
    assert_int_equal(words_split(bytes_text("  "), scratch, NULL, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_double_quotes),
        cmocka_unit_test(test_single_quotes), cmocka_unit_test(test_quotes_within_words),
        cmocka_unit_test(test_unbalanced),    cmocka_unit_test(test_line_ends_at_nul),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
