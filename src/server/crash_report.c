/* crash_report: what a report of a crash says of the server: whom it was serving, with which
 * command, and the figures that one asks for first. Everything is read as it stands: nothing is
 * allocated or locked, and what is being changed just now may be wrong.
 *
 * Of the arguments the key is shown, and the sizes of the others: reports are sent around. */
#include "server/server.h"

#include "base/crash.h"
#include "base/mem.h"
#include "call/call.h"
#include "call/command.h"
#include "client/client.h"
#include "client/client_int.h"

/* Of a key. */
#define SHOWN_MAX 64
/* Arguments of which the size is shown. */
#define SIZES_MAX 16

static void print_call(const struct call *call) {
    const struct command *command = call->command;
    crash_print("command: ");
    if (command == NULL) {
        crash_print("unknown");
    } else {
        crash_print(command->name);
    }
    crash_print(", words ");
    crash_print_number(call->argc);
    crash_print(" of bytes");
    for (int i = 0; i < call->argc && i < SIZES_MAX; i++) {
        crash_print(" ");
        crash_print_number((int64_t)call->args[i].size);
    }
    if (command != NULL && command->first_key > 0 && command->first_key < call->argc) {
        crash_print(", key ");
        crash_print_quoted(call->args[command->first_key], SHOWN_MAX);
    }
    crash_print("\n");
}

static void print_client(const struct client *client) {
    crash_print("client: id ");
    crash_print_number((int64_t)client->id);
    crash_print(", descriptor ");
    crash_print_number(client->watch.fd);
    crash_print(", database ");
    crash_print_number(client->database == NULL ? -1 : client->database->id);
    crash_print(", protocol ");
    crash_print_number(client->version);
    crash_print(", flags ");
    crash_print_hex(client->flags);
    crash_print(", commands ");
    crash_print_number((int64_t)client->commands);
    if (client->name != NULL) {
        crash_print(", name ");
        crash_print_quoted(bytes_text(client->name), SHOWN_MAX);
    }
    crash_print("\n");
}

static void print_figure(const char *name, int64_t value) {
    crash_print(name);
    crash_print(":");
    crash_print_number(value);
    crash_print("\n");
}

void server_report_crash(void *context) {
    const struct server *server = context;
    const struct clients *clients = server->context.clients;
    if (clients == NULL || server->loop == NULL) {
        crash_print("the server was starting or ending\n");
        return;
    }
    const struct call *call = clients_call(clients);
    if (call == NULL) {
        crash_print("no command was being executed\n");
    } else {
        print_call(call);
        print_client(call->client);
    }
    print_figure("uptime_in_seconds", (server->clock.now_ms - server->control.start_ms) / 1000);
    size_t used;
    if (mem_try_used(&used)) {
        print_figure("used_memory", (int64_t)used);
    }
    print_figure("connected_clients", (int64_t)clients->count);
    print_figure("io_threads", (int64_t)clients->thread_count);
    print_figure("total_commands_processed", (int64_t)clients->metrics.total_commands_processed);
    print_figure("total_connections_received",
                 (int64_t)clients->metrics.total_connections_received);
    print_figure("keys", (int64_t)keyspace_size(&server->keyspace));
    crash_print("event loop: ");
    crash_print(loop_backend(server->loop));
    crash_print("\n");
}
