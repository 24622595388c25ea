/* Publish and subscribe: the same bytes as the reference sends in both protocols, in order with
 * replies; subscribers that do not read; many channels and patterns; keyspace notifications. */
#include "script.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct script *script;

static int start(void **state) {
    (void)state;
    script = script_start(NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    script_stop(script);
    return 0;
}

static const char *const protocols[] = {"", "abcd", "bd"};

static void run_in_each(const char *const *lines) {
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        script_run(script, protocols[i], lines);
    }
}

static void subscriptions(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: SUBSCRIBE",
        "a: UNSUBSCRIBE",
        "a: PUNSUBSCRIBE | SUNSUBSCRIBE",
        "a: UNSUBSCRIBE x y",
        "a: SUBSCRIBE one two one",
        "a: PSUBSCRIBE o* t?o *",
        "a: SSUBSCRIBE one shard",
        "a: UNSUBSCRIBE one | UNSUBSCRIBE one | PUNSUBSCRIBE nosuch",
        "a: PUNSUBSCRIBE",
        "a: SUNSUBSCRIBE shard",
        "b: PUBSUB CHANNELS | PUBSUB SHARDCHANNELS | PUBSUB NUMPAT",
        "a: UNSUBSCRIBE | SUNSUBSCRIBE | GET x",
        "b: PUBSUB CHANNELS | PUBSUB SHARDCHANNELS | PUBSUB NUMPAT",
        NULL,
    };
    run_in_each(lines);
}

static void what_subscribers_may(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: SUBSCRIBE one",
        "a: PING | PING text | PING a b",
        "a: GET x | SET x 1 | PUBLISH one x | SPUBLISH one x | CLIENT NO-EVICT on | CONFIG GET "
        "nosuch",
        "a: NOSUCH | GET | SUBSCRIBE | AUTH x | CLIENT nosuch",
        "a: UNSUBSCRIBE | GET x | SSUBSCRIBE s | GET x | SUNSUBSCRIBE | GET x",
        "a: PSUBSCRIBE * | GET x | RESET | GET x",
        "b: PUBLISH one x",
        "c: SUBSCRIBE one | QUIT",
        "b: PUBLISH one x",
        NULL,
    };
    run_in_each(lines);
}

static void messages(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: SUBSCRIBE one two",
        "b: PSUBSCRIBE o* t\\wo [u-z]?e",
        "c: SUBSCRIBE one",
        "d: SSUBSCRIBE one",
        "d: SPUBLISH none x",
        "c: UNSUBSCRIBE",
        "c: PUBLISH one first | PUBLISH two second | PUBLISH three x | PUBLISH o x | SPUBLISH one "
        "s",
        "c: SUBSCRIBE one",
        "b: PUNSUBSCRIBE [u-z]?e",
        "a: UNSUBSCRIBE two",
        "d: SUNSUBSCRIBE | PUBLISH one a | PUBLISH one b | PUBLISH two c | PUBLISH xxe d | PING",
        "d: PUBSUB NUMSUB one two | PUBSUB SHARDNUMSUB one | PUBSUB NUMSUB | PUBSUB NUMPAT",
        "d: PUBSUB CHANNELS o* | PUBSUB CHANNELS x* | PUBSUB CHANNELS a b | PUBSUB chAnnels a b",
        "d: PUBSUB nosuch | PUBSUB | PUBSUB NUMPAT x | PUBLISH one | SPUBLISH one",
        NULL,
    };
    run_in_each(lines);
}

/* Replies and messages of one connection in one pipeline: the order is what counts. */
static void to_oneself(void **state) {
    (void)state;
    static const char *const lines[] = {
        "a: PING | SUBSCRIBE one | PUBLISH one 1 | PING | PUBLISH one 2 | GET x | UNSUBSCRIBE one "
        "| "
        "PUBLISH one 3 | GET x",
        "b: SUBSCRIBE one | PUBLISH one 1 | PSUBSCRIBE * | PUBLISH one 2 | SET x 1 | PUBLISH two 3",
        "c: PUBLISH one 4 | PUBLISH two 5 | GET x",
        "b: PING | SSUBSCRIBE one | SPUBLISH one 6 | PING | RESET | PING",
        "d: CLIENT REPLY OFF | SUBSCRIBE one | PUBLISH one 7 | PING | UNSUBSCRIBE",
        "d: CLIENT REPLY ON | CLIENT REPLY SKIP | SUBSCRIBE one | PING",
        "c: PUBLISH one 8",
        NULL,
    };
    script_run(script, "b", lines);
    script_run(script, "abcd", lines);
}

static void notifications(void **state) {
    (void)state;
    static const char *const settings[] = {"KEA", "K$", "Ex", "AK", "KEAmn", "Eghn", "A", ""};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char set[64];
        snprintf(set, sizeof set, "b: CONFIG SET notify-keyspace-events %s", settings[i]);
        script_begin(script, i % 2 == 0 ? "" : "a");
        if (settings[i][0] != '\0') {
            script_step(script, set);
        }
        static const char *const lines[] = {
            "a: PSUBSCRIBE __key*",
            "b: CONFIG GET notify-keyspace-events",
            "b: SET s 1 | SET s 2 EX 100 | GETEX s PERSIST | INCR s | APPEND s x | SETRANGE s 2 ab",
            "b: GET none | MGET s none | EXISTS none | TTL none | DEL none | GETDEL s",
            "b: MSET a 1 b 2 | RENAME a c | COPY b d | MOVE d 1 | UNLINK b c | SETBIT bits 7 1",
            "b: HSET h f 1 g 2 | HINCRBY h f 1 | HDEL h f g | HSET h f 1 | DEL h",
            "b: SET e 1 | EXPIRE e 100 | PERSIST e | EXPIRE e -1 | SELECT 1 | GETSET d 2 | DEL d",
            "b: BITOP NOT x bits | FLUSHALL",
        };
        for (size_t j = 0; j < sizeof lines / sizeof lines[0]; j++) {
            script_step(script, lines[j]);
        }
    }
    script_begin(script, "");
    script_step(script, "b: CONFIG SET notify-keyspace-events q");
    script_step(script, "b: CONFIG SET notify-keyspace-events Ex");
    script_step(script, "a: SUBSCRIBE __keyevent@0__:expired");
    script_step(script, "b: SET gone 1 PX 1");
    script_await(script, 'a');
}

static struct server *start_small(void) {
    static const char *const options[] = {"--client-output-buffer-limit", "pubsub 4mb 0 0",
                                          "--maxclients", "1000", NULL};
    return server_start(options);
}

static bool info_has(int fd, const char *line) {
    char *info = wire_ask(fd, "INFO", NULL);
    bool found = strstr(info, line) != NULL;
    free(info);
    return found;
}

/* One that does not read is closed by its limit; the publisher and who reads notice nothing. */
static void slow_subscriber(void **state) {
    (void)state;
    struct server *server = start_small();
    int slow = wire_connect(server);
    int fast = wire_connect(server);
    int other = wire_connect(server);
    wire_expect_reply(slow, "SUBSCRIBE news", "[\"subscribe\", \"news\", :1]");
    wire_expect_reply(fast, "SUBSCRIBE news", "[\"subscribe\", \"news\", :1]");
    char body[1001];
    memset(body, 'x', 1000);
    body[1000] = '\0';
    char message[1100];
    char expected[1100];
    snprintf(message, sizeof message, "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$1000\r\n%s\r\n", body);
    snprintf(expected, sizeof expected, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1000\r\n%s\r\n",
             body);
    bool closed = false;
    for (int i = 0; i < 40000 && !closed; i += 20) {
        for (int j = 0; j < 20; j++) {
            wire_send_text(other, message);
        }
        for (int j = 0; j < 20; j++) {
            char *reply = wire_read_reply(other);
            closed |= strcmp(reply, ":1") == 0;
            assert_true(closed || strcmp(reply, ":2") == 0);
            free(reply);
            wire_expect(fast, expected);
        }
    }
    assert_true(closed);
    assert_true(info_has(other, "client_output_buffer_limit_disconnections:1\\r\\n"));
    assert_true(info_has(other, "pubsub_clients:1\\r\\n"));
    /* What had been sent is still there, then the stream ends. */
    char got[65536];
    while (recv(slow, got, sizeof got, 0) > 0) {}
    wire_expect_reply(fast, "PING", "[\"pong\", \"\"]");
    close(slow);
    close(fast);
    close(other);
    server_stop(server);
}

/* Slow, but not over its limit: gets everything, in order, when it reads at last. */
static void late_reader(void **state) {
    (void)state;
    static const char *const options[] = {"--client-output-buffer-limit", "pubsub 0 0 0", NULL};
    struct server *server = server_start(options);
    int late = wire_connect(server);
    int other = wire_connect(server);
    wire_expect_reply(late, "SUBSCRIBE one two", "[\"subscribe\", \"one\", :1]");
    free(wire_read_reply(late));
    enum { COUNT = 20000 };
    char line[2000];
    for (int i = 0; i < COUNT; i++) {
        /* The middle ones are of another channel, so that the parts do not all follow each
         * other. */
        int size = snprintf(line, sizeof line, "PUBLISH %s %d-%0*d\r\n", i % 3 == 1 ? "two" : "one",
                            i, 1 + i % 1000, 0);
        wire_send(other, line, (size_t)size);
        if (i % 100 == 99) {
            for (int j = 0; j < 100; j++) {
                wire_expect(other, ":1\r\n");
            }
        }
    }
    for (int i = 0; i < COUNT; i++) {
        char *reply = wire_read_reply(late);
        snprintf(line, sizeof line, "[\"message\", \"%s\", \"%d-%0*d\"]",
                 i % 3 == 1 ? "two" : "one", i, 1 + i % 1000, 0);
        assert_string_equal(reply, line);
        free(reply);
    }
    wire_expect_reply(late, "PING", "[\"pong\", \"\"]");
    close(late);
    close(other);
    server_stop(server);
}

static bool nobody_subscribes(void *context) {
    return info_has(*(int *)context, "pubsub_clients:0\\r\\n");
}

static void many_topics(void **state) {
    (void)state;
    enum { COUNT = 10000 };
    struct server *server = server_start(NULL);
    int channels = wire_connect(server);
    int patterns = wire_connect(server);
    int other = wire_connect(server);
    char line[100];
    for (int i = 0; i < COUNT; i++) {
        int size = snprintf(line, sizeof line, "SUBSCRIBE channel:%d\r\n", i);
        wire_send(channels, line, (size_t)size);
        size = snprintf(line, sizeof line, "PSUBSCRIBE channel:%d*\r\n", i);
        wire_send(patterns, line, (size_t)size);
        free(wire_read_reply(channels));
        free(wire_read_reply(patterns));
    }
    assert_true(info_has(other, "pubsub_channels:10000\\r\\n"));
    assert_true(info_has(other, "pubsub_patterns:10000\\r\\n"));
    wire_expect_reply(other, "PUBSUB NUMPAT", ":10000");
    wire_expect_reply(other, "PUBSUB NUMSUB channel:77 channel:10000",
                      "[\"channel:77\", :1, \"channel:10000\", :0]");
    /* 1234 has the patterns of 1, 12, 123 and its own. */
    wire_expect_reply(other, "PUBLISH channel:1234 x", ":5");
    char *reply = wire_read_reply(channels);
    assert_string_equal(reply, "[\"message\", \"channel:1234\", \"x\"]");
    free(reply);
    unsigned seen = 0;
    for (int i = 0; i < 4; i++) {
        static const char *const expected[] = {"1*", "12*", "123*", "1234*"};
        reply = wire_read_reply(patterns);
        for (unsigned j = 0; j < 4; j++) {
            snprintf(line, sizeof line, "[\"pmessage\", \"channel:%s\", \"channel:1234\", \"x\"]",
                     expected[j]);
            seen |= strcmp(reply, line) == 0 ? 1u << j : 0;
        }
        free(reply);
    }
    assert_int_equal(seen, 15);
    wire_expect_reply(other, "PUBLISH channe x", ":0");
    /* Unsubscribing from all of them, and leaving with all of them. */
    wire_send_text(channels, "UNSUBSCRIBE\r\n");
    for (int i = 0; i < COUNT; i++) {
        reply = wire_read_reply(channels);
        assert_non_null(strstr(reply, "unsubscribe"));
        free(reply);
    }
    close(patterns);
    harness_wait_for(nobody_subscribes, &other, "the end of all subscriptions");
    assert_true(info_has(other, "pubsub_channels:0\\r\\n"));
    assert_true(info_has(other, "pubsub_patterns:0\\r\\n"));
    close(channels);
    close(other);
    server_stop(server);
}

static void shown_and_killed(void **state) {
    (void)state;
    struct server *server = server_start(NULL);
    int subscriber = wire_connect(server);
    int other = wire_connect(server);
    free(wire_ask(subscriber, "CLIENT", "SETNAME", "listener", NULL));
    free(wire_ask(subscriber, "SUBSCRIBE", "one", NULL));
    free(wire_ask(subscriber, "PSUBSCRIBE", "*", NULL));
    free(wire_ask(subscriber, "SSUBSCRIBE", "s", NULL));
    char *list = wire_ask(other, "CLIENT", "LIST", "TYPE", "pubsub", NULL);
    assert_non_null(strstr(list, "name=listener "));
    assert_non_null(strstr(list, " flags=P "));
    assert_non_null(strstr(list, " sub=1 psub=1 ssub=1 "));
    free(list);
    wire_expect_reply(other, "CLIENT KILL TYPE pubsub", ":1");
    wire_expect_end(subscriber);
    wire_expect_reply(other, "PUBLISH one x", ":0");
    close(subscriber);
    close(other);
    server_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subscriptions),    cmocka_unit_test(what_subscribers_may),
        cmocka_unit_test(messages),         cmocka_unit_test(to_oneself),
        cmocka_unit_test(notifications),    cmocka_unit_test(slow_subscriber),
        cmocka_unit_test(late_reader),      cmocka_unit_test(many_topics),
        cmocka_unit_test(shown_and_killed),
    };
    return cmocka_run_group_tests(tests, start, end);
}
