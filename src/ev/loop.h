/* loop: the event loop of one thread: readiness of descriptors, timers, calls from other threads,
 * signals. One pass is: wait, call the watches that are ready, run the timers that are due, run
 * what was posted, call the end-of-pass hooks.
 *
 * Two backends stand behind this interface: epoll (always there) and io_uring (where the kernel
 * allows it). It speaks of readiness, with either. A watch of a stream may leave receiving to the
 * loop: io_uring has received already when it reports, and loop_receive hands over the bytes; epoll
 * receives when asked. What a pass has to send goes out with loop_send and loop_send_commit:
 * io_uring makes one system call of it.
 *
 * Ownership: a watch and a timer are embedded in their owner's struct; the loop keeps pointers to
 * them from add to remove. Removing is allowed at any time, from inside callbacks too: events of
 * the same pass that were already fetched for a removed watch are not delivered.
 *
 * All functions except loop_post and loop_wake belong to the loop's thread. */
#ifndef LARDER_EV_LOOP_H
#define LARDER_EV_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum loop_interest { LOOP_READ = 1, LOOP_WRITE = 2 };

/* Who reads what a watch reports as readable: its owner, from the descriptor; or through the loop,
 * with loop_receive or loop_accept, and then never from the descriptor. */
enum loop_use { LOOP_POLLED, LOOP_STREAM, LOOP_LISTENER };

struct loop;
struct loop_watch;
struct loop_timer;

/* `ready` is a set of loop_interest; errors and hang-ups report as every interest that is on. */
typedef void (*loop_watch_fn)(struct loop_watch *watch, unsigned ready);

struct loop_watch {
    int fd;
    uint16_t interest; /* what is on now; read-only for the owner */
    uint16_t use;      /* enum loop_use, set before the watch is added */
    loop_watch_fn on_ready;
    void *backend; /* the loop's own */
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

/* One send of a pass. The caller fills in all but `result`; the struct, the pieces and the bytes
 * must stay until loop_send_commit has returned. A descriptor has one send at most between two
 * commits: whether a second one may be made depends on how much of the first was sent. */
struct loop_send {
    int fd;
    int count; /* of pieces, 1 to IOV_MAX */
    const struct iovec *pieces;
    ssize_t result; /* > 0 bytes sent, perhaps not all; -EAGAIN the socket is full; other -errno */
};

/* What can be told of a loop. Times in microseconds. */
struct loop_stats {
    uint64_t passes;
    uint64_t events;       /* watches called */
    uint64_t busy_us;      /* in passes, waiting not counted */
    uint64_t waited_us;    /* between them: looking, spinning, sleeping */
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
/* The watch's memory may be freed and its descriptor closed at once. What the loop has received for
 * a stream and nobody has taken is lost. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* To move a stream to another loop: removes the watch, and keeps in it what had been received and
 * not taken; when it returns, the loop receives no more from that descriptor. The other loop's
 * thread then calls loop_watch_add_kept, which takes that over, also when it fails; or, if nothing
 * comes of it, somebody calls loop_watch_drop_kept. May wait for the kernel, but not for the peer.
 * Bytes that io_uring has received cannot be given to a loop with epoll: that fails with -EXDEV. */
void loop_watch_remove_kept(struct loop *loop, struct loop_watch *watch);
int loop_watch_add_kept(struct loop *loop, struct loop_watch *watch, unsigned interest);
void loop_watch_drop_kept(struct loop_watch *watch);

/* Whether the loop receives before it is asked to. If not, its streams may as well be read from
 * their descriptors, which saves a call. */
bool loop_receives_ahead(const struct loop *loop);

/* What has arrived on a stream, as far as the pieces have room: > 0 bytes; 0 the peer has closed;
 * -EAGAIN nothing is there; other -errno the connection is broken. A stream from which not all was
 * taken is reported again by the next pass. May be called without LOOP_READ being on. */
ssize_t loop_receive(struct loop *loop, struct loop_watch *watch, const struct iovec *pieces,
                     int count);

/* The next connection of a listener: a descriptor, nonblocking and close-on-exec; -EAGAIN nobody
 * is waiting; other -errno as accept4 has it. */
int loop_accept(struct loop *loop, struct loop_watch *watch);

/* Sends without blocking. Results are there when loop_send_commit has returned, and not before. */
void loop_send(struct loop *loop, struct loop_send *send);
void loop_send_commit(struct loop *loop);

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
/* Inside a pass, for work that takes long: calls the watches that are ready, and looks once without
 * waiting which others are. No timer runs, nothing that was posted, no hook. */
void loop_look(struct loop *loop);
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

/* How long the running pass has taken so far, in microseconds: by the wall, its wait not
 * counted. */
int64_t loop_pass_us(const struct loop *loop);

/* How many watches this pass and those since the last look have had or will have to call. */
int loop_ready_count(const struct loop *loop);

/* The watches that have not had their turn in this pass have it in the next one, which does not
 * wait: for a watch whose work has taken long. Timers and hooks run in between. */
void loop_put_off(struct loop *loop);

void loop_stats_reset(struct loop *loop);

#endif
