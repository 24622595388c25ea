/* config_foreign_table: names, kinds, bounds and defaults, as far as they are known those that
 * redis-server 7.0.15 answers to CONFIG GET and CONFIG SET, and behind them those that Redis 7.2 to
 * 8 and Valkey 8 to 9 have besides. Of a few of the newest a value is not looked at: they are
 * texts.
 *
 * All that is asked of it is that a configuration written for any of them is read. */
#include "server/config_foreign_int.h"

#include <stdint.h>

/* Choices. */

#define CHOICES(list, ...) static const struct option_choice list[] = {__VA_ARGS__, {NULL, 0}}

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
#define CUSTOM(name_, initial_, custom_, flags_)                                                   \
    {                                                                                              \
        .name = (name_), .kind = OPTION_KIND_CUSTOM, .initial = (initial_), .custom = (custom_),   \
        .flags = (flags_)                                                                          \
    }

#define FIXED  OPTION_IMMUTABLE
#define SECRET OPTION_SECRET
#define HIDDEN OPTION_HIDDEN

/* clang-format off */
static const struct foreign_spec specs[] = {
    /* Redis 7.0 */
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
#ifdef LARDER_NO_LUA
    NUMBER("busy-reply-threshold", "5000", 0, INT64_MAX, 0),
#endif
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
    YES_NO("crash-memcheck-enabled", "yes", 0),
    YES_NO("disable-thp", "yes", FIXED),
    TEXT("ignore-warnings", "", 0),
    YES_NO("io-threads-do-reads", "no", FIXED),
    YES_NO("jemalloc-bg-thread", "yes", 0),
    YES_NO("no-appendfsync-on-rewrite", "no", 0),
    CHOICE("oom-score-adj", "no", score_modes, 0),
    CUSTOM("oom-score-adj-values", "0 200 800", FOREIGN_ADJUSTMENTS, 0),
    TEXT("proc-title-template", "{title} {listen-addr} {server-mode}", 0),
    CHOICE("propagation-error-behavior", "ignore", error_behaviors, 0),
    YES_NO("rdb-del-sync-files", "no", 0),
    CHOICE("repl-diskless-load", "disabled", diskless_loads, 0),
    YES_NO("replica-ignore-disk-write-errors", "no", 0),
    CHOICE("sanitize-dump-payload", "no", sanitize_modes, 0),
    YES_NO("set-proc-title", "yes", FIXED),
    NUMBER("socket-mark-id", "0", 0, UINT32_MAX, FIXED),
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

    /* Redis 7.0, shown only by their exact names */
    SIZE("loading-process-events-interval-bytes", "2097152", 1024),
    NUMBER("rdb-key-save-delay", "0", INT32_MIN, INT32_MAX, HIDDEN),
    YES_NO("use-exit-on-panic", "no", HIDDEN),
    NUMBER("watchdog-period", "0", 0, INT32_MAX, HIDDEN),

    /* Redis 7.2 to 8 */
    SIZE("aof-load-corrupt-tail-max-size", "0", 0),
    NUMBER("array-slice-size", "4096", 0, UINT32_MAX, 0),
    NUMBER("array-sparse-kmax", "0", 0, UINT32_MAX, 0),
    NUMBER("array-sparse-kmin", "0", 0, UINT32_MAX, 0),
    NUMBER("client-default-resp", "2", 2, 3, FIXED | HIDDEN),
    TEXT("cluster-announce-human-nodename", "", 0),
    NUMBER("cluster-ping-interval", "1000", 1, INT64_MAX, HIDDEN),
    NUMBER("cluster-slot-migration-handoff-max-lag-bytes", "1048576", 0, INT64_MAX, 0),
    NUMBER("cluster-slot-migration-max-archived-tasks", "32", 0, INT32_MAX, HIDDEN),
    NUMBER("cluster-slot-migration-sync-buffer-drain-timeout", "60000", 0, INT64_MAX, HIDDEN),
    NUMBER("cluster-slot-migration-write-pause-timeout", "10000", 0, INT64_MAX, 0),
    NUMBER("cluster-compatibility-sample-ratio", "0", 0, 100, 0),
    YES_NO("cluster-slot-stats-enabled", "no", 0),
    YES_NO("hide-user-data-from-log", "no", 0),
    YES_NO("key-memory-histograms", "no", 0),
    YES_NO("lazyexpire-nested-arbitrary-keys", "yes", 0),
    TEXT("locale-collate", "", 0),
    NUMBER("lookahead", "16", 1, INT32_MAX, 0),
    NUMBER("max-new-connections-per-cycle", "10", 1, 1000, 0),
    NUMBER("max-new-tls-connections-per-cycle", "1", 1, 1000, 0),
    YES_NO("lua-enable-deprecated-api", "no", FIXED),
    YES_NO("repl-rdb-channel", "no", 0),
    SIZE("replica-full-sync-buffer-limit", "0", 0),
    TEXT("req-res-logfile", "", FIXED | HIDDEN),
    NUMBER("slowlog-entry-max-argc", "32", 2, INT32_MAX, 0),
    NUMBER("slowlog-entry-max-string-len", "128", 0, INT64_MAX, 0),
    TEXT("tls-auth-clients-user", "off", 0),

    /* Valkey 8 and 9 */
    NUMBER("active-defrag-cycle-us", "500", 0, 100000, 0),
    TEXT("availability-zone", "", 0),
    TEXT("cluster-announce-client-ipv4", "", 0),
    TEXT("cluster-announce-client-ipv6", "", 0),
    NUMBER("cluster-announce-client-port", "0", 0, 65535, 0),
    NUMBER("cluster-announce-client-tls-port", "0", 0, 65535, 0),
    NUMBER("cluster-blacklist-ttl", "60", 0, INT64_MAX, 0),
    TEXT("cluster-config-save-behavior", "sync", 0),
    NUMBER("cluster-databases", "1", 1, INT32_MAX, FIXED),
    NUMBER("cluster-manual-failover-timeout", "5000", 0, INT64_MAX, 0),
    NUMBER("cluster-message-gossip-perc", "10", 0, INT32_MAX, 0),
    NUMBER("cluster-slot-migration-log-max-len", "1000", 0, INT64_MAX, 0),
    NUMBER("commandlog-large-reply-max-len", "128", 0, INT64_MAX, 0),
    NUMBER("commandlog-large-request-max-len", "128", 0, INT64_MAX, 0),
    NUMBER("commandlog-reply-larger-than", "1048576", -1, INT64_MAX, 0),
    NUMBER("commandlog-request-larger-than", "1048576", -1, INT64_MAX, 0),
    TEXT("debug-context", "", HIDDEN),
    YES_NO("dual-channel-replication-enabled", "no", 0),
    YES_NO("enable-debug-assert", "no", FIXED | HIDDEN),
    NUMBER("events-per-io-thread", "2", 0, INT32_MAX, 0),
    YES_NO("extended-redis-compatibility", "no", 0),
    TEXT("hash-seed", "", FIXED),
    YES_NO("import-mode", "no", 0),
    YES_NO("io-threads-always-active", "no", HIDDEN),
    TEXT("log-format", "legacy", 0),
    TEXT("log-timestamp-format", "legacy", 0),
    NUMBER("min-io-threads-avoid-copy-reply", "7", 0, INT32_MAX, HIDDEN),
    NUMBER("min-string-size-avoid-copy-reply", "16384", 0, INT32_MAX, HIDDEN),
    NUMBER("min-string-size-avoid-copy-reply-threaded", "65536", 0, INT32_MAX, HIDDEN),
    YES_NO("mptcp", "no", FIXED),
    NUMBER("prefetch-batch-max-size", "16", 0, 128, 0),
    TEXT("rdb-version-check", "strict", 0),
    TEXT("rdma-bind", "", OPTION_REPEATS),
    NUMBER("rdma-completion-vector", "-1", -1, INT32_MAX, FIXED),
    NUMBER("rdma-port", "0", 0, 65535, 0),
    SIZE("rdma-rx-size", "1048576", 0),
    YES_NO("repl-mptcp", "no", FIXED),
    NUMBER("slot-migration-max-failover-repl-bytes", "0", -1, INT64_MAX, 0),
    NUMBER("tls-auto-reload-interval", "0", 0, INT64_MAX, 0),
    TEXT("unixsocketgroup", "", FIXED),
};
/* clang-format on */

static const struct foreign_old_name old_names[] = {
    {"aof-rewrite-cpulist", "aof_rewrite_cpulist"},
    {"bgsave-cpulist", "bgsave_cpulist"},
    {"bio-cpulist", "bio_cpulist"},
    {"cluster-slave-no-failover", "cluster-replica-no-failover"},
    {"cluster-slave-validity-factor", "cluster-replica-validity-factor"},
    {"commandlog-execution-slower-than", "slowlog-log-slower-than"},
    {"commandlog-slow-execution-max-len", "slowlog-max-len"},
    {"hash-max-ziplist-entries", "hash-max-listpack-entries"},
    {"hash-max-ziplist-value", "hash-max-listpack-value"},
    {"lua-enable-insecure-api", "lua-enable-deprecated-api"},
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
};

/* Lines that Redis reads and that are no options. Modules have options of their own, which their
 * names begin. */
static const struct foreign_line lines[] = {
    {"list-max-ziplist-entries", false},
    {"list-max-ziplist-value", false},
    {"loadmodule", false},
    {"bf-", true},
    {"cf-", true},
    {"json-", true},
    {"search-", true},
    {"ts-", true},
};

const struct foreign_spec *foreign_specs(size_t *count) {
    *count = sizeof specs / sizeof specs[0];
    return specs;
}

const struct foreign_old_name *foreign_old_names(size_t *count) {
    *count = sizeof old_names / sizeof old_names[0];
    return old_names;
}

const struct foreign_line *foreign_lines(size_t *count) {
    *count = sizeof lines / sizeof lines[0];
    return lines;
}
