/* debug_digest: the subcommands of DEBUG that say in one text what there is. */
#ifndef LARDER_COMMAND_DEBUG_DIGEST_H
#define LARDER_COMMAND_DEBUG_DIGEST_H

#include "call/call.h"

void debug_digest(struct call *call);
void debug_digest_value(struct call *call);

#endif
