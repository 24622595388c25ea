/* Tests of ds/blob: content, references from several threads, growth, and memory that fails. */
#include "ds/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_new_is_empty_and_fills_its_class(void **state) {
    (void)state;
    static const size_t capacities[] = {0, 1, 8, 9, 40, 104, 105, 1000, 1001, 65536, 1000003};
    size_t before = mem_used_by(MEM_DATA);
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        struct blob *blob = blob_try_new(capacities[i]);
        assert_non_null(blob);
        assert_int_equal(blob->size, 0);
        assert_true(blob_capacity(blob) >= capacities[i]);
        assert_int_equal(mem_class(sizeof *blob + blob_capacity(blob)),
                         sizeof *blob + blob_capacity(blob));
        assert_int_equal(mem_used_by(MEM_DATA) - before, blob_footprint(blob));
        memset(blob->bytes, 0xAB, blob_capacity(blob));
        assert_false(blob_is_shared(blob));
        blob_release(blob);
        assert_int_equal(mem_used_by(MEM_DATA), before);
    }
}

static void test_copy_holds_any_byte(void **state) {
    (void)state;
    const char content[] = "a\0b\r\n\xff";
    struct blob *blob = blob_try_copy(bytes_of(content, sizeof content));
    assert_non_null(blob);
    assert_true(bytes_equal(blob_bytes(blob), bytes_of(content, sizeof content)));
    blob_release(blob);

    struct blob *empty = blob_try_copy(bytes_of(NULL, 0));
    assert_non_null(empty);
    assert_int_equal(blob_bytes(empty).size, 0);
    blob_release(empty);
}

static void test_last_reference_frees(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct blob *blob = blob_try_copy(bytes_text("shared"));
    assert_ptr_equal(blob_hold(blob), blob);
    assert_true(blob_is_shared(blob));
    blob_release(blob);
    assert_false(blob_is_shared(blob));
    assert_true(mem_used_by(MEM_DATA) > before);
    blob_release(blob);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

/* What only readers hold is no data any more; what another value holds still is. */
static void test_dropped_by_the_last_value_counts_as_buffer(void **state) {
    (void)state;
    size_t data = mem_used_by(MEM_DATA);
    size_t buffers = mem_used_by(MEM_BUFFER);
    struct blob *blob = blob_try_copy(bytes_text("read slowly"));
    size_t size = blob_footprint(blob);
    blob_share(blob);
    blob_hold(blob);
    blob_drop(blob);
    assert_int_equal(mem_used_by(MEM_DATA), data + size);
    blob_drop(blob);
    assert_int_equal(mem_used_by(MEM_DATA), data);
    assert_int_equal(mem_used_by(MEM_BUFFER), buffers + size);
    blob_release(blob);
    assert_int_equal(mem_used_by(MEM_BUFFER), buffers);

    /* Nobody else holds it: it is freed as what it was. */
    blob = blob_try_copy(bytes_text("read by nobody"));
    blob_drop(blob);
    assert_int_equal(mem_used_by(MEM_DATA), data);
    assert_int_equal(mem_used_by(MEM_BUFFER), buffers);
}

/* A request's blob becomes a value's. */
static void test_charged_blob_becomes_a_value(void **state) {
    (void)state;
    size_t data = mem_used_by(MEM_DATA);
    size_t buffers = mem_used_by(MEM_BUFFER);
    struct blob *blob = blob_try_new(5000);
    blob_charge(blob, MEM_BUFFER);
    assert_int_equal(mem_used_by(MEM_DATA), data);
    assert_int_equal(mem_used_by(MEM_BUFFER), buffers + blob_footprint(blob));
    blob_charge(blob, MEM_DATA);
    blob_hold(blob);
    blob_drop(blob);
    assert_int_equal(mem_used_by(MEM_DATA), data);
    assert_int_equal(mem_used_by(MEM_BUFFER), buffers + blob_footprint(blob));
    blob_release(blob);
    assert_int_equal(mem_used_by(MEM_BUFFER), buffers);
}

struct dropping {
    struct blob *blob;
    int is_value;
};

static void *let_go(void *context) {
    const struct dropping *dropping = context;
    if (dropping->is_value) {
        blob_drop(dropping->blob);
    } else {
        blob_release(dropping->blob);
    }
    return NULL;
}

/* Values and readers let go at the same time, in every order: the sums are right in the end. */
static void test_values_and_readers_let_go_at_once(void **state) {
    (void)state;
    enum { THREADS = 4, ROUNDS = 300 };
    size_t data = mem_used_by(MEM_DATA);
    size_t buffers = mem_used_by(MEM_BUFFER);
    for (int round = 0; round < ROUNDS; round++) {
        struct blob *blob = blob_try_copy(bytes_text("shared by many"));
        struct dropping droppings[THREADS];
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            droppings[i] = (struct dropping){.blob = blob, .is_value = i % 2};
            (void)(i % 2 ? blob_share(blob) : blob_hold(blob));
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, let_go, &droppings[i]), 0);
        }
        blob_drop(blob);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
        assert_int_equal(mem_used_by(MEM_DATA), data);
        assert_int_equal(mem_used_by(MEM_BUFFER), buffers);
    }
}

static void test_growth_keeps_content(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct blob *blob = blob_try_copy(bytes_text("0123456789"));
    assert_ptr_equal(blob_try_grow(blob, 3), blob);
    for (size_t capacity = 10; capacity < 3000000; capacity = capacity * 3 + 1) {
        blob = blob_try_grow(blob, capacity);
        assert_non_null(blob);
        assert_true(blob_capacity(blob) >= capacity);
        assert_true(bytes_equal(blob_bytes(blob), bytes_text("0123456789")));
        assert_int_equal(mem_used_by(MEM_DATA) - before, blob_footprint(blob));
    }
    blob_release(blob);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_failures_change_nothing(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    mem_fail_after(1);
    assert_null(blob_try_new(100));
    mem_fail_after(1);
    assert_null(blob_try_copy(bytes_text("text")));
    mem_fail_after(0);
    assert_null(blob_try_new(SIZE_MAX));
    assert_null(blob_try_new(SIZE_MAX - 24));

    struct blob *blob = blob_try_copy(bytes_text("text"));
    assert_non_null(blob);
    size_t capacity = blob_capacity(blob);
    mem_fail_after(1);
    assert_null(blob_try_grow(blob, 100000));
    mem_fail_after(0);
    assert_null(blob_try_grow(blob, SIZE_MAX));
    assert_int_equal(blob_capacity(blob), capacity);
    assert_true(bytes_equal(blob_bytes(blob), bytes_text("text")));
    blob_release(blob);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

#define ROUNDS 20000

static void *hold_and_release(void *shared) {
    for (int i = 0; i < ROUNDS; i++) {
        blob_release(blob_hold(shared));
    }
    blob_release(shared);
    return NULL;
}

static void test_threads_share(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct blob *blob = blob_try_copy(bytes_text("many"));
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_release, blob_hold(blob)), 0);
    }
    hold_and_release(blob);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_empty_and_fills_its_class),
        cmocka_unit_test(test_copy_holds_any_byte),
        cmocka_unit_test(test_last_reference_frees),
        cmocka_unit_test(test_dropped_by_the_last_value_counts_as_buffer),
        cmocka_unit_test(test_charged_blob_becomes_a_value),
        cmocka_unit_test(test_values_and_readers_let_go_at_once),
        cmocka_unit_test(test_growth_keeps_content),
        cmocka_unit_test(test_failures_change_nothing),
        cmocka_unit_test(test_threads_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
