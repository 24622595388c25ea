/* leases: granting, ending, and what ends them from outside: writes, databases that are emptied or
 * swapped, time, connections that go. The header draws the picture. */
#include "feature/leases.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "client/waiting.h"
#include "ds/dict.h"
#include "ds/due.h"

/* Leases that a pass frees of what was emptied, or takes from clients that have gone: some hundred
 * microseconds. */
#ifdef LARDER_TEST_SMALL
#define SLICE 2
#else
#define SLICE 1000
#endif

enum state { HELD, LAPSED, BARRED };

struct holder;

struct lease {
    uint64_t due; /* of the index of times: when its state is over */
    struct leases *leases;
    struct entry *entry; /* in the table, with the name */
    uint64_t hash;
    uint64_t token;
    struct holder *holder; /* NULL: no connection's */
    struct lease *next;    /* of the same holder */
    struct lease *previous;
    uint32_t ms;
    uint32_t generation; /* of the table that it was put into */
    uint16_t database;
    uint8_t state;
};

/* A connection that holds leases, or that did: then it is an orphan. */
struct holder {
    struct lease *first;
    struct client *client; /* NULL: it has gone */
    struct holder *next;   /* of the orphans */
};

/* A database's. All of an older generation are void: their table was given up. */
struct table {
    struct dict keys;
    uint32_t generation;
};

struct dying {
    struct dict keys;
    struct dying *next;
};

struct leases {
    struct context *context;
    struct table *tables; /* one for each database; NULL until the first lease */
    struct due times;
    struct loop_timer wake; /* at the first of the times, or before */
    int64_t wake_ms;        /* when that is; INT64_MAX: it is not set */
    struct dying *dying;
    struct holder *orphans;
    size_t count; /* in the tables */
    size_t held;
    uint64_t last_token; /* before it is mixed */
    struct store_listener listener;
    struct client_watcher watcher;
    struct lease_options options;
    struct lease_metrics metrics;
};

/* ---- tokens ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void lease_token_write(uint64_t token, char text[LEASE_TOKEN_SIZE]) {
    for (int i = 0; i < LEASE_TOKEN_SIZE - 1; i++) {
        text[i] = alphabet[token >> (58 - 6 * i) & 63];
    }
    text[LEASE_TOKEN_SIZE - 1] = alphabet[(token & 15) << 2];
}

bool lease_token_read(struct bytes text, uint64_t *token) {
    if (text.size != LEASE_TOKEN_SIZE) {
        return false;
    }
    uint64_t bits = 0;
    for (int i = 0; i < LEASE_TOKEN_SIZE; i++) {
        const char *at = text.at[i] == '\0' ? NULL : strchr(alphabet, text.at[i]);
        if (at == NULL) {
            return false;
        }
        uint64_t digit = (uint64_t)(at - alphabet);
        bits = i < LEASE_TOKEN_SIZE - 1 ? bits << 6 | digit : bits << 4 | digit >> 2;
    }
    *token = bits;
    return true;
}

/* Each number gives another: mixing loses nothing. */
static uint64_t next_token(struct leases *leases) {
    return hash_mix(++leases->last_token);
}

/* ---- holders ---- */

static void leave_holder(struct lease *lease) {
    struct holder *holder = lease->holder;
    if (holder == NULL) {
        return;
    }
    *(lease->previous == NULL ? &holder->first : &lease->previous->next) = lease->next;
    if (lease->next != NULL) {
        lease->next->previous = lease->previous;
    }
    lease->holder = NULL;
    /* An orphan is freed when its turn has come. */
    if (holder->first == NULL && holder->client != NULL) {
        holder->client->leases = NULL;
        mem_free(MEM_FEATURE, holder, sizeof *holder);
    }
}

static void join_holder(struct lease *lease, struct client *client) {
    if (client->protocol != NULL || client->flags & CLIENT_INTERNAL) {
        return;
    }
    struct holder *holder = client->leases;
    if (holder == NULL) {
        holder = mem_zalloc(MEM_FEATURE, sizeof *holder);
        holder->client = client;
        client->leases = holder;
    }
    lease->holder = holder;
    lease->previous = NULL;
    lease->next = holder->first;
    if (lease->next != NULL) {
        lease->next->previous = lease;
    }
    holder->first = lease;
}

/* ---- single leases ---- */

static struct lease *find(const struct leases *leases, const struct key *key) {
    if (leases->tables == NULL) {
        return NULL;
    }
    const struct dict *table = &leases->tables[key->database->id].keys;
    if (dict_size(table) == 0) {
        return NULL;
    }
    const uint64_t *slot = dict_find(table, key->hash, key->name.at, key->name.size);
    return slot == NULL ? NULL : entry_pointer(dict_slot_entry(*slot));
}

static struct key key_of(const struct lease *lease) {
    struct keyspace *keyspace = lease->leases->context->keyspace;
    return (struct key){.name = entry_key(lease->entry),
                        .hash = lease->hash,
                        .database = &keyspace->databases[lease->database]};
}

/* Who waits for it looks again. */
static void tell_waiting(const struct lease *lease) {
    struct key key = key_of(lease);
    waiting_signal_turn(lease->leases->context->clients, &key);
}

static void set_state(struct lease *lease, enum state state) {
    lease->leases->held += (state == HELD) - (lease->state == HELD);
    lease->state = (uint8_t)state;
}

/* ---- time ---- */

static uint64_t *due_word(void *item) {
    return &((struct lease *)item)->due;
}

static int64_t on_wake(struct loop_timer *timer) {
    struct leases *leases =
        (struct leases *)(void *)((char *)timer - offsetof(struct leases, wake));
    leases->wake_ms = INT64_MAX; /* what is due is looked for when the pass ends */
    return -1;
}

static void wake_at(struct leases *leases, int64_t at_ms) {
    int64_t now_ms = leases->context->clock->now_ms;
    if (at_ms < leases->wake_ms) {
        leases->wake_ms = at_ms;
        loop_timer_add(leases->context->loop, &leases->wake, at_ms > now_ms ? at_ms - now_ms : 0);
    }
}

/* Its state is over after `ms`. */
static void set_time(struct lease *lease, int64_t ms) {
    struct leases *leases = lease->leases;
    int64_t now_ms = leases->context->clock->now_ms;
    if (lease->due == 0) {
        due_follow(&leases->times, now_ms);
        due_add(&leases->times, lease, now_ms + ms);
    } else {
        due_move(&leases->times, lease, now_ms + ms);
    }
    wake_at(leases, now_ms + ms);
}

/* ---- ends ---- */

static void free_lease(struct lease *lease) {
    set_state(lease, LAPSED);
    leave_holder(lease);
    if (lease->due != 0) {
        due_remove(&lease->leases->times, lease);
    }
    entry_free(lease->entry);
    mem_free(MEM_FEATURE, lease, sizeof *lease);
}

/* So many are in no table any more. */
static void forget(struct leases *leases, size_t count) {
    leases->count -= count;
    if (count > 0 && leases->count == 0) {
        keyspace_unlisten(leases->context->keyspace, &leases->listener);
    }
}

/* Its key has none from now on, and who waits looks again. */
static void end_lease(struct lease *lease) {
    struct leases *leases = lease->leases;
    struct dict *keys = &leases->tables[lease->database].keys;
    dict_remove(keys, lease->hash, dict_find_entry(keys, lease->hash, lease->entry));
    tell_waiting(lease);
    free_lease(lease);
    forget(leases, 1);
}

/* Its token stands until another is granted, or its time is over once more. */
static void lapse(struct lease *lease) {
    leave_holder(lease);
    set_state(lease, LAPSED);
    lease->leases->metrics.lease_lapsed++;
    set_time(lease, lease->ms);
    tell_waiting(lease);
}

static bool is_dying(const struct lease *lease) {
    return lease->generation != lease->leases->tables[lease->database].generation;
}

/* What is due, up to `max` leases; how many. */
static size_t take_due(struct leases *leases, size_t max, bool *done) {
    void *items[SLICE];
    size_t count = due_take(&leases->times, leases->context->clock->now_ms, items,
                            max < SLICE ? max : SLICE, 4 * SLICE, done);
    for (size_t i = 0; i < count; i++) {
        struct lease *lease = items[i];
        if (is_dying(lease)) {
            continue; /* freed when its turn has come */
        }
        if (lease->state == HELD) {
            lapse(lease);
        } else {
            end_lease(lease);
        }
    }
    return count;
}

/* ---- beginnings ---- */

static void prepare_tables(struct leases *leases) {
    if (leases->tables == NULL) {
        size_t count = (size_t)leases->context->keyspace->database_count;
        leases->tables = mem_alloc(MEM_FEATURE, count * sizeof *leases->tables);
        for (size_t i = 0; i < count; i++) {
            dict_init(&leases->tables[i].keys, MEM_FEATURE, false);
            leases->tables[i].generation = 0;
        }
    }
}

static struct lease *new_lease(struct leases *leases, const struct key *key) {
    if (leases->count >= (size_t)leases->options.leases_max) {
        return NULL;
    }
    struct lease *lease = mem_zalloc(MEM_FEATURE, sizeof *lease);
    struct entry_shape shape = {
        .type = ENTRY_ELEMENT, .encoding = ENTRY_TABLE, .word = (uint64_t)(uintptr_t)lease};
    lease->entry = entry_try_new(key->name, &shape);
    if (lease->entry == NULL) {
        mem_free(MEM_FEATURE, lease, sizeof *lease);
        return NULL;
    }
    prepare_tables(leases);
    struct table *table = &leases->tables[key->database->id];
    lease->leases = leases;
    lease->hash = key->hash;
    lease->database = (uint16_t)key->database->id;
    lease->generation = table->generation;
    lease->state = LAPSED;
    dict_insert(&table->keys, lease->hash, lease->entry);
    if (leases->count++ == 0) {
        keyspace_listen(leases->context->keyspace, &leases->listener);
    }
    return lease;
}

/* ---- what commands ask ---- */

enum lease_answer leases_ask(struct leases *leases, const struct key *key, struct client *client,
                             int64_t ms, uint64_t *token) {
    check(ms > 0 && ms <= LEASE_MS_MAX);
    struct lease *lease = find(leases, key);
    if (lease != NULL && lease->state != LAPSED) {
        return lease->state == HELD ? LEASE_HELD : LEASE_BARRED;
    }
    if (lease == NULL) {
        lease = new_lease(leases, key);
        if (lease == NULL) {
            leases->metrics.lease_overflowed++;
            return LEASE_OVERFLOW;
        }
    }
    set_state(lease, HELD);
    join_holder(lease, client);
    lease->ms = (uint32_t)ms;
    lease->token = next_token(leases);
    set_time(lease, ms);
    leases->metrics.lease_granted++;
    *token = lease->token;
    return LEASE_GRANTED;
}

bool leases_bar(const struct leases *leases, const struct key *key) {
    const struct lease *lease = find(leases, key);
    return lease != NULL && lease->state == BARRED;
}

bool leases_stand(const struct leases *leases, const struct key *key, uint64_t token) {
    const struct lease *lease = find(leases, key);
    return lease != NULL && lease->state != BARRED && lease->token == token;
}

bool leases_give_back(struct leases *leases, const struct key *key, uint64_t token,
                      int64_t bar_ms) {
    struct lease *lease = find(leases, key);
    if (lease == NULL || lease->state == BARRED || lease->token != token) {
        return false;
    }
    if (bar_ms == 0) {
        end_lease(lease);
        return true;
    }
    leave_holder(lease);
    set_state(lease, BARRED);
    set_time(lease, bar_ms);
    tell_waiting(lease);
    return true;
}

/* ---- what ends them from outside ---- */

static void on_written(void *context, const struct key *key) {
    struct lease *lease = find(context, key);
    if (lease != NULL) {
        end_lease(lease);
    }
}

/* All of a database are void from now on, and freed in slices. */
static void give_up_table(struct leases *leases, int database) {
    struct table *table = &leases->tables[database];
    size_t count = dict_size(&table->keys);
    if (count == 0) {
        return;
    }
    struct dying *dying = mem_alloc(MEM_FEATURE, sizeof *dying);
    *dying = (struct dying){.keys = table->keys, .next = leases->dying};
    leases->dying = dying;
    dict_init(&table->keys, MEM_FEATURE, false);
    table->generation++;
    leases->watcher.has_work = true;
    forget(leases, count);
}

static void on_flushing(void *context, int database) {
    struct leases *leases = context;
    for (int i = 0; i < leases->context->keyspace->database_count; i++) {
        if (database < 0 || database == i) {
            give_up_table(leases, i);
        }
    }
}

static void on_swapping(void *context, int a, int b) {
    give_up_table(context, a);
    give_up_table(context, b);
}

static void client_leaves(void *context, struct client *client) {
    struct leases *leases = context;
    struct holder *holder = client->leases;
    if (holder != NULL) {
        holder->client = NULL;
        client->leases = NULL;
        holder->next = leases->orphans;
        leases->orphans = holder;
        leases->watcher.has_work = true;
    }
}

/* Frees up to `max` of what was given up; how many. */
static size_t free_dying(struct leases *leases, size_t max) {
    struct entry *entries[SLICE];
    struct dying *dying = leases->dying;
    size_t count = dict_drain(&dying->keys, entries, max < SLICE ? max : SLICE);
    for (size_t i = 0; i < count; i++) {
        struct lease *lease = entry_pointer(entries[i]);
        tell_waiting(lease);
        free_lease(lease);
    }
    if (count == 0) {
        leases->dying = dying->next;
        dict_clear(&dying->keys);
        mem_free(MEM_FEATURE, dying, sizeof *dying);
    }
    return count + 1;
}

/* Takes up to `max` leases from a client that has gone; how many. */
static size_t take_orphans(struct leases *leases, size_t max) {
    struct holder *holder = leases->orphans;
    size_t count = 0;
    while (holder->first != NULL && count < max) {
        if (is_dying(holder->first)) {
            leave_holder(holder->first);
        } else {
            lapse(holder->first);
        }
        count++;
    }
    if (holder->first == NULL) {
        leases->orphans = holder->next;
        mem_free(MEM_FEATURE, holder, sizeof *holder);
    }
    return count + 1;
}

static void work(struct leases *leases) {
    bool all_due = true;
    size_t done = 0;
    while (done < SLICE && leases->orphans != NULL) {
        done += take_orphans(leases, SLICE - done);
    }
    if (done < SLICE) {
        done += take_due(leases, SLICE - done, &all_due);
    }
    while (done < SLICE && leases->dying != NULL) {
        done += free_dying(leases, SLICE - done);
    }
    leases->watcher.has_work = leases->orphans != NULL || leases->dying != NULL || !all_due;
}

static void pass_ends(void *context) {
    struct leases *leases = context;
    if (LIKELY(leases->times.size == 0 && !leases->watcher.has_work)) {
        return;
    }
    int64_t now_ms = leases->context->clock->now_ms;
    if (leases->watcher.has_work || due_earliest(&leases->times) <= now_ms) {
        work(leases);
    }
    if (leases->times.size > 0 && leases->wake_ms == INT64_MAX) {
        int64_t next_ms = due_earliest(&leases->times);
        wake_at(leases, next_ms > now_ms ? next_ms : now_ms + 1);
    }
}

/* ---- life ---- */

const struct lease_options *leases_options(const struct leases *leases) {
    return &leases->options;
}

struct lease_metrics *leases_metrics(struct leases *leases) {
    return &leases->metrics;
}

size_t leases_count(const struct leases *leases) {
    return leases->count;
}

static int64_t metric_held(void *module) {
    return (int64_t)((const struct leases *)module)->held;
}

static int64_t metric_parked(void *module) {
    const struct leases *leases = module;
    return (int64_t)clients_parked(leases->context->clients);
}

static const struct metric metric_rows[] = {
    {.name = "lease_held",
     .section = METRIC_LEASES,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_held,
     .description = "Leases that are held."},
    {.name = "lease_parked",
     .section = METRIC_LEASES,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_parked,
     .description = "Clients that wait for a value or a lease."},
#define ROW(...) METRIC_ROW(struct lease_metrics, __VA_ARGS__)
    LEASE_METRICS(ROW)
#undef ROW
};

struct leases *leases_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct lease_options, __VA_ARGS__)
        LEASE_OPTIONS(ROW)
#undef ROW
    };
    struct leases *leases = mem_zalloc(MEM_FEATURE, sizeof *leases);
    leases->context = context;
    leases->last_token = hash_seed() ^ (uint64_t)clock_mono_ns();
    leases->wake = (struct loop_timer){.on_time = on_wake, .position = -1};
    leases->wake_ms = INT64_MAX;
    due_init(&leases->times, due_word, context->clock->now_ms);
    leases->listener = (struct store_listener){
        .context = leases, .written = on_written, .flushing = on_flushing, .swapping = on_swapping};
    leases->watcher =
        (struct client_watcher){.context = leases, .leaves = client_leaves, .pass_ends = pass_ends};
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &leases->options, leases);
    metrics_register(context->metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &leases->metrics, leases, NULL);
    clients_watch(context->clients, &leases->watcher);
    return leases;
}

static void free_all(struct dict *keys) {
    struct entry *entries[64];
    size_t count;
    while ((count = dict_drain(keys, entries, sizeof entries / sizeof entries[0])) > 0) {
        for (size_t i = 0; i < count; i++) {
            free_lease(entry_pointer(entries[i]));
        }
    }
    dict_clear(keys);
}

void leases_free(struct leases *leases) {
    int count = leases->tables == NULL ? 0 : leases->context->keyspace->database_count;
    if (leases->count > 0) {
        keyspace_unlisten(leases->context->keyspace, &leases->listener);
    }
    for (int i = 0; i < count; i++) {
        free_all(&leases->tables[i].keys);
    }
    while (leases->dying != NULL) {
        struct dying *dying = leases->dying;
        leases->dying = dying->next;
        free_all(&dying->keys);
        mem_free(MEM_FEATURE, dying, sizeof *dying);
    }
    while (leases->orphans != NULL) {
        struct holder *holder = leases->orphans;
        leases->orphans = holder->next;
        mem_free(MEM_FEATURE, holder, sizeof *holder);
    }
    if (leases->tables != NULL) {
        mem_free(MEM_FEATURE, leases->tables, (size_t)count * sizeof *leases->tables);
    }
    if (leases->wake_ms != INT64_MAX) {
        loop_timer_remove(leases->context->loop, &leases->wake);
    }
    due_clear(&leases->times);
    mem_free(MEM_FEATURE, leases, sizeof *leases);
}

/* ---- validation ---- */

struct census {
    const struct leases *leases;
    int database;
    size_t held;
    size_t holders; /* held leases that have a holder */
};

static void validate_lease(void *context, struct entry *entry) {
    struct census *census = context;
    const struct lease *lease = entry_pointer(entry);
    check(lease->entry == entry && lease->leases == census->leases);
    check(lease->database == census->database && !is_dying(lease) && lease->due != 0);
    check(lease->holder == NULL || lease->state == HELD);
    check(lease->ms > 0 && lease->ms <= LEASE_MS_MAX);
    census->held += lease->state == HELD;
    census->holders += lease->holder != NULL;
}

void leases_validate(const struct leases *leases) {
    struct census census = {.leases = leases};
    size_t count = 0;
    int databases = leases->tables == NULL ? 0 : leases->context->keyspace->database_count;
    for (int i = 0; i < databases; i++) {
        const struct dict *keys = &leases->tables[i].keys;
        census.database = i;
        dict_validate(keys);
        count += dict_size(keys);
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(keys, cursor, validate_lease, &census);
        } while (cursor != 0);
    }
    due_validate(&leases->times);
    check(count == leases->count && (leases->dying != NULL || census.held == leases->held));
    size_t held_by = 0;
    for (const struct client *c = clients_first(leases->context->clients); c != NULL; c = c->next) {
        const struct holder *holder = c->leases;
        check(holder == NULL || (holder->client == c && holder->first != NULL));
        const struct lease *previous = NULL;
        for (const struct lease *l = holder == NULL ? NULL : holder->first; l != NULL;
             l = l->next) {
            check(l->holder == holder && l->previous == previous);
            held_by += !is_dying(l);
            previous = l;
        }
    }
    check(held_by == census.holders || leases->orphans != NULL);
    bool listens = false;
    const struct store_listener *l = leases->context->keyspace->hooks.listeners;
    for (; l != NULL; l = l->next) {
        listens = listens || l == &leases->listener;
    }
    check(listens == (leases->count > 0));
}
