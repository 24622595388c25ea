/* lazyfree: one thread, one list of jobs, one mutex. A job is an entry with a large value, the
 * tables of a whole database, or scripts that are forgotten; all are rare, so the lock is never
 * contended for long. While the list is empty the thread gives unused memory back, if that is asked
 * for, or is asleep.
 *
 * Objects are counted when they are handed over and when they are freed; INFO shows both. */
#include "store/lazyfree.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/pages.h"
#include "types/value.h"

/* Elements of a value that its size is estimated from. */
#define ESTIMATE_SAMPLES 5

/* Entries that are taken out of a dict at a time: enough to hide the call, small on the stack. */
#define DRAIN_BATCH 64

struct job {
    struct job *next;
    struct entry *entry; /* NULL: `work`, or else the tables below */
    void (*work)(void *context);
    void *context;
    size_t objects;
    size_t bytes; /* estimated */
    struct dict keys;
    struct due deadlines;
    struct due field_deadlines;
};

struct lazyfree {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct job *first; /* under the mutex, with last and stopping */
    struct job *last;
    bool stopping;
    bool to_give_back; /* unused memory, when there is no job */
    _Atomic size_t pending;
    _Atomic size_t freed;
    _Atomic size_t pending_bytes;
};

/* Indexes go first: they do not look at items when they are freed. */
static void free_tables(struct dict *keys, struct due *deadlines, struct due *field_deadlines) {
    due_clear(deadlines);
    due_clear(field_deadlines);
    struct entry *entries[DRAIN_BATCH];
    size_t count;
    while ((count = dict_drain(keys, entries, DRAIN_BATCH)) > 0) {
        for (size_t i = 0; i < count; i++) {
            value_free(entries[i]);
        }
    }
}

static void do_job(struct lazyfree *lazyfree, struct job *job) {
    if (job->entry != NULL) {
        value_free(job->entry);
    } else if (job->work != NULL) {
        job->work(job->context);
    } else {
        free_tables(&job->keys, &job->deadlines, &job->field_deadlines);
    }
    size_t objects = job->objects;
    atomic_fetch_add_explicit(&lazyfree->freed, objects, memory_order_relaxed);
    atomic_fetch_sub_explicit(&lazyfree->pending_bytes, job->bytes, memory_order_relaxed);
    mem_free(MEM_OTHER, job, sizeof *job);
    /* Last: who sees that nothing is pending sees all the rest. */
    atomic_fetch_sub_explicit(&lazyfree->pending, objects, memory_order_release);
}

/* Under the mutex, which it gives up meanwhile. */
static void give_back(struct lazyfree *lazyfree) {
    pthread_mutex_unlock(&lazyfree->mutex);
    pages_give_back();
    pthread_mutex_lock(&lazyfree->mutex);
    lazyfree->to_give_back = false;
}

/* Waits for a job; NULL when there is none left and the thread shall end. */
static struct job *next_job(struct lazyfree *lazyfree) {
    pthread_mutex_lock(&lazyfree->mutex);
    while (lazyfree->first == NULL && !lazyfree->stopping) {
        if (lazyfree->to_give_back) {
            give_back(lazyfree);
        } else {
            pthread_cond_wait(&lazyfree->wake, &lazyfree->mutex);
        }
    }
    struct job *job = lazyfree->first;
    if (job != NULL) {
        lazyfree->first = job->next;
        if (lazyfree->first == NULL) {
            lazyfree->last = NULL;
        }
    }
    pthread_mutex_unlock(&lazyfree->mutex);
    return job;
}

static void *run(void *context) {
    struct lazyfree *lazyfree = context;
    pthread_setname_np(pthread_self(), "larder-lazyfree");
    crash_thread_start();
    for (;;) {
        struct job *job = next_job(lazyfree);
        if (job == NULL) {
            crash_thread_end();
            return NULL;
        }
        do_job(lazyfree, job);
    }
}

struct lazyfree *lazyfree_new(void) {
    struct lazyfree *lazyfree = mem_zalloc(MEM_OTHER, sizeof *lazyfree);
    pthread_mutex_init(&lazyfree->mutex, NULL);
    pthread_cond_init(&lazyfree->wake, NULL);
    /* Signals are for the main thread. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&lazyfree->thread, NULL, run, lazyfree);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        pthread_cond_destroy(&lazyfree->wake);
        pthread_mutex_destroy(&lazyfree->mutex);
        mem_free(MEM_OTHER, lazyfree, sizeof *lazyfree);
        return NULL;
    }
    return lazyfree;
}

void lazyfree_free(struct lazyfree *lazyfree) {
    if (lazyfree == NULL) {
        return;
    }
    pthread_mutex_lock(&lazyfree->mutex);
    lazyfree->stopping = true;
    pthread_cond_signal(&lazyfree->wake);
    pthread_mutex_unlock(&lazyfree->mutex);
    pthread_join(lazyfree->thread, NULL);
    check(lazyfree->first == NULL && lazyfree->pending == 0);
    pthread_cond_destroy(&lazyfree->wake);
    pthread_mutex_destroy(&lazyfree->mutex);
    mem_free(MEM_OTHER, lazyfree, sizeof *lazyfree);
}

static void hand_over(struct lazyfree *lazyfree, struct job *job) {
    atomic_fetch_add_explicit(&lazyfree->pending, job->objects, memory_order_relaxed);
    atomic_fetch_add_explicit(&lazyfree->pending_bytes, job->bytes, memory_order_relaxed);
    pthread_mutex_lock(&lazyfree->mutex);
    if (lazyfree->last != NULL) {
        lazyfree->last->next = job;
    } else {
        lazyfree->first = job;
    }
    lazyfree->last = job;
    pthread_cond_signal(&lazyfree->wake);
    pthread_mutex_unlock(&lazyfree->mutex);
}

void lazyfree_entry(struct lazyfree *lazyfree, struct entry *entry) {
    if (lazyfree == NULL) {
        value_free(entry);
        return;
    }
    struct job *job = mem_zalloc(MEM_OTHER, sizeof *job);
    job->entry = entry;
    job->objects = 1;
    job->bytes = value_footprint(entry, ESTIMATE_SAMPLES);
    hand_over(lazyfree, job);
}

void lazyfree_database(struct lazyfree *lazyfree, struct dict keys, struct due deadlines,
                       struct due field_deadlines, size_t bytes) {
    if (lazyfree == NULL) {
        free_tables(&keys, &deadlines, &field_deadlines);
        return;
    }
    struct job *job = mem_zalloc(MEM_OTHER, sizeof *job);
    job->objects = dict_size(&keys);
    job->bytes = bytes;
    job->keys = keys;
    job->deadlines = deadlines;
    job->field_deadlines = field_deadlines;
    hand_over(lazyfree, job);
}

void lazyfree_work(struct lazyfree *lazyfree, void (*work)(void *context), void *context,
                   size_t objects) {
    if (lazyfree == NULL) {
        work(context);
        return;
    }
    struct job *job = mem_zalloc(MEM_OTHER, sizeof *job);
    job->work = work;
    job->context = context;
    job->objects = objects;
    hand_over(lazyfree, job);
}

bool lazyfree_give_back(struct lazyfree *lazyfree) {
    if (lazyfree == NULL) {
        return false;
    }
    pthread_mutex_lock(&lazyfree->mutex);
    bool begins = !lazyfree->to_give_back;
    lazyfree->to_give_back = true;
    if (begins) {
        pthread_cond_signal(&lazyfree->wake);
    }
    pthread_mutex_unlock(&lazyfree->mutex);
    return begins;
}

size_t lazyfree_pending(const struct lazyfree *lazyfree) {
    return lazyfree == NULL ? 0 : atomic_load_explicit(&lazyfree->pending, memory_order_acquire);
}

size_t lazyfree_pending_bytes(const struct lazyfree *lazyfree) {
    return lazyfree == NULL ? 0
                            : atomic_load_explicit(&lazyfree->pending_bytes, memory_order_relaxed);
}

size_t lazyfree_freed(const struct lazyfree *lazyfree) {
    return lazyfree == NULL ? 0 : atomic_load_explicit(&lazyfree->freed, memory_order_relaxed);
}

void lazyfree_reset_freed(struct lazyfree *lazyfree) {
    if (lazyfree != NULL) {
        atomic_store_explicit(&lazyfree->freed, 0, memory_order_relaxed);
    }
}
