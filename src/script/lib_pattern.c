/* lib_pattern: the functions of `string` that take patterns (lib_match.h), and string.rep, whose
 * result is reckoned before it is made. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "script/lib.h"
#include "script/lib_buffer.h"
#include "script/lib_int.h"
#include "script/lib_match.h"

/* Characters that make a text a pattern. */
#define SPECIALS "^$*+?.([%-"

/* Where the optional argument says that searching begins, from 0; within the subject. */
static size_t first_place(lua_State *lua, int argument, size_t size) {
    lua_Integer place = luaL_optinteger(lua, argument, 1);
    if (place < 0) {
        place += (lua_Integer)size + 1;
    }
    if (place < 1) {
        return 0;
    }
    return (size_t)place - 1 < size ? (size_t)place - 1 : size;
}

static int push_plain(lua_State *lua, const char *subject, size_t size, size_t first,
                      const char *text, size_t text_size) {
    const char *found = memmem(subject + first, size - first, text, text_size);
    if (found == NULL) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, found - subject + 1);
    lua_pushinteger(lua, found - subject + (lua_Integer)text_size);
    return 2;
}

static int find_or_match(lua_State *lua, bool is_find) {
    size_t size, pattern_size;
    const char *subject = luaL_checklstring(lua, 1, &size);
    const char *pattern = luaL_checklstring(lua, 2, &pattern_size);
    size_t first = first_place(lua, 3, size);
    if (is_find && (lua_toboolean(lua, 4) || strpbrk(pattern, SPECIALS) == NULL)) {
        return push_plain(lua, subject, size, first, pattern, pattern_size);
    }
    bool is_anchored = *pattern == '^';
    struct match match;
    match_start(&match, lua, subject, size, pattern);
    pattern += is_anchored;
    for (const char *at = subject + first; at <= match.subject_end; at++) {
        match.captures = 0;
        const char *end = match_at(&match, at, pattern);
        if (end != NULL && is_find) {
            lua_pushinteger(lua, at - subject + 1);
            lua_pushinteger(lua, end - subject);
            return match_push_captures(&match, NULL, NULL) + 2;
        }
        if (end != NULL) {
            return match_push_captures(&match, at, end);
        }
        if (is_anchored) {
            break;
        }
    }
    lua_pushnil(lua);
    return 1;
}

static int string_find(lua_State *lua) {
    return find_or_match(lua, true);
}

static int string_match(lua_State *lua) {
    return find_or_match(lua, false);
}

/* The next match; upvalues are the subject, the pattern and where to go on. */
static int next_match(lua_State *lua) {
    size_t size;
    const char *subject = lua_tolstring(lua, lua_upvalueindex(1), &size);
    const char *pattern = lua_tostring(lua, lua_upvalueindex(2));
    struct match match;
    match_start(&match, lua, subject, size, pattern);
    const char *at = subject + (size_t)lua_tointeger(lua, lua_upvalueindex(3));
    for (; at <= match.subject_end; at++) {
        match.captures = 0;
        const char *end = match_at(&match, at, pattern);
        if (end != NULL) {
            lua_pushinteger(lua, end - subject + (end == at ? 1 : 0));
            lua_replace(lua, lua_upvalueindex(3));
            return match_push_captures(&match, at, end);
        }
    }
    return 0;
}

static int string_gmatch(lua_State *lua) {
    luaL_checkstring(lua, 1);
    luaL_checkstring(lua, 2);
    lua_settop(lua, 2);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, next_match, 3);
    return 1;
}

/* ---- gsub ---- */

struct substitution {
    struct match match;
    struct lib_buffer buffer;
    int replacement; /* type of the third argument */
};

static void add_top(struct substitution *this) {
    size_t size;
    const char *text = lua_tolstring(this->match.lua, -1, &size);
    lib_buffer_add(&this->buffer, text, size);
    lua_pop(this->match.lua, 1);
}

/* A text, in which %0 is the match and %1 a capture; % before anything else gives that. */
static void add_template(struct substitution *this, const char *start, const char *end) {
    size_t size;
    const char *text = lua_tolstring(this->match.lua, 3, &size);
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '%') {
            lib_buffer_add_byte(&this->buffer, text[i]);
            continue;
        }
        i++; /* behind the last one stands a zero byte */
        if (!isdigit((unsigned char)text[i])) {
            lib_buffer_add_byte(&this->buffer, text[i]);
        } else if (text[i] == '0') {
            lib_buffer_add(&this->buffer, start, (size_t)(end - start));
        } else {
            match_push_capture(&this->match, text[i] - '1', start, end);
            add_top(this);
        }
    }
}

/* What takes the place of a match. */
static void add_replacement(struct substitution *this, const char *start, const char *end) {
    lua_State *lua = this->match.lua;
    if (this->replacement == LUA_TSTRING || this->replacement == LUA_TNUMBER) {
        add_template(this, start, end);
        return;
    }
    if (this->replacement == LUA_TTABLE) {
        match_push_capture(&this->match, 0, start, end);
        lua_gettable(lua, 3);
    } else {
        lua_pushvalue(lua, 3);
        lua_call(lua, match_push_captures(&this->match, start, end), 1);
    }
    if (!lua_toboolean(lua, -1)) {
        lua_pop(lua, 1);
        lib_buffer_add(&this->buffer, start, (size_t)(end - start));
    } else if (!lua_isstring(lua, -1)) {
        luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
    } else {
        add_top(this);
    }
}

static int string_gsub(lua_State *lua) {
    size_t size;
    const char *at = luaL_checklstring(lua, 1, &size);
    const char *pattern = luaL_checkstring(lua, 2);
    struct substitution this = {.replacement = lua_type(lua, 3)};
    luaL_argcheck(lua,
                  this.replacement == LUA_TNUMBER || this.replacement == LUA_TSTRING ||
                      this.replacement == LUA_TFUNCTION || this.replacement == LUA_TTABLE,
                  3, "string/function/table expected");
    int most = luaL_optint(lua, 4, (int)size + 1);
    bool is_anchored = *pattern == '^';
    match_start(&this.match, lua, at, size, pattern);
    pattern += is_anchored;
    lib_buffer_start(&this.buffer, lua);
    const char *subject_end = this.match.subject_end;
    int count = 0;
    while (count < most) {
        this.match.captures = 0;
        const char *end = match_at(&this.match, at, pattern);
        if (end != NULL) {
            count++;
            add_replacement(&this, at, end);
        }
        if (end != NULL && end > at) {
            at = end;
        } else if (at < subject_end) {
            lib_buffer_add_byte(&this.buffer, *at++);
        } else {
            break;
        }
        if (is_anchored) {
            break;
        }
    }
    lib_buffer_add(&this.buffer, at, (size_t)(subject_end - at));
    lib_buffer_push(&this.buffer);
    lua_pushinteger(lua, count);
    return 2;
}

/* ---- rep ---- */

static int string_rep(lua_State *lua) {
    size_t size;
    const char *text = luaL_checklstring(lua, 1, &size);
    lua_Integer count = luaL_checkinteger(lua, 2);
    if (count <= 0 || size == 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    if ((uint64_t)count > LIB_RESULT_MAX / size) {
        return luaL_error(lua, "resulting string too large");
    }
    size_t total = size * (size_t)count;
    struct lib_buffer buffer;
    lib_buffer_start(&buffer, lua);
    char *to = lib_buffer_room(&buffer, total);
    memcpy(to, text, size);
    /* What is there doubles until it is all. */
    for (size_t done = size; done < total;) {
        size_t more = done < total - done ? done : total - done;
        memcpy(to + done, to, more);
        done += more;
    }
    lib_buffer_wrote(&buffer, total);
    lib_buffer_push(&buffer);
    return 1;
}

void lib_pattern_open(lua_State *lua) {
    lua_getglobal(lua, "string");
    lib_set_function(lua, "find", string_find);
    lib_set_function(lua, "match", string_match);
    lib_set_function(lua, "gmatch", string_gmatch);
    lib_set_function(lua, "gfind", string_gmatch);
    lib_set_function(lua, "gsub", string_gsub);
    lib_set_function(lua, "rep", string_rep);
    lua_pop(lua, 1);
}
