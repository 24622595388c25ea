/* sparse: what is known of each page, and what is asked of jemalloc.
 *
 * A round asks about all the blocks there are, some forty of them in a page, in no order. So what
 * was told of a page is kept for the round, and believed as long as that means that its blocks
 * stay; who is to move is always asked about again, for a slab that was nearly empty may be the one
 * that is being filled. A table by page number, where one page displaces another:
 *
 *     31            12 11    8 7           1   0
 *     +---------------+-------+-------------+---+
 *     | page, upper   | round | steps empty | 1 |     0: nothing is known
 *     +---------------+-------+-------------+---+
 *
 * What is asked: `experimental.utilization.batch_query` tells of several blocks
 * how many of the places in their slab are free, without a lock; `...query` tells of one block
 * besides which slab of its class new blocks come from, and how much is free in all of them.
 *
 * Both moving ends go past the thread's cache of free blocks: a block from the cache may lie in the
 * very slab that is to be emptied, and one freed into it would keep the slab in use. */
#include "base/sparse.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#ifndef MEM_LIBC
#include <jemalloc/jemalloc.h>
#endif

#include "base/check.h"
#include "base/mem.h"
#include "base/mem_int.h"

/* Bits of the number of pages that are known at most, 2 MiB for pages of 2 GiB: beyond that more is
 * asked. */
#define PAGE_BITS_MIN 10
#define PAGE_BITS_MAX 19
#define PAGE_SHIFT    12
#define ROUNDS        16

static _Atomic bool all_move;

void sparse_move_all(bool all) {
    atomic_store_explicit(&all_move, all, memory_order_relaxed);
}

uint64_t sparse_choose(struct sparse_tally *tally, uint64_t bytes, uint64_t moves_max) {
    uint64_t gained = 0;
    uint64_t moves = 0;
    unsigned chosen = SPARSE_STEPS;
    for (unsigned step = SPARSE_STEPS; step > 1 && gained < bytes && moves < moves_max;) {
        step--;
        if (tally->asked[step] > 0) {
            gained += tally->to_gain[step] / tally->asked[step] * tally->seen[step];
        }
        moves += tally->seen[step];
        chosen = moves > 0 ? step : chosen;
    }
    tally->least_steps = chosen;
    return atomic_load_explicit(&all_move, memory_order_relaxed) ? UINT64_MAX : gained;
}

static size_t pages_size(const struct sparse_tally *tally) {
    return sizeof *tally->pages << tally->page_bits;
}

void sparse_begin_round(struct sparse_tally *tally, size_t bytes) {
    unsigned bits = PAGE_BITS_MIN;
    /* Twice as many places as pages, for they do not lie side by side. */
    while (bits < PAGE_BITS_MAX && (size_t)1 << (bits + PAGE_SHIFT) < 2 * bytes) {
        bits++;
    }
    memset(tally->seen, 0, sizeof tally->seen);
    memset(tally->asked, 0, sizeof tally->asked);
    memset(tally->to_gain, 0, sizeof tally->to_gain);
    tally->round = (tally->round + 1) % ROUNDS;
    if (tally->pages == NULL || tally->page_bits < bits) {
        unsigned least_steps = tally->least_steps;
        sparse_forget(tally);
        tally->least_steps = least_steps;
        tally->page_bits = bits;
        tally->pages = mem_zalloc(MEM_OTHER, pages_size(tally));
    } else if (tally->round == 0) {
        memset(tally->pages, 0, pages_size(tally));
    }
}

void sparse_forget(struct sparse_tally *tally) {
    mem_free(MEM_OTHER, tally->pages, pages_size(tally));
    *tally = (struct sparse_tally){.moved = tally->moved, .kept = tally->kept};
}

static bool everything_moves(size_t count, bool *sparse) {
    if (LIKELY(!atomic_load_explicit(&all_move, memory_order_relaxed))) {
        return false;
    }
    memset(sparse, true, count);
    return true;
}

#ifndef MEM_LIBC

/* Of a class of which less is free, a fiftieth, nothing is moved: there is little to be had, and
 * every further slab costs more moves. */
#define TIDY_PART 50

/* What the allocator tells of one block in a batch, and of a single one; in this order. */
struct slab {
    size_t free;
    size_t places;
    size_t bytes;
};
struct slab_of_class {
    void *filling; /* where the next block of this class will come from */
    struct slab slab;
    size_t class_free; /* in all slabs of the class */
    size_t class_places;
};

#define PATH_DEPTH 3

static pthread_once_t paths_once = PTHREAD_ONCE_INIT;
static size_t batch_path[PATH_DEPTH];
static size_t single_path[PATH_DEPTH];
static bool known;

static void find_paths(void) {
    size_t depth = PATH_DEPTH;
    known = mallctlnametomib("experimental.utilization.batch_query", batch_path, &depth) == 0 &&
            mallctlnametomib("experimental.utilization.query", single_path, &depth) == 0;
}

bool sparse_is_known(void) {
    pthread_once(&paths_once, find_paths);
    return known;
}

/* Whether the block's slab is emptier than those of its class are on average, and not the one that
 * is being filled. */
static bool should_move(void *block) {
    struct slab_of_class told;
    size_t size = sizeof told;
    if (mallctlbymib(single_path, PATH_DEPTH, &told, &size, &block, sizeof block) != 0) {
        return false;
    }
    uintptr_t filling = (uintptr_t)told.filling;
    if ((uintptr_t)block - filling < told.slab.bytes) {
        return false;
    }
    return told.class_free * TIDY_PART >= told.class_places &&
           told.class_free - told.slab.free >= told.slab.places - told.slab.free &&
           told.slab.free * told.class_places > told.class_free * told.slab.places;
}

/* Where a page is noted, and how it is called there. */
static uint32_t *page_note(const struct sparse_tally *tally, const void *block, uint32_t *name) {
    uintptr_t page = (uintptr_t)block >> PAGE_SHIFT;
    *name = (uint32_t)(page >> tally->page_bits) << 12 | tally->round << 8 | 1;
    return &tally->pages[page & (((uintptr_t)1 << tally->page_bits) - 1)];
}

/* Whether the block stays by what is known of its page. */
static bool stays(struct sparse_tally *tally, const void *block) {
    if (tally->pages == NULL) {
        return false;
    }
    uint32_t name;
    uint32_t note = *page_note(tally, block, &name);
    unsigned step = note >> 1 & (SPARSE_STEPS - 1);
    if ((note ^ name) & ~0xfeu || (step > 0 && step >= tally->least_steps)) {
        return false;
    }
    tally->seen[step]++;
    return true;
}

/* What the allocator has told of a block: notes it, and decides. */
static bool judge(struct sparse_tally *tally, void *block, const struct slab *slab) {
    /* A large block has a slab of its own with one place. */
    size_t step = slab->places > 1 ? slab->free * SPARSE_STEPS / slab->places : 0;
    if (step > 0) {
        tally->seen[step]++;
        tally->asked[step]++;
        tally->to_gain[step] +=
            slab->free * (slab->bytes / slab->places) / (slab->places - slab->free);
    }
    if (tally->pages != NULL) {
        uint32_t name;
        uint32_t *note = page_note(tally, block, &name);
        *note = name | (uint32_t)step << 1;
    }
    return step > 0 && step >= tally->least_steps && should_move(block);
}

void sparse_find(void *const *blocks, size_t count, bool *sparse, struct sparse_tally *tally) {
    check(count <= SPARSE_BATCH_MAX);
    if (UNLIKELY(everything_moves(count, sparse))) {
        return;
    }
    struct slab told[SPARSE_BATCH_MAX];
    void *asked[SPARSE_BATCH_MAX];
    size_t index[SPARSE_BATCH_MAX];
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++) {
        sparse[i] = false;
        if (!stays(tally, blocks[i])) {
            index[asked_count] = i;
            asked[asked_count++] = blocks[i];
        }
    }
    size_t size = asked_count * sizeof *told;
    uint64_t found = 0;
    if (asked_count > 0 && sparse_is_known() &&
        mallctlbymib(batch_path, PATH_DEPTH, told, &size, asked, asked_count * sizeof *asked) ==
            0) {
        for (size_t i = 0; i < asked_count; i++) {
            sparse[index[i]] = judge(tally, asked[i], &told[i]);
            found += sparse[index[i]];
        }
    }
    tally->kept += count - found;
}

static void *allocate(size_t size) {
    return mallocx(size, MALLOCX_TCACHE_NONE);
}

void sparse_free(void *at, size_t size) {
    sdallocx(at, size, MALLOCX_TCACHE_NONE);
}

#else

bool sparse_is_known(void) {
    return false;
}

void sparse_find(void *const *blocks, size_t count, bool *sparse, struct sparse_tally *tally) {
    (void)blocks;
    check(count <= SPARSE_BATCH_MAX);
    if (!everything_moves(count, sparse)) {
        memset(sparse, false, count);
        tally->kept += count;
    }
}

/* As base/mem allocates: the whole class, and lines and pages aligned. */
static void *allocate(size_t size) {
    return mem_uncounted_alloc(size);
}

void sparse_free(void *at, size_t size) {
    mem_uncounted_free(at, size);
}

#endif

void *sparse_copy(const void *at, size_t size, struct sparse_tally *tally) {
    void *place = allocate(size);
    if (place == NULL) {
        tally->kept++;
        return NULL;
    }
    memcpy(place, at, size);
    tally->moved++;
    return place;
}

void *sparse_settle(void *at, size_t size, struct sparse_tally *tally) {
    bool sparse;
    sparse_find(&at, 1, &sparse, tally);
    void *place = sparse ? sparse_copy(at, size, tally) : NULL;
    if (place == NULL) {
        return at;
    }
    sparse_free(at, size);
    return place;
}
