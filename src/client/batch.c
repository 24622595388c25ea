/* batch: reading and parsing (batch_read, parse_window), then planning, executing and flushing
 * (batch_run). The header draws the picture. */
#include "client/batch.h"

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
#include "proto/request.h"

#ifdef LARDER_TEST_SMALL
#define READ_SIZE       64
#define ARENA_SIZE      1024
#define CARRY_MAX       32
#define BEHIND_ENTRY    1
#define BEHIND_OVERFLOW 2
#define BEHIND_EXECUTE  3
#else
/* Most that one read takes from a socket: what the kernel gives for a pipeline of some hundred
 * requests. */
#define READ_SIZE       (64 * 1024)
/* Read arena. When less than a read is left, the batch runs. Small enough that slices and requests
 * are still in the second-level cache when they are executed. */
#define ARENA_SIZE      (256 * 1024)
/* A beginning of a request up to this size is copied in front of the next read; a larger one is
 * read on in place. */
#define CARRY_MAX       8192
/* How many requests behind the first step of the plan the others follow: a bucket is asked for, 12
 * requests later it is there and its entry is asked for, and so on. So what is asked for is spread
 * evenly over what is executed; loops that first ask for much and then execute much measured 10 %
 * slower, and distances of half or twice as much 3 to 7 %. */
#define BEHIND_ENTRY    12
#define BEHIND_OVERFLOW 18
#define BEHIND_EXECUTE  24
#endif
#ifdef LARDER_TEST_SMALL
#define FLUSH_SIZE   128
#define REPLY_MAX    2048
#define SLICES_FIRST 4
#define SLICES_KEPT  32
#define SEND_PIECES  3
#define FULL_COUNT   8
#else
/* Replies gathered before they are flushed, if the batch is longer than that. */
#define FLUSH_SIZE   (64 * 1024)
/* What one connection may produce in a row while it does not take it. */
#define REPLY_MAX    (1024 * 1024)
/* Room for slices at first, and what is kept of it from one run to the next: a megabyte. Beyond it
 * the batch also runs before it parses what lies outside the arena. */
#define SLICES_FIRST 4096
#define SLICES_KEPT  (64 * 1024)
/* Pieces handed to one writev. */
#define SEND_PIECES  64
/* Requests after which no more is read in a pass: half a millisecond's worth, the kernel's part
 * included. */
#define FULL_COUNT   2048
#endif

enum request_kind { REQUEST_CALL, REQUEST_FAULT, REQUEST_SKIP };

struct request {
    struct client *client;
    struct command *command; /* NULL: unknown */
    uint64_t hash;           /* of the first key, when the command has one */
    uint32_t first_slice;
    int32_t argc;
    struct input *input; /* holds blobs of this request; NULL usually */
    uint8_t kind;        /* enum request_kind */
    bool overflows;      /* the first key's chain has to be followed beyond its first bucket */
};

/* A client's replies, finished and not sent yet. */
struct finished {
    struct client *client;
    const char *at; /* when no pieces */
    size_t size;
    uint32_t piece_from;
    uint32_t piece_to;
};

struct batch {
    struct clients *clients;
    struct dispatch dispatch;
    struct reply reply;
    char *arena;
    size_t arena_used;
    struct bytes *slices;
    size_t slice_count;
    size_t slice_room;
    struct request *requests;
    size_t request_count;
    size_t request_room;
    struct finished *finished;
    size_t finished_count;
    size_t finished_room;
    struct input **garbage; /* inputs that slices point into, freed after the run */
    size_t garbage_count;
    size_t garbage_room;
    /* The client whose requests are being executed, and where its replies begin. */
    struct client *current;
    uint32_t current_piece;
};

/* Makes room for one more element in an array that doubles. */
#define GROW(array, count, room)                                                                   \
    do {                                                                                           \
        if ((count) == (room)) {                                                                   \
            size_t grown = (room) == 0 ? 256 : (room)*2;                                           \
            (array) = mem_realloc(MEM_ARENA, (array), (room) * sizeof *(array),                    \
                                  grown * sizeof *(array));                                        \
            (room) = grown;                                                                        \
        }                                                                                          \
    } while (0)

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

size_t batch_footprint(const struct batch *batch) {
    return ARENA_SIZE + batch->slice_room * sizeof *batch->slices +
           batch->request_room * sizeof *batch->requests;
}

/* ---- parse ---- */

static void grow_slices(struct batch *batch) {
    size_t room = batch->slice_room * 2;
    batch->slices = mem_realloc(MEM_ARENA, batch->slices, batch->slice_room * sizeof *batch->slices,
                                room * sizeof *batch->slices);
    batch->slice_room = room;
}

static struct request *add_request(struct batch *batch, struct client *client, int32_t argc) {
    GROW(batch->requests, batch->request_count, batch->request_room);
    struct request *request = &batch->requests[batch->request_count++];
    *request = (struct request){
        .client = client, .first_slice = (uint32_t)batch->slice_count, .argc = argc};
    batch->slice_count += (size_t)argc;
    return request;
}

static void add_call(struct batch *batch, struct client *client, int32_t argc) {
    struct request *request = add_request(batch, client, argc);
    const struct bytes *args = batch->slices + request->first_slice;
    const struct commands *commands = batch->clients->context->commands;
    request->command = commands_find(commands, args[0]);
    if (UNLIKELY(request->command != NULL && request->command->child_count > 0)) {
        request->command = commands_resolve(commands, args, argc);
    }
}

/* The protocol was broken: answered in turn, behind the requests before it. */
static void add_fault(struct batch *batch, struct client *client,
                      const struct request_state *state) {
    struct request *request = add_request(batch, client, 0);
    request->kind = REQUEST_FAULT;
    request->hash = (uint64_t)state->error << 8 | (unsigned char)state->got;
}

static enum request_error fault_error(const struct request *request) {
    return (enum request_error)(request->hash >> 8);
}

static char fault_got(const struct request *request) {
    return (char)(request->hash & 0xff);
}

static void discard_later(struct batch *batch, struct input *input) {
    GROW(batch->garbage, batch->garbage_count, batch->garbage_room);
    batch->garbage[batch->garbage_count++] = input;
}

/* What has been announced counts as if it had come. */
static bool over_query_limit(const struct client *client) {
    const struct input *input = client->input;
    size_t size = input_footprint(input);
    if (input->filling != NULL) {
        size -= blob_footprint(input->filling);
    }
    if (input->state.bulk > 0) {
        size += (size_t)input->state.bulk;
    }
    return size > (size_t)clients_options(client->clients)->query_size_max;
}

static void refuse_query(struct batch *batch, struct client *client) {
    char name[SOCKET_NAME_SIZE];
    client_peer_name(client, name);
    log_warning("Closing %s: its request does not fit into memory or its limit.", name);
    batch->clients->metrics.client_query_buffer_limit_disconnections++;
    client_close(client);
}

/* Keeps what is left of the window behind `start`, where a request begins whose end has not come.
 * `given` is the input in which its beginning lives already, or NULL. */
static void keep_rest(struct batch *batch, struct client *client, struct input *given, char *window,
                      size_t size, size_t start, struct request_state *state) {
    struct input *input = given;
    if (input == NULL) {
        if (start == size) {
            return;
        }
        input = input_new();
        client->input = input;
    }
    state->at -= start;
    const struct bytes *args = input == given ? input->args : batch->slices + batch->slice_count;
    bool kept = input_keep(input, window + start, size - start, state, args);
    if (!kept || over_query_limit(client) ||
        (state->bulk >= INPUT_BLOB_MIN && !input_begin_blob(input))) {
        refuse_query(batch, client);
    }
}

/* Brings the arguments that an input has found into the slices. */
static void take_args(struct batch *batch, const struct input *input, int32_t have) {
    while (batch->slice_room - batch->slice_count <= (size_t)have) {
        grow_slices(batch);
    }
    if (have > 0) {
        memcpy(batch->slices + batch->slice_count, input->args, (size_t)have * sizeof *input->args);
    }
}

/* Parses on, where *state stands, until the request is whole or the window ends. The arguments go
 * to the input while the request's beginning lives there, else to the slices. */
static inline enum request_status parse_request(struct batch *batch, struct input *input,
                                                char *window, size_t size,
                                                struct request_state *state,
                                                const struct request_limits *limits) {
    for (;;) {
        struct bytes *args = batch->slices + batch->slice_count;
        size_t room = batch->slice_room - batch->slice_count;
        if (UNLIKELY(input != NULL)) {
            args = input->args;
            room = input->room;
        }
        enum request_status status = request_parse(state, window, size, limits, args, room);
        if (LIKELY(status != REQUEST_ROOM)) {
            return status;
        }
        if (input != NULL) {
            input_grow_args(input);
        } else {
            grow_slices(batch);
        }
    }
}

/* A request that only a client who has authenticated may send: if there are others before it, one
 * of them may do that, so it is looked at again when they have been executed. */
static bool decides_later(struct batch *batch, struct client *client, char *window, size_t size,
                          size_t start, struct request_state *state) {
    if (start == 0 ||
        (state->error != REQUEST_STRANGER_COUNT && state->error != REQUEST_STRANGER_BULK)) {
        return false;
    }
    request_begin(state, start);
    keep_rest(batch, client, NULL, window, size, start, state);
    client_resume_later(client);
    return true;
}

/* Takes all whole requests out of window[0 .. size), where parsing stands at *state. `input` is the
 * client's input if the first request's beginning lives there, else NULL. */
static void parse_window(struct batch *batch, struct client *client, struct input *input,
                         char *window, size_t size, struct request_state *state) {
    const struct clients *clients = batch->clients;
    struct request_limits limits = {.bulk_max = clients->options.bulk_size_max,
                                    .stranger = !(client->flags & CLIENT_AUTHENTICATED)};
    size_t start = 0;
    for (;;) {
        enum request_status status = parse_request(batch, input, window, size, state, &limits);
        if (LIKELY(status == REQUEST_READY)) {
            if (UNLIKELY(input != NULL)) {
                take_args(batch, input, state->have);
            }
            if (LIKELY(state->have > 0)) {
                add_call(batch, client, state->have);
            }
            if (UNLIKELY(input != NULL)) {
                if (state->have > 0) {
                    batch->requests[batch->request_count - 1].input = input;
                }
                discard_later(batch, input);
                client->input = NULL;
                input = NULL;
            }
            start = state->at;
            request_begin(state, start);
            if (start == size) {
                return;
            }
        } else if (status == REQUEST_MORE) {
            keep_rest(batch, client, input, window, size, start, state);
            return;
        } else {
            if (decides_later(batch, client, window, size, start, state)) {
                return;
            }
            add_fault(batch, client, state);
            if (input != NULL) {
                discard_later(batch, input);
                client->input = NULL;
            }
            return;
        }
    }
}

/* ---- read ---- */

/* Whether bytes have come; closes the client at the end of its stream. */
static bool account_read(struct batch *batch, struct client *client, ssize_t size) {
    if (UNLIKELY(size <= 0)) {
        if (size != -EAGAIN) {
            client_close(client);
        }
        return false;
    }
    client->bytes_in += (uint64_t)size;
    client->last_ms = batch->clients->context->clock->now_ms;
    batch->clients->metrics.total_net_input_bytes += (uint64_t)size;
    batch->clients->metrics.total_reads_processed++;
    return true;
}

static bool lacks_room(const struct batch *batch) {
    return ARENA_SIZE - batch->arena_used < READ_SIZE + CARRY_MAX;
}

bool batch_is_full(const struct batch *batch) {
    return batch->request_count >= FULL_COUNT || lacks_room(batch);
}

static char *arena_room(struct batch *batch) {
    if (UNLIKELY(lacks_room(batch))) {
        batch_run(batch);
    }
    return batch->arena + batch->arena_used;
}

/* What is parsed outside the arena does not fill it, and so would not make the batch run. */
static void bound_slices(struct batch *batch) {
    if (UNLIKELY(batch->slice_count > SLICES_KEPT)) {
        batch_run(batch);
    }
}

static void arena_take(struct batch *batch, size_t size) {
    batch->arena_used += (size + 63) & ~(size_t)63;
}

/* A large bulk is under way: the rest of it goes to its blob, what follows to the arena. */
static void read_blob(struct batch *batch, struct client *client) {
    char *window = arena_room(batch);
    struct input *input = client->input;
    size_t room;
    char *at = input_blob_room(input, &room);
    if (at == NULL) {
        refuse_query(batch, client);
        return;
    }
    bool last = input->filling->size + room == (size_t)input->state.bulk;
    struct iovec pieces[2] = {{.iov_base = at, .iov_len = room},
                              {.iov_base = window, .iov_len = READ_SIZE}};
    ssize_t size = transport_readv(&client->transport, pieces, last ? 2 : 1);
    if (!account_read(batch, client, size)) {
        return;
    }
    size_t filled = (size_t)size < room ? (size_t)size : room;
    size_t behind = (size_t)size - filled;
    if (input_blob_filled(input, filled)) {
        arena_take(batch, behind);
        struct request_state state = input->state;
        parse_window(batch, client, input, window, behind, &state);
    }
}

/* A long beginning is read on where it is. */
static void read_in_place(struct batch *batch, struct client *client) {
    bound_slices(batch);
    struct input *input = client->input;
    char *at = input_reserve(input, READ_SIZE);
    ssize_t size = at == NULL ? -ENOMEM : transport_read(&client->transport, at, READ_SIZE);
    if (!account_read(batch, client, size)) {
        return;
    }
    input->size += (size_t)size;
    struct request_state state = input->state;
    parse_window(batch, client, input, input->bytes, input->size, &state);
}

void batch_read(struct batch *batch, struct client *client) {
    if (UNLIKELY(client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_SENT | CLIENT_READING_PAUSED |
                                  CLIENT_PAUSED | CLIENT_TO_RESUME))) {
        return;
    }
    struct input *input = client->input;
    struct request_state state;
    size_t carried = 0;
    if (UNLIKELY(input != NULL)) {
        if (input->filling != NULL) {
            read_blob(batch, client);
            return;
        }
        if (input->blob_count > 0 || input->size > CARRY_MAX) {
            read_in_place(batch, client);
            return;
        }
    }
    char *window = arena_room(batch);
    ssize_t size = input == NULL
                       ? transport_read(&client->transport, window, READ_SIZE)
                       : transport_read(&client->transport, window + input->size, READ_SIZE);
    if (!account_read(batch, client, size)) {
        return;
    }
    request_begin(&state, 0);
    if (UNLIKELY(input != NULL)) {
        carried = input->size;
        memcpy(window, input->bytes, carried);
        state = input->state;
        take_args(batch, input, state.have);
        request_rebase(batch->slices + batch->slice_count, state.have, input->bytes, carried,
                       window);
        client->input = NULL;
        input_free(input);
    }
    arena_take(batch, carried + (size_t)size);
    parse_window(batch, client, NULL, window, carried + (size_t)size, &state);
}

void batch_resume(struct batch *batch, struct client *client) {
    bound_slices(batch);
    struct input *input = client->input;
    if (input == NULL || input->filling != NULL) {
        return;
    }
    struct request_state state = input->state;
    parse_window(batch, client, input, input->bytes, input->size, &state);
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
