/* h2: HTTP/2 on a connection of the HTTP front end: nghttp2's session between the connection's
 * bytes and the batch. A connection speaks it from its first byte on or never: agreed on inside TLS
 * or known before (RFC 9113, section 3).
 *
 *     bytes -> h2_read -> session -> streams whose request is whole -> requests of the batch
 *                                                                           | execute
 *     replies of the batch <- h2_send <- session <- h2_answer_end <- head and body aside
 *
 * The session belongs to whoever has the connection: its I/O thread while nothing of it is in
 * flight, the executing thread meanwhile. All that it says goes through the replies of a batch, so
 * that it is in order, and bounded as replies are: what must be said without a request (settings,
 * windows that opened) is a request of its own, EXCHANGE_SEND.
 *
 * A stream whose request comes in one piece and whose answer its peer takes at once has no memory
 * of ours. The others have a struct h2_stream: bodies on their way here, and what a window has no
 * room for on its way back. Both count as what the connection keeps (client->kept), which its
 * output limits bound; beyond what may wait for a socket, further requests wait.
 *
 * What a peer can do without asking for anything is counted, and refills with time: streams given
 * up, frames that say nothing, windows that open. Beyond that the connection ends
 * (ENHANCE_YOUR_CALM). */
#ifndef LARDER_HTTP_H2_H
#define LARDER_HTTP_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/exchange.h"

struct h2;
struct h2_kit;

/* What all sessions share; NULL: built without HTTP/2. */
struct h2_kit *h2_kit_new(void);
void h2_kit_free(struct h2_kit *kit);
bool h2_is_built(void);

/* Whether the connection begins as HTTP/2 does; MAYBE: so far. */
enum h2_beginning { H2_NOT, H2_MAYBE, H2_BEGINS };
enum h2_beginning h2_begins(const struct protocol_parse *parse);

/* NULL: there is no memory. */
struct h2 *h2_new(struct http *http, struct client *client, int64_t now_ms);
void h2_free(struct h2 *h2);

/* ---- in the I/O thread ---- */

enum protocol_status h2_read(struct h2 *h2, struct protocol_parse *parse);
bool h2_wants_turn(const struct h2 *h2);
bool h2_overdue(struct h2 *h2, enum protocol_wait wait, int64_t now_ms, int64_t waited_ms,
                struct bytes *last_words);

/* ---- in the executing thread ---- */

/* An answer on its way into a stream: its head as text, its body in `reply`. */
struct h2_answer {
    struct h2 *h2;
    int32_t stream;
    struct reply *reply;
    bool has_head;
    size_t head_size;
    char head[HEAD_ROOM];
};

/* False when the stream is gone, or has its answer. `scratch` is where the body goes. */
bool h2_answer_begin(struct h2_answer *answer, struct h2 *h2, int32_t stream,
                     struct protocol_scratch *scratch);
/* The answer, or a part of it, is there: goes to `out` as far as windows let it; `is_last`: there
 * is no further part. */
void h2_answer_end(struct h2_answer *answer, struct reply *out, bool is_last);
/* "100 Continue" */
void h2_go_on(struct h2_answer *answer);
/* All that the session has to say and may. */
void h2_send(struct h2 *h2, struct reply *out);

#endif
