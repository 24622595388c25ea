/* Connections: very many, too many, idle ones, over every kind of socket, paused ones, and what
 * happens when there are no descriptors left. */
#include "harness.h"
#include "probe.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CROWD 10000
/* What an idle connection may take. */
#define IDLE_BYTES_MAX 1536

static struct server *server;
static int other; /* a connection that nothing happens to */

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    other = wire_connect(server);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    wire_settle(other);
    close(other);
    server_stop(server);
}

static void crowd_is_served(const int *fds) {
    for (int i = 0; i < CROWD; i++) {
        wire_send_text(fds[i], "PING\r\n");
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect(fds[i], "+PONG\r\n");
    }
}

static void ten_thousand_connections(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < CROWD + 100) {
        print_message("the system allows %llu open files, %d are needed: raise ulimit -n\n",
                      (unsigned long long)limit.rlim_max, CROWD + 100);
        skip();
    }
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    static const char *const options[] = {"--maxclients", "10100", NULL};
    struct server *crowded = server_start(options);
    int first = wire_connect(crowded);
    /* What the first connections bring about for good is no part of it. */
    wire_settle(first);
    int64_t used = probe_info(first, "used_memory");
    int64_t resident = probe_resident(crowded);
    int *fds = malloc(CROWD * sizeof *fds);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = wire_connect(crowded);
    }
    crowd_is_served(fds);
    assert_int_equal(probe_info(first, "connected_clients"), CROWD + 1);
    int64_t used_each = (probe_info(first, "used_memory") - used) / CROWD;
    int64_t resident_each = (probe_resident(crowded) - resident) / CROWD;
    print_message("an idle connection: %lld bytes counted, %lld resident\n", (long long)used_each,
                  (long long)resident_each);
    if (!probe_is_sanitized(crowded) && !server_is_reference()) {
        assert_true(used_each <= IDLE_BYTES_MAX);
        assert_true(resident_each <= IDLE_BYTES_MAX);
    }
    crowd_is_served(fds);
    for (int i = 0; i < CROWD; i++) {
        close(fds[i]);
    }
    free(fds);
    close(first);
    server_stop(crowded);
}

static bool has_room(void *context) {
    return probe_info(*(int *)context, "connected_clients") == 4;
}

static void too_many_clients(void **state) {
    (void)state;
    static const char *const options[] = {"--maxclients", "5", NULL};
    struct server *small = server_start(options);
    int fds[5];
    for (int i = 0; i < 5; i++) {
        fds[i] = wire_connect(small);
        wire_settle(fds[i]);
    }
    for (int i = 0; i < 20; i++) {
        int fd = wire_connect(small);
        wire_expect(fd, "-ERR max number of clients reached\r\n");
        wire_expect_end(fd);
        close(fd);
    }
    assert_int_equal(probe_info(fds[0], "rejected_connections"), 20);
    close(fds[4]);
    harness_wait_for(has_room, &fds[0], "the end of a connection that has gone");
    fds[4] = wire_connect(small);
    wire_settle(fds[4]);
    wire_expect_reply(fds[0], "CONFIG SET maxclients 10", "+OK");
    int fd = wire_connect(small);
    wire_settle(fd);
    close(fd);
    for (int i = 0; i < 5; i++) {
        wire_settle(fds[i]);
        close(fds[i]);
    }
    server_stop(small);
}

static bool is_alone(void *context) {
    (void)context;
    return probe_info(other, "connected_clients") == 1;
}

static void idle_connections_are_closed(void **state) {
    (void)state;
    wire_expect_reply(other, "CONFIG SET timeout 1", "+OK");
    int idle = wire_connect(server);
    int half = wire_connect(server);
    wire_send_text(half, "*2\r\n$3\r\nGET\r\n");
    wire_settle(other);
    /* Asking keeps the other one alive. */
    harness_wait_for(is_alone, NULL, "the end of idle connections");
    wire_expect_end(idle);
    wire_expect_end(half);
    close(idle);
    close(half);
    wire_expect_reply(other, "CONFIG SET timeout 0", "+OK");
}

/* The timer of the server's end of this connection, as /proc/net/tcp has it: 2 is keepalive. */
static int timer_of(int fd) {
    struct sockaddr_in own;
    struct sockaddr_in peer;
    socklen_t size = sizeof own;
    getsockname(fd, (struct sockaddr *)&own, &size);
    size = sizeof peer;
    getpeername(fd, (struct sockaddr *)&peer, &size);
    FILE *file = fopen("/proc/net/tcp", "r");
    char line[512];
    int found = -1;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned local, remote, timer;
        if (sscanf(line, "%*d: %*x:%x %*x:%x %*x %*x:%*x %x:", &local, &remote, &timer) == 3 &&
            local == ntohs(peer.sin_port) && remote == ntohs(own.sin_port)) {
            found = (int)timer;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static void peers_are_probed(void **state) {
    (void)state;
    int fd = wire_connect(server);
    wire_settle(fd);
    if (timer_of(fd) < 0) {
        skip(); /* the kernel does not show it */
    }
    assert_int_equal(timer_of(fd), 2);
    close(fd);
    wire_expect_reply(other, "CONFIG SET tcp-keepalive 0", "+OK");
    fd = wire_connect(server);
    wire_settle(fd);
    assert_int_equal(timer_of(fd), 0);
    close(fd);
    wire_expect_reply(other, "CONFIG SET tcp-keepalive 300", "+OK");
}

/* Connects to an address; -1 when it is refused. */
static int connect_to(const char *host, int port) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr *address = (struct sockaddr *)&ipv4;
    socklen_t size = sizeof ipv4;
    if (inet_pton(AF_INET, host, &ipv4.sin_addr) != 1) {
        assert_int_equal(inet_pton(AF_INET6, host, &ipv6.sin6_addr), 1);
        address = (struct sockaddr *)&ipv6;
        size = sizeof ipv6;
    }
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, address, size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void several_addresses(void **state) {
    (void)state;
    static const char *const options[] = {"--bind", "127.0.0.1 127.0.0.2 -192.0.2.1", NULL};
    struct server *bound = server_start(options);
    for (int i = 1; i <= 2; i++) {
        char host[32];
        snprintf(host, sizeof host, "127.0.0.%d", i);
        int fd = connect_to(host, server_port(bound));
        assert_true(fd >= 0);
        wire_settle(fd);
        char *line = wire_ask(fd, "CLIENT", "INFO", NULL);
        char laddr[64];
        snprintf(laddr, sizeof laddr, " laddr=%s:%d ", host, server_port(bound));
        assert_non_null(strstr(line, laddr));
        free(line);
        close(fd);
    }
    assert_int_equal(connect_to("127.0.0.3", server_port(bound)), -1);
    server_stop(bound);
}

static void ipv6(void **state) {
    (void)state;
    static const char *const options[] = {"--bind", "127.0.0.1 -::1", NULL};
    struct server *bound = server_start(options);
    int fd = connect_to("::1", server_port(bound));
    if (fd < 0) {
        server_stop(bound);
        print_message("this machine has no IPv6\n");
        skip();
    }
    wire_settle(fd);
    char *line = wire_ask(fd, "CLIENT", "INFO", NULL);
    assert_non_null(strstr(line, " addr=[::1]:"));
    free(line);
    close(fd);
    server_stop(bound);
}

/* An address of this machine that is not of the loopback interface. */
static bool outer_address(char *host, size_t size) {
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    for (struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next) {
        if (one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in address;
            memcpy(&address, one->ifa_addr, sizeof address);
            found = ntohl(address.sin_addr.s_addr) >> 24 != 127 &&
                    inet_ntop(AF_INET, &address.sin_addr, host, (socklen_t)size) != NULL;
        }
    }
    freeifaddrs(all);
    return found;
}

static void strangers_are_kept_out(void **state) {
    (void)state;
    char host[64];
    if (!outer_address(host, sizeof host)) {
        print_message("this machine has the loopback interface only\n");
        skip();
    }
    static const char *const options[] = {"--bind", "* -::*", NULL};
    struct server *open = server_start(options);
    int inside = wire_connect(open);
    wire_settle(inside);
    int fd = connect_to(host, server_port(open));
    assert_true(fd >= 0);
    char text[8];
    wire_read(fd, text, 8);
    assert_memory_equal(text, "-DENIED ", 8);
    close(fd);
    wire_expect_reply(inside, "CONFIG SET protected-mode no", "+OK");
    fd = connect_to(host, server_port(open));
    wire_settle(fd);
    close(fd);
    wire_expect_reply(inside, "CONFIG SET protected-mode yes requirepass x", "+OK");
    fd = connect_to(host, server_port(open));
    wire_expect_reply(fd, "AUTH x", "+OK");
    wire_settle(fd);
    close(fd);
    close(inside);
    server_stop(open);
}

static void unix_sockets(void **state) {
    (void)state;
    /* The folder's path may be longer than a socket's may be. */
    static const char *const options[] = {"--unixsocket", "s", "--unixsocketperm", "700", NULL};
    struct server *local = server_start(options);
    char path[512];
    snprintf(path, sizeof path, "%s/s", server_folder(local));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0700);
    int folder = open(server_folder(local), O_PATH | O_DIRECTORY);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/s", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    wire_settle(fd);
    char *line = wire_ask(fd, "CLIENT", "INFO", NULL);
    assert_non_null(strstr(line, " flags=U "));
    free(line);
    /* Paused and gone: the hang-up does not keep the server busy. */
    int tcp = wire_connect(local);
    wire_expect_reply(tcp, "CLIENT PAUSE 100000 WRITE", "+OK");
    wire_send_text(fd, "SET a 1\r\n");
    wire_settle(tcp);
    close(fd);
    int64_t before = probe_cpu_ms(local);
    int64_t end = harness_now_ms() + 300;
    while (harness_now_ms() < end) {
        harness_breathe();
    }
    assert_true(probe_cpu_ms(local) - before < 150);
    wire_expect_reply(tcp, "CLIENT UNPAUSE", "+OK");
    close(tcp);
    close(folder);
    server_stop(local);
}

/* A server with room for a few descriptors more. The limit is lowered under it. */
/* io_uring goes by the limit that there was when it began to accept, and so notices nothing. */
static bool knows_old_limit(int fd) {
    char *info = wire_ask(fd, "INFO", "server", NULL);
    bool knows = strstr(info, "multiplexing_api:io_uring") != NULL;
    free(info);
    return knows;
}

static void no_descriptors_left(void **state) {
    (void)state;
    struct server *poor = server_start(NULL);
    int first = wire_connect(poor);
    wire_settle(first);
    struct rlimit before;
    struct rlimit few;
    assert_int_equal(prlimit(server_pid(poor), RLIMIT_NOFILE, NULL, &before), 0);
    few = before;
    few.rlim_cur = 40;
    assert_int_equal(prlimit(server_pid(poor), RLIMIT_NOFILE, &few, NULL), 0);
    int fds[60];
    for (int i = 0; i < 60; i++) {
        fds[i] = wire_connect(poor);
    }
    if (!server_is_reference() && !knows_old_limit(first)) {
        probe_wait_log(poor, "Too many open files");
    }
    int64_t begin_ms = harness_now_ms();
    int64_t cpu_ms = probe_cpu_ms(poor);
    wire_expect_reply(first, "SET still here", "+OK");
    while (harness_now_ms() < begin_ms + 500) {
        wire_settle(first);
        harness_breathe();
    }
    /* It does not spin: some hundred pings and ten attempts to accept do not take this long. */
    if (!server_is_reference()) {
        assert_true(probe_cpu_ms(poor) - cpu_ms < 250);
    }
    wire_expect_reply(first, "GET still", "\"here\"");
    assert_int_equal(prlimit(server_pid(poor), RLIMIT_NOFILE, &before, NULL), 0);
    /* Those who waited are served; some were turned away. */
    int served = 0;
    for (int i = 0; i < 60; i++) {
        char text[7];
        ssize_t sent = send(fds[i], "PING\r\n", 6, MSG_NOSIGNAL);
        if (sent == 6 && recv(fds[i], text, 7, MSG_WAITALL) == 7) {
            served++;
        }
        close(fds[i]);
    }
    assert_true(served >= 20);
    int fd = wire_connect(poor);
    wire_settle(fd);
    close(fd);
    close(first);
    server_stop(poor);
}

static void pauses(void **state) {
    (void)state;
    int fd = wire_connect(server);
    int reader = wire_connect(server);
    /* Held back in the middle of a pipeline, of which the rest comes during the pause. */
    wire_expect_reply(other, "CLIENT PAUSE 100000 WRITE", "+OK");
    wire_send_text(fd, "PING\r\nGET p\r\nSET p 1\r\nGET p\r\nINCR p\r\nnosuch\r\n");
    wire_expect(fd, "+PONG\r\n$-1\r\n");
    wire_send_text(fd, "INCR p\r\n*3\r\n$3\r\nSET\r\n$1\r\nq\r\n$40000\r\n");
    wire_expect_reply(reader, "GET p", "nil");
    assert_int_equal(probe_info(reader, "paused_clients"), 1);
    assert_int_equal(wire_read_until_quiet(fd, (char[8]){0}, 8, 20), 0);
    /* A second pause does not shorten the first. */
    wire_expect_reply(other, "CLIENT PAUSE 1 WRITE", "+OK");
    assert_int_equal(wire_read_until_quiet(fd, (char[8]){0}, 8, 200), 0);
    wire_expect_reply(other, "CLIENT UNPAUSE", "+OK");
    wire_expect(fd, "+OK\r\n$1\r\n1\r\n:2\r\n"
                    "-ERR unknown command 'nosuch', with args beginning with: \r\n:3\r\n");
    char *value = calloc(1, 40000);
    wire_send(fd, value, 40000);
    wire_send_text(fd, "\r\nSTRLEN q\r\n");
    wire_expect(fd, "+OK\r\n:40000\r\n");
    free(value);
    /* Everything, for a while: what is wrong is told at once. */
    wire_expect_reply(other, "CLIENT PAUSE 300 ALL", "+OK");
    wire_send_text(fd, "nosuch\r\nGET\r\nGET p\r\n");
    wire_expect(fd, "-ERR unknown command 'nosuch', with args beginning with: \r\n"
                    "-ERR wrong number of arguments for 'get' command\r\n");
    wire_expect(fd, "$1\r\n3\r\n");
    assert_int_equal(probe_info(other, "paused_clients"), 0);
    /* Somebody who is held back goes, or is killed. */
    wire_expect_reply(other, "CLIENT PAUSE 100000 WRITE", "+OK");
    int64_t id = probe_id(fd);
    wire_send_text(fd, "SET never 1\r\n");
    wire_send_text(reader, "SET never 2\r\n");
    wire_settle(other);
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)id);
    free(wire_ask(other, "CLIENT", "KILL", "ID", text, NULL));
    wire_expect_end(fd);
    close(fd);
    close(reader);
    wire_settle(other);
    wire_expect_reply(other, "CLIENT UNPAUSE", "+OK");
    wire_settle(other);
    assert_int_equal(probe_info(other, "paused_clients"), 0);
    wire_expect_reply(other, "DEL p q", ":2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_connections),
        cmocka_unit_test(too_many_clients),
        cmocka_unit_test(idle_connections_are_closed),
        cmocka_unit_test(peers_are_probed),
        cmocka_unit_test(several_addresses),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(strangers_are_kept_out),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(no_descriptors_left),
        cmocka_unit_test(pauses),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
