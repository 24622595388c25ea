/* migrate: MIGRATE, which moves keys to another server: persist/migrate.h. The client waits for its
 * end as BLPOP's does, and others are served; within a transaction or a script nobody is. */
#include "base/num.h"
#include "call/call.h"
#include "call/pass_on.h"
#include "client/client.h"
#include "client/waiting.h"
#include "command/tables.h"
#include "persist/migrate.h"

#define TIMEOUT_DEFAULT_MS 1000
#define OPTIONS_AT         6

static bool parse_login(struct call *call, int *at, struct migrate_request *request) {
    bool named = call_arg_is(call, *at, "auth2");
    int words = named ? 2 : 1;
    if (*at + words >= call->argc) {
        reply_syntax_error(call->reply);
        return false;
    }
    request->user = named ? call->args[*at + 1] : bytes_of("", 0);
    request->password = call->args[*at + words];
    request->has_password = true;
    *at += words;
    return true;
}

/* The options, and the keys; false when the error has been replied. */
static bool parse_options(struct call *call, struct migrate_request *request) {
    request->keys = &call->args[3];
    request->key_count = 1;
    for (int i = OPTIONS_AT; i < call->argc; i++) {
        if (call_arg_is(call, i, "copy")) {
            request->copy = true;
        } else if (call_arg_is(call, i, "replace")) {
            request->replace = true;
        } else if (call_arg_is(call, i, "auth") || call_arg_is(call, i, "auth2")) {
            if (!parse_login(call, &i, request)) {
                return false;
            }
        } else if (call_arg_is(call, i, "keys")) {
            if (call->args[3].size > 0) {
                reply_error(call->reply, "ERR When using MIGRATE KEYS option, the key argument "
                                         "must be set to the empty string");
                return false;
            }
            request->keys = &call->args[i + 1 < call->argc ? i + 1 : i];
            request->key_count = call->argc - i - 1;
            break;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

static bool parse(struct call *call, struct migrate_request *request) {
    *request = (struct migrate_request){.host = call->args[1], .from = call->database->id};
    if (!parse_options(call, request) || !call_integer(call, 5, &request->timeout_ms) ||
        !call_integer(call, 4, &request->database)) {
        return false;
    }
    if (request->timeout_ms <= 0) {
        request->timeout_ms = TIMEOUT_DEFAULT_MS;
    }
    /* What is no port is like one that nobody listens on. */
    if (!num_parse_i64(call->args[2], &request->port)) {
        request->port = 0;
    }
    return true;
}

static bool has_any(struct call *call, const struct migrate_request *request) {
    for (int i = 0; i < request->key_count; i++) {
        struct key key = keyspace_key(call->keyspace, call->database, request->keys[i]);
        if (keyspace_peek(call->keyspace, &key) != NULL) {
            return true;
        }
    }
    return false;
}

static void reply_end(struct reply *reply, const struct migration *migration) {
    const char *error = migration_error(migration);
    if (error == NULL) {
        reply_ok(reply);
    } else {
        reply_error(reply, error);
    }
}

static void reply_waiter(struct call *call, const void *migration) {
    reply_end(call->reply, migration);
}

static void ended(struct context *context, uint64_t client_id, const struct migration *migration) {
    struct client *client = clients_find(context->clients, client_id);
    if (client != NULL) {
        waiting_end(client, reply_waiter, migration);
    }
}

static void migrate(struct call *call) {
    struct migrate_request request;
    if (!parse(call, &request)) {
        return;
    }
    if (!has_any(call, &request)) {
        reply_status(call->reply, "NOKEY");
        return;
    }
    /* What becomes of it is passed on as keys are removed. */
    call_pass_on_nothing(call);
    struct migration *migration = migrate_begin(call->context->migrations, &request);
    if (migration == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    if (!migration_is_over(migration) && waiting_may_begin(call)) {
        struct wait wait = {.type = ENTRY_LIST, .enduring = true};
        migrate_leave(migration, ended, call->client->id);
        waiting_begin(call, &wait);
        return;
    }
    migrate_wait(migration);
    reply_end(call->reply, migration);
    migrate_free(migration);
}

static const struct command_row rows[] = {
    {.name = "migrate",
     .fn = migrate,
     .arity = -6,
     .flags = COMMAND_WRITE | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_KEYSPACE | CATEGORY_WRITE | CATEGORY_SLOW | CATEGORY_DANGEROUS,
     .keys = {KEYS_RANGE(3, 0, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE),
              KEYS_BEHIND("KEYS", -2, -1, 1, 0, KEY_RW | KEY_ACCESS | KEY_DELETE | KEY_INCOMPLETE)},
     .tips = TIP_CHANCE,
     .group = GROUP_GENERIC,
     .since = "2.6.0",
     .complexity = "O(N) for the bytes of the values, here and there.",
     .summary = "Moves keys to another server.",
     .syntax = "host port <key|empty-string> destination-db timeout [COPY] [REPLACE] [AUTH "
               "password|AUTH2 username password] [KEYS key [KEYS key ...]]"},
};

const struct command_table *command_migrate(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
