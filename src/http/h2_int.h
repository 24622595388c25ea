/* h2_int: what the two halves of HTTP/2 share: reading (h2.c) and answering (h2_answer.c). */
#ifndef LARDER_HTTP_H2_INT_H
#define LARDER_HTTP_H2_INT_H

#include "client/input.h"
#include "client/output.h"
#include "http/h2.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

/* A stream that has something of its own. In the list of its session, oldest first. */
struct h2_stream {
    struct h2_stream *next;
    struct h2_stream *previous;
    int32_t id;
    int64_t since_ms;
    /* On its way here: the fields as pairs, and behind them the body. NULL: it has come. */
    struct input *input;
    size_t head_size;
    bool asked;    /* whether the peer may send on */
    bool refused;  /* it has its answer, and what comes is dropped */
    bool is_ready; /* it has come, and waits until the connection has room for its answer */
    /* On its way back. First what lies in the reply aside, then what is kept. */
    bool is_open; /* more will be added */
    bool waits;   /* the session has been told that there is nothing now */
    const struct reply *live;
    uint32_t live_piece;
    size_t live_at; /* in the piece */
    size_t live_left;
    struct output rest;
};

/* What refills with time. */
struct h2_allowance {
    int64_t since_ms;
    int64_t left;
};

/* The head that is being read: there is one at most. */
struct h2_head {
    int32_t stream; /* 0: none */
    int status;     /* why it is refused; 0: it is not */
    uint32_t count;
    size_t total; /* bytes, as SETTINGS_MAX_HEADER_LIST_SIZE counts them */
    int64_t since_ms;
    char *at; /* pairs: sizes of name and value, name, value */
    size_t size;
    size_t room;
};

struct h2 {
    struct http *http;
    struct client *client;
    struct nghttp2_session *session;
    uint32_t open; /* streams */
    bool is_going; /* the peer has been told that this connection ends */
    bool is_over;  /* nothing more is read */
    bool is_spent; /* an allowance is, and that has to be said */
    /* Streams with something of their own. */
    struct h2_stream *first;
    struct h2_stream *last;
    struct h2_stream *spare;
    size_t uploads; /* bytes of requests that have not come whole, or wait */
    size_t unsent;  /* and of answers that windows hold back, or sockets */
    size_t ready;   /* requests that wait */
    int64_t now_ms;
    int64_t moved_ms; /* when the last bytes of an answer went */
    struct h2_head head;
    struct h2_allowance resets;
    struct h2_allowance idle_frames;
    struct h2_allowance windows;
    /* While reading: */
    struct protocol_parse *parse;
    char *block; /* memory of the batch */
    size_t block_left;
    /* While sending: */
    struct reply *out;
    size_t out_from;
};

/* `more` may be negative: the connection keeps so much more. */
void h2_keep(struct h2 *h2, ptrdiff_t more);
struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id);
void h2_stream_free(struct h2 *h2, struct h2_stream *stream);
/* Says that the connection ends, and why. */
void h2_end_reading(struct h2 *h2, uint32_t code);
/* Of the kit, those that are for sending. */
void h2_answer_callbacks(struct nghttp2_session_callbacks *callbacks);

#endif
