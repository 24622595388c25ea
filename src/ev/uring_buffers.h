/* uring_buffers: the memory that io_uring receives into, shared by all streams of a loop.
 *
 *     ring (16 bytes for each buffer, read by the kernel)
 *     +----+----+----+----+--      the kernel takes from the front when bytes arrive for anybody,
 *     | 17 | 3  | 40 | 8  | ...    buffers that were emptied are put back behind
 *     +----+----+----+----+--
 *
 *     queue of a stream:  first -> 12 -> 5 -> 31 <- last      (linked through notes[])
 *
 * The kernel gets few buffers at first and twice as many whenever they have run out, so that a loop
 * with few busy connections goes round in memory that stays in the cache. What a burst of
 * connections has added is kept: 16 MiB at most.
 *
 * Invariants:
 * 1. each buffer is either the kernel's or in one stream's queue;
 * 2. `held` is how many are in queues. */
#ifndef LARDER_EV_URING_BUFFERS_H
#define LARDER_EV_URING_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ev/backend.h"

struct io_uring;
struct io_uring_buf_ring;

#ifdef LARDER_TEST_SMALL
#define URING_BUFFER_SIZE   64
#define URING_BUFFERS_FIRST 4
#define URING_BUFFERS_MAX   16
#else
/* A pipeline of some requests fits in. */
#define URING_BUFFER_SIZE   4096
#define URING_BUFFERS_FIRST 128
/* What one wait can bring for all connections together; a power of two. */
#define URING_BUFFERS_MAX   4096
#endif

#define URING_NO_BUFFER UINT16_MAX

struct uring_note {
    uint16_t next; /* in a stream's queue */
    uint16_t size; /* bytes received */
};

struct uring_buffers {
    struct io_uring_buf_ring *ring;
    char *memory[16]; /* one block for each doubling; the first has URING_BUFFERS_FIRST */
    struct uring_note notes[URING_BUFFERS_MAX];
    int count; /* that there are */
    int held;
    int returned; /* put into the ring and not shown to the kernel yet */
};

/* Registers the ring with the kernel as buffer group 0. 0 or -errno. */
int uring_buffers_init(struct uring_buffers *buffers, struct io_uring *ring);
/* After the io_uring has gone. */
void uring_buffers_clear(struct uring_buffers *buffers);

/* Adds buffers. False when there are as many as there may be. */
bool uring_buffers_grow(struct uring_buffers *buffers);

/* Gives one back at once: what it holds is for nobody. */
void uring_buffer_drop(struct uring_buffers *buffers, uint16_t index);

/* Shows the kernel what was returned: before each call to it. */
void uring_buffers_publish(struct uring_buffers *buffers);

/* What a stream has received: first the bytes that were set aside, then the queue of buffers. */
struct uring_queue {
    char *aside; /* NULL: nothing */
    uint32_t aside_size;
    uint32_t aside_from; /* taken already */
    uint16_t first;
    uint16_t last;
    uint16_t from;  /* of the first buffer, taken already */
    uint16_t count; /* of buffers */
};

static inline struct uring_queue uring_queue_empty(void) {
    return (struct uring_queue){.first = URING_NO_BUFFER, .last = URING_NO_BUFFER};
}

static inline bool uring_queue_is_empty(const struct uring_queue *queue) {
    return queue->first == URING_NO_BUFFER && queue->aside == NULL;
}

/* The kernel has filled a buffer for this stream. */
void uring_queue_add(struct uring_queue *queue, struct uring_buffers *buffers, uint16_t index,
                     size_t size);

/* Moves bytes to `at`, as many as there are or `size`; *was_full tells whether the last one that
 * was emptied had been full, so that there is probably more in the socket. */
size_t uring_queue_take(struct uring_queue *queue, struct uring_buffers *buffers, char *at,
                        size_t size, bool *was_full);

/* Gives the buffers back, keeping their bytes in memory of the stream's own. */
void uring_queue_set_aside(struct uring_queue *queue, struct uring_buffers *buffers);

/* To and from a stream that moves. The queue is empty afterwards, or was before. */
void uring_queue_detach(struct uring_queue *queue, struct uring_buffers *buffers,
                        struct loop_kept *kept);
void uring_queue_attach(struct uring_queue *queue, const struct loop_kept *kept);

void uring_queue_clear(struct uring_queue *queue, struct uring_buffers *buffers);

#endif
