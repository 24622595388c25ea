/* ending: how the server ends gracefully.
 *
 *     SERVING --begin--> DRAINING --quiet--> FLUSHING --nothing left, or too late--> over
 *
 * Draining: nobody is accepted any more, requests that have arrived are still executed: until all
 * threads have looked and found none, some ten milliseconds, or for half a second when somebody
 * sends without end. Flushing: nothing is read any more, and clients that read slowly have until
 * shutdown-timeout to take their replies. Beginning again while this goes on ends at once. */
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
};

void ending_init(struct ending *ending, struct server *server);

/* Begins to end, or ends at once when `now` or when that has begun already. */
void ending_begin(struct ending *ending, bool now);

/* Takes it back while it is draining. Whether that was so; accepting goes on then, as far as the
 * addresses can still be had. */
bool ending_abort(struct ending *ending);

#endif
