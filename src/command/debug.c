/* debug: DEBUG: what test suites need: replies of every type, many keys at once, a server that
 * sleeps, a look at what a value takes. Closed unless enable-debug-command opens it. */
#include "command/tables.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/call.h"
#include "call/control.h"
#include "command/debug_digest.h"
#include "command/guard.h"
#include "persist/replication.h"
#include "persist/saving.h"
#include "store/access.h"
#include "store/keyspace.h"
#include "types/value.h"

/* The longest text that STRINGMATCH-LEN makes. */
#define TEXT_SIZE_MAX (64 * 1024 * 1024)
/* The largest value that POPULATE makes, so that one slip of a finger does not end the process. */
#define POPULATE_SIZE_MAX (512 * 1024 * 1024)
/* Elements looked at for the size of a value. */
#define FOOTPRINT_SAMPLES 16

static void debug_sleep(struct call *call) {
    char text[64];
    size_t size = call->args[2].size < sizeof text - 1 ? call->args[2].size : sizeof text - 1;
    memcpy(text, call->args[2].at, size);
    text[size] = '\0';
    double seconds = strtod(text, NULL);
    /* Not a number, or too large for the type: no sleep. */
    if (seconds > 0 && seconds < 1e9) {
        struct timespec left = {.tv_sec = (time_t)seconds};
        left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
        while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
    }
    reply_ok(call->reply);
}

static void append_report(void *context, const char *text) {
    buffer_append_text(context, text);
}

static void debug_jmap(struct call *call) {
    struct buffer report;
    buffer_init(&report, MEM_OTHER);
    mem_allocator_report(append_report, &report);
    reply_verbatim(call->reply, "txt", buffer_bytes(&report));
    buffer_clear(&report);
}

static void debug_object(struct call *call) {
    struct key key = call_key(call, 2);
    const struct entry *entry = keyspace_peek(call->keyspace, &key);
    if (entry == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    buffer_printf(&text,
                  "Value at:%p refcount:1 encoding:%s serializedlength:%zu lru:%u "
                  "lru_seconds_idle:%lld",
                  (const void *)entry, value_encoding_name(entry),
                  value_footprint(entry, FOOTPRINT_SAMPLES), entry->access,
                  (long long)(call->keyspace->access_rule == ACCESS_RECENCY
                                  ? access_idle_ms(entry, call->now_ms) / 1000
                                  : 0));
    reply_status(call->reply, buffer_text(&text));
    buffer_clear(&text);
}

static void debug_set_active_expire(struct call *call) {
    int64_t on = 0;
    (void)num_parse_i64(call->args[2], &on);
    call->keyspace->expire_paused = on == 0;
    reply_ok(call->reply);
}

static void debug_change_repl_id(struct call *call) {
    replication_change_id(call->context->replication);
    reply_ok(call->reply);
}

/* Whether a text of so many times `a` matches: what a pattern with many stars costs. */
static void debug_stringmatch_len(struct call *call) {
    int64_t size;
    if (!call_integer_between(call, 2, 0, TEXT_SIZE_MAX, &size)) {
        return;
    }
    char *text = mem_try_alloc(MEM_OTHER, (size_t)size + 1);
    if (text == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    memset(text, 'a', (size_t)size);
    reply_integer(call->reply, glob_match(call->args[3], bytes_of(text, (size_t)size), false));
    mem_free(MEM_OTHER, text, (size_t)size + 1);
}

static void debug_error(struct call *call) {
    reply_errorf(call->reply, "%.*s", bytes_printed(call->args[2]), call->args[2].at);
}

static void debug_log(struct call *call) {
    log_warning("DEBUG LOG: %.*s", bytes_printed(call->args[2]), call->args[2].at);
    reply_ok(call->reply);
}

/* Replies that are more than a header. */

static void protocol_attribute(struct reply *reply) {
    if (reply_attribute(reply, 1)) {
        reply_bulk_text(reply, "key-popularity");
        reply_array(reply, 2);
        reply_bulk_text(reply, "key:123");
        reply_integer(reply, 90);
    }
    reply_bulk_text(reply, "Some real reply following the attribute");
}

static void protocol_push(struct reply *reply) {
    if (reply->version < 3) {
        reply_error(reply, "ERR RESP2 is not supported by this command");
        return;
    }
    reply_push(reply, 2);
    reply_bulk_text(reply, "server-cpu-usage");
    reply_integer(reply, 42);
    /* A push is not an answer, so one follows. */
    reply_bulk_text(reply, "Some real reply following the push reply");
}

static void protocol_map(struct reply *reply) {
    reply_map(reply, 3);
    for (int i = 0; i < 3; i++) {
        reply_integer(reply, i);
        reply_boolean(reply, i == 1);
    }
}

static void protocol_row(struct reply *reply) {
    for (int i = 0; i < 3; i++) {
        reply_integer(reply, i);
    }
}

static void debug_protocol(struct call *call) {
    struct reply *reply = call->reply;
    if (call_arg_is(call, 2, "string")) {
        reply_bulk_text(reply, "Hello World");
    } else if (call_arg_is(call, 2, "integer")) {
        reply_integer(reply, 12345);
    } else if (call_arg_is(call, 2, "double")) {
        reply_double(reply, 3.141);
    } else if (call_arg_is(call, 2, "null")) {
        reply_null(reply);
    } else if (call_arg_is(call, 2, "array")) {
        reply_array(reply, 3);
        protocol_row(reply);
    } else if (call_arg_is(call, 2, "set")) {
        reply_set(reply, 3);
        protocol_row(reply);
    } else if (call_arg_is(call, 2, "map")) {
        protocol_map(reply);
    } else if (call_arg_is(call, 2, "attrib")) {
        protocol_attribute(reply);
    } else if (call_arg_is(call, 2, "push")) {
        protocol_push(reply);
    } else if (call_arg_is(call, 2, "verbatim")) {
        reply_verbatim(reply, "txt", bytes_text("This is a verbatim\nstring"));
    } else if (call_arg_is(call, 2, "true") || call_arg_is(call, 2, "false")) {
        reply_boolean(reply, call_arg_is(call, 2, "true"));
    } else if (call_arg_is(call, 2, "bignum")) {
        reply_big_number(reply, bytes_text("1234567999999999999999999999999999999"));
    } else {
        reply_error(reply, "ERR Wrong protocol type name. Please use one of the following: "
                           "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|"
                           "true|false");
    }
}

/* Adds one key unless it is there. False when there is no memory. */
static bool populate_one(struct call *call, struct bytes name, struct bytes value) {
    struct key key = keyspace_key(call->keyspace, call->database, name);
    if (keyspace_peek(call->keyspace, &key) != NULL) {
        return true;
    }
    if (keyspace_assign_text(call->keyspace, &key, NULL, value, NULL, ENTRY_NO_DEADLINE) == NULL) {
        return false;
    }
    keyspace_changed(call->keyspace, &key, KEYSPACE_STRING, "set");
    return true;
}

/* POPULATE count [prefix] [size]: prefix:N with value:N, padded with NUL or cut to the size. */
static void debug_populate(struct call *call) {
    int64_t numbers[2] = {0, -1};
    for (int i = 0; i < 2; i++) {
        int argument = i == 0 ? 2 : 4;
        int64_t most = i == 0 ? INT64_MAX : POPULATE_SIZE_MAX;
        if (argument < call->argc && (!num_parse_i64(call->args[argument], &numbers[i]) ||
                                      numbers[i] < 0 || numbers[i] > most)) {
            reply_error(call->reply, "ERR value is out of range, must be positive");
            return;
        }
    }
    struct bytes prefix = call->argc > 3 ? call->args[3] : bytes_text("key");
    struct buffer name;
    struct buffer value;
    buffer_init(&name, MEM_OTHER);
    buffer_init(&value, MEM_OTHER);
    bool stored = true;
    for (int64_t i = 0; stored && i < numbers[0]; i++) {
        name.size = 0;
        buffer_append(&name, prefix.at, prefix.size);
        buffer_printf(&name, ":%lld", (long long)i);
        value.size = 0;
        buffer_printf(&value, "value:%lld", (long long)i);
        if (numbers[1] >= 0 && value.size < (size_t)numbers[1]) {
            size_t more = (size_t)numbers[1] - value.size;
            memset(buffer_reserve(&value, more), 0, more);
        }
        value.size = numbers[1] >= 0 ? (size_t)numbers[1] : value.size;
        stored = populate_one(call, buffer_bytes(&name), buffer_bytes(&value));
    }
    buffer_clear(&name);
    buffer_clear(&value);
    if (stored) {
        reply_ok(call->reply);
    } else {
        reply_no_memory(call->reply);
    }
}

/* RELOAD [MERGE] [NOFLUSH] [NOSAVE]: what is stored, functions too, is saved and gives way to what
 * the file has then. */
static void debug_reload(struct call *call) {
    const struct server_control *control = call->context->control;
    bool merges = false;
    bool flushes = true;
    bool saves = true;
    for (int i = 2; i < call->argc; i++) {
        if (call_arg_is(call, i, "merge")) {
            merges = true;
        } else if (call_arg_is(call, i, "noflush")) {
            flushes = false;
        } else if (call_arg_is(call, i, "nosave")) {
            saves = false;
        } else {
            reply_error(call->reply, "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE "
                                     "options.");
            return;
        }
    }
    if (saves && !saving_save(call->context->saving)) {
        reply_error(call->reply, "ERR");
        return;
    }
    if (flushes) {
        keyspace_flush(call->keyspace, -1, false);
    }
    if (flushes && control->libraries.drop_all != NULL) {
        control->libraries.drop_all(control->server);
    }
    if (control->reload(control->server, merges)) {
        reply_ok(call->reply);
    } else {
        reply_error(call->reply, "ERR Error trying to load the RDB dump, check server logs.");
    }
}

/* A defect ends the process with a line that names it. */
static void debug_validate(struct call *call) {
    keyspace_validate(call->keyspace);
    reply_ok(call->reply);
}

/* What a crash looks like in the log: the three ways to die. The page is made for it, so that a
 * compiler has nothing to say. */
static void debug_segfault(struct call *call) {
    (void)call;
    volatile char *page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 'x';
}

static void debug_assert(struct call *call) {
    check(call == NULL);
}

static void debug_panic(struct call *call) {
    (void)call;
    check_failed("called by DEBUG PANIC", __FILE__, __LINE__);
}

static void debug_help(struct call *call) {
    static const char *const lines[] = {
        "ASSERT",
        "    Let a check fail: the server dies, with a report in the log.",
        "CHANGE-REPL-ID",
        "    Draw a new replication id.",
        "DIGEST",
        "    A text that is the same for two servers with the same content.",
        "DIGEST-VALUE [<key> ...]",
        "    Such a text for the value of each key.",
        "ERROR <text>",
        "    Answer with this error.",
        "JMAP",
        "    The allocator's own report.",
        "LOG <text>",
        "    Write a line into the server's log.",
        "OBJECT <key>",
        "    What is known of a key's value inside the server.",
        "PANIC",
        "    Die as after a mistake that cannot be mended, with a report in the log.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Add so many keys, named prefix:0 and so on (the prefix is key unless given).",
        "PROTOCOL <type>",
        "    Answer with a value of that type of the protocol.",
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "    Save, unless with NOSAVE, and load the file of the data anew: with NOFLUSH into",
        "    what is stored; with MERGE its keys replace those that are there.",
        "SEGFAULT",
        "    Touch memory that is not there: the server dies, with a report in the log.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    With 0 only commands that meet an expired key remove it.",
        "SLEEP <seconds>",
        "    Do nothing for that long, fractions allowed, and serve nobody.",
        "STRINGMATCH-LEN <length> <pattern>",
        "    Whether the pattern matches a text of that many times the letter a.",
        "VALIDATE",
        "    Look at everything that is stored, and end the process if anything is wrong.",
        NULL,
    };
    reply_help(call->reply, "DEBUG", lines);
}

static const struct {
    const char *name;
    int argc_min;
    int argc_max;
    void (*fn)(struct call *call);
} subcommands[] = {
    {"sleep", 3, 3, debug_sleep},
    {"jmap", 2, 2, debug_jmap},
    {"object", 3, 4, debug_object},
    {"set-active-expire", 3, 3, debug_set_active_expire},
    {"change-repl-id", 2, 2, debug_change_repl_id},
    {"stringmatch-len", 4, 4, debug_stringmatch_len},
    {"error", 3, 3, debug_error},
    {"log", 3, 3, debug_log},
    {"protocol", 3, 3, debug_protocol},
    {"populate", 3, 5, debug_populate},
    {"reload", 2, 5, debug_reload},
    {"validate", 2, 2, debug_validate},
    {"segfault", 2, 2, debug_segfault},
    {"assert", 2, 2, debug_assert},
    {"panic", 2, 2, debug_panic},
    {"digest", 2, 2, debug_digest},
    {"digest-value", 2, INT_MAX, debug_digest_value},
    {"help", 2, 2, debug_help},
};

static void debug(struct call *call) {
    if (!guard_allows(call, "enable-debug-command")) {
        reply_error(call->reply,
                    "ERR DEBUG command not allowed. If the enable-debug-command option is set to "
                    "\"local\", you can run it from a local connection, otherwise you need to set "
                    "this option in the configuration file, and then restart the server.");
        return;
    }
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++) {
        if (call_arg_is(call, 1, subcommands[i].name) && call->argc >= subcommands[i].argc_min &&
            call->argc <= subcommands[i].argc_max) {
            subcommands[i].fn(call);
            return;
        }
    }
    reply_bad_subcommand(call->reply, call->command->name, call->args[1]);
}

static const struct command_row rows[] = {
    {.name = "debug",
     .fn = debug,
     .arity = -2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Tools for testing the server."},
};

const struct command_table *command_debug(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
