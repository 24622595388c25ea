/* decode_stream: streams out of Redis's serialisation, see stream_form.h. The stream is built as
 * its parts are read, and freed whole when one of them is wrong. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "persist/compact.h"
#include "persist/decode_int.h"
#include "persist/stream_form.h"
#include "types/stream.h"
#include "types/stream_group.h"
#include "types/stream_load.h"
#include "types/stream_producer.h"

static int read_id(struct rdb_reader *reader, struct stream_id *id) {
    if (!rdb_read_number(reader, 8, &id->ms) || !rdb_read_number(reader, 8, &id->seq)) {
        return -EBADMSG;
    }
    *id = (struct stream_id){__builtin_bswap64(id->ms), __builtin_bswap64(id->seq)};
    return 0;
}

static int read_id_lengths(struct rdb_reader *reader, struct stream_id *id) {
    return rdb_read_length(reader, &id->ms) && rdb_read_length(reader, &id->seq) ? 0 : -EBADMSG;
}

/* A number that is not negative as a signed one. */
static int read_count(struct rdb_reader *reader, uint64_t *count) {
    return rdb_read_length(reader, count) && *count <= INT64_MAX ? 0 : -EBADMSG;
}

/* A moment, which is not before 1970. */
static int read_time(struct rdb_reader *reader, int64_t *ms) {
    uint64_t bits;
    if (!rdb_read_number(reader, 8, &bits) || bits > INT64_MAX) {
        return -EBADMSG;
    }
    *ms = (int64_t)bits;
    return 0;
}

/* How many there are, each of `size` bytes at least. */
static int read_items(struct rdb_reader *reader, size_t size, uint64_t *count) {
    return rdb_read_length(reader, count) && *count <= rdb_left(reader) / size ? 0 : -EBADMSG;
}

/* ---- nodes ---- */

struct node_walk {
    struct compact_walk walk;
    struct rdb_text text; /* the element that was read last */
    struct stream_load load;
    uint64_t live;
    uint64_t removed;
    uint64_t names;
};

static int next_text(struct node_walk *node) {
    int status = compact_next(&node->walk, &node->text);
    return status == 1 ? 0 : status == 0 ? -EBADMSG : status;
}

static int next_integer(struct node_walk *node, int64_t *value) {
    int status = next_text(node);
    if (status != 0) {
        return status;
    }
    *value = node->walk.integer;
    return node->walk.is_integer || num_parse_i64(node->text.text, value) ? 0 : -EBADMSG;
}

/* A number of elements that come, of one byte and one of size at least. */
static int next_count(struct node_walk *node, uint64_t *count) {
    int64_t value = 0;
    int status = next_integer(node, &value);
    if (status == 0 && (value < 0 || (uint64_t)value > rdb_left(&node->walk.reader) / 2)) {
        status = -EBADMSG;
    }
    *count = (uint64_t)value;
    return status;
}

/* What a node says of itself before its entries. */
static int read_head(struct node_walk *node) {
    int64_t end = 0;
    int status = next_count(node, &node->live);
    status = status == 0 ? next_count(node, &node->removed) : status;
    status = status == 0 ? next_count(node, &node->names) : status;
    if (status != 0) {
        return status;
    }
    if (node->live == 0 || node->names == 0) {
        return -EBADMSG;
    }
    for (uint64_t i = 0; i < node->names && status == 0; i++) {
        status = next_text(node);
        status = status == 0 ? stream_load_name(&node->load, node->text.text) : status;
    }
    status = status == 0 ? next_integer(node, &end) : status;
    return status == 0 && end != 0 ? -EBADMSG : status;
}

/* The texts of an entry, which are kept unless it was removed. */
static int read_texts(struct node_walk *node, uint64_t count, bool keep) {
    int status = 0;
    for (; count > 0 && status == 0; count--) {
        status = next_text(node);
        if (status == 0 && keep) {
            status = stream_load_text(&node->load, node->text.text);
        }
    }
    return status;
}

struct entry_head {
    struct stream_id id;
    bool removed;
    bool same_names;
    uint64_t pairs;
};

static int read_entry_head(struct node_walk *node, struct stream_id base, struct entry_head *head) {
    int64_t flags = 0;
    int64_t ms = 0;
    int64_t seq = 0;
    int status = next_integer(node, &flags);
    status = status == 0 ? next_integer(node, &ms) : status;
    status = status == 0 ? next_integer(node, &seq) : status;
    if (status != 0) {
        return status;
    }
    if ((flags & ~(int64_t)(STREAM_ENTRY_REMOVED | STREAM_ENTRY_SAME_NAMES)) != 0) {
        return -EBADMSG;
    }
    /* The second number may be less than the base's, so it wraps around. */
    head->id = (struct stream_id){base.ms + (uint64_t)ms, base.seq + (uint64_t)seq};
    head->removed = (flags & STREAM_ENTRY_REMOVED) != 0;
    head->same_names = (flags & STREAM_ENTRY_SAME_NAMES) != 0;
    head->pairs = node->names;
    if (!head->same_names) {
        status = next_count(node, &head->pairs);
    }
    return status == 0 && (head->pairs == 0 || head->pairs > UINT32_MAX / 2) ? -EBADMSG : status;
}

static int read_entry(struct node_walk *node, struct stream_id base, uint64_t *removed) {
    struct entry_head head;
    int status = read_entry_head(node, base, &head);
    if (status != 0) {
        return status;
    }
    uint32_t own_count = head.same_names ? 0 : (uint32_t)head.pairs;
    *removed += head.removed;
    status = head.removed ? stream_load_removed(&node->load, head.id)
                          : stream_load_entry(&node->load, head.id, own_count);
    uint64_t texts = head.same_names ? head.pairs : 2 * head.pairs;
    status = status == 0 ? read_texts(node, texts, !head.removed) : status;
    if (status == 0 && !head.removed) {
        status = stream_load_entry_end(&node->load);
    }
    int64_t elements = 0;
    status = status == 0 ? next_integer(node, &elements) : status;
    uint64_t expected = 3 + (head.same_names ? 0 : 1) + texts;
    return status == 0 && (uint64_t)elements != expected ? -EBADMSG : status;
}

/* The node's run is open and its base has been told. */
static int read_entries(struct node_walk *node, struct stream_id base) {
    int status = read_head(node);
    uint64_t removed = 0;
    uint64_t count = node->live + node->removed;
    for (uint64_t i = 0; i < count && status == 0; i++) {
        status = read_entry(node, base, &removed);
    }
    if (status != 0) {
        return status;
    }
    if (removed != node->removed || compact_next(&node->walk, &node->text) != 0) {
        return -EBADMSG;
    }
    stream_load_node_end(&node->load);
    return 0;
}

static int read_node(struct rdb_reader *reader, struct node_walk *node) {
    struct rdb_text run = {0};
    int status = rdb_read_string(reader, &run);
    struct stream_id base = STREAM_ID_MIN;
    if (status == 0) {
        struct rdb_reader of_base = rdb_reader_of(run.text);
        status = run.text.size == STREAM_ID_SIZE ? read_id(&of_base, &base) : -EBADMSG;
    }
    status = status == 0 ? rdb_read_string(reader, &run) : status;
    if (status == 0 && !compact_begin(&node->walk, COMPACT_LISTPACK, run.text)) {
        status = -EBADMSG;
    }
    status = status == 0 ? stream_load_node(&node->load, base) : status;
    status = status == 0 ? read_entries(node, base) : status;
    rdb_text_clear(&node->text);
    rdb_text_clear(&run);
    return status;
}

static int read_nodes(struct rdb_reader *reader, struct stream *stream) {
    uint64_t count;
    if (!rdb_read_length(reader, &count) || count > rdb_left(reader)) {
        return -EBADMSG;
    }
    struct node_walk node = {.live = 0};
    stream_load_begin(&node.load, stream);
    int status = 0;
    for (; count > 0 && status == 0; count--) {
        status = read_node(reader, &node);
    }
    stream_load_end(&node.load);
    return status;
}

/* Counts and ids of the stream as a whole. */
static int read_numbers(const struct decode_source *source, struct stream *stream) {
    struct rdb_reader *reader = source->reader;
    uint64_t length;
    struct stream_id unused;
    if (!rdb_read_length(reader, &length) || length != stream->length ||
        read_id_lengths(reader, &stream->last_id) != 0 ||
        stream_id_less(stream->last_id, stream_last_entry_id(stream))) {
        return -EBADMSG;
    }
    stream->entries_added = length;
    if (source->type == RDB_STREAM) {
        return 0;
    }
    /* The first id follows from the entries. */
    if (read_id_lengths(reader, &unused) != 0 ||
        read_id_lengths(reader, &stream->max_deleted_id) != 0 ||
        read_count(reader, &stream->entries_added) != 0) {
        return -EBADMSG;
    }
    return stream->entries_added < length ? -EBADMSG : 0;
}

/* ---- groups ---- */

static int read_pending(struct rdb_reader *reader, struct stream_group *group) {
    uint64_t count;
    int status = read_items(reader, STREAM_ID_SIZE + 8 + 1, &count);
    for (; count > 0 && status == 0; count--) {
        struct stream_id id;
        int64_t delivered_ms;
        uint64_t deliveries;
        if (read_id(reader, &id) != 0 || read_time(reader, &delivered_ms) != 0 ||
            read_count(reader, &deliveries) != 0 || stream_pending_find(group, id) != NULL) {
            return -EBADMSG;
        }
        stream_pending_give(group, id, NULL, delivered_ms)->deliveries = (int64_t)deliveries;
    }
    return status;
}

/* What is the consumer's was nobody's before. */
static int read_owned(struct rdb_reader *reader, struct stream_group *group,
                      struct stream_consumer *consumer) {
    uint64_t count;
    int status = read_items(reader, STREAM_ID_SIZE, &count);
    for (; count > 0 && status == 0; count--) {
        struct stream_id id;
        if (read_id(reader, &id) != 0) {
            return -EBADMSG;
        }
        const struct stream_pending *pending = stream_pending_find(group, id);
        if (pending == NULL || pending->slot != STREAM_NOBODY) {
            return -EBADMSG;
        }
        stream_pending_give(group, id, consumer, pending->delivered_ms);
    }
    return status;
}

static int read_consumer(const struct decode_source *source, struct stream_group *group,
                         struct rdb_text *text) {
    struct rdb_reader *reader = source->reader;
    int64_t seen_ms = 0;
    uint64_t active_ms = 0;
    int status = rdb_read_string(reader, text);
    status = status == 0 ? read_time(reader, &seen_ms) : status;
    if (status != 0) {
        return status;
    }
    active_ms = (uint64_t)seen_ms;
    if (source->type >= RDB_STREAM_3 &&
        (!rdb_read_number(reader, 8, &active_ms) || (int64_t)active_ms < -1)) {
        return -EBADMSG;
    }
    struct stream_consumer *consumer =
        stream_consumer_try_append(group, text->text, seen_ms, (int64_t)active_ms);
    return consumer == NULL ? -ENOMEM : read_owned(reader, group, consumer);
}

/* Each id that is pending for nobody, once. */
static int read_unowned(struct rdb_reader *reader, const struct stream_group *group) {
    uint64_t count;
    int status = read_items(reader, STREAM_ID_SIZE, &count);
    if (status != 0 || count != group->unowned) {
        return -EBADMSG;
    }
    struct id_index seen;
    id_index_init(&seen, STREAM_ID_SIZE);
    for (; count > 0 && status == 0; count--) {
        struct stream_id id = STREAM_ID_MIN;
        bool is_new = false;
        status = read_id(reader, &id);
        const struct stream_pending *pending = status == 0 ? stream_pending_find(group, id) : NULL;
        if (pending != NULL && pending->slot == STREAM_NOBODY) {
            id_index_insert(&seen, id, &is_new);
        }
        status = is_new ? 0 : -EBADMSG;
    }
    id_index_clear(&seen);
    return status;
}

static int read_group(const struct decode_source *source, struct stream *stream,
                      struct rdb_text *text) {
    struct rdb_reader *reader = source->reader;
    struct stream_id last_id = STREAM_ID_MIN;
    uint64_t entries_read = STREAM_FORM_UNKNOWN;
    uint64_t consumers = 0;
    int status = rdb_read_string(reader, text);
    status = status == 0 ? read_id_lengths(reader, &last_id) : status;
    if (status == 0 && source->type != RDB_STREAM &&
        (!rdb_read_length(reader, &entries_read) ||
         (entries_read > INT64_MAX && entries_read != STREAM_FORM_UNKNOWN))) {
        status = -EBADMSG;
    }
    if (status != 0) {
        return status;
    }
    struct stream_group *group =
        stream_group_try_append(stream, text->text, last_id, (int64_t)entries_read);
    if (group == NULL) {
        return -ENOMEM;
    }
    status = read_pending(reader, group);
    status = status == 0 ? read_items(reader, 1 + 8 + 1, &consumers) : status;
    for (; consumers > 0 && status == 0; consumers--) {
        status = read_consumer(source, group, text);
    }
    if (status == 0 && source->type >= RDB_STREAM_5) {
        status = read_unowned(reader, group);
    } else if (status == 0 && group->unowned > 0) {
        status = -EBADMSG;
    }
    return status == 0 && !stream_names_sort(&group->consumers) ? -EBADMSG : status;
}

static int read_groups(const struct decode_source *source, struct stream *stream,
                       struct rdb_text *text) {
    uint64_t count = 0;
    int status = read_items(source->reader, 1 + 2 + 2, &count);
    for (; count > 0 && status == 0; count--) {
        status = read_group(source, stream, text);
    }
    return status == 0 && !stream_names_sort(&stream->groups) ? -EBADMSG : status;
}

/* ---- producers ---- */

/* A text as this server writes it, or one of another server's: when that was added is not known but
 * by the id. */
static void sent_of(struct bytes text, struct stream_id id, int64_t now_ms,
                    struct stream_sent *sent) {
    uint64_t words[3];
    bool is_hash = text.size == STREAM_SENT_TEXT_SIZE &&
                   memcmp(text.at, STREAM_SENT_MARK, STREAM_SENT_MARK_SIZE) == 0;
    uint64_t added_ms = id.ms;
    sent->sent = (struct stream_sent_id){0, 0};
    sent->id = id;
    if (is_hash) {
        memcpy(words, text.at + STREAM_SENT_MARK_SIZE, sizeof words);
        sent->sent = (struct stream_sent_id){words[0], words[1]};
        added_ms = words[2];
    } else {
        sent->sent = stream_sent_id_of(text);
    }
    uint64_t latest_ms = now_ms > 0 ? (uint64_t)now_ms : INT64_MAX;
    sent->added_ms = (int64_t)(added_ms > latest_ms ? latest_ms : added_ms);
}

static int read_producer(const struct decode_source *source, struct stream_producers *producers,
                         struct rdb_text *text) {
    struct rdb_reader *reader = source->reader;
    uint64_t count = 0;
    int status = rdb_read_string(reader, text);
    status = status == 0 ? read_items(reader, 1 + 2, &count) : status;
    if (status == 0 && count > producers->size_max) {
        status = -EBADMSG;
    }
    if (status == 0 && !stream_producer_try_append(producers, text->text)) {
        status = -ENOMEM;
    }
    for (; count > 0 && status == 0; count--) {
        struct stream_id id;
        status = rdb_read_string(reader, text);
        status = status == 0 ? read_id_lengths(reader, &id) : status;
        if (status == 0) {
            struct stream_sent sent;
            sent_of(text->text, id, source->now_ms, &sent);
            stream_producer_remember(producers, &sent);
        }
    }
    return status;
}

/* Whether they are what a stream has without any. */
static bool are_none(const struct stream_producers *producers,
                     const struct stream_options *options) {
    return producers->names.count == 0 && producers->added == 0 && producers->duplicates == 0 &&
           producers->duration_s == (uint64_t)options->sent_duration_s &&
           producers->size_max == (uint64_t)options->sent_size_max;
}

static int read_producers(const struct decode_source *source, struct stream *stream,
                          struct rdb_text *text) {
    struct rdb_reader *reader = source->reader;
    uint64_t duration_s;
    uint64_t size_max;
    uint64_t count;
    if (!rdb_read_length(reader, &duration_s) || !rdb_read_length(reader, &size_max) ||
        duration_s < 1 || duration_s > STREAM_DURATION_MAX || size_max < 1 ||
        size_max > STREAM_SENT_SIZE_MAX || read_items(reader, 1 + 1, &count) != 0) {
        return -EBADMSG;
    }
    stream->producers = stream_producers_new((uint32_t)duration_s, (uint32_t)size_max);
    int status = 0;
    for (; count > 0 && status == 0; count--) {
        status = read_producer(source, stream->producers, text);
    }
    if (status == 0 && (read_count(reader, &stream->producers->added) != 0 ||
                        read_count(reader, &stream->producers->duplicates) != 0 ||
                        !stream_names_sort(&stream->producers->names))) {
        status = -EBADMSG;
    }
    if (status == 0 && are_none(stream->producers, &source->keyspace->stream_options)) {
        stream_producers_free(stream->producers);
        stream->producers = NULL;
    }
    return status;
}

int decode_stream(const struct decode_source *source, struct entry_shape *shape) {
    struct entry_shape made = stream_new_shape();
    struct stream *stream = (struct stream *)(uintptr_t)made.word;
    struct rdb_text text = {0};
    int status = read_nodes(source->reader, stream);
    status = status == 0 ? read_numbers(source, stream) : status;
    status = status == 0 ? read_groups(source, stream, &text) : status;
    if (status == 0 && source->type >= RDB_STREAM_4) {
        status = read_producers(source, stream, &text);
    }
    rdb_text_clear(&text);
    if (status != 0) {
        stream_discard(&made);
        return status;
    }
    *shape = made;
    return 0;
}
