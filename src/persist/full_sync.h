/* full_sync: a snapshot (persist/snapshot.h) goes to replicas, without a file: one serves all that
 * wait when it begins.
 *
 *     snapshot --> pump's thread --> portions that wait, PORTIONS_MAX --> main --> connections
 *
 * The main thread gives a portion to the connections as a reference when each of them has little
 * left to send: so the slowest sets the pace, and what is under way is bounded by a few megabytes.
 * One that takes nothing for half of repl-timeout is closed. Behind the snapshot's mark nothing is
 * sent until the replica has said that it has loaded it, as redis-server needs it. */
#ifndef LARDER_PERSIST_FULL_SYNC_H
#define LARDER_PERSIST_FULL_SYNC_H

#include <stdbool.h>

struct full_sync;
struct replica;
struct replication;

/* At the end of a pass: begins, goes on, ends. */
void full_sync_pass(struct replication *replication);
/* Whether a replica that is being served must take something before anything goes on. */
bool full_sync_waits_for(const struct replica *replica);
/* A replica is going. */
void full_sync_leaves(struct replication *replication, const struct replica *replica);
/* Whether a snapshot is being written, of which there is one at a time. */
bool full_sync_is_busy(const struct replication *replication);
/* Ends it at once, so that another snapshot can begin: its replicas ask again. */
void full_sync_give_way(struct replication *replication);
/* With the keyspace still there. */
void full_sync_stop(struct replication *replication);

#endif
