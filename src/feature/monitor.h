/* monitor: connections that are shown every command which the server executes, as MONITOR asks.
 *
 * A line a command, in the form that tools read: time, database and peer, then the arguments
 * quoted. Administrative commands are not shown, and secrets are not written down
 * (feature/redact.h). While nobody watches, this costs nothing. */
#ifndef LARDER_FEATURE_MONITOR_H
#define LARDER_FEATURE_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "call/call.h"
#include "call/context.h"

struct client;
struct monitor;

/* Observes the calls of context->clients. */
struct monitor *monitor_new(struct context *context);
void monitor_free(struct monitor *monitor);

/* From the next command on the client gets the lines, until it goes or is reset. */
void monitor_add(struct monitor *monitor, struct client *client);

/* Shows a call at once, whatever its command's flags say: a script, which comes before what it
 * calls. */
void monitor_show(struct monitor *monitor, const struct call *call);

/* How many watch. */
size_t monitor_count(const struct monitor *monitor);

/* Appends the line that shows a call, with `+` and CR LF. `wall_us`: microseconds since 1970. */
void monitor_print(const struct call *call, int64_t wall_us, struct buffer *out);

#endif
