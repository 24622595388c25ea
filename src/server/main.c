/* main: from the command line to a server that serves, and back: reads the
 * configuration, sees to log and process, starts the server, and ends with 0
 * when it was asked to end, otherwise with 1 and a word about the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pages.h"
#include "client/client.h"
#include "net/listener.h"
#include "server/http_doors.h"
#include "server/process.h"
#include "server/server.h"

/* Where the process's number goes when a server in the background is not told.
 */
#define PIDFILE_DEFAULT "/var/run/larder.pid"

static void print_version(void) {
    printf("Larder server v=%s redis=%s malloc=%s bits=%zu\n", LARDER_VERSION, LARDER_REDIS_VERSION,
           mem_allocator_name(), sizeof(void *) * 8);
}

static void print_help(const char *program) {
    printf(
        "Usage: %s [configuration file] [-] [--option value ...]\n"
        "\n"
        "  -                 reads more of the configuration from standard input\n"
        "  --option value    sets an option as a line of the file would: --port 7000\n"
        "  --version, -v     shows the version\n"
        "  --help, -h        shows this\n"
        "\n"
        "Network   --port --bind --unixsocket --unixsocketperm --tcp-backlog --tcp-keepalive\n"
        "          --timeout --maxclients\n"
        "Access    --requirepass --protected-mode --rename-command --enable-debug-command\n"
        "TLS       --tls-port --tls-cert-file --tls-key-file --tls-ca-cert-file "
        "--tls-auth-clients\n"
        "Memory    --maxmemory --maxmemory-policy --maxmemory-samples --maxmemory-clients\n"
        "          --client-output-buffer-limit --activedefrag\n"
        "Threads   --io-threads --io-cpulist --server-cpulist --io-backend\n"
        "Process   --daemonize --pidfile --dir --logfile --loglevel --shutdown-timeout --include\n"
        "Watching  --slowlog-log-slower-than --slowlog-max-len --latency-monitor-threshold\n"
        "          --notify-keyspace-events --crash-log-enabled\n"
        "\n"
        "All options, with their values and what they do: larder.conf(5), the comments in\n"
        "larder.conf, CONFIG GET *. A redis.conf can be used as it is.\n"
        "Without a file all options have their defaults: port 6379 on all addresses; without\n"
        "a password only this machine is served.\n",
        program);
}

/* Whether the command line asks for a text instead of a server. */
static bool is_answered(int argc, char **argv) {
    if (argc != 2) {
        return false;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
        print_version();
        return true;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(argv[0]);
        return true;
    }
    return false;
}

/* What the command line says of secrets is not for everybody who can list processes: it is there
 * only until it was read. */
static void hide_secrets(const struct options *options, int argc, char **argv) {
    bool is_secret = false;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            int index = options_find(options, bytes_text(argv[i] + 2));
            is_secret = strcmp(argv[i], "--user") == 0 ||
                        (index >= 0 && options_row(options, index)->flags & OPTION_SECRET);
        } else if (is_secret) {
            memset(argv[i], '*', strlen(argv[i]));
        }
    }
}

/* Reads the configuration and opens the log. 0, or -1 after saying on standard
 * error why not. */
static int configure(struct server *server, int argc, char **argv) {
    struct buffer problem;
    buffer_init(&problem, MEM_OTHER);
    int status = config_load(server->config, argc, argv, &problem);
    if (status != 0) {
        fputs(buffer_text(&problem), stderr);
    }
    buffer_clear(&problem);
    hide_secrets(server->context.options, argc, argv);
    if (status != 0) {
        return -1;
    }
    const char *logfile = server->options.logfile;
    status = log_open(logfile, (enum log_level)server->options.loglevel);
    if (status != 0) {
        fprintf(stderr, "The log %s cannot be opened: %s\n", logfile, strerror(-status));
        return -1;
    }
    return 0;
}

static void log_beginning(const struct server *server) {
    const char *file = config_path(server->config);
    log_notice("Larder %s is starting: process %d, %zu bits, allocator %s.", LARDER_VERSION,
               (int)getpid(), sizeof(void *) * 8, mem_allocator_name());
    if (file[0] == '\0') {
        log_notice("There is no configuration file: what the command line does not "
                   "say has its "
                   "default.");
    } else {
        log_notice("The configuration was read from %s.", file);
    }
    struct buffer warning;
    buffer_init(&warning, MEM_OTHER);
    config_warnings(server->config, &warning);
    for (const char *line = buffer_text(&warning); *line != '\0';) {
        size_t size = strcspn(line, "\n");
        log_warning("%.*s", (int)size, line);
        line += size + (line[size] == '\n');
    }
    buffer_clear(&warning);
}

static void log_memory(const struct server *server) {
    const struct limit *limit = &server->limit;
    double mib = 1024 * 1024;
    double machine = (double)limit->machine_bytes / mib;
    limit_warn(limit);
    if (limit_bytes(limit) > 0) {
        log_notice("Memory: %.0f MiB for data (%s), %.0f MiB for connections.",
                   (double)limit_bytes(limit) / mib,
                   limit_policy_name((enum limit_policy)limit->options.policy),
                   (double)limit_clients_bytes(limit) / mib);
    } else {
        log_notice("Memory: maxmemory is not set, so data may take all of the %.0f MiB that there "
                   "are, and the system ends the server if that is too much; %.0f MiB for "
                   "connections.",
                   machine, (double)limit_clients_bytes(limit) / mib);
    }
}

static void log_started(const struct server *server) {
    log_notice("Event loop: %s. Clients: %lld at most.", loop_backend(server->loop),
               (long long)clients_options(server->context.clients)->client_max);
    log_memory(server);
    for (int i = 0; i < server->listeners.tcp_count; i++) {
        log_notice("Listening on %s.", listener_name(server->listeners.tcp[i].listener));
    }
    for (int i = 0; i < server->tls_listeners.tcp_count; i++) {
        log_notice("Listening on %s, for TLS.",
                   listener_name(server->tls_listeners.tcp[i].listener));
    }
    http_doors_log(server);
    if (server->listeners.unix_listener != NULL) {
        log_notice("Listening on %s.", listener_name(server->listeners.unix_listener));
    }
}

/* The data is there, or is not waited for. */
static void ready(struct server *server) {
    (void)server;
    log_notice("Ready to accept connections");
    log_echo(false);
    process_detach();
    process_notify("READY=1");
}

/* The path of the file for the process's number, or NULL. */
static const char *pidfile_of(const struct server *server) {
    if (server->options.pidfile[0] != '\0') {
        return server->options.pidfile;
    }
    return server->options.daemonize ? PIDFILE_DEFAULT : NULL;
}

static int serve(struct server *server) {
    if (server_start(server) != 0) {
        return -1;
    }
    const char *pidfile = pidfile_of(server);
    if (pidfile != NULL) {
        int status = process_write_pidfile(pidfile);
        if (status != 0) {
            log_warning("The process's number cannot be written into %s: %s", pidfile,
                        strerror(-status));
            pidfile = NULL;
        }
    }
    log_started(server);
    if (server->control.loading == CONTROL_LOADING_ALONE) {
        server->loading.over = ready;
    } else {
        ready(server);
    }
    server_run(server);
    process_notify("STOPPING=1");
    log_notice("The server has ended.");
    if (pidfile != NULL) {
        process_remove_pidfile(pidfile);
    }
    return server->loading.failed ? -1 : 0;
}

int main(int argc, char **argv) {
    static struct server server;
    if (is_answered(argc, argv)) {
        return 0;
    }
    if (mem_verify_classes() != 0) {
        fputs("The allocator's size classes are not those that this program was "
              "built for.\n",
              stderr);
        return 1;
    }
    process_prepare();
    crash_start(LARDER_VERSION);
    crash_on_report(server_report_crash, &server);
    hash_seed_draw();
    server_init(&server, argv[0]);
    int status = configure(&server, argc, argv);
    if (status == 0 && server.options.daemonize) {
        /* Whoever waits at the terminal reads what goes wrong. */
        log_echo(true);
        status = process_daemonize();
        if (status != 0) {
            log_warning("The server cannot go into the background: %s", strerror(-status));
        }
    }
    if (status == 0) {
        crash_enable(server.options.crash_log);
        log_beginning(&server);
        if (!pages_start()) {
            log_verbose("Memory is touched by the thread that uses it first.");
        }
        status = serve(&server);
    }
    server_free(&server);
    pages_stop();
    return status == 0 ? 0 : 1;
}
