/* epoll: the backend that every Linux has. Level-triggered: what a pass leaves unread is reported
 * again, so that fairness (a bounded share of a pass for each connection) needs no list of
 * unfinished connections.
 *
 * A watch without interest is taken out of the epoll set, because the kernel reports errors and
 * hang-ups of everything that is in it, asked for or not.
 *
 * Time: epoll_wait with milliseconds rounded up. epoll_pwait2 knows nanoseconds but costs 90 ns
 * more for each call (239 against 147 ns when nothing waits), and timers are set in milliseconds
 * anyway.
 *
 * Streams are received from and sent to at once, when the loop is asked to.
 *
 * Costs: one system call a wait and one for each change of interest; 12 bytes copied for an event,
 * whose watch is prefetched while the next one is looked at. */
#include "base/check.h"
#include "base/mem.h"
#include "ev/backend.h"
#include "ev/direct.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#define US_PER_MS 1000

struct epoll {
    int fd;
    struct epoll_event events[BACKEND_EVENTS_MAX];
};

static void *create(int fd_max, const char **error) {
    (void)fd_max; /* the kernel's set grows by itself */
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        *error = "epoll_create1 failed: no descriptors or no memory left";
        return NULL;
    }
    struct epoll *epoll = mem_alloc(MEM_OTHER, sizeof *epoll);
    epoll->fd = fd;
    return epoll;
}

static void destroy(void *backend) {
    struct epoll *epoll = backend;
    close(epoll->fd);
    mem_free(MEM_OTHER, epoll, sizeof *epoll);
}

static int control(struct epoll *epoll, int operation, struct loop_watch *watch,
                   unsigned interest) {
    struct epoll_event event = {.data.ptr = watch};
    event.events =
        ((interest & LOOP_READ) ? EPOLLIN : 0u) | ((interest & LOOP_WRITE) ? EPOLLOUT : 0u);
    return epoll_ctl(epoll->fd, operation, watch->fd, &event) == 0 ? 0 : -errno;
}

static int change(void *backend, struct loop_watch *watch, unsigned interest) {
    unsigned before = watch->interest;
    if (before == interest) {
        return 0;
    }
    int operation = before == 0 ? EPOLL_CTL_ADD : interest == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    return control(backend, operation, watch, interest);
}

static int add(void *backend, struct loop_watch *watch, unsigned interest) {
    return change(backend, watch, interest);
}

/* A failure means that the owner closed the descriptor first, and then the kernel has removed it.
 * */
static void remove_watch(void *backend, struct loop_watch *watch, struct loop_kept *kept) {
    (void)kept; /* what arrives stays in the socket until it is asked for */
    (void)change(backend, watch, 0);
}

static ssize_t receive(void *backend, struct loop_watch *watch, const struct iovec *pieces,
                       int count) {
    (void)backend;
    return direct_receive(watch->fd, pieces, count);
}

static int accept_one(void *backend, struct loop_watch *watch) {
    (void)backend;
    return direct_accept(watch->fd);
}

static void send_now(void *backend, struct loop_send *send) {
    (void)backend;
    send->result = direct_send(send->fd, send->pieces, send->count);
}

static void commit(void *backend) {
    (void)backend; /* all is sent */
}

/* What epoll_wait takes: never shorter than asked, and no longer than an int can say (the loop then
 * simply waits again). */
static int milliseconds(int64_t wait_us) {
    if (wait_us <= 0) {
        return wait_us < 0 ? -1 : 0;
    }
    int64_t ms = (wait_us - 1) / US_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static unsigned readiness(const struct loop_watch *watch, uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        return watch->interest;
    }
    return ((events & EPOLLIN) ? LOOP_READ : 0u) | ((events & EPOLLOUT) ? LOOP_WRITE : 0u);
}

static int wait_for_events(void *backend, struct backend_event *events, int64_t wait_us) {
    struct epoll *epoll = backend;
    int count = epoll_wait(epoll->fd, epoll->events, BACKEND_EVENTS_MAX, milliseconds(wait_us));
    if (count < 0) {
        check(errno == EINTR);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        __builtin_prefetch(epoll->events[i].data.ptr);
    }
    int filled = 0;
    for (int i = 0; i < count; i++) {
        struct loop_watch *watch = epoll->events[i].data.ptr;
        unsigned ready = readiness(watch, epoll->events[i].events);
        events[filled] = (struct backend_event){.watch = watch, .ready = ready};
        filled += ready != 0;
    }
    return filled;
}

const struct backend_kind *backend_epoll(void) {
    static const struct backend_kind kind = {
        .name = "epoll",
        .create = create,
        .destroy = destroy,
        .add = add,
        .change = change,
        .remove = remove_watch,
        .receive = receive,
        .accept = accept_one,
        .send = send_now,
        .commit = commit,
        .wait = wait_for_events,
    };
    return &kind;
}
