/* Tests of call/reply: the bytes of every type in both versions, runs that go over chunks, values
 * that are referred to, and deferred headers in all positions. */
#include "call/reply.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "base/num.h"

static int setup(void **state) {
    struct reply *reply = calloc(1, sizeof *reply);
    reply_init(reply);
    *state = reply;
    return 0;
}

static int teardown(void **state) {
    reply_free(*state);
    free(*state);
    return 0;
}

/* All that has been appended, in one run of bytes, NUL-terminated. */
static struct buffer collect(struct reply *reply) {
    struct buffer out;
    buffer_init(&out, MEM_OTHER);
    size_t size = reply_size(reply);
    reply_close_run(reply);
    for (uint32_t i = 0; i < reply->piece_count; i++) {
        buffer_append(&out, reply->pieces[i].at, reply->pieces[i].size);
    }
    assert_int_equal(out.size, size);
    assert_int_equal(reply_size(reply), size);
    return out;
}

/* Compares and begins anew. */
static void expect_bytes(struct reply *reply, const char *expected, size_t size) {
    struct buffer got = collect(reply);
    if (got.size != size || memcmp(got.at, expected, size) != 0) {
        fail_msg("got %s, expected %s", buffer_text(&got), expected);
    }
    buffer_clear(&got);
    reply_reset(reply);
    assert_int_equal(reply_size(reply), 0);
}

#define expect(reply, text) expect_bytes((reply), (text), sizeof(text) - 1)

static void test_simple_types(void **state) {
    struct reply *reply = *state;
    for (reply->version = 2; reply->version <= 3; reply->version++) {
        reply_ok(reply);
        expect(reply, "+OK\r\n");
        reply_status(reply, "PONG");
        expect(reply, "+PONG\r\n");
        reply_integer(reply, 0);
        reply_integer(reply, -1);
        reply_integer(reply, 10);
        reply_integer(reply, 99);
        reply_integer(reply, 100);
        reply_integer(reply, INT64_MIN);
        expect(reply, ":0\r\n:-1\r\n:10\r\n:99\r\n:100\r\n:-9223372036854775808\r\n");
        reply_bulk(reply, bytes_of("a\0\r\n", 4));
        reply_bulk(reply, bytes_of("", 0));
        expect(reply, "$4\r\na\0\r\n\r\n$0\r\n\r\n");
        reply_bulk_text(reply, "text");
        reply_bulk_integer(reply, INT64_MAX);
        expect(reply, "$4\r\ntext\r\n$19\r\n9223372036854775807\r\n");
        reply_raw(reply, "\0x", 2);
        reply_literal(reply, "lit");
        expect(reply, "\0xlit");
        reply_long_double(reply, 4.1L);
        expect(reply, "$3\r\n4.1\r\n");
        reply_array(reply, 0);
        reply_array(reply, 3);
        expect(reply, "*0\r\n*3\r\n");
    }
}

static void test_types_of_version_2(void **state) {
    struct reply *reply = *state;
    reply_null(reply);
    reply_null_array(reply);
    expect(reply, "$-1\r\n*-1\r\n");
    reply_boolean(reply, true);
    reply_boolean(reply, false);
    expect(reply, ":1\r\n:0\r\n");
    reply_double(reply, 3.14);
    reply_double(reply, HUGE_VAL);
    reply_double(reply, -HUGE_VAL);
    expect(reply, "$18\r\n3.1400000000000001\r\n$3\r\ninf\r\n$4\r\n-inf\r\n");
    reply_verbatim(reply, "txt", bytes_text("some"));
    reply_big_number(reply, bytes_text("123"));
    expect(reply, "$4\r\nsome\r\n$3\r\n123\r\n");
    reply_map(reply, 2);
    reply_set(reply, 2);
    reply_push(reply, 2);
    assert_false(reply_attribute(reply, 1));
    expect(reply, "*4\r\n*2\r\n*2\r\n");
}

static void test_types_of_version_3(void **state) {
    struct reply *reply = *state;
    reply->version = 3;
    reply_null(reply);
    reply_null_array(reply);
    expect(reply, "_\r\n_\r\n");
    reply_boolean(reply, true);
    reply_boolean(reply, false);
    expect(reply, "#t\r\n#f\r\n");
    reply_double(reply, 3.14);
    reply_double(reply, HUGE_VAL);
    reply_double(reply, -HUGE_VAL);
    reply_double(reply, 10);
    expect(reply, ",3.1400000000000001\r\n,inf\r\n,-inf\r\n,10\r\n");
    reply_verbatim(reply, "txt", bytes_text("# Modules\r\n"));
    reply_big_number(reply, bytes_text("123"));
    expect(reply, "=15\r\ntxt:# Modules\r\n\r\n(123\r\n");
    reply_map(reply, 2);
    reply_set(reply, 2);
    reply_push(reply, 2);
    assert_true(reply_attribute(reply, 1));
    expect(reply, "%2\r\n~2\r\n>2\r\n|1\r\n");
}

static struct bytes last_error;

static void note_error(void *context, struct bytes text) {
    ++*(int *)context;
    last_error = text;
}

static void test_errors(void **state) {
    struct reply *reply = *state;
    int seen = 0;
    reply->on_error = note_error;
    reply->context = &seen;
    reply_error(reply, "ERR a\r\nb");
    assert_int_equal(seen, 1);
    assert_int_equal(reply->errors, 1);
    assert_int_equal(last_error.size, 8);
    assert_memory_equal(last_error.at, "ERR a  b", 8);
    expect(reply, "-ERR a  b\r\n");
    assert_int_equal(reply->errors, 1);
    reply_errorf(reply, "ERR %d\n%s", 7, "x");
    expect(reply, "-ERR 7 x\r\n");
    reply_wrong_type(reply);
    reply_syntax_error(reply);
    reply_not_integer(reply);
    reply_not_float(reply);
    reply_no_memory(reply);
    reply_bad_arity(reply, "config|get");
    assert_int_equal(reply->errors, 8);
    expect(reply, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
                  "-ERR syntax error\r\n"
                  "-ERR value is not an integer or out of range\r\n"
                  "-ERR value is not a valid float\r\n"
                  "-OOM command not allowed when used memory > 'maxmemory'.\r\n"
                  "-ERR wrong number of arguments for 'config|get' command\r\n");
    reply_unknown_subcommand(reply, "config", bytes_of("F\r\nx", 4));
    reply_unknown_subcommand(reply, "config", bytes_of("FOO\0bar", 7));
    expect(reply, "-ERR unknown subcommand 'F  x'. Try CONFIG HELP.\r\n"
                  "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n");
}

static void test_errors_that_repeat_long_names(void **state) {
    struct reply *reply = *state;
    char name[4000];
    memset(name, 'A', sizeof name);
    reply_unknown_subcommand(reply, "object", bytes_of(name, sizeof name));
    struct buffer got = collect(reply);
    assert_int_equal(got.size, strlen("-ERR unknown subcommand ''. Try OBJECT HELP.\r\n") + 128);
    buffer_clear(&got);
    reply_reset(reply);
    /* Others repeat what they were given whole. */
    reply_errorf(reply, "ERR %.*s", (int)sizeof name, name);
    assert_int_equal(reply_size(reply), strlen("-ERR \r\n") + sizeof name);
}

static void test_help_counts_its_lines(void **state) {
    struct reply *reply = *state;
    static const char *const lines[] = {"GET <pattern>", "    Shows values.", NULL};
    reply_help(reply, "CONFIG", lines);
    struct buffer got = collect(reply);
    size_t count = 0;
    for (size_t i = 0; i < got.size; i++) {
        count += got.at[i] == '\n';
    }
    assert_memory_equal(got.at, "*5\r\n+CONFIG ", 12);
    assert_int_equal(count, 6);
    buffer_clear(&got);
}

static void test_runs_go_over_chunks(void **state) {
    struct reply *reply = *state;
    struct buffer expected;
    buffer_init(&expected, MEM_OTHER);
    char text[3 * REPLY_CHUNK_SIZE];
    memset(text, 'x', sizeof text);
    /* Every size around a chunk's, and one that needs a chunk of its own. */
    for (size_t size = 0; size < sizeof text; size += 37) {
        reply_bulk(reply, bytes_of(text, size));
        buffer_printf(&expected, "$%zu\r\n", size);
        buffer_append(&expected, text, size);
        buffer_append_text(&expected, "\r\n");
    }
    assert_true(reply->piece_count > 3);
    expect_bytes(reply, expected.at, expected.size);
    assert_true(reply->chunk_count <= 1);
    assert_int_equal(reply->piece_count, 0);
    buffer_clear(&expected);
}

static void test_reset_gives_large_chunks_back(void **state) {
    struct reply *reply = *state;
    size_t before = mem_used_by(MEM_ARENA);
    size_t size = 1 << 20;
    char *text = calloc(1, size);
    reply_bulk(reply, bytes_of(text, size));
    assert_true(mem_used_by(MEM_ARENA) > before + size);
    reply_reset(reply);
    /* Only the list of pieces has come to stay. */
    assert_true(mem_used_by(MEM_ARENA) < before + 4096);
    free(text);
}

static void test_large_blobs_are_referred_to(void **state) {
    struct reply *reply = *state;
    size_t size = REPLY_REFER_MIN + 10;
    struct blob *blob = blob_try_new(size);
    assert_non_null(blob);
    memset(blob->bytes, 'b', size);
    blob->size = size;

    /* Short parts are copied, wherever they lie. */
    reply_bulk_blob(reply, blob, 5, 3);
    reply_bulk_blob(reply, blob, size, 0);
    assert_false(blob_is_shared(blob));
    expect(reply, "$3\r\nbbb\r\n$0\r\n\r\n");

    reply_integer(reply, 1);
    reply_bulk_blob(reply, blob, 10, REPLY_REFER_MIN);
    reply_bulk_blob(reply, blob, 0, size);
    reply_integer(reply, 2);
    assert_int_equal(atomic_load(&blob->references), 3);
    struct buffer expected;
    buffer_init(&expected, MEM_OTHER);
    buffer_printf(&expected, ":1\r\n$%d\r\n", REPLY_REFER_MIN);
    buffer_append(&expected, blob->bytes, REPLY_REFER_MIN);
    buffer_printf(&expected, "\r\n$%zu\r\n", size);
    buffer_append(&expected, blob->bytes, size);
    buffer_append_text(&expected, "\r\n:2\r\n");
    expect_bytes(reply, expected.at, expected.size);
    assert_false(blob_is_shared(blob));
    buffer_clear(&expected);
    blob_release(blob);
}

static void test_string_entries(void **state) {
    struct reply *reply = *state;
    struct entry_shape shape = {
        .type = ENTRY_STRING, .encoding = ENTRY_INLINE, .value = bytes_text("value")};
    struct entry *entry = entry_try_new(bytes_text("key"), &shape);
    reply_string_entry(reply, entry);
    expect(reply, "$5\r\nvalue\r\n");
    entry_free(entry);

    shape = (struct entry_shape){
        .type = ENTRY_STRING, .encoding = ENTRY_INTEGER, .word = (uint64_t)-42};
    entry = entry_try_new(bytes_text("key"), &shape);
    reply_string_entry(reply, entry);
    expect(reply, "$3\r\n-42\r\n");
    entry_free(entry);

    struct blob *blob = blob_try_copy(bytes_text("in a blob"));
    shape = (struct entry_shape){
        .type = ENTRY_STRING, .encoding = ENTRY_BLOB, .word = (uint64_t)(uintptr_t)blob};
    entry = entry_try_new(bytes_text("key"), &shape);
    reply_string_entry(reply, entry);
    expect(reply, "$9\r\nin a blob\r\n");
    entry_free(entry);
    blob_release(blob);
}

static void test_deferred_headers(void **state) {
    struct reply *reply = *state;
    reply_integer(reply, 1);
    struct reply_mark outer = reply_defer(reply);
    struct reply_mark empty = reply_defer(reply);
    reply_defer_end(reply, empty, '*', 0);
    struct reply_mark inner = reply_defer(reply);
    reply_bulk_text(reply, "a");
    reply_bulk_text(reply, "b");
    reply_defer_end(reply, inner, '~', 2);
    reply_defer_end(reply, outer, '%', 1);
    reply_integer(reply, 2);
    expect(reply, ":1\r\n*2\r\n*0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n:2\r\n");
    reply->version = 3;
    outer = reply_defer(reply);
    inner = reply_defer(reply);
    reply_defer_end(reply, inner, '~', 1000);
    reply_defer_end(reply, outer, '%', 1);
    expect(reply, "%1\r\n~1000\r\n");
    struct reply_mark push = reply_defer(reply);
    reply_defer_end(reply, push, '>', INT64_MAX);
    expect(reply, ">9223372036854775807\r\n");
}

/* Headers that end when their run has long been closed, at every offset within a chunk. */
static void test_deferred_headers_over_chunks(void **state) {
    struct reply *reply = *state;
    char text[100];
    memset(text, 'y', sizeof text);
    for (size_t before = 0; before < 2 * REPLY_CHUNK_SIZE; before += 7) {
        struct buffer expected;
        buffer_init(&expected, MEM_OTHER);
        for (size_t i = 0; i < before; i++) {
            reply_raw(reply, "z", 1);
            buffer_append_byte(&expected, 'z');
        }
        struct reply_mark outer = reply_defer(reply);
        struct reply_mark inner = reply_defer(reply);
        buffer_append_text(&expected, "*3\r\n*20\r\n");
        for (int i = 0; i < 20; i++) {
            reply_bulk(reply, bytes_of(text, sizeof text));
            buffer_append_text(&expected, "$100\r\n");
            buffer_append(&expected, text, sizeof text);
            buffer_append_text(&expected, "\r\n");
        }
        reply_defer_end(reply, inner, '*', 20);
        reply_integer(reply, 5);
        reply_integer(reply, 6);
        buffer_append_text(&expected, ":5\r\n:6\r\n");
        reply_defer_end(reply, outer, '*', 3);
        expect_bytes(reply, expected.at, expected.size);
        buffer_clear(&expected);
    }
}

static void test_deferred_header_before_a_blob(void **state) {
    struct reply *reply = *state;
    struct blob *blob = blob_try_new(REPLY_REFER_MIN);
    memset(blob->bytes, 'c', REPLY_REFER_MIN);
    blob->size = REPLY_REFER_MIN;
    struct reply_mark mark = reply_defer(reply);
    reply_bulk_blob(reply, blob, 0, blob->size);
    reply_defer_end(reply, mark, '*', 1);
    struct buffer got = collect(reply);
    assert_memory_equal(got.at, "*1\r\n$16384\r\nccc", 15);
    assert_int_equal(got.size, 4 + 8 + REPLY_REFER_MIN + 2);
    buffer_clear(&got);
    reply_reset(reply);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
}

/* Lets a reply grow so many times. */
static bool may_grow(void *context, size_t more) {
    int *left = context;
    return more != REPLY_NO_MEMORY && (*left)-- > 0;
}

/* Something of everything that can be appended. */
static void append_all_kinds(struct reply *reply, struct blob *blob, const char *text) {
    struct reply_mark mark = reply_defer(reply);
    reply_bulk(reply, bytes_of(text, 1000));
    reply_raw(reply, text, 3);
    reply_bulk_blob(reply, blob, 0, blob->size);
    reply_verbatim(reply, "txt", bytes_of(text, 700));
    reply_big_number(reply, bytes_of(text, 600));
    reply_double(reply, 1.5);
    reply_error(reply, text);
    reply_map(reply, 1);
    reply_defer_end(reply, mark, '*', 7);
}

/* Wherever it is stopped, it goes back to its origin, holds nothing, and is as good as new then. */
static void test_discarding(void **state) {
    struct reply *reply = *state;
    struct blob *blob = blob_try_new(REPLY_REFER_MIN);
    memset(blob->bytes, 'c', REPLY_REFER_MIN);
    blob->size = REPLY_REFER_MIN;
    char text[1001];
    memset(text, 'e', sizeof text - 1);
    text[1000] = '\0';
    for (reply->version = 2; reply->version <= 3; reply->version++) {
        bool stopped = true;
        for (int times = 0; stopped; times++) {
            int left = INT32_MAX;
            reply->may_grow = may_grow;
            reply->context = &left;
            /* What comes before the origin stays: a value, and a run. */
            reply_bulk_blob(reply, blob, 0, blob->size);
            reply_integer(reply, 1);
            reply_close_run(reply);
            reply_set_origin(reply);
            size_t size = reply_size(reply);
            left = times;
            for (int i = 0; i < 3; i++) {
                append_all_kinds(reply, blob, text);
            }
            stopped = reply_is_discarded(reply);
            if (stopped) {
                assert_int_equal(atomic_load(&blob->references), 2);
                /* Costs nothing any more. */
                mem_fail_after(1);
                for (int i = 0; i < 100; i++) {
                    append_all_kinds(reply, blob, text);
                }
                mem_fail_after(0);
                reply_discard_end(reply);
                assert_int_equal(reply_size(reply), size);
                left = INT32_MAX;
                reply_integer(reply, 2);
                struct buffer got = collect(reply);
                assert_int_equal(got.size, size + 4);
                assert_memory_equal(got.at + size - 4, ":1\r\n:2\r\n", 8);
                buffer_clear(&got);
            }
            reply_reset(reply);
            assert_false(blob_is_shared(blob));
        }
    }
    reply->may_grow = NULL;
    blob_release(blob);
}

/* In a reply that is long already, shorter values are referred to. */
static void test_many_values_are_referred_to(void **state) {
    struct reply *reply = *state;
    struct blob *blob = blob_try_new(REPLY_REFER_MANY);
    memset(blob->bytes, 'c', REPLY_REFER_MANY);
    blob->size = REPLY_REFER_MANY;
    for (int i = 0; i < 100; i++) {
        reply_bulk_blob(reply, blob, 0, blob->size);
    }
    assert_true(atomic_load(&blob->references) >= 99);
    struct buffer got = collect(reply);
    assert_int_equal(got.size, 100 * (REPLY_REFER_MANY + 9));
    buffer_clear(&got);
    reply_reset(reply);
    assert_false(blob_is_shared(blob));
    blob_release(blob);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_simple_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types_of_version_2, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types_of_version_3, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_that_repeat_long_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help_counts_its_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs_go_over_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_gives_large_chunks_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_blobs_are_referred_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_string_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deferred_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deferred_headers_over_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deferred_header_before_a_blob, setup, teardown),
        cmocka_unit_test_setup_teardown(test_discarding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_values_are_referred_to, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
