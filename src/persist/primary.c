/* primary: see the header. */
#include "persist/primary.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "client/waiting.h"
#include "net/socket.h"
#include "persist/full_sync.h"
#include "persist/link.h"
#include "persist/replication_int.h"

#define US_PER_SECOND INT64_C(1000000)

static const char ping[] = "*1\r\n$4\r\nPING\r\n";
static const char get_ack[] = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";

static struct replication *replication_of(const struct client *client) {
    return clients_context(client->clients)->replication;
}

/* ---- who there is ---- */

static struct replica *replica_of(struct client *client) {
    struct replication *replication = replication_of(client);
    struct replica **end = &replication->replicas;
    while (*end != NULL) {
        if ((*end)->client == client) {
            return *end;
        }
        end = &(*end)->next;
    }
    struct replica *replica = mem_zalloc(MEM_CLIENT, sizeof *replica);
    replica->client = client;
    *end = replica;
    return replica;
}

static struct replica *find(const struct replication *replication, const struct client *client) {
    struct replica *replica = replication->replicas;
    while (replica != NULL && replica->client != client) {
        replica = replica->next;
    }
    return replica;
}

const struct replica *primary_first(const struct replication *replication) {
    return replication->replicas;
}

static bool is_going(const struct replica *replica) {
    return replica->client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_SENT);
}

bool replica_counts(const struct replica *replica) {
    return replica->state >= REPLICA_WAITING && !is_going(replica);
}

void primary_set_state(struct replica *replica, enum replica_state state) {
    replica->state = state;
    replica->since_us = replication_now_us(replication_of(replica->client));
}

void replica_address(const struct replica *replica, char ip[REPLICA_IP_SIZE]) {
    char peer[SOCKET_NAME_SIZE];
    if (replica->ip[0] != '\0') {
        memcpy(ip, replica->ip, REPLICA_IP_SIZE);
        return;
    }
    client_peer_name(replica->client, peer);
    char *colon = strrchr(peer, ':');
    if (colon != NULL) {
        *colon = '\0';
    }
    struct bytes text = bytes_text(peer);
    if (text.size >= 2 && text.at[0] == '[') {
        text = bytes_of(text.at + 1, text.size - 2);
    }
    size_t size = text.size < REPLICA_IP_SIZE ? text.size : REPLICA_IP_SIZE - 1;
    memcpy(ip, text.at, size);
    ip[size] = '\0';
}

int64_t replica_lag_s(const struct replication *replication, const struct replica *replica) {
    return (replication_now_us(replication) - replica->acked_us) / US_PER_SECOND;
}

/* ---- what they tell ---- */

void primary_told_port(struct client *client, int64_t port) {
    replica_of(client)->port = port;
}

void primary_told_ip(struct client *client, struct bytes ip) {
    struct replica *replica = replica_of(client);
    size_t size = ip.size < REPLICA_IP_SIZE ? ip.size : REPLICA_IP_SIZE - 1;
    memcpy(replica->ip, ip.at, size);
    replica->ip[size] = '\0';
}

void primary_told_mark(struct client *client) {
    replica_of(client)->can_mark = true;
}

static void end_waits(struct replication *replication);

void primary_told_offset(struct client *client, uint64_t offset) {
    struct replication *replication = replication_of(client);
    struct replica *replica = find(replication, client);
    if (replica == NULL || replica->state < REPLICA_LOADED) {
        return;
    }
    replica->acked_us = replication_now_us(replication);
    if (offset > replica->acked && offset <= replication->backlog.end) {
        replica->acked = offset;
    }
    if (replica->state == REPLICA_LOADED) {
        primary_set_state(replica, REPLICA_ONLINE);
        replication->watcher.has_work = true;
        replication_tell(replication);
    }
    end_waits(replication);
}

void primary_told_kept(struct client *client, uint64_t offset) {
    struct replication *replication = replication_of(client);
    struct replica *replica = find(replication, client);
    if (replica != NULL && offset > replica->kept && offset <= replication->backlog.end) {
        replica->kept = offset;
        end_waits(replication);
    }
}

const char *primary_ask(struct client *client, struct bytes id, int64_t next) {
    struct replication *replication = replication_of(client);
    struct replica *replica = replica_of(client);
    if (replica->state != REPLICA_TOLD) {
        return NULL;
    }
    if (replication->is_replica && link_state(replication->link) != LINK_FOLLOWING) {
        return "NOMASTERLINK Can't SYNC while not connected with my master";
    }
    if (failover_is_on(replication)) {
        return "NOMASTERLINK Can't SYNC while failing over";
    }
    if (!replica->can_mark) {
        return "ERR A snapshot without the capability eof is not supported";
    }
    bool has_id = id.size == REPLICATION_ID_SIZE && next > 0;
    memcpy(replica->id, has_id ? id.at : "?", has_id ? REPLICATION_ID_SIZE : 1);
    replica->id[has_id ? REPLICATION_ID_SIZE : 1] = '\0';
    replica->next_offset = has_id ? (uint64_t)next - 1 : 0;
    client->class_ = CLIENT_CLASS_REPLICA;
    primary_set_state(replica, REPLICA_ASKING);
    replication->watcher.has_work = true;
    return NULL;
}

/* ---- answers ---- */

static bool is_ours(const struct replication *replication, const struct replica *replica) {
    struct bytes id = bytes_text(replica->id);
    return bytes_is(id, replication->id) ||
           (bytes_is(id, replication->second_id) &&
            (int64_t)replica->next_offset < replication->second_end);
}

static void answer(struct replication *replication, struct replica *replica) {
    bool can_go_on = replication->is_recording && is_ours(replication, replica) &&
                     backlog_reaches(&replication->backlog, replica->next_offset);
    replication_record(replication);
    if (!can_go_on) {
        replication->metrics.sync_partial_err += replica->id[0] != '?';
        primary_set_state(replica, REPLICA_WAITING);
        return;
    }
    char line[80];
    int size = snprintf(line, sizeof line, "+CONTINUE %s\r\n", replication->id);
    client_send(replica->client, bytes_of(line, (size_t)size));
    replication->metrics.sync_partial_ok++;
    replica->acked = replica->next_offset;
    replica->acked_us = replication_now_us(replication);
    primary_set_state(replica, REPLICA_ONLINE);
    replication_tell(replication);
}

/* ---- the stream ---- */

static void feed(struct replication *replication, struct replica *replica) {
    const struct backlog *backlog = &replication->backlog;
    while (replica->next_offset < backlog->end && !is_going(replica)) {
        struct shared_run run = backlog_run(backlog, replica->next_offset);
        client_send_run(replica->client, &run);
        replica->next_offset += run.to - run.from;
        replication->metrics.total_net_repl_output_bytes += run.to - run.from;
    }
}

/* What has to be kept for those that are not online yet. Who has too much coming begins anew. */
static uint64_t needed_from(struct replication *replication) {
    uint64_t from = replication->backlog.end;
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if ((r->state != REPLICA_LOADING && r->state != REPLICA_LOADED) || is_going(r)) {
            continue;
        }
        if (!client_may_owe(r->client, replication->backlog.end - r->next_offset)) {
            log_warning("A replica is closed: more was written during its full synchronisation "
                        "than client-output-buffer-limit allows.");
            client_close(r->client);
        } else if (r->next_offset < from) {
            from = r->next_offset;
        }
    }
    return from;
}

/* A part of the stream was lost: nobody can follow it any more. */
static void begin_anew(struct replication *replication) {
    log_warning("There was no memory for the stream of writes: replicas begin anew.");
    replication->is_torn = false;
    replication_begin_history(replication);
    backlog_clear(&replication->backlog);
    primary_drop_all(replication);
}

void primary_pass(struct replication *replication) {
    if (UNLIKELY(replication->is_torn)) {
        begin_anew(replication);
    }
    /* What is written during a failover would have to be waited for. */
    if (!failover_is_on(replication)) {
        if (replication->wants_acks && !replication->is_replica) {
            replication_append(replication, bytes_text(get_ack));
        }
        replication->wants_acks = false;
    }
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_ASKING && !is_going(r)) {
            answer(replication, r);
        }
    }
    full_sync_pass(replication);
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_ONLINE) {
            feed(replication, r);
        }
    }
    backlog_trim(&replication->backlog, (size_t)replication->options.backlog_size,
                 needed_from(replication));
}

/* ---- time ---- */

static int64_t good_replicas(const struct replication *replication) {
    int64_t good = 0;
    for (const struct replica *r = replication->replicas; r != NULL; r = r->next) {
        good += r->state == REPLICA_ONLINE && !is_going(r) &&
                replica_lag_s(replication, r) <= replication->options.lag_seconds_max;
    }
    return good;
}

int64_t primary_good_replicas(const struct replication *replication) {
    return good_replicas(replication);
}

/* Whether it has neither said nor taken anything for so long. Who takes nothing of a snapshot holds
 * the others up, who are as patient as we are: so it has half the time. */
static bool is_silent(const struct replica *replica, int64_t now_us, int64_t most_us) {
    if (replica->state == REPLICA_LOADING) {
        return now_us - replica->since_us > most_us / 2 && full_sync_waits_for(replica);
    }
    return replica->state >= REPLICA_LOADED && now_us - replica->acked_us > most_us;
}

static void look_at(struct replication *replication, struct replica *replica) {
    int64_t now_us = replication_now_us(replication);
    int64_t most_us = replication->options.timeout_seconds * US_PER_SECOND;
    if (replica->state == REPLICA_WAITING && now_us - replica->acked_us >= US_PER_SECOND) {
        client_send(replica->client, bytes_text("\n"));
        replica->acked_us = now_us;
    }
    if (is_silent(replica, now_us, most_us) && !is_going(replica)) {
        log_warning("A replica is closed: nothing was heard of it for %lld seconds.",
                    (long long)replication->options.timeout_seconds);
        client_close(replica->client);
    }
}

void primary_cron(struct replication *replication) {
    bool any = false;
    int64_t now_us = replication_now_us(replication);
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        any |= replica_counts(r);
        look_at(replication, r);
    }
    if (any) {
        replication->lonely_since_us = now_us;
    }
    if (!replication->is_replica && any && !failover_is_on(replication) &&
        now_us - replication->written_us >= replication->options.ping_seconds * US_PER_SECOND) {
        replication_append(replication, bytes_text(ping));
    }
    int64_t kept_s = replication->options.backlog_seconds;
    if (replication->is_recording && !replication->is_replica && !any && kept_s > 0 &&
        (now_us - replication->lonely_since_us) / US_PER_SECOND > kept_s) {
        replication_forget_stream(replication);
    }
    replication_tell(replication);
}

void primary_drop_all(struct replication *replication) {
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state != REPLICA_TOLD) {
            client_close(r->client);
        }
    }
}

/* ---- WAIT ---- */

struct replica_wait {
    struct replica_wait *next;
    struct client *client;
    uint64_t offset;
    enum replicas_do what;
    int64_t replicas;
};

static int64_t count_at(const struct replication *replication, enum replicas_do what,
                        uint64_t offset) {
    int64_t count = 0;
    for (const struct replica *r = replication->replicas; r != NULL; r = r->next) {
        uint64_t has = what == REPLICAS_HAVE ? r->acked : r->kept;
        count += r->state == REPLICA_ONLINE && !is_going(r) && has >= offset;
    }
    return count;
}

void primary_await(struct client *client, enum replicas_do what, int64_t replicas) {
    struct replication *replication = replication_of(client);
    struct replica_wait *wait = mem_zalloc(MEM_CLIENT, sizeof *wait);
    *wait = (struct replica_wait){.next = replication->waits,
                                  .client = client,
                                  .offset = replication->written,
                                  .what = what,
                                  .replicas = replicas};
    replication->waits = wait;
    replication->wants_acks = true;
    replication->watcher.has_work = true;
}

int64_t primary_count_for(struct client *client, enum replicas_do what) {
    struct replication *replication = replication_of(client);
    uint64_t offset = replication->written;
    struct replica_wait **link = &replication->waits;
    while (*link != NULL && (*link)->client != client) {
        link = &(*link)->next;
    }
    struct replica_wait *wait = *link;
    if (wait != NULL) {
        offset = wait->offset;
        *link = wait->next;
        mem_free(MEM_CLIENT, wait, sizeof *wait);
    }
    return count_at(replication, what, offset);
}

/* The reply that ends a client's waiting takes its wait out of the list. */
static void end_waits(struct replication *replication) {
    struct replica_wait *next;
    for (struct replica_wait *w = replication->waits; w != NULL; w = next) {
        next = w->next;
        if (count_at(replication, w->what, w->offset) >= w->replicas) {
            (void)waiting_unblock(w->client, false);
        }
    }
}

/* ---- leaving ---- */

void primary_leaves(struct replication *replication, struct client *client) {
    if (replication->waits != NULL) {
        (void)primary_count_for(client, REPLICAS_HAVE);
    }
    struct replica **link = &replication->replicas;
    while (*link != NULL && (*link)->client != client) {
        link = &(*link)->next;
    }
    struct replica *replica = *link;
    if (replica != NULL) {
        full_sync_leaves(replication, replica);
        *link = replica->next;
        mem_free(MEM_CLIENT, replica, sizeof *replica);
        replication_tell(replication);
    }
}
