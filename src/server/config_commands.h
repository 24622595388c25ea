/* config_commands: the commands that a configuration written for Redis or Valkey may name, whether
 * or not they are here: taking away what is not there is no error, a slip of the pen is one. */
#ifndef LARDER_SERVER_CONFIG_COMMANDS_H
#define LARDER_SERVER_CONFIG_COMMANDS_H

#include <stdbool.h>

#include "base/bytes.h"

/* Whether Redis or Valkey has a command of that name (letters fold), or a module might: their
 * commands' names have a dot. */
bool config_command_is_known(struct bytes name);

#endif
