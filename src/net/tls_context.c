/* tls_context: certificate, key and rules, as OpenSSL keeps them. Made anew whenever one of the
 * settings changes or a file may have; the old one stays with the connections that began with
 * it. */
#include "net/tls_int.h"

#ifndef LARDER_NO_TLS

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"

/* Tickets of TLSv1.3 given to a client that connects: one for the connection after this. OpenSSL
 * makes two, which browsers use at once. */
#define TICKETS 1

/* ---- OpenSSL's memory ---- */

/* OpenSSL's allocations are counted as what connections take. */
static void *allocate(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return size == 0 ? NULL : mem_foreign_realloc(MEM_CLIENT, NULL, size);
}

static void *reallocate(void *at, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return mem_foreign_realloc(MEM_CLIENT, at, size);
}

static void release(void *at, const char *file, int line) {
    (void)file;
    (void)line;
    mem_foreign_free(MEM_CLIENT, at);
}

/* Refused, without harm, when OpenSSL has memory already. Its own end at exit would come when parts
 * of this program are gone, and frees nothing that the system does not. */
static void prepare(void) {
    (void)CRYPTO_set_mem_functions(allocate, reallocate, release);
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

void tls_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}

/* ---- what went wrong ---- */

void tls_explain(char problem[TLS_PROBLEM_MAX], const char *what, const char *name) {
    unsigned long error = ERR_peek_last_error();
    const char *reason = NULL;
    if (error != 0) {
        reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
                                         : ERR_reason_error_string(error);
    }
    /* The first error is nearest to the cause, where the system had one. */
    unsigned long first = ERR_peek_error();
    if (first != 0 && ERR_SYSTEM_ERROR(first)) {
        reason = strerror(ERR_GET_REASON(first));
    }
    snprintf(problem, TLS_PROBLEM_MAX, "%s%s%s%s%s", what, name[0] == '\0' ? "" : " ", name,
             reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
    ERR_clear_error();
}

/* ---- rules ---- */

static const struct {
    const char *name;
    int version;
    uint64_t off;
} protocols[] = {
    {"TLSv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"TLSv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"TLSv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"TLSv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};
#define PROTOCOLS       (sizeof protocols / sizeof protocols[0])
#define PROTOCOLS_USUAL "TLSv1.2 TLSv1.3"

/* Which of the protocols the text names, as a set of bits; 0 when a word is none. */
static unsigned read_protocols(const char *text) {
    unsigned chosen = 0;
    for (const char *at = text + strspn(text, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        size_t i = 0;
        while (i < PROTOCOLS && (strlen(protocols[i].name) != size ||
                                 strncasecmp(at, protocols[i].name, size) != 0)) {
            i++;
        }
        if (i == PROTOCOLS) {
            return 0;
        }
        chosen |= 1u << i;
        at += size;
    }
    return chosen;
}

static int set_protocols(SSL_CTX *ctx, const char *text, char *problem) {
    unsigned chosen = read_protocols(text[0] == '\0' ? PROTOCOLS_USUAL : text);
    if (chosen == 0) {
        snprintf(problem, TLS_PROBLEM_MAX,
                 "tls-protocols is no list of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3: %.100s", text);
        return -1;
    }
    /* The range first, since the system's settings may have a narrower one; then what is missing
     * within. */
    size_t least = (size_t)__builtin_ctz(chosen);
    size_t most = 31u - (size_t)__builtin_clz(chosen);
    uint64_t off = 0;
    for (size_t i = least; i <= most; i++) {
        off |= chosen & (1u << i) ? 0 : protocols[i].off;
    }
    if (SSL_CTX_set_min_proto_version(ctx, protocols[least].version) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, protocols[most].version) != 1) {
        tls_explain(problem, "tls-protocols:", text);
        return -1;
    }
    SSL_CTX_set_options(ctx, off);
    return 0;
}

static int set_ciphers(SSL_CTX *ctx, const struct tls_settings *settings, char *problem) {
    if (settings->ciphers[0] != '\0' && SSL_CTX_set_cipher_list(ctx, settings->ciphers) != 1) {
        tls_explain(problem, "tls-ciphers:", settings->ciphers);
        return -1;
    }
    if (settings->ciphersuites[0] != '\0' &&
        SSL_CTX_set_ciphersuites(ctx, settings->ciphersuites) != 1) {
        tls_explain(problem, "tls-ciphersuites:", settings->ciphersuites);
        return -1;
    }
    if (settings->prefers_own_ciphers) {
        SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    return 0;
}

static int set_dh_params(SSL_CTX *ctx, const char *path, char *problem) {
    if (path[0] == '\0') {
        SSL_CTX_set_dh_auto(ctx, 1);
        return 0;
    }
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *params = file == NULL ? NULL : PEM_read_bio_Parameters(file, NULL);
    BIO_free(file);
    if (params == NULL || SSL_CTX_set0_tmp_dh_pkey(ctx, params) != 1) {
        EVP_PKEY_free(params);
        tls_explain(problem, "tls-dh-params-file cannot be used:", path);
        return -1;
    }
    return 0;
}

/* TLSv1.3 hands the client a ticket and remembers nothing; older protocols may do either. */
static void set_resumption(SSL_CTX *ctx, const struct tls_settings *settings) {
    static const unsigned char name[] = "larder";
    SSL_CTX_set_session_id_context(ctx, name, sizeof name - 1);
    if (settings->resumes) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
        SSL_CTX_sess_set_cache_size(ctx, (long)settings->cache_size);
        SSL_CTX_set_timeout(ctx, (long)settings->cache_seconds);
        SSL_CTX_set_num_tickets(ctx, TICKETS);
    } else {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
}

/* ---- certificates ---- */

/* Nobody sits at a terminal to be asked. */
static int give_pass(char *at, int room, int writing, void *context) {
    (void)writing;
    const char *pass = context;
    size_t size = pass == NULL ? 0 : strlen(pass);
    if (size == 0 || size > (size_t)room) {
        return -1;
    }
    memcpy(at, pass, size);
    return (int)size;
}

static int load_key(SSL_CTX *ctx, const struct tls_settings *settings, char *problem) {
    union {
        const char *given;
        void *taken;
    } pass = {.given = settings->key_pass};
    SSL_CTX_set_default_passwd_cb(ctx, give_pass);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, pass.taken);
    int good = SSL_CTX_use_PrivateKey_file(ctx, settings->key_file, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (good != 1) {
        tls_explain(problem, "The key cannot be loaded from", settings->key_file);
        return -1;
    }
    return 0;
}

static int load_own(SSL_CTX *ctx, const struct tls_settings *settings, char *problem) {
    if (SSL_CTX_use_certificate_chain_file(ctx, settings->cert_file) != 1) {
        tls_explain(problem, "The certificate cannot be loaded from", settings->cert_file);
        return -1;
    }
    if (load_key(ctx, settings, problem) != 0) {
        return -1;
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        tls_explain(problem, "The certificate does not fit its key:", settings->cert_file);
        return -1;
    }
    return 0;
}

static const char *or_null(const char *text) {
    return text[0] == '\0' ? NULL : text;
}

static int load_trusted(SSL_CTX *ctx, const struct tls_settings *settings, bool is_client,
                        char *problem) {
    const char *file = or_null(settings->ca_file);
    const char *dir = or_null(settings->ca_dir);
    if (file == NULL && dir == NULL) {
        if (is_client) {
            SSL_CTX_set_default_verify_paths(ctx);
        }
        return 0;
    }
    if (SSL_CTX_load_verify_locations(ctx, file, dir) != 1) {
        tls_explain(problem, "The authorities' certificates cannot be loaded from",
                    file == NULL ? settings->ca_dir : settings->ca_file);
        return -1;
    }
    /* So that a client with several certificates knows which one is wanted. */
    if (!is_client && file != NULL && settings->verify != TLS_VERIFY_NO) {
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
    }
    return 0;
}

static int64_t expiry_of(const X509 *certificate) {
    struct tm time = {0};
    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) {
        return 0;
    }
    return (int64_t)timegm(&time);
}

static void look_at_own(struct tls_context *context) {
    const X509 *own = SSL_CTX_get0_certificate(context->ctx);
    STACK_OF(X509) *chain = NULL;
    context->expires = expiry_of(own);
    if (own == NULL) {
        return;
    }
    X509_NAME_oneline(X509_get_subject_name(own), context->subject, sizeof context->subject);
    SSL_CTX_get0_chain_certs(context->ctx, &chain);
    for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++) {
        int64_t expires = expiry_of(sk_X509_value(chain, i));
        context->expires = expires < context->expires ? expires : context->expires;
    }
}

/* ---- contexts ---- */

static int set_common(SSL_CTX *ctx, const struct tls_settings *settings, bool is_client,
                      char *problem) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 0);
    if (set_protocols(ctx, settings->protocols, problem) != 0 ||
        set_ciphers(ctx, settings, problem) != 0) {
        return -1;
    }
    if (settings->cert_file[0] != '\0' && load_own(ctx, settings, problem) != 0) {
        return -1;
    }
    return load_trusted(ctx, settings, is_client, problem);
}

/* What a server cannot be without; NULL: all is there. */
static const char *missing_of(const struct tls_settings *settings) {
    if (settings->cert_file[0] == '\0') {
        return "No tls-cert-file is given";
    }
    if (settings->key_file[0] == '\0') {
        return "No tls-key-file is given";
    }
    if (settings->verify != TLS_VERIFY_NO && settings->ca_file[0] == '\0' &&
        settings->ca_dir[0] == '\0') {
        return "Neither tls-ca-cert-file nor tls-ca-cert-dir is given, and clients need "
               "certificates (tls-auth-clients)";
    }
    return NULL;
}

/* Of what the client can speak inside, what the session can that it is for. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *theirs, unsigned int their_size, void *context) {
    (void)context;
    const char *offer = tls_offer_of(ssl);
    union {
        const unsigned char **given;
        unsigned char **taken;
    } place = {.given = chosen};
    if (offer == NULL) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    int status = SSL_select_next_proto(place.taken, size, (const unsigned char *)offer,
                                       (unsigned)strlen(offer), theirs, their_size);
    return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_server(SSL_CTX *ctx, const struct tls_settings *settings, char *problem) {
    SSL_CTX_set_options(ctx, SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE);
    static const int modes[] = {
        [TLS_VERIFY_NO] = SSL_VERIFY_NONE,
        [TLS_VERIFY_YES] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
        [TLS_VERIFY_OPTIONAL] = SSL_VERIFY_PEER,
    };
    SSL_CTX_set_verify(ctx, modes[settings->verify], NULL);
    set_resumption(ctx, settings);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return set_dh_params(ctx, settings->dh_params_file, problem);
}

static struct tls_context *context_new(const struct tls_settings *settings, bool is_client,
                                       char *problem) {
    /* First, so that OpenSSL takes no memory for what cannot be. */
    const char *missing = is_client ? NULL : missing_of(settings);
    if (missing != NULL) {
        snprintf(problem, TLS_PROBLEM_MAX, "%s", missing);
        return NULL;
    }
    tls_prepare();
    SSL_CTX *ctx = SSL_CTX_new(is_client ? TLS_client_method() : TLS_server_method());
    if (ctx == NULL) {
        tls_explain(problem, "OpenSSL cannot be used", "");
        return NULL;
    }
    int status = 0;
    if (is_client) {
        bool verifies = settings->verify != TLS_VERIFY_NO;
        SSL_CTX_set_verify(ctx, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    } else {
        status = set_server(ctx, settings, problem);
    }
    if (status != 0 || set_common(ctx, settings, is_client, problem) != 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    ERR_clear_error(); /* of what was tried and not needed */
    struct tls_context *context = mem_zalloc(MEM_OTHER, sizeof *context);
    context->ctx = ctx;
    context->is_client = is_client;
    look_at_own(context);
    return context;
}

bool tls_is_built(void) {
    return true;
}

struct tls_context *tls_context_new_server(const struct tls_settings *settings,
                                           char problem[TLS_PROBLEM_MAX]) {
    return context_new(settings, false, problem);
}

struct tls_context *tls_context_new_client(const struct tls_settings *settings,
                                           char problem[TLS_PROBLEM_MAX]) {
    return context_new(settings, true, problem);
}

void tls_context_free(struct tls_context *context) {
    SSL_CTX_free(context->ctx);
    mem_free(MEM_OTHER, context, sizeof *context);
}

int64_t tls_context_expires(const struct tls_context *context) {
    return context->expires;
}

const char *tls_context_subject(const struct tls_context *context) {
    return context->subject;
}

#endif
