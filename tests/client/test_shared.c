/* Tests of client/shared: blocks are filled, shared, filled again, and given back. */
#include "client/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static size_t used_before;

static int setup(void **state) {
    (void)state;
    used_before = mem_used_by(MEM_BUFFER);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(mem_used_by(MEM_BUFFER), used_before);
    return 0;
}

static struct shared_run put(struct shared_log *log, const char *text) {
    size_t size = strlen(text);
    char *at = shared_log_room(log, size + 10);
    assert_non_null(at);
    memcpy(at, text, size);
    return shared_log_take(log, at + size);
}

static void expect(const struct shared_run *run, const char *text) {
    struct bytes bytes = shared_bytes(run);
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.at, text, bytes.size);
}

static void test_runs_follow_each_other(void **state) {
    (void)state;
    struct shared_log log = {0};
    struct shared_run one = put(&log, "one");
    struct shared_run two = put(&log, "two");
    assert_ptr_equal(one.block, two.block);
    assert_int_equal(two.from, one.to);
    expect(&one, "one");
    expect(&two, "two");
    shared_release(one.block);
    shared_release(two.block);
    shared_log_clear(&log);
}

static void test_filled_again_when_nobody_refers(void **state) {
    (void)state;
    struct shared_log log = {0};
    struct shared_run one = put(&log, "one");
    struct shared_run held = {shared_hold(one.block), one.from, one.to};
    shared_release(one.block);
    struct shared_run two = put(&log, "two");
    assert_int_equal(two.from, 3);
    expect(&held, "one");
    shared_release(two.block);
    shared_release(held.block);
    struct shared_run three = put(&log, "three");
    assert_int_equal(three.from, 0);
    expect(&three, "three");
    shared_release(three.block);
    shared_log_clear(&log);
}

static void test_next_block_when_full(void **state) {
    (void)state;
    struct shared_log log = {0};
    char text[SHARED_BLOCK_SIZE / 3];
    struct shared_run runs[20];
    for (int i = 0; i < 20; i++) {
        memset(text, 'a' + i, sizeof text - 1);
        text[sizeof text - 1] = '\0';
        runs[i] = put(&log, text);
    }
    assert_ptr_not_equal(runs[0].block, runs[19].block);
    /* The log may go before those who refer to its blocks. */
    shared_log_clear(&log);
    for (int i = 0; i < 20; i++) {
        memset(text, 'a' + i, sizeof text - 1);
        expect(&runs[i], text);
        shared_release(runs[i].block);
    }
}

static void test_large_ones_serve_once(void **state) {
    (void)state;
    struct shared_log log = {0};
    char text[SHARED_BLOCK_SIZE * 3];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct shared_run large = put(&log, text);
    assert_null(log.block);
    expect(&large, text);
    shared_release(large.block);
    assert_int_equal(mem_used_by(MEM_BUFFER), used_before);
    struct shared_run small = put(&log, "");
    expect(&small, "");
    shared_release(small.block);
    shared_log_clear(&log);
}

static void test_no_memory(void **state) {
    (void)state;
    struct shared_log log = {0};
    mem_fail_after(1);
    assert_null(shared_log_room(&log, 10));
    mem_fail_after(0);
    assert_null(shared_log_room(&log, SIZE_MAX));
    struct shared_run run = put(&log, "kept");
    mem_fail_after(1);
    assert_null(shared_log_room(&log, SHARED_BLOCK_SIZE));
    mem_fail_after(0);
    expect(&run, "kept");
    struct shared_run more = put(&log, "more");
    assert_ptr_equal(more.block, run.block);
    shared_release(run.block);
    shared_release(more.block);
    shared_log_clear(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_runs_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filled_again_when_nobody_refers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_block_when_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_ones_serve_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
