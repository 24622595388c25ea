/* function_dump: libraries that travel: FUNCTION DUMP, FUNCTION RESTORE.
 *
 *     payload   245 1 | source ... | 245 1 | source ... | version 2 | CRC-64 of all before 8 */
#include "command/tables.h"

#include <stdio.h>

#include "call/call.h"
#include "call/context.h"
#include "call/pass_on.h"
#include "command/function_call.h"
#include "persist/crc64.h"
#include "persist/rdb_bytes.h"
#include "script/functions.h"

/* Before each source. */
#define RDB_FUNCTION 245
#define FOOTER_SIZE  10u

static void function_dump(struct call *call) {
    struct rdb_writer writer;
    rdb_writer_init(&writer, true);
    const struct library *library = functions_first(call->context->scripts);
    for (; library != NULL; library = library_next(library)) {
        rdb_write_byte(&writer, RDB_FUNCTION);
        rdb_write_string(&writer, library_source(library));
    }
    rdb_write_number(&writer, RDB_VERSION, 2);
    struct bytes written = rdb_written(&writer);
    rdb_write_number(&writer, crc64(0, written.at, written.size), 8);
    if (writer.failed) {
        reply_no_memory(call->reply);
    } else {
        reply_bulk(call->reply, rdb_written(&writer));
    }
    rdb_writer_clear(&writer);
}

static bool is_sound(struct bytes payload) {
    if (payload.size < FOOTER_SIZE) {
        return false;
    }
    struct bytes body = bytes_of(payload.at, payload.size - 8);
    struct rdb_reader footer = rdb_reader_of(bytes_of(body.at + body.size - 2, FOOTER_SIZE));
    uint64_t version;
    uint64_t sum;
    return rdb_read_number(&footer, 2, &version) && rdb_read_number(&footer, 8, &sum) &&
           version <= RDB_VERSION_VALKEY && sum == crc64(0, body.at, body.size);
}

/* Loads all sources of a payload. False with the error; what has been loaded is in the list all the
 * same. */
static bool load_all(struct scripts *scripts, struct rdb_reader *reader, struct library **list,
                     char error[FUNCTION_ERROR_SIZE]) {
    while (rdb_left(reader) > 0) {
        uint64_t type;
        struct rdb_text text = {.owned = NULL};
        if (!rdb_read_number(reader, 1, &type) || type != RDB_FUNCTION) {
            snprintf(error, FUNCTION_ERROR_SIZE, "given type is not a function");
            return false;
        }
        if (rdb_read_string(reader, &text) != 0) {
            rdb_text_clear(&text);
            snprintf(error, FUNCTION_ERROR_SIZE, "Failed loading library data");
            return false;
        }
        struct library *library = library_load(scripts, text.text, false, error);
        rdb_text_clear(&text);
        if (library == NULL) {
            return false;
        }
        *list = libraries_chain(*list, library);
    }
    return true;
}

/* False when it is none, which has been replied. */
static bool read_policy(struct call *call, enum functions_policy *policy) {
    *policy = FUNCTIONS_APPEND;
    if (call->argc == 3) {
        return true;
    }
    if (call->argc == 4 && call_arg_is(call, 3, "append")) {
        return true;
    }
    if (call->argc == 4 && call_arg_is(call, 3, "replace")) {
        *policy = FUNCTIONS_REPLACE;
        return true;
    }
    if (call->argc == 4 && call_arg_is(call, 3, "flush")) {
        *policy = FUNCTIONS_FLUSH;
        return true;
    }
    if (call->argc > 4) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
    } else {
        reply_error(call->reply, "ERR Wrong restore policy given, value should be either FLUSH, "
                                 "APPEND or REPLACE.");
    }
    return false;
}

static void function_restore(struct call *call) {
    struct scripts *scripts = call->context->scripts;
    struct bytes payload = call->args[2];
    enum functions_policy policy;
    if (!read_policy(call, &policy)) {
        return;
    }
    if (!is_sound(payload)) {
        reply_error(call->reply, "ERR DUMP payload version or checksum are wrong");
        return;
    }
    struct rdb_reader reader = rdb_reader_of(bytes_of(payload.at, payload.size - FOOTER_SIZE));
    struct library *list = NULL;
    char error[FUNCTION_ERROR_SIZE];
    if (!load_all(scripts, &reader, &list, error) ||
        !functions_join(scripts, list, policy, error)) {
        libraries_drop(scripts, list);
        function_reply_error(call, error);
        return;
    }
    call->keyspace->changes++;
    call_pass_on_itself(call);
    reply_ok(call->reply);
}

static const struct command_row rows[] = {
    {.name = "function|dump",
     .fn = function_dump,
     .arity = 2,
     .flags = COMMAND_NOSCRIPT,
     .categories = CATEGORY_SLOW | CATEGORY_SCRIPTING,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "O(N), N being the size of all libraries",
     .summary = "Shows all libraries in a form that FUNCTION RESTORE takes."},
    {.name = "function|restore",
     .fn = function_restore,
     .arity = -3,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_NOSCRIPT,
     .categories = CATEGORY_SLOW | CATEGORY_SCRIPTING | CATEGORY_WRITE,
     .tips = TIP_ALL_SHARDS | TIP_ALL_SUCCEEDED,
     .group = GROUP_SCRIPTING,
     .since = "7.0.0",
     .complexity = "That of the libraries' code",
     .summary = "Loads libraries as FUNCTION DUMP has shown them.",
     .syntax = "serialized-value [FLUSH|APPEND|REPLACE]"},
};

const struct command_table *command_function_dumps(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
