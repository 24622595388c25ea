/* keyspace: the databases: keys with values and deadlines.
 *
 * A command names a key with a struct key, which carries the hash that the batch's plan has
 * computed and, after a look-up, the slot of the dict, so that changing the found entry needs no
 * second look-up.
 *
 *     struct key key = call_key(call, 1);
 *     struct entry *entry = keyspace_write(keyspace, &key);
 *
 * A key whose deadline has come is absent for every look-up, and is removed by the first one that
 * finds it and by keyspace_expire. Whoever changes a value tells keyspace_changed.
 *
 * Invariants (keyspace_validate):
 * 1. Each entry is in one database's dict; one with ENTRY_HAS_DEADLINE is filed in that database's
 *    index of deadlines, no other is.
 * 2. A hash with a field deadline is filed in the database's index of field deadlines under a time
 *    no later than the earliest of them.
 * 3. A key's slot is valid until the next insertion or removal in its database.
 * 4. An entry with grace (ds/extras.h) is filed under its end, which lies that much behind its
 *    deadline. Between the two it is stale: absent for every look-up but keyspace_fetch, and
 *    removed by what is inserted under its name, or by who would remove it if it were there.
 *
 * While a database is watched (struct entry_watch), each key is shown to the watch before it
 * changes or leaves: keyspace_write and all functions here that change or remove see to it, who
 * changes what another look-up has given says keyspace_about_to_change first. A key that leaves
 * because its deadline has come is not shown: nobody who reads later would see it. */
#ifndef LARDER_STORE_KEYSPACE_H
#define LARDER_STORE_KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/metric.h"
#include "base/option.h"
#include "base/random.h"
#include "ds/dict.h"
#include "ds/due.h"
#include "ds/entry.h"
#include "store/estimate.h"
#include "store/hooks.h"
#include "types/hash.h"
#include "types/stream.h"
#include "types/zset.h"
#include "types/hll.h"
#include "types/list.h"
#include "types/set.h"

#define KEYSPACE_OPTIONS(X)                                                                        \
    X(INT, databases, "databases", "16", 1, 16384, NULL, OPTION_IMMUTABLE, NULL,                   \
      "Number of databases that SELECT can choose from.")                                          \
    X(INT, expire_effort, "active-expire-effort", "1", 1, 10, NULL, 0, NULL,                       \
      "Accepted for compatibility: keys leave on time at any setting.")                            \
    X(BOOL, lazy_eviction, "lazyfree-lazy-eviction", "yes", 0, 0, NULL, 0, NULL,                   \
      "Whether big evicted values are freed in the background.")                                   \
    X(BOOL, lazy_expire, "lazyfree-lazy-expire", "yes", 0, 0, NULL, 0, NULL,                       \
      "Whether big expired values are freed in the background.")                                   \
    X(BOOL, lazy_server_del, "lazyfree-lazy-server-del", "yes", 0, 0, NULL, 0, NULL,               \
      "Whether big overwritten values are freed in the background.")                               \
    X(BOOL, lazy_user_del, "lazyfree-lazy-user-del", "yes", 0, 0, NULL, 0, NULL,                   \
      "Whether DEL frees big values in the background, as UNLINK does.")                           \
    X(BOOL, lazy_user_flush, "lazyfree-lazy-user-flush", "yes", 0, 0, NULL, 0, NULL,               \
      "Whether FLUSHDB and FLUSHALL without argument free in the background.")
struct keyspace_options {
    KEYSPACE_OPTIONS(OPTION_FIELD)
};

#define KEYSPACE_METRICS(X)                                                                        \
    X(STATS, expired_keys, COUNTER, "Keys removed because their deadline came.")                   \
    X(STATS, expired_subkeys, COUNTER, "Hash fields removed because their deadline came.")         \
    X(STATS, evicted_keys, COUNTER, "Keys removed to stay within maxmemory.")                      \
    X(STATS, keyspace_hits, COUNTER, "Look-ups for reading that found their key.")                 \
    X(STATS, keyspace_misses, COUNTER, "Look-ups for reading that found none.")
struct keyspace_metrics {
    KEYSPACE_METRICS(METRIC_FIELD)
};

struct adapt;
struct blob;
struct lazyfree;

struct database {
    int id;
    struct dict keys;
    struct due deadlines;
    struct due field_deadlines;
    size_t graced; /* keys with grace */
};

struct keyspace {
    struct database *databases;
    int database_count;
    uint64_t seed;            /* of all databases' dicts */
    struct estimate estimate; /* of what more memory would bring */
    const struct clock *clock;
    uint64_t changes; /* writes since start: rdb_changes_since_last_save */
    bool no_touch;    /* look-ups leave the access field alone (CLIENT NO-TOUCH, TOUCH excepted) */
    bool access_counts;  /* the rule is not ACCESS_RECENCY: a touch has to look at the field */
    bool keeps_expired;  /* a replica: what has expired is unseen, and goes when its primary says */
    bool sees_expired;   /* ... but the primary's commands see it */
    bool expire_paused;  /* DEBUG SET-ACTIVE-EXPIRE 0: only look-ups remove expired keys */
    uint8_t access_rule; /* enum access_rule */
    uint32_t access_now; /* what a touched entry's access field gets; set each pass. A value that
                             no field has when a touch has to look */
    uint32_t access_new; /* what a new entry's field gets; set each pass */
    int64_t counter_log_factor; /* of ACCESS_FREQUENCY: lfu-log-factor and lfu-decay-time */
    int64_t counter_decay_minutes;
    struct store_hooks hooks;
    struct lazyfree *lazyfree;
    struct adapt *adapt; /* of ACCESS_WORTH; NULL under other rules */
    int expire_database; /* whose turn it is in keyspace_expire */
    struct random random;
    struct keyspace_options options;
    struct hash_options hash_options; /* limits of its hashes' compact encodings */
    struct zset_options zset_options; /* and of its sorted sets' */
    struct hll_options hll_options;
    struct stream_options stream_options;
    struct list_options list_options; /* limits of its lists' blocks */
    struct set_options set_options;   /* and of its sets' */
    struct keyspace_metrics metrics;
};

struct key {
    struct bytes name;
    uint64_t hash;
    struct database *database;
    uint64_t
        *slot; /* set by look-ups that found the key; NULL after insertions: found when needed */
};

/* Registers options and metrics; databases are made by keyspace_start, once the options are
 * read. */
void keyspace_init(struct keyspace *keyspace, const struct clock *clock, struct options *options,
                   struct metrics *metrics);
void keyspace_start(struct keyspace *keyspace);
void keyspace_free(struct keyspace *keyspace);

/* From now on access fields are kept by this rule (enum access_rule). Under ACCESS_WORTH, ->adapt
 * may be told how much it may take. */
void keyspace_set_access_rule(struct keyspace *keyspace, int rule, int64_t counter_log_factor,
                              int64_t counter_decay_minutes);

/* Once a pass, after the clock was updated. */
void keyspace_pass(struct keyspace *keyspace);

/* A key by name; computes the hash. */
struct key keyspace_key(const struct keyspace *keyspace, struct database *database,
                        struct bytes name);

/* Asks for the cache lines of keys that will be looked up soon; for commands with many keys. `keys`
 * have name, hash and database set. */
void keyspace_prefetch(const struct key *keys, size_t count);

/* Look-ups. All remove an expired key. NULL when absent.
 * read counts a hit or a miss and touches; look counts; write touches; peek does neither. */
struct entry *keyspace_read(struct keyspace *keyspace, struct key *key);
struct entry *keyspace_look(struct keyspace *keyspace, struct key *key);
struct entry *keyspace_write(struct keyspace *keyspace, struct key *key);
struct entry *keyspace_peek(struct keyspace *keyspace, struct key *key);

/* The found entry's value will be changed in place: for who has not found it with
 * keyspace_write. */
static inline void keyspace_about_to_change(const struct key *key, struct entry *entry) {
    dict_changing(&key->database->keys, entry);
}

/* The entry even if it is stale, which entry_is_due tells. Touches and does not count. */
struct entry *keyspace_fetch(struct keyspace *keyspace, struct key *key);
/* Counts what keyspace_look would have. */
void keyspace_count_read(struct keyspace *keyspace, const struct key *key, bool hit);

/* A new entry for an absent key, or NULL when there is no memory. `deadline_ms` or
 * ENTRY_NO_DEADLINE. What the shape's word refers to is owned by the entry on success, still by the
 * caller on failure. */
struct entry *keyspace_add(struct keyspace *keyspace, struct key *key,
                           const struct entry_shape *shape, int64_t deadline_ms);

/* "As it was", where a deadline is given: then what the key carries besides stays, too. */
#define KEYSPACE_KEEP_DEADLINE (-2)

/* Makes the key's value the shape's, whatever it was, and what it carries the shape's: `old` is
 * what the look-up gave, NULL when absent. The old value is freed. Returns the entry, NULL (nothing
 * changed) when there is no memory. */
struct entry *keyspace_assign(struct keyspace *keyspace, struct key *key, struct entry *old,
                              const struct entry_shape *shape, int64_t deadline_ms);

/* SET's own way: the value becomes the text, in place where it fits. `blob` is NULL or holds the
 * text and one reference that is handed over (kept by the caller on failure). NULL when there is no
 * memory. */
struct entry *keyspace_assign_text(struct keyspace *keyspace, struct key *key, struct entry *old,
                                   struct bytes text, struct blob *blob, int64_t deadline_ms);

/* The same, with extras as an entry's shape has them, and never in place. */
struct entry *keyspace_assign_carrying(struct keyspace *keyspace, struct key *key,
                                       struct entry *old, struct bytes text, struct blob *blob,
                                       int64_t deadline_ms, struct bytes extras);

/* Gives the found entry another shape for the same value's new form, e.g. inline to blob: the old
 * word is NOT freed (the caller has taken it over or released it). Type, deadline and access stay.
 * NULL when there is no memory. */
struct entry *keyspace_reshape(struct keyspace *keyspace, struct key *key, struct entry *old,
                               const struct entry_shape *shape);

/* Removes the found entry and frees it (big values in the background when `lazy`). */
void keyspace_remove(struct keyspace *keyspace, struct key *key, struct entry *entry, bool lazy);

/* Looks up and removes; whether it was there. */
bool keyspace_delete(struct keyspace *keyspace, struct key *key, bool lazy);

/* Who was to remove the key has found none: what is kept beyond its time goes, and who listens for
 * writes is told. */
void keyspace_remove_absent(struct keyspace *keyspace, struct key *key);

/* Takes the found entry out without freeing it: it is in no index then and belongs to the
 * caller. */
void keyspace_detach(struct keyspace *keyspace, struct key *key, struct entry *entry);

/* Files a detached or copied entry under a key that is absent; the entry's own key must be
 * key->name. `deadline_ms`: the entry must have room for it unless ENTRY_NO_DEADLINE. */
void keyspace_attach(struct keyspace *keyspace, struct key *key, struct entry *entry,
                     int64_t deadline_ms);

/* Files an entry that was made elsewhere, with its access field and, if `deadline_ms` is one, room
 * for it, under a key that is absent: what a file has. It is no event and no change that counts,
 * but who waits for the key is told, and who listens. */
void keyspace_load(struct keyspace *keyspace, struct key *key, struct entry *entry,
                   int64_t deadline_ms);

/* Sets or takes away the found entry's deadline. Returns the entry, which may have moved; NULL when
 * there is no memory for the room. */
struct entry *keyspace_set_deadline(struct keyspace *keyspace, struct key *key, struct entry *entry,
                                    int64_t deadline_ms);

/* Gives the found entry other extras, `run` as an entry's shape has them; its deadline stays what
 * it is. Returns the entry, which has moved; NULL when there is no memory. */
struct entry *keyspace_set_extras(struct keyspace *keyspace, struct key *key, struct entry *entry,
                                  struct bytes run);

/* A hash's earliest field deadline may have changed: files it anew. `entry` is of type hash. */
void keyspace_field_deadline_changed(struct keyspace *keyspace, struct key *key,
                                     struct entry *entry);

/* Removes up to `max` expired fields of a hash, each of which the hook field_expired is told, and
 * counts them. Returns how many; *done tells whether these were all. Filing the hash anew, removing
 * it when it is empty, and the event are the caller's. */
size_t keyspace_expire_fields(struct keyspace *keyspace, const struct key *key, struct entry *hash,
                              size_t max, bool *done);

/* Removes an entry to make room; tells everybody and frees it. */
void keyspace_evict(struct keyspace *keyspace, struct database *database, struct entry *entry);

/* Says that a key was changed (or removed): counts it and calls the hooks. `event` is Redis's
 * name. */
void keyspace_changed(struct keyspace *keyspace, const struct key *key,
                      enum keyspace_class event_class, const char *event);
/* The same of a deadline that was set or taken away: the value is as it was. */
void keyspace_timed(struct keyspace *keyspace, const struct key *key, const char *event);
/* Only the event: for those that change nothing that can be watched. */
void keyspace_event(struct keyspace *keyspace, const struct key *key,
                    enum keyspace_class event_class, const char *event);

/* From now on, and not any more. A listener must outlive that. */
void keyspace_listen(struct keyspace *keyspace, struct store_listener *listener);
void keyspace_unlisten(struct keyspace *keyspace, struct store_listener *listener);

/* Whether the key is there, its deadline having come or not; and whether it has. Nothing is
 * removed, counted or touched. */
bool keyspace_has(const struct key *key);
bool keyspace_is_due(const struct keyspace *keyspace, const struct key *key);

/* Whole databases. flush empties one, or all with id -1; in the background when `lazy`. Returns how
 * many keys there were. */
size_t keyspace_flush(struct keyspace *keyspace, int id, bool lazy);
void keyspace_swap(struct keyspace *keyspace, int a, int b);

/* SCAN's step: visits one portion (not removing expired ones, but not showing them either). */
uint64_t keyspace_scan(struct keyspace *keyspace, struct database *database, uint64_t cursor,
                       dict_visit_fn visit, void *context);

/* A random live key's entry, NULL when there is none. */
struct entry *keyspace_random(struct keyspace *keyspace, struct database *database);

/* Background expiry: removes what is due, keys and fields, for at most `budget_us`. Whether all
 * that was due has gone. */
bool keyspace_expire(struct keyspace *keyspace, int64_t budget_us);

/* Keys in all databases; those with a deadline. */
size_t keyspace_size(const struct keyspace *keyspace);
size_t keyspace_volatile_size(const struct keyspace *keyspace);

/* Walks everything and asserts the invariants. For tests. */
void keyspace_validate(struct keyspace *keyspace);

static inline uint64_t keyspace_hash(const struct keyspace *keyspace, struct bytes name) {
    return hash_bytes(keyspace->seed, name.at, name.size);
}

#endif
