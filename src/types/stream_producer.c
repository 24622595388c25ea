/* stream_producer: see the header. */
#include "types/stream_producer.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

#define FIRST_CAPACITY 4u
/* Two hashes that are the same in every process, for what one remembers another one may be told. */
#define SEED_LOW  0x8f14e45fceea167aull
#define SEED_HIGH 0x45c48cce2e2d7fbdull

struct producer {
    struct stream_named named;
    uint32_t first; /* of the ring */
    uint32_t count;
    uint32_t capacity;
    struct stream_sent *ring;
};

static inline struct producer *producer_at(const struct stream_producers *producers,
                                           uint32_t index) {
    return (struct producer *)producers->names.at[index];
}

static inline struct stream_sent *sent_at(const struct producer *producer, uint32_t at) {
    uint32_t place = producer->first + at;
    return &producer->ring[place < producer->capacity ? place : place - producer->capacity];
}

static void producer_free(struct producer *producer) {
    mem_free(MEM_DATA, producer->ring, producer->capacity * sizeof *producer->ring);
    stream_named_free(producer);
}

struct stream_producers *stream_producers_new(uint32_t duration_s, uint32_t size_max) {
    struct stream_producers *producers = mem_zalloc(MEM_DATA, sizeof *producers);
    producers->duration_s = duration_s;
    producers->size_max = size_max;
    return producers;
}

static void forget_all(struct stream_producers *producers) {
    for (uint32_t i = 0; i < producers->names.count; i++) {
        producer_free(producer_at(producers, i));
    }
    stream_names_clear(&producers->names);
    producers->tracked = 0;
    producers->swept = 0;
}

void stream_producers_free(struct stream_producers *producers) {
    forget_all(producers);
    mem_free(MEM_DATA, producers, sizeof *producers);
}

void stream_producers_configure(struct stream_producers *producers, uint32_t duration_s,
                                uint32_t size_max) {
    forget_all(producers);
    producers->duration_s = duration_s;
    producers->size_max = size_max;
}

struct stream_producers *stream_producers_try_copy(const struct stream_producers *producers) {
    struct stream_producers *copy =
        stream_producers_new(producers->duration_s, producers->size_max);
    copy->added = producers->added;
    copy->duplicates = producers->duplicates;
    copy->tracked = producers->tracked;
    for (uint32_t i = 0; i < producers->names.count; i++) {
        const struct producer *from = producer_at(producers, i);
        struct producer *to = stream_named_try_new(sizeof *to, stream_name(&from->named));
        if (to == NULL) {
            stream_producers_free(copy);
            return NULL;
        }
        to->first = from->first;
        to->count = from->count;
        to->capacity = from->capacity;
        to->ring = mem_alloc(MEM_DATA, to->capacity * sizeof *to->ring);
        memcpy(to->ring, from->ring, to->capacity * sizeof *to->ring);
        stream_names_add(&copy->names, i, &to->named);
    }
    return copy;
}

struct stream_sent_id stream_sent_id_of(struct bytes text) {
    return (struct stream_sent_id){hash_bytes(SEED_LOW, text.at, text.size),
                                   hash_bytes(SEED_HIGH, text.at, text.size)};
}

/* Forgets what is too old. */
static void expire(struct stream_producers *producers, struct producer *producer, int64_t now_ms) {
    int64_t oldest_ms = now_ms - (int64_t)producers->duration_s * 1000;
    while (producer->count > 0 && sent_at(producer, 0)->added_ms <= oldest_ms) {
        producer->first = producer->first + 1 == producer->capacity ? 0 : producer->first + 1;
        producer->count--;
        producers->tracked--;
    }
}

/* Looks at one producer in turn, and lets it go if it has nothing left. */
static void sweep(struct stream_producers *producers, int64_t now_ms) {
    if (producers->swept >= producers->names.count) {
        producers->swept = 0;
    }
    if (producers->names.count == 0) {
        return;
    }
    struct producer *producer = producer_at(producers, producers->swept);
    expire(producers, producer, now_ms);
    if (producer->count > 0) {
        producers->swept++;
        return;
    }
    stream_names_remove(&producers->names, producers->swept);
    producer_free(producer);
}

bool stream_sent_find(struct stream_producers *producers, struct bytes name,
                      struct stream_sent_id sent, int64_t now_ms, struct stream_id *id) {
    uint32_t index;
    if (!stream_names_find(&producers->names, name, &index)) {
        return false;
    }
    struct producer *producer = producer_at(producers, index);
    expire(producers, producer, now_ms);
    for (uint32_t i = producer->count; i-- > 0;) {
        const struct stream_sent *known = sent_at(producer, i);
        if (known->sent.low == sent.low && known->sent.high == sent.high) {
            *id = known->id;
            return true;
        }
    }
    return false;
}

/* Room for one more, the oldest making way at the limit. */
static void make_room(struct stream_producers *producers, struct producer *producer) {
    if (producer->count >= producers->size_max) {
        producer->first = producer->first + 1 == producer->capacity ? 0 : producer->first + 1;
        producer->count--;
        producers->tracked--;
    }
    if (producer->count < producer->capacity) {
        return;
    }
    uint32_t capacity = producer->capacity == 0 ? FIRST_CAPACITY : producer->capacity * 2;
    capacity = capacity > producers->size_max ? producers->size_max : capacity;
    struct stream_sent *ring = mem_alloc(MEM_DATA, capacity * sizeof *ring);
    for (uint32_t i = 0; i < producer->count; i++) {
        ring[i] = *sent_at(producer, i);
    }
    mem_free(MEM_DATA, producer->ring, producer->capacity * sizeof *ring);
    producer->ring = ring;
    producer->capacity = capacity;
    producer->first = 0;
}

/* Behind what is remembered. A clock that was set back does not make anything older than what was
 * before it. */
static void remember(struct stream_producers *producers, struct producer *producer,
                     const struct stream_sent *sent) {
    make_room(producers, producer);
    producer->count++;
    producers->tracked++;
    struct stream_sent *last = sent_at(producer, producer->count - 1);
    *last = *sent;
    if (producer->count > 1 && sent_at(producer, producer->count - 2)->added_ms > last->added_ms) {
        last->added_ms = sent_at(producer, producer->count - 2)->added_ms;
    }
}

bool stream_sent_try_add(struct stream_producers *producers, struct bytes name,
                         struct stream_sent_id sent, int64_t now_ms, struct stream_id id) {
    uint32_t index;
    sweep(producers, now_ms);
    struct producer *producer;
    if (stream_names_find(&producers->names, name, &index)) {
        producer = producer_at(producers, index);
    } else {
        producer = stream_named_try_new(sizeof *producer, name);
        if (producer == NULL) {
            return false;
        }
        stream_names_add(&producers->names, index, &producer->named);
    }
    remember(producers, producer,
             &(struct stream_sent){.sent = sent, .id = id, .added_ms = now_ms});
    producers->added++;
    return true;
}

struct bytes stream_producer_name(const struct stream_producers *producers, uint32_t index) {
    return stream_name(producers->names.at[index]);
}

uint32_t stream_producer_count(const struct stream_producers *producers, uint32_t index) {
    return producer_at(producers, index)->count;
}

struct stream_sent stream_producer_sent(const struct stream_producers *producers, uint32_t index,
                                        uint32_t at) {
    return *sent_at(producer_at(producers, index), at);
}

bool stream_producer_try_append(struct stream_producers *producers, struct bytes name) {
    struct producer *producer = stream_named_try_new(sizeof *producer, name);
    if (producer != NULL) {
        stream_names_append(&producers->names, &producer->named);
    }
    return producer != NULL;
}

void stream_producer_remember(struct stream_producers *producers, const struct stream_sent *sent) {
    remember(producers, producer_at(producers, producers->names.count - 1), sent);
}

size_t stream_producers_footprint(const struct stream_producers *producers) {
    size_t size = mem_class(sizeof *producers) + stream_names_footprint(&producers->names);
    for (uint32_t i = 0; i < producers->names.count; i++) {
        const struct producer *producer = producer_at(producers, i);
        size += mem_class(stream_named_size(&producer->named)) +
                mem_class(producer->capacity * sizeof *producer->ring);
    }
    return size;
}

void stream_producers_validate(const struct stream_producers *producers) {
    uint64_t tracked = 0;
    stream_names_validate(&producers->names);
    for (uint32_t i = 0; i < producers->names.count; i++) {
        const struct producer *producer = producer_at(producers, i);
        check(producer->count <= producer->capacity && producer->count <= producers->size_max);
        for (uint32_t at = 1; at < producer->count; at++) {
            check(sent_at(producer, at - 1)->added_ms <= sent_at(producer, at)->added_ms);
        }
        tracked += producer->count;
    }
    check(tracked == producers->tracked);
}
