/* socket: what the system offers for sockets, with one rule for errors. */
#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A dead peer is given up after the first probe and this many more, a third of the time apart. */
#define KEEPALIVE_PROBES 3

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
};

static int set_int(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

int socket_set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

int socket_set_defer_accept(int fd, int seconds) {
    return set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds);
}

int socket_set_nodelay(int fd, bool on) {
    return set_int(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int socket_set_keepalive(int fd, int seconds) {
    int result = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
    if (result < 0 || seconds <= 0) {
        return result;
    }
    int interval = seconds / KEEPALIVE_PROBES > 0 ? seconds / KEEPALIVE_PROBES : 1;
    result = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    if (result == 0) {
        result = set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    }
    if (result == 0) {
        result = set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    }
    return result;
}

static void print_address(const union address *address, socklen_t size,
                          char name[SOCKET_NAME_SIZE]) {
    char text[INET6_ADDRSTRLEN];
    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->ipv4.sin_addr, text, sizeof text);
        snprintf(name, SOCKET_NAME_SIZE, "%s:%u", text, ntohs(address->ipv4.sin_port));
        return;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->ipv6.sin6_addr, text, sizeof text);
        snprintf(name, SOCKET_NAME_SIZE, "[%s]:%u", text, ntohs(address->ipv6.sin6_port));
        return;
    case AF_UNIX: {
        size_t start = offsetof(struct sockaddr_un, sun_path);
        size_t length = size > start ? size - start : 0; /* the NUL may be missing */
        snprintf(name, SOCKET_NAME_SIZE, "%.*s:0", (int)length, address->local.sun_path);
        return;
    }
    default:
        snprintf(name, SOCKET_NAME_SIZE, "?:0");
    }
}

void socket_own_name(int fd, char name[SOCKET_NAME_SIZE]) {
    union address address = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) < 0) {
        address.any.sa_family = AF_UNSPEC;
    }
    print_address(&address, size, name);
}

void socket_peer_name(int fd, char name[SOCKET_NAME_SIZE]) {
    union address address = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    if (getpeername(fd, &address.any, &size) < 0) {
        address.any.sa_family = AF_UNSPEC;
    }
    if (address.any.sa_family == AF_UNIX) {
        /* Who connects to a path has seldom one himself; the one he connected to says more. */
        socket_own_name(fd, name);
        return;
    }
    print_address(&address, size, name);
}

bool socket_peer_is_local(int fd) {
    union address address = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof address;
    if (getpeername(fd, &address.any, &size) < 0) {
        return false;
    }
    switch (address.any.sa_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(address.ipv4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6: {
        const struct in6_addr *ipv6 = &address.ipv6.sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(ipv6) ||
               (IN6_IS_ADDR_V4MAPPED(ipv6) && ipv6->s6_addr[12] == IN_LOOPBACKNET);
    }
    default:
        return false;
    }
}

long socket_raise_fd_limit(long wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return -1;
    }
    rlim_t goal = wanted > 0 ? (rlim_t)wanted : 0;
    if (limit.rlim_cur < goal) {
        struct rlimit more = {.rlim_cur = goal, .rlim_max = limit.rlim_max};
        if (more.rlim_max < goal) {
            more.rlim_max = goal; /* for the privileged only */
        }
        if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
            return wanted;
        }
        more = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
            limit = more;
        }
    }
    return limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : (long)limit.rlim_cur;
}
