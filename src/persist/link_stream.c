/* link_stream: the primary's commands are executed, and handed on as they came. */
#include "persist/link_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define US_PER_SECOND INT64_C(1000000)
/* Commands between two looks at the clock. */
#define BETWEEN_LOOKS 16
#define ARGS_ROOM_MIN 64

void link_stream_begin(struct link *link) {
    struct context *context = link->replication->context;
    link->client = client_new_internal(context->clients);
    link->client->flags |= CLIENT_PRIMARY;
    link->client->database = &context->keyspace->databases[link->replication->stream_database];
    link->request_at = 0;
    link->unit_at = 0;
    request_begin(&link->request, 0);
}

void link_stream_end(struct link *link) {
    if (link->client != NULL) {
        client_free_internal(link->client);
        link->client = NULL;
    }
    mem_free(MEM_BUFFER, link->args, link->args_room * sizeof *link->args);
    link->args = NULL;
    link->args_room = 0;
}

/* What was handed on leaves the front. */
static void make_compact(struct link *link) {
    size_t gone = link->client == NULL ? 0 : link->unit_at;
    if (gone == 0) {
        return;
    }
    size_t left = link->in_size - gone;
    request_rebase(link->args, link->request.have, link->in + gone, left, link->in);
    memmove(link->in, link->in + gone, left);
    link->in_size = left;
    link->request.at -= gone;
    link->request_at -= gone;
    link->unit_at = 0;
}

bool link_room(struct link *link, size_t size) {
    if (link->in_capacity - link->in_size >= size) {
        return true;
    }
    make_compact(link);
    if (link->in_capacity - link->in_size >= size) {
        return true;
    }
    size_t capacity =
        link->in_capacity * 2 > link->in_size + size ? link->in_capacity * 2 : link->in_size + size;
    char *in = mem_try_alloc(MEM_BUFFER, capacity);
    if (in == NULL) {
        return false;
    }
    if (link->in_size > 0) {
        memcpy(in, link->in, link->in_size);
    }
    if (link->client != NULL) {
        request_rebase(link->args, link->request.have, link->in, link->in_size, in);
    }
    mem_free(MEM_BUFFER, link->in, link->in_capacity);
    link->in = in;
    link->in_capacity = capacity;
    return true;
}

/* ---- executing ---- */

static void complain(struct link *link, struct bytes command) {
    int64_t now_us = replication_now_us(link->replication);
    if (link->complained_us != 0 && now_us - link->complained_us < US_PER_SECOND) {
        return;
    }
    link->complained_us = now_us;
    const struct reply *reply = &link->reply;
    struct bytes text = bytes_of(reply->start, (size_t)(reply->at - reply->start));
    text.size = text.size >= 2 ? text.size - 2 : 0;
    log_warning("A command of the primary has failed, and this replica may differ from it: '%.*s' "
                "answers %.*s",
                bytes_printed(command), command.at, bytes_printed(text), text.at);
}

static bool is_word(struct bytes word, const char *text) {
    return bytes_is(word, text);
}

static void execute(struct link *link, int argc) {
    const struct bytes *args = link->args;
    struct keyspace *keyspace = link->replication->context->keyspace;
    if (argc == 0 || is_word(args[0], "ping")) {
        return;
    }
    if (is_word(args[0], "replconf")) {
        if (argc > 1 && is_word(args[1], "getack")) {
            link_acknowledge(link);
        }
        return;
    }
    uint32_t errors = link->reply.errors;
    link->replication->context->pass_on->muted = true;
    keyspace->sees_expired = true;
    client_execute(link->client, args, argc, &link->reply);
    keyspace->sees_expired = false;
    link->replication->context->pass_on->muted = false;
    if (UNLIKELY(link->reply.errors != errors)) {
        complain(link, args[0]);
    }
    reply_reset(&link->reply);
}

/* The request that was read has been executed: if that was a whole unit, it is handed on. */
static void hand_on(struct link *link) {
    struct replication *replication = link->replication;
    link->request_at = link->request.at;
    request_begin(&link->request, link->request_at);
    if (link->client->flags & CLIENT_MULTI) {
        return;
    }
    replication_append(replication,
                       bytes_of(link->in + link->unit_at, link->request_at - link->unit_at));
    link->unit_at = link->request_at;
    replication->stream_database = link->client->database->id;
}

static bool grow_args(struct link *link) {
    size_t room = link->args_room == 0 ? ARGS_ROOM_MIN : link->args_room * 2;
    struct bytes *args = mem_try_realloc(
        MEM_BUFFER, link->args, link->args_room * sizeof *link->args, room * sizeof *link->args);
    if (args == NULL) {
        return false;
    }
    link->args = args;
    link->args_room = room;
    return true;
}

/* The first byte of a request of the stream: nothing else is sent but empty lines. */
static bool can_begin(char byte) {
    return byte == '*' || byte == '\n' || byte == '\r';
}

static void give_up(struct link *link) {
    link_forget_history(link);
    link_break(link, "what came is no stream of commands, so all has to come again");
}

/* Reads the next request. */
static enum request_status read_request(struct link *link, const struct request_limits *limits) {
    if (link->request.at == link->request_at && !can_begin(link->in[link->request_at])) {
        return REQUEST_ERROR;
    }
    for (;;) {
        enum request_status status = request_parse(&link->request, link->in, link->in_size, limits,
                                                   link->args, link->args_room);
        if (status != REQUEST_ROOM) {
            return status;
        }
        if (!grow_args(link)) {
            return REQUEST_ERROR;
        }
    }
}

static bool execute_some(struct link *link) {
    const struct request_limits limits = {
        .bulk_max = clients_options(link->replication->context->clients)->bulk_size_max};
    int64_t end_us = clock_mono_us() + LINK_SLICE_US;
    for (unsigned count = 1; link->request.at < link->in_size; count++) {
        enum request_status status = read_request(link, &limits);
        if (status == REQUEST_MORE) {
            return false;
        }
        if (status != REQUEST_READY) {
            give_up(link);
            return false;
        }
        execute(link, link->request.have);
        if (link->client == NULL) {
            return false; /* it was the primary's last word */
        }
        hand_on(link);
        if (count % BETWEEN_LOOKS == 0 && clock_mono_us() >= end_us) {
            return link->request.at < link->in_size;
        }
    }
    return false;
}

bool link_stream_pass(struct link *link) {
    struct clients *clients = link->replication->context->clients;
    clients_execute_begin(clients);
    bool more = execute_some(link);
    clients_execute_end(clients);
    if (link->client != NULL && link->unit_at == link->in_size) {
        link->in_size = 0;
        link->unit_at = 0;
        link->request_at = 0;
        request_begin(&link->request, 0);
    }
    return more;
}
