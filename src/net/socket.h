/* socket: small functions over sockets: options, addresses, names. */
#ifndef LARDER_NET_SOCKET_H
#define LARDER_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

/* Room for any address as text: an IPv6 address in brackets with a port, or a unix socket's path.
 * */
#define SOCKET_NAME_SIZE 128

/* 0 or -errno. */
int socket_set_nonblocking(int fd);
int socket_set_nodelay(int fd, bool on);
/* Of a listening socket: those who say nothing are accepted after about so many seconds. */
int socket_set_defer_accept(int fd, int seconds);
/* Keepalive with the first probe after `seconds`; 0 turns it off. */
int socket_set_keepalive(int fd, int seconds);

/* "127.0.0.1:6379", "[::1]:6379", or PATH:0 for a unix socket, NUL-terminated, of the peer or of
 * this end. "?:0" when it cannot be told. */
void socket_peer_name(int fd, char name[SOCKET_NAME_SIZE]);
void socket_own_name(int fd, char name[SOCKET_NAME_SIZE]);

/* Whether the peer is on this machine: loopback or a unix socket. */
bool socket_peer_is_local(int fd);

/* Raises the limit of open descriptors to `wanted` if that is allowed. Returns what is in force. */
long socket_raise_fd_limit(long wanted);

#endif
