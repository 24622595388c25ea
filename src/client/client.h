/* client: a connection and who is behind it: the registry of all connections, the life of each, and
 * what CLIENT shows and changes.
 *
 * A client that is idle owns this struct and nothing else: what it sends is read into the loop's
 * arena, what it gets is sent from the loop's arena. Only a request that has not arrived whole
 * (input) and a reply that the socket did not take (output) have memory of their own.
 *
 * Two halves. The connection (socket, what came and what waits to go) belongs to the I/O thread
 * that serves it, `thread`: client/connection.h. Who is behind it (name, database, protocol,
 * subscriptions, place in the registry) belongs to the thread that executes commands. With one
 * thread they are the same; with several, what the one has for the other goes through queues
 * (client/io_thread.h), and the rare commands that need both let the I/O threads stand still
 * (client/hold.h). A function here is the executing thread's.
 *
 * Life: accepted -> reading and executing in batches (client/batch.h) -> closing -> freed at the
 * end of a pass, when no batch and no queue knows it any more. So a pointer to a client stays valid
 * through the pass. */
#ifndef LARDER_CLIENT_CLIENT_H
#define LARDER_CLIENT_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/call.h"
#include "call/context.h"
#include "client/output.h"
#include "ev/loop.h"
#include "net/socket.h"
#include "net/transport.h"
#include "store/keyspace.h"

/* Most threads in all. */
#define IO_THREADS_MAX 128

enum client_class {
    CLIENT_CLASS_NORMAL,
    CLIENT_CLASS_REPLICA,
    CLIENT_CLASS_PUBSUB,
    CLIENT_CLASSES
};
/* "normal", "replica", "pubsub"; "slave" is understood too by client_class_named (-1: none). */
const char *client_class_name(enum client_class class_);
int client_class_named(struct bytes name);

#define CLIENT_OPTIONS(X)                                                                          \
    X(INT, client_max, "maxclients", "10000", 1, 1000000, NULL, 0, clients_apply_max,              \
      "Connections at the same time.")                                                             \
    X(INT, io_threads, "io-threads", "1", 1, IO_THREADS_MAX, NULL, 0, clients_apply_threads,       \
      "Threads in all: one executes commands, the others move bytes. 1: one thread does both.")    \
    X(INT, io_spin_us, "io-threads-spin", "20", 0, 1000, NULL, 0, clients_apply_threads,           \
      "Microseconds that a thread without work looks for some before it sleeps, if there are "     \
      "more processors than threads.")                                                             \
    X(TEXT, server_cpus, "server_cpulist", "", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                 \
      "Processors of the thread that executes commands, as 0-3 or 0,2 or 0-7:2; empty: all.")      \
    X(TEXT, io_cpus, "io-cpulist", "", 0, 0, NULL, OPTION_IMMUTABLE, NULL,                         \
      "Processors of the I/O threads, one for each in turn; empty: all.")                          \
    X(INT, idle_seconds_max, "timeout", "0", 0, INT32_MAX, NULL, 0, NULL,                          \
      "Seconds after which an idle connection is closed; 0: never.")                               \
    X(INT, keepalive_seconds, "tcp-keepalive", "300", 0, INT32_MAX, NULL, 0, NULL,                 \
      "Seconds after which an idle peer is probed; 0: never.")                                     \
    X(BOOL, protected_mode, "protected-mode", "yes", 0, 0, NULL, 0, NULL,                          \
      "Refuse connections from other machines while there is no password.")                        \
    X(MEMORY, bulk_size_max, "proto-max-bulk-len", "512mb", 1048576, INT64_MAX, NULL, 0, NULL,     \
      "Largest single argument.")                                                                  \
    X(MEMORY, query_size_max, "client-query-buffer-limit", "1gb", 1048576, INT64_MAX, NULL, 0,     \
      NULL, "Largest request of one connection that has not arrived whole.")                       \
    X(INT, tls_handshake_seconds, "tls-handshake-timeout", "10", 1, 3600, NULL, 0, NULL,           \
      "Seconds that a client has for the handshake of TLS, from when it connects.")                \
    X(INT, tls_handshakes_max, "tls-handshakes-max", "2000", 1, 1000000, NULL, 0, NULL,            \
      "Handshakes of TLS under way in a thread; one more ends the oldest of them.")                \
    X(CUSTOM, output_limits, "client-output-buffer-limit",                                         \
      "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", 0, 0,                 \
      &clients_output_limits_option, OPTION_REPEATS, NULL,                                         \
      "By class: bytes of unsent replies that close a connection at once, and those that do "      \
      "after "                                                                                     \
      "so many seconds.")
struct client_options {
    CLIENT_OPTIONS(OPTION_FIELD)
};

#define CLIENT_METRICS(X)                                                                          \
    X(STATS, total_connections_received, COUNTER, "Connections accepted.")                         \
    X(STATS, total_commands_processed, COUNTER, "Commands executed.")                              \
    X(STATS, total_net_input_bytes, COUNTER, "Bytes read from clients.")                           \
    X(STATS, total_net_output_bytes, COUNTER, "Bytes sent to clients.")                            \
    X(STATS, rejected_connections, COUNTER, "Connections refused because of maxclients.")          \
    X(STATS, client_query_buffer_limit_disconnections, COUNTER,                                    \
      "Connections closed for a request over its limit.")                                          \
    X(STATS, client_output_buffer_limit_disconnections, COUNTER,                                   \
      "Connections closed for unsent replies over their limit.")                                   \
    X(STATS, evicted_clients, COUNTER, "Connections closed for maxmemory-clients.")                \
    X(STATS, total_error_replies, COUNTER, "Error replies sent.")                                  \
    X(STATS, total_reads_processed, COUNTER, "Reads from sockets.")                                \
    X(STATS, total_writes_processed, COUNTER, "Writes to sockets.")                                \
    X(STATS, io_threaded_reads_processed, COUNTER, "Of the reads, those by I/O threads.")          \
    X(STATS, io_threaded_writes_processed, COUNTER, "Of the writes, those by I/O threads.")        \
    X(STATS, tls_handshakes, COUNTER, "Handshakes of TLS that came to their end.")                 \
    X(STATS, tls_handshakes_resumed, COUNTER, "Of these, those of sessions taken up again.")       \
    X(STATS, tls_handshakes_failed, COUNTER, "Handshakes of TLS that failed.")                     \
    X(STATS, tls_handshakes_expired, COUNTER, "Connections that did not finish theirs in time.")   \
    X(STATS, tls_plain_text, COUNTER, "Of the failed ones, peers that did not speak TLS.")
struct client_metrics {
    CLIENT_METRICS(METRIC_FIELD)
};

/* What the executing thread sees in client->flags. */
enum client_flag {
    CLIENT_CLOSING = 1 << 0,    /* freed at the end of the pass */
    CLIENT_CLOSE_SENT = 1 << 1, /* closed once its output is sent */
    CLIENT_AUTHENTICATED = 1 << 2,
    CLIENT_MUTED = 1 << 3,     /* CLIENT REPLY OFF */
    CLIENT_MUTE_NEXT = 1 << 4, /* CLIENT REPLY SKIP: the next command's reply is dropped */
    CLIENT_MUTE_THIS = 1 << 5, /* ... and that command is this one */
    CLIENT_NO_EVICT = 1 << 6,
    CLIENT_NO_TOUCH = 1 << 7,
    CLIENT_MONITOR = 1 << 8,
    CLIENT_UNIX = 1 << 9,
    CLIENT_MOVING = 1 << 10,     /* on its way to another thread */
    CLIENT_PAUSED = 1 << 11,     /* CLIENT PAUSE holds a request of its back */
    CLIENT_BUSY = 1 << 12,       /* has replies in the batch that is being executed */
    CLIENT_INTERNAL = 1 << 13,   /* no connection */
    CLIENT_TO_FLUSH = 1 << 14,   /* in the list of those with new output or orders */
    CLIENT_RESTRICTED = 1 << 15, /* there is something that its user may not do */
    CLIENT_PRIMARY = 1 << 21,    /* executes the primary's stream: nothing is refused */
    CLIENT_PUSHED = 1 << 16,     /* may get messages: it subscribes, or is redirected to */
    CLIENT_TRACKING = 1 << 17,   /* what it reads is remembered: feature/tracking.h */
    CLIENT_MULTI = 1 << 18,      /* its commands are queued: client/transaction.h */
    CLIENT_DIRTY = 1 << 19,      /* a key that it watched has changed: client/watch.h */
    CLIENT_WAITING = 1 << 20,    /* its command waits for a key: client/waiting.h */
    CLIENT_UNWANTED = 1 << 29,   /* while a filter is applied: command/client_filter.h */
    CLIENT_REDIRECTED = 1 << 30, /* CLIENT CAPA redirect: it follows redirections */
};
/* While none of these is set, a request is executed without a further look at its client. */
#define CLIENT_GATES                                                                               \
    (CLIENT_CLOSING | CLIENT_CLOSE_SENT | CLIENT_MUTED | CLIENT_MUTE_NEXT | CLIENT_MUTE_THIS |     \
     CLIENT_NO_TOUCH | CLIENT_MONITOR | CLIENT_PAUSED | CLIENT_PUSHED | CLIENT_TRACKING |          \
     CLIENT_MULTI | CLIENT_WAITING)

struct client_protocol;
struct guard;
struct handshake;
struct input;
struct tls_context;
struct io_thread;
struct transaction;
struct user;
struct waiter;
struct watch;

/* What CLIENT LIST shows of a client's subscriptions; feature/pubsub.c keeps more behind it. */
struct client_subscriptions {
    uint32_t channels;
    uint32_t patterns;
    uint32_t shard_channels;
};

/* Likewise of its tracking; feature/tracking.c. */
struct client_tracking {
    uint64_t redirect; /* who gets its invalidations; 0: itself */
    bool broadcast;
    bool broken; /* who was to get them has gone */
};

struct client {
    /* The connection's half; see client/connection.h. */
    struct loop_watch watch;
    struct transport transport;
    struct clients *clients;
    struct io_thread *thread;               /* that serves it; both halves read it */
    const struct client_protocol *protocol; /* NULL: RESP; client/protocol.h */
    struct output output;                   /* what the socket has not taken */
    /* The halves' small fields lie in words of their own: a compiler may read neighbours
     * together. */
    uint32_t state;              /* set of connection_state */
    uint8_t limit_class;         /* enum client_class, as of its last batch */
    bool moved;                  /* out of one loop, and not in another yet */
    struct handshake *handshake; /* of TLS; NULL: none, or done; client/handshakes.h */
    /* The other half. */
    struct output
        *queue; /* where messages go: its own when another thread serves it, else output */
    uint32_t flags;
    uint8_t version; /* of the protocol: 2 or 3 */
    uint8_t class_;  /* enum client_class */
    uint8_t orders;  /* for its thread: set of client_order */
    struct client *next_flush;
    struct database *database;
    struct user *user; /* whose it is; NULL: nobody's, who may do everything: client/guard.h */
    struct client_subscriptions *subscriptions; /* NULL: none and never had */
    struct client_tracking *tracking;           /* NULL: not tracking */
    struct transaction *transaction;            /* NULL: none; client/transaction.h */
    struct watch *watches;                      /* of keys; client/watch.h */
    size_t watch_count;
    struct waiter *waiter; /* NULL: none; client/waiting.h */
    void *leases;          /* that it holds; NULL: none; feature/leases.h */
    void *session;         /* of its protocol */
    /* Bytes that its protocol holds back for the peer, or gathers of requests. By whoever has the
     * connection: it is in flight or is not. */
    _Atomic size_t kept;
    uint64_t id;
    int64_t created_ms;
    const struct command *last_command;
    char *name; /* CLIENT SETNAME; NULL when none; with lib_name, lib_version MEM_CLIENT,
                   NUL-terminated */
    char *lib_name;
    char *lib_version;
    uint64_t commands;   /* executed */
    struct client *next; /* in the registry, by id */
    struct client *previous;
    struct client *next_by_id; /* client/ids.h */
    /* The connection's again. */
    struct input *input; /* what has arrived of a request; NULL when nothing has */
    int64_t last_ms;     /* when bytes last moved */
    uint64_t bytes_in;
    uint64_t bytes_out;
    struct client *next_own; /* in its thread's list */
    struct client *previous_own;
    struct client *next_closing; /* in the lists of those to close or to move, to resume */
    struct client *next_resume;
    int64_t waits_since_ns;       /* its requests that are for further turns; CONNECTION_WAITS */
    int64_t output_soft_since_ms; /* over its soft limit since, 0 when not */
};

/* The beginning of the struct, which a message and a flush need. */
#define CLIENT_HOT_SIZE offsetof(struct client, database)

struct clients; /* the registry */

/* `context` must have everything but clients and the features set. Registers options and
 * metrics. */
struct clients *clients_new(struct context *context);
void clients_free(struct clients *clients);

const struct client_options *clients_options(const struct clients *clients);
struct client_metrics *clients_metrics(struct clients *clients);
struct context *clients_context(const struct clients *clients);

/* For the option tables. */
bool clients_apply_max(void *module, const char **error);
bool clients_apply_threads(void *module, const char **error);

/* Serves connections with context->loop from now on, and with as many threads as the options say,
 * whose loops have the same backend. `fd_max` as in loop_new. 0, or -1 after logging. */
int clients_start(struct clients *clients, const char *backend, int fd_max);
/* Puts the calling thread, which executes commands, on the processors of server-cpulist; last of
 * all, since threads that it begins afterwards inherit them. 0, or -1 after logging. */
int clients_pin(const struct clients *clients);
/* Ends the I/O threads. What their connections have not been sent is lost. */
void clients_stop(struct clients *clients);

/* Between these the I/O threads stand still, so that all of every client may be read. May nest. */
void clients_hold(struct clients *clients);
void clients_release(struct clients *clients);

/* I/O threads there are now; 0 when connections are served by the executing thread. */
size_t clients_thread_count(const struct clients *clients);
/* Appends INFO's lines of each thread. */
void clients_print_threads(struct clients *clients, struct buffer *out);

/* Adds how long requests took, queueing included: from when each can have been readable at the
 * earliest until the socket had its reply. Since start or CONFIG RESETSTAT; while the I/O threads
 * stand still. */
void clients_add_latency(const struct clients *clients, struct histogram *sum);

/* A connection was accepted: makes a client, or refuses it (maxclients, protected mode) with the
 * error a client expects and closes. */
enum client_door { CLIENT_DOOR_TCP, CLIENT_DOOR_UNIX, CLIENT_DOOR_TLS };
void clients_accept(struct clients *clients, int fd, enum client_door door);

/* What connections through the doors for TLS begin with from now on; those that are there keep what
 * they have. NULL: there are no such doors. The context stays the caller's. */
void clients_set_tls(struct clients *clients, struct tls_context *context);

/* The same at a door of another protocol (client/protocol.h). */
void clients_accept_foreign(struct clients *clients, int fd, enum client_door door,
                            const struct client_protocol *protocol);

/* A client without a connection, for scripts, HTTP or start-up work. Freed with
 * client_free_internal. */
struct client *client_new_internal(struct clients *clients);
void client_free_internal(struct client *client);

size_t clients_count(const struct clients *clients);
struct client *clients_first(const struct clients *clients); /* then ->next, in the order of ids */
/* In constant time; NULL when there is none of that id, or it is closing. */
struct client *clients_find(const struct clients *clients, uint64_t id);

/* Closes at the end of the pass, unsent output is dropped; or once the output is sent. */
void client_close(struct client *client);
void client_close_after_reply(struct client *client);

/* Who decides about users (client/guard.h): before the first client, and must outlive them. Without
 * a guard everybody may do everything. */
void clients_set_guard(struct clients *clients, const struct guard *guard);
const struct guard *clients_guard(const struct clients *clients);

/* Whether newcomers must log in. */
bool clients_need_password(const struct clients *clients);
/* The client becomes the user of that name, if the password is right; otherwise it stays who it
 * was. */
bool client_log_in(struct client *client, struct bytes name, struct bytes password);
/* Its user has been changed. */
void client_update_rights(struct client *client);
/* Its user's name; "(superuser)" for nobody's. */
struct bytes client_user_name(const struct client *client);

/* What CLIENT SETNAME and the like set: a copy, NULL or empty takes it away. */
void client_set_text(char **field, struct bytes text);

/* CLIENT REPLY, RESET: back to the state of a fresh connection (not its id or address). */
void client_reset(struct client *client);

/* CLIENT PAUSE: until that time requests are held back, all or only those that may write. */
void clients_pause(struct clients *clients, int64_t until_ms, bool only_writes);
void clients_unpause(struct clients *clients);
/* Holds back all that may write, beside what CLIENT PAUSE does, until told otherwise. */
void clients_hold_writes(struct clients *clients, bool on);

/* The letters of CLIENT LIST's flags, NUL-terminated, into CLIENT_FLAGS_SIZE bytes. */
#define CLIENT_FLAGS_SIZE 24
void client_write_flags(const struct client *client, char *out);

/* Whether a reply of so many bytes may be made for it, before it is; it has been closed if not. */
bool client_may_have(struct client *client, size_t size);

/* Whether so many bytes may wait for it, by the hard limit of its class. */
bool client_may_owe(const struct client *client, size_t size);

/* Appends the line of CLIENT LIST, without its newline. */
void client_describe(const struct client *client, struct buffer *out);
/* "127.0.0.1:1234" into SOCKET_NAME_SIZE bytes; of the peer or of our end. */
void client_peer_name(const struct client *client, char *name);
void client_own_name(const struct client *client, char *name);

/* Bytes that the client takes in all: struct, input, output. */
size_t client_footprint(const struct client *client);

/* Messages: bytes that are not the reply to a request of that client (MONITOR, pub/sub,
 * invalidations). They go out at the end of the pass, subject to its output limit, in order with
 * its replies. While the client's own command is being executed, a message comes before that
 * command's reply if it has none yet, else behind it; always behind it with client_send_behind. */
void client_send(struct client *client, struct bytes message);
void client_send_behind(struct client *client, struct bytes message);

/* The same for bytes that many get: a reference is taken. False when the client is going. */
bool client_send_run_slowly(struct client *client, const struct shared_run *run);

static inline bool client_send_run(struct client *client, const struct shared_run *run) {
    const uint32_t states =
        CLIENT_CLOSING | CLIENT_CLOSE_SENT | CLIENT_INTERNAL | CLIENT_BUSY | CLIENT_TO_FLUSH;
    if (LIKELY((client->flags & states) == CLIENT_TO_FLUSH &&
               output_extend_run(client->queue, run))) {
        return true;
    }
    return client_send_run_slowly(client, run);
}

/* A reply that other code fills for another client, and hands over with client_send_reply. One at a
 * time. */
struct reply *clients_scratch_reply(struct clients *clients, uint8_t version);
void client_send_reply(struct client *client, struct reply *reply);

/* Who keeps something for clients. */
struct client_watcher {
    void *context;
    /* The client goes or is reset: what is kept for it must go. */
    void (*leaves)(void *context, struct client *client);
    /* All requests of the pass have been executed; what is sent now still goes out with it. May be
     * NULL. */
    void (*pass_ends)(void *context);
    /* A client with CLIENT_TRACKING has executed a command. May be NULL. */
    void (*called)(void *context, const struct call *call);
    bool has_work; /* the next pass must not wait for an event: pass_ends has more to do */
    struct client_watcher *next;
};
/* They must outlive the registry. */
void clients_watch(struct clients *clients, struct client_watcher *watcher);

/* Whose command is being executed; NULL: nobody's. */
struct client *clients_current(const struct clients *clients);

/* The call that is being executed, or that was last in this pass; NULL when none is. For reports of
 * a crash: nothing else may look at a call that may be over. */
const struct call *clients_call(const struct clients *clients);

/* Executes a request for a client without a connection, outside of any batch, with all the checks;
 * between a begin and an end. */
void clients_execute_begin(struct clients *clients);
void client_execute(struct client *client, const struct bytes *args, int argc, struct reply *reply);
void clients_execute_end(struct clients *clients);

/* What call/control.h says of the server has changed: from the next command on it holds. */
void clients_state_changed(struct clients *clients);

/* How many wait for any value or a lease. */
size_t clients_parked(const struct clients *clients);

/* Serves who waits for keys that have appeared outside of a command. */
void clients_serve_waiting(struct clients *clients);

/* Who is shown some of the requests: client/sample.h. */
struct sample;
struct sample *clients_sample(struct clients *clients);

/* Observers of calls, in the order they were added. They must outlive the registry. */
void clients_observe(struct clients *clients, struct call_observer *observer);

/* Whether the durations of calls are counted in the commands' histograms (the option
 * latency-tracking); they are at first. */
void clients_track_latency(struct clients *clients, bool on);

/* Called about ten times a second: idle timeouts, output limits that lasted, keepalive of nothing.
 * Bounded: looks at a share of the clients each time, at each of them at least once a second. */
void clients_cron(struct clients *clients);

/* Counts of errors by their code, for INFO errorstats. */
struct error_count {
    char code[32];
    uint64_t count;
};
const struct error_count *clients_error_counts(const struct clients *clients, size_t *count);

/* Counts an error reply by its code; a reply's on_error, with `clients` as its context. */
void clients_count_error(void *clients, struct bytes text);

/* The hooks of a pass: at its end executes, resumes, flushes, frees; and whether there is work that
 * must not wait for an event. */
void clients_pass_end(struct clients *clients);
bool clients_have_work(const struct clients *clients);

/* Each connection of another protocol has a turn, though nothing has come: it may have something
 * to say. */
void clients_turn_foreign(struct clients *clients);

/* Graceful end. Asked every now and then: whether nothing has come for as long as it takes all
 * threads to look at their sockets, so that what had arrived has been executed. */
bool clients_are_quiet(struct clients *clients);
/* Stops reading; true when nothing is left to send to anybody. */
void clients_stop_reading(struct clients *clients);
bool clients_are_flushed(struct clients *clients);

#endif
