/* report: printing. Latency is that of a pipeline as a whole: from sending it to its last reply. */
#include "load/report.h"

#include <inttypes.h>
#include <stdio.h>

static double rate(const struct run_result *result) {
    return result->elapsed_ns > 0 ? (double)result->requests * 1e9 / (double)result->elapsed_ns : 0;
}

static bool knows_cpu(const struct run_result *result) {
    return result->server_ns >= 0 && result->requests > 0;
}

static double cpu_ns(const struct run_result *result) {
    return (double)result->server_ns / (double)result->requests;
}

static double latency_us(const struct run_result *result, double percent) {
    return (double)histogram_percentile(result->latency, percent) / 1000;
}

static void print_json_text(const char *text) {
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

static void print_json(const char *name, const struct options_given *options,
                       const struct run_result *result) {
    printf("{\"test\":");
    print_json_text(name);
    printf(",\"connections\":%d,\"pipeline\":%d,\"value_size\":%zu,\"keys\":%" PRIu64
           ",\"zipf\":%g,\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"requests_per_second\":%.1f",
           options->plan.connections, options->plan.pipeline, options->value_size,
           options->key_count, options->zipf, result->requests, (double)result->elapsed_ns / 1e9,
           rate(result));
    if (knows_cpu(result)) {
        printf(",\"server_ns_per_request\":%.2f", cpu_ns(result));
    }
    printf(",\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"p99.99\":%.1f,"
           "\"max\":%.1f}",
           latency_us(result, 50), latency_us(result, 99), latency_us(result, 99.9),
           latency_us(result, 99.99), latency_us(result, 100));
    printf(",\"nulls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"first_error\":", result->tally.nulls,
           result->tally.errors);
    print_json_text(result->tally.first_error);
    puts("}");
}

static void print_line(const char *name, const struct run_result *result) {
    printf("%s: %.0f requests per second, p50=%.3f msec", name, rate(result),
           latency_us(result, 50) / 1000);
    if (knows_cpu(result)) {
        printf(", server CPU %.1f ns per request", cpu_ns(result));
    }
    putchar('\n');
}

static void print_long(const char *name, const struct options_given *options,
                       const struct run_result *result) {
    printf("%s\n  %" PRIu64 " requests in %.2f seconds: %.0f per second\n", name, result->requests,
           (double)result->elapsed_ns / 1e9, rate(result));
    printf("  %d connections, pipeline of %d, values of %zu bytes, %" PRIu64 " keys\n",
           options->plan.connections, options->plan.pipeline, options->value_size,
           options->key_count);
    if (knows_cpu(result)) {
        printf("  server CPU: %.1f ns per request\n", cpu_ns(result));
    }
    printf("  latency of a pipeline in ms: 50%% %.3f   99%% %.3f   99.9%% %.3f   longest %.3f\n",
           latency_us(result, 50) / 1000, latency_us(result, 99) / 1000,
           latency_us(result, 99.9) / 1000, latency_us(result, 100) / 1000);
    printf("  replies without a value: %" PRIu64 "\n\n", result->tally.nulls);
}

void report_result(const char *name, const struct options_given *options,
                   const struct run_result *result) {
    if (options->json) {
        print_json(name, options, result);
    } else if (options->quiet) {
        print_line(name, result);
    } else {
        print_long(name, options, result);
    }
    if (result->tally.errors > 0) {
        fprintf(stderr, "%s: %" PRIu64 " replies were errors, the first: %s\n", name,
                result->tally.errors, result->tally.first_error);
    }
    fflush(stdout);
}
