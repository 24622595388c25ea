/* encode_stream: streams in Redis's serialisation, see stream_form.h. */
#include <errno.h>
#include <string.h>

#include "base/num.h"
#include "persist/compact.h"
#include "persist/encode_int.h"
#include "persist/stream_form.h"
#include "types/stream.h"
#include "types/stream_group.h"
#include "types/stream_producer.h"

/* ---- nodes ---- */

static void write_id(struct rdb_writer *writer, struct stream_id id) {
    rdb_write_number(writer, __builtin_bswap64(id.ms), 8);
    rdb_write_number(writer, __builtin_bswap64(id.seq), 8);
}

static void write_id_lengths(struct rdb_writer *writer, struct stream_id id) {
    rdb_write_length(writer, id.ms);
    rdb_write_length(writer, id.seq);
}

/* Adds so many texts of a node and returns where the next one is. */
static const uint8_t *add_texts(struct listpack *pack, const uint8_t *at, uint64_t count) {
    for (; count > 0; count--) {
        struct bytes text;
        char scratch[NUM_I64_SIZE];
        at = stream_text_read(at, &text, scratch);
        listpack_add(pack, text);
    }
    return at;
}

static void add_entry(struct listpack *pack, struct stream_id base,
                      const struct stream_entry *entry) {
    bool same = entry->names != NULL;
    size_t first = pack->count;
    listpack_add_integer(pack, same ? STREAM_ENTRY_SAME_NAMES : 0);
    /* Beyond the range of either, both wrap around, as the reader does. */
    listpack_add_integer(pack, (int64_t)(entry->id.ms - base.ms));
    listpack_add_integer(pack, (int64_t)(entry->id.seq - base.seq));
    if (!same) {
        listpack_add_integer(pack, entry->field_count);
    }
    add_texts(pack, entry->values, (same ? 1 : 2) * (uint64_t)entry->field_count);
    listpack_add_integer(pack, (int64_t)(pack->count - first));
}

/* False when it is longer than a listpack can be. */
static bool write_node(const struct stream_place *place, struct rdb_writer *writer) {
    const struct stream_node *node = place->node;
    struct listpack pack;
    listpack_init(&pack, true);
    listpack_add_integer(&pack, node->count);
    listpack_add_integer(&pack, 0);
    listpack_add_integer(&pack, node->field_count);
    add_texts(&pack, node->bytes, node->field_count);
    listpack_add_integer(&pack, 0);
    for (uint32_t at = stream_node_first(node); at < stream_node_end(node);) {
        struct stream_entry entry;
        at = stream_node_read(node, place->base, at, &entry);
        add_entry(&pack, place->base, &entry);
    }
    bool fits = !pack.refused;
    if (fits) {
        rdb_write_length(writer, STREAM_ID_SIZE);
        write_id(writer, place->base);
        listpack_write(&pack, writer);
    }
    listpack_clear(&pack);
    return fits;
}

static bool write_nodes(const struct stream *stream, struct rdb_writer *writer) {
    rdb_write_length(writer, stream->nodes.size);
    struct id_place where = id_index_first(&stream->nodes);
    for (; !id_index_at_end(&stream->nodes, where); where = id_index_next(&stream->nodes, where)) {
        if (!write_node(id_index_item(&stream->nodes, where), writer)) {
            return false;
        }
    }
    return true;
}

/* ---- groups ---- */

static void write_pending(const struct stream_group *group, struct rdb_writer *writer) {
    const struct id_index *index = &group->pending;
    rdb_write_length(writer, index->size);
    struct id_place where = id_index_first(index);
    for (; !id_index_at_end(index, where); where = id_index_next(index, where)) {
        const struct stream_pending *pending = id_index_item(index, where);
        write_id(writer, pending->id);
        rdb_write_number(writer, (uint64_t)pending->delivered_ms, 8);
        rdb_write_length(writer, (uint64_t)pending->deliveries);
    }
}

static void write_consumer(const struct stream_consumer *consumer, int type,
                           struct rdb_writer *writer) {
    const struct id_index *index = &consumer->pending;
    rdb_write_string(writer, stream_name(&consumer->named));
    rdb_write_number(writer, (uint64_t)consumer->seen_ms, 8);
    if (type >= RDB_STREAM_3) {
        rdb_write_number(writer, (uint64_t)consumer->active_ms, 8);
    }
    rdb_write_length(writer, index->size);
    struct id_place where = id_index_first(index);
    for (; !id_index_at_end(index, where); where = id_index_next(index, where)) {
        const struct stream_id *id = id_index_item(index, where);
        write_id(writer, *id);
    }
}

static void write_unowned(const struct stream_group *group, struct rdb_writer *writer) {
    const struct id_index *index = &group->pending;
    rdb_write_length(writer, group->unowned);
    struct id_place where = id_index_first(index);
    for (; !id_index_at_end(index, where); where = id_index_next(index, where)) {
        const struct stream_pending *pending = id_index_item(index, where);
        if (pending->slot == STREAM_NOBODY) {
            write_id(writer, pending->id);
        }
    }
}

static void write_group(const struct stream_group *group, int type, struct rdb_writer *writer) {
    rdb_write_string(writer, stream_name(&group->named));
    write_id_lengths(writer, group->last_id);
    rdb_write_length(writer, group->entries_read == STREAM_READ_UNKNOWN
                                 ? STREAM_FORM_UNKNOWN
                                 : (uint64_t)group->entries_read);
    write_pending(group, writer);
    rdb_write_length(writer, group->consumers.count);
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        write_consumer((const struct stream_consumer *)group->consumers.at[i], type, writer);
    }
    if (type >= RDB_STREAM_5) {
        write_unowned(group, writer);
    }
}

/* ---- producers ---- */

static void write_sent(const struct stream_sent *sent, struct rdb_writer *writer) {
    char text[STREAM_SENT_TEXT_SIZE];
    const uint64_t words[3] = {sent->sent.low, sent->sent.high, (uint64_t)sent->added_ms};
    memcpy(text, STREAM_SENT_MARK, STREAM_SENT_MARK_SIZE);
    memcpy(text + STREAM_SENT_MARK_SIZE, words, sizeof words);
    rdb_write_string(writer, bytes_of(text, sizeof text));
    write_id_lengths(writer, sent->id);
}

static void write_producers(const struct stream *stream, struct rdb_writer *writer) {
    static const struct stream_producers none = {.duration_s = STREAM_DURATION_DEFAULT,
                                                 .size_max = STREAM_SENT_SIZE_DEFAULT};
    const struct stream_producers *producers =
        stream->producers != NULL ? stream->producers : &none;
    rdb_write_length(writer, producers->duration_s);
    rdb_write_length(writer, producers->size_max);
    rdb_write_length(writer, producers->names.count);
    for (uint32_t i = 0; i < producers->names.count; i++) {
        uint32_t count = stream_producer_count(producers, i);
        rdb_write_string(writer, stream_producer_name(producers, i));
        rdb_write_length(writer, count);
        for (uint32_t at = 0; at < count; at++) {
            struct stream_sent sent = stream_producer_sent(producers, i, at);
            write_sent(&sent, writer);
        }
    }
    rdb_write_length(writer, producers->added);
    rdb_write_length(writer, producers->duplicates);
}

/* ---- the whole ---- */

/* The oldest form that has room for all that matters. */
static int type_of(const struct stream *stream) {
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        const struct stream_group *group = (const struct stream_group *)stream->groups.at[i];
        if (group->unowned > 0) {
            return RDB_STREAM_5;
        }
    }
    return stream->producers != NULL ? RDB_STREAM_4 : RDB_STREAM_2;
}

int encode_stream(const struct entry *entry, const struct bytes *key, struct rdb_writer *writer) {
    const struct stream *stream = stream_of(entry);
    size_t before = writer->size;
    int type = type_of(stream);
    encode_begin(writer, type, key);
    if (!write_nodes(stream, writer)) {
        writer->size = before;
        return -ENOTSUP;
    }
    rdb_write_length(writer, stream->length);
    write_id_lengths(writer, stream->last_id);
    write_id_lengths(writer, stream_first_id(stream));
    write_id_lengths(writer, stream->max_deleted_id);
    rdb_write_length(writer, stream->entries_added);
    rdb_write_length(writer, stream->groups.count);
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        write_group((const struct stream_group *)stream->groups.at[i], type, writer);
    }
    if (type < RDB_STREAM_4) {
        return RDB_VERSION;
    }
    write_producers(stream, writer);
    return type == RDB_STREAM_4 ? RDB_VERSION_PRODUCERS : RDB_VERSION_UNOWNED;
}
