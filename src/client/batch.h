/* batch: the unit of work: all the requests that one pass of the event loop found, from all
 * connections, taken through read, parse, plan, execute, reply, flush.
 *
 *     arena     |GET k1 GET k2 |SET k v|...            one read after another, 64-byte aligned
 *     slices    |GET|k1|GET|k2|SET|k|v|...             arguments, pointing into the arena
 *     requests  |0      |1      |2    |...             one line each: client, slices, command, hash
 *
 * A batch runs when BATCH_REQUESTS requests have been gathered, or when the pass has no more ready
 * sockets. Running it is a few straight loops, each over all the requests: hash the first key and
 * ask for its bucket; find the tags that match and ask for the entry; execute. So the memory's latency
 * for one request is hidden behind the others.
 *
 * Requests of one connection are adjacent and in order; its replies are contiguous in the reply arena
 * and go out with one send.
 *
 * Fairness: a connection is read at most once a pass, BATCH_READ_SIZE bytes, and what it produces in one pass
 * is bounded by BATCH_REPLY_MAX: requests behind that point are put back into its input.
 *
 * The batch owns arena, slices, requests and the reply; it holds pointers to clients only within a pass. */
#ifndef LARDER_CLIENT_BATCH_H
#define LARDER_CLIENT_BATCH_H

#include <stddef.h>
#include <stdint.h>

struct batch;
struct client;
struct clients;

struct batch *batch_new(struct clients *clients);
void batch_free(struct batch *batch);

/* The client's socket is readable: reads, parses, adds the requests; runs the batch when it is full. */
void batch_read(struct batch *batch, struct client *client);

/* Parses on in what the client has left over (after a pause, or behind a full reply). */
void batch_resume(struct batch *batch, struct client *client);

/* Plans, executes and flushes all that has been gathered. */
void batch_run(struct batch *batch);

/* Bytes held by the batch's arenas. */
size_t batch_footprint(const struct batch *batch);

#endif
