/* outgoing: what goes to a client beside the replies of the batch: messages that others send it,
 * and all that its socket has not taken. Everything of that kind is appended to the client's output
 * here, and leaves here, with one send for each client at the end of the pass (clients_flush).
 *
 * Order. A connection's bytes must come in the order in which they were made:
 * - replies of the batch that are finished but not sent yet are sent before the message is queued;
 * - replies made afterwards find the output not empty and are queued behind it;
 * - a message for the client whose command is running goes into its replies: in front of that
 *   command's reply if it has none yet, otherwise behind it (dispatch_message).
 *
 * Limits are checked once a pass, when the socket has been offered what there is: so who reads is
 * never closed, however much is sent in one pass, and memory is bounded by what a pass can read. */
#include "client/client.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "client/client_int.h"

/* Sent at once to a connection whose socket has become writable, so that one fast reader of a long
 * queue does not hold up a pass. */
#define SEND_PER_PASS (1024 * 1024)
/* Unsent bytes below which a connection that was paused for them is read again. */
#define RESUME_BELOW (64 * 1024)

/* ---- what waits for the socket ---- */

void client_update_interest(struct client *client) {
    if (client->flags & (CLIENT_CLOSING | CLIENT_INTERNAL)) {
        return;
    }
    bool reads = !(client->flags & (CLIENT_READING_PAUSED | CLIENT_PAUSED | CLIENT_CLOSE_SENT)) &&
                 !client->clients->stopped;
    unsigned interest =
        (reads ? LOOP_READ : 0u) | (output_is_empty(&client->output) ? 0u : (unsigned)LOOP_WRITE);
    if (interest != client->watch.interest) {
        int error = loop_watch_change(client->clients->context->loop, &client->watch, interest);
        if (error != 0) {
            client_close(client);
        }
    }
}

void client_flush_later(struct client *client) {
    if (client->flags & (CLIENT_TO_FLUSH | CLIENT_INTERNAL)) {
        return;
    }
    client->flags |= CLIENT_TO_FLUSH;
    client->next_flush = client->clients->to_flush;
    client->clients->to_flush = client;
}

void client_check_output(struct client *client) {
    struct clients *clients = client->clients;
    const struct output_limit *limit = &clients->output_limits[client->class_];
    size_t size = client->output.footprint;
    int64_t now_ms = clients->context->clock->now_ms;
    bool over = limit->hard > 0 && size > limit->hard;
    if (limit->soft > 0 && size > limit->soft) {
        if (client->output_soft_since_ms == 0) {
            client->output_soft_since_ms = now_ms;
        }
        over |= now_ms - client->output_soft_since_ms > limit->soft_ms;
    } else {
        client->output_soft_since_ms = 0;
    }
    if (over && !(client->flags & CLIENT_CLOSING)) {
        struct buffer line;
        buffer_init(&line, MEM_CLIENT);
        client_describe(client, &line);
        log_warning("Closing a client whose unsent replies are over their limit: %s",
                    buffer_text(&line));
        buffer_clear(&line);
        clients->metrics.client_output_buffer_limit_disconnections++;
        client_close(client);
    }
}

void client_send_output(struct client *client) {
    if (!output_is_empty(&client->output)) {
        ssize_t sent = output_send(&client->output, &client->transport, SEND_PER_PASS);
        if (sent < 0) {
            client_close(client);
            return;
        }
        if (sent > 0) {
            client->last_ms = client->clients->context->clock->now_ms;
        }
        client->bytes_out += (uint64_t)sent;
        client->clients->metrics.total_net_output_bytes += (uint64_t)sent;
        client->clients->metrics.total_writes_processed++;
    }
    if (output_is_empty(&client->output) && client->flags & CLIENT_CLOSE_SENT) {
        client_close(client);
        return;
    }
    if (client->flags & CLIENT_READING_PAUSED && client->output.size < RESUME_BELOW) {
        client->flags &= ~(uint32_t)CLIENT_READING_PAUSED;
        client_resume_later(client);
    }
    client_check_output(client);
    client_update_interest(client);
}

/* With ten thousand clients to flush, each of them is out of the cache; so the next one's lines are
 * asked for while this one's send runs. */
static inline void prefetch_client(const struct client *client) {
    for (size_t at = 0; at < CLIENT_HOT_SIZE; at += 64) {
        __builtin_prefetch((const char *)client + at, 1);
    }
}

void clients_flush(struct clients *clients) {
    while (clients->to_flush != NULL) {
        struct client *client = clients->to_flush;
        clients->to_flush = client->next_flush;
        prefetch_client(clients->to_flush);
        client->flags &= ~(uint32_t)CLIENT_TO_FLUSH;
        if (client->flags & CLIENT_CLOSING) {
            continue;
        }
        if (client->watch.interest & LOOP_WRITE && !output_is_empty(&client->output)) {
            /* It will be told when the socket takes more; to ask would be in vain. */
            client_check_output(client);
        } else {
            client_send_output(client);
        }
    }
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
    struct batch *batch = client->clients->batch;
    if (!batch_message(batch, client, message, behind)) {
        batch_settle(batch, client);
        output_append(&client->output, message.at, message.size);
        client_flush_later(client);
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
    struct batch *batch = client->clients->batch;
    if (!batch_message(batch, client, shared_bytes(run), false)) {
        batch_settle(batch, client);
        output_append_run(&client->output, run);
        client_flush_later(client);
    }
    return true;
}

struct client *clients_current(const struct clients *clients) {
    return batch_current(clients->batch);
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
