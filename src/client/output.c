/* output: a queue of blocks, sent from the front.
 *
 *     first -> [sent|to send|room] -> [blob piece] -> [to send|room] <- last
 *
 * A block holds bytes of its own or refers to a part of a blob. Appended bytes fill the last
 * block's room before a new block is taken, so many small replies share one. A blob's rest that is
 * shorter than a block is copied, so that a few bytes do not keep a large value alive.
 *
 * Invariants: 1. no block is empty: what has been sent whole is freed at once; 2. size is the sum
 * over the blocks; 3. footprint is what the blocks take from the allocator, blobs included, because
 * this queue may be what keeps them. */
#include "client/output.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>

#include "base/check.h"
#include "base/mem.h"

/* Pieces handed to one writev: a reply of many large values is some header and blob pairs; longer
 * vectors cost the kernel more to copy in than they save. */
#define SEND_PIECES 64

struct output_block {
    struct output_block *next;
    const char *at;    /* first byte to send */
    size_t size;       /* bytes to send */
    struct blob *blob; /* where they are, one reference held; NULL: in bytes */
    size_t capacity;   /* of bytes */
    char bytes[];
};

void output_init(struct output *output) {
    *output = (struct output){0};
}

static size_t block_footprint(const struct output_block *block) {
    return mem_class(sizeof *block + block->capacity) +
           (block->blob != NULL ? blob_footprint(block->blob) : 0);
}

static struct output_block *add_block(struct output *output, size_t capacity, struct blob *blob) {
    struct output_block *block = mem_alloc(MEM_BUFFER, sizeof *block + capacity);
    *block = (struct output_block){.at = block->bytes, .blob = blob, .capacity = capacity};
    if (output->last == NULL) {
        output->first = block;
    } else {
        output->last->next = block;
    }
    output->last = block;
    output->footprint += block_footprint(block);
    return block;
}

static void drop_first(struct output *output) {
    struct output_block *block = output->first;
    output->first = block->next;
    if (output->first == NULL) {
        output->last = NULL;
    }
    output->footprint -= block_footprint(block);
    if (block->blob != NULL) {
        blob_release(block->blob);
    }
    mem_free(MEM_BUFFER, block, sizeof *block + block->capacity);
}

void output_clear(struct output *output) {
    while (output->first != NULL) {
        drop_first(output);
    }
    output->size = 0;
    debug_check(output->footprint == 0);
}

size_t output_block_count(const struct output *output) {
    size_t count = 0;
    for (const struct output_block *block = output->first; block != NULL; block = block->next) {
        count++;
    }
    return count;
}

/* Bytes that can be added behind those of the block. */
static size_t block_room(const struct output_block *block) {
    if (block->blob != NULL) {
        return 0;
    }
    return block->capacity - (size_t)(block->at - block->bytes) - block->size;
}

void output_append(struct output *output, const void *at, size_t size) {
    const char *from = at;
    output->size += size;
    if (output->last != NULL && size > 0) {
        struct output_block *block = output->last;
        size_t room = block_room(block);
        size_t part = size < room ? size : room;
        memcpy(block->bytes + (block->at - block->bytes) + block->size, from, part);
        block->size += part;
        from += part;
        size -= part;
    }
    if (size > 0) {
        size_t usual = OUTPUT_BLOCK_SIZE - sizeof(struct output_block);
        struct output_block *block = add_block(output, size > usual ? size : usual, NULL);
        memcpy(block->bytes, from, size);
        block->size = size;
    }
}

void output_append_blob(struct output *output, struct blob *blob, const char *at, size_t size) {
    if (size < OUTPUT_BLOCK_SIZE) {
        output_append(output, at, size);
        return;
    }
    struct output_block *block = add_block(output, 0, blob_hold(blob));
    block->at = at;
    block->size = size;
    output->size += size;
}

static void consume(struct output *output, size_t sent) {
    output->size -= sent;
    while (sent > 0) {
        struct output_block *block = output->first;
        if (sent < block->size) {
            block->at += sent;
            block->size -= sent;
            return;
        }
        sent -= block->size;
        drop_first(output);
    }
}

/* One write of what is in front, at most `max` bytes; *asked is how many those were. */
static ssize_t send_front(const struct output *output, struct transport *transport, size_t max,
                          size_t *asked) {
    struct iovec pieces[SEND_PIECES];
    int count = 0;
    *asked = 0;
    for (struct output_block *block = output->first;
         block != NULL && count < SEND_PIECES && *asked < max; block = block->next) {
        size_t size = block->size < max - *asked ? block->size : max - *asked;
        pieces[count].iov_base = (void *)(uintptr_t)block->at;
        pieces[count].iov_len = size;
        count++;
        *asked += size;
    }
    if (count == 1) {
        return transport_write(transport, pieces[0].iov_base, pieces[0].iov_len);
    }
    return transport_writev(transport, pieces, count);
}

ssize_t output_send(struct output *output, struct transport *transport, size_t max) {
    size_t sent = 0;
    if (max > SSIZE_MAX) {
        max = SSIZE_MAX;
    }
    while (output->size > 0 && sent < max) {
        size_t asked;
        ssize_t moved = send_front(output, transport, max - sent, &asked);
        if (moved == -EAGAIN || moved == -EINTR) {
            break;
        }
        if (moved < 0) {
            return moved;
        }
        consume(output, (size_t)moved);
        sent += (size_t)moved;
        if ((size_t)moved < asked) {
            break; /* the socket is full: another write would only say so */
        }
    }
    return (ssize_t)sent;
}
