/* timer_heap: sifting up and down, and keeping the positions true. */
#include "ev/timer_heap.h"

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAPACITY 16

/* Bytes of an array of so many pointers. */
static size_t array_size(int capacity) {
    return (size_t)capacity * sizeof(void *);
}

void timer_heap_init(struct timer_heap *heap) {
    *heap = (struct timer_heap){0};
}

void timer_heap_clear(struct timer_heap *heap) {
    for (int i = 0; i < heap->count; i++) {
        heap->timers[i]->position = -1;
    }
    mem_free(MEM_OTHER, heap->timers, array_size(heap->capacity));
    timer_heap_init(heap);
}

bool timer_heap_holds(const struct timer_heap *heap, const struct loop_timer *timer) {
    return timer->position >= 0 && timer->position < heap->count &&
           heap->timers[timer->position] == timer;
}

static void place(struct timer_heap *heap, int position, struct loop_timer *timer) {
    heap->timers[position] = timer;
    timer->position = position;
}

/* Moves the timer up from a free position to where its parent is not due later. */
static int sift_up(struct timer_heap *heap, int position, const struct loop_timer *timer) {
    while (position > 0) {
        int parent = (position - 1) / 2;
        if (heap->timers[parent]->due_us <= timer->due_us) {
            break;
        }
        place(heap, position, heap->timers[parent]);
        position = parent;
    }
    return position;
}

/* Moves the timer down from a free position to where no child is due earlier. */
static int sift_down(struct timer_heap *heap, int position, const struct loop_timer *timer) {
    for (;;) {
        int child = 2 * position + 1;
        if (child >= heap->count) {
            return position;
        }
        if (child + 1 < heap->count &&
            heap->timers[child + 1]->due_us < heap->timers[child]->due_us) {
            child++;
        }
        if (heap->timers[child]->due_us >= timer->due_us) {
            return position;
        }
        place(heap, position, heap->timers[child]);
        position = child;
    }
}

static void settle(struct timer_heap *heap, int position, struct loop_timer *timer) {
    position = sift_up(heap, position, timer);
    position = sift_down(heap, position, timer);
    place(heap, position, timer);
}

void timer_heap_put(struct timer_heap *heap, struct loop_timer *timer) {
    if (!timer_heap_holds(heap, timer)) {
        if (heap->count == heap->capacity) {
            int capacity = heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity * 2;
            heap->timers = mem_realloc(MEM_OTHER, heap->timers, array_size(heap->capacity),
                                       array_size(capacity));
            heap->capacity = capacity;
        }
        place(heap, heap->count, timer);
        heap->count++;
    }
    settle(heap, timer->position, timer);
}

void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer) {
    if (timer_heap_holds(heap, timer)) {
        int position = timer->position;
        heap->count--;
        struct loop_timer *last = heap->timers[heap->count];
        if (last != timer) {
            settle(heap, position, last);
        }
    }
    timer->position = -1;
}

bool timer_heap_is_valid(const struct timer_heap *heap) {
    for (int i = 0; i < heap->count; i++) {
        if (heap->timers[i]->position != i ||
            heap->timers[(i - 1) / 2]->due_us > heap->timers[i]->due_us) {
            return false;
        }
    }
    return true;
}
