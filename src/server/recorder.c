/* recorder: a second's point is what the counters say less what they said a second ago. Percentiles
 * are those of what was recorded since: the distribution as it is, less as it was.
 *
 * Costs: about 20 us a second, for the distributions of latency are added and subtracted. */
#include "server/recorder.h"

#include "base/histogram.h"
#include "base/mem.h"
#include "client/client.h"
#include "server/server.h"

#define US_PER_SECOND 1000000

static void count(const struct server *server, uint64_t counts[HISTORY_P50]) {
    const struct client_metrics *clients = clients_metrics(server->context.clients);
    const struct keyspace_metrics *keyspace = &server->keyspace.metrics;
    counts[HISTORY_REQUESTS] = clients->total_commands_processed;
    counts[HISTORY_HITS] = keyspace->keyspace_hits;
    counts[HISTORY_MISSES] = keyspace->keyspace_misses;
    counts[HISTORY_EVICTED] = keyspace->evicted_keys;
    counts[HISTORY_EXPIRED] = keyspace->expired_keys;
    counts[HISTORY_INPUT] = clients->total_net_input_bytes;
    counts[HISTORY_OUTPUT] = clients->total_net_output_bytes;
}

/* The distribution of all latencies since start; the caller's. */
static struct histogram *latency_now(const struct server *server) {
    struct histogram *latency = histogram_new();
    clients_hold(server->context.clients);
    clients_add_latency(server->context.clients, latency);
    clients_release(server->context.clients);
    return latency;
}

static void set_sums(struct history_point *point, const struct recorder_mark *mark,
                     const uint64_t counts[HISTORY_P50]) {
    for (int series = 0; series < HISTORY_P50; series++) {
        uint64_t before = mark->counts[series];
        /* CONFIG RESETSTAT sets a counter back. */
        uint64_t grown = counts[series] < before ? counts[series] : counts[series] - before;
        point->values[series] = (float)grown;
    }
}

static void set_percentiles(struct history_point *point, const struct recorder_mark *mark,
                            const struct histogram *latency) {
    struct histogram *since = histogram_new();
    histogram_merge(since, latency);
    if (histogram_count(latency) >= histogram_count(mark->latency)) {
        histogram_subtract(since, mark->latency);
    }
    point->values[HISTORY_P50] = (float)histogram_percentile(since, 50);
    point->values[HISTORY_P99] = (float)histogram_percentile(since, 99);
    point->values[HISTORY_P999] = (float)histogram_percentile(since, 99.9);
    histogram_free(since);
}

static void set_states(struct history_point *point, const struct server *server) {
    float data = (float)mem_used_by(MEM_DATA);
    float tables = (float)(mem_used_by(MEM_TABLE) + mem_used_by(MEM_DEADLINE));
    float buffers =
        (float)(mem_used_by(MEM_CLIENT) + mem_used_by(MEM_BUFFER) + mem_used_by(MEM_ARENA));
    float other = (float)mem_used() - data - tables - buffers;
    point->values[HISTORY_KEYS] = (float)keyspace_size(&server->keyspace);
    point->values[HISTORY_CLIENTS] = (float)clients_count(server->context.clients);
    point->values[HISTORY_DATA] = data;
    point->values[HISTORY_TABLES] = tables;
    point->values[HISTORY_BUFFERS] = buffers;
    point->values[HISTORY_OTHER] = other > 0 ? other : 0;
}

static void make(struct history_point *point, const struct recorder *recorder,
                 const struct recorder_mark *mark, const uint64_t counts[HISTORY_P50],
                 const struct histogram *latency) {
    set_sums(point, mark, counts);
    set_percentiles(point, mark, latency);
    set_states(point, recorder->server);
}

/* The next point begins with what is now. */
static void set_mark(struct recorder_mark *mark, const uint64_t counts[HISTORY_P50],
                     const struct histogram *latency) {
    for (int series = 0; series < HISTORY_P50; series++) {
        mark->counts[series] = counts[series];
    }
    histogram_reset(mark->latency);
    histogram_merge(mark->latency, latency);
}

/* `passed` seconds are over, the last of them now. */
static void record(struct recorder *recorder, uint64_t passed) {
    struct server *server = recorder->server;
    struct history *history = server->context.history;
    struct histogram *latency = latency_now(server);
    int64_t now_s = server->clock.now_ms / 1000;
    uint64_t minutes = (recorder->seconds + passed) / HISTORY_MINUTE;
    uint64_t full = minutes - recorder->seconds / HISTORY_MINUTE;
    uint64_t counts[HISTORY_P50];
    struct history_point point;
    count(server, counts);
    make(&point, recorder, &recorder->second, counts, latency);
    history_add(history, HISTORY_BY_SECOND, now_s, passed - 1, &point);
    set_mark(&recorder->second, counts, latency);
    if (full > 0) {
        make(&point, recorder, &recorder->minute, counts, latency);
        history_add(history, HISTORY_BY_MINUTE, now_s, full - 1, &point);
        set_mark(&recorder->minute, counts, latency);
    }
    recorder->seconds += passed;
    histogram_free(latency);
}

void recorder_look(struct recorder *recorder) {
    int64_t now_us = recorder->server->clock.mono_us;
    int64_t due = (now_us - recorder->began_us) / US_PER_SECOND;
    if (due > (int64_t)recorder->seconds) {
        record(recorder, (uint64_t)due - recorder->seconds);
    }
}

void recorder_start(struct recorder *recorder, struct server *server) {
    uint64_t counts[HISTORY_P50];
    struct histogram *latency = latency_now(server);
    *recorder = (struct recorder){.server = server, .began_us = server->clock.mono_us};
    recorder->second.latency = histogram_new();
    recorder->minute.latency = histogram_new();
    count(server, counts);
    set_mark(&recorder->second, counts, latency);
    set_mark(&recorder->minute, counts, latency);
    histogram_free(latency);
}

void recorder_free(struct recorder *recorder) {
    histogram_free(recorder->second.latency);
    histogram_free(recorder->minute.latency);
}
