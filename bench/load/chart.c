/* chart: the picture's parts from top to bottom.
 *
 *     title, what was asked, legend
 *     get P=1    [redis ======     ]        bars: each group has a scale of its own, for tests
 *                [larder ==========]        differ by more than a length can show
 *     get P=16   ...
 *     +--------------+ +--------------+    curves: a panel for each test, two in a row
 *     | latency      | | latency      |    x: 1 / (1 - share), log; y: time, log
 *     +--------------+ +--------------+
 *
 * All lengths are in pixels of the picture. */
#include "load/chart.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH        860
#define MARGIN       16
#define HEAD_HEIGHT  84
#define BAR_LEFT     150
#define BAR_WIDTH    500
#define BAR_HEIGHT   18
#define GROUP_GAP    14
#define PANEL_LEFT   58 /* the plot within its panel */
#define PANEL_TOP    34
#define PANEL_RIGHT  14
#define PANEL_BOTTOM 40
#define PANEL_GAP    16
/* Points of a curve. */
#define CURVE_STEPS 160
/* A line more when there is a note. */
#define NOTE_HEIGHT 18

/* Few tests have large panels; many have small ones, which end a power of ten earlier: at 99.999 or
 * 99.99 percent, beyond which there is little to draw. */
struct layout {
    int columns;
    int width; /* of a panel */
    int height;
    int nines_max;
};
static const struct layout large = {.columns = 2, .width = 406, .height = 250, .nines_max = 5};
static const struct layout small = {.columns = 3, .width = 265, .height = 200, .nines_max = 4};
#define TESTS_LARGE 4

/* Of middling lightness, so that they stand out from white and from black; the first server, that
 * which the others are compared with, is grey. A picture of one server has the second colour. */
static const char *const colours[SERVERS_MAX] = {"#8b95a3", "#2f81f7", "#e0823d", "#3fa45b",
                                                 "#a371f7", "#d9534f", "#1fa7a0", "#b8921f"};

struct chart {
    FILE *out;
    const struct options_given *options;
    const struct outcome *outcomes;
    int servers;
    int tests;
    const struct layout *layout;
};

static const char *colour(const struct chart *chart, int server) {
    return colours[chart->servers == 1 ? 1 : server];
}

static const struct outcome *outcome_at(const struct chart *chart, int test, int server) {
    return &chart->outcomes[test * chart->servers + server];
}

static void put_escaped(FILE *out, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '<') {
            fputs("&lt;", out);
        } else if (*text == '&') {
            fputs("&amp;", out);
        } else if ((unsigned char)*text >= ' ') {
            fputc(*text, out);
        }
    }
}

static void put_text(const struct chart *chart, double x, double y, const char *class,
                     const char *text) {
    fprintf(chart->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
    put_escaped(chart->out, text);
    fputs("</text>\n", chart->out);
}

/* 1234567 as 1.23M. */
static void format_rate(char *out, size_t size, double rate) {
    if (rate >= 999500) {
        snprintf(out, size, "%.2fM", rate / 1e6);
    } else if (rate >= 9995) {
        snprintf(out, size, "%.0fk", rate / 1e3);
    } else if (rate >= 1000) {
        snprintf(out, size, "%.1fk", rate / 1e3);
    } else {
        snprintf(out, size, "%.0f", rate);
    }
}

static void format_time(char *out, size_t size, double us) {
    if (us >= 1e6) {
        snprintf(out, size, "%g s", us / 1e6);
    } else if (us >= 1e3) {
        snprintf(out, size, "%g ms", us / 1e3);
    } else {
        snprintf(out, size, "%g \302\265s", us);
    }
}

static void format_test(char *out, size_t size, const struct chart *chart,
                        const struct outcome *outcome) {
    snprintf(out, size, chart->options->pipeline_count > 1 ? "%s, P=%d" : "%s", outcome->test,
             outcome->pipeline);
}

/* ---- head ---- */

static void put_style(const struct chart *chart) {
    fputs("<style>\n"
          "text { font: 12px system-ui, \"DejaVu Sans\", sans-serif; fill: #737b86; }\n"
          ".title { font-size: 15px; font-weight: 600; }\n"
          ".right { text-anchor: end; }\n"
          ".middle { text-anchor: middle; }\n"
          ".grid { stroke: #8b95a3; stroke-opacity: 0.35; fill: none; }\n"
          ".curve { fill: none; stroke-width: 2; stroke-linejoin: round; }\n"
          "@media (prefers-color-scheme: light) { text { fill: #3b434d; } }\n"
          "@media (prefers-color-scheme: dark) { text { fill: #c4ccd6; } }\n"
          "</style>\n",
          chart->out);
}

static void put_head(const struct chart *chart) {
    const struct run_plan *plan = &chart->options->plan;
    char text[256];
    snprintf(text, sizeof text, "Requests per second%s, and latency by percentile",
             chart->tests > 1 ? " (each test to its own scale)" : "");
    put_text(chart, MARGIN, 24, "title", text);
    int size = snprintf(text, sizeof text,
                        "%d connections, values of %s bytes, %" PRIu64 " keys, pipeline of ",
                        plan->connections, chart->options->sizes, plan->keys.count);
    for (int i = 0; i < chart->options->pipeline_count && size < (int)sizeof text; i++) {
        size += snprintf(text + size, sizeof text - (size_t)size, "%s%d", i == 0 ? "" : ", ",
                         chart->options->pipelines[i]);
    }
    if (plan->rate > 0 && size < (int)sizeof text) {
        snprintf(text + size, sizeof text - (size_t)size, "; open loop, %.0f requests/s",
                 plan->rate);
    }
    put_text(chart, MARGIN, 43, "", text);
    double y = 54;
    if (chart->options->note != NULL) {
        put_text(chart, MARGIN, y + 7, "", chart->options->note);
        y += NOTE_HEIGHT;
    }
    double x = MARGIN;
    for (int server = 0; server < chart->servers; server++) {
        const struct outcome *outcome = outcome_at(chart, 0, server);
        fprintf(chart->out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"12\" height=\"12\" rx=\"2\" fill=\"%s\"/>\n",
                x, y, colour(chart, server));
        bool named = outcome->version[0] != '\0';
        snprintf(text, sizeof text, "%s%s%s%s", outcome->server->name, named ? " (" : "",
                 outcome->version, named ? ")" : "");
        put_text(chart, x + 18, y + 10.5, "", text);
        x += 18 + 7.2 * (double)strlen(text) + 18;
    }
}

/* ---- bars ---- */

static void put_group(const struct chart *chart, int test, double y) {
    char text[128];
    const struct outcome *first = outcome_at(chart, test, 0);
    double most = 0;
    for (int server = 0; server < chart->servers; server++) {
        most = fmax(most, outcome_figure(outcome_at(chart, test, server), FIGURE_RATE));
    }
    format_test(text, sizeof text, chart, first);
    put_text(chart, BAR_LEFT - 10, y + chart->servers * BAR_HEIGHT / 2.0 + 4, "right", text);
    for (int server = 0; server < chart->servers; server++) {
        double rate = outcome_figure(outcome_at(chart, test, server), FIGURE_RATE);
        double width = most > 0 ? rate / most * BAR_WIDTH : 0;
        fprintf(chart->out,
                "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\" fill=\"%s\"/>\n",
                BAR_LEFT, y, fmax(width, 1), BAR_HEIGHT - 3, colour(chart, server));
        format_rate(text, sizeof text, rate);
        double base = outcome_figure(first, FIGURE_RATE);
        size_t size = strlen(text);
        if (server > 0 && base > 0) {
            snprintf(text + size, sizeof text - size, "  (%.2f times)", rate / base);
        }
        put_text(chart, BAR_LEFT + width + 8, y + 12, "", text);
        y += BAR_HEIGHT;
    }
}

/* ---- curves ---- */

/* What a panel shows: from 0 to `nines` on the x axis, from `low` to `high` us on the other. */
struct panel {
    const struct layout *layout;
    double x;
    double y;
    double nines;
    double low;
    double high;
};

static double plot_x(const struct panel *panel, double nines) {
    return panel->x + PANEL_LEFT +
           nines / panel->nines * (panel->layout->width - PANEL_LEFT - PANEL_RIGHT);
}

static double plot_y(const struct panel *panel, double us) {
    double share = log(fmax(us, panel->low) / panel->low) / log(panel->high / panel->low);
    return panel->y + panel->layout->height - PANEL_BOTTOM -
           share * (panel->layout->height - PANEL_TOP - PANEL_BOTTOM);
}

/* The nearest of 1, 2 and 5 times a power of ten that is not above `us`, or not below it. */
static double round_down(double us) {
    double power = pow(10, floor(log10(us) + 1e-9));
    double digit = us / power;
    return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

static double next_tick(double tick) {
    double power = pow(10, floor(log10(tick) + 1e-9));
    return tick / power > 3 ? power * 10 : tick / power > 1.5 ? power * 5 : power * 2;
}

static void measure_panel(const struct chart *chart, int test, struct panel *panel) {
    double low = INFINITY;
    double high = 0;
    double count = 0;
    for (int server = 0; server < chart->servers; server++) {
        const struct durations *latency = outcome_at(chart, test, server)->latency;
        low = fmin(low, (double)durations_percentile(latency, 1) / 1000);
        high = fmax(high, (double)durations_max(latency) / 1000);
        count = fmax(count, (double)durations_count(latency));
    }
    panel->low = round_down(fmax(low, 0.1));
    panel->high = round_down(fmax(high, panel->low));
    while (panel->high < high || panel->high <= panel->low) {
        panel->high = next_tick(panel->high);
    }
    panel->nines = fmax(1, fmin(panel->layout->nines_max, floor(log10(fmax(count, 10)))));
}

static void put_axes(const struct chart *chart, const struct panel *panel) {
    static const char *const percents[] = {"0", "90", "99", "99.9", "99.99", "99.999"};
    double left = plot_x(panel, 0);
    double right = plot_x(panel, panel->nines);
    double top = plot_y(panel, panel->high);
    double bottom = plot_y(panel, panel->low);
    char text[64];
    /* Where there would be too many lines, the powers of ten alone. */
    bool all = panel->high / panel->low <= 501;
    for (double tick = panel->low; tick <= panel->high * 1.001; tick = next_tick(tick)) {
        double digit = tick / pow(10, floor(log10(tick) + 1e-9));
        if (!all && digit > 1.5) {
            continue;
        }
        double y = plot_y(panel, tick);
        fprintf(chart->out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", left, y, right);
        format_time(text, sizeof text, tick);
        put_text(chart, left - 6, y + 4, "right", text);
    }
    for (int nines = 0; nines <= (int)panel->nines; nines++) {
        double x = plot_x(panel, nines);
        fprintf(chart->out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>\n", x, bottom, top);
        put_text(chart, x, bottom + 16, "middle", percents[nines]);
    }
    put_text(chart, (left + right) / 2, bottom + 32, "middle", "percentile");
}

static void put_curve(const struct chart *chart, const struct panel *panel, int test, int server) {
    const struct durations *latency = outcome_at(chart, test, server)->latency;
    if (durations_count(latency) == 0) {
        return;
    }
    fprintf(chart->out, "<path class=\"curve\" stroke=\"%s\" d=\"", colour(chart, server));
    for (int step = 0; step <= CURVE_STEPS; step++) {
        double nines = panel->nines * step / CURVE_STEPS;
        double percent = 100 * (1 - pow(10, -nines));
        double us = (double)durations_percentile(latency, percent) / 1000;
        fprintf(chart->out, "%c%.1f %.1f", step == 0 ? 'M' : 'L', plot_x(panel, nines),
                plot_y(panel, us));
    }
    fputs("\"/>\n", chart->out);
}

static void put_panel(const struct chart *chart, int test, double x, double y) {
    struct panel panel = {.layout = chart->layout, .x = x, .y = y};
    char name[128];
    char text[160];
    measure_panel(chart, test, &panel);
    format_test(name, sizeof name, chart, outcome_at(chart, test, 0));
    snprintf(text, sizeof text, "latency: %s", name);
    put_text(chart, x + PANEL_LEFT, y + 20, "title", text);
    put_axes(chart, &panel);
    for (int server = 0; server < chart->servers; server++) {
        put_curve(chart, &panel, test, server);
    }
}

/* ---- the whole ---- */

int chart_write(const char *path, const struct options_given *options,
                const struct outcome *outcomes, int tests) {
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    struct chart chart = {.out = out,
                          .options = options,
                          .outcomes = outcomes,
                          .servers = options->server_count,
                          .tests = tests,
                          .layout = tests > TESTS_LARGE ? &small : &large};
    const struct layout *layout = chart.layout;
    int group = chart.servers * BAR_HEIGHT + GROUP_GAP;
    int bars_top = HEAD_HEIGHT + (options->note != NULL ? NOTE_HEIGHT : 0);
    int panels_top = bars_top + tests * group;
    int rows = (tests + layout->columns - 1) / layout->columns;
    int height = panels_top + rows * (layout->height + PANEL_GAP);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n",
            WIDTH, height, WIDTH, height);
    put_style(&chart);
    put_head(&chart);
    for (int test = 0; test < tests; test++) {
        put_group(&chart, test, bars_top + test * group);
    }
    for (int test = 0; test < tests; test++) {
        put_panel(&chart, test, MARGIN + test % layout->columns * (layout->width + PANEL_GAP),
                  panels_top + test / layout->columns * (layout->height + PANEL_GAP));
    }
    fputs("</svg>\n", out);
    if (fclose(out) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}
