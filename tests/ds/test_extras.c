/* Tests of ds/extras and of entries that carry them: items against a model, and entries that are
 * made, reshaped and renamed with them. */
#include "ds/extras.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define ROUNDS 20000
/* As a number and as an address whose upper half is not empty. */
#define WORD ((uint64_t)0x123456789ab0)

struct model {
    uint32_t grace;
    size_t tags_size; /* 0: none */
    char tags[EXTRA_SIZE_MAX];
};

static void assert_run(struct bytes run, const struct model *model) {
    extras_validate(run);
    struct bytes tags = extras_item(run, EXTRA_TAGS);
    struct bytes grace = extras_item(run, EXTRA_GRACE);
    assert_int_equal(tags.size, model->tags_size);
    assert_true((tags.at == NULL) == (model->tags_size == 0));
    assert_true(bytes_same(tags.at, model->tags, model->tags_size));
    assert_true((grace.at == NULL) == (model->grace == 0));
    size_t expected =
        (model->grace > 0 ? 6u : 0u) + (model->tags_size > 0 ? 2u + model->tags_size : 0u);
    assert_int_equal(run.size, expected == 0 ? 0 : expected + 2);
}

static void change(struct random *random, struct extras *extras, struct model *model) {
    if (random_below(random, 2) == 0) {
        model->grace = random_below(random, 3) == 0 ? 0 : 1 + (uint32_t)random_below(random, 9999);
        extras_set_grace(extras, model->grace);
        return;
    }
    size_t most = random_below(random, 10) == 0 ? (EXTRA_SIZE_MAX - 4) / 4 : 6;
    size_t count = random_below(random, most + 1);
    model->tags_size = count == 0 ? 0 : 4 + 4 * count;
    for (size_t i = 0; i < model->tags_size; i++) {
        model->tags[i] = (char)random_below(random, 256);
    }
    extras_set(extras, EXTRA_TAGS, model->tags, model->tags_size);
}

static void test_items_against_a_model(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 7);
    static struct extras extras;
    static struct model model;
    extras_begin(&extras, bytes_of(NULL, 0));
    for (int i = 0; i < ROUNDS; i++) {
        change(&random, &extras, &model);
        assert_run(extras_run(&extras), &model);
        static struct extras again;
        extras_begin(&again, extras_run(&extras));
        assert_run(extras_run(&again), &model);
    }
}

static void test_grace_is_rounded_when_it_is_long(void **state) {
    (void)state;
    static const int64_t graces[] = {
        1, 999, INT32_MAX, (int64_t)INT32_MAX + 1, EXTRA_GRACE_MS_MAX - 1, EXTRA_GRACE_MS_MAX};
    static struct extras extras;
    for (size_t i = 0; i < sizeof graces / sizeof graces[0]; i++) {
        extras_begin(&extras, bytes_of(NULL, 0));
        extras_set_grace(&extras, graces[i]);
        struct entry_shape shape = {.encoding = ENTRY_NOTHING, .extras = extras_run(&extras)};
        struct entry *e = entry_try_new(bytes_text("key"), &shape);
        int64_t held_ms = entry_grace_ms(e);
        assert_int_equal(held_ms, extras_rounded_grace(graces[i]));
        assert_in_range(held_ms - graces[i], 0, graces[i] <= INT32_MAX ? 0 : 999);
        entry_free(e);
    }
}

/* ---- entries ---- */

struct subject {
    struct entry *entry;
    struct model model;
    char key[400];
    size_t key_size;
    bool has_deadline;
    enum entry_encoding encoding;
    char value[ENTRY_INLINE_MAX];
    size_t value_size;
};

static void assert_subject(const struct subject *s) {
    struct entry *e = s->entry;
    assert_true(bytes_equal(entry_key(e), bytes_of(s->key, s->key_size)));
    assert_run(entry_extras(e), &s->model);
    assert_true(((e->flags & ENTRY_HAS_EXTRAS) != 0) == (entry_extras(e).size > 0));
    assert_int_equal(entry_grace_ms(e), s->model.grace);
    assert_true(((e->flags & ENTRY_HAS_DEADLINE) != 0) == s->has_deadline);
    size_t rest = s->encoding == ENTRY_INLINE ? s->value_size : s->encoding == ENTRY_BLOB ? 4 : 8;
    size_t size = 8 + (s->has_deadline ? 8 : 0) + s->key_size + (s->key_size > 255 ? 4 : 0) + rest +
                  entry_extras(e).size;
    assert_int_equal(entry_size(e), size < 16 ? 16 : size);
    if (s->encoding == ENTRY_INLINE) {
        assert_true(bytes_equal(entry_inline(e), bytes_of(s->value, s->value_size)));
        /* Another size only by moving, unless nothing lies behind. */
        assert_true(entry_inline_fits(e, s->value_size));
        assert_false(entry_extras(e).size > 0 && entry_inline_fits(e, s->value_size + 1));
    } else {
        assert_int_equal(entry_shape_word(e), WORD);
    }
    if (s->has_deadline) {
        uint64_t word = (uint64_t)5000000 << 10 | 3;
        memcpy(entry_deadline_word(e), &word, sizeof word);
        assert_int_equal(entry_end(e), 5000000);
        assert_int_equal(entry_deadline(e), 5000000 - s->model.grace);
        assert_true(entry_is_due(e, 5000000 - s->model.grace));
        assert_false(entry_is_due(e, 5000000 - s->model.grace - 1));
    } else {
        assert_int_equal(entry_deadline(e), ENTRY_NO_DEADLINE);
        assert_false(entry_is_due(e, INT64_MAX));
    }
}

static struct entry_shape shape_of(struct subject *s, struct random *random) {
    s->has_deadline = random_below(random, 2) == 0;
    static const enum entry_encoding encodings[] = {ENTRY_INLINE, ENTRY_INTEGER, ENTRY_BLOB};
    s->encoding = encodings[random_below(random, 3)];
    s->value_size = random_below(random, random_below(random, 5) == 0 ? ENTRY_INLINE_MAX + 1 : 40);
    memset(s->value, (int)('a' + random_below(random, 26)), s->value_size);
    return (struct entry_shape){
        .type = ENTRY_STRING,
        .encoding = s->encoding,
        .has_deadline = s->has_deadline,
        .value = bytes_of(s->value, s->encoding == ENTRY_INLINE ? s->value_size : 0),
        .word = WORD};
}

static void new_key(struct subject *s, struct random *random) {
    s->key_size = random_below(random, random_below(random, 4) == 0 ? sizeof s->key : 20);
    memset(s->key, (int)('A' + random_below(random, 26)), s->key_size);
}

static void step(struct subject *s, struct random *random) {
    static struct extras extras;
    struct entry *old = s->entry;
    if (random_below(random, 3) == 0) {
        new_key(s, random);
        s->entry = entry_try_rename(old, bytes_of(s->key, s->key_size));
    } else {
        struct entry_shape shape = shape_of(s, random);
        if (random_below(random, 2) == 0) {
            extras_begin(&extras, entry_extras(old));
            change(random, &extras, &s->model);
            shape.extras = extras_run(&extras);
        }
        s->entry = entry_try_reshape(old, &shape);
    }
    assert_non_null(s->entry);
    entry_free(old);
}

static void test_entries_carry_them(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 11);
    size_t before = mem_used_by(MEM_DATA);
    static struct subject subject;
    new_key(&subject, &random);
    struct entry_shape shape = shape_of(&subject, &random);
    subject.entry = entry_try_new(bytes_of(subject.key, subject.key_size), &shape);
    for (int i = 0; i < ROUNDS; i++) {
        assert_subject(&subject);
        assert_int_equal(mem_used_by(MEM_DATA) - before, entry_footprint(subject.entry));
        step(&subject, &random);
    }
    entry_free(subject.entry);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_without_memory_the_old_one_stays(void **state) {
    (void)state;
    static struct extras extras;
    char name[300];
    memset(name, 'n', sizeof name);
    extras_begin(&extras, bytes_of(NULL, 0));
    extras_set_grace(&extras, 5);
    struct entry_shape shape = {.encoding = ENTRY_NOTHING, .extras = extras_run(&extras)};
    struct entry *e = entry_try_new(bytes_of(name, sizeof name), &shape);
    mem_fail_after(1);
    assert_null(entry_try_reshape(e, &shape));
    mem_fail_after(1);
    assert_null(entry_try_rename(e, bytes_of(name, sizeof name)));
    mem_fail_after(0);
    assert_int_equal(entry_grace_ms(e), 5);
    entry_free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_against_a_model),
        cmocka_unit_test(test_grace_is_rounded_when_it_is_long),
        cmocka_unit_test(test_entries_carry_them),
        cmocka_unit_test(test_without_memory_the_old_one_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
