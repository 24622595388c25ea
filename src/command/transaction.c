/* transaction: MULTI, EXEC, DISCARD, WATCH, UNWATCH. The queue is in client/transaction.h, what is
 * watched in client/watch.h. */
#include "client/transaction.h"

#include "call/call.h"
#include "client/client.h"
#include "client/watch.h"
#include "command/tables.h"

static void multi(struct call *call) {
    if (call->client->flags & CLIENT_MULTI) {
        reply_error(call->reply, "ERR MULTI calls can not be nested");
        return;
    }
    transaction_begin(call->client);
    reply_ok(call->reply);
}

static void exec(struct call *call) {
    struct client *client = call->client;
    if (!(client->flags & CLIENT_MULTI)) {
        reply_error(call->reply, "ERR EXEC without MULTI");
        return;
    }
    if (transaction_is_bad(client)) {
        reply_error(call->reply, "EXECABORT Transaction discarded because of previous errors.");
    } else if (watch_has_changed(client)) {
        reply_null_array(call->reply);
    } else {
        watch_forget(client); /* what it does now need not be compared with them */
        transaction_execute(call);
    }
    transaction_end(client);
}

static void discard(struct call *call) {
    if (!(call->client->flags & CLIENT_MULTI)) {
        reply_error(call->reply, "ERR DISCARD without MULTI");
        return;
    }
    transaction_end(call->client);
    reply_ok(call->reply);
}

static void watch(struct call *call) {
    if (call->client->flags & CLIENT_MULTI) {
        reply_error(call->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (int i = 1; i < call->argc; i++) {
        struct key key = call_key(call, i);
        if (!watch_add(call->client, &key)) {
            reply_no_memory(call->reply);
            return;
        }
    }
    reply_ok(call->reply);
}

static void unwatch(struct call *call) {
    watch_forget(call->client);
    call->client->flags &= ~(uint32_t)CLIENT_DIRTY;
    reply_ok(call->reply);
}

#define TRANSACTION_FLAGS                                                                          \
    (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_ALLOW_BUSY)

static const struct command_row rows[] = {
    {.name = "multi",
     .fn = multi,
     .arity = 1,
     .flags = TRANSACTION_FLAGS | COMMAND_AT_ONCE,
     .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
     .group = GROUP_TRANSACTIONS,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Begins a transaction: what follows is queued until EXEC."},
    {.name = "exec",
     .fn = exec,
     .arity = 1,
     .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_SKIP_SLOWLOG |
              COMMAND_AT_ONCE | COMMAND_RUNS_QUEUE,
     .categories = CATEGORY_SLOW | CATEGORY_TRANSACTION,
     .group = GROUP_TRANSACTIONS,
     .since = "1.2.0",
     .complexity = "That of the queued commands together",
     .summary = "Executes the queued commands, with nothing in between."},
    {.name = "discard",
     .fn = discard,
     .arity = 1,
     .flags = TRANSACTION_FLAGS | COMMAND_AT_ONCE,
     .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
     .group = GROUP_TRANSACTIONS,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of queued commands",
     .summary = "Gives the transaction up."},
    {.name = "watch",
     .fn = watch,
     .arity = -2,
     .flags = TRANSACTION_FLAGS | COMMAND_AT_ONCE,
     .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
     .keys = {KEYS_RANGE(1, -1, 1, 0, KEY_RO)},
     .group = GROUP_TRANSACTIONS,
     .since = "2.2.0",
     .complexity = "O(1) for each key",
     .summary = "Makes the next EXEC depend on the keys' not having changed.",
     .syntax = "key [key ...]"},
    {.name = "unwatch",
     .fn = unwatch,
     .arity = 1,
     .flags = TRANSACTION_FLAGS,
     .categories = CATEGORY_FAST | CATEGORY_TRANSACTION,
     .group = GROUP_TRANSACTIONS,
     .since = "2.2.0",
     .complexity = "O(1) for each watched key",
     .summary = "Forgets what is watched."},
};

const struct command_table *command_transactions(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
