/* stream_trim: see the header. */
#include "command/stream_trim.h"

#include "base/num.h"

/* What an approximate trimming without LIMIT removes at most: so many full nodes, but no more
 * entries than this; and so many if nodes have no limit of entries. */
#define LIMIT_NODES     100
#define LIMIT_MAX       1000000
#define LIMIT_UNLIMITED 10000

bool stream_references_parse(struct call *call, int index, enum stream_references *references) {
    if (call_arg_is(call, index, "keepref")) {
        *references = STREAM_KEEP_REFERENCES;
    } else if (call_arg_is(call, index, "delref")) {
        *references = STREAM_DELETE_REFERENCES;
    } else if (call_arg_is(call, index, "acked")) {
        *references = STREAM_ACKNOWLEDGED;
    } else {
        return false;
    }
    return true;
}

static bool is_sign(struct call *call, int index, char sign) {
    return call->args[index].size == 1 && call->args[index].at[0] == sign;
}

/* MAXLEN or MINID with what follows. */
static int threshold(struct call *call, int *index, struct stream_trimming *trimming, bool by_id) {
    if (trimming->is_given) {
        reply_error(call->reply, "ERR syntax error, MAXLEN and MINID options at the same time are "
                                 "not compatible");
        return -1;
    }
    int at = *index + 1;
    trimming->trim.approximate = at + 1 < call->argc && is_sign(call, at, '~');
    if (trimming->trim.approximate || (at + 1 < call->argc && is_sign(call, at, '='))) {
        at++;
    }
    if (by_id) {
        if (!stream_call_id(call, at, &trimming->trim.id_min)) {
            return -1;
        }
    } else {
        int64_t length_max;
        if (!call_integer(call, at, &length_max)) {
            return -1;
        }
        if (length_max < 0) {
            reply_error(call->reply, "ERR The MAXLEN argument must be >= 0.");
            return -1;
        }
        trimming->trim.length_max = (uint64_t)length_max;
    }
    trimming->trim.by_id = by_id;
    trimming->is_given = true;
    *index = at;
    return 1;
}

int stream_trimming_option(struct call *call, int *index, struct stream_trimming *trimming) {
    bool more = *index + 1 < call->argc;
    if (more && call_arg_is(call, *index, "maxlen")) {
        return threshold(call, index, trimming, false);
    }
    if (more && call_arg_is(call, *index, "minid")) {
        return threshold(call, index, trimming, true);
    }
    if (more && call_arg_is(call, *index, "limit")) {
        int64_t limit;
        ++*index;
        if (!call_integer(call, *index, &limit)) {
            return -1;
        }
        if (limit < 0) {
            reply_error(call->reply, "ERR The LIMIT argument must be >= 0.");
            return -1;
        }
        trimming->trim.limit = (uint64_t)limit;
        trimming->limit_given = true;
        return 1;
    }
    return stream_references_parse(call, *index, &trimming->references) ? 1 : 0;
}

bool stream_trimming_complete(struct call *call, struct stream_trimming *trimming) {
    if (trimming->trim.limit != 0 && !trimming->is_given) {
        reply_error(call->reply, "ERR syntax error, LIMIT cannot be used without specifying a "
                                 "trimming strategy");
        return false;
    }
    if (trimming->limit_given && !trimming->trim.approximate) {
        reply_error(call->reply, "ERR syntax error, LIMIT cannot be used without the special ~ "
                                 "option");
        return false;
    }
    if (trimming->trim.approximate && !trimming->limit_given) {
        int64_t entries = call->keyspace->stream_options.node_entries_max;
        int64_t limit = entries > LIMIT_MAX / LIMIT_NODES ? LIMIT_MAX : entries * LIMIT_NODES;
        trimming->trim.limit = (uint64_t)(limit == 0 ? LIMIT_UNLIMITED : limit);
    }
    return true;
}

static bool forget(void *context, struct stream_id id) {
    stream_forget_pending(context, id);
    return true;
}

static bool is_free(void *context, struct stream_id id) {
    return !stream_is_needed(context, id);
}

uint64_t stream_trimming_do(struct stream_call *on, struct stream_trimming *trimming) {
    trimming->trim.context = on->stream;
    trimming->trim.may_go = NULL;
    if (on->stream->groups.count > 0) {
        if (trimming->references == STREAM_DELETE_REFERENCES) {
            trimming->trim.may_go = forget;
        } else if (trimming->references == STREAM_ACKNOWLEDGED) {
            trimming->trim.may_go = is_free;
        }
    }
    return stream_trim(on->stream, &trimming->trim);
}

/* By the length where entries were left out: the same ones will be there. */
void stream_trimming_words(const struct stream_call *on, const struct stream_trimming *trimming,
                           struct stream_trimming_words *words) {
    static const char *const references[] = {"KEEPREF", "DELREF", "ACKED"};
    const struct stream *stream = on->stream;
    words->count = 0;
    if (trimming->references != STREAM_KEEP_REFERENCES) {
        words->words[words->count++] = bytes_text(references[trimming->references]);
    }
    bool by_id =
        trimming->trim.by_id && trimming->references != STREAM_ACKNOWLEDGED && stream->length > 0;
    words->words[words->count++] = bytes_text(by_id ? "MINID" : "MAXLEN");
    words->words[words->count++] = bytes_text("=");
    size_t size = by_id ? stream_id_format(words->scratch, stream_first_id(stream))
                        : num_format_u64(words->scratch, stream->length);
    words->words[words->count++] = bytes_of(words->scratch, size);
}
