/* Tests of call/unparse.c: what comes out is parsed as what went in: requests with any bytes, and
 * every fault. */
#include "call/unparse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct request_limits usual = {.bulk_max = 1024 * 1024};
static const struct request_limits strange = {.bulk_max = 1024 * 1024, .stranger = true};

static void test_calls(void **state) {
    (void)state;
    const struct bytes args[] = {bytes_of("SET", 3), bytes_of("", 0), bytes_of("\0\r\n$1\r\n", 7)};
    struct buffer out;
    buffer_init(&out, MEM_BUFFER);
    unparse_call(&out, args, 3);
    unparse_call(&out, args, 1);
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$7\r\n\0\r\n$1\r\n\r\n"
                                   "*1\r\n$3\r\nSET\r\n";
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.at, expected, sizeof expected - 1);
    buffer_clear(&out);
}

static void expect_fault(enum request_error error, char got, const struct request_limits *limits) {
    struct buffer out;
    buffer_init(&out, MEM_BUFFER);
    unparse_fault(&out, error, got);
    struct bytes args[4];
    struct request_state parsing;
    request_begin(&parsing, 0);
    assert_int_equal(request_parse(&parsing, out.at, out.size, limits, args, 4), REQUEST_ERROR);
    assert_int_equal(parsing.error, error);
    if (error == REQUEST_EXPECTED_BULK) {
        assert_int_equal(parsing.got, got);
    }
    buffer_clear(&out);
}

static void test_faults(void **state) {
    (void)state;
    for (int error = REQUEST_BAD_COUNT; error <= REQUEST_NUL_INLINE; error++) {
        expect_fault((enum request_error)error, 'x', &strange);
        if (error != REQUEST_STRANGER_COUNT && error != REQUEST_STRANGER_BULK) {
            expect_fault((enum request_error)error, 'x', &usual);
        }
    }
    for (int got = 0; got < 256; got++) {
        if (got != '$') {
            expect_fault(REQUEST_EXPECTED_BULK, (char)got, &usual);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
