/* info_memory: the section Memory of INFO. What the allocator and the kernel say is asked for once
 * in a tenth of a second at most, for asking costs more than all other lines together. */
#include "server/info.h"

#include <sys/sysinfo.h>

#include "base/machine.h"
#include "base/num.h"
#include "script/scripts.h"
#include "server/server.h"

#define ALLOCATOR_FRESH_US 100000
/* The longest text of num_format_human. */
#define HUMAN_SIZE 32

static void refresh(struct info *info) {
    int64_t now_us = info->server->clock.mono_us;
    if (info->allocator_at_us != 0 && now_us - info->allocator_at_us < ALLOCATOR_FRESH_US) {
        return;
    }
    info->allocator_at_us = now_us;
    mem_allocator_stats(&info->allocator);
    info->resident = machine_resident();
}

static void print_bytes(struct buffer *out, const char *name, size_t bytes) {
    char human[HUMAN_SIZE];
    num_format_human(human, bytes);
    buffer_printf(out, "%s:%zu\r\n%s_human:%s\r\n", name, bytes, name, human);
}

static void print_human(struct buffer *out, const char *name, size_t bytes) {
    char human[HUMAN_SIZE];
    num_format_human(human, bytes);
    buffer_printf(out, "%s:%s\r\n", name, human);
}

static double ratio(size_t a, size_t b) {
    return b == 0 ? 0 : (double)a / (double)b;
}

static void memory_used(void *module, struct buffer *out) {
    struct info *info = module;
    refresh(info);
    mem_note_peak();
    size_t used = mem_used();
    size_t data = mem_used_by(MEM_DATA);
    size_t peak = mem_peak();
    size_t startup = info->server->control.startup_bytes;
    print_bytes(out, "used_memory", used);
    print_bytes(out, "used_memory_rss", info->resident);
    print_bytes(out, "used_memory_peak", peak);
    buffer_printf(out, "used_memory_peak_perc:%.2f%%\r\n", 100 * ratio(used, peak));
    buffer_printf(out, "used_memory_overhead:%zu\r\n", used > data ? used - data : 0);
    buffer_printf(out, "used_memory_startup:%zu\r\n", startup);
    buffer_printf(out, "used_memory_dataset:%zu\r\n", data);
    size_t since = used > startup ? used - startup : 0;
    double dataset = 100 * ratio(data, since);
    buffer_printf(out, "used_memory_dataset_perc:%.2f%%\r\n", dataset > 100 ? 100 : dataset);
    for (int purpose = 0; purpose < MEM_PURPOSES; purpose++) {
        buffer_printf(out, "used_memory_for_%s:%zu\r\n",
                      mem_purpose_name((enum mem_purpose)purpose),
                      mem_used_by((enum mem_purpose)purpose));
    }
}

/* Lua's own memory, and what is known of scripts and functions besides. */
static void print_scripts(const struct info *info, struct buffer *out) {
    struct script_figures figures;
    scripts_figures(info->server->context.scripts, &figures);
    buffer_printf(out, "used_memory_lua:%zu\r\nused_memory_vm_eval:%zu\r\n", figures.eval_lua,
                  figures.eval_lua);
    print_human(out, "used_memory_lua_human", figures.eval_lua);
    buffer_printf(out,
                  "used_memory_scripts_eval:%zu\r\nnumber_of_cached_scripts:%zu\r\n"
                  "number_of_functions:%zu\r\nnumber_of_libraries:%zu\r\n"
                  "used_memory_vm_functions:%zu\r\n",
                  figures.eval_scripts, figures.scripts, figures.functions, figures.libraries,
                  figures.functions_lua);
    print_bytes(out, "used_memory_vm_total", figures.eval_lua + figures.functions_lua);
    buffer_printf(out, "used_memory_functions:%zu\r\n", figures.functions_sources);
    print_bytes(out, "used_memory_scripts", figures.eval_scripts + figures.functions_sources);
}

static void memory_system(void *module, struct buffer *out) {
    struct sysinfo system;
    if (sysinfo(&system) == 0) {
        print_bytes(out, "total_system_memory", (size_t)system.totalram * system.mem_unit);
    }
    print_scripts(module, out);
}

/* Differences may be below zero for a moment: the figures are not of one instant. */
static void print_overhead(struct buffer *out, const char *name, size_t above, size_t below) {
    buffer_printf(out, "%s_ratio:%.2f\r\n%s_bytes:%lld\r\n", name, ratio(above, below), name,
                  (long long)above - (long long)below);
}

static void memory_allocator(void *module, struct buffer *out) {
    struct info *info = module;
    refresh(info);
    const struct mem_allocator_stats *stats = &info->allocator;
    buffer_printf(out,
                  "allocator_allocated:%zu\r\nallocator_active:%zu\r\nallocator_resident:%zu\r\n"
                  "allocator_muzzy:0\r\n",
                  stats->allocated, stats->active, stats->resident);
    print_overhead(out, "allocator_frag", stats->active, stats->allocated);
    print_overhead(out, "allocator_rss", stats->resident, stats->active);
    print_overhead(out, "rss_overhead", info->resident, stats->resident);
    print_overhead(out, "mem_fragmentation", info->resident, mem_used());
    buffer_printf(out,
                  "mem_not_counted_for_evict:%zu\r\nmem_replication_backlog:0\r\n"
                  "mem_total_replication_buffers:0\r\nmem_replica_full_sync_buffer:0\r\n"
                  "mem_clients_slaves:0\r\nmem_clients_normal:%zu\r\nmem_cluster_links:0\r\n"
                  "mem_aof_buffer:0\r\nmem_allocator:%s\r\nmem_overhead_db_hashtable_rehashing:0"
                  "\r\n",
                  mem_used_by(MEM_BUFFER), mem_used_by(MEM_CLIENT) + mem_used_by(MEM_BUFFER),
                  mem_allocator_name());
}

void info_init_memory(struct info *info, struct server *server) {
    static const struct metric rows[] = {
        {.name = "used_memory",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_LINES,
         .text = memory_used,
         .description = "Bytes in use: in all, at the peak, by purpose."},
        {.name = "total_system_memory",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_LINES,
         .text = memory_system,
         .description = "Bytes of the machine, and of scripts."},
        {.name = "allocator",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_LINES,
         .text = memory_allocator,
         .description = "What the allocator holds and what is lost to fragmentation."},
    };
    *info = (struct info){.server = server};
    metrics_register(server->context.metrics, rows, sizeof rows / sizeof rows[0], NULL, info, NULL);
}
