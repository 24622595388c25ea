/* full_sync: see the header. */
#include "persist/full_sync.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "call/control.h"
#include "persist/primary.h"
#include "persist/pump.h"
#include "persist/replication_int.h"
#include "persist/saving.h"
#include "persist/snapshot.h"

#define US_PER_SECOND INT64_C(1000000)
#define SLICE_US      400
/* Bytes between the pump's thread and this one. */
#define PORTIONS_MAX ((size_t)4 << 20)
/* With less than this to send a connection gets more. */
#define OWED_MAX  ((size_t)1 << 20)
#define MARK_SIZE 40

struct portion {
    struct portion *next;
    struct shared_run run;
};

struct full_sync {
    struct replication *replication;
    struct snapshot *snapshot; /* NULL once all has gone to the pump */
    struct pump *pump;
    char mark[MARK_SIZE + 1];
    bool given_up;
    /* Shared with the pump's thread. */
    pthread_mutex_t lock;
    pthread_cond_t room;
    struct portion *first;
    struct portion *last;
    size_t waiting; /* bytes in portions */
    bool is_whole;
    bool is_closed; /* nobody takes any more */
};

bool full_sync_is_busy(const struct replication *replication) {
    return replication->full_sync != NULL;
}

/* ---- the pump's side ---- */

static void wake(void *context) {
    const struct full_sync *sync = context;
    loop_wake(sync->replication->context->loop);
}

static int sink_write(void *context, const void *at, size_t size) {
    struct full_sync *sync = context;
    struct shared_log log = {0};
    char *room = shared_log_room(&log, size);
    struct portion *portion = room == NULL ? NULL : mem_try_alloc(MEM_BUFFER, sizeof *portion);
    if (portion == NULL) {
        shared_log_clear(&log);
        return -ENOMEM;
    }
    memcpy(room, at, size);
    *portion = (struct portion){.run = shared_log_take(&log, room + size)};
    shared_log_clear(&log);
    pthread_mutex_lock(&sync->lock);
    while (sync->waiting > PORTIONS_MAX && !sync->is_closed) {
        pthread_cond_wait(&sync->room, &sync->lock);
    }
    bool closed = sync->is_closed;
    if (!closed) {
        if (sync->first == NULL) {
            sync->first = portion;
        } else {
            sync->last->next = portion;
        }
        sync->last = portion;
        sync->waiting += size;
    }
    pthread_mutex_unlock(&sync->lock);
    if (closed) {
        shared_release(portion->run.block);
        mem_free(MEM_BUFFER, portion, sizeof *portion);
        return -ECANCELED;
    }
    wake(sync);
    return 0;
}

static int sink_finish(void *context) {
    struct full_sync *sync = context;
    pthread_mutex_lock(&sync->lock);
    sync->is_whole = true;
    pthread_mutex_unlock(&sync->lock);
    wake(sync);
    return 0;
}

static void sink_cancel(void *context) {
    wake(context);
}

/* ---- life ---- */

static void free_sync(struct replication *replication) {
    struct full_sync *sync = replication->full_sync;
    replication->full_sync = NULL;
    pthread_mutex_lock(&sync->lock);
    sync->is_closed = true;
    pthread_cond_broadcast(&sync->room);
    pthread_mutex_unlock(&sync->lock);
    pump_free(sync->pump);
    while (sync->first != NULL) {
        struct portion *portion = sync->first;
        sync->first = portion->next;
        shared_release(portion->run.block);
        mem_free(MEM_BUFFER, portion, sizeof *portion);
    }
    pthread_mutex_destroy(&sync->lock);
    pthread_cond_destroy(&sync->room);
    mem_free(MEM_OTHER, sync, sizeof *sync);
}

static bool start(struct full_sync *sync) {
    struct context *context = sync->replication->context;
    const struct pump_setup pump = {.sink = {.write = sink_write,
                                             .finish = sink_finish,
                                             .cancel = sink_cancel,
                                             .context = sync},
                                    .compress = saving_options(context->saving)->compress,
                                    .checksum = true,
                                    .wake = wake,
                                    .wake_context = sync};
    sync->pump = pump_new(&pump);
    if (sync->pump == NULL) {
        return false;
    }
    char database[24];
    int size = snprintf(database, sizeof database, "%d", sync->replication->stream_database);
    const struct bytes notes[] = {bytes_text("repl-stream-db"), bytes_of(database, (size_t)size)};
    const struct snapshot_setup snapshot = {.keyspace = context->keyspace,
                                            .pump = sync->pump,
                                            .compress = pump.compress,
                                            .control = context->control,
                                            .notes = notes,
                                            .note_count = sync->replication->is_replica ? 1 : 0};
    sync->snapshot = snapshot_begin(&snapshot);
    return true;
}

/* The state that the snapshot has is that of the stream here, between two units. */
static void announce(struct full_sync *sync) {
    struct replication *replication = sync->replication;
    unsigned char secret[MARK_SIZE / 2];
    random_secret(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        snprintf(sync->mark + 2 * i, 3, "%02x", secret[i]);
    }
    char head[160];
    int size = snprintf(head, sizeof head, "+FULLRESYNC %s %llu\r\n$EOF:%s\r\n", replication->id,
                        (unsigned long long)replication->backlog.end, sync->mark);
    int count = 0;
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_WAITING && replica_counts(r)) {
            client_send(r->client, bytes_of(head, (size_t)size));
            r->next_offset = replication->backlog.end;
            r->acked = replication->backlog.end;
            primary_set_state(r, REPLICA_LOADING);
            replication->metrics.sync_full++;
            count++;
        }
    }
    if (!replication->is_replica) {
        pass_on_select_again(replication->context->pass_on);
    }
    log_notice("Full synchronisation of %d replicas at offset %llu begins.", count,
               (unsigned long long)replication->backlog.end);
}

static void begin(struct replication *replication) {
    struct full_sync *sync = mem_zalloc(MEM_OTHER, sizeof *sync);
    sync->replication = replication;
    pthread_mutex_init(&sync->lock, NULL);
    pthread_cond_init(&sync->room, NULL);
    replication->full_sync = sync;
    if (start(sync)) {
        announce(sync);
    } else {
        log_warning("A full synchronisation cannot begin: there is no thread for it.");
        pthread_mutex_destroy(&sync->lock);
        pthread_cond_destroy(&sync->room);
        mem_free(MEM_OTHER, sync, sizeof *sync);
        replication->full_sync = NULL;
    }
}

static bool is_due(const struct replication *replication) {
    const struct replication_options *options = &replication->options;
    int64_t count = 0;
    int64_t since_us = INT64_MAX;
    for (const struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_WAITING && replica_counts(r)) {
            count++;
            since_us = r->since_us < since_us ? r->since_us : since_us;
        }
    }
    if (count == 0 || saving_is_busy(replication->context->saving) ||
        replication->context->control->loading != CONTROL_LOADING_NOT) {
        return false;
    }
    return (options->wait_replicas > 0 && count >= options->wait_replicas) ||
           replication_now_us(replication) - since_us >= options->wait_seconds * US_PER_SECOND;
}

/* ---- giving it to the connections ---- */

/* While the I/O threads stand still. */
static bool is_full(const struct replica *replica) {
    const struct client *client = replica->client;
    return client->output.size + client->queue->size >= OWED_MAX;
}

bool full_sync_waits_for(const struct replica *replica) {
    struct clients *clients = replica->client->clients;
    clients_hold(clients);
    bool waits = is_full(replica);
    clients_release(clients);
    return waits;
}

/* How many are being served, and whether each may get more. */
static int look_at_receivers(const struct full_sync *sync, bool *may_have) {
    const struct replication *replication = sync->replication;
    struct clients *clients = replication->context->clients;
    int count = 0;
    *may_have = true;
    clients_hold(clients);
    for (const struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_LOADING && replica_counts(r)) {
            count++;
            *may_have &= !is_full(r);
        }
    }
    clients_release(clients);
    return count;
}

static void give(struct full_sync *sync, const struct shared_run *run) {
    for (struct replica *r = sync->replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_LOADING && replica_counts(r)) {
            client_send_run(r->client, run);
            primary_set_state(r, REPLICA_LOADING);
        }
    }
}

static struct portion *take(struct full_sync *sync, bool *is_whole) {
    pthread_mutex_lock(&sync->lock);
    struct portion *portion = sync->first;
    if (portion != NULL) {
        sync->first = portion->next;
        sync->waiting -= portion->run.to - portion->run.from;
        pthread_cond_signal(&sync->room);
    }
    *is_whole = sync->is_whole && portion == NULL;
    pthread_mutex_unlock(&sync->lock);
    return portion;
}

static void end_whole(struct full_sync *sync) {
    struct replication *replication = sync->replication;
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_LOADING && replica_counts(r)) {
            client_send(r->client, bytes_of(sync->mark, MARK_SIZE));
            r->acked_us = replication_now_us(replication);
            primary_set_state(r, REPLICA_LOADED);
        }
    }
    free_sync(replication);
}

static void give_up(struct full_sync *sync, const char *why) {
    struct replication *replication = sync->replication;
    log_warning("A full synchronisation has ended early: %s.", why);
    sync->given_up = true;
    for (struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (r->state == REPLICA_LOADING) {
            client_close(r->client);
        }
    }
    pthread_mutex_lock(&sync->lock);
    sync->is_closed = true;
    pthread_cond_broadcast(&sync->room);
    pthread_mutex_unlock(&sync->lock);
    pump_give_up(sync->pump);
    if (sync->snapshot != NULL) {
        snapshot_give_up(sync->snapshot);
    }
}

static void write_some(struct full_sync *sync) {
    bool more = false;
    if (sync->snapshot == NULL) {
        return;
    }
    enum snapshot_state state = snapshot_slice(sync->snapshot, SLICE_US, &more);
    if (state != SNAPSHOT_WRITING) {
        snapshot_free(sync->snapshot);
        sync->snapshot = NULL;
        if (state == SNAPSHOT_WRITTEN) {
            pump_end(sync->pump);
        }
        more = true;
    }
    sync->replication->watcher.has_work |= more;
}

static void send_some(struct full_sync *sync) {
    bool may_have;
    bool is_whole = false;
    int status = 0;
    if (look_at_receivers(sync, &may_have) == 0) {
        give_up(sync, "nobody receives it any more");
        return;
    }
    if (!may_have) {
        return; /* the socket takes more: a pass comes */
    }
    struct portion *portion = take(sync, &is_whole);
    if (portion != NULL) {
        give(sync, &portion->run);
        shared_release(portion->run.block);
        mem_free(MEM_BUFFER, portion, sizeof *portion);
        sync->replication->watcher.has_work = true;
    } else if (is_whole && sync->snapshot == NULL) {
        end_whole(sync);
    } else if (pump_state(sync->pump, &status) == PUMP_FAILED) {
        give_up(sync, strerror(-status));
    }
}

void full_sync_pass(struct replication *replication) {
    if (replication->full_sync == NULL) {
        if (is_due(replication)) {
            begin(replication);
        }
        return;
    }
    struct full_sync *sync = replication->full_sync;
    write_some(sync);
    if (!sync->given_up) {
        send_some(sync);
    } else if (sync->snapshot == NULL) {
        free_sync(replication);
    }
}

void full_sync_give_way(struct replication *replication) {
    struct full_sync *sync = replication->full_sync;
    if (sync == NULL) {
        return;
    }
    if (!sync->given_up) {
        give_up(sync, "the data is saved");
    }
    while (sync->snapshot != NULL) {
        write_some(sync);
    }
    free_sync(replication);
}

void full_sync_leaves(struct replication *replication, const struct replica *replica) {
    if (replication->full_sync != NULL && replica->state == REPLICA_LOADING) {
        replication->watcher.has_work = true;
    }
}

void full_sync_stop(struct replication *replication) {
    struct full_sync *sync = replication->full_sync;
    if (sync == NULL) {
        return;
    }
    if (sync->snapshot != NULL) {
        snapshot_give_up(sync->snapshot);
        snapshot_free(sync->snapshot);
        sync->snapshot = NULL;
    }
    free_sync(replication);
}
