/* replica: see the header. */
#include "replica.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- INFO ---- */

long long replica_figure(redisContext *context, const char *name) {
    redisReply *reply = redisCommand(context, "INFO");
    assert_non_null(reply);
    char line[80];
    snprintf(line, sizeof line, "\n%s:", name);
    const char *at = strstr(reply->str, line);
    assert_non_null(at);
    long long number = strtoll(at + strlen(line), NULL, 10);
    freeReplyObject(reply);
    return number;
}

bool replica_says(redisContext *context, const char *line) {
    redisReply *reply = redisCommand(context, "INFO");
    assert_non_null(reply);
    char whole[160];
    snprintf(whole, sizeof whole, "\n%s\r\n", line);
    bool says = strstr(reply->str, whole) != NULL;
    freeReplyObject(reply);
    return says;
}

struct saying {
    redisContext *context;
    const char *line;
};

static bool says(void *context) {
    const struct saying *saying = context;
    return replica_says(saying->context, saying->line);
}

void replica_await(redisContext *context, const char *line) {
    struct saying saying = {context, line};
    harness_wait_for(says, &saying, line);
}

bool replica_is_up(redisContext *replica) {
    return replica_says(replica, "master_link_status:up");
}

struct catching {
    redisContext *primary;
    redisContext *replica;
};

static bool has_caught_up(void *context) {
    const struct catching *catching = context;
    return replica_is_up(catching->replica) &&
           replica_figure(catching->replica, "master_repl_offset") ==
               replica_figure(catching->primary, "master_repl_offset");
}

void replica_catch_up(redisContext *primary, redisContext *replica) {
    struct catching catching = {primary, replica};
    harness_wait_for(has_caught_up, &catching, "the replica has caught up");
}

void replica_follow(redisContext *replica, int port) {
    client_expect(replica, "+OK", "REPLICAOF 127.0.0.1 %d", port);
}

/* ---- the proxy ---- */

struct proxy {
    pthread_t thread;
    struct proxy_ways ways;
    int listener;
    int port;
    int target;
    _Atomic bool ended;
    _Atomic int connections;
};

struct channel {
    int from;
    int to;
    size_t left;    /* until it ends */
    size_t damaged; /* bytes until the one that is damaged; SIZE_MAX: none */
    size_t stalled; /* bytes until nothing comes any more */
};

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void count_down(size_t *count, size_t size) {
    if (*count != SIZE_MAX) {
        *count -= size < *count ? size : *count;
    }
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* False when it is over. */
static bool forward(struct channel *channel) {
    char bytes[4096];
    size_t room = least(least(channel->left, channel->stalled), sizeof bytes);
    ssize_t size = recv(channel->from, bytes, room, 0);
    if (size <= 0) {
        return false;
    }
    if (channel->damaged < (size_t)size) {
        bytes[channel->damaged] ^= 0x10;
        channel->damaged = SIZE_MAX;
    }
    count_down(&channel->left, (size_t)size);
    count_down(&channel->damaged, (size_t)size);
    count_down(&channel->stalled, (size_t)size);
    for (ssize_t sent = 0; sent < size;) {
        ssize_t part = send(channel->to, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL);
        if (part <= 0) {
            return false;
        }
        sent += part;
    }
    return channel->left > 0;
}

static size_t draw(struct proxy *proxy) {
    struct proxy_ways *ways = &proxy->ways;
    if (ways->cut_most == 0) {
        return SIZE_MAX;
    }
    ways->seed = ways->seed * 6364136223846793005u + 1442695040888963407u;
    return ways->cut_least + (ways->seed >> 33) % (ways->cut_most - ways->cut_least);
}

static size_t or_never(bool is_first, size_t bytes) {
    return is_first && bytes > 0 ? bytes : SIZE_MAX;
}

static void serve(struct proxy *proxy, int replica, bool is_first) {
    int primary = connect_to(proxy->target);
    if (primary < 0) {
        return;
    }
    struct channel there = {.from = primary,
                            .to = replica,
                            .left = draw(proxy),
                            .damaged = or_never(is_first, proxy->ways.damaged),
                            .stalled = or_never(is_first, proxy->ways.stalled)};
    struct channel back = {
        .from = replica, .to = primary, .left = SIZE_MAX, .damaged = SIZE_MAX, .stalled = SIZE_MAX};
    bool goes_on = true;
    while (goes_on && !proxy->ended) {
        struct pollfd fds[] = {{.fd = replica, .events = POLLIN},
                               {.fd = there.stalled == 0 ? -1 : primary, .events = POLLIN}};
        if (poll(fds, 2, 20) <= 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            goes_on = forward(&there);
        }
        if (goes_on && fds[0].revents != 0) {
            goes_on = forward(&back);
        }
    }
    close(primary);
}

static void *run(void *context) {
    struct proxy *proxy = context;
    while (!proxy->ended) {
        struct pollfd fd = {.fd = proxy->listener, .events = POLLIN};
        if (poll(&fd, 1, 20) <= 0) {
            continue;
        }
        int replica = accept(proxy->listener, NULL, NULL);
        if (replica >= 0) {
            int number = proxy->connections++;
            serve(proxy, replica, number == 0);
            close(replica);
        }
    }
    return NULL;
}

struct proxy *proxy_start(int target, const struct proxy_ways *ways) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct proxy *proxy = calloc(1, sizeof *proxy);
    assert_non_null(proxy);
    proxy->target = target;
    proxy->ways = *ways;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy->listener, 8), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &size), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

void proxy_stop(struct proxy *proxy) {
    proxy->ended = true;
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    free(proxy);
}

int proxy_port(const struct proxy *proxy) {
    return proxy->port;
}

int proxy_connections(const struct proxy *proxy) {
    return proxy->connections;
}
