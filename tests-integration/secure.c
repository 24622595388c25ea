/* secure: see the header. */
#include "secure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef LARDER_NO_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#define OUTPUT_MAX (1024 * 1024)
#define PATHS      8

const char *secure_path(const char *folder, const char *name, const char *ending) {
    static char paths[PATHS][SECURE_PATH_MAX];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, SECURE_PATH_MAX, "%s/%s.%s", folder, name, ending);
    return path;
}

char *secure_shell(const char *format, ...) {
    char command[4096];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(command, sizeof command, format, list);
    va_end(list);
    assert_true(size > 0 && (size_t)size < sizeof command);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    char *output = malloc(OUTPUT_MAX);
    size_t got = fread(output, 1, OUTPUT_MAX - 1, pipe);
    output[got] = '\0';
    pclose(pipe);
    return output;
}

/* Keys on a curve, for they are made at once. */
static const char script[] =
    "exec 2>&1; set -e; cd %s\n"
    "new() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key\n"
    "openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; }\n"
    "authority() { new $1; openssl req -x509 -key $1.key -subj /CN=$1 -days 30 -out $1.crt; }\n"
    "signed() { new $1; openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial "
    "-days $3 -out $1.crt; }\n"
    "authority ca; authority stranger; signed server ca 300; signed second ca 300\n"
    "signed client ca 300; signed expired ca -1; signed foreign stranger 300; echo done\n";

char *secure_make(void) {
    char *folder = strdup("/tmp/larder-secure-XXXXXX");
    assert_non_null(mkdtemp(folder));
    char *output = secure_shell(script, folder);
    if (strstr(output, "\ndone\n") == NULL && strncmp(output, "done\n", 5) != 0) {
        harness_fail("openssl makes no certificates: %s", output);
    }
    free(output);
    return folder;
}

void secure_remove(char *folder) {
    harness_remove_folder(folder);
    free(folder);
}

static struct sockaddr_in local(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

#ifndef LARDER_NO_TLS

struct secure_client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    char name[256];
};

static SSL_SESSION *last_session;

bool secure_is_built(void) {
    return true;
}

static int connect_to(int port) {
    struct sockaddr_in address = local(port);
    struct timeval limit = {.tv_sec = HARNESS_WAIT_MS / 1000};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void follow(struct secure_client *client, const struct secure_wishes *wishes) {
    if (wishes->ca != NULL) {
        assert_int_equal(SSL_CTX_load_verify_locations(client->ctx, wishes->ca, NULL), 1);
        SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
    }
    if (wishes->cert != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_file(client->ctx, wishes->cert, SSL_FILETYPE_PEM),
                         1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(client->ctx, wishes->key, SSL_FILETYPE_PEM),
                         1);
    }
    if (wishes->version != 0) {
        SSL_CTX_set_min_proto_version(client->ctx, wishes->version);
        SSL_CTX_set_max_proto_version(client->ctx, wishes->version);
        SSL_CTX_set_security_level(client->ctx, 0);
    }
    client->ssl = SSL_new(client->ctx);
    SSL_set_fd(client->ssl, client->fd);
    if (wishes->resumes && last_session != NULL) {
        SSL_set_session(client->ssl, last_session);
    }
}

struct secure_client *secure_try(int port, const struct secure_wishes *wishes, char *problem) {
    struct secure_client *client = calloc(1, sizeof *client);
    client->fd = connect_to(port);
    client->ctx = SSL_CTX_new(TLS_client_method());
    follow(client, wishes);
    ERR_clear_error();
    if (SSL_connect(client->ssl) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        snprintf(problem, 256, "%s", reason == NULL ? "closed" : reason);
        secure_close(client);
        return NULL;
    }
    return client;
}

struct secure_client *secure_connect(int port, const char *folder) {
    char problem[256];
    struct secure_wishes wishes = {.ca = secure_path(folder, "ca", "crt"),
                                   .cert = secure_path(folder, "client", "crt"),
                                   .key = secure_path(folder, "client", "key")};
    struct secure_client *client = secure_try(port, &wishes, problem);
    if (client == NULL) {
        harness_fail("no TLS: %s", problem);
    }
    return client;
}

static const char *reason_of(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason == NULL ? "closed" : reason;
}

void secure_send(struct secure_client *client, const void *at, size_t size) {
    size_t sent = 0;
    if (SSL_write_ex(client->ssl, at, size, &sent) != 1 || sent != size) {
        harness_fail("cannot send: %s", reason_of());
    }
}

void secure_send_text(struct secure_client *client, const char *text) {
    secure_send(client, text, strlen(text));
}

void secure_read(struct secure_client *client, void *at, size_t size) {
    for (size_t got = 0; got < size;) {
        size_t some = 0;
        if (SSL_read_ex(client->ssl, (char *)at + got, size - got, &some) != 1) {
            harness_fail("nothing comes after %zu bytes: %s", got, reason_of());
        }
        got += some;
    }
}

void secure_expect(struct secure_client *client, const char *text) {
    size_t size = strlen(text);
    char *got = malloc(size + 1);
    secure_read(client, got, size);
    got[size] = '\0';
    assert_string_equal(got, text);
    free(got);
}

void secure_ask(struct secure_client *client, const char *line, const char *answer) {
    secure_send_text(client, line);
    secure_expect(client, answer);
}

bool secure_try_ping(struct secure_client *client) {
    char got[7];
    size_t size = 0;
    size_t some = 0;
    if (SSL_write_ex(client->ssl, "PING\r\n", 6, &some) != 1) {
        return false;
    }
    while (size < sizeof got) {
        if (SSL_read_ex(client->ssl, got + size, sizeof got - size, &some) != 1) {
            return false;
        }
        size += some;
    }
    return memcmp(got, "+PONG\r\n", sizeof got) == 0;
}

bool secure_was_resumed(struct secure_client *client) {
    return SSL_session_reused(client->ssl) == 1;
}

bool secure_is_refused_renegotiation(struct secure_client *client) {
    bool refused = SSL_renegotiate(client->ssl) == 1 && SSL_do_handshake(client->ssl) <= 0 &&
                   ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION;
    ERR_clear_error();
    return refused;
}

const char *secure_server_name(struct secure_client *client) {
    X509 *certificate = SSL_get1_peer_certificate(client->ssl);
    assert_non_null(certificate);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, client->name,
                              sizeof client->name);
    X509_free(certificate);
    return client->name;
}

int secure_fd(const struct secure_client *client) {
    return client->fd;
}

void secure_expect_end(struct secure_client *client) {
    char got[64];
    size_t some = 0;
    while (SSL_read_ex(client->ssl, got, sizeof got, &some) == 1) {}
    ERR_clear_error();
}

void secure_close(struct secure_client *client) {
    ERR_clear_error();
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    close(client->fd);
    free(client);
}

void secure_leave(struct secure_client *client) {
    SSL_SESSION_free(last_session);
    last_session = SSL_get1_session(client->ssl);
    SSL_shutdown(client->ssl);
    secure_close(client);
}

size_t secure_hello(char *at, size_t room) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_connect(ssl);
    ERR_clear_error();
    int size = BIO_read(SSL_get_wbio(ssl), at, (int)room);
    assert_true(size > 200);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return (size_t)size;
}

#else

bool secure_is_built(void) {
    return false;
}

#endif
