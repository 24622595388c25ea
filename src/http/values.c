/* values: GET, PUT and DELETE of a key: replies of GET, SET and DEL as HTTP.
 *
 * The entity tag is the value's DIGEST, so that it can be had over either protocol. It is computed
 * with each answer; a value beyond TAG_SIZE_MAX has none, for reading it once more would take
 * longer than sending it. */
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/context.h"
#include "http/exchange.h"

#define TAG_SIZE_MAX (1024 * 1024)

#define MS_PER_SECOND 1000

static void format_tag(char out[TAG_DIGITS], uint64_t tag) {
    static const char digits[] = "0123456789abcdef";
    for (int i = TAG_DIGITS - 1; i >= 0; i--) {
        out[i] = digits[tag & 15];
        tag >>= 4;
    }
}

/* ---- the value in the scratch reply ---- */

/* A bulk string, whose bytes lie in pieces of a reply. */
struct value {
    const struct reply *reply;
    size_t at; /* in the first piece */
    size_t size;
};

/* False when it is null. */
static bool read_value(const struct reply *reply, struct value *value) {
    const struct reply_piece *first = &reply->pieces[0];
    const char *p = first->at + 1;
    if (*p == '-') {
        return false;
    }
    value->reply = reply;
    value->size = 0;
    for (; *p != '\r'; p++) {
        value->size = value->size * 10 + (size_t)(*p - '0');
    }
    value->at = (size_t)(p + 2 - first->at);
    return true;
}

/* Calls for the runs of the value's bytes [from, from + size). */
static void visit(const struct value *value, size_t from, size_t size,
                  void (*run)(void *context, const struct reply_piece *piece, struct bytes bytes),
                  void *context) {
    size_t skip = value->at + from;
    for (uint32_t i = 0; size > 0; i++) {
        const struct reply_piece *piece = &value->reply->pieces[i];
        check(i < value->reply->piece_count);
        if (skip >= piece->size) {
            skip -= piece->size;
            continue;
        }
        size_t part = piece->size - skip < size ? piece->size - skip : size;
        run(context, piece, bytes_of(piece->at + skip, part));
        skip = 0;
        size -= part;
    }
}

static void append_run(void *context, const struct reply_piece *piece, struct bytes bytes) {
    if (piece->is_value) {
        reply_raw_blob(context, piece->blob, bytes.at, bytes.size);
    } else {
        reply_raw(context, bytes.at, bytes.size);
    }
}

static void copy_run(void *context, const struct reply_piece *piece, struct bytes bytes) {
    char **at = context;
    (void)piece;
    memcpy(*at, bytes.at, bytes.size);
    *at += bytes.size;
}

static uint64_t tag_of(const struct value *value) {
    const struct reply_piece *first = &value->reply->pieces[0];
    if (LIKELY(value->at + value->size <= first->size)) {
        return hash_bytes(0, first->at + value->at, value->size);
    }
    const struct reply_piece *second = first + 1;
    if (value->at == first->size && second->size >= value->size) {
        return hash_bytes(0, second->at, value->size);
    }
    /* In several chunks: so it is small. */
    char *whole = mem_alloc(MEM_ARENA, value->size);
    char *at = whole;
    visit(value, 0, value->size, copy_run, &at);
    uint64_t tag = hash_bytes(0, whole, value->size);
    mem_free(MEM_ARENA, whole, value->size);
    return tag;
}

/* ---- conditions ---- */

/* Whether a list of entity tags names this one; weak ones only where that is enough. */
static bool names_tag(struct bytes list, const char digits[TAG_DIGITS], bool weakly) {
    struct bytes member;
    while (http_list_next(&list, &member)) {
        if (bytes_equal(member, bytes_text("*"))) {
            return true;
        }
        if (weakly && member.size > 2 && memcmp(member.at, "W/", 2) == 0) {
            member = bytes_of(member.at + 2, member.size - 2);
        }
        if (member.size == TAG_DIGITS + 2 && member.at[0] == '"' &&
            memcmp(member.at + 1, digits, TAG_DIGITS) == 0 && member.at[TAG_DIGITS + 1] == '"') {
            return true;
        }
    }
    return false;
}

/* ---- GET ---- */

/* Whole seconds until the key's deadline; -1: it has none. */
static int64_t seconds_left(const struct exchange *exchange) {
    const struct protocol_call *call = exchange->call;
    struct keyspace *keyspace = exchange->http->context->keyspace;
    struct key key = {
        .name = call->args[1], .hash = call->hash, .database = call->client->database};
    const struct entry *entry = keyspace_peek(keyspace, &key);
    if (LIKELY(entry == NULL || !(entry->flags & ENTRY_HAS_DEADLINE))) {
        return -1;
    }
    int64_t left_ms = entry_deadline(entry) - exchange->http->context->clock->now_ms;
    return left_ms > 0 ? left_ms / MS_PER_SECOND : 0;
}

/* The part of the value that is asked for; false when there is no such part. */
static bool part_of(const struct exchange *exchange, size_t size, size_t *from, size_t *count) {
    int64_t first = (int64_t)exchange->note->words[0];
    int64_t last = (int64_t)exchange->note->words[1];
    int64_t whole = (int64_t)size;
    if (first < 0) { /* so many from the end */
        first = last < whole ? whole - last : 0;
        last = whole - 1;
    }
    if (first >= whole || last < first) {
        return false;
    }
    last = last < whole ? last : whole - 1;
    *from = (size_t)first;
    *count = (size_t)(last - first + 1);
    return true;
}

static void add_tag(struct head *head, const char digits[TAG_DIGITS]) {
    head_text(head, "\r\nETag: \"");
    head_bytes(head, bytes_of(digits, TAG_DIGITS));
    head_text(head, "\"");
}

static void add_age(struct head *head, const struct exchange *exchange) {
    int64_t left = seconds_left(exchange);
    if (left >= 0) {
        head_number(head, "\r\nCache-Control: max-age=", left);
    }
}

/* Everything but the plain value. */
static void answer_value(struct exchange *exchange, const struct value *value) {
    const bool has_tag = value->size <= TAG_SIZE_MAX;
    uint64_t tag = has_tag ? tag_of(value) : 0;
    size_t from = 0;
    size_t size = value->size;
    int status = 200;
    char digits[TAG_DIGITS];
    struct head head;
    format_tag(digits, tag);
    if (exchange->match.at != NULL && (!has_tag || !names_tag(exchange->match, digits, false))) {
        answer_problem(exchange, 412, bytes_text("the value is another"));
        return;
    }
    if (exchange->none_match.at != NULL && has_tag &&
        names_tag(exchange->none_match, digits, true)) {
        status = 304;
    } else if (exchange_has(exchange, EXCHANGE_RANGE) && !exchange_has(exchange, EXCHANGE_HEAD) &&
               (!exchange_has(exchange, EXCHANGE_IF_RANGE) ||
                (has_tag && exchange->note->words[2] == tag))) {
        status = part_of(exchange, value->size, &from, &size) ? 206 : 416;
    }
    head_begin(&head, exchange, status);
    if (status == 416) {
        head_number(&head, "\r\nContent-Range: bytes */", (int64_t)value->size);
        head_end(&head, exchange, 0);
        return;
    }
    if (status == 206) {
        head_number(&head, "\r\nContent-Range: bytes ", (int64_t)from);
        head_number(&head, "-", (int64_t)(from + size - 1));
        head_number(&head, "/", (int64_t)value->size);
    }
    if (status != 304) {
        head_text(&head, "\r\nContent-Type: application/octet-stream");
    }
    head_text(&head, "\r\nCache-Status: larder; hit");
    if (has_tag) {
        add_tag(&head, digits);
    }
    add_age(&head, exchange);
    head_end(&head, exchange, status == 304 ? -1 : (int64_t)size);
    if (status != 304 && !exchange_has(exchange, EXCHANGE_HEAD)) {
        visit(value, from, size, append_run, exchange->reply);
    }
}

static inline char *put(char *out, const char *text, size_t size) {
    memcpy(out, text, size);
    return out + size;
}

#define PUT(out, text) put((out), (text), sizeof(text) - 1)

/* The plain value, which lies in one piece: straight into the replies. False when it does not fit
 * there, or more has to be said. */
static bool answer_plainly(struct exchange *exchange, const struct value *value) {
    struct reply *reply = exchange->reply;
    const struct http *http = exchange->http;
    const char *at = value->reply->pieces[0].at + value->at;
    if (value->at + value->size > value->reply->pieces[0].size || reply->discards ||
        (size_t)(reply->end - reply->at) < HEAD_ROOM + value->size ||
        http->second != http->context->clock->now_ms / MS_PER_SECOND ||
        exchange_has(exchange, EXCHANGE_ORIGIN | EXCHANGE_OLD | EXCHANGE_STREAM) ||
        !exchange_has(exchange, EXCHANGE_KEEP)) {
        return false;
    }
    int64_t left = seconds_left(exchange);
    char *out = put(reply->at, http->ok, http->ok_size);
    format_tag(out, hash_bytes(0, at, value->size));
    out = PUT(out + TAG_DIGITS, "\"\r\nContent-Length: ");
    out += num_format_i64(out, (int64_t)value->size);
    if (left >= 0) {
        out = PUT(out, "\r\nCache-Control: max-age=");
        out += num_format_i64(out, left);
    }
    out = PUT(out, "\r\n\r\n");
    reply->at = put(out, at, value->size);
    return true;
}

static void answer_miss(struct exchange *exchange) {
    static const char body[] =
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"no such "
        "key\"}\n";
    struct head head;
    if (exchange->match.at != NULL) {
        answer_problem(exchange, 412, bytes_text("there is no such key"));
        return;
    }
    head_begin(&head, exchange, 404);
    head_text(&head, "\r\nContent-Type: application/problem+json"
                     "\r\nCache-Status: larder; fwd=miss");
    head_end(&head, exchange, sizeof body - 1);
    if (!exchange_has(exchange, EXCHANGE_HEAD)) {
        reply_raw(exchange->reply, body, sizeof body - 1);
    }
}

enum protocol_result values_get(struct exchange *exchange) {
    struct http *http = exchange->http;
    struct bytes error;
    struct value value;
    if (UNLIKELY(protocol_dispatch(exchange->call, http->scratch) == PROTOCOL_HOLD)) {
        return PROTOCOL_HOLD;
    }
    const struct reply *reply = &http->scratch->reply;
    if (UNLIKELY(reply_is_discarded(reply))) {
        return PROTOCOL_EXECUTED;
    }
    if (UNLIKELY(scratch_error(http, &error))) {
        answer_error(exchange, error);
    } else if (UNLIKELY(!read_value(reply, &value))) {
        answer_miss(exchange);
    } else if (LIKELY(exchange_has(exchange, EXCHANGE_PLAIN)) && answer_plainly(exchange, &value)) {
        return PROTOCOL_EXECUTED;
    } else {
        answer_value(exchange, &value);
    }
    return PROTOCOL_EXECUTED;
}

/* ---- PUT and DELETE ---- */

/* A list of several tags: whether the value's is among them. The command's own condition covers
 * one; between this look and the command nothing happens. */
static bool fails_list(struct exchange *exchange, enum protocol_result *result) {
    struct http *http = exchange->http;
    const bool wants = exchange->match.at != NULL;
    struct bytes list = wants ? exchange->match : exchange->none_match;
    struct bytes args[] = {bytes_of("DIGEST", 6), exchange->call->args[1]};
    struct bytes error;
    struct value value;
    char digits[TAG_DIGITS];
    *result = protocol_command(exchange->client, http->commands.digest, args, 2, http->scratch);
    if (*result == PROTOCOL_HOLD) {
        return true;
    }
    if (scratch_error(http, &error)) {
        answer_error(exchange, error);
        return true;
    }
    if (!read_value(&http->scratch->reply, &value)) {
        if (wants) {
            answer_problem(exchange, 412, bytes_text("there is no such key"));
        }
        return wants;
    }
    char *at = digits;
    visit(&value, 0, TAG_DIGITS, copy_run, &at);
    if (names_tag(list, digits, !wants) != wants) {
        answer_problem(exchange, 412, bytes_text("the value is another"));
        return true;
    }
    return false;
}

/* Whether there is a condition that did not become the command's. */
static bool has_list(const struct exchange *exchange) {
    if (exchange->match.at == NULL && exchange->none_match.at == NULL) {
        return false;
    }
    struct bytes last = exchange->call->args[exchange->call->argc - 1];
    const struct bytes *args = exchange->call->args;
    int argc = exchange->call->argc;
    if (exchange_kind(exchange->note) == EXCHANGE_DELETE) {
        return argc < 4;
    }
    bool is_word = argc == 4 || argc == 6;
    if (is_word && (bytes_is(last, "xx") || bytes_is(last, "nx"))) {
        return false;
    }
    return argc < 5 || !(bytes_is(args[argc - 2], "ifdeq") || bytes_is(args[argc - 2], "ifdne"));
}

static bool exists(const struct exchange *exchange) {
    const struct protocol_call *call = exchange->call;
    struct key key = {
        .name = call->args[1], .hash = call->hash, .database = call->client->database};
    return keyspace_peek(exchange->http->context->keyspace, &key) != NULL;
}

enum protocol_result values_put(struct exchange *exchange) {
    struct http *http = exchange->http;
    enum protocol_result result;
    struct bytes error;
    struct head head;
    char digits[TAG_DIGITS];
    if (UNLIKELY(has_list(exchange)) && fails_list(exchange, &result)) {
        return result;
    }
    const bool existed = exists(exchange);
    if (protocol_dispatch(exchange->call, http->scratch) == PROTOCOL_HOLD) {
        return PROTOCOL_HOLD;
    }
    if (scratch_error(http, &error)) {
        answer_error(exchange, error);
        return PROTOCOL_EXECUTED;
    }
    if (http->scratch->reply.piece_count == 0 || http->scratch->reply.pieces[0].at[0] != '+') {
        answer_problem(exchange, 412,
                       bytes_text(existed ? "the value is another" : "there is no such key"));
        return PROTOCOL_EXECUTED;
    }
    struct bytes value = exchange->call->args[2];
    head_begin(&head, exchange, existed ? 200 : 201);
    if (value.size <= TAG_SIZE_MAX) {
        format_tag(digits, hash_bytes(0, value.at, value.size));
        add_tag(&head, digits);
    }
    head_end(&head, exchange, 0);
    return PROTOCOL_EXECUTED;
}

enum protocol_result values_delete(struct exchange *exchange) {
    struct http *http = exchange->http;
    enum protocol_result result;
    struct bytes error;
    struct head head;
    if (UNLIKELY(has_list(exchange)) && fails_list(exchange, &result)) {
        return result;
    }
    if (protocol_dispatch(exchange->call, http->scratch) == PROTOCOL_HOLD) {
        return PROTOCOL_HOLD;
    }
    if (scratch_error(http, &error)) {
        answer_error(exchange, error);
        return PROTOCOL_EXECUTED;
    }
    if (http->scratch->reply.piece_count > 0 && http->scratch->reply.pieces[0].at[1] != '0') {
        head_begin(&head, exchange, 204);
        head_end(&head, exchange, -1);
    } else if (exchange->match.at != NULL) {
        answer_problem(exchange, 412, bytes_text("the value is another, or there is none"));
    } else {
        answer_miss(exchange);
    }
    return PROTOCOL_EXECUTED;
}
