/* http_doors: the options http-port and http-bind, and who comes through. */
#include "server/http_doors.h"

#include "client/client.h"
#include "http/http.h"
#include "server/server.h"

int http_doors_listen(struct server *server) {
    if (server->loop == NULL || server->ending.state != ENDING_SERVING) {
        return 0;
    }
    return listeners_open_tcp(&server->http_listeners, (int)http_options(server->http)->port,
                              (int)server->options.backlog);
}

static int listen_again(void *context) {
    return http_doors_listen(context);
}

static bool set_http_bind(void *context, const struct bytes *words, int count, const char **error) {
    struct server *server = context;
    return listeners_set_wanted(&server->http_listeners, words, count, error);
}

static void print_http_bind(void *context, struct buffer *out) {
    const struct server *server = context;
    listeners_print_wanted(&server->http_listeners, out);
}

static void accepted_http(void *context, int fd, bool is_unix) {
    struct server *server = context;
    (void)is_unix;
    clients_accept_foreign(server->context.clients, fd, http_protocol(server->http));
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
}
