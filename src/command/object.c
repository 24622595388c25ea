/* object: what a value is made of and what it costs: OBJECT ENCODING, REFCOUNT, IDLETIME, FREQ;
 * MEMORY USAGE, STATS, DOCTOR, PURGE, MALLOC-STATS. */
#include "command/tables.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/machine.h"
#include "base/mem.h"
#include "call/call.h"
#include "call/control.h"
#include "script/scripts.h"
#include "store/access.h"
#include "store/adapt.h"
#include "types/value.h"

#define MS_IN_S 1000
/* Elements that MEMORY USAGE reckons from when it is not told. */
#define USAGE_SAMPLES_DEFAULT 5
/* What a key takes in the dict and in the index of deadlines on average, bytes: 64 for every 4.5
 * keys. */
#define KEY_TABLE_SHARE 14
#define KEY_DUE_SHARE   14
/* Integers below this are answered as shared for ever, because Redis shares these and test suites
 * look. */
#define SHARED_INTEGERS 10000
#define SHARED_FOR_EVER INT32_MAX

/* A look-up that counts but neither touches nor tells of a miss. */
static struct entry *look(struct call *call) {
    struct key key = call_key(call, 2);
    struct entry *entry = keyspace_peek(call->keyspace, &key);
    if (entry == NULL) {
        call->keyspace->metrics.keyspace_misses++;
        reply_null(call->reply);
    } else {
        call->keyspace->metrics.keyspace_hits++;
    }
    return entry;
}

static void object_encoding(struct call *call) {
    const struct entry *entry = look(call);
    if (entry != NULL) {
        reply_bulk_text(call->reply, value_encoding_name(entry));
    }
}

static void object_refcount(struct call *call) {
    const struct entry *entry = look(call);
    if (entry != NULL) {
        bool shared = entry_encoding(entry) == ENTRY_INTEGER && entry_integer(entry) >= 0 &&
                      entry_integer(entry) < SHARED_INTEGERS;
        reply_integer(call->reply, shared ? SHARED_FOR_EVER : 1);
    }
}

/* What an entry's access field holds depends on the policy: a time, or how often it was used. */
static void object_idletime(struct call *call) {
    const struct entry *entry = look(call);
    if (entry == NULL) {
        return;
    }
    if (call->keyspace->access_rule != ACCESS_RECENCY) {
        reply_error(call->reply,
                    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note "
                    "that when switching between policies at runtime LRU and LFU data will take "
                    "some time to adjust.");
    } else {
        reply_integer(call->reply, access_idle_ms(entry, call->now_ms) / MS_IN_S);
    }
}

static void object_freq(struct call *call) {
    const struct entry *entry = look(call);
    if (entry == NULL) {
        return;
    }
    const struct keyspace *keyspace = call->keyspace;
    if (keyspace->access_rule == ACCESS_FREQUENCY) {
        reply_integer(call->reply, access_counter(entry->access, access_minute(call->now_ms),
                                                  keyspace->counter_decay_minutes));
    } else if (keyspace->access_rule == ACCESS_WORTH) {
        reply_integer(call->reply, worth_count(entry->access, adapt_now(keyspace->adapt)));
    } else {
        reply_error(call->reply,
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                    "Please note that when switching between policies at runtime LRU and LFU data "
                    "will take some time to adjust.");
    }
}

static void object_help(struct call *call) {
    static const char *const lines[] = {
        "ENCODING <key>",
        "    Show how the key's value is kept.",
        "FREQ <key>",
        "    Show how often the key is used, on a logarithmic scale; for LFU policies.",
        "IDLETIME <key>",
        "    Show for how many seconds the key has not been used.",
        "REFCOUNT <key>",
        "    Show how many references there are to the key's value.",
        NULL,
    };
    reply_help(call->reply, "OBJECT", lines);
}

static void memory_usage(struct call *call) {
    int64_t samples = USAGE_SAMPLES_DEFAULT;
    for (int i = 3; i < call->argc; i += 2) {
        if (!call_arg_is(call, i, "samples") || i + 1 == call->argc) {
            reply_syntax_error(call->reply);
            return;
        }
        if (!call_integer(call, i + 1, &samples)) {
            return;
        }
        if (samples < 0) {
            reply_syntax_error(call->reply);
            return;
        }
    }
    struct key key = call_key(call, 2);
    const struct entry *entry = keyspace_peek(call->keyspace, &key);
    if (entry == NULL) {
        reply_null(call->reply);
        return;
    }
    size_t share = KEY_TABLE_SHARE + (entry->flags & ENTRY_HAS_DEADLINE ? KEY_DUE_SHARE : 0);
    reply_integer(call->reply, (int64_t)(value_footprint(entry, (size_t)samples) + share));
}

/* What MEMORY STATS and DOCTOR look at; bytes. */
struct figures {
    size_t used;
    size_t peak;
    size_t startup; /* in use before anything was stored */
    size_t overhead;
    size_t dataset;
    size_t keys;
    size_t resident; /* of the process */
    struct mem_allocator_stats allocator;
};

static size_t clients_bytes(void) {
    return mem_used_by(MEM_CLIENT) + mem_used_by(MEM_BUFFER);
}

static void gather(const struct call *call, struct figures *figures) {
    mem_note_peak();
    figures->used = mem_used();
    figures->peak = mem_peak();
    figures->startup = call->context->control->startup_bytes;
    figures->dataset = mem_used_by(MEM_DATA);
    /* Other threads may free between the readings: no difference below zero. */
    figures->startup = figures->startup < figures->used ? figures->startup : figures->used;
    figures->dataset = figures->dataset < figures->used ? figures->dataset : figures->used;
    figures->overhead = figures->used - figures->dataset;
    figures->keys = keyspace_size(call->keyspace);
    figures->resident = machine_resident();
    mem_allocator_stats(&figures->allocator);
}

static double ratio(size_t part, size_t whole) {
    return whole == 0 ? 0 : (double)part / (double)whole;
}

static double percent(size_t part, size_t whole) {
    return ratio(part, whole) * 100;
}

static void stat_bytes(struct reply *reply, const char *name, size_t value) {
    reply_bulk_text(reply, name);
    reply_integer(reply, (int64_t)value);
}

/* How much more `large` is than `small`; may be less, while pages are not touched yet. */
static void stat_excess(struct reply *reply, const char *name, size_t large, size_t small) {
    reply_bulk_text(reply, name);
    reply_integer(reply, (int64_t)large - (int64_t)small);
}

static void stat_number(struct reply *reply, const char *name, double value) {
    reply_bulk_text(reply, name);
    reply_double(reply, value);
}

static void reply_database_stats(struct reply *reply, const struct database *database) {
    char name[32];
    snprintf(name, sizeof name, "db.%d", database->id);
    reply_bulk_text(reply, name);
    reply_map(reply, 3);
    stat_bytes(reply, "overhead.hashtable.main", dict_footprint(&database->keys));
    stat_bytes(reply, "overhead.hashtable.expires",
               due_footprint(&database->deadlines) + due_footprint(&database->field_deadlines));
    stat_bytes(reply, "overhead.hashtable.slot-to-keys", 0);
}

static void reply_allocator_stats(struct reply *reply, const struct figures *figures) {
    const struct mem_allocator_stats *allocator = &figures->allocator;
    stat_bytes(reply, "allocator.allocated", allocator->allocated);
    stat_bytes(reply, "allocator.active", allocator->active);
    stat_bytes(reply, "allocator.resident", allocator->resident);
    stat_number(reply, "allocator-fragmentation.ratio",
                ratio(allocator->active, allocator->allocated));
    stat_excess(reply, "allocator-fragmentation.bytes", allocator->active, allocator->allocated);
    stat_number(reply, "allocator-rss.ratio", ratio(allocator->resident, allocator->active));
    stat_excess(reply, "allocator-rss.bytes", allocator->resident, allocator->active);
    stat_number(reply, "rss-overhead.ratio", ratio(figures->resident, allocator->resident));
    stat_excess(reply, "rss-overhead.bytes", figures->resident, allocator->resident);
    stat_number(reply, "fragmentation", ratio(figures->resident, figures->used));
    stat_excess(reply, "fragmentation.bytes", figures->resident, figures->used);
}

/* Lines of MEMORY STATS besides those of databases. */
#define STATS_LINES 27

static void memory_stats(struct call *call) {
    struct reply *reply = call->reply;
    struct figures figures;
    gather(call, &figures);
    int64_t databases = 0;
    for (int i = 0; i < call->keyspace->database_count; i++) {
        databases += dict_size(&call->keyspace->databases[i].keys) > 0;
    }
    reply_map(reply, STATS_LINES + databases);
    stat_bytes(reply, "peak.allocated", figures.peak);
    stat_bytes(reply, "total.allocated", figures.used);
    stat_bytes(reply, "startup.allocated", figures.startup);
    stat_bytes(reply, "replication.backlog", 0);
    stat_bytes(reply, "clients.slaves", 0);
    stat_bytes(reply, "clients.normal", clients_bytes());
    stat_bytes(reply, "cluster.links", 0);
    stat_bytes(reply, "aof.buffer", 0);
    struct script_figures scripts;
    scripts_figures(call->context->scripts, &scripts);
    stat_bytes(reply, "lua.caches", scripts.eval_scripts);
    stat_bytes(reply, "functions.caches", scripts.functions_sources);
    for (int i = 0; i < call->keyspace->database_count; i++) {
        if (dict_size(&call->keyspace->databases[i].keys) > 0) {
            reply_database_stats(reply, &call->keyspace->databases[i]);
        }
    }
    stat_bytes(reply, "overhead.total", figures.overhead);
    stat_bytes(reply, "keys.count", figures.keys);
    stat_bytes(reply, "keys.bytes-per-key",
               figures.keys == 0 ? 0 : (figures.used - figures.startup) / figures.keys);
    stat_bytes(reply, "dataset.bytes", figures.dataset);
    stat_number(reply, "dataset.percentage",
                percent(figures.dataset, figures.used - figures.startup));
    stat_number(reply, "peak.percentage", percent(figures.used, figures.peak));
    reply_allocator_stats(reply, &figures);
}

/* Below this there is too little data for ratios to mean anything. */
#define DOCTOR_BYTES_MIN ((size_t)5 << 20)
/* What the doctor finds remarkable. */
#define DOCTOR_PEAK_RATIO          1.5
#define DOCTOR_FRAGMENTATION_RATIO 1.4
#define DOCTOR_FRAGMENTATION_BYTES ((size_t)10 << 20)
#define DOCTOR_CLIENTS_RATIO       0.25

static void diagnose(const struct figures *figures, struct buffer *out) {
    const struct mem_allocator_stats *allocator = &figures->allocator;
    if (ratio(figures->peak, figures->used) > DOCTOR_PEAK_RATIO) {
        buffer_printf(out,
                      "* The peak was %.1f times what is used now; the allocator may still hold "
                      "pages from then. MEMORY PURGE gives them back.\n",
                      ratio(figures->peak, figures->used));
    }
    if (ratio(allocator->active, allocator->allocated) > DOCTOR_FRAGMENTATION_RATIO &&
        allocator->active - allocator->allocated > DOCTOR_FRAGMENTATION_BYTES) {
        buffer_printf(out,
                      "* Fragmentation is %.2f: pages are only partly in use, as after many keys "
                      "of other sizes were deleted. With activedefrag they are moved together, and "
                      "active_defrag_running in INFO shows that.\n",
                      ratio(allocator->active, allocator->allocated));
    }
    if (ratio(clients_bytes(), figures->used) > DOCTOR_CLIENTS_RATIO) {
        buffer_printf(out,
                      "* Connections hold %.0f percent of the memory: somebody sends requests or "
                      "lets replies pile up. CLIENT LIST shows who.\n",
                      percent(clients_bytes(), figures->used));
    }
}

static void memory_doctor(struct call *call) {
    struct figures figures;
    gather(call, &figures);
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    if (figures.used < DOCTOR_BYTES_MIN) {
        buffer_append_text(&text, "There is too little data to find anything wrong with memory.\n");
    } else {
        diagnose(&figures, &text);
        if (text.size == 0) {
            buffer_append_text(&text, "Nothing is wrong with memory.\n");
        }
    }
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_clear(&text);
}

static void append_report(void *context, const char *text) {
    buffer_append_text(context, text);
}

static void memory_malloc_stats(struct call *call) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    mem_allocator_report(append_report, &text);
    reply_verbatim(call->reply, "txt", buffer_bytes(&text));
    buffer_clear(&text);
}

static void memory_purge(struct call *call) {
    mem_purge();
    reply_ok(call->reply);
}

static void memory_help(struct call *call) {
    static const char *const lines[] = {
        "DOCTOR",
        "    Say what seems wrong with the use of memory.",
        "MALLOC-STATS",
        "    Show the allocator's own report.",
        "PURGE",
        "    Give the allocator's unused pages back to the system.",
        "STATS",
        "    Show what memory is used for.",
        "USAGE <key> [SAMPLES <count>]",
        "    Show how many bytes a key with its value takes. Of a collection so many elements",
        "    are looked at (5 if not given, 0: all).",
        NULL,
    };
    reply_help(call->reply, "MEMORY", lines);
}

#define LOOKS_AT_KEY                                                                               \
    .arity = 3, .flags = COMMAND_READONLY,                                                         \
    .categories = CATEGORY_KEYSPACE | CATEGORY_READ | CATEGORY_SLOW,                               \
    .keys = {KEYS_RANGE(2, 0, 1, 0, KEY_RO)}, .group = GROUP_GENERIC, .complexity = "O(1)",        \
    .syntax = "key"

static const struct command_row rows[] = {
    {.name = "object",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_GENERIC,
     .since = "2.2.3",
     .complexity = "Depends on the subcommand.",
     .summary = "A container for commands that look into values."},
    {.name = "object|encoding",
     .fn = object_encoding,
     .tips = TIP_CHANCE,
     .since = "2.2.3",
     .summary = "Returns how a key's value is kept.",
     LOOKS_AT_KEY},
    {.name = "object|freq",
     .fn = object_freq,
     .tips = TIP_CHANCE,
     .since = "4.0.0",
     .summary = "Returns how often a key is used, on a logarithmic scale.",
     LOOKS_AT_KEY},
    {.name = "object|help",
     .fn = object_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_KEYSPACE | CATEGORY_SLOW,
     .group = GROUP_GENERIC,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "object|idletime",
     .fn = object_idletime,
     .tips = TIP_CHANCE,
     .since = "2.2.3",
     .summary = "Returns for how many seconds a key has not been used.",
     LOOKS_AT_KEY},
    {.name = "object|refcount",
     .fn = object_refcount,
     .tips = TIP_CHANCE,
     .since = "2.2.3",
     .summary = "Returns how many references there are to a key's value.",
     LOOKS_AT_KEY},
    {.name = "memory",
     .arity = -2,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "Depends on the subcommand.",
     .summary = "A container for commands about the use of memory."},
    {.name = "memory|doctor",
     .fn = memory_doctor,
     .arity = 2,
     .categories = CATEGORY_SLOW,
     .tips = TIP_CHANCE | TIP_ALL_SHARDS | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Says what seems wrong with the use of memory."},
    {.name = "memory|help",
     .fn = memory_help,
     .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE,
     .categories = CATEGORY_SLOW,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Describes the subcommands."},
    {.name = "memory|malloc-stats",
     .fn = memory_malloc_stats,
     .arity = 2,
     .categories = CATEGORY_SLOW,
     .tips = TIP_CHANCE | TIP_ALL_SHARDS | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Returns the allocator's own report."},
    {.name = "memory|purge",
     .fn = memory_purge,
     .arity = 2,
     .categories = CATEGORY_SLOW,
     .tips = TIP_ALL_SHARDS | TIP_ALL_SUCCEEDED,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(N) for N unused pages.",
     .summary = "Gives the allocator's unused pages back to the system."},
    {.name = "memory|stats",
     .fn = memory_stats,
     .arity = 2,
     .categories = CATEGORY_SLOW,
     .tips = TIP_CHANCE | TIP_ALL_SHARDS | TIP_RESPONSE_SPECIAL,
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Returns what memory is used for."},
    {.name = "memory|usage",
     .fn = memory_usage,
     .arity = -3,
     .flags = COMMAND_READONLY,
     .categories = CATEGORY_READ | CATEGORY_SLOW,
     .keys = {KEYS_RANGE(2, 0, 1, 0, KEY_RO)},
     .group = GROUP_SERVER,
     .since = "4.0.0",
     .complexity = "O(N) for N sampled elements.",
     .summary = "Returns how many bytes a key with its value takes.",
     .syntax = "key [SAMPLES count]"},
};

const struct command_table *command_object(void) {
    static const struct command_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
