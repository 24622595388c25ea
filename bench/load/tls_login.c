/* tls_login: see the header. */
#include "load/tls_login.h"

#include <stdio.h>

static const char *text_of(const char *given) {
    return given == NULL ? "" : given;
}

int tls_login_settle(const struct tls_wishes *wishes, struct login *login) {
    if (!wishes->tls) {
        return 0;
    }
    if ((wishes->cert_file == NULL) != (wishes->key_file == NULL)) {
        fputs("--cert and --key belong together\n", stderr);
        return -1;
    }
    const struct tls_settings settings = {
        .cert_file = text_of(wishes->cert_file),
        .key_file = text_of(wishes->key_file),
        .key_pass = "",
        .ca_file = text_of(wishes->ca_file),
        .ca_dir = text_of(wishes->ca_dir),
        .protocols = "",
        .ciphers = text_of(wishes->ciphers),
        .ciphersuites = text_of(wishes->ciphersuites),
        .dh_params_file = "",
        .verify = wishes->insecure ? TLS_VERIFY_NO : TLS_VERIFY_YES,
    };
    char problem[TLS_PROBLEM_MAX];
    login->tls = tls_context_new_client(&settings, problem);
    if (login->tls == NULL) {
        fprintf(stderr, "TLS: %s\n", problem);
        return -1;
    }
    login->server_name = wishes->server_name;
    login->desk = tls_desk_new();
    return 0;
}

void tls_login_free(struct login *login) {
    if (login->tls != NULL) {
        tls_context_free(login->tls);
        tls_desk_free(login->desk);
        login->tls = NULL;
    }
}
