/* element_scan: see the header. */
#include "command/element_scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/num.h"

/* A step looks at no more than this many portions of a dict for each element asked for. */
#define PORTIONS_EACH 10
#define COUNT_DEFAULT 10

/* Cursors are read as leniently as strtoul does, except for leading space. */
bool element_scan_cursor(struct call *call, struct element_scan *scan) {
    struct bytes text = call->args[2];
    *scan = (struct element_scan){.call = call, .count = COUNT_DEFAULT};
    char copy[64];
    if (text.size < sizeof copy && (text.size == 0 || !isspace((unsigned char)text.at[0]))) {
        if (text.size > 0) {
            memcpy(copy, text.at, text.size);
        }
        copy[text.size] = '\0';
        char *end;
        errno = 0;
        scan->cursor = strtoull(copy, &end, 10);
        if (end == copy + text.size && errno != ERANGE) {
            return true;
        }
    }
    reply_error(call->reply, "ERR invalid cursor");
    return false;
}

bool element_scan_options(struct call *call, struct element_scan *scan, const char *omits) {
    for (int i = 3; i < call->argc; i++) {
        bool has_next = i + 1 < call->argc;
        if (call_arg_is(call, i, "count") && has_next) {
            if (!call_integer(call, ++i, &scan->count)) {
                return false;
            }
            if (scan->count < 1) {
                reply_syntax_error(call->reply);
                return false;
            }
        } else if (call_arg_is(call, i, "match") && has_next) {
            i++;
            scan->pattern = glob_matches_all(call->args[i]) ? NULL : &call->args[i];
        } else if (omits != NULL && call_arg_is(call, i, omits)) {
            scan->no_values = true;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

bool element_scan_meets(struct element_scan *scan, struct bytes name) {
    bool matches = scan->pattern == NULL || glob_match(*scan->pattern, name, false);
    if (scan->is_replying) {
        return matches;
    }
    scan->seen++;
    scan->matching += matches;
    return false;
}

void element_scan_reply(struct element_scan *scan, int64_t parts,
                        uint64_t (*portion)(void *context, uint64_t cursor), void *context) {
    struct reply *reply = scan->call->reply;
    uint64_t cursor = scan->cursor;
    uint64_t portions_max = (uint64_t)scan->count * PORTIONS_EACH;
    uint64_t portions = 0;
    do {
        cursor = portion(context, cursor);
        portions++;
    } while (cursor != 0 && scan->seen < scan->count && portions < portions_max);
    char digits[NUM_I64_SIZE];
    reply_array(reply, 2);
    reply_bulk(reply, bytes_of(digits, num_format_u64(digits, cursor)));
    reply_array(reply, parts * scan->matching);
    scan->is_replying = true;
    cursor = scan->cursor;
    for (uint64_t i = 0; i < portions; i++) {
        cursor = portion(context, cursor);
    }
}

void element_scan_reply_none(struct call *call) {
    reply_array(call->reply, 2);
    reply_bulk_text(call->reply, "0");
    reply_array(call->reply, 0);
}
