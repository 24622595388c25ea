/* expire: removes in the background what look-ups do not touch any more: keys and fields of hashes
 * whose deadline has come.
 *
 * The index gives up to EXPIRE_BATCH due items at a time; their buckets are asked for together, so
 * that removing a batch waits for memory once and not once for each key. After every batch the
 * clock decides whether the slice is over. Databases take turns, so that a busy one delays no
 * other.
 *
 * The index is asked for what was due at the end of the last whole tick: so it never looks twice at
 * keys of the running tick, and a key leaves up to two ticks after its deadline. Look-ups are
 * exact. */
#include "store/expire.h"

#include "store/keyspace_int.h"

#ifdef LARDER_TEST_SMALL
#define EXPIRE_BATCH 4
#else
#define EXPIRE_BATCH 32
#endif
/* Items that one step looks at in all, those included that are only filed again. Some ten
 * microseconds. */
#define EXPIRE_WORK (4 * EXPIRE_BATCH)
/* Fields that one step removes from one hash. */
#define EXPIRE_FIELDS EXPIRE_BATCH

/* Keys of each database that the share of stale ones is estimated from. */
#define STALE_SAMPLES 64

static bool expire_keys(struct keyspace *keyspace, struct database *database, int64_t due_ms) {
    void *items[EXPIRE_BATCH];
    struct key keys[EXPIRE_BATCH];
    bool done;
    size_t count = due_take(&database->deadlines, due_ms, items, EXPIRE_BATCH, EXPIRE_WORK, &done);
    for (size_t i = 0; i < count; i++) {
        keys[i] = keyspace_key(keyspace, database, entry_key(items[i]));
        dict_prefetch_bucket(&database->keys, keys[i].hash);
    }
    for (size_t i = 0; i < count; i++) {
        keyspace_expired(keyspace, &keys[i], items[i]);
    }
    return done;
}

struct expiring {
    const struct store_hooks *hooks;
    const struct key *key;
};

static void field_gone(void *context, struct bytes field) {
    const struct expiring *expiring = context;
    const struct store_hooks *hooks = expiring->hooks;
    hooks->field_expired(hooks->fields_context, expiring->key, field);
}

size_t keyspace_expire_fields(struct keyspace *keyspace, const struct key *key, struct entry *hash,
                              size_t max, bool *done) {
    if (keyspace->keeps_expired) {
        *done = true;
        return 0;
    }
    keyspace_about_to_change(key, hash);
    struct expiring expiring = {.hooks = &keyspace->hooks, .key = key};
    const struct hash_gone gone = {.fn = field_gone, .context = &expiring};
    size_t expired = hash_expire_due(hash, keyspace->clock->now_ms, max,
                                     keyspace->hooks.field_expired != NULL ? &gone : NULL, done);
    keyspace->metrics.expired_subkeys += expired;
    return expired;
}

/* `hash` is in no index of field deadlines at the moment. */
static void expire_hash(struct keyspace *keyspace, struct database *database, struct entry *hash) {
    struct key key = keyspace_key(keyspace, database, entry_key(hash));
    int64_t now_ms = keyspace->clock->now_ms;
    bool done;
    size_t expired = keyspace_expire_fields(keyspace, &key, hash, EXPIRE_FIELDS, &done);
    if (hash_has_deadlines(hash)) {
        /* The next deadline may be told too early, but with all done it is not in the past. */
        int64_t next_ms = hash_next_deadline(hash);
        due_add(&database->field_deadlines, hash, done && next_ms < now_ms ? now_ms : next_ms);
    }
    if (expired == 0) {
        return;
    }
    keyspace_event(keyspace, &key, KEYSPACE_HASH, "hexpired");
    keyspace_tell_modified(keyspace, &key);
    if (done && hash_length(hash, now_ms) == 0) {
        keyspace_detach(keyspace, &key, hash);
        keyspace_event(keyspace, &key, KEYSPACE_GENERIC, "del");
        keyspace_let_go(keyspace, hash, keyspace->options.lazy_expire);
    }
}

static bool expire_fields(struct keyspace *keyspace, struct database *database, int64_t due_ms) {
    void *items[EXPIRE_BATCH];
    bool done;
    size_t count =
        due_take(&database->field_deadlines, due_ms, items, EXPIRE_BATCH, EXPIRE_WORK, &done);
    for (size_t i = 0; i < count; i++) {
        expire_hash(keyspace, database, items[i]);
    }
    return done && count == 0;
}

bool keyspace_expire(struct keyspace *keyspace, int64_t budget_us) {
    if (keyspace->expire_paused || keyspace->keeps_expired) {
        return true;
    }
    int64_t due_ms = keyspace->clock->now_ms / DUE_TICK_MS * DUE_TICK_MS - 1;
    int64_t end_us = 0;
    int finished = 0; /* databases in a row that had nothing left */
    while (finished < keyspace->database_count) {
        struct database *database = &keyspace->databases[keyspace->expire_database];
        bool done = true;
        due_follow(&database->deadlines, keyspace->clock->now_ms);
        due_follow(&database->field_deadlines, keyspace->clock->now_ms);
        if (database->deadlines.size > 0) {
            done = expire_keys(keyspace, database, due_ms);
        }
        if (database->field_deadlines.size > 0) {
            done = expire_fields(keyspace, database, due_ms) && done;
        }
        if (done) {
            finished++;
        } else {
            finished = 0;
            /* The clock is read only where there was work: most calls find none. */
            int64_t now_us = clock_mono_us();
            if (end_us == 0) {
                end_us = now_us + budget_us;
            } else if (now_us >= end_us) {
                break;
            }
        }
        keyspace->expire_database = (keyspace->expire_database + 1) % keyspace->database_count;
    }
    return finished == keyspace->database_count;
}

/* Telling. */

static int64_t earliest_of(const struct due *due) {
    int64_t earliest_ms = due_earliest(due);
    return earliest_ms != 0 ? earliest_ms : due->tick * DUE_TICK_MS;
}

int64_t expire_lag_ms(const struct keyspace *keyspace) {
    int64_t earliest_ms = INT64_MAX;
    for (int i = 0; i < keyspace->database_count; i++) {
        const struct database *database = &keyspace->databases[i];
        int64_t keys_ms = earliest_of(&database->deadlines);
        int64_t fields_ms = earliest_of(&database->field_deadlines);
        earliest_ms = keys_ms < earliest_ms ? keys_ms : earliest_ms;
        earliest_ms = fields_ms < earliest_ms ? fields_ms : earliest_ms;
    }
    int64_t now_ms = keyspace->clock->now_ms;
    return earliest_ms >= now_ms - EXPIRE_ON_TIME_MS ? 0 : now_ms - earliest_ms;
}

double expire_stale_percent(struct keyspace *keyspace) {
    double stale = 0;
    size_t all = 0;
    for (int i = 0; i < keyspace->database_count; i++) {
        const struct due *deadlines = &keyspace->databases[i].deadlines;
        void *items[STALE_SAMPLES];
        size_t count = due_sample(deadlines, &keyspace->random, items, STALE_SAMPLES);
        size_t late = 0;
        for (size_t j = 0; j < count; j++) {
            late += entry_deadline(items[j]) < keyspace->clock->now_ms - EXPIRE_ON_TIME_MS;
        }
        stale += count == 0 ? 0 : (double)deadlines->size * (double)late / (double)count;
        all += deadlines->size;
    }
    return all == 0 ? 0 : 100 * stale / (double)all;
}
