/* What Lua's own library does to a process that runs strangers' scripts, and what it does here:
 * each of these has crashed an interpreter, got something out of it, or held it up for hours. And
 * memory that ends at any allocation. */
#include "script/lib.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>

/* So many instructions, or steps of libraries, are all the time that a script has. */
#define HOOKS_MAX 50

struct world {
    lua_State *lua;
    size_t used;
    size_t limit;
    unsigned hooks;
};

static void *allocate(void *context, void *at, size_t old_size, size_t size) {
    struct world *world = context;
    if (size == 0) {
        world->used -= old_size;
        free(at);
        return NULL;
    }
    if (size > old_size && world->used + size - old_size > world->limit) {
        return NULL;
    }
    void *moved = realloc(at, size);
    world->used += moved == NULL ? 0 : size - old_size;
    return moved;
}

static void on_hook(lua_State *lua, lua_Debug *place) {
    (void)place;
    void *context;
    (void)lua_getallocf(lua, &context);
    struct world *world = context;
    if (++world->hooks > HOOKS_MAX) {
        luaL_error(lua, "took too long");
    }
}

static int set_up(lua_State *lua) {
    script_lib_open(lua);
    lua_sethook(lua, on_hook, LUA_MASKCOUNT, 10000);
    return 0;
}

/* Whether there was memory enough. */
static bool open_world(struct world *world, size_t limit) {
    *world = (struct world){.limit = limit};
    world->lua = lua_newstate(allocate, world);
    return world->lua != NULL && lua_cpcall(world->lua, set_up, NULL) == 0;
}

static void close_world(struct world *world) {
    if (world->lua != NULL) {
        lua_close(world->lua);
    }
    assert_int_equal(world->used, 0);
}

/* Runs a script; a text with its result or its error, which lives as long as the world. */
static const char *run(struct world *world, const char *script) {
    world->hooks = 0;
    lua_settop(world->lua, 0);
    if (luaL_loadbuffer(world->lua, script, strlen(script), "=s") == 0) {
        lua_pcall(world->lua, 0, 1, 0);
    }
    const char *text = lua_tostring(world->lua, -1);
    return text == NULL ? luaL_typename(world->lua, -1) : text;
}

struct danger {
    const char *script;
    const char *expected; /* a part of what comes of it */
};

static const struct danger dangers[] = {
    {"return unpack({1}, -1, 2147483647)", "too many results to unpack"},
    {"return unpack({1}, -2147483648, 2147483647)", "too many results to unpack"},
    {"return unpack({}, -2^62, 2^62)", "too many results to unpack"},
    {"return select(2, loadstring(string.dump(function() end)))", "unexpected symbol"},
    {"local n = 0 return select(2, load(function() n = n + 1 return n == 1 and '\\27Lua' or nil "
     "end))",
     "unexpected symbol"},
    {"local n = 0 return select(2, load(function() n = n + 1 collectgarbage()"
     " return n == 2 and 'x x' or n < 2 and ' ' or nil end))",
     "expected near"},
    {"return select(2, load(function() return ('x'):rep(1e6) end))", "too long"},
    {"return type(newproxy) .. type(getfenv) .. type(setfenv) .. type(print) .. type(require)"
     " .. type(package) .. type(dofile) .. type(loadfile) .. type(io) .. type(debug)"
     " .. type(os.execute)",
     "nilnilnilnilnilnilnilnilnilnilnil"},
    {"return string.find(string.rep('a', 220000), string.rep('a?', 220000))", "too complex"},
    {"return string.match(string.rep('(', 9), string.rep('(', 40))", "too many captures"},
    {"return string.find(string.rep('a', 3000), '.-.-.-b')", "took too long"},
    {"return string.gsub(string.rep('a', 40), string.rep('a*', 30) .. 'b', '')", "took too long"},
    {"return string.rep('', 1e15)", ""},
    {"return string.rep('x', 2^40)", "too large"},
    {"return string.rep('abc', 1e15)", "too large"},
    {"return table.insert({}, -2147483648, 1)", "took too long"},
    {"local function f() return coroutine.wrap(f)() end return f()", "C stack overflow"},
    {"local function f() return pcall(f) end return tostring(f())", "true"},
    {"local function f(s) return (s:gsub('.', f)) end return f('a')", "C stack overflow"},
    {"return cmsgpack.unpack(string.rep('\\145', 200000))", "stack overflow"},
    {"return cmsgpack.unpack(string.rep('\\129\\1', 200000))", "stack overflow"},
    {"return cmsgpack.unpack('\\221\\255\\255\\255\\255')", "Missing bytes"},
    {"return cmsgpack.pack(unpack({}, 1, 7000))", "Too many arguments"},
    {"local t = {} for i = 1, 20 do t[i] = t end return cmsgpack.pack(t)", "took too long"},
    {"local t = {} for i = 1, 30 do t = {t, t} end return cjson.encode(t)", "took too long"},
    {"cjson.encode_max_depth(2^31 - 1) local t = {} t[1] = t return cjson.encode(t)",
     "excessive nesting"},
    {"cjson.decode_max_depth(2^31 - 1) return cjson.decode(('['):rep(100000))", "too many nested"},
    {"cjson.encode_sparse_array(false, 0) return cjson.encode({[2^31 - 1] = 1})", "took too long"},
    {"return struct.pack('i2147483648', 1)", "overflow"},
    {"return struct.pack('>I99999999999', 1)", "overflow"},
    {"return struct.size('!2147483648d')", "overflow"},
    {"return struct.unpack('c0', 'abc')", "needs a previous size"},
    {"return struct.unpack('lc0', ('\\255'):rep(8) .. 'abc')", "too short"},
    {"return struct.unpack('i', 'abcdef', -2^62)", "too short"},
    {"return struct.unpack(('b'):rep(9000), ('x'):rep(9000))", "too many results"},
    {"return bit.tohex(1, -2147483648)", "00000001"},
    {"collectgarbage('stop') for i = 1, 300 do local s = ('x'):rep(1e5) .. i end return 'fine'",
     "fine"},
};

static void dangers_pass(void **state) {
    (void)state;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof dangers / sizeof *dangers; i++) {
        struct world world;
        assert_true(open_world(&world, (size_t)256 * 1024 * 1024));
        const char *text = run(&world, dangers[i].script);
        if (strstr(text, dangers[i].expected) == NULL) {
            print_error("%s\ngave: %.200s\n", dangers[i].script, text);
            failed++;
        }
        assert_string_equal(run(&world, "return 'alive'"), "alive");
        close_world(&world);
    }
    assert_int_equal(failed, 0);
}

/* With every limit from too little for the libraries to enough for all: an error, nothing lost. */
static void memory_ends(void **state) {
    (void)state;
    static const char script[] =
        "local t = {} for i = 1, 40 do t[i] = {i, 'abc' .. i, {k = ('x'):rep(i)}} end"
        " local j, m = cjson.encode(t), cmsgpack.pack(t)"
        " local s = struct.pack('sLc0', j, #m, m)"
        " return #cjson.decode(j) + #cmsgpack.unpack(m) + #select(1, struct.unpack('s', s))"
        "     + #s:gsub('x', 'yy') + #load(function() return nil end and '' or '')";
    unsigned opened = 0;
    for (size_t limit = 1000; limit < 200000; limit += 997) {
        struct world world;
        if (open_world(&world, limit)) {
            opened++;
            (void)run(&world, script);
        }
        close_world(&world);
    }
    assert_true(opened > 50);
}

/* Of what a script has built nothing stays. */
static void errors_leave_nothing(void **state) {
    (void)state;
    struct world world;
    assert_true(open_world(&world, (size_t)256 * 1024 * 1024));
    lua_gc(world.lua, LUA_GCCOLLECT, 0);
    size_t before = world.used;
    for (unsigned i = 0; i < 50; i++) {
        (void)run(&world, "return cjson.encode({('x'):rep(1e5), function() end})");
        (void)run(&world, "return cjson.decode('[\"' .. ('x'):rep(1e5) .. '\\\\n\", x')");
        (void)run(&world, "return cmsgpack.unpack('\\146\\219\\0\\1\\0\\0' .. ('x'):rep(65536))");
    }
    lua_settop(world.lua, 0);
    lua_gc(world.lua, LUA_GCCOLLECT, 0);
    lua_gc(world.lua, LUA_GCCOLLECT, 0);
    assert_in_range(world.used, 1, before + 20000);
    close_world(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dangers_pass),
        cmocka_unit_test(memory_ends),
        cmocka_unit_test(errors_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
