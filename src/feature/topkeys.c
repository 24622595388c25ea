/* topkeys: an array of counters and two short lists.
 *
 *     hashes    | h | h | h | ...       8 bytes each
 *     counts    | c | c | c | ...       at the same places
 *     counters  | error, name | ...     likewise
 *     sizes     | last round's | this round's |   unsorted; the smallest one of a full list goes
 *
 * A key is known by its hash and database: of two whose hashes are the same one is taken for the
 * other, once in 2^50 pairs.
 *
 * Invariants:
 * 1. a counter's error is at most its count; places from `counter_count` on are not in use;
 * 2. no two counters, and no two of a list, are of the same key.
 *
 * Costs: a sample walks hashes and counts, less than a microsecond; there are TOPKEYS_SAMPLES of
 * them a second at most on average, however many requests there are. */
#include "feature/topkeys.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/sample.h"
#include "store/keyspace.h"
#include "types/value.h"

/* Of less than a microsecond each, 0.05 % of a second at most. */
#define TOPKEYS_SAMPLES 500
/* Ticks (tenths of a second) between two fadings, and what is left then: half in 31 seconds. */
#define FADE_TICKS 100
#define FADE       0.8
/* Portions of the walk a tick, unless the time is over before. */
#define WALK_STEPS 256
#define WALK_US    100
#define WALK_LOOK  8
/* Elements of a collection that are looked at to tell its size. */
#define SIZE_SAMPLES 5

struct counter {
    double error;
    int database;
    size_t name_size;
    char name[TOPKEYS_NAME];
};

struct large {
    uint64_t hash;
    size_t bytes;
    int database;
    size_t name_size;
    char name[TOPKEYS_NAME];
};

struct larges {
    size_t count;
    struct large keys[TOPKEYS_SIZES];
};

struct topkeys {
    struct context *context;
    uint64_t hashes[TOPKEYS_COUNTERS];
    double counts[TOPKEYS_COUNTERS];
    struct counter counters[TOPKEYS_COUNTERS];
    size_t counter_count;
    uint64_t ticks;
    double seconds;    /* that the counts stand for, faded as they are */
    uint64_t commands; /* executed when we last looked */
    int database;      /* where the walk is */
    uint64_t cursor;
    struct larges last;
    struct larges present;
};

/* ---- by use ---- */

static uint64_t identity(uint64_t hash, int database) {
    return hash + (uint64_t)database * UINT64_C(0x9E3779B97F4A7C15);
}

static void set_name(char out[TOPKEYS_NAME], struct bytes name) {
    memcpy(out, name.at, name.size < TOPKEYS_NAME ? name.size : TOPKEYS_NAME);
}

static size_t smallest(const struct topkeys *topkeys) {
    size_t least = 0;
    for (size_t i = 1; i < topkeys->counter_count; i++) {
        if (topkeys->counts[i] < topkeys->counts[least]) {
            least = i;
        }
    }
    return least;
}

/* The place of a key that has no counter. */
static size_t take_over(struct topkeys *topkeys, uint64_t hash, int database, struct bytes name) {
    size_t place = topkeys->counter_count;
    double inherited = 0;
    if (place < TOPKEYS_COUNTERS) {
        topkeys->counter_count++;
    } else {
        place = smallest(topkeys);
        inherited = topkeys->counts[place];
    }
    struct counter *counter = &topkeys->counters[place];
    topkeys->hashes[place] = hash;
    topkeys->counts[place] = inherited;
    counter->error = inherited;
    counter->database = database;
    counter->name_size = name.size;
    set_name(counter->name, name);
    return place;
}

static struct sample *sample_of(const struct topkeys *topkeys) {
    return clients_sample(topkeys->context->clients);
}

static void seen(void *context, struct database *database, struct bytes name) {
    struct topkeys *topkeys = context;
    uint64_t hash = identity(keyspace_hash(topkeys->context->keyspace, name), database->id);
    size_t place = 0;
    while (place < topkeys->counter_count && topkeys->hashes[place] != hash) {
        place++;
    }
    if (place == topkeys->counter_count) {
        place = take_over(topkeys, hash, database->id, name);
    }
    topkeys->counts[place] += (double)sample_of(topkeys)->every;
}

static void fade(struct topkeys *topkeys) {
    for (size_t i = 0; i < topkeys->counter_count; i++) {
        topkeys->counts[i] *= FADE;
        topkeys->counters[i].error *= FADE;
    }
    topkeys->seconds *= FADE;
}

/* So many requests are passed over that about as many samples are taken as shall be. */
static void follow_rate(struct topkeys *topkeys) {
    uint64_t commands = clients_metrics(topkeys->context->clients)->total_commands_processed;
    uint64_t grown = commands > topkeys->commands ? commands - topkeys->commands : 0;
    uint64_t every = grown * 10 / TOPKEYS_SAMPLES;
    topkeys->commands = commands;
    sample_of(topkeys)->every = every > 0 ? every : 1;
}

static int by_value(const void *a, const void *b) {
    double x = ((const struct topkey *)a)->value;
    double y = ((const struct topkey *)b)->value;
    return (x < y) - (x > y);
}

size_t topkeys_used(const struct topkeys *topkeys, struct topkey *out, size_t max) {
    struct topkey keys[TOPKEYS_COUNTERS];
    size_t count = 0;
    double seconds = topkeys->seconds > 0 ? topkeys->seconds : 1;
    for (size_t i = 0; i < topkeys->counter_count; i++) {
        const struct counter *counter = &topkeys->counters[i];
        if (topkeys->counts[i] > counter->error) {
            keys[count] = (struct topkey){.database = counter->database,
                                          .name_size = counter->name_size,
                                          .value = (topkeys->counts[i] - counter->error) / seconds,
                                          .type = ""};
            memcpy(keys[count++].name, counter->name, TOPKEYS_NAME);
        }
    }
    if (count == 0) {
        return 0;
    }
    qsort(keys, count, sizeof keys[0], by_value);
    count = count < max ? count : max;
    memcpy(out, keys, count * sizeof keys[0]);
    return count;
}

/* ---- by size ---- */

static struct large *least_of(struct larges *larges) {
    struct large *least = &larges->keys[0];
    for (size_t i = 1; i < larges->count; i++) {
        least = larges->keys[i].bytes < least->bytes ? &larges->keys[i] : least;
    }
    return least;
}

/* The list's place for the key; NULL when it is full of larger ones. */
static struct large *place_for(struct larges *larges, uint64_t hash, size_t bytes) {
    for (size_t i = 0; i < larges->count; i++) {
        if (larges->keys[i].hash == hash) {
            return &larges->keys[i];
        }
    }
    if (larges->count < TOPKEYS_SIZES) {
        return &larges->keys[larges->count++];
    }
    struct large *least = least_of(larges);
    return bytes > least->bytes ? least : NULL;
}

static size_t bytes_of_entry(const struct entry *entry) {
    return value_footprint(entry, SIZE_SAMPLES);
}

static void walk_visit(void *context, struct entry *entry) {
    struct topkeys *topkeys = context;
    struct larges *larges = &topkeys->present;
    /* Most keys are small, and need no second look. */
    if (larges->count == TOPKEYS_SIZES && !(entry->flags & ENTRY_HAS_LINK) &&
        entry_footprint(entry) <= least_of(larges)->bytes) {
        return;
    }
    struct bytes name = entry_key(entry);
    size_t bytes = bytes_of_entry(entry);
    uint64_t hash = identity(keyspace_hash(topkeys->context->keyspace, name), topkeys->database);
    struct large *large = place_for(larges, hash, bytes);
    if (large != NULL) {
        *large = (struct large){
            .hash = hash, .bytes = bytes, .database = topkeys->database, .name_size = name.size};
        set_name(large->name, name);
    }
}

static void walk(struct topkeys *topkeys) {
    struct keyspace *keyspace = topkeys->context->keyspace;
    int64_t end_us = clock_mono_us() + WALK_US;
    for (int step = 1; step <= WALK_STEPS; step++) {
        struct database *database = &keyspace->databases[topkeys->database];
        topkeys->cursor = keyspace_scan(keyspace, database, topkeys->cursor, walk_visit, topkeys);
        if (topkeys->cursor == 0 && ++topkeys->database == keyspace->database_count) {
            topkeys->database = 0;
            topkeys->last = topkeys->present;
            topkeys->present.count = 0;
            return; /* a round a tick is enough */
        }
        if (step % WALK_LOOK == 0 && clock_mono_us() >= end_us) {
            return;
        }
    }
}

/* What is there of it now. A name that was cut cannot be looked up: what was seen stands. False
 * when the key is gone. */
static bool show(struct topkeys *topkeys, const struct large *large, struct topkey *out) {
    struct keyspace *keyspace = topkeys->context->keyspace;
    *out = (struct topkey){.database = large->database,
                           .name_size = large->name_size,
                           .value = (double)large->bytes,
                           .type = ""};
    memcpy(out->name, large->name, sizeof out->name);
    if (large->name_size > TOPKEYS_NAME) {
        return true;
    }
    struct key key = keyspace_key(keyspace, &keyspace->databases[large->database],
                                  bytes_of(large->name, large->name_size));
    const struct entry *entry =
        keyspace_is_due(keyspace, &key) ? NULL : keyspace_peek(keyspace, &key);
    if (entry == NULL) {
        return false;
    }
    out->value = (double)bytes_of_entry(entry);
    out->type = value_type_name(entry_type(entry));
    return true;
}

static bool has(const struct larges *larges, uint64_t hash) {
    for (size_t i = 0; i < larges->count; i++) {
        if (larges->keys[i].hash == hash) {
            return true;
        }
    }
    return false;
}

size_t topkeys_largest(struct topkeys *topkeys, struct topkey *out, size_t max) {
    struct topkey keys[2 * TOPKEYS_SIZES];
    size_t count = 0;
    for (size_t i = 0; i < topkeys->present.count; i++) {
        count += show(topkeys, &topkeys->present.keys[i], &keys[count]);
    }
    for (size_t i = 0; i < topkeys->last.count; i++) {
        if (!has(&topkeys->present, topkeys->last.keys[i].hash)) {
            count += show(topkeys, &topkeys->last.keys[i], &keys[count]);
        }
    }
    qsort(keys, count, sizeof keys[0], by_value);
    count = count < max ? count : max;
    memcpy(out, keys, count * sizeof keys[0]);
    return count;
}

/* ---- life ---- */

void topkeys_cron(struct topkeys *topkeys) {
    topkeys->ticks++;
    topkeys->seconds += 0.1;
    if (topkeys->ticks % FADE_TICKS == 0) {
        fade(topkeys);
    }
    follow_rate(topkeys);
    walk(topkeys);
}

struct topkeys *topkeys_new(struct context *context) {
    struct topkeys *topkeys = mem_zalloc(MEM_FEATURE, sizeof *topkeys);
    topkeys->context = context;
    struct sample *sample = sample_of(topkeys);
    sample->show = seen;
    sample->context = topkeys;
    sample->until = 0;
    return topkeys;
}

void topkeys_free(struct topkeys *topkeys) {
    mem_free(MEM_FEATURE, topkeys, sizeof *topkeys);
}
