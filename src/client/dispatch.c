/* dispatch: the checks in front of a command and the figures behind it. Order of the checks and
 * their texts are what clients know. */
#include "client/dispatch.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/log.h"
#include "call/pass_on.h"
#include "call/unknown.h"
#include "client/client.h"
#include "client/client_int.h"
#include "store/evict.h"

/* How much of an unknown command and its arguments an error repeats. */
#define SHOWN_MAX 128
/* Memory for messages behind a reply that is kept for the next ones. */
#define BEHIND_KEPT_MAX 65536

/* Of a reply that nobody wants one chunk is more than what CLIENT REPLY ON answers. */
static bool stays_small(void *context, size_t more) {
    const struct dispatch *dispatch = context;
    return dispatch->discarded.chunk_count == 0 && more == 0;
}

void dispatch_init(struct dispatch *dispatch, struct clients *clients) {
    *dispatch = (struct dispatch){.clients = clients, .context = clients->context};
    reply_init(&dispatch->discarded);
    dispatch->discarded.may_grow = stays_small;
    dispatch->discarded.context = dispatch;
    buffer_init(&dispatch->behind, MEM_ARENA);
}

void dispatch_free(struct dispatch *dispatch) {
    reply_free(&dispatch->discarded);
    buffer_clear(&dispatch->behind);
}

static void ask_observers(struct dispatch *dispatch) {
    struct clients *clients = dispatch->clients;
    dispatch->exact = false;
    clients->observing_before = false;
    for (struct call_observer *o = clients->observers; o != NULL; o = o->next) {
        clients->observing_before |= o->before_on;
        dispatch->exact |= o->after != NULL && o->after_min_ns < DISPATCH_EXACT_NS;
    }
}

void dispatch_begin(struct dispatch *dispatch) {
    dispatch->call.context = dispatch->context;
    dispatch->call.keyspace = dispatch->context->keyspace;
    dispatch->call.now_ms = dispatch->context->clock->now_ms;
    ask_observers(dispatch);
    dispatch->heard = pass_on_is_heard(dispatch->context->pass_on);
    dispatch->running = NULL;
}

/* ---- timing ---- */

static void record(struct dispatch *dispatch, struct command *command, int64_t duration_ns,
                   uint64_t calls) {
    command->busy_ns += (uint64_t)duration_ns;
    dispatch->busy_ns += duration_ns;
    if (dispatch->clients->track_latency) {
        if (command->latency == NULL) {
            command->latency = histogram_new();
        }
        histogram_record(command->latency, duration_ns / (int64_t)calls, calls);
    }
}

void dispatch_end(struct dispatch *dispatch) {
    if (dispatch->running != NULL) {
        record(dispatch, dispatch->running, clock_mono_ns() - dispatch->run_start_ns,
               dispatch->run_calls);
        dispatch->running = NULL;
    }
}

/* The next call belongs to a run of `command`. */
static inline void run_call(struct dispatch *dispatch, struct command *command) {
    if (LIKELY(dispatch->running == command)) {
        dispatch->run_calls++;
        return;
    }
    int64_t now = clock_mono_ns();
    if (dispatch->running != NULL) {
        record(dispatch, dispatch->running, now - dispatch->run_start_ns, dispatch->run_calls);
    }
    dispatch->running = command;
    dispatch->run_start_ns = now;
    dispatch->run_calls = 1;
}

static void tell_before(const struct dispatch *dispatch) {
    for (struct call_observer *o = dispatch->clients->observers; o != NULL; o = o->next) {
        if (o->before_on) {
            o->before(o->context, &dispatch->call);
        }
    }
}

static void run_timed(struct dispatch *dispatch, struct command *command) {
    dispatch_end(dispatch);
    int64_t start = clock_mono_ns();
    command->fn(&dispatch->call);
    int64_t duration = clock_mono_ns() - start;
    record(dispatch, command, duration, 1);
    for (struct call_observer *o = dispatch->clients->observers; o != NULL; o = o->next) {
        if (o->after != NULL && duration >= o->after_min_ns) {
            o->after(o->context, &dispatch->call, duration);
        }
    }
    /* It may have been MONITOR or CONFIG SET. */
    ask_observers(dispatch);
}

/* ---- refusals ---- */

/* How much of a word an error shows: as in Redis, what stands before its first NUL byte. */
static size_t shown(struct bytes text, size_t max) {
    return strnlen(text.at, text.size < max ? text.size : max);
}

/* Strangers do not get to fill the log. */
static void note_unknown(const struct dispatch *dispatch, const struct client *client,
                         struct bytes name, struct bytes subcommand) {
    if (client->flags & CLIENT_AUTHENTICATED && dispatch->context->unknown != NULL) {
        unknown_note(dispatch->context->unknown, name, subcommand);
    }
}

static void reply_unknown(struct client *client, struct reply *reply, const struct bytes *args,
                          int argc) {
    if (bytes_is(args[0], "post") || bytes_is(args[0], "host:")) {
        char name[SOCKET_NAME_SIZE];
        client_peer_name(client, name);
        log_warning("Closing %s: it sent an HTTP request to the port of the Redis protocol. If a "
                    "web page did this, somebody tries to reach the server through a browser.",
                    name);
        client_close(client);
        return;
    }
    char list[SHOWN_MAX * 2];
    size_t size = 0;
    for (int i = 1; i < argc && size < SHOWN_MAX; i++) {
        size_t part = shown(args[i], SHOWN_MAX - size);
        list[size++] = '\'';
        memcpy(list + size, args[i].at, part);
        size += part;
        list[size++] = '\'';
        list[size++] = ' ';
    }
    reply_errorf(reply, "ERR unknown command '%.*s', with args beginning with: %.*s",
                 (int)shown(args[0], SHOWN_MAX), args[0].at, (int)size, list);
}

/* Whether the request is refused, the error replied then. */
static bool refuse(struct dispatch *dispatch, struct client *client, struct command *command,
                   const struct bytes *args, int argc, struct reply *reply) {
    if (command == NULL) {
        reply_unknown(client, reply, args, argc);
        note_unknown(dispatch, client, args[0], bytes_of(NULL, 0));
        return true;
    }
    if (UNLIKELY(command->fn == NULL)) {
        /* A container whose subcommand is missing or unknown. */
        if (argc < 2) {
            reply_bad_arity(reply, command->name);
        } else {
            reply_unknown_subcommand(reply, command->name, args[1]);
            note_unknown(dispatch, client, bytes_text(command->name), args[1]);
        }
        command->rejected++;
        return true;
    }
    if (UNLIKELY(command->arity > 0 ? argc != command->arity : argc < -command->arity)) {
        reply_bad_arity(reply, command->name);
        command->rejected++;
        return true;
    }
    if (UNLIKELY(!(client->flags & CLIENT_AUTHENTICATED)) && !(command->flags & COMMAND_NO_AUTH)) {
        reply_error(reply, "NOAUTH Authentication required.");
        command->rejected++;
        return true;
    }
    if (command->flags & COMMAND_DENYOOM && UNLIKELY(evict_is_over(dispatch->context->evict)) &&
        !evict_make_room(dispatch->context->evict)) {
        reply_no_memory(reply);
        command->rejected++;
        return true;
    }
    return false;
}

/* A monitor's connection is for watching: as in Redis, it may not read or write keys. */
static bool refuse_monitor(const struct client *client, struct command *command,
                           struct reply *reply) {
    if (!(client->flags & CLIENT_MONITOR) ||
        !(command->flags & (COMMAND_READONLY | COMMAND_WRITE | COMMAND_MAY_REPLICATE))) {
        return false;
    }
    reply_error(reply, "ERR Replica can't interact with the keyspace");
    command->rejected++;
    return true;
}

/* In protocol 2 a subscriber's connection carries messages, and nothing that could be taken for
 * one. */
static bool refuse_subscriber(const struct client *client, struct command *command,
                              struct reply *reply) {
    if (client->class_ != CLIENT_CLASS_PUBSUB || client->version != 2 ||
        command->flags & COMMAND_SUBSCRIBED) {
        return false;
    }
    reply_errorf(reply,
                 "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                 "RESET are allowed in this context",
                 command->name);
    command->rejected++;
    return true;
}

/* What would be refused is not held: its error comes at once. */
static bool must_hold(const struct client *client, const struct command *command, int argc) {
    const struct clients *clients = client->clients;
    if (LIKELY(!clients->paused)) {
        return false;
    }
    if (command == NULL || command->fn == NULL ||
        (command->arity > 0 ? argc != command->arity : argc < -command->arity) ||
        (!(client->flags & CLIENT_AUTHENTICATED) && !(command->flags & COMMAND_NO_AUTH))) {
        return false;
    }
    return !clients->pause_only_writes ||
           (command->flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) != 0;
}

/* ---- the call ---- */

static inline void execute(struct dispatch *dispatch, struct client *client,
                           struct command *command, struct reply *reply) {
    struct clients *clients = dispatch->clients;
    client->commands++;
    client->last_command = command;
    clients->metrics.total_commands_processed++;
    command->calls++;
    uint32_t errors = reply->errors;
    bool still = UNLIKELY(command->flags & COMMAND_STILL) && clients->thread_count > 0;
    if (still) {
        clients_hold(clients);
    }
    if (UNLIKELY(clients->observing_before)) {
        tell_before(dispatch);
    }
    bool heard = dispatch->heard;
    if (UNLIKELY(heard)) {
        pass_on_calling(dispatch->context->pass_on, &dispatch->call);
    }
    if (LIKELY((command->flags & (COMMAND_FAST | COMMAND_BRIEF)) && !dispatch->exact)) {
        run_call(dispatch, command);
        command->fn(&dispatch->call);
    } else {
        run_timed(dispatch, command);
    }
    if (UNLIKELY(heard)) {
        pass_on_called(dispatch->context->pass_on, &dispatch->call);
    }
    if (still) {
        clients_release(clients);
    }
    if (UNLIKELY(reply->errors != errors)) {
        command->failed++;
    }
}

void dispatch_message(struct dispatch *dispatch, struct reply *reply, struct bytes message,
                      bool behind) {
    if (dispatch->gated && (behind || reply_size(dispatch->call.reply) != dispatch->reply_before)) {
        buffer_append(&dispatch->behind, message.at, message.size);
    } else {
        reply_raw(reply, message.at, message.size);
        dispatch->reply_before = reply_size(dispatch->call.reply);
    }
}

static void add_behind(struct dispatch *dispatch, struct reply *reply) {
    reply_raw(reply, dispatch->behind.at, dispatch->behind.size);
    dispatch->behind.size = 0;
    if (dispatch->behind.capacity > BEHIND_KEPT_MAX) {
        buffer_clear(&dispatch->behind);
    }
}

/* The checks and the call; the reply goes to `target`. */
static void execute_watched(struct dispatch *dispatch, struct client *client,
                            struct command *command, const struct bytes *args, int argc,
                            struct reply *target) {
    if (refuse(dispatch, client, command, args, argc, target) ||
        refuse_monitor(client, command, target) || refuse_subscriber(client, command, target)) {
        return;
    }
    bool tracks = client->flags & CLIENT_TRACKING;
    execute(dispatch, client, command, target);
    if (tracks) {
        for (struct client_watcher *w = client->clients->watchers; w != NULL; w = w->next) {
            if (w->called != NULL) {
                w->called(w->context, &dispatch->call);
            }
        }
    }
}

/* A client with a gate up: muted, not touching, watching, getting messages. */
static void execute_gated(struct dispatch *dispatch, struct client *client, struct command *command,
                          const struct bytes *args, int argc, struct reply *reply) {
    if (client->flags & CLIENT_MUTE_NEXT) {
        client->flags &= ~(uint32_t)CLIENT_MUTE_NEXT;
        client->flags |= CLIENT_MUTE_THIS;
    }
    bool muted = client->flags & (CLIENT_MUTED | CLIENT_MUTE_THIS);
    struct reply *target = reply;
    if (muted) {
        target = &dispatch->discarded;
        target->version = reply->version;
        dispatch->call.reply = target;
    }
    dispatch->call.keyspace->no_touch = client->flags & CLIENT_NO_TOUCH;
    dispatch->gated = true;
    dispatch->reply_before = reply_size(target);
    client->flags |= CLIENT_BUSY; /* messages must look twice */
    execute_watched(dispatch, client, command, args, argc, target);
    dispatch->gated = false;
    dispatch->call.keyspace->no_touch = false;
    bool still_muted = client->flags & (CLIENT_MUTED | CLIENT_MUTE_THIS);
    if (muted) {
        reply->version = target->version;
        /* CLIENT REPLY ON is answered, although it was sent while muted. */
        if (!still_muted) {
            reply_close_run(target);
            for (uint32_t i = 0; i < target->piece_count; i++) {
                reply_raw(reply, target->pieces[i].at, target->pieces[i].size);
            }
        }
        reply_reset(target);
    }
    client->flags &= ~(uint32_t)CLIENT_MUTE_THIS;
    if (UNLIKELY(dispatch->behind.size > 0)) {
        add_behind(dispatch, reply);
    }
}

/* What refuse would let pass, told quickly. */
static inline bool is_welcome(const struct dispatch *dispatch, const struct client *client,
                              const struct command *command, int argc) {
    return command != NULL && command->fn != NULL && client->flags & CLIENT_AUTHENTICATED &&
           (command->arity > 0 ? argc == command->arity : argc >= -command->arity) &&
           !(command->flags & COMMAND_DENYOOM && evict_is_over(dispatch->context->evict));
}

enum dispatch_result dispatch_request(struct dispatch *dispatch, struct client *client,
                                      struct command *command, const struct bytes *args, int argc,
                                      uint64_t hash, struct reply *reply, struct call_blob *blobs,
                                      int blob_count) {
    if (UNLIKELY(must_hold(client, command, argc))) {
        return DISPATCH_HOLD;
    }
    struct call *call = &dispatch->call;
    call->args = args;
    call->argc = argc;
    call->hash = hash;
    call->command = command;
    call->client = client;
    call->database = client->database;
    call->reply = reply;
    call->blobs = blobs;
    call->blob_count = blob_count;
    if (UNLIKELY(client->flags & CLIENT_GATES)) {
        execute_gated(dispatch, client, command, args, argc, reply);
    } else if (LIKELY(is_welcome(dispatch, client, command, argc)) ||
               !refuse(dispatch, client, command, args, argc, reply)) {
        execute(dispatch, client, command, reply);
    }
    if (UNLIKELY(blob_count > 0)) {
        call_end(call);
    }
    return DISPATCH_DONE;
}
