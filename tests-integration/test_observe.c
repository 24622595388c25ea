/* What the server shows of itself while it works: MONITOR, SLOWLOG, LATENCY, the counts of INFO;
 * and keys that leave when their time has come although nobody asks for them. */
#include "harness.h"
#include "probe.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINES 100000

static struct server *server;
static int other;

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    other = wire_connect(server);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    close(other);
    server_stop(server);
}

/* A line of a monitor without its time: "0 127.0.0.1:1234] "PING"". */
static void expect_line(int fd, const char *expected) {
    char *line = wire_read_reply(fd);
    const char *shown = strchr(line, '[');
    if (line[0] != '+' || shown == NULL || strcmp(shown, expected) != 0) {
        harness_fail("a monitor got `%s` instead of `%s`", line, expected);
    }
    double seconds = strtod(line + 1, NULL);
    assert_true(seconds > 1e9);
    free(line);
}

static void own_name(int fd, char *name, size_t size) {
    char *line = wire_ask(fd, "CLIENT", "INFO", NULL);
    const char *place = strstr(line, " addr=");
    assert_non_null(place);
    snprintf(name, size, "%.*s", (int)strcspn(place + 6, " "), place + 6);
    free(line);
}

static void monitors(void **state) {
    (void)state;
    char name[64];
    char watcher_name[64];
    char line[256];
    int watcher = wire_connect(server);
    int late = wire_connect(server);
    own_name(other, name, sizeof name);
    own_name(watcher, watcher_name, sizeof watcher_name);
    wire_send_text(watcher, "MONITOR\r\n");
    wire_expect(watcher, "+OK\r\n");
    const char *const words[] = {"SET", "k\r\n\"\\", "\0\x01\xff"};
    const size_t sizes[] = {3, 5, 3};
    wire_send_words(other, words, sizes, 3);
    wire_expect(other, "+OK\r\n");
    snprintf(line, sizeof line, "[0 %s] \"SET\" \"k\\r\\n\\\"\\\\\" \"\\x00\\x01\\xff\"", name);
    expect_line(watcher, line);
    /* Its own commands, behind their replies; not those for administrators; passwords hidden. */
    wire_send_text(watcher, "PING\r\n");
    wire_expect(watcher, "+PONG\r\n");
    snprintf(line, sizeof line, "[0 %s] \"PING\"", watcher_name);
    expect_line(watcher, line);
    wire_expect_reply(other, "CONFIG GET nosuch", "[]");
    wire_expect_reply(other, "SELECT 2", "+OK");
    snprintf(line, sizeof line, "[2 %s] \"SELECT\" \"2\"", name);
    expect_line(watcher, line);
    wire_expect_reply(other, "SELECT 0", "+OK");
    snprintf(line, sizeof line, "[0 %s] \"SELECT\" \"0\"", name);
    expect_line(watcher, line);
    /* A second one, and the first leaves. */
    wire_send_text(late, "MONITOR\r\n");
    wire_expect(late, "+OK\r\n");
    wire_expect_reply(other, "GET none", "nil");
    snprintf(line, sizeof line, "[0 %s] \"GET\" \"none\"", name);
    expect_line(watcher, line);
    expect_line(late, line);
    wire_send_text(watcher, "RESET\r\n");
    wire_expect(watcher, "+RESET\r\n");
    close(late);
    wire_expect_reply(other, "GET none", "nil");
    wire_expect_reply(watcher, "PING", "+PONG");
    close(watcher);
    /* A pipeline is shown whole and in order. */
    watcher = wire_connect(server);
    wire_send_text(watcher, "MONITOR\r\n");
    wire_expect(watcher, "+OK\r\n");
    for (int i = 0; i < 1000; i++) {
        snprintf(line, sizeof line, "ECHO %d\r\n", i);
        wire_send_text(other, line);
    }
    for (int i = 0; i < 1000; i++) {
        free(wire_read_reply(other));
        snprintf(line, sizeof line, "[0 %s] \"ECHO\" \"%d\"", name, i);
        expect_line(watcher, line);
    }
    close(watcher);
}

static void slow_log(void **state) {
    (void)state;
    wire_expect_reply(other, "CONFIG SET slowlog-log-slower-than 0", "+OK");
    wire_expect_reply(other, "SLOWLOG RESET", "+OK");
    wire_send_text(other, "SET a 1\r\nGET a\r\nPING\r\n");
    wire_expect(other, "+OK\r\n$1\r\n1\r\n+PONG\r\n");
    char *log = wire_ask(other, "SLOWLOG", "GET", "3", NULL);
    assert_non_null(strstr(log, "[\"PING\"]"));
    assert_non_null(strstr(log, "[\"GET\", \"a\"]"));
    assert_non_null(strstr(log, "[\"SET\", \"a\", \"1\"]"));
    free(log);
    wire_expect_reply(other, "CONFIG SET slowlog-log-slower-than -1", "+OK");
    wire_expect_reply(other, "SLOWLOG RESET", "+OK");
    wire_send_text(other, "SET a 1\r\nGET a\r\n");
    wire_expect(other, "+OK\r\n$1\r\n1\r\n");
    wire_expect_reply(other, "SLOWLOG LEN", ":0");
}

static void histograms(void **state) {
    (void)state;
    wire_expect_reply(other, "CONFIG RESETSTAT", "+OK");
    wire_send_text(other, "SET a 1\r\nSET a 2\r\nSET a 3\r\nGET a\r\n");
    wire_expect(other, "+OK\r\n+OK\r\n+OK\r\n$1\r\n3\r\n");
    char *reply = wire_ask(other, "LATENCY", "HISTOGRAM", "set", "get", "nosuch", NULL);
    assert_non_null(strstr(reply, "\"set\", [\"calls\", :3, \"histogram_usec\", ["));
    assert_non_null(strstr(reply, "\"get\", [\"calls\", :1, \"histogram_usec\", ["));
    free(reply);
    /* All requests since, CONFIG RESETSTAT's end and the last one included. */
    reply = wire_ask(other, "LATENCY", "HISTOGRAM", "request", NULL);
    assert_non_null(strstr(reply, "\"request\", [\"calls\", :6, \"histogram_usec\", ["));
    free(reply);
    free(probe_info_text(other, "latency_percentiles_usec_request"));
    char *figures = probe_info_text(other, "cmdstat_set");
    assert_memory_equal(figures, "calls=3,", 8);
    free(figures);
}

/* An error that a monitor's line follows at once is counted all the same. */
static void errors_are_counted(void **state) {
    (void)state;
    wire_expect_reply(other, "CONFIG RESETSTAT", "+OK");
    int watcher = wire_connect(server);
    wire_send_text(watcher, "MONITOR\r\nECHO\r\nSELECT x\r\nPING\r\nSELECT y\r\n");
    wire_expect(watcher, "+OK\r\n");
    wire_settle(other);
    char *figures = probe_info_text(other, "cmdstat_select");
    assert_non_null(strstr(figures, "calls=2,"));
    assert_non_null(strstr(figures, "failed_calls=2"));
    free(figures);
    figures = probe_info_text(other, "cmdstat_ping");
    assert_non_null(strstr(figures, "failed_calls=0"));
    free(figures);
    figures = probe_info_text(other, "cmdstat_echo");
    assert_non_null(strstr(figures, "rejected_calls=1"));
    free(figures);
    close(watcher);
}

static bool is_empty(void *context) {
    (void)context;
    char *reply = wire_ask(other, "DBSIZE", NULL);
    bool empty = strcmp(reply, ":0") == 0;
    free(reply);
    return empty;
}

static void keys_leave_by_themselves(void **state) {
    (void)state;
    free(wire_ask(other, "FLUSHALL", NULL));
    int64_t before = probe_info(other, "expired_keys");
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET k%d v PX %d\r\n", i, 1 + i % 50);
        wire_send_text(other, line);
        wire_expect(other, "+OK\r\n");
    }
    harness_wait_for(is_empty, NULL, "the end of a hundred keys");
    assert_int_equal(probe_info(other, "expired_keys"), before + 100);
}

static void many_keys_with_one_deadline(void **state) {
    (void)state;
    int64_t before = probe_info(other, "expired_keys");
    int64_t used = probe_info(other, "used_memory");
    /* Far enough away that they are all there first. */
    char *now = wire_ask(other, "TIME", NULL);
    long long deadline_ms = strtoll(now + 2, NULL, 10) * 1000 + 4000;
    free(now);
    char *requests = malloc((size_t)DEADLINES * 64);
    size_t size = 0;
    for (int i = 0; i < DEADLINES; i++) {
        size += (size_t)sprintf(requests + size, "SET key:%d value PXAT %lld\r\n", i, deadline_ms);
    }
    char *back = malloc((size_t)DEADLINES * 5);
    wire_exchange(other, requests, size, back, (size_t)DEADLINES * 5);
    free(requests);
    free(back);
    harness_wait_for(is_empty, NULL, "the end of all keys with one deadline");
    if (!server_is_reference()) {
        assert_int_equal(probe_info(other, "expired_keys"), before + DEADLINES);
    }
    /* What they took comes back, but for tables that shrink later. */
    assert_true(probe_info(other, "used_memory") - used < 4 << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monitors),
        cmocka_unit_test(slow_log),
        cmocka_unit_test(histograms),
        cmocka_unit_test(errors_are_counted),
        cmocka_unit_test(keys_leave_by_themselves),
        cmocka_unit_test(many_keys_with_one_deadline),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
