/* id_index: see the header. */
#include "ds/id_index.h"

#include <string.h>

#include "base/check.h"

struct id_block {
    uint16_t capacity;
    uint16_t start;
    uint16_t count;
    uint16_t unused;
    char items[];
};
_Static_assert(sizeof(struct id_block) == 8, "the header of a block is 8 bytes");

/* A line of the directory. */
struct id_entry {
    struct stream_id id;
    struct id_block *block;
};
_Static_assert(sizeof(struct id_entry) == 24, "a line of the directory is 24 bytes");

/* Items of the first block at first, and blocks of the directory. */
#define FIRST_ITEMS  2u
#define FIRST_BLOCKS 1u

void id_index_init(struct id_index *index, size_t item_size) {
    *index = (struct id_index){.item_size = (uint16_t)item_size};
}

static size_t block_size(const struct id_index *index, size_t capacity) {
    return sizeof(struct id_block) + capacity * index->item_size;
}

static inline struct id_entry *line_of(const struct id_index *index, uint32_t block) {
    return &index->directory[index->first + block];
}

static inline struct id_block *block_of(const struct id_index *index, uint32_t block) {
    return line_of(index, block)->block;
}

static inline char *item_at(const struct id_index *index, struct id_block *block, uint32_t at) {
    return block->items + (size_t)(block->start + at) * index->item_size;
}

static inline struct stream_id id_at(const struct id_index *index, struct id_block *block,
                                     uint32_t at) {
    struct stream_id id;
    memcpy(&id, item_at(index, block, at), sizeof id);
    return id;
}

void *id_index_item(const struct id_index *index, struct id_place place) {
    debug_check(!id_index_at_end(index, place));
    return item_at(index, block_of(index, place.block), place.at);
}

uint32_t id_index_block_count(const struct id_index *index, uint32_t block) {
    return block_of(index, block)->count;
}

void id_index_clear(struct id_index *index) {
    for (uint32_t i = 0; i < index->count; i++) {
        struct id_block *block = block_of(index, i);
        mem_free(MEM_DATA, block, block_size(index, block->capacity));
    }
    mem_free(MEM_DATA, index->directory, index->capacity * sizeof *index->directory);
    id_index_init(index, index->item_size);
}

/* The last block whose first id is not greater, or the first block. There is one. */
static uint32_t block_for(const struct id_index *index, struct stream_id id) {
    uint32_t low = 0;
    uint32_t high = index->count;
    /* What is asked for is most often in the last block. */
    if (!stream_id_less(id, line_of(index, high - 1)->id)) {
        return high - 1;
    }
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_id_less(id, line_of(index, middle)->id)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return low;
}

/* The first place in the block whose id is not less than this one; may be behind its last item. */
static uint32_t lower_bound(const struct id_index *index, struct id_block *block,
                            struct stream_id id) {
    uint32_t low = 0;
    uint32_t high = block->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_id_less(id_at(index, block, middle), id)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct id_place end_of(const struct id_index *index) {
    return (struct id_place){index->count, 0};
}

struct id_place id_index_seek(const struct id_index *index, struct stream_id id) {
    if (index->count == 0) {
        return end_of(index);
    }
    struct id_place place = {.block = block_for(index, id)};
    struct id_block *block = block_of(index, place.block);
    place.at = lower_bound(index, block, id);
    if (place.at == block->count) {
        place = (struct id_place){place.block + 1, 0};
    }
    return place;
}

struct id_place id_index_seek_last(const struct id_index *index, struct stream_id id) {
    struct id_place place = id_index_seek(index, id);
    if (!id_index_at_end(index, place)) {
        struct stream_id found;
        memcpy(&found, id_index_item(index, place), sizeof found);
        if (stream_id_compare(found, id) == 0) {
            return place;
        }
    }
    return id_index_previous(index, place);
}

void *id_index_find(const struct id_index *index, struct stream_id id) {
    if (index->count == 0) {
        return NULL;
    }
    struct id_block *block = block_of(index, block_for(index, id));
    uint32_t at = lower_bound(index, block, id);
    if (at == block->count || stream_id_compare(id_at(index, block, at), id) != 0) {
        return NULL;
    }
    return item_at(index, block, at);
}

struct id_place id_index_first(const struct id_index *index) {
    (void)index;
    return (struct id_place){0, 0};
}

struct id_place id_index_last(const struct id_index *index) {
    return id_index_previous(index, end_of(index));
}

struct id_place id_index_next(const struct id_index *index, struct id_place place) {
    if (place.at + 1 < block_of(index, place.block)->count) {
        place.at++;
        return place;
    }
    return (struct id_place){place.block + 1, 0};
}

struct id_place id_index_previous(const struct id_index *index, struct id_place place) {
    if (place.at > 0) {
        place.at--;
        return place;
    }
    if (place.block == 0) {
        return end_of(index);
    }
    place.block--;
    place.at = block_of(index, place.block)->count - 1u;
    return place;
}

/* Makes room in the directory for a line before block `at`, which then has that number. */
static struct id_entry *add_line(struct id_index *index, uint32_t at) {
    if (index->first + index->count == index->capacity) {
        /* A directory whose front half is a gap is moved to its beginning, else it doubles. */
        if (index->first >= index->count && index->first > 0) {
            memmove(index->directory, line_of(index, 0), index->count * sizeof *index->directory);
            index->first = 0;
        } else {
            uint32_t capacity = index->capacity == 0 ? FIRST_BLOCKS : index->capacity * 2;
            index->directory =
                mem_realloc(MEM_DATA, index->directory, index->capacity * sizeof *index->directory,
                            capacity * sizeof *index->directory);
            index->capacity = capacity;
        }
    }
    struct id_entry *line = line_of(index, at);
    memmove(line + 1, line, (index->count - at) * sizeof *line);
    index->count++;
    return line;
}

static void drop_line(struct id_index *index, uint32_t at) {
    struct id_entry *line = line_of(index, at);
    index->count--;
    if (at == 0) {
        index->first++;
    } else {
        memmove(line, line + 1, (index->count - at) * sizeof *line);
    }
    if (index->count == 0) {
        index->first = 0;
    }
}

/* A new block of room for `capacity` items as block `at`. */
static struct id_block *add_block(struct id_index *index, uint32_t at, uint32_t capacity) {
    struct id_block *block = mem_alloc(MEM_DATA, block_size(index, capacity));
    *block = (struct id_block){.capacity = (uint16_t)capacity};
    add_line(index, at)->block = block;
    return block;
}

static void drop_block(struct id_index *index, uint32_t at) {
    struct id_block *block = block_of(index, at);
    mem_free(MEM_DATA, block, block_size(index, block->capacity));
    drop_line(index, at);
}

/* Room behind the block's last item: of a block that is not full. May move the block. */
static struct id_block *room_behind(struct id_index *index, uint32_t at) {
    struct id_block *block = block_of(index, at);
    if (block->start + block->count < block->capacity) {
        return block;
    }
    if (block->start > 0) {
        memmove(block->items, item_at(index, block, 0), (size_t)block->count * index->item_size);
        block->start = 0;
        return block;
    }
    uint32_t capacity = block->capacity * 2u;
    capacity = capacity > ID_BLOCK_ITEMS ? ID_BLOCK_ITEMS : capacity;
    block = mem_realloc(MEM_DATA, block, block_size(index, block->capacity),
                        block_size(index, capacity));
    block->capacity = (uint16_t)capacity;
    line_of(index, at)->block = block;
    return block;
}

static bool is_full(const struct id_block *block) {
    return block->count == ID_BLOCK_ITEMS;
}

/* Whether there is room behind, or moving all items makes so much of it that it pays. */
static bool takes_more(const struct id_block *block) {
    return block->start + block->count < block->capacity || block->capacity < ID_BLOCK_ITEMS ||
           block->start >= ID_BLOCK_ITEMS / 4;
}

void *id_index_append(struct id_index *index, struct stream_id id) {
    struct id_block *block = index->count > 0 ? block_of(index, index->count - 1) : NULL;
    if (block == NULL || !takes_more(block)) {
        block = add_block(index, index->count, block == NULL ? FIRST_ITEMS : ID_BLOCK_ITEMS);
        line_of(index, index->count - 1)->id = id;
    } else {
        block = room_behind(index, index->count - 1);
    }
    char *item = item_at(index, block, block->count++);
    memcpy(item, &id, sizeof id);
    index->size++;
    return item;
}

/* Halves a full block, so that both can take more. */
static void split(struct id_index *index, uint32_t at) {
    uint32_t moved = ID_BLOCK_ITEMS / 2;
    struct id_block *next = add_block(index, at + 1, ID_BLOCK_ITEMS);
    struct id_block *block = block_of(index, at);
    block->count = (uint16_t)(block->count - moved);
    next->count = (uint16_t)moved;
    memcpy(next->items, item_at(index, block, block->count), (size_t)moved * index->item_size);
    line_of(index, at + 1)->id = id_at(index, next, 0);
}

void *id_index_insert(struct id_index *index, struct stream_id id, bool *is_new) {
    *is_new = true;
    if (index->count == 0) {
        return id_index_append(index, id);
    }
    uint32_t number = block_for(index, id);
    struct id_block *block = block_of(index, number);
    uint32_t at = lower_bound(index, block, id);
    if (at == block->count && number == index->count - 1) {
        return id_index_append(index, id);
    }
    if (at < block->count && stream_id_compare(id_at(index, block, at), id) == 0) {
        *is_new = false;
        return item_at(index, block, at);
    }
    if (is_full(block)) {
        split(index, number);
        if (at > block->count) {
            at -= block->count;
            number++;
        }
    }
    block = room_behind(index, number);
    char *item = item_at(index, block, at);
    memmove(item + index->item_size, item, (size_t)(block->count - at) * index->item_size);
    block->count++;
    memcpy(item, &id, sizeof id);
    if (at == 0) {
        line_of(index, number)->id = id;
    }
    index->size++;
    return item;
}

/* Appends the items of block at + 1 to block at and drops it. */
static void merge(struct id_index *index, uint32_t at) {
    struct id_block *block = block_of(index, at);
    struct id_block *next = block_of(index, at + 1);
    if ((uint32_t)block->start + block->count + next->count > block->capacity) {
        memmove(block->items, item_at(index, block, 0), (size_t)block->count * index->item_size);
        block->start = 0;
    }
    memcpy(item_at(index, block, block->count), item_at(index, next, 0),
           (size_t)next->count * index->item_size);
    block->count = (uint16_t)(block->count + next->count);
    drop_block(index, at + 1);
}

/* Whether two neighbours are few enough to become one. */
static bool are_few(const struct id_index *index, uint32_t at) {
    return at + 1 < index->count &&
           block_of(index, at)->count + block_of(index, at + 1)->count <= ID_BLOCK_ITEMS / 2 &&
           block_of(index, at)->capacity == ID_BLOCK_ITEMS;
}

static void take_out(struct id_index *index, struct id_block *block, uint32_t at) {
    size_t size = index->item_size;
    char *item = item_at(index, block, at);
    block->count--;
    if (at < block->count / 2u) {
        memmove(item_at(index, block, 1), item_at(index, block, 0), at * size);
        block->start++;
    } else {
        memmove(item, item + size, (block->count - at) * size);
    }
}

struct id_place id_index_remove(struct id_index *index, struct id_place place) {
    debug_check(!id_index_at_end(index, place));
    struct id_block *block = block_of(index, place.block);
    index->size--;
    if (block->count == 1) {
        drop_block(index, place.block);
        return (struct id_place){place.block, 0};
    }
    take_out(index, block, place.at);
    if (place.at == 0) {
        line_of(index, place.block)->id = id_at(index, block, 0);
    }
    if (are_few(index, place.block)) {
        merge(index, place.block);
    } else if (place.block > 0 && are_few(index, place.block - 1)) {
        place.block--;
        place.at += block_of(index, place.block)->count;
        merge(index, place.block);
    }
    if (place.at == block_of(index, place.block)->count) {
        place = (struct id_place){place.block + 1, 0};
    }
    return place;
}

bool id_index_remove_id(struct id_index *index, struct stream_id id) {
    struct id_place place = id_index_seek(index, id);
    if (id_index_at_end(index, place)) {
        return false;
    }
    struct stream_id found;
    memcpy(&found, id_index_item(index, place), sizeof found);
    if (stream_id_compare(found, id) != 0) {
        return false;
    }
    id_index_remove(index, place);
    return true;
}

void id_index_copy(struct id_index *copy, const struct id_index *index) {
    debug_check(copy->count == 0 && copy->capacity == 0);
    if (index->count == 0) {
        return;
    }
    copy->capacity = index->count;
    copy->count = index->count;
    copy->size = index->size;
    copy->directory = mem_alloc(MEM_DATA, copy->capacity * sizeof *copy->directory);
    for (uint32_t i = 0; i < index->count; i++) {
        struct id_block *block = block_of(index, i);
        size_t size = block_size(index, block->capacity);
        copy->directory[i] = *line_of(index, i);
        copy->directory[i].block = mem_alloc(MEM_DATA, size);
        memcpy(copy->directory[i].block, block, size);
    }
}

void id_index_settle(struct id_index *index, uint32_t block, struct sparse_tally *tally) {
    if (block == 0 && index->capacity > 0) {
        index->directory =
            sparse_settle(index->directory, index->capacity * sizeof *index->directory, tally);
    }
    struct id_entry *line = line_of(index, block);
    line->block = sparse_settle(line->block, block_size(index, line->block->capacity), tally);
}

size_t id_index_footprint(const struct id_index *index) {
    size_t size = index->capacity == 0 ? 0 : mem_class(index->capacity * sizeof *index->directory);
    /* All blocks but a lone one are of one size. */
    if (index->count > 0) {
        size += index->count * mem_class(block_size(index, block_of(index, 0)->capacity));
    }
    return size;
}

void id_index_validate(const struct id_index *index) {
    uint64_t size = 0;
    struct stream_id last = STREAM_ID_MIN;
    check(index->first + index->count <= index->capacity);
    check((index->directory == NULL) == (index->capacity == 0));
    for (uint32_t i = 0; i < index->count; i++) {
        struct id_block *block = block_of(index, i);
        check(block->count > 0 && block->start + block->count <= block->capacity);
        check(block->capacity <= ID_BLOCK_ITEMS);
        check(index->count == 1 || block->capacity == ID_BLOCK_ITEMS);
        check(stream_id_compare(line_of(index, i)->id, id_at(index, block, 0)) == 0);
        for (uint32_t at = 0; at < block->count; at++) {
            struct stream_id id = id_at(index, block, at);
            check((i == 0 && at == 0) || stream_id_less(last, id));
            last = id;
        }
        size += block->count;
    }
    check(size == index->size);
}
