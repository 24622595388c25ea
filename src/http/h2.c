/* h2: the session's life and its reading half. See the header. */
#include "http/h2.h"

#ifndef LARDER_NO_HTTP2

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "call/context.h"
#include "client/connection.h"
#include "http/h2_int.h"

/* What a client says first (RFC 9113, section 3.4). */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_SIZE (sizeof preface - 1)

/* Memory asked of the batch at a time, for heads. */
#define BLOCK_SIZE 8192
/* Bytes given to the session at a time, for each request that the turn has left: the fewest that a
 * request takes, so that a turn is about what it should be. */
#define BYTES_A_REQUEST 32
#define BYTES_LEAST     256
/* Requests that have waited and have a turn together. */
#define READY_A_TURN 4
/* A head that is longer than allowed is read on, for its fields change what later ones mean; up to
 * so many times the limit. */
#define HEAD_PATIENCE 4
/* As for HTTP/1.1 (route.c): what somebody who has not logged in may send before he is asked. */
#define STRANGER_BODY_MAX 16384
/* Streams given up, by either side, for their peer's doing: so many at once, and so many a second.
 * A browser whose page is left gives up a hundred. */
#define RESETS_MAX    500
#define RESETS_SECOND 50
/* Frames that say nothing: PING, SETTINGS, PRIORITY, CONTINUATION, DATA without data, unknown
 * ones. */
#define IDLE_FRAMES_MAX    1000
#define IDLE_FRAMES_SECOND 100
/* WINDOW_UPDATE; each frame of data that is sent allows for some more. */
#define WINDOWS_MAX    10000
#define WINDOWS_SECOND 1000

/* ---- memory ---- */

static void *allocate(size_t size, void *context) {
    (void)context;
    return mem_foreign_realloc(MEM_CLIENT, NULL, size);
}

static void *allocate_zeros(size_t count, size_t size, void *context) {
    (void)context;
    size_t all;
    if (__builtin_mul_overflow(count, size, &all)) {
        return NULL;
    }
    void *at = mem_foreign_realloc(MEM_CLIENT, NULL, all);
    return at == NULL ? NULL : memset(at, 0, all);
}

static void *reallocate(void *at, size_t size, void *context) {
    (void)context;
    return mem_foreign_realloc(MEM_CLIENT, at, size);
}

static void release(void *at, void *context) {
    (void)context;
    if (at != NULL) {
        mem_foreign_free(MEM_CLIENT, at);
    }
}

void h2_keep(struct h2 *h2, ptrdiff_t more) {
    size_t kept = atomic_load_explicit(&h2->client->kept, memory_order_relaxed);
    debug_check((ptrdiff_t)kept + more >= 0);
    atomic_store_explicit(&h2->client->kept, (size_t)((ptrdiff_t)kept + more),
                          memory_order_relaxed);
}

/* ---- streams with something of their own ---- */

struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id) {
    struct h2_stream *stream = h2->spare;
    h2->spare = NULL;
    if (stream == NULL) {
        stream = mem_alloc(MEM_CLIENT, sizeof *stream);
    }
    *stream = (struct h2_stream){.id = id, .previous = h2->last};
    stream->since_ms = h2->now_ms;
    output_init(&stream->rest);
    *(h2->last == NULL ? &h2->first : &h2->last->next) = stream;
    h2->last = stream;
    nghttp2_session_set_stream_user_data(h2->session, id, stream);
    return stream;
}

/* What has come of its request is not needed any more. */
static void drop_input(struct h2 *h2, struct h2_stream *stream) {
    if (stream->input != NULL) {
        h2->ready -= stream->is_ready;
        stream->is_ready = false;
        h2->uploads -= stream->input->size;
        h2_keep(h2, -(ptrdiff_t)stream->input->size);
        input_free(stream->input);
        stream->input = NULL;
    }
}

void h2_stream_free(struct h2 *h2, struct h2_stream *stream) {
    *(stream->previous == NULL ? &h2->first : &stream->previous->next) = stream->next;
    *(stream->next == NULL ? &h2->last : &stream->next->previous) = stream->previous;
    drop_input(h2, stream);
    h2_keep(h2, -(ptrdiff_t)stream->rest.footprint);
    h2->unsent -= stream->rest.footprint;
    output_clear(&stream->rest);
    if (h2->spare == NULL) {
        h2->spare = stream;
    } else {
        mem_free(MEM_CLIENT, stream, sizeof *stream);
    }
}

/* ---- allowances ---- */

/* Takes one; false when there is none left. */
static bool take(const struct h2 *h2, struct h2_allowance *allowance, int64_t most,
                 int64_t a_second) {
    int64_t now_ms = h2->now_ms;
    int64_t more = (now_ms - allowance->since_ms) * a_second / 1000;
    if (more > 0) {
        int64_t left = allowance->left + more;
        allowance->left = left < most || allowance->left > most ? left : most;
        allowance->since_ms = now_ms;
    }
    return --allowance->left >= 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *context) {
    struct h2 *h2 = context;
    (void)session;
    bool fits = true;
    if (frame->type == NGHTTP2_WINDOW_UPDATE) {
        fits = take(h2, &h2->windows, WINDOWS_MAX, WINDOWS_SECOND);
    } else if (frame->type == NGHTTP2_DATA) {
        fits = frame->length > 0 || frame->flags & NGHTTP2_FLAG_END_STREAM ||
               take(h2, &h2->idle_frames, IDLE_FRAMES_MAX, IDLE_FRAMES_SECOND);
    } else if (frame->type != NGHTTP2_HEADERS && frame->type != NGHTTP2_RST_STREAM) {
        fits = take(h2, &h2->idle_frames, IDLE_FRAMES_MAX, IDLE_FRAMES_SECOND);
    }
    return fits ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- requests ---- */

/* The head's pairs, read again. False: it is refused with *status. */
static bool read_pairs(const char *at, size_t size, struct http_head *head, int *status) {
    struct http_framing framing;
    struct bytes method = bytes_of("", 0);
    struct bytes target = bytes_of("", 0);
    const char *end = at + size;
    http_head_begin(head, &framing);
    while (at < end) {
        uint32_t sizes[2];
        memcpy(sizes, at, sizeof sizes);
        struct bytes name = bytes_of(at + sizeof sizes, sizes[0]);
        struct bytes value = bytes_of(name.at + name.size, sizes[1]);
        at = value.at + value.size;
        *status = 0;
        if (name.size == 0 || name.at[0] != ':') {
            *status = http_head_field(head, &framing, name, value);
        } else if (bytes_equal(name, bytes_of(":path", 5))) {
            target = value;
        } else if (bytes_equal(name, bytes_of(":method", 7))) {
            method = value;
        } else if (bytes_equal(name, bytes_of(":authority", 10))) {
            *status = http_head_field(head, &framing, bytes_of("host", 4), value);
            framing.host = false; /* it may be said in both ways */
        }
        if (*status != 0) {
            return false;
        }
    }
    *status = 400;
    return http_head_line(head, method, target);
}

/* A request is whole: its pairs lie in memory of the batch, or of an input that lives as long. */
static void add_request(struct h2 *h2, int32_t id, char *pairs, size_t size, struct bytes body) {
    struct http_head head;
    int status;
    if (read_pairs(pairs, size, &head, &status)) {
        route_stream(h2->http, h2->parse, &head, body, id);
    } else {
        route_refuse_stream(h2->http, h2->parse, status, id);
    }
}

/* Room in the batch's memory. NULL: there is none. */
static char *batch_room(struct h2 *h2, size_t size) {
    if (h2->block_left < size) {
        size_t all = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        h2->block = protocol_memory(h2->parse, all);
        h2->block_left = h2->block == NULL ? 0 : all;
        if (h2->block == NULL) {
            return NULL;
        }
    }
    char *at = h2->block;
    h2->block += size;
    h2->block_left -= size;
    return at;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
    struct h2 *h2 = context;
    struct h2_head *head = &h2->head;
    (void)session;
    head->stream = frame->hd.stream_id;
    head->status = 0;
    head->count = 0;
    head->total = 0;
    head->size = 0;
    head->since_ms = h2->now_ms;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        h2->open++;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *context) {
    struct h2 *h2 = context;
    struct h2_head *head = &h2->head;
    const struct http_options *options = &h2->http->options;
    (void)session;
    (void)flags;
    head->total += name_size + value_size + 32;
    head->count += name[0] != ':';
    if (UNLIKELY(head->total > (size_t)options->head_max || head->count > options->field_max)) {
        head->status = 431;
        return head->total > HEAD_PATIENCE * (size_t)options->head_max
                   ? NGHTTP2_ERR_CALLBACK_FAILURE
                   : 0;
    }
    if (UNLIKELY(frame->headers.cat != NGHTTP2_HCAT_REQUEST)) {
        return 0;
    }
    const uint32_t sizes[2] = {(uint32_t)name_size, (uint32_t)value_size};
    size_t more = sizeof sizes + name_size + value_size;
    if (UNLIKELY(head->room - head->size < more)) {
        size_t room = mem_class(head->size + more + 256);
        head->at = mem_realloc(MEM_CLIENT, head->at, head->room, room);
        head->room = room;
    }
    char *at = head->at + head->size;
    memcpy(at, sizes, sizeof sizes);
    memcpy(at + sizeof sizes, name, name_size);
    memcpy(at + sizeof sizes + name_size, value, value_size);
    head->size += more;
    return 0;
}

/* Adds to what has come of a stream's request. */
static bool add_upload(struct h2 *h2, struct h2_stream *stream, const void *at, size_t size) {
    char *room = input_reserve(stream->input, size + 1);
    if (room == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(room, at, size);
    }
    stream->input->size += size;
    h2->uploads += size;
    h2_keep(h2, (ptrdiff_t)size);
    return true;
}

/* The request is refused, whatever is still to come of it. */
static void refuse_upload(struct h2 *h2, struct h2_stream *stream, int status) {
    drop_input(h2, stream);
    stream->refused = true;
    route_refuse_stream(h2->http, h2->parse, status, stream->id);
}

/* The head says all that decides whether the body may come. */
static void begin_upload(struct h2 *h2, int32_t id) {
    struct h2_head *pairs = &h2->head;
    struct h2_stream *stream = h2_stream_new(h2, id);
    struct http_head head;
    int status;
    stream->input = input_new();
    if (!add_upload(h2, stream, pairs->at, pairs->size)) {
        refuse_upload(h2, stream, 507);
        return;
    }
    stream->head_size = pairs->size;
    if (!read_pairs(stream->input->bytes, stream->head_size, &head, &status)) {
        refuse_upload(h2, stream, status);
    } else if (head.content_length > h2->http->options.body_max) {
        refuse_upload(h2, stream, 413);
    } else if (head.expects) {
        char *copy = batch_room(h2, pairs->size);
        stream->asked = true;
        if (copy != NULL) {
            memcpy(copy, pairs->at, pairs->size);
            (void)read_pairs(copy, pairs->size, &head, &status);
            route_ask_stream(h2->http, h2->parse, &head, id);
        }
    }
}

/* Somebody who has not logged in sends much: whether he may is asked with the head that he sent. */
static void ask_stranger(struct h2 *h2, struct h2_stream *stream) {
    struct http_head head;
    int status;
    char *copy = batch_room(h2, stream->head_size);
    if (stream->asked || copy == NULL) {
        refuse_upload(h2, stream, 401);
        return;
    }
    stream->asked = true;
    memcpy(copy, stream->input->bytes, stream->head_size);
    if (read_pairs(copy, stream->head_size, &head, &status)) {
        head.expects = false;
        route_ask_stream(h2->http, h2->parse, &head, stream->id);
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
                   size_t size, void *context) {
    struct h2 *h2 = context;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (stream == NULL || stream->input == NULL) {
        return 0;
    }
    const struct http_options *options = &h2->http->options;
    size_t body = stream->input->size - stream->head_size + size;
    if (body > (size_t)options->body_max ||
        h2->uploads + size > (size_t)(options->body_max + options->head_max)) {
        refuse_upload(h2, stream, 413);
    } else if (!add_upload(h2, stream, at, size)) {
        refuse_upload(h2, stream, 507);
    } else if (UNLIKELY(h2->parse->stranger) && !stream->asked &&
               stream->input->size - stream->head_size > STRANGER_BODY_MAX) {
        ask_stranger(h2, stream);
    }
    return 0;
}

/* Whether there is no room for further answers. */
static bool is_full(const struct h2 *h2) {
    return h2->unsent > connection_backlog_max(h2->client);
}

/* The order of requests is kept. */
static bool must_wait(const struct h2 *h2) {
    return h2->ready > 0 || is_full(h2);
}

static void let_wait(struct h2 *h2, struct h2_stream *stream) {
    stream->is_ready = true;
    h2->ready++;
}

/* The request has come: it lives with the batch from now on. */
static void add_upload_request(struct h2 *h2, struct h2_stream *stream) {
    struct input *input = stream->input;
    stream->input = NULL;
    h2->ready -= stream->is_ready;
    stream->is_ready = false;
    h2->uploads -= input->size;
    h2_keep(h2, -(ptrdiff_t)input->size);
    protocol_adopt(h2->parse, input);
    add_request(h2, stream->id, input->bytes, stream->head_size,
                bytes_of(input->bytes + stream->head_size, input->size - stream->head_size));
}

static void end_upload(struct h2 *h2, struct h2_stream *stream) {
    if (stream->input == NULL) {
        return;
    }
    if (must_wait(h2)) {
        let_wait(h2, stream);
    } else {
        add_upload_request(h2, stream);
    }
}

/* Some of those that wait have room now. How much their answers take is known when they are there,
 * so it is some of them only. */
static void add_ready(struct h2 *h2) {
    struct h2_stream *next;
    int added = 0;
    for (struct h2_stream *stream = h2->first; stream != NULL && added < READY_A_TURN;
         stream = next) {
        next = stream->next;
        if (stream->is_ready) {
            add_upload_request(h2, stream);
            added++;
        }
    }
}

static void end_head(struct h2 *h2, const nghttp2_frame *frame) {
    struct h2_head *head = &h2->head;
    int32_t id = frame->hd.stream_id;
    head->stream = 0;
    if (UNLIKELY(head->status != 0)) {
        h2_stream_new(h2, id)->refused = true;
        route_refuse_stream(h2->http, h2->parse, head->status, id);
    } else if (UNLIKELY(!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))) {
        begin_upload(h2, id);
    } else if (UNLIKELY(must_wait(h2))) {
        struct h2_stream *stream = h2_stream_new(h2, id);
        stream->input = input_new();
        stream->head_size = head->size;
        if (add_upload(h2, stream, head->at, head->size)) {
            let_wait(h2, stream);
        } else {
            refuse_upload(h2, stream, 507);
        }
    } else {
        char *pairs = batch_room(h2, head->size);
        if (pairs == NULL) {
            nghttp2_submit_rst_stream(h2->session, 0, id, NGHTTP2_REFUSED_STREAM);
            return;
        }
        memcpy(pairs, head->at, head->size);
        add_request(h2, id, pairs, head->size, bytes_of(pairs, 0));
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context) {
    struct h2 *h2 = context;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        end_head(h2, frame);
    } else if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
               frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        struct h2_stream *stream =
            nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        h2->head.stream = 0;
        if (stream != NULL) {
            end_upload(h2, stream);
        }
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context) {
    struct h2 *h2 = context;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    h2->open--;
    if (stream != NULL) {
        h2_stream_free(h2, stream);
    }
    if (code != NGHTTP2_NO_ERROR && !take(h2, &h2->resets, RESETS_MAX, RESETS_SECOND)) {
        h2->is_spent = true;
        return h2->out == NULL ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    }
    return 0;
}

/* ---- reading ---- */

enum h2_beginning h2_begins(const struct protocol_parse *parse) {
    size_t size = parse->size < PREFACE_SIZE ? parse->size : PREFACE_SIZE;
    if (size == 0 || parse->window[0] != 'P' || parse->client->bytes_in != parse->size ||
        memcmp(parse->window, preface, size) != 0) {
        return H2_NOT;
    }
    return size < PREFACE_SIZE ? H2_MAYBE : H2_BEGINS;
}

void h2_end_reading(struct h2 *h2, uint32_t code) {
    h2->is_over = true;
    nghttp2_session_terminate_session(h2->session, code);
}

static bool must_say_goodbye(const struct h2 *h2) {
    return !h2->is_going && atomic_load_explicit(&h2->http->draining, memory_order_relaxed);
}

static void say_goodbye(struct h2 *h2) {
    if (must_say_goodbye(h2)) {
        h2->is_going = true;
        nghttp2_submit_goaway(h2->session, 0, nghttp2_session_get_last_proc_stream_id(h2->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
    }
}

static bool has_to_say(const struct h2 *h2) {
    return nghttp2_session_want_write(h2->session) || h2->is_over ||
           !nghttp2_session_want_read(h2->session) || (h2->is_going && h2->open == 0);
}

enum protocol_status h2_read(struct h2 *h2, struct protocol_parse *parse) {
    h2->parse = parse;
    h2->now_ms = parse->now_ms;
    h2->block_left = 0;
    say_goodbye(h2);
    size_t most = parse->turn * BYTES_A_REQUEST;
    most = most < BYTES_LEAST ? BYTES_LEAST : most;
    size_t size = parse->size < most ? parse->size : most;
    parse->state->at = size;
    if (size > 0 && !h2->is_over) {
        ssize_t done = nghttp2_session_mem_recv(h2->session, (const uint8_t *)parse->window, size);
        if (done < 0 || h2->is_over) {
            bool calm =
                done == NGHTTP2_ERR_FLOODED || done == NGHTTP2_ERR_CALLBACK_FAILURE || done >= 0;
            h2_end_reading(h2, calm ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
        }
    }
    if (UNLIKELY(h2->ready > 0) && !h2->is_over && !is_full(h2)) {
        add_ready(h2);
    }
    h2->parse = NULL;
    if (has_to_say(h2)) {
        route_send(h2->http, parse);
    }
    return h2->is_over || !nghttp2_session_want_read(h2->session) ? PROTOCOL_END : PROTOCOL_DONE;
}

bool h2_wants_turn(const struct h2 *h2) {
    return !h2->is_over && (nghttp2_session_want_write(h2->session) || must_say_goodbye(h2) ||
                            (h2->ready > 0 && !is_full(h2)));
}

/* GOAWAY of a connection on which nothing is under way. */
static struct bytes goodbye(const struct h2 *h2, char words[17]) {
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(h2->session);
    memset(words, 0, 17);
    words[2] = 8;
    words[3] = NGHTTP2_GOAWAY;
    for (int i = 0; i < 4; i++) {
        words[9 + i] = (char)(last >> (24 - 8 * i));
    }
    return bytes_of(words, 17);
}

bool h2_overdue(struct h2 *h2, enum protocol_wait wait, int64_t now_ms, int64_t waited_ms,
                struct bytes *last_words) {
    static _Thread_local char words[17];
    const struct http_options *options = &h2->http->options;
    if (wait == PROTOCOL_UNSENT) {
        return waited_ms > options->response_seconds * 1000;
    }
    *last_words = goodbye(h2, words);
    if (h2->open == 0) {
        return atomic_load_explicit(&h2->http->draining, memory_order_relaxed) ||
               waited_ms > options->idle_seconds * 1000;
    }
    say_goodbye(h2);
    if (nghttp2_session_want_write(h2->session)) {
        connection_resume_later(h2->client);
    }
    if (h2->head.stream != 0 && now_ms - h2->head.since_ms > options->request_seconds * 1000) {
        return true;
    }
    const struct h2_stream *oldest = h2->first;
    if (oldest == NULL) {
        return waited_ms > options->idle_seconds * 1000;
    }
    bool comes = (oldest->input != NULL && !oldest->is_ready) || oldest->refused;
    return comes ? now_ms - oldest->since_ms > options->request_seconds * 1000
                 : now_ms - h2->moved_ms > options->response_seconds * 1000;
}

/* ---- beginning and end ---- */

struct h2_kit {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

bool h2_is_built(void) {
    return true;
}

struct h2_kit *h2_kit_new(void) {
    struct h2_kit *kit = mem_zalloc(MEM_OTHER, sizeof *kit);
    check(nghttp2_session_callbacks_new(&kit->callbacks) == 0);
    check(nghttp2_option_new(&kit->option) == 0);
    nghttp2_session_callbacks *callbacks = kit->callbacks;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    h2_answer_callbacks(callbacks);
    nghttp2_option_set_no_closed_streams(kit->option, 1);
    return kit;
}

void h2_kit_free(struct h2_kit *kit) {
    nghttp2_session_callbacks_del(kit->callbacks);
    nghttp2_option_del(kit->option);
    mem_free(MEM_OTHER, kit, sizeof *kit);
}

struct h2 *h2_new(struct http *http, struct client *client, int64_t now_ms) {
    nghttp2_mem memory = {
        .malloc = allocate, .free = release, .calloc = allocate_zeros, .realloc = reallocate};
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)http->options.streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)http->options.head_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    struct h2 *h2 = mem_zalloc(MEM_CLIENT, sizeof *h2);
    h2->http = http;
    h2->client = client;
    h2->now_ms = now_ms;
    h2->resets = (struct h2_allowance){now_ms, RESETS_MAX};
    h2->idle_frames = (struct h2_allowance){now_ms, IDLE_FRAMES_MAX};
    h2->windows = (struct h2_allowance){now_ms, WINDOWS_MAX};
    if (nghttp2_session_server_new3(&h2->session, http->kit->callbacks, h2, http->kit->option,
                                    &memory) != 0) {
        mem_free(MEM_CLIENT, h2, sizeof *h2);
        return NULL;
    }
    nghttp2_submit_settings(h2->session, 0, settings, sizeof settings / sizeof settings[0]);
    return h2;
}

void h2_free(struct h2 *h2) {
    nghttp2_session_del(h2->session);
    while (h2->first != NULL) {
        h2_stream_free(h2, h2->first);
    }
    if (h2->spare != NULL) {
        mem_free(MEM_CLIENT, h2->spare, sizeof *h2->spare);
    }
    mem_free(MEM_CLIENT, h2->head.at, h2->head.room);
    mem_free(MEM_CLIENT, h2, sizeof *h2);
}

#endif
