/* MIGRATE between real servers: two of ours, from ours to the reference, from the reference to
 * ours; errors and replies as the reference has them; nobody waits for a target that stalls but who
 * asked; within a transaction everybody does, no longer than the timeout. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "wire.h"

#define KEYS 2000

static struct server *servers[3]; /* two under test, the reference */
static int wires[3];
static int stalled; /* a listener whose connections nobody serves */
static int stalled_port;

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--enable-debug-command", "yes", NULL};
    for (int i = 0; i < 3; i++) {
        servers[i] = i < 2 ? server_start(options) : server_start_reference(options);
        wires[i] = wire_connect(servers[i]);
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    stalled = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(stalled, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(stalled, 8), 0);
    assert_int_equal(getsockname(stalled, (struct sockaddr *)&address, &size), 0);
    stalled_port = ntohs(address.sin_port);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        close(wires[i]);
        server_stop(servers[i]);
    }
    close(stalled);
}

/* One of every type, and many. */
static void fill(int fd) {
    static const char *const lines[] = {
        "SET s some-text", "SET n 12 PX 100000000", "RPUSH l a 1 b",
        "SADD t 1 2 3",    "SADD u a b c",          "ZADD z 1 a 2.5 b",
        "HSET h f 1 g 2",  "XADD x 1-1 f 1",        "XGROUP CREATE x g 0",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        wire_send_text(fd, lines[i]);
        wire_send_text(fd, "\r\n");
        free(wire_read_reply(fd));
    }
    wire_expect_reply(fd, "DEBUG POPULATE 2000 key 50", "+OK");
}

static void move_all(int from, int to) {
    char *line = malloc(200 + KEYS * 12);
    int size = sprintf(line, "MIGRATE 127.0.0.1 %d '' 0 5000 KEYS s n l t u z h x",
                       server_port(servers[to]));
    for (int i = 0; i < KEYS; i++) {
        size += sprintf(line + size, " key:%d", i);
    }
    sprintf(line + size, "\r\n");
    wire_send_text(wires[from], line);
    wire_expect(wires[from], "+OK\r\n");
    free(line);
    wire_expect_reply(wires[from], "DBSIZE", ":0");
}

static void all_kinds_of_values_move(void **state) {
    (void)state;
    fill(wires[0]);
    char *before = wire_ask(wires[0], "DEBUG", "DIGEST", NULL);
    move_all(0, 1);
    /* Deadlines pass as what remains: they differ by the time that it took. */
    wire_expect_reply(wires[0], "SET n 12", "+OK");
    wire_expect_reply(wires[0], "DEL n", ":1");
    char *ttl = wire_ask(wires[1], "PTTL", "n", NULL);
    assert_true(strtol(ttl + 1, NULL, 10) > 99000000);
    free(ttl);
    move_all(1, 0);
    wire_expect_reply(wires[0], "PERSIST n", ":1");
    free(before);
    before = wire_ask(wires[0], "DEBUG", "DIGEST", NULL);
    move_all(0, 1);
    move_all(1, 2);
    move_all(2, 0);
    char *after = wire_ask(wires[0], "DEBUG", "DIGEST", NULL);
    if (!server_is_reference()) {
        assert_string_equal(before, after);
    }
    free(before);
    free(after);
}

/* A line with the target's port in the place of %d. */
static char *ask(int side, const char *form, int port) {
    char line[300];
    snprintf(line, sizeof line, form, port);
    wire_send_text(wires[side], line);
    wire_send_text(wires[side], "\r\n");
    return wire_read_reply(wires[side]);
}

/* What the reference sends to a target that has refused AUTH or SELECT may have arrived in another
 * database: q is of no use afterwards. */
static const char *const forms[] = {
    "MIGRATE 127.0.0.1 %d k 0 1000",
    "MIGRATE 127.0.0.1 %d k 0 1000",
    "MIGRATE 127.0.0.1 %d none 0 1000",
    "MIGRATE 127.0.0.1 %d l 0 1000 COPY",
    "MIGRATE 127.0.0.1 %d l 0 1000",
    "MIGRATE 127.0.0.1 %d l 0 1000 COPY REPLACE",
    "MIGRATE 127.0.0.1 %d l 0 1000 REPLACE",
    "MIGRATE 127.0.0.1 %d q 99 1000",
    "MIGRATE 127.0.0.1 %d m x 1000",
    "MIGRATE 127.0.0.1 %d m 0 x",
    "MIGRATE 127.0.0.1 %d none x 1000",
    "MIGRATE 127.0.0.1 %d q 0 1000 AUTH secret",
    "MIGRATE 127.0.0.1 %d q 0 1000 AUTH2 me secret",
    "MIGRATE 127.0.0.1 %d m 0 1000 AUTH",
    "MIGRATE 127.0.0.1 %d m 0 1000 AUTH2 me",
    "MIGRATE 127.0.0.1 %d m 0 1000 FOO",
    "MIGRATE 127.0.0.1 %d m 0 1000 KEYS m",
    "MIGRATE 127.0.0.1 %d '' 0 1000 KEYS",
    "MIGRATE 127.0.0.1 %d '' 0 1000",
    "MIGRATE 127.0.0.1 %d '' 0 1000 KEYS none m o",
    "MIGRATE 127.0.0.1 1 o2 0 1000 KEYS none m o",
    "MIGRATE 127.0.0.1 1%d p 0 1000",
    "MIGRATE 127.0.0.1 1 p 0 1000",
    "MIGRATE 127.0.0.1 x p 0 1000",
    "MIGRATE '' %d p 0 1000",
    "MIGRATE no.such.host.invalid %d p 0 1000",
    "MIGRATE 127.0.0.1 %d p 0",
    "EXISTS k l m o p",
    "COMMAND GETKEYS MIGRATE h p '' 0 1000 COPY KEYS a b %d",
    "COMMAND GETKEYS MIGRATE h p a%d 0 1000",
};

static void replies_are_the_reference_s(void **state) {
    (void)state;
    static const char *const setup[] = {"FLUSHALL", "MSET k 1 l 2 m 3 o 4 p 5 q 6"};
    for (int side = 0; side < 3; side++) {
        for (int i = 0; i < 2; i++) {
            free(ask(side, setup[i], 0));
        }
    }
    wire_expect_reply(wires[1], "FLUSHALL", "+OK");
    /* From the one under test and from the reference to the same other one, emptied in between. */
    char *answers[sizeof forms / sizeof forms[0]];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        answers[i] = ask(0, forms[i], server_port(servers[1]));
    }
    wire_expect_reply(wires[1], "FLUSHALL", "+OK");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *theirs = ask(2, forms[i], server_port(servers[1]));
        if (strcmp(answers[i], theirs) != 0) {
            fail_msg("%s: %s, and the reference: %s", forms[i], answers[i], theirs);
        }
        free(answers[i]);
        free(theirs);
    }
}

static void nobody_else_waits_for_a_target_that_stalls(void **state) {
    (void)state;
    wire_expect_reply(wires[0], "SET k v", "+OK");
    int other = wire_connect(servers[0]);
    char line[100];
    snprintf(line, sizeof line, "MIGRATE 127.0.0.1 %d k 0 3000\r\n", stalled_port);
    wire_send_text(other, line);
    wire_expect_reply(wires[0], "GET k", "\"v\"");
    if (!server_is_reference()) {
        /* It is waiting as soon as it has been read, and so is counted. */
        int64_t end = harness_now_ms() + HARNESS_WAIT_MS;
        bool waits = false;
        while (!waits) {
            char *info = wire_ask(wires[0], "INFO", "clients", NULL);
            waits = strstr(info, "blocked_clients:1") != NULL;
            free(info);
            assert_true(harness_now_ms() < end);
        }
    }
    wire_expect(other, "-IOERR error or timeout reading to target instance\r\n");
    wire_expect_reply(wires[0], "GET k", "\"v\"");
    close(other);
}

static void a_transaction_does_not_wait_longer_than_the_timeout(void **state) {
    (void)state;
    char line[100];
    wire_expect_reply(wires[0], "MSET k v l w", "+OK");
    wire_expect_reply(wires[1], "FLUSHALL", "+OK");
    wire_expect_reply(wires[0], "MULTI", "+OK");
    snprintf(line, sizeof line, "MIGRATE 127.0.0.1 %d k 0 300", stalled_port);
    wire_expect_reply(wires[0], line, "+QUEUED");
    snprintf(line, sizeof line, "MIGRATE 127.0.0.1 %d l 0 5000", server_port(servers[1]));
    wire_expect_reply(wires[0], line, "+QUEUED");
    wire_expect_reply(wires[0], "EXISTS k l", "+QUEUED");
    wire_expect_reply(wires[0], "EXEC",
                      "[-IOERR error or timeout reading to target instance, +OK, :1]");
    wire_expect_reply(wires[1], "GET l", "\"w\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_of_values_move),
        cmocka_unit_test(replies_are_the_reference_s),
        cmocka_unit_test(nobody_else_waits_for_a_target_that_stalls),
        cmocka_unit_test(a_transaction_does_not_wait_longer_than_the_timeout),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
