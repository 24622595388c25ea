/* guard: options that open or close a group of commands for a caller: no, yes, or local for callers
 * on this machine. Asked for by name, for the options belong to the process and this room does not
 * know it. */
#ifndef LARDER_COMMAND_GUARD_H
#define LARDER_COMMAND_GUARD_H

#include <stdbool.h>

#include "call/call.h"

/* Whether the option (enable-debug-command and its like) lets this caller through. */
bool guard_allows(const struct call *call, const char *option);

#endif
