/* Tests of client/hold: while it is held, a member touches nothing. */
#include "client/hold.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MEMBERS 3
#define HOLDS   2000

static struct hold hold;

/* What is a member's own has two halves that are equal whenever it is not inside. */
static struct one {
    struct hold_member member;
    pthread_t thread;
    uint64_t first;
    uint64_t second;
} members[MEMBERS];

static atomic_bool ending;

static void *work(void *context) {
    struct one *one = context;
    while (!atomic_load(&ending)) {
        hold_enter(&hold, &one->member);
        for (int i = 0; i < 10; i++) {
            one->first++;
            one->second++;
            hold_yield(&hold, &one->member);
        }
        hold_leave(&hold, &one->member);
    }
    return NULL;
}

static void begin(void) {
    hold_begin(&hold);
    for (int i = 0; i < MEMBERS; i++) {
        hold_wait(&hold, &members[i].member);
    }
}

static void test_members_stand_still(void **state) {
    (void)state;
    hold_init(&hold);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(pthread_create(&members[i].thread, NULL, work, &members[i]), 0);
    }
    for (int round = 0; round < HOLDS; round++) {
        begin();
        begin(); /* nested */
        hold_end(&hold);
        for (int i = 0; i < MEMBERS; i++) {
            assert_int_equal(members[i].first, members[i].second);
            /* And it may be changed from here. */
            members[i].first += 5;
            members[i].second += 5;
        }
        hold_end(&hold);
        if (round % 8 == 0) {
            sched_yield();
        }
    }
    atomic_store(&ending, true);
    uint64_t done = 0;
    for (int i = 0; i < MEMBERS; i++) {
        pthread_join(members[i].thread, NULL);
        assert_int_equal(members[i].first, members[i].second);
        done += members[i].first;
    }
    assert_true(done >= (uint64_t)MEMBERS * HOLDS * 5);
    hold_free(&hold);
}

/* Who sleeps is not waited for. */
static void test_sleepers_are_not_waited_for(void **state) {
    (void)state;
    struct hold_member sleeper = {0};
    hold_init(&hold);
    hold_begin(&hold);
    hold_wait(&hold, &sleeper);
    assert_true(hold_is_wanted(&hold));
    hold_end(&hold);
    assert_false(hold_is_wanted(&hold));
    hold_enter(&hold, &sleeper);
    hold_leave(&hold, &sleeper);
    hold_free(&hold);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_stand_still),
        cmocka_unit_test(test_sleepers_are_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
