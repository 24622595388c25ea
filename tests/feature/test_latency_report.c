/* Tests of feature/latency_report: graphs of known samples, and the figures behind the report. */
#include "feature/latency_report.h"

#include "support/session.h"

#include <string.h>

#define DASHES "--------------------------------------------------------------------------------\n"

/* An event with these samples, `step_s` apart, the newest at 100000 seconds. */
static struct latency_event event_of(const int64_t *ms, size_t count, int64_t step_s) {
    struct latency_event event = {.name = "command"};
    for (size_t i = 0; i < count; i++) {
        event.samples[event.next++] = (struct latency_sample){
            .time_s = 100000 - step_s * (int64_t)(count - 1 - i), .ms = ms[i]};
        event.max_ms = ms[i] > event.max_ms ? ms[i] : event.max_ms;
    }
    event.next %= LATENCY_SAMPLES;
    event.count = count;
    return event;
}

static void expect_graph(const struct latency_event *event, int64_t now_s, const char *expected) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    latency_print_graph(event, now_s, &out);
    assert_string_equal(buffer_text(&out), expected);
    buffer_clear(&out);
}

static void test_graph(void **state) {
    (void)state;
    const int64_t ms[] = {2, 9, 4, 30, 14, 70, 11, 55, 20, 5, 33};
    struct latency_event event = event_of(ms, 11, 1);
    expect_graph(&event, 100001,
                 "command - high 70 ms, low 2 ms (all time high 70 ms)\n" DASHES "     # _   \n"
                 "     | |   \n"
                 "   o | |_ #\n"
                 "_o_|#|o||_|\n"
                 "           \n"
                 "11987654321\n"
                 "10sssssssss\n"
                 "ss         \n");
}

static void test_graph_of_equals(void **state) {
    (void)state;
    const int64_t ms[] = {5, 5, 5};
    struct latency_event event = event_of(ms, 3, 30);
    event.max_ms = 500;
    expect_graph(&event, 100000,
                 "command - high 5 ms, low 5 ms (all time high 500 ms)\n" DASHES
                 "   \n   \n   \n___\n   \n130\nm0s\n s \n");
}

static void test_ages(void **state) {
    (void)state;
    const int64_t ms[] = {1, 1, 1, 1};
    struct latency_event event = event_of(ms, 4, 1);
    const int64_t ages[] = {86400 * 12, 3600 * 23, 119, -5};
    for (int i = 0; i < 4; i++) {
        event.samples[i].time_s = 2000000 - ages[i];
    }
    expect_graph(&event, 2000000,
                 "command - high 1 ms, low 1 ms (all time high 1 ms)\n" DASHES
                 "    \n    \n    \n____\n    \n1210\n23ms\ndh  \n");
}

/* More samples than columns: a second block below the first. */
static void test_two_blocks(void **state) {
    (void)state;
    int64_t ms[LATENCY_SAMPLES];
    for (int i = 0; i < LATENCY_SAMPLES; i++) {
        ms[i] = i < 81 ? 1 : 100;
    }
    struct latency_event event = event_of(ms, 81, 1);
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    latency_print_graph(&event, 100000, &out);
    assert_non_null(strstr(buffer_text(&out), "\n \n \n \n_\n \n0\ns\n"));
    buffer_clear(&out);
    event = event_of(ms, LATENCY_SAMPLES, 1);
    latency_print_graph(&event, 100000, &out);
    size_t lines = 0;
    for (const char *at = buffer_text(&out); *at != '\0'; at++) {
        lines += *at == '\n';
    }
    /* Two heading lines, then twice: four rows, an empty one, and ages of two or three digits. */
    assert_in_range(lines, 2 + 2 * (4 + 1 + 2), 2 + 2 * (4 + 1 + 4));
    buffer_clear(&out);
}

static void test_figures(void **state) {
    (void)state;
    const int64_t ms[] = {10, 20, 60};
    struct latency_event event = event_of(ms, 3, 10);
    struct latency_figures figures = latency_figures(&event, 100010);
    assert_int_equal(figures.mean_ms, 30);
    assert_int_equal(figures.deviation_ms, 20);
    assert_int_equal(figures.low_ms, 10);
    assert_int_equal(figures.high_ms, 60);
    assert_true(figures.period_s == 10);
    struct latency_event none = {.name = "none"};
    figures = latency_figures(&none, 100000);
    assert_int_equal(figures.mean_ms, 0);
    assert_int_equal(figures.low_ms, 0);
    assert_true(figures.period_s == 0);
}

/* The report names what was seen, and advises only where there is cause. */
static void test_report(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    struct latency *latency = session->server.context.latency;
    assert_non_null(strstr(session_ask(session, "LATENCY DOCTOR"), "not being watched"));
    session_expect(session, "CONFIG SET latency-monitor-threshold 100", "+OK\r\n");
    assert_non_null(strstr(session_ask(session, "LATENCY DOCTOR"), "No latency spike"));
    latency_note(latency, "expire-cycle", 250000);
    const char *text = session_ask(session, "LATENCY DOCTOR");
    assert_non_null(strstr(text, "1. expire-cycle: 1 latency spikes (average 250ms"));
    assert_non_null(strstr(text, "Removing keys"));
    assert_null(strstr(text, "slowlog-log-slower-than"));
    latency_note(latency, "fast-command", 150000);
    session_expect(session, "CONFIG SET slowlog-log-slower-than 100001", "+OK\r\n");
    text = session_ask(session, "LATENCY DOCTOR");
    assert_non_null(strstr(text, "2. fast-command: 1 latency spikes (average 150ms"));
    assert_null(strstr(text, "slowlog-log-slower-than"));
    session_expect(session, "CONFIG SET slowlog-log-slower-than 101000", "+OK\r\n");
    text = session_ask(session, "LATENCY DOCTOR");
    assert_non_null(strstr(text, "CONFIG SET slowlog-log-slower-than 100000"));
    session_end(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_graph),   cmocka_unit_test(test_graph_of_equals),
        cmocka_unit_test(test_ages),    cmocka_unit_test(test_two_blocks),
        cmocka_unit_test(test_figures), cmocka_unit_test(test_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
