/* FETCH, STORE and UNLEASE over the wire, with one thread and with several, with epoll and with
 * io_uring: a herd that asks for one key is served by one store; what becomes of tokens, replies of
 * both protocols, scripts, tracking, events, permissions. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS 300
#define LARGE   100000

static struct server *server;
static int control;

static void start_with(const char *const *options) {
    server = server_start(options);
    control = wire_connect(server);
}

static int start_plain(void **state) {
    (void)state;
    start_with(NULL);
    return 0;
}

static int start_debug(void **state) {
    (void)state;
    start_with((const char *const[]){"--enable-debug-command", "yes", NULL});
    return 0;
}

static int start_threads(void **state) {
    (void)state;
    start_with((const char *const[]){"--io-threads", "3", "--io-cpulist", "0,1", NULL});
    return 0;
}

static int start_uring(void **state) {
    (void)state;
    start_with((const char *const[]){"--io-backend", "io_uring", NULL});
    return 0;
}

static int start_both(void **state) {
    (void)state;
    start_with((const char *const[]){"--io-backend", "io_uring", "--io-threads", "3",
                                     "--io-cpulist", "0,1", NULL});
    return 0;
}

static int end(void **state) {
    (void)state;
    close(control);
    server_stop(server);
    return 0;
}

struct figure {
    const char *name;
    long value;
};

static bool figure_is(void *context) {
    const struct figure *figure = context;
    char line[80];
    char *info = wire_ask(control, "INFO", "leases", NULL);
    snprintf(line, sizeof line, "\n%s:%ld\\r", figure->name, figure->value);
    bool is_so = strstr(info, line + 1) != NULL;
    free(info);
    if (!is_so) {
        harness_breathe();
    }
    return is_so;
}

static void await_figure(const char *name, long value) {
    struct figure figure = {name, value};
    harness_wait_for(figure_is, &figure, "a figure of INFO leases is not what it should be");
}

/* The token in a reply's canonical text, which ends with it; to be freed. */
static char *token_of(char *reply) {
    size_t size = strlen(reply);
    assert_true(size > 14 && strcmp(reply + size - 2, "\"]") == 0);
    char *token = strndup(reply + size - 13, 11);
    free(reply);
    return token;
}

static char *win(int fd, const char *key) {
    return token_of(wire_ask(fd, "FETCH", key, "LEASE", "10000", "WAIT", "5000", NULL));
}

static void herd(const char *value, size_t size) {
    int fds[CLIENTS];
    char *token = win(control, "page");
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = wire_connect(server);
        wire_send_text(fds[i], i % 3 == 0 ? "HELLO 3\r\n" : "PING\r\n");
        free(wire_read_reply(fds[i]));
        wire_send_text(fds[i], "FETCH page LEASE 10000 WAIT 5000\r\nPING\r\n");
    }
    await_figure("lease_parked", CLIENTS);
    const char *words[] = {"STORE", "page", value, "EX", "60", "LEASE", token};
    const size_t sizes[] = {5, 4, size, 2, 2, 5, 11};
    wire_send_words(control, words, sizes, 7);
    wire_expect(control, "+OK\r\n");
    char *expected = malloc(size + 64);
    for (int i = 0; i < CLIENTS; i++) {
        int length = sprintf(expected, "*3\r\n$%zu\r\n", size);
        memcpy(expected + length, value, size);
        char *got = malloc((size_t)length + size);
        wire_read(fds[i], got, (size_t)length + size);
        assert_memory_equal(got, expected, (size_t)length + size);
        free(got);
        wire_expect(fds[i], "\r\n:");
        char digit;
        do {
            wire_read(fds[i], &digit, 1);
        } while (digit != '\r');
        wire_expect(fds[i], i % 3 == 0 ? "\n_\r\n+PONG\r\n" : "\n$-1\r\n+PONG\r\n");
        close(fds[i]);
    }
    free(expected);
    free(token);
    wire_expect_reply(control, "DEL page", ":1");
    await_figure("lease_parked", 0);
    await_figure("lease_held", 0);
}

static void a_herd_is_served_by_one_store(void **state) {
    (void)state;
    static char large[LARGE];
    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (char)(i * 7);
    }
    herd("a\r\nb\0c", 6);
    herd(large, 5000);
    herd(large, sizeof large);
    await_figure("lease_granted", 3);
    await_figure("lease_filled", 3);
    await_figure("lease_coalesced", 3L * CLIENTS);
}

/* Each that dies makes the next one the winner. */
static void winners_that_die(void **state) {
    (void)state;
    enum { DYING = 20 };
    int fds[DYING];
    for (int i = 0; i < DYING; i++) {
        fds[i] = wire_connect(server);
        wire_send_text(fds[i], "FETCH k LEASE 100000 WAIT 5000\r\n");
        await_figure("lease_parked", i);
        await_figure("lease_held", 1);
    }
    for (int i = 0; i < DYING; i++) {
        char *reply = wire_read_reply(fds[i]);
        assert_int_equal(strncmp(reply, "[nil, nil, \"", 12), 0);
        free(reply);
        if (i == DYING / 2) {
            free(wire_ask(control, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", NULL));
        }
        if (i >= DYING / 2) {
            break;
        }
        close(fds[i]);
    }
    for (int i = DYING / 2; i < DYING; i++) {
        close(fds[i]);
    }
    await_figure("lease_parked", 0);
    await_figure("lease_held", 0);
    wire_expect_reply(control, "SET k v", "+OK");
    wire_expect_reply(control, "DEL k", ":1");
}

static void time_and_unblocking(void **state) {
    (void)state;
    int fd = wire_connect(server);
    char *token = win(control, "k");
    wire_expect_reply(fd, "FETCH k LEASE 1000 WAIT 20", "[nil, nil, nil]");
    free(wire_ask(fd, "HELLO", "3", NULL));
    wire_expect_reply(fd, "FETCH k WAIT 20", "[null, null, null]");
    char *id = wire_ask(fd, "CLIENT", "ID", NULL);
    wire_send_text(fd, "FETCH k LEASE 1000 WAIT 5000\r\nPING\r\n");
    await_figure("lease_parked", 1);
    free(wire_ask(control, "CLIENT", "UNBLOCK", id + 1, "ERROR", NULL));
    wire_expect(fd, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n");
    free(id);
    free(wire_ask(control, "UNLEASE", "k", token, NULL));
    free(token);
    close(fd);
}

static void mistakes(void **state) {
    (void)state;
    static const char *const lines[][2] = {
        {"FETCH", "-ERR wrong number of arguments for 'fetch' command"},
        {"FETCH k LEASE", "-ERR syntax error"},
        {"FETCH k NOSUCH 1", "-ERR syntax error"},
        {"FETCH k WAIT 1 2", "-ERR syntax error"},
        {"FETCH k LEASE x", "-ERR value is not an integer or out of range"},
        {"FETCH k LEASE 0", "-ERR value is out of range, value must between 1 and 86400000"},
        {"FETCH k WAIT -1", "-ERR value is out of range, value must between 0 and 86400000"},
        {"FETCH k EARLY 86400001", "-ERR value is out of range, value must between 0 and 86400000"},
        {"FETCH_RO k LEASE 1", "-ERR wrong number of arguments for 'fetch_ro' command"},
        {"STORE k", "-ERR wrong number of arguments for 'store' command"},
        {"STORE k v NX XX", "-ERR syntax error"},
        {"STORE k v NX LEASE x", "-ERR syntax error"},
        {"STORE k v EX 1 PX 1", "-ERR syntax error"},
        {"STORE k v EX 1 STALE 1 PSTALE 1", "-ERR syntax error"},
        {"STORE k v EX 0", "-ERR invalid expire time in 'store' command"},
        {"STORE k v EX 1 STALE x", "-ERR value is not an integer or out of range"},
        {"STORE k v EX 1 STALE 2147483648",
         "-ERR value is out of range, value must between 0 and 2147483647"},
        {"STORE k v STALE 1",
         "-ERR STALE needs a deadline: EX, PX, EXAT, PXAT, or KEEPTTL of a key that has one"},
        {"STORE k v LEASE short", "nil"},
        {"STORE k v LEASE AAAAAAAAAAA", "nil"},
        {"STORE k v LEASE *", "+OK"},
        {"LARDER.FETCH k", "[\"v\", nil, nil]"},
        {"FETCH_RO k", "[\"v\", nil, nil]"},
        {"LARDER.STORE k w XX GET", "\"v\""},
        {"STORE k w NX GET", "\"w\""},
        {"STORE k x IFEQ w EX 100 STALE 2147483647", "+OK"},
        {"PERSIST k", ":1"},
        {"FETCH k", "[\"x\", nil, nil]"},
        {"UNLEASE k x", ":0"},
        {"UNLEASE k AAAAAAAAAAA BACKOFF", "-ERR syntax error"},
        {"UNLEASE k AAAAAAAAAAA BACKOFF x", "-ERR value is not an integer or out of range"},
        {"LARDER.UNLEASE k AAAAAAAAAAA BACKOFF 5", ":0"},
        {"RPUSH l v", ":1"},
        {"FETCH l LEASE 5 WAIT 5",
         "-WRONGTYPE Operation against a key holding the wrong kind of value"},
        {"STORE l v GET", "-WRONGTYPE Operation against a key holding the wrong kind of value"},
        {"STORE l v", "+OK"},
        {"COMMAND GETKEYS STORE a b EX 1", "[\"a\"]"},
        {"COMMAND GETKEYS LARDER.FETCH a", "[\"a\"]"},
        {"DEL k l", ":2"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        wire_expect_reply(control, lines[i][0], lines[i][1]);
    }
}

static void tracking_events_and_permissions(void **state) {
    (void)state;
    int tracker = wire_connect(server);
    int listener = wire_connect(server);
    wire_expect_reply(control, "CONFIG SET notify-keyspace-events KEA", "+OK");
    free(wire_ask(listener, "PSUBSCRIBE", "__keyevent@0__:*", NULL));
    free(wire_ask(tracker, "HELLO", "3", NULL));
    wire_expect_reply(tracker, "CLIENT TRACKING ON", "+OK");
    wire_expect_reply(tracker, "FETCH k", "[null, null, null]");
    wire_expect_reply(control, "STORE k v EX 100 STALE 100", "+OK");
    char *push = wire_read_reply(tracker);
    assert_string_equal(push, ">[\"invalidate\", [\"k\"]]");
    free(push);
    for (int i = 0; i < 2; i++) {
        char *event = wire_read_reply(listener);
        assert_non_null(strstr(event, i == 0 ? ":set\", \"k\"" : ":expire\", \"k\""));
        free(event);
    }
    wire_expect_reply(control, "ACL SETUSER reader on nopass ~* -@all +@read +@cache -@write",
                      "+OK");
    wire_expect_reply(control, "ACL DRYRUN reader FETCH_RO k", "+OK");
    char *refused = wire_ask(control, "ACL", "DRYRUN", "reader", "FETCH", "k", NULL);
    assert_non_null(strstr(refused, "has no permissions"));
    free(refused);
    wire_expect_reply(control, "ACL SETUSER reader on nopass resetkeys %R~* +@cache", "+OK");
    refused = wire_ask(control, "ACL", "DRYRUN", "reader", "FETCH", "k", NULL);
    assert_non_null(strstr(refused, "has no permissions"));
    free(refused);
    wire_expect_reply(control, "ACL DELUSER reader", ":1");
    free(wire_ask(control, "CONFIG", "SET", "notify-keyspace-events", "", NULL));
    wire_expect_reply(control, "DEL k", ":1");
    close(tracker);
    close(listener);
}

static void scripts(void **state) {
    (void)state;
    char *reply = wire_ask(control, "EVAL",
                           "local r = redis.call('FETCH', KEYS[1], 'LEASE', 10000, 'WAIT', 1000) "
                           "if r[1] then return 'value' end "
                           "if not r[3] then return 'busy' end "
                           "redis.call('STORE', KEYS[1], 'v', 'LEASE', r[3]) "
                           "return redis.call('FETCH', KEYS[1])[1]",
                           "1", "k", NULL);
    if (strstr(reply, "unknown command") != NULL) {
        free(reply); /* built without Lua */
        return;
    }
    assert_string_equal(reply, "\"v\"");
    free(reply);
    wire_expect_reply(control, "DEL k", ":1");
}

static bool is_gone(void *context) {
    const char **key = context;
    char *reply = wire_ask(control, "GET", *key, NULL);
    bool is_so = strcmp(reply, "nil") == 0;
    free(reply);
    if (!is_so) {
        harness_breathe();
    }
    return is_so;
}

static void await_gone(const char *key) {
    harness_wait_for(is_gone, &key, "a key stays beyond its deadline");
}

static bool answers(void *fd) {
    char *reply = wire_ask(*(int *)fd, "PING", NULL);
    bool is_so = strcmp(reply, "+PONG") == 0;
    free(reply);
    return is_so;
}

/* What is stale is a stranger's expired key. */
static void expect_in_reference(void) {
    char command[1024];
    snprintf(command, sizeof command, "redis-check-rdb '%s/dump.rdb' >/dev/null 2>&1",
             server_folder(server));
    assert_int_equal(system(command), 0);
    const char *const options[] = {"--dir", server_folder(server), NULL};
    struct server *reference = server_start_reference(options);
    int fd = wire_connect(reference);
    harness_wait_for(answers, &fd, "the reference has loaded the file");
    wire_expect_reply(fd, "MGET fresh stale over plain", "[\"v\", nil, nil, \"v\"]");
    wire_expect_reply(fd, "TTL without", ":-1");
    char *ttl = wire_ask(fd, "TTL", "fresh", NULL);
    assert_true(atoi(ttl + 1) > 500);
    free(ttl);
    close(fd);
    server_stop(reference);
}

static void snapshots_keep_grace(void **state) {
    (void)state;
    static const char *const lines[][2] = {
        {"STORE fresh v EX 1000 STALE 2000", "+OK"},
        {"STORE stale v PX 1 STALE 2000", "+OK"},
        {"STORE over v PX 1 PSTALE 1", "+OK"},
        {"STORE without v EX 5 STALE 2000", "+OK"},
        {"PERSIST without", ":1"},
        {"SET plain v EX 1000", "+OK"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        wire_expect_reply(control, lines[i][0], lines[i][1]);
    }
    await_gone("stale");
    await_gone("over");
    for (int round = 0; round < 2; round++) {
        wire_expect_reply(control, "SAVE", "+OK");
        wire_expect_reply(control, "DEBUG RELOAD NOSAVE", "+OK");
        wire_expect_reply(control, "GET stale", "nil");
        char *reply = wire_ask(control, "FETCH", "stale", NULL);
        assert_int_equal(strncmp(reply, "[\"v\", :-", 8), 0);
        free(reply);
        wire_expect_reply(control, "FETCH without", "[\"v\", nil, nil]");
    }
    expect_in_reference();
    /* With a deadline the grace is there again. */
    wire_expect_reply(control, "PEXPIRE without 1", ":1");
    wire_expect_reply(control, "PEXPIRE fresh 1", ":1");
    wire_expect_reply(control, "PEXPIRE plain 1", ":1");
    await_gone("without");
    await_gone("fresh");
    await_gone("plain");
    for (int i = 0; i < 2; i++) {
        char *reply = wire_ask(control, "FETCH", i == 0 ? "without" : "fresh", NULL);
        assert_int_equal(strncmp(reply, "[\"v\", :", 7), 0);
        free(reply);
    }
    wire_expect_reply(control, "FETCH plain", "[nil, nil, nil]");
    wire_expect_reply(control, "FETCH over", "[nil, nil, nil]");
    wire_expect_reply(control, "FLUSHALL", "+OK");
}

#define WITH(start)                                                                                \
    cmocka_unit_test_setup_teardown(a_herd_is_served_by_one_store, start, end),                    \
        cmocka_unit_test_setup_teardown(winners_that_die, start, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(start_plain),
        WITH(start_threads),
        WITH(start_uring),
        WITH(start_both),
        cmocka_unit_test_setup_teardown(time_and_unblocking, start_threads, end),
        cmocka_unit_test_setup_teardown(mistakes, start_plain, end),
        cmocka_unit_test_setup_teardown(tracking_events_and_permissions, start_plain, end),
        cmocka_unit_test_setup_teardown(scripts, start_plain, end),
        cmocka_unit_test_setup_teardown(snapshots_keep_grace, start_debug, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
