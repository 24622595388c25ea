/* session: a whole server inside a test program, without a process or a thread of its own: the test
 * takes it from pass to pass and talks to it over a unix socket, in inline commands. */
#ifndef LARDER_TESTS_SUPPORT_SESSION_H
#define LARDER_TESTS_SUPPORT_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/server.h"

/* The longest answer that session_ask gives. */
#define SESSION_ANSWER_SIZE (256 * 1024)

struct session {
    struct server server;
    char folder[64];
    int fd; /* a connection */
    char answer[SESSION_ANSWER_SIZE];
};

/* Starts with these words of a command line behind the usual ones; `options` ends with NULL, or is
 * NULL. */
struct session *session_start(const char *const *options);
/* Frees everything and fails the test when memory is left. */
void session_end(struct session *session);

/* Another connection; the test closes it. */
int session_connect(struct session *session);

/* Some passes of the loop, without waiting. */
void session_pass(struct session *session);

/* Sends a line and returns what comes back, NUL-terminated and valid until the next call. */
const char *session_ask(struct session *session, const char *line);
const char *session_ask_on(struct session *session, int fd, const char *line);

/* What has come without asking; "" when nothing has. */
const char *session_read(struct session *session, int fd);

/* Asks and compares. */
void session_expect(struct session *session, const char *line, const char *answer);

#endif
