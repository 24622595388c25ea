/* function_call: what the files of FUNCTION share. */
#ifndef LARDER_COMMAND_FUNCTION_CALL_H
#define LARDER_COMMAND_FUNCTION_CALL_H

#include "call/call.h"

/* An error of script/functions.h, which has no code. */
void function_reply_error(struct call *call, const char *error);

#endif
