/* output: a queue of blocks, sent from the front.
 *
 *     first -> [sent|to send|room] -> [blob piece] -> [to send|room] <- last, then run
 *
 * A block holds bytes of its own or refers to a part of a blob or of a shared block. Appended bytes
 * fill the last block's room before a new block is taken, so many small replies share one. Behind a
 * reference comes a small block first: between many values there are only some bytes each. What is
 * short and a small part of its blob is copied, so that a few bytes do not keep much memory alive.
 * Likewise the run: when something else comes behind it, it becomes a block that refers to it; but
 * if the socket is full, so that it may stay here for long, a run that is a small part of its
 * shared block is copied.
 *
 * Invariants:
 * 1. no block is empty: what has been sent whole is freed at once;
 * 2. size is the sum over the blocks and the run;
 * 3. footprint is what the blocks take from the allocator, blobs included, because this queue
 *    may be what keeps them, and of shared blocks the bytes of the run. */
#include "client/output.h"

#include <errno.h>
#include <limits.h>

#include "base/check.h"
#include "base/mem.h"

/* Pieces handed to one writev: a reply of many large values is some header and blob pairs; longer
 * vectors cost the kernel more to copy in than they save. */
#define SEND_PIECES 64
/* Bytes shorter than a block are copied, not referred to, when they are less than this part of
 * their blob; or so few that a reference would cost a tenth of them. */
#define COPIED_PART 4
#ifdef LARDER_TEST_SMALL
#define COPIED_MIN       32
#define SMALL_BLOCK_SIZE 64
#else
#define COPIED_MIN       1024
/* The block that comes behind a reference. */
#define SMALL_BLOCK_SIZE 128
#endif
/* A run that is less than this part of its shared block is copied when it has to wait: so a client
 * that is slow keeps at most so many times the memory that it accounts for. */
#define RUN_PART 4

struct output_block {
    struct output_block *next;
    const char *at;              /* first byte to send */
    size_t size;                 /* bytes to send */
    struct blob *blob;           /* where they are, one reference held; NULL: in bytes */
    struct shared_block *shared; /* or there, and then `capacity` is how much of it, at first */
    size_t capacity;             /* of bytes */
    char bytes[];
};

void output_init(struct output *output) {
    *output = (struct output){0};
}

/* What was asked of the allocator. */
static size_t block_room_taken(const struct output_block *block) {
    return sizeof *block + (block->shared != NULL ? 0 : block->capacity);
}

static size_t block_footprint(const struct output_block *block) {
    return mem_class(block_room_taken(block)) + (block->shared != NULL ? block->capacity : 0) +
           (block->blob != NULL ? blob_footprint(block->blob) : 0);
}

/* A block behind the others, as the template says. */
static struct output_block *add_block(struct output *output, const struct output_block *template) {
    struct output_block *block = mem_alloc(MEM_BUFFER, block_room_taken(template));
    *block = *template;
    if (block->at == NULL) {
        block->at = block->bytes;
    }
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
    if (block->shared != NULL) {
        shared_release(block->shared);
    }
    mem_free(MEM_BUFFER, block, block_room_taken(block));
}

/* Forgets the run without touching the size; its reference is given back or has gone elsewhere. */
static void forget_run(struct output *output) {
    output->footprint -= output->run.to - output->run.from;
    output->run = (struct shared_run){0};
}

static void drop_run(struct output *output) {
    struct shared_block *block = output->run.block;
    forget_run(output);
    shared_release(block);
}

void output_clear(struct output *output) {
    while (output->first != NULL) {
        drop_first(output);
    }
    if (output->run.block != NULL) {
        drop_run(output);
    }
    output->size = 0;
    output->waits = false;
    debug_check(output->footprint == 0);
}

size_t output_block_count(const struct output *output) {
    size_t count = 0;
    for (const struct output_block *block = output->first; block != NULL; block = block->next) {
        count++;
    }
    return count + (output->run.block != NULL ? 1 : 0);
}

/* Bytes that can be added behind those of the block. */
static size_t block_room(const struct output_block *block) {
    if (block->blob != NULL || block->shared != NULL) {
        return 0;
    }
    return block->capacity - (size_t)(block->at - block->bytes) - block->size;
}

/* Copies bytes behind the blocks; `size` of the queue is not the matter of this. */
static void copy_in(struct output *output, const char *from, size_t size) {
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
        bool behind_reference = output->last != NULL && output->last->blob != NULL;
        size_t usual =
            (behind_reference ? SMALL_BLOCK_SIZE : OUTPUT_BLOCK_SIZE) - sizeof(struct output_block);
        struct output_block *block =
            add_block(output, &(struct output_block){.capacity = size > usual ? size : usual});
        memcpy(block->bytes, from, size);
        block->size = size;
    }
}

/* The run becomes a block like others: something else comes behind it. */
static void seal_run(struct output *output) {
    struct shared_run run = output->run;
    size_t size = run.to - run.from;
    if (output->waits && size < run.block->capacity / RUN_PART) {
        copy_in(output, run.block->bytes + run.from, size);
        drop_run(output);
        return;
    }
    forget_run(output);
    add_block(output, &(struct output_block){.at = run.block->bytes + run.from,
                                             .size = size,
                                             .shared = run.block,
                                             .capacity = size});
}

void output_append(struct output *output, const void *at, size_t size) {
    if (UNLIKELY(output->run.block != NULL)) {
        seal_run(output);
    }
    output->size += size;
    copy_in(output, at, size);
}

void output_append_blob(struct output *output, struct blob *blob, const char *at, size_t size) {
    if (size < COPIED_MIN ||
        (size < OUTPUT_BLOCK_SIZE && size < blob_capacity(blob) / COPIED_PART)) {
        output_append(output, at, size);
        return;
    }
    if (UNLIKELY(output->run.block != NULL)) {
        seal_run(output);
    }
    add_block(output, &(struct output_block){.at = at, .size = size, .blob = blob_hold(blob)});
    output->size += size;
}

void output_append_run(struct output *output, const struct shared_run *run) {
    if (output_extend_run(output, run)) {
        return;
    }
    if (output->run.block != NULL) {
        seal_run(output);
    }
    shared_hold(run->block);
    output->run = *run;
    output->size += run->to - run->from;
    output->footprint += run->to - run->from;
}

void output_take(struct output *output, struct output *more) {
    if (more->size == 0) {
        return;
    }
    if (more->first == NULL && output_extend_run(output, &more->run)) {
        drop_run(more);
        more->size = 0;
        return;
    }
    if (output->run.block != NULL) {
        seal_run(output);
    }
    if (more->first != NULL) {
        if (output->last == NULL) {
            output->first = more->first;
        } else {
            output->last->next = more->first;
        }
        output->last = more->last;
    }
    output->run = more->run;
    output->size += more->size;
    output->footprint += more->footprint;
    output_init(more);
}

void output_visit(const struct output *output, void (*visit)(void *context, struct bytes bytes),
                  void *context) {
    for (const struct output_block *block = output->first; block != NULL; block = block->next) {
        visit(context, bytes_of(block->at, block->size));
    }
    if (output->run.block != NULL) {
        visit(context, shared_bytes(&output->run));
    }
}

static void consume(struct output *output, size_t sent) {
    output->size -= sent;
    while (sent > 0 && output->first != NULL) {
        struct output_block *block = output->first;
        if (sent < block->size) {
            block->at += sent;
            block->size -= sent;
            return;
        }
        sent -= block->size;
        drop_first(output);
    }
    if (sent > 0) {
        output->run.from += sent;
        output->footprint -= sent;
        if (output->run.from == output->run.to) {
            drop_run(output);
        }
    }
}

int output_front(const struct output *output, struct iovec *pieces, int max, size_t size_max,
                 size_t *size) {
    int count = 0;
    *size = 0;
    for (struct output_block *block = output->first;
         block != NULL && count < max && *size < size_max; block = block->next) {
        size_t part = block->size < size_max - *size ? block->size : size_max - *size;
        pieces[count].iov_base = (void *)(uintptr_t)block->at;
        pieces[count].iov_len = part;
        count++;
        *size += part;
    }
    if (output->run.block != NULL && count < max && *size < size_max) {
        /* The blocks ended before the vector did, so this is what comes next. */
        struct bytes rest = shared_bytes(&output->run);
        pieces[count].iov_base = (void *)(uintptr_t)rest.at;
        pieces[count].iov_len = rest.size < size_max - *size ? rest.size : size_max - *size;
        *size += pieces[count].iov_len;
        count++;
    }
    return count;
}

void output_sent(struct output *output, size_t sent, size_t offered) {
    consume(output, sent);
    output->waits = sent < offered;
}

/* One write of what is in front, at most `max` bytes; *asked is how many those were. */
static ssize_t send_front(const struct output *output, struct transport *transport, size_t max,
                          size_t *asked) {
    struct iovec pieces[SEND_PIECES];
    int count = output_front(output, pieces, SEND_PIECES, max, asked);
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
    output->waits = output->size > 0;
    return (ssize_t)sent;
}
