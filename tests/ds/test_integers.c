/* Tests of ds/integers.c against a model: a plain array of flags for values around the limits of
 * each width. */
#include "ds/integers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

static const int64_t edges[] = {INT64_MIN,
                                INT64_MIN + 1,
                                (int64_t)INT32_MIN - 1,
                                INT32_MIN,
                                INT32_MIN + 1,
                                INT16_MIN - 1,
                                INT16_MIN,
                                -1,
                                0,
                                1,
                                INT16_MAX,
                                INT16_MAX + 1,
                                INT32_MAX,
                                (int64_t)INT32_MAX + 1,
                                INT64_MAX - 1,
                                INT64_MAX};
#define EDGES (sizeof edges / sizeof *edges)

static struct integers *add(struct integers *integers, int64_t value) {
    size_t index;
    assert_false(integers_find(integers, value, &index));
    size_t size = integers_size_with(integers, value);
    integers = integers_try_insert(integers, index, value);
    assert_non_null(integers);
    assert_int_equal(integers_size(integers), size);
    assert_true(integers_find(integers, value, &index));
    assert_true(integers_at(integers, index) == value);
    integers_validate(integers);
    return integers;
}

/* Each pair of edges, in either order: every width becomes every other. */
static void widths(void **state) {
    (void)state;
    for (size_t i = 0; i < EDGES; i++) {
        for (size_t k = 0; k < EDGES; k++) {
            struct integers *integers = integers_new();
            size_t index;
            integers = add(integers, edges[i]);
            if (i != k) {
                integers = add(integers, edges[k]);
                assert_true(integers_at(integers, 0) == (i < k ? edges[i] : edges[k]));
            }
            for (size_t other = 0; other < EDGES; other++) {
                assert_int_equal(integers_find(integers, edges[other], &index),
                                 other == i || other == k);
            }
            integers_free(integers);
        }
    }
}

#define VALUES 400

static int64_t value_of(size_t number) {
    return number < EDGES ? edges[number] : (int64_t)number * 7 - 1003;
}

static bool is_even(void *context, int64_t value) {
    ++*(size_t *)context;
    return value % 2 == 0;
}

static void random_work_agrees_with_the_model(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 3);
    size_t used = mem_used();
    for (int round = 0; round < 40; round++) {
        struct integers *integers = integers_new();
        bool there[VALUES] = {false};
        size_t count = 0;
        size_t range = round % 2 == 0 ? VALUES : 50;
        size_t from = round % 4 < 2 ? 0 : EDGES;
        for (int i = 0; i < 1500; i++) {
            size_t number = from + random_below(&random, range - from);
            size_t index;
            bool found = integers_find(integers, value_of(number), &index);
            assert_int_equal(found, there[number]);
            if (!found) {
                integers = add(integers, value_of(number));
            } else {
                integers = integers_remove(integers, index, 1);
                integers_validate(integers);
            }
            there[number] = !found;
            count += found ? (size_t)-1 : 1;
            assert_int_equal(integers->count, count);
            assert_int_equal(mem_used() - used, integers_footprint(integers));
        }
        struct integers *copy = integers_try_copy(integers);
        size_t asked = 0;
        size_t index;
        integers = integers_filter(integers, is_even, &asked);
        integers_validate(integers);
        integers_validate(copy);
        assert_int_equal(asked, count);
        for (size_t i = from; i < range; i++) {
            assert_int_equal(integers_find(copy, value_of(i), &index), there[i]);
            assert_int_equal(integers_find(integers, value_of(i), &index),
                             there[i] && value_of(i) % 2 == 0);
        }
        integers_free(copy);
        integers = integers_remove(integers, 0, integers->count);
        assert_int_equal(integers->count, 0);
        integers_free(integers);
    }
    assert_int_equal(mem_used(), used);
}

static void no_memory_changes_nothing(void **state) {
    (void)state;
    struct integers *integers = integers_new();
    for (int64_t i = 0; i < 20; i++) {
        integers = add(integers, i);
    }
    mem_fail_after(1);
    assert_null(integers_try_insert(integers, 20, INT64_MAX));
    mem_fail_after(1);
    assert_null(integers_try_copy(integers));
    mem_fail_after(0);
    assert_int_equal(integers->count, 20);
    integers_validate(integers);
    integers_free(integers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),
        cmocka_unit_test(random_work_agrees_with_the_model),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("ds/integers", tests, NULL, NULL);
}
