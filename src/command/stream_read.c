/* stream_read: XREAD and XREADGROUP: what has come to streams behind an id, or what a group has not
 * been handed yet.
 *
 * Both are one command with two ways of choosing entries. All arguments are looked at before
 * anything is replied or changed; then the streams are served one after the other, in the order of
 * the arguments, and the reply begins with the first that has something. */
#include "base/buffer.h"
#include "base/num.h"
#include "call/pass_on.h"
#include "client/waiting.h"
#include "command/stream_claim.h"
#include "command/tables.h"

#include <stdlib.h>

struct reading {
    struct call *call;
    int group_at; /* argument that names the group, the consumer's is behind it; 0: XREAD */
    bool no_ack;
    bool has_count_max;
    int64_t count; /* for each stream; 0: all */
    int64_t count_max;
    int64_t size_max;      /* bytes of reply, which end it when they are reached; 0: no limit */
    int64_t block_ms;      /* -1: not to wait */
    int64_t claim_idle_ms; /* -1: not to claim */
    int keys_at;
    int key_count;
    size_t size_before; /* of the reply */
    struct reply_mark mark;
    int64_t served; /* streams replied */
    int64_t total;  /* entries replied */
};

/* ---- the arguments ---- */

static bool reply_not_group(struct call *call, const char *option) {
    reply_errorf(call->reply,
                 "ERR The %s option is only supported by XREADGROUP. You called XREAD instead.",
                 option);
    return false;
}

/* The number behind an option, which may not be negative: `error` if it is. */
static bool number_option(struct call *call, int index, int64_t *out, const char *error) {
    if (!call_integer(call, index, out)) {
        return false;
    }
    if (*out < 0) {
        reply_error(call->reply, error);
        return false;
    }
    return true;
}

/* Options with a number. 1: it was one, 0: it is none, -1: an error has been replied. */
static int numbered_option(struct reading *reading, int index, bool of_group) {
    struct call *call = reading->call;
    bool done;
    if (index + 1 >= call->argc) {
        return 0;
    }
    if (call_arg_is(call, index, "block")) {
        done = waiting_read_ms(call, index + 1, &reading->block_ms);
    } else if (call_arg_is(call, index, "count")) {
        done = call_integer(call, index + 1, &reading->count);
        reading->count = reading->count < 0 ? 0 : reading->count;
    } else if (call_arg_is(call, index, "maxcount")) {
        reading->has_count_max = true;
        done = number_option(call, index + 1, &reading->count_max, "ERR MAXCOUNT must be >= 0");
    } else if (call_arg_is(call, index, "maxsize")) {
        done = number_option(call, index + 1, &reading->size_max, "ERR MAXSIZE must be >= 0");
    } else if (of_group && call_arg_is(call, index, "claim")) {
        done = number_option(call, index + 1, &reading->claim_idle_ms,
                             "ERR min-idle-time must be a positive integer");
    } else {
        return 0;
    }
    return done ? 1 : -1;
}

/* The keys and ids, behind STREAMS. */
static bool streams_option(struct reading *reading, int index) {
    struct call *call = reading->call;
    int count = call->argc - index - 1;
    if (count % 2 != 0) {
        /* Redis 7.0 says XREAD to both. */
        reply_error(call->reply, "ERR Unbalanced XREAD list of streams: for each stream key an ID "
                                 "or '$' must be specified.");
        return false;
    }
    reading->keys_at = index + 1;
    reading->key_count = count / 2;
    return true;
}

static bool parse_options(struct reading *reading, bool of_group) {
    struct call *call = reading->call;
    for (int i = 1; i < call->argc && reading->keys_at == 0; i++) {
        int result = numbered_option(reading, i, of_group);
        if (result < 0) {
            return false;
        }
        if (result > 0) {
            i++;
        } else if (i + 1 < call->argc && call_arg_is(call, i, "streams")) {
            if (!streams_option(reading, i)) {
                return false;
            }
        } else if (i + 2 < call->argc && call_arg_is(call, i, "group")) {
            if (!of_group) {
                return reply_not_group(call, "GROUP");
            }
            reading->group_at = i + 1;
            i += 2;
        } else if (call_arg_is(call, i, "noack")) {
            if (!of_group) {
                return reply_not_group(call, "NOACK");
            }
            reading->no_ack = true;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    if (reading->keys_at == 0) {
        reply_syntax_error(call->reply);
        return false;
    }
    if (of_group && reading->group_at == 0) {
        reply_error(call->reply, "ERR Missing GROUP option for XREADGROUP");
        return false;
    }
    return true;
}

static bool is_sign(struct bytes text, char sign) {
    return text.size == 1 && text.at[0] == sign;
}

static inline int id_at(const struct reading *reading, int i) {
    return reading->keys_at + reading->key_count + i;
}

static struct stream_group *group_of(const struct reading *reading, const struct stream_call *on) {
    return on->stream == NULL
               ? NULL
               : stream_group_find(on->stream, reading->call->args[reading->group_at]);
}

/* Whether stream i can be read in this way; what an id means is found when it is served. */
static bool check_stream(struct reading *reading, int i) {
    struct call *call = reading->call;
    struct stream_call on;
    struct stream_id id;
    struct bytes text = call->args[id_at(reading, i)];
    if (reading->group_at == 0) {
        if (is_sign(text, '$') || is_sign(text, '+')) {
            return stream_call_read(call, reading->keys_at + i, &on);
        }
        if (is_sign(text, '>')) {
            reply_error(call->reply, "ERR The > ID can be specified only when calling XREADGROUP "
                                     "using the GROUP <group> <consumer> option.");
            return false;
        }
        return stream_call_id(call, id_at(reading, i), &id);
    }
    if (!stream_call_write(call, reading->keys_at + i, &on)) {
        return false;
    }
    if (group_of(reading, &on) == NULL) {
        struct bytes name = call->args[reading->group_at];
        reply_errorf(call->reply,
                     "NOGROUP No such key '%.*s' or consumer group '%.*s' in XREADGROUP with GROUP "
                     "option",
                     (int)on.key.name.size, on.key.name.at, (int)name.size, name.at);
        return false;
    }
    if (is_sign(text, '$')) {
        reply_error(call->reply,
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read "
                    "the history of this consumer by specifying a proper ID, or use the > ID to "
                    "get new messages. The $ ID would just return an empty result set.");
        return false;
    }
    return is_sign(text, '>') || stream_call_id(call, id_at(reading, i), &id);
}

/* ---- the reply ---- */

/* Begins the reply of one stream; its entries follow, and end_stream. */
static struct reply_mark begin_stream(struct reading *reading, struct bytes key) {
    struct reply *reply = reading->call->reply;
    if (reading->served++ == 0) {
        reading->size_before = reply_size(reply);
        reading->mark = reply_defer(reply);
    }
    if (reply->version == 2) {
        reply_literal(reply, "*2\r\n");
    }
    reply_bulk(reply, key);
    return reply_defer(reply);
}

static void end_stream(struct reading *reading, struct reply_mark mark, int64_t count) {
    reply_defer_end(reading->call->reply, mark, '*', count);
}

/* Whether one more entry may be replied, there being `count` of this stream. */
static bool wants_more(const struct reading *reading, int64_t count) {
    if (reading->count != 0 && count >= reading->count) {
        return false;
    }
    if (reading->has_count_max && reading->total >= reading->count_max) {
        return false;
    }
    return reading->size_max == 0 || reading->total == 0 ||
           reply_size(reading->call->reply) - reading->size_before < (size_t)reading->size_max;
}

/* ---- XREAD ---- */

static void serve(struct reading *reading, int i) {
    struct call *call = reading->call;
    struct stream_call on;
    struct bytes text = call->args[id_at(reading, i)];
    if (!stream_call_read(call, reading->keys_at + i, &on) || on.stream == NULL ||
        on.stream->length == 0 || is_sign(text, '$')) {
        return;
    }
    struct stream_id last = stream_last_entry_id(on.stream);
    struct stream_id from = last;
    if (!is_sign(text, '+')) {
        stream_id_parse(text, 0, &from, NULL);
        if (!stream_id_less(from, last)) {
            return;
        }
        stream_id_after(&from);
    }
    struct stream_range range;
    struct stream_entry entry;
    int64_t count = 0;
    struct reply_mark mark = begin_stream(reading, on.key.name);
    stream_range_begin(&range, on.stream, from, STREAM_ID_MAX, false);
    while (wants_more(reading, count) && stream_range_next(&range, &entry)) {
        stream_reply_entry(call->reply, &entry);
        reading->total++;
        count++;
    }
    end_stream(reading, mark, count);
}

/* ---- XREADGROUP ---- */

/* An entry with, if claiming was asked for, how long and how often it was pending before. */
static void reply_delivered(struct reading *reading, const struct stream_entry *entry,
                            int64_t idle_ms, int64_t deliveries) {
    struct reply *reply = reading->call->reply;
    if (reading->claim_idle_ms < 0) {
        stream_reply_entry(reply, entry);
    } else {
        reply_array(reply, 4);
        stream_reply_id(reply, entry->id);
        stream_reply_fields(reply, entry);
        reply_integer(reply, idle_ms);
        reply_integer(reply, deliveries);
    }
    reading->total++;
}

/* What is pending for the consumer behind an id; of what was deleted only the id. */
static int64_t deliver_history(struct reading *reading, struct stream_client *client,
                               struct stream_id from) {
    struct call *call = reading->call;
    const struct id_index *pendings = &client->consumer->pending;
    int64_t count = 0;
    if (!stream_id_after(&from)) {
        return 0;
    }
    struct id_place place = id_index_seek(pendings, from);
    for (; wants_more(reading, count) && !id_index_at_end(pendings, place);
         place = id_index_next(pendings, place), count++) {
        const struct stream_id *id = id_index_item(pendings, place);
        struct stream_entry entry;
        reading->total++;
        if (!stream_get(client->on->stream, *id, &entry)) {
            reply_array(call->reply, 2);
            stream_reply_id(call->reply, *id);
            reply_null_array(call->reply);
            continue;
        }
        stream_reply_entry(call->reply, &entry);
        struct stream_pending *pending = stream_pending_find(client->group, *id);
        pending->delivered_ms = call->now_ms;
        pending->deliveries += pending->deliveries < INT64_MAX;
    }
    return count;
}

/* What was pending for long enough to be claimed, and since when. */
struct candidate {
    int64_t delivered_ms;
    struct stream_id id;
};

static int compare_candidates(const void *one, const void *other) {
    const struct candidate *a = one;
    const struct candidate *b = other;
    if (a->delivered_ms != b->delivered_ms) {
        return a->delivered_ms < b->delivered_ms ? -1 : 1;
    }
    return stream_id_compare(a->id, b->id);
}

/* Finds them, those that have been pending for longest first. All that is pending has to be looked
 * at, unless it is known that there are none. */
static void find_candidates(struct stream_group *group, int64_t until_ms, struct buffer *found) {
    if (group->delivered_from_ms > until_ms) {
        return;
    }
    int64_t from_ms = INT64_MAX;
    struct id_place place = id_index_first(&group->pending);
    for (; !id_index_at_end(&group->pending, place);
         place = id_index_next(&group->pending, place)) {
        const struct stream_pending *pending = id_index_item(&group->pending, place);
        from_ms = pending->delivered_ms < from_ms ? pending->delivered_ms : from_ms;
        if (pending->delivered_ms <= until_ms) {
            struct candidate candidate = {.delivered_ms = pending->delivered_ms, .id = pending->id};
            buffer_append(found, &candidate, sizeof candidate);
        }
    }
    group->delivered_from_ms = from_ms;
    if (found->size > 0) {
        qsort(found->at, found->size / sizeof(struct candidate), sizeof(struct candidate),
              compare_candidates);
    }
}

/* Whether anything could be claimed now. What was deleted is not pending any more. */
static bool has_candidates(const struct reading *reading, struct stream_client *client,
                           struct buffer *found) {
    if (reading->claim_idle_ms < 0) {
        return false;
    }
    find_candidates(client->group, reading->call->now_ms - reading->claim_idle_ms, found);
    size_t kept = 0;
    for (size_t at = 0; at < found->size; at += sizeof(struct candidate)) {
        struct candidate candidate;
        memcpy(&candidate, found->at + at, sizeof candidate);
        if (stream_has(client->on->stream, candidate.id)) {
            memcpy(found->at + kept, &candidate, sizeof candidate);
            kept += sizeof candidate;
        } else {
            stream_pending_remove(client->group, candidate.id);
            stream_pass_on_removal(client, candidate.id);
            stream_call_noted(client->on);
        }
    }
    found->size = kept;
    return kept > 0;
}

/* Takes over what has been pending for too long. */
static int64_t deliver_claimed(struct reading *reading, struct stream_client *client,
                               const struct buffer *found) {
    struct call *call = reading->call;
    int64_t count = 0;
    for (size_t at = 0; at < found->size && wants_more(reading, count);
         at += sizeof(struct candidate)) {
        struct candidate candidate;
        struct stream_entry entry;
        memcpy(&candidate, found->at + at, sizeof candidate);
        stream_get(client->on->stream, candidate.id, &entry);
        struct stream_pending *pending =
            stream_pending_give(client->group, candidate.id, client->consumer, call->now_ms);
        reply_delivered(reading, &entry, call->now_ms - candidate.delivered_ms,
                        pending->deliveries);
        pending->deliveries += pending->deliveries < INT64_MAX;
        stream_pass_on_pending(client, pending);
        count++;
    }
    return count;
}

/* What the group has not been handed yet. `count`: how many of this stream there are already. */
static int64_t deliver_new(struct reading *reading, struct stream_client *client, int64_t count) {
    struct call *call = reading->call;
    struct stream_group *group = client->group;
    struct stream_id from = group->last_id;
    struct stream_range range;
    struct stream_entry entry;
    int64_t before = count;
    if (!stream_id_after(&from)) {
        return count;
    }
    stream_range_begin(&range, client->on->stream, from, STREAM_ID_MAX, false);
    while (wants_more(reading, count) && stream_range_next(&range, &entry)) {
        reply_delivered(reading, &entry, 0, 0);
        stream_group_advance(client->on->stream, group, entry.id);
        count++;
        if (!reading->no_ack) {
            struct stream_pending *pending =
                stream_pending_give(group, entry.id, client->consumer, call->now_ms);
            pending->deliveries = 1;
            stream_pass_on_pending(client, pending);
        }
    }
    if (reading->no_ack && count > before) {
        stream_pass_on_group_id(client);
    }
    return count;
}

/* Whether what is new is asked for, not what is pending behind an id. Redis keeps ">" as the
 * greatest id, so that stands for the same. */
static bool wants_new(struct bytes text, struct stream_id *from) {
    if (is_sign(text, '>')) {
        return true;
    }
    stream_id_parse(text, 0, from, NULL);
    return stream_id_compare(*from, STREAM_ID_MAX) == 0;
}

/* Serves one stream by the group. False when there was no memory. */
static bool serve_group(struct reading *reading, int i) {
    struct call *call = reading->call;
    struct stream_call on;
    if (!stream_call_write(call, reading->keys_at + i, &on)) {
        return false;
    }
    struct stream_client client = {
        .on = &on,
        .group_name = call->args[reading->group_at],
        .group = group_of(reading, &on),
        .name = call->args[reading->group_at + 1],
    };
    if (stream_client_consumer(&client) == NULL) {
        return false;
    }
    struct stream_id from;
    int64_t count;
    if (!wants_new(call->args[id_at(reading, i)], &from)) {
        struct reply_mark mark = begin_stream(reading, on.key.name);
        count = deliver_history(reading, &client, from);
        end_stream(reading, mark, count);
    } else {
        struct buffer found;
        buffer_init(&found, MEM_BUFFER);
        bool claims = has_candidates(reading, &client, &found);
        if (!claims && !stream_id_less(client.group->last_id, stream_last_entry_id(on.stream))) {
            buffer_clear(&found);
            return true;
        }
        struct reply_mark mark = begin_stream(reading, on.key.name);
        count = deliver_claimed(reading, &client, &found);
        count = deliver_new(reading, &client, count);
        end_stream(reading, mark, count);
        buffer_clear(&found);
    }
    if (count > 0) {
        client.consumer->active_ms = call->now_ms;
    }
    stream_call_noted(&on);
    return true;
}

/* ---- both ---- */

/* Replies what there is for the client; false when there is nothing, and nothing was replied. */
static bool serve_all(struct reading *reading) {
    uint32_t errors = reading->call->reply->errors;
    for (int i = 0; i < reading->key_count; i++) {
        if (reading->has_count_max && reading->total >= reading->count_max) {
            break;
        }
        if (reading->group_at == 0) {
            serve(reading, i);
        } else if (!serve_group(reading, i)) {
            break;
        }
    }
    if (reading->served > 0) {
        bool is_map = reading->call->reply->version != 2;
        reply_defer_end(reading->call->reply, reading->mark, is_map ? '%' : '*', reading->served);
    }
    return reading->served > 0 || reading->call->reply->errors != errors;
}

/* The last id there has been, which "$" stands for. */
static struct stream_id last_id_of(const struct reading *reading, int i) {
    struct stream_call on;
    bool is_stream = stream_call_read(reading->call, reading->keys_at + i, &on);
    return is_stream && on.stream != NULL ? on.stream->last_id : STREAM_ID_MIN;
}

/* The client waits for its streams. It will be executed again with what "$" stands for now. */
static void wait_for_entries(struct reading *reading) {
    struct call *call = reading->call;
    struct wait wait = {.type = ENTRY_STREAM,
                        .first_key = reading->keys_at,
                        .key_count = reading->key_count,
                        .timeout_ms = reading->block_ms,
                        .minds_loss = reading->group_at > 0};
    size_t args_size = (size_t)call->argc * sizeof *call->args;
    size_t ids_size = (size_t)reading->key_count * STREAM_ID_SIZE;
    char *room = mem_try_alloc(MEM_BUFFER, args_size + ids_size);
    if (room == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    struct bytes *args = (struct bytes *)(void *)room;
    memcpy(args, call->args, args_size);
    for (int i = 0; i < reading->key_count; i++) {
        char *text = room + args_size + (size_t)i * STREAM_ID_SIZE;
        if (is_sign(args[id_at(reading, i)], '$')) {
            args[id_at(reading, i)] =
                bytes_of(text, stream_id_format(text, last_id_of(reading, i)));
        }
    }
    wait.args = args;
    waiting_begin(call, &wait);
    mem_free(MEM_BUFFER, room, args_size + ids_size);
}

static void read_streams(struct call *call, bool of_group) {
    struct reading reading = {.call = call, .block_ms = -1, .claim_idle_ms = -1};
    if (!parse_options(&reading, of_group)) {
        return;
    }
    for (int i = 0; i < reading.key_count; i++) {
        if (!check_stream(&reading, i)) {
            return;
        }
    }
    if (of_group) {
        call_pass_on_nothing(call);
    }
    if (serve_all(&reading)) {
        return;
    }
    if (reading.block_ms >= 0) {
        wait_for_entries(&reading);
    } else {
        reply_null_array(call->reply);
    }
}

static void xread(struct call *call) {
    read_streams(call, false);
}

static void xreadgroup(struct call *call) {
    read_streams(call, true);
}

#define READS_STREAMS                                                                              \
    .group = GROUP_STREAM, .since = "5.0.0",                                                       \
    .complexity = "O(N) for N entries returned, and O(log M) for each stream of M."
#define STREAM_KEYS(from)                                                                          \
    KEYS_BEHIND("STREAMS", (from), -1, 1, 2, KEY_RO | KEY_ACCESS | KEY_INCOMPLETE)

static const struct command_row rows[] = {
    {READS_STREAMS, .name = "xread", .fn = xread, .arity = -4,
     .flags = COMMAND_READONLY | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_READ | CATEGORY_STREAM | CATEGORY_SLOW | CATEGORY_BLOCKING,
     .keys = {STREAM_KEYS(1)},
     .summary = "Returns what has come to streams behind the ids given, or waits for it.",
     .syntax = "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS "
               "key [key ...] id [id ...]"},
    {READS_STREAMS, .name = "xreadgroup", .fn = xreadgroup, .arity = -7,
     .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_SLOW | CATEGORY_BLOCKING,
     .keys = {STREAM_KEYS(4)},
     .summary = "Hands a consumer of a group what no other one has been handed, or shows it what "
                "is pending for it.",
     .syntax = "GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK "
               "milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]"},
};

const struct command_table *command_stream_reads(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
