/* stream_producer: settings of what is remembered of producers, XCFGSET, and what tells a copy of
 * the stream of them, XIDMPRECORD. What makes use of it is XADD, in stream.c. */
#include "command/stream_producer.h"

#include "base/hash.h"
#include "base/num.h"
#include "command/stream_claim.h"
#include "command/tables.h"

/* The seed of ids that follow from content: the same everywhere, for others are told them. */
#define CONTENT_SEED 0x61c8864680b583ebull

struct stream_producers *stream_call_producers(struct stream_call *on) {
    const struct stream_options *options = &on->call->keyspace->stream_options;
    if (on->stream->producers == NULL) {
        on->stream->producers = stream_producers_new((uint32_t)options->sent_duration_s,
                                                     (uint32_t)options->sent_size_max);
    }
    return on->stream->producers;
}

struct bytes stream_content_id(const struct bytes *pairs, size_t count, char *out) {
    uint64_t halves[2] = {CONTENT_SEED, ~CONTENT_SEED};
    for (size_t i = 0; i < 2 * count; i++) {
        for (int half = 0; half < 2; half++) {
            uint64_t text = hash_bytes(halves[half], pairs[i].at, pairs[i].size);
            halves[half] = hash_mix(text ^ pairs[i].size);
        }
    }
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < STREAM_CONTENT_ID_SIZE; i++) {
        out[i] = digits[halves[i / 16] >> (i % 16 * 4) & 15];
    }
    return bytes_of(out, STREAM_CONTENT_ID_SIZE);
}

static bool setting(struct call *call, int index, int64_t most, const char *error, int64_t *out) {
    if (!num_parse_i64(call->args[index], out) || *out < 1 || *out > most) {
        reply_error(call->reply, error);
        return false;
    }
    return true;
}

static void xcfgset(struct call *call) {
    int64_t duration_s = 0;
    int64_t size_max = 0;
    for (int i = 2; i < call->argc; i += 2) {
        if (i + 1 < call->argc && call_arg_is(call, i, "idmp-duration")) {
            if (!setting(call, i + 1, STREAM_DURATION_MAX, "ERR invalid duration", &duration_s)) {
                return;
            }
        } else if (i + 1 < call->argc && call_arg_is(call, i, "idmp-maxsize")) {
            if (!setting(call, i + 1, STREAM_SENT_SIZE_MAX, "ERR invalid maxsize", &size_max)) {
                return;
            }
        } else {
            reply_syntax_error(call->reply);
            return;
        }
    }
    struct stream_call on;
    if (duration_s == 0 && size_max == 0) {
        reply_syntax_error(call->reply);
        return;
    }
    if (!stream_call_write(call, 1, &on)) {
        return;
    }
    if (on.stream == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    struct stream_producers *producers = stream_call_producers(&on);
    uint32_t duration = duration_s != 0 ? (uint32_t)duration_s : producers->duration_s;
    uint32_t size = size_max != 0 ? (uint32_t)size_max : producers->size_max;
    if (duration != producers->duration_s || size != producers->size_max) {
        stream_producers_configure(producers, duration, size);
    }
    reply_ok(call->reply);
    stream_call_noted(&on);
}

static void xidmprecord(struct call *call) {
    struct stream_call on;
    struct stream_id id;
    struct stream_id known;
    if (call->args[2].size == 0 || call->args[3].size == 0) {
        reply_error(call->reply, "ERR producer and idempotent id must not be empty");
        return;
    }
    if (!stream_call_id(call, 4, &id) || !stream_call_write(call, 1, &on)) {
        return;
    }
    if (on.stream == NULL) {
        reply_error(call->reply, "ERR no such key");
        return;
    }
    if (!stream_has(on.stream, id)) {
        reply_error(call->reply, "ERR no such entry in the stream");
        return;
    }
    struct stream_producers *producers = stream_call_producers(&on);
    struct stream_sent_id sent = stream_sent_id_of(call->args[3]);
    if (stream_sent_find(producers, call->args[2], sent, call->now_ms, &known)) {
        if (stream_id_compare(known, id) == 0) {
            reply_ok(call->reply);
        } else {
            reply_error(call->reply, "ERR the idempotent id belongs to another entry");
        }
        return;
    }
    if (!stream_sent_try_add(producers, call->args[2], sent, call->now_ms, id)) {
        reply_no_memory(call->reply);
        return;
    }
    reply_ok(call->reply);
    stream_call_noted(&on);
}

static const struct command_row rows[] = {
    {.name = "xcfgset",
     .fn = xcfgset,
     .arity = -2,
     .flags = COMMAND_WRITE | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .group = GROUP_STREAM,
     .since = "8.6.0",
     .complexity = "O(N) for N ids that are forgotten.",
     .summary = "Sets for how long, and how many, ids of what producers send are remembered.",
     .syntax = "key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]"},
    {.name = "xidmprecord",
     .fn = xidmprecord,
     .arity = 5,
     .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
     .categories = CATEGORY_WRITE | CATEGORY_STREAM | CATEGORY_FAST,
     .keys = {KEYS_RANGE(1, 0, 1, 0, KEY_RW | KEY_UPDATE)},
     .group = GROUP_STREAM,
     .since = "8.6.2",
     .complexity = "O(N) for N ids that are remembered of the producer.",
     .summary = "Notes by which id a producer has sent an entry; for copies of a stream.",
     .syntax = "key pid iid stream-id"},
};

const struct command_table *command_stream_producers(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
