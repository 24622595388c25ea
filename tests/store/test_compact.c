/* Tests of store/compact: everything is moved in the middle of random work, and keys, values,
 * deadlines, fields and scans are as if nothing had been; keys in sparse slabs go when there is no
 * time to move them, and only such as the policy allows. */
#include "store/compact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ds/blob.h"
#include "store/adapt.h"
#include "types/string.h"
#include "types/value.h"

#define START_MS     ((int64_t)1700000000000)
#define KEYS         120
#define FAR_MS       ((int64_t)3600 * 1000)
#define PASS_LEFT_US 1000

struct fixture {
    struct clock clock;
    struct options *options;
    struct metrics *metrics;
    struct keyspace keyspace;
    struct limit limit;
    struct evict evict;
    struct compact compact;
    size_t memory;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->memory = mem_used();
    clock_init(&fixture->clock);
    clock_drive(&fixture->clock, START_MS);
    fixture->options = options_new();
    fixture->metrics = metrics_new();
    keyspace_init(&fixture->keyspace, &fixture->clock, fixture->options, fixture->metrics);
    fixture->keyspace.hash_options.pack_entries_max = 8;
    limit_init(&fixture->limit, fixture->options, fixture->metrics);
    evict_init(&fixture->evict, &fixture->limit, &fixture->keyspace, fixture->metrics);
    compact_init(&fixture->compact, &fixture->keyspace, &fixture->evict, fixture->options,
                 fixture->metrics);
    keyspace_start(&fixture->keyspace);
    evict_start(&fixture->evict);
    sparse_move_all(true);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    sparse_move_all(false);
    compact_free(&fixture->compact);
    keyspace_free(&fixture->keyspace);
    options_free(fixture->options);
    metrics_free(fixture->metrics);
    assert_int_equal(mem_used(), fixture->memory);
    free(fixture);
    return 0;
}

static void configure(struct fixture *fixture, const char *name, const char *value) {
    struct bytes pair[2] = {bytes_text(name), bytes_text(value)};
    int which = 0;
    const char *error = NULL;
    assert_int_equal(options_change(fixture->options, pair, 1, true, &which, &error), 0);
}

static void pass_time(struct fixture *fixture, int64_t ms) {
    clock_drive(&fixture->clock, fixture->clock.now_ms + ms);
    keyspace_pass(&fixture->keyspace);
    evict_pass(&fixture->evict);
}

/* Walks on until everything has been looked at once more. */
static void move_everything(struct fixture *fixture) {
    for (int slices = 0; !compact_slice(&fixture->compact, 0); slices++) {
        assert_true(slices < 100000);
    }
    fixture->compact.round_keys = 0;
}

/* What a key holds follows from its number and its version: a text, an integer, a blob, or a hash
 * in each of its encodings. */
struct model {
    bool present;
    int version;
    int64_t deadline_ms;
};

static struct key key_of(struct fixture *fixture, int number) {
    static char name[32];
    size_t size = (size_t)snprintf(name, sizeof name, "key:%d", number);
    struct keyspace *keyspace = &fixture->keyspace;
    return keyspace_key(keyspace, &keyspace->databases[number % 3], bytes_of(name, size));
}

static bool is_hash(int number) {
    return number % 2 == 1;
}

static struct bytes text_of(int number, int version) {
    static const size_t sizes[] = {0, 3, 30, 200, 1000, 1001, 5000, 20000};
    static char text[20000];
    if (version % 5 == 4) {
        return bytes_of(text, (size_t)snprintf(text, sizeof text, "%d", version));
    }
    size_t size = sizes[(size_t)version % (sizeof sizes / sizeof sizes[0])];
    memset(text, 'a' + (number + version) % 26, size);
    return bytes_of(text, size);
}

static int field_count(int version) {
    static const int counts[] = {1, 7, 9, 40, 300};
    return counts[version % 5];
}

static bool field_has_deadline(int version, int field) {
    return version % 2 == 0 && field % 3 == 0;
}

static struct entry *put(struct fixture *fixture, int number, int version, int64_t deadline_ms) {
    struct keyspace *keyspace = &fixture->keyspace;
    struct key key = key_of(fixture, number);
    struct entry *old = keyspace_write(keyspace, &key);
    if (!is_hash(number)) {
        return keyspace_assign_text(keyspace, &key, old, text_of(number, version), NULL,
                                    deadline_ms);
    }
    if (old != NULL) {
        keyspace_remove(keyspace, &key, old, false);
    }
    struct entry_shape shape = hash_new_shape();
    struct entry *hash = keyspace_add(keyspace, &key, &shape, deadline_ms);
    for (int i = 0; i < field_count(version); i++) {
        char field[16];
        struct hash_write write = {
            .field =
                element_name_of(bytes_of(field, (size_t)snprintf(field, sizeof field, "f%d", i))),
            .value = text_of(number, version + i % 6),
            .deadline_ms = field_has_deadline(version, i) ? fixture->clock.now_ms + FAR_MS
                                                          : ENTRY_NO_DEADLINE};
        assert_int_equal(hash_set(hash, &keyspace->hash_options, &write, fixture->clock.now_ms), 1);
    }
    keyspace_field_deadline_changed(keyspace, &key, hash);
    return hash;
}

static void check_hash(struct fixture *fixture, const struct entry *hash, int number, int version) {
    int64_t now_ms = fixture->clock.now_ms;
    assert_int_equal(hash_length(hash, now_ms), field_count(version));
    for (int i = 0; i < field_count(version); i++) {
        char field[16];
        struct bytes name = bytes_of(field, (size_t)snprintf(field, sizeof field, "f%d", i));
        struct hash_value value;
        assert_true(hash_get(hash, element_name_of(name), now_ms, &value));
        assert_true(bytes_equal(value.text, text_of(number, version + i % 6)));
        assert_int_equal(hash_deadline(hash, element_name_of(name), now_ms) != ENTRY_NO_DEADLINE,
                         field_has_deadline(version, i));
    }
}

static void check_key(struct fixture *fixture, struct model *model, int number) {
    if (model->present && model->deadline_ms != ENTRY_NO_DEADLINE &&
        model->deadline_ms <= fixture->clock.now_ms) {
        model->present = false;
    }
    struct key key = key_of(fixture, number);
    struct entry *entry = keyspace_peek(&fixture->keyspace, &key);
    assert_int_equal(entry != NULL, model->present);
    if (entry == NULL) {
        return;
    }
    assert_int_equal(entry_deadline(entry), model->deadline_ms);
    if (is_hash(number)) {
        check_hash(fixture, entry, number, model->version);
    } else {
        char scratch[NUM_I64_SIZE];
        assert_true(bytes_equal(string_bytes(entry, scratch), text_of(number, model->version)));
    }
}

static void change_key(struct fixture *fixture, struct model *model, int number,
                       struct random *random) {
    if (random_below(random, 4) == 0) {
        struct key key = key_of(fixture, number);
        assert_int_equal(keyspace_delete(&fixture->keyspace, &key, random_below(random, 2)),
                         model->present);
        model->present = false;
        return;
    }
    model->present = true;
    model->version = (int)random_below(random, 1000);
    model->deadline_ms = random_below(random, 2) == 0
                             ? ENTRY_NO_DEADLINE
                             : fixture->clock.now_ms + 1 + (int64_t)random_below(random, 20000);
    assert_non_null(put(fixture, number, model->version, model->deadline_ms));
}

static void test_random_work_while_everything_moves(void **state) {
    struct fixture *fixture = *state;
    struct model models[KEYS] = {{0}};
    struct random random;
    random_init(&random, 7);
    for (int step = 0; step < 6000; step++) {
        int number = (int)random_below(&random, KEYS);
        check_key(fixture, &models[number], number);
        change_key(fixture, &models[number], number, &random);
        compact_slice(&fixture->compact, 0);
        check_key(fixture, &models[number], number);
        if (random_below(&random, 10) == 0) {
            pass_time(fixture, (int64_t)random_below(&random, 500));
            keyspace_expire(&fixture->keyspace, 0);
        }
        if (step % 300 == 0) {
            fixture->compact.round_keys = 0;
            move_everything(fixture);
            keyspace_validate(&fixture->keyspace);
            for (int i = 0; i < KEYS; i++) {
                check_key(fixture, &models[i], i);
            }
        }
    }
    assert_true(fixture->compact.tally.moved > 100000);
    assert_true(fixture->compact.metrics.active_defrag_key_hits > 1000);
    assert_true(fixture->keyspace.metrics.expired_keys > 100);
}

/* Fields leave at their time though they were moved many times. */
static void test_moved_fields_expire(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < KEYS; i++) {
        assert_non_null(put(fixture, i, 4, ENTRY_NO_DEADLINE));
    }
    size_t used = 0;
    for (int round = 0; round < 5; round++) {
        move_everything(fixture);
        keyspace_validate(&fixture->keyspace);
        assert_true(used == 0 || used == mem_used_by(MEM_DATA));
        used = mem_used_by(MEM_DATA);
    }
    pass_time(fixture, FAR_MS + 1000);
    for (int slices = 0; !keyspace_expire(&fixture->keyspace, 0); slices++) {
        assert_true(slices < 100000);
        compact_slice(&fixture->compact, 0);
    }
    keyspace_validate(&fixture->keyspace);
    struct key key = key_of(fixture, 1);
    const struct entry *hash = keyspace_peek(&fixture->keyspace, &key);
    assert_int_equal(hash_length(hash, fixture->clock.now_ms), 200);
    assert_int_equal(fixture->keyspace.metrics.expired_subkeys, KEYS / 2 * 100);
}

/* A large value that goes while it is being looked at in portions. */
static void test_value_goes_between_portions(void **state) {
    struct fixture *fixture = *state;
    assert_non_null(put(fixture, 1, 4, ENTRY_NO_DEADLINE));
    int slices = 0;
    while (fixture->compact.large_count == 0) {
        compact_slice(&fixture->compact, 0);
        assert_true(++slices < 1000);
    }
    struct key key = key_of(fixture, 1);
    assert_true(keyspace_delete(&fixture->keyspace, &key, false));
    move_everything(fixture);
    assert_int_equal(fixture->compact.large_count, 0);
}

/* A blob that a reply refers to stays where it is. */
static void test_shared_blob_stays(void **state) {
    struct fixture *fixture = *state;
    struct entry *entry = put(fixture, 0, 6, ENTRY_NO_DEADLINE);
    struct blob *blob = blob_hold(entry_pointer(entry));
    move_everything(fixture);
    struct key key = key_of(fixture, 0);
    entry = keyspace_peek(&fixture->keyspace, &key);
    assert_ptr_equal(entry_pointer(entry), blob);
    blob_release(blob);
    move_everything(fixture);
    entry = keyspace_peek(&fixture->keyspace, &key);
    assert_ptr_not_equal(entry_pointer(entry), blob);
}

static void mark_seen(void *context, struct entry *entry) {
    bool *seen = context;
    struct bytes name = entry_key(entry);
    seen[atoi(name.at + 4)] = true; /* the value behind it is no digit */
}

/* SCAN shows what is there all the time, while keys move, come and go. */
static void test_scan_while_moving(void **state) {
    struct fixture *fixture = *state;
    enum { STABLE = 900, ALL = 3000 };
    static bool seen[ALL];
    for (int i = 0; i < STABLE; i += 6) {
        assert_non_null(put(fixture, i, 1, ENTRY_NO_DEADLINE));
    }
    struct random random;
    random_init(&random, 3);
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(&fixture->keyspace, &fixture->keyspace.databases[0], cursor,
                               mark_seen, seen);
        int number = STABLE + 6 * (int)random_below(&random, (ALL - STABLE) / 6);
        struct key key = key_of(fixture, number);
        if (!keyspace_delete(&fixture->keyspace, &key, false)) {
            assert_non_null(put(fixture, number, 1, ENTRY_NO_DEADLINE));
        }
        compact_slice(&fixture->compact, 0);
    } while (cursor != 0);
    for (int i = 0; i < STABLE; i += 6) {
        assert_true(seen[i]);
    }
    keyspace_validate(&fixture->keyspace);
}

/* The limit becomes what is in use now. */
static void limit_to_use(struct fixture *fixture) {
    char text[32];
    configure(fixture, "maxmemory", "1000gb");
    evict_pass(&fixture->evict);
    snprintf(text, sizeof text, "%lld", (long long)evict_used(&fixture->evict));
    configure(fixture, "maxmemory", text);
    evict_pass(&fixture->evict);
}

static void fill(struct fixture *fixture, bool deadlines) {
    for (int i = 0; i < 6000; i += 2) {
        assert_non_null(
            put(fixture, i, 3, deadlines && i % 4 == 0 ? START_MS + FAR_MS : ENTRY_NO_DEADLINE));
    }
}

/* When there is no time to move, what would be moved goes, down to a share of the limit and not
 * beyond. */
static void test_keys_go_instead(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    fill(fixture, false);
    limit_to_use(fixture);
    fixture->compact.drop_score = 1;
    int64_t before = evict_used(&fixture->evict);
    move_everything(fixture);
    uint64_t gone = fixture->compact.metrics.active_defrag_evicted_keys;
    assert_int_equal(gone, fixture->keyspace.metrics.evicted_keys);
    assert_true(gone > 0);
    assert_true(evict_used(&fixture->evict) < before);
    assert_true(evict_used(&fixture->evict) > before - before / 20);
    keyspace_validate(&fixture->keyspace);
}

static void test_policy_decides_who_goes(void **state) {
    struct fixture *fixture = *state;
    fill(fixture, true);
    limit_to_use(fixture);
    assert_int_equal(victims_quantile(&fixture->evict.victims, 128), UINT32_MAX);
    fixture->compact.drop_score = 1;
    move_everything(fixture);
    assert_int_equal(fixture->keyspace.metrics.evicted_keys, 0);
    configure(fixture, "maxmemory-policy", "volatile-lru");
    size_t lasting = keyspace_size(&fixture->keyspace) - keyspace_volatile_size(&fixture->keyspace);
    fixture->compact.drop_score = 1;
    move_everything(fixture);
    assert_true(fixture->keyspace.metrics.evicted_keys > 0);
    assert_int_equal(keyspace_size(&fixture->keyspace) - keyspace_volatile_size(&fixture->keyspace),
                     lasting);
}

/* Every policy's scores say the same as its choice: who was used lately is spared. */
static void test_scores(void **state) {
    struct fixture *fixture = *state;
    static const char *const policies[] = {"allkeys-lru", "allkeys-adaptive", "volatile-lru"};
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        configure(fixture, "maxmemory-policy", policies[i]);
        int64_t deadline_ms = fixture->clock.now_ms + 10 * FAR_MS;
        put(fixture, 0, 2, deadline_ms);
        pass_time(fixture, 60000);
        put(fixture, 6, 2, deadline_ms);
        for (int use = 0; use < 20; use++) {
            struct key key = key_of(fixture, 6);
            keyspace_read(&fixture->keyspace, &key);
        }
        struct key old_key = key_of(fixture, 0);
        struct entry *old = keyspace_peek(&fixture->keyspace, &old_key);
        struct key new_key = key_of(fixture, 6);
        struct entry *new = keyspace_peek(&fixture->keyspace, &new_key);
        const struct victims *victims = &fixture->evict.victims;
        assert_true(victims_score(victims, old) > victims_score(victims, new));
        assert_true(victims_quantile(&fixture->evict.victims, 0) >=
                    victims_quantile(&fixture->evict.victims, 255));
        keyspace_flush(&fixture->keyspace, -1, false);
    }
}

/* Switched off, or with nothing lost, it does not walk. */
static void test_rests(void **state) {
    struct fixture *fixture = *state;
    fill(fixture, false);
    configure(fixture, "activedefrag", "no");
    assert_false(compact_pass(&fixture->compact, PASS_LEFT_US));
    configure(fixture, "activedefrag", "yes");
    configure(fixture, "active-defrag-ignore-bytes", "1gb");
    fixture->compact.look_due_us = 0;
    assert_false(compact_pass(&fixture->compact, PASS_LEFT_US));
    assert_int_equal(fixture->compact.tally.moved, 0);
}

#define STRAY_BLOCKS 100000
#define STRAY_SIZE   100
#define SOON_US      5000000

/* What is lost is elsewhere: rounds end with their surveys, after some of many elements. */
static void test_a_survey_that_finds_nothing_ends_the_round(void **state) {
    struct fixture *fixture = *state;
    if (!sparse_is_known()) {
        skip();
    }
    sparse_move_all(false);
    for (int i = 0; i < KEYS; i++) {
        assert_non_null(put(fixture, i, 4, ENTRY_NO_DEADLINE));
    }
    size_t elements = 0;
    for (int i = 0; i < KEYS; i++) {
        struct key key = key_of(fixture, i);
        elements += value_weight(keyspace_peek(&fixture->keyspace, &key));
    }
    static void *blocks[STRAY_BLOCKS];
    for (size_t i = 0; i < STRAY_BLOCKS; i++) {
        blocks[i] = mem_alloc(MEM_OTHER, STRAY_SIZE);
    }
    for (size_t i = 0; i < STRAY_BLOCKS; i++) {
        if (i % 4 != 0) {
            mem_free(MEM_OTHER, blocks[i], STRAY_SIZE);
        }
    }
    struct compact *compact = &fixture->compact;
    int64_t limit_us = clock_mono_us() + SOON_US;
    while (compact->rest_end_us == 0) {
        assert_true(clock_mono_us() < limit_us);
        (void)compact_pass(compact, PASS_LEFT_US);
    }
    assert_true(elements > 10000);
    assert_true(compact->tally.kept < elements / 2);
    assert_int_equal(compact->tally.moved, 0);
    for (size_t i = 0; i < STRAY_BLOCKS; i += 4) {
        mem_free(MEM_OTHER, blocks[i], STRAY_SIZE);
    }
}

/* A limit of so few bytes that a part of it is nothing. */
static void test_smallest_limit(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    configure(fixture, "active-defrag-ignore-bytes", "1");
    configure(fixture, "active-defrag-threshold-lower", "0");
    configure(fixture, "active-defrag-threshold-upper", "0");
    fill(fixture, false);
    configure(fixture, "maxmemory", "10");
    for (int i = 0; i < 100; i++) {
        pass_time(fixture, 1);
        fixture->compact.look_due_us = 0;
        (void)compact_pass(&fixture->compact, PASS_LEFT_US);
    }
    assert_true(!sparse_is_known() || fixture->compact.drop_score > 0 ||
                keyspace_size(&fixture->keyspace) == 0);
    keyspace_validate(&fixture->keyspace);
}

#define POLLS_MAX 5000
#define POLL_NS   1000000

/* Memory that was freed goes back to the system when it makes the resident set too large. */
static void test_unused_memory_goes_back(void **state) {
    struct fixture *fixture = *state;
    struct mem_allocator_stats stats;
    void *blocks[16];
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        blocks[i] = mem_alloc(MEM_OTHER, 1 << 20);
        memset(blocks[i], 1, 1 << 20);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        mem_free(MEM_OTHER, blocks[i], 1 << 20);
    }
    mem_allocator_stats(&stats);
    if (stats.resident == 0) {
        skip(); /* the C library's allocator does not tell */
    }
    configure(fixture, "maxmemory", "1gb");
    compact_pass(&fixture->compact, PASS_LEFT_US);
    assert_int_equal(fixture->compact.metrics.allocator_purges, 0);
    configure(fixture, "maxmemory", "2mb");
    for (int i = 0; i < POLLS_MAX && stats.unused > 2 << 20; i++) {
        fixture->compact.look_due_us = 0;
        compact_pass(&fixture->compact, PASS_LEFT_US);
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
        mem_allocator_stats(&stats);
    }
    assert_true(stats.unused <= (2 << 20));
    assert_true(fixture->compact.metrics.allocator_purges > 0);
}

int main(void) {
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FIXTURE(test_random_work_while_everything_moves),
        FIXTURE(test_moved_fields_expire),
        FIXTURE(test_value_goes_between_portions),
        FIXTURE(test_shared_blob_stays),
        FIXTURE(test_scan_while_moving),
        FIXTURE(test_keys_go_instead),
        FIXTURE(test_policy_decides_who_goes),
        FIXTURE(test_scores),
        FIXTURE(test_rests),
        FIXTURE(test_a_survey_that_finds_nothing_ends_the_round),
        FIXTURE(test_smallest_limit),
        FIXTURE(test_unused_memory_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
