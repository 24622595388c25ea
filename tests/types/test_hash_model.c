/* Tests of types/hash against a model: long runs of random commands on a hash and on a plain list
 * of fields alike, in every encoding, while time goes on; also scans, random fields, copies and
 * failing allocations. */
#include "types/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "support/uniform.h"

#define NOW 1700000000000

static const struct hash_options defaults = {.pack_entries_max = 512, .pack_value_max = 64};
static const struct hash_options long_packs = {.pack_entries_max = 512, .pack_value_max = 1000};
static const struct hash_options no_packs = {.pack_entries_max = 0, .pack_value_max = 64};

/* The model: fields are chosen from a fixed set of names, so an array by number will do. */
#define NAMES_MAX 1500
struct model_field {
    bool exists;
    struct bytes value;
    int64_t deadline_ms; /* or ENTRY_NO_DEADLINE */
    unsigned seen;
};
struct model {
    struct model_field fields[NAMES_MAX];
    size_t names;
    int64_t now_ms;
    size_t told; /* fields of which it was told that they expire */
};

/* From this number on names are so long that making room for them may fail. */
#define LONG_NAMES_FROM 1400
#define NAME_SIZE       400

/* The name of field `i`: some are numbers, some long, some binary. */
static struct bytes name_of(size_t i, char *out) {
    if (i >= LONG_NAMES_FROM) {
        memset(out, 'n', 300);
        return bytes_of(out, 300 + (size_t)sprintf(out + 300, "%zu", i));
    }
    switch (i % 4) {
    case 0:
        return bytes_of(out, (size_t)sprintf(out, "%zu", i));
    case 1:
        return bytes_of(out, (size_t)sprintf(out, "field:%zu", i));
    case 2:
        return bytes_of(out, (size_t)sprintf(out, "%zu\r\n", i) + 1); /* with the NUL */
    default:
        return bytes_of(out, (size_t)sprintf(out, "a somewhat longer name of a field %zu", i));
    }
}
static size_t number_of(struct bytes name) {
    size_t number = 0;
    for (size_t i = 0; i < name.size; i++) {
        if (name.at[i] >= '0' && name.at[i] <= '9') {
            number = number * 10 + (size_t)(name.at[i] - '0');
        }
    }
    assert_true(number < NAMES_MAX);
    return number;
}

static bool model_live(const struct model *model, size_t i) {
    const struct model_field *field = &model->fields[i];
    return field->exists &&
           (field->deadline_ms == ENTRY_NO_DEADLINE || field->deadline_ms > model->now_ms);
}

static size_t model_count(const struct model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->names; i++) {
        count += model_live(model, i);
    }
    return count;
}

static void model_set(struct model *model, size_t i, struct bytes value, int64_t deadline_ms) {
    struct model_field *field = &model->fields[i];
    if (deadline_ms == HASH_KEEP_DEADLINE) {
        deadline_ms = model_live(model, i) ? field->deadline_ms : ENTRY_NO_DEADLINE;
    }
    free((void *)(uintptr_t)field->value.at);
    char *copy = malloc(value.size + 1);
    assert_non_null(copy);
    memcpy(copy, value.at, value.size);
    *field = (struct model_field){
        .exists = true, .value = bytes_of(copy, value.size), .deadline_ms = deadline_ms};
}

static void model_free(struct model *model) {
    for (size_t i = 0; i < model->names; i++) {
        free((void *)(uintptr_t)model->fields[i].value.at);
    }
    free(model);
}

static struct model *model_new(size_t names) {
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->names = names;
    model->now_ms = NOW;
    return model;
}

static struct entry *new_hash(void) {
    struct entry_shape shape = hash_new_shape();
    struct entry *hash = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(hash);
    return hash;
}

static void free_hash(struct entry *hash) {
    hash_free(hash);
    entry_free(hash);
}

/* A visited field is one of the model's, with its value and deadline. */
static void note_seen(void *context, const struct hash_field *field) {
    struct model *model = context;
    size_t i = number_of(field->name);
    char room[NAME_SIZE];
    assert_true(bytes_equal(field->name, name_of(i, room)));
    assert_true(model_live(model, i));
    assert_true(bytes_equal(field->value, model->fields[i].value));
    assert_true(field->deadline_ms == model->fields[i].deadline_ms);
    assert_true(field->blob == NULL || bytes_equal(blob_bytes(field->blob), field->value));
    model->fields[i].seen++;
}

static void forget_seen(struct model *model) {
    for (size_t i = 0; i < model->names; i++) {
        model->fields[i].seen = 0;
    }
}

static void assert_all_seen_once(struct model *model) {
    for (size_t i = 0; i < model->names; i++) {
        assert_int_equal(model->fields[i].seen, model_live(model, i) ? 1 : 0);
        model->fields[i].seen = 0;
    }
}

static void assert_same(const struct entry *hash, struct model *model) {
    hash_validate(hash);
    assert_int_equal(hash_length(hash, model->now_ms), model_count(model));
    int64_t earliest_ms = INT64_MAX;
    for (size_t i = 0; i < model->names; i++) {
        char room[NAME_SIZE];
        struct bytes name = name_of(i, room);
        struct hash_value value;
        bool is_there = hash_get(hash, element_name_of(name), model->now_ms, &value);
        assert_int_equal(is_there, model_live(model, i));
        assert_int_equal(hash_exists(hash, element_name_of(name), model->now_ms), is_there);
        int64_t deadline_ms = hash_deadline(hash, element_name_of(name), model->now_ms);
        assert_true(deadline_ms == (is_there ? model->fields[i].deadline_ms : HASH_NO_FIELD));
        if (is_there) {
            assert_true(bytes_equal(value.text, model->fields[i].value));
            if (deadline_ms > 0 && deadline_ms < earliest_ms) {
                earliest_ms = deadline_ms;
            }
        }
    }
    if (earliest_ms != INT64_MAX) {
        assert_true(hash_has_deadlines(hash));
        assert_true(hash_next_deadline(hash) <= earliest_ms);
    }
    forget_seen(model);
    hash_visit(hash, model->now_ms, note_seen, model);
    assert_all_seen_once(model);
}

static struct bytes random_value(struct random *random, char *out, size_t big) {
    switch (random_below(random, 8)) {
    case 0:
        return bytes_of(out, 0);
    case 1:
    case 2:
        return bytes_of(
            out, num_format_i64(out, (int64_t)random_next(random) >> random_below(random, 64)));
    default: {
        static const size_t sizes[] = {1, 7, 8, 30, 60, 64, 65, 200, 999, 1000, 1001, 5000};
        size_t size = sizes[random_below(random, big)];
        memset(out, (int)random_below(random, 256), size);
        return bytes_of(out, size);
    }
    }
}
#define VALUES_SMALL  6
#define VALUES_ALL    12
#define VALUE_SIZE    5000
#define DEADLINES_FAR 100000

static int64_t random_deadline(struct random *random, const struct model *model) {
    return model->now_ms + 1 +
           (int64_t)random_below(random, random_below(random, 2) == 0 ? 300 : DEADLINES_FAR);
}

static void random_set(struct random *random, struct entry *hash, const struct hash_options *limits,
                       struct model *model, size_t i, size_t big) {
    char room[NAME_SIZE];
    char value_room[VALUE_SIZE];
    struct hash_write write = {.field = element_name_of(name_of(i, room)),
                               .value = random_value(random, value_room, big)};
    static const int64_t kinds[] = {ENTRY_NO_DEADLINE, HASH_KEEP_DEADLINE, 0};
    write.deadline_ms = kinds[random_below(random, 3)];
    if (write.deadline_ms == 0) {
        write.deadline_ms = random_deadline(random, model);
    }
    if (random_below(random, 3) == 0) {
        write.blob = blob_try_copy(write.value);
        assert_non_null(write.blob);
    }
    int expected = model_live(model, i) ? 0 : 1;
    assert_int_equal(hash_set(hash, limits, &write, model->now_ms), expected);
    model_set(model, i, write.value, write.deadline_ms);
}

/* What is told to expire is a field whose time has come. */
static void on_gone(void *context, struct bytes name) {
    struct model *model = context;
    size_t i = number_of(name);
    char room[NAME_SIZE];
    assert_true(bytes_equal(name_of(i, room), name));
    assert_true(model->fields[i].exists && !model_live(model, i));
    model->told++;
}

/* One random change of both, or a look. */
static void random_step(struct random *random, struct entry *hash,
                        const struct hash_options *limits, struct model *model, size_t big) {
    size_t i = random_below(random, model->names);
    struct model_field *field = &model->fields[i];
    bool live = model_live(model, i);
    char room[NAME_SIZE];
    struct bytes name = name_of(i, room);
    switch (random_below(random, 10)) {
    case 0:
    case 1:
        assert_int_equal(hash_delete(hash, element_name_of(name), model->now_ms), live);
        field->exists = live ? false : field->exists;
        break;
    case 2: {
        int64_t deadline_ms = random_deadline(random, model);
        int result = hash_set_deadline(hash, element_name_of(name), deadline_ms, model->now_ms);
        assert_int_equal(result, live ? 0 : -ENOENT);
        field->deadline_ms = live ? deadline_ms : field->deadline_ms;
        break;
    }
    case 3: {
        int result = hash_persist(hash, element_name_of(name), model->now_ms);
        bool had = live && field->deadline_ms != ENTRY_NO_DEADLINE;
        assert_int_equal(result, !live ? -ENOENT : had ? 0 : -ENODATA);
        field->deadline_ms = live ? ENTRY_NO_DEADLINE : field->deadline_ms;
        break;
    }
    case 4: {
        model->now_ms += (int64_t)random_below(random, 60);
        bool done;
        size_t max = 1 + random_below(random, 5);
        size_t told = model->told;
        const struct hash_gone gone = {.fn = on_gone, .context = model};
        size_t removed = hash_expire_due(hash, model->now_ms, max, &gone, &done);
        assert_true(removed <= max);
        assert_int_equal(model->told - told, removed);
        break;
    }
    default:
        random_set(random, hash, limits, model, i, big);
    }
}

/* Runs random commands with the given limits, and ends with the hash in that encoding. */
static void run_random(uint64_t seed, const struct hash_options *limits, size_t names, size_t big,
                       const char *encoding) {
    struct random random;
    random_init(&random, seed);
    size_t used_before = mem_used();
    struct model *model = model_new(names);
    struct entry *hash = new_hash();
    for (unsigned i = 0; i < 3000; i++) {
        random_step(&random, hash, limits, model, big);
        if (i % 100 == 0) {
            assert_same(hash, model);
        }
        if (i % 500 == 0) {
            assert_int_equal(mem_used() - used_before,
                             hash_footprint(hash, 0) + entry_footprint(hash));
        }
    }
    assert_same(hash, model);
    assert_string_equal(hash_encoding_name(hash), encoding);

    /* Everything with a deadline goes when its time has come, in slices. */
    model->now_ms += DEADLINES_FAR + 1;
    assert_same(hash, model);
    bool done = false;
    for (unsigned i = 0; !done; i++) {
        assert_true(i < 100000);
        hash_expire_due(hash, model->now_ms, 3, NULL, &done);
    }
    assert_same(hash, model);
    assert_false(hash_has_deadlines(hash));
    assert_int_equal(hash_is_empty(hash), model_count(model) == 0);
    free_hash(hash);
    model_free(model);
    assert_int_equal(mem_used(), used_before);
}

static void test_random_commands_on_packs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run_random(seed, &defaults, 80, VALUES_SMALL, "listpackex");
    }
}

static void test_random_commands_on_tables(void **state) {
    (void)state;
    for (uint64_t seed = 11; seed <= 15; seed++) {
        run_random(seed, &no_packs, 200, VALUES_ALL, "hashtable");
    }
}

static void test_random_commands_through_conversion(void **state) {
    (void)state;
    struct hash_options limits = {.pack_entries_max = 100, .pack_value_max = 64};
    for (uint64_t seed = 21; seed <= 25; seed++) {
        run_random(seed, &limits, 400, VALUES_SMALL, "hashtable");
        run_random(seed, &defaults, 60, VALUES_ALL, "hashtable");
    }
}

static void check_copy(const struct hash_options *limits) {
    struct random random;
    random_init(&random, 5);
    struct model *model = model_new(100);
    struct entry *hash = new_hash();
    for (unsigned i = 0; i < 300; i++) {
        random_set(&random, hash, limits, model, random_below(&random, 100), VALUES_SMALL);
    }
    struct entry_shape shape;
    assert_int_equal(hash_copy(hash, &shape), 0);
    struct entry *copy = entry_try_new(bytes_text("copy"), &shape);
    assert_string_equal(hash_encoding_name(copy), hash_encoding_name(hash));
    /* Neither knows of the other. */
    hash_visit(hash, INT64_MIN, note_seen, model);
    forget_seen(model);
    assert_same(copy, model);
    free_hash(hash);
    assert_same(copy, model);
    bool done;
    model->now_ms += DEADLINES_FAR + 1;
    hash_expire_due(copy, model->now_ms, 1000, NULL, &done);
    assert_true(done);
    assert_same(copy, model);
    free_hash(copy);
    model_free(model);
}

static void test_copy(void **state) {
    (void)state;
    check_copy(&defaults);
    check_copy(&no_packs);
}

/* What is there from the first to the last step of a scan is seen, while other fields expire, are
 * deleted and added, and the pack becomes a table in the middle. */
static void test_scan_while_it_changes(void **state) {
    (void)state;
    for (size_t names = 10; names <= NAMES_MAX; names *= 5) {
        struct model *model = model_new(names);
        struct entry *hash = new_hash();
        char room[NAME_SIZE];
        for (size_t i = 0; i < names; i++) {
            struct hash_write write = {.field = element_name_of(name_of(i, room)),
                                       .value = bytes_text("v")};
            write.deadline_ms = i % 3 == 0 ? NOW + 50 : ENTRY_NO_DEADLINE;
            assert_int_equal(hash_set(hash, &no_packs, &write, NOW), 1);
            model_set(model, i, write.value, write.deadline_ms);
        }
        uint64_t cursor = 0;
        size_t steps = 0;
        size_t next = 1;
        do {
            cursor = hash_scan(hash, cursor, model->now_ms, note_seen, model);
            steps++;
            if (steps == 3) {
                model->now_ms = NOW + 50;
                bool done;
                hash_expire_due(hash, model->now_ms, names / 6, NULL, &done);
            }
            if (next < names) {
                assert_true(hash_delete(hash, element_name_of(name_of(next, room)), model->now_ms));
                model->fields[next].exists = false;
                next += 3;
            }
            assert_true(steps < 10 * names + 10);
        } while (cursor != 0);
        for (size_t i = 2; i < names; i += 3) {
            assert_true(model->fields[i].seen >= 1);
        }
        assert_same(hash, model);
        free_hash(hash);
        model_free(model);
    }
}

static void check_random(const struct hash_options *limits, size_t names) {
    struct random random;
    random_init(&random, 77);
    struct model *model = model_new(names);
    struct entry *hash = new_hash();
    char room[NAME_SIZE];
    for (size_t i = 0; i < names; i++) {
        struct hash_write write = {.field = element_name_of(name_of(i, room)),
                                   .value = bytes_text("v")};
        write.deadline_ms = i % 2 == 0 ? NOW + 50 : ENTRY_NO_DEADLINE;
        hash_set(hash, limits, &write, NOW);
        model_set(model, i, write.value, write.deadline_ms);
    }
    for (unsigned turn = 0; turn < 2; turn++) {
        size_t live = model_count(model);
        forget_seen(model);
        /* In so many draws every field comes up sooner or later. */
        size_t draws = live * 60;
        assert_int_equal(hash_random(hash, model->now_ms, &random, draws, note_seen, model), draws);
        for (size_t i = 0; i < names; i++) {
            assert_int_equal(model->fields[i].seen > 0, model_live(model, i));
        }
        size_t counts[] = {0, 1, live / 4, live / 2, live - 1, live, live + 1, SIZE_MAX};
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            forget_seen(model);
            size_t expected = counts[c] < live ? counts[c] : live;
            assert_int_equal(
                hash_random_distinct(hash, model->now_ms, &random, counts[c], note_seen, model),
                expected);
            size_t seen = 0;
            for (size_t i = 0; i < names; i++) {
                assert_true(model->fields[i].seen <= 1);
                seen += model->fields[i].seen;
            }
            assert_int_equal(seen, expected);
        }
        /* The second time with half of them expired and still there. */
        model->now_ms = NOW + 50;
    }
    free_hash(hash);
    model_free(model);
}

static void test_random_fields(void **state) {
    (void)state;
    check_random(&defaults, 8);
    check_random(&defaults, 300);
    check_random(&no_packs, 8);
    check_random(&no_packs, 1000);
}

/* Draws one by one, and several different ones at once; a third of the fields are expired. */
static void check_uniform(const struct hash_options *limits, size_t live) {
    struct random random;
    random_init(&random, 6);
    unsigned *counts = malloc(live * sizeof *counts);
    assert_non_null(counts);
    struct model *model = model_new(live + live / 2);
    struct entry *hash = new_hash();
    char room[NAME_SIZE];
    for (size_t i = 0; i < live + live / 2; i++) {
        struct hash_write write = {.field = element_name_of(name_of(i, room)),
                                   .value = bytes_text("v")};
        write.deadline_ms = i >= live ? NOW + 50 : ENTRY_NO_DEADLINE;
        hash_set(hash, limits, &write, NOW);
        model_set(model, i, write.value, write.deadline_ms);
    }
    model->now_ms = NOW + 50;
    const size_t at_once[] = {1, 2, live / 4, live / 2};
    for (size_t k = 0; k < sizeof at_once / sizeof *at_once; k++) {
        forget_seen(model);
        for (size_t drawn = 0; drawn < live * UNIFORM_DRAWS; drawn += at_once[k]) {
            if (at_once[k] == 1) {
                hash_random(hash, NOW + 50, &random, 1, note_seen, model);
            } else {
                hash_random_distinct(hash, NOW + 50, &random, at_once[k], note_seen, model);
            }
        }
        for (size_t i = 0; i < live; i++) {
            counts[i] = (unsigned)model->fields[i].seen;
        }
        assert_uniform(counts, live, at_once[k]);
    }
    free(counts);
    free_hash(hash);
    model_free(model);
}

static void test_random_fields_are_uniform(void **state) {
    (void)state;
    check_uniform(&defaults, 20);
    check_uniform(&defaults, 100);
    check_uniform(&no_packs, 20);
    check_uniform(&no_packs, 100);
    check_uniform(&no_packs, 1000);
}

/* With one live field among many expired ones, it is still found. */
static void test_random_field_among_expired(void **state) {
    (void)state;
    struct model *model = model_new(1000);
    struct entry *hash = new_hash();
    char room[NAME_SIZE];
    for (size_t i = 0; i < 1000; i++) {
        struct hash_write write = {.field = element_name_of(name_of(i, room)),
                                   .value = bytes_text("v")};
        write.deadline_ms = i == 700 ? ENTRY_NO_DEADLINE : NOW + 1;
        hash_set(hash, &no_packs, &write, NOW);
        model_set(model, i, write.value, write.deadline_ms);
    }
    model->now_ms = NOW + 1;
    struct random random;
    random_init(&random, 3);
    assert_int_equal(hash_random(hash, NOW + 1, &random, 4, note_seen, model), 4);
    assert_int_equal(model->fields[700].seen, 4);
    assert_int_equal(hash_random_distinct(hash, NOW + 1, &random, 4, note_seen, model), 1);
    free_hash(hash);
    model_free(model);
}

/* Fails each allocation in turn that may fail: the hash is unchanged then, and works afterwards. */
static void check_no_memory(bool is_table, bool is_new) {
    char big[3000];
    memset(big, 'z', sizeof big);
    for (uint64_t nth = 1;; nth++) {
        size_t used_before = mem_used();
        struct model *model = model_new(LONG_NAMES_FROM + 4);
        struct entry *hash = new_hash();
        char room[NAME_SIZE];
        for (size_t i = LONG_NAMES_FROM; i < LONG_NAMES_FROM + 3; i++) {
            struct hash_write write = {.field = element_name_of(name_of(i, room)),
                                       .value = bytes_text("v"),
                                       .deadline_ms = NOW + 10};
            assert_int_equal(hash_set(hash, is_table ? &no_packs : &long_packs, &write, NOW), 1);
            model_set(model, i, write.value, write.deadline_ms);
        }
        size_t number = LONG_NAMES_FROM + (is_new ? 3 : 1);
        struct hash_write write = {.field = element_name_of(name_of(number, room)),
                                   .value = bytes_of(big, sizeof big),
                                   .deadline_ms = ENTRY_NO_DEADLINE};
        mem_fail_after(nth);
        int result = hash_set(hash, &long_packs, &write, NOW);
        mem_fail_after(0);
        if (result >= 0) {
            model_set(model, number, write.value, write.deadline_ms);
        } else {
            assert_int_equal(result, -ENOMEM);
        }
        assert_same(hash, model);
        free_hash(hash);
        model_free(model);
        assert_int_equal(mem_used(), used_before);
        if (result >= 0) {
            assert_true(nth > 1);
            break;
        }
    }
}

static void test_no_memory(void **state) {
    (void)state;
    check_no_memory(false, true);
    check_no_memory(true, true);
    check_no_memory(true, false);
}

static int set_up(void **state) {
    (void)state;
    hash_seed_set(42);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_commands_on_packs),
        cmocka_unit_test(test_random_commands_on_tables),
        cmocka_unit_test(test_random_commands_through_conversion),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_scan_while_it_changes),
        cmocka_unit_test(test_random_fields),
        cmocka_unit_test(test_random_fields_are_uniform),
        cmocka_unit_test(test_random_field_among_expired),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("types/hash_model", tests, set_up, NULL);
}
