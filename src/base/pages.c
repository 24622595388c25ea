/* pages: reservations, the allocator's hooks, and the thread that prepares. The header draws the
 * picture.
 *
 * Invariants (under `lock`):
 * 1. start <= at <= end, start being a multiple of a huge page;
 * 2. what lies before `at` belongs to the allocator, is in `ready` or `cold`, or is being prepared;
 * 3. no memory but what is being prepared or repaired, and the thread's spare, has leave to be in
 *    huge pages (MADV_HUGEPAGE), so that nobody else ever has the kernel zero one.
 *
 * The lock is held for a few instructions, and for the one system call of a new reservation. But
 * the thread that holds it may have lost its processor to anybody, so whoever allocates never waits
 * for it: there is memory without it. */
#include "base/pages.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MEM_LIBC
#include <jemalloc/jemalloc.h>
#endif

#include "base/check.h"
#include "base/crash.h"
#include "base/mem.h"

#ifndef MEM_LIBC

#define HUGE_PAGE   ((size_t)2 << 20)
#define SMALL_PAGE  ((size_t)4096)
#define SMALL_COUNT (HUGE_PAGE / SMALL_PAGE)
/* Address space reserved at a time. It costs nothing but a line in the kernel's list of
 * mappings. */
#define RESERVATION ((size_t)64 << 30)
#define BITS        (RESERVATION / HUGE_PAGE)

/* Small pages of 2 MiB that must be in use before they are made one huge page, which takes as much
 * memory as all of them. */
#define REPAIR_MIN (SMALL_COUNT * 15 / 16)
/* How often the thread looks for something to repair, and how many places it looks at then: at most
 * one is repaired each time, so that a thread that waits for a repair has little chance to do so
 * twice; more in quiet moments, see below. */
#define REPAIR_MS    100
#define REPAIR_LOOKS 64
/* Rounds of that length in which the allocator has asked for nothing, after which prepared pages go
 * back to the kernel. */
#define IDLE_ROUNDS 5

/* Between two huge pages that are prepared, or as many pieces as are touched or given back in a
 * row. */
#define PAUSE_NS 50000

/* Pieces of memory that are given back in a row, some 200 microseconds; how many bytes cost as much
 * again as the call. */
#define GIVEN_COST_MAX 64
#define GIVEN_EASILY   ((size_t)128 << 10)

/* Where there is one processor for all: small pages touched in a row, 150 microseconds if a host
 * has to find each; how long the user may have run in a round for it to count as quiet, and what
 * is repaired in such a round. */
#define TOUCHES       16
#define QUIET_NS      50000000
#define QUIET_REPAIRS 16

/* As in Linux 6.1; older kernels refuse. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct pages {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running;
    bool stopping;
    uintptr_t start; /* of the reservation */
    uintptr_t at;    /* what comes next */
    uintptr_t end;
    uintptr_t ready[PAGES_READY_MAX]; /* the first is given out first */
    size_t ready_count;
    uintptr_t cold[PAGES_READY_MAX]; /* were ready, and were given back to the kernel */
    size_t cold_count;
    bool asked;                /* the allocator has asked for memory, since the last round */
    int idle_rounds;           /* how many rounds it has not */
    uint64_t small[BITS / 64]; /* a bit for each 2 MiB: there may be small pages */
    size_t small_count;        /* bits set */
    size_t small_next;         /* where the thread looks next */
    uintptr_t spare;           /* a huge page for warm_spare, or 0; the thread's */
    extent_hooks_t hooks;
    extent_hooks_t *before; /* the allocator's own */
    unsigned arena;         /* that has the hooks, once `before` is set */
    clockid_t user_clock;   /* processor time of the thread that allocates */
    int64_t user_ns;        /* ... at the end of the last round */
    int user_cpu;           /* the processor on which the allocator asked last */
    int left_cpu;           /* the one that the thread has left; its own, like `allowed` */
    cpu_set_t allowed;      /* processors that the thread may use at all */
    bool alone;             /* that is one, which the user needs too */
    _Atomic size_t prepared;
    _Atomic size_t repaired;
};

static struct pages pages = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uintptr_t round_up(uintptr_t value, size_t alignment) {
    return (value + alignment - 1) & ~(uintptr_t)(alignment - 1);
}

static void *address(uintptr_t at) {
    return (void *)at; /* NOLINT(performance-no-int-to-ptr) */
}

/* Begins another reservation; what is left of the last one is not used any more. */
static bool reserve(void) {
    /* Readable and writable from the beginning: to make it so piece by piece would have whoever
     * allocates wait for the thread, which may be busy with a huge page for milliseconds. */
    void *at = mmap(NULL, RESERVATION, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    /* Even where the system gives huge pages unasked. */
    (void)madvise(at, RESERVATION, MADV_NOHUGEPAGE);
    pages.end = (uintptr_t)at + RESERVATION;
    pages.start = round_up((uintptr_t)at, HUGE_PAGE);
    pages.at = pages.start;
    pages.ready_count = 0;
    pages.cold_count = 0;
    memset(pages.small, 0, sizeof pages.small);
    pages.small_count = 0;
    return true;
}

/* The next piece of the reservation, 0 when it does not fit. */
static uintptr_t take(size_t size, size_t alignment) {
    uintptr_t at = round_up(pages.at, alignment);
    if (at < pages.at || at >= pages.end || pages.end - at < size) {
        return 0;
    }
    pages.at = at + size;
    return at;
}

/* Notes that there may be small pages in what lies whole in this range. */
static void note_small(uintptr_t from, uintptr_t to) {
    if (from < pages.start || to > pages.end) {
        return; /* of an earlier reservation, or none */
    }
    from = from - pages.start < PAGES_SKIPPED ? pages.start + PAGES_SKIPPED : from;
    for (uintptr_t at = from & ~(uintptr_t)(HUGE_PAGE - 1); at < to; at += HUGE_PAGE) {
        size_t bit = (at - pages.start) / HUGE_PAGE;
        uint64_t mask = (uint64_t)1 << bit % 64;
        pages.small_count += (pages.small[bit / 64] & mask) == 0;
        pages.small[bit / 64] |= mask;
    }
}

/* Hooks: they run in whatever thread allocates, inside the allocator. */

/* What is ready, if that will do; the thread then prepares another. */
static uintptr_t take_ready(size_t size, size_t alignment) {
    if (pages.at - pages.start >= PAGES_SKIPPED) {
        pages.asked = true;
        pthread_cond_signal(&pages.wake);
    }
    if (size > HUGE_PAGE || alignment > HUGE_PAGE || pages.ready_count == 0) {
        return 0;
    }
    uintptr_t at = pages.ready[0];
    pages.ready_count--;
    memmove(pages.ready, pages.ready + 1, pages.ready_count * sizeof pages.ready[0]);
    if (pages.alone) {
        note_small(at, at + HUGE_PAGE);
    }
    return at;
}

static uintptr_t take_small(size_t size, size_t alignment) {
    uintptr_t at = take(size, alignment);
    if (at == 0 && size <= RESERVATION / 2 && reserve()) {
        at = take(size, alignment);
    }
    if (at != 0) {
        note_small(at, at + size);
    }
    return at;
}

static void *hook_alloc(extent_hooks_t *hooks, void *wanted, size_t size, size_t alignment,
                        bool *zero, bool *commit, unsigned arena) {
    (void)hooks;
    (void)arena;
    if (wanted != NULL) {
        return NULL; /* where that is, is not ours to say */
    }
    if (pthread_mutex_trylock(&pages.lock) != 0) {
        return pages.before->alloc(pages.before, wanted, size, alignment, zero, commit, arena);
    }
    pages.user_cpu = sched_getcpu();
    uintptr_t at = take_ready(size, alignment);
    if (at == 0) {
        at = take_small(size, alignment);
    }
    pthread_mutex_unlock(&pages.lock);
    if (at == 0) {
        return pages.before->alloc(pages.before, wanted, size, alignment, zero, commit, arena);
    }
    *zero = true;
    *commit = true;
    return address(at);
}

/* Whether the calling thread breathes while it gives back, and what it has given since. */
static _Thread_local bool breathes;
static _Thread_local size_t given_cost;

/* Gives the processor back in between: once the scheduler has let this thread have one that others
 * want too, it would keep it until the next tick, four milliseconds with a usual kernel. */
static void breathe(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* Pages go back to the kernel, which will give small ones in their place. */
static bool hook_purge(extent_hooks_t *hooks, void *extent, size_t size, size_t offset,
                       size_t length, unsigned arena) {
    (void)hooks;
    uintptr_t from = (uintptr_t)extent + offset;
    if (pthread_mutex_trylock(&pages.lock) == 0) {
        note_small(from, from + length);
        pthread_mutex_unlock(&pages.lock);
    }
    if (breathes) {
        given_cost += 1 + length / GIVEN_EASILY;
        if (given_cost >= GIVEN_COST_MAX) {
            given_cost = 0;
            breathe();
        }
    }
    return pages.before->purge_forced(pages.before, extent, size, offset, length, arena);
}

void pages_give_back(void) {
    breathes = true;
    mem_purge();
    breathes = false;
}

/* The thread. */

/* Leaves the processor to who asks for memory, if there is another. */
static void step_aside(int cpu) {
    if (cpu == pages.left_cpu || cpu < 0) {
        return;
    }
    cpu_set_t others = pages.allowed;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0) {
        pages.left_cpu = cpu;
    }
}

static void touch(uintptr_t at) {
    *(volatile char *)address(at) = 0;
}

/* Small pages, a few at a time: a huge one cannot be interrupted. */
static void prepare_small(uintptr_t at) {
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        touch(at + i * SMALL_PAGE);
        if (i % TOUCHES == TOUCHES - 1) {
            breathe();
        }
    }
}

/* Makes one huge page of memory that nobody uses. If the kernel has none, these are 512 small
 * ones. */
static void prepare_huge(uintptr_t at) {
    (void)madvise(address(at), HUGE_PAGE, MADV_HUGEPAGE);
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        touch(at + i * SMALL_PAGE);
    }
    (void)madvise(address(at), HUGE_PAGE, MADV_NOHUGEPAGE);
    breathe();
}

static void prepare(uintptr_t at) {
    if (pages.alone) {
        prepare_small(at);
    } else {
        prepare_huge(at);
    }
    atomic_fetch_add_explicit(&pages.prepared, HUGE_PAGE, memory_order_relaxed);
}

/* The next 2 MiB noted as small, 0 when a round has found none. Takes it off the note. */
static uintptr_t next_small(void) {
    for (size_t i = 0; i < BITS; i++) {
        size_t bit = pages.small_next;
        pages.small_next = (bit + 1) % BITS;
        uint64_t mask = (uint64_t)1 << bit % 64;
        if (pages.small[bit / 64] & mask) {
            pages.small[bit / 64] &= ~mask;
            pages.small_count--;
            return pages.start + bit * HUGE_PAGE;
        }
    }
    return 0;
}

/* Whether the memory is worth a huge page by now. */
static bool is_full(uintptr_t at) {
    unsigned char resident[SMALL_COUNT];
    if (mincore(address(at), HUGE_PAGE, resident) != 0) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        count += resident[i] & 1;
    }
    return count >= REPAIR_MIN;
}

/* For warm_spare. Without one, repairs take longer. */
static void get_spare(void) {
    void *at = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at != MAP_FAILED) {
        pages.spare = round_up((uintptr_t)at, HUGE_PAGE);
        (void)madvise(address(pages.spare), HUGE_PAGE, MADV_HUGEPAGE);
    }
}

/* Has a huge page that was touched lie uppermost among the kernel's free ones of this processor. */
static void warm_spare(void) {
    if (pages.spare != 0) {
        touch(pages.spare);
        (void)madvise(address(pages.spare), HUGE_PAGE, MADV_DONTNEED);
    }
}

/* While the kernel copies, whoever has it touch a page waits: 0.4 ms, but 5 ms where a host has to
 * find the memory for the huge page, and so it finds it before. */
static void repair(uintptr_t at) {
    warm_spare();
    (void)madvise(address(at), HUGE_PAGE, MADV_HUGEPAGE);
    if (madvise(address(at), HUGE_PAGE, MADV_COLLAPSE) == 0) {
        atomic_fetch_add_explicit(&pages.repaired, HUGE_PAGE, memory_order_relaxed);
    }
    (void)madvise(address(at), HUGE_PAGE, MADV_NOHUGEPAGE);
}

/* Looks at some of what is noted, and repairs the first that is worth it; false when there was
 * none. Under the lock, which it gives up meanwhile. */
static bool repair_one(void) {
    size_t looks = pages.small_count < REPAIR_LOOKS ? pages.small_count : REPAIR_LOOKS;
    for (size_t i = 0; i < looks; i++) {
        uintptr_t at = next_small();
        if (at == 0 || at + HUGE_PAGE > pages.end) {
            continue; /* the end of a reservation */
        }
        int cpu = pages.user_cpu;
        pthread_mutex_unlock(&pages.lock);
        bool full = is_full(at);
        if (full) {
            step_aside(cpu);
            repair(at);
        }
        pthread_mutex_lock(&pages.lock);
        if (full) {
            return true;
        }
        note_small(at, at + HUGE_PAGE);
    }
    return false;
}

/* Processor time that the user has used. */
static int64_t user_ns(void) {
    struct timespec used = {0};
    (void)clock_gettime(pages.user_clock, &used);
    return used.tv_sec * 1000000000 + used.tv_nsec;
}

/* Where the user needs this processor too, and is kept from it for as long as a huge page takes:
 * repairs only while it does next to nothing, and then as many as a round may have. */
static void repair_quietly(void) {
    int64_t before = pages.user_ns;
    pages.user_ns = user_ns();
    if (pages.user_ns - before > QUIET_NS) {
        return;
    }
    for (int i = 0; i < QUIET_REPAIRS && !pages.stopping; i++) {
        if (!repair_one() || user_ns() - pages.user_ns > QUIET_NS / QUIET_REPAIRS) {
            return;
        }
    }
}

/* Nobody needs what is ready: the memory goes back, the addresses are kept for the next time. */
static void cool(void) {
    for (size_t i = 0; i < pages.ready_count; i++) {
        (void)madvise(address(pages.ready[i]), HUGE_PAGE, MADV_DONTNEED);
        pages.cold[pages.cold_count++] = pages.ready[i];
    }
    pages.ready_count = 0;
}

static void end_round(void) {
    pages.idle_rounds = pages.asked ? 0 : pages.idle_rounds + 1;
    pages.asked = false;
    if (pages.idle_rounds >= IDLE_ROUNDS) {
        cool();
    }
    if (pages.alone) {
        repair_quietly();
    } else {
        (void)repair_one();
    }
}

/* Waits for a call, or for the end of the round if something is to be done then. */
static void wait_for_work(void) {
    if (pages.small_count == 0 && pages.ready_count == 0) {
        pthread_cond_wait(&pages.wake, &pages.lock);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += REPAIR_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_cond_timedwait(&pages.wake, &pages.lock, &until) == ETIMEDOUT) {
        end_round();
    }
}

/* What to prepare next, 0 when nothing is wanted or to be had. */
static uintptr_t next_to_prepare(void) {
    if (pages.at - pages.start < PAGES_SKIPPED || pages.ready_count == PAGES_READY_MAX ||
        (!pages.asked && pages.idle_rounds >= IDLE_ROUNDS)) {
        return 0;
    }
    return pages.cold_count > 0 ? pages.cold[--pages.cold_count] : take(HUGE_PAGE, HUGE_PAGE);
}

static void *run(void *context) {
    (void)context;
    pthread_setname_np(pthread_self(), "larder-pages");
    crash_thread_start();
    pages.left_cpu = -1;
    if (pages.spare == 0) {
        get_spare();
    }
    /* Only when nobody else wants the processor: who serves requests must not wait for it. */
    (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    /* The allocator's own thread, which gives memory back, inherits that from who starts it. */
    bool on = true;
    (void)mallctl("background_thread", NULL, NULL, &on, sizeof on);
    pthread_mutex_lock(&pages.lock);
    while (!pages.stopping) {
        uintptr_t at = next_to_prepare();
        if (at == 0) {
            wait_for_work();
            continue;
        }
        uintptr_t start = pages.start;
        int cpu = pages.user_cpu;
        pthread_mutex_unlock(&pages.lock);
        step_aside(cpu);
        prepare(at);
        pthread_mutex_lock(&pages.lock);
        if (start == pages.start) { /* no other reservation meanwhile */
            pages.ready[pages.ready_count++] = at;
        }
    }
    pthread_mutex_unlock(&pages.lock);
    crash_thread_end();
    return NULL;
}

static bool start_thread(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pages.wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&pages.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

/* A setting of one arena. 0, or what the allocator says. */
static int arena_control(const char *path, unsigned arena, void *old, size_t *old_size, void *new,
                         size_t new_size) {
    size_t name[3];
    size_t depth = sizeof name / sizeof name[0];
    int status = mallctlnametomib(path, name, &depth);
    if (status != 0) {
        return status;
    }
    name[1] = arena;
    return mallctlbymib(name, depth, old, old_size, new, new_size);
}

/* Puts the hooks into the arena that the calling thread allocates from. */
static bool install(void) {
    unsigned arena;
    size_t size = sizeof arena;
    size_t piece = HUGE_PAGE;
    if (mallctl("thread.arena", &arena, &size, NULL, 0) != 0) {
        return false;
    }
    /* The allocator asks for more than it needs, more each time: one huge page is what there is. */
    if (arena_control("arena.0.retain_grow_limit", arena, NULL, NULL, &piece, sizeof piece) != 0) {
        return false;
    }
    size = sizeof pages.before;
    if (arena_control("arena.0.extent_hooks", arena, &pages.before, &size, NULL, 0) != 0) {
        return false;
    }
    pages.hooks = *pages.before;
    pages.hooks.alloc = hook_alloc;
    pages.hooks.purge_forced = hook_purge;
    extent_hooks_t *ours = &pages.hooks;
    pages.arena = arena;
    return arena_control("arena.0.extent_hooks", arena, NULL, NULL, &ours, sizeof ours) == 0;
}

bool pages_start(void) {
    check(!pages.running);
    pages.stopping = false;
    if (pages.before == NULL && (!reserve() || !install())) {
        return false;
    }
    if (pthread_getcpuclockid(pthread_self(), &pages.user_clock) != 0) {
        return false;
    }
    if (sched_getaffinity(0, sizeof pages.allowed, &pages.allowed) != 0) {
        CPU_ZERO(&pages.allowed);
    }
    pthread_mutex_lock(&pages.lock);
    pages.alone = CPU_COUNT(&pages.allowed) <= 1;
    pthread_mutex_unlock(&pages.lock);
    pages.running = start_thread();
    return pages.running;
}

void pages_share(void) {
    if (pages.before != NULL) {
        (void)mallctl("thread.arena", NULL, NULL, &pages.arena, sizeof pages.arena);
    }
}

void pages_stop(void) {
    if (!pages.running) {
        return;
    }
    pthread_mutex_lock(&pages.lock);
    pages.stopping = true;
    pthread_cond_signal(&pages.wake);
    pthread_mutex_unlock(&pages.lock);
    pthread_join(pages.thread, NULL);
    pthread_mutex_lock(&pages.lock);
    pages.running = false;
    pthread_mutex_unlock(&pages.lock);
}

size_t pages_prepared(void) {
    return atomic_load_explicit(&pages.prepared, memory_order_relaxed);
}

size_t pages_repaired(void) {
    return atomic_load_explicit(&pages.repaired, memory_order_relaxed);
}

#else

bool pages_start(void) {
    return false;
}

void pages_share(void) {
}

void pages_stop(void) {
}

void pages_give_back(void) {
}

size_t pages_prepared(void) {
    return 0;
}

size_t pages_repaired(void) {
    return 0;
}

#endif
