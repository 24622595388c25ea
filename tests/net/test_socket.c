/* Tests of net/socket: options are really set, names are those of Redis's CLIENT LIST. */
#include "net/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int option_of(int fd, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

/* Connects a client to a listening socket on `address`; gives both ends. Returns false when this
 * machine lacks the address family. */
static bool connect_ends(const struct sockaddr *address, socklen_t size, int ends[2]) {
    struct sockaddr_storage bound;
    socklen_t bound_size = sizeof bound;
    int listening = socket(address->sa_family, SOCK_STREAM, 0);
    if (listening < 0) {
        return false;
    }
    if (bind(listening, address, size) < 0) {
        close(listening);
        return false;
    }
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&bound, &bound_size), 0);
    if (address->sa_family == AF_UNIX) {
        bound_size = sizeof(struct sockaddr_un); /* one more is told when the path has no NUL */
    }
    ends[0] = socket(address->sa_family, SOCK_STREAM, 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&bound, bound_size), 0);
    ends[1] = accept(listening, NULL, NULL);
    assert_true(ends[1] >= 0);
    close(listening);
    return true;
}

static void close_ends(const int ends[2]) {
    close(ends[0]);
    close(ends[1]);
}

static bool connect_ipv4(int ends[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect_ends((struct sockaddr *)&address, sizeof address, ends);
}

static void test_options(void **state) {
    (void)state;
    int ends[2];
    assert_true(connect_ipv4(ends));
    assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(socket_set_nonblocking(ends[0]), 0);
    assert_true((fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);

    assert_int_equal(socket_set_nodelay(ends[0], true), 0);
    assert_true(option_of(ends[0], IPPROTO_TCP, TCP_NODELAY) != 0);
    assert_int_equal(socket_set_nodelay(ends[0], false), 0);
    assert_int_equal(option_of(ends[0], IPPROTO_TCP, TCP_NODELAY), 0);

    assert_int_equal(socket_set_keepalive(ends[0], 300), 0);
    assert_true(option_of(ends[0], SOL_SOCKET, SO_KEEPALIVE) != 0);
    assert_int_equal(option_of(ends[0], IPPROTO_TCP, TCP_KEEPIDLE), 300);
    assert_int_equal(option_of(ends[0], IPPROTO_TCP, TCP_KEEPINTVL), 100);
    assert_int_equal(socket_set_keepalive(ends[0], 1), 0);
    assert_int_equal(option_of(ends[0], IPPROTO_TCP, TCP_KEEPINTVL), 1);
    assert_int_equal(socket_set_keepalive(ends[0], 0), 0);
    assert_int_equal(option_of(ends[0], SOL_SOCKET, SO_KEEPALIVE), 0);
    close_ends(ends);
}

static void test_options_of_a_closed_descriptor(void **state) {
    (void)state;
    char name[SOCKET_NAME_SIZE];
    assert_int_equal(socket_set_nonblocking(-1), -EBADF);
    assert_int_equal(socket_set_nodelay(-1, true), -EBADF);
    assert_int_equal(socket_set_keepalive(-1, 10), -EBADF);
    assert_false(socket_peer_is_local(-1));
    socket_peer_name(-1, name);
    assert_string_equal(name, "?:0");
    socket_own_name(-1, name);
    assert_string_equal(name, "?:0");
}

static void test_names_over_ipv4(void **state) {
    (void)state;
    int ends[2];
    char own[SOCKET_NAME_SIZE];
    char peer[SOCKET_NAME_SIZE];
    assert_true(connect_ipv4(ends));
    socket_own_name(ends[0], own);
    socket_peer_name(ends[1], peer);
    assert_string_equal(own, peer);
    assert_int_equal(strncmp(own, "127.0.0.1:", 10), 0);
    int port = 0;
    assert_int_equal(sscanf(own, "127.0.0.1:%d", &port), 1);
    assert_in_range(port, 1, 65535);
    assert_true(socket_peer_is_local(ends[1]));
    close_ends(ends);
}

static void test_names_over_ipv6(void **state) {
    (void)state;
    int ends[2];
    char own[SOCKET_NAME_SIZE];
    char peer[SOCKET_NAME_SIZE];
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (!connect_ends((struct sockaddr *)&address, sizeof address, ends)) {
        skip();
    }
    socket_own_name(ends[0], own);
    socket_peer_name(ends[1], peer);
    assert_string_equal(own, peer);
    assert_int_equal(strncmp(own, "[::1]:", 6), 0);
    assert_true(socket_peer_is_local(ends[0]));
    close_ends(ends);
}

static void test_names_over_unix(void **state) {
    (void)state;
    int ends[2];
    char name[SOCKET_NAME_SIZE];
    char wanted[SOCKET_NAME_SIZE];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/larder-test-%d.sock", getpid());
    assert_true(connect_ends((struct sockaddr *)&address, sizeof address, ends));
    snprintf(wanted, sizeof wanted, "/tmp/larder-test-%d.sock:0", getpid());
    /* The server's end names the path for both; the client has no name of his own. */
    socket_own_name(ends[1], name);
    assert_string_equal(name, wanted);
    socket_peer_name(ends[1], name);
    assert_string_equal(name, wanted);
    socket_own_name(ends[0], name);
    assert_string_equal(name, ":0");
    assert_true(socket_peer_is_local(ends[1]));
    close_ends(ends);
    unlink(address.sun_path);
}

static void test_longest_unix_path_fits(void **state) {
    (void)state;
    int ends[2];
    char name[SOCKET_NAME_SIZE];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(address.sun_path, 'p', sizeof address.sun_path);
    int start = snprintf(address.sun_path, sizeof address.sun_path, "/tmp/larder-%d-", getpid());
    address.sun_path[start] = 'p'; /* all 108 bytes and no NUL */
    assert_true(connect_ends((struct sockaddr *)&address, sizeof address, ends));
    socket_own_name(ends[1], name);
    assert_int_equal(strlen(name), sizeof address.sun_path + 2);
    close_ends(ends);
    char path[sizeof address.sun_path + 1] = {0};
    memcpy(path, address.sun_path, sizeof address.sun_path);
    unlink(path);
}

static void test_descriptor_limit(void **state) {
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(socket_raise_fd_limit(32), 64); /* never lowered */
    assert_int_equal(socket_raise_fd_limit(80), 80);
    struct rlimit now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, 80);
    /* More than the kernel has for anybody: what is allowed is taken. */
    long most = socket_raise_fd_limit(INT64_MAX);
    assert_true(most >= 80);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, most);
    setrlimit(RLIMIT_NOFILE, &before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_options_of_a_closed_descriptor),
        cmocka_unit_test(test_names_over_ipv4),
        cmocka_unit_test(test_names_over_ipv6),
        cmocka_unit_test(test_names_over_unix),
        cmocka_unit_test(test_longest_unix_path_fits),
        cmocka_unit_test(test_descriptor_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
