/* transport: plain sockets, TCP and unix alike, and streams of a loop. TLS is in tls_session.c. */
#include "base/check.h"
#include "ev/direct.h"
#include "net/tls.h"
#include "net/transport.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t receive(int fd, void *at, size_t size) {
    ssize_t moved;
    do {
        moved = recv(fd, at, size, 0);
    } while (moved < 0 && errno == EINTR);
    return moved >= 0 ? moved : -errno;
}

static ssize_t transmit(int fd, const void *at, size_t size) {
    ssize_t moved;
    do {
        moved = send(fd, at, size, MSG_NOSIGNAL);
    } while (moved < 0 && errno == EINTR);
    return moved >= 0 ? moved : -errno;
}

static ssize_t plain_readv(struct transport *transport, const struct iovec *pieces, int count) {
    return direct_receive(transport->fd, pieces, count);
}

static ssize_t plain_writev(struct transport *transport, const struct iovec *pieces, int count) {
    return direct_send(transport->fd, pieces, count);
}

static void plain_close(struct transport *transport) {
    close(transport->fd);
    transport->fd = -1;
}

static const struct transport_kind plain = {
    .name = "plain",
    .readv = plain_readv,
    .writev = plain_writev,
    .close = plain_close,
};

const struct transport_kind *transport_plain(void) {
    return &plain;
}

/* Streams: as plain sockets, but for reading. */

static ssize_t stream_readv(struct transport *transport, const struct iovec *pieces, int count) {
    return loop_receive(transport->loop, transport->watch, pieces, count);
}

static const struct transport_kind stream = {
    .name = "stream",
    .readv = stream_readv,
    .writev = plain_writev,
    .close = plain_close,
};

const struct transport_kind *transport_stream(void) {
    return &stream;
}

void transport_attach(struct transport *transport, struct loop *loop, struct loop_watch *watch,
                      struct tls_desk *desk) {
    bool is_ahead = loop_receives_ahead(loop);
    watch->use = is_ahead ? LOOP_STREAM : LOOP_POLLED;
    transport->kind = is_ahead ? &stream : &plain;
    transport->fd = watch->fd;
    transport->loop = loop;
    transport->watch = watch;
    if (transport->tls != NULL) {
        tls_attach(transport, desk);
    }
}

ssize_t transport_read(struct transport *transport, void *at, size_t size) {
    debug_check(size > 0);
    if (LIKELY(transport->kind == &plain)) {
        return receive(transport->fd, at, size);
    }
    struct iovec piece = {.iov_base = at, .iov_len = size};
    return transport->kind->readv(transport, &piece, 1);
}

ssize_t transport_write(struct transport *transport, const void *at, size_t size) {
    debug_check(size > 0);
    if (LIKELY(transport->kind == &plain || transport->kind == &stream)) {
        return transmit(transport->fd, at, size);
    }
    union {
        const void *given;
        void *taken;
    } start = {.given = at};
    struct iovec piece = {.iov_base = start.taken, .iov_len = size};
    return transport->kind->writev(transport, &piece, 1);
}
