/* monitor: the ids of those who watch, in an array. An id instead of a pointer, because a
 * connection may go at any time; who has gone, or has left by RESET, is taken out when the next
 * line is due.
 *
 * A call is shown after it was executed: a SELECT shows the database that it chose, as in Redis. */
#include "feature/monitor.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client.h"
#include "feature/redact.h"

/* The array's first size; it doubles. */
#define IDS_MIN 8
/* A line's buffer beyond this is given back: a command may have carried megabytes. */
#define LINE_KEPT_MAX 65536

struct monitor {
    struct call_observer observer;
    struct clients *clients;
    uint64_t *ids;
    size_t count;
    size_t capacity;
    struct buffer line;
};

void monitor_print(const struct call *call, int64_t wall_us, struct buffer *out) {
    const struct client *client = call->client;
    buffer_printf(out, "+%lld.%06lld [%d ", (long long)(wall_us / 1000000),
                  (long long)(wall_us % 1000000), client->database->id);
    if (call->script_us != NULL) {
        buffer_append_text(out, "lua");
    } else {
        char peer[SOCKET_NAME_SIZE];
        client_peer_name(client, peer);
        /* The socket's path stands where an address would. */
        if (client->flags & CLIENT_UNIX) {
            buffer_append_text(out, "unix:");
            char *port = strrchr(peer, ':');
            if (port != NULL) {
                *port = '\0';
            }
        }
        buffer_append_text(out, peer);
    }
    buffer_append_byte(out, ']');
    for (int i = 0; i < call->argc; i++) {
        buffer_append_byte(out, ' ');
        buffer_append_quoted(out, redact_argument(call, i));
    }
    buffer_append_text(out, "\r\n");
}

/* Sends the line to who is there still and forgets the others. */
void monitor_show(struct monitor *monitor, const struct call *call) {
    monitor->line.size = 0;
    monitor_print(call, clock_wall_us(), &monitor->line);
    size_t kept = 0;
    for (size_t i = 0; i < monitor->count; i++) {
        struct client *client = clients_find(monitor->clients, monitor->ids[i]);
        if (client == NULL || !(client->flags & CLIENT_MONITOR)) {
            continue;
        }
        monitor->ids[kept++] = monitor->ids[i];
        client_send(client, buffer_bytes(&monitor->line));
    }
    monitor->count = kept;
    monitor->observer.after_min_ns = kept > 0 ? 0 : INT64_MAX;
    if (monitor->line.capacity > LINE_KEPT_MAX) {
        buffer_clear(&monitor->line);
    }
}

static void after(void *context, const struct call *call, int64_t duration_ns) {
    (void)duration_ns;
    if (!call->again && !(call->command->flags & (COMMAND_SKIP_MONITOR | COMMAND_ADMIN))) {
        monitor_show(context, call);
    }
}

struct monitor *monitor_new(struct context *context) {
    struct monitor *monitor = mem_zalloc(MEM_FEATURE, sizeof *monitor);
    monitor->clients = context->clients;
    buffer_init(&monitor->line, MEM_FEATURE);
    monitor->observer.context = monitor;
    monitor->observer.after = after;
    monitor->observer.after_min_ns = INT64_MAX;
    clients_observe(context->clients, &monitor->observer);
    return monitor;
}

void monitor_free(struct monitor *monitor) {
    buffer_clear(&monitor->line);
    mem_free(MEM_FEATURE, monitor->ids, monitor->capacity * sizeof monitor->ids[0]);
    mem_free(MEM_FEATURE, monitor, sizeof *monitor);
}

void monitor_add(struct monitor *monitor, struct client *client) {
    client->flags |= CLIENT_MONITOR;
    /* It may have left by RESET since the last line. */
    for (size_t i = 0; i < monitor->count; i++) {
        if (monitor->ids[i] == client->id) {
            return;
        }
    }
    if (monitor->count == monitor->capacity) {
        size_t capacity = monitor->capacity == 0 ? IDS_MIN : monitor->capacity * 2;
        monitor->ids =
            mem_realloc(MEM_FEATURE, monitor->ids, monitor->capacity * sizeof monitor->ids[0],
                        capacity * sizeof monitor->ids[0]);
        monitor->capacity = capacity;
    }
    monitor->ids[monitor->count++] = client->id;
    monitor->observer.after_min_ns = 0;
}

size_t monitor_count(const struct monitor *monitor) {
    return monitor->count;
}
