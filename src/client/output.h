/* output: what a connection's socket has not taken yet. A queue of blocks that the client owns;
 * empty, and without memory, for every client that reads its replies.
 *
 * Bytes are copied into blocks of at least OUTPUT_BLOCK_SIZE; blobs are held by reference. */
#ifndef LARDER_CLIENT_OUTPUT_H
#define LARDER_CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ds/blob.h"
#include "net/transport.h"

#ifdef LARDER_TEST_SMALL
#define OUTPUT_BLOCK_SIZE 64
#else
#define OUTPUT_BLOCK_SIZE 16384
#endif

struct output_block;

struct output {
    struct output_block *first;
    struct output_block *last;
    size_t size;      /* bytes to send */
    size_t footprint; /* bytes held for them, shared blobs included */
};

void output_init(struct output *output);
void output_clear(struct output *output);

static inline bool output_is_empty(const struct output *output) {
    return output->size == 0;
}

/* Blocks in the queue. Costs a walk. */
size_t output_block_count(const struct output *output);

void output_append(struct output *output, const void *at, size_t size);
/* blob bytes [from, from + size); takes a reference of its own. */
void output_append_blob(struct output *output, struct blob *blob, const char *at, size_t size);

/* Sends as much as the socket takes, at most `max` bytes. Returns the bytes sent (0 when it takes
 * nothing), or -errno when the connection is broken. */
ssize_t output_send(struct output *output, struct transport *transport, size_t max);

#endif
