/* batch_read: the first half of a batch: reads what the sockets have, parses it, adds the requests.
 *
 * Where the bytes of a request lie, and which function reads on:
 *
 *     whole in one read            in the arena; slices point there         batch_read
 *     cut, up to CARRY_MAX         copied in front of the next read         batch_read
 *     cut, longer                  in the connection's input, in place      read_in_place
 *     with a bulk under way        in its blob, the rest in the arena       read_blob
 *
 * An input that a request's slices point into lives until the batch has run: it is garbage then. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "client/batch_int.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/input.h"
#include "client/protocol.h"

#ifdef LARDER_TEST_SMALL
#define READ_SIZE       64
#define READ_SIZE_HEAVY 64
#define CARRY_MAX       32
#define CUT_MAX         16
#define HELD_MAX        256
#else
/* Most that one read takes from a socket: what the kernel gives for a pipeline of some hundred
 * requests. */
#define READ_SIZE       (64 * 1024)
/* The same when requests are heavy; as in Redis: what a peer has sent in one read is executed,
 * whatever becomes of it. */
#define READ_SIZE_HEAVY (16 * 1024)
/* A beginning of a request up to this size is copied in front of the next read; a larger one is
 * read on in place. */
#define CARRY_MAX       8192
/* Connections of a thread whose pipelines are cut at once. With what one read takes, and the
 * replies that are gathered, it bounds the memory that waits for turns. */
#define CUT_MAX         64
/* Bytes that a client which is held may send ahead; the rest waits in its socket, and its end is
 * not noticed behind them. */
#define HELD_MAX        (256 * 1024)
#endif

/* ---- parse ---- */

static void grow_slices(struct batch *batch) {
    size_t room = batch->slice_room * 2;
    batch->slices = mem_realloc(MEM_ARENA, batch->slices, batch->slice_room * sizeof *batch->slices,
                                room * sizeof *batch->slices);
    batch->slice_room = room;
}

static void add_turn(struct batch *batch, struct client *client) {
    if (batch->turn_count == 0) {
        batch->ready_since_ns = loop_ready_since_ns(batch->thread->loop);
    }
    GROW(batch->turns, batch->turn_count, batch->turn_room);
    batch->turns[batch->turn_count++] =
        (struct turn){.client = client, .first_request = (uint32_t)batch->request_count};
}

static struct request *add_request(struct batch *batch, struct client *client, int32_t argc) {
    if (batch->turn_count == 0 || batch->turns[batch->turn_count - 1].client != client) {
        add_turn(batch, client);
    }
    GROW(batch->requests, batch->request_count, batch->request_room);
    struct request *request = &batch->requests[batch->request_count++];
    *request = (struct request){
        .client = client, .first_slice = (uint32_t)batch->slice_count, .argc = argc};
    return request;
}

/* Its arguments are the input's, or the next slices. */
static void add_call(struct batch *batch, struct client *client, struct input *input,
                     int32_t argc) {
    struct request *request = add_request(batch, client, argc);
    if (UNLIKELY(input != NULL)) {
        request->input = input;
        batch->outside_count += (size_t)argc;
    } else {
        batch->slice_count += (size_t)argc;
    }
    const struct bytes *args = request_args(batch, request);
    const struct commands *commands = batch->thread->clients->context->commands;
    request->command = commands_find(commands, args[0]);
    if (UNLIKELY(request->command != NULL && request->command->is_unusual)) {
        batch->has_elements |= request->command->element > 0;
        if (request->command->child_count > 0) {
            request->command = commands_resolve(commands, args, argc);
        }
    }
}

/* The protocol was broken: answered in turn, behind the requests before it. */
static void add_fault(struct batch *batch, struct client *client,
                      const struct request_state *state) {
    struct request *request = add_request(batch, client, 0);
    request->kind = REQUEST_FAULT;
    request->hash = (uint64_t)state->error << 8 | (unsigned char)state->got;
}

static void discard_later(struct batch *batch, struct input *input) {
    GROW(batch->garbage, batch->garbage_count, batch->garbage_room);
    batch->garbage[batch->garbage_count++] = input;
}

/* What has been announced counts as if it had come. */
static bool over_query_limit(const struct client *client) {
    const struct input *input = client->input;
    size_t size = input_held(input);
    if (input->state.bulk > 0) {
        size += (size_t)input->state.bulk;
    }
    return size > (size_t)clients_options(client->clients)->query_size_max;
}

static void refuse_query(struct batch *batch, struct client *client) {
    char name[SOCKET_NAME_SIZE];
    client_peer_name(client, name);
    log_warning("Closing %s: its request does not fit into memory or its limit.", name);
    batch->thread->counts->client_query_buffer_limit_disconnections++;
    connection_close(client);
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

/* Parses on, where *state stands, until the request is whole or the window ends, or there is no
 * memory for more arguments (REQUEST_ROOM). They go to the input while the request's beginning is
 * in it, else to the slices. */
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
        if (input == NULL) {
            grow_slices(batch);
        } else if (!input_grow_args(input)) {
            return REQUEST_ROOM;
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
    connection_resume_later(client);
    return true;
}

static bool is_light(const struct batch *batch) {
    return LIKELY(batch->first_max == UINT32_MAX);
}

/* How many requests this client's turn has: a first one its share of the batch. */
static inline size_t turn_of(const struct batch *batch, const struct client *client) {
    if (is_light(batch) || client->state & CONNECTION_CUT) {
        return batch->turn_max;
    }
    if (batch->thread->cut_count >= CUT_MAX) {
        return UINT32_MAX;
    }
    int ready = loop_ready_count(batch->thread->loop); /* 0 for what was held back */
    uint32_t share = batch->request_max / (ready > 0 ? (uint32_t)ready : 1);
    return share > batch->first_max ? share : batch->first_max;
}

/* Takes the whole requests out of window[0 .. size), as many as one turn has, where parsing stands
 * at *state. `input` is the client's input if the first request's beginning lives there, else NULL.
 * Returns the size of what they take; what is behind has been copied. */
static size_t parse_window(struct batch *batch, struct client *client, struct input *input,
                           char *window, size_t size, struct request_state *state) {
    struct request_limits limits = {.bulk_max = batch->thread->clients->options.bulk_size_max,
                                    .stranger = client->state & CONNECTION_STRANGER};
    const size_t last = batch->request_count + turn_of(batch, client);
    size_t start = 0;
    connection_set_cut(client, false);
    for (;;) {
        enum request_status status = parse_request(batch, input, window, size, state, &limits);
        if (LIKELY(status == REQUEST_READY)) {
            if (LIKELY(state->have > 0)) {
                add_call(batch, client, input, state->have);
            }
            if (UNLIKELY(input != NULL)) {
                discard_later(batch, input);
                client->input = NULL;
                input = NULL;
            }
            start = state->at;
            request_begin(state, start);
            if (start == size) {
                return start;
            }
            if (UNLIKELY(batch->request_count >= last)) {
                keep_rest(batch, client, NULL, window, size, start, state);
                connection_set_cut(client, true);
                connection_resume_later(client);
                return start;
            }
        } else if (status == REQUEST_MORE) {
            keep_rest(batch, client, input, window, size, start, state);
            return start;
        } else if (UNLIKELY(status == REQUEST_ROOM)) {
            refuse_query(batch, client);
            return start;
        } else {
            if (decides_later(batch, client, window, size, start, state)) {
                return start;
            }
            add_fault(batch, client, state);
            if (input != NULL) {
                discard_later(batch, input);
                client->input = NULL;
            }
            return start;
        }
    }
}

/* ---- read ---- */

/* Whether bytes have come; closes the client at the end of its stream. */
static bool account_read(struct batch *batch, struct client *client, ssize_t size) {
    if (UNLIKELY(size <= 0)) {
        if (size != -EAGAIN) {
            connection_close(client);
        }
        return false;
    }
    client->bytes_in += (uint64_t)size;
    client->last_ms = batch->thread->clock->now_ms;
    batch->thread->counts->total_net_input_bytes += (uint64_t)size;
    batch->thread->counts->total_reads_processed++;
    return true;
}

static bool lacks_room(const struct batch *batch) {
    return ARENA_SIZE - batch->arena_used < READ_SIZE + CARRY_MAX;
}

bool batch_is_full(const struct batch *batch) {
    return batch->request_count >= batch->request_max || lacks_room(batch);
}

/* What is parsed outside the arena does not fill it, and so would not make the batch run. */
bool batch_has_room(const struct batch *batch) {
    return !lacks_room(batch) && batch->slice_count + batch->outside_count <= SLICES_KEPT;
}

static char *arena_room(const struct batch *batch) {
    debug_check(!lacks_room(batch));
    return batch->arena + batch->arena_used;
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
        struct request_state state = input->state;
        arena_take(batch, parse_window(batch, client, input, window, behind, &state));
    }
}

/* A long beginning is read on where it is. */
static void read_in_place(struct batch *batch, struct client *client) {
    struct input *input = client->input;
    char *at = input_reserve_page(input, READ_SIZE);
    if (at == NULL) {
        refuse_query(batch, client);
        return;
    }
    ssize_t size = transport_read(&client->transport, at, READ_SIZE);
    if (!account_read(batch, client, size)) {
        return;
    }
    input->size += (size_t)size;
    struct request_state state = input->state;
    parse_window(batch, client, input, input->bytes, input->size, &state);
}

void batch_read(struct batch *batch, struct client *client) {
    if (UNLIKELY(client->state & (CONNECTION_UNREADABLE | CONNECTION_FOREIGN))) {
        if (!(client->state & CONNECTION_UNREADABLE)) {
            protocol_read(batch, client);
        }
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
        /* What lives outside the bytes, in blobs and full pages, cannot be carried. */
        if (input->blob_count > 0 || input->pages != NULL || input->size > CARRY_MAX) {
            read_in_place(batch, client);
            return;
        }
    }
    char *window = arena_room(batch);
    size_t room = is_light(batch) ? READ_SIZE : READ_SIZE_HEAVY;
    ssize_t size = input == NULL ? transport_read(&client->transport, window, room)
                                 : transport_read(&client->transport, window + input->size, room);
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
    arena_take(batch, parse_window(batch, client, NULL, window, carried + (size_t)size, &state));
}

/* Bytes that lie before or behind a large argument cannot be told apart in an input. */
bool batch_keeps_held(const struct client *client) {
    const struct input *input = client->input;
    return input == NULL ||
           (input->filling == NULL && input->blob_count == 0 && input->size < HELD_MAX);
}

void batch_read_held(struct batch *batch, struct client *client) {
    if (!batch_keeps_held(client)) {
        connection_update_interest(client);
        return;
    }
    struct input *input = client->input == NULL ? input_new() : client->input;
    client->input = input;
    char *at = input_reserve(input, READ_SIZE_HEAVY);
    ssize_t size = at == NULL ? -ENOMEM : transport_read(&client->transport, at, READ_SIZE_HEAVY);
    if (account_read(batch, client, size)) {
        input->size += (size_t)size;
        connection_update_interest(client);
    }
}

void batch_resume(struct batch *batch, struct client *client) {
    struct input *input = client->input;
    const size_t turns = batch->turn_count;
    if (UNLIKELY(client->state & CONNECTION_FOREIGN)) {
        protocol_resume(batch, client);
    } else if (input == NULL || input->filling != NULL) {
        return;
    } else {
        struct request_state state = input->state;
        parse_window(batch, client, input, input->bytes, input->size, &state);
    }
    if (UNLIKELY(client->state & CONNECTION_GATHERED) && batch->turn_count == turns) {
        connection_send_output(client); /* what is left is no whole request yet */
    }
}

/* ---- for other protocols ---- */

void batch_reserve_slices(struct batch *batch, size_t more) {
    while (batch->slice_room - batch->slice_count < more) {
        grow_slices(batch);
    }
}

void batch_add_foreign(struct batch *batch, struct client *client, struct command *command,
                       int32_t argc, size_t slices) {
    struct request *request = add_request(batch, client, argc);
    request->kind = REQUEST_FOREIGN;
    request->command = command;
    batch->has_elements |= command != NULL && command->element > 0;
    batch->slice_count += slices;
}

void batch_discard_later(struct batch *batch, struct input *input) {
    discard_later(batch, input);
}

size_t batch_turn_of(const struct batch *batch, const struct client *client) {
    return turn_of(batch, client);
}

char *batch_window(const struct batch *batch) {
    return arena_room(batch);
}

void batch_window_taken(struct batch *batch, size_t size) {
    arena_take(batch, size);
}

bool batch_account_read(struct batch *batch, struct client *client, ssize_t size) {
    return account_read(batch, client, size);
}
