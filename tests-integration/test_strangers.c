/* Who comes from another machine: what protected mode refuses and what it does not. In a network
 * namespace of the test's own, where a second address makes connections that are not from the
 * loopback network, so that nothing of the machine's network matters or is changed. */
#include "harness.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Set aside for documentation (RFC 5737): nobody's. */
#define STRANGE "192.0.2.7"

static bool has_namespace;

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    if (fd >= 0) {
        ssize_t written = write(fd, text, strlen(text));
        (void)written; /* what depends on it fails and says so */
        close(fd);
    }
}

/* A namespace of the network; who is not root makes one of users first, in which he is. */
static int enter_namespace(void) {
    if (unshare(CLONE_NEWNET) == 0) {
        return 0;
    }
    char map[64];
    snprintf(map, sizeof map, "0 %u 1", (unsigned)getuid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return -errno;
    }
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
    return 0;
}

/* Brings the loopback interface up, with the strange address beside its own. */
static int add_address(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
    int status = ioctl(fd, SIOCSIFFLAGS, &request);
    if (status == 0) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        request = (struct ifreq){.ifr_name = "lo:1"};
        inet_pton(AF_INET, STRANGE, &address.sin_addr);
        memcpy(&request.ifr_addr, &address, sizeof address);
        status = ioctl(fd, SIOCSIFADDR, &request);
    }
    int error = status == 0 ? 0 : -errno;
    close(fd);
    return error;
}

/* From the strange address to itself. */
static int connect_strangely(const struct server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server_port(server))};
    inet_pton(AF_INET, STRANGE, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        harness_fail("connecting to %s: %s", STRANGE, strerror(errno));
    }
    return fd;
}

static void expect_served(const struct server *server) {
    int fd = connect_strangely(server);
    wire_expect_reply(fd, "PING", "+PONG");
    close(fd);
}

/* Nothing is executed, although the stranger sends before he is told. */
static void expect_denied(const struct server *server) {
    int fd = connect_strangely(server);
    (void)!send(fd, "SET stranger 1\r\n", 16, MSG_NOSIGNAL);
    wire_expect(fd, "-DENIED ");
    close(fd);
    int own = wire_connect(server);
    wire_expect_reply(own, "EXISTS stranger", ":0");
    close(own);
}

static struct server *start(const char *bind, const char *option, const char *value) {
    if (!has_namespace) {
        skip();
    }
    const char *options[] = {"--bind", bind, option, value, NULL};
    return server_start(options);
}

static void a_bind_does_not_lift_it(void **state) {
    (void)state;
    static const char *const binds[] = {"0.0.0.0", ("127.0.0.1 " STRANGE), "* -::*"};
    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) {
        harness_note(binds[i]);
        struct server *server = start(binds[i], NULL, NULL);
        expect_denied(server);
        server_stop(server);
    }
}

static void a_password_lifts_it(void **state) {
    (void)state;
    struct server *server = start("0.0.0.0", "--requirepass", "secret");
    int fd = connect_strangely(server);
    wire_expect_reply(fd, "PING", "-NOAUTH Authentication required.");
    wire_expect_reply(fd, "AUTH secret", "+OK");
    wire_expect_reply(fd, "PING", "+PONG");
    close(fd);
    server_stop(server);
}

static void it_can_be_turned_off_and_on(void **state) {
    (void)state;
    struct server *server = start("0.0.0.0", "--protected-mode", "no");
    expect_served(server);
    int own = wire_connect(server);
    wire_expect_reply(own, "CONFIG SET protected-mode yes", "+OK");
    expect_denied(server);
    wire_expect_reply(own, "CONFIG SET requirepass secret", "+OK");
    int fd = connect_strangely(server);
    wire_expect_reply(fd, "AUTH secret", "+OK");
    close(fd);
    wire_send_text(own, "CONFIG SET requirepass \"\"\r\n");
    wire_expect(own, "+OK\r\n");
    expect_denied(server);
    close(own);
    server_stop(server);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bind_does_not_lift_it),
        cmocka_unit_test(a_password_lifts_it),
        cmocka_unit_test(it_can_be_turned_off_and_on),
    };
    int error = enter_namespace();
    error = error == 0 ? add_address() : error;
    has_namespace = error == 0;
    if (!has_namespace) {
        print_message("Skipped, for there is no network namespace to be had: %s\n",
                      strerror(-error));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
