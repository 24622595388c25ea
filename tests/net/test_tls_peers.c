/* Tests of net/tls with OpenSSL itself as the client, for what our own client does not do: every
 * protocol, new keys, sessions taken up again. */
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifndef LARDER_NO_TLS

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "support/tls_ends.h"

/* Turns that any exchange needs less than. */
#define TURNS_MAX 200000

static struct certificates made;

struct raw {
    SSL_CTX *ctx;
    SSL *ssl;
    struct end server;
};

static struct raw *raw_open(struct tls_context *context, int version, SSL_SESSION *session) {
    struct raw *raw = calloc(1, sizeof *raw);
    open_end(&raw->server, context, 0);
    raw->ctx = SSL_CTX_new(TLS_client_method());
    raw->ssl = SSL_new(raw->ctx);
    SSL_set_min_proto_version(raw->ssl, version);
    SSL_set_max_proto_version(raw->ssl, version);
    SSL_set_security_level(raw->ssl, 0);
    SSL_set_fd(raw->ssl, raw->server.wire);
    if (session != NULL) {
        assert_int_equal(SSL_set_session(raw->ssl, session), 1);
    }
    return raw;
}

static bool raw_shake(struct raw *raw) {
    int status = -EAGAIN;
    int done = 0;
    for (int i = 0; i < TURNS_MAX && (done != 1 || status == -EAGAIN); i++) {
        done = done == 1 ? 1 : SSL_connect(raw->ssl);
        status = status == -EAGAIN ? tls_handshake(&raw->server.transport) : status;
        if (status < 0 && status != -EAGAIN) {
            ERR_clear_error();
            return false;
        }
    }
    ERR_clear_error();
    return done == 1 && status == 1;
}

static void raw_close(struct raw *raw) {
    ERR_clear_error();
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->ctx);
    close_end(&raw->server);
    free(raw);
}

/* A request and its answer; what else there is to be said goes along. */
static void raw_talk(struct raw *raw) {
    char got[16];
    assert_int_equal(SSL_write(raw->ssl, "PING\r\n", 6), 6);
    size_t size = 0;
    for (int i = 0; i < TURNS_MAX && size < 6; i++) {
        ssize_t some = transport_read(&raw->server.transport, got + size, sizeof got - size);
        assert_true(some > 0 || some == -EAGAIN);
        size += some > 0 ? (size_t)some : 0;
    }
    assert_memory_equal(got, "PING\r\n", 6);
    say(&raw->server, "+PONG\r\n");
    int read_size = -1;
    for (int i = 0; i < TURNS_MAX && read_size <= 0; i++) {
        read_size = SSL_read(raw->ssl, got, sizeof got);
    }
    assert_int_equal(read_size, 7);
    assert_memory_equal(got, "+PONG\r\n", 7);
    ERR_clear_error();
}

static void test_every_protocol(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int version;
    } all[] = {{"TLSv1", TLS1_VERSION},
               {"TLSv1.1", TLS1_1_VERSION},
               {"TLSv1.2", TLS1_2_VERSION},
               {"TLSv1.3", TLS1_3_VERSION}};
    for (unsigned set = 1; set < 16; set++) {
        char list[64] = "";
        for (int i = 0; i < 4; i++) {
            if (set & 1u << i) {
                strcat(list, list[0] == '\0' ? "" : " ");
                strcat(list, all[i].name);
            }
        }
        struct tls_settings settings = settings_with(&made, "server");
        settings.protocols = list;
        settings.ciphers = "DEFAULT:@SECLEVEL=0";
        struct tls_context *context = server_context(&settings);
        for (int i = 0; i < 4; i++) {
            struct raw *raw = raw_open(context, all[i].version, NULL);
            bool good = raw_shake(raw);
            assert_int_equal(good, (set & 1u << i) != 0);
            if (good) {
                assert_string_equal(tls_protocol(&raw->server.transport), all[i].name);
                raw_talk(raw);
            }
            raw_close(raw);
        }
        tls_context_free(context);
    }
}

static void test_no_renegotiation(void **state) {
    (void)state;
    struct tls_settings settings = settings_with(&made, "server");
    struct tls_context *context = server_context(&settings);
    struct raw *raw = raw_open(context, TLS1_2_VERSION, NULL);
    assert_true(raw_shake(raw));
    raw_talk(raw);
    assert_int_equal(SSL_renegotiate(raw->ssl), 1);
    char got[16];
    int refused = 0;
    for (int i = 0; i < 100 && !refused; i++) {
        int status = SSL_do_handshake(raw->ssl);
        refused = status <= 0 && SSL_get_error(raw->ssl, status) == SSL_ERROR_SSL;
        if (!refused) {
            assert_int_equal(transport_read(&raw->server.transport, got, sizeof got), -EAGAIN);
        }
    }
    assert_true(refused);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    raw_close(raw);
    tls_context_free(context);
}

/* A peer may want new keys at any time, and that we have new ones too. */
static void test_new_keys(void **state) {
    (void)state;
    struct tls_settings settings = settings_with(&made, "server");
    struct tls_context *context = server_context(&settings);
    struct raw *raw = raw_open(context, TLS1_3_VERSION, NULL);
    assert_true(raw_shake(raw));
    for (int i = 0; i < 20; i++) {
        int kind = i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
        assert_int_equal(SSL_key_update(raw->ssl, kind), 1);
        raw_talk(raw);
    }
    raw_close(raw);
    tls_context_free(context);
}

static void test_sessions_taken_up_again(void **state) {
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (int resumes = 0; resumes < 2; resumes++) {
        struct tls_settings settings = settings_with(&made, "server");
        settings.resumes = resumes;
        struct tls_context *context = server_context(&settings);
        for (int i = 0; i < 2; i++) {
            struct raw *raw = raw_open(context, versions[i], NULL);
            assert_true(raw_shake(raw));
            assert_false(tls_was_resumed(&raw->server.transport));
            raw_talk(raw);
            SSL_SESSION *session = SSL_get1_session(raw->ssl);
            SSL_shutdown(raw->ssl);
            raw_close(raw);
            raw = raw_open(context, versions[i], session);
            assert_true(raw_shake(raw));
            assert_int_equal(tls_was_resumed(&raw->server.transport), resumes);
            raw_talk(raw);
            raw_close(raw);
            SSL_SESSION_free(session);
        }
        tls_context_free(context);
    }
}

/* Which cipher it is, with the server's order and the client's. */
static void test_whose_order_counts(void **state) {
    (void)state;
    for (int own = 0; own < 2; own++) {
        struct tls_settings settings = settings_with(&made, "server");
        settings.prefers_own_ciphers = own;
        settings.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
        struct tls_context *context = server_context(&settings);
        struct raw *raw = raw_open(context, TLS1_3_VERSION, NULL);
        assert_int_equal(
            SSL_set_ciphersuites(raw->ssl, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"),
            1);
        assert_true(raw_shake(raw));
        assert_string_equal(tls_cipher(&raw->server.transport),
                            own ? "TLS_CHACHA20_POLY1305_SHA256" : "TLS_AES_128_GCM_SHA256");
        raw_talk(raw);
        raw_close(raw);
        tls_context_free(context);
    }
}

static int make_certificates(void **state) {
    (void)state;
    certificates_make(&made);
    certificates_add(&made, "server", 10, NULL);
    return 0;
}

static int remove_certificates(void **state) {
    (void)state;
    certificates_remove(&made);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_protocol),     cmocka_unit_test(test_no_renegotiation),
        cmocka_unit_test(test_new_keys),           cmocka_unit_test(test_sessions_taken_up_again),
        cmocka_unit_test(test_whose_order_counts),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}

#else

static void test_there_are_none(void **state) {
    (void)state;
    assert_false(tls_is_built());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
