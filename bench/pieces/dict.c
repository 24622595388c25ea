/* dict: a table of a million entries with keys of 16 bytes, looked into in random order, so that
 * each look-up waits for memory unless it was asked for early. All operations include hashing the
 * key. */
#include "ds/dict.h"

#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "pieces/piece.h"

#define COUNT    1000000
#define KEY_SIZE 16
/* The distances of client/batch.c, where they are explained. */
#define BEHIND_ENTRY    12
#define BEHIND_OVERFLOW 18
#define BEHIND_FIND     24
/* Hashes under way: a power of two above the largest distance. */
#define RING 32

struct table {
    struct dict dict;
    uint64_t seed;
    char *keys; /* KEY_SIZE each, in the order in which they are looked up */
    struct entry **entries;
};

static char *key_at(const struct table *table, size_t i) {
    return table->keys + i * KEY_SIZE;
}

static uint64_t hash_at(const struct table *table, size_t i) {
    return hash_bytes(table->seed, key_at(table, i), KEY_SIZE);
}

static void write_key(struct table *table, size_t i, const char *prefix, size_t number) {
    char text[KEY_SIZE + 1];
    snprintf(text, sizeof text, "%.4s%012zu", prefix, number % 1000000000000);
    memcpy(key_at(table, i), text, KEY_SIZE);
}

/* Entries with a value of 64 bytes, none in the dict yet. */
static void *prepare_entries(size_t count) {
    struct table *table = mem_zalloc(MEM_OTHER, sizeof *table);
    dict_init(&table->dict, MEM_TABLE, false);
    table->seed = hash_seed();
    table->keys = mem_alloc(MEM_OTHER, count * KEY_SIZE);
    table->entries = mem_alloc(MEM_OTHER, count * sizeof *table->entries);
    const char value[64] = {0};
    struct entry_shape shape = {.encoding = ENTRY_INLINE, .value = bytes_of(value, sizeof value)};
    for (size_t i = 0; i < count; i++) {
        write_key(table, i, "key:", i);
        table->entries[i] = entry_try_new(bytes_of(key_at(table, i), KEY_SIZE), &shape);
        check(table->entries[i] != NULL);
    }
    return table;
}

static void run_insert(void *state, size_t count) {
    struct table *table = state;
    for (size_t i = 0; i < count; i++) {
        dict_insert(&table->dict, hash_at(table, i), table->entries[i]);
    }
}

static void shuffle_keys(struct table *table, size_t count) {
    struct random random;
    random_init(&random, 1);
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = (size_t)random_below(&random, i + 1);
        char key[KEY_SIZE];
        memcpy(key, key_at(table, i), KEY_SIZE);
        memcpy(key_at(table, i), key_at(table, other), KEY_SIZE);
        memcpy(key_at(table, other), key, KEY_SIZE);
    }
}

static void *prepare_full(size_t count) {
    struct table *table = prepare_entries(count);
    run_insert(table, count);
    shuffle_keys(table, count);
    return table;
}

/* The keys are others than those in the dict. */
static void *prepare_missing(size_t count) {
    struct table *table = prepare_full(count);
    for (size_t i = 0; i < count; i++) {
        write_key(table, i, "nil:", i);
    }
    return table;
}

static void run_find(void *state, size_t count) {
    struct table *table = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t *slot = dict_find(&table->dict, hash_at(table, i), key_at(table, i), KEY_SIZE);
        piece_keep((uintptr_t)slot);
    }
}

static void run_find_planned(void *state, size_t count) {
    struct table *table = state;
    struct dict *dict = &table->dict;
    uint64_t hashes[RING];
    bool overflows[RING];
    for (size_t i = 0; i < count + BEHIND_FIND; i++) {
        if (i < count) {
            hashes[i % RING] = hash_at(table, i);
            dict_prefetch_bucket(dict, hashes[i % RING]);
        }
        size_t entry = i - BEHIND_ENTRY;
        if (i >= BEHIND_ENTRY && entry < count) {
            overflows[entry % RING] = dict_prefetch_entry(dict, hashes[entry % RING]);
        }
        size_t overflow = i - BEHIND_OVERFLOW;
        if (i >= BEHIND_OVERFLOW && overflow < count && overflows[overflow % RING]) {
            dict_prefetch_overflow(dict, hashes[overflow % RING]);
        }
        if (i >= BEHIND_FIND) {
            size_t find = i - BEHIND_FIND;
            piece_keep(
                (uintptr_t)dict_find(dict, hashes[find % RING], key_at(table, find), KEY_SIZE));
        }
    }
}

static void run_remove(void *state, size_t count) {
    struct table *table = state;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = hash_at(table, i);
        uint64_t *slot = dict_find(&table->dict, hash, key_at(table, i), KEY_SIZE);
        piece_keep((uintptr_t)dict_remove(&table->dict, hash, slot));
    }
}

static void visit(void *context, struct entry *entry) {
    size_t *visited = context;
    *visited += 1;
    piece_keep((uintptr_t)entry);
}

static void run_scan(void *state, size_t count) {
    struct table *table = state;
    size_t visited = 0;
    uint64_t cursor = 0;
    do {
        cursor = dict_scan(&table->dict, cursor, visit, &visited);
    } while (cursor != 0);
    check(visited == count);
}

static void finish(void *state, size_t count) {
    struct table *table = state;
    for (size_t i = 0; i < count; i++) {
        entry_free(table->entries[i]);
    }
    dict_clear(&table->dict);
    mem_free(MEM_OTHER, table->entries, count * sizeof *table->entries);
    mem_free(MEM_OTHER, table->keys, count * KEY_SIZE);
    mem_free(MEM_OTHER, table, sizeof *table);
}

static const struct piece rows[] = {
    {.name = "dict_insert",
     .about = "insert while growing to a million",
     .count = COUNT,
     .spent = true,
     .prepare = prepare_entries,
     .run = run_insert,
     .finish = finish},
    {.name = "dict_find",
     .about = "find, in random order",
     .count = COUNT,
     .prepare = prepare_full,
     .run = run_find,
     .finish = finish},
    {.name = "dict_find_planned",
     .about = "find, asked for ahead as a batch does",
     .count = COUNT,
     .prepare = prepare_full,
     .run = run_find_planned,
     .finish = finish},
    {.name = "dict_miss",
     .about = "look for what is not there",
     .count = COUNT,
     .prepare = prepare_missing,
     .run = run_find,
     .finish = finish},
    {.name = "dict_remove",
     .about = "find and remove, in random order, to the last",
     .count = COUNT,
     .spent = true,
     .prepare = prepare_full,
     .run = run_remove,
     .finish = finish},
    {.name = "dict_scan",
     .about = "visit one entry of a walk through all",
     .count = COUNT,
     .prepare = prepare_full,
     .run = run_scan,
     .finish = finish},
};

const struct piece_table *pieces_dict(void) {
    static const struct piece_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
