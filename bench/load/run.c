/* run: connects, starts the threads, reads the CPU clocks where measuring begins and ends, and adds
 * up. The calling thread sleeps meanwhile, but for the line that tells how far it is. */
#include "load/run.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "load/control.h"
#include "load/worker.h"

/* How often the line is renewed and an interruption looked for. */
#define TICK_NS 250000000

struct run {
    struct worker_task task;
    const struct endpoint *endpoint;
    struct worker *workers;
    pthread_t *threads;
    int worker_count;          /* that worker_free must free */
    struct transport *control; /* for questions to the server; NULL: none */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int working; /* under the lock: threads that have not ended */
    int64_t own_before;
    int64_t server_before;
    int64_t user_before;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    interrupted = 1;
    /* The next one does what it would have done without us. */
    signal(number, SIG_DFL);
}

void run_catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool run_interrupted(void) {
    return interrupted != 0;
}

/* ---- CPU time ---- */

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) {
        return -1;
    }
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Of another process only the sum is told exactly. */
static int64_t server_cpu_ns(const struct run *run, int64_t *user_ns) {
    clockid_t clock;
    *user_ns = -1;
    if (run->task.plan->server_pid > 0) {
        return clock_getcpuclockid(run->task.plan->server_pid, &clock) == 0 ? clock_ns(clock) : -1;
    }
    return run->control != NULL ? control_cpu_ns(run->control, user_ns) : -1;
}

/* ---- connecting ---- */

static int connect_worker(struct run *run, int part, struct transport **links) {
    const struct run_plan *plan = run->task.plan;
    int first = (int)((int64_t)plan->connections * part / plan->threads);
    int end = (int)((int64_t)plan->connections * (part + 1) / plan->threads);
    int count = 0;
    for (int i = first; i < end && !run_interrupted(); i++) {
        struct transport *link = connect_to(run->endpoint, &plan->login);
        if (link == NULL) {
            break;
        }
        links[count++] = link;
    }
    if (count < end - first) {
        for (int i = 0; i < count; i++) {
            connect_close(links[i]);
        }
        return -1;
    }
    run->worker_count++;
    struct worker *worker = &run->workers[part];
    int status = worker_init(worker, &run->task, part, links, count);
    if (status != 0) {
        fprintf(stderr, "%s\n", worker->problem);
    }
    return status;
}

static int connect_all(struct run *run) {
    const struct run_plan *plan = run->task.plan;
    connect_raise_limit();
    if (plan->server_pid == 0) {
        run->control = connect_to(run->endpoint, &plan->login);
        if (run->control == NULL) {
            return -1;
        }
    }
    size_t size = (size_t)plan->connections * sizeof(struct transport *);
    struct transport **links = mem_alloc(MEM_OTHER, size);
    int status = 0;
    for (int part = 0; part < plan->threads && status == 0; part++) {
        status = connect_worker(run, part, links);
    }
    mem_free(MEM_OTHER, links, size);
    return status;
}

/* ---- threads ---- */

struct thread_start {
    struct run *run;
    struct worker *worker;
};

static void *work(void *argument) {
    struct thread_start *start = argument;
    struct run *run = start->run;
    worker_run(start->worker);
    mem_free(MEM_OTHER, start, sizeof *start);
    pthread_mutex_lock(&run->lock);
    run->working--;
    pthread_cond_signal(&run->changed);
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* Waits until the time, or until all threads have ended; whether they have. */
static bool sleep_until(struct run *run, int64_t time) {
    struct timespec limit = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000};
    pthread_mutex_lock(&run->lock);
    int status = 0;
    while (run->working > 0 && status == 0) {
        status = pthread_cond_clockwait(&run->changed, &run->lock, CLOCK_MONOTONIC, &limit);
    }
    bool ended = run->working == 0;
    pthread_mutex_unlock(&run->lock);
    return ended;
}

static uint64_t answered_all(const struct run *run) {
    uint64_t sum = 0;
    for (int i = 0; i < run->worker_count; i++) {
        sum += atomic_load_explicit(&run->workers[i].answered, memory_order_relaxed);
    }
    return sum;
}

static void show_progress(const struct run *run, int64_t now, uint64_t *shown, int64_t *shown_at) {
    const struct run_plan *plan = run->task.plan;
    if (plan->progress == NULL || now - *shown_at < TICK_NS / 2) {
        return;
    }
    uint64_t answered = answered_all(run);
    double rate = (double)(answered - *shown) * 1e9 / (double)(now - *shown_at);
    fprintf(stderr, "\r\033[K%s: %s%.1f s, %" PRIu64 " replies, %.0f requests per second",
            plan->progress, now < run->task.from ? "warming up, " : "",
            (double)(now - run->task.start) / 1e9, answered, rate);
    *shown = answered;
    *shown_at = now;
}

/* Reads the clocks when measuring begins and ends, and lets the threads work meanwhile. */
static void watch_over(struct run *run, struct run_result *result) {
    const struct worker_task *task = &run->task;
    bool began = task->from == task->start;
    bool measured = false;
    uint64_t shown = 0;
    int64_t shown_at = task->start;
    int64_t next = task->start;
    while (!sleep_until(run, next)) {
        int64_t now = clock_mono_ns();
        if (!began && now >= task->from) {
            began = true;
            run->own_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
            run->server_before = server_cpu_ns(run, &run->user_before);
        } else if (!measured && now >= task->end) {
            measured = true;
            result->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - run->own_before;
            result->server_ns = server_cpu_ns(run, &result->user_ns);
        }
        if (run_interrupted()) {
            atomic_store(&run->task.stop, true);
            result->interrupted = true;
        }
        show_progress(run, now, &shown, &shown_at);
        next = now + TICK_NS;
        next = !began && task->from < next ? task->from : next;
        next = !measured && task->end < next && task->end > now ? task->end : next;
    }
    if (!measured) {
        result->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - run->own_before;
        result->server_ns = server_cpu_ns(run, &result->user_ns);
    }
    bool known = run->server_before >= 0 && result->server_ns >= 0;
    result->server_ns = known ? result->server_ns - run->server_before : -1;
    known = run->user_before >= 0 && result->user_ns >= 0;
    result->user_ns = known ? result->user_ns - run->user_before : -1;
    if (run->task.plan->progress != NULL) {
        fputs("\r\033[K", stderr);
    }
}

/* ---- the whole ---- */

static int start_threads(struct run *run) {
    const struct run_plan *plan = run->task.plan;
    run->task.start = clock_mono_ns();
    run->task.from = run->task.start + (int64_t)(plan->warmup * 1e9);
    run->task.end = INT64_MAX;
    if (plan->requests == 0) {
        run->task.end = run->task.from + (int64_t)(plan->seconds * 1e9);
    }
    run->working = plan->threads; /* before there is anybody to share it with */
    for (int i = 0; i < plan->threads; i++) {
        struct thread_start *start = mem_alloc(MEM_OTHER, sizeof *start);
        *start = (struct thread_start){run, &run->workers[i]};
        int status = pthread_create(&run->threads[i], NULL, work, start);
        if (status != 0) {
            fprintf(stderr, "A thread cannot be started: %s\n", strerror(status));
            atomic_store(&run->task.stop, true);
            mem_free(MEM_OTHER, start, sizeof *start);
            for (int j = 0; j < i; j++) {
                pthread_join(run->threads[j], NULL);
            }
            return -1;
        }
    }
    return 0;
}

/* Adds up what the threads have; -1 when one of them had a problem. */
static int gather(struct run *run, struct run_result *result) {
    int64_t finished = run->task.from;
    for (int i = 0; i < run->worker_count; i++) {
        const struct worker *worker = &run->workers[i];
        if (worker->problem[0] != '\0') {
            fprintf(stderr, "%s: %s\n", run->endpoint->name, worker->problem);
            return -1;
        }
        result->requests += worker->measured;
        result->unsent += worker->unsent;
        durations_merge(result->latency, worker->latency);
        durations_merge(result->lateness, worker->lateness);
        replies_tally_add(&result->tally, &worker->tally);
        finished = worker->finished > finished ? worker->finished : finished;
    }
    bool whole = run->task.end != INT64_MAX && !result->interrupted;
    int64_t end =
        whole && (run->task.plan->rate == 0 || run->task.end > finished) ? run->task.end : finished;
    result->elapsed_ns = end - run->task.from;
    return 0;
}

static int run_threads(struct run *run, struct run_result *result) {
    /* Without a warm-up, measuring begins before the first request. */
    run->own_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    run->server_before = server_cpu_ns(run, &run->user_before);
    if (start_threads(run) != 0) {
        return -1;
    }
    watch_over(run, result);
    for (int i = 0; i < run->task.plan->threads; i++) {
        pthread_join(run->threads[i], NULL);
    }
    return gather(run, result);
}

int run_load(const struct run_plan *plan, const struct endpoint *endpoint, const struct mix *mix,
             struct run_result *result) {
    *result = (struct run_result){.latency = durations_new(), .lateness = durations_new()};
    struct run run = {.task = {.plan = plan, .mix = mix}, .endpoint = endpoint, .control = NULL};
    size_t threads = (size_t)plan->threads;
    run.workers = mem_zalloc(MEM_OTHER, threads * sizeof *run.workers);
    run.threads = mem_zalloc(MEM_OTHER, threads * sizeof *run.threads);
    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.changed, NULL);
    int status = connect_all(&run);
    if (status == 0) {
        status = run_threads(&run, result);
    }
    for (int i = 0; i < run.worker_count; i++) {
        worker_free(&run.workers[i]);
    }
    if (run.control != NULL) {
        connect_close(run.control);
    }
    mem_free(MEM_OTHER, run.workers, threads * sizeof *run.workers);
    mem_free(MEM_OTHER, run.threads, threads * sizeof *run.threads);
    pthread_mutex_destroy(&run.lock);
    pthread_cond_destroy(&run.changed);
    if (status != 0) {
        run_result_free(result);
    }
    return status;
}

void run_result_free(struct run_result *result) {
    durations_free(result->latency);
    durations_free(result->lateness);
    *result = (struct run_result){0};
}
