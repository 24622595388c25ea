/* http: its options, its life, and how long a peer may keep it waiting. */
#include "http/http.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "call/context.h"
#include "client/client.h"
#include "http/exchange.h"
#include "http/h2.h"

#define MS_PER_SECOND 1000

static bool set_bind(void *module, const struct bytes *words, int count, const char **error) {
    const struct http *http = module;
    return http->doors.set_bind(http->doors.owner, words, count, error);
}

static void get_bind(void *module, struct buffer *out) {
    const struct http *http = module;
    http->doors.print_bind(http->doors.owner, out);
}

static const struct option_custom http_bind_option = {.set = set_bind, .get = get_bind};

bool http_apply_port(void *module, const char **error) {
    const struct http *http = module;
    if (http->registered && http->doors.listen(http->doors.owner) != 0) {
        *error = "Unable to listen on this port. Check server logs.";
        return false;
    }
    return true;
}

static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct http_options, __VA_ARGS__)
    HTTP_OPTIONS_TABLE(ROW)
#undef ROW
};

static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct http_metrics, __VA_ARGS__)
    HTTP_METRICS(ROW)
#undef ROW
};

static size_t request_max(const struct client_protocol *protocol) {
    const struct http *http = protocol->context;
    /* What frames a chunked body is taken out as it comes, but for the last read. */
    return (size_t)(http->options.head_max + http->options.body_max) + 128 * 1024;
}

static void count(const struct client_protocol *protocol, int64_t more) {
    struct http *http = protocol->context;
    atomic_fetch_add_explicit(&http->under_way, more, memory_order_relaxed);
}

static bool overdue(const struct client_protocol *protocol, struct client *client,
                    enum protocol_wait wait, int64_t now_ms, int64_t waited_ms,
                    struct bytes *last_words) {
    const struct http *http = protocol->context;
    struct h2 *h2 = http_h2(client);
    if (h2 != NULL) {
        return h2_overdue(h2, wait, now_ms, waited_ms, last_words);
    }
    switch (wait) {
    case PROTOCOL_BEGUN:
        *last_words = bytes_text("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\n\r\n");
        return waited_ms > http->options.request_seconds * MS_PER_SECOND;
    case PROTOCOL_UNSENT:
        return waited_ms > http->options.response_seconds * MS_PER_SECOND;
    default:
        return atomic_load_explicit(&http->draining, memory_order_relaxed) ||
               waited_ms > http->options.idle_seconds * MS_PER_SECOND;
    }
}

static bool wants_turn(const struct client_protocol *protocol, struct client *client) {
    const struct h2 *h2 = http_h2(client);
    (void)protocol;
    return h2 != NULL && h2_wants_turn(h2);
}

struct http_session *http_session_of(struct client *client) {
    if (client->session == NULL) {
        client->session = mem_zalloc(MEM_CLIENT, sizeof(struct http_session));
    }
    return client->session;
}

static void leaves(const struct client_protocol *protocol, struct client *client) {
    (void)protocol;
    struct http_session *session = client->session;
    if (session == NULL) {
        return;
    }
    if (session->h2 != NULL) {
        h2_free(session->h2);
    }
    if (session->proof != NULL) {
        mem_free(MEM_CLIENT, session->proof, session->proof_size);
    }
    mem_free(MEM_CLIENT, session, sizeof *session);
    client->session = NULL;
}

struct http *http_new(struct context *context, const struct http_doors *doors) {
    struct http *http = mem_zalloc(MEM_OTHER, sizeof *http);
    http->context = context;
    http->doors = *doors;
    http->second = -1;
    http->protocol = (struct client_protocol){
        .name = "http",
        .context = http,
        .full = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n",
        .closed = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n"
                  "Connection: close\r\n\r\n"
                  "Larder runs in protected mode: it has no password, so it accepts connections "
                  "from this machine only. Set requirepass, or protected-mode no if that is so.\n",
        .alpn = h2_is_built() ? "\x02h2\x08http/1.1" : "\x08http/1.1",
        .request_max = request_max,
        .parse = http_route,
        .execute = http_execute,
        .count = count,
        .overdue = overdue,
        .wants_turn = wants_turn,
        .leaves = leaves,
    };
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &http->options, http);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &http->metrics, http, NULL);
    protocol_scratch_init(&http->scratches[0], context->clients);
    protocol_scratch_init(&http->scratches[1], context->clients);
    protocol_scratch_init(&http->bodies[0], context->clients);
    protocol_scratch_init(&http->bodies[1], context->clients);
    http->kit = h2_kit_new();
    http->registered = true;
    return http;
}

void http_free(struct http *http) {
    reply_free(&http->scratches[0].reply);
    reply_free(&http->scratches[1].reply);
    reply_free(&http->bodies[0].reply);
    reply_free(&http->bodies[1].reply);
    if (http->kit != NULL) {
        h2_kit_free(http->kit);
    }
    mem_free(MEM_OTHER, http, sizeof *http);
}

/* By the name of its row, whatever it has been renamed to; NULL when it has been taken away. */
static struct command *find(const struct commands *commands, const char *name) {
    for (int i = 0; i < commands_count(commands); i++) {
        struct command *command = commands_at(commands, i);
        if (strcmp(command->row->name, name) == 0) {
            return commands_find_full(commands, bytes_text(command->name)) == command ? command
                                                                                      : NULL;
        }
    }
    return NULL;
}

void http_start(struct http *http) {
    const struct commands *commands = http->context->commands;
    http->commands = (struct http_commands){
        .get = find(commands, "get"),
        .set = find(commands, "set"),
        .del = find(commands, "del"),
        .delex = find(commands, "delex"),
        .digest = find(commands, "digest"),
        .scan = find(commands, "scan"),
        .info = find(commands, "info"),
        .auth = find(commands, "auth"),
        .monitor = find(commands, "monitor"),
        .slowlog_get = commands_find_full(commands, bytes_text("slowlog|get")),
        .multi = find(commands, "multi"),
        .exec = find(commands, "exec"),
    };
}

const struct http_options *http_options(const struct http *http) {
    return &http->options;
}

const struct client_protocol *http_protocol(const struct http *http) {
    return &http->protocol;
}

void http_drain(struct http *http, bool on) {
    atomic_store_explicit(&http->draining, on, memory_order_relaxed);
    if (on) {
        clients_turn_foreign(http->context->clients);
    }
}
