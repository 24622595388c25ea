/* http_doors: the options http-port, https-port and http-bind, and who comes through. */
#include "server/http_doors.h"

#include "base/log.h"
#include "client/client.h"
#include "http/http.h"
#include "net/tls.h"
#include "server/server.h"

int http_doors_listen(struct server *server) {
    if (server->loop == NULL || server->ending.state != ENDING_SERVING) {
        return 0;
    }
    const struct http_options *options = http_options(server->http);
    if (options->secure_port != 0 && !tls_is_built()) {
        log_warning("https-port is set, and this program was built without TLS.");
        return -1;
    }
    if (options->secure_port != 0 && server->secure.context == NULL &&
        secure_reload(&server->secure) != 0) {
        return -1;
    }
    int backlog = (int)server->options.backlog;
    if (listeners_open_tcp(&server->http_listeners, (int)options->port, backlog) != 0) {
        return -1;
    }
    return listeners_open_tcp(&server->https_listeners, (int)options->secure_port, backlog);
}

static int listen_again(void *context) {
    return http_doors_listen(context);
}

static bool set_http_bind(void *context, const struct bytes *words, int count, const char **error) {
    struct server *server = context;
    return listeners_set_wanted(&server->http_listeners, words, count, error) &&
           listeners_set_wanted(&server->https_listeners, words, count, error);
}

static void print_http_bind(void *context, struct buffer *out) {
    const struct server *server = context;
    listeners_print_wanted(&server->http_listeners, out);
}

static void accepted_http(void *context, int fd, bool is_unix) {
    struct server *server = context;
    (void)is_unix;
    clients_accept_foreign(server->context.clients, fd, CLIENT_DOOR_TCP,
                           http_protocol(server->http));
}

static void accepted_https(void *context, int fd, bool is_unix) {
    struct server *server = context;
    (void)is_unix;
    clients_accept_foreign(server->context.clients, fd, CLIENT_DOOR_TLS,
                           http_protocol(server->http));
}

struct http *http_doors_make(struct server *server) {
    const struct http_doors doors = {.owner = server,
                                     .listen = listen_again,
                                     .set_bind = set_http_bind,
                                     .print_bind = print_http_bind};
    return http_new(&server->context, &doors);
}

void http_doors_attach(struct server *server) {
    listeners_attach(&server->http_listeners, server->loop, accepted_http, server);
    listeners_attach(&server->https_listeners, server->loop, accepted_https, server);
}

int http_doors_count(const struct server *server) {
    return listeners_count(&server->http_listeners) + listeners_count(&server->https_listeners);
}

void http_doors_close(struct server *server) {
    listeners_close(&server->http_listeners);
    listeners_close(&server->https_listeners);
}

void http_doors_clear(struct server *server) {
    listeners_clear(&server->http_listeners);
    listeners_clear(&server->https_listeners);
}

static void tell_open(const struct listeners *listeners, const char *what) {
    for (int i = 0; i < listeners->tcp_count; i++) {
        log_notice("Listening on %s, for %s.", listener_name(listeners->tcp[i].listener), what);
    }
}

void http_doors_log(const struct server *server) {
    tell_open(&server->http_listeners, "HTTP");
    tell_open(&server->https_listeners, "HTTPS");
}
