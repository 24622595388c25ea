/* HTTP/2: the table of requests in the clear and over TLS, with each way of moving bytes; frames of
 * wrong sizes, in wrong orders and states; floods; windows that stay shut; the end of the server;
 * curl and h2load. */
#include "h2_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_table.h"
#include "probe.h"
#include "secure.h"
#include "wire.h"

#ifndef LARDER_NO_HTTP2

/* Codes of RST_STREAM and GOAWAY. */
enum {
    PROTOCOL_ERROR = 1,
    FLOW_CONTROL_ERROR = 3,
    STREAM_CLOSED = 5,
    FRAME_SIZE_ERROR = 6,
    COMPRESSION_ERROR = 9,
    ENHANCE_YOUR_CALM = 11,
    ANY_ERROR = 99 /* a library's limit comes before ours, or not */
};

static const char *const ways[][5] = {
    {NULL},
    {"--io-threads", "3", "--io-cpulist", "0,1", NULL},
    {"--io-backend", "io_uring", NULL},
};
#define WAYS (sizeof ways / sizeof ways[0])

static int port;
static struct answer got;
static struct h2_talk h2;

static struct server *start(const char *const *options) {
    const char *words[32] = {"--http-bind", "127.0.0.1", "--http-port"};
    char number[8];
    size_t count = 4;
    port = harness_free_port();
    snprintf(number, sizeof number, "%d", port);
    words[3] = number;
    for (; options != NULL && *options != NULL; options++) {
        words[count++] = *options;
    }
    return server_start(words);
}

static void open_clear(void) {
    h2_open(&h2, talk_open(port));
}

/* So that answers come one behind another, however large. */
static void open_windows(void) {
    h2_send_frame(&h2, H2_SETTINGS, 0, 0, "\0\4\0\xff\0\0", 6);
    h2_send_frame(&h2, H2_WINDOW, 0, 0, "\x0f\0\0\0", 4);
}

/* ---- the table ---- */

/* What is only said in HTTP/1. */
static bool is_of_http1(const struct row *row) {
    return strstr(row->request, "HTTP/1.0") != NULL || row->status == 411 ||
           strstr(row->request, " http://") != NULL;
}

static void run_rows(bool at_once) {
    size_t count;
    const struct row *rows = http_table(&count);
    uint32_t streams[256];
    for (size_t i = 0; at_once && i < count; i++) {
        streams[i] = is_of_http1(&rows[i]) ? 0 : h2_ask(&h2, rows[i].request);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_of_http1(&rows[i])) {
            continue;
        }
        harness_note(rows[i].request);
        h2_answer(&h2, at_once ? streams[i] : h2_ask(&h2, rows[i].request), &got);
        http_row_expect(&rows[i], &got);
    }
}

static void test_table(void **state) {
    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        for (int at_once = 0; at_once < 2; at_once++) {
            struct server *server = start(ways[way]);
            open_clear();
            open_windows();
            run_rows(at_once != 0);
            h2_close(&h2);
            server_stop(server);
        }
    }
}

#ifndef LARDER_NO_TLS
/* A port that is free when it is looked for may be taken the moment after. */
static int open_secure(const struct server *server) {
    int fd = wire_connect(server);
    for (int tries = 0; tries < 20; tries++) {
        char number[8];
        int secure = harness_free_port();
        snprintf(number, sizeof number, "%d", secure);
        char *answer = wire_ask(fd, "CONFIG", "SET", "https-port", number, NULL);
        bool good = strcmp(answer, "+OK") == 0;
        free(answer);
        if (good) {
            close(fd);
            return secure;
        }
    }
    harness_fail("no port for HTTPS");
    return 0;
}

static void test_table_secure(void **state) {
    (void)state;
    char *folder = secure_make();
    for (size_t way = 0; way < WAYS; way++) {
        const char *options[16] = {"--tls-cert-file",    secure_path(folder, "server", "crt"),
                                   "--tls-key-file",     secure_path(folder, "server", "key"),
                                   "--tls-auth-clients", "no"};
        size_t count = 6;
        for (const char *const *word = ways[way]; *word != NULL; word++) {
            options[count++] = *word;
        }
        struct server *server = start(options);
        int secure = open_secure(server);
        h2_open(&h2, talk_open_secure(secure, folder));
        open_windows();
        run_rows(way == 0);
        h2_close(&h2);
        if (way == 0) {
            char *output =
                secure_shell("echo | timeout 20 openssl s_client -connect 127.0.0.1:%d -alpn "
                             "h2,http/1.1 2>&1",
                             secure);
            assert_non_null(strstr(output, "ALPN protocol: h2"));
            free(output);
        }
        server_stop(server);
    }
    secure_remove(folder);
}
#endif

/* ---- frames ---- */

/* GET / of the authority "a", all of it in tables. */
#define HEAD                                                                                       \
    "\x82\x86\x84\x41\x01"                                                                         \
    "a"
static const char get_root[] = "\x82\x86\x84\x41\x01"
                               "a";
#define GET_ROOT get_root, sizeof get_root - 1

static void get(uint32_t stream) {
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, stream, GET_ROOT);
}

/* The connection ends with GOAWAY of this code. */
static void expect_goaway(const char *what, uint32_t code) {
    harness_note(what);
    if (!h2_read_until(&h2, H2_GOAWAY)) {
        harness_fail("no GOAWAY: %s", what);
    }
    if (code == ANY_ERROR ? h2_number(&h2, 4) == 0 : h2_number(&h2, 4) != code) {
        harness_fail("GOAWAY %u instead of %u: %s", h2_number(&h2, 4), code, what);
    }
    while (h2_read_frame(&h2)) {}
    h2_close(&h2);
}

/* A flood ends the connection, and its code is told, unless what is still on its way cuts that off:
 * it is only dropped for a while. */
static void expect_calm(const char *what, uint32_t code) {
    harness_note(what);
    if (h2_read_until(&h2, H2_GOAWAY)) {
        if (code == ANY_ERROR ? h2_number(&h2, 4) == 0 : h2_number(&h2, 4) != code) {
            harness_fail("GOAWAY %u instead of %u: %s", h2_number(&h2, 4), code, what);
        }
        while (h2_read_frame(&h2)) {}
    }
    h2_close(&h2);
}

static void expect_rst(const char *what, uint32_t code) {
    harness_note(what);
    if (!h2_read_until(&h2, H2_RST)) {
        harness_fail("no RST_STREAM: %s", what);
    }
    assert_int_equal(h2_number(&h2, 0), code);
    /* Others go on. */
    h2_send_frame(&h2, H2_PING, 0, 0, "12345678", 8);
    assert_true(h2_read_until(&h2, H2_PING));
    h2_close(&h2);
}

static const struct {
    const char *what;
    struct {
        int type;
        int flags;
        uint32_t stream;
        const char *at;
        size_t size;
    } frames[3];
    uint32_t code;
    bool is_rst;
} cases[] = {
#define F(type, flags, stream, text)                                                               \
    { type, flags, stream, text, sizeof(text) - 1 }
    {"SETTINGS of a stream", {F(H2_SETTINGS, 0, 1, "")}, PROTOCOL_ERROR, false},
    {"SETTINGS cut", {F(H2_SETTINGS, 0, 0, "\0\1\0\0\0")}, FRAME_SIZE_ERROR, false},
    {"ACK with settings", {F(H2_SETTINGS, 1, 0, "\0\1\0\0\0\0")}, FRAME_SIZE_ERROR, false},
    {"a window too large", {F(H2_SETTINGS, 0, 0, "\0\4\x80\0\0\0")}, FLOW_CONTROL_ERROR, false},
    {"a frame size too small", {F(H2_SETTINGS, 0, 0, "\0\5\0\0\0\1")}, PROTOCOL_ERROR, false},
    {"push neither on nor off", {F(H2_SETTINGS, 0, 0, "\0\2\0\0\0\2")}, PROTOCOL_ERROR, false},
    {"PING of 7 bytes", {F(H2_PING, 0, 0, "1234567")}, FRAME_SIZE_ERROR, false},
    {"PING of a stream", {F(H2_PING, 0, 1, "12345678")}, PROTOCOL_ERROR, false},
    {"GOAWAY of a stream", {F(H2_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0")}, PROTOCOL_ERROR, false},
    {"window of nothing", {F(H2_WINDOW, 0, 0, "\0\0\0\0")}, PROTOCOL_ERROR, false},
    {"window of 3 bytes", {F(H2_WINDOW, 0, 0, "\0\0\1")}, FRAME_SIZE_ERROR, false},
    {"window over the top", {F(H2_WINDOW, 0, 0, "\x7f\xff\xff\xff")}, FLOW_CONTROL_ERROR, false},
    {"window of an idle stream", {F(H2_WINDOW, 0, 1, "\0\0\0\1")}, PROTOCOL_ERROR, false},
    {"RST of an idle stream", {F(H2_RST, 0, 1, "\0\0\0\0")}, PROTOCOL_ERROR, false},
    {"RST of 3 bytes", {F(H2_RST, 0, 1, "\0\0\0")}, FRAME_SIZE_ERROR, false},
    {"RST of no stream", {F(H2_RST, 0, 0, "\0\0\0\0")}, PROTOCOL_ERROR, false},
    {"DATA of an idle stream", {F(H2_DATA, 1, 1, "x")}, PROTOCOL_ERROR, false},
    {"DATA of no stream", {F(H2_DATA, 1, 0, "x")}, PROTOCOL_ERROR, false},
    {"HEADERS of no stream", {F(H2_HEADERS, 5, 0, HEAD)}, PROTOCOL_ERROR, false},
    {"an even stream", {F(H2_HEADERS, 5, 2, HEAD)}, PROTOCOL_ERROR, false},
    {"DATA behind the end",
     {F(H2_HEADERS, 5, 1, HEAD), F(H2_DATA, 1, 1, "x")},
     STREAM_CLOSED,
     false},
    {"CONTINUATION of nothing", {F(H2_CONTINUATION, 4, 1, HEAD)}, PROTOCOL_ERROR, false},
    {"a head that is cut by DATA",
     {F(H2_HEADERS, 1, 1, HEAD), F(H2_DATA, 1, 1, "x")},
     PROTOCOL_ERROR,
     false},
    {"a head that is cut by a stream",
     {F(H2_HEADERS, 1, 1, HEAD), F(H2_CONTINUATION, 4, 3, HEAD)},
     PROTOCOL_ERROR,
     false},
    {"PUSH_PROMISE", {F(H2_PUSH, 4, 1, "\0\0\0\2" HEAD)}, PROTOCOL_ERROR, false},
    {"a field of no table", {F(H2_HEADERS, 5, 1, "\xff\xff\x7f")}, COMPRESSION_ERROR, false},
    {"a string that is cut",
     {F(H2_HEADERS, 5, 1,
        "\x82\x86\x84\x41\x05"
        "a")},
     COMPRESSION_ERROR,
     false},
    {"padding over all", {F(H2_HEADERS, 13, 1, "\xff" HEAD)}, PROTOCOL_ERROR, false},
    {"padding over data",
     {F(H2_HEADERS, 4, 1,
        "\x83\x86\x84\x41\x01"
        "a"),
      F(H2_DATA, 9, 1,
        "\x05"
        "ab")},
     PROTOCOL_ERROR,
     false},
    {"a window of a stream of nothing",
     {F(H2_HEADERS, 4, 1, HEAD), F(H2_WINDOW, 0, 1, "\0\0\0\0")},
     PROTOCOL_ERROR,
     false},
    {"a name with a large letter",
     {F(H2_HEADERS, 5, 1,
        HEAD "\0\1"
             "A"
             "\1"
             "b")},
     PROTOCOL_ERROR,
     true},
    {"a field of a connection",
     {F(H2_HEADERS, 5, 1,
        HEAD "\0\x0a"
             "connection"
             "\5"
             "close")},
     PROTOCOL_ERROR,
     true},
    {"transfer-encoding",
     {F(H2_HEADERS, 5, 1,
        HEAD "\0\x11"
             "transfer-encoding"
             "\7"
             "chunked")},
     PROTOCOL_ERROR,
     true},
    {"no path",
     {F(H2_HEADERS, 5, 1,
        "\x82\x86\x41\x01"
        "a")},
     PROTOCOL_ERROR,
     true},
    {"no method",
     {F(H2_HEADERS, 5, 1,
        "\x86\x84\x41\x01"
        "a")},
     PROTOCOL_ERROR,
     true},
    {"two methods", {F(H2_HEADERS, 5, 1, "\x82" HEAD)}, PROTOCOL_ERROR, true},
    {"a pseudo field behind others",
     {F(H2_HEADERS, 5, 1,
        "\x86\x84\x41\x01"
        "a"
        "\0\1"
        "x"
        "\1"
        "y"
        "\x82")},
     PROTOCOL_ERROR,
     true},
    {"an unknown pseudo field",
     {F(H2_HEADERS, 5, 1,
        HEAD "\0\2"
             ":x"
             "\1"
             "y")},
     PROTOCOL_ERROR,
     true},
    {"less than its length",
     {F(H2_HEADERS, 4, 1,
        "\x83\x86\x84\x41\x01"
        "a"
        "\x0f\x0d\1"
        "5"),
      F(H2_DATA, 1, 1, "ab")},
     PROTOCOL_ERROR,
     true},
    {"more than its length",
     {F(H2_HEADERS, 4, 1,
        "\x83\x86\x84\x41\x01"
        "a"
        "\x0f\x0d\1"
        "1"),
      F(H2_DATA, 1, 1, "ab")},
     PROTOCOL_ERROR,
     true},
    {"a head behind the body that ends nothing",
     {F(H2_HEADERS, 4, 1,
        "\x83\x86\x84\x41\x01"
        "a"),
      F(H2_HEADERS, 4, 1,
        "\0\1"
        "x"
        "\1"
        "y")},
     PROTOCOL_ERROR,
     true},
};

static void test_frames(void **state) {
    *state = start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_clear();
        harness_note(cases[i].what);
        for (size_t k = 0; k < 3 && cases[i].frames[k].at != NULL; k++) {
            h2_send_frame(&h2, cases[i].frames[k].type, cases[i].frames[k].flags,
                          cases[i].frames[k].stream, cases[i].frames[k].at,
                          cases[i].frames[k].size);
        }
        if (cases[i].is_rst) {
            expect_rst(cases[i].what, cases[i].code);
        } else {
            expect_goaway(cases[i].what, cases[i].code);
        }
    }
    char *large = calloc(1, 16385);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 1, large, 16385);
    expect_goaway("a frame too large", FRAME_SIZE_ERROR);
    free(large);
}

/* What is allowed: padding, heads in pieces, unknown frames, trailers, bytes one by one. */
static void test_allowed(void **state) {
    struct server *server = *state = start(NULL);
    open_clear();
    assert_true(h2_read_frame(&h2));
    assert_int_equal(h2.frame.type, H2_SETTINGS);
    assert_int_equal(h2.frame.size, 18);
    assert_memory_equal(h2.frame.payload, "\0\3\0\0\x03\xe8", 6);
    h2_send_frame(&h2, 77, 255, 0, "unknown", 7);
    h2_send_frame(&h2, H2_PING, 0, 0, "abcdefgh", 8);
    assert_true(h2_read_until(&h2, H2_PING));
    assert_int_equal(h2.frame.flags, H2_ACK);
    assert_memory_equal(h2.frame.payload, "abcdefgh", 8);
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM | H2_PADDED, 1,
                  "\3\x82\x86\x84\x41\x01"
                  "a\0\0\0",
                  10);
    h2_answer(&h2, 1, &got);
    assert_int_equal(got.status, 200);
    h2_send_frame(&h2, H2_HEADERS, H2_END_STREAM, 3, "\x82\x86", 2);
    h2_send_frame(&h2, H2_CONTINUATION, 0, 3, "\x84\x41", 2);
    h2_send_frame(&h2, H2_CONTINUATION, H2_END_HEADERS, 3,
                  "\x01"
                  "a",
                  2);
    h2_answer(&h2, 3, &got);
    assert_int_equal(got.status, 200);
    /* PUT /x, its value in padded pieces, fields behind it. */
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 5,
                  "\x86\x42\x03PUT\x44\x0a/v1/keys/x\x41\x01"
                  "a",
                  21);
    h2_send_frame(&h2, H2_DATA, H2_PADDED, 5,
                  "\2"
                  "ab\0\0",
                  5);
    h2_send_frame(&h2, H2_DATA, 0, 5, "cd", 2);
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 5, "\0\1t\1u", 5);
    h2_answer(&h2, 5, &got);
    assert_int_equal(got.status, 201);
    int other = wire_connect(server);
    wire_expect_reply(other, "GET x", "\"abcd\"");
    h2_close(&h2);
    struct talk talk = talk_open(port);
    static const char slow[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
                               "\0\0\6\1\5\0\0\0\1"
                               "\x82\x86\x84\x41\x01"
                               "a\0\0\10\6\0\0\0\0\0abcdefgh";
    wire_send_slowly(talk.fd, other, slow, sizeof slow - 1);
    h2.talk = talk;
    assert_true(h2_read_until(&h2, H2_PING));
    talk_close(&talk);
    close(other);
}

/* ---- floods ---- */

static void test_floods(void **state) {
    *state = start(NULL);
    open_clear();
    for (int i = 0; i < 3000; i++) {
        h2_send_frame(&h2, H2_PING, 0, 0, "12345678", 8);
    }
    expect_calm("many PINGs", ENHANCE_YOUR_CALM);
    open_clear();
    for (int i = 0; i < 3000; i++) {
        h2_send_frame(&h2, H2_SETTINGS, 0, 0, NULL, 0);
    }
    expect_calm("many SETTINGS", ENHANCE_YOUR_CALM);
    open_clear();
    for (uint32_t i = 0; i < 3000; i++) {
        get(2 * i + 1);
        h2_send_frame(&h2, H2_RST, 0, 2 * i + 1, "\0\0\0\10", 4);
    }
    /* nghttp2 has a limit of its own, by time, which may come first and has a code of its own. */
    expect_calm("streams given up", ANY_ERROR);
    /* The same by making the server give up. */
    open_clear();
    for (uint32_t i = 0; i < 3000; i++) {
        h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 2 * i + 1, HEAD "\0\1A\1b", sizeof HEAD + 4);
    }
    expect_calm("streams that must be given up", ANY_ERROR);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 1, GET_ROOT);
    for (int i = 0; i < 3000; i++) {
        h2_send_frame(&h2, H2_DATA, 0, 1, NULL, 0);
    }
    expect_calm("DATA of nothing", ENHANCE_YOUR_CALM);
    open_clear();
    for (int i = 0; i < 30000; i++) {
        h2_send_frame(&h2, H2_WINDOW, 0, 0, "\0\0\0\1", 4);
    }
    expect_calm("many windows", ENHANCE_YOUR_CALM);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_STREAM, 1, GET_ROOT);
    for (int i = 0; i < 3000; i++) {
        h2_send_frame(&h2, H2_CONTINUATION, 0, 1, NULL, 0);
    }
    expect_calm("a head without an end", ANY_ERROR);
    /* A head that grows, from an entry of the table that is said again and again. */
    char fields[8192];
    size_t size = 0;
    memcpy(fields, HEAD "\x40\x01x\x7e", 10);
    memset(fields + 10, 'v', 126);
    size = 10 + 126;
    memset(fields + size, 0xbe, 4000);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 1, fields, size + 4000);
    expect_calm("a bomb", ENHANCE_YOUR_CALM);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 1, fields, size + 120);
    h2_answer(&h2, 1, &got);
    assert_int_equal(got.status, 431);
    h2.next_stream = 3;
    h2_answer(&h2, h2_ask(&h2, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), &got);
    assert_int_equal(got.status, 200);
    h2_close(&h2);
}

/* ---- windows, limits ---- */

static void shut_windows(void) {
    h2_send_frame(&h2, H2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
}

static void test_windows(void **state) {
    struct server *server = *state = start(NULL);
    int other = wire_connect(server);
    char value[100001];
    memset(value, 'v', 100000);
    value[100000] = '\0';
    char *reply = wire_ask(other, "SET", "big", value, NULL);
    assert_string_equal(reply, "+OK");
    free(reply);
    open_clear();
    shut_windows();
    uint32_t stream = h2_ask(&h2, "GET /get/big HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(h2_read_until(&h2, H2_HEADERS));
    /* The value changes meanwhile; what was answered stays. */
    wire_expect_reply(other, "SETRANGE big 0 xyz", ":100000");
    size_t size = 0;
    while (size < 100000) {
        h2_send_frame(&h2, H2_WINDOW, 0, 0, "\0\0\1\1", 4);
        h2_send_frame(&h2, H2_WINDOW, 0, stream, "\0\0\1\1", 4);
        assert_true(h2_read_until(&h2, H2_DATA));
        assert_true(h2.frame.size == 257 || size + h2.frame.size == 100000);
        assert_int_equal(h2.frame.payload[0], 'v');
        size += h2.frame.size;
    }
    assert_int_equal(h2.frame.flags, H2_END_STREAM);
    h2_close(&h2);
    /* Answers that are not taken: at some point the next ones wait. */
    open_clear();
    shut_windows();
    for (int i = 0; i < 40; i++) {
        (void)h2_ask(&h2, "GET /get/big HTTP/1.1\r\nHost: a\r\n\r\n");
        h2_send_frame(&h2, H2_PING, 0, 0, "12345678", 8);
    }
    int heads = 0;
    for (int pings = 0; pings < 40;) {
        assert_true(h2_read_frame(&h2));
        heads += h2.frame.type == H2_HEADERS;
        pings += h2.frame.type == H2_PING;
    }
    harness_note("answers that wait");
    if (heads < 3 || heads > 30) {
        harness_fail("%d answers", heads);
    }
    /* When they are, the others come too. */
    h2_send_frame(&h2, H2_WINDOW, 0, 0, "\x7f\0\0\0", 4);
    h2_send_frame(&h2, H2_SETTINGS, 0, 0, "\0\4\0\x10\0\0", 6);
    size_t ends = 0;
    while (ends < 40) {
        assert_true(h2_read_frame(&h2));
        ends += h2.frame.type == H2_DATA && h2.frame.flags & H2_END_STREAM;
    }
    h2_close(&h2);
    close(other);
}

static void test_limits(void **state) {
    static const char *const options[] = {"--client-output-buffer-limit",
                                          "normal 150000 0 0",
                                          "--http2-max-streams",
                                          "2",
                                          "--http-max-requests",
                                          "2",
                                          "--http-max-body-size",
                                          "1024",
                                          NULL};
    struct server *server = *state = start(options);
    int other = wire_connect(server);
    char value[100001];
    memset(value, 'v', 100000);
    value[100000] = '\0';
    free(wire_ask(other, "SET", "big", value, NULL));
    open_clear();
    assert_true(h2_read_frame(&h2));
    h2_send_frame(&h2, H2_SETTINGS, H2_ACK, 0, NULL, 0);
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 1, GET_ROOT);
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 3, GET_ROOT);
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 5, GET_ROOT);
    expect_goaway("more streams than it was told", PROTOCOL_ERROR);
    open_clear();
    char request[4096];
    snprintf(request, sizeof request,
             "PUT /v1/keys/x" HTTP_TABLE_HEAD "Content-Length: 2000\r\n\r\n%.2000s", value);
    h2_answer(&h2, h2_ask(&h2, request), &got);
    assert_int_equal(got.status, 413);
    snprintf(request, sizeof request, "PUT /v1/keys/x" HTTP_TABLE_HEAD "\r\n%.2000s", value);
    h2_answer(&h2, h2_ask(&h2, request), &got);
    assert_int_equal(got.status, 413);
    h2_close(&h2);
    /* Answers that are not taken, over the limit of what may wait. */
    open_clear();
    shut_windows();
    for (int i = 0; i < 2; i++) {
        (void)h2_ask(&h2, "GET /get/big" HTTP_TABLE_HEAD "\r\n");
    }
    while (h2_read_frame(&h2)) {}
    h2_close(&h2);
    close(other);
}

static void test_bulkhead(void **state) {
    static const char *const options[] = {"--http-max-requests", "1", NULL};
    *state = start(options);
    open_clear();
    static const char two[] = "\0\0\6\1\5\0\0\0\1" HEAD "\0\0\6\1\5\0\0\0\3" HEAD;
    talk_send(&h2.talk, two, sizeof two - 1);
    h2_answer(&h2, 1, &got);
    assert_int_equal(got.status, 200);
    h2_answer(&h2, 3, &got);
    assert_int_equal(got.status, 503);
    assert_string_equal(answer_field(&got, "retry-after"), "1");
    h2_close(&h2);
}

/* ---- time, log-in, the end ---- */

struct count_wanted {
    int fd;
    int64_t count;
};

static bool has_clients(void *context) {
    const struct count_wanted *wanted = context;
    return probe_info(wanted->fd, "connected_clients") == wanted->count;
}

static void test_slow(void **state) {
    static const char *const options[] = {"--http-request-timeout",
                                          "1",
                                          "--http-response-timeout",
                                          "1",
                                          "--http-keepalive-timeout",
                                          "1",
                                          NULL};
    struct server *server = *state = start(options);
    int other = wire_connect(server);
    free(wire_ask(other, "SETRANGE", "big", "30000000", "x", NULL));
    open_clear();
    expect_goaway("nothing is asked", 0);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_HEADERS, 1, GET_ROOT);
    expect_goaway("a request that does not come whole", 0);
    open_clear();
    h2_send_frame(&h2, H2_HEADERS, H2_END_STREAM, 1, GET_ROOT);
    expect_goaway("a head that does not come whole", 0);
    open_clear();
    shut_windows();
    (void)h2_ask(&h2, "GET /get/big" HTTP_TABLE_HEAD "\r\n");
    expect_goaway("an answer that is not taken", 0);
    /* The same in HTTP/1.1. */
    struct talk talk = talk_open(port);
    static const char request[] = "GET /get/big HTTP/1.1\r\nHost: a\r\n\r\n";
    talk_send(&talk, request, sizeof request - 1);
    struct count_wanted wanted = {other, 1};
    harness_wait_for(has_clients, &wanted, "the end of who does not read");
    talk_close(&talk);
    close(other);
}

static void test_log_in(void **state) {
    static const char *const options[] = {"--requirepass", "secret", NULL};
    *state = start(options);
    open_clear();
    h2_answer(&h2, h2_ask(&h2, "GET /livez" HTTP_TABLE_HEAD "\r\n"), &got);
    assert_int_equal(got.status, 200);
    h2_answer(&h2, h2_ask(&h2, "GET /get/a" HTTP_TABLE_HEAD "\r\n"), &got);
    assert_int_equal(got.status, 401);
    h2_answer(&h2, h2_ask(&h2, "GET /get/a" HTTP_TABLE_HEAD "Authorization: Bearer secret\r\n\r\n"),
              &got);
    assert_int_equal(got.status, 404);
    h2_answer(&h2, h2_ask(&h2, "GET /get/a" HTTP_TABLE_HEAD "\r\n"), &got);
    assert_int_equal(got.status, 401);
    h2_answer(&h2,
              h2_ask(&h2, "POST /pipeline" HTTP_TABLE_HEAD
                          "Content-Length: 31\r\n\r\n[[\"SET\",\"k\",1],[\"GET\",\"k\"]]    "),
              &got);
    assert_non_null(strstr(got.body, "NOAUTH"));
    /* Much of a stranger's is not waited for. */
    char request[40000];
    int size = snprintf(request, sizeof request, "PUT /v1/keys/a" HTTP_TABLE_HEAD "\r\n");
    memset(request + size, 'x', 30000);
    request[size + 30000] = '\0';
    h2_answer(&h2, h2_ask(&h2, request), &got);
    assert_int_equal(got.status, 401);
    size = snprintf(request, sizeof request,
                    "PUT /v1/keys/a" HTTP_TABLE_HEAD "Authorization: Bearer secret\r\n\r\n");
    memset(request + size, 'x', 30000);
    h2_answer(&h2, h2_ask(&h2, request), &got);
    assert_int_equal(got.status, 201);
    h2_close(&h2);
}

static void test_end(void **state) {
    (void)state;
    struct server *server = start(NULL);
    int other = wire_connect(server);
    open_clear();
    get(1);
    h2_answer(&h2, 1, &got);
    assert_int_equal(got.status, 200);
    wire_send_text(other, "SHUTDOWN NOSAVE\r\n");
    expect_goaway("the end", 0);
    server_wait(server);
    close(other);
}

/* Programs of others, and what is too large for one window. */
static void test_programs(void **state) {
    (void)state;
    if (system("command -v curl >/dev/null") != 0) {
        skip();
    }
    for (size_t way = 0; way < WAYS; way++) {
        struct server *server = start(ways[way]);
        char *output = secure_shell(
            "cd \"$(mktemp -d)\"; head -c 3000000 /dev/urandom >a; "
            "fetch() { curl -sS --http2-prior-knowledge \"$@\" 2>&1; }; u=http://127.0.0.1:%d; "
            "fetch -T a -w '%%{http_code} ' $u/v1/keys/a; "
            "for i in 1 2 3; do fetch -o b $u/get/a; cmp a b; done; "
            "fetch -o e -r 100000-2099999 $u/get/a; "
            "tail -c +100001 a 2>/dev/null | head -c 2000000 | cmp - e; "
            "load() { h2load -n $1 -c 3 -m 100 $2 | grep -q \"^status codes: $1 2xx\" || echo bad; "
            "}; "
            "if command -v h2load >/dev/null; then load 3000 $u/livez; load 60 $u/get/a; fi; "
            " pwd | xargs rm -r",
            port);
        assert_string_equal(output, "201 ");
        free(output);
        server_stop(server);
    }
}

static int stop(void **state) {
    server_stop(*state);
    *state = NULL;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
#ifndef LARDER_NO_TLS
        cmocka_unit_test(test_table_secure),
#endif
        cmocka_unit_test_teardown(test_frames, stop),
        cmocka_unit_test_teardown(test_allowed, stop),
        cmocka_unit_test_teardown(test_floods, stop),
        cmocka_unit_test_teardown(test_windows, stop),
        cmocka_unit_test_teardown(test_limits, stop),
        cmocka_unit_test_teardown(test_bulkhead, stop),
        cmocka_unit_test_teardown(test_slow, stop),
        cmocka_unit_test_teardown(test_log_in, stop),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
    return 0;
}

#endif
