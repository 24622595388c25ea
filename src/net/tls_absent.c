/* tls_absent: what a program that was built without OpenSSL says of TLS. No context can be made, so
 * there are no sessions, and what needs one is never called. */
#include "net/tls.h"

#ifdef LARDER_NO_TLS

#include <stdio.h>

#include "base/check.h"

static struct tls_context *refuse(char *problem) {
    snprintf(problem, TLS_PROBLEM_MAX, "This program was built without TLS");
    return NULL;
}

bool tls_is_built(void) {
    return false;
}

struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                           char problem[TLS_PROBLEM_MAX]) {
    (void)settings;
    return refuse(problem);
}

struct tls_context *tls_context_new_client(const struct tls_settings *settings,
                                           char problem[TLS_PROBLEM_MAX]) {
    (void)settings;
    return refuse(problem);
}

void tls_context_free(struct tls_context *context) {
    check(context == NULL);
}

int64_t tls_context_expires(const struct tls_context *context) {
    check(context == NULL);
    return 0;
}

const char *tls_context_subject(const struct tls_context *context) {
    check(context == NULL);
    return "";
}

struct tls_desk *tls_desk_new(void) {
    return NULL;
}

void tls_desk_free(struct tls_desk *desk) {
    check(desk == NULL);
}

struct tls_session *tls_session_new(struct tls_context *context, const char *server_name) {
    (void)server_name;
    check(context == NULL);
    return NULL;
}

void tls_session_free(struct tls_session *session) {
    check(session == NULL);
}

void tls_session_offer(struct tls_session *session, const char *protocols) {
    (void)protocols;
    check(session == NULL);
}

void tls_attach(struct transport *transport, struct tls_desk *desk) {
    check(transport->tls == NULL && desk == NULL);
}

int tls_handshake(struct transport *transport) {
    check(transport->tls == NULL);
    return 1;
}

bool tls_has_begun(const struct transport *transport) {
    check(transport->tls == NULL);
    return false;
}

bool tls_was_resumed(const struct transport *transport) {
    check(transport->tls == NULL);
    return false;
}

struct bytes tls_agreed(const struct transport *transport) {
    check(transport->tls == NULL);
    return bytes_of("", 0);
}

const char *tls_protocol(const struct transport *transport) {
    check(transport->tls == NULL);
    return "";
}

const char *tls_cipher(const struct transport *transport) {
    check(transport->tls == NULL);
    return "";
}

const char *tls_problem(const struct transport *transport) {
    check(transport->tls == NULL);
    return "";
}

bool tls_was_plain_text(const struct transport *transport) {
    check(transport->tls == NULL);
    return false;
}

#endif
