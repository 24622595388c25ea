/* ending: how the server ends gracefully.
 *
 *     SERVING --begin--> DRAINING --quiet--> FLUSHING --nothing left, or too late--> over
 *
 * Draining: nobody is accepted any more, requests that have arrived are still executed: until all
 * threads have looked and found none, some ten milliseconds, or for half a second when somebody
 * sends without end. Flushing: nothing is read any more, and clients that read slowly have until
 * shutdown-timeout to take their replies. Beginning again while this goes on ends at once.
 *
 * What is to be saved is saved at the end of draining, while nobody is served; if that fails, and
 * the end is not forced, the server goes on. What was executed since, by threads that never became
 * quiet, is saved at the very end. */
#ifndef LARDER_SERVER_ENDING_H
#define LARDER_SERVER_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "ev/loop.h"

struct server;

enum ending_state { ENDING_SERVING, ENDING_DRAINING, ENDING_FLUSHING };

struct ending {
    struct loop_timer timer; /* first: the timer's function gets this address */
    struct server *server;
    enum ending_state state;
    int64_t deadline_us; /* of this state, on the monotonic clock */
    unsigned flags;      /* enum control_shutdown */
    uint64_t saved;      /* the keyspace's changes that are in the file; UINT64_MAX: unknown */
};

void ending_init(struct ending *ending, struct server *server);

/* Begins to end, or ends at once when `flags` (enum control_shutdown) say so or when that has begun
 * already, and then nothing is saved. */
void ending_begin(struct ending *ending, unsigned flags);

/* Saves the data, unless what there is has been saved this way already. False: that has failed, and
 * the end is not forced. */
bool ending_save(struct ending *ending, unsigned flags);

/* Takes it back while it is draining. Whether that was so; accepting goes on then, as far as the
 * addresses can still be had. */
bool ending_abort(struct ending *ending);

#endif
