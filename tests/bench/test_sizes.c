/* Tests of bench/load/sizes: what can be written and what cannot, and each distribution against its
 * formula. */
#include "load/sizes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define DRAWS 200000

static void test_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        "x",
        "-1",
        "10-",
        "10-9",
        "10-x",
        "513mb",
        "64:",
        "64:0",
        "64:x",
        "64:1,x:1",
        "64:1,65",
        "lognormal:",
        "lognormal:0:1",
        "lognormal:100",
        "lognormal:100:0",
        "lognormal:100:-1",
        "lognormal:100:nan",
        "lognormal:100:1:x",
        "64:-1",
    };
    struct sizes sizes;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (sizes_parse(&sizes, texts[i])) {
            fail_msg("%s was taken", texts[i]);
        }
    }
}

static void test_fixed(void **state) {
    (void)state;
    struct sizes sizes;
    struct random random;
    random_init(&random, 1);
    assert_true(sizes_parse(&sizes, "0"));
    assert_int_equal(sizes_next(&sizes, &random), 0);
    assert_true(sizes_parse(&sizes, "4kb"));
    assert_int_equal(sizes.kind, SIZES_FIXED);
    assert_int_equal(sizes_next(&sizes, &random), 4096);
}

static void test_range(void **state) {
    (void)state;
    struct sizes sizes;
    struct random random;
    int counts[11] = {0};
    random_init(&random, 1);
    assert_true(sizes_parse(&sizes, "10-20"));
    for (int i = 0; i < DRAWS; i++) {
        size_t size = sizes_next(&sizes, &random);
        assert_in_range(size, 10, 20);
        counts[size - 10]++;
    }
    for (int i = 0; i < 11; i++) {
        assert_true(fabs(counts[i] - DRAWS / 11.0) < 5 * sqrt(DRAWS / 11.0));
    }
    assert_true(sizes_parse(&sizes, "7-7"));
    assert_int_equal(sizes_next(&sizes, &random), 7);
}

static void test_list(void **state) {
    (void)state;
    struct sizes sizes;
    struct random random;
    int counts[3] = {0};
    random_init(&random, 1);
    assert_true(sizes_parse(&sizes, "64:90,1kb:9,0:1"));
    assert_int_equal(sizes.least, 0);
    assert_int_equal(sizes.most, 1024);
    for (int i = 0; i < DRAWS; i++) {
        size_t size = sizes_next(&sizes, &random);
        counts[size == 64 ? 0 : size == 1024 ? 1 : 2]++;
        assert_true(size == 64 || size == 1024 || size == 0);
    }
    static const double shares[] = {0.9, 0.09, 0.01};
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(counts[i] - DRAWS * shares[i]) < 5 * sqrt(DRAWS * shares[i]));
    }
}

/* Shares below the median, below the median times e^sigma, and so on, as the normal distribution
 * has them. */
static void test_lognormal(void **state) {
    (void)state;
    static const double shares[] = {0.02275, 0.15866, 0.5, 0.84134, 0.97725};
    struct sizes sizes;
    struct random random;
    int below[5] = {0};
    random_init(&random, 1);
    assert_true(sizes_parse(&sizes, "lognormal:10000:0.5"));
    for (int i = 0; i < DRAWS; i++) {
        double size = (double)sizes_next(&sizes, &random);
        for (int s = 0; s < 5; s++) {
            below[s] += size < 10000 * exp(0.5 * (s - 2));
        }
    }
    for (int s = 0; s < 5; s++) {
        double deviation = sqrt(DRAWS * shares[s] * (1 - shares[s]));
        assert_true(fabs(below[s] - DRAWS * shares[s]) < 5 * deviation + 10);
    }
}

static void test_lognormal_is_bounded(void **state) {
    (void)state;
    struct sizes sizes;
    struct random random;
    size_t most = 0;
    random_init(&random, 1);
    assert_true(sizes_parse(&sizes, "lognormal:10:3:500"));
    for (int i = 0; i < DRAWS; i++) {
        size_t size = sizes_next(&sizes, &random);
        assert_in_range(size, 1, 500);
        most = size > most ? size : most;
    }
    assert_int_equal(most, 500);
    assert_true(sizes_parse(&sizes, "lognormal:100:1"));
    assert_int_equal(sizes.most, 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_range),     cmocka_unit_test(test_list),
        cmocka_unit_test(test_lognormal), cmocka_unit_test(test_lognormal_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
