/* api: the table `redis` that scripts find: redis.call and what else there is. */
#ifndef LARDER_SCRIPT_API_H
#define LARDER_SCRIPT_API_H

#include "script/engine.h"

/* Pushes the table. Raises an error when there is no memory. */
void api_open(lua_State *lua, struct engine *engine);

/* Puts what libraries may use while they are loaded into the table on the top. */
void api_set_basics(lua_State *lua);

/* Raises an error of this text, which has no code, as redis.call does. */
int api_raise(lua_State *lua, const char *text);

#endif
