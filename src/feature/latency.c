/* latency: a ring of samples for each event, and the settings of what is measured.
 *
 *     events   | "command" | "fast-command" | "expire-cycle" | ...   by their first spike
 *     samples  | s | s | s | . | . |     160 places of 16 bytes a ring, `next` is written next
 *
 * Invariants:
 * 1. events that are in the table have at least one sample;
 * 2. the samples of an event are at least a second apart, except after the clock went back;
 * 3. max_ms is at least each sample's ms. */
#include "feature/latency.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/call.h"
#include "client/client.h"

struct latency {
    struct call_observer observer;
    struct latency_event *events[LATENCY_EVENTS_MAX];
    size_t event_count;
    const struct clock *clock;
    struct clients *clients;
    double percentiles[LATENCY_PERCENTILES_MAX];
    size_t percentile_count;
    struct latency_options options;
    struct latency_metrics metrics;
};

/* Appends the percentiles in `text`, which may be several words. NULL or what is wrong. */
static const char *parse_percentiles(struct bytes text, double *out, size_t *count) {
    size_t at = 0;
    while (at < text.size) {
        size_t end = at;
        while (end < text.size && text.at[end] != ' ') {
            end++;
        }
        if (end > at) {
            double value;
            if (*count == LATENCY_PERCENTILES_MAX ||
                !num_parse_double(bytes_of(text.at + at, end - at), &value)) {
                return "Invalid latency-tracking-info-percentiles parameters";
            }
            if (!(value >= 0 && value <= 100)) {
                return "latency-tracking-info-percentiles parameters should sit between "
                       "[0.0,100.0]";
            }
            out[(*count)++] = value;
        }
        at = end + 1;
    }
    return NULL;
}

static bool set_percentiles(void *module, const struct bytes *words, int count,
                            const char **error) {
    struct latency *latency = module;
    double percentiles[LATENCY_PERCENTILES_MAX] = {0};
    size_t percentile_count = 0;
    for (int i = 0; i < count; i++) {
        const char *wrong = parse_percentiles(words[i], percentiles, &percentile_count);
        if (wrong != NULL) {
            *error = wrong;
            return false;
        }
    }
    memcpy(latency->percentiles, percentiles, percentile_count * sizeof percentiles[0]);
    latency->percentile_count = percentile_count;
    return true;
}

static void get_percentiles(void *module, struct buffer *out) {
    const struct latency *latency = module;
    for (size_t i = 0; i < latency->percentile_count; i++) {
        buffer_printf(out, "%s%.10g", i == 0 ? "" : " ", latency->percentiles[i]);
    }
}

static const struct option_custom latency_percentiles_option = {
    .set = set_percentiles,
    .get = get_percentiles,
};

static void after(void *context, const struct call *call, int64_t duration_ns) {
    if (call->script_us != NULL) {
        return; /* part of its script */
    }
    latency_note(context, call->command->flags & COMMAND_FAST ? "fast-command" : "command",
                 duration_ns / 1000);
}

bool latency_apply(void *module, const char **error) {
    (void)error;
    latency_start(module);
    return true;
}

void latency_start(struct latency *latency) {
    int64_t threshold_ms = latency->options.threshold_ms;
    latency->observer.after_min_ns = threshold_ms == 0 || threshold_ms > INT64_MAX / 1000000
                                         ? INT64_MAX
                                         : threshold_ms * 1000000;
    clients_track_latency(latency->clients, latency->options.tracking);
}

struct latency *latency_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct latency_options, __VA_ARGS__)
        LATENCY_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct latency_metrics, __VA_ARGS__)
        LATENCY_METRICS(ROW)
#undef ROW
    };
    struct latency *latency = mem_zalloc(MEM_FEATURE, sizeof *latency);
    latency->clock = context->clock;
    latency->clients = context->clients;
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &latency->options, latency);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &latency->metrics, latency, NULL);
    latency->observer.context = latency;
    latency->observer.after = after;
    latency_start(latency);
    clients_observe(context->clients, &latency->observer);
    return latency;
}

void latency_free(struct latency *latency) {
    latency_reset(latency, bytes_of("", 0));
    mem_free(MEM_FEATURE, latency, sizeof *latency);
}

const struct latency_options *latency_options(const struct latency *latency) {
    return &latency->options;
}

static struct latency_event *event_ready(struct latency *latency, const char *name) {
    for (size_t i = 0; i < latency->event_count; i++) {
        if (strcmp(latency->events[i]->name, name) == 0) {
            return latency->events[i];
        }
    }
    if (latency->event_count == LATENCY_EVENTS_MAX) {
        return NULL;
    }
    struct latency_event *event = mem_zalloc(MEM_FEATURE, sizeof *event);
    event->name = name;
    latency->events[latency->event_count++] = event;
    return event;
}

void latency_note(struct latency *latency, const char *name, int64_t duration_us) {
    int64_t ms = duration_us / 1000;
    if (latency->options.threshold_ms == 0 || ms < latency->options.threshold_ms) {
        return;
    }
    struct latency_event *event = event_ready(latency, name);
    if (event == NULL) {
        return;
    }
    latency->metrics.latency_spikes++;
    if (ms > event->max_ms) {
        event->max_ms = ms;
    }
    int64_t now_s = latency->clock->now_ms / 1000;
    struct latency_sample *newest =
        &event->samples[(event->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
    if (event->count > 0 && newest->time_s == now_s) {
        if (ms > newest->ms) {
            newest->ms = ms;
        }
        return;
    }
    event->samples[event->next] = (struct latency_sample){.time_s = now_s, .ms = ms};
    event->next = (event->next + 1) % LATENCY_SAMPLES;
    if (event->count < LATENCY_SAMPLES) {
        event->count++;
    }
}

const struct latency_event *latency_event_at(const struct latency *latency, size_t index) {
    return index < latency->event_count ? latency->events[index] : NULL;
}

const struct latency_event *latency_event_find(const struct latency *latency, struct bytes name) {
    for (size_t i = 0; i < latency->event_count; i++) {
        if (bytes_is(name, latency->events[i]->name)) {
            return latency->events[i];
        }
    }
    return NULL;
}

size_t latency_reset(struct latency *latency, struct bytes name) {
    size_t kept = 0;
    size_t forgotten = 0;
    for (size_t i = 0; i < latency->event_count; i++) {
        struct latency_event *event = latency->events[i];
        if (name.size == 0 || bytes_is(name, event->name)) {
            mem_free(MEM_FEATURE, event, sizeof *event);
            forgotten++;
        } else {
            latency->events[kept++] = event;
        }
    }
    latency->event_count = kept;
    return forgotten;
}

size_t latency_percentiles(const struct latency *latency, const double **percentiles) {
    *percentiles = latency->percentiles;
    return latency->percentile_count;
}
