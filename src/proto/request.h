/* request: parses requests of the Redis protocol (RESP arrays of bulk strings, and inline commands)
 * out of bytes in memory. Pure functions: no sockets, no clients, no allocation. Arguments are
 * slices of the input.
 *
 * A request that has not arrived whole keeps its place in a request_state, so that each byte is
 * looked at once however many reads it takes. When the input moves to other memory in between, the
 * caller rebases the slices found so far (request_rebase).
 *
 * What is not text is no inline command: a first byte that begins neither an array nor a word (a
 * control character, or one from 0x80 on), and a NUL byte anywhere in the line, are errors, so that
 * a peer that speaks TLS or anything else binary does not have lines found in it and executed.
 *
 * A bulk that the caller wants to receive into memory of its own (because it is large) is handed
 * over: when parsing stops with `bulk` >= 0, its bytes start at input + at; having gathered them
 * elsewhere, the caller gives the slice with request_give_bulk and goes on with input that begins
 * behind them. */
#ifndef LARDER_PROTO_REQUEST_H
#define LARDER_PROTO_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Longest line: an inline request, or the digits of a count. */
#define REQUEST_LINE_MAX (64 * 1024)
/* Most arguments that a request may announce. */
#define REQUEST_ARGS_MAX INT32_MAX
/* What somebody who has not authenticated may announce. */
#define REQUEST_STRANGER_ARGS_MAX 10
#define REQUEST_STRANGER_BULK_MAX 16384

enum request_status {
    REQUEST_READY, /* `have` arguments are in args; `at` is behind the request. 0 arguments: an
                    * empty line or array, to be skipped without a reply */
    REQUEST_MORE,  /* the input ends in the middle */
    REQUEST_ROOM,  /* args is full: call again with more room */
    REQUEST_ERROR, /* not the protocol; request_error tells the text; the connection must close */
};

enum request_error {
    REQUEST_BAD_COUNT,         /* invalid multibulk length */
    REQUEST_LONG_COUNT,        /* too big mbulk count string */
    REQUEST_STRANGER_COUNT,    /* unauthenticated multibulk length */
    REQUEST_EXPECTED_BULK,     /* expected '$', got 'x' */
    REQUEST_BAD_BULK,          /* invalid bulk length */
    REQUEST_LONG_BULK,         /* too big bulk count string */
    REQUEST_STRANGER_BULK,     /* unauthenticated bulk length */
    REQUEST_LONG_INLINE,       /* too big inline request */
    REQUEST_UNBALANCED_QUOTES, /* unbalanced quotes in request */
    REQUEST_NO_LINE_END,       /* CR and LF missing behind a bulk or a count */
    REQUEST_BAD_START,         /* a byte that begins no request: something binary, as TLS is */
    REQUEST_NUL_INLINE,        /* a line of text has no NUL byte */
};

struct request_limits {
    int64_t bulk_max; /* proto-max-bulk-len */
    bool stranger;    /* not authenticated while authentication is required */
};

struct request_state {
    size_t at;      /* offset into the input of the next byte to look at */
    int64_t bulk;   /* announced length of the bulk whose bytes come next, -1 when none */
    int32_t expect; /* arguments announced, -1 before the count is read */
    int32_t have;   /* arguments complete */
    bool end_due;   /* a bulk has been given: its CR LF come next */
    char got;       /* the byte for REQUEST_EXPECTED_BULK */
    enum request_error error;
};

/* At the start of a request, at offset `at` of the input. */
static inline void request_begin(struct request_state *state, size_t at) {
    *state = (struct request_state){.at = at, .bulk = -1, .expect = -1};
}

/* Goes on parsing input[state->at .. size). Arguments are stored from args[state->have] on; `room`
 * is the length of args. Inline requests are unescaped within the input, which is why it is
 * writable. */
enum request_status request_parse(struct request_state *state, char *input, size_t size,
                                  const struct request_limits *limits, struct bytes *args,
                                  size_t room);

/* The bulk that state->bulk announced has been gathered elsewhere: it becomes the next argument.
 * The input goes on with its CR LF at offset `at`. */
void request_give_bulk(struct request_state *state, size_t at, struct bytes bulk,
                       struct bytes *args);

/* The input has moved from `from` to `to`: arguments that lie within [from, from + size) follow. */
void request_rebase(struct bytes *args, int32_t count, const char *from, size_t size,
                    const char *to);

/* The text behind "ERR Protocol error: ". `out` has room for 64 bytes with NUL. */
void request_error_text(const struct request_state *state, char *out);

#endif
