/* engine: one Lua interpreter: its memory, counted and capped; calls into it that nothing in a
 * script can break out of; what its hook is for. What scripts find in it is in sandbox.h, what
 * they are told of commands in api.h.
 *
 * Everything that may allocate in Lua may fail by jumping, so it happens inside engine_protect or
 * engine_call. Outside of them stand only steps that allocate nothing, or that are taken while the
 * engine is open (engine_open): then its cap does not count, and no allocation fails.
 *
 *     stack of the main state at rest:   1 the handler of errors   2 the body of every call
 *     registry:                          1 .. names and functions by reference */
#ifndef LARDER_SCRIPT_ENGINE_H
#define LARDER_SCRIPT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "base/bytes.h"

struct loading;
struct script_run;
struct scripts;

/* Texts that are keys of tables again and again, kept by the engine. */
enum engine_name {
    NAME_ERR,
    NAME_OK,
    NAME_DOUBLE,
    NAME_BIG_NUMBER,
    NAME_VERBATIM_STRING,
    NAME_FORMAT,
    NAME_STRING,
    NAME_MAP,
    NAME_SET,
    NAME_SOURCE,
    NAME_LINE,
    NAME_IGNORE_STATS,
    NAME_COUNT
};

/* Blocks of Lua's up to this size are kept when it frees them, by their class, and serve again. */
#define ENGINE_SPARE_SIZE 256
#define ENGINE_SPARE_STEP 16

struct engine {
    lua_State *lua;
    struct scripts *scripts; /* whose engine it is */
    const char *chunk;       /* "@user_script" */
    bool for_functions;      /* of libraries: no KEYS, no ARGV */
    size_t used;             /* bytes that Lua has */
    size_t limit;            /* and may have */
    size_t collect_at;       /* when that much is used, garbage is collected */
    bool open;               /* the limit does not count */
    lua_Hook hook;
    struct script_run *run;  /* what runs in it; NULL: nothing */
    int names[NAME_COUNT];   /* references */
    int globals;             /* reference of the table behind _G */
    int tables[2];           /* KEYS and ARGV, which serve one run after another */
    int table_counts[2];     /* elements that they have */
    struct loading *loading; /* the library that is being loaded: functions_int.h; NULL: none */
    int front_meta;          /* reference of the metatable of _G */
    int loading_globals;     /* of what is behind _G while a library is loaded */
    size_t spare_bytes;      /* of all blocks that are kept */
    void *spare[ENGINE_SPARE_SIZE / ENGINE_SPARE_STEP + 1]; /* each begins with the next one */
};

/* 0, or -1 when there is no memory for it. The hook is called every so often while a script runs,
 * and may raise an error. */
int engine_init(struct engine *engine, struct scripts *scripts, bool for_functions, size_t limit,
                lua_Hook hook);
void engine_free(struct engine *engine);
/* `to` is the engine then, and `from` is as if it had been freed. Nothing may run in it. */
void engine_move(struct engine *to, struct engine *from);

/* The engine of a state. */
static inline struct engine *engine_of(lua_State *lua) {
    void *engine;
    (void)lua_getallocf(lua, &engine);
    return engine;
}

/* Pushes one of the names; allocates nothing. */
static inline void engine_push_name(lua_State *lua, const struct engine *engine,
                                    enum engine_name name) {
    lua_rawgeti(lua, LUA_REGISTRYINDEX, engine->names[name]);
}

/* Replaces the table on the top by its field of that name, by raw access. */
static inline void engine_raw_field(lua_State *lua, const struct engine *engine, int table,
                                    enum engine_name name) {
    engine_push_name(lua, engine, name);
    lua_rawget(lua, table);
}

/* Compiles a source under the engine's chunk name. A reference to the function, or LUA_NOREF with
 * *error being the compiler's words, valid until the next use of the engine. */
int engine_compile(struct engine *engine, struct bytes source, const char **error);
void engine_release(struct engine *engine, int function);

/* Runs `work` with a light pointer as its argument, so that errors end here. True, or false with
 * the error on the stack, where engine_error finds it; then engine_forget. */
bool engine_protect(struct engine *engine, lua_CFunction work, void *argument);

/* What happened at the error that lies on the stack. */
struct engine_error {
    const char *text;   /* with its code; never NULL */
    const char *source; /* NULL: unknown */
    int line;
    bool counted; /* as an error already */
};
void engine_read_error(struct engine *engine, struct engine_error *error);

/* The stack is as at rest again. Collects garbage if there is much. */
void engine_rest(struct engine *engine);

/* The hook comes by as often as usual again. */
void engine_reset_hook(struct engine *engine);

/* In a script that runs for long: collects garbage if there is much. */
void engine_relieve(lua_State *lua);

/* Whether the number is within the range of 64 bits; what is not has no integer. */
#define ENGINE_INTEGER_END 9223372036854775808.0
static inline bool engine_fits_integer(lua_Number number) {
    return number >= -ENGINE_INTEGER_END && number < ENGINE_INTEGER_END;
}

/* While it is open no allocation of Lua fails. */
static inline void engine_open(struct engine *engine, bool open) {
    engine->open = open;
}

#endif
