/* connection: the I/O half of a client. Who is told what: the socket's readiness comes here; what
 * was read goes to the batch (batch_read.c); replies come back through batch_flush.c; messages and
 * orders of the executing thread through io_thread.c, or directly when that is the same thread. */
#include "client/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/client_int.h"
#include "client/handshakes.h"
#include "client/input.h"
#include "client/io_thread.h"
#include "client/protocol.h"
#include "client/sends.h"

/* Sent at once to a connection whose socket has become writable, so that one fast reader of a long
 * queue does not hold up a pass. */
#define SEND_PER_PASS (1024 * 1024)
/* Unsent bytes below which a connection that was paused for them is read again. */
#define RESUME_BELOW (64 * 1024)
/* Connections looked at by connection_cron in one call: with ten calls a second, ten thousand are
 * seen every second; with more of them each takes a share. */
#define CRON_MIN         1000
#define CRONS_PER_SECOND 10

/* ---- reading ---- */

/* What has come is no matter for the batch yet. */
static void read_apart(struct client *client) {
    if (client->state & CONNECTION_HANDSHAKE) {
        handshakes_ready(client->thread, client);
    } else {
        batch_read_held(client->thread->filling, client);
    }
}

static void on_ready(struct loop_watch *watch, unsigned ready) {
    struct client *client = (struct client *)watch;
    struct io_thread *thread = client->thread;
    if (UNLIKELY(!thread->inlined)) {
        hold_yield(&thread->clients->hold, &thread->member);
    }
    if (ready & LOOP_WRITE) {
        connection_send_output(client);
    }
    if (ready & LOOP_READ && !(client->state & CONNECTION_CLOSING)) {
        if (UNLIKELY(client->state & CONNECTION_IN_FLIGHT)) {
            client->state |= CONNECTION_UNREAD;
            connection_update_interest(client);
            return;
        }
        if (UNLIKELY(client->state & (CONNECTION_HELD | CONNECTION_HANDSHAKE))) {
            read_apart(client);
            return;
        }
        batch_read(io_thread_batch(thread), client);
        if (UNLIKELY(client->transport.has_pending)) {
            connection_resume_later(client);
        }
        if (UNLIKELY(batch_is_full(thread->filling))) {
            loop_put_off(thread->loop);
        }
    }
}

void connection_resume_later(struct client *client) {
    client->state |= CONNECTION_TO_RESUME;
    if (client->state & (CONNECTION_IN_LIST | CONNECTION_IN_FLIGHT)) {
        return; /* in flight: when it comes back */
    }
    client->state |= CONNECTION_IN_LIST;
    client->next_resume = client->thread->to_resume;
    client->thread->to_resume = client;
}

void connection_set_cut(struct client *client, bool on) {
    if (LIKELY(on == ((client->state & CONNECTION_CUT) != 0))) {
        return;
    }
    client->state ^= CONNECTION_CUT;
    client->thread->cut_count += on ? 1 : -1;
    if (on && !(client->state & CONNECTION_WAITS)) {
        client->state |= CONNECTION_WAITS;
        client->waits_since_ns = loop_ready_since_ns(client->thread->loop);
    }
}

void connection_update_interest(struct client *client) {
    struct io_thread *thread = client->thread;
    if (client->state & CONNECTION_CLOSING) {
        return;
    }
    bool reads = !(client->state &
                   (CONNECTION_READING_PAUSED | CONNECTION_CLOSE_SENT | CONNECTION_UNREAD)) &&
                 (!(client->state & CONNECTION_HELD) || batch_keeps_held(client)) &&
                 !(client->handshake != NULL && client->handshake->is_quiet) && !thread->stopped;
    bool writes = (!output_is_empty(&client->output) && !(client->state & CONNECTION_GATHERED)) ||
                  client->transport.wants_write;
    unsigned interest = (reads ? LOOP_READ : 0u) | (writes ? (unsigned)LOOP_WRITE : 0u);
    if (interest != client->watch.interest) {
        int error = loop_watch_change(thread->loop, &client->watch, interest);
        if (error != 0) {
            connection_close(client);
        }
    }
}

/* ---- sending ---- */

size_t connection_backlog_max(const struct client *client) {
    const struct output_limit *limit = &client->clients->output_limits[client->limit_class];
    size_t most = limit->hard > limit->soft ? limit->hard : limit->soft;
    return most > CONNECTION_REPLY_MAX ? most : CONNECTION_REPLY_MAX;
}

void connection_check_output(struct client *client) {
    struct io_thread *thread = client->thread;
    const struct output_limit *limit = &client->clients->output_limits[client->limit_class];
    size_t size =
        client->output.footprint + atomic_load_explicit(&client->kept, memory_order_relaxed);
    int64_t now_ms = thread->clock->now_ms;
    bool over = limit->hard > 0 && size > limit->hard;
    if (limit->soft > 0 && size > limit->soft) {
        if (client->output_soft_since_ms == 0) {
            client->output_soft_since_ms = now_ms;
        }
        int64_t lasted_ms = now_ms - client->output_soft_since_ms;
        over |= lasted_ms > 0 && (lasted_ms - 1) / 1000 >= limit->soft_seconds;
    } else {
        client->output_soft_since_ms = 0;
    }
    if (over && !(client->state & CONNECTION_CLOSING)) {
        char peer[SOCKET_NAME_SIZE];
        client_peer_name(client, peer);
        log_warning("Closing a client whose unsent replies are over their limit: id=%llu addr=%s "
                    "class=%s omem=%zu",
                    (unsigned long long)client->id, peer,
                    client_class_name((enum client_class)client->limit_class), size);
        thread->counts->client_output_buffer_limit_disconnections++;
        connection_close(client);
    }
}

/* So many bytes of output have been sent, or -errno: what depended on it is put right. */
static void output_went(struct client *client, ssize_t sent) {
    struct io_thread *thread = client->thread;
    if (sent < 0) {
        connection_close(client);
        return;
    }
    if (sent > 0) {
        client->last_ms = thread->clock->now_ms;
    }
    client->bytes_out += (uint64_t)sent;
    thread->counts->total_net_output_bytes += (uint64_t)sent;
    thread->counts->total_writes_processed++;
}

static void after_output(struct client *client) {
    if (client->state & CONNECTION_CLOSING) {
        return;
    }
    if (output_is_empty(&client->output) && client->state & CONNECTION_CLOSE_SENT) {
        connection_end(client);
        return;
    }
    if (client->state & CONNECTION_READING_PAUSED && client->output.size < RESUME_BELOW) {
        client->state &= ~(uint32_t)CONNECTION_READING_PAUSED;
        connection_resume_later(client);
    }
    connection_check_output(client);
    connection_update_interest(client);
}

void connection_send_output(struct client *client) {
    client->state &= ~(uint32_t)CONNECTION_GATHERED;
    if (UNLIKELY(client->transport.wants_write) && transport_flush(&client->transport) < 0) {
        connection_close(client);
        return;
    }
    if (!output_is_empty(&client->output)) {
        output_went(client, output_send(&client->output, &client->transport, SEND_PER_PASS));
    }
    after_output(client);
}

static void offered_went(void *owner, void *what, ssize_t sent, size_t offered) {
    struct client *client = owner;
    (void)what;
    if (sent >= 0) {
        output_sent(&client->output, (size_t)sent, offered);
    }
    output_went(client, sent);
    after_output(client);
}

void connection_offer_output(struct client *client) {
    struct io_thread *thread = client->thread;
    client->state &= ~(uint32_t)CONNECTION_GATHERED;
    if (LIKELY(!loop_receives_ahead(thread->loop)) || output_is_empty(&client->output) ||
        !transport_is_bare(&client->transport)) {
        connection_send_output(client);
        return;
    }
    struct sends *sends = io_thread_sends(thread);
    size_t size;
    int count =
        output_front(&client->output, sends_pieces(sends), SEND_PIECES_MAX, SEND_PER_PASS, &size);
    sends_add(sends, client->watch.fd, count, size, offered_went, client, NULL);
}

/* ---- beginning and end ---- */

static void begin_closing(struct client *client) {
    struct io_thread *thread = client->thread;
    client->state |= CONNECTION_CLOSING;
    if (UNLIKELY(client->handshake != NULL)) {
        handshakes_remove(thread, client);
        handshake_end(client);
    }
    if (thread->inlined) {
        client->flags |= CLIENT_CLOSING;
    }
    if (!(client->state & CONNECTION_IN_FLIGHT)) {
        client->next_closing = thread->closing;
        thread->closing = client;
    }
}

void connection_end(struct client *client) {
    if (client->protocol == NULL || shutdown(client->watch.fd, SHUT_WR) != 0) {
        connection_close(client);
        return;
    }
    client->state &= ~(uint32_t)CONNECTION_CLOSE_SENT;
    client->state |= CONNECTION_DEAF;
    client->waits_since_ns = client->thread->clock->mono_us * 1000;
    connection_update_interest(client);
}

void connection_adopt(struct client *client) {
    struct io_thread *thread = client->thread;
    client->watch.on_ready = on_ready;
    bool secure = !transport_is_bare(&client->transport);
    transport_attach(&client->transport, thread->loop, &client->watch,
                     secure ? io_thread_desk(thread) : NULL);
    int error = client->moved ? loop_watch_add_kept(thread->loop, &client->watch, LOOP_READ)
                              : loop_watch_add(thread->loop, &client->watch, LOOP_READ);
    client->moved = false;
    client->next_own = NULL;
    client->previous_own = thread->last;
    if (thread->last != NULL) {
        thread->last->next_own = client;
    } else {
        thread->first = client;
    }
    thread->last = client;
    thread->count++;
    if (client->handshake != NULL) {
        handshakes_add(thread, client);
    }
    if (error != 0) {
        log_warning("A connection cannot be watched: %s", strerror(-error));
        begin_closing(client);
        return;
    }
    if (client->state & CONNECTION_TO_RESUME || client->transport.has_pending) {
        connection_resume_later(client);
    }
    connection_update_interest(client);
}

static void unlink_own(struct client *client) {
    struct io_thread *thread = client->thread;
    if (thread->cron_next == client) {
        thread->cron_next = client->next_own;
    }
    if (client->handshake != NULL) {
        handshakes_remove(thread, client);
    }
    if (client->previous_own != NULL) {
        client->previous_own->next_own = client->next_own;
    } else {
        thread->first = client->next_own;
    }
    if (client->next_own != NULL) {
        client->next_own->previous_own = client->previous_own;
    } else {
        thread->last = client->previous_own;
    }
    thread->count--;
}

static bool drop_resume(struct client **link, const struct client *client) {
    while (*link != NULL && *link != client) {
        link = &(*link)->next_resume;
    }
    if (*link == NULL) {
        return false;
    }
    *link = client->next_resume;
    return true;
}

static void leave_resume_list(struct client *client) {
    if (client->state & CONNECTION_IN_LIST) {
        struct io_thread *thread = client->thread;
        if (!drop_resume(&thread->to_resume, client)) {
            check(drop_resume(&thread->resuming, client));
        }
        client->state &= ~(uint32_t)CONNECTION_IN_LIST;
    }
}

void connection_release(struct client *client) {
    debug_check(!(client->state & (CONNECTION_IN_FLIGHT | CONNECTION_CLOSING)));
    leave_resume_list(client);
    connection_set_cut(client, false);
    loop_watch_remove_kept(client->thread->loop, &client->watch);
    client->moved = true;
    unlink_own(client);
}

static void leave_moving_list(struct client *client) {
    struct client **link = &client->thread->moving;
    while (*link != NULL && *link != client) {
        link = &(*link)->next_closing;
    }
    if (*link != NULL) {
        *link = client->next_closing;
    }
}

void connection_close(struct client *client) {
    if (client->state & CONNECTION_CLOSING) {
        return;
    }
    if (UNLIKELY(client->state & CONNECTION_MOVING)) {
        leave_moving_list(client);
    }
    loop_watch_remove(client->thread->loop, &client->watch);
    begin_closing(client);
}

void connection_free(struct client *client) {
    leave_resume_list(client);
    if (!(client->state & CONNECTION_CLOSING)) {
        loop_watch_remove(client->thread->loop, &client->watch);
    }
    connection_set_cut(client, false);
    unlink_own(client);
    handshake_end(client);
    transport_close(&client->transport);
    if (client->input != NULL) {
        input_free(client->input);
    }
    output_clear(&client->output);
    client_free_memory(client);
}

void connection_obey(struct client *client, unsigned orders) {
    if (orders & CLIENT_ORDER_RESUME && client->state & CONNECTION_HELD) {
        client->state &= ~(uint32_t)CONNECTION_HELD;
        connection_resume_later(client);
        connection_update_interest(client);
    }
    if (orders & CLIENT_ORDER_RESUME && client->state & CONNECTION_FOREIGN &&
        !(client->state & (CONNECTION_CLOSING | CONNECTION_HANDSHAKE))) {
        connection_resume_later(client);
    }
    if (orders & CLIENT_ORDER_CLOSE) {
        connection_close(client);
    }
    if (orders & CLIENT_ORDER_MOVE && !(client->state & CONNECTION_CLOSING)) {
        client->state |= CONNECTION_MOVING;
        if (!(client->state & CONNECTION_IN_FLIGHT)) {
            client->next_closing = client->thread->moving;
            client->thread->moving = client;
        }
    }
}

/* ---- limits over time ---- */

static void look_at(struct io_thread *thread, struct client *client) {
    if (UNLIKELY(client->protocol != NULL)) {
        protocol_look(client, thread->clock->now_ms);
        if (client->state & CONNECTION_CLOSING) {
            return;
        }
    }
    int64_t idle_max_ms = thread->clients->options.idle_seconds_max * 1000;
    if (idle_max_ms > 0 && client->limit_class == CLIENT_CLASS_NORMAL &&
        !(client->state & (CONNECTION_PATIENT | CONNECTION_HELD | CONNECTION_IN_FLIGHT)) &&
        thread->clock->now_ms - client->last_ms > idle_max_ms) {
        log_verbose("Closing idle client");
        connection_close(client);
        return;
    }
    if (!output_is_empty(&client->output) ||
        atomic_load_explicit(&client->kept, memory_order_relaxed) > 0) {
        connection_check_output(client);
    }
}

void connection_cron(struct io_thread *thread) {
    handshakes_cron(thread);
    size_t share = thread->count / CRONS_PER_SECOND + 1;
    share = share < CRON_MIN ? CRON_MIN : share;
    for (size_t i = 0; i < share && i < thread->count; i++) {
        if (thread->cron_next == NULL) {
            thread->cron_next = thread->first;
        }
        struct client *client = thread->cron_next;
        thread->cron_next = client->next_own;
        clients_budget_look(thread, client);
        if (!(client->state & CONNECTION_CLOSING)) {
            look_at(thread, client);
        }
    }
}
