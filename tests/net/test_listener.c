/* Tests of net/listener: real sockets on loopback and in /tmp, one loop, clients in the same
 * process. */
#include "net/listener.h"

#include "base/log.h"
#include "base/mem.h"

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
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ev/backends.h"

enum { BACKLOG = 511, ACCEPTED_MAX = 1024, PASSES_MAX = 2000 };

struct guests {
    struct loop *loop;
    int fds[ACCEPTED_MAX];
    int count;
    int unix_count;
    struct listener *to_free; /* at the first guest */
    char path[64];
};

static void on_accept(void *context, int fd, bool is_unix) {
    struct guests *guests = context;
    assert_true(guests->count < ACCEPTED_MAX);
    guests->fds[guests->count++] = fd;
    guests->unix_count += is_unix;
    if (guests->to_free != NULL) {
        listener_free(guests->to_free);
        guests->to_free = NULL;
    }
}

static int set_up(void **state) {
    struct guests *guests = calloc(1, sizeof *guests);
    const char *error;
    guests->loop = loop_new(backend, 1024, &error);
    snprintf(guests->path, sizeof guests->path, "/tmp/larder-listener-%d.sock", getpid());
    *state = guests;
    return 0;
}

static int tear_down(void **state) {
    struct guests *guests = *state;
    for (int i = 0; i < guests->count; i++) {
        close(guests->fds[i]);
    }
    loop_free(guests->loop);
    unlink(guests->path);
    free(guests);
    return 0;
}

static struct listener *listen_tcp(struct guests *guests, const char *address, int port,
                                   int *code) {
    const char *error = NULL;
    *code = 0;
    struct listener *listener =
        listener_new_tcp(guests->loop, address, port, BACKLOG, on_accept, guests, code, &error);
    assert_true((listener == NULL) == (*code < 0));
    assert_true((listener == NULL) == (error != NULL));
    return listener;
}

static struct listener *listen_unix(struct guests *guests, const char *path, unsigned permissions,
                                    int *code) {
    const char *error = NULL;
    *code = 0;
    struct listener *listener = listener_new_unix(guests->loop, path, permissions, BACKLOG,
                                                  on_accept, guests, code, &error);
    assert_true((listener == NULL) == (*code < 0));
    assert_true((listener == NULL) == (error != NULL));
    return listener;
}

/* Connects without waiting for it: the kernel completes it by itself. */
static int connect_tcp(int fd, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int client_tcp(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect_tcp(fd, port), 0);
    return fd;
}

static int connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void run_until(struct guests *guests, int wanted) {
    for (int i = 0; i < PASSES_MAX && guests->count < wanted; i++) {
        loop_run_once(guests->loop, 100);
    }
    assert_int_equal(guests->count, wanted);
}

static void test_port_0_and_names(void **state) {
    struct guests *guests = *state;
    size_t used = mem_used();
    int code;
    struct listener *listener = listen_tcp(guests, "127.0.0.1", 0, &code);
    assert_non_null(listener);
    int port = listener_port(listener);
    assert_in_range(port, 1, 65535);
    char name[64];
    snprintf(name, sizeof name, "tcp 127.0.0.1:%d", port);
    assert_string_equal(listener_name(listener), name);

    int client = client_tcp(port);
    run_until(guests, 1);
    assert_int_equal(guests->unix_count, 0);
    int fd = guests->fds[0];
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    int nodelay = 0;
    socklen_t size = sizeof nodelay;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
    assert_true(nodelay != 0);
    close(client);
    listener_free(listener);
    assert_int_equal(mem_used(), used);

    int late = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect_tcp(late, port), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(late);
}

static void test_all_addresses_of_both_families_share_a_port(void **state) {
    struct guests *guests = *state;
    int code;
    struct listener *ipv4 = listen_tcp(guests, "*", 0, &code);
    assert_non_null(ipv4);
    struct listener *ipv6 = listen_tcp(guests, "::*", listener_port(ipv4), &code);
    if (ipv6 == NULL) {
        assert_int_equal(code, -EAFNOSUPPORT);
    } else {
        char name[64];
        snprintf(name, sizeof name, "tcp [::]:%d", listener_port(ipv4));
        assert_string_equal(listener_name(ipv6), name);
        struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                       .sin6_port = htons((uint16_t)listener_port(ipv6)),
                                       .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        int fd = socket(AF_INET6, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        run_until(guests, 1);
        close(fd);
    }
    close(client_tcp(listener_port(ipv4)));
    run_until(guests, guests->count + 1);
    listener_free(ipv4);
    listener_free(ipv6);
}

static void test_addresses_that_fail(void **state) {
    struct guests *guests = *state;
    size_t used = mem_used();
    int code;
    struct listener *first = listen_tcp(guests, "127.0.0.1", 0, &code);
    assert_non_null(first);
    assert_null(listen_tcp(guests, "127.0.0.1", listener_port(first), &code));
    assert_int_equal(code, -EADDRINUSE);
    assert_null(listen_tcp(guests, "192.0.2.1", 0, &code)); /* kept for documentation */
    assert_int_equal(code, -EADDRNOTAVAIL);
    assert_null(listen_tcp(guests, "not an address", 0, &code));
    assert_int_equal(code, -EADDRNOTAVAIL);
    assert_null(listen_tcp(guests, "127.0.0.1", 65536 + 80, &code));
    assert_int_equal(code, -EINVAL);
    assert_null(listen_tcp(guests, "127.0.0.1", -1, &code));
    assert_int_equal(code, -EINVAL);
    listener_free(first);
    assert_int_equal(mem_used(), used);
}

static void test_a_storm_is_taken_in_portions(void **state) {
    struct guests *guests = *state;
    enum { STORM = LISTENER_ACCEPTS_PER_PASS + 44 };
    static int clients[STORM];
    int code;
    struct listener *listener = listen_tcp(guests, "127.0.0.1", 0, &code);
    for (int i = 0; i < STORM; i++) {
        clients[i] = client_tcp(listener_port(listener));
    }
    loop_run_once(guests->loop, 1000);
    /* io_uring may have accepted fewer in one wait. */
    bool is_ahead = loop_receives_ahead(guests->loop);
    assert_in_range(guests->count, is_ahead ? 1 : LISTENER_ACCEPTS_PER_PASS,
                    LISTENER_ACCEPTS_PER_PASS);
    run_until(guests, STORM);
    for (int i = 0; i < STORM; i++) {
        close(clients[i]);
    }
    listener_free(listener);
}

static void test_freed_by_its_own_callback(void **state) {
    struct guests *guests = *state;
    size_t used = mem_used();
    int code;
    struct listener *listener = listen_tcp(guests, "127.0.0.1", 0, &code);
    int first = client_tcp(listener_port(listener));
    int second = client_tcp(listener_port(listener));
    guests->to_free = listener;
    run_until(guests, 1);
    loop_run_once(guests->loop, 0);
    assert_int_equal(guests->count, 1);
    assert_int_equal(mem_used(), used);
    close(first);
    close(second);
}

static void test_unix_socket(void **state) {
    struct guests *guests = *state;
    int code;
    struct listener *listener = listen_unix(guests, guests->path, 0700, &code);
    assert_non_null(listener);
    assert_int_equal(listener_port(listener), 0);
    assert_int_equal(strncmp(listener_name(listener), "unix /tmp/", 10), 0);
    struct stat status;
    assert_int_equal(stat(guests->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    int client = connect_unix(guests->path);
    assert_true(client >= 0);
    run_until(guests, 1);
    assert_int_equal(guests->unix_count, 1);
    close(client);
    listener_free(listener);
    assert_int_equal(stat(guests->path, &status), -1);
}

static void test_unix_permissions_left_to_the_umask(void **state) {
    struct guests *guests = *state;
    int code;
    mode_t before = umask(027);
    struct listener *listener = listen_unix(guests, guests->path, 0, &code);
    umask(before);
    struct stat status;
    assert_int_equal(stat(guests->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0750);
    listener_free(listener);
}

/* Leaves a socket that nobody listens on. */
static void leave_stale_socket(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void test_a_stale_unix_socket_is_replaced(void **state) {
    struct guests *guests = *state;
    int code;
    leave_stale_socket(guests->path);
    struct listener *listener = listen_unix(guests, guests->path, 0, &code);
    assert_non_null(listener);
    close(connect_unix(guests->path));
    run_until(guests, 1);

    /* One that is in use is not. */
    assert_null(listen_unix(guests, guests->path, 0, &code));
    assert_int_equal(code, -EADDRINUSE);
    int client = connect_unix(guests->path);
    assert_true(client >= 0);
    close(client);

    /* One that another server has put there meanwhile is left alone. */
    unlink(guests->path);
    leave_stale_socket(guests->path);
    listener_free(listener);
    struct stat status;
    assert_int_equal(lstat(guests->path, &status), 0);
}

static void test_unix_paths_that_fail(void **state) {
    struct guests *guests = *state;
    int code;
    int fd = open(guests->path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "data", 4), 4);
    close(fd);
    assert_null(listen_unix(guests, guests->path, 0, &code));
    assert_int_equal(code, -EEXIST);
    struct stat status;
    assert_int_equal(stat(guests->path, &status), 0);
    assert_int_equal(status.st_size, 4);

    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_null(listen_unix(guests, longer, 0, &code));
    assert_int_equal(code, -ENAMETOOLONG);
    assert_null(listen_unix(guests, "", 0, &code));
    assert_null(listen_unix(guests, "/nonexistent-larder/sock", 0, &code));
    assert_int_equal(code, -ENOENT);
}

/* Opens descriptors until there are no more. */
static int use_up_descriptors(int *fds, int max) {
    int count = 0;
    while (count < max) {
        int fd = dup(0);
        if (fd < 0) {
            return count;
        }
        fds[count++] = fd;
    }
    fail();
    return count;
}

static void test_no_descriptors_left(void **state) {
    struct guests *guests = *state;
    enum { LIMIT = 64 };
    int code;
    int fillers[LIMIT];
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = LIMIT, .rlim_max = before.rlim_max};
    log_open("", LOG_NOTHING);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct listener *listener = listen_tcp(guests, "127.0.0.1", 0, &code);
    int port = listener_port(listener);
    int served = client_tcp(port);
    run_until(guests, 1);
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    int waiting = socket(AF_INET, SOCK_STREAM, 0);
    int filled = use_up_descriptors(fillers, LIMIT);

    assert_int_equal(connect_tcp(refused, port), 0);
    assert_int_equal(connect_tcp(waiting, port), 0);
    loop_run_once(guests->loop, 1000);
    assert_int_equal(guests->count, 1);
    char byte;
    assert_int_equal(recv(refused, &byte, 1, MSG_DONTWAIT), 0); /* closed */
    assert_int_equal(recv(waiting, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(dup(0), -1); /* the reserve is held again */

    /* No spinning: the one who waits is not reported. The one who is served is unharmed. */
    uint64_t events = loop_stats(guests->loop)->events;
    loop_run_once(guests->loop, 0);
    assert_int_equal(loop_stats(guests->loop)->events, events);
    assert_int_equal(write(served, "x", 1), 1);
    assert_int_equal(recv(guests->fds[0], &byte, 1, 0), 1);

    for (int i = 0; i < filled; i++) {
        close(fillers[i]);
    }
    run_until(guests, 2);
    assert_int_equal(write(waiting, "y", 1), 1);
    assert_int_equal(recv(guests->fds[1], &byte, 1, 0), 1);
    assert_int_equal(byte, 'y');
    setrlimit(RLIMIT_NOFILE, &before);
    log_open("", LOG_NOTICE);
    close(served);
    close(refused);
    close(waiting);
    listener_free(listener);
}

static void test_freed_during_its_pause(void **state) {
    struct guests *guests = *state;
    enum { LIMIT = 64 };
    int code;
    int fillers[LIMIT];
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = {.rlim_cur = LIMIT, .rlim_max = before.rlim_max};
    log_open("", LOG_NOTHING);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    struct listener *listener = listen_tcp(guests, "127.0.0.1", 0, &code);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    int filled = use_up_descriptors(fillers, LIMIT);
    assert_int_equal(connect_tcp(client, listener_port(listener)), 0);
    loop_run_once(guests->loop, 1000);
    listener_free(listener);
    loop_run_once(guests->loop, LISTENER_PAUSE_MS + 10); /* the timer is gone */
    for (int i = 0; i < filled; i++) {
        close(fillers[i]);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    log_open("", LOG_NOTICE);
    close(client);
}

#define LISTENER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static int group(void) {
    const struct CMUnitTest tests[] = {
        LISTENER_TEST(test_port_0_and_names),
        LISTENER_TEST(test_all_addresses_of_both_families_share_a_port),
        LISTENER_TEST(test_addresses_that_fail),
        LISTENER_TEST(test_a_storm_is_taken_in_portions),
        LISTENER_TEST(test_freed_by_its_own_callback),
        LISTENER_TEST(test_unix_socket),
        LISTENER_TEST(test_unix_permissions_left_to_the_umask),
        LISTENER_TEST(test_a_stale_unix_socket_is_replaced),
        LISTENER_TEST(test_unix_paths_that_fail),
        LISTENER_TEST(test_no_descriptors_left),
        LISTENER_TEST(test_freed_during_its_pause),
    };
    return cmocka_run_group_tests_name(backend, tests, NULL, NULL);
}

int main(void) {
    return run_over_backends(group);
}
