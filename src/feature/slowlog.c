/* slowlog: a list of entries, each one allocation.
 *
 *     newest --> | entry | texts ... | --older--> | entry | texts ... | --older--> NULL
 *
 * Invariants:
 * 1. the list has `length` entries, never more than the option says;
 * 2. ids fall from newest to oldest;
 * 3. the observer asks for calls of the length that the option gives, so that a fast command
 *    costs one comparison. */
#include "feature/slowlog.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "call/call.h"
#include "client/client.h"
#include "feature/redact.h"

/* Room for "... (N more arguments)" with any N. */
#define REMARK_SIZE 64

struct slowlog {
    struct call_observer observer;
    struct slowlog_entry *newest;
    struct slowlog_entry *oldest;
    size_t length;
    int64_t next_id;
    const struct clock *clock;
    struct slowlog_options options;
    struct slowlog_metrics metrics;
};

/* What an argument becomes: the bytes that are kept, and a remark of those that are not. */
struct trimmed {
    struct bytes kept;
    char remark[REMARK_SIZE];
    size_t remark_size;
};

static void trim_argument(const struct call *call, int index, struct trimmed *trimmed) {
    struct bytes argument = redact_argument(call, index);
    trimmed->remark_size = 0;
    trimmed->kept = argument;
    if (argument.size > SLOWLOG_ARGUMENT_SIZE_MAX) {
        trimmed->kept.size = SLOWLOG_ARGUMENT_SIZE_MAX;
        trimmed->remark_size =
            (size_t)snprintf(trimmed->remark, REMARK_SIZE, "... (%zu more bytes)",
                             argument.size - SLOWLOG_ARGUMENT_SIZE_MAX);
    }
}

/* The last of the arguments kept says how many are missing, so one of them is missing too. */
static void trim_rest(const struct call *call, struct trimmed *trimmed) {
    trimmed->kept = bytes_of("", 0);
    trimmed->remark_size = (size_t)snprintf(trimmed->remark, REMARK_SIZE, "... (%d more arguments)",
                                            call->argc - SLOWLOG_ARGUMENTS_MAX + 1);
}

static struct bytes put(char **at, struct bytes text) {
    memcpy(*at, text.at, text.size);
    struct bytes copy = bytes_of(*at, text.size);
    *at += text.size;
    return copy;
}

static struct slowlog_entry *entry_new(const struct call *call) {
    int count = call->argc < SLOWLOG_ARGUMENTS_MAX ? call->argc : SLOWLOG_ARGUMENTS_MAX;
    struct trimmed trimmed[SLOWLOG_ARGUMENTS_MAX];
    char peer[SOCKET_NAME_SIZE];
    client_peer_name(call->client, peer);
    struct bytes name = bytes_text(call->client->name == NULL ? "" : call->client->name);
    size_t size = sizeof(struct slowlog_entry) + strlen(peer) + name.size;
    for (int i = 0; i < count; i++) {
        if (i == SLOWLOG_ARGUMENTS_MAX - 1 && call->argc > SLOWLOG_ARGUMENTS_MAX) {
            trim_rest(call, &trimmed[i]);
        } else {
            trim_argument(call, i, &trimmed[i]);
        }
        size += trimmed[i].kept.size + trimmed[i].remark_size;
    }
    struct slowlog_entry *entry = mem_zalloc(MEM_FEATURE, size);
    entry->size = size;
    entry->argument_count = count;
    char *at = (char *)(entry + 1);
    entry->peer = put(&at, bytes_text(peer));
    entry->name = put(&at, name);
    for (int i = 0; i < count; i++) {
        entry->arguments[i] = put(&at, trimmed[i].kept);
        put(&at, bytes_of(trimmed[i].remark, trimmed[i].remark_size));
        entry->arguments[i].size += trimmed[i].remark_size;
    }
    return entry;
}

static void drop_oldest(struct slowlog *slowlog) {
    struct slowlog_entry *entry = slowlog->oldest;
    slowlog->oldest = entry->newer;
    if (slowlog->oldest == NULL) {
        slowlog->newest = NULL;
    } else {
        slowlog->oldest->older = NULL;
    }
    slowlog->length--;
    mem_free(MEM_FEATURE, entry, entry->size);
}

static void trim_length(struct slowlog *slowlog) {
    while ((int64_t)slowlog->length > slowlog->options.length_max) {
        drop_oldest(slowlog);
    }
}

static void after(void *context, const struct call *call, int64_t duration_ns) {
    struct slowlog *slowlog = context;
    /* What a script calls is part of the script. */
    if (call->command->flags & COMMAND_SKIP_SLOWLOG || call->script_us != NULL) {
        return;
    }
    struct slowlog_entry *entry = entry_new(call);
    entry->id = slowlog->next_id++;
    entry->time_s = slowlog->clock->now_ms / 1000;
    entry->duration_us = duration_ns / 1000;
    entry->older = slowlog->newest;
    if (slowlog->newest == NULL) {
        slowlog->oldest = entry;
    } else {
        slowlog->newest->newer = entry;
    }
    slowlog->newest = entry;
    slowlog->length++;
    slowlog->metrics.slowlog_commands_logged++;
    trim_length(slowlog);
}

bool slowlog_apply(void *module, const char **error) {
    (void)error;
    slowlog_start(module);
    return true;
}

void slowlog_start(struct slowlog *slowlog) {
    int64_t slower_than_us = slowlog->options.slower_than_us;
    slowlog->observer.after_min_ns =
        slower_than_us < 0 || slower_than_us > INT64_MAX / 1000 ? INT64_MAX : slower_than_us * 1000;
    trim_length(slowlog);
}

struct slowlog *slowlog_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct slowlog_options, __VA_ARGS__)
        SLOWLOG_OPTIONS(ROW)
#undef ROW
    };
    static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct slowlog_metrics, __VA_ARGS__)
        SLOWLOG_METRICS(ROW)
#undef ROW
    };
    struct slowlog *slowlog = mem_zalloc(MEM_FEATURE, sizeof *slowlog);
    slowlog->clock = context->clock;
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &slowlog->options, slowlog);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &slowlog->metrics, slowlog, NULL);
    slowlog->observer.context = slowlog;
    slowlog->observer.after = after;
    slowlog_start(slowlog);
    clients_observe(context->clients, &slowlog->observer);
    return slowlog;
}

void slowlog_free(struct slowlog *slowlog) {
    slowlog_reset(slowlog);
    mem_free(MEM_FEATURE, slowlog, sizeof *slowlog);
}

int64_t slowlog_slower_than_us(const struct slowlog *slowlog) {
    return slowlog->options.slower_than_us;
}

size_t slowlog_length(const struct slowlog *slowlog) {
    return slowlog->length;
}

const struct slowlog_entry *slowlog_newest(const struct slowlog *slowlog) {
    return slowlog->newest;
}

void slowlog_reset(struct slowlog *slowlog) {
    while (slowlog->oldest != NULL) {
        drop_oldest(slowlog);
    }
}
