/* protocol: the batch's side of it. Reading is as for RESP (batch_read.c), but simpler: a request
 * that is cut lies in the connection's input whole, or is copied in front of the next read while it
 * is short.
 *
 *     input   [frame][frame] GET /v1/keys/a HTT        frames: `ours` bytes, put back by us
 *     frame   size, argc, note, command | sizes of slices | bytes of slices
 */
#include "client/protocol.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "client/batch_int.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/input.h"
#include "client/refusal.h"

#ifdef LARDER_TEST_SMALL
#define CARRY_MAX 32
#define READ_SIZE 64
#else
/* As in batch_read.c. */
#define CARRY_MAX 8192
#define READ_SIZE (64 * 1024)
#endif

/* A connection that has no turn for now. */
#define CONNECTION_STILL                                                                           \
    (CONNECTION_DEAF | CONNECTION_HELD | CONNECTION_IN_FLIGHT | CONNECTION_CLOSING |               \
     CONNECTION_CLOSE_SENT | CONNECTION_READING_PAUSED | CONNECTION_TO_RESUME)

/* How long what comes is dropped from somebody who has his last answer. */
#define DEAF_NS 2000000000

/* A note lies where so many slices would. */
#define NOTE_SLICES (sizeof(struct protocol_note) / sizeof(struct bytes))
_Static_assert(sizeof(struct protocol_note) % sizeof(struct bytes) == 0, "a note is whole slices");

static const struct protocol_note *note_of(const struct batch *batch,
                                           const struct request *request) {
    return (const void *)(batch->slices + request->first_slice - NOTE_SLICES);
}

/* ---- requests ---- */

struct bytes *protocol_args(struct protocol_parse *parse, size_t count) {
    struct batch *batch = parse->batch;
    batch_reserve_slices(batch, NOTE_SLICES + count);
    return batch->slices + batch->slice_count + NOTE_SLICES;
}

char *protocol_memory(struct protocol_parse *parse, size_t size) {
    struct input *input = input_new();
    batch_discard_later(parse->batch, input);
    return input_reserve(input, size + 1);
}

void protocol_adopt(struct protocol_parse *parse, struct input *input) {
    batch_discard_later(parse->batch, input);
}

void protocol_add(struct protocol_parse *parse, struct command *command, int argc,
                  const struct protocol_note *note) {
    struct batch *batch = parse->batch;
    memcpy(batch->slices + batch->slice_count, note, sizeof *note);
    batch->slice_count += NOTE_SLICES;
    batch_add_foreign(batch, parse->client, command, argc, (size_t)argc + note->extra);
    batch->foreign_count++;
    batch->foreign = parse->client->protocol;
    parse->client->protocol->count(parse->client->protocol, 1);
}

void protocol_finish(struct batch *batch) {
    if (UNLIKELY(batch->foreign_count > 0)) {
        for (size_t i = 0; i < batch->turn_count; i++) {
            struct client *client = batch->turns[i].client;
            if (client->protocol != NULL && !(client->state & CONNECTION_STILL) &&
                client->protocol->wants_turn(client->protocol, client)) {
                connection_resume_later(client);
            }
        }
        batch->foreign->count(batch->foreign, -batch->foreign_count);
        batch->foreign_count = 0;
    }
}

/* ---- frames ---- */

struct frame {
    size_t size; /* of all of it */
    int argc;
    struct command *command;
    struct protocol_note note;
};

static void append_frame(struct buffer *out, const struct batch *batch,
                         const struct request *request) {
    struct frame frame = {
        .argc = request->argc, .command = request->command, .note = *note_of(batch, request)};
    const struct bytes *args = batch->slices + request->first_slice;
    const size_t count = (size_t)frame.argc + frame.note.extra;
    frame.size = sizeof frame + count * sizeof(size_t);
    for (size_t i = 0; i < count; i++) {
        frame.size += args[i].size;
    }
    buffer_append(out, &frame, sizeof frame);
    for (size_t i = 0; i < count; i++) {
        buffer_append(out, &args[i].size, sizeof args[i].size);
    }
    for (size_t i = 0; i < count; i++) {
        buffer_append(out, args[i].at, args[i].size);
    }
}

/* The request that was put back at `at`; returns its size. */
static size_t add_frame(struct protocol_parse *parse, const char *at) {
    struct frame frame;
    memcpy(&frame, at, sizeof frame);
    const size_t count = (size_t)frame.argc + frame.note.extra;
    struct bytes *args = protocol_args(parse, count);
    const char *sizes = at + sizeof frame;
    const char *bytes = sizes + count * sizeof(size_t);
    for (size_t i = 0; i < count; i++) {
        memcpy(&args[i].size, sizes + i * sizeof(size_t), sizeof(size_t));
        args[i].at = bytes;
        bytes += args[i].size;
    }
    check(bytes == at + frame.size);
    protocol_add(parse, frame.command, frame.argc, &frame.note);
    return frame.size;
}

void protocol_put_back(struct batch *batch, struct client *client, size_t first) {
    struct buffer bytes;
    buffer_init(&bytes, MEM_BUFFER);
    for (size_t i = first; i < batch->request_count && batch->requests[i].client == client; i++) {
        if (batch->requests[i].held) {
            append_frame(&bytes, batch, &batch->requests[i]);
        }
    }
    struct input *input = input_new();
    struct input *rest = client->input;
    input->ours = bytes.size;
    if (rest != NULL) {
        buffer_append(&bytes, rest->bytes, rest->size);
        input->ours += rest->ours;
        input->http = rest->http;
        input->told = rest->told;
        input->since_ms = rest->since_ms;
        input_free(rest);
    }
    input_adopt(input, &bytes);
    client->input = input;
}

/* ---- parsing ---- */

static void refuse(struct batch *batch, struct client *client) {
    char name[SOCKET_NAME_SIZE];
    client_peer_name(client, name);
    log_warning("Closing %s: its request does not fit into memory or its limit.", name);
    batch->thread->counts->client_query_buffer_limit_disconnections++;
    connection_close(client);
}

/* Where a window stands. */
struct place {
    struct input *input; /* that the window is; NULL: it is in the arena */
    size_t start;        /* of what has not become requests */
    size_t ours;         /* of that, what we have put back */
    struct http_state http;
    bool told;
    int64_t since_ms; /* the request that is under way has been, 0: none is */
};

/* Keeps what is left of the window, in the input where it lies or in a new one. */
static void keep_rest(struct batch *batch, struct client *client, struct place *place, char *window,
                      size_t size) {
    struct input *input = place->input;
    if (input != NULL && place->start > 0) {
        batch_discard_later(batch, input); /* requests may lie there */
        client->input = input = NULL;
    }
    size_t rest = size - place->start;
    if (rest == 0 && input == NULL) {
        return;
    }
    if (input == NULL) {
        input = input_new();
        client->input = input;
        char *at = input_reserve(input, rest);
        if (at == NULL) {
            refuse(batch, client);
            return;
        }
        memcpy(at, window + place->start, rest);
    }
    input->size = rest;
    input->ours = place->ours;
    input->http = place->http;
    input->told = place->told;
    input->since_ms = place->since_ms > 0 ? place->since_ms : batch->thread->clock->now_ms;
    if (rest - place->ours > client->protocol->request_max(client->protocol)) {
        refuse(batch, client);
    }
}

/* Takes what is whole out of window[0 .. size), as much as one turn has. */
static void parse(struct batch *batch, struct client *client, struct place *place, char *window,
                  size_t size) {
    const struct client_protocol *protocol = client->protocol;
    const size_t last = batch->request_count + batch_turn_of(batch, client);
    struct protocol_parse parse = {.client = client,
                                   .batch = batch,
                                   .state = &place->http,
                                   .stranger = client->state & CONNECTION_STRANGER,
                                   .now_ms = batch->thread->clock->now_ms};
    enum protocol_status status = PROTOCOL_DONE;
    connection_set_cut(client, false);
    while (place->start < size && batch->request_count < last) {
        if (UNLIKELY(place->ours > 0)) {
            size_t taken = add_frame(&parse, window + place->start);
            place->start += taken;
            place->ours -= taken;
            continue;
        }
        parse.window = window + place->start;
        parse.size = size - place->start;
        parse.told = place->told;
        parse.turn = last - batch->request_count;
        status = protocol->parse(protocol, &parse);
        place->told = parse.told;
        if (status != PROTOCOL_DONE) {
            break;
        }
        place->start += place->http.at;
        place->http = (struct http_state){.at = 0};
        place->told = false;
        place->since_ms = 0;
    }
    if (UNLIKELY(status == PROTOCOL_END)) {
        place->start = size;
        place->http = (struct http_state){.at = 0};
        client->state |= CONNECTION_DEAF;
    }
    bool cut = status == PROTOCOL_DONE && place->start < size;
    keep_rest(batch, client, place, window, size);
    if (UNLIKELY(cut) && !(client->state & CONNECTION_CLOSING)) {
        connection_set_cut(client, true);
        connection_resume_later(client);
    }
}

static struct place place_in(struct input *input) {
    return (struct place){.input = input,
                          .ours = input->ours,
                          .http = input->http,
                          .told = input->told,
                          .since_ms = input->since_ms};
}

/* What comes from somebody whom nobody listens to any more, so that he can read why. */
static void read_deaf(struct batch *batch, struct client *client) {
    char *scratch = batch_window(batch);
    batch_account_read(batch, client, transport_read(&client->transport, scratch, READ_SIZE));
}

static void read_in_place(struct batch *batch, struct client *client) {
    struct input *input = client->input;
    char *at = input_reserve(input, READ_SIZE);
    if (at == NULL) {
        refuse(batch, client);
        return;
    }
    ssize_t size = transport_read(&client->transport, at, READ_SIZE);
    if (batch_account_read(batch, client, size)) {
        input->size += (size_t)size;
        struct place place = place_in(input);
        parse(batch, client, &place, input->bytes, input->size);
    }
}

void protocol_read(struct batch *batch, struct client *client) {
    struct input *input = client->input;
    if (UNLIKELY(client->state & CONNECTION_DEAF)) {
        read_deaf(batch, client);
        return;
    }
    if (UNLIKELY(input != NULL && (input->size > CARRY_MAX || input->ours > 0))) {
        read_in_place(batch, client);
        return;
    }
    char *window = batch_window(batch);
    size_t carried = input == NULL ? 0 : input->size;
    ssize_t size = transport_read(&client->transport, window + carried, READ_SIZE);
    if (!batch_account_read(batch, client, size)) {
        return;
    }
    struct place place = {.input = NULL};
    if (input != NULL) {
        memcpy(window, input->bytes, carried);
        place = place_in(input);
        place.input = NULL;
        client->input = NULL;
        input_free(input);
    }
    parse(batch, client, &place, window, carried + (size_t)size);
    batch_window_taken(batch, carried + (size_t)size);
}

/* Nothing has come, but something is to be done. */
static void take_turn(struct batch *batch, struct client *client) {
    struct http_state state = {.at = 0};
    struct protocol_parse parse = {.client = client,
                                   .batch = batch,
                                   .state = &state,
                                   .stranger = client->state & CONNECTION_STRANGER,
                                   .now_ms = batch->thread->clock->now_ms,
                                   .turn = 1};
    if (client->protocol->parse(client->protocol, &parse) == PROTOCOL_END) {
        client->state |= CONNECTION_DEAF;
    }
}

void protocol_resume(struct batch *batch, struct client *client) {
    struct input *input = client->input;
    if (input == NULL || input->size == 0) {
        if (client->protocol->wants_turn(client->protocol, client)) {
            take_turn(batch, client);
        }
        return;
    }
    struct place place = place_in(input);
    parse(batch, client, &place, input->bytes, input->size);
}

void protocol_look(struct client *client, int64_t now_ms) {
    const struct input *input = client->input;
    if (client->state & CONNECTION_DEAF &&
        client->thread->clock->mono_us * 1000 - client->waits_since_ns > DEAF_NS) {
        connection_close(client);
        return;
    }
    if (client->state & (CONNECTION_STILL & ~(uint32_t)CONNECTION_READING_PAUSED)) {
        return;
    }
    bool has_begun = input != NULL && input->ours == 0 && input->size > 0;
    enum protocol_wait wait = !output_is_empty(&client->output) ? PROTOCOL_UNSENT
                              : has_begun                       ? PROTOCOL_BEGUN
                                                                : PROTOCOL_IDLE;
    int64_t since_ms = wait == PROTOCOL_BEGUN ? input->since_ms : client->last_ms;
    struct bytes text = bytes_of(NULL, 0);
    if (!client->protocol->overdue(client->protocol, client, wait, now_ms, now_ms - since_ms,
                                   &text)) {
        return;
    }
    if (text.size > 0 && wait != PROTOCOL_UNSENT &&
        transport_write(&client->transport, text.at, text.size) < 0) {
        log_debug("A connection that took too long was gone already");
    }
    connection_close(client);
}

/* ---- executing ---- */

enum protocol_result protocol_execute(struct batch *batch, struct request *request) {
    struct protocol_call call = {.client = request->client,
                                 .note = note_of(batch, request),
                                 .command = request->command,
                                 .args = batch->slices + request->first_slice,
                                 .argc = request->argc,
                                 .hash = request->hash,
                                 .reply = &batch->reply};
    return call.client->protocol->execute(call.client->protocol, &call);
}

static bool may_grow(void *context, size_t more) {
    const struct protocol_scratch *scratch = context;
    size_t size = more == REPLY_NO_MEMORY ? more : scratch->reply.size + more;
    return clients_may_grow(scratch->clients, size);
}

static void on_error(void *context, struct bytes text) {
    const struct protocol_scratch *scratch = context;
    clients_count_error(scratch->clients, text);
}

void protocol_scratch_init(struct protocol_scratch *scratch, struct clients *clients) {
    reply_init(&scratch->reply);
    scratch->clients = clients;
    scratch->reply.context = scratch;
    scratch->reply.may_grow = may_grow;
    scratch->reply.on_error = on_error;
}

static enum protocol_result dispatch(struct client *client, struct command *command,
                                     const struct bytes *args, int argc, uint64_t hash,
                                     struct protocol_scratch *scratch) {
    struct dispatch *dispatch = &client->clients->dispatch;
    reply_reset(&scratch->reply);
    dispatch->call.inner = true;
    enum dispatch_result result =
        dispatch_request(dispatch, client, command, args, argc, hash, &scratch->reply, NULL, 0);
    dispatch->call.inner = false;
    if (UNLIKELY(result == DISPATCH_HOLD)) {
        return PROTOCOL_HOLD;
    }
    reply_close_run(&scratch->reply);
    return PROTOCOL_EXECUTED;
}

enum protocol_result protocol_dispatch(struct protocol_call *call,
                                       struct protocol_scratch *scratch) {
    return dispatch(call->client, call->command, call->args, call->argc, call->hash, scratch);
}

enum protocol_result protocol_command(struct client *client, struct command *command,
                                      const struct bytes *args, int argc,
                                      struct protocol_scratch *scratch) {
    uint64_t hash = 0;
    if (command != NULL && command->first_key > 0 && command->first_key < argc) {
        hash = keyspace_hash(client->clients->context->keyspace, args[command->first_key]);
    }
    client->clients->dispatch.call.element = NULL;
    return dispatch(client, command, args, argc, hash, scratch);
}

bool protocol_is_refused(struct client *client, struct command *command, const struct bytes *args,
                         int argc, struct protocol_scratch *scratch) {
    struct call call = client->clients->dispatch.call;
    reply_reset(&scratch->reply);
    call.command = command;
    call.client = client;
    call.args = args;
    call.argc = argc;
    call.reply = &scratch->reply;
    call.database = client->database;
    bool refused = refusal_due(&call);
    reply_close_run(&scratch->reply);
    return refused;
}
