/* sandbox: what a script finds: the globals, and that it can change none of them.
 *
 * Lua 5.1 has no tables that cannot be written to. What is to be frozen is put behind an empty
 * table, its front, whose metatable reads from it and refuses writing:
 *
 *     script --> front {} --metatable--> { __index = back, __newindex = refuse }
 *                                                       |
 *                                                       v
 *                                        back { call = ..., pcall = ... }
 *
 * Who could reach past the metatable (rawset, setmetatable, next, rawget, table.insert) is given
 * functions that know fronts. What a script may not have is not there at all. */
#ifndef LARDER_SCRIPT_SANDBOX_H
#define LARDER_SCRIPT_SANDBOX_H

#include "script/engine.h"

/* Makes all of it; raises an error when there is no memory. */
void sandbox_build(lua_State *lua, struct engine *engine);

/* Replaces the table on the top by its front. */
void sandbox_freeze(lua_State *lua);

/* Whether the value is a front; then its back is pushed. */
bool sandbox_push_back(lua_State *lua, int index);

/* Raises the error that tells so. */
int sandbox_refuse_write(lua_State *lua);

#endif
