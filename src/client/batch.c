/* batch: its life, and the end of its way: when what was gathered (batch_read.c) and executed
 * (batch_execute.c) has been flushed (batch_flush.c). The header draws the picture. */
#include <string.h>

#include "base/check.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/input.h"
#include "client/unparse.h"

#ifdef LARDER_TEST_SMALL
#define SLICES_FIRST 4
#define SEND_PIECES  3
#else
/* Room for slices at first. */
#define SLICES_FIRST 4096
/* Pieces handed to one writev. */
#define SEND_PIECES  64
#endif

struct batch *batch_new(struct io_thread *thread) {
    struct batch *batch = mem_zalloc(MEM_ARENA, sizeof *batch);
    batch->link.kind = HANDOFF_BATCH;
    batch->thread = thread;
    batch->arena = mem_alloc(MEM_ARENA, ARENA_SIZE);
    batch->slice_room = SLICES_FIRST;
    batch->slices = mem_alloc(MEM_ARENA, batch->slice_room * sizeof *batch->slices);
    reply_init(&batch->reply);
    batch->reply.on_error = clients_count_error;
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

/* ---- the end ---- */

/* Puts what was not executed back in front of the client's input, as protocol bytes. */
static void put_back(struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
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
            unparse_call(&bytes, batch->slices + request->first_slice, request->argc);
        }
    }
    if (client->input != NULL) {
        input_unparse(client->input, &bytes);
        input_free(client->input);
    }
    client->input = input_new();
    input_adopt(client->input, &bytes);
    if (turn->paused) {
        client->state |= CONNECTION_HELD;
        connection_update_interest(client);
    } else if (!(client->state & CONNECTION_READING_PAUSED)) {
        connection_resume_later(client);
    }
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

static void finish_turns(struct batch *batch) {
    batch_flush_turns(batch, batch->turn_count);
    for (size_t i = 0; i < batch->turn_count; i++) {
        struct turn *turn = &batch->turns[i];
        if (!batch->thread->inlined) {
            land(batch, turn->client);
        }
        if (UNLIKELY(turn->held) && !(turn->client->state & CONNECTION_CLOSING)) {
            put_back(batch, turn);
        }
    }
    reply_reset(&batch->reply);
    batch->turn_count = 0;
    batch->next_turn = 0;
    batch->flushed = 0;
    batch->request_count = 0;
}

void batch_finish(struct batch *batch) {
    if (batch->turn_count > 0) {
        finish_turns(batch);
    }
    batch->slice_count = 0;
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
