/* Tests of ds/ordered against a sorted array: long runs of random changes with few and with many
 * different scores, in nodes so small that they split and join all the time. */
#include "ds/ordered.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

#define ITEMS_MAX 1200

/* The model: items in order. */
struct model {
    struct ordered_item items[ITEMS_MAX];
    size_t size;
};

static struct random chance;

static struct entry *new_entry(unsigned number) {
    char name[16];
    int size = snprintf(name, sizeof name, "m%u", number);
    struct entry *entry =
        entry_try_new(bytes_of(name, (size_t)size),
                      &(struct entry_shape){.type = ENTRY_ELEMENT, .encoding = ENTRY_SCORE});
    assert_non_null(entry);
    return entry;
}

static int compare(double score, const struct entry *entry, const struct ordered_item *item) {
    if (score != item->score) {
        return score < item->score ? -1 : 1;
    }
    return bytes_compare(entry_key(entry), entry_key(item->entry));
}

static size_t place_of(const struct model *model, double score, const struct entry *entry) {
    size_t place = 0;
    while (place < model->size && compare(score, entry, &model->items[place]) > 0) {
        place++;
    }
    return place;
}

static void model_insert(struct model *model, double score, struct entry *entry) {
    size_t place = place_of(model, score, entry);
    memmove(model->items + place + 1, model->items + place,
            (model->size - place) * sizeof model->items[0]);
    model->items[place] = (struct ordered_item){score, entry};
    model->size++;
}

static void model_remove(struct model *model, size_t place) {
    model->size--;
    memmove(model->items + place, model->items + place + 1,
            (model->size - place) * sizeof model->items[0]);
}

static bool is_below(const void *context, const struct ordered_item *item) {
    return item->score < *(const double *)context;
}

static void assert_same(const struct ordered *ordered, const struct model *model) {
    ordered_validate(ordered);
    assert_int_equal(ordered_size(ordered), model->size);
    size_t rank = 0;
    struct ordered_at at = ordered_seek(ordered, 0);
    for (; at.leaf != NULL; ordered_next(&at)) {
        assert_ptr_equal(ordered_item(&at)->entry, model->items[rank].entry);
        assert_true(ordered_item(&at)->score == model->items[rank].score);
        rank++;
    }
    assert_int_equal(rank, model->size);
    if (model->size > 0) {
        for (at = ordered_seek(ordered, model->size - 1); at.leaf != NULL; ordered_previous(&at)) {
            assert_ptr_equal(ordered_item(&at)->entry, model->items[--rank].entry);
        }
        assert_int_equal(rank, 0);
    }
}

static double some_score(unsigned scores) {
    uint64_t number = random_below(&chance, scores);
    if (number == 0) {
        return -INFINITY;
    }
    return number == 1 ? INFINITY : ((double)number - scores / 2.0) / 4;
}

/* Looks at one item, and at a border, in all ways. */
static void look(const struct ordered *ordered, const struct model *model, unsigned scores) {
    assert_null(ordered_seek(ordered, model->size).leaf);
    double border = some_score(scores);
    size_t before = 0;
    while (before < model->size && model->items[before].score < border) {
        before++;
    }
    assert_int_equal(ordered_count_before(ordered, is_below, &border), before);
    if (model->size == 0) {
        return;
    }
    size_t rank = random_below(&chance, model->size);
    const struct ordered_item *item = &model->items[rank];
    assert_int_equal(ordered_rank(ordered, item->score, item->entry), rank);
    struct ordered_at at = ordered_seek(ordered, rank);
    assert_ptr_equal(ordered_item(&at)->entry, item->entry);
}

/* The entry of an item gets another address. */
static void replace_one(struct ordered *ordered, struct model *model) {
    struct ordered_item *item = &model->items[random_below(&chance, model->size)];
    struct entry *copy = entry_try_rename(item->entry, entry_key(item->entry));
    assert_non_null(copy);
    ordered_replace(ordered, item->score, item->entry, copy);
    entry_free(item->entry);
    item->entry = copy;
}

static void move_one(struct ordered *ordered, struct model *model, unsigned scores) {
    size_t place = random_below(&chance, model->size);
    struct ordered_item item = model->items[place];
    double score = random_below(&chance, 3) == 0 ? item.score + 0.25 : some_score(scores);
    ordered_move(ordered, item.score, item.entry, score);
    model_remove(model, place);
    model_insert(model, score, item.entry);
}

static void remove_one(struct ordered *ordered, struct model *model) {
    /* Often at an end, as popping does. */
    size_t place = random_below(&chance, model->size);
    place = random_below(&chance, 4) == 0 ? (place % 2 == 0 ? 0 : model->size - 1) : place;
    struct ordered_item item = model->items[place];
    if (random_below(&chance, 2) == 0) {
        ordered_remove(ordered, item.score, item.entry);
    } else {
        struct ordered_item removed = ordered_remove_at(ordered, place);
        assert_ptr_equal(removed.entry, item.entry);
        assert_true(removed.score == item.score);
    }
    model_remove(model, place);
    entry_free(item.entry);
}

static void settle_all(struct ordered *ordered) {
    struct sparse_tally tally = {0};
    uint32_t rank = 0;
    do {
        ordered_settle(ordered, &rank, &tally);
    } while (rank != 0);
    sparse_forget(&tally);
}

static void empty(struct ordered *ordered, struct model *model, bool in_slices) {
    if (in_slices) {
        size_t nodes = ordered->leaf_count;
        size_t slices = 0;
        while (!ordered_free_some(ordered, 3)) {
            slices++;
        }
        assert_int_equal(slices, nodes == 0 ? 0 : (nodes - 1) / 3);
    } else {
        ordered_clear(ordered);
    }
    ordered_validate(ordered);
    assert_int_equal(ordered_footprint(ordered), 0);
    for (size_t i = 0; i < model->size; i++) {
        entry_free(model->items[i].entry);
    }
    model->size = 0;
}

/* Grows and shrinks by turns: `swing` of 100 steps insert while it grows, the rest remove. */
static void random_changes(unsigned scores, unsigned swing, int steps) {
    size_t used = mem_used();
    struct ordered ordered;
    static struct model model;
    ordered_init(&ordered, MEM_TABLE);
    model.size = 0;
    unsigned number = 0;
    bool growing = true;
    for (int step = 0; step < steps; step++) {
        if (model.size == ITEMS_MAX) {
            growing = false;
        } else if (model.size == 0) {
            growing = true;
        } else if (random_below(&chance, 1000) == 0) {
            growing = !growing;
        }
        bool adds = random_below(&chance, 100) < (growing ? swing : 100 - swing);
        if (model.size == 0 || (adds && model.size < ITEMS_MAX)) {
            double score = some_score(scores);
            struct entry *entry = new_entry(number++);
            ordered_prefetch(&ordered);
            for (unsigned level = 0; level < ORDERED_HEIGHT_MAX; level++) {
                ordered_prefetch_score(&ordered, (double)level, level);
            }
            ordered_insert(&ordered, score, entry);
            model_insert(&model, score, entry);
        } else {
            remove_one(&ordered, &model);
        }
        if (model.size > 0 && step % 3 == 0) {
            move_one(&ordered, &model, scores);
            replace_one(&ordered, &model);
        }
        look(&ordered, &model, scores);
        if (step % 64 == 0) {
            assert_same(&ordered, &model);
        }
        if (step % 1024 == 0) {
            sparse_move_all(true);
            settle_all(&ordered);
            sparse_move_all(false);
            assert_same(&ordered, &model);
        }
    }
    empty(&ordered, &model, steps % 2 == 0);
    assert_int_equal(mem_used(), used);
}

static void many_scores(void **state) {
    (void)state;
    random_changes(100000, 80, 15000);
}

static void few_scores(void **state) {
    (void)state;
    random_changes(7, 70, 15001);
}

static void one_score(void **state) {
    (void)state;
    random_changes(1, 95, 8000);
}

/* Built in order, nodes are full but for the last ones; then everything works on. */
static void appended(void **state) {
    (void)state;
    static struct model model;
    struct ordered ordered;
    for (size_t size = 0; size <= ITEMS_MAX; size += size < 50 ? 1 : 115) {
        ordered_init(&ordered, MEM_TABLE);
        model.size = 0;
        for (size_t i = 0; i < size; i++) {
            struct entry *entry = new_entry((unsigned)(10000 + i));
            ordered_append(&ordered, (double)(i / 3), entry);
            model_insert(&model, (double)(i / 3), entry);
        }
        assert_same(&ordered, &model);
        size_t capacity = size > 0 ? ordered_seek(&ordered, 0).leaf->capacity : 1;
        assert_int_equal(ordered.leaf_count, (size + capacity - 1) / capacity);
        for (size_t i = size / 2; i > 0; i--) {
            remove_one(&ordered, &model);
            assert_same(&ordered, &model);
        }
        empty(&ordered, &model, size % 2 == 0);
    }
}

/* Taken away from one end, or all but a few far apart, until nothing is left. */
static void emptied_from_an_end(void **state) {
    (void)state;
    static struct model model;
    for (int way = 0; way < 3; way++) {
        struct ordered ordered;
        ordered_init(&ordered, MEM_TABLE);
        model.size = 0;
        for (unsigned i = 0; i < ITEMS_MAX; i++) {
            struct entry *entry = new_entry(i);
            double score = (double)(i * 7919 % ITEMS_MAX);
            ordered_insert(&ordered, score, entry);
            model_insert(&model, score, entry);
        }
        for (size_t i = 0; model.size > 0; i++) {
            size_t place = way == 0 ? 0 : way == 1 ? model.size - 1 : i * 3 % model.size;
            entry_free(ordered_remove_at(&ordered, place).entry);
            model_remove(&model, place);
            assert_same(&ordered, &model);
        }
        assert_int_equal(ordered_footprint(&ordered), 0);
    }
}

int main(void) {
    random_init(&chance, 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_scores),         cmocka_unit_test(few_scores),
        cmocka_unit_test(one_score),           cmocka_unit_test(appended),
        cmocka_unit_test(emptied_from_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
