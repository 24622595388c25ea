/* Tests of base/mem: size classes, alignment, counting over threads, allocations that fail. */
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 4

static void test_classes(void **state) {
    (void)state;
    assert_int_equal(mem_class(1), 8);
    assert_int_equal(mem_class(8), 8);
    assert_int_equal(mem_class(9), 16);
    assert_int_equal(mem_class(17), 32);
    assert_int_equal(mem_class(64), 64);
    assert_int_equal(mem_class(65), 80);
    assert_int_equal(mem_class(128), 128);
    assert_int_equal(mem_class(129), 160);
    assert_int_equal(mem_class(256), 256);
    assert_int_equal(mem_class(257), 320);
    assert_int_equal(mem_class(4097), 5120);
    assert_int_equal(mem_class(14337), 16384);
    assert_int_equal(mem_class(((size_t)1 << 30) + 1), ((size_t)5 << 28));
    for (size_t size = 1; size < 5000; size++) {
        assert_true(mem_class(size) >= size);
        assert_int_equal(mem_class(mem_class(size)), mem_class(size));
    }
    assert_int_equal(mem_verify_classes(), 0);
}

static void test_counts_by_purpose(void **state) {
    (void)state;
    size_t data = mem_used_by(MEM_DATA);
    size_t client = mem_used_by(MEM_CLIENT);
    size_t all = mem_used();
    int64_t here = mem_used_here();
    void *a = mem_alloc(MEM_DATA, 100);
    void *b = mem_zalloc(MEM_CLIENT, 5000);
    assert_int_equal(mem_used_by(MEM_DATA) - data, mem_class(100));
    assert_int_equal(mem_used_by(MEM_CLIENT) - client, mem_class(5000));
    assert_int_equal(mem_used() - all, mem_class(100) + mem_class(5000));
    assert_int_equal(mem_used_here() - here, mem_class(100) + mem_class(5000));
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(((char *)b)[i], 0);
    }
    mem_free(MEM_DATA, a, 100);
    mem_free(MEM_CLIENT, b, 5000);
    mem_free(MEM_CLIENT, NULL, 77);
    assert_int_equal(mem_used(), all);
    assert_int_equal(mem_used_by(MEM_CLIENT), client);
}

static void test_alignment(void **state) {
    (void)state;
    static const size_t sizes[] = {64, 4096, 8192, 12288, 4096 * 9, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *blocks[20];
        for (int j = 0; j < 20; j++) {
            blocks[j] =
                j % 2 == 0 ? mem_alloc(MEM_OTHER, sizes[i]) : mem_zalloc(MEM_OTHER, sizes[i]);
            assert_int_equal((uintptr_t)blocks[j] % 64, 0);
        }
        for (int j = 0; j < 20; j++) {
            mem_free(MEM_OTHER, blocks[j], sizes[i]);
        }
    }
    for (size_t size = 16; size < 600; size++) {
        void *at = mem_alloc(MEM_OTHER, size);
        assert_int_equal((uintptr_t)at % 16, 0);
        memset(at, 1, size);
        mem_free(MEM_OTHER, at, size);
    }
}

static void test_realloc_keeps_content(void **state) {
    (void)state;
    size_t before = mem_used();
    size_t old_size = 0;
    unsigned char *at = NULL;
    static const size_t sizes[] = {1, 3, 64, 60, 65, 4096, 4095, 8192, 100000, 64, 10, 9, 4096, 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        at = mem_realloc(MEM_DATA, at, old_size, sizes[i]);
        size_t kept = old_size < sizes[i] ? old_size : sizes[i];
        for (size_t j = 0; j < kept; j++) {
            assert_int_equal(at[j], (unsigned char)(j * 7 + 1));
        }
        for (size_t j = 0; j < sizes[i]; j++) {
            at[j] = (unsigned char)(j * 7 + 1);
        }
        old_size = sizes[i];
        assert_int_equal(mem_used() - before, mem_class(old_size));
        if (old_size == 64 || old_size % 4096 == 0) {
            assert_int_equal((uintptr_t)at % 64, 0);
        }
    }
    mem_free(MEM_DATA, at, old_size);
    assert_int_equal(mem_used(), before);
}

static void test_copy_text(void **state) {
    (void)state;
    char *copy = mem_copy_text(MEM_OTHER, "a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    mem_free(MEM_OTHER, copy, 4);
    copy = mem_copy_text(MEM_OTHER, NULL, 0);
    assert_string_equal(copy, "");
    mem_free(MEM_OTHER, copy, 1);
}

static void test_fails_when_told(void **state) {
    (void)state;
    size_t before = mem_used();
    mem_fail_after(2);
    void *a = mem_try_alloc(MEM_DATA, 50);
    assert_non_null(a);
    void *never_fails = mem_alloc(MEM_DATA, 10);
    memset(a, 'x', 50);
    assert_null(mem_try_realloc(MEM_DATA, a, 50, 5000));
    assert_int_equal(((char *)a)[49], 'x');
    assert_int_equal(mem_used() - before, mem_class(50) + mem_class(10));
    a = mem_try_realloc(MEM_DATA, a, 50, 5000);
    assert_non_null(a);
    mem_fail_after(1);
    mem_fail_after(0);
    void *b = mem_try_alloc(MEM_DATA, 1);
    assert_non_null(b);
    mem_fail_after(1);
    assert_null(mem_try_alloc(MEM_DATA, 1));
    mem_free(MEM_DATA, a, 5000);
    mem_free(MEM_DATA, b, 1);
    mem_free(MEM_DATA, never_fails, 10);
    assert_int_equal(mem_used(), before);
}

static void test_refuses_impossible_sizes(void **state) {
    (void)state;
    size_t before = mem_used();
    assert_null(mem_try_alloc(MEM_DATA, SIZE_MAX));
    assert_null(mem_try_alloc(MEM_DATA, (size_t)PTRDIFF_MAX));
    void *a = mem_alloc(MEM_DATA, 10);
    assert_null(mem_try_realloc(MEM_DATA, a, 10, SIZE_MAX - 15));
    mem_free(MEM_DATA, a, 10);
    assert_int_equal(mem_used(), before);
}

static void *allocate_and_end(void *blocks) {
    void **to = blocks;
    *to = mem_alloc(MEM_TABLE, 1000);
    mem_free(MEM_TABLE, mem_alloc(MEM_TABLE, 1000), 1000);
    return NULL;
}

static void *release_and_end(void *block) {
    mem_free(MEM_TABLE, block, 1000);
    return NULL;
}

static void test_counts_over_threads(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_TABLE);
    pthread_t threads[THREADS];
    void *blocks[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_and_end, &blocks[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    /* The threads are gone; what they left behind counts. */
    assert_int_equal(mem_used_by(MEM_TABLE) - before, THREADS * mem_class(1000));
    mem_free(MEM_TABLE, blocks[0], 1000);
    for (int i = 1; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, release_and_end, blocks[i]), 0);
    }
    for (int i = 1; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(mem_used_by(MEM_TABLE), before);
}

static pthread_key_t late_key;

static void late_destructor(void *at) {
    mem_free(MEM_TABLE, at, 1000);
}

static void *allocate_for_destructor(void *unused) {
    (void)unused;
    pthread_setspecific(late_key, mem_alloc(MEM_TABLE, 1000));
    return NULL;
}

/* A destructor that runs after the thread's counters were folded lists them again. */
static void test_counts_in_late_destructors(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_TABLE);
    assert_int_equal(pthread_key_create(&late_key, late_destructor), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, allocate_for_destructor, NULL), 0);
    pthread_join(thread, NULL);
    pthread_key_delete(late_key);
    assert_int_equal(mem_used_by(MEM_TABLE), before);
}

static void test_peak(void **state) {
    (void)state;
    mem_reset_peak();
    size_t before = mem_peak();
    assert_int_equal(before, mem_used());
    void *at = mem_alloc(MEM_DATA, 1 << 20);
    mem_note_peak();
    mem_free(MEM_DATA, at, 1 << 20);
    mem_note_peak();
    assert_int_equal(mem_peak(), before + mem_class(1 << 20));
    mem_reset_peak();
    assert_int_equal(mem_peak(), before);
}

static void count_pieces(void *context, const char *text) {
    *(size_t *)context += strlen(text);
}

static void test_allocator_tells(void **state) {
    (void)state;
    struct mem_allocator_stats stats;
    memset(&stats, 0xff, sizeof stats);
    void *at = mem_zalloc(MEM_DATA, 8 << 20);
    mem_allocator_stats(&stats);
    if (strcmp(mem_allocator_name(), "libc") == 0) {
        assert_int_equal(stats.allocated, 0);
    } else {
        assert_true(stats.allocated >= (size_t)8 << 20);
        assert_true(stats.active >= stats.allocated);
        assert_true(stats.resident >= stats.active);
        assert_true(stats.mapped >= stats.active);
        assert_int_equal(strncmp(mem_allocator_name(), "jemalloc-", 9), 0);
    }
    mem_free(MEM_DATA, at, 8 << 20);
    mem_purge();
    size_t written = 0;
    mem_allocator_report(count_pieces, &written);
    assert_true(written > 0);
}

static void test_names(void **state) {
    (void)state;
    for (int i = 0; i < MEM_PURPOSES; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(mem_purpose_name((enum mem_purpose)i),
                                    mem_purpose_name((enum mem_purpose)j));
        }
    }
    assert_string_equal(mem_purpose_name(MEM_DATA), "data");
    assert_string_equal(mem_purpose_name(MEM_OTHER), "other");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_counts_by_purpose),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_realloc_keeps_content),
        cmocka_unit_test(test_copy_text),
        cmocka_unit_test(test_fails_when_told),
        cmocka_unit_test(test_refuses_impossible_sizes),
        cmocka_unit_test(test_counts_over_threads),
        cmocka_unit_test(test_counts_in_late_destructors),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_allocator_tells),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
