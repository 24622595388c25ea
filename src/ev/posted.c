/* posted: the exchange of the two lists. */
#include "ev/posted.h"

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAPACITY 32
/* A list that a burst has made longer than this is given back: 16 KiB are kept. */
#define KEPT_CAPACITY 1024

void posted_init(struct posted *posted) {
    *posted = (struct posted){0};
    atomic_init(&posted->has_incoming, false);
    check(pthread_mutex_init(&posted->lock, NULL) == 0);
}

static void list_clear(struct posted_list *list) {
    mem_free(MEM_OTHER, list->calls, list->capacity * sizeof *list->calls);
    *list = (struct posted_list){0};
}

void posted_clear(struct posted *posted) {
    list_clear(&posted->incoming);
    list_clear(&posted->running);
    posted->next = 0;
    pthread_mutex_destroy(&posted->lock);
}

void posted_add(struct posted *posted, loop_posted_fn function, void *context) {
    pthread_mutex_lock(&posted->lock);
    struct posted_list *list = &posted->incoming;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? FIRST_CAPACITY : list->capacity * 2;
        list->calls = mem_realloc(MEM_OTHER, list->calls, list->capacity * sizeof *list->calls,
                                  capacity * sizeof *list->calls);
        list->capacity = capacity;
    }
    list->calls[list->count++] = (struct posted_call){.function = function, .context = context};
    atomic_store_explicit(&posted->has_incoming, true, memory_order_release);
    pthread_mutex_unlock(&posted->lock);
}

static void take_incoming(struct posted *posted) {
    struct posted_list empty = posted->running;
    if (empty.capacity > KEPT_CAPACITY) {
        list_clear(&empty);
    }
    empty.count = 0;
    pthread_mutex_lock(&posted->lock);
    posted->running = posted->incoming;
    posted->incoming = empty;
    atomic_store_explicit(&posted->has_incoming, false, memory_order_relaxed);
    pthread_mutex_unlock(&posted->lock);
    posted->next = 0;
}

void posted_run(struct posted *posted) {
    if (posted->next == posted->running.count) {
        take_incoming(posted);
    }
    size_t left = posted->running.count - posted->next;
    size_t portion = left < POSTED_PER_PASS ? left : POSTED_PER_PASS;
    for (size_t i = 0; i < portion; i++) {
        struct posted_call call = posted->running.calls[posted->next++];
        call.function(call.context);
    }
}
