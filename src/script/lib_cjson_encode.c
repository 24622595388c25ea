/* lib_cjson_encode: Lua's values to JSON. It recurses with the depth of tables, up to the setting
 * and never beyond what Lua gives a function in C of its stack: 8000 values, some 100 bytes
 * each. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "script/lib_buffer.h"
#include "script/lib_cjson.h"
#include "script/lib_int.h"

/* What %.14g writes at most: sign, digits, point, exponent. */
#define NUMBER_TEXT_MAX 32

struct encoder {
    lua_State *lua;
    const struct cjson_settings *settings;
    struct lib_buffer buffer;
    unsigned steps;
};

static void refuse(lua_State *lua, int index, const char *reason) {
    luaL_error(lua, "Cannot serialise %s: %s", luaL_typename(lua, index), reason);
}

/* ---- strings ---- */

/* Bytes that a character takes. */
static unsigned escaped_size(unsigned char c) {
    switch (c) {
    case '"':
    case '\\':
    case '/':
    case '\b':
    case '\t':
    case '\n':
    case '\f':
    case '\r':
        return 2;
    default:
        return c < ' ' || c == 127 ? 6 : 1;
    }
}

static char *write_escaped(char *to, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    static const char letters[8] = "btn\0fr"; /* from \b, which is 8, to \r */
    switch (escaped_size(c)) {
    case 1:
        *to++ = (char)c;
        break;
    case 2:
        *to++ = '\\';
        *to++ = c < ' ' ? letters[c & 7] : (char)c;
        break;
    default:
        memcpy(to, "\\u00", 4);
        to[4] = hex[c >> 4];
        to[5] = hex[c & 15];
        to += 6;
    }
    return to;
}

static void encode_string(struct encoder *encoder, int index) {
    size_t size;
    const unsigned char *text = (const unsigned char *)lua_tolstring(encoder->lua, index, &size);
    size_t total = 2;
    for (size_t i = 0; i < size; i++) {
        total += escaped_size(text[i]);
    }
    char *to = lib_buffer_room(&encoder->buffer, total);
    *to++ = '"';
    if (total == size + 2) {
        memcpy(to, text, size);
        to += size;
    } else {
        for (size_t i = 0; i < size; i++) {
            to = write_escaped(to, text[i]);
        }
    }
    *to = '"';
    lib_buffer_wrote(&encoder->buffer, total);
}

/* ---- numbers ---- */

static void add_text(struct encoder *encoder, const char *text) {
    lib_buffer_add(&encoder->buffer, text, strlen(text));
}

static void encode_number(struct encoder *encoder, int index) {
    double number = lua_tonumber(encoder->lua, index);
    enum cjson_invalid invalid = encoder->settings->encode_invalid;
    if (!isfinite(number)) {
        if (invalid == CJSON_REFUSE) {
            refuse(encoder->lua, index, "must not be NaN or Inf");
        }
        add_text(encoder, invalid == CJSON_NULL ? "null"
                          : isnan(number)       ? "nan"
                          : number < 0          ? "-inf"
                                                : "inf");
        return;
    }
    char *to = lib_buffer_room(&encoder->buffer, NUMBER_TEXT_MAX);
    int count = snprintf(to, NUMBER_TEXT_MAX, "%.*g", encoder->settings->precision, number);
    lib_buffer_wrote(&encoder->buffer, (size_t)count);
}

/* ---- tables ---- */

/* The largest index of the table on the top, if it shall be an array, else -1. */
static double array_size(struct encoder *encoder) {
    lua_State *lua = encoder->lua;
    const struct cjson_settings *settings = encoder->settings;
    double most = 0;
    double count = 0;
    lua_pushnil(lua);
    while (lua_next(lua, -2) != 0) {
        lib_step(lua, &encoder->steps);
        lua_pop(lua, 1);
        double key = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
        if (!(key >= 1 && key <= INT_MAX) || floor(key) != key) {
            lua_pop(lua, 1);
            return -1;
        }
        most = key > most ? key : most;
        count++;
    }
    if (settings->sparse_ratio > 0 && most > count * settings->sparse_ratio &&
        most > settings->sparse_safe) {
        if (!settings->sparse_convert) {
            refuse(lua, -1, "excessively sparse array");
        }
        return -1;
    }
    return most;
}

static void encode_value(struct encoder *encoder, int depth);

static void encode_array(struct encoder *encoder, double size, int depth) {
    lib_buffer_add_byte(&encoder->buffer, '[');
    for (double i = 1; i <= size; i++) {
        if (i > 1) {
            lib_buffer_add_byte(&encoder->buffer, ',');
        }
        lib_step(encoder->lua, &encoder->steps);
        lua_pushnumber(encoder->lua, i);
        lua_rawget(encoder->lua, -2);
        encode_value(encoder, depth);
        lua_pop(encoder->lua, 1);
    }
    lib_buffer_add_byte(&encoder->buffer, ']');
}

static void encode_key(struct encoder *encoder) {
    switch (lua_type(encoder->lua, -2)) {
    case LUA_TSTRING:
        encode_string(encoder, -2);
        break;
    case LUA_TNUMBER:
        lib_buffer_add_byte(&encoder->buffer, '"');
        encode_number(encoder, -2);
        lib_buffer_add_byte(&encoder->buffer, '"');
        break;
    default:
        refuse(encoder->lua, -2, "table key must be a number or string");
    }
}

static void encode_object(struct encoder *encoder, int depth) {
    bool is_first = true;
    lib_buffer_add_byte(&encoder->buffer, '{');
    lua_pushnil(encoder->lua);
    while (lua_next(encoder->lua, -2) != 0) {
        if (!is_first) {
            lib_buffer_add_byte(&encoder->buffer, ',');
        }
        is_first = false;
        encode_key(encoder);
        lib_buffer_add_byte(&encoder->buffer, ':');
        encode_value(encoder, depth);
        lua_pop(encoder->lua, 1);
    }
    lib_buffer_add_byte(&encoder->buffer, '}');
}

static void encode_table(struct encoder *encoder, int depth) {
    if (depth > encoder->settings->encode_depth_max || !lua_checkstack(encoder->lua, 3)) {
        luaL_error(encoder->lua, "Cannot serialise, excessive nesting (%d)", depth);
    }
    double size = array_size(encoder);
    if (size > 0) {
        encode_array(encoder, size, depth);
    } else {
        encode_object(encoder, depth);
    }
}

/* The value on the top, which stays there. `depth` counts the tables around it. */
static void encode_value(struct encoder *encoder, int depth) {
    lib_step(encoder->lua, &encoder->steps);
    switch (lua_type(encoder->lua, -1)) {
    case LUA_TSTRING:
        encode_string(encoder, -1);
        return;
    case LUA_TNUMBER:
        encode_number(encoder, -1);
        return;
    case LUA_TBOOLEAN:
        add_text(encoder, lua_toboolean(encoder->lua, -1) ? "true" : "false");
        return;
    case LUA_TNIL:
        add_text(encoder, "null");
        return;
    case LUA_TTABLE:
        encode_table(encoder, depth + 1);
        return;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(encoder->lua, -1) == NULL) {
            add_text(encoder, "null");
            return;
        }
        break;
    default:
        break;
    }
    refuse(encoder->lua, -1, "type not supported");
}

int cjson_encode(lua_State *lua) {
    luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
    struct encoder encoder = {.lua = lua, .settings = lua_touserdata(lua, lua_upvalueindex(1))};
    lib_buffer_start(&encoder.buffer, lua);
    lua_pushvalue(lua, 1);
    encode_value(&encoder, 0);
    lib_buffer_push(&encoder.buffer);
    return 1;
}
