/* Tests of store/keyspace with its background expiry and lazy freeing: every way that a key's value
 * and deadline can change, under a driven clock, with the validator after each; and long random
 * runs against a model. */
#include "store/keyspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ds/blob.h"
#include "store/access.h"
#include "store/lazyfree.h"
#include "types/hash.h"
#include "types/string.h"
#include "types/value.h"

#define START_MS ((int64_t)1700000000000)
#define BUDGET   ((int64_t)1000000)

struct fixture {
    struct clock clock;
    struct options *options;
    struct metrics *metrics;
    struct keyspace keyspace;
    struct store_listener listener;
    char log[4096]; /* "m0:key e0:expired:key f-1 " */
    size_t memory;
};

static void log_append(struct fixture *fixture, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t size = strlen(fixture->log);
    vsnprintf(fixture->log + size, sizeof fixture->log - size, format, arguments);
    va_end(arguments);
}

static void on_modified(void *context, const struct key *key) {
    log_append(context, "m%d:%.*s ", key->database->id, (int)key->name.size, key->name.at);
}

static void on_event(void *context, int database, enum keyspace_class event_class,
                     const char *event, struct bytes key) {
    (void)event_class;
    log_append(context, "e%d:%s:%.*s ", database, event, (int)key.size, key.at);
}

static void on_field_expired(void *context, const struct key *key, struct bytes field) {
    log_append(context, "h%d:%.*s:%.*s ", key->database->id, (int)key->name.size, key->name.at,
               (int)field.size, field.at);
}

static void on_flushing(void *context, int database) {
    log_append(context, "f%d ", database);
}

static void on_swapping(void *context, int a, int b) {
    log_append(context, "s%d-%d ", a, b);
}

static void assert_log(struct fixture *fixture, const char *expected) {
    assert_string_equal(fixture->log, expected);
    fixture->log[0] = '\0';
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->memory = mem_used();
    clock_init(&fixture->clock);
    clock_drive(&fixture->clock, START_MS);
    fixture->options = options_new();
    fixture->metrics = metrics_new();
    keyspace_init(&fixture->keyspace, &fixture->clock, fixture->options, fixture->metrics);
    fixture->keyspace.hash_options.pack_entries_max = 8;
    fixture->keyspace.hooks = (struct store_hooks){.context = fixture,
                                                   .event = on_event,
                                                   .classes = ~0u,
                                                   .field_expired = on_field_expired,
                                                   .fields_context = fixture};
    fixture->listener = (struct store_listener){.context = fixture,
                                                .modified = on_modified,
                                                .flushing = on_flushing,
                                                .swapping = on_swapping};
    keyspace_listen(&fixture->keyspace, &fixture->listener);
    keyspace_start(&fixture->keyspace);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    keyspace_free(&fixture->keyspace);
    options_free(fixture->options);
    metrics_free(fixture->metrics);
    assert_int_equal(mem_used(), fixture->memory);
    free(fixture);
    return 0;
}

static void pass_time(struct fixture *fixture, int64_t ms) {
    clock_drive(&fixture->clock, fixture->clock.now_ms + ms);
    keyspace_pass(&fixture->keyspace);
}

static struct key key_in(struct fixture *fixture, int database, const char *name) {
    struct keyspace *keyspace = &fixture->keyspace;
    return keyspace_key(keyspace, &keyspace->databases[database], bytes_text(name));
}

/* SET as the command does it, in database 0. */
static struct entry *set(struct fixture *fixture, const char *name, struct bytes text,
                         int64_t deadline_ms) {
    struct key key = key_in(fixture, 0, name);
    struct entry *old = keyspace_write(&fixture->keyspace, &key);
    struct entry *entry =
        keyspace_assign_text(&fixture->keyspace, &key, old, text, NULL, deadline_ms);
    assert_non_null(entry);
    return entry;
}

static struct entry *get(struct fixture *fixture, int database, const char *name) {
    struct key key = key_in(fixture, database, name);
    return keyspace_peek(&fixture->keyspace, &key);
}

static void assert_value(struct fixture *fixture, const char *name, struct bytes text,
                         int64_t deadline_ms) {
    struct entry *entry = get(fixture, 0, name);
    assert_non_null(entry);
    char scratch[NUM_I64_SIZE];
    assert_true(bytes_equal(string_bytes(entry, scratch), text));
    assert_int_equal(entry_deadline(entry), deadline_ms);
    keyspace_validate(&fixture->keyspace);
}

static void run_expiry(struct fixture *fixture) {
    int slices = 0;
    while (!keyspace_expire(&fixture->keyspace, 0)) {
        assert_true(++slices < 100000);
    }
    keyspace_validate(&fixture->keyspace);
}

/* A hash with `count` fields "0", "1" ... in database 0. */
static struct entry *make_hash(struct fixture *fixture, const char *name, int count) {
    struct key key = key_in(fixture, 0, name);
    assert_null(keyspace_write(&fixture->keyspace, &key));
    struct entry_shape shape = hash_new_shape();
    struct entry *hash = keyspace_add(&fixture->keyspace, &key, &shape, ENTRY_NO_DEADLINE);
    assert_non_null(hash);
    for (int i = 0; i < count; i++) {
        char field[16];
        struct hash_write write = {.field = element_name_of(bytes_of(
                                       field, (size_t)snprintf(field, sizeof field, "%d", i))),
                                   .value = bytes_text("value"),
                                   .deadline_ms = ENTRY_NO_DEADLINE};
        assert_int_equal(
            hash_set(hash, &fixture->keyspace.hash_options, &write, fixture->clock.now_ms), 1);
    }
    return hash;
}

/* HPEXPIREAT. */
static void expire_field(struct fixture *fixture, const char *name, const char *field,
                         int64_t deadline_ms) {
    struct key key = key_in(fixture, 0, name);
    struct entry *hash = keyspace_write(&fixture->keyspace, &key);
    assert_non_null(hash);
    assert_int_equal(hash_set_deadline(hash, element_name_of(bytes_text(field)), deadline_ms,
                                       fixture->clock.now_ms),
                     0);
    keyspace_field_deadline_changed(&fixture->keyspace, &key, hash);
    keyspace_validate(&fixture->keyspace);
}

static void test_look_ups(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    struct key key = key_in(fixture, 0, "a");
    assert_null(keyspace_read(keyspace, &key));
    assert_null(keyspace_write(keyspace, &key));
    assert_null(keyspace_peek(keyspace, &key));
    assert_log(fixture, "e0:keymiss:a ");
    assert_int_equal(keyspace->metrics.keyspace_misses, 1);

    struct entry *entry = set(fixture, "a", bytes_text("text"), ENTRY_NO_DEADLINE);
    assert_log(fixture, "e0:new:a ");
    assert_int_equal(entry->access, access_tick(START_MS));
    pass_time(fixture, 10000);
    assert_ptr_equal(keyspace_peek(keyspace, &key), entry);
    assert_int_equal(access_idle_ms(entry, fixture->clock.now_ms) / 1000, 10);
    keyspace->no_touch = true;
    assert_ptr_equal(keyspace_read(keyspace, &key), entry);
    assert_int_equal(access_idle_ms(entry, fixture->clock.now_ms) / 1000, 10);
    keyspace->no_touch = false;
    assert_ptr_equal(keyspace_read(keyspace, &key), entry);
    assert_int_equal(access_idle_ms(entry, fixture->clock.now_ms), 0);
    assert_int_equal(keyspace->metrics.keyspace_hits, 2);
    assert_ptr_equal(dict_slot_entry(*key.slot), entry);
    assert_null(get(fixture, 1, "a"));
    struct key keys[2] = {key, key_in(fixture, 1, "b")};
    keyspace_prefetch(keys, 2);
    assert_log(fixture, "");
}

static void test_access_clock(void **state) {
    (void)state;
    struct entry entry = {0};
    const int64_t day_ms = 86400000;
    for (int64_t start_ms = START_MS; start_ms < START_MS + 30 * day_ms; start_ms += day_ms / 3) {
        entry.access = access_tick(start_ms) & ACCESS_MASK;
        assert_int_equal(access_idle_ms(&entry, start_ms), 0);
        assert_in_range(access_idle_ms(&entry, start_ms + 11 * day_ms), 11 * day_ms,
                        11 * day_ms + 2 * ACCESS_TICK_MS);
        assert_int_equal(access_idle_ms(&entry, start_ms - 3600000), 0);
    }
}

static void test_texts_in_place_and_not(void **state) {
    struct fixture *fixture = *state;
    const int64_t none = ENTRY_NO_DEADLINE;
    static char large[40000];
    memset(large, 'x', sizeof large);
    large[0] = '\0';
    struct bytes blob = bytes_of(large, sizeof large);

    struct entry *entry = set(fixture, "k", bytes_text("hello"), none);
    assert_ptr_equal(set(fixture, "k", bytes_text("world"), none), entry);
    assert_value(fixture, "k", bytes_text("world"), none);
    set(fixture, "k", bytes_text("123"), none);
    assert_value(fixture, "k", bytes_text("123"), none);
    assert_int_equal(entry_encoding(get(fixture, 0, "k")), ENTRY_INTEGER);
    entry = get(fixture, 0, "k");
    assert_ptr_equal(set(fixture, "k", bytes_text("-9"), none), entry);
    set(fixture, "k", bytes_of("", 0), none);
    assert_value(fixture, "k", bytes_of("", 0), none);
    set(fixture, "k", blob, none);
    assert_value(fixture, "k", blob, none);
    set(fixture, "k", bytes_of(large, 300), none);
    assert_value(fixture, "k", bytes_of(large, 300), none);
    /* Nothing at all: the smallest entry that there is. */
    set(fixture, "", bytes_of("", 0), none);
    assert_value(fixture, "", bytes_of("", 0), none);
    set(fixture, "", bytes_of("a\r\nb", 4), none);
    assert_value(fixture, "", bytes_of("a\r\nb", 4), none);

    /* A blob that is handed over is not copied, over an old one or for a new key. */
    for (int round = 0; round < 2; round++) {
        struct key key = key_in(fixture, 0, "blob");
        struct blob *handed = blob_try_copy(blob);
        struct entry *old = keyspace_write(&fixture->keyspace, &key);
        entry =
            keyspace_assign_text(&fixture->keyspace, &key, old, blob_bytes(handed), handed, none);
        assert_ptr_equal(entry_pointer(entry), handed);
    }
    assert_value(fixture, "blob", blob, none);

    /* Over another type. */
    make_hash(fixture, "hash", 20);
    expire_field(fixture, "hash", "3", START_MS + 500);
    set(fixture, "hash", bytes_text("now a string"), none);
    assert_value(fixture, "hash", bytes_text("now a string"), none);
    assert_int_equal(fixture->keyspace.databases[0].field_deadlines.size, 0);
}

static void test_texts_with_deadlines(void **state) {
    struct fixture *fixture = *state;
    struct due *deadlines = &fixture->keyspace.databases[0].deadlines;
    const int64_t none = ENTRY_NO_DEADLINE;
    set(fixture, "k", bytes_text("v"), KEYSPACE_KEEP_DEADLINE);
    assert_value(fixture, "k", bytes_text("v"), none);
    set(fixture, "k", bytes_text("v"), KEYSPACE_KEEP_DEADLINE);
    assert_value(fixture, "k", bytes_text("v"), none);
    set(fixture, "k", bytes_text("w"), START_MS + 1000);
    assert_value(fixture, "k", bytes_text("w"), START_MS + 1000);
    assert_int_equal(deadlines->size, 1);
    struct entry *entry = get(fixture, 0, "k");
    assert_ptr_equal(set(fixture, "k", bytes_text("x"), START_MS + 2000), entry);
    assert_value(fixture, "k", bytes_text("x"), START_MS + 2000);
    assert_ptr_equal(set(fixture, "k", bytes_text("y"), KEYSPACE_KEEP_DEADLINE), entry);
    assert_value(fixture, "k", bytes_text("y"), START_MS + 2000);
    char longer[200];
    memset(longer, 'l', sizeof longer);
    set(fixture, "k", bytes_of(longer, sizeof longer), KEYSPACE_KEEP_DEADLINE);
    assert_value(fixture, "k", bytes_of(longer, sizeof longer), START_MS + 2000);
    set(fixture, "k", bytes_text("z"), none);
    assert_value(fixture, "k", bytes_text("z"), none);
    assert_int_equal(deadlines->size, 0);
}

static void test_no_memory(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct key key = key_in(fixture, 0, name);
    mem_fail_after(1);
    assert_null(keyspace_assign_text(keyspace, &key, NULL, bytes_text("v"), NULL, 1));
    mem_fail_after(0);
    assert_null(get(fixture, 0, name));
    struct entry *entry = set(fixture, name, bytes_text("v"), ENTRY_NO_DEADLINE);
    assert_non_null(keyspace_write(keyspace, &key));
    static char large[5000];
    /* First the blob fails, then the entry, then neither. */
    for (uint64_t nth = 1; nth <= 2; nth++) {
        mem_fail_after(nth);
        assert_null(keyspace_assign_text(keyspace, &key, entry, bytes_of(large, sizeof large), NULL,
                                         START_MS + 1));
        mem_fail_after(0);
        assert_value(fixture, name, bytes_text("v"), ENTRY_NO_DEADLINE);
    }
    assert_non_null(keyspace_write(keyspace, &key));
    mem_fail_after(1);
    assert_null(keyspace_set_deadline(keyspace, &key, entry, START_MS + 5));
    mem_fail_after(0);
    assert_value(fixture, name, bytes_text("v"), ENTRY_NO_DEADLINE);
    struct blob *blob = blob_try_copy(bytes_of(large, sizeof large));
    mem_fail_after(1);
    assert_null(keyspace_assign_text(keyspace, &key, entry, blob_bytes(blob), blob, 7));
    mem_fail_after(0);
    assert_int_equal(blob->references, 1);
    blob_release(blob);
}

static void test_expiry_by_look_up(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    set(fixture, "k", bytes_text("v"), START_MS + 1000);
    fixture->log[0] = '\0';
    pass_time(fixture, 999);
    assert_non_null(get(fixture, 0, "k"));
    pass_time(fixture, 1);
    struct key key = key_in(fixture, 0, "k");
    assert_null(keyspace_read(keyspace, &key));
    assert_null(key.slot);
    assert_log(fixture, "e0:expired:k m0:k e0:keymiss:k ");
    assert_int_equal(keyspace->metrics.expired_keys, 1);
    assert_int_equal(keyspace_size(keyspace), 0);
    set(fixture, "k", bytes_text("v"), START_MS + 2000);
    pass_time(fixture, 5000);
    assert_false(keyspace_delete(keyspace, &key, false));
    assert_null(keyspace_random(keyspace, &keyspace->databases[0]));
    keyspace_validate(keyspace);
}

static void test_background_expiry(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    keyspace->hooks.classes = 0;
    keyspace_unlisten(keyspace, &fixture->listener);
    enum { COUNT = 1000 };
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "key%d", i);
        struct key key = key_in(fixture, i % 3, name);
        assert_non_null(keyspace_assign_text(keyspace, &key, NULL, bytes_text("v"), NULL,
                                             START_MS + 1000 + i * 10));
    }
    set(fixture, "stays", bytes_text("v"), ENTRY_NO_DEADLINE);
    assert_int_equal(keyspace_size(keyspace), COUNT + 1);
    assert_int_equal(keyspace_volatile_size(keyspace), COUNT);
    run_expiry(fixture);
    assert_int_equal(keyspace_size(keyspace), COUNT + 1);
    pass_time(fixture, 1000 + 5000);
    keyspace->expire_paused = true;
    assert_true(keyspace_expire(keyspace, BUDGET));
    assert_int_equal(keyspace_size(keyspace), COUNT + 1);
    keyspace->expire_paused = false;
    /* A slice without time does something, but not all. */
    assert_false(keyspace_expire(keyspace, 0));
    assert_true(keyspace_size(keyspace) > 501);
    run_expiry(fixture);
    /* Up to two ticks later than its deadline a key may still be there, but is not seen. */
    assert_in_range(keyspace_size(keyspace), COUNT / 2 - 1, COUNT / 2 + 14);
    pass_time(fixture, 2 * DUE_TICK_MS);
    run_expiry(fixture);
    assert_true(keyspace_size(keyspace) <= COUNT / 2);
    pass_time(fixture, 86400000);
    run_expiry(fixture);
    assert_int_equal(keyspace_size(keyspace), 1);
    assert_int_equal(keyspace->metrics.expired_keys, COUNT);
    assert_non_null(get(fixture, 0, "stays"));
    /* Back in time nothing happens. */
    clock_drive(&fixture->clock, START_MS);
    set(fixture, "later", bytes_text("v"), START_MS + 1);
    pass_time(fixture, 2);
    run_expiry(fixture);
    assert_null(get(fixture, 0, "later"));
}

static void test_field_expiry(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    struct due *fields = &keyspace->databases[0].field_deadlines;
    for (int count = 2; count <= 20; count += 18) {
        make_hash(fixture, "h", count);
        expire_field(fixture, "h", "0", START_MS + 1000);
        expire_field(fixture, "h", "1", START_MS + 700);
        assert_int_equal(fields->size, 1);
        /* The hash moves: a deadline of its own, and back. */
        struct key key = key_in(fixture, 0, "h");
        struct entry *hash = keyspace_write(keyspace, &key);
        hash = keyspace_set_deadline(keyspace, &key, hash, START_MS + 9000);
        keyspace_validate(keyspace);
        hash = keyspace_set_deadline(keyspace, &key, hash, ENTRY_NO_DEADLINE);
        keyspace_validate(keyspace);
        fixture->log[0] = '\0';
        pass_time(fixture, 900);
        run_expiry(fixture);
        assert_log(fixture, "h0:h:1 e0:hexpired:h m0:h ");
        assert_int_equal(keyspace->metrics.expired_subkeys, 1);
        assert_int_equal(fields->size, 1);
        pass_time(fixture, 300);
        run_expiry(fixture);
        assert_int_equal(fields->size, 0);
        if (count == 2) {
            assert_log(fixture, "h0:h:0 e0:hexpired:h m0:h e0:del:h ");
            assert_null(get(fixture, 0, "h"));
        } else {
            assert_log(fixture, "h0:h:0 e0:hexpired:h m0:h ");
            assert_int_equal(hash_length(get(fixture, 0, "h"), fixture->clock.now_ms), 18);
        }
        keyspace->metrics.expired_subkeys = 0;
        clock_drive(&fixture->clock, START_MS);
        keyspace_flush(keyspace, -1, false);
    }
}

static void test_fields_persist(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    for (int count = 3; count <= 30; count += 27) {
        make_hash(fixture, "h", count);
        struct key key = key_in(fixture, 0, "h");
        expire_field(fixture, "h", "2", START_MS + 1000);
        struct entry *hash = keyspace_write(keyspace, &key);
        assert_int_equal(hash_persist(hash, element_name_of(bytes_text("2")), START_MS), 0);
        keyspace_field_deadline_changed(keyspace, &key, hash);
        keyspace_validate(keyspace);
        assert_int_equal(keyspace->databases[0].field_deadlines.size, 0);
        /* Removed while filed. */
        expire_field(fixture, "h", "2", START_MS + 1000);
        keyspace_remove(keyspace, &key, keyspace_write(keyspace, &key), true);
        keyspace_validate(keyspace);
        assert_int_equal(keyspace->databases[0].field_deadlines.size, 0);
    }
}

static void test_set_deadline(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    static char large[2000];
    struct bytes texts[] = {bytes_text("text"), bytes_text("42"), bytes_of(large, sizeof large)};
    for (size_t i = 0; i < 3; i++) {
        set(fixture, "k", texts[i], ENTRY_NO_DEADLINE);
        struct key key = key_in(fixture, 0, "k");
        struct entry *entry = keyspace_write(keyspace, &key);
        entry = keyspace_set_deadline(keyspace, &key, entry, ENTRY_NO_DEADLINE);
        assert_value(fixture, "k", texts[i], ENTRY_NO_DEADLINE);
        entry = keyspace_set_deadline(keyspace, &key, entry, START_MS + 100);
        assert_value(fixture, "k", texts[i], START_MS + 100);
        assert_ptr_equal(keyspace_set_deadline(keyspace, &key, entry, START_MS + 50), entry);
        assert_value(fixture, "k", texts[i], START_MS + 50);
        entry = keyspace_set_deadline(keyspace, &key, entry, ENTRY_NO_DEADLINE);
        assert_value(fixture, "k", texts[i], ENTRY_NO_DEADLINE);
        /* Without a slot from a look-up the entry is found again. */
        key.slot = NULL;
        assert_non_null(keyspace_set_deadline(keyspace, &key, entry, INT64_MAX));
        assert_value(fixture, "k", texts[i], ENTRY_DEADLINE_MAX);
        keyspace_flush(keyspace, 0, false);
    }
}

static void test_reshape(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    for (int i = 0; i < 2; i++) {
        int64_t deadline_ms = i == 0 ? ENTRY_NO_DEADLINE : START_MS + 1000;
        struct entry *entry = set(fixture, "k", bytes_text("text"), deadline_ms);
        entry->access = 77;
        struct key key = key_in(fixture, 0, "k");
        entry = keyspace_peek(keyspace, &key);
        struct entry_shape shape = string_blob_shape(string_try_grown(entry, 3000));
        entry = keyspace_reshape(keyspace, &key, entry, &shape);
        assert_non_null(entry);
        assert_int_equal(entry->access, 77);
        assert_int_equal(string_size(entry), 3000);
        assert_int_equal(entry_deadline(entry), deadline_ms);
        keyspace_validate(keyspace);
    }
}

static void test_detach_and_attach(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    make_hash(fixture, "from", 12);
    expire_field(fixture, "from", "5", START_MS + 1000);
    struct key from = key_in(fixture, 0, "from");
    struct entry *old = keyspace_write(keyspace, &from);
    old = keyspace_set_deadline(keyspace, &from, old, START_MS + 5000);
    struct key to = key_in(fixture, 2, "to");
    struct entry *renamed = entry_try_rename(old, to.name);
    keyspace_detach(keyspace, &from, old);
    entry_free(old);
    keyspace_validate(keyspace);
    keyspace_attach(keyspace, &to, renamed, START_MS + 5000);
    keyspace_validate(keyspace);
    assert_null(get(fixture, 0, "from"));
    assert_int_equal(keyspace->databases[2].deadlines.size, 1);
    assert_int_equal(keyspace->databases[2].field_deadlines.size, 1);
    /* A copy of it. */
    struct key copy = key_in(fixture, 1, "copy");
    struct entry *copied = value_try_copy(get(fixture, 2, "to"), copy.name);
    assert_non_null(copied);
    keyspace_attach(keyspace, &copy, copied, START_MS + 5000);
    keyspace_validate(keyspace);
    pass_time(fixture, 2000);
    run_expiry(fixture);
    assert_int_equal(hash_length(get(fixture, 1, "copy"), fixture->clock.now_ms), 11);
    pass_time(fixture, 4000);
    run_expiry(fixture);
    assert_int_equal(keyspace_size(keyspace), 0);
}

static void test_events(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    struct key key = key_in(fixture, 3, "k");
    uint64_t changes = keyspace->changes;
    keyspace_changed(keyspace, &key, KEYSPACE_STRING, "set");
    keyspace->hooks.classes = KEYSPACE_GENERIC;
    keyspace_changed(keyspace, &key, KEYSPACE_STRING, "set");
    keyspace_event(keyspace, &key, KEYSPACE_GENERIC, "persist");
    assert_int_equal(keyspace->changes, changes + 2);
    assert_log(fixture, "m3:k e3:set:k m3:k e3:persist:k ");
    keyspace_unlisten(keyspace, &fixture->listener);
    keyspace->hooks = (struct store_hooks){.classes = ~0u};
    keyspace_changed(keyspace, &key, KEYSPACE_STRING, "set");
    keyspace_flush(keyspace, -1, true);
}

static void wait_until_freed(struct keyspace *keyspace) {
    for (uint64_t tries = 0; lazyfree_pending(keyspace->lazyfree) > 0; tries++) {
        assert_true(tries < (uint64_t)1 << 36);
    }
}

static void test_flush_and_swap(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    for (int lazy = 0; lazy < 2; lazy++) {
        for (int i = 0; i < 300; i++) {
            char name[16];
            snprintf(name, sizeof name, "key%d", i);
            set(fixture, name, bytes_text("v"),
                i % 2 ? START_MS + 100 + i * 1000 : ENTRY_NO_DEADLINE);
        }
        make_hash(fixture, "hash", 50);
        expire_field(fixture, "hash", "1", START_MS + 500);
        fixture->log[0] = '\0';
        keyspace_swap(keyspace, 0, 5);
        keyspace_swap(keyspace, 5, 5);
        assert_log(fixture, "s0-5 ");
        keyspace_validate(keyspace);
        assert_int_equal(dict_size(&keyspace->databases[0].keys), 0);
        assert_int_equal(dict_size(&keyspace->databases[5].keys), 301);
        assert_non_null(get(fixture, 5, "key1"));
        assert_int_equal(keyspace_flush(keyspace, 4, lazy), 0);
        assert_int_equal(keyspace_flush(keyspace, 5, lazy), 301);
        assert_log(fixture, "f4 f5 ");
        assert_int_equal(keyspace_size(keyspace), 0);
        set(fixture, "k", bytes_text("v"), START_MS + 1);
        assert_int_equal(keyspace_flush(keyspace, -1, lazy), 1);
        keyspace_validate(keyspace);
        wait_until_freed(keyspace);
    }
    assert_int_equal(lazyfree_freed(keyspace->lazyfree), 301);
    metrics_reset(fixture->metrics);
    assert_int_equal(lazyfree_freed(keyspace->lazyfree), 0);
}

static void test_lazy_freeing_of_values(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    make_hash(fixture, "small", 3);
    make_hash(fixture, "large", 500);
    make_hash(fixture, "overwritten", 500);
    struct key small = key_in(fixture, 0, "small");
    struct key large = key_in(fixture, 0, "large");
    assert_true(keyspace_delete(keyspace, &small, true));
    assert_false(keyspace_delete(keyspace, &small, true));
    assert_true(keyspace_delete(keyspace, &large, true));
    set(fixture, "overwritten", bytes_text("v"), ENTRY_NO_DEADLINE);
    wait_until_freed(keyspace);
    assert_int_equal(lazyfree_freed(keyspace->lazyfree), 2);
    make_hash(fixture, "large", 500);
    assert_true(keyspace_delete(keyspace, &large, false));
    assert_int_equal(lazyfree_freed(keyspace->lazyfree), 2);
    /* Without a thread everything is freed at once. */
    struct entry *hash = make_hash(fixture, "large", 500);
    assert_non_null(keyspace_peek(keyspace, &large));
    keyspace_detach(keyspace, &large, hash);
    lazyfree_entry(NULL, hash);
    keyspace_validate(keyspace);
}

static void count_entry(void *context, struct entry *entry) {
    (void)entry;
    ++*(size_t *)context;
}

static void test_scan_and_random(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    struct database *database = &keyspace->databases[0];
    assert_null(keyspace_random(keyspace, database));
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "key%d", i);
        set(fixture, name, bytes_text("v"), i < 70 ? START_MS + 10 : ENTRY_NO_DEADLINE);
    }
    pass_time(fixture, 10);
    size_t seen = 0;
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(keyspace, database, cursor, count_entry, &seen);
    } while (cursor != 0);
    assert_int_equal(seen, 30);
    assert_int_equal(dict_size(&database->keys), 100);
    for (int i = 0; i < 1000; i++) {
        struct entry *entry = keyspace_random(keyspace, database);
        assert_non_null(entry);
        assert_int_equal(entry_deadline(entry), ENTRY_NO_DEADLINE);
    }
    keyspace_validate(keyspace);
}

static void test_figures(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "key%d", i);
        set(fixture, name, bytes_text("v"), START_MS + 4000);
    }
    set(fixture, "k", bytes_text("v"), ENTRY_NO_DEADLINE);
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    metrics_print_section(fixture->metrics, METRIC_KEYSPACE, &out);
    const char *line = strstr(buffer_text(&out), "db0:keys=11,expires=10,avg_ttl=");
    assert_non_null(line);
    assert_in_range(atoi(line + 31), 3900, 4000);
    assert_null(strstr(buffer_text(&out), "db1"));
    buffer_clear(&out);
}

/* The model of one key. */
struct model_key {
    bool present;
    int64_t deadline_ms;
    size_t size;
    char text[1500];
};

static void model_set(struct fixture *fixture, struct model_key *model, const char *name,
                      struct random *random) {
    static const size_t sizes[] = {0, 1, 5, 20, 44, 45, 100, 999, 1000, 1001, 1500};
    model->size = sizes[random_below(random, sizeof sizes / sizeof sizes[0])];
    memset(model->text, 'a' + (int)random_below(random, 26), model->size);
    if (random_below(random, 3) == 0) {
        model->size = (size_t)snprintf(model->text, sizeof model->text, "%lld",
                                       (long long)random_below(random, 100000));
    }
    int64_t deadline_ms = ENTRY_NO_DEADLINE;
    switch (random_below(random, 3)) {
    case 0:
        deadline_ms = fixture->clock.now_ms + 1 + (int64_t)random_below(random, 20000);
        model->deadline_ms = deadline_ms;
        break;
    case 1:
        deadline_ms = KEYSPACE_KEEP_DEADLINE;
        break;
    default:
        model->deadline_ms = ENTRY_NO_DEADLINE;
    }
    if (!model->present && deadline_ms == KEYSPACE_KEEP_DEADLINE) {
        model->deadline_ms = ENTRY_NO_DEADLINE;
    }
    model->present = true;
    set(fixture, name, bytes_of(model->text, model->size), deadline_ms);
}

static void model_check(struct fixture *fixture, struct model_key *model, const char *name) {
    if (model->present && model->deadline_ms != ENTRY_NO_DEADLINE &&
        model->deadline_ms <= fixture->clock.now_ms) {
        model->present = false;
    }
    struct entry *entry = get(fixture, 0, name);
    assert_int_equal(entry != NULL, model->present);
    if (entry != NULL) {
        char scratch[NUM_I64_SIZE];
        assert_true(bytes_equal(string_bytes(entry, scratch), bytes_of(model->text, model->size)));
        assert_int_equal(entry_deadline(entry), model->deadline_ms);
    }
}

static void test_model(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    keyspace->hooks.classes = 0;
    keyspace_unlisten(keyspace, &fixture->listener);
    enum { KEYS = 150, STEPS = 30000 };
    struct model_key *models = calloc(KEYS, sizeof *models);
    assert_non_null(models);
    struct random random;
    random_init(&random, 42);
    for (int step = 0; step < STEPS; step++) {
        size_t index = random_below(&random, KEYS);
        char name[400];
        memset(name, 'k', sizeof name);
        snprintf(name + (index % 5 == 0 ? 300 : 0), 16, "%zu", index);
        struct model_key *model = &models[index];
        model_check(fixture, model, name);
        struct key key = key_in(fixture, 0, name);
        struct entry *entry = keyspace_write(keyspace, &key);
        switch (random_below(&random, 8)) {
        case 0:
        case 1:
        case 2:
            model_set(fixture, model, name, &random);
            break;
        case 3:
            assert_int_equal(keyspace_delete(keyspace, &key, step % 2), model->present);
            model->present = false;
            break;
        case 4:
            if (entry != NULL) {
                model->deadline_ms =
                    fixture->clock.now_ms + 1 + (int64_t)random_below(&random, 100000);
                keyspace_set_deadline(keyspace, &key, entry, model->deadline_ms);
            }
            break;
        case 5:
            if (entry != NULL) {
                model->deadline_ms = ENTRY_NO_DEADLINE;
                keyspace_set_deadline(keyspace, &key, entry, ENTRY_NO_DEADLINE);
            }
            break;
        case 6:
            pass_time(fixture, (int64_t)random_below(&random, 200));
            break;
        default:
            keyspace_expire(keyspace, (int64_t)random_below(&random, 3));
        }
        model_check(fixture, model, name);
        if (step % 500 == 0) {
            keyspace_validate(keyspace);
        }
    }
    assert_true(keyspace->metrics.expired_keys > 100);
    free(models);
}

int main(void) {
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FIXTURE(test_look_ups),
        cmocka_unit_test(test_access_clock),
        FIXTURE(test_texts_in_place_and_not),
        FIXTURE(test_texts_with_deadlines),
        FIXTURE(test_no_memory),
        FIXTURE(test_expiry_by_look_up),
        FIXTURE(test_background_expiry),
        FIXTURE(test_field_expiry),
        FIXTURE(test_fields_persist),
        FIXTURE(test_set_deadline),
        FIXTURE(test_reshape),
        FIXTURE(test_detach_and_attach),
        FIXTURE(test_events),
        FIXTURE(test_flush_and_swap),
        FIXTURE(test_lazy_freeing_of_values),
        FIXTURE(test_scan_and_random),
        FIXTURE(test_figures),
        FIXTURE(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
