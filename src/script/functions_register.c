/* functions_register: what a library does while it is loaded: redis.register_function.
 *
 * Only then is that function there, and nothing but it and what logs: the front of the globals
 * reads from another back meanwhile (script/sandbox.h). */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "script/api.h"
#include "script/functions_int.h"
#include "script/scripts_int.h"

/* What Redis gives a library. */
#define LOADING_US 500000

/* What was given for one function. */
struct given {
    struct bytes name;
    const char *description; /* NULL: none */
    unsigned flags;
    int callback; /* index on the stack; 0: none */
};

static bool equals_folded(lua_State *lua, int index, const char *text) {
    size_t size;
    const char *at = lua_tolstring(lua, index, &size);
    return bytes_is(bytes_of(at, size), text);
}

static struct bytes text_at(lua_State *lua, int index) {
    size_t size;
    const char *at = lua_tolstring(lua, index, &size);
    return bytes_of(at, size);
}

/* Strings and numbers pass for names. */
static bool take_name(lua_State *lua, int index, struct given *given) {
    if (!lua_isstring(lua, index)) {
        return false;
    }
    given->name = text_at(lua, index);
    return true;
}

/* NULL, or what is wrong. */
static const char *take_flags(lua_State *lua, int table, unsigned *flags) {
    if (!lua_istable(lua, table)) {
        return "flags argument to redis.register_function must be a table representing function "
               "flags";
    }
    for (int i = 1;; i++) {
        lua_rawgeti(lua, table, i);
        if (lua_isnil(lua, -1)) {
            lua_pop(lua, 1);
            return NULL;
        }
        if (lua_type(lua, -1) != LUA_TSTRING) {
            return "unknown flag given";
        }
        char small[32];
        struct bytes text = text_at(lua, -1);
        size_t size = text.size < sizeof small ? text.size : 0;
        for (size_t k = 0; k < size; k++) {
            char c = text.at[k];
            small[k] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
        unsigned flag = shebang_flag(bytes_of(small, size));
        if (flag == 0) {
            return "unknown flag given";
        }
        *flags |= flag;
        lua_pop(lua, 1);
    }
}

/* Where on the stack what a table of arguments gives is kept. */
enum { SLOT_CALLBACK = 2, SLOT_NAME, SLOT_DESCRIPTION, SLOT_LAST = SLOT_DESCRIPTION };

/* Numbers become texts, and so are not the table's any more. */
static struct bytes keep_text(lua_State *lua, int index, int slot) {
    lua_pushvalue(lua, index);
    lua_replace(lua, slot);
    return text_at(lua, slot);
}

/* One pair of the table, at the top of the stack. NULL, or what is wrong. */
static const char *take_named(lua_State *lua, struct given *given) {
    int value = lua_gettop(lua);
    int key = value - 1;
    if (lua_type(lua, key) == LUA_TNUMBER) {
        return "unknown argument given to redis.register_function";
    }
    if (lua_type(lua, key) != LUA_TSTRING) {
        return "named argument key given to redis.register_function is not a string";
    }
    if (equals_folded(lua, key, "function_name")) {
        if (!lua_isstring(lua, value)) {
            return "function_name argument given to redis.register_function must be a string";
        }
        given->name = keep_text(lua, value, SLOT_NAME);
    } else if (equals_folded(lua, key, "description")) {
        if (!lua_isstring(lua, value)) {
            return "description argument given to redis.register_function must be a string";
        }
        given->description = keep_text(lua, value, SLOT_DESCRIPTION).at;
    } else if (equals_folded(lua, key, "callback")) {
        if (!lua_isfunction(lua, value)) {
            return "callback argument given to redis.register_function must be a function";
        }
        lua_pushvalue(lua, value);
        lua_replace(lua, SLOT_CALLBACK);
        given->callback = SLOT_CALLBACK;
    } else if (equals_folded(lua, key, "flags")) {
        return take_flags(lua, value, &given->flags);
    } else {
        return "unknown argument given to redis.register_function";
    }
    return NULL;
}

static const char *take_table(lua_State *lua, struct given *given) {
    if (!lua_istable(lua, 1)) {
        return "calling redis.register_function with a single argument is only applicable to Lua "
               "table (representing named arguments).";
    }
    lua_settop(lua, 1);
    lua_settop(lua, SLOT_LAST + 1); /* the first key of all, nil, too */
    while (lua_next(lua, 1)) {
        const char *wrong = take_named(lua, given);
        if (wrong != NULL) {
            return wrong;
        }
        lua_settop(lua, SLOT_LAST + 1);
    }
    if (given->name.at == NULL) {
        return "redis.register_function must get a function name argument";
    }
    if (given->callback == 0) {
        return "redis.register_function must get a callback argument";
    }
    return NULL;
}

static const char *take_two(lua_State *lua, struct given *given) {
    if (!take_name(lua, 1, given)) {
        return "first argument to redis.register_function must be a string";
    }
    if (!lua_isfunction(lua, 2)) {
        return "second argument to redis.register_function must be a function";
    }
    given->callback = 2;
    return NULL;
}

static const char *add(lua_State *lua, struct library *library, const struct given *given) {
    if (!functions_name_is_sound(given->name)) {
        return "Library names can only contain letters, numbers, or underscores(_) and must be at "
               "least one character long";
    }
    struct function **end = &library->functions;
    for (; *end != NULL; end = &(*end)->next) {
        if (functions_same_name(function_name(*end), given->name)) {
            return "Function already exists in the library";
        }
    }
    size_t about = given->description == NULL ? 0 : strlen(given->description) + 1;
    size_t size = given->name.size + 1 + about;
    lua_pushvalue(lua, given->callback);
    int reference = luaL_ref(lua, LUA_REGISTRYINDEX);
    struct function *function = mem_try_alloc(MEM_SCRIPT, sizeof *function + size);
    if (function == NULL) {
        luaL_unref(lua, LUA_REGISTRYINDEX, reference);
        return "no memory for the function";
    }
    *function = (struct function){.library = library,
                                  .reference = reference,
                                  .flags = given->flags,
                                  .has_description = given->description != NULL,
                                  .name_size = given->name.size,
                                  .size = size};
    memcpy(function->text, given->name.at, given->name.size);
    function->text[given->name.size] = '\0';
    if (about > 0) {
        memcpy(function->text + given->name.size + 1, given->description, about);
    }
    *end = function;
    return NULL;
}

static int register_function(lua_State *lua) {
    struct loading *loading = engine_of(lua)->loading;
    if (loading == NULL) {
        return api_raise(lua, "redis.register_function can only be called on FUNCTION LOAD "
                              "command");
    }
    struct given given = {.name = {.at = NULL}};
    int count = lua_gettop(lua);
    const char *wrong = "wrong number of arguments to redis.register_function";
    if (count == 1) {
        wrong = take_table(lua, &given);
    } else if (count == 2) {
        wrong = take_two(lua, &given);
    }
    if (wrong == NULL) {
        wrong = add(lua, loading->library, &given);
    }
    return wrong == NULL ? 0 : api_raise(lua, wrong);
}

void functions_push_api(lua_State *lua) {
    lua_newtable(lua);
    lua_pushcfunction(lua, register_function);
    lua_setfield(lua, -2, "register_function");
    api_set_basics(lua);
}

static int run_chunk(lua_State *lua) {
    const struct loading *loading = lua_touserdata(lua, 1);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, loading->chunk);
    lua_call(lua, 0, 0);
    lua_pushnil(lua);
    return 1;
}

/* Allocates nothing: the key is there already. */
static void set_back(struct engine *engine, int back) {
    lua_State *lua = engine->lua;
    engine_open(engine, true);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->front_meta);
    lua_pushliteral(lua, "__index");
    lua_rawgeti(lua, LUA_REGISTRYINDEX, back);
    lua_rawset(lua, -3);
    lua_pop(lua, 1);
    engine_open(engine, false);
}

bool functions_run_library(struct engine *engine, struct loading *loading) {
    engine->loading = loading;
    set_back(engine, engine->loading_globals);
    bool done = engine_protect(engine, run_chunk, loading);
    engine->loading = NULL;
    set_back(engine, engine->globals);
    return done;
}

void functions_on_hook(lua_State *lua, struct loading *loading) {
    int64_t now_us = clock_mono_us();
    if (loading->began_us == 0) {
        loading->began_us = now_us;
    } else if (now_us - loading->began_us > LOADING_US) {
        api_raise(lua, "FUNCTION LOAD timeout");
    }
}
