/* stream: entries; what concerns the value as a whole is in stream_value.c. */
#include "types/stream.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct stream_options, __VA_ARGS__)
    STREAM_OPTIONS(ROW)
#undef ROW
};

void stream_register_options(struct options *registry, struct stream_options *fields) {
    options_register(registry, rows, sizeof rows / sizeof rows[0], fields, fields);
}

bool stream_id_after(struct stream_id *id) {
    if (++id->seq != 0) {
        return true;
    }
    return ++id->ms != 0;
}

bool stream_id_before(struct stream_id *id) {
    if (id->seq-- != 0) {
        return true;
    }
    return id->ms-- != 0;
}

static inline struct stream_place *place_at(const struct stream *stream, struct id_place place) {
    return id_index_item(&stream->nodes, place);
}

struct stream_id stream_first_id(const struct stream *stream) {
    if (stream->length == 0) {
        return STREAM_ID_MIN;
    }
    const struct stream_place *first = place_at(stream, id_index_first(&stream->nodes));
    return stream_node_id(first->node, first->base, stream_node_first(first->node));
}

struct stream_id stream_last_entry_id(const struct stream *stream) {
    if (stream->length == 0) {
        return STREAM_ID_MIN;
    }
    const struct stream_place *last = place_at(stream, id_index_last(&stream->nodes));
    uint32_t at = stream_node_previous(last->node, stream_node_end(last->node));
    return stream_node_id(last->node, last->base, at);
}

/* Whether another entry of so many bytes belongs into the node. */
static bool takes_more(const struct stream_node *node, const struct stream_options *limits,
                       size_t size) {
    size_t size_max =
        limits->node_size_max == 0 || (uint64_t)limits->node_size_max > STREAM_NODE_SIZE_MAX
            ? STREAM_NODE_SIZE_MAX
            : (size_t)limits->node_size_max;
    if (node->size + size >= size_max) {
        return false;
    }
    return limits->node_entries_max == 0 || (int64_t)node->added < limits->node_entries_max;
}

int stream_add(struct stream *stream, const struct stream_options *limits, struct stream_id id,
               const struct bytes *pairs, uint32_t count) {
    size_t size = 0;
    for (size_t i = 0; i < 2 * (size_t)count; i++) {
        size += pairs[i].size;
    }
    struct id_place last = id_index_last(&stream->nodes);
    struct stream_place *place =
        id_index_at_end(&stream->nodes, last) ? NULL : place_at(stream, last);
    struct stream_node *node;
    if (place != NULL && takes_more(place->node, limits, size)) {
        node = stream_node_try_append(place->node, place->base, id, pairs, count);
        if (node == NULL) {
            return -ENOMEM;
        }
        place->node = node;
    } else {
        struct stream_node *new_node = stream_node_try_new(pairs, count);
        if (new_node == NULL) {
            return -ENOMEM;
        }
        node = stream_node_try_append(new_node, id, id, pairs, count);
        if (node == NULL) {
            stream_node_free(new_node);
            return -ENOMEM;
        }
        if (place != NULL) {
            place->node = stream_node_fit(place->node);
        }
        struct stream_place *added = id_index_append(&stream->nodes, id);
        added->node = node;
    }
    stream->length++;
    stream->entries_added += stream->entries_added < INT64_MAX;
    stream->last_id = id;
    return 0;
}

/* The node that holds the id, if any does, and the entry's position in it. */
static struct stream_place *find(const struct stream *stream, struct stream_id id,
                                 struct id_place *where, uint32_t *at) {
    *where = id_index_seek_last(&stream->nodes, id);
    if (id_index_at_end(&stream->nodes, *where)) {
        return NULL;
    }
    struct stream_place *place = place_at(stream, *where);
    *at = stream_node_seek(place->node, place->base, id);
    bool found = *at != stream_node_end(place->node) &&
                 stream_id_compare(stream_node_id(place->node, place->base, *at), id) == 0;
    return found ? place : NULL;
}

bool stream_has(const struct stream *stream, struct stream_id id) {
    struct id_place where;
    uint32_t at;
    return find(stream, id, &where, &at) != NULL;
}

bool stream_get(const struct stream *stream, struct stream_id id, struct stream_entry *entry) {
    struct id_place where;
    uint32_t at;
    const struct stream_place *place = find(stream, id, &where, &at);
    if (place == NULL) {
        return false;
    }
    stream_node_read(place->node, place->base, at, entry);
    return true;
}

/* Removes an entry that was found; *where becomes the next node's place when its node has gone. */
static bool remove_at(struct stream *stream, struct id_place *where, uint32_t at) {
    struct stream_place *place = place_at(stream, *where);
    stream->length--;
    if (place->node->count == 1) {
        stream_node_free(place->node);
        *where = id_index_remove(&stream->nodes, *where);
        return true;
    }
    place->node = stream_node_remove(place->node, at);
    return false;
}

bool stream_delete(struct stream *stream, struct stream_id id) {
    struct id_place where;
    uint32_t at;
    if (find(stream, id, &where, &at) == NULL) {
        return false;
    }
    remove_at(stream, &where, at);
    if (stream_id_less(stream->max_deleted_id, id)) {
        stream->max_deleted_id = id;
    }
    return true;
}

/* ---- ranges ---- */

/* Goes to a node, whose first or last entries may be beyond the range. */
static void enter(struct stream_range *range, struct id_place where, bool is_first) {
    range->place = where;
    if (id_index_at_end(&range->stream->nodes, where)) {
        range->node = NULL;
        return;
    }
    const struct stream_place *place = place_at(range->stream, where);
    const struct stream_node *node = place->node;
    range->node = place;
    range->within = false;
    if (range->reverse) {
        range->at = stream_node_end(node);
        struct stream_id beyond = range->last;
        if (is_first && stream_id_after(&beyond)) {
            range->at = stream_node_seek(node, place->base, beyond);
        }
        range->within = !stream_id_less(place->base, range->first);
        return;
    }
    range->at =
        is_first ? stream_node_seek(node, place->base, range->first) : stream_node_first(node);
    struct stream_id last_id =
        stream_node_id(node, place->base, stream_node_previous(node, stream_node_end(node)));
    range->within = !stream_id_less(range->last, last_id);
}

void stream_range_begin(struct stream_range *range, const struct stream *stream,
                        struct stream_id first, struct stream_id last, bool reverse) {
    *range =
        (struct stream_range){.stream = stream, .first = first, .last = last, .reverse = reverse};
    if (stream->length == 0 || stream_id_less(last, first)) {
        return;
    }
    struct id_place where = id_index_seek_last(&stream->nodes, reverse ? last : first);
    if (!reverse && id_index_at_end(&stream->nodes, where)) {
        where = id_index_first(&stream->nodes);
    }
    enter(range, where, true);
}

static bool next_reverse(struct stream_range *range, struct stream_entry *entry) {
    while (range->at == stream_node_first(range->node->node)) {
        enter(range, id_index_previous(&range->stream->nodes, range->place), false);
        if (range->node == NULL) {
            return false;
        }
    }
    const struct stream_place *place = range->node;
    range->at = stream_node_previous(place->node, range->at);
    stream_node_read(place->node, place->base, range->at, entry);
    return range->within || !stream_id_less(entry->id, range->first);
}

bool stream_range_next(struct stream_range *range, struct stream_entry *entry) {
    if (range->node == NULL) {
        return false;
    }
    if (range->reverse) {
        return next_reverse(range, entry);
    }
    while (range->at == stream_node_end(range->node->node)) {
        enter(range, id_index_next(&range->stream->nodes, range->place), false);
        if (range->node == NULL) {
            return false;
        }
    }
    const struct stream_place *place = range->node;
    range->at = stream_node_read(place->node, place->base, range->at, entry);
    return range->within || !stream_id_less(range->last, entry->id);
}

/* ---- trimming ---- */

/* Whether an entry with that id is to go, as the stream is now. */
static bool is_beyond(const struct stream *stream, const struct stream_trim *trim,
                      struct stream_id id) {
    return trim->by_id ? stream_id_less(id, trim->id_min) : stream->length > trim->length_max;
}

/* Whether all entries of the node are to go. */
static bool is_whole_beyond(const struct stream *stream, const struct stream_trim *trim,
                            const struct stream_place *place) {
    const struct stream_node *node = place->node;
    if (!trim->by_id) {
        return stream->length - node->count >= trim->length_max;
    }
    uint32_t last = stream_node_previous(node, stream_node_end(node));
    return stream_id_less(stream_node_id(node, place->base, last), trim->id_min);
}

/* Removes the entries of a node that are to go and may. *where becomes the next node's place. */
static uint64_t trim_within(struct stream *stream, const struct stream_trim *trim,
                            struct id_place *where) {
    uint64_t removed = 0;
    struct stream_place *place = place_at(stream, *where);
    uint32_t at = stream_node_first(place->node);
    uint32_t left = place->node->count;
    for (; left > 0; left--) {
        struct stream_entry entry;
        uint32_t next = stream_node_read(place->node, place->base, at, &entry);
        if (!is_beyond(stream, trim, entry.id)) {
            break;
        }
        if (trim->may_go != NULL && !trim->may_go(trim->context, entry.id)) {
            at = next;
            continue;
        }
        bool is_front = at == stream_node_first(place->node);
        removed++;
        if (remove_at(stream, where, at)) {
            return removed;
        }
        at = is_front ? next : at;
    }
    *where = id_index_next(&stream->nodes, *where);
    return removed;
}

uint64_t stream_trim(struct stream *stream, const struct stream_trim *trim) {
    uint64_t removed = 0;
    uint64_t examined = 0;
    struct id_place where = id_index_first(&stream->nodes);
    while (!id_index_at_end(&stream->nodes, where)) {
        struct stream_place *place = place_at(stream, where);
        struct stream_node *node = place->node;
        if (!trim->by_id && stream->length <= trim->length_max) {
            break;
        }
        examined += node->count;
        if (trim->limit != 0 && examined > trim->limit) {
            break;
        }
        bool is_whole = is_whole_beyond(stream, trim, place);
        if (!is_whole && trim->approximate) {
            break;
        }
        if (is_whole && trim->may_go == NULL) {
            stream->length -= node->count;
            removed += node->count;
            stream_node_free(node);
            where = id_index_remove(&stream->nodes, where);
            continue;
        }
        removed += trim_within(stream, trim, &where);
        /* With no say of anybody's, what is left of this node is what shall be left. */
        if (trim->may_go == NULL || (!is_whole && trim->by_id)) {
            break;
        }
    }
    return removed;
}

/* ---- how many came before ---- */

int64_t stream_count_until(const struct stream *stream, struct stream_id id) {
    if (stream->entries_added == 0) {
        return 0;
    }
    int to_last = stream_id_compare(id, stream->last_id);
    if (stream->length == 0 && to_last <= 0) {
        return (int64_t)stream->entries_added;
    }
    if (to_last >= 0) {
        return to_last == 0 ? (int64_t)stream->entries_added : -1;
    }
    struct stream_id first = stream_first_id(stream);
    if (!stream_id_is_zero(stream->max_deleted_id) &&
        !stream_id_less(stream->max_deleted_id, first)) {
        return -1;
    }
    int to_first = stream_id_compare(id, first);
    int64_t gone = (int64_t)(stream->entries_added - stream->length);
    if (to_first < 0) {
        return gone;
    }
    return to_first == 0 ? gone + 1 : -1;
}

bool stream_has_gap_after(const struct stream *stream, struct stream_id id) {
    if (stream->length == 0 || stream_id_is_zero(stream->max_deleted_id)) {
        return false;
    }
    return !stream_id_less(stream->max_deleted_id, stream_first_id(stream)) &&
           !stream_id_less(stream->max_deleted_id, id);
}
