/* info_commands: the sections Commandstats, Errorstats and Latencystats of INFO: a line for each
 * command that was called, for each kind of error, for each command with durations. */
#include "server/info.h"

#include "base/histogram.h"
#include "client/client.h"
#include "call/command.h"
#include "feature/latency.h"
#include "server/server.h"

static void commandstats(void *module, struct buffer *out) {
    const struct info *info = module;
    const struct commands *commands = info->server->context.commands;
    for (int id = 0; id < commands_count(commands); id++) {
        const struct command *command = commands_at(commands, id);
        if (command->calls == 0 && command->rejected == 0 && command->failed == 0) {
            continue;
        }
        double us = (double)command->busy_ns / 1000;
        buffer_printf(out,
                      "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,"
                      "failed_calls=%llu\r\n",
                      command->name, (unsigned long long)command->calls, (unsigned long long)us,
                      command->calls == 0 ? 0 : us / (double)command->calls,
                      (unsigned long long)command->rejected, (unsigned long long)command->failed);
    }
}

static void errorstats(void *module, struct buffer *out) {
    const struct info *info = module;
    size_t count;
    const struct error_count *errors = clients_error_counts(info->server->context.clients, &count);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "errorstat_%s:count=%llu\r\n", errors[i].code,
                      (unsigned long long)errors[i].count);
    }
}

static void print_percentiles(struct buffer *out, const char *name,
                              const struct histogram *histogram, const double *percentiles,
                              size_t count) {
    buffer_printf(out, "latency_percentiles_usec_%s:", name);
    for (size_t i = 0; i < count; i++) {
        int64_t ns = histogram_percentile(histogram, percentiles[i]);
        buffer_printf(out, "%sp%.10g=%.3f", i == 0 ? "" : ",", percentiles[i], (double)ns / 1000);
    }
    buffer_append_text(out, "\r\n");
}

static void latencystats(void *module, struct buffer *out) {
    const struct info *info = module;
    const struct commands *commands = info->server->context.commands;
    const double *percentiles;
    size_t count = latency_percentiles(info->server->context.latency, &percentiles);
    for (int id = 0; count > 0 && id < commands_count(commands); id++) {
        const struct command *command = commands_at(commands, id);
        if (command->latency == NULL || histogram_count(command->latency) == 0) {
            continue;
        }
        print_percentiles(out, command->name, command->latency, percentiles, count);
    }
    struct histogram *requests = histogram_new();
    clients_add_latency(info->server->context.clients, requests);
    if (count > 0 && histogram_count(requests) > 0) {
        print_percentiles(out, "request", requests, percentiles, count);
    }
    histogram_free(requests);
}

void info_register_commands(struct info *info, struct metrics *metrics) {
    static const struct metric rows[] = {
        {.name = "commandstats",
         .section = METRIC_COMMANDSTATS,
         .kind = METRIC_KIND_LINES,
         .text = commandstats,
         .description = "Calls, time and failures by command."},
        {.name = "errorstats",
         .section = METRIC_ERRORSTATS,
         .kind = METRIC_KIND_LINES,
         .text = errorstats,
         .description = "Error replies by their code."},
        {.name = "latencystats",
         .section = METRIC_LATENCYSTATS,
         .kind = METRIC_KIND_LINES,
         .text = latencystats,
         .description = "Percentiles of durations by command."},
    };
    metrics_register(metrics, rows, sizeof rows / sizeof rows[0], NULL, info, NULL);
}
