/* loading: see the header. */
#include "server/loading.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "call/command.h"
#include "call/control.h"
#include "client/client.h"
#include "persist/saving.h"
#include "server/cron.h"
#include "server/server.h"

/* While nobody is served a slice may take longer than a pass otherwise should: who asks how far it
 * is waits for its end. */
#define SLICE_ALONE_US 2000
/* While clients are served it takes what they leave of a pass, but this at least. */
#define SLICE_SHARED_US_MIN 100
#define SLICE_SHARED_US     400
/* The log hears how far it is. */
#define TELL_US 5000000

/* With key-load-delay: keys of a slice, of which the delays are added up, and how often it is
 * looked whether they are over. */
#define KEYS_DELAYED  32
#define DELAY_LOOK_MS 5

#define US_PER_SECOND 1000000.0
#define KEYS_OF_CALL  64

static const struct option_choice loading_modes[] = {
    {"block", LOADING_BLOCK},
    {"serve", LOADING_SERVE},
    {NULL, 0},
};

/* ---- what commands write while they are served ---- */

/* Whether a command that finds the key absent wants it to stay so: it removes or overwrites without
 * having to know what is there. One that takes out what it finds, and finds nothing, does not;
 * of one that does either, by its options, the worse is believed. */
static bool wants_absent(const struct command *command, unsigned flags) {
    return command->flags & COMMAND_WRITE &&
           (flags & (KEY_DELETE | KEY_UPDATE | KEY_OW | KEY_RM)) &&
           (!(flags & KEY_ACCESS) || (flags & KEY_VARIABLE_FLAGS));
}

static void before_call(void *context, const struct call *call) {
    struct loading *loading = context;
    struct command_key keys[KEYS_OF_CALL];
    if (!(call->command->flags & COMMAND_WRITE) || loading->load == NULL) {
        return;
    }
    struct command_key *all = keys;
    int count = command_keys(call->command, call->args, call->argc, keys, KEYS_OF_CALL);
    if (count > KEYS_OF_CALL) {
        all = mem_alloc(MEM_BUFFER, (size_t)count * sizeof *all);
        command_keys(call->command, call->args, call->argc, all, count);
    }
    for (int i = 0; i < count; i++) {
        if (wants_absent(call->command, all[i].flags)) {
            struct key key = keyspace_key(call->keyspace, call->database, call->args[all[i].index]);
            load_outdo(loading->load, &key);
        }
    }
    if (all != keys) {
        mem_free(MEM_BUFFER, all, (size_t)count * sizeof *all);
    }
}

/* ---- life ---- */

/* The loop has woken: loading_idle does the rest. Looks again soon, for the delay may have been
 * changed. */
static int64_t on_time(struct loop_timer *timer) {
    const struct loading *loading = (const struct loading *)timer;
    return loading->load != NULL && loading->options.delay_us > 0 ? DELAY_LOOK_MS : -1;
}

void loading_init(struct loading *loading, struct server *server) {
    static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct loading_options, __VA_ARGS__)
        LOADING_OPTIONS(ROW)
#undef ROW
    };
    *loading = (struct loading){.server = server};
    loading->timer.on_time = on_time;
    loading->timer.position = -1;
    options_register(server->context.options, rows, sizeof rows / sizeof rows[0], &loading->options,
                     loading);
    loading->observer = (struct call_observer){
        .context = loading, .before = before_call, .after_min_ns = INT64_MAX};
    clients_observe(server->context.clients, &loading->observer);
}

/* From the threads that decode. */
static void wake(void *context) {
    loop_wake(context);
}

static int thread_count(const struct loading *loading) {
    cpu_set_t allowed;
    if (loading->options.threads > 0) {
        return (int)loading->options.threads;
    }
    int count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    /* Who is served has a processor. */
    count -= loading->options.mode == LOADING_SERVE && count > 1;
    return count < LOAD_THREADS_MAX ? count : LOAD_THREADS_MAX;
}

static void on_note(void *context, struct bytes name, struct bytes value) {
    (void)context;
    if (bytes_is(name, "redis-ver") || bytes_is(name, "valkey-ver")) {
        log_notice("The file of the data was written by %.*s %.*s.", (int)(name.size - 4), name.at,
                   bytes_printed(value), value.at);
    }
}

static void on_function(void *context, struct bytes source) {
    const struct loading *loading = context;
    const struct server_control *control = &loading->server->control;
    control->libraries.take(control->server, source);
}

/* How much of memory the file's keys may take, where the least used ones would be evicted
 * anyway; 0: what comes is not looked at by its use. */
static uint64_t room_of(const struct server *server) {
    const struct evict *evict = &server->evict;
    enum limit_policy policy = (enum limit_policy)evict->limit->options.policy;
    if (evict->bytes_max == 0 || (policy != LIMIT_ALLKEYS_LRU && policy != LIMIT_ALLKEYS_LFU &&
                                  policy != LIMIT_ALLKEYS_ADAPTIVE)) {
        return 0;
    }
    int64_t room = evict->bytes_max - evict_used(evict);
    return room > 1 ? (uint64_t)room : 1;
}

static struct load_setup setup_of(struct loading *loading) {
    struct server *server = loading->server;
    const struct saving *saving = server->context.saving;
    return (struct load_setup){.path = saving_file_name(saving),
                               .keyspace = &server->keyspace,
                               .evict = &server->evict,
                               .threads = thread_count(loading),
                               .room = room_of(server),
                               .ignores_sum = !saving_options(saving)->checksum,
                               .wake = wake,
                               .wake_context = server->loop,
                               .on_note = on_note,
                               .on_function =
                                   server->control.libraries.take != NULL ? on_function : NULL,
                               .context = loading};
}

static void tell_damage(const struct loading *loading, const struct rdb_damage *damage) {
    log_warning("%s is damaged at byte %llu: %s.",
                saving_file_name(loading->server->context.saving),
                (unsigned long long)damage->offset, damage->text);
}

static int cannot_begin(const struct loading *loading, int status,
                        const struct rdb_damage *damage) {
    if (status == -ENOENT) {
        return 0;
    }
    if (status == -EBADMSG) {
        tell_damage(loading, damage);
    } else {
        log_warning("%s cannot be loaded: %s.", saving_file_name(loading->server->context.saving),
                    strerror(-status));
    }
    return -1;
}

int loading_start(struct loading *loading) {
    struct server *server = loading->server;
    struct load_setup setup = setup_of(loading);
    struct rdb_damage damage;
    int status;
    setup.is_shared = loading->options.mode == LOADING_SERVE;
    loading->load = load_begin(&setup, &status, &damage);
    if (loading->load == NULL) {
        return cannot_begin(loading, status, &damage);
    }
    loading->start_ms = server->clock.now_ms;
    loading->start_us = clock_mono_us();
    loading->told_us = loading->start_us;
    loading->observer.before_on = setup.is_shared;
    server->control.loading = setup.is_shared ? CONTROL_LOADING_SHARED : CONTROL_LOADING_ALONE;
    log_notice("Loading %s, %.1f MB, on %d threads.", setup.path,
               (double)load_figures(loading->load)->bytes_total / 1e6, setup.threads);
    return 0;
}

void loading_stop(struct loading *loading) {
    if (loading->load != NULL) {
        loading->last = *load_figures(loading->load);
    }
    load_free(loading->load);
    loading->load = NULL;
    if (loading->server->loop != NULL) {
        loop_timer_remove(loading->server->loop, &loading->timer);
    }
    loading->observer.before_on = false;
    loading->server->control.loading = CONTROL_LOADING_NOT;
}

/* ---- its end ---- */

static void tell_end(const struct loading *loading) {
    const struct load_figures *figures = &loading->last;
    double seconds = (double)(clock_mono_us() - loading->start_us) / US_PER_SECOND;
    log_notice("Loaded %llu keys in %.3f seconds; left out: %llu expired, %llu that clients have "
               "written meanwhile.",
               (unsigned long long)figures->keys, seconds, (unsigned long long)figures->expired,
               (unsigned long long)figures->outdone);
    if (figures->unwanted > 0) {
        log_notice("%llu keys that were used least have no room within maxmemory.",
                   (unsigned long long)figures->unwanted);
    }
    if (figures->empty > 0) {
        log_warning("%llu collections without elements were left out.",
                    (unsigned long long)figures->empty);
    }
    if (figures->functions > 0) {
        log_warning("%llu libraries of functions were left out: they are not supported.",
                    (unsigned long long)figures->functions);
    }
}

/* The damaged file gets a second name, for the first will be that of another file. */
static void keep_damaged(const struct loading *loading) {
    const char *path = saving_file_name(loading->server->context.saving);
    char kept[NAME_MAX + sizeof LOADING_KEPT + 1];
    snprintf(kept, sizeof kept, "%s" LOADING_KEPT, path);
    (void)unlink(kept);
    if (link(path, kept) == 0) {
        log_warning("It is kept as %s; larder-check tells more about it.", kept);
    } else {
        log_warning("It cannot be kept as %s: %s. Copy it before the next snapshot replaces it.",
                    kept, strerror(errno));
    }
}

static void end(struct loading *loading, enum load_state state) {
    struct server *server = loading->server;
    bool was_shared = server->control.loading == CONTROL_LOADING_SHARED;
    if (state == LOAD_DAMAGED) {
        tell_damage(loading, load_damage(loading->load));
    }
    loading_stop(loading);
    if (state == LOAD_DAMAGED && !was_shared) {
        loading->failed = true;
        loop_stop(server->loop);
        return;
    }
    tell_end(loading);
    if (state == LOAD_DAMAGED) {
        loading->is_damaged = true;
        keep_damaged(loading);
    }
    if (!was_shared && loading->over != NULL) {
        loading->over(server);
    }
}

/* ---- going on ---- */

static int64_t slice_us(const struct loading *loading) {
    struct server *server = loading->server;
    if (server->control.loading == CONTROL_LOADING_ALONE) {
        return SLICE_ALONE_US;
    }
    int64_t left_us = CRON_PASS_US - loop_pass_us(server->loop);
    left_us = left_us < SLICE_SHARED_US ? left_us : SLICE_SHARED_US;
    return left_us > SLICE_SHARED_US_MIN ? left_us : SLICE_SHARED_US_MIN;
}

static void tell_progress(struct loading *loading) {
    int64_t now_us = clock_mono_us();
    if (now_us - loading->told_us < TELL_US) {
        return;
    }
    const struct load_figures *figures = load_figures(loading->load);
    loading->told_us = now_us;
    log_notice("Loading: %.1f %% done, %llu keys.",
               100 * (double)figures->bytes / (double)(figures->bytes_total + 1),
               (unsigned long long)figures->keys);
}

/* Whether this slice shall wait, since the one before was so short. */
static bool is_delayed(struct loading *loading) {
    int64_t delay_us = loading->options.delay_us;
    if (LIKELY(delay_us == 0)) {
        return false;
    }
    int64_t now_us = clock_mono_us();
    if (now_us < loading->due_us) {
        return true;
    }
    loading->due_us = now_us + KEYS_DELAYED * delay_us;
    if (loading->timer.position < 0) {
        loop_timer_add(loading->server->loop, &loading->timer, DELAY_LOOK_MS);
    }
    return false;
}

bool loading_idle(struct loading *loading) {
    if (LIKELY(loading->load == NULL) || is_delayed(loading)) {
        return false;
    }
    bool more;
    int64_t budget_us = loading->options.delay_us > 0 ? 0 : slice_us(loading);
    enum load_state state = load_pass(loading->load, budget_us, &more);
    clients_serve_waiting(loading->server->context.clients);
    if (state != LOAD_GOING) {
        end(loading, state);
        return true;
    }
    tell_progress(loading);
    return more;
}

bool loading_reload(struct loading *loading, bool replaces) {
    struct load_setup setup = setup_of(loading);
    struct rdb_damage damage;
    int status;
    setup.wake = NULL;
    setup.replaces = replaces;
    setup.room = 0;
    if (loading->load != NULL) {
        log_warning("The file is being loaded already.");
        return false;
    }
    struct load *load = load_begin(&setup, &status, &damage);
    if (load == NULL) {
        if (status == -ENOENT) {
            log_warning("There is no file %s.", setup.path);
        }
        return cannot_begin(loading, status, &damage) == 0 && status != -ENOENT;
    }
    bool fine = load_finish(load) == LOAD_DONE;
    if (!fine) {
        tell_damage(loading, load_damage(load));
    }
    loading->last = *load_figures(load);
    load_free(load);
    return fine;
}

/* ---- INFO ---- */

static void print_progress(const struct loading *loading, struct buffer *out) {
    const struct load_figures *figures = load_figures(loading->load);
    double done = (double)figures->bytes / (double)(figures->bytes_total + 1);
    double seconds = (double)(clock_mono_us() - loading->start_us) / US_PER_SECOND;
    buffer_printf(out,
                  "loading_start_time:%lld\r\nloading_total_bytes:%llu\r\n"
                  "loading_rdb_used_mem:0\r\nloading_loaded_bytes:%llu\r\n"
                  "loading_loaded_perc:%.2f\r\nloading_eta_seconds:%lld\r\n",
                  (long long)(loading->start_ms / 1000), (unsigned long long)figures->bytes_total,
                  (unsigned long long)figures->bytes, 100 * done,
                  (long long)(done > 0 ? seconds / done - seconds : 1));
}

void loading_print(const struct loading *loading, struct buffer *out) {
    const enum control_loading state = loading->server->control.loading;
    const struct load_figures *figures =
        loading->load != NULL ? load_figures(loading->load) : &loading->last;
    buffer_printf(out, "loading:%d\r\nasync_loading:%d\r\n", state == CONTROL_LOADING_ALONE,
                  state == CONTROL_LOADING_SHARED);
    if (loading->load != NULL) {
        print_progress(loading, out);
    }
    buffer_printf(out,
                  "load_mode:%s\r\nload_status:%s\r\nload_keys_outdone:%llu\r\n"
                  "load_keys_unwanted:%llu\r\nrdb_last_load_keys_expired:%llu\r\n"
                  "rdb_last_load_keys_loaded:%llu\r\n",
                  loading->options.mode == LOADING_SERVE ? "serve" : "block",
                  loading->load != NULL ? "loading"
                  : loading->is_damaged ? "damaged"
                                        : "ok",
                  (unsigned long long)figures->outdone, (unsigned long long)figures->unwanted,
                  (unsigned long long)figures->expired, (unsigned long long)figures->keys);
}
