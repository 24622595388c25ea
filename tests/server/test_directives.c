/* Tests that a configuration written for Redis 3.2 to 8 or Valkey 7.2 to 9 is read: every directive
 * that these have is known to a whole server, some way or other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/config_commands.h"
#include "server/config_foreign.h"
#include "server/server.h"

/* clang-format off */
static const char *const names[] = {
    "acl-pubsub-default", "aclfile", "acllog-max-len", "active-defrag-cycle-max",
    "active-defrag-cycle-min", "active-defrag-cycle-us", "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields", "active-defrag-threshold-lower",
    "active-defrag-threshold-upper", "active-expire-effort", "activedefrag", "activerehashing",
    "always-show-logo", "aof-disable-auto-gc", "aof-load-corrupt-tail-max-size",
    "aof-load-truncated", "aof-rewrite-cpulist", "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled", "aof-use-rdb-preamble", "aof_rewrite_cpulist", "appenddirname",
    "appendfilename", "appendfsync", "appendonly", "array-slice-size", "array-sparse-kmax",
    "array-sparse-kmin", "auto-aof-rewrite-min-size", "auto-aof-rewrite-percentage",
    "availability-zone", "bgsave-cpulist", "bgsave_cpulist", "bind", "bind-source-addr",
    "bio-cpulist", "bio_cpulist", "busy-reply-threshold", "client-default-resp",
    "client-output-buffer-limit", "client-query-buffer-limit",
    "cluster-allow-pubsubshard-when-down", "cluster-allow-reads-when-down",
    "cluster-allow-replica-migration", "cluster-announce-bus-port",
    "cluster-announce-client-ipv4", "cluster-announce-client-ipv6",
    "cluster-announce-client-port", "cluster-announce-client-tls-port",
    "cluster-announce-hostname", "cluster-announce-human-nodename", "cluster-announce-ip",
    "cluster-announce-port", "cluster-announce-tls-port", "cluster-blacklist-ttl",
    "cluster-compatibility-sample-ratio", "cluster-config-file", "cluster-config-save-behavior",
    "cluster-databases", "cluster-enabled", "cluster-link-sendbuf-limit",
    "cluster-manual-failover-timeout", "cluster-message-gossip-perc",
    "cluster-migration-barrier", "cluster-node-timeout", "cluster-ping-interval",
    "cluster-port", "cluster-preferred-endpoint-type", "cluster-replica-no-failover",
    "cluster-replica-validity-factor", "cluster-require-full-coverage",
    "cluster-slave-no-failover", "cluster-slave-validity-factor",
    "cluster-slot-migration-handoff-max-lag-bytes", "cluster-slot-migration-log-max-len",
    "cluster-slot-migration-max-archived-tasks",
    "cluster-slot-migration-sync-buffer-drain-timeout",
    "cluster-slot-migration-write-pause-timeout", "cluster-slot-stats-enabled",
    "commandlog-execution-slower-than", "commandlog-large-reply-max-len",
    "commandlog-large-request-max-len", "commandlog-reply-larger-than",
    "commandlog-request-larger-than", "commandlog-slow-execution-max-len", "crash-log-enabled",
    "crash-memcheck-enabled", "daemonize", "databases", "dbfilename", "debug-context", "dir",
    "disable-thp", "dual-channel-replication-enabled", "dynamic-hz", "enable-debug-assert",
    "enable-debug-command", "enable-module-command", "enable-protected-configs",
    "events-per-io-thread", "extended-redis-compatibility", "hash-max-listpack-entries",
    "hash-max-listpack-value", "hash-max-ziplist-entries", "hash-max-ziplist-value",
    "hash-seed", "hide-user-data-from-log", "hll-sparse-max-bytes", "hz", "ignore-warnings",
    "import-mode", "include", "io-threads", "io-threads-always-active", "io-threads-do-reads",
    "jemalloc-bg-thread", "key-load-delay", "key-memory-histograms",
    "latency-monitor-threshold", "latency-tracking", "latency-tracking-info-percentiles",
    "lazyexpire-nested-arbitrary-keys", "lazyfree-lazy-eviction", "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del", "lazyfree-lazy-user-del", "lazyfree-lazy-user-flush",
    "lfu-decay-time", "lfu-log-factor", "list-compress-depth", "list-max-listpack-size",
    "list-max-ziplist-entries", "list-max-ziplist-size", "list-max-ziplist-value",
    "loading-process-events-interval-bytes", "loadmodule", "locale-collate", "log-format",
    "log-timestamp-format", "logfile", "loglevel", "lookahead", "lua-enable-deprecated-api",
    "lua-enable-insecure-api", "lua-time-limit", "masterauth", "masteruser",
    "max-new-connections-per-cycle", "max-new-tls-connections-per-cycle", "maxclients",
    "maxmemory", "maxmemory-clients", "maxmemory-eviction-tenacity", "maxmemory-policy",
    "maxmemory-samples", "min-io-threads-avoid-copy-reply", "min-replicas-max-lag",
    "min-replicas-to-write", "min-slaves-max-lag", "min-slaves-to-write",
    "min-string-size-avoid-copy-reply", "min-string-size-avoid-copy-reply-threaded", "mptcp",
    "no-appendfsync-on-rewrite", "notify-keyspace-events", "oom-score-adj",
    "oom-score-adj-values", "pidfile", "port", "prefetch-batch-max-size", "primaryauth",
    "primaryuser", "proc-title-template", "propagation-error-behavior", "protected-mode",
    "proto-max-bulk-len", "rdb-del-sync-files", "rdb-key-save-delay",
    "rdb-save-incremental-fsync", "rdb-version-check", "rdbchecksum", "rdbcompression",
    "rdma-bind", "rdma-completion-vector", "rdma-port", "rdma-rx-size", "rename-command",
    "repl-backlog-size", "repl-backlog-ttl", "repl-disable-tcp-nodelay", "repl-diskless-load",
    "repl-diskless-sync", "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas",
    "repl-mptcp", "repl-ping-replica-period", "repl-ping-slave-period", "repl-rdb-channel",
    "repl-timeout", "replica-announce-ip", "replica-announce-port", "replica-announced",
    "replica-full-sync-buffer-limit", "replica-ignore-disk-write-errors",
    "replica-ignore-maxmemory", "replica-lazy-flush", "replica-priority", "replica-read-only",
    "replica-serve-stale-data", "replicaof", "req-res-logfile", "requirepass",
    "sanitize-dump-payload", "save", "sentinel", "server-cpulist", "server_cpulist",
    "set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
    "set-proc-title", "shutdown-on-sigint", "shutdown-on-sigterm", "shutdown-timeout",
    "slave-announce-ip", "slave-announce-port", "slave-ignore-maxmemory", "slave-lazy-flush",
    "slave-priority", "slave-read-only", "slave-serve-stale-data", "slaveof",
    "slot-migration-max-failover-repl-bytes", "slowlog-entry-max-argc",
    "slowlog-entry-max-string-len", "slowlog-log-slower-than", "slowlog-max-len",
    "socket-mark-id", "stop-writes-on-bgsave-error", "stream-idmp-duration",
    "stream-idmp-maxsize", "stream-node-max-bytes", "stream-node-max-entries", "supervised",
    "syslog-enabled", "syslog-facility", "syslog-ident", "tcp-backlog", "tcp-keepalive",
    "timeout", "tls-auth-clients", "tls-auth-clients-user", "tls-auto-reload-interval",
    "tls-ca-cert-dir", "tls-ca-cert-file", "tls-cert-file", "tls-ciphers", "tls-ciphersuites",
    "tls-client-cert-file", "tls-client-key-file", "tls-client-key-file-pass", "tls-cluster",
    "tls-dh-params-file", "tls-key-file", "tls-key-file-pass", "tls-port",
    "tls-prefer-server-ciphers", "tls-protocols", "tls-replication", "tls-session-cache-size",
    "tls-session-cache-timeout", "tls-session-caching", "tracking-table-max-keys", "unixsocket",
    "unixsocketgroup", "unixsocketperm", "use-exit-on-panic", "user", "watchdog-period",
    "zset-max-listpack-entries", "zset-max-listpack-value", "zset-max-ziplist-entries",
    "zset-max-ziplist-value",
};
/* clang-format on */

/* Lines that a handler or the reader itself takes, or that stop the start with a reason. */
static const char *const lines[] = {"include", "rename-command", "user", "sentinel"};

static bool is_one_of_lines(const char *name) {
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (strcmp(lines[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static struct server server;

static void test_every_directive_is_known(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct bytes name = bytes_text(names[i]);
        if (options_find(server.context.options, name) < 0 && !foreign_is_line(name) &&
            !is_one_of_lines(names[i])) {
            fail_msg("%s is not known", names[i]);
        }
    }
}

static int load(const char *name, const char *value, const char *more) {
    char *arguments[] = {(char[]){"larder-server"}, (char *)(uintptr_t)name,
                         (char *)(uintptr_t)value, (char *)(uintptr_t)more};
    struct buffer problem;
    buffer_init(&problem, MEM_OTHER);
    int status = config_load(server.config, more == NULL ? 3 : 4, arguments, &problem);
    buffer_clear(&problem);
    return status;
}

/* A command that is not here may be taken away; one that nobody has is a slip. */
static void test_commands_that_are_not_here_may_be_renamed(void **state) {
    (void)state;
    assert_int_equal(load("--rename-command", "FT.INFO", ""), 0);
    assert_int_equal(load("--rename-command", "FT.SEARCH", ""), 0);
    assert_int_equal(load("--rename-command", "FLUSHAL", ""), -1);
    struct buffer warnings;
    buffer_init(&warnings, MEM_OTHER);
    config_warnings(server.config, &warnings);
    assert_non_null(strstr(buffer_text(&warnings), "not here anyway: ft.info, ft.search\n"));
    buffer_clear(&warnings);
}

static void test_names_of_commands(void **state) {
    (void)state;
    assert_true(config_command_is_known(bytes_text("BgRewriteAof")));
    assert_true(config_command_is_known(bytes_text("zunionstore")));
    assert_true(config_command_is_known(bytes_text("JSON.GET")));
    assert_false(config_command_is_known(bytes_text("")));
    assert_false(config_command_is_known(bytes_text("flushal")));
}

static int set_up(void **state) {
    (void)state;
    server_init(&server, "larder-server");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    server_free(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_directive_is_known),
        cmocka_unit_test(test_commands_that_are_not_here_may_be_renamed),
        cmocka_unit_test(test_names_of_commands),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
