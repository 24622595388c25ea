/* link_snapshot: what a full synchronisation brings: received into a file, looked through, loaded.
 *
 * The file has no name as soon as it is open twice: it lies in the working directory, or in memory
 * where that may not be written to. Only when it has been looked through whole (its form, its
 * checksum, that each kind of value is known) what we have is given up. */
#include "persist/link_int.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/num.h"
#include "call/control.h"

/* Records looked through between two looks at the clock. */
#define CHECK_RECORDS 32
#define LOAD_THREADS  2

static bool open_file(struct link_snapshot *snapshot) {
    snprintf(snapshot->path, sizeof snapshot->path, "temp-replica-%d.rdb", (int)getpid());
    snapshot->file = open(snapshot->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (snapshot->file >= 0) {
        (void)unlink(snapshot->path);
    } else {
        snapshot->file = memfd_create("larder-snapshot", MFD_CLOEXEC);
    }
    snprintf(snapshot->path, sizeof snapshot->path, "/proc/self/fd/%d", snapshot->file);
    return snapshot->file >= 0;
}

bool link_snapshot_begin(struct link *link, struct bytes line) {
    struct link_snapshot *snapshot = &link->snapshot;
    const char head[] = "$EOF:";
    const size_t head_size = sizeof head - 1;
    snapshot->received = 0;
    snapshot->tail_size = 0;
    snapshot->is_marked =
        line.size == head_size + LINK_MARK_SIZE && memcmp(line.at, head, head_size) == 0;
    if (snapshot->is_marked) {
        memcpy(snapshot->mark, line.at + head_size, LINK_MARK_SIZE);
        snapshot->total = 0;
    } else if (line.at[0] != '$' ||
               !num_parse_i64(bytes_of(line.at + 1, line.size - 1), &snapshot->total) ||
               snapshot->total <= 0) {
        link_break(link, "no snapshot comes, but: %.*s", bytes_printed(line), line.at);
        return false;
    }
    if (!open_file(snapshot)) {
        link_break(link, "there is no file for the snapshot: %s", strerror(errno));
        return false;
    }
    log_notice("Full synchronisation: a snapshot comes, %s.",
               snapshot->is_marked ? "of a size that is not told" : "of a known size");
    return true;
}

static bool write_out(struct link *link, const char *at, size_t size) {
    while (size > 0) {
        ssize_t written = write(link->snapshot.file, at, size);
        if (written < 0 && errno != EINTR) {
            link_break(link, "the snapshot cannot be written: %s", strerror(errno));
            return false;
        }
        written = written < 0 ? 0 : written;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static void received_all(struct link *link) {
    struct link_snapshot *snapshot = &link->snapshot;
    int status = rdb_file_open(&snapshot->check, snapshot->path,
                               link->replication->context->keyspace->database_count);
    snapshot->is_open = true;
    if (status != 0) {
        link_break(link, "the snapshot: %s",
                   status == -EBADMSG ? snapshot->check.damage.text : strerror(-status));
        return;
    }
    link->state = LINK_CHECKING;
    link->replication->watcher.has_work = true;
}

/* The mark is not written: the last bytes are held back until it is known that they are not it. */
static void take_marked(struct link *link, const char *at, size_t size) {
    struct link_snapshot *snapshot = &link->snapshot;
    char *tail = snapshot->tail;
    if (size < LINK_MARK_SIZE) {
        size_t all = snapshot->tail_size + size;
        size_t out = all > LINK_MARK_SIZE ? all - LINK_MARK_SIZE : 0;
        if (!write_out(link, tail, out)) {
            return;
        }
        snapshot->tail_size -= out;
        memmove(tail, tail + out, snapshot->tail_size);
        memcpy(tail + snapshot->tail_size, at, size);
        snapshot->tail_size += size;
    } else {
        size_t out = size - LINK_MARK_SIZE;
        if (!write_out(link, tail, snapshot->tail_size) || !write_out(link, at, out)) {
            return;
        }
        memcpy(tail, at + out, LINK_MARK_SIZE);
        snapshot->tail_size = LINK_MARK_SIZE;
    }
    if (snapshot->tail_size == LINK_MARK_SIZE &&
        memcmp(tail, snapshot->mark, LINK_MARK_SIZE) == 0) {
        received_all(link);
    }
}

size_t link_snapshot_take(struct link *link, const char *at, size_t size) {
    struct link_snapshot *snapshot = &link->snapshot;
    if (snapshot->is_marked) {
        snapshot->received += (int64_t)size;
        take_marked(link, at, size);
        return size;
    }
    int64_t left = snapshot->total - snapshot->received;
    size_t part = (int64_t)size < left ? size : (size_t)left;
    if (!write_out(link, at, part)) {
        return 0;
    }
    snapshot->received += (int64_t)part;
    if (snapshot->received == snapshot->total) {
        received_all(link);
    }
    return part;
}

/* ---- looking through, loading ---- */

static void wake(void *context) {
    struct replication *replication = context;
    loop_wake(replication->context->loop);
}

/* The database that the stream is in, if it is another replica's. */
static void on_note(void *context, struct bytes name, struct bytes value) {
    struct replication *replication = context;
    int64_t database;
    if (bytes_is(name, "repl-stream-db") && num_parse_i64(value, &database) && database >= 0 &&
        database < replication->context->keyspace->database_count) {
        replication->stream_database = (int)database;
    }
}

static void on_function(void *context, struct bytes source) {
    const struct replication *replication = context;
    const struct server_control *control = replication->context->control;
    control->libraries.take(control->server, source);
}

static void tell_damage(struct link *link, const struct rdb_damage *damage) {
    link_break(link, "the snapshot, at byte %llu: %s", (unsigned long long)damage->offset,
               damage->text);
}

/* What we have goes. */
static bool begin_loading(struct link *link) {
    struct replication *replication = link->replication;
    struct context *context = replication->context;
    const struct load_setup setup = {
        .path = link->snapshot.path,
        .keyspace = context->keyspace,
        .evict = replication->options.ignore_limit ? NULL : context->evict,
        .threads = LOAD_THREADS,
        .keeps_expired = context->keyspace->keeps_expired,
        .wake = wake,
        .wake_context = replication,
        .on_note = on_note,
        .on_function = context->control->libraries.take != NULL ? on_function : NULL,
        .context = replication,
    };
    struct rdb_damage damage;
    int status;
    link_forget_history(link);
    replication->stream_database = 0;
    primary_drop_all(replication);
    keyspace_flush(context->keyspace, -1, true);
    if (context->control->libraries.drop_all != NULL) {
        context->control->libraries.drop_all(context->control->server);
    }
    link->snapshot.load = load_begin(&setup, &status, &damage);
    if (link->snapshot.load == NULL) {
        link_break(link, "the snapshot cannot be loaded: %s",
                   status == -EBADMSG ? damage.text : strerror(-status));
        return false;
    }
    context->control->loading = CONTROL_LOADING_ALONE;
    clients_state_changed(context->clients);
    link->state = LINK_LOADING;
    return true;
}

static bool check_some(struct link *link) {
    struct link_snapshot *snapshot = &link->snapshot;
    int64_t end_us = clock_mono_us() + LINK_SLICE_US;
    struct rdb_record record;
    do {
        for (int i = 0; i < CHECK_RECORDS; i++) {
            int status = rdb_file_next(&snapshot->check, &record);
            if (status < 0) {
                tell_damage(link, &snapshot->check.damage);
                return false;
            }
            if (status == 0) {
                rdb_file_close(&snapshot->check);
                snapshot->is_open = false;
                return begin_loading(link);
            }
        }
    } while (clock_mono_us() < end_us);
    return true;
}

static void loaded(struct link *link) {
    struct replication *replication = link->replication;
    const struct load_figures *figures = load_figures(link->snapshot.load);
    log_notice("Full synchronisation with %s:%lld: %llu keys, offset %llu.", replication->host,
               (long long)replication->primary_port, (unsigned long long)figures->keys,
               (unsigned long long)link->snapshot.offset);
    if (figures->functions > 0) {
        log_warning("The primary has %llu libraries of functions, which were left out.",
                    (unsigned long long)figures->functions);
    }
    replication_adopt(replication, bytes_text(link->snapshot.id), link->snapshot.offset);
    replication->can_resume = true;
    link_snapshot_drop(link);
    replication_record(replication);
    link_stream_begin(link);
    link->state = LINK_FOLLOWING;
}

bool link_snapshot_pass(struct link *link) {
    bool more = false;
    if (link->state == LINK_CHECKING) {
        return check_some(link);
    }
    enum load_state state = load_pass(link->snapshot.load, LINK_SLICE_US, &more);
    clients_serve_waiting(link->replication->context->clients);
    if (state == LOAD_DONE) {
        loaded(link);
        return true;
    }
    if (state == LOAD_DAMAGED) {
        struct rdb_damage damage = *load_damage(link->snapshot.load);
        tell_damage(link, &damage);
        keyspace_flush(link->replication->context->keyspace, -1, true);
        return false;
    }
    return more;
}

static void *close_in_thread(void *context) {
    crash_thread_start();
    close((int)(intptr_t)context);
    return NULL;
}

/* With its last descriptor the file's pages are freed, which takes milliseconds. */
static void close_elsewhere(int file) {
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, close_in_thread, (void *)(intptr_t)file) != 0) {
        close(file);
    }
    pthread_attr_destroy(&detached);
}

void link_snapshot_drop(struct link *link) {
    struct link_snapshot *snapshot = &link->snapshot;
    struct context *context = link->replication->context;
    if (snapshot->load != NULL) {
        load_free(snapshot->load);
        snapshot->load = NULL;
        context->control->loading = CONTROL_LOADING_NOT;
        clients_state_changed(context->clients);
    }
    if (snapshot->is_open) {
        rdb_file_close(&snapshot->check);
        snapshot->is_open = false;
    }
    if (snapshot->file >= 0) {
        close_elsewhere(snapshot->file);
        snapshot->file = -1;
    }
}
