/* server: the whole of it: the struct that main makes, with all parts, and the options that belong
 * to the process rather than to a part. Seen by this room only; what commands may know of it is in
 * call/context.h and call/control.h.
 *
 *     main --> server --+-- loop, clock             ev/, base/
 *                       +-- options, config         base/option.h, server/config.h
 *                       +-- metrics, info           base/metric.h, server/info.h
 *                       +-- keyspace, limit, evict  store/
 *                       +-- commands, clients       client/
 *                       +-- slowlog, monitor, pubsub ...  feature/
 *                       +-- listeners, secure, cron, ending     this room */
#ifndef LARDER_SERVER_SERVER_H
#define LARDER_SERVER_SERVER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "call/pass_on.h"
#include "base/clock.h"
#include "base/option.h"
#include "call/context.h"
#include "call/control.h"
#include "ev/loop.h"
#include "server/config.h"
#include "server/cron.h"
#include "server/ending.h"
#include "http/http.h"
#include "server/info.h"
#include "server/listeners.h"
#include "server/loading.h"
#include "server/recorder.h"
#include "server/secure.h"
#include "store/compact.h"
#include "store/keyspace.h"
#include "store/evict.h"
#include "store/limit.h"

/* Cron calls a second: Redis's bounds for hz. */
#define SERVER_HZ_MIN 1
#define SERVER_HZ_MAX 500

/* Descriptors kept for what is not a client: listeners, log, configuration, the loop. */
#define SERVER_DESCRIPTORS 32

enum server_gate { SERVER_GATE_NO, SERVER_GATE_YES, SERVER_GATE_LOCAL };

#define SERVER_OPTIONS(X)                                                                          \
    X(CUSTOM, bind, "bind", "* -::*", 0, 0, &bind_option, 0, server_apply_bind,                    \
      "Addresses to listen on; one behind a dash may be missing.")                                 \
    X(INT, port, "port", "6379", 0, 65535, NULL, 0, server_apply_port,                             \
      "TCP port to listen on; 0: none.")                                                           \
    X(TEXT, unixsocket, "unixsocket", "", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                      \
      "Path of a unix socket to listen on; empty: none.")                                          \
    X(OCTAL, unixsocketperm, "unixsocketperm", "0", 0, 0777, NULL, OPTION_IMMUTABLE, NULL,         \
      "Permissions of the unix socket; 0: what the umask leaves.")                                 \
    X(INT, backlog, "tcp-backlog", "4096", 0, INT32_MAX, NULL, OPTION_IMMUTABLE, NULL,             \
      "Connections that the kernel keeps until they are accepted.")                                \
    X(CHOICE, loglevel, "loglevel", "notice", 0, 0, log_levels, 0, server_apply_loglevel,          \
      "From which importance on lines are logged.")                                                \
    X(TEXT, logfile, "logfile", "", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                            \
      "Path of the log; empty: standard output.")                                                  \
    X(BOOL, daemonize, "daemonize", "no", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                      \
      "Whether to go into the background.")                                                        \
    X(TEXT, pidfile, "pidfile", "", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                            \
      "Where the process's number is written; empty: nowhere, or /var/run/larder.pid when in the " \
      "background.")                                                                               \
    X(CUSTOM, dir, "dir", ".", 0, 0, &dir_option, OPTION_PROTECTED, NULL,                          \
      "Working directory: relative paths start there.")                                            \
    X(INT, hz, "hz", "10", 0, INT32_MAX, NULL, 0, server_apply_hz,                                 \
      "How often a second background work is looked after; taken as 1 to 500.")                    \
    X(BOOL, dynamic_hz, "dynamic-hz", "yes", 0, 0, NULL, 0, NULL,                                  \
      "Accepted for compatibility: background work follows the load by itself.")                   \
    X(CHOICE, debug_command, "enable-debug-command", "no", 0, 0, gates, OPTION_IMMUTABLE, NULL,    \
      "Who may use DEBUG.")                                                                        \
    X(CHOICE, protected_configs, "enable-protected-configs", "no", 0, 0, gates, OPTION_IMMUTABLE,  \
      NULL, "Who may change options by which files could be written anywhere.")                    \
    X(CHOICE, module_command, "enable-module-command", "no", 0, 0, gates, OPTION_IMMUTABLE, NULL,  \
      "Accepted for compatibility: there are no modules.")                                         \
    X(BOOL, show_logo, "always-show-logo", "no", 0, 0, NULL, OPTION_IMMUTABLE, NULL,               \
      "Accepted for compatibility: there is no logo.")                                             \
    X(INT, shutdown_seconds, "shutdown-timeout", "10", 0, INT32_MAX, NULL, 0, NULL,                \
      "How long the end waits for clients that read their replies slowly.")                        \
    X(CUSTOM, on_sigint, "shutdown-on-sigint", "default", 0, 0, &on_sigint_option, 0, NULL,        \
      "How SIGINT ends the server: default, or any of save, nosave, now, force.")                  \
    X(CUSTOM, on_sigterm, "shutdown-on-sigterm", "default", 0, 0, &on_sigterm_option, 0, NULL,     \
      "How SIGTERM ends the server: default, or any of save, nosave, now, force.")                 \
    X(BOOL, crash_log, "crash-log-enabled", "yes", 0, 0, NULL, 0, server_apply_crash_log,          \
      "Whether a crash is reported in the log, with registers and backtrace.")                     \
    X(CHOICE, io_backend, "io-backend", "auto", 0, 0, io_backends, OPTION_IMMUTABLE, NULL,         \
      "How the event loop waits: auto takes what is best here.")
struct server_options {
    SERVER_OPTIONS(OPTION_FIELD)
};

enum server_shutdown_flag {
    SERVER_SHUTDOWN_SAVE = 1,
    SERVER_SHUTDOWN_NOSAVE = 2,
    SERVER_SHUTDOWN_NOW = 4,
    SERVER_SHUTDOWN_FORCE = 8,
};

struct server {
    struct context context;
    struct server_control control;
    struct clock clock;
    struct loop *loop;
    struct config *config;
    struct keyspace keyspace;
    struct pass_on pass_on;
    struct limit limit;
    struct evict evict;
    struct compact compact;
    struct listeners listeners;
    struct listeners http_listeners;
    struct listeners https_listeners;
    struct http *http;
    struct listeners tls_listeners;
    struct secure secure;
    struct cron cron;
    struct ending ending;
    struct loading loading;
    struct info info;
    struct recorder recorder;
    struct histogram *passes; /* of the loop, by the wall */
    struct server_options options;
    unsigned on_sigint; /* set of server_shutdown_flag */
    unsigned on_sigterm;
    char executable[PATH_MAX];
};

/* Makes all parts and registers their options; nothing runs and no file is opened. */
void server_init(struct server *server, const char *program);

/* Once the options are read: the loop, the databases, the listeners. 0, or -1 after logging why
 * not. */
int server_start(struct server *server);

/* Serves until it is told to end. */
void server_run(struct server *server);

/* Frees what server_init and server_start made, whether or not they succeeded. */
void server_free(struct server *server);

/* Registers the process's own options (server_options.c). */
void server_register_options(struct server *server);

/* Listens as the options say. 0, or -1 after logging why not. */
int server_listen(struct server *server);

/* Prints what a crash report says of the server (crash_report.c). */
void server_report_crash(void *server);

const char *server_backend_name(const struct server *server);

/* For the option tables. */
bool server_apply_bind(void *module, const char **error);
bool server_apply_port(void *module, const char **error);
bool server_apply_loglevel(void *module, const char **error);
bool server_apply_crash_log(void *module, const char **error);
bool server_apply_hz(void *module, const char **error);

#endif
