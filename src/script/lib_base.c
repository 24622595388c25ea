/* lib_base: Lua's basic functions that are not as they were. */
#include <stdbool.h>
#include <stdint.h>

#include <lauxlib.h>

#include "base/num.h"
#include "script/lib.h"
#include "script/lib_buffer.h"
#include "script/lib_int.h"

/* A longer source is refused: the lexer counts in 32 bits. */
#define SOURCE_SIZE_MAX ((size_t)16 * 1024 * 1024)
/* Pieces of a source that a function hands out one by one. */
#define PIECES_MAX 1000000

/* unpack, with its range in 64 bits. */
static int base_unpack(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    int64_t first = luaL_optinteger(lua, 2, 1);
    int64_t last =
        lua_isnoneornil(lua, 3) ? (int64_t)lua_objlen(lua, 1) : luaL_checkinteger(lua, 3);
    if (first > last) {
        return 0;
    }
    uint64_t count = (uint64_t)last - (uint64_t)first + 1;
    if (count == 0 || count > LIB_STACK_MAX || !lua_checkstack(lua, (int)count)) {
        return luaL_error(lua, "too many results to unpack");
    }
    for (uint64_t i = 0; i < count; i++) {
        lua_pushnumber(lua, (lua_Number)(first + (int64_t)i));
        lua_rawget(lua, 1);
    }
    return (int)count;
}

/* Compiles a text; what was compiled before begins with the byte 27, which is then the first sign
 * that the text cannot begin with. Nil and the reason when it does not compile. */
static int load_text(lua_State *lua, const char *text, size_t size, const char *name) {
    int status;
    if (size > SOURCE_SIZE_MAX) {
        lua_pushliteral(lua, "source too long");
        status = LUA_ERRSYNTAX;
    } else if (size > 0 && text[0] == LUA_SIGNATURE[0]) {
        status = luaL_loadbuffer(lua, " " LUA_SIGNATURE, 2, name);
    } else {
        status = luaL_loadbuffer(lua, text, size, name);
    }
    if (status == 0) {
        return 1;
    }
    lua_pushnil(lua);
    lua_insert(lua, -2);
    return 2;
}

static int base_loadstring(lua_State *lua) {
    size_t size;
    const char *text = luaL_checklstring(lua, 1, &size);
    return load_text(lua, text, size, luaL_optstring(lua, 2, text));
}

/* load: the pieces are put together first, so the compiler never runs while a script does. */
static int base_load(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TFUNCTION);
    const char *name = luaL_optstring(lua, 2, "=(load)");
    lua_settop(lua, 2); /* the name stays where it is */
    struct lib_buffer buffer;
    lib_buffer_start(&buffer, lua);
    for (int i = 0; i < PIECES_MAX; i++) {
        lua_pushvalue(lua, 1);
        int status = lua_pcall(lua, 0, 1, 0);
        if (status != 0) {
            lua_pushnil(lua);
            lua_insert(lua, -2);
            return 2;
        }
        size_t size = 0;
        if (lua_isnil(lua, -1)) {
            break;
        }
        if (!lua_isstring(lua, -1)) {
            lua_pushnil(lua);
            luaL_where(lua, 1);
            lua_pushliteral(lua, "reader function must return a string");
            lua_concat(lua, 2);
            return 2;
        }
        const char *piece = lua_tolstring(lua, -1, &size);
        if (size == 0) {
            break;
        }
        if (size > SOURCE_SIZE_MAX || buffer.size > SOURCE_SIZE_MAX) {
            break;
        }
        lib_buffer_add(&buffer, piece, size);
        lua_pop(lua, 1);
    }
    lua_settop(lua, buffer.slot);
    lib_buffer_push(&buffer);
    size_t size;
    const char *text = lua_tolstring(lua, -1, &size);
    return load_text(lua, text, size, name);
}

/* What the collector's two settings are in a fresh state. */
#define SETTING_AT_START 200

static double used_kib(lua_State *lua) {
    return lua_gc(lua, LUA_GCCOUNT, 0) + lua_gc(lua, LUA_GCCOUNTB, 0) / 1024.0;
}

/* Of what it can do only counting has an effect: when to collect is the engine's business. */
static int base_collectgarbage(lua_State *lua) {
    static const char *const options[] = {"collect", "count",    "restart",    "step",
                                          "stop",    "setpause", "setstepmul", NULL};
    int option = luaL_checkoption(lua, 1, "collect", options);
    luaL_optint(lua, 2, 0);
    if (option == 1) {
        lua_pushnumber(lua, used_kib(lua));
    } else if (option == 3) {
        lua_pushboolean(lua, 1);
    } else {
        lua_pushinteger(lua, option > 4 ? SETTING_AT_START : 0);
    }
    return 1;
}

static int base_gcinfo(lua_State *lua) {
    lua_pushinteger(lua, lua_gc(lua, LUA_GCCOUNT, 0));
    return 1;
}

/* Digits of which every number fits a double, and has the same text in Lua's format. */
#define DIGITS_MAX  14
#define INTEGER_END 1e14

/* tonumber: most numbers in a cache are short integers. Lua's own converts each text twice, by
 * strtod. */
static int base_tonumber(lua_State *lua) {
    if (lua_type(lua, 1) != LUA_TSTRING || lua_gettop(lua) != 1) {
        return lib_call_wrapped(lua);
    }
    size_t size;
    const char *at = lua_tolstring(lua, 1, &size);
    bool negative = size > 1 && *at == '-';
    at += negative;
    size -= negative;
    if (size == 0 || size > DIGITS_MAX) {
        return lib_call_wrapped(lua);
    }
    int64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return lib_call_wrapped(lua);
        }
        number = number * 10 + (at[i] - '0');
    }
    lua_pushnumber(lua, negative ? -(lua_Number)number : (lua_Number)number); /* -0, too */
    return 1;
}

/* tostring, of numbers likewise. */
static int base_tostring(lua_State *lua) {
    if (lua_type(lua, 1) != LUA_TNUMBER) {
        return lib_call_wrapped(lua);
    }
    lua_Number number = lua_tonumber(lua, 1);
    if (!(number > -INTEGER_END && number < INTEGER_END) || number == 0 ||
        (lua_Number)(int64_t)number != number) {
        return lib_call_wrapped(lua);
    }
    char text[NUM_I64_SIZE];
    lua_pushlstring(lua, text, num_format_i64(text, (int64_t)number));
    return 1;
}

/* Puts a function in the place of Lua's, which it has as its upvalue. */
static void wrap_function(lua_State *lua, const char *name, lua_CFunction function) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
}

/* What reaches files, modules, environments of other functions, or finalizers. */
static const char *const removed[] = {"print",    "dofile",  "loadfile", "require", "module",
                                      "newproxy", "getfenv", "setfenv",  "package"};

void lib_base_open(lua_State *lua) {
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++) {
        lua_pushnil(lua);
        lua_setfield(lua, -2, removed[i]);
    }
    lib_set_function(lua, "unpack", base_unpack);
    lib_set_function(lua, "load", base_load);
    lib_set_function(lua, "loadstring", base_loadstring);
    lib_set_function(lua, "collectgarbage", base_collectgarbage);
    lib_set_function(lua, "gcinfo", base_gcinfo);
    wrap_function(lua, "tonumber", base_tonumber);
    wrap_function(lua, "tostring", base_tostring);
    lua_pop(lua, 1);
}
