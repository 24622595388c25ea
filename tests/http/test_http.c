/* Tests of http/ and of client/protocol.c: requests over a socket pair into a whole server whose
 * buffers are small, so that requests are carried, cut, put back as frames and come again, and
 * replies go over chunks. However they are cut, the answers are the same. */
#include "http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "support/session.h"

#define OUT_SIZE   (1024 * 1024)
#define PASSES_MAX 200000
/* Passes without a byte after which nothing more is coming. */
#define QUIET 2000

static int connect_to(struct session *session) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    clients_accept_foreign(session->server.context.clients, pair[0], CLIENT_DOOR_TCP,
                           http_protocol(session->server.http));
    session_pass(session);
    return pair[1];
}

/* Sends in pieces of `piece` bytes and reads what comes until nothing more does; NUL-terminated, to
 * be freed. */
static char *exchange(struct session *session, int fd, const char *at, size_t size, size_t piece) {
    char *out = malloc(OUT_SIZE);
    size_t got = 0;
    size_t sent = 0;
    int quiet = 0;
    for (int pass = 0; pass < PASSES_MAX && quiet < QUIET; pass++) {
        quiet++;
        if (sent < size) {
            size_t part = size - sent < piece ? size - sent : piece;
            ssize_t done = send(fd, at + sent, part, MSG_NOSIGNAL);
            sent += done > 0 ? (size_t)done : 0;
            quiet = done > 0 ? 0 : quiet;
        }
        session_pass(session);
        ssize_t more = read(fd, out + got, OUT_SIZE - 1 - got);
        if (more > 0) {
            got += (size_t)more;
            quiet = 0;
        }
    }
    out[got] = '\0';
    return out;
}

/* A day and the seconds that are left differ from run to run. */
static void blank(char *text, const char *field) {
    for (char *p = strstr(text, field); p != NULL; p = strstr(p + 1, field)) {
        for (char *q = p + strlen(field); *q != '\0' && *q != '\r'; q++) {
            *q = '_';
        }
    }
}

static size_t count_of(const char *text, const char *what) {
    size_t count = 0;
    for (const char *p = strstr(text, what); p != NULL; p = strstr(p + 1, what)) {
        count++;
    }
    return count;
}

#define H     " HTTP/1.1\r\nHost: a\r\n"
#define POSTS "Transfer-Encoding: chunked\r\n\r\n"

static const char mixed[] =
    "GET /" H "\r\n"
    "PUT /v1/keys/a%20b" H "Content-Length: 3\r\n\r\nxyz"
    "GET /v1/keys/a%20b" H "\r\n"
    "PUT /v1/keys/c?ttl=90000" H POSTS "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"
    "GET /get/c" H "\r\n"
    "GET /get/c" H "Range: bytes=2-4\r\n\r\n"
    "HEAD /get/c" H "\r\n"
    "POST /" H "Content-Length: 21\r\n\r\n[\"SET\",\"k\",\"\\u00e9v\"]"
    "POST /" H "Content-Length: 11\r\n\r\n[\"GET\",\"k\"]"
    "POST /pipeline" H
    "Content-Length: 42\r\n\r\n[[\"INCR\",\"n\"],[\"INCR\",\"n\"],[\"GET\",\"none\"]]"
    "POST /multi-exec" H "Content-Length: 27\r\n\r\n[[\"INCR\",\"n\"],[\"INCR\",\"n\"]]"
    "GET /v1/keys?count=100&prefix=a" H "\r\n"
    "DELETE /v1/keys/a%20b" H "\r\n"
    "GET /v1/keys/a%20b" H "\r\n"
    "GET /nothing" H "Connection: close\r\n\r\n";

static void test_pieces(void **state) {
    (void)state;
    static const size_t pieces[] = {100000, 1, 7, 50, 333};
    char *first = NULL;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct session *session = session_start(NULL);
        int fd = connect_to(session);
        char *out = exchange(session, fd, mixed, sizeof mixed - 1, pieces[i]);
        blank(out, "Date: ");
        blank(out, "max-age=");
        if (first == NULL) {
            first = out;
            assert_int_equal(count_of(out, "HTTP/1.1 "), 15);
            assert_non_null(strstr(out, "[{\"result\":3},{\"result\":4}]"));
            assert_non_null(strstr(out, "{\"result\":\"\xc3\xa9v\"}"));
        } else {
            assert_string_equal(out, first);
            free(out);
        }
        close(fd);
        session_pass(session);
        session_end(session);
    }
    free(first);
}

/* Values over several chunks, and values that are referred to. */
static void test_large(void **state) {
    (void)state;
    static const size_t sizes[] = {100, 500, 3000, 20000, 70000};
    struct session *session = session_start(NULL);
    int fd = connect_to(session);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *value = malloc(sizes[i] + 1);
        char *request = malloc(sizes[i] + 256);
        for (size_t k = 0; k < sizes[i]; k++) {
            value[k] = (char)('a' + k % 23);
        }
        value[sizes[i]] = '\0';
        int size =
            sprintf(request, "PUT /v1/keys/v" H "Content-Length: %zu\r\n\r\n%s", sizes[i], value);
        char *out = exchange(session, fd, request, (size_t)size, 1000);
        assert_int_equal(count_of(out, "HTTP/1.1 20"), 1);
        free(out);
        static const char get[] = "GET /get/v" H "\r\n";
        out = exchange(session, fd, get, sizeof get - 1, 1000);
        assert_string_equal(strstr(out, "\r\n\r\n") + 4, value);
        free(out);
        static const char ask[] = "POST /" H "Content-Length: 11\r\n\r\n[\"GET\",\"v\"]";
        out = exchange(session, fd, ask, sizeof ask - 1, 1000);
        assert_non_null(strstr(out, "{\"result\":\""));
        assert_int_equal(count_of(out, "HTTP/1.1 200 OK"), 1);
        free(out);
        free(request);
        free(value);
    }
    close(fd);
    session_pass(session);
    session_end(session);
}

/* More commands than a turn has: the rest goes back and comes again. */
static void test_pipeline(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    int fd = connect_to(session);
    char text[8192];
    size_t size = 0;
    for (int i = 0; i < 200; i++) {
        size += (size_t)sprintf(text + size, "%s[\"INCR\",\"n\"]", i == 0 ? "[" : ",");
    }
    text[size++] = ']';
    char request[9000];
    int length = sprintf(request, "POST /pipeline" H "Content-Length: %zu\r\n\r\n%.*s", size,
                         (int)size, text);
    for (int round = 0; round < 3; round++) {
        char *out = exchange(session, fd, request, (size_t)length, round == 1 ? 40 : 100000);
        assert_int_equal(count_of(out, "{\"result\":"), 200);
        assert_non_null(strstr(out, "\r\n0\r\n\r\n"));
        free(out);
    }
    session_expect(session, "GET n", "$3\r\n600\r\n");
    close(fd);
    session_pass(session);
    session_end(session);
}

/* A pause holds requests back, and none is lost. */
static void test_pause(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    int fd = connect_to(session);
    static const char requests[] = "PUT /v1/keys/p" H "Content-Length: 1\r\n\r\n1"
                                   "GET /get/p" H "\r\n";
    session_expect(session, "CLIENT PAUSE 100000 WRITE", "+OK\r\n");
    char *out = exchange(session, fd, requests, sizeof requests - 1, 10);
    assert_string_equal(out, "");
    free(out);
    session_expect(session, "CLIENT UNPAUSE", "+OK\r\n");
    out = exchange(session, fd, "", 0, 1);
    assert_int_equal(count_of(out, "HTTP/1.1 20"), 2);
    free(out);
    close(fd);
    session_pass(session);
    session_end(session);
}

/* A peer that goes in the middle leaves nothing behind. */
static void test_gone(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    for (size_t size = 1; size < 120; size += 3) {
        int fd = connect_to(session);
        char *out = exchange(session, fd, mixed, size, 50);
        free(out);
        close(fd);
        session_pass(session);
    }
    session_end(session);
}

static void test_refused(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    int fd = connect_to(session);
    static const char requests[] = "GET /" H "\r\n"
                                   "GET / HTTP/1.1\nHost: a\r\n\r\n"
                                   "PUT /v1/keys/x" H "Content-Length: 1\r\n\r\nx";
    char *out = exchange(session, fd, requests, sizeof requests - 1, 100000);
    assert_int_equal(count_of(out, "HTTP/1.1 200 OK"), 1);
    assert_int_equal(count_of(out, "HTTP/1.1 400 Bad Request"), 1);
    assert_int_equal(count_of(out, "HTTP/1.1 "), 2);
    free(out);
    session_expect(session, "EXISTS x", ":0\r\n");
    close(fd);
    session_pass(session);
    session_end(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_large),
        cmocka_unit_test(test_pipeline), cmocka_unit_test(test_pause),
        cmocka_unit_test(test_gone),     cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
