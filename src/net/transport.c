/* transport: plain sockets, TCP and unix alike. Signals that interrupt a call are hidden; a broken
 * pipe is an error and no signal. */
#include "base/check.h"
#include "net/transport.h"

#include <errno.h>
#include <limits.h>
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

/* The kernel takes no more pieces than IOV_MAX at once; the rest is the caller's next call, as
 * after any transfer that moved less than all. */
static struct msghdr message_of(const struct iovec *pieces, int count) {
    check(count > 0);
    /* The kernel does not write to the array, but the struct is shared by both directions. */
    union {
        const struct iovec *given;
        struct iovec *taken;
    } array = {.given = pieces};
    size_t limited = count < IOV_MAX ? (size_t)count : IOV_MAX;
    return (struct msghdr){.msg_iov = array.taken, .msg_iovlen = limited};
}

static ssize_t plain_readv(struct transport *transport, const struct iovec *pieces, int count) {
    struct msghdr message = message_of(pieces, count);
    ssize_t moved;
    do {
        moved = recvmsg(transport->fd, &message, 0);
    } while (moved < 0 && errno == EINTR);
    return moved >= 0 ? moved : -errno;
}

static ssize_t plain_writev(struct transport *transport, const struct iovec *pieces, int count) {
    struct msghdr message = message_of(pieces, count);
    ssize_t moved;
    do {
        moved = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
    } while (moved < 0 && errno == EINTR);
    return moved >= 0 ? moved : -errno;
}

static void plain_close(struct transport *transport) {
    close(transport->fd);
    transport->fd = -1;
}

static bool plain_has_pending(const struct transport *transport) {
    (void)transport;
    return false;
}

static const struct transport_kind plain = {
    .name = "plain",
    .readv = plain_readv,
    .writev = plain_writev,
    .close = plain_close,
    .has_pending = plain_has_pending,
};

const struct transport_kind *transport_plain(void) {
    return &plain;
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
    if (LIKELY(transport->kind == &plain)) {
        return transmit(transport->fd, at, size);
    }
    union {
        const void *given;
        void *taken;
    } start = {.given = at};
    struct iovec piece = {.iov_base = start.taken, .iov_len = size};
    return transport->kind->writev(transport, &piece, 1);
}
