/* Tests of loop_put_off: what has not had its turn in a pass has it in the next one. */
#include "ev/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ev/backends.h"

#define WATCHES 3

struct pair {
    struct loop_watch watch; /* first: its function gets this address */
    int there;
    int calls;
};

static struct loop *loop;
static struct pair pairs[WATCHES];

static void on_ready(struct loop_watch *watch, unsigned ready) {
    (void)ready;
    ((struct pair *)(void *)watch)->calls++;
    loop_put_off(loop);
}

static int set_up(void **state) {
    (void)state;
    const char *error;
    loop = loop_new(backend, 100, &error);
    assert_non_null(loop);
    for (int i = 0; i < WATCHES; i++) {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        pairs[i] = (struct pair){.watch = {.fd = ends[0], .on_ready = on_ready}, .there = ends[1]};
        assert_int_equal(loop_watch_add(loop, &pairs[i].watch, LOOP_READ), 0);
        assert_int_equal(write(pairs[i].there, "x", 1), 1);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < WATCHES; i++) {
        if (pairs[i].watch.interest != 0) {
            loop_watch_remove(loop, &pairs[i].watch);
        }
        close(pairs[i].watch.fd);
        close(pairs[i].there);
    }
    loop_free(loop);
    return 0;
}

/* Once each, and before the loop looks again. */
static void test_each_has_its_turn(void **state) {
    (void)state;
    for (uint64_t pass = 1; pass <= WATCHES; pass++) {
        loop_run_once(loop, -1);
        assert_int_equal(loop_stats(loop)->events, pass);
    }
    for (int i = 0; i < WATCHES; i++) {
        assert_int_equal(pairs[i].calls, 1);
    }
    loop_run_once(loop, -1);
    assert_int_equal(loop_stats(loop)->events, WATCHES + 1);
}

static void test_removed_while_it_waits(void **state) {
    (void)state;
    loop_run_once(loop, -1);
    for (int i = 0; i < WATCHES; i++) {
        loop_watch_remove(loop, &pairs[i].watch);
    }
    loop_run_once(loop, 0);
    loop_run_once(loop, 0);
    assert_int_equal(loop_stats(loop)->events, 1);
}

/* What was found ready in an earlier pass has been waiting since then. */
static void test_waiting_counts(void **state) {
    (void)state;
    loop_run_once(loop, -1);
    int64_t since_ns = loop_ready_since_ns(loop);
    loop_run_once(loop, -1);
    loop_run_once(loop, -1);
    assert_int_equal(loop_ready_since_ns(loop), since_ns);
    loop_run_once(loop, -1);
    assert_true(loop_ready_since_ns(loop) > since_ns);
}

static int group(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each_has_its_turn),
        TEST(test_removed_while_it_waits),
        TEST(test_waiting_counts),
    };
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}

int main(void) {
    return run_over_backends(group);
}
