/* refusal: the checks in front of a command: known, arity, authentication, memory, what a
 * subscriber or a monitor may do, what may be in a transaction. Their order and their texts are
 * what clients know. */
#ifndef LARDER_CLIENT_REFUSAL_H
#define LARDER_CLIENT_REFUSAL_H

#include <stdbool.h>

#include "call/call.h"
#include "client/guard.h"

/* Whether the call is refused; then the error has been replied, the command has counted it, and a
 * transaction of the client is bad. A refused EXEC ends its transaction. call->command may be
 * NULL. */
bool refusal_due(struct call *call);

/* What the caller's user lacks for a call that is otherwise sound; if anything, it is noted, and
 * `text` says so in Redis's words, without a code. */
#define REFUSAL_TEXT_SIZE 512
enum guard_verdict refusal_by_guard(const struct call *call, enum guard_way way,
                                    char text[REFUSAL_TEXT_SIZE]);

/* The same for a command of a transaction that EXEC is about to run; whether it is refused, the
 * error replied. */
bool refusal_in_queue(struct call *call);

#endif
