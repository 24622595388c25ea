/* transport: how bytes of one connection move: plain sockets, or streams that a loop receives from
 * ahead (ev/loop.h). TLS would be a further implementation of the same functions. Never blocks.
 *
 * Results of read and write: > 0 bytes moved; 0 the peer has closed (read only); -EAGAIN nothing
 * can move now; other -errno the connection is broken. */
#ifndef LARDER_NET_TRANSPORT_H
#define LARDER_NET_TRANSPORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ev/loop.h"

struct transport;

struct transport_kind {
    const char *name; /* "plain", "stream" */
    ssize_t (*readv)(struct transport *transport, const struct iovec *pieces, int count);
    ssize_t (*writev)(struct transport *transport, const struct iovec *pieces, int count);
    void (*close)(struct transport *transport);
    /* Whether bytes wait inside the transport that readiness of the descriptor does not show. */
    bool (*has_pending)(const struct transport *transport);
};

struct transport {
    const struct transport_kind *kind;
    int fd;
    /* Of a stream. */
    struct loop *loop;
    struct loop_watch *watch;
};

const struct transport_kind *transport_plain(void);

/* The transport for the descriptor of a watch that is added to this loop afterwards: a plain one
 * where the loop does not receive ahead, else a stream; sets watch->use accordingly. A watch that
 * moves to another loop of the same backend needs a new one. What it writes is sent at once;
 * loop_send sends at the end of a pass. */
struct transport transport_stream(struct loop *loop, struct loop_watch *watch);

/* One piece, the common case: plain sockets are read and written without the indirection. */
ssize_t transport_read(struct transport *transport, void *at, size_t size);
ssize_t transport_write(struct transport *transport, const void *at, size_t size);

static inline ssize_t transport_readv(struct transport *t, const struct iovec *pieces, int count) {
    return t->kind->readv(t, pieces, count);
}

static inline ssize_t transport_writev(struct transport *t, const struct iovec *pieces, int count) {
    return t->kind->writev(t, pieces, count);
}

/* Closes the descriptor and frees what the kind holds. The struct itself is the owner's. */
static inline void transport_close(struct transport *t) {
    t->kind->close(t);
}

#endif
