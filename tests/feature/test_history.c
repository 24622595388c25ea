/* Tests of feature/history: two rings against lists that forget nothing. */
#include "feature/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static struct history_point point_of(float value) {
    struct history_point point;
    for (int series = 0; series < HISTORY_SERIES; series++) {
        point.values[series] = value + (float)series;
    }
    return point;
}

static void test_empty(void **state) {
    (void)state;
    struct history *history = history_new();
    for (int ring = 0; ring < HISTORY_RINGS; ring++) {
        assert_int_equal(history_count(history, (enum history_ring)ring), 0);
        assert_int_equal(history_added(history, (enum history_ring)ring), 0);
    }
    history_free(history);
}

/* What a ring holds is the end of all that was added, with -1 where points are missing. */
static void test_model(void **state) {
    (void)state;
    static const size_t capacities[] = {HISTORY_SECONDS, HISTORY_MINUTES};
    struct random random;
    random_init(&random, 14);
    for (int ring = 0; ring < HISTORY_RINGS; ring++) {
        struct history *history = history_new();
        float *all = calloc(20000, sizeof *all);
        size_t count = 0;
        for (int i = 0; i < 4000; i++) {
            uint64_t skipped = random_below(&random, 10) == 0 ? random_below(&random, 30) : 0;
            for (uint64_t j = 0; j < skipped; j++) {
                all[count++] = -1;
            }
            struct history_point point = point_of((float)i);
            all[count++] = (float)i;
            history_add(history, (enum history_ring)ring, 1000 + i, skipped, &point);
            size_t held = history_count(history, (enum history_ring)ring);
            assert_int_equal(held, count < capacities[ring] ? count : capacities[ring]);
            assert_int_equal(history_added(history, (enum history_ring)ring), count);
            assert_int_equal(history_time(history, (enum history_ring)ring), 1000 + i);
            for (size_t age = 0; age < held; age += 1 + random_below(&random, 50)) {
                const struct history_point *at = history_at(history, (enum history_ring)ring, age);
                float wanted = all[count - 1 - age];
                assert_true(at->values[0] == wanted);
                assert_true(at->values[HISTORY_OTHER] ==
                            (wanted < 0 ? -1 : wanted + (float)HISTORY_OTHER));
            }
        }
        free(all);
        history_free(history);
    }
}

/* A gap longer than the ring leaves nothing of what was before. */
static void test_long_gap(void **state) {
    (void)state;
    struct history *history = history_new();
    struct history_point point = point_of(1);
    history_add(history, HISTORY_BY_SECOND, 1, 0, &point);
    history_add(history, HISTORY_BY_SECOND, 100001, 99999, &point);
    assert_int_equal(history_count(history, HISTORY_BY_SECOND), HISTORY_SECONDS);
    assert_int_equal(history_added(history, HISTORY_BY_SECOND), 100001);
    assert_true(history_at(history, HISTORY_BY_SECOND, 0)->values[0] == 1);
    for (size_t age = 1; age < HISTORY_SECONDS; age++) {
        assert_true(history_at(history, HISTORY_BY_SECOND, age)->values[0] == -1);
    }
    history_free(history);
}

static void test_names(void **state) {
    (void)state;
    for (int a = 0; a < HISTORY_SERIES; a++) {
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(history_name((enum history_series)a),
                                    history_name((enum history_series)b));
        }
    }
    assert_true(history_is_sum(HISTORY_OUTPUT));
    assert_false(history_is_sum(HISTORY_P50));
    assert_false(history_is_sum(HISTORY_KEYS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_long_gap),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
