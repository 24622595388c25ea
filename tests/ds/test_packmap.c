/* Tests of ds/packmap: every form of item at its edges, and long runs of random edits that are made
 * on a map and on a plain array of records alike, in every width, plain and indexed, with sizes of
 * 1, 2 and 4 bytes. */
#include "ds/packmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"

#define HEADER_SIZE 4

/* The model: an array of records. An item is a text, or a double. */
#define MODEL_MAX 700
struct model_item {
    bool is_double;
    double number;
    char *text;
    size_t size;
};
struct model {
    unsigned width;
    struct model_item items[MODEL_MAX][PACKMAP_WIDTH_MAX];
    size_t count;
};

static void model_set(struct model_item *to, const struct packmap_item *from) {
    char scratch[NUM_I64_SIZE];
    struct bytes text = from->text;
    if (from->kind == PACKMAP_INTEGER) {
        text = bytes_of(scratch, num_format_i64(scratch, from->integer));
    }
    *to = (struct model_item){.is_double = from->kind == PACKMAP_DOUBLE, .number = from->number};
    to->size = to->is_double ? 0 : text.size;
    to->text = malloc(to->size + 1);
    assert_non_null(to->text);
    if (to->size > 0) {
        memcpy(to->text, text.at, to->size);
    }
}

static void model_insert(struct model *model, size_t index, const struct packmap_item *items) {
    assert_true(model->count < MODEL_MAX);
    memmove(&model->items[index + 1], &model->items[index],
            (model->count - index) * sizeof model->items[0]);
    model->count++;
    for (unsigned i = 0; i < model->width; i++) {
        model_set(&model->items[index][i], &items[i]);
    }
}

static void model_replace(struct model *model, size_t index, unsigned which,
                          const struct packmap_item *item) {
    free(model->items[index][which].text);
    model_set(&model->items[index][which], item);
}

static void model_remove(struct model *model, size_t index) {
    for (unsigned i = 0; i < model->width; i++) {
        free(model->items[index][i].text);
    }
    model->count--;
    memmove(&model->items[index], &model->items[index + 1],
            (model->count - index) * sizeof model->items[0]);
}

static struct bytes model_text(const struct model_item *item) {
    return bytes_of(item->text, item->size);
}

static size_t model_find(const struct model *model, struct bytes key) {
    size_t i = 0;
    while (i < model->count && !bytes_equal(model_text(&model->items[i][0]), key)) {
        i++;
    }
    return i;
}

static void assert_valid(const struct packmap *map) {
    assert_true(packmap_validate(map, packmap_size(map)));
    assert_int_equal(packmap_footprint(map), mem_class(packmap_size(map)));
}

static void assert_item(const struct packmap *map, packmap_at at, unsigned which,
                        const struct model_item *expected) {
    char scratch[NUM_I64_SIZE];
    if (expected->is_double) {
        double number = packmap_number(map, at, which);
        assert_memory_equal(&number, &expected->number, sizeof number);
        return;
    }
    struct bytes text = packmap_text(map, at, which, scratch);
    assert_int_equal(text.size, expected->size);
    assert_true(bytes_equal(text, model_text(expected)));
    int64_t integer;
    struct packmap_item item;
    packmap_get(map, at, which, &item);
    if (num_parse_i64(text, &integer)) {
        assert_int_equal(item.kind, PACKMAP_INTEGER);
        assert_true(item.integer == integer);
        assert_true(packmap_integer(map, at, which) == integer);
        assert_true(packmap_number(map, at, which) == (double)integer);
    } else {
        assert_int_equal(item.kind, PACKMAP_TEXT);
    }
}

static void assert_record(const struct packmap *map, packmap_at at, const struct model *model,
                          size_t index) {
    assert_int_not_equal(at, 0);
    assert_int_equal(packmap_index(at), index);
    struct packmap_item items[PACKMAP_WIDTH_MAX];
    assert_true(packmap_read(map, at, items) == packmap_next(map, at));
    for (unsigned i = 0; i < model->width; i++) {
        assert_item(map, at, i, &model->items[index][i]);
        struct packmap_item item;
        packmap_get(map, at, i, &item);
        assert_int_equal(items[i].kind, item.kind);
        if (item.kind == PACKMAP_TEXT) {
            assert_ptr_equal(items[i].text.at, item.text.at);
            assert_int_equal(items[i].text.size, item.text.size);
        } else if (item.kind == PACKMAP_INTEGER) {
            assert_true(items[i].integer == item.integer);
        } else {
            assert_memory_equal(&items[i].number, &item.number, sizeof item.number);
        }
    }
}

/* The map holds what the model holds, seen from both ends, by index and by key. */
static void assert_same(const struct packmap *map, const struct model *model) {
    assert_valid(map);
    assert_int_equal(packmap_count(map), model->count);
    assert_int_equal(packmap_width(map), model->width);
    packmap_prefetch(map);
    packmap_prefetch_index(map);
    packmap_at at = packmap_first(map);
    for (size_t i = 0; i < model->count; i++) {
        assert_record(map, at, model, i);
        assert_true(packmap_seek(map, (int64_t)i) == at);
        assert_true(packmap_seek(map, (int64_t)i - (int64_t)model->count) == at);
        struct bytes key = model_text(&model->items[i][0]);
        assert_true(packmap_find(map, key) == at);
        uint64_t hash = hash_bytes(hash_seed(), key.at, key.size);
        assert_true(packmap_find_hashed(map, key, hash) == at);
        packmap_prefetch_record(map, key, hash);
        at = packmap_next(map, at);
    }
    assert_int_equal(at, 0);
    at = packmap_last(map);
    for (size_t i = model->count; i > 0; i--) {
        assert_int_equal(packmap_index(at), i - 1);
        at = packmap_previous(map, at);
    }
    assert_int_equal(at, 0);
    assert_int_equal(packmap_seek(map, (int64_t)model->count), 0);
    assert_int_equal(packmap_seek(map, -(int64_t)model->count - 1), 0);
}

static void test_empty(void **state) {
    (void)state;
    for (unsigned width = 1; width <= PACKMAP_WIDTH_MAX; width++) {
        struct packmap *map = packmap_new(width);
        struct model model = {.width = width};
        assert_same(map, &model);
        assert_int_equal(packmap_size(map), HEADER_SIZE);
        assert_int_equal(packmap_find(map, bytes_text("a")), 0);
        assert_int_equal(packmap_find(map, bytes_of(NULL, 0)), 0);
        struct packmap *copy = packmap_copy(map);
        assert_same(copy, &model);
        packmap_free(copy);
        packmap_free(map);
    }
    packmap_free(NULL);
}

/* An item reads back as it was written, and a plain map of one record takes the bytes that it
 * shall. */
static void check_item(const struct packmap_item *item, size_t cost) {
    struct packmap_item items[2] = {packmap_of_text(bytes_text("k")), *item};
    struct packmap *map = packmap_append(packmap_new(2), items);
    assert_valid(map);
    struct model_item expected;
    model_set(&expected, item);
    assert_item(map, packmap_first(map), 1, &expected);
    assert_int_equal(packmap_size(map), HEADER_SIZE + 2 + cost);
    packmap_free(map);
    free(expected.text);
}

static size_t integer_cost(int64_t integer) {
    if (integer >= 0 && integer <= 127) {
        return 1;
    }
    if (integer >= -128 && integer <= 3967) {
        return 2;
    }
    for (unsigned width = 1; width < 8; width++) {
        int64_t limit = (int64_t)1 << (8 * width - 1);
        if (integer >= -limit && integer < limit) {
            return width + 1;
        }
    }
    return 9;
}

static void check_integer(int64_t integer) {
    struct packmap_item item = packmap_of_integer(integer);
    check_item(&item, integer_cost(integer));
    char text[NUM_I64_SIZE];
    item = packmap_of_text(bytes_of(text, num_format_i64(text, integer)));
    check_item(&item, integer_cost(integer));
}

static void test_integers_at_every_width(void **state) {
    (void)state;
    for (int64_t integer = -5000; integer <= 5000; integer++) {
        check_integer(integer);
    }
    for (unsigned bits = 12; bits < 64; bits++) {
        int64_t power = (int64_t)((uint64_t)1 << bits);
        for (int64_t near = -2; near <= 2; near++) {
            check_integer((int64_t)((uint64_t)power + (uint64_t)near));
            check_integer((int64_t)(0 - (uint64_t)power + (uint64_t)near));
        }
    }
}

static void test_texts_of_every_size(void **state) {
    (void)state;
    static const size_t edges[] = {94, 95, 96, 97, 350, 351, 352, 353, 65534, 65535, 65536, 70000};
    char *text = malloc(70000);
    assert_non_null(text);
    memset(text, 'x', 70000);
    for (size_t i = 0; i < 90 + sizeof edges / sizeof edges[0]; i++) {
        size_t size = i < 90 ? i : edges[i - 90];
        size_t head = size <= 95 ? 1 : size <= 351 ? 2 : size <= 65535 ? 3 : 5;
        struct packmap_item item = packmap_of_text(bytes_of(text, size));
        check_item(&item, size + head);
    }
    free(text);
    /* What looks like an integer and is none. */
    static const char *const odd[] = {"-0", "+1", "01", " 1", "1 ", "", "9223372036854775808"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct packmap_item item = packmap_of_text(bytes_text(odd[i]));
        check_item(&item, 1 + strlen(odd[i]));
    }
}

static void test_doubles(void **state) {
    (void)state;
    static const struct {
        double number;
        size_t cost;
    } rows[] = {
        {0.0, 1},       {-0.0, 9},       {1.0, 1},        {127.0, 1},  {128.0, 2},
        {-1.0, 2},      {3967.0, 2},     {3968.0, 3},     {0.5, 9},    {1e15, 8},
        {-1e15, 8},     {1e15 + 1.0, 9}, {1e300, 9},      {-1e300, 9}, {INFINITY, 9},
        {-INFINITY, 9}, {5e-324, 9},     {1700000000, 5}, {1.7e12, 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct packmap_item item = packmap_of_double(rows[i].number);
        check_item(&item, rows[i].cost);
    }
}

/* What a run of edits draws its items from. */
struct run {
    struct random random;
    char text[80000];
    size_t keys; /* different keys */
    bool is_long;
};

static struct packmap_item draw_key(struct run *run) {
    uint64_t number = random_below(&run->random, run->keys);
    char *text = run->text;
    switch (number % 4) {
    case 0:
        return packmap_of_integer((int64_t)(number * number * number) - 1000);
    case 1: {
        size_t size = num_format_u64(text, number * 1000003);
        return packmap_of_text(bytes_of(text, size));
    }
    case 2:
        if (number == 2) {
            return packmap_of_text(bytes_of(NULL, 0));
        }
        return packmap_of_text(bytes_of(text, (size_t)sprintf(text, "%c%d\r\n", 0, (int)number)));
    default:
        return packmap_of_text(
            bytes_of(text, (size_t)sprintf(text, "a somewhat longer key %d", (int)number)));
    }
}

static struct packmap_item draw_item(struct run *run, char *text) {
    uint64_t number = random_below(&run->random, 100000);
    switch (random_below(&run->random, 4)) {
    case 0:
        return packmap_of_integer((int64_t)number - 1000);
    case 1:
        return packmap_of_double((double)number / 4);
    case 2:
        return packmap_of_text(bytes_of(text, num_format_u64(text, number)));
    default: {
        size_t size = random_below(&run->random, run->is_long ? 300 : 40);
        if (run->is_long && random_below(&run->random, 200) == 0) {
            size = 65000 + random_below(&run->random, 1000);
        }
        memset(text, 'a' + (int)(number % 26), size);
        return packmap_of_text(bytes_of(text, size));
    }
    }
}

static void draw_record(struct run *run, unsigned width, struct packmap_item *items) {
    static char texts[PACKMAP_WIDTH_MAX][80000];
    items[0] = draw_key(run);
    for (unsigned i = 1; i < width; i++) {
        items[i] = draw_item(run, texts[i]);
    }
}

static size_t find_item(const struct model *model, const struct packmap_item *key) {
    char scratch[NUM_I64_SIZE];
    struct bytes text = key->text;
    if (key->kind == PACKMAP_INTEGER) {
        text = bytes_of(scratch, num_format_i64(scratch, key->integer));
    }
    return model_find(model, text);
}

/* One random edit of both. */
static struct packmap *edit(struct packmap *map, struct model *model, struct run *run,
                            unsigned removing) {
    struct packmap_item items[PACKMAP_WIDTH_MAX];
    draw_record(run, model->width, items);
    size_t index = find_item(model, &items[0]);
    if (index < model->count) {
        packmap_at at = packmap_seek(map, (int64_t)index);
        if (random_below(&run->random, 4) < removing) {
            size_t count = 1 + random_below(&run->random, 3);
            map = packmap_remove(map, &at, count);
            for (; count > 0 && index < model->count; count--) {
                model_remove(model, index);
            }
            assert_true(at == packmap_seek(map, (int64_t)index));
        } else if (model->width > 1) {
            unsigned which = 1 + (unsigned)random_below(&run->random, model->width - 1);
            map = packmap_replace(map, &at, which, &items[which]);
            model_replace(model, index, which, &items[which]);
            assert_record(map, at, model, index);
        }
    } else if (model->count < MODEL_MAX && packmap_fits(map, 160000)) {
        index = random_below(&run->random, model->count + 1);
        if (random_below(&run->random, 3) == 0) {
            index = model->count;
            map = packmap_append(map, items);
        } else {
            packmap_at at = packmap_seek(map, (int64_t)index);
            map = packmap_insert(map, &at, items);
            assert_true(at == packmap_seek(map, (int64_t)index));
        }
        model_insert(model, index, items);
        assert_record(map, packmap_seek(map, (int64_t)index), model, index);
    }
    return map;
}

static void random_edits(unsigned width, size_t keys, bool is_long, uint64_t seed) {
    static struct model model;
    static struct run run;
    model = (struct model){.width = width};
    run.keys = keys;
    run.is_long = is_long;
    random_init(&run.random, seed);
    struct packmap *map = packmap_new(width);
    for (size_t i = 0; i < 4000; i++) {
        /* Grows, then shrinks to nothing, and again. */
        map = edit(map, &model, &run, i % 2000 < 1000 ? 1 : 4);
        struct packmap_item key = draw_key(&run);
        if (key.kind == PACKMAP_TEXT) {
            size_t index = model_find(&model, key.text);
            packmap_at at = packmap_find(map, key.text);
            assert_true(index < model.count ? packmap_index(at) == index && at != 0 : at == 0);
        }
        if (keys <= 40 || i % 50 == 0) {
            assert_same(map, &model);
        }
    }
    struct packmap *copy = packmap_copy(map);
    assert_same(copy, &model);
    while (model.count > 0) {
        model_remove(&model, 0);
    }
    packmap_at at = packmap_first(copy);
    if (at != 0) {
        copy = packmap_remove(copy, &at, SIZE_MAX);
    }
    assert_int_equal(at, 0);
    assert_same(copy, &model);
    assert_int_equal(packmap_size(copy), HEADER_SIZE);
    packmap_free(copy);
    packmap_free(map);
}

static void test_random_edits(void **state) {
    (void)state;
    static const size_t keys[] = {3, 8, 40, 250, 1200};
    for (unsigned width = 1; width <= PACKMAP_WIDTH_MAX; width++) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            random_edits(width, keys[i], false, 100 * width + i);
            random_edits(width, keys[i], true, 200 * width + i);
        }
    }
}

/* Bytes of any origin do not lead the validator astray, whatever they say; and what it accepts can
 * be read. */
static void test_damaged_bytes(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 7);
    char text[32];
    for (unsigned round = 0; round < 3000; round++) {
        unsigned width = 1 + (unsigned)random_below(&random, 3);
        size_t count = random_below(&random, 40);
        struct packmap *map = packmap_new(width);
        for (size_t i = 0; i < count; i++) {
            struct packmap_item items[3] = {
                packmap_of_text(bytes_of(text, (size_t)sprintf(text, "k%zu", i))),
                packmap_of_integer((int64_t)(i * i * i)), packmap_of_double((double)i / 2)};
            map = packmap_append(map, items);
        }
        size_t size = packmap_size(map);
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        memcpy(bytes, map, size);
        packmap_free(map);
        size_t damages = random_below(&random, 4);
        for (size_t i = 0; i < damages; i++) {
            bytes[random_below(&random, size)] = (uint8_t)random_below(&random, 256);
        }
        const struct packmap *read = (const struct packmap *)(void *)bytes;
        bool is_valid = packmap_validate(read, size);
        assert_true(is_valid || damages > 0);
        if (is_valid) {
            char scratch[NUM_I64_SIZE];
            size_t seen = 0;
            for (packmap_at at = packmap_first(read); at != 0; at = packmap_next(read, at)) {
                packmap_text(read, at, 0, scratch);
                seen++;
            }
            assert_int_equal(seen, packmap_count(read));
        }
        free(bytes);
    }
}

static void test_fits(void **state) {
    (void)state;
    struct packmap *map = packmap_new(1);
    assert_true(packmap_fits(map, PACKMAP_SIZE_MAX / 2));
    assert_false(packmap_fits(map, PACKMAP_SIZE_MAX));
    assert_false(packmap_fits(map, SIZE_MAX));
    packmap_free(map);
}

static void test_settles(void **state) {
    (void)state;
    struct model model = {.width = 2};
    struct packmap *map = packmap_new(2);
    char text[32];
    for (size_t i = 0; i < 30; i++) {
        struct packmap_item items[2] = {
            packmap_of_text(bytes_of(text, (size_t)sprintf(text, "k%zu", i))),
            packmap_of_integer((int64_t)i)};
        map = packmap_append(map, items);
        model_insert(&model, i, items);
    }
    struct sparse_tally tally = {.least_steps = 0};
    sparse_move_all(true);
    map = packmap_settle(map, &tally);
    sparse_move_all(false);
    assert_int_equal(tally.moved, 1);
    sparse_forget(&tally);
    assert_same(map, &model);
    while (model.count > 0) {
        model_remove(&model, 0);
    }
    packmap_free(map);
}

int main(void) {
    hash_seed_set(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_integers_at_every_width),
        cmocka_unit_test(test_texts_of_every_size),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_random_edits),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_settles),
    };
    size_t before = mem_used();
    int failed = cmocka_run_group_tests_name("ds/packmap", tests, NULL, NULL);
    return failed + (mem_used() != before);
}
