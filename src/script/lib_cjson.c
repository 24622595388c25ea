/* lib_cjson: the settings, and the table that has the functions. */
#include "script/lib_cjson.h"

#include <limits.h>

#include <lauxlib.h>

#include "script/lib.h"
#include "script/lib_int.h"

#define PRECISION_MAX 14

static const struct cjson_settings defaults = {
    .sparse_convert = false,
    .sparse_ratio = 2,
    .sparse_safe = 10,
    .encode_depth_max = 1000,
    .decode_depth_max = 1000,
    .precision = PRECISION_MAX,
    .keep_buffer = true,
    .encode_invalid = CJSON_REFUSE,
    .decode_invalid = true,
};

/* The settings, with the arguments filled up to `count`: what is missing is nil. */
static struct cjson_settings *settings_for(lua_State *lua, int count) {
    luaL_argcheck(lua, lua_gettop(lua) <= count, count + 1, "found too many arguments");
    lua_settop(lua, count);
    return lua_touserdata(lua, lua_upvalueindex(1));
}

/* Sets an integer if the argument is there, and pushes what it is then. */
static void integer_setting(lua_State *lua, int argument, int *setting, int least, int most) {
    if (!lua_isnil(lua, argument)) {
        lua_Integer value = luaL_checkinteger(lua, argument);
        if (value < least || value > most) {
            lua_pushfstring(lua, "expected integer between %d and %d", least, most);
            luaL_argerror(lua, 1, lua_tostring(lua, -1));
        }
        *setting = (int)value;
    }
    lua_pushinteger(lua, *setting);
}

/* The same for one of: off, on and, if `names` has it, a third. */
static void choice_setting(lua_State *lua, int argument, int *setting, const char *const *names) {
    if (lua_isboolean(lua, argument)) {
        *setting = lua_toboolean(lua, argument);
    } else if (!lua_isnil(lua, argument)) {
        *setting = luaL_checkoption(lua, argument, NULL, names);
    }
    if (*setting <= 1) {
        lua_pushboolean(lua, *setting);
    } else {
        lua_pushstring(lua, names[*setting]);
    }
}

static void switch_setting(lua_State *lua, int argument, bool *setting) {
    static const char *const names[] = {"off", "on", NULL};
    int value = *setting;
    choice_setting(lua, argument, &value, names);
    *setting = value != 0;
}

static int encode_sparse_array(lua_State *lua) {
    struct cjson_settings *settings = settings_for(lua, 3);
    switch_setting(lua, 1, &settings->sparse_convert);
    integer_setting(lua, 2, &settings->sparse_ratio, 0, INT_MAX);
    integer_setting(lua, 3, &settings->sparse_safe, 0, INT_MAX);
    return 3;
}

static int encode_max_depth(lua_State *lua) {
    struct cjson_settings *settings = settings_for(lua, 1);
    integer_setting(lua, 1, &settings->encode_depth_max, 1, INT_MAX);
    return 1;
}

static int decode_max_depth(lua_State *lua) {
    struct cjson_settings *settings = settings_for(lua, 1);
    integer_setting(lua, 1, &settings->decode_depth_max, 1, INT_MAX);
    return 1;
}

static int encode_number_precision(lua_State *lua) {
    struct cjson_settings *settings = settings_for(lua, 1);
    integer_setting(lua, 1, &settings->precision, 1, PRECISION_MAX);
    return 1;
}

static int encode_keep_buffer(lua_State *lua) {
    struct cjson_settings *settings = settings_for(lua, 1);
    switch_setting(lua, 1, &settings->keep_buffer);
    return 1;
}

static int encode_invalid_numbers(lua_State *lua) {
    static const char *const names[] = {"off", "on", "null", NULL};
    struct cjson_settings *settings = settings_for(lua, 1);
    int value = (int)settings->encode_invalid;
    choice_setting(lua, 1, &value, names);
    settings->encode_invalid = (enum cjson_invalid)value;
    return 1;
}

static int decode_invalid_numbers(lua_State *lua) {
    struct cjson_settings *settings = settings_for(lua, 1);
    switch_setting(lua, 1, &settings->decode_invalid);
    return 1;
}

static int cjson_new(lua_State *lua);

static const luaL_Reg functions[] = {
    {"encode", cjson_encode},
    {"decode", cjson_decode},
    {"encode_sparse_array", encode_sparse_array},
    {"encode_max_depth", encode_max_depth},
    {"decode_max_depth", decode_max_depth},
    {"encode_number_precision", encode_number_precision},
    {"encode_keep_buffer", encode_keep_buffer},
    {"encode_invalid_numbers", encode_invalid_numbers},
    {"decode_invalid_numbers", decode_invalid_numbers},
    {"new", cjson_new},
    {NULL, NULL},
};

/* A table with all functions, which share settings of their own. */
static int cjson_new(lua_State *lua) {
    lua_newtable(lua);
    struct cjson_settings *settings = lua_newuserdata(lua, sizeof *settings);
    *settings = defaults;
    for (const luaL_Reg *row = functions; row->name != NULL; row++) {
        lua_pushvalue(lua, -1);
        lua_pushcclosure(lua, row->func, 1);
        lua_setfield(lua, -3, row->name);
    }
    lua_pop(lua, 1);
    lua_pushlightuserdata(lua, NULL);
    lua_setfield(lua, -2, "null");
    lua_pushliteral(lua, "cjson");
    lua_setfield(lua, -2, "_NAME");
    lua_pushliteral(lua, "2.1.0");
    lua_setfield(lua, -2, "_VERSION");
    return 1;
}

void lib_cjson_open(lua_State *lua) {
    cjson_new(lua);
    lua_setglobal(lua, "cjson");
}
