/* script_call: what EVAL and FCALL share: their rows, and the number of keys among their
 * arguments. */
#ifndef LARDER_COMMAND_SCRIPT_CALL_H
#define LARDER_COMMAND_SCRIPT_CALL_H

#include "call/call.h"
#include "call/command.h"
#include "store/keyspace.h"

/* What is true of every command that runs a script or a function, and of all about them. */
#define SCRIPT_RUNNER_FLAGS                                                                        \
    (COMMAND_NOSCRIPT | COMMAND_STALE | COMMAND_SKIP_MONITOR | COMMAND_NO_MANDATORY_KEYS |         \
     COMMAND_MOVABLE_KEYS | COMMAND_SCRIPT_RUNNER)
#define SCRIPT_CATEGORIES (CATEGORY_SLOW | CATEGORY_SCRIPTING)

/* Whether FLUSH, whose arguments are right, leaves the freeing to the background. */
static inline bool script_call_is_lazy(const struct call *call) {
    return call->argc == 3 ? call_arg_is(call, 2, "async")
                           : call->keyspace->options.lazy_user_flush;
}

/* Argument 2, the number of keys, which begin at argument 3. False when it makes no sense; then
 * the error has been replied: `not_a_number` for what is no number, or what is usual if that is
 * NULL. */
static inline bool script_call_keys(struct call *call, const char *not_a_number, int64_t *keys) {
    if (not_a_number != NULL && !num_parse_i64(call->args[2], keys)) {
        reply_error(call->reply, not_a_number);
        return false;
    }
    if (not_a_number == NULL && !call_integer(call, 2, keys)) {
        return false;
    }
    if (*keys > call->argc - 3) {
        reply_error(call->reply, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    if (*keys < 0) {
        reply_error(call->reply, "ERR Number of keys can't be negative");
        return false;
    }
    return true;
}

#endif
