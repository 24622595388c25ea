/* Tests of proto/resp.h: headers and bulks byte for byte, also at the borders of the short
 * forms. */
#include "proto/resp.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect_header(char type, int64_t number) {
    char expected[64];
    int size = snprintf(expected, sizeof expected, "%c%" PRId64 "\r\n", type, number);
    char out[RESP_HEADER_SIZE + 1];
    memset(out, '#', sizeof out);
    char *end = resp_header(out, type, number);
    assert_int_equal(end - out, size);
    assert_memory_equal(out, expected, (size_t)size);
    assert_int_equal(out[RESP_HEADER_SIZE], '#');
}

static void test_headers(void **state) {
    (void)state;
    for (int64_t number = -120; number <= 1200; number++) {
        expect_header(':', number);
    }
    static const int64_t numbers[] = {9999,      10000,     INT32_MAX, INT32_MIN,
                                      INT64_MAX, INT64_MIN, 99999999,  1000000000000};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        expect_header(':', numbers[i]);
        expect_header('$', numbers[i]);
    }
    expect_header('*', 3);
}

static void expect_bulk(struct bytes text, const char *expected, size_t size) {
    char out[256];
    memset(out, '#', sizeof out);
    char *end = resp_bulk(out, text);
    assert_int_equal(end - out, size);
    assert_memory_equal(out, expected, size);
    assert_int_equal(*end, '#');
}

static void test_bulks(void **state) {
    (void)state;
    expect_bulk(bytes_of("", 0), "$0\r\n\r\n", 6);
    expect_bulk(bytes_of("k", 1), "$1\r\nk\r\n", 7);
    expect_bulk(bytes_of("\0\r\n", 3), "$3\r\n\0\r\n\r\n", 9);
    char hundred[100];
    memset(hundred, 'v', sizeof hundred);
    char expected[110] = "$100\r\n";
    memcpy(expected + 6, hundred, 100);
    memcpy(expected + 106, "\r\n", 2);
    expect_bulk(bytes_of(hundred, 100), expected, 108);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_bulks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
