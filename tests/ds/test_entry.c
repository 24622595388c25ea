/* Tests of ds/entry: every shape, with keys on both sides of the long form, tells back what it was
 * made of, and keeps it when it is reshaped and renamed. */
#include "ds/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LAST_ENCODING ENTRY_NODES

static const size_t key_sizes[] = {0, 1, 16, 20, 21, 255, 256, 70000};
#define KEY_SIZES (sizeof key_sizes / sizeof key_sizes[0])
static char key_bytes[70000 + 1];

/* With a bit in each half of what a link holds; integers and doubles have all bits. */
static uint64_t word_of(enum entry_encoding encoding) {
    if (entry_encoding_has_link(encoding)) {
        return 0x7fed89abcdefULL << 4 & 0xfffffffffff0ULL;
    }
    return entry_encoding_has_word(encoding) ? 0xfedcba9876543210ULL : 0;
}

static struct entry_shape shape_of(enum entry_encoding encoding, bool has_deadline) {
    struct entry_shape shape = {.type = ENTRY_HASH,
                                .encoding = encoding,
                                .has_deadline = has_deadline,
                                .word = word_of(encoding)};
    if (encoding == ENTRY_INLINE) {
        shape.value = bytes_text("an inline value");
    }
    return shape;
}

static void check_entry(struct entry *e, struct bytes key, const struct entry_shape *shape) {
    assert_int_equal(entry_type(e), ENTRY_HASH);
    assert_int_equal(entry_encoding(e), shape->encoding);
    assert_true(bytes_equal(entry_key(e), key));
    assert_true(entry_key_is(e, key.at, key.size));
    size_t size = sizeof *e + key.size + (key.size > ENTRY_SHORT_KEY_MAX ? 4 : 0) +
                  (shape->has_deadline ? 8 : 0);
    assert_true(entry_shape_word(e) == shape->word);
    if (entry_encoding_has_link(shape->encoding)) {
        assert_true((uintptr_t)entry_pointer(e) == shape->word);
        size += 4;
    } else if (entry_encoding_has_word(shape->encoding)) {
        assert_true(*entry_word(e) == shape->word);
        assert_true((uint64_t)entry_integer(e) == shape->word);
        size += 8;
    } else if (shape->encoding == ENTRY_INLINE) {
        assert_true(bytes_equal(entry_inline(e), shape->value));
        size += shape->value.size;
    }
    assert_int_equal(entry_size(e), size < 16 ? 16 : size);
    assert_int_equal(entry_footprint(e), mem_class(entry_size(e)));
    assert_int_equal(entry_inline_fits(e, e->value_size), shape->encoding == ENTRY_INLINE);
}

/* A copy in the same shape with the room for a deadline given, or taken away; and another key. */
static void check_copies(struct entry *e, struct bytes key, struct entry_shape shape) {
    struct entry_shape other = shape;
    other.has_deadline = !shape.has_deadline;
    struct entry *copy = entry_try_reshape(e, &other);
    assert_non_null(copy);
    check_entry(copy, key, &other);
    assert_int_equal(copy->access, e->access);
    assert_int_equal(copy->flags & ENTRY_PHASE, ENTRY_PHASE);
    entry_free(copy);
    struct bytes renamed = bytes_text("another key");
    copy = entry_try_rename(e, renamed);
    assert_non_null(copy);
    check_entry(copy, renamed, &shape);
    assert_int_equal(entry_deadline(copy), shape.has_deadline ? 0 : ENTRY_NO_DEADLINE);
    entry_free(copy);
}

static void test_every_shape_tells_back_what_it_is_made_of(void **state) {
    (void)state;
    size_t before = mem_used_by(MEM_DATA);
    for (int encoding = ENTRY_NOTHING; encoding <= LAST_ENCODING; encoding++) {
        for (size_t i = 0; i < KEY_SIZES * 2; i++) {
            struct bytes key = bytes_of(key_bytes, key_sizes[i / 2]);
            struct entry_shape shape = shape_of((enum entry_encoding)encoding, i % 2 != 0);
            struct entry *e = entry_try_new(key, &shape);
            assert_non_null(e);
            e->access = 0xabcdef;
            e->flags |= ENTRY_PHASE;
            if (shape.has_deadline) {
                *entry_deadline_word(e) = (uint64_t)ENTRY_DEADLINE_MAX << 10 | 1023;
                assert_int_equal(entry_deadline(e), ENTRY_DEADLINE_MAX);
            }
            check_entry(e, key, &shape);
            check_copies(e, key, shape);
            entry_free(e);
        }
    }
    assert_int_equal(mem_used_by(MEM_DATA), before);
}

/* A link is another one afterwards, and nothing beside it has changed. */
static void test_a_link_is_set_in_place(void **state) {
    (void)state;
    for (size_t i = 0; i < KEY_SIZES * 2; i++) {
        struct bytes key = bytes_of(key_bytes, key_sizes[i / 2]);
        struct entry_shape shape = shape_of(ENTRY_PACK, i % 2 != 0);
        struct entry *e = entry_try_new(key, &shape);
        assert_non_null(e);
        static const uint64_t links[] = {0, 16, 0xffffffff0, 0xfffffffffff0, 0xffff00000000};
        for (size_t k = 0; k < sizeof links / sizeof links[0]; k++) {
            entry_set_pointer(e, (void *)(uintptr_t)links[k]);
            shape.word = links[k];
            check_entry(e, key, &shape);
        }
        if (shape.has_deadline) {
            assert_int_equal(*entry_deadline_word(e), 0);
        }
        entry_free(e);
    }
}

static void test_a_carrier_has_what_its_shape_has(void **state) {
    (void)state;
    struct entry_shape shape = shape_of(ENTRY_TABLE, false);
    union entry_carrier carrier;
    memset(&carrier, 0xab, sizeof carrier);
    struct entry *e = entry_carry(&carrier, &shape);
    check_entry(e, bytes_of("", 0), &shape);
}

/* What collections with keys of a usual length take. */
static void test_a_collection_with_a_key_of_20_bytes_fits_32(void **state) {
    (void)state;
    struct entry_shape shape = shape_of(ENTRY_PACK, false);
    struct entry *e = entry_try_new(bytes_of(key_bytes, 20), &shape);
    assert_non_null(e);
    assert_int_equal(entry_footprint(e), 32);
    entry_free(e);
}

int main(void) {
    for (size_t i = 0; i < sizeof key_bytes; i++) {
        key_bytes[i] = (char)(i * 7 + i / 256);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_shape_tells_back_what_it_is_made_of),
        cmocka_unit_test(test_a_link_is_set_in_place),
        cmocka_unit_test(test_a_carrier_has_what_its_shape_has),
        cmocka_unit_test(test_a_collection_with_a_key_of_20_bytes_fits_32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
