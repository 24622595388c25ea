/* health: a list of questions, the gravest first; the first one that is answered yes is what is
 * wrong. What is asked is what somebody would have to do something about. */
#include "server/health.h"

#include <stdbool.h>
#include <stdio.h>

#include "client/client.h"
#include "feature/history.h"
#include "persist/saving.h"
#include "server/server.h"
#include "store/evict.h"
#include "store/expire.h"

#define MB 1048576.0
/* Use above the limit for so long is not just what is being evicted. */
#define OVER_US_MAX 2000000
/* Milliseconds behind their deadline at which keys leave too late. */
#define EXPIRE_LAG_MS 5000
/* Seconds that the latency is looked at for, and what is slow: requests that wait a hundred times
 * as long as one takes over a network. */
#define SLOW_SECONDS 10
#define SLOW_NS      20000000

typedef bool (*question_fn)(const struct server *server, char *text, size_t room);

static bool is_loading(const struct server *server, char *text, size_t room) {
    snprintf(text, room, "The data is being loaded: commands are refused until that is done.");
    return server->control.loading == CONTROL_LOADING_ALONE;
}

static bool has_failed_save(const struct server *server, char *text, size_t room) {
    snprintf(text, room, "The last save failed%s. The log says why.",
             server->control.refuses_writes
                 ? ", so writes are refused (stop-writes-on-bgsave-error)"
                 : ": what has changed since would be lost");
    return saving_has_failed(server->context.saving);
}

static bool keeps_all(const struct server *server) {
    return server->limit.options.policy == LIMIT_NOEVICTION;
}

/* A share of the limit that is in use; 0 without one. */
static double use_of_limit(const struct server *server) {
    int64_t limit = limit_bytes(&server->limit);
    return limit == 0 ? 0 : (double)evict_used(&server->evict) / (double)limit;
}

static bool is_full(const struct server *server, char *text, size_t room) {
    snprintf(
        text, room,
        "Memory is full (%.0f MB) and the policy is noeviction: commands that add are refused.",
        (double)limit_bytes(&server->limit) / MB);
    return keeps_all(server) && use_of_limit(server) >= 0.995;
}

static bool finds_no_victim(const struct server *server, char *text, size_t room) {
    int64_t since_us = server->evict.over_since_us;
    snprintf(text, room,
             "Memory is above its limit, and %s finds too little that may go: commands that add "
             "may be refused.",
             limit_policy_name((enum limit_policy)server->limit.options.policy));
    return !keeps_all(server) && since_us != 0 && server->clock.mono_us - since_us > OVER_US_MAX &&
           use_of_limit(server) > 1;
}

static bool refuses_clients(const struct server *server, char *text, size_t room) {
    size_t count = clients_count(server->context.clients);
    int64_t most = clients_options(server->context.clients)->client_max;
    snprintf(text, room, "%zu of %lld connections are taken (maxclients): more are refused.", count,
             (long long)most);
    return (int64_t)count * 100 >= most * 98;
}

static bool is_almost_full(const struct server *server, char *text, size_t room) {
    double use = use_of_limit(server);
    snprintf(text, room, "Memory is %.0f %% full, and the policy is noeviction.", use * 100);
    return keeps_all(server) && use >= 0.9;
}

static bool expires_late(const struct server *server, char *text, size_t room) {
    int64_t lag_ms = expire_lag_ms(&server->keyspace);
    snprintf(text, room, "Expired keys leave %lld s late.", (long long)(lag_ms / 1000));
    return lag_ms >= EXPIRE_LAG_MS && !server->keyspace.expire_paused;
}

/* Whether each of the last seconds was slow. */
static bool is_slow(const struct server *server, char *text, size_t room) {
    const struct history *history = server->context.history;
    size_t count = history_count(history, HISTORY_BY_SECOND);
    float least = SLOW_NS * 1000.0F;
    for (size_t age = 0; age < SLOW_SECONDS && age < count; age++) {
        float p99 = history_at(history, HISTORY_BY_SECOND, age)->values[HISTORY_P99];
        least = p99 < least ? p99 : least;
    }
    snprintf(text, room, "One request in a hundred waits longer than %.0f ms.",
             (double)least / 1e6);
    return count >= SLOW_SECONDS && least >= SLOW_NS;
}

enum control_health health_tell(void *context, char *text, size_t room) {
    static const struct {
        question_fn ask;
        enum control_health answer;
    } questions[] = {
        {is_loading, CONTROL_UNWELL},      {has_failed_save, CONTROL_UNWELL},
        {is_full, CONTROL_UNWELL},         {finds_no_victim, CONTROL_UNWELL},
        {refuses_clients, CONTROL_UNWELL}, {is_almost_full, CONTROL_WARNED},
        {is_slow, CONTROL_WARNED},         {expires_late, CONTROL_WARNED},
    };
    const struct server *server = context;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (questions[i].ask(server, text, room)) {
            return questions[i].answer;
        }
    }
    snprintf(text, room, "Healthy.");
    return CONTROL_WELL;
}
