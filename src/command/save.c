/* save: snapshots on demand: SAVE, BGSAVE, LASTSAVE. */
#include "command/tables.h"

#include "call/call.h"
#include "call/control.h"
#include "persist/saving.h"

static bool is_busy(struct call *call) {
    if (call->context->control->loading != CONTROL_LOADING_NOT) {
        reply_error(call->reply, "LOADING Redis is loading the dataset in memory");
        return true;
    }
    if (saving_is_busy(call->context->saving)) {
        reply_error(call->reply, "ERR Background save already in progress");
        return true;
    }
    return false;
}

static void save(struct call *call) {
    if (is_busy(call)) {
        return;
    }
    if (saving_save(call->context->saving)) {
        reply_ok(call->reply);
    } else {
        reply_error(call->reply, "ERR");
    }
}

/* SCHEDULE would wait for a log that is being rewritten; there is none. What cannot be begun is
 * told as one that fails: in INFO, the log, and to who writes. */
static void bgsave(struct call *call) {
    if (call->argc > 2 || (call->argc == 2 && !call_arg_is(call, 1, "schedule"))) {
        reply_syntax_error(call->reply);
        return;
    }
    if (!is_busy(call)) {
        (void)saving_begin(call->context->saving);
        reply_status(call->reply, "Background saving started");
    }
}

static void lastsave(struct call *call) {
    reply_integer(call->reply, saving_last_s(call->context->saving));
}

static const struct command_row rows[] = {
    {.name = "save",
     .fn = save,
     .arity = 1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_ASYNC_LOADING | COMMAND_NO_MULTI,
     .categories = CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(N) with all keys and elements.",
     .summary = "Saves the data into a file, and nobody is served meanwhile."},
    {.name = "bgsave",
     .fn = bgsave,
     .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_ASYNC_LOADING,
     .categories = CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Begins to save the data as it is now into a file.",
     .syntax = "[SCHEDULE]"},
    {.name = "lastsave",
     .fn = lastsave,
     .arity = 1,
     .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .categories = CATEGORY_ADMIN | CATEGORY_FAST | CATEGORY_DANGEROUS,
     .tips = TIP_CHANCE,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Shows when data was last saved, or the start when nothing was."},
};

const struct command_table *command_saves(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
