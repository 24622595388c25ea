/* Tests of store/trial: the setting that suits the requests is found, and kept when there is no
 * reason to change. */
#include "store/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"

static struct trial trial;

static void use(uint64_t key) {
    uint64_t hash = hash_mix(key + 1);
    if (trial_wants(&trial, hash)) {
        trial_see(&trial, hash);
    }
}

static void test_share(void **state) {
    (void)state;
    trial_init(&trial);
    assert_int_equal(trial.share, UINT32_MAX);
    trial_resize(&trial, TRIAL_KEYS);
    assert_int_equal(trial.sets, TRIAL_SETS);
    trial_resize(&trial, (size_t)TRIAL_KEYS * 100);
    size_t wanted = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        wanted += trial_wants(&trial, hash_mix(i + 1));
    }
    assert_in_range(wanted, 800, 1200);
    trial_resize(&trial, 1);
    assert_int_equal(trial.sets, 1);
}

/* A loop through more keys than fit: recency keeps none of them. */
static void test_loop_keeps_frequency(void **state) {
    (void)state;
    trial_init(&trial);
    trial_resize(&trial, TRIAL_KEYS);
    for (uint64_t i = 0; i < 100 * TRIAL_PERIOD; i++) {
        use(i % (TRIAL_KEYS * 3 / 2));
    }
    assert_int_equal(trial.chosen, 0);
    assert_true(trial.caches[0].misses < trial.caches[TRIAL_SETTINGS - 1].misses);
}

/* Popular keys that change all the time: what was used often is of no use any more. */
static void test_drift_wants_recency(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 3);
    trial_init(&trial);
    trial_resize(&trial, TRIAL_KEYS);
    for (uint64_t i = 0; i < 100 * TRIAL_PERIOD; i++) {
        use(i / 30 + random_below(&random, TRIAL_KEYS * 3 / 4));
    }
    assert_true(trial.chosen > 0);
    assert_true(trial.caches[trial.chosen].misses < trial.caches[0].misses);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_loop_keeps_frequency),
        cmocka_unit_test(test_drift_wants_recency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
