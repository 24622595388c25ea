/* Tests of client/input.c: what is kept of a request is what goes on, wherever it lies: in bytes
 * that move, in blobs, half in both; and it can be put back as protocol bytes. */
#include "client/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct request_limits limits = {.bulk_max = 1024 * 1024};

/* A request of three bulks, two of them large enough for blobs of their own. */
#define FIRST_SIZE  (INPUT_BLOB_MIN + 3)
#define SECOND_SIZE (3 * INPUT_TRUST + 7)

static size_t used_before;

static int setup(void **state) {
    (void)state;
    used_before = mem_used();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    assert_int_equal(mem_used(), used_before);
    return 0;
}

static void append_bulk(struct buffer *out, size_t size, char fill) {
    buffer_printf(out, "$%zu\r\n", size);
    memset(buffer_reserve(out, size), fill, size);
    out->size += size;
    buffer_append_text(out, "\r\n");
}

static void make_request(struct buffer *out) {
    buffer_init(out, MEM_OTHER);
    buffer_append_text(out, "*4\r\n$4\r\nMSET\r\n");
    append_bulk(out, FIRST_SIZE, 'a');
    append_bulk(out, SECOND_SIZE, 'b');
    append_bulk(out, 5, 'c');
}

/* Parses a window behind what the input holds, as a connection does; true when the request is
 * whole. */
static bool go_on(struct input *input, char *window, size_t size) {
    struct request_state parsing = input->state;
    for (;;) {
        enum request_status status =
            request_parse(&parsing, window, size, &limits, input->args, input->room);
        if (status == REQUEST_ROOM) {
            assert_true(input_grow_args(input));
            continue;
        }
        assert_true(status == REQUEST_MORE || status == REQUEST_READY);
        assert_true(input_keep(input, window, size, &parsing, input->args));
        if (parsing.bulk >= INPUT_BLOB_MIN && status == REQUEST_MORE) {
            assert_true(input_begin_blob(input));
        }
        return status == REQUEST_READY;
    }
}

/* One read of at most `size` bytes; *whole is set when they complete the request. Returns what was
 * taken. */
static size_t read_some(struct input *input, const char *at, size_t size, bool *whole) {
    *whole = false;
    if (input->filling == NULL) {
        char *room = input_reserve(input, size);
        assert_non_null(room);
        memcpy(room, at, size);
        input->size += size;
        *whole = go_on(input, input->bytes, input->size);
        return size;
    }
    size_t room;
    char *to = input_blob_room(input, &room);
    assert_non_null(to);
    assert_true(room > 0);
    size = size < room ? size : room;
    memcpy(to, at, size);
    if (input_blob_filled(input, size)) {
        char nothing;
        *whole = go_on(input, &nothing, 0);
    }
    return size;
}

static void expect_request(const struct input *input) {
    assert_int_equal(input->state.have, 4);
    assert_int_equal(input->args[0].size, 4);
    assert_memory_equal(input->args[0].at, "MSET", 4);
    static const size_t sizes[] = {FIRST_SIZE, SECOND_SIZE, 5};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(input->args[i + 1].size, sizes[i]);
        for (size_t j = 0; j < sizes[i]; j++) {
            assert_int_equal(input->args[i + 1].at[j], 'a' + i);
        }
    }
}

static void test_any_size_of_reads(void **state) {
    (void)state;
    struct buffer request;
    make_request(&request);
    for (size_t step = 1; step <= request.size; step += step < 40 ? 1 : step / 3) {
        struct input *input = input_new();
        bool whole = false;
        for (size_t at = 0; at < request.size;) {
            assert_false(whole);
            size_t left = request.size - at;
            at += read_some(input, request.at + at, step < left ? step : left, &whole);
            assert_true(input_footprint(input) <= 4 * request.size + 2 * INPUT_TRUST + 1024);
        }
        assert_true(whole);
        expect_request(input);
        input_free(input);
    }
    buffer_clear(&request);
}

/* Put back at every place, the bytes are those that came. */
static void test_unparse(void **state) {
    (void)state;
    struct buffer request;
    make_request(&request);
    struct input *input = input_new();
    for (size_t at = 0; at < request.size - 1;) {
        bool whole;
        at += read_some(input, request.at + at, 1, &whole);
        assert_false(whole);
        struct buffer out;
        buffer_init(&out, MEM_BUFFER);
        input_unparse(input, &out);
        assert_int_equal(out.size, at);
        assert_memory_equal(out.at, request.at, at);
        struct input *other = input_new();
        input_adopt(other, &out);
        assert_int_equal(out.size, 0);
        assert_int_equal(other->size, at);
        assert_int_equal(other->state.at, 0);
        input_free(other);
    }
    input_free(input);
    buffer_clear(&request);
}

/* An announcement takes a trusted size and no more. */
static void test_announcements(void **state) {
    (void)state;
    char text[] = "*2\r\n$4\r\nECHO\r\n$1048576\r\nab";
    struct input *input = input_new();
    bool whole;
    read_some(input, text, sizeof text - 1, &whole);
    assert_non_null(input->filling);
    assert_int_equal(input->filling->size, 2);
    assert_memory_equal(input->filling->bytes, "ab", 2);
    assert_true(input_footprint(input) <= 2 * INPUT_TRUST + 1024);
    input_free(input);
}

/* Only the line end behind a large bulk is missing: no blob any more. */
static void test_no_blob_for_a_line_end(void **state) {
    (void)state;
    struct buffer request;
    buffer_init(&request, MEM_OTHER);
    buffer_append_text(&request, "*1\r\n");
    append_bulk(&request, INPUT_BLOB_MIN, 'x');
    struct input *input = input_new();
    bool whole;
    read_some(input, request.at, request.size - 1, &whole);
    assert_null(input->filling);
    assert_false(whole);
    read_some(input, request.at + request.size - 1, 1, &whole);
    assert_true(whole);
    assert_int_equal(input->blob_count, 0);
    assert_int_equal(input->args[0].size, INPUT_BLOB_MIN);
    input_free(input);
    buffer_clear(&request);
}

#define MANY 600

/* Many arguments of all short sizes, the empty one included. */
static void make_long_request(struct buffer *out) {
    buffer_init(out, MEM_OTHER);
    buffer_printf(out, "*%d\r\n", MANY);
    for (int i = 0; i < MANY; i++) {
        append_bulk(out, (size_t)(i % 23), (char)('a' + i % 26));
    }
}

/* A read as a connection does it with a long beginning. False when there is no memory. */
static bool read_page(struct input *input, const char *at, size_t size, bool *whole) {
    char *room = input_reserve_page(input, size);
    if (room == NULL) {
        return false;
    }
    memcpy(room, at, size);
    input->size += size;
    struct request_state parsing = input->state;
    for (;;) {
        enum request_status status =
            request_parse(&parsing, input->bytes, input->size, &limits, input->args, input->room);
        if (status == REQUEST_ROOM) {
            if (!input_grow_args(input)) {
                return false;
            }
            continue;
        }
        assert_true(status == REQUEST_MORE || status == REQUEST_READY);
        *whole = status == REQUEST_READY;
        return input_keep(input, input->bytes, input->size, &parsing, input->args);
    }
}

static void expect_unparsed(const struct input *input, const char *at, size_t size) {
    struct buffer out;
    buffer_init(&out, MEM_BUFFER);
    input_unparse(input, &out);
    assert_int_equal(out.size, size);
    assert_memory_equal(out.at, at, size);
    buffer_clear(&out);
}

/* It takes its own size, some pages' ends and its slices; nothing twice. */
static void test_many_arguments(void **state) {
    (void)state;
    struct buffer request;
    make_long_request(&request);
    for (size_t step = 1; step < 2 * INPUT_PAGE; step += step < 60 ? 1 : 47) {
        struct input *input = input_new();
        bool whole = false;
        for (size_t at = 0; at < request.size;) {
            assert_false(whole);
            size_t part = step < request.size - at ? step : request.size - at;
            assert_true(read_page(input, request.at + at, part, &whole));
            at += part;
            if (step % 7 == 0 && !whole) {
                expect_unparsed(input, request.at, at);
            }
            assert_true(input_held(input) >= at);
        }
        assert_true(whole);
        assert_int_equal(input->state.have, MANY);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(input->args[i].size, i % 23);
            for (size_t j = 0; j < input->args[i].size; j++) {
                assert_int_equal(input->args[i].at[j], 'a' + i % 26);
            }
        }
        assert_true(input->room <= MANY + 1);
        if (step <= INPUT_PAGE / 8) {
            assert_true(input_held(input) < request.size * 3 / 2);
        }
        input_free(input);
    }
    buffer_clear(&request);
}

/* Wherever memory ends, what is held stays whole. */
static void test_many_arguments_without_memory(void **state) {
    (void)state;
    struct buffer request;
    make_long_request(&request);
    bool failed = true;
    for (uint64_t which = 1; failed; which++) {
        struct input *input = input_new();
        bool whole = false;
        failed = false;
        mem_fail_after(which);
        for (size_t at = 0; at < request.size && !failed; at += 10) {
            size_t part = request.size - at < 10 ? request.size - at : 10;
            failed = !read_page(input, request.at + at, part, &whole);
        }
        mem_fail_after(0);
        assert_int_not_equal(failed, whole);
        input_free(input);
    }
    buffer_clear(&request);
}

static void test_no_memory(void **state) {
    (void)state;
    struct buffer request;
    make_request(&request);
    struct input *input = input_new();
    bool whole;
    read_some(input, request.at, 30, &whole);
    assert_non_null(input->filling);
    /* The blob has what it was trusted with: filled, it must grow and cannot. */
    size_t at = 30;
    while (input->state.have < 3 || input->filling == NULL) {
        if (input->filling != NULL && input->filling->size == blob_capacity(input->filling) &&
            input->state.have == 2) {
            break;
        }
        at += read_some(input, request.at + at, 1, &whole);
        assert_true(at < request.size);
    }
    size_t room;
    mem_fail_after(1);
    assert_null(input_blob_room(input, &room));
    mem_fail_after(0);
    assert_non_null(input_blob_room(input, &room));
    input_free(input);
    /* Neither can the bytes. */
    input = input_new();
    mem_fail_after(1);
    assert_null(input_reserve(input, 100));
    mem_fail_after(0);
    /* Nor is there a blob to begin. */
    char *window = input_reserve(input, 40);
    memcpy(window, request.at, 40);
    input->size = 40;
    struct request_state parsing = input->state;
    input_grow_args(input);
    assert_int_equal(request_parse(&parsing, window, 40, &limits, input->args, input->room),
                     REQUEST_MORE);
    assert_true(input_keep(input, input->bytes, 40, &parsing, input->args));
    mem_fail_after(1);
    assert_false(input_begin_blob(input));
    mem_fail_after(0);
    input_free(input);
    buffer_clear(&request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_size_of_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unparse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_announcements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_blob_for_a_line_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_arguments_without_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
