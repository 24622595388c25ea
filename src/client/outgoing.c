/* outgoing: what goes to a client beside the replies of the batch: messages that others send it,
 * and the orders of the executing thread. Everything of that kind is queued here, and leaves at the
 * end of the pass (clients_flush): with one send for each client that this thread serves, and with
 * one parcel for each other thread.
 *
 * Order. A connection's bytes must come in the order in which they were made:
 * - replies of the batch that are finished but not sent yet are sent before the message is queued;
 *   in another thread's batch they go with it, and the message goes in a parcel behind it;
 * - replies made afterwards find the output not empty and are queued behind it; in another thread's
 *   batch they begin with what waits in the queue (batch_execute.c);
 * - a message for the client whose command is running goes into its replies: in front of that
 *   command's reply if it has none yet, otherwise behind it (dispatch_message).
 *
 * Limits are checked once a pass, when the socket has been offered what there is, and when a queue
 * has grown beyond them before (client/bounds.c): then too the socket is offered it first, if this
 * thread serves it, so who reads is not closed, however much is sent in one pass. */
#include "client/client.h"

#include "base/check.h"
#include "client/client_int.h"
#include "client/connection.h"

/* About what a run of shared bytes takes in a queue. */
#define RUN_COST 128

void client_flush_later(struct client *client) {
    if (client->flags & (CLIENT_TO_FLUSH | CLIENT_INTERNAL)) {
        return;
    }
    client->flags |= CLIENT_TO_FLUSH;
    client->next_flush = client->clients->to_flush;
    client->clients->to_flush = client;
}

/* With ten thousand clients to flush, each of them is out of the cache; so the next one's lines are
 * asked for while this one's send runs. */
static inline void prefetch_client(const struct client *client) {
    for (size_t at = 0; at < CLIENT_HOT_SIZE; at += 64) {
        __builtin_prefetch((const char *)client + at, 1);
    }
}

static void flush_inlined(struct client *client) {
    if (client->flags & CLIENT_CLOSING) {
        return;
    }
    if (client->watch.interest & LOOP_WRITE && !output_is_empty(&client->output)) {
        /* It will be told when the socket takes more; to ask would be in vain. */
        connection_check_output(client);
    } else {
        connection_offer_output(client);
    }
}

/* Into the parcel for its thread. Who is moving has none: it waits until it has one again. */
static void pack(struct client *client) {
    if (client->flags & CLIENT_MOVING && !(client->orders & CLIENT_ORDER_MOVE)) {
        return;
    }
    struct mail *mail = parcel_add(&client->thread->open);
    *mail = (struct mail){.client = client, .output = *client->queue, .orders = client->orders};
    output_init(client->queue);
    client->orders = 0;
}

void clients_flush(struct clients *clients) {
    if (clients->to_flush == NULL) {
        return;
    }
    while (clients->to_flush != NULL) {
        struct client *client = clients->to_flush;
        clients->to_flush = client->next_flush;
        prefetch_client(clients->to_flush);
        client->flags &= ~(uint32_t)CLIENT_TO_FLUSH;
        if (LIKELY(client->thread->inlined)) {
            flush_inlined(client);
        } else {
            pack(client);
        }
    }
    io_thread_commit(&clients->inlined);
    crew_post(clients);
}

/* ---- messages ---- */

/* Whether the output is where a message goes, after what must come before it has been sent or
 * queued. False when nothing can be sent. */
static inline bool is_reachable(const struct client *client) {
    return !(client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_SENT | CLIENT_INTERNAL));
}

static void send_bytes(struct client *client, struct bytes message, bool behind) {
    if (!is_reachable(client)) {
        return;
    }
    struct clients *clients = client->clients;
    if (!batch_message(clients, client, message, behind)) {
        batch_settle(clients, client);
        output_append(client->queue, message.at, message.size);
        client_flush_later(client);
        client_check_queue(client, message.size);
    }
}

void client_send(struct client *client, struct bytes message) {
    send_bytes(client, message, false);
}

void client_send_behind(struct client *client, struct bytes message) {
    send_bytes(client, message, true);
}

bool client_send_run_slowly(struct client *client, const struct shared_run *run) {
    if (!is_reachable(client)) {
        return false;
    }
    struct clients *clients = client->clients;
    if (!batch_message(clients, client, shared_bytes(run), false)) {
        batch_settle(clients, client);
        output_append_run(client->queue, run);
        client_flush_later(client);
        client_check_queue(client, RUN_COST);
    }
    return true;
}

struct reply *clients_scratch_reply(struct clients *clients, uint8_t version) {
    reply_reset(&clients->scratch);
    clients->scratch.version = version;
    return &clients->scratch;
}

void client_send_reply(struct client *client, struct reply *reply) {
    reply_close_run(reply);
    for (uint32_t i = 0; i < reply->piece_count; i++) {
        client_send(client, bytes_of(reply->pieces[i].at, reply->pieces[i].size));
    }
}
