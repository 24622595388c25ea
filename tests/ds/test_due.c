/* Tests of ds/due with a driven time: each level's edges, jumps of the clock, bounded work, and
 * long random runs against a model that looks at every item. */
#include "ds/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define START_MS ((int64_t)1700000000123)

/* Aligned to 16, as a dict by address demands. */
struct item {
    uint64_t word;
    int64_t deadline_ms; /* what the model believes; -1 when not filed */
} __attribute__((aligned(16)));

static uint64_t *item_word(void *item) {
    return &((struct item *)item)->word;
}

#define EVERYTHING ((size_t)1 << 40)

/* Takes all that is due and asserts that it is due and was not taken before. */
static size_t take_all(struct due *due, int64_t now_ms) {
    size_t taken = 0;
    bool done = false;
    while (!done) {
        void *out[7];
        size_t count = due_take(due, now_ms, out, 7, EVERYTHING, &done);
        assert_true(count <= 7);
        for (size_t i = 0; i < count; i++) {
            struct item *item = out[i];
            assert_int_equal(item->word, 0);
            assert_int_not_equal(item->deadline_ms, -1);
            assert_true(item->deadline_ms <= now_ms);
            item->deadline_ms = -1;
        }
        taken += count;
    }
    due_validate(due);
    return taken;
}

static void add(struct due *due, struct item *item, int64_t deadline_ms) {
    item->word = 0;
    item->deadline_ms = deadline_ms;
    due_add(due, item, deadline_ms);
}

static struct item *new_items(size_t count) {
    struct item *items = aligned_alloc(16, count * sizeof *items);
    assert_non_null(items);
    return items;
}

static void test_empty(void **state) {
    (void)state;
    struct due due;
    size_t used = mem_used();
    due_init(&due, item_word, START_MS);
    assert_int_equal(due_earliest(&due), INT64_MAX);
    assert_int_equal(due_footprint(&due), 0);
    assert_int_equal(mem_used(), used);
    struct random random;
    random_init(&random, 1);
    void *out[1];
    assert_int_equal(due_sample(&due, &random, out, 1), 0);
    assert_null(due_random(&due, &random));
    assert_int_equal(due_sample_earliest(&due, &random, out, 1), 0);
    assert_int_equal(take_all(&due, START_MS), 0);
    assert_int_equal(take_all(&due, START_MS + 1000000), 0);
    due_clear(&due);
}

/* Deadlines at every power of two and around it: taken at their millisecond and not one earlier. */
static void test_exact_at_every_distance(void **state) {
    (void)state;
    for (int bit = 0; bit < 50; bit++) {
        for (int64_t shift = -1; shift <= 1; shift++) {
            int64_t deadline_ms = START_MS + ((int64_t)1 << bit) + shift;
            struct due due;
            due_init(&due, item_word, START_MS);
            struct item item;
            add(&due, &item, deadline_ms);
            due_validate(&due);
            assert_true(due_earliest(&due) <= deadline_ms);
            assert_true(due_earliest(&due) > START_MS - DUE_TICK_MS);
            if (deadline_ms > START_MS) {
                assert_int_equal(take_all(&due, deadline_ms - 1), 0);
                assert_int_equal(due.size, 1);
                assert_true(due_earliest(&due) <= deadline_ms);
            }
            assert_int_equal(take_all(&due, deadline_ms), 1);
            assert_int_equal(due.size, 0);
            due_clear(&due);
        }
    }
}

static void test_past_and_limits(void **state) {
    (void)state;
    struct due due;
    due_init(&due, item_word, START_MS);
    struct item items[4];
    add(&due, &items[0], START_MS - 100000);
    add(&due, &items[1], -5);
    add(&due, &items[2], 0);
    add(&due, &items[3], INT64_MAX);
    assert_int_equal(due_word_deadline(items[1].word), 0);
    assert_int_equal(due_word_deadline(items[3].word), ((int64_t)1 << 54) - 1);
    due_validate(&due);
    assert_int_equal(take_all(&due, START_MS), 3);
    assert_int_equal(due.size, 1);
    due_remove(&due, &items[3]);
    assert_int_equal(items[3].word, 0);
    assert_int_equal(due.size, 0);
    assert_int_equal(due_earliest(&due), INT64_MAX);
    due_clear(&due);
}

/* Several rounds of the whole wheel: what lies beyond is filed anew each time. */
static void test_beyond_the_wheel(void **state) {
    (void)state;
    const int64_t round_ms = ((int64_t)1 << 36) * DUE_TICK_MS;
    struct due due;
    due_init(&due, item_word, START_MS);
    struct item items[4];
    for (int i = 0; i < 4; i++) {
        add(&due, &items[i], START_MS + (i + 1) * round_ms);
    }
    due_validate(&due);
    for (int i = 0; i < 4; i++) {
        int64_t at_ms = START_MS + (i + 1) * round_ms;
        assert_int_equal(take_all(&due, at_ms - 1), 0);
        assert_true(due_earliest(&due) <= at_ms);
        assert_int_equal(take_all(&due, at_ms), 1);
    }
    due_clear(&due);
}

static void test_moving(void **state) {
    (void)state;
    struct due due;
    due_init(&due, item_word, START_MS);
    struct item item;
    add(&due, &item, START_MS + 5000);
    /* Later: the place stays, the deadline counts. */
    uint64_t place = item.word & 1023;
    item.deadline_ms = START_MS + 500000;
    due_move(&due, &item, item.deadline_ms);
    assert_int_equal(item.word & 1023, place);
    assert_int_equal(due_word_deadline(item.word), item.deadline_ms);
    due_validate(&due);
    assert_int_equal(take_all(&due, START_MS + 499999), 0);
    /* Earlier: filed anew. */
    item.deadline_ms = START_MS + 499999 + 10;
    due_move(&due, &item, item.deadline_ms);
    due_validate(&due);
    assert_int_equal(take_all(&due, item.deadline_ms - 1), 0);
    /* Into the past. */
    item.deadline_ms = 17;
    due_move(&due, &item, 17);
    due_validate(&due);
    assert_int_equal(take_all(&due, START_MS + 500008), 1);
    due_clear(&due);
}

static void test_replacing(void **state) {
    (void)state;
    struct due due;
    due_init(&due, item_word, START_MS);
    struct item items[2];
    struct item neighbour;
    add(&due, &items[0], START_MS + 3000);
    add(&due, &neighbour, START_MS + 3000);
    items[1] = items[0];
    due_replace(&due, &items[0], &items[1]);
    items[0] = (struct item){0, -1};
    due_validate(&due);
    assert_int_equal(due.size, 2);
    due_remove(&due, &neighbour);
    neighbour.deadline_ms = -1;
    assert_int_equal(take_all(&due, START_MS + 3000), 1);
    assert_int_equal(items[1].deadline_ms, -1);
    due_clear(&due);
}

/* The clock may jump far ahead and back; nothing is lost, nothing comes early. */
static void test_clock_jumps(void **state) {
    (void)state;
    struct due due;
    due_init(&due, item_word, START_MS);
    struct item items[3];
    add(&due, &items[0], START_MS + 1000);
    add(&due, &items[1], START_MS + 86400000);
    add(&due, &items[2], START_MS + (int64_t)86400000 * 365);
    assert_int_equal(take_all(&due, START_MS - 86400000), 0);
    assert_int_equal(take_all(&due, START_MS + (int64_t)86400000 * 30), 2);
    /* Back: what is added there, before and after that is noticed, leaves on time. */
    add(&due, &items[0], START_MS + 2000);
    assert_int_equal(take_all(&due, START_MS + 1999), 0);
    add(&due, &items[1], START_MS + 2001);
    assert_int_equal(take_all(&due, START_MS + 2000), 1);
    assert_int_equal(take_all(&due, START_MS + 2001), 1);
    assert_int_equal(due.size, 1);
    assert_int_equal(take_all(&due, START_MS + (int64_t)86400000 * 365 - 1), 0);
    assert_int_equal(take_all(&due, START_MS + (int64_t)86400000 * 365), 1);
    assert_int_equal(due.size, 0);
    due_clear(&due);
}

/* An hour back with many items, each portion of work bounded, and items added, moved and removed
 * while what is stranded is filed again: each leaves at its time. */
static void test_back_in_portions(void **state) {
    (void)state;
    enum { COUNT = 500, HOUR_MS = 3600000, STEP_MS = 7000 };
    struct item *items = new_items(COUNT);
    struct due due;
    due_init(&due, item_word, START_MS);
    for (int64_t i = 0; i < COUNT; i++) {
        add(&due, &items[i], START_MS + HOUR_MS + i * STEP_MS);
    }
    assert_int_equal(take_all(&due, START_MS + HOUR_MS - 1), 0);
    int64_t now_ms = START_MS;
    size_t left = COUNT;
    for (int64_t i = 0; left > 0; i++) {
        void *out[3];
        bool done = false;
        while (!done) {
            size_t count = due_take(&due, now_ms, out, 3, 5, &done);
            for (size_t j = 0; j < count; j++) {
                struct item *item = out[j];
                assert_in_range(item->deadline_ms, now_ms - STEP_MS, now_ms);
                item->deadline_ms = -1;
                left--;
            }
            due_validate(&due);
            struct item *other = &items[(i * 37 + (int64_t)left) % COUNT];
            if (other->deadline_ms > now_ms + STEP_MS && i % 3 == 0) {
                other->deadline_ms = now_ms + 1 + (i * 1237) % HOUR_MS;
                due_move(&due, other, other->deadline_ms);
            }
        }
        now_ms += STEP_MS;
        assert_true(i < 2 * HOUR_MS / STEP_MS + COUNT);
    }
    assert_int_equal(due.size, 0);
    due_clear(&due);
    free(items);
}

/* Whole ticks that are over are worked off in bounded portions, cascades included. */
static void test_bounded_work(void **state) {
    (void)state;
    enum { COUNT = 500 };
    struct item *items = new_items(COUNT);
    struct due due;
    due_init(&due, item_word, START_MS);
    for (int i = 0; i < COUNT; i++) {
        add(&due, &items[i], START_MS + 300000 + i % 40);
    }
    int64_t over_ms = (START_MS + 300040) / DUE_TICK_MS * DUE_TICK_MS + 2 * DUE_TICK_MS - 1;
    size_t taken = 0;
    bool done = false;
    int calls = 0;
    while (!done) {
        void *out[10];
        size_t count = due_take(&due, over_ms, out, 10, 5, &done);
        assert_true(count <= 5);
        taken += count;
        due_validate(&due);
        assert_int_equal(due.size, COUNT - taken);
        assert_true(++calls < 10 * COUNT);
    }
    assert_int_equal(taken, COUNT);
    assert_true(calls >= COUNT / 5);
    due_clear(&due);
    free(items);
}

/* The running tick: only what is due to the millisecond goes, at any portion. */
static void test_running_tick(void **state) {
    (void)state;
    enum { COUNT = 64 };
    int64_t tick_ms = START_MS / DUE_TICK_MS * DUE_TICK_MS;
    struct item items[COUNT];
    struct due due;
    due_init(&due, item_word, tick_ms);
    for (int i = 0; i < COUNT; i++) {
        add(&due, &items[i], tick_ms + i);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(due_earliest(&due), tick_ms + i);
        assert_int_equal(take_all(&due, tick_ms + i), 1);
        assert_int_equal(items[i].deadline_ms, -1);
    }
    void *out[1];
    bool done;
    for (int i = 0; i < 3; i++) {
        add(&due, &items[i], tick_ms);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(due_take(&due, tick_ms, out, 1, 1, &done), 1);
        assert_int_equal(done, i == 2);
    }
    due_clear(&due);
}

static void test_sampling(void **state) {
    (void)state;
    enum { COUNT = 300 };
    struct item *items = new_items(COUNT);
    struct random random;
    random_init(&random, 3);
    struct due due;
    due_init(&due, item_word, START_MS);
    for (int i = 0; i < COUNT; i++) {
        int64_t distance_ms = i < 10 ? 1000 : (int64_t)1 << (10 + i % 30);
        add(&due, &items[i], START_MS + distance_ms + 1000);
    }
    size_t later = 0;
    for (int round = 0; round < 200; round++) {
        void *out[5];
        size_t count = due_sample_earliest(&due, &random, out, 5);
        assert_in_range(count, 1, 5);
        for (size_t i = 0; i < count; i++) {
            assert_true(((struct item *)out[i])->deadline_ms <= START_MS + 2000 + 2 * 4096);
        }
        count = due_sample(&due, &random, out, 5);
        assert_in_range(count, 1, 5);
        for (size_t i = 0; i < count; i++) {
            assert_int_not_equal(((struct item *)out[i])->word, 0);
            later += ((struct item *)out[i])->deadline_ms > START_MS + 100000;
        }
    }
    assert_true(later > 0);
    due_clear(&due);
    free(items);
}

/* All items of a place are drawn, whatever their position in its chains. */
static void test_random_item(void **state) {
    (void)state;
    enum { COUNT = 100, ROUNDS = 20000 };
    struct item *items = new_items(COUNT);
    struct random random;
    random_init(&random, 5);
    struct due due;
    due_init(&due, item_word, START_MS);
    for (int i = 0; i < COUNT; i++) {
        add(&due, &items[i], START_MS + 5000000);
    }
    static int drawn[COUNT];
    for (int round = 0; round < ROUNDS; round++) {
        drawn[(struct item *)due_random(&due, &random) - items]++;
    }
    for (int i = 0; i < COUNT; i++) {
        /* A chain is drawn as often as any other, so those in long chains are drawn less. */
        assert_true(drawn[i] > ROUNDS / COUNT / 8);
    }
    due_clear(&due);
    free(items);
}

/* A random distance: all scales alike, edges included. */
static int64_t random_distance(struct random *random) {
    uint64_t bits = random_below(random, 40);
    int64_t distance_ms = (int64_t)random_below(random, ((uint64_t)1 << bits) + 1);
    return random_below(random, 10) == 0 ? -distance_ms : distance_ms;
}

static size_t count_due(const struct item *items, size_t count, int64_t now_ms) {
    size_t due = 0;
    for (size_t i = 0; i < count; i++) {
        due += items[i].deadline_ms != -1 && items[i].deadline_ms <= now_ms;
    }
    return due;
}

static void test_model(void **state) {
    (void)state;
    enum { COUNT = 200, STEPS = 20000 };
    struct item *items = new_items(COUNT);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct random random;
        random_init(&random, seed);
        struct due due;
        int64_t now_ms = START_MS;
        due_init(&due, item_word, now_ms);
        size_t filed = 0;
        for (size_t i = 0; i < COUNT; i++) {
            items[i] = (struct item){0, -1};
        }
        for (int step = 0; step < STEPS; step++) {
            struct item *item = &items[random_below(&random, COUNT)];
            int64_t deadline_ms = now_ms + random_distance(&random);
            deadline_ms = deadline_ms < 0 ? 0 : deadline_ms;
            switch (random_below(&random, 6)) {
            case 0:
            case 1:
                if (item->deadline_ms == -1) {
                    add(&due, item, deadline_ms);
                    filed++;
                } else {
                    item->deadline_ms = deadline_ms;
                    due_move(&due, item, deadline_ms);
                }
                break;
            case 2:
                if (item->deadline_ms != -1) {
                    due_remove(&due, item);
                    assert_int_equal(item->word, 0);
                    item->deadline_ms = -1;
                    filed--;
                }
                break;
            default: {
                int64_t bits = (int64_t)random_below(&random, step % 100 == 0 ? 38 : 14);
                int64_t jump_ms = (int64_t)random_below(&random, (uint64_t)1 << bits);
                if (step % 50 == 1) {
                    now_ms -= (DUE_BACK_TICKS + 2) * DUE_TICK_MS + jump_ms;
                } else {
                    now_ms += jump_ms;
                }
                size_t expected = count_due(items, COUNT, now_ms);
                assert_int_equal(take_all(&due, now_ms), expected);
                filed -= expected;
                break;
            }
            }
            assert_int_equal(due.size, filed);
            int64_t earliest_ms = due_earliest(&due);
            for (size_t i = 0; i < COUNT && step % 16 == 0; i++) {
                assert_true(items[i].deadline_ms == -1 || items[i].deadline_ms < now_ms ||
                            earliest_ms <= items[i].deadline_ms);
            }
            if (step % 64 == 0) {
                due_validate(&due);
            }
        }
        due_clear(&due);
    }
    free(items);
}

static void test_memory_is_given_back(void **state) {
    (void)state;
    size_t used = mem_used();
    struct item items[50];
    struct due due;
    due_init(&due, item_word, START_MS);
    for (int i = 0; i < 50; i++) {
        add(&due, &items[i], START_MS + ((int64_t)1 << i));
    }
    assert_int_equal(mem_used() - used, due_footprint(&due));
    assert_true(due_footprint(&due) > 0);
    due_clear(&due);
    assert_int_equal(mem_used(), used);
    assert_int_equal(due.size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),           cmocka_unit_test(test_exact_at_every_distance),
        cmocka_unit_test(test_past_and_limits), cmocka_unit_test(test_beyond_the_wheel),
        cmocka_unit_test(test_moving),          cmocka_unit_test(test_replacing),
        cmocka_unit_test(test_clock_jumps),     cmocka_unit_test(test_bounded_work),
        cmocka_unit_test(test_running_tick),    cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_random_item),     cmocka_unit_test(test_back_in_portions),
        cmocka_unit_test(test_model),           cmocka_unit_test(test_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
