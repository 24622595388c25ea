/* Tests of types/stream against a model: random additions, deletions and trimmings with nodes of
 * few entries, ranges both ways, copies, moves, and failing allocations. */
#include "types/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "types/value.h"

/* An entry of the model: its texts follow from its id and its form. */
struct model_entry {
    struct stream_id id;
    unsigned form;
};
#define ENTRIES_MAX 2000
struct model {
    struct model_entry entries[ENTRIES_MAX];
    size_t count;
    uint64_t added;
    struct stream_id last_id;
    struct stream_id max_deleted_id;
};

#define PAIRS_MAX 4
#define TEXT_MAX  400
struct texts {
    struct bytes pairs[2 * PAIRS_MAX];
    uint32_t count;
    char room[2 * PAIRS_MAX][TEXT_MAX];
};

/* Every form of text: small and large integers, texts that are nearly integers, empty, binary,
 * long. */
static void make_text(struct stream_id id, unsigned form, struct bytes *text, char *room) {
    static const int64_t integers[] = {0,
                                       47,
                                       48,
                                       -1,
                                       127,
                                       128,
                                       255,
                                       256,
                                       -128,
                                       -129,
                                       65535,
                                       INT32_MAX,
                                       -1 - INT64_MAX + 1,
                                       INT64_MAX,
                                       1L << 40,
                                       -(1L << 47),
                                       7};
    uint64_t mixed = (id.ms * 31 + id.seq * 7 + form) * 0x9e3779b97f4a7c15u >> 40;
    size_t size;
    switch (mixed % 8) {
    case 0:
        size = 0;
        break;
    case 1:
    case 2:
        size = (size_t)sprintf(room, "%lld", (long long)integers[mixed / 8 % 17]);
        break;
    case 3:
        size = (size_t)sprintf(room, "0%llu", (unsigned long long)mixed);
        break;
    case 4:
        size = 180 + mixed / 8 % 20;
        memset(room, (int)(mixed & 255), size);
        break;
    case 5:
        size = TEXT_MAX;
        memset(room, 'x', size);
        break;
    default:
        size = (size_t)sprintf(room, "%c%llu\r\n", 'a' + (int)(mixed % 26),
                               (unsigned long long)mixed % 1000) +
               1;
    }
    *text = bytes_of(room, size);
}

static void make_texts(struct stream_id id, unsigned form, struct texts *texts) {
    texts->count = 1 + form % 3;
    for (unsigned i = 0; i < texts->count; i++) {
        /* Most entries have the same names. */
        struct stream_id of_name = {i, form < 6 ? form % 3 : id.seq};
        make_text(of_name, 100 + i, &texts->pairs[2 * i], texts->room[2 * i]);
        make_text(id, i, &texts->pairs[2 * i + 1], texts->room[2 * i + 1]);
    }
}

static void compare_entry(const struct stream_entry *entry, const struct model_entry *expected) {
    struct texts texts;
    char scratch[NUM_I64_SIZE];
    struct bytes text;
    assert_int_equal(stream_id_compare(entry->id, expected->id), 0);
    make_texts(expected->id, expected->form, &texts);
    assert_int_equal(entry->field_count, texts.count);
    const uint8_t *names = entry->names;
    const uint8_t *values = entry->values;
    for (uint32_t i = 0; i < texts.count; i++) {
        if (names != NULL) {
            names = stream_text_read(names, &text, scratch);
        } else {
            values = stream_text_read(values, &text, scratch);
        }
        assert_true(bytes_equal(text, texts.pairs[2 * i]));
        values = stream_text_read(values, &text, scratch);
        assert_true(bytes_equal(text, texts.pairs[2 * i + 1]));
    }
}

static void compare_range(const struct stream *stream, const struct model *model,
                          struct stream_id first, struct stream_id last) {
    struct stream_range range;
    struct stream_entry entry;
    stream_range_begin(&range, stream, first, last, false);
    for (size_t i = 0; i < model->count; i++) {
        const struct model_entry *expected = &model->entries[i];
        if (!stream_id_less(expected->id, first) && !stream_id_less(last, expected->id)) {
            assert_true(stream_range_next(&range, &entry));
            compare_entry(&entry, expected);
        }
    }
    assert_false(stream_range_next(&range, &entry));
    stream_range_begin(&range, stream, first, last, true);
    for (size_t i = model->count; i-- > 0;) {
        const struct model_entry *expected = &model->entries[i];
        if (!stream_id_less(expected->id, first) && !stream_id_less(last, expected->id)) {
            assert_true(stream_range_next(&range, &entry));
            compare_entry(&entry, expected);
        }
    }
    assert_false(stream_range_next(&range, &entry));
}

static void compare(const struct entry *value, const struct model *model) {
    value_validate(value);
    const struct stream *stream = stream_of(value);
    assert_int_equal(stream->length, model->count);
    assert_int_equal(stream->entries_added, model->added);
    assert_int_equal(stream_id_compare(stream->last_id, model->last_id), 0);
    assert_int_equal(stream_id_compare(stream->max_deleted_id, model->max_deleted_id), 0);
    struct stream_id first = model->count > 0 ? model->entries[0].id : STREAM_ID_MIN;
    assert_int_equal(stream_id_compare(stream_first_id(stream), first), 0);
}

static struct entry *new_value(void) {
    struct entry_shape shape = stream_new_shape();
    struct entry *value = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(value);
    return value;
}

/* The next id: in the same millisecond, in the next, far away. */
static struct stream_id next_id(const struct model *model, struct random *random) {
    struct stream_id id = model->last_id;
    switch (random_below(random, 5)) {
    case 0:
    case 1:
        id.seq += 1 + random_below(random, 3);
        break;
    case 2:
        id.ms += 1 + random_below(random, 300);
        id.seq = random_below(random, 3) == 0 ? random_next(random) >> random_below(random, 64) : 0;
        break;
    case 3:
        id.ms += 1 + random_below(random, 1u << 20);
        id.seq = 0;
        break;
    default:
        id.ms += 1;
        id.seq = 0;
    }
    return id;
}

static void add(struct entry *value, struct model *model, const struct stream_options *limits,
                struct random *random) {
    struct texts texts;
    if (model->count == ENTRIES_MAX) {
        return;
    }
    struct model_entry entry = {.id = next_id(model, random),
                                .form = (unsigned)random_below(random, 7)};
    make_texts(entry.id, entry.form, &texts);
    if (random_below(random, 10) == 0) {
        mem_fail_after(1 + random_below(random, 3));
    }
    int result = stream_add(stream_of(value), limits, entry.id, texts.pairs, texts.count);
    mem_fail_after(0);
    if (result == 0) {
        model->entries[model->count++] = entry;
        model->added++;
        model->last_id = entry.id;
    } else {
        assert_int_equal(result, -ENOMEM);
    }
}

static void model_remove(struct model *model, size_t at) {
    model->count--;
    memmove(model->entries + at, model->entries + at + 1,
            (model->count - at) * sizeof *model->entries);
}

static struct stream_id some_id(const struct model *model, struct random *random) {
    if (model->count == 0) {
        return (struct stream_id){random_below(random, 3), 1};
    }
    struct stream_id id = model->entries[random_below(random, model->count)].id;
    if (random_below(random, 6) == 0) {
        stream_id_after(&id);
    }
    return id;
}

static void delete_one(struct entry *value, struct model *model, struct random *random) {
    struct stream_id id = some_id(model, random);
    size_t at = 0;
    while (at < model->count && stream_id_compare(model->entries[at].id, id) != 0) {
        at++;
    }
    bool is_there = at < model->count;
    struct stream_entry entry;
    assert_int_equal(stream_has(stream_of(value), id), is_there);
    assert_int_equal(stream_get(stream_of(value), id, &entry), is_there);
    if (is_there) {
        compare_entry(&entry, &model->entries[at]);
    }
    assert_int_equal(stream_delete(stream_of(value), id), is_there);
    if (is_there) {
        model_remove(model, at);
        if (stream_id_less(model->max_deleted_id, id)) {
            model->max_deleted_id = id;
        }
    }
}

/* Every third id stays. */
static bool may_go(void *context, struct stream_id id) {
    (void)context;
    return (id.ms + id.seq) % 3 != 0;
}

static void trim(struct entry *value, struct model *model, struct random *random) {
    struct stream_trim trim = {.by_id = random_below(random, 2) == 0};
    trim.length_max = random_below(random, model->count + 5);
    trim.id_min = some_id(model, random);
    trim.may_go = random_below(random, 3) == 0 ? may_go : NULL;
    trim.approximate = random_below(random, 3) == 0;
    trim.limit = trim.approximate ? random_below(random, 30) : 0;
    uint64_t before = stream_of(value)->length;
    uint64_t removed = stream_trim(stream_of(value), &trim);
    assert_int_equal(before - removed, stream_of(value)->length);
    uint64_t gone = 0;
    for (size_t i = 0; i < model->count;) {
        bool beyond = trim.by_id ? stream_id_less(model->entries[i].id, trim.id_min)
                                 : model->count > trim.length_max;
        if (!beyond || (trim.approximate && gone == removed)) {
            break;
        }
        if (trim.may_go != NULL && !may_go(NULL, model->entries[i].id)) {
            i++;
            continue;
        }
        model_remove(model, i);
        gone++;
    }
    assert_int_equal(gone, removed);
}

/* Moves all that can be moved. */
static void settle(struct entry *value) {
    struct sparse_tally tally = {.least_steps = 0};
    uint32_t cursor = 0;
    sparse_move_all(true);
    do {
        value_settle(value, &cursor, &tally);
    } while (cursor != 0);
    sparse_move_all(false);
    sparse_forget(&tally);
}

static void copy(const struct entry *value, const struct model *model, struct random *random) {
    if (random_below(random, 2) == 0) {
        mem_fail_after(1 + random_below(random, 10));
    }
    struct entry *twin = value_try_copy(value, bytes_text("twin"));
    mem_fail_after(0);
    if (twin != NULL) {
        compare(twin, model);
        compare_range(stream_of(twin), model, STREAM_ID_MIN, STREAM_ID_MAX);
        value_free(twin);
    }
}

static void run(uint64_t seed, const struct stream_options *limits) {
    static struct model model;
    struct random random;
    random_init(&random, seed);
    memset(&model, 0, sizeof model);
    struct entry *value = new_value();
    unsigned adding = 80;
    for (int step = 0; step < 1500; step++) {
        if (step % 300 == 0) {
            adding = 50 + (unsigned)random_below(&random, 50);
        }
        unsigned choice = (unsigned)random_below(&random, 100);
        if (choice < adding) {
            add(value, &model, limits, &random);
        } else if (choice < 97) {
            delete_one(value, &model, &random);
        } else if (choice < 98) {
            trim(value, &model, &random);
        } else {
            compare_range(stream_of(value), &model, some_id(&model, &random),
                          some_id(&model, &random));
        }
        if (step % 50 == 0) {
            settle(value);
            copy(value, &model, &random);
            assert_true(value_footprint(value, 0) > 0 && value_footprint(value, 3) > 0);
        }
        compare(value, &model);
    }
    compare_range(stream_of(value), &model, STREAM_ID_MIN, STREAM_ID_MAX);
    assert_true(value_weight(value) >= 1);
    value_free(value);
}

static void as_the_model(void **state) {
    (void)state;
    static const struct stream_options limits[] = {
        {.node_size_max = 4096, .node_entries_max = 5},
        {.node_size_max = 600, .node_entries_max = 100},
        {.node_size_max = 4096, .node_entries_max = 1},
        {.node_size_max = 0, .node_entries_max = 0},
    };
    size_t before = mem_used();
    for (uint64_t seed = 1; seed <= 24; seed++) {
        run(seed, &limits[seed % 4]);
    }
    assert_int_equal(mem_used(), before);
}

static void ids_around_their_ends(void **state) {
    (void)state;
    struct stream_id id = STREAM_ID_MAX;
    assert_false(stream_id_after(&id));
    id = STREAM_ID_MIN;
    assert_false(stream_id_before(&id));
    id = (struct stream_id){5, UINT64_MAX};
    assert_true(stream_id_after(&id));
    assert_int_equal(stream_id_compare(id, (struct stream_id){6, 0}), 0);
    assert_true(stream_id_before(&id));
    assert_int_equal(stream_id_compare(id, (struct stream_id){5, UINT64_MAX}), 0);
}

/* What clients see of a stream's history. */
static void how_many_came_before(void **state) {
    (void)state;
    struct entry *value = new_value();
    struct stream *stream = stream_of(value);
    struct stream_options limits = {.node_size_max = 4096, .node_entries_max = 3};
    struct bytes pair[2] = {bytes_text("f"), bytes_text("v")};
    assert_int_equal(stream_count_until(stream, STREAM_ID_MIN), 0);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(stream_add(stream, &limits, (struct stream_id){i, 0}, pair, 1), 0);
    }
    assert_int_equal(stream_count_until(stream, STREAM_ID_MIN), 0);
    assert_int_equal(stream_count_until(stream, (struct stream_id){1, 0}), 1);
    assert_int_equal(stream_count_until(stream, (struct stream_id){5, 0}), -1);
    assert_int_equal(stream_count_until(stream, (struct stream_id){10, 0}), 10);
    assert_int_equal(stream_count_until(stream, (struct stream_id){11, 0}), -1);
    struct stream_trim trim = {.length_max = 6};
    assert_int_equal(stream_trim(stream, &trim), 4);
    assert_int_equal(stream_count_until(stream, (struct stream_id){2, 0}), 4);
    assert_int_equal(stream_count_until(stream, (struct stream_id){5, 0}), 5);
    assert_false(stream_has_gap_after(stream, STREAM_ID_MIN));
    assert_true(stream_delete(stream, (struct stream_id){7, 0}));
    assert_true(stream_has_gap_after(stream, STREAM_ID_MIN));
    assert_false(stream_has_gap_after(stream, (struct stream_id){8, 0}));
    assert_int_equal(stream_count_until(stream, (struct stream_id){5, 0}), -1);
    value_free(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_model),
        cmocka_unit_test(ids_around_their_ends),
        cmocka_unit_test(how_many_came_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
