/* Tests of ds/pack: every form of element at its edges, and long runs of random edits that are
 * made on a pack and on a plain array of texts alike. */
#include "ds/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"

#define HEADER_SIZE 8

/* The model: an array of texts. */
#define MODEL_MAX 400
struct model {
    struct bytes items[MODEL_MAX];
    size_t count;
};

static struct bytes model_copy(struct bytes text) {
    char *copy = malloc(text.size + 1);
    assert_non_null(copy);
    if (text.size > 0) {
        memcpy(copy, text.at, text.size);
    }
    return bytes_of(copy, text.size);
}

static void model_insert(struct model *model, size_t index, struct bytes text) {
    assert_true(model->count < MODEL_MAX);
    memmove(&model->items[index + 1], &model->items[index],
            (model->count - index) * sizeof model->items[0]);
    model->items[index] = model_copy(text);
    model->count++;
}

static void model_remove(struct model *model, size_t index) {
    free((void *)(uintptr_t)model->items[index].at);
    model->count--;
    memmove(&model->items[index], &model->items[index + 1],
            (model->count - index) * sizeof model->items[0]);
}

static void model_clear(struct model *model) {
    while (model->count > 0) {
        model_remove(model, model->count - 1);
    }
}

static void assert_text(const struct pack *pack, pack_at at, struct bytes expected) {
    char scratch[NUM_I64_SIZE];
    struct bytes text = pack_text(pack, at, scratch);
    assert_int_equal(text.size, expected.size);
    assert_true(bytes_equal(text, expected));
    assert_true(pack_is(pack, at, expected));
}

/* The pack holds what the model holds, seen from both ends and by index. */
static void assert_same(const struct pack *pack, const struct model *model) {
    assert_true(pack_validate(pack));
    assert_int_equal(pack_count(pack), model->count);
    pack_at at = pack_first(pack);
    for (size_t i = 0; i < model->count; i++) {
        assert_int_not_equal(at, 0);
        assert_text(pack, at, model->items[i]);
        assert_int_equal(pack_seek(pack, (int64_t)i), at);
        assert_int_equal(pack_seek(pack, (int64_t)i - (int64_t)model->count), at);
        at = pack_next(pack, at);
    }
    assert_int_equal(at, 0);
    at = pack_last(pack);
    for (size_t i = model->count; i > 0; i--) {
        assert_text(pack, at, model->items[i - 1]);
        at = pack_previous(pack, at);
    }
    assert_int_equal(at, 0);
    assert_int_equal(pack_seek(pack, (int64_t)model->count), 0);
    assert_int_equal(pack_seek(pack, -(int64_t)model->count - 1), 0);
}

static void test_empty(void **state) {
    (void)state;
    struct pack *pack = pack_new();
    assert_true(pack_validate(pack));
    assert_int_equal(pack_count(pack), 0);
    assert_int_equal(pack_size(pack), HEADER_SIZE);
    assert_int_equal(pack_footprint(pack), mem_class(HEADER_SIZE));
    assert_int_equal(pack_first(pack), 0);
    assert_int_equal(pack_last(pack), 0);
    assert_int_equal(pack_seek(pack, 0), 0);
    assert_int_equal(pack_seek(pack, -1), 0);
    assert_int_equal(pack_find(pack, pack_first(pack), bytes_text("a"), 1), 0);
    struct pack *copy = pack_copy(pack);
    assert_int_equal(pack_count(copy), 0);
    pack_free(copy);
    pack_free(pack);
    pack_free(NULL);
}

/* An integer is an integer again, as number and as text, and takes the bytes that it shall. */
static void check_integer(int64_t integer, size_t cost) {
    char text[NUM_I64_SIZE];
    struct bytes digits = bytes_of(text, num_format_i64(text, integer));
    struct pack *pack = pack_append(pack_new(), digits);
    assert_true(pack_validate(pack));
    if (cost > 0) {
        assert_int_equal(pack_size(pack), HEADER_SIZE + cost);
    }
    struct pack_item item;
    pack_get(pack, pack_first(pack), &item);
    assert_true(item.is_integer);
    assert_true(item.integer == integer);
    assert_text(pack, pack_first(pack), digits);

    /* By number it is the same element; its neighbours are others. */
    pack = pack_append_integer(pack, integer);
    assert_true(pack_validate(pack));
    assert_text(pack, pack_last(pack), digits);
    assert_int_equal(pack_previous(pack, pack_last(pack)), pack_first(pack));
    for (int64_t step = -1; step <= 1; step += 2) {
        int64_t other;
        if (__builtin_add_overflow(integer, step, &other)) {
            continue;
        }
        struct bytes near = bytes_of(text, num_format_i64(text, other));
        assert_false(pack_is(pack, pack_first(pack), near));
        assert_int_equal(pack_find(pack, pack_first(pack), near, 1), 0);
    }
    pack_free(pack);
}

static void test_integers_at_every_width(void **state) {
    (void)state;
    for (int64_t integer = -1200; integer <= 1200; integer++) {
        check_integer(integer, 0);
    }
    check_integer(0, 1);
    check_integer(127, 1);
    check_integer(128, 2);
    check_integer(895, 2);
    check_integer(896, 4);
    check_integer(-1, 2);
    check_integer(-128, 2);
    check_integer(-129, 4);
    for (unsigned width = 1; width < 8; width++) {
        int64_t most = ((int64_t)1 << (8 * width - 1)) - 1;
        if (width > 1) {
            check_integer(most, width + 2);
            check_integer(-most - 1, width + 2);
        }
        check_integer(most + 1, width == 1 ? 2 : width + 3);
        check_integer(-most - 2, width == 1 ? 4 : width + 3);
    }
    check_integer(INT64_MAX, 10);
    check_integer(INT64_MIN, 10);
    check_integer(INT64_MAX - 1, 10);
    check_integer(INT64_MIN + 1, 10);
}

static void test_what_looks_like_an_integer_stays_text(void **state) {
    (void)state;
    static const char *texts[] = {"",    "-",   "-0",  "+1",  "01",
                                  " 1",  "1 ",  "1.0", "0x1", "9223372036854775808",
                                  "1e3", "--1", "00",  "-01", "-9223372036854775809"};
    struct pack *pack = pack_new();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pack = pack_append(pack, bytes_text(texts[i]));
    }
    assert_true(pack_validate(pack));
    pack_at at = pack_first(pack);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct pack_item item;
        pack_get(pack, at, &item);
        assert_false(item.is_integer);
        assert_text(pack, at, bytes_text(texts[i]));
        assert_int_equal(pack_find(pack, pack_first(pack), bytes_text(texts[i]), 1), at);
        at = pack_next(pack, at);
    }
    pack_free(pack);
}

/* Texts of all the lengths where the form changes, with neighbours on both sides. */
static void test_texts_at_every_length(void **state) {
    (void)state;
    static const struct {
        size_t size;
        size_t cost;
    } cases[] = {{0, 2},      {1, 2},      {62, 2},     {63, 2},      {64, 4},    {65, 4},
                 {318, 4},    {319, 4},    {320, 6},    {321, 6},     {65534, 6}, {65535, 6},
                 {65536, 10}, {65537, 10}, {70000, 10}, {5000000, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = cases[i].size;
        char *text = malloc(size + 1);
        assert_non_null(text);
        for (size_t j = 0; j < size; j++) {
            text[j] = (char)(j * 7 + 0x3e); /* passes through every byte, the tags included */
        }
        struct bytes big = bytes_of(text, size);
        struct pack *pack = pack_append(pack_new(), bytes_text("left"));
        size_t before = pack_size(pack);
        assert_true(pack_fits(pack, size + 10));
        pack = pack_append(pack, big);
        assert_int_equal(pack_size(pack), before + size + cases[i].cost);
        pack = pack_append(pack, bytes_text("7"));
        assert_true(pack_validate(pack));
        assert_text(pack, pack_seek(pack, 1), big);
        assert_text(pack, pack_seek(pack, -1), bytes_text("7"));
        assert_text(pack, pack_seek(pack, -3), bytes_text("left"));
        assert_int_equal(pack_previous(pack, pack_last(pack)), pack_seek(pack, 1));
        assert_int_equal(pack_find(pack, pack_first(pack), big, 1), pack_seek(pack, 1));
        if (size > 1) {
            text[size - 1] ^= 1;
            assert_false(pack_is(pack, pack_seek(pack, 1), big));
            assert_false(pack_is(pack, pack_seek(pack, 1), bytes_of(text, size - 1)));
        }
        free(text);
        pack_free(pack);
    }
}

static void test_binary(void **state) {
    (void)state;
    struct bytes texts[] = {bytes_of("\0", 1), bytes_of("a\0b", 3), bytes_of("\r\n", 2),
                            bytes_of("1\0", 2), bytes_of("\xff\xfe\x80\x40\x42", 5)};
    struct pack *pack = pack_new();
    for (size_t i = 0; i < 5; i++) {
        pack = pack_prepend(pack, texts[i]);
    }
    assert_true(pack_validate(pack));
    for (size_t i = 0; i < 5; i++) {
        assert_text(pack, pack_seek(pack, -1 - (int64_t)i), texts[i]);
    }
    assert_int_equal(pack_find(pack, pack_first(pack), bytes_of("\0\0", 2), 1), 0);
    assert_int_equal(pack_find(pack, pack_first(pack), bytes_of("a", 1), 1), 0);
    pack_free(pack);
}

static void test_find_in_steps(void **state) {
    (void)state;
    struct pack *pack = pack_new();
    static const char *texts[] = {"a", "b", "b", "1", "1", "a", "c", "2"};
    for (size_t i = 0; i < 8; i++) {
        pack = pack_append(pack, bytes_text(texts[i]));
    }
    pack_at first = pack_first(pack);
    assert_int_equal(pack_find(pack, first, bytes_text("b"), 1), pack_seek(pack, 1));
    assert_int_equal(pack_find(pack, first, bytes_text("b"), 2), pack_seek(pack, 2));
    assert_int_equal(pack_find(pack, first, bytes_text("1"), 2), pack_seek(pack, 4));
    assert_int_equal(pack_find(pack, first, bytes_text("2"), 2), 0);
    assert_int_equal(pack_find(pack, first, bytes_text("c"), 3), pack_seek(pack, 6));
    assert_int_equal(pack_find(pack, first, bytes_text("b"), 3), 0);
    assert_int_equal(pack_find(pack, pack_seek(pack, 1), bytes_text("a"), 1), pack_seek(pack, 5));
    assert_int_equal(pack_find(pack, 0, bytes_text("a"), 1), 0);
    pack_free(pack);
}

static void test_fits(void **state) {
    (void)state;
    struct pack *pack = pack_append(pack_new(), bytes_text("x"));
    assert_true(pack_fits(pack, PACK_SIZE_MAX - pack_size(pack)));
    assert_false(pack_fits(pack, PACK_SIZE_MAX - pack_size(pack) + 1));
    assert_false(pack_fits(pack, SIZE_MAX));
    pack_free(pack);
}

/* Flips every byte of a pack in turn: validation must never read outside, and what passes must
 * still be walked safely. */
static void test_damage_is_noticed(void **state) {
    (void)state;
    struct pack *pack = pack_new();
    static const char *texts[] = {"a",    "12", "500", "70000", "", "-3", "9223372036854775807",
                                  "hello"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        pack = pack_append(pack, bytes_text(texts[i]));
    }
    char medium[100];
    memset(medium, 'm', sizeof medium);
    pack = pack_append(pack, bytes_of(medium, sizeof medium));
    size_t noticed = 0;
    uint8_t *raw = (uint8_t *)pack;
    for (size_t i = HEADER_SIZE; i < pack_size(pack); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            raw[i] ^= (uint8_t)(1u << bit);
            if (!pack_validate(pack)) {
                noticed++;
            } else {
                size_t count = 0;
                for (pack_at at = pack_first(pack); at != 0; at = pack_next(pack, at)) {
                    count++;
                }
                assert_int_equal(count, pack_count(pack));
            }
            raw[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_true(noticed > 100);
    assert_true(pack_validate(pack));
    pack_free(pack);
}

/* A text of one of the interesting sorts. */
static struct bytes random_text(struct random *random, char *out, size_t room) {
    switch (random_below(random, 6)) {
    case 0:
        return bytes_of(out, num_format_i64(out, (int64_t)random_below(random, 200) - 20));
    case 1: {
        unsigned shift = (unsigned)random_below(random, 64);
        return bytes_of(out, num_format_i64(out, (int64_t)random_next(random) >> shift));
    }
    case 2:
        return bytes_of(out, 0);
    default: {
        static const size_t sizes[] = {1, 5, 30, 62, 63, 64, 100, 319, 320, 400};
        size_t size = sizes[random_below(random, sizeof sizes / sizeof sizes[0])];
        assert_true(size <= room);
        for (size_t i = 0; i < size; i++) {
            out[i] = (char)random_next(random);
        }
        return bytes_of(out, size);
    }
    }
}

static void remove_some(struct random *random, struct pack **pack, struct model *model) {
    size_t index = random_below(random, model->count);
    size_t count = random_below(random, 4);
    pack_at at = pack_seek(*pack, (int64_t)index);
    *pack = pack_remove(*pack, &at, count);
    for (size_t i = 0; i < count && index < model->count; i++) {
        model_remove(model, index);
    }
    assert_int_equal(at, pack_seek(*pack, (int64_t)index));
}

static void random_edit(struct random *random, struct pack **pack, struct model *model) {
    char room[400];
    struct bytes text = random_text(random, room, sizeof room);
    unsigned choice = (unsigned)random_below(random, model->count > 60 ? 9 : 6);
    if (model->count == 0 || choice <= 1) {
        *pack = pack_append(*pack, text);
        model_insert(model, model->count, text);
        return;
    }
    size_t index = random_below(random, model->count);
    pack_at at = pack_seek(*pack, (int64_t)index);
    if (choice == 2) {
        *pack = pack_prepend(*pack, text);
        model_insert(model, 0, text);
    } else if (choice == 3) {
        *pack = pack_insert(*pack, &at, text);
        model_insert(model, index, text);
        assert_int_equal(at, pack_seek(*pack, (int64_t)index));
    } else if (choice == 4) {
        *pack = pack_replace(*pack, &at, text);
        model_remove(model, index);
        model_insert(model, index, text);
        assert_int_equal(at, pack_seek(*pack, (int64_t)index));
    } else if (choice == 5) {
        int64_t integer = (int64_t)random_next(random) >> random_below(random, 64);
        *pack = pack_replace_integer(*pack, &at, integer);
        model_remove(model, index);
        model_insert(model, index, bytes_of(room, num_format_i64(room, integer)));
    } else {
        remove_some(random, pack, model);
    }
}

static void test_random_edits(void **state) {
    (void)state;
    struct random random;
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    size_t used_before = mem_used();
    for (uint64_t seed = 1; seed <= 30; seed++) {
        random_init(&random, seed);
        struct pack *pack = pack_new();
        for (unsigned i = 0; i < 400; i++) {
            random_edit(&random, &pack, model);
            if (i % 8 == 0) {
                assert_same(pack, model);
            }
        }
        assert_same(pack, model);
        for (size_t i = 0; i < model->count; i++) {
            /* The first equal element is found, not just any. */
            size_t first = 0;
            while (!bytes_equal(model->items[first], model->items[i])) {
                first++;
            }
            assert_int_equal(pack_find(pack, pack_first(pack), model->items[i], 1),
                             pack_seek(pack, (int64_t)first));
        }
        struct pack *copy = pack_copy(pack);
        assert_same(copy, model);
        assert_int_equal(mem_used() - used_before, 2 * pack_footprint(pack));
        pack_free(copy);
        pack_at at = pack_first(pack);
        pack = pack_remove(pack, &at, SIZE_MAX);
        assert_int_equal(at, 0);
        assert_int_equal(pack_size(pack), HEADER_SIZE);
        model_clear(model);
        assert_same(pack, model);
        pack_free(pack);
    }
    assert_int_equal(mem_used(), used_before);
    free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_integers_at_every_width),
        cmocka_unit_test(test_what_looks_like_an_integer_stays_text),
        cmocka_unit_test(test_texts_at_every_length),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_find_in_steps),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_damage_is_noticed),
        cmocka_unit_test(test_random_edits),
    };
    return cmocka_run_group_tests_name("ds/pack", tests, NULL, NULL);
}
