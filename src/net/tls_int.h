/* tls_int: what the files of TLS share. OpenSSL's types by their tags, so that this header needs
 * none of its headers. */
#ifndef LARDER_NET_TLS_INT_H
#define LARDER_NET_TLS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/tls.h"

struct ssl_ctx_st;
struct ssl_st;

struct tls_context {
    struct ssl_ctx_st *ctx;
    bool is_client;
    int64_t expires;
    char subject[256];
};

/* What the session of this SSL may speak inside; NULL: nothing was said about that. */
const char *tls_offer_of(const struct ssl_st *ssl);

/* Makes OpenSSL count what it allocates. Before its first use; costs nothing afterwards. */
void tls_prepare(void);

/* Appends what OpenSSL has to say about the last failure, and forgets it. */
void tls_explain(char problem[TLS_PROBLEM_MAX], const char *what, const char *name);

#endif
