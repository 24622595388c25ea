/* functions: libraries of functions: code that is loaded once and called by name (FCALL).
 *
 * Terms. A library is a source that begins with `#!lua name=...` and registers functions while it
 * is loaded. Its source is all that is saved of it, in snapshots and by FUNCTION DUMP. A loose
 * library has been loaded and is not called yet: several of them can be joined to the others at
 * once, or none.
 *
 * Names of functions are alike whatever the case of their letters, over all libraries; names of
 * libraries are not. */
#ifndef LARDER_SCRIPT_FUNCTIONS_H
#define LARDER_SCRIPT_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "call/call.h"

struct function;
struct library;
struct scripts;

/* Room for an error, which has no code. */
#define FUNCTION_ERROR_SIZE 512

/* What becomes of libraries that are there when others come. */
enum functions_policy {
    FUNCTIONS_APPEND,  /* they stay, and must not have the same names */
    FUNCTIONS_REPLACE, /* those of the same names go */
    FUNCTIONS_FLUSH,   /* all go */
};

/* Loads a source, the name of whose library must not be there yet if it is to be `fresh`. NULL with
 * the error; else loose, in a list of its own. */
struct library *library_load(struct scripts *scripts, struct bytes source, bool fresh,
                             char error[FUNCTION_ERROR_SIZE]);
/* Frees all of a list of loose ones. */
void libraries_drop(struct scripts *scripts, struct library *list);
/* Puts one list behind another. */
struct library *libraries_chain(struct library *list, struct library *more);

/* Joins a list of loose ones to the others. False with the error, and then nothing has changed and
 * they are loose still. */
bool functions_join(struct scripts *scripts, struct library *list, enum functions_policy policy,
                    char error[FUNCTION_ERROR_SIZE]);

bool functions_delete(struct scripts *scripts, struct bytes name);
/* `lazy`: another thread frees what they were. */
void functions_flush(struct scripts *scripts, bool lazy);

/* Libraries one after the other, for snapshots and lists; NULL ends. */
const struct library *functions_first(const struct scripts *scripts);
const struct library *library_next(const struct library *library);
struct bytes library_name(const struct library *library);
struct bytes library_source(const struct library *library);

const struct function *library_function(const struct library *library);
const struct function *function_next(const struct function *function);
struct bytes function_name(const struct function *function);
unsigned function_flags(const struct function *function); /* set of script_flag */
/* NULL when it has none. */
const char *function_description(const struct function *function);

/* NULL when there is none. */
const struct function *functions_find(const struct scripts *scripts, struct bytes name);

/* FCALL and its like; as script_run. */
void function_run(struct scripts *scripts, const struct function *function, struct call *call,
                  int first_key, int key_count, bool read_only);

/* The function that is running: what was called, for how long. False when none is, or a script. */
struct function_running {
    const char *name;
    const struct bytes *words;
    int word_count;
    int64_t duration_ms;
};
bool functions_running(const struct scripts *scripts, struct function_running *running);

#endif
