/* functions: see the header. Their registration is in functions_register.c. */
#include "script/functions.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "script/functions_int.h"
#include "script/scripts_int.h"
#include "store/keyspace.h"
#include "store/lazyfree.h"

/* Chains at first; they double with the functions. */
#ifdef LARDER_TEST_SMALL
#define INDEX_FIRST 2
#else
#define INDEX_FIRST 64
#endif

/* ---- names ---- */

static char folded(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static uint64_t hash_folded(struct bytes name) {
    uint64_t hash = hash_seed();
    for (size_t i = 0; i < name.size; i++) {
        hash = hash_mix(hash ^ (unsigned char)folded(name.at[i]));
    }
    return hash;
}

bool functions_same_name(struct bytes a, struct bytes b) {
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (folded(a.at[i]) != folded(b.at[i])) {
            return false;
        }
    }
    return true;
}

bool functions_name_is_sound(struct bytes name) {
    for (size_t i = 0; i < name.size; i++) {
        char c = folded(name.at[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return false;
        }
    }
    return name.size > 0;
}

/* ---- libraries ---- */

static size_t footprint(const struct library *library) {
    size_t size = mem_class(sizeof *library + library->source_size + library->name_size);
    for (const struct function *f = library->functions; f != NULL; f = f->next) {
        size += mem_class(sizeof *f + f->size);
    }
    return size;
}

/* `engine` is NULL when it has gone already. */
static void free_library(struct engine *engine, struct library *library) {
    while (library->functions != NULL) {
        struct function *function = library->functions;
        library->functions = function->next;
        if (engine != NULL) {
            engine_release(engine, function->reference);
        }
        mem_free(MEM_SCRIPT, function, sizeof *function + function->size);
    }
    mem_free(MEM_SCRIPT, library, sizeof *library + library->source_size + library->name_size);
}

void libraries_drop(struct scripts *scripts, struct library *list) {
    while (list != NULL) {
        struct library *library = list;
        list = library->next;
        free_library(&scripts->functions, library);
    }
}

struct library *libraries_chain(struct library *list, struct library *more) {
    if (list == NULL) {
        return more;
    }
    struct library *last = list;
    while (last->next != NULL) {
        last = last->next;
    }
    last->next = more;
    return list;
}

static struct library *new_library(struct bytes source, struct bytes name) {
    struct library *library = mem_try_alloc(MEM_SCRIPT, sizeof *library + source.size + name.size);
    if (library != NULL) {
        *library = (struct library){.source_size = source.size, .name_size = name.size};
        memcpy(library->bytes, source.at, source.size);
        memcpy(library->bytes + source.size, name.at, name.size);
    }
    return library;
}

static struct library **find_library(struct scripts *scripts, struct bytes name) {
    struct library **link = &scripts->libraries;
    while (*link != NULL && !bytes_equal(library_name(*link), name)) {
        link = &(*link)->next;
    }
    return link;
}

/* False with the error. */
static bool have_engine(struct scripts *scripts, char error[FUNCTION_ERROR_SIZE]) {
    if (scripts->functions.lua == NULL &&
        engine_init(&scripts->functions, scripts, true, (size_t)scripts->options.memory_max,
                    run_on_hook) != 0) {
        snprintf(error, FUNCTION_ERROR_SIZE, "no memory for an interpreter of functions");
        return false;
    }
    return true;
}

/* Runs the library's code, which registers its functions. */
static bool register_all(struct scripts *scripts, struct library *library, struct bytes code,
                         char error[FUNCTION_ERROR_SIZE]) {
    struct engine *engine = &scripts->functions;
    const char *wrong;
    int chunk = engine_compile(engine, code, &wrong);
    if (chunk == LUA_NOREF) {
        snprintf(error, FUNCTION_ERROR_SIZE, "Error compiling function: %s", wrong);
        engine_rest(engine);
        return false;
    }
    struct loading loading = {.library = library, .chunk = chunk};
    bool done = functions_run_library(engine, &loading);
    if (!done) {
        struct engine_error what;
        engine_read_error(engine, &what);
        snprintf(error, FUNCTION_ERROR_SIZE, "Error registering functions: %s", what.text);
    } else if (library->functions == NULL) {
        snprintf(error, FUNCTION_ERROR_SIZE, "No functions registered");
        done = false;
    }
    engine_rest(engine);
    engine_release(engine, chunk);
    return done;
}

struct library *library_load(struct scripts *scripts, struct bytes source, bool fresh,
                             char error[FUNCTION_ERROR_SIZE]) {
    struct bytes name;
    struct bytes code;
    char wrong[SHEBANG_ERROR_SIZE];
    if (!shebang_of_library(source, &name, &code, wrong)) {
        snprintf(error, FUNCTION_ERROR_SIZE, "%s", wrong);
        return NULL;
    }
    if (!functions_name_is_sound(name)) {
        snprintf(error, FUNCTION_ERROR_SIZE,
                 "Library names can only contain letters, numbers, or underscores(_) and must be "
                 "at least one character long");
        return NULL;
    }
    if (fresh && *find_library(scripts, name) != NULL) {
        snprintf(error, FUNCTION_ERROR_SIZE, "Library '%.*s' already exists", bytes_printed(name),
                 name.at);
        return NULL;
    }
    if (!have_engine(scripts, error)) {
        return NULL;
    }
    struct library *library = new_library(source, name);
    if (library == NULL) {
        snprintf(error, FUNCTION_ERROR_SIZE, "no memory for the library");
        return NULL;
    }
    if (!register_all(scripts, library, code, error)) {
        free_library(&scripts->functions, library);
        return NULL;
    }
    return library;
}

/* ---- the index ---- */

static void index_add(struct scripts *scripts, struct function *function) {
    struct function **head = &scripts->by_name[function->hash & (scripts->by_name_size - 1)];
    function->next_by_name = *head;
    *head = function;
    scripts->function_count++;
}

static void index_grow(struct scripts *scripts) {
    struct function **old = scripts->by_name;
    size_t old_size = scripts->by_name_size;
    scripts->by_name_size = old_size == 0 ? INDEX_FIRST : old_size * 2;
    scripts->by_name = mem_zalloc(MEM_SCRIPT, scripts->by_name_size * sizeof *old);
    scripts->function_count = 0;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct function *function = old[i];
            old[i] = function->next_by_name;
            index_add(scripts, function);
        }
    }
    mem_free(MEM_SCRIPT, old, old_size * sizeof *old);
}

static void index_remove(struct scripts *scripts, struct function *function) {
    struct function **link = &scripts->by_name[function->hash & (scripts->by_name_size - 1)];
    while (*link != function) {
        link = &(*link)->next_by_name;
    }
    *link = function->next_by_name;
    scripts->function_count--;
}

const struct function *functions_find(const struct scripts *scripts, struct bytes name) {
    if (scripts->by_name_size == 0) {
        return NULL;
    }
    uint64_t hash = hash_folded(name);
    const struct function *function = scripts->by_name[hash & (scripts->by_name_size - 1)];
    while (function != NULL &&
           !(function->hash == hash && functions_same_name(function_name(function), name))) {
        function = function->next_by_name;
    }
    return function;
}

/* ---- joining ---- */

static void leave(struct scripts *scripts, struct library **link) {
    struct library *library = *link;
    *link = library->next;
    for (struct function *f = library->functions; f != NULL; f = f->next) {
        index_remove(scripts, f);
    }
    scripts->library_count--;
    scripts->library_bytes -= footprint(library);
    free_library(&scripts->functions, library);
}

static void enter(struct scripts *scripts, struct library *library) {
    struct library **end = &scripts->libraries;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    library->next = NULL;
    *end = library;
    for (struct function *f = library->functions; f != NULL; f = f->next) {
        if (scripts->function_count >= scripts->by_name_size) {
            index_grow(scripts);
        }
        f->hash = hash_folded(function_name(f));
        index_add(scripts, f);
    }
    scripts->library_count++;
    scripts->library_bytes += footprint(library);
}

static bool is_named_in(const struct library *list, struct bytes name) {
    while (list != NULL && !bytes_equal(library_name(list), name)) {
        list = list->next;
    }
    return list != NULL;
}

/* Whether a function of that name is in one of the list up to `end`. */
static bool is_registered_in(const struct library *list, const struct library *end,
                             struct bytes name) {
    for (; list != end; list = list->next) {
        for (const struct function *f = list->functions; f != NULL; f = f->next) {
            if (functions_same_name(function_name(f), name)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether what comes has a name that is taken, with the error. */
static bool collides(struct scripts *scripts, const struct library *list,
                     const struct library *library, enum functions_policy policy,
                     char error[FUNCTION_ERROR_SIZE]) {
    struct bytes name = library_name(library);
    bool taken = policy == FUNCTIONS_APPEND && *find_library(scripts, name) != NULL;
    for (const struct library *l = list; l != library && !taken; l = l->next) {
        taken = bytes_equal(library_name(l), name);
    }
    if (taken) {
        snprintf(error, FUNCTION_ERROR_SIZE, "Library %.*s already exists", bytes_printed(name),
                 name.at);
        return true;
    }
    for (const struct function *f = library->functions; f != NULL; f = f->next) {
        const struct function *other =
            policy == FUNCTIONS_FLUSH ? NULL : functions_find(scripts, function_name(f));
        bool stays = other != NULL && !(policy == FUNCTIONS_REPLACE &&
                                        is_named_in(list, library_name(other->library)));
        if (stays || is_registered_in(list, library, function_name(f))) {
            snprintf(error, FUNCTION_ERROR_SIZE, "Function %.*s already exists",
                     bytes_printed(function_name(f)), function_name(f).at);
            return true;
        }
    }
    return false;
}

bool functions_join(struct scripts *scripts, struct library *list, enum functions_policy policy,
                    char error[FUNCTION_ERROR_SIZE]) {
    for (const struct library *l = list; l != NULL; l = l->next) {
        if (collides(scripts, list, l, policy, error)) {
            return false;
        }
    }
    while (policy == FUNCTIONS_FLUSH && scripts->libraries != NULL) {
        leave(scripts, &scripts->libraries);
    }
    while (list != NULL) {
        struct library *library = list;
        list = library->next;
        struct library **old = find_library(scripts, library_name(library));
        if (*old != NULL) {
            leave(scripts, old);
        }
        enter(scripts, library);
    }
    return true;
}

bool functions_delete(struct scripts *scripts, struct bytes name) {
    struct library **link = find_library(scripts, name);
    if (*link == NULL) {
        return false;
    }
    leave(scripts, link);
    return true;
}

/* The interpreter goes with them. */
/* What is left of libraries that are forgotten, all at once. */
struct remains {
    struct engine engine;
    struct library *libraries;
    struct function **by_name;
    size_t by_name_size;
};

static void free_remains(void *context) {
    struct remains *remains = context;
    engine_free(&remains->engine);
    while (remains->libraries != NULL) {
        struct library *library = remains->libraries;
        remains->libraries = library->next;
        free_library(NULL, library);
    }
    mem_free(MEM_SCRIPT, remains->by_name, remains->by_name_size * sizeof(struct function *));
    mem_free(MEM_SCRIPT, remains, sizeof *remains);
}

void functions_flush(struct scripts *scripts, bool lazy) {
    struct remains *remains = mem_zalloc(MEM_SCRIPT, sizeof *remains);
    size_t count = scripts->function_count;
    engine_move(&remains->engine, &scripts->functions);
    remains->libraries = scripts->libraries;
    remains->by_name = scripts->by_name;
    remains->by_name_size = scripts->by_name_size;
    scripts->libraries = NULL;
    scripts->by_name = NULL;
    scripts->by_name_size = scripts->function_count = scripts->library_count = 0;
    scripts->library_bytes = 0;
    lazyfree_work(lazy ? scripts->context->keyspace->lazyfree : NULL, free_remains, remains, count);
}

/* ---- looking ---- */

const struct library *functions_first(const struct scripts *scripts) {
    return scripts->libraries;
}

const struct library *library_next(const struct library *library) {
    return library->next;
}

struct bytes library_name(const struct library *library) {
    return bytes_of(library->bytes + library->source_size, library->name_size);
}

struct bytes library_source(const struct library *library) {
    return bytes_of(library->bytes, library->source_size);
}

const struct function *library_function(const struct library *library) {
    return library->functions;
}

const struct function *function_next(const struct function *function) {
    return function->next;
}

struct bytes function_name(const struct function *function) {
    return bytes_of(function->text, function->name_size);
}

unsigned function_flags(const struct function *function) {
    return function->flags;
}

const char *function_description(const struct function *function) {
    return function->has_description ? function->text + function->name_size + 1 : NULL;
}

/* ---- running ---- */

void function_run(struct scripts *scripts, const struct function *function, struct call *call,
                  int first_key, int key_count, bool read_only) {
    struct script_run run = {.scripts = scripts,
                             .engine = &scripts->functions,
                             .outer = call,
                             .name = function->text,
                             .flags = function->flags,
                             .function = function->reference,
                             .keys = call->args + first_key,
                             .key_count = key_count,
                             .args = call->args + first_key + key_count,
                             .arg_count = call->argc - first_key - key_count,
                             .read_only = read_only};
    run_script(&run);
}

bool functions_running(const struct scripts *scripts, struct function_running *running) {
    const struct script_run *run = scripts->running;
    if (run == NULL || !run->engine->for_functions) {
        return false;
    }
    *running = (struct function_running){
        .name = run->name,
        .words = run->words,
        .word_count = run->word_count,
        .duration_ms = run->began_us == 0 ? 0 : (clock_mono_us() - run->began_us) / 1000};
    return true;
}
