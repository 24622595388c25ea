/* element_random: see the header. */
#include "command/element_random.h"

bool element_random_read(struct call *call, const char *with, int64_t *count, bool *is_given) {
    if (!call_integer_between(call, 2, -INT64_MAX, INT64_MAX, count)) {
        return false;
    }
    *is_given = call->argc == 4 && call_arg_is(call, 3, with);
    if (call->argc > 3 && !*is_given) {
        reply_syntax_error(call->reply);
        return false;
    }
    if (*is_given && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
        reply_error(call->reply, "ERR value is out of range");
        return false;
    }
    return true;
}
