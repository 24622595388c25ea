/* tls_ends: see the header. */
#include "support/tls_ends.h"

#ifndef LARDER_NO_TLS

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_settings settings_with(const struct certificates *made, const char *name) {
    static char paths[8][CERTIFICATES_PATH_MAX];
    static size_t next;
    char *cert = paths[next++ % 8];
    char *key = paths[next++ % 8];
    char *ca = paths[next++ % 8];
    *cert = *key = '\0';
    if (name != NULL) {
        strcpy(cert, certificates_path(made, name, "crt"));
        strcpy(key, certificates_path(made, name, "key"));
    }
    strcpy(ca, certificates_path(made, "ca", "crt"));
    return (struct tls_settings){.cert_file = cert,
                                 .key_file = key,
                                 .key_pass = "",
                                 .ca_file = ca,
                                 .ca_dir = "",
                                 .protocols = "",
                                 .ciphers = "",
                                 .ciphersuites = "",
                                 .dh_params_file = "",
                                 .verify = TLS_VERIFY_NO,
                                 .resumes = true,
                                 .cache_size = 100,
                                 .cache_seconds = 300};
}

struct tls_context *server_context(const struct tls_settings *settings) {
    char problem[TLS_PROBLEM_MAX] = "";
    struct tls_context *context = tls_context_new_server(settings, problem);
    assert_string_equal(problem, "");
    assert_non_null(context);
    return context;
}

struct tls_context *client_context(const struct tls_settings *settings) {
    char problem[TLS_PROBLEM_MAX] = "";
    struct tls_context *context = tls_context_new_client(settings, problem);
    assert_string_equal(problem, "");
    assert_non_null(context);
    return context;
}

void open_end(struct end *end, struct tls_context *context, int buffer) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    if (buffer > 0) {
        assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer), 0);
    }
    end->desk = tls_desk_new();
    end->wire = fds[1];
    end->transport = (struct transport){
        .kind = transport_plain(), .fd = fds[0], .tls = tls_session_new(context, NULL)};
    tls_attach(&end->transport, end->desk);
    assert_string_equal(end->transport.kind->name, "tls");
}

void close_end(struct end *end) {
    if (end->transport.fd >= 0) {
        transport_close(&end->transport);
    }
    close(end->wire);
    tls_desk_free(end->desk);
}

void say(struct end *end, const char *text) {
    assert_int_equal(transport_write(&end->transport, text, strlen(text)), strlen(text));
}

#endif
