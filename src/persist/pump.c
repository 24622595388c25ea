/* pump: one thread, one list of runs, one mutex. */
#include "persist/pump.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/crash.h"
#include "base/mem.h"
#include "persist/crc64.h"

/* Bytes handed to the sink at a time. */
#ifdef LARDER_TEST_SMALL
#define PORTION 64u
#else
#define PORTION ((size_t)128 << 10)
#endif

struct pump {
    struct pump_setup setup;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t to_do;   /* for the thread */
    pthread_cond_t changed; /* for who waits in pump_wait */
    struct pump_run *first; /* under the mutex, with all that follows */
    struct pump_run *last;
    struct pump_run *spare; /* empty ones with room */
    size_t spares;
    size_t queued; /* bytes */
    bool ended;
    bool given_up;
    bool is_full; /* the writer has been told to wait */
    enum pump_state state;
    int status;
    _Atomic uint64_t bytes;
    /* The thread's own. */
    struct rdb_writer out;
    uint64_t sum;
    char *scratch; /* for compressing */
    size_t scratch_size;
    int failure; /* of the sink, or of memory */
};

struct pump_run *pump_run_new(bool compress) {
    struct pump_run *run = mem_zalloc(MEM_BUFFER, sizeof *run);
    rdb_writer_init(&run->writer, compress);
    run->writer.marks = &run->marks;
    return run;
}

void pump_run_free(struct pump_run *run) {
    rdb_marks_clear(&run->marks);
    rdb_writer_clear(&run->writer);
    mem_free(MEM_BUFFER, run, sizeof *run);
}

/* ---- runs with room ---- */

static void add_spare(struct pump *pump, struct pump_run *run) {
    pthread_mutex_lock(&pump->mutex);
    run->next = pump->spare;
    pump->spare = run;
    pump->spares++;
    pthread_mutex_unlock(&pump->mutex);
}

struct pump_run *pump_take_run(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    struct pump_run *run = pump->spare;
    if (run != NULL) {
        pump->spare = run->next;
        pump->spares--;
    }
    pthread_mutex_unlock(&pump->mutex);
    if (run == NULL) {
        return pump_run_new(pump->setup.compress);
    }
    run->next = NULL;
    return run;
}

/* Whether it can be used again. */
static bool is_spare(const struct pump_run *run, size_t spares) {
    return run->writer.capacity == PUMP_RUN_ROOM && run->marks.capacity >= PUMP_RUN_MARKS &&
           run->marks.capacity <= 2 * PUMP_RUN_MARKS && !run->writer.failed &&
           spares < PUMP_SPARES_MAX;
}

/* One more when there are few. Without memory there are none. */
static void make_spare(struct pump *pump) {
    struct pump_run *run = pump_run_new(pump->setup.compress);
    if (rdb_writer_make_room(&run->writer, PUMP_RUN_ROOM, PUMP_RUN_MARKS)) {
        add_spare(pump, run);
    } else {
        pump_run_free(run);
    }
}

static size_t count_spares(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    size_t spares = pump->spares;
    pthread_mutex_unlock(&pump->mutex);
    return spares;
}

static void free_spares(struct pump *pump) {
    while (pump->spare != NULL) {
        struct pump_run *run = pump->spare;
        pump->spare = run->next;
        pump_run_free(run);
    }
}

/* ---- the thread ---- */

static void to_sink(struct pump *pump, const void *at, size_t size) {
    if (pump->failure != 0 || size == 0) {
        return;
    }
    if (pump->setup.checksum) {
        pump->sum = crc64(pump->sum, at, size);
    }
    pump->failure = pump->setup.sink.write(pump->setup.sink.context, at, size);
    atomic_fetch_add_explicit(&pump->bytes, size, memory_order_relaxed);
}

static void flush(struct pump *pump) {
    struct bytes written = rdb_written(&pump->out);
    to_sink(pump, written.at, written.size);
    pump->out.size = 0;
}

static void write_raw(struct pump *pump, const char *at, size_t size) {
    if (size >= PORTION) {
        flush(pump);
        to_sink(pump, at, size);
        return;
    }
    rdb_write_raw(&pump->out, at, size);
    if (pump->out.size >= PORTION) {
        flush(pump);
    }
}

/* A text that is not worth trying goes as it is, and so does one for which there is no memory. */
static void write_text(struct pump *pump, struct bytes text) {
    bool tries = pump->setup.compress && text.size >= RDB_COMPRESS_MIN;
    if (tries && pump->scratch_size < text.size) {
        mem_free(MEM_BUFFER, pump->scratch, pump->scratch_size);
        pump->scratch = mem_try_alloc(MEM_BUFFER, text.size);
        pump->scratch_size = pump->scratch == NULL ? 0 : text.size;
    }
    if (tries && pump->scratch != NULL) {
        rdb_write_marked(&pump->out, text, pump->scratch);
    } else {
        rdb_write_length(&pump->out, text.size);
        write_raw(pump, text.at, text.size);
    }
    if (pump->scratch_size > PORTION) {
        mem_free(MEM_BUFFER, pump->scratch, pump->scratch_size);
        pump->scratch = NULL;
        pump->scratch_size = 0;
    }
}

static bool is_given_up(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    bool given_up = pump->given_up;
    pthread_mutex_unlock(&pump->mutex);
    return given_up;
}

static void write_run(struct pump *pump, const struct pump_run *run) {
    if (pump->failure == 0 && (run->writer.failed || is_given_up(pump))) {
        pump->failure = run->writer.failed ? -ENOMEM : -ECANCELED;
    }
    if (pump->failure != 0) {
        return;
    }
    const char *at = rdb_written(&run->writer).at;
    size_t done = 0;
    for (size_t i = 0; i < run->marks.count; i++) {
        const struct rdb_mark *mark = &run->marks.list[i];
        write_raw(pump, at + done, mark->at - done);
        write_text(pump, mark->blob != NULL ? blob_bytes(mark->blob)
                                            : bytes_of(at + mark->at, mark->size));
        done = mark->at + mark->size;
    }
    write_raw(pump, at + done, run->writer.size - done);
    if (pump->out.failed) {
        pump->failure = -ENOMEM;
    }
}

/* The next run, with *is_over when there will be none. */
static struct pump_run *next_run(struct pump *pump, bool *is_over) {
    pthread_mutex_lock(&pump->mutex);
    while (pump->first == NULL && !pump->ended && !pump->given_up) {
        pthread_cond_wait(&pump->to_do, &pump->mutex);
    }
    struct pump_run *run = pump->first;
    if (run != NULL) {
        pump->first = run->next;
        if (pump->first == NULL) {
            pump->last = NULL;
        }
    }
    *is_over = run == NULL;
    pthread_mutex_unlock(&pump->mutex);
    return run;
}

static void wake(const struct pump *pump) {
    if (pump->setup.wake != NULL) {
        pump->setup.wake(pump->setup.wake_context);
    }
}

/* The run is done with: its bytes wait no more. The writer is woken when half of them are gone, so
 * that it finds something to do. */
static void run_done(struct pump *pump, struct pump_run *run) {
    size_t size = pump_run_bytes(run);
    if (is_spare(run, count_spares(pump))) {
        rdb_writer_empty(&run->writer);
        add_spare(pump, run);
    } else {
        pump_run_free(run);
    }
    pthread_mutex_lock(&pump->mutex);
    pump->queued -= size;
    bool wakes = pump->is_full && pump->queued <= PUMP_BYTES_MAX / 2;
    if (wakes) {
        pump->is_full = false;
        pthread_cond_broadcast(&pump->changed);
    }
    pthread_mutex_unlock(&pump->mutex);
    if (wakes) {
        wake(pump);
    }
}

static void set_state(struct pump *pump, int status) {
    pthread_mutex_lock(&pump->mutex);
    pump->state = status == 0 ? PUMP_DONE : PUMP_FAILED;
    pump->status = status;
    pthread_cond_broadcast(&pump->changed);
    pthread_mutex_unlock(&pump->mutex);
    wake(pump);
}

static void finish(struct pump *pump) {
    if (pump->failure == 0 && is_given_up(pump)) {
        pump->failure = -ECANCELED;
    }
    flush(pump);
    uint8_t sum[8];
    for (unsigned i = 0; i < sizeof sum; i++) {
        sum[i] = (uint8_t)(pump->sum >> (8 * i));
    }
    to_sink(pump, sum, sizeof sum);
    const struct pump_sink *sink = &pump->setup.sink;
    if (pump->failure == 0) {
        pump->failure = sink->finish(sink->context);
    }
    if (pump->failure != 0) {
        sink->cancel(sink->context);
    }
}

/* It has its share of the processor, but does not push others off it when it wakes: who serves
 * requests, or makes them. A system that does not know how has it like any other. */
static void be_modest(void) {
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0});
}

static void *run(void *context) {
    struct pump *pump = context;
    pthread_setname_np(pthread_self(), "larder-snapshot");
    crash_thread_start();
    be_modest();
    for (;;) {
        if (count_spares(pump) < PUMP_SPARES_MIN) {
            make_spare(pump);
        }
        bool is_over;
        struct pump_run *next = next_run(pump, &is_over);
        if (is_over) {
            break;
        }
        bool was_sound = pump->failure == 0;
        write_run(pump, next);
        run_done(pump, next);
        if (was_sound && pump->failure != 0) {
            /* The writer need not go on. */
            set_state(pump, pump->failure);
        }
    }
    finish(pump);
    set_state(pump, pump->failure);
    crash_thread_end();
    return NULL;
}

/* ---- the writer's side ---- */

struct pump *pump_new(const struct pump_setup *setup) {
    struct pump *pump = mem_zalloc(MEM_OTHER, sizeof *pump);
    pump->setup = *setup;
    rdb_writer_init(&pump->out, setup->compress);
    pthread_mutex_init(&pump->mutex, NULL);
    pthread_cond_init(&pump->to_do, NULL);
    pthread_cond_init(&pump->changed, NULL);
    /* Signals are for the main thread. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&pump->thread, NULL, run, pump);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        pthread_cond_destroy(&pump->changed);
        pthread_cond_destroy(&pump->to_do);
        pthread_mutex_destroy(&pump->mutex);
        mem_free(MEM_OTHER, pump, sizeof *pump);
        return NULL;
    }
    return pump;
}

void pump_free(struct pump *pump) {
    pump_give_up(pump);
    pthread_join(pump->thread, NULL);
    check(pump->first == NULL && pump->queued == 0);
    free_spares(pump);
    mem_free(MEM_BUFFER, pump->scratch, pump->scratch_size);
    rdb_writer_clear(&pump->out);
    pthread_cond_destroy(&pump->changed);
    pthread_cond_destroy(&pump->to_do);
    pthread_mutex_destroy(&pump->mutex);
    mem_free(MEM_OTHER, pump, sizeof *pump);
}

void pump_push(struct pump *pump, struct pump_run *run) {
    run->next = NULL;
    pthread_mutex_lock(&pump->mutex);
    check(!pump->ended);
    if (pump->last != NULL) {
        pump->last->next = run;
    } else {
        pump->first = run;
    }
    pump->last = run;
    pump->queued += pump_run_bytes(run);
    pthread_cond_signal(&pump->to_do);
    pthread_mutex_unlock(&pump->mutex);
}

bool pump_has_room(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    bool has_room = pump->queued < PUMP_BYTES_MAX;
    pump->is_full = pump->is_full || !has_room;
    pthread_mutex_unlock(&pump->mutex);
    return has_room;
}

void pump_end(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    pump->ended = true;
    pthread_cond_signal(&pump->to_do);
    pthread_mutex_unlock(&pump->mutex);
}

void pump_give_up(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    pump->given_up = true;
    pthread_cond_signal(&pump->to_do);
    pthread_mutex_unlock(&pump->mutex);
}

enum pump_state pump_state(struct pump *pump, int *status) {
    pthread_mutex_lock(&pump->mutex);
    enum pump_state state = pump->state;
    *status = pump->status;
    pthread_mutex_unlock(&pump->mutex);
    return state;
}

void pump_wait(struct pump *pump) {
    pthread_mutex_lock(&pump->mutex);
    while (pump->state == PUMP_GOING &&
           (pump->queued >= PUMP_BYTES_MAX || pump->ended || pump->given_up)) {
        pump->is_full = pump->is_full || pump->queued >= PUMP_BYTES_MAX;
        pthread_cond_wait(&pump->changed, &pump->mutex);
    }
    pthread_mutex_unlock(&pump->mutex);
}

uint64_t pump_bytes(struct pump *pump) {
    return atomic_load_explicit(&pump->bytes, memory_order_relaxed);
}
