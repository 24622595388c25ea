/* wait: WAIT, which waits until replicas have what was written; WAITAOF, until they have it in
 * their files, which this server has none of; CLIENT UNBLOCK, which ends any waiting. */
#include "base/num.h"
#include "client/client.h"
#include "client/waiting.h"
#include "command/tables.h"
#include "persist/primary.h"
#include "persist/replication.h"

static void reply_replicas(struct call *call) {
    reply_integer(call->reply, primary_count_for(call->client, REPLICAS_HAVE));
}

static void reply_files(struct call *call) {
    reply_array(call->reply, 2);
    reply_integer(call->reply, 0);
    reply_integer(call->reply, primary_count_for(call->client, REPLICAS_KEEP));
}

static void wait_for_replicas(struct call *call) {
    int64_t replicas;
    struct wait wait = {.type = ENTRY_LIST, .timed_out = reply_replicas};
    if (replication_is_replica(call->context->replication)) {
        reply_error(call->reply,
                    "ERR WAIT cannot be used with replica instances. Please also note that since "
                    "Redis 4.0 if a replica is configured to be writable (which is not the "
                    "default) writes to replicas are just local and are not propagated.");
        return;
    }
    if (!call_integer(call, 1, &replicas) || !waiting_read_ms(call, 2, &wait.timeout_ms)) {
        return;
    }
    if (!call->inner && primary_count_for(call->client, REPLICAS_HAVE) < replicas) {
        primary_await(call->client, REPLICAS_HAVE, replicas);
        waiting_begin(call, &wait);
    } else {
        reply_replicas(call);
    }
}

static void wait_for_files(struct call *call) {
    int64_t local;
    int64_t replicas;
    struct wait wait = {.type = ENTRY_LIST, .timed_out = reply_files};
    if (!call_integer_between(call, 1, 0, 1, &local) ||
        !call_integer_between(call, 2, 0, INT64_MAX, &replicas) ||
        !waiting_read_ms(call, 3, &wait.timeout_ms)) {
        return;
    }
    if (replication_is_replica(call->context->replication)) {
        reply_error(call->reply,
                    "ERR WAITAOF cannot be used with replica instances. Please also note that "
                    "writes to replicas are just local and are not propagated.");
    } else if (local > 0) {
        reply_error(call->reply,
                    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    } else if (!call->inner && primary_count_for(call->client, REPLICAS_KEEP) < replicas) {
        primary_await(call->client, REPLICAS_KEEP, replicas);
        waiting_begin(call, &wait);
    } else {
        reply_files(call);
    }
}

static void client_unblock(struct call *call) {
    int64_t id;
    bool with_error = false;
    if (call->argc > 4) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (call->argc == 4) {
        with_error = call_arg_is(call, 3, "error");
        if (!with_error && !call_arg_is(call, 3, "timeout")) {
            reply_error(call->reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
            return;
        }
    }
    if (!call_integer(call, 2, &id)) {
        return;
    }
    struct client *client = id > 0 ? clients_find(call->client->clients, (uint64_t)id) : NULL;
    reply_integer(call->reply, client != NULL && waiting_unblock(client, with_error));
}

#define WAIT_CATEGORIES (CATEGORY_SLOW | CATEGORY_BLOCKING | CATEGORY_CONNECTION)

static const struct command_row rows[] = {
    {.name = "wait",
     .fn = wait_for_replicas,
     .arity = 3,
     .flags = COMMAND_BLOCKING,
     .categories = WAIT_CATEGORIES,
     .tips = TIP_ALL_SHARDS | TIP_LEAST,
     .group = GROUP_GENERIC,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Waits until so many replicas have what the connection has written.",
     .syntax = "numreplicas timeout"},
    {.name = "waitaof",
     .fn = wait_for_files,
     .arity = 4,
     .flags = COMMAND_BLOCKING,
     .categories = WAIT_CATEGORIES,
     .tips = TIP_ALL_SHARDS | TIP_LEAST,
     .group = GROUP_GENERIC,
     .since = "7.2.0",
     .complexity = "O(1)",
     .summary = "Waits until what the connection has written is on disk, here and at replicas.",
     .syntax = "numlocal numreplicas timeout"},
    {.name = "client|unblock",
     .fn = client_unblock,
     .arity = -3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS | CATEGORY_CONNECTION,
     .group = GROUP_CONNECTION,
     .since = "5.0.0",
     .complexity = "O(N), N being the number of keys that it waits for",
     .summary = "Ends a connection's waiting.",
     .syntax = "client-id [TIMEOUT|ERROR]"},
};

const struct command_table *command_waits(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
