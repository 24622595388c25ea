/* Tests of types/hash: each edge of values, limits and deadlines by itself. Long random runs
 * against a model are in test_hash_model.c. */
#include "types/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"

#define NOW 1700000000000

static const struct hash_options defaults = {.pack_entries_max = 512, .pack_value_max = 64};
static const struct hash_options no_packs = {.pack_entries_max = 0, .pack_value_max = 64};

static struct entry *new_hash(void) {
    struct entry_shape shape = hash_new_shape();
    struct entry *hash = entry_try_new(bytes_text("key"), &shape);
    assert_non_null(hash);
    return hash;
}

static void free_hash(struct entry *hash) {
    hash_free(hash);
    entry_free(hash);
}

static int set(struct entry *hash, const struct hash_options *limits, const char *field,
               const char *value) {
    struct hash_write write = {.field = element_name_of(bytes_text(field)),
                               .value = bytes_text(value),
                               .deadline_ms = ENTRY_NO_DEADLINE};
    return hash_set(hash, limits, &write, NOW);
}

static void assert_value(const struct entry *hash, const char *field, const char *expected,
                         int64_t now_ms) {
    struct hash_value value;
    if (expected == NULL) {
        assert_false(hash_get(hash, element_name_of(bytes_text(field)), now_ms, &value));
        assert_false(hash_exists(hash, element_name_of(bytes_text(field)), now_ms));
        return;
    }
    assert_true(hash_get(hash, element_name_of(bytes_text(field)), now_ms, &value));
    assert_true(hash_exists(hash, element_name_of(bytes_text(field)), now_ms));
    assert_int_equal(value.text.size, strlen(expected));
    assert_memory_equal(value.text.at, expected, value.text.size);
}

static void must_not_visit(void *context, const struct hash_field *field) {
    (void)context;
    (void)field;
    fail_msg("an empty hash has no fields");
}

static void test_empty(void **state) {
    (void)state;
    struct entry *hash = new_hash();
    assert_string_equal(hash_encoding_name(hash), "listpack");
    assert_int_equal(hash_length(hash, NOW), 0);
    assert_true(hash_is_empty(hash));
    assert_value(hash, "", NULL, NOW);
    assert_false(hash_delete(hash, element_name_of(bytes_text("a")), NOW));
    assert_int_equal(hash_next_deadline(hash), ENTRY_NO_DEADLINE);
    assert_null(hash_due_word(hash));
    assert_int_equal(hash_set_deadline(hash, element_name_of(bytes_text("a")), NOW + 1, NOW),
                     -ENOENT);
    assert_string_equal(hash_encoding_name(hash), "listpack");
    struct random random;
    random_init(&random, 1);
    assert_int_equal(hash_random(hash, NOW, &random, 5, must_not_visit, NULL), 0);
    assert_int_equal(hash_random_distinct(hash, NOW, &random, 5, must_not_visit, NULL), 0);
    assert_int_equal(hash_scan(hash, 0, NOW, must_not_visit, NULL), 0);
    assert_int_equal(set(hash, &defaults, "", ""), 1);
    assert_value(hash, "", "", NOW);
    assert_int_equal(set(hash, &defaults, "", "x"), 0);
    assert_int_equal(hash_length(hash, NOW), 1);
    free_hash(hash);

    struct entry_shape shape = hash_new_shape();
    hash_discard(&shape);
}

/* Field or value of 64 bytes stay in the pack, of 65 do not; nor does the 513th field. */
static void test_limits(void **state) {
    (void)state;
    char text[66];
    memset(text, 'x', sizeof text);
    text[65] = '\0';
    for (unsigned is_value = 0; is_value < 2; is_value++) {
        struct entry *hash = new_hash();
        assert_int_equal(set(hash, &defaults, is_value ? "f" : text + 1, is_value ? text + 1 : "v"),
                         1);
        assert_string_equal(hash_encoding_name(hash), "listpack");
        assert_int_equal(set(hash, &defaults, is_value ? "f" : text, is_value ? text : "v"),
                         is_value ? 0 : 1);
        assert_string_equal(hash_encoding_name(hash), "hashtable");
        assert_value(hash, is_value ? "f" : text, is_value ? text : "v", NOW);
        hash_validate(hash);
        free_hash(hash);
    }
    struct entry *hash = new_hash();
    char name[16];
    for (unsigned i = 0; i < 512; i++) {
        sprintf(name, "%u", i);
        set(hash, &defaults, name, name);
    }
    assert_int_equal(set(hash, &defaults, "7", "again"), 0);
    assert_string_equal(hash_encoding_name(hash), "listpack");
    assert_int_equal(set(hash, &defaults, "512", "last"), 1);
    assert_string_equal(hash_encoding_name(hash), "hashtable");
    assert_int_equal(hash_length(hash, NOW), 513);
    assert_value(hash, "7", "again", NOW);
    assert_value(hash, "511", "511", NOW);
    free_hash(hash);
}

/* Whatever the options say, a pack does not become huge. */
static void test_a_pack_stays_small(void **state) {
    (void)state;
    struct hash_options limits = {.pack_entries_max = INT64_MAX, .pack_value_max = INT64_MAX};
    struct entry *hash = new_hash();
    size_t size = 300000;
    char *big = malloc(size + 1);
    assert_non_null(big);
    memset(big, 'b', size);
    big[size] = '\0';
    static const char *const names[] = {"1", "2", "3"};
    for (unsigned i = 0; i < 3; i++) {
        set(hash, &limits, names[i], big);
        assert_string_equal(hash_encoding_name(hash), "listpack");
    }
    set(hash, &limits, "4", big);
    assert_string_equal(hash_encoding_name(hash), "hashtable");
    for (unsigned i = 0; i < 3; i++) {
        assert_value(hash, names[i], big, NOW);
    }
    hash_validate(hash);
    free_hash(hash);
    free(big);
}

/* Values move between integer, inline and blob, and come back byte for byte. */
static void test_value_forms(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 1000, 1001, 1002, 40000, 1000, 3, 2000000, 0};
    struct entry *hash = new_hash();
    set(hash, &no_packs, "f", "x");
    char *text = malloc(2000001);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(text, (int)('a' + i), sizes[i]);
        text[sizes[i]] = '\0';
        assert_int_equal(set(hash, &no_packs, "f", text), 0);
        assert_value(hash, "f", text, NOW);
        struct hash_value value;
        assert_true(hash_get(hash, element_name_of(bytes_text("f")), NOW, &value));
        assert_int_equal(value.blob != NULL, sizes[i] > ENTRY_INLINE_MAX);
        set(hash, &no_packs, "f", "-9223372036854775808");
        assert_value(hash, "f", "-9223372036854775808", NOW);
        set(hash, &no_packs, "f", "007");
        assert_value(hash, "f", "007", NOW);
        hash_validate(hash);
    }
    free(text);
    free_hash(hash);
}

/* A blob that is handed over is the value itself, and is let go of where it is not needed. */
static void test_blobs_are_taken_over(void **state) {
    (void)state;
    size_t used_before = mem_used();
    static const size_t sizes[] = {3, 500, 5000};
    for (size_t i = 0; i < 3; i++) {
        struct entry *hash = new_hash();
        struct blob *blob = blob_try_new(sizes[i]);
        assert_non_null(blob);
        memset(blob->bytes, 'q', sizes[i]);
        blob->size = sizes[i];
        struct hash_write write = {.field = element_name_of(bytes_text("f")),
                                   .value = blob_bytes(blob),
                                   .blob = blob,
                                   .deadline_ms = ENTRY_NO_DEADLINE};
        assert_int_equal(hash_set(hash, &defaults, &write, NOW), 1);
        struct hash_value value;
        assert_true(hash_get(hash, element_name_of(bytes_text("f")), NOW, &value));
        assert_int_equal(value.text.size, sizes[i]);
        if (sizes[i] > ENTRY_INLINE_MAX) {
            assert_ptr_equal(value.blob, blob);
            assert_false(blob_is_shared(blob));
        }
        free_hash(hash);
    }
    assert_int_equal(mem_used(), used_before);
}

static void check_deadlines(const struct hash_options *limits, const char *encoding) {
    struct entry *hash = new_hash();
    set(hash, limits, "a", "1");
    set(hash, limits, "b", "two");
    set(hash, limits, "c", "3");
    assert_int_equal(hash_set_deadline(hash, element_name_of(bytes_text("a")), NOW + 100, NOW), 0);
    assert_string_equal(hash_encoding_name(hash), encoding);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text("a")), NOW), NOW + 100);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text("b")), NOW), ENTRY_NO_DEADLINE);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text("d")), NOW), HASH_NO_FIELD);
    assert_true(hash_next_deadline(hash) <= NOW + 100);
    assert_true(hash_next_deadline(hash) > NOW + 100 - 10000);
    assert_int_equal(*hash_due_word(hash), 0);

    /* There up to its deadline, absent from it on, for every read. */
    assert_value(hash, "a", "1", NOW + 99);
    assert_value(hash, "a", NULL, NOW + 100);
    assert_false(hash_is_empty(hash));
    assert_int_equal(hash_length(hash, NOW + 99), 3);
    assert_int_equal(hash_length(hash, NOW + 100), 2);
    assert_false(hash_delete(hash, element_name_of(bytes_text("a")), NOW + 100));
    assert_int_equal(hash_persist(hash, element_name_of(bytes_text("a")), NOW + 100), -ENOENT);
    assert_int_equal(
        hash_set_deadline(hash, element_name_of(bytes_text("a")), NOW + 500, NOW + 100), -ENOENT);

    /* Set anew it is a new field, without the old deadline even if that is to be kept. */
    struct hash_write write = {.field = element_name_of(bytes_text("a")),
                               .value = bytes_text("new"),
                               .deadline_ms = HASH_KEEP_DEADLINE};
    assert_int_equal(hash_set(hash, limits, &write, NOW + 100), 1);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text("a")), NOW + 100),
                     ENTRY_NO_DEADLINE);
    assert_int_equal(hash_length(hash, NOW + 100), 3);
    bool done;
    assert_int_equal(hash_expire_due(hash, NOW + 100, 10, NULL, &done), 0);
    assert_true(done);

    /* A deadline far out is held as the latest there can be; removal is exact and sliced. */
    assert_int_equal(hash_set_deadline(hash, element_name_of(bytes_text("c")), INT64_MAX, NOW), 0);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text("c")), NOW),
                     ENTRY_DEADLINE_MAX);
    hash_set_deadline(hash, element_name_of(bytes_text("a")), NOW + 200, NOW + 100);
    hash_set_deadline(hash, element_name_of(bytes_text("b")), NOW + 201, NOW + 100);
    assert_int_equal(hash_expire_due(hash, NOW + 199, 10, NULL, &done), 0);
    assert_true(done);
    assert_int_equal(hash_expire_due(hash, NOW + 200, 10, NULL, &done), 1);
    assert_int_equal(hash_length(hash, NOW + 200), 2);
    assert_int_equal(hash_expire_due(hash, NOW + 300, 10, NULL, &done), 1);
    assert_int_equal(hash_length(hash, NOW + 300), 1);
    assert_int_equal(hash_persist(hash, element_name_of(bytes_text("c")), NOW + 300), 0);
    assert_int_equal(hash_persist(hash, element_name_of(bytes_text("c")), NOW + 300), -ENODATA);
    assert_false(hash_has_deadlines(hash));
    assert_non_null(hash_due_word(hash));
    hash_validate(hash);
    free_hash(hash);
}

static void test_deadlines_in_a_pack(void **state) {
    (void)state;
    check_deadlines(&defaults, "listpackex");
}

static void test_deadlines_in_a_table(void **state) {
    (void)state;
    check_deadlines(&no_packs, "hashtable");
}

/* The owner's word survives the change of encoding and is not copied. */
static void test_due_word(void **state) {
    (void)state;
    struct entry *hash = new_hash();
    set(hash, &defaults, "a", "1");
    hash_set_deadline(hash, element_name_of(bytes_text("a")), NOW + 100, NOW);
    *hash_due_word(hash) = 0x1234567890abcdef;
    struct entry_shape shape;
    assert_int_equal(hash_copy(hash, &shape), 0);
    struct entry *copy = entry_try_new(bytes_text("copy"), &shape);
    assert_int_equal(*hash_due_word(copy), 0);
    char long_value[100] = {0};
    memset(long_value, 'l', sizeof long_value - 1);
    set(hash, &defaults, "b", long_value);
    assert_string_equal(hash_encoding_name(hash), "hashtable");
    assert_true(*hash_due_word(hash) == 0x1234567890abcdef);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text("a")), NOW), NOW + 100);
    free_hash(copy);
    free_hash(hash);
}

static void test_free_in_steps(void **state) {
    (void)state;
    size_t used_before = mem_used();
    struct entry *hash = new_hash();
    assert_int_equal(hash_free_cost(hash), 1);
    char name[32];
    for (size_t i = 0; i < 1000; i++) {
        sprintf(name, "field:%zu", i);
        struct hash_write write = {.field = element_name_of(bytes_text(name)),
                                   .value = bytes_text("v"),
                                   .deadline_ms = NOW + (int64_t)i};
        hash_set(hash, &no_packs, &write, NOW - 1);
    }
    assert_int_equal(hash_free_cost(hash), 1000);
    unsigned steps = 0;
    while (!hash_free_some(hash, 100)) {
        steps++;
        assert_true(steps < 100);
    }
    assert_true(steps >= 9);
    entry_free(hash);
    assert_int_equal(mem_used(), used_before);
}

/* A sample's estimate is close when all the fields are alike. */
static void test_footprint(void **state) {
    (void)state;
    struct entry *hash = new_hash();
    char name[32];
    for (unsigned i = 0; i < 2000; i++) {
        sprintf(name, "field:%08u", i);
        set(hash, &defaults, name, "some value of a field");
    }
    size_t exact = hash_footprint(hash, 0);
    assert_int_equal(hash_footprint(hash, 5), exact);
    assert_true(exact > 2000 * 40);
    free_hash(hash);
}

/* A copy fails as a whole, and so does room for a deadline: with long names, for which alone an
 * allocation may fail. */
static void test_no_memory(void **state) {
    (void)state;
    char name[301] = {0};
    char other[301] = {0};
    memset(name, 'n', 300);
    memset(other, 'o', 300);
    struct entry *hash = new_hash();
    set(hash, &no_packs, name, "1");
    set(hash, &no_packs, other, "2");
    size_t used_before = mem_used();
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct entry_shape shape;
        mem_fail_after(nth);
        assert_int_equal(hash_copy(hash, &shape), -ENOMEM);
        mem_fail_after(0);
        assert_int_equal(mem_used(), used_before);
    }
    mem_fail_after(1);
    assert_int_equal(hash_set_deadline(hash, element_name_of(bytes_text(name)), NOW + 5, NOW),
                     -ENOMEM);
    mem_fail_after(0);
    assert_int_equal(hash_deadline(hash, element_name_of(bytes_text(name)), NOW),
                     ENTRY_NO_DEADLINE);
    assert_value(hash, name, "1", NOW);
    hash_validate(hash);
    free_hash(hash);
}

static int set_up(void **state) {
    (void)state;
    hash_seed_set(42);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_pack_stays_small),
        cmocka_unit_test(test_value_forms),
        cmocka_unit_test(test_blobs_are_taken_over),
        cmocka_unit_test(test_deadlines_in_a_pack),
        cmocka_unit_test(test_deadlines_in_a_table),
        cmocka_unit_test(test_due_word),
        cmocka_unit_test(test_free_in_steps),
        cmocka_unit_test(test_footprint),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("types/hash", tests, set_up, NULL);
}
