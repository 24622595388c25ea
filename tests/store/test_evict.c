/* Tests of store/evict with victim, limit and the adaptive policy's parts: which keys each policy
 * may take and which it prefers, that the limit holds with values of all sizes, that it is reached
 * in slices when it is lowered, that clocks may jump, and that the counters are right in the
 * end. */
#include "store/evict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/access.h"
#include "store/adapt.h"
#include "types/hash.h"

#define START_MS  ((int64_t)1700000000000)
#define KEYS      2000
#define SLICE_END 1000

struct fixture {
    struct clock clock;
    struct options *options;
    struct metrics *metrics;
    struct keyspace keyspace;
    struct limit limit;
    struct evict evict;
    size_t memory;
    size_t evicted_events;
};

static void on_event(void *context, int database, enum keyspace_class event_class,
                     const char *event, struct bytes key) {
    struct fixture *fixture = context;
    (void)database;
    (void)key;
    if (event_class == KEYSPACE_EVICTED) {
        assert_string_equal(event, "evicted");
        fixture->evicted_events++;
    }
}

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
    fixture->keyspace.hooks =
        (struct store_hooks){.context = fixture, .event = on_event, .classes = ~0u};
    limit_init(&fixture->limit, fixture->options, fixture->metrics);
    evict_init(&fixture->evict, &fixture->limit, &fixture->keyspace, fixture->metrics);
    keyspace_start(&fixture->keyspace);
    evict_start(&fixture->evict);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
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

/* The limit becomes what is in use now and so many bytes more. */
static void limit_beyond_use(struct fixture *fixture, int64_t more) {
    char text[32];
    evict_pass(&fixture->evict);
    configure(fixture, "maxmemory", "1000gb");
    int64_t bytes = evict_used(&fixture->evict) + more;
    snprintf(text, sizeof text, "%lld", (long long)(bytes > 0 ? bytes : 1));
    configure(fixture, "maxmemory", text);
}

static void pass_time(struct fixture *fixture, int64_t ms) {
    clock_drive(&fixture->clock, fixture->clock.now_ms + ms);
    keyspace_pass(&fixture->keyspace);
    evict_pass(&fixture->evict);
}

static struct key key_of(struct fixture *fixture, int database, int number) {
    static char name[32];
    int size = snprintf(name, sizeof name, "key:%d", number);
    struct keyspace *keyspace = &fixture->keyspace;
    return keyspace_key(keyspace, &keyspace->databases[database], bytes_of(name, (size_t)size));
}

/* SET without the check in front. */
static void put(struct fixture *fixture, int number, size_t size, int64_t deadline_ms) {
    static char text[100000];
    memset(text, 'v', sizeof text);
    struct key key = key_of(fixture, 0, number);
    struct entry *old = keyspace_write(&fixture->keyspace, &key);
    assert_non_null(keyspace_assign_text(&fixture->keyspace, &key, old, bytes_of(text, size), NULL,
                                         deadline_ms));
}

/* SET as the dispatcher does it; whether there was room. */
static bool set(struct fixture *fixture, int number, size_t size) {
    if (evict_is_over(&fixture->evict) && !evict_make_room(&fixture->evict)) {
        return false;
    }
    put(fixture, number, size, ENTRY_NO_DEADLINE);
    return true;
}

static bool is_there(struct fixture *fixture, int number) {
    struct key key = key_of(fixture, 0, number);
    return keyspace_peek(&fixture->keyspace, &key) != NULL;
}

static bool read_key(struct fixture *fixture, int number) {
    struct key key = key_of(fixture, 0, number);
    return keyspace_read(&fixture->keyspace, &key) != NULL;
}

static int count_there(struct fixture *fixture, int from, int to) {
    int count = 0;
    for (int i = from; i < to; i++) {
        count += is_there(fixture, i);
    }
    return count;
}

static void evict_keys(struct fixture *fixture, uint64_t count) {
    uint64_t end = fixture->keyspace.metrics.evicted_keys + count;
    while (fixture->keyspace.metrics.evicted_keys < end) {
        struct database *database = NULL;
        struct entry *entry = NULL;
        assert_true(victims_next(&fixture->evict.victims, &database, &entry));
        keyspace_evict(&fixture->keyspace, database, entry);
    }
    keyspace_validate(&fixture->keyspace);
}

static void test_noeviction(void **state) {
    struct fixture *fixture = *state;
    put(fixture, 0, 64, ENTRY_NO_DEADLINE);
    limit_beyond_use(fixture, 10000);
    int stored = 1;
    while (set(fixture, stored, 64)) {
        stored++;
        assert_true(stored < KEYS);
    }
    assert_int_equal(count_there(fixture, 0, stored), stored);
    assert_int_equal(fixture->keyspace.metrics.evicted_keys, 0);
    assert_false(evict_slice(&fixture->evict, SLICE_END));
    for (int i = 0; i < 10; i++) {
        struct key key = key_of(fixture, 0, i);
        assert_true(keyspace_delete(&fixture->keyspace, &key, false));
    }
    assert_true(set(fixture, stored, 64));
}

/* Recency: the keys that were used again stay. */
static void check_lru(struct fixture *fixture, const char *policy, int64_t deadline_ms) {
    configure(fixture, "maxmemory-policy", policy);
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 20, deadline_ms);
        pass_time(fixture, 70);
    }
    for (int i = 0; i < KEYS; i += 2) {
        assert_true(read_key(fixture, i));
    }
    evict_keys(fixture, KEYS / 2);
    int used = 0;
    for (int i = 0; i < KEYS; i += 2) {
        used += is_there(fixture, i);
    }
    /* Sampling errs only at the end, when few unused ones are left. */
    assert_in_range(used, KEYS / 2 * 8 / 10, KEYS / 2);
}

static void test_lru(void **state) {
    check_lru(*state, "allkeys-lru", ENTRY_NO_DEADLINE);
}

static void test_volatile_lru(void **state) {
    check_lru(*state, "volatile-lru", START_MS * 2);
}

static void test_no_touch(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    for (int i = 0; i < 16; i++) {
        put(fixture, i, 20, ENTRY_NO_DEADLINE);
        pass_time(fixture, 1000);
    }
    fixture->keyspace.no_touch = true;
    assert_true(read_key(fixture, 0));
    fixture->keyspace.no_touch = false;
    configure(fixture, "maxmemory-samples", "64");
    evict_keys(fixture, 1);
    assert_false(is_there(fixture, 0));
}

static void check_lfu(struct fixture *fixture, const char *policy, int64_t deadline_ms) {
    configure(fixture, "maxmemory-policy", policy);
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 20, deadline_ms);
    }
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < KEYS / 10; i++) {
            assert_true(read_key(fixture, i));
        }
    }
    struct key key = key_of(fixture, 0, 0);
    struct entry *entry = keyspace_peek(&fixture->keyspace, &key);
    uint32_t minute = access_minute(fixture->clock.now_ms);
    uint32_t counter = access_counter(entry->access, minute, 1);
    assert_true(counter > ACCESS_COUNTER_NEW && counter < 40);
    assert_int_equal(access_counter(entry->access, minute + 3, 1), counter - 3);
    assert_int_equal(access_counter(entry->access, minute + 3, 0), counter);
    assert_int_equal(access_counter(entry->access, minute + 3, 3), counter - 1);
    assert_int_equal(access_counter(entry->access, minute + 1000, 1), 0);
    evict_keys(fixture, KEYS * 8 / 10);
    assert_true(count_there(fixture, 0, KEYS / 10) > KEYS / 10 * 95 / 100);
}

static void test_lfu(void **state) {
    check_lfu(*state, "allkeys-lfu", ENTRY_NO_DEADLINE);
}

static void test_volatile_lfu(void **state) {
    check_lfu(*state, "volatile-lfu", START_MS * 2);
}

/* A scan of keys that are used once must not wash out those that are used often. */
static void test_adaptive(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "allkeys-adaptive");
    configure(fixture, "maxmemory-eviction-tenacity", "100");
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < KEYS / 4; i++) {
            if (!read_key(fixture, i)) {
                put(fixture, i, 20, ENTRY_NO_DEADLINE);
            }
        }
    }
    limit_beyond_use(fixture, (int64_t)KEYS * 20);
    for (int i = KEYS; i < KEYS * 20; i++) {
        assert_true(set(fixture, i, 20));
        assert_true(evict_used(&fixture->evict) <= fixture->evict.bytes_max + 1000);
    }
    assert_true(count_there(fixture, 0, KEYS / 4) > KEYS / 4 * 9 / 10);
    /* One that was evicted is known when it comes back. */
    struct adapt *adapt = fixture->keyspace.adapt;
    int number = KEYS * 20 - 1;
    while (is_there(fixture, number)) {
        number--;
    }
    assert_true(number > KEYS);
    put(fixture, number, 20, ENTRY_NO_DEADLINE);
    struct key key = key_of(fixture, 0, number);
    const struct entry *entry = keyspace_peek(&fixture->keyspace, &key);
    assert_true(worth_above(entry->access, adapt_now(adapt)) >= 0);
    keyspace_validate(&fixture->keyspace);
    assert_true(ghosts_footprint(&adapt->ghosts) > 0);
    assert_true(ghosts_footprint(&adapt->ghosts) <= adapt->ghost_bytes_max + 4096);
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    assert_null(fixture->keyspace.adapt);
}

static void check_random(struct fixture *fixture, const char *policy, int64_t deadline_ms) {
    configure(fixture, "maxmemory-policy", policy);
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 20, deadline_ms);
    }
    evict_keys(fixture, KEYS / 2);
    int first = count_there(fixture, 0, KEYS / 2);
    assert_true(first > KEYS / 5 && first < KEYS / 10 * 3);
}

static void test_random(void **state) {
    check_random(*state, "allkeys-random", ENTRY_NO_DEADLINE);
}

static void test_volatile_random(void **state) {
    check_random(*state, "volatile-random", START_MS * 2);
}

static void test_volatile_ttl(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "volatile-ttl");
    for (int i = 0; i < 100; i++) {
        put(fixture, i, 20, START_MS + 1000 + (i * 37 % 100) * 100);
    }
    for (int i = 0; i < 50; i++) {
        evict_keys(fixture, 1);
    }
    int late_gone = 0;
    for (int i = 0; i < 100; i++) {
        int rank = i * 37 % 100;
        late_gone += rank >= 50 && !is_there(fixture, i);
        assert_true(rank < 65 || is_there(fixture, i));
    }
    assert_true(late_gone <= 5); /* some of a place are compared, and these are distant ones */
}

/* Keys without a deadline are safe from volatile policies, and when only they are left, commands
 * are refused. */
static void test_volatile_spares_others(void **state) {
    static const char *const policies[] = {"volatile-lru", "volatile-lfu", "volatile-random",
                                           "volatile-ttl"};
    struct fixture *fixture = *state;
    for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
        configure(fixture, "maxmemory", "0");
        configure(fixture, "maxmemory-policy", policies[p]);
        for (int i = 0; i < 100; i++) {
            put(fixture, i, 20, ENTRY_NO_DEADLINE);
            put(fixture, 100 + i, 20, START_MS * 2);
        }
        limit_beyond_use(fixture, -100000000);
        while (evict_slice(&fixture->evict, 0)) {}
        assert_int_equal(count_there(fixture, 0, 100), 100);
        assert_int_equal(count_there(fixture, 100, 200), 0);
        assert_false(set(fixture, 300, 20));
        keyspace_validate(&fixture->keyspace);
    }
    assert_int_equal(fixture->evicted_events, fixture->keyspace.metrics.evicted_keys);
}

/* Keys of all databases go, and of all types. */
static void test_databases_and_types(void **state) {
    struct fixture *fixture = *state;
    struct keyspace *keyspace = &fixture->keyspace;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    for (int i = 0; i < 300; i++) {
        struct key key = key_of(fixture, i % 3, i);
        struct entry_shape shape = hash_new_shape();
        struct entry *hash = keyspace_add(keyspace, &key, &shape, ENTRY_NO_DEADLINE);
        assert_non_null(hash);
        for (int field = 0; field < i; field++) {
            char name[16];
            struct hash_write write = {.field = element_name_of(bytes_of(
                                           name, (size_t)snprintf(name, sizeof name, "%d", field))),
                                       .value = bytes_text("value"),
                                       .deadline_ms = ENTRY_NO_DEADLINE};
            assert_int_equal(hash_set(hash, &keyspace->hash_options, &write, START_MS), 1);
        }
    }
    configure(fixture, "maxmemory", "1");
    while (evict_slice(&fixture->evict, 0)) {}
    assert_int_equal(keyspace_size(keyspace), 0);
    assert_int_equal(keyspace->metrics.evicted_keys, 300);
}

/* At the limit, whatever is written: never more than one command's addition above. */
static void check_storm(struct fixture *fixture, const char *policy) {
    static const size_t sizes[] = {1, 20, 64, 200, 999, 5000, 70000};
    struct random random;
    random_init(&random, 7);
    configure(fixture, "maxmemory-policy", policy);
    configure(fixture, "maxmemory-eviction-tenacity", "100");
    put(fixture, 0, 20, ENTRY_NO_DEADLINE);
    limit_beyond_use(fixture, 1000000);
    for (int i = 0; i < 20000; i++) {
        size_t size = sizes[random_below(&random, 1 + (uint64_t)i / 3000)];
        if (i % 100 == 0) {
            pass_time(fixture, (int64_t)random_below(&random, 100));
        }
        int64_t limit = fixture->evict.bytes_max;
        assert_true(set(fixture, (int)random_below(&random, 100000), size));
        assert_true(evict_used(&fixture->evict) <= limit + (int64_t)(2 * size + 20000));
    }
    while (evict_slice(&fixture->evict, 0)) {}
    assert_true(evict_used(&fixture->evict) <= fixture->evict.bytes_max);
    assert_true(evict_used(&fixture->evict) > fixture->evict.bytes_max * 8 / 10);
    assert_true(fixture->keyspace.metrics.evicted_keys > 0);
    keyspace_validate(&fixture->keyspace);
    configure(fixture, "maxmemory", "0");
    keyspace_flush(&fixture->keyspace, -1, false);
}

static void test_storm(void **state) {
    static const char *const policies[] = {"allkeys-lru", "allkeys-lfu", "allkeys-random",
                                           "allkeys-adaptive"};
    for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
        check_storm(*state, policies[p]);
    }
}

/* When the limit is lowered, a command removes what it adds and little more; slices do the rest. */
static void test_lowering(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 100, ENTRY_NO_DEADLINE);
    }
    limit_beyond_use(fixture, -(int64_t)KEYS * 60);
    uint64_t before = fixture->keyspace.metrics.evicted_keys;
    for (int i = 0; i < 10; i++) {
        assert_true(set(fixture, KEYS + i, 100));
    }
    assert_true(fixture->keyspace.metrics.evicted_keys - before <= 20);
    int slices = 1;
    while (evict_slice(&fixture->evict, 0)) {
        assert_true(fixture->keyspace.metrics.evicted_keys - before <= 20 + 16 * (uint64_t)slices);
        slices++;
        assert_true(slices < 10000);
    }
    assert_true(slices > 1);
    assert_true(evict_used(&fixture->evict) <= fixture->evict.bytes_max);
    assert_true(dict_size(&fixture->keyspace.databases[0].keys) > KEYS / 5);
}

#define GROWTH 4096

/* What commands do not add, a table of the server's own or what is lost between keys, is made room
 * for in slices; meanwhile commands remove what they add. Where no key may go they are refused. */
static void test_growth_beside(void **state) {
    struct fixture *fixture = *state;
    uint64_t *evicted = &fixture->keyspace.metrics.evicted_keys;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 100, ENTRY_NO_DEADLINE);
    }
    limit_beyond_use(fixture, 0);
    void *table = mem_alloc(MEM_OTHER, GROWTH);
    pass_time(fixture, 1);
    assert_true(set(fixture, KEYS, 100));
    assert_true(set(fixture, KEYS + 1, 100));
    assert_true(*evicted <= 4);
    assert_true(evict_is_wanted(&fixture->evict));
    while (evict_slice(&fixture->evict, 0)) {}
    assert_true(evict_used(&fixture->evict) <= fixture->evict.bytes_max);
    assert_true(*evicted >= GROWTH / 200 && *evicted <= GROWTH / 50);

    uint64_t before = *evicted;
    evict_count_lost(&fixture->evict, (int64_t)10 * GROWTH);
    assert_true(set(fixture, KEYS + 2, 100));
    assert_true(*evicted <= before + 4);
    while (evict_slice(&fixture->evict, 0)) {}
    assert_true(*evicted >= before + (uint64_t)10 * GROWTH / 200);
    evict_count_lost(&fixture->evict, 0);
    assert_false(evict_is_wanted(&fixture->evict));

    configure(fixture, "maxmemory-policy", "volatile-lru");
    limit_beyond_use(fixture, 0);
    void *other = mem_alloc(MEM_OTHER, GROWTH);
    pass_time(fixture, 1);
    assert_false(set(fixture, KEYS + 3, 100));
    configure(fixture, "maxmemory-policy", "noeviction");
    pass_time(fixture, 1);
    assert_false(set(fixture, KEYS + 3, 100));
    mem_free(MEM_OTHER, other, GROWTH);
    mem_free(MEM_OTHER, table, GROWTH);
    keyspace_validate(&fixture->keyspace);
}

/* When the time of a pass is up, commands remove no more than they add; but not if far too much is
 * in use. */
static void test_time_of_a_pass(void **state) {
    struct fixture *fixture = *state;
    uint64_t *evicted = &fixture->keyspace.metrics.evicted_keys;
    configure(fixture, "maxmemory-policy", "allkeys-random");
    configure(fixture, "maxmemory-eviction-tenacity", "0");
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 1000, ENTRY_NO_DEADLINE);
    }
    limit_beyond_use(fixture, 0);
    put(fixture, KEYS, 20000, ENTRY_NO_DEADLINE); /* less than a 64th */
    pass_time(fixture, 1);
    put(fixture, KEYS + 1, 10000, ENTRY_NO_DEADLINE);
    for (int i = 0; i < 40; i++) {
        assert_true(set(fixture, KEYS + 2 + i, 10));
    }
    assert_true(evict_used(&fixture->evict) > fixture->evict.bytes_max);
    assert_true(*evicted <= 32);
    while (evict_slice(&fixture->evict, 0)) {}
    assert_true(evict_used(&fixture->evict) <= fixture->evict.bytes_max);
    put(fixture, KEYS, 90000, ENTRY_NO_DEADLINE);
    assert_true(set(fixture, KEYS + 1, 10));
    assert_true(evict_used(&fixture->evict) <=
                fixture->evict.bytes_max + fixture->evict.bytes_max / 64 + 20000);
}

static int64_t figure(struct fixture *fixture, const char *name) {
    int64_t value;
    const struct metric *metric;
    for (size_t i = 0; (metric = metrics_at(fixture->metrics, i, &value)) != NULL; i++) {
        if (strcmp(metric->name, name) == 0) {
            return value;
        }
    }
    fail_msg("there is no figure %s", name);
    return 0;
}

static void expect_time_over(struct fixture *fixture, int64_t total_ms, int64_t current_ms) {
    assert_int_equal(figure(fixture, "total_eviction_exceeded_time"), total_ms);
    assert_int_equal(figure(fixture, "current_eviction_exceeded_time"), current_ms);
}

/* The time above the limit is told, whether it is under way or over, and may be told afresh. */
static void test_time_over(void **state) {
    struct fixture *fixture = *state;
    clock_drive(&fixture->clock, START_MS + 1); /* from now on the monotonic clock follows */
    for (int i = 0; i < KEYS; i++) {
        put(fixture, i, 100, ENTRY_NO_DEADLINE);
    }
    pass_time(fixture, 500);
    expect_time_over(fixture, 0, 0);
    limit_beyond_use(fixture, -10000);
    pass_time(fixture, 10);
    expect_time_over(fixture, 0, 0);
    pass_time(fixture, 300);
    expect_time_over(fixture, 300, 300);
    metrics_reset(fixture->metrics);
    expect_time_over(fixture, 0, 300);
    pass_time(fixture, 200);
    expect_time_over(fixture, 200, 500);
    configure(fixture, "maxmemory-policy", "allkeys-random");
    while (evict_slice(&fixture->evict, 0)) {}
    pass_time(fixture, 50);
    expect_time_over(fixture, 250, 0);
    pass_time(fixture, 1000);
    limit_beyond_use(fixture, 0);
    put(fixture, KEYS, 5000, ENTRY_NO_DEADLINE);
    pass_time(fixture, 1);
    pass_time(fixture, 7);
    expect_time_over(fixture, 257, 7);
    configure(fixture, "maxmemory", "0");
    pass_time(fixture, 1);
    expect_time_over(fixture, 258, 0);
}

/* An hour forth and back: the policies keep working, and nobody is taken for older than all. */
static void test_clock_jumps(void **state) {
    static const char *const policies[] = {"allkeys-lru", "allkeys-lfu", "allkeys-adaptive"};
    struct fixture *fixture = *state;
    for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++) {
        configure(fixture, "maxmemory-policy", policies[p]);
        for (int i = 0; i < 100; i++) {
            put(fixture, i, 20, ENTRY_NO_DEADLINE);
        }
        pass_time(fixture, 3600000);
        for (int i = 100; i < 120; i++) {
            put(fixture, i, 20, ENTRY_NO_DEADLINE);
        }
        pass_time(fixture, -3600000);
        for (int i = 120; i < 140; i++) {
            put(fixture, i, 20, ENTRY_NO_DEADLINE);
        }
        evict_keys(fixture, 40);
        assert_int_equal(keyspace_size(&fixture->keyspace), 100);
        keyspace_flush(&fixture->keyspace, -1, false);
    }
}

/* An expired key that is still there goes before all others. */
static void test_expired_first(void **state) {
    struct fixture *fixture = *state;
    configure(fixture, "maxmemory-policy", "allkeys-lru");
    configure(fixture, "maxmemory-samples", "64");
    for (int i = 0; i < 16; i++) {
        put(fixture, i, 20, i == 15 ? START_MS + 10 : ENTRY_NO_DEADLINE);
        pass_time(fixture, 1000);
    }
    evict_keys(fixture, 1);
    assert_int_equal(dict_size(&fixture->keyspace.databases[0].keys), 15);
    assert_int_equal(fixture->keyspace.databases[0].deadlines.size, 0);
}

static void test_limits_in_bytes(void **state) {
    struct fixture *fixture = *state;
    struct limit *limit = &fixture->limit;
    limit->machine_bytes = 1000000000;
    assert_int_equal(limit_bytes(limit), 0);
    assert_int_equal(limit_clients_bytes(limit), 50000000);
    configure(fixture, "maxmemory", "75%");
    assert_int_equal(limit_bytes(limit), 750000000);
    assert_int_equal(fixture->evict.bytes_max, 750000000);
    assert_int_equal(limit_clients_bytes(limit), 37500000);
    configure(fixture, "maxmemory", "1mb");
    assert_int_equal(limit_clients_bytes(limit), LIMIT_CLIENTS_SHARE_MIN);
    configure(fixture, "maxmemory-clients", "100kb");
    assert_int_equal(limit_clients_bytes(limit), 102400);
    configure(fixture, "maxmemory-clients", "0");
    assert_int_equal(fixture->evict.clients_bytes_max, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_noeviction),
        TEST(test_lru),
        TEST(test_volatile_lru),
        TEST(test_no_touch),
        TEST(test_lfu),
        TEST(test_volatile_lfu),
        TEST(test_adaptive),
        TEST(test_random),
        TEST(test_volatile_random),
        TEST(test_volatile_ttl),
        TEST(test_volatile_spares_others),
        TEST(test_databases_and_types),
        TEST(test_storm),
        TEST(test_lowering),
        TEST(test_growth_beside),
        TEST(test_time_of_a_pass),
        TEST(test_time_over),
        TEST(test_clock_jumps),
        TEST(test_expired_first),
        TEST(test_limits_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
