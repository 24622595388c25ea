/* h2_talk: see the header. */
#include "h2_talk.h"

#ifndef LARDER_NO_HTTP2

#include <ctype.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "secure.h"

#define FRAME_HEAD 9
#define BLOCK_MAX  16384
#define DATA_MAX   16384

void h2_open(struct h2_talk *h2, struct talk talk) {
    memset(h2, 0, sizeof *h2);
    h2->talk = talk;
    h2->next_stream = 1;
    assert_int_equal(nghttp2_hd_inflate_new(&h2->inflater), 0);
    talk_send(&h2->talk, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    h2_send_frame(h2, H2_SETTINGS, 0, 0, NULL, 0);
}

void h2_close(struct h2_talk *h2) {
    nghttp2_hd_inflate_del(h2->inflater);
    talk_close(&h2->talk);
}

void h2_send_frame(struct h2_talk *h2, int type, int flags, uint32_t stream, const void *at,
                   size_t size) {
    unsigned char *frame = malloc(FRAME_HEAD + size);
    frame[0] = (unsigned char)(size >> 16);
    frame[1] = (unsigned char)(size >> 8);
    frame[2] = (unsigned char)size;
    frame[3] = (unsigned char)type;
    frame[4] = (unsigned char)flags;
    for (int i = 0; i < 4; i++) {
        frame[5 + i] = (unsigned char)(stream >> (24 - 8 * i));
    }
    if (size > 0) {
        memcpy(frame + FRAME_HEAD, at, size);
    }
    if (h2->talk.secure != NULL) {
        talk_send(&h2->talk, frame, FRAME_HEAD + size);
    } else {
        /* The server may have closed already. */
        for (size_t sent = 0; sent < FRAME_HEAD + size;) {
            ssize_t some = send(h2->talk.fd, frame + sent, FRAME_HEAD + size - sent, MSG_NOSIGNAL);
            if (some < 0) {
                break;
            }
            sent += (size_t)some;
        }
    }
    free(frame);
}

static bool read_all(struct h2_talk *h2, void *at, size_t size) {
    if (h2->talk.secure != NULL) {
        talk_read(&h2->talk, at, size);
        return true;
    }
    for (size_t got = 0; got < size;) {
        ssize_t some = recv(h2->talk.fd, (char *)at + got, size - got, 0);
        if (some < 0 && errno == EINTR) {
            continue;
        }
        if (some < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            harness_fail("nothing comes");
        }
        if (some <= 0) {
            return false;
        }
        got += (size_t)some;
    }
    return true;
}

static uint32_t number(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint32_t h2_number(const struct h2_talk *h2, size_t at) {
    return number(h2->frame.payload + at);
}

bool h2_read_frame(struct h2_talk *h2) {
    unsigned char head[FRAME_HEAD];
    if (!read_all(h2, head, sizeof head)) {
        return false;
    }
    h2->frame.size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    h2->frame.type = head[3];
    h2->frame.flags = head[4];
    h2->frame.stream = number(head + 5);
    assert_true(h2->frame.size <= H2_PAYLOAD_MAX);
    return read_all(h2, h2->frame.payload, h2->frame.size);
}

bool h2_read_until(struct h2_talk *h2, int type) {
    while (h2_read_frame(h2)) {
        if (h2->frame.type == type) {
            return true;
        }
    }
    return false;
}

/* ---- requests ---- */

struct block {
    unsigned char bytes[BLOCK_MAX];
    size_t size;
};

static void put_string(struct block *block, const char *at, size_t size) {
    size_t left = size;
    assert_true(block->size + size + 8 < BLOCK_MAX);
    if (left < 127) {
        block->bytes[block->size++] = (unsigned char)left;
    } else {
        block->bytes[block->size++] = 127;
        for (left -= 127; left >= 128; left >>= 7) {
            block->bytes[block->size++] = (unsigned char)(0x80 | (left & 127));
        }
        block->bytes[block->size++] = (unsigned char)left;
    }
    memcpy(block->bytes + block->size, at, size);
    block->size += size;
}

/* A field as a literal that changes no table. */
static void put_field(struct block *block, const char *name, size_t name_size, const char *value,
                      size_t value_size) {
    char small[64];
    assert_true(name_size < sizeof small);
    for (size_t i = 0; i < name_size; i++) {
        small[i] = (char)tolower((unsigned char)name[i]);
    }
    block->bytes[block->size++] = 0;
    put_string(block, small, name_size);
    put_string(block, value, value_size);
}

static bool is_of_connection(const char *name, size_t size) {
    return (size == 17 && strncasecmp(name, "transfer-encoding", size) == 0) ||
           (size == 10 && strncasecmp(name, "connection", size) == 0);
}

/* The head's lines as a block; what is behind it is returned. */
static const char *put_head(struct block *block, const char *request) {
    const char *target = strchr(request, ' ') + 1;
    const char *version = strchr(target, ' ');
    const char *line = strchr(version, '\n') + 1;
    const char *host = strstr(request, "\r\nHost: ");
    block->size = 0;
    put_field(block, ":method", 7, request, (size_t)(target - 1 - request));
    put_field(block, ":scheme", 7, "http", 4);
    put_field(block, ":path", 5, target, (size_t)(version - target));
    if (host != NULL) {
        put_field(block, ":authority", 10, host + 8, strcspn(host + 8, "\r"));
    }
    while (line[0] != '\r') {
        const char *colon = strchr(line, ':');
        const char *value = colon + 1 + (colon[1] == ' ');
        size_t size = (size_t)(colon - line);
        if (!is_of_connection(line, size) && strncasecmp(line, "host", size) != 0) {
            put_field(block, line, size, value, strcspn(value, "\r"));
        }
        line = strchr(line, '\n') + 1;
    }
    return line + 2;
}

uint32_t h2_ask(struct h2_talk *h2, const char *request) {
    struct block block;
    const char *body = put_head(&block, request);
    char *plain = malloc(strlen(body) + 1);
    size_t size = 0;
    uint32_t stream = h2->next_stream;
    h2->next_stream += 2;
    if (strstr(request, "chunked") != NULL) {
        size_t chunk;
        char *end;
        while ((chunk = strtoul(body, &end, 16)) > 0) {
            memcpy(plain + size, end + 2, chunk);
            size += chunk;
            body = end + 2 + chunk + 2;
        }
    } else {
        size = strlen(body);
        memcpy(plain, body, size);
    }
    h2_send_frame(h2, H2_HEADERS, H2_END_HEADERS | (size == 0 ? H2_END_STREAM : 0), stream,
                  block.bytes, block.size);
    for (size_t sent = 0; sent < size;) {
        size_t part = size - sent < DATA_MAX ? size - sent : DATA_MAX;
        h2_send_frame(h2, H2_DATA, sent + part == size ? H2_END_STREAM : 0, stream, plain + sent,
                      part);
        sent += part;
    }
    free(plain);
    return stream;
}

/* ---- answers ---- */

static void read_head(struct h2_talk *h2, struct answer *answer) {
    unsigned char *at = h2->frame.payload;
    size_t left = h2->frame.size;
    size_t size = strlen(answer->head);
    for (;;) {
        nghttp2_nv pair;
        int flags = 0;
        ssize_t done = nghttp2_hd_inflate_hd2(h2->inflater, &pair, &flags, at, left, 1);
        assert_true(done >= 0);
        at += done;
        left -= (size_t)done;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            if (strcmp((const char *)pair.name, ":status") == 0) {
                answer->status = atoi((const char *)pair.value);
            }
            size += (size_t)snprintf(answer->head + size, sizeof answer->head - size, "%s: %s\r\n",
                                     (const char *)pair.name, (const char *)pair.value);
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(h2->inflater);
            return;
        }
    }
}

static void open_window(struct h2_talk *h2, uint32_t stream, size_t size) {
    const unsigned char more[4] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16),
                                   (unsigned char)(size >> 8), (unsigned char)size};
    h2_send_frame(h2, H2_WINDOW, 0, 0, more, 4);
    h2_send_frame(h2, H2_WINDOW, 0, stream, more, 4);
}

void h2_answer(struct h2_talk *h2, uint32_t stream, struct answer *answer) {
    memset(answer, 0, sizeof *answer);
    for (;;) {
        if (!h2_read_frame(h2)) {
            harness_fail("the connection ends before the answer does");
        }
        const struct h2_frame *frame = &h2->frame;
        if (frame->type == H2_GOAWAY && h2_number(h2, 4) != 0) {
            harness_fail("GOAWAY %u before the answer", h2_number(h2, 4));
        }
        if (frame->stream != stream) {
            /* Of the connection, or the end of a body that nobody waits for any more. */
            assert_true(frame->stream == 0 || frame->type == H2_RST);
            continue;
        }
        if (frame->type == H2_RST) {
            harness_fail("the stream is given up: %u", h2_number(h2, 0));
        } else if (frame->type == H2_HEADERS) {
            answer->status = 0;
            answer->head[0] = '\0';
            read_head(h2, answer);
        } else if (frame->type == H2_DATA) {
            assert_true(answer->body_size + frame->size < ANSWER_SIZE);
            memcpy(answer->body + answer->body_size, frame->payload, frame->size);
            answer->body_size += frame->size;
            if (frame->size > 0) {
                open_window(h2, stream, frame->size);
            }
        }
        if ((frame->type == H2_HEADERS || frame->type == H2_DATA) && frame->flags & H2_END_STREAM) {
            return;
        }
    }
}

#endif
