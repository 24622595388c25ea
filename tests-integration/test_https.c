/* HTTPS: the table of requests over TLS, with each way of moving bytes; what is agreed on inside
 * it; doors that open and close while the server runs; curl. */
#include "secure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_table.h"
#include "wire.h"

#ifndef LARDER_NO_TLS

static char *folder;

static const char *const ways[][5] = {
    {NULL},
    {"--io-threads", "3", "--io-cpulist", "0,1", NULL},
    {"--io-backend", "io_uring", NULL},
};
#define WAYS (sizeof ways / sizeof ways[0])

/* The server's port for HTTPS. */
static int port;

/* A port that is free when it is looked for may be taken the moment after. */
static void open_door(int plain) {
    for (int tries = 0; tries < 20; tries++) {
        char number[8];
        port = harness_free_port();
        snprintf(number, sizeof number, "%d", port);
        char *answer = wire_ask(plain, "CONFIG", "SET", "https-port", number, NULL);
        bool good = strcmp(answer, "+OK") == 0;
        free(answer);
        if (good) {
            return;
        }
    }
    harness_fail("no port for HTTPS");
}

static struct server *start(const char *const *options) {
    const char *words[32] = {"--tls-cert-file",    secure_path(folder, "server", "crt"),
                             "--tls-key-file",     secure_path(folder, "server", "key"),
                             "--tls-auth-clients", "no",
                             "--http-bind",        "127.0.0.1"};
    size_t count = 8;
    for (const char *const *word = options; word != NULL && *word != NULL; word++) {
        words[count++] = *word;
    }
    struct server *server = server_start(words);
    int plain = wire_connect(server);
    open_door(plain);
    close(plain);
    return server;
}

static struct answer got;

static void run_table(const char *const *options, bool at_once) {
    size_t count;
    const struct row *rows = http_table(&count);
    struct server *server = start(options);
    struct talk talk = talk_open_secure(port, folder);
    for (size_t i = 0; at_once && i < count; i++) {
        talk_send(&talk, rows[i].request, strlen(rows[i].request));
    }
    for (size_t i = 0; i < count; i++) {
        if (!at_once) {
            talk_send(&talk, rows[i].request, strlen(rows[i].request));
        }
        talk_answer(&talk, http_row_has_body(&rows[i]), &got);
        http_row_expect(&rows[i], &got);
    }
    talk_close(&talk);
    server_stop(server);
}

static void test_table(void **state) {
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        run_table(ways[i], false);
        run_table(ways[i], true);
    }
}

static int status_of(struct talk *talk, const char *request) {
    talk_send(talk, request, strlen(request));
    talk_answer(talk, true, &got);
    return got.status;
}

/* A value of several records, there and back. */
static void test_large(void **state) {
    (void)state;
    const size_t size = 200000;
    char *value = malloc(size);
    for (size_t i = 0; i < size; i++) {
        value[i] = (char)(i * 7 + i / 251);
    }
    for (size_t i = 0; i < WAYS; i++) {
        struct server *server = start(ways[i]);
        struct talk talk = talk_open_secure(port, folder);
        static const char head[] =
            "PUT /v1/keys/big" HTTP_TABLE_HEAD "Content-Length: 200000\r\n\r\n";
        talk_send(&talk, head, strlen(head));
        talk_send(&talk, value, size);
        talk_answer(&talk, true, &got);
        assert_int_equal(got.status, 201);
        assert_int_equal(status_of(&talk, "GET /v1/keys/big" HTTP_TABLE_HEAD "\r\n"), 200);
        assert_int_equal(got.body_size, size);
        assert_memory_equal(got.body, value, size);
        assert_int_equal(
            status_of(&talk, "GET /nothing" HTTP_TABLE_HEAD "Connection: close\r\n\r\n"), 404);
        talk_expect_end(&talk);
        talk_close(&talk);
        server_stop(server);
    }
    free(value);
}

/* What `openssl s_client` says was agreed on. */
static void expect_agreed(const char *offer, const char *line) {
    char *output = secure_shell("echo | timeout 20 openssl s_client -connect 127.0.0.1:%d -alpn %s "
                                "2>&1",
                                port, offer);
    if (strstr(output, line) == NULL) {
        harness_fail("'%s' is not said: %s", line, output);
    }
    free(output);
}

static void test_protocols(void **state) {
    struct server *server = *state = start(NULL);
    expect_agreed("http/1.1", "ALPN protocol: http/1.1");
    expect_agreed("spdy/9,http/1.1", "ALPN protocol: http/1.1");
    expect_agreed("spdy/9", "no application protocol");
    /* A door closes and opens again; who is inside stays. */
    struct talk talk = talk_open_secure(port, folder);
    int plain = wire_connect(server);
    wire_expect_reply(plain, "CONFIG SET https-port 0", "+OK");
    assert_int_equal(status_of(&talk, "GET /livez" HTTP_TABLE_HEAD "\r\n"), 200);
    int before = port;
    open_door(plain);
    struct talk other = talk_open_secure(port, folder);
    assert_int_equal(status_of(&other, "GET /livez" HTTP_TABLE_HEAD "\r\n"), 200);
    assert_true(before > 0);
    close(plain);
    talk_close(&talk);
    talk_close(&other);
}

/* Who speaks HTTP without TLS there hears nothing. */
static void test_plain(void **state) {
    *state = start(NULL);
    struct talk talk = talk_open(port);
    talk_send(&talk, "GET / HTTP/1.1\r\n", 16);
    talk_expect_end(&talk);
    talk_close(&talk);
}

static void test_no_certificate(void **state) {
    struct server *server = *state = server_start(NULL);
    int fd = wire_connect(server);
    char number[8];
    snprintf(number, sizeof number, "%d", harness_free_port());
    char *answer = wire_ask(fd, "CONFIG", "SET", "https-port", number, NULL);
    assert_non_null(strstr(answer, "Unable to listen on this port"));
    free(answer);
    answer = wire_ask(fd, "CONFIG", "GET", "https-port", NULL);
    assert_string_equal(answer, "[\"https-port\", \"0\"]");
    free(answer);
    close(fd);
}

static void test_curl(void **state) {
    *state = start(NULL);
    if (system("command -v curl >/dev/null") != 0) {
        skip();
    }
    char *output = secure_shell(
        "fetch() { curl -sS --http1.1 --cacert %s/ca.crt --resolve server:%d:127.0.0.1 \"$@\" "
        "https://server:%d/v1/keys/k 2>&1; }; echo hello | fetch -T - -w '%%{http_code} '; fetch",
        folder, port, port);
    assert_string_equal(output, "201 hello\n");
    free(output);
}

static int stop(void **state) {
    server_stop(*state);
    *state = NULL;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_large),
        cmocka_unit_test_teardown(test_protocols, stop),
        cmocka_unit_test_teardown(test_plain, stop),
        cmocka_unit_test_teardown(test_no_certificate, stop),
        cmocka_unit_test_teardown(test_curl, stop),
    };
    folder = secure_make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    secure_remove(folder);
    return failed;
}

#else

int main(void) {
    return 0;
}

#endif
