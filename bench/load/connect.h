/* connect: a socket to a server. */
#ifndef LARDER_LOAD_CONNECT_H
#define LARDER_LOAD_CONNECT_H

/* A connected descriptor that does not block, or -1 after a word on standard error. `path` is that
 * of a Unix socket, or NULL: then host and port count. */
int connect_to(const char *host, const char *port, const char *path);

#endif
