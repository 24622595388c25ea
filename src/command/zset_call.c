/* zset_call: see the header. */
#include "command/zset_call.h"

#include "base/num.h"
#include "call/pass_on.h"

static bool look_up(struct call *call, int index, struct zset_call *on,
                    struct entry *(*how)(struct keyspace *, struct key *)) {
    on->call = call;
    on->key = call_key(call, index);
    on->zset = how(call->keyspace, &on->key);
    return call_type_ok(call, on->zset, ENTRY_SORTED_SET);
}

bool zset_call_read(struct call *call, int index, struct zset_call *on) {
    return look_up(call, index, on, keyspace_read);
}

bool zset_call_write(struct call *call, int index, struct zset_call *on) {
    return look_up(call, index, on, keyspace_write);
}

bool zset_call_create(struct zset_call *on) {
    if (on->zset != NULL) {
        return true;
    }
    struct entry_shape shape = zset_new_shape();
    on->zset = keyspace_add(on->call->keyspace, &on->key, &shape, ENTRY_NO_DEADLINE);
    if (on->zset == NULL) {
        zset_discard(&shape);
        reply_no_memory(on->call->reply);
        return false;
    }
    return true;
}

void zset_call_changed(struct zset_call *on, const char *event) {
    keyspace_changed(on->call->keyspace, &on->key, KEYSPACE_SORTED, event);
}

void zset_call_settle(struct zset_call *on) {
    if (on->zset != NULL && zset_length(on->zset) == 0) {
        keyspace_remove(on->call->keyspace, &on->key, on->zset, false);
        on->zset = NULL;
        keyspace_event(on->call->keyspace, &on->key, KEYSPACE_GENERIC, "del");
    }
}

void zset_call_remove(struct zset_call *on, struct zset_span span, const char *event) {
    if (span.count == 0) {
        return;
    }
    struct keyspace *keyspace = on->call->keyspace;
    if (span.count == zset_length(on->zset)) {
        /* What is removed whole need not be taken apart first. */
        keyspace_remove(keyspace, &on->key, on->zset, keyspace->options.lazy_server_del);
        on->zset = NULL;
        zset_call_changed(on, event);
        keyspace_event(keyspace, &on->key, KEYSPACE_GENERIC, "del");
        return;
    }
    zset_remove_span(on->zset, span);
    zset_call_changed(on, event);
}

void zset_call_store(struct call *call, int index, const struct entry_shape *shape, size_t count,
                     const char *event) {
    struct keyspace *keyspace = call->keyspace;
    struct key key = call_key(call, index);
    struct entry *old = keyspace_write(keyspace, &key);
    if (count == 0) {
        zset_discard(shape);
        if (old != NULL) {
            keyspace_remove(keyspace, &key, old, keyspace->options.lazy_server_del);
            keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "del");
        }
    } else if (keyspace_assign(keyspace, &key, old, shape, ENTRY_NO_DEADLINE) == NULL) {
        zset_discard(shape);
        reply_no_memory(call->reply);
        return;
    } else {
        keyspace_changed(keyspace, &key, KEYSPACE_SORTED, event);
    }
    reply_integer(call->reply, (int64_t)count);
}

/* "(" before a score excludes it. */
static bool parse_score_limit(struct bytes text, double *score, bool *excluded) {
    *excluded = text.size > 0 && text.at[0] == '(';
    if (*excluded) {
        text = bytes_of(text.at + 1, text.size - 1);
    }
    return num_parse_double(text, score) || num_parse_double_leniently(text, score);
}

bool zset_call_scores(struct call *call, int least, int most, struct zset_scores *range) {
    if (!parse_score_limit(call->args[least], &range->least, &range->above) ||
        !parse_score_limit(call->args[most], &range->most, &range->below)) {
        reply_error(call->reply, "ERR min or max is not a float");
        return false;
    }
    return true;
}

static bool parse_name_limit(struct bytes text, struct zset_limit *limit) {
    if (text.size == 0) {
        return false;
    }
    limit->name = bytes_of(text.at + 1, text.size - 1);
    switch (text.at[0]) {
    case '-':
        limit->kind = ZSET_LOWEST;
        return text.size == 1;
    case '+':
        limit->kind = ZSET_HIGHEST;
        return text.size == 1;
    case '(':
        limit->kind = ZSET_EXCLUDED;
        return true;
    case '[':
        limit->kind = ZSET_INCLUDED;
        return true;
    default:
        return false;
    }
}

bool zset_call_names(struct call *call, int least, int most, struct zset_names *range) {
    if (!parse_name_limit(call->args[least], &range->least) ||
        !parse_name_limit(call->args[most], &range->most)) {
        reply_error(call->reply, "ERR min or max not valid string range item");
        return false;
    }
    return true;
}

void zset_call_reply_member(void *context, const struct zset_member *member) {
    const struct zset_replying *replying = context;
    if (replying->in_pairs) {
        reply_array(replying->reply, 2);
    }
    reply_bulk(replying->reply, member->name);
    if (replying->with_scores) {
        reply_double(replying->reply, member->score);
    }
}

struct zset_replying zset_call_replying(struct call *call, bool with_scores) {
    return (struct zset_replying){.reply = call->reply,
                                  .with_scores = with_scores,
                                  .in_pairs = with_scores && call->reply->version >= 3};
}

void zset_call_reply_header(const struct zset_replying *replying, size_t count) {
    bool doubled = replying->with_scores && !replying->in_pairs;
    reply_array(replying->reply, (int64_t)(doubled ? 2 * count : count));
}

void zset_call_reply_span(struct zset_replying *replying, const struct entry *zset,
                          struct zset_span span, bool reverse) {
    while (span.count > 0 && !reply_is_discarded(replying->reply)) {
        struct zset_span portion = span;
        if (portion.count > ZSET_CALL_PORTION) {
            portion.count = ZSET_CALL_PORTION;
        }
        span.count -= portion.count;
        if (reverse) {
            portion.first += span.count;
        } else {
            span.first += portion.count;
        }
        zset_visit(zset, portion, reverse, zset_call_reply_member, replying);
    }
}

void zset_call_pop(struct zset_call *on, bool highest, size_t count,
                   const struct zset_replying *replying) {
    size_t length = zset_length(on->zset);
    struct zset_span span = {.count = count < length ? count : length};
    span.first = highest ? length - span.count : 0;
    zset_visit(on->zset, span, highest, zset_call_reply_member, (void *)(uintptr_t)replying);
    zset_call_remove(on, span, highest ? "zpopmax" : "zpopmin");
}

void zset_call_pass_on_pop(const struct zset_call *on, bool highest, size_t count) {
    char digits[NUM_I64_SIZE];
    struct bytes number = bytes_of(digits, num_format_u64(digits, count));
    CALL_PASS_ON(on->call, bytes_text(highest ? "ZPOPMAX" : "ZPOPMIN"), on->key.name, number);
}

/* Integers that must be above 0 have one error for all that is not. */
static bool parse_positive(struct call *call, int index, const char *error, int64_t *out) {
    if (num_parse_i64(call->args[index], out) && *out > 0) {
        return true;
    }
    reply_error(call->reply, error);
    return false;
}

bool zset_call_parse_mpop(struct call *call, int index, struct zset_mpop *mpop) {
    int64_t keys;
    if (!parse_positive(call, index, "ERR numkeys should be greater than 0", &keys)) {
        return false;
    }
    /* The keys and MIN or MAX have to follow. */
    if (keys > call->argc - index - 2) {
        reply_syntax_error(call->reply);
        return false;
    }
    *mpop = (struct zset_mpop){.first_key = index + 1, .key_count = (int)keys, .count = 1};
    int at = index + 1 + (int)keys;
    mpop->highest = call_arg_is(call, at, "max");
    if (!mpop->highest && !call_arg_is(call, at, "min")) {
        reply_syntax_error(call->reply);
        return false;
    }
    int64_t count = 0;
    for (at++; at < call->argc; at += 2) {
        if (count != 0 || at + 1 == call->argc || !call_arg_is(call, at, "count")) {
            reply_syntax_error(call->reply);
            return false;
        }
        if (!parse_positive(call, at + 1, "ERR count should be greater than 0", &count)) {
            return false;
        }
        mpop->count = (size_t)count;
    }
    return true;
}

void zset_call_mpop(struct zset_call *on, const struct zset_mpop *mpop) {
    struct reply *reply = on->call->reply;
    size_t length = zset_length(on->zset);
    size_t count = mpop->count < length ? mpop->count : length;
    reply_array(reply, 2);
    reply_bulk(reply, on->key.name);
    reply_array(reply, (int64_t)count);
    struct zset_replying replying = {.reply = reply, .with_scores = true, .in_pairs = true};
    zset_call_pass_on_pop(on, mpop->highest, count);
    zset_call_pop(on, mpop->highest, count, &replying);
}
