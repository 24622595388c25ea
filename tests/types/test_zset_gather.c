/* Tests of types/zset_gather: what is gathered in any order comes out sorted, and becomes a sorted
 * set of the right encoding; failing allocations. */
#include "types/zset_gather.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"

static const struct zset_options defaults = {.pack_entries_max = 128, .pack_value_max = 64};

#define NAME_SIZE 400

/* Names of one length are in the order of their numbers; long ones may lack memory. */
static struct element_name name_of(size_t i, bool is_long, char *out) {
    return element_name_of(bytes_of(out, (size_t)sprintf(out, is_long ? "%0300zu" : "m%04zu", i)));
}

struct following {
    size_t count;
    double last_score;
    char last_name[NAME_SIZE];
    size_t last_size;
};

static void follow(void *context, const struct zset_member *member) {
    struct following *following = context;
    assert_true(
        following->count == 0 || following->last_score < member->score ||
        (following->last_score == member->score &&
         bytes_compare(bytes_of(following->last_name, following->last_size), member->name) < 0));
    following->last_score = member->score;
    following->last_size = member->name.size;
    memcpy(following->last_name, member->name.at, member->name.size);
    following->count++;
}

/* Scores in one of several orders: at random, many alike, ascending, descending, in runs. */
static double score_of(struct random *random, size_t i, int order) {
    static const double odd[] = {INFINITY, -INFINITY, 0, -0.0, 7};
    switch (order) {
    case 0:
        return (double)random_below(random, 1u << 30) - 5e8;
    case 1:
        return odd[random_below(random, sizeof odd / sizeof *odd)];
    case 2:
        return (double)i;
    case 3:
        return -(double)i;
    default:
        return (double)(i % 50);
    }
}

static void gather_some(struct zset_gather *gather, struct random *random, size_t count,
                        int order) {
    char room[NAME_SIZE];
    for (size_t i = 0; i < count; i++) {
        size_t number = i * 7919 % 1009; /* any order of names */
        struct element_name name = name_of(number, false, room);
        assert_null(zset_gather_find(gather, name));
        assert_true(zset_gather_add(gather, name, score_of(random, i, order)));
        double *score = zset_gather_find(gather, name);
        assert_non_null(score);
        *score += i % 3 == 0 ? 1 : 0;
    }
    assert_int_equal(zset_gather_count(gather), count);
}

static void sorts_and_becomes_a_sorted_set(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 5, 12, 13, 128, 129, 500, 1000};
    struct random random;
    random_init(&random, 3);
    size_t used = mem_used();
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (int order = 0; order < 5; order++) {
            struct zset_gather gather;
            struct following following = {.count = 0};
            struct entry_shape shape;
            zset_gather_init(&gather);
            gather_some(&gather, &random, counts[i], order);
            assert_int_equal(zset_gather_sort(&gather), 0);
            zset_gather_visit(&gather, follow, &following);
            assert_int_equal(following.count, counts[i]);
            zset_gather_take(&gather, &defaults, &shape);
            assert_int_equal(zset_gather_count(&gather), 0);
            zset_gather_free(&gather);
            struct entry *zset = entry_try_new(bytes_text("key"), &shape);
            assert_non_null(zset);
            zset_validate(zset);
            assert_int_equal(zset_length(zset), counts[i]);
            assert_string_equal(zset_encoding_name(zset),
                                counts[i] <= 128 ? "listpack" : "skiplist");
            zset_free(zset);
            entry_free(zset);
        }
    }
    assert_int_equal(mem_used(), used);
}

static void a_long_name_is_not_packed(void **state) {
    (void)state;
    struct zset_gather gather;
    struct entry_shape shape;
    char room[NAME_SIZE];
    zset_gather_init(&gather);
    assert_true(zset_gather_add(&gather, name_of(1, true, room), 1));
    assert_true(zset_gather_add(&gather, name_of(2, false, room), 2));
    assert_int_equal(zset_gather_sort(&gather), 0);
    zset_gather_take(&gather, &defaults, &shape);
    assert_int_equal(shape.encoding, ENTRY_ORDERED);
    zset_discard(&shape);
    zset_gather_free(&gather);
}

/* Whatever fails, what was gathered can be freed. */
static void failing_allocations(void **state) {
    (void)state;
    size_t used = mem_used();
    char room[NAME_SIZE];
    bool done = false;
    uint64_t nth = 1;
    for (; !done; nth++) {
        struct zset_gather gather;
        struct entry_shape shape;
        zset_gather_init(&gather);
        mem_fail_after(nth);
        bool added = true;
        for (size_t i = 0; i < 30 && added; i++) {
            added = zset_gather_add(&gather, name_of(i, true, room), -(double)(i % 7));
        }
        done = added && zset_gather_sort(&gather) == 0;
        mem_fail_after(0);
        if (done) {
            zset_gather_take(&gather, &defaults, &shape);
            zset_discard(&shape);
        }
        zset_gather_free(&gather);
        assert_int_equal(mem_used(), used);
    }
    assert_in_range(nth, 32, 50);
}

int main(void) {
    hash_seed_set(3);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_and_becomes_a_sorted_set),
        cmocka_unit_test(a_long_name_is_not_packed),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
