/* backlog: see the header. */
#include "persist/backlog.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define CAPACITY_MIN 8

void backlog_init(struct backlog *backlog, uint64_t offset) {
    *backlog = (struct backlog){.start = offset, .end = offset};
}

static struct backlog_piece *piece_at(const struct backlog *backlog, size_t index) {
    return &backlog->pieces[(backlog->first + index) & (backlog->capacity - 1)];
}

static size_t piece_size(const struct backlog_piece *piece) {
    return piece->run.to - piece->run.from;
}

static void drop_first(struct backlog *backlog) {
    struct backlog_piece *piece = piece_at(backlog, 0);
    backlog->start += piece_size(piece);
    shared_release(piece->run.block);
    backlog->first = (backlog->first + 1) & (backlog->capacity - 1);
    backlog->count--;
}

void backlog_clear(struct backlog *backlog) {
    while (backlog->count > 0) {
        drop_first(backlog);
    }
    shared_log_clear(&backlog->log);
    mem_free(MEM_BUFFER, backlog->pieces, backlog->capacity * sizeof *backlog->pieces);
    backlog_init(backlog, backlog->end);
}

/* Room for one piece more. */
static bool grow(struct backlog *backlog) {
    if (LIKELY(backlog->count < backlog->capacity)) {
        return true;
    }
    size_t capacity = backlog->capacity == 0 ? CAPACITY_MIN : backlog->capacity * 2;
    struct backlog_piece *pieces = mem_try_alloc(MEM_BUFFER, capacity * sizeof *pieces);
    if (pieces == NULL) {
        return false;
    }
    for (size_t i = 0; i < backlog->count; i++) {
        pieces[i] = *piece_at(backlog, i);
    }
    mem_free(MEM_BUFFER, backlog->pieces, backlog->capacity * sizeof *pieces);
    backlog->pieces = pieces;
    backlog->capacity = capacity;
    backlog->first = 0;
    return true;
}

bool backlog_append(struct backlog *backlog, struct bytes bytes) {
    if (bytes.size == 0) {
        return true;
    }
    char *room = grow(backlog) ? shared_log_room(&backlog->log, bytes.size) : NULL;
    if (UNLIKELY(room == NULL)) {
        return false;
    }
    memcpy(room, bytes.at, bytes.size);
    struct shared_run run = shared_log_take(&backlog->log, room + bytes.size);
    struct backlog_piece *last = backlog->count > 0 ? piece_at(backlog, backlog->count - 1) : NULL;
    if (LIKELY(last != NULL && last->run.block == run.block && last->run.to == run.from)) {
        last->run.to = run.to;
        shared_release(run.block);
    } else {
        backlog->count++;
        *piece_at(backlog, backlog->count - 1) =
            (struct backlog_piece){.run = run, .offset = backlog->end};
    }
    backlog->end += bytes.size;
    return true;
}

void backlog_trim(struct backlog *backlog, size_t size, uint64_t keep) {
    while (backlog->count > 1) {
        uint64_t left = backlog_size(backlog) - piece_size(piece_at(backlog, 0));
        if (left < size || backlog->end - left > keep) {
            return;
        }
        drop_first(backlog);
    }
}

struct shared_run backlog_run(const struct backlog *backlog, uint64_t offset) {
    check(offset >= backlog->start && offset < backlog->end);
    size_t low = 0; /* the piece at `low` begins at the offset or before, that at `high` behind */
    size_t high = backlog->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (piece_at(backlog, middle)->offset <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct backlog_piece *piece = piece_at(backlog, low);
    struct shared_run run = piece->run;
    run.from += offset - piece->offset;
    return run;
}

void backlog_validate(const struct backlog *backlog) {
    uint64_t offset = backlog->start;
    for (size_t i = 0; i < backlog->count; i++) {
        const struct backlog_piece *piece = piece_at(backlog, i);
        check(piece->offset == offset && piece_size(piece) > 0);
        check(piece->run.to <= piece->run.block->used);
        offset += piece_size(piece);
    }
    check(offset == backlog->end && backlog->count <= backlog->capacity);
}
