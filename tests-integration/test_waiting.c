/* Clients that wait for keys, with one thread and with several, with epoll and with io_uring: many
 * of them are served in order, whatever else they send; they end by time, by being killed, and with
 * the server. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS 200
#define STEP    11

static struct server *server;

static int start_plain(void **state) {
    (void)state;
    server = server_start(NULL);
    return 0;
}

static int start_threads(void **state) {
    (void)state;
    server = server_start((const char *const[]){"--io-threads", "3", "--io-cpulist", "0,1", NULL});
    return 0;
}

static int start_uring(void **state) {
    (void)state;
    server = server_start((const char *const[]){"--io-backend", "io_uring", NULL});
    return 0;
}

static int start_both(void **state) {
    (void)state;
    server = server_start((const char *const[]){"--io-backend", "io_uring", "--io-threads", "3",
                                                "--io-cpulist", "0,1", NULL});
    return 0;
}

static int end(void **state) {
    (void)state;
    server_stop(server);
    return 0;
}

static int control;

static bool as_many_wait(void *wanted) {
    char line[64];
    char *info = wire_ask(control, "INFO", "clients", NULL);
    snprintf(line, sizeof line, "blocked_clients:%d\\r", *(int *)wanted);
    bool is_so = strstr(info, line) != NULL;
    free(info);
    if (!is_so) {
        harness_breathe();
    }
    return is_so;
}

static void await_waiting(int count) {
    harness_wait_for(as_many_wait, &count, "not as many clients wait as should");
}

static void connect_all(int *fds) {
    control = wire_connect(server);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = wire_connect(server);
    }
}

static void close_all(const int *fds) {
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    close(control);
}

/* One waits behind the other, each with more commands behind its own. */
static void in_order(void **state) {
    (void)state;
    int fds[CLIENTS];
    connect_all(fds);
    for (int round = 0; round < 5; round++) {
        int waits = 0;
        /* Only some of them, for each is waited for. */
        for (int i = 0; i < CLIENTS; i += STEP) {
            char line[80];
            snprintf(line, sizeof line, "PING\r\nBLPOP other queue 0\r\nECHO %d\r\n", i);
            wire_send_text(fds[i], line);
            wire_expect(fds[i], "+PONG\r\n");
            await_waiting(++waits);
        }
        int pusher = wire_connect(server);
        for (int i = 0; i < waits; i++) {
            char line[64];
            snprintf(line, sizeof line, "RPUSH %s %03d\r\n", i % 2 == 0 ? "queue" : "other", i);
            wire_send_text(pusher, line);
        }
        for (int i = 0; i < waits; i++) {
            char reply[128];
            wire_expect(pusher, ":1\r\n");
            char digits[16];
            snprintf(digits, sizeof digits, "%d", i * STEP);
            snprintf(reply, sizeof reply, "*2\r\n$5\r\n%s\r\n$3\r\n%03d\r\n$%zu\r\n%s\r\n",
                     i % 2 == 0 ? "queue" : "other", i, strlen(digits), digits);
            wire_expect(fds[i * STEP], reply);
        }
        close(pusher);
    }
    close_all(fds);
}

/* All wait at once in no known order, and all get something. */
static void all_are_served(void **state) {
    (void)state;
    int fds[CLIENTS];
    bool seen[CLIENTS] = {false};
    connect_all(fds);
    for (int i = 0; i < CLIENTS; i++) {
        wire_send_text(fds[i], "BLMOVE from to LEFT RIGHT 0\r\nPING\r\n");
    }
    await_waiting(CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        char line[64];
        snprintf(line, sizeof line, "RPUSH from %d", i);
        wire_expect_reply(control, line, ":1");
    }
    for (int i = 0; i < CLIENTS; i++) {
        char *reply = wire_read_reply(fds[i]);
        int which = atoi(reply + 1);
        assert_true(which >= 0 && which < CLIENTS && !seen[which]);
        seen[which] = true;
        free(reply);
        wire_expect(fds[i], "+PONG\r\n");
    }
    wire_expect_reply(control, "LLEN to", ":200");
    wire_expect_reply(control, "DEL to", ":1");
    close_all(fds);
}

/* By time, by CLIENT UNBLOCK and KILL, by their own end. */
static void other_ends(void **state) {
    (void)state;
    int fds[CLIENTS];
    connect_all(fds);
    for (int i = 0; i < CLIENTS; i++) {
        wire_send_text(fds[i], i % 2 == 0 ? "BLPOP nothing 0.05\r\nPING\r\n"
                                          : "BLPOP nothing more 0\r\nPING\r\n");
    }
    for (int i = 0; i < CLIENTS; i += 2) {
        wire_expect(fds[i], "*-1\r\n+PONG\r\n");
    }
    await_waiting(CLIENTS / 2);
    for (int i = 1; i < CLIENTS / 2; i += 2) {
        close(fds[i]);
        fds[i] = wire_connect(server);
    }
    await_waiting(CLIENTS / 4);
    char *id = wire_ask(fds[0], "CLIENT", "ID", NULL);
    wire_send_text(fds[0], "BLPOP nothing 0\r\nPING\r\n");
    await_waiting(CLIENTS / 4 + 1);
    free(wire_ask(control, "CLIENT", "UNBLOCK", id + 1, "ERROR", NULL));
    wire_expect(fds[0], "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n");
    free(id);
    free(wire_ask(control, "CLIENT", "KILL", "TYPE", "normal", NULL));
    for (int i = 0; i < CLIENTS; i++) {
        wire_expect_end(fds[i]);
    }
    await_waiting(0);
    wire_expect_reply(control, "RPUSH nothing v", ":1");
    wire_expect_reply(control, "DEL nothing", ":1");
    close_all(fds);
}

/* They do not keep the server from ending. */
static void at_shutdown(void **state) {
    (void)state;
    int fd = wire_connect(server);
    int other = wire_connect(server);
    wire_send_text(fd, "BLPOP nothing 0\r\nPING\r\n");
    wire_settle(other);
    wire_send_text(other, "SHUTDOWN\r\n");
    wire_expect_end(fd);
    wire_expect_end(other);
    close(fd);
    close(other);
    server_wait(server);
    server = NULL;
}

int main(void) {
#define WITH(start)                                                                                \
    cmocka_unit_test_setup_teardown(in_order, start, end),                                         \
        cmocka_unit_test_setup_teardown(all_are_served, start, end),                               \
        cmocka_unit_test_setup_teardown(other_ends, start, end),                                   \
        cmocka_unit_test_setup_teardown(at_shutdown, start, end)
    const struct CMUnitTest tests[] = {WITH(start_plain), WITH(start_threads), WITH(start_uring),
                                       WITH(start_both)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
