/* engine: see the header.
 *
 * Memory. Lua asks the allocator below for every block and tells old sizes, so counting is an
 * addition. A script takes and frees many small blocks, so some are kept at hand. It never collects
 * because an allocation has failed; so garbage is collected when much is used (engine_rest, and the
 * hook of long scripts) and what fails then fails for good, as an error of the script. */
#include "script/engine.h"

#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "script/chunk.h"
#include "script/sandbox.h"

/* VM instructions between two calls of the hook: some 50 to 100 microseconds. */
#define HOOK_INSTRUCTIONS 10000
/* Sources beyond it are refused: no counter of the lexer comes near its limit. */
#define SOURCE_SIZE_MAX (16 * 1024 * 1024)
/* Garbage is collected when so much is used, of 8 parts of the limit, or when it has doubled. */
#define COLLECT_EIGHTHS 6
#define COLLECT_MIN     (8 * 1024 * 1024)

enum { STACK_HANDLER = 1, STACK_BODY, STACK_REST };
#define AT_REST (STACK_REST - 1)

static const char *const name_texts[NAME_COUNT] = {
    [NAME_ERR] = "err",
    [NAME_OK] = "ok",
    [NAME_DOUBLE] = "double",
    [NAME_BIG_NUMBER] = "big_number",
    [NAME_VERBATIM_STRING] = "verbatim_string",
    [NAME_FORMAT] = "format",
    [NAME_STRING] = "string",
    [NAME_MAP] = "map",
    [NAME_SET] = "set",
    [NAME_SOURCE] = "source",
    [NAME_LINE] = "line",
    [NAME_IGNORE_STATS] = "ignore_error_stats_update",
};

/* Bytes of small blocks that are kept. With a sanitizer none, so that it sees what is used after it
 * has been freed. */
#ifdef MEM_LIBC
#define SPARE_MAX 0
#else
#define SPARE_MAX ((size_t)1024 * 1024)
#endif

/* ---- memory ---- */

static inline bool keep_spare(struct engine *engine, void *at, size_t class) {
    if (class > ENGINE_SPARE_SIZE || engine->spare_bytes + class > SPARE_MAX) {
        return false;
    }
    void **list = &engine->spare[class / ENGINE_SPARE_STEP];
    memcpy(at, list, sizeof *list);
    *list = at;
    engine->spare_bytes += class;
    return true;
}

/* NULL when there is none of that class. */
static inline void *take_spare(struct engine *engine, size_t class) {
    if (class > ENGINE_SPARE_SIZE) {
        return NULL;
    }
    void **list = &engine->spare[class / ENGINE_SPARE_STEP];
    void *at = *list;
    if (at != NULL) {
        memcpy(list, at, sizeof *list);
        engine->spare_bytes -= class;
    }
    return at;
}

static void free_spare(struct engine *engine) {
    for (size_t i = 0; i <= ENGINE_SPARE_SIZE / ENGINE_SPARE_STEP; i++) {
        size_t class = i == 0 ? mem_class(1) : i * ENGINE_SPARE_STEP;
        void *at;
        while ((at = take_spare(engine, class)) != NULL) {
            mem_free(MEM_SCRIPT, at, class);
        }
    }
}

static void *allocate(void *context, void *at, size_t old_size, size_t size) {
    struct engine *engine = context;
    const size_t before = at == NULL ? 0 : mem_class(old_size);
    if (size == 0) {
        if (at != NULL && !keep_spare(engine, at, before)) {
            mem_free(MEM_SCRIPT, at, old_size);
        }
        engine->used -= before;
        return NULL;
    }
    const size_t after = mem_class(size);
    if (after > before && UNLIKELY(engine->used - before + after > engine->limit) &&
        !engine->open) {
        return NULL;
    }
    void *moved;
    if (at == NULL) {
        moved = take_spare(engine, after);
        if (UNLIKELY(moved == NULL)) {
            moved = LIKELY(!engine->open) ? mem_try_alloc(MEM_SCRIPT, size)
                                          : mem_alloc(MEM_SCRIPT, size);
        }
    } else if (size <= old_size || engine->open) {
        moved = mem_realloc(MEM_SCRIPT, at, old_size, size); /* Lua relies on shrinking */
    } else {
        moved = mem_try_realloc(MEM_SCRIPT, at, old_size, size);
    }
    if (LIKELY(moved != NULL)) {
        engine->used += after - before;
    }
    return moved;
}

static void collect(struct engine *engine, lua_State *lua) {
    engine_open(engine, true);
    lua_gc(lua, LUA_GCCOLLECT, 0);
    engine_open(engine, false);
    size_t most = engine->limit / 8 * COLLECT_EIGHTHS;
    size_t twice = engine->used * 2 > COLLECT_MIN ? engine->used * 2 : COLLECT_MIN;
    engine->collect_at = twice < most ? twice : most;
    if (engine->collect_at < engine->used + engine->limit / 16) {
        engine->collect_at = engine->used + engine->limit / 16;
    }
}

void engine_relieve(lua_State *lua) {
    struct engine *engine = engine_of(lua);
    if (engine->used > engine->collect_at) {
        collect(engine, lua);
    }
}

/* ---- errors ---- */

static void push_text_of(lua_State *lua, int index) {
    if (luaL_callmeta(lua, index, "__tostring")) {
        return;
    }
    switch (lua_type(lua, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
        lua_pushvalue(lua, index);
        lua_tostring(lua, -1);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(lua, lua_toboolean(lua, index) ? "true" : "false");
        break;
    case LUA_TNIL:
        lua_pushliteral(lua, "nil");
        break;
    default:
        lua_pushfstring(lua, "%s: %p", luaL_typename(lua, index), lua_topointer(lua, index));
    }
}

/* The handler of errors, called where the error was raised: makes a table of what is not one, and
 * notes the place. A function in C has none, so there it is that of its caller. */
static int on_error(lua_State *lua) {
    const struct engine *engine = engine_of(lua);
    lua_Debug place;
    bool known = lua_getstack(lua, 1, &place);
    if (known) {
        lua_getinfo(lua, "S", &place);
        if (place.what[0] == 'C') {
            known = lua_getstack(lua, 2, &place);
        }
    }
    if (!lua_istable(lua, 1)) {
        lua_createtable(lua, 0, 3);
        engine_push_name(lua, engine, NAME_ERR);
        lua_pushliteral(lua, "ERR ");
        push_text_of(lua, 1);
        lua_concat(lua, 2);
        lua_rawset(lua, -3);
        lua_replace(lua, 1);
    }
    if (known) {
        lua_getinfo(lua, "Sl", &place);
        engine_push_name(lua, engine, NAME_SOURCE);
        lua_pushstring(lua, place.source);
        lua_rawset(lua, 1);
        engine_push_name(lua, engine, NAME_LINE);
        lua_pushinteger(lua, place.currentline);
        lua_rawset(lua, 1);
    }
    lua_settop(lua, 1);
    return 1;
}

/* The text stays in the table, or on the stack. */
static const char *text_field(struct engine *engine, int table, enum engine_name name) {
    engine_raw_field(engine->lua, engine, table, name);
    int type = lua_type(engine->lua, -1);
    const char *text =
        type == LUA_TSTRING || type == LUA_TNUMBER ? lua_tostring(engine->lua, -1) : NULL;
    return text;
}

void engine_read_error(struct engine *engine, struct engine_error *error) {
    lua_State *lua = engine->lua;
    *error = (struct engine_error){.text = "ERR unknown error"};
    engine_open(engine, true);
    int table = lua_gettop(lua);
    if (!lua_istable(lua, table)) {
        const char *text = lua_tostring(lua, table);
        if (text != NULL) {
            error->text = lua_pushfstring(lua, "ERR %s", text);
        }
    } else {
        const char *text = text_field(engine, table, NAME_ERR);
        error->text = text == NULL ? error->text : text;
        error->source = text_field(engine, table, NAME_SOURCE);
        engine_raw_field(lua, engine, table, NAME_LINE);
        error->line = (int)lua_tointeger(lua, -1);
        engine_raw_field(lua, engine, table, NAME_IGNORE_STATS);
        error->counted = lua_toboolean(lua, -1);
    }
    engine_open(engine, false);
}

/* ---- protection ---- */

/* Runs the function given behind its argument; on the stack since the beginning, because pushing
 * a function may fail. */
static int body(lua_State *lua) {
    lua_CFunction work;
    memcpy(&work, lua_touserdata(lua, 1), sizeof work);
    lua_remove(lua, 1);
    return work(lua);
}

bool engine_protect(struct engine *engine, lua_CFunction work, void *argument) {
    lua_State *lua = engine->lua;
    debug_check(lua_gettop(lua) == AT_REST);
    lua_pushvalue(lua, STACK_BODY);
    lua_pushlightuserdata(lua, &work);
    lua_pushlightuserdata(lua, argument);
    int status = lua_pcall(lua, 2, 1, STACK_HANDLER);
    if (UNLIKELY(status == LUA_ERRMEM)) {
        engine->collect_at = 0; /* what it leaves is to go before the next one comes */
    }
    return status == 0;
}

void engine_rest(struct engine *engine) {
    lua_settop(engine->lua, AT_REST);
    if (UNLIKELY(engine->used > engine->collect_at)) {
        collect(engine, engine->lua);
    }
}

/* ---- compiling ---- */

struct source {
    struct engine *engine;
    struct bytes text;
    int stage; /* of read_source */
    int function;
};

/* A compiled chunk begins with the byte 27; behind a space it is a syntax error like others. */
static const char *read_source(lua_State *lua, void *context, size_t *size) {
    (void)lua;
    struct source *source = context;
    if (source->stage == 0 && source->text.size > 0 && source->text.at[0] == LUA_SIGNATURE[0]) {
        source->stage = 1;
        *size = 1;
        return " ";
    }
    if (source->stage == 2) {
        *size = 0;
        return NULL;
    }
    source->stage = 2;
    *size = source->text.size;
    return source->text.at;
}

static int compile(lua_State *lua) {
    struct source *source = lua_touserdata(lua, 1);
    if (lua_load(lua, read_source, source, source->engine->chunk) != 0) {
        return lua_error(lua);
    }
    /* What assigns no global may as well read them where they are: no front costs it time. */
    if (!source->engine->for_functions && !chunk_assigns_globals(lua)) {
        lua_rawgeti(lua, LUA_REGISTRYINDEX, source->engine->globals);
        lua_setfenv(lua, -2);
    }
    source->function = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_pushnil(lua);
    return 1;
}

int engine_compile(struct engine *engine, struct bytes text, const char **error) {
    if (text.size > SOURCE_SIZE_MAX) {
        *error = "the source is too long";
        return LUA_NOREF;
    }
    struct source source = {.engine = engine, .text = text, .function = LUA_NOREF};
    if (!engine_protect(engine, compile, &source)) {
        struct engine_error what;
        engine_read_error(engine, &what);
        *error = strncmp(what.text, "ERR ", 4) == 0 ? what.text + 4 : what.text;
        return LUA_NOREF;
    }
    engine_rest(engine);
    return source.function;
}

void engine_release(struct engine *engine, int function) {
    engine_open(engine, true);
    luaL_unref(engine->lua, LUA_REGISTRYINDEX, function);
    engine_open(engine, false);
}

void engine_reset_hook(struct engine *engine) {
    lua_sethook(engine->lua, engine->hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
}

/* ---- life ---- */

static int set_up(lua_State *lua) {
    struct engine *engine = lua_touserdata(lua, 1);
    for (int i = 0; i < NAME_COUNT; i++) {
        lua_pushstring(lua, name_texts[i]);
        engine->names[i] = luaL_ref(lua, LUA_REGISTRYINDEX);
    }
    sandbox_build(lua, engine);
    return 0;
}

int engine_init(struct engine *engine, struct scripts *scripts, bool for_functions, size_t limit,
                lua_Hook hook) {
    *engine = (struct engine){.scripts = scripts,
                              .for_functions = for_functions,
                              .chunk = for_functions ? "@user_function" : "@user_script",
                              .limit = limit,
                              .tables = {LUA_NOREF, LUA_NOREF}};
    engine->lua = lua_newstate(allocate, engine);
    if (engine->lua == NULL) {
        free_spare(engine);
        return -1;
    }
    if (lua_cpcall(engine->lua, set_up, engine) != 0) {
        engine_free(engine);
        return -1;
    }
    /* What a protected function leaves on the stack goes with it, so these two are pushed under
     * no protection, with room that a fresh stack has. */
    engine_open(engine, true);
    lua_pushcfunction(engine->lua, on_error);
    lua_pushcfunction(engine->lua, body);
    engine_open(engine, false);
    engine->hook = hook;
    engine_reset_hook(engine);
    engine->collect_at =
        COLLECT_MIN < limit / 8 * COLLECT_EIGHTHS ? COLLECT_MIN : limit / 8 * COLLECT_EIGHTHS;
    return 0;
}

void engine_move(struct engine *to, struct engine *from) {
    *to = *from;
    if (to->lua != NULL) {
        lua_setallocf(to->lua, allocate, to);
    }
    from->lua = NULL;
    from->used = from->spare_bytes = 0;
    memset(from->spare, 0, sizeof from->spare);
}

void engine_free(struct engine *engine) {
    if (engine->lua != NULL) {
        engine_open(engine, true);
        lua_close(engine->lua);
        engine->lua = NULL;
    }
    free_spare(engine);
}
