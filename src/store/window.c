/* window: a queue in chunks. */
#include "store/window.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

/* Items of a chunk, which with its link fills 4 KiB. */
#ifdef LARDER_TEST_SMALL
#define CHUNK_ITEMS 3
#else
#define CHUNK_ITEMS 511
#endif
/* Entries of a chain that are compared: more are never in one. */
#define CHAIN_MAX 64

struct window_chunk {
    struct window_chunk *next;
    uint64_t items[CHUNK_ITEMS];
};

void window_init(struct window *window) {
    memset(window, 0, sizeof *window);
}

void window_clear(struct window *window) {
    while (window->first != NULL) {
        struct window_chunk *next = window->first->next;
        mem_free(MEM_OTHER, window->first, sizeof *window->first);
        window->first = next;
    }
    window_init(window);
}

static uint16_t address_bits(const struct entry *entry) {
    return (uint16_t)((uintptr_t)entry >> 4);
}

void window_push(struct window *window, const struct database *database, uint64_t hash,
                 const struct entry *entry) {
    if (window->last == NULL || window->added == CHUNK_ITEMS) {
        struct window_chunk *chunk = mem_alloc(MEM_OTHER, sizeof *chunk);
        chunk->next = NULL;
        if (window->last == NULL) {
            window->first = chunk;
            window->taken = 0;
        } else {
            window->last->next = chunk;
        }
        window->last = chunk;
        window->added = 0;
    }
    window->last->items[window->added++] =
        hash << 32 | (uint64_t)(uint16_t)database->id << 16 | address_bits(entry);
    window->size++;
}

static uint64_t take(struct window *window) {
    check(window->size > 0);
    struct window_chunk *chunk = window->first;
    uint64_t item = chunk->items[window->taken++];
    window->size--;
    if (window->taken == CHUNK_ITEMS || window->size == 0) {
        window->first = chunk->next;
        window->taken = 0;
        if (window->first == NULL) {
            window->last = NULL;
            window->added = 0;
        }
        mem_free(MEM_OTHER, chunk, sizeof *chunk);
    }
    return item;
}

struct entry *window_pop(struct window *window, struct keyspace *keyspace,
                         struct database **database, uint64_t *hash) {
    uint64_t item = take(window);
    unsigned id = (uint16_t)(item >> 16);
    *database = &keyspace->databases[id];
    struct entry *chain[CHAIN_MAX];
    size_t count = dict_chain(&(*database)->keys, item >> 32, chain, CHAIN_MAX);
    for (size_t i = 0; i < count; i++) {
        if (address_bits(chain[i]) == (uint16_t)item) {
            *hash = keyspace_hash(keyspace, entry_key(chain[i]));
            if ((uint32_t)*hash == (uint32_t)(item >> 32)) {
                return chain[i];
            }
        }
    }
    return NULL;
}
