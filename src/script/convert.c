/* convert: see the header. */
#include "script/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "base/mem.h"

/* Values that one level of a reply has on the stack, and some more for names. */
#define STACK_LEVEL 8

/* ---- from replies ---- */

struct reading {
    lua_State *lua;
    const struct engine *engine;
    const char *at;
    const char *end;
    int version;
};

static void push_next(struct reading *reading);

/* The rest of the line, which is passed. */
static struct bytes take_line(struct reading *reading) {
    const char *from = reading->at;
    const char *to = memchr(from, '\r', (size_t)(reading->end - from));
    check(to != NULL);
    reading->at = to + 2;
    return bytes_of(from, (size_t)(to - from));
}

static int64_t take_number(struct reading *reading) {
    const char *at = reading->at;
    bool negative = *at == '-';
    at += negative;
    uint64_t number = 0;
    while (*at != '\r') {
        number = number * 10 + (uint64_t)(*at++ - '0');
    }
    reading->at = at + 2;
    return (int64_t)(negative ? 0 - number : number);
}

static void push_text(struct reading *reading, struct bytes text) {
    lua_pushlstring(reading->lua, text.at, text.size);
}

/* A table with one field, which is on the top. */
static void wrap(struct reading *reading, enum engine_name name) {
    lua_State *lua = reading->lua;
    lua_createtable(lua, 0, 1);
    engine_push_name(lua, reading->engine, name);
    lua_pushvalue(lua, -3);
    lua_rawset(lua, -3);
    lua_replace(lua, -2);
}

static void push_bulk(struct reading *reading) {
    int64_t size = take_number(reading);
    if (size < 0) {
        lua_pushboolean(reading->lua, 0);
        return;
    }
    lua_pushlstring(reading->lua, reading->at, (size_t)size);
    reading->at += size + 2;
}

static void push_array(struct reading *reading) {
    int64_t count = take_number(reading);
    if (count < 0) {
        lua_pushboolean(reading->lua, 0);
        return;
    }
    /* In protocol 3 there may be holes, and then `#` depends on how the table has grown. */
    lua_createtable(reading->lua, reading->version == 2 ? (int)count : 0, 0);
    for (int i = 1; i <= count; i++) {
        push_next(reading);
        lua_rawseti(reading->lua, -2, i);
    }
}

/* What cannot be a key is left out. */
static void set_pair(lua_State *lua) {
    bool fits =
        !lua_isnil(lua, -2) && (lua_type(lua, -2) != LUA_TNUMBER || !isnan(lua_tonumber(lua, -2)));
    if (fits) {
        lua_rawset(lua, -3);
    } else {
        lua_pop(lua, 2);
    }
}

static void push_map(struct reading *reading) {
    int64_t pairs = take_number(reading);
    lua_createtable(reading->lua, 0, (int)pairs);
    for (int64_t i = 0; i < pairs; i++) {
        push_next(reading);
        push_next(reading);
        set_pair(reading->lua);
    }
    wrap(reading, NAME_MAP);
}

static void push_set(struct reading *reading) {
    int64_t count = take_number(reading);
    lua_createtable(reading->lua, 0, (int)count);
    for (int64_t i = 0; i < count; i++) {
        push_next(reading);
        lua_pushboolean(reading->lua, 1);
        set_pair(reading->lua);
    }
    wrap(reading, NAME_SET);
}

/* The error has been counted, by the command that replied it. */
static void push_error(struct reading *reading) {
    lua_State *lua = reading->lua;
    lua_createtable(lua, 0, 4);
    engine_push_name(lua, reading->engine, NAME_ERR);
    push_text(reading, take_line(reading));
    lua_rawset(lua, -3);
    engine_push_name(lua, reading->engine, NAME_IGNORE_STATS);
    lua_pushboolean(lua, 1);
    lua_rawset(lua, -3);
}

static void push_verbatim(struct reading *reading) {
    lua_State *lua = reading->lua;
    size_t size = (size_t)take_number(reading);
    lua_createtable(lua, 0, 2);
    engine_push_name(lua, reading->engine, NAME_FORMAT);
    lua_pushlstring(lua, reading->at, 3);
    lua_rawset(lua, -3);
    engine_push_name(lua, reading->engine, NAME_STRING);
    lua_pushlstring(lua, reading->at + 4, size - 4);
    lua_rawset(lua, -3);
    reading->at += size + 2;
    wrap(reading, NAME_VERBATIM_STRING);
}

static void push_new_kind(struct reading *reading, char kind) {
    switch (kind) {
    case '_':
        take_line(reading);
        lua_pushnil(reading->lua);
        break;
    case '#':
        lua_pushboolean(reading->lua, *take_line(reading).at == 't');
        break;
    case ',':
        lua_pushnumber(reading->lua, strtod(take_line(reading).at, NULL));
        wrap(reading, NAME_DOUBLE);
        break;
    case '(':
        push_text(reading, take_line(reading));
        wrap(reading, NAME_BIG_NUMBER);
        break;
    case '=':
        push_verbatim(reading);
        break;
    case '%':
        push_map(reading);
        break;
    case '~':
        push_set(reading);
        break;
    default: /* an attribute: dropped, the reply is behind it */
        check(kind == '|');
        push_map(reading);
        lua_pop(reading->lua, 1);
        push_next(reading);
    }
}

/* How deep this goes is decided by commands, whose replies nest some levels at most. */
static void push_next(struct reading *reading) {
    lua_State *lua = reading->lua;
    luaL_checkstack(lua, STACK_LEVEL, "a reply that nests too deeply");
    char kind = *reading->at++;
    switch (kind) {
    case '$':
        push_bulk(reading);
        break;
    case ':':
        lua_pushnumber(lua, (lua_Number)take_number(reading));
        break;
    case '*':
        push_array(reading);
        break;
    case '+':
        push_text(reading, take_line(reading));
        wrap(reading, NAME_OK);
        break;
    case '-':
        push_error(reading);
        break;
    default:
        push_new_kind(reading, kind);
    }
}

void convert_reply(lua_State *lua, const struct engine *engine, struct bytes reply, int version) {
    struct reading reading = {.lua = lua,
                              .engine = engine,
                              .at = reply.at,
                              .end = reply.at + reply.size,
                              .version = version};
    push_next(&reading);
}

/* ---- to replies ---- */

/* A field of the table on the top, if it is of that type; it stays on the stack then. */
static bool push_field(struct engine *engine, enum engine_name name, int type) {
    lua_State *lua = engine->lua;
    engine_push_name(lua, engine, name);
    lua_rawget(lua, -2);
    if (lua_type(lua, -1) == type) {
        return true;
    }
    lua_pop(lua, 1);
    return false;
}

static struct bytes text_at(lua_State *lua, int index) {
    size_t size;
    const char *at = lua_tolstring(lua, index, &size);
    return bytes_of(at, size);
}

/* One line: no line feeds, and nothing behind a NUL. */
static void reply_line(struct reply *reply, const char *text) {
    if (strpbrk(text, "\r\n") == NULL) {
        reply_status(reply, text);
        return;
    }
    size_t size = strlen(text);
    char *copy = mem_copy_text(MEM_SCRIPT, text, size);
    for (size_t i = 0; i < size; i++) {
        copy[i] = (char)(copy[i] == '\r' || copy[i] == '\n' ? ' ' : copy[i]);
    }
    reply_status(reply, copy);
    mem_free(MEM_SCRIPT, copy, size + 1);
}

static void reply_digits(struct reply *reply, struct bytes text) {
    char *copy = mem_copy_text(MEM_SCRIPT, text.at, text.size);
    for (size_t i = 0; i < text.size; i++) {
        copy[i] = (char)(copy[i] == '\r' || copy[i] == '\n' ? ' ' : copy[i]);
    }
    reply_big_number(reply, bytes_of(copy, text.size));
    mem_free(MEM_SCRIPT, copy, text.size + 1);
}

/* An error that came from a command has been counted there. */
static void reply_script_error(struct engine *engine, struct reply *reply, const char *text) {
    lua_State *lua = engine->lua;
    void (*on_error)(void *, struct bytes) = reply->on_error;
    if (push_field(engine, NAME_IGNORE_STATS, LUA_TBOOLEAN)) {
        reply->on_error = lua_toboolean(lua, -1) ? NULL : on_error;
        lua_pop(lua, 1);
    }
    reply_error(reply, text);
    reply->on_error = on_error;
}

/* The table under it on the stack has the two texts, and is taken off with it. */
static bool reply_verbatim_field(struct engine *engine, struct reply *reply) {
    lua_State *lua = engine->lua;
    if (!push_field(engine, NAME_FORMAT, LUA_TSTRING)) {
        return false;
    }
    char format[] = "   ";
    struct bytes given = text_at(lua, -1);
    memcpy(format, given.at, strnlen(given.at, 3));
    lua_pop(lua, 1);
    if (!push_field(engine, NAME_STRING, LUA_TSTRING)) {
        return false;
    }
    reply_verbatim(reply, format, text_at(lua, -1));
    lua_pop(lua, 1);
    return true;
}

static int64_t count_pairs(lua_State *lua) {
    int64_t count = 0;
    lua_pushnil(lua);
    while (lua_next(lua, -2)) {
        lua_pop(lua, 1);
        count++;
    }
    return count;
}

/* The table on the top, as a map or, of its keys, a set. */
static void reply_pairs(struct engine *engine, struct reply *reply, int version, bool is_map) {
    lua_State *lua = engine->lua;
    int64_t count = count_pairs(lua);
    if (is_map) {
        reply_map(reply, count);
    } else {
        reply_set(reply, count);
    }
    lua_pushnil(lua);
    while (lua_next(lua, -2) && !reply_is_discarded(reply)) {
        /* Conversion takes off what it replies, and the key is needed again. */
        lua_pushvalue(lua, -2);
        convert_value(engine, reply, version);
        if (is_map) {
            convert_value(engine, reply, version);
        } else {
            lua_pop(lua, 1);
        }
    }
}

static void reply_elements(struct engine *engine, struct reply *reply, int version) {
    lua_State *lua = engine->lua;
    struct reply_mark mark = reply_defer(reply);
    int64_t count = 0;
    while (!reply_is_discarded(reply)) {
        lua_rawgeti(lua, -1, (int)count + 1);
        if (lua_isnil(lua, -1)) {
            lua_pop(lua, 1);
            break;
        }
        convert_value(engine, reply, version);
        count++;
    }
    reply_defer_end(reply, mark, '*', count);
}

/* Whether the table on the top stands for something else than an array; then it has been
 * replied. */
static bool reply_special(struct engine *engine, struct reply *reply, int version) {
    lua_State *lua = engine->lua;
    int top = lua_gettop(lua);
    bool done = true;
    if (push_field(engine, NAME_ERR, LUA_TSTRING)) {
        const char *text = lua_tostring(lua, -1);
        lua_insert(lua, -2);
        reply_script_error(engine, reply, text);
        lua_insert(lua, -2);
    } else if (push_field(engine, NAME_OK, LUA_TSTRING)) {
        reply_line(reply, lua_tostring(lua, -1));
    } else if (push_field(engine, NAME_DOUBLE, LUA_TNUMBER)) {
        reply_double(reply, lua_tonumber(lua, -1));
    } else if (push_field(engine, NAME_BIG_NUMBER, LUA_TSTRING)) {
        reply_digits(reply, text_at(lua, -1));
    } else {
        done = false;
    }
    if (!done && push_field(engine, NAME_VERBATIM_STRING, LUA_TTABLE)) {
        done = reply_verbatim_field(engine, reply);
        lua_settop(lua, done ? top + 1 : top);
    }
    if (!done && push_field(engine, NAME_MAP, LUA_TTABLE)) {
        reply_pairs(engine, reply, version, true);
        done = true;
    }
    if (!done && push_field(engine, NAME_SET, LUA_TTABLE)) {
        reply_pairs(engine, reply, version, false);
        done = true;
    }
    lua_settop(lua, top);
    return done;
}

/* Toward zero; what no integer is, as the processor converts it: the least one. */
static int64_t integer_of(lua_Number number) {
    return engine_fits_integer(number) ? (int64_t)number : INT64_MIN;
}

static void reply_truth(struct reply *reply, bool value, int version) {
    if (version == 3) {
        reply_boolean(reply, value);
    } else if (value) {
        reply_integer(reply, 1);
    } else {
        reply_null(reply);
    }
}

/* Recurses by the depth of tables, which Lua's limit for its stack ends. */
void convert_value(struct engine *engine, struct reply *reply, int version) {
    lua_State *lua = engine->lua;
    if (UNLIKELY(!lua_checkstack(lua, STACK_LEVEL))) {
        reply_error(reply, "ERR reached lua stack limit");
        lua_pop(lua, 1);
        return;
    }
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        reply_bulk(reply, text_at(lua, -1));
        break;
    case LUA_TNUMBER:
        reply_integer(reply, integer_of(lua_tonumber(lua, -1)));
        break;
    case LUA_TBOOLEAN:
        reply_truth(reply, lua_toboolean(lua, -1), version);
        break;
    case LUA_TTABLE:
        if (!reply_special(engine, reply, version)) {
            reply_elements(engine, reply, version);
        }
        break;
    default:
        reply_null(reply);
    }
    lua_pop(lua, 1);
}
