/* busy: see the header. */
#include "client/busy.h"

#include "base/check.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"

/* What the turn must find as it was, and the batch that it is about. */
struct aside {
    struct dispatch dispatch;
    struct batch *executing;
    struct batch *filling;
    bool no_touch;
};

/* What a client has in the batch and is not executed goes back to it, as if it had come now. */
static void take_back(struct batch *batch, size_t index) {
    struct turn *turn = &batch->turns[index];
    size_t end = index + 1 < batch->turn_count ? turn[1].first_request : batch->request_count;
    for (size_t i = turn->first_request; i < end; i++) {
        batch->requests[i].held = true;
    }
    batch_put_back(batch, turn);
    for (size_t i = turn->first_request; i < end; i++) {
        batch->requests[i].held = false;
        batch->requests[i].kind = REQUEST_TAKEN;
    }
}

/* Those whose replies are complete get them, and what others have sent goes back to them. Who runs
 * the command, and who was put off before it, are not read until the batch is done. */
static void interrupt(struct batch *batch) {
    if (!batch->thread->inlined || batch->interrupted || batch->turn == NULL) {
        return;
    }
    size_t current = (size_t)(batch->turn - batch->turns);
    batch->interrupted = true;
    batch_flush_turns(batch, current);
    for (size_t i = 0; i < batch->turn_count; i++) {
        const struct turn *turn = &batch->turns[i];
        struct client *client = turn->client;
        if (client->state & CONNECTION_CLOSING) {
            continue;
        }
        if (i > current) {
            take_back(batch, i);
        } else if (i == current || turn->held || client->state & CONNECTION_CUT) {
            client->state |= CONNECTION_IN_FLIGHT;
        } else {
            client->flags &= ~(uint32_t)CLIENT_BUSY;
        }
    }
}

static void step_aside(struct clients *clients, struct aside *aside) {
    struct io_thread *inlined = &clients->inlined;
    if (clients->executing != NULL) {
        interrupt(clients->executing);
    }
    if (clients->busy_batch == NULL) {
        clients->busy_batch = batch_new(inlined);
    }
    *aside = (struct aside){.dispatch = clients->dispatch,
                            .executing = clients->executing,
                            .filling = inlined->filling,
                            .no_touch = clients->context->keyspace->no_touch};
    dispatch_init(&clients->dispatch, clients);
    clients->dispatch.special = aside->dispatch.special & ~(unsigned)DISPATCH_AWAITED;
    clients->executing = NULL;
    clients->context->keyspace->no_touch = false;
    inlined->filling = clients->busy_batch;
}

static void step_back(struct clients *clients, struct aside *aside) {
    clients->busy_batch = clients->inlined.filling;
    clients->inlined.filling = aside->filling;
    clients->context->keyspace->no_touch = aside->no_touch;
    clients->executing = aside->executing;
    unsigned awaited = clients->dispatch.special & DISPATCH_AWAITED;
    dispatch_free(&clients->dispatch);
    clients->dispatch = aside->dispatch;
    clients->dispatch.special |= awaited;
}

void clients_serve_busy(struct clients *clients, const char *text) {
    struct io_thread *inlined = &clients->inlined;
    struct aside aside;
    check(clients->busy_text == NULL);
    step_aside(clients, &aside);
    clients->busy_text = text;
    loop_look(clients->context->loop);
    if (io_thread_can_resume(inlined)) {
        io_thread_resume(inlined);
    }
    batch_run(inlined->filling);
    crew_work(clients);
    clients_flush(clients);
    clients->busy_text = NULL;
    step_back(clients, &aside);
}

const char *clients_busy_text(const struct clients *clients) {
    return clients->busy_text;
}

void clients_abandon_busy(struct clients *clients) {
    clients->busy_abandoned = true;
}

bool clients_is_abandoned(const struct clients *clients) {
    return clients->busy_abandoned;
}
