/* batch: its life, and the end of its way: flushing what was executed (batch_execute.c) of what was
 * gathered (batch_read.c). The header draws the picture. */
#include <errno.h>
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

/* ---- replies ---- */

/* Sends pieces as far as the socket takes them; bytes sent, or -errno. */
static ssize_t send_pieces(struct client *client, const struct reply_piece *pieces,
                           uint32_t count) {
    size_t sent = 0;
    for (uint32_t from = 0; from < count;) {
        struct iovec vector[SEND_PIECES];
        size_t asked = 0;
        int some = 0;
        for (; from < count && some < SEND_PIECES; from++) {
            vector[some++] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[from].at,
                                            .iov_len = pieces[from].size};
            asked += pieces[from].size;
        }
        ssize_t size = transport_writev(&client->transport, vector, some);
        if (size < 0 && size != -EAGAIN) {
            return size;
        }
        sent += size < 0 ? 0 : (size_t)size;
        if (size < (ssize_t)asked) {
            break;
        }
    }
    return (ssize_t)sent;
}

static ssize_t send_replies(struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    ssize_t size;
    if (LIKELY(turn->piece_from == turn->piece_to)) {
        size = transport_write(&client->transport, turn->at, turn->size);
        size = size == -EAGAIN ? 0 : size;
    } else {
        size = send_pieces(client, batch->reply.pieces + turn->piece_from,
                           turn->piece_to - turn->piece_from);
    }
    if (LIKELY(size >= 0)) {
        struct client_metrics *counts = batch->thread->counts;
        client->bytes_out += (uint64_t)size;
        counts->total_net_output_bytes += (uint64_t)size;
        counts->total_writes_processed++;
    }
    return size;
}

/* Queues all but the first `sent` bytes. */
static void queue_rest(struct batch *batch, const struct turn *turn, size_t sent) {
    struct output *output = &turn->client->output;
    if (turn->piece_from == turn->piece_to) {
        output_append(output, turn->at + sent, turn->size - sent);
        return;
    }
    for (uint32_t i = turn->piece_from; i < turn->piece_to; i++) {
        const struct reply_piece *piece = &batch->reply.pieces[i];
        if (sent >= piece->size) {
            sent -= piece->size;
            continue;
        }
        if (piece->blob != NULL) {
            output_append_blob(output, piece->blob, piece->at + sent, piece->size - sent);
        } else {
            output_append(output, piece->at + sent, piece->size - sent);
        }
        sent = 0;
    }
}

static void flush_replies(struct batch *batch, const struct turn *turn) {
    struct client *client = turn->client;
    size_t sent = 0;
    if (LIKELY(output_is_empty(&client->output))) {
        ssize_t size = send_replies(batch, turn);
        if (LIKELY(size == (ssize_t)turn->size)) {
            return;
        }
        if (size < 0) {
            connection_close(client);
            return;
        }
        sent = (size_t)size;
    }
    queue_rest(batch, turn, sent);
    if (batch->thread->inlined && client->flags & CLIENT_TO_FLUSH) {
        return; /* messages came first, and have not been offered to the socket yet */
    }
    connection_check_output(client);
    if (client->output.size > connection_backlog_max(client)) {
        client->state |= CONNECTION_READING_PAUSED;
    }
    connection_update_interest(client);
}

static inline void flush_turn(struct batch *batch, struct turn *turn) {
    struct client *client = turn->client;
    if (batch->thread->inlined) {
        client->flags &= ~(uint32_t)CLIENT_BUSY;
    }
    if (LIKELY(turn->executed)) {
        client->limit_class = turn->class_;
        uint32_t told = (turn->stranger ? CONNECTION_STRANGER : 0u) |
                        (turn->patient ? (unsigned)CONNECTION_PATIENT : 0u);
        client->state =
            (client->state & ~(uint32_t)(CONNECTION_STRANGER | CONNECTION_PATIENT)) | told;
    }
    if (UNLIKELY(client->state & CONNECTION_CLOSING)) {
        return;
    }
    if (LIKELY(turn->size > 0)) {
        flush_replies(batch, turn);
        turn->size = 0;
    }
    if (UNLIKELY(turn->close)) {
        client->state |= CONNECTION_CLOSE_SENT;
        if (output_is_empty(&client->output)) {
            connection_close(client);
        } else {
            connection_update_interest(client);
        }
    }
}

void batch_flush_turns(struct batch *batch, size_t end) {
    for (size_t i = batch->flushed; i < end; i++) {
        flush_turn(batch, &batch->turns[i]);
    }
    batch->flushed = end;
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
