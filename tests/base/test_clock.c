/* Tests of base/clock: it moves by itself, and stops doing so when driven. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_follows_the_system(void **state) {
    (void)state;
    struct clock clock;
    clock_init(&clock);
    assert_false(clock.driven);
    assert_true(clock.now_ms > 1600000000000);
    int64_t start_ms = clock.now_ms;
    int64_t start_us = clock.mono_us;
    for (int64_t spins = 0; clock.now_ms == start_ms && spins < 100000000; spins++) {
        clock_update(&clock);
    }
    assert_true(clock.now_ms > start_ms);
    assert_true(clock.mono_us > start_us);
}

static void test_driven(void **state) {
    (void)state;
    struct clock clock;
    clock_init(&clock);
    int64_t mono = clock.mono_us;
    clock_drive(&clock, 1000);
    assert_int_equal(clock.now_ms, 1000);
    assert_int_equal(clock.mono_us, mono);
    clock_update(&clock);
    assert_int_equal(clock.now_ms, 1000);
    clock_drive(&clock, 1005);
    assert_int_equal(clock.now_ms, 1005);
    assert_int_equal(clock.mono_us, mono + 5000);
    clock_drive(&clock, 1);
    assert_int_equal(clock.now_ms, 1);
    assert_int_equal(clock.mono_us, mono + 5000);
}

static void test_units(void **state) {
    (void)state;
    int64_t us = clock_mono_us();
    int64_t ns = clock_mono_ns();
    assert_true(ns / 1000 >= us && ns / 1000 - us < 60000000);
    struct clock clock;
    clock_init(&clock);
    int64_t wall = clock_wall_us();
    assert_true(wall / 1000 >= clock.now_ms && wall / 1000 - clock.now_ms < 60000);
    int64_t cpu = clock_thread_cpu_ns();
    assert_true(cpu > 0);
    for (int64_t spins = 0; clock_thread_cpu_ns() == cpu && spins < 100000000; spins++) {}
    assert_true(clock_thread_cpu_ns() > cpu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_the_system),
        cmocka_unit_test(test_driven),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
