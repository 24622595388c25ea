/* history: two rings. What is missing is written as a point of -1, so that places are times. */
#include "feature/history.h"

#include "base/check.h"
#include "base/mem.h"

struct ring {
    struct history_point *points;
    size_t capacity;
    size_t next;    /* written next */
    uint64_t added; /* ever */
    int64_t time_s; /* of the newest */
};

struct history {
    struct ring rings[HISTORY_RINGS];
    struct history_point seconds[HISTORY_SECONDS];
    struct history_point minutes[HISTORY_MINUTES];
};
_Static_assert(sizeof(struct history) < 256 * 1024, "both rings take less than 256 KB");
_Static_assert(sizeof(struct history_point) == 64, "as the picture says");

struct history *history_new(void) {
    struct history *history = mem_zalloc(MEM_FEATURE, sizeof *history);
    history->rings[HISTORY_BY_SECOND] =
        (struct ring){.points = history->seconds, .capacity = HISTORY_SECONDS};
    history->rings[HISTORY_BY_MINUTE] =
        (struct ring){.points = history->minutes, .capacity = HISTORY_MINUTES};
    return history;
}

void history_free(struct history *history) {
    mem_free(MEM_FEATURE, history, sizeof *history);
}

static void push(struct ring *ring, const struct history_point *point) {
    ring->points[ring->next] = *point;
    ring->next = (ring->next + 1) % ring->capacity;
    ring->added++;
}

void history_add(struct history *history, enum history_ring number, int64_t time_s,
                 uint64_t skipped, const struct history_point *point) {
    struct ring *ring = &history->rings[number];
    struct history_point absent;
    for (int series = 0; series < HISTORY_SERIES; series++) {
        absent.values[series] = -1;
    }
    /* More than the ring holds push out everything; who counts needs to know of them all. */
    uint64_t beyond = skipped > ring->capacity ? skipped - ring->capacity : 0;
    ring->added += beyond;
    for (uint64_t i = beyond; i < skipped; i++) {
        push(ring, &absent);
    }
    push(ring, point);
    ring->time_s = time_s;
}

size_t history_count(const struct history *history, enum history_ring number) {
    const struct ring *ring = &history->rings[number];
    return ring->added < ring->capacity ? (size_t)ring->added : ring->capacity;
}

int64_t history_time(const struct history *history, enum history_ring number) {
    return history->rings[number].time_s;
}

const struct history_point *history_at(const struct history *history, enum history_ring number,
                                       size_t age) {
    const struct ring *ring = &history->rings[number];
    check(age < history_count(history, number));
    return &ring->points[(ring->next + ring->capacity - 1 - age) % ring->capacity];
}

uint64_t history_added(const struct history *history, enum history_ring number) {
    return history->rings[number].added;
}

const char *history_name(enum history_series series) {
    static const char *const names[] = {
        "requests", "hits", "misses", "evicted", "expired", "input",  "output",  "p50",
        "p99",      "p999", "keys",   "clients", "data",    "tables", "buffers", "other",
    };
    _Static_assert(sizeof names / sizeof names[0] == HISTORY_SERIES, "every series has a name");
    return names[series];
}
