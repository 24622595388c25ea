/* Tests of types/set against a model: long runs of random commands on a set and on an array of
 * flags alike, through every change of encoding; and each edge of the limits by itself. */
#include "types/set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/uniform.h"
#include "types/value.h"

#define NAMES_MAX 1200
#define NAME_SIZE 400

static const struct set_options defaults = {
    .integers_max = 512, .pack_entries_max = 128, .pack_value_max = 64};
static const struct set_options small = {
    .integers_max = 20, .pack_entries_max = 30, .pack_value_max = 12};
static const struct set_options large = {
    .integers_max = INT64_MAX, .pack_entries_max = INT64_MAX, .pack_value_max = INT64_MAX};
static const struct set_options no_packs = {.integers_max = 512};
static const struct set_options tables = {.integers_max = 0};

struct model {
    bool integers; /* names are such */
    bool there[NAMES_MAX];
    unsigned seen[NAMES_MAX];
    size_t names;
    size_t count;
};

static struct entry *new_set(const struct set_options *limits, const char *first, size_t count) {
    struct entry_shape shape = set_new_shape(limits, bytes_text(first), count);
    struct entry *set = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(set);
    return set;
}

static void free_set(struct entry *set) {
    set_free(set);
    entry_free(set);
}

/* Names of many lengths; some are integers, all are when the model says so. */
static struct bytes name_of(const struct model *model, size_t number, char *room) {
    static const int64_t bases[] = {0, -70000, 5000000000};
    int size;
    if (model->integers || number % 7 == 3) {
        size = sprintf(room, "%lld", (long long)(bases[number % 3] + (int64_t)number));
    } else {
        size = sprintf(room, "n%zu:", number);
        if (number % 50 == 0) {
            memset(room + size, 'x', 260);
            size += 260;
        } else {
            memset(room + size, '\0', number % 11);
            size += (int)(number % 11);
        }
    }
    return bytes_of(room, (size_t)size);
}

static size_t number_of(const struct model *model, struct bytes name) {
    char text[NAME_SIZE];
    size_t start = name.size > 0 && name.at[0] == 'n' ? 1 : 0;
    memcpy(text, name.at, name.size);
    text[name.size] = '\0';
    long long value = atoll(text + start);
    if (start == 0) {
        value -= value < -1000 ? -70000 : value >= 5000000000 ? 5000000000 : 0;
    }
    assert_in_range(value, 0, model->names - 1);
    char room[NAME_SIZE];
    assert_true(bytes_equal(name, name_of(model, (size_t)value, room)));
    return (size_t)value;
}

static void note_seen(void *context, struct bytes member) {
    struct model *model = context;
    model->seen[number_of(model, member)]++;
}

static void forget_seen(struct model *model) {
    memset(model->seen, 0, sizeof model->seen);
}

static size_t count_seen(const struct model *model, unsigned most) {
    size_t count = 0;
    for (size_t i = 0; i < model->names; i++) {
        assert_true(model->seen[i] <= most);
        assert_true(model->seen[i] == 0 || model->there[i]);
        count += model->seen[i];
    }
    return count;
}

/* Everything that reads agrees with the model. */
static void check_set(const struct entry *set, struct model *model) {
    char room[NAME_SIZE];
    set_validate(set);
    assert_int_equal(set_size(set), model->count);
    for (size_t i = 0; i < model->names; i++) {
        struct bytes name = name_of(model, i, room);
        assert_int_equal(set_has(set, name, set_hash(name)), model->there[i]);
    }
    forget_seen(model);
    uint64_t cursor = 0;
    do {
        cursor = set_scan(set, cursor, note_seen, model);
    } while (cursor != 0);
    assert_int_equal(count_seen(model, 1), model->count);
    forget_seen(model);
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        assert_in_range(batch.count, 1, SET_BATCH);
        for (size_t i = 0; i < batch.count; i++) {
            note_seen(model, batch.members[i]);
        }
    }
    assert_int_equal(count_seen(model, 1), model->count);
}

static void add_or_remove(struct entry *set, const struct set_options *limits, struct model *model,
                          size_t number, bool add) {
    char room[NAME_SIZE];
    struct bytes name = name_of(model, number, room);
    uint64_t hash = set_hash(name);
    bool was = model->there[number];
    if (!add) {
        assert_int_equal(set_remove(set, name, hash), was);
    } else if (!was && number % 2 == 0) {
        assert_int_equal(set_add_new(set, limits, name, hash), 0);
    } else {
        assert_int_equal(set_add(set, limits, name, hash), was ? 0 : 1);
    }
    model->there[number] = add;
    model->count = model->count - was + add;
}

static void note_gone(void *context, struct bytes member) {
    struct model *model = context;
    size_t number = number_of(model, member);
    assert_true(model->there[number]);
    model->there[number] = false;
    model->count--;
}

static void run(const struct set_options *limits, bool integers, size_t names,
                const char *encoding) {
    struct random random;
    random_init(&random, names);
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->integers = integers;
    model->names = names;
    size_t used = mem_used();
    char room[NAME_SIZE];
    struct bytes first = name_of(model, 3, room);
    room[first.size] = '\0';
    struct entry *set = new_set(limits, room, 1);
    for (int i = 0; i < 4000; i++) {
        bool growing = i / 1000 % 2 == 0;
        size_t lean = growing ? 80 : 20;
        add_or_remove(set, limits, model, random_below(&random, names),
                      random_below(&random, 100) < lean);
        if (model->count > 3 && random_below(&random, 40) == 0) {
            size_t before = model->count;
            size_t count =
                1 + random_below(&random, random_below(&random, 5) == 0 ? model->count - 1 : 3);
            set_pop(set, &random, count, note_gone, model);
            assert_int_equal(model->count, before - count);
        }
        if (i % 37 == 0) {
            check_set(set, model);
        }
    }
    for (size_t i = 0; i < names; i++) {
        add_or_remove(set, limits, model, i, true);
    }
    check_set(set, model);
    assert_string_equal(set_encoding_name(set), encoding);
    assert_int_equal(mem_used() - used, value_footprint(set, 0));
    free_set(set);
    assert_int_equal(mem_used(), used);
    free(model);
}

static void random_work_agrees_with_the_model(void **state) {
    (void)state;
    run(&defaults, true, 300, "intset");
    run(&defaults, true, 700, "hashtable");
    run(&small, true, 60, "hashtable");
    run(&defaults, false, 40, "hashtable"); /* one name is long */
    run(&large, false, 40, "listpack");
    run(&large, false, 400, "listpack");
    run(&small, false, 60, "hashtable");
    run(&tables, false, 300, "hashtable");
    run(&tables, true, 1000, "hashtable");
    run(&no_packs, false, 300, "hashtable");
}

static int add_text(struct entry *set, const struct set_options *limits, const char *member) {
    struct bytes bytes = bytes_text(member);
    return set_add(set, limits, bytes, set_hash(bytes));
}

/* A set begins as its first member and how many there will be ask for. */
static void first_encodings(void **state) {
    (void)state;
    static const struct {
        const char *first;
        size_t count;
        const char *encoding;
    } rows[] = {
        {"1", 1, "intset"},
        {"1", 512, "intset"},
        {"1", 513, "hashtable"},
        {"a", 1, "listpack"},
        {"a", 128, "listpack"},
        {"a", 129, "hashtable"},
        {"01", 1, "listpack"},
        {"", 1, "listpack"},
        {"-9223372036854775808", 1, "intset"},
        {"1.0", 1, "listpack"},
        {"9223372036854775808", 1, "listpack"},
        {"0123456789012345678901234567890123456789012345678901234567890123", 1, "listpack"},
        {"01234567890123456789012345678901234567890123456789012345678901234", 1, "hashtable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct entry *set = new_set(&defaults, rows[i].first, rows[i].count);
        assert_string_equal(set_encoding_name(set), rows[i].encoding);
        assert_int_equal(set_size(set), 0);
        assert_int_equal(add_text(set, &defaults, rows[i].first), 1);
        assert_int_equal(add_text(set, &defaults, rows[i].first), 0);
        assert_string_equal(set_encoding_name(set), rows[i].encoding);
        set_validate(set);
        free_set(set);
    }
    struct entry_shape shape = set_new_shape(&defaults, bytes_text("a"), 1000);
    set_discard(&shape);
    shape = set_new_shape(&defaults, bytes_text("1"), 1);
    set_discard(&shape);
}

/* What ends an array of integers: the 513th, a text, a long text, integers that are long texts. */
static void limits_of_integers(void **state) {
    (void)state;
    char name[32];
    for (int text = 0; text < 3; text++) {
        for (int count = 126; count < 130; count++) {
            struct entry *set = new_set(&defaults, "1", 1);
            for (int i = 0; i < count; i++) {
                snprintf(name, sizeof name, "%d", i);
                add_text(set, &defaults, name);
            }
            assert_string_equal(set_encoding_name(set), "intset");
            if (text == 0) {
                add_text(set, &defaults, "text");
                assert_string_equal(set_encoding_name(set), count < 128 ? "listpack" : "hashtable");
            } else if (text == 1) {
                add_text(set, &defaults,
                         "01234567890123456789012345678901234567890123456789012345678901234");
                assert_string_equal(set_encoding_name(set), "hashtable");
            } else {
                struct set_options narrow = defaults;
                narrow.pack_value_max = 2; /* less than what is there */
                add_text(set, &narrow, "t");
                assert_string_equal(set_encoding_name(set), "hashtable");
            }
            assert_int_equal(set_size(set), count + 1);
            set_validate(set);
            free_set(set);
        }
    }
    struct entry *set = new_set(&defaults, "1", 1);
    for (int i = 0; i < 513; i++) {
        snprintf(name, sizeof name, "%d", i);
        add_text(set, &defaults, name);
        assert_string_equal(set_encoding_name(set), i < 512 ? "intset" : "hashtable");
    }
    free_set(set);
}

/* Whatever the options say, compact sets do not become huge. */
static void compact_sets_stay_small(void **state) {
    (void)state;
    struct entry *set = new_set(&large, "1", 1);
    char name[32];
    for (int i = 0; strcmp(set_encoding_name(set), "intset") == 0; i++) {
        assert_true(i <= (1 << 20) / 8);
        snprintf(name, sizeof name, "%lld", 1000000000000LL + i);
        assert_int_equal(add_text(set, &large, name), 1);
    }
    assert_string_equal(set_encoding_name(set), "hashtable");
    free_set(set);

    size_t size = 300000;
    char *big = malloc(size + 1);
    assert_non_null(big);
    memset(big, 'b', size);
    big[size] = '\0';
    set = new_set(&large, "a", 1);
    for (unsigned i = 0; i < 4; i++) {
        big[0] = (char)('a' + i);
        assert_int_equal(add_text(set, &large, big), 1);
    }
    assert_string_equal(set_encoding_name(set), "hashtable");
    assert_int_equal(set_size(set), 4);
    set_validate(set);
    free_set(set);
    free(big);
}

/* A set of so many with these limits, and the model of it. */
static struct entry *filled(const struct set_options *limits, bool integers, size_t names,
                            struct model *model) {
    memset(model, 0, sizeof *model);
    model->integers = integers;
    model->names = names;
    struct entry *set = new_set(limits, integers ? "1" : "a", names);
    for (size_t i = 0; i < names; i++) {
        add_or_remove(set, limits, model, i, true);
    }
    return set;
}

static void check_random(const struct set_options *limits, bool integers, size_t names) {
    static struct model model;
    struct random random;
    random_init(&random, 17);
    struct entry *set = filled(limits, integers, names, &model);
    unsigned counts[NAMES_MAX];

    forget_seen(&model);
    set_random(set, &random, names * UNIFORM_DRAWS, note_seen, &model);
    assert_uniform(model.seen, names, 1);

    const size_t at_once[] = {2, names / 5, names / 2};
    for (size_t k = 0; k < sizeof at_once / sizeof *at_once; k++) {
        memset(counts, 0, sizeof counts);
        for (size_t drawn = 0; drawn < names * UNIFORM_DRAWS; drawn += at_once[k]) {
            forget_seen(&model);
            set_random_distinct(set, &random, at_once[k], note_seen, &model);
            assert_int_equal(count_seen(&model, 1), at_once[k]);
            for (size_t i = 0; i < names; i++) {
                counts[i] += model.seen[i];
            }
        }
        assert_uniform(counts, names, at_once[k]);

        /* The same for what is popped, and put back. */
        memset(counts, 0, sizeof counts);
        for (size_t drawn = 0; drawn < names * UNIFORM_DRAWS; drawn += at_once[k]) {
            set_pop(set, &random, at_once[k], note_gone, &model);
            for (size_t i = 0; i < names; i++) {
                if (!model.there[i]) {
                    counts[i]++;
                    add_or_remove(set, limits, &model, i, true);
                }
            }
        }
        assert_uniform(counts, names, at_once[k]);
    }
    forget_seen(&model);
    set_random_distinct(set, &random, SIZE_MAX, note_seen, &model);
    assert_int_equal(count_seen(&model, 1), names);
    check_set(set, &model);
    free_set(set);
}

static void random_members_are_uniform(void **state) {
    (void)state;
    static const size_t sizes[] = {20, 100, 1000};
    for (size_t i = 0; i < 3; i++) {
        check_random(&large, true, sizes[i]);
        check_random(&large, false, sizes[i]);
        check_random(&tables, false, sizes[i]);
    }
}

/* What is there all along is visited, while the rest comes and goes and the encoding changes. */
static void scan_keeps_its_promise(void **state) {
    (void)state;
    static struct model model;
    for (unsigned round = 0; round < 30; round++) {
        struct random random;
        random_init(&random, round);
        size_t stay = 100 + random_below(&random, 300);
        struct entry *set =
            filled(round % 3 == 0 ? &defaults : &tables, round % 2 == 0, 600, &model);
        forget_seen(&model);
        uint64_t cursor = 0;
        do {
            cursor = set_scan(set, cursor, note_seen, &model);
            for (int i = 0; i < 20; i++) {
                add_or_remove(set, &defaults, &model, stay + random_below(&random, 600 - stay),
                              random_below(&random, 3) == 0);
            }
        } while (cursor != 0);
        for (size_t i = 0; i < stay; i++) {
            assert_true(model.seen[i] > 0);
        }
        free_set(set);
    }
}

/* Batches keep what another set has, or has not, whatever the two are. */
static void batches_are_sifted(void **state) {
    (void)state;
    static struct model one;
    static struct model other;
    const struct set_options *const limits[] = {&defaults, &large, &tables};
    for (unsigned i = 0; i < 3 * 3 * 4; i++) {
        struct entry *a = filled(limits[i % 3], i / 9 % 2 == 0, 90, &one);
        struct entry *b = filled(limits[i / 3 % 3], i / 9 / 2 == 0, 90, &other);
        char room[NAME_SIZE];
        for (size_t k = 0; k < 90; k += 1 + k % 3) {
            add_or_remove(b, limits[i / 3 % 3], &other, k, false);
        }
        for (unsigned has = 0; has < 2; has++) {
            struct set_walk walk;
            struct set_batch batch;
            forget_seen(&one);
            set_walk_begin(&walk, a);
            while (set_walk_next(&walk, &batch)) {
                set_batch_hash(&batch);
                set_batch_keep(&batch, b, has == 1);
                for (size_t k = 0; k < batch.count; k++) {
                    assert_true(batch.hashes[k] == set_hash(batch.members[k]));
                    note_seen(&one, batch.members[k]);
                }
            }
            for (size_t k = 0; k < 90; k++) {
                struct bytes name = name_of(&one, k, room);
                assert_int_equal(one.seen[k], set_has(b, name, set_hash(name)) == (has == 1));
            }
        }
        free_set(a);
        free_set(b);
    }
}

static void copies_and_moves(void **state) {
    (void)state;
    static struct model model;
    const struct set_options *const limits[] = {&defaults, &large, &tables};
    for (unsigned i = 0; i < 6; i++) {
        size_t used = mem_used();
        struct entry *set = filled(limits[i % 3], i < 3, 300, &model);
        struct entry *copy = value_try_copy(set, bytes_text("copy"));
        assert_non_null(copy);
        assert_string_equal(value_encoding_name(copy), value_encoding_name(set));
        check_set(copy, &model);
        sparse_move_all(true);
        struct sparse_tally tally = {.least_steps = 1};
        uint32_t cursor = 0;
        do {
            value_settle(set, &cursor, &tally);
        } while (cursor != 0);
        sparse_move_all(false);
        assert_true(tally.moved > 0);
        sparse_forget(&tally);
        check_set(set, &model);
        size_t whole = value_footprint(set, 0);
        size_t reckoned = value_footprint(set, 50);
        assert_true(reckoned > whole / 2 && reckoned < whole * 2);
        value_validate(set);
        assert_int_equal(value_weight(set), entry_encoding(set) == ENTRY_TABLE ? 300 : 1);
        value_free(set);
        check_set(copy, &model);
        value_free(copy);
        assert_int_equal(mem_used(), used);
    }
}

/* The Nth allocation fails: the set is as it was, and nothing is lost. */
static void no_memory_changes_nothing(void **state) {
    (void)state;
    static struct model model;
    static char longer[300];
    memset(longer, 'z', sizeof longer - 1);
    const struct set_options *const limits[] = {&defaults, &small, &tables};
    size_t used = mem_used();
    for (unsigned i = 0; i < 6; i++) {
        size_t names = i % 3 == 0 ? 49 : i % 3 == 1 ? 20 : 100;
        for (uint64_t fails = 1; fails < 60; fails++) {
            struct entry *set = filled(limits[i % 3], i < 3, names, &model);
            mem_fail_after(fails);
            int result = add_text(set, limits[i % 3], longer);
            mem_fail_after(0);
            assert_true(result == 1 || result == -ENOMEM);
            if (result == 1) {
                struct bytes name = bytes_text(longer);
                assert_true(set_remove(set, name, set_hash(name)));
            }
            check_set(set, &model);
            mem_fail_after(fails);
            struct entry *copy = value_try_copy(set, bytes_text("copy"));
            mem_fail_after(0);
            if (copy != NULL) {
                check_set(copy, &model);
                value_free(copy);
            }
            free_set(set);
        }
    }
    assert_int_equal(mem_used(), used);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_encodings),
        cmocka_unit_test(limits_of_integers),
        cmocka_unit_test(compact_sets_stay_small),
        cmocka_unit_test(random_work_agrees_with_the_model),
        cmocka_unit_test(random_members_are_uniform),
        cmocka_unit_test(scan_keeps_its_promise),
        cmocka_unit_test(batches_are_sifted),
        cmocka_unit_test(copies_and_moves),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("types/set", tests, NULL, NULL);
}
