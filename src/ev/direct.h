/* direct: the socket calls that move bytes at once, with the results that ev/loop.h and
 * net/transport.h promise. Signals that interrupt a call are hidden; a broken pipe is an error and
 * no signal; a socket that would block says -EAGAIN. */
#ifndef LARDER_EV_DIRECT_H
#define LARDER_EV_DIRECT_H

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/check.h"

/* The kernel takes no more pieces than IOV_MAX at once; the rest is the caller's next call, as
 * after any transfer that moved less than all. */
static inline struct msghdr direct_message(const struct iovec *pieces, int count) {
    check(count > 0);
    /* The kernel does not write to the array, but the struct is shared by both directions. */
    union {
        const struct iovec *given;
        struct iovec *taken;
    } array = {.given = pieces};
    size_t limited = count < IOV_MAX ? (size_t)count : IOV_MAX;
    return (struct msghdr){.msg_iov = array.taken, .msg_iovlen = limited};
}

static inline ssize_t direct_receive(int fd, const struct iovec *pieces, int count) {
    struct msghdr message = direct_message(pieces, count);
    ssize_t moved;
    do {
        moved = count == 1 ? recv(fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT)
                           : recvmsg(fd, &message, MSG_DONTWAIT);
    } while (moved < 0 && errno == EINTR);
    return moved >= 0 ? moved : -errno;
}

static inline ssize_t direct_send(int fd, const struct iovec *pieces, int count) {
    struct msghdr message = direct_message(pieces, count);
    ssize_t moved;
    do {
        moved = count == 1
                    ? send(fd, pieces->iov_base, pieces->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                    : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (moved < 0 && errno == EINTR);
    return moved >= 0 ? moved : -errno;
}

static inline int direct_accept(int fd) {
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted >= 0 ? accepted : -errno;
}

#endif
