/* Tests of types/string and of types/value for strings: which encoding a text gets, reading it
 * back, and what may be changed in place. */
#include "types/string.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "types/value.h"

static const struct bytes key = {.at = "some:key", .size = 8};

static struct entry *entry_of(struct bytes text) {
    struct entry_shape shape;
    assert_true(string_shape(text, &shape));
    struct entry *entry = entry_try_new(key, &shape);
    assert_non_null(entry);
    value_validate(entry);
    return entry;
}

static struct entry *entry_of_size(size_t size, char byte) {
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, byte, size);
    struct entry *entry = entry_of(bytes_of(text, size));
    free(text);
    return entry;
}

static void assert_value(const struct entry *entry, struct bytes expected) {
    char scratch[NUM_I64_SIZE];
    assert_int_equal(string_size(entry), expected.size);
    assert_true(bytes_equal(string_bytes(entry, scratch), expected));
    assert_true(bytes_equal(entry_key(entry), key));
    value_validate(entry);
}

struct sample {
    const char *text;
    enum entry_encoding encoding;
    const char *name;
};

static void test_shape_follows_the_text(void **state) {
    (void)state;
    static const struct sample samples[] = {
        {"", ENTRY_INLINE, "embstr"},
        {"0", ENTRY_INTEGER, "int"},
        {"-1", ENTRY_INTEGER, "int"},
        {"9223372036854775807", ENTRY_INTEGER, "int"},
        {"-9223372036854775808", ENTRY_INTEGER, "int"},
        {"9223372036854775808", ENTRY_INLINE, "embstr"},
        {"-0", ENTRY_INLINE, "embstr"},
        {"+1", ENTRY_INLINE, "embstr"},
        {"01", ENTRY_INLINE, "embstr"},
        {" 1", ENTRY_INLINE, "embstr"},
        {"1.5", ENTRY_INLINE, "embstr"},
        {"a\r\nb", ENTRY_INLINE, "embstr"},
        {"12345678901234567890123456789012345678901234", ENTRY_INLINE, "embstr"},
        {"123456789012345678901234567890123456789012345", ENTRY_INLINE, "raw"},
    };
    size_t before = mem_used_by(MEM_DATA);
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct entry *entry = entry_of(bytes_text(samples[i].text));
        assert_int_equal(entry_encoding(entry), samples[i].encoding);
        assert_string_equal(value_encoding_name(entry), samples[i].name);
        assert_value(entry, bytes_text(samples[i].text));
        value_free(entry);
    }
    struct entry *zero = entry_of(bytes_of("a\0b", 3));
    assert_value(zero, bytes_of("a\0b", 3));
    value_free(zero);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_long_texts_are_blobs(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct entry *longest = entry_of_size(ENTRY_INLINE_MAX, 'x');
    assert_int_equal(entry_encoding(longest), ENTRY_INLINE);
    struct entry *blob = entry_of_size(ENTRY_INLINE_MAX + 1, 'x');
    assert_int_equal(entry_encoding(blob), ENTRY_BLOB);
    assert_string_equal(value_encoding_name(blob), "raw");
    assert_int_equal(string_size(blob), ENTRY_INLINE_MAX + 1);
    assert_int_equal(value_weight(blob), 1);
    assert_int_equal(value_footprint(blob, 0) + value_footprint(longest, 0),
                     mem_used_by(MEM_DATA) - before);
    value_free(longest);
    value_free(blob);

    struct entry_shape shape;
    char text[ENTRY_INLINE_MAX + 1];
    memset(text, 'x', sizeof text);
    mem_fail_after(1);
    assert_false(string_shape(bytes_of(text, sizeof text), &shape));
    mem_fail_after(0);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_text_shape_is_never_an_integer(void **state) {
    (void)state;
    struct entry_shape shape;
    assert_true(string_text_shape(bytes_text("3000"), &shape));
    struct entry *entry = entry_try_new(key, &shape);
    assert_string_equal(value_encoding_name(entry), "embstr");
    assert_value(entry, bytes_text("3000"));
    value_free(entry);
}

static void test_integers_are_read_from_any_encoding(void **state) {
    (void)state;
    int64_t value;
    struct entry *entry = entry_of(bytes_text("-12"));
    assert_true(string_to_integer(entry, &value));
    assert_int_equal(value, -12);
    value_free(entry);

    struct entry_shape shape;
    assert_true(string_text_shape(bytes_text("77"), &shape));
    entry = entry_try_new(key, &shape);
    assert_true(string_to_integer(entry, &value));
    assert_int_equal(value, 77);
    value_free(entry);

    static const char *const not_integers[] = {"", "1.0", "077", "9223372036854775808", "1 "};
    for (size_t i = 0; i < sizeof not_integers / sizeof not_integers[0]; i++) {
        entry = entry_of(bytes_text(not_integers[i]));
        assert_false(string_to_integer(entry, &value));
        value_free(entry);
    }
    entry = entry_of_size(5000, '1');
    assert_false(string_to_integer(entry, &value));
    value_free(entry);
}

static void test_overwrite_stays_within_the_class(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct entry *entry = entry_of(bytes_text("abcdefgh"));
    size_t used = mem_used_by(MEM_DATA);
    size_t room = mem_class(entry_size(entry)) - (entry_size(entry) - entry->value_size);
    char text[ENTRY_INLINE_MAX + 1];
    memset(text, 'y', sizeof text);
    assert_true(string_overwrite(entry, bytes_of(text, room)));
    assert_value(entry, bytes_of(text, room));
    assert_false(string_overwrite(entry, bytes_of(text, room + 1)));
    assert_false(string_overwrite(entry, bytes_of(text, sizeof text)));
    assert_false(string_overwrite(entry, bytes_text("5")));
    assert_value(entry, bytes_of(text, room));
    assert_int_equal(mem_used_by(MEM_DATA), used);
    value_free(entry);

    entry = entry_of(bytes_text("5"));
    assert_true(string_overwrite(entry, bytes_text("-9223372036854775808")));
    assert_value(entry, bytes_text("-9223372036854775808"));
    assert_false(string_overwrite(entry, bytes_text("five")));
    assert_false(string_overwrite(entry, bytes_text("")));
    value_free(entry);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_overwrite_leaves_shared_blobs_alone(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct entry *entry = entry_of_size(5000, 'a');
    struct blob *blob = entry_pointer(entry);
    char text[5000];
    memset(text, 'b', sizeof text);
    blob_hold(blob);
    assert_false(string_overwrite(entry, bytes_of(text, sizeof text)));
    assert_null(string_extend(entry, 5001));
    assert_int_equal(blob->bytes[0], 'a');
    blob_release(blob);
    assert_true(string_overwrite(entry, bytes_of(text, sizeof text)));
    assert_value(entry, bytes_of(text, sizeof text));
    assert_false(string_overwrite(entry, bytes_text("short")));
    value_free(entry);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_extend_makes_raw_and_overwrite_unmakes_it(void **state) {
    (void)state;
    struct entry *entry = entry_of(bytes_text("abcdefgh"));
    size_t room = mem_class(entry_size(entry)) - (entry_size(entry) - entry->value_size);
    assert_true(room > 8);
    char *at = string_extend(entry, room);
    assert_non_null(at);
    assert_memory_equal(at, "abcdefgh", 8);
    for (size_t i = 8; i < room; i++) {
        assert_int_equal(at[i], 0);
    }
    assert_string_equal(value_encoding_name(entry), "raw");
    assert_null(string_extend(entry, room + 1));
    assert_int_equal(string_size(entry), room);
    assert_true(string_overwrite(entry, bytes_text("fresh")));
    assert_string_equal(value_encoding_name(entry), "embstr");
    value_free(entry);

    entry = entry_of(bytes_text("12"));
    assert_null(string_extend(entry, 2));
    value_free(entry);
}

static void test_grown_blobs_have_room(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct entry *entry = entry_of(bytes_text("12"));
    struct blob *blob = string_try_grown(entry, 2000);
    assert_non_null(blob);
    assert_int_equal(blob->size, 2000);
    assert_true(blob_capacity(blob) >= 4000);
    assert_memory_equal(blob->bytes, "12\0\0", 4);
    assert_int_equal(blob->bytes[1999], 0);
    value_free(entry);

    struct entry_shape shape = string_blob_shape(blob);
    entry = entry_try_new(key, &shape);
    blob->bytes[2000] = 'z';
    char *at = string_extend(entry, 4000);
    assert_ptr_equal(at, blob->bytes);
    assert_int_equal(at[2000], 0);
    assert_int_equal(string_size(entry), 4000);
    mem_fail_after(1);
    assert_null(string_try_grown(entry, 100000));
    mem_fail_after(0);
    struct blob *large = string_try_grown(entry, (size_t)3 << 20);
    assert_non_null(large);
    assert_true(blob_capacity(large) < (size_t)6 << 20);
    blob_release(large);
    value_free(entry);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_extending_blobs_unshares_them(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct entry *entry = entry_of_size(3000, 'q');
    struct blob *old = blob_hold(entry_pointer(entry));
    mem_fail_after(1);
    assert_null(string_try_extend_blob(entry, 3000));
    mem_fail_after(0);
    assert_ptr_equal(entry_pointer(entry), old);
    char *at = string_try_extend_blob(entry, 3000);
    assert_non_null(at);
    assert_ptr_not_equal(entry_pointer(entry), old);
    assert_int_equal(string_size(entry), 3000);
    at[0] = 'w';
    assert_int_equal(old->bytes[0], 'q');
    blob_release(old);

    mem_fail_after(1);
    assert_null(string_try_extend_blob(entry, 100000));
    mem_fail_after(0);
    assert_int_equal(string_size(entry), 3000);
    at = string_try_extend_blob(entry, 100000);
    assert_non_null(at);
    assert_memory_equal(at, "wq", 2);
    assert_int_equal(at[2999], 'q');
    for (size_t i = 3000; i < 100000; i++) {
        assert_int_equal(at[i], 0);
    }
    value_validate(entry);
    value_free(entry);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_copies_share_the_blob(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    struct entry *entry = entry_of_size(3000, 'q');
    struct entry *copy = value_try_copy(entry, bytes_text("other"));
    assert_non_null(copy);
    assert_ptr_equal(entry_pointer(copy), entry_pointer(entry));
    assert_true(bytes_equal(entry_key(copy), bytes_text("other")));
    assert_null(string_extend(copy, 3001));
    value_free(entry);
    value_validate(copy);
    assert_int_equal(string_size(copy), 3000);
    value_free(copy);

    /* Only a key whose size a client chose freely may be too much. */
    char long_key[300];
    memset(long_key, 'k', sizeof long_key);
    entry = entry_of(bytes_text("short"));
    mem_fail_after(1);
    assert_null(value_try_copy(entry, bytes_of(long_key, sizeof long_key)));
    mem_fail_after(0);
    value_free(entry);
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

static void test_types_have_names(void **state) {
    (void)state;
    static const char *const names[] = {"string", "list", "set", "zset", "hash", "stream"};
    for (int type = 0; type < ENTRY_TYPES; type++) {
        assert_string_equal(value_type_name((enum entry_type)type), names[type]);
        assert_int_equal(value_type_named(bytes_text(names[type])), type);
    }
    assert_int_equal(value_type_named(bytes_text("ZSET")), ENTRY_SORTED_SET);
    assert_int_equal(value_type_named(bytes_text("")), -1);
    assert_int_equal(value_type_named(bytes_text("strings")), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_follows_the_text),
        cmocka_unit_test(test_long_texts_are_blobs),
        cmocka_unit_test(test_text_shape_is_never_an_integer),
        cmocka_unit_test(test_integers_are_read_from_any_encoding),
        cmocka_unit_test(test_overwrite_stays_within_the_class),
        cmocka_unit_test(test_overwrite_leaves_shared_blobs_alone),
        cmocka_unit_test(test_extend_makes_raw_and_overwrite_unmakes_it),
        cmocka_unit_test(test_grown_blobs_have_room),
        cmocka_unit_test(test_extending_blobs_unshares_them),
        cmocka_unit_test(test_copies_share_the_blob),
        cmocka_unit_test(test_types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
