/* Tests of base/glob. The odd cases were compared with what redis-server 7.0 answers. */
#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool matches(const char *pattern, const char *text) {
    return glob_match(bytes_text(pattern), bytes_text(text), false);
}

static bool matches_folded(const char *pattern, const char *text) {
    return glob_match(bytes_text(pattern), bytes_text(text), true);
}

static void test_plain_and_any(void **state) {
    (void)state;
    assert_true(matches("", ""));
    assert_false(matches("", "a"));
    assert_false(matches("a", ""));
    assert_false(matches("?", ""));
    assert_true(matches("abc", "abc"));
    assert_false(matches("abc", "ab"));
    assert_false(matches("ab", "abc"));
    assert_true(matches("h?llo", "hello"));
    assert_false(matches("h?llo", "hllo"));
    assert_true(glob_match(bytes_of("a\0?", 3), bytes_of("a\0\r", 3), false));
    assert_false(glob_match(bytes_of("a\0b", 3), bytes_of("a\0c", 3), false));
}

static void test_stars(void **state) {
    (void)state;
    assert_true(matches("*", ""));
    assert_true(matches("**", "abc"));
    assert_true(matches("a*", "a"));
    assert_true(matches("a**", "a"));
    assert_true(matches("*a", "aba"));
    assert_true(matches("*a*b*c*", "xxaxxbxxcxx"));
    assert_false(matches("*a*b*c", "xxaxxbxxcxx"));
    assert_true(matches("*ab?", "aababc"));
    assert_false(matches("*?b", "b"));
    assert_true(matches("*\\*", "x*"));
    assert_false(matches("*\\*", "xy"));
    assert_true(matches("*[b-d]*x", "aacaxyx"));
}

static void test_classes(void **state) {
    (void)state;
    assert_true(matches("h[ae]llo", "hallo"));
    assert_false(matches("h[ae]llo", "hillo"));
    assert_true(matches("h[^e]llo", "hallo"));
    assert_false(matches("h[^e]llo", "hello"));
    assert_true(matches("[a-c]", "b"));
    assert_false(matches("[a-c]", "d"));
    assert_true(matches("[c-a]", "b"));
    assert_true(matches("[\\]]", "]"));
    assert_true(matches("[\\-a]", "-"));
    assert_false(matches("[]", "]"));
    assert_false(matches("[]a]", "a]"));
    assert_true(matches("[^]", "x"));
    assert_true(matches("[^]b", "xb"));
    assert_true(matches("[a^]", "^"));
    assert_false(matches("[^a]", ""));
}

static void test_odd_classes(void **state) {
    (void)state;
    /* Not closed: ends with the pattern. */
    assert_false(matches("[", "["));
    assert_false(matches("[", "a"));
    assert_true(matches("[^", "a"));
    assert_true(matches("[a", "a"));
    assert_true(matches("[ab", "b"));
    assert_true(matches("[a-", "-"));
    assert_true(matches("[\\", "\\"));
    assert_true(matches("*[a", "xa"));
    /* A range's end may be a bracket or a backslash. */
    assert_false(matches("[a-]", "b"));
    assert_true(matches("[a-]", "^"));
    assert_true(matches("[Z-]x", "["));
    assert_true(matches("[a-\\]]", "]]"));
    assert_false(matches("[a-\\]]", "b]"));
    assert_true(matches("[a-\\]]", "^]"));
    /* Bytes of a range are compared as signed. */
    assert_true(matches("[a-\xff]", "A"));
    assert_true(matches("[\x80-\xff]", "\x90"));
    assert_false(matches("[a-\xff]", "\x90"));
}

static void test_escapes(void **state) {
    (void)state;
    assert_true(matches("\\a", "a"));
    assert_true(matches("\\?", "?"));
    assert_false(matches("\\?", "a"));
    assert_true(matches("\\\\", "\\"));
    assert_true(matches("\\[a]", "[a]"));
    assert_true(matches("a\\", "a\\"));
    assert_false(matches("a\\", "a"));
}

static void test_folding(void **state) {
    (void)state;
    assert_true(matches_folded("MAX*", "maxmemory"));
    assert_false(matches("MAX*", "maxmemory"));
    assert_true(matches_folded("[M]ax", "max"));
    assert_true(matches_folded("[A-Z]ax", "max"));
    assert_true(matches_folded("\\Max", "max"));
    /* An escaped byte in a class does not fold. */
    assert_false(matches_folded("[\\M]ax", "max"));
    assert_true(matches_folded("[^\\M]ax", "max"));
    assert_false(matches_folded("@", "`"));
}

/* Would take longer than the universe has if a star were tried again for each star before it. */
static void test_is_not_exponential(void **state) {
    (void)state;
    char text[2001];
    memset(text, 'a', 2000);
    text[2000] = '\0';
    char pattern[202];
    for (int i = 0; i < 200; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    memcpy(pattern + 200, "b", 2);
    assert_false(matches(pattern, text));
    pattern[200] = '*';
    assert_true(matches(pattern, text));
}

static void test_matches_all(void **state) {
    (void)state;
    assert_true(glob_matches_all(bytes_text("*")));
    assert_true(glob_matches_all(bytes_text("***")));
    assert_false(glob_matches_all(bytes_text("")));
    assert_false(glob_matches_all(bytes_text("*a")));
    assert_false(glob_matches_all(bytes_text("\\*")));
}

static void test_literal_size(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        size_t size;
    } cases[] = {{"", 0}, {"abc", 3}, {"ab*", 2}, {"*", 0}, {"a?", 1}, {"a[b]", 1}, {"a\\b", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(glob_literal_size(bytes_text(cases[i].pattern)), cases[i].size);
    }
    assert_int_equal(glob_literal_size(bytes_of("a\0*", 3)), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_and_any),
        cmocka_unit_test(test_stars),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_odd_classes),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_is_not_exponential),
        cmocka_unit_test(test_matches_all),
        cmocka_unit_test(test_literal_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
