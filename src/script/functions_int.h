/* functions_int: libraries and functions from within, and their registration. Only this room's. */
#ifndef LARDER_SCRIPT_FUNCTIONS_INT_H
#define LARDER_SCRIPT_FUNCTIONS_INT_H

#include "script/engine.h"
#include "script/functions.h"

struct function {
    struct function *next; /* of the library */
    struct function *next_by_name;
    struct library *library;
    uint64_t hash; /* of the name, letters folded */
    int reference;
    unsigned flags;
    bool has_description;
    size_t name_size;
    size_t size; /* of the text: name, NUL, and if there is one the description, NUL */
    char text[];
};

struct library {
    struct library *next;
    struct function *functions; /* in the order of registration */
    size_t source_size;
    size_t name_size;
    char bytes[]; /* source, name */
};

/* A library is being loaded. */
struct loading {
    struct library *library;
    int chunk;        /* reference */
    int64_t began_us; /* as the hook knows it */
};

bool functions_same_name(struct bytes a, struct bytes b);
bool functions_name_is_sound(struct bytes name);

/* Runs the chunk with what libraries may use while they are loaded. False with the error on the
 * stack. */
bool functions_run_library(struct engine *engine, struct loading *loading);

/* Pushes what libraries may use while they are loaded: the table `redis`. */
void functions_push_api(lua_State *lua);

/* The hook while a library is loaded: ends what takes too long. */
void functions_on_hook(lua_State *lua, struct loading *loading);

#endif
