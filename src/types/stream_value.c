/* stream_value: what is asked of a stream as a value: freeing, copying, moving, measuring. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "types/stream.h"
#include "types/stream_group.h"
#include "types/stream_producer.h"

/* Bytes of a node that take as long to free as an element, see types/value.c. */
#define BYTES_PER_WEIGHT ((size_t)16 * 1024)
/* Nodes and groups that are looked at to tell how long freeing takes: enough to know that it is
 * for the background. */
#define WEIGHED_MAX 64u
/* A portion of moving: so many nodes of a block, so many things of groups. */
#define SETTLE_PARTS  4u
#define SETTLE_NODES  ((ID_BLOCK_ITEMS + SETTLE_PARTS - 1) / SETTLE_PARTS)
#define SETTLE_THINGS 32u
/* Streams of more groups and consumers than this keep them where they are: finding where the
 * last portion ended walks over all of them. */
#define SETTLE_NAMES_MAX 1000u

static inline struct stream_group *group_at(const struct stream *stream, uint32_t index) {
    return (struct stream_group *)stream->groups.at[index];
}

struct entry_shape stream_new_shape(void) {
    struct stream *stream = mem_zalloc(MEM_DATA, sizeof *stream);
    id_index_init(&stream->nodes, sizeof(struct stream_place));
    return (struct entry_shape){
        .type = ENTRY_STREAM, .encoding = ENTRY_NODES, .word = (uintptr_t)stream};
}

static void free_all(struct stream *stream) {
    struct id_place where = id_index_first(&stream->nodes);
    while (!id_index_at_end(&stream->nodes, where)) {
        const struct stream_place *place = id_index_item(&stream->nodes, where);
        stream_node_free(place->node);
        where = id_index_next(&stream->nodes, where);
    }
    id_index_clear(&stream->nodes);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        stream_group_free(group_at(stream, i));
    }
    stream_names_clear(&stream->groups);
    if (stream->producers != NULL) {
        stream_producers_free(stream->producers);
    }
    mem_free(MEM_DATA, stream, sizeof *stream);
}

void stream_discard(const struct entry_shape *shape) {
    free_all((struct stream *)(uintptr_t)shape->word);
}

void stream_free(struct entry *entry) {
    free_all(stream_of(entry));
}

const char *stream_encoding_name(const struct entry *entry) {
    (void)entry;
    return "stream";
}

size_t stream_weight(const struct entry *entry) {
    const struct stream *stream = stream_of(entry);
    size_t weight = 1 + (size_t)stream->nodes.size;
    if (weight >= WEIGHED_MAX) {
        return weight;
    }
    struct id_place where = id_index_first(&stream->nodes);
    while (!id_index_at_end(&stream->nodes, where)) {
        const struct stream_place *place = id_index_item(&stream->nodes, where);
        weight += stream_node_footprint(place->node) / BYTES_PER_WEIGHT;
        where = id_index_next(&stream->nodes, where);
    }
    for (uint32_t i = 0; i < stream->groups.count && i < WEIGHED_MAX; i++) {
        const struct stream_group *group = group_at(stream, i);
        weight += 2 * (size_t)(1 + group->pending.count + group->consumers.count);
    }
    return weight;
}

/* ---- moving ---- */

/* Counts things down to where a portion begins, and then those that it still takes. */
struct portion {
    uint32_t skip;
    uint32_t left;
    struct sparse_tally *tally;
};

/* Whether the next thing is in the portion. */
static bool takes(struct portion *portion) {
    if (portion->skip > 0) {
        portion->skip--;
        return false;
    }
    if (portion->left > 0) {
        portion->left--;
        return true;
    }
    return false;
}

static void settle_index(struct id_index *index, struct portion *portion) {
    if (portion->skip >= index->count) {
        portion->skip -= index->count;
        return;
    }
    uint32_t block = portion->skip;
    portion->skip = 0;
    for (; block < index->count && portion->left > 0; block++, portion->left--) {
        id_index_settle(index, block, portion->tally);
    }
}

static void settle_group(struct stream_group *group, struct portion *portion) {
    settle_index(&group->pending, portion);
    for (uint32_t i = 0; i < group->consumers.count && portion->left > 0; i++) {
        struct stream_consumer *consumer = (struct stream_consumer *)group->consumers.at[i];
        if (takes(portion)) {
            consumer = sparse_settle(consumer, stream_named_size(&consumer->named), portion->tally);
            group->consumers.at[i] = &consumer->named;
            group->slots[consumer->slot].consumer = consumer;
        }
        settle_index(&consumer->pending, portion);
    }
}

static bool has_few_names(const struct stream *stream) {
    uint64_t names = stream->groups.count;
    for (uint32_t i = 0; i < stream->groups.count && names <= SETTLE_NAMES_MAX; i++) {
        names += group_at(stream, i)->consumers.count;
    }
    return names <= SETTLE_NAMES_MAX;
}

/* A portion of the groups, from thing `from` on; whether there is more. */
static bool settle_groups(struct stream *stream, uint32_t from, struct sparse_tally *tally) {
    struct portion portion = {.skip = from, .left = SETTLE_THINGS, .tally = tally};
    if (!has_few_names(stream)) {
        return false;
    }
    for (uint32_t i = 0; i < stream->groups.count && portion.left > 0; i++) {
        struct stream_group *group = group_at(stream, i);
        if (takes(&portion)) {
            group = sparse_settle(group, stream_named_size(&group->named), tally);
            stream->groups.at[i] = &group->named;
        }
        settle_group(group, &portion);
    }
    return portion.left == 0;
}

/* A part of a block of nodes. */
static void settle_nodes(struct stream *stream, uint32_t block, uint32_t part,
                         struct sparse_tally *tally) {
    if (part == 0) {
        id_index_settle(&stream->nodes, block, tally);
    }
    struct id_place where = {block, part * SETTLE_NODES};
    uint32_t left = SETTLE_NODES;
    while (left > 0 && where.block == block &&
           where.at < id_index_block_count(&stream->nodes, block)) {
        struct stream_place *place = id_index_item(&stream->nodes, where);
        place->node = stream_node_settle(place->node, tally);
        where = id_index_next(&stream->nodes, where);
        left--;
    }
}

void stream_settle(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally) {
    struct stream *stream = stream_of(entry);
    if (*cursor == 0) {
        stream = sparse_settle(stream, sizeof *stream, tally);
        entry_set_pointer(entry, stream);
    }
    uint32_t of_nodes = stream->nodes.count * SETTLE_PARTS;
    if (*cursor < of_nodes) {
        settle_nodes(stream, *cursor / SETTLE_PARTS, *cursor % SETTLE_PARTS, tally);
        ++*cursor;
        if (*cursor == of_nodes && stream->groups.count == 0) {
            *cursor = 0;
        }
        return;
    }
    bool more = settle_groups(stream, *cursor - of_nodes, tally);
    *cursor = more ? *cursor + SETTLE_THINGS : 0;
}

/* ---- measuring ---- */

static size_t nodes_footprint(const struct stream *stream, size_t samples) {
    size_t sum = 0;
    if (samples == 0 || samples >= stream->nodes.size) {
        struct id_place where = id_index_first(&stream->nodes);
        while (!id_index_at_end(&stream->nodes, where)) {
            const struct stream_place *place = id_index_item(&stream->nodes, where);
            sum += stream_node_footprint(place->node);
            where = id_index_next(&stream->nodes, where);
        }
        return sum;
    }
    /* Evenly over the blocks, each time another one of their nodes. */
    for (size_t i = 0; i < samples; i++) {
        uint32_t block = (uint32_t)((uint64_t)i * stream->nodes.count / samples);
        struct id_place where = {block,
                                 (uint32_t)(i % id_index_block_count(&stream->nodes, block))};
        const struct stream_place *place = id_index_item(&stream->nodes, where);
        sum += stream_node_footprint(place->node);
    }
    return (size_t)((double)sum / (double)samples * (double)stream->nodes.size);
}

size_t stream_footprint(const struct entry *entry, size_t samples) {
    const struct stream *stream = stream_of(entry);
    size_t size = mem_class(sizeof *stream) + id_index_footprint(&stream->nodes) +
                  nodes_footprint(stream, samples) + stream_names_footprint(&stream->groups);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        size += stream_group_footprint(group_at(stream, i));
    }
    if (stream->producers != NULL) {
        size += stream_producers_footprint(stream->producers);
    }
    return size;
}

/* ---- copying ---- */

/* Gives each item of the copied index a node of its own; false when there is no memory, and then
 * those that have none yet are left out. */
static bool copy_nodes(struct stream *copy) {
    struct id_place where = id_index_first(&copy->nodes);
    bool copied = true;
    while (!id_index_at_end(&copy->nodes, where)) {
        struct stream_place *place = id_index_item(&copy->nodes, where);
        struct stream_node *node = copied ? stream_node_try_copy(place->node) : NULL;
        copied = node != NULL;
        if (!copied) {
            where = id_index_remove(&copy->nodes, where);
            continue;
        }
        place->node = node;
        where = id_index_next(&copy->nodes, where);
    }
    return copied;
}

static bool copy_groups(struct stream *copy, const struct stream *stream) {
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        struct stream_group *group = stream_group_try_copy(group_at(stream, i));
        if (group == NULL) {
            return false;
        }
        stream_names_add(&copy->groups, i, &group->named);
    }
    return true;
}

static bool copy_producers(struct stream *copy, const struct stream *stream) {
    if (stream->producers != NULL) {
        copy->producers = stream_producers_try_copy(stream->producers);
    }
    return (copy->producers == NULL) == (stream->producers == NULL);
}

int stream_copy(const struct entry *entry, struct entry_shape *shape) {
    const struct stream *stream = stream_of(entry);
    *shape = stream_new_shape();
    struct stream *copy = (struct stream *)(uintptr_t)shape->word;
    copy->length = stream->length;
    copy->entries_added = stream->entries_added;
    copy->last_id = stream->last_id;
    copy->max_deleted_id = stream->max_deleted_id;
    id_index_copy(&copy->nodes, &stream->nodes);
    if (!copy_nodes(copy) || !copy_groups(copy, stream) || !copy_producers(copy, stream)) {
        free_all(copy);
        return -ENOMEM;
    }
    return 0;
}

/* ---- checking ---- */

void stream_validate(const struct entry *entry) {
    check(entry_type(entry) == ENTRY_STREAM && entry_encoding(entry) == ENTRY_NODES);
    const struct stream *stream = stream_of(entry);
    id_index_validate(&stream->nodes);
    uint64_t length = 0;
    struct stream_id last = STREAM_ID_MIN;
    struct id_place where = id_index_first(&stream->nodes);
    while (!id_index_at_end(&stream->nodes, where)) {
        const struct stream_place *place = id_index_item(&stream->nodes, where);
        struct stream_id first =
            stream_node_id(place->node, place->base, stream_node_first(place->node));
        check(length == 0 || stream_id_less(last, first));
        last = stream_node_validate(place->node, place->base);
        length += place->node->count;
        where = id_index_next(&stream->nodes, where);
    }
    check(length == stream->length);
    check(!stream_id_less(stream->last_id, last));
    stream_names_validate(&stream->groups);
    if (stream->producers != NULL) {
        stream_producers_validate(stream->producers);
    }
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        stream_group_validate(group_at(stream, i));
    }
}
