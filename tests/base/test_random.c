/* Tests of base/random: the published sequence, uniformity, bounds, secrets. */
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_published_sequence(void **state) {
    (void)state;
    struct random random = {.state = {1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240ULL};
    for (int i = 0; i < 4; i++) {
        assert_true(random_next(&random) == expected[i]);
    }
}

static void test_any_seed(void **state) {
    (void)state;
    struct random zero;
    struct random same;
    struct random other;
    random_init(&zero, 0);
    random_init(&same, 0);
    random_init(&other, 1);
    uint64_t any = 0;
    for (int i = 0; i < 10; i++) {
        uint64_t x = random_next(&zero);
        any |= x;
        assert_true(x == random_next(&same));
        assert_true(x != random_next(&other));
    }
    assert_true(any != 0);
}

static void test_below_is_uniform(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 5);
    int seen[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t x = random_below(&random, 10);
        assert_true(x < 10);
        seen[x]++;
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
    uint64_t large = ((uint64_t)1 << 63) + 1;
    int upper = 0;
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(random_below(&random, 1), 0);
        uint64_t x = random_below(&random, large);
        assert_true(x < large);
        upper += x >= large / 2;
    }
    assert_in_range(upper, 4700, 5300);
    assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
}

static void test_secret_fills_all(void **state) {
    (void)state;
    unsigned char a[600];
    unsigned char b[600];
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    random_secret(a, 0);
    assert_int_equal(a[0], 0);
    random_secret(a, sizeof a);
    random_secret(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    int zeros = 0;
    for (size_t i = 568; i < sizeof a; i++) {
        zeros += a[i] == 0;
    }
    assert_true(zeros < 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sequence),
        cmocka_unit_test(test_any_seed),
        cmocka_unit_test(test_below_is_uniform),
        cmocka_unit_test(test_secret_fills_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
