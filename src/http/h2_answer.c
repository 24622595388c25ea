/* h2_answer: HTTP/2's way back: answers become frames among the replies of the batch, as far as the
 * windows of stream and connection let them; what they do not let through is kept by its stream. */
#include "http/h2.h"

#ifndef LARDER_NO_HTTP2

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "call/context.h"
#include "client/connection.h"
#include "http/h2_int.h"

/* Fields of an answer. */
#define FIELDS_MAX 24
#define FRAME_HEAD 9
/* For each frame of data that goes, windows that may open. */
#define WINDOWS_A_FRAME 4
#define WINDOWS_ROOM    (1 << 20)

/* ---- bodies ---- */

/* What is kept of the stream's answer was `before`. */
static void note_kept(struct h2 *h2, const struct h2_stream *stream, size_t before) {
    h2_keep(h2, (ptrdiff_t)stream->rest.footprint - (ptrdiff_t)before);
    h2->unsent += stream->rest.footprint - before;
}

/* Writes `size` bytes of what lies in the reply aside; large values are referred to. */
static void write_live(struct h2_stream *stream, struct reply *out, size_t size) {
    stream->live_left -= size;
    while (size > 0) {
        const struct reply_piece *piece = &stream->live->pieces[stream->live_piece];
        size_t part = piece->size - stream->live_at;
        part = part < size ? part : size;
        if (piece->is_value) {
            reply_raw_blob(out, piece->blob, piece->at + stream->live_at, part);
        } else {
            reply_raw(out, piece->at + stream->live_at, part);
        }
        stream->live_at += part;
        size -= part;
        if (stream->live_at == piece->size) {
            stream->live_piece++;
            stream->live_at = 0;
        }
    }
}

/* The same of what is kept. */
static void write_rest(struct h2 *h2, struct h2_stream *stream, struct reply *out, size_t size) {
    size_t before = stream->rest.footprint;
    while (size > 0) {
        struct iovec pieces[8];
        size_t some;
        int count = output_front(&stream->rest, pieces, 8, size, &some);
        check(count > 0 && some > 0);
        for (int i = 0; i < count; i++) {
            reply_raw(out, pieces[i].iov_base, pieces[i].iov_len);
        }
        output_sent(&stream->rest, some, some);
        size -= some;
    }
    note_kept(h2, stream, before);
}

/* What has not gone by the end of the request is kept. */
static void keep_live(struct h2 *h2, struct h2_stream *stream) {
    size_t before = stream->rest.footprint;
    while (stream->live_left > 0) {
        const struct reply_piece *piece = &stream->live->pieces[stream->live_piece];
        size_t part = piece->size - stream->live_at;
        if (piece->is_value) {
            output_append_blob(&stream->rest, piece->blob, piece->at + stream->live_at, part);
        } else {
            output_append(&stream->rest, piece->at + stream->live_at, part);
        }
        stream->live_left -= part;
        stream->live_piece++;
        stream->live_at = 0;
    }
    stream->live = NULL;
    note_kept(h2, stream, before);
}

static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *at, size_t room,
                       uint32_t *flags, nghttp2_data_source *source, void *context) {
    struct h2_stream *stream = source->ptr;
    (void)session;
    (void)id;
    (void)at;
    (void)context;
    size_t left = stream->rest.size + stream->live_left;
    /* One source at a time: what is kept is older. */
    size_t here = stream->rest.size > 0 ? stream->rest.size : stream->live_left;
    size_t size = here < room ? here : room;
    if (left == 0 && stream->is_open) {
        stream->waits = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == left && !stream->is_open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)size;
}

/* ---- sending ---- */

/* A connection has so much of a batch; the rest comes with its next turn. */
static bool is_full(const struct h2 *h2) {
    return reply_size(h2->out) - h2->out_from > CONNECTION_REPLY_MAX;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *at, size_t size, int flags,
                       void *context) {
    struct h2 *h2 = context;
    (void)session;
    (void)flags;
    if (UNLIKELY(is_full(h2))) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    reply_raw(h2->out, at, size);
    return (ssize_t)size;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t size, nghttp2_data_source *source, void *context) {
    struct h2 *h2 = context;
    struct h2_stream *stream = source->ptr;
    (void)session;
    (void)frame;
    if (UNLIKELY(is_full(h2))) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    reply_raw(h2->out, head, FRAME_HEAD);
    if (stream->rest.size > 0) {
        write_rest(h2, stream, h2->out, size);
    } else {
        write_live(stream, h2->out, size);
    }
    h2->moved_ms = h2->now_ms;
    if (h2->windows.left < WINDOWS_ROOM) {
        h2->windows.left += WINDOWS_A_FRAME;
    }
    return 0;
}

void h2_answer_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
}

void h2_send(struct h2 *h2, struct reply *out) {
    h2->out = out;
    h2->out_from = reply_size(out);
    h2->now_ms = h2->http->context->clock->now_ms;
    int status = nghttp2_session_send(h2->session);
    if (UNLIKELY(h2->is_spent && !h2->is_over)) {
        h2_end_reading(h2, NGHTTP2_ENHANCE_YOUR_CALM);
        status = nghttp2_session_send(h2->session);
    }
    h2->out = NULL;
    bool is_done =
        !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session);
    if (UNLIKELY(status != 0 || is_done || (h2->is_going && h2->open == 0))) {
        client_close_after_reply(h2->client);
    }
}

/* ---- answers ---- */

bool h2_answer_begin(struct h2_answer *answer, struct h2 *h2, int32_t stream,
                     struct protocol_scratch *scratch) {
    answer->h2 = h2;
    answer->stream = stream;
    answer->reply = &scratch->reply;
    answer->has_head = false;
    answer->head_size = 0;
    reply_reset(answer->reply);
    nghttp2_stream *there = nghttp2_session_find_stream(h2->session, stream);
    return there != NULL &&
           nghttp2_stream_get_state(there) != NGHTTP2_STREAM_STATE_HALF_CLOSED_LOCAL;
}

static nghttp2_nv pair(char *name, size_t name_size, char *value, size_t value_size) {
    return (nghttp2_nv){.name = (uint8_t *)name,
                        .namelen = name_size,
                        .value = (uint8_t *)value,
                        .valuelen = value_size};
}

/* The lines of a head as pairs; their names become small letters. */
static size_t read_head(char *at, size_t size, nghttp2_nv *pairs) {
    static char status[] = ":status";
    char *end = at + size;
    size_t count = 0;
    pairs[count++] = pair(status, 7, at + 9, 3);
    char *line = memchr(at, '\n', size);
    check(line != NULL); /* each ends so */
    while (line + 1 < end && line[1] != '\r' && count < FIELDS_MAX) {
        char *name = line + 1;
        char *p = name;
        for (; *p != ':'; p++) {
            *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
        }
        char *stop = memchr(p, '\n', (size_t)(end - p));
        check(stop != NULL);
        pairs[count++] = pair(name, (size_t)(p - name), p + 2, (size_t)(stop - 1 - (p + 2)));
        line = stop;
    }
    return count;
}

static void submit(struct h2_answer *answer, struct h2_stream *stream) {
    nghttp2_nv pairs[FIELDS_MAX];
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = on_read};
    size_t count = read_head(answer->head, answer->head_size, pairs);
    nghttp2_submit_response(answer->h2->session, answer->stream, pairs, count,
                            stream == NULL ? NULL : &body);
}

void h2_answer_end(struct h2_answer *answer, struct reply *out, bool is_last) {
    struct h2 *h2 = answer->h2;
    struct reply *body = answer->reply;
    if (UNLIKELY(reply_is_discarded(body))) {
        reply_discard_end(body);
        nghttp2_submit_rst_stream(h2->session, 0, answer->stream, NGHTTP2_INTERNAL_ERROR);
        h2_send(h2, out);
        return;
    }
    reply_close_run(body);
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(h2->session, answer->stream);
    const size_t size = reply_size(body);
    if (stream == NULL && (size > 0 || !is_last)) {
        stream = h2_stream_new(h2, answer->stream);
    }
    bool has_body = size > 0 || !is_last;
    if (stream != NULL) {
        stream->live = body;
        stream->live_piece = 0;
        stream->live_at = 0;
        stream->live_left = size;
        stream->is_open = !is_last;
    }
    const bool rejects = stream != NULL && stream->refused && answer->has_head;
    if (answer->has_head) {
        submit(answer, has_body ? stream : NULL);
    } else if (stream != NULL && stream->waits) {
        stream->waits = false;
        nghttp2_session_resume_data(h2->session, answer->stream);
    }
    h2_send(h2, out);
    if (nghttp2_session_find_stream(h2->session, answer->stream) == NULL) {
        return;
    }
    stream = nghttp2_session_get_stream_user_data(h2->session, answer->stream);
    if (stream != NULL && stream->live != NULL) {
        keep_live(h2, stream);
    }
    if (rejects && stream->rest.size == 0) {
        nghttp2_submit_rst_stream(h2->session, 0, answer->stream, NGHTTP2_NO_ERROR);
        h2_send(h2, out);
    }
}

void h2_go_on(struct h2_answer *answer) {
    static char status[] = ":status";
    static char text[] = "100";
    nghttp2_nv pairs[] = {pair(status, 7, text, 3)};
    nghttp2_submit_headers(answer->h2->session, 0, answer->stream, NULL, pairs, 1, NULL);
}

#endif
