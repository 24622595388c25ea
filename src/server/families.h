/* families: all commands of the server, family by family. A smaller build leaves rows out. */
#ifndef LARDER_SERVER_FAMILIES_H
#define LARDER_SERVER_FAMILIES_H

#include "call/command.h"

void families_register(struct commands *commands);

#endif
