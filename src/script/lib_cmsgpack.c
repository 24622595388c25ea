/* lib_cmsgpack: MessagePack (github.com/msgpack/msgpack/blob/master/spec.md) out of Lua's values
 * and back.
 *
 * pack: a number without a fraction takes the shortest integer, any other 4 bytes if that loses
 * nothing, else 8. A table whose keys are 1 to n is an array, any other a map. Tables within
 * PACK_DEPTH_MAX others become nil, so cycles end. What MessagePack cannot say is nil.
 *
 * unpack: integers are read as signed 64 bits. Nothing is believed that the input says of sizes:
 * a table grows with the elements that are there. Recursion ends where Lua's stack for a function
 * in C does, after some 4000 levels of some 100 bytes. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "script/lib.h"
#include "script/lib_buffer.h"
#include "script/lib_int.h"

#define PACK_DEPTH_MAX 16

/* ---- pack ---- */

struct packer {
    struct lib_buffer buffer;
    unsigned steps;
};

/* A type byte and a number of `size` bytes behind it. */
static void pack_header(struct packer *packer, unsigned type, size_t size, uint64_t number) {
    char *to = lib_buffer_room(&packer->buffer, 1 + size);
    to[0] = (char)type;
    for (size_t i = size; i > 0; i--) {
        to[i] = (char)number;
        number >>= 8;
    }
    lib_buffer_wrote(&packer->buffer, 1 + size);
}

static void pack_integer(struct packer *packer, int64_t number) {
    if (number >= 0) {
        if (number <= 0x7f) {
            pack_header(packer, (unsigned)number, 0, 0);
        } else if (number <= UINT8_MAX) {
            pack_header(packer, 0xcc, 1, (uint64_t)number);
        } else if (number <= UINT16_MAX) {
            pack_header(packer, 0xcd, 2, (uint64_t)number);
        } else if (number <= UINT32_MAX) {
            pack_header(packer, 0xce, 4, (uint64_t)number);
        } else {
            pack_header(packer, 0xcf, 8, (uint64_t)number);
        }
    } else if (number >= -32) {
        pack_header(packer, (unsigned char)number, 0, 0);
    } else if (number >= INT8_MIN) {
        pack_header(packer, 0xd0, 1, (uint64_t)number);
    } else if (number >= INT16_MIN) {
        pack_header(packer, 0xd1, 2, (uint64_t)number);
    } else if (number >= INT32_MIN) {
        pack_header(packer, 0xd2, 4, (uint64_t)number);
    } else {
        pack_header(packer, 0xd3, 8, (uint64_t)number);
    }
}

static void pack_number(struct packer *packer, double number) {
    if (number >= -LIB_INTEGER_END && number < LIB_INTEGER_END &&
        number == (double)(int64_t)number) {
        pack_integer(packer, (int64_t)number);
        return;
    }
    float single = (float)number;
    if ((double)single == number) {
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        pack_header(packer, 0xca, 4, bits);
    } else {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        pack_header(packer, 0xcb, 8, bits);
    }
}

static void pack_string(struct packer *packer, const char *string, size_t size) {
    if (size < 32) {
        pack_header(packer, 0xa0 | (unsigned)size, 0, 0);
    } else if (size <= UINT8_MAX) {
        pack_header(packer, 0xd9, 1, size);
    } else if (size <= UINT16_MAX) {
        pack_header(packer, 0xda, 2, size);
    } else {
        pack_header(packer, 0xdb, 4, size);
    }
    lib_buffer_add(&packer->buffer, string, size);
}

/* The header of an array or a map: its type for up to 15 elements, for 16 bits; that for 32 bits
 * follows. */
static void pack_count(struct packer *packer, unsigned fixed, unsigned type, size_t count) {
    if (count <= 15) {
        pack_header(packer, fixed | (unsigned)count, 0, 0);
    } else if (count <= UINT16_MAX) {
        pack_header(packer, type, 2, count);
    } else {
        pack_header(packer, type + 1, 4, count);
    }
}

/* Pairs in the table on the top; whether its keys are 1 to that count. */
static size_t count_pairs(lua_State *lua, struct packer *packer, bool *is_array) {
    size_t count = 0;
    double most = 0;
    *is_array = true;
    luaL_checkstack(lua, 2, "in function mp_encode_lua_table");
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lib_step(lua, &packer->steps);
        count++;
        lua_pop(lua, 1);
        double key = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
        if (!(key >= 1) || key != floor(key)) {
            *is_array = false;
        } else if (key > most) {
            most = key;
        }
    }
    *is_array = *is_array && most == (double)count;
    return count;
}

/* Packs the value on the top and takes it away. */
static void pack_value(lua_State *lua, struct packer *packer, int depth);

static void pack_table(lua_State *lua, struct packer *packer, int depth) {
    bool is_array;
    size_t count = count_pairs(lua, packer, &is_array);
    if (is_array) {
        pack_count(packer, 0x90, 0xdc, count);
        for (size_t i = 1; i <= count; i++) {
            lua_rawgeti(lua, -1, (int)i);
            pack_value(lua, packer, depth + 1);
        }
        return;
    }
    pack_count(packer, 0x80, 0xde, count);
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lua_pushvalue(lua, -2);
        pack_value(lua, packer, depth + 1);
        pack_value(lua, packer, depth + 1);
    }
}

static void pack_value(lua_State *lua, struct packer *packer, int depth) {
    size_t size;
    const char *string;
    luaL_checkstack(lua, 4, "in function mp_encode_lua_type");
    lib_step(lua, &packer->steps);
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        string = lua_tolstring(lua, -1, &size);
        pack_string(packer, string, size);
        break;
    case LUA_TNUMBER:
        pack_number(packer, lua_tonumber(lua, -1));
        break;
    case LUA_TBOOLEAN:
        pack_header(packer, lua_toboolean(lua, -1) ? 0xc3 : 0xc2, 0, 0);
        break;
    case LUA_TTABLE:
        if (depth < PACK_DEPTH_MAX) {
            pack_table(lua, packer, depth);
            break;
        }
        pack_header(packer, 0xc0, 0, 0);
        break;
    default:
        pack_header(packer, 0xc0, 0, 0);
    }
    lua_pop(lua, 1);
}

static int cmsgpack_pack(lua_State *lua) {
    int count = lua_gettop(lua);
    luaL_argcheck(lua, count > 0, 0, "MessagePack pack needs input.");
    luaL_argcheck(lua, lua_checkstack(lua, count), 0, "Too many arguments for MessagePack pack.");
    struct packer packer = {.steps = 0};
    lib_buffer_start(&packer.buffer, lua);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(lua, i);
        pack_value(lua, &packer, 0);
    }
    lib_buffer_push(&packer.buffer);
    return 1;
}

/* ---- unpack ---- */

struct unpacker {
    const char *at;
    size_t left;
    unsigned steps;
};

static const char *take(lua_State *lua, struct unpacker *unpacker, size_t size) {
    if (size > unpacker->left) {
        luaL_error(lua, "Missing bytes in input.");
    }
    const char *from = unpacker->at;
    unpacker->at += size;
    unpacker->left -= size;
    return from;
}

static uint64_t take_number(lua_State *lua, struct unpacker *unpacker, size_t size) {
    const char *from = take(lua, unpacker, size);
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | (unsigned char)from[i];
    }
    return number;
}

static void unpack_string(lua_State *lua, struct unpacker *unpacker, size_t size) {
    const char *from = take(lua, unpacker, size);
    lua_pushlstring(lua, from, size);
}

static void unpack_float(lua_State *lua, struct unpacker *unpacker) {
    uint32_t bits = (uint32_t)take_number(lua, unpacker, sizeof bits);
    float number;
    memcpy(&number, &bits, sizeof number);
    lua_pushnumber(lua, number);
}

static void unpack_double(lua_State *lua, struct unpacker *unpacker) {
    uint64_t bits = take_number(lua, unpacker, sizeof bits);
    double number;
    memcpy(&number, &bits, sizeof number);
    lua_pushnumber(lua, number);
}

/* Pushes the next value. */
static void unpack_value(lua_State *lua, struct unpacker *unpacker);

static void unpack_array(lua_State *lua, struct unpacker *unpacker, size_t count) {
    luaL_checkstack(lua, 2, "in function mp_decode_to_lua_array");
    lua_newtable(lua);
    for (size_t i = 1; i <= count; i++) {
        lua_pushnumber(lua, (lua_Number)i);
        unpack_value(lua, unpacker);
        lua_rawset(lua, -3);
    }
}

static void unpack_map(lua_State *lua, struct unpacker *unpacker, size_t count) {
    luaL_checkstack(lua, 1, "in function mp_decode_to_lua_hash");
    lua_newtable(lua);
    for (size_t i = 0; i < count; i++) {
        unpack_value(lua, unpacker);
        unpack_value(lua, unpacker);
        lua_rawset(lua, -3);
    }
}

/* Types whose byte says all of them but the number behind it. */
static void unpack_sized(lua_State *lua, struct unpacker *unpacker, unsigned type) {
    switch (type) {
    case 0xcc:
        lua_pushnumber(lua, (lua_Number)take_number(lua, unpacker, 1));
        break;
    case 0xcd:
        lua_pushnumber(lua, (lua_Number)take_number(lua, unpacker, 2));
        break;
    case 0xce:
        lua_pushnumber(lua, (lua_Number)take_number(lua, unpacker, 4));
        break;
    case 0xd0:
        lua_pushnumber(lua, (int8_t)take_number(lua, unpacker, 1));
        break;
    case 0xd1:
        lua_pushnumber(lua, (int16_t)take_number(lua, unpacker, 2));
        break;
    case 0xd2:
        lua_pushnumber(lua, (int32_t)take_number(lua, unpacker, 4));
        break;
    case 0xcf:
    case 0xd3:
        lua_pushnumber(lua, (lua_Number)(int64_t)take_number(lua, unpacker, 8));
        break;
    case 0xca:
        unpack_float(lua, unpacker);
        break;
    case 0xcb:
        unpack_double(lua, unpacker);
        break;
    case 0xd9:
        unpack_string(lua, unpacker, take_number(lua, unpacker, 1));
        break;
    case 0xda:
        unpack_string(lua, unpacker, take_number(lua, unpacker, 2));
        break;
    case 0xdb:
        unpack_string(lua, unpacker, take_number(lua, unpacker, 4));
        break;
    case 0xdc:
        unpack_array(lua, unpacker, take_number(lua, unpacker, 2));
        break;
    case 0xdd:
        unpack_array(lua, unpacker, take_number(lua, unpacker, 4));
        break;
    case 0xde:
        unpack_map(lua, unpacker, take_number(lua, unpacker, 2));
        break;
    case 0xdf:
        unpack_map(lua, unpacker, take_number(lua, unpacker, 4));
        break;
    default:
        luaL_error(lua, "Bad data format in input.");
    }
}

static void unpack_value(lua_State *lua, struct unpacker *unpacker) {
    luaL_checkstack(lua, 1,
                    "too many return values at once; use unpack_one or unpack_limit instead.");
    lib_step(lua, &unpacker->steps);
    unsigned type = (unsigned char)*take(lua, unpacker, 1);
    if (type <= 0x7f) {
        lua_pushnumber(lua, type);
    } else if (type <= 0x8f) {
        unpack_map(lua, unpacker, type & 15);
    } else if (type <= 0x9f) {
        unpack_array(lua, unpacker, type & 15);
    } else if (type <= 0xbf) {
        unpack_string(lua, unpacker, type & 31);
    } else if (type == 0xc0) {
        lua_pushnil(lua);
    } else if (type == 0xc2 || type == 0xc3) {
        lua_pushboolean(lua, type & 1);
    } else if (type >= 0xe0) {
        lua_pushnumber(lua, (int8_t)type);
    } else {
        unpack_sized(lua, unpacker, type);
    }
}

/* Values from `offset` on, up to `limit`. With neither, all of them and nothing else; otherwise the
 * offset of the next one comes first, or -1 when there is none. */
static int unpack_values(lua_State *lua, lua_Integer limit, lua_Integer offset) {
    size_t size;
    const char *input = luaL_checklstring(lua, 1, &size);
    bool all = limit == 0 && offset == 0;
    if (offset < 0 || limit < 0) {
        return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.",
                          (int)offset, (int)size);
    }
    if ((size_t)offset > size) {
        return luaL_error(lua, "Start offset %d greater than input length %d.", (int)offset,
                          (int)size);
    }
    struct unpacker unpacker = {.at = input + offset, .left = size - (size_t)offset};
    lua_settop(lua, 1);
    if (!all) {
        lua_pushnil(lua);
    }
    int place = lua_gettop(lua);
    while (unpacker.left > 0 && (all || limit > 0)) {
        unpack_value(lua, &unpacker);
        limit--;
    }
    if (!all) {
        lua_pushnumber(lua, unpacker.left > 0 ? (lua_Number)(size - unpacker.left) : -1);
        lua_replace(lua, place);
    }
    return lua_gettop(lua) - 1;
}

static int cmsgpack_unpack(lua_State *lua) {
    return unpack_values(lua, 0, 0);
}

static int cmsgpack_unpack_one(lua_State *lua) {
    lua_Integer offset = luaL_optinteger(lua, 2, 0);
    return unpack_values(lua, 1, offset);
}

static int cmsgpack_unpack_limit(lua_State *lua) {
    lua_Integer limit = luaL_checkinteger(lua, 2);
    lua_Integer offset = luaL_optinteger(lua, 3, 0);
    return unpack_values(lua, limit, offset);
}

static const luaL_Reg functions[] = {
    {"pack", cmsgpack_pack},
    {"unpack", cmsgpack_unpack},
    {"unpack_limit", cmsgpack_unpack_limit},
    {"unpack_one", cmsgpack_unpack_one},
    {NULL, NULL},
};

/* Scripts ask for name and version of the library that they were written for. */
void lib_cmsgpack_open(lua_State *lua) {
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    lua_pushliteral(lua, "cmsgpack");
    lua_setfield(lua, -2, "_NAME");
    lua_pushliteral(lua, "lua-cmsgpack 0.4.0");
    lua_setfield(lua, -2, "_VERSION");
    lua_pushliteral(lua, "MessagePack for scripts");
    lua_setfield(lua, -2, "_DESCRIPTION");
    lua_setglobal(lua, "cmsgpack");
}
