/* connect: connections to a server, and who one is there. */
#ifndef LARDER_LOAD_CONNECT_H
#define LARDER_LOAD_CONNECT_H

#include <stdbool.h>

#include "net/tls.h"
#include "net/transport.h"

/* Longer than any name in the DNS. */
#define ENDPOINT_HOST_MAX 256

/* Whoever holds one of these owns the texts; all are set but `path`. */
struct endpoint {
    const char *name;             /* for reports */
    char host[ENDPOINT_HOST_MAX]; /* an IPv4 or IPv6 address or a name */
    const char *port;
    const char *path; /* of a Unix socket, instead of host and port; or NULL */
};

struct login {
    const char *user;     /* NULL: the default user */
    const char *password; /* NULL: none is sent */
    int database;
    bool resp3;
    struct tls_context *tls; /* NULL: without */
    const char *server_name; /* with TLS: that is asked for; NULL: none */
    struct tls_desk *desk;   /* with TLS: of the thread that connects */
};

/* A connection that does not block, logged in as the login says; NULL after a word on standard
 * error, also when the server refuses the login. Freed with connect_close. */
struct transport *connect_to(const struct endpoint *endpoint, const struct login *login);
void connect_close(struct transport *transport);

/* Waits until the peer says something or, where `sends`, takes something. False when it does not in
 * that many milliseconds. */
bool connect_wait(const struct transport *transport, bool sends, int limit_ms);

/* As many descriptors as the system allows. */
void connect_raise_limit(void);

#endif
