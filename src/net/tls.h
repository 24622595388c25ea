/* tls: TLS over a transport, with OpenSSL. A context holds certificate, key and rules; a session is
 * one connection's; a desk is where a thread encrypts and decrypts, shared by its sessions.
 *
 *     context (main) ---> session (one a connection) ---> transport of kind "tls"
 *                              | works at
 *                              v
 *                         desk (one a thread)     what was received | what is to be sent
 *
 * A session that is idle owns OpenSSL's state and no buffer. It begins as nothing but a reference
 * to its context: OpenSSL's state is made when the peer's first bytes are there, by the thread that
 * serves the connection.
 *
 * A context may be freed while sessions are there; they keep what they began with. Each session and
 * each desk belongs to one thread at a time; contexts may be used by all.
 *
 * Costs: a copy of what is received and of what is sent, through the desk; one system call for all
 * that has arrived, and one for all records of a write. OpenSSL's own reading of the socket takes
 * two system calls for each record, or a buffer for each connection. */
#ifndef LARDER_NET_TLS_H
#define LARDER_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "net/transport.h"

/* Room for any message of this module, with its NUL. */
#define TLS_PROBLEM_MAX 512

struct tls_context;
struct tls_desk;
struct tls_session;

enum tls_verify { TLS_VERIFY_NO, TLS_VERIFY_YES, TLS_VERIFY_OPTIONAL };

/* What a context is made of. Texts are never NULL; empty: not given. */
struct tls_settings {
    const char *cert_file; /* PEM; the certificate first, then those that lead to the authority's */
    const char *key_file;
    const char *key_pass;
    const char *ca_file; /* whom to trust: a file, a folder as c_rehash makes it, or both */
    const char *ca_dir;
    const char *protocols; /* names with spaces between, "TLSv1.2 TLSv1.3" */
    const char *ciphers;   /* up to TLSv1.2, as OpenSSL writes them */
    const char *ciphersuites;
    const char *dh_params_file;
    int verify; /* enum tls_verify: of a server, whether clients need a certificate; a client
                   verifies the server, or with TLS_VERIFY_NO does not */
    bool prefers_own_ciphers;
    bool resumes; /* of a server: sessions may be taken up again */
    int64_t cache_size;
    int64_t cache_seconds;
};

/* Whether this program was built with TLS. If not, no context can be made. */
bool tls_is_built(void);

/* NULL with the reason in `problem`. A server needs certificate and key, and whoever verifies
 * somebody to trust. A client without its own certificate shows none. */
struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                           char problem[TLS_PROBLEM_MAX]);
struct tls_context *tls_context_new_client(const struct tls_settings *settings,
                                           char problem[TLS_PROBLEM_MAX]);
void tls_context_free(struct tls_context *context);

/* When the first of the own certificates expires, in seconds since 1970; 0: it has none. */
int64_t tls_context_expires(const struct tls_context *context);
/* Who the own certificate is for, as text; "" without one. */
const char *tls_context_subject(const struct tls_context *context);

struct tls_desk *tls_desk_new(void);
void tls_desk_free(struct tls_desk *desk);

/* A session that has not begun. `server_name` is what a client asks for (SNI); NULL: nothing. Freed
 * by transport_close; where that is never reached, with tls_session_free. */
struct tls_session *tls_session_new(struct tls_context *context, const char *server_name);
void tls_session_free(struct tls_session *session);

/* What a server's session can speak inside (ALPN), the best first: names with their lengths in
 * front, "\x02h2\x08http/1.1"; must outlive the session. A client that asks for none of them is
 * refused; one that asks for nothing is not. */
void tls_session_offer(struct tls_session *session, const char *protocols);

/* For transport_attach: the transport, whose kind is what moves the encrypted bytes, becomes one of
 * kind "tls" at this desk. */
void tls_attach(struct transport *transport, struct tls_desk *desk);

/* Goes on with the handshake. 1 when it is done; -EAGAIN when the peer has to say more; 0 the peer
 * has closed; other -errno it has failed. Must be 1 before bytes can be read or written. */
int tls_handshake(struct transport *transport);

/* Whether the peer has said anything, so that the handshake has begun. */
bool tls_has_begun(const struct transport *transport);
/* Once the handshake is done. */
bool tls_was_resumed(const struct transport *transport);
/* What was agreed on of that; empty: nothing. */
struct bytes tls_agreed(const struct transport *transport);
/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384". */
const char *tls_protocol(const struct transport *transport);
const char *tls_cipher(const struct transport *transport);

/* Why the handshake or the connection failed; a static text or one that lives as long as the
 * session; never NULL. */
const char *tls_problem(const struct transport *transport);
/* Whether the peer's first bytes were no TLS at all. */
bool tls_was_plain_text(const struct transport *transport);

#endif
