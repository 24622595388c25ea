/* database: the keyspace's life, and what concerns whole databases: flushing, swapping, walking,
 * random keys, figures. Single keys are in keyspace.c. */
#include "store/keyspace_int.h"

#include <string.h>

#include "ds/extras.h"
#include "store/access.h"
#include "store/adapt.h"
#include "store/lazyfree.h"
#include "types/value.h"

/* Expired keys that a search for a random key removes before it gives up: some milliseconds. That
 * many can only pile up while background expiry is switched off. */
#define RANDOM_TRIES_MAX 10000
/* Bytes from which a flushed database is freed in the background, however few its keys are. */
#define FLUSH_LAZILY_MIN ((size_t)64 * 1024)
/* Keys with a deadline that the average time to live is reckoned from. */
#define TTL_SAMPLES 16

/* Declarations of options and metrics. */

static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct keyspace_options, __VA_ARGS__)
    KEYSPACE_OPTIONS(ROW)
#undef ROW
};

static int64_t metric_lazyfreed(void *module) {
    const struct keyspace *keyspace = module;
    return (int64_t)lazyfree_freed(keyspace->lazyfree);
}

static int64_t metric_lazyfree_pending(void *module) {
    const struct keyspace *keyspace = module;
    return (int64_t)lazyfree_pending(keyspace->lazyfree);
}

static void reset_metrics(void *module) {
    struct keyspace *keyspace = module;
    lazyfree_reset_freed(keyspace->lazyfree);
}

static int64_t average_ttl(struct keyspace *keyspace, const struct database *database) {
    void *items[TTL_SAMPLES];
    size_t count = due_sample(&database->deadlines, &keyspace->random, items, TTL_SAMPLES);
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t ttl_ms = entry_deadline(items[i]) - keyspace->clock->now_ms;
        /* Divided first: the sum of a few far deadlines would still fit, but without a proof. */
        sum += ttl_ms > 0 ? ttl_ms / (int64_t)count : 0;
    }
    return sum;
}

static void metric_databases(void *module, struct buffer *out) {
    struct keyspace *keyspace = module;
    for (int i = 0; i < keyspace->database_count; i++) {
        const struct database *database = &keyspace->databases[i];
        if (dict_size(&database->keys) > 0) {
            buffer_printf(out, "db%d:keys=%zu,expires=%zu,avg_ttl=%lld\r\n", i,
                          dict_size(&database->keys), database->deadlines.size,
                          (long long)average_ttl(keyspace, database));
        }
    }
}

static const struct metric metric_rows[] = {
#define ROW(...) METRIC_ROW(struct keyspace_metrics, __VA_ARGS__)
    KEYSPACE_METRICS(ROW)
#undef ROW
        {.name = "lazyfreed_objects",
         .section = METRIC_MEMORY,
         .kind = METRIC_KIND_NUMBER,
         .number = metric_lazyfreed,
         .description = "Values freed by the background thread."},
    {.name = "lazyfree_pending_objects",
     .section = METRIC_MEMORY,
     .kind = METRIC_KIND_NUMBER,
     .number = metric_lazyfree_pending,
     .description = "Values handed to the background thread and not freed yet."},
    {.name = "databases",
     .section = METRIC_KEYSPACE,
     .kind = METRIC_KIND_LINES,
     .text = metric_databases,
     .description = "Keys, keys with a deadline and their average time to live, by database."},
};

/* Life. */

void keyspace_init(struct keyspace *keyspace, const struct clock *clock, struct options *options,
                   struct metrics *metrics) {
    memset(keyspace, 0, sizeof *keyspace);
    keyspace->clock = clock;
    keyspace->seed = hash_seed();
    random_init(&keyspace->random, hash_mix(keyspace->seed));
    options_register(options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &keyspace->options, keyspace);
    hash_register_options(options, &keyspace->hash_options);
    zset_register_options(options, &keyspace->zset_options);
    hll_register_options(options, &keyspace->hll_options);
    stream_register_options(options, &keyspace->stream_options);
    list_register_options(options, &keyspace->list_options);
    set_register_options(options, &keyspace->set_options);
    metrics_register(metrics, metric_rows, sizeof metric_rows / sizeof metric_rows[0],
                     &keyspace->metrics, keyspace, reset_metrics);
}

static uint64_t *deadline_word(void *item) {
    return entry_deadline_word(item);
}

static uint64_t *fields_word(void *item) {
    return hash_due_word(item);
}

void keyspace_database_init(const struct keyspace *keyspace, struct database *database) {
    dict_init(&database->keys, MEM_TABLE, false);
    check(database->keys.seed == keyspace->seed);
    due_init(&database->deadlines, deadline_word, keyspace->clock->now_ms);
    due_init(&database->field_deadlines, fields_word, keyspace->clock->now_ms);
    database->graced = 0;
}

void keyspace_start(struct keyspace *keyspace) {
    keyspace->database_count = (int)keyspace->options.databases;
    keyspace->databases =
        mem_zalloc(MEM_OTHER, (size_t)keyspace->database_count * sizeof *keyspace->databases);
    for (int i = 0; i < keyspace->database_count; i++) {
        keyspace->databases[i].id = i;
        keyspace_database_init(keyspace, &keyspace->databases[i]);
    }
    keyspace->lazyfree = lazyfree_new();
    estimate_init(&keyspace->estimate);
    keyspace_pass(keyspace);
}

void keyspace_free(struct keyspace *keyspace) {
    keyspace->hooks = (struct store_hooks){0};
    if (keyspace->databases != NULL) {
        keyspace_flush(keyspace, -1, false);
        mem_free(MEM_OTHER, keyspace->databases,
                 (size_t)keyspace->database_count * sizeof *keyspace->databases);
        keyspace->databases = NULL;
    }
    lazyfree_free(keyspace->lazyfree);
    keyspace->lazyfree = NULL;
    estimate_free(&keyspace->estimate);
    adapt_free(keyspace->adapt);
    keyspace->adapt = NULL;
}

void keyspace_set_access_rule(struct keyspace *keyspace, int rule, int64_t counter_log_factor,
                              int64_t counter_decay_minutes) {
    keyspace->access_rule = (uint8_t)rule;
    keyspace->access_counts = rule != ACCESS_RECENCY;
    keyspace->counter_log_factor = counter_log_factor;
    keyspace->counter_decay_minutes = counter_decay_minutes;
    if (rule != ACCESS_WORTH) {
        adapt_free(keyspace->adapt);
        keyspace->adapt = NULL;
    } else if (keyspace->adapt == NULL) {
        keyspace->adapt = adapt_new(keyspace);
    }
    keyspace_pass(keyspace);
}

void keyspace_pass(struct keyspace *keyspace) {
    int64_t now_ms = keyspace->clock->now_ms;
    if (keyspace->access_rule == ACCESS_FREQUENCY) {
        keyspace->access_now = UINT32_MAX;
        keyspace->access_new = access_counted(access_minute(now_ms), ACCESS_COUNTER_NEW);
    } else if (keyspace->access_rule == ACCESS_WORTH) {
        keyspace->access_now = UINT32_MAX;
        keyspace->access_new = adapt_now(keyspace->adapt);
    } else {
        keyspace->access_now = access_tick(now_ms);
        keyspace->access_new = keyspace->access_now;
    }
}

/* Whole databases. */

/* A database's share of what is stored in all, by its keys: all of it when it is the only one. */
static size_t estimate_bytes(const struct keyspace *keyspace, size_t count) {
    int64_t stored = mem_stored_here() - (int64_t)lazyfree_pending_bytes(keyspace->lazyfree);
    size_t all = keyspace_size(keyspace);
    return stored <= 0 || all == 0 ? 0 : (size_t)((double)stored * (double)count / (double)all);
}

static size_t flush_one(struct keyspace *keyspace, struct database *database, bool lazy) {
    size_t count = dict_size(&database->keys);
    size_t bytes = estimate_bytes(keyspace, count);
    const struct store_hooks *hooks = &keyspace->hooks;
    if (UNLIKELY(hooks->database_left != NULL) &&
        hooks->database_left(hooks->database_context, database, bytes)) {
        keyspace_database_init(keyspace, database);
        return count;
    }
    bool is_large = count >= VALUE_FREE_LAZILY_MIN || bytes >= FLUSH_LAZILY_MIN;
    lazyfree_database(lazy && is_large ? keyspace->lazyfree : NULL, database->keys,
                      database->deadlines, database->field_deadlines, bytes);
    keyspace_database_init(keyspace, database);
    return count;
}

void keyspace_listen(struct keyspace *keyspace, struct store_listener *listener) {
    listener->next = keyspace->hooks.listeners;
    keyspace->hooks.listeners = listener;
}

void keyspace_unlisten(struct keyspace *keyspace, struct store_listener *listener) {
    struct store_listener **link = &keyspace->hooks.listeners;
    while (*link != listener) {
        check(*link != NULL);
        link = &(*link)->next;
    }
    *link = listener->next;
}

size_t keyspace_flush(struct keyspace *keyspace, int id, bool lazy) {
    size_t count = 0;
    for (struct store_listener *l = keyspace->hooks.listeners; l != NULL; l = l->next) {
        if (l->flushing != NULL) {
            l->flushing(l->context, id);
        }
    }
    estimate_emptied(keyspace, id);
    if (id >= 0) {
        count = flush_one(keyspace, &keyspace->databases[id], lazy);
    } else {
        for (int i = 0; i < keyspace->database_count; i++) {
            count += flush_one(keyspace, &keyspace->databases[i], lazy);
        }
    }
    keyspace->changes += count;
    return count;
}

void keyspace_swap(struct keyspace *keyspace, int a, int b) {
    if (a == b) {
        return;
    }
    for (struct store_listener *l = keyspace->hooks.listeners; l != NULL; l = l->next) {
        if (l->swapping != NULL) {
            l->swapping(l->context, a, b);
        }
    }
    estimate_emptied(keyspace, a);
    estimate_emptied(keyspace, b);
    struct database swapped = keyspace->databases[a];
    keyspace->databases[a] = keyspace->databases[b];
    keyspace->databases[b] = swapped;
    keyspace->databases[a].id = a;
    keyspace->databases[b].id = b;
    keyspace->changes++;
    if (keyspace->hooks.swapped != NULL) {
        keyspace->hooks.swapped(keyspace->hooks.awaits, a, b);
    }
}

struct live_visit {
    dict_visit_fn visit;
    void *context;
    int64_t now_ms;
};

static void visit_live(void *context, struct entry *entry) {
    const struct live_visit *live = context;
    if (!entry_is_due(entry, live->now_ms)) {
        live->visit(live->context, entry);
    }
}

uint64_t keyspace_scan(struct keyspace *keyspace, struct database *database, uint64_t cursor,
                       dict_visit_fn visit, void *context) {
    struct live_visit live = {
        .visit = visit, .context = context, .now_ms = keyspace->clock->now_ms};
    return dict_scan(&database->keys, cursor, visit_live, &live);
}

struct entry *keyspace_random(struct keyspace *keyspace, struct database *database) {
    for (int tries = 0; tries < RANDOM_TRIES_MAX; tries++) {
        struct entry *entry = dict_random(&database->keys, &keyspace->random);
        if (entry == NULL || !entry_is_due(entry, keyspace->clock->now_ms)) {
            return entry;
        }
        if (keyspace->keeps_expired || entry_end(entry) > keyspace->clock->now_ms) {
            continue; /* or stale: it stays */
        }
        struct key key = keyspace_key(keyspace, database, entry_key(entry));
        due_remove(&database->deadlines, entry);
        keyspace_expired(keyspace, &key, entry);
    }
    return NULL;
}

size_t keyspace_size(const struct keyspace *keyspace) {
    size_t size = 0;
    for (int i = 0; i < keyspace->database_count; i++) {
        size += dict_size(&keyspace->databases[i].keys);
    }
    return size;
}

size_t keyspace_volatile_size(const struct keyspace *keyspace) {
    size_t size = 0;
    for (int i = 0; i < keyspace->database_count; i++) {
        size += keyspace->databases[i].deadlines.size;
    }
    return size;
}

/* Validation. */

struct census {
    size_t keys;
    size_t deadlines;
    size_t field_deadlines;
    size_t graced;
};

static void find_earliest(void *context, const struct hash_field *field) {
    int64_t *earliest_ms = context;
    if (field->deadline_ms != ENTRY_NO_DEADLINE && field->deadline_ms < *earliest_ms) {
        *earliest_ms = field->deadline_ms;
    }
}

static void validate_entry(void *context, struct entry *entry) {
    struct census *census = context;
    census->keys++;
    if (entry->flags & ENTRY_HAS_DEADLINE) {
        check(*entry_deadline_word(entry) != 0);
        census->deadlines++;
    }
    if (keyspace_fields_filed(entry)) {
        check(hash_has_deadlines(entry));
        int64_t earliest_ms = INT64_MAX;
        hash_visit(entry, 0, find_earliest, &earliest_ms);
        check(due_word_deadline(*hash_due_word(entry)) <= earliest_ms);
        census->field_deadlines++;
    } else if (entry_type(entry) == ENTRY_HASH) {
        check(!hash_has_deadlines(entry));
    }
    extras_validate(entry_extras(entry));
    census->graced += entry_grace_ms(entry) > 0;
    value_validate(entry);
}

void keyspace_validate(struct keyspace *keyspace) {
    for (int i = 0; i < keyspace->database_count; i++) {
        struct database *database = &keyspace->databases[i];
        check(database->id == i);
        dict_validate(&database->keys);
        due_validate(&database->deadlines);
        due_validate(&database->field_deadlines);
        struct census census = {0};
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(&database->keys, cursor, validate_entry, &census);
        } while (cursor != 0);
        check(census.keys == dict_size(&database->keys));
        check(census.deadlines == database->deadlines.size);
        check(census.field_deadlines == database->field_deadlines.size);
        check(census.graced == database->graced);
    }
}
