/* scripts: all that runs Lua: the scripts that are known, by their bodies and by their digests, and
 * the two interpreters, one for scripts and one for libraries of functions (script/functions.h).
 *
 * Terms. A script's body is what EVAL was given; its digest is SHA-1 of that, in hexadecimal. A
 * script is kept when SCRIPT LOAD brought it; one that came by EVAL leaves when it is the one that
 * was not used for the longest time and there are too many.
 *
 *     by_body    XXH3 of the body -> scripts      EVAL: no digest is computed for one that is known
 *     by_digest  XXH3 of the digest -> scripts    EVALSHA
 *     newest <-> ... <-> oldest                   those that are not kept
 *
 * Invariants: 1. a script is in both tables; 2. it is in the list exactly if it is not kept; 3. its
 * function is referred to by the interpreter until it leaves. */
#ifndef LARDER_SCRIPT_SCRIPTS_H
#define LARDER_SCRIPT_SCRIPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/metric.h"
#include "base/option.h"
#include "call/call.h"

/* What a script may use at least, and at most. */
#define SCRIPT_MEMORY_MIN (1024 * 1024)
#define SCRIPT_MEMORY_MAX (340 * 1024 * 1024)
/* Room for a number as an argument of a command. */
#define SCRIPT_NUMBER_SIZE 32

#define SCRIPT_OPTIONS(X)                                                                          \
    X(MEMORY, memory_max, "lua-memory-limit", "256mb", SCRIPT_MEMORY_MIN, SCRIPT_MEMORY_MAX, NULL, \
      0, scripts_apply_limit,                                                                      \
      "What scripts may use of memory, and functions as much again; who uses more ends with an "   \
      "error.")                                                                                    \
    X(INT, busy_ms, "busy-reply-threshold", "5000", 0, INT64_MAX, NULL, 0, NULL,                   \
      "Milliseconds after which a script counts as busy: others are answered BUSY, and may kill "  \
      "it; 0: never.")
struct script_options {
    SCRIPT_OPTIONS(OPTION_FIELD)
};

#define SCRIPT_METRICS(X)                                                                          \
    X(STATS, evicted_scripts, COUNTER, "Scripts that came by EVAL and left for newer ones.")
struct script_metrics {
    SCRIPT_METRICS(METRIC_FIELD)
};

struct script;
struct scripts;

/* Registers options and metrics; the interpreters are made when they are first needed. */
struct scripts *scripts_new(struct context *context);
void scripts_free(struct scripts *scripts);

/* For the option table. */
bool scripts_apply_limit(void *module, const char **error);

/* NULL when it is not known. A digest of 40 hexadecimal digits; letters fold. */
struct script *scripts_find_digest(struct scripts *scripts, struct bytes digest);

/* The script of that body, compiled if it was not known; kept from now on, or not. NULL when it
 * cannot be: then the error has been replied. */
struct script *scripts_know(struct scripts *scripts, struct call *call, struct bytes body,
                            bool kept);

const char *script_digest(const struct script *script);
struct bytes script_body(const struct script *script);

/* EVAL and its like: runs the script with the keys from argument `first_key` on, so many of them,
 * and what is behind; replies. */
void script_run(struct scripts *scripts, struct script *script, struct call *call, int first_key,
                int key_count, bool read_only);

/* SCRIPT FLUSH. `lazy`: another thread frees what they were. */
void scripts_flush(struct scripts *scripts, bool lazy);

/* SCRIPT KILL and FUNCTION KILL: ends what runs, if it has not written; replies. */
void scripts_kill(struct scripts *scripts, struct call *call, bool functions);

/* Whether a script is running, not a function. */
bool scripts_is_busy(const struct scripts *scripts);

/* What can be told of memory, in bytes. */
struct script_figures {
    size_t scripts;   /* known */
    size_t libraries; /* of functions */
    size_t functions;
    size_t eval_lua;      /* that Lua has for scripts */
    size_t eval_scripts;  /* besides, for those that are known */
    size_t functions_lua; /* the same of functions */
    size_t functions_sources;
};
#ifndef LARDER_NO_LUA
void scripts_figures(const struct scripts *scripts, struct script_figures *figures);
#else
static inline void scripts_figures(const struct scripts *scripts, struct script_figures *figures) {
    (void)scripts;
    *figures = (struct script_figures){0};
}
#endif

#endif
