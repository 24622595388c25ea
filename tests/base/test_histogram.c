/* Tests of base/histogram: the buckets' edges, and percentiles and counts against a sorted array of
 * the same durations. */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

#define SAMPLES 20000

static void test_empty(void **state) {
    (void)state;
    size_t before = mem_used();
    struct histogram *histogram = histogram_new();
    assert_int_equal(histogram_count(histogram), 0);
    assert_int_equal(histogram_max(histogram), 0);
    assert_int_equal(histogram_sum(histogram), 0);
    assert_int_equal(histogram_percentile(histogram, 0), 0);
    assert_int_equal(histogram_percentile(histogram, 100), 0);
    assert_int_equal(histogram_count_below_power(histogram, 0), 0);
    assert_int_equal(histogram_count_below_power(histogram, 63), 0);
    histogram_record(histogram, 5, 0);
    assert_int_equal(histogram_count(histogram), 0);
    histogram_free(histogram);
    histogram_free(NULL);
    assert_int_equal(mem_used(), before);
}

/* Every power of two is an edge: what is below it is told apart from what is not. */
static void test_edges(void **state) {
    (void)state;
    for (unsigned power = 0; power < 42; power++) {
        int64_t edge = (int64_t)1 << power;
        struct histogram *histogram = histogram_new();
        histogram_record(histogram, edge - 1, 1);
        histogram_record(histogram, edge, 2);
        assert_int_equal(histogram_count(histogram), 3);
        assert_int_equal(histogram_max(histogram), edge);
        assert_int_equal(histogram_count_below_power(histogram, power), 1);
        assert_int_equal(histogram_count_below_power(histogram, power + 1), 3);
        if (power > 0) {
            assert_int_equal(histogram_count_below_power(histogram, power - 1), 0);
        }
        assert_int_equal(histogram_percentile(histogram, 100), edge);
        int64_t low = histogram_percentile(histogram, 0);
        assert_true(low >= edge - 1 && low <= edge);
        histogram_free(histogram);
    }
}

static void test_out_of_range(void **state) {
    (void)state;
    struct histogram *histogram = histogram_new();
    histogram_record(histogram, -1, 1);
    histogram_record(histogram, INT64_MIN, 1);
    histogram_record(histogram, HISTOGRAM_MAX, 1);
    histogram_record(histogram, HISTOGRAM_MAX + 1, 1);
    histogram_record(histogram, INT64_MAX, 1);
    assert_int_equal(histogram_count(histogram), 5);
    assert_int_equal(histogram_count_below_power(histogram, 0), 2);
    assert_int_equal(histogram_max(histogram), HISTOGRAM_MAX);
    assert_int_equal(histogram_percentile(histogram, 100), HISTOGRAM_MAX);
    assert_int_equal(histogram_percentile(histogram, 40), 0);
    assert_int_equal(histogram_count_below_power(histogram, 41), 2);
    assert_int_equal(histogram_count_below_power(histogram, 42), 5);
    histogram_free(histogram);
}

/* A run of calls counts as often as it says, in sums and in percentiles. */
static void test_runs(void **state) {
    (void)state;
    struct histogram *histogram = histogram_new();
    histogram_record(histogram, 10, 990);
    histogram_record(histogram, 50, 9);
    histogram_record(histogram, 63, 1);
    assert_int_equal(histogram_count(histogram), 1000);
    assert_int_equal(histogram_sum(histogram), 990 * 10 + 9 * 50 + 63);
    assert_int_equal(histogram_percentile(histogram, 50), 10);
    assert_int_equal(histogram_percentile(histogram, 99), 10);
    assert_int_equal(histogram_percentile(histogram, 99.9), 50);
    assert_int_equal(histogram_percentile(histogram, 100), 63);
    /* More than 32 bits of calls. */
    histogram_record(histogram, 3, UINT64_C(1) << 40);
    assert_int_equal(histogram_count(histogram), (UINT64_C(1) << 40) + 1000);
    assert_int_equal(histogram_percentile(histogram, 50), 3);
    histogram_free(histogram);
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Against the exact answer: never below it, and above it by less than a 64th. */
static void test_model(void **state) {
    (void)state;
    int64_t *samples = malloc(SAMPLES * sizeof *samples);
    assert_non_null(samples);
    struct random random;
    random_init(&random, 7);
    struct histogram *whole = histogram_new();
    struct histogram *parts[2] = {histogram_new(), histogram_new()};
    for (size_t i = 0; i < SAMPLES; i++) {
        unsigned bits = (unsigned)random_below(&random, 40);
        samples[i] = (int64_t)(random_next(&random) & ((UINT64_C(1) << bits) - 1));
        histogram_record(whole, samples[i], 1);
        histogram_record(parts[i % 2], samples[i], 1);
    }
    qsort(samples, SAMPLES, sizeof *samples, compare);
    histogram_merge(parts[0], parts[1]);
    const double percents[] = {0.01, 1, 10, 50, 90, 99, 99.9, 99.99, 100};
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        size_t rank = (size_t)(percents[i] / 100 * SAMPLES + 0.5);
        int64_t exact = samples[rank - 1];
        int64_t got = histogram_percentile(whole, percents[i]);
        assert_true(got >= exact);
        assert_true(got <= exact + exact / 64);
        assert_int_equal(histogram_percentile(parts[0], percents[i]), got);
    }
    for (unsigned power = 0; power <= 42; power++) {
        size_t below = 0;
        while (below < SAMPLES && samples[below] < (int64_t)1 << power) {
            below++;
        }
        assert_int_equal(histogram_count_below_power(whole, power), below);
        assert_int_equal(histogram_count_below_power(parts[0], power), below);
    }
    assert_int_equal(histogram_sum(parts[0]), histogram_sum(whole));
    assert_int_equal(histogram_max(parts[0]), samples[SAMPLES - 1]);
    histogram_free(whole);
    histogram_free(parts[0]);
    histogram_free(parts[1]);
    free(samples);
}

/* Memory follows the octaves in use and is given back by a reset. */
static void test_reset(void **state) {
    (void)state;
    size_t before = mem_used();
    struct histogram *histogram = histogram_new();
    size_t empty = histogram_footprint(histogram);
    assert_int_equal(mem_used(), before + empty);
    histogram_record(histogram, 1000, 1);
    histogram_record(histogram, 1001, 1);
    assert_int_equal(histogram_footprint(histogram), empty + 512);
    histogram_record(histogram, 1000000, 1);
    assert_int_equal(histogram_footprint(histogram), empty + 1024);
    assert_int_equal(mem_used(), before + histogram_footprint(histogram));
    histogram_reset(histogram);
    assert_int_equal(histogram_footprint(histogram), empty);
    assert_int_equal(histogram_count(histogram), 0);
    assert_int_equal(histogram_max(histogram), 0);
    histogram_record(histogram, 7, 1);
    assert_int_equal(histogram_percentile(histogram, 50), 7);
    for (unsigned power = 0; power < 42; power++) {
        histogram_record(histogram, (int64_t)1 << power, 1);
    }
    assert_true(histogram_footprint(histogram) < 20 * 1024);
    histogram_free(histogram);
    assert_int_equal(mem_used(), before);
}

/* What is left after an earlier state was taken away is what came since. */
static void test_subtract(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 9);
    struct histogram *all = histogram_new();
    struct histogram *earlier = histogram_new();
    struct histogram *since = histogram_new();
    for (int i = 0; i < 4000; i++) {
        unsigned bits = (unsigned)random_below(&random, 40);
        int64_t sample = (int64_t)(random_next(&random) & ((UINT64_C(1) << bits) - 1));
        histogram_record(all, sample, 3);
        histogram_record(i < 1000 ? earlier : since, sample, 3);
    }
    histogram_subtract(all, earlier);
    assert_int_equal(histogram_count(all), histogram_count(since));
    assert_int_equal(histogram_sum(all), histogram_sum(since));
    for (double percent = 0; percent < 100; percent += 0.5) {
        assert_int_equal(histogram_percentile(all, percent), histogram_percentile(since, percent));
    }
    assert_true(histogram_max(all) >= histogram_max(since));
    assert_true(histogram_max(all) <= histogram_max(since) + histogram_max(since) / 64);
    /* Nothing is left of itself, and nothing below 0 of less. */
    histogram_subtract(all, all);
    assert_int_equal(histogram_count(all), 0);
    assert_int_equal(histogram_max(all), 0);
    assert_int_equal(histogram_percentile(all, 99), 0);
    histogram_subtract(all, since);
    assert_int_equal(histogram_count(all), 0);
    assert_int_equal(histogram_sum(all), 0);
    histogram_free(all);
    histogram_free(earlier);
    histogram_free(since);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_runs),
        cmocka_unit_test(test_model),        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_subtract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
