/* Tests of client/batch.c, in a server without a process, with constants so small that every read
 * is carried, continued in place or read into a blob, that the arena is full after some
 * connections, and that replies are flushed and held back all the time. */
#include "client/batch.h"

#include "support/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client_int.h"
#include "client/connection.h"
#include "client/input.h"

#define CROWD 40
#define MANY  60

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

static void send_bytes(int fd, const void *at, size_t size) {
    if (size > 0) {
        assert_int_equal(write(fd, at, size), size);
    }
}

static void send_text(int fd, const char *text) {
    send_bytes(fd, text, strlen(text));
}

/* Passes until so many bytes have come; they are compared. */
static void expect_bytes(int fd, const char *expected, size_t size) {
    char *got = malloc(size + 1);
    size_t have = 0;
    for (int i = 0; i < 10000 && have < size; i++) {
        session_pass(session);
        ssize_t more = read(fd, got + have, size - have);
        if (more == 0) {
            break;
        }
        have += more > 0 ? (size_t)more : 0;
    }
    got[have] = '\0';
    if (have != size || memcmp(got, expected, size) != 0) {
        fail_msg("got %zu of %zu bytes: %.2000s", have, size, got);
    }
    free(got);
}

static void expect_text(int fd, const char *expected) {
    expect_bytes(fd, expected, strlen(expected));
}

static void expect_quiet(int fd) {
    char byte;
    for (int i = 0; i < 5; i++) {
        session_pass(session);
        assert_true(read(fd, &byte, 1) < 0 && errno == EAGAIN);
    }
}

static void expect_end(int fd) {
    char byte;
    for (int i = 0; i < 100; i++) {
        session_pass(session);
        ssize_t size = read(fd, &byte, 1);
        if (size == 0 || (size < 0 && errno == ECONNRESET)) {
            close(fd);
            return;
        }
        assert_true(size < 0 && errno == EAGAIN);
    }
    fail_msg("the connection stays open");
}

/* The only client beside the session's own. */
static struct client *other_client(void) {
    struct client *client = clients_first(session->server.context.clients)->next;
    assert_non_null(client);
    return client;
}

static void append_value(struct buffer *out, size_t size, char fill) {
    buffer_printf(out, "$%zu\r\n", size);
    memset(buffer_reserve(out, size), fill, size);
    out->size += size;
    buffer_append_text(out, "\r\n");
}

/* Requests of every kind, and what they answer. */
static void make_pipeline(struct buffer *out, struct buffer *answers) {
    buffer_init(out, MEM_OTHER);
    buffer_init(answers, MEM_OTHER);
    buffer_append_text(out, "*1\r\n$4\r\nPING\r\nping\r\n\r\n*0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n");
    append_value(out, INPUT_BLOB_MIN + 20, 'a');
    buffer_append_text(out, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*5\r\n$4\r\nMSET\r\n$1\r\nb\r\n");
    append_value(out, 2 * INPUT_TRUST + 9, 'b');
    buffer_append_text(out, "$1\r\nc\r\n");
    append_value(out, INPUT_BLOB_MIN, 'c');
    buffer_append_text(out,
                       "*4\r\n$4\r\nMGET\r\n$1\r\nc\r\n$1\r\nx\r\n$1\r\nb\r\nnosuch 'a b'\r\n");
    buffer_append_text(out, "*2\r\n$4\r\nECHO\r\n");
    append_value(out, INPUT_BLOB_MIN + 1, 'e');
    buffer_append_text(out, "*13\r\n$4\r\nMSET\r\n");
    for (int i = 0; i < 12; i++) {
        append_value(out, (size_t)i + 1, (char)('0' + i));
    }
    buffer_append_text(out, "strlen b\r\n");
    buffer_append_text(answers, "+PONG\r\n+PONG\r\n+OK\r\n");
    append_value(answers, INPUT_BLOB_MIN + 20, 'a');
    buffer_append_text(answers, "+OK\r\n*3\r\n");
    append_value(answers, INPUT_BLOB_MIN, 'c');
    buffer_append_text(answers, "$-1\r\n");
    append_value(answers, 2 * INPUT_TRUST + 9, 'b');
    buffer_append_text(answers,
                       "-ERR unknown command 'nosuch', with args beginning with: 'a b' \r\n");
    append_value(answers, INPUT_BLOB_MIN + 1, 'e');
    buffer_printf(answers, "+OK\r\n:%d\r\n", 2 * INPUT_TRUST + 9);
}

static void test_whole(void **state) {
    (void)state;
    struct buffer pipeline;
    struct buffer answers;
    make_pipeline(&pipeline, &answers);
    for (int i = 0; i < 3; i++) {
        send_bytes(session->fd, pipeline.at, pipeline.size);
        expect_bytes(session->fd, answers.at, answers.size);
    }
    /* What has been answered has left nothing behind. */
    assert_null(clients_first(session->server.context.clients)->input);
    buffer_clear(&pipeline);
    buffer_clear(&answers);
}

static void test_every_split(void **state) {
    (void)state;
    struct buffer pipeline;
    struct buffer answers;
    make_pipeline(&pipeline, &answers);
    for (size_t at = 1; at < pipeline.size; at++) {
        send_bytes(session->fd, pipeline.at, at);
        for (int i = 0; i < 20; i++) {
            session_pass(session);
        }
        send_bytes(session->fd, pipeline.at + at, pipeline.size - at);
        expect_bytes(session->fd, answers.at, answers.size);
    }
    buffer_clear(&pipeline);
    buffer_clear(&answers);
}

static void test_small_pieces(void **state) {
    (void)state;
    struct buffer pipeline;
    struct buffer answers;
    make_pipeline(&pipeline, &answers);
    for (size_t step = 1; step < 70; step += 1 + step / 8) {
        for (size_t at = 0; at < pipeline.size; at += step) {
            size_t left = pipeline.size - at;
            send_bytes(session->fd, pipeline.at + at, step < left ? step : left);
            session_pass(session);
        }
        expect_bytes(session->fd, answers.at, answers.size);
    }
    buffer_clear(&pipeline);
    buffer_clear(&answers);
}

/* A request that takes several pages, in pieces of every size: a new page may begin with next to
 * nothing in it. */
static void test_many_arguments_in_pieces(void **state) {
    (void)state;
    struct buffer request;
    buffer_init(&request, MEM_OTHER);
    buffer_printf(&request, "*%d\r\n$4\r\nMSET\r\n", 2 * MANY + 1);
    for (int i = 0; i < MANY; i++) {
        buffer_printf(&request, "$8\r\nmany:%03d\r\n$3\r\n%03d\r\n", i, i);
    }
    assert_true(request.size > 4 * (size_t)INPUT_PAGE);
    int fd = session_connect(session);
    for (size_t piece = 1; piece < 90; piece++) {
        for (size_t at = 0; at < request.size; at += piece) {
            size_t left = request.size - at;
            send_bytes(fd, request.at + at, left < piece ? left : piece);
            session_pass(session);
        }
        expect_text(fd, "+OK\r\n");
        send_text(fd, "GET many:000\r\nGET many:059\r\nFLUSHALL\r\n");
        expect_text(fd, "$3\r\n000\r\n$3\r\n059\r\n+OK\r\n");
    }
    buffer_clear(&request);
    close(fd);
}

/* Many at once: the arena is full several times in a pass, with some that carry and some that do
 * not. */
static void test_crowd(void **state) {
    (void)state;
    struct buffer pipeline;
    struct buffer answers;
    make_pipeline(&pipeline, &answers);
    int crowd[CROWD];
    size_t sent[CROWD] = {0};
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = session_connect(session);
    }
    bool all = false;
    while (!all) {
        all = true;
        for (int i = 0; i < CROWD; i++) {
            size_t left = pipeline.size - sent[i];
            size_t part = (size_t)(i * 13) % 97 + 1;
            part = part < left ? part : left;
            send_bytes(crowd[i], pipeline.at + sent[i], part);
            sent[i] += part;
            all &= sent[i] == pipeline.size;
        }
        session_pass(session);
    }
    for (int i = 0; i < CROWD; i++) {
        expect_bytes(crowd[i], answers.at, answers.size);
        close(crowd[i]);
    }
    buffer_clear(&pipeline);
    buffer_clear(&answers);
}

/* Here every request is heavy: a first turn has 3 of them, a further one 5, and a batch is full
 * with 8. Of the 9 that each of a crowd has sent, no pass takes more than what its two batches
 * hold, where one client's may all come at once because so many are cut already; all are answered
 * in order. One of them has gone after sending: what it sent is done too. */
static void test_turns(void **state) {
    (void)state;
    static const char nine[] =
        "INCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINCR a\nGET a\n";
    const struct client_metrics *metrics = &session->server.context.clients->metrics;
    int crowd[CROWD];
    session_ask(session, "PING");
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = session_connect(session);
    }
    session_pass(session); /* accepted */
    for (int i = 0; i < CROWD; i++) {
        char *text = strdup(nine);
        for (char *a = text; (a = strstr(a, " a")) != NULL;) {
            a[1] = (char)('0' + i);
        }
        send_text(crowd[i], text);
        free(text);
    }
    close(crowd[7]);
    uint64_t all = metrics->total_commands_processed + (uint64_t)9 * CROWD;
    for (int i = 0; i < 10 * CROWD; i++) {
        uint64_t before = metrics->total_commands_processed;
        loop_run_once(session->server.loop, 0);
        uint64_t executed = metrics->total_commands_processed - before;
        assert_in_range(executed, 0, (7 + 9) + (7 + 5));
    }
    assert_int_equal(metrics->total_commands_processed, all);
    for (int i = 0; i < CROWD; i++) {
        if (i != 7) {
            expect_text(crowd[i], ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n$1\r\n8\r\n");
            close(crowd[i]);
        }
    }
    session_expect(session, "GET 7", "$1\r\n8\r\n");
}

/* Nothing is known yet of what requests take, so the first batch is long, and here its time is up
 * at the first look at the clock, after 3 requests. The rest goes back and has its turns later: in
 * order, with all replies, and also when the peer has gone meanwhile or the protocol was broken. */
static void check_late(const char *last, const char *answer, bool stays) {
    enum { LATE = 7 };
    const struct client_metrics *metrics = &session->server.context.clients->metrics;
    struct buffer expected;
    buffer_init(&expected, MEM_OTHER);
    uint64_t before = metrics->total_commands_processed;
    for (int i = 0; i < LATE; i++) {
        send_text(session->fd, "INCR a\r\n");
        buffer_printf(&expected, ":%d\r\n", i + 1);
    }
    send_text(session->fd, last);
    buffer_append_text(&expected, answer);
    if (!stays) {
        close(session->fd);
    }
    session->server.context.clients->resumed = true; /* so this pass does not go on with it */
    loop_run_once(session->server.loop, 0);
    assert_int_equal(metrics->total_commands_processed - before, 3);
    for (int i = 0; i < LATE; i++) {
        session_pass(session);
    }
    assert_in_range(metrics->total_commands_processed - before, LATE, LATE + 1);
    if (stays) {
        expect_bytes(session->fd, expected.at, expected.size);
        close(session->fd);
    }
    session->fd = session_connect(session);
    session_expect(session, "GET a", "$1\r\n7\r\n");
    buffer_clear(&expected);
}

static void test_late(void **state) {
    (void)state;
    check_late("ECHO z\r\n", "$1\r\nz\r\n", true);
}

static void test_late_and_gone(void **state) {
    (void)state;
    check_late("ECHO z\r\n", "", false);
}

static void test_late_and_broken(void **state) {
    (void)state;
    check_late("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n", true);
}

/* The end of a turn in odd places: before a request of which only a part has come, before what is
 * paused, and before the connection's end. */
static void test_turns_that_end(void **state) {
    (void)state;
    int fd = session_connect(session);
    for (int whole = 1; whole < 9; whole++) {
        session_expect(session, "SET a 0", "+OK\r\n");
        char expected[64] = "";
        for (int i = 1; i <= whole; i++) {
            snprintf(expected + 4 * (i - 1), sizeof expected - 4 * (size_t)(i - 1), ":%d\r\n", i);
        }
        send_text(
            fd,
            &"INCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINCR a\nINC"[7 *
                                                                                   (8 - whole)]);
        expect_text(fd, expected);
        send_text(fd, "R a\n");
        expect_text(fd, (char[]){':', (char)('1' + whole), '\r', '\n', '\0'});
    }
    session_expect(session, "SET a 6", "+OK\r\n");
    session_expect(session, "CLIENT PAUSE 1000000 WRITE", "+OK\r\n");
    send_text(fd, "GET a\nGET a\nGET a\nGET a\nGET a\nGET a\nINCR a\nGET a\n");
    for (int i = 0; i < 6; i++) {
        expect_text(fd, "$1\r\n6\r\n");
    }
    expect_quiet(fd);
    session_expect(session, "CLIENT UNPAUSE", "+OK\r\n");
    expect_text(fd, ":7\r\n$1\r\n7\r\n");
    send_text(fd, "PING\nPING\nPING\nPING\nPING\nPING\nQUIT\nINCR a\n");
    expect_text(fd, "+PONG\r\n+PONG\r\n+PONG\r\n+PONG\r\n+PONG\r\n+PONG\r\n+OK\r\n");
    expect_end(fd);
    session_expect(session, "GET a", "$1\r\n7\r\n");
}

/* A pause in the middle of a pipeline, of which the end has not arrived: everything comes in order
 * afterwards, wherever it was cut. */
static void test_pause_at_every_place(void **state) {
    (void)state;
    struct buffer pipeline;
    struct buffer answers;
    make_pipeline(&pipeline, &answers);
    int fd = session_connect(session);
    for (size_t at = 1; at < pipeline.size; at += 3) {
        session_expect(session, "CLIENT PAUSE 1000000 WRITE", "+OK\r\n");
        send_bytes(fd, pipeline.at, at);
        for (int i = 0; i < 20; i++) {
            session_pass(session);
        }
        session_expect(session, "CLIENT UNPAUSE", "+OK\r\n");
        send_bytes(fd, pipeline.at + at, pipeline.size - at);
        expect_bytes(fd, answers.at, answers.size);
    }
    close(fd);
    buffer_clear(&pipeline);
    buffer_clear(&answers);
}

/* What is wrong stays wrong in the same way when it waits behind a pause. */
static void test_fault_behind_a_pause(void **state) {
    (void)state;
    static const struct {
        const char *request;
        const char *error;
    } faults[] = {
        {"*x\r\n", "invalid multibulk length"},
        {"*1\r\n+PING\r\n", "expected '$', got '+'"},
        {"*1\r\n$-5\r\n", "invalid bulk length"},
        {"GET \"a\r\n", "unbalanced quotes in request"},
        {"*1\r\n$4\r\nPINGPING", "expected CR and LF"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        int fd = session_connect(session);
        session_expect(session, "CLIENT PAUSE 1000000 WRITE", "+OK\r\n");
        send_text(fd, "PING\r\nSET a 1\r\nGET a\r\n");
        send_text(fd, faults[i].request);
        expect_text(fd, "+PONG\r\n");
        expect_quiet(fd);
        session_expect(session, "CLIENT UNPAUSE", "+OK\r\n");
        char expected[128];
        snprintf(expected, sizeof expected, "+OK\r\n$1\r\n1\r\n-ERR Protocol error: %s\r\n",
                 faults[i].error);
        expect_text(fd, expected);
        expect_end(fd);
    }
}

static void test_end_during_a_pause(void **state) {
    (void)state;
    session_expect(session, "CLIENT PAUSE 1000000 WRITE", "+OK\r\n");
    int fd = session_connect(session);
    send_text(fd, "SET gone 1\r\n");
    session_pass(session);
    close(fd);
    fd = session_connect(session);
    send_text(fd, "SET killed 1\r\n");
    session_pass(session);
    session_ask(session, "CLIENT KILL TYPE normal SKIPME yes");
    expect_end(fd);
    session_expect(session, "CLIENT UNPAUSE", "+OK\r\n");
    session_expect(session, "EXISTS killed", ":0\r\n");
    assert_int_equal(clients_count(session->server.context.clients), 1);
}

/* Replies pile up: the requests behind them wait, and all comes in order once they are taken. Large
 * values are held, not copied, and are those of the time of the request. */
static void test_backlog(void **state) {
    (void)state;
    int fd = session_connect(session);
    size_t size = 100000;
    int count = 40;
    char *value = malloc(size + 1);
    memset(value, 'v', size);
    value[size] = '\0';
    char head[64];
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", size);
    send_text(session->fd, head);
    send_bytes(session->fd, value, size);
    send_text(session->fd, "\r\n");
    expect_text(session->fd, "+OK\r\n");
    for (int i = 0; i < count; i++) {
        char echo[64];
        snprintf(echo, sizeof echo, "GET k\r\n*2\r\n$4\r\nECHO\r\n$4\r\n%04d\r\n", i);
        send_text(fd, echo);
    }
    for (int i = 0; i < 50; i++) {
        session_pass(session);
    }
    struct client *client = other_client();
    assert_true(client->state & CONNECTION_READING_PAUSED);
    assert_true(client->output.size > 0);
    assert_true(client->output.size < 3 * size);
    snprintf(head, sizeof head, "$%zu\r\n", size);
    for (int i = 0; i < count; i++) {
        char echo[64];
        expect_text(fd, head);
        expect_bytes(fd, value, size);
        snprintf(echo, sizeof echo, "\r\n$4\r\n%04d\r\n", i);
        expect_text(fd, echo);
    }
    assert_false(client->state & CONNECTION_READING_PAUSED);
    assert_int_equal(client->output.footprint, 0);
    close(fd);
    free(value);
}

/* The same with small replies, of which no single batch has many. */
static void test_backlog_of_small_replies(void **state) {
    (void)state;
    int fd = session_connect(session);
    size_t sent = 0;
    for (int i = 0; i < 200000; i++) {
        if (write(fd, "PING\r\n", 6) != 6) {
            if (other_client()->state & CONNECTION_READING_PAUSED) {
                break;
            }
            session_pass(session);
            continue;
        }
        sent++;
    }
    struct client *client = other_client();
    for (int i = 0; i < 5000; i++) {
        session_pass(session);
    }
    assert_true(client->state & CONNECTION_READING_PAUSED);
    assert_true(client->output.footprint < 256 * 1024);
    for (size_t i = 0; i < sent; i++) {
        expect_text(fd, "+PONG\r\n");
    }
    expect_quiet(fd);
    close(fd);
}

static void test_kill_in_one_batch(void **state) {
    (void)state;
    int fd = session_connect(session);
    char line[64];
    snprintf(line, sizeof line, "CLIENT KILL ID %d\r\n", (int)other_client()->id);
    /* Both in one pass: the victim's requests before or behind do no harm. */
    send_text(session->fd, line);
    send_text(fd, "SET a 1\r\nGET a\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1000\r\nx");
    expect_text(session->fd, ":1\r\n");
    char rest[256];
    for (int i = 0; i < 100 && read(fd, rest, sizeof rest) != 0; i++) {
        session_pass(session);
    }
    close(fd);
    session_pass(session);
    assert_int_equal(clients_count(session->server.context.clients), 1);
    /* Oneself: answered, and nothing behind it. */
    fd = session_connect(session);
    send_text(fd, "PING\r\nCLIENT KILL TYPE normal SKIPME no\r\nSET never 1\r\n");
    expect_text(fd, "+PONG\r\n:2\r\n");
    expect_end(fd);
    close(session->fd);
    session->fd = session_connect(session);
    session_expect(session, "EXISTS never", ":0\r\n");
}

static void test_quit(void **state) {
    (void)state;
    int fd = session_connect(session);
    send_text(fd, "PING\r\nQUIT\r\nSET never 1\r\n*x\r\n");
    expect_text(fd, "+PONG\r\n+OK\r\n");
    expect_end(fd);
    session_expect(session, "EXISTS never", ":0\r\n");
}

/* Before AUTH little may be announced; what comes with AUTH in one packet is behind it. */
static void test_strangers(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET requirepass pw", "+OK\r\n");
    char many[256] = "*13\r\n$4\r\nMSET\r\n";
    for (int i = 0; i < 12; i++) {
        strcat(many, "$1\r\nx\r\n");
    }
    int fd = session_connect(session);
    send_text(fd, many);
    expect_text(fd, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    expect_end(fd);
    fd = session_connect(session);
    send_text(fd, "PING\r\n");
    send_text(fd, many);
    expect_text(fd, "-NOAUTH Authentication required.\r\n"
                    "-ERR Protocol error: unauthenticated multibulk length\r\n");
    expect_end(fd);
    fd = session_connect(session);
    send_text(fd, "AUTH wrong\r\n");
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$16385\r\n");
    expect_text(fd, "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                    "-ERR Protocol error: unauthenticated bulk length\r\n");
    expect_end(fd);
    fd = session_connect(session);
    send_text(fd, "AUTH pw\r\n");
    send_text(fd, many);
    send_text(fd, many);
    send_text(fd, "PING\r\n");
    expect_text(fd, "+OK\r\n+OK\r\n+OK\r\n+PONG\r\n");
    close(fd);
}

/* A monitor sees its own commands, each behind the reply to the one before. */
static void test_monitor_of_itself(void **state) {
    (void)state;
    int fd = session_connect(session);
    send_text(fd, "MONITOR\r\nPING\r\nECHO x\r\nPING\r\n");
    expect_text(fd, "+OK\r\n");
    char got[4096];
    size_t have = 0;
    for (int i = 0; i < 1000 && have < sizeof got - 1; i++) {
        session_pass(session);
        ssize_t more = read(fd, got + have, sizeof got - 1 - have);
        have += more > 0 ? (size_t)more : 0;
    }
    got[have] = '\0';
    /* Times are left out. */
    const char *at = got;
    static const char *const parts[] = {"+PONG\r\n+", "] \"PING\"\r\n$1\r\nx\r\n+",
                                        "] \"ECHO\" \"x\"\r\n+PONG\r\n+", "] \"PING\"\r\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *place = strstr(at, parts[i]);
        if (place == NULL) {
            fail_msg("`%s` is missing in `%s`", parts[i], got);
        }
        at = place + strlen(parts[i]);
    }
    close(fd);
}

static void test_muted(void **state) {
    (void)state;
    int fd = session_connect(session);
    send_text(fd, "CLIENT REPLY OFF\r\nSET a 1\r\nnosuch\r\nGET a\r\nCLIENT REPLY ON\r\nGET a\r\n"
                  "CLIENT REPLY SKIP\r\nGET a\r\nPING\r\n"
                  "CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nGET a\r\nPING\r\n");
    expect_text(fd, "+OK\r\n$1\r\n1\r\n+PONG\r\n+PONG\r\n");
    expect_quiet(fd);
    close(fd);
}

/* A query over its limit closes the connection, whether it is announced or comes. */
static void test_query_limit(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET client-query-buffer-limit 1mb proto-max-bulk-len 512mb",
                   "+OK\r\n");
    const struct client_metrics *metrics = clients_metrics(session->server.context.clients);
    int fd = session_connect(session);
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$2000000\r\n");
    expect_end(fd);
    assert_int_equal(metrics->client_query_buffer_limit_disconnections, 1);
    fd = session_connect(session);
    send_text(fd, "*1000000\r\n");
    char args[1024];
    for (size_t i = 0; i < sizeof args; i += 8) {
        memcpy(args + i, "$2\r\nab\r\n", 8);
    }
    bool closed = false;
    for (int i = 0; i < 4000 && !closed; i++) {
        ssize_t size = send(fd, args, sizeof args, MSG_NOSIGNAL);
        assert_true(size == (ssize_t)sizeof args || size < 0);
        closed = size < 0 && errno == EPIPE;
        for (int j = 0; j < 8; j++) {
            session_pass(session);
        }
    }
    assert_true(closed);
    close(fd);
    assert_int_equal(metrics->client_query_buffer_limit_disconnections, 2);
    session_expect(session, "PING", "+PONG\r\n");
}

/* Memory for what is being read runs out: that connection ends, the others do not notice. */
/* Connections closed for want of memory, for their request or for the reply. */
static uint64_t closed_count(void) {
    const struct client_metrics *metrics = clients_metrics(session->server.context.clients);
    return metrics->client_query_buffer_limit_disconnections +
           metrics->client_output_buffer_limit_disconnections;
}

/* Wherever a request of many arguments finds no memory, its connection ends, and is counted. */
static void test_no_memory_for_many_arguments(void **state) {
    (void)state;
    struct buffer request;
    buffer_init(&request, MEM_OTHER);
    buffer_append_text(&request, "*201\r\n$6\r\nEXISTS\r\n");
    for (int i = 0; i < 200; i++) {
        append_value(&request, (size_t)i % 9, 'k');
    }
    uint64_t closed = closed_count();
    bool failed = true;
    for (uint64_t which = 1; failed; which++) {
        int fd = session_connect(session);
        session_pass(session);
        mem_fail_after(which);
        failed = false;
        for (size_t at = 0; at < request.size && !failed; at += 50) {
            send_bytes(fd, request.at + at, request.size - at < 50 ? request.size - at : 50);
            session_pass(session);
            failed = closed_count() > closed;
        }
        mem_fail_after(0);
        if (failed) {
            closed++;
            assert_int_equal(closed_count(), closed);
            expect_end(fd);
        } else {
            assert_true(which > 3);
            expect_text(fd, ":0\r\n");
            close(fd);
        }
        session_pass(session);
    }
    buffer_clear(&request);
}

static void test_no_memory(void **state) {
    (void)state;
    int fd = session_connect(session);
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$100000\r\nabc");
    mem_fail_after(1);
    session_pass(session);
    mem_fail_after(0);
    expect_end(fd);
    fd = session_connect(session);
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$100000\r\nabc");
    session_pass(session);
    char part[INPUT_TRUST];
    memset(part, 'x', sizeof part);
    send_bytes(fd, part, sizeof part);
    session_pass(session);
    send_bytes(fd, part, sizeof part);
    mem_fail_after(1);
    session_pass(session);
    mem_fail_after(0);
    expect_end(fd);
    session_expect(session, "PING", "+PONG\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, start, end),
        cmocka_unit_test_setup_teardown(test_every_split, start, end),
        cmocka_unit_test_setup_teardown(test_small_pieces, start, end),
        cmocka_unit_test_setup_teardown(test_many_arguments_in_pieces, start, end),
        cmocka_unit_test_setup_teardown(test_crowd, start, end),
        cmocka_unit_test_setup_teardown(test_late, start, end),
        cmocka_unit_test_setup_teardown(test_late_and_gone, start, end),
        cmocka_unit_test_setup_teardown(test_late_and_broken, start, end),
        cmocka_unit_test_setup_teardown(test_turns, start, end),
        cmocka_unit_test_setup_teardown(test_turns_that_end, start, end),
        cmocka_unit_test_setup_teardown(test_pause_at_every_place, start, end),
        cmocka_unit_test_setup_teardown(test_fault_behind_a_pause, start, end),
        cmocka_unit_test_setup_teardown(test_end_during_a_pause, start, end),
        cmocka_unit_test_setup_teardown(test_backlog, start, end),
        cmocka_unit_test_setup_teardown(test_backlog_of_small_replies, start, end),
        cmocka_unit_test_setup_teardown(test_kill_in_one_batch, start, end),
        cmocka_unit_test_setup_teardown(test_quit, start, end),
        cmocka_unit_test_setup_teardown(test_strangers, start, end),
        cmocka_unit_test_setup_teardown(test_monitor_of_itself, start, end),
        cmocka_unit_test_setup_teardown(test_muted, start, end),
        cmocka_unit_test_setup_teardown(test_query_limit, start, end),
        cmocka_unit_test_setup_teardown(test_no_memory_for_many_arguments, start, end),
        cmocka_unit_test_setup_teardown(test_no_memory, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
