/* Tests of base/pages: memory that was prepared is as good as any, freed memory comes back, and the
 * thread ends and starts again. */
#include "base/pages.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"

#define MIB    ((size_t)1 << 20)
#define BLOCKS 3000
#define GROWTH 1000
/* Two minutes: the thread has the lowest priority, and on a busy machine its turn comes late. Only
 * spent when something is broken. */
#define POLLS_MAX 120000
/* Where the kernel repairs nothing, this is how long that is waited for. */
#define REPAIR_POLLS_MAX 1000
#define POLL_NS          1000000

static const size_t sizes[] = {48, 4096, 256 * 1024, 40, 3 * MIB, 100, 64 * 1024, 20000};

static size_t size_of(size_t i) {
    return sizes[i % (sizeof sizes / sizeof sizes[0])];
}

/* Writes, checks and frees more memory than is skipped, larger pieces than a huge page among it. */
static void churn(void) {
    static unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = size_of(i) == 3 * MIB && i % 800 != 4 ? 80 : size_of(i);
        blocks[i] = mem_zalloc(MEM_OTHER, size);
        assert_int_equal(blocks[i][0] | blocks[i][size / 2] | blocks[i][size - 1], 0);
        memset(blocks[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = size_of(i) == 3 * MIB && i % 800 != 4 ? 80 : size_of(i);
        assert_int_equal(blocks[i][0], i & 0xff);
        assert_int_equal(blocks[i][size - 1], i & 0xff);
        mem_free(MEM_OTHER, blocks[i], size);
    }
}

static void pause_briefly(void) {
    struct timespec pause = {.tv_nsec = POLL_NS};
    nanosleep(&pause, NULL);
}

static void test_memory_is_prepared(void **state) {
    (void)state;
    size_t used = mem_used();
    pages_stop(); /* when none runs */
    if (!pages_start()) {
        churn();
        skip(); /* the C library's allocator, or a system that does not allow it */
    }
    churn();
    for (int i = 0; i < POLLS_MAX && pages_prepared() == 0; i++) {
        pause_briefly();
    }
    assert_true(pages_prepared() > 0);
    assert_int_equal(pages_prepared() % (2 * MIB), 0);
    mem_purge();
    churn(); /* what was given back, and prepared memory */
    pages_stop();
    churn();
    assert_true(pages_start());
    churn();
    pages_stop();
    assert_int_equal(mem_used(), used);
}

/* Small pages that are all in use become huge: what is in them stays. Where the kernel cannot do
 * it, nothing is counted, and only the content is checked. */
static void test_content_outlives_repair(void **state) {
    (void)state;
    if (!pages_start()) {
        skip();
    }
    size_t repaired = pages_repaired();
    size_t size = 16 * MIB - 4096;
    unsigned char *block = mem_alloc(MEM_OTHER, size);
    for (size_t i = 0; i < size; i++) {
        block[i] = (unsigned char)(i * 31 >> 7);
    }
    for (int i = 0; i < REPAIR_POLLS_MAX && pages_repaired() == repaired; i++) {
        pause_briefly();
    }
    for (size_t i = 0; i < size; i++) {
        if (block[i] != (unsigned char)(i * 31 >> 7)) {
            fail_msg("byte %zu has changed", i);
        }
    }
    mem_free(MEM_OTHER, block, size);
    pages_stop();
}

/* The same where all must share one processor, which this thread leaves now and then. */
static void test_one_processor(void **state) {
    cpu_set_t before;
    cpu_set_t one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before)) {
        cpu++;
    }
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    size_t prepared = pages_prepared();
    if (!pages_start()) {
        assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
        skip();
    }
    void *blocks[GROWTH];
    /* It grows until the thread is asked: earlier tests have left memory behind. */
    size_t count = 0;
    for (int i = 0; i < POLLS_MAX && pages_prepared() == prepared; i++) {
        if (count < GROWTH) {
            blocks[count++] = mem_zalloc(MEM_OTHER, MIB);
        }
        pause_briefly();
    }
    assert_true(pages_prepared() > prepared);
    churn();
    for (size_t i = 0; i < count; i++) {
        mem_free(MEM_OTHER, blocks[i], MIB);
    }
    pages_stop();
    test_content_outlives_repair(state);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_prepared),
        cmocka_unit_test(test_content_outlives_repair),
        cmocka_unit_test(test_one_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
