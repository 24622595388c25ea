/* chunk: what a compiled function may do to its globals, seen from its code. */
#ifndef LARDER_SCRIPT_CHUNK_H
#define LARDER_SCRIPT_CHUNK_H

#include <stdbool.h>

#include <lua.h>

/* Whether the function on the top, or one within it, assigns a global. True when that cannot be
 * told. Lua's stack is as before. */
bool chunk_assigns_globals(lua_State *lua);

#endif
