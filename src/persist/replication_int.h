/* replication_int: what the files of replication share. */
#ifndef LARDER_PERSIST_REPLICATION_INT_H
#define LARDER_PERSIST_REPLICATION_INT_H

#include "call/pass_on.h"
#include "client/client.h"
#include "ev/loop.h"
#include "persist/backlog.h"
#include "persist/failover.h"
#include "persist/primary.h"
#include "persist/replication.h"

#define REPLICATION_HOST_SIZE 256
#define REPLICATION_CRON_MS   100

/* Figures of INFO stats. */
#define REPLICATION_METRICS(X)                                                                     \
    X(STATS, sync_full, COUNTER, "Full synchronisations of replicas.")                             \
    X(STATS, sync_partial_ok, COUNTER, "Replicas that could go on where they were.")               \
    X(STATS, sync_partial_err, COUNTER, "Replicas that wanted to, and could not.")                 \
    X(STATS, total_net_repl_input_bytes, COUNTER, "Bytes received from the primary.")              \
    X(STATS, total_net_repl_output_bytes, COUNTER, "Bytes of the stream given to replicas.")
struct replication_metrics {
    REPLICATION_METRICS(METRIC_FIELD)
};

struct full_sync;
struct link;
struct replica;
struct replica_wait;

struct replication {
    struct context *context;
    struct replication_options options;
    struct replication_metrics metrics;
    struct loop_timer timer;
    struct client_watcher watcher;
    struct pass_on_listener listener;
    struct backlog backlog; /* its end is the offset, also while nothing is recorded */
    bool is_recording;      /* the stream is kept, and offsets grow */
    bool is_torn;           /* a part of the stream was lost for want of memory */
    char id[REPLICATION_ID_SIZE + 1];
    char second_id[REPLICATION_ID_SIZE + 1]; /* of the history before, zeros: none */
    int64_t second_end;                      /* offset behind what they share, plus 1; -1: none */
    uint64_t written;                        /* offset behind the last write of a client */
    int64_t written_us;                      /* when the stream was last written to */
    struct replication_ways ways;
    int64_t lonely_since_us;     /* when there was a replica last */
    struct replica *replicas;    /* persist/primary.h */
    struct replica_wait *waits;  /* of clients in WAIT */
    bool wants_acks;             /* replicas shall say how far they are */
    struct full_sync *full_sync; /* NULL: none is under way */
    struct failover failover;
    /* As a replica. */
    bool is_replica;
    char host[REPLICATION_HOST_SIZE];
    int64_t primary_port;
    struct link *link;
    bool can_resume;     /* what we hold is the history's, up to the offset */
    int stream_database; /* that the stream is in, at the offset */
};

/* A new history: another id, and nothing before it. */
void replication_begin_history(struct replication *replication);
/* The history goes on under an id of its own, so far the same as under the old one. */
void replication_fork_history(struct replication *replication);
/* Takes a history over, which has come to that offset. */
void replication_adopt(struct replication *replication, struct bytes id, uint64_t offset);

/* From now on the stream is kept; not within a unit of pass_on. */
void replication_record(struct replication *replication);
/* The stream goes on with these bytes, if it is kept. */
void replication_append(struct replication *replication, struct bytes bytes);

/* Nothing is kept any more, and another history begins. */
void replication_forget_stream(struct replication *replication);

/* primary.c */
void primary_pass(struct replication *replication);
void primary_cron(struct replication *replication);
void primary_leaves(struct replication *replication, struct client *client);
/* Closes the connections of all replicas, so that they ask again. */
void primary_drop_all(struct replication *replication);
int64_t primary_good_replicas(const struct replication *replication);
void primary_set_state(struct replica *replica, enum replica_state state);

/* What clients may do follows from what the server is: tells call/control.h. */
void replication_tell(struct replication *replication);

/* Whether the primary is connected to with TLS. */
static inline bool replication_is_secure(const struct replication *replication) {
    return replication->ways.is_secure != NULL && *replication->ways.is_secure;
}

/* The port that others shall use. */
int64_t replication_own_port(const struct replication *replication);

static inline int64_t replication_now_us(const struct replication *replication) {
    return replication->context->clock->mono_us;
}

#endif
