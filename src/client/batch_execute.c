/* batch_execute: the middle of a batch's way, in the thread that executes commands: planning and
 * executing what was gathered. What it does to clients stays on their side of the line
 * (client/client.h), unless the batch is inlined, and then replies are flushed between. */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "client/batch_int.h"
#include "client/batch_plan.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/input.h"
#include "client/protocol.h"

#ifdef LARDER_TEST_SMALL
#define BEHIND_ENTRY    1
#define BEHIND_OVERFLOW 2
#define BEHIND_EXECUTE  3
#define BEHIND_VALUE    3
#define BEHIND_INDEX    4
#define BEHIND_ELEMENT  5
#define BEHIND_PLACE    6
#define BEHIND_ALL      7
#define LOOK_REQUESTS   6
#define EXECUTE_NS_MAX  0
#else
/* How many requests behind the first step of the plan the others follow: a bucket is asked for, 12
 * requests later it is there and its entry is asked for, and so on. So what is asked for is spread
 * evenly over what is executed; loops that first ask for much and then execute much measured 10 %
 * slower, and distances of half or twice as much 3 to 7 %. */
#define BEHIND_ENTRY    12
#define BEHIND_OVERFLOW 18
#define BEHIND_EXECUTE  24
/* The same for a batch in which elements of collections are named, which takes four steps more. */
#define BEHIND_VALUE    24
#define BEHIND_INDEX    30
#define BEHIND_ELEMENT  36
#define BEHIND_PLACE    42
#define BEHIND_ALL      48
/* Requests between two looks at the clock: half a nanosecond each. */
#define LOOK_REQUESTS   32
/* When executing has taken so long after all, for requests have become heavier all of a sudden, the
 * rest goes back to where it came from. */
#define EXECUTE_NS_MAX  500000
#endif

/* ---- turns ---- */

/* The current client's replies so far are what its turn has to send. */
static void finish_current(struct batch *batch) {
    struct reply *reply = &batch->reply;
    struct turn *turn = batch->turn;
    if (turn == NULL) {
        return;
    }
    struct client *client = turn->client;
    if (UNLIKELY(reply->discards)) {
        reply_discard_end(reply);
    }
    if (UNLIKELY(reply->piece_count > batch->current_piece)) {
        reply_close_run(reply);
    }
    turn->at = reply->start;
    turn->size = (size_t)(reply->at - reply->start);
    turn->piece_from = batch->current_piece;
    turn->piece_to = reply->piece_count;
    for (uint32_t i = turn->piece_from; i < turn->piece_to; i++) {
        turn->size += reply->pieces[i].size;
    }
    turn->executed = true;
    turn->paused |= (client->flags & CLIENT_WAITING) != 0;
    turn->close = client->flags & CLIENT_CLOSE_SENT;
    turn->stranger = !(client->flags & CLIENT_AUTHENTICATED);
    turn->patient = client->flags & CLIENT_MONITOR || client->class_ == CLIENT_CLASS_REPLICA;
    turn->class_ = client->class_;
    reply->start = reply->at;
    reply_set_origin(reply);
    batch->current_piece = reply->piece_count;
    batch->current_size = reply_size(reply);
    if (turn->size > 0) {
        client->flags |= CLIENT_BUSY;
    }
}

static void flush_now(struct batch *batch, size_t end) {
    batch_flush_turns(batch, end);
    reply_reset(&batch->reply);
    batch->current_piece = 0;
    batch->current_size = 0;
}

static void add_mail(void *reply, struct bytes bytes) {
    reply_raw(reply, bytes.at, bytes.size);
}

static void set_current(struct batch *batch, struct client *client) {
    struct reply *reply = &batch->reply;
    finish_current(batch);
    if (batch->thread->inlined && reply->end != NULL &&
        (size_t)(reply->end - reply->at) < REPLY_CHUNK_SIZE - FLUSH_SIZE) {
        dispatch_end(&client->clients->dispatch);
        flush_now(batch, batch->next_turn);
    }
    while (batch->turns[batch->next_turn].client != client) {
        batch->next_turn++; /* one whose client takes no requests any more */
    }
    batch->turn = &batch->turns[batch->next_turn++];
    batch->holding = batch->full;
    reply->version = client->version;
    if (UNLIKELY(client->flags & (CLIENT_TO_FLUSH | CLIENT_MOVING)) && !batch->thread->inlined) {
        /* What others have sent it since its thread was last told comes first. */
        output_visit(client->queue, add_mail, reply);
        output_clear(client->queue);
    }
}

/* The replies of the running command stay as they are: it may hold marks into them. */
void batch_settle(struct clients *clients, struct client *client) {
    struct batch *batch = clients->executing;
    if (client->flags & CLIENT_BUSY && batch->thread->inlined) {
        size_t end = batch->turn == NULL ? batch->next_turn : (size_t)(batch->turn - batch->turns);
        batch_flush_turns(batch, end);
        client->flags &= ~(uint32_t)CLIENT_BUSY;
    }
}

bool batch_message(struct clients *clients, const struct client *client, struct bytes message,
                   bool behind) {
    if (client != clients_current(clients)) {
        return false;
    }
    dispatch_message(&clients->dispatch, &clients->executing->reply, message, behind);
    return true;
}

const struct call *clients_call(const struct clients *clients) {
    const struct call *call = &clients->dispatch.call;
    return clients->executing == NULL || call->client == NULL ? NULL : call;
}

struct client *clients_current(const struct clients *clients) {
    const struct batch *batch = clients->executing;
    return batch == NULL || batch->turn == NULL ? NULL : batch->turn->client;
}

/* ---- execute ---- */

static void reply_fault(struct batch *batch, struct request *request) {
    struct request_state state = {.error = fault_error(request), .got = fault_got(request)};
    char text[64];
    request_error_text(&state, text);
    char name[SOCKET_NAME_SIZE];
    client_peer_name(request->client, name);
    log_verbose("Protocol error (%s) from client %s", text, name);
    if (!(request->client->flags & (CLIENT_MUTED | CLIENT_MUTE_NEXT))) {
        reply_errorf(&batch->reply, "ERR Protocol error: %s", text);
    }
    client_close_after_reply(request->client);
}

/* One connection has produced much in a row. Where it can be sent at once, it is, and only if the
 * peer does not take it, its further requests are held; else they wait until it has been. */
static void check_backlog(struct batch *batch, struct client *client) {
    if (!batch->thread->inlined) {
        size_t size = reply_size(&batch->reply);
        batch->holding |= size - batch->current_size > CONNECTION_REPLY_MAX;
        batch->full |= size > REPLIES_MAX;
        return;
    }
    size_t current = (size_t)(batch->turn - batch->turns);
    dispatch_end(&client->clients->dispatch);
    finish_current(batch);
    flush_now(batch, current + 1);
    batch->flushed = current; /* there is more of it to come */
    batch->holding = batch->full || client->state & CONNECTION_READING_PAUSED;
}

static void hold(struct batch *batch, struct request *request) {
    request->held = true;
    batch->turn->held = true;
    batch->turn->cut = batch->late && !batch->turn->paused;
    batch->holding = true;
}

static inline void execute(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    struct client *client = request->client;
    if (UNLIKELY(client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_SENT)) ||
        UNLIKELY(request->kind == REQUEST_TAKEN)) {
        return;
    }
    if (batch->turn == NULL || client != batch->turn->client) {
        set_current(batch, client);
    }
    if (UNLIKELY(batch->holding)) {
        hold(batch, request);
        return;
    }
    if (UNLIKELY(request->kind == REQUEST_FAULT)) {
        reply_fault(batch, request);
        return;
    }
    struct call_blob *blobs = NULL;
    int blob_count = 0;
    if (UNLIKELY(request->input != NULL)) {
        blobs = request->input->blobs;
        blob_count = request->input->blob_count;
    }
    struct call *call = &client->clients->dispatch.call;
    call->element = NULL;
    if (UNLIKELY(request->element_hash != 0)) {
        call->element = request_args(batch, request) + request->command->element;
        call->element_hash = request->element_hash;
    }
    enum dispatch_result result;
    if (UNLIKELY(request->kind == REQUEST_FOREIGN)) {
        result = protocol_execute(batch, request) == PROTOCOL_HOLD ? DISPATCH_HOLD : DISPATCH_DONE;
    } else {
        result = dispatch_request(&client->clients->dispatch, client, request->command,
                                  request_args(batch, request), request->argc, request->hash,
                                  &batch->reply, blobs, blob_count);
    }
    if (UNLIKELY(result == DISPATCH_HOLD)) {
        if (!(client->flags & CLIENT_WAITING)) {
            client->flags |= CLIENT_PAUSED;
            client->clients->held++;
        }
        batch->turn->paused = true;
        hold(batch, request);
    }
    if (UNLIKELY(reply_size(&batch->reply) > CONNECTION_REPLY_MAX)) {
        check_backlog(batch, client);
    }
}

/* ---- plan and execute ---- */

/* One step where not all parts of the pipeline have a request: at the beginning and at the end. */
static void step_at_the_edge(struct batch *batch, size_t i, size_t count, uint64_t seed,
                             size_t behind) {
    if (i < count) {
        plan_bucket(batch, i, seed);
    }
    if (i >= BEHIND_ENTRY && i - BEHIND_ENTRY < count) {
        plan_entry(batch, i - BEHIND_ENTRY);
    }
    if (i >= BEHIND_OVERFLOW && i - BEHIND_OVERFLOW < count) {
        plan_overflow(batch, i - BEHIND_OVERFLOW);
    }
    if (batch->has_elements) {
        if (i >= BEHIND_VALUE && i - BEHIND_VALUE < count) {
            plan_value(batch, i - BEHIND_VALUE, seed);
        }
        if (i >= BEHIND_INDEX && i - BEHIND_INDEX < count) {
            plan_index(batch, i - BEHIND_INDEX);
        }
        if (i >= BEHIND_ELEMENT && i - BEHIND_ELEMENT < count) {
            plan_element(batch, i - BEHIND_ELEMENT);
        }
        if (i >= BEHIND_PLACE && i - BEHIND_PLACE < count) {
            plan_place(batch, i - BEHIND_PLACE);
        }
    }
    if (i >= behind) {
        execute(batch, i - behind);
    }
}

/* What is not executed any more is held back, but not the first requests of all: the first look
 * comes when some have been executed, so that each batch gets on. */
static void look_at_clock(struct batch *batch, int64_t end_ns) {
    if (UNLIKELY(clock_mono_ns() > end_ns)) {
        batch->holding = true;
        batch->full = true;
        batch->late = true;
    }
}

/* The pipeline: the loop in the middle of it exists twice, so that the steps for elements cost
 * nothing where there are none. */
static inline __attribute__((always_inline)) void run(struct batch *batch, uint64_t seed,
                                                      int64_t end_ns, bool has_elements) {
    const size_t count = batch->request_count;
    const size_t behind = has_elements ? BEHIND_ALL : BEHIND_EXECUTE;
    size_t i = 0;
    for (; i < count && i < behind; i++) {
        step_at_the_edge(batch, i, count, seed, behind);
    }
    for (; i < count; i++) {
        if (UNLIKELY((i - behind) % LOOK_REQUESTS == LOOK_REQUESTS / 2)) {
            look_at_clock(batch, end_ns);
        }
        plan_bucket(batch, i, seed);
        plan_entry(batch, i - BEHIND_ENTRY);
        plan_overflow(batch, i - BEHIND_OVERFLOW);
        if (has_elements) {
            plan_value(batch, i - BEHIND_VALUE, seed);
            plan_index(batch, i - BEHIND_INDEX);
            plan_element(batch, i - BEHIND_ELEMENT);
            plan_place(batch, i - BEHIND_PLACE);
        }
        execute(batch, i - behind);
    }
    for (; i < count + behind; i++) {
        step_at_the_edge(batch, i, count, seed, behind);
    }
}

void batch_execute(struct batch *batch) {
    struct clients *clients = batch->thread->clients;
    const uint64_t seed = clients->context->keyspace->seed;
    const uint64_t commands = clients->metrics.total_commands_processed;
    const int64_t busy_ns = clients->dispatch.busy_ns;
    clients->executing = batch;
    batch->full = false;
    batch->late = false;
    if (UNLIKELY(clients->sample.until < batch->request_count)) {
        sample_batch(&clients->sample, batch);
    } else {
        clients->sample.until -= batch->request_count;
    }
    dispatch_begin(&clients->dispatch);
    const int64_t end_ns = clock_mono_ns() + EXECUTE_NS_MAX;
    if (UNLIKELY(batch->has_elements)) {
        run(batch, seed, end_ns, true);
    } else {
        run(batch, seed, end_ns, false);
    }
    dispatch_end(&clients->dispatch);
    finish_current(batch);
    if (!batch->thread->inlined) {
        for (size_t i = 0; i < batch->turn_count; i++) {
            batch->turns[i].client->flags &= ~(uint32_t)CLIENT_BUSY;
        }
    }
    batch->turn = NULL;
    batch->current_piece = 0;
    batch->current_size = 0;
    clients->executing = NULL;
    uint64_t executed = clients->metrics.total_commands_processed;
    if (executed > commands) {
        batch_follow_pace(batch, clients->dispatch.busy_ns - busy_ns, executed - commands);
    }
}
