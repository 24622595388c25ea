/* target: see the header. */
#include "persist/target.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "net/socket.h"

/* For so long a connection is kept that nobody uses. */
#define KEPT_MS     10000
#define SWEEP_MS    1000
#define TARGETS_MAX 64
#define HOST_SIZE   256
#define LINE_SIZE   4096
/* Bytes read at a time: some hundred replies, each of which may free a value. */
#define READ_SIZE 2048
/* With less than this to be sent there is room for more. */
#define ROOM_MIN ((size_t)64 << 10)

struct target {
    struct loop_watch watch;
    struct targets *owner;
    struct target *next;
    struct target_user user;    /* context NULL: nobody's */
    struct addrinfo *addresses; /* NULL once connected */
    struct addrinfo *address;   /* that is being tried */
    struct rdb_writer out;
    size_t sent; /* of out */
    char in[LINE_SIZE];
    size_t in_size;
    char host[HOST_SIZE];
    size_t host_size;
    int64_t port;
    int64_t database;
    int64_t moved_us;
    bool knows_database;
    bool kept_before;
    bool heard; /* something has come since it was taken */
    bool wants_room;
    bool in_use; /* its functions are running: it is freed behind them */
    bool ended;
};

struct targets {
    struct loop *loop;
    struct target *first;
    size_t count;
    size_t kept;
    struct loop_timer timer;
};

static inline struct target *target_of(struct loop_watch *watch) {
    return (struct target *)(void *)((char *)watch - offsetof(struct target, watch));
}

/* ---- life ---- */

static void close_socket(struct target *target) {
    if (target->watch.fd >= 0) {
        loop_watch_remove(target->owner->loop, &target->watch);
        close(target->watch.fd);
        target->watch.fd = -1;
    }
}

static void free_target(struct target *target) {
    struct target **at = &target->owner->first;
    while (*at != target) {
        at = &(*at)->next;
    }
    *at = target->next;
    target->owner->count--;
    close_socket(target);
    if (target->addresses != NULL) {
        freeaddrinfo(target->addresses);
    }
    rdb_writer_clear(&target->out);
    mem_free(MEM_BUFFER, target, sizeof *target);
}

static void end_target(struct target *target) {
    if (target->in_use) {
        target->ended = true;
    } else {
        free_target(target);
    }
}

static void tell_failure(struct target *target, enum target_failure failure) {
    if (target->user.context != NULL) {
        target->user.failed(target->user.context, failure);
    } else {
        target->owner->kept--;
        end_target(target);
    }
}

static bool is_over(const struct target *target) {
    return target->ended || target->user.context == NULL;
}

size_t target_unsent(const struct target *target) {
    return target->out.size - target->sent;
}

static void choose_interest(struct target *target) {
    bool writes = target->addresses != NULL || target_unsent(target) > 0 || target->wants_room;
    unsigned interest = LOOP_READ | (writes ? LOOP_WRITE : 0);
    if (target->watch.fd >= 0 && target->watch.interest != interest) {
        loop_watch_change(target->owner->loop, &target->watch, interest);
    }
}

static void moved(struct target *target) {
    target->moved_us = clock_mono_us();
}

/* ---- connecting ---- */

static void on_ready(struct loop_watch *watch, unsigned ready);

/* Begins with the address that is next; false when none is left. */
static bool try_address(struct target *target) {
    close_socket(target);
    for (; target->address != NULL; target->address = target->address->ai_next) {
        const struct addrinfo *to = target->address;
        int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            continue;
        }
        (void)socket_set_nodelay(fd, true);
        target->watch = (struct loop_watch){.fd = fd, .use = LOOP_POLLED, .on_ready = on_ready};
        if ((connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) &&
            loop_watch_add(target->owner->loop, &target->watch, LOOP_READ | LOOP_WRITE) == 0) {
            return true;
        }
        close(fd);
        target->watch.fd = -1;
    }
    return false;
}

/* The socket has something to say of how connecting went. False when it went wrong. */
static bool finish_connecting(struct target *target) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(target->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        target->address = target->address->ai_next;
        return try_address(target);
    }
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    if (getpeername(target->watch.fd, (struct sockaddr *)&peer, &peer_size) != 0) {
        return true; /* not yet */
    }
    freeaddrinfo(target->addresses);
    target->addresses = NULL;
    moved(target);
    return true;
}

/* ---- moving bytes ---- */

/* What was sent goes once it is half of what is there, so that each byte moves once at most. */
static void drop_sent(struct target *target) {
    if (target->sent > target->out.size / 2) {
        target->out.size -= target->sent;
        memmove(target->out.at, target->out.at + target->sent, target->out.size);
        target->sent = 0;
    }
}

/* False when the connection is broken. */
static bool send_some(struct target *target) {
    while (target_unsent(target) > 0) {
        ssize_t sent = send(target->watch.fd, target->out.at + target->sent, target_unsent(target),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            drop_sent(target);
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        target->sent += (size_t)sent;
        moved(target);
    }
    /* What a large value took is given back. */
    target->sent = 0;
    rdb_writer_clear(&target->out);
    return true;
}

/* Hands over the whole lines; false when what is there can be none. */
static bool take_lines(struct target *target) {
    size_t at = 0;
    while (!is_over(target)) {
        const char *end = memchr(target->in + at, '\n', target->in_size - at);
        if (end == NULL) {
            break;
        }
        size_t size = (size_t)(end - target->in) - at;
        struct bytes line = bytes_of(target->in + at, size);
        at += size + 1;
        if (line.size == 0 || line.at[line.size - 1] != '\r') {
            return false;
        }
        line.size--;
        target->user.line(target->user.context, line);
    }
    memmove(target->in, target->in + at, target->in_size - at);
    target->in_size -= at;
    return target->in_size < sizeof target->in;
}

/* False when the connection has ended or what came makes no sense. */
static bool read_some(struct target *target) {
    size_t room = sizeof target->in - target->in_size;
    size_t wanted = room < READ_SIZE ? room : READ_SIZE;
    ssize_t got = recv(target->watch.fd, target->in + target->in_size, wanted, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    }
    if (got == 0 || target->user.context == NULL) {
        return false; /* nothing is expected on one that is kept */
    }
    moved(target);
    target->heard = true;
    target->in_size += (size_t)got;
    bool fine = take_lines(target);
    if (fine && !is_over(target)) {
        target->user.lines_read(target->user.context);
    }
    return fine || is_over(target);
}

static void serve(struct target *target, unsigned ready) {
    if (target->addresses != NULL) {
        if (!finish_connecting(target)) {
            tell_failure(target, TARGET_WRITING);
            return;
        }
        if (target->addresses != NULL) {
            return;
        }
    }
    /* What came before the end tells more than that nothing can be sent. */
    if ((ready & LOOP_READ) && !read_some(target)) {
        tell_failure(target, TARGET_READING);
        return;
    }
    if (is_over(target)) {
        return;
    }
    if (!send_some(target)) {
        tell_failure(target, TARGET_WRITING);
        return;
    }
    if (target->wants_room && target_unsent(target) < ROOM_MIN) {
        target->user.room(target->user.context);
    }
}

static void run(struct target *target, unsigned ready) {
    check(!target->in_use);
    target->in_use = true;
    serve(target, ready);
    target->in_use = false;
    if (target->ended) {
        free_target(target);
    } else {
        choose_interest(target);
    }
}

static void on_ready(struct loop_watch *watch, unsigned ready) {
    run(target_of(watch), ready);
}

void target_send(struct target *target) {
    /* What goes wrong is seen when the loop reports it, so that nobody is called back from here. */
    if (target->addresses == NULL) {
        (void)send_some(target);
    }
    choose_interest(target);
}

void target_wait(struct target *target, int64_t timeout_ms) {
    short events = POLLIN | (target->watch.interest & LOOP_WRITE ? POLLOUT : 0);
    struct pollfd fd = {.fd = target->watch.fd, .events = events};
    int timeout = timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
    if (poll(&fd, 1, timeout) > 0) {
        bool any = (fd.revents & (POLLERR | POLLHUP)) != 0;
        run(target, (any || fd.revents & POLLIN ? LOOP_READ : 0) |
                        (any || fd.revents & POLLOUT ? LOOP_WRITE : 0));
    }
}

/* ---- the cache ---- */

static int64_t sweep(struct loop_timer *timer) {
    struct targets *targets =
        (struct targets *)(void *)((char *)timer - offsetof(struct targets, timer));
    int64_t oldest_us = clock_mono_us() - (int64_t)KEPT_MS * 1000;
    struct target *next;
    for (struct target *target = targets->first; target != NULL; target = next) {
        next = target->next;
        if (target->user.context == NULL && target->moved_us <= oldest_us) {
            targets->kept--;
            free_target(target);
        }
    }
    return targets->kept > 0 ? SWEEP_MS : -1;
}

struct targets *targets_new(void) {
    struct targets *targets = mem_zalloc(MEM_OTHER, sizeof *targets);
    targets->timer = (struct loop_timer){.on_time = sweep, .position = -1};
    return targets;
}

void targets_free(struct targets *targets) {
    if (targets->loop != NULL) {
        loop_timer_remove(targets->loop, &targets->timer);
    }
    while (targets->first != NULL) {
        check(targets->first->user.context == NULL);
        free_target(targets->first);
    }
    mem_free(MEM_OTHER, targets, sizeof *targets);
}

size_t targets_cached(const struct targets *targets) {
    return targets->kept;
}

void target_give_back(struct target *target, bool good) {
    struct targets *targets = target->owner;
    target->user.context = NULL;
    if (!good || target->addresses != NULL || target_unsent(target) > 0) {
        end_target(target);
        return;
    }
    target->kept_before = true;
    target->wants_room = false;
    moved(target);
    choose_interest(target);
    if (targets->kept++ == 0) {
        loop_timer_add(targets->loop, &targets->timer, SWEEP_MS);
    }
}

/* Makes room for another one. False when all are in use. */
static bool make_room(struct targets *targets) {
    if (targets->count < TARGETS_MAX) {
        return true;
    }
    for (struct target *target = targets->first; target != NULL; target = target->next) {
        if (target->user.context == NULL && !target->in_use) {
            targets->kept--;
            free_target(target);
            return true;
        }
    }
    return false;
}

static struct target *find_kept(struct targets *targets, struct bytes host, int64_t port) {
    for (struct target *target = targets->first; target != NULL; target = target->next) {
        if (target->user.context == NULL && !target->ended && target->port == port &&
            target->in_size == 0 && bytes_equal(bytes_of(target->host, target->host_size), host)) {
            return target;
        }
    }
    return NULL;
}

static struct addrinfo *look_up(const struct target *target) {
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char host[HOST_SIZE + 1];
    char port[NUM_I64_SIZE + 1];
    struct addrinfo *found = NULL;
    memcpy(host, target->host, target->host_size);
    host[target->host_size] = '\0';
    port[num_format_i64(port, target->port)] = '\0';
    return getaddrinfo(host, port, &wanted, &found) == 0 ? found : NULL;
}

struct target *targets_take(struct targets *targets, struct loop *loop, struct bytes host,
                            int64_t port, const struct target_user *user,
                            enum target_failure *failure) {
    targets->loop = loop;
    struct target *target = find_kept(targets, host, port);
    if (target != NULL) {
        targets->kept--;
        target->user = *user;
        target->heard = false;
        moved(target);
        return target;
    }
    *failure = TARGET_UNKNOWN;
    if (host.size == 0 || host.size > HOST_SIZE || memchr(host.at, '\0', host.size) != NULL) {
        return NULL;
    }
    *failure = TARGET_WRITING;
    if (port < 1 || port > UINT16_MAX || !make_room(targets)) {
        return NULL;
    }
    target = mem_zalloc(MEM_BUFFER, sizeof *target);
    *target = (struct target){
        .owner = targets, .next = targets->first, .user = *user, .watch = {.fd = -1}};
    memcpy(target->host, host.at, host.size);
    target->host_size = host.size;
    target->port = port;
    rdb_writer_init(&target->out, false);
    moved(target);
    targets->first = target;
    targets->count++;
    target->addresses = look_up(target);
    target->address = target->addresses;
    if (target->addresses == NULL || !try_address(target)) {
        *failure = target->addresses == NULL ? TARGET_UNKNOWN : TARGET_WRITING;
        free_target(target);
        return NULL;
    }
    return target;
}

/* ---- what users ask ---- */

bool target_is_stale(const struct target *target) {
    return target->kept_before && !target->heard;
}

bool target_is_in(const struct target *target, int64_t database) {
    return target->knows_database && target->database == database;
}

void target_set_database(struct target *target, int64_t database) {
    target->database = database;
    target->knows_database = true;
}

struct rdb_writer *target_out(struct target *target) {
    return &target->out;
}

void target_want_room(struct target *target, bool wanted) {
    target->wants_room = wanted;
    choose_interest(target);
}

int64_t target_moved_us(const struct target *target) {
    return target->moved_us;
}

enum target_failure target_stalled(const struct target *target) {
    return target->addresses != NULL || target_unsent(target) > 0 ? TARGET_WRITING : TARGET_READING;
}
