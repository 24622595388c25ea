/* Tests of ev/timer_heap: the invariants hold after every step of a long random run, and the order
 * comes out right. */
#include "ev/timer_heap.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

enum { TIMERS = 100, STEPS = 20000 };

static void test_empty(void **state) {
    (void)state;
    struct timer_heap heap;
    struct loop_timer timer = {0};
    timer_heap_init(&heap);
    assert_null(timer_heap_first(&heap));
    assert_false(timer_heap_holds(&heap, &timer)); /* although its position is 0 */
    timer_heap_remove(&heap, &timer);
    assert_int_equal(timer.position, -1);
    assert_true(timer_heap_is_valid(&heap));
    timer_heap_clear(&heap);
}

static void test_validator_sees_disorder(void **state) {
    (void)state;
    struct timer_heap heap;
    struct loop_timer timers[2] = {{.due_us = 1}, {.due_us = 2}};
    timer_heap_init(&heap);
    timer_heap_put(&heap, &timers[0]);
    timer_heap_put(&heap, &timers[1]);
    timers[0].due_us = 3;
    assert_false(timer_heap_is_valid(&heap));
    timer_heap_clear(&heap);
}

static void test_random_run(void **state) {
    (void)state;
    size_t used = mem_used();
    struct timer_heap heap;
    struct loop_timer timers[TIMERS] = {0};
    timer_heap_init(&heap);
    srand(7);
    for (int step = 0; step < STEPS; step++) {
        struct loop_timer *timer = &timers[rand() % TIMERS];
        if (rand() % 3 == 0) {
            timer_heap_remove(&heap, timer);
            assert_false(timer_heap_holds(&heap, timer));
        } else {
            timer->due_us = rand() % 50;
            timer_heap_put(&heap, timer);
            assert_true(timer_heap_holds(&heap, timer));
        }
        assert_true(timer_heap_is_valid(&heap));
    }
    int64_t last_us = 0;
    for (int left = heap.count; left > 0; left--) {
        struct loop_timer *first = timer_heap_first(&heap);
        assert_true(first->due_us >= last_us);
        last_us = first->due_us;
        timer_heap_remove(&heap, first);
        assert_int_equal(heap.count, left - 1);
    }
    timer_heap_clear(&heap);
    assert_int_equal(mem_used(), used);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_validator_sees_disorder),
        cmocka_unit_test(test_random_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
