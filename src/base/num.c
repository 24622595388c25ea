/* num: numbers to text and back.
 *
 * Integers are on the path of every request (lengths, INCR, deadlines), so they are done by hand.
 * Floating point goes through the C library, which rounds correctly, after short cuts for what is
 * common: reading decimals short enough that one exact division gives the nearest double (Clinger
 * 1990); writing whole numbers, and others of everyday size in 128-bit integers. The process must
 * leave LC_NUMERIC at "C". */
#include "base/num.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

/* Digits of the largest unsigned 64-bit integer. */
#define U64_DIGITS 20

/* Integers below this print alike with %.17g and as integers: 17 digits at most. */
#define PLAIN_INTEGER_END 1e17

/* Digits of a double, as %.17g has them; below FIXED_LEAST it writes an exponent. */
#define SIGNIFICANT 17
#define FIXED_LEAST 1e-4

/* Long doubles below this fit an int64_t with room to spare. */
#define LONG_INTEGER_END 9e18L

/* 10^22 is the largest power of ten that a double holds exactly; 2^53 the last of the integers
 * without gaps. */
#define EXACT_POWERS 23
#define EXACT_END    ((uint64_t)1 << 53)

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Digits without sign and without leading zeros. */
static bool parse_canonical(const char *at, size_t size, uint64_t *out) {
    if (size == 0 || size > U64_DIGITS || (at[0] == '0' && size > 1)) {
        return false;
    }
    uint64_t value = 0;
    size_t safe = size < U64_DIGITS ? size : U64_DIGITS - 1; /* so many digits cannot overflow */
    for (size_t i = 0; i < safe; i++) {
        unsigned digit = (unsigned)(unsigned char)at[i] - '0';
        if (digit > 9) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (size == U64_DIGITS) {
        unsigned digit = (unsigned)(unsigned char)at[U64_DIGITS - 1] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

bool num_parse_u64(struct bytes text, uint64_t *out) {
    return parse_canonical(text.at, text.size, out);
}

bool num_parse_i64(struct bytes text, int64_t *out) {
    uint64_t value;
    if (text.size > 0 && text.at[0] == '-') {
        if (!parse_canonical(text.at + 1, text.size - 1, &value) || value == 0 ||
            value > (uint64_t)INT64_MAX + 1) {
            return false;
        }
        *out = (int64_t)(0 - value);
        return true;
    }
    if (!parse_canonical(text.at, text.size, &value) || value > INT64_MAX) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

static size_t digits_u64(uint64_t value) {
    size_t digits = 1;
    for (;;) {
        if (value < 10) {
            return digits;
        }
        if (value < 100) {
            return digits + 1;
        }
        if (value < 1000) {
            return digits + 2;
        }
        if (value < 10000) {
            return digits + 3;
        }
        value /= 10000;
        digits += 4;
    }
}

size_t num_digits_i64(int64_t value) {
    return value < 0 ? 1 + digits_u64(0 - (uint64_t)value) : digits_u64((uint64_t)value);
}

size_t num_format_u64(char *out, uint64_t value) {
    /* Two digits a division. */
    static const char pairs[] = "00010203040506070809"
                                "10111213141516171819"
                                "20212223242526272829"
                                "30313233343536373839"
                                "40414243444546474849"
                                "50515253545556575859"
                                "60616263646566676869"
                                "70717273747576777879"
                                "80818283848586878889"
                                "90919293949596979899";
    size_t size = digits_u64(value);
    char *at = out + size;
    while (value >= 100) {
        at -= 2;
        memcpy(at, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10) {
        memcpy(out, pairs + value * 2, 2);
    } else {
        out[0] = (char)('0' + value);
    }
    return size;
}

size_t num_format_i64(char *out, int64_t value) {
    if (value < 0) {
        out[0] = '-';
        return 1 + num_format_u64(out + 1, 0 - (uint64_t)value);
    }
    return num_format_u64(out, (uint64_t)value);
}

/* Eight digits at once, as pairs, fours and eights of them; false when one is none. */
static inline bool parse_eight(const char *at, uint64_t *out) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) { /* one load, on a little-endian machine */
        word |= (uint64_t)(unsigned char)at[i] << (8 * i);
    }
    uint64_t digits = word - 0x3030303030303030;
    /* A byte that is no digit has a bit of its upper half set, here or once 6 is added. */
    if (((digits | (digits + 0x0606060606060606)) & 0xf0f0f0f0f0f0f0f0) != 0) {
        return false;
    }
    digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
    digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
    *out = (digits * 10000 + (digits >> 32)) & 0xffffffff;
    return true;
}

/* Decimals without exponent of which digits and power of ten are exact as doubles, so that their
 * quotient is the nearest double. False says nothing about the text. */
static bool parse_short_decimal(struct bytes text, double *out) {
    static const double powers[EXACT_POWERS] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    };
    if (text.size > U64_DIGITS) {
        return false;
    }
    const char *at = text.at;
    const char *end = at + text.size;
    bool negative = at < end && *at == '-';
    at += negative || (at < end && *at == '+');
    uint64_t value = 0;
    size_t digits = 0;
    size_t behind = 0;
    if (end - at >= 8 && parse_eight(at, &value)) {
        at += 8;
        digits = 8;
    }
    for (; at < end && is_digit(*at) && value < EXACT_END; at++, digits++) {
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (at < end && *at == '.') {
        at++;
        for (; at < end && is_digit(*at) && value < EXACT_END; at++, digits++, behind++) {
            value = value * 10 + (uint64_t)(*at - '0');
        }
    }
    if (at != end || digits == 0 || value >= EXACT_END) {
        return false;
    }
    double result = behind == 0 ? (double)value : (double)value / powers[behind];
    *out = negative ? -result : result;
    return true;
}

/* Copies the text to where it can have a NUL behind. False for what no parser here accepts. */
static bool copy_float_text(struct bytes text, char copy[NUM_FLOAT_SIZE]) {
    if (text.size == 0 || text.size >= NUM_FLOAT_SIZE || text.at[0] == ' ' ||
        (text.at[0] >= '\t' && text.at[0] <= '\r')) {
        return false;
    }
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    return true;
}

bool num_parse_double(struct bytes text, double *out) {
    if (parse_short_decimal(text, out)) {
        return true;
    }
    char copy[NUM_FLOAT_SIZE];
    if (!copy_float_text(text, copy)) {
        return false;
    }
    char *end;
    errno = 0;
    double value = strtod(copy, &end);
    if (end != copy + text.size || isnan(value) ||
        (errno == ERANGE && (isinf(value) || value == 0))) {
        return false;
    }
    *out = value;
    return true;
}

bool num_parse_double_leniently(struct bytes text, double *out) {
    char copy[NUM_FLOAT_SIZE];
    if (text.size >= NUM_FLOAT_SIZE) {
        return false;
    }
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    char *end;
    double value = strtod(copy, &end);
    if (*end != '\0' || isnan(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool num_parse_long_double(struct bytes text, long double *out) {
    int64_t integer;
    if (num_parse_i64(text, &integer)) {
        *out = (long double)integer;
        return true;
    }
    char copy[NUM_FLOAT_SIZE];
    if (!copy_float_text(text, copy)) {
        return false;
    }
    char *end;
    errno = 0;
    long double value = strtold(copy, &end);
    if (end != copy + text.size || isnan(value) ||
        (errno == ERANGE && (isinf(value) || value == 0))) {
        return false;
    }
    *out = value;
    return true;
}

static size_t put_text(char *out, const char *text) {
    size_t size = strlen(text);
    memcpy(out, text, size);
    return size;
}

/* What %.17g gives for a number from FIXED_LEAST to PLAIN_INTEGER_END that is not whole: digits
 * without exponent. The number is mantissa * 2^-shift; its 17 digits are that times a power of ten,
 * rounded, all in integers of 128 bits, so that the result is exact. */
static size_t format_fixed(char *out, double value) {
    static const uint64_t tens[] = {
        1,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
    };
    static const int tens_last = sizeof tens / sizeof *tens - 1;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned shift = 1075 - (unsigned)(bits >> 52);
    uint64_t mantissa = (bits & ((1ULL << 52) - 1)) | 1ULL << 52;
    /* The power of ten of the first digit: the logarithm by the power of two, which may be one too
     * small. 1233 / 4096 is just below log10(2). */
    int power = ((52 - (int)shift) * 1233) >> 12;
    uint64_t digits;
    for (;; power++) {
        int scale = SIGNIFICANT - 1 - power;
        unsigned __int128 product = mantissa;
        if (scale > tens_last) {
            product *= tens[scale - tens_last];
            scale = tens_last;
        }
        product *= tens[scale];
        unsigned __int128 rest = product & (((unsigned __int128)1 << shift) - 1);
        unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
        digits = (uint64_t)(product >> shift);
        digits += rest > half || (rest == half && (digits & 1) != 0);
        if (digits < tens[SIGNIFICANT]) {
            break;
        }
    }
    char text[SIGNIFICANT];
    num_format_u64(text, digits);
    int count = SIGNIFICANT;
    while (text[count - 1] == '0') {
        count--;
    }
    char *at = out;
    if (power < 0) {
        memcpy(at, "0.000", 5);
        at += 1 - power;
        memcpy(at, text, (size_t)count);
        return (size_t)(at + count - out);
    }
    int whole = power + 1;
    memcpy(at, text, (size_t)whole);
    at += whole;
    *at++ = '.';
    memcpy(at, text + whole, (size_t)(count - whole));
    return (size_t)(at + count - whole - out);
}

size_t num_format_double(char *out, double value) {
    if (value > -PLAIN_INTEGER_END && value < PLAIN_INTEGER_END) {
        int64_t integer = (int64_t)value;
        if ((double)integer == value && (integer != 0 || !signbit(value))) {
            return num_format_i64(out, integer);
        }
    }
    if (isnan(value)) {
        return put_text(out, "nan");
    }
    double size = fabs(value);
    if (LIKELY(size >= FIXED_LEAST && size < PLAIN_INTEGER_END)) {
        out[0] = '-';
        return (value < 0) + format_fixed(out + (value < 0), size);
    }
    return (size_t)snprintf(out, NUM_FLOAT_SIZE, "%.17g", value);
}

size_t num_format_long_double(char *out, long double value) {
    if (isnan(value)) {
        return put_text(out, "nan");
    }
    if (isinf(value)) {
        return put_text(out, value > 0 ? "inf" : "-inf");
    }
    if (value > -LONG_INTEGER_END && value < LONG_INTEGER_END) {
        int64_t integer = (int64_t)value;
        if ((long double)integer == value) {
            return num_format_i64(out, integer);
        }
    }
    size_t size = (size_t)snprintf(out, NUM_FLOAT_SIZE, "%.17Lf", value);
    while (out[size - 1] == '0') {
        size--;
    }
    if (out[size - 1] == '.') {
        size--;
    }
    if (size == 2 && out[0] == '-' && out[1] == '0') {
        return put_text(out, "0");
    }
    return size;
}

bool num_parse_memory(struct bytes text, uint64_t *out) {
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        {"", 1},           {"b", 1},
        {"k", 1000},       {"kb", 1024},
        {"m", 1000000},    {"mb", 1024 * 1024},
        {"g", 1000000000}, {"gb", 1024 * 1024 * 1024},
    };
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < text.size && is_digit(text.at[digits])) {
        uint64_t digit = (uint64_t)(text.at[digits] - '0');
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
        digits++;
    }
    if (digits == 0) {
        return false;
    }
    struct bytes unit = bytes_of(text.at + digits, text.size - digits);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (bytes_is(unit, units[i].name)) {
            return !__builtin_mul_overflow(value, units[i].bytes, out);
        }
    }
    return false;
}

void num_format_memory(char *out, uint64_t bytes) {
    static const char *const units[] = {"", "kb", "mb", "gb"};
    int unit = 0;
    while (unit < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, 24, "%llu%s", (unsigned long long)bytes, units[unit]);
}

void num_format_human(char *out, uint64_t bytes) {
    static const char units[] = "KMGTP";
    if (bytes < 1024) {
        snprintf(out, 32, "%lluB", (unsigned long long)bytes);
        return;
    }
    int unit = 0;
    double value = (double)bytes / 1024;
    while (bytes >> (10 * (unit + 2)) != 0 && units[unit + 1] != '\0') {
        value /= 1024;
        unit++;
    }
    snprintf(out, 32, "%.2f%c", value, units[unit]);
}
