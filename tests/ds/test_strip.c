/* Tests of ds/strip: random edits on a strip and on a plain array alike, through every way of
 * making room; and copies, cuts and joins. What lists do with strips is in test_list.c. */
#include "ds/strip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

#define WORDS     12
#define MODEL_MAX 600

static char words[WORDS][400];

struct model {
    unsigned items[MODEL_MAX];
    size_t count;
};

static int make_words(void **state) {
    (void)state;
    static const char *const small[] = {"", "a", "5", "-100", "70000", "123456789012", "some text"};
    for (unsigned i = 0; i < WORDS; i++) {
        if (i < 7) {
            strcpy(words[i], small[i]);
        } else {
            memset(words[i], 'a' + (int)i, i * 33);
        }
    }
    return 0;
}

static struct element_form form_of(unsigned word) {
    return element_form_of_text(bytes_text(words[word]));
}

static void assert_same(const struct strip *strip, const struct model *model) {
    assert_true(strip_validate(strip));
    assert_int_equal(strip->count, model->count);
    const uint8_t *at = strip_element(strip, strip->start);
    for (size_t i = 0; i < model->count; i++) {
        struct element_form form = form_of(model->items[i]);
        assert_true(element_is(&form, at));
        assert_int_equal(strip_seek(strip, i), at - (const uint8_t *)strip);
        at += element_size(at);
    }
}

static void model_insert(struct model *model, size_t at, unsigned word) {
    memmove(&model->items[at + 1], &model->items[at], (model->count - at) * sizeof(unsigned));
    model->items[at] = word;
    model->count++;
}

static void model_remove(struct model *model, size_t at, size_t count) {
    memmove(&model->items[at], &model->items[at + count],
            (model->count - at - count) * sizeof(unsigned));
    model->count -= count;
}

static struct strip *add(struct strip *strip, struct model *model, struct random *random) {
    unsigned word = (unsigned)random_below(random, WORDS);
    struct element_form form = form_of(word);
    size_t spare = random_below(random, 100);
    switch (random_below(random, 3)) {
    case 0:
        model_insert(model, 0, word);
        return strip_push_front(strip, &form, spare);
    case 1:
        model_insert(model, model->count, word);
        return strip_push_back(strip, &form, spare);
    default: {
        size_t at = random_below(random, model->count + 1);
        strip_at place = at < model->count ? strip_seek(strip, at) : strip->end;
        model_insert(model, at, word);
        return strip_insert(strip, place, &form);
    }
    }
}

static struct strip *take(struct strip *strip, struct model *model, struct random *random) {
    size_t at = random_below(random, model->count);
    size_t left = model->count - at;
    size_t count = 1 + random_below(random, left < 3 ? left : 3);
    model_remove(model, at, count);
    return strip_remove(strip, at, count);
}

static struct strip *replace(struct strip *strip, struct model *model, struct random *random) {
    size_t at = random_below(random, model->count);
    unsigned word = (unsigned)random_below(random, WORDS);
    struct element_form form = form_of(word);
    model->items[at] = word;
    return strip_replace(strip, strip_seek(strip, at), &form);
}

static struct strip *remove_equal(struct strip *strip, struct model *model, struct random *random) {
    unsigned word = (unsigned)random_below(random, WORDS);
    size_t max = random_below(random, 4);
    bool from_end = random_below(random, 2);
    size_t expected = 0;
    for (size_t i = 0; i < model->count && expected < max;) {
        size_t at = from_end ? model->count - 1 - i : i;
        if (model->items[at] == word) {
            model_remove(model, at, 1);
            expected++;
        } else {
            i++;
        }
    }
    struct element_form form = form_of(word);
    size_t removed;
    strip = strip_remove_equal(strip, &form, max, from_end, &removed);
    assert_int_equal(removed, expected);
    return strip;
}

/* Cuts it in two and joins it again; copies it. */
static struct strip *cut_and_join(struct strip *strip, const struct model *model,
                                  struct random *random) {
    struct strip *copy = strip_try_copy(strip);
    assert_non_null(copy);
    assert_same(copy, model);
    assert_true(strip_footprint(copy) <= strip_footprint(strip));
    strip_free(copy);
    if (model->count < 2) {
        return strip;
    }
    size_t at = 1 + random_below(random, model->count - 1);
    struct strip *rest = strip_split(strip, at);
    assert_true(strip_validate(strip) && strip_validate(rest));
    assert_int_equal(strip->count, at);
    assert_int_equal(rest->count, model->count - at);
    return strip_join(strip, rest);
}

static void test_against_model(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 11);
    static struct model model;
    size_t before = mem_used_by(MEM_DATA);
    for (unsigned round = 0; round < 30; round++) {
        struct strip *strip = strip_new(random_below(&random, 200));
        model.count = 0;
        for (unsigned i = 0; i < 600; i++) {
            size_t dice = random_below(&random, 20);
            size_t growth = i < 300 ? 14 : 6;
            bool has_room = STRIP_HEADER_SIZE + strip_used(strip) + 1000 < STRIP_SIZE_MAX;
            if (model.count == 0 || (dice < growth && model.count < MODEL_MAX - 1 && has_room)) {
                strip = add(strip, &model, &random);
            } else if (dice < 16) {
                strip = take(strip, &model, &random);
            } else if (dice < 18) {
                strip = replace(strip, &model, &random);
            } else if (dice < 19) {
                strip = remove_equal(strip, &model, &random);
            } else {
                strip = cut_and_join(strip, &model, &random);
            }
            assert_same(strip, &model);
        }
        strip_free(strip);
    }
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

/* A queue that is pushed into at one end and popped from at the other neither grows nor moves its
 * elements for each of them. */
static void test_queue_stays_small(void **state) {
    (void)state;
    struct strip *strip = strip_new(0);
    struct element_form form = form_of(6);
    for (unsigned i = 0; i < 20; i++) {
        strip = strip_push_front(strip, &form, 0);
    }
    size_t footprint = strip_footprint(strip);
    for (unsigned i = 0; i < 10000; i++) {
        strip = strip_push_front(strip, &form, 0);
        strip = strip_remove(strip, 20, 1);
        assert_true(strip_footprint(strip) <= footprint * 2);
    }
    assert_true(strip_validate(strip));
    strip_free(strip);
}

/* The longest there may be. */
static void test_full(void **state) {
    (void)state;
    struct strip_limits limits = {STRIP_SIZE_MAX, STRIP_SIZE_MAX};
    struct strip *strip = strip_new(0);
    struct element_form form = form_of(2);
    while (strip_fits(strip, &limits, form.total)) {
        strip = strip_push_back(strip, &form, 1000);
    }
    assert_int_equal(strip->count, STRIP_SIZE_MAX - STRIP_HEADER_SIZE);
    assert_true(strip_validate(strip));
    strip = strip_remove(strip, 0, strip->count - 1u);
    assert_true(strip_footprint(strip) < 100);
    strip_free(strip);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_queue_stays_small),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, make_words, NULL);
}
