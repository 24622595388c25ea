/* mem: allocation, counted by purpose.
 *
 * Each thread has its own row of counters, in thread-local storage, and is the only one that writes
 * it, so that counting takes no locked instruction. The rows of all living threads are linked into
 * a list when a thread first allocates; a row of a thread that ends is added to `departed`.
 *
 *     living --> [ row of thread 1 ] --> [ row of thread 2 ] --> NULL       used = sum of all rows
 *                  int64 a purpose         int64 a purpose                       + departed
 *
 * Invariants:
 *   1. a row is in the list exactly while its `listed` is true, and only its thread changes it;
 *   2. the list and `departed` change under `lock` only;
 *   3. what an allocation adds is mem_class(size), and what its release takes away is the same
 *      number, with either allocator.
 *
 * Costs: mem_alloc and mem_free take one call of the allocator, one branch and one addition.
 * malloc is used rather than mallocx, for it is jemalloc's fast path; sdallocx is the fast path of
 * freeing. */
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef MEM_LIBC
#include <jemalloc/jemalloc.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEM_KNOWS_SIZES 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MEM_KNOWS_SIZES 1
#endif

#ifdef MEM_LIBC
#include <malloc.h>
#endif

#include "base/check.h"
#include "base/mem_int.h"

/* Sizes from here on are refused before the allocator sees them: mem_class would overflow. */
#define SIZE_LIMIT ((size_t)PTRDIFF_MAX / 2)

/* One cache line of alignment for what is one cache line large, and for whole pages. */
#define LINE_SIZE 64
#define PAGE_SIZE 4096

/* mem_verify_classes checks every size up to this one and samples above, where a doubling has
 * four classes and nothing else can differ. */
#define VERIFY_ALL_UP_TO  (64 * 1024)
#define VERIFY_SAMPLES_TO ((size_t)1 << 40)

struct counters {
    _Atomic int64_t used[MEM_PURPOSES];
    bool listed;
    struct counters *next;
};

static _Thread_local struct counters local;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct counters *living;
static int64_t departed[MEM_PURPOSES];

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static _Atomic size_t peak;
static _Atomic uint64_t failing_in; /* 0: no allocation is made to fail */

/* The allocator: jemalloc, or the C library's. */

#ifndef MEM_LIBC
/* jemalloc's settings; it looks for this name, and MALLOC_CONF in the environment overrides them.
 * slab_sizes: its bookkeeping costs 128 bytes for each slab, and its own slabs of 1 KiB blocks hold
 * four of them. With slabs of 32 KiB that is nothing; and since those of all classes from 64 bytes
 * on are equally large, one that is given back serves any other class at once.
 * dirty_decay_ms: what was freed goes back to the system within a second, not ten, so that the
 * resident set follows when values of other sizes come. */
const char *malloc_conf;
const char *malloc_conf = "slab_sizes:1-1024:8,dirty_decay_ms:1000,muzzy_decay_ms:0";
#endif

#ifndef MEM_LIBC

static inline void *raw_alloc(size_t size) {
    return malloc(size);
}

static inline void *raw_zalloc(size_t size) {
    return calloc(1, size);
}

static inline void *raw_realloc(void *at, size_t old_size, size_t size) {
    (void)old_size;
    return rallocx(at, size, 0);
}

static inline void raw_free(void *at, size_t size) {
    sdallocx(at, size, 0);
}

/* The compiler takes the question for a look at bytes that nobody has written. */
static inline size_t raw_size(void *at) {
    __asm__("" : "+r"(at));
    return sallocx(at, 0);
}

/* The same of what raw_alloc has just given, without looking. */
static inline size_t raw_new_size(void *at, size_t size) {
    (void)at;
    return mem_class(size);
}

#else

static inline size_t raw_size(void *at) {
    return malloc_usable_size(at);
}

static inline size_t raw_new_size(void *at, size_t size) {
    (void)size;
    return malloc_usable_size(at);
}

static bool needs_alignment(size_t size) {
    bool power = (size & (size - 1)) == 0;
    return (power && size >= LINE_SIZE) || size % PAGE_SIZE == 0;
}

/* The whole size class is asked for, since an owner may use all of it (an entry's value is
 * overwritten in place as long as it fits the class). */
static inline void *raw_alloc(size_t size) {
    return needs_alignment(size) ? aligned_alloc(LINE_SIZE, mem_class(size))
                                 : malloc(mem_class(size));
}

static inline void *raw_zalloc(size_t size) {
    if (!needs_alignment(size)) {
        return calloc(1, mem_class(size));
    }
    void *at = aligned_alloc(LINE_SIZE, mem_class(size));
    return at == NULL ? NULL : memset(at, 0, size);
}

static inline void raw_free(void *at, size_t size) {
#ifdef MEM_KNOWS_SIZES
    /* The sanitizer's allocator remembers the size that was asked for, so that here, and only
     * here, a wrong size is found out. */
    check(mem_class(malloc_usable_size(at)) == mem_class(size));
#else
    (void)size;
#endif
    free(at);
}

/* realloc keeps no alignment beyond 16. */
static inline void *raw_realloc(void *at, size_t old_size, size_t size) {
    if (!needs_alignment(size)) {
        return realloc(at, mem_class(size));
    }
    void *moved = aligned_alloc(LINE_SIZE, mem_class(size));
    if (moved != NULL) {
        memcpy(moved, at, old_size < size ? old_size : size);
        raw_free(at, old_size);
    }
    return moved;
}

#endif

void *mem_uncounted_alloc(size_t size) {
    return raw_alloc(size);
}

void mem_uncounted_free(void *at, size_t size) {
    raw_free(at, size);
}

/* Counting. */

/* Runs when a thread ends. A later destructor of the same thread may still allocate: then the row
 * is listed again and this runs once more. */
static void thread_departs(void *at) {
    struct counters *mine = at;
    pthread_mutex_lock(&lock);
    struct counters **link = &living;
    while (*link != mine) {
        link = &(*link)->next;
    }
    *link = mine->next;
    for (int i = 0; i < MEM_PURPOSES; i++) {
        departed[i] += atomic_load_explicit(&mine->used[i], memory_order_relaxed);
        atomic_store_explicit(&mine->used[i], 0, memory_order_relaxed);
    }
    mine->listed = false;
    pthread_mutex_unlock(&lock);
}

static void key_create(void) {
    check(pthread_key_create(&key, thread_departs) == 0);
}

static __attribute__((noinline, cold)) void thread_arrives(struct counters *mine) {
    pthread_once(&key_once, key_create);
    pthread_mutex_lock(&lock);
    mine->next = living;
    living = mine;
    mine->listed = true;
    pthread_mutex_unlock(&lock);
    check(pthread_setspecific(key, mine) == 0);
    /* jemalloc sets a thread up at its first allocation, not at its first release. If that then
     * comes from inside a release, because our hooks make it ask who it is, it waits for a lock
     * that it holds. */
    raw_free(raw_alloc(1), 1);
}

static inline void count(enum mem_purpose purpose, int64_t change) {
    if (UNLIKELY(!local.listed)) {
        thread_arrives(&local);
    }
    _Atomic int64_t *counter = &local.used[purpose];
    int64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + change, memory_order_relaxed);
}

static __attribute__((noinline, cold, noreturn)) void out_of_memory(enum mem_purpose purpose,
                                                                    size_t size) {
    fprintf(stderr, "larder: out of memory: %zu bytes for %s\n", size, mem_purpose_name(purpose));
    abort();
}

/* Whether this allocation is the one that a test wants to fail. */
static bool fails_now(void) {
    uint64_t left = atomic_load_explicit(&failing_in, memory_order_relaxed);
    if (LIKELY(left == 0)) {
        return false;
    }
    atomic_store_explicit(&failing_in, left - 1, memory_order_relaxed);
    return left == 1;
}

/* Allocating. */

void *mem_alloc(enum mem_purpose purpose, size_t size) {
    debug_check(size >= 1);
    void *at = raw_alloc(size);
    if (UNLIKELY(at == NULL)) {
        out_of_memory(purpose, size);
    }
    count(purpose, (int64_t)mem_class(size));
    return at;
}

void *mem_zalloc(enum mem_purpose purpose, size_t size) {
    debug_check(size >= 1);
    void *at = raw_zalloc(size);
    if (UNLIKELY(at == NULL)) {
        out_of_memory(purpose, size);
    }
    count(purpose, (int64_t)mem_class(size));
    return at;
}

void *mem_try_alloc(enum mem_purpose purpose, size_t size) {
    debug_check(size >= 1);
    if (fails_now() || size >= SIZE_LIMIT) {
        return NULL;
    }
    void *at = raw_alloc(size);
    if (at != NULL) {
        count(purpose, (int64_t)mem_class(size));
    }
    return at;
}

void mem_free(enum mem_purpose purpose, void *at, size_t size) {
    if (UNLIKELY(at == NULL)) {
        return;
    }
    count(purpose, -(int64_t)mem_class(size));
    raw_free(at, size);
}

/* Changes the size of a block; NULL when there is no memory. */
static void *resize(enum mem_purpose purpose, void *at, size_t old_size, size_t size) {
    if (at == NULL) {
        check(old_size == 0);
        at = raw_alloc(size);
        if (at != NULL) {
            count(purpose, (int64_t)mem_class(size));
        }
        return at;
    }
#ifndef MEM_LIBC
    if (mem_class(size) == mem_class(old_size)) {
        return at; /* any size of a class frees it, so nothing is to be told to the allocator */
    }
#endif
    void *moved = raw_realloc(at, old_size, size);
    if (moved != NULL) {
        count(purpose, (int64_t)mem_class(size) - (int64_t)mem_class(old_size));
    }
    return moved;
}

void *mem_realloc(enum mem_purpose purpose, void *at, size_t old_size, size_t size) {
    debug_check(size >= 1);
    void *moved = size >= SIZE_LIMIT ? NULL : resize(purpose, at, old_size, size);
    if (UNLIKELY(moved == NULL)) {
        out_of_memory(purpose, size);
    }
    return moved;
}

void *mem_try_realloc(enum mem_purpose purpose, void *at, size_t old_size, size_t size) {
    debug_check(size >= 1);
    if (fails_now() || size >= SIZE_LIMIT) {
        return NULL;
    }
    return resize(purpose, at, old_size, size);
}

void *mem_foreign_realloc(enum mem_purpose purpose, void *at, size_t size) {
    if (size == 0) {
        mem_foreign_free(purpose, at);
        return NULL;
    }
    if (at == NULL) {
        void *new = raw_alloc(size);
        if (new != NULL) {
            count(purpose, (int64_t)raw_new_size(new, size));
        }
        return new;
    }
    int64_t before = (int64_t)raw_size(at);
    void *moved = realloc(at, size);
    if (moved != NULL) {
        count(purpose, (int64_t)raw_size(moved) - before);
    }
    return moved;
}

void mem_foreign_free(enum mem_purpose purpose, void *at) {
    if (at != NULL) {
        size_t size = raw_size(at);
        count(purpose, -(int64_t)size);
        raw_free(at, size); /* which looks no more for what it is told */
    }
}

char *mem_copy_text(enum mem_purpose purpose, const char *at, size_t size) {
    char *copy = mem_alloc(purpose, size + 1);
    if (size > 0) {
        memcpy(copy, at, size);
    }
    copy[size] = '\0';
    return copy;
}

void mem_recount(enum mem_purpose from, enum mem_purpose to, size_t size) {
    count(from, -(int64_t)mem_class(size));
    count(to, (int64_t)mem_class(size));
}

/* Telling. */

/* Sums [first, last] over all threads. A sum that other threads are changing may be below zero for
 * an instant; it then reads as zero. */
static int64_t locked_sum_of(int first, int last) {
    int64_t sum = 0;
    for (int i = first; i <= last; i++) {
        sum += departed[i];
    }
    for (struct counters *row = living; row != NULL; row = row->next) {
        for (int i = first; i <= last; i++) {
            sum += atomic_load_explicit(&row->used[i], memory_order_relaxed);
        }
    }
    return sum;
}

static int64_t signed_sum_of(int first, int last) {
    pthread_mutex_lock(&lock);
    int64_t sum = locked_sum_of(first, last);
    pthread_mutex_unlock(&lock);
    return sum;
}

static size_t sum_of(int first, int last) {
    int64_t sum = signed_sum_of(first, last);
    return sum < 0 ? 0 : (size_t)sum;
}

size_t mem_used_by(enum mem_purpose purpose) {
    return sum_of((int)purpose, (int)purpose);
}

size_t mem_used(void) {
    return sum_of(0, MEM_PURPOSES - 1);
}

bool mem_try_used(size_t *out) {
    if (pthread_mutex_trylock(&lock) != 0) {
        return false;
    }
    int64_t sum = locked_sum_of(0, MEM_PURPOSES - 1);
    pthread_mutex_unlock(&lock);
    *out = sum < 0 ? 0 : (size_t)sum;
    return true;
}

int64_t mem_used_here(void) {
    int64_t sum = 0;
    for (int i = 0; i < MEM_PURPOSES; i++) {
        sum += atomic_load_explicit(&local.used[i], memory_order_relaxed);
    }
    return sum;
}

int64_t mem_stored_here(void) {
    return atomic_load_explicit(&local.used[MEM_DATA], memory_order_relaxed) +
           atomic_load_explicit(&local.used[MEM_TABLE], memory_order_relaxed) +
           atomic_load_explicit(&local.used[MEM_DEADLINE], memory_order_relaxed);
}

int64_t mem_buffered_here(void) {
    return atomic_load_explicit(&local.used[MEM_BUFFER], memory_order_relaxed);
}

int64_t mem_used_beside(void) {
    return signed_sum_of(0, MEM_BUFFER - 1) + signed_sum_of(MEM_BUFFER + 1, MEM_PURPOSES - 1) -
           mem_stored_here();
}

size_t mem_peak(void) {
    return atomic_load_explicit(&peak, memory_order_relaxed);
}

void mem_note_peak(void) {
    size_t used = mem_used();
    size_t seen = atomic_load_explicit(&peak, memory_order_relaxed);
    while (used > seen && !atomic_compare_exchange_weak_explicit(
                              &peak, &seen, used, memory_order_relaxed, memory_order_relaxed)) {}
}

void mem_reset_peak(void) {
    atomic_store_explicit(&peak, mem_used(), memory_order_relaxed);
}

const char *mem_purpose_name(enum mem_purpose purpose) {
    static const char *const names[] = {"data",  "table",  "deadline", "client", "buffer",
                                        "arena", "script", "feature",  "other"};
    _Static_assert(sizeof names / sizeof names[0] == MEM_PURPOSES, "every purpose has a name");
    return purpose < MEM_PURPOSES ? names[purpose] : "unknown";
}

void mem_fail_after(uint64_t allocations) {
    atomic_store_explicit(&failing_in, allocations, memory_order_relaxed);
}

#ifndef MEM_LIBC

#define TEXT_OF(x)          #x
#define TEXT_OF_EXPANDED(x) TEXT_OF(x)

const char *mem_allocator_name(void) {
    return "jemalloc-" TEXT_OF_EXPANDED(JEMALLOC_VERSION_MAJOR) "." TEXT_OF_EXPANDED(
        JEMALLOC_VERSION_MINOR) "." TEXT_OF_EXPANDED(JEMALLOC_VERSION_BUGFIX);
}

static size_t allocator_number(const char *name) {
    size_t value = 0;
    size_t size = sizeof value;
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

#define ALL_ARENAS "stats.arenas." TEXT_OF_EXPANDED(MALLCTL_ARENAS_ALL)

void mem_allocator_stats(struct mem_allocator_stats *stats) {
    /* The figures are a snapshot that is renewed when the epoch advances. */
    uint64_t epoch = 1;
    size_t size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, size);
    *stats = (struct mem_allocator_stats){
        .allocated = allocator_number("stats.allocated"),
        .active = allocator_number("stats.active"),
        .resident = allocator_number("stats.resident"),
        .unused = allocator_number(ALL_ARENAS ".pdirty") * PAGE_SIZE,
        .mapped = allocator_number("stats.mapped"),
        .retained = allocator_number("stats.retained"),
    };
}

void mem_purge(void) {
    mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    char name[32];
    snprintf(name, sizeof name, "arena.%d.purge", (int)MALLCTL_ARENAS_ALL);
    mallctl(name, NULL, NULL, NULL, 0);
}

void mem_allocator_report(void (*write)(void *context, const char *text), void *context) {
    malloc_stats_print(write, context, NULL);
}

/* Whether blocks of this size come from jemalloc with the alignment that mem_alloc promises. Two
 * at once, for a first block of a run is aligned by chance. */
static bool alignment_holds(size_t size) {
    void *blocks[2] = {malloc(size), malloc(size)};
    bool good = true;
    for (int i = 0; i < 2; i++) {
        good = good && blocks[i] != NULL && (uintptr_t)blocks[i] % LINE_SIZE == 0 &&
               sallocx(blocks[i], 0) == mem_class(size);
        if (blocks[i] != NULL) {
            sdallocx(blocks[i], size, 0);
        }
    }
    return good;
}

int mem_verify_classes(void) {
    for (size_t size = 1; size <= VERIFY_ALL_UP_TO; size++) {
        if (mem_class(size) != nallocx(size, 0)) {
            return -1;
        }
    }
    for (size_t power = VERIFY_ALL_UP_TO; power < VERIFY_SAMPLES_TO; power *= 2) {
        for (size_t eighth = 0; eighth < 8; eighth++) {
            size_t size = power + eighth * (power / 8);
            if (mem_class(size) != nallocx(size, 0) ||
                mem_class(size + 1) != nallocx(size + 1, 0)) {
                return -1;
            }
        }
    }
    bool aligned = alignment_holds(LINE_SIZE);
    for (size_t pages = 1; pages <= 16; pages++) {
        aligned = aligned && alignment_holds(pages * PAGE_SIZE);
    }
    return aligned ? 0 : -1;
}

#else

const char *mem_allocator_name(void) {
    return "libc";
}

void mem_allocator_stats(struct mem_allocator_stats *stats) {
    *stats = (struct mem_allocator_stats){0};
}

void mem_purge(void) {
}

void mem_allocator_report(void (*write)(void *context, const char *text), void *context) {
    write(context, "The C library's allocator has no report.\n");
}

/* The classes are jemalloc's by definition here, so that both builds count alike. */
int mem_verify_classes(void) {
    return 0;
}

#endif
