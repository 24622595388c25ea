/* client: CLIENT and its subcommands: who is connected, what they are called, and what may be done
 * to them. Those about tracking are in tracking.c. */
#include "command/tables.h"

#include <string.h>

#include "base/buffer.h"
#include "base/num.h"
#include "call/call.h"
#include "client/client.h"
#include "command/client_filter.h"
#include "command/client_name.h"

/* Answers the text as the human-readable kind, and frees it. */
static void reply_text(struct call *call, struct buffer *text) {
    reply_verbatim(call->reply, "txt", bytes_text(buffer_text(text)));
    buffer_clear(text);
}

/* Whether argument `index` is ON or OFF, *on says which; a syntax error is replied otherwise. */
static bool read_switch(struct call *call, int index, bool *on) {
    *on = call_arg_is(call, index, "on");
    if (!*on && !call_arg_is(call, index, "off")) {
        reply_syntax_error(call->reply);
        return false;
    }
    return true;
}

static void set_flag(struct call *call, uint32_t flag) {
    bool on;
    if (read_switch(call, 2, &on)) {
        call->client->flags = on ? call->client->flags | flag : call->client->flags & ~flag;
        reply_ok(call->reply);
    }
}

static void client_id(struct call *call) {
    reply_integer(call->reply, (int64_t)call->client->id);
}

static void describe_line(const struct client *client, struct buffer *out) {
    client_describe(client, out);
    buffer_append_byte(out, '\n');
}

static void client_info(struct call *call) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    describe_line(call->client, &out);
    reply_text(call, &out);
}

static void list_ids(struct call *call) {
    for (int i = 3; i < call->argc; i++) {
        int64_t id;
        if (!num_parse_i64(call->args[i], &id)) {
            reply_error(call->reply, "ERR Invalid client ID");
            return;
        }
    }
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    for (int i = 3; i < call->argc; i++) {
        int64_t id = 0;
        num_parse_i64(call->args[i], &id);
        const struct client *client =
            id > 0 ? clients_find(call->client->clients, (uint64_t)id) : NULL;
        if (client != NULL) {
            describe_line(client, &out);
        }
    }
    reply_text(call, &out);
}

static void client_list(struct call *call) {
    int class_ = -1;
    if (call->argc == 4 && call_arg_is(call, 2, "type")) {
        if (!client_filter_class(call, call->args[3], &class_)) {
            return;
        }
    } else if (call->argc > 3 && call_arg_is(call, 2, "id")) {
        list_ids(call);
        return;
    } else if (call->argc != 2) {
        reply_syntax_error(call->reply);
        return;
    }
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    for (const struct client *client = clients_first(call->client->clients); client != NULL;
         client = client->next) {
        if (class_ == -1 || client->class_ == class_) {
            describe_line(client, &out);
        }
    }
    reply_text(call, &out);
}

/* Kills those that the filter means, at most `max`; how many they were. The caller still gets its
 * reply. */
static int64_t kill_matching(struct call *call, const struct client_filter *filter, int64_t max) {
    int64_t killed = 0;
    for (struct client *client = clients_first(call->client->clients);
         client != NULL && killed < max; client = client->next) {
        if ((client->flags & CLIENT_CLOSING) || !client_filter_matches(filter, call, client)) {
            continue;
        }
        if (client == call->client) {
            client_close_after_reply(client);
        } else {
            client_close(client);
        }
        killed++;
    }
    return killed;
}

static void client_kill(struct call *call) {
    struct client_filter filter;
    if (call->argc == 3) {
        filter = (struct client_filter){.class_ = -1, .peer = call->args[2]};
        if (kill_matching(call, &filter, 1) == 0) {
            reply_error(call->reply, "ERR No such client");
        } else {
            reply_ok(call->reply);
        }
        return;
    }
    if (client_filter_read(&filter, call, 2)) {
        reply_integer(call->reply, kill_matching(call, &filter, INT64_MAX));
    }
}

static void client_setname(struct call *call) {
    if (client_name_set(call, &call->client->name, call->args[2])) {
        reply_ok(call->reply);
    }
}

static void client_getname(struct call *call) {
    if (call->client->name == NULL) {
        reply_null(call->reply);
    } else {
        reply_bulk_text(call->reply, call->client->name);
    }
}

static void client_setinfo(struct call *call) {
    char **field = NULL;
    const char *name = NULL;
    if (call_arg_is(call, 2, "lib-name")) {
        field = &call->client->lib_name;
        name = "lib-name";
    } else if (call_arg_is(call, 2, "lib-ver")) {
        field = &call->client->lib_version;
        name = "lib-ver";
    } else {
        reply_errorf(call->reply, "ERR Unrecognized option '%.*s'", bytes_printed(call->args[2]),
                     call->args[2].at);
        return;
    }
    if (!client_name_is_valid(call->args[3])) {
        reply_errorf(call->reply, "ERR %s cannot contain spaces, newlines or special characters.",
                     name);
        return;
    }
    client_set_text(field, call->args[3]);
    reply_ok(call->reply);
}

static void client_no_evict(struct call *call) {
    set_flag(call, CLIENT_NO_EVICT);
}

static void client_no_touch(struct call *call) {
    set_flag(call, CLIENT_NO_TOUCH);
}

static void client_reply(struct call *call) {
    struct client *client = call->client;
    if (call_arg_is(call, 2, "on")) {
        client->flags &= ~(uint32_t)(CLIENT_MUTED | CLIENT_MUTE_NEXT | CLIENT_MUTE_THIS);
        reply_ok(call->reply);
    } else if (call_arg_is(call, 2, "off")) {
        client->flags |= CLIENT_MUTED;
    } else if (call_arg_is(call, 2, "skip")) {
        if (!(client->flags & CLIENT_MUTED)) {
            client->flags |= CLIENT_MUTE_NEXT;
        }
    } else {
        reply_syntax_error(call->reply);
    }
}

static void client_pause(struct call *call) {
    bool only_writes = false;
    int64_t timeout_ms;
    if (call->argc > 4) {
        reply_errorf(call->reply,
                     "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try CLIENT "
                     "HELP.",
                     bytes_printed(call->args[1]), call->args[1].at);
        return;
    }
    if (call->argc == 4) {
        only_writes = call_arg_is(call, 3, "write");
        if (!only_writes && !call_arg_is(call, 3, "all")) {
            reply_error(call->reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
            return;
        }
    }
    if (!num_parse_i64(call->args[2], &timeout_ms)) {
        reply_error(call->reply, "ERR timeout is not an integer or out of range");
        return;
    }
    if (timeout_ms < 0) {
        reply_error(call->reply, "ERR timeout is negative");
        return;
    }
    int64_t until_ms;
    if (__builtin_add_overflow(call->now_ms, timeout_ms, &until_ms)) {
        until_ms = INT64_MAX;
    }
    clients_pause(call->client->clients, until_ms, only_writes);
    reply_ok(call->reply);
}

static void client_unpause(struct call *call) {
    clients_unpause(call->client->clients);
    reply_ok(call->reply);
}

/* Capabilities are offers: those that the server has no use for are passed over. */
static void client_capa(struct call *call) {
    reply_ok(call->reply);
}

static void client_help(struct call *call) {
    static const char *const lines[] = {
        "CACHING (YES|NO)",
        "    Say whether the next command's keys are tracked, in OPTIN or OPTOUT mode.",
        "CAPA <capability> [<capability> ...]",
        "    Tell the server what this client can do.",
        "GETNAME",
        "    Show this connection's name.",
        "GETREDIR",
        "    Show the id of the connection that gets the invalidations, -1 without tracking.",
        "ID",
        "    Show this connection's id.",
        "INFO",
        "    Describe this connection.",
        "KILL <ip:port>",
        "    Close the connection from that address.",
        "KILL <option> <value> [<option> <value> ...]",
        "    Close all connections that meet all options:",
        "    ID <client-id>, ADDR <ip:port>, LADDR <ip:port>, USER <username>,",
        "    TYPE (NORMAL|MASTER|REPLICA|PUBSUB), MAXAGE <seconds>,",
        "    SKIPME (YES|NO): whether to spare this one, as it does when not told.",
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)|ID <client-id> [<client-id> ...]]",
        "    Describe all connections, those of a type or some.",
        "NO-EVICT (ON|OFF)",
        "    Keep this connection when memory for clients runs short.",
        "NO-TOUCH (ON|OFF)",
        "    Let this connection's commands leave the keys' access times alone.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Hold all commands back for so many milliseconds, or only those that write.",
        "REPLY (ON|OFF|SKIP)",
        "    Send replies, send none, or leave out the next one.",
        "SETINFO (LIB-NAME <name>|LIB-VER <version>)",
        "    Name the library that this connection uses.",
        "SETNAME <name>",
        "    Name this connection.",
        "TRACKING (ON|OFF) [REDIRECT <client-id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT]",
        "         [NOLOOP]",
        "    Remember what this connection reads, and tell it when that changes.",
        "TRACKINGINFO",
        "    Show how keys are tracked for this connection.",
        "UNPAUSE",
        "    End a pause.",
        NULL,
    };
    reply_help(call->reply, "CLIENT", lines);
}

#define CLIENT_COMMAND_FLAGS (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define ADMIN_FLAGS          (COMMAND_ADMIN | CLIENT_COMMAND_FLAGS)
#define CLIENT_CATEGORIES    (CATEGORY_SLOW | CATEGORY_CONNECTION)
#define ADMIN_CATEGORIES     (CATEGORY_ADMIN | CATEGORY_DANGEROUS | CLIENT_CATEGORIES)

static const struct command_row rows[] = {
    {.name = "client",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_CONNECTION,
     .since = "2.4.0",
     .summary = "Holds the commands about connections."},
    {.name = "client|capa",
     .fn = client_capa,
     .arity = -3,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "8.0.0",
     .complexity = "O(1)",
     .summary = "Tells what the client is capable of.",
     .syntax = "capability [capability ...]"},
    {.name = "client|getname",
     .fn = client_getname,
     .arity = 2,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "2.6.9",
     .complexity = "O(1)",
     .summary = "Shows the connection's name."},
    {.name = "client|help",
     .fn = client_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "client|id",
     .fn = client_id,
     .arity = 2,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Shows the connection's id."},
    {.name = "client|info",
     .fn = client_info,
     .arity = 2,
     .flags = COMMAND_STILL | CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .tips = TIP_CHANCE,
     .group = GROUP_CONNECTION,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Describes the connection."},
    {.name = "client|kill",
     .fn = client_kill,
     .arity = -3,
     .flags = COMMAND_STILL | ADMIN_FLAGS,
     .categories = ADMIN_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "2.4.0",
     .complexity = "O(N), N being the number of connections",
     .summary = "Closes connections.",
     .syntax = "<ip:port|<[ID client-id]|[TYPE "
               "NORMAL|MASTER|SLAVE|REPLICA|PUBSUB]|[USER username]|[ADDR "
               "ip:port]|[LADDR ip:port]|[SKIPME YES|NO]|[MAXAGE maxage]> "
               "[<[ID client-id]|[TYPE "
               "NORMAL|MASTER|SLAVE|REPLICA|PUBSUB]|[USER username]|[ADDR "
               "ip:port]|[LADDR ip:port]|[SKIPME YES|NO]|[MAXAGE maxage]> "
               "...]>"},
    {.name = "client|list",
     .fn = client_list,
     .arity = -2,
     .flags = COMMAND_STILL | ADMIN_FLAGS,
     .categories = ADMIN_CATEGORIES,
     .tips = TIP_CHANCE,
     .group = GROUP_CONNECTION,
     .since = "2.4.0",
     .complexity = "O(N), N being the number of connections",
     .summary = "Describes the connections.",
     .syntax = "[TYPE NORMAL|MASTER|REPLICA|PUBSUB] [ID client-id [ID client-id ...]]"},
    {.name = "client|no-evict",
     .fn = client_no_evict,
     .arity = 3,
     .flags = ADMIN_FLAGS,
     .categories = ADMIN_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Spares the connection when memory for clients runs short.",
     .syntax = "<ON|OFF>"},
    {.name = "client|no-touch",
     .fn = client_no_touch,
     .arity = 3,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Lets the connection's commands leave access times alone.",
     .syntax = "<ON|OFF>"},
    {.name = "client|pause",
     .fn = client_pause,
     .arity = -3,
     .flags = ADMIN_FLAGS,
     .categories = ADMIN_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Holds commands back for a time.",
     .syntax = "timeout [WRITE|ALL]"},
    {.name = "client|reply",
     .fn = client_reply,
     .arity = 3,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Says which replies the client wants.",
     .syntax = "<ON|OFF|SKIP>"},
    {.name = "client|setinfo",
     .fn = client_setinfo,
     .arity = 4,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Names the client's library.",
     .syntax = "<LIB-NAME libname|LIB-VER libver>"},
    {.name = "client|setname",
     .fn = client_setname,
     .arity = 3,
     .flags = CLIENT_COMMAND_FLAGS,
     .categories = CLIENT_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "2.6.9",
     .complexity = "O(1)",
     .summary = "Names the connection.",
     .syntax = "connection-name"},
    {.name = "client|unpause",
     .fn = client_unpause,
     .arity = 2,
     .flags = ADMIN_FLAGS,
     .categories = ADMIN_CATEGORIES,
     .group = GROUP_CONNECTION,
     .since = "6.2.0",
     .complexity = "O(N), N being the number of connections held back",
     .summary = "Ends a pause."},
};

const struct command_table *command_clients(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
