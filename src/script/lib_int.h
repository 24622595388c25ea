/* lib_int: what the files of the libraries share. Each lib_X_open puts its functions where scripts
 * find them: a global table, or in place of functions of Lua's own. */
#ifndef LARDER_SCRIPT_LIB_INT_H
#define LARDER_SCRIPT_LIB_INT_H

#include <stdint.h>

#include <lua.h>

void lib_base_open(lua_State *lua);
void lib_bit_open(lua_State *lua);
void lib_cjson_open(lua_State *lua);
void lib_cmsgpack_open(lua_State *lua);
void lib_math_open(lua_State *lua);
void lib_pattern_open(lua_State *lua);
void lib_struct_open(lua_State *lua);
void lib_table_open(lua_State *lua);

/* Sets a field of the table on the top. */
void lib_set_function(lua_State *lua, const char *name, lua_CFunction function);

/* 2^63: from there on a number does not fit 64 bits. */
#define LIB_INTEGER_END 9223372036854775808.0

/* As many steps take about as long as the instructions between two calls of a hook. */
#define LIB_STEPS_PER_HOOK 20000

/* Calls the state's hook, if it has one: may raise an error. */
void lib_call_hook(lua_State *lua);

/* Counts a step of work that Lua's own hook does not see. */
static inline void lib_step(lua_State *lua, unsigned *steps) {
    if (++*steps >= LIB_STEPS_PER_HOOK) {
        *steps = 0;
        lib_call_hook(lua);
    }
}

#endif
