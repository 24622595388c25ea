/* id_index: items of one size in the order of their ids, 128-bit numbers that mostly grow: the
 * packs of a stream by their first id, what a consumer group has handed out by the id of the entry.
 *
 * Terms. An id is a time in milliseconds and a number among those of the same millisecond. A block
 * holds up to ID_BLOCK_ITEMS items next to each other; the directory lists the blocks in order.
 *
 *     index   directory, first, count ...
 *                |
 *                v first                        first + count
 *     | gap .... | id 16, block 8 | id 16, block 8 | ... room |
 *                           |
 *                           v          start          start + count
 *     block   | capacity 2 | start 2 | count 2 | gap | item | item | ... | room |
 *     item    | id 16 | what the owner keeps with it |
 *
 * An append writes behind the last item; a removal at the front moves `start`, and `first` when a
 * block has gone: those are what streams do all day, and they move nothing. Elsewhere an edit moves
 * the shorter side of one block.
 *
 * Invariants (id_index_validate checks them):
 * 1. Ids grow from item to item, within a block and from one to the next.
 * 2. No block is empty. The directory's id of a block is that of its first item.
 * 3. Two neighbours that a removal has left with ID_BLOCK_ITEMS / 2 items together or fewer are
 *    one block, so that blocks are a quarter full at least on average.
 * 4. A block that is not the only one has room for ID_BLOCK_ITEMS.
 *
 * Costs: finding is a binary search in the directory and one in a block. An edit in the middle
 * moves half a block at most, and every ID_BLOCK_ITEMS / 2 edits there a part of the directory, 24
 * bytes a block: 100 million items have a directory of 19 MB, whose middle takes a millisecond to
 * move. Who has more than that, edited in the middle, wants another level. */
#ifndef LARDER_DS_ID_INDEX_H
#define LARDER_DS_ID_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/sparse.h"

struct stream_id {
    uint64_t ms;
    uint64_t seq;
};

#define STREAM_ID_MIN ((struct stream_id){0, 0})
#define STREAM_ID_MAX ((struct stream_id){UINT64_MAX, UINT64_MAX})

/* < 0, 0, > 0. */
static inline int stream_id_compare(struct stream_id a, struct stream_id b) {
    if (a.ms != b.ms) {
        return a.ms < b.ms ? -1 : 1;
    }
    return (a.seq > b.seq) - (a.seq < b.seq);
}

static inline bool stream_id_less(struct stream_id a, struct stream_id b) {
    return a.ms != b.ms ? a.ms < b.ms : a.seq < b.seq;
}

static inline bool stream_id_is_zero(struct stream_id id) {
    return (id.ms | id.seq) == 0;
}

/* Items of a block: a search in one looks at seven of them, and an edit moves 2.5 KB at most. With
 * the header, 127 items of 16, 24 or 40 bytes just fit a class of the allocator. */
#ifdef LARDER_TEST_SMALL
#define ID_BLOCK_ITEMS 8
#else
#define ID_BLOCK_ITEMS 127
#endif

struct id_block;

struct id_index {
    struct id_entry *directory;
    uint32_t first;    /* of the directory's entries in use */
    uint32_t count;    /* of blocks */
    uint32_t capacity; /* of the directory */
    uint16_t item_size;
    uint64_t size; /* items */
};

/* A place: an item, or the end, where block == index->count. Valid until the next edit. */
struct id_place {
    uint32_t block;
    uint32_t at;
};

/* `item_size`: bytes, a multiple of 8, the id's 16 included. Allocates nothing. */
void id_index_init(struct id_index *index, size_t item_size);

/* Frees all blocks; the index is as after id_index_init. What items refer to is the owner's. */
void id_index_clear(struct id_index *index);

/* The item at a place that is not the end. Its id must not be changed. */
void *id_index_item(const struct id_index *index, struct id_place place);

static inline bool id_index_at_end(const struct id_index *index, struct id_place place) {
    return place.block >= index->count;
}

/* Items of a block that there is. */
uint32_t id_index_block_count(const struct id_index *index, uint32_t block);

/* The item with that id, or NULL. */
void *id_index_find(const struct id_index *index, struct stream_id id);

/* The place of the first item whose id is not less. */
struct id_place id_index_seek(const struct id_index *index, struct stream_id id);

/* The place of the last item whose id is not greater; the end when there is none. */
struct id_place id_index_seek_last(const struct id_index *index, struct stream_id id);

/* The first and the last item; the end when there is none. */
struct id_place id_index_first(const struct id_index *index);
struct id_place id_index_last(const struct id_index *index);

/* The next item, or the end; the one before, or the end when there is none. */
struct id_place id_index_next(const struct id_index *index, struct id_place place);
struct id_place id_index_previous(const struct id_index *index, struct id_place place);

/* Room for an item behind all others; the id is greater than theirs and is set, the rest is the
 * caller's to write. */
void *id_index_append(struct id_index *index, struct stream_id id);

/* The item with that id, made if there is none. */
void *id_index_insert(struct id_index *index, struct stream_id id, bool *is_new);

/* Removes the item there and returns the place of the one that followed. */
struct id_place id_index_remove(struct id_index *index, struct id_place place);
bool id_index_remove_id(struct id_index *index, struct stream_id id);

/* Makes an empty index a copy of another one, byte for byte. */
void id_index_copy(struct id_index *copy, const struct id_index *index);

/* Moves the directory (with block 0) and the block out of sparse slabs; `block` < count. */
void id_index_settle(struct id_index *index, uint32_t block, struct sparse_tally *tally);

/* Bytes from the allocator. */
size_t id_index_footprint(const struct id_index *index);

/* Walks everything and asserts the invariants. For tests. */
void id_index_validate(const struct id_index *index);

#endif
