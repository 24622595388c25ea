/* run: one thread, one epoll, and for each connection a buffer that holds a pipeline's worth of
 * requests from the start: sending writes new digits into it and hands it to the kernel.
 *
 *     warming up --> measuring --> draining        by time
 *                    measuring                     by number
 *
 * Draining: nothing new is sent, what is under way is awaited, so that the next run finds the
 * server idle. */
#include "load/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load/connect.h"

/* A server that says nothing for so long is given up. */
#define SILENCE_MS_MAX 30000
#define EVENTS_MAX     256
/* Replies of a pipeline of some hundred requests in one read. */
#define READ_SIZE ((size_t)256 * 1024)
/* Share of the time that is spent before measuring. */
#define WARM_UP 0.1

enum phase { WARMING_UP, MEASURING, DRAINING };

struct connection {
    int fd;
    bool writing; /* the socket did not take all */
    char *out;    /* the pipeline's requests */
    size_t size;
    size_t sent;
    uint64_t asked;   /* requests in the buffer */
    uint64_t awaited; /* replies not come yet */
    int64_t asked_at; /* ns */
    struct replies replies;
};

struct run {
    const struct run_plan *plan;
    const struct template *template;
    struct keys *keys;
    struct run_result *result;
    struct connection *connections;
    int epoll;
    char *in;
    enum phase phase;
    int64_t phase_end; /* ns; by time only */
    int64_t started;   /* ns; when measuring began */
    int64_t server_started;
    uint64_t asked;
    uint64_t answered;
    uint64_t answered_before; /* when measuring began */
};

/* CPU time of a process so far, ns, -1 when the system does not tell. */
static int64_t process_cpu_ns(int pid) {
    clockid_t clock;
    struct timespec time;
    if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        return -1;
    }
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- sending ---- */

static int watch(struct run *run, struct connection *connection, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (connection->writing ? EPOLLOUT : 0),
                                .data.ptr = connection};
    return epoll_ctl(run->epoll, operation, connection->fd, &event);
}

static int send_rest(struct run *run, struct connection *connection) {
    bool was_writing = connection->writing;
    while (connection->sent < connection->size) {
        ssize_t n = send(connection->fd, connection->out + connection->sent,
                         connection->size - connection->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN) {
            fprintf(stderr, "Sending failed: %s\n", strerror(errno));
            return -1;
        }
        if (n < 0) {
            break;
        }
        connection->sent += (size_t)n;
    }
    connection->writing = connection->sent < connection->size;
    if (connection->writing != was_writing) {
        return watch(run, connection, EPOLL_CTL_MOD);
    }
    return 0;
}

/* Sends the next pipeline of requests, if there are any to be sent. */
static int ask(struct run *run, struct connection *connection, int64_t now) {
    uint64_t count = (uint64_t)run->plan->pipeline;
    if (run->plan->requests > 0 && run->plan->requests - run->asked < count) {
        count = run->plan->requests - run->asked;
    }
    if (count == 0 || run->phase == DRAINING) {
        return 0;
    }
    size_t size = run->template->bytes.size;
    for (uint64_t i = 0; i < count; i++) {
        template_number(run->template, connection->out + i * size, run->keys);
    }
    run->asked += count;
    connection->asked = connection->awaited = count;
    connection->asked_at = now;
    connection->size = (size_t)count * size;
    connection->sent = 0;
    return send_rest(run, connection);
}

/* ---- receiving ---- */

static int take_replies(struct run *run, struct connection *connection) {
    ssize_t n = recv(connection->fd, run->in, READ_SIZE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (n <= 0) {
        fprintf(stderr, "The server closed a connection%s%s\n", n < 0 ? ": " : "",
                n < 0 ? strerror(errno) : "");
        return -1;
    }
    int64_t count = replies_count(&connection->replies, run->in, (size_t)n, &run->result->tally);
    if (count < 0 || (uint64_t)count > connection->awaited) {
        fputs("The server sent what is not a reply to the requests\n", stderr);
        return -1;
    }
    run->answered += (uint64_t)count;
    connection->awaited -= (uint64_t)count;
    if (connection->awaited > 0) {
        return 0;
    }
    int64_t now = clock_mono_ns();
    if (run->phase == MEASURING) {
        histogram_record(run->result->latency, now - connection->asked_at, connection->asked);
    }
    return ask(run, connection, now);
}

/* ---- phases ---- */

static void begin_measuring(struct run *run, int64_t now) {
    run->phase = MEASURING;
    run->started = now;
    run->answered_before = run->answered;
    run->phase_end = now + (int64_t)(run->plan->seconds * 1e9);
    run->server_started = process_cpu_ns(run->plan->server_pid);
}

static void end_measuring(struct run *run, int64_t now) {
    struct run_result *result = run->result;
    int64_t server_now = process_cpu_ns(run->plan->server_pid);
    run->phase = DRAINING;
    result->requests = run->answered - run->answered_before;
    result->elapsed_ns = now - run->started;
    result->server_ns =
        server_now < 0 || run->server_started < 0 ? -1 : server_now - run->server_started;
}

static void see_phase(struct run *run) {
    int64_t now = clock_mono_ns();
    if (run->plan->requests > 0) {
        if (run->phase == MEASURING && run->answered == run->plan->requests) {
            end_measuring(run, now);
        }
    } else if (run->phase == WARMING_UP && now >= run->phase_end) {
        begin_measuring(run, now);
    } else if (run->phase == MEASURING && now >= run->phase_end) {
        end_measuring(run, now);
    }
}

static int serve(struct run *run) {
    struct epoll_event events[EVENTS_MAX];
    while (run->phase != DRAINING || run->answered < run->asked) {
        int n = epoll_wait(run->epoll, events, EVENTS_MAX, SILENCE_MS_MAX);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            fputs("The server does not answer\n", stderr);
            return -1;
        }
        for (int i = 0; i < n; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection->writing && events[i].events & EPOLLOUT &&
                send_rest(run, connection) != 0) {
                return -1;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
                take_replies(run, connection) != 0) {
                return -1;
            }
        }
        see_phase(run);
    }
    return 0;
}

/* ---- beginning and end ---- */

/* As many descriptors as the system allows. */
static void raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static size_t out_size(const struct run *run) {
    return run->template->bytes.size * (size_t)run->plan->pipeline;
}

static int open_connection(struct run *run, struct connection *connection) {
    const struct buffer *bytes = &run->template->bytes;
    connection->fd = connect_to(run->plan->host, run->plan->port, run->plan->socket);
    if (connection->fd < 0) {
        return -1;
    }
    connection->out = mem_alloc(MEM_OTHER, out_size(run));
    for (int i = 0; i < run->plan->pipeline; i++) {
        memcpy(connection->out + (size_t)i * bytes->size, bytes->at, bytes->size);
    }
    replies_init(&connection->replies);
    return watch(run, connection, EPOLL_CTL_ADD);
}

static int open_all(struct run *run) {
    raise_limit();
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < run->plan->connections; i++) {
        if (open_connection(run, &run->connections[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static void close_all(struct run *run) {
    for (int i = 0; i < run->plan->connections; i++) {
        struct connection *connection = &run->connections[i];
        if (connection->fd >= 0) {
            close(connection->fd);
        }
        mem_free(MEM_OTHER, connection->out, out_size(run));
    }
    close(run->epoll);
}

static int ask_first(struct run *run) {
    int64_t now = clock_mono_ns();
    run->phase_end = now + (int64_t)(run->plan->seconds * WARM_UP * 1e9);
    if (run->plan->requests > 0) {
        begin_measuring(run, now);
    }
    for (int i = 0; i < run->plan->connections; i++) {
        if (ask(run, &run->connections[i], now) != 0) {
            return -1;
        }
    }
    return 0;
}

int run_load(const struct run_plan *plan, const struct template *template, struct keys *keys,
             struct run_result *result) {
    *result = (struct run_result){.latency = histogram_new()};
    struct run run = {.plan = plan, .template = template, .keys = keys, .result = result};
    size_t size = (size_t)plan->connections * sizeof *run.connections;
    run.connections = mem_zalloc(MEM_OTHER, size);
    for (int i = 0; i < plan->connections; i++) {
        run.connections[i].fd = -1;
    }
    run.in = mem_alloc(MEM_OTHER, READ_SIZE);
    int status = open_all(&run);
    if (status == 0) {
        status = ask_first(&run);
    }
    if (status == 0) {
        status = serve(&run);
    }
    close_all(&run);
    mem_free(MEM_OTHER, run.in, READ_SIZE);
    mem_free(MEM_OTHER, run.connections, size);
    if (status != 0) {
        run_result_free(result);
    }
    return status;
}

void run_result_free(struct run_result *result) {
    histogram_free(result->latency);
    result->latency = NULL;
}
