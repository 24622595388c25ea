/* client: the registry, and the life of clients as the executing thread sees it: accepting,
 * pausing, closing. Their connections are in connection.c, what they show of themselves in
 * describe.c, what they send and get in batch.c, what else goes to them in outgoing.c. */
#include "client/client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/num.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "client/handshakes.h"
#include "client/input.h"
#include "client/protocol.h"
#include "client/transaction.h"
#include "client/waiting.h"
#include "client/watch.h"
#include "net/socket.h"
#include "net/tls.h"

/* A pass that has taken so long does not go on with pipelines that were cut. */
#ifdef LARDER_TEST_SMALL
#define RESUME_US_MAX 0
#else
#define RESUME_US_MAX 300
#endif

/* ---- options ---- */

static const char *const class_names[CLIENT_CLASSES] = {"normal", "slave", "pubsub"};

static bool set_output_limits(void *module, const struct bytes *words, int count,
                              const char **error) {
    struct clients *clients = module;
    struct output_limit limits[CLIENT_CLASSES];
    memcpy(limits, clients->output_limits, sizeof limits);
    if (count == 0 || count % 4 != 0) {
        *error = "Wrong number of arguments in buffer limit configuration.";
        return false;
    }
    for (int i = 0; i < count; i += 4) {
        int class_ = client_class_named(words[i]);
        if (class_ < 0) {
            *error = "Invalid client class specified in buffer limit configuration.";
            return false;
        }
        uint64_t hard;
        uint64_t soft;
        int64_t seconds;
        if (!num_parse_memory(words[i + 1], &hard) || !num_parse_memory(words[i + 2], &soft) ||
            !num_parse_i64(words[i + 3], &seconds) || seconds < 0) {
            *error = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            return false;
        }
        limits[class_] = (struct output_limit){
            .hard = (size_t)hard, .soft = (size_t)soft, .soft_seconds = seconds};
    }
    memcpy(clients->output_limits, limits, sizeof limits);
    return true;
}

static void print_output_limits(void *module, struct buffer *out) {
    const struct clients *clients = module;
    for (int i = 0; i < CLIENT_CLASSES; i++) {
        const struct output_limit *limit = &clients->output_limits[i];
        buffer_printf(out, "%s%s %zu %zu %lld", i > 0 ? " " : "", class_names[i], limit->hard,
                      limit->soft, (long long)limit->soft_seconds);
    }
}

static void rewrite_output_limits(void *module, struct buffer *out) {
    const struct clients *clients = module;
    for (int i = 0; i < CLIENT_CLASSES; i++) {
        const struct output_limit *limit = &clients->output_limits[i];
        char hard[24];
        char soft[24];
        num_format_memory(hard, limit->hard);
        num_format_memory(soft, limit->soft);
        buffer_printf(out, "client-output-buffer-limit %s %s %s %lld\n", class_names[i], hard, soft,
                      (long long)limit->soft_seconds);
    }
}

static const struct option_custom clients_output_limits_option = {
    .set = set_output_limits, .get = print_output_limits, .rewrite = rewrite_output_limits};

/* Descriptors kept for what is not a client: listeners, log, configuration, the loop. */
#define RESERVED_DESCRIPTORS 32

bool clients_apply_max(void *module, const char **error) {
    struct clients *clients = module;
    long wanted = (long)clients->options.client_max + RESERVED_DESCRIPTORS;
    if (socket_raise_fd_limit(wanted) < wanted) {
        *error = "The operating system is not able to handle the specified number of clients";
        return false;
    }
    return true;
}

bool clients_apply_threads(void *module, const char **error) {
    (void)error;
    ((struct clients *)module)->balance_due = true;
    return true;
}

static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct client_options, __VA_ARGS__)
    CLIENT_OPTIONS(ROW)
#undef ROW
};

static int64_t connected(void *module) {
    return (int64_t)((struct clients *)module)->count;
}

static int64_t max_clients(void *module) {
    return ((struct clients *)module)->options.client_max;
}

static int64_t largest_input(void *module) {
    size_t largest = 0;
    for (const struct client *c = ((struct clients *)module)->first; c != NULL; c = c->next) {
        size_t size = c->input == NULL ? 0 : input_footprint(c->input);
        largest = size > largest ? size : largest;
    }
    return (int64_t)largest;
}

static int64_t largest_output(void *module) {
    size_t largest = 0;
    for (const struct client *c = ((struct clients *)module)->first; c != NULL; c = c->next) {
        largest = c->output.footprint > largest ? c->output.footprint : largest;
    }
    return (int64_t)largest;
}

static int64_t watching(void *module) {
    return (int64_t)watches_clients(((struct clients *)module)->watches);
}

static int64_t watched(void *module) {
    return (int64_t)watches_keys(((struct clients *)module)->watches);
}

static int64_t blocked(void *module) {
    const struct clients *clients = module;
    return (int64_t)(waiting_count(clients->waiting) + clients->held);
}

static int64_t waiting_with_time(void *module) {
    return (int64_t)waiting_timed(((struct clients *)module)->waiting);
}

static int64_t awaited_keys(void *module) {
    return (int64_t)waiting_keys(((struct clients *)module)->waiting);
}

static int64_t held(void *module) {
    return (int64_t)((struct clients *)module)->held;
}

static const struct metric metric_rows[] = {
    {.name = "connected_clients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = connected,
     .description = "Connections now."},
    {.name = "maxclients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = max_clients,
     .description = "Connections allowed."},
    {.name = "client_recent_max_input_buffer",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = largest_input,
     .description = "Largest request under way, bytes."},
    {.name = "client_recent_max_output_buffer",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = largest_output,
     .description = "Largest queue of unsent replies, bytes."},
    {.name = "paused_clients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = held,
     .description = "Connections that CLIENT PAUSE holds back."},
    {.name = "blocked_clients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = blocked,
     .description = "Connections that wait for keys or are held back by a pause."},
    {.name = "clients_in_timeout_table",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = waiting_with_time,
     .description = "Of those that wait, the ones that do so for a time only."},
    {.name = "total_blocking_keys",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = awaited_keys,
     .description = "Keys that connections wait for."},
    {.name = "watching_clients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = watching,
     .description = "Connections that watch keys."},
    {.name = "total_watched_keys",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = watched,
     .description = "Keys that are watched."},
#define ROW(...) METRIC_ROW(struct client_metrics, __VA_ARGS__)
    CLIENT_METRICS(ROW)
#undef ROW
};

static void reset_metrics(void *module) {
    struct clients *clients = module;
    clients->error_count = 0;
    histogram_reset(clients->inlined.latency);
    for (size_t i = 0; i < clients->thread_count; i++) {
        histogram_reset(clients->threads[i]->latency);
    }
    commands_reset_stats(clients->context->commands);
}

void clients_add_latency(const struct clients *clients, struct histogram *sum) {
    histogram_merge(sum, clients->inlined.latency);
    for (size_t i = 0; i < clients->thread_count; i++) {
        histogram_merge(sum, clients->threads[i]->latency);
    }
}

/* ---- registry ---- */

struct clients *clients_new(struct context *context) {
    struct clients *clients = mem_zalloc(MEM_CLIENT, sizeof *clients);
    clients->context = context;
    clients->next_id = 1;
    ids_init(&clients->ids);
    clients->track_latency = true;
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &clients->options, clients);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &clients->metrics, clients, reset_metrics);
    reply_init(&clients->scratch);
    sample_init(&clients->sample);
    clients->watches = watches_new(context->keyspace);
    clients->waiting = waiting_new(clients);
    dispatch_init(&clients->dispatch, clients);
    hold_init(&clients->hold);
    io_thread_init_inlined(&clients->inlined, clients);
    return clients;
}

static void unlink_client(struct client *client) {
    struct clients *clients = client->clients;
    if (client->previous != NULL) {
        client->previous->next = client->next;
    } else {
        clients->first = client->next;
    }
    if (client->next != NULL) {
        client->next->previous = client->previous;
    } else {
        clients->last = client->previous;
    }
    clients->count--;
    ids_remove(&clients->ids, client);
}

static void tell_leaving(struct client *client) {
    for (struct client_watcher *w = client->clients->watchers; w != NULL; w = w->next) {
        w->leaves(w->context, client);
    }
}

void client_forget(struct client *client) {
    tell_leaving(client);
    waiting_forget(client);
    transaction_end(client);
    unlink_client(client);
    if (client->flags & CLIENT_PAUSED) {
        client->clients->held--;
    }
}

void client_free_memory(struct client *client) {
    if (client->protocol != NULL) {
        client->protocol->leaves(client->protocol, client);
    }
    if (client->queue != &client->output) {
        output_clear(client->queue);
        mem_free(MEM_CLIENT, client->queue, sizeof *client->queue);
    }
    client_set_text(&client->name, bytes_of(NULL, 0));
    client_set_text(&client->lib_name, bytes_of(NULL, 0));
    client_set_text(&client->lib_version, bytes_of(NULL, 0));
    mem_free(MEM_CLIENT, client, sizeof *client);
}

void clients_free(struct clients *clients) {
    clients_stop(clients);
    while (clients->first != NULL) {
        struct client *client = clients->first;
        client_forget(client);
        connection_free(client);
    }
    if (clients->busy_batch != NULL) {
        batch_free(clients->busy_batch);
    }
    io_thread_free_inlined(&clients->inlined);
    hold_free(&clients->hold);
    watches_free(clients->watches);
    waiting_free(clients->waiting);
    transactions_free(clients);
    dispatch_free(&clients->dispatch);
    reply_free(&clients->scratch);
    ids_free(&clients->ids);
    mem_free(MEM_CLIENT, clients, sizeof *clients);
}

const struct client_options *clients_options(const struct clients *clients) {
    return &clients->options;
}

struct client_metrics *clients_metrics(struct clients *clients) {
    return &clients->metrics;
}

struct context *clients_context(const struct clients *clients) {
    return clients->context;
}

size_t clients_count(const struct clients *clients) {
    return clients->count;
}

struct client *clients_first(const struct clients *clients) {
    return clients->first;
}

struct client *clients_find(const struct clients *clients, uint64_t id) {
    struct client *client = ids_find(&clients->ids, id);
    return client == NULL || client->flags & CLIENT_CLOSING ? NULL : client;
}

size_t clients_parked(const struct clients *clients) {
    return waiting_parked(clients->waiting);
}

void clients_serve_waiting(struct clients *clients) {
    if (UNLIKELY(waiting_has_ready(clients->waiting))) {
        dispatch_begin(&clients->dispatch);
        waiting_serve(clients->waiting);
        dispatch_end(&clients->dispatch);
    }
}

void clients_observe(struct clients *clients, struct call_observer *observer) {
    struct call_observer **end = &clients->observers;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    observer->next = NULL;
    *end = observer;
}

void clients_watch(struct clients *clients, struct client_watcher *watcher) {
    watcher->next = clients->watchers;
    clients->watchers = watcher;
}

struct sample *clients_sample(struct clients *clients) {
    return &clients->sample;
}

void clients_track_latency(struct clients *clients, bool on) {
    clients->track_latency = on;
}

/* ---- beginning ---- */

static struct client *new_client(struct clients *clients) {
    struct client *client = mem_zalloc(MEM_CLIENT, sizeof *client);
    client->clients = clients;
    client->version = 2;
    client->database = &clients->context->keyspace->databases[0];
    client->created_ms = clients->context->clock->now_ms;
    client->last_ms = client->created_ms;
    client->watch.fd = -1;
    client->thread = &clients->inlined;
    client->queue = &client->output;
    output_init(&client->output);
    client_begin_as_newcomer(client);
    if (!(client->flags & CLIENT_AUTHENTICATED)) {
        client->state |= CONNECTION_STRANGER;
    }
    return client;
}

/* An error for somebody who does not become a client; whether it arrives does not matter. Who
 * speaks TLS could not read it. */
static void refuse(struct clients *clients, int fd, enum client_door door, const char *text) {
    if (door != CLIENT_DOOR_TLS && write(fd, text, strlen(text)) < 0) {
        log_debug("A refused connection was gone already");
    }
    close(fd);
    clients->metrics.rejected_connections++;
}

static bool is_protected_from(const struct clients *clients, int fd, enum client_door door) {
    return clients->options.protected_mode && door != CLIENT_DOOR_UNIX &&
           !clients_need_password(clients) && !socket_peer_is_local(fd);
}

void clients_set_tls(struct clients *clients, struct tls_context *context) {
    clients->tls = context;
}

static void admit(struct clients *clients, int fd, enum client_door door,
                  const struct client_protocol *protocol) {
    clients->metrics.total_connections_received++;
    if (clients->count >= (size_t)clients->options.client_max) {
        refuse(clients, fd, door,
               protocol != NULL ? protocol->full : "-ERR max number of clients reached\r\n");
        return;
    }
    if (is_protected_from(clients, fd, door)) {
        refuse(clients, fd, door,
               protocol != NULL
                   ? protocol->closed
                   : "-DENIED Larder runs in protected mode: it has no password, so it accepts "
                     "connections from this machine only. Set requirepass, or protected-mode no if "
                     "only those who may can reach it.\r\n");
        return;
    }
    struct client *client = new_client(clients);
    client->protocol = protocol;
    client->state |= protocol != NULL ? CONNECTION_FOREIGN : 0;
    client->id = clients->next_id++;
    client->flags |= door == CLIENT_DOOR_UNIX ? CLIENT_UNIX : 0;
    client->watch.fd = fd;
    if (door == CLIENT_DOOR_TLS) {
        client->transport.tls = tls_session_new(clients->tls, NULL);
        if (protocol != NULL) {
            tls_session_offer(client->transport.tls, protocol->alpn);
        }
        handshake_begin(client, clients->context->clock->now_ms);
    }
    if (door != CLIENT_DOOR_UNIX) {
        socket_set_keepalive(fd, (int)clients->options.keepalive_seconds);
    }
    client->previous = clients->last;
    if (clients->last != NULL) {
        clients->last->next = client;
    } else {
        clients->first = client;
    }
    clients->last = client;
    clients->count++;
    ids_add(&clients->ids, client);
    crew_place(client);
}

void clients_accept(struct clients *clients, int fd, enum client_door door) {
    admit(clients, fd, door, NULL);
}

void clients_accept_foreign(struct clients *clients, int fd, enum client_door door,
                            const struct client_protocol *protocol) {
    admit(clients, fd, door, protocol);
}

struct client *client_new_internal(struct clients *clients) {
    struct client *client = new_client(clients);
    client->flags |= CLIENT_INTERNAL | CLIENT_AUTHENTICATED;
    client->user = NULL;
    client_update_rights(client);
    return client;
}

void client_free_internal(struct client *client) {
    check(client->flags & CLIENT_INTERNAL);
    transaction_end(client);
    output_clear(&client->output);
    client_free_memory(client);
}

void client_reset(struct client *client) {
    tell_leaving(client);
    transaction_end(client);
    client->flags &= ~(uint32_t)(CLIENT_MUTED | CLIENT_MUTE_NEXT | CLIENT_MUTE_THIS |
                                 CLIENT_MONITOR | CLIENT_NO_EVICT | CLIENT_NO_TOUCH);
    client_begin_as_newcomer(client);
    client->version = 2;
    client->class_ = CLIENT_CLASS_NORMAL;
    client->database = &client->clients->context->keyspace->databases[0];
    client_set_text(&client->name, bytes_of(NULL, 0));
}

/* ---- end ---- */

void client_close(struct client *client) {
    if (client->flags & (CLIENT_CLOSING | CLIENT_INTERNAL)) {
        return;
    }
    client->flags |= CLIENT_CLOSING;
    client_order(client, CLIENT_ORDER_CLOSE);
}

void client_close_after_reply(struct client *client) {
    if (!(client->flags & (CLIENT_CLOSING | CLIENT_INTERNAL))) {
        client->flags |= CLIENT_CLOSE_SENT; /* its batch tells the connection */
    }
}

void client_order(struct client *client, unsigned orders) {
    if (client->thread->inlined) {
        connection_obey(client, orders);
    } else {
        client->orders |= (uint8_t)orders;
        client_flush_later(client);
    }
}

void clients_turn_foreign(struct clients *clients) {
    for (struct client *client = clients->first; client != NULL; client = client->next) {
        if (client->protocol != NULL && !(client->flags & CLIENT_CLOSING)) {
            client_order(client, CLIENT_ORDER_RESUME);
        }
    }
}

/* ---- passes ---- */

/* Those whose connections have ended here. */
static void bury(struct io_thread *inlined) {
    while (inlined->closing != NULL) {
        struct client *client = inlined->closing;
        inlined->closing = client->next_closing;
        client_forget(client);
        connection_free(client);
    }
}

/* Pipelines that were cut go on in the same pass, unless it is long already; but not for ever. */
static bool may_resume(struct clients *clients) {
    clients->resumed = !clients->resumed || loop_pass_us(clients->context->loop) < RESUME_US_MAX;
    return clients->resumed;
}

void clients_pass_end(struct clients *clients) {
    struct io_thread *inlined = &clients->inlined;
    waiting_pass(clients->waiting);
    /* Keys that have left by themselves are missed outside of any command. */
    if (clients->busy_text == NULL) {
        clients_serve_waiting(clients);
    }
    batch_run(inlined->filling);
    if (io_thread_can_resume(inlined) && may_resume(clients)) {
        io_thread_resume(inlined);
        batch_run(inlined->filling);
    }
    handshakes_work(inlined);
    crew_work(clients);
    for (struct client_watcher *w = clients->watchers; w != NULL; w = w->next) {
        if (w->pass_ends != NULL) {
            w->pass_ends(w->context);
        }
    }
    clients_flush(clients);
    clients_keep_budget(clients);
    clients->queued = 0;
    bury(inlined);
    if (UNLIKELY(clients->balance_due)) {
        crew_balance(clients);
    }
}

bool clients_have_work(const struct clients *clients) {
    for (const struct client_watcher *w = clients->watchers; w != NULL; w = w->next) {
        if (w->has_work) {
            return true;
        }
    }
    const struct io_thread *inlined = &clients->inlined;
    return io_thread_can_resume(inlined) || inlined->closing != NULL || clients->to_flush != NULL ||
           handshakes_wait(&inlined->handshakes) || crew_has_work(clients) ||
           waiting_has_more(clients->waiting) || waiting_has_ready(clients->waiting);
}

/* ---- pauses and limits over time ---- */

static void sum_pauses(struct clients *clients) {
    clients->paused = clients->pause_asked || clients->writes_held;
    clients->pause_only_writes = !clients->pause_asked || clients->pause_asked_writes;
}

void clients_pause(struct clients *clients, int64_t until_ms, bool only_writes) {
    /* Two pauses at once: the longer time and the stricter kind win. */
    if (!clients->pause_asked || until_ms > clients->pause_until_ms) {
        clients->pause_until_ms = until_ms;
    }
    clients->pause_asked_writes =
        only_writes && (!clients->pause_asked || clients->pause_asked_writes);
    clients->pause_asked = true;
    sum_pauses(clients);
}

/* What still has to be held is held again. */
static void resume_held(struct clients *clients) {
    sum_pauses(clients);
    for (struct client *c = clients->first; c != NULL && clients->held > 0; c = c->next) {
        if (c->flags & CLIENT_PAUSED) {
            c->flags &= ~(uint32_t)CLIENT_PAUSED;
            clients->held--;
            client_order(c, CLIENT_ORDER_RESUME);
        }
    }
}

void clients_unpause(struct clients *clients) {
    clients->pause_asked = false;
    clients->pause_until_ms = 0;
    resume_held(clients);
}

void clients_hold_writes(struct clients *clients, bool on) {
    if (clients->writes_held != on) {
        clients->writes_held = on;
        resume_held(clients);
    }
}

void clients_cron(struct clients *clients) {
    int64_t now_ms = clients->context->clock->now_ms;
    if (clients->pause_asked && now_ms >= clients->pause_until_ms) {
        clients_unpause(clients);
    }
    connection_cron(&clients->inlined);
}

/* ---- errors ---- */

void clients_count_error(void *context, struct bytes text) {
    struct clients *clients = context;
    clients->metrics.total_error_replies++;
    const char *space = memchr(text.at, ' ', text.size);
    size_t size = space == NULL ? text.size : (size_t)(space - text.at);
    if (size >= sizeof clients->errors[0].code) {
        size = sizeof clients->errors[0].code - 1;
    }
    for (size_t i = 0; i < clients->error_count; i++) {
        struct error_count *e = &clients->errors[i];
        if (strlen(e->code) == size && memcmp(e->code, text.at, size) == 0) {
            e->count++;
            return;
        }
    }
    if (clients->error_count == CLIENT_ERROR_CODES_MAX) {
        clients->errors[CLIENT_ERROR_CODES_MAX - 1].count++;
        return;
    }
    struct error_count *e = &clients->errors[clients->error_count++];
    memcpy(e->code, text.at, size);
    e->code[size] = '\0';
    e->count = 1;
}

const struct error_count *clients_error_counts(const struct clients *clients, size_t *count) {
    *count = clients->error_count;
    return clients->errors;
}
