/* batch: its life, and the end of its way: when what was gathered (batch_read.c) and executed
 * (batch_execute.c) has been flushed (batch_flush.c). The header draws the picture. */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/input.h"
#include "client/protocol.h"
#include "call/unparse.h"

#ifdef LARDER_TEST_SMALL
#define SLICES_FIRST 4
#define FULL_COUNT   8
/* Each request costs the same and is heavy. */
#define COST_NS_MIN 100
#define COST_NS_MAX 100
#define HEAVY_NS    0
#define LONG_NS     0
#define FIRST_NS    300
#define TURN_NS     500
#define BATCH_NS    800
#else
/* Room for slices at first. */
#define SLICES_FIRST 4096
/* Requests after which no more is read in a pass: half a millisecond's worth when they are light,
 * the kernel's part included. */
#define FULL_COUNT   2048
/* A single command that takes long says little of the next batch, nor does a moment without a
 * processor. */
#define COST_NS_MIN  0
#define COST_NS_MAX  30000
/* Turns are divided when requests are heavier than the first figure on average, and as many of them
 * as fill a batch would take longer than the second: each turn costs copying what is left and the
 * replies, 5 to 15 percent. Lighter ones only make a batch full sooner, by the second figure. */
#define HEAVY_NS     1000
#define LONG_NS      450000
/* A first turn is a share of what a batch may take, or just long enough for whoever has sent
 * little. The others have longer ones then, behind all first ones: whoever sends little waits a
 * third as long as with turns that are all alike. */
#define FIRST_NS     5000
#define TURN_NS      100000
#define BATCH_NS     300000
#endif

/* ---- pace ---- */

static uint32_t requests_in(int64_t time_ns, int64_t cost_ns) {
    int64_t count = time_ns / cost_ns;
    return count < 1 ? 1 : count < FULL_COUNT ? (uint32_t)count : FULL_COUNT;
}

/* How long as many requests would take as fill a batch. */
static int64_t full_ns(const struct batch *batch) {
    int64_t count = ARENA_SIZE / (batch->request_bytes + 1);
    return batch->cost_ns * (count < FULL_COUNT ? count : FULL_COUNT);
}

static void set_pace(struct batch *batch, uint32_t first_max, uint32_t turn_max,
                     uint32_t request_max) {
    batch->first_max = first_max;
    batch->turn_max = turn_max;
    batch->request_max = request_max;
}

void batch_follow_pace(struct batch *batch, int64_t busy_ns, uint64_t executed) {
    int64_t cost_ns = busy_ns / (int64_t)executed;
    cost_ns = cost_ns < COST_NS_MIN ? COST_NS_MIN : cost_ns;
    cost_ns = cost_ns > COST_NS_MAX ? COST_NS_MAX : cost_ns;
    batch->cost_ns = (batch->cost_ns + cost_ns) / 2;
    if (batch->arena_used > 0) {
        int64_t bytes = (int64_t)(batch->arena_used / batch->request_count);
        batch->request_bytes = (batch->request_bytes + bytes) / 2;
    }
    if (LIKELY(batch->cost_ns <= HEAVY_NS) || full_ns(batch) <= LONG_NS) {
        set_pace(batch, UINT32_MAX, UINT32_MAX, requests_in(LONG_NS, batch->cost_ns + 1));
        return;
    }
    set_pace(batch, requests_in(FIRST_NS, batch->cost_ns), requests_in(TURN_NS, batch->cost_ns),
             requests_in(BATCH_NS, batch->cost_ns));
}

/* ---- beginning and end ---- */

struct batch *batch_new(struct io_thread *thread) {
    struct batch *batch = mem_zalloc(MEM_ARENA, sizeof *batch);
    batch->link.kind = HANDOFF_BATCH;
    batch->thread = thread;
    batch->arena = mem_alloc(MEM_ARENA, ARENA_SIZE);
    batch->slice_room = SLICES_FIRST;
    batch->slices = mem_alloc(MEM_ARENA, batch->slice_room * sizeof *batch->slices);
    set_pace(batch, UINT32_MAX, UINT32_MAX, FULL_COUNT);
    reply_init(&batch->reply);
    batch->reply.on_error = clients_count_error;
    batch->reply.may_grow = clients_may_grow;
    batch->reply.context = thread->clients;
    return batch;
}

static void drop_garbage(struct batch *batch) {
    for (size_t i = 0; i < batch->garbage_count; i++) {
        input_free(batch->garbage[i]);
    }
    batch->garbage_count = 0;
}

void batch_free(struct batch *batch) {
    drop_garbage(batch);
    reply_free(&batch->reply);
    mem_free(MEM_ARENA, batch->garbage, batch->garbage_room * sizeof *batch->garbage);
    mem_free(MEM_ARENA, batch->turns, batch->turn_room * sizeof *batch->turns);
    mem_free(MEM_ARENA, batch->requests, batch->request_room * sizeof *batch->requests);
    mem_free(MEM_ARENA, batch->slices, batch->slice_room * sizeof *batch->slices);
    mem_free(MEM_ARENA, batch->arena, ARENA_SIZE);
    mem_free(MEM_ARENA, batch, sizeof *batch);
}

bool batch_is_empty(const struct batch *batch) {
    return batch->turn_count == 0;
}

/* ---- the end of a run ---- */

/* Whether the connection is held from now on. What ended the pause meanwhile is known already where
 * its order had nothing to do yet; to another thread the order comes behind the batch. */
static bool is_paused(const struct batch *batch, const struct turn *turn) {
    return turn->paused &&
           (!batch->thread->inlined || turn->client->flags & (CLIENT_PAUSED | CLIENT_WAITING));
}

/* Some of its requests are in its input again. */
static void go_on_later(const struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    if (is_paused(batch, turn)) {
        client->state |= CONNECTION_HELD;
        connection_update_interest(client);
    } else if (!(client->state & CONNECTION_READING_PAUSED)) {
        connection_resume_later(client);
    }
}

/* Puts what was not executed back in front of the client's input, as protocol bytes. */
void batch_put_back(struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    if (UNLIKELY(client->protocol != NULL)) {
        protocol_put_back(batch, client, turn->first_request);
        go_on_later(batch, turn);
        return;
    }
    struct buffer bytes;
    buffer_init(&bytes, MEM_BUFFER);
    for (size_t i = turn->first_request; i < batch->request_count; i++) {
        const struct request *request = &batch->requests[i];
        if (request->client != client) {
            break;
        }
        if (!request->held) {
            continue;
        }
        if (request->kind == REQUEST_FAULT) {
            unparse_fault(&bytes, fault_error(request), fault_got(request));
        } else {
            unparse_call(&bytes, request_args(batch, request), request->argc);
        }
    }
    if (client->input != NULL) {
        input_unparse(client->input, &bytes);
        input_free(client->input);
    }
    client->input = input_new();
    input_adopt(client->input, &bytes);
    go_on_later(batch, turn);
}

/* The connection is its thread's alone again. */
static void land(struct batch *batch, struct client *client) {
    struct io_thread *thread = batch->thread;
    client->state &= ~(uint32_t)CONNECTION_IN_FLIGHT;
    if (UNLIKELY(client->state & CONNECTION_CLOSING)) {
        client->next_closing = thread->closing;
        thread->closing = client;
        return;
    }
    if (UNLIKELY(client->state & CONNECTION_MOVING)) {
        client->next_closing = thread->moving;
        thread->moving = client;
    }
    if (UNLIKELY(client->state & CONNECTION_TO_RESUME)) {
        connection_resume_later(client);
    }
    if (UNLIKELY(client->state & CONNECTION_UNREAD)) {
        client->state &= ~(uint32_t)CONNECTION_UNREAD;
        connection_update_interest(client);
    }
}

/* Counts how long the requests of a turn took, some of which wait for further turns or have waited;
 * returns how many there are. */
static uint64_t count_waiting(struct batch *batch, size_t index, int64_t now_ns) {
    const struct turn *turn = &batch->turns[index];
    struct client *client = turn->client;
    size_t end = index + 1 < batch->turn_count ? turn[1].first_request : batch->request_count;
    size_t answered_end = end;
    while (answered_end > turn->first_request && batch->requests[answered_end - 1].held) {
        answered_end--;
    }
    int64_t since_ns =
        client->state & CONNECTION_WAITS ? client->waits_since_ns : batch->ready_since_ns;
    histogram_record(batch->thread->latency, now_ns - since_ns, answered_end - turn->first_request);
    if (!(client->state & CONNECTION_CUT)) {
        client->state &= ~(uint32_t)CONNECTION_WAITS;
    }
    return end - turn->first_request;
}

static void finish_turns(struct batch *batch) {
    batch_flush_turns(batch, batch->turn_count);
    const int64_t now_ns = clock_mono_ns();
    uint64_t alike = batch->request_count;
    for (size_t i = 0; i < batch->turn_count; i++) {
        struct turn *turn = &batch->turns[i];
        if (UNLIKELY(turn->held || turn->client->state & CONNECTION_WAITS)) {
            alike -= count_waiting(batch, i, now_ns);
        }
        if (!batch->thread->inlined ||
            UNLIKELY(batch->interrupted && turn->client->state & CONNECTION_IN_FLIGHT)) {
            land(batch, turn->client);
        }
        if (UNLIKELY(turn->held) && !(turn->client->state & CONNECTION_CLOSING)) {
            batch_put_back(batch, turn);
        } else if (UNLIKELY(is_paused(batch, turn))) {
            turn->client->state |= CONNECTION_HELD;
            connection_update_interest(turn->client);
        }
    }
    protocol_finish(batch);
    histogram_record(batch->thread->latency, now_ns - batch->ready_since_ns, alike);
    reply_reset(&batch->reply);
    batch->turn_count = 0;
    batch->next_turn = 0;
    batch->flushed = 0;
    batch->request_count = 0;
    batch->has_elements = false;
    batch->interrupted = false;
}

void batch_finish(struct batch *batch) {
    if (batch->turn_count > 0) {
        finish_turns(batch);
    }
    batch->slice_count = 0;
    batch->outside_count = 0;
    batch->arena_used = 0;
    if (UNLIKELY(batch->slice_room > SLICES_KEPT)) {
        mem_free(MEM_ARENA, batch->slices, batch->slice_room * sizeof *batch->slices);
        batch->slice_room = SLICES_FIRST;
        batch->slices = mem_alloc(MEM_ARENA, batch->slice_room * sizeof *batch->slices);
    }
    drop_garbage(batch);
}

void batch_run(struct batch *batch) {
    if (batch->request_count > 0) {
        batch_execute(batch);
    }
    batch_finish(batch);
}
