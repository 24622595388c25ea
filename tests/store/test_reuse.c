/* Tests of store/reuse: against caches of each size that are simulated whole. */
#include "store/reuse.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"

#define KEYS 4000

/* A cache that evicts what was used longest ago: a list of keys, the newest first. */
struct cache {
    int keys[KEYS];
    size_t bytes[KEYS];
    int count;
    size_t used;
    size_t room;
    long misses;
};

static bool use(struct cache *cache, int key, size_t bytes) {
    int at = 0;
    while (at < cache->count && cache->keys[at] != key) {
        at++;
    }
    bool hit = at < cache->count;
    if (hit) {
        cache->used -= cache->bytes[at];
    } else {
        cache->count++;
        at = cache->count - 1;
    }
    memmove(cache->keys + 1, cache->keys, (size_t)at * sizeof cache->keys[0]);
    memmove(cache->bytes + 1, cache->bytes, (size_t)at * sizeof cache->bytes[0]);
    cache->keys[0] = key;
    cache->bytes[0] = bytes;
    cache->used += bytes;
    while (cache->used > cache->room) {
        cache->count--;
        cache->used -= cache->bytes[cache->count];
    }
    cache->misses += !hit;
    return hit;
}

static uint64_t hash_of(int key) {
    return hash_bytes(7, &key, sizeof key);
}

static size_t bytes_of_key(int key) {
    return 100 + (size_t)(key * 37 % 50);
}

/* One read as the server would tell of it, the cache of the present size saying whether it is a
 * hit; a miss is filled. */
static void read_key(struct reuse *reuse, struct cache caches[REUSE_ZONES], int key) {
    uint64_t hash = hash_of(key);
    bool hit = false;
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        bool found = use(&caches[zone], key, bytes_of_key(key));
        hit = zone == REUSE_ZONES_NOW - 1 ? found : hit;
    }
    if (hash >= reuse_below(reuse)) {
        return;
    }
    if (hit) {
        reuse_found(reuse, hash, 0, bytes_of_key(key), -1);
    } else {
        reuse_missed(reuse, hash, 0, 0);
        reuse_written(reuse, hash, 0, bytes_of_key(key), -1);
    }
}

struct trace {
    struct random random;
    double exponent; /* 0: all alike */
    int loop;        /* keys in turn; 0: drawn */
    int keys;
    int next;
};

static int draw(struct trace *trace) {
    if (trace->loop > 0) {
        return trace->next++ % trace->loop;
    }
    double uniform = (double)random_below(&trace->random, 1000000) / 1e6;
    return (int)(pow(uniform, trace->exponent) * trace->keys) % KEYS;
}

/* Replays a trace; the estimate's distance from the truth, the largest over all sizes. */
static double replay(struct trace *trace, size_t room, int count, bool ticks_often) {
    struct reuse reuse;
    struct cache *caches = calloc(REUSE_ZONES, sizeof *caches);
    double worst = 0;
    uint64_t reads = 0;
    reuse_init(&reuse);
    for (int zone = 0; zone < REUSE_ZONES; zone++) {
        caches[zone].room = room / REUSE_ZONES_NOW * (size_t)(zone + 1);
    }
    reuse_tick(&reuse, room, 0);
    for (int i = 0; i < count; i++) {
        reads += !reuse.paused;
        read_key(&reuse, caches, draw(trace));
        if (i % (ticks_often ? 200 : 5000) == 0) {
            reuse_tick(&reuse, room, reads);
            reads = 0;
            reuse_validate(&reuse);
        }
    }
    reuse_tick(&reuse, room, reads);
    for (int zones = 1; zones <= REUSE_ZONES; zones++) {
        double truth = (double)caches[zones - 1].misses / count;
        double estimate = reuse_miss_ratio(&reuse, zones);
        assert_true(estimate >= 0 && estimate <= 1);
        worst = fabs(truth - estimate) > worst ? fabs(truth - estimate) : worst;
    }
    free(caches);
    reuse_free(&reuse);
    return worst;
}

/* While all keys are watched the estimate is the truth, but for what was under way. */
static void test_exact(void **state) {
    (void)state;
    struct trace skewed = {.exponent = 2, .keys = 200};
    random_init(&skewed.random, 3);
    assert_true(replay(&skewed, 12000, 30000, true) < 0.005);
    struct trace loop = {.loop = 150};
    assert_true(replay(&loop, 12000, 30000, true) < 0.01);
}

/* With some hundred keys that stand for thousands it is coarse, but not far off; looking away from
 * time to time makes it little worse. */
static void test_sampled(void **state) {
    (void)state;
    struct trace even = {.exponent = 1, .keys = 4000};
    random_init(&even.random, 4);
    assert_true(replay(&even, 200000, 100000, true) < 0.08);
    struct trace skewed = {.exponent = 3, .keys = 4000};
    random_init(&skewed.random, 5);
    assert_true(replay(&skewed, 100000, 100000, true) < 0.08);
    random_init(&skewed.random, 6);
    assert_true(replay(&skewed, 100000, 200000, false) < 0.15);
}

/* Everything that may happen, in any order; the structure stays sound and its memory bounded. */
static void test_anything(void **state) {
    (void)state;
    size_t before = mem_used();
    struct random random;
    struct reuse reuse;
    random_init(&random, 8);
    reuse_init(&reuse);
    for (int i = 0; i < 60000; i++) {
        int key = (int)random_below(&random, i % 2000 < 1000 ? 40 : KEYS);
        int database = (int)random_below(&random, 3);
        uint64_t hash = hash_of(key);
        size_t bytes = 1 + random_below(&random, 1000);
        bool is_told = hash < reuse_below(&reuse);
        switch (random_below(&random, 6)) {
        case 0:
            if (is_told) {
                reuse_missed(&reuse, hash, database, i);
            }
            break;
        case 1:
            reuse_removed(&reuse, hash, database);
            break;
        case 2:
        case 3:
            if (is_told) {
                reuse_written(&reuse, hash, database, bytes, i % 3 == 0 ? i + 500 : -1);
            }
            break;
        default:
            if (is_told) {
                reuse_found(&reuse, hash, database, bytes, -1);
            }
            break;
        }
        if (i % 50 == 0) {
            reuse_tick(&reuse, random_below(&random, i % 400 == 0 ? 1000000 : 20000), 30);
        }
        if (i % 5000 == 0) {
            reuse_emptied(&reuse, i % 10000 == 0 ? -1 : 1);
            reuse_fade(&reuse);
        }
        if (i % 7 == 0) {
            reuse_validate(&reuse);
        }
        double last = 1;
        for (int zones = 1; zones <= REUSE_ZONES; zones++) {
            double ratio = reuse_miss_ratio(&reuse, zones);
            assert_true(ratio <= last);
            last = ratio;
        }
    }
    assert_true(reuse.capacity <= REUSE_ITEMS);
    reuse_free(&reuse);
    assert_int_equal(mem_used(), before);
}

/* A key whose deadline has come is a miss at any size; one that was removed too. */
static void test_gone(void **state) {
    (void)state;
    struct reuse reuse;
    reuse_init(&reuse);
    reuse_tick(&reuse, 100000, 0);
    for (int i = 0; i < 200; i++) {
        reuse_written(&reuse, hash_of(1), 0, 10, 5000);
        reuse_missed(&reuse, hash_of(1), 0, 7000);
        reuse_written(&reuse, hash_of(2), 0, 10, -1);
        reuse_removed(&reuse, hash_of(2), 0);
        reuse_missed(&reuse, hash_of(2), 0, 7000);
        reuse_written(&reuse, hash_of(3), 1, 10, -1);
        reuse_missed(&reuse, hash_of(3), 2, 7000);
        reuse_tick(&reuse, 100000, 3);
    }
    assert_true(reuse_miss_ratio(&reuse, REUSE_ZONES) == 1);
    for (int i = 0; i < 200; i++) {
        reuse_found(&reuse, hash_of(3), 1, 10, -1);
        reuse_tick(&reuse, 100000, 1);
    }
    assert_true(fabs(reuse_miss_ratio(&reuse, 1) - 0.75) < 0.01);
    reuse_free(&reuse);
}

/* When it was cheap for long, and few keys are watched, more are. */
static void test_calm(void **state) {
    (void)state;
    struct reuse reuse;
    reuse_init(&reuse);
    for (int i = 0; i < KEYS; i++) {
        if (hash_of(i) < reuse_below(&reuse)) {
            reuse_written(&reuse, hash_of(i), 0, 10, -1);
        }
        if (i % 100 == 0) {
            reuse_tick(&reuse, 1000000, 0);
        }
    }
    uint64_t threshold = reuse.threshold;
    assert_true(threshold < UINT64_MAX / 2);
    reuse_emptied(&reuse, -1);
    for (int i = 0; i < 5000; i++) {
        reuse_tick(&reuse, 1000000, 0);
    }
    assert_true(reuse.threshold > threshold);
    for (int i = 0; i < 50000; i++) {
        reuse_tick(&reuse, 1000000, 0);
    }
    assert_true(reuse.full_rate);
    reuse_validate(&reuse);
    reuse_free(&reuse);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),    cmocka_unit_test(test_sampled),
        cmocka_unit_test(test_anything), cmocka_unit_test(test_gone),
        cmocka_unit_test(test_calm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
