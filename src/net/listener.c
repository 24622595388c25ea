/* listener: binding, and the accept loop.
 *
 * Being out of descriptors must not spin: the listening socket stays readable, and epoll would
 * report it again and again. So a listener holds one descriptor in reserve, open on /dev/null.
 * When accept fails for want of one, it closes the reserve, accepts the peer, closes him (he
 * learns at once that he will not be served), takes the reserve back, and looks away for
 * LISTENER_PAUSE_MS.
 *
 * Invariants:
 * 1. the watch's interest is 0 exactly while the timer runs;
 * 2. `reserve` is a descriptor or -1, and -1 is tried again at the end of each pause;
 * 3. on_accept may free the listener: the memory then goes when the accept loop has ended. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "ev/direct.h"
#include "net/listener.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ERROR_SIZE 256
/* The kernel asks once more within that time whether a silent peer is there, and then hands him
 * over. */
#define DEFER_SECONDS 1

struct listener {
    struct loop_watch watch;
    struct loop_timer pause;
    struct loop *loop;
    listener_accept_fn on_accept;
    void *context;
    int reserve;
    bool is_unix;
    bool is_accepting; /* the accept loop is on the stack */
    bool is_freed;     /* listener_free was called by on_accept */
    bool is_starved;   /* the log has been told that there are no descriptors */
    int port;
    char name[SOCKET_NAME_SIZE + sizeof "unix "];
    /* Of a unix socket: its path, and which file that was. */
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    dev_t device;
    ino_t inode;
};

/* Errors. */

static void fail(int number, const char *what, const char *why, int *code, const char **error) {
    static _Thread_local char text[ERROR_SIZE];
    snprintf(text, sizeof text, "%s: %s", what, why);
    *error = text;
    *code = -number;
}

static void fail_errno(const char *what, int *code, const char **error) {
    int number = errno;
    fail(number, what, strerror(number), code, error);
}

/* Accepting. */

static void reserve_take(struct listener *listener) {
    if (listener->reserve < 0) {
        listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

static int64_t pause_ends(struct loop_timer *timer) {
    struct listener *listener =
        (struct listener *)(void *)((char *)timer - offsetof(struct listener, pause));
    reserve_take(listener);
    if (loop_watch_change(listener->loop, &listener->watch, LOOP_READ) < 0) {
        return LISTENER_PAUSE_MS;
    }
    return -1;
}

static void look_away(struct listener *listener) {
    if (loop_watch_change(listener->loop, &listener->watch, 0) == 0) {
        loop_timer_add(listener->loop, &listener->pause, LISTENER_PAUSE_MS);
    }
}

static void turn_one_away(struct listener *listener) {
    if (listener->reserve >= 0) {
        close(listener->reserve);
        listener->reserve = -1;
        int fd = direct_accept(listener->watch.fd);
        if (fd >= 0) {
            close(fd);
        }
        reserve_take(listener);
    }
}

/* Whether accept failed because of this one peer, or of a signal, and the next may do better. The
 * network's own errors are delivered here too (accept(2)). */
static bool is_passing(int error) {
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EPERM:
        return true;
    default:
        return false;
    }
}

static void accept_failed(struct listener *listener, int error) {
    if (!listener->is_starved) {
        listener->is_starved = true;
        log_warning("Accepting on %s fails: %s. Trying again every %d ms.", listener->name,
                    strerror(error), LISTENER_PAUSE_MS);
    }
    if (error == EMFILE || error == ENFILE) {
        turn_one_away(listener);
    }
    look_away(listener);
}

static void memory_free(struct listener *listener) {
    mem_free(MEM_OTHER, listener, sizeof *listener);
}

static void on_readable(struct loop_watch *watch, unsigned ready) {
    (void)ready;
    struct listener *listener =
        (struct listener *)(void *)((char *)watch - offsetof(struct listener, watch));
    listener->is_accepting = true;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_PASS && !listener->is_freed; i++) {
        int fd = loop_accept(listener->loop, &listener->watch);
        if (fd == -EAGAIN) {
            break;
        }
        if (fd >= 0) {
            listener->is_starved = false;
            listener->on_accept(listener->context, fd, listener->is_unix);
        } else if (!is_passing(-fd)) {
            accept_failed(listener, -fd);
            break;
        }
    }
    listener->is_accepting = false;
    if (listener->is_freed) {
        memory_free(listener);
    }
}

/* Making one. */

/* Takes over a socket that listens already. */
static struct listener *listener_new(struct loop *loop, int fd, bool is_unix,
                                     listener_accept_fn on_accept, void *context, int *code,
                                     const char **error) {
    struct listener *listener = mem_zalloc(MEM_OTHER, sizeof *listener);
    listener->watch = (struct loop_watch){.fd = fd, .use = LOOP_LISTENER, .on_ready = on_readable};
    listener->pause = (struct loop_timer){.on_time = pause_ends, .position = -1};
    listener->loop = loop;
    listener->on_accept = on_accept;
    listener->context = context;
    listener->is_unix = is_unix;
    listener->reserve = -1;
    int result = loop_watch_add(loop, &listener->watch, LOOP_READ);
    if (result < 0) {
        fail(-result, "watch", strerror(-result), code, error);
        memory_free(listener);
        return NULL;
    }
    reserve_take(listener);
    return listener;
}

/* Makes a socket that listens on one address. Returns it, or -1 with *code and *error set. */
static int open_tcp(const struct addrinfo *info, int backlog, int *code, const char **error) {
    const int on = 1;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail_errno("socket", code, error);
        if (*code == -EPROTONOSUPPORT || *code == -ESOCKTNOSUPPORT || *code == -EPFNOSUPPORT) {
            *code = -EAFNOSUPPORT;
        }
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)) {
        fail_errno("setsockopt", code, error);
    } else if (bind(fd, info->ai_addr, info->ai_addrlen) < 0) {
        fail_errno("bind", code, error);
    } else if (listen(fd, backlog) < 0) {
        fail_errno("listen", code, error);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

static int bound_port(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
    } address = {0};
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) < 0) {
        return 0;
    }
    bool is_ipv6 = address.any.sa_family == AF_INET6;
    return ntohs(is_ipv6 ? address.ipv6.sin6_port : address.ipv4.sin_port);
}

struct listener *listener_new_tcp(struct loop *loop, const char *address, int port, int backlog,
                                  listener_accept_fn on_accept, void *context, int *code,
                                  const char **error) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *node = address;
    if (strcmp(address, "*") == 0 || strcmp(address, "::*") == 0) {
        hints.ai_family = address[0] == '*' ? AF_INET : AF_INET6;
        node = NULL;
    }
    if (port < 0 || port > UINT16_MAX) {
        fail(EINVAL, address, "a port is between 0 and 65535", code, error);
        return NULL;
    }
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo *infos = NULL;
    int status = getaddrinfo(node, service, &hints, &infos);
    if (status != 0) {
        fail(EADDRNOTAVAIL, address, gai_strerror(status), code, error);
        return NULL;
    }
    int fd = -1;
    for (const struct addrinfo *info = infos; info != NULL && fd < 0; info = info->ai_next) {
        fd = open_tcp(info, backlog, code, error);
    }
    freeaddrinfo(infos);
    if (fd < 0) {
        return NULL;
    }
    struct listener *listener = listener_new(loop, fd, false, on_accept, context, code, error);
    if (listener == NULL) {
        close(fd);
        return NULL;
    }
    listener->port = bound_port(fd);
    (void)socket_set_nodelay(fd, true); /* what is accepted inherits it */
    char name[SOCKET_NAME_SIZE];
    socket_own_name(fd, name);
    snprintf(listener->name, sizeof listener->name, "tcp %s", name);
    return listener;
}

void listener_await_data(struct listener *listener) {
    (void)socket_set_defer_accept(listener->watch.fd, DEFER_SECONDS);
}

/* Removes a socket that a server left behind when it died. 0, or -1 with *code and *error set when
 * the path is taken by something else. */
static int remove_stale(const struct sockaddr_un *address, int *code, const char **error) {
    struct stat status;
    if (lstat(address->sun_path, &status) < 0) {
        return 0; /* nothing there; whatever else is wrong, bind will say */
    }
    if (!S_ISSOCK(status.st_mode)) {
        fail(EEXIST, address->sun_path, "exists and is not a socket", code, error);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail_errno("socket", code, error);
        return -1;
    }
    bool refused =
        connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused) {
        fail(EADDRINUSE, address->sun_path, "another process listens there", code, error);
        return -1;
    }
    if (unlink(address->sun_path) < 0) {
        fail_errno("unlink", code, error);
        return -1;
    }
    return 0;
}

static int open_unix(const struct sockaddr_un *address, unsigned permissions, int backlog,
                     int *code, const char **error) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail_errno("socket", code, error);
        return -1;
    }
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        fail_errno("bind", code, error);
        close(fd);
        return -1;
    }
    /* Nobody can connect before it listens, so nobody slips in under the old permissions. */
    if (permissions != 0 && chmod(address->sun_path, (mode_t)permissions) < 0) {
        fail_errno("chmod", code, error);
    } else if (listen(fd, backlog) < 0) {
        fail_errno("listen", code, error);
    } else {
        return fd;
    }
    unlink(address->sun_path);
    close(fd);
    return -1;
}

struct listener *listener_new_unix(struct loop *loop, const char *path, unsigned permissions,
                                   int backlog, listener_accept_fn on_accept, void *context,
                                   int *code, const char **error) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address.sun_path) {
        fail(ENAMETOOLONG, "unixsocket", "the path is empty or longer than a socket's may be", code,
             error);
        return NULL;
    }
    memcpy(address.sun_path, path, size + 1);
    if (remove_stale(&address, code, error) < 0) {
        return NULL;
    }
    int fd = open_unix(&address, permissions, backlog, code, error);
    if (fd < 0) {
        return NULL;
    }
    struct listener *listener = listener_new(loop, fd, true, on_accept, context, code, error);
    if (listener == NULL) {
        unlink(path);
        close(fd);
        return NULL;
    }
    memcpy(listener->path, path, size + 1);
    snprintf(listener->name, sizeof listener->name, "unix %s", path);
    struct stat status;
    if (lstat(path, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    return listener;
}

void listener_free(struct listener *listener) {
    if (listener == NULL) {
        return;
    }
    loop_watch_remove(listener->loop, &listener->watch);
    loop_timer_remove(listener->loop, &listener->pause);
    close(listener->watch.fd);
    if (listener->reserve >= 0) {
        close(listener->reserve);
    }
    /* Another server may have put its own socket there meanwhile. */
    struct stat status;
    if (listener->is_unix && lstat(listener->path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode) {
        unlink(listener->path);
    }
    listener->is_freed = true;
    if (!listener->is_accepting) {
        memory_free(listener);
    }
}

const char *listener_name(const struct listener *listener) {
    return listener->name;
}

int listener_port(const struct listener *listener) {
    return listener->port;
}
