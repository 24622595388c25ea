/* io_thread: the I/O thread's side: a loop of its own whose passes begin with what came back from
 * the executing thread and end with handing over what was read.
 *
 *     pass:  enter -> take (batches: flush; parcels: obey, send) -> sockets -> resume -> submit ->
 *     leave
 */
#include "client/io_thread.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/sends.h"
#include "net/tls.h"

#define CRON_MS 100

/* ---- parcels ---- */

#define PARCEL_ROOM_FIRST 16

static size_t parcel_size(size_t room) {
    return sizeof(struct parcel) + room * sizeof(struct mail);
}

struct parcel *parcel_new(void) {
    struct parcel *parcel = mem_alloc(MEM_BUFFER, parcel_size(PARCEL_ROOM_FIRST));
    *parcel = (struct parcel){.link.kind = HANDOFF_PARCEL, .room = PARCEL_ROOM_FIRST};
    return parcel;
}

struct mail *parcel_add(struct parcel **parcel) {
    if (*parcel == NULL) {
        *parcel = parcel_new();
    }
    struct parcel *p = *parcel;
    if (p->count == p->room) {
        p = mem_realloc(MEM_BUFFER, p, parcel_size(p->room), parcel_size(p->room * 2));
        p->room *= 2;
        *parcel = p;
    }
    return &p->mail[p->count++];
}

void parcel_drop(struct parcel *parcel) {
    for (size_t i = 0; i < parcel->count; i++) {
        output_clear(&parcel->mail[i].output);
    }
    parcel_free(parcel);
}

void parcel_free(struct parcel *parcel) {
    mem_free(MEM_BUFFER, parcel, parcel_size(parcel->room));
}

/* ---- what comes from the executing thread ---- */

static void open_mail(struct mail *mail) {
    struct client *client = mail->client;
    if (mail->orders & CLIENT_ORDER_ADOPT) {
        connection_adopt(client);
    }
    if (!output_is_empty(&mail->output)) {
        if (client->state & (CONNECTION_CLOSING | CONNECTION_CLOSE_SENT)) {
            output_clear(&mail->output);
        } else {
            output_take(&client->output, &mail->output);
            if (client->watch.interest & LOOP_WRITE) {
                connection_check_output(client); /* it will be told when the socket takes more */
            } else {
                connection_offer_output(client);
            }
        }
    }
    connection_obey(client, mail->orders);
}

static void open_parcel(struct io_thread *thread, struct parcel *parcel) {
    for (size_t i = 0; i < parcel->count; i++) {
        open_mail(&parcel->mail[i]);
    }
    io_thread_commit(thread);
    if (parcel->stop_reading) {
        thread->stopped = true;
        for (struct client *c = thread->first; c != NULL; c = c->next_own) {
            connection_update_interest(c);
        }
    }
    if (parcel->end) {
        loop_stop(thread->loop);
    }
    parcel_free(parcel);
}

void io_thread_keep(struct io_thread *thread, struct batch *batch) {
    while (batch->gone != NULL) {
        struct client *client = batch->gone;
        batch->gone = client->next_closing;
        connection_free(client);
    }
    if (thread->filling == NULL) {
        thread->filling = batch;
    } else {
        thread->spare = batch;
    }
}

static void take(struct io_thread *thread) {
    struct handoff *item = handoff_take(&thread->from_main);
    while (item != NULL) {
        struct handoff *next = item->next;
        if (item->kind == HANDOFF_BATCH) {
            batch_finish((struct batch *)item);
            io_thread_keep(thread, (struct batch *)item);
        } else {
            open_parcel(thread, (struct parcel *)item);
        }
        item = next;
    }
}

/* All batches are away. */
static void await_batch(struct io_thread *thread) {
    struct hold *hold = &thread->clients->hold;
    thread->waits++;
    hold_leave(hold, &thread->member);
    loop_wait_woken(thread->loop);
    hold_enter(hold, &thread->member);
    take(thread);
}

/* ---- what goes there ---- */

/* Those that have requests in the batch stay: it brings them back here when it lands. */
static struct client *without_flying(struct client *list) {
    struct client *kept = NULL;
    while (list != NULL) {
        struct client *client = list;
        list = client->next_closing;
        if (!(client->state & CONNECTION_IN_FLIGHT)) {
            client->next_closing = kept;
            kept = client;
        }
    }
    return kept;
}

static void submit(struct io_thread *thread) {
    struct batch *batch = thread->filling;
    for (size_t i = 0; i < batch->turn_count; i++) {
        batch->turns[i].client->state |= CONNECTION_IN_FLIGHT;
    }
    batch->gone = without_flying(thread->closing);
    thread->closing = NULL;
    batch->moved = without_flying(thread->moving);
    thread->moving = NULL;
    for (struct client *c = batch->moved; c != NULL; c = c->next_closing) {
        c->state &= ~(uint32_t)CONNECTION_MOVING;
        connection_release(c);
    }
    if (batch_is_empty(batch) && batch->gone == NULL && batch->moved == NULL) {
        batch_finish(batch); /* what was read of requests that are not whole */
        return;
    }
    batch->counts = thread->own_counts;
    thread->own_counts = (struct client_metrics){0};
    thread->batches++;
    thread->requests += batch->request_count;
    thread->filling = thread->spare;
    thread->spare = NULL;
    handoff_push(&thread->to_main, &batch->link);
    loop_wake(thread->clients->context->loop);
}

struct batch *io_thread_batch(struct io_thread *thread) {
    if (UNLIKELY(!batch_has_room(thread->filling))) {
        if (thread->inlined) {
            batch_run(thread->filling);
        } else {
            submit(thread);
            while (thread->filling == NULL) {
                await_batch(thread);
            }
        }
    }
    return thread->filling;
}

/* Nothing is read any more, but this client has been held up: what it sent before is in its socket
 * still, and is read until that is empty. Or its transport holds what the socket no longer
 * shows. */
static void read_last(struct client *client) {
    uint64_t before = client->bytes_in;
    batch_read(io_thread_batch(client->thread), client);
    if (client->bytes_in != before || client->state & CONNECTION_IN_FLIGHT) {
        connection_resume_later(client);
    }
}

void io_thread_resume(struct io_thread *thread) {
    if (thread->resuming == NULL) {
        thread->resuming = thread->to_resume;
        thread->to_resume = NULL;
    }
    while (thread->resuming != NULL && !batch_is_full(thread->filling)) {
        struct client *client = thread->resuming;
        thread->resuming = client->next_resume;
        client->state &= ~(uint32_t)CONNECTION_IN_LIST;
        if (client->state & (CONNECTION_IN_FLIGHT | CONNECTION_MOVING)) {
            continue; /* when it lands, or where it arrives */
        }
        client->state &= ~(uint32_t)CONNECTION_TO_RESUME;
        if (!(client->state & CONNECTION_UNREADABLE)) {
            batch_resume(io_thread_batch(thread), client);
            if (thread->stopped || UNLIKELY(client->transport.has_pending)) {
                read_last(client);
            }
            connection_update_interest(client);
        }
    }
}

/* ---- the thread ---- */

static void pass_start(void *context) {
    struct io_thread *thread = context;
    hold_enter(&thread->clients->hold, &thread->member);
    clock_update(&thread->own_clock);
    take(thread);
    while (thread->filling == NULL) {
        await_batch(thread);
    }
}

static void pass_end(void *context) {
    struct io_thread *thread = context;
    take(thread);
    submit(thread);
    if (io_thread_can_resume(thread) && thread->filling != NULL) {
        io_thread_resume(thread);
        submit(thread);
    }
    handshakes_work(thread);
}

/* From here on to the next pass its things are not its own. */
static bool idle(void *context) {
    struct io_thread *thread = context;
    bool more = io_thread_can_resume(thread) || !handoff_is_empty(&thread->from_main) ||
                handshakes_wait(&thread->handshakes) || thread->closing != NULL;
    thread->stats = *loop_stats(thread->loop);
    hold_leave(&thread->clients->hold, &thread->member);
    return more;
}

static int64_t on_time(struct loop_timer *timer) {
    struct io_thread *thread =
        (struct io_thread *)(void *)((char *)timer - offsetof(struct io_thread, timer));
    connection_cron(thread);
    return CRON_MS;
}

static void *run(void *context) {
    struct io_thread *thread = context;
    char name[16];
    snprintf(name, sizeof name, "larder-io-%d", thread->number);
    pthread_setname_np(pthread_self(), name);
    crash_thread_start();
    loop_run(thread->loop);
    crash_thread_end();
    return NULL;
}

struct sends *io_thread_sends(struct io_thread *thread) {
    if (UNLIKELY(thread->sends == NULL)) {
        thread->sends = sends_new(thread->loop);
    }
    return thread->sends;
}

void io_thread_commit(struct io_thread *thread) {
    if (thread->sends != NULL) {
        sends_commit(thread->sends);
    }
}

struct tls_desk *io_thread_desk(struct io_thread *thread) {
    if (thread->desk == NULL) {
        thread->desk = tls_desk_new();
    }
    return thread->desk;
}

/* What was made at its first use. */
static void free_tools(struct io_thread *thread) {
    if (thread->sends != NULL) {
        sends_free(thread->sends);
    }
    if (thread->desk != NULL) {
        tls_desk_free(thread->desk);
    }
}

void io_thread_init_inlined(struct io_thread *thread, struct clients *clients) {
    thread->clients = clients;
    thread->clock = clients->context->clock;
    thread->counts = &clients->metrics;
    thread->latency = histogram_new();
    thread->inlined = true;
    thread->filling = batch_new(thread);
}

void io_thread_free_inlined(struct io_thread *thread) {
    free_tools(thread);
    batch_free(thread->filling);
    histogram_free(thread->latency);
}

static void free_thread(struct io_thread *thread) {
    free_tools(thread);
    if (thread->filling != NULL) {
        batch_free(thread->filling);
    }
    if (thread->spare != NULL) {
        batch_free(thread->spare);
    }
    if (thread->open != NULL) {
        parcel_drop(thread->open);
    }
    if (thread->loop != NULL) {
        loop_timer_remove(thread->loop, &thread->timer);
        loop_free(thread->loop);
    }
    histogram_free(thread->latency);
    mem_free(MEM_CLIENT, thread, sizeof *thread);
}

struct io_thread *io_thread_start(struct clients *clients, int number, const char *backend,
                                  int fd_max, const cpu_set_t *cpus, const char **error) {
    struct io_thread *thread = mem_zalloc(MEM_CLIENT, sizeof *thread);
    thread->clients = clients;
    thread->number = number;
    thread->clock = &thread->own_clock;
    thread->counts = &thread->own_counts;
    thread->latency = histogram_new();
    clock_init(&thread->own_clock);
    atomic_init(&thread->member.inside, false);
    thread->filling = batch_new(thread);
    thread->spare = batch_new(thread);
    thread->timer = (struct loop_timer){.on_time = on_time, .position = -1};
    thread->loop = loop_new(backend, fd_max, error);
    if (thread->loop == NULL) {
        free_thread(thread);
        return NULL;
    }
    loop_on_pass_start(thread->loop, pass_start, thread);
    loop_on_pass_end(thread->loop, pass_end, thread);
    loop_on_idle(thread->loop, idle, thread);
    loop_timer_add(thread->loop, &thread->timer, CRON_MS);
    int status = pthread_create(&thread->thread, NULL, run, thread);
    if (status != 0) {
        *error = strerror(status);
        free_thread(thread);
        return NULL;
    }
    status = pthread_setaffinity_np(thread->thread, sizeof *cpus, cpus);
    if (status != 0) {
        log_warning("I/O thread %d cannot run on its processors: %s", number, strerror(status));
    }
    return thread;
}

void io_thread_free(struct io_thread *thread) {
    for (struct client *c = thread->first; c != NULL; c = c->next_own) {
        c->flags |= CLIENT_CLOSING; /* nothing is sent to those that go together */
    }
    clients_flush(thread->clients);
    while (thread->first != NULL) {
        struct client *client = thread->first;
        client->state &= ~(uint32_t)CONNECTION_IN_FLIGHT;
        client_forget(client);
        connection_free(client);
    }
    free_thread(thread);
}
