/* script: EVAL, EVALSHA and their forms that only read; SCRIPT. The engine is in script/. */
#include "script/scripts.h"

#include "call/call.h"
#include "call/context.h"
#include "client/client.h"
#include "command/script_call.h"
#include "command/tables.h"
#include "store/keyspace.h"

#define DIGEST_SIZE 40

static void reply_no_script(struct call *call) {
    reply_error(call->reply, "NOSCRIPT No matching script. Please use EVAL.");
}

static void run_body(struct call *call, bool read_only) {
    struct scripts *scripts = call->context->scripts;
    int64_t keys;
    if (!script_call_keys(call, NULL, &keys)) {
        return;
    }
    struct script *script = scripts_know(scripts, call, call->args[1], false);
    if (script != NULL) {
        script_run(scripts, script, call, 3, (int)keys, read_only);
    }
}

static void run_digest(struct call *call, bool read_only) {
    struct scripts *scripts = call->context->scripts;
    int64_t keys;
    if (call->args[1].size != DIGEST_SIZE) {
        reply_no_script(call);
        return;
    }
    if (!script_call_keys(call, NULL, &keys)) {
        return;
    }
    struct script *script = scripts_find_digest(scripts, call->args[1]);
    if (script == NULL) {
        reply_no_script(call);
    } else {
        script_run(scripts, script, call, 3, (int)keys, read_only);
    }
}

static void eval(struct call *call) {
    run_body(call, false);
}

static void eval_ro(struct call *call) {
    run_body(call, true);
}

static void evalsha(struct call *call) {
    run_digest(call, false);
}

static void evalsha_ro(struct call *call) {
    run_digest(call, true);
}

/* ---- SCRIPT ---- */

static void script_load(struct call *call) {
    struct script *script = scripts_know(call->context->scripts, call, call->args[2], true);
    if (script != NULL) {
        reply_bulk_text(call->reply, script_digest(script));
    }
}

static void script_exists(struct call *call) {
    reply_array(call->reply, call->argc - 2);
    for (int i = 2; i < call->argc; i++) {
        const struct script *script = scripts_find_digest(call->context->scripts, call->args[i]);
        reply_integer(call->reply, script != NULL);
    }
}

static void script_show(struct call *call) {
    const struct script *script = scripts_find_digest(call->context->scripts, call->args[2]);
    if (script == NULL) {
        reply_no_script(call);
    } else {
        reply_bulk(call->reply, script_body(script));
    }
}

static void script_flush(struct call *call) {
    if (call->argc > 3 ||
        (call->argc == 3 && !call_arg_is(call, 2, "sync") && !call_arg_is(call, 2, "async"))) {
        reply_error(call->reply, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    scripts_flush(call->context->scripts, script_call_is_lazy(call));
    reply_ok(call->reply);
}

static void script_kill(struct call *call) {
    scripts_kill(call->context->scripts, call, false);
}

static void script_debug(struct call *call) {
    reply_error(call->reply, "ERR There is no debugger of scripts here");
}

static void script_help(struct call *call) {
    static const char *const lines[] = {
        "EXISTS <sha1> [<sha1> ...]",
        "    Tell for each digest whether its script is known.",
        "FLUSH [ASYNC|SYNC]",
        "    Forget all scripts.",
        "KILL",
        "    End the script that is running, if it has not written.",
        "LOAD <script>",
        "    Keep a script without running it, and show its digest.",
        "SHOW <sha1>",
        "    Show the script of a digest.",
        NULL,
    };
    reply_help(call->reply, "SCRIPT", lines);
}

static const struct command_row rows[] = {
    {.name = "eval",
     .fn = eval,
     .arity = -3,
     .flags = SCRIPT_RUNNER_FLAGS | COMMAND_MAY_REPLICATE,
     .categories = SCRIPT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "That of the script",
     .summary = "Runs a Lua script.",
     .syntax = "script numkeys [key [key ...]] [arg [arg ...]]"},
    {.name = "evalsha",
     .fn = evalsha,
     .arity = -3,
     .flags = SCRIPT_RUNNER_FLAGS | COMMAND_MAY_REPLICATE,
     .categories = SCRIPT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RW | KEY_ACCESS | KEY_UPDATE)},
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "That of the script",
     .summary = "Runs a Lua script that is known, by its digest.",
     .syntax = "sha1 numkeys [key [key ...]] [arg [arg ...]]"},
    {.name = "eval_ro",
     .fn = eval_ro,
     .arity = -3,
     .flags = SCRIPT_RUNNER_FLAGS | COMMAND_READONLY,
     .categories = SCRIPT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the script",
     .summary = "Runs a Lua script that may not write.",
     .syntax = "script numkeys [key [key ...]] [arg [arg ...]]"},
    {.name = "evalsha_ro",
     .fn = evalsha_ro,
     .arity = -3,
     .flags = SCRIPT_RUNNER_FLAGS | COMMAND_READONLY,
     .categories = SCRIPT_CATEGORIES,
     .keys = {KEYS_COUNT(2, 0, 1, 1, KEY_RO | KEY_ACCESS)},
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the script",
     .summary = "Runs a Lua script that is known, by its digest, and may not write.",
     .syntax = "sha1 numkeys [key [key ...]] [arg [arg ...]]"},
    {.name = "script",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "That of the subcommand",
     .summary = "Commands about the scripts that are known."},
    {.name = "script|load",
     .fn = script_load,
     .arity = 3,
     .flags = COMMAND_NOSCRIPT | COMMAND_STALE,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_ALL_SUCCEEDED,
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "O(N), N being the script's length",
     .summary = "Keeps a script without running it.",
     .syntax = "script"},
    {.name = "script|exists",
     .fn = script_exists,
     .arity = -3,
     .flags = COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_ALL_SHARDS | TIP_ALL_TRUE,
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "O(N), N being the number of digests",
     .summary = "Tells which scripts are known.",
     .syntax = "sha1 [sha1 ...]"},
    {.name = "script|show",
     .fn = script_show,
     .arity = 3,
     .flags = COMMAND_NOSCRIPT,
     .categories = CATEGORY_SCRIPTING,
     .group = GROUP_SCRIPTING,
     .since = "8.0.0",
     .complexity = "O(1)",
     .summary = "Shows the script of a digest.",
     .syntax = "sha1"},
    {.name = "script|flush",
     .fn = script_flush,
     .arity = -2,
     .flags = COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_ALL_SUCCEEDED,
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "O(N), N being the number of scripts",
     .summary = "Forgets all scripts.",
     .syntax = "[ASYNC|SYNC]"},
    {.name = "script|kill",
     .fn = script_kill,
     .arity = 2,
     .flags = COMMAND_NOSCRIPT | COMMAND_ALLOW_BUSY,
     .categories = SCRIPT_CATEGORIES,
     .tips = TIP_ALL_SHARDS | TIP_ONE_SUCCEEDED,
     .group = GROUP_SCRIPTING,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Ends the script that is running, if it has not written."},
    {.name = "script|debug",
     .fn = script_debug,
     .arity = 3,
     .flags = COMMAND_NOSCRIPT,
     .categories = SCRIPT_CATEGORIES,
     .group = GROUP_SCRIPTING,
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Says that there is no debugger.",
     .syntax = "<YES|SYNC|NO>"},
    {.name = "script|help",
     .fn = script_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = SCRIPT_CATEGORIES,
     .group = GROUP_SCRIPTING,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Shows the subcommands."},
};

const struct command_table *command_scripts(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
