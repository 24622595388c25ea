/* metrics: /metrics in Prometheus's text form, or as OpenMetrics for who asks for that, from what
 * INFO tells and a few figures more.
 *
 * A field of INFO has redis_exporter's name where that has one (metric_names.h), so that its
 * dashboards and alerts work; what Redis does not have is larder_FIELD. Fields that are no numbers
 * are left out, but for states, and what identifies the server. Whoever may not use INFO may not
 * read this either.
 *
 * The I/O threads stand still for what is theirs only: figures of connections, and the distribution
 * of latencies; some tens of microseconds. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "base/metric.h"
#include "call/command.h"
#include "call/context.h"
#include "call/control.h"
#include "client/client.h"
#include "feature/latency.h"
#include "feature/slowlog.h"
#include "http/exchange.h"
#include "http/metric_names.h"
#include "store/evict.h"
#include "store/keyspace.h"

#define NS_PER_SECOND 1e9
#define NS_PER_US     1000.0
#define US_PER_SECOND 1e6
/* Bounds of the histogram of latencies: powers of two nanoseconds, from 16 us to 4 s. */
#define POWER_MIN 14
#define POWER_MAX 32
/* Longest name that is made of a field. */
#define NAME_ROOM 128

/* What is written, and in which form. */
struct sheet {
    struct buffer *out;
    struct bytes info;
    bool open; /* OpenMetrics */
};

static bool begins(struct bytes text, const char *with) {
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.at, with, size) == 0;
}

/* Whether it is a plain decimal number. */
static bool is_number(struct bytes text) {
    size_t i = text.size > 0 && text.at[0] == '-';
    size_t digits = 0;
    size_t points = 0;
    for (; i < text.size; i++) {
        digits += isdigit((unsigned char)text.at[i]) != 0;
        points += text.at[i] == '.';
    }
    return digits > 0 && points <= 1 && digits + points + (text.at[0] == '-') == text.size;
}

/* ---- lines of INFO ---- */

/* The next "field:value" of INFO's text; headings are passed over. */
static bool next_line(struct bytes *text, struct bytes *field, struct bytes *value) {
    while (text->size > 0) {
        const char *end = memchr(text->at, '\n', text->size);
        size_t size = end == NULL ? text->size : (size_t)(end - text->at);
        struct bytes line = bytes_of(text->at, size);
        size += end != NULL;
        *text = bytes_of(text->at + size, text->size - size);
        if (line.size > 0 && line.at[line.size - 1] == '\r') {
            line.size--;
        }
        const char *colon = line.size == 0 ? NULL : memchr(line.at, ':', line.size);
        if (colon != NULL && line.at[0] != '#') {
            *field = bytes_of(line.at, (size_t)(colon - line.at));
            *value = bytes_of(colon + 1, (size_t)(line.at + line.size - colon - 1));
            return true;
        }
    }
    return false;
}

/* The value of `name` in "keys=1,expires=0"; 0 when there is none. */
static double member(struct bytes list, const char *name) {
    size_t size = strlen(name);
    const char *end = list.at + list.size;
    for (const char *p = list.at; p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma == NULL ? end : comma;
        if ((size_t)(stop - p) > size && memcmp(p, name, size) == 0 && p[size] == '=') {
            return strtod(p + size + 1, NULL); /* INFO's text goes on behind it */
        }
        p = stop + 1;
    }
    return 0;
}

/* The value of a field of INFO; empty when there is none. */
static struct bytes value_of(struct bytes info, const char *name) {
    struct bytes field;
    struct bytes value;
    while (next_line(&info, &field, &value)) {
        if (bytes_equal(field, bytes_text(name))) {
            return value;
        }
    }
    return bytes_of("", 0);
}

/* ---- lines of the sheet ---- */

/* What stands in front of a metric's values. OpenMetrics calls a counter by its name without the
 * ending that its values have. */
static void print_head(const struct sheet *sheet, const char *name, const char *type,
                       const char *help) {
    size_t size = strlen(name);
    if (sheet->open && strcmp(type, "counter") == 0) {
        size -= strlen("_total");
    }
    buffer_printf(sheet->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)size, name, help, (int)size,
                  name, type);
}

static void print_number(const struct sheet *sheet, const char *name, const char *type,
                         const char *help, double value) {
    print_head(sheet, name, type, help);
    buffer_printf(sheet->out, "%s %.15g\n", name, value);
}

static void print_label(struct buffer *out, struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (c == '"' || c == '\\') {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, (unsigned char)c < 0x20 || (unsigned char)c > 0x7e ? '?' : c);
    }
}

/* ---- fields of INFO ---- */

/* A name that nobody has chosen yet: letters, digits and low lines. */
static void make_name(char out[NAME_ROOM], struct bytes field) {
    snprintf(out, NAME_ROOM, "larder_%.*s", (int)(field.size < 100 ? field.size : 100), field.at);
    for (char *p = out; *p != '\0'; p++) {
        *p = isalnum((unsigned char)*p) ? *p : '_';
    }
}

static void print_field(const struct sheet *sheet, struct bytes field, struct bytes value) {
    const struct metric_name *known = metric_name_of(field);
    char name[NAME_ROOM];
    char help[NAME_ROOM];
    double number = strtod(value.at, NULL); /* INFO's text goes on behind it */
    if (known == NULL ? !is_number(value) : known->name[0] == '\0') {
        return;
    }
    if (!is_number(value)) {
        number = bytes_equal(value, bytes_text("ok")); /* a state */
    }
    if (known == NULL) {
        make_name(name, field);
    } else {
        snprintf(name, sizeof name, "%s", known->name);
        number /= known->unit;
    }
    snprintf(help, sizeof help, "%.*s of INFO.", (int)(field.size < 100 ? field.size : 100),
             field.at);
    print_number(sheet, name,
                 known != NULL && known->type == METRIC_TYPE_COUNTER ? "counter" : "gauge", help,
                 number);
}

/* ---- families with labels ---- */

struct family {
    const char *section; /* what its lines begin with */
    const char *label;
    const char *name;
    const char *type;
    const char *help;
    const char *member; /* NULL: the value is the number */
    double unit;
};

static const struct family families[] = {
    {"db", "db", "redis_db_keys", "gauge", "Keys of the database.", "keys", 1},
    {"db", "db", "redis_db_keys_expiring", "gauge", "Of these, those with a deadline.", "expires",
     1},
    {"db", "db", "redis_db_avg_ttl_seconds", "gauge", "Their mean time to live.", "avg_ttl", 1000},
    {"cmdstat_", "cmd", "redis_commands_total", "counter", "Calls of the command.", "calls", 1},
    {"cmdstat_", "cmd", "redis_commands_duration_seconds_total", "counter", "Time in the command.",
     "usec", US_PER_SECOND},
    {"cmdstat_", "cmd", "redis_commands_rejected_calls_total", "counter",
     "Calls refused before they ran.", "rejected_calls", 1},
    {"cmdstat_", "cmd", "redis_commands_failed_calls_total", "counter",
     "Calls that answered an error.", "failed_calls", 1},
    {"errorstat_", "err", "redis_errors_total", "counter", "Errors by their code.", "count", 1},
    {"used_memory_for_", "purpose", "larder_memory_bytes", "gauge", "Memory in use by purpose.",
     NULL, 1},
};

/* "db0", "cmdstat_get", "errorstat_ERR": whether the field is of that section. */
static bool is_of(struct bytes field, const struct family *family) {
    size_t size = strlen(family->section);
    return begins(field, family->section) &&
           (family->label[0] != 'd' ||
            (field.size > size && isdigit((unsigned char)field.at[size])));
}

static bool is_family(struct bytes field) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (is_of(field, &families[i])) {
            return true;
        }
    }
    return false;
}

static void print_family(const struct sheet *sheet, const struct family *family) {
    struct bytes info = sheet->info;
    struct bytes field;
    struct bytes value;
    size_t skip = family->label[0] == 'd' ? 0 : strlen(family->section);
    bool begun = false;
    while (next_line(&info, &field, &value)) {
        if (!is_of(field, family)) {
            continue;
        }
        if (!begun) {
            print_head(sheet, family->name, family->type, family->help);
            begun = true;
        }
        double number =
            family->member == NULL ? strtod(value.at, NULL) : member(value, family->member);
        buffer_printf(sheet->out, "%s{%s=\"", family->name, family->label);
        print_label(sheet->out, bytes_of(field.at + skip, field.size - skip));
        buffer_printf(sheet->out, "\"} %.15g\n", number / family->unit);
    }
}

/* ---- latencies ---- */

static void print_latency(const struct sheet *sheet, const struct histogram *latency) {
    struct buffer *out = sheet->out;
    print_head(sheet, "larder_request_duration_seconds", "histogram",
               "From when a request can have been readable until its reply was sent, waiting "
               "included.");
    for (unsigned power = POWER_MIN; power <= POWER_MAX; power++) {
        buffer_printf(out, "larder_request_duration_seconds_bucket{le=\"%.9g\"} %llu\n",
                      (double)((uint64_t)1 << power) / NS_PER_SECOND,
                      (unsigned long long)histogram_count_below_power(latency, power));
    }
    unsigned long long count = histogram_count(latency);
    buffer_printf(out,
                  "larder_request_duration_seconds_bucket{le=\"+Inf\"} %llu\n"
                  "larder_request_duration_seconds_sum %.9g\n"
                  "larder_request_duration_seconds_count %llu\n",
                  count, (double)histogram_sum(latency) / NS_PER_SECOND, count);
}

/* The exporter writes quantiles in percent, which OpenMetrics does not allow. */
static void print_command_latency(const struct sheet *sheet, const struct command *command,
                                  const double *percents, size_t count) {
    static const char name[] = "redis_latency_percentiles_usec";
    const struct histogram *latency = command->latency;
    for (size_t i = 0; i < count; i++) {
        buffer_printf(sheet->out, "%s{cmd=\"%s\",quantile=\"%.10g\"} %.3f\n", name, command->name,
                      sheet->open ? percents[i] / 100 : percents[i],
                      (double)histogram_percentile(latency, percents[i]) / NS_PER_US);
    }
    buffer_printf(sheet->out, "%s_sum{cmd=\"%s\"} %.3f\n%s_count{cmd=\"%s\"} %llu\n", name,
                  command->name, (double)histogram_sum(latency) / NS_PER_US, name, command->name,
                  (unsigned long long)histogram_count(latency));
}

static void print_commands(const struct sheet *sheet, const struct context *context) {
    const double *percents;
    size_t count = latency_percentiles(context->latency, &percents);
    bool begun = false;
    for (int id = 0; id < commands_count(context->commands); id++) {
        const struct command *command = commands_at(context->commands, id);
        if (command->latency == NULL || histogram_count(command->latency) == 0) {
            continue;
        }
        if (!begun) {
            print_head(sheet, "redis_latency_percentiles_usec", "summary",
                       "Durations of commands, microseconds.");
            begun = true;
        }
        print_command_latency(sheet, command, percents, count);
    }
}

/* ---- what is not in INFO ---- */

/* What says which server this is. */
static void print_identity(const struct sheet *sheet, const struct context *context) {
    static const char *const labels[] = {"redis_version", "larder_version", "redis_mode",
                                         "role",          "run_id",         "os",
                                         "process_id",    "tcp_port",       "maxmemory_policy"};
    print_number(sheet, "redis_up", "gauge", "Whether the server answers.", 1);
    print_head(sheet, "redis_instance_info", "gauge", "What the server is.");
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        buffer_printf(sheet->out, "%s%s=\"", i == 0 ? "redis_instance_info{" : ",", labels[i]);
        print_label(sheet->out, value_of(sheet->info, labels[i]));
        buffer_append_byte(sheet->out, '"');
    }
    buffer_append_text(sheet->out, "} 1\n");
    print_number(sheet, "redis_start_time_seconds", "gauge", "When the server started.",
                 (double)context->control->start_ms / 1000);
}

static void print_settings(const struct sheet *sheet, const struct context *context) {
    const struct client_options *clients = clients_options(context->clients);
    const struct slowlog_entry *slow = slowlog_newest(context->slowlog);
    print_number(sheet, "redis_config_maxmemory", "gauge", "The option maxmemory.",
                 (double)context->evict->bytes_max);
    print_number(sheet, "redis_config_maxclients", "gauge", "The option maxclients.",
                 (double)clients->client_max);
    print_number(sheet, "redis_config_io_threads", "gauge", "The option io-threads.",
                 (double)clients->io_threads);
    print_number(sheet, "redis_slowlog_length", "gauge", "Entries of the slow log.",
                 (double)slowlog_length(context->slowlog));
    print_number(sheet, "redis_slowlog_last_id", "gauge", "Number of its newest one.",
                 slow == NULL ? 0 : (double)slow->id);
    print_number(sheet, "redis_last_slow_execution_duration_seconds", "gauge",
                 "How long that took.",
                 slow == NULL ? 0 : (double)slow->duration_us / US_PER_SECOND);
}

static void print_health(const struct sheet *sheet, const struct context *context) {
    const struct server_control *control = context->control;
    const struct reuse *reuse = &context->keyspace->estimate.reuse;
    char text[256];
    print_number(sheet, "larder_health", "gauge", "0: well, 1: warned, 2: unwell.",
                 (double)control->health(control->server, text, sizeof text));
    print_head(sheet, "larder_estimated_miss_ratio", "gauge",
               "What a cache of so many times the present memory would miss.");
    for (int zones = 1; zones <= REUSE_ZONES; zones++) {
        double ratio = reuse_miss_ratio(reuse, zones);
        if (ratio >= 0) {
            buffer_printf(sheet->out, "larder_estimated_miss_ratio{memory=\"%.1f\"} %.4f\n",
                          zones / (double)REUSE_ZONES_NOW, ratio);
        }
    }
}

static void print_metrics(const struct sheet *sheet, const struct context *context,
                          const struct histogram *latency) {
    struct bytes rest = sheet->info;
    struct bytes field;
    struct bytes value;
    print_identity(sheet, context);
    while (next_line(&rest, &field, &value)) {
        if (!is_family(field) && !begins(field, "redis_")) {
            print_field(sheet, field, value);
        }
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        print_family(sheet, &families[i]);
    }
    print_settings(sheet, context);
    print_commands(sheet, context);
    print_health(sheet, context);
    print_latency(sheet, latency);
    if (sheet->open) {
        buffer_append_text(sheet->out, "# EOF\n");
    }
}

/* ---- the answer ---- */

/* What INFO would say, without what only clients know, and the latencies. */
static void collect(const struct context *context, struct buffer *info, struct histogram *latency) {
    for (int section = 0; section < METRIC_SECTIONS; section++) {
        bool is_theirs = section == METRIC_CLIENTS || section == METRIC_STATS;
        if (section == METRIC_LATENCYSTATS || section == METRIC_THREADS) {
            continue;
        }
        if (is_theirs) {
            clients_hold(context->clients);
        }
        metrics_print_section(context->metrics, (enum metric_section)section, info);
        if (is_theirs) {
            clients_release(context->clients);
        }
    }
    clients_hold(context->clients);
    clients_add_latency(context->clients, latency);
    clients_release(context->clients);
}

bool monitoring_is_refused(struct exchange *exchange) {
    struct http *http = exchange->http;
    struct bytes args[] = {bytes_of("INFO", 4)};
    struct bytes error;
    if (!protocol_is_refused(exchange->client, http->commands.info, args, 1, http->scratch)) {
        return false;
    }
    if (scratch_error(http, &error)) {
        answer_error(exchange, error);
    }
    return true;
}

enum protocol_result metrics_answer(struct exchange *exchange) {
    const struct context *context = exchange->http->context;
    if (monitoring_is_refused(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    struct buffer info;
    struct buffer out;
    struct histogram *latency = histogram_new();
    buffer_init(&info, MEM_OTHER);
    buffer_init(&out, MEM_OTHER);
    collect(context, &info, latency);
    struct sheet sheet = {.out = &out,
                          .info = bytes_of(buffer_text(&info), info.size),
                          .open = exchange->note->words[0] != 0};
    print_metrics(&sheet, context, latency);
    answer_text(exchange, 200,
                sheet.open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                           : "text/plain; version=0.0.4; charset=utf-8",
                buffer_bytes(&out));
    histogram_free(latency);
    buffer_clear(&out);
    buffer_clear(&info);
    return PROTOCOL_EXECUTED;
}
