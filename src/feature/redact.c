/* redact: one rule for each command that takes secrets, found by the name that the command has in
 * its table, so that renaming a command does not lay its secrets open. */
#include "feature/redact.h"

#include <stdbool.h>
#include <string.h>

#include "base/option.h"

/* AUTH [user] password */
static bool hides_all(const struct call *call, int index) {
    (void)call;
    return index >= 1;
}

/* HELLO version AUTH user password ...; MIGRATE ... AUTH password, AUTH2 user password. */
static bool hides_behind_auth(const struct call *call, int index) {
    for (int at = index - 1; at >= 1 && at >= index - 2; at--) {
        int secrets = 0;
        if (call_arg_is(call, at, "auth")) {
            secrets = strcmp(call->command->row->name, "hello") == 0 ? 2 : 1;
        } else if (call_arg_is(call, at, "auth2")) {
            secrets = 2;
        }
        if (index - at <= secrets) {
            return true;
        }
    }
    return false;
}

/* CONFIG SET name value [name value ...] */
static bool hides_secret_options(const struct call *call, int index) {
    if (index < 3 || index % 2 == 0) {
        return false;
    }
    const struct options *options = call->context->options;
    int option = options_find(options, call->args[index - 1]);
    return option >= 0 && (options_row(options, option)->flags & OPTION_SECRET) != 0;
}

/* ACL SETUSER user rule ... */
static bool hides_from_two(const struct call *call, int index) {
    (void)call;
    return index >= 2;
}

static const struct {
    const char *command;
    bool (*hides)(const struct call *call, int index);
} rules[] = {
    {"auth", hides_all},
    {"hello", hides_behind_auth},
    {"config|set", hides_secret_options},
    {"acl|setuser", hides_from_two},
    {"migrate", hides_behind_auth},
};

struct bytes redact_argument(const struct call *call, int index) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(call->command->row->name, rules[i].command) == 0 &&
            rules[i].hides(call, index)) {
            return bytes_text("(redacted)");
        }
    }
    return call->args[index];
}
