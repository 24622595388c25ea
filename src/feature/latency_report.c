/* latency_report: the graph has GRAPH_ROWS rows of characters with three heights each, so that a
 * sample is drawn in one of twelve steps between the lowest and the highest. Twelve are enough to
 * see a pattern, which is all that a graph in a terminal is for.
 *
 *          #          top third of a row
 *        o |          middle third
 *      _ | |          bottom third
 *      1 9 5          ages, read downwards: 19s, 9s, 5s */
#include "feature/latency_report.h"

#include <stdio.h>
#include <string.h>

#define GRAPH_ROWS    4
#define GRAPH_STEPS   (GRAPH_ROWS * 3)
#define GRAPH_COLUMNS 80
/* "99999d": an age in one unit and its letter. */
#define AGE_SIZE 24

static void age_text(int64_t age_s, char text[AGE_SIZE]) {
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t age = age_s < 0 ? 0 : age_s;
    size_t unit = 0;
    while (unit < 3 && age < units[unit].seconds) {
        unit++;
    }
    snprintf(text, AGE_SIZE, "%lld%c", (long long)(age / units[unit].seconds), units[unit].letter);
}

/* The step of 0 .. GRAPH_STEPS - 1 that a value is drawn in. */
static int step_of(int64_t ms, const struct latency_figures *figures) {
    if (figures->high_ms == figures->low_ms) {
        return 0;
    }
    int step = (int)((double)(ms - figures->low_ms) * GRAPH_STEPS /
                     (double)(figures->high_ms - figures->low_ms));
    return step < GRAPH_STEPS ? step : GRAPH_STEPS - 1;
}

static char mark_of(int step, int row_from_bottom) {
    int height = step - row_from_bottom * 3;
    if (height < 0) {
        return ' ';
    }
    return height < 3 ? "_o#"[height] : '|';
}

/* Draws the samples [from, from + count). */
static void print_columns(const struct latency_event *event, size_t from, size_t count,
                          const struct latency_figures *figures, int64_t now_s,
                          struct buffer *out) {
    for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
        for (size_t i = 0; i < count; i++) {
            int step = step_of(latency_sample_at(event, from + i)->ms, figures);
            buffer_append_byte(out, mark_of(step, row));
        }
        buffer_append_byte(out, '\n');
    }
    bool more = true;
    /* An empty row first: ages begin at row 1. */
    for (size_t row = 0; more; row++) {
        char line[GRAPH_COLUMNS];
        more = row == 0;
        for (size_t i = 0; i < count; i++) {
            char age[AGE_SIZE];
            age_text(now_s - latency_sample_at(event, from + i)->time_s, age);
            bool has = row > 0 && row <= strlen(age);
            line[i] = has ? age[row - 1] : ' ';
            more = more || has;
        }
        if (more) {
            buffer_append(out, line, count);
            buffer_append_byte(out, '\n');
        }
    }
}

struct latency_figures latency_figures(const struct latency_event *event, int64_t now_s) {
    struct latency_figures figures = {.low_ms = INT64_MAX};
    if (event->count == 0) {
        return (struct latency_figures){.low_ms = 0};
    }
    int64_t sum = 0;
    for (size_t i = 0; i < event->count; i++) {
        int64_t ms = latency_sample_at(event, i)->ms;
        sum += ms;
        figures.low_ms = ms < figures.low_ms ? ms : figures.low_ms;
        figures.high_ms = ms > figures.high_ms ? ms : figures.high_ms;
    }
    int64_t count = (int64_t)event->count;
    figures.mean_ms = sum / count;
    int64_t distances = 0;
    for (size_t i = 0; i < event->count; i++) {
        int64_t distance = latency_sample_at(event, i)->ms - figures.mean_ms;
        distances += distance < 0 ? -distance : distance;
    }
    figures.deviation_ms = distances / count;
    int64_t span_s = now_s - latency_sample_at(event, 0)->time_s;
    figures.period_s = (double)(span_s < 1 ? 1 : span_s) / (double)count;
    return figures;
}

void latency_print_graph(const struct latency_event *event, int64_t now_s, struct buffer *out) {
    struct latency_figures figures = latency_figures(event, now_s);
    buffer_printf(out, "%s - high %lld ms, low %lld ms (all time high %lld ms)\n", event->name,
                  (long long)figures.high_ms, (long long)figures.low_ms, (long long)event->max_ms);
    for (int i = 0; i < GRAPH_COLUMNS; i++) {
        buffer_append_byte(out, '-');
    }
    buffer_append_byte(out, '\n');
    for (size_t from = 0; from < event->count; from += GRAPH_COLUMNS) {
        size_t count = event->count - from;
        print_columns(event, from, count < GRAPH_COLUMNS ? count : GRAPH_COLUMNS, &figures, now_s,
                      out);
    }
}

static void print_advice(const struct latency *latency, int64_t slower_than_us,
                         struct buffer *out) {
    int64_t threshold_ms = latency_options(latency)->threshold_ms;
    buffer_append_text(out, "\nWhat to look at:\n\n");
    if (latency_event_find(latency, bytes_text("command")) != NULL ||
        latency_event_find(latency, bytes_text("fast-command")) != NULL) {
        if (slower_than_us < 0 || slower_than_us / 1000 > threshold_ms) {
            buffer_printf(out,
                          "- The slow log does not take every command that counts as a spike. "
                          "CONFIG SET slowlog-log-slower-than %lld makes it do so.\n",
                          (long long)threshold_ms * 1000);
        }
        buffer_append_text(out, "- SLOWLOG GET shows the commands that took long and their "
                                "arguments.\n");
    }
    if (latency_event_find(latency, bytes_text("fast-command")) != NULL) {
        buffer_append_text(out, "- Commands of constant time were slow: the process was kept from "
                                "running. Look for other load on this machine, for swapping and "
                                "for a hypervisor that takes processor time away.\n");
    }
    if (latency_event_find(latency, bytes_text("expire-cycle")) != NULL ||
        latency_event_find(latency, bytes_text("eviction-cycle")) != NULL) {
        buffer_append_text(out, "- Removing keys took long. Smaller values, or deadlines that do "
                                "not all come at once, spread the work.\n");
    }
}

void latency_print_report(const struct latency *latency, int64_t slower_than_us, int64_t now_s,
                          struct buffer *out) {
    if (latency_options(latency)->threshold_ms == 0) {
        buffer_append_text(out, "Latency is not being watched. CONFIG SET "
                                "latency-monitor-threshold <milliseconds> turns it on.\n");
        return;
    }
    if (latency_event_at(latency, 0) == NULL) {
        buffer_append_text(out, "No latency spike has been seen.\n");
        return;
    }
    buffer_append_text(out, "Latency spikes by their cause:\n\n");
    const struct latency_event *event;
    for (size_t i = 0; (event = latency_event_at(latency, i)) != NULL; i++) {
        struct latency_figures figures = latency_figures(event, now_s);
        buffer_printf(out,
                      "%zu. %s: %zu latency spikes (average %lldms, mean deviation %lldms, "
                      "period %.2f sec). Worst all time event %lldms.\n",
                      i + 1, event->name, event->count, (long long)figures.mean_ms,
                      (long long)figures.deviation_ms, figures.period_s, (long long)event->max_ms);
    }
    print_advice(latency, slower_than_us, out);
}
