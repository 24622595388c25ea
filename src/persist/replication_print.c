/* replication_print: the section Replication of INFO. */
#include "persist/link.h"
#include "persist/replication_int.h"

static void print_transfer(const struct link_figures *figures, struct buffer *out) {
    int64_t total = figures->snapshot_total;
    int64_t left = total - figures->snapshot_bytes;
    double percent = total <= 0 ? 0 : 100 * (double)figures->snapshot_bytes / (double)total;
    buffer_printf(out,
                  "master_sync_total_bytes:%lld\r\nmaster_sync_read_bytes:%lld\r\n"
                  "master_sync_left_bytes:%lld\r\nmaster_sync_perc:%.2f\r\n"
                  "master_sync_last_io_seconds_ago:%lld\r\n",
                  (long long)total, (long long)figures->snapshot_bytes, (long long)left, percent,
                  (long long)figures->silent_s);
}

static void print_replica(const struct replication *replication, struct buffer *out) {
    const struct replication_options *options = &replication->options;
    enum link_state state = link_state(replication->link);
    bool is_up = state == LINK_FOLLOWING;
    bool is_syncing = state >= LINK_RECEIVING && state <= LINK_LOADING;
    struct link_figures figures;
    link_figures(replication->link, &figures);
    buffer_printf(out,
                  "role:slave\r\nmaster_host:%s\r\nmaster_port:%lld\r\nmaster_link_status:%s\r\n"
                  "master_last_io_seconds_ago:%lld\r\nmaster_sync_in_progress:%d\r\n"
                  "slave_read_repl_offset:%llu\r\nslave_repl_offset:%llu\r\n",
                  replication->host, (long long)replication->primary_port, is_up ? "up" : "down",
                  (long long)(is_up ? figures.silent_s : -1), is_syncing,
                  (unsigned long long)figures.read_offset,
                  (unsigned long long)replication->backlog.end);
    if (is_syncing) {
        print_transfer(&figures, out);
    }
    if (!is_up) {
        buffer_printf(out, "master_link_down_since_seconds:%lld\r\n", (long long)figures.down_s);
    }
    buffer_printf(out, "slave_priority:%lld\r\nslave_read_only:%d\r\nreplica_announced:%d\r\n",
                  (long long)options->priority, options->read_only, options->announced);
}

static void print_replicas(const struct replication *replication, struct buffer *out) {
    static const char *const states[] = {[REPLICA_WAITING] = "wait_bgsave",
                                         [REPLICA_LOADING] = "send_bulk",
                                         [REPLICA_LOADED] = "online",
                                         [REPLICA_ONLINE] = "online"};
    int count = 0;
    for (const struct replica *r = replication->replicas; r != NULL; r = r->next) {
        count += replica_counts(r);
    }
    buffer_printf(out, "connected_slaves:%d\r\n", count);
    if (replication->options.least_replicas > 0 && replication->options.lag_seconds_max > 0) {
        buffer_printf(out, "min_slaves_good_slaves:%lld\r\n",
                      (long long)primary_good_replicas(replication));
    }
    int index = 0;
    for (const struct replica *r = replication->replicas; r != NULL; r = r->next) {
        if (!replica_counts(r)) {
            continue;
        }
        char ip[REPLICA_IP_SIZE];
        replica_address(r, ip);
        buffer_printf(out, "slave%d:ip=%s,port=%lld,state=%s,offset=%llu,lag=%lld\r\n", index++, ip,
                      (long long)r->port, states[r->state], (unsigned long long)r->acked,
                      (long long)(r->state == REPLICA_ONLINE ? replica_lag_s(replication, r) : 0));
    }
}

void replication_print(void *module, struct buffer *out) {
    const struct replication *replication = module;
    const struct backlog *backlog = &replication->backlog;
    if (replication->is_replica) {
        print_replica(replication, out);
    } else {
        buffer_append_text(out, "role:master\r\n");
    }
    print_replicas(replication, out);
    buffer_printf(out,
                  "master_failover_state:%s\r\nmaster_replid:%s\r\nmaster_replid2:%s\r\n"
                  "master_repl_offset:%llu\r\nsecond_repl_offset:%lld\r\n"
                  "repl_backlog_active:%d\r\nrepl_backlog_size:%lld\r\n"
                  "repl_backlog_first_byte_offset:%llu\r\nrepl_backlog_histlen:%llu\r\n",
                  failover_name(replication), replication->id, replication->second_id,
                  (unsigned long long)backlog->end, (long long)replication->second_end,
                  replication->is_recording, (long long)replication->options.backlog_size,
                  (unsigned long long)(replication->is_recording ? backlog->start + 1 : 0),
                  (unsigned long long)backlog_size(backlog));
}
