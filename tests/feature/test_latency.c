/* Tests of feature/latency: samples, rings, thresholds, percentiles. */
#include "feature/latency.h"

#include "support/session.h"

#include <stdio.h>
#include <string.h>

#define START_MS 1700000000000

static struct session *session;
static struct latency *latency;

static int start(void **state) {
    (void)state;
    session = session_start(NULL);
    latency = session->server.context.latency;
    clock_drive(&session->server.clock, START_MS);
    return 0;
}

static int end(void **state) {
    (void)state;
    session_end(session);
    return 0;
}

static const struct latency_event *event(const char *name) {
    return latency_event_find(latency, bytes_text(name));
}

static void test_threshold(void **state) {
    (void)state;
    latency_note(latency, "expire-cycle", 5000000);
    assert_null(latency_event_at(latency, 0));
    session_expect(session, "LATENCY LATEST", "*0\r\n");
    session_expect(session, "CONFIG SET latency-monitor-threshold 5", "+OK\r\n");
    latency_note(latency, "expire-cycle", 4999);
    assert_null(event("expire-cycle"));
    latency_note(latency, "expire-cycle", 5000);
    assert_non_null(event("EXPIRE-cycle"));
    assert_int_equal(event("expire-cycle")->count, 1);
    assert_int_equal(latency_sample_at(event("expire-cycle"), 0)->ms, 5);
    session_expect(session, "CONFIG SET latency-monitor-threshold 0", "+OK\r\n");
    latency_note(latency, "expire-cycle", 9000000);
    assert_int_equal(event("expire-cycle")->max_ms, 5);
}

/* One sample a second: its worst. */
static void test_samples_of_a_second(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET latency-monitor-threshold 1", "+OK\r\n");
    const int ms[] = {3, 9, 4};
    for (int i = 0; i < 3; i++) {
        latency_note(latency, "command", ms[i] * 1000);
    }
    assert_int_equal(event("command")->count, 1);
    assert_int_equal(latency_sample_at(event("command"), 0)->ms, 9);
    clock_drive(&session->server.clock, START_MS + 1000);
    latency_note(latency, "command", 2000);
    latency_note(latency, "fast-command", 7000);
    assert_int_equal(event("command")->count, 2);
    assert_int_equal(event("command")->max_ms, 9);
    session_expect(session, "LATENCY LATEST",
                   "*2\r\n*4\r\n$7\r\ncommand\r\n:1700000001\r\n:2\r\n:9\r\n"
                   "*4\r\n$12\r\nfast-command\r\n:1700000001\r\n:7\r\n:7\r\n");
    session_expect(session, "LATENCY HISTORY command",
                   "*2\r\n*2\r\n:1700000000\r\n:9\r\n*2\r\n:1700000001\r\n:2\r\n");
    session_expect(session, "LATENCY HISTORY nosuch", "*0\r\n");
}

static void test_ring(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET latency-monitor-threshold 1", "+OK\r\n");
    for (int i = 0; i < LATENCY_SAMPLES + 40; i++) {
        clock_drive(&session->server.clock, START_MS + i * 1000);
        latency_note(latency, "command", (i + 1) * 1000);
        const struct latency_event *ring = event("command");
        size_t count = i + 1 < LATENCY_SAMPLES ? (size_t)i + 1 : LATENCY_SAMPLES;
        assert_int_equal(ring->count, count);
        assert_int_equal(latency_sample_at(ring, count - 1)->ms, i + 1);
        assert_int_equal(latency_sample_at(ring, 0)->ms, i + 2 - (int)count);
    }
}

static void test_reset(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    session_expect(session, "CONFIG SET latency-monitor-threshold 1", "+OK\r\n");
    for (int i = 0; i < 3; i++) {
        latency_note(latency, names[i], 1000);
    }
    session_expect(session, "LATENCY RESET nosuch \"\"", ":0\r\n");
    session_expect(session, "LATENCY RESET B nosuch b", ":1\r\n");
    assert_null(event("b"));
    assert_non_null(event("a"));
    assert_non_null(event("c"));
    session_expect(session, "LATENCY RESET", ":2\r\n");
    assert_null(latency_event_at(latency, 0));
    session_expect(session, "LATENCY GRAPH a", "-ERR No samples available for event 'a'\r\n");
}

/* More events than there is room for are not kept, and do no harm. */
static void test_too_many_events(void **state) {
    (void)state;
    static char names[LATENCY_EVENTS_MAX + 2][16];
    session_expect(session, "CONFIG SET latency-monitor-threshold 1", "+OK\r\n");
    for (int i = 0; i < LATENCY_EVENTS_MAX + 2; i++) {
        snprintf(names[i], sizeof names[i], "e%d", i);
        latency_note(latency, names[i], 1000);
    }
    assert_non_null(latency_event_at(latency, LATENCY_EVENTS_MAX - 1));
    assert_null(latency_event_at(latency, LATENCY_EVENTS_MAX));
    assert_null(event(names[LATENCY_EVENTS_MAX]));
}

static void test_observed(void **state) {
    (void)state;
    session_expect(session, "CONFIG SET latency-monitor-threshold 1", "+OK\r\n");
    session_ask(session, "DEBUG SLEEP 0.0011");
    assert_non_null(event("command"));
    assert_true(event("command")->max_ms >= 1);
    assert_null(event("fast-command"));
}

static void test_percentiles(void **state) {
    (void)state;
    const double *percentiles;
    assert_int_equal(latency_percentiles(latency, &percentiles), 3);
    assert_true(percentiles[0] == 50 && percentiles[1] == 99 && percentiles[2] == 99.9);
    session_expect(session, "CONFIG SET latency-tracking-info-percentiles \"0 100.0  99.99\"",
                   "+OK\r\n");
    session_expect(session, "CONFIG GET latency-tracking-info-percentiles",
                   "*2\r\n$33\r\nlatency-tracking-info-percentiles\r\n$11\r\n0 100 99.99\r\n");
    static const char too_many[] = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17";
    static const char *const wrong[] = {"x", "50 x", "nan", too_many};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[256];
        snprintf(line, sizeof line, "CONFIG SET latency-tracking-info-percentiles \"%s\"",
                 wrong[i]);
        session_expect(session, line,
                       "-ERR CONFIG SET failed (possibly related to argument "
                       "'latency-tracking-info-percentiles') - Invalid "
                       "latency-tracking-info-percentiles parameters\r\n");
    }
    session_expect(session, "CONFIG SET latency-tracking-info-percentiles \"50 100.1\"",
                   "-ERR CONFIG SET failed (possibly related to argument "
                   "'latency-tracking-info-percentiles') - latency-tracking-info-percentiles "
                   "parameters should sit between [0.0,100.0]\r\n");
    assert_int_equal(latency_percentiles(latency, &percentiles), 3);
    session_expect(session, "CONFIG SET latency-tracking-info-percentiles \"\"", "+OK\r\n");
    assert_int_equal(latency_percentiles(latency, &percentiles), 0);
}

static void test_histogram(void **state) {
    (void)state;
    session_expect(session, "LATENCY HISTOGRAM set nosuch nosuch|x", "*0\r\n");
    for (int i = 0; i < 5; i++) {
        session_ask(session, "SET a b");
    }
    const char *answer = session_ask(session, "LATENCY HISTOGRAM SET");
    const char *expected =
        "*2\r\n$3\r\nset\r\n*4\r\n$5\r\ncalls\r\n:5\r\n$14\r\nhistogram_usec\r\n*";
    assert_memory_equal(answer, expected, strlen(expected));
    assert_non_null(strstr(answer, "\r\n:5\r\n"));
    /* A container stands for its subcommands. */
    session_ask(session, "CONFIG GET hz");
    assert_non_null(strstr(session_ask(session, "LATENCY HISTOGRAM config"), "config|get"));
    session_expect(session, "CONFIG SET latency-tracking no", "+OK\r\n");
    session_ask(session, "CONFIG RESETSTAT");
    session_ask(session, "SET a b");
    session_expect(session, "LATENCY HISTOGRAM", "*0\r\n");
}

static const char *const debug[] = {"--enable-debug-command", "yes", NULL};

static int start_with_debug(void **state) {
    (void)state;
    session = session_start(debug);
    latency = session->server.context.latency;
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threshold, start, end),
        cmocka_unit_test_setup_teardown(test_samples_of_a_second, start, end),
        cmocka_unit_test_setup_teardown(test_ring, start, end),
        cmocka_unit_test_setup_teardown(test_reset, start, end),
        cmocka_unit_test_setup_teardown(test_too_many_events, start, end),
        cmocka_unit_test_setup_teardown(test_observed, start_with_debug, end),
        cmocka_unit_test_setup_teardown(test_percentiles, start, end),
        cmocka_unit_test_setup_teardown(test_histogram, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
