/* lib_buffer: see the header. */
#include "script/lib_buffer.h"

#include <lauxlib.h>

#include "script/lib.h"

void lib_buffer_start(struct lib_buffer *buffer, lua_State *lua) {
    buffer->lua = lua;
    buffer->at = buffer->first;
    buffer->size = 0;
    buffer->room = sizeof buffer->first;
    luaL_checkstack(lua, 4, "no room for a buffer");
    lua_pushnil(lua);
    buffer->slot = lua_gettop(lua);
}

void lib_buffer_grow(struct lib_buffer *buffer, size_t more) {
    if (more > LIB_RESULT_MAX - buffer->size) {
        luaL_error(buffer->lua, "resulting string too large");
    }
    size_t needed = buffer->size + more;
    size_t room = buffer->room * 2 > needed ? buffer->room * 2 : needed;
    luaL_checkstack(buffer->lua, 1, "no room for a buffer");
    char *at = lua_newuserdata(buffer->lua, room);
    memcpy(at, buffer->at, buffer->size);
    lua_replace(buffer->lua, buffer->slot);
    buffer->at = at;
    buffer->room = room;
}

void lib_buffer_push(struct lib_buffer *buffer) {
    lua_pushlstring(buffer->lua, buffer->at, buffer->size);
}
