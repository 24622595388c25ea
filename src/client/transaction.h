/* transaction: what a client has queued between MULTI and EXEC, in one growing allocation.
 *
 *     +-------------+---------------------------------------------+-----------------------------+
 *     | transaction | queued 48 | args 16 each | blobs | bytes    | queued | args | blobs | ... |
 *     +-------------+---------------------------------------------+-----------------------------+
 *
 * Terms. A queued command is a command with its arguments, as it was when it passed all checks.
 * A bad transaction has met a command that was refused: EXEC will execute none of it.
 *
 * An argument refers to its bytes by their offset, for the allocation moves as it grows; EXEC turns
 * offsets into pointers once. A large argument stays in the blob that it was read into. The
 * arguments' hashes are kept, and EXEC asks for the keys of the commands that come next while it
 * executes one, as a batch does.
 *
 * Invariants: 1. a client has CLIENT_MULTI exactly when it has a transaction; 2. the flags are the
 * union of the queued commands' flags.
 *
 * The memory is a buffer of the connection: it counts for maxmemory-clients, and what is queued
 * may not be more than client-query-buffer-limit. A transaction that has ended leaves its
 * allocation for the next one, whoever begins that, unless it is large. */
#ifndef LARDER_CLIENT_TRANSACTION_H
#define LARDER_CLIENT_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/call.h"

struct client;
struct clients;

/* MULTI. The client must not have a transaction. */
void transaction_begin(struct client *client);

/* Queues the call. False when there is no memory for it, or when that would be more than a query
 * may take: then the client is being closed. */
bool transaction_queue(struct client *client, const struct call *call);

/* A command was refused. Nothing without a transaction. */
void transaction_spoil(struct client *client);
bool transaction_is_bad(const struct client *client);

/* Union of the queued commands' flags; 0 without a transaction. */
unsigned transaction_flags(const struct client *client);

/* Queued commands; -1 without a transaction. */
int64_t transaction_count(const struct client *client);

/* Bytes that the queue takes, blobs included. */
size_t transaction_footprint(const struct client *client);

/* EXEC: executes all that is queued, and replies an array of their replies. The transaction goes on
 * to be there. */
void transaction_execute(struct call *call);

/* EXEC and DISCARD, and the client's end: frees the queue, forgets what the client watches. */
void transaction_end(struct client *client);

/* What is kept for the next one goes. */
void transactions_free(struct clients *clients);

#endif
