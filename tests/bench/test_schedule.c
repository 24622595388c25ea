/* Tests of bench/load/schedule: even distances and their parts, and the Poisson process by its mean
 * and its spread. */
#include "load/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define DRAWS 200000

static void test_even(void **state) {
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, 1000, false, 5000000000, 0, 1, 1);
    for (int64_t i = 0; i < 100000; i++) {
        assert_int_equal(schedule_due(&schedule), 5000000000 + i * 1000000);
        schedule_advance(&schedule);
    }
}

/* Three parts together are one even schedule. */
static void test_even_parts(void **state) {
    (void)state;
    struct schedule parts[3];
    for (int part = 0; part < 3; part++) {
        schedule_init(&parts[part], 500, false, 0, part, 3, 1);
    }
    for (int64_t i = 0; i < 3000; i++) {
        assert_int_equal(schedule_due(&parts[i % 3]), i * 2000000);
        schedule_advance(&parts[i % 3]);
    }
}

/* Distances of a Poisson process have the mean 1 / rate and a deviation just as large; the share
 * exp(-2) of them is more than twice the mean. */
static void test_poisson(void **state) {
    (void)state;
    struct schedule schedule;
    schedule_init(&schedule, 1e6, true, 0, 0, 1, 1);
    double sum = 0;
    double squares = 0;
    int above = 0;
    int64_t last = schedule_due(&schedule);
    for (int i = 0; i < DRAWS; i++) {
        schedule_advance(&schedule);
        int64_t due = schedule_due(&schedule);
        assert_true(due >= last);
        double distance = (double)(due - last);
        sum += distance;
        squares += distance * distance;
        above += distance > 2000;
        last = due;
    }
    double mean = sum / DRAWS;
    assert_true(fabs(mean - 1000) < 5 * 1000 / sqrt(DRAWS));
    assert_true(fabs(sqrt(squares / DRAWS - mean * mean) - 1000) < 20);
    assert_true(fabs(above - exp(-2) * DRAWS) < 5 * sqrt(exp(-2) * DRAWS));
}

static void test_poisson_parts_differ(void **state) {
    (void)state;
    struct schedule first;
    struct schedule second;
    schedule_init(&first, 1000, true, 0, 0, 2, 1);
    schedule_init(&second, 1000, true, 0, 1, 2, 1);
    assert_true(schedule_due(&first) != schedule_due(&second));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_even),
        cmocka_unit_test(test_even_parts),
        cmocka_unit_test(test_poisson),
        cmocka_unit_test(test_poisson_parts_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
