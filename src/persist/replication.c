/* replication: see the header. Here: histories, roles, and what follows from them for clients. */
#include "persist/replication_int.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/num.h"
#include "base/random.h"
#include "call/control.h"
#include "client/waiting.h"
#include "persist/full_sync.h"
#include "persist/link.h"
#include "store/evict.h"

#define US_PER_SECOND INT64_C(1000000)

/* ---- histories ---- */

static void draw_id(char id[REPLICATION_ID_SIZE + 1]) {
    unsigned char secret[REPLICATION_ID_SIZE / 2];
    random_secret(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        snprintf(id + 2 * i, 3, "%02x", secret[i]);
    }
}

static void forget_second(struct replication *replication) {
    memset(replication->second_id, '0', REPLICATION_ID_SIZE);
    replication->second_id[REPLICATION_ID_SIZE] = '\0';
    replication->second_end = -1;
}

void replication_begin_history(struct replication *replication) {
    draw_id(replication->id);
    forget_second(replication);
}

void replication_change_id(struct replication *replication) {
    replication_begin_history(replication);
}

void replication_fork_history(struct replication *replication) {
    memcpy(replication->second_id, replication->id, sizeof replication->id);
    replication->second_end = (int64_t)replication->backlog.end + 1;
    draw_id(replication->id);
}

void replication_adopt(struct replication *replication, struct bytes id, uint64_t offset) {
    check(id.size == REPLICATION_ID_SIZE);
    primary_drop_all(replication);
    memcpy(replication->id, id.at, id.size);
    forget_second(replication);
    backlog_clear(&replication->backlog);
    backlog_init(&replication->backlog, offset);
}

/* ---- the stream ---- */

static void passed(void *context, struct bytes unit, int commands) {
    struct replication *replication = context;
    (void)commands;
    if (!replication->is_replica) {
        replication_append(replication, unit);
        replication->written = replication->backlog.end;
    }
}

void replication_record(struct replication *replication) {
    if (!replication->is_recording) {
        replication->is_recording = true;
        pass_on_listen(replication->context->pass_on, &replication->listener);
    }
}

void replication_append(struct replication *replication, struct bytes bytes) {
    if (!replication->is_recording) {
        return;
    }
    if (UNLIKELY(!backlog_append(&replication->backlog, bytes))) {
        replication->is_torn = true;
    }
    replication->written_us = replication_now_us(replication);
    replication->watcher.has_work = true;
}

uint64_t replication_offset(const struct replication *replication) {
    return replication->backlog.end;
}

void replication_forget_stream(struct replication *replication) {
    backlog_clear(&replication->backlog);
    replication->is_recording = false;
    pass_on_unlisten(replication->context->pass_on, &replication->listener);
    replication_begin_history(replication);
}

/* ---- roles ---- */

void replication_tell(struct replication *replication) {
    struct context *context = replication->context;
    const struct replication_options *options = &replication->options;
    struct control_role *role = &context->control->role;
    bool is_replica = replication->is_replica;
    bool is_down = is_replica &&
                   (replication->link == NULL || link_state(replication->link) != LINK_FOLLOWING);
    role->read_only = is_replica && options->read_only;
    role->stale = is_down && !options->serve_stale;
    role->lonely = !is_replica && options->least_replicas > 0 && options->lag_seconds_max > 0 &&
                   primary_good_replicas(replication) < options->least_replicas;
    /* During a failover nothing goes of itself, for that would have to be passed on. */
    bool is_changing = failover_is_on(replication);
    context->keyspace->keeps_expired = (is_replica && options->read_only) || is_changing;
    evict_suspend(context->evict, (is_replica && options->ignore_limit) || is_changing);
    clients_state_changed(context->clients);
}

bool replication_apply(void *module, const char **error) {
    (void)error;
    replication_tell(module);
    return true;
}

const char *replication_id(const struct replication *replication) {
    return replication->id;
}

bool replication_is_replica(const struct replication *replication) {
    return replication->is_replica;
}

/* A client's own transaction that writes and then gives its server a primary: what it has written
 * is in nobody's stream. */
static bool has_unheard_writes(const struct replication *replication) {
    return replication->is_recording && !replication->is_replica &&
           replication->context->pass_on->commands > 0;
}

bool replication_follow(struct replication *replication, struct bytes host, int64_t port) {
    if (replication->is_replica && port == replication->primary_port &&
        bytes_is(host, replication->host)) {
        return false;
    }
    check(host.size < sizeof replication->host);
    bool is_unheard = has_unheard_writes(replication);
    if (replication->link != NULL) {
        link_free(replication->link);
    } else {
        waiting_end_all(replication->context->clients,
                        "UNBLOCKED force unblock from blocking operation, instance state changed "
                        "(master -> replica?)");
    }
    if (!replication->is_replica) {
        replication->can_resume = replication->is_recording && !is_unheard;
    }
    memcpy(replication->host, host.at, host.size);
    replication->host[host.size] = '\0';
    replication->primary_port = port;
    replication->is_replica = true;
    replication->link = link_new(replication);
    log_notice("Following %s:%lld.", replication->host, (long long)port);
    replication_tell(replication);
    return true;
}

void replication_promote(struct replication *replication) {
    if (!replication->is_replica) {
        return;
    }
    link_free(replication->link);
    replication->link = NULL;
    replication->is_replica = false;
    replication->host[0] = '\0';
    replication->primary_port = 0;
    replication_fork_history(replication);
    replication->written = replication->backlog.end;
    primary_drop_all(replication);
    pass_on_select_again(replication->context->pass_on);
    log_notice("Following nobody any more.");
    replication_tell(replication);
}

void replication_role(const struct replication *replication, struct replication_role *role) {
    static const char *const names[] = {
        [LINK_WAITING] = "connect",    [LINK_CONNECTING] = "connecting",
        [LINK_GREETING] = "handshake", [LINK_ASKING] = "handshake",
        [LINK_RECEIVING] = "sync",     [LINK_CHECKING] = "sync",
        [LINK_LOADING] = "sync",       [LINK_FOLLOWING] = "connected",
    };
    enum link_state state = link_state(replication->link);
    *role = (struct replication_role){
        .host = replication->host,
        .port = replication->primary_port,
        .link = names[state],
        .offset = state == LINK_FOLLOWING ? (int64_t)replication->backlog.end : -1,
    };
}

/* ---- the option replicaof ---- */

/* The option is set before the server runs: replication_start follows. */
static bool set_primary(void *module, const struct bytes *words, int count, const char **error) {
    struct replication *replication = module;
    int64_t port = 0;
    bool is_none = (count == 1 && words[0].size == 0) ||
                   (count == 2 && bytes_is(words[0], "no") && bytes_is(words[1], "one"));
    if (is_none) {
        replication->host[0] = '\0';
        return true;
    }
    if (count != 2) {
        *error = "wrong number of arguments";
        return false;
    }
    if (!num_parse_i64(words[1], &port) || port < 0 || port > 65535) {
        *error = "Invalid master port";
        return false;
    }
    if (words[0].size == 0 || words[0].size >= sizeof replication->host) {
        *error = "Invalid master host";
        return false;
    }
    memcpy(replication->host, words[0].at, words[0].size);
    replication->host[words[0].size] = '\0';
    replication->primary_port = port;
    return true;
}

static void get_primary(void *module, struct buffer *out) {
    const struct replication *replication = module;
    if (replication->host[0] != '\0') {
        buffer_printf(out, "%s %lld", replication->host, (long long)replication->primary_port);
    }
}

static void rewrite_primary(void *module, struct buffer *out) {
    const struct replication *replication = module;
    if (replication->host[0] != '\0') {
        buffer_printf(out, "replicaof %s %lld\n", replication->host,
                      (long long)replication->primary_port);
    }
}

static const struct option_custom replication_primary_option = {
    .set = set_primary, .get = get_primary, .rewrite = rewrite_primary};

/* ---- life ---- */

static int64_t on_time(struct loop_timer *timer) {
    struct replication *replication =
        (struct replication *)(void *)((char *)timer - offsetof(struct replication, timer));
    if (replication->link != NULL) {
        link_cron(replication->link);
    }
    primary_cron(replication);
    failover_look(replication);
    return REPLICATION_CRON_MS;
}

static void pass_ends(void *context) {
    struct replication *replication = context;
    replication->watcher.has_work = false;
    if (replication->link != NULL && link_pass(replication->link)) {
        replication->watcher.has_work = true;
    }
    primary_pass(replication);
    failover_look(replication);
}

static void client_leaves(void *context, struct client *client) {
    primary_leaves(context, client);
}

struct replication *replication_new(struct context *context) {
    static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct replication_options, __VA_ARGS__)
        REPLICATION_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct replication_metrics, __VA_ARGS__)
        REPLICATION_METRICS(ROW)
#undef ROW
            {.name = "replication",
             .section = METRIC_REPLICATION,
             .kind = METRIC_KIND_LINES,
             .text = replication_print,
             .description = "Whom this server follows, and who follows it."},
    };
    struct replication *replication = mem_zalloc(MEM_OTHER, sizeof *replication);
    replication->context = context;
    backlog_init(&replication->backlog, 0);
    replication_begin_history(replication);
    replication->timer = (struct loop_timer){.on_time = on_time, .position = -1};
    replication->listener = (struct pass_on_listener){.context = replication, .passed = passed};
    replication->watcher = (struct client_watcher){
        .context = replication, .leaves = client_leaves, .pass_ends = pass_ends};
    clients_watch(context->clients, &replication->watcher);
    options_register(context->options, rows, sizeof rows / sizeof rows[0], &replication->options,
                     replication);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &replication->metrics, replication, NULL);
    return replication;
}

void replication_start(struct replication *replication) {
    loop_timer_add(replication->context->loop, &replication->timer, REPLICATION_CRON_MS);
    if (replication->host[0] != '\0') {
        char host[REPLICATION_HOST_SIZE];
        memcpy(host, replication->host, sizeof host);
        replication_follow(replication, bytes_text(host), replication->primary_port);
    }
}

void replication_stop(struct replication *replication) {
    if (replication->context->loop != NULL) {
        loop_timer_remove(replication->context->loop, &replication->timer);
    }
    if (replication->link != NULL) {
        link_free(replication->link);
        replication->link = NULL;
    }
    full_sync_stop(replication);
    if (replication->is_recording) {
        replication_forget_stream(replication);
    }
    backlog_clear(&replication->backlog);
}

void replication_free(struct replication *replication) {
    mem_free(MEM_OTHER, replication, sizeof *replication);
}

const struct replication_options *replication_options(const struct replication *replication) {
    return &replication->options;
}

void replication_set_ways(struct replication *replication, const struct replication_ways *ways) {
    replication->ways = *ways;
}

int64_t replication_own_port(const struct replication *replication) {
    const struct replication_ways *ways = &replication->ways;
    return replication_is_secure(replication) ? *ways->tls_port : *ways->port;
}
