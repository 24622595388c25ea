/* Tests of store/worth: the logarithm of a count that decays, against the count itself. */
#include "store/worth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_counts_add_up(void **state) {
    (void)state;
    uint32_t worth = 0;
    for (int uses = 2; uses <= 200; uses++) {
        worth = worth_used(worth, 0);
        int64_t count = worth_count(worth, 0);
        assert_in_range(count, uses * 88 / 100, uses * 112 / 100 + 1);
    }
}

static void test_counts_halve(void **state) {
    (void)state;
    uint32_t worth = 0;
    for (int i = 1; i < 64; i++) {
        worth = worth_used(worth, 0);
    }
    assert_in_range(worth_count(worth, 3 * WORTH_ONE), 7, 9);
    assert_in_range(worth_count(worth, 6 * WORTH_ONE), 1, 1);
    assert_int_equal(worth_count(worth, 20 * WORTH_ONE), 0);
    /* Long unused, it is as new after one more use. */
    assert_int_equal(worth_used(worth, 40 * WORTH_ONE), 40 * WORTH_ONE);
}

static void test_order_stays(void **state) {
    (void)state;
    uint32_t often = worth_used(worth_used(0, 0), 0);
    uint32_t once = WORTH_ONE;
    for (uint32_t now = WORTH_ONE; now < 30 * WORTH_ONE; now += 7) {
        assert_true(worth_above(often, now) > worth_above(once, now));
    }
}

static void test_goes_round(void **state) {
    (void)state;
    uint32_t now = WORTH_MASK;
    uint32_t worth = worth_used(now, now);
    assert_int_equal(worth_above(worth, now), worth_above(worth_used(0, 0), 0));
    assert_int_equal(worth & ~WORTH_MASK, 0);
    assert_int_equal(worth_above(0, now), 1);
    /* What cannot be, left by another policy, is worth nothing, and the first use puts it right. */
    assert_int_equal(worth_above(now + WORTH_ABOVE_MAX + 1, now), WORTH_NONE);
    assert_int_equal(worth_used((now + WORTH_ABOVE_MAX + 1) & WORTH_MASK, now), now);
    assert_int_equal(worth_count((now + WORTH_ABOVE_MAX + 1) & WORTH_MASK, now), 0);
}

static void test_clock(void **state) {
    (void)state;
    uint64_t clock = 0;
    for (int i = 0; i < 10 * 1001; i++) {
        clock += worth_step(10, 1000);
    }
    assert_in_range(worth_now(clock), WORTH_ONE - 2, WORTH_ONE);
    assert_true(worth_step(10, 0) > 0);
    assert_true(worth_step(10, 1000000) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_add_up), cmocka_unit_test(test_counts_halve),
        cmocka_unit_test(test_order_stays),   cmocka_unit_test(test_goes_round),
        cmocka_unit_test(test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
