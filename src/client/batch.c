/* batch: the second half: planning, executing and flushing what batch_read.c has gathered. The
 * header draws the picture. */
#include "client/batch_int.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/dispatch.h"
#include "client/input.h"
#include "client/unparse.h"
#include "ds/dict.h"

#ifdef LARDER_TEST_SMALL
#define BEHIND_ENTRY    1
#define BEHIND_OVERFLOW 2
#define BEHIND_EXECUTE  3
#define FLUSH_SIZE      128
#define REPLY_MAX       2048
#define SLICES_FIRST    4
#define SEND_PIECES     3
#else
/* How many requests behind the first step of the plan the others follow: a bucket is asked for, 12
 * requests later it is there and its entry is asked for, and so on. So what is asked for is spread
 * evenly over what is executed; loops that first ask for much and then execute much measured 10 %
 * slower, and distances of half or twice as much 3 to 7 %. */
#define BEHIND_ENTRY    12
#define BEHIND_OVERFLOW 18
#define BEHIND_EXECUTE  24
/* Replies gathered before they are flushed, if the batch is longer than that. */
#define FLUSH_SIZE      (64 * 1024)
/* What one connection may produce in a row while it does not take it. */
#define REPLY_MAX       (1024 * 1024)
/* Room for slices at first. */
#define SLICES_FIRST    4096
/* Pieces handed to one writev. */
#define SEND_PIECES     64
#endif

struct batch *batch_new(struct clients *clients) {
    struct batch *batch = mem_zalloc(MEM_ARENA, sizeof *batch);
    batch->clients = clients;
    batch->arena = mem_alloc(MEM_ARENA, ARENA_SIZE);
    batch->slice_room = SLICES_FIRST;
    batch->slices = mem_alloc(MEM_ARENA, batch->slice_room * sizeof *batch->slices);
    reply_init(&batch->reply);
    batch->reply.on_error = clients_count_error;
    batch->reply.context = clients;
    dispatch_init(&batch->dispatch, clients);
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
    dispatch_free(&batch->dispatch);
    reply_free(&batch->reply);
    mem_free(MEM_ARENA, batch->garbage, batch->garbage_room * sizeof *batch->garbage);
    mem_free(MEM_ARENA, batch->finished, batch->finished_room * sizeof *batch->finished);
    mem_free(MEM_ARENA, batch->requests, batch->request_room * sizeof *batch->requests);
    mem_free(MEM_ARENA, batch->slices, batch->slice_room * sizeof *batch->slices);
    mem_free(MEM_ARENA, batch->arena, ARENA_SIZE);
    mem_free(MEM_ARENA, batch, sizeof *batch);
}

/* ---- flush ---- */

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

static ssize_t send_finished(struct batch *batch, const struct finished *f) {
    struct client *client = f->client;
    ssize_t size;
    if (LIKELY(f->piece_from == f->piece_to)) {
        size = transport_write(&client->transport, f->at, f->size);
        size = size == -EAGAIN ? 0 : size;
    } else {
        size =
            send_pieces(client, batch->reply.pieces + f->piece_from, f->piece_to - f->piece_from);
    }
    if (LIKELY(size >= 0)) {
        client->bytes_out += (uint64_t)size;
        batch->clients->metrics.total_net_output_bytes += (uint64_t)size;
        batch->clients->metrics.total_writes_processed++;
    }
    return size;
}

/* Queues all but the first `sent` bytes. */
static void queue_rest(struct batch *batch, const struct finished *f, size_t sent) {
    struct output *output = &f->client->output;
    if (f->piece_from == f->piece_to) {
        output_append(output, f->at + sent, f->size - sent);
        return;
    }
    for (uint32_t i = f->piece_from; i < f->piece_to; i++) {
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

/* Bytes that may wait for a client before its requests do: so many that its limits, if it has some,
 * are passed first. */
static size_t backlog_max(const struct client *client) {
    const struct output_limit *limit = &client->clients->output_limits[client->class_];
    size_t most = limit->hard > limit->soft ? limit->hard : limit->soft;
    return most > REPLY_MAX ? most : REPLY_MAX;
}

static void flush_one(struct batch *batch, const struct finished *f) {
    struct client *client = f->client;
    client->flags &= ~(uint32_t)CLIENT_BUSY;
    if (UNLIKELY(client->flags & CLIENT_CLOSING)) {
        return;
    }
    size_t sent = 0;
    if (LIKELY(output_is_empty(&client->output))) {
        ssize_t size = send_finished(batch, f);
        if (LIKELY(size == (ssize_t)f->size)) {
            return;
        }
        if (size < 0) {
            client_close(client);
            return;
        }
        sent = (size_t)size;
    }
    queue_rest(batch, f, sent);
    if (client->flags & CLIENT_TO_FLUSH) {
        return; /* messages came first, and have not been offered to the socket yet */
    }
    client_check_output(client);
    if (client->output.size > backlog_max(client)) {
        client->flags |= CLIENT_READING_PAUSED;
    }
    client_update_interest(client);
}

static void send_all_finished(struct batch *batch) {
    for (size_t i = 0; i < batch->finished_count; i++) {
        flush_one(batch, &batch->finished[i]);
    }
    batch->finished_count = 0;
}

static void flush_finished(struct batch *batch) {
    send_all_finished(batch);
    reply_reset(&batch->reply);
    batch->current_piece = 0;
}

/* ---- execute ---- */

/* The current client's replies so far become something to flush. */
static void finish_current(struct batch *batch) {
    struct reply *reply = &batch->reply;
    struct client *client = batch->current;
    if (client == NULL) {
        return;
    }
    if (UNLIKELY(reply->piece_count > batch->current_piece)) {
        reply_close_run(reply);
    }
    GROW(batch->finished, batch->finished_count, batch->finished_room);
    struct finished f = {.client = client,
                         .at = reply->start,
                         .size = (size_t)(reply->at - reply->start),
                         .piece_from = batch->current_piece,
                         .piece_to = reply->piece_count};
    for (uint32_t i = f.piece_from; i < f.piece_to; i++) {
        f.size += reply->pieces[i].size;
    }
    reply->start = reply->at;
    batch->current_piece = reply->piece_count;
    if (f.size > 0) {
        client->flags |= CLIENT_BUSY;
        batch->finished[batch->finished_count++] = f;
    }
}

static void set_current(struct batch *batch, struct client *client) {
    finish_current(batch);
    if (batch->finished_count > 0 && batch->reply.at - batch->reply.chunks->bytes > FLUSH_SIZE) {
        dispatch_end(&batch->dispatch);
        flush_finished(batch);
    }
    batch->current = client;
    if (client != NULL) {
        batch->reply.version = client->version;
    }
}

static void flush_replies(struct batch *batch) {
    finish_current(batch);
    flush_finished(batch);
}

/* The replies of the running command stay as they are: it may hold marks into them. */
void batch_settle(struct batch *batch, struct client *client) {
    if (client->flags & CLIENT_BUSY) {
        send_all_finished(batch);
        client->flags &= ~(uint32_t)CLIENT_BUSY;
    }
}

struct client *batch_current(const struct batch *batch) {
    return batch->current;
}

bool batch_message(struct batch *batch, const struct client *client, struct bytes message,
                   bool behind) {
    if (client != batch->current) {
        return false;
    }
    dispatch_message(&batch->dispatch, &batch->reply, message, behind);
    return true;
}

/* Puts requests from `index` on that are this client's back into its input, as protocol bytes. */
static void put_back(struct batch *batch, size_t index, struct client *client) {
    struct buffer bytes;
    buffer_init(&bytes, MEM_BUFFER);
    for (size_t i = index; i < batch->request_count; i++) {
        struct request *request = &batch->requests[i];
        if (request->client != client || request->kind == REQUEST_SKIP) {
            continue;
        }
        if (request->kind == REQUEST_FAULT) {
            unparse_fault(&bytes, fault_error(request), fault_got(request));
        } else {
            unparse_call(&bytes, batch->slices + request->first_slice, request->argc);
        }
        request->kind = REQUEST_SKIP;
    }
    if (bytes.size == 0) {
        return; /* what the input holds stays as it is */
    }
    if (client->input != NULL) {
        input_unparse(client->input, &bytes);
        input_free(client->input);
    }
    client->input = input_new();
    input_adopt(client->input, &bytes);
}

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

/* One connection has produced much in a row: sends it, and if the peer does not take it, keeps its
 * further requests for later. */
static void check_backlog(struct batch *batch, size_t index, struct client *client) {
    dispatch_end(&batch->dispatch);
    flush_replies(batch);
    if (client->flags & CLIENT_READING_PAUSED && !(client->flags & CLIENT_CLOSING)) {
        put_back(batch, index + 1, client);
    }
}

static inline void execute(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    struct client *client = request->client;
    if (UNLIKELY(request->kind == REQUEST_SKIP ||
                 client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_SENT))) {
        return;
    }
    if (client != batch->current) {
        set_current(batch, client);
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
    enum dispatch_result result = dispatch_request(
        &batch->dispatch, client, request->command, batch->slices + request->first_slice,
        request->argc, request->hash, &batch->reply, blobs, blob_count);
    if (UNLIKELY(result == DISPATCH_HOLD)) {
        client->flags |= CLIENT_PAUSED;
        batch->clients->held++;
        put_back(batch, index, client);
        client_update_interest(client);
    }
    if (UNLIKELY(reply_size(&batch->reply) > REPLY_MAX)) {
        check_backlog(batch, index, client);
    }
}

/* Hashes the first key and asks for its bucket. */
static inline void plan_bucket(struct batch *batch, size_t index, uint64_t seed) {
    struct request *request = &batch->requests[index];
    const struct command *command = request->command;
    if (LIKELY(command != NULL) && command->first_key > 0 && command->first_key < request->argc) {
        struct bytes key = batch->slices[request->first_slice + (uint32_t)command->first_key];
        request->hash = hash_bytes(seed, key.at, key.size);
        dict_prefetch_bucket(&request->client->database->keys, request->hash);
    }
}

/* The bucket is there by now: asks for the entry. */
static inline void plan_entry(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    if (LIKELY(request->command != NULL) && request->command->first_key > 0) {
        request->overflows = dict_prefetch_entry(&request->client->database->keys, request->hash);
    }
}

/* The few whose entry is in an overflow bucket. */
static inline void plan_overflow(struct batch *batch, size_t index) {
    struct request *request = &batch->requests[index];
    if (UNLIKELY(request->overflows)) {
        dict_prefetch_overflow(&request->client->database->keys, request->hash);
    }
}

/* One step where not all parts of the pipeline have a request: at the beginning and at the end. */
static void step_at_the_edge(struct batch *batch, size_t i, size_t count, uint64_t seed) {
    if (i < count) {
        plan_bucket(batch, i, seed);
    }
    if (i >= BEHIND_ENTRY && i - BEHIND_ENTRY < count) {
        plan_entry(batch, i - BEHIND_ENTRY);
    }
    if (i >= BEHIND_OVERFLOW && i - BEHIND_OVERFLOW < count) {
        plan_overflow(batch, i - BEHIND_OVERFLOW);
    }
    if (i >= BEHIND_EXECUTE) {
        execute(batch, i - BEHIND_EXECUTE);
    }
}

void batch_run(struct batch *batch) {
    if (batch->request_count > 0) {
        dispatch_begin(&batch->dispatch);
        const uint64_t seed = batch->clients->context->keyspace->seed;
        const size_t count = batch->request_count;
        size_t i = 0;
        for (; i < count && i < BEHIND_EXECUTE; i++) {
            step_at_the_edge(batch, i, count, seed);
        }
        for (; i < count; i++) {
            plan_bucket(batch, i, seed);
            plan_entry(batch, i - BEHIND_ENTRY);
            plan_overflow(batch, i - BEHIND_OVERFLOW);
            execute(batch, i - BEHIND_EXECUTE);
        }
        for (; i < count + BEHIND_EXECUTE; i++) {
            step_at_the_edge(batch, i, count, seed);
        }
        dispatch_end(&batch->dispatch);
        flush_replies(batch);
        batch->current = NULL;
        batch->request_count = 0;
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
