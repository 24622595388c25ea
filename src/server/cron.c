/* cron: one timer with the frequency of the option hz, and in it what has its own frequency. */
#include "server/cron.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client.h"
#include "feature/latency.h"
#include "feature/topkeys.h"
#include "persist/saving.h"
#include "server/server.h"
#include "store/expire.h"

#define TENTH_US 100000
#define NS_IN_US 1000

/* How long an idle loop sleeps while a snapshot has used up what was lent to it. */
#define SAVE_WAIT_MS 1

static int64_t period_ms(const struct cron *cron) {
    int64_t ms = 1000 / cron->server->options.hz;
    return ms < CRON_MS_MAX ? ms : CRON_MS_MAX;
}

/* How much of this pass is left for background work. */
static int64_t left_us(const struct cron *cron) {
    return CRON_PASS_US - loop_pass_us(cron->server->loop);
}

static int64_t slice_us(const struct cron *cron) {
    int64_t left = left_us(cron);
    left = left < CRON_SLICE_US_MIN ? CRON_SLICE_US_MIN : left;
    return left < CRON_SLICE_US ? left : CRON_SLICE_US;
}

static void expire_slice(struct cron *cron) {
    struct server *server = cron->server;
    int64_t start_us = clock_mono_us();
    int64_t lag_ms = expire_lag_ms(&server->keyspace);
    cron->expire_lag_max_ms = lag_ms > cron->expire_lag_max_ms ? lag_ms : cron->expire_lag_max_ms;
    int64_t budget_us = lag_ms >= CRON_LATE_MS ? CRON_SLICE_LATE_US : slice_us(cron);
    cron->behind = !keyspace_expire(&server->keyspace, budget_us);
    int64_t taken_us = clock_mono_us() - start_us;
    cron->slices++;
    cron->expire_cut_short += cron->behind;
    cron->expire_us += (uint64_t)taken_us;
    latency_note(server->context.latency, "expire-cycle", taken_us);
}

/* What the keys may take: all that the limit leaves them; without one, what they take. */
static uint64_t room_for_keys(const struct server *server) {
    uint64_t stored = mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE) + mem_used_by(MEM_DEADLINE);
    uint64_t limit = (uint64_t)limit_bytes(&server->limit);
    uint64_t used = mem_used() - mem_used_by(MEM_BUFFER);
    uint64_t beside = used > stored ? used - stored : 0;
    if (limit == 0) {
        return stored;
    }
    return limit > beside ? limit - beside : 0;
}

static int64_t on_time(struct loop_timer *timer) {
    struct cron *cron = (struct cron *)timer;
    struct server *server = cron->server;
    if (!cron->behind) {
        expire_slice(cron);
    }
    if (server->clock.mono_us >= cron->tenth_due_us) {
        cron->tenth_due_us = server->clock.mono_us + TENTH_US;
        clients_cron(server->context.clients);
        mem_note_peak();
        info_sample(&server->info);
        recorder_look(&server->recorder);
        topkeys_cron(server->context.topkeys);
        estimate_tick(&server->keyspace, room_for_keys(server));
        saving_cron(server->context.saving);
    }
    return period_ms(cron);
}

/* The loop has woken; cron_idle does the rest, at the end of this pass. */
static int64_t on_compact_time(struct loop_timer *timer) {
    (void)timer;
    return COMPACT_PERIOD_MS;
}

/* The loop has woken: what it woke for is at the end of this pass. */
static int64_t on_save_time(struct loop_timer *timer) {
    struct cron *cron = (struct cron *)((char *)timer - offsetof(struct cron, save_timer));
    cron->save_waits = false;
    return -1;
}

void cron_reset(struct cron *cron) {
    cron->expire_us = 0;
    cron->expire_cut_short = 0;
    cron->expire_lag_max_ms = 0;
}

static void on_eviction(void *context, const char *event, int64_t duration_us) {
    latency_note(context, event, duration_us);
}

void cron_start(struct cron *cron, struct server *server) {
    *cron = (struct cron){.server = server};
    server->evict.took = on_eviction;
    server->evict.took_context = server->context.latency;
    server->evict.timed_ms = &latency_options(server->context.latency)->threshold_ms;
    cron->timer.on_time = on_time;
    cron->timer.position = -1;
    cron->compact_timer.on_time = on_compact_time;
    cron->compact_timer.position = -1;
    cron->save_timer.on_time = on_save_time;
    cron->save_timer.position = -1;
    loop_timer_add(server->loop, &cron->timer, 0);
}

void cron_retime(struct cron *cron) {
    loop_timer_add(cron->server->loop, &cron->timer, period_ms(cron));
}

/* Brings the use of memory down to its limit, if it is above. */
static bool evict_some(struct cron *cron) {
    struct server *server = cron->server;
    if (!evict_is_wanted(&server->evict)) {
        return false;
    }
    int64_t start_us = clock_mono_us();
    bool more = evict_slice(&server->evict, slice_us(cron));
    latency_note(server->context.latency, "eviction-cycle", clock_mono_us() - start_us);
    return more;
}

static void compact_some(struct cron *cron) {
    struct server *server = cron->server;
    int64_t spent_us = server->compact.spent_us;
    bool more = compact_pass(&server->compact, left_us(cron));
    if (server->compact.spent_us > spent_us) {
        latency_note(server->context.latency, "active-defrag-cycle",
                     server->compact.spent_us - spent_us);
    }
    if (more != cron->compacting) {
        cron->compacting = more;
        if (more) {
            loop_timer_add(server->loop, &cron->compact_timer, COMPACT_PERIOD_MS);
        } else {
            loop_timer_remove(server->loop, &cron->compact_timer);
        }
    }
}

/* A part of the snapshot that is being written, as long as its pace allows. Whether there is more
 * to do at once. */
static bool save_some(struct cron *cron) {
    struct saving *saving = cron->server->context.saving;
    if (!saving_is_busy(saving)) {
        return false;
    }
    int64_t start_ns = clock_mono_ns();
    int64_t pass_ns = loop_pass_us(cron->server->loop) * NS_IN_US;
    int64_t slice_ns = pace_slice(&cron->save_pace, start_ns, pass_ns, saving_kept(saving));
    if (slice_ns > 0) {
        bool more = saving_pass(saving, slice_ns / NS_IN_US);
        pace_spent(&cron->save_pace, clock_mono_ns() - start_ns);
        return more;
    }
    if (!cron->save_waits) {
        cron->save_waits = true;
        loop_timer_add(cron->server->loop, &cron->save_timer, SAVE_WAIT_MS);
    }
    return false;
}

bool cron_idle(struct cron *cron) {
    bool saves = save_some(cron);
    bool over = evict_some(cron);
    compact_some(cron);
    if (cron->behind) {
        expire_slice(cron);
    }
    return cron->behind || over || saves;
}
