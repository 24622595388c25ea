/* I/O threads where something happens in the middle of something else: the end of the server under
 * load; moving while paused, while held up by a full socket, while being killed; limits, passwords
 * and broken requests of connections that other threads serve; the order of replies and messages.
 */
#include "probe.h"
#include "wire.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CROWD 12

static const char *const four[] = {"--io-threads", "4", "--io-cpulist", "0,1", NULL};

static struct server *server;
static int control; /* a connection that nothing happens to */

static int start(void **state) {
    (void)state;
    server = server_start(four);
    control = wire_connect(server);
    return 0;
}

static int end(void **state) {
    (void)state;
    close(control);
    server_stop(server);
    return 0;
}

static void connect_crowd(const struct server *to, int *fds) {
    for (int i = 0; i < CROWD; i++) {
        fds[i] = wire_connect(to);
        wire_settle(fds[i]);
    }
}

static void close_crowd(const int *fds) {
    for (int i = 0; i < CROWD; i++) {
        close(fds[i]);
    }
}

static void set_threads(int count) {
    char line[64];
    snprintf(line, sizeof line, "CONFIG SET io-threads %d", count);
    wire_expect_reply(control, line, "+OK");
}

static void set_option(const char *name, const char *value) {
    char *reply = wire_ask(control, "CONFIG", "SET", name, value, NULL);
    assert_string_equal(reply, "+OK");
    free(reply);
}

struct wanted {
    const char *field;
    int64_t number;
};

static bool is_as_wanted(void *context) {
    const struct wanted *wanted = context;
    return probe_info(control, wanted->field) == wanted->number;
}

static void await_number(const char *field, int64_t number) {
    struct wanted wanted = {field, number};
    harness_wait_for(is_as_wanted, &wanted, field);
}

/* `count` times the same line, in one piece. */
static void send_repeatedly(int fd, const char *line, int count) {
    size_t size = strlen(line);
    char *text = malloc(size * (size_t)count + 1);
    for (int i = 0; i < count; i++) {
        memcpy(text + size * (size_t)i, line, size);
    }
    wire_send(fd, text, size * (size_t)count);
    free(text);
}

/* Replies of a counter, one after the other, however many digits. */
static void expect_numbers(int fd, int from, int to) {
    for (int i = from; i <= to; i++) {
        char text[32];
        snprintf(text, sizeof text, ":%d\r\n", i);
        wire_expect(fd, text);
    }
}

static void set_large(int fd, const char *key, size_t size) {
    char head[64];
    int length = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n",
                          strlen(key), key, size);
    char *value = malloc(size + 2);
    memset(value, 'v', size);
    memcpy(value + size, "\r\n", 2);
    wire_send(fd, head, (size_t)length);
    wire_send(fd, value, size + 2);
    wire_expect(fd, "+OK\r\n");
    free(value);
}

/* Reads bulk replies of `size` times 'v'. */
static void expect_large(int fd, size_t size, int count) {
    char head[32];
    char *value = malloc(size + 2);
    snprintf(head, sizeof head, "$%zu\r\n", size);
    for (int i = 0; i < count; i++) {
        wire_expect(fd, head);
        wire_read(fd, value, size + 2);
        assert_int_equal(value[0], 'v');
        assert_memory_equal(value, value + 1, size - 1);
        assert_memory_equal(value + size, "\r\n", 2);
    }
    free(value);
}

/* ---- the end of the server ---- */

/* What had arrived when it was told to end is answered, however much it is. */
static void answers_before_it_ends(void **state) {
    (void)state;
    enum { COUNT = 1500, LARGE = 50000, LARGE_COUNT = 100 };
    struct server *ending = server_start(four);
    int fds[CROWD];
    connect_crowd(ending, fds);
    set_large(fds[0], "large", LARGE);
    for (int i = 0; i < CROWD; i++) {
        char line[32];
        snprintf(line, sizeof line, "INCR n%d\r\n", i);
        send_repeatedly(fds[i], line, COUNT);
        if (i % 3 == 0) {
            send_repeatedly(fds[i], "GET large\r\n", LARGE_COUNT);
        }
    }
    assert_int_equal(kill(server_pid(ending), SIGTERM), 0);
    for (int i = 0; i < CROWD; i++) {
        expect_numbers(fds[i], 1, COUNT);
        if (i % 3 == 0) {
            expect_large(fds[i], LARGE, LARGE_COUNT);
        }
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect_end(fds[i]);
    }
    close_crowd(fds);
    server_wait(ending);
}

struct pusher {
    pthread_t thread;
    int fd;
    _Atomic int64_t replies;
};

#define PUSHERS 4
/* Replies that each has got when they are under way. */
#define PUSHED_MIN 5000

/* Pipelines until the connection ends. */
static void *push(void *context) {
    struct pusher *pusher = context;
    char requests[200 * 6];
    char replies[200 * 7];
    for (int i = 0; i < 200; i++) {
        memcpy(requests + i * 6, "PING\r\n", 6);
    }
    while (send(pusher->fd, requests, sizeof requests, MSG_NOSIGNAL) == sizeof requests &&
           recv(pusher->fd, replies, sizeof replies, MSG_WAITALL) == sizeof replies) {
        pusher->replies += 200;
    }
    return NULL;
}

static bool are_under_way(void *context) {
    const struct pusher *pushers = context;
    for (int i = 0; i < PUSHERS; i++) {
        if (pushers[i].replies < PUSHED_MIN) {
            return false;
        }
    }
    return true;
}

/* Told to end by a signal or a command while requests come without end. */
static void ends_under_load(void **state) {
    (void)state;
    static const char *const commands[] = {NULL, "SHUTDOWN\r\n", "SHUTDOWN NOW\r\n"};
    for (int round = 0; round < 3; round++) {
        struct server *ending = server_start(four);
        struct pusher pushers[PUSHERS] = {0};
        for (int i = 0; i < PUSHERS; i++) {
            pushers[i].fd = wire_connect(ending);
            assert_int_equal(pthread_create(&pushers[i].thread, NULL, push, &pushers[i]), 0);
        }
        int fd = wire_connect(ending);
        harness_wait_for(are_under_way, pushers, "load");
        if (round == 1) {
            wire_expect_reply(fd, "CONFIG SET io-threads 2", "+OK"); /* in the middle of moving */
        }
        if (commands[round] == NULL) {
            assert_int_equal(kill(server_pid(ending), SIGTERM), 0);
        } else {
            wire_send_text(fd, commands[round]);
        }
        for (int i = 0; i < PUSHERS; i++) {
            pthread_join(pushers[i].thread, NULL);
            close(pushers[i].fd);
        }
        wire_expect_end(fd);
        close(fd);
        server_wait(ending);
    }
}

/* ---- moving in the middle of something ---- */

static void moves_while_paused(void **state) {
    (void)state;
    int fds[CROWD];
    connect_crowd(server, fds);
    wire_expect_reply(control, "CLIENT PAUSE 100000 WRITE", "+OK");
    for (int i = 0; i < CROWD; i++) {
        char text[128];
        snprintf(text, sizeof text,
                 "PING\r\nINCR p%d\r\nPING\r\nINCR p%d\r\nINCR p%d\r\n*2\r\n$4\r\nEC", i, i, i);
        wire_send_text(fds[i], text);
        wire_expect(fds[i], "+PONG\r\n");
    }
    await_number("paused_clients", CROWD);
    for (int count = 1; count <= 5; count++) {
        set_threads(count % 4 + 1);
        wire_settle(control);
    }
    /* One is killed and one leaves meanwhile. */
    char line[64];
    snprintf(line, sizeof line, "CLIENT KILL ID %lld", (long long)probe_id(control));
    int victim = wire_connect(server);
    snprintf(line, sizeof line, "CLIENT KILL ID %lld", (long long)probe_id(victim));
    wire_send_text(victim, "SET v 1\r\n");
    await_number("paused_clients", CROWD + 1);
    set_threads(3);
    wire_expect_reply(control, line, ":1");
    wire_expect_end(victim);
    close(victim);
    close(fds[0]);
    set_threads(4);
    wire_expect_reply(control, "CLIENT UNPAUSE", "+OK");
    for (int i = 1; i < CROWD; i++) {
        wire_expect(fds[i], ":1\r\n+PONG\r\n:2\r\n:3\r\n");
        wire_send_text(fds[i], "HO\r\n$2\r\nok\r\n");
        wire_expect(fds[i], "$2\r\nok\r\n");
    }
    await_number("paused_clients", 0);
    await_number("connected_clients", CROWD);
    close_crowd(fds);
    await_number("connected_clients", 1);
}

/* Requests that wait for the peer to take replies move along, and so do the replies. */
static void moves_while_held_up(void **state) {
    (void)state;
    enum { LARGE = 100000, COUNT = 150 };
    set_large(control, "held", LARGE);
    int fds[CROWD];
    connect_crowd(server, fds);
    for (int i = 0; i < CROWD; i++) {
        send_repeatedly(fds[i], "GET held\r\nPING\r\n", COUNT);
    }
    for (int count = 1; count <= 8; count++) {
        set_threads(count % 4 + 1);
        wire_settle(control);
    }
    for (int i = 0; i < CROWD; i++) {
        for (int j = 0; j < COUNT; j++) {
            expect_large(fds[i], LARGE, 1);
            wire_expect(fds[i], "+PONG\r\n");
        }
    }
    close_crowd(fds);
}

/* Orders to move, to close and to adopt meet each other, with requests under way. */
static void killed_while_moving(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        int fds[CROWD];
        for (int i = 0; i < CROWD; i++) {
            fds[i] = wire_connect(server);
        }
        if (round % 2 == 0) {
            wire_settle(fds[CROWD - 1]);
        }
        for (int i = 0; i < CROWD; i++) {
            wire_try_send(fds[i], "PING\r\nINCR k\r\nPING\r\n", 20);
        }
        char text[256];
        snprintf(text, sizeof text,
                 "CONFIG SET io-threads %d\r\n%sCLIENT KILL TYPE normal SKIPME yes\r\n",
                 1 + round % 4, round % 3 == 0 ? "PING\r\n" : "");
        wire_send_text(control, text);
        wire_expect(control, round % 3 == 0 ? "+OK\r\n+PONG\r\n" : "+OK\r\n");
        free(wire_read_reply(control));
        /* Some may have been accepted behind it. */
        free(wire_ask(control, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", NULL));
        close_crowd(fds);
        await_number("connected_clients", 1);
    }
    set_threads(4);
}

/* A message that was published before a request was executed comes before its reply, and one
 * published later behind it; also while the connection moves. */
static void messages_and_replies_keep_their_order(void **state) {
    (void)state;
    enum { COUNT = 600 };
    int subscriber = wire_connect(server);
    int publisher = wire_connect(server);
    free(wire_ask(subscriber, "HELLO", "3", NULL));
    free(wire_ask(subscriber, "SUBSCRIBE", "order", NULL));
    wire_expect_reply(control, "SET order 0", "+OK");
    int asked = 0;
    for (int i = 1; i <= COUNT; i++) {
        char line[64];
        snprintf(line, sizeof line, "INCR order\r\nPUBLISH order %d\r\n", i);
        wire_send_text(publisher, line);
        if (i % 2 == 0) {
            wire_send_text(subscriber, "GET order\r\n");
            asked++;
        }
        if (i % 25 == 0) {
            set_threads(1 + i / 25 % 4);
        }
        if (i % 50 == 0) {
            for (int j = 0; j < 100; j++) {
                free(wire_read_reply(publisher));
            }
        }
    }
    int last = 0;
    int seen = 0;
    for (int replies = 0; replies < asked || last < COUNT;) {
        char *reply = wire_read_reply(subscriber);
        int number;
        if (sscanf(reply, ">[\"message\", \"order\", \"%d\"]", &number) == 1) {
            assert_int_equal(number, last + 1);
            assert_true(number >= seen);
            last = number;
        } else {
            assert_int_equal(sscanf(reply, "\"%d\"", &number), 1);
            assert_true(number >= seen);
            assert_true(last == number || last == number - 1);
            seen = number;
            replies++;
        }
        free(reply);
    }
    close(subscriber);
    close(publisher);
    set_threads(4);
}

/* ---- what is kept on the executing thread's side ---- */

static void replies_off_and_skipped(void **state) {
    (void)state;
    int fds[CROWD];
    connect_crowd(server, fds);
    for (int i = 0; i < CROWD; i++) {
        wire_send_text(fds[i],
                       "CLIENT REPLY SKIP\r\nSET a 1\r\nPING\r\nCLIENT REPLY OFF\r\nPING\r\n");
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect(fds[i], "+PONG\r\n");
        wire_send_text(fds[i], "PING\r\nnosuch\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\n");
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect(fds[i], "+OK\r\n");
        wire_send_text(fds[i], "PING\r\nECHO x\r\n");
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect(fds[i], "$1\r\nx\r\n");
        wire_expect_reply(fds[i], "PING", "+PONG");
    }
    close_crowd(fds);
}

/* A monitor sees what connections of all threads do, each one's commands in their order. */
static void monitors_see_all_threads(void **state) {
    (void)state;
    enum { COUNT = 300 };
    int fds[CROWD];
    int monitors[2];
    connect_crowd(server, fds);
    for (int i = 0; i < 2; i++) {
        monitors[i] = wire_connect(server);
        wire_expect_reply(monitors[i], "MONITOR", "+OK");
    }
    for (int j = 0; j < COUNT; j++) {
        for (int i = 0; i < CROWD; i++) {
            char line[64];
            snprintf(line, sizeof line, "ECHO %d-%d\r\n", i, j);
            wire_send_text(fds[i], line);
        }
    }
    for (int m = 0; m < 2; m++) {
        int next[CROWD] = {0};
        for (int seen = 0; seen < CROWD * COUNT; seen++) {
            char *line = wire_read_reply(monitors[m]);
            const char *echo = strstr(line, "\"ECHO\" \"");
            if (echo == NULL) {
                echo = strstr(line, "ECHO");
            }
            assert_non_null(echo);
            int who = -1;
            int number = -1;
            assert_int_equal(sscanf(echo + strcspn(echo, "0123456789"), "%d-%d", &who, &number), 2);
            assert_in_range(who, 0, CROWD - 1);
            assert_int_equal(number, next[who]);
            next[who]++;
            free(line);
        }
        close(monitors[m]);
    }
    close_crowd(fds);
}

/* ---- limits ---- */

static void silent_subscribers_are_closed(void **state) {
    (void)state;
    int fds[CROWD];
    connect_crowd(server, fds);
    int reader = wire_connect(server);
    set_option("client-output-buffer-limit", "pubsub 1mb 0 0");
    int64_t closed = probe_info(control, "client_output_buffer_limit_disconnections");
    for (int i = 0; i < CROWD; i++) {
        free(wire_ask(fds[i], "SUBSCRIBE", "flood", NULL));
    }
    free(wire_ask(reader, "SUBSCRIBE", "flood", NULL));
    char *body = malloc(20001);
    memset(body, 'f', 20000);
    body[20000] = '\0';
    char expected[64];
    snprintf(expected, sizeof expected, "*3\r\n$7\r\nmessage\r\n$5\r\nflood\r\n$20000\r\n");
    bool alone = false;
    for (int i = 0; i < 5000 && !alone; i++) {
        char *reply = wire_ask(control, "PUBLISH", "flood", body, NULL);
        alone = strcmp(reply, ":1") == 0;
        free(reply);
        wire_expect(reader, expected);
        wire_expect(reader, body);
        wire_expect(reader, "\r\n");
    }
    free(body);
    assert_true(alone);
    assert_int_equal(probe_info(control, "client_output_buffer_limit_disconnections"),
                     closed + CROWD);
    set_option("client-output-buffer-limit", "pubsub 0 0 0");
    close(reader);
    close_crowd(fds);
}

static bool some_are_evicted(void *context) {
    return probe_info(control, "evicted_clients") > *(int64_t *)context;
}

/* Requests that never come whole take memory; the largest of their senders go, and no more of them
 * than must. */
static void largest_clients_are_evicted(void **state) {
    (void)state;
    enum { PART = 1000000, REST = 2000000 - 1000 };
    int fds[CROWD];
    connect_crowd(server, fds);
    char *part = malloc(REST);
    memset(part, 'p', REST);
    for (int i = 0; i < CROWD; i++) {
        wire_send_text(fds[i], "*2\r\n$4\r\nECHO\r\n$2000000\r\n");
        wire_send(fds[i], part, i < 4 ? PART : 1000);
    }
    int64_t evicted = probe_info(control, "evicted_clients");
    set_option("maxmemory-clients", "2900000");
    harness_wait_for(some_are_evicted, &evicted, "evicted clients");
    set_option("maxmemory-clients", "0");
    assert_in_range(probe_info(control, "evicted_clients") - evicted, 1, 4);
    for (int i = 4; i < CROWD; i++) {
        wire_send(fds[i], part, REST);
        wire_send_text(fds[i], "\r\n");
        wire_expect(fds[i], "$2000000\r\nppp");
    }
    free(part);
    close_crowd(fds);
    await_number("connected_clients", 1);
}

static void idle_ones_are_closed(void **state) {
    (void)state;
    int fds[CROWD];
    connect_crowd(server, fds);
    wire_expect_reply(fds[0], "MONITOR", "+OK");
    free(wire_ask(fds[1], "SUBSCRIBE", "quiet", NULL));
    wire_send_text(fds[2], "*2\r\n$4\r\nECHO\r\n$40000\r\nhalf");
    wire_expect_reply(control, "CONFIG SET timeout 1", "+OK");
    await_number("connected_clients", 3);
    for (int i = 2; i < CROWD; i++) {
        wire_expect_end(fds[i]);
    }
    wire_expect_reply(control, "CONFIG SET timeout 0", "+OK");
    wire_expect_reply(control, "PUBLISH quiet x", ":1");
    close_crowd(fds);
}

/* ---- requests ---- */

static void broken_requests_end_pipelines(void **state) {
    (void)state;
    int fds[CROWD];
    connect_crowd(server, fds);
    for (int i = 0; i < CROWD; i++) {
        wire_send_text(fds[i], "PING\r\nECHO a\r\n*1\r\n$x\r\nPING\r\n");
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect(fds[i], "+PONG\r\n$1\r\na\r\n-ERR Protocol error: invalid bulk length\r\n");
        wire_expect_end(fds[i]);
    }
    close_crowd(fds);
    await_number("connected_clients", 1);
}

/* Whether a long request may be sent is decided by what comes before it in the pipeline. */
static void passwords_in_pipelines(void **state) {
    (void)state;
    static const char *const options[] = {
        "--io-threads", "4", "--io-cpulist", "0,1", "--requirepass", "secret", NULL};
    static const char wide[] = "*13\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"
                               "$1\r\nc\r\n$1\r\n3\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\ne\r\n$1\r\n5\r\n"
                               "$1\r\nf\r\n$1\r\n6\r\n";
    struct server *closed = server_start(options);
    int fds[CROWD];
    for (int i = 0; i < CROWD; i++) {
        char text[512];
        fds[i] = wire_connect(closed);
        snprintf(text, sizeof text, "PING\r\nAUTH %s\r\n%sGET f\r\n",
                 i % 2 == 0 ? "secret" : "wrong", wide);
        wire_send_text(fds[i], text);
    }
    for (int i = 0; i < CROWD; i++) {
        wire_expect(fds[i], "-NOAUTH Authentication required.\r\n");
        if (i % 2 == 0) {
            wire_expect(fds[i], "+OK\r\n+OK\r\n$1\r\n6\r\n");
        } else {
            wire_expect(fds[i], "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                                "-ERR Protocol error: unauthenticated multibulk length\r\n");
            wire_expect_end(fds[i]);
        }
    }
    close_crowd(fds);
    server_stop(closed);
}

/* Large values come in at several threads at once, straight into their place, while those who send
 * them move. */
static void large_values(void **state) {
    (void)state;
    enum { SIZE = 3000000, PARTS = 10 };
    int fds[CROWD];
    connect_crowd(server, fds);
    char *value = malloc(SIZE + 32);
    memset(value, 'v', SIZE);
    snprintf(value + SIZE, 32, "\r\nGET big\r\n");
    for (int i = 0; i < CROWD; i++) {
        wire_send_text(fds[i], "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$3000000\r\n");
    }
    for (int part = 0; part < PARTS; part++) {
        for (int i = 0; i < CROWD; i++) {
            wire_send(fds[i], value + part * (SIZE / PARTS), SIZE / PARTS);
        }
        set_threads(1 + part % 4);
    }
    for (int i = 0; i < CROWD; i++) {
        wire_send_text(fds[i], value + SIZE);
        wire_expect(fds[i], "+OK\r\n");
        expect_large(fds[i], SIZE, 1);
    }
    free(value);
    close_crowd(fds);
    set_threads(4);
}

/* Who sends no more is still answered. */
static void half_closed(void **state) {
    (void)state;
    int fds[CROWD];
    connect_crowd(server, fds);
    for (int i = 0; i < CROWD; i++) {
        char line[32];
        snprintf(line, sizeof line, "INCR half%d\r\n", i);
        send_repeatedly(fds[i], line, 200);
        shutdown(fds[i], SHUT_WR);
    }
    for (int i = 0; i < CROWD; i++) {
        expect_numbers(fds[i], 1, 200);
        wire_expect_end(fds[i]);
    }
    close_crowd(fds);
    await_number("connected_clients", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_before_it_ends),
        cmocka_unit_test(ends_under_load),
        cmocka_unit_test(moves_while_paused),
        cmocka_unit_test(moves_while_held_up),
        cmocka_unit_test(killed_while_moving),
        cmocka_unit_test(messages_and_replies_keep_their_order),
        cmocka_unit_test(replies_off_and_skipped),
        cmocka_unit_test(monitors_see_all_threads),
        cmocka_unit_test(silent_subscribers_are_closed),
        cmocka_unit_test(largest_clients_are_evicted),
        cmocka_unit_test(idle_ones_are_closed),
        cmocka_unit_test(broken_requests_end_pipelines),
        cmocka_unit_test(passwords_in_pipelines),
        cmocka_unit_test(large_values),
        cmocka_unit_test(half_closed),
    };
    return cmocka_run_group_tests(tests, start, end);
}
