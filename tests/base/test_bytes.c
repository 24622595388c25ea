/* Tests of base/bytes: equality at every size, folding, order. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_same_sees_every_byte(void **state) {
    (void)state;
    char a[100];
    char b[100];
    for (size_t size = 0; size <= sizeof a; size++) {
        memset(a, 'x', sizeof a);
        memset(b, 'x', sizeof b);
        assert_true(bytes_same(a, b, size));
        for (size_t i = 0; i < sizeof a; i++) {
            b[i] = '\0';
            assert_int_equal(bytes_same(a, b, size), i >= size);
            b[i] = 'x';
        }
    }
}

static void test_equal(void **state) {
    (void)state;
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_text("")));
    assert_true(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0b", 3)));
    assert_false(bytes_equal(bytes_of("a\0b", 3), bytes_of("a\0c", 3)));
    assert_false(bytes_equal(bytes_text("a"), bytes_text("ab")));
}

static void test_is_folds_letters_only(void **state) {
    (void)state;
    assert_true(bytes_is(bytes_text("WithScores"), "wITHsCORES"));
    assert_true(bytes_is(bytes_of(NULL, 0), ""));
    assert_false(bytes_is(bytes_text("abc"), "ab"));
    assert_false(bytes_is(bytes_text("ab"), "abc"));
    assert_false(bytes_is(bytes_of("ab\0", 3), "ab"));
    assert_false(bytes_is(bytes_text("@"), "`"));
    assert_false(bytes_is(bytes_text("["), "{"));
    assert_false(bytes_is(bytes_text("\xc0"), "\xe0"));
}

static void test_compare(void **state) {
    (void)state;
    assert_int_equal(bytes_compare(bytes_of(NULL, 0), bytes_text("")), 0);
    assert_true(bytes_compare(bytes_text("a"), bytes_text("b")) < 0);
    assert_true(bytes_compare(bytes_text("b"), bytes_text("ab")) > 0);
    assert_true(bytes_compare(bytes_text("a"), bytes_text("ab")) < 0);
    assert_true(bytes_compare(bytes_of("a\0", 2), bytes_text("a")) > 0);
    assert_true(bytes_compare(bytes_text("\xff"), bytes_text("a")) > 0);
    assert_int_equal(bytes_compare(bytes_text("same"), bytes_text("same")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_sees_every_byte),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_is_folds_letters_only),
        cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
