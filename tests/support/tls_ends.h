/* tls_ends: what tests of TLS share: settings over certificates made for them, and one end of a
 * connection of our own over a socket pair. Only in programs that were built with TLS. */
#ifndef LARDER_TESTS_SUPPORT_TLS_ENDS_H
#define LARDER_TESTS_SUPPORT_TLS_ENDS_H

#include "net/tls.h"
#include "support/certificates.h"

struct end {
    struct transport transport;
    struct tls_desk *desk;
    int wire; /* the other end of its socket */
};

/* Trusts the authority; with NAME's certificate, unless it is NULL. Verifies nobody. The texts are
 * good until some calls later. */
struct tls_settings settings_with(const struct certificates *made, const char *name);

/* These fail the test when there is a problem. */
struct tls_context *server_context(const struct tls_settings *settings);
struct tls_context *client_context(const struct tls_settings *settings);

/* `buffer` is what the socket holds, 0 for the system's own choice. */
void open_end(struct end *end, struct tls_context *context, int buffer);
void close_end(struct end *end);

/* Writes a text, which must go at once. */
void say(struct end *end, const char *text);

#endif
