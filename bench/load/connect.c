/* connect: by name or by path. Connecting itself blocks: it is over before anything is measured. */
#include "load/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_path(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "The path of the socket is too long: %s\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    fprintf(stderr, "No connection to %s: %s\n", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static int connect_host(const char *host, const char *port) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int status = getaddrinfo(host, port, &hints, &list);
    if (status != 0) {
        fprintf(stderr, "%s:%s: %s\n", host, port, gai_strerror(status));
        return -1;
    }
    int fd = -1;
    int problem = 0;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            problem = errno;
            close(fd);
            fd = -1;
        } else if (fd < 0) {
            problem = errno;
        }
    }
    freeaddrinfo(list);
    if (fd < 0) {
        fprintf(stderr, "No connection to %s:%s: %s\n", host, port, strerror(problem));
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

int connect_to(const char *host, const char *port, const char *path) {
    int fd = path != NULL ? connect_path(path) : connect_host(host, port);
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    return fd;
}
