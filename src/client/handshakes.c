/* handshakes: see the header. */
#include "client/handshakes.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/client_int.h"
#include "client/connection.h"
#include "net/tls.h"

/* After so long the next step waits for the next pass. */
#ifdef LARDER_TEST_SMALL
#define WORK_US_MAX 0
#else
#define WORK_US_MAX 300
#endif
/* Failures are told in the log so often at most; the rest is counted. */
#define LOG_EVERY_MS 1000

void handshake_begin(struct client *client, int64_t now_ms) {
    struct handshake *handshake = mem_zalloc(MEM_CLIENT, sizeof *handshake);
    handshake->client = client;
    handshake->deadline_ms = now_ms + client->clients->options.tls_handshake_seconds * 1000;
    client->handshake = handshake;
    client->state |= CONNECTION_HANDSHAKE;
}

void handshake_end(struct client *client) {
    if (client->handshake != NULL) {
        mem_free(MEM_CLIENT, client->handshake, sizeof *client->handshake);
        client->handshake = NULL;
        client->state &= ~(uint32_t)CONNECTION_HANDSHAKE;
    }
}

/* ---- the lists ---- */

/* Whether it was accepted later. Ids are given in that order, also within a millisecond. */
static bool is_later(const struct handshake *handshake, const struct handshake *than) {
    return handshake->deadline_ms > than->deadline_ms ||
           (handshake->deadline_ms == than->deadline_ms &&
            handshake->client->id > than->client->id);
}

/* All have the same time, so the last place is nearly the right one; but for a client that comes
 * from another thread. */
void handshakes_add(struct io_thread *thread, struct client *client) {
    struct handshakes *all = &thread->handshakes;
    struct handshake *handshake = client->handshake;
    struct handshake *before = all->last;
    while (before != NULL && is_later(before, handshake)) {
        before = before->previous;
    }
    handshake->previous = before;
    handshake->next = before == NULL ? all->first : before->next;
    *(before == NULL ? &all->first : &before->next) = handshake;
    *(handshake->next == NULL ? &all->last : &handshake->next->previous) = handshake;
    all->count++;
    all->begun += handshake->has_begun;
}

static void leave_ready(struct handshakes *all, struct handshake *handshake) {
    struct handshake *before = NULL;
    for (struct handshake *h = all->first_ready; h != handshake; h = h->next_ready) {
        before = h;
    }
    *(before == NULL ? &all->first_ready : &before->next_ready) = handshake->next_ready;
    if (all->last_ready == handshake) {
        all->last_ready = before;
    }
    handshake->is_ready = false;
    handshake->is_quiet = false;
}

void handshakes_remove(struct io_thread *thread, struct client *client) {
    struct handshakes *all = &thread->handshakes;
    struct handshake *handshake = client->handshake;
    if (handshake->is_ready) {
        leave_ready(all, handshake);
    }
    *(handshake->previous == NULL ? &all->first : &handshake->previous->next) = handshake->next;
    *(handshake->next == NULL ? &all->last : &handshake->next->previous) = handshake->previous;
    all->count--;
    all->begun -= handshake->has_begun;
}

void handshakes_ready(struct io_thread *thread, struct client *client) {
    struct handshakes *all = &thread->handshakes;
    struct handshake *handshake = client->handshake;
    if (handshake->is_ready) {
        /* There are more than a pass can do: to be told of it again and again costs too. */
        handshake->is_quiet = true;
        connection_update_interest(client);
        return;
    }
    handshake->is_ready = true;
    handshake->next_ready = NULL;
    *(all->last_ready == NULL ? &all->first_ready : &all->last_ready->next_ready) = handshake;
    all->last_ready = handshake;
}

/* ---- the work ---- */

static void log_failure(struct io_thread *thread, const struct client *client) {
    int64_t now_ms = thread->clock->now_ms;
    if (now_ms - thread->handshake_logged_ms < LOG_EVERY_MS) {
        return;
    }
    thread->handshake_logged_ms = now_ms;
    char peer[SOCKET_NAME_SIZE];
    client_peer_name(client, peer);
    log_notice("TLS with %s is not to be had: %s. At most one of these is told a second; INFO "
               "counts them.",
               peer, tls_problem(&client->transport));
}

/* The connection becomes one like others. */
static void be_done(struct io_thread *thread, struct client *client) {
    thread->counts->tls_handshakes++;
    thread->counts->tls_handshakes_resumed += tls_was_resumed(&client->transport);
    client->last_ms = thread->clock->now_ms;
    handshakes_remove(thread, client);
    handshake_end(client);
    if (client->transport.has_pending) {
        connection_resume_later(client); /* the first requests came along */
    }
    connection_update_interest(client);
}

static void close_oldest(struct io_thread *thread) {
    struct handshake *oldest = thread->handshakes.first;
    while (!oldest->has_begun) {
        oldest = oldest->next;
    }
    thread->counts->tls_handshakes_failed++;
    connection_close(oldest->client);
}

static void go_on(struct io_thread *thread, struct client *client) {
    struct handshakes *all = &thread->handshakes;
    struct handshake *handshake = client->handshake;
    int status = tls_handshake(&client->transport);
    if (!handshake->has_begun && tls_has_begun(&client->transport)) {
        handshake->has_begun = true;
        all->begun++;
    }
    if (status == 1) {
        be_done(thread, client);
        return;
    }
    if (status != -EAGAIN) {
        /* Who only connects and leaves, as those do who look whether the port is open, is no
         * failure. */
        if (status != 0 || handshake->has_begun) {
            thread->counts->tls_handshakes_failed++;
            thread->counts->tls_plain_text += tls_was_plain_text(&client->transport);
            log_failure(thread, client);
        }
        connection_close(client);
        return;
    }
    connection_update_interest(client);
    if (all->begun > (size_t)thread->clients->options.tls_handshakes_max) {
        close_oldest(thread);
    }
}

void handshakes_work(struct io_thread *thread) {
    struct handshakes *all = &thread->handshakes;
    if (LIKELY(all->first_ready == NULL)) {
        return;
    }
    int64_t end_us = clock_mono_us() + WORK_US_MAX;
    do {
        struct handshake *handshake = all->first_ready;
        leave_ready(all, handshake);
        go_on(thread, handshake->client);
    } while (all->first_ready != NULL && clock_mono_us() < end_us);
}

void handshakes_cron(struct io_thread *thread) {
    const struct handshakes *all = &thread->handshakes;
    int64_t now_ms = thread->clock->now_ms;
    while (all->first != NULL && all->first->deadline_ms <= now_ms) {
        thread->counts->tls_handshakes_expired++;
        connection_close(all->first->client);
    }
}
