/* shared: blocks and the log that fills them. */
#include "client/shared.h"

#include "base/check.h"
#include "base/mem.h"

#define BLOCK_CAPACITY (SHARED_BLOCK_SIZE - sizeof(struct shared_block))

static struct shared_block *block_new(size_t capacity) {
    struct shared_block *block = mem_try_alloc(MEM_BUFFER, sizeof(struct shared_block) + capacity);
    if (block != NULL) {
        atomic_init(&block->references, 1);
        block->used = 0;
        block->capacity = capacity;
    }
    return block;
}

void shared_release(struct shared_block *block) {
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        mem_free(MEM_BUFFER, block, sizeof *block + block->capacity);
    }
}

char *shared_log_room(struct shared_log *log, size_t size) {
    struct shared_block *block = log->block;
    if (LIKELY(block != NULL)) {
        if (atomic_load_explicit(&block->references, memory_order_acquire) == 1) {
            block->used = 0;
        }
        if (LIKELY(block->capacity - block->used >= size)) {
            return block->bytes + block->used;
        }
    }
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    struct shared_block *fresh = block_new(size > BLOCK_CAPACITY ? size : BLOCK_CAPACITY);
    if (fresh == NULL) {
        return NULL;
    }
    shared_log_clear(log);
    log->block = fresh;
    return fresh->bytes;
}

struct shared_run shared_log_take(struct shared_log *log, const char *end) {
    struct shared_block *block = log->block;
    struct shared_run run = {
        .block = block, .from = block->used, .to = (size_t)(end - block->bytes)};
    check(run.to >= run.from && run.to <= block->capacity);
    block->used = run.to;
    if (block->capacity > BLOCK_CAPACITY) {
        /* A large one serves once: the run gets the log's reference. */
        log->block = NULL;
    } else {
        shared_hold(block);
    }
    return run;
}

void shared_log_clear(struct shared_log *log) {
    if (log->block != NULL) {
        shared_release(log->block);
        log->block = NULL;
    }
}
