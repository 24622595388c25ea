/* control: one question at a time over a connection: logging in, and what a server says of
 * itself. Nothing that is measured goes this way. */
#ifndef LARDER_LOAD_CONTROL_H
#define LARDER_LOAD_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "net/transport.h"

#define CONTROL_NAME_MAX 64

/* Sends the words, which end with NULL, and appends the reply as it came to `reply`. 0; -1 when the
 * connection fails, the server does not answer in time, or answers with an error: then `reply`
 * holds a sentence about it, with the server's words. */
int control_ask(struct transport *transport, const char *const *words, struct buffer *reply);

/* CPU time that the server says it has used, user and system, ns; -1 when it does not tell. How
 * much of it is user time, in `user_ns`, or -1. */
int64_t control_cpu_ns(struct transport *transport, int64_t *user_ns);

/* Whether the server says that it frees and moves nothing in the background, or says nothing of
 * it. */
bool control_is_at_rest(struct transport *transport);

/* The server's name and version by its INFO: "redis 7.0.15", "larder 0.1.0"; "" when it does not
 * tell. `out` has room for CONTROL_NAME_MAX bytes. */
void control_version(struct transport *transport, char *out);

#endif
