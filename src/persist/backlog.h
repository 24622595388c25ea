/* backlog: the last part of the stream that replicas follow, kept so that one whose link has broken
 * can go on where it was.
 *
 * Terms. An offset is how many bytes of the stream come before: who has read up to an offset wants
 * the byte that lies there. A piece is a run of shared bytes (client/shared.h).
 *
 *     start                                          end
 *       | piece      | piece      | piece      | piece |      the stream goes on here
 *       | 64 KiB     | 64 KiB     | one large  | room ->
 *                                               unit
 *
 * Each byte is stored once: connections to replicas hold references to the same blocks, so that ten
 * replicas cost hardly more than one. What is dropped at the start lives on in the connections that
 * still have to send it.
 *
 * Invariants: 1. pieces follow one another without a gap, from `start` to `end`; 2. the last piece
 * grows while the stream's next bytes fit into its block.
 *
 * Costs: a copy of the bytes, and no allocation but for one block in 64 KiB. Finding an offset is a
 * binary search over the pieces. It holds up to a block more than it is told to. */
#ifndef LARDER_PERSIST_BACKLOG_H
#define LARDER_PERSIST_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "client/shared.h"

struct backlog_piece {
    struct shared_run run;
    uint64_t offset; /* of its first byte */
};

struct backlog {
    struct shared_log log;
    struct backlog_piece *pieces; /* a ring; its capacity is a power of two, or 0 */
    size_t first;
    size_t count;
    size_t capacity;
    uint64_t start;
    uint64_t end;
};

/* An empty one, where the stream has come to that offset. */
void backlog_init(struct backlog *backlog, uint64_t offset);
void backlog_clear(struct backlog *backlog);

/* The stream goes on. False when there is no memory, and then nothing has changed. */
bool backlog_append(struct backlog *backlog, struct bytes bytes);

/* Drops whole pieces from the start as long as `size` bytes are left, but nothing from the offset
 * `keep` on. */
void backlog_trim(struct backlog *backlog, size_t size, uint64_t keep);

static inline uint64_t backlog_size(const struct backlog *backlog) {
    return backlog->end - backlog->start;
}

/* Whether who has read up to that offset can go on. */
static inline bool backlog_reaches(const struct backlog *backlog, uint64_t offset) {
    return offset >= backlog->start && offset <= backlog->end;
}

/* The bytes that lie together from an offset on, start <= offset < end, without a reference. */
struct shared_run backlog_run(const struct backlog *backlog, uint64_t offset);

/* Walks it and asserts the invariants. For tests. */
void backlog_validate(const struct backlog *backlog);

#endif
