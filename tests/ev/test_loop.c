/* Tests of ev/loop over each backend that there is here: delivery, removal in the middle of a pass,
 * timers, calls from other threads, signals, statistics. */
#include "ev/loop.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ev/backends.h"

/* How many passes a test makes before it gives up on what it waits for. */
#define PASSES_MAX 2000

/* A connected pair, `here` watched, with a log of what was reported. */
struct pair {
    struct loop_watch watch;
    struct loop *loop;
    int here;
    int there;
    int calls;
    unsigned ready;
    void (*then)(struct pair *pair);
    struct pair *other;
};

static void on_pair(struct loop_watch *watch, unsigned ready) {
    struct pair *pair = (struct pair *)(void *)watch;
    pair->calls++;
    pair->ready = ready;
    if (pair->then != NULL) {
        pair->then(pair);
    }
}

static struct pair *pair_new(struct loop *loop, unsigned interest) {
    struct pair *pair = calloc(1, sizeof *pair);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    pair->loop = loop;
    pair->here = ends[0];
    pair->there = ends[1];
    pair->watch.fd = pair->here;
    pair->watch.on_ready = on_pair;
    assert_int_equal(loop_watch_add(loop, &pair->watch, interest), 0);
    return pair;
}

static void pair_send(struct pair *pair) {
    assert_int_equal(write(pair->there, "x", 1), 1);
}

static void pair_free(struct pair *pair) {
    loop_watch_remove(pair->loop, &pair->watch);
    close(pair->here);
    if (pair->there >= 0) {
        close(pair->there);
    }
    free(pair);
}

static int set_up(void **state) {
    const char *error = NULL;
    struct loop *loop = loop_new(backend, 1024, &error);
    assert_non_null(loop);
    assert_null(error);
    *state = loop;
    return 0;
}

static int tear_down(void **state) {
    loop_free(*state);
    return 0;
}

static void test_backends_by_name(void **state) {
    (void)state;
    const char *error = NULL;
    assert_null(loop_new("kqueue", 16, &error));
    assert_non_null(error);

    struct loop *loop = loop_new("auto", 16, &error);
    assert_non_null(loop);
    assert_null(error);
    assert_string_equal(loop_backend(loop), "epoll");
    loop_free(loop);

    /* io_uring, or epoll and the reason. */
    loop = loop_new("io_uring", 16, &error);
    assert_non_null(loop);
    if (error != NULL) {
        assert_string_equal(loop_backend(loop), "epoll");
    } else {
        assert_string_equal(loop_backend(loop), "io_uring");
    }
    loop_free(loop);
    loop_free(NULL);
}

static void never_called(void *context) {
    (void)context;
    abort();
}

static void test_gives_back_all_memory_and_descriptors(void **state) {
    (void)state;
    const char *error;
    size_t before = mem_used();
    int lowest = dup(0);
    close(lowest);
    struct loop *loop = loop_new(backend, 16, &error);
    struct loop_timer timer = {0};
    loop_timer_add(loop, &timer, 1000);
    loop_post(loop, never_called, NULL); /* dropped, not called */
    loop_free(loop);
    assert_int_equal(timer.position, -1);
    assert_int_equal(mem_used(), before);
    int after = dup(0);
    assert_int_equal(after, lowest);
    close(after);
}

static void test_readiness_is_level_triggered(void **state) {
    struct loop *loop = *state;
    struct pair *pair = pair_new(loop, LOOP_READ);
    loop_run_once(loop, 0);
    assert_int_equal(pair->calls, 0);
    pair_send(pair);
    loop_run_once(loop, -1);
    loop_run_once(loop, -1); /* nothing was read, so it is reported again */
    assert_int_equal(pair->calls, 2);
    assert_int_equal(pair->ready, LOOP_READ);

    assert_int_equal(loop_watch_change(loop, &pair->watch, LOOP_READ | LOOP_WRITE), 0);
    assert_int_equal(pair->watch.interest, LOOP_READ | LOOP_WRITE);
    loop_run_once(loop, -1);
    assert_int_equal(pair->ready, LOOP_READ | LOOP_WRITE);

    assert_int_equal(loop_watch_change(loop, &pair->watch, LOOP_WRITE), 0);
    loop_run_once(loop, -1);
    assert_int_equal(pair->ready, LOOP_WRITE);
    assert_int_equal(loop_stats(loop)->events, 4);
    assert_int_equal(loop_stats(loop)->passes, 5);
    pair_free(pair);
}

static void test_hang_up_is_every_interest(void **state) {
    struct loop *loop = *state;
    struct pair *pair = pair_new(loop, LOOP_READ | LOOP_WRITE);
    close(pair->there);
    pair->there = -1;
    loop_run_once(loop, -1);
    assert_int_equal(pair->ready, LOOP_READ | LOOP_WRITE);
    assert_int_equal(loop_watch_change(loop, &pair->watch, LOOP_WRITE), 0);
    loop_run_once(loop, -1);
    assert_int_equal(pair->ready, LOOP_WRITE);
    pair_free(pair);
}

static void test_no_interest_reports_nothing(void **state) {
    struct loop *loop = *state;
    struct pair *pair = pair_new(loop, 0);
    pair_send(pair);
    close(pair->there);
    pair->there = -1;
    loop_run_once(loop, 0);
    assert_int_equal(pair->calls, 0);
    assert_int_equal(loop_watch_change(loop, &pair->watch, LOOP_READ), 0);
    loop_run_once(loop, -1);
    assert_int_equal(pair->calls, 1);
    assert_int_equal(loop_watch_change(loop, &pair->watch, 0), 0);
    loop_run_once(loop, 0);
    assert_int_equal(pair->calls, 1);
    pair_free(pair);
}

static void test_adding_a_bad_descriptor_fails(void **state) {
    struct loop *loop = *state;
    struct loop_watch watch = {.fd = -1, .on_ready = on_pair};
    assert_int_equal(loop_watch_add(loop, &watch, LOOP_READ), -EBADF);
    assert_int_equal(watch.interest, 0);
}

static void free_other(struct pair *pair) {
    if (pair->other != NULL) {
        pair->other->other = NULL;
        pair_free(pair->other);
        pair->other = NULL;
    }
}

static void test_removed_watch_gets_nothing_more(void **state) {
    struct loop *loop = *state;
    struct pair *a = pair_new(loop, LOOP_READ);
    struct pair *b = pair_new(loop, LOOP_READ);
    a->other = b;
    b->other = a;
    a->then = free_other;
    b->then = free_other;
    pair_send(a);
    pair_send(b);
    /* Whoever comes first frees the other; the sanitizer sees a use of it afterwards. */
    loop_run_once(loop, -1);
    assert_int_equal(loop_stats(loop)->events, 1);
    loop_run_once(loop, 0);
    assert_int_equal(loop_stats(loop)->events, 2);
    pair_free(a->other == NULL && a->calls > 0 ? a : b);
}

static struct pair *successor;

/* Replaces the other pair by a new one with the same descriptor, the other end of which is silent.
 * */
static void replace_other(struct pair *pair) {
    struct pair *other = pair->other;
    if (other == NULL || successor != NULL) {
        return;
    }
    int fd = other->here;
    loop_watch_remove(pair->loop, &other->watch);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(dup2(ends[0], fd), fd);
    close(ends[0]);
    close(other->there);
    other->there = ends[1];
    other->calls = 0;
    assert_int_equal(loop_watch_add(pair->loop, &other->watch, LOOP_READ), 0);
    successor = other;
}

static void test_reused_descriptor_and_address_get_no_old_event(void **state) {
    struct loop *loop = *state;
    struct pair *a = pair_new(loop, LOOP_READ);
    struct pair *b = pair_new(loop, LOOP_READ);
    a->other = b;
    b->other = a;
    a->then = replace_other;
    b->then = replace_other;
    successor = NULL;
    pair_send(a);
    pair_send(b);
    loop_run_once(loop, -1);
    assert_non_null(successor);
    assert_int_equal(successor->calls, 0);
    successor->then = NULL;
    pair_send(successor);
    loop_run_once(loop, -1);
    assert_int_equal(successor->calls, 1);
    pair_free(a);
    pair_free(b);
}

static void silence_other(struct pair *pair) {
    if (pair->other->calls == 0) {
        assert_int_equal(loop_watch_change(pair->loop, &pair->other->watch, 0), 0);
    }
}

static void test_interest_switched_off_in_the_pass_counts(void **state) {
    struct loop *loop = *state;
    struct pair *a = pair_new(loop, LOOP_READ);
    struct pair *b = pair_new(loop, LOOP_READ);
    a->other = b;
    b->other = a;
    a->then = silence_other;
    b->then = silence_other;
    pair_send(a);
    pair_send(b);
    loop_run_once(loop, -1);
    assert_int_equal(a->calls + b->calls, 1);
    pair_free(a);
    pair_free(b);
}

static void free_self(struct pair *pair) {
    pair_free(pair);
}

static void test_watch_may_free_itself(void **state) {
    struct loop *loop = *state;
    struct pair *pair = pair_new(loop, LOOP_READ | LOOP_WRITE);
    pair->then = free_self;
    loop_run_once(loop, -1);
    loop_run_once(loop, 0);
    assert_int_equal(loop_stats(loop)->events, 1);
}

/* Timers. */

struct tick {
    struct loop_timer timer;
    struct loop *loop;
    int calls;
    int64_t next_ms;
    int64_t set_us;
    int64_t at_us;
    int order;
    bool frees;
};

static int ticks_so_far;

static int64_t on_tick(struct loop_timer *timer) {
    struct tick *tick = (struct tick *)(void *)timer;
    if (tick->frees) {
        free(tick);
        return -1;
    }
    tick->calls++;
    tick->order = ticks_so_far++;
    tick->at_us = clock_mono_us();
    return tick->next_ms;
}

static void tick_set(struct tick *tick, struct loop *loop, int64_t after_ms, int64_t next_ms) {
    tick->timer.on_time = on_tick;
    tick->loop = loop;
    tick->next_ms = next_ms;
    tick->set_us = clock_mono_us();
    loop_timer_add(loop, &tick->timer, after_ms);
}

static void run_until(struct loop *loop, const int *counter, int wanted) {
    for (int i = 0; i < PASSES_MAX && *counter < wanted; i++) {
        loop_run_once(loop, 1000);
    }
    assert_true(*counter >= wanted);
}

static void test_timers_run_in_order_and_never_early(void **state) {
    struct loop *loop = *state;
    ticks_so_far = 0;
    struct tick ticks[3] = {0};
    tick_set(&ticks[0], loop, 12, -1);
    tick_set(&ticks[1], loop, 3, -1);
    tick_set(&ticks[2], loop, 7, -1);
    run_until(loop, &ticks_so_far, 3);
    assert_int_equal(ticks[1].order, 0);
    assert_int_equal(ticks[2].order, 1);
    assert_int_equal(ticks[0].order, 2);
    assert_true(ticks[0].at_us - ticks[0].set_us >= 12000);
    assert_true(ticks[1].at_us - ticks[1].set_us >= 3000);
    assert_true(ticks[2].at_us - ticks[2].set_us >= 7000);
    /* Each wait ended at the right time, rather than spinning towards it. */
    assert_true(loop_stats(loop)->passes <= 6);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ticks[i].timer.position, -1);
    }
}

static void test_timer_of_no_time_runs_once_a_pass(void **state) {
    struct loop *loop = *state;
    struct tick tick = {0};
    tick_set(&tick, loop, 0, 0);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, -1);
        assert_true(tick.calls <= i + 1);
    }
    run_until(loop, &tick.calls, 5);
    loop_timer_remove(loop, &tick.timer);
    int calls = tick.calls;
    loop_run_once(loop, 0);
    assert_int_equal(tick.calls, calls);
    loop_timer_remove(loop, &tick.timer); /* not there: nothing happens */
}

static void test_timer_moves_and_repeats(void **state) {
    struct loop *loop = *state;
    struct tick tick = {0};
    tick_set(&tick, loop, 3600 * 1000, 2);
    loop_run_once(loop, 0);
    assert_int_equal(tick.calls, 0);
    tick_set(&tick, loop, 1, 2);
    run_until(loop, &tick.calls, 3);
    assert_true(tick.at_us - tick.set_us >= 5000);
    tick_set(&tick, loop, INT64_MAX, -1); /* as good as never */
    loop_run_once(loop, 0);
    assert_true(tick.timer.due_us > clock_mono_us());
    loop_timer_remove(loop, &tick.timer);
}

static void test_timer_may_free_itself(void **state) {
    struct loop *loop = *state;
    struct tick *tick = calloc(1, sizeof *tick);
    tick->frees = true;
    tick_set(tick, loop, 0, -1);
    struct tick after = {0};
    tick_set(&after, loop, 1, -1);
    run_until(loop, &after.calls, 1);
}

static void test_many_due_timers_leave_room_for_watches(void **state) {
    struct loop *loop = *state;
    enum { COUNT = 3000 };
    struct tick *ticks = calloc(COUNT, sizeof *ticks);
    ticks_so_far = 0;
    for (int i = 0; i < COUNT; i++) {
        tick_set(&ticks[i], loop, 0, -1);
    }
    while (clock_mono_us() < ticks[COUNT - 1].timer.due_us) {}
    loop_run_once(loop, -1);
    assert_in_range(ticks_so_far, 1, COUNT - 1);
    run_until(loop, &ticks_so_far, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(ticks[i].calls, 1);
    }
    free(ticks);
}

static void test_waiting_has_a_limit(void **state) {
    struct loop *loop = *state;
    int64_t start_us = clock_mono_us();
    loop_run_once(loop, 5);
    assert_true(clock_mono_us() - start_us >= 5000);
    assert_int_equal(loop_stats(loop)->events, 0);
}

/* Posted calls and waking. */

static void add_one(void *context) {
    (*(int *)context)++;
}

struct poster {
    struct loop *loop;
    int *counter;
    int count;
};

static void *post_many(void *context) {
    struct poster *poster = context;
    for (int i = 0; i < poster->count; i++) {
        loop_post(poster->loop, add_one, poster->counter);
    }
    return NULL;
}

static void test_posts_from_threads_all_arrive(void **state) {
    struct loop *loop = *state;
    enum { THREADS = 4, EACH = 5000 };
    pthread_t threads[THREADS];
    int counter = 0;
    struct poster poster = {.loop = loop, .counter = &counter, .count = EACH};
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &poster), 0);
    }
    /* Without a limit to the wait: a wake-up that is lost would hang here. */
    while (counter < THREADS * EACH) {
        loop_run_once(loop, -1);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(counter, THREADS * EACH);
}

static struct loop *posting_loop;

static void post_again(void *context) {
    int *calls = context;
    (*calls)++;
    if (*calls < 10) {
        loop_post(posting_loop, post_again, calls);
    }
}

static void test_a_post_from_a_post_waits_for_the_next_pass(void **state) {
    struct loop *loop = *state;
    int calls = 0;
    posting_loop = loop;
    loop_post(loop, post_again, &calls);
    for (int i = 1; i <= 10; i++) {
        loop_run_once(loop, -1);
        assert_int_equal(calls, i);
    }
}

struct sequence {
    int next;
    bool in_order;
};
static struct sequence sequence;

static void check_order(void *context) {
    sequence.in_order = sequence.in_order && (int)(intptr_t)context == sequence.next;
    sequence.next++;
}

static void test_posts_run_in_order_and_in_portions(void **state) {
    struct loop *loop = *state;
    sequence = (struct sequence){.in_order = true};
    for (int i = 0; i < 2500; i++) {
        loop_post(loop, check_order, (void *)(intptr_t)i);
    }
    loop_run_once(loop, -1);
    assert_in_range(sequence.next, 1, 2499);
    loop_post(loop, check_order, (void *)(intptr_t)2500);
    for (int i = 0; i < 10 && sequence.next < 2501; i++) {
        loop_run_once(loop, -1);
    }
    assert_int_equal(sequence.next, 2501);
    assert_true(sequence.in_order);
}

static void test_wake_before_the_wait_is_not_lost(void **state) {
    struct loop *loop = *state;
    loop_wake(loop);
    loop_wake(loop);
    loop_run_once(loop, -1);
    assert_int_equal(loop_stats(loop)->passes, 1);
}

static atomic_bool waking;

static void *wake_while_told(void *loop) {
    while (atomic_load(&waking)) {
        loop_wake(loop);
        sched_yield();
    }
    return NULL;
}

static void test_wake_from_a_thread_ends_waits(void **state) {
    struct loop *loop = *state;
    pthread_t thread;
    atomic_store(&waking, true);
    assert_int_equal(pthread_create(&thread, NULL, wake_while_told, loop), 0);
    for (int i = 0; i < 500; i++) {
        loop_run_once(loop, -1);
    }
    atomic_store(&waking, false);
    pthread_join(thread, NULL);
}

static struct loop *woken_by_signal;
static volatile sig_atomic_t errno_kept;

static void on_alarm(int signal) {
    (void)signal;
    errno = EXDEV;
    loop_wake(woken_by_signal);
    errno_kept = errno == EXDEV;
}

static void test_wake_from_a_signal_handler(void **state) {
    struct loop *loop = *state;
    woken_by_signal = loop;
    struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    raise(SIGUSR1);
    assert_true(errno_kept);
    loop_run_once(loop, -1);
    assert_int_equal(loop_stats(loop)->passes, 1);
    sigaction(SIGUSR1, &before, NULL);
}

/* Signals. */

struct signals_seen {
    int user1;
    int user2;
};

static void on_signal(void *context, int signal) {
    struct signals_seen *seen = context;
    seen->user1 += signal == SIGUSR1;
    seen->user2 += signal == SIGUSR2;
}

static void test_signals_come_through_the_loop(void **state) {
    struct loop *loop = *state;
    struct signals_seen seen = {0};
    const int first[] = {SIGUSR1, 0};
    const int second[] = {SIGUSR2, 0};
    assert_int_equal(loop_signals(loop, first, on_signal, &seen), 0);
    assert_int_equal(loop_signals(loop, second, on_signal, &seen), 0);
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_int_equal(seen.user1, 0);
    for (int i = 0; i < 10 && seen.user1 + seen.user2 < 2; i++) {
        loop_run_once(loop, 1000);
    }
    assert_int_equal(seen.user1, 1);
    assert_int_equal(seen.user2, 1);
    const int wrong[] = {100000, 0};
    assert_int_equal(loop_signals(loop, wrong, on_signal, &seen), -EINVAL);
}

static void test_freeing_gives_the_signals_back(void **state) {
    (void)state;
    const char *error;
    struct signals_seen seen;
    const int signals[] = {SIGUSR1, 0};
    sigset_t mask;
    struct loop *loop = loop_new(backend, 16, &error);
    assert_int_equal(loop_signals(loop, signals, on_signal, &seen), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_true(sigismember(&mask, SIGUSR1));
    loop_free(loop);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGUSR1));
}

/* Hooks and running. */

struct trace {
    char text[32];
    int size;
    int more;
};

static void trace_add(struct trace *trace, char what) {
    if (trace->size < (int)sizeof trace->text - 1) {
        trace->text[trace->size++] = what;
        trace->text[trace->size] = '\0';
    }
}

static bool trace_idle(void *context) {
    struct trace *trace = context;
    trace_add(trace, 'i');
    return trace->more-- > 0;
}

static void trace_start(void *context) {
    trace_add(context, 's');
}

static void trace_end(void *context) {
    trace_add(context, 'e');
}

static void trace_posted(void *context) {
    trace_add(context, 'p');
}

struct traced_timer {
    struct loop_timer timer;
    struct trace *trace;
};

static int64_t trace_timer(struct loop_timer *timer) {
    trace_add(((struct traced_timer *)(void *)timer)->trace, 't');
    return -1;
}

static struct trace *watch_trace;

static void trace_watch(struct pair *pair) {
    trace_add(watch_trace, 'w');
    assert_int_equal(loop_watch_change(pair->loop, &pair->watch, 0), 0);
}

static void test_a_pass_has_its_order(void **state) {
    struct loop *loop = *state;
    struct trace trace = {.more = 2};
    watch_trace = &trace;
    struct pair *pair = pair_new(loop, LOOP_WRITE);
    pair->then = trace_watch;
    struct traced_timer timer = {.timer.on_time = trace_timer, .trace = &trace};
    loop_timer_add(loop, &timer.timer, 0);
    while (clock_mono_us() < timer.timer.due_us) {}
    loop_post(loop, trace_posted, &trace);
    loop_on_idle(loop, trace_idle, &trace);
    loop_on_pass_start(loop, trace_start, &trace);
    loop_on_pass_end(loop, trace_end, &trace);
    loop_run_once(loop, -1);
    assert_string_equal(trace.text, "swtpei");
    /* The idle hook said twice that there is more, so these two do not wait. */
    loop_run_once(loop, -1);
    loop_run_once(loop, -1);
    assert_string_equal(trace.text, "swtpeiseisei");
    pair_free(pair);
}

static void stop_loop(void *context) {
    loop_stop(context);
}

static void test_run_ends_with_stop(void **state) {
    struct loop *loop = *state;
    loop_post(loop, stop_loop, loop);
    loop_run(loop);
    assert_int_equal(loop_stats(loop)->passes, 1);
    loop_stop(loop); /* before running: not lost */
    loop_run(loop);
    assert_int_equal(loop_stats(loop)->passes, 1);
    loop_post(loop, stop_loop, loop);
    loop_run(loop); /* and it can run again */
    assert_int_equal(loop_stats(loop)->passes, 2);
}

/* Statistics. */

static int64_t burnt_ns;

static void burn(void *context) {
    int64_t wanted_ns = *(int64_t *)context;
    int64_t start_ns = clock_thread_cpu_ns();
    do {
        burnt_ns = clock_thread_cpu_ns() - start_ns;
    } while (burnt_ns < wanted_ns);
}

static void test_the_longest_pass_is_never_reported_too_short(void **state) {
    struct loop *loop = *state;
    for (int i = 0; i < 40; i++) {
        loop_run_once(loop, 0);
    }
    int64_t lengths_ns[] = {100000, 3000000, 50000};
    int64_t longest_ns = 0;
    for (int i = 0; i < 3; i++) {
        loop_post(loop, burn, &lengths_ns[i]);
        loop_run_once(loop, -1);
        longest_ns = burnt_ns > longest_ns ? burnt_ns : longest_ns;
        assert_true(loop_stats(loop)->pass_max_us >= (uint64_t)longest_ns / 1000);
    }
    assert_true(loop_stats(loop)->busy_us >= 3000);
    loop_stats_reset(loop);
    assert_int_equal(loop_stats(loop)->pass_max_us, 0);
    assert_int_equal(loop_stats(loop)->passes, 0);
    loop_post(loop, burn, &lengths_ns[0]);
    loop_run_once(loop, -1);
    assert_true(loop_stats(loop)->pass_max_us >= (uint64_t)burnt_ns / 1000);
}

static void block(void *context) {
    poll(NULL, 0, *(int *)context);
}

static void test_time_without_the_core_is_not_a_long_pass(void **state) {
    struct loop *loop = *state;
    int ms = 40;
    loop_post(loop, block, &ms);
    loop_run_once(loop, -1);
    assert_true(loop_stats(loop)->pass_last_us >= 40000);
    assert_true(loop_stats(loop)->busy_us >= 40000);
    assert_true(loop_stats(loop)->pass_max_us < 20000);
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int group(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backends_by_name),
        cmocka_unit_test(test_gives_back_all_memory_and_descriptors),
        LOOP_TEST(test_readiness_is_level_triggered),
        LOOP_TEST(test_hang_up_is_every_interest),
        LOOP_TEST(test_no_interest_reports_nothing),
        LOOP_TEST(test_adding_a_bad_descriptor_fails),
        LOOP_TEST(test_removed_watch_gets_nothing_more),
        LOOP_TEST(test_reused_descriptor_and_address_get_no_old_event),
        LOOP_TEST(test_interest_switched_off_in_the_pass_counts),
        LOOP_TEST(test_watch_may_free_itself),
        LOOP_TEST(test_timers_run_in_order_and_never_early),
        LOOP_TEST(test_timer_of_no_time_runs_once_a_pass),
        LOOP_TEST(test_timer_moves_and_repeats),
        LOOP_TEST(test_timer_may_free_itself),
        LOOP_TEST(test_many_due_timers_leave_room_for_watches),
        LOOP_TEST(test_waiting_has_a_limit),
        LOOP_TEST(test_posts_from_threads_all_arrive),
        LOOP_TEST(test_a_post_from_a_post_waits_for_the_next_pass),
        LOOP_TEST(test_posts_run_in_order_and_in_portions),
        LOOP_TEST(test_wake_before_the_wait_is_not_lost),
        LOOP_TEST(test_wake_from_a_thread_ends_waits),
        LOOP_TEST(test_wake_from_a_signal_handler),
        LOOP_TEST(test_signals_come_through_the_loop),
        cmocka_unit_test(test_freeing_gives_the_signals_back),
        LOOP_TEST(test_a_pass_has_its_order),
        LOOP_TEST(test_run_ends_with_stop),
        LOOP_TEST(test_the_longest_pass_is_never_reported_too_short),
        LOOP_TEST(test_time_without_the_core_is_not_a_long_pass),
    };
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}

int main(void) {
    return run_over_backends(group);
}
