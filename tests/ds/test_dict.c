/* Tests of ds/dict.c, against a model: an array of all entries that should be there. Segments are
 * shrunk to four buckets in test builds, so that every growth crosses segments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"
#include "ds/dict.h"
#include "support/uniform.h"

#define KEYS 6000

struct model {
    struct dict dict;
    struct entry *entries[KEYS]; /* NULL: not there */
    size_t size;
};

static struct entry *entry_named(int number) {
    char name[32];
    int size = snprintf(name, sizeof name, "key:%d", number);
    struct entry_shape shape = {.type = ENTRY_STRING, .encoding = ENTRY_NOTHING};
    return entry_try_new(bytes_of(name, (size_t)size), &shape);
}

static int number_of(const struct entry *e) {
    int number = 0;
    struct bytes key = entry_key(e);
    for (size_t i = 4; i < key.size; i++) {
        number = number * 10 + (key.at[i] - '0');
    }
    return number;
}

static uint64_t hash_of(const struct model *m, const struct entry *e) {
    return m->dict.by_address ? hash_mix((uintptr_t)e) : dict_hash(&m->dict, entry_key(e));
}

static uint64_t *find(const struct model *m, const struct entry *e) {
    struct bytes key = entry_key(e);
    return m->dict.by_address ? dict_find_entry(&m->dict, hash_of(m, e), e)
                              : dict_find(&m->dict, hash_of(m, e), key.at, key.size);
}

static void model_insert(struct model *m, int number) {
    struct entry *e = entry_named(number);
    assert_null(find(m, e));
    dict_insert(&m->dict, hash_of(m, e), e);
    m->entries[number] = e;
    m->size++;
}

static void model_remove(struct model *m, int number) {
    struct entry *e = m->entries[number];
    uint64_t *slot = find(m, e);
    assert_non_null(slot);
    assert_ptr_equal(dict_slot_entry(*slot), e);
    assert_ptr_equal(dict_remove(&m->dict, hash_of(m, e), slot), e);
    assert_null(find(m, e));
    entry_free(e);
    m->entries[number] = NULL;
    m->size--;
}

static void model_check(struct model *m) {
    dict_validate(&m->dict);
    assert_int_equal(dict_size(&m->dict), m->size);
    for (int i = 0; i < KEYS; i++) {
        if (m->entries[i] != NULL) {
            assert_non_null(find(m, m->entries[i]));
        }
    }
}

static struct model *model_new(bool by_address) {
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    hash_seed_set(42);
    dict_init(&m->dict, MEM_TABLE, by_address);
    return m;
}

static void model_free(struct model *m) {
    for (int i = 0; i < KEYS; i++) {
        if (m->entries[i] != NULL) {
            model_remove(m, i);
        }
    }
    assert_int_equal(dict_size(&m->dict), 0);
    dict_clear(&m->dict);
    assert_int_equal(dict_footprint(&m->dict), 0);
    free(m);
}

static void empty_dict_finds_nothing(void **state) {
    (void)state;
    struct dict dict;
    struct random random;
    random_init(&random, 1);
    dict_init(&dict, MEM_TABLE, false);
    assert_null(dict_find(&dict, 7, "x", 1));
    assert_null(dict_random(&dict, &random));
    struct entry *out[1];
    assert_int_equal(dict_sample(&dict, &random, out, 1), 0);
    assert_int_equal(dict_drain(&dict, out, 1), 0);
    assert_int_equal(dict_scan(&dict, 0, NULL, NULL), 0);
    dict_prefetch_bucket(&dict, 1);
    dict_prefetch_entry(&dict, 1);
    assert_int_equal(dict_footprint(&dict), 0);
    dict_validate(&dict);
    dict_clear(&dict);
}

static void grows_and_shrinks(void **state) {
    for (int by_address = 0; by_address < 2; by_address++) {
        struct model *m = model_new(by_address);
        for (int i = 0; i < KEYS; i++) {
            model_insert(m, i);
            if (i < 300 || i % 97 == 0) {
                dict_validate(&m->dict);
            }
        }
        model_check(m);
        for (int i = 0; i < KEYS; i++) {
            model_remove(m, (int)((unsigned)i * 7919u % KEYS));
            if (i % 97 == 0 || i > KEYS - 300) {
                dict_validate(&m->dict);
            }
        }
        model_free(m);
    }
    (void)state;
}

static void random_work_agrees_with_the_model(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 7);
    struct model *m = model_new(false);
    for (int phase = 0; phase < 12; phase++) {
        /* Phases lean towards growing or towards shrinking. */
        uint64_t lean = phase % 2 == 0 ? 80 : 15;
        for (int i = 0; i < 6000; i++) {
            int number = (int)random_below(&random, KEYS);
            if (m->entries[number] == NULL && random_below(&random, 100) < lean) {
                model_insert(m, number);
            } else if (m->entries[number] != NULL && random_below(&random, 100) >= lean) {
                model_remove(m, number);
            }
        }
        model_check(m);
    }
    model_free(m);
}

static void replaces_in_a_slot(void **state) {
    (void)state;
    struct model *m = model_new(false);
    for (int i = 0; i < 100; i++) {
        model_insert(m, i);
    }
    for (int i = 0; i < 100; i++) {
        struct entry *e = entry_named(i);
        dict_replace(find(m, m->entries[i]), e);
        entry_free(m->entries[i]);
        m->entries[i] = e;
    }
    model_check(m);
    model_free(m);
}

struct seen {
    int count[KEYS];
};

static void note_seen(void *context, struct entry *e) {
    struct seen *seen = context;
    seen->count[number_of(e)]++;
}

/* Whatever is there all along is visited, while the dict grows or shrinks between the steps. */
static void scan_keeps_its_promise(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 3);
    for (int round = 0; round < 60; round++) {
        struct model *m = model_new(false);
        struct seen *seen = calloc(1, sizeof *seen);
        int stay = (int)random_below(&random, 400) + 1;
        int others = (int)random_below(&random, 3000);
        bool growing = round % 2 == 0;
        for (int i = 0; i < stay; i++) {
            model_insert(m, i);
        }
        for (int i = 0; i < others && !growing; i++) {
            model_insert(m, stay + i);
        }
        int next = stay;
        uint64_t cursor = 0;
        int steps = 0;
        do {
            cursor = dict_scan(&m->dict, cursor, note_seen, seen);
            uint64_t changes = random_below(&random, 40);
            for (uint64_t i = 0; i < changes && next < stay + others; i++, next++) {
                if (growing) {
                    model_insert(m, next);
                } else {
                    model_remove(m, next);
                }
            }
            assert_true(++steps < 100000);
        } while (cursor != 0);
        for (int i = 0; i < stay; i++) {
            assert_true(seen->count[i] >= 1);
        }
        free(seen);
        model_free(m);
    }
}

static void scan_of_a_quiet_dict_visits_each_once(void **state) {
    (void)state;
    for (int size = 0; size < 200; size++) {
        struct model *m = model_new(false);
        struct seen *seen = calloc(1, sizeof *seen);
        for (int i = 0; i < size; i++) {
            model_insert(m, i);
        }
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(&m->dict, cursor, note_seen, seen);
            assert_true(cursor == 0 || cursor < (uint64_t)m->dict.bucket_count * 2);
        } while (cursor != 0);
        for (int i = 0; i < size; i++) {
            assert_int_equal(seen->count[i], 1);
        }
        free(seen);
        model_free(m);
    }
}

static void walks_visit_each_once(void **state) {
    (void)state;
    for (int size = 0; size < 200; size++) {
        struct model *m = model_new(false);
        struct seen *seen = calloc(1, sizeof *seen);
        struct dict_walk walk = {0};
        struct entry *out[9];
        size_t count;
        for (int i = 0; i < size; i++) {
            model_insert(m, i);
        }
        while ((count = dict_walk(&m->dict, &walk, out, 1 + (size_t)size % 9)) > 0) {
            for (size_t i = 0; i < count; i++) {
                note_seen(seen, out[i]);
            }
        }
        assert_int_equal(dict_walk(&m->dict, &walk, out, 9), 0);
        for (int i = 0; i < size; i++) {
            assert_int_equal(seen->count[i], 1);
        }
        free(seen);
        model_free(m);
    }
}

static void drains_to_nothing(void **state) {
    (void)state;
    for (int size = 1; size < KEYS; size = size * 2 + 1) {
        struct model *m = model_new(false);
        for (int i = 0; i < size; i++) {
            model_insert(m, i);
        }
        struct entry *out[5];
        size_t count;
        while ((count = dict_drain(&m->dict, out, 5)) > 0) {
            for (size_t i = 0; i < count; i++) {
                int number = number_of(out[i]);
                assert_ptr_equal(m->entries[number], out[i]);
                m->entries[number] = NULL;
                entry_free(out[i]);
                m->size--;
            }
            dict_validate(&m->dict);
            assert_int_equal(dict_size(&m->dict), m->size);
            if (size < 2000) {
                model_check(m);
            }
        }
        assert_int_equal(m->size, 0);
        assert_int_equal(dict_footprint(&m->dict), 0);
        model_free(m);
    }
}

static void check_uniform(struct model *m, struct random *random) {
    unsigned counts[1000];
    int size = 0;
    int place[KEYS];
    for (int i = 0; i < KEYS; i++) {
        if (m->entries[i] != NULL) {
            counts[size] = 0;
            place[i] = size++;
        }
    }
    for (int i = 0; i < size * UNIFORM_DRAWS; i++) {
        counts[place[number_of(dict_random(&m->dict, random))]]++;
    }
    assert_uniform(counts, (size_t)size, 1);
}

/* In dicts that have grown, that have shrunk, and that are being drained. */
static void random_entries_are_uniform(void **state) {
    (void)state;
    static const int sizes[] = {2, 7, 8, 20, 100, 1000};
    struct random random;
    random_init(&random, 9);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct model *m = model_new(false);
        for (int k = 0; k < sizes[i]; k++) {
            model_insert(m, k);
        }
        check_uniform(m, &random);
        for (int k = sizes[i]; k < KEYS; k++) {
            model_insert(m, k);
        }
        for (int k = 0; k < KEYS - sizes[i]; k++) {
            model_remove(m, k);
        }
        check_uniform(m, &random);
        struct entry *drained[5];
        while (m->size > 3) {
            size_t count = dict_drain(&m->dict, drained, m->size < 10 ? 1 : 5);
            for (size_t k = 0; k < count; k++) {
                m->entries[number_of(drained[k])] = NULL;
                entry_free(drained[k]);
                m->size--;
            }
            if (m->size == (size_t)sizes[i] / 10 * 5) {
                check_uniform(m, &random);
            }
        }
        model_free(m);
    }
}

/* Chains of very different lengths, which hashes of the test's choice make. */
static void random_entries_of_long_chains_are_uniform(void **state) {
    (void)state;
    enum { SIZE = 100 };
    struct dict dict;
    struct random random;
    unsigned counts[SIZE] = {0};
    random_init(&random, 5);
    dict_init(&dict, MEM_TABLE, false);
    for (int i = 0; i < SIZE; i++) {
        dict_insert(&dict, i < 60 ? 0 : (uint64_t)i, entry_named(i));
    }
    for (int i = 0; i < SIZE * UNIFORM_DRAWS; i++) {
        counts[number_of(dict_random(&dict, &random))]++;
    }
    assert_uniform(counts, SIZE, 1);
    struct entry *drained;
    while (dict_drain(&dict, &drained, 1) > 0) {
        entry_free(drained);
    }
}

static void samples_are_of_the_dict(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 9);
    struct model *m = model_new(false);
    for (int i = 0; i < 100; i++) {
        model_insert(m, i);
    }
    struct entry *out[64];
    size_t count = dict_sample(&m->dict, &random, out, 64);
    assert_true(count > 0 && count <= 64);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(m->entries[number_of(out[i])], out[i]);
    }
    model_free(m);
}

static void footprint_is_what_was_allocated(void **state) {
    (void)state;
    struct model *m = model_new(false);
    size_t before = mem_used_by(MEM_TABLE);
    for (int i = 0; i < 3000; i++) {
        model_insert(m, i);
        if (i % 100 == 0) {
            assert_int_equal(mem_used_by(MEM_TABLE) - before, dict_footprint(&m->dict));
        }
    }
    model_free(m);
    assert_int_equal(mem_used_by(MEM_TABLE), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_dict_finds_nothing),
        cmocka_unit_test(grows_and_shrinks),
        cmocka_unit_test(random_work_agrees_with_the_model),
        cmocka_unit_test(replaces_in_a_slot),
        cmocka_unit_test(scan_keeps_its_promise),
        cmocka_unit_test(scan_of_a_quiet_dict_visits_each_once),
        cmocka_unit_test(walks_visit_each_once),
        cmocka_unit_test(drains_to_nothing),
        cmocka_unit_test(random_entries_are_uniform),
        cmocka_unit_test(random_entries_of_long_chains_are_uniform),
        cmocka_unit_test(samples_are_of_the_dict),
        cmocka_unit_test(footprint_is_what_was_allocated),
    };
    return cmocka_run_group_tests_name("ds/dict", tests, NULL, NULL);
}
