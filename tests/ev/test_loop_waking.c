/* Tests of waking a loop from another thread: inside a pass (loop_wait_woken), while it looks again
 * and again (loop_set_spin), and over many rounds, in which no wake may be lost. */
#include "ev/loop.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ev/backends.h"

/* Long enough that a test which misses what it waits for is seen to hang. */
#define SPIN_LONG_US 1000000

#define ROUNDS 5000

static struct loop *loop;
static int passes;

static void count_pass(void *context) {
    (void)context;
    passes++;
}

static struct loop *make_loop(void) {
    const char *error;
    struct loop *made = loop_new(backend, 100, &error);
    assert_non_null(made);
    return made;
}

static int set_up(void **state) {
    (void)state;
    loop = make_loop();
    passes = 0;
    loop_on_pass_end(loop, count_pass, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    loop_free(loop);
    return 0;
}

/* ---- waiting inside a pass ---- */

static void wake_and_wait(void *context) {
    loop_wake(context);
    loop_wake(context);
    loop_wait_woken(context);
}

static void test_woken_before(void **state) {
    (void)state;
    loop_on_pass_start(loop, wake_and_wait, loop);
    for (int i = 0; i < 10; i++) {
        loop_run_once(loop, 0);
    }
    assert_int_equal(passes, 10);
}

static atomic_int asked; /* for so many wakes in all */
static atomic_int given;
static atomic_bool over;

static void *give_wakes(void *context) {
    while (!atomic_load(&over)) {
        if (atomic_load(&asked) > atomic_load(&given)) {
            atomic_fetch_add(&given, 1);
            loop_wake(context);
        }
    }
    return NULL;
}

/* A wake may end one wait more than it was meant for; the condition decides. */
static void ask_and_wait(void *context) {
    int wanted = atomic_fetch_add(&asked, 1) + 1;
    while (atomic_load(&given) < wanted) {
        loop_wait_woken(context);
    }
}

static void test_woken_during(void **state) {
    (void)state;
    pthread_t thread;
    atomic_store(&asked, 0);
    atomic_store(&given, 0);
    atomic_store(&over, false);
    loop_on_pass_start(loop, ask_and_wait, loop);
    assert_int_equal(pthread_create(&thread, NULL, give_wakes, loop), 0);
    for (int i = 0; i < 500; i++) {
        loop_run_once(loop, 0);
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    assert_int_equal(passes, 500);
}

/* What is ready meanwhile is reported by the next pass. */
static int calls;

static void on_ready(struct loop_watch *watch, unsigned ready) {
    char byte;
    (void)ready;
    calls += (int)read(watch->fd, &byte, 1);
}

static struct loop_watch watch_one(int *there) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    *there = ends[1];
    calls = 0;
    return (struct loop_watch){.fd = ends[0], .on_ready = on_ready};
}

static void unwatch(struct loop_watch *watch, int there) {
    loop_watch_remove(loop, watch);
    close(watch->fd);
    close(there);
}

static void *write_and_wake(void *context) {
    if (write(*(int *)context, "x", 1) == 1) {
        loop_wake(loop);
    }
    return NULL;
}

static atomic_bool waited;

static void wait_inside(void *context) {
    (void)context;
    loop_on_pass_start(loop, NULL, NULL);
    loop_wait_woken(loop);
    atomic_store(&waited, true);
}

/* A wake before the pass began would not count; so there are more of them. */
static void *write_and_go_on_waking(void *context) {
    if (write(*(int *)context, "x", 1) == 1) {
        while (!atomic_load(&waited)) {
            loop_wake(loop);
            sched_yield();
        }
    }
    return NULL;
}

static void test_events_meanwhile_are_kept(void **state) {
    (void)state;
    int there;
    struct loop_watch watch = watch_one(&there);
    assert_int_equal(loop_watch_add(loop, &watch, LOOP_READ), 0);
    pthread_t thread;
    atomic_store(&waited, false);
    loop_on_pass_start(loop, wait_inside, NULL);
    assert_int_equal(pthread_create(&thread, NULL, write_and_go_on_waking, &there), 0);
    for (int i = 0; i < 1000 && calls == 0; i++) {
        loop_run_once(loop, 1);
    }
    pthread_join(thread, NULL);
    assert_int_equal(calls, 1);
    unwatch(&watch, there);
}

/* ---- spinning ---- */

static void test_spinning_finds_an_event(void **state) {
    (void)state;
    int there;
    struct loop_watch watch = watch_one(&there);
    assert_int_equal(loop_watch_add(loop, &watch, LOOP_READ), 0);
    loop_set_spin(loop, SPIN_LONG_US);
    for (int i = 1; i <= 20; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, write_and_wake, &there), 0);
        for (int j = 0; j < 1000 && calls < i; j++) {
            loop_run_once(loop, -1);
        }
        pthread_join(thread, NULL);
        assert_int_equal(calls, i);
    }
    /* Without a wake as well. */
    assert_int_equal(write(there, "x", 1), 1);
    for (int j = 0; j < 3 && calls < 21; j++) {
        loop_run_once(loop, -1);
    }
    assert_int_equal(calls, 21);
    unwatch(&watch, there);
}

static void *just_wake(void *context) {
    loop_wake(context);
    return NULL;
}

static void test_spinning_finds_a_wake(void **state) {
    (void)state;
    for (int64_t spin_us = 0; spin_us <= SPIN_LONG_US; spin_us = spin_us * 1000 + 1) {
        loop_set_spin(loop, spin_us);
        passes = 0;
        for (int i = 0; i < 20; i++) {
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, just_wake, loop), 0);
            loop_run_once(loop, -1); /* does not end without */
            pthread_join(thread, NULL);
        }
        assert_int_equal(passes, 20);
    }
}

static void test_spinning_in_vain(void **state) {
    (void)state;
    loop_set_spin(loop, 50);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 1);
    }
    assert_int_equal(passes, 5);
    loop_set_spin(loop, 0);
    loop_run_once(loop, 1);
    assert_int_equal(passes, 6);
}

/* ---- many rounds ---- */

/* Two loops give a number to and fro, each waiting in one of the ways that there are. */
struct side {
    struct loop *loop;
    struct side *other;
    atomic_int mail;
    int seen;
    int wanted;
    unsigned seed;
};

static bool take(struct side *side) {
    int mail = atomic_load_explicit(&side->mail, memory_order_relaxed);
    if (mail == side->seen) {
        return false;
    }
    side->seen = mail;
    return true;
}

static void give(struct side *side, int number) {
    atomic_store_explicit(&side->other->mail, number, memory_order_release);
    loop_wake(side->other->loop);
}

static void answer(void *context) {
    struct side *side = context;
    while (!take(side)) {
        if (rand_r(&side->seed) % 2 == 0) {
            return; /* to the loop's own wait */
        }
        loop_wait_woken(side->loop);
    }
    if (side->seen < ROUNDS) {
        give(side, side->seen + 1);
    }
}

static void *play(void *context) {
    struct side *side = context;
    loop_on_pass_start(side->loop, answer, side);
    while (side->seen < side->wanted) {
        loop_run_once(side->loop, -1);
    }
    return NULL;
}

static void test_no_wake_is_lost(void **state) {
    (void)state;
    static const int64_t spins[] = {0, 20};
    for (int i = 0; i < 2; i++) {
        struct side here = {.loop = loop, .wanted = ROUNDS, .seed = 1};
        struct side there = {.loop = make_loop(), .wanted = ROUNDS - 1, .seed = 2};
        here.other = &there;
        there.other = &here;
        loop_set_spin(here.loop, spins[i]);
        loop_set_spin(there.loop, spins[i]);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, play, &there), 0);
        give(&here, 1);
        play(&here);
        pthread_join(thread, NULL);
        assert_int_equal(here.seen, ROUNDS);
        assert_int_equal(there.seen, ROUNDS - 1);
        loop_free(there.loop);
        loop_on_pass_start(loop, NULL, NULL);
    }
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int group(void) {
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_woken_before),
        LOOP_TEST(test_woken_during),
        LOOP_TEST(test_events_meanwhile_are_kept),
        LOOP_TEST(test_spinning_finds_an_event),
        LOOP_TEST(test_spinning_finds_a_wake),
        LOOP_TEST(test_spinning_in_vain),
        LOOP_TEST(test_no_wake_is_lost),
    };
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}

int main(void) {
    return run_over_backends(group);
}
