/* exchange: one request over HTTP on its way through the batch, as its note holds it
 * (client/protocol.h):
 *
 *     note   kind and flags | words: status or range or entity tag ...
 *     args   of the command, none if there is none
 *     extra  Authorization, If-Match, If-None-Match, Origin: those whose flag is set, in this order
 *
 * Answers are HTTP/1.1, or go into a stream of HTTP/2 (http/h2.h). In HTTP/1.1 a body whose size
 * is not known before it is made is sent in chunks; to HTTP/1.0, up to the end of the
 * connection. */
#ifndef LARDER_HTTP_EXCHANGE_H
#define LARDER_HTTP_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "client/client.h"
#include "client/protocol.h"
#include "http/http.h"

enum exchange_kind {
    EXCHANGE_ANSWER, /* words: status, allowed methods, index of a text */
    EXCHANGE_GREETING,
    EXCHANGE_HEALTH,
    EXCHANGE_GO_ON, /* 100 Continue, if he may; or nothing but the question whether he may */
    EXCHANGE_OPTIONS,
    EXCHANGE_GET, /* words: range from, to */
    EXCHANGE_PUT,
    EXCHANGE_DELETE,
    EXCHANGE_SCAN,
    EXCHANGE_COMMAND,
    EXCHANGE_PIPE,  /* one command of many */
    EXCHANGE_QUEUE, /* of a transaction: MULTI and what it queues */
    EXCHANGE_EXEC,
    EXCHANGE_STATS,   /* words: points of the history that are known, plus 1; 0: none is wanted */
    EXCHANGE_PAGE,    /* words: enum page_file */
    EXCHANGE_METRICS, /* words: whether as OpenMetrics */
    EXCHANGE_SEND,    /* what a session of HTTP/2 has to say */
};

enum exchange_flag {
    EXCHANGE_KEEP = 1 << 8, /* the connection goes on */
    EXCHANGE_OLD = 1 << 9,  /* HTTP/1.0 */
    EXCHANGE_HEAD = 1 << 10,
    EXCHANGE_AUTH = 1 << 11,
    EXCHANGE_MATCH = 1 << 12,
    EXCHANGE_NONE_MATCH = 1 << 13,
    EXCHANGE_ORIGIN = 1 << 14,
    EXCHANGE_BASE64 = 1 << 15,
    EXCHANGE_FIRST = 1 << 16, /* of many */
    EXCHANGE_LAST = 1 << 17,
    EXCHANGE_RANGE = 1 << 18,
    EXCHANGE_IF_RANGE = 1 << 19, /* words[2] is the entity tag */
    EXCHANGE_TELLS = 1 << 20,    /* GO_ON: says so */
    EXCHANGE_PLAIN = 1 << 21,    /* GET: the value alone, no condition, no range */
    EXCHANGE_STREAM = 1 << 22,   /* of HTTP/2, words[4] is the stream */
};

static inline enum exchange_kind exchange_kind(const struct protocol_note *note) {
    return (enum exchange_kind)(note->kind & 0xff);
}

/* Methods as a set, for Allow. */
enum exchange_method {
    ALLOW_GET = 1,
    ALLOW_HEAD = 2,
    ALLOW_POST = 4,
    ALLOW_PUT = 8,
    ALLOW_DELETE = 16,
    ALLOW_PURGE = 32,
};

/* Digits of an entity tag, which is the value's DIGEST. */
#define TAG_DIGITS 16

/* Commands that routes are. */
struct http_commands {
    struct command *get;
    struct command *set;
    struct command *del;
    struct command *delex;
    struct command *digest;
    struct command *scan;
    struct command *info;
    struct command *auth;
    struct command *monitor;
    struct command *slowlog_get;
    struct command *multi;
    struct command *exec;
};

struct h2;
struct h2_answer;
struct h2_kit;

struct http {
    struct client_protocol protocol;
    struct context *context;
    struct http_options options;
    struct http_metrics metrics;
    struct http_doors doors;
    struct http_commands commands;
    /* Where the command under way answers; NULL: none is. The second serves those that come while a
     * script of the first runs for long. */
    struct protocol_scratch *scratch;
    struct protocol_scratch scratches[2];
    struct protocol_scratch bodies[2]; /* likewise: of answers in HTTP/2 */
    struct h2_kit *kit;
    _Atomic int64_t under_way;
    _Atomic bool draining;
    bool registered;
    /* Heads as they begin, made anew each second. */
    int64_t second;
    char ok[192]; /* up to the entity tag's digits */
    size_t ok_size;
    char date[HTTP_DATE_SIZE];
};

/* Of a connection: client->session. */
struct http_session {
    struct h2 *h2; /* NULL: HTTP/1.1 */
    /* Who has proved who he is, and how: the value of Authorization; NULL: nobody. */
    char *proof;
    size_t proof_size;
};
/* Makes it where there is none. */
struct http_session *http_session_of(struct client *client);
static inline struct h2 *http_h2(const struct client *client) {
    const struct http_session *session = client->session;
    return session == NULL ? NULL : session->h2;
}

/* One answer under way. */
struct exchange {
    struct http *http;
    struct protocol_call *call;
    const struct protocol_note *note;
    struct client *client;
    struct reply *reply;
    struct h2_answer *answer; /* NULL: HTTP/1.1 */
    struct bytes authorization;
    struct bytes match;
    struct bytes none_match;
    struct bytes origin;
};

static inline bool exchange_has(const struct exchange *exchange, enum exchange_flag flag) {
    return exchange->note->kind & (unsigned)flag;
}

/* A head is written into room of this size, but for what a client chose the length of. */
#define HEAD_ROOM 768

/* The head of an answer: begun with its status, added to, ended with the empty line. */
struct head {
    struct reply *reply;
    char *at;
    char *start;
    char space[HEAD_ROOM];
};
void head_begin(struct head *head, struct exchange *exchange, int status);
void head_text(struct head *head, const char *text);
void head_bytes(struct head *head, struct bytes bytes);
void head_number(struct head *head, const char *before, int64_t number);
/* Content-Length, what the connection does, and the end. */
void head_end(struct head *head, const struct exchange *exchange, int64_t content_length);

/* An answer whose body is this text. */
void answer_text(struct exchange *exchange, int status, const char *type, struct bytes body);
/* The same with fields of its own in the head: lines that begin with CR LF. */
void answer_with(struct exchange *exchange, const char *type, const char *fields,
                 struct bytes body);
/* An error as problem+json; `detail` may be empty. */
void answer_problem(struct exchange *exchange, int status, struct bytes detail);
/* The error that a command answered, without its '-': with the status that it is. */
void answer_error(struct exchange *exchange, struct bytes error);
int status_of_error(struct bytes error);

/* What the scratch reply begins with, if that is an error: its text without '-' and CR LF. */
bool scratch_error(const struct http *http, struct bytes *error);

/* route.c */
enum protocol_status http_route(const struct client_protocol *protocol,
                                struct protocol_parse *parse);
/* The same for requests of HTTP/2, whose heads have been read. */
void route_stream(struct http *http, struct protocol_parse *parse, struct http_head *head,
                  struct bytes body, int32_t stream);
void route_refuse_stream(struct http *http, struct protocol_parse *parse, int status,
                         int32_t stream);
/* Whether the body may come. */
void route_ask_stream(struct http *http, struct protocol_parse *parse, struct http_head *head,
                      int32_t stream);
/* What the session has to say. */
void route_send(struct http *http, struct protocol_parse *parse);
/* commands.c: the body is commands. The kind says of what form. False: it is not, and `text` says
 * why. */
bool commands_add(struct http *http, struct protocol_parse *parse, struct protocol_note *note,
                  const struct bytes *extra, struct bytes body, const char **text, int *status);
/* exchange.c */
enum protocol_result http_execute(const struct client_protocol *protocol,
                                  struct protocol_call *call);
/* values.c */
enum protocol_result values_get(struct exchange *exchange);
enum protocol_result values_put(struct exchange *exchange);
enum protocol_result values_delete(struct exchange *exchange);
/* words.c */
enum protocol_result words_scan(struct exchange *exchange);
enum protocol_result words_command(struct exchange *exchange);
enum protocol_result words_pipe(struct exchange *exchange);
enum protocol_result words_queue(struct exchange *exchange);
enum protocol_result words_exec(struct exchange *exchange);
/* metrics.c */
enum protocol_result metrics_answer(struct exchange *exchange);
/* stats.c */
enum protocol_result stats_answer(struct exchange *exchange);
/* page.c */
enum page_file { PAGE_HTML, PAGE_STYLE, PAGE_SCRIPT, PAGE_FILES };
enum protocol_result page_answer(struct exchange *exchange);
/* Whether INFO, by which all of these may be read, is not for this client; he has been told. */
bool monitoring_is_refused(struct exchange *exchange);

#endif
