/* lib_struct: values into and out of C's structures, by a format: the library `struct` of Lua's
 * authors, as its manual tells it.
 *
 *     <  >        little, big endian from here on             (native: little)
 *     !n          alignment up to n from here on, a power of two; without n: 8; at first: 1
 *     x           a byte of padding
 *     b B h H i I l L T    integers of 1, 2, 4, 8 bytes, capitals unsigned; T is a size_t
 *     iN IN       integers of N bytes, up to 32
 *     f d         float, double
 *     s           a string up to its zero byte
 *     cN          N characters; c0: pack writes all of a string, unpack takes the number before it
 *     blank       nothing
 *
 * Lengths in a format are numbers below 2^31, so sums of them fit a size_t. */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "script/lib.h"
#include "script/lib_buffer.h"
#include "script/lib_int.h"

#define INTEGER_SIZE_MAX 32
#define INTEGER_SIZE     4
#define ALIGNMENT_NATIVE 8

/* What a format says so far. */
struct format {
    lua_State *lua;
    const char *at;
    size_t alignment;
    bool little;
};

static void format_start(struct format *format, lua_State *lua) {
    format->lua = lua;
    format->at = luaL_checkstring(lua, 1);
    format->alignment = 1;
    format->little = true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The number that stands next in the format, or what it is when none does. */
static size_t read_number(struct format *format, size_t otherwise) {
    if (!is_digit(*format->at)) {
        return otherwise;
    }
    int number = 0;
    while (is_digit(*format->at)) {
        int digit = *format->at++ - '0';
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            luaL_error(format->lua, "integral size overflow");
        }
    }
    return (size_t)number;
}

/* Bytes that an option takes; reads the number behind it. */
static size_t read_size(struct format *format, char option) {
    switch (option) {
    case 'b':
    case 'B':
    case 'x':
        return 1;
    case 'h':
    case 'H':
        return sizeof(short);
    case 'l':
    case 'L':
        return sizeof(long);
    case 'T':
        return sizeof(size_t);
    case 'f':
        return sizeof(float);
    case 'd':
        return sizeof(double);
    case 'c':
        return read_number(format, 1);
    case 'i':
    case 'I': {
        size_t size = read_number(format, INTEGER_SIZE);
        if (size > INTEGER_SIZE_MAX) {
            luaL_error(format->lua, "integral size %d is larger than limit of %d", (int)size,
                       INTEGER_SIZE_MAX);
        }
        return size;
    }
    default:
        return 0;
    }
}

/* Padding in front of something of that size. For sizes that are no power of two it is what the
 * library has always given. */
static size_t padding(const struct format *format, char option, size_t position, size_t size) {
    if (size == 0 || option == 'c') {
        return 0;
    }
    size_t unit = size < format->alignment ? size : format->alignment;
    return (unit - (position & (unit - 1))) & (unit - 1);
}

/* Options that say something of others; anything else is a mistake. */
static void control(struct format *format, char option) {
    switch (option) {
    case ' ':
        break;
    case '<':
        format->little = true;
        break;
    case '>':
        format->little = false;
        break;
    case '!': {
        size_t alignment = read_number(format, ALIGNMENT_NATIVE);
        if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
            luaL_error(format->lua, "alignment %d is not a power of 2", (int)alignment);
        }
        format->alignment = alignment;
        break;
    }
    default:
        luaL_argerror(format->lua, 1,
                      lua_pushfstring(format->lua, "invalid format option '%c'", option));
    }
}

/* ---- pack ---- */

/* A number without its fraction, in two's complement of 64 bits; defined also for numbers that do
 * not fit, in the way processors of the x86 family convert them. */
static uint64_t number_bits(double number) {
    if (number < 0) {
        return number < -LIB_INTEGER_END ? (uint64_t)1 << 63 : (uint64_t)(int64_t)number;
    }
    if (isnan(number)) {
        return (uint64_t)1 << 63;
    }
    return number >= 2 * LIB_INTEGER_END ? 0 : (uint64_t)number;
}

static void pack_integer(struct lib_buffer *buffer, bool little, size_t size, uint64_t bits) {
    unsigned char *to = (unsigned char *)lib_buffer_room(buffer, size);
    for (size_t i = 0; i < size; i++) {
        to[little ? i : size - 1 - i] = (unsigned char)bits;
        bits >>= 8;
    }
    lib_buffer_wrote(buffer, size);
}

static void pack_float(struct lib_buffer *buffer, bool little, size_t size, double number) {
    uint64_t bits = 0;
    if (size == sizeof(float)) {
        float single = (float)number;
        uint32_t half;
        memcpy(&half, &single, sizeof half);
        bits = half;
    } else {
        memcpy(&bits, &number, sizeof bits);
    }
    pack_integer(buffer, little, size, bits);
}

/* The string stands at `argument`. */
static void pack_string(lua_State *lua, struct lib_buffer *buffer, char option, size_t size,
                        int argument) {
    size_t length;
    const char *string = luaL_checklstring(lua, argument, &length);
    if (option == 's') {
        lib_buffer_add(buffer, string, length);
        lib_buffer_add_byte(buffer, 0);
        return;
    }
    size = size == 0 ? length : size;
    luaL_argcheck(lua, length >= size, argument + 1, "string too short");
    lib_buffer_add(buffer, string, size);
}

static int struct_pack(lua_State *lua) {
    struct format format;
    struct lib_buffer buffer;
    format_start(&format, lua);
    /* Stands for arguments that are missing, so that the buffer does not. */
    lua_pushnil(lua);
    lib_buffer_start(&buffer, lua);
    int argument = 2;
    while (*format.at != '\0') {
        char option = *format.at++;
        size_t size = read_size(&format, option);
        size_t pad = padding(&format, option, buffer.size, size);
        memset(lib_buffer_room(&buffer, pad), 0, pad);
        lib_buffer_wrote(&buffer, pad);
        switch (option) {
        case 'x':
            lib_buffer_add_byte(&buffer, 0);
            break;
        case 'b':
        case 'B':
        case 'h':
        case 'H':
        case 'l':
        case 'L':
        case 'T':
        case 'i':
        case 'I':
            pack_integer(&buffer, format.little, size,
                         number_bits(luaL_checknumber(lua, argument++)));
            break;
        case 'f':
        case 'd':
            pack_float(&buffer, format.little, size, luaL_checknumber(lua, argument++));
            break;
        case 'c':
        case 's':
            pack_string(lua, &buffer, option, size, argument++);
            break;
        default:
            control(&format, option);
        }
    }
    lib_buffer_push(&buffer);
    return 1;
}

/* ---- unpack ---- */

static uint64_t read_bits(const char *from, bool little, size_t size) {
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | (unsigned char)from[little ? size - 1 - i : i];
    }
    return bits;
}

/* Beyond 64 bits only the lower ones come through. Their sign is then taken from where the library
 * has always looked for it, which is the right place for 8, 16, 24 and 32 bytes. */
static lua_Number read_integer(const char *from, bool little, size_t size, bool is_signed) {
    uint64_t bits = read_bits(from, little, size);
    if (!is_signed) {
        return (lua_Number)bits;
    }
    uint64_t sign = UINT64_MAX << ((size * 8 - 1) & 63);
    return (lua_Number)(int64_t)(bits & sign ? bits | sign : bits);
}

static lua_Number read_float(const char *from, bool little, size_t size) {
    uint64_t bits = read_bits(from, little, size);
    if (size == sizeof(double)) {
        double number;
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    uint32_t half = (uint32_t)bits;
    float single;
    memcpy(&single, &half, sizeof single);
    return (lua_Number)single;
}

/* Where unpacking stands in the data. */
struct data {
    const char *at;
    size_t size;
    size_t position;
    int results;
};

static void need(lua_State *lua, const struct data *data, size_t size) {
    luaL_argcheck(lua, data->position <= data->size && size <= data->size - data->position, 2,
                  "data string too short");
}

/* The size of c0 is the result before it, which is no result then. */
static size_t take_size(lua_State *lua, struct data *data) {
    if (data->results == 0 || !lua_isnumber(lua, -1)) {
        luaL_error(lua, "format 'c0' needs a previous size");
    }
    uint64_t size = number_bits(lua_tonumber(lua, -1));
    lua_pop(lua, 1);
    data->results--;
    need(lua, data, size);
    return size;
}

static void unpack_string(lua_State *lua, struct data *data) {
    const char *from = data->at + data->position;
    const char *end = memchr(from, 0, data->size - data->position);
    if (end == NULL) {
        luaL_error(lua, "unfinished string in data");
        return;
    }
    lua_pushlstring(lua, from, (size_t)(end - from));
    data->position += (size_t)(end - from) + 1;
    data->results++;
}

/* One option; pushes what it gives. */
static void unpack_option(struct format *format, struct data *data, char option, size_t size) {
    lua_State *lua = format->lua;
    const char *from = data->at + data->position;
    switch (option) {
    case 'x':
        break;
    case 'b':
    case 'h':
    case 'l':
    case 'i':
        lua_pushnumber(lua, read_integer(from, format->little, size, true));
        data->results++;
        break;
    case 'B':
    case 'H':
    case 'L':
    case 'T':
    case 'I':
        lua_pushnumber(lua, read_integer(from, format->little, size, false));
        data->results++;
        break;
    case 'f':
    case 'd':
        lua_pushnumber(lua, read_float(from, format->little, size));
        data->results++;
        break;
    case 'c':
        size = size == 0 ? take_size(lua, data) : size;
        lua_pushlstring(lua, from, size);
        data->results++;
        break;
    case 's':
        unpack_string(lua, data);
        return;
    default:
        control(format, option);
        return;
    }
    data->position += size;
}

static int struct_unpack(lua_State *lua) {
    struct format format;
    struct data data = {.results = 0};
    format_start(&format, lua);
    data.at = luaL_checklstring(lua, 2, &data.size);
    lua_Integer first = luaL_optinteger(lua, 3, 1);
    luaL_argcheck(lua, first != 0, 3, "offset must be 1 or greater");
    data.position = (size_t)first - 1;
    lua_settop(lua, 2);
    while (*format.at != '\0') {
        char option = *format.at++;
        size_t size = read_size(&format, option);
        size_t pad = padding(&format, option, data.position, size);
        need(lua, &data, 0);
        data.position += pad;
        need(lua, &data, size);
        luaL_checkstack(lua, 2, "too many results");
        unpack_option(&format, &data, option, size);
    }
    lua_pushinteger(lua, (lua_Integer)(data.position + 1));
    return data.results + 1;
}

/* ---- size ---- */

static int struct_size(lua_State *lua) {
    struct format format;
    format_start(&format, lua);
    size_t position = 0;
    while (*format.at != '\0') {
        char option = *format.at++;
        size_t size = read_size(&format, option);
        if (option == 's') {
            luaL_argerror(lua, 1, "option 's' has no fixed size");
        } else if (option == 'c' && size == 0) {
            luaL_argerror(lua, 1, "option 'c0' has no fixed size");
        }
        position += padding(&format, option, position, size) + size;
        /* A letter or digit that is no option has no size, and has always passed. */
        if (!isalnum((unsigned char)option)) {
            control(&format, option);
        }
    }
    lua_pushinteger(lua, (lua_Integer)position);
    return 1;
}

static const luaL_Reg functions[] = {
    {"pack", struct_pack},
    {"size", struct_size},
    {"unpack", struct_unpack},
    {NULL, NULL},
};

void lib_struct_open(lua_State *lua) {
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    lua_setglobal(lua, "struct");
}
