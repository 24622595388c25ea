/* Tests of base/sparse: that blocks in slabs which hold little are found and nobody else's, that
 * moving them sets memory free, and how slabs are chosen. */
#include "base/sparse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define BLOCKS 20000
#define SIZE   100

static char *blocks[BLOCKS];

/* Fills slabs and then empties all but each `kept`th place. */
static size_t make_sparse(size_t kept) {
    size_t left = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = mem_alloc(MEM_DATA, SIZE);
        memset(blocks[i], (int)(i % 251), SIZE);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % kept != 0) {
            mem_free(MEM_DATA, blocks[i], SIZE);
            blocks[i] = NULL;
        } else {
            left++;
        }
    }
    return left;
}

static void free_all(void) {
    for (size_t i = 0; i < BLOCKS; i++) {
        mem_free(MEM_DATA, blocks[i], SIZE);
        blocks[i] = NULL;
    }
}

static void settle_all(struct sparse_tally *tally) {
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i] != NULL) {
            blocks[i] = sparse_settle(blocks[i], SIZE, tally);
        }
    }
}

static void test_contents_and_counters_stay(void **state) {
    (void)state;
    size_t left = make_sparse(7);
    size_t used = mem_used();
    struct sparse_tally tally = {0};
    sparse_move_all(true);
    settle_all(&tally);
    sparse_move_all(false);
    assert_int_equal(tally.moved, left);
    assert_int_equal(tally.kept, 0);
    assert_int_equal(mem_used(), used);
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t k = 0; blocks[i] != NULL && k < SIZE; k++) {
            assert_int_equal((unsigned char)blocks[i][k], i % 251);
        }
    }
    free_all();
}

static size_t active(void) {
    struct mem_allocator_stats stats;
    mem_allocator_stats(&stats);
    return stats.active;
}

static void test_moving_sets_slabs_free(void **state) {
    (void)state;
    if (!sparse_is_known()) {
        skip();
    }
    make_sparse(10);
    mem_purge();
    size_t before = active();
    struct sparse_tally tally = {0};
    for (int round = 0; round < 4; round++) {
        settle_all(&tally);
    }
    mem_purge();
    assert_true(tally.moved > 0);
    /* Nine tenths of two megabytes were lost; at least half of that is back. */
    assert_true(active() + BLOCKS * (size_t)SIZE * 9 / 20 < before);
    free_all();
}

static void test_full_slabs_are_left_alone(void **state) {
    (void)state;
    make_sparse(1);
    struct sparse_tally tally = {0};
    settle_all(&tally);
    assert_int_equal(tally.moved, 0);
    assert_int_equal(tally.kept, BLOCKS);
    void *large = mem_alloc(MEM_DATA, 1 << 20);
    assert_ptr_equal(sparse_settle(large, 1 << 20, &tally), large);
    mem_free(MEM_DATA, large, 1 << 20);
    free_all();
}

/* A round that only looks moves nothing, and afterwards the emptiest slabs are chosen. */
static void test_choosing(void **state) {
    (void)state;
    if (!sparse_is_known()) {
        skip();
    }
    size_t left = make_sparse(4);
    struct sparse_tally tally = {0};
    size_t used = mem_used();
    sparse_begin_round(&tally, BLOCKS * SIZE);
    assert_true(mem_used() > used);
    tally.least_steps = SPARSE_STEPS;
    settle_all(&tally);
    assert_int_equal(tally.moved, 0);
    assert_true(sparse_choose(&tally, UINT64_MAX, left));
    assert_in_range(tally.least_steps, 1, SPARSE_STEPS * 3 / 4);
    settle_all(&tally);
    assert_true(tally.moved > left / 20);
    uint64_t moved = tally.moved;
    sparse_forget(&tally);
    assert_int_equal(tally.moved, moved);
    assert_int_equal(mem_used(), used);
    assert_false(sparse_choose(&tally, UINT64_MAX, 1));
    free_all();
}

static void test_choosing_is_bounded(void **state) {
    (void)state;
    struct sparse_tally tally = {0};
    for (int i = 1; i < SPARSE_STEPS; i++) {
        tally.seen[i] = 10;
        tally.asked[i] = 5;
        tally.to_gain[i] = 500;
    }
    assert_true(sparse_choose(&tally, 2500, UINT64_MAX));
    assert_int_equal(tally.least_steps, SPARSE_STEPS - 3);
    assert_true(sparse_choose(&tally, UINT64_MAX, 41));
    assert_int_equal(tally.least_steps, SPARSE_STEPS - 5);
    assert_true(sparse_choose(&tally, UINT64_MAX, UINT64_MAX));
    assert_int_equal(tally.least_steps, 1);
}

/* What is known of a page is not believed for longer than a round, however many rounds there
 * are. */
static void test_many_rounds(void **state) {
    (void)state;
    size_t left = make_sparse(2);
    struct sparse_tally tally = {0};
    for (uint64_t round = 1; round <= 40; round++) {
        sparse_begin_round(&tally, (size_t)round << 16);
        tally.least_steps = SPARSE_STEPS;
        settle_all(&tally);
        assert_int_equal(tally.kept, round * left);
    }
    sparse_forget(&tally);
    free_all();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents_and_counters_stay),
        cmocka_unit_test(test_moving_sets_slabs_free),
        cmocka_unit_test(test_full_slabs_are_left_alone),
        cmocka_unit_test(test_choosing),
        cmocka_unit_test(test_choosing_is_bounded),
        cmocka_unit_test(test_many_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
