/* Tests of bench/load/durations: percentiles of small sets by hand, of uniform, equal and bimodal
 * distributions by their formulas, and of random ones against a sorted array. */
#include "load/durations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

#define SAMPLES 20000

/* At or above the truth, by no more than is promised. */
static void assert_near(int64_t got, int64_t wanted) {
    assert_true(got >= wanted);
    assert_true((double)got <= (double)wanted * (1 + DURATIONS_ERROR));
}

static void test_empty(void **state) {
    (void)state;
    size_t before = mem_used();
    struct durations *durations = durations_new();
    durations_record(durations, 5, 0);
    assert_int_equal(durations_count(durations), 0);
    assert_int_equal(durations_min(durations), 0);
    assert_int_equal(durations_max(durations), 0);
    assert_true(durations_mean(durations) == 0);
    assert_int_equal(durations_percentile(durations, 0), 0);
    assert_int_equal(durations_percentile(durations, 50), 0);
    assert_int_equal(durations_percentile(durations, 100), 0);
    durations_free(durations);
    durations_free(NULL);
    assert_int_equal(mem_used(), before);
}

/* Up to 2047 ns buckets are one nanosecond wide: nearest ranks come out exactly. */
static void test_small_sets(void **state) {
    (void)state;
    struct durations *durations = durations_new();
    for (int64_t ns = 10; ns <= 100; ns += 10) {
        durations_record(durations, ns, 1);
    }
    static const struct {
        double percent;
        int64_t ns;
    } rows[] = {{0, 10},  {1, 10},     {10, 10},  {10.1, 20}, {50, 50},    {51, 60},  {89.9, 90},
                {90, 90}, {90.1, 100}, {99, 100}, {95, 100},  {99.9, 100}, {100, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(durations_percentile(durations, rows[i].percent), rows[i].ns);
    }
    assert_true(durations_mean(durations) == 55);
    assert_int_equal(durations_min(durations), 10);
    assert_int_equal(durations_max(durations), 100);
    durations_free(durations);
}

static void test_one(void **state) {
    (void)state;
    struct durations *durations = durations_new();
    durations_record(durations, 123456789, 1);
    for (double percent = 0; percent <= 100; percent += 12.5) {
        assert_int_equal(durations_percentile(durations, percent), 123456789);
    }
    durations_free(durations);
}

/* 1 .. 1000 times a microsecond: the percentile p is p times ten microseconds. */
static void test_uniform(void **state) {
    (void)state;
    struct durations *durations = durations_new();
    for (int64_t i = 1000; i >= 1; i--) {
        durations_record(durations, i * 1000, 1);
    }
    for (int tenth = 1; tenth <= 1000; tenth++) {
        assert_near(durations_percentile(durations, tenth / 10.0), tenth * 1000);
    }
    assert_true(durations_mean(durations) == 500500);
    durations_free(durations);
}

static void test_equal(void **state) {
    (void)state;
    static const int64_t values[] = {0, 1, 1023, 2047, 2048, 2049, 1000000, 999999999999};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct durations *durations = durations_new();
        durations_record(durations, values[i], 1000000);
        assert_int_equal(durations_count(durations), 1000000);
        assert_int_equal(durations_percentile(durations, 0), values[i]);
        assert_int_equal(durations_percentile(durations, 0.001), values[i]);
        assert_int_equal(durations_percentile(durations, 99.999), values[i]);
        assert_int_equal(durations_percentile(durations, 100), values[i]);
        durations_free(durations);
    }
}

/* 990 fast ones and ten that stood behind a stall: p99 is the last fast one, p99.1 a slow one. */
static void test_bimodal(void **state) {
    (void)state;
    struct durations *durations = durations_new();
    durations_record(durations, 100, 990);
    durations_record(durations, 2000000000, 10);
    assert_int_equal(durations_percentile(durations, 50), 100);
    assert_int_equal(durations_percentile(durations, 99), 100);
    assert_near(durations_percentile(durations, 99.1), 2000000000);
    assert_near(durations_percentile(durations, 99.9), 2000000000);
    assert_int_equal(durations_percentile(durations, 100), 2000000000);
    durations_free(durations);
}

/* Every power of two is an edge between rows of buckets. */
static void test_edges(void **state) {
    (void)state;
    for (unsigned power = 1; power < 42; power++) {
        int64_t edge = (int64_t)1 << power;
        struct durations *durations = durations_new();
        durations_record(durations, edge - 1, 1);
        durations_record(durations, edge, 1);
        assert_int_equal(durations_percentile(durations, 50), edge - 1);
        assert_int_equal(durations_percentile(durations, 100), edge);
        durations_free(durations);
    }
    struct durations *durations = durations_new();
    durations_record(durations, INT64_MAX, 1);
    durations_record(durations, -7, 1);
    assert_int_equal(durations_max(durations), DURATIONS_MAX);
    assert_int_equal(durations_percentile(durations, 100), DURATIONS_MAX);
    assert_int_equal(durations_min(durations), 0);
    durations_free(durations);
}

static int compare_numbers(const void *a, const void *b) {
    const int64_t *left = a;
    const int64_t *right = b;
    return (*left > *right) - (*left < *right);
}

/* Sizes from nanoseconds to minutes; half of them recorded apart and merged. */
static void test_against_sorted(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 1);
    int64_t *all = malloc(SAMPLES * sizeof *all);
    struct durations *durations = durations_new();
    struct durations *others = durations_new();
    for (int i = 0; i < SAMPLES; i++) {
        all[i] = (int64_t)(random_next(&random) >> (24 + random_below(&random, 38)));
        durations_record(i % 2 == 0 ? durations : others, all[i], 1);
    }
    durations_merge(durations, others);
    qsort(all, SAMPLES, sizeof *all, compare_numbers);
    assert_int_equal(durations_count(durations), SAMPLES);
    assert_int_equal(durations_min(durations), all[0]);
    assert_int_equal(durations_max(durations), all[SAMPLES - 1]);
    for (int i = 1; i <= SAMPLES; i++) {
        assert_near(durations_percentile(durations, i * 100.0 / SAMPLES), all[i - 1]);
    }
    durations_free(others);
    durations_free(durations);
    free(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_small_sets),
        cmocka_unit_test(test_one),   cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_equal), cmocka_unit_test(test_bimodal),
        cmocka_unit_test(test_edges), cmocka_unit_test(test_against_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
