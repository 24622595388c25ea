/* waiting: waiters, awaited keys, serving. The header draws the picture. */
#include "client/waiting.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/shared.h"
#include "client/transaction.h"
#include "ds/dict.h"

/* Milliseconds that a timer can be set to: a hundred years. */
#define TIMER_MS_MAX (INT64_C(100) * 366 * 86400 * 1000)
/* Replies up to this size go out as shared bytes, which take no allocation each. */
#define SHARED_MAX 4096

enum queue { QUEUE_LIST, QUEUE_SORTED_SET, QUEUE_STREAM, QUEUE_ANY, QUEUE_TURN, QUEUES };

struct place {
    struct waiter *waiter;
    struct awaited *key; /* NULL: a key that the command names twice */
    struct place *next;
    struct place *previous;
};

struct queue_ends {
    struct place *first;
    struct place *last;
};

struct awaited {
    struct queue_ends queues[QUEUES];
    struct entry *entry; /* in the dict, with the name */
    uint64_t hash;
    struct database *database;
    bool ready;
    struct awaited *next_ready;
};

struct waiter {
    struct client *client;
    struct loop_timer timer;
    struct command *command;
    uint64_t hash;
    void (*timed_out)(struct call *call);
    size_t size;
    enum queue queue;
    bool timed;
    bool enduring;
    bool minds_loss;
    bool muted; /* its reply is not sent */
    int argc;
    int place_count;
    struct place *places;
    struct bytes args[]; /* then the places, then the arguments' bytes */
};

struct waiting {
    struct clients *clients;
    struct keyspace *keyspace;
    struct dict *dicts; /* one for each database; NULL until somebody has waited */
    struct awaited *first_ready;
    struct awaited *last_ready;
    struct awaited *first_cut; /* whose turn comes in the next pass: linked like those ready */
    struct awaited *last_cut;
    size_t allowance;        /* how many may still be served in this one */
    size_t parked;           /* in the queues of any value and of turns */
    struct awaited *serving; /* is not freed meanwhile; NULL: none */
    bool stays;              /* the waiter that is executed again found nothing */
    struct reply reply;
    struct shared_log log;
    struct store_listener listener; /* while somebody minds that a key goes */
    size_t minding;
    size_t count;
    size_t timed;
    size_t keys;
};

static int queue_of(enum entry_type type) {
    switch (type) {
    case ENTRY_LIST:
        return QUEUE_LIST;
    case ENTRY_SORTED_SET:
        return QUEUE_SORTED_SET;
    case ENTRY_STREAM:
        return QUEUE_STREAM;
    case ENTRY_STRING:
        return QUEUE_ANY;
    default:
        return -1;
    }
}

/* ---- awaited keys ---- */

static struct awaited *find(const struct waiting *waiting, const struct key *key) {
    const struct dict *dict = &waiting->dicts[key->database->id];
    if (dict_size(dict) == 0) {
        return NULL;
    }
    const uint64_t *slot = dict_find(dict, key->hash, key->name.at, key->name.size);
    return slot == NULL ? NULL : entry_pointer(dict_slot_entry(*slot));
}

static void make_ready(struct waiting *waiting, struct awaited *awaited) {
    if (awaited->ready) {
        return;
    }
    awaited->ready = true;
    awaited->next_ready = NULL;
    *(waiting->last_ready == NULL ? &waiting->first_ready : &waiting->last_ready->next_ready) =
        awaited;
    waiting->last_ready = awaited;
}

static bool has_turns(const struct awaited *awaited) {
    return awaited->queues[QUEUE_ANY].first != NULL || awaited->queues[QUEUE_TURN].first != NULL;
}

static void signal_key(struct waiting *waiting, const struct key *key, enum entry_type type) {
    int queue = queue_of(type);
    struct awaited *awaited = find(waiting, key);
    if (awaited != NULL &&
        ((queue >= 0 && awaited->queues[queue].first != NULL) || has_turns(awaited))) {
        make_ready(waiting, awaited);
    }
}

/* Whether somebody waits for a stream there and wants to know that there is none. */
static bool is_missed(const struct waiting *waiting, const struct awaited *awaited) {
    if (waiting->minding == 0) {
        return false;
    }
    struct bytes name = entry_key(awaited->entry);
    const uint64_t *slot = dict_find(&awaited->database->keys, awaited->hash, name.at, name.size);
    if (slot != NULL && entry_type(dict_slot_entry(*slot)) == ENTRY_STREAM) {
        return false;
    }
    const struct place *place = awaited->queues[QUEUE_STREAM].first;
    while (place != NULL && !place->waiter->minds_loss) {
        place = place->next;
    }
    return place != NULL;
}

static void on_modified(void *context, const struct key *key) {
    struct waiting *waiting = context;
    struct awaited *awaited = find(waiting, key);
    if (awaited != NULL && is_missed(waiting, awaited)) {
        make_ready(waiting, awaited);
    }
}

struct search {
    struct waiting *waiting;
    bool emptied; /* the keys are about to go */
};

static void on_appeared(void *context, const struct key *key, int type) {
    signal_key(context, key, (enum entry_type)type);
}

static void look(void *context, struct entry *entry) {
    const struct search *search = context;
    struct awaited *awaited = entry_pointer(entry);
    struct key key = {
        .name = entry_key(entry), .hash = awaited->hash, .database = awaited->database};
    const uint64_t *slot = dict_find(&key.database->keys, key.hash, key.name.at, key.name.size);
    if (search->emptied || is_missed(search->waiting, awaited)) {
        make_ready(search->waiting, awaited);
    } else if (slot != NULL) {
        signal_key(search->waiting, &key, entry_type(dict_slot_entry(*slot)));
    }
}

static void look_at_all(struct waiting *waiting, int database, bool emptied) {
    struct search search = {waiting, emptied};
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&waiting->dicts[database], cursor, look, &search);
    } while (cursor != 0);
}

static void on_flushing(void *context, int database) {
    struct waiting *waiting = context;
    for (int i = 0; i < waiting->keyspace->database_count; i++) {
        if (database < 0 || database == i) {
            look_at_all(waiting, i, true);
        }
    }
}

/* What there is after it is looked at by on_swapped. */
static void on_swapping(void *context, int a, int b) {
    (void)context;
    (void)a;
    (void)b;
}

/* After two databases were swapped. */
static void on_swapped(void *context, int a, int b) {
    struct waiting *waiting = context;
    look_at_all(waiting, a, false);
    look_at_all(waiting, b, false);
}

static void prepare_dicts(struct waiting *waiting) {
    if (waiting->dicts != NULL) {
        return;
    }
    size_t count = (size_t)waiting->keyspace->database_count;
    waiting->dicts = mem_alloc(MEM_OTHER, count * sizeof *waiting->dicts);
    for (size_t i = 0; i < count; i++) {
        dict_init(&waiting->dicts[i], MEM_BUFFER, false);
    }
}

static void listen(struct waiting *waiting, bool on) {
    struct store_hooks *hooks = &waiting->keyspace->hooks;
    struct dispatch *dispatch = &waiting->clients->dispatch;
    hooks->awaits = on ? waiting : NULL;
    hooks->appeared = on ? on_appeared : NULL;
    hooks->swapped = on ? on_swapped : NULL;
    if (on) {
        dispatch->special |= DISPATCH_AWAITED;
    } else {
        dispatch->special &= ~(unsigned)DISPATCH_AWAITED;
    }
}

static struct awaited *add_key(struct waiting *waiting, const struct key *key) {
    struct awaited *awaited = mem_alloc(MEM_BUFFER, sizeof *awaited);
    struct entry_shape shape = {
        .type = ENTRY_ELEMENT, .encoding = ENTRY_TABLE, .word = (uint64_t)(uintptr_t)awaited};
    struct entry *entry = entry_try_new(key->name, &shape);
    if (entry == NULL) {
        mem_free(MEM_BUFFER, awaited, sizeof *awaited);
        return NULL;
    }
    *awaited = (struct awaited){.entry = entry, .hash = key->hash, .database = key->database};
    dict_insert(&waiting->dicts[key->database->id], key->hash, entry);
    if (waiting->keys++ == 0) {
        listen(waiting, true);
    }
    return awaited;
}

static bool has_places(const struct awaited *awaited) {
    for (int i = 0; i < QUEUES; i++) {
        if (awaited->queues[i].first != NULL) {
            return true;
        }
    }
    return false;
}

/* Once nobody waits for it. One that is ready goes when its turn has come. */
static void drop_if_unawaited(struct waiting *waiting, struct awaited *awaited) {
    if (awaited->ready || awaited == waiting->serving || has_places(awaited)) {
        return;
    }
    struct dict *dict = &waiting->dicts[awaited->database->id];
    dict_remove(dict, awaited->hash, dict_find_entry(dict, awaited->hash, awaited->entry));
    entry_free(awaited->entry);
    mem_free(MEM_BUFFER, awaited, sizeof *awaited);
    if (--waiting->keys == 0) {
        listen(waiting, false);
    }
}

static void leave_queue(struct waiting *waiting, struct place *place, enum queue queue) {
    struct awaited *awaited = place->key;
    struct queue_ends *ends = &awaited->queues[queue];
    *(place->previous == NULL ? &ends->first : &place->previous->next) = place->next;
    *(place->next == NULL ? &ends->last : &place->next->previous) = place->previous;
    drop_if_unawaited(waiting, awaited);
}

/* ---- waiters ---- */

static void drop_waiter(struct waiting *waiting, struct waiter *waiter) {
    struct client *client = waiter->client;
    for (int i = 0; i < waiter->place_count; i++) {
        if (waiter->places[i].key != NULL) {
            leave_queue(waiting, &waiter->places[i], waiter->queue);
        }
    }
    if (waiter->timed) {
        loop_timer_remove(waiting->clients->context->loop, &waiter->timer);
        waiting->timed--;
    }
    if (waiter->minds_loss && --waiting->minding == 0) {
        keyspace_unlisten(waiting->keyspace, &waiting->listener);
    }
    client->waiter = NULL;
    client->flags &= ~(uint32_t)CLIENT_WAITING;
    waiting->count--;
    waiting->parked -= waiter->queue == QUEUE_ANY || waiter->queue == QUEUE_TURN;
    mem_free(MEM_BUFFER, waiter, waiter->size);
}

/* A call of the waiter's command, whose reply is in waiting->reply. */
static struct call call_of(struct waiting *waiting, struct waiter *waiter) {
    struct client *client = waiter->client;
    struct context *context = waiting->clients->context;
    reply_reset(&waiting->reply);
    waiting->reply.version = client->version;
    return (struct call){.args = waiter->args,
                         .argc = waiter->argc,
                         .hash = waiter->hash,
                         .command = waiter->command,
                         .client = client,
                         .database = client->database,
                         .keyspace = context->keyspace,
                         .reply = &waiting->reply,
                         .context = context,
                         .now_ms = context->clock->now_ms,
                         .again = true};
}

static void send_reply(struct waiting *waiting, struct client *client) {
    struct reply *reply = &waiting->reply;
    size_t size = reply_size(reply);
    if (reply->piece_count > 0 || size > SHARED_MAX) {
        client_send_reply(client, reply);
        return;
    }
    char *room = shared_log_room(&waiting->log, size);
    if (room == NULL) {
        client_send_reply(client, reply);
        return;
    }
    memcpy(room, reply->start, size);
    struct shared_run run = shared_log_take(&waiting->log, room + size);
    client_send_run(client, &run);
    shared_release(run.block);
}

/* The command is over, its reply in waiting->reply: the client goes on with what it has sent. */
static void finish(struct waiting *waiting, struct waiter *waiter) {
    struct client *client = waiter->client;
    bool muted = waiter->muted;
    drop_waiter(waiting, waiter);
    if (!muted && !(client->flags & CLIENT_MUTED)) {
        send_reply(waiting, client);
    }
    reply_reset(&waiting->reply);
    client_order(client, CLIENT_ORDER_RESUME);
}

static void reply_timed_out(struct call *call, void (*timed_out)(struct call *call)) {
    if (timed_out != NULL) {
        timed_out(call);
    } else {
        reply_null_array(call->reply);
    }
}

static int64_t on_time(struct loop_timer *timer) {
    struct waiter *waiter =
        (struct waiter *)(void *)((char *)timer - offsetof(struct waiter, timer));
    struct waiting *waiting = waiter->client->clients->waiting;
    struct call call = call_of(waiting, waiter);
    reply_timed_out(&call, waiter->timed_out);
    finish(waiting, waiter);
    return -1;
}

static size_t waiter_size(const struct wait *wait, const struct bytes *args, int argc) {
    size_t size = sizeof(struct waiter) + (size_t)argc * sizeof(struct bytes) +
                  (size_t)wait->key_count * sizeof(struct place);
    for (int i = 0; i < argc; i++) {
        size += args[i].size;
    }
    return size;
}

static struct waiter *new_waiter(struct call *call, const struct wait *wait) {
    const struct bytes *args = wait->args != NULL ? wait->args : call->args;
    size_t size = waiter_size(wait, args, call->argc);
    struct waiter *waiter = mem_try_alloc(MEM_BUFFER, size);
    if (waiter == NULL) {
        return NULL;
    }
    const uint32_t mutes = CLIENT_MUTED | CLIENT_MUTE_THIS;
    *waiter =
        (struct waiter){.client = call->client,
                        .timer = {.on_time = on_time, .position = -1},
                        .command = call->command,
                        .hash = call->hash,
                        .timed_out = wait->timed_out,
                        .size = size,
                        .queue = (enum queue)(wait->in_turn ? QUEUE_TURN : queue_of(wait->type)),
                        .enduring = wait->enduring,
                        .minds_loss = wait->minds_loss,
                        .muted = call->client->flags & mutes,
                        .argc = call->argc};
    waiter->places = (struct place *)(void *)(waiter->args + call->argc);
    char *at = (char *)(waiter->places + wait->key_count);
    for (int i = 0; i < call->argc; i++) {
        memcpy(at, args[i].at, args[i].size);
        waiter->args[i] = bytes_of(at, args[i].size);
        at += args[i].size;
    }
    return waiter;
}

/* Takes a place at the end of the key's queue. False when there is no memory. */
static bool join_queue(struct waiting *waiting, struct waiter *waiter, const struct key *key) {
    struct awaited *awaited = find(waiting, key);
    if (awaited == NULL) {
        awaited = add_key(waiting, key);
        if (awaited == NULL) {
            return false;
        }
    }
    struct queue_ends *ends = &awaited->queues[waiter->queue];
    struct place *place = &waiter->places[waiter->place_count++];
    if (ends->last != NULL && ends->last->waiter == waiter) {
        *place = (struct place){.waiter = waiter};
        return true;
    }
    *place = (struct place){.waiter = waiter, .key = awaited, .previous = ends->last};
    *(ends->last == NULL ? &ends->first : &ends->last->next) = place;
    ends->last = place;
    return true;
}

static void set_timer(struct waiting *waiting, struct waiter *waiter, int64_t timeout_ms) {
    if (timeout_ms > 0) {
        int64_t after_ms = timeout_ms < TIMER_MS_MAX ? timeout_ms : TIMER_MS_MAX;
        loop_timer_add(waiting->clients->context->loop, &waiter->timer, after_ms);
        waiter->timed = true;
        waiting->timed++;
    }
}

bool waiting_may_begin(const struct call *call) {
    return !call->inner && !(call->client->flags & CLIENT_INTERNAL);
}

void waiting_begin(struct call *call, const struct wait *wait) {
    struct client *client = call->client;
    struct waiting *waiting = client->clients->waiting;
    if (call->again) {
        waiting->stays = true;
        return;
    }
    if (!waiting_may_begin(call)) {
        reply_timed_out(call, wait->timed_out);
        return;
    }
    struct waiter *waiter = new_waiter(call, wait);
    if (waiter == NULL) {
        reply_no_memory(call->reply);
        return;
    }
    prepare_dicts(waiting);
    client->waiter = waiter;
    client->flags |= CLIENT_WAITING;
    waiting->count++;
    waiting->parked += waiter->queue == QUEUE_ANY || waiter->queue == QUEUE_TURN;
    if (waiter->minds_loss && waiting->minding++ == 0) {
        keyspace_listen(waiting->keyspace, &waiting->listener);
    }
    for (int i = 0; i < wait->key_count; i++) {
        struct key key = call_key(call, wait->first_key + i);
        key.name = waiter->args[wait->first_key + i];
        if (!join_queue(waiting, waiter, &key)) {
            drop_waiter(waiting, waiter);
            reply_no_memory(call->reply);
            return;
        }
    }
    set_timer(waiting, waiter, wait->timeout_ms);
}

bool waiting_unblock(struct client *client, bool with_error) {
    struct waiter *waiter = client->waiter;
    struct waiting *waiting = client->clients->waiting;
    if (waiter == NULL || waiter->enduring) {
        return false;
    }
    struct call call = call_of(waiting, waiter);
    if (with_error) {
        reply_error(call.reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    } else {
        reply_timed_out(&call, waiter->timed_out);
    }
    finish(waiting, waiter);
    return true;
}

void waiting_end(struct client *client, void (*reply)(struct call *call, const void *context),
                 const void *context) {
    struct waiter *waiter = client->waiter;
    struct waiting *waiting = client->clients->waiting;
    if (waiter != NULL && waiter->enduring) {
        struct call call = call_of(waiting, waiter);
        reply(&call, context);
        finish(waiting, waiter);
    }
}

void waiting_end_all(struct clients *clients, const char *error) {
    struct waiting *waiting = clients->waiting;
    for (struct client *c = clients->first; c != NULL && waiting->count > 0; c = c->next) {
        if (c->waiter != NULL && !c->waiter->enduring) {
            struct call call = call_of(waiting, c->waiter);
            reply_error(call.reply, error);
            finish(waiting, c->waiter);
        }
    }
}

void waiting_forget(struct client *client) {
    if (client->waiter != NULL) {
        drop_waiter(client->clients->waiting, client->waiter);
    }
}

size_t waiting_footprint(const struct client *client) {
    return client->waiter == NULL ? 0 : mem_class(client->waiter->size);
}

/* ---- serving ---- */

void waiting_signal(struct clients *clients, const struct key *key, enum entry_type type) {
    if (UNLIKELY(clients->waiting->keys > 0)) {
        signal_key(clients->waiting, key, type);
    }
}

void waiting_signal_turn(struct clients *clients, const struct key *key) {
    struct waiting *waiting = clients->waiting;
    if (waiting->parked > 0) {
        struct awaited *awaited = find(waiting, key);
        if (awaited != NULL && has_turns(awaited)) {
            make_ready(waiting, awaited);
        }
    }
}

bool waiting_has_ready(const struct waiting *waiting) {
    return waiting->first_ready != NULL;
}

/* Whether it has left. */
static bool serve_waiter(struct waiting *waiting, struct waiter *waiter) {
    struct client *client = waiter->client;
    if (client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_SENT)) {
        drop_waiter(waiting, waiter); /* what it would get would be lost */
        return true;
    }
    struct call call = call_of(waiting, waiter);
    waiting->stays = false;
    dispatch_again(&call);
    if (!waiting->stays) {
        finish(waiting, waiter);
    }
    return !waiting->stays;
}

/* From the front until one stays. False when the pass has served enough. */
static bool serve_turns(struct waiting *waiting, struct awaited *awaited, enum queue queue) {
    while (awaited->queues[queue].first != NULL) {
        if (waiting->allowance == 0) {
            return false;
        }
        waiting->allowance--;
        if (!serve_waiter(waiting, awaited->queues[queue].first->waiter)) {
            break;
        }
    }
    return true;
}

/* Which queue's waiters the key can serve now; -1: none. */
static int ready_queue(struct waiting *waiting, const struct awaited *awaited) {
    struct key key = {
        .name = entry_key(awaited->entry), .hash = awaited->hash, .database = awaited->database};
    const struct entry *entry = keyspace_peek(waiting->keyspace, &key);
    return entry == NULL || entry_type(entry) == ENTRY_STRING ? -1 : queue_of(entry_type(entry));
}

/* Those who mind that there is no stream learn it by being executed again. */
static void tell_loss(struct waiting *waiting, struct awaited *awaited) {
    struct place *place = awaited->queues[QUEUE_STREAM].first;
    while (place != NULL && is_missed(waiting, awaited)) {
        struct place *next = place->next;
        if (place->waiter->minds_loss) {
            serve_waiter(waiting, place->waiter);
        }
        place = next;
    }
}

/* Each waiter is executed once at most: who finds nothing again stays. */
static void serve_key(struct waiting *waiting, struct awaited *awaited) {
    tell_loss(waiting, awaited);
    int queue = ready_queue(waiting, awaited);
    struct place *place = queue < 0 ? NULL : awaited->queues[queue].first;
    while (place != NULL && ready_queue(waiting, awaited) == queue) {
        struct place *next = place->next; /* another client's */
        serve_waiter(waiting, place->waiter);
        place = next;
    }
}

/* It is ready, but its turn comes in the next pass. */
static void cut(struct waiting *waiting, struct awaited *awaited) {
    if (awaited->ready) {
        return; /* what was served has made it ready again: it is in the other list */
    }
    awaited->ready = true;
    awaited->next_ready = NULL;
    *(waiting->last_cut == NULL ? &waiting->first_cut : &waiting->last_cut->next_ready) = awaited;
    waiting->last_cut = awaited;
}

void waiting_serve(struct waiting *waiting) {
    while (waiting->first_ready != NULL) {
        struct awaited *awaited = waiting->first_ready;
        waiting->first_ready = awaited->next_ready;
        if (waiting->first_ready == NULL) {
            waiting->last_ready = NULL;
        }
        awaited->ready = false;
        waiting->serving = awaited;
        if (has_turns(awaited) && !(serve_turns(waiting, awaited, QUEUE_TURN) &&
                                    serve_turns(waiting, awaited, QUEUE_ANY))) {
            cut(waiting, awaited);
        }
        serve_key(waiting, awaited);
        waiting->serving = NULL;
        drop_if_unawaited(waiting, awaited);
    }
}

void waiting_pass(struct waiting *waiting) {
    waiting->allowance = WAITING_SERVED_MAX;
    if (UNLIKELY(waiting->first_cut != NULL)) {
        *(waiting->last_ready == NULL ? &waiting->first_ready : &waiting->last_ready->next_ready) =
            waiting->first_cut;
        waiting->last_ready = waiting->last_cut;
        waiting->first_cut = waiting->last_cut = NULL;
    }
}

bool waiting_has_more(const struct waiting *waiting) {
    return waiting->first_cut != NULL;
}

/* ---- times ---- */

static bool is_within_range(struct call *call, bool negative, bool too_large) {
    if (negative) {
        reply_error(call->reply, "ERR timeout is negative");
    } else if (too_large) {
        reply_error(call->reply, "ERR timeout is out of range");
    }
    return !negative && !too_large;
}

bool waiting_read_seconds(struct call *call, int index, int64_t *timeout_ms) {
    long double seconds;
    if (!num_parse_long_double(call->args[index], &seconds) || isnan(seconds)) {
        reply_error(call->reply, "ERR timeout is not a float or out of range");
        return false;
    }
    long double ms = ceill(seconds * 1000);
    long double most = (long double)(INT64_MAX - call->now_ms);
    if (!is_within_range(call, seconds < 0, ms >= most)) {
        return false;
    }
    *timeout_ms = (int64_t)ms;
    return true;
}

bool waiting_read_ms(struct call *call, int index, int64_t *timeout_ms) {
    if (!num_parse_i64(call->args[index], timeout_ms)) {
        reply_error(call->reply, "ERR timeout is not an integer or out of range");
        return false;
    }
    return is_within_range(call, *timeout_ms<0, *timeout_ms> INT64_MAX - call->now_ms);
}

/* ---- life and figures ---- */

struct waiting *waiting_new(struct clients *clients) {
    struct waiting *waiting = mem_zalloc(MEM_OTHER, sizeof *waiting);
    waiting->clients = clients;
    waiting->allowance = WAITING_SERVED_MAX;
    waiting->keyspace = clients->context->keyspace;
    waiting->listener = (struct store_listener){.context = waiting,
                                                .modified = on_modified,
                                                .flushing = on_flushing,
                                                .swapping = on_swapping};
    reply_init(&waiting->reply);
    waiting->reply.on_error = clients_count_error;
    waiting->reply.context = clients;
    return waiting;
}

void waiting_free(struct waiting *waiting) {
    check(waiting->count == 0 && waiting->keys == 0);
    if (waiting->dicts != NULL) {
        size_t count = (size_t)waiting->keyspace->database_count;
        for (size_t i = 0; i < count; i++) {
            dict_clear(&waiting->dicts[i]);
        }
        mem_free(MEM_OTHER, waiting->dicts, count * sizeof *waiting->dicts);
    }
    shared_log_clear(&waiting->log);
    reply_free(&waiting->reply);
    mem_free(MEM_OTHER, waiting, sizeof *waiting);
}

size_t waiting_count(const struct waiting *waiting) {
    return waiting->count;
}

size_t waiting_parked(const struct waiting *waiting) {
    return waiting->parked;
}

size_t waiting_timed(const struct waiting *waiting) {
    return waiting->timed;
}

size_t waiting_keys(const struct waiting *waiting) {
    return waiting->keys;
}

/* ---- validation ---- */

static void count_places(void *context, struct entry *entry) {
    size_t *count = context;
    const struct awaited *awaited = entry_pointer(entry);
    check(awaited->entry == entry && (has_places(awaited) || awaited->ready));
    for (int i = 0; i < QUEUES; i++) {
        const struct place *previous = NULL;
        for (const struct place *p = awaited->queues[i].first; p != NULL; p = p->next) {
            check(p->previous == previous && p->key == awaited && (int)p->waiter->queue == i);
            check(p->waiter->client->waiter == p->waiter);
            previous = p;
            (*count)++;
        }
        check(awaited->queues[i].last == previous);
    }
}

void waiting_validate(const struct waiting *waiting) {
    size_t found = 0;
    size_t keys = 0;
    for (int i = 0; waiting->dicts != NULL && i < waiting->keyspace->database_count; i++) {
        dict_validate(&waiting->dicts[i]);
        keys += dict_size(&waiting->dicts[i]);
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(&waiting->dicts[i], cursor, count_places, &found);
        } while (cursor != 0);
    }
    check(keys == waiting->keys && (keys > 0) == (waiting->keyspace->hooks.appeared != NULL));
    size_t places = 0;
    size_t waiters = 0;
    size_t minding = 0;
    size_t parked = 0;
    for (const struct client *c = waiting->clients->first; c != NULL; c = c->next) {
        check((c->waiter != NULL) == ((c->flags & CLIENT_WAITING) != 0));
        waiters += c->waiter != NULL;
        parked += c->waiter != NULL && c->waiter->queue >= QUEUE_ANY;
        minding += c->waiter != NULL && c->waiter->minds_loss;
        for (int i = 0; c->waiter != NULL && i < c->waiter->place_count; i++) {
            places += c->waiter->places[i].key != NULL;
        }
    }
    check(places == found && waiters == waiting->count && waiting->first_ready == NULL);
    check(minding == waiting->minding && parked == waiting->parked);
}
