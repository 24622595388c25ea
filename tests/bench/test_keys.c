/* Tests of bench/load/keys: each order against what it promises, Zipf's law by its formula. */
#include "load/keys.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DRAWS 400000

static void test_sequence(void **state) {
    (void)state;
    struct keys_plan plan = {.order = KEYS_SEQUENCE, .count = 10};
    struct keys keys;
    keys_init(&keys, &plan, 0, 1);
    for (uint64_t i = 0; i < 25; i++) {
        assert_int_equal(keys_next(&keys), i % 10);
    }
}

/* Parts share all keys out, however the number divides. */
static void test_sequence_of_parts(void **state) {
    (void)state;
    for (uint64_t count = 7; count < 40; count++) {
        struct keys_plan plan = {.order = KEYS_SEQUENCE, .count = count};
        int seen[40] = {0};
        for (int part = 0; part < 7; part++) {
            uint64_t size = count * (uint64_t)(part + 1) / 7 - count * (uint64_t)part / 7;
            struct keys keys;
            keys_init(&keys, &plan, part, 7);
            for (uint64_t i = 0; i < size; i++) {
                seen[keys_next(&keys)]++;
            }
        }
        for (uint64_t i = 0; i < count; i++) {
            assert_int_equal(seen[i], 1);
        }
    }
    struct keys_plan plan = {.order = KEYS_SEQUENCE, .count = 2};
    struct keys keys;
    keys_init(&keys, &plan, 6, 7);
    assert_int_equal(keys_next(&keys), 0);
    assert_int_equal(keys_next(&keys), 1);
    assert_int_equal(keys_next(&keys), 0);
}

/* A binomial count is within five standard deviations of its expectation, but for one seed in a
 * million; the seed is fixed. Rare ones are not so well behaved: hence the four. */
static void assert_count(uint64_t got, double share) {
    double expected = share * DRAWS;
    double deviation = sqrt(DRAWS * share * (1 - share));
    assert_true(fabs((double)got - expected) <= 5 * deviation + 4);
}

static void test_uniform(void **state) {
    (void)state;
    struct keys_plan plan = {.order = KEYS_UNIFORM, .count = 100, .seed = 3};
    uint64_t counts[100] = {0};
    struct keys keys;
    keys_init(&keys, &plan, 0, 1);
    for (int i = 0; i < DRAWS; i++) {
        counts[keys_next(&keys)]++;
    }
    for (int i = 0; i < 100; i++) {
        assert_count(counts[i], 0.01);
    }
}

static void test_one_key(void **state) {
    (void)state;
    static const enum keys_order orders[] = {KEYS_UNIFORM, KEYS_SEQUENCE, KEYS_ZIPF};
    for (int i = 0; i < 3; i++) {
        struct keys_plan plan = {.order = orders[i], .count = 1, .exponent = 0.99};
        struct keys keys;
        keys_init(&keys, &plan, 0, 1);
        for (int draw = 0; draw < 100; draw++) {
            assert_int_equal(keys_next(&keys), 0);
        }
    }
}

/* Rank k has the share k^-e / sum of i^-e, below, at and above e = 1. */
static void test_zipf(void **state) {
    (void)state;
    static const double exponents[] = {0.2, 0.7, 0.99, 1, 1.01, 1.5, 3};
    enum { COUNT = 1000 };
    static uint64_t counts[COUNT + 1];
    for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++) {
        double exponent = exponents[e];
        double sum = 0;
        for (int k = 1; k <= COUNT; k++) {
            sum += pow(k, -exponent);
        }
        struct keys_plan plan = {
            .order = KEYS_ZIPF, .count = COUNT, .exponent = exponent, .seed = 5};
        struct keys keys;
        keys_init(&keys, &plan, 0, 1);
        memset(counts, 0, sizeof counts);
        for (int i = 0; i < DRAWS; i++) {
            uint64_t rank = keys_zipf_rank(&keys);
            assert_in_range(rank, 1, COUNT);
            counts[rank]++;
        }
        for (int k = 1; k <= COUNT; k++) {
            assert_count(counts[k], pow(k, -exponent) / sum);
        }
    }
}

/* Each rank has a key of its own: as many keys as ranks are drawn, whatever the count. */
static void test_zipf_scatters(void **state) {
    (void)state;
    for (uint64_t count = 2; count < 60; count++) {
        struct keys_plan plan = {.order = KEYS_ZIPF, .count = count, .exponent = 0.5, .seed = 1};
        struct keys keys;
        uint64_t seen = 0;
        keys_init(&keys, &plan, 0, 1);
        for (int i = 0; i < 20000; i++) {
            uint64_t key = keys_next(&keys);
            assert_true(key < count);
            seen |= (uint64_t)1 << key;
        }
        assert_true(seen == ((uint64_t)1 << count) - 1);
    }
}

static void test_zipf_of_many(void **state) {
    (void)state;
    struct keys_plan plan = {.order = KEYS_ZIPF, .count = 1000000000000, .exponent = 0.99};
    struct keys keys;
    keys_init(&keys, &plan, 0, 1);
    for (int i = 0; i < 10000; i++) {
        assert_true(keys_next(&keys) < plan.count);
    }
}

static void test_seeds(void **state) {
    (void)state;
    struct keys_plan plan = {.order = KEYS_UNIFORM, .count = 1000000000, .seed = 1};
    struct keys first;
    struct keys same;
    struct keys other_part;
    keys_init(&first, &plan, 0, 2);
    keys_init(&same, &plan, 0, 2);
    keys_init(&other_part, &plan, 1, 2);
    int equal = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t key = keys_next(&first);
        assert_true(key == keys_next(&same));
        equal += key == keys_next(&other_part);
    }
    assert_true(equal < 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence),     cmocka_unit_test(test_sequence_of_parts),
        cmocka_unit_test(test_uniform),      cmocka_unit_test(test_one_key),
        cmocka_unit_test(test_zipf),         cmocka_unit_test(test_zipf_scatters),
        cmocka_unit_test(test_zipf_of_many), cmocka_unit_test(test_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
