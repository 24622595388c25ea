/* The limit of memory as clients see it: refusals, eviction by each policy, limits that change. The
 * reference's limits are less exact (what connections hold counts there, and a key's last use is
 * known to the second), so this is not for it. */
#include "client.h"
#include "harness.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT       (8 << 20)
#define VALUE_BYTES 1000
/* More than the limit holds. */
#define KEYS 20000
#define KEPT 100
/* Random work: commands, keys, the longest value. */
#define WORK           150000
#define WORK_KEYS      100000
#define WORK_VALUE_MAX 6000
/* What the allocator keeps in its caches for threads, which it calls handed out. */
#define CACHED_MAX (2 << 20)
#define OUT_OF_MEM "-OOM command not allowed when used memory > 'maxmemory'."

static struct server *server;
static redisContext *client;

static int start(void **state) {
    (void)state;
    static const char *const options[] = {"--maxmemory", "8mb", NULL};
    server = server_start(options);
    client = client_connect(server);
    return 0;
}

static int empty(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory %d", LIMIT);
    client_expect(client, "+OK", "FLUSHALL");
    client_expect(client, "+OK", "CONFIG RESETSTAT");
    return 0;
}

static void ends_cleanly(void **state) {
    (void)state;
    redisFree(client);
    server_stop(server);
}

static long long info_number(const char *section, const char *name) {
    char *text = client_command(client, "INFO %s", section);
    char *at = strstr(text, name);
    assert_non_null(at);
    long long number = strtoll(at + strlen(name), NULL, 10);
    free(text);
    return number;
}

/* Sets KEYS keys `prefix`0 ..., with a deadline if `seconds` is not 0; how many were taken. */
static int fill(const char *prefix, int seconds) {
    static char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    int taken = 0;
    for (int i = 0; i < KEYS; i++) {
        if (seconds > 0) {
            assert_int_equal(
                redisAppendCommand(client, "SET %s%d %s EX %d", prefix, i, value, seconds),
                REDIS_OK);
        } else {
            assert_int_equal(redisAppendCommand(client, "SET %s%d %s", prefix, i, value), REDIS_OK);
        }
    }
    for (int i = 0; i < KEYS; i++) {
        redisReply *reply = NULL;
        assert_int_equal(redisGetReply(client, (void **)&reply), REDIS_OK);
        taken += reply->type == REDIS_REPLY_STATUS;
        if (reply->type == REDIS_REPLY_ERROR) {
            assert_string_equal(reply->str, &OUT_OF_MEM[1]);
        }
        freeReplyObject(reply);
    }
    return taken;
}

static bool is_within_limit(void *context) {
    (void)context;
    return info_number("memory", "used_memory:") <= LIMIT + (LIMIT >> 4);
}

static void full_memory_refuses_what_adds(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy noeviction");
    int taken = fill("key:", 0);
    assert_in_range(taken, LIMIT / VALUE_BYTES / 4, LIMIT / VALUE_BYTES);
    client_expect(client, OUT_OF_MEM, "SET other value");
    client_expect(client, OUT_OF_MEM, "SETNX other value");
    client_expect(client, OUT_OF_MEM, "APPEND key:0 more");
    client_expect(client, OUT_OF_MEM, "INCR number");
    client_expect(client, OUT_OF_MEM, "HSET hash field value");
    client_expect(client, OUT_OF_MEM, "MSET other value");
    client_expect(client, ":1000", "STRLEN key:0");
    client_expect(client, ":1", "EXPIRE key:1 100");
    assert_int_equal(info_number("stats", "evicted_keys:"), 0);
    /* What was deleted makes room, and the refusals end. */
    for (int i = 0; i < KEPT; i++) {
        client_expect(client, ":1", "DEL key:%d", i);
    }
    client_expect(client, "+OK", "SET other value");
}

static void keep_to_the_limit(const char *policy) {
    empty(NULL);
    harness_note(policy);
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy %s", policy);
    assert_int_equal(fill("key:", strncmp(policy, "volatile", 8) == 0 ? 1000 : 0), KEYS);
    harness_wait_for(is_within_limit, NULL, "memory within the limit");
    assert_true(info_number("stats", "evicted_keys:") > KEYS / 2);
    char *size = client_command(client, "DBSIZE");
    assert_in_range(atoi(size + 1), LIMIT / VALUE_BYTES / 4, LIMIT / VALUE_BYTES);
    free(size);
}

static void every_policy_keeps_to_the_limit(void **state) {
    (void)state;
    keep_to_the_limit("allkeys-lru");
    keep_to_the_limit("allkeys-lfu");
    keep_to_the_limit("allkeys-random");
    keep_to_the_limit("allkeys-adaptive");
    keep_to_the_limit("volatile-lru");
    keep_to_the_limit("volatile-lfu");
    keep_to_the_limit("volatile-random");
    keep_to_the_limit("volatile-ttl");
}

static void volatile_policies_spare_keys_without_deadline(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy volatile-lru");
    for (int i = 0; i < KEPT; i++) {
        client_expect(client, "+OK", "SET kept:%d value", i);
    }
    assert_int_equal(fill("key:", 1000), KEYS);
    for (int i = 0; i < KEPT; i++) {
        client_expect(client, ":1", "EXISTS kept:%d", i);
    }
    /* Once all that is left has no deadline, the server refuses. */
    assert_in_range(fill("kept:", 0), LIMIT / VALUE_BYTES / 4, LIMIT / VALUE_BYTES);
    client_expect(client, OUT_OF_MEM, "SET other value");
}

static bool was_evicted(void *context) {
    return info_number("stats", "evicted_keys:") > 0 &&
           info_number("memory", "used_memory:") <= *(int64_t *)context + (LIMIT >> 4);
}

static void a_lowered_limit_is_reached(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy allkeys-lru");
    client_expect(client, "+OK", "CONFIG SET maxmemory 0");
    assert_int_equal(fill("key:", 0), KEYS);
    assert_int_equal(info_number("stats", "evicted_keys:"), 0);
    /* What I/O threads and their rings take stays. */
    int64_t lowered = info_number("memory", "used_memory_startup:") + LIMIT / 2;
    client_expect(client, "+OK", "CONFIG SET maxmemory %lld", (long long)lowered);
    harness_wait_for(was_evicted, &lowered, "memory within the lowered limit");
}

/* What was used a moment ago stays. */
static void recency_is_kept(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy allkeys-lru");
    client_expect(client, "+OK", "CONFIG SET maxmemory-samples 10");
    static char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    for (int i = 0; i < KEPT; i++) {
        client_expect(client, "+OK", "SET kept:%d value", i);
    }
    for (int i = 0; i < KEYS; i++) {
        client_expect(client, "+OK", "SET key:%d %s", i, value);
        free(client_command(client, "GET kept:%d", i % KEPT));
    }
    int there = 0;
    for (int i = 0; i < KEPT; i++) {
        char *reply = client_command(client, "EXISTS kept:%d", i);
        there += reply[1] == '1';
        free(reply);
    }
    assert_in_range(there, KEPT - KEPT / 10, KEPT);
}

/* One command of random work on few keys of all types. */
static void append_random_command(unsigned *seed) {
    static char value[WORK_VALUE_MAX];
    memset(value, 'v', sizeof value);
    int key = rand_r(seed) % WORK_KEYS;
    size_t size = (size_t)(rand_r(seed) % (rand_r(seed) % 2 == 0 ? WORK_VALUE_MAX : 200));
    int status = REDIS_OK;
    switch (rand_r(seed) % 8) {
    case 0:
        status = redisAppendCommand(client, "DEL string:%d hash:%d", key, key);
        break;
    case 1:
        status = redisAppendCommand(client, "APPEND string:%d %b", key, value, size);
        break;
    case 2:
    case 3:
        status = redisAppendCommand(client, "HSET hash:%d %d %b", key % 200, rand_r(seed) % 2000,
                                    value, size);
        break;
    case 4:
        status = redisAppendCommand(client, "SET string:%d %b EX 1000", key, value, size);
        break;
    case 5:
        status = redisAppendCommand(client, "HEXPIRE hash:%d 1000 FIELDS 1 %d", key % 200,
                                    rand_r(seed) % 2000);
        break;
    default:
        status = redisAppendCommand(client, "SET string:%d %b", key, value, size);
    }
    assert_int_equal(status, REDIS_OK);
}

/* What is counted agrees with what the allocator says it has handed out, but for the little that
 * libraries allocate for themselves. */
static void counted_is_what_the_allocator_gave(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory 0");
    unsigned seed = 1;
    for (int i = 0; i < WORK; i++) {
        append_random_command(&seed);
        redisReply *reply = NULL;
        if (i % 100 == 99) {
            for (int j = 0; j < 100; j++) {
                assert_int_equal(redisGetReply(client, (void **)&reply), REDIS_OK);
                freeReplyObject(reply);
            }
        }
    }
    long long given = info_number("memory", "allocator_allocated:");
    if (given == 0) {
        skip(); /* a build for a sanitizer, whose allocator does not tell */
    }
    long long used = info_number("memory", "used_memory:");
    assert_true(used > 8 * (long long)LIMIT);
    assert_in_range(used, given - given / 50 - CACHED_MAX, given + given / 50);
}

/* Sets `count` different keys to values of that size, a hundred at a time. */
static void churn(int size, int count) {
    static char value[VALUE_BYTES + 1];
    static int next;
    memset(value, 'v', (size_t)size);
    value[size] = '\0';
    for (int i = 0; i < count; i++) {
        assert_int_equal(redisAppendCommand(client, "SET churn:%d %s", next++, value), REDIS_OK);
        for (int j = 0; i % 100 == 99 && j < 100; j++) {
            redisReply *reply = NULL;
            assert_int_equal(redisGetReply(client, (void **)&reply), REDIS_OK);
            freeReplyObject(reply);
        }
    }
}

static bool is_resident_within(void *context) {
    const long long *bytes = context;
    return info_number("memory", "used_memory_rss:") <= *bytes;
}

/* Values of other sizes leave the allocator's slabs partly empty; keys are moved together, so that
 * the pages follow what is stored. Each time half of what is stored gives way, which leaves nearly
 * all of its slabs in use: without moving, the pages would stay at one and a half of the limit. */
static void resident_set_follows_the_sizes(void **state) {
    (void)state;
    if (info_number("memory", "allocator_active:") == 0) {
        skip(); /* a build for a sanitizer, whose allocator does not tell */
    }
    const long long limit = 48 << 20;
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy allkeys-lru maxmemory %lld", limit);
    long long before = info_number("memory", "used_memory_rss:");
    long long wanted = before + limit + limit * 3 / 20;
    churn(60, (int)(2 * limit / 100) / 100 * 100);
    static const int sizes[] = {200, 500, 100, 1000, 60};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        churn(sizes[i], (int)(limit / 2 / (sizes[i] + 40)) / 100 * 100);
        harness_wait_for(is_resident_within, &wanted, "the resident set follows");
    }
    assert_true(info_number("stats", "active_defrag_hits:") > 0);
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy noeviction");
}

static void percentages(void **state) {
    (void)state;
    long long machine = info_number("memory", "total_system_memory:");
    client_expect(client, "+OK", "CONFIG SET maxmemory 75%%");
    client_expect(client, "[\"maxmemory\", \"75%\"]", "CONFIG GET maxmemory");
    long long limit = info_number("memory", "maxmemory:");
    /* A control group may allow less than the machine has. */
    assert_in_range(limit, 1, machine / 4 * 3);
    client_expect(client,
                  "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - percentage "
                  "argument must be less or equal to 100",
                  "CONFIG SET maxmemory 101%%");
}

/* Sends the beginning of a SET whose value has so many bytes, which takes them and answers
 * nothing. */
static int hold_bytes(const char *name, size_t size) {
    int fd = wire_connect(server);
    wire_expect_reply(fd, "PING", "+PONG");
    char header[64];
    int length =
        snprintf(header, sizeof header, "*3\r\n$3\r\nSET\r\n$1\r\n%s\r\n$%zu\r\n", name, 2 * size);
    wire_send(fd, header, (size_t)length);
    char *bytes = calloc(1, size);
    assert_non_null(bytes);
    wire_send(fd, bytes, size);
    free(bytes);
    return fd;
}

static bool clients_were_evicted(void *context) {
    return info_number("stats", "evicted_clients:") >= *(int *)context;
}

static void largest_connections_are_closed(void **state) {
    (void)state;
    client_expect(client, "+OK", "CONFIG SET maxmemory-policy allkeys-lru");
    client_expect(client, "+OK", "SET kept value");
    client_expect(client, "+OK", "CONFIG SET maxmemory-clients 6mb");
    int small = hold_bytes("a", 1 << 20);
    int large = hold_bytes("b", 3 << 20);
    int spared = wire_connect(server);
    wire_expect_reply(spared, "CLIENT NO-EVICT on", "+OK");
    wire_send_text(spared, "*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$9000000\r\n");
    char *bytes = calloc(1, 4 << 20);
    assert_non_null(bytes);
    wire_send(spared, bytes, 4 << 20);
    free(bytes);
    int one = 1;
    harness_wait_for(clients_were_evicted, &one, "a connection closed for its buffers");
    wire_expect_end(large);
    close(small);
    close(large);
    close(spared);
    client_expect(client, "\"value\"", "GET kept");
    client_expect(client, "+OK", "CONFIG SET maxmemory-clients 5%%");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(full_memory_refuses_what_adds, empty),
        cmocka_unit_test(every_policy_keeps_to_the_limit),
        cmocka_unit_test_setup(volatile_policies_spare_keys_without_deadline, empty),
        cmocka_unit_test_setup(a_lowered_limit_is_reached, empty),
        cmocka_unit_test_setup(recency_is_kept, empty),
        cmocka_unit_test_setup(resident_set_follows_the_sizes, empty),
        cmocka_unit_test_setup(counted_is_what_the_allocator_gave, empty),
        cmocka_unit_test_setup(percentages, empty),
        cmocka_unit_test_setup(largest_connections_are_closed, empty),
        cmocka_unit_test(ends_cleanly),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
