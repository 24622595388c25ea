/* http: requests of HTTP/1.1 and 1.0 as pure functions over bytes (RFC 9110, RFC 9112).
 *
 *     GET /v1/keys/a HTTP/1.1\r\n Host: x\r\n \r\n      3\r\nabc\r\n 0\r\n\r\n
 *     |------------------ head -----------------|      |---- body, as it comes ----|
 *                                                      abc       as it is left
 *
 * A chunked body is moved together in place, behind the head, as it arrives; so the input is
 * writable, and a body is one slice however it was sent. What is found are slices of the input.
 *
 * Strict, because whoever stands in front of the server may read a request differently, and then
 * one request becomes two (smuggling). Refused with 400, after which the connection must close: a
 * line end without CR, CR or NUL or another control character in a line, a line that goes on in the
 * next (folding), space around a field's name, no name, Content-Length that is not plain digits or
 * stands twice, Transfer-Encoding that is not exactly "chunked" or stands beside Content-Length or
 * in HTTP/1.0, chunks without exact sizes and line ends, no Host or two.
 *
 * Resumable at every byte: a head is looked at for its end as it comes, each byte once, and parsed
 * when it is whole; so what is found does not depend on how it was cut. */
#ifndef LARDER_PROTO_HTTP_H
#define LARDER_PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PURGE,
    HTTP_OTHER, /* a word that is none of these */
};

/* Fields whose value is kept; each may stand once, but for those that are lists. */
enum http_field {
    HTTP_HOST,
    HTTP_AUTHORIZATION,
    HTTP_ORIGIN,
    HTTP_IF_MATCH,
    HTTP_IF_NONE_MATCH,
    HTTP_IF_RANGE,
    HTTP_RANGE,
    HTTP_CACHE_CONTROL,
    HTTP_ACCEPT,
    HTTP_CONTENT_TYPE,
    HTTP_CONTENT_ENCODING,
    HTTP_ENCODING,       /* Upstash-Encoding: how replies are to be written */
    HTTP_REQUEST_METHOD, /* Access-Control-Request-Method: a browser asks first */
    HTTP_FIELDS
};

struct http_head {
    enum http_method method;
    int minor;                        /* of the version: 1 or 0 */
    struct bytes path;                /* of the target, as it came; "*" too */
    struct bytes query;               /* behind the '?'; .at is NULL when there is none */
    struct bytes fields[HTTP_FIELDS]; /* .at is NULL when there is none */
    int64_t content_length;           /* -1: not said */
    bool chunked;
    bool keep_alive; /* what the peer wants, by version and Connection */
    bool expects;    /* waits for 100 Continue */
};

struct http_limits {
    size_t head_max;    /* bytes of a head */
    uint32_t field_max; /* fields of a head */
    uint64_t body_max;  /* bytes of a body */
};

enum http_phase {
    HTTP_PHASE_HEAD,
    HTTP_PHASE_BODY,       /* of a known length */
    HTTP_PHASE_CHUNK_SIZE, /* at its line */
    HTTP_PHASE_CHUNK,
    HTTP_PHASE_CHUNK_END, /* at the line end behind it */
    HTTP_PHASE_TRAILER,   /* at a line behind the last chunk */
};

struct http_state {
    size_t at;        /* offset of the next byte to look at; behind the request when it is ready */
    size_t head;      /* size of the head, once it has come */
    size_t body_size; /* bytes of the body that lie behind the head */
    uint64_t left;    /* of the body or the chunk */
    uint32_t trailer; /* bytes of trailers so far */
    uint16_t status;  /* why it is refused: 400, 413, 414, 417, 431, 505 */
    uint8_t phase;    /* enum http_phase */
};

enum http_status {
    HTTP_READY, /* head and body are whole: *head is filled, the body is input[state->head ..
                 * + state->body_size), the request takes input[0 .. state->at) */
    HTTP_MORE,  /* the input ends in the middle; *head is filled if the head has come in this call
                 * (state->phase is another then) */
    HTTP_ERROR, /* state->status says which; the connection must close */
};

/* A request begins at offset 0 of the input. */
static inline void http_begin(struct http_state *state) {
    *state = (struct http_state){.at = 0};
}

/* Goes on with input[0 .. size), in which nothing may have changed meanwhile but its place. */
enum http_status http_parse(struct http_state *state, char *input, size_t size,
                            const struct http_limits *limits, struct http_head *head);

/* For a request whose method, target and fields come apart from each other, as in HTTP/2: a head is
 * begun, given its parts, and ended. Names may be of any case. */
struct http_framing {
    bool length; /* Content-Length has come, and so on */
    bool coding;
    bool host;
};
void http_head_begin(struct http_head *head, struct http_framing *framing);
/* False: they are no method and target. */
bool http_head_line(struct http_head *head, struct bytes method, struct bytes target);
/* 0, or the status with which the request is refused. */
int http_head_field(struct http_head *head, struct http_framing *framing, struct bytes name,
                    struct bytes value);

/* Resolves %XX in place; the size it has then, or -1 when a % is not followed by two hexadecimal
 * digits. `plus`: a + is a space, as in a query. */
ptrdiff_t http_unescape(char *at, size_t size, bool plus);

/* The next name=value of a query, from *query on, which becomes what is left; .at NULL of the value
 * when there is no '='. Both as they came. False at the end. */
bool http_query_next(struct bytes *query, struct bytes *name, struct bytes *value);

/* The next member of a list with commas, spaces around it gone; quotes keep commas. False at the
 * end. */
bool http_list_next(struct bytes *list, struct bytes *member);

/* "OK", "Not Found" ...: what stands behind a status. */
const char *http_reason(int status);

/* A day and time as HTTP writes it, 29 bytes, no NUL. */
#define HTTP_DATE_SIZE 29
void http_format_date(char out[HTTP_DATE_SIZE], int64_t seconds);

#endif
