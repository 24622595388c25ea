/* HTTP: a table of requests with the status, fields and bodies that must come back, over raw
 * sockets: whole, byte by byte, in pipelines; what smuggles; limits; log-in; commands as JSON;
 * metrics; the end of the server. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <poll.h>
#include <sys/socket.h>

#include "http_table.h"
#include "wire.h"

static int port;

static struct server *start(const char *const *more) {
    const char *options[32] = {"--http-bind", "127.0.0.1", "--http-port"};
    char number[8];
    port = harness_free_port();
    snprintf(number, sizeof number, "%d", port);
    int count = 3;
    options[count++] = number;
    for (; more != NULL && *more != NULL; more++) {
        options[count++] = *more;
    }
    return server_start(options);
}

static int open_door(void) {
    return wire_connect_port(port);
}

static void read_answer(int fd, bool has_body, struct answer *answer) {
    struct talk talk = {.fd = fd};
    talk_answer(&talk, has_body, answer);
}

#define H HTTP_TABLE_HEAD
#define E "\r\n"
#define J(path, size, text)                                                                        \
    "POST " path H "Content-Type: application/json\r\nContent-Length: " size "\r\n\r\n" text

static struct answer got;

static void clear_keys(const struct server *server) {
    int fd = wire_connect(server);
    wire_expect_reply(fd, "FLUSHALL", "+OK");
    close(fd);
}

static void run_rows(bool slowly, const struct server *server) {
    size_t count;
    const struct row *rows = http_table(&count);
    int fd = open_door();
    int other = wire_connect(server);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(rows[i].request);
        if (slowly) {
            wire_send_slowly(fd, other, rows[i].request, size);
        } else {
            wire_send(fd, rows[i].request, size);
        }
        read_answer(fd, http_row_has_body(&rows[i]), &got);
        http_row_expect(&rows[i], &got);
    }
    close(other);
    close(fd);
}

static void test_table(void **state) {
    size_t count;
    const struct row *rows = http_table(&count);
    struct server *server = *state = start(NULL);
    run_rows(false, server);
    clear_keys(server);
    run_rows(true, server);
    clear_keys(server);
    /* All at once. */
    int fd = open_door();
    for (size_t i = 0; i < count; i++) {
        wire_send_text(fd, rows[i].request);
    }
    for (size_t i = 0; i < count; i++) {
        read_answer(fd, http_row_has_body(&rows[i]), &got);
        http_row_expect(&rows[i], &got);
    }
    close(fd);
}

static void expect_refused(const char *request, size_t size, int status) {
    int fd = open_door();
    harness_note(request);
    wire_send(fd, request, size);
    read_answer(fd, true, &got);
    assert_int_equal(got.status, status);
    assert_string_equal(answer_field(&got, "Connection"), "close");
    wire_expect_end(fd);
    close(fd);
}

#define REFUSED(request, status) expect_refused(request, sizeof(request) - 1, status)

static void test_refused(void **state) {
    static const char *const options[] = {"--http-max-body-size",
                                          "1024",
                                          "--http-max-head-size",
                                          "512",
                                          "--http-max-headers",
                                          "8",
                                          NULL};
    *state = start(options);
    REFUSED("GET / HTTP/1.1\nHost: a\r\n\r\n", 400);
    REFUSED("GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n", 400);
    REFUSED("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400);
    REFUSED("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400);
    REFUSED("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400);
    REFUSED("GET / HTTP/1.1\r\n\r\n", 400);
    REFUSED("GET /\r\n\r\n", 400);
    REFUSED("*1\r\n$4\r\nPING\r\n\r\n", 400);
    REFUSED("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n",
            400);
    REFUSED("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400);
    REFUSED("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
            400);
    REFUSED("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x, chunked\r\n\r\n", 400);
    REFUSED("PUT /v1/keys/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", 413);
    REFUSED("PUT /v1/keys/a HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", 417);
    REFUSED("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    REFUSED("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505);
    REFUSED("GET / HTTP/1.1\r\nHost: a\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n",
            431);
    char long_line[601] = "";
    memset(long_line, 'a', 600);
    memcpy(long_line, "GET /", 5);
    expect_refused(long_line, 600, 414);
}

static void test_body_after_question(void **state) {
    *state = start(NULL);
    int fd = open_door();
    wire_send_text(fd, "PUT /v1/keys/a" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    wire_expect(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    wire_send_text(fd, "ab");
    read_answer(fd, true, &got);
    assert_int_equal(got.status, 201);
    wire_send_text(fd, "GET /v1/keys/a" H "Connection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    read_answer(fd, true, &got);
    assert_string_equal(got.body, "ab");
    wire_expect_end(fd);
    close(fd);
}

static void test_large(void **state) {
    static const char *const options[] = {"--io-threads", "2", NULL};
    *state = start(options);
    int fd = open_door();
    const size_t size = 3 * 1024 * 1024;
    char *value = malloc(size + 4096);
    char head[128];
    for (size_t i = 0; i < size; i++) {
        value[i] = (char)(i * 7 + i / 251);
    }
    snprintf(head, sizeof head, "PUT /v1/keys/big" H "Content-Length: %zu\r\n\r\n", size);
    wire_send_text(fd, head);
    wire_send(fd, value, size);
    read_answer(fd, true, &got);
    assert_int_equal(got.status, 201);
    assert_null(answer_field(&got, "ETag"));
    wire_send_text(fd, "GET /v1/keys/big" H "Range: bytes=100000-299999\r\n\r\n");
    read_answer(fd, true, &got);
    assert_int_equal(got.status, 206);
    assert_int_equal(got.body_size, 200000);
    assert_memory_equal(got.body, value + 100000, 200000);
    wire_send_text(fd, "GET /v1/keys/big" H "\r\n");
    read_answer(fd, false, &got);
    assert_int_equal(got.status, 200);
    char *back = malloc(size);
    wire_read(fd, back, size);
    assert_memory_equal(back, value, size);
    free(back);
    free(value);
    close(fd);
}

/* Pipelines of many, whose requests go back and come again when a batch is long. */
static void test_long_pipelines(void **state) {
    *state = start(NULL);
    int fd = open_door();
    const int count = 3000;
    char *text = malloc((size_t)count * 64);
    size_t size = 0;
    text[size++] = '[';
    for (int i = 0; i < count; i++) {
        size += (size_t)sprintf(text + size, "%s[\"INCR\",\"n\"]", i > 0 ? "," : "");
    }
    text[size++] = ']';
    char head[128];
    for (int round = 0; round < 3; round++) {
        snprintf(head, sizeof head, "POST /pipeline" H "Content-Length: %zu\r\n\r\n", size);
        wire_send_text(fd, head);
        wire_send(fd, text, size);
        read_answer(fd, true, &got);
        assert_int_equal(got.status, 200);
        char last[64];
        snprintf(last, sizeof last, "{\"result\":%d}]\n", (round + 1) * count);
        assert_string_equal(got.body + got.body_size - strlen(last), last);
    }
    size = 0;
    for (int i = 0; i < count; i++) {
        size += (size_t)sprintf(text + size, "GET /get/n HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    wire_send(fd, text, size);
    for (int i = 0; i < count; i++) {
        read_answer(fd, true, &got);
        assert_string_equal(got.body, "9000");
    }
    free(text);
    close(fd);
}

static void ask(int fd, const char *request, int status) {
    harness_note(request);
    wire_send_text(fd, request);
    read_answer(fd, true, &got);
    assert_int_equal(got.status, status);
}

static void test_log_in(void **state) {
    static const char *const options[] = {"--requirepass", "secret", NULL};
    *state = start(options);
    int fd = open_door();
    ask(fd, "GET /livez" H E, 200);
    ask(fd, "GET /v1/keys/a" H E, 401);
    assert_non_null(strstr(answer_field(&got, "WWW-Authenticate"), "Basic"));
    ask(fd, "GET /metrics" H E, 401);
    ask(fd, J("/", "13", "[\"PING\", \"x\"]"), 401);
    close(fd);
    fd = open_door();
    ask(fd, "GET /v1/keys/a" H "Authorization: Bearer secret\r\n\r\n", 404);
    ask(fd, "GET /v1/keys/a" H "Authorization: Bearer secret\r\n\r\n", 404);
    ask(fd, "GET /v1/keys/a" H E, 401); /* over the same connection somebody else may come */
    ask(fd, "GET /v1/keys/a" H "Authorization: Bearer secreT\r\n\r\n", 401);
    ask(fd, "GET /v1/keys/a" H "Authorization: Basic ZGVmYXVsdDpzZWNyZXQ=\r\n\r\n", 404);
    ask(fd, "GET /v1/keys/a" H "Authorization: Basic OnNlY3JldA==\r\n\r\n", 404);
    ask(fd, "GET /v1/keys/a" H "Authorization: Basic !\r\n\r\n", 401);
    ask(fd, "GET /v1/keys/a" H "Authorization: Digest x\r\n\r\n", 401);
    ask(fd, "GET /metrics" H "Authorization: Bearer secret\r\n\r\n", 200);
    close(fd);
    /* A large body is not waited for. */
    fd = open_door();
    ask(fd, "PUT /v1/keys/a" H "Content-Length: 100000\r\n\r\n", 401);
    wire_expect_end(fd);
    close(fd);
}

/* Whoever may use INFO may look; names of keys and slow commands are for who may see those. */
static void test_who_looks(void **state) {
    static const char *const users[] = {
        "\"viewer\",\"on\",\">v\",\"-@all\",\"+info\"",
        "\"keeper\",\"on\",\">k\",\"~*\",\"-@all\",\"+info\",\"+monitor\",\"+slowlog\"",
        "\"nobody\",\"on\",\">n\",\"~*\",\"-@all\",\"+get\"",
    };
    static const char *const paths[] = {"/v1/stats", "/metrics", "/ui", "/ui/page.js"};
    char request[512];
    *state = start(NULL);
    int fd = open_door();
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        snprintf(request, sizeof request,
                 "POST /v1/command" H "Content-Length: %zu\r\n\r\n[\"ACL\",\"SETUSER\",%s]",
                 strlen(users[i]) + 18, users[i]);
        ask(fd, request, 200);
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        snprintf(request, sizeof request, "GET %s" H "Authorization: Basic dmlld2VyOnY=\r\n\r\n",
                 paths[i]);
        ask(fd, request, 200);
        snprintf(request, sizeof request, "GET %s" H "Authorization: Basic bm9ib2R5Om4=\r\n\r\n",
                 paths[i]);
        ask(fd, request, 403);
    }
    ask(fd, "GET /v1/stats" H "Authorization: Basic dmlld2VyOnY=\r\n\r\n", 200);
    assert_non_null(strstr(got.body, "\"health\":{\"state\":\"well\""));
    assert_null(strstr(got.body, "\"keys_used\""));
    assert_null(strstr(got.body, "\"slow\""));
    ask(fd, "GET /v1/stats" H "Authorization: Basic a2VlcGVyOms=\r\n\r\n", 200);
    assert_non_null(strstr(got.body, "\"keys_used\":["));
    assert_non_null(strstr(got.body, "\"slow\":["));
    /* Looking leaves no trace of what was not shown. */
    ask(fd, "GET /metrics" H "Authorization: Basic a2VlcGVyOms=\r\n\r\n", 200);
    assert_non_null(strstr(got.body, "redis_acl_access_denied_cmd_total 4\n"));
    close(fd);
}

static void test_cors(void **state) {
    static const char *const options[] = {"--http-cors-origins", "http://app.example",
                                          "--http-hosts", "cache.example", NULL};
    *state = start(options);
    int fd = open_door();
    ask(fd, "PUT /v1/keys/a" H "Origin: http://app.example\r\nContent-Length: 1\r\n\r\nx", 201);
    assert_string_equal(answer_field(&got, "Access-Control-Allow-Origin"), "http://app.example");
    ask(fd, "GET /v1/keys/a" H "Origin: http://app.example\r\n\r\n", 200);
    assert_string_equal(answer_field(&got, "Access-Control-Allow-Origin"), "http://app.example");
    ask(fd, "GET /v1/keys/a" H "Origin: http://other.example\r\n\r\n", 200);
    assert_null(answer_field(&got, "Access-Control-Allow-Origin"));
    ask(fd,
        "OPTIONS /v1/keys/a" H "Origin: http://app.example\r\nAccess-Control-Request-Method: "
        "PUT\r\n\r\n",
        204);
    assert_non_null(strstr(answer_field(&got, "Access-Control-Allow-Methods"), "PUT"));
    ask(fd, "PUT /v1/keys/a HTTP/1.1\r\nHost: cache.example:80\r\nContent-Length: 1\r\n\r\nx", 200);
    close(fd);
}

static void test_overload(void **state) {
    static const char *const options[] = {"--http-max-requests", "1", NULL};
    *state = start(options);
    int fd = open_door();
    ask(fd, "GET /livez" H E, 200);
    wire_send_text(fd, "GET /livez" H E "GET /livez" H E);
    read_answer(fd, true, &got);
    assert_int_equal(got.status, 200);
    read_answer(fd, true, &got);
    assert_int_equal(got.status, 503);
    assert_string_equal(answer_field(&got, "Retry-After"), "1");
    ask(fd, "GET /livez" H E, 200);
    close(fd);
}

static void test_slow_request(void **state) {
    static const char *const options[] = {"--http-request-timeout", "1", "--http-keepalive-timeout",
                                          "1", NULL};
    *state = start(options);
    int idle = open_door();
    int fd = open_door();
    wire_send_text(fd, "GET / HT");
    read_answer(fd, true, &got);
    assert_int_equal(got.status, 408);
    wire_expect_end(fd);
    wire_expect_end(idle);
    close(idle);
    close(fd);
}

/* The tag is what DIGEST tells, over either protocol. */
static void test_tag(void **state) {
    struct server *server = *state = start(NULL);
    int fd = open_door();
    int other = wire_connect(server);
    wire_expect_reply(other, "SET k 12345", "+OK");
    char *digest = wire_ask(other, "DIGEST", "k", NULL);
    ask(fd, "GET /v1/keys/k" H E, 200);
    assert_string_equal(answer_field(&got, "ETag"), digest);
    free(digest);
    wire_expect_reply(other, "RPUSH l a", ":1");
    ask(fd, "GET /v1/keys/l" H E, 409);
    close(other);
    close(fd);
}

static int stop(void **state) {
    server_stop(*state);
    *state = NULL;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_table, stop),
        cmocka_unit_test_teardown(test_refused, stop),
        cmocka_unit_test_teardown(test_body_after_question, stop),
        cmocka_unit_test_teardown(test_large, stop),
        cmocka_unit_test_teardown(test_long_pipelines, stop),
        cmocka_unit_test_teardown(test_log_in, stop),
        cmocka_unit_test_teardown(test_who_looks, stop),
        cmocka_unit_test_teardown(test_cors, stop),
        cmocka_unit_test_teardown(test_overload, stop),
        cmocka_unit_test_teardown(test_slow_request, stop),
        cmocka_unit_test_teardown(test_tag, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
