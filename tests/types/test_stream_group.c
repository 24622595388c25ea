/* Tests of types/stream_group against a table of who has what: entries handed out, taken over,
 * given back and acknowledged, while consumers come and go; copies, moves, failing allocations. */
#include "types/stream_group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "types/value.h"

/* The model: entry i has the id i-0. */
#define ENTRIES   120
#define CONSUMERS 6
#define NOT_THERE (-2)
#define NOBODYS   (-1)
struct model {
    bool consumers[CONSUMERS];
    int owner[ENTRIES]; /* NOT_THERE, NOBODYS or the consumer */
    int64_t delivered_ms[ENTRIES];
    int64_t deliveries[ENTRIES];
};

static struct bytes name_of(int consumer, char *out) {
    return bytes_of(out, (size_t)sprintf(out, "consumer %d of several", consumer * 7 % 10));
}

static struct stream_id id_of(int entry) {
    return (struct stream_id){(uint64_t)entry, 0};
}

static void compare(const struct entry *value, const struct model *model) {
    char name[64];
    value_validate(value);
    const struct stream_group *group = stream_group_find(stream_of(value), bytes_text("group"));
    assert_non_null(group);
    uint32_t consumers = 0;
    for (int i = 0; i < CONSUMERS; i++) {
        assert_true((stream_consumer_find(group, name_of(i, name)) != NULL) == model->consumers[i]);
        consumers += model->consumers[i];
    }
    assert_int_equal(group->consumers.count, consumers);
    for (int i = 0; i < ENTRIES; i++) {
        const struct stream_pending *pending = stream_pending_find(group, id_of(i));
        assert_true((pending == NULL) == (model->owner[i] == NOT_THERE));
        assert_true(stream_is_pending(stream_of(value), id_of(i)) == (pending != NULL));
        if (pending == NULL) {
            continue;
        }
        const struct stream_consumer *owner = stream_pending_owner(group, pending);
        assert_true((owner == NULL) == (model->owner[i] == NOBODYS));
        if (owner != NULL) {
            assert_true(bytes_equal(stream_name(&owner->named), name_of(model->owner[i], name)));
        }
        assert_int_equal(pending->delivered_ms, model->delivered_ms[i]);
        assert_int_equal(pending->deliveries, model->deliveries[i]);
    }
}

static void give(struct stream_group *group, struct model *model, struct random *random) {
    char name[64];
    int entry = (int)random_below(random, ENTRIES);
    int to = (int)random_below(random, CONSUMERS + 1) - 1;
    if (to != NOBODYS && !model->consumers[to]) {
        return;
    }
    struct stream_consumer *consumer =
        to == NOBODYS ? NULL : stream_consumer_find(group, name_of(to, name));
    int64_t delivered_ms = (int64_t)random_below(random, 1000);
    struct stream_pending *pending =
        stream_pending_give(group, id_of(entry), consumer, delivered_ms);
    if (model->owner[entry] == NOT_THERE) {
        model->deliveries[entry] = 0;
    }
    pending->deliveries++;
    model->deliveries[entry]++;
    model->delivered_ms[entry] = delivered_ms;
    model->owner[entry] = to;
}

static void toggle_consumer(struct stream_group *group, struct model *model,
                            struct random *random) {
    char name[64];
    int i = (int)random_below(random, CONSUMERS);
    if (!model->consumers[i]) {
        mem_fail_after(random_below(random, 4) == 0 ? 1 : 0);
        model->consumers[i] = stream_consumer_try_add(group, name_of(i, name), 1) != NULL;
        mem_fail_after(0);
        return;
    }
    stream_consumer_delete(group, stream_consumer_find(group, name_of(i, name)));
    model->consumers[i] = false;
    for (int entry = 0; entry < ENTRIES; entry++) {
        if (model->owner[entry] == i) {
            model->owner[entry] = NOT_THERE;
        }
    }
}

static void settle(struct entry *value) {
    struct sparse_tally tally = {.least_steps = 0};
    uint32_t cursor = 0;
    sparse_move_all(true);
    do {
        value_settle(value, &cursor, &tally);
    } while (cursor != 0);
    sparse_move_all(false);
    assert_true(tally.moved > 0);
    sparse_forget(&tally);
}

static void copy(const struct entry *value, const struct model *model, struct random *random) {
    mem_fail_after(random_below(random, 2) == 0 ? 1 + random_below(random, 9) : 0);
    struct entry *twin = value_try_copy(value, bytes_text("twin"));
    mem_fail_after(0);
    if (twin != NULL) {
        compare(twin, model);
        value_free(twin);
    }
}

static void run(uint64_t seed) {
    static struct model model;
    struct random random;
    random_init(&random, seed);
    memset(&model, 0, sizeof model);
    for (int i = 0; i < ENTRIES; i++) {
        model.owner[i] = NOT_THERE;
    }
    struct entry_shape shape = stream_new_shape();
    struct entry *value = entry_try_new(bytes_text("key"), &shape);
    bool no_memory;
    struct stream *stream = stream_of(value);
    assert_non_null(
        stream_group_try_add(stream, bytes_text("group"), STREAM_ID_MIN, 0, &no_memory));
    assert_null(stream_group_try_add(stream, bytes_text("group"), STREAM_ID_MIN, 0, &no_memory));
    assert_false(no_memory);
    for (int step = 0; step < 1000; step++) {
        struct stream_group *group = stream_group_find(stream, bytes_text("group"));
        unsigned choice = (unsigned)random_below(&random, 100);
        int entry = (int)random_below(&random, ENTRIES);
        if (choice < 60) {
            give(group, &model, &random);
        } else if (choice < 90) {
            bool removed = choice < 80 ? stream_pending_remove(group, id_of(entry))
                                       : stream_forget_pending(stream, id_of(entry));
            assert_true(removed == (model.owner[entry] != NOT_THERE));
            model.owner[entry] = NOT_THERE;
        } else if (choice < 96) {
            toggle_consumer(group, &model, &random);
        } else if (choice < 98) {
            settle(value);
            stream = stream_of(value);
        } else {
            copy(value, &model, &random);
        }
        compare(value, &model);
        assert_true(value_footprint(value, 0) > 0 && value_weight(value) > 0);
    }
    if (seed % 2 == 0) {
        assert_true(stream_group_delete(stream, bytes_text("group")));
        assert_false(stream_group_delete(stream, bytes_text("group")));
        value_validate(value);
    }
    value_free(value);
}

static void as_the_model(void **state) {
    (void)state;
    size_t before = mem_used();
    for (uint64_t seed = 1; seed <= 20; seed++) {
        run(seed);
    }
    assert_int_equal(mem_used(), before);
}

/* Whether an entry is needed by any group, and what they have yet to be handed. */
static void what_groups_need(void **state) {
    (void)state;
    struct entry_shape shape = stream_new_shape();
    struct entry *value = entry_try_new(bytes_text("key"), &shape);
    struct stream *stream = stream_of(value);
    struct stream_options limits = {.node_size_max = 4096, .node_entries_max = 3};
    struct bytes pair[2] = {bytes_text("f"), bytes_text("v")};
    bool no_memory;
    int64_t lag;
    assert_false(stream_is_needed(stream, id_of(1)));
    struct stream_group *one =
        stream_group_try_add(stream, bytes_text("b"), STREAM_ID_MIN, 0, &no_memory);
    struct stream_group *other =
        stream_group_try_add(stream, bytes_text("a"), id_of(2), STREAM_READ_UNKNOWN, &no_memory);
    assert_true(stream_group_lag(stream, one, &lag));
    assert_int_equal(lag, 0);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(stream_add(stream, &limits, id_of(i), pair, 1), 0);
    }
    assert_true(stream_group_lag(stream, one, &lag));
    assert_int_equal(lag, 4);
    assert_false(stream_group_lag(stream, other, &lag));
    assert_true(stream_is_needed(stream, id_of(1)));
    stream_group_advance(stream, one, id_of(1));
    assert_false(stream_is_needed(stream, id_of(1)));
    assert_int_equal(one->entries_read, 1);
    stream_pending_give(other, id_of(1), NULL, 5);
    assert_true(stream_is_needed(stream, id_of(1)));
    assert_true(stream_forget_pending(stream, id_of(1)));
    assert_false(stream_is_needed(stream, id_of(1)));
    value_validate(value);
    value_free(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_model),
        cmocka_unit_test(what_groups_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
