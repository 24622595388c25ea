/* connect: by name or by path. Connecting and logging in wait for the server: they are over before
 * anything is measured. */
#include "load/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "load/control.h"
#include "net/socket.h"

/* A server that does not go on with a handshake for so long is given up. */
#define HANDSHAKE_MS_MAX 10000

static int connect_path(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "The path of the socket is too long: %s\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    fprintf(stderr, "No connection to %s: %s\n", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static int connect_host(const char *host, const char *port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int status = getaddrinfo(host, port, &hints, &list);
    if (status != 0) {
        fprintf(stderr, "%s:%s: %s\n", host, port, gai_strerror(status));
        return -1;
    }
    int fd = -1;
    int problem = 0;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            problem = errno;
            close(fd);
            fd = -1;
        } else if (fd < 0) {
            problem = errno;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        fprintf(stderr, "No connection to %s:%s: %s\n", host, port, strerror(problem));
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* Asks for one thing of the login. The words end with NULL. */
static int introduce(struct transport *transport, const char *const *words) {
    struct buffer reply;
    buffer_init(&reply, MEM_OTHER);
    int status = control_ask(transport, words, &reply);
    if (status != 0) {
        fprintf(stderr, "%s: %s\n", words[0], buffer_text(&reply));
    }
    buffer_clear(&reply);
    return status;
}

static int log_in(struct transport *transport, const struct login *login) {
    char database[16];
    snprintf(database, sizeof database, "%d", login->database);
    const char *user = login->user == NULL ? "default" : login->user;
    const char *auth[] = {"AUTH", login->password, NULL};
    const char *auth_user[] = {"AUTH", user, login->password, NULL};
    const char *hello[] = {"HELLO", "3", NULL};
    const char *select[] = {"SELECT", database, NULL};
    if (login->password != NULL &&
        introduce(transport, login->user == NULL ? auth : auth_user) != 0) {
        return -1;
    }
    if (login->resp3 && introduce(transport, hello) != 0) {
        return -1;
    }
    return login->database == 0 ? 0 : introduce(transport, select);
}

bool connect_wait(const struct transport *transport, bool sends, int limit_ms) {
    struct pollfd one = {.fd = transport->fd, .events = POLLIN};
    one.events = (short)(sends || transport->wants_write ? POLLIN | POLLOUT : POLLIN);
    return transport->has_pending || poll(&one, 1, limit_ms) != 0;
}

static int shake_hands(struct transport *transport) {
    int status;
    while ((status = tls_handshake(transport)) == -EAGAIN) {
        if (!connect_wait(transport, false, HANDSHAKE_MS_MAX)) {
            fputs("TLS: the server does not go on with the handshake\n", stderr);
            return -1;
        }
        if (transport->wants_write && transport_flush(transport) < 0) {
            break;
        }
    }
    if (status != 1) {
        fprintf(stderr, "TLS: %s\n", tls_problem(transport));
    }
    return status == 1 ? 0 : -1;
}

struct transport *connect_to(const struct endpoint *endpoint, const struct login *login) {
    int fd = endpoint->path != NULL ? connect_path(endpoint->path)
                                    : connect_host(endpoint->host, endpoint->port);
    if (fd < 0) {
        return NULL;
    }
    (void)socket_set_nonblocking(fd);
    struct transport *transport = mem_zalloc(MEM_OTHER, sizeof *transport);
    *transport = (struct transport){.kind = transport_plain(), .fd = fd};
    int status = 0;
    if (login->tls != NULL) {
        transport->tls = tls_session_new(login->tls, login->server_name);
        tls_attach(transport, login->desk);
        status = shake_hands(transport);
    }
    if (status != 0 || log_in(transport, login) != 0) {
        connect_close(transport);
        return NULL;
    }
    return transport;
}

void connect_close(struct transport *transport) {
    transport_close(transport);
    mem_free(MEM_OTHER, transport, sizeof *transport);
}

void connect_raise_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
