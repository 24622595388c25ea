/* sandbox: see the header. */
#include "script/sandbox.h"

#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "script/api.h"
#include "script/lib.h"
#include "script/functions_int.h"

/* By its address, a key of fronts' metatables that no script can name. */
static const char front_mark;

#define READ_ONLY_TEXT "Attempt to modify a readonly table"

/* ---- fronts ---- */

static int refuse_assignment(lua_State *lua) {
    return luaL_error(lua, READ_ONLY_TEXT);
}

int sandbox_refuse_write(lua_State *lua) {
    lua_pushliteral(lua, READ_ONLY_TEXT);
    return lua_error(lua);
}

static void *mark(void) {
    return (void *)(uintptr_t)&front_mark;
}

void sandbox_freeze(lua_State *lua) {
    int back = lua_gettop(lua);
    lua_newtable(lua);
    lua_createtable(lua, 0, 4);
    lua_pushvalue(lua, back);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_assignment);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_pushlightuserdata(lua, mark());
    lua_pushvalue(lua, back);
    lua_rawset(lua, -3);
    lua_setmetatable(lua, -2);
    lua_replace(lua, back);
}

bool sandbox_push_back(lua_State *lua, int index) {
    if (lua_type(lua, index) != LUA_TTABLE || !lua_getmetatable(lua, index)) {
        return false;
    }
    lua_pushlightuserdata(lua, mark());
    lua_rawget(lua, -2);
    lua_remove(lua, -2);
    if (lua_isnil(lua, -1)) {
        lua_pop(lua, 1);
        return false;
    }
    return true;
}

/* Puts the back in the place of a front that is the first argument. */
static void look_behind(lua_State *lua) {
    if (sandbox_push_back(lua, 1)) {
        lua_replace(lua, 1);
    }
}

/* rawset, setmetatable, table.insert and the like: not on fronts. */
static int unless_front(lua_State *lua) {
    if (sandbox_push_back(lua, 1)) {
        return sandbox_refuse_write(lua);
    }
    return lib_call_wrapped(lua);
}

static int raw_get(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    lua_settop(lua, 2);
    look_behind(lua);
    lua_rawget(lua, 1);
    return 1;
}

static int raw_set(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    luaL_checkany(lua, 2);
    luaL_checkany(lua, 3);
    lua_settop(lua, 3);
    if (sandbox_push_back(lua, 1)) {
        return sandbox_refuse_write(lua);
    }
    lua_rawset(lua, 1);
    return 1;
}

static int next_of(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 2);
    look_behind(lua);
    if (lua_next(lua, 1)) {
        return 2;
    }
    lua_pushnil(lua);
    return 1;
}

static int pairs_of(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushvalue(lua, lua_upvalueindex(1)); /* next */
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}

/* ---- errors ---- */

/* pcall, but an error that is a table with a text, as those of redis.call are, becomes the text. */
static int protected_call(lua_State *lua) {
    luaL_checkany(lua, 1);
    int status = lua_pcall(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0);
    lua_pushboolean(lua, status == 0);
    lua_insert(lua, 1);
    if (status != 0 && lua_istable(lua, -1)) {
        int table = lua_gettop(lua);
        engine_raw_field(lua, engine_of(lua), table, NAME_ERR);
        if (lua_type(lua, -1) == LUA_TSTRING) {
            lua_replace(lua, table);
        } else {
            lua_pop(lua, 1);
        }
    }
    return lua_gettop(lua);
}

static int missing_global(lua_State *lua) {
    return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                      lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2)
                                                      : luaL_typename(lua, 2));
}

/* ---- building ---- */

/* What it holds comes into the globals that are at index 1. */
static void set_function(lua_State *lua, const char *name, lua_CFunction function) {
    lua_pushcfunction(lua, function);
    lua_setfield(lua, 1, name);
}

/* A field of the table at `table` is from now on not for fronts. */
static void guard(lua_State *lua, int table, const char *name) {
    lua_getfield(lua, table, name);
    lua_pushcclosure(lua, unless_front, 1);
    lua_setfield(lua, table, name);
}

static void replace_functions(lua_State *lua) {
    static const char *const table_writers[] = {"insert", "remove", "sort", "setn"};
    set_function(lua, "pcall", protected_call);
    set_function(lua, "rawget", raw_get);
    set_function(lua, "rawset", raw_set);
    set_function(lua, "next", next_of);
    lua_getfield(lua, 1, "next");
    lua_pushcclosure(lua, pairs_of, 1);
    lua_setfield(lua, 1, "pairs");
    guard(lua, 1, "setmetatable");
    lua_getfield(lua, 1, "table");
    for (size_t i = 0; i < sizeof table_writers / sizeof table_writers[0]; i++) {
        guard(lua, lua_gettop(lua), table_writers[i]);
    }
    lua_pop(lua, 1);
}

/* Methods of strings go the short way; who asks for their metatable sees fronts. */
static void freeze_strings(lua_State *lua) {
    lua_pushliteral(lua, "");
    check(lua_getmetatable(lua, -1));
    lua_newtable(lua);
    lua_getfield(lua, 1, "string");
    lua_setfield(lua, -2, "__index");
    sandbox_freeze(lua);
    lua_setfield(lua, -2, "__metatable");
    lua_pop(lua, 2);
}

/* All tables among the globals, but _G itself, become fronts. */
static void freeze_libraries(lua_State *lua) {
    static const char *const names[] = {"string", "table", "math",   "coroutine", "redis",
                                        "bit",    "cjson", "struct", "cmsgpack",  "os"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        lua_getfield(lua, 1, names[i]);
        if (lua_istable(lua, -1)) {
            sandbox_freeze(lua);
            lua_setfield(lua, 1, names[i]);
        } else {
            lua_pop(lua, 1);
        }
    }
}

/* Reading what the table at `index` has not is an error. */
static void refuse_missing(lua_State *lua, int index) {
    lua_newtable(lua);
    lua_pushcfunction(lua, missing_global);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, index);
}

/* What a library finds while it is loaded. */
static void build_loading_globals(lua_State *lua, struct engine *engine) {
    lua_newtable(lua);
    functions_push_api(lua);
    refuse_missing(lua, lua_gettop(lua));
    sandbox_freeze(lua);
    lua_setfield(lua, -2, "redis");
    refuse_missing(lua, lua_gettop(lua));
    engine->loading_globals = luaL_ref(lua, LUA_REGISTRYINDEX);
}

void sandbox_build(lua_State *lua, struct engine *engine) {
    lua_settop(lua, 0);
    lua_pushvalue(lua, LUA_GLOBALSINDEX); /* index 1: what will be the back */
    script_lib_open(lua);
    replace_functions(lua);
    api_open(lua, engine);
    lua_setfield(lua, 1, "redis");
    freeze_libraries(lua);
    freeze_strings(lua);
    refuse_missing(lua, 1);
    lua_pushvalue(lua, 1);
    engine->globals = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, 1);
    sandbox_freeze(lua);
    check(lua_getmetatable(lua, -1));
    engine->front_meta = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, 1, "_G");
    lua_replace(lua, LUA_GLOBALSINDEX);
    if (engine->for_functions) {
        build_loading_globals(lua, engine);
    }
}
