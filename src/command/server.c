/* server: the server as a whole: INFO, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB, TIME, ROLE, SHUTDOWN. */
#include "command/tables.h"

#include <limits.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/num.h"
#include "call/pass_on.h"
#include "call/call.h"
#include "client/busy.h"
#include "client/client.h"
#include "call/control.h"
#include "persist/saving.h"
#include "store/keyspace.h"

/* Sections as a set of bits. */
#define SECTION(section) (1u << METRIC_##section)
#define SECTIONS_ALL     ((1u << METRIC_SECTIONS) - 1)
/* What INFO shows when it is not told: all but what has a line for each command, and threads. */
#define SECTIONS_DEFAULT                                                                           \
    (SECTIONS_ALL & ~(SECTION(COMMANDSTATS) | SECTION(LATENCYSTATS) | SECTION(THREADS)))
_Static_assert(METRIC_SECTIONS < 32, "the sections fit into a set of bits");

static unsigned sections_named(struct bytes name) {
    if (bytes_is(name, "all") || bytes_is(name, "everything")) {
        return SECTIONS_ALL;
    }
    if (bytes_is(name, "default")) {
        return SECTIONS_DEFAULT;
    }
    for (unsigned section = 0; section < METRIC_SECTIONS; section++) {
        if (bytes_is(name, metrics_section_name((enum metric_section)section))) {
            return 1u << section;
        }
    }
    return 0;
}

static void info(struct call *call) {
    unsigned sections = call->argc == 1 ? SECTIONS_DEFAULT : 0;
    for (int i = 1; i < call->argc; i++) {
        sections |= sections_named(call->args[i]);
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    for (unsigned section = 0; section < METRIC_SECTIONS; section++) {
        if (!(sections & 1u << section)) {
            continue;
        }
        if (text.size > 0) {
            buffer_append_text(&text, "\r\n");
        }
        metrics_print_section(call->context->metrics, (enum metric_section)section, &text);
    }
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_clear(&text);
}

static void dbsize(struct call *call) {
    reply_integer(call->reply, (int64_t)dict_size(&call->database->keys));
}

/* Whether FLUSHDB and FLUSHALL leave the freeing to the background; false when the arguments are
 * wrong, and then the error has been replied. */
static bool parse_flush(struct call *call, bool *lazy) {
    *lazy = call->keyspace->options.lazy_user_flush;
    if (call->argc == 1) {
        return true;
    }
    bool async = call_arg_is(call, 1, "async");
    if (call->argc > 2 || (!async && !call_arg_is(call, 1, "sync"))) {
        reply_syntax_error(call->reply);
        return false;
    }
    *lazy = async;
    return true;
}

static void flushdb(struct call *call) {
    bool lazy;
    if (parse_flush(call, &lazy)) {
        keyspace_flush(call->keyspace, call->database->id, lazy);
        call_pass_on_itself(call);
        reply_ok(call->reply);
    }
}

static void flushall(struct call *call) {
    bool lazy;
    if (parse_flush(call, &lazy)) {
        keyspace_flush(call->keyspace, -1, lazy);
        call_pass_on_itself(call);
        reply_ok(call->reply);
    }
}

/* What does not fit an int is no index at all, even if it is a number. */
static bool parse_index(struct bytes text, int64_t *index) {
    return num_parse_i64(text, index) && *index >= INT_MIN && *index <= INT_MAX;
}

static void swapdb(struct call *call) {
    int64_t a;
    int64_t b;
    if (!parse_index(call->args[1], &a)) {
        reply_error(call->reply, "ERR invalid first DB index");
        return;
    }
    if (!parse_index(call->args[2], &b)) {
        reply_error(call->reply, "ERR invalid second DB index");
        return;
    }
    int count = call->keyspace->database_count;
    if (a < 0 || a >= count || b < 0 || b >= count) {
        reply_error(call->reply, "ERR DB index is out of range");
        return;
    }
    keyspace_swap(call->keyspace, (int)a, (int)b);
    reply_ok(call->reply);
}

/* The one command that shows the time itself, and in microseconds: it reads the clock, unless a
 * test drives that. */
static void time_now(struct call *call) {
    const struct clock *clock = call->context->clock;
    int64_t now_us = clock->driven ? clock->now_ms * 1000 : clock_wall_us();
    if (call->script_us != NULL) { /* whose time stands still */
        *call->script_us = *call->script_us == 0 ? now_us : *call->script_us;
        now_us = *call->script_us;
    }
    reply_array(call->reply, 2);
    reply_bulk_integer(call->reply, now_us / 1000000);
    reply_bulk_integer(call->reply, now_us % 1000000);
}

static void shutdown_abort(struct call *call) {
    const struct server_control *control = call->context->control;
    if (call->argc != 2) {
        reply_syntax_error(call->reply);
    } else if (control->shutdown_abort(control->server)) {
        reply_ok(call->reply);
    } else {
        reply_error(call->reply, "ERR No shutdown in progress.");
    }
}

/* Has no reply when it succeeds: the connection's end is the answer. */
static void shutdown_server(struct call *call) {
    const struct server_control *control = call->context->control;
    bool save = false;
    bool nosave = false;
    bool now = false;
    bool force = false;
    for (int i = 1; i < call->argc; i++) {
        if (call_arg_is(call, i, "abort")) {
            shutdown_abort(call);
            return;
        }
        if (call_arg_is(call, i, "now")) {
            now = true;
        } else if (call_arg_is(call, i, "save")) {
            save = true;
        } else if (call_arg_is(call, i, "nosave")) {
            nosave = true;
        } else if (call_arg_is(call, i, "force")) {
            force = true;
        } else {
            reply_syntax_error(call->reply);
            return;
        }
    }
    if (save && nosave) {
        reply_syntax_error(call->reply);
        return;
    }
    const char *busy_text = clients_busy_text(call->client->clients);
    if (busy_text != NULL && !nosave) {
        reply_error(call->reply, busy_text);
        return;
    }
    unsigned flags = (now ? CONTROL_SHUTDOWN_NOW : 0) | (force ? CONTROL_SHUTDOWN_FORCE : 0);
    if (save || (!nosave && saving_is_wanted(call->context->saving))) {
        flags |= CONTROL_SHUTDOWN_SAVE;
    }
    if (busy_text != NULL) {
        clients_abandon_busy(call->client->clients);
    }
    if (!control->shutdown(control->server, flags)) {
        reply_error(call->reply, "ERR Errors trying to SHUTDOWN. Check logs.");
    }
}

static const struct command_row rows[] = {
    {.name = "info",
     .fn = info,
     .arity = -1,
     .flags = COMMAND_STILL | COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .tips = TIP_CHANCE | TIP_ALL_SHARDS | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Shows figures about the server, in sections.",
     .syntax = "[section [section ...]]"},
    {.name = "dbsize",
     .fn = dbsize,
     .arity = 1,
     .flags = COMMAND_READONLY | COMMAND_FAST,
     .categories = CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_FAST,
     .tips = TIP_ALL_SHARDS | TIP_SUM,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Counts the keys of the database."},
    {.name = "flushdb",
     .fn = flushdb,
     .arity = -1,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .tips = TIP_ALL_SHARDS | TIP_ALL_SUCCEEDED,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(N) with the keys of the database, O(1) when in the background.",
     .summary = "Removes all keys of the database.",
     .syntax = "[ASYNC|SYNC]"},
    {.name = "flushall",
     .fn = flushall,
     .arity = -1,
     .flags = COMMAND_WRITE,
     .categories = CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .tips = TIP_ALL_SHARDS | TIP_ALL_SUCCEEDED,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(N) with all keys, O(1) when in the background.",
     .summary = "Removes all keys of all databases.",
     .syntax = "[ASYNC|SYNC]"},
    {.name = "swapdb",
     .fn = swapdb,
     .arity = 3,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_FAST | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Exchanges the content of two databases.",
     .syntax = "index1 index2"},
    {.name = "time",
     .fn = time_now,
     .arity = 1,
     .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .categories = CATEGORY_FAST,
     .tips = TIP_CHANCE,
     .group = GROUP_SERVER,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Shows the server's time in seconds and microseconds."},
    {.name = "shutdown",
     .fn = shutdown_server,
     .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE |
              COMMAND_NO_MULTI | COMMAND_ALLOW_BUSY,
     .categories = CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Ends the server.",
     .syntax = "[NOSAVE|SAVE] [NOW] [FORCE] [ABORT]"},
};

const struct command_table *command_server(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
