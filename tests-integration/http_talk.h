/* http_talk: a test's side of HTTP/1.1, in the clear or over TLS: sends bytes and reads answers.
 * Whatever goes wrong fails the running test. */
#ifndef LARDER_TESTS_INTEGRATION_HTTP_TALK_H
#define LARDER_TESTS_INTEGRATION_HTTP_TALK_H

#include "harness.h"

#define ANSWER_SIZE (256 * 1024)

struct secure_client;

struct talk {
    int fd;
    struct secure_client *secure; /* NULL: in the clear */
};

/* One answer: its head up to the empty line, and its body, chunks taken out. */
struct answer {
    int status;
    char head[8192];
    char body[ANSWER_SIZE];
    size_t body_size;
};

struct talk talk_open(int port);
/* Trusts the folder's authority (secure.h); where the tests were built with TLS. */
struct talk talk_open_secure(int port, const char *folder);
void talk_send(struct talk *talk, const void *at, size_t size);
void talk_read(struct talk *talk, void *at, size_t size);
void talk_expect_end(struct talk *talk);
void talk_close(struct talk *talk);

/* The next answer. */
void talk_answer(struct talk *talk, bool has_body, struct answer *answer);
/* The value of a field; NULL: it is not there. Valid until the next call. */
const char *answer_field(const struct answer *answer, const char *name);

#endif
