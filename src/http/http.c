/* http: its options, its life, and how long a peer may keep it waiting. */
#include "http/http.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "call/context.h"
#include "http/exchange.h"

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

static const char *overdue(const struct client_protocol *protocol, bool has_begun,
                           int64_t waited_ms) {
    const struct http *http = protocol->context;
    int64_t most = has_begun ? http->options.request_seconds : http->options.idle_seconds;
    if (atomic_load_explicit(&http->draining, memory_order_relaxed) && !has_begun) {
        return "";
    }
    if (waited_ms <= most * MS_PER_SECOND) {
        return NULL;
    }
    return has_begun ? "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: "
                       "close\r\n\r\n"
                     : "";
}

static void leaves(const struct client_protocol *protocol, struct client *client) {
    (void)protocol;
    struct http_session *session = client->session;
    if (session != NULL) {
        mem_free(MEM_CLIENT, session, sizeof *session + session->size);
        client->session = NULL;
    }
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
        .alpn = "\x08http/1.1",
        .request_max = request_max,
        .parse = http_route,
        .execute = http_execute,
        .count = count,
        .overdue = overdue,
        .leaves = leaves,
    };
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &http->options, http);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &http->metrics, http, NULL);
    protocol_scratch_init(&http->scratches[0], context->clients);
    protocol_scratch_init(&http->scratches[1], context->clients);
    http->registered = true;
    return http;
}

void http_free(struct http *http) {
    reply_free(&http->scratches[0].reply);
    reply_free(&http->scratches[1].reply);
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
}
