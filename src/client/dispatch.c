/* dispatch: the call and the figures behind it. The checks in front of it are in refusal.c. */
#include "client/dispatch.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "call/control.h"
#include "call/pass_on.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/refusal.h"
#include "client/transaction.h"
#include "client/waiting.h"
#include "store/evict.h"

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
    dispatch->special &= ~(unsigned)(DISPATCH_OBSERVED | DISPATCH_EXACT);
    for (struct call_observer *o = dispatch->clients->observers; o != NULL; o = o->next) {
        if (o->before_on) {
            dispatch->special |= DISPATCH_OBSERVED;
        }
        if (o->after != NULL && o->after_min_ns < DISPATCH_EXACT_NS) {
            dispatch->special |= DISPATCH_EXACT;
        }
    }
}

static void ask_listeners(struct dispatch *dispatch) {
    if (pass_on_is_heard(dispatch->context->pass_on)) {
        dispatch->special |= DISPATCH_HEARD;
    } else {
        dispatch->special &= ~(unsigned)DISPATCH_HEARD;
    }
}

static void ask_state(struct dispatch *dispatch) {
    const struct server_control *control = dispatch->context->control;
    const struct control_role *role = &control->role;
    if (control->loading == CONTROL_LOADING_ALONE || role->read_only || role->stale ||
        role->lonely || control->refuses_writes || dispatch->clients->busy_text != NULL) {
        dispatch->special |= DISPATCH_STRICT;
    } else {
        dispatch->special &= ~(unsigned)DISPATCH_STRICT;
    }
}

void clients_state_changed(struct clients *clients) {
    ask_state(&clients->dispatch);
}

void dispatch_begin(struct dispatch *dispatch) {
    dispatch->call.context = dispatch->context;
    dispatch->call.keyspace = dispatch->context->keyspace;
    dispatch->call.now_ms = dispatch->context->clock->now_ms;
    ask_observers(dispatch);
    ask_listeners(dispatch);
    ask_state(dispatch);
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

static void end_run(struct dispatch *dispatch, int64_t now_ns) {
    if (dispatch->running != NULL) {
        record(dispatch, dispatch->running, now_ns - dispatch->run_start_ns, dispatch->run_calls);
        dispatch->running = NULL;
    }
}

void dispatch_end(struct dispatch *dispatch) {
    if (dispatch->running != NULL) {
        end_run(dispatch, clock_mono_ns());
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

static void tell_before(const struct dispatch *dispatch, const struct call *call) {
    for (struct call_observer *o = dispatch->clients->observers; o != NULL; o = o->next) {
        if (o->before_on) {
            o->before(o->context, call);
        }
    }
}

/* The time of a command that executes others includes theirs. */
static void run_timed(struct dispatch *dispatch, struct call *call) {
    struct command *command = call->command;
    dispatch_end(dispatch);
    int64_t start = clock_mono_ns();
    command->fn(call);
    int64_t end = clock_mono_ns();
    end_run(dispatch, end);
    int64_t duration = end - start;
    record(dispatch, command, duration, 1);
    for (struct call_observer *o = dispatch->clients->observers; o != NULL; o = o->next) {
        if (o->after != NULL && duration >= o->after_min_ns) {
            o->after(o->context, call, duration);
        }
    }
    /* It may have been MONITOR or CONFIG SET. */
    ask_observers(dispatch);
}

/* What would be refused is not held: its error comes at once. */
static bool must_hold(const struct client *client, const struct command *command, int argc) {
    const struct clients *clients = client->clients;
    if (LIKELY(!clients->paused) || client->flags & CLIENT_PRIMARY ||
        client->class_ == CLIENT_CLASS_REPLICA) {
        return false;
    }
    if (command == NULL || command->fn == NULL ||
        (command->arity > 0 ? argc != command->arity : argc < -command->arity) ||
        (!(client->flags & CLIENT_AUTHENTICATED) && !(command->flags & COMMAND_NO_AUTH))) {
        return false;
    }
    unsigned flags = command->flags;
    flags |= flags & COMMAND_RUNS_QUEUE ? transaction_flags(client) : 0;
    return !clients->pause_only_writes || (flags & (COMMAND_WRITE | COMMAND_MAY_REPLICATE)) != 0;
}

/* ---- the call ---- */

/* What somebody wants to know of, or what takes long. */
static __attribute__((noinline)) void execute_specially(struct dispatch *dispatch,
                                                        struct call *call) {
    struct clients *clients = dispatch->clients;
    struct pass_on *pass_on = dispatch->context->pass_on;
    const unsigned flags = call->command->flags;
    bool still = flags & COMMAND_STILL && clients->thread_count > 0;
    bool heard = dispatch->special & DISPATCH_HEARD;
    if (still) {
        clients_hold(clients);
    }
    if (dispatch->special & DISPATCH_OBSERVED) {
        tell_before(dispatch, call);
    }
    if (heard) {
        pass_on_calling(pass_on, call);
    }
    if (flags & (COMMAND_FAST | COMMAND_BRIEF) && !(dispatch->special & DISPATCH_EXACT)) {
        run_call(dispatch, call->command);
        call->command->fn(call);
    } else {
        run_timed(dispatch, call);
    }
    if (heard) {
        pass_on_called(pass_on, call);
    }
    if (still) {
        clients_release(clients);
    }
}

static inline void execute(struct dispatch *dispatch, struct call *call) {
    struct command *command = call->command;
    call->client->commands++;
    call->client->last_command = command;
    dispatch->clients->metrics.total_commands_processed++;
    command->calls++;
    uint32_t errors = call->reply->errors;
    if (LIKELY((command->flags & (COMMAND_FAST | COMMAND_BRIEF)) &&
               !(dispatch->special & ~(unsigned)(DISPATCH_AWAITED | DISPATCH_STRICT)) &&
               !(command->flags & COMMAND_STILL))) {
        run_call(dispatch, command);
        command->fn(call);
    } else {
        execute_specially(dispatch, call);
    }
    if (UNLIKELY(call->reply->errors != errors)) {
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

/* One that tracks has read something. */
static void tell_called(struct dispatch *dispatch, const struct call *call) {
    for (struct client_watcher *w = dispatch->clients->watchers; w != NULL; w = w->next) {
        if (w->called != NULL) {
            w->called(w->context, call);
        }
    }
}

/* The command waits for EXEC. */
static void queue(struct client *client, struct call *call) {
    client->last_command = call->command;
    if (LIKELY(transaction_queue(client, call))) {
        reply_literal(call->reply, "+QUEUED\r\n");
    } else {
        reply_no_memory(call->reply);
        transaction_spoil(client);
    }
}

/* The checks, and the call, or its place in the transaction. */
static void execute_checked(struct dispatch *dispatch, struct client *client, struct call *call) {
    if (refusal_due(call)) {
        return;
    }
    if (client->flags & CLIENT_MULTI && !(call->command->flags & COMMAND_AT_ONCE)) {
        queue(client, call);
        return;
    }
    bool tracks = client->flags & CLIENT_TRACKING;
    execute(dispatch, call);
    if (tracks) {
        tell_called(dispatch, call);
    }
}

/* What went to where replies are dropped is to be sent after all. */
static void add_discarded(struct dispatch *dispatch, struct reply *reply) {
    struct reply *discarded = &dispatch->discarded;
    reply_close_run(discarded);
    for (uint32_t i = 0; i < discarded->piece_count; i++) {
        reply_raw(reply, discarded->pieces[i].at, discarded->pieces[i].size);
    }
}

/* CLIENT REPLY in a transaction holds from its place on. */
static void run_muted(struct dispatch *dispatch, struct client *client, struct call *call) {
    struct reply *reply = call->reply;
    struct reply *discarded = &dispatch->discarded;
    reply_reset(discarded);
    discarded->version = reply->version;
    call->reply = discarded;
    execute(dispatch, call);
    call->reply = reply;
    if (reply != discarded) {
        reply->version = discarded->version;
        if (!(client->flags & CLIENT_MUTED)) {
            add_discarded(dispatch, reply);
        }
        reply_reset(discarded);
    }
}

void dispatch_run(struct call *call) {
    struct client *client = call->client;
    struct dispatch *dispatch = &client->clients->dispatch;
    call->database = client->database;
    if (UNLIKELY(client->flags & CLIENT_MUTED) && call->script_us == NULL) {
        run_muted(dispatch, client, call);
    } else {
        execute(dispatch, call);
    }
    if (UNLIKELY(client->flags & CLIENT_TRACKING)) {
        tell_called(dispatch, call);
    }
    if (UNLIKELY(call->blob_count > 0)) {
        call_end(call);
    }
}

void dispatch_again(struct call *call) {
    struct client *client = call->client;
    struct dispatch *dispatch = &client->clients->dispatch;
    struct command *command = call->command;
    bool heard = dispatch->special & DISPATCH_HEARD;
    if (refusal_due(call)) {
        return;
    }
    uint32_t errors = call->reply->errors;
    call->keyspace->no_touch = client->flags & CLIENT_NO_TOUCH;
    if (heard) {
        pass_on_calling(dispatch->context->pass_on, call);
    }
    int64_t start = clock_mono_ns();
    command->fn(call);
    int64_t duration = clock_mono_ns() - start;
    if (heard) {
        pass_on_called(dispatch->context->pass_on, call);
    }
    call->keyspace->no_touch = false;
    command->busy_ns += (uint64_t)duration;
    dispatch->busy_ns += duration;
    command->failed += call->reply->errors != errors;
    for (struct call_observer *o = dispatch->clients->observers; o != NULL; o = o->next) {
        if (o->after != NULL && duration >= o->after_min_ns) {
            o->after(o->context, call, duration);
        }
    }
    if (client->flags & CLIENT_TRACKING) {
        tell_called(dispatch, call);
    }
}

/* A client with a gate up: muted, not touching, watching, getting messages. */
static void execute_gated(struct dispatch *dispatch, struct client *client, struct call *call) {
    struct reply *reply = call->reply;
    if (client->flags & CLIENT_MUTE_NEXT) {
        client->flags &= ~(uint32_t)CLIENT_MUTE_NEXT;
        client->flags |= CLIENT_MUTE_THIS;
    }
    bool muted = client->flags & (CLIENT_MUTED | CLIENT_MUTE_THIS);
    struct reply *target = reply;
    if (muted) {
        target = &dispatch->discarded;
        target->version = reply->version;
        call->reply = target;
    }
    call->keyspace->no_touch = client->flags & CLIENT_NO_TOUCH;
    dispatch->gated = true;
    dispatch->reply_before = reply_size(target);
    client->flags |= CLIENT_BUSY; /* messages must look twice */
    execute_checked(dispatch, client, call);
    dispatch->gated = false;
    call->keyspace->no_touch = false;
    bool still_muted = client->flags & (CLIENT_MUTED | CLIENT_MUTE_THIS);
    if (muted) {
        reply->version = target->version;
        /* CLIENT REPLY ON is answered, although it was sent while muted. */
        if (!still_muted) {
            add_discarded(dispatch, reply);
        }
        reply_reset(target);
    }
    client->flags &= ~(uint32_t)CLIENT_MUTE_THIS;
    if (UNLIKELY(dispatch->behind.size > 0)) {
        add_behind(dispatch, reply);
    }
}

/* Of one with permissions: refusals are said and noted elsewhere. */
static __attribute__((noinline)) bool is_permitted(const struct call *call) {
    const struct client *client = call->client;
    const struct guard *guard = client->clients->guard;
    int at;
    return guard->judge(guard->context, client->user, call->command, call->args, call->argc, &at) ==
           GUARD_ALLOWED;
}

/* What refusal_due would let pass, told quickly. */
static inline bool is_welcome(const struct dispatch *dispatch, const struct call *call) {
    const struct client *client = call->client;
    const struct command *command = call->command;
    const int argc = call->argc;
    return command != NULL && command->fn != NULL && client->flags & CLIENT_AUTHENTICATED &&
           !(dispatch->special & DISPATCH_STRICT) &&
           (command->arity > 0 ? argc == command->arity : argc >= -command->arity) &&
           !(command->flags & COMMAND_DENYOOM && evict_is_over(dispatch->context->evict)) &&
           (LIKELY(!(client->flags & CLIENT_RESTRICTED)) || is_permitted(call));
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
        if (client->flags & CLIENT_WAITING) {
            return DISPATCH_HOLD;
        }
        if ((client->flags & CLIENT_GATES) == CLIENT_MULTI && is_welcome(dispatch, call) &&
            !(command->flags & (COMMAND_AT_ONCE | COMMAND_NO_MULTI))) {
            queue(client, call);
        } else {
            execute_gated(dispatch, client, call);
        }
    } else if (LIKELY(is_welcome(dispatch, call)) || !refusal_due(call)) {
        execute(dispatch, call);
    }
    if (UNLIKELY(blob_count > 0)) {
        call_end(call);
    }
    if (UNLIKELY(dispatch->special & DISPATCH_AWAITED) && dispatch->clients->busy_text == NULL &&
        waiting_has_ready(dispatch->clients->waiting)) {
        dispatch_end(dispatch);
        waiting_serve(dispatch->clients->waiting);
    }
    return DISPATCH_DONE;
}

/* ---- without a connection ---- */

void clients_execute_begin(struct clients *clients) {
    dispatch_begin(&clients->dispatch);
}

void clients_execute_end(struct clients *clients) {
    dispatch_end(&clients->dispatch);
}

/* For a primary's stream no field of a hash expires by itself: its HDEL comes. Deadlines of fields
 * always are points in time there, so the time of the call is not needed otherwise. */
static int64_t time_for(const struct dispatch *dispatch, const struct client *client,
                        const struct command *command) {
    if (client->flags & CLIENT_PRIMARY && command != NULL && command->row->group == GROUP_HASH) {
        return 0;
    }
    return dispatch->context->clock->now_ms;
}

void client_execute(struct client *client, const struct bytes *args, int argc,
                    struct reply *reply) {
    struct dispatch *dispatch = &client->clients->dispatch;
    struct command *command = commands_resolve(dispatch->context->commands, args, argc);
    uint64_t hash = 0;
    if (command != NULL && command->first_key > 0 && command->first_key < argc) {
        hash = keyspace_hash(dispatch->context->keyspace, args[command->first_key]);
    }
    dispatch->call.element = NULL;
    dispatch->call.now_ms = time_for(dispatch, client, command);
    (void)dispatch_request(dispatch, client, command, args, argc, hash, reply, NULL, 0);
}
