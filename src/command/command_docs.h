/* command_docs: what COMMAND DOCS tells of a command: its texts, and its arguments as a tree. */
#ifndef LARDER_COMMAND_COMMAND_DOCS_H
#define LARDER_COMMAND_COMMAND_DOCS_H

#include "call/command.h"
#include "call/reply.h"

/* The name and, behind it, the map that describes it; subcommands are within it. */
void command_docs_reply(struct reply *reply, const struct command *command);

#endif
