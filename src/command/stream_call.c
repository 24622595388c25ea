/* stream_call: see the header. */
#include "command/stream_call.h"

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "client/waiting.h"

/* Ids are at most so long, with all the zeros that one may write before them. */
#define ID_TEXT_MAX 127

static bool check_stream(struct stream_call *on) {
    on->stream = NULL;
    if (on->entry == NULL) {
        return true;
    }
    if (!call_type_ok(on->call, on->entry, ENTRY_STREAM)) {
        return false;
    }
    on->stream = stream_of(on->entry);
    return true;
}

bool stream_call_read(struct call *call, int index, struct stream_call *on) {
    on->call = call;
    on->key = call_key(call, index);
    on->entry = keyspace_read(call->keyspace, &on->key);
    return check_stream(on);
}

bool stream_call_write(struct call *call, int index, struct stream_call *on) {
    on->call = call;
    on->key = call_key(call, index);
    on->entry = keyspace_write(call->keyspace, &on->key);
    return check_stream(on);
}

bool stream_call_create(struct stream_call *on) {
    if (on->entry != NULL) {
        return true;
    }
    struct entry_shape shape = stream_new_shape();
    on->entry = keyspace_add(on->call->keyspace, &on->key, &shape, ENTRY_NO_DEADLINE);
    if (on->entry == NULL) {
        stream_discard(&shape);
        reply_no_memory(on->call->reply);
        return false;
    }
    on->stream = stream_of(on->entry);
    return true;
}

void stream_call_changed(struct stream_call *on, const char *event) {
    keyspace_changed(on->call->keyspace, &on->key, KEYSPACE_STREAM, event);
}

void stream_call_wake(struct stream_call *on) {
    waiting_signal(on->call->context->clients, &on->key, ENTRY_STREAM);
}

struct stream_group *stream_call_group(struct stream_call *on, int index) {
    struct bytes name = on->call->args[index];
    struct stream_group *group = on->stream != NULL ? stream_group_find(on->stream, name) : NULL;
    if (group == NULL) {
        reply_errorf(on->call->reply, "NOGROUP No such key '%.*s' or consumer group '%.*s'",
                     bytes_printed(on->key.name), on->key.name.at, bytes_printed(name), name.at);
    }
    return group;
}

/* ---- ids ---- */

size_t stream_id_format(char *out, struct stream_id id) {
    size_t size = num_format_u64(out, id.ms);
    out[size++] = '-';
    return size + num_format_u64(out + size, id.seq);
}

/* A number as strtoull reads it, for that is what clients have been used to: with zeros before it,
 * a sign and spaces. But a plain negative number is none. */
static bool parse_loosely(const char *text, uint64_t *number) {
    int64_t integer;
    if (num_parse_i64(bytes_text(text), &integer)) {
        *number = (uint64_t)integer;
        return integer >= 0;
    }
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    *number = value;
    return errno == 0 && *text != 0 && *end == 0;
}

static bool parse_odd_id(struct bytes text, uint64_t missing_seq, struct stream_id *id,
                         bool *any_seq) {
    char copy[ID_TEXT_MAX + 1];
    if (text.size > ID_TEXT_MAX) {
        return false;
    }
    memcpy(copy, text.at, text.size);
    copy[text.size] = 0;
    char *dash = strchr(copy, '-');
    if (dash != NULL) {
        *dash = 0;
    }
    if (!parse_loosely(copy, &id->ms)) {
        return false;
    }
    id->seq = missing_seq;
    if (dash == NULL) {
        return true;
    }
    if (any_seq != NULL && strcmp(dash + 1, "*") == 0) {
        *any_seq = true;
        id->seq = 0;
        return true;
    }
    return parse_loosely(dash + 1, &id->seq);
}

/* Up to 18 digits, so that it cannot overflow. */
static inline bool parse_digits(const char *at, size_t size, uint64_t *number) {
    uint64_t value = 0;
    if (size == 0 || size > 18) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned char)at[i] - (unsigned)'0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

bool stream_id_parse(struct bytes text, uint64_t missing_seq, struct stream_id *id, bool *any_seq) {
    if (any_seq != NULL) {
        *any_seq = false;
    }
    const char *dash = memchr(text.at, '-', text.size);
    size_t ms_size = dash != NULL ? (size_t)(dash - text.at) : text.size;
    if (parse_digits(text.at, ms_size, &id->ms)) {
        if (dash == NULL) {
            id->seq = missing_seq;
            return true;
        }
        if (parse_digits(dash + 1, text.size - ms_size - 1, &id->seq)) {
            return true;
        }
    }
    return parse_odd_id(text, missing_seq, id, any_seq);
}

void stream_reply_bad_id(struct reply *reply) {
    reply_error(reply, "ERR Invalid stream ID specified as stream command argument");
}

bool stream_call_id(struct call *call, int index, struct stream_id *id) {
    if (stream_id_parse(call->args[index], 0, id, NULL)) {
        return true;
    }
    stream_reply_bad_id(call->reply);
    return false;
}

/* One end of an interval; *exclusive when it is not included. */
static bool interval_end(struct call *call, int index, uint64_t missing_seq, struct stream_id *id,
                         bool *exclusive) {
    struct bytes text = call->args[index];
    *exclusive = text.size > 1 && text.at[0] == '(';
    if (!*exclusive && text.size == 1 && (text.at[0] == '-' || text.at[0] == '+')) {
        *id = text.at[0] == '-' ? STREAM_ID_MIN : STREAM_ID_MAX;
        return true;
    }
    if (*exclusive) {
        text = bytes_of(text.at + 1, text.size - 1);
    }
    if (stream_id_parse(text, missing_seq, id, NULL)) {
        return true;
    }
    stream_reply_bad_id(call->reply);
    return false;
}

bool stream_call_start(struct call *call, int index, struct stream_id *id) {
    bool exclusive;
    if (!interval_end(call, index, 0, id, &exclusive)) {
        return false;
    }
    if (exclusive && !stream_id_after(id)) {
        reply_error(call->reply, "ERR invalid start ID for the interval");
        return false;
    }
    return true;
}

bool stream_call_end(struct call *call, int index, struct stream_id *id) {
    bool exclusive;
    if (!interval_end(call, index, UINT64_MAX, id, &exclusive)) {
        return false;
    }
    if (exclusive && !stream_id_before(id)) {
        reply_error(call->reply, "ERR invalid end ID for the interval");
        return false;
    }
    return true;
}

bool stream_call_ids(struct call *call, int index, struct stream_ids *ids) {
    int64_t count;
    if (index + 2 > call->argc || !call_arg_is(call, index, "ids")) {
        reply_syntax_error(call->reply);
        return false;
    }
    if (!num_parse_i64(call->args[index + 1], &count) || count < 1) {
        reply_error(call->reply, "ERR Number of IDs must be a positive integer");
        return false;
    }
    if (count > call->argc - index - 2) {
        reply_error(call->reply, "ERR The `numids` parameter must match the number of arguments");
        return false;
    }
    *ids = (struct stream_ids){.first = index + 2, .count = (int)count};
    struct stream_id id;
    for (int i = 0; i < ids->count; i++) {
        if (!stream_call_id(call, ids->first + i, &id)) {
            return false;
        }
    }
    return true;
}

/* ---- replies ---- */

void stream_reply_id(struct reply *reply, struct stream_id id) {
    char text[STREAM_ID_SIZE];
    reply_bulk(reply, bytes_of(text, stream_id_format(text, id)));
}

void stream_reply_fields(struct reply *reply, const struct stream_entry *entry) {
    const uint8_t *names = entry->names;
    const uint8_t *values = entry->values;
    char scratch[NUM_I64_SIZE];
    struct bytes text;
    reply_array(reply, 2 * (int64_t)entry->field_count);
    for (uint32_t i = 0; i < entry->field_count; i++) {
        if (names != NULL) {
            names = stream_text_read(names, &text, scratch);
        } else {
            values = stream_text_read(values, &text, scratch);
        }
        reply_bulk(reply, text);
        values = stream_text_read(values, &text, scratch);
        reply_bulk(reply, text);
    }
}

void stream_reply_entry(struct reply *reply, const struct stream_entry *entry) {
    reply_literal(reply, "*2\r\n");
    stream_reply_id(reply, entry->id);
    stream_reply_fields(reply, entry);
}
