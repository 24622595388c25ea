/* worker: one epoll, and for each connection a buffer of requests to be sent.
 *
 *     closed loop    asks a pipeline, awaits it whole, asks the next. The requests lie ready in the
 *                    connection's buffer where they are all of one size: only numbers are new.
 *     open loop      a request that is due goes to the connection that has had room for longest.
 *     When
 *                    none has room it stays due: the schedule is the queue, so that any number of
 *                    requests can wait, and each keeps the time from which it is measured.
 *
 * The clock is read once for each block of replies that came together, not for each reply.
 *
 * Invariants:
 * 1. under_way is the sum of all connections' awaited;
 * 2. in an open loop, each connection that awaits less than a pipeline is in the ring with_room
 *    exactly once. */
#include "load/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* A server that says nothing for so long is given up. */
#define SILENCE_NS_MAX ((int64_t)30 * 1000000000)
/* Longest wait without a look at the flag and at the end of time. */
#define WAIT_NS_MAX ((int64_t)50 * 1000000)
#define EVENTS_MAX  256
/* Replies of a pipeline of some hundred requests in one read. */
#define READ_SIZE ((size_t)256 * 1024)
/* When so many replies are there and all of them are errors, more would be no news. */
#define HOPELESS 1000
/* What has been sent is removed from the front of a buffer from so many bytes on. */
#define SENT_BYTES_MAX 65536
/* Of a problem's second half: it leaves room for the first. */
#define WHY_MAX (WORKER_PROBLEM_MAX - 32)

struct connection {
    struct transport *link;
    /* Of pairs: the other half. The one that waits comes first, and its replies are the
     * request's. */
    struct connection *partner;
    bool serves;    /* the second half */
    bool writing;   /* the socket did not take all */
    bool unflushed; /* open loop: in the worker's list */
    struct buffer out;
    size_t sent;
    uint64_t ready;   /* copies of the request in the buffer, see mix_renew */
    uint64_t awaited; /* replies not come yet */
    int64_t asked_at; /* closed loop: ns */
    int64_t *due;     /* open loop: a ring of `pipeline` times, of those awaited; NULL otherwise */
    int due_first;
    struct replies replies;
};

static int fail(struct worker *worker, const char *what, const char *why) {
    snprintf(worker->problem, sizeof worker->problem, "%s%s%s", what, why[0] == '\0' ? "" : ": ",
             why);
    atomic_store(&worker->task->stop, true);
    return -1;
}

/* A server that sends a client away often says why first. */
static int fail_lost(struct worker *worker, const char *why) {
    char text[WHY_MAX];
    const char *error = worker->tally.first_error;
    snprintf(text, sizeof text, "%s%s%s", why,
             error[0] == '\0' ? "" : "; it had answered: ", error);
    return fail(worker, "The connection was lost", text);
}

static bool is_open(const struct worker *worker) {
    return worker->task->plan->rate > 0;
}

/* ---- sending ---- */

static int watch(struct worker *worker, struct connection *connection, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (connection->writing ? EPOLLOUT : 0),
                                .data.ptr = connection};
    if (epoll_ctl(worker->epoll, operation, connection->link->fd, &event) != 0) {
        return fail(worker, "A connection cannot be watched", strerror(errno));
    }
    return 0;
}

static const char *why_lost(const struct transport *link, ssize_t status) {
    return status == 0         ? "the server closed it"
           : status == -EPROTO ? tls_problem(link)
                               : strerror((int)-status);
}

static int send_rest(struct worker *worker, struct connection *connection) {
    bool was_writing = connection->writing;
    struct transport *link = connection->link;
    if (link->wants_write && transport_flush(link) < 0) {
        return fail_lost(worker, strerror(EPIPE));
    }
    while (connection->sent < connection->out.size) {
        ssize_t n = transport_write(link, connection->out.at + connection->sent,
                                    connection->out.size - connection->sent);
        if (n == -EAGAIN) {
            break;
        }
        if (n < 0) {
            return fail_lost(worker, why_lost(link, n));
        }
        connection->sent += (size_t)n;
    }
    connection->writing = connection->sent < connection->out.size || link->wants_write;
    if (connection->writing != was_writing) {
        return watch(worker, connection, EPOLL_CTL_MOD);
    }
    return 0;
}

/* ---- closed loop ---- */

static int send_half(struct worker *worker, struct connection *connection, uint64_t count,
                     int64_t now) {
    connection->out.size = 0;
    for (uint64_t i = 0; i < count; i++) {
        mix_append_half(worker->task->mix, !connection->serves, &connection->out, &worker->keys);
    }
    connection->sent = 0;
    connection->awaited = count;
    connection->asked_at = now;
    worker->under_way += count;
    return send_rest(worker, connection);
}

/* Sends the next pipeline of requests, if there are any to be sent: for a pair, both halves. */
static int ask(struct worker *worker, struct connection *connection, int64_t now) {
    const struct worker_task *task = worker->task;
    uint64_t count = (uint64_t)task->plan->pipeline;
    if (now >= task->from) {
        count = worker->quota - worker->asked < count ? worker->quota - worker->asked : count;
        count = now >= task->end ? 0 : count;
        worker->asked += count;
    }
    if (count == 0) {
        return 0;
    }
    if (task->mix->pairs) {
        struct connection *waits = connection->serves ? connection->partner : connection;
        int status = send_half(worker, waits, count, now);
        return status == 0 ? send_half(worker, waits->partner, count, now) : status;
    }
    if (mix_is_uniform(task->mix)) {
        connection->ready =
            mix_renew(task->mix, &connection->out, connection->ready, count, &worker->keys);
    } else {
        connection->out.size = 0;
        for (uint64_t i = 0; i < count; i++) {
            mix_append(task->mix, &connection->out, &worker->keys);
        }
    }
    connection->sent = 0;
    connection->awaited = count;
    connection->asked_at = now;
    worker->under_way += count;
    return send_rest(worker, connection);
}

/* Whether replies that came now count. By time, what ends within it does; by number, what was asked
 * since measuring began. In an open loop each request knows by itself; this is for what is not told
 * by request. */
static bool measures(const struct worker *worker, const struct connection *connection,
                     int64_t now) {
    const struct worker_task *task = worker->task;
    if (is_open(worker)) {
        return now >= task->from;
    }
    bool by_time = task->end != INT64_MAX;
    return by_time ? now >= task->from && now < task->end : connection->asked_at >= task->from;
}

static void note_closed(struct worker *worker, struct connection *connection, uint64_t count,
                        int64_t now) {
    if (!connection->serves && measures(worker, connection, now)) {
        durations_record(worker->latency, now - connection->asked_at, count);
        worker->measured += count;
        worker->finished = now;
    }
}

/* ---- open loop ---- */

static void add_room(struct worker *worker, struct connection *connection) {
    int at = (worker->room_first + worker->room_count++) % worker->connection_count;
    worker->with_room[at] = (int)(connection - worker->connections);
}

static struct connection *take_room(struct worker *worker) {
    int index = worker->with_room[worker->room_first];
    worker->room_first = (worker->room_first + 1) % worker->connection_count;
    worker->room_count--;
    return &worker->connections[index];
}

static void drop_sent(struct connection *connection) {
    struct buffer *out = &connection->out;
    if (connection->sent == out->size) {
        out->size = connection->sent = 0;
    } else if (connection->sent > SENT_BYTES_MAX) {
        memmove(out->at, out->at + connection->sent, out->size - connection->sent);
        out->size -= connection->sent;
        connection->sent = 0;
    }
}

/* Whether the schedule has a request left: the time of the next one is before the end. */
static bool has_next(const struct worker *worker) {
    return worker->asked < worker->quota && schedule_due(&worker->schedule) < worker->task->end;
}

/* Hands what is due to connections with room, as long as there are any. */
static int feed(struct worker *worker, int64_t now) {
    const struct worker_task *task = worker->task;
    int pipeline = task->plan->pipeline;
    while (worker->room_count > 0 && has_next(worker) && schedule_due(&worker->schedule) <= now) {
        struct connection *connection = take_room(worker);
        int64_t due = schedule_due(&worker->schedule);
        schedule_advance(&worker->schedule);
        drop_sent(connection);
        mix_append(task->mix, &connection->out, &worker->keys);
        connection->due[(connection->due_first + (int)connection->awaited) % pipeline] = due;
        connection->awaited++;
        /* Silence begins when there is something to be said. */
        worker->heard_at = worker->under_way++ == 0 ? now : worker->heard_at;
        if (due >= task->from) {
            worker->asked++;
            durations_record(worker->lateness, now - due, 1);
        }
        if (connection->awaited < (uint64_t)pipeline) {
            add_room(worker, connection);
        }
        if (!connection->unflushed) {
            connection->unflushed = true;
            worker->unflushed[worker->unflushed_count++] = (int)(connection - worker->connections);
        }
    }
    while (worker->unflushed_count > 0) {
        struct connection *connection =
            &worker->connections[worker->unflushed[--worker->unflushed_count]];
        connection->unflushed = false;
        if (!connection->writing && send_rest(worker, connection) != 0) {
            return -1;
        }
    }
    return 0;
}

static void note_open(struct worker *worker, struct connection *connection, uint64_t count,
                      int64_t now) {
    int pipeline = worker->task->plan->pipeline;
    if (connection->awaited + count == (uint64_t)pipeline) {
        add_room(worker, connection);
    }
    for (uint64_t i = 0; i < count; i++) {
        int64_t due = connection->due[connection->due_first];
        connection->due_first = (connection->due_first + 1) % pipeline;
        if (due >= worker->task->from) {
            durations_record(worker->latency, now - due, 1);
            worker->measured++;
            worker->finished = now;
        }
    }
}

/* What was due before the end and never had room waited at least until now. Leaving it out would
 * hide just the worst. */
static void note_unsent(struct worker *worker, int64_t now) {
    while (has_next(worker)) {
        int64_t due = schedule_due(&worker->schedule);
        schedule_advance(&worker->schedule);
        if (due >= worker->task->from && due <= now) {
            durations_record(worker->latency, now - due, 1);
            worker->unsent++;
        }
        if (due > now) {
            break;
        }
    }
}

/* ---- receiving ---- */

static int take_replies(struct worker *worker, struct connection *connection) {
    ssize_t n = transport_read(connection->link, worker->in, READ_SIZE);
    if (n == -EAGAIN) {
        return 0;
    }
    if (n <= 0) {
        return fail_lost(worker, why_lost(connection->link, n));
    }
    uint64_t nulls = worker->tally.nulls;
    int64_t count = replies_count(&connection->replies, worker->in, (size_t)n, &worker->tally);
    if (count < 0 || (uint64_t)count > connection->awaited) {
        return fail(worker, "The server sent what is not a reply to the requests", "");
    }
    int64_t now = clock_mono_ns();
    worker->heard_at = now;
    if (!measures(worker, connection, now)) {
        worker->tally.nulls = nulls;
    }
    if (count == 0) {
        return 0;
    }
    uint64_t before = atomic_load_explicit(&worker->answered, memory_order_relaxed);
    uint64_t answered = before + (uint64_t)count;
    atomic_store_explicit(&worker->answered, answered, memory_order_relaxed);
    if (worker->tally.errors >= HOPELESS && worker->tally.errors >= answered) {
        return fail(worker, "The server answers every request with an error",
                    worker->tally.first_error);
    }
    connection->awaited -= (uint64_t)count;
    worker->under_way -= (uint64_t)count;
    if (is_open(worker)) {
        note_open(worker, connection, (uint64_t)count, now);
        return 0;
    }
    note_closed(worker, connection, (uint64_t)count, now);
    bool over = connection->awaited == 0 &&
                (connection->partner == NULL || connection->partner->awaited == 0);
    return over ? ask(worker, connection, now) : 0;
}

/* ---- the loop ---- */

/* How long to wait, ns: until the next request is due, when a connection could take it. */
static int64_t wait_ns(const struct worker *worker, int64_t now) {
    if (!is_open(worker) || worker->room_count == 0 || !has_next(worker)) {
        return WAIT_NS_MAX;
    }
    int64_t wait = schedule_due(&worker->schedule) - now;
    return wait < 0 ? 0 : wait < WAIT_NS_MAX ? wait : WAIT_NS_MAX;
}

/* epoll_wait counts in milliseconds, too coarse for a schedule. */
static int wait_events(struct worker *worker, struct epoll_event *events, int64_t ns) {
    if (!is_open(worker)) {
        return epoll_wait(worker->epoll, events, EVENTS_MAX, (int)(ns / 1000000));
    }
    if (ns > 0) {
        struct pollfd one = {.fd = worker->epoll, .events = POLLIN};
        struct timespec limit = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        if (ppoll(&one, 1, &limit, NULL) <= 0) {
            return 0;
        }
    }
    return epoll_wait(worker->epoll, events, EVENTS_MAX, 0);
}

static int serve_events(struct worker *worker, int64_t now) {
    struct epoll_event events[EVENTS_MAX];
    int n = wait_events(worker, events, wait_ns(worker, now));
    for (int i = 0; i < n; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->writing && events[i].events & EPOLLOUT &&
            send_rest(worker, connection) != 0) {
            return -1;
        }
        bool comes = events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR);
        while (comes) {
            if (take_replies(worker, connection) != 0) {
                return -1;
            }
            comes = connection->link->has_pending;
        }
    }
    return n;
}

static bool is_done(const struct worker *worker, int64_t now) {
    const struct worker_task *task = worker->task;
    bool asks = is_open(worker) ? has_next(worker) && now < task->end
                                : worker->asked < worker->quota && now < task->end;
    return !asks && worker->under_way == 0;
}

static int begin(struct worker *worker) {
    int64_t now = clock_mono_ns();
    worker->heard_at = now;
    for (int i = 0; i < worker->connection_count; i++) {
        struct connection *connection = &worker->connections[i];
        if (is_open(worker)) {
            add_room(worker, connection);
        } else if (!connection->serves && ask(worker, connection, now) != 0) {
            return -1;
        }
    }
    return 0;
}

void worker_run(struct worker *worker) {
    const struct worker_task *task = worker->task;
    const struct run_plan *plan = task->plan;
    if (is_open(worker)) {
        /* Otherwise the kernel lets a wait end fifty microseconds late, to save wake-ups. */
        prctl(PR_SET_TIMERSLACK, 1UL);
        schedule_init(&worker->schedule, plan->rate, plan->poisson, task->start, worker->part,
                      plan->threads, plan->keys.seed);
    }
    int status = begin(worker);
    int64_t now = clock_mono_ns();
    while (status == 0 && !is_done(worker, now)) {
        if (atomic_load_explicit(&task->stop, memory_order_relaxed)) {
            break;
        }
        int events = serve_events(worker, now);
        now = clock_mono_ns();
        status = events < 0 && worker->problem[0] != '\0' ? -1 : 0;
        if (status == 0 && is_open(worker)) {
            status = feed(worker, now);
            if (status == 0 && now >= task->end) {
                note_unsent(worker, now);
            }
        }
        if (status == 0 && worker->under_way > 0 && now - worker->heard_at > SILENCE_NS_MAX) {
            status = fail(worker, "The server does not answer", "");
        }
    }
    if (status == 0 && is_open(worker)) {
        note_unsent(worker, now < task->end ? now : task->end);
    }
}

/* ---- beginning and end ---- */

static int connection_init(struct worker *worker, struct connection *connection,
                           struct transport *link) {
    const struct run_plan *plan = worker->task->plan;
    connection->link = link;
    if (!transport_is_bare(link)) {
        /* From the desk of the thread that connected to this one's. */
        if (worker->desk == NULL) {
            worker->desk = tls_desk_new();
        }
        link->kind = transport_plain();
        tls_attach(link, worker->desk);
    }
    buffer_init(&connection->out, MEM_OTHER);
    replies_init(&connection->replies, mix_replies(worker->task->mix));
    if (plan->rate > 0) {
        connection->due = mem_alloc(MEM_OTHER, (size_t)plan->pipeline * sizeof *connection->due);
    }
    return watch(worker, connection, EPOLL_CTL_ADD);
}

int worker_init(struct worker *worker, struct worker_task *task, int part,
                struct transport *const *links, int count) {
    const struct run_plan *plan = task->plan;
    *worker = (struct worker){.task = task, .part = part, .connection_count = count};
    worker->connections = mem_zalloc(MEM_OTHER, (size_t)count * sizeof *worker->connections);
    worker->with_room = mem_alloc(MEM_OTHER, (size_t)count * sizeof *worker->with_room);
    worker->unflushed = mem_alloc(MEM_OTHER, (size_t)count * sizeof *worker->unflushed);
    worker->in = mem_alloc(MEM_OTHER, READ_SIZE);
    worker->latency = durations_new();
    worker->lateness = durations_new();
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->quota = UINT64_MAX;
    if (plan->requests > 0) {
        /* Shared out as keys_init shares keys out, so that filling reaches each of them. */
        __uint128_t parts = (__uint128_t)plan->threads;
        worker->quota = (uint64_t)(plan->requests * ((__uint128_t)part + 1) / parts -
                                   plan->requests * (__uint128_t)part / parts);
    }
    keys_init(&worker->keys, &plan->keys, part, plan->threads);
    int status = 0;
    for (int i = 0; i < count; i++) {
        status |= connection_init(worker, &worker->connections[i], links[i]);
    }
    for (int i = 0; task->mix->pairs && i + 1 < count; i += 2) {
        worker->connections[i].partner = &worker->connections[i + 1];
        worker->connections[i + 1].partner = &worker->connections[i];
        worker->connections[i + 1].serves = true;
    }
    return status;
}

void worker_free(struct worker *worker) {
    size_t count = (size_t)worker->connection_count;
    size_t due_size = (size_t)worker->task->plan->pipeline * sizeof(int64_t);
    for (size_t i = 0; i < count; i++) {
        struct connection *connection = &worker->connections[i];
        connect_close(connection->link);
        buffer_clear(&connection->out);
        mem_free(MEM_OTHER, connection->due, due_size);
    }
    if (worker->desk != NULL) {
        tls_desk_free(worker->desk);
    }
    close(worker->epoll);
    mem_free(MEM_OTHER, worker->connections, count * sizeof *worker->connections);
    mem_free(MEM_OTHER, worker->with_room, count * sizeof *worker->with_room);
    mem_free(MEM_OTHER, worker->unflushed, count * sizeof *worker->unflushed);
    mem_free(MEM_OTHER, worker->in, READ_SIZE);
    durations_free(worker->latency);
    durations_free(worker->lateness);
}
