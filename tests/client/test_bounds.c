/* Tests of client/bounds.c: what is being made for a client ends with it when it passes its limit
 * or the budget of all, in the middle of the command; others in the same batch do not notice. */
#include "client/client.h"

#include "support/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "store/evict.h"

#define CROWD 20
/* Far more than any of the limits, and than the test has time for, were it made. */
#define ENDLESS "HRANDFIELD h -16777216 WITHVALUES\r\n"

static struct session *session;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    char line[200] = "HSET h f ";
    memset(line + 9, 'x', 100);
    session_expect(session, line, ":1\r\n");
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static struct clients *registry(void) {
    return session->server.context.clients;
}

static void send_text(int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* What has come, up to the end of the stream if it has ended. */
static size_t drain(int fd, bool *ended) {
    char bytes[4096];
    size_t total = 0;
    *ended = false;
    for (int i = 0; i < 20; i++) {
        session_pass(session);
        ssize_t size;
        while ((size = read(fd, bytes, sizeof bytes)) > 0) {
            total += (size_t)size;
        }
        *ended |= size == 0 || errno == ECONNRESET;
    }
    return total;
}

static void expect_closed(int fd) {
    bool ended;
    assert_int_equal(drain(fd, &ended), 0);
    assert_true(ended);
    close(fd);
    session_pass(session);
}

/* How many allocations that may fail have been made since mem_fail_after(1000). */
static int allocations_made(void) {
    for (int left = 1; left <= 1000; left++) {
        void *at = mem_try_alloc(MEM_OTHER, 16);
        if (at == NULL) {
            return 1000 - left;
        }
        mem_free(MEM_OTHER, at, 16);
    }
    return 1000;
}

/* Neighbours in the same batch get all of theirs; the one in the middle gets nothing. */
static void expect_end_among_others(int place) {
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = session_connect(session);
    }
    session_pass(session);
    size_t arena = mem_used_by(MEM_ARENA);
    mem_fail_after(1000);
    for (int i = 0; i < 3; i++) {
        send_text(fds[i], i == place ? "PING\r\n" ENDLESS "SET never 1\r\n"
                                     : "PING a\r\nHGET h f\r\nPING b\r\n");
    }
    session_pass(session);
    assert_true(allocations_made() < 200);
    mem_fail_after(0);
    for (int i = 0; i < 3; i++) {
        if (i == place) {
            expect_closed(fds[i]);
            continue;
        }
        const char *got = session_read(session, fds[i]);
        assert_int_equal(strlen(got), 7 + 106 + 2 + 7);
        assert_memory_equal(got, "$1\r\na\r\n$100\r\nxxx", 16);
        close(fds[i]);
    }
    session_pass(session);
    assert_true(mem_used_by(MEM_ARENA) < arena + 65536);
    session_expect(session, "EXISTS never", ":0\r\n");
}

static void test_reply_over_its_limit(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET client-output-buffer-limit \"normal 5000 0 0\"", "+OK\r\n");
    for (int place = 0; place < 3; place++) {
        expect_end_among_others(place);
        assert_int_equal(registry()->metrics.client_output_buffer_limit_disconnections, place + 1);
    }
    assert_int_equal(registry()->metrics.evicted_clients, 0);
    /* Of another class's limit nothing is known here. */
    session_expect(session, "CONFIG SET client-output-buffer-limit \"normal 0 0 0 pubsub 1 0 0\"",
                   "+OK\r\n");
    assert_true(strlen(session_ask(session, "HRANDFIELD h -100 WITHVALUES")) > 10000);
}

static void test_reply_over_the_budget(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET maxmemory-clients 20000", "+OK\r\n");
    for (int place = 0; place < 3; place++) {
        expect_end_among_others(place);
        assert_int_equal(registry()->metrics.evicted_clients, place + 1);
    }
    /* Nor does it hold for those who asked to be spared. */
    session_expect(session, "CLIENT NO-EVICT on", "+OK\r\n");
    assert_true(strlen(session_ask(session, "HRANDFIELD h -400 WITHVALUES")) > 40000);
}

static void test_reply_without_memory(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET maxmemory-clients 0", "+OK\r\n");
    for (uint64_t which = 1; which < 6; which++) {
        int fd = session_connect(session);
        session_pass(session);
        send_text(fd, "PING\r\nHRANDFIELD h -1000 WITHVALUES\r\nPING\r\n");
        mem_fail_after(which);
        session_pass(session);
        mem_fail_after(0);
        expect_closed(fd);
    }
    session_expect(session, "PING", "+PONG\r\n");
}

/* Values count too, although they are only referred to. */
static void test_values_count(void **state) {
    (void)state;
    session_expect(session, "SETRANGE large 99999 x", ":100000\r\n");
    session_expect(session, "CONFIG SET client-output-buffer-limit \"normal 250000 0 0\"",
                   "+OK\r\n");
    int fd = session_connect(session);
    send_text(fd, "MGET large large large\r\n");
    expect_closed(fd);
    fd = session_connect(session);
    send_text(fd, "MGET large large\r\n");
    bool ended;
    assert_int_equal(drain(fd, &ended), 2 * (100000 + 11) + 4);
    assert_false(ended);
    close(fd);
}

/* A muted client's reply is not kept, however long it is, and harms nobody. */
static void test_muted(void **state) {
    (void)state;
    int fd = session_connect(session);
    session_pass(session);
    mem_fail_after(1000);
    send_text(fd, "CLIENT REPLY OFF\r\nHRANDFIELD h -100000\r\nCLIENT REPLY ON\r\nPING\r\n");
    session_pass(session);
    assert_true(allocations_made() < 200);
    mem_fail_after(0);
    assert_string_equal(session_read(session, fd), "+OK\r\n+PONG\r\n");
    close(fd);
}

static struct client *newest(void) {
    struct client *client = clients_first(registry());
    while (client->next != NULL) {
        client = client->next;
    }
    return client;
}

/* Messages within one pass: who reads gets them all, who does not is closed at its limit. */
static void test_messages(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET client-output-buffer-limit \"normal 50000 0 0\"",
                   "+OK\r\n");
    char message[1000];
    memset(message, 'm', sizeof message);
    int fd = session_connect(session);
    session_pass(session);
    struct client *client = newest();
    for (int i = 0; i < 60; i++) {
        client_send(client, bytes_of(message, sizeof message));
    }
    assert_false(client->flags & CLIENT_CLOSING);
    bool ended;
    assert_int_equal(drain(fd, &ended), 60 * sizeof message);
    for (int i = 0; i < 10000; i++) {
        client_send(client, bytes_of(message, sizeof message));
        assert_true(client->queue->footprint < 100000);
    }
    assert_true(client->flags & CLIENT_CLOSING);
    drain(fd, &ended);
    assert_true(ended);
    close(fd);
}

/* And all clients' together, when none has a limit. */
static void test_messages_over_the_budget(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET maxmemory-clients 100000", "+OK\r\n");
    int fds[CROWD];
    for (int i = 0; i < CROWD; i++) {
        fds[i] = session_connect(session);
        session_pass(session);
    }
    char message[1000];
    memset(message, 'm', sizeof message);
    size_t before = mem_used_by(MEM_BUFFER);
    for (int i = 0; i < 1000; i++) {
        for (struct client *c = clients_first(registry())->next; c != NULL; c = c->next) {
            client_send(c, bytes_of(message, sizeof message));
        }
        assert_true(mem_used_by(MEM_BUFFER) - before < 200000);
    }
    assert_true(registry()->metrics.evicted_clients > 0);
    session_expect(session, "PING", "+PONG\r\n");
    for (int i = 0; i < CROWD; i++) {
        close(fds[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reply_over_its_limit, start, end),
        cmocka_unit_test_setup_teardown(test_reply_over_the_budget, start, end),
        cmocka_unit_test_setup_teardown(test_reply_without_memory, start, end),
        cmocka_unit_test_setup_teardown(test_values_count, start, end),
        cmocka_unit_test_setup_teardown(test_muted, start, end),
        cmocka_unit_test_setup_teardown(test_messages, start, end),
        cmocka_unit_test_setup_teardown(test_messages_over_the_budget, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
