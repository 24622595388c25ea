/* mem: allocation, counted by purpose.
 *
 * Every allocation of the server goes through here, so that the memory limit can be true: what is
 * counted is the size class that the allocator really hands out, not what was asked for. Whoever
 * frees passes the size that was asked for; the allocator is spared a look-up (sdallocx).
 *
 * Counters are per thread and added up on demand, so that counting costs one addition. A block
 * may be freed by another thread than the one that allocated it: single threads' counters may go
 * below zero, the sums do not.
 *
 * A small allocation that fails ends the process with a message: there is no sensible way on.
 * A size that a client chose goes through mem_try_alloc and becomes an error reply.
 *
 * The allocator is jemalloc. With -DMEM_LIBC (sanitizer builds) it is the C library's; the classes
 * that are counted stay jemalloc's, so that both builds count alike. */
#ifndef LARDER_BASE_MEM_H
#define LARDER_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What memory is for. INFO and MEMORY STATS name each. The order is that of mem_purpose_name. */
enum mem_purpose {
    MEM_DATA,     /* entries, blobs, packs: what the user stored */
    MEM_TABLE,    /* dictionaries of keys and of elements */
    MEM_DEADLINE, /* the index of deadlines */
    MEM_CLIENT,   /* connections: what an idle one takes */
    MEM_BUFFER,   /* requests and replies under way: never reason to evict data */
    MEM_ARENA,    /* read and reply arenas of the loops */
    MEM_SCRIPT,   /* interpreters of scripts, and what is known of scripts */
    MEM_FEATURE,  /* slow log, latency, monitors ... */
    MEM_OTHER,    /* configuration, command table, the rest */
    MEM_PURPOSES
};

/* The size class that serves a request of `size` bytes, size >= 1: what an allocation really
 * takes. jemalloc: 8, then multiples of 16 up to 128, then four classes for every doubling;
 * checked against the allocator at start-up. */
static inline size_t mem_class(size_t size) {
    if (size <= 128) {
        return size <= 8 ? 8 : (size + 15) & ~(size_t)15;
    }
    unsigned log = 63u - (unsigned)__builtin_clzll(size - 1);
    size_t step = (size_t)1 << (log - 2);
    return (size + step - 1) & ~(step - 1);
}

/* Allocates `size` bytes, size >= 1, aligned to 16 when size >= 16, and to 64 when it is a power of
 * two from 64 on or a multiple of 4096. Not zeroed. Never NULL. */
void *mem_alloc(enum mem_purpose purpose, size_t size);

/* Like mem_alloc, zeroed. */
void *mem_zalloc(enum mem_purpose purpose, size_t size);

/* Like mem_alloc, but NULL when there is no memory. */
void *mem_try_alloc(enum mem_purpose purpose, size_t size);

/* Frees what mem_alloc gave for the same purpose. `size` is the size that was asked for, or any
 * size of the same class. at == NULL does nothing. */
void mem_free(enum mem_purpose purpose, void *at, size_t size);

/* Changes the size; the content is kept up to the smaller of both. `at` may be NULL with
 * old_size 0. Never NULL. */
void *mem_realloc(enum mem_purpose purpose, void *at, size_t old_size, size_t size);

/* Like mem_realloc, but NULL when there is no memory; `at` is untouched then. */
void *mem_try_realloc(enum mem_purpose purpose, void *at, size_t old_size, size_t size);

/* For a library that allocates through functions like malloc's, and does not say the size when it
 * frees. What is counted is what the allocator gave. NULL when there is no memory; `at` may be NULL
 * in both. Costs one look-up, when it frees. */
void *mem_foreign_realloc(enum mem_purpose purpose, void *at, size_t size);
void mem_foreign_free(enum mem_purpose purpose, void *at);

/* Copies `size` bytes into a new block of size + 1 with a NUL behind. Freed with size + 1. */
char *mem_copy_text(enum mem_purpose purpose, const char *at, size_t size);

/* Counts a block of this size that is there under another purpose from now on. */
void mem_recount(enum mem_purpose from, enum mem_purpose to, size_t size);

/* Bytes in use, by purpose and in all, over all threads. Costs a walk over the threads. */
size_t mem_used_by(enum mem_purpose purpose);
size_t mem_used(void);

/* The same as mem_used from a handler of signals: false, and nothing in *out, when some thread is
 * in the middle of what must not be disturbed. */
bool mem_try_used(size_t *out);

/* Bytes in use in all as the calling thread's own counters say: exact when only this thread
 * allocates, otherwise a hint. Costs a few additions. */
int64_t mem_used_here(void);

/* What the calling thread's own counters say of MEM_DATA, MEM_TABLE and MEM_DEADLINE, which are
 * what commands change: together with what mem_used_beside said it tells what counts against the
 * limit of memory. Costs three additions. */
int64_t mem_stored_here(void);

/* What they say of MEM_BUFFER. */
int64_t mem_buffered_here(void);

/* What counts against the limit of memory, MEM_BUFFER being all that does not, without
 * mem_stored_here of the calling thread. May be negative. Costs a walk over the threads. */
int64_t mem_used_beside(void);

/* The highest value of mem_used that mem_note_peak has seen. */
size_t mem_peak(void);
void mem_note_peak(void);
void mem_reset_peak(void);

const char *mem_purpose_name(enum mem_purpose purpose);

/* "jemalloc-5.3.0" or "libc". */
const char *mem_allocator_name(void);

/* What the allocator says of itself; all in bytes, zero where it does not tell. */
struct mem_allocator_stats {
    size_t allocated; /* handed out */
    size_t active;    /* in pages that hold something handed out */
    size_t resident;  /* in pages mapped and touched */
    size_t unused;    /* of these, in pages that hold nothing and will be given back */
    size_t mapped;
    size_t retained;
};
void mem_allocator_stats(struct mem_allocator_stats *stats);

/* Gives unused pages back to the system now. */
void mem_purge(void);

/* The allocator's own report, given to `write` piece by piece. */
void mem_allocator_report(void (*write)(void *context, const char *text), void *context);

/* Checks the size classes against the allocator; called once by main and by the tests.
 * 0, or -1 when mem_class is wrong for this allocator. */
int mem_verify_classes(void);

/* For tests: the Nth allocation from now that may fail (mem_try_*) fails; 0 turns it off. */
void mem_fail_after(uint64_t allocations);

#endif
