/* Tests of store/expire under a driven clock: what it tells while keys are late, keys and fields of
 * hashes leaving on time, and jumps of the clock. */
#include "store/expire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/lazyfree.h"
#include "support/session.h"

#define START_MS ((int64_t)1700000000000)
#define HOUR_MS  ((int64_t)3600000)
#define SECOND   ((int64_t)1000)

static struct session *session;

static int tear_down(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static struct keyspace *keyspace(void) {
    return &session->server.keyspace;
}

/* The clock shows this, and all that is due is removed, in slices without time. */
static void expire_at(int64_t now_ms) {
    clock_drive(&session->server.clock, now_ms);
    keyspace_pass(keyspace());
    int slices = 0;
    while (!keyspace_expire(keyspace(), 0)) {
        assert_true(++slices < 100000);
    }
    keyspace_validate(keyspace());
}

static int set_up(void **state) {
    (void)state;
    session = session_start(NULL);
    expire_at(START_MS); /* the index of deadlines follows the clock */
    return 0;
}

static void add_keys(const char *prefix, int count, int64_t first_ms, int64_t step_ms) {
    for (int i = 0; i < count; i++) {
        char line[96];
        snprintf(line, sizeof line, "SET %s%d v PXAT %lld", prefix, i,
                 (long long)(first_ms + i * step_ms));
        session_expect(session, line, "+OK\r\n");
    }
}

/* Nothing is there a second after its deadline, and nothing leaves early. */
static void test_on_time(void **state) {
    (void)state;
    enum { COUNT = 400, STEP_MS = 50 };
    add_keys("k", COUNT, START_MS + STEP_MS, STEP_MS);
    for (int64_t ms = 0; ms <= COUNT * STEP_MS + SECOND; ms += 100) {
        expire_at(START_MS + ms);
        size_t due = (size_t)(ms / STEP_MS) < COUNT ? (size_t)(ms / STEP_MS) : COUNT;
        size_t overdue = ms < SECOND ? 0 : (size_t)((ms - SECOND) / STEP_MS);
        overdue = overdue < COUNT ? overdue : COUNT;
        assert_in_range(COUNT - keyspace_size(keyspace()), overdue, due);
        assert_int_equal(expire_lag_ms(keyspace()), 0);
        assert_true(expire_stale_percent(keyspace()) == 0);
    }
    assert_int_equal(keyspace_size(keyspace()), 0);
    assert_int_equal(keyspace()->metrics.expired_keys, COUNT);
}

static void test_lag_is_told(void **state) {
    (void)state;
    add_keys("late", 50, START_MS + 1000, 1);
    add_keys("far", 50, START_MS + HOUR_MS, 1);
    keyspace()->expire_paused = true;
    clock_drive(&session->server.clock, START_MS + 11000);
    assert_in_range(expire_lag_ms(keyspace()), 9900, 11000);
    double stale = expire_stale_percent(keyspace());
    assert_true(stale > 10 && stale <= 100);
    const char *answer = session_ask(session, "INFO stats");
    assert_non_null(strstr(answer, "\r\nexpired_lag_ms:1"));
    assert_null(strstr(answer, "\r\nexpired_stale_perc:0.00"));
    assert_non_null(strstr(answer, "\r\neventloop_pass_max_us:"));
    keyspace()->expire_paused = false;
    expire_at(START_MS + 11000);
    assert_int_equal(expire_lag_ms(keyspace()), 0);
    assert_int_equal(keyspace_size(keyspace()), 50);
}

/* A key is not late because for a long time before there was nothing to expire. */
static void test_no_lag_after_rest(void **state) {
    (void)state;
    for (int64_t minute = 1; minute <= 10; minute++) {
        int64_t now_ms = START_MS + minute * 61 * SECOND + minute * 617;
        expire_at(now_ms);
        add_keys("k", 1, now_ms + 100, 1);
        session_expect(session, "HSET h f v", ":1\r\n");
        char line[64];
        snprintf(line, sizeof line, "HPEXPIREAT h %lld FIELDS 1 f", (long long)now_ms + 100);
        session_expect(session, line, "*1\r\n:1\r\n");
        assert_int_equal(expire_lag_ms(keyspace()), 0);
        clock_drive(&session->server.clock, now_ms + 90);
        assert_int_equal(expire_lag_ms(keyspace()), 0);
        expire_at(now_ms + 300);
        assert_int_equal(keyspace_size(keyspace()), 0);
        due_validate(&keyspace()->databases[0].deadlines);
        due_validate(&keyspace()->databases[0].field_deadlines);
    }
    assert_int_equal(session->server.cron.expire_lag_max_ms, 0);
}

/* After an hour back, old and new keys leave when their time comes. */
static void test_clock_set_back(void **state) {
    (void)state;
    add_keys("old", 20, START_MS + HOUR_MS + 10 * SECOND, 100);
    expire_at(START_MS + HOUR_MS);
    assert_int_equal(keyspace_size(keyspace()), 20);
    clock_drive(&session->server.clock, START_MS);
    add_keys("new", 30, START_MS + 2 * SECOND, 10);
    expire_at(START_MS + SECOND);
    assert_int_equal(keyspace_size(keyspace()), 50);
    expire_at(START_MS + 4 * SECOND);
    assert_int_equal(keyspace_size(keyspace()), 20);
    expire_at(START_MS + HOUR_MS + 9 * SECOND);
    assert_int_equal(keyspace_size(keyspace()), 20);
    expire_at(START_MS + HOUR_MS + 13 * SECOND);
    assert_int_equal(keyspace_size(keyspace()), 0);
}

static void test_clock_set_forward(void **state) {
    (void)state;
    add_keys("soon", 30, START_MS + SECOND, 10);
    add_keys("later", 20, START_MS + 2 * HOUR_MS, 10);
    expire_at(START_MS + HOUR_MS);
    assert_int_equal(keyspace_size(keyspace()), 20);
    add_keys("new", 5, START_MS + HOUR_MS + SECOND, 10);
    expire_at(START_MS + HOUR_MS + 3 * SECOND);
    assert_int_equal(keyspace_size(keyspace()), 20);
    expire_at(START_MS + 2 * HOUR_MS + 3 * SECOND);
    assert_int_equal(keyspace_size(keyspace()), 0);
}

/* Fields of a large hash, an hour back included. */
static void test_fields(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET hash-max-listpack-entries 4", "+OK\r\n");
    for (int i = 0; i < 40; i++) {
        char line[96];
        snprintf(line, sizeof line, "HSET h f%d v", i);
        session_expect(session, line, ":1\r\n");
        snprintf(line, sizeof line, "HPEXPIREAT h %lld FIELDS 1 f%d",
                 (long long)(START_MS + (i < 20 ? HOUR_MS : 0) + (i + 1) * SECOND), i);
        session_expect(session, line, "*1\r\n:1\r\n");
    }
    expire_at(START_MS - HOUR_MS);
    assert_int_equal(keyspace()->metrics.expired_subkeys, 0);
    expire_at(START_MS + 42 * SECOND);
    assert_int_equal(keyspace()->metrics.expired_subkeys, 20);
    expire_at(START_MS + SECOND);
    session_expect(session, "HPEXPIREAT h 1700000005000 FIELDS 1 f0", "*1\r\n:1\r\n");
    expire_at(START_MS + 7 * SECOND);
    assert_int_equal(keyspace()->metrics.expired_subkeys, 21);
    expire_at(START_MS + HOUR_MS + 22 * SECOND);
    assert_int_equal(keyspace()->metrics.expired_subkeys, 40);
    assert_int_equal(keyspace_size(keyspace()), 0);
}

/* A long string is freed in the background, a short one at once. */
static void test_long_strings_are_freed_elsewhere(void **state) {
    (void)state;
    session_expect(session, "SETRANGE long 3000000 x", ":3000001\r\n");
    session_expect(session, "SETRANGE short 30000 x", ":30001\r\n");
    session_expect(session, "DEL short", ":1\r\n");
    assert_int_equal(lazyfree_freed(keyspace()->lazyfree) + lazyfree_pending(keyspace()->lazyfree),
                     0);
    session_expect(session, "PEXPIREAT long 1700000001000", ":1\r\n");
    expire_at(START_MS + 3 * SECOND);
    assert_int_equal(lazyfree_freed(keyspace()->lazyfree) + lazyfree_pending(keyspace()->lazyfree),
                     1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_on_time),
        TEST(test_lag_is_told),
        TEST(test_no_lag_after_rest),
        TEST(test_clock_set_back),
        TEST(test_clock_set_forward),
        TEST(test_fields),
        TEST(test_long_strings_are_freed_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
