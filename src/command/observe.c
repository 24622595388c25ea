/* observe: looking at what the server does and how long that takes: SLOWLOG, LATENCY, MONITOR. */
#include "command/tables.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/num.h"
#include "call/call.h"
#include "client/client.h"
#include "feature/latency.h"
#include "feature/latency_report.h"
#include "feature/monitor.h"
#include "feature/slowlog.h"

/* What SLOWLOG GET shows when it is not told. */
#define SLOWLOG_SHOWN 10

/* LATENCY HISTOGRAM begins with what took less than 2^10 nanoseconds, about a microsecond. */
#define HISTOGRAM_POWER_MIN 10
/* How it calls requests of any kind. */
#define REQUESTS_NAME "request"

static void reply_entry(struct reply *reply, const struct slowlog_entry *entry) {
    reply_array(reply, 6);
    reply_integer(reply, entry->id);
    reply_integer(reply, entry->time_s);
    reply_integer(reply, entry->duration_us);
    reply_array(reply, entry->argument_count);
    for (int i = 0; i < entry->argument_count; i++) {
        reply_bulk(reply, entry->arguments[i]);
    }
    reply_bulk(reply, entry->peer);
    reply_bulk(reply, entry->name);
}

static void slowlog_get(struct call *call) {
    const struct slowlog *slowlog = call->context->slowlog;
    int64_t count = SLOWLOG_SHOWN;
    if (call->argc > 3) {
        reply_bad_subcommand(call->reply, call->command->parent->name, call->args[1]);
        return;
    }
    if (call->argc == 3 && (!num_parse_i64(call->args[2], &count) || count < -1)) {
        reply_error(call->reply, "ERR count should be greater than or equal to -1");
        return;
    }
    int64_t length = (int64_t)slowlog_length(slowlog);
    int64_t shown = count == -1 || count > length ? length : count;
    reply_array(call->reply, shown);
    const struct slowlog_entry *entry = slowlog_newest(slowlog);
    for (int64_t i = 0; i < shown; i++) {
        reply_entry(call->reply, entry);
        entry = entry->older;
    }
}

static void slowlog_len(struct call *call) {
    reply_integer(call->reply, (int64_t)slowlog_length(call->context->slowlog));
}

static void slowlog_reset_log(struct call *call) {
    slowlog_reset(call->context->slowlog);
    reply_ok(call->reply);
}

static void slowlog_help(struct call *call) {
    static const char *const lines[] = {
        "GET [<count>]",
        "    The newest entries, 10 of them unless told otherwise, all with -1. Each shows its",
        "    id, the time in seconds, the duration in microseconds, the arguments, and who",
        "    called: address and name.",
        "LEN",
        "    How many entries there are.",
        "RESET",
        "    Forget all entries.",
        NULL,
    };
    reply_help(call->reply, "SLOWLOG", lines);
}

static void latency_latest(struct call *call) {
    const struct latency *latency = call->context->latency;
    struct reply_mark mark = reply_defer(call->reply);
    const struct latency_event *event;
    size_t count = 0;
    while ((event = latency_event_at(latency, count)) != NULL) {
        const struct latency_sample *newest = latency_sample_at(event, event->count - 1);
        reply_array(call->reply, 4);
        reply_bulk_text(call->reply, event->name);
        reply_integer(call->reply, newest->time_s);
        reply_integer(call->reply, newest->ms);
        reply_integer(call->reply, event->max_ms);
        count++;
    }
    reply_defer_end(call->reply, mark, '*', (int64_t)count);
}

static void latency_history(struct call *call) {
    const struct latency_event *event = latency_event_find(call->context->latency, call->args[2]);
    size_t count = event == NULL ? 0 : event->count;
    reply_array(call->reply, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct latency_sample *sample = latency_sample_at(event, i);
        reply_array(call->reply, 2);
        reply_integer(call->reply, sample->time_s);
        reply_integer(call->reply, sample->ms);
    }
}

static void latency_reset_events(struct call *call) {
    size_t forgotten = 0;
    if (call->argc == 2) {
        forgotten = latency_reset(call->context->latency, bytes_of("", 0));
    }
    for (int i = 2; i < call->argc; i++) {
        if (call->args[i].size > 0) {
            forgotten += latency_reset(call->context->latency, call->args[i]);
        }
    }
    reply_integer(call->reply, (int64_t)forgotten);
}

static void latency_graph(struct call *call) {
    const struct latency_event *event = latency_event_find(call->context->latency, call->args[2]);
    if (event == NULL) {
        reply_errorf(call->reply, "ERR No samples available for event '%.*s'",
                     bytes_printed(call->args[2]), call->args[2].at);
        return;
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    latency_print_graph(event, call->now_ms / 1000, &text);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_clear(&text);
}

static void latency_doctor(struct call *call) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    latency_print_report(call->context->latency, slowlog_slower_than_us(call->context->slowlog),
                         call->now_ms / 1000, &text);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_clear(&text);
}

/* Durations, cumulated at the powers of two where something was added. */
static void reply_histogram(struct reply *reply, const char *name,
                            const struct histogram *histogram) {
    reply_bulk_text(reply, name);
    reply_map(reply, 2);
    reply_bulk_text(reply, "calls");
    reply_integer(reply, (int64_t)histogram_count(histogram));
    reply_bulk_text(reply, "histogram_usec");
    struct reply_mark mark = reply_defer(reply);
    int64_t pairs = 0;
    uint64_t seen = 0;
    for (unsigned power = HISTOGRAM_POWER_MIN; seen < histogram_count(histogram); power++) {
        uint64_t below = histogram_count_below_power(histogram, power);
        if (below == seen) {
            continue;
        }
        seen = below;
        /* Redis names a step by the upper end of the bucket that begins there, one of 128. */
        int64_t end_ns = ((int64_t)1 << power) + ((int64_t)1 << (power - 7)) - 1;
        reply_integer(reply, end_ns / 1000);
        reply_integer(reply, (int64_t)seen);
        pairs++;
    }
    reply_defer_end(reply, mark, '%', pairs);
}

/* The command's histogram, or those of its subcommands. Returns how many there were. */
static int64_t reply_histograms(struct reply *reply, const struct command *command) {
    int64_t count = 0;
    if (command->latency != NULL && histogram_count(command->latency) > 0) {
        reply_histogram(reply, command->name, command->latency);
        count++;
    }
    for (int i = 0; i < command->child_count; i++) {
        count += reply_histograms(reply, command->children[i]);
    }
    return count;
}

/* Of requests of any kind, queueing and sending included. Returns how many histograms there
 * were. */
static int64_t reply_requests(struct call *call) {
    struct histogram *sum = histogram_new();
    clients_add_latency(call->client->clients, sum);
    int64_t count = histogram_count(sum) > 0;
    if (count > 0) {
        reply_histogram(call->reply, REQUESTS_NAME, sum);
    }
    histogram_free(sum);
    return count;
}

static void latency_histogram(struct call *call) {
    const struct commands *commands = call->context->commands;
    struct reply_mark mark = reply_defer(call->reply);
    int64_t count = 0;
    for (int i = 2; i < call->argc; i++) {
        if (call_arg_is(call, i, REQUESTS_NAME)) {
            count += reply_requests(call);
            continue;
        }
        const struct command *command = commands_find_full(commands, call->args[i]);
        count += command == NULL ? 0 : reply_histograms(call->reply, command);
    }
    for (int id = 0; call->argc == 2 && id < commands_count(commands); id++) {
        const struct command *command = commands_at(commands, id);
        count += command->parent != NULL ? 0 : reply_histograms(call->reply, command);
    }
    reply_defer_end(call->reply, mark, '%', count);
}

static void latency_help(struct call *call) {
    static const char *const lines[] = {
        "DOCTOR",
        "    A report on the spikes that were seen, with advice.",
        "GRAPH <event>",
        "    The event's spikes drawn in characters.",
        "HISTOGRAM [<command> ...]",
        "    How the durations of these commands, or of all, are distributed: for each power of",
        "    two in microseconds how many calls took no longer. `request` means requests of any",
        "    kind, from when they were readable until their replies were sent.",
        "HISTORY <event>",
        "    The event's spikes: time in seconds and duration in milliseconds.",
        "LATEST",
        "    Of each event the newest spike and the longest of all.",
        "RESET [<event> ...]",
        "    Forget the spikes of these events, or of all.",
        NULL,
    };
    reply_help(call->reply, "LATENCY", lines);
}

static void monitor(struct call *call) {
    if (call->inner) {
        reply_error(call->reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    monitor_add(call->context->monitor, call->client);
    reply_ok(call->reply);
}

#define OBSERVER_FLAGS      (COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define OBSERVER_CATEGORIES (CATEGORY_ADMIN | CATEGORY_SLOW | CATEGORY_DANGEROUS)

static const struct command_row rows[] = {
    {.name = "slowlog",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "2.2.12",
     .complexity = "Depends on the subcommand.",
     .summary = "The log of slow commands."},
    {.name = "slowlog|get",
     .fn = slowlog_get,
     .arity = -2,
     .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_CHANCE,
     .group = GROUP_SERVER,
     .since = "2.2.12",
     .complexity = "O(N) with the number of entries shown.",
     .summary = "Shows the newest entries of the slow log.",
     .syntax = "[count]"},
    {.name = "slowlog|len",
     .fn = slowlog_len,
     .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_SUM | TIP_CHANCE,
     .group = GROUP_SERVER,
     .since = "2.2.12",
     .complexity = "O(1)",
     .summary = "Counts the entries of the slow log."},
    {.name = "slowlog|reset",
     .fn = slowlog_reset_log,
     .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_ALL_SUCCEEDED,
     .group = GROUP_SERVER,
     .since = "2.2.12",
     .complexity = "O(N) with the number of entries.",
     .summary = "Empties the slow log."},
    {.name = "slowlog|help",
     .fn = slowlog_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "latency",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "Depends on the subcommand.",
     .summary = "Records of delays and of durations."},
    {.name = "latency|doctor",
     .fn = latency_doctor,
     .arity = 2,
     .flags = OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_CHANCE | TIP_ALL_NODES | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Reports on latency spikes in words."},
    {.name = "latency|graph",
     .fn = latency_graph,
     .arity = 3,
     .flags = OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_CHANCE | TIP_ALL_NODES | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Draws an event's latency spikes.",
     .syntax = "event"},
    {.name = "latency|histogram",
     .fn = latency_histogram,
     .arity = -2,
     .flags = COMMAND_STILL | OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_CHANCE | TIP_ALL_NODES | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "7.0.0",
     .complexity = "O(N) with the number of commands that have been called.",
     .summary = "Shows how the durations of commands are distributed.",
     .syntax = "[command [command ...]]"},
    {.name = "latency|history",
     .fn = latency_history,
     .arity = 3,
     .flags = OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_CHANCE | TIP_ALL_NODES | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Shows an event's latency spikes.",
     .syntax = "event"},
    {.name = "latency|latest",
     .fn = latency_latest,
     .arity = 2,
     .flags = OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_CHANCE | TIP_ALL_NODES | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Shows the newest latency spike of each event."},
    {.name = "latency|reset",
     .fn = latency_reset_events,
     .arity = -2,
     .flags = OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .tips = TIP_ALL_NODES | TIP_ALL_SUCCEEDED,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Forgets the latency spikes of some events or of all.",
     .syntax = "[event [event ...]]"},
    {.name = "latency|help",
     .fn = latency_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "monitor",
     .fn = monitor,
     .arity = 1,
     .flags = OBSERVER_FLAGS,
     .categories = OBSERVER_CATEGORIES,
     .group = GROUP_SERVER,
     .since = "1.0.0",
     .complexity = "O(1), and more for every command that is shown.",
     .summary = "Shows all commands as they are executed."},
};

const struct command_table *command_observe(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
