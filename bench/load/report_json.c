/* report: the JSON form. Names of figures are followed by their unit. */
#include "load/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void print_text(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ') {
            printf("\\u%04x", (unsigned char)*text);
        } else {
            putchar(*text);
        }
    }
    putchar('"');
}

/* What is not known is left out, for JSON has no word for it. */
static void print_number(const char *name, double value, int digits) {
    if (isfinite(value)) {
        printf(",\"%s\":%.*f", name, digits, value);
    }
}

static void print_load(const struct options_given *options, const struct outcome *outcome) {
    static const char *const orders[] = {"uniform", "sequential", "zipf"};
    const struct run_plan *plan = &options->plan;
    printf(",\"connections\":%d,\"threads\":%d,\"pipeline\":%d,\"value_size\":", plan->connections,
           plan->threads, outcome->pipeline);
    if (options->shape.sizes.kind == SIZES_FIXED) {
        printf("%zu", options->shape.sizes.least);
    } else {
        print_text(options->sizes);
    }
    printf(",\"keys\":%" PRIu64 ",\"key_order\":\"%s\"", plan->keys.count,
           orders[plan->keys.order]);
    if (plan->keys.order == KEYS_ZIPF) {
        print_number("zipf_exponent", plan->keys.exponent, 4);
    }
    if (plan->rate > 0) {
        print_number("rate_wanted", plan->rate, 1);
        printf(",\"arrivals\":\"%s\"", plan->poisson ? "poisson" : "fixed");
    }
}

static void print_latency(const struct outcome *outcome) {
    static const struct {
        const char *name;
        enum figure figure;
    } rows[] = {
        {"mean", FIGURE_MEAN},  {"min", FIGURE_MIN},      {"p50", FIGURE_P50},
        {"p90", FIGURE_P90},    {"p95", FIGURE_P95},      {"p99", FIGURE_P99},
        {"p99.9", FIGURE_P999}, {"p99.99", FIGURE_P9999}, {"max", FIGURE_MAX},
    };
    printf(",\"latency_us\":{");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("%s\"%s\":%.1f", i == 0 ? "" : ",", rows[i].name,
               outcome_figure(outcome, rows[i].figure));
    }
    putchar('}');
}

static void print_figures(const char *name, const struct outcome *outcome, enum figure figure) {
    for (int i = 0; i < outcome->rounds; i++) {
        if (!isfinite(outcome->values[figure][i])) {
            return;
        }
    }
    printf(",\"%s_of_rounds\":[", name);
    for (int i = 0; i < outcome->rounds; i++) {
        printf("%s%.1f", i == 0 ? "" : ",", outcome->values[figure][i]);
    }
    putchar(']');
}

static void print_rounds(const struct outcome *outcome) {
    printf(",\"rounds\":%d", outcome->rounds);
    print_figures("requests_per_second", outcome, FIGURE_RATE);
    print_figures("server_ns", outcome, FIGURE_SERVER_NS);
    print_figures("server_user_ns", outcome, FIGURE_USER_NS);
}

void report_json(const struct options_given *options, const struct outcome *outcome,
                 const struct outcome *first) {
    double rate = outcome_figure(outcome, FIGURE_RATE);
    double server_ns = outcome_figure(outcome, FIGURE_SERVER_NS);
    printf("{\"test\":");
    print_text(outcome->test);
    printf(",\"server\":");
    print_text(outcome->server->name);
    printf(",\"version\":");
    print_text(outcome->version);
    print_load(options, outcome);
    printf(",\"requests\":%" PRIu64, outcome->requests);
    print_number("seconds", outcome->seconds, 6);
    print_number("requests_per_second", rate, 1);
    print_number("server_ns_per_request", server_ns, 2);
    print_number("client_ns_per_request", outcome_figure(outcome, FIGURE_OWN_NS), 2);
    print_latency(outcome);
    if (options->plan.rate > 0) {
        printf(",\"late_us\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},\"unsent\":%" PRIu64,
               (double)durations_percentile(outcome->lateness, 50) / 1000,
               (double)durations_percentile(outcome->lateness, 99) / 1000,
               (double)durations_max(outcome->lateness) / 1000, outcome->unsent);
    }
    print_rounds(outcome);
    if (first != NULL) {
        print_number("rate_ratio", rate / outcome_figure(first, FIGURE_RATE), 4);
        print_number("server_ns_ratio", server_ns / outcome_figure(first, FIGURE_SERVER_NS), 4);
    }
    printf(",\"interrupted\":%s,\"nulls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"first_error\":",
           outcome->interrupted ? "true" : "false", outcome->tally.nulls, outcome->tally.errors);
    print_text(outcome->tally.first_error);
    puts("}");
}
