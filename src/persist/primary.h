/* primary: the replicas of this server: who they are, how far they are, and the stream that goes to
 * them.
 *
 *     told -> asking -> waiting -> loading -> loaded -> online
 *                  |                                      ^
 *                  +---------- the backlog reaches -------+
 *
 *     told      a connection that has said REPLCONF, and may go on to be a replica
 *     asking    PSYNC has come; it is answered at the end of the pass, between two units
 *     waiting   for a snapshot to begin; loading: it is on its way (full_sync.c)
 *     loaded    it is all sent, and the replica has not said that it has it
 *     online    follows the stream
 *
 * The stream is written once, into the backlog; at the end of a pass each replica that is online is
 * given references to what is new. So a further replica costs a few references and a send a pass,
 * however much was written.
 *
 * While somebody is not online yet the backlog keeps what it has to be sent later, up to the hard
 * limit of client-output-buffer-limit for replicas; then it has to begin anew. */
#ifndef LARDER_PERSIST_PRIMARY_H
#define LARDER_PERSIST_PRIMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

#define REPLICA_IP_SIZE 64

enum replica_state {
    REPLICA_TOLD,
    REPLICA_ASKING,
    REPLICA_WAITING,
    REPLICA_LOADING,
    REPLICA_LOADED,
    REPLICA_ONLINE,
};

struct client;
struct replication;

struct replica {
    struct replica *next;
    struct client *client;
    enum replica_state state;
    bool can_mark;            /* capa eof */
    bool is_resumable;        /* capa psync2, or PSYNC at all */
    int64_t port;             /* that it listens on; 0: not told */
    char ip[REPLICA_IP_SIZE]; /* that it has told; "": the peer's */
    char id[41];              /* asked for, with the offset it has; "?": nothing */
    uint64_t next_offset;     /* of the byte to be sent next */
    uint64_t acked;
    uint64_t kept;    /* of that, on its disk */
    int64_t acked_us; /* when it was heard of last */
    int64_t since_us; /* when it came into the state */
};

/* What REPLCONF tells, of any client. The ip is cut when it is too long for one. */
void primary_told_port(struct client *client, int64_t port);
void primary_told_ip(struct client *client, struct bytes ip);
void primary_told_mark(struct client *client);
void primary_told_offset(struct client *client, uint64_t offset);
void primary_told_kept(struct client *client, uint64_t offset);

/* PSYNC or SYNC: the answer comes at the end of the pass. `id` of SYNC is "?". NULL, or why not, as
 * in a reply. */
const char *primary_ask(struct client *client, struct bytes id, int64_t next);

/* Those that are online or on their way, in the order in which they came; then ->next, of which
 * those that are only told must be passed over. */
const struct replica *primary_first(const struct replication *replication);
bool replica_counts(const struct replica *replica);
/* The address that others reach it at. */
void replica_address(const struct replica *replica, char ip[REPLICA_IP_SIZE]);
/* Seconds since it was heard of. */
int64_t replica_lag_s(const struct replication *replication, const struct replica *replica);

/* What is waited for: WAIT and WAITAOF. */
enum replicas_do { REPLICAS_HAVE, REPLICAS_KEEP };

/* The client's waiting ends when so many have all that was written until now. */
void primary_await(struct client *client, enum replicas_do what, int64_t replicas);
/* How many have what that client waits for, or all that was written until now; what was waited for
 * is forgotten. */
int64_t primary_count_for(struct client *client, enum replicas_do what);

#endif
