/* Tests of store/window: the order, keys that are gone or were replaced, and the memory. */
#include "store/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct clock clock_;
static struct options *options;
static struct metrics *metrics;
static struct keyspace keyspace;

static int set_up(void **state) {
    (void)state;
    clock_init(&clock_);
    options = options_new();
    metrics = metrics_new();
    keyspace_init(&keyspace, &clock_, options, metrics);
    keyspace_start(&keyspace);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    keyspace_free(&keyspace);
    options_free(options);
    metrics_free(metrics);
    return 0;
}

static struct key key_of(int number) {
    static char name[16];
    int size = snprintf(name, sizeof name, "%d", number);
    return keyspace_key(&keyspace, &keyspace.databases[number % 3], bytes_of(name, (size_t)size));
}

static struct entry *add(int number, size_t size) {
    static char text[500];
    struct key key = key_of(number);
    struct entry *old = keyspace_peek(&keyspace, &key);
    struct entry *entry =
        keyspace_assign_text(&keyspace, &key, old, bytes_of(text, size), NULL, ENTRY_NO_DEADLINE);
    assert_non_null(entry);
    return entry;
}

static void test_order(void **state) {
    (void)state;
    size_t used = mem_used_by(MEM_OTHER);
    struct window window;
    struct entry *entries[100];
    window_init(&window);
    for (int i = 0; i < 100; i++) {
        struct key key = key_of(i);
        entries[i] = add(i, 10);
        window_push(&window, key.database, key.hash, entries[i]);
    }
    assert_int_equal(window.size, 100);
    for (int i = 0; i < 100; i += 10) {
        struct key key = key_of(i);
        assert_true(keyspace_delete(&keyspace, &key, false));
    }
    for (int i = 0; i < 100; i++) {
        struct database *database;
        uint64_t hash;
        struct entry *entry = window_pop(&window, &keyspace, &database, &hash);
        if (i % 10 == 0) {
            assert_null(entry);
            continue;
        }
        struct key key = key_of(i);
        assert_ptr_equal(entry, entries[i]);
        assert_ptr_equal(database, key.database);
        assert_int_equal(hash, key.hash);
    }
    assert_int_equal(window.size, 0);
    assert_int_equal(mem_used_by(MEM_OTHER), used);
}

static void test_turns(void **state) {
    (void)state;
    struct window window;
    window_init(&window);
    struct key key = key_of(1);
    struct entry *entry = add(1, 10);
    for (int round = 1; round < 40; round++) {
        for (int i = 0; i < round; i++) {
            window_push(&window, key.database, key.hash, entry);
        }
        for (int i = 0; i < round - 1; i++) {
            struct database *database;
            uint64_t hash;
            assert_ptr_equal(window_pop(&window, &keyspace, &database, &hash), entry);
        }
    }
    assert_int_equal(window.size, 39);
    window_clear(&window);
    assert_int_equal(window.size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
