/* replication: what this server is to others: a primary whose writes its replicas repeat, or a
 * replica that repeats those of its primary.
 *
 * Terms. The stream is what a primary sends: each write as a command of the protocol, one behind
 * the other. An offset counts its bytes from the beginning of a history, which has an id of 40
 * digits: two servers with the same id and offset hold the same data. A replica that has lost its
 * link goes on where it was if the backlog (persist/backlog.h) still reaches back: that is a
 * partial synchronisation; else it gets a snapshot first: a full one.
 *
 *     commands --> call/pass_on --+
 *                                 v
 *     primary ---- stream ---> backlog ---> replicas of this server     primary.c, full_sync.c
 *         persist/link.h        (the same bytes, never encoded again)
 *
 * A replica takes its primary's id and offsets over and hands the bytes on as they came, so that
 * they agree down a chain, and one replica can take another's place: promoted, it begins a history
 * of its own and remembers up to where the old one was the same (the second id).
 *
 * Nothing is recorded before the first replica comes: until then a write costs nothing, and
 * offsets do not grow. */
#ifndef LARDER_PERSIST_REPLICATION_H
#define LARDER_PERSIST_REPLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/option.h"
#include "call/context.h"

#define REPLICATION_ID_SIZE 40

#define REPLICATION_OPTIONS(X)                                                                     \
    X(CUSTOM, primary, "replicaof", "", 0, 0, &replication_primary_option, OPTION_IMMUTABLE, NULL, \
      "Host and port of the primary that this server follows; empty: none.")                       \
    X(TEXT, user, "masteruser", "", 0, 0, NULL, OPTION_SECRET, NULL,                               \
      "User as whom a replica authenticates; empty: the default one.")                             \
    X(TEXT, password, "masterauth", "", 0, 0, NULL, OPTION_SECRET, NULL,                           \
      "Password that a replica gives its primary; empty: none.")                                   \
    X(MEMORY, backlog_size, "repl-backlog-size", "1mb", 1, INT64_MAX, NULL, 0, NULL,               \
      "Bytes of the stream that are kept for replicas whose link breaks.")                         \
    X(INT, backlog_seconds, "repl-backlog-ttl", "3600", 0, INT64_MAX, NULL, 0, NULL,               \
      "Seconds after which a primary without replicas drops them; 0: never.")                      \
    X(INT, ping_seconds, "repl-ping-replica-period", "10", 1, INT32_MAX, NULL, 0, NULL,            \
      "Seconds without a write after which a primary sends its replicas a PING.")                  \
    X(INT, timeout_seconds, "repl-timeout", "60", 1, INT32_MAX, NULL, 0, NULL,                     \
      "Seconds of silence after which a link counts as broken.")                                   \
    X(BOOL, no_nodelay, "repl-disable-tcp-nodelay", "no", 0, 0, NULL, 0, NULL,                     \
      "Whether the system may gather what goes to replicas: fewer packets, later.")                \
    X(BOOL, diskless, "repl-diskless-sync", "yes", 0, 0, NULL, 0, NULL,                            \
      "Accepted for compatibility: snapshots go to replicas without a disk.")                      \
    X(INT, wait_seconds, "repl-diskless-sync-delay", "5", 0, INT32_MAX, NULL, 0, NULL,             \
      "Seconds that a full synchronisation waits for more replicas to share it.")                  \
    X(INT, wait_replicas, "repl-diskless-sync-max-replicas", "0", 0, INT32_MAX, NULL, 0, NULL,     \
      "So many replicas need not wait for more; 0: any number does.")                              \
    X(INT, least_replicas, "min-replicas-to-write", "0", 0, INT32_MAX, NULL, 0, replication_apply, \
      "Replicas that there must be for a primary to take writes; 0: none.")                        \
    X(INT, lag_seconds_max, "min-replicas-max-lag", "10", 0, INT32_MAX, NULL, 0,                   \
      replication_apply, "Seconds since a replica was heard of, up to which it counts for that.")  \
    X(BOOL, read_only, "replica-read-only", "yes", 0, 0, NULL, 0, replication_apply,               \
      "Whether a replica refuses writes that are not its primary's.")                              \
    X(BOOL, serve_stale, "replica-serve-stale-data", "yes", 0, 0, NULL, 0, replication_apply,      \
      "Whether a replica serves what it has while the link to its primary is down.")               \
    X(BOOL, ignore_limit, "replica-ignore-maxmemory", "yes", 0, 0, NULL, 0, replication_apply,     \
      "Whether a replica leaves it to its primary to evict keys.")                                 \
    X(BOOL, lazy_flush, "replica-lazy-flush", "no", 0, 0, NULL, 0, NULL,                           \
      "Accepted for compatibility: what a full synchronisation replaces is freed in the "          \
      "background.")                                                                               \
    X(INT, priority, "replica-priority", "100", 0, INT32_MAX, NULL, 0, NULL,                       \
      "Rank among those that Sentinel may promote, the lowest first; 0: never.")                   \
    X(TEXT, announce_ip, "replica-announce-ip", "", 0, 0, NULL, 0, NULL,                           \
      "Address that a replica tells its primary; empty: the one that is seen.")                    \
    X(INT, announce_port, "replica-announce-port", "0", 0, 65535, NULL, 0, NULL,                   \
      "Port that a replica tells its primary; 0: the one that it listens on.")                     \
    X(BOOL, announced, "replica-announced", "yes", 0, 0, NULL, 0, NULL,                            \
      "Whether Sentinel tells clients of this replica.")
struct replication_options {
    REPLICATION_OPTIONS(OPTION_FIELD)
};

struct client;
struct replication;
struct tls_context;

/* Registers options and metrics. The clients must be there. */
struct replication *replication_new(struct context *context);
/* Once the loop runs and the port is known: follows the primary of the configuration. */
void replication_start(struct replication *replication);
/* While loop, clients and keyspace are still there: ends the link and what is being sent. */
void replication_stop(struct replication *replication);
void replication_free(struct replication *replication);

const struct replication_options *replication_options(const struct replication *replication);

/* What replicas and Sentinel shall use, and how the primary is connected to. All may change. */
struct replication_ways {
    const int64_t *port;
    const int64_t *tls_port;
    const bool *is_secure;        /* whether the primary is connected to with TLS, and ours too */
    struct tls_context **context; /* for that; *context NULL: TLS is not configured */
};
void replication_set_ways(struct replication *replication, const struct replication_ways *ways);

/* Of the history, NUL-terminated. */
const char *replication_id(const struct replication *replication);

bool replication_is_replica(const struct replication *replication);
/* Bytes of the stream so far. */
uint64_t replication_offset(const struct replication *replication);

/* Becomes a replica of that server; false when it is one already. */
bool replication_follow(struct replication *replication, struct bytes host, int64_t port);
/* Is nobody's replica any more. */
void replication_promote(struct replication *replication);

/* The section Replication of INFO. */
void replication_print(void *replication, struct buffer *out);

/* A replica's view, for ROLE: where its primary is, the link's state in ROLE's words, and how far
 * the stream was applied; -1: there is no link. */
struct replication_role {
    const char *host;
    int64_t port;
    const char *link;
    int64_t offset;
};
void replication_role(const struct replication *replication, struct replication_role *role);

/* Another id, as if this were another server's data: DEBUG CHANGE-REPL-ID. */
void replication_change_id(struct replication *replication);

/* For the option tables. */
bool replication_apply(void *module, const char **error);

#endif
