/* refusal: the checks in front of a command: known, arity, authentication, memory, what a
 * subscriber or a monitor may do, what may be in a transaction. Their order and their texts are
 * what clients know. */
#ifndef LARDER_CLIENT_REFUSAL_H
#define LARDER_CLIENT_REFUSAL_H

#include <stdbool.h>

#include "call/call.h"

/* Whether the call is refused; then the error has been replied, the command has counted it, and a
 * transaction of the client is bad. A refused EXEC ends its transaction. call->command may be
 * NULL. */
bool refusal_due(struct call *call);

#endif
