/* handoff: what one thread hands to another, in order: batches on their way to be executed, batches
 * on their way back, parcels of messages. Lock-free; one producer and one consumer for each queue.
 *
 *     producer -> newest -> ... -> oldest -> NULL        the consumer takes all of it at once
 *
 * The producer links an item in front of the newest, and the consumer exchanges the whole chain for
 * nothing and turns it round. So the queue has no bound, takes no memory, and an empty one costs
 * its consumer one load. Whatever the producer wrote before the push is seen by the consumer after
 * the take. Waking the consumer is the matter of the caller. */
#ifndef LARDER_CLIENT_HANDOFF_H
#define LARDER_CLIENT_HANDOFF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum handoff_kind { HANDOFF_BATCH, HANDOFF_PARCEL };

/* The first field of what is handed over. */
struct handoff {
    struct handoff *next;
    enum handoff_kind kind;
};

struct handoff_queue {
    _Atomic(struct handoff *) newest;
};

/* By the producer. The item is the consumer's from now on. */
static inline void handoff_push(struct handoff_queue *queue, struct handoff *item) {
    struct handoff *newest = atomic_load_explicit(&queue->newest, memory_order_relaxed);
    do {
        item->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&queue->newest, &newest, item,
                                                    memory_order_release, memory_order_relaxed));
}

static inline bool handoff_is_empty(struct handoff_queue *queue) {
    return atomic_load_explicit(&queue->newest, memory_order_relaxed) == NULL;
}

/* By the consumer: everything, oldest first, linked by `next`; NULL when there is nothing. */
static inline struct handoff *handoff_take(struct handoff_queue *queue) {
    if (handoff_is_empty(queue)) {
        return NULL;
    }
    struct handoff *newest = atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
    struct handoff *oldest = NULL;
    while (newest != NULL) {
        struct handoff *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

#endif
