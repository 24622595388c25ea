/* output: what waits for a connection's socket. A queue of blocks that the client owns, and behind
 * them at most one run of shared bytes (client/shared.h), which messages of the running pass make
 * longer. Empty, and without memory, for every client that reads its replies.
 *
 * Bytes are copied into blocks of OUTPUT_BLOCK_SIZE; values, and a large part of what a reply was
 * made in, are held by reference. Shared bytes count for each who holds them. */
#ifndef LARDER_CLIENT_OUTPUT_H
#define LARDER_CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "client/shared.h"
#include "ds/blob.h"
#include "net/transport.h"

#ifdef LARDER_TEST_SMALL
#define OUTPUT_BLOCK_SIZE 80
#else
#define OUTPUT_BLOCK_SIZE 16384
#endif

struct output_block;

struct output {
    struct output_block *first;
    struct output_block *last;
    size_t size;           /* bytes to send */
    size_t footprint;      /* bytes held for them, shared blobs and runs included */
    struct shared_run run; /* behind the blocks; no block: none */
    bool waits;            /* the socket did not take all when it was last asked */
};

void output_init(struct output *output);
void output_clear(struct output *output);

static inline bool output_is_empty(const struct output *output) {
    return output->size == 0;
}

/* Pieces in the queue. Costs a walk. */
size_t output_block_count(const struct output *output);

void output_append(struct output *output, const void *at, size_t size);
/* Bytes at `at` that lie in the blob: takes a reference of its own, or copies them when they are a
 * small part of it. */
void output_append_blob(struct output *output, struct blob *blob, const char *at, size_t size);

/* Shared bytes, with a reference of its own. extend does it when they follow those that came last,
 * which is the common case, and says whether it did. */
void output_append_run(struct output *output, const struct shared_run *run);

static inline bool output_extend_run(struct output *output, const struct shared_run *run) {
    if (output->run.block != run->block || output->run.to != run->from) {
        return false;
    }
    size_t size = run->to - run->from;
    output->run.to = run->to;
    output->size += size;
    output->footprint += size;
    return true;
}

/* Moves all of `more` behind what `output` has; `more` is empty then. */
void output_take(struct output *output, struct output *more);

/* Calls for each run of bytes, in order. */
void output_visit(const struct output *output, void (*visit)(void *context, struct bytes bytes),
                  void *context);

/* The first pieces, `max` of them at most and not beyond `size_max` bytes; *size gets how many
 * bytes they have. They stay until something is sent or cleared. */
int output_front(const struct output *output, struct iovec *pieces, int max, size_t size_max,
                 size_t *size);

/* So many bytes from the front have been sent, of so many that the socket was offered. */
void output_sent(struct output *output, size_t sent, size_t offered);

/* Sends as much as the socket takes, at most `max` bytes. Returns the bytes sent (0 when it takes
 * nothing), or -errno when the connection is broken. */
ssize_t output_send(struct output *output, struct transport *transport, size_t max);

#endif
