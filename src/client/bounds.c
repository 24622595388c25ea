/* bounds: what a client may be sent, looked at while it is being made: the reply of the running
 * command whenever it is to grow by a chunk or a value, and what is queued for others. So a small
 * request whose reply is endless costs no more memory than the limits allow.
 *
 * Two bounds. The client's own is the hard limit of client-output-buffer-limit: what its command
 * has made so far and what waits for its socket count together. The other is the budget of all
 * (maxmemory-clients): who finds it spent by others may still have a share of it (SHARE), for at
 * the end of the pass the largest are closed and there is room again; but never is twice the budget
 * passed. Whoever passes a bound is closed then and there.
 *
 * A reply is looked at when a chunk is full, so it may be one chunk larger than its limit. */
#include "client/client_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "client/batch_int.h"
#include "client/connection.h"
#include "store/evict.h"

/* Of the budget, what one reply may take when it has been spent already; and how much is queued in
 * a pass between two comparisons with it. */
#define SHARE 8

static int64_t buffered_now(const struct clients *clients) {
    return clients->thread_count == 0 ? mem_buffered_here() : (int64_t)mem_used_by(MEM_BUFFER);
}

static void log_end(const struct client *client, const char *why, size_t size) {
    char peer[SOCKET_NAME_SIZE];
    client_peer_name(client, peer);
    log_warning("Closing a client %s: id=%llu addr=%s class=%s omem=%zu cmd=%s", why,
                (unsigned long long)client->id, peer,
                client_class_name((enum client_class)client->class_), size,
                client->last_command == NULL ? "NULL" : client->last_command->name);
}

static void end_over_limit(struct client *client, size_t size) {
    log_end(client, "whose unsent replies are over their limit", size);
    client->clients->metrics.client_output_buffer_limit_disconnections++;
    client_close(client);
}

static void end_over_budget(struct client *client, size_t size) {
    log_end(client, "whose reply is more than maxmemory-clients allows", size);
    client->clients->metrics.evicted_clients++;
    client_close(client);
}

/* What waits for it, as far as the executing thread may know. */
static size_t waiting_for(const struct client *client) {
    return client->queue->footprint;
}

/* `size` is what the reply will be, `all` the replies that are being made, this one included. */
static bool fits_budget(const struct clients *clients, const struct client *client, size_t size,
                        size_t all) {
    const int64_t most = clients->context->evict->clients_bytes_max;
    if (most == 0 || client->flags & CLIENT_NO_EVICT) {
        return true;
    }
    const int64_t buffered = buffered_now(clients);
    const int64_t left = most - buffered > most / SHARE ? most - buffered : most / SHARE;
    return (int64_t)size <= left && buffered + (int64_t)all <= 2 * most;
}

bool clients_may_grow(void *context, size_t more) {
    struct clients *clients = context;
    const struct batch *batch = clients->executing;
    if (batch == NULL || batch->turn == NULL) {
        return more != REPLY_NO_MEMORY;
    }
    struct client *client = batch->turn->client;
    if (more == REPLY_NO_MEMORY) {
        log_end(client, "for want of memory for its reply", batch->reply.size);
        client->clients->metrics.client_output_buffer_limit_disconnections++;
        client_close(client);
        return false;
    }
    const size_t size = batch->reply.size - batch->current_size + more;
    const size_t hard = clients->output_limits[client->class_].hard;
    if (hard > 0 && size + waiting_for(client) > hard) {
        end_over_limit(client, size + waiting_for(client));
        return false;
    }
    if (!fits_budget(clients, client, size, batch->reply.size + more)) {
        end_over_budget(client, size);
        return false;
    }
    return true;
}

bool client_may_have(struct client *client, size_t size) {
    return client != clients_current(client->clients) || clients_may_grow(client->clients, size);
}

bool client_may_owe(const struct client *client, size_t size) {
    const size_t hard = client->clients->output_limits[client->class_].hard;
    return hard == 0 || size <= hard;
}

void client_check_queue(struct client *client, size_t size) {
    struct clients *clients = client->clients;
    const size_t hard = clients->output_limits[client->class_].hard;
    if (UNLIKELY(hard > 0 && client->queue->footprint > hard)) {
        /* Who reads is not closed for what comes in one pass, where that can be known. */
        if (client->thread->inlined && !(client->watch.interest & LOOP_WRITE)) {
            connection_send_output(client);
        }
        if (client->queue->footprint > hard && !(client->flags & CLIENT_CLOSING)) {
            end_over_limit(client, client->queue->footprint);
        }
    }
    clients->queued += (int64_t)size;
    const int64_t most = clients->context->evict->clients_bytes_max;
    if (UNLIKELY(clients->queued > most / SHARE) && most > 0) {
        clients->queued = 0;
        clients_keep_budget(clients);
    }
}
