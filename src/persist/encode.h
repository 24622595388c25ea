/* encode: a value in Redis's serialisation: its type, its key if it goes into a file, and its body,
 * in the smallest form that Redis 7.0 reads:
 *
 *     string           0    as text or integer, compressed
 *     list            18    blocks as listpacks, large elements by themselves
 *     set          11, 2    array of integers, members
 *     sorted set   17, 5    listpack, members with binary scores from the highest on
 *     hash         16, 4    listpack, fields and values
 *     hash            24    with deadlines of fields: Redis 7.4 and later read it. Valkey has
 *                           a form of its own, and no form is common to both
 *     stream          19    nodes as listpacks; when a consumer last got something is lost
 *     stream          26    with what is remembered of producers: Redis 8.6 and later
 *     stream          27    with what was given back by consumers (XNACK): Redis 8.8 and later
 *
 * Costs: one pass over the value, and twice a compact collection's size in memory. */
#ifndef LARDER_PERSIST_ENCODE_H
#define LARDER_PERSIST_ENCODE_H

#include "ds/entry.h"
#include "ds/strip.h"
#include "persist/rdb_bytes.h"

/* Writes the entry's value, behind the type and, unless it is NULL, the key. Returns the version of
 * the format that reads it; -ENODATA when there is nothing in it at this time, -ENOTSUP when there
 * is no form for it; nothing is written then. See writer->failed for want of memory. */
int encode_value(const struct entry *entry, const struct bytes *key, int64_t now_ms,
                 struct rdb_writer *writer);

/* One block of a list as one node, for who writes RDB_LIST_QUICKLIST_2 block by block. */
void encode_list_block(const struct strip *strip, struct rdb_writer *writer);

#endif
