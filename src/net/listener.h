/* listener: sockets that accept connections: TCP on IPv4 and IPv6, unix sockets.
 *
 * When the process is out of descriptors, a listener gives up its reserved one to accept and close
 * one peer, then pauses accepting for LISTENER_PAUSE_MS: no spinning, and existing connections are
 * unharmed. */
#ifndef LARDER_NET_LISTENER_H
#define LARDER_NET_LISTENER_H

#include <stdbool.h>

#include "ev/loop.h"

#define LISTENER_PAUSE_MS 100
/* Connections accepted in one pass; the rest wait for the next, so that a storm of connects does
 * not starve those who are there. */
#define LISTENER_ACCEPTS_PER_PASS 256

struct listener;

/* A connection has been accepted: nonblocking, close-on-exec, NODELAY set where it is TCP. The
 * callee owns fd. */
typedef void (*listener_accept_fn)(void *context, int fd, bool is_unix);

/* Listens on one address. "*" is all of IPv4, "::*" all of IPv6 (v6 only), otherwise a name or an
 * address. `backlog` as listen takes it. NULL with *error set to a text (valid until the next call)
 * and *code set to -errno (-EADDRNOTAVAIL, -EAFNOSUPPORT let the caller skip optional addresses).
 * */
struct listener *listener_new_tcp(struct loop *loop, const char *address, int port, int backlog,
                                  listener_accept_fn on_accept, void *context, int *code,
                                  const char **error);

/* Of a protocol whose clients speak first: who has connected is accepted when his first bytes are
 * there, so that he costs one pass of the loop and not two. Who says nothing is accepted some
 * seconds later. */
void listener_await_data(struct listener *listener);

/* Listens on a path, which is unlinked first if it is a socket nobody listens on. The permissions
 * (0: what the umask leaves) are set before it listens. */
struct listener *listener_new_unix(struct loop *loop, const char *path, unsigned permissions,
                                   int backlog, listener_accept_fn on_accept, void *context,
                                   int *code, const char **error);

/* Stops accepting and closes; a unix socket's path is unlinked. */
void listener_free(struct listener *listener);

/* "tcp 127.0.0.1:6379", "unix /run/larder.sock". */
const char *listener_name(const struct listener *listener);

/* The port that was bound, also when 0 was asked for; 0 for unix sockets. */
int listener_port(const struct listener *listener);

#endif
