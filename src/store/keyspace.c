/* keyspace: single keys: look-ups and changes. What concerns whole databases is in database.c,
 * background expiry in expire.c.
 *
 * keyspace_read, keyspace_write and keyspace_assign_text are on the way of every request, so their
 * common case is a straight line: the key is there, has no deadline or a distant one, and its
 * new text fits where the old one was. What is rare is out of line and marked so. */
#include "store/keyspace_int.h"

#include "ds/blob.h"
#include "store/access.h"
#include "store/adapt.h"
#include "store/lazyfree.h"
#include "types/string.h"
#include "types/value.h"

struct key keyspace_key(const struct keyspace *keyspace, struct database *database,
                        struct bytes name) {
    return (struct key){.name = name, .hash = keyspace_hash(keyspace, name), .database = database};
}

void keyspace_prefetch(const struct key *keys, size_t count) {
    for (size_t i = 0; i < count; i++) {
        dict_prefetch_bucket(&keys[i].database->keys, keys[i].hash);
    }
    for (size_t i = 0; i < count; i++) {
        dict_prefetch_entry(&keys[i].database->keys, keys[i].hash);
    }
}

/* Events. */

void keyspace_event(struct keyspace *keyspace, const struct key *key,
                    enum keyspace_class event_class, const char *event) {
    struct store_hooks *hooks = &keyspace->hooks;
    if (UNLIKELY(hooks->classes & event_class) && hooks->event != NULL) {
        hooks->event(hooks->context, key->database->id, event_class, event, key->name);
    }
}

void keyspace_tell_listeners(const struct keyspace *keyspace, const struct key *key) {
    for (struct store_listener *l = keyspace->hooks.listeners; l != NULL; l = l->next) {
        if (l->modified != NULL) {
            l->modified(l->context, key);
        }
    }
}

void keyspace_tell_written(const struct keyspace *keyspace, const struct key *key) {
    for (struct store_listener *l = keyspace->hooks.listeners; l != NULL; l = l->next) {
        if (l->written != NULL) {
            l->written(l->context, key);
        }
    }
}

static __attribute__((noinline)) void tell_changed(const struct keyspace *keyspace,
                                                   const struct key *key) {
    keyspace_tell_listeners(keyspace, key);
    keyspace_tell_written(keyspace, key);
}

void keyspace_changed(struct keyspace *keyspace, const struct key *key,
                      enum keyspace_class event_class, const char *event) {
    keyspace->changes++;
    if (UNLIKELY(keyspace->hooks.listeners != NULL)) {
        tell_changed(keyspace, key);
    }
    keyspace_event(keyspace, key, event_class, event);
}

void keyspace_timed(struct keyspace *keyspace, const struct key *key, const char *event) {
    keyspace->changes++;
    keyspace_tell_modified(keyspace, key);
    keyspace_event(keyspace, key, KEYSPACE_GENERIC, event);
}

/* Where the entry is. Look-ups have left it in key->slot; an insertion has not. */
static uint64_t *slot_of(struct key *key, const struct entry *entry) {
    if (key->slot == NULL) {
        key->slot = dict_find_entry(&key->database->keys, key->hash, entry);
    }
    check(key->slot != NULL && dict_slot_entry(*key->slot) == entry);
    return key->slot;
}

/* Filing. */

/* When an entry that is to have this deadline leaves. */
static int64_t end_of(const struct entry *entry, int64_t deadline_ms) {
    if (LIKELY(!(entry->flags & ENTRY_HAS_EXTRAS))) {
        return deadline_ms;
    }
    int64_t grace_ms = entry_grace_ms(entry);
    return deadline_ms < ENTRY_DEADLINE_MAX - grace_ms ? deadline_ms + grace_ms
                                                       : ENTRY_DEADLINE_MAX;
}

static void file_deadline(struct database *database, struct entry *entry, int64_t deadline_ms) {
    check(((entry->flags & ENTRY_HAS_DEADLINE) != 0) == (deadline_ms != ENTRY_NO_DEADLINE));
    if (deadline_ms != ENTRY_NO_DEADLINE) {
        due_add(&database->deadlines, entry, end_of(entry, deadline_ms));
    }
}

static void file_fields(struct database *database, struct entry *entry) {
    if (entry_type(entry) == ENTRY_HASH && hash_has_deadlines(entry)) {
        due_add(&database->field_deadlines, entry, hash_next_deadline(entry));
    }
}

static void unfile_fields(struct database *database, struct entry *entry) {
    if (keyspace_fields_filed(entry)) {
        due_remove(&database->field_deadlines, entry);
    }
}

void keyspace_unfile(struct database *database, struct entry *entry) {
    if (entry->flags & ENTRY_HAS_DEADLINE) {
        due_remove(&database->deadlines, entry);
    }
    unfile_fields(database, entry);
    keyspace_extras_out(database, entry);
}

void keyspace_let_go(struct keyspace *keyspace, struct entry *entry, bool lazy) {
    struct entry_watch *watch = value_watch(entry);
    if (UNLIKELY(watch != NULL)) {
        watch->left(watch, entry);
        return;
    }
    bool small = entry_type(entry) == ENTRY_STRING && entry_encoding(entry) != ENTRY_BLOB;
    if (lazy && !small && value_weight(entry) >= VALUE_FREE_LAZILY_MIN) {
        lazyfree_entry(keyspace->lazyfree, entry);
    } else {
        value_free(entry);
    }
}

/* Look-ups. */

static void tell_left(const struct keyspace *keyspace, const struct key *key, bool lazily) {
    const struct store_hooks *hooks = &keyspace->hooks;
    if (hooks->key_left != NULL) {
        hooks->key_left(hooks->keys_context, key, lazily);
    }
}

void keyspace_expired(struct keyspace *keyspace, struct key *key, struct entry *entry) {
    unfile_fields(key->database, entry);
    keyspace_extras_out(key->database, entry);
    dict_remove(&key->database->keys, key->hash, slot_of(key, entry));
    key->slot = NULL;
    keyspace->metrics.expired_keys++;
    estimate_removed(keyspace, key);
    tell_left(keyspace, key, keyspace->options.lazy_expire);
    keyspace_event(keyspace, key, KEYSPACE_EXPIRED, "expired");
    keyspace_tell_modified(keyspace, key);
    keyspace_let_go(keyspace, entry, keyspace->options.lazy_expire);
}

/* Of an entry that may be due, since its end has come or it has extras: what a look-up gives. */
static __attribute__((noinline)) struct entry *find_due(struct keyspace *keyspace, struct key *key,
                                                        struct entry *entry) {
    int64_t now_ms = keyspace->clock->now_ms;
    if (!entry_is_due(entry, now_ms) || (keyspace->keeps_expired && keyspace->sees_expired)) {
        return entry;
    }
    if (!keyspace->keeps_expired && entry_end(entry) <= now_ms) {
        due_remove(&key->database->deadlines, entry);
        keyspace_expired(keyspace, key, entry);
    }
    key->slot = NULL;
    return NULL;
}

/* The live entry of that key, with key->slot set; NULL with key->slot NULL. */
static inline struct entry *find(struct keyspace *keyspace, struct key *key) {
    key->slot = dict_find(&key->database->keys, key->hash, key->name.at, key->name.size);
    if (key->slot == NULL) {
        return NULL;
    }
    struct entry *entry = dict_slot_entry(*key->slot);
    if (UNLIKELY(entry->flags & ENTRY_HAS_DEADLINE) &&
        UNLIKELY(entry_end(entry) <= keyspace->clock->now_ms || entry->flags & ENTRY_HAS_EXTRAS)) {
        return find_due(keyspace, key, entry);
    }
    return entry;
}

/* A touch that has to look at what the field holds. */
static __attribute__((noinline)) void touch_slowly(struct keyspace *keyspace, const struct key *key,
                                                   struct entry *entry) {
    if (keyspace->no_touch) {
        return;
    }
    if (keyspace->access_rule == ACCESS_WORTH) {
        entry->access = adapt_used(keyspace->adapt, key->hash, entry->access) & ACCESS_MASK;
        return;
    }
    uint32_t minute = keyspace->access_new >> 8;
    uint32_t counter = access_counter(entry->access, minute, keyspace->counter_decay_minutes);
    counter = access_count(counter, keyspace->counter_log_factor, &keyspace->random);
    entry->access = access_counted(minute, counter) & ACCESS_MASK;
}

/* Most keys of a busy pass have been touched already: reading is cheaper than dirtying their
 * line. */
static inline void touch(struct keyspace *keyspace, const struct key *key, struct entry *entry) {
    if (entry->access != keyspace->access_now) {
        if (LIKELY(!(keyspace->no_touch | keyspace->access_counts))) {
            entry->access = keyspace->access_now & ACCESS_MASK;
        } else {
            touch_slowly(keyspace, key, entry);
        }
    }
}

/* Whether it is a key that the estimate of other sizes goes by. */
static inline bool is_watched(const struct keyspace *keyspace, const struct key *key) {
    return UNLIKELY(key->hash < keyspace->estimate.below);
}

struct entry *keyspace_look(struct keyspace *keyspace, struct key *key) {
    struct entry *entry = find(keyspace, key);
    if (is_watched(keyspace, key)) {
        estimate_read(keyspace, key, entry);
    }
    if (entry == NULL) {
        keyspace->metrics.keyspace_misses++;
        keyspace_event(keyspace, key, KEYSPACE_MISS, "keymiss");
        return NULL;
    }
    keyspace->metrics.keyspace_hits++;
    return entry;
}

struct entry *keyspace_read(struct keyspace *keyspace, struct key *key) {
    struct entry *entry = keyspace_look(keyspace, key);
    if (entry != NULL) {
        touch(keyspace, key, entry);
    }
    return entry;
}

struct entry *keyspace_write(struct keyspace *keyspace, struct key *key) {
    struct entry *entry = find(keyspace, key);
    if (entry != NULL) {
        touch(keyspace, key, entry);
        if (is_watched(keyspace, key)) {
            estimate_written(keyspace, key, entry);
        }
        dict_changing(&key->database->keys, entry);
    }
    return entry;
}

struct entry *keyspace_peek(struct keyspace *keyspace, struct key *key) {
    return find(keyspace, key);
}

struct entry *keyspace_fetch(struct keyspace *keyspace, struct key *key) {
    struct entry *entry = find(keyspace, key);
    if (entry == NULL && key->database->graced > 0) {
        key->slot = dict_find(&key->database->keys, key->hash, key->name.at, key->name.size);
        entry = key->slot == NULL ? NULL : dict_slot_entry(*key->slot);
        if (entry != NULL && entry_end(entry) <= keyspace->clock->now_ms) {
            entry = NULL;
            key->slot = NULL;
        }
    }
    if (is_watched(keyspace, key)) {
        estimate_read(keyspace, key, entry);
    }
    if (entry != NULL) {
        touch(keyspace, key, entry);
    }
    return entry;
}

void keyspace_count_read(struct keyspace *keyspace, const struct key *key, bool hit) {
    if (hit) {
        keyspace->metrics.keyspace_hits++;
    } else {
        keyspace->metrics.keyspace_misses++;
        keyspace_event(keyspace, key, KEYSPACE_MISS, "keymiss");
    }
}

bool keyspace_has(const struct key *key) {
    return dict_find(&key->database->keys, key->hash, key->name.at, key->name.size) != NULL;
}

bool keyspace_is_due(const struct keyspace *keyspace, const struct key *key) {
    const uint64_t *slot = dict_find(&key->database->keys, key->hash, key->name.at, key->name.size);
    return slot != NULL && entry_is_due(dict_slot_entry(*slot), keyspace->clock->now_ms);
}

/* Changes. */

static inline void tell_appeared(const struct keyspace *keyspace, const struct key *key,
                                 const struct entry *entry) {
    const struct store_hooks *hooks = &keyspace->hooks;
    if (UNLIKELY(hooks->appeared != NULL)) {
        hooks->appeared(hooks->awaits, key, (int)entry_type(entry));
    }
}

/* Removes what is kept under an absent key beyond its time. */
static __attribute__((noinline)) void remove_stale(struct keyspace *keyspace, struct key *key) {
    key->slot = dict_find(&key->database->keys, key->hash, key->name.at, key->name.size);
    if (key->slot != NULL) {
        struct entry *stale = dict_slot_entry(*key->slot);
        check(entry_is_due(stale, keyspace->clock->now_ms));
        tell_left(keyspace, key, keyspace->options.lazy_expire);
        keyspace_remove(keyspace, key, stale, keyspace->options.lazy_expire);
    }
}

static inline void put(struct keyspace *keyspace, struct key *key, struct entry *entry,
                       int64_t deadline_ms) {
    if (UNLIKELY(key->database->graced > 0)) {
        remove_stale(keyspace, key);
    }
    key->slot = NULL;
    dict_insert(&key->database->keys, key->hash, entry);
    file_deadline(key->database, entry, deadline_ms);
    keyspace_extras_in(key->database, entry);
}

static void insert(struct keyspace *keyspace, struct key *key, struct entry *entry,
                   int64_t deadline_ms) {
    put(keyspace, key, entry, deadline_ms);
    if (is_watched(keyspace, key)) {
        estimate_written(keyspace, key, entry);
    }
    keyspace_event(keyspace, key, KEYSPACE_NEW, "new");
    tell_appeared(keyspace, key, entry);
}

struct entry *keyspace_add(struct keyspace *keyspace, struct key *key,
                           const struct entry_shape *shape, int64_t deadline_ms) {
    struct entry_shape roomy = *shape;
    roomy.has_deadline = deadline_ms != ENTRY_NO_DEADLINE;
    struct entry *entry = entry_try_new(key->name, &roomy);
    if (entry == NULL) {
        return NULL;
    }
    entry->access = keyspace->access_new & ACCESS_MASK;
    insert(keyspace, key, entry, deadline_ms);
    file_fields(key->database, entry);
    if (UNLIKELY(keyspace->adapt != NULL)) {
        adapt_added(keyspace->adapt, key, entry);
    }
    return entry;
}

struct entry *keyspace_assign(struct keyspace *keyspace, struct key *key, struct entry *old,
                              const struct entry_shape *shape, int64_t deadline_ms) {
    if (old == NULL) {
        return keyspace_add(keyspace, key, shape,
                            deadline_ms == KEYSPACE_KEEP_DEADLINE ? ENTRY_NO_DEADLINE
                                                                  : deadline_ms);
    }
    dict_changing(&key->database->keys, old);
    struct entry_shape roomy = *shape;
    if (deadline_ms == KEYSPACE_KEEP_DEADLINE) {
        deadline_ms = entry_deadline(old);
        if (shape->extras.at == NULL) {
            roomy.extras = entry_extras(old);
        }
    }
    roomy.has_deadline = deadline_ms != ENTRY_NO_DEADLINE;
    struct entry *entry = entry_try_new(entry_key(old), &roomy);
    if (entry == NULL) {
        return NULL;
    }
    /* Another value of the same key: what is known of its use goes on. */
    entry->access = keyspace->access_counts ? old->access : keyspace->access_new & ACCESS_MASK;
    keyspace_unfile(key->database, old);
    entry_set_phase(entry, dict_phase(&key->database->keys));
    dict_replace(slot_of(key, old), entry);
    file_deadline(key->database, entry, deadline_ms);
    file_fields(key->database, entry);
    keyspace_extras_in(key->database, entry);
    tell_appeared(keyspace, key, entry);
    keyspace_let_go(keyspace, old, keyspace->options.lazy_server_del);
    return entry;
}

/* Whether the old entry has room for a deadline exactly when the new value needs it, and carries
 * nothing that has to go. */
static inline bool deadline_fits(const struct entry *old, int64_t deadline_ms) {
    if (LIKELY(!(old->flags & (ENTRY_HAS_DEADLINE | ENTRY_HAS_EXTRAS)))) {
        return deadline_ms < 0; /* none, or to be kept */
    }
    if (UNLIKELY(old->flags & ENTRY_HAS_EXTRAS)) {
        return deadline_ms == KEYSPACE_KEEP_DEADLINE;
    }
    return deadline_ms != ENTRY_NO_DEADLINE;
}

struct entry *keyspace_assign_carrying(struct keyspace *keyspace, struct key *key,
                                       struct entry *old, struct bytes text, struct blob *blob,
                                       int64_t deadline_ms, struct bytes extras) {
    struct entry_shape shape;
    if (blob != NULL) {
        shape = string_blob_shape(blob);
    } else if (!string_shape(text, &shape)) {
        return NULL;
    }
    shape.extras = extras;
    struct entry *entry = keyspace_assign(keyspace, key, old, &shape, deadline_ms);
    if (entry == NULL && blob == NULL && shape.encoding == ENTRY_BLOB) {
        blob_release((struct blob *)(uintptr_t)shape.word);
    }
    return entry;
}

struct entry *keyspace_assign_text(struct keyspace *keyspace, struct key *key, struct entry *old,
                                   struct bytes text, struct blob *blob, int64_t deadline_ms) {
    if (LIKELY(old != NULL && blob == NULL && entry_type(old) == ENTRY_STRING &&
               deadline_fits(old, deadline_ms) && string_overwrite(old, text))) {
        debug_check(entry_is_of(old, dict_phase(&key->database->keys)));
        if (UNLIKELY(deadline_ms >= 0)) {
            due_move(&key->database->deadlines, old, deadline_ms);
        }
        return old;
    }
    return keyspace_assign_carrying(keyspace, key, old, text, blob, deadline_ms, bytes_of(NULL, 0));
}

/* Files a copy of an entry that takes the old one's place, and frees the old one's own allocation.
 * The deadline's word is the same in both, so the index only learns the new address. */
static void supersede(struct key *key, struct entry *old, struct entry *entry) {
    struct database *database = key->database;
    dict_replace(slot_of(key, old), entry);
    if ((old->flags & ENTRY_HAS_DEADLINE) && (entry->flags & ENTRY_HAS_DEADLINE)) {
        *entry_deadline_word(entry) = *entry_deadline_word(old);
        due_replace(&database->deadlines, old, entry);
    }
    entry_free(old);
}

struct entry *keyspace_reshape(struct keyspace *keyspace, struct key *key, struct entry *old,
                               const struct entry_shape *shape) {
    (void)keyspace;
    check(shape->type == entry_type(old));
    dict_changing(&key->database->keys, old);
    struct entry_shape roomy = *shape;
    roomy.has_deadline = (old->flags & ENTRY_HAS_DEADLINE) != 0;
    struct entry *entry = entry_try_reshape(old, &roomy);
    if (entry == NULL) {
        return NULL;
    }
    bool filed = keyspace_fields_filed(entry);
    supersede(key, old, entry);
    if (filed) {
        due_replace(&key->database->field_deadlines, old, entry);
    }
    return entry;
}

struct entry *keyspace_set_deadline(struct keyspace *keyspace, struct key *key, struct entry *entry,
                                    int64_t deadline_ms) {
    struct database *database = key->database;
    bool has = (entry->flags & ENTRY_HAS_DEADLINE) != 0;
    bool wants = deadline_ms != ENTRY_NO_DEADLINE;
    dict_changing(&database->keys, entry);
    if (has == wants) {
        if (wants) {
            due_move(&database->deadlines, entry, end_of(entry, deadline_ms));
        }
        return entry;
    }
    struct entry_shape shape = {
        .type = entry_type(entry), .encoding = entry_encoding(entry), .has_deadline = wants};
    if (shape.encoding == ENTRY_INLINE) {
        shape.value = entry_inline(entry);
    } else {
        shape.word = entry_shape_word(entry);
    }
    struct entry *moved = entry_try_reshape(entry, &shape);
    if (moved == NULL) {
        return NULL;
    }
    if (has) {
        due_remove(&database->deadlines, entry);
    }
    if (keyspace_fields_filed(moved)) {
        due_replace(&database->field_deadlines, entry, moved);
    }
    supersede(key, entry, moved);
    file_deadline(database, moved, deadline_ms);
    (void)keyspace;
    return moved;
}

void keyspace_field_deadline_changed(struct keyspace *keyspace, struct key *key,
                                     struct entry *entry) {
    (void)keyspace;
    struct due *fields = &key->database->field_deadlines;
    bool filed = keyspace_fields_filed(entry);
    if (!hash_has_deadlines(entry)) {
        unfile_fields(key->database, entry);
    } else if (filed) {
        due_move(fields, entry, hash_next_deadline(entry));
    } else {
        due_add(fields, entry, hash_next_deadline(entry));
    }
}

struct entry *keyspace_set_extras(struct keyspace *keyspace, struct key *key, struct entry *entry,
                                  struct bytes run) {
    struct database *database = key->database;
    int64_t deadline_ms = entry_deadline(entry);
    struct entry_shape shape = {
        .type = entry_type(entry), .encoding = entry_encoding(entry), .extras = run};
    check(run.at != NULL);
    if (shape.encoding == ENTRY_INLINE) {
        shape.value = entry_inline(entry);
    } else {
        shape.word = entry_shape_word(entry);
    }
    keyspace_extras_out(database, entry);
    struct entry *moved = keyspace_reshape(keyspace, key, entry, &shape);
    if (moved == NULL) {
        keyspace_extras_in(database, entry);
        return NULL;
    }
    keyspace_extras_in(database, moved);
    if (deadline_ms != ENTRY_NO_DEADLINE) {
        due_move(&database->deadlines, moved, end_of(moved, deadline_ms));
    }
    return moved;
}

static void take_out(struct key *key, struct entry *entry) {
    dict_changing(&key->database->keys, entry);
    keyspace_unfile(key->database, entry);
    dict_remove(&key->database->keys, key->hash, slot_of(key, entry));
    key->slot = NULL;
}

void keyspace_detach(struct keyspace *keyspace, struct key *key, struct entry *entry) {
    take_out(key, entry);
    estimate_removed(keyspace, key);
}

void keyspace_attach(struct keyspace *keyspace, struct key *key, struct entry *entry,
                     int64_t deadline_ms) {
    insert(keyspace, key, entry, deadline_ms);
    file_fields(key->database, entry);
}

void keyspace_load(struct keyspace *keyspace, struct key *key, struct entry *entry,
                   int64_t deadline_ms) {
    put(keyspace, key, entry, deadline_ms);
    file_fields(key->database, entry);
    if (UNLIKELY(keyspace->adapt != NULL)) {
        adapt_added(keyspace->adapt, key, entry);
    }
    tell_appeared(keyspace, key, entry);
    if (UNLIKELY(keyspace->hooks.listeners != NULL)) {
        tell_changed(keyspace, key);
    }
}

void keyspace_remove(struct keyspace *keyspace, struct key *key, struct entry *entry, bool lazy) {
    keyspace_detach(keyspace, key, entry);
    keyspace_let_go(keyspace, entry, lazy);
}

void keyspace_evict(struct keyspace *keyspace, struct database *database, struct entry *entry) {
    struct key key = keyspace_key(keyspace, database, entry_key(entry));
    if (keyspace->adapt != NULL) {
        adapt_evicting(keyspace->adapt, key.hash, entry->access);
    }
    take_out(&key, entry);
    keyspace->metrics.evicted_keys++;
    tell_left(keyspace, &key, keyspace->options.lazy_eviction);
    keyspace_event(keyspace, &key, KEYSPACE_EVICTED, "evicted");
    keyspace_tell_modified(keyspace, &key);
    keyspace_let_go(keyspace, entry, keyspace->options.lazy_eviction);
}

void keyspace_remove_absent(struct keyspace *keyspace, struct key *key) {
    if (key->database->graced > 0) {
        remove_stale(keyspace, key);
    }
    keyspace_tell_written(keyspace, key);
}

bool keyspace_delete(struct keyspace *keyspace, struct key *key, bool lazy) {
    struct entry *entry = find(keyspace, key);
    if (entry == NULL) {
        keyspace_remove_absent(keyspace, key);
        return false;
    }
    keyspace_remove(keyspace, key, entry, lazy);
    return true;
}
