/* budget: what all connections' buffers may take together (maxmemory-clients). Beyond that the
 * largest are closed, until the rest fits; data is never evicted for them.
 *
 * A large value that is being read counts as buffered until a command takes it. What is buffered is
 * known in two ways: the allocator's counter of buffers, looked at once a pass, is right at once
 * but does not see large values that replies hold by reference; the sum over all clients that
 * clients_cron gathers sees everything and is up to a second old. Only when either is over the
 * budget all clients are walked. */
#include "base/log.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/client_int.h"
#include "client/input.h"
#include "client/transaction.h"
#include "client/waiting.h"
#include "client/watch.h"
#include "store/evict.h"

/* Clients closed in one pass; if that is not enough, the next pass goes on. */
#define CLOSED_MAX 16

static size_t buffered_by(const struct client *client) {
    return client->output.footprint + atomic_load_explicit(&client->kept, memory_order_relaxed) +
           (client->input == NULL ? 0 : input_footprint(client->input));
}

/* What the executing thread keeps for it: what waits to be handed to its thread, a transaction. */
static size_t kept_for(const struct client *client) {
    size_t queued = client->queue == &client->output ? 0 : client->queue->footprint;
    return queued + transaction_footprint(client) + watch_footprint(client) +
           waiting_footprint(client);
}

/* The clients with the largest buffers, largest first. */
struct largest {
    size_t count;
    struct {
        struct client *client;
        size_t size;
    } items[CLOSED_MAX];
};

static void offer(struct largest *largest, struct client *client, size_t size) {
    size_t at = largest->count;
    if (at == CLOSED_MAX) {
        if (largest->items[at - 1].size >= size) {
            return;
        }
        at--;
    } else {
        largest->count++;
    }
    while (at > 0 && largest->items[at - 1].size < size) {
        largest->items[at] = largest->items[at - 1];
        at--;
    }
    largest->items[at].client = client;
    largest->items[at].size = size;
}

static void evict_client(struct client *client) {
    struct buffer line;
    buffer_init(&line, MEM_OTHER);
    client_describe(client, &line);
    log_notice(
        "Closing a client: all together buffer more than maxmemory-clients allows, and this one "
        "most: %s",
        buffer_text(&line));
    buffer_clear(&line);
    client->clients->metrics.evicted_clients++;
    client_close(client);
    output_clear(client->queue); /* not only when the pass ends: it may be a long one */
}

/* Whether it is worth a walk. The counter of all threads costs a walk over them. */
static bool may_be_over(const struct clients *clients, int64_t most) {
    if (clients->over_budget) {
        return true;
    }
    if (LIKELY(clients->thread_count == 0)) {
        return mem_buffered_here() > most ||
               atomic_load_explicit(&clients->inlined.buffered, memory_order_relaxed) > most;
    }
    int64_t buffered = 0;
    for (size_t i = 0; i < clients->thread_count; i++) {
        buffered += atomic_load_explicit(&clients->threads[i]->buffered, memory_order_relaxed);
    }
    return buffered > most || mem_used_by(MEM_BUFFER) > (size_t)most;
}

void clients_keep_budget(struct clients *clients) {
    int64_t most = clients->context->evict->clients_bytes_max;
    if (most == 0 || !may_be_over(clients, most)) {
        return;
    }
    clients_hold(clients);
    int64_t total = 0;
    struct largest largest = {0};
    for (struct client *c = clients->first; c != NULL; c = c->next) {
        size_t size = c->flags & CLIENT_CLOSING ? 0 : buffered_by(c) + kept_for(c);
        total += (int64_t)size;
        if (size > 0 && !(c->flags & (CLIENT_NO_EVICT | CLIENT_INTERNAL)) &&
            c->class_ != CLIENT_CLASS_REPLICA) {
            offer(&largest, c, size);
        }
    }
    for (size_t i = 0; i < largest.count && total > most; i++) {
        total -= (int64_t)largest.items[i].size;
        evict_client(largest.items[i].client);
    }
    /* Those sums are of before. */
    atomic_store_explicit(&clients->inlined.buffered, 0, memory_order_relaxed);
    for (size_t i = 0; i < clients->thread_count; i++) {
        atomic_store_explicit(&clients->threads[i]->buffered, 0, memory_order_relaxed);
    }
    clients->over_budget = total > most && largest.count == CLOSED_MAX;
    clients_release(clients);
}

void clients_budget_look(struct io_thread *thread, const struct client *client) {
    thread->budget_sum += (int64_t)buffered_by(client);
    if (client->next_own == NULL) {
        atomic_store_explicit(&thread->buffered, thread->budget_sum, memory_order_relaxed);
        thread->budget_sum = 0;
    }
}
