/* connect: sockets to a server, and who one is there. */
#ifndef LARDER_LOAD_CONNECT_H
#define LARDER_LOAD_CONNECT_H

#include <stdbool.h>

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
};

/* A connected descriptor that blocks, logged in as the login says; -1 after a word on standard
 * error, also when the server refuses the login. */
int connect_to(const struct endpoint *endpoint, const struct login *login);

/* The same descriptor, from now on not blocking. */
void connect_unblock(int fd);

/* As many descriptors as the system allows. */
void connect_raise_limit(void);

#endif
