/* Tests of ds/id_index against an array: appends, insertions and removals at random places, in the
 * proportions that make an index grow, shrink and be emptied again. */
#include "ds/id_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

struct item {
    struct stream_id id;
    uint64_t content;
};

/* The model: sorted. */
#define ITEMS_MAX 1000
struct model {
    struct item items[ITEMS_MAX];
    size_t count;
};

/* Where the id is, or would be. */
static size_t model_seek(const struct model *model, struct stream_id id) {
    size_t at = 0;
    while (at < model->count && stream_id_less(model->items[at].id, id)) {
        at++;
    }
    return at;
}

static bool model_has(const struct model *model, struct stream_id id) {
    size_t at = model_seek(model, id);
    return at < model->count && stream_id_compare(model->items[at].id, id) == 0;
}

static void model_insert(struct model *model, struct item item) {
    size_t at = model_seek(model, item.id);
    memmove(model->items + at + 1, model->items + at, (model->count - at) * sizeof item);
    model->items[at] = item;
    model->count++;
}

static void model_remove(struct model *model, size_t at) {
    model->count--;
    memmove(model->items + at, model->items + at + 1, (model->count - at) * sizeof *model->items);
}

/* The place of the item with that number. */
static struct id_place place_of(const struct id_index *index, const struct model *model,
                                size_t at) {
    return id_index_seek(index, model->items[at].id);
}

static void compare_place(const struct id_index *index, const struct model *model,
                          struct id_place place, size_t at) {
    if (at >= model->count) {
        assert_true(id_index_at_end(index, place));
        return;
    }
    assert_false(id_index_at_end(index, place));
    assert_memory_equal(id_index_item(index, place), &model->items[at], sizeof(struct item));
}

static void compare(const struct id_index *index, const struct model *model) {
    id_index_validate(index);
    assert_int_equal(index->size, model->count);
    struct id_place place = id_index_first(index);
    for (size_t i = 0; i < model->count; i++) {
        compare_place(index, model, place, i);
        place = id_index_next(index, place);
    }
    assert_true(id_index_at_end(index, place));
    place = id_index_last(index);
    for (size_t i = model->count; i-- > 0;) {
        compare_place(index, model, place, i);
        place = id_index_previous(index, place);
    }
    assert_true(id_index_at_end(index, place));
}

static void compare_searches(const struct id_index *index, const struct model *model,
                             struct stream_id id) {
    size_t at = model_seek(model, id);
    compare_place(index, model, id_index_seek(index, id), at);
    bool has = model_has(model, id);
    assert_true((id_index_find(index, id) != NULL) == has);
    compare_place(index, model, id_index_seek_last(index, id),
                  has       ? at
                  : at == 0 ? SIZE_MAX
                            : at - 1);
}

static struct stream_id random_id(struct random *random) {
    return (struct stream_id){random_below(random, 300), random_below(random, 3)};
}

static void add(struct id_index *index, struct model *model, struct random *random, bool at_end) {
    struct item item = {.id = random_id(random), .content = random_next(random)};
    if (model->count == ITEMS_MAX) {
        return;
    }
    if (at_end) {
        item.id = model->count > 0 ? model->items[model->count - 1].id : item.id;
        item.id.seq += 1 + random_below(random, 2);
        struct item *made = id_index_append(index, item.id);
        made->content = item.content;
        model_insert(model, item);
        return;
    }
    bool is_new;
    struct item *made = id_index_insert(index, item.id, &is_new);
    assert_true(is_new == !model_has(model, item.id));
    if (is_new) {
        made->content = item.content;
        model_insert(model, item);
    }
}

static void remove_one(struct id_index *index, struct model *model, struct random *random,
                       bool at_front) {
    if (model->count == 0) {
        assert_false(id_index_remove_id(index, random_id(random)));
        return;
    }
    size_t at = at_front ? 0 : random_below(random, model->count);
    if (random_below(random, 2) == 0) {
        struct id_place next = id_index_remove(index, place_of(index, model, at));
        model_remove(model, at);
        compare_place(index, model, next, at);
    } else {
        assert_true(id_index_remove_id(index, model->items[at].id));
        model_remove(model, at);
    }
}

static void as_an_array(void **state) {
    (void)state;
    static struct model model;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct random random;
        struct id_index index;
        random_init(&random, seed);
        id_index_init(&index, sizeof(struct item));
        model.count = 0;
        unsigned adding = 50;
        unsigned at_end = (unsigned)random_below(&random, 101);
        unsigned at_front = (unsigned)random_below(&random, 101);
        for (int step = 0; step < 2000; step++) {
            if (step % 250 == 0) {
                adding = 20 + (unsigned)random_below(&random, 61);
            }
            if (random_below(&random, 100) < adding) {
                add(&index, &model, &random, random_below(&random, 100) < at_end);
            } else {
                remove_one(&index, &model, &random, random_below(&random, 100) < at_front);
            }
            if (model.count == 0) {
                id_index_validate(&index);
            } else {
                compare_searches(&index, &model, random_id(&random));
            }
            if (step % 20 == 0) {
                compare(&index, &model);
            }
        }
        struct id_index copy;
        id_index_init(&copy, sizeof(struct item));
        id_index_copy(&copy, &index);
        compare(&copy, &model);
        assert_true(index.count == 0 || id_index_footprint(&copy) <= id_index_footprint(&index));
        id_index_clear(&copy);
        id_index_clear(&index);
        id_index_validate(&index);
    }
}

static void nothing_is_found_in_an_empty_one(void **state) {
    (void)state;
    struct id_index index;
    id_index_init(&index, sizeof(struct item));
    assert_null(id_index_find(&index, STREAM_ID_MIN));
    assert_true(id_index_at_end(&index, id_index_first(&index)));
    assert_true(id_index_at_end(&index, id_index_last(&index)));
    assert_true(id_index_at_end(&index, id_index_seek(&index, STREAM_ID_MIN)));
    assert_true(id_index_at_end(&index, id_index_seek_last(&index, STREAM_ID_MAX)));
    assert_int_equal(id_index_footprint(&index), 0);
    id_index_validate(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_an_array),
        cmocka_unit_test(nothing_is_found_in_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
