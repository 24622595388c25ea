/* tables: the command families. Each file of this room gives one table; main registers them all. */
#ifndef LARDER_COMMAND_TABLES_H
#define LARDER_COMMAND_TABLES_H

#include "call/command.h"

const struct command_table *command_strings(void);          /* string.c: GET, APPEND ... */
const struct command_table *command_string_set(void);       /* string_set.c: SET, MSET ... */
const struct command_table *command_string_numbers(void);   /* string_number.c: INCR ... */
const struct command_table *command_string_compare(void);   /* string_compare.c: DELEX, DIGEST */
const struct command_table *command_lcs(void);              /* lcs.c */
const struct command_table *command_bitmaps(void);          /* bitmap.c: SETBIT, BITCOUNT ... */
const struct command_table *command_bitfields(void);        /* bitfield.c */
const struct command_table *command_bitop(void);            /* bitop.c */
const struct command_table *command_generic(void);          /* generic.c: keys of any type */
const struct command_table *command_expiry(void);           /* expiry.c: deadlines of keys */
const struct command_table *command_scan(void);             /* scan.c: KEYS, SCAN, RANDOMKEY */
const struct command_table *command_object(void);           /* object.c: OBJECT, MEMORY */
const struct command_table *command_dumps(void);            /* dump.c: DUMP, RESTORE */
const struct command_table *command_saves(void);            /* save.c: SAVE, BGSAVE, LASTSAVE */
const struct command_table *command_migrate(void);          /* migrate.c */
const struct command_table *command_hashes(void);           /* hash.c */
const struct command_table *command_hash_visits(void);      /* hash_visit.c: HGETALL, HSCAN ... */
const struct command_table *command_hash_expiry(void);      /* hash_expire.c */
const struct command_table *command_geo(void);              /* geo.c: GEOADD, GEOPOS ... */
const struct command_table *command_geo_search(void);       /* geo_search.c: GEOSEARCH ... */
const struct command_table *command_hyperloglogs(void);     /* hyperloglog.c: PFADD ... */
const struct command_table *command_streams(void);          /* stream.c: XADD, XDEL, XTRIM ... */
const struct command_table *command_stream_ranges(void);    /* stream_range.c */
const struct command_table *command_sort(void);             /* sort.c: SORT, SORT_RO */
const struct command_table *command_lists(void);            /* list.c */
const struct command_table *command_list_search(void);      /* list_search.c: LPOS, LREM ... */
const struct command_table *command_list_moves(void);       /* list_move.c: LMOVE, LMPOP ... */
const struct command_table *command_sets(void);             /* set.c */
const struct command_table *command_set_visits(void);       /* set_visit.c: SMEMBERS, SPOP ... */
const struct command_table *command_set_algebra(void);      /* set_algebra.c: SINTER, SUNION ... */
const struct command_table *command_stream_reads(void);     /* stream_read.c: XREAD, XREADGROUP */
const struct command_table *command_stream_groups(void);    /* stream_group.c: XGROUP, XACK */
const struct command_table *command_stream_claims(void);    /* stream_claim.c: XCLAIM ... */
const struct command_table *command_stream_pending(void);   /* stream_pending.c */
const struct command_table *command_stream_info(void);      /* stream_info.c: XINFO */
const struct command_table *command_stream_deletions(void); /* stream_delete.c: XDELEX ... */
const struct command_table *command_stream_producers(void); /* stream_producer.c: XCFGSET ... */
const struct command_table *command_zsets(void);            /* zset.c */
const struct command_table *command_zset_ranges(void);      /* zset_range.c: ZRANGE ... */
const struct command_table *command_zset_pops(void);        /* zset_pop.c: ZPOPMIN, ZSCAN ... */
const struct command_table *command_zset_combining(void);   /* zset_combine.c: ZUNION ... */
const struct command_table *command_connection(void);   /* connection.c: PING, AUTH, HELLO ... */
const struct command_table *command_clients(void);      /* client.c: CLIENT */
const struct command_table *command_tracking(void);     /* tracking.c: CLIENT TRACKING ... */
const struct command_table *command_acl(void);          /* acl.c */
const struct command_table *command_transactions(void); /* transaction.c: MULTI, EXEC, WATCH */
const struct command_table *command_pubsub(void);       /* pubsub.c: SUBSCRIBE, PUBLISH ... */
const struct command_table *command_commands(void);     /* command.c: COMMAND */
const struct command_table *command_config(void);       /* config.c: CONFIG */
const struct command_table *command_server(void);       /* server.c: INFO, FLUSHALL, SHUTDOWN ... */
const struct command_table *command_observe(void);      /* observe.c: SLOWLOG, LATENCY, MONITOR */
const struct command_table *command_debug(void);        /* debug.c: DEBUG */
const struct command_table *command_replication(void);  /* replication.c: REPLICAOF, ROLE */
const struct command_table *command_failover(void);     /* failover.c: FAILOVER */

/* With Lua only. */
const struct command_table *command_scripts(void);        /* script.c: EVAL, SCRIPT ... */
const struct command_table *command_functions(void);      /* function.c: FUNCTION, FCALL ... */
const struct command_table *command_function_dumps(void); /* function_dump.c */

/* That wait: client/waiting.h. */
const struct command_table *command_list_waits(void); /* list_wait.c: BLPOP, BLMOVE ... */
const struct command_table *command_zset_waits(void); /* zset_wait.c: BZPOPMIN, BZMPOP ... */
const struct command_table *command_fetches(void);    /* fetch.c: FETCH, STORE, UNLEASE */
const struct command_table *command_waits(void);      /* wait.c: WAIT, CLIENT UNBLOCK */

#endif
