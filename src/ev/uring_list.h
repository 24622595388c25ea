/* uring_list: a list of numbers that grows: places in a table, tags, descriptors. For uring.c. */
#ifndef LARDER_EV_URING_LIST_H
#define LARDER_EV_URING_LIST_H

#include <stdint.h>

#include "base/mem.h"

struct uring_list {
    uint64_t *at;
    uint32_t count;
    uint32_t room;
};

/* A list of no room is all zero. */
static inline void uring_list_grow(struct uring_list *list) {
    uint32_t room = list->room == 0 ? 64 : list->room * 2;
    list->at =
        mem_realloc(MEM_OTHER, list->at, list->room * sizeof *list->at, room * sizeof *list->at);
    list->room = room;
}

static inline void uring_list_add(struct uring_list *list, uint64_t number) {
    if (list->count == list->room) {
        uring_list_grow(list);
    }
    list->at[list->count++] = number;
}

static inline void uring_list_clear(struct uring_list *list) {
    mem_free(MEM_OTHER, list->at, list->room * sizeof *list->at);
    *list = (struct uring_list){0};
}

#endif
