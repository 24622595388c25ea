/* exchange: who asks, what is answered without a command, and how the head of an answer is written.
 *
 * Who asks is said with each request (Authorization), but proved once a connection: what proved it
 * is kept and compared. Without it the client is whoever a fresh connection is. */
#include "http/exchange.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/context.h"
#include "call/control.h"
#include "http/h2.h"
#include "proto/base64.h"

/* Longest Authorization that is understood. */
#define PROOF_MAX 2048
/* How much of an error's text is told. */
#define DETAIL_MAX 512

/* ---- heads ---- */

/* What begins with the date is made anew each second. */
static void follow_clock(struct http *http) {
    int64_t second = http->context->clock->now_ms / 1000;
    if (LIKELY(second == http->second)) {
        return;
    }
    http->second = second;
    http_format_date(http->date, second);
    http->ok_size = (size_t)snprintf(http->ok, sizeof http->ok,
                                     "HTTP/1.1 200 OK\r\nDate: %.*s\r\nContent-Type: "
                                     "application/octet-stream\r\nCache-Status: larder; hit\r\n"
                                     "ETag: \"",
                                     HTTP_DATE_SIZE, http->date);
}

void head_bytes(struct head *head, struct bytes bytes) {
    debug_check((size_t)(head->at - head->start) + bytes.size <= HEAD_ROOM);
    if (bytes.size == 0) {
        return;
    }
    memcpy(head->at, bytes.at, bytes.size);
    head->at += bytes.size;
}

void head_text(struct head *head, const char *text) {
    head_bytes(head, bytes_text(text));
}

void head_number(struct head *head, const char *before, int64_t number) {
    head_text(head, before);
    head->at += num_format_i64(head->at, number);
}

void head_begin(struct head *head, struct exchange *exchange, int status) {
    struct reply *reply = exchange->reply;
    head->reply = reply;
    bool fits = !reply->discards && (size_t)(reply->end - reply->at) >= HEAD_ROOM;
    head->start = head->at = fits ? reply->at : head->space;
    if (exchange->answer != NULL) {
        head->start = head->at = exchange->answer->head;
    }
    follow_clock(exchange->http);
    head_number(head, "HTTP/1.1 ", status);
    head_text(head, " ");
    head_text(head, http_reason(status));
    head_text(head, "\r\nDate: ");
    head_bytes(head, bytes_of(exchange->http->date, HTTP_DATE_SIZE));
    if (UNLIKELY(exchange_has(exchange, EXCHANGE_ORIGIN))) {
        head_text(head, "\r\nVary: Origin\r\nAccess-Control-Allow-Origin: ");
        head_bytes(head, exchange->origin);
        head_text(head, "\r\nAccess-Control-Expose-Headers: ETag, Cache-Status");
    }
}

void head_end(struct head *head, const struct exchange *exchange, int64_t content_length) {
    if (content_length >= 0) {
        head_number(head, "\r\nContent-Length: ", content_length);
    }
    if (exchange->answer != NULL) {
        head_text(head, "\r\n\r\n");
        exchange->answer->has_head = true;
        exchange->answer->head_size = (size_t)(head->at - head->start);
        return;
    }
    if (!exchange_has(exchange, EXCHANGE_KEEP)) {
        head_text(head, "\r\nConnection: close\r\n\r\n");
    } else if (exchange_has(exchange, EXCHANGE_OLD)) {
        head_text(head, "\r\nConnection: keep-alive\r\n\r\n");
    } else {
        head_text(head, "\r\n\r\n");
    }
    size_t size = (size_t)(head->at - head->start);
    if (head->start == head->space) {
        reply_raw(head->reply, head->space, size);
    } else {
        head->reply->at += size;
    }
}

/* ---- answers ---- */

void answer_text(struct exchange *exchange, int status, const char *type, struct bytes body) {
    struct head head;
    head_begin(&head, exchange, status);
    if (type != NULL) {
        head_text(&head, "\r\nContent-Type: ");
        head_text(&head, type);
    }
    head_end(&head, exchange, (int64_t)body.size);
    if (!exchange_has(exchange, EXCHANGE_HEAD)) {
        reply_raw(exchange->reply, body.at, body.size);
    }
}

void answer_with(struct exchange *exchange, const char *type, const char *fields,
                 struct bytes body) {
    struct head head;
    head_begin(&head, exchange, 200);
    head_text(&head, "\r\nContent-Type: ");
    head_text(&head, type);
    head_text(&head, fields);
    head_end(&head, exchange, (int64_t)body.size);
    if (!exchange_has(exchange, EXCHANGE_HEAD)) {
        reply_raw(exchange->reply, body.at, body.size);
    }
}

/* `text` as the inside of a JSON string, cut at DETAIL_MAX; what is not plain becomes '?'. */
static size_t quote(char *out, struct bytes text) {
    size_t size = 0;
    for (size_t i = 0; i < text.size && i < DETAIL_MAX; i++) {
        char c = text.at[i];
        if (c == '"' || c == '\\') {
            out[size++] = '\\';
        }
        out[size++] = (unsigned char)c < 0x20 || (unsigned char)c > 0x7e ? '?' : c;
    }
    return size;
}

static void allow(struct head *head, unsigned methods) {
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PURGE"};
    head_text(head, "\r\nAllow: OPTIONS");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (methods >> i & 1) {
            head_text(head, ", ");
            head_text(head, names[i]);
        }
    }
}

static void answer_refusal(struct exchange *exchange, int status, unsigned methods,
                           struct bytes detail) {
    char body[DETAIL_MAX * 2 + 256];
    char text[DETAIL_MAX * 2];
    int quoted = (int)quote(text, detail);
    int size = snprintf(body, sizeof body,
                        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d%s%.*s%s}\n",
                        http_reason(status), status, quoted > 0 ? ",\"detail\":\"" : "", quoted,
                        text, quoted > 0 ? "\"" : "");
    struct head head;
    exchange->http->metrics.http_refused++;
    head_begin(&head, exchange, status);
    head_text(&head, "\r\nContent-Type: application/problem+json");
    if (status == 401) {
        head_text(&head, "\r\nWWW-Authenticate: Basic realm=\"larder\", Bearer");
    } else if (status == 503) {
        head_text(&head, "\r\nRetry-After: 1");
    } else if (status == 405) {
        allow(&head, methods);
    }
    head_end(&head, exchange, size);
    if (!exchange_has(exchange, EXCHANGE_HEAD)) {
        reply_raw(exchange->reply, body, (size_t)size);
    }
}

void answer_problem(struct exchange *exchange, int status, struct bytes detail) {
    answer_refusal(exchange, status, 0, detail);
}

int status_of_error(struct bytes error) {
    static const struct {
        const char *code;
        int status;
    } codes[] = {{"NOAUTH", 401},   {"WRONGPASS", 401}, {"NOPERM", 403},     {"WRONGTYPE", 409},
                 {"OOM", 507},      {"LOADING", 503},   {"BUSY", 503},       {"MASTERDOWN", 503},
                 {"TRYAGAIN", 503}, {"READONLY", 403},  {"THROTTLED", 429},  {"MISCONF", 503},
                 {"MOVED", 421},    {"ASK", 421},       {"CLUSTERDOWN", 503}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        size_t size = strlen(codes[i].code);
        if (error.size > size && memcmp(error.at, codes[i].code, size) == 0 &&
            error.at[size] == ' ') {
            return codes[i].status;
        }
    }
    return 400;
}

void answer_error(struct exchange *exchange, struct bytes error) {
    answer_refusal(exchange, status_of_error(error), 0, error);
}

bool scratch_error(const struct http *http, struct bytes *error) {
    const struct reply *reply = &http->scratch->reply;
    if (reply->piece_count == 0 || reply->pieces[0].at[0] != '-') {
        return false;
    }
    /* One that goes over several pieces repeats something long: its beginning is enough. */
    size_t size = reply->pieces[0].size;
    const char *end = memchr(reply->pieces[0].at, '\r', size);
    *error = bytes_of(reply->pieces[0].at + 1,
                      (end == NULL ? size : (size_t)(end - reply->pieces[0].at)) - 1);
    return true;
}

/* ---- who asks ---- */

static void forget_proof(struct client *client) {
    struct http_session *session = client->session;
    if (session != NULL && session->proof != NULL) {
        mem_free(MEM_CLIENT, session->proof, session->proof_size);
        session->proof = NULL;
    }
    client_reset(client);
}

/* Takes as long wherever they differ, for others may come over the same connection. */
static bool same_proof(const struct http_session *session, struct bytes proof) {
    unsigned differs = session->proof_size != proof.size;
    for (size_t i = 0; i < proof.size && i < session->proof_size; i++) {
        differs |= (unsigned char)session->proof[i] ^ (unsigned char)proof.at[i];
    }
    return differs == 0;
}

/* Whether AUTH takes these words. */
static bool takes(struct exchange *exchange, struct bytes user, struct bytes password) {
    struct http *http = exchange->http;
    struct bytes args[] = {bytes_of("AUTH", 4), user, password};
    struct bytes error;
    return protocol_command(exchange->client, http->commands.auth, args, 3, http->scratch) ==
               PROTOCOL_EXECUTED &&
           !scratch_error(http, &error);
}

/* "user:password" */
static bool takes_pair(struct exchange *exchange, struct bytes pair) {
    const char *colon = pair.size == 0 ? NULL : memchr(pair.at, ':', pair.size);
    if (colon == NULL) {
        return false;
    }
    struct bytes user = bytes_of(pair.at, (size_t)(colon - pair.at));
    return takes(exchange, user.size == 0 ? bytes_text("default") : user,
                 bytes_of(colon + 1, (size_t)(pair.at + pair.size - colon - 1)));
}

static bool proves(struct exchange *exchange, struct bytes proof) {
    char plain[PROOF_MAX];
    if (proof.size > 6 && bytes_is(bytes_of(proof.at, 6), "basic ")) {
        ptrdiff_t size = base64_decode(plain, bytes_of(proof.at + 6, proof.size - 6));
        return size >= 0 && takes_pair(exchange, bytes_of(plain, (size_t)size));
    }
    if (proof.size > 7 && bytes_is(bytes_of(proof.at, 7), "bearer ")) {
        struct bytes token = bytes_of(proof.at + 7, proof.size - 7);
        return takes(exchange, bytes_text("default"), token) || takes_pair(exchange, token);
    }
    return false;
}

/* False when what was to prove who asks does not. */
static bool authenticate(struct exchange *exchange) {
    struct client *client = exchange->client;
    struct http_session *session = client->session;
    struct bytes proof = exchange->authorization;
    if (LIKELY(proof.at == NULL)) {
        if (UNLIKELY(session != NULL && session->proof != NULL)) {
            forget_proof(client);
        }
        return true;
    }
    if (session != NULL && session->proof != NULL && same_proof(session, proof)) {
        return true;
    }
    forget_proof(client);
    if (proof.size > PROOF_MAX || !proves(exchange, proof)) {
        return false;
    }
    session = http_session_of(client);
    session->proof = mem_alloc(MEM_CLIENT, proof.size);
    session->proof_size = proof.size;
    memcpy(session->proof, proof.at, proof.size);
    return true;
}

static bool authenticate_aside(struct exchange *exchange) {
    struct http *http = exchange->http;
    struct protocol_scratch *outer = http->scratch;
    http->scratch = &http->scratches[outer != NULL];
    bool known = authenticate(exchange);
    http->scratch = outer;
    return known;
}

/* ---- what needs no command ---- */

/* Ready is who has its data; while it is loaded, only that the server lives is true. */
static void answer_health(struct exchange *exchange) {
    bool is_loading = exchange->http->context->control->loading == CONTROL_LOADING_ALONE;
    if (is_loading && exchange->note->words[0] != 0) {
        answer_problem(exchange, 503, bytes_text("LOADING"));
    } else {
        answer_text(exchange, 200, "text/plain; charset=utf-8", bytes_text("ok\n"));
    }
}

static void answer_options(struct exchange *exchange) {
    struct head head;
    head_begin(&head, exchange, 204);
    allow(&head, (unsigned)exchange->note->words[1]);
    if (exchange_has(exchange, EXCHANGE_ORIGIN)) {
        head_text(&head, "\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE"
                         "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, If-Match, "
                         "If-None-Match, Range, Cache-Control, Upstash-Encoding"
                         "\r\nAccess-Control-Max-Age: 600");
    }
    head_end(&head, exchange, -1);
}

/* What is left of the request is not for anybody: over HTTP/1.1 that ends the connection. */
static void end_early(struct exchange *exchange) {
    if (exchange->answer == NULL) {
        client_close_after_reply(exchange->client);
    }
}

/* The head of a request has come: whether its body may. */
static void go_on(struct exchange *exchange) {
    if (!(exchange->client->flags & CLIENT_AUTHENTICATED)) {
        answer_problem(exchange, 401, bytes_text("NOAUTH Authentication required."));
        end_early(exchange);
    } else if (exchange_has(exchange, EXCHANGE_TELLS) && exchange->answer != NULL) {
        h2_go_on(exchange->answer);
    } else if (exchange_has(exchange, EXCHANGE_TELLS)) {
        reply_literal(exchange->reply, "HTTP/1.1 100 Continue\r\n\r\n");
    }
}

static enum protocol_result execute(struct exchange *exchange) {
    static const char greeting[] = "Hello, World! Larder serves keys here.\n";
    const struct protocol_note *note = exchange->note;
    switch (exchange_kind(note)) {
    case EXCHANGE_GET:
        return values_get(exchange);
    case EXCHANGE_PUT:
        return values_put(exchange);
    case EXCHANGE_DELETE:
        return values_delete(exchange);
    case EXCHANGE_SCAN:
        return words_scan(exchange);
    case EXCHANGE_COMMAND:
        return words_command(exchange);
    case EXCHANGE_PIPE:
        return words_pipe(exchange);
    case EXCHANGE_QUEUE:
        return words_queue(exchange);
    case EXCHANGE_EXEC:
        return words_exec(exchange);
    case EXCHANGE_STATS:
        return stats_answer(exchange);
    case EXCHANGE_PAGE:
        return page_answer(exchange);
    case EXCHANGE_METRICS:
        return metrics_answer(exchange);
    case EXCHANGE_SEND:
        h2_send(http_h2(exchange->client), exchange->reply);
        break;
    case EXCHANGE_GREETING:
        answer_text(exchange, 200, "text/plain; charset=utf-8", bytes_text(greeting));
        break;
    case EXCHANGE_HEALTH:
        answer_health(exchange);
        break;
    case EXCHANGE_GO_ON:
        go_on(exchange);
        break;
    case EXCHANGE_OPTIONS:
        answer_options(exchange);
        break;
    case EXCHANGE_ANSWER:
        exchange->http->metrics.http_overloaded += note->words[0] == 503;
        answer_refusal(exchange, (int)note->words[0], (unsigned)note->words[1],
                       exchange->call->args[0]);
        break;
    }
    return PROTOCOL_EXECUTED;
}

/* What anybody may have. */
static bool is_open(enum exchange_kind kind) {
    return kind == EXCHANGE_ANSWER || kind == EXCHANGE_HEALTH || kind == EXCHANGE_GREETING ||
           kind == EXCHANGE_OPTIONS || kind == EXCHANGE_SEND;
}

static bool is_whole(const struct protocol_note *note) {
    enum exchange_kind kind = exchange_kind(note);
    return kind != EXCHANGE_GO_ON && kind != EXCHANGE_QUEUE && kind != EXCHANGE_SEND &&
           (kind != EXCHANGE_PIPE || note->kind & EXCHANGE_LAST);
}

/* Answers the exchange, whose parts have been found. */
static enum protocol_result answer(struct exchange *exchange) {
    const struct protocol_note *note = exchange->note;
    struct http *http = exchange->http;
    if (UNLIKELY(!is_open(exchange_kind(note)) && !authenticate_aside(exchange))) {
        answer_problem(exchange, 401, bytes_text("WRONGPASS the credentials are not right"));
        if (!is_whole(note) || exchange_kind(note) == EXCHANGE_PIPE ||
            !(note->kind & EXCHANGE_KEEP)) {
            end_early(exchange); /* with what is left of it */
        }
        return PROTOCOL_EXECUTED;
    }
    struct protocol_scratch *outer = http->scratch;
    http->scratch = &http->scratches[outer != NULL];
    bool held = execute(exchange) == PROTOCOL_HOLD;
    http->scratch = outer;
    if (UNLIKELY(held)) {
        return PROTOCOL_HOLD;
    }
    if (LIKELY(is_whole(note))) {
        http->metrics.http_requests++;
        if (UNLIKELY(!(note->kind & EXCHANGE_KEEP))) {
            client_close_after_reply(exchange->client);
        }
    }
    return PROTOCOL_EXECUTED;
}

/* The same in a stream, which may be gone. What belongs to a transaction is done all the same. */
static enum protocol_result answer_stream(struct exchange *exchange) {
    const struct protocol_note *note = exchange->note;
    struct http *http = exchange->http;
    struct h2_answer into;
    const enum exchange_kind kind = exchange_kind(note);
    bool is_there = h2_answer_begin(&into, http_h2(exchange->client), (int32_t)note->words[4],
                                    &http->bodies[http->scratch != NULL]);
    if (!is_there && kind != EXCHANGE_QUEUE && kind != EXCHANGE_EXEC) {
        return PROTOCOL_EXECUTED;
    }
    struct reply *out = exchange->reply;
    exchange->answer = &into;
    exchange->reply = into.reply;
    bool held = answer(exchange) == PROTOCOL_HOLD;
    exchange->answer = NULL;
    exchange->reply = out;
    if (held) {
        return PROTOCOL_HOLD;
    }
    bool is_part = kind == EXCHANGE_PIPE && !(note->kind & EXCHANGE_LAST) &&
                   !(into.has_head && !(note->kind & EXCHANGE_FIRST));
    if (is_there && (into.has_head || kind == EXCHANGE_PIPE)) {
        h2_answer_end(&into, out, !is_part);
    } else if (is_there) {
        h2_send(into.h2, out);
    }
    return PROTOCOL_EXECUTED;
}

enum protocol_result http_execute(const struct client_protocol *protocol,
                                  struct protocol_call *call) {
    const struct protocol_note *note = call->note;
    const struct bytes *extra = call->args + call->argc;
    struct exchange exchange = {.http = protocol->context,
                                .call = call,
                                .note = note,
                                .client = call->client,
                                .reply = call->reply};
    if (UNLIKELY(note->extra > 0)) {
        exchange.authorization = note->kind & EXCHANGE_AUTH ? *extra++ : bytes_of(NULL, 0);
        exchange.match = note->kind & EXCHANGE_MATCH ? *extra++ : bytes_of(NULL, 0);
        exchange.none_match = note->kind & EXCHANGE_NONE_MATCH ? *extra++ : bytes_of(NULL, 0);
        exchange.origin = note->kind & EXCHANGE_ORIGIN ? *extra++ : bytes_of(NULL, 0);
    }
    return note->kind & EXCHANGE_STREAM ? answer_stream(&exchange) : answer(&exchange);
}
