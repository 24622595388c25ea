/* packmap: finding among the records of a compact map, whose lines are in the cache. */
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "ds/packmap.h"
#include "pieces/piece.h"

#define COUNT    2000000
#define KEY_SIZE 16 /* with the NUL that snprintf writes, which is part of the key */

/* So many pairs of a key of 16 bytes and a value of 32. */
static struct packmap *make_map(size_t records) {
    struct packmap *map = packmap_new(2);
    for (size_t i = 0; i < records; i++) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "field:%09zu", i);
        struct packmap_item items[2] = {
            packmap_of_text(bytes_of(key, KEY_SIZE)),
            packmap_of_text(bytes_text("thirty-two bytes of some value..")),
        };
        map = packmap_append(map, items);
    }
    return map;
}

static void *prepare_12(size_t count) {
    (void)count;
    return make_map(12);
}

static void *prepare_128(size_t count) {
    (void)count;
    return make_map(128);
}

static void *prepare_512(size_t count) {
    (void)count;
    return make_map(512);
}

static void run_find(void *state, size_t count) {
    const struct packmap *map = state;
    size_t records = packmap_count(map);
    char keys[512][KEY_SIZE];
    check(records <= 512);
    for (size_t i = 0; i < records; i++) {
        snprintf(keys[i], KEY_SIZE, "field:%09zu", i);
    }
    size_t which = 0;
    for (size_t i = 0; i < count; i++) {
        packmap_at at = packmap_find(map, bytes_of(keys[which], KEY_SIZE));
        check(at != 0);
        which += 7;
        which = which >= records ? which % records : which;
    }
}

static void finish_map(void *state, size_t count) {
    (void)count;
    packmap_free(state);
}

static const struct piece rows[] = {
    {.name = "packmap_find_12",
     .about = "find one of 12 records, which are walked",
     .count = COUNT,
     .prepare = prepare_12,
     .run = run_find,
     .finish = finish_map},
    {.name = "packmap_find_128",
     .about = "find one of 128 records",
     .count = COUNT,
     .prepare = prepare_128,
     .run = run_find,
     .finish = finish_map},
    {.name = "packmap_find_512",
     .about = "find one of 512 records",
     .count = COUNT,
     .prepare = prepare_512,
     .run = run_find,
     .finish = finish_map},
};

const struct piece_table *pieces_packmap(void) {
    static const struct piece_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
