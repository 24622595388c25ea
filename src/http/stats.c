/* stats: /v1/stats: what the page shows, as JSON: how the server is, what it does now, what was in
 * the recent past, which keys are used much or large, what was slow, what went wrong, and what more
 * memory would bring.
 *
 * History is given on demand: ?seconds=N and ?minutes=N give the points from the Nth on that was
 * ever made, and `next` is what to ask for when more is wanted. All of it is 36,000 numbers, so
 * that they are written by hand: 200 us.
 *
 * Nothing here makes the I/O threads stand still. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/histogram.h"
#include "base/machine.h"
#include "base/mem.h"
#include "base/num.h"
#include "call/command.h"
#include "call/context.h"
#include "call/control.h"
#include "client/client.h"
#include "client/guard.h"
#include "feature/acl.h"
#include "feature/history.h"
#include "feature/slowlog.h"
#include "feature/topkeys.h"
#include "http/exchange.h"
#include "proto/json.h"
#include "store/evict.h"
#include "store/keyspace.h"

#define MS_PER_SECOND 1000
#define NS_PER_US     1000.0
/* Rows of each list: what a screen has room for. */
#define KEYS_MAX     12
#define SLOW_MAX     8
#define COMMANDS_MAX 16
#define ERRORS_MAX   16
/* Characters of a slow command that are told. */
#define SLOW_TEXT_MAX 160
/* What "now" is: the average of so many seconds. */
#define NOW_SECONDS  2
#define HOUR_MINUTES 60
#define HEALTH_ROOM  256

/* ---- words and numbers ---- */

static void print_plain(struct buffer *out, struct bytes text) {
    while (text.size > 0) {
        unsigned char c = (unsigned char)text.at[0];
        size_t size = json_utf8(text);
        if (c == '"' || c == '\\') {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buffer_printf(out, "\\u%04x", c);
        } else if (size == 0) {
            buffer_append_text(out, "\\ufffd");
            size = 1;
        } else {
            buffer_append(out, text.at, size);
        }
        text = bytes_of(text.at + size, text.size - size);
    }
}

static void print_string(struct buffer *out, struct bytes text) {
    buffer_append_byte(out, '"');
    print_plain(out, text);
    buffer_append_byte(out, '"');
}

/* Behind a member of an object or array, if there is one. */
static void print_comma(struct buffer *out) {
    char last = out->at[out->size - 1];
    if (last != '{' && last != '[') {
        buffer_append_byte(out, ',');
    }
}

static void print_name(struct buffer *out, const char *name) {
    print_comma(out);
    print_string(out, bytes_text(name));
    buffer_append_byte(out, ':');
}

static void print_integer(struct buffer *out, const char *name, int64_t value) {
    char *at = (print_name(out, name), buffer_reserve(out, NUM_I64_SIZE));
    out->size += num_format_i64(at, value);
}

static void print_fraction(struct buffer *out, const char *name, double value, int digits) {
    print_name(out, name);
    buffer_printf(out, "%.*f", digits, value);
}

static void begin(struct buffer *out, const char *name, char bracket) {
    if (name != NULL) {
        print_name(out, name);
    } else if (out->size > 0) {
        print_comma(out);
    }
    buffer_append_byte(out, bracket);
}

static void end(struct buffer *out, char bracket) {
    buffer_append_byte(out, bracket);
}

/* ---- the server, now ---- */

static void print_server(struct buffer *out, const struct context *context) {
    const struct server_control *control = context->control;
    int64_t now_ms = context->clock->now_ms;
    char text[HEALTH_ROOM];
    static const char *const states[] = {"well", "warned", "unwell"};
    enum control_health health = control->health(control->server, text, sizeof text);
    begin(out, "health", '{');
    print_name(out, "state");
    print_string(out, bytes_text(states[health]));
    print_name(out, "text");
    print_string(out, bytes_text(text));
    end(out, '}');
    begin(out, "server", '{');
    print_name(out, "version");
    print_string(out, bytes_text(LARDER_VERSION));
    print_name(out, "redis_version");
    print_string(out, bytes_text(LARDER_REDIS_VERSION));
    print_name(out, "run_id");
    print_string(out, bytes_text(control->run_id));
    print_integer(out, "time_ms", now_ms);
    int64_t up_ms = now_ms - control->start_ms;
    print_integer(out, "uptime_s", up_ms > 0 ? up_ms / MS_PER_SECOND : 0);
    end(out, '}');
}

/* The sum of a series over the newest points, and how many points there are. */
static double sum_of(const struct history *history, enum history_ring ring,
                     enum history_series series, size_t points, size_t *counted) {
    size_t count = history_count(history, ring);
    double sum = 0;
    *counted = 0;
    for (size_t age = 0; age < points && age < count; age++) {
        float value = history_at(history, ring, age)->values[series];
        if (value >= 0) {
            sum += (double)value;
            ++*counted;
        }
    }
    return sum;
}

/* A second's average of a sum, the average of another series; 0 when nothing is known. */
static double rate_of(const struct history *history, enum history_series series) {
    size_t counted;
    double sum = sum_of(history, HISTORY_BY_SECOND, series, NOW_SECONDS, &counted);
    return counted == 0 ? 0 : sum / (double)counted;
}

static void print_hit_ratio(struct buffer *out, const char *name, double hits, double misses) {
    print_name(out, name);
    if (hits + misses > 0) {
        buffer_printf(out, "%.4f", hits / (hits + misses));
    } else {
        buffer_append_text(out, "null");
    }
}

static void print_now(struct buffer *out, const struct context *context) {
    const struct history *history = context->history;
    size_t counted;
    begin(out, "now", '{');
    print_hit_ratio(out, "hit_ratio", rate_of(history, HISTORY_HITS),
                    rate_of(history, HISTORY_MISSES));
    /* Of the minutes of the last hour, and the seconds of the one that is not over. */
    size_t rest = history_added(history, HISTORY_BY_SECOND) % HISTORY_MINUTE;
    double hits = sum_of(history, HISTORY_BY_MINUTE, HISTORY_HITS, HOUR_MINUTES, &counted) +
                  sum_of(history, HISTORY_BY_SECOND, HISTORY_HITS, rest, &counted);
    double misses = sum_of(history, HISTORY_BY_MINUTE, HISTORY_MISSES, HOUR_MINUTES, &counted) +
                    sum_of(history, HISTORY_BY_SECOND, HISTORY_MISSES, rest, &counted);
    print_hit_ratio(out, "hit_ratio_hour", hits, misses);
    print_fraction(out, "requests_per_s", rate_of(history, HISTORY_REQUESTS), 1);
    print_fraction(out, "p50_us", rate_of(history, HISTORY_P50) / NS_PER_US, 1);
    print_fraction(out, "p99_us", rate_of(history, HISTORY_P99) / NS_PER_US, 1);
    print_fraction(out, "p999_us", rate_of(history, HISTORY_P999) / NS_PER_US, 1);
    print_fraction(out, "evicted_per_s", rate_of(history, HISTORY_EVICTED), 1);
    print_fraction(out, "expired_per_s", rate_of(history, HISTORY_EXPIRED), 1);
    print_fraction(out, "input_bytes_per_s", rate_of(history, HISTORY_INPUT), 0);
    print_fraction(out, "output_bytes_per_s", rate_of(history, HISTORY_OUTPUT), 0);
    print_integer(out, "keys", (int64_t)keyspace_size(context->keyspace));
    print_integer(out, "clients", (int64_t)clients_count(context->clients));
    print_integer(out, "clients_max", clients_options(context->clients)->client_max);
    end(out, '}');
}

static void print_totals(struct buffer *out, const struct context *context) {
    const struct keyspace_metrics *keys = &context->keyspace->metrics;
    const struct client_metrics *clients = clients_metrics(context->clients);
    begin(out, "totals", '{');
    print_integer(out, "hits", (int64_t)keys->keyspace_hits);
    print_integer(out, "misses", (int64_t)keys->keyspace_misses);
    print_integer(out, "evicted", (int64_t)keys->evicted_keys);
    print_integer(out, "expired", (int64_t)keys->expired_keys);
    print_integer(out, "requests", (int64_t)clients->total_commands_processed);
    print_integer(out, "errors", (int64_t)clients->total_error_replies);
    print_integer(out, "input_bytes", (int64_t)clients->total_net_input_bytes);
    print_integer(out, "output_bytes", (int64_t)clients->total_net_output_bytes);
    end(out, '}');
}

static void print_memory(struct buffer *out, const struct context *context) {
    const struct evict *evict = context->evict;
    int64_t data = (int64_t)mem_used_by(MEM_DATA);
    int64_t tables = (int64_t)(mem_used_by(MEM_TABLE) + mem_used_by(MEM_DEADLINE));
    int64_t buffers =
        (int64_t)(mem_used_by(MEM_CLIENT) + mem_used_by(MEM_BUFFER) + mem_used_by(MEM_ARENA));
    int64_t used = (int64_t)mem_used();
    int64_t other = used - data - tables - buffers;
    begin(out, "memory", '{');
    print_integer(out, "used", used);
    print_integer(out, "counted", evict_used(evict));
    print_integer(out, "limit", evict->bytes_max);
    print_integer(out, "peak", (int64_t)mem_peak());
    print_integer(out, "resident", (int64_t)machine_resident());
    print_name(out, "policy");
    print_string(out,
                 bytes_text(limit_policy_name((enum limit_policy)evict->limit->options.policy)));
    begin(out, "kinds", '{');
    print_integer(out, "data", data);
    print_integer(out, "tables", tables);
    print_integer(out, "buffers", buffers);
    print_integer(out, "other", other > 0 ? other : 0);
    end(out, '}');
    end(out, '}');
}

/* ---- lists ---- */

static void print_keys(struct buffer *out, const char *name, const struct topkey *keys,
                       size_t count, bool by_size) {
    begin(out, name, '[');
    for (size_t i = 0; i < count; i++) {
        begin(out, NULL, '{');
        print_integer(out, "db", keys[i].database);
        print_name(out, "key");
        print_string(out, topkey_name(&keys[i]));
        print_integer(out, "name_bytes", (int64_t)keys[i].name_size);
        if (by_size) {
            print_integer(out, "bytes", (int64_t)keys[i].value);
            print_name(out, "type");
            print_string(out, bytes_text(keys[i].type));
        } else {
            print_fraction(out, "per_s", keys[i].value, 2);
        }
        end(out, '}');
    }
    end(out, ']');
}

static void print_top(struct buffer *out, const struct context *context) {
    struct topkey keys[KEYS_MAX];
    size_t count = topkeys_used(context->topkeys, keys, KEYS_MAX);
    print_keys(out, "keys_used", keys, count, false);
    count = topkeys_largest(context->topkeys, keys, KEYS_MAX);
    print_keys(out, "keys_largest", keys, count, true);
}

static void print_slow(struct buffer *out, const struct context *context) {
    const struct slowlog_entry *entry = slowlog_newest(context->slowlog);
    begin(out, "slow", '[');
    for (int i = 0; i < SLOW_MAX && entry != NULL; i++, entry = entry->older) {
        size_t room = SLOW_TEXT_MAX;
        begin(out, NULL, '{');
        print_integer(out, "id", entry->id);
        print_integer(out, "time_s", entry->time_s);
        print_integer(out, "us", entry->duration_us);
        print_name(out, "peer");
        print_string(out, entry->peer);
        print_name(out, "command");
        buffer_append_byte(out, '"');
        for (int word = 0; word < entry->argument_count && room > 1; word++) {
            struct bytes text = entry->arguments[word];
            text.size = text.size < room - 1 ? text.size : room - 1;
            room -= text.size + 1;
            buffer_append_text(out, word == 0 ? "" : " ");
            print_plain(out, text);
        }
        buffer_append_byte(out, '"');
        end(out, '}');
    }
    end(out, ']');
}

static void print_errors(struct buffer *out, const struct context *context) {
    size_t count;
    const struct error_count *errors = clients_error_counts(context->clients, &count);
    begin(out, "errors", '[');
    for (size_t i = 0; i < count && i < ERRORS_MAX; i++) {
        begin(out, NULL, '{');
        print_name(out, "code");
        print_string(out, bytes_text(errors[i].code));
        print_integer(out, "count", (int64_t)errors[i].count);
        end(out, '}');
    }
    end(out, ']');
}

/* The commands that have taken most time, the first one first; returns how many. */
static int busiest(const struct commands *commands, const struct command *out[COMMANDS_MAX]) {
    int count = 0;
    for (int id = 0; id < commands_count(commands); id++) {
        const struct command *command = commands_at(commands, id);
        if (command->calls == 0 || command->latency == NULL) {
            continue;
        }
        int place = count < COMMANDS_MAX ? count++ : COMMANDS_MAX;
        for (; place > 0 && out[place - 1]->busy_ns < command->busy_ns; place--) {
            if (place < COMMANDS_MAX) {
                out[place] = out[place - 1];
            }
        }
        if (place < COMMANDS_MAX) {
            out[place] = command;
        }
    }
    return count;
}

static void print_commands(struct buffer *out, const struct context *context) {
    const struct command *commands[COMMANDS_MAX];
    int count = busiest(context->commands, commands);
    begin(out, "commands", '[');
    for (int i = 0; i < count; i++) {
        const struct histogram *latency = commands[i]->latency;
        begin(out, NULL, '{');
        print_name(out, "name");
        print_string(out, bytes_text(commands[i]->name));
        print_integer(out, "calls", (int64_t)commands[i]->calls);
        print_integer(out, "failed", (int64_t)(commands[i]->failed + commands[i]->rejected));
        print_integer(out, "busy_us", (int64_t)(commands[i]->busy_ns / 1000));
        print_fraction(out, "p50_us", (double)histogram_percentile(latency, 50) / NS_PER_US, 2);
        print_fraction(out, "p99_us", (double)histogram_percentile(latency, 99) / NS_PER_US, 2);
        print_fraction(out, "max_us", (double)histogram_max(latency) / NS_PER_US, 2);
        end(out, '}');
    }
    end(out, ']');
}

static void print_other_sizes(struct buffer *out, const struct context *context) {
    const struct reuse *reuse = &context->keyspace->estimate.reuse;
    begin(out, "memory_estimate", '[');
    for (int zones = 1; zones <= REUSE_ZONES; zones++) {
        double ratio = reuse_miss_ratio(reuse, zones);
        begin(out, NULL, '{');
        print_fraction(out, "times", zones / (double)REUSE_ZONES_NOW, 1);
        print_name(out, "miss_ratio");
        if (ratio < 0) {
            buffer_append_text(out, "null");
        } else {
            buffer_printf(out, "%.4f", ratio);
        }
        end(out, '}');
    }
    end(out, ']');
}

/* ---- history ---- */

static void print_series(struct buffer *out, const struct history *history, enum history_ring ring,
                         enum history_series series, size_t count) {
    begin(out, history_name(series), '[');
    char *at = buffer_reserve(out, count * (NUM_I64_SIZE + 1) + 1);
    char *start = at;
    for (size_t age = count; age-- > 0;) {
        float value = history_at(history, ring, age)->values[series];
        if (value < 0) {
            memcpy(at, "null", 4);
            at += 4;
        } else {
            at += num_format_i64(at, (int64_t)value);
        }
        *at++ = ',';
    }
    out->size += (size_t)(at - start) - (count > 0);
    end(out, ']');
}

/* The points from the `from`th on. */
static void print_ring(struct buffer *out, const struct history *history, enum history_ring ring,
                       const char *name, uint64_t from) {
    uint64_t added = history_added(history, ring);
    size_t held = history_count(history, ring);
    uint64_t fresh = from < added ? added - from : 0;
    size_t count = fresh < held ? (size_t)fresh : held;
    begin(out, name, '{');
    print_integer(out, "step_s", ring == HISTORY_BY_SECOND ? 1 : HISTORY_MINUTE);
    print_integer(out, "time_s", history_time(history, ring));
    print_integer(out, "next", (int64_t)added);
    print_integer(out, "count", (int64_t)count);
    begin(out, "series", '{');
    for (int series = 0; series < HISTORY_SERIES; series++) {
        print_series(out, history, ring, (enum history_series)series, count);
    }
    end(out, '}');
    end(out, '}');
}

/* ---- the answer ---- */

/* Whether the client may use the command, which tells as much; asked without leaving a trace. */
static bool may(const struct exchange *exchange, const struct command *command,
                const struct bytes *words, int count) {
    const struct client *client = exchange->client;
    int at;
    return command != NULL && (!(client->flags & CLIENT_RESTRICTED) ||
                               acl_judge(exchange->http->context->acl, client->user, command, words,
                                         count, &at) == GUARD_ALLOWED);
}

static void print_stats(struct buffer *out, const struct exchange *exchange) {
    const struct http *http = exchange->http;
    const struct context *context = http->context;
    const struct protocol_note *note = exchange->note;
    const struct bytes monitor[] = {bytes_of("MONITOR", 7)};
    const struct bytes slowlog[] = {bytes_of("SLOWLOG", 7), bytes_of("GET", 3)};
    begin(out, NULL, '{');
    print_server(out, context);
    print_now(out, context);
    print_totals(out, context);
    print_memory(out, context);
    print_errors(out, context);
    print_commands(out, context);
    print_other_sizes(out, context);
    if (may(exchange, http->commands.monitor, monitor, 1)) {
        print_top(out, context);
    }
    if (may(exchange, http->commands.slowlog_get, slowlog, 2)) {
        print_slow(out, context);
    }
    if (note->words[0] > 0) {
        print_ring(out, context->history, HISTORY_BY_SECOND, "seconds", note->words[0] - 1);
    }
    if (note->words[1] > 0) {
        print_ring(out, context->history, HISTORY_BY_MINUTE, "minutes", note->words[1] - 1);
    }
    end(out, '}');
    buffer_append_byte(out, '\n');
}

enum protocol_result stats_answer(struct exchange *exchange) {
    if (monitoring_is_refused(exchange)) {
        return PROTOCOL_EXECUTED;
    }
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    print_stats(&out, exchange);
    answer_with(exchange, "application/json", "\r\nCache-Control: no-store", buffer_bytes(&out));
    buffer_clear(&out);
    return PROTOCOL_EXECUTED;
}
