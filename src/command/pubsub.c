/* pubsub: SUBSCRIBE and its kin, PUBLISH, PUBSUB. What subscribing answers are pushes, one for each
 * name, and come also to a client that has its replies turned off. */
#include "command/tables.h"

#include "base/glob.h"
#include "call/pass_on.h"
#include "call/call.h"
#include "client/client.h"
#include "feature/pubsub.h"

/* Where pushes go: the reply, or beside it for a client whose replies are dropped. */
static struct reply *begin_pushes(const struct call *call) {
    if (call->client->flags & (CLIENT_MUTED | CLIENT_MUTE_THIS)) {
        return clients_scratch_reply(call->client->clients, call->client->version);
    }
    return call->reply;
}

static void end_pushes(const struct call *call, struct reply *pushes) {
    if (pushes != call->reply) {
        client_send_reply(call->client, pushes);
    }
}

/* The kind of push, the name (NULL: none) and how many of its kind the client has now: shard
 * channels count by themselves, the others together. */
static void push(const struct call *call, struct reply *pushes, const char *word,
                 const struct bytes *name, enum pubsub_kind kind) {
    const struct client *client = call->client;
    size_t count = kind == PUBSUB_SHARD ? pubsub_count(client, PUBSUB_SHARD)
                                        : pubsub_count(client, PUBSUB_CHANNEL) +
                                              pubsub_count(client, PUBSUB_PATTERN);
    reply_push(pushes, 3);
    reply_bulk_text(pushes, word);
    if (name == NULL) {
        reply_null(pushes);
    } else {
        reply_bulk(pushes, *name);
    }
    reply_integer(pushes, (int64_t)count);
}

static void subscribe_to(struct call *call, enum pubsub_kind kind, const char *word) {
    struct reply *pushes = begin_pushes(call);
    for (int i = 1; i < call->argc; i++) {
        if (pubsub_subscribe(call->context->pubsub, call->client, kind, call->args[i])) {
            push(call, pushes, word, &call->args[i], kind);
        } else {
            reply_no_memory(pushes);
        }
    }
    end_pushes(call, pushes);
}

/* Without names: all there are, the oldest first. */
static void unsubscribe_from(struct call *call, enum pubsub_kind kind, const char *word) {
    struct pubsub *pubsub = call->context->pubsub;
    struct client *client = call->client;
    struct reply *pushes = begin_pushes(call);
    for (int i = 1; i < call->argc; i++) {
        pubsub_unsubscribe(pubsub, client, kind, call->args[i]);
        push(call, pushes, word, &call->args[i], kind);
    }
    if (call->argc == 1 && pubsub_count(client, kind) == 0) {
        push(call, pushes, word, NULL, kind);
    } else if (call->argc == 1) {
        struct buffer name;
        buffer_init(&name, MEM_OTHER);
        while (pubsub_count(client, kind) > 0) {
            struct bytes oldest = pubsub_oldest(client, kind);
            name.size = 0;
            buffer_append(&name, oldest.at, oldest.size);
            oldest = buffer_bytes(&name);
            pubsub_unsubscribe(pubsub, client, kind, oldest);
            push(call, pushes, word, &oldest, kind);
        }
        buffer_clear(&name);
    }
    end_pushes(call, pushes);
}

static void subscribe(struct call *call) {
    subscribe_to(call, PUBSUB_CHANNEL, "subscribe");
}

static void psubscribe(struct call *call) {
    subscribe_to(call, PUBSUB_PATTERN, "psubscribe");
}

static void ssubscribe(struct call *call) {
    subscribe_to(call, PUBSUB_SHARD, "ssubscribe");
}

static void unsubscribe(struct call *call) {
    unsubscribe_from(call, PUBSUB_CHANNEL, "unsubscribe");
}

static void punsubscribe(struct call *call) {
    unsubscribe_from(call, PUBSUB_PATTERN, "punsubscribe");
}

static void sunsubscribe(struct call *call) {
    unsubscribe_from(call, PUBSUB_SHARD, "sunsubscribe");
}

static void reply_published(struct call *call, int64_t count) {
    if (count < 0) {
        reply_no_memory(call->reply);
    } else {
        reply_integer(call->reply, count);
    }
}

static void publish(struct call *call) {
    call_pass_on_itself(call);
    reply_published(call, pubsub_publish(call->context->pubsub, call->args[1], call->args[2]));
}

static void spublish(struct call *call) {
    call_pass_on_itself(call);
    reply_published(call,
                    pubsub_publish_shard(call->context->pubsub, call->args[1], call->args[2]));
}

struct listing {
    struct reply *reply;
    const struct bytes *pattern; /* NULL: all */
    int64_t count;
};

static void list_name(void *context, struct bytes name) {
    struct listing *listing = context;
    if (listing->pattern == NULL || glob_match(*listing->pattern, name, false)) {
        reply_bulk(listing->reply, name);
        listing->count++;
    }
}

static void list_names(struct call *call, enum pubsub_kind kind, const char *word) {
    if (call->argc > 3) {
        reply_bad_subcommand(call->reply, call->command->parent->name, bytes_text(word));
        return;
    }
    struct listing listing = {.reply = call->reply,
                              .pattern = call->argc == 3 ? &call->args[2] : NULL};
    struct reply_mark mark = reply_defer(call->reply);
    pubsub_visit(call->context->pubsub, kind, list_name, &listing);
    reply_defer_end(call->reply, mark, '*', listing.count);
}

static void count_subscribers(struct call *call, enum pubsub_kind kind) {
    reply_array(call->reply, ((int64_t)call->argc - 2) * 2);
    for (int i = 2; i < call->argc; i++) {
        reply_bulk(call->reply, call->args[i]);
        reply_integer(call->reply,
                      (int64_t)pubsub_subscribers(call->context->pubsub, kind, call->args[i]));
    }
}

/* An error names the subcommand as it was written. */
static void pubsub_channels(struct call *call) {
    struct buffer word;
    buffer_init(&word, MEM_OTHER);
    buffer_append(&word, call->args[1].at, call->args[1].size);
    list_names(call, PUBSUB_CHANNEL, buffer_text(&word));
    buffer_clear(&word);
}

static void pubsub_shardchannels(struct call *call) {
    struct buffer word;
    buffer_init(&word, MEM_OTHER);
    buffer_append(&word, call->args[1].at, call->args[1].size);
    list_names(call, PUBSUB_SHARD, buffer_text(&word));
    buffer_clear(&word);
}

static void pubsub_numsub(struct call *call) {
    count_subscribers(call, PUBSUB_CHANNEL);
}

static void pubsub_shardnumsub(struct call *call) {
    count_subscribers(call, PUBSUB_SHARD);
}

static void pubsub_numpat(struct call *call) {
    reply_integer(call->reply, (int64_t)pubsub_topics(call->context->pubsub, PUBSUB_PATTERN));
}

static void pubsub_help(struct call *call) {
    static const char *const lines[] = {
        "CHANNELS [<pattern>]",
        "    List the channels that have subscribers, all or those that match.",
        "NUMPAT",
        "    Count the patterns that have subscribers.",
        "NUMSUB [<channel> ...]",
        "    Count the subscribers of these channels, without those of patterns.",
        "SHARDCHANNELS [<pattern>]",
        "    List the shard channels that have subscribers, all or those that match.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Count the subscribers of these shard channels.",
        NULL,
    };
    reply_help(call->reply, "PUBSUB", lines);
}

#define SUBSCRIBER_FLAGS                                                                           \
    (COMMAND_PUBSUB | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_SUBSCRIBED)
#define LOOK_FLAGS        (COMMAND_PUBSUB | COMMAND_LOADING | COMMAND_STALE)
#define PUBLISH_FLAGS     (LOOK_FLAGS | COMMAND_FAST)
#define PUBSUB_CATEGORIES (CATEGORY_PUBSUB | CATEGORY_SLOW)

static const struct command_row rows[] = {
    {.name = "subscribe",
     .fn = subscribe,
     .arity = -2,
     .flags = SUBSCRIBER_FLAGS | COMMAND_DENYOOM,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of channels",
     .summary = "Subscribes to channels.",
     .syntax = "channel [channel ...]"},
    {.name = "psubscribe",
     .fn = psubscribe,
     .arity = -2,
     .flags = SUBSCRIBER_FLAGS | COMMAND_DENYOOM,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of patterns",
     .summary = "Subscribes to all channels whose names match patterns.",
     .syntax = "pattern [pattern ...]"},
    {.name = "ssubscribe",
     .fn = ssubscribe,
     .arity = -2,
     .flags = SUBSCRIBER_FLAGS | COMMAND_DENYOOM,
     .categories = PUBSUB_CATEGORIES,
     .keys = {KEYS_RANGE(1, -1, 1, 0, KEY_NOT_KEY)},
     .group = GROUP_PUBSUB,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of shard channels",
     .summary = "Subscribes to shard channels.",
     .syntax = "shardchannel [shardchannel ...]"},
    {.name = "unsubscribe",
     .fn = unsubscribe,
     .arity = -1,
     .flags = SUBSCRIBER_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of channels",
     .summary = "Ends subscriptions to channels, all when none is named.",
     .syntax = "[channel [channel ...]]"},
    {.name = "punsubscribe",
     .fn = punsubscribe,
     .arity = -1,
     .flags = SUBSCRIBER_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.0.0",
     .complexity = "O(N), N being the number of patterns",
     .summary = "Ends subscriptions to patterns, all when none is named.",
     .syntax = "[pattern [pattern ...]]"},
    {.name = "sunsubscribe",
     .fn = sunsubscribe,
     .arity = -1,
     .flags = SUBSCRIBER_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .keys = {KEYS_RANGE(1, -1, 1, 0, KEY_NOT_KEY)},
     .group = GROUP_PUBSUB,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of shard channels",
     .summary = "Ends subscriptions to shard channels, all when none is named.",
     .syntax = "[shardchannel [shardchannel ...]]"},
    {.name = "publish",
     .fn = publish,
     .arity = 3,
     .flags = PUBLISH_FLAGS | COMMAND_MAY_REPLICATE,
     .categories = CATEGORY_PUBSUB | CATEGORY_FAST,
     .group = GROUP_PUBSUB,
     .since = "2.0.0",
     .complexity = "O(N+M), N being the channel's subscribers and M the number of patterns",
     .summary = "Sends a message to a channel's subscribers.",
     .syntax = "channel message"},
    {.name = "spublish",
     .fn = spublish,
     .arity = 3,
     .flags = PUBLISH_FLAGS | COMMAND_MAY_REPLICATE,
     .categories = CATEGORY_PUBSUB | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_NOT_KEY)},
     .group = GROUP_PUBSUB,
     .since = "7.0.0",
     .complexity = "O(N), N being the shard channel's subscribers",
     .summary = "Sends a message to a shard channel's subscribers.",
     .syntax = "shardchannel message"},
    {.name = "pubsub",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_PUBSUB,
     .since = "2.8.0",
     .summary = "Holds the commands that look at subscriptions."},
    {.name = "pubsub|channels",
     .fn = pubsub_channels,
     .arity = -2,
     .flags = LOOK_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.8.0",
     .complexity = "O(N), N being the number of channels",
     .summary = "Lists the channels that have subscribers.",
     .syntax = "[pattern]"},
    {.name = "pubsub|help",
     .fn = pubsub_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_SLOW,
     .group = GROUP_PUBSUB,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "pubsub|numpat",
     .fn = pubsub_numpat,
     .arity = 2,
     .flags = LOOK_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.8.0",
     .complexity = "O(1)",
     .summary = "Counts the patterns that have subscribers."},
    {.name = "pubsub|numsub",
     .fn = pubsub_numsub,
     .arity = -2,
     .flags = LOOK_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "2.8.0",
     .complexity = "O(N), N being the number of channels asked for",
     .summary = "Counts the subscribers of channels.",
     .syntax = "[channel [channel ...]]"},
    {.name = "pubsub|shardchannels",
     .fn = pubsub_shardchannels,
     .arity = -2,
     .flags = LOOK_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of shard channels",
     .summary = "Lists the shard channels that have subscribers.",
     .syntax = "[pattern]"},
    {.name = "pubsub|shardnumsub",
     .fn = pubsub_shardnumsub,
     .arity = -2,
     .flags = LOOK_FLAGS,
     .categories = PUBSUB_CATEGORIES,
     .group = GROUP_PUBSUB,
     .since = "7.0.0",
     .complexity = "O(N), N being the number of shard channels asked for",
     .summary = "Counts the subscribers of shard channels.",
     .syntax = "[shardchannel [shardchannel ...]]"},
};

const struct command_table *command_pubsub(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
