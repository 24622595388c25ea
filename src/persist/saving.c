/* saving: one snapshot at a time, from its beginning to the news of its end. */
#include "persist/saving.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "call/context.h"
#include "call/control.h"
#include "ev/loop.h"
#include "persist/full_sync.h"
#include "persist/pump.h"
#include "persist/saving_points.h"
#include "persist/snapshot.h"
#include "persist/snapshot_file.h"
#include "store/access.h"
#include "store/evict.h"
#include "store/keyspace.h"

#define US_IN_S 1000000
#define MS_IN_S 1000

/* After a failure the points of `save` wait so long: the disk is as full as it was. */
#define RETRY_US (5 * (int64_t)US_IN_S)
/* How often the log tells how far it has come. */
#define TELL_US (10 * (int64_t)US_IN_S)
/* Of a save in one go. */
#define WHOLE_SLICE_US 100000

struct saving {
    struct context *context;
    struct saving_options options;
    struct saving_points points;
    char file_name[NAME_MAX + 1];
    /* What is being written. */
    struct snapshot *snapshot; /* NULL: all has gone to the pump, or nothing is being written */
    struct pump *pump;         /* NULL: nothing is being written */
    struct snapshot_file file;
    struct snapshot_figures figures;
    int64_t began_us;
    int64_t told_us;
    uint64_t changes_then; /* the keyspace's count at the moment */
    /* What was. */
    uint64_t changes_saved; /* the same, of what is in the file */
    int64_t last_s;         /* when that was written */
    int64_t tried_us;       /* when the last one ended */
    int64_t took_s;         /* -1: there was none */
    bool has_failed;        /* the last one */
    uint64_t saves;
};

/* ---- options ---- */

/* dbfilename: a name and no path, for what is written beside it is renamed to it. */
static bool set_file_name(void *module, const struct bytes *words, int count, const char **error) {
    struct saving *saving = module;
    if (count != 1) {
        *error = "wrong number of arguments";
        return false;
    }
    struct bytes name = words[0];
    bool is_name = name.size > 0 && memchr(name.at, '/', name.size) == NULL &&
                   memchr(name.at, '\0', name.size) == NULL;
    if (!is_name || name.size > NAME_MAX) {
        *error = "dbfilename can't be a path, just a filename";
        return false;
    }
    memcpy(saving->file_name, name.at, name.size);
    saving->file_name[name.size] = '\0';
    return true;
}

static void get_file_name(void *module, struct buffer *out) {
    buffer_append_text(out, ((const struct saving *)module)->file_name);
}

static const struct option_custom saving_file_name_option = {.set = set_file_name,
                                                             .get = get_file_name};

static bool set_points(void *module, const struct bytes *words, int count, const char **error) {
    if (!saving_points_read(&((struct saving *)module)->points, words, count)) {
        *error = "Invalid save parameters";
        return false;
    }
    return true;
}

static void get_points(void *module, struct buffer *out) {
    saving_points_print(&((const struct saving *)module)->points, out);
}

static const struct option_custom saving_points_option = {.set = set_points, .get = get_points};

/* Who writes is refused, or not any more. */
static void judge(const struct saving *saving) {
    saving->context->control->refuses_writes =
        saving->has_failed && saving->options.stop_writes && saving->points.count > 0;
}

bool saving_apply(void *module, const char **error) {
    (void)error;
    judge(module);
    return true;
}

const struct saving_options *saving_options(const struct saving *saving) {
    return &saving->options;
}

const char *saving_file_name(const struct saving *saving) {
    return saving->file_name;
}

bool saving_is_wanted(const struct saving *saving) {
    return saving->points.count > 0;
}

bool saving_is_busy(const struct saving *saving) {
    const struct replication *replication = saving->context->replication;
    return saving->pump != NULL || (replication != NULL && full_sync_is_busy(replication));
}

int64_t saving_last_s(const struct saving *saving) {
    return saving->last_s;
}

/* ---- the end ---- */

static const struct clock *clock_of(const struct saving *saving) {
    return saving->context->clock;
}

static void settle(struct saving *saving, int status) {
    saving->has_failed = status != 0;
    saving->tried_us = clock_mono_us();
    saving->took_s = (saving->tried_us - saving->began_us) / US_IN_S;
    if (status == 0) {
        saving->changes_saved = saving->changes_then;
        saving->last_s = clock_of(saving)->now_ms / MS_IN_S;
        saving->saves++;
        log_notice("The data is saved: %llu keys, %llu bytes, %.1f seconds.",
                   (unsigned long long)saving->figures.keys,
                   (unsigned long long)saving->file.written,
                   (double)(saving->tried_us - saving->began_us) / US_IN_S);
    } else {
        log_warning("The data could not be saved: %s %s: %s. The file is what it was.",
                    saving->file.where == NULL ? "writing" : saving->file.where,
                    saving->file.file < 0 && saving->file.written == 0 ? saving->file.temporary
                                                                       : saving->file.name,
                    strerror(-status));
    }
    if (saving->figures.left_out > 0) {
        log_warning("%llu keys were left out of the file: there is no form for them.",
                    (unsigned long long)saving->figures.left_out);
    }
    judge(saving);
}

/* The pump is over. */
static void end(struct saving *saving) {
    int status;
    (void)pump_state(saving->pump, &status);
    pump_free(saving->pump);
    saving->pump = NULL;
    snapshot_file_end(&saving->file);
    settle(saving, status);
}

/* ---- the beginning ---- */

static void on_woken(void *context) {
    (void)context; /* the pass that it begins goes on with the snapshot */
}

/* In the pump's thread. */
static void wake(void *context) {
    const struct saving *saving = context;
    loop_post(saving->context->loop, on_woken, NULL);
}

/* A reader with a policy that asks for it gets to know how keys were used. */
static enum snapshot_use use_of(const struct saving *saving) {
    const struct context *context = saving->context;
    if (context->keyspace->access_rule != ACCESS_RECENCY) {
        return SNAPSHOT_USE_FREQUENCY;
    }
    int policy = context->evict == NULL ? LIMIT_NOEVICTION : context->evict->limit->options.policy;
    bool is_lru = policy == LIMIT_VOLATILE_LRU || policy == LIMIT_ALLKEYS_LRU;
    return is_lru ? SNAPSHOT_USE_IDLE : SNAPSHOT_USE_NONE;
}

bool saving_begin(struct saving *saving) {
    struct keyspace *keyspace = saving->context->keyspace;
    if (saving->context->replication != NULL) {
        full_sync_give_way(saving->context->replication);
    }
    saving->began_us = clock_mono_us();
    saving->told_us = saving->began_us;
    saving->changes_then = keyspace->changes;
    saving->figures = (struct snapshot_figures){0};
    int status = snapshot_file_begin(&saving->file, saving->file_name, saving->options.sync_often);
    if (status != 0) {
        settle(saving, status);
        return false;
    }
    const struct pump_setup setup = {.sink = snapshot_file_sink(&saving->file),
                                     .compress = saving->options.compress,
                                     .checksum = saving->options.checksum,
                                     .wake = saving->context->loop != NULL ? wake : NULL,
                                     .wake_context = saving};
    saving->pump = pump_new(&setup);
    if (saving->pump == NULL) {
        snapshot_file_end(&saving->file);
        settle(saving, -EAGAIN);
        return false;
    }
    saving->snapshot = snapshot_begin(&(struct snapshot_setup){.keyspace = keyspace,
                                                               .pump = saving->pump,
                                                               .compress = setup.compress,
                                                               .control = saving->context->control,
                                                               .use = use_of(saving)});
    return true;
}

/* ---- in between ---- */

/* Whether there is more to do at once. */
static bool go_on(struct saving *saving, int64_t budget_us) {
    bool more = false;
    if (saving->snapshot != NULL) {
        enum snapshot_state state = snapshot_slice(saving->snapshot, budget_us, &more);
        snapshot_figures(saving->snapshot, &saving->figures);
        if (state == SNAPSHOT_WRITING) {
            return more;
        }
        snapshot_free(saving->snapshot);
        saving->snapshot = NULL;
    }
    int status;
    if (pump_state(saving->pump, &status) != PUMP_GOING) {
        end(saving);
    }
    return false;
}

size_t saving_kept(const struct saving *saving) {
    return saving->snapshot != NULL ? saving->figures.kept : 0;
}

bool saving_pass(struct saving *saving, int64_t budget_us) {
    return saving->pump != NULL && go_on(saving, budget_us);
}

/* Until it is over. */
static void wait(struct saving *saving) {
    while (saving->pump != NULL) {
        if (!go_on(saving, WHOLE_SLICE_US) && saving->pump != NULL) {
            pump_wait(saving->pump);
        }
    }
}

bool saving_save(struct saving *saving) {
    if (saving->pump != NULL) {
        log_notice("The snapshot that was being written is given up for a newer one.");
        if (saving->snapshot != NULL) {
            snapshot_give_up(saving->snapshot);
        }
        wait(saving);
    }
    if (!saving_begin(saving)) {
        return false;
    }
    wait(saving);
    return !saving->has_failed;
}

static void tell_progress(struct saving *saving, int64_t now_us) {
    if (saving->snapshot == NULL || now_us - saving->told_us < TELL_US) {
        return;
    }
    saving->told_us = now_us;
    const struct snapshot_figures *figures = &saving->figures;
    log_notice("Saving: %llu of %llu keys, %llu MiB written, %lld seconds.",
               (unsigned long long)figures->keys, (unsigned long long)figures->keys_total,
               (unsigned long long)pump_bytes(saving->pump) >> 20,
               (long long)((now_us - saving->began_us) / US_IN_S));
}

void saving_cron(struct saving *saving) {
    int64_t now_us = clock_mono_us();
    if (saving->pump != NULL) {
        tell_progress(saving, now_us);
        return;
    }
    if (saving->points.count == 0 || saving_is_busy(saving) ||
        saving->context->control->loading != CONTROL_LOADING_NOT ||
        (saving->has_failed && now_us - saving->tried_us < RETRY_US)) {
        return;
    }
    uint64_t changes = saving->context->keyspace->changes - saving->changes_saved;
    int64_t passed_s = clock_of(saving)->now_ms / MS_IN_S - saving->last_s;
    const struct saving_point *point = saving_points_due(&saving->points, passed_s, changes);
    if (point != NULL) {
        log_notice("%lld changes in %lld seconds. Saving...", (long long)point->changes,
                   (long long)point->seconds);
        (void)saving_begin(saving);
    }
}

/* ---- telling, and life ---- */

bool saving_has_failed(const struct saving *saving) {
    return saving->has_failed;
}

void saving_print(const struct saving *saving, struct buffer *out) {
    bool is_busy = saving->pump != NULL;
    const struct snapshot_figures *figures = &saving->figures;
    double part = is_busy && figures->keys_total > 0
                      ? 100 * (double)figures->keys / (double)figures->keys_total
                      : 0;
    buffer_printf(out,
                  "current_cow_peak:0\r\ncurrent_cow_size:0\r\ncurrent_cow_size_age:0\r\n"
                  "current_fork_perc:%.2f\r\ncurrent_save_keys_processed:%llu\r\n"
                  "current_save_keys_total:%llu\r\n",
                  part, is_busy ? (unsigned long long)figures->keys : 0,
                  is_busy ? (unsigned long long)figures->keys_total : 0);
    buffer_printf(
        out,
        "rdb_changes_since_last_save:%llu\r\nrdb_bgsave_in_progress:%d\r\n"
        "rdb_last_save_time:%lld\r\nrdb_last_bgsave_status:%s\r\nrdb_last_bgsave_time_sec:%lld\r\n"
        "rdb_current_bgsave_time_sec:%lld\r\nrdb_saves:%llu\r\nrdb_last_cow_size:0\r\n",
        (unsigned long long)(saving->context->keyspace->changes - saving->changes_saved), is_busy,
        (long long)saving->last_s, saving->has_failed ? "err" : "ok", (long long)saving->took_s,
        (long long)(is_busy ? (clock_mono_us() - saving->began_us) / US_IN_S : -1),
        (unsigned long long)saving->saves);
}

struct saving *saving_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct saving_options, __VA_ARGS__)
        SAVING_OPTIONS(ROW)
#undef ROW
    };
    struct saving *saving = mem_zalloc(MEM_OTHER, sizeof *saving);
    saving->context = context;
    saving->last_s = clock_of(saving)->now_ms / MS_IN_S;
    saving->took_s = -1;
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &saving->options, saving);
    return saving;
}

void saving_stop(struct saving *saving) {
    if (saving->snapshot != NULL) {
        snapshot_free(saving->snapshot);
        saving->snapshot = NULL;
    }
    if (saving->pump != NULL) {
        pump_free(saving->pump);
        saving->pump = NULL;
        snapshot_file_end(&saving->file);
    }
}

void saving_free(struct saving *saving) {
    mem_free(MEM_OTHER, saving, sizeof *saving);
}
