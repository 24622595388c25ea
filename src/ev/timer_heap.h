/* timer_heap: the loop's timers, the next one due on top. For loop.c and its tests.
 *
 * A binary heap of pointers to timers that their owners embed. A timer knows its position, so that
 * moving and removing need no search:
 *
 *     timers  [ p0 | p1 | p2 | p3 ... ]     children of position i: 2i + 1 and 2i + 2
 *               |
 *               v  struct loop_timer, 24 bytes, in its owner: on_time, due_us, position 0
 *
 * Invariants:
 * 1. no timer is due before its parent;
 * 2. timers[i]->position == i.
 * Costs: 8 bytes a timer; adding, moving and removing O(log n); the next due O(1). */
#ifndef LARDER_EV_TIMER_HEAP_H
#define LARDER_EV_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "ev/loop.h"

struct timer_heap {
    struct loop_timer **timers;
    int count;
    int capacity;
};

void timer_heap_init(struct timer_heap *heap);
void timer_heap_clear(struct timer_heap *heap);

/* Whether the timer is in this heap. True to the facts also for a timer whose owner has only zeroed
 * it. */
bool timer_heap_holds(const struct timer_heap *heap, const struct loop_timer *timer);

/* Puts the timer where its due_us belongs, whether it was in the heap or not. */
void timer_heap_put(struct timer_heap *heap, struct loop_timer *timer);

/* Does nothing when the timer is not there. Its position is -1 afterwards. */
void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer);

/* The timer that is due first; NULL when there is none. */
static inline struct loop_timer *timer_heap_first(const struct timer_heap *heap) {
    return heap->count == 0 ? NULL : heap->timers[0];
}

/* Checks the invariants, for tests. */
bool timer_heap_is_valid(const struct timer_heap *heap);

#endif
