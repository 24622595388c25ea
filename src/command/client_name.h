/* client_name: the names that a client may give itself and its library: no byte that could break
 * the line of CLIENT LIST. */
#ifndef LARDER_COMMAND_CLIENT_NAME_H
#define LARDER_COMMAND_CLIENT_NAME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "call/call.h"

/* Whether it consists of printable ASCII without spaces; empty is fine. */
bool client_name_is_valid(struct bytes name);

/* Sets the client's field; false, with the error replied, when the name is not valid. Empty takes
 * the name away. */
bool client_name_set(struct call *call, char **field, struct bytes name);

#endif
