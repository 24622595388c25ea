/* loop: the event loop of one thread: readiness of descriptors, timers, calls from other threads,
 * signals. One pass is: wait, call the watches that are ready, run the timers that are due, run
 * what was posted, call the end-of-pass hooks.
 *
 * Two backends stand behind this interface: epoll (always there) and io_uring. It speaks of
 * readiness, and bytes move through net/transport.h, which asks the loop's backend: with epoll a
 * transport reads and writes at once; a completion backend hands over what it has received
 * already, and queues what is to be sent until the end of the pass.
 *
 * Ownership: a watch and a timer are embedded in their owner's struct; the loop keeps pointers to
 * them from add to remove. Removing is allowed at any time, from inside callbacks too: events of
 * the same pass that were already fetched for a removed watch are not delivered.
 *
 * All functions except loop_post and loop_wake belong to the loop's thread. */
#ifndef LARDER_EV_LOOP_H
#define LARDER_EV_LOOP_H

#include <stdbool.h>
#include <stdint.h>

enum loop_interest { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;
struct loop_watch;
struct loop_timer;

/* `ready` is a set of loop_interest; errors and hang-ups report as every interest that is on. */
typedef void (*loop_watch_fn)(struct loop_watch *watch, unsigned ready);

struct loop_watch {
    int fd;
    unsigned interest; /* what is on now; read-only for the owner */
    loop_watch_fn on_ready;
    void *backend; /* the backend's own */
};

/* Called when the time has come. Returns the milliseconds until the next call, or -1 to end (the
 * timer is then removed and may be added again). */
typedef int64_t (*loop_timer_fn)(struct loop_timer *timer);

struct loop_timer {
    loop_timer_fn on_time;
    int64_t due_us; /* on the monotonic clock */
    int position;   /* in the loop's heap, -1 when not there; the loop's own */
};

typedef void (*loop_hook_fn)(void *context);
typedef void (*loop_signal_fn)(void *context, int signal);
typedef void (*loop_posted_fn)(void *context);

/* What can be told of a loop. Times in microseconds. */
struct loop_stats {
    uint64_t passes;
    uint64_t events;       /* watches called */
    uint64_t busy_us;      /* in passes, waiting not counted */
    uint64_t pass_max_us;  /* longest pass by the thread's CPU clock */
    uint64_t pass_last_us; /* by the wall */
};

/* `backend` is "epoll" or "io_uring" or "auto"; what is really used is loop_backend(), for where
 * io_uring is not to be had the loop uses epoll and *error says why. `fd_max` is how many
 * descriptors there may be. Otherwise *error is NULL on success, and a static text when NULL is
 * returned. */
struct loop *loop_new(const char *backend, int fd_max, const char **error);
void loop_free(struct loop *loop);
const char *loop_backend(const struct loop *loop);

/* 0 or -errno. */
int loop_watch_add(struct loop *loop, struct loop_watch *watch, unsigned interest);
int loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned interest);
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* Adds a timer, or moves one that is there. `after_ms` >= 0. It never runs early, nor in the pass
 * that set it; late by up to a millisecond and by the length of the pass before. */
void loop_timer_add(struct loop *loop, struct loop_timer *timer, int64_t after_ms);
void loop_timer_remove(struct loop *loop, struct loop_timer *timer);

/* Before waiting: the hook may say that there is more to do by returning true, and then the loop
 * only looks and does not wait; what it does counts as part of the pass. After waiting: first thing
 * in a pass, e.g. to read the clock. At the end of a pass: to run the batch. Each may be set once.
 * */
typedef bool (*loop_idle_fn)(void *context);
void loop_on_idle(struct loop *loop, loop_idle_fn hook, void *context);
void loop_on_pass_start(struct loop *loop, loop_hook_fn hook, void *context);
void loop_on_pass_end(struct loop *loop, loop_hook_fn hook, void *context);

/* Runs `posted(context)` in the loop's thread during its next pass. From any thread. */
void loop_post(struct loop *loop, loop_posted_fn posted, void *context);
/* Ends a wait. From any thread and from signal handlers. */
void loop_wake(struct loop *loop);

/* Inside a pass: waits until somebody wakes the loop, or has done so since the pass began. */
void loop_wait_woken(struct loop *loop);

/* For so long it looks again and again before it sleeps; 0, as at first: not at all. */
void loop_set_spin(struct loop *loop, int64_t spin_us);

/* Takes these signals (list ended by 0) out of normal delivery and hands them to `on_signal` in the
 * loop's thread (signalfd). Must be called before other threads start, which inherit the mask. A
 * second call adds signals and replaces the function. loop_free restores the mask. 0 or -errno. */
int loop_signals(struct loop *loop, const int *signals, loop_signal_fn on_signal, void *context);

/* Makes passes until the one during which loop_stop is called has ended. Neither may be called from
 * inside a pass. */
void loop_run(struct loop *loop);
/* Makes one pass, which waits for `wait_ms` at most; -1: as long as it takes. */
void loop_run_once(struct loop *loop, int64_t wait_ms);
void loop_stop(struct loop *loop);

const struct loop_stats *loop_stats(const struct loop *loop);

/* Since when at most what this pass has found ready may have been waiting, on the monotonic clock
 * in nanoseconds: the end of the wait if the loop slept, else the end of the wait before, when it
 * looked last. */
int64_t loop_ready_since_ns(const struct loop *loop);

/* The watches that have not had their turn in this pass have it in the next one, which does not
 * wait: for a watch whose work has taken long. Timers and hooks run in between. */
void loop_put_off(struct loop *loop);

void loop_stats_reset(struct loop *loop);

#endif
