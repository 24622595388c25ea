/* stream_info: XINFO, which shows a stream with its groups and consumers. */
#include "base/num.h"
#include "command/stream_call.h"
#include "command/tables.h"
#include "types/stream_producer.h"

/* Entries, and what is pending, that FULL shows unless told otherwise. */
#define FULL_COUNT 10

static bool find_stream(struct call *call, struct stream_call *on) {
    if (!stream_call_read(call, 2, on)) {
        return false;
    }
    if (on->stream == NULL) {
        reply_error(call->reply, "ERR no such key");
        return false;
    }
    return true;
}

static void reply_name(struct reply *reply, const char *name) {
    reply_bulk_text(reply, name);
}

static void reply_count(struct reply *reply, const char *name, int64_t count) {
    reply_name(reply, name);
    reply_integer(reply, count);
}

/* What the group has read, and what it has not; null where that is not known. */
static void reply_progress(struct reply *reply, const struct stream *stream,
                           const struct stream_group *group) {
    int64_t lag;
    reply_name(reply, "entries-read");
    if (group->entries_read == STREAM_READ_UNKNOWN) {
        reply_null(reply);
    } else {
        reply_integer(reply, group->entries_read);
    }
    reply_name(reply, "lag");
    if (stream_group_lag(stream, group, &lag)) {
        reply_integer(reply, lag);
    } else {
        reply_null(reply);
    }
}

static void reply_named_id(struct reply *reply, const char *name, struct stream_id id) {
    reply_name(reply, name);
    stream_reply_id(reply, id);
}

/* ---- the stream ---- */

/* Its first seven fields. The index stands for what Redis says of its radix tree: nodes, and what
 * leads to them. */
static void reply_head(struct reply *reply, const struct stream *stream) {
    reply_count(reply, "length", (int64_t)stream->length);
    reply_count(reply, "radix-tree-keys", (int64_t)stream->nodes.size);
    reply_count(reply, "radix-tree-nodes", (int64_t)stream->nodes.count + 1);
    reply_named_id(reply, "last-generated-id", stream->last_id);
    reply_named_id(reply, "max-deleted-entry-id", stream->max_deleted_id);
    reply_count(reply, "entries-added", (int64_t)stream->entries_added);
    reply_named_id(reply, "recorded-first-entry-id", stream_first_id(stream));
}

static void reply_one_entry(struct reply *reply, const struct stream *stream, bool last) {
    struct stream_range range;
    struct stream_entry entry;
    stream_range_begin(&range, stream, STREAM_ID_MIN, STREAM_ID_MAX, last);
    if (stream_range_next(&range, &entry)) {
        stream_reply_entry(reply, &entry);
    } else {
        reply_null(reply);
    }
}

/* Only of streams that have been told of producers. */
static void reply_producers(struct reply *reply, const struct stream_producers *producers) {
    reply_count(reply, "idmp-duration", producers->duration_s);
    reply_count(reply, "idmp-maxsize", producers->size_max);
    reply_count(reply, "pids-tracked", producers->names.count);
    reply_count(reply, "iids-tracked", (int64_t)producers->tracked);
    reply_count(reply, "iids-added", (int64_t)producers->added);
    reply_count(reply, "iids-duplicates", (int64_t)producers->duplicates);
}

static void reply_stream(struct reply *reply, const struct stream *stream) {
    reply_map(reply, stream->producers != NULL ? 16 : 10);
    reply_head(reply, stream);
    if (stream->producers != NULL) {
        reply_producers(reply, stream->producers);
    }
    reply_count(reply, "groups", stream->groups.count);
    reply_name(reply, "first-entry");
    reply_one_entry(reply, stream, false);
    reply_name(reply, "last-entry");
    reply_one_entry(reply, stream, true);
}

/* ---- everything of it ---- */

/* How many of them are shown; 0 asks for all. */
static int64_t shown(uint64_t size, int64_t count) {
    return count != 0 && size > (uint64_t)count ? count : (int64_t)size;
}

static void reply_group_pending(struct reply *reply, const struct stream_group *group,
                                int64_t count) {
    int64_t left = shown(group->pending.size, count);
    struct id_place place = id_index_first(&group->pending);
    reply_name(reply, "pending");
    reply_array(reply, left);
    for (; left > 0; left--, place = id_index_next(&group->pending, place)) {
        const struct stream_pending *pending = id_index_item(&group->pending, place);
        const struct stream_consumer *owner = stream_pending_owner(group, pending);
        reply_array(reply, 4);
        stream_reply_id(reply, pending->id);
        reply_bulk(reply, owner != NULL ? stream_name(&owner->named) : bytes_text(""));
        reply_integer(reply, pending->delivered_ms);
        reply_integer(reply, pending->deliveries);
    }
}

static void reply_full_consumer(struct reply *reply, const struct stream_group *group,
                                const struct stream_consumer *consumer, int64_t count) {
    int64_t left = shown(consumer->pending.size, count);
    struct id_place place = id_index_first(&consumer->pending);
    reply_map(reply, 5);
    reply_name(reply, "name");
    reply_bulk(reply, stream_name(&consumer->named));
    reply_count(reply, "seen-time", consumer->seen_ms);
    reply_count(reply, "active-time", consumer->active_ms);
    reply_count(reply, "pel-count", (int64_t)consumer->pending.size);
    reply_name(reply, "pending");
    reply_array(reply, left);
    for (; left > 0; left--, place = id_index_next(&consumer->pending, place)) {
        const struct stream_id *id = id_index_item(&consumer->pending, place);
        const struct stream_pending *pending = stream_pending_find(group, *id);
        reply_array(reply, 3);
        stream_reply_id(reply, *id);
        reply_integer(reply, pending->delivered_ms);
        reply_integer(reply, pending->deliveries);
    }
}

static void reply_full_group(struct reply *reply, const struct stream *stream,
                             const struct stream_group *group, int64_t count) {
    reply_map(reply, 7);
    reply_name(reply, "name");
    reply_bulk(reply, stream_name(&group->named));
    reply_named_id(reply, "last-delivered-id", group->last_id);
    reply_progress(reply, stream, group);
    reply_count(reply, "pel-count", (int64_t)group->pending.size);
    reply_group_pending(reply, group, count);
    reply_name(reply, "consumers");
    reply_array(reply, group->consumers.count);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        reply_full_consumer(reply, group, (const struct stream_consumer *)group->consumers.at[i],
                            count);
    }
}

static void reply_full(struct reply *reply, const struct stream *stream, int64_t count) {
    struct stream_range range;
    struct stream_entry entry;
    reply_map(reply, 9);
    reply_head(reply, stream);
    reply_name(reply, "entries");
    int64_t left = shown(stream->length, count);
    reply_array(reply, left);
    stream_range_begin(&range, stream, STREAM_ID_MIN, STREAM_ID_MAX, false);
    for (; left > 0 && stream_range_next(&range, &entry); left--) {
        stream_reply_entry(reply, &entry);
    }
    reply_name(reply, "groups");
    reply_array(reply, stream->groups.count);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        reply_full_group(reply, stream, (const struct stream_group *)stream->groups.at[i], count);
    }
}

static void xinfo_stream(struct call *call) {
    struct stream_call on;
    if (!find_stream(call, &on)) {
        return;
    }
    if (call->argc == 3) {
        reply_stream(call->reply, on.stream);
        return;
    }
    int64_t count = FULL_COUNT;
    bool has_count = call->argc == 6 && call_arg_is(call, 4, "count");
    if (!call_arg_is(call, 3, "full") || (call->argc != 4 && !has_count)) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (has_count) {
        if (!call_integer(call, 5, &count)) {
            return;
        }
        count = count < 0 ? FULL_COUNT : count;
    }
    reply_full(call->reply, on.stream, count);
}

/* ---- groups and consumers ---- */

static void xinfo_groups(struct call *call) {
    struct stream_call on;
    if (!find_stream(call, &on)) {
        return;
    }
    reply_array(call->reply, on.stream->groups.count);
    for (uint32_t i = 0; i < on.stream->groups.count; i++) {
        const struct stream_group *group = (const struct stream_group *)on.stream->groups.at[i];
        reply_map(call->reply, 6);
        reply_name(call->reply, "name");
        reply_bulk(call->reply, stream_name(&group->named));
        reply_count(call->reply, "consumers", group->consumers.count);
        reply_count(call->reply, "pending", (int64_t)group->pending.size);
        reply_named_id(call->reply, "last-delivered-id", group->last_id);
        reply_progress(call->reply, on.stream, group);
    }
}

static int64_t since(const struct call *call, int64_t time_ms) {
    return time_ms > call->now_ms ? 0 : call->now_ms - time_ms;
}

static void xinfo_consumers(struct call *call) {
    struct stream_call on;
    if (!find_stream(call, &on)) {
        return;
    }
    const struct stream_group *group = stream_group_find(on.stream, call->args[3]);
    if (group == NULL) {
        reply_errorf(call->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     (int)call->args[3].size, call->args[3].at, (int)call->args[2].size,
                     call->args[2].at);
        return;
    }
    reply_array(call->reply, group->consumers.count);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer =
            (const struct stream_consumer *)group->consumers.at[i];
        reply_map(call->reply, 4);
        reply_name(call->reply, "name");
        reply_bulk(call->reply, stream_name(&consumer->named));
        reply_count(call->reply, "pending", (int64_t)consumer->pending.size);
        reply_count(call->reply, "idle", since(call, consumer->seen_ms));
        reply_count(call->reply, "inactive",
                    consumer->active_ms < 0 ? -1 : since(call, consumer->active_ms));
    }
}

static void xinfo_help(struct call *call) {
    static const char *const lines[] = {
        "CONSUMERS <key> <group>",
        "    Show the consumers of a group.",
        "GROUPS <key>",
        "    Show the groups of a stream.",
        "STREAM <key> [FULL [COUNT <count>]]",
        "    Show a stream; FULL with its entries, groups and consumers, the first 10 of each",
        "    list of entries or <count> (0: all).",
        NULL,
    };
    reply_help(call->reply, "XINFO", lines);
}

#define SHOWS                                                                                      \
    .flags = COMMAND_READONLY, .categories = CATEGORY_READ | CATEGORY_STREAM | CATEGORY_SLOW,      \
    .keys = {KEYS_RANGE(2, 0, 1, 0, KEY_RO | KEY_ACCESS)}, .group = GROUP_STREAM, .since = "5.0.0"

static const struct command_row rows[] = {
    {.name = "xinfo",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "Depends on the subcommand.",
     .summary = "Commands that show streams, groups and consumers."},
    {SHOWS, .name = "xinfo|consumers", .fn = xinfo_consumers, .arity = 4, .tips = TIP_CHANCE,
     .complexity = "O(N) for N consumers.", .summary = "Shows the consumers of a group.",
     .syntax = "key group"},
    {SHOWS, .name = "xinfo|groups", .fn = xinfo_groups, .arity = 3,
     .complexity = "O(N) for N groups.", .summary = "Shows the groups of a stream.",
     .syntax = "key"},
    {.name = "xinfo|help",
     .fn = xinfo_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_STREAM | CATEGORY_SLOW,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Lists the subcommands."},
    {SHOWS, .name = "xinfo|stream", .fn = xinfo_stream, .arity = -3,
     .complexity = "O(1), with FULL O(N) for N entries shown.", .summary = "Shows a stream.",
     .syntax = "key [FULL [COUNT count]]"},
};

const struct command_table *command_stream_info(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
