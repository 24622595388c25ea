/* link: a replica's connection to its primary, from the first PING to the stream.
 *
 *     waiting -> connecting -> greeting -> asking -> receiving -> checking -> loading -> following
 *        ^           |            |          |          |            |           |           |
 *        +-----------+------------+----------+----------+------------+-----------+-----------+
 *                  anything goes wrong: again, a second later
 *
 *     greeting    PING, AUTH, REPLCONF: who we are
 *     asking      PSYNC with our history's id and the next byte: +CONTINUE, and the stream goes on;
 *                 or +FULLRESYNC, and a snapshot comes first
 *     receiving   the snapshot, into a file; what we have goes on being served
 *     checking    it is whole: is it sound, and known in all its parts?
 *     loading     what we have goes, its keys come
 *     following   each command is executed and its bytes handed on to our own replicas
 *
 * The offset moves when a command was executed, or, of a transaction, when all of it was: so a link
 * that breaks in the middle of one goes on before it. Bytes that are no stream end the link, and
 * our history is given up, so that a snapshot follows: a state that is wrong does not stay.
 *
 * Bounds: a pass reads and executes for about LINK_SLICE_US; a request of the stream is as large as
 * a client's may be. */
#ifndef LARDER_PERSIST_LINK_H
#define LARDER_PERSIST_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct link;
struct replication;

enum link_state {
    LINK_WAITING,
    LINK_CONNECTING,
    LINK_GREETING,
    LINK_ASKING,
    LINK_RECEIVING,
    LINK_CHECKING,
    LINK_LOADING,
    LINK_FOLLOWING,
};

/* To the primary that `replication` names; begins with the next link_cron. */
struct link *link_new(struct replication *replication);
void link_free(struct link *link);

enum link_state link_state(const struct link *link);

/* Ten times a second: connects, acknowledges, notices silence. */
void link_cron(struct link *link);
/* At the end of a pass. Whether there is more to do at once. */
bool link_pass(struct link *link);

/* What INFO tells. */
struct link_figures {
    int64_t silent_s;       /* since bytes came; -1: there is no link */
    int64_t down_s;         /* since it was following; -1: it never was, or is */
    uint64_t read_offset;   /* of the stream, received */
    int64_t snapshot_bytes; /* received of it */
    int64_t snapshot_total; /* 0: not told */
};
void link_figures(const struct link *link, struct link_figures *figures);

#endif
