/* failover: FAILOVER, which makes a primary change places with a replica: persist/failover.h. */
#include "persist/failover.h"

#include "base/num.h"
#include "call/call.h"
#include "call/context.h"
#include "command/tables.h"

/* False when an error was replied. */
static bool read_wishes(struct call *call, struct failover_wishes *wishes) {
    bool has_host = false;
    bool has_timeout = false;
    for (int i = 1; i < call->argc; i++) {
        if (!has_timeout && call_arg_is(call, i, "timeout") && i + 1 < call->argc) {
            if (!call_integer(call, ++i, &wishes->timeout_ms)) {
                return false;
            }
            if (wishes->timeout_ms <= 0) {
                reply_error(call->reply, "ERR FAILOVER timeout must be greater than 0");
                return false;
            }
            has_timeout = true;
        } else if (!has_host && call_arg_is(call, i, "to") && i + 2 < call->argc) {
            wishes->host = call->args[i + 1];
            if (!call_integer(call, i + 2, &wishes->port)) {
                return false;
            }
            i += 2;
            has_host = true;
        } else if (!wishes->is_forced && call_arg_is(call, i, "force")) {
            wishes->is_forced = true;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static void failover(struct call *call) {
    struct replication *replication = call->context->replication;
    struct failover_wishes wishes = {.timeout_ms = 0};
    const char *error;
    if (call->argc == 2 && call_arg_is(call, 1, "abort")) {
        error = failover_abort(replication);
    } else if (read_wishes(call, &wishes)) {
        error = failover_begin(replication, &wishes);
    } else {
        return;
    }
    if (error == NULL) {
        reply_ok(call->reply);
    } else {
        reply_error(call->reply, error);
    }
}

static const struct command_row rows[] = {
    {.name = "failover",
     .fn = failover,
     .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_STALE,
     .categories = CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Makes a replica take the place of this primary, without losing a write.",
     .syntax = "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]"},
};

const struct command_table *command_failover(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
