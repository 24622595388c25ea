/* connection: what a connection says about itself before it works: PING, ECHO, AUTH, HELLO, SELECT,
 * RESET, QUIT. */
#include "command/tables.h"

#include "base/num.h"
#include "call/call.h"
#include "client/client.h"
#include "client/guard.h"
#include "call/control.h"
#include "command/client_name.h"
#include "persist/replication.h"

/* The protocol's versions. */
#define VERSION_LEAST 2
#define VERSION_MOST  3

/* To a subscriber in protocol 2 the answer looks like a message. */
static void ping(struct call *call) {
    if (call->argc > 2) {
        reply_bad_arity(call->reply, call->command->name);
    } else if (call->client->class_ == CLIENT_CLASS_PUBSUB && call->client->version == 2) {
        reply_literal(call->reply, "*2\r\n$4\r\npong\r\n");
        reply_bulk(call->reply, call->argc == 2 ? call->args[1] : bytes_of("", 0));
    } else if (call->argc == 2) {
        reply_bulk(call->reply, call->args[1]);
    } else {
        reply_literal(call->reply, "+PONG\r\n");
    }
}

static void echo(struct call *call) {
    reply_bulk(call->reply, call->args[1]);
}

static void select_database(struct call *call) {
    int64_t index;
    if (!call_integer_between(call, 1, INT32_MIN, INT32_MAX, &index)) {
        return;
    }
    if (index < 0 || index >= call->keyspace->database_count) {
        reply_error(call->reply, "ERR DB index is out of range");
        return;
    }
    call->client->database = &call->keyspace->databases[index];
    call->database = call->client->database;
    reply_ok(call->reply);
}

/* Whether that is who it says, the error replied otherwise. A client that was known stays so when
 * it fails to prove to be somebody else. */
static bool authenticate(struct call *call, struct bytes user, struct bytes password) {
    const struct guard *guard = clients_guard(call->client->clients);
    if (!client_log_in(call->client, user, password)) {
        guard->note_login(guard->context, call, user);
        reply_error(call->reply, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    return true;
}

static void auth(struct call *call) {
    if (call->argc > 3) {
        reply_syntax_error(call->reply);
        return;
    }
    if (call->argc == 2 && !clients_need_password(call->client->clients)) {
        reply_error(call->reply,
                    "ERR AUTH <password> called without any password configured for the default "
                    "user. Are you sure your configuration is correct?");
        return;
    }
    struct bytes user = call->argc == 3 ? call->args[1] : bytes_text("default");
    if (authenticate(call, user, call->args[call->argc - 1])) {
        reply_ok(call->reply);
    }
}

/* The options behind HELLO's version, each done as it is read. False when one is refused. */
static bool take_hello_options(struct call *call) {
    for (int i = 2; i < call->argc; i++) {
        int behind = call->argc - i - 1;
        if (call_arg_is(call, i, "auth") && behind >= 2) {
            if (!authenticate(call, call->args[i + 1], call->args[i + 2])) {
                return false;
            }
            i += 2;
        } else if (call_arg_is(call, i, "setname") && behind >= 1) {
            if (!client_name_set(call, &call->client->name, call->args[i + 1])) {
                return false;
            }
            i++;
        } else {
            reply_errorf(call->reply, "ERR Syntax error in HELLO option '%.*s'",
                         bytes_printed(call->args[i]), call->args[i].at);
            return false;
        }
    }
    return true;
}

static void reply_hello(struct call *call) {
    struct reply *reply = call->reply;
    reply_map(reply, 7);
    reply_bulk_text(reply, "server");
    reply_bulk_text(reply, "redis");
    reply_bulk_text(reply, "version");
    reply_bulk_text(reply, LARDER_REDIS_VERSION);
    reply_bulk_text(reply, "proto");
    reply_integer(reply, call->client->version);
    reply_bulk_text(reply, "id");
    reply_integer(reply, (int64_t)call->client->id);
    reply_bulk_text(reply, "mode");
    reply_bulk_text(reply, "standalone");
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply,
                    replication_is_replica(call->context->replication) ? "replica" : "master");
    reply_bulk_text(reply, "modules");
    reply_array(reply, 0);
}

static void hello(struct call *call) {
    int64_t version = 0;
    if (call->argc > 1) {
        if (!num_parse_i64(call->args[1], &version)) {
            reply_error(call->reply, "ERR Protocol version is not an integer or out of range");
            return;
        }
        if (version < VERSION_LEAST || version > VERSION_MOST) {
            reply_error(call->reply, "NOPROTO unsupported protocol version");
            return;
        }
    }
    if (!take_hello_options(call)) {
        return;
    }
    if (!(call->client->flags & CLIENT_AUTHENTICATED)) {
        reply_error(call->reply,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO AUTH <user> <pass> option can be used to authenticate the client "
                    "and select the RESP protocol version at the same time");
        return;
    }
    if (version != 0) {
        call->client->version = (uint8_t)version;
        call->reply->version = (uint8_t)version;
    }
    reply_hello(call);
}

static void reset(struct call *call) {
    client_reset(call->client);
    call->reply->version = call->client->version;
    call->database = call->client->database;
    reply_literal(call->reply, "+RESET\r\n");
}

static void quit(struct call *call) {
    reply_ok(call->reply);
    client_close_after_reply(call->client);
}

/* What may be said before AUTH and while the server is busy with other things. */
#define STRANGER_FLAGS                                                                             \
    (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_NO_AUTH |         \
     COMMAND_ALLOW_BUSY)

static const struct command_row rows[] = {
    {.name = "ping",
     .fn = ping,
     .arity = -1,
     .flags = COMMAND_FAST | COMMAND_SUBSCRIBED,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .tips = TIP_ALL_SHARDS | TIP_ALL_SUCCEEDED,
     .group = GROUP_CONNECTION,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers PONG or the message, to show that the server is there.",
     .syntax = "[message]"},
    {.name = "echo",
     .fn = echo,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the message.",
     .syntax = "message"},
    {.name = "select",
     .fn = select_database,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Chooses the connection's database.",
     .syntax = "index"},
    {.name = "auth",
     .fn = auth,
     .arity = -2,
     .flags = STRANGER_FLAGS,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "1.0.0",
     .complexity = "O(N), N being the length of the password",
     .summary = "Proves with a password who the connection belongs to.",
     .syntax = "[username] password"},
    {.name = "hello",
     .fn = hello,
     .arity = -1,
     .flags = STRANGER_FLAGS,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Agrees on the protocol's version and introduces both sides.",
     .syntax = "[protover [AUTH username password] [SETNAME clientname]]"},
    {.name = "reset",
     .fn = reset,
     .arity = 1,
     .flags = STRANGER_FLAGS | COMMAND_SUBSCRIBED | COMMAND_AT_ONCE,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Puts the connection back into the state of a new one."},
    {.name = "quit",
     .fn = quit,
     .arity = -1,
     .flags = STRANGER_FLAGS | COMMAND_SUBSCRIBED | COMMAND_AT_ONCE,
     .categories = CATEGORY_FAST | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Closes the connection once all replies are sent.",
     .deprecated_since = "7.2.0",
     .replaced_by = "closing the connection"},
};

const struct command_table *command_connection(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
