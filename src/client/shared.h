/* shared: bytes that go to many connections and are kept once: messages of publish and subscribe.
 *
 * What is sent in one pass is encoded one piece behind the other into the block of a log. Each
 * receiver only notes which part of a block it is to get (struct shared_run), and a part that goes
 * on where its last one ended makes that one longer. So a hundred messages for fifty subscribers
 * are a hundred encodings, five thousand additions and fifty sends.
 *
 *     block  | header | message | message | message |  room  |
 *                     ^from      a run              ^to
 *
 * The log holds a reference to the block that it fills, each run one to its own. A block that
 * nobody but the log refers to is filled from its beginning again: while all receivers keep up, one
 * block stays in the cache and nothing is allocated.
 *
 * Invariants:
 * 1. bytes of a run never change while it holds its reference;
 * 2. used <= capacity, and each run ends at `used` or before. The count is atomic, since a
 *    connection may be another thread's. */
#ifndef LARDER_CLIENT_SHARED_H
#define LARDER_CLIENT_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes of a block: some hundred messages, and no more than the second-level cache can spare. What
 * does not fit gets a block of its own. */
#ifdef LARDER_TEST_SMALL
#define SHARED_BLOCK_SIZE 256
#else
#define SHARED_BLOCK_SIZE (64 * 1024)
#endif

struct shared_block {
    _Atomic uint32_t references;
    uint32_t unused;
    size_t used;
    size_t capacity; /* of bytes */
    char bytes[];
};

/* A part of a block, with one reference to it; none when block is NULL. */
struct shared_run {
    struct shared_block *block;
    size_t from;
    size_t to;
};

struct shared_log {
    struct shared_block *block; /* what is filled now; NULL: none */
};

static inline struct shared_block *shared_hold(struct shared_block *block) {
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return block;
}

/* Gives one reference back; the last one frees. */
void shared_release(struct shared_block *block);

static inline struct bytes shared_bytes(const struct shared_run *run) {
    return bytes_of(run->block->bytes + run->from, run->to - run->from);
}

/* Room for `size` bytes that lie together; NULL when there is no memory. The bytes written there
 * are taken with shared_log_take before the next call. */
char *shared_log_room(struct shared_log *log, size_t size);

/* What was written from the last room's beginning up to `end`, as a run of the caller. */
struct shared_run shared_log_take(struct shared_log *log, const char *end);

/* Frees what the log itself holds. */
void shared_log_clear(struct shared_log *log);

#endif
