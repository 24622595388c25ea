/* Requests as no client library would send them: malformed, cut anywhere, enormous, endless, from
 * strangers. Each does at most its own connection harm. */
#include "harness.h"
#include "probe.h"
#include "wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPELINE 100000
#define KEYS     100000

static struct server *server;
static int other; /* a connection that nothing happens to */

static int start(void **state) {
    (void)state;
    server = server_start(NULL);
    other = wire_connect(server);
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    wire_settle(other);
    close(other);
    server_stop(server);
}

/* Text under construction. */
struct text {
    char *at;
    size_t size;
    size_t capacity;
};

static void add(struct text *text, const void *at, size_t size) {
    if (text->size + size > text->capacity) {
        text->capacity = 2 * text->capacity + size;
        text->at = realloc(text->at, text->capacity);
        assert_non_null(text->at);
    }
    memcpy(text->at + text->size, at, size);
    text->size += size;
}

static void add_text(struct text *text, const char *more) {
    add(text, more, strlen(more));
}

static void add_bulk(struct text *text, const void *at, size_t size) {
    char head[32];
    add(text, head, (size_t)snprintf(head, sizeof head, "$%zu\r\n", size));
    add(text, at, size);
    add(text, "\r\n", 2);
}

static char *pattern(size_t size) {
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 131 + (i >> 9));
    }
    return bytes;
}

/* The error comes behind the reply to what was right, then the end; nobody else notices. */
static void expect_fault(const char *request, size_t size, const char *error) {
    int fd = wire_connect(server);
    wire_send_text(fd, "PING\r\n");
    wire_send(fd, request, size);
    char expected[256];
    snprintf(expected, sizeof expected, "+PONG\r\n-ERR Protocol error: %s\r\n", error);
    wire_expect(fd, expected);
    wire_expect_end(fd);
    close(fd);
    wire_settle(other);
}

static void protocol_errors(void **state) {
    (void)state;
    static const char *const faults[][2] = {
        {"*x\r\n", "invalid multibulk length"},
        {"*2147483648\r\n", "invalid multibulk length"},
        {"*99999999999999999999\r\n", "invalid multibulk length"},
        {"*01\r\n", "invalid multibulk length"},
        {"*1\r\n+PING\r\n", "expected '$', got '+'"},
        {"*1\r\n\r\n", "expected '$', got ' '"},
        {"*1\r\n$-1\r\n", "invalid bulk length"},
        {"*1\r\n$x\r\n", "invalid bulk length"},
        {"*1\r\n$536870913\r\n", "invalid bulk length"},
        {"*1\r\n$9223372036854775807\r\n", "invalid bulk length"},
        {"*1\r\n$18446744073709551617\r\n", "invalid bulk length"},
        {"GET \"abc\r\n", "unbalanced quotes in request"},
        {"GET 'a'b\r\n", "unbalanced quotes in request"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        harness_note(faults[i][0]);
        expect_fault(faults[i][0], strlen(faults[i][0]), faults[i][1]);
    }
    /* Here the reference is more lenient: it skips two bytes, whatever they are. */
    if (!server_is_reference()) {
        expect_fault("*1\r\n$4\r\nPINGxx", 14, "expected CR and LF");
        expect_fault("*1\rx", 4, "expected CR and LF");
    }
    char *line = malloc(70000);
    memset(line, '1', 70000);
    expect_fault(line, 70000, "too big inline request");
    line[0] = '*';
    expect_fault(line, 70000, "too big mbulk count string");
    memcpy(line, "*1\r\n$", 5);
    expect_fault(line, 70000, "too big bulk count string");
    free(line);
}

/* Lines are found in anything; they are executed only where text was spoken. */
static void binary_executes_nothing(void **state) {
    (void)state;
    if (server_is_reference()) {
        skip(); /* it finds commands there */
    }
    static const struct {
        const char *at;
        size_t size;
        const char *error;
    } samples[] = {
        {"\x16\x03\x01\x02\0\x01\r\nSET pwned 1\r\n", 21, "unexpected first byte of a request"},
        {"\x80\x2e\x01\r\nSET pwned 1\r\n", 18, "unexpected first byte of a request"},
        {"\0\r\nSET pwned 1\r\n", 16, "unexpected first byte of a request"},
        {"BIN\0\r\nSET pwned 1\r\n", 19, "NUL byte in inline request"},
        {"SET pwned \0001\r\n", 14, "NUL byte in inline request"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        expect_fault(samples[i].at, samples[i].size, samples[i].error);
        char reply[128];
        snprintf(reply, sizeof reply, "-ERR Protocol error: %s\r\n", samples[i].error);
        for (size_t first = 1; first < samples[i].size; first++) {
            int fd = wire_connect(server);
            wire_send(fd, samples[i].at, first);
            wire_settle(other);
            /* It may have closed already, so what is left need not go out. */
            wire_try_send(fd, samples[i].at + first, samples[i].size - first);
            wire_expect(fd, reply);
            close(fd);
        }
    }
    wire_expect_reply(other, "EXISTS pwned", ":0");
}

static void empty_requests_are_skipped(void **state) {
    (void)state;
    int fd = wire_connect(server);
    wire_send_text(fd, "\r\n\n*0\r\n*-1\r\n*-100\r\n  \r\nPING\r\n");
    wire_expect(fd, "+PONG\r\n");
    close(fd);
}

static void web_pages_are_refused(void **state) {
    (void)state;
    static const char *const requests[] = {"POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a b\r\n",
                                           "Host: x\r\nSET a b\r\n"};
    for (int i = 0; i < 2; i++) {
        int fd = wire_connect(server);
        wire_send_text(fd, requests[i]);
        wire_expect_end(fd);
        close(fd);
    }
    wire_expect_reply(other, "EXISTS a", ":0");
    if (!server_is_reference()) {
        probe_wait_log(server, "HTTP");
    }
}

static void strangers_get_little(void **state) {
    (void)state;
    static const char *const options[] = {"--requirepass", "secret", NULL};
    struct server *closed = server_start(options);
    static const char *const faults[][2] = {
        {"*11\r\n", "unauthenticated multibulk length"},
        {"*2147483647\r\n", "unauthenticated multibulk length"},
        {"*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        int fd = wire_connect(closed);
        wire_send_text(fd, faults[i][0]);
        char expected[128];
        snprintf(expected, sizeof expected, "-ERR Protocol error: %s\r\n", faults[i][1]);
        wire_expect(fd, expected);
        wire_expect_end(fd);
        close(fd);
    }
    /* What comes in one packet with AUTH, but behind it, is no stranger's any more. */
    struct text text = {0};
    add_text(&text, "GET a\r\nAUTH secret\r\n*23\r\n$4\r\nMSET\r\n");
    char *value = pattern(20000);
    for (int i = 0; i < 11; i++) {
        add_bulk(&text, "key", 3);
        add_bulk(&text, value, 20000);
    }
    add_text(&text, "STRLEN key\r\n");
    int fd = wire_connect(closed);
    wire_send(fd, text.at, text.size);
    wire_expect(fd, "-NOAUTH Authentication required.\r\n+OK\r\n+OK\r\n:20000\r\n");
    free(text.at);
    free(value);
    close(fd);
    server_stop(closed);
}

static void bulks_have_a_limit(void **state) {
    (void)state;
    wire_expect_reply(other, "CONFIG SET proto-max-bulk-len 1048576", "+OK");
    char *value = pattern(1048576);
    struct text text = {0};
    add_text(&text, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n");
    add_bulk(&text, value, 1048576);
    int fd = wire_connect(server);
    wire_send(fd, text.at, text.size);
    wire_expect(fd, "+OK\r\n");
    wire_send_text(fd, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n");
    wire_expect(fd, "-ERR Protocol error: invalid bulk length\r\n");
    wire_expect_end(fd);
    close(fd);
    wire_expect_reply(other, "STRLEN k", ":1048576");
    wire_expect_reply(other, "CONFIG SET proto-max-bulk-len 512mb", "+OK");
    free(text.at);
    free(value);
}

static void queries_have_a_limit(void **state) {
    (void)state;
    wire_expect_reply(other, "CONFIG SET client-query-buffer-limit 1048576", "+OK");
    int64_t before = probe_info(other, "client_query_buffer_limit_disconnections");
    int fd = wire_connect(server);
    char *value = pattern(3000000);
    wire_send_text(fd, "*2\r\n$4\r\nECHO\r\n$3000000\r\n");
    /* It is closed before all has come, at the latest at the limit. */
    int64_t end_ms = harness_now_ms() + HARNESS_WAIT_MS;
    for (size_t sent = 0;
         probe_info(other, "client_query_buffer_limit_disconnections") == before;) {
        sent += wire_try_send(fd, value + sent, 3000000 - sent);
        assert_true(harness_now_ms() < end_ms);
    }
    wire_expect_end(fd);
    close(fd);
    assert_int_equal(probe_info(other, "client_query_buffer_limit_disconnections"), before + 1);
    wire_expect_reply(other, "CONFIG SET client-query-buffer-limit 1gb", "+OK");
    free(value);
}

/* Announcements alone, by a hundred connections. */
static void announcements_take_no_memory(void **state) {
    (void)state;
    if (server_is_reference()) {
        skip(); /* it takes what is announced at once */
    }
    int64_t used = probe_info(other, "used_memory");
    int64_t resident = probe_resident(server);
    int fds[100];
    for (int i = 0; i < 100; i++) {
        fds[i] = wire_connect(server);
        wire_send_text(fds[i], i % 2 == 0 ? "*2147483647\r\n$4\r\nMGET\r\n"
                                          : "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc");
    }
    wire_settle(other);
    int64_t most = 100 * 200 * 1024;
    assert_true(probe_info(other, "used_memory") - used < most);
    if (!probe_is_sanitized(server)) {
        assert_true(probe_resident(server) - resident < most);
    }
    for (int i = 0; i < 100; i++) {
        close(fds[i]);
    }
    wire_settle(other);
}

/* Every place in a request with small arguments and one that is read into its place. */
static void requests_may_be_cut_anywhere(void **state) {
    (void)state;
    struct text text = {0};
    add_text(&text, "*3\r\n$3\r\nSET\r\n");
    add_bulk(&text, "k\r\n\0x", 5);
    add_bulk(&text, "v", 1);
    add_text(&text, "GET none\r\n*2\r\n$3\r\nGET\r\n");
    add_bulk(&text, "k\r\n\0x", 5);
    int fd = wire_connect(server);
    for (size_t at = 1; at < text.size; at++) {
        wire_send_split(fd, other, text.at, text.size, at);
        wire_expect(fd, "+OK\r\n$-1\r\n$1\r\nv\r\n");
    }
    wire_send_slowly(fd, other, text.at, text.size);
    wire_expect(fd, "+OK\r\n$-1\r\n$1\r\nv\r\n");
    free(text.at);
    close(fd);
}

static void large_arguments_may_be_cut(void **state) {
    (void)state;
    static const size_t sizes[] = {32 * 1024 - 1,  32 * 1024, 32 * 1024 + 1, 128 * 1024,
                                   128 * 1024 + 1, 1 << 20,   5000000};
    int fd = wire_connect(server);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        char *value = pattern(size);
        struct text text = {0};
        add_text(&text, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n");
        size_t head = text.size;
        add_bulk(&text, value, size);
        size_t value_at = text.size - size - 2;
        add_text(&text, "PING\r\n");
        struct text answer = {0};
        add_bulk(&answer, value, size);
        const size_t cuts[] = {head - 1,
                               head,
                               head + 3,
                               value_at,
                               value_at + 1,
                               value_at + 8192,
                               value_at + size / 2,
                               value_at + size - 1,
                               value_at + size,
                               value_at + size + 1,
                               value_at + size + 2,
                               value_at + size + 5};
        for (size_t j = 0; j < sizeof cuts / sizeof cuts[0]; j++) {
            wire_send_split(fd, other, text.at, text.size, cuts[j]);
            wire_expect(fd, "+OK\r\n+PONG\r\n");
            wire_send_text(fd, "GET big\r\n");
            wire_expect_bytes(fd, answer.at, answer.size);
        }
        free(text.at);
        free(answer.at);
        free(value);
    }
    wire_expect_reply(fd, "DEL big", ":1");
    close(fd);
}

/* Large and small arguments by turns, in pieces of odd sizes. */
static void several_large_arguments(void **state) {
    (void)state;
    char *value = pattern(400000);
    struct text text = {0};
    add_text(&text, "*9\r\n$4\r\nMSET\r\n");
    static const size_t sizes[] = {100000, 3, 32768, 400000};
    char key[2] = "a";
    for (int i = 0; i < 4; i++, key[0]++) {
        add_bulk(&text, key, 1);
        add_bulk(&text, value + i, sizes[i] - (size_t)i);
    }
    int fd = wire_connect(server);
    for (size_t step = 4099; step < text.size; step = step * 3 + 1) {
        for (size_t at = 0; at < text.size; at += step) {
            wire_send(fd, text.at + at, text.size - at < step ? text.size - at : step);
            wire_settle(other);
        }
        wire_expect(fd, "+OK\r\n");
        struct text answer = {0};
        add_text(&answer, "*4\r\n");
        for (int i = 0; i < 4; i++) {
            add_bulk(&answer, value + i, sizes[i] - (size_t)i);
        }
        wire_send_text(fd, "MGET a b c d\r\n");
        wire_expect_bytes(fd, answer.at, answer.size);
        free(answer.at);
    }
    wire_expect_reply(fd, "DEL a b c d", ":4");
    free(text.at);
    free(value);
    close(fd);
}

static void many_arguments(void **state) {
    (void)state;
    struct text text = {0};
    char word[32];
    add_text(&text, "*");
    add(&text, word, (size_t)snprintf(word, sizeof word, "%d\r\n", 2 * KEYS + 1));
    add_bulk(&text, "MSET", 4);
    for (int i = 0; i < KEYS; i++) {
        size_t size = (size_t)snprintf(word, sizeof word, "many:%d", i);
        add_bulk(&text, word, size);
        add_bulk(&text, word + 5, size - 5);
    }
    int fd = wire_connect(server);
    wire_send(fd, text.at, text.size);
    wire_expect(fd, "+OK\r\n");
    wire_expect_reply(fd, "GET many:99999", "\"99999\"");
    wire_expect_reply(fd, "GET many:0", "\"0\"");
    wire_expect_reply(fd, "FLUSHALL", "+OK");
    free(text.at);
    close(fd);
}

static void long_pipelines(void **state) {
    (void)state;
    struct text text = {0};
    struct text answer = {0};
    char line[96];
    for (int i = 0; i < PIPELINE; i++) {
        add(&text, line,
            (size_t)snprintf(line, sizeof line, "*2\r\n$4\r\nECHO\r\n$5\r\n%05d\r\n", i));
        add(&answer, line, (size_t)snprintf(line, sizeof line, "$5\r\n%05d\r\n", i));
    }
    int fd = wire_connect(server);
    char *back = malloc(answer.size);
    wire_exchange(fd, text.at, text.size, back, answer.size);
    assert_memory_equal(back, answer.at, answer.size);
    free(back);
    free(text.at);
    free(answer.at);
    close(fd);
}

static bool are_so_many(void *context) {
    return probe_info(other, "connected_clients") == *(int64_t *)context;
}

static void disconnects_in_the_middle(void **state) {
    (void)state;
    static const char *const starts[] = {"*", "*3\r\n$3\r\nSE",
                                         "*3\r\n$3\r\nSET\r\n$1\r\nq\r\n$100000\r\nabc", "SET q",
                                         "*2\r\n$3\r\nGET\r\n"};
    int64_t clients = 1;
    harness_wait_for(are_so_many, &clients, "the end of earlier connections");
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        int fd = wire_connect(server);
        wire_settle(fd); /* so that the server counts it, and its end can be waited for */
        wire_send_text(fd, starts[i]);
        wire_settle(other);
        close(fd);
    }
    harness_wait_for(are_so_many, &clients, "the end of connections that have gone");
    wire_expect_reply(other, "EXISTS q", ":0");
    /* What came whole before the end is done. */
    int fd = wire_connect(server);
    wire_settle(fd);
    wire_send_text(fd, "SET done 1\r\nSET done 2\r\n*3\r\n$3\r\nSET\r\n$4\r\ndone\r\n$1\r\n");
    close(fd);
    harness_wait_for(are_so_many, &clients, "the end of a connection that has gone");
    wire_expect_reply(other, "GET done", "\"2\"");
}

/* The server dies in the middle of a request: the client sees the end, not half a reply. */
static void a_killed_server_says_nothing(void **state) {
    (void)state;
    struct server *doomed = server_start(NULL);
    int fd = wire_connect(doomed);
    wire_send_text(fd, "PING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nab");
    wire_expect(fd, "+PONG\r\n");
    server_kill(doomed, false);
    wire_expect_end(fd);
    close(fd);
}

/* What the reply to INFO, which comes next, tells. */
static int64_t commands_until_now(int fd) {
    size_t size;
    char *reply = wire_read_raw(fd, &size);
    const char *place = strstr(reply, "total_commands_processed:");
    assert_non_null(place);
    int64_t count = strtoll(place + strlen("total_commands_processed:"), NULL, 10);
    free(reply);
    return count;
}

/* While the server stands still, one connection fills its socket with requests and another sends a
 * single one. When that is executed, the first has had a read or two of 64 KiB, not all. Both are
 * in the hands of one thread: how far another one gets in the meantime is the system's affair. */
static void a_long_pipeline_starves_nobody(void **state) {
    (void)state;
    struct server *single = server_start((const char *const[]){"--io-threads", "1", NULL});
    int fd = wire_connect(single);
    int victim = wire_connect(single);
    size_t size = 7 * PIPELINE;
    char *flood = malloc(size);
    for (int i = 0; i < PIPELINE; i++) {
        memcpy(flood + (size_t)7 * (size_t)i, "GET ab\n", 7);
    }
    char *back = malloc((size_t)5 * PIPELINE);
    for (int round = 0; round < 10; round++) {
        int64_t before = probe_info(victim, "total_commands_processed");
        kill(server_pid(single), SIGSTOP);
        size_t sent = 0;
        for (size_t more = 1; more > 0 && sent < size; sent += more) {
            more = wire_try_send(fd, flood + sent, size - sent);
        }
        wire_send_text(victim, "INFO stats\r\n");
        kill(server_pid(single), SIGCONT);
        int64_t count = commands_until_now(victim) - before;
        if (!server_is_reference()) {
            assert_true(sent / 7 > 4 * 65536 / 7);
            assert_true(count <= 2 * 65536 / 7 + 2);
        }
        wire_exchange(fd, flood + sent, size - sent, back, (size_t)5 * PIPELINE);
    }
    free(flood);
    free(back);
    close(fd);
    close(victim);
    server_stop(single);
}

#define HEAVY   400 /* requests of a pipeline, every other one heavy */
#define HEAVIES 5
#define ROUNDS  10

static void send_heavy(int fd, int number) {
    char flood[HEAVY * 16] = "";
    char *end = flood;
    for (int i = 0; i < HEAVY / 2; i++) {
        end += snprintf(end, 32, "BITCOUNT bits\r\nINCR n%d\r\n", number);
    }
    wire_send(fd, flood, (size_t)(end - flood));
}

static void expect_heavy(int fd, int64_t from) {
    char expected[64];
    for (int i = 0; i < HEAVY / 2; i++) {
        snprintf(expected, sizeof expected, ":4\r\n:%lld\r\n", (long long)from + i + 1);
        wire_expect(fd, expected);
    }
}

static bool is_done(void *context) {
    char *reply = wire_ask(*(int *)context, "GET", "n100", NULL);
    char expected[32];
    snprintf(expected, sizeof expected, "\"%d\"", ROUNDS * HEAVY / 2);
    bool done = strcmp(reply, expected) == 0;
    free(reply);
    return done;
}

/* Pipelines of heavy requests are cut into turns, once it is known that they are heavy: whoever
 * sends a single request does not wait for the whole of them, each is answered in order, and what
 * somebody has sent who has gone since is done as well. */
static void heavy_pipelines_take_turns(void **state) {
    (void)state;
    static const char *const threads[] = {"1", "3"};
    for (int t = 0; t < 2; t++) {
        struct server *own = server_start((const char *const[]){"--io-threads", threads[t], NULL});
        int fds[HEAVIES];
        for (int i = 0; i < HEAVIES; i++) {
            fds[i] = wire_connect(own);
        }
        int light = wire_connect(own);
        wire_expect_reply(light, "SETRANGE bits 1048575 x", ":1048576");
        for (int64_t round = 0; round < ROUNDS; round++) {
            int gone = wire_connect(own);
            wire_settle(gone);
            int64_t before = probe_info(light, "total_commands_processed");
            kill(server_pid(own), SIGSTOP);
            for (int i = 0; i < HEAVIES; i++) {
                send_heavy(fds[i], i);
            }
            send_heavy(gone, 100);
            close(gone);
            wire_send_text(light, "INFO stats\r\n");
            kill(server_pid(own), SIGCONT);
            int64_t count = commands_until_now(light) - before;
            if (round > 0 && t == 0 && !server_is_reference()) {
                assert_in_range(count, 1, HEAVY / 2);
            }
            for (int i = 0; i < HEAVIES; i++) {
                expect_heavy(fds[i], round * HEAVY / 2);
            }
        }
        harness_wait_for(is_done, &light, "what those have sent who have gone");
        for (int i = 0; i < HEAVIES; i++) {
            close(fds[i]);
        }
        close(light);
        server_stop(own);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocol_errors),
        cmocka_unit_test(binary_executes_nothing),
        cmocka_unit_test(empty_requests_are_skipped),
        cmocka_unit_test(web_pages_are_refused),
        cmocka_unit_test(strangers_get_little),
        cmocka_unit_test(bulks_have_a_limit),
        cmocka_unit_test(queries_have_a_limit),
        cmocka_unit_test(announcements_take_no_memory),
        cmocka_unit_test(requests_may_be_cut_anywhere),
        cmocka_unit_test(large_arguments_may_be_cut),
        cmocka_unit_test(several_large_arguments),
        cmocka_unit_test(many_arguments),
        cmocka_unit_test(long_pipelines),
        cmocka_unit_test(disconnects_in_the_middle),
        cmocka_unit_test(a_killed_server_says_nothing),
        cmocka_unit_test(a_long_pipeline_starves_nobody),
        cmocka_unit_test(heavy_pipelines_take_turns),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
