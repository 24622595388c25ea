/* Tests of types/hll: both forms against a plain array of registers, through every size; what is
 * written is read back; estimates are near; bytes from anywhere are read within their bounds. */
#include "types/hll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static uint8_t model[HLL_REGISTERS];
static uint8_t registers[HLL_REGISTERS];
static char dense[HLL_SPARSE_SIZE_MAX];
static char written[HLL_SPARSE_SIZE_MAX];
static struct hll_sparse sparse;
static struct random source;

static int setup(void **state) {
    (void)state;
    random_init(&source, 7);
    memset(model, 0, sizeof model);
    sparse.size = hll_new(sparse.bytes);
    assert_int_equal(hll_write(model, 0, NULL, dense), HLL_DENSE_SIZE);
    return 0;
}

static void expect_model(struct bytes value) {
    assert_true(hll_is_valid(value));
    assert_int_equal(hll_read(value, registers), HLL_UNCHANGED);
    assert_memory_equal(registers, model, sizeof model);
}

static struct bytes sparse_value(void) {
    return bytes_of(sparse.bytes, sparse.size);
}

/* Low ranks are frequent, as among hashes; places are close together now and then, so that runs are
 * split at their ends and joined. */
static struct hll_place some_place(void) {
    static uint32_t near;
    uint32_t index = (uint32_t)random_below(&source, HLL_REGISTERS);
    if (random_below(&source, 2) == 0) {
        index = (near + (uint32_t)random_below(&source, 4)) % HLL_REGISTERS;
    }
    near = index;
    uint8_t rank = 1;
    while (rank < HLL_SPARSE_RANK_MAX && random_below(&source, 2) == 0) {
        rank++;
    }
    return (struct hll_place){.index = index, .rank = rank};
}

static void test_against_model(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct hll_place place = some_place();
        bool raises = model[place.index] < place.rank;
        enum hll_status expected = raises ? HLL_CHANGED : HLL_UNCHANGED;
        assert_int_equal(hll_sparse_raise(&sparse, place, HLL_SPARSE_SIZE_MAX), expected);
        assert_int_equal(hll_dense_raise(dense, place), expected);
        model[place.index] = raises ? place.rank : model[place.index];
        if (i % 50 == 0) {
            expect_model(sparse_value());
            expect_model(bytes_of(dense, HLL_DENSE_SIZE));
            size_t size = hll_write(model, SIZE_MAX, NULL, written);
            assert_in_range(size, HLL_HEADER_SIZE + 2, sparse.size);
            expect_model(bytes_of(written, size));
            assert_true(hll_is_sparse(bytes_of(written, size)));
        }
    }
}

static void test_limits(void **state) {
    (void)state;
    struct hll_place high = {.index = 3, .rank = HLL_SPARSE_RANK_MAX + 1};
    assert_int_equal(hll_sparse_raise(&sparse, high, HLL_SPARSE_SIZE_MAX), HLL_TOO_LARGE);
    struct hll_place low = {.index = 3, .rank = 1};
    assert_int_equal(hll_sparse_raise(&sparse, low, sparse.size + 1), HLL_TOO_LARGE);
    expect_model(sparse_value());
    assert_int_equal(hll_sparse_raise(&sparse, low, sparse.size + 2), HLL_CHANGED);
    model[3] = HLL_RANK_MAX;
    assert_int_equal(hll_write(model, SIZE_MAX, NULL, written), HLL_DENSE_SIZE);
    expect_model(bytes_of(written, HLL_DENSE_SIZE));
    model[3] = 1;
    size_t size = hll_write(model, SIZE_MAX, NULL, written);
    assert_int_equal(hll_write(model, size, NULL, written), size);
    assert_int_equal(hll_write(model, size - 1, NULL, written), HLL_DENSE_SIZE);
}

static void test_the_first_and_the_last_register(void **state) {
    (void)state;
    const uint32_t places[] = {0, HLL_REGISTERS - 1, 1, HLL_REGISTERS - 2, 64, 65};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct hll_place place = {.index = places[i], .rank = HLL_SPARSE_RANK_MAX};
        model[place.index] = place.rank;
        assert_int_equal(hll_sparse_raise(&sparse, place, HLL_SPARSE_SIZE_MAX), HLL_CHANGED);
        assert_int_equal(hll_dense_raise(dense, place), HLL_CHANGED);
        expect_model(sparse_value());
        expect_model(bytes_of(dense, HLL_DENSE_SIZE));
    }
}

static void test_cardinality_is_remembered(void **state) {
    (void)state;
    uint64_t cardinality;
    assert_true(hll_remembered(sparse_value(), &cardinality));
    assert_int_equal(cardinality, 0);
    hll_remember(sparse.bytes, 0x123456789abcdef);
    assert_true(hll_remembered(sparse_value(), &cardinality));
    assert_int_equal(cardinality, 0x123456789abcdef);
    size_t size = hll_write(model, 0, sparse.bytes, written);
    assert_true(hll_remembered(bytes_of(written, size), &cardinality));
    assert_int_equal(cardinality, 0x123456789abcdef);
    hll_sparse_raise(&sparse, (struct hll_place){.index = 9, .rank = 2}, HLL_SPARSE_SIZE_MAX);
    assert_false(hll_remembered(sparse_value(), &cardinality));
}

/* Four standard errors, and never more than that: the elements are always the same. */
static void test_estimates(void **state) {
    (void)state;
    for (uint64_t i = 1; i <= 300000; i++) {
        struct hll_place place = hll_place_of(bytes_of((const char *)&i, sizeof i));
        assert_in_range(place.rank, 1, HLL_RANK_MAX);
        assert_in_range(place.index, 0, HLL_REGISTERS - 1);
        hll_dense_raise(dense, place);
        if ((i & (i - 1)) == 0 || i % 50000 == 0) {
            hll_read(bytes_of(dense, HLL_DENSE_SIZE), registers);
            double off = (double)hll_estimate(registers) - (double)i;
            double allowed = 0.0325 * (double)i + 1;
            assert_true(off <= allowed && off >= -allowed);
        }
    }
    memset(registers, 0, sizeof registers);
    assert_int_equal(hll_estimate(registers), 0);
}

/* Bytes after a good header, in an allocation of just their size: the sanitizer sees what is read
 * beyond. */
static void test_any_bytes(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t size = HLL_HEADER_SIZE + (size_t)random_below(&source, 300);
        char *bytes = malloc(size);
        assert_non_null(bytes);
        hll_new(written);
        memcpy(bytes, written, HLL_HEADER_SIZE);
        for (size_t k = HLL_HEADER_SIZE; k < size; k++) {
            bytes[k] = random_below(&source, 3) == 0 ? 0x7f : (char)random_below(&source, 256);
        }
        struct bytes value = bytes_of(bytes, size);
        assert_true(hll_is_valid(value));
        hll_read(value, registers);
        if (hll_sparse_load(&sparse, value)) {
            hll_sparse_raise(&sparse, some_place(), (size_t)random_below(&source, 1000));
        }
        free(bytes);
    }
    assert_false(hll_is_valid(bytes_text("HYLL")));
    assert_false(hll_is_valid(bytes_of("HYLM\1\0\0\0\0\0\0\0\0\0\0\0", 16)));
    assert_false(hll_is_valid(bytes_of("HYLL\2\0\0\0\0\0\0\0\0\0\0\0", 16)));
    assert_false(hll_is_valid(bytes_of("HYLL\0\0\0\0\0\0\0\0\0\0\0\0", 16)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_against_model, setup),
        cmocka_unit_test_setup(test_limits, setup),
        cmocka_unit_test_setup(test_the_first_and_the_last_register, setup),
        cmocka_unit_test_setup(test_cardinality_is_remembered, setup),
        cmocka_unit_test_setup(test_estimates, setup),
        cmocka_unit_test_setup(test_any_bytes, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
