/* Tests of types/zset against a model: long runs of random changes on a sorted set and on a plain
 * list of members alike, in each encoding and from one to the other; ranges of all kinds, walks,
 * random members, copies and failing allocations. */
#include "types/zset.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "support/uniform.h"

static const struct zset_options defaults = {.pack_entries_max = 128, .pack_value_max = 64};
static const struct zset_options few = {.pack_entries_max = 40, .pack_value_max = 64};
static const struct zset_options none = {.pack_entries_max = 0, .pack_value_max = 64};

/* The model: names are chosen from a fixed set, so an array by number will do. `order` are the
 * numbers of those that are there, sorted. */
#define NAMES_MAX 600
struct model {
    bool exists[NAMES_MAX];
    double scores[NAMES_MAX];
    unsigned seen[NAMES_MAX];
    size_t names;
    size_t order[NAMES_MAX];
    size_t length;
};

#define NAME_SIZE 400

/* The name of member `i`: some are numbers, some binary, from 500 on some so long that making room
 * for them may fail. */
static struct bytes name_of(size_t i, char *out) {
    switch (i % 4) {
    case 0:
        return bytes_of(out, (size_t)sprintf(out, "%zu", i));
    case 1:
        return bytes_of(out, (size_t)sprintf(out, "m%zu", i));
    case 2:
        return bytes_of(out, (size_t)sprintf(out, "%zu\r\n", i) + 1); /* with the NUL */
    default:
        return bytes_of(out, (size_t)sprintf(out, i < 500 ? "somewhat longer %zu" : "%0300zu", i));
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

static const struct model *sorting;

static int in_order(const void *one, const void *other) {
    size_t a = *(const size_t *)one;
    size_t b = *(const size_t *)other;
    if (sorting->scores[a] != sorting->scores[b]) {
        return sorting->scores[a] < sorting->scores[b] ? -1 : 1;
    }
    char a_room[NAME_SIZE];
    char b_room[NAME_SIZE];
    return bytes_compare(name_of(a, a_room), name_of(b, b_room));
}

static void sort(struct model *model) {
    model->length = 0;
    for (size_t i = 0; i < model->names; i++) {
        if (model->exists[i]) {
            model->order[model->length++] = i;
        }
    }
    sorting = model;
    qsort(model->order, model->length, sizeof model->order[0], in_order);
}

static struct entry *new_zset(void) {
    struct entry_shape shape = zset_new_shape();
    struct entry *zset = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(zset);
    return zset;
}

static void free_zset(struct entry *zset) {
    zset_free(zset);
    entry_free(zset);
}

static bool same_score(double a, double b) {
    return a == b && signbit(a) == signbit(b);
}

/* A visited member is one of the model's, with its score. */
static void note_seen(void *context, const struct zset_member *member) {
    struct model *model = context;
    size_t i = number_of(member->name);
    char room[NAME_SIZE];
    assert_true(bytes_equal(member->name, name_of(i, room)));
    assert_true(model->exists[i]);
    assert_true(same_score(member->score, model->scores[i]));
    model->seen[i]++;
}

static void assert_seen(struct model *model, unsigned least, unsigned most) {
    for (size_t i = 0; i < model->names; i++) {
        assert_in_range(model->seen[i], model->exists[i] ? least : 0, model->exists[i] ? most : 0);
        model->seen[i] = 0;
    }
}

/* A walk through ranks. */
struct following {
    const struct model *model;
    size_t rank;
    bool reverse;
    size_t count;
};

static void follow(void *context, const struct zset_member *member) {
    struct following *following = context;
    size_t i = number_of(member->name);
    assert_int_equal(i, following->model->order[following->rank]);
    assert_true(same_score(member->score, following->model->scores[i]));
    following->rank += following->reverse ? -(size_t)1 : 1;
    following->count++;
}

static void assert_span(const struct entry *zset, const struct model *model, struct zset_span span,
                        bool reverse) {
    struct following following = {
        .model = model,
        .rank = reverse ? span.first + span.count - 1 : span.first,
        .reverse = reverse,
    };
    zset_visit(zset, span, reverse, follow, &following);
    assert_int_equal(following.count, span.count);
}

static void assert_same(const struct entry *zset, struct model *model) {
    zset_validate(zset);
    sort(model);
    assert_int_equal(zset_length(zset), model->length);
    size_t rank;
    double score;
    char room[NAME_SIZE];
    for (size_t i = 0; i < model->names; i++) {
        bool is_there = zset_score(zset, element_name_of(name_of(i, room)), &score);
        assert_int_equal(is_there, model->exists[i]);
        assert_true(!is_there || same_score(score, model->scores[i]));
    }
    for (size_t i = 0; i < model->length; i++) {
        assert_true(
            zset_rank(zset, element_name_of(name_of(model->order[i], room)), &rank, &score));
        assert_int_equal(rank, i);
        assert_true(same_score(score, model->scores[model->order[i]]));
    }
    assert_false(zset_rank(zset, element_name_of(bytes_text("absent")), &rank, &score));
    assert_span(zset, model, (struct zset_span){0, model->length}, false);
    assert_span(zset, model, (struct zset_span){0, model->length}, true);
    uint64_t cursor = 0;
    do {
        cursor = zset_scan(zset, cursor, note_seen, model);
    } while (cursor != 0);
    assert_seen(model, 1, 1);
}

static double random_score(struct random *random) {
    static const double odd[] = {0, -0.0, INFINITY, -INFINITY, 1e300, -1e-300, 0.1, 3};
    switch (random_below(random, 4)) {
    case 0:
        return odd[random_below(random, sizeof odd / sizeof *odd)];
    case 1:
        return (double)(int64_t)random_below(random, 10) - 5;
    default:
        return (double)(int64_t)random_next(random) / 1e15;
    }
}

/* What is asked of ranges, once. */
static void assert_ranges(struct random *random, const struct entry *zset, struct model *model) {
    sort(model);
    struct zset_scores scores = {random_score(random), random_score(random),
                                 random_below(random, 2) == 0, random_below(random, 2) == 0};
    size_t first = 0;
    size_t count = 0;
    for (size_t i = 0; i < model->length; i++) {
        double score = model->scores[model->order[i]];
        bool before = scores.above ? score <= scores.least : score < scores.least;
        bool within = scores.below ? score < scores.most : score <= scores.most;
        first += before;
        count += !before && within;
    }
    struct zset_span span = zset_span_of_scores(zset, &scores);
    assert_int_equal(span.count, count);
    if (count > 0) {
        assert_int_equal(span.first, first);
        assert_span(zset, model, span, random_below(random, 2) == 0);
    }
    if (model->length > 0) {
        span.first = random_below(random, model->length);
        span.count = random_below(random, model->length - span.first + 1);
        assert_span(zset, model, span, random_below(random, 2) == 0);
    }
}

static enum zset_outcome expected_outcome(const struct model *model, size_t i,
                                          const struct zset_write *write, double *score) {
    double now = model->scores[i];
    *score = write->score;
    if (!model->exists[i]) {
        return write->flags & ZSET_IF_PRESENT ? ZSET_REFUSED : ZSET_ADDED;
    }
    if (write->flags & ZSET_IF_ABSENT) {
        return ZSET_REFUSED;
    }
    *score = write->flags & ZSET_ADD ? now + write->score : write->score;
    if (isnan(*score)) {
        return ZSET_NAN;
    }
    if ((write->flags & ZSET_IF_GREATER && !(*score > now)) ||
        (write->flags & ZSET_IF_LESS && !(*score < now))) {
        return ZSET_REFUSED;
    }
    return *score == now ? ZSET_SAME : ZSET_CHANGED;
}

static void random_set(struct random *random, struct entry *zset, const struct zset_options *limits,
                       struct model *model, size_t i) {
    static const unsigned flags[] = {0,
                                     0,
                                     0,
                                     ZSET_ADD,
                                     ZSET_IF_ABSENT,
                                     ZSET_IF_PRESENT,
                                     ZSET_IF_GREATER,
                                     ZSET_IF_LESS,
                                     ZSET_IF_PRESENT | ZSET_IF_GREATER | ZSET_ADD,
                                     ZSET_IF_LESS | ZSET_ADD};
    char room[NAME_SIZE];
    struct zset_write write = {element_name_of(name_of(i, room)), random_score(random),
                               flags[random_below(random, sizeof flags / sizeof *flags)]};
    double expected;
    double score = NAN;
    enum zset_outcome outcome = expected_outcome(model, i, &write, &expected);
    assert_int_equal(zset_set(zset, limits, &write, &score), outcome);
    if (outcome == ZSET_ADDED || outcome == ZSET_CHANGED) {
        model->exists[i] = true;
        /* A pack keeps no minus zero. */
        bool is_packed = strcmp(zset_encoding_name(zset), "listpack") == 0;
        model->scores[i] = is_packed ? expected + 0.0 : expected;
    }
    if (outcome <= ZSET_SAME) {
        assert_true(same_score(score, expected));
    }
}

static void random_span_removed(struct random *random, struct entry *zset, struct model *model) {
    sort(model);
    if (model->length == 0) {
        return;
    }
    struct zset_span span = {.first = random_below(random, model->length)};
    size_t most = model->length - span.first;
    span.count = random_below(random, (most < 20 ? most : 20) + 1);
    zset_remove_span(zset, span);
    for (size_t i = 0; i < span.count; i++) {
        model->exists[model->order[span.first + i]] = false;
    }
}

static void random_step(struct random *random, struct entry *zset,
                        const struct zset_options *limits, struct model *model) {
    size_t i = random_below(random, model->names);
    char room[NAME_SIZE];
    switch (random_below(random, 40)) {
    case 0:
        random_span_removed(random, zset, model);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        assert_int_equal(zset_remove(zset, element_name_of(name_of(i, room))), model->exists[i]);
        model->exists[i] = false;
        break;
    default:
        random_set(random, zset, limits, model, i);
    }
}

static void settle(struct entry *zset) {
    struct sparse_tally tally = {0};
    uint32_t cursor = 0;
    sparse_move_all(true);
    do {
        zset_settle(zset, &cursor, &tally);
    } while (cursor != 0);
    sparse_move_all(false);
    sparse_forget(&tally);
}

static void assert_copy_is_same(const struct entry *zset, struct model *model) {
    struct entry_shape shape;
    assert_int_equal(zset_copy(zset, &shape), 0);
    struct entry *copy = entry_try_new(bytes_text("copy"), &shape);
    assert_non_null(copy);
    assert_string_equal(zset_encoding_name(copy), zset_encoding_name(zset));
    assert_same(copy, model);
    free_zset(copy);
    assert_int_equal(zset_copy(zset, &shape), 0);
    zset_discard(&shape);
}

/* Runs random changes with the given limits, and ends with the sorted set in that encoding. */
static void run_random(uint64_t seed, const struct zset_options *limits, size_t names,
                       const char *encoding) {
    struct random random;
    random_init(&random, seed);
    size_t used_before = mem_used();
    static struct model model;
    model = (struct model){.names = names};
    struct entry *zset = new_zset();
    for (unsigned i = 0; i < 4000; i++) {
        random_step(&random, zset, limits, &model);
        if (i % 20 == 0) {
            assert_ranges(&random, zset, &model);
        }
        if (i % 100 == 0) {
            assert_same(zset, &model);
        }
        if (i % 500 == 0) {
            assert_int_equal(mem_used() - used_before,
                             zset_footprint(zset, 0) + entry_footprint(zset));
            settle(zset);
            assert_same(zset, &model);
            assert_copy_is_same(zset, &model);
        }
    }
    assert_same(zset, &model);
    assert_string_equal(zset_encoding_name(zset), encoding);
    assert_int_equal(zset_free_cost(zset), strcmp(encoding, "listpack") == 0 ? 1 : model.length);
    if (seed % 2 == 0) {
        while (!zset_free_some(zset, 7)) {}
        entry_free(zset);
    } else {
        free_zset(zset);
    }
    assert_int_equal(mem_used(), used_before);
}

static void packs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run_random(seed, &defaults, 100, "listpack");
        run_random(seed, &defaults, 12, "listpack");
    }
}

static void ordered(void **state) {
    (void)state;
    for (uint64_t seed = 11; seed <= 15; seed++) {
        run_random(seed, &none, NAMES_MAX, "skiplist");
        run_random(seed, &none, 30, "skiplist");
    }
}

static void through_conversion(void **state) {
    (void)state;
    for (uint64_t seed = 21; seed <= 25; seed++) {
        run_random(seed, &few, 300, "skiplist");
        run_random(seed, &defaults, NAMES_MAX, "skiplist");
    }
}

/* Names between limits, all scores alike. */
static void ranges_of_names(void **state) {
    (void)state;
    static const char *const names[] = {"", "a", "aa", "b", "ba", "c", "d", "e", "ee"};
    static const size_t count = sizeof names / sizeof *names;
    for (int kind = 0; kind < 2; kind++) {
        struct entry *zset = new_zset();
        for (size_t i = 0; i < count; i++) {
            double score;
            struct zset_write write = {element_name_of(bytes_text(names[(i * 4) % count])), 1, 0};
            assert_int_equal(zset_set(zset, kind == 0 ? &defaults : &none, &write, &score),
                             ZSET_ADDED);
        }
        for (size_t a = 0; a < count; a++) {
            for (size_t b = 0; b < count; b++) {
                for (int which = 0; which < 16; which++) {
                    struct zset_names range = {
                        {(enum zset_limit_kind)(which % 4), bytes_text(names[a])},
                        {(enum zset_limit_kind)(which / 4), bytes_text(names[b])}};
                    size_t first = range.least.kind == ZSET_LOWEST     ? 0
                                   : range.least.kind == ZSET_HIGHEST  ? count
                                   : range.least.kind == ZSET_EXCLUDED ? a + 1
                                                                       : a;
                    size_t end = range.most.kind == ZSET_LOWEST     ? 0
                                 : range.most.kind == ZSET_HIGHEST  ? count
                                 : range.most.kind == ZSET_EXCLUDED ? b
                                                                    : b + 1;
                    struct zset_span span = zset_span_of_names(zset, &range);
                    assert_int_equal(span.count, end > first ? end - first : 0);
                    assert_true(span.count == 0 || span.first == first);
                }
            }
        }
        free_zset(zset);
    }
}

/* Limits: so many members, so long a name, and a pack that would be too large. */
static void limits_of_packs(void **state) {
    (void)state;
    char text[NAME_SIZE];
    double score;
    struct entry *zset = new_zset();
    for (int i = 0; i < 129; i++) {
        struct zset_write write = {element_name_of(bytes_of(text, (size_t)sprintf(text, "m%d", i))),
                                   i, 0};
        assert_string_equal(zset_encoding_name(zset), "listpack");
        assert_int_equal(zset_set(zset, &defaults, &write, &score), ZSET_ADDED);
    }
    assert_string_equal(zset_encoding_name(zset), "skiplist");
    free_zset(zset);
    for (size_t size = 63; size <= 65; size++) {
        memset(text, 'n', size);
        zset = new_zset();
        struct zset_write write = {element_name_of(bytes_of(text, size)), 1, 0};
        assert_int_equal(zset_set(zset, &defaults, &write, &score), ZSET_ADDED);
        assert_string_equal(zset_encoding_name(zset), size <= 64 ? "listpack" : "skiplist");
        free_zset(zset);
    }
    static const struct zset_options unlimited = {INT64_MAX, INT64_MAX};
    static char big[300000];
    zset = new_zset();
    for (int i = 0; i < 5; i++) {
        big[0] = (char)('a' + i);
        struct zset_write write = {element_name_of(bytes_of(big, sizeof big)), i, 0};
        assert_int_equal(zset_set(zset, &unlimited, &write, &score), ZSET_ADDED);
        zset_validate(zset);
        assert_string_equal(zset_encoding_name(zset), i < 3 ? "listpack" : "skiplist");
    }
    free_zset(zset);
}

/* Allocations whose size a client chose fail, and nothing has changed. */
#define LONG_NAMES 20

static void failing_allocations(void **state) {
    (void)state;
    static struct model model;
    for (int kind = 0; kind < 2; kind++) {
        static const struct zset_options long_names = {40, 1000};
        static const struct zset_options less = {LONG_NAMES - 1, 1000};
        model = (struct model){.names = NAMES_MAX};
        struct entry *zset = new_zset();
        char room[NAME_SIZE];
        double score;
        for (size_t i = 0; i < LONG_NAMES; i++) {
            size_t number = 503 + 4 * i;
            struct zset_write write = {element_name_of(name_of(number, room)), (double)i, 0};
            if (i < LONG_NAMES - 1) {
                assert_int_equal(zset_set(zset, kind == 0 ? &long_names : &none, &write, &score),
                                 ZSET_ADDED);
            } else {
                /* In the first round the sorted set has to become ordered for this one. */
                uint64_t nth = 1;
                for (;; nth++) {
                    mem_fail_after(nth);
                    enum zset_outcome outcome = zset_set(zset, &less, &write, &score);
                    mem_fail_after(0);
                    if (outcome == ZSET_ADDED) {
                        break;
                    }
                    assert_int_equal(outcome, ZSET_NO_MEMORY);
                    assert_same(zset, &model);
                }
                assert_int_equal(nth - 1, kind == 0 ? LONG_NAMES : 1);
            }
            model.exists[number] = true;
            model.scores[number] = (double)i;
        }
        assert_same(zset, &model);
        struct entry_shape shape;
        mem_fail_after(17);
        assert_int_equal(zset_copy(zset, &shape), -ENOMEM);
        mem_fail_after(0);
        free_zset(zset);
    }
}

static unsigned drawn[1000];

static void note_drawn(void *context, const struct zset_member *member) {
    (void)context;
    drawn[number_of(member->name)]++;
}

static void random_members_are_uniform(void **state) {
    (void)state;
    static const size_t lengths[] = {20, 100, 500};
    for (int kind = 0; kind < 6; kind++) {
        size_t length = lengths[kind / 2];
        struct random random;
        random_init(&random, 7);
        struct entry *zset = new_zset();
        char room[NAME_SIZE];
        double score;
        for (size_t i = 0; i < length; i++) {
            struct zset_write write = {element_name_of(name_of(i, room)), random_score(&random), 0};
            assert_int_equal(zset_set(zset,
                                      kind % 2 == 0 ? &none : &(struct zset_options){1000, 1000},
                                      &write, &score),
                             ZSET_ADDED);
        }
        memset(drawn, 0, sizeof drawn);
        zset_random(zset, &random, length * UNIFORM_DRAWS, note_drawn, NULL);
        assert_uniform(drawn, length, 1);
        /* Different ones: each of a draw once, and all equally often over many. */
        static const size_t shares[] = {1, 2, 10};
        for (size_t share = 0; share < 3; share++) {
            size_t wanted = length / shares[share];
            size_t times = UNIFORM_DRAWS * shares[share];
            memset(drawn, 0, sizeof drawn);
            for (size_t i = 0; i < times; i++) {
                zset_random_distinct(zset, &random, wanted, note_drawn, NULL);
                if (i == 0) {
                    for (size_t j = 0; j < length; j++) {
                        assert_true(drawn[j] <= 1);
                    }
                }
            }
            if (wanted < length) {
                assert_uniform(drawn, length, wanted);
            }
        }
        free_zset(zset);
    }
}

int main(void) {
    hash_seed_set(3);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs),
        cmocka_unit_test(ordered),
        cmocka_unit_test(through_conversion),
        cmocka_unit_test(ranges_of_names),
        cmocka_unit_test(limits_of_packs),
        cmocka_unit_test(failing_allocations),
        cmocka_unit_test(random_members_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
