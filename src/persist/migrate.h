/* migrate: keys move to another server: each is written as by DUMP, sent as RESTORE, and removed
 * here when the other one has said that it has it. Meanwhile the loop goes on.
 *
 * Terms. A migration is the keys of one MIGRATE on their way. A key's turn comes when there is room
 * in the connection's buffer: its value is encoded then, so that a migration of a million keys
 * holds as many values at a time as fit into that, and takes half a millisecond of a pass at most.
 *
 *     keys    | moved, refused, not there | sent, not answered | not sent yet |
 *                                          ^ answered           ^ sent
 *
 * What is written to a key between its turn and the answer is not lost: it is removed only if its
 * content and its deadline are what was sent, by their digests (types/digest.h). If they are not,
 * or it is gone for another reason than its deadline, it is left as it is, and the migration ends
 * with an error that says so, when the other keys have moved. The other server has what was sent.
 *
 * A migration belongs to whoever has begun it, who waits for its end; or to itself, and then it
 * tells its end. Its client may go meanwhile. */
#ifndef LARDER_PERSIST_MIGRATE_H
#define LARDER_PERSIST_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "call/context.h"

struct migration;
struct migrations;

struct migrate_request {
    struct bytes host;
    int64_t port;
    int64_t database; /* there */
    int from;         /* the database here */
    int64_t timeout_ms;
    bool copy;
    bool replace;
    struct bytes user; /* of size 0: none, and a password may be there all the same */
    bool has_password;
    struct bytes password;
    const struct bytes *keys;
    int key_count;
};

/* Begins; the request is copied. It may be over at once. NULL when there is no memory. */
struct migration *migrate_begin(struct migrations *migrations,
                                const struct migrate_request *request);

bool migration_is_over(const struct migration *migration);
/* How it has ended: NULL when all is well, else the error, as in a reply. */
const char *migration_error(const struct migration *migration);

/* Waits for its end, and serves nobody else meanwhile: no longer than the timeout between two
 * moments at which something moves. */
void migrate_wait(struct migration *migration);

/* From now on it is on its own. `ended` is called when it is over, and it is freed behind that. */
typedef void (*migrate_ended_fn)(struct context *context, uint64_t client_id,
                                 const struct migration *migration);
void migrate_leave(struct migration *migration, migrate_ended_fn ended, uint64_t client_id);

/* Of one that is over or is given up. */
void migrate_free(struct migration *migration);

struct migrations *migrations_new(struct context *context);
/* Gives up those that are on their own, without telling. */
void migrations_free(struct migrations *migrations);
/* Connections that are kept for the next one. */
size_t migrations_cached_sockets(const struct migrations *migrations);

#endif
