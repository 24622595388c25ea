/* crew: the executing thread's side of the I/O threads: who serves which connection, executing what
 * they hand over, letting them stand still, starting and ending them as the option io-threads says.
 *
 * A thread that is to end is retired first: it gets no new connections and its own are moved. A
 * connection moves by an order to its thread, which lets go of it at a moment when no batch has it,
 * and gives it back (batch->moved); from the order until then what is queued for it stays here. */
#include <string.h>

#include "base/check.h"
#include "base/cpulist.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"

/* Requests executed in one pass, and how long it may have taken when more are begun, so that timers
 * and background work have their turn. */
#define WORK_MAX    4096
#define WORK_US_MAX 500

/* ---- standing still ---- */

/* What an I/O thread has counted. */
static void add_counts(struct client_metrics *to, struct client_metrics *from) {
    from->io_threaded_reads_processed = from->total_reads_processed;
    from->io_threaded_writes_processed = from->total_writes_processed;
#define ADD(section, field, ...) to->field += from->field;
    CLIENT_METRICS(ADD)
#undef ADD
    *from = (struct client_metrics){0};
}

void crew_collect(struct clients *clients) {
    for (size_t i = 0; i < clients->thread_count; i++) {
        add_counts(&clients->metrics, &clients->threads[i]->own_counts);
    }
}

void clients_hold(struct clients *clients) {
    hold_begin(&clients->hold);
    for (size_t i = 0; i < clients->thread_count; i++) {
        hold_wait(&clients->hold, &clients->threads[i]->member);
    }
    crew_collect(clients);
}

void clients_release(struct clients *clients) {
    hold_end(&clients->hold);
}

/* ---- places ---- */

static size_t staying(const struct io_thread *thread) {
    return thread->assigned - thread->leaving;
}

static struct io_thread *least_busy(const struct clients *clients) {
    struct io_thread *best = NULL;
    for (size_t i = 0; i < clients->thread_count; i++) {
        struct io_thread *thread = clients->threads[i];
        if (thread->serves && (best == NULL || staying(thread) < staying(best))) {
            best = thread;
        }
    }
    return best;
}

/* What was queued for another thread becomes output. */
static void take_queue(struct client *client) {
    if (client->queue == &client->output) {
        return;
    }
    struct output *queue = client->queue;
    output_take(&client->output, queue);
    mem_free(MEM_CLIENT, queue, sizeof *queue);
    client->queue = &client->output;
    if (!output_is_empty(&client->output)) {
        client_flush_later(client);
    }
}

void crew_place(struct client *client) {
    struct clients *clients = client->clients;
    struct io_thread *thread = least_busy(clients);
    if (thread == NULL) {
        client->thread = &clients->inlined;
        connection_adopt(client);
        take_queue(client);
        unsigned orders = client->orders;
        client->orders = 0;
        connection_obey(client, orders);
        return;
    }
    client->thread = thread;
    if (client->queue == &client->output) {
        client->queue = mem_alloc(MEM_CLIENT, sizeof *client->queue);
        output_init(client->queue);
    }
    thread->assigned++;
    client_order(client, CLIENT_ORDER_ADOPT);
}

/* ---- work ---- */

static void leave(struct io_thread *thread, struct client *client) {
    thread->assigned--;
    if (client->flags & CLIENT_MOVING) {
        client->flags &= ~(uint32_t)CLIENT_MOVING;
        thread->leaving--;
    }
}

static void forget_gone(struct io_thread *thread, struct batch *batch) {
    for (struct client *c = batch->gone; c != NULL; c = c->next_closing) {
        c->flags |= CLIENT_CLOSING; /* first, so that they send each other nothing */
    }
    for (struct client *c = batch->gone; c != NULL; c = c->next_closing) {
        client_forget(c);
        leave(thread, c);
    }
}

static void place_moved(struct io_thread *thread, struct batch *batch) {
    while (batch->moved != NULL) {
        struct client *client = batch->moved;
        batch->moved = client->next_closing;
        leave(thread, client);
        crew_place(client);
    }
}

static void work_on(struct io_thread *thread, struct batch *batch, bool execute) {
    struct clients *clients = thread->clients;
    clients_flush(clients); /* so nothing is queued for those that are gone */
    add_counts(&clients->metrics, &batch->counts);
    forget_gone(thread, batch);
    place_moved(thread, batch);
    if (execute && batch->request_count > 0) {
        batch_execute(batch);
    }
    handoff_push(&thread->from_main, &batch->link);
    loop_wake(thread->loop);
}

void crew_work(struct clients *clients) {
    size_t done = 0;
    size_t idle = 0;
    while (idle < clients->thread_count && done < WORK_MAX &&
           (done == 0 || loop_pass_us(clients->context->loop) < WORK_US_MAX)) {
        clients->next_thread = (clients->next_thread + 1) % clients->thread_count;
        struct io_thread *thread = clients->threads[clients->next_thread];
        struct handoff *item = handoff_take(&thread->to_main);
        idle = item == NULL ? idle + 1 : 0;
        while (item != NULL) {
            struct batch *batch = (struct batch *)item;
            item = item->next;
            done += batch->request_count;
            work_on(thread, batch, true);
        }
    }
}

bool crew_has_work(const struct clients *clients) {
    for (size_t i = 0; i < clients->thread_count; i++) {
        if (!handoff_is_empty(&clients->threads[i]->to_main)) {
            return true;
        }
    }
    return false;
}

void crew_post(struct clients *clients) {
    for (size_t i = 0; i < clients->thread_count; i++) {
        struct io_thread *thread = clients->threads[i];
        if (thread->open != NULL) {
            handoff_push(&thread->from_main, &thread->open->link);
            thread->open = NULL;
            loop_wake(thread->loop);
        }
    }
}

/* ---- how many ---- */

/* The processors of the thread with this number: one of io-cpulist, or all. */
static cpu_set_t cpus_of(const struct clients *clients, int number) {
    cpu_set_t set;
    int count = cpulist_parse(clients->options.io_cpus, &set);
    if (count < 1) {
        return clients->cpus;
    }
    int cpu = cpulist_at(&set, (number - 1) % count);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return set;
}

static bool start_one(struct clients *clients) {
    const char *error = NULL;
    int number = clients->threads_begun + 1;
    cpu_set_t cpus = cpus_of(clients, number);
    struct io_thread *thread =
        io_thread_start(clients, number, clients->backend, clients->fd_max, &cpus, &error);
    if (thread == NULL) {
        log_warning("An I/O thread cannot be started: %s", error);
        return false;
    }
    clients->threads_begun++;
    clients->threads[clients->thread_count++] = thread;
    return true;
}

static size_t active(const struct clients *clients) {
    size_t count = 0;
    for (size_t i = 0; i < clients->thread_count; i++) {
        count += !clients->threads[i]->retired;
    }
    return count;
}

/* Threads beyond those that there are processors for, one of which is main's, would only cut the
 * work into smaller batches, each of which costs a hand-over: they serve nobody. Whoever says on
 * which processors they are to run knows better. Returns how many serve. */
static size_t choose_serving(struct clients *clients) {
    size_t processors = (size_t)CPU_COUNT(&clients->cpus);
    size_t most = processors > 2 ? processors - 1 : 1;
    if (clients->options.io_cpus[0] != '\0') {
        most = IO_THREADS_MAX;
    }
    size_t count = 0;
    for (size_t i = 0; i < clients->thread_count; i++) {
        struct io_thread *thread = clients->threads[i];
        thread->serves = !thread->retired && count < most;
        count += thread->serves;
    }
    return count;
}

static void log_serving(const struct clients *clients, size_t count) {
    size_t threads = active(clients);
    if (threads == 0) {
        log_notice("No I/O threads: the one that executes commands serves all connections.");
    } else if (count == threads) {
        log_notice("I/O threads: %zu, beside the one that executes commands.", threads);
    } else {
        log_notice("I/O threads: %zu, beside the one that executes commands. With %d processors, "
                   "only %zu of them serve connections; io-cpulist makes all of them.",
                   threads, CPU_COUNT(&clients->cpus), count);
    }
}

static void retire(struct clients *clients, size_t count) {
    for (size_t i = clients->thread_count; i-- > 0 && count > 0;) {
        if (!clients->threads[i]->retired) {
            clients->threads[i]->retired = true;
            count--;
        }
    }
}

/* Looking for work instead of sleeping is for machines where nobody else needs the processor. */
static int64_t crew_spin_us(const struct clients *clients) {
    size_t threads = active(clients) + 1;
    bool room = threads > 1 && (size_t)CPU_COUNT(&clients->cpus) > threads;
    return room ? clients->options.io_spin_us : 0;
}

/* Those who are with a thread that does not serve, or with one that has more than its share, go
 * elsewhere; so many threads serve. */
static void move_clients(struct clients *clients, size_t threads) {
    size_t share = threads == 0 ? 0 : (clients->count + threads - 1) / threads;
    size_t leaving[IO_THREADS_MAX] = {0};
    for (size_t i = 0; i < clients->thread_count; i++) {
        const struct io_thread *thread = clients->threads[i];
        size_t keeps = thread->serves ? share : 0;
        leaving[i] = staying(thread) > keeps ? staying(thread) - keeps : 0;
    }
    for (size_t i = 0; i < clients->thread_count; i++) {
        struct io_thread *thread = clients->threads[i];
        for (struct client *c = clients->first; c != NULL && leaving[i] > 0; c = c->next) {
            if (c->thread == thread && !(c->flags & (CLIENT_MOVING | CLIENT_CLOSING))) {
                c->flags |= CLIENT_MOVING;
                thread->leaving++;
                client_order(c, CLIENT_ORDER_MOVE);
                leaving[i]--;
            }
        }
    }
    if (threads == 0) {
        return;
    }
    struct io_thread *inlined = &clients->inlined;
    while (inlined->first != NULL) {
        struct client *client = inlined->first;
        connection_release(client);
        crew_place(client);
    }
}

/* What was under way when the thread ended. */
static void drop_handoffs(struct io_thread *thread) {
    struct handoff *item = handoff_take(&thread->to_main);
    for (struct handoff *next; item != NULL; item = next) {
        next = item->next;
        struct batch *batch = (struct batch *)item;
        add_counts(&thread->clients->metrics, &batch->counts);
        clients_flush(thread->clients); /* so nothing is queued for those that are gone */
        forget_gone(thread, batch);
        place_moved(thread, batch);
        io_thread_keep(thread, batch);
    }
    item = handoff_take(&thread->from_main);
    for (struct handoff *next; item != NULL; item = next) {
        next = item->next;
        if (item->kind == HANDOFF_BATCH) {
            io_thread_keep(thread, (struct batch *)item);
        } else {
            parcel_drop((struct parcel *)item);
        }
    }
    add_counts(&thread->clients->metrics, &thread->own_counts);
    histogram_merge(thread->clients->inlined.latency, thread->latency);
}

/* Tells the thread to end, and waits until it has; what it still hands over is given back to it
 * unexecuted, for it may wait for that. */
static void end_thread(struct io_thread *thread) {
    clients_flush(thread->clients); /* who was just given to it is adopted before it ends */
    if (thread->open == NULL) {
        thread->open = parcel_new();
    }
    thread->open->end = true;
    handoff_push(&thread->from_main, &thread->open->link);
    thread->open = NULL;
    loop_wake(thread->loop);
    while (pthread_tryjoin_np(thread->thread, NULL) != 0) {
        struct handoff *item = handoff_take(&thread->to_main);
        while (item != NULL) {
            struct batch *batch = (struct batch *)item;
            item = item->next;
            work_on(thread, batch, false);
        }
        sched_yield();
    }
    drop_handoffs(thread);
    io_thread_free(thread);
}

static void end_retired(struct clients *clients) {
    for (size_t i = clients->thread_count; i-- > 0;) {
        struct io_thread *thread = clients->threads[i];
        if (thread->retired && thread->assigned == 0 && handoff_is_empty(&thread->to_main)) {
            clients->threads[i] = clients->threads[--clients->thread_count];
            end_thread(thread);
        }
    }
    clients->next_thread = 0;
}

void crew_balance(struct clients *clients) {
    clients->balance_due = false;
    if (clients->stopped) {
        return;
    }
    size_t wanted = (size_t)clients->options.io_threads - 1;
    size_t before = active(clients);
    if (before < wanted) {
        while (active(clients) < wanted && clients->thread_count < IO_THREADS_MAX &&
               start_one(clients)) {}
    } else {
        retire(clients, before - wanted);
    }
    for (size_t i = 0; i < clients->thread_count; i++) {
        loop_set_spin(clients->threads[i]->loop, crew_spin_us(clients));
    }
    loop_set_spin(clients->context->loop, crew_spin_us(clients));
    size_t serving = choose_serving(clients);
    if (before != wanted) {
        log_serving(clients, serving);
    }
    move_clients(clients, serving);
    clients_flush(clients);
    end_retired(clients);
    /* Until those that are retired have given everything away. */
    clients->balance_due = active(clients) != clients->thread_count;
}

int clients_pin(const struct clients *clients) {
    cpu_set_t set;
    int count = cpulist_parse(clients->options.server_cpus, &set);
    if (count > 0 && pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) {
        log_warning("The server cannot run on the processors %s", clients->options.server_cpus);
        return -1;
    }
    return 0;
}

/* Whether the option is a list of processors; logs if not. */
static bool is_list(const char *option, const char *text) {
    cpu_set_t set;
    if (cpulist_parse(text, &set) >= 0) {
        return true;
    }
    log_warning("%s is no list of processors: %s. Expected: 0-3 or 0,2 or 0-7:2", option, text);
    return false;
}

int clients_start(struct clients *clients, const char *backend, int fd_max) {
    cpulist_usable(&clients->cpus);
    clients->inlined.loop = clients->context->loop;
    clients->backend = backend;
    clients->fd_max = fd_max;
    if (!is_list("server-cpulist", clients->options.server_cpus) ||
        !is_list("io-cpulist", clients->options.io_cpus)) {
        return -1;
    }
    size_t wanted = (size_t)clients->options.io_threads - 1;
    clients->balance_due = true;
    crew_balance(clients);
    return active(clients) == wanted ? 0 : -1;
}

void clients_stop(struct clients *clients) {
    for (size_t i = 0; i < clients->thread_count; i++) {
        clients->threads[i]->retired = true;
        clients->threads[i]->serves = false; /* so nobody is given to it */
    }
    while (clients->thread_count > 0) {
        end_thread(clients->threads[--clients->thread_count]);
    }
}

size_t clients_thread_count(const struct clients *clients) {
    return clients->thread_count;
}

/* ---- the end, and figures ---- */

void clients_stop_reading(struct clients *clients) {
    clients->stopped = true;
    clients->inlined.stopped = true;
    for (struct client *c = clients->inlined.first; c != NULL; c = c->next_own) {
        connection_update_interest(c);
    }
    for (size_t i = 0; i < clients->thread_count; i++) {
        struct io_thread *thread = clients->threads[i];
        if (thread->open == NULL) {
            thread->open = parcel_new();
        }
        thread->open->stop_reading = true;
    }
    crew_post(clients);
}

/* Whether nothing is under way between a thread, which stands still, and this one. */
static bool is_quiet(struct io_thread *thread) {
    return handoff_is_empty(&thread->to_main) && handoff_is_empty(&thread->from_main) &&
           !io_thread_can_resume(thread) && thread->filling != NULL && thread->spare != NULL &&
           batch_is_empty(thread->filling);
}

/* Of two passes that a thread has made since, the second one began with looking at its sockets
 * afresh; nothing was in flight, so none of them was left out. Each call brings about a pass. */
#define PASSES_QUIET 2

bool clients_are_quiet(struct clients *clients) {
    clients_hold(clients);
    uint64_t reads = clients->metrics.total_reads_processed;
    bool quiet = reads == clients->quiet_reads && !io_thread_can_resume(&clients->inlined);
    bool looked = true;
    for (size_t i = 0; i < clients->thread_count; i++) {
        const struct io_thread *thread = clients->threads[i];
        quiet &= is_quiet(clients->threads[i]);
        looked &= thread->stats.passes >= thread->quiet_passes + PASSES_QUIET;
    }
    bool over = quiet && clients->quiet && looked;
    for (size_t i = 0; i < clients->thread_count; i++) {
        if (!quiet || !clients->quiet) {
            clients->threads[i]->quiet_passes = clients->threads[i]->stats.passes;
        }
        loop_wake(clients->threads[i]->loop);
    }
    clients->quiet = quiet;
    clients->quiet_reads = reads;
    clients_release(clients);
    return over;
}

bool clients_are_flushed(struct clients *clients) {
    if (clients_have_work(clients)) {
        return false;
    }
    clients_hold(clients);
    bool flushed = true;
    for (size_t i = 0; i < clients->thread_count; i++) {
        flushed &= is_quiet(clients->threads[i]);
    }
    for (const struct client *c = clients->first; c != NULL && flushed; c = c->next) {
        flushed = output_is_empty(&c->output) && output_is_empty(c->queue);
    }
    clients_release(clients);
    return flushed;
}

void clients_print_threads(struct clients *clients, struct buffer *out) {
    for (size_t i = 0; i < clients->thread_count; i++) {
        const struct io_thread *thread = clients->threads[i];
        const struct loop_stats *stats = &thread->stats;
        buffer_printf(
            out,
            "io_thread_%d:clients=%zu,requests=%llu,batches=%llu,passes=%llu,busy_us=%llu,"
            "waits=%llu\r\n",
            thread->number, thread->count, (unsigned long long)thread->requests,
            (unsigned long long)thread->batches, (unsigned long long)stats->passes,
            (unsigned long long)stats->busy_us, (unsigned long long)thread->waits);
    }
}
