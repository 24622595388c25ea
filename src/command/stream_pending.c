/* stream_pending: XPENDING, which shows what a group has been handed and not acknowledged. */
#include "base/num.h"
#include "command/stream_call.h"
#include "command/tables.h"

/* How many there are, of which ids, and how many for each consumer. */
static void reply_summary(struct call *call, const struct stream_group *group) {
    const struct id_index *pending = &group->pending;
    reply_array(call->reply, 4);
    reply_integer(call->reply, (int64_t)pending->size);
    if (pending->size == 0) {
        reply_null(call->reply);
        reply_null(call->reply);
        reply_null_array(call->reply);
        return;
    }
    const struct stream_pending *first = id_index_item(pending, id_index_first(pending));
    const struct stream_pending *last = id_index_item(pending, id_index_last(pending));
    stream_reply_id(call->reply, first->id);
    stream_reply_id(call->reply, last->id);
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer =
            (const struct stream_consumer *)group->consumers.at[i];
        if (consumer->pending.size > 0) {
            reply_array(call->reply, 2);
            reply_bulk(call->reply, stream_name(&consumer->named));
            reply_bulk_integer(call->reply, (int64_t)consumer->pending.size);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '*', count);
}

/* What the long form asks for. */
struct listing {
    struct stream_id first;
    struct stream_id last;
    int64_t count;
    int64_t idle_min_ms;
    int consumer_at; /* argument; 0: of all */
};

static bool parse_listing(struct call *call, struct listing *listing) {
    int from = 3;
    *listing = (struct listing){.consumer_at = 0};
    if (call->argc < 6 || call->argc > 9) {
        reply_syntax_error(call->reply);
        return false;
    }
    if (call_arg_is(call, 3, "idle")) {
        if (!call_integer(call, 4, &listing->idle_min_ms)) {
            return false;
        }
        if (call->argc < 8) {
            reply_syntax_error(call->reply);
            return false;
        }
        from = 5;
    }
    if (!call_integer(call, from + 2, &listing->count) ||
        !stream_call_start(call, from, &listing->first) ||
        !stream_call_end(call, from + 1, &listing->last)) {
        return false;
    }
    listing->consumer_at = from + 3 < call->argc ? from + 3 : 0;
    return true;
}

static void reply_pending(struct call *call, const struct stream_group *group,
                          const struct stream_pending *pending, int64_t idle_ms) {
    const struct stream_consumer *owner = stream_pending_owner(group, pending);
    reply_array(call->reply, 4);
    stream_reply_id(call->reply, pending->id);
    reply_bulk(call->reply, owner != NULL ? stream_name(&owner->named) : bytes_text(""));
    reply_integer(call->reply, owner == NULL ? -1 : idle_ms < 0 ? 0 : idle_ms);
    reply_integer(call->reply, pending->deliveries);
}

static void reply_listing(struct call *call, const struct stream_group *group,
                          const struct listing *listing) {
    const struct id_index *index = &group->pending;
    if (listing->consumer_at != 0) {
        const struct stream_consumer *consumer =
            stream_consumer_find(group, call->args[listing->consumer_at]);
        if (consumer == NULL) {
            reply_array(call->reply, 0);
            return;
        }
        index = &consumer->pending;
    }
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    struct id_place place = id_index_seek(index, listing->first);
    for (; count < listing->count && !id_index_at_end(index, place);
         place = id_index_next(index, place)) {
        const struct stream_id *id = id_index_item(index, place);
        if (stream_id_less(listing->last, *id)) {
            break;
        }
        const struct stream_pending *pending = index == &group->pending
                                                   ? (const struct stream_pending *)(const void *)id
                                                   : stream_pending_find(group, *id);
        int64_t idle_ms = call->now_ms - pending->delivered_ms;
        if (listing->idle_min_ms == 0 || idle_ms >= listing->idle_min_ms) {
            reply_pending(call, group, pending, idle_ms);
            count++;
        }
    }
    reply_defer_end(call->reply, mark, '*', count);
}

static void xpending(struct call *call) {
    struct listing listing = {0};
    struct stream_call on;
    if ((call->argc != 3 && !parse_listing(call, &listing)) || !stream_call_read(call, 1, &on)) {
        return;
    }
    const struct stream_group *group = stream_call_group(&on, 2);
    if (group == NULL) {
        return;
    }
    if (call->argc == 3) {
        reply_summary(call, group);
    } else {
        reply_listing(call, group, &listing);
    }
}

static const struct command_row rows[] = {
    {.name = "xpending",
     .fn = xpending,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_STREAM | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RO | KEY_ACCESS)},
     .tips = TIP_CHANCE,
     .group = GROUP_STREAM,
     .since = "5.0.0",
     .complexity = "O(N) for N entries returned, or looked at with IDLE; O(N) for N consumers "
                   "without a range.",
     .summary = "Shows what a group has been handed and not acknowledged.",
     .syntax = "key group [[IDLE min-idle-time] start end count [consumer]]"},
};

const struct command_table *command_stream_pending(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
