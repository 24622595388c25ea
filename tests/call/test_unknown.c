/* Tests of call/unknown: counting by name, bounds, names with any bytes. */
#include "call/unknown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

struct fixture {
    struct metrics *metrics;
    struct unknown *unknown;
    struct buffer text;
};

static int set_up(void **state) {
    static struct fixture fixture;
    log_set_level(LOG_NOTHING);
    fixture.metrics = metrics_new();
    fixture.unknown = unknown_new(fixture.metrics);
    buffer_init(&fixture.text, MEM_OTHER);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    unknown_free(fixture->unknown);
    unknown_free(NULL);
    metrics_free(fixture->metrics);
    buffer_clear(&fixture->text);
    return 0;
}

static void ask(struct fixture *fixture, const char *name, const char *subcommand, int times) {
    for (int i = 0; i < times; i++) {
        unknown_note(fixture->unknown, bytes_text(name), bytes_text(subcommand));
        unknown_validate(fixture->unknown);
    }
}

static const char *stats(struct fixture *fixture) {
    fixture->text.size = 0;
    metrics_print_section(fixture->metrics, METRIC_STATS, &fixture->text);
    return buffer_text(&fixture->text);
}

static void test_most_asked_first(void **state) {
    struct fixture *fixture = *state;
    assert_string_equal(stats(fixture),
                        "# Stats\r\nunknown_commands_calls:0\r\nunknown_commands:\r\n");
    ask(fixture, "GEOADD", "", 2);
    ask(fixture, "geoadd", "", 1);
    ask(fixture, "eval", "", 5);
    ask(fixture, "client", "NoSuch", 1);
    assert_string_equal(stats(fixture), "# Stats\r\nunknown_commands_calls:9\r\n"
                                        "unknown_commands:eval=5,geoadd=3,client|nosuch=1\r\n");
    metrics_reset(fixture->metrics);
    unknown_validate(fixture->unknown);
    assert_string_equal(stats(fixture),
                        "# Stats\r\nunknown_commands_calls:0\r\nunknown_commands:\r\n");
    ask(fixture, "geoadd", "", 1);
    assert_int_equal(unknown_calls(fixture->unknown, "geoadd"), 1);
}

/* Nothing that a client sends looks like another line or another figure. */
static void test_names_of_any_bytes(void **state) {
    struct fixture *fixture = *state;
    char long_name[200];
    memset(long_name, 'a', sizeof long_name);
    unknown_note(fixture->unknown, bytes_of(long_name, sizeof long_name), bytes_of(NULL, 0));
    unknown_note(fixture->unknown, bytes_of(long_name, sizeof long_name), bytes_text("more"));
    unknown_note(fixture->unknown, bytes_of("a=1,b\r\nc:\0\xff", 12), bytes_of(NULL, 0));
    unknown_note(fixture->unknown, bytes_of(NULL, 0), bytes_of(NULL, 0));
    unknown_validate(fixture->unknown);
    long_name[UNKNOWN_NAME_SIZE - 1] = '\0';
    assert_int_equal(unknown_calls(fixture->unknown, long_name), 2);
    assert_int_equal(unknown_calls(fixture->unknown, "a?1?b??c????"), 1);
    assert_int_equal(unknown_calls(fixture->unknown, ""), 1);
}

/* Noise does not push out what is asked for again and again. */
static void test_the_table_is_bounded(void **state) {
    struct fixture *fixture = *state;
    char name[32];
    for (int i = 0; i < 20 * UNKNOWN_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "noise-%d", i);
        ask(fixture, name, "", 1);
        ask(fixture, "xadd", "", 1);
    }
    assert_true(unknown_calls(fixture->unknown, "xadd") >= 20 * UNKNOWN_NAMES_MAX);
    assert_non_null(strstr(stats(fixture), "unknown_commands:xadd="));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_most_asked_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_of_any_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_table_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
