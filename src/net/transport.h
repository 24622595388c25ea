/* transport: how bytes of one connection move: plain sockets, streams that a loop receives from
 * ahead (ev/loop.h), or TLS (net/tls.h) over either. Never blocks.
 *
 * Results of read and write: > 0 bytes moved; 0 the peer has closed (read only); -EAGAIN nothing
 * can move now; other -errno the connection is broken, -EPROTO when its TLS is.
 *
 * Whoever writes offers what was not taken once more, and first, for TLS has it encrypted and
 * perhaps sent in part. */
#ifndef LARDER_NET_TRANSPORT_H
#define LARDER_NET_TRANSPORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ev/loop.h"

struct tls_desk;
struct tls_session;
struct transport;

struct transport_kind {
    const char *name; /* "plain", "stream", "tls" */
    ssize_t (*readv)(struct transport *transport, const struct iovec *pieces, int count);
    ssize_t (*writev)(struct transport *transport, const struct iovec *pieces, int count);
    void (*close)(struct transport *transport);
    /* Sends what waits inside; 0 or -errno. NULL where nothing can. */
    int (*flush)(struct transport *transport);
};

struct transport {
    const struct transport_kind *kind;
    int fd;
    /* Bytes wait inside that readiness of the descriptor does not show: to be read, and to be sent
     * (transport_flush) though nothing more may be written. */
    bool has_pending;
    bool wants_write;
    struct tls_session *tls; /* NULL: none */
    /* Of a stream. */
    struct loop *loop;
    struct loop_watch *watch;
};

const struct transport_kind *transport_plain(void);
/* For descriptors of a loop that receives ahead. */
const struct transport_kind *transport_stream(void);

/* Readies the transport for the descriptor of a watch that is added to this loop afterwards: as a
 * stream where the loop receives ahead, else plain; sets watch->use accordingly. With `tls` set
 * before, it is a TLS transport over that, working at this desk. A watch that moves to another loop
 * is attached there anew. What is written is sent at once; loop_send, which sends at the end of a
 * pass, is not for TLS. */
void transport_attach(struct transport *transport, struct loop *loop, struct loop_watch *watch,
                      struct tls_desk *desk);

/* One piece, the common case: plain sockets are read and written without the indirection. */
ssize_t transport_read(struct transport *transport, void *at, size_t size);
ssize_t transport_write(struct transport *transport, const void *at, size_t size);

static inline ssize_t transport_readv(struct transport *t, const struct iovec *pieces, int count) {
    return t->kind->readv(t, pieces, count);
}

static inline ssize_t transport_writev(struct transport *t, const struct iovec *pieces, int count) {
    return t->kind->writev(t, pieces, count);
}

/* Whether bytes go to the descriptor as they are, so that others may send them too. */
static inline bool transport_is_bare(const struct transport *t) {
    return t->tls == NULL;
}

/* When wants_write is set and the descriptor writable. 0 or -errno. */
static inline int transport_flush(struct transport *t) {
    return t->kind->flush == NULL ? 0 : t->kind->flush(t);
}

/* Closes the descriptor and frees what the kind holds. The struct itself is the owner's. */
static inline void transport_close(struct transport *t) {
    t->kind->close(t);
}

#endif
