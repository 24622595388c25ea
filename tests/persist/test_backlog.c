/* Tests of persist/backlog against a plain copy of the stream: appending, trimming, reading from
 * any offset, and memory that is given back. */
#include "persist/backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"

#define STREAM_SIZE (256 * 1024)
#define BEGIN       1000 /* an offset that is not 0 */

struct model {
    struct backlog backlog;
    char *stream;
    size_t size;
    struct random random;
};

static void append(struct model *model, size_t size) {
    char *at = model->stream + model->size;
    for (size_t i = 0; i < size; i++) {
        at[i] = (char)random_next(&model->random);
    }
    assert_true(backlog_append(&model->backlog, bytes_of(at, size)));
    model->size += size;
    backlog_validate(&model->backlog);
    assert_int_equal(model->backlog.end, BEGIN + model->size);
}

/* All that is there from that offset on. */
static void expect_from(const struct model *model, uint64_t offset) {
    const struct backlog *backlog = &model->backlog;
    assert_true(backlog_reaches(backlog, offset));
    while (offset < backlog->end) {
        struct shared_run run = backlog_run(backlog, offset);
        struct bytes bytes = shared_bytes(&run);
        assert_true(bytes.size > 0);
        assert_memory_equal(bytes.at, model->stream + (offset - BEGIN), bytes.size);
        offset += bytes.size;
    }
    assert_int_equal(offset, backlog->end);
}

static void test_as_the_stream(void **state) {
    (void)state;
    size_t used = mem_used_by(MEM_BUFFER);
    struct model model = {.stream = malloc(STREAM_SIZE)};
    random_init(&model.random, 7);
    backlog_init(&model.backlog, BEGIN);
    assert_true(backlog_reaches(&model.backlog, BEGIN));
    assert_false(backlog_reaches(&model.backlog, BEGIN + 1));
    assert_false(backlog_reaches(&model.backlog, BEGIN - 1));
    while (model.size + 2 * SHARED_BLOCK_SIZE < STREAM_SIZE) {
        bool is_large = random_below(&model.random, 20) == 0;
        append(&model, random_below(&model.random, is_large ? 2 * SHARED_BLOCK_SIZE : 60));
        size_t most = random_below(&model.random, 8 * SHARED_BLOCK_SIZE);
        uint64_t before = backlog_size(&model.backlog);
        backlog_trim(&model.backlog, most, model.backlog.end);
        backlog_validate(&model.backlog);
        assert_true(backlog_size(&model.backlog) >= most || backlog_size(&model.backlog) == before);
        uint64_t size = backlog_size(&model.backlog);
        expect_from(&model, model.backlog.start + random_below(&model.random, size + 1));
        assert_false(backlog_reaches(&model.backlog, model.backlog.start - 1));
    }
    backlog_clear(&model.backlog);
    assert_int_equal(model.backlog.start, BEGIN + model.size);
    assert_int_equal(mem_used_by(MEM_BUFFER), used);
    free(model.stream);
}

/* Whoever still has to read from an offset keeps it there; whoever holds a run keeps its bytes. */
static void test_what_is_needed_stays(void **state) {
    (void)state;
    size_t used = mem_used_by(MEM_BUFFER);
    struct model model = {.stream = malloc(STREAM_SIZE)};
    random_init(&model.random, 8);
    backlog_init(&model.backlog, BEGIN);
    append(&model, 10);
    struct shared_run held = backlog_run(&model.backlog, BEGIN);
    shared_hold(held.block);
    for (int i = 0; i < 40; i++) {
        append(&model, SHARED_BLOCK_SIZE / 3);
        backlog_trim(&model.backlog, 1, BEGIN);
        expect_from(&model, BEGIN);
    }
    backlog_trim(&model.backlog, 1, model.backlog.end);
    assert_true(backlog_size(&model.backlog) <= SHARED_BLOCK_SIZE);
    assert_memory_equal(shared_bytes(&held).at, model.stream, 10);
    shared_release(held.block);
    backlog_clear(&model.backlog);
    assert_int_equal(mem_used_by(MEM_BUFFER), used);
    free(model.stream);
}

static void test_memory_fails(void **state) {
    (void)state;
    struct model model = {.stream = malloc(STREAM_SIZE)};
    random_init(&model.random, 9);
    backlog_init(&model.backlog, BEGIN);
    for (int i = 0; i < 100; i++) {
        uint64_t end = model.backlog.end;
        char text[3 * SHARED_BLOCK_SIZE / 4] = "a unit";
        mem_fail_after((int64_t)random_below(&model.random, 2));
        bool done = backlog_append(&model.backlog, bytes_of(text, sizeof text));
        mem_fail_after(-1);
        backlog_validate(&model.backlog);
        assert_int_equal(model.backlog.end, end + (done ? sizeof text : 0));
    }
    backlog_clear(&model.backlog);
    free(model.stream);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_stream),
        cmocka_unit_test(test_what_is_needed_stays),
        cmocka_unit_test(test_memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
