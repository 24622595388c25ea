/* loop: one thread's event loop, over a backend.
 *
 *     loop_run ---> wait (backend) ---> pass start hook
 *          ^                            watches that are ready
 *          |                            timers that are due
 *          |                            posted calls
 *          |                            pass end hook       (the batch runs here)
 *          +--------------------------- idle hook           (says whether the next wait may sleep)
 *
 * All but the wait counts as the pass (ev/pass_time.h says how it is measured). The idle hook runs
 * at the end of a pass; until it was asked for the first time, the loop only looks.
 *
 * Terms. Ready events: what the wait brought, an array of watch and readiness. It belongs to the
 * loop and not to the backend, so that removal is handled in one place: removing a watch during a
 * pass searches the events that have not had their turn (1023 comparisons at worst, less than the
 * system calls that removing and closing cost anyway) and clears them; the watch's memory may be
 * freed at once, and a new watch at the same address or with the same descriptor gets nothing that
 * was meant for the old one.
 *
 * Waking. `state` says what the loop's thread does:
 *
 *     AWAKE ------ about to wait, unless NOTIFIED -----> SLEEPING
 *     NOTIFIED <-- somebody wakes, AWAKE or SLEEPING; a sleeper also through the eventfd
 *     AWAKE <----- the wait has ended, SLEEPING or NOTIFIED
 *
 * A loop that is NOTIFIED does not sleep. So waking a loop that is awake costs one atomic exchange,
 * and only a sleeper costs a system call. What was posted before the state turned NOTIFIED is seen
 * by the pass that follows, because the loop turns AWAKE before it looks.
 *
 * Invariants:
 *   1. events[next..count) hold only watches that are registered, or NULL;
 *   2. the loop touches neither a watch nor a timer after calling it, unless the timer's function
 *      returned 0 or more;
 *   3. a timer that is set during a pass runs in a later pass. */
#include "ev/loop.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "ev/backend.h"
#include "ev/pass_time.h"
#include "ev/posted.h"
#include "ev/timer_heap.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define US_PER_MS 1000
#define NS_PER_US 1000

/* A wait that took longer has slept: without sleeping it is a system call of a few microseconds. */
#define SLEPT_NS 20000

/* Timers run in one pass. Those left over are due at once, in the next pass, after the sockets had
 * their turn. */
#define TIMERS_PER_PASS 1024

/* A timer further away than this is set to this: 292,000 years halved, so that sums do not
 * overflow. */
#define TIMER_MS_MAX (INT64_MAX / US_PER_MS / 2)

/* Signals fetched by one read. */
#define SIGNALS_PER_READ 8

/* Looks at the state for each look at the backend, which is a system call. */
#define SPINS_PER_LOOK 32

static inline void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_thread_fence(memory_order_relaxed);
#endif
}

enum state { AWAKE, SLEEPING, NOTIFIED };

struct loop {
    const struct backend_kind *kind;
    void *backend;

    struct backend_event *events;
    int event_count;
    int event_next;

    struct timer_heap timers;
    struct posted posted;
    struct pass_time time;
    int64_t busy_ns;
    int64_t waited_ns;
    int64_t ready_since_ns;
    struct loop_stats stats;

    loop_idle_fn on_idle;
    void *idle_context;
    loop_hook_fn on_pass_start;
    void *pass_start_context;
    loop_hook_fn on_pass_end;
    void *pass_end_context;

    bool has_more; /* the idle hook said so, or nobody asked it yet */
    bool put_off;  /* the rest of the ready events waits for the next pass */
    bool stopped;
    bool in_pass; /* the wait included */

    atomic_int state;
    _Atomic int64_t spin_ns;
    struct loop_watch wake; /* an eventfd */

    struct loop_watch signals; /* a signalfd; fd is -1 as long as no signal was asked for */
    sigset_t signals_taken;    /* what the signalfd reports */
    sigset_t signals_before;   /* the thread's mask before that */
    loop_signal_fn on_signal;
    void *signal_context;
};

#define OWNER(watch_, field)                                                                       \
    ((struct loop *)(void *)((char *)(watch_)-offsetof(struct loop, field)))

/* The backends by name; "auto" takes the first. */
typedef const struct backend_kind *(*backend_fn)(void);
static const backend_fn backends[] = {backend_epoll, backend_uring};

static const struct backend_kind *backend_by_name(const char *name) {
    if (strcmp(name, "auto") == 0) {
        return backends[0]();
    }
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        const struct backend_kind *kind = backends[i]();
        if (kind != NULL && strcmp(kind->name, name) == 0) {
            return kind;
        }
    }
    return NULL;
}

/* Creates the backend that was asked for, or else epoll, if the name is one that there may be. */
static bool backend_open(struct loop *loop, const char *name, int fd_max, const char **error) {
    loop->kind = backend_by_name(name);
    if (loop->kind == NULL && strcmp(name, "io_uring") != 0) {
        *error = "there is no such event loop backend; there are auto, epoll and io_uring";
        return false;
    }
    if (loop->kind != NULL) {
        loop->backend = loop->kind->create(fd_max, error);
    } else {
        *error = "the io_uring backend was not built in";
    }
    if (loop->backend == NULL && loop->kind != backend_epoll()) {
        const char *why = *error;
        loop->kind = backend_epoll();
        loop->backend = loop->kind->create(fd_max, error);
        *error = loop->backend != NULL ? why : *error;
    }
    return loop->backend != NULL;
}

/* Waking. */

static void on_wake(struct loop_watch *watch, unsigned ready) {
    (void)ready;
    uint64_t count;
    /* The count says nothing; reading resets it. */
    ssize_t size = read(watch->fd, &count, sizeof count);
    check(size == (ssize_t)sizeof count || errno == EAGAIN || errno == EINTR);
}

void loop_wake(struct loop *loop) {
    if (atomic_exchange(&loop->state, NOTIFIED) == SLEEPING) {
        int saved = errno; /* a signal handler may have interrupted anything */
        uint64_t one = 1;
        ssize_t size;
        do {
            size = write(loop->wake.fd, &one, sizeof one);
        } while (size < 0 && errno == EINTR);
        errno = saved;
    }
}

void loop_wait_woken(struct loop *loop) {
    int awake = AWAKE;
    if (atomic_compare_exchange_strong(&loop->state, &awake, SLEEPING)) {
        struct pollfd wake = {.fd = loop->wake.fd, .events = POLLIN};
        int count;
        do {
            count = poll(&wake, 1, -1);
        } while (count < 0 && errno == EINTR);
        check(count == 1);
        on_wake(&loop->wake, LOOP_READ);
    }
    atomic_exchange(&loop->state, AWAKE);
}

void loop_set_spin(struct loop *loop, int64_t spin_us) {
    atomic_store_explicit(&loop->spin_ns, spin_us * NS_PER_US, memory_order_relaxed);
}

void loop_post(struct loop *loop, loop_posted_fn posted, void *context) {
    posted_add(&loop->posted, posted, context);
    loop_wake(loop);
}

/* Birth and death. */

struct loop *loop_new(const char *backend, int fd_max, const char **error) {
    struct loop *loop = mem_zalloc(MEM_OTHER, sizeof *loop);
    *error = NULL;
    loop->signals.fd = -1;
    atomic_init(&loop->state, AWAKE);
    pass_time_init(&loop->time);
    timer_heap_init(&loop->timers);
    posted_init(&loop->posted);
    loop->events = mem_alloc(MEM_OTHER, BACKEND_EVENTS_MAX * sizeof *loop->events);
    loop->wake = (struct loop_watch){.fd = -1, .on_ready = on_wake};

    if (!backend_open(loop, backend, fd_max, error)) {
        goto failed;
    }
    loop->wake.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake.fd < 0 || loop_watch_add(loop, &loop->wake, LOOP_READ) < 0) {
        *error = "eventfd failed: no descriptors or no memory left";
        goto failed;
    }
    return loop;

failed:
    loop_free(loop);
    return NULL;
}

void loop_free(struct loop *loop) {
    if (loop == NULL) {
        return;
    }
    if (loop->signals.fd >= 0) {
        loop_watch_remove(loop, &loop->signals);
        close(loop->signals.fd);
        pthread_sigmask(SIG_SETMASK, &loop->signals_before, NULL);
    }
    if (loop->wake.fd >= 0) {
        loop_watch_remove(loop, &loop->wake);
        close(loop->wake.fd);
    }
    if (loop->backend != NULL) {
        loop->kind->destroy(loop->backend);
    }
    posted_clear(&loop->posted);
    timer_heap_clear(&loop->timers);
    mem_free(MEM_OTHER, loop->events, BACKEND_EVENTS_MAX * sizeof *loop->events);
    mem_free(MEM_OTHER, loop, sizeof *loop);
}

const char *loop_backend(const struct loop *loop) {
    return loop->kind->name;
}

/* Watches. */

int loop_watch_add(struct loop *loop, struct loop_watch *watch, unsigned interest) {
    watch->interest = 0;
    watch->backend = NULL;
    int result = loop->kind->add(loop->backend, watch, interest);
    if (result == 0) {
        watch->interest = (uint16_t)interest;
    }
    return result;
}

int loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned interest) {
    if (watch->interest == interest) {
        return 0;
    }
    int result = loop->kind->change(loop->backend, watch, interest);
    if (result == 0) {
        watch->interest = (uint16_t)interest;
    }
    return result;
}

static void remove_watch(struct loop *loop, struct loop_watch *watch, struct loop_kept *kept) {
    loop->kind->remove(loop->backend, watch, kept);
    watch->interest = 0;
    for (int i = loop->event_next; i < loop->event_count; i++) {
        if (loop->events[i].watch == watch) {
            loop->events[i].watch = NULL;
        }
    }
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch) {
    remove_watch(loop, watch, NULL);
}

/* Streams. */

void loop_watch_remove_kept(struct loop *loop, struct loop_watch *watch) {
    struct loop_kept kept = {0};
    remove_watch(loop, watch, &kept);
    watch->backend = NULL;
    if (kept.size > 0 || kept.end != 0) {
        struct loop_kept *place = mem_alloc(MEM_BUFFER, sizeof *place);
        *place = kept;
        watch->backend = place;
    }
}

int loop_watch_add_kept(struct loop *loop, struct loop_watch *watch, unsigned interest) {
    struct loop_kept *kept = watch->backend;
    int result =
        kept == NULL || loop->kind->give != NULL ? loop_watch_add(loop, watch, interest) : -EXDEV;
    if (kept != NULL) {
        if (result == 0) {
            loop->kind->give(loop->backend, watch, kept);
        } else {
            mem_free(MEM_BUFFER, kept->bytes, kept->size);
            watch->backend = NULL;
        }
        mem_free(MEM_BUFFER, kept, sizeof *kept);
    }
    return result;
}

void loop_watch_drop_kept(struct loop_watch *watch) {
    struct loop_kept *kept = watch->backend;
    if (kept != NULL) {
        mem_free(MEM_BUFFER, kept->bytes, kept->size);
        mem_free(MEM_BUFFER, kept, sizeof *kept);
        watch->backend = NULL;
    }
}

bool loop_receives_ahead(const struct loop *loop) {
    return loop->kind->give != NULL;
}

ssize_t loop_receive(struct loop *loop, struct loop_watch *watch, const struct iovec *pieces,
                     int count) {
    return loop->kind->receive(loop->backend, watch, pieces, count);
}

int loop_accept(struct loop *loop, struct loop_watch *watch) {
    return loop->kind->accept(loop->backend, watch);
}

void loop_send(struct loop *loop, struct loop_send *send) {
    loop->kind->send(loop->backend, send);
}

void loop_send_commit(struct loop *loop) {
    loop->kind->commit(loop->backend);
}

static void run_watches(struct loop *loop) {
    loop->put_off = false;
    while (loop->event_next < loop->event_count) {
        if (UNLIKELY(loop->put_off)) {
            return;
        }
        struct backend_event event = loop->events[loop->event_next++];
        if (event.watch == NULL) {
            continue;
        }
        unsigned ready = event.ready & event.watch->interest;
        if (ready != 0) {
            loop->stats.events++;
            event.watch->on_ready(event.watch, ready);
        }
    }
    loop->event_count = 0;
    loop->event_next = 0;
}

/* Timers. */

static int64_t limited_ms(int64_t ms) {
    return ms < TIMER_MS_MAX ? ms : TIMER_MS_MAX;
}

/* Puts the timer `ms` after `from_us`, but after the start of this pass, so that no pass can run a
 * timer for ever. */
static void timer_set(struct loop *loop, struct loop_timer *timer, int64_t from_us, int64_t ms) {
    int64_t start_us = loop->time.start_ns / NS_PER_US;
    int64_t due_us = from_us + limited_ms(ms) * US_PER_MS;
    timer->due_us = due_us > start_us ? due_us : start_us + 1;
    timer_heap_put(&loop->timers, timer);
}

void loop_timer_add(struct loop *loop, struct loop_timer *timer, int64_t after_ms) {
    check(after_ms >= 0);
    int64_t now_us = (clock_mono_ns() + NS_PER_US - 1) / NS_PER_US; /* up: never early */
    timer_set(loop, timer, now_us, after_ms);
}

void loop_timer_remove(struct loop *loop, struct loop_timer *timer) {
    timer_heap_remove(&loop->timers, timer);
}

static void run_timers(struct loop *loop) {
    int64_t start_us = loop->time.start_ns / NS_PER_US;
    for (int i = 0; i < TIMERS_PER_PASS; i++) {
        struct loop_timer *timer = timer_heap_first(&loop->timers);
        if (timer == NULL || timer->due_us > start_us) {
            return;
        }
        timer_heap_remove(&loop->timers, timer);
        int64_t next_ms = timer->on_time(timer);
        if (next_ms >= 0) {
            timer_set(loop, timer, start_us + 1, next_ms);
        }
    }
}

/* Signals. */

static void on_signals(struct loop_watch *watch, unsigned ready) {
    (void)ready;
    struct loop *loop = OWNER(watch, signals);
    struct signalfd_siginfo infos[SIGNALS_PER_READ];
    ssize_t size = read(watch->fd, infos, sizeof infos);
    for (ssize_t i = 0; i < size / (ssize_t)sizeof infos[0]; i++) {
        loop->on_signal(loop->signal_context, (int)infos[i].ssi_signo);
    }
}

int loop_signals(struct loop *loop, const int *signals, loop_signal_fn on_signal, void *context) {
    bool first = loop->signals.fd < 0;
    sigset_t taken;
    sigset_t before;
    if (first) {
        sigemptyset(&taken);
    } else {
        taken = loop->signals_taken;
    }
    for (int i = 0; signals[i] != 0; i++) {
        if (sigaddset(&taken, signals[i]) < 0) {
            return -errno;
        }
    }
    int fd = signalfd(loop->signals.fd, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (first) {
        loop->signals = (struct loop_watch){.fd = fd, .on_ready = on_signals};
        int result = loop_watch_add(loop, &loop->signals, LOOP_READ);
        if (result < 0) {
            close(fd);
            loop->signals.fd = -1;
            return result;
        }
    }
    check(pthread_sigmask(SIG_BLOCK, &taken, &before) == 0);
    if (first) {
        loop->signals_before = before;
    }
    loop->signals_taken = taken;
    loop->on_signal = on_signal;
    loop->signal_context = context;
    return 0;
}

/* Running. */

void loop_on_idle(struct loop *loop, loop_idle_fn hook, void *context) {
    loop->on_idle = hook;
    loop->idle_context = context;
    loop->has_more = true;
}

void loop_on_pass_start(struct loop *loop, loop_hook_fn hook, void *context) {
    loop->on_pass_start = hook;
    loop->pass_start_context = context;
}

void loop_on_pass_end(struct loop *loop, loop_hook_fn hook, void *context) {
    loop->on_pass_end = hook;
    loop->pass_end_context = context;
}

void loop_look(struct loop *loop) {
    check(loop->in_pass);
    run_watches(loop);
    if (loop->event_next == loop->event_count) {
        loop->event_next = 0;
        loop->event_count = loop->kind->wait(loop->backend, loop->events, 0);
        run_watches(loop);
    }
}

/* How long the next wait may be, in microseconds, -1 for no end: `limit_us` at most. */
static int64_t time_to_wait(const struct loop *loop, int64_t now_ns, int64_t limit_us) {
    if (loop->has_more || posted_waits(&loop->posted)) {
        return 0;
    }
    const struct loop_timer *timer = timer_heap_first(&loop->timers);
    if (timer == NULL) {
        return limit_us;
    }
    int64_t until_us = timer->due_us - now_ns / NS_PER_US;
    until_us = until_us > 0 ? until_us : 0;
    return limit_us >= 0 && limit_us < until_us ? limit_us : until_us;
}

/* Looks until something is there, somebody wakes the loop or the time is up; whether not to sleep.
 * */
static bool spin(struct loop *loop, int64_t spin_ns) {
    int64_t end_ns = clock_mono_ns() + spin_ns;
    do {
        loop->event_count = loop->kind->wait(loop->backend, loop->events, 0);
        for (int i = 0; i < SPINS_PER_LOOK && loop->event_count == 0; i++) {
            if (atomic_load_explicit(&loop->state, memory_order_relaxed) == NOTIFIED) {
                return true;
            }
            cpu_relax();
        }
    } while (loop->event_count == 0 && clock_mono_ns() < end_ns);
    return loop->event_count > 0;
}

static void wait_for_events(struct loop *loop, int64_t wait_us) {
    loop->event_next = 0;
    int64_t spin_ns = atomic_load_explicit(&loop->spin_ns, memory_order_relaxed);
    if (spin_ns > 0 && wait_us != 0 && spin(loop, spin_ns)) {
        atomic_exchange(&loop->state, AWAKE);
        return;
    }
    if (wait_us != 0) {
        int awake = AWAKE;
        if (!atomic_compare_exchange_strong(&loop->state, &awake, SLEEPING)) {
            wait_us = 0;
        }
    }
    loop->event_count = loop->kind->wait(loop->backend, loop->events, wait_us);
    atomic_exchange(&loop->state, AWAKE);
}

static void note_pass(struct loop *loop, int64_t wall_ns) {
    loop->busy_ns += wall_ns;
    loop->stats.passes++;
    loop->stats.busy_us = (uint64_t)(loop->busy_ns / NS_PER_US);
    loop->stats.waited_us = (uint64_t)(loop->waited_ns / NS_PER_US);
    loop->stats.pass_last_us = (uint64_t)(wall_ns / NS_PER_US);
    loop->stats.pass_max_us = (uint64_t)((loop->time.max_ns + NS_PER_US - 1) / NS_PER_US);
}

static void run_pass(struct loop *loop, int64_t now_ns, int64_t limit_us) {
    check(!loop->in_pass);
    loop->in_pass = true;
    if (LIKELY(loop->event_next == loop->event_count)) {
        int64_t looked_ns = loop->time.start_ns;
        int64_t began_ns = loop->time.end_ns;
        wait_for_events(loop, time_to_wait(loop, now_ns, limit_us));
        pass_time_start(&loop->time);
        loop->waited_ns += began_ns > 0 ? loop->time.start_ns - began_ns : 0;
        bool slept = loop->time.start_ns - began_ns > SLEPT_NS;
        loop->ready_since_ns = slept ? loop->time.start_ns : looked_ns;
    } else {
        pass_time_start(&loop->time);
    }
    if (loop->on_pass_start != NULL) {
        loop->on_pass_start(loop->pass_start_context);
    }
    run_watches(loop);
    run_timers(loop);
    if (posted_waits(&loop->posted)) {
        posted_run(&loop->posted);
    }
    if (loop->on_pass_end != NULL) {
        loop->on_pass_end(loop->pass_end_context);
    }
    loop->has_more = loop->on_idle != NULL && loop->on_idle(loop->idle_context);
    note_pass(loop, pass_time_end(&loop->time));
    loop->in_pass = false;
}

void loop_run(struct loop *loop) {
    loop->time.end_ns = clock_mono_ns();
    while (!loop->stopped) {
        run_pass(loop, loop->time.end_ns, -1);
    }
    loop->stopped = false;
}

void loop_run_once(struct loop *loop, int64_t wait_ms) {
    run_pass(loop, clock_mono_ns(), wait_ms < 0 ? -1 : limited_ms(wait_ms) * US_PER_MS);
}

int loop_ready_count(const struct loop *loop) {
    return loop->event_count;
}

void loop_put_off(struct loop *loop) {
    loop->put_off = true;
}

void loop_stop(struct loop *loop) {
    loop->stopped = true;
}

/* Telling. */

const struct loop_stats *loop_stats(const struct loop *loop) {
    return &loop->stats;
}

int64_t loop_ready_since_ns(const struct loop *loop) {
    return loop->ready_since_ns;
}

int64_t loop_pass_us(const struct loop *loop) {
    return (clock_mono_ns() - loop->time.start_ns) / NS_PER_US;
}

void loop_stats_reset(struct loop *loop) {
    loop->stats = (struct loop_stats){0};
    loop->busy_ns = 0;
    loop->waited_ns = 0;
    loop->time.max_ns = 0;
}
