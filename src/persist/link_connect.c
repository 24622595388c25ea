/* link_connect: how a link comes to its transport: the primary's addresses are tried one behind the
 * other; where tls-replication asks for it, TLS follows.
 *
 * The watch is polled, also in a loop that receives ahead: a replica reads one connection, and
 * what it reads goes straight where the stream is executed. */
#include "persist/link_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "net/tls.h"

void link_close_socket(struct link *link) {
    if (link->watch.fd >= 0) {
        loop_watch_remove(link->replication->context->loop, &link->watch);
        link->watch.fd = -1;
        transport_close(&link->transport);
    }
    link->transport = (struct transport){.kind = transport_plain(), .fd = -1};
    link->is_shaking_hands = false;
}

void link_forget_addresses(struct link *link) {
    if (link->addresses != NULL) {
        freeaddrinfo(link->addresses);
        link->addresses = NULL;
    }
}

bool link_is_connecting(const struct link *link) {
    return link->addresses != NULL || link->is_shaking_hands;
}

static bool try_address(struct link *link) {
    struct loop *loop = link->replication->context->loop;
    link_close_socket(link);
    for (; link->address != NULL; link->address = link->address->ai_next) {
        const struct addrinfo *to = link->address;
        int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            continue;
        }
        (void)socket_set_nodelay(fd, true);
        link->watch = (struct loop_watch){.fd = fd, .use = LOOP_POLLED, .on_ready = link_on_ready};
        if ((connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS) &&
            loop_watch_add(loop, &link->watch, LOOP_READ | LOOP_WRITE) == 0) {
            link->transport.fd = fd;
            return true;
        }
        close(fd);
        link->watch.fd = -1;
    }
    return false;
}

void link_connect(struct link *link) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[24];
    snprintf(port, sizeof port, "%lld", (long long)link->replication->primary_port);
    link->moved_us = replication_now_us(link->replication);
    int status = getaddrinfo(link->replication->host, port, &hints, &link->addresses);
    if (status != 0) {
        link->addresses = NULL;
        link_break(link, "%s", gai_strerror(status));
        return;
    }
    link->address = link->addresses;
    link_set_state(link, LINK_CONNECTING);
    if (!try_address(link)) {
        link_break(link, "it cannot be connected to: %s", strerror(errno));
    }
}

/* ---- TLS ---- */

/* A name may be asked for; an address never is. */
static const char *name_of(const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    bool is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    return is_address ? NULL : host;
}

/* False when the link has ended. */
static bool begin_tls(struct link *link) {
    const struct replication *replication = link->replication;
    struct tls_context *context = *replication->ways.context;
    if (context == NULL) {
        link_break(link, "tls-replication is set, and TLS is not configured");
        return false;
    }
    link->transport.tls = tls_session_new(context, name_of(replication->host));
    if (link->transport.tls == NULL) {
        link_break(link, "there is no memory for TLS");
        return false;
    }
    if (link->desk == NULL) {
        link->desk = tls_desk_new();
    }
    tls_attach(&link->transport, link->desk);
    link->is_shaking_hands = true;
    return true;
}

static void shake_hands(struct link *link) {
    int status = tls_handshake(&link->transport);
    if (status == 1) {
        link->is_shaking_hands = false;
        link_greet(link);
    } else if (status != -EAGAIN) {
        link_break(link, "TLS: %s", tls_problem(&link->transport));
    }
}

/* ---- the socket has something to say ---- */

/* Of how connecting went. */
static void finish_connecting(struct link *link) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(link->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        link->address = link->address->ai_next;
        if (!try_address(link)) {
            link_break(link, "it cannot be connected to: %s", strerror(error));
        }
        return;
    }
    link_forget_addresses(link);
    link->moved_us = replication_now_us(link->replication);
    if (!replication_is_secure(link->replication)) {
        link_greet(link);
    } else if (begin_tls(link)) {
        shake_hands(link);
    }
}

void link_go_on_connecting(struct link *link, unsigned ready) {
    if (link->is_shaking_hands) {
        if (link->transport.wants_write && transport_flush(&link->transport) < 0) {
            link_break(link, "the connection is broken");
        } else if (ready & LOOP_READ) {
            shake_hands(link);
        }
    } else if (ready & LOOP_WRITE) {
        finish_connecting(link);
    }
}
