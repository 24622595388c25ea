/* commands: commands that come as JSON: ["SET","k","v"], or arrays of those in an array. Words are
 * unescaped where they stand; each command becomes a request of the batch, so that those of a
 * pipeline are planned like those of a connection of its own.
 *
 * What is of a connection (its subscriptions, its name, its transaction) is not for a request that
 * may come over any connection: such commands are refused. */
#include <string.h>

#include "base/check.h"
#include "call/context.h"
#include "http/exchange.h"
#include "proto/json.h"

/* Whether it changes or watches the connection. */
static bool is_of_connection(const struct command *command) {
    const char *name = command->parent != NULL ? command->parent->row->name : command->row->name;
    static const char *const names[] = {
        "auth",      "hello",      "reset",      "quit",        "select",       "client",
        "multi",     "exec",       "discard",    "watch",       "unwatch",      "monitor",
        "asking",    "readonly",   "readwrite",  "sync",        "psync",        "replconf",
        "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static struct command *find(const struct http *http, const struct bytes *args, int argc) {
    const struct commands *commands = http->context->commands;
    struct command *command = commands_find(commands, args[0]);
    return command != NULL && command->child_count > 0 ? commands_resolve(commands, args, argc)
                                                       : command;
}

/* Reading commands. */
struct reading {
    struct http *http;
    struct protocol_parse *parse;
    struct json json;
    const char **text;
    int *status;
};

static int fail(const struct reading *reading, int status, const char *text) {
    *reading->status = status;
    *reading->text = text;
    return -1;
}

/* The words of a command, behind whose '[' it is: how many there are, or -1. Room for `extra` more
 * slices is there. */
static int read_words(struct reading *reading, size_t extra) {
    for (int argc = 0;; argc++) {
        struct bytes word;
        switch (json_next(&reading->json, &word)) {
        case JSON_ARRAY_END:
            return argc > 0 ? argc : fail(reading, 400, "a command has no words");
        case JSON_STRING:
        case JSON_NUMBER:
        case JSON_WORD:
            protocol_args(reading->parse, (size_t)argc + 1 + extra)[argc] = word;
            break;
        case JSON_ARRAY:
            return fail(reading, 400, "a word of a command is an array");
        default:
            return fail(reading, 400, "the body is not an array of words in JSON");
        }
    }
}

/* Adds the command whose words have been read; extra slices come with the first of many only. */
static void add(struct reading *reading, int argc, struct protocol_note note,
                const struct bytes *extra) {
    struct bytes *args = protocol_args(reading->parse, (size_t)argc + note.extra);
    memcpy(args + argc, extra, note.extra * sizeof *extra);
    struct command *command = find(reading->http, args, argc);
    note.words[0] = command != NULL && is_of_connection(command);
    protocol_add(reading->parse, command, argc, &note);
}

static bool add_single(struct reading *reading, const struct protocol_note *note,
                       const struct bytes *extra) {
    struct bytes ignored;
    int argc = read_words(reading, note->extra);
    if (argc < 0) {
        return false;
    }
    if (json_next(&reading->json, &ignored) != JSON_END) {
        fail(reading, 400, "something is behind the command");
        return false;
    }
    add(reading, argc, *note, extra);
    return true;
}

/* How many commands there are, looked at before any is added, since half a pipeline is none. The
 * words are unescaped by it, so it is done on a copy. */
static int64_t count_commands(struct reading *reading, struct bytes body) {
    char *copy = protocol_memory(reading->parse, body.size);
    struct json json;
    struct bytes word;
    int64_t count = 0;
    int words = 0;
    if (copy == NULL) {
        return fail(reading, 507, "there is no memory for these commands");
    }
    memcpy(copy, body.at, body.size);
    json_begin(&json, copy, body.size);
    for (;;) {
        switch (json_next(&json, &word)) {
        case JSON_ARRAY:
            if (json.depth > 2) {
                return fail(reading, 400, "a word of a command is an array");
            }
            count += json.depth == 2;
            words = 0;
            break;
        case JSON_ARRAY_END:
            if (json.depth == 1 && words == 0) {
                return fail(reading, 400, "a command has no words");
            }
            break;
        case JSON_END:
            return count;
        case JSON_BAD:
            return fail(reading, 400, "the body is not an array of arrays of words in JSON");
        default:
            if (json.depth != 2) {
                return fail(reading, 400, "a command is not an array");
            }
            words++;
            break;
        }
    }
}

/* A command of our own in front of what comes, or behind. */
static void add_own(struct reading *reading, struct command *command, const char *name,
                    struct protocol_note note, const struct bytes *extra) {
    struct bytes *args = protocol_args(reading->parse, 1 + note.extra);
    args[0] = bytes_text(name);
    memcpy(args + 1, extra, note.extra * sizeof *extra);
    note.words[0] = 0;
    protocol_add(reading->parse, command, 1, &note);
}

static bool add_many(struct reading *reading, const struct protocol_note *given,
                     const struct bytes *extra, struct bytes body) {
    const bool is_transaction = exchange_kind(given) == EXCHANGE_EXEC;
    int64_t count = count_commands(reading, body);
    struct protocol_note note = *given;
    struct bytes ignored;
    if (count < 0) {
        return false;
    }
    if (count > reading->http->options.pipeline_max) {
        fail(reading, 413, "more commands than http-max-commands allows");
        return false;
    }
    if (count == 0) {
        fail(reading, 400, "there are no commands");
        return false;
    }
    if (is_transaction) {
        note.kind = (note.kind & ~0xffU) | EXCHANGE_QUEUE | EXCHANGE_FIRST;
        add_own(reading, reading->http->commands.multi, "MULTI", note, extra);
        note.kind &= ~(unsigned)EXCHANGE_FIRST;
    }
    (void)json_next(&reading->json, &ignored);
    for (int64_t i = 0; i < count; i++) {
        struct protocol_note one = note;
        if (!is_transaction) {
            one.kind |= i == 0 ? (unsigned)EXCHANGE_FIRST : 0u;
            one.kind |= i == count - 1 ? (unsigned)EXCHANGE_LAST : 0u;
        }
        (void)json_next(&reading->json, &ignored);
        int argc = read_words(reading, one.extra);
        check(argc > 0);
        add(reading, argc, one, extra);
    }
    if (is_transaction) {
        note.kind = given->kind | EXCHANGE_LAST;
        add_own(reading, reading->http->commands.exec, "EXEC", note, extra);
    }
    return true;
}

bool commands_add(struct http *http, struct protocol_parse *parse, struct protocol_note *note,
                  const struct bytes *extra, struct bytes body, const char **text, int *status) {
    struct reading reading = {.http = http, .parse = parse, .text = text, .status = status};
    struct bytes ignored;
    json_begin(&reading.json, parse->window + (body.at - parse->window), body.size);
    if (exchange_kind(note) != EXCHANGE_COMMAND) {
        return add_many(&reading, note, extra, body);
    }
    if (json_next(&reading.json, &ignored) != JSON_ARRAY) {
        fail(&reading, 400, "the body is not an array of words in JSON");
        return false;
    }
    return add_single(&reading, note, extra);
}
