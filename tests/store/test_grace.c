/* Tests of keys with grace in the keyspace: stale ones are shown to nobody but keyspace_fetch, give
 * way to what is put in their place, and leave at their end; and long random runs against a
 * model. */
#include "store/keyspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "ds/extras.h"
#include "types/string.h"
#include "types/value.h"

#define START_MS ((int64_t)1700000000000)
#define NONE     ((int64_t)ENTRY_NO_DEADLINE)

struct fixture {
    struct clock clock;
    struct options *options;
    struct metrics *metrics;
    struct keyspace keyspace;
    size_t memory;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->memory = mem_used();
    clock_init(&fixture->clock);
    clock_drive(&fixture->clock, START_MS);
    fixture->options = options_new();
    fixture->metrics = metrics_new();
    keyspace_init(&fixture->keyspace, &fixture->clock, fixture->options, fixture->metrics);
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

static struct key key_of(struct fixture *fixture, const char *name) {
    struct keyspace *keyspace = &fixture->keyspace;
    return keyspace_key(keyspace, &keyspace->databases[0], bytes_text(name));
}

static struct entry *store(struct fixture *fixture, const char *name, const char *text,
                           int64_t deadline_ms, int64_t grace_ms) {
    static struct extras extras;
    struct key key = key_of(fixture, name);
    struct entry *old = keyspace_write(&fixture->keyspace, &key);
    struct entry_shape shape;
    assert_true(string_shape(bytes_text(text), &shape));
    extras_begin(&extras, bytes_of(NULL, 0));
    extras_set_grace(&extras, grace_ms);
    shape.extras = extras_run(&extras);
    struct entry *entry = keyspace_assign(&fixture->keyspace, &key, old, &shape, deadline_ms);
    assert_non_null(entry);
    return entry;
}

static struct entry *look(struct fixture *fixture, const char *name) {
    struct key key = key_of(fixture, name);
    return keyspace_peek(&fixture->keyspace, &key);
}

static struct entry *fetch(struct fixture *fixture, const char *name) {
    struct key key = key_of(fixture, name);
    return keyspace_fetch(&fixture->keyspace, &key);
}

static size_t expire(struct fixture *fixture) {
    while (!keyspace_expire(&fixture->keyspace, 0)) {}
    keyspace_validate(&fixture->keyspace);
    return keyspace_size(&fixture->keyspace);
}

static void count_entry(void *context, struct entry *entry) {
    (void)entry;
    (*(int *)context)++;
}

static int scanned(struct fixture *fixture) {
    int count = 0;
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(&fixture->keyspace, &fixture->keyspace.databases[0], cursor,
                               count_entry, &count);
    } while (cursor != 0);
    return count;
}

static void test_from_fresh_over_stale_to_gone(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    store(fixture, "k", "value", START_MS + 1000, 5000);
    pass_time(fixture, 999);
    assert_non_null(look(fixture, "k"));
    assert_int_equal(entry_deadline(look(fixture, "k")), START_MS + 1000);
    assert_int_equal(entry_end(look(fixture, "k")), START_MS + 6000);
    pass_time(fixture, 1);
    assert_null(look(fixture, "k"));
    assert_null(keyspace_random(keyspace, &keyspace->databases[0]));
    assert_int_equal(scanned(fixture), 0);
    assert_non_null(fetch(fixture, "k"));
    assert_true(entry_is_due(fetch(fixture, "k"), fixture->clock.now_ms));
    assert_int_equal(expire(fixture), 1);
    pass_time(fixture, 4999);
    assert_int_equal(expire(fixture), 1);
    assert_non_null(fetch(fixture, "k"));
    pass_time(fixture, 1);
    assert_null(fetch(fixture, "k"));
    assert_int_equal(keyspace->metrics.expired_keys, 1);
    assert_int_equal(keyspace->databases[0].graced, 0);
    assert_int_equal(expire(fixture), 0);
    /* And without any look-up. */
    store(fixture, "k", "value", fixture->clock.now_ms + 10, 1000);
    pass_time(fixture, 1010 + 2 * DUE_TICK_MS);
    assert_int_equal(expire(fixture), 0);
}

static void test_a_stale_one_gives_way(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    struct key key = key_of(fixture, "k");
    for (int way = 0; way < 4; way++) {
        store(fixture, "k", "old", fixture->clock.now_ms + 10, 100000);
        pass_time(fixture, 10);
        assert_null(keyspace_write(keyspace, &key));
        if (way == 0) {
            assert_non_null(
                keyspace_assign_text(keyspace, &key, NULL, bytes_text("new"), NULL, NONE));
        } else if (way == 1) {
            store(fixture, "k", "new", fixture->clock.now_ms + 10, 100000);
        } else if (way == 2) {
            struct entry_shape shape;
            assert_true(string_shape(bytes_text("new"), &shape));
            keyspace_attach(keyspace, &key, entry_try_new(key.name, &shape), NONE);
        } else {
            assert_false(keyspace_delete(keyspace, &key, false));
        }
        keyspace_validate(keyspace);
        assert_int_equal(keyspace_size(keyspace), way < 3);
        assert_true((look(fixture, "k") != NULL) == (way < 3));
        assert_true((fetch(fixture, "k") != NULL) == (way < 3));
        assert_int_equal(keyspace->databases[0].graced, way == 1);
    }
}

static void test_what_keeps_it_and_what_does_not(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    struct key key = key_of(fixture, "k");
    store(fixture, "k", "value", START_MS + 1000, 5000);
    /* Another deadline, none, one again. */
    struct entry *entry = keyspace_write(keyspace, &key);
    entry = keyspace_set_deadline(keyspace, &key, entry, START_MS + 2000);
    assert_int_equal(entry_end(entry), START_MS + 7000);
    entry = keyspace_set_deadline(keyspace, &key, entry, NONE);
    assert_int_equal(entry_grace_ms(entry), 5000);
    assert_int_equal(entry_deadline(entry), NONE);
    keyspace_validate(keyspace);
    entry = keyspace_set_deadline(keyspace, &key, entry, START_MS + 3000);
    assert_int_equal(entry_end(entry), START_MS + 8000);
    /* A new value with the old deadline, in place and not. */
    static const char *const texts[] = {"eulav", "a longer value than there was", "12"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        entry = keyspace_write(keyspace, &key);
        entry = keyspace_assign_text(keyspace, &key, entry, bytes_text(texts[i]), NULL,
                                     KEYSPACE_KEEP_DEADLINE);
        assert_int_equal(entry_grace_ms(entry), 5000);
        assert_int_equal(entry_deadline(entry), START_MS + 3000);
        keyspace_validate(keyspace);
    }
    /* Copied and renamed. */
    struct key other = key_of(fixture, "other");
    struct entry *copy = value_try_copy(entry, other.name);
    keyspace_attach(keyspace, &other, copy, entry_deadline(entry));
    assert_int_equal(entry_end(copy), START_MS + 8000);
    assert_int_equal(keyspace->databases[0].graced, 2);
    keyspace_validate(keyspace);
    /* A value with a deadline of its own: gone. */
    for (int i = 0; i < 2; i++) {
        struct key *gone = i == 0 ? &key : &other;
        entry = keyspace_write(keyspace, gone);
        entry = keyspace_assign_text(keyspace, gone, entry, bytes_text("12"), NULL,
                                     i == 0 ? NONE : START_MS + 9);
        assert_int_equal(entry_grace_ms(entry), 0);
        keyspace_validate(keyspace);
    }
    assert_int_equal(keyspace->databases[0].graced, 0);
}

static void test_changing_what_it_carries(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    static struct extras extras;
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct key key = key_of(fixture, name);
    store(fixture, name, "value", START_MS + 1000, 5000);
    struct entry *entry = keyspace_write(keyspace, &key);
    extras_begin(&extras, entry_extras(entry));
    extras_set_grace(&extras, 7000);
    mem_fail_after(1);
    assert_null(keyspace_set_extras(keyspace, &key, entry, extras_run(&extras)));
    mem_fail_after(0);
    assert_int_equal(entry_end(look(fixture, name)), START_MS + 6000);
    keyspace_validate(keyspace);
    entry = keyspace_write(keyspace, &key);
    entry = keyspace_set_extras(keyspace, &key, entry, extras_run(&extras));
    assert_int_equal(entry_end(entry), START_MS + 8000);
    assert_int_equal(entry_deadline(entry), START_MS + 1000);
    keyspace_validate(keyspace);
    extras_set_grace(&extras, 0);
    entry = keyspace_set_extras(keyspace, &key, entry, extras_run(&extras));
    assert_false(entry->flags & ENTRY_HAS_EXTRAS);
    assert_int_equal(entry_end(entry), START_MS + 1000);
    keyspace_validate(keyspace);
    assert_int_equal(keyspace_flush(keyspace, 0, false), 1);
}

/* ---- against a model ---- */

#define KEYS 12

struct model_key {
    bool present;
    int64_t deadline_ms;
    int64_t grace_ms;
    int value;
};

static void assert_key(struct fixture *fixture, int index, const struct model_key *model) {
    char name[16];
    char text[16];
    snprintf(name, sizeof name, "key%d", index);
    snprintf(text, sizeof text, "v%d", model->value);
    int64_t now_ms = fixture->clock.now_ms;
    bool timed = model->deadline_ms != NONE;
    bool fresh = model->present && (!timed || model->deadline_ms > now_ms);
    bool there = model->present && (!timed || model->deadline_ms + model->grace_ms > now_ms);
    const struct entry *entry = look(fixture, name);
    assert_true((entry != NULL) == fresh);
    entry = fetch(fixture, name);
    assert_true((entry != NULL) == there);
    if (there) {
        char scratch[NUM_I64_SIZE];
        assert_true(bytes_equal(string_bytes(entry, scratch), bytes_text(text)));
        assert_int_equal(entry_deadline(entry), model->deadline_ms);
        assert_int_equal(entry_grace_ms(entry), model->grace_ms);
    }
}

static void step(struct fixture *fixture, struct random *random, struct model_key *model,
                 int index) {
    struct keyspace *keyspace = &fixture->keyspace;
    char name[16];
    char text[16];
    int64_t now_ms = fixture->clock.now_ms;
    int64_t deadline_ms = now_ms + 1 + (int64_t)random_below(random, 500);
    snprintf(name, sizeof name, "key%d", index);
    struct key key = key_of(fixture, name);
    struct entry *entry = keyspace_write(keyspace, &key);
    if (model->deadline_ms != NONE && model->deadline_ms + model->grace_ms <= now_ms) {
        model->present = false;
    }
    switch (random_below(random, 5)) {
    case 0:
        *model = (struct model_key){true, deadline_ms, (int64_t)random_below(random, 500),
                                    (int)random_below(random, 1000)};
        snprintf(text, sizeof text, "v%d", model->value);
        store(fixture, name, text, model->deadline_ms, model->grace_ms);
        break;
    case 1:
        *model = (struct model_key){true, random_below(random, 2) == 0 ? NONE : deadline_ms, 0,
                                    (int)random_below(random, 1000)};
        snprintf(text, sizeof text, "v%d", model->value);
        keyspace_assign_text(keyspace, &key, entry, bytes_text(text), NULL, model->deadline_ms);
        break;
    case 2:
        if (entry != NULL) {
            model->deadline_ms = random_below(random, 3) == 0 ? NONE : deadline_ms;
            keyspace_set_deadline(keyspace, &key, entry, model->deadline_ms);
        }
        break;
    case 3:
        model->present = false;
        keyspace_delete(keyspace, &key, false);
        break;
    default:
        if (entry != NULL) {
            static struct extras extras;
            model->grace_ms = (int64_t)random_below(random, 500);
            extras_begin(&extras, entry_extras(entry));
            extras_set_grace(&extras, model->grace_ms);
            keyspace_set_extras(keyspace, &key, entry, extras_run(&extras));
        }
        break;
    }
}

static void test_against_a_model(void **state) {
    struct fixture *fixture = *state;
    struct random random;
    random_init(&random, 3);
    struct model_key model[KEYS] = {{false, 0, 0, 0}};
    for (int i = 0; i < 20000; i++) {
        int index = (int)random_below(&random, KEYS);
        if (random_below(&random, 4) == 0) {
            pass_time(fixture, (int64_t)random_below(&random, 200));
        }
        if (random_below(&random, 8) == 0) {
            expire(fixture);
        }
        step(fixture, &random, &model[index], index);
        for (int k = 0; k < KEYS; k++) {
            assert_key(fixture, k, &model[k]);
        }
        if (i % 16 == 0) {
            keyspace_validate(&fixture->keyspace);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_fresh_over_stale_to_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stale_one_gives_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_keeps_it_and_what_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_changing_what_it_carries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_against_a_model, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
