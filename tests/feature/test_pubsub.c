/* Tests of feature/pubsub: the registry against a model, deliveries in order with replies, what is
 * left when clients go. */
#include "feature/pubsub.h"

#include "support/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
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

static struct pubsub *pubsub(void) {
    return session->server.context.pubsub;
}

static void send_text(int fd, const char *text) {
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *got(int fd) {
    session_pass(session);
    return session_read(session, fd);
}

/* What has come is exactly this literal, NUL bytes and all. */
#define assert_got(fd, text)                                                                       \
    do {                                                                                           \
        assert_memory_equal(got(fd), text, sizeof(text) - 1);                                      \
    } while (0)

static void test_delivery(void **state) {
    (void)state;
    int one = session_connect(session);
    int two = session_connect(session);
    session_ask_on(session, one, "SUBSCRIBE a b");
    session_ask_on(session, two, "HELLO 3");
    session_ask_on(session, two, "PSUBSCRIBE a* ?");
    pubsub_validate(pubsub());
    session_expect(session, "PUBLISH a \"x\\x00\\r\\n\"", ":3\r\n");
    assert_got(one, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\nx\0\r\n\r\n");
    assert_got(two, ">4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$4\r\nx\0\r\n\r\n");
    session_expect(session, "PUBLISH \"\" \"\"", ":0\r\n");
    session_expect(session, "PUBLISH c \"\"", ":1\r\n");
    session_expect(session, "PUBSUB NUMPAT", ":2\r\n");
    close(one);
    session_pass(session);
    pubsub_validate(pubsub());
    assert_int_equal(pubsub_topics(pubsub(), PUBSUB_CHANNEL), 0);
    assert_int_equal(pubsub_topics(pubsub(), PUBSUB_PATTERN), 2);
    close(two);
    session_pass(session);
    assert_int_equal(pubsub_topics(pubsub(), PUBSUB_PATTERN), 0);
}

/* Replies before a message, the message, replies behind it: from requests of one pass. */
static void test_order(void **state) {
    (void)state;
    int fd = session_connect(session);
    session_ask_on(session, fd, "HELLO 3");
    session_ask_on(session, fd, "SUBSCRIBE a");
    for (int i = 0; i < 20; i++) {
        send_text(fd, "ECHO 1\r\nECHO 2\r\n");
        send_text(session->fd, "PUBLISH a x\r\nPUBLISH a y\r\nPING\r\n");
        send_text(fd, "ECHO 3\r\nPUBLISH a z\r\nECHO 4\r\n");
        session_pass(session);
        assert_string_equal(session_read(session, session->fd), ":1\r\n:1\r\n+PONG\r\n");
        const char *text = session_read(session, fd);
        /* Which connection has its turn first, and where a turn ends, is the loop's choice; what
         * belongs together is not. */
        const char *x = strstr(text, "$1\r\nx\r\n");
        const char *y = strstr(text, "$1\r\ny\r\n");
        const char *z = strstr(text, "$1\r\nz\r\n");
        assert_true(x != NULL && y != NULL && z != NULL && x < y);
        assert_memory_equal(z + 7, ":1\r\n", 4);
        const char *at = text;
        for (char echo[] = "$1\r\n1\r\n"; echo[4] <= '4'; echo[4]++) {
            at = strstr(at, echo);
            assert_non_null(at);
            assert_true((at < z) == (echo[4] <= '3'));
        }
        assert_int_equal(strlen(text),
                         5 * 7 - 7 + 4 +
                             3 * strlen(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"));
    }
    close(fd);
}

/* A message that a command causes for its own client does not come into the middle of its reply. */
static void test_not_inside_a_reply(void **state) {
    (void)state;
    int fd = session_connect(session);
    session_ask_on(session, fd, "HELLO 3");
    session_ask_on(session, fd, "CONFIG SET notify-keyspace-events Em");
    session_ask_on(session, fd, "SUBSCRIBE __keyevent@0__:keymiss");
    session_ask_on(session, fd, "SET a 1");
    const char *text = session_ask_on(session, fd, "MGET a none");
    const char *reply = "*2\r\n$1\r\n1\r\n_\r\n";
    assert_memory_equal(text, reply, strlen(reply));
    assert_non_null(strstr(text, "$4\r\nnone\r\n"));
    text = session_ask_on(session, fd, "GET none");
    assert_int_equal(text[0], '>');
    close(fd);
}

/* Messages that are larger than a block, and many of them in one pass, to who reads slowly. */
static void test_large_and_many(void **state) {
    (void)state;
    int fds[5];
    for (int i = 0; i < 5; i++) {
        fds[i] = session_connect(session);
        session_ask_on(session, fds[i], i == 4 ? "PSUBSCRIBE a*" : "SUBSCRIBE a aa");
    }
    char line[5000];
    size_t expected = 0;
    for (int i = 0; i < 30; i++) {
        int size = 1 + i * i * 5;
        snprintf(line, sizeof line, "PUBLISH %s %0*d\r\n", i % 4 == 0 ? "aa" : "a", size, i);
        send_text(session->fd, line);
        expected += (size_t)snprintf(NULL, 0, "*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%0*d\r\n",
                                     i % 4 == 0 ? 2 : 1, i % 4 == 0 ? "aa" : "a", size, size, i);
    }
    for (int i = 0; i < 2000; i++) {
        session_pass(session);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strlen(session_read(session, fds[i])), expected);
        close(fds[i]);
    }
    assert_true(strlen(session_read(session, fds[4])) > expected);
    close(fds[4]);
    session_read(session, session->fd);
    session_pass(session);
}

/* A client that is killed in the pass of the message does not count, and does no harm. */
static void test_killed_in_the_same_pass(void **state) {
    (void)state;
    int fd = session_connect(session);
    session_ask_on(session, fd, "SUBSCRIBE a");
    send_text(session->fd, "PUBLISH a 1\r\nCLIENT KILL TYPE pubsub\r\nPUBLISH a 2\r\n");
    session_pass(session);
    assert_string_equal(session_read(session, session->fd), ":1\r\n:1\r\n:0\r\n");
    pubsub_validate(pubsub());
    assert_int_equal(pubsub_topics(pubsub(), PUBSUB_CHANNEL), 0);
    close(fd);
}

/* Names that are long are a client's choice, and may not fit. */
static void test_no_memory(void **state) {
    (void)state;
    struct client *client = client_new_internal(session->server.context.clients);
    char name[301];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        mem_fail_after(1);
        bool done = pubsub_subscribe(pubsub(), client, (enum pubsub_kind)kind, bytes_text(name));
        mem_fail_after(0);
        assert_false(done);
        assert_null(client->subscriptions);
        assert_int_equal(pubsub_topics(pubsub(), (enum pubsub_kind)kind), 0);
        pubsub_validate(pubsub());
    }
    assert_true(pubsub_subscribe(pubsub(), client, PUBSUB_CHANNEL, bytes_text(name)));
    client_reset(client);
    client_free_internal(client);
}

enum { CLIENTS = 6, NAMES = 12, STEPS = 4000 };

static void model_step(struct random *random, struct client **clients,
                       bool model[PUBSUB_KINDS][CLIENTS][NAMES]) {
    enum pubsub_kind kind = (enum pubsub_kind)random_below(random, PUBSUB_KINDS);
    uint64_t who = random_below(random, CLIENTS);
    uint64_t which = random_below(random, NAMES);
    char name[16];
    /* Names of one length, and of another that begin alike. */
    snprintf(name, sizeof name, which % 2 == 0 ? "n%d" : "longname%d", (int)which);
    switch (random_below(random, 5)) {
    case 0:
    case 1:
        assert_true(pubsub_subscribe(pubsub(), clients[who], kind, bytes_text(name)));
        model[kind][who][which] = true;
        break;
    case 2:
    case 3:
        pubsub_unsubscribe(pubsub(), clients[who], kind, bytes_text(name));
        model[kind][who][which] = false;
        break;
    default:
        if (random_below(random, 10) == 0) {
            client_reset(clients[who]);
            for (int i = 0; i < PUBSUB_KINDS; i++) {
                memset(model[i][who], 0, sizeof model[i][who]);
            }
        }
    }
    size_t subscribers = 0;
    for (int i = 0; i < CLIENTS; i++) {
        subscribers += model[kind][i][which];
    }
    assert_int_equal(pubsub_subscribers(pubsub(), kind, bytes_text(name)), subscribers);
}

static void test_model(void **state) {
    (void)state;
    static bool model[PUBSUB_KINDS][CLIENTS][NAMES];
    struct client *clients[CLIENTS];
    struct random random;
    random_init(&random, 7);
    memset(model, 0, sizeof model);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_new_internal(session->server.context.clients);
    }
    for (int step = 0; step < STEPS; step++) {
        model_step(&random, clients, model);
        if (step % 50 == 0) {
            pubsub_validate(pubsub());
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
            size_t count = 0;
            for (int j = 0; j < NAMES; j++) {
                count += model[kind][i][j];
            }
            assert_int_equal(pubsub_count(clients[i], (enum pubsub_kind)kind), count);
        }
        client_reset(clients[i]);
        assert_null(clients[i]->subscriptions);
        client_free_internal(clients[i]);
    }
    pubsub_validate(pubsub());
    assert_int_equal(pubsub_topics(pubsub(), PUBSUB_PATTERN), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delivery, start, end),
        cmocka_unit_test_setup_teardown(test_order, start, end),
        cmocka_unit_test_setup_teardown(test_not_inside_a_reply, start, end),
        cmocka_unit_test_setup_teardown(test_large_and_many, start, end),
        cmocka_unit_test_setup_teardown(test_killed_in_the_same_pass, start, end),
        cmocka_unit_test_setup_teardown(test_no_memory, start, end),
        cmocka_unit_test_setup_teardown(test_model, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
