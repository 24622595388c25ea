/* refusal: see the header. What is asked for each request of a plain client is asked shortly in
 * dispatch.c (is_welcome) first; here is the whole. */
#include "client/refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "call/control.h"
#include "call/unknown.h"
#include "client/busy.h"
#include "client/client.h"
#include "client/transaction.h"
#include "store/evict.h"

/* How much of an unknown command and its arguments an error repeats. */
#define SHOWN_MAX 128

/* How much of a word an error shows: as in Redis, what stands before its first NUL byte. */
static size_t shown(struct bytes text, size_t max) {
    return strnlen(text.at, text.size < max ? text.size : max);
}

/* Strangers do not get to fill the log. */
static void note_unknown(const struct call *call, struct bytes name, struct bytes subcommand) {
    if (call->client->flags & CLIENT_AUTHENTICATED && call->context->unknown != NULL) {
        unknown_note(call->context->unknown, name, subcommand);
    }
}

static void reply_unknown(const struct call *call) {
    const struct bytes *args = call->args;
    if (bytes_is(args[0], "post") || bytes_is(args[0], "host:")) {
        char name[SOCKET_NAME_SIZE];
        client_peer_name(call->client, name);
        log_warning("Closing %s: it sent an HTTP request to the port of the Redis protocol. If a "
                    "web page did this, somebody tries to reach the server through a browser.",
                    name);
        client_close(call->client);
        return;
    }
    char list[SHOWN_MAX * 2];
    size_t size = 0;
    for (int i = 1; i < call->argc && size < SHOWN_MAX; i++) {
        size_t part = shown(args[i], SHOWN_MAX - size);
        list[size++] = '\'';
        memcpy(list + size, args[i].at, part);
        size += part;
        list[size++] = '\'';
        list[size++] = ' ';
    }
    reply_errorf(call->reply, "ERR unknown command '%.*s', with args beginning with: %.*s",
                 (int)shown(args[0], SHOWN_MAX), args[0].at, (int)size, list);
}

static bool is_malformed(const struct call *call) {
    const struct command *command = call->command;
    if (UNLIKELY(command->fn == NULL)) {
        /* A container whose subcommand is missing or unknown. */
        if (call->argc < 2) {
            reply_bad_arity(call->reply, command->name);
        } else {
            reply_unknown_subcommand(call->reply, command->name, call->args[1]);
            note_unknown(call, bytes_text(command->name), call->args[1]);
        }
        return true;
    }
    if (UNLIKELY(command->arity > 0 ? call->argc != command->arity
                                    : call->argc < -command->arity)) {
        reply_bad_arity(call->reply, command->name);
        return true;
    }
    return false;
}

/* EXEC is what it executes. */
static unsigned flags_of(const struct call *call) {
    unsigned flags = call->command->flags;
    return flags & COMMAND_RUNS_QUEUE ? flags | transaction_flags(call->client) : flags;
}

enum guard_verdict refusal_by_guard(const struct call *call, enum guard_way way,
                                    char text[REFUSAL_TEXT_SIZE]) {
    const struct client *client = call->client;
    const struct guard *guard = clients_guard(client->clients);
    int at;
    if (LIKELY(!(client->flags & CLIENT_RESTRICTED))) {
        return GUARD_ALLOWED;
    }
    enum guard_verdict verdict =
        guard->judge(guard->context, client->user, call->command, call->args, call->argc, &at);
    if (LIKELY(verdict == GUARD_ALLOWED)) {
        return GUARD_ALLOWED;
    }
    guard->note(guard->context, call, verdict, at, way);
    struct bytes name = guard->name(client->user);
    if (verdict == GUARD_COMMAND) {
        snprintf(text, REFUSAL_TEXT_SIZE, "User %.*s has no permissions to run the '%s' command",
                 (int)shown(name, SHOWN_MAX), name.at, call->command->row->name);
    } else {
        snprintf(text, REFUSAL_TEXT_SIZE, "No permissions to access a %s",
                 verdict == GUARD_KEY ? "key" : "channel");
    }
    return verdict;
}

static bool is_denied(const struct call *call) {
    char text[REFUSAL_TEXT_SIZE];
    enum guard_way way = call->client->flags & CLIENT_MULTI ? GUARD_TRANSACTION : GUARD_TOPLEVEL;
    if (refusal_by_guard(call, way, text) == GUARD_ALLOWED) {
        return false;
    }
    reply_errorf(call->reply, "NOPERM %s", text);
    return true;
}

bool refusal_in_queue(struct call *call) {
    static const char *const reasons[] = {
        [GUARD_COMMAND] = "no permission to execute the command or subcommand",
        [GUARD_KEY] = "no permission to touch the specified keys",
        [GUARD_CHANNEL] = "no permission to access one of the channels used as arguments",
    };
    char text[REFUSAL_TEXT_SIZE];
    enum guard_verdict verdict = refusal_by_guard(call, GUARD_TRANSACTION, text);
    if (LIKELY(verdict == GUARD_ALLOWED)) {
        return false;
    }
    call->command->rejected++;
    reply_errorf(call->reply,
                 "NOPERM ACLs rules changed between the moment the transaction was accumulated "
                 "and the EXEC call. This command is no longer allowed for the following reason: "
                 "%s",
                 reasons[verdict]);
    return true;
}

/* By what the server is to others: a replica, a primary without enough replicas. */
static bool is_misplaced(const struct call *call, unsigned flags) {
    const struct control_role *role = &call->context->control->role;
    if (UNLIKELY(role->lonely) && flags & COMMAND_WRITE) {
        reply_error(call->reply, "NOREPLICAS Not enough good replicas to write.");
        return true;
    }
    if (UNLIKELY(role->read_only) && flags & COMMAND_WRITE) {
        reply_error(call->reply, "READONLY You can't write against a read only replica.");
        return true;
    }
    if (UNLIKELY(role->stale) && !(flags & COMMAND_STALE)) {
        reply_error(call->reply, "MASTERDOWN Link with MASTER is down and "
                                 "replica-serve-stale-data is set to 'no'.");
        return true;
    }
    return false;
}

/* By the state that the client and the server are in. */
static bool is_forbidden(const struct call *call) {
    const struct client *client = call->client;
    const unsigned flags = flags_of(call);
    struct evict *evict = call->context->evict;
    if (UNLIKELY(client->flags & CLIENT_PRIMARY)) {
        return false;
    }
    if (UNLIKELY(!(client->flags & CLIENT_AUTHENTICATED)) && !(flags & COMMAND_NO_AUTH)) {
        reply_error(call->reply, "NOAUTH Authentication required.");
        return true;
    }
    const char *busy_text = clients_busy_text(client->clients);
    if (UNLIKELY(busy_text != NULL) && !(flags & COMMAND_ALLOW_BUSY)) {
        reply_error(call->reply, busy_text);
        return true;
    }
    if (UNLIKELY(client->flags & CLIENT_MULTI && flags & COMMAND_NO_MULTI)) {
        reply_error(call->reply, "ERR Command not allowed inside a transaction");
        return true;
    }
    if (UNLIKELY(client->flags & CLIENT_RESTRICTED) && is_denied(call)) {
        return true;
    }
    if (UNLIKELY(call->context->control->loading == CONTROL_LOADING_ALONE) &&
        !(flags & COMMAND_LOADING)) {
        reply_error(call->reply, "LOADING Redis is loading the dataset in memory");
        return true;
    }
    if (flags & COMMAND_DENYOOM && UNLIKELY(evict_is_over(evict)) && !evict_make_room(evict)) {
        reply_no_memory(call->reply);
        return true;
    }
    if (is_misplaced(call, flags)) {
        return true;
    }
    /* Some clients look with PING whether all is well. */
    if (UNLIKELY(call->context->control->refuses_writes) &&
        (flags & COMMAND_WRITE || strcmp(call->command->name, "ping") == 0)) {
        reply_error(call->reply,
                    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable "
                    "to persist to disk. Commands that may modify the data set are disabled, "
                    "because this instance is configured to report errors during writes if RDB "
                    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the "
                    "Redis logs for details about the RDB error.");
        return true;
    }
    /* A monitor's connection is for watching: as in Redis, it may not read or write keys. */
    if (UNLIKELY(client->flags & CLIENT_MONITOR) &&
        flags & (COMMAND_READONLY | COMMAND_WRITE | COMMAND_MAY_REPLICATE)) {
        reply_error(call->reply, "ERR Replica can't interact with the keyspace");
        return true;
    }
    /* In protocol 2 a subscriber's connection carries messages, and nothing that could be taken
     * for one. */
    if (UNLIKELY(client->class_ == CLIENT_CLASS_PUBSUB) && client->version == 2 &&
        !(flags & COMMAND_SUBSCRIBED)) {
        reply_errorf(call->reply,
                     "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                     "QUIT / RESET are allowed in this context",
                     call->command->name);
        return true;
    }
    return false;
}

static bool is_refused(struct call *call) {
    /* For the log of what is refused, too. */
    call->client->last_command = call->command;
    if (UNLIKELY(call->command == NULL)) {
        reply_unknown(call);
        note_unknown(call, call->args[0], bytes_of(NULL, 0));
    } else if (is_malformed(call) || is_forbidden(call)) {
        call->command->rejected++;
    } else {
        return false;
    }
    transaction_spoil(call->client);
    return true;
}

/* Why EXEC is refused stands in its own error; the error's code is kept, unless it says nothing. */
static void reply_aborted(struct reply *reply, struct reply *why) {
    struct bytes text = bytes_of(why->start, (size_t)(why->at - why->start));
    size_t skip = text.size > 5 && memcmp(text.at, "-ERR ", 5) == 0 ? 5 : 1;
    size_t end = text.size > 2 ? text.size - 2 : text.size; /* before CR LF */
    reply_errorf(reply, "EXECABORT Transaction discarded because of: %.*s", (int)(end - skip),
                 text.at + skip);
}

bool refusal_due(struct call *call) {
    if (LIKELY(call->command == NULL || !(call->command->flags & COMMAND_RUNS_QUEUE))) {
        return is_refused(call);
    }
    struct reply *reply = call->reply;
    struct reply why;
    reply_init(&why);
    why.version = reply->version;
    call->reply = &why;
    bool refused = is_refused(call);
    call->reply = reply;
    if (refused) {
        reply_aborted(reply, &why);
        transaction_end(call->client);
    }
    reply_free(&why);
    return refused;
}
