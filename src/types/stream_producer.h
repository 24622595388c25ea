/* stream_producer: what producers of a stream have sent lately, so that what is sent again is added
 * once (XADD IDMP).
 *
 *     producers   settings, figures, names -> producer
 *     producer    name, sent -> ring of: iid 16 | id 16 | added 8       the oldest first
 *
 * A producer names each entry by an idempotent id, of which 128 bits of hash are kept. It is
 * remembered for `duration_s`, and no more than the last `size_max` of a producer are: so a ring is
 * searched from its newest end, 40 bytes an entry.
 *
 * Invariants (stream_producers_validate checks them): a ring's entries grow in time and there are
 * no more than size_max; `tracked` is the sum over all rings. A producer that has nothing left goes
 * when it is next come upon: each addition looks at one more. */
#ifndef LARDER_TYPES_STREAM_PRODUCER_H
#define LARDER_TYPES_STREAM_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "ds/id_index.h"
#include "types/stream_names.h"

struct stream_sent_id {
    uint64_t low;
    uint64_t high;
};

/* What is remembered of an entry. */
struct stream_sent {
    struct stream_sent_id sent;
    struct stream_id id;
    int64_t added_ms;
};
_Static_assert(sizeof(struct stream_sent) == 40, "what is remembered of an entry is 40 bytes");

struct stream_producers {
    uint32_t duration_s;
    uint32_t size_max;
    uint64_t tracked;    /* ids that are remembered, of all producers */
    uint64_t added;      /* that there have ever been */
    uint64_t duplicates; /* that came again */
    struct stream_names names;
    uint32_t swept; /* where the next look for producers with nothing left is */
};

struct stream_producers *stream_producers_new(uint32_t duration_s, uint32_t size_max);
void stream_producers_free(struct stream_producers *producers);
/* NULL when there is no memory. */
struct stream_producers *stream_producers_try_copy(const struct stream_producers *producers);

/* What is remembered is forgotten, and these hold from now on. */
void stream_producers_configure(struct stream_producers *producers, uint32_t duration_s,
                                uint32_t size_max);

/* The hash of an idempotent id. */
struct stream_sent_id stream_sent_id_of(struct bytes text);

/* Whether the producer has sent it, and which entry it became. */
bool stream_sent_find(struct stream_producers *producers, struct bytes producer,
                      struct stream_sent_id sent, int64_t now_ms, struct stream_id *id);

/* Remembers what was not found. False when there is no memory. */
bool stream_sent_try_add(struct stream_producers *producers, struct bytes producer,
                         struct stream_sent_id sent, int64_t now_ms, struct stream_id id);

/* All that is known, producer by producer below names.count: its name, how many of its ids are
 * remembered, and each one, the oldest first. */
struct bytes stream_producer_name(const struct stream_producers *producers, uint32_t index);
uint32_t stream_producer_count(const struct stream_producers *producers, uint32_t index);
struct stream_sent stream_producer_sent(const struct stream_producers *producers, uint32_t index,
                                        uint32_t at);

/* The other way round: a producer, whatever its name (stream_names_sort(&producers->names) once all
 * are there), and then its ids, size_max at most. The first is false when there is no memory. */
bool stream_producer_try_append(struct stream_producers *producers, struct bytes name);
void stream_producer_remember(struct stream_producers *producers, const struct stream_sent *sent);

size_t stream_producers_footprint(const struct stream_producers *producers);
void stream_producers_validate(const struct stream_producers *producers);

#endif
