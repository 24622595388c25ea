/* Tests of base/num. Formats and refusals were compared with what redis-server 7.0 answers to
 * INCRBY, ZADD, INCRBYFLOAT and CONFIG SET. */
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <float.h>

#include "base/random.h"

static bool parses_i64(const char *text, int64_t expected) {
    int64_t value = 77;
    return num_parse_i64(bytes_text(text), &value) && value == expected;
}

static bool refuses_i64(const char *text) {
    int64_t value;
    return !num_parse_i64(bytes_text(text), &value);
}

static void test_parse_i64(void **state) {
    (void)state;
    assert_true(parses_i64("0", 0));
    assert_true(parses_i64("7", 7));
    assert_true(parses_i64("-1", -1));
    assert_true(parses_i64("1234567890123456789", 1234567890123456789));
    assert_true(parses_i64("9223372036854775807", INT64_MAX));
    assert_true(parses_i64("-9223372036854775808", INT64_MIN));
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "-0",
                                      "00",
                                      "01",
                                      "-01",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "a",
                                      "1a",
                                      "--1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "100000000000000000000",
                                      "1/",
                                      "1:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(refuses_i64(bad[i]));
    }
    int64_t value;
    assert_false(num_parse_i64(bytes_of("1\0", 2), &value));
    assert_false(num_parse_i64(bytes_of("1\r\n", 3), &value));
    assert_true(num_parse_i64(bytes_of("12345", 3), &value));
    assert_int_equal(value, 123);
    assert_false(num_parse_i64(bytes_of(NULL, 0), &value));
}

static void test_parse_u64(void **state) {
    (void)state;
    uint64_t value;
    assert_true(num_parse_u64(bytes_text("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(num_parse_u64(bytes_text("0"), &value));
    assert_true(value == 0);
    assert_false(num_parse_u64(bytes_text("18446744073709551616"), &value));
    assert_false(num_parse_u64(bytes_text("18446744073709551620"), &value));
    assert_false(num_parse_u64(bytes_text("20000000000000000000"), &value));
    assert_false(num_parse_u64(bytes_text("-1"), &value));
    assert_false(num_parse_u64(bytes_text("01"), &value));
    assert_false(num_parse_u64(bytes_text(""), &value));
}

/* Formats, compares with printf, counts digits and parses back. */
static void check_i64(int64_t value) {
    char expected[32];
    int size = snprintf(expected, sizeof expected, "%" PRId64, value);
    char text[NUM_I64_SIZE];
    assert_int_equal(num_format_i64(text, value), size);
    assert_memory_equal(text, expected, size);
    assert_int_equal(num_digits_i64(value), size);
    int64_t back;
    assert_true(num_parse_i64(bytes_of(text, (size_t)size), &back));
    assert_true(back == value);
}

static void test_format_integers(void **state) {
    (void)state;
    check_i64(0);
    check_i64(INT64_MAX);
    check_i64(INT64_MIN);
    for (int64_t power = 1; power <= 1000000000000000000; power *= 10) {
        for (int64_t near = -1; near <= 1; near++) {
            check_i64(power + near);
            check_i64(-power + near);
            check_i64(power * 7 + near);
        }
        if (power == 1000000000000000000) {
            break;
        }
    }
    char text[NUM_I64_SIZE];
    assert_int_equal(num_format_u64(text, UINT64_MAX), 20);
    assert_memory_equal(text, "18446744073709551615", 20);
}

static bool parses_double(const char *text, double expected) {
    double value = 77;
    return num_parse_double(bytes_text(text), &value) && value == expected &&
           signbit(value) == signbit(expected);
}

static void test_parse_double(void **state) {
    (void)state;
    assert_true(parses_double("0", 0));
    assert_true(parses_double("-0", -0.0));
    assert_true(parses_double("3.14", 3.14));
    assert_true(parses_double("-0.1", -0.1));
    assert_true(parses_double("+5", 5));
    assert_true(parses_double(".5", 0.5));
    assert_true(parses_double("5.", 5));
    assert_true(parses_double("3.0e3", 3000));
    assert_true(parses_double("0x10", 16));
    assert_true(parses_double("0x1p3", 8));
    assert_true(parses_double("inf", INFINITY));
    assert_true(parses_double("+INF", INFINITY));
    assert_true(parses_double("-infinity", -INFINITY));
    assert_true(parses_double("9007199254740993", 9007199254740992.0));
    assert_true(parses_double("9007199254740991", 9007199254740991.0));
    assert_true(parses_double("1.7976931348623157e308", 1.7976931348623157e308));
    assert_true(parses_double("4.9e-324", 4.9406564584124654e-324));
    assert_true(parses_double("0.000000000000000001", 1e-18));
    assert_true(parses_double("1.0000000000000000000000001", 1));
    static const char *const bad[] = {"",   " 1",  "1 ",   "\t1",   "nan",    "-nan", "nan(12)",
                                      "1e", "1_",  "1d",   "1e400", "-1e400", ".",    "-",
                                      "+",  "-.",  "1..2", "1.2.3", "1e-400", "abc",  "infinit",
                                      "0x", "--1", "1,5",  "\v1",   "1\n"};
    double value;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(num_parse_double(bytes_text(bad[i]), &value));
    }
    assert_false(num_parse_double(bytes_of("1\0", 2), &value));
    assert_false(num_parse_double(bytes_of("1e1\0", 4), &value));
    assert_false(num_parse_double(bytes_of(NULL, 0), &value));
    assert_true(num_parse_double(bytes_of("1.55", 3), &value));
    assert_true(value == 1.5);
}

/* The short cut for decimals must round as the C library does. */
static void test_parse_double_rounds_right(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252ULL;
    for (int i = 0; i < 100000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        char text[40];
        snprintf(text, sizeof text, "%s%" PRIu64, seed & 1 ? "-" : "", (seed >> 1) >> (i % 60));
        size_t size = strlen(text);
        size_t point = 1 + (size_t)i % size;
        memmove(text + point + 1, text + point, size - point + 1);
        text[point] = '.';
        assert_true(parses_double(text, strtod(text, NULL)));
    }
}

static void test_parse_double_is_bounded(void **state) {
    (void)state;
    static char digits[NUM_FLOAT_SIZE + 1];
    memset(digits, '0', sizeof digits);
    digits[NUM_FLOAT_SIZE - 2] = '3';
    double value;
    long double long_value;
    assert_true(num_parse_double(bytes_of(digits, NUM_FLOAT_SIZE - 1), &value));
    assert_true(value == 3);
    assert_true(num_parse_long_double(bytes_of(digits, NUM_FLOAT_SIZE - 1), &long_value));
    assert_true(long_value == 3);
    assert_false(num_parse_double(bytes_of(digits, NUM_FLOAT_SIZE), &value));
    assert_false(num_parse_long_double(bytes_of(digits, NUM_FLOAT_SIZE), &long_value));
}

static const char *double_text(double value) {
    static char text[NUM_FLOAT_SIZE + 1];
    text[num_format_double(text, value)] = '\0';
    return text;
}

static void test_format_double(void **state) {
    (void)state;
    assert_string_equal(double_text(0), "0");
    assert_string_equal(double_text(-0.0), "-0");
    assert_string_equal(double_text(3000), "3000");
    assert_string_equal(double_text(3.14), "3.1400000000000001");
    assert_string_equal(double_text(0.5), "0.5");
    assert_string_equal(double_text(-1.5), "-1.5");
    assert_string_equal(double_text(1e16), "10000000000000000");
    assert_string_equal(double_text(-99999999999999984.0), "-99999999999999984");
    assert_string_equal(double_text(1e17), "1e+17");
    assert_string_equal(double_text(-1e17), "-1e+17");
    assert_string_equal(double_text(123456789012345678.0), "1.2345678901234568e+17");
    assert_string_equal(double_text(9007199254740992.0), "9007199254740992");
    assert_string_equal(double_text(1e-5), "1.0000000000000001e-05");
    assert_string_equal(double_text(1.7976931348623157e308), "1.7976931348623157e+308");
    assert_string_equal(double_text(4.9e-324), "4.9406564584124654e-324");
    assert_string_equal(double_text(INFINITY), "inf");
    assert_string_equal(double_text(-INFINITY), "-inf");
    assert_string_equal(double_text(NAN), "nan");
    assert_string_equal(double_text(-NAN), "nan");
    char expected[40];
    for (double value = 1; value < 1e20; value *= 3) {
        snprintf(expected, sizeof expected, "%.17g", value);
        assert_string_equal(double_text(value), expected);
        snprintf(expected, sizeof expected, "%.17g", -1 / value);
        assert_string_equal(double_text(-1 / value), expected);
    }
}

static void assert_as_printf(double value) {
    char expected[64];
    snprintf(expected, sizeof expected, "%.17g", value);
    assert_string_equal(double_text(value), expected);
}

/* Numbers of every size, decimals of few digits, neighbours of powers of ten and of two, and such
 * that end in the middle between two texts. */
static void test_format_double_as_printf(void **state) {
    (void)state;
    struct random random;
    random_init(&random, 9);
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = random_next(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isnan(value)) {
            assert_as_printf(value);
        }
        value = ldexp((double)(bits >> 11), (int)(bits % 90) - 80);
        assert_as_printf(i % 2 == 0 ? value : -value);
        assert_as_printf((double)(bits % 100000000) / pow(10, (double)(bits >> 60)));
        assert_as_printf(ldexp((double)(bits & 0xffff), -(int)(bits >> 58)));
    }
    for (int power = -30; power <= 30; power++) {
        double value = pow(10, power);
        assert_as_printf(value);
        assert_as_printf(nextafter(value, 0));
        assert_as_printf(nextafter(value, INFINITY));
        value = ldexp(1, power * 2);
        assert_as_printf(nextafter(value, 0));
        assert_as_printf(nextafter(value, INFINITY));
    }
}

static void test_parse_double_leniently(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"", 0},      {" 1.5", 1.5},     {"1e999", INFINITY},      {"-1e999", -INFINITY},
                 {"0x10", 16}, {"inf", INFINITY}, {"-infinity", -INFINITY}, {"1e-999", 0},
                 {"+3", 3}};
    double value;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(num_parse_double_leniently(bytes_text(cases[i].text), &value));
        assert_true(value == cases[i].value);
    }
    assert_true(num_parse_double_leniently(bytes_of("7\0x", 3), &value));
    assert_true(value == 7);
    static const char *const refused[] = {"nan", "x", "1x", "1 ", "--1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_false(num_parse_double_leniently(bytes_text(refused[i]), &value));
    }
    char digits[NUM_FLOAT_SIZE];
    memset(digits, '1', sizeof digits);
    assert_false(num_parse_double_leniently(bytes_of(digits, sizeof digits), &value));
    assert_true(num_parse_double_leniently(bytes_of(digits, sizeof digits - 1), &value));
}

/* INCRBYFLOAT: what `SET key a` and `INCRBYFLOAT key b` answer. */
static const char *sum(const char *a, const char *b) {
    static char text[NUM_FLOAT_SIZE + 1];
    long double x;
    long double y;
    if (!num_parse_long_double(bytes_text(a), &x) || !num_parse_long_double(bytes_text(b), &y)) {
        return "refused";
    }
    text[num_format_long_double(text, x + y)] = '\0';
    return text;
}

static void test_long_double(void **state) {
    (void)state;
    assert_string_equal(sum("0", "3.0e3"), "3000");
    assert_string_equal(sum("1", "0.1"), "1.1");
    assert_string_equal(sum("10.50", "0.1"), "10.6");
    assert_string_equal(sum("0.1", "0.2"), "0.3");
    assert_string_equal(sum("3", "1.1"), "4.1");
    assert_string_equal(sum("-0.0", "-0.0"), "0");
    assert_string_equal(sum("0", "-1e-18"), "0");
    assert_string_equal(sum("0", "1e-17"), "0.00000000000000001");
    /* x86's type has 64 bits of precision, arm64's 113. */
    assert_string_equal(sum("1e20", "1"),
                        LDBL_MANT_DIG == 64 ? "100000000000000000000" : "100000000000000000001");
    assert_string_equal(sum("1", "0x10"), "17");
    assert_string_equal(sum("0", "3.6e-4950"), "0");
    assert_string_equal(sum("9223372036854775807", "1"), "9223372036854775808");
    assert_string_equal(sum("-9223372036854775808", "0"), "-9223372036854775808");
    assert_string_equal(sum("0", "inf"), "inf");
    assert_string_equal(sum("0", "-inf"), "-inf");
    assert_string_equal(sum("inf", "-inf"), "nan");
    assert_string_equal(sum("1", "1e-5000"), "refused");
    assert_string_equal(sum("1", "1e5000"), "refused");
    assert_string_equal(sum("", "1"), "refused");
    assert_string_equal(sum(" 1", "1"), "refused");
    assert_string_equal(sum("1", "1 "), "refused");
    assert_string_equal(sum("1", "nan"), "refused");
    assert_int_equal(strlen(sum("0", "1.1e4931")), 4932);
    assert_int_equal(strlen(sum("0", "-1.1e4932")), 4934);
    long double value;
    assert_false(num_parse_long_double(bytes_of("1\0", 2), &value));
}

static void test_parse_memory(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"100", 100},
        {"01", 1},
        {"1b", 1},
        {"1k", 1000},
        {"1K", 1000},
        {"1kb", 1024},
        {"1KB", 1024},
        {"2m", 2000000},
        {"2mB", 2097152},
        {"3g", 3000000000},
        {"3gb", 3221225472},
        {"18446744073709551615", UINT64_MAX},
        {"17179869183gb", 18446744072635809792ULL},
    };
    static const char *const bad[] = {"",
                                      "-1",
                                      "k",
                                      "1.5gb",
                                      "1tb",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "10%",
                                      "1kk",
                                      "abc",
                                      "18446744073709551616",
                                      "17179869184gb",
                                      "1k b"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(num_parse_memory(bytes_text(good[i].text), &bytes));
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(num_parse_memory(bytes_text(bad[i]), &bytes));
    }
    assert_false(num_parse_memory(bytes_of("1\0", 2), &bytes));
}

static void test_format_human(void **state) {
    (void)state;
    char text[32];
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0B"},
        {1023, "1023B"},
        {1024, "1.00K"},
        {1373634, "1.31M"},
        {(uint64_t)1 << 30, "1.00G"},
        {(uint64_t)3 << 39, "1.50T"},
        {(uint64_t)5 << 50, "5.00P"},
        {UINT64_MAX, "16384.00P"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        num_format_human(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_memory_as_people_write_it(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0"},
                 {1, "1"},
                 {1000, "1000"},
                 {1024, "1kb"},
                 {1536, "1536"},
                 {(uint64_t)256 << 20, "256mb"},
                 {(uint64_t)1 << 30, "1gb"},
                 {(uint64_t)3000 << 30, "3000gb"},
                 {INT64_MAX, "9223372036854775807"},
                 {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[24];
        uint64_t back;
        num_format_memory(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
        assert_true(num_parse_memory(bytes_text(text), &back));
        assert_true(back == cases[i].bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_as_people_write_it),
        cmocka_unit_test(test_parse_i64),
        cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_format_integers),
        cmocka_unit_test(test_parse_double),
        cmocka_unit_test(test_parse_double_rounds_right),
        cmocka_unit_test(test_parse_double_is_bounded),
        cmocka_unit_test(test_format_double),
        cmocka_unit_test(test_format_double_as_printf),
        cmocka_unit_test(test_parse_double_leniently),
        cmocka_unit_test(test_long_double),
        cmocka_unit_test(test_parse_memory),
        cmocka_unit_test(test_format_human),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
