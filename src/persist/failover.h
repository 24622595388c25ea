/* failover: a primary changes places with one of its replicas, and no write is lost.
 *
 *     none -> waiting -> changing -> none
 *                |           |
 *                +-----------+----> none, and this server is a primary as before
 *
 *     waiting    writes are held back until the target has all that was written. Without a target
 *                the first replica that has it becomes one
 *     changing   this server follows the target, and has told it with its PSYNC to be promoted.
 *                Writes are held back until it has answered; then they are refused, as a replica
 *                refuses them
 *
 * What ends it otherwise: ABORT; the time, which with FORCE lets it go on instead, though the
 * target does not have all; a target that refuses, or that cannot be connected to within
 * repl-timeout. */
#ifndef LARDER_PERSIST_FAILOVER_H
#define LARDER_PERSIST_FAILOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define FAILOVER_HOST_SIZE 64

enum failover_state { FAILOVER_NONE, FAILOVER_WAITING, FAILOVER_CHANGING };

struct replication;

struct failover {
    enum failover_state state;
    char host[FAILOVER_HOST_SIZE]; /* "": whoever is there first */
    int64_t port;
    int64_t deadline_us; /* 0: none */
    bool is_forced;
    bool is_refused;
};

struct failover_wishes {
    struct bytes host; /* empty: any */
    int64_t port;
    int64_t timeout_ms; /* 0: none */
    bool is_forced;
};

/* NULL, or why not, as in a reply. */
const char *failover_begin(struct replication *replication, const struct failover_wishes *wishes);
const char *failover_abort(struct replication *replication);

bool failover_is_on(const struct replication *replication);
/* As INFO says it. */
const char *failover_name(const struct replication *replication);

/* At the end of a pass, and some times a second. */
void failover_look(struct replication *replication);
/* The target has answered our PSYNC; or refuses it, which ends the failover at the end of the pass,
 * and with it the link. */
void failover_answered(struct replication *replication);
void failover_refused(struct replication *replication);

/* PSYNC with FAILOVER has come, from who has this id: we are promoted. NULL, or why not. */
const char *failover_take_over(struct replication *replication, struct bytes id);

#endif
