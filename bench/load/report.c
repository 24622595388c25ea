/* report: texts, tables and rows of CSV. Latency is that of each request: from sending the pipeline
 * it belongs to, or in an open loop from when it was due, to the block of replies it came with. */
#include "load/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

struct column {
    const char *head; /* of CSV; the first ones as redis-benchmark has them */
    enum figure figure;
    double scale;
};

static const struct column columns[] = {
    {"rps", FIGURE_RATE, 1},
    {"avg_latency_ms", FIGURE_MEAN, 1e-3},
    {"min_latency_ms", FIGURE_MIN, 1e-3},
    {"p50_latency_ms", FIGURE_P50, 1e-3},
    {"p95_latency_ms", FIGURE_P95, 1e-3},
    {"p99_latency_ms", FIGURE_P99, 1e-3},
    {"max_latency_ms", FIGURE_MAX, 1e-3},
    {"p90_latency_ms", FIGURE_P90, 1e-3},
    {"p99.9_latency_ms", FIGURE_P999, 1e-3},
    {"p99.99_latency_ms", FIGURE_P9999, 1e-3},
    {"server_cpu_ns", FIGURE_SERVER_NS, 1},
    {"client_cpu_ns", FIGURE_OWN_NS, 1},
};
static const size_t column_count = sizeof columns / sizeof columns[0];

/* ---- CSV ---- */

static void print_csv_head(void) {
    printf("\"test\"");
    for (size_t i = 0; i < column_count; i++) {
        printf(",\"%s\"", columns[i].head);
    }
    puts(",\"server\",\"pipeline\",\"requests\",\"errors\"");
}

/* Quotes are doubled. */
static void print_csv_text(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            putchar('"');
        }
        putchar(*text);
    }
    putchar('"');
}

static void print_csv(const struct outcome *outcome) {
    print_csv_text(outcome->test);
    for (size_t i = 0; i < column_count; i++) {
        double value = outcome_figure(outcome, columns[i].figure) * columns[i].scale;
        if (isnan(value)) {
            printf(",\"\"");
        } else {
            printf(",\"%.3f\"", value);
        }
    }
    putchar(',');
    print_csv_text(outcome->server->name);
    printf(",\"%d\",\"%" PRIu64 "\",\"%" PRIu64 "\"\n", outcome->pipeline, outcome->requests,
           outcome->tally.errors);
}

/* ---- text ---- */

static double ms(const struct outcome *outcome, enum figure figure) {
    return outcome_figure(outcome, figure) / 1000;
}

static void print_name(const struct options_given *options, const struct outcome *outcome) {
    printf("%s", outcome->test);
    if (options->pipeline_count > 1) {
        printf(" P=%d", outcome->pipeline);
    }
    if (options->compares) {
        printf(" %s", outcome->server->name);
    }
}

static void print_line(const struct options_given *options, const struct outcome *outcome,
                       const struct outcome *first) {
    print_name(options, outcome);
    printf(": %.2f requests per second, p50=%.3f msec, p99=%.3f msec",
           outcome_figure(outcome, FIGURE_RATE), ms(outcome, FIGURE_P50), ms(outcome, FIGURE_P99));
    if (!isnan(outcome_figure(outcome, FIGURE_SERVER_NS))) {
        printf(", server CPU %.1f ns per request", outcome_figure(outcome, FIGURE_SERVER_NS));
    }
    printf(", own %.1f", outcome_figure(outcome, FIGURE_OWN_NS));
    if (first != outcome) {
        printf(", %.2f times the requests of %s",
               outcome_figure(outcome, FIGURE_RATE) / outcome_figure(first, FIGURE_RATE),
               first->server->name);
    }
    putchar('\n');
}

static void print_circumstances(const struct options_given *options,
                                const struct outcome *outcome) {
    const struct run_plan *plan = &options->plan;
    printf("  %d connections, %d thread%s, pipeline of %d, values of %s bytes, %" PRIu64 " keys\n",
           plan->connections, plan->threads, plan->threads == 1 ? "" : "s", outcome->pipeline,
           options->sizes, plan->keys.count);
    if (plan->rate > 0) {
        printf(
            "  open loop: %.0f requests per second wanted, %s arrivals; latency counts from when "
            "a request was due\n",
            plan->rate, plan->poisson ? "Poisson" : "even");
    }
}

static void print_open(const struct outcome *outcome) {
    printf("  sent after it was due, ms: p50 %.3f   p99 %.3f   max %.3f\n",
           (double)durations_percentile(outcome->lateness, 50) / 1e6,
           (double)durations_percentile(outcome->lateness, 99) / 1e6,
           (double)durations_max(outcome->lateness) / 1e6);
    if (outcome->unsent > 0) {
        printf("  %" PRIu64 " requests were due and found no connection free until the end: the "
               "server does not bear this rate\n",
               outcome->unsent);
    }
}

static void print_long(const struct options_given *options, const struct outcome *outcome) {
    print_name(options, outcome);
    printf("\n  %" PRIu64 " requests in %.2f seconds: %.0f per second\n", outcome->requests,
           outcome->seconds, outcome_figure(outcome, FIGURE_RATE));
    print_circumstances(options, outcome);
    printf(
        "  latency in ms: p50 %.3f   p90 %.3f   p99 %.3f   p99.9 %.3f   p99.99 %.3f   max %.3f\n",
        ms(outcome, FIGURE_P50), ms(outcome, FIGURE_P90), ms(outcome, FIGURE_P99),
        ms(outcome, FIGURE_P999), ms(outcome, FIGURE_P9999), ms(outcome, FIGURE_MAX));
    if (options->plan.rate > 0) {
        print_open(outcome);
    }
    printf("  CPU time per request, ns: client %.1f", outcome_figure(outcome, FIGURE_OWN_NS));
    if (!isnan(outcome_figure(outcome, FIGURE_SERVER_NS))) {
        printf(", server %.1f", outcome_figure(outcome, FIGURE_SERVER_NS));
    }
    printf("\n  replies without a value: %" PRIu64 "\n\n", outcome->tally.nulls);
}

static void print_cell(double value, int width, int digits) {
    if (isnan(value)) {
        printf("%*s", width, "-");
    } else {
        printf("%*.*f", width, digits, value);
    }
}

static void print_table(const struct options_given *options, const struct outcome *outcomes,
                        int count) {
    static const enum figure figures[] = {FIGURE_P50, FIGURE_P90, FIGURE_P99, FIGURE_P999,
                                          FIGURE_MAX};
    printf("%s\n", outcomes[0].test);
    print_circumstances(options, &outcomes[0]);
    printf("  medians of %d round%s; CPU time in ns per request; latency in ms\n",
           outcomes[0].rounds, outcomes[0].rounds == 1 ? "" : "s");
    printf("  %-16s%12s%8s%12s%8s%12s%9s%9s%9s%9s%9s\n", "server", "requests/s", "ratio",
           "server CPU", "ratio", "client CPU", "p50", "p90", "p99", "p99.9", "max");
    for (int i = 0; i < count; i++) {
        const struct outcome *outcome = &outcomes[i];
        double rate = outcome_figure(outcome, FIGURE_RATE);
        double cpu = outcome_figure(outcome, FIGURE_SERVER_NS);
        printf("  %-16s", outcome->server->name);
        print_cell(rate, 12, 0);
        print_cell(rate / outcome_figure(&outcomes[0], FIGURE_RATE), 8, 2);
        print_cell(cpu, 12, 1);
        print_cell(cpu / outcome_figure(&outcomes[0], FIGURE_SERVER_NS), 8, 2);
        print_cell(outcome_figure(outcome, FIGURE_OWN_NS), 12, 1);
        for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
            print_cell(ms(outcome, figures[f]), 9, 3);
        }
        putchar('\n');
    }
    putchar('\n');
}

/* ---- the whole ---- */

void report_begin(const struct options_given *options) {
    if (options->output == OUTPUT_CSV) {
        print_csv_head();
    }
}

static void report_problems(const struct outcome *outcome) {
    if (outcome->tally.errors > 0) {
        fprintf(stderr, "%s: %s: %" PRIu64 " replies were errors, the first: %s\n",
                outcome->server->name, outcome->test, outcome->tally.errors,
                outcome->tally.first_error);
    }
    if (outcome->interrupted) {
        fprintf(stderr, "%s: %s: interrupted\n", outcome->server->name, outcome->test);
    }
}

/* What is wrong comes first: figures of a server that answers with errors are none. */
void report_test(const struct options_given *options, const struct outcome *outcomes, int count) {
    for (int i = 0; i < count; i++) {
        report_problems(&outcomes[i]);
    }
    fflush(stderr);
    if (options->output == OUTPUT_TEXT && options->compares) {
        print_table(options, outcomes, count);
    }
    for (int i = 0; i < count; i++) {
        const struct outcome *outcome = &outcomes[i];
        if (options->output == OUTPUT_JSON) {
            report_json(options, outcome, options->compares ? &outcomes[0] : NULL);
        } else if (options->output == OUTPUT_CSV) {
            print_csv(outcome);
        } else if (options->output == OUTPUT_QUIET) {
            print_line(options, outcome, &outcomes[0]);
        } else if (!options->compares) {
            print_long(options, outcome);
        }
    }
    fflush(stdout);
}
