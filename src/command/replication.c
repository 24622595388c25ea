/* replication: REPLICAOF, ROLE, and what replicas say: PSYNC, SYNC, REPLCONF. What they tell of is
 * in persist/replication.h. */
#include "persist/replication.h"

#include "base/num.h"
#include "call/call.h"
#include "client/client.h"
#include "command/tables.h"
#include "persist/failover.h"
#include "persist/primary.h"

/* As long as a name of the domain system may be. */
#define HOST_SIZE_MAX 253
#define PORT_MAX      65535

static void replica_of(struct call *call) {
    struct replication *replication = call->context->replication;
    int64_t port;
    if (failover_is_on(replication)) {
        reply_error(call->reply, "ERR REPLICAOF not allowed while failing over.");
        return;
    }
    if (call_arg_is(call, 1, "no") && call_arg_is(call, 2, "one")) {
        replication_promote(replication);
        reply_ok(call->reply);
        return;
    }
    if (!num_parse_i64(call->args[2], &port) || port < 0 || port > PORT_MAX) {
        reply_error(call->reply, "ERR Invalid master port");
        return;
    }
    if (call->args[1].size == 0 || call->args[1].size > HOST_SIZE_MAX) {
        reply_error(call->reply, "ERR Invalid master host");
        return;
    }
    if (replication_follow(replication, call->args[1], port)) {
        reply_ok(call->reply);
    } else {
        reply_status(call->reply, "OK Already connected to specified master");
    }
}

static void reply_replicas(struct call *call) {
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    for (const struct replica *r = primary_first(call->context->replication); r != NULL;
         r = r->next) {
        if (r->state == REPLICA_ONLINE && replica_counts(r)) {
            char ip[REPLICA_IP_SIZE];
            replica_address(r, ip);
            reply_array(call->reply, 3);
            reply_bulk_text(call->reply, ip);
            reply_bulk_integer(call->reply, r->port);
            reply_bulk_integer(call->reply, (int64_t)r->acked);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '*', count);
}

static void role(struct call *call) {
    const struct replication *replication = call->context->replication;
    struct reply *reply = call->reply;
    if (replication_is_replica(replication)) {
        struct replication_role is;
        replication_role(replication, &is);
        reply_array(reply, 5);
        reply_bulk_text(reply, "slave");
        reply_bulk_text(reply, is.host);
        reply_integer(reply, is.port);
        reply_bulk_text(reply, is.link);
        reply_integer(reply, is.offset);
        return;
    }
    reply_array(reply, 3);
    reply_bulk_text(reply, "master");
    reply_integer(reply, (int64_t)replication_offset(replication));
    reply_replicas(call);
}

/* ---- what replicas say ---- */

/* Of pairs; false when an error was replied or no reply comes. */
static bool take_told(struct call *call, int index, bool *answers) {
    struct client *client = call->client;
    struct bytes value = call->args[index + 1];
    int64_t number;
    bool keeps = call_arg_is(call, index, "fack");
    if (keeps || call_arg_is(call, index, "ack")) {
        *answers = false;
        if (num_parse_i64(value, &number) && number >= 0) {
            (keeps ? primary_told_kept : primary_told_offset)(client, (uint64_t)number);
        }
        return true;
    }
    if (call_arg_is(call, index, "getack")) {
        *answers = false;
        return true;
    }
    if (call_arg_is(call, index, "listening-port")) {
        if (!num_parse_i64(value, &number) || number < 0 || number > PORT_MAX) {
            reply_not_integer(call->reply);
            return false;
        }
        primary_told_port(client, number);
    } else if (call_arg_is(call, index, "ip-address")) {
        primary_told_ip(client, value);
    } else if (call_arg_is(call, index, "capa")) {
        if (bytes_is(value, "eof")) {
            primary_told_mark(client);
        }
    } else {
        reply_errorf(call->reply, "ERR Unrecognized REPLCONF option: %.*s",
                     bytes_printed(call->args[index]), call->args[index].at);
        return false;
    }
    return true;
}

static void told(struct call *call) {
    bool answers = true;
    if (call->argc % 2 == 0) {
        reply_syntax_error(call->reply);
        return;
    }
    for (int i = 1; i < call->argc; i += 2) {
        if (!take_told(call, i, &answers)) {
            return;
        }
    }
    if (answers) {
        reply_ok(call->reply);
    }
}

static void ask(struct call *call, struct bytes id, int64_t next) {
    const char *error = primary_ask(call->client, id, next);
    if (error != NULL) {
        reply_error(call->reply, error);
    }
}

static void ask_with_id(struct call *call) {
    int64_t next;
    if (!call_integer(call, 2, &next)) {
        return;
    }
    if (call->argc > 3 && call_arg_is(call, 3, "failover")) {
        const char *error = failover_take_over(call->context->replication, call->args[1]);
        if (error != NULL) {
            reply_error(call->reply, error);
            return;
        }
    }
    ask(call, call->args[1], next);
}

static void ask_for_all(struct call *call) {
    ask(call, bytes_text("?"), -1);
}

/* clang-format off */
#define ASK_FLAGS                                                                                  \
    (COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_ASYNC_LOADING | COMMAND_NO_MULTI)
#define FOLLOW_FLAGS                                                                               \
    (COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_STALE | COMMAND_NO_ASYNC_LOADING)
/* clang-format on */
#define FOLLOW_CATEGORIES (CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS)

static const struct command_row rows[] = {
    {.name = "replicaof",
     .fn = replica_of,
     .arity = 3,
     .flags = FOLLOW_FLAGS,
     .categories = FOLLOW_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Makes the server follow a primary, or nobody.",
     .syntax = "<host port|NO ONE>"},
    {.name = "slaveof",
     .fn = replica_of,
     .arity = 3,
     .flags = FOLLOW_FLAGS,
     .categories = FOLLOW_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Makes the server follow a primary, or nobody.",
     .syntax = "<host port|NO ONE>",
     .deprecated_since = "5.0.0",
     .replaced_by = "`REPLICAOF`"},
    {.name = "role",
     .fn = role,
     .arity = 1,
     .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .categories = CATEGORY_ADMIN | CATEGORY_FAST | CATEGORY_DANGEROUS,
     .group = GROUP_SERVER,
     .since = "2.8.12",
     .complexity = "O(N), N being the number of replicas",
     .summary = "Tells what the server is to others: a primary or a replica, and whose."},
    {.name = "psync",
     .fn = ask_with_id,
     .arity = -3,
     .flags = ASK_FLAGS,
     .categories = FOLLOW_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "2.8.0",
     .complexity = "O(1), and a snapshot where the backlog does not reach back",
     .summary = "Makes the connection a replica, which goes on where it was if that can be.",
     .syntax = "replicationid offset"},
    {.name = "sync",
     .fn = ask_for_all,
     .arity = 1,
     .flags = ASK_FLAGS,
     .categories = FOLLOW_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys",
     .summary = "Makes the connection a replica, beginning with a snapshot."},
    {.name = "replconf",
     .fn = told,
     .arity = -1,
     .flags =
         COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_ALLOW_BUSY,
     .categories = FOLLOW_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "What replicas tell of themselves."},
};

const struct command_table *command_replication(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
