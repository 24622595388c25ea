/* target: connections to other servers that this one is a client of, for sending commands whose
 * replies are lines.
 *
 * Terms. A target is a connection; its user is who has taken it. One that is given back in good
 * order is kept for ten seconds and taken again by whoever asks for the same address: the cache.
 *
 *     target   address, database | out: what is to be sent | in: what came of a line | user
 *
 * Nothing here blocks but looking up a name that is no address, which the system's resolver does.
 * What goes wrong is told to the user, who then gives the target back; so is each line, and
 * when there is room for more. A user may give the target back within any of these calls.
 *
 * Bounds: a line is LINE_MAX bytes at most; a connection is read a little at a time, so that what
 * follows from its lines fits into a pass; TARGETS_MAX connections. */
#ifndef LARDER_PERSIST_TARGET_H
#define LARDER_PERSIST_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ev/loop.h"
#include "persist/rdb_bytes.h"

struct target;
struct targets;

enum target_failure {
    TARGET_UNKNOWN, /* there is no such address */
    TARGET_WRITING, /* no connection, or not all could be sent */
    TARGET_READING  /* it ended, or what came is no reply */
};

struct target_user {
    void *context;
    /* A line, without its end. */
    void (*line)(void *context, struct bytes line);
    /* That were all the lines that have come. */
    void (*lines_read)(void *context);
    /* Little is left to be sent, after target_want_room. */
    void (*room)(void *context);
    void (*failed)(void *context, enum target_failure failure);
};

struct targets *targets_new(void);
/* All targets have been given back. `loop` may be NULL if there never was one. */
void targets_free(struct targets *targets);
/* How many connections are kept. */
size_t targets_cached(const struct targets *targets);

/* A connection to this address, kept or begun. NULL when there is none, *failure says why. */
struct target *targets_take(struct targets *targets, struct loop *loop, struct bytes host,
                            int64_t port, const struct target_user *user,
                            enum target_failure *failure);

/* It is not the caller's any more; `good`: nothing is on its way, another one may go on with it. */
void target_give_back(struct target *target, bool good);

/* Whether it has been somebody else's before, and nothing has come from it since: if it fails now,
 * it was because it had ended before. */
bool target_is_stale(const struct target *target);

/* Whether it is known to be in that database; nothing is known of a new one. */
bool target_is_in(const struct target *target, int64_t database);
void target_set_database(struct target *target, int64_t database);

/* Where to append what is to be sent; target_send then. What fails for want of memory is seen in
 * out->failed. */
struct rdb_writer *target_out(struct target *target);
void target_send(struct target *target);
size_t target_unsent(const struct target *target);
/* Whether the user's `room` is to be called, from now on. */
void target_want_room(struct target *target, bool wanted);

/* Since when nothing has moved, on the monotonic clock, microseconds; and which way it did not. */
int64_t target_moved_us(const struct target *target);
enum target_failure target_stalled(const struct target *target);

/* For who cannot wait for the loop: waits for this connection alone, so long at most, and calls its
 * user. */
void target_wait(struct target *target, int64_t timeout_ms);

#endif
