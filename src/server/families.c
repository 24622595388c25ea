/* families: the list of tables. Their order is that of COMMAND. */
#include "server/families.h"

#include "command/tables.h"

typedef const struct command_table *(*table_fn)(void);

static const table_fn families[] = {
    command_strings,
    command_string_set,
    command_string_numbers,
    command_string_compare,
    command_lcs,
    command_bitmaps,
    command_bitfields,
    command_bitop,
    command_generic,
    command_expiry,
    command_scan,
    command_object,
    command_dumps,
    command_saves,
    command_migrate,
    command_hashes,
    command_hash_visits,
    command_hash_expiry,
    command_sets,
    command_set_visits,
    command_set_algebra,
    command_geo,
    command_geo_search,
    command_hyperloglogs,
    command_streams,
    command_stream_ranges,
    command_stream_info,
    command_stream_deletions,
    command_stream_producers,
    command_stream_pending,
    command_stream_claims,
    command_stream_groups,
    command_stream_reads,
    command_sort,
    command_lists,
    command_list_search,
    command_list_moves,
    command_connection,
    command_clients,
    command_pubsub,
    command_tracking,
    command_commands,
    command_config,
    command_server,
    command_observe,
    command_debug,
    command_acl,
    command_replication,
    command_failover,
    command_transactions,
    command_list_waits,
    command_zset_waits,
    command_waits,
    command_fetches,
    command_zsets,
    command_zset_ranges,
    command_zset_pops,
    command_zset_combining,
#ifndef LARDER_NO_LUA
    command_scripts,
    command_functions,
    command_function_dumps,
#endif
};

void families_register(struct commands *commands) {
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        commands_register(commands, families[i]());
    }
}
