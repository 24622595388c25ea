/* Tests of types/bits against bit-by-bit models, at every alignment and length that matters. */
#include "types/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t seed = 1;

static uint64_t draw(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Runs of zeros and ones are what searches stumble over. */
static void fill(char *at, size_t size) {
    uint64_t kind = draw() % 4;
    for (size_t i = 0; i < size; i++) {
        at[i] = (char)(kind == 0 ? 0 : kind == 1 ? 0xFF : draw());
    }
    if (size > 0 && kind < 2) {
        at[draw() % size] ^= (char)(1u << draw() % 8);
    }
}

static bool bit_of(const char *at, size_t size, uint64_t bit) {
    return bit / 8 < size && ((uint8_t)at[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

static void test_count_and_find_agree_with_the_model(void **state) {
    (void)state;
    char bytes[80];
    for (int round = 0; round < 3000; round++) {
        size_t size = 1 + draw() % sizeof bytes;
        /* At the memory's end, so that a sanitizer sees a read too far. */
        char *at = bytes + sizeof bytes - size;
        fill(at, size);
        uint64_t first = draw() % (8 * size);
        uint64_t last = first + draw() % (8 * size - first);
        uint64_t all = 0;
        uint64_t within = 0;
        int64_t found[2] = {-1, -1};
        for (uint64_t bit = 0; bit < 8 * size; bit++) {
            bool value = bit_of(at, size, bit);
            all += value;
            if (bit >= first && bit <= last) {
                within += value;
                found[value] = found[value] == -1 ? (int64_t)bit : found[value];
            }
        }
        struct bytes text = bytes_of(at, size);
        assert_int_equal(bits_count(text), all);
        assert_int_equal(bits_count_range(text, first, last), within);
        assert_int_equal(bits_find(text, first, last, false), found[0]);
        assert_int_equal(bits_find(text, first, last, true), found[1]);
    }
    assert_int_equal(bits_count(bytes_of("", 0)), 0);
}

static void test_fields_are_read_and_written(void **state) {
    (void)state;
    char bytes[24];
    char copy[24];
    for (int round = 0; round < 20000; round++) {
        fill(bytes, sizeof bytes);
        memcpy(copy, bytes, sizeof bytes);
        unsigned width = 1 + (unsigned)(draw() % 64);
        uint64_t at = draw() % (8 * sizeof bytes);
        uint64_t expected = 0;
        for (uint64_t i = 0; i < width; i++) {
            expected = expected << 1 | bit_of(bytes, sizeof bytes, at + i);
        }
        assert_int_equal(bits_field(bytes_of(bytes, sizeof bytes), at, width), expected);
        if (at + width > 8 * sizeof bytes) {
            continue;
        }
        uint64_t value = draw();
        bits_set_field(bytes, at, width, value);
        uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
        assert_int_equal(bits_field(bytes_of(bytes, sizeof bytes), at, width), value & mask);
        for (uint64_t bit = 0; bit < 8 * sizeof bytes; bit++) {
            if (bit < at || bit >= at + width) {
                assert_int_equal(bit_of(bytes, sizeof bytes, bit), bit_of(copy, sizeof copy, bit));
            }
        }
    }
    assert_int_equal(bits_field(bytes_of("", 0), 1000, 64), 0);
}

static bool model(enum bits_operation operation, const bool *values, size_t count) {
    size_t set = 0;
    for (size_t i = 0; i < count; i++) {
        set += values[i];
    }
    bool others = set - values[0] > 0;
    switch (operation) {
    case BITS_AND:
        return set == count;
    case BITS_OR:
        return set > 0;
    case BITS_XOR:
        return set % 2 == 1;
    case BITS_NOT:
        return !values[0];
    case BITS_DIFF:
        return values[0] && !others;
    case BITS_DIFF1:
        return !values[0] && others;
    case BITS_ANDOR:
        return values[0] && others;
    case BITS_ONE:
        return set == 1;
    }
    return false;
}

#define SOURCES_MAX 5

static void combine_once(enum bits_operation operation, size_t size_max) {
    static char texts[SOURCES_MAX][9000];
    static char out[9000];
    struct bytes sources[SOURCES_MAX];
    size_t count = operation == BITS_NOT ? 1 : 1 + draw() % SOURCES_MAX;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = draw() % (size_max + 1);
        fill(texts[i], length);
        sources[i] = bytes_of(length > 0 ? texts[i] : NULL, length);
        size = length > size ? length : size;
    }
    out[size] = 'x';
    bits_combine(operation, sources, count, out, size);
    assert_int_equal(out[size], 'x');
    for (uint64_t bit = 0; bit < 8 * size; bit++) {
        bool values[SOURCES_MAX];
        for (size_t i = 0; i < count; i++) {
            values[i] = bit_of(sources[i].at, sources[i].size, bit);
        }
        assert_int_equal(bit_of(out, size, bit), model(operation, values, count));
    }
}

static void test_combinations_agree_with_the_model(void **state) {
    (void)state;
    for (int operation = BITS_AND; operation <= BITS_ONE; operation++) {
        for (int round = 0; round < 100; round++) {
            combine_once((enum bits_operation)operation, 40);
        }
        /* Several blocks, the last one not whole. */
        for (int round = 0; round < 5; round++) {
            combine_once((enum bits_operation)operation, 8999);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_and_find_agree_with_the_model),
        cmocka_unit_test(test_fields_are_read_and_written),
        cmocka_unit_test(test_combinations_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
