/* config_foreign: one table of names, kinds, bounds and defaults, from which the rows of the
 * registry are made when the program starts.
 *
 * Names, bounds and defaults are those that redis-server 7.0.15 answers to CONFIG GET and CONFIG
 * SET, and behind them those that Redis 7.2 to 8 and Valkey 8 have besides. One default is not:
 * `save` is empty, for nothing is saved as long as this table holds it.
 *
 *     specs[i]  ->  rows[i], offset i * 8  ->  values[i], 8 bytes: bool, int64_t, int or char *
 *
 * Four directives have a grammar of their own and are CUSTOM options; their text is kept here. */
#include "base/buffer.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/words.h"
#include "server/config_foreign.h"

#include <stddef.h>
#include <stdio.h>

#define DESCRIPTION "Accepted for the sake of configurations written for Redis; has no effect."

/* Numbers in `save` and its like: no sensible line has more. */
#define NUMBERS_MAX 256

enum custom_text { SAVE, ADJUSTMENTS, CUSTOM_TEXTS };

union value {
    bool boolean;
    int64_t number;
    int choice;
    char *text;
    void *custom;
};

struct spec {
    const char *name;
    enum option_kind kind;
    const char *initial;
    int64_t least;
    int64_t most;
    const void *extra;
    unsigned flags;
};

/* Custom options: module is the struct foreign. */

struct foreign {
    struct options *options;
    struct option *rows;
    union value *values;
    struct buffer texts[CUSTOM_TEXTS];
};

static void text_set(struct foreign *foreign, enum custom_text which, const struct buffer *text) {
    struct buffer *kept = &foreign->texts[which];
    kept->size = 0;
    buffer_append(kept, text->at, text->size);
}

static void text_get(const struct foreign *foreign, enum custom_text which, struct buffer *out) {
    buffer_append(out, foreign->texts[which].at, foreign->texts[which].size);
}

/* Reads decimal numbers from words, each of which may hold several (`save "60 1 300 10"`). The
 * number of numbers, or -1. */
static int read_numbers(const struct bytes *words, int count, int64_t *numbers) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        struct bytes rest = words[i];
        while (rest.size > 0) {
            const char *space = memchr(rest.at, ' ', rest.size);
            size_t size = space == NULL ? rest.size : (size_t)(space - rest.at);
            if (found == NUMBERS_MAX || !num_parse_i64(bytes_of(rest.at, size), &numbers[found])) {
                return -1;
            }
            found++;
            size += space != NULL;
            rest = bytes_of(rest.at + size, rest.size - size);
        }
    }
    return found;
}

static void keep_numbers(struct foreign *foreign, enum custom_text which, const int64_t *numbers,
                         int count) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    for (int i = 0; i < count; i++) {
        buffer_printf(&text, "%s%lld", i == 0 ? "" : " ", (long long)numbers[i]);
    }
    text_set(foreign, which, &text);
    buffer_clear(&text);
}

static bool save_set(void *module, const struct bytes *words, int count, const char **error) {
    int64_t numbers[NUMBERS_MAX];
    int found = read_numbers(words, count, numbers);
    bool good = found >= 0 && found % 2 == 0;
    for (int i = 0; good && i < found; i += 2) {
        good = numbers[i] >= 1 && numbers[i + 1] >= 0;
    }
    if (!good) {
        *error = "Invalid save parameters";
        return false;
    }
    keep_numbers(module, SAVE, numbers, found);
    return true;
}

static void save_get(void *module, struct buffer *out) {
    text_get(module, SAVE, out);
}

static const struct option_custom save = {.set = save_set, .get = save_get};

/* How many parts there are between spaces, numbers or not. */
static int count_parts(const struct bytes *words, int count) {
    int parts = 0;
    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < words[i].size; j++) {
            parts += words[i].at[j] != ' ' && (j == 0 || words[i].at[j - 1] == ' ');
        }
    }
    return parts;
}

static bool adjustments_set(void *module, const struct bytes *words, int count,
                            const char **error) {
    int64_t numbers[NUMBERS_MAX];
    /* How many there are is asked before what they are. */
    if (count_parts(words, count) != 3) {
        *error = "wrong number of arguments";
        return false;
    }
    int found = read_numbers(words, count, numbers);
    for (int i = 0; i < 3; i++) {
        if (found != 3 || numbers[i] < -2000 || numbers[i] > 2000) {
            *error = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
            return false;
        }
    }
    keep_numbers(module, ADJUSTMENTS, numbers, found);
    return true;
}

static void adjustments_get(void *module, struct buffer *out) {
    text_get(module, ADJUSTMENTS, out);
}

static const struct option_custom adjustments = {.set = adjustments_set, .get = adjustments_get};

/* Choices. */

#define CHOICES(list, ...) static const struct option_choice list[] = {__VA_ARGS__, {NULL, 0}}

CHOICES(pubsub_permissions, {"allchannels", 0}, {"resetchannels", 1});
CHOICES(fsync_policies, {"everysec", 0}, {"always", 1}, {"no", 2});
CHOICES(endpoint_types, {"ip", 0}, {"hostname", 1}, {"unknown-endpoint", 2});
CHOICES(score_modes, {"no", 0}, {"yes", 1}, {"relative", 1}, {"absolute", 2});
CHOICES(error_behaviors, {"ignore", 0}, {"panic", 1}, {"panic-on-replicas", 2});
CHOICES(diskless_loads, {"disabled", 0}, {"on-empty-db", 1}, {"swapdb", 2});
CHOICES(sanitize_modes, {"no", 0}, {"yes", 1}, {"clients", 2});
CHOICES(supervisors, {"upstart", 0}, {"systemd", 1}, {"auto", 2}, {"no", 3});
CHOICES(tls_client_modes, {"no", 0}, {"yes", 1}, {"optional", 2});
CHOICES(facilities, {"user", 0}, {"local0", 1}, {"local1", 2}, {"local2", 3}, {"local3", 4},
        {"local4", 5}, {"local5", 6}, {"local6", 7}, {"local7", 8});

/* The table. */

#define YES_NO(name_, initial_, flags_)                                                            \
    { .name = (name_), .kind = OPTION_KIND_BOOL, .initial = (initial_), .flags = (flags_) }
#define NUMBER(name_, initial_, least_, most_, flags_)                                             \
    {                                                                                              \
        .name = (name_), .kind = OPTION_KIND_INT, .initial = (initial_), .least = (least_),        \
        .most = (most_), .flags = (flags_)                                                         \
    }
#define SIZE(name_, initial_, least_)                                                              \
    {                                                                                              \
        .name = (name_), .kind = OPTION_KIND_MEMORY, .initial = (initial_), .least = (least_),     \
        .most = INT64_MAX                                                                          \
    }
#define TEXT(name_, initial_, flags_)                                                              \
    { .name = (name_), .kind = OPTION_KIND_TEXT, .initial = (initial_), .flags = (flags_) }
#define CHOICE(name_, initial_, choices_, flags_)                                                  \
    {                                                                                              \
        .name = (name_), .kind = OPTION_KIND_CHOICE, .initial = (initial_), .extra = (choices_),   \
        .flags = (flags_)                                                                          \
    }
#define CUSTOM(name_, initial_, functions_, flags_)                                                \
    {                                                                                              \
        .name = (name_), .kind = OPTION_KIND_CUSTOM, .initial = (initial_), .extra = (functions_), \
        .flags = (flags_)                                                                          \
    }

#define FIXED  OPTION_IMMUTABLE
#define SECRET OPTION_SECRET

/* clang-format off */
static const struct spec specs[] = {
    /* Redis 7.0 */
    CHOICE("acl-pubsub-default", "resetchannels", pubsub_permissions, 0),
    TEXT("aclfile", "", FIXED),
    NUMBER("acllog-max-len", "128", 0, INT64_MAX, 0),
    YES_NO("activerehashing", "yes", 0),
    YES_NO("aof-disable-auto-gc", "no", 0),
    YES_NO("aof-load-truncated", "yes", 0),
    YES_NO("aof-rewrite-incremental-fsync", "yes", 0),
    YES_NO("aof-timestamp-enabled", "no", 0),
    YES_NO("aof-use-rdb-preamble", "yes", 0),
    TEXT("aof_rewrite_cpulist", "", FIXED),
    TEXT("appenddirname", "appendonlydir", FIXED),
    TEXT("appendfilename", "appendonly.aof", FIXED),
    CHOICE("appendfsync", "everysec", fsync_policies, 0),
    YES_NO("appendonly", "no", 0),
    SIZE("auto-aof-rewrite-min-size", "67108864", 0),
    NUMBER("auto-aof-rewrite-percentage", "100", 0, INT32_MAX, 0),
    TEXT("bgsave_cpulist", "", FIXED),
    TEXT("bind-source-addr", "", 0),
    TEXT("bio_cpulist", "", FIXED),
    NUMBER("busy-reply-threshold", "5000", 0, INT64_MAX, 0),
    YES_NO("cluster-allow-pubsubshard-when-down", "yes", 0),
    YES_NO("cluster-allow-reads-when-down", "no", 0),
    YES_NO("cluster-allow-replica-migration", "yes", 0),
    NUMBER("cluster-announce-bus-port", "0", 0, 65535, 0),
    TEXT("cluster-announce-hostname", "", 0),
    TEXT("cluster-announce-ip", "", 0),
    NUMBER("cluster-announce-port", "0", 0, 65535, 0),
    NUMBER("cluster-announce-tls-port", "0", 0, 65535, 0),
    TEXT("cluster-config-file", "nodes.conf", FIXED),
    YES_NO("cluster-enabled", "no", FIXED),
    SIZE("cluster-link-sendbuf-limit", "0", 0),
    NUMBER("cluster-migration-barrier", "1", 0, INT32_MAX, 0),
    NUMBER("cluster-node-timeout", "15000", 0, INT64_MAX, 0),
    NUMBER("cluster-port", "0", 0, 65535, FIXED),
    CHOICE("cluster-preferred-endpoint-type", "ip", endpoint_types, 0),
    YES_NO("cluster-replica-no-failover", "no", 0),
    NUMBER("cluster-replica-validity-factor", "10", 0, INT32_MAX, 0),
    YES_NO("cluster-require-full-coverage", "yes", 0),
    YES_NO("crash-log-enabled", "yes", 0),
    YES_NO("crash-memcheck-enabled", "yes", 0),
    TEXT("dbfilename", "dump.rdb", OPTION_PROTECTED),
    YES_NO("disable-thp", "yes", FIXED),
    SIZE("hll-sparse-max-bytes", "3000", 0),
    TEXT("ignore-warnings", "", 0),
    YES_NO("io-threads-do-reads", "no", FIXED),
    YES_NO("jemalloc-bg-thread", "yes", 0),
    NUMBER("list-compress-depth", "0", 0, INT32_MAX, 0),
    NUMBER("list-max-listpack-size", "-2", INT32_MIN, INT32_MAX, 0),
    TEXT("masterauth", "", SECRET),
    TEXT("masteruser", "", SECRET),
    NUMBER("min-replicas-max-lag", "10", 0, INT32_MAX, 0),
    NUMBER("min-replicas-to-write", "0", 0, INT32_MAX, 0),
    YES_NO("no-appendfsync-on-rewrite", "no", 0),
    CHOICE("oom-score-adj", "no", score_modes, 0),
    CUSTOM("oom-score-adj-values", "0 200 800", &adjustments, 0),
    TEXT("proc-title-template", "{title} {listen-addr} {server-mode}", 0),
    CHOICE("propagation-error-behavior", "ignore", error_behaviors, 0),
    YES_NO("rdb-del-sync-files", "no", 0),
    YES_NO("rdb-save-incremental-fsync", "yes", 0),
    YES_NO("rdbchecksum", "yes", FIXED),
    YES_NO("rdbcompression", "yes", 0),
    SIZE("repl-backlog-size", "1048576", 1),
    NUMBER("repl-backlog-ttl", "3600", 0, INT64_MAX, 0),
    YES_NO("repl-disable-tcp-nodelay", "no", 0),
    CHOICE("repl-diskless-load", "disabled", diskless_loads, 0),
    YES_NO("repl-diskless-sync", "yes", 0),
    NUMBER("repl-diskless-sync-delay", "5", 0, INT32_MAX, 0),
    NUMBER("repl-diskless-sync-max-replicas", "0", 0, INT32_MAX, 0),
    NUMBER("repl-ping-replica-period", "10", 1, INT32_MAX, 0),
    NUMBER("repl-timeout", "60", 1, INT32_MAX, 0),
    TEXT("replica-announce-ip", "", 0),
    NUMBER("replica-announce-port", "0", 0, 65535, 0),
    YES_NO("replica-announced", "yes", 0),
    YES_NO("replica-ignore-disk-write-errors", "no", 0),
    YES_NO("replica-ignore-maxmemory", "yes", 0),
    YES_NO("replica-lazy-flush", "no", 0),
    NUMBER("replica-priority", "100", 0, INT32_MAX, 0),
    YES_NO("replica-read-only", "yes", 0),
    YES_NO("replica-serve-stale-data", "yes", 0),
    TEXT("replicaof", "", FIXED | OPTION_REPEATS), /* host and port, joined */
    CHOICE("sanitize-dump-payload", "no", sanitize_modes, 0),
    CUSTOM("save", "", &save, OPTION_REPEATS),
    NUMBER("set-max-intset-entries", "512", 0, INT64_MAX, 0),
    YES_NO("set-proc-title", "yes", FIXED),
    NUMBER("socket-mark-id", "0", 0, UINT32_MAX, FIXED),
    YES_NO("stop-writes-on-bgsave-error", "yes", 0),
    SIZE("stream-node-max-bytes", "4096", 0),
    NUMBER("stream-node-max-entries", "100", 0, INT64_MAX, 0),
    CHOICE("supervised", "no", supervisors, FIXED),
    YES_NO("syslog-enabled", "no", FIXED),
    CHOICE("syslog-facility", "local0", facilities, FIXED),
    TEXT("syslog-ident", "redis", FIXED),
    CHOICE("tls-auth-clients", "yes", tls_client_modes, 0),
    TEXT("tls-ca-cert-dir", "", 0),
    TEXT("tls-ca-cert-file", "", 0),
    TEXT("tls-cert-file", "", 0),
    TEXT("tls-ciphers", "", 0),
    TEXT("tls-ciphersuites", "", 0),
    TEXT("tls-client-cert-file", "", 0),
    TEXT("tls-client-key-file", "", 0),
    TEXT("tls-client-key-file-pass", "", SECRET),
    YES_NO("tls-cluster", "no", 0),
    TEXT("tls-dh-params-file", "", 0),
    TEXT("tls-key-file", "", 0),
    TEXT("tls-key-file-pass", "", SECRET),
    NUMBER("tls-port", "0", 0, 65535, 0),
    YES_NO("tls-prefer-server-ciphers", "no", 0),
    TEXT("tls-protocols", "", 0),
    YES_NO("tls-replication", "no", 0),
    NUMBER("tls-session-cache-size", "20480", 0, INT32_MAX, 0),
    NUMBER("tls-session-cache-timeout", "300", 0, INT32_MAX, 0),
    YES_NO("tls-session-caching", "yes", 0),
    NUMBER("zset-max-listpack-entries", "128", 0, INT64_MAX, 0),
    SIZE("zset-max-listpack-value", "64", 0),

    /* Redis 7.2 to 8 */
    TEXT("cluster-announce-human-nodename", "", 0),
    NUMBER("cluster-compatibility-sample-ratio", "0", 0, 100, 0),
    YES_NO("cluster-slot-stats-enabled", "no", 0),
    YES_NO("hide-user-data-from-log", "no", 0),
    TEXT("locale-collate", "", 0),
    NUMBER("lookahead", "16", 1, INT32_MAX, 0),
    NUMBER("max-new-connections-per-cycle", "10", 1, 1000, 0),
    NUMBER("max-new-tls-connections-per-cycle", "1", 1, 1000, 0),
    YES_NO("repl-rdb-channel", "no", 0),
    SIZE("replica-full-sync-buffer-limit", "0", 0),

    /* Valkey 8 */
    TEXT("availability-zone", "", 0),
    YES_NO("dual-channel-replication-enabled", "no", 0),
    NUMBER("events-per-io-thread", "2", 0, INT32_MAX, 0),
    YES_NO("extended-redis-compatibility", "no", 0),
    YES_NO("import-mode", "no", 0),
    NUMBER("prefetch-batch-max-size", "16", 0, 128, 0),
};
/* clang-format on */

enum { SPECS = sizeof specs / sizeof specs[0] };

struct old_name {
    const char *old;
    const char *name;
};

static const struct old_name old_names[] = {
    {"aof-rewrite-cpulist", "aof_rewrite_cpulist"},
    {"bgsave-cpulist", "bgsave_cpulist"},
    {"bio-cpulist", "bio_cpulist"},
    {"cluster-slave-no-failover", "cluster-replica-no-failover"},
    {"cluster-slave-validity-factor", "cluster-replica-validity-factor"},
    {"hash-max-ziplist-entries", "hash-max-listpack-entries"},
    {"hash-max-ziplist-value", "hash-max-listpack-value"},
    {"list-max-ziplist-size", "list-max-listpack-size"},
    {"lua-time-limit", "busy-reply-threshold"},
    {"min-slaves-max-lag", "min-replicas-max-lag"},
    {"min-slaves-to-write", "min-replicas-to-write"},
    {"primaryauth", "masterauth"},
    {"primaryuser", "masteruser"},
    {"repl-ping-slave-period", "repl-ping-replica-period"},
    {"server-cpulist", "server_cpulist"},
    {"slave-announce-ip", "replica-announce-ip"},
    {"slave-announce-port", "replica-announce-port"},
    {"slave-ignore-maxmemory", "replica-ignore-maxmemory"},
    {"slave-lazy-flush", "replica-lazy-flush"},
    {"slave-priority", "replica-priority"},
    {"slave-read-only", "replica-read-only"},
    {"slave-serve-stale-data", "replica-serve-stale-data"},
    {"slaveof", "replicaof"},
    {"zset-max-ziplist-entries", "zset-max-listpack-entries"},
    {"zset-max-ziplist-value", "zset-max-listpack-value"},
};

/* Lines that are no options. */
static const char *const lines[] = {"loadmodule"};

struct foreign *foreign_new(struct options *options) {
    struct foreign *foreign = mem_zalloc(MEM_OTHER, sizeof *foreign);
    foreign->options = options;
    foreign->rows = mem_zalloc(MEM_OTHER, SPECS * sizeof *foreign->rows);
    foreign->values = mem_zalloc(MEM_OTHER, SPECS * sizeof *foreign->values);
    for (int i = 0; i < CUSTOM_TEXTS; i++) {
        buffer_init(&foreign->texts[i], MEM_OTHER);
    }
    for (size_t i = 0; i < SPECS; i++) {
        const struct spec *spec = &specs[i];
        if (options_find(options, bytes_text(spec->name)) >= 0) {
            continue;
        }
        foreign->rows[i] = (struct option){.name = spec->name,
                                           .kind = spec->kind,
                                           .offset = i * sizeof *foreign->values,
                                           .initial = spec->initial,
                                           .least = spec->least,
                                           .most = spec->most,
                                           .extra = spec->extra,
                                           .flags = spec->flags,
                                           .description = DESCRIPTION};
        options_register(options, &foreign->rows[i], 1, foreign->values, foreign);
    }
    for (size_t i = 0; i < sizeof old_names / sizeof old_names[0]; i++) {
        if (options_find(options, bytes_text(old_names[i].old)) < 0 &&
            options_find(options, bytes_text(old_names[i].name)) >= 0) {
            options_alias(options, old_names[i].old, old_names[i].name);
        }
    }
    return foreign;
}

void foreign_free(struct foreign *foreign) {
    if (foreign == NULL) {
        return;
    }
    for (int i = 0; i < CUSTOM_TEXTS; i++) {
        buffer_clear(&foreign->texts[i]);
    }
    mem_free(MEM_OTHER, foreign->values, SPECS * sizeof *foreign->values);
    mem_free(MEM_OTHER, foreign->rows, SPECS * sizeof *foreign->rows);
    mem_free(MEM_OTHER, foreign, sizeof *foreign);
}

bool foreign_has(const struct foreign *foreign, const struct option *row) {
    return row >= foreign->rows && row < foreign->rows + SPECS;
}

bool foreign_is_line(struct bytes name) {
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (bytes_is(name, lines[i])) {
            return true;
        }
    }
    return false;
}
