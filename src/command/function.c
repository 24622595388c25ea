/* function: FUNCTION and FCALL. Libraries are in script/functions.h; FUNCTION DUMP and RESTORE in
 * function_dump.c. */
#include "script/functions.h"

#include "base/glob.h"
#include "call/call.h"
#include "call/context.h"
#include "call/pass_on.h"
#include "command/function_call.h"
#include "command/script_call.h"
#include "command/tables.h"
#include "script/scripts.h"
#include "script/shebang.h"

static void run(struct call *call, bool read_only) {
    struct scripts *scripts = call->context->scripts;
    const struct function *function = functions_find(scripts, call->args[1]);
    int64_t keys;
    if (function == NULL) {
        reply_error(call->reply, "ERR Function not found");
    } else if (script_call_keys(call, "ERR Bad number of keys provided", &keys)) {
        function_run(scripts, function, call, 3, (int)keys, read_only);
    }
}

static void fcall(struct call *call) {
    run(call, false);
}

static void fcall_ro(struct call *call) {
    run(call, true);
}

/* ---- FUNCTION ---- */

void function_reply_error(struct call *call, const char *error) {
    reply_errorf(call->reply, "ERR %s", error);
}

static void function_load(struct call *call) {
    struct scripts *scripts = call->context->scripts;
    char error[FUNCTION_ERROR_SIZE];
    bool replace = false;
    for (int i = 2; i < call->argc - 1; i++) {
        if (!call_arg_is(call, i, "replace")) {
            reply_errorf(call->reply, "ERR Unknown option given: %.*s",
                         bytes_printed(call->args[i]), call->args[i].at);
            return;
        }
        replace = true;
    }
    struct library *library = library_load(scripts, call->args[call->argc - 1], !replace, error);
    if (library == NULL) {
        function_reply_error(call, error);
        return;
    }
    if (!functions_join(scripts, library, replace ? FUNCTIONS_REPLACE : FUNCTIONS_APPEND, error)) {
        libraries_drop(scripts, library);
        function_reply_error(call, error);
        return;
    }
    call->keyspace->changes++;
    call_pass_on_itself(call);
    reply_bulk(call->reply, library_name(library));
}

static void function_delete(struct call *call) {
    if (!functions_delete(call->context->scripts, call->args[2])) {
        reply_error(call->reply, "ERR Library not found");
        return;
    }
    call->keyspace->changes++;
    call_pass_on_itself(call);
    reply_ok(call->reply);
}

static void function_flush(struct call *call) {
    if (call->argc > 3) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (call->argc == 3 && !call_arg_is(call, 2, "sync") && !call_arg_is(call, 2, "async")) {
        reply_error(call->reply, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        return;
    }
    functions_flush(call->context->scripts, script_call_is_lazy(call));
    call->keyspace->changes++;
    call_pass_on_itself(call);
    reply_ok(call->reply);
}

static void function_kill(struct call *call) {
    scripts_kill(call->context->scripts, call, true);
}

/* ---- LIST ---- */

static void reply_flags(struct reply *reply, unsigned flags) {
    int64_t count = __builtin_popcount(flags);
    reply_set(reply, count);
    for (int bit = 0; shebang_flag_name(bit) != NULL; bit++) {
        if (flags & 1u << bit) {
            reply_status(reply, shebang_flag_name(bit));
        }
    }
}

static void reply_function(struct reply *reply, const struct function *function) {
    reply_map(reply, 3);
    reply_bulk_text(reply, "name");
    reply_bulk(reply, function_name(function));
    reply_bulk_text(reply, "description");
    if (function_description(function) == NULL) {
        reply_null(reply);
    } else {
        reply_bulk_text(reply, function_description(function));
    }
    reply_bulk_text(reply, "flags");
    reply_flags(reply, function_flags(function));
}

static void reply_library(struct reply *reply, const struct library *library, bool with_code) {
    int64_t count = 0;
    for (const struct function *f = library_function(library); f != NULL; f = function_next(f)) {
        count++;
    }
    reply_map(reply, with_code ? 4 : 3);
    reply_bulk_text(reply, "library_name");
    reply_bulk(reply, library_name(library));
    reply_bulk_text(reply, "engine");
    reply_bulk_text(reply, "LUA");
    reply_bulk_text(reply, "functions");
    reply_array(reply, count);
    for (const struct function *f = library_function(library); f != NULL; f = function_next(f)) {
        reply_function(reply, f);
    }
    if (with_code) {
        reply_bulk_text(reply, "library_code");
        reply_bulk(reply, library_source(library));
    }
}

static void function_list(struct call *call) {
    struct bytes pattern = bytes_of(NULL, 0);
    bool with_code = false;
    for (int i = 2; i < call->argc; i++) {
        if (!with_code && call_arg_is(call, i, "withcode")) {
            with_code = true;
        } else if (pattern.at == NULL && call_arg_is(call, i, "libraryname")) {
            if (i + 1 == call->argc) {
                reply_error(call->reply, "ERR library name argument was not given");
                return;
            }
            pattern = call->args[++i];
        } else {
            reply_errorf(call->reply, "ERR Unknown argument %.*s", bytes_printed(call->args[i]),
                         call->args[i].at);
            return;
        }
    }
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    const struct library *library = functions_first(call->context->scripts);
    for (; library != NULL && !reply_is_discarded(call->reply); library = library_next(library)) {
        if (pattern.at == NULL || glob_match(pattern, library_name(library), true)) {
            reply_library(call->reply, library, with_code);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '*', count);
}

/* ---- STATS ---- */

static void reply_running(struct call *call) {
    struct function_running running;
    if (!functions_running(call->context->scripts, &running)) {
        reply_null(call->reply);
        return;
    }
    reply_map(call->reply, 3);
    reply_bulk_text(call->reply, "name");
    reply_bulk_text(call->reply, running.name);
    reply_bulk_text(call->reply, "command");
    reply_array(call->reply, running.word_count);
    for (int i = 0; i < running.word_count; i++) {
        reply_bulk(call->reply, running.words[i]);
    }
    reply_bulk_text(call->reply, "duration_ms");
    reply_integer(call->reply, running.duration_ms);
}

static void function_stats(struct call *call) {
    struct scripts *scripts = call->context->scripts;
    struct script_figures figures;
    if (scripts_is_busy(scripts)) {
        reply_error(call->reply, "BUSY Redis is busy running a script. You can only call SCRIPT "
                                 "KILL or SHUTDOWN NOSAVE.");
        return;
    }
    scripts_figures(scripts, &figures);
    reply_map(call->reply, 2);
    reply_bulk_text(call->reply, "running_script");
    reply_running(call);
    reply_bulk_text(call->reply, "engines");
    reply_map(call->reply, 1);
    reply_bulk_text(call->reply, "LUA");
    reply_map(call->reply, 2);
    reply_bulk_text(call->reply, "libraries_count");
    reply_integer(call->reply, (int64_t)figures.libraries);
    reply_bulk_text(call->reply, "functions_count");
    reply_integer(call->reply, (int64_t)figures.functions);
}

static void function_help(struct call *call) {
    static const char *const lines[] = {
        "DELETE <library-name>",
        "    Forget a library and its functions.",
        "DUMP",
        "    Show all libraries in a form that RESTORE takes.",
        "FLUSH [ASYNC|SYNC]",
        "    Forget all libraries.",
        "KILL",
        "    End the function that is running, if it has not written.",
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "    Show libraries and their functions.",
        "LOAD [REPLACE] <function-code>",
        "    Load a library.",
        "RESTORE <serialized-value> [FLUSH|APPEND|REPLACE]",
        "    Load what DUMP has shown.",
        "STATS",
        "    Show the function that is running, and how many there are.",
        NULL,
    };
    reply_help(call->reply, "FUNCTION", lines);
}

#define ON_ALL_SHARDS (TIP_ALL_SHARDS | TIP_ALL_SUCCEEDED)

static const struct command_row rows[] = {
    {.name = "fcall",
     .fn = fcall,
     .arity = -3,
     .flags = SCRIPT_RUNNER_FLAGS | COMMAND_MAY_REPLICATE,
     .categories = SCRIPT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the function",
     .summary = "Calls a function of a library.",
     .syntax = "function numkeys [key [key ...]] [arg [arg ...]]"},
    {.name = "fcall_ro",
     .fn = fcall_ro,
     .arity = -3,
     .flags = SCRIPT_RUNNER_FLAGS | COMMAND_READONLY,
     .categories = SCRIPT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the function",
     .summary = "Calls a function of a library that may not write.",
     .syntax = "function numkeys [key [key ...]] [arg [arg ...]]"},
    {.name = "function",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the subcommand",
     .summary = "Commands about libraries of functions."},
    {.name = "function|load",
     .fn = function_load,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES | CATEGORY_WRITE,
     .tips = ON_ALL_SHARDS,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the library's code",
     .summary = "Loads a library.",
     .syntax = "[REPLACE] function-code"},
    {.name = "function|delete",
     .fn = function_delete,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES | CATEGORY_WRITE,
     .tips = ON_ALL_SHARDS,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of libraries",
     .summary = "Forgets a library.",
     .syntax = "library-name"},
    {.name = "function|flush",
     .fn = function_flush,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES | CATEGORY_WRITE,
     .tips = ON_ALL_SHARDS,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of functions",
     .summary = "Forgets all libraries.",
     .syntax = "[ASYNC|SYNC]"},
    {.name = "function|kill",
     .fn = function_kill,
     .arity = 2,
     .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_ALL_SHARDS | TIP_ONE_SUCCEEDED,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Ends the function that is running, if it has not written."},
    {.name = "function|list",
     .fn = function_list,
     .arity = -2,
     .flags = COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_ANY_ORDER,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of functions",
     .summary = "Shows libraries and their functions.",
     .syntax = "[LIBRARYNAME library-name-pattern] [WITHCODE]"},
    {.name = "function|stats",
     .fn = function_stats,
     .arity = 2,
     .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_CHANCE | TIP_ALL_SHARDS | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Shows the function that is running, and how many there are."},
    {.name = "function|help",
     .fn = function_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = SCRIPT_CATEGORIES,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Shows the subcommands."},
};

const struct command_table *command_functions(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
