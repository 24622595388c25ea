/* lib: see the header. */
#include "script/lib.h"

#include <time.h>

#include <lualib.h>

#include "script/lib_int.h"

void lib_set_function(lua_State *lua, const char *name, lua_CFunction function) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, -2, name);
}

int lib_call_wrapped(lua_State *lua) {
    return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

void lib_call_hook(lua_State *lua) {
    lua_Hook hook = lua_gethook(lua);
    if (hook != NULL && (lua_gethookmask(lua) & LUA_MASKCOUNT) != 0) {
        lua_Debug activation = {.event = LUA_HOOKCOUNT, .currentline = -1};
        hook(lua, &activation);
    }
}

/* All that Redis gives of the library `os`. */
static int os_clock(lua_State *lua) {
    lua_pushnumber(lua, (lua_Number)clock() / CLOCKS_PER_SEC);
    return 1;
}

static void open_own(lua_State *lua, lua_CFunction open, const char *name) {
    lua_pushcfunction(lua, open);
    lua_pushstring(lua, name);
    lua_call(lua, 1, 0);
}

void script_lib_open(lua_State *lua) {
    open_own(lua, luaopen_base, "");
    open_own(lua, luaopen_table, LUA_TABLIBNAME);
    open_own(lua, luaopen_string, LUA_STRLIBNAME);
    open_own(lua, luaopen_math, LUA_MATHLIBNAME);
    lib_base_open(lua);
    lib_pattern_open(lua);
    lib_table_open(lua);
    lib_math_open(lua);
    lib_bit_open(lua);
    lib_struct_open(lua);
    lib_cmsgpack_open(lua);
    lib_cjson_open(lua);
    lua_newtable(lua);
    lib_set_function(lua, "clock", os_clock);
    lua_setglobal(lua, "os");
}
