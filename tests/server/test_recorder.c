/* Tests of server/recorder: what a second's and a minute's point say of what was done in it. */
#include "server/recorder.h"

#include "support/session.h"

#include "base/histogram.h"

#define START_MS 1700000000000

static struct session *session;
static int64_t now_ms;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    now_ms = START_MS;
    clock_drive(&session->server.clock, now_ms);
    session_pass(session);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static struct history *history(void) {
    return session->server.context.history;
}

/* Lets time pass, and the look at the counters that is due then. */
static void wait_ms(int64_t ms) {
    now_ms += ms;
    clock_drive(&session->server.clock, now_ms);
    recorder_look(&session->server.recorder);
}

static float newest(enum history_ring ring, enum history_series series) {
    return history_at(history(), ring, 0)->values[series];
}

static void test_second(void **state) {
    (void)state;
    wait_ms(1000);
    uint64_t before = history_added(history(), HISTORY_BY_SECOND);
    session_expect(session, "SET a 1", "+OK\r\n");
    session_expect(session, "GET a", "$1\r\n1\r\n");
    session_expect(session, "GET b", "$-1\r\n");
    session_expect(session, "GET c", "$-1\r\n");
    wait_ms(1000);
    assert_int_equal(history_added(history(), HISTORY_BY_SECOND), before + 1);
    assert_int_equal(history_time(history(), HISTORY_BY_SECOND), now_ms / 1000);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_REQUESTS) == 4);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_HITS) == 1);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_MISSES) == 2);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_KEYS) == 1);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_CLIENTS) == 1);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_INPUT) > 20);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_OUTPUT) > 15);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_P50) > 0);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_P999) >= newest(HISTORY_BY_SECOND, HISTORY_P50));
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_DATA) > 0);
    /* And of the next one, nothing. */
    wait_ms(1000);
    for (int series = 0; series <= HISTORY_P999; series++) {
        assert_true(newest(HISTORY_BY_SECOND, (enum history_series)series) == 0);
    }
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_KEYS) == 1);
}

/* A minute's sums are those of its seconds, also of those that nobody recorded. */
static void test_minute(void **state) {
    (void)state;
    uint64_t minutes = history_added(history(), HISTORY_BY_MINUTE);
    uint64_t seconds = history_added(history(), HISTORY_BY_SECOND);
    for (int i = 0; history_added(history(), HISTORY_BY_MINUTE) == minutes; i++) {
        assert_true(i < 70);
        wait_ms(1000);
    }
    session_expect(session, "GET a", "$1\r\n1\r\n");
    wait_ms(20000);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_HITS) == 1);
    assert_true(history_at(history(), HISTORY_BY_SECOND, 1)->values[HISTORY_HITS] == -1);
    session_expect(session, "GET a", "$1\r\n1\r\n");
    wait_ms(39000);
    assert_int_equal(history_added(history(), HISTORY_BY_MINUTE), minutes + 1);
    wait_ms(1000);
    assert_int_equal(history_added(history(), HISTORY_BY_MINUTE), minutes + 2);
    assert_true(newest(HISTORY_BY_MINUTE, HISTORY_HITS) == 2);
    assert_true(newest(HISTORY_BY_MINUTE, HISTORY_P50) > 0);
    assert_true(history_added(history(), HISTORY_BY_SECOND) >= seconds + 60);
}

/* Counters and distributions that were set back give no nonsense. */
static void test_reset(void **state) {
    (void)state;
    wait_ms(1000);
    for (int i = 0; i < 50; i++) {
        session_expect(session, "GET a", "$1\r\n1\r\n");
    }
    wait_ms(1000);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_HITS) == 50);
    session_expect(session, "CONFIG RESETSTAT", "+OK\r\n");
    session_expect(session, "GET a", "$1\r\n1\r\n");
    wait_ms(1000);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_HITS) == 1);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_P50) > 0);
    assert_true(newest(HISTORY_BY_SECOND, HISTORY_REQUESTS) < 4);
}

/* The clock that shows the time may jump; seconds go on. */
static void test_clock_back(void **state) {
    (void)state;
    wait_ms(1000);
    uint64_t before = history_added(history(), HISTORY_BY_SECOND);
    wait_ms(-3600000);
    assert_int_equal(history_added(history(), HISTORY_BY_SECOND), before);
    wait_ms(1000);
    assert_int_equal(history_added(history(), HISTORY_BY_SECOND), before + 1);
    assert_int_equal(history_time(history(), HISTORY_BY_SECOND), now_ms / 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second),
        cmocka_unit_test(test_minute),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_clock_back),
    };
    return cmocka_run_group_tests(tests, start, end);
}
