/* h2_absent: what a program that was built without nghttp2 says of HTTP/2: no connection begins so,
 * and what a session is needed for is never called. */
#include "http/h2.h"

#ifdef LARDER_NO_HTTP2

#include "base/check.h"

struct h2_kit *h2_kit_new(void) {
    return NULL;
}

void h2_kit_free(struct h2_kit *kit) {
    check(kit == NULL);
}

bool h2_is_built(void) {
    return false;
}

enum h2_beginning h2_begins(const struct protocol_parse *parse) {
    (void)parse;
    return H2_NOT;
}

struct h2 *h2_new(struct http *http, struct client *client, int64_t now_ms) {
    (void)http;
    (void)client;
    (void)now_ms;
    return NULL;
}

void h2_free(struct h2 *h2) {
    check(h2 == NULL);
}

enum protocol_status h2_read(struct h2 *h2, struct protocol_parse *parse) {
    (void)parse;
    check(h2 == NULL);
    return PROTOCOL_END;
}

bool h2_wants_turn(const struct h2 *h2) {
    check(h2 == NULL);
    return false;
}

bool h2_overdue(struct h2 *h2, enum protocol_wait wait, int64_t now_ms, int64_t waited_ms,
                struct bytes *last_words) {
    (void)wait;
    (void)now_ms;
    (void)waited_ms;
    (void)last_words;
    check(h2 == NULL);
    return false;
}

bool h2_answer_begin(struct h2_answer *answer, struct h2 *h2, int32_t stream,
                     struct protocol_scratch *scratch) {
    (void)answer;
    (void)stream;
    (void)scratch;
    check(h2 == NULL);
    return false;
}

void h2_answer_end(struct h2_answer *answer, struct reply *out, bool is_last) {
    (void)out;
    (void)is_last;
    check(answer == NULL);
}

void h2_go_on(struct h2_answer *answer) {
    check(answer == NULL);
}

void h2_send(struct h2 *h2, struct reply *out) {
    (void)out;
    check(h2 == NULL);
}

#endif
