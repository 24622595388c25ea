/* Tests that every option stands its least and its greatest value: a whole server with each of them
 * in turn does some passes and serves, and when the option has its old value again, all is as
 * before. What it finds it finds with the sanitizers' help: a product that overflows, a shift too
 * far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/session.h"

/* Options that are not tried: they would listen elsewhere, or begin as many threads as may be. */
static const char *const left_out[] = {"port", "io-threads"};

static bool is_left_out(const struct option *row) {
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (strcmp(row->name, left_out[i]) == 0) {
            return true;
        }
    }
    return row->flags & OPTION_IMMUTABLE;
}

/* Requests that touch memory, deadlines, output and clients' figures. Answers may be errors, and
 * the connection may be closed. */
static void use(struct session *session) {
    static const char lines[] = "SET k 0123456789012345678901234567890123456789 PX 100\r\n"
                                "HSET h a 1 b 2\r\nSETRANGE s 5000 x\r\nGET s\r\nINFO\r\n"
                                "OBJECT FREQ k\r\nCLIENT LIST\r\nMEMORY STATS\r\nFLUSHALL\r\n";
    int fd = session_connect(session);
    /* It may have been turned away already. */
    ssize_t written = write(fd, lines, sizeof lines - 1);
    (void)written;
    for (int i = 0; i < 5; i++) {
        session->server.clock.now_ms += 150;
        session->server.clock.mono_us += 150000;
        session_pass(session);
        (void)session_read(session, fd);
    }
    close(fd);
    session_pass(session);
}

/* Sets the option at run time; whether it was taken. */
static bool change(struct session *session, const char *name, const char *value) {
    const struct bytes pair[] = {bytes_text(name), bytes_text(value)};
    const char *error = NULL;
    int which;
    return options_change(session->server.context.options, pair, 1, true, &which, &error) == 0;
}

static void try_value(struct session *session, int index, const char *value) {
    struct options *options = session->server.context.options;
    const struct option *row = options_row(options, index);
    struct buffer before;
    buffer_init(&before, MEM_OTHER);
    options_print(options, index, &before);
    if (change(session, row->name, value)) {
        use(session);
    }
    char old[256];
    assert_true(before.size < sizeof old);
    snprintf(old, sizeof old, "%s", buffer_text(&before));
    buffer_clear(&before);
    if (!change(session, row->name, old)) {
        fail_msg("%s does not take back %s", row->name, old);
    }
    int fd = session_connect(session);
    const char *answer = session_ask_on(session, fd, "PING");
    if (strcmp(answer, "+PONG\r\n") != 0) {
        fail_msg("after %s %s: %s", row->name, value, answer);
    }
    close(fd);
    session_pass(session);
}

static void test_least_and_greatest(void **state) {
    (void)state;
    struct session *session = session_start(NULL);
    const struct options *options = session->server.context.options;
    int tried = 0;
    for (int i = 0; i < options_count(options); i++) {
        const struct option *row = options_row(options, i);
        bool is_number = row->kind == OPTION_KIND_INT || row->kind == OPTION_KIND_MEMORY;
        if (!is_number || is_left_out(row)) {
            continue;
        }
        char value[32];
        snprintf(value, sizeof value, "%lld", (long long)row->least);
        try_value(session, i, value);
        snprintf(value, sizeof value, "%lld", (long long)row->most);
        try_value(session, i, value);
        if (row->flags & OPTION_PERCENT) {
            try_value(session, i, "0%");
            try_value(session, i, "100%");
        }
        tried++;
    }
    assert_true(tried > 60);
    session_end(session);
}

/* Those with a grammar of their own. */
static void test_words_at_their_bounds(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *value;
    } cases[] = {
        {"client-output-buffer-limit", "normal 0 1 9223372036854775807"},
        {"client-output-buffer-limit", "normal 0 1000000 9223372036854775807"},
        {"client-output-buffer-limit", "normal 9223372036854775807 9223372036854775807 0"},
        {"client-output-buffer-limit", "pubsub 18446744073709551615 18446744073709551615 1"},
        {"client-output-buffer-limit", "normal 1 1 0"},
        {"latency-tracking-info-percentiles", "0 100 99.99999999999999"},
        {"oom-score-adj-values", "-2000 2000 2000"},
    };
    struct session *session = session_start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int index = options_find(session->server.context.options, bytes_text(cases[i].name));
        assert_true(index >= 0);
        try_value(session, index, cases[i].value);
    }
    /* The text is what was set. */
    assert_true(change(session, "client-output-buffer-limit", cases[1].value));
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    options_print(
        session->server.context.options,
        options_find(session->server.context.options, bytes_text("client-output-buffer-limit")),
        &text);
    assert_non_null(strstr(buffer_text(&text), "normal 0 1000000 9223372036854775807"));
    buffer_clear(&text);
    session_end(session);
}

/* printf takes sizes as int: a longer text is cut, and never read beyond its end. */
static void test_sizes_for_printf(void **state) {
    (void)state;
    assert_int_equal(bytes_printed(bytes_of(NULL, 0)), 0);
    assert_int_equal(bytes_printed(bytes_of("abc", 3)), 3);
    assert_int_equal(bytes_printed(bytes_of("abc", (size_t)1 << 31)), BYTES_PRINTED_MAX);
    assert_int_equal(bytes_printed(bytes_of("abc", SIZE_MAX)), BYTES_PRINTED_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least_and_greatest),
        cmocka_unit_test(test_words_at_their_bounds),
        cmocka_unit_test(test_sizes_for_printf),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
