/* stream_group: see the header. */
#include "types/stream_group.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define FIRST_SLOTS 2u

/* ---- groups ---- */

static inline struct stream_group *group_at(const struct stream *stream, uint32_t index) {
    return (struct stream_group *)stream->groups.at[index];
}

static inline struct stream_consumer *consumer_at(const struct stream_group *group,
                                                  uint32_t index) {
    return (struct stream_consumer *)group->consumers.at[index];
}

struct stream_group *stream_group_find(const struct stream *stream, struct bytes name) {
    uint32_t index;
    return stream_names_find(&stream->groups, name, &index) ? group_at(stream, index) : NULL;
}

static struct stream_group *group_try_new(struct bytes name) {
    struct stream_group *group = stream_named_try_new(sizeof *group, name);
    if (group != NULL) {
        id_index_init(&group->pending, sizeof(struct stream_pending));
        group->free_slot = STREAM_NOBODY;
        group->delivered_from_ms = INT64_MAX;
    }
    return group;
}

struct stream_group *stream_group_try_add(struct stream *stream, struct bytes name,
                                          struct stream_id last_id, int64_t entries_read,
                                          bool *no_memory) {
    uint32_t index;
    *no_memory = false;
    if (stream_names_find(&stream->groups, name, &index)) {
        return NULL;
    }
    struct stream_group *group = group_try_new(name);
    if (group == NULL) {
        *no_memory = true;
        return NULL;
    }
    group->last_id = last_id;
    group->entries_read = entries_read;
    stream_names_add(&stream->groups, index, &group->named);
    return group;
}

struct stream_group *stream_group_try_append(struct stream *stream, struct bytes name,
                                             struct stream_id last_id, int64_t entries_read) {
    struct stream_group *group = group_try_new(name);
    if (group != NULL) {
        group->last_id = last_id;
        group->entries_read = entries_read;
        stream_names_append(&stream->groups, &group->named);
    }
    return group;
}

static void consumer_free(struct stream_consumer *consumer) {
    id_index_clear(&consumer->pending);
    stream_named_free(consumer);
}

void stream_group_free(struct stream_group *group) {
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        consumer_free(consumer_at(group, i));
    }
    stream_names_clear(&group->consumers);
    mem_free(MEM_DATA, group->slots, group->slot_count * sizeof *group->slots);
    id_index_clear(&group->pending);
    stream_named_free(group);
}

bool stream_group_delete(struct stream *stream, struct bytes name) {
    uint32_t index;
    if (!stream_names_find(&stream->groups, name, &index)) {
        return false;
    }
    stream_group_free(group_at(stream, index));
    stream_names_remove(&stream->groups, index);
    return true;
}

bool stream_group_lag(const struct stream *stream, const struct stream_group *group, int64_t *lag) {
    *lag = 0;
    if (stream->entries_added == 0) {
        return true;
    }
    int64_t read = group->entries_read;
    if (read == STREAM_READ_UNKNOWN || stream_has_gap_after(stream, group->last_id)) {
        read = stream_count_until(stream, group->last_id);
        if (read == -1) {
            return false;
        }
    }
    *lag = (int64_t)(stream->entries_added - (uint64_t)read);
    return true;
}

void stream_group_advance(const struct stream *stream, struct stream_group *group,
                          struct stream_id id) {
    if (stream_id_compare(id, group->last_id) <= 0) {
        return;
    }
    if (group->entries_read != STREAM_READ_UNKNOWN && !stream_has_gap_after(stream, id)) {
        group->entries_read += group->entries_read < INT64_MAX;
    } else if (stream->entries_added != 0) {
        group->entries_read = stream_count_until(stream, id);
    }
    group->last_id = id;
}

/* ---- consumers ---- */

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct bytes name) {
    uint32_t index;
    return stream_names_find(&group->consumers, name, &index) ? consumer_at(group, index) : NULL;
}

/* Puts the consumer into a slot. */
static void take_slot(struct stream_group *group, struct stream_consumer *consumer) {
    if (group->free_slot == STREAM_NOBODY) {
        uint32_t count = group->slot_count == 0 ? FIRST_SLOTS : group->slot_count * 2;
        group->slots = mem_realloc(MEM_DATA, group->slots, group->slot_count * sizeof *group->slots,
                                   count * sizeof *group->slots);
        for (uint32_t i = group->slot_count; i < count; i++) {
            group->slots[i].next = i + 1 < count ? i + 1 : STREAM_NOBODY;
        }
        group->free_slot = group->slot_count;
        group->slot_count = count;
    }
    consumer->slot = group->free_slot;
    group->free_slot = (uint32_t)group->slots[consumer->slot].next;
    group->slots[consumer->slot].consumer = consumer;
}

/* In a slot of the group, but not among its names yet. */
static struct stream_consumer *consumer_try_new(struct stream_group *group, struct bytes name,
                                                int64_t seen_ms, int64_t active_ms) {
    struct stream_consumer *consumer = stream_named_try_new(sizeof *consumer, name);
    if (consumer != NULL) {
        id_index_init(&consumer->pending, sizeof(struct stream_id));
        consumer->seen_ms = seen_ms;
        consumer->active_ms = active_ms;
        take_slot(group, consumer);
    }
    return consumer;
}

struct stream_consumer *stream_consumer_try_add(struct stream_group *group, struct bytes name,
                                                int64_t now_ms) {
    uint32_t index;
    bool is_there = stream_names_find(&group->consumers, name, &index);
    check(!is_there);
    struct stream_consumer *consumer = consumer_try_new(group, name, now_ms, -1);
    if (consumer != NULL) {
        stream_names_add(&group->consumers, index, &consumer->named);
    }
    return consumer;
}

struct stream_consumer *stream_consumer_try_append(struct stream_group *group, struct bytes name,
                                                   int64_t seen_ms, int64_t active_ms) {
    struct stream_consumer *consumer = consumer_try_new(group, name, seen_ms, active_ms);
    if (consumer != NULL) {
        stream_names_append(&group->consumers, &consumer->named);
    }
    return consumer;
}

void stream_consumer_delete(struct stream_group *group, struct stream_consumer *consumer) {
    struct id_place place = id_index_first(&consumer->pending);
    while (!id_index_at_end(&consumer->pending, place)) {
        const struct stream_id *id = id_index_item(&consumer->pending, place);
        id_index_remove_id(&group->pending, *id);
        place = id_index_next(&consumer->pending, place);
    }
    uint32_t index;
    bool is_there = stream_names_find(&group->consumers, stream_name(&consumer->named), &index);
    check(is_there);
    stream_names_remove(&group->consumers, index);
    group->slots[consumer->slot].next = group->free_slot;
    group->free_slot = consumer->slot;
    consumer_free(consumer);
}

/* ---- what is pending ---- */

struct stream_pending *stream_pending_find(const struct stream_group *group, struct stream_id id) {
    return id_index_find(&group->pending, id);
}

struct stream_pending *stream_pending_give(struct stream_group *group, struct stream_id id,
                                           struct stream_consumer *consumer, int64_t delivered_ms) {
    uint32_t slot = consumer != NULL ? consumer->slot : STREAM_NOBODY;
    bool is_new;
    struct stream_pending *pending = id_index_insert(&group->pending, id, &is_new);
    if (delivered_ms < group->delivered_from_ms) {
        group->delivered_from_ms = delivered_ms;
    }
    if (is_new) {
        *pending = (struct stream_pending){.id = id, .slot = slot};
    } else if (pending->slot == slot) {
        pending->delivered_ms = delivered_ms;
        return pending;
    } else if (pending->slot == STREAM_NOBODY) {
        group->unowned--;
    } else {
        id_index_remove_id(&group->slots[pending->slot].consumer->pending, id);
    }
    pending->slot = slot;
    pending->delivered_ms = delivered_ms;
    if (consumer != NULL) {
        id_index_insert(&consumer->pending, id, &is_new);
    } else {
        group->unowned++;
    }
    return pending;
}

bool stream_pending_remove(struct stream_group *group, struct stream_id id) {
    struct id_place place = id_index_seek(&group->pending, id);
    if (id_index_at_end(&group->pending, place)) {
        return false;
    }
    const struct stream_pending *pending = id_index_item(&group->pending, place);
    if (stream_id_compare(pending->id, id) != 0) {
        return false;
    }
    struct stream_consumer *owner = stream_pending_owner(group, pending);
    if (owner != NULL) {
        id_index_remove_id(&owner->pending, id);
    } else {
        group->unowned--;
    }
    id_index_remove(&group->pending, place);
    return true;
}

bool stream_is_pending(const struct stream *stream, struct stream_id id) {
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        if (stream_pending_find(group_at(stream, i), id) != NULL) {
            return true;
        }
    }
    return false;
}

bool stream_is_needed(const struct stream *stream, struct stream_id id) {
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        if (stream_id_less(group_at(stream, i)->last_id, id)) {
            return true;
        }
    }
    return stream_is_pending(stream, id);
}

bool stream_forget_pending(struct stream *stream, struct stream_id id) {
    bool had = false;
    for (uint32_t i = 0; i < stream->groups.count; i++) {
        had |= stream_pending_remove(group_at(stream, i), id);
    }
    return had;
}

/* ---- the whole ---- */

static struct stream_consumer *consumer_try_copy(const struct stream_consumer *consumer) {
    struct stream_consumer *copy =
        stream_named_try_new(sizeof *consumer, stream_name(&consumer->named));
    if (copy != NULL) {
        copy->slot = consumer->slot;
        copy->seen_ms = consumer->seen_ms;
        copy->active_ms = consumer->active_ms;
        id_index_init(&copy->pending, sizeof(struct stream_id));
        id_index_copy(&copy->pending, &consumer->pending);
    }
    return copy;
}

struct stream_group *stream_group_try_copy(const struct stream_group *group) {
    struct stream_group *copy = group_try_new(stream_name(&group->named));
    if (copy == NULL) {
        return NULL;
    }
    copy->last_id = group->last_id;
    copy->entries_read = group->entries_read;
    copy->unowned = group->unowned;
    copy->delivered_from_ms = group->delivered_from_ms;
    copy->slot_count = group->slot_count;
    copy->free_slot = group->free_slot;
    if (group->slot_count > 0) {
        copy->slots = mem_alloc(MEM_DATA, group->slot_count * sizeof *copy->slots);
        memcpy(copy->slots, group->slots, group->slot_count * sizeof *copy->slots);
    }
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        struct stream_consumer *consumer = consumer_try_copy(consumer_at(group, i));
        if (consumer == NULL) {
            stream_group_free(copy);
            return NULL;
        }
        copy->slots[consumer->slot].consumer = consumer;
        stream_names_add(&copy->consumers, i, &consumer->named);
    }
    id_index_copy(&copy->pending, &group->pending);
    return copy;
}

size_t stream_group_footprint(const struct stream_group *group) {
    size_t size = mem_class(stream_named_size(&group->named)) +
                  stream_names_footprint(&group->consumers) + id_index_footprint(&group->pending);
    if (group->slot_count > 0) {
        size += mem_class(group->slot_count * sizeof *group->slots);
    }
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer = consumer_at(group, i);
        size +=
            mem_class(stream_named_size(&consumer->named)) + id_index_footprint(&consumer->pending);
    }
    return size;
}

void stream_group_validate(const struct stream_group *group) {
    stream_names_validate(&group->consumers);
    id_index_validate(&group->pending);
    uint64_t owned = 0;
    for (uint32_t i = 0; i < group->consumers.count; i++) {
        const struct stream_consumer *consumer = consumer_at(group, i);
        check(consumer->slot < group->slot_count);
        check(group->slots[consumer->slot].consumer == consumer);
        id_index_validate(&consumer->pending);
        owned += consumer->pending.size;
    }
    check(owned + group->unowned == group->pending.size);
    uint64_t unowned = 0;
    struct id_place place = id_index_first(&group->pending);
    for (; !id_index_at_end(&group->pending, place);
         place = id_index_next(&group->pending, place)) {
        const struct stream_pending *pending = id_index_item(&group->pending, place);
        const struct stream_consumer *owner = stream_pending_owner(group, pending);
        unowned += owner == NULL;
        check(pending->delivered_ms >= group->delivered_from_ms);
        check(owner == NULL || id_index_find(&owner->pending, pending->id) != NULL);
    }
    check(unowned == group->unowned);
    uint32_t free_slots = 0;
    for (uint32_t slot = group->free_slot; slot != STREAM_NOBODY; free_slots++) {
        check(slot < group->slot_count && free_slots < group->slot_count);
        slot = (uint32_t)group->slots[slot].next;
    }
    check(free_slots + group->consumers.count == group->slot_count);
}
