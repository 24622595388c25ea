/* secure: see the header. */
#include "server/secure.h"

#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "client/client.h"
#include "net/tls.h"
#include "server/server.h"

#define MS_PER_HOUR     3600000
#define SECONDS_PER_DAY 86400

static const struct option_choice secure_verify_choices[] = {
    {"no", TLS_VERIFY_NO}, {"yes", TLS_VERIFY_YES}, {"optional", TLS_VERIFY_OPTIONAL}, {NULL, 0}};

bool secure_is_on(const struct secure *secure) {
    const struct secure_options *options = &secure->options;
    return options->port != 0 || http_options(secure->server->http)->secure_port != 0 ||
           options->replication || options->cluster;
}

/* ---- contexts ---- */

static struct tls_settings settings_of(const struct secure *secure) {
    const struct secure_options *options = &secure->options;
    return (struct tls_settings){
        .cert_file = options->cert_file,
        .key_file = options->key_file,
        .key_pass = options->key_pass,
        .ca_file = options->ca_file,
        .ca_dir = options->ca_dir,
        .protocols = options->protocols,
        .ciphers = options->ciphers,
        .ciphersuites = options->ciphersuites,
        .dh_params_file = options->dh_params_file,
        .verify = options->verify,
        .prefers_own_ciphers = options->prefers_own_ciphers,
        .resumes = options->resumes,
        .cache_size = options->cache_size,
        .cache_seconds = options->cache_seconds,
    };
}

/* What the server shows others as their client. */
static struct tls_settings client_settings_of(const struct secure *secure) {
    const struct secure_options *options = &secure->options;
    struct tls_settings settings = settings_of(secure);
    if (options->client_cert_file[0] != '\0') {
        settings.cert_file = options->client_cert_file;
        settings.key_file = options->client_key_file;
        settings.key_pass = options->client_key_pass;
    }
    settings.verify = TLS_VERIFY_YES;
    return settings;
}

static bool trusts_somebody(const struct secure *secure) {
    return secure->options.ca_file[0] != '\0' || secure->options.ca_dir[0] != '\0';
}

/* Makes both contexts; neither when one cannot be had. */
static int make_contexts(const struct secure *secure, struct tls_context **context,
                         struct tls_context **client_context) {
    char problem[TLS_PROBLEM_MAX];
    const struct secure_options *options = &secure->options;
    *context = *client_context = NULL;
    bool connects = options->replication || options->cluster;
    if (connects && !trusts_somebody(secure)) {
        log_warning(
            "TLS: Neither tls-ca-cert-file nor tls-ca-cert-dir is given, and tls-replication "
            "or tls-cluster is set.");
        return -1;
    }
    struct tls_settings settings = settings_of(secure);
    *context = tls_context_new_server(&settings, problem);
    if (*context != NULL && connects) {
        settings = client_settings_of(secure);
        *client_context = tls_context_new_client(&settings, problem);
    }
    if (*context == NULL || (connects && *client_context == NULL)) {
        log_warning("TLS: %s.", problem);
        if (*context != NULL) {
            tls_context_free(*context);
        }
        return -1;
    }
    return 0;
}

static void put(struct tls_context **place, struct tls_context *context) {
    if (*place != NULL) {
        tls_context_free(*place);
    }
    *place = context;
}

/* ---- the certificate's age ---- */

static void look_at_age(struct secure *secure, int64_t now_s) {
    if (secure->context == NULL || now_s - secure->warned_s < SECONDS_PER_DAY) {
        return;
    }
    int64_t left_s = tls_context_expires(secure->context) - now_s;
    if (left_s >= (int64_t)SECURE_WARN_DAYS * SECONDS_PER_DAY) {
        return;
    }
    secure->warned_s = now_s;
    if (left_s <= 0) {
        log_warning(
            "TLS: The certificate of %s, or one that leads to its authority's, has expired: "
            "clients that verify it are refused. After replacing the files send SIGHUP.",
            tls_context_subject(secure->context));
    } else {
        log_warning("TLS: The certificate of %s, or one that leads to its authority's, expires in "
                    "%lld days. After replacing the files send SIGHUP.",
                    tls_context_subject(secure->context), (long long)(left_s / SECONDS_PER_DAY));
    }
}

static int64_t on_time(struct loop_timer *timer) {
    struct secure *secure =
        (struct secure *)(void *)((char *)timer - offsetof(struct secure, timer));
    look_at_age(secure, (int64_t)time(NULL));
    return MS_PER_HOUR;
}

/* ---- beginning, changing ---- */

int secure_reload(struct secure *secure) {
    if (!secure_is_on(secure)) {
        return 0;
    }
    struct tls_context *context;
    struct tls_context *client_context;
    if (make_contexts(secure, &context, &client_context) != 0) {
        return -1;
    }
    put(&secure->context, context);
    put(&secure->client_context, client_context);
    clients_set_tls(secure->server->context.clients, secure->context);
    secure->warned_s = 0;
    look_at_age(secure, (int64_t)time(NULL));
    return 0;
}

int secure_start(struct secure *secure) {
    if (!tls_is_built()) {
        return 0;
    }
    secure->timer = (struct loop_timer){.on_time = on_time, .position = -1};
    loop_timer_add(secure->server->loop, &secure->timer, MS_PER_HOUR);
    if (secure_reload(secure) != 0) {
        log_warning("Failed to configure TLS. Check logs for more info.");
        return -1;
    }
    if (secure->options.cluster) {
        log_warning("TLS: tls-cluster has no effect: connections to other servers, as for MIGRATE, "
                    "are not encrypted. Those to a primary are, with tls-replication.");
    }
    return 0;
}

bool secure_apply(void *module, const char **error) {
    struct secure *secure = module;
    if (secure->server->loop != NULL && secure_reload(secure) != 0) {
        *error = "Unable to update TLS configuration. Check server logs.";
        return false;
    }
    return true;
}

bool secure_apply_port(void *module, const char **error) {
    struct secure *secure = module;
    if (secure->context == NULL && !secure_apply(module, error)) {
        return false;
    }
    if (server_listen(secure->server) != 0) {
        *error = "Unable to listen on this port. Check server logs.";
        return false;
    }
    return true;
}

/* ---- telling ---- */

static void tell_certificate(void *module, struct buffer *out) {
    const struct secure *secure = module;
    if (secure->context == NULL) {
        return;
    }
    int64_t expires = tls_context_expires(secure->context);
    time_t seconds = (time_t)expires;
    struct tm when;
    char text[32] = "";
    if (gmtime_r(&seconds, &when) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &when);
    }
    buffer_printf(out,
                  "tls_port:%lld\r\ntls_certificate_subject:%s\r\ntls_certificate_expires:%s\r\n"
                  "tls_certificate_expires_in_seconds:%lld\r\n",
                  (long long)secure->options.port, tls_context_subject(secure->context), text,
                  (long long)(expires - (int64_t)time(NULL)));
}

void secure_init(struct secure *secure, struct server *server) {
    static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct secure_options, __VA_ARGS__)
        SECURE_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
        {.name = "certificate",
         .section = METRIC_SERVER,
         .kind = METRIC_KIND_LINES,
         .text = tell_certificate,
         .description = "The certificate that the server shows, and when it expires."},
    };
    *secure = (struct secure){.server = server};
    if (!tls_is_built()) {
        return;
    }
    options_register(server->context.options, rows, sizeof rows / sizeof rows[0], &secure->options,
                     secure);
    metrics_register(server->context.metrics, metric_rows,
                     sizeof metric_rows / sizeof metric_rows[0], NULL, secure, NULL);
}

void secure_free(struct secure *secure) {
    put(&secure->context, NULL);
    put(&secure->client_context, NULL);
    if (secure->server->loop != NULL) {
        loop_timer_remove(secure->server->loop, &secure->timer);
    }
}
