/* metrics: /metrics in Prometheus's text form, from what INFO tells.
 *
 * A field of INFO becomes redis_NAME under the name that redis_exporter gives it, so that its
 * dashboards and alerts work; what Redis does not have becomes larder_NAME. Fields that are no
 * numbers are left out, but for what identifies the server. Whoever may not use INFO may not read
 * this either. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "base/metric.h"
#include "call/context.h"
#include "call/control.h"
#include "http/exchange.h"

#define NS_PER_SECOND 1e9
#define US_PER_SECOND 1e6
/* Bounds of the histogram of latencies: powers of two nanoseconds, from 16 us to 4 s. */
#define POWER_MIN 14
#define POWER_MAX 32

enum metric_type { TYPE_GAUGE, TYPE_COUNTER };

/* Fields that redis_exporter names otherwise, or that count. The others are gauges of their own
 * name. */
static const struct {
    const char *field;
    const char *name;
    enum metric_type type;
} names[] = {
    {"maxclients", "max_clients", TYPE_GAUGE},
    {"client_recent_max_input_buffer", "client_recent_max_input_buffer_bytes", TYPE_GAUGE},
    {"client_recent_max_output_buffer", "client_recent_max_output_buffer_bytes", TYPE_GAUGE},
    {"used_memory", "memory_used_bytes", TYPE_GAUGE},
    {"used_memory_rss", "memory_used_rss_bytes", TYPE_GAUGE},
    {"used_memory_peak", "memory_used_peak_bytes", TYPE_GAUGE},
    {"used_memory_lua", "memory_used_lua_bytes", TYPE_GAUGE},
    {"used_memory_overhead", "memory_used_overhead_bytes", TYPE_GAUGE},
    {"used_memory_startup", "memory_used_startup_bytes", TYPE_GAUGE},
    {"used_memory_dataset", "memory_used_dataset_bytes", TYPE_GAUGE},
    {"used_memory_scripts", "memory_used_scripts_bytes", TYPE_GAUGE},
    {"maxmemory", "memory_max_bytes", TYPE_GAUGE},
    {"loading", "loading_dump_file", TYPE_GAUGE},
    {"latest_fork_usec", "latest_fork_usec", TYPE_GAUGE},
    {"total_connections_received", "connections_received_total", TYPE_COUNTER},
    {"total_commands_processed", "commands_processed_total", TYPE_COUNTER},
    {"rejected_connections", "rejected_connections_total", TYPE_COUNTER},
    {"total_net_input_bytes", "net_input_bytes_total", TYPE_COUNTER},
    {"total_net_output_bytes", "net_output_bytes_total", TYPE_COUNTER},
    {"total_error_replies", "total_error_replies", TYPE_GAUGE},
    {"expired_keys", "expired_keys_total", TYPE_COUNTER},
    {"expired_time_cap_reached_count", "expired_time_cap_reached_total", TYPE_COUNTER},
    {"evicted_keys", "evicted_keys_total", TYPE_COUNTER},
    {"evicted_clients", "evicted_clients_total", TYPE_COUNTER},
    {"keyspace_hits", "keyspace_hits_total", TYPE_COUNTER},
    {"keyspace_misses", "keyspace_misses_total", TYPE_COUNTER},
    {"acl_access_denied_auth", "acl_access_denied_auth_total", TYPE_COUNTER},
    {"acl_access_denied_cmd", "acl_access_denied_cmd_total", TYPE_COUNTER},
    {"acl_access_denied_key", "acl_access_denied_key_total", TYPE_COUNTER},
    {"acl_access_denied_channel", "acl_access_denied_channel_total", TYPE_COUNTER},
    {"used_cpu_sys", "cpu_sys_seconds_total", TYPE_COUNTER},
    {"used_cpu_user", "cpu_user_seconds_total", TYPE_COUNTER},
    {"used_cpu_sys_children", "cpu_sys_children_seconds_total", TYPE_COUNTER},
    {"used_cpu_user_children", "cpu_user_children_seconds_total", TYPE_COUNTER},
    {"used_cpu_sys_main_thread", "cpu_sys_main_thread_seconds_total", TYPE_COUNTER},
    {"used_cpu_user_main_thread", "cpu_user_main_thread_seconds_total", TYPE_COUNTER},
    {"http_requests", "http_requests_total", TYPE_COUNTER},
    {"http_refused", "http_refused_total", TYPE_COUNTER},
    {"http_overloaded", "http_overloaded_total", TYPE_COUNTER},
};

/* Fields that are not Redis's; by how they begin. */
static const char *const own[] = {"http_",           "eviction_", "adaptive_", "compact_",
                                  "eventloop_pass_", "tls_",      "larder_"};

static bool begins(struct bytes text, const char *with) {
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.at, with, size) == 0;
}

static const char *prefix_of(struct bytes field) {
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (begins(field, own[i])) {
            return "larder";
        }
    }
    return "redis";
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

static void print_field(struct buffer *out, struct bytes field, struct bytes value) {
    char name[128];
    enum metric_type type = TYPE_GAUGE;
    snprintf(name, sizeof name, "%.*s", bytes_printed(field), field.at);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i].field) == 0) {
            snprintf(name, sizeof name, "%s", names[i].name);
            type = names[i].type;
            break;
        }
    }
    const char *prefix = prefix_of(field);
    buffer_printf(out, "# HELP %s_%s %.*s of INFO.\n# TYPE %s_%s %s\n%s_%s %.*s\n", prefix, name,
                  bytes_printed(field), field.at, prefix, name,
                  type == TYPE_COUNTER ? "counter" : "gauge", prefix, name, bytes_printed(value),
                  value.at);
}

/* ---- families with labels ---- */

struct family {
    const char *section; /* what its lines begin with */
    const char *label;
    const char *name;
    const char *type;
    const char *help;
    const char *member;
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
};

static void print_label(struct buffer *out, struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (c == '"' || c == '\\') {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, (unsigned char)c < 0x20 || (unsigned char)c > 0x7e ? '?' : c);
    }
}

/* "db0", "cmdstat_get", "errorstat_ERR": whether the field is of that section. */
static bool is_of(struct bytes field, const struct family *family) {
    size_t size = strlen(family->section);
    return begins(field, family->section) &&
           (family->label[0] != 'd' ||
            (field.size > size && isdigit((unsigned char)field.at[size])));
}

static void print_family(struct buffer *out, const struct family *family, struct bytes info) {
    struct bytes field;
    struct bytes value;
    size_t skip = family->label[0] == 'd' ? 0 : strlen(family->section);
    bool begun = false;
    while (next_line(&info, &field, &value)) {
        if (!is_of(field, family)) {
            continue;
        }
        if (!begun) {
            buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help,
                          family->name, family->type);
            begun = true;
        }
        buffer_printf(out, "%s{%s=\"", family->name, family->label);
        print_label(out, bytes_of(field.at + skip, field.size - skip));
        buffer_printf(out, "\"} %.15g\n", member(value, family->member) / family->unit);
    }
}

static void print_latency(struct buffer *out, const struct histogram *latency) {
    buffer_append_text(out, "# HELP larder_request_duration_seconds From when a request can have "
                            "been readable until its reply was sent, waiting included.\n"
                            "# TYPE larder_request_duration_seconds histogram\n");
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

/* What says which server this is. */
static void print_identity(struct buffer *out, const struct context *context) {
    buffer_printf(out,
                  "# HELP redis_up Whether the server answers.\n# TYPE redis_up gauge\n"
                  "redis_up 1\n"
                  "# HELP redis_instance_info What the server is.\n"
                  "# TYPE redis_instance_info gauge\n"
                  "redis_instance_info{redis_version=\"%s\",larder_version=\"%s\",role=\"master\","
                  "redis_mode=\"standalone\",run_id=\"%s\"} 1\n"
                  "# HELP redis_start_time_seconds When the server started.\n"
                  "# TYPE redis_start_time_seconds gauge\nredis_start_time_seconds %.3f\n",
                  LARDER_REDIS_VERSION, LARDER_VERSION, context->control->run_id,
                  (double)context->control->start_ms / 1000);
}

static bool is_family(struct bytes field) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (is_of(field, &families[i])) {
            return true;
        }
    }
    return false;
}

static void print_metrics(struct buffer *out, const struct context *context, struct bytes info,
                          const struct histogram *latency) {
    struct bytes rest = info;
    struct bytes field;
    struct bytes value;
    print_identity(out, context);
    while (next_line(&rest, &field, &value)) {
        if (!is_family(field) && !begins(field, "redis_") && is_number(value)) {
            print_field(out, field, value);
        }
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        print_family(out, &families[i], info);
    }
    print_latency(out, latency);
}

/* ---- the answer ---- */

/* What INFO would say, without what only clients know, and the latencies; the I/O threads stand
 * still for that, as for INFO. */
static void collect(struct exchange *exchange, struct buffer *info, struct histogram *latency) {
    struct clients *clients = exchange->http->context->clients;
    clients_hold(clients);
    for (int section = 0; section < METRIC_SECTIONS; section++) {
        if (section != METRIC_LATENCYSTATS && section != METRIC_THREADS) {
            metrics_print_section(exchange->http->context->metrics, (enum metric_section)section,
                                  info);
        }
    }
    clients_add_latency(clients, latency);
    clients_release(clients);
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
    if (monitoring_is_refused(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    struct buffer info;
    struct buffer out;
    struct histogram *latency = histogram_new();
    buffer_init(&info, MEM_OTHER);
    buffer_init(&out, MEM_OTHER);
    collect(exchange, &info, latency);
    print_metrics(&out, exchange->http->context, bytes_of(buffer_text(&info), info.size), latency);
    answer_text(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_bytes(&out));
    histogram_free(latency);
    buffer_clear(&out);
    buffer_clear(&info);
    return PROTOCOL_EXECUTED;
}
