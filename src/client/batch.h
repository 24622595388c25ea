/* batch: the unit of work: all the requests that one pass of the event loop found, from all
 * connections, taken through read, parse, plan, execute, reply, flush.
 *
 *     arena     |GET k1 GET k2 |SET k v|...            one read after another, 64-byte aligned
 *     slices    |GET|k1|GET|k2|SET|k|v|...             arguments, pointing into the arena
 *     requests  |0      |1      |2    |...             one line each: client, slices, command, hash
 *
 * A batch runs when the arena is full, or when the pass has no more ready sockets. Running it is a
 * few straight loops over strips of requests: hash the first key and ask for its bucket; find the
 * tags that match and ask for the entry; execute. So the memory's latency for one request is hidden
 * behind the others.
 *
 * Requests of one connection are adjacent and in order; its replies are contiguous in the reply
 * arena and go out with one send.
 *
 * A batch belongs to the I/O thread that fills it (client/io_thread.h). Where that is the executing
 * thread too, batch_run does all at once, and flushes between while replies are in the cache. Else
 * the batch travels: batch_execute runs in the executing thread, batch_finish in its own again.
 *
 * Fairness: a connection is read once a pass, 64 KiB at most, and a pass ends with about 2000
 * requests. When requests are so heavy that this would take more than a millisecond, by what the
 * last ones took, a connection has a first turn of a few microseconds; what is left of its pipeline
 * waits in its input for longer turns behind everybody's first, and its replies wait until all of
 * it is done. Where requests turn out heavier than foreseen, what is left after half a millisecond
 * waits likewise. Less is read at a time then, and only some connections are cut at once. So
 * whoever sends little does not wait for the whole pipelines of those who send much. When a
 * connection has produced a megabyte of replies that its socket does not take, its further requests
 * are put back into its input and it is not read until it has taken them.
 *
 * The batch owns arena, slices, requests and the reply; it holds pointers to clients, which are not
 * freed before it is empty again. */
#ifndef LARDER_CLIENT_BATCH_H
#define LARDER_CLIENT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct batch;
struct client;
struct clients;
struct io_thread;

struct batch *batch_new(struct io_thread *thread);
void batch_free(struct batch *batch);

/* The client's socket is readable: reads, parses, adds the requests. The batch must have room. */
void batch_read(struct batch *batch, struct client *client);

/* The same while the client is held: what comes stays in its input, unparsed, and its end is
 * noticed. batch_keeps_held: whether there is room for more of it. */
void batch_read_held(struct batch *batch, struct client *client);
bool batch_keeps_held(const struct client *client);

/* Parses on in what the client has left over (after a pause, or behind a full reply). The batch
 * must have room. */
void batch_resume(struct batch *batch, struct client *client);

/* Whether there is room for another read. */
bool batch_has_room(const struct batch *batch);

/* Whether enough has been gathered for one pass: the sockets that have not been read have their
 * turn in the next one, so that a pass stays below a millisecond however many pipelines there
 * are. */
bool batch_is_full(const struct batch *batch);

bool batch_is_empty(const struct batch *batch);

/* Executes, flushes and empties it, where it was filled. */
void batch_run(struct batch *batch);

/* Plans and executes all that has been gathered; the replies are in the batch then. */
void batch_execute(struct batch *batch);

/* Sends the replies, gives the connections back what was not executed, and is empty again. */
void batch_finish(struct batch *batch);

/* A message is about to be queued for this client: sends the replies of the batch that must come
 * before it, if there are any. Not for the client whose command is running. */
void batch_settle(struct clients *clients, struct client *client);

/* If that client's command is running, puts the message into its replies (see client_send) and says
 * so. */
bool batch_message(struct clients *clients, const struct client *client, struct bytes message,
                   bool behind);

#endif
