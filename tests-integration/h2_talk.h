/* h2_talk: a test's side of HTTP/2. Frames as they are, for what a library would not send; and over
 * them requests written as those of HTTP/1.1, whose answers come as http_talk's. Where the tests
 * were built with nghttp2, whose decoder of heads is used. Whatever goes wrong fails the running
 * test. */
#ifndef LARDER_TESTS_INTEGRATION_H2_TALK_H
#define LARDER_TESTS_INTEGRATION_H2_TALK_H

#include "http_talk.h"

enum h2_type {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RST,
    H2_SETTINGS,
    H2_PUSH,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW,
    H2_CONTINUATION
};
#define H2_END_STREAM  1
#define H2_ACK         1
#define H2_END_HEADERS 4
#define H2_PADDED      8

#define H2_PAYLOAD_MAX 65536

struct h2_frame {
    int type;
    int flags;
    uint32_t stream;
    size_t size;
    unsigned char payload[H2_PAYLOAD_MAX];
};

struct nghttp2_hd_inflater;

struct h2_talk {
    struct talk talk;
    struct nghttp2_hd_inflater *inflater;
    uint32_t next_stream;
    struct h2_frame frame; /* that was read last */
};

/* Says the preface and empty settings; `talk` is the session's from now on. */
void h2_open(struct h2_talk *h2, struct talk talk);
void h2_close(struct h2_talk *h2);

void h2_send_frame(struct h2_talk *h2, int type, int flags, uint32_t stream, const void *at,
                   size_t size);
/* False at the end of the stream. */
bool h2_read_frame(struct h2_talk *h2);
/* Reads until a frame of this type comes; false when the stream ends before. */
bool h2_read_until(struct h2_talk *h2, int type);
/* The number at `at` of the last frame's payload. */
uint32_t h2_number(const struct h2_talk *h2, size_t at);

/* Sends a request of HTTP/1.1's form as a stream, whose number it returns. */
uint32_t h2_ask(struct h2_talk *h2, const char *request);
/* Reads frames until this stream's answer is whole; windows are opened as data comes. */
void h2_answer(struct h2_talk *h2, uint32_t stream, struct answer *answer);

#endif
