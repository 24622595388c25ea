/* Tests of types/list: long runs of random edits on a list and on a plain array alike, under
 * limits from blocks of one element to the usual ones, so that every change of encoding and every
 * cut and join of blocks comes up; and the edges by themselves. */
#include "types/list.h"

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
#include "ds/element.h"
#include "types/value.h"

#define ROUNDS    60
#define EDITS     400
#define MODEL_MAX 4000

/* The model: an array of texts, each an index into `texts`. */
struct model {
    int items[MODEL_MAX];
    size_t count;
};

static struct bytes texts[64];
static size_t text_count;
static struct random dice;

static size_t below(size_t limit) {
    return (size_t)random_below(&dice, limit);
}

static void add_text(const char *at, size_t size) {
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, at, size);
    texts[text_count++] = bytes_of(copy, size);
}

/* Integers and texts of every form, some of them large. */
static int make_texts(void **state) {
    (void)state;
    static const char *const words[] = {
        "",     "a",     "ab",        "0",          "127",
        "128",  "-128",  "-129",      "895",        "896",
        "007",  "-0",    "123456789", "4294967296", "-9223372036854775808",
        "same", "same ", "1e3"};
    static const size_t sizes[] = {62, 63, 64, 65, 99, 100, 101, 319, 320, 1000};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        add_text(words[i], strlen(words[i]));
    }
    char big[1000];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(big, 'x', sizeof big);
        big[0] = (char)('a' + (char)i);
        add_text(big, sizes[i]);
    }
    random_init(&dice, 7);
    return 0;
}

static int free_texts(void **state) {
    (void)state;
    while (text_count > 0) {
        free((void *)(uintptr_t)texts[--text_count].at);
    }
    return 0;
}

static struct entry *new_list(const struct list_options *options) {
    struct entry_shape shape = list_new_shape(options, below(100));
    struct entry *list = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(list);
    return list;
}

static void free_list(struct entry *list) {
    list_free(list);
    entry_free(list);
}

/* Now and then a large text comes in a blob of its own. */
static struct list_write write_of(int text) {
    struct list_write write = {.text = texts[text]};
    if (write.text.size >= 100 && below(2) == 0) {
        write.blob = blob_try_copy(write.text);
        assert_non_null(write.blob);
        write.text = blob_bytes(write.blob);
    }
    return write;
}

static void model_insert(struct model *model, size_t at, int text) {
    assert_true(model->count < MODEL_MAX);
    memmove(&model->items[at + 1], &model->items[at], (model->count - at) * sizeof(int));
    model->items[at] = text;
    model->count++;
}

static void model_remove(struct model *model, size_t at, size_t count) {
    memmove(&model->items[at], &model->items[at + count],
            (model->count - at - count) * sizeof(int));
    model->count -= count;
}

static void assert_element(const struct entry *list, size_t at, int text) {
    struct list_value value;
    list_get(list, at, &value);
    assert_int_equal(value.text.size, texts[text].size);
    assert_memory_equal(value.text.at, texts[text].at, value.text.size);
    assert_true((value.blob != NULL) == (value.text.size >= LIST_LARGE_MIN));
}

static struct bytes element_as_text(const uint8_t *element, char *scratch) {
    if (element_tag_is_text(*element)) {
        return element_text(element);
    }
    return bytes_of(scratch, num_format_i64(scratch, element_integer(element)));
}

/* The list is the model's, as runs show it. */
static void assert_same(const struct entry *list, const struct model *model) {
    list_validate(list);
    assert_int_equal(list_length(list), model->count);
    size_t at = 0;
    while (at < model->count) {
        struct list_run run;
        list_run_at(list, at, &run);
        assert_true(run.count > 0);
        const uint8_t *element = run.at;
        for (size_t i = 0; i < run.count; i++) {
            char scratch[NUM_I64_SIZE];
            struct bytes text =
                run.blob != NULL ? blob_bytes(run.blob) : element_as_text(element, scratch);
            assert_true(bytes_equal(text, texts[model->items[at + i]]));
            element += run.blob != NULL ? 0 : element_size(element);
        }
        assert_true(run.blob != NULL || element == run.end);
        at += run.count;
    }
    assert_int_equal(at, model->count);
}

struct hits {
    size_t at[MODEL_MAX];
    size_t count;
    size_t stop; /* after so many */
};

static bool hit(void *context, size_t at) {
    struct hits *hits = context;
    hits->at[hits->count++] = at;
    return hits->count < hits->stop;
}

static void check_search(const struct entry *list, const struct model *model) {
    static struct hits hits;
    int text = (int)below(text_count);
    struct list_search search = {.text = texts[text],
                                 .at = below(model->count),
                                 .max = below(3) == 0 ? SIZE_MAX : below(model->count + 2),
                                 .from = below(2) ? LIST_HEAD : LIST_TAIL,
                                 .skip = below(3),
                                 .found = hit,
                                 .context = &hits};
    hits.count = 0;
    hits.stop = 1 + below(5);
    list_find(list, &search);
    size_t skip = search.skip;
    size_t found = 0;
    size_t at = search.at;
    for (size_t i = 0; i < search.max && at < model->count && found < hits.stop; i++) {
        if (model->items[at] == text) {
            if (skip > 0) {
                skip--;
            } else {
                assert_true(found < hits.count);
                assert_int_equal(hits.at[found], at);
                found++;
            }
        }
        at += search.from == LIST_HEAD ? 1 : (size_t)-1;
    }
    assert_int_equal(found, hits.count);
}

static void remove_equal(struct entry *list, const struct list_options *options,
                         struct model *model) {
    int text = (int)below(text_count);
    size_t max = below(3) == 0 ? SIZE_MAX : 1 + below(4);
    enum list_end from = below(2) ? LIST_HEAD : LIST_TAIL;
    size_t removed = 0;
    for (size_t i = model->count; from == LIST_TAIL && i > 0 && removed < max; i--) {
        if (model->items[i - 1] == text) {
            model_remove(model, i - 1, 1);
            removed++;
        }
    }
    for (size_t i = 0; from == LIST_HEAD && i < model->count && removed < max;) {
        if (model->items[i] == text) {
            model_remove(model, i, 1);
            removed++;
        } else {
            i++;
        }
    }
    assert_int_equal(list_remove_equal(list, options, texts[text], max, from), removed);
}

/* One edit at random, of the list and of the model; `growth` of ten edits add. */
static void edit(struct entry *list, const struct list_options *options, struct model *model,
                 size_t growth) {
    int text = (int)below(text_count);
    if (below(10) < growth || model->count == 0) {
        struct list_write write = write_of(text);
        size_t at = below(3) == 0 ? below(model->count + 1) : below(2) ? 0 : model->count;
        if (at == 0 && below(2)) {
            assert_int_equal(list_push(list, options, LIST_HEAD, &write), 0);
        } else {
            assert_int_equal(list_insert(list, options, at, &write), 0);
        }
        model_insert(model, at, text);
        return;
    }
    size_t at = below(model->count);
    switch (below(6)) {
    case 0: {
        struct list_write write = write_of(text);
        assert_int_equal(list_set(list, options, at, &write), 0);
        model->items[at] = text;
        break;
    }
    case 1:
        list_remove(list, options, at, 1);
        model_remove(model, at, 1);
        break;
    case 2: {
        size_t count = below(20) == 0 ? 1 + below(model->count - at)
                                      : 1 + below(model->count - at < 4 ? model->count - at : 4);
        list_remove(list, options, at, count);
        model_remove(model, at, count);
        break;
    }
    case 3:
        if (below(3) == 0) {
            remove_equal(list, options, model);
        }
        break;
    default:
        at = below(2) ? 0 : model->count - 1;
        list_remove(list, options, at, 1);
        model_remove(model, at, 1);
    }
}

static void check_copy(const struct entry *list, const struct model *model) {
    struct entry *copy = value_try_copy(list, bytes_text("another"));
    assert_non_null(copy);
    assert_same(copy, model);
    assert_string_equal(list_encoding_name(copy), list_encoding_name(list));
    value_free(copy);
}

static void check_settling(struct entry *list) {
    struct sparse_tally tally = {.least_steps = 1};
    sparse_move_all(true);
    uint32_t cursor = 0;
    size_t portions = 0;
    do {
        value_settle(list, &cursor, &tally);
        list_validate(list);
        assert_true(portions++ < 2 * list_length(list) + 2);
    } while (cursor != 0);
    sparse_move_all(false);
    sparse_forget(&tally);
    assert_true(tally.moved > 0);
}

static void test_against_model(void **state) {
    (void)state;
    static const int64_t sizes[] = {-2, -1, 1, 2, 5, 16, 0, -9};
    static struct model model;
    size_t before = mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct list_options options = {.strip_size = sizes[round % 8]};
        struct entry *list = new_list(&options);
        model.count = 0;
        for (size_t i = 0; i < EDITS; i++) {
            size_t growth = i < EDITS / 2 ? 8 : 3;
            edit(list, &options, &model, growth);
            list_validate(list);
            if (i % 8 == 0) {
                assert_same(list, &model);
            }
            if (model.count > 0) {
                size_t at = below(model.count);
                assert_element(list, at, model.items[at]);
                check_search(list, &model);
            }
            if (i % 50 == 0 && model.count > 0) {
                check_copy(list, &model);
                check_settling(list);
                assert_same(list, &model);
            }
            /* Limits may change at any time. */
            if (below(100) == 0) {
                options.strip_size = sizes[below(8)];
            }
        }
        assert_true(list_footprint(list, 0) > 0);
        assert_true(list_footprint(list, 1) > 0);
        assert_true(list_weight(list) > 0);
        list_remove(list, &options, 0, list_length(list));
        assert_string_equal(list_encoding_name(list), "listpack");
        list_validate(list);
        free_list(list);
    }
    assert_int_equal(mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE), before);
}

/* The footprint is what was allocated. */
static void test_footprint(void **state) {
    (void)state;
    struct list_options options = {.strip_size = -2};
    size_t before = mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE);
    struct entry *list = new_list(&options);
    for (size_t i = 0; i < 300; i++) {
        struct list_write write = {.text = texts[below(text_count)]};
        assert_int_equal(list_push(list, &options, i % 2 ? LIST_HEAD : LIST_TAIL, &write), 0);
        size_t used = mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE) - before;
        /* The index of several levels is reckoned, not counted. */
        size_t told = value_footprint(list, 0);
        assert_true(told >= used * 3 / 4 && told <= used * 5 / 4 + 256);
    }
    free_list(list);
}

static void push_words(struct entry *list, const struct list_options *options, size_t count,
                       size_t size) {
    char text[100];
    memset(text, 'w', sizeof text);
    for (size_t i = 0; i < count; i++) {
        struct list_write write = {.text = bytes_of(text, size)};
        assert_int_equal(list_push(list, options, LIST_TAIL, &write), 0);
    }
}

/* One block is a listpack; what has become several is one again at half the limits. */
static void test_encodings(void **state) {
    (void)state;
    struct list_options options = {.strip_size = 8};
    struct entry *list = new_list(&options);
    assert_string_equal(list_encoding_name(list), "listpack");
    push_words(list, &options, 8, 10);
    assert_string_equal(list_encoding_name(list), "listpack");
    push_words(list, &options, 1, 10);
    assert_string_equal(list_encoding_name(list), "quicklist");
    list_remove(list, &options, 8, 1);
    assert_string_equal(list_encoding_name(list), "quicklist");
    list_remove(list, &options, 4, 4);
    assert_string_equal(list_encoding_name(list), "listpack");
    free_list(list);

    options.strip_size = -1;
    list = new_list(&options);
    push_words(list, &options, 62, 64);
    assert_string_equal(list_encoding_name(list), "quicklist");
    list_remove(list, &options, 29, 33);
    assert_string_equal(list_encoding_name(list), "listpack");
    struct list_write large = {.text = texts[text_count - 1]};
    assert_int_equal(list_set(list, &options, 3, &large), 0);
    assert_string_equal(list_encoding_name(list), "quicklist");
    list_validate(list);
    free_list(list);
}

/* Each allocation in turn fails: nothing is lost and nothing is changed. */
static void test_no_memory(void **state) {
    (void)state;
    struct list_options options = {.strip_size = 4};
    static struct model model;
    model.count = 0;
    struct entry *list = new_list(&options);
    for (size_t i = 0; i < 40; i++) {
        edit(list, &options, &model, 10);
    }
    int large = (int)text_count - 1;
    struct list_write write = {.text = texts[large]};
    mem_fail_after(1);
    assert_int_equal(list_push(list, &options, LIST_HEAD, &write), -ENOMEM);
    mem_fail_after(1);
    assert_int_equal(list_insert(list, &options, 3, &write), -ENOMEM);
    mem_fail_after(1);
    assert_int_equal(list_set(list, &options, 3, &write), -ENOMEM);
    mem_fail_after(0);
    assert_same(list, &model);
    size_t before = mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE);
    for (uint64_t fail = 1;; fail++) {
        mem_fail_after(fail);
        struct entry *copy = value_try_copy(list, bytes_text("copy"));
        mem_fail_after(0);
        if (copy != NULL) {
            assert_true(fail > 10);
            value_free(copy);
            break;
        }
        assert_int_equal(mem_used_by(MEM_DATA) + mem_used_by(MEM_TABLE), before);
    }
    assert_same(list, &model);
    free_list(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_footprint),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, make_texts, free_texts);
}
