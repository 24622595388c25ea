/* secure: the server's side of TLS: the options about it, the context that new connections on
 * tls-port begin with, and a watch over the day when its certificate expires.
 *
 * A context is made anew when one of the options is set, also to the value that it has, and on
 * SIGHUP. If that fails, the old one stays. Connections keep what they began with. */
#ifndef LARDER_SERVER_SECURE_H
#define LARDER_SERVER_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/metric.h"
#include "base/option.h"
#include "ev/loop.h"

/* The warnings of a certificate that expires begin so long before, and come once a day. */
#define SECURE_WARN_DAYS 30

#define SECURE_OPTIONS(X)                                                                          \
    X(INT, port, "tls-port", "0", 0, 65535, NULL, 0, secure_apply_port,                            \
      "TCP port to listen on for connections with TLS; 0: none.")                                  \
    X(TEXT, cert_file, "tls-cert-file", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply,               \
      "The server's certificate in PEM, with those that lead to its authority's behind it.")       \
    X(TEXT, key_file, "tls-key-file", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply,                 \
      "The certificate's private key in PEM.")                                                     \
    X(TEXT, key_pass, "tls-key-file-pass", "", 0, 0, NULL, OPTION_ALWAYS | OPTION_SECRET,          \
      secure_apply, "Password of the key, if it has one.")                                         \
    X(TEXT, client_cert_file, "tls-client-cert-file", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply, \
      "Certificate for connections that the server makes itself; empty: tls-cert-file.")           \
    X(TEXT, client_key_file, "tls-client-key-file", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply,   \
      "Its private key.")                                                                          \
    X(TEXT, client_key_pass, "tls-client-key-file-pass", "", 0, 0, NULL,                           \
      OPTION_ALWAYS | OPTION_SECRET, secure_apply, "Password of that key, if it has one.")         \
    X(TEXT, ca_file, "tls-ca-cert-file", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply,              \
      "Certificates of the authorities that are trusted, in PEM.")                                 \
    X(TEXT, ca_dir, "tls-ca-cert-dir", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply,                \
      "The same as a folder that openssl rehash has prepared.")                                    \
    X(CHOICE, verify, "tls-auth-clients", "yes", 0, 0, secure_verify_choices, 0, secure_apply,     \
      "Whether clients need a certificate: yes, no, or optional (it is verified if there is "      \
      "one).")                                                                                     \
    X(TEXT, protocols, "tls-protocols", "", 0, 0, NULL, 0, secure_apply,                           \
      "Versions to speak, of TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; empty: the last two.")                 \
    X(TEXT, ciphers, "tls-ciphers", "", 0, 0, NULL, 0, secure_apply,                               \
      "Ciphers up to TLSv1.2, as OpenSSL writes them; empty: its defaults.")                       \
    X(TEXT, ciphersuites, "tls-ciphersuites", "", 0, 0, NULL, 0, secure_apply,                     \
      "Ciphers of TLSv1.3; empty: OpenSSL's defaults.")                                            \
    X(BOOL, prefers_own_ciphers, "tls-prefer-server-ciphers", "no", 0, 0, NULL, 0, secure_apply,   \
      "Whether the server's order of ciphers counts, and not the client's.")                       \
    X(BOOL, resumes, "tls-session-caching", "yes", 0, 0, NULL, 0, secure_apply,                    \
      "Whether a client may take up its last session, which spares most of the handshake.")        \
    X(INT, cache_size, "tls-session-cache-size", "20480", 0, INT32_MAX, NULL, 0, secure_apply,     \
      "Sessions that are remembered for that, up to TLSv1.2; 0: any number.")                      \
    X(INT, cache_seconds, "tls-session-cache-timeout", "300", 0, INT32_MAX, NULL, 0, secure_apply, \
      "Seconds for which a session can be taken up again.")                                        \
    X(TEXT, dh_params_file, "tls-dh-params-file", "", 0, 0, NULL, OPTION_ALWAYS, secure_apply,     \
      "Parameters of Diffie-Hellman for old clients; empty: OpenSSL chooses.")                     \
    X(BOOL, replication, "tls-replication", "no", 0, 0, NULL, 0, secure_apply,                     \
      "Whether connections to a primary use TLS.")                                                 \
    X(BOOL, cluster, "tls-cluster", "no", 0, 0, NULL, 0, secure_apply,                             \
      "Whether connections between nodes of a cluster use TLS.")
struct secure_options {
    SECURE_OPTIONS(OPTION_FIELD)
};

struct server;
struct tls_context;

struct secure {
    struct server *server;
    struct secure_options options;
    struct tls_context *context;        /* for clients; NULL: TLS is off */
    struct tls_context *client_context; /* for connections that the server makes; NULL likewise */
    struct loop_timer timer;            /* looks at the certificate's age */
    int64_t warned_s;                   /* when that was last warned about */
};

/* Registers options and metrics, if the program was built with TLS. */
void secure_init(struct secure *secure, struct server *server);

/* When the loop is there: makes the contexts, if they are needed. 0, or -1 after logging why
 * not. */
int secure_start(struct secure *secure);

/* Reads the files again. 0; or -1 after logging, and then everything stays as it was. */
int secure_reload(struct secure *secure);

void secure_free(struct secure *secure);

/* Whether the server listens for TLS, or speaks it itself. */
bool secure_is_on(const struct secure *secure);

/* For the option table. */
bool secure_apply(void *module, const char **error);
bool secure_apply_port(void *module, const char **error);

#endif
