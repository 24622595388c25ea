/* client: a connection through hiredis, as a program in C would use it, with replies as text that
 * can be compared. hiredis of Debian 12 speaks protocol 2 only; protocol 3 is for wire.h. */
#ifndef LARDER_TESTS_INTEGRATION_CLIENT_H
#define LARDER_TESTS_INTEGRATION_CLIENT_H

#include "harness.h"

#include <hiredis/hiredis.h>

/* Connects; free with redisFree. */
redisContext *client_connect(const struct server *server);

/* Sends a command in hiredis's format and returns the reply as canonical text (see wire.h; both
 * nils are `nil`). To be freed. Fails the test when the connection breaks. */
char *client_command(redisContext *context, const char *format, ...);

/* The same, and compares with what is expected. */
void client_expect(redisContext *context, const char *expected, const char *format, ...);

/* A reply as canonical text; to be freed. */
char *client_text(const redisReply *reply);

#endif
