/* Tests of feature/monitor: what is shown to whom. */
#include "feature/monitor.h"

#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"

static struct session *session;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static int watch(void) {
    int fd = session_connect(session);
    assert_string_equal(session_ask_on(session, fd, "MONITOR"), "+OK\r\n");
    return fd;
}

/* What the monitor was shown, without the times and addresses: `[0] "get" "a"` a line. */
static const char *seen(int fd) {
    static char text[65536];
    session_pass(session);
    const char *at = session_read(session, fd);
    size_t size = 0;
    while (*at != '\0') {
        /* +1339518083.107412 [0 unix:/path] "keys" "*" */
        assert_int_equal(*at, '+');
        char *behind;
        assert_true(strtod(at + 1, &behind) > 1e9);
        assert_int_equal(behind[0], ' ');
        assert_int_equal(behind[1], '[');
        const char *end_of_line = strstr(at, "\r\n");
        assert_non_null(end_of_line);
        const char *address = strstr(behind, " unix:");
        assert_true(address != NULL && address < end_of_line);
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s",
                                 (int)(address - behind - 1), behind + 1);
        const char *bracket = strchr(address, ']');
        size += (size_t)snprintf(text + size, sizeof text - size, "%.*s\n",
                                 (int)(end_of_line - bracket), bracket);
        at = end_of_line + 2;
    }
    text[size] = '\0';
    return text;
}

static void test_lines(void **state) {
    (void)state;
    int fd = watch();
    assert_int_equal(monitor_count(session->server.context.monitor), 1);
    session_ask(session, "sET a \"x\\x00\\r\\n\\xff\\\"\\\\ y\"");
    assert_string_equal(seen(fd), "[0] \"sET\" \"a\" \"x\\x00\\r\\n\\xff\\\"\\\\ y\"\n");
    session_ask(session, "GET a");
    session_ask(session, "SELECT 3");
    session_ask(session, "PING");
    assert_string_equal(seen(fd), "[0] \"GET\" \"a\"\n[3] \"SELECT\" \"3\"\n[3] \"PING\"\n");
    /* Secrets, and what is refused or administrative. */
    session_ask(session, "AUTH secret");
    session_ask(session, "GET");
    session_ask(session, "NOSUCH");
    session_ask(session, "CONFIG GET hz");
    session_ask(session, "SLOWLOG GET");
    session_ask(session, "SELECT 0");
    assert_string_equal(seen(fd), "[3] \"AUTH\" \"(redacted)\"\n[0] \"SELECT\" \"0\"\n");
    close(fd);
}

static void test_two_watch_and_leave(void **state) {
    (void)state;
    struct monitor *monitor = session->server.context.monitor;
    int first = watch();
    int second = watch();
    assert_int_equal(monitor_count(monitor), 2);
    session_ask(session, "PING");
    assert_string_equal(seen(first), "[0] \"PING\"\n");
    assert_string_equal(seen(second), "[0] \"PING\"\n");
    /* Asking again does not show everything twice. */
    assert_string_equal(session_ask_on(session, first, "MONITOR"), "+OK\r\n");
    session_ask(session, "PING");
    assert_string_equal(seen(first), "[0] \"PING\"\n");
    seen(second);
    /* RESET leaves, and one may come back before the next line. */
    session_ask_on(session, first, "RESET");
    seen(second);
    assert_int_equal(monitor_count(monitor), 1);
    assert_string_equal(session_ask_on(session, first, "MONITOR"), "+OK\r\n");
    assert_int_equal(monitor_count(monitor), 2);
    session_ask(session, "PING");
    assert_string_equal(seen(first), "[0] \"PING\"\n");
    assert_string_equal(seen(second), "[0] \"PING\"\n");
    /* Closing leaves too. */
    close(first);
    session_pass(session);
    session_ask(session, "PING");
    assert_string_equal(seen(second), "[0] \"PING\"\n");
    assert_int_equal(monitor_count(monitor), 1);
    close(second);
    session_pass(session);
    session_ask(session, "PING");
    assert_int_equal(monitor_count(monitor), 0);
}

/* More of them than the array's first size. */
static void test_many(void **state) {
    (void)state;
    int fds[20];
    for (int i = 0; i < 20; i++) {
        fds[i] = watch();
    }
    assert_int_equal(monitor_count(session->server.context.monitor), 20);
    session_ask(session, "PING");
    for (int i = 0; i < 20; i++) {
        assert_string_equal(seen(fds[i]), "[0] \"PING\"\n");
        close(fds[i]);
    }
    session_pass(session);
}

static void test_may_not_touch_keys(void **state) {
    (void)state;
    int fd = watch();
    assert_string_equal(session_ask_on(session, fd, "GET a"),
                        "-ERR Replica can't interact with the keyspace\r\n");
    assert_string_equal(session_ask_on(session, fd, "SET a b"),
                        "-ERR Replica can't interact with the keyspace\r\n");
    session_expect(session, "GET a", "$-1\r\n");
    assert_string_equal(seen(fd), "[0] \"GET\" \"a\"\n");
    session_ask_on(session, fd, "RESET");
    assert_string_equal(session_ask_on(session, fd, "SET a b"), "+OK\r\n");
    close(fd);
}

/* A long line goes out whole, and its memory is given back. */
static void test_long_line(void **state) {
    (void)state;
    int fd = watch();
    char *line = malloc(30006);
    assert_non_null(line);
    memcpy(line, "ECHO ", 5);
    memset(line + 5, 'x', 30000);
    line[30005] = '\0';
    session_ask(session, line);
    assert_int_equal(strlen(seen(fd)), strlen("[0] \"ECHO\" \"\"\n") + 30000);
    free(line);
    close(fd);
}

static void test_print_of_a_script(void **state) {
    (void)state;
    struct client *client = client_new_internal(session->server.context.clients);
    struct bytes args[] = {bytes_text("get"), bytes_of("", 0)};
    struct command_row row = {.name = "get"};
    struct command command = {.row = &row};
    int64_t script_us = 0;
    struct call call = {
        .args = args, .argc = 2, .client = client, .command = &command, .script_us = &script_us};
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    monitor_print(&call, 1339518083000042, &out);
    assert_string_equal(buffer_text(&out), "+1339518083.000042 [0 lua] \"get\" \"\"\r\n");
    buffer_clear(&out);
    client_free_internal(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines, start, end),
        cmocka_unit_test_setup_teardown(test_two_watch_and_leave, start, end),
        cmocka_unit_test_setup_teardown(test_many, start, end),
        cmocka_unit_test_setup_teardown(test_may_not_touch_keys, start, end),
        cmocka_unit_test_setup_teardown(test_long_line, start, end),
        cmocka_unit_test_setup_teardown(test_print_of_a_script, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
