/* stream_group: consumers that share the entries of a stream, and what has been handed out to them
 * and not been acknowledged.
 *
 *     group       name, last_id, entries_read
 *       consumers   by name -> consumer: name, seen, active, slot
 *                                pending   index of ids 16
 *       slots       slot -> consumer
 *       pending     index of: id 16 | delivered 8 | deliveries 8 | slot 4 | unused 4
 *
 * What is pending is known twice, to the group by its id, with all that is known of it, and to
 * the consumer, by its id alone: 56 bytes an entry. It names its consumer by a slot, so that a
 * consumer may move in memory.
 *
 * What has been pending for longest is found by looking at all of it; that nothing has been for so
 * long is known from delivered_from_ms, which each such search brings up to date.
 *
 * Invariants (stream_group_validate checks them):
 * 1. An id is in a consumer's index exactly when it is in the group's with that consumer's slot.
 * 2. What nobody owns (XNACK) has the slot STREAM_NOBODY and is in no consumer's index; there are
 *    `unowned` of these.
 * 3. Nothing that is pending was delivered before delivered_from_ms.
 * 4. slots[consumer->slot] is the consumer; the other slots are a list that free_slot begins. */
#ifndef LARDER_TYPES_STREAM_GROUP_H
#define LARDER_TYPES_STREAM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sparse.h"
#include "ds/id_index.h"
#include "types/stream.h"
#include "types/stream_names.h"

#define STREAM_NOBODY UINT32_MAX
/* For entries_read: not known. */
#define STREAM_READ_UNKNOWN (-1)

struct stream_consumer {
    struct stream_named named;
    uint32_t slot;
    int64_t seen_ms;   /* when it last tried to do something */
    int64_t active_ms; /* when it last got something; -1: never */
    struct id_index pending;
};

struct stream_pending {
    struct stream_id id;
    int64_t delivered_ms; /* 0: given back */
    int64_t deliveries;
    uint32_t slot;
    uint32_t unused;
};

/* A slot that is in use, or the number of the next one that is not. */
union stream_slot {
    struct stream_consumer *consumer;
    uintptr_t next;
};

struct stream_group {
    struct stream_named named;
    struct stream_id last_id; /* of what was handed out */
    int64_t entries_read;     /* of those ever added, how many up to last_id; or unknown */
    struct id_index pending;
    struct stream_names consumers;
    union stream_slot *slots;
    uint32_t slot_count;
    uint32_t free_slot; /* STREAM_NOBODY: none */
    uint32_t unowned;
    int64_t delivered_from_ms; /* nothing that is pending was delivered before */
};

/* NULL when there is none. */
struct stream_group *stream_group_find(const struct stream *stream, struct bytes name);

/* NULL when there is one already, or *no_memory. */
struct stream_group *stream_group_try_add(struct stream *stream, struct bytes name,
                                          struct stream_id last_id, int64_t entries_read,
                                          bool *no_memory);

/* Likewise, whatever its name: stream_names_sort(&stream->groups) once all are there. NULL when
 * there is no memory. */
struct stream_group *stream_group_try_append(struct stream *stream, struct bytes name,
                                             struct stream_id last_id, int64_t entries_read);

/* Frees the group and all it knows; false when there is none. */
bool stream_group_delete(struct stream *stream, struct bytes name);

/* How many entries the group has not been handed; false when that cannot be told. Negative when
 * more have been read than there were, by what ENTRIESREAD has said. */
bool stream_group_lag(const struct stream *stream, const struct stream_group *group, int64_t *lag);

/* Notes that the entry after what was handed out so far is, too. */
void stream_group_advance(const struct stream *stream, struct stream_group *group,
                          struct stream_id id);

struct stream_consumer *stream_consumer_find(const struct stream_group *group, struct bytes name);
/* It is not there yet. NULL when there is no memory. */
struct stream_consumer *stream_consumer_try_add(struct stream_group *group, struct bytes name,
                                                int64_t now_ms);
/* Likewise, whatever its name: stream_names_sort(&group->consumers) once all are there. */
struct stream_consumer *stream_consumer_try_append(struct stream_group *group, struct bytes name,
                                                   int64_t seen_ms, int64_t active_ms);
/* With all that is pending for it, which is forgotten. */
void stream_consumer_delete(struct stream_group *group, struct stream_consumer *consumer);

/* Whose it is; NULL for nobody's. */
static inline struct stream_consumer *stream_pending_owner(const struct stream_group *group,
                                                           const struct stream_pending *pending) {
    return pending->slot == STREAM_NOBODY ? NULL : group->slots[pending->slot].consumer;
}

/* What is known of an id that is pending, or NULL. Valid until the next change. */
struct stream_pending *stream_pending_find(const struct stream_group *group, struct stream_id id);

/* Makes the id pending for the consumer (NULL: for nobody) since that time, whosoever it was. What
 * is new has 0 deliveries. */
struct stream_pending *stream_pending_give(struct stream_group *group, struct stream_id id,
                                           struct stream_consumer *consumer, int64_t delivered_ms);

/* It is not pending any more; false when it was not. */
bool stream_pending_remove(struct stream_group *group, struct stream_id id);

/* Whether any group has it pending; whether any has, or has yet to be handed it. */
bool stream_is_pending(const struct stream *stream, struct stream_id id);
bool stream_is_needed(const struct stream *stream, struct stream_id id);

/* Takes it from all groups' pending; whether any had it. */
bool stream_forget_pending(struct stream *stream, struct stream_id id);

/* For the value's functions, stream_value.c. */
void stream_group_free(struct stream_group *group);
/* NULL when there is no memory. */
struct stream_group *stream_group_try_copy(const struct stream_group *group);
size_t stream_group_footprint(const struct stream_group *group);
void stream_group_validate(const struct stream_group *group);

#endif
