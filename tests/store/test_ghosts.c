/* Tests of store/ghosts: remembering and forgetting, sizes, and that nothing leaks. */
#include "store/ghosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/worth.h"

#define GHOSTS 640

static void test_remembers(void **state) {
    (void)state;
    size_t used = mem_used();
    struct ghosts ghosts;
    uint32_t worth;
    ghosts_init(&ghosts);
    ghosts_put(&ghosts, 1, 100, 100);
    assert_false(ghosts_take(&ghosts, 1, 100, &worth));
    ghosts_resize(&ghosts, GHOSTS);
    assert_int_equal(ghosts_footprint(&ghosts), 0);
    uint32_t now = 1000 * WORTH_ONE;
    ghosts_put(&ghosts, hash_mix(1), now - 3 * WORTH_ONE, now);
    ghosts_put(&ghosts, hash_mix(2), now + 5 * WORTH_ONE, now);
    assert_true(ghosts_footprint(&ghosts) > 0);
    assert_false(ghosts_take(&ghosts, hash_mix(3), now, &worth));
    assert_true(ghosts_take(&ghosts, hash_mix(1), now + 10, &worth));
    assert_int_equal(worth, now - 3 * WORTH_ONE);
    assert_false(ghosts_take(&ghosts, hash_mix(1), now, &worth));
    assert_true(ghosts_take(&ghosts, hash_mix(2), now, &worth));
    assert_int_equal(worth, now + 5 * WORTH_ONE);
    /* What is worth nothing is not remembered. */
    ghosts_put(&ghosts, hash_mix(4), now + WORTH_ABOVE_MAX + 1, now);
    assert_false(ghosts_take(&ghosts, hash_mix(4), now, &worth));
    ghosts_clear(&ghosts);
    assert_int_equal(mem_used(), used);
}

/* With far more than it holds, those worth most remain. */
static void test_keeps_the_best(void **state) {
    (void)state;
    struct ghosts ghosts;
    ghosts_init(&ghosts);
    ghosts_resize(&ghosts, GHOSTS);
    uint32_t now = 100 * WORTH_ONE;
    for (uint64_t i = 0; i < 20 * GHOSTS; i++) {
        uint32_t worth = i % 100 == 0 ? now + 4 * WORTH_ONE : now - WORTH_ONE;
        ghosts_put(&ghosts, hash_mix(i), worth, now);
    }
    size_t best = 0;
    for (uint64_t i = 0; i < 20 * GHOSTS; i += 100) {
        uint32_t worth;
        best += ghosts_take(&ghosts, hash_mix(i), now, &worth) && worth == now + 4 * WORTH_ONE;
    }
    assert_true(best > GHOSTS / 5 * 9 / 10);
    ghosts_clear(&ghosts);
}

static void test_resizes(void **state) {
    (void)state;
    size_t used = mem_used();
    struct ghosts ghosts;
    ghosts_init(&ghosts);
    for (size_t count = 0; count < 3000; count += 100) {
        ghosts_resize(&ghosts, count);
        for (uint64_t i = 0; i < 500; i++) {
            ghosts_put(&ghosts, hash_mix(i), 10, 10);
        }
        uint32_t worth;
        assert_int_equal(ghosts_take(&ghosts, hash_mix(499), 10, &worth), count > 0);
        ghosts_tidy(&ghosts);
    }
    ghosts_resize(&ghosts, 0);
    ghosts_clear(&ghosts);
    assert_int_equal(mem_used(), used);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_keeps_the_best),
        cmocka_unit_test(test_resizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
