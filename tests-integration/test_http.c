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

#include "wire.h"

#define ANSWER_SIZE (256 * 1024)

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

/* One answer: its head up to the empty line, and its body, chunks taken out. */
struct answer {
    int status;
    char head[8192];
    char body[ANSWER_SIZE];
    size_t body_size;
};

static char read_byte(int fd) {
    char c;
    wire_read(fd, &c, 1);
    return c;
}

static void read_line(int fd, char *out, size_t room) {
    size_t size = 0;
    while (size < room - 1) {
        out[size++] = read_byte(fd);
        if (size >= 2 && out[size - 2] == '\r' && out[size - 1] == '\n') {
            out[size - 2] = '\0';
            return;
        }
    }
    harness_fail("a line of an answer is too long");
}

static const char *field(const struct answer *answer, const char *name) {
    static char value[512];
    const size_t size = strlen(name);
    for (const char *line = strstr(answer->head, "\n"); line != NULL;
         line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, size) == 0 && line[1 + size] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + 3 + size, "\r\n"),
                     line + 3 + size);
            return value;
        }
    }
    return NULL;
}

static void read_chunks(int fd, struct answer *answer) {
    for (;;) {
        char line[64];
        read_line(fd, line, sizeof line);
        size_t size = strtoul(line, NULL, 16);
        assert_true(answer->body_size + size < ANSWER_SIZE);
        wire_read(fd, answer->body + answer->body_size, size);
        answer->body_size += size;
        read_line(fd, line, sizeof line);
        assert_string_equal(line, "");
        if (size == 0) {
            return;
        }
    }
}

static void read_answer(int fd, bool has_body, struct answer *answer) {
    size_t size = 0;
    memset(answer, 0, sizeof *answer);
    for (;;) {
        char line[1024];
        read_line(fd, line, sizeof line);
        if (line[0] == '\0') {
            break;
        }
        size += (size_t)snprintf(answer->head + size, sizeof answer->head - size, "%s\r\n", line);
    }
    assert_int_equal(sscanf(answer->head, "HTTP/1.1 %d ", &answer->status), 1);
    const char *length = field(answer, "Content-Length");
    if (!has_body) {
        return;
    }
    if (length != NULL) {
        answer->body_size = strtoul(length, NULL, 10);
        wire_read(fd, answer->body, answer->body_size);
    } else if (field(answer, "Transfer-Encoding") != NULL) {
        read_chunks(fd, answer);
    }
}

/* A request and what must come back. */
struct row {
    const char *request;
    int status;
    const char *head; /* that must stand in the head; NULL: anything */
    const char *body; /* NULL: anything; behind a '~', that must stand in it */
};

#define H " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
#define E "\r\n"
#define J(path, size, text)                                                                        \
    "POST " path H "Content-Type: application/json\r\nContent-Length: " size "\r\n\r\n" text

static const struct row rows[] = {
    {"GET /" H E, 200, "text/plain", "~Hello, World!"},
    {"GET /livez" H E, 200, NULL, "ok\n"},
    {"GET /readyz" H E, 200, NULL, "ok\n"},
    {"HEAD /healthz" H E, 200, "Content-Length: 3", ""},
    {"GET /nothing" H E, 404, "application/problem+json", "~\"status\":404"},
    {"GET /v1/keys/a" H E, 404, "larder; fwd=miss", "~no such key"},
    {"PUT /v1/keys/a" H "Content-Length: 5\r\n\r\nhello", 201, "ETag: \"9555e8555c62dcfd\"", ""},
    {"PUT /v1/keys/a" H "Content-Length: 5\r\n\r\nhello", 200, NULL, ""},
    {"GET /v1/keys/a" H E, 200, "Cache-Status: larder; hit", "hello"},
    {"GET /v1/keys/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, "Connection: keep-alive",
     "hello"},
    {"HEAD /v1/keys/a" H E, 200, "Content-Length: 5", ""},
    {"GET /get/a?x=y" H E, 200, NULL, "hello"},
    {"GET /v1/keys/%61" H E, 200, NULL, "hello"},
    {"GET /v1/keys/%6" H E, 400, NULL, "~hexadecimal"},
    {"GET http://127.0.0.1/v1/keys/a" H E, 200, NULL, "hello"},
    {"POST /store/b?ttl=100" H "Content-Length: 1\r\n\r\nx", 201, NULL, ""},
    {"POST /store/b?ttl=100" H "Transfer-Encoding: chunked\r\n\r\n1\r\ny\r\n1\r\nz\r\n0\r\n\r\n",
     200, NULL, ""},
    {"GET /get/b" H E, 200, "Cache-Control: max-age=", "yz"},
    {"POST /store/b?ttl=x" H "Content-Length: 1\r\n\r\nx", 400, NULL, "~lifetime"},
    {"POST /store/b?ttl=0" H "Content-Length: 1\r\n\r\nx", 400, NULL, NULL},
    {"PUT /v1/keys/c" H "Cache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n", 201, NULL,
     ""},
    {"GET /v1/keys/c" H E, 200, "Cache-Control: max-age=", ""},
    {"PUT /v1/keys/c" H "Cache-Control: no-store\r\nContent-Length: 0\r\n\r\n", 400, NULL, NULL},
    {"PUT /v1/keys/c" H E, 411, NULL, NULL},
    {"GET /v1/keys/a" H "If-None-Match: \"9555e8555c62dcfd\"\r\n\r\n", 304,
     "ETag: \"9555e8555c62dcfd\"", NULL},
    {"GET /v1/keys/a" H "If-None-Match: \"x\", W/\"9555e8555c62dcfd\"\r\n\r\n", 304, NULL, NULL},
    {"GET /v1/keys/a" H "If-None-Match: *\r\n\r\n", 304, NULL, NULL},
    {"GET /v1/keys/a" H "If-None-Match: \"x\"\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "If-Match: \"x\"\r\n\r\n", 412, NULL, NULL},
    {"GET /v1/keys/a" H "If-Match: \"9555e8555c62dcfd\"\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "Range: bytes=1-2\r\n\r\n", 206, "Content-Range: bytes 1-2/5", "el"},
    {"GET /v1/keys/a" H "Range: bytes=3-\r\n\r\n", 206, "Content-Range: bytes 3-4/5", "lo"},
    {"GET /v1/keys/a" H "Range: bytes=-2\r\n\r\n", 206, "Content-Range: bytes 3-4/5", "lo"},
    {"GET /v1/keys/a" H "Range: bytes=-9\r\n\r\n", 206, "Content-Range: bytes 0-4/5", "hello"},
    {"GET /v1/keys/a" H "Range: bytes=5-\r\n\r\n", 416, "Content-Range: bytes */5", NULL},
    {"GET /v1/keys/a" H "Range: bytes=-0\r\n\r\n", 416, NULL, NULL},
    {"GET /v1/keys/a" H "Range: bytes=0-1,3-4\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "Range: bytes=2-1\r\n\r\n", 200, NULL, "hello"},
    {"GET /v1/keys/a" H "Range: bytes=0-0\r\nIf-Range: \"9555e8555c62dcfd\"\r\n\r\n", 206, NULL,
     "h"},
    {"GET /v1/keys/a" H "Range: bytes=0-0\r\nIf-Range: \"0555e8555c62dcfd\"\r\n\r\n", 200, NULL,
     "hello"},
    {"PUT /v1/keys/a" H "If-None-Match: *\r\nContent-Length: 1\r\n\r\nx", 412, NULL, NULL},
    {"PUT /v1/keys/n" H "If-None-Match: *\r\nContent-Length: 1\r\n\r\nx", 201, NULL, NULL},
    {"PUT /v1/keys/m" H "If-Match: *\r\nContent-Length: 1\r\n\r\nx", 412, NULL, NULL},
    {"PUT /v1/keys/a" H "If-Match: \"0555e8555c62dcfd\"\r\nContent-Length: 1\r\n\r\nx", 412, NULL,
     NULL},
    {"PUT /v1/keys/a" H "If-Match: \"9555e8555c62dcfd\"\r\nContent-Length: 5\r\n\r\nhallo", 200,
     NULL, NULL},
    {"PUT /v1/keys/a" H "If-Match: \"x\", \"9555e8555c62dcfd\"\r\nContent-Length: 1\r\n\r\nx", 412,
     NULL, NULL},
    {"GET /v1/keys/a" H E, 200, NULL, "hallo"},
    {"DELETE /v1/keys/a" H "If-Match: \"9555e8555c62dcfd\"\r\n\r\n", 412, NULL, NULL},
    {"DELETE /v1/keys/a" H E, 204, NULL, NULL},
    {"DELETE /v1/keys/a" H E, 404, NULL, NULL},
    {"PURGE /v1/keys/n" H E, 204, NULL, NULL},
    {"POST /v1/keys/a" H "Content-Length: 0\r\n\r\n", 405, "Allow: OPTIONS, GET, HEAD, PUT, DELETE",
     NULL},
    {"BREW /v1/keys/a" H E, 405, NULL, NULL},
    {"OPTIONS /v1/keys/a" H E, 204, "Allow: OPTIONS, GET", NULL},
    {"OPTIONS *" H E, 204, NULL, NULL},
    {J("/", "13", "[\"SET\",\"k\",5]"), 200, "application/json", "{\"result\":\"OK\"}\n"},
    {J("/v1/command", "12", "[\"INCR\",\"k\"]"), 200, NULL, "{\"result\":6}\n"},
    {J("/v1/command", "12", "[\"LPOP\",\"k\"]"), 409, NULL, "~{\"error\":\"WRONGTYPE"},
    {J("/v1/command", "7", "[\"GET\"]"), 400, NULL, "~{\"error\":\"ERR wrong number"},
    {J("/v1/command", "10", "[\"MONITOR\""), 400, NULL, NULL},
    {J("/v1/command", "11", "[\"MONITOR\"]"), 400, NULL, "~about its connection"},
    {J("/v1/command", "2", "[]"), 400, NULL, "~no words"},
    {J("/v1/command", "2", "{}"), 400, NULL, NULL},
    {J("/v1/command", "19", "[\"BLPOP\",\"none\",0]\n"), 200, NULL, "{\"result\":null}\n"},
    {J("/v1/command/pipeline", "55",
       "[[\"SET\",\"s\",\"\\u00e9\\n\"],[\"GET\",\"s\"],[\"NO\"],[\"DEL\",\"s\"]]"),
     200, NULL,
     "~[{\"result\":\"OK\"},{\"result\":\"\xc3\xa9\\u000a\"},{\"error\":\"ERR unknown command"},
    {J("/pipeline", "2", "[]"), 400, NULL, NULL},
    {J("/pipeline", "5", "[[1],"), 400, NULL, NULL},
    {J("/multi-exec", "43", "[[\"SET\",\"s\",1],[\"INCR\",\"s\"],[\"MGET\",\"s\",0]]"), 200, NULL,
     "[{\"result\":\"OK\"},{\"result\":2},{\"result\":[\"2\",null]}]\n"},
    {J("/multi-exec", "20", "[[\"SET\",\"s\"],[\"NO\"]]"), 400, NULL, "~{\"error\":\"EXECABORT"},
    {"POST /v1/command" H "Content-Type: image/png\r\nContent-Length: 2\r\n\r\n[]", 415, NULL,
     NULL},
    {"POST /v1/command" H "Upstash-Encoding: base64\r\nContent-Length: 11\r\n\r\n[\"GET\",\"s\"]",
     200, NULL, "{\"result\":\"Mg==\"}\n"},
    {"GET /v1/keys?count=1000&prefix=s" H E, 200, NULL, "{\"cursor\":\"0\",\"keys\":[\"s\"]}\n"},
    {"GET /v1/keys?count=x" H E, 400, NULL, NULL},
    {"GET /v1/keys?cursor=x" H E, 400, NULL, "~invalid cursor"},
    {"GET /v1/stats" H E, 200, "application/json", "~\"redis_version\":\"7"},
    {"GET /metrics" H E, 200, "version=0.0.4", "~redis_up 1\n"},
    {"PUT /v1/keys/a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1\r\n\r\nx", 403, NULL,
     NULL},
    {"PUT /v1/keys/a HTTP/1.1\r\nHost: cache\r\nContent-Length: 1\r\n\r\nx", 201, NULL, NULL},
    {"PUT /v1/keys/a" H "Origin: http://evil.example\r\nContent-Length: 1\r\n\r\nx", 403, NULL,
     NULL},
    {"PUT /v1/keys/a" H "Origin: null\r\nContent-Length: 1\r\n\r\nx", 403, NULL, NULL},
    {"PUT /v1/keys/a" H "Origin: http://127.0.0.1\r\nContent-Length: 1\r\n\r\nx", 200, NULL, NULL},
    {"GET /v1/keys/a HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, NULL, "x"},
    {"DELETE /v1/keys/a" H E, 204, NULL, NULL},
};
#define ROWS (sizeof rows / sizeof rows[0])

static bool has_body(const struct row *row) {
    return strncmp(row->request, "HEAD", 4) != 0;
}

static void expect(const struct row *row, const struct answer *answer) {
    harness_note(row->request);
    if (answer->status != row->status) {
        harness_fail("%d instead of %d: %s%s", answer->status, row->status, answer->head,
                     answer->body);
    }
    if (row->head != NULL && strstr(answer->head, row->head) == NULL) {
        harness_fail("'%s' is not in the head: %s", row->head, answer->head);
    }
    if (row->body != NULL && row->body[0] == '~') {
        if (strstr(answer->body, row->body + 1) == NULL) {
            harness_fail("'%s' is not in the body: %s", row->body + 1, answer->body);
        }
    } else if (row->body != NULL) {
        assert_string_equal(answer->body, row->body);
    }
}

static struct answer got;

static void clear_keys(const struct server *server) {
    int fd = wire_connect(server);
    wire_expect_reply(fd, "FLUSHALL", "+OK");
    close(fd);
}

static void run_rows(bool slowly, const struct server *server) {
    int fd = open_door();
    int other = wire_connect(server);
    for (size_t i = 0; i < ROWS; i++) {
        size_t size = strlen(rows[i].request);
        if (slowly) {
            wire_send_slowly(fd, other, rows[i].request, size);
        } else {
            wire_send(fd, rows[i].request, size);
        }
        read_answer(fd, has_body(&rows[i]), &got);
        expect(&rows[i], &got);
    }
    close(other);
    close(fd);
}

static void test_table(void **state) {
    struct server *server = *state = start(NULL);
    run_rows(false, server);
    clear_keys(server);
    run_rows(true, server);
    clear_keys(server);
    /* All at once. */
    int fd = open_door();
    for (size_t i = 0; i < ROWS; i++) {
        wire_send_text(fd, rows[i].request);
    }
    for (size_t i = 0; i < ROWS; i++) {
        read_answer(fd, has_body(&rows[i]), &got);
        expect(&rows[i], &got);
    }
    close(fd);
}

static void expect_refused(const char *request, size_t size, int status) {
    int fd = open_door();
    harness_note(request);
    wire_send(fd, request, size);
    read_answer(fd, true, &got);
    assert_int_equal(got.status, status);
    assert_string_equal(field(&got, "Connection"), "close");
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
    REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
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
    assert_null(field(&got, "ETag"));
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
    assert_non_null(strstr(field(&got, "WWW-Authenticate"), "Basic"));
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

static void test_cors(void **state) {
    static const char *const options[] = {"--http-cors-origins", "http://app.example",
                                          "--http-hosts", "cache.example", NULL};
    *state = start(options);
    int fd = open_door();
    ask(fd, "PUT /v1/keys/a" H "Origin: http://app.example\r\nContent-Length: 1\r\n\r\nx", 201);
    assert_string_equal(field(&got, "Access-Control-Allow-Origin"), "http://app.example");
    ask(fd, "GET /v1/keys/a" H "Origin: http://app.example\r\n\r\n", 200);
    assert_string_equal(field(&got, "Access-Control-Allow-Origin"), "http://app.example");
    ask(fd, "GET /v1/keys/a" H "Origin: http://other.example\r\n\r\n", 200);
    assert_null(field(&got, "Access-Control-Allow-Origin"));
    ask(fd,
        "OPTIONS /v1/keys/a" H "Origin: http://app.example\r\nAccess-Control-Request-Method: "
        "PUT\r\n\r\n",
        204);
    assert_non_null(strstr(field(&got, "Access-Control-Allow-Methods"), "PUT"));
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
    assert_string_equal(field(&got, "Retry-After"), "1");
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
    assert_string_equal(field(&got, "ETag"), digest);
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
        cmocka_unit_test_teardown(test_cors, stop),
        cmocka_unit_test_teardown(test_overload, stop),
        cmocka_unit_test_teardown(test_slow_request, stop),
        cmocka_unit_test_teardown(test_tag, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
