/* tracking: trackers, the table of keys, invalidations. The header draws the picture. */
#include "feature/tracking.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/random.h"
#include "ds/dict.h"
#include "feature/tracking_prefix.h"
#include "proto/resp.h"
#include "store/keyspace.h"

#ifdef LARDER_TEST_SMALL
#define SLICE_CHAINS 2
#define SLICE_KEYS   4
#else
/* Chains of the table that one pass sweeps: some five entries each, a cache miss for each of them,
 * so about 0.1 ms. */
#define SLICE_CHAINS 200
/* Keys that one pass frees or gives up for the option's sake. */
#define SLICE_KEYS   1000
#endif
/* Keys of a command that are found without allocating. */
#define KEYS_USUAL 32

static const char channel[] = "__redis__:invalidate";

/* A key's holders. One is in the word of the entry itself, as id * 2 + 1. */
struct holders {
    uint32_t count;
    uint32_t capacity;
    uint64_t ids[];
};

/* A table that is given up, until it is freed. */
struct dying {
    struct dict keys;
    struct dying *next;
};

struct tracking {
    struct client_watcher watcher;
    struct store_listener listener;
    struct context *context;
    struct tracking_options options;
    struct dict keys;
    size_t items;
    struct dict trackers;
    struct tracker *first; /* in the order in which they began */
    struct tracker *last;
    struct tracking_prefixes prefixes;
    struct dying *dying;
    bool sweeping;
    bool sweep_again; /* somebody has left while sweeping */
    uint64_t sweep_cursor;
    struct random random;
    struct buffer message;
};

/* ---- holders ---- */

static struct holders *holders_of(struct entry *entry) {
    uint64_t word = *entry_word(entry);
    return word & 1 ? NULL : (struct holders *)(uintptr_t)word;
}

static size_t holders_size(uint32_t capacity) {
    return sizeof(struct holders) + capacity * sizeof(uint64_t);
}

static size_t holder_count(struct entry *entry) {
    const struct holders *holders = holders_of(entry);
    return holders == NULL ? 1 : holders->count;
}

static uint64_t holder_at(struct entry *entry, size_t index) {
    const struct holders *holders = holders_of(entry);
    return holders == NULL ? *entry_word(entry) >> 1 : holders->ids[index];
}

static void set_holders(struct entry *entry, struct holders *holders) {
    *entry_word(entry) = (uint64_t)(uintptr_t)holders;
}

static bool add_holder(struct entry *entry, uint64_t id) {
    size_t count = holder_count(entry);
    for (size_t i = 0; i < count; i++) {
        if (holder_at(entry, i) == id) {
            return false;
        }
    }
    struct holders *holders = holders_of(entry);
    if (holders == NULL) {
        holders = mem_alloc(MEM_FEATURE, holders_size(2));
        *holders = (struct holders){.count = 1, .capacity = 2};
        holders->ids[0] = holder_at(entry, 0);
    } else if (holders->count == holders->capacity) {
        holders = mem_realloc(MEM_FEATURE, holders, holders_size(holders->capacity),
                              holders_size(holders->capacity * 2));
        holders->capacity *= 2;
    }
    holders->ids[holders->count++] = id;
    set_holders(entry, holders);
    return true;
}

static void free_key(struct entry *entry) {
    struct holders *holders = holders_of(entry);
    if (holders != NULL) {
        mem_free(MEM_FEATURE, holders, holders_size(holders->capacity));
    }
    entry_free(entry);
}

/* ---- trackers ---- */

static struct tracker *find_tracker(const struct tracking *tracking, uint64_t id) {
    struct bytes key = bytes_of(&id, sizeof id);
    uint64_t *slot =
        dict_find(&tracking->trackers, dict_hash(&tracking->trackers, key), key.at, key.size);
    return slot == NULL ? NULL : entry_pointer(dict_slot_entry(*slot));
}

static void on_modified(void *tracking, const struct key *key) {
    tracking_invalidate(tracking, key->name);
}

/* The keyspace is heard as long as somebody tracks. */
static void listen(struct tracking *tracking, bool on) {
    struct keyspace *keyspace = tracking->context->keyspace;
    if (on) {
        keyspace_listen(keyspace, &tracking->listener);
    } else {
        keyspace_unlisten(keyspace, &tracking->listener);
    }
}

static struct tracker *add_tracker(struct tracking *tracking, struct client *client) {
    struct tracker *tracker = mem_zalloc(MEM_FEATURE, sizeof *tracker);
    struct bytes key = bytes_of(&client->id, sizeof client->id);
    struct entry_shape shape = {
        .type = ENTRY_ELEMENT, .encoding = ENTRY_TABLE, .word = (uint64_t)(uintptr_t)tracker};
    struct entry *entry = entry_try_new(key, &shape);
    check(entry != NULL);
    dict_insert(&tracking->trackers, dict_hash(&tracking->trackers, key), entry);
    tracker->client = client;
    tracker->previous = tracking->last;
    *(tracking->last == NULL ? &tracking->first : &tracking->last->next) = tracker;
    tracking->last = tracker;
    client->tracking = &tracker->shown;
    client->flags |= CLIENT_TRACKING;
    if (dict_size(&tracking->trackers) == 1) {
        listen(tracking, true);
    }
    return tracker;
}

void tracking_on(struct tracking *tracking, struct client *client, struct client *target,
                 unsigned modes, const struct bytes *prefixes, size_t prefix_count) {
    struct tracker *tracker = tracking_of(client);
    if (tracker == NULL) {
        tracker = add_tracker(tracking, client);
    }
    tracker->target = target;
    tracker->modes = modes;
    tracker->shown.redirect = target == NULL ? 0 : target->id;
    tracker->shown.broadcast = modes & TRACKING_BROADCAST;
    tracker->shown.broken = false;
    if (target != NULL) {
        target->flags |= CLIENT_PUSHED;
    }
    if (modes & TRACKING_BROADCAST) {
        for (size_t i = 0; i < prefix_count; i++) {
            tracking_prefixes_add(&tracking->prefixes, tracker, prefixes[i]);
        }
        if (prefix_count == 0) {
            tracking_prefixes_add(&tracking->prefixes, tracker, bytes_of("", 0));
        }
    }
}

/* All keys are forgotten. */
static void give_up_keys(struct tracking *tracking) {
    if (dict_size(&tracking->keys) == 0) {
        return;
    }
    struct dying *dying = mem_alloc(MEM_FEATURE, sizeof *dying);
    *dying = (struct dying){.keys = tracking->keys, .next = tracking->dying};
    tracking->dying = dying;
    tracking->items = 0;
    tracking->sweeping = false;
    tracking->watcher.has_work = true;
    dict_init(&tracking->keys, MEM_FEATURE, false);
}

void tracking_off(struct tracking *tracking, struct client *client) {
    struct tracker *tracker = tracking_of(client);
    if (tracker == NULL) {
        return;
    }
    tracking_prefixes_leave(&tracking->prefixes, tracker);
    struct bytes key = bytes_of(&client->id, sizeof client->id);
    uint64_t hash = dict_hash(&tracking->trackers, key);
    entry_free(dict_remove(&tracking->trackers, hash,
                           dict_find(&tracking->trackers, hash, key.at, key.size)));
    *(tracker->previous == NULL ? &tracking->first : &tracker->previous->next) = tracker->next;
    *(tracker->next == NULL ? &tracking->last : &tracker->next->previous) = tracker->previous;
    if (tracking->first == NULL) {
        give_up_keys(tracking);
    } else if (!(tracker->modes & TRACKING_BROADCAST) && dict_size(&tracking->keys) > 0) {
        tracking->sweep_again = true;
        tracking->watcher.has_work = true;
    }
    mem_free(MEM_FEATURE, tracker, sizeof *tracker);
    client->tracking = NULL;
    client->flags &= ~(uint32_t)CLIENT_TRACKING;
    if (tracking->first == NULL) {
        listen(tracking, false);
    }
}

static void client_leaves(void *context, struct client *client) {
    struct tracking *tracking = context;
    tracking_off(tracking, client);
    /* One that is only reset can still be redirected to. */
    if (client->flags & CLIENT_PUSHED && client->flags & CLIENT_CLOSING) {
        for (struct tracker *t = tracking->first; t != NULL; t = t->next) {
            t->target = t->target == client ? NULL : t->target;
        }
    }
}

/* ---- messages ---- */

static void append_bulk(struct buffer *out, struct bytes text) {
    char *at = buffer_reserve(out, RESP_HEADER_SIZE + text.size + 2);
    out->size += (size_t)(resp_bulk(at, text) - at);
}

static void tell_broken(struct tracking *tracking, struct tracker *tracker) {
    tracker->shown.broken = true;
    if (tracker->client->version == 3) {
        struct buffer *message = &tracking->message;
        message->size = 0;
        buffer_printf(message, ">2\r\n$21\r\ntracking-redir-broken\r\n:%llu\r\n",
                      (unsigned long long)tracker->shown.redirect);
        client_send_behind(tracker->client, buffer_bytes(message));
    }
}

void tracking_send(struct tracking *tracking, struct tracker *tracker, struct bytes keys) {
    struct client *target = tracker->client;
    if (tracker->shown.redirect != 0) {
        target = tracker->target;
        if (target == NULL || target->flags & CLIENT_CLOSING) {
            tell_broken(tracking, tracker);
            return;
        }
    }
    struct buffer *message = &tracking->message;
    message->size = 0;
    if (target->version == 3) {
        buffer_append_text(message, ">2\r\n$10\r\ninvalidate\r\n");
    } else if (tracker->shown.redirect != 0 && target->class_ == CLIENT_CLASS_PUBSUB) {
        buffer_append_text(message, "*3\r\n$7\r\nmessage\r\n");
        append_bulk(message, bytes_text(channel));
    } else {
        return;
    }
    buffer_append(message, keys.at, keys.size);
    client_send_behind(target, buffer_bytes(message));
}

/* Tells a key's holders, and frees the entry, which is in no dict any more. */
static void tell_holders(struct tracking *tracking, struct entry *entry) {
    const struct client *writer = clients_current(tracking->context->clients);
    struct buffer keys;
    buffer_init(&keys, MEM_FEATURE);
    buffer_append_text(&keys, "*1\r\n");
    append_bulk(&keys, entry_key(entry));
    size_t count = holder_count(entry);
    for (size_t i = 0; i < count; i++) {
        struct tracker *tracker = find_tracker(tracking, holder_at(entry, i));
        if (tracker == NULL || tracker->modes & TRACKING_BROADCAST ||
            (tracker->modes & TRACKING_NO_LOOP && tracker->client == writer)) {
            continue;
        }
        tracking_send(tracking, tracker, buffer_bytes(&keys));
    }
    buffer_clear(&keys);
    tracking->items -= count;
    free_key(entry);
}

void tracking_invalidate(struct tracking *tracking, struct bytes key) {
    if (tracking->prefixes.count > 0) {
        const struct client *writer = clients_current(tracking->context->clients);
        tracking_prefixes_note(&tracking->prefixes, key, writer == NULL ? 0 : writer->id);
    }
    if (dict_size(&tracking->keys) == 0) {
        return;
    }
    uint64_t hash = dict_hash(&tracking->keys, key);
    uint64_t *slot = dict_find(&tracking->keys, hash, key.at, key.size);
    if (slot != NULL) {
        tell_holders(tracking, dict_remove(&tracking->keys, hash, slot));
    }
}

/* Databases are not told apart, so whichever was emptied, everything may have gone. */
static void on_flushed(void *context, int database) {
    (void)database;
    struct tracking *tracking = context;
    for (struct tracker *t = tracking->first; t != NULL; t = t->next) {
        tracking_send(tracking, t, bytes_text(t->client->version == 3 ? "_\r\n" : "$-1\r\n"));
    }
    give_up_keys(tracking);
}

static void on_swapped(void *context, int a, int b) {
    on_flushed(context, a);
    on_flushed(context, b);
}

/* ---- remembering ---- */

/* Gives up any one key: its holders are told as if it had changed. */
static void give_up_one(struct tracking *tracking) {
    struct entry *entry = dict_random(&tracking->keys, &tracking->random);
    uint64_t hash = dict_hash(&tracking->keys, entry_key(entry));
    tell_holders(tracking,
                 dict_remove(&tracking->keys, hash, dict_find_entry(&tracking->keys, hash, entry)));
}

static bool is_full(const struct tracking *tracking, size_t more) {
    int64_t most = tracking->options.keys_max;
    return most > 0 && dict_size(&tracking->keys) + more > (size_t)most;
}

static void remember(struct tracking *tracking, struct bytes key, uint64_t id) {
    uint64_t hash = dict_hash(&tracking->keys, key);
    uint64_t *slot = dict_find(&tracking->keys, hash, key.at, key.size);
    if (slot != NULL) {
        tracking->items += add_holder(dict_slot_entry(*slot), id);
        return;
    }
    if (is_full(tracking, 1)) {
        give_up_one(tracking);
    }
    struct entry_shape shape = {
        .type = ENTRY_ELEMENT, .encoding = ENTRY_INTEGER, .word = id * 2 + 1};
    struct entry *entry = entry_try_new(key, &shape);
    if (entry == NULL) {
        /* A key too large for memory: its reader must not rely on it. */
        return;
    }
    dict_insert(&tracking->keys, hash, entry);
    tracking->items++;
}

static void remember_keys(struct tracking *tracking, const struct call *call) {
    struct command_key usual[KEYS_USUAL];
    struct command_key *keys = usual;
    int count = command_keys(call->command, call->args, call->argc, keys, KEYS_USUAL);
    if (count > KEYS_USUAL) {
        keys = mem_alloc(MEM_FEATURE, (size_t)count * sizeof *keys);
        command_keys(call->command, call->args, call->argc, keys, count);
    }
    for (int i = 0; i < count; i++) {
        remember(tracking, call->args[keys[i].index], call->client->id);
    }
    if (keys != usual) {
        mem_free(MEM_FEATURE, keys, (size_t)count * sizeof *keys);
    }
}

/* CLIENT CACHING holds for the next command that is not about clients, or for all of the
 * transaction that comes next. */
static void client_called(void *context, const struct call *call) {
    struct tracker *tracker = tracking_of(call->client);
    if (tracker == NULL) {
        return;
    }
    const struct command *parent = call->command->parent;
    bool caching = tracker->caching;
    if (!(call->client->flags & CLIENT_MULTI) &&
        (parent == NULL || strcmp(parent->row->name, "client") != 0)) {
        tracker->caching = false;
    }
    if (!(call->command->flags & (COMMAND_READONLY | COMMAND_TRACKED)) ||
        tracker->modes & TRACKING_BROADCAST || (tracker->modes & TRACKING_OPT_IN && !caching) ||
        (tracker->modes & TRACKING_OPT_OUT && caching)) {
        return;
    }
    remember_keys(context, call);
}

/* ---- slices ---- */

struct sweep {
    struct tracking *tracking;
    struct buffer empty; /* entries without holders: pointers */
};

static void sweep_entry(void *context, struct entry *entry) {
    struct sweep *sweep = context;
    struct tracking *tracking = sweep->tracking;
    struct holders *holders = holders_of(entry);
    size_t count = holder_count(entry);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t id = holder_at(entry, i);
        if (find_tracker(tracking, id) != NULL) {
            if (holders != NULL) {
                holders->ids[kept] = id;
            }
            kept++;
        }
    }
    if (kept == 0) {
        buffer_append(&sweep->empty, &entry, sizeof entry);
    } else if (holders != NULL) {
        tracking->items -= count - kept;
        holders->count = (uint32_t)kept;
    }
}

static void sweep_slice(struct tracking *tracking) {
    struct sweep sweep = {.tracking = tracking};
    buffer_init(&sweep.empty, MEM_FEATURE);
    for (int i = 0; i < SLICE_CHAINS && tracking->sweeping; i++) {
        tracking->sweep_cursor =
            dict_scan(&tracking->keys, tracking->sweep_cursor, sweep_entry, &sweep);
        tracking->sweeping = tracking->sweep_cursor != 0;
        for (size_t at = 0; at < sweep.empty.size; at += sizeof(struct entry *)) {
            struct entry *entry;
            memcpy(&entry, sweep.empty.at + at, sizeof entry);
            uint64_t hash = dict_hash(&tracking->keys, entry_key(entry));
            dict_remove(&tracking->keys, hash, dict_find_entry(&tracking->keys, hash, entry));
            tracking->items -= holder_count(entry);
            free_key(entry);
        }
        sweep.empty.size = 0;
    }
    buffer_clear(&sweep.empty);
}

/* Frees up to `max` keys of a table that was given up. */
static void free_some(struct tracking *tracking, size_t max) {
    struct entry *entries[64];
    struct dying *dying = tracking->dying;
    for (size_t freed = 0; freed < max;) {
        size_t count = dict_drain(&dying->keys, entries, sizeof entries / sizeof entries[0]);
        if (count == 0) {
            tracking->dying = dying->next;
            dict_clear(&dying->keys);
            mem_free(MEM_FEATURE, dying, sizeof *dying);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            free_key(entries[i]);
        }
        freed += count;
    }
}

static void pass_ends(void *context) {
    struct tracking *tracking = context;
    if (tracking->prefixes.noted > 0) {
        tracking_prefixes_send(&tracking->prefixes, tracking);
    }
    if (LIKELY(!tracking->watcher.has_work && !is_full(tracking, 0))) {
        return;
    }
    for (size_t i = 0; i < SLICE_KEYS && is_full(tracking, 0); i++) {
        give_up_one(tracking);
    }
    if (tracking->dying != NULL) {
        free_some(tracking, SLICE_KEYS);
    }
    if (!tracking->sweeping && tracking->sweep_again) {
        tracking->sweep_again = false;
        tracking->sweeping = true;
        tracking->sweep_cursor = 0;
    }
    if (tracking->sweeping) {
        sweep_slice(tracking);
    }
    tracking->watcher.has_work = tracking->dying != NULL || tracking->sweeping ||
                                 tracking->sweep_again || is_full(tracking, 0);
}

/* ---- life ---- */

size_t tracking_key_count(const struct tracking *tracking) {
    return dict_size(&tracking->keys);
}

static int64_t metric_clients(void *module) {
    return (int64_t)dict_size(&((const struct tracking *)module)->trackers);
}

static int64_t metric_keys(void *module) {
    return (int64_t)tracking_key_count(module);
}

static int64_t metric_items(void *module) {
    return (int64_t)((const struct tracking *)module)->items;
}

static int64_t metric_prefixes(void *module) {
    return (int64_t)((const struct tracking *)module)->prefixes.count;
}

static const struct metric metric_rows[] = {
    {.name = "tracking_clients",
     .section = METRIC_CLIENTS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_clients,
     .description = "Connections that are tracking."},
    {.name = "tracking_total_keys",
     .section = METRIC_STATS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_keys,
     .description = "Keys that tracking clients may hold."},
    {.name = "tracking_total_items",
     .section = METRIC_STATS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_items,
     .description = "Sum of their holders."},
    {.name = "tracking_total_prefixes",
     .section = METRIC_STATS,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_prefixes,
     .description = "Prefixes that tracking clients are told of."},
};

struct tracking *tracking_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct tracking_options, __VA_ARGS__)
        TRACKING_OPTIONS(ROW)
#undef ROW
    };
    struct tracking *tracking = mem_zalloc(MEM_FEATURE, sizeof *tracking);
    tracking->context = context;
    dict_init(&tracking->keys, MEM_FEATURE, false);
    dict_init(&tracking->trackers, MEM_FEATURE, false);
    random_init(&tracking->random, hash_mix(hash_seed()));
    buffer_init(&tracking->message, MEM_FEATURE);
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &tracking->options, tracking);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     NULL, tracking, NULL);
    tracking->watcher = (struct client_watcher){.context = tracking,
                                                .leaves = client_leaves,
                                                .pass_ends = pass_ends,
                                                .called = client_called};
    clients_watch(context->clients, &tracking->watcher);
    tracking->listener = (struct store_listener){.context = tracking,
                                                 .modified = on_modified,
                                                 .flushing = on_flushed,
                                                 .swapping = on_swapped};
    return tracking;
}

void tracking_free(struct tracking *tracking) {
    check(tracking->first == NULL);
    give_up_keys(tracking);
    while (tracking->dying != NULL) {
        free_some(tracking, SLICE_KEYS);
    }
    dict_clear(&tracking->keys);
    dict_clear(&tracking->trackers);
    tracking_prefixes_free(&tracking->prefixes);
    buffer_clear(&tracking->message);
    mem_free(MEM_FEATURE, tracking, sizeof *tracking);
}

/* ---- validation ---- */

static void count_items(void *context, struct entry *entry) {
    size_t *items = context;
    size_t count = holder_count(entry);
    check(count > 0);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            check(holder_at(entry, i) != holder_at(entry, j));
        }
    }
    *items += count;
}

void tracking_validate(const struct tracking *tracking) {
    size_t items = 0;
    uint64_t cursor = 0;
    dict_validate(&tracking->keys);
    do {
        cursor = dict_scan(&tracking->keys, cursor, count_items, &items);
    } while (cursor != 0);
    check(items == tracking->items);
    size_t trackers = 0;
    for (const struct tracker *t = tracking->first; t != NULL; t = t->next) {
        check(t->client->flags & CLIENT_TRACKING && tracking_of(t->client) == t);
        check(find_tracker(tracking, t->client->id) == t);
        trackers++;
    }
    check(trackers == dict_size(&tracking->trackers));
    for (size_t i = 1; i < tracking->prefixes.count; i++) {
        check(bytes_compare(tracking->prefixes.at[i - 1]->text, tracking->prefixes.at[i]->text) <
              0);
    }
}
