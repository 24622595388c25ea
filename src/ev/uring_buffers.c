/* uring_buffers: growing, the ring, and the streams' queues. Empty without liburing. */
#include "ev/uring_buffers.h"

#ifdef LARDER_IO_URING
#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/mem.h"

static_assert(URING_BUFFERS_FIRST << 15 >= URING_BUFFERS_MAX, "the blocks suffice");
static_assert(URING_BUFFERS_MAX < URING_NO_BUFFER, "an index is never URING_NO_BUFFER");
static_assert(URING_BUFFER_SIZE <= UINT16_MAX, "a note can say how full a buffer is");

#define RING_SIZE (URING_BUFFERS_MAX * sizeof(struct io_uring_buf))

/* Block 0 holds the first buffers, block n as many as all before it. */
static int block_of(int index) {
    unsigned doublings = (unsigned)index / URING_BUFFERS_FIRST;
    return doublings == 0 ? 0 : 32 - __builtin_clz(doublings);
}

static int block_first(int block) {
    return block == 0 ? 0 : URING_BUFFERS_FIRST << (block - 1);
}

static size_t block_size(int block) {
    int count = block == 0 ? URING_BUFFERS_FIRST : block_first(block);
    return (size_t)count * URING_BUFFER_SIZE;
}

static char *bytes_of_buffer(const struct uring_buffers *buffers, uint16_t index) {
    int block = block_of(index);
    return buffers->memory[block] + (size_t)(index - block_first(block)) * URING_BUFFER_SIZE;
}

static void put(struct uring_buffers *buffers, uint16_t index) {
    io_uring_buf_ring_add(buffers->ring, bytes_of_buffer(buffers, index), URING_BUFFER_SIZE, index,
                          io_uring_buf_ring_mask(URING_BUFFERS_MAX), buffers->returned);
    buffers->returned++;
}

void uring_buffer_drop(struct uring_buffers *buffers, uint16_t index) {
    put(buffers, index);
}

void uring_buffers_publish(struct uring_buffers *buffers) {
    if (buffers->returned > 0) {
        io_uring_buf_ring_advance(buffers->ring, buffers->returned);
        buffers->returned = 0;
    }
}

bool uring_buffers_grow(struct uring_buffers *buffers) {
    if (buffers->count == URING_BUFFERS_MAX) {
        return false;
    }
    int block = block_of(buffers->count);
    buffers->memory[block] = mem_try_alloc(MEM_ARENA, block_size(block));
    if (buffers->memory[block] == NULL) {
        return false;
    }
    int count = buffers->count == 0 ? URING_BUFFERS_FIRST : buffers->count * 2;
    while (buffers->count < count) {
        put(buffers, (uint16_t)buffers->count++);
    }
    return true;
}

int uring_buffers_init(struct uring_buffers *buffers, struct io_uring *ring) {
    void *at = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    struct io_uring_buf_reg request = {.ring_addr = (uint64_t)(uintptr_t)at,
                                       .ring_entries = URING_BUFFERS_MAX};
    int result = io_uring_register_buf_ring(ring, &request, 0);
    if (result < 0) {
        munmap(at, RING_SIZE);
        return result;
    }
    *buffers = (struct uring_buffers){.ring = at};
    io_uring_buf_ring_init(buffers->ring);
    if (!uring_buffers_grow(buffers)) {
        uring_buffers_clear(buffers);
        return -ENOMEM;
    }
    return 0;
}

void uring_buffers_clear(struct uring_buffers *buffers) {
    for (int block = 0; block < (int)(sizeof buffers->memory / sizeof buffers->memory[0]);
         block++) {
        if (buffers->memory[block] != NULL) {
            mem_free(MEM_ARENA, buffers->memory[block], block_size(block));
        }
    }
    munmap(buffers->ring, RING_SIZE);
}

/* Queues. */

void uring_queue_add(struct uring_queue *queue, struct uring_buffers *buffers, uint16_t index,
                     size_t size) {
    debug_check(size > 0 && size <= URING_BUFFER_SIZE);
    buffers->notes[index] = (struct uring_note){.next = URING_NO_BUFFER, .size = (uint16_t)size};
    if (queue->first == URING_NO_BUFFER) {
        queue->first = index;
        queue->from = 0;
    } else {
        buffers->notes[queue->last].next = index;
    }
    queue->last = index;
    queue->count++;
    buffers->held++;
}

static void drop_first(struct uring_queue *queue, struct uring_buffers *buffers) {
    uint16_t index = queue->first;
    queue->first = buffers->notes[index].next;
    queue->from = 0;
    queue->count--;
    buffers->held--;
    put(buffers, index);
}

static void drop_aside(struct uring_queue *queue) {
    mem_free(MEM_BUFFER, queue->aside, queue->aside_size);
    queue->aside = NULL;
}

static size_t take_aside(struct uring_queue *queue, char *at, size_t size) {
    size_t left = queue->aside_size - queue->aside_from;
    size_t some = left < size ? left : size;
    memcpy(at, queue->aside + queue->aside_from, some);
    queue->aside_from += (uint32_t)some;
    if (queue->aside_from == queue->aside_size) {
        drop_aside(queue);
    }
    return some;
}

size_t uring_queue_take(struct uring_queue *queue, struct uring_buffers *buffers, char *at,
                        size_t size, bool *was_full) {
    size_t taken = 0;
    if (UNLIKELY(queue->aside != NULL)) {
        taken = take_aside(queue, at, size);
    }
    while (queue->first != URING_NO_BUFFER && taken < size) {
        size_t filled = buffers->notes[queue->first].size;
        size_t left = filled - queue->from;
        size_t some = left < size - taken ? left : size - taken;
        memcpy(at + taken, bytes_of_buffer(buffers, queue->first) + queue->from, some);
        taken += some;
        if (some == left) {
            *was_full = filled == URING_BUFFER_SIZE;
            drop_first(queue, buffers);
        } else {
            queue->from = (uint16_t)(queue->from + some);
        }
    }
    return taken;
}

static size_t queue_size(const struct uring_queue *queue, const struct uring_buffers *buffers) {
    size_t size = queue->aside == NULL ? 0 : queue->aside_size - queue->aside_from;
    for (uint16_t index = queue->first; index != URING_NO_BUFFER;
         index = buffers->notes[index].next) {
        size += buffers->notes[index].size;
    }
    return queue->first == URING_NO_BUFFER ? size : size - queue->from;
}

void uring_queue_detach(struct uring_queue *queue, struct uring_buffers *buffers,
                        struct loop_kept *kept) {
    size_t size = queue_size(queue, buffers);
    if (size > 0) {
        bool was_full;
        kept->bytes = mem_alloc(MEM_BUFFER, size);
        kept->size = uring_queue_take(queue, buffers, kept->bytes, size, &was_full);
    }
    debug_check(uring_queue_is_empty(queue));
}

void uring_queue_attach(struct uring_queue *queue, const struct loop_kept *kept) {
    check(kept->size <= UINT32_MAX && uring_queue_is_empty(queue));
    queue->aside = kept->bytes;
    queue->aside_size = (uint32_t)kept->size;
    queue->aside_from = 0;
}

void uring_queue_set_aside(struct uring_queue *queue, struct uring_buffers *buffers) {
    if (queue->first != URING_NO_BUFFER) {
        struct loop_kept kept = {0};
        uring_queue_detach(queue, buffers, &kept);
        uring_queue_attach(queue, &kept);
    }
}

void uring_queue_clear(struct uring_queue *queue, struct uring_buffers *buffers) {
    while (queue->first != URING_NO_BUFFER) {
        drop_first(queue, buffers);
    }
    if (queue->aside != NULL) {
        drop_aside(queue);
    }
}
#endif
