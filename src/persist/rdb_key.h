/* rdb_key: a key's record of a file becomes an entry, or the damage is told. From any thread. */
#ifndef LARDER_PERSIST_RDB_KEY_H
#define LARDER_PERSIST_RDB_KEY_H

#include "ds/entry.h"
#include "persist/rdb_file.h"
#include "store/keyspace.h"

struct rdb_key_source {
    const struct rdb_file *file;   /* that the record was read from */
    const struct keyspace *limits; /* as decode_source has it */
    int64_t now_ms;
    const _Atomic bool *stops; /* as decode_source has it */
};

/* Makes the entry, with the key's name and room for its deadline; it is in no dict. 0; -ENODATA: a
 * collection without elements, which is no key; -EBADMSG, and the damage. */
int rdb_key_decode(const struct rdb_key_source *source, const struct rdb_record *record,
                   struct entry **entry, struct rdb_damage *damage);

#endif
