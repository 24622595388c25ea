/* lib_table: table.insert, which could be told to move two thousand million elements that are not
 * there. It still moves what it is told to, but can be interrupted. */
#include <lauxlib.h>

#include "script/lib_int.h"

static int table_insert(lua_State *lua) {
    luaL_checktype(lua, 1, LUA_TTABLE);
    int end = (int)lua_objlen(lua, 1) + 1;
    int place = end;
    switch (lua_gettop(lua)) {
    case 2:
        break;
    case 3: {
        unsigned steps = 0;
        place = luaL_checkint(lua, 2);
        end = place > end ? place : end;
        for (int i = end; i > place; i--) {
            lib_step(lua, &steps);
            lua_rawgeti(lua, 1, i - 1);
            lua_rawseti(lua, 1, i);
        }
        break;
    }
    default:
        return luaL_error(lua, "wrong number of arguments to 'insert'");
    }
    lua_rawseti(lua, 1, place);
    return 0;
}

void lib_table_open(lua_State *lua) {
    lua_getglobal(lua, "table");
    lib_set_function(lua, "insert", table_insert);
    lua_pop(lua, 1);
}
