/* load_ahead: each thread does what there is to do: scan a portion if nobody else does, else decode
 * one, else sleep. One mutex guards the lists; it is taken three times a portion. */
#include "persist/load_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/crash.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/pages.h"
#include "persist/load_survey.h"
#include "persist/rdb_key.h"
#include "store/access.h"
#include "types/value.h"

/* Portions that may be on their way for each thread, besides the one that it has: the others are
 * not to run dry while one decodes something large. */
#define PORTIONS_A_THREAD 3

struct list {
    struct load_portion *first;
    struct load_portion *last;
};

struct load_ahead {
    struct rdb_file *file;     /* the scanning thread's */
    struct load_survey survey; /* likewise */
    struct keyspace limits;
    struct load_ahead_setup setup;
    uint8_t access_rule;
    uint32_t access_new;
    int64_t now_ms;
    uint64_t seed;
    int thread_count;
    int portion_count;
    pthread_t threads[LOAD_THREADS_MAX];
    pthread_mutex_t mutex;
    pthread_cond_t work;   /* for the threads */
    pthread_cond_t done;   /* for who waits for a portion */
    _Atomic bool stopping; /* changes under the mutex */
    bool surveyed;         /* the scanning thread's */
    /* Under the mutex. */
    struct list empty;
    struct list scanned;
    struct list decoded;
    int busy;      /* portions with a thread */
    bool scanning; /* a thread has the file */
    bool scanned_all;
    bool awaited; /* a taker has found nothing */
    bool is_damaged;
    struct rdb_damage damage; /* the first */
};

static void append(struct list *list, struct load_portion *portion) {
    portion->next = NULL;
    if (list->last != NULL) {
        list->last->next = portion;
    } else {
        list->first = portion;
    }
    list->last = portion;
}

static struct load_portion *take_first(struct list *list) {
    struct load_portion *portion = list->first;
    if (portion != NULL) {
        list->first = portion->next;
        list->last = list->first == NULL ? NULL : list->last;
    }
    return portion;
}

void load_portion_clear(struct load_portion *portion) {
    for (size_t i = 0; i < portion->count; i++) {
        if (portion->items[i].entry != NULL) {
            value_free(portion->items[i].entry);
            portion->items[i].entry = NULL;
        }
    }
    portion->count = 0;
}

/* Of two damages the one that stands first in the file counts. */
static void note_damage(struct load_ahead *ahead, const struct rdb_damage *damage) {
    if (!ahead->is_damaged || damage->offset < ahead->damage.offset) {
        ahead->damage = *damage;
    }
    ahead->is_damaged = true;
    ahead->scanned_all = true;
}

/* ---- scanning ---- */

/* Whether the record is to be left out. */
static bool is_left_out(const struct load_ahead *ahead, struct load_portion *portion,
                        const struct rdb_record *record) {
    if (record->kind != RDB_RECORD_KEY) {
        return false;
    }
    if (!ahead->setup.keeps_expired && record->deadline_ms != ENTRY_NO_DEADLINE &&
        record->deadline_ms <= ahead->now_ms - record->grace_ms) {
        portion->expired++;
        return true;
    }
    if (ahead->setup.room > 0 && !load_survey_wants(&ahead->survey, record)) {
        portion->unwanted++;
        return true;
    }
    return false;
}

static bool goes_on(void *context) {
    struct load_ahead *ahead = context;
    return !atomic_load_explicit(&ahead->stopping, memory_order_relaxed);
}

/* Fills a portion. 1; 0: the file has ended; -EBADMSG. */
static int scan(struct load_ahead *ahead, struct load_portion *portion) {
    struct rdb_file *file = ahead->file;
    const uint8_t *start = file->reader.at;
    if (ahead->setup.room > 0 && !ahead->surveyed) {
        load_survey_make(&ahead->survey, file, ahead->setup.room, goes_on, ahead);
        ahead->surveyed = true;
    }
    portion->count = 0;
    portion->expired = 0;
    portion->empty = 0;
    portion->unwanted = 0;
    int status = 1;
    while (portion->count < LOAD_PORTION_RECORDS && file->reader.at - start < LOAD_PORTION_BYTES) {
        struct load_item *item = &portion->items[portion->count];
        item->entry = NULL;
        status = rdb_file_next(file, &item->record);
        if (status != 1) {
            break;
        }
        portion->count += !is_left_out(ahead, portion, &item->record);
    }
    portion->end = rdb_file_offset(file, file->reader.at);
    return status;
}

/* ---- decoding ---- */

/* What the entry's access field begins as. Under ACCESS_WORTH the keyspace sets it. */
static uint32_t access_of(const struct load_ahead *ahead, const struct rdb_record *record) {
    if (ahead->access_rule == ACCESS_RECENCY && record->idle_s > 0) {
        int64_t ticks = record->idle_s < INT32_MAX / 1000 ? record->idle_s * 1000 / ACCESS_TICK_MS
                                                          : ACCESS_MASK;
        int64_t most = ACCESS_MASK - ACCESS_AHEAD_MAX;
        return (ahead->access_new - (uint32_t)(ticks < most ? ticks : most)) & ACCESS_MASK;
    }
    if (ahead->access_rule == ACCESS_FREQUENCY && record->frequency >= 0) {
        return access_counted(ahead->access_new >> 8, (uint32_t)record->frequency) & ACCESS_MASK;
    }
    return ahead->access_new & ACCESS_MASK;
}

/* 0, -ENODATA, -EBADMSG. */
static int decode_item(const struct load_ahead *ahead, struct load_item *item,
                       struct rdb_damage *damage) {
    const struct rdb_key_source source = {.file = ahead->file,
                                          .limits = &ahead->limits,
                                          .now_ms = ahead->now_ms,
                                          .stops = &ahead->stopping};
    int status = rdb_key_decode(&source, &item->record, &item->entry, damage);
    if (status == 0) {
        struct bytes name = entry_key(item->entry);
        item->entry->access = access_of(ahead, &item->record);
        item->hash = hash_bytes(ahead->seed, name.at, name.size);
    }
    return status;
}

/* What stands behind the first damage is left out. */
static bool decode(const struct load_ahead *ahead, struct load_portion *portion,
                   struct rdb_damage *damage) {
    for (size_t i = 0; i < portion->count; i++) {
        struct load_item *item = &portion->items[i];
        int status = item->record.kind == RDB_RECORD_KEY ? decode_item(ahead, item, damage) : 0;
        if (status == -ENODATA) {
            portion->empty++;
        } else if (status != 0) {
            portion->count = i;
            return false;
        }
    }
    return true;
}

/* ---- the threads ---- */

static bool is_over(const struct load_ahead *ahead) {
    return ahead->scanned_all && ahead->busy == 0 && ahead->scanned.first == NULL &&
           ahead->decoded.first == NULL;
}

/* Under the mutex: something has been done that a taker may wait for. */
static void tell_taker(struct load_ahead *ahead) {
    if (ahead->decoded.first == NULL && !is_over(ahead)) {
        return;
    }
    pthread_cond_signal(&ahead->done);
    if (ahead->awaited) {
        ahead->awaited = false;
        if (ahead->setup.wake != NULL) {
            ahead->setup.wake(ahead->setup.wake_context);
        }
    }
}

/* Both are called under the mutex, and give it up meanwhile. */

static void scan_one(struct load_ahead *ahead) {
    struct load_portion *portion = take_first(&ahead->empty);
    ahead->scanning = true;
    ahead->busy++;
    pthread_mutex_unlock(&ahead->mutex);
    int status = scan(ahead, portion);
    pthread_mutex_lock(&ahead->mutex);
    ahead->scanning = false;
    ahead->busy--;
    append(&ahead->scanned, portion);
    if (status < 0) {
        note_damage(ahead, &ahead->file->damage);
    } else if (status == 0) {
        ahead->scanned_all = true;
    }
    pthread_cond_broadcast(&ahead->work);
}

static void decode_one(struct load_ahead *ahead) {
    struct load_portion *portion = take_first(&ahead->scanned);
    struct rdb_damage damage;
    ahead->busy++;
    pthread_mutex_unlock(&ahead->mutex);
    bool fine = decode(ahead, portion, &damage);
    pthread_mutex_lock(&ahead->mutex);
    ahead->busy--;
    append(&ahead->decoded, portion);
    if (!fine) {
        note_damage(ahead, &damage);
    }
    tell_taker(ahead);
}

static void *run(void *context) {
    struct load_ahead *ahead = context;
    pthread_setname_np(pthread_self(), "larder-load");
    crash_thread_start();
    pages_share();
    pthread_mutex_lock(&ahead->mutex);
    while (!ahead->stopping) {
        if (!ahead->scanning && !ahead->scanned_all && ahead->empty.first != NULL) {
            scan_one(ahead);
        } else if (ahead->scanned.first != NULL) {
            decode_one(ahead);
        } else {
            pthread_cond_wait(&ahead->work, &ahead->mutex);
        }
    }
    pthread_mutex_unlock(&ahead->mutex);
    crash_thread_end();
    return NULL;
}

static void start_threads(struct load_ahead *ahead) {
    /* Signals are for the main thread. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (ahead->thread_count < ahead->setup.threads &&
           pthread_create(&ahead->threads[ahead->thread_count], NULL, run, ahead) == 0) {
        ahead->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the taker ---- */

static void copy_limits(struct load_ahead *ahead, const struct keyspace *keyspace) {
    ahead->limits.hash_options = keyspace->hash_options;
    ahead->limits.zset_options = keyspace->zset_options;
    ahead->limits.set_options = keyspace->set_options;
    ahead->limits.list_options = keyspace->list_options;
    ahead->limits.stream_options = keyspace->stream_options;
    ahead->access_rule = keyspace->access_rule;
    ahead->access_new = keyspace->access_new;
    ahead->now_ms = keyspace->clock->now_ms;
    ahead->seed = keyspace->seed;
}

struct load_ahead *load_ahead_new(const struct load_ahead_setup *setup) {
    struct load_ahead_setup mine = *setup;
    mine.threads = mine.threads < 1                  ? 1
                   : mine.threads > LOAD_THREADS_MAX ? LOAD_THREADS_MAX
                                                     : mine.threads;
    struct load_ahead *ahead = mem_zalloc(MEM_OTHER, sizeof *ahead);
    ahead->file = mine.file;
    ahead->setup = mine;
    copy_limits(ahead, setup->keyspace);
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->work, NULL);
    pthread_cond_init(&ahead->done, NULL);
    ahead->portion_count = (mine.threads + 1) * PORTIONS_A_THREAD;
    for (int i = 0; i < ahead->portion_count; i++) {
        struct load_portion *portion = mem_alloc(MEM_OTHER, sizeof *portion);
        portion->count = 0;
        append(&ahead->empty, portion);
    }
    start_threads(ahead);
    if (ahead->thread_count == 0) {
        load_ahead_free(ahead);
        return NULL;
    }
    return ahead;
}

static void free_list(struct list *list) {
    struct load_portion *portion;
    while ((portion = take_first(list)) != NULL) {
        load_portion_clear(portion);
        mem_free(MEM_OTHER, portion, sizeof *portion);
    }
}

void load_ahead_free(struct load_ahead *ahead) {
    if (ahead == NULL) {
        return;
    }
    pthread_mutex_lock(&ahead->mutex);
    ahead->stopping = true;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->mutex);
    for (int i = 0; i < ahead->thread_count; i++) {
        pthread_join(ahead->threads[i], NULL);
    }
    free_list(&ahead->empty);
    free_list(&ahead->scanned);
    free_list(&ahead->decoded);
    pthread_cond_destroy(&ahead->done);
    pthread_cond_destroy(&ahead->work);
    pthread_mutex_destroy(&ahead->mutex);
    mem_free(MEM_OTHER, ahead, sizeof *ahead);
}

struct load_portion *load_ahead_take(struct load_ahead *ahead, bool wait, bool *over) {
    pthread_mutex_lock(&ahead->mutex);
    while (wait && ahead->decoded.first == NULL && !is_over(ahead)) {
        pthread_cond_wait(&ahead->done, &ahead->mutex);
    }
    struct load_portion *portion = take_first(&ahead->decoded);
    *over = portion == NULL && is_over(ahead);
    ahead->awaited = portion == NULL && !*over;
    pthread_mutex_unlock(&ahead->mutex);
    return portion;
}

void load_ahead_give(struct load_ahead *ahead, struct load_portion *portion) {
    load_portion_clear(portion);
    pthread_mutex_lock(&ahead->mutex);
    append(&ahead->empty, portion);
    pthread_cond_signal(&ahead->work);
    pthread_mutex_unlock(&ahead->mutex);
}

const struct rdb_damage *load_ahead_damage(const struct load_ahead *ahead) {
    return ahead->is_damaged ? &ahead->damage : NULL;
}
