/* Fuzzer of what the libraries of scripts read: packed values, structures, JSON, patterns. Nothing
 * may be read beyond the input, whatever it says of sizes, and errors may jump away at any place:
 * memory ends at a limit.
 *
 * The first byte of the input chooses the function, the second where the first argument ends and
 * the second begins. What cmsgpack and cjson have read is written and read once more. */
#include "script/lib.h"

#include <lauxlib.h>
#include <stdint.h>
#include <stdlib.h>

#define MEMORY_MAX ((size_t)16 * 1024 * 1024)
/* Calls of the hook until a script is ended: patterns may take for ever. */
#define HOOKS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const scripts[] = {
    "local v = cmsgpack.unpack(...) return cmsgpack.unpack(cmsgpack.pack(v))",
    "return cmsgpack.unpack_limit((...), 2, 1)",
    "return struct.unpack(...)",
    "local f = ... return struct.size(f), struct.pack(f, 1, 2, 'abc', 4, 'd', 6)",
    "local v = cjson.decode(...) return cjson.decode(cjson.encode(v))",
    "return string.find(...)",
    "return string.gsub(..., '%1')",
    "local n = 0 for a in string.gmatch(...) do n = n + 1 end return n",
};
#define SCRIPTS (sizeof scripts / sizeof *scripts)

static lua_State *lua;
static size_t used;
static unsigned hooks;

static void *allocate(void *context, void *at, size_t old_size, size_t size) {
    (void)context;
    if (size == 0) {
        used -= old_size;
        free(at);
        return NULL;
    }
    if (size > old_size && used + size - old_size > MEMORY_MAX) {
        return NULL;
    }
    void *moved = realloc(at, size);
    if (moved != NULL) {
        used += size - old_size;
    }
    return moved;
}

static void on_hook(lua_State *state, lua_Debug *place) {
    (void)place;
    if (++hooks > HOOKS_MAX) {
        luaL_error(state, "took too long");
    }
}

static int set_up(lua_State *state) {
    script_lib_open(state);
    lua_sethook(state, on_hook, LUA_MASKCOUNT, 10000);
    for (size_t i = 0; i < SCRIPTS; i++) {
        if (luaL_loadstring(state, scripts[i]) != 0) {
            abort();
        }
        lua_rawseti(state, LUA_REGISTRYINDEX, 1000 + (int)i);
    }
    return 0;
}

struct input {
    const char *data;
    size_t size;
};

static int run(lua_State *state) {
    const struct input *input = lua_touserdata(state, 1);
    const unsigned char *head = (const unsigned char *)input->data;
    size_t rest = input->size - 2;
    size_t first = head[1] < rest ? head[1] : rest;
    int script = head[0] % SCRIPTS;
    lua_rawgeti(state, LUA_REGISTRYINDEX, 1000 + script);
    if (script == 0 || script == 1 || script == 4) {
        first = rest;
    }
    lua_pushlstring(state, input->data + 2, first);
    lua_pushlstring(state, input->data + 2 + first, rest - first);
    lua_call(state, first == rest ? 1 : 2, 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) {
        return 0;
    }
    if (lua == NULL) {
        lua = lua_newstate(allocate, NULL);
        if (lua_cpcall(lua, set_up, NULL) != 0) {
            abort();
        }
    }
    hooks = 0;
    struct input input = {.data = (const char *)data, .size = size};
    (void)lua_cpcall(lua, run, &input);
    lua_settop(lua, 0);
    if (used > MEMORY_MAX / 2) {
        lua_gc(lua, LUA_GCCOLLECT, 0);
    }
    return 0;
}
