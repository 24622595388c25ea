/* Tests of call/call: arguments as numbers and as blobs, and what is replied when they are
 * not. */
#include "call/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct reply reply;

static int setup(void **state) {
    (void)state;
    reply_init(&reply);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    reply_free(&reply);
    return 0;
}

static void expect_reply(const char *expected) {
    assert_int_equal(reply_size(&reply), strlen(expected));
    assert_memory_equal(reply.start, expected, strlen(expected));
    reply_reset(&reply);
}

static const char not_integer[] = "-ERR value is not an integer or out of range\r\n";

static void test_integers(void **state) {
    (void)state;
    struct bytes args[] = {bytes_text("INCRBY"), bytes_text("-42"), bytes_text("042"),
                           bytes_text("9223372036854775808"), bytes_of("", 0)};
    struct call call = {.args = args, .argc = 5, .reply = &reply};
    int64_t value = 7;
    assert_true(call_integer(&call, 1, &value));
    assert_int_equal(value, -42);
    expect_reply("");
    for (int i = 2; i < 5; i++) {
        assert_false(call_integer(&call, i, &value));
        expect_reply(not_integer);
    }
    assert_int_equal(value, -42);
}

static void test_integers_within_a_range(void **state) {
    (void)state;
    struct bytes args[] = {bytes_text("X"), bytes_text("-1"), bytes_text("10"), bytes_text("11"),
                           bytes_text("x")};
    struct call call = {.args = args, .argc = 5, .reply = &reply};
    int64_t value = 7;
    assert_false(call_integer_between(&call, 1, 0, 10, &value));
    expect_reply("-ERR value is out of range, value must between 0 and 10\r\n");
    assert_true(call_integer_between(&call, 1, -1, 10, &value));
    assert_int_equal(value, -1);
    assert_true(call_integer_between(&call, 2, 0, 10, &value));
    assert_int_equal(value, 10);
    assert_false(call_integer_between(&call, 3, 0, 10, &value));
    expect_reply("-ERR value is out of range, value must between 0 and 10\r\n");
    assert_false(call_integer_between(&call, 4, 0, 10, &value));
    expect_reply(not_integer);
    /* Redis's own words for what must not be negative. */
    assert_false(call_integer_between(&call, 1, 0, INT64_MAX, &value));
    expect_reply("-ERR value is out of range, must be positive\r\n");
    assert_false(call_integer_between(&call, 4, 0, INT64_MAX, &value));
    expect_reply("-ERR value is out of range, must be positive\r\n");
    assert_int_equal(value, 10);
}

static void test_doubles(void **state) {
    (void)state;
    struct bytes args[] = {bytes_text("X"), bytes_text("-1.5e3"), bytes_text("inf"),
                           bytes_text("nan"), bytes_text("1.5x")};
    struct call call = {.args = args, .argc = 5, .reply = &reply};
    double value;
    assert_true(call_double(&call, 1, &value));
    assert_true(value == -1500);
    assert_true(call_double(&call, 2, &value));
    expect_reply("");
    assert_false(call_double(&call, 3, &value));
    expect_reply("-ERR value is not a valid float\r\n");
    assert_false(call_double(&call, 4, &value));
    expect_reply("-ERR value is not a valid float\r\n");
}

static void test_blobs_are_taken_once(void **state) {
    (void)state;
    struct bytes args[] = {bytes_text("SET"), bytes_text("k"), bytes_text("v")};
    struct call_blob blobs[] = {{.blob = blob_try_copy(bytes_text("v")), .index = 2}};
    struct call call = {.args = args, .argc = 3, .reply = &reply, .blobs = blobs, .blob_count = 1};
    assert_null(call_take_blob(&call, 1));
    struct blob *blob = call_take_blob(&call, 2);
    assert_non_null(blob);
    assert_null(call_take_blob(&call, 2));
    assert_null(blobs[0].blob);
    assert_true(blob_is_shared(blob));
    blob_drop(blob); /* the command has no use for it any more, but its caller shows it */
    assert_memory_equal(blob->bytes, "v", 1);
    call_end(&call);
    call_end(&call);
    call.blob_count = 0;
    call.blobs = NULL;
    assert_null(call_take_blob(&call, 2));
}

static void test_types(void **state) {
    (void)state;
    struct call call = {.reply = &reply};
    struct entry_shape shape = {
        .type = ENTRY_STRING, .encoding = ENTRY_INLINE, .value = bytes_text("v")};
    struct entry *entry = entry_try_new(bytes_text("k"), &shape);
    assert_true(call_type_ok(&call, NULL, ENTRY_HASH));
    assert_true(call_type_ok(&call, entry, ENTRY_STRING));
    expect_reply("");
    assert_false(call_type_ok(&call, entry, ENTRY_HASH));
    expect_reply("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    entry_free(entry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integers_within_a_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blobs_are_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
