/* Tests of net/tls: two ends of our own with a relay between, which splits, holds back and spoils
 * what goes over the wire; and OpenSSL itself as a client, for what our own client does not do. */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifndef LARDER_NO_TLS

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/tls_ends.h"

#define DAY_S 86400
/* Turns that any exchange needs less than. */
#define TURNS_MAX 200000

static struct certificates made;
static uint64_t seed;

static size_t draw(size_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(seed >> 33) % below;
}

/* ---- two ends and the wire ---- */

struct pair {
    struct end client;
    struct end server;
};

/* With small sockets, or as the system has them where `buffer` is 0. The contexts are free to
 * go. */
static struct pair *pair_of(const struct tls_settings *client, const struct tls_settings *server,
                            int buffer) {
    struct pair *pair = calloc(1, sizeof *pair);
    struct tls_context *context = client_context(client);
    open_end(&pair->client, context, buffer);
    tls_context_free(context);
    context = server_context(server);
    open_end(&pair->server, context, buffer);
    tls_context_free(context);
    return pair;
}

static void pair_close(struct pair *pair) {
    close_end(&pair->client);
    close_end(&pair->server);
    free(pair);
}

/* Carries so many bytes at most from one wire to the other. Returns how many. */
static size_t carry(int from, int to, size_t most) {
    char bytes[65536];
    ssize_t got = recv(from, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_PEEK);
    if (got <= 0) {
        return 0;
    }
    ssize_t put = send(to, bytes, (size_t)got, MSG_NOSIGNAL);
    if (put > 0) {
        assert_int_equal(recv(from, bytes, (size_t)put, 0), put);
    }
    return put > 0 ? (size_t)put : 0;
}

static void carry_both(struct pair *pair, size_t most) {
    carry(pair->client.wire, pair->server.wire, most);
    carry(pair->server.wire, pair->client.wire, most);
}

static void flush(struct end *end) {
    if (end->transport.wants_write) {
        assert_int_equal(transport_flush(&end->transport), 0);
    }
}

/* Until both have ended it, one way or the other; so many bytes at a time. */
static void shake(struct pair *pair, size_t step, int *client, int *server) {
    *client = *server = -EAGAIN;
    for (int i = 0; i < TURNS_MAX && (*client == -EAGAIN || *server == -EAGAIN); i++) {
        if (*client == -EAGAIN) {
            *client = tls_handshake(&pair->client.transport);
        }
        carry_both(pair, step);
        if (*server == -EAGAIN) {
            *server = tls_handshake(&pair->server.transport);
        }
        flush(&pair->client);
        flush(&pair->server);
        if (*client != -EAGAIN && *client != 1 && *server == -EAGAIN) {
            carry_both(pair, SIZE_MAX);
            *server = tls_handshake(&pair->server.transport);
            break;
        }
    }
}

static void shake_well(struct pair *pair, size_t step) {
    int client;
    int server;
    shake(pair, step, &client, &server);
    assert_int_equal(client, 1);
    assert_int_equal(server, 1);
}

/* What was sent at one end comes out at the other. */
static void expect(struct pair *pair, struct end *end, const char *text) {
    char got[256];
    size_t size = 0;
    for (int i = 0; i < TURNS_MAX && size < strlen(text); i++) {
        carry_both(pair, SIZE_MAX);
        ssize_t some = transport_read(&end->transport, got + size, sizeof got - size);
        assert_true(some > 0 || some == -EAGAIN);
        size += some > 0 ? (size_t)some : 0;
    }
    assert_int_equal(size, strlen(text));
    assert_memory_equal(got, text, size);
}

/* ---- the handshake ---- */

static void test_handshakes_in_pieces(void **state) {
    (void)state;
    static const char *const protocols[] = {"TLSv1.2", "TLSv1.3", "tlsv1.3 TLSv1.2"};
    static const char *const spoken[] = {"TLSv1.2", "TLSv1.3", "TLSv1.3"};
    static const size_t steps[] = {1, 2, 3, 5, 7, 64, 1000, 65536};
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct tls_settings client = settings_with(&made, NULL);
            struct tls_settings server = settings_with(&made, "server");
            client.verify = TLS_VERIFY_YES;
            server.protocols = protocols[p];
            struct pair *pair = pair_of(&client, &server, 0);
            assert_false(tls_has_begun(&pair->server.transport));
            assert_int_equal(tls_handshake(&pair->server.transport), -EAGAIN);
            assert_false(tls_has_begun(&pair->server.transport));
            shake_well(pair, steps[i]);
            assert_true(tls_has_begun(&pair->server.transport));
            assert_string_equal(tls_protocol(&pair->server.transport), spoken[p]);
            assert_string_equal(tls_cipher(&pair->server.transport),
                                tls_cipher(&pair->client.transport));
            assert_false(tls_was_resumed(&pair->server.transport));
            say(&pair->client, "PING\r\n");
            expect(pair, &pair->server, "PING\r\n");
            say(&pair->server, "+PONG\r\n");
            expect(pair, &pair->client, "+PONG\r\n");
            pair_close(pair);
        }
    }
}

/* What the client says behind its last word of the handshake has come with it, and is shown. */
static void test_requests_that_come_along(void **state) {
    (void)state;
    struct tls_settings client = settings_with(&made, NULL);
    struct tls_settings server = settings_with(&made, "server");
    struct pair *pair = pair_of(&client, &server, 0);
    while (tls_handshake(&pair->client.transport) != 1) {
        carry_both(pair, SIZE_MAX);
        assert_int_equal(tls_handshake(&pair->server.transport), -EAGAIN);
    }
    say(&pair->client, "GET a\r\n");
    say(&pair->client, "GET b\r\n");
    for (int i = 0; i < TURNS_MAX && tls_handshake(&pair->server.transport) != 1; i++) {
        carry(pair->client.wire, pair->server.wire, SIZE_MAX);
    }
    expect(pair, &pair->server, "GET a\r\nGET b\r\n");
    pair_close(pair);
}

/* ---- certificates ---- */

static void expect_handshake(const char *client_name, bool verifies, const char *server_name,
                             int server_verifies, int client_expected, int server_expected,
                             const char *client_problem, const char *server_problem) {
    /* In TLSv1.2 both sides learn of a refusal in the handshake. */
    struct tls_settings client = settings_with(&made, client_name);
    struct tls_settings server = settings_with(&made, server_name);
    client.protocols = "TLSv1.2";
    client.verify = verifies ? TLS_VERIFY_YES : TLS_VERIFY_NO;
    server.verify = server_verifies;
    struct pair *pair = pair_of(&client, &server, 0);
    int client_status;
    int server_status;
    shake(pair, SIZE_MAX, &client_status, &server_status);
    assert_string_equal(tls_problem(&pair->client.transport), client_problem);
    assert_string_equal(tls_problem(&pair->server.transport), server_problem);
    assert_int_equal(client_status, client_expected);
    assert_int_equal(server_status, server_expected);
    pair_close(pair);
}

static void test_who_is_verified(void **state) {
    (void)state;
    static const char alert_ca[] = "tlsv1 alert unknown ca";
    static const char alert_old[] = "sslv3 alert certificate expired";
    static const char failed[] = "sslv3 alert handshake failure";
    static const char none[] = "peer did not return a certificate";
    static const char expired[] = "certificate has expired";
    static const char unknown[] = "self-signed certificate";
    expect_handshake(NULL, true, "server", TLS_VERIFY_NO, 1, 1, "", "");
    expect_handshake(NULL, true, "expired", TLS_VERIFY_NO, -EPROTO, -EPROTO, expired, alert_old);
    expect_handshake(NULL, true, "stranger", TLS_VERIFY_NO, -EPROTO, -EPROTO, unknown, alert_ca);
    expect_handshake(NULL, false, "expired", TLS_VERIFY_NO, 1, 1, "", "");
    expect_handshake(NULL, true, "server", TLS_VERIFY_YES, -EPROTO, -EPROTO, failed, none);
    expect_handshake(NULL, true, "server", TLS_VERIFY_OPTIONAL, 1, 1, "", "");
    expect_handshake("client", true, "server", TLS_VERIFY_YES, 1, 1, "", "");
    expect_handshake("client", true, "server", TLS_VERIFY_OPTIONAL, 1, 1, "", "");
    expect_handshake("client", true, "server", TLS_VERIFY_NO, 1, 1, "", "");
    expect_handshake("stranger", true, "server", TLS_VERIFY_YES, -EPROTO, -EPROTO, alert_ca,
                     unknown);
    expect_handshake("stranger", true, "server", TLS_VERIFY_OPTIONAL, -EPROTO, -EPROTO, alert_ca,
                     unknown);
    expect_handshake("expired", true, "server", TLS_VERIFY_YES, -EPROTO, -EPROTO, alert_old,
                     expired);
}

static void expect_refusal(const struct tls_settings *settings, const char *text) {
    char problem[TLS_PROBLEM_MAX] = "";
    assert_null(tls_context_new_server(settings, problem));
    if (strstr(problem, text) == NULL) {
        fail_msg("%s: not in: %s", text, problem);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_contexts_that_cannot_be(void **state) {
    (void)state;
    const struct tls_settings good = settings_with(&made, "server");
    struct tls_settings bad = good;
    bad.cert_file = "";
    expect_refusal(&bad, "No tls-cert-file");
    bad = good;
    bad.key_file = "";
    expect_refusal(&bad, "No tls-key-file");
    bad = good;
    bad.cert_file = "/nowhere/at/all";
    expect_refusal(&bad, "The certificate cannot be loaded from /nowhere/at/all: No such file");
    bad = good;
    bad.key_file = bad.cert_file;
    expect_refusal(&bad, "The key cannot be loaded from ");
    bad = good;
    bad.key_file = certificates_path(&made, "client", "key");
    expect_refusal(&bad, "key values mismatch");
    bad = good;
    bad.ca_file = "/nowhere";
    expect_refusal(&bad, "The authorities' certificates cannot be loaded from /nowhere");
    bad = good;
    bad.ca_file = "";
    bad.verify = TLS_VERIFY_YES;
    expect_refusal(&bad, "Neither tls-ca-cert-file nor tls-ca-cert-dir");
    bad = good;
    bad.protocols = "TLSv1.2 SSLv3";
    expect_refusal(&bad, "tls-protocols is no list");
    bad = good;
    bad.ciphers = "nonsense";
    expect_refusal(&bad, "tls-ciphers: nonsense: no cipher match");
    bad = good;
    bad.ciphersuites = "nonsense";
    expect_refusal(&bad, "tls-ciphersuites: nonsense");
    bad = good;
    bad.dh_params_file = bad.cert_file;
    expect_refusal(&bad, "tls-dh-params-file cannot be used: ");
    bad = settings_with(&made, "locked");
    expect_refusal(&bad, "The key cannot be loaded from ");
    bad.key_pass = "wrong";
    expect_refusal(&bad, "The key cannot be loaded from ");
    bad.key_pass = "secret";
    struct tls_context *context = server_context(&bad);
    assert_string_equal(tls_context_subject(context), "/CN=locked");
    tls_context_free(context);
}

static void test_when_they_expire(void **state) {
    (void)state;
    struct tls_settings settings = settings_with(&made, "server");
    int64_t now = (int64_t)time(NULL);
    struct tls_context *context = server_context(&settings);
    int64_t left = tls_context_expires(context) - now;
    assert_true(left > 9 * DAY_S && left <= 10 * DAY_S + 10);
    tls_context_free(context);
    settings = settings_with(&made, "expired");
    context = server_context(&settings);
    assert_true(tls_context_expires(context) < now);
    tls_context_free(context);
    settings = settings_with(&made, NULL);
    context = client_context(&settings);
    assert_int_equal(tls_context_expires(context), 0);
    assert_string_equal(tls_context_subject(context), "");
    tls_context_free(context);
}

/* ---- bytes ---- */

struct stream {
    char *bytes;
    size_t size;
    size_t sent;
    size_t got;
};

/* Offers a part of what is left, in some pieces. */
static void offer(struct end *end, struct stream *stream) {
    struct iovec pieces[8];
    size_t from = stream->sent;
    int count = 0;
    size_t asked = 0;
    while (count < 8 && from < stream->size) {
        size_t size = draw(8) == 0 ? draw(20000) : draw(300);
        size = size < stream->size - from ? size : stream->size - from;
        pieces[count++] = (struct iovec){.iov_base = stream->bytes + from, .iov_len = size};
        from += size;
        asked += size;
    }
    if (asked == 0) {
        return;
    }
    ssize_t sent = transport_writev(&end->transport, pieces, count);
    if (sent < 0) {
        assert_int_equal(sent, -EAGAIN);
        return;
    }
    assert_true((size_t)sent <= asked);
    stream->sent += (size_t)sent;
}

static void take(struct end *end, struct stream *stream) {
    char bytes[40000];
    size_t first = draw(2) == 0 ? draw(30) + 1 : draw(sizeof bytes / 2) + 1;
    size_t second = draw(sizeof bytes - first) + 1;
    struct iovec pieces[2] = {{.iov_base = bytes, .iov_len = first},
                              {.iov_base = bytes + first, .iov_len = second}};
    ssize_t got = transport_readv(&end->transport, pieces, 1 + (int)draw(2));
    if (got < 0) {
        assert_int_equal(got, -EAGAIN);
        return;
    }
    assert_true(got > 0);
    assert_true(stream->got + (size_t)got <= stream->size);
    assert_memory_equal(bytes, stream->bytes + stream->got, (size_t)got);
    stream->got += (size_t)got;
}

static struct stream stream_of(size_t size) {
    struct stream stream = {.bytes = malloc(size), .size = size};
    for (size_t i = 0; i < size; i++) {
        stream.bytes[i] = (char)draw(256);
    }
    return stream;
}

/* Both ways at once, over sockets that hold little, in parts of any size: all of it comes, once,
 * and in order. */
static void test_all_bytes_come(void **state) {
    (void)state;
    static const char *const protocols[] = {"TLSv1.2", "TLSv1.3"};
    for (int round = 0; round < 6; round++) {
        struct tls_settings client = settings_with(&made, NULL);
        struct tls_settings server = settings_with(&made, "server");
        server.protocols = protocols[round % 2];
        struct pair *pair = pair_of(&client, &server, round < 4 ? 2048 : 0);
        shake_well(pair, 100);
        struct stream up = stream_of(300000);
        struct stream down = stream_of(200000);
        for (int i = 0; i < TURNS_MAX && (up.got < up.size || down.got < down.size); i++) {
            offer(&pair->client, &up);
            offer(&pair->server, &down);
            carry_both(pair, round < 2 ? draw(100) + 1 : 65536);
            take(&pair->server, &up);
            take(&pair->client, &down);
        }
        assert_int_equal(up.got, up.size);
        assert_int_equal(down.got, down.size);
        free(up.bytes);
        free(down.bytes);
        pair_close(pair);
    }
}

/* A reader with little room reads on without the socket. */
static void test_what_is_left_over(void **state) {
    (void)state;
    struct tls_settings client = settings_with(&made, NULL);
    struct tls_settings server = settings_with(&made, "server");
    struct pair *pair = pair_of(&client, &server, 0);
    shake_well(pair, SIZE_MAX);
    say(&pair->client, "abcdefghij");
    say(&pair->client, "klm");
    carry_both(pair, SIZE_MAX);
    char got[16];
    size_t size = 0;
    size_t pended = 0;
    while (size < 13) {
        ssize_t some = transport_read(&pair->server.transport, got + size, 3);
        assert_true(some > 0);
        size += (size_t)some;
        pended += pair->server.transport.has_pending;
    }
    assert_memory_equal(got, "abcdefghijklm", 13);
    assert_true(pended >= 3);
    assert_false(pair->server.transport.has_pending);
    assert_int_equal(transport_read(&pair->server.transport, got, 3), -EAGAIN);
    pair_close(pair);
}

/* ---- ends ---- */

static void test_goodbye(void **state) {
    (void)state;
    for (int last_words = 0; last_words < 2; last_words++) {
        struct tls_settings client = settings_with(&made, NULL);
        struct tls_settings server = settings_with(&made, "server");
        struct pair *pair = pair_of(&client, &server, 0);
        shake_well(pair, SIZE_MAX);
        if (last_words) {
            say(&pair->client, "QUIT\r\n");
        }
        transport_close(&pair->client.transport);
        carry(pair->client.wire, pair->server.wire, SIZE_MAX);
        char got[200];
        if (last_words) {
            assert_int_equal(transport_read(&pair->server.transport, got, sizeof got), 6);
            assert_true(pair->server.transport.has_pending); /* the end */
        }
        assert_int_equal(transport_read(&pair->server.transport, got, 16), 0);
        assert_int_equal(transport_read(&pair->server.transport, got, 16), 0);
        pair_close(pair);
    }
}

/* The wire ends in the middle of a record, wherever: nothing of it is shown. */
static void test_truncated(void **state) {
    (void)state;
    for (size_t part = 0; part < 28; part++) {
        struct tls_settings client = settings_with(&made, NULL);
        struct tls_settings server = settings_with(&made, "server");
        struct pair *pair = pair_of(&client, &server, 0);
        shake_well(pair, SIZE_MAX);
        say(&pair->client, "PING\r\n");
        if (part > 0) {
            assert_int_equal(carry(pair->client.wire, pair->server.wire, part), part);
        }
        char got[16];
        assert_int_equal(transport_read(&pair->server.transport, got, 16), -EAGAIN);
        assert_int_equal(shutdown(pair->server.wire, SHUT_WR), 0);
        assert_int_equal(transport_read(&pair->server.transport, got, 16), 0);
        pair_close(pair);
    }
}

/* Every byte of a record spoilt: never a wrong byte, always the end. */
static void test_spoilt(void **state) {
    (void)state;
    for (size_t at = 0; at < 28; at++) {
        struct tls_settings client = settings_with(&made, NULL);
        struct tls_settings server = settings_with(&made, "server");
        struct pair *pair = pair_of(&client, &server, 0);
        shake_well(pair, SIZE_MAX);
        say(&pair->client, "PING\r\n");
        unsigned char record[64];
        ssize_t size = recv(pair->client.wire, record, sizeof record, 0);
        assert_int_equal(size, 28); /* header, text, its type, tag */
        record[at] ^= 0x41;
        assert_int_equal(send(pair->server.wire, record, (size_t)size, 0), size);
        char got[16];
        ssize_t status = transport_read(&pair->server.transport, got, 16);
        if (status == -EAGAIN) { /* it was made longer */
            shutdown(pair->server.wire, SHUT_WR);
            status = transport_read(&pair->server.transport, got, 16);
            assert_int_equal(status, 0);
        } else {
            assert_int_equal(status, -EPROTO);
            assert_string_not_equal(tls_problem(&pair->server.transport), "");
            assert_int_equal(transport_read(&pair->server.transport, got, 16), -EPROTO);
            assert_int_equal(transport_write(&pair->server.transport, "x", 1), -EPROTO);
        }
        pair_close(pair);
    }
}

/* Longer than any record may be; said in its header, so that nothing more is waited for. */
static void test_oversize(void **state) {
    (void)state;
    struct tls_settings client = settings_with(&made, NULL);
    struct tls_settings server = settings_with(&made, "server");
    struct pair *pair = pair_of(&client, &server, 0);
    shake_well(pair, SIZE_MAX);
    const unsigned char header[] = {23, 3, 3, 0x7f, 0xff, 0};
    assert_int_equal(send(pair->server.wire, header, sizeof header, 0), sizeof header);
    char got[16];
    assert_int_equal(transport_read(&pair->server.transport, got, 16), -EPROTO);
    pair_close(pair);
}

static void test_no_tls_at_all(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool plain;
    } cases[] = {{"PING\r\n", true},
                 {"*1\r\n$4\r\nPING\r\n", true},
                 {"GET / HTTP/1.1\r\n\r\n", true},
                 {"\x16\x03\x01\xff\xff\x01", false},
                 {"\x16\x03\x01\x00\x05nonsense", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_settings client = settings_with(&made, NULL);
        struct tls_settings server = settings_with(&made, "server");
        struct pair *pair = pair_of(&client, &server, 0);
        size_t size = i == 4 ? 13 : i == 3 ? 6 : strlen(cases[i].text);
        assert_int_equal(send(pair->server.wire, cases[i].text, size, 0), size);
        assert_int_equal(tls_handshake(&pair->server.transport), -EPROTO);
        assert_int_equal(tls_was_plain_text(&pair->server.transport), cases[i].plain);
        assert_string_not_equal(tls_problem(&pair->server.transport), "");
        assert_int_equal(tls_handshake(&pair->server.transport), -EPROTO);
        pair_close(pair);
    }
}

static void test_who_leaves_early(void **state) {
    (void)state;
    struct tls_settings client = settings_with(&made, NULL);
    struct tls_settings server = settings_with(&made, "server");
    for (int begun = 0; begun < 2; begun++) {
        struct pair *pair = pair_of(&client, &server, 0);
        if (begun) {
            assert_int_equal(tls_handshake(&pair->client.transport), -EAGAIN);
            carry(pair->client.wire, pair->server.wire, 50);
            assert_int_equal(tls_handshake(&pair->server.transport), -EAGAIN);
        }
        shutdown(pair->server.wire, SHUT_WR);
        assert_int_equal(tls_handshake(&pair->server.transport), 0);
        assert_int_equal(tls_has_begun(&pair->server.transport), begun);
        assert_string_equal(tls_problem(&pair->server.transport), "the peer has closed");
        pair_close(pair);
    }
}

static int make_certificates(void **state) {
    (void)state;
    seed = 20240229;
    certificates_make(&made);
    certificates_add(&made, "server", 10, NULL);
    certificates_add(&made, "client", 10, NULL);
    certificates_add(&made, "expired", -1, NULL);
    certificates_add(&made, "locked", 10, "secret");
    certificates_add_stranger(&made, "stranger");
    return 0;
}

static int remove_certificates(void **state) {
    (void)state;
    certificates_remove(&made);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes_in_pieces),
        cmocka_unit_test(test_requests_that_come_along),
        cmocka_unit_test(test_who_is_verified),
        cmocka_unit_test(test_contexts_that_cannot_be),
        cmocka_unit_test(test_when_they_expire),
        cmocka_unit_test(test_all_bytes_come),
        cmocka_unit_test(test_what_is_left_over),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_spoilt),
        cmocka_unit_test(test_oversize),
        cmocka_unit_test(test_no_tls_at_all),
        cmocka_unit_test(test_who_leaves_early),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}

#else

static void test_there_is_none(void **state) {
    (void)state;
    char problem[TLS_PROBLEM_MAX];
    const struct tls_settings settings = {0};
    assert_false(tls_is_built());
    assert_null(tls_context_new_server(&settings, problem));
    assert_string_equal(problem, "This program was built without TLS");
    assert_null(tls_context_new_client(&settings, problem));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
