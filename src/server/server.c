/* server: makes the parts in the order in which they need each other, and frees them in the
 * opposite one. */
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/random.h"
#include "client/client.h"
#include "call/command.h"
#include "call/unknown.h"
#include "feature/acl.h"
#include "feature/history.h"
#include "feature/latency.h"
#include "feature/leases.h"
#include "feature/monitor.h"
#include "feature/notify.h"
#include "feature/pubsub.h"
#include "feature/slowlog.h"
#include "feature/topkeys.h"
#include "feature/tracking.h"
#include "net/socket.h"
#include "persist/migrate.h"
#include "persist/replication.h"
#include "persist/saving.h"
#include "script/scripts.h"
#include "server/config_commands.h"
#include "server/families.h"
#include "server/health.h"
#include "server/http_doors.h"
#include "server/libraries.h"

#define NS_PER_US 1000

/* What commands may ask for. */

static bool control_shutdown(void *context, unsigned flags) {
    struct server *server = context;
    log_warning("A client asked for the shutdown.");
    if (server->control.loading != CONTROL_LOADING_NOT) {
        flags &= ~(unsigned)CONTROL_SHUTDOWN_SAVE;
    }
    server->ending.saved = UINT64_MAX;
    if (flags & CONTROL_SHUTDOWN_SAVE && !ending_save(&server->ending, flags)) {
        return false;
    }
    if (server->control.loading == CONTROL_LOADING_ALONE) {
        flags |= CONTROL_SHUTDOWN_NOW;
    }
    ending_begin(&server->ending, flags);
    return true;
}

static bool control_shutdown_abort(void *context) {
    struct server *server = context;
    return ending_abort(&server->ending);
}

static bool control_reload(void *context, bool replaces) {
    struct server *server = context;
    return loading_reload(&server->loading, replaces);
}

static int control_rewrite_config(void *context) {
    struct server *server = context;
    return config_rewrite(server->config);
}

static void draw_id(char id[41]) {
    unsigned char secret[20];
    random_secret(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        snprintf(id + 2 * i, 3, "%02x", secret[i]);
    }
}

static void init_control(struct server *server, const char *program) {
    struct server_control *control = &server->control;
    ssize_t size = readlink("/proc/self/exe", server->executable, sizeof server->executable - 1);
    if (size < 0) {
        snprintf(server->executable, sizeof server->executable, "%s", program);
    }
    control->server = server;
    draw_id(control->run_id);
    control->start_ms = server->clock.now_ms;
    control->executable = server->executable;
    control->config_file = "";
    control->shutdown = control_shutdown;
    control->shutdown_abort = control_shutdown_abort;
    control->reload = control_reload;
    control->rewrite_config = control_rewrite_config;
    control->health = health_tell;
    libraries_init(control);
}

/* rename-command NAME NEW-NAME, the new one empty to take the command away. One that Redis has and
 * Larder has not is away already; any other name is a slip that would leave a command open. */
static bool rename_command(void *context, const struct bytes *words, int count,
                           const char **error) {
    struct server *server = context;
    if (count != 2) {
        *error = "wrong number of arguments";
        return false;
    }
    int status = commands_rename(server->context.commands, words[0], words[1]);
    if (status == -ENOENT && config_command_is_known(words[0])) {
        config_note_command(server->config, words[0]);
        return true;
    }
    if (status != 0) {
        *error = status == -ENOENT ? "No such command in rename-command"
                                   : "Target command name already exists";
        return false;
    }
    return true;
}

void server_init(struct server *server, const char *program) {
    memset(server, 0, sizeof *server);
    struct context *context = &server->context;
    clock_init(&server->clock);
    server->passes = histogram_new();
    init_control(server, program);
    context->clock = &server->clock;
    context->control = &server->control;
    context->keyspace = &server->keyspace;
    context->pass_on = &server->pass_on;
    pass_on_init(&server->pass_on);
    context->options = options_new();
    context->metrics = metrics_new();
    context->commands = commands_new();
    families_register(context->commands);
    server_register_options(server);
    info_init_memory(&server->info, server);
    keyspace_init(&server->keyspace, &server->clock, context->options, context->metrics);
    pass_on_follow(&server->pass_on, &server->keyspace);
    limit_init(&server->limit, context->options, context->metrics);
    evict_init(&server->evict, &server->limit, &server->keyspace, context->metrics);
    context->evict = &server->evict;
    compact_init(&server->compact, &server->keyspace, &server->evict, context->options,
                 context->metrics);
    context->clients = clients_new(context);
    context->acl = acl_new(context);
    acl_set_foreign(context->acl, config_command_is_known);
    info_init(&server->info, server);
    context->unknown = unknown_new(context->metrics);
    context->history = history_new();
    context->topkeys = topkeys_new(context);
    context->slowlog = slowlog_new(context);
    context->latency = latency_new(context);
    context->monitor = monitor_new(context);
    context->pubsub = pubsub_new(context);
    context->notify = notify_new(context);
    context->tracking = tracking_new(context);
    context->leases = leases_new(context);
    context->saving = saving_new(context);
    context->migrations = migrations_new(context);
    context->replication = replication_new(context);
#ifndef LARDER_NO_LUA
    context->scripts = scripts_new(context);
#endif
    loading_init(&server->loading, server);
    server->http = http_doors_make(server);
    secure_init(&server->secure, server);
    ending_init(&server->ending, server);
    server->config = config_new(context->options);
    config_on_line(server->config, "rename-command", rename_command, server);
    config_on_line(server->config, "user", acl_take_line, context->acl);
    config_on_rewrite(server->config, "user", acl_print_lines, context->acl);
}

/* The hooks of the loop. */

static void pass_start(void *context) {
    struct server *server = context;
    clock_update(&server->clock);
    const struct loop_stats *stats = loop_stats(server->loop);
    if (LIKELY(stats->passes > 0)) {
        histogram_record(server->passes, (int64_t)stats->pass_last_us * NS_PER_US, 1);
    }
    keyspace_pass(&server->keyspace);
    evict_pass(&server->evict);
}

static void pass_end(void *context) {
    struct server *server = context;
    clients_pass_end(server->context.clients);
}

static bool idle(void *context) {
    struct server *server = context;
    bool behind = cron_idle(&server->cron);
    bool loads = loading_idle(&server->loading);
    return clients_have_work(server->context.clients) || behind || loads;
}

static void accepted(void *context, int fd, bool is_unix) {
    struct server *server = context;
    clients_accept(server->context.clients, fd, is_unix ? CLIENT_DOOR_UNIX : CLIENT_DOOR_TCP);
}

static void accepted_tls(void *context, int fd, bool is_unix) {
    struct server *server = context;
    (void)is_unix;
    clients_accept(server->context.clients, fd, CLIENT_DOOR_TLS);
}

static void on_hangup(struct server *server) {
    if (!secure_is_on(&server->secure)) {
        log_verbose("Received SIGHUP: there is nothing to be read anew.");
    } else if (secure_reload(&server->secure) == 0) {
        log_notice("Received SIGHUP: the certificates were read anew.");
    } else {
        log_warning("Received SIGHUP: the certificates stay as they are.");
    }
}

static void on_signal(void *context, int number) {
    struct server *server = context;
    if (number == SIGHUP) {
        on_hangup(server);
        return;
    }
    bool again = server->ending.state != ENDING_SERVING;
    unsigned flags = number == SIGINT ? server->on_sigint : server->on_sigterm;
    log_warning("Received %s: %s.", number == SIGINT ? "SIGINT" : "SIGTERM",
                again ? "ending at once" : "shutting down");
    bool loads = server->control.loading != CONTROL_LOADING_NOT;
    bool saves =
        !loads && (flags & SERVER_SHUTDOWN_SAVE ||
                   (!(flags & SERVER_SHUTDOWN_NOSAVE) && saving_is_wanted(server->context.saving)));
    bool now = flags & SERVER_SHUTDOWN_NOW || server->control.loading == CONTROL_LOADING_ALONE;
    ending_begin(&server->ending, (now ? CONTROL_SHUTDOWN_NOW : 0) |
                                      (flags & SERVER_SHUTDOWN_FORCE ? CONTROL_SHUTDOWN_FORCE : 0) |
                                      (saves ? CONTROL_SHUTDOWN_SAVE : 0));
}

/* Lowers maxclients to what the system allows. 0, or -1 when that is nobody. */
static int allow_descriptors(struct server *server) {
    int64_t wanted = clients_options(server->context.clients)->client_max;
    long allowed = socket_raise_fd_limit((long)wanted + SERVER_DESCRIPTORS) - SERVER_DESCRIPTORS;
    if (allowed >= wanted) {
        return 0;
    }
    if (allowed < 1) {
        log_warning("The system allows %ld open files, and %d are needed for the server itself. "
                    "Raise the limit (ulimit -n).",
                    allowed + SERVER_DESCRIPTORS, SERVER_DESCRIPTORS);
        return -1;
    }
    log_warning(
        "The system allows %ld open files: maxclients is lowered from %lld to %ld. To serve "
        "more, raise the limit (ulimit -n).",
        allowed + SERVER_DESCRIPTORS, (long long)wanted, allowed);
    char text[24];
    snprintf(text, sizeof text, "%ld", allowed);
    struct bytes word = bytes_text(text);
    const char *error = NULL;
    int status = options_set(server->context.options, bytes_text("maxclients"), &word, 1, &error);
    check(status == 0);
    return 0;
}

int server_listen(struct server *server) {
    const struct server_options *options = &server->options;
    if (server->loop == NULL || server->ending.state != ENDING_SERVING) {
        return 0;
    }
    if (options->unixsocket[0] != '\0' && server->listeners.unix_listener == NULL &&
        listeners_open_unix(&server->listeners, options->unixsocket,
                            (unsigned)options->unixsocketperm, (int)options->backlog) != 0) {
        return -1;
    }
    if (listeners_open_tcp(&server->listeners, (int)options->port, (int)options->backlog) != 0) {
        return -1;
    }
    if (listeners_open_tcp(&server->tls_listeners, (int)server->secure.options.port,
                           (int)options->backlog) != 0) {
        return -1;
    }
    return http_doors_listen(server);
}

static int make_loop(struct server *server) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
    const char *error = NULL;
    int64_t descriptors = clients_options(server->context.clients)->client_max + SERVER_DESCRIPTORS;
    server->loop = loop_new(server_backend_name(server), (int)descriptors, &error);
    if (server->loop == NULL) {
        log_warning("The event loop cannot be made: %s", error);
        return -1;
    }
    if (error != NULL) {
        log_warning("Event loop: %s", error);
    }
    int status = loop_signals(server->loop, signals, on_signal, server);
    if (status != 0) {
        log_warning("Signals cannot be received: %s", strerror(-status));
        return -1;
    }
    signal(SIGHUP, SIG_DFL); /* until now it was ignored, and would not be received */
    server->context.loop = server->loop;
    loop_on_pass_start(server->loop, pass_start, server);
    loop_on_pass_end(server->loop, pass_end, server);
    loop_on_idle(server->loop, idle, server);
    return clients_start(server->context.clients, loop_backend(server->loop), (int)descriptors);
}

int server_start(struct server *server) {
    const char *ignored = NULL;
    (void)server_apply_hz(server, &ignored);
    server->control.config_file = config_path(server->config);
    if (acl_start(server->context.acl) != 0 || allow_descriptors(server) != 0 ||
        make_loop(server) != 0) {
        return -1;
    }
    keyspace_start(&server->keyspace);
    evict_start(&server->evict);
    slowlog_start(server->context.slowlog);
    latency_start(server->context.latency);
    http_start(server->http);
    listeners_attach(&server->listeners, server->loop, accepted, server);
    http_doors_attach(server);
    server->tls_listeners.await_data = true;
    listeners_attach(&server->tls_listeners, server->loop, accepted_tls, server);
    if (secure_start(&server->secure) != 0 || server_listen(server) != 0) {
        return -1;
    }
    if (listeners_count(&server->listeners) + listeners_count(&server->tls_listeners) +
            http_doors_count(server) ==
        0) {
        log_warning(
            "There is nothing to listen on: neither bind and port or tls-port nor "
            "unixsocket nor http-port or https-port name an address that this machine has.");
        return -1;
    }
    cron_start(&server->cron, server);
    const struct replication_ways ways = {.port = &server->options.port,
                                          .tls_port = &server->secure.options.port,
                                          .is_secure = &server->secure.options.replication,
                                          .context = &server->secure.client_context};
    replication_set_ways(server->context.replication, &ways);
    replication_start(server->context.replication);
    info_start(&server->info);
    recorder_start(&server->recorder, server);
    if (clients_pin(server->context.clients) != 0) {
        return -1;
    }
    return loading_start(&server->loading);
}

void server_run(struct server *server) {
    loop_run(server->loop);
}

void server_free(struct server *server) {
    struct context *context = &server->context;
    loading_stop(&server->loading);
    listeners_clear(&server->listeners);
    http_doors_clear(server);
    listeners_clear(&server->tls_listeners);
    clients_stop(context->clients);
    replication_stop(context->replication);
    /* Frees the texts in the parts' options, so the parts must be there. */
    options_free(context->options);
    clients_free(context->clients);
    acl_free(context->acl);
#ifndef LARDER_NO_LUA
    scripts_free(context->scripts);
#endif
    http_free(server->http);
    recorder_free(&server->recorder);
    history_free(context->history);
    topkeys_free(context->topkeys);
    slowlog_free(context->slowlog);
    latency_free(context->latency);
    migrations_free(context->migrations);
    replication_free(context->replication);
    monitor_free(context->monitor);
    compact_free(&server->compact);
    saving_stop(context->saving);
    saving_free(context->saving);
    leases_free(context->leases);
    keyspace_free(&server->keyspace);
    tracking_free(context->tracking);
    notify_free(context->notify);
    pubsub_free(context->pubsub);
    pass_on_free(&server->pass_on);
    unknown_free(context->unknown);
    commands_free(context->commands);
    metrics_free(context->metrics);
    config_free(server->config);
    histogram_free(server->passes);
    secure_free(&server->secure);
    if (server->loop != NULL) {
        loop_timer_remove(server->loop, &server->cron.timer);
        loop_timer_remove(server->loop, &server->cron.compact_timer);
        loop_timer_remove(server->loop, &server->ending.timer);
        loop_free(server->loop);
    }
}
