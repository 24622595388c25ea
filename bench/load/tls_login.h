/* tls_login: the options about TLS, and what they come to. As in redis-benchmark, the server's
 * certificate must lead to an authority that is trusted; for whom it is made is not looked at. */
#ifndef LARDER_LOAD_TLS_LOGIN_H
#define LARDER_LOAD_TLS_LOGIN_H

#include <stdbool.h>

#include "load/connect.h"

struct tls_wishes {
    bool tls;
    bool insecure;           /* any certificate will do */
    const char *server_name; /* the rest may be NULL: not given */
    const char *ca_file;
    const char *ca_dir;
    const char *cert_file;
    const char *key_file;
    const char *ciphers;
    const char *ciphersuites;
};

/* Readies the login for what is wished. 0, or -1 after a word on standard error. Freed with
 * tls_login_free. */
int tls_login_settle(const struct tls_wishes *wishes, struct login *login);
void tls_login_free(struct login *login);

#endif
