/* stream_claim: XCLAIM and XAUTOCLAIM, by which a consumer takes over what others have not
 * acknowledged. */
#include "command/stream_claim.h"

#include "base/buffer.h"
#include "base/num.h"
#include "call/pass_on.h"
#include "command/tables.h"

/* XAUTOCLAIM looks at so many pending entries for each that it may return. */
#define LOOKS_PER_CLAIM 10
#define AUTOCLAIM_COUNT 100
/* Beyond this a COUNT is refused, as a number that overflows would be. */
#define AUTOCLAIM_COUNT_MAX (INT64_MAX / 16)

static void pass_on_consumer(const struct stream_client *client) {
    CALL_PASS_ON(client->on->call, bytes_text("XGROUP"), bytes_text("CREATECONSUMER"),
                 client->on->key.name, client->group_name, client->name);
}

struct stream_consumer *stream_client_consumer(struct stream_client *client) {
    struct call *call = client->on->call;
    if (client->consumer != NULL) {
        return client->consumer;
    }
    client->consumer = stream_consumer_find(client->group, client->name);
    if (client->consumer == NULL) {
        client->consumer = stream_consumer_try_add(client->group, client->name, call->now_ms);
        if (client->consumer == NULL) {
            reply_no_memory(call->reply);
            return NULL;
        }
        pass_on_consumer(client);
        keyspace_event(call->keyspace, &client->on->key, KEYSPACE_STREAM, "xgroup-createconsumer");
        stream_call_noted(client->on);
    }
    client->consumer->seen_ms = call->now_ms;
    return client->consumer;
}

/* ---- passing on ---- */

void stream_pass_on_pending(const struct stream_client *client,
                            const struct stream_pending *pending) {
    struct call *call = client->on->call;
    if (!call_is_heard(call)) {
        return;
    }
    char id[STREAM_ID_SIZE];
    char last_id[STREAM_ID_SIZE];
    char time[NUM_I64_SIZE];
    char count[NUM_I64_SIZE];
    struct bytes id_text = bytes_of(id, stream_id_format(id, pending->id));
    size_t last_size = stream_id_format(last_id, client->group->last_id);
    CALL_PASS_ON(call, bytes_text("XCLAIM"), client->on->key.name, client->group_name, client->name,
                 bytes_text("0"), id_text, bytes_text("TIME"),
                 bytes_of(time, num_format_i64(time, pending->delivered_ms)),
                 bytes_text("RETRYCOUNT"),
                 bytes_of(count, num_format_i64(count, pending->deliveries)), bytes_text("FORCE"),
                 bytes_text("JUSTID"), bytes_text("LASTID"), bytes_of(last_id, last_size));
}

void stream_pass_on_removal(const struct stream_client *client, struct stream_id id) {
    char text[STREAM_ID_SIZE];
    size_t size = stream_id_format(text, id);
    CALL_PASS_ON(client->on->call, bytes_text("XACK"), client->on->key.name, client->group_name,
                 bytes_of(text, size));
}

void stream_pass_on_group_id(const struct stream_client *client) {
    char id[STREAM_ID_SIZE];
    char read[NUM_I64_SIZE];
    size_t id_size = stream_id_format(id, client->group->last_id);
    size_t read_size = num_format_i64(read, client->group->entries_read);
    CALL_PASS_ON(client->on->call, bytes_text("XGROUP"), bytes_text("SETID"), client->on->key.name,
                 client->group_name, bytes_of(id, id_size), bytes_text("ENTRIESREAD"),
                 bytes_of(read, read_size));
}

/* ---- claiming ---- */

struct claim {
    struct stream_client client;
    int64_t idle_min_ms;
    int64_t delivered_ms;
    int64_t deliveries; /* -1: one more, unless only ids are asked for */
    bool force;
    bool ids_only;
    bool has_last_id;
    struct stream_id last_id;
    struct buffer taken; /* struct stream_id after struct stream_id */
};

static bool parse_idle_min(struct call *call, struct claim *claim, const char *error) {
    if (!num_parse_i64(call->args[4], &claim->idle_min_ms)) {
        reply_error(call->reply, error);
        return false;
    }
    if (claim->idle_min_ms < 0) {
        claim->idle_min_ms = 0;
    }
    return true;
}

/* Whether the entry has been pending for long enough, which what is nobody's always has. */
static bool is_idle(const struct claim *claim, const struct stream_pending *pending) {
    int64_t now_ms = claim->client.on->call->now_ms;
    return claim->idle_min_ms == 0 || pending->slot == STREAM_NOBODY ||
           now_ms - pending->delivered_ms >= claim->idle_min_ms;
}

/* Gives the entry to the consumer. False when there is no memory, and the error replied. */
static bool take(struct claim *claim, struct stream_id id) {
    struct stream_client *client = &claim->client;
    struct call *call = client->on->call;
    struct stream_consumer *consumer = stream_client_consumer(client);
    if (consumer == NULL) {
        return false;
    }
    struct stream_pending *pending =
        stream_pending_give(client->group, id, consumer, claim->delivered_ms);
    if (claim->deliveries >= 0) {
        pending->deliveries = claim->deliveries;
    } else if (!claim->ids_only && pending->deliveries < INT64_MAX) {
        pending->deliveries++;
    }
    consumer->active_ms = call->now_ms;
    stream_pass_on_pending(client, pending);
    stream_call_noted(client->on);
    buffer_append(&claim->taken, &id, sizeof id);
    return true;
}

static void reply_one(const struct claim *claim, struct stream_id id) {
    struct reply *reply = claim->client.on->call->reply;
    struct stream_entry entry;
    if (claim->ids_only) {
        stream_reply_id(reply, id);
    } else if (stream_get(claim->client.on->stream, id, &entry)) {
        stream_reply_entry(reply, &entry);
    }
}

static struct stream_id id_of(const struct buffer *ids, size_t index) {
    struct stream_id id;
    memcpy(&id, ids->at + index * sizeof id, sizeof id);
    return id;
}

static void reply_taken(const struct claim *claim) {
    const struct buffer *ids = &claim->taken;
    size_t count = ids->size / sizeof(struct stream_id);
    reply_array(claim->client.on->call->reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        reply_one(claim, id_of(ids, i));
    }
}

static void reply_ids(struct reply *reply, const struct buffer *ids) {
    size_t count = ids->size / sizeof(struct stream_id);
    reply_array(reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        stream_reply_id(reply, id_of(ids, i));
    }
}

/* What was deleted from the stream is not pending any more either. */
static void drop(struct claim *claim, struct stream_id id) {
    stream_pending_remove(claim->client.group, id);
    stream_pass_on_removal(&claim->client, id);
    stream_call_noted(claim->client.on);
}

/* One option of XCLAIM, at *index, with its argument. False when an error has been replied. */
static bool claim_option(struct call *call, int *index, struct claim *claim) {
    int at = *index;
    bool more = at + 1 < call->argc;
    if (call_arg_is(call, at, "force")) {
        claim->force = true;
        return true;
    }
    if (call_arg_is(call, at, "justid")) {
        claim->ids_only = true;
        return true;
    }
    ++*index;
    if (more && call_arg_is(call, at, "lastid")) {
        claim->has_last_id = true;
        return stream_call_id(call, at + 1, &claim->last_id);
    }
    static const char *const names[] = {"IDLE", "TIME", "RETRYCOUNT"};
    for (size_t i = 0; more && i < sizeof names / sizeof *names; i++) {
        int64_t number;
        if (!call_arg_is(call, at, names[i])) {
            continue;
        }
        if (!num_parse_i64(call->args[at + 1], &number)) {
            reply_errorf(call->reply, "ERR Invalid %s option argument for XCLAIM", names[i]);
            return false;
        }
        if (i == 2) {
            claim->deliveries = number;
        } else if (i == 1) {
            claim->delivered_ms = number;
        } else if (__builtin_sub_overflow(call->now_ms, number, &claim->delivered_ms)) {
            claim->delivered_ms = -1;
        }
        return true;
    }
    reply_errorf(call->reply, "ERR Unrecognized XCLAIM option '%.*s'", (int)call->args[at].size,
                 call->args[at].at);
    return false;
}

/* Reads what follows the ids, which are as many arguments as can be read as such; *end is the
 * first one that cannot. */
static bool parse_claim(struct call *call, struct claim *claim, int *end) {
    struct stream_id id;
    int i = 5;
    while (i < call->argc && stream_id_parse(call->args[i], 0, &id, NULL)) {
        i++;
    }
    *end = i;
    claim->delivered_ms = -1;
    claim->deliveries = -1;
    for (; i < call->argc; i++) {
        if (!claim_option(call, &i, claim)) {
            return false;
        }
    }
    if (claim->delivered_ms < 0 || claim->delivered_ms > call->now_ms) {
        claim->delivered_ms = call->now_ms;
    }
    return true;
}

/* Claims those of the arguments up to `end`. False when an error has been replied. */
static bool claim_ids(struct claim *claim, int end) {
    struct call *call = claim->client.on->call;
    for (int i = 5; i < end; i++) {
        struct stream_id id;
        stream_id_parse(call->args[i], 0, &id, NULL);
        const struct stream_pending *pending = stream_pending_find(claim->client.group, id);
        if (!stream_has(claim->client.on->stream, id)) {
            if (pending != NULL) {
                drop(claim, id);
            }
        } else if (pending == NULL ? claim->force : is_idle(claim, pending)) {
            if (!take(claim, id)) {
                return false;
            }
        }
    }
    return true;
}

static void xclaim(struct call *call) {
    struct stream_call on;
    struct claim claim = {
        .client = {.on = &on, .group_name = call->args[2], .name = call->args[3]}};
    int ids_end;
    if (!stream_call_write(call, 1, &on) ||
        (claim.client.group = stream_call_group(&on, 2)) == NULL ||
        !parse_idle_min(call, &claim, "ERR Invalid min-idle-time argument for XCLAIM") ||
        !parse_claim(call, &claim, &ids_end)) {
        return;
    }
    struct stream_group *group = claim.client.group;
    buffer_init(&claim.taken, MEM_BUFFER);
    call_pass_on_nothing(call);
    bool moved = claim.has_last_id && stream_id_less(group->last_id, claim.last_id);
    if (moved) {
        group->last_id = claim.last_id;
        stream_call_noted(&on);
    }
    if (claim_ids(&claim, ids_end)) {
        if (moved && claim.taken.size == 0) {
            stream_pass_on_group_id(&claim.client);
        }
        reply_taken(&claim);
    }
    buffer_clear(&claim.taken);
}

static bool parse_autoclaim(struct call *call, struct claim *claim, struct stream_id *from,
                            int64_t *count) {
    if (!parse_idle_min(call, claim, "ERR Invalid min-idle-time argument for XAUTOCLAIM") ||
        !stream_call_start(call, 5, from)) {
        return false;
    }
    *count = AUTOCLAIM_COUNT;
    for (int i = 6; i < call->argc; i++) {
        if (i + 1 < call->argc && call_arg_is(call, i, "count")) {
            i++;
            if (!num_parse_i64(call->args[i], count) || *count < 1 ||
                *count > AUTOCLAIM_COUNT_MAX) {
                reply_error(call->reply, "ERR COUNT must be > 0");
                return false;
            }
        } else if (call_arg_is(call, i, "justid")) {
            claim->ids_only = true;
        } else {
            reply_syntax_error(call->reply);
            return false;
        }
    }
    return true;
}

/* What came of a walk beside what was taken. */
struct walk {
    struct buffer deleted;
    struct stream_id next; /* where to go on; zero: that was all */
};

/* Walks over what is pending from an id on and takes what has been so for long enough. False when
 * an error has been replied. */
static bool walk_pending(struct claim *claim, struct stream_id from, int64_t count,
                         struct walk *walk) {
    const struct stream *stream = claim->client.on->stream;
    struct id_index *pendings = &claim->client.group->pending;
    int64_t looks = count * LOOKS_PER_CLAIM;
    struct id_place place = id_index_seek(pendings, from);
    while (looks-- > 0 && count > 0 && !id_index_at_end(pendings, place)) {
        const struct stream_pending *pending = id_index_item(pendings, place);
        struct stream_id id = pending->id;
        if (!stream_has(stream, id)) {
            drop(claim, id);
            buffer_append(&walk->deleted, &id, sizeof id);
            count--;
            place = id_index_seek(pendings, id);
            continue;
        }
        if (is_idle(claim, pending)) {
            if (!take(claim, id)) {
                return false;
            }
            count--;
        }
        place = id_index_next(pendings, place);
    }
    if (!id_index_at_end(pendings, place)) {
        memcpy(&walk->next, id_index_item(pendings, place), sizeof walk->next);
    }
    return true;
}

static void xautoclaim(struct call *call) {
    struct stream_call on;
    struct claim claim = {
        .client = {.on = &on, .group_name = call->args[2], .name = call->args[3]},
        .delivered_ms = call->now_ms,
        .deliveries = -1,
    };
    struct stream_id from;
    int64_t count;
    if (!parse_autoclaim(call, &claim, &from, &count) || !stream_call_write(call, 1, &on) ||
        (claim.client.group = stream_call_group(&on, 2)) == NULL) {
        return;
    }
    call_pass_on_nothing(call);
    struct walk walk = {.next = STREAM_ID_MIN};
    buffer_init(&claim.taken, MEM_BUFFER);
    buffer_init(&walk.deleted, MEM_BUFFER);
    if (walk_pending(&claim, from, count, &walk)) {
        reply_array(call->reply, 3);
        stream_reply_id(call->reply, walk.next);
        reply_taken(&claim);
        reply_ids(call->reply, &walk.deleted);
    }
    buffer_clear(&claim.taken);
    buffer_clear(&walk.deleted);
}

#define CLAIMS                                                                                     \
    .flags = COMMAND_WRITE | COMMAND_FAST,                                                         \
    .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST, .group = GROUP_STREAM,         \
    .tips = TIP_CHANCE

static const struct command_row rows[] = {
    {CLAIMS, .name = "xautoclaim", .fn = xautoclaim, .arity = -6,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_DELETE)}, .since = "6.2.0",
     .complexity = "O(1) for a small COUNT.",
     .summary = "Gives a consumer what has been pending for others for too long, wherever it is.",
     .syntax = "key group consumer min-idle-time start [COUNT count] [JUSTID]"},
    {CLAIMS, .name = "xclaim", .fn = xclaim, .arity = -6,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)}, .since = "5.0.0",
     .complexity = "O(N log M) for N ids, M entries being pending.",
     .summary = "Gives a consumer entries that have been pending for others.",
     .syntax = "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME "
               "unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]"},
};

const struct command_table *command_stream_claims(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
