/* small: what each request needs a few times: a hash, a number, a command's name, an entry's
 * memory. */
#include "base/check.h"
#include "base/hash.h"
#include "base/num.h"
#include "call/command.h"
#include "ds/entry.h"
#include "pieces/piece.h"
#include "server/families.h"

#define COUNT 2000000

static void *prepare_nothing(size_t count) {
    (void)count;
    return NULL;
}

static void finish_nothing(void *state, size_t count) {
    (void)state;
    (void)count;
}

static void run_hash(void *state, size_t count) {
    (void)state;
    char key[] = "key:000000000000";
    uint64_t seed = hash_seed();
    for (size_t i = 0; i < count; i++) {
        memcpy(key + 8, &i, sizeof i);
        piece_keep(hash_bytes(seed, key, sizeof key - 1));
    }
}

/* One to nineteen digits, with and without a sign. */
static const char *const numbers[] = {
    "0",        "7",          "-3",           "42",           "100",      "-512",
    "4096",     "65536",      "123456",       "-1000000",     "99999999", "2147483647",
    "86400000", "1700000000", "170000000000", "-99999999999", "31536000", "9223372036854775807",
};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

static void run_parse(void *state, size_t count) {
    (void)state;
    struct bytes texts[NUMBER_COUNT];
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        texts[i] = bytes_text(numbers[i]);
    }
    for (size_t i = 0, which = 0; i < count; i++) {
        int64_t number = 0;
        piece_keep(num_parse_i64(texts[which], &number));
        piece_keep((uint64_t)number);
        which = which + 1 == NUMBER_COUNT ? 0 : which + 1;
    }
}

static void run_format(void *state, size_t count) {
    (void)state;
    int64_t values[NUMBER_COUNT];
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        check(num_parse_i64(bytes_text(numbers[i]), &values[i]));
    }
    for (size_t i = 0, which = 0; i < count; i++) {
        char text[NUM_I64_SIZE];
        piece_keep(num_format_i64(text, values[which]));
        piece_keep((uintptr_t)text);
        which = which + 1 == NUMBER_COUNT ? 0 : which + 1;
    }
}

/* ---- commands ---- */

static void *prepare_commands(size_t count) {
    (void)count;
    struct commands *commands = commands_new();
    families_register(commands);
    return commands;
}

static void run_commands(void *state, size_t count) {
    const struct commands *commands = state;
    static const char *const names[] = {"GET",  "SET", "get",  "set",    "MGET",    "HSET",
                                        "INCR", "DEL", "PING", "EXPIRE", "HGETALL", "nonesuch"};
    const size_t name_count = sizeof names / sizeof names[0];
    struct bytes texts[sizeof names / sizeof names[0]];
    for (size_t i = 0; i < name_count; i++) {
        texts[i] = bytes_text(names[i]);
    }
    for (size_t i = 0, which = 0; i < count; i++) {
        piece_keep((uintptr_t)commands_find(commands, texts[which]));
        which = which + 1 == name_count ? 0 : which + 1;
    }
}

static void finish_commands(void *state, size_t count) {
    (void)count;
    commands_free(state);
}

/* ---- entries ---- */

static void run_entry(void *state, size_t count) {
    (void)state;
    const char value[64] = {0};
    struct entry_shape shape = {.encoding = ENTRY_INLINE, .value = bytes_of(value, sizeof value)};
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entry_try_new(bytes_text("key:000000000000"), &shape);
        check(entry != NULL);
        piece_keep((uintptr_t)entry);
        entry_free(entry);
    }
}

static const struct piece rows[] = {
    {.name = "hash_16",
     .about = "hash 16 bytes",
     .count = COUNT,
     .prepare = prepare_nothing,
     .run = run_hash,
     .finish = finish_nothing},
    {.name = "num_parse",
     .about = "parse an integer",
     .count = COUNT,
     .prepare = prepare_nothing,
     .run = run_parse,
     .finish = finish_nothing},
    {.name = "num_format",
     .about = "write an integer",
     .count = COUNT,
     .prepare = prepare_nothing,
     .run = run_format,
     .finish = finish_nothing},
    {.name = "command_find",
     .about = "find a command by name",
     .count = COUNT,
     .prepare = prepare_commands,
     .run = run_commands,
     .finish = finish_commands},
    {.name = "entry_new_free",
     .about = "make and free an entry of 88 bytes",
     .count = COUNT,
     .prepare = prepare_nothing,
     .run = run_entry,
     .finish = finish_nothing},
};

const struct piece_table *pieces_small(void) {
    static const struct piece_table table = {rows, sizeof rows / sizeof rows[0]};
    return &table;
}
