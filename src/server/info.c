/* info: the sections of INFO that are of the process, and the rates. A counter is sampled ten times
 * a second; what it grew by, a second, goes into a ring of INFO_SAMPLES, whose average is shown:
 * steady enough to read, quick enough to see a change within two seconds. */
#include "server/info.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/histogram.h"
#include "client/client.h"
#include "call/command.h"
#include "persist/migrate.h"
#include "persist/saving.h"
#include "server/server.h"
#include "store/access.h"
#include "store/expire.h"

#define NS_PER_US       1000
#define US_PER_SECOND   1000000
#define SECONDS_PER_DAY 86400

/* Rates. */

static uint64_t counter_of(const struct info *info, enum info_rate rate) {
    const struct client_metrics *clients = clients_metrics(info->server->context.clients);
    const struct loop_stats *loop = loop_stats(info->server->loop);
    switch (rate) {
    case INFO_RATE_COMMANDS:
        return clients->total_commands_processed;
    case INFO_RATE_INPUT:
        return clients->total_net_input_bytes;
    case INFO_RATE_OUTPUT:
        return clients->total_net_output_bytes;
    case INFO_RATE_PASSES:
        return loop->passes;
    case INFO_RATE_BUSY:
        return loop->busy_us;
    case INFO_RATES:
        break;
    }
    return 0;
}

void info_sample(struct info *info) {
    int64_t now_us = info->server->clock.mono_us;
    int64_t passed_us = now_us - info->sampled_us;
    if (passed_us <= 0) {
        return;
    }
    for (int rate = 0; rate < INFO_RATES; rate++) {
        uint64_t now = counter_of(info, (enum info_rate)rate);
        uint64_t last = info->rates[rate].last;
        /* CONFIG RESETSTAT sets a counter back. */
        double grown = now > last ? (double)(now - last) : 0;
        info->rates[rate].samples[info->next_sample] =
            (uint64_t)(grown * US_PER_SECOND / (double)passed_us);
        info->rates[rate].last = now;
    }
    info->next_sample = (info->next_sample + 1) % INFO_SAMPLES;
    info->sampled_us = now_us;
}

uint64_t info_rate(const struct info *info, enum info_rate rate) {
    uint64_t sum = 0;
    for (size_t i = 0; i < INFO_SAMPLES; i++) {
        sum += info->rates[rate].samples[i];
    }
    return sum / INFO_SAMPLES;
}

/* Sections. */

static void server_version(void *module, struct buffer *out) {
    const struct info *info = module;
    struct utsname system;
    if (uname(&system) != 0) {
        memset(&system, 0, sizeof system);
    }
    buffer_printf(out,
                  "redis_version:%s\r\nlarder_version:%s\r\nserver_name:larder\r\n"
                  "redis_git_sha1:00000000\r\nredis_git_dirty:0\r\nredis_build_id:0\r\n"
                  "redis_mode:standalone\r\nos:%s %s %s\r\narch_bits:%zu\r\n"
                  "monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:%s\r\n"
                  "atomicvar_api:c11-builtin\r\n",
                  LARDER_REDIS_VERSION, LARDER_VERSION, system.sysname, system.release,
                  system.machine, sizeof(void *) * 8, loop_backend(info->server->loop));
    buffer_printf(out, "gcc_version:%d.%d.%d\r\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
}

static void server_process(void *module, struct buffer *out) {
    const struct info *info = module;
    const struct server *server = info->server;
    int64_t up_s = (server->clock.now_ms - server->control.start_ms) / 1000;
    up_s = up_s < 0 ? 0 : up_s;
    int64_t wall_us = server->clock.driven ? server->clock.now_ms * 1000 : clock_wall_us();
    buffer_printf(out,
                  "process_id:%d\r\nprocess_supervised:no\r\nrun_id:%s\r\ntcp_port:%lld\r\n"
                  "server_time_usec:%lld\r\nuptime_in_seconds:%lld\r\nuptime_in_days:%lld\r\n"
                  "hz:%lld\r\nconfigured_hz:%lld\r\nlru_clock:%u\r\nexecutable:%s\r\n"
                  "config_file:%s\r\nio_threads_active:%d\r\n",
                  (int)getpid(), server->control.run_id, (long long)server->options.port,
                  (long long)wall_us, (long long)up_s, (long long)(up_s / SECONDS_PER_DAY),
                  (long long)server->options.hz, (long long)server->options.hz,
                  access_tick(server->clock.now_ms), server->control.executable,
                  server->control.config_file, clients_thread_count(server->context.clients) > 0);
    int number = 0;
    listeners_print(&server->listeners, "tcp", &number, out);
    listeners_print(&server->tls_listeners, "tls", &number, out);
    listeners_print(&server->http_listeners, "http", &number, out);
    listeners_print(&server->https_listeners, "https", &number, out);
}

static void clients_absent(void *module, struct buffer *out) {
    (void)module;
    buffer_append_text(out, "cluster_connections:0\r\n"
                            "total_blocking_keys_on_nokey:0\r\n");
}

/* Of the log on disk what a Redis shows that keeps none. */
static void persistence(void *module, struct buffer *out) {
    const struct info *info = module;
    const struct server *server = info->server;
    loading_print(&server->loading, out);
    saving_print(server->context.saving, out);
    buffer_append_text(
        out, "aof_enabled:0\r\n"
             "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
             "aof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\n"
             "aof_last_bgrewrite_status:ok\r\naof_rewrites:0\r\n"
             "aof_rewrites_consecutive_failures:0\r\naof_last_write_status:ok\r\n"
             "aof_last_cow_size:0\r\nmodule_fork_in_progress:0\r\nmodule_fork_last_cow_size:0\r\n");
}

static void stats_rates(void *module, struct buffer *out) {
    const struct info *info = module;
    buffer_printf(out,
                  "instantaneous_ops_per_sec:%llu\r\ninstantaneous_input_kbps:%."
                  "2f\r\ninstantaneous_output_kbps:%.2f\r\n",
                  (unsigned long long)info_rate(info, INFO_RATE_COMMANDS),
                  (double)info_rate(info, INFO_RATE_INPUT) / 1024,
                  (double)info_rate(info, INFO_RATE_OUTPUT) / 1024);
}

static void stats_loop(void *module, struct buffer *out) {
    const struct info *info = module;
    const struct loop_stats *loop = loop_stats(info->server->loop);
    const struct commands *commands = info->server->context.commands;
    uint64_t busy_ns = 0;
    for (int id = 0; id < commands_count(commands); id++) {
        busy_ns += commands_at(commands, id)->busy_ns;
    }
    uint64_t passes = info_rate(info, INFO_RATE_PASSES);
    buffer_printf(out,
                  "eventloop_cycles:%llu\r\neventloop_duration_sum:%llu\r\n"
                  "eventloop_duration_cmd_sum:%llu\r\n"
                  "instantaneous_eventloop_cycles_per_sec:%llu\r\n"
                  "instantaneous_eventloop_duration_usec:%llu\r\n"
                  "eventloop_events:%llu\r\neventloop_duration_max:%llu\r\n"
                  "eventloop_duration_last:%llu\r\n",
                  (unsigned long long)loop->passes, (unsigned long long)loop->busy_us,
                  (unsigned long long)(busy_ns / 1000), (unsigned long long)passes,
                  (unsigned long long)(passes == 0 ? 0 : info_rate(info, INFO_RATE_BUSY) / passes),
                  (unsigned long long)loop->events, (unsigned long long)loop->pass_max_us,
                  (unsigned long long)loop->pass_last_us);
    const struct histogram *lengths = info->server->passes;
    buffer_printf(out,
                  "eventloop_pass_max_us:%llu\r\neventloop_pass_p50_us:%.1f\r\n"
                  "eventloop_pass_p99_us:%.1f\r\neventloop_pass_p99.9_us:%.1f\r\n"
                  "eventloop_pass_p99.99_us:%.1f\r\n",
                  (unsigned long long)loop->pass_max_us,
                  (double)histogram_percentile(lengths, 50) / NS_PER_US,
                  (double)histogram_percentile(lengths, 99) / NS_PER_US,
                  (double)histogram_percentile(lengths, 99.9) / NS_PER_US,
                  (double)histogram_percentile(lengths, 99.99) / NS_PER_US);
}

static void stats_expiry(void *module, struct buffer *out) {
    const struct info *info = module;
    struct server *server = info->server;
    const struct cron *cron = &server->cron;
    buffer_printf(out,
                  "expired_stale_perc:%.2f\r\nexpired_time_cap_reached_count:%llu\r\n"
                  "expire_cycle_cpu_milliseconds:%llu\r\nexpired_lag_ms:%lld\r\n"
                  "expired_lag_max_ms:%lld\r\n",
                  expire_stale_percent(&server->keyspace),
                  (unsigned long long)cron->expire_cut_short,
                  (unsigned long long)(cron->expire_us / 1000),
                  (long long)expire_lag_ms(&server->keyspace), (long long)cron->expire_lag_max_ms);
}

/* What a Redis without replicas, modules, publishers and forks would say. */
static void stats_absent(void *module, struct buffer *out) {
    const struct info *info = module;
    buffer_printf(out,
                  "instantaneous_input_repl_kbps:0.00\r\ninstantaneous_output_repl_kbps:0.00\r\n"
                  "latest_fork_usec:0\r\ntotal_forks:0\r\n"
                  "migrate_cached_sockets:%zu\r\nslave_expires_tracked_keys:0\r\n"
                  "unexpected_error_replies:0\r\n"
                  "dump_payload_sanitizations:0\r\nreply_buffer_shrinks:0\r\n"
                  "reply_buffer_expands:0\r\n",
                  migrations_cached_sockets(info->server->context.migrations));
}

static void print_cpu(struct buffer *out, const char *suffix, int who) {
    struct rusage usage;
    if (getrusage(who, &usage) != 0) {
        memset(&usage, 0, sizeof usage);
    }
    buffer_printf(out, "used_cpu_sys%s:%lld.%06lld\r\nused_cpu_user%s:%lld.%06lld\r\n", suffix,
                  (long long)usage.ru_stime.tv_sec, (long long)usage.ru_stime.tv_usec, suffix,
                  (long long)usage.ru_utime.tv_sec, (long long)usage.ru_utime.tv_usec);
}

static void cpu(void *module, struct buffer *out) {
    (void)module;
    print_cpu(out, "", RUSAGE_SELF);
    print_cpu(out, "_children", RUSAGE_CHILDREN);
    print_cpu(out, "_main_thread", RUSAGE_THREAD);
}

static void threads(void *module, struct buffer *out) {
    clients_print_threads(((const struct info *)module)->server->context.clients, out);
}

static void cluster(void *module, struct buffer *out) {
    (void)module;
    buffer_append_text(out, "cluster_enabled:0\r\n");
}

static void reset(void *module) {
    const struct info *info = module;
    loop_stats_reset(info->server->loop);
    cron_reset(&info->server->cron);
    histogram_reset(info->server->passes);
}

void info_init(struct info *info, struct server *server) {
    static const struct metric rows[] = {
#define LINES(section_, text_, description_)                                                       \
    {.name = #text_,                                                                               \
     .section = METRIC_##section_,                                                                 \
     .kind = METRIC_KIND_LINES,                                                                    \
     .text = text_,                                                                                \
     .description = (description_)}
        LINES(SERVER, server_version, "What runs, and on what."),
        LINES(SERVER, server_process, "The process and its settings."),
        LINES(CLIENTS, clients_absent, "Kinds of clients that there are not."),
        LINES(PERSISTENCE, persistence, "What is saved, and how that goes."),
        LINES(STATS, stats_rates, "Rates over the last two seconds."),
        LINES(STATS, stats_loop, "The event loop's passes and time, microseconds."),
        LINES(STATS, stats_expiry, "How expiry keeps up, milliseconds."),
        LINES(STATS, stats_absent, "Figures of what there is not."),
        LINES(CPU, cpu, "Processor time, seconds."),
        LINES(CLUSTER, cluster, "There is no cluster."),
        LINES(THREADS, threads, "What each I/O thread has done."),
#undef LINES
    };
    struct metrics *metrics = server->context.metrics;
    metrics_register(metrics, rows, sizeof rows / sizeof rows[0], NULL, info, reset);
    info_register_commands(info, metrics);
}

void info_start(struct info *info) {
    info->server->control.startup_bytes = mem_used();
    info->sampled_us = info->server->clock.mono_us;
}
