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

/* Lines that are being gathered for one reply. */
struct listing {
    struct client *caller;
    struct buffer lines;
};

/* An id may be given over and over: the lines may not take what their reply may not. */
static bool list_client(void *context, struct client *client) {
    struct listing *listing = context;
    describe_line(client, &listing->lines);
    return client_may_have(listing->caller, listing->lines.size);
}

static void client_list(struct call *call) {
    struct client_filter filter;
    if (!client_filter_read(&filter, call, 2, FILTER_FOR_LIST)) {
        return;
    }
    struct listing listing = {.caller = call->client};
    buffer_init(&listing.lines, MEM_OTHER);
    client_filter_visit(&filter, call, list_client, &listing);
    reply_text(call, &listing.lines);
    client_filter_free(&filter);
}

struct killing {
    const struct client *caller;
    int64_t killed;
    int64_t max;
};

/* The caller still gets its reply. */
static bool kill_client(void *context, struct client *client) {
    struct killing *killing = context;
    if (client != killing->caller) {
        client_close(client);
    } else if (client->flags & CLIENT_CLOSE_SENT) {
        return true; /* its id was given twice */
    } else {
        client_close_after_reply(client);
    }
    killing->killed++;
    return killing->killed < killing->max;
}

static void client_kill(struct call *call) {
    struct client_filter filter;
    struct killing killing = {.caller = call->client, .max = call->argc == 3 ? 1 : INT64_MAX};
    if (call->argc == 3) {
        client_filter_address(&filter, call->args[2]);
    } else if (!client_filter_read(&filter, call, 2, FILTER_FOR_KILL)) {
        return;
    }
    client_filter_visit(&filter, call, kill_client, &killing);
    client_filter_free(&filter);
    if (call->argc > 3) {
        reply_integer(call->reply, killing.killed);
    } else if (killing.killed == 0) {
        reply_error(call->reply, "ERR No such client");
    } else {
        reply_ok(call->reply);
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
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
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
    for (int i = 2; i < call->argc; i++) {
        if (call_arg_is(call, i, "redirect")) {
            call->client->flags |= CLIENT_REDIRECTED;
        }
    }
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
        "    Close all connections that meet all options; this one is spared.",
        "LIST [<option> <value> [<option> <value> ...]]",
        "    Describe all connections, or those that meet all options.",
        "    The options of KILL and LIST:",
        "    ID <client-id> [<client-id> ...], ADDR <ip:port>, LADDR <ip:port>, IP <ip>,",
        "    TYPE (NORMAL|MASTER|REPLICA|PUBSUB), USER <username>, NAME <name>,",
        "    LIB-NAME <name>, LIB-VER <version>, DB <number>, FLAGS <letters>,",
        "    CAPA <letters>; each also as NOT-ID and so on.",
        "    MAXAGE <seconds>, IDLE <seconds>: connected, or idle, for so long at least.",
        "    SKIPME (YES|NO): whether to leave this connection out.",
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
        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
        "    End a connection's waiting, as if its time were up or with an error.",
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

/* The options of CLIENT LIST and CLIENT KILL. */
#define FILTERS                                                                                    \
    "[ID client-id [client-id ...]] "                                                              \
    "[TYPE NORMAL|MASTER|PRIMARY|SLAVE|REPLICA|PUBSUB] [USER username] "                           \
    "[ADDR ip:port] [LADDR ip:port] [NAME name] [SKIPME YES|NO] [MAXAGE maxage] "                  \
    "[IDLE idle] [FLAGS flags] [LIB-NAME lib-name] [LIB-VER lib-ver] [DB db] "                     \
    "[CAPA capa] [IP ip] [NOT-ID not-client-id [not-client-id ...]] "                              \
    "[NOT-TYPE NORMAL|MASTER|PRIMARY|SLAVE|REPLICA|PUBSUB] [NOT-USER not-username] "               \
    "[NOT-ADDR ip:port] [NOT-LADDR ip:port] [NOT-NAME not-name] "                                  \
    "[NOT-FLAGS not-flags] [NOT-LIB-NAME not-lib-name] [NOT-LIB-VER not-lib-ver] "                 \
    "[NOT-DB not-db] [NOT-CAPA not-capa] [NOT-IP not-ip]"

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
     .syntax = "<ip:port|" FILTERS ">"},
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
     .syntax = FILTERS},
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
