/* The event loop's backends: which one is used, and that a server which may not use io_uring says
 * so once and serves with epoll. */
#include "probe.h"
#include "wire.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The child's io_uring_setup fails with this. */
static int refusal;

static void refuse_setup(void) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)refusal),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(127);
    }
}

static bool filters_work(void) {
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static int lines_with(const struct server *server, const char *text) {
    char *output = server_output(server);
    int count = 0;
    for (const char *at = output; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    free(output);
    return count;
}

static void expect_backend(int fd, const char *name) {
    char *used = probe_info_text(fd, "multiplexing_api");
    assert_string_equal(used, name);
    free(used);
}

/* Some connections at once, with a value that needs several reads and sends. */
static void expect_service(const struct server *server) {
    enum { COUNT = 20, SIZE = 300000 };
    int fds[COUNT];
    char *value = malloc(SIZE + 1);
    memset(value, 's', SIZE);
    value[SIZE] = '\0';
    for (int i = 0; i < COUNT; i++) {
        fds[i] = wire_connect(server);
        char *reply = wire_ask(fds[i], "SET", "served", value, NULL);
        assert_string_equal(reply, "+OK");
        free(reply);
    }
    for (int i = 0; i < COUNT; i++) {
        wire_send_text(fds[i], "PING\r\nGET served\r\n");
    }
    for (int i = 0; i < COUNT; i++) {
        wire_expect(fds[i], "+PONG\r\n$300000\r\n");
        wire_expect(fds[i], value);
        wire_expect(fds[i], "\r\n");
        close(fds[i]);
    }
    free(value);
}

static void falls_back(void **state) {
    (void)state;
    static const struct {
        int error;
        const char *reason;
    } cases[] = {{EPERM, "not allowed"}, {ENOSYS, "has no io_uring"}};
    static const char *const threads[] = {"1", "4"};
    if (!filters_work()) {
        skip();
    }
    for (int i = 0; i < 4; i++) {
        const char *options[] = {"--io-backend", "io_uring", "--io-threads", threads[i / 2], NULL};
        refusal = cases[i % 2].error;
        harness_before_server(refuse_setup);
        struct server *server = server_start(options);
        harness_before_server(NULL);
        int fd = wire_connect(server);
        expect_backend(fd, "epoll");
        if (!probe_log_has(server, "not built in")) {
            assert_int_equal(lines_with(server, cases[i % 2].reason), 1);
        }
        expect_service(server);
        /* Threads that are started later do not try again. */
        wire_expect_reply(fd, "CONFIG SET io-threads 3", "+OK");
        expect_service(server);
        if (!probe_log_has(server, "not built in")) {
            assert_int_equal(lines_with(server, cases[i % 2].reason), 1);
        }
        close(fd);
        server_stop(server);
    }
}

static void named_ones_are_used(void **state) {
    (void)state;
    static const char *const names[] = {"auto", "epoll", "io_uring"};
    for (int i = 0; i < 3; i++) {
        const char *options[] = {"--io-backend", names[i], "--io-threads", "2", NULL};
        struct server *server = server_start(options);
        int fd = wire_connect(server);
        /* A kernel that has no io_uring is no failure. */
        bool has_it = lines_with(server, "Event loop: io_uring.") == 1;
        expect_backend(fd, i == 2 && has_it ? "io_uring" : "epoll");
        expect_service(server);
        wire_expect_reply(fd, "CONFIG SET io-threads 4", "+OK");
        expect_service(server);
        close(fd);
        server_stop(server);
    }
    char *output;
    assert_int_equal(server_run((const char *const[]){"--io-backend", "kqueue", NULL}, &output), 1);
    assert_non_null(strstr(output, "io-backend"));
    free(output);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(falls_back),
        cmocka_unit_test(named_ones_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
