/* convert: replies of commands become values of Lua, and what a script returns becomes a reply.
 * Which becomes what is as in Redis, and depends on the protocol that the script has chosen
 * (redis.setresp) and on its caller's.
 *
 * Tables are read by raw access, so no metatable of a script is consulted. How deep a reply may
 * nest is bounded by Lua's stack: 8000 levels. */
#ifndef LARDER_SCRIPT_CONVERT_H
#define LARDER_SCRIPT_CONVERT_H

#include "call/reply.h"
#include "script/engine.h"

/* Pushes the value of a reply in that version of the protocol, which is whole and lies in one
 * piece. Raises an error when there is no memory. */
void convert_reply(lua_State *lua, const struct engine *engine, struct bytes reply, int version);

/* Replies the value on the top and takes it off. The engine must be open. `version` is the script's
 * protocol. */
void convert_value(struct engine *engine, struct reply *reply, int version);

#endif
