/* keyspace_int: what the files of the keyspace share: single keys (keyspace.c), whole databases
 * (database.c) and background expiry (expire.c). */
#ifndef LARDER_STORE_KEYSPACE_INT_H
#define LARDER_STORE_KEYSPACE_INT_H

#include "store/keyspace.h"
#include "types/hash.h"

/* Whether the entry is a hash that is filed in the index of field deadlines. */
static inline bool keyspace_fields_filed(struct entry *entry) {
    return entry_type(entry) == ENTRY_HASH && entry_encoding(entry) != ENTRY_PACK &&
           *hash_due_word(entry) != 0;
}

/* Makes a database's dict and indexes, empty. */
void keyspace_database_init(const struct keyspace *keyspace, struct database *database);

/* Frees an entry that is in no index; a large collection in the background when `lazy`. */
void keyspace_let_go(struct keyspace *keyspace, struct entry *entry, bool lazy);

/* Takes an entry out of the dict whose deadline has come and which is in no index of deadlines any
 * more; tells everybody, and frees it. */
void keyspace_expired(struct keyspace *keyspace, struct key *key, struct entry *entry);

/* The slow part of keyspace_tell_modified, and the same for what a command has written. */
void keyspace_tell_listeners(const struct keyspace *keyspace, const struct key *key);
void keyspace_tell_written(const struct keyspace *keyspace, const struct key *key);

static inline void keyspace_tell_modified(const struct keyspace *keyspace, const struct key *key) {
    if (UNLIKELY(keyspace->hooks.listeners != NULL)) {
        keyspace_tell_listeners(keyspace, key);
    }
}

/* The entry is of the database now, and not any more, with what it carries. */
static inline void keyspace_extras_in(struct database *database, const struct entry *entry) {
    if (UNLIKELY(entry->flags & ENTRY_HAS_EXTRAS)) {
        database->graced += entry_grace_ms(entry) > 0;
    }
}

static inline void keyspace_extras_out(struct database *database, const struct entry *entry) {
    if (UNLIKELY(entry->flags & ENTRY_HAS_EXTRAS)) {
        database->graced -= entry_grace_ms(entry) > 0;
    }
}

/* Takes the entry out of both indexes of deadlines. */
void keyspace_unfile(struct database *database, struct entry *entry);

#endif
