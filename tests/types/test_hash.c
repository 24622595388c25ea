/* Tests of types/hash: long runs of random commands on a hash and on a plain list of fields alike, in
 * every encoding, while time goes on; and each edge by itself. */
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
static const struct hash_options long_packs = {.pack_entries_max = 512, .pack_value_max = 1000};
static const struct hash_options no_packs = {.pack_entries_max = 0, .pack_value_max = 64};

/* The model: fields are chosen from a fixed set of names, so an array by number will do. */
#define NAMES_MAX 1500
struct model_field {
    bool exists;
    struct bytes value;
    int64_t deadline_ms; /* or ENTRY_NO_DEADLINE */
    unsigned seen;
};
struct model {
    struct model_field fields[NAMES_MAX];
    size_t names;
    int64_t now_ms;
};

/* From this number on names are so long that making room for them may fail. */
#define LONG_NAMES_FROM 1400
#define NAME_SIZE       400

/* The name of field `i`: some are numbers, some long, some binary. */
static struct bytes name_of(size_t i, char *out) {
    if (i >= LONG_NAMES_FROM) {
        memset(out, 'n', 300);
        return bytes_of(out, 300 + (size_t)sprintf(out + 300, "%zu", i));
    }
    switch (i % 4) {
    case 0:
        return bytes_of(out, (size_t)sprintf(out, "%zu", i));
    case 1:
        return bytes_of(out, (size_t)sprintf(out, "field:%zu", i));
    case 2:
        return bytes_of(out, (size_t)sprintf(out, "%zu\r\n", i) + 1); /* with the NUL */
    default:
        return bytes_of(out, (size_t)sprintf(out, "a somewhat longer name of a field %zu", i));
    }
}
static size_t number_of(struct bytes name) {
    size_t number = 0;
    for (size_t i = 0; i < name.size; i++) {
        if (name.at[i] >= '0' && name.at[i] <= '9') {
            number = number * 10 + (size_t)(name.at[i] - '0');
        }
    }
    assert_true(number < NAMES_MAX);
    return number;
}

static bool model_live(const struct model *model, size_t i) {
    const struct model_field *field = &model->fields[i];
    return field->exists &&
           (field->deadline_ms == ENTRY_NO_DEADLINE || field->deadline_ms > model->now_ms);
}

static size_t model_count(const struct model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->names; i++) {
        count += model_live(model, i);
    }
    return count;
}

static void model_set(struct model *model, size_t i, struct bytes value, int64_t deadline_ms) {
    struct model_field *field = &model->fields[i];
    if (deadline_ms == HASH_KEEP_DEADLINE) {
        deadline_ms = model_live(model, i) ? field->deadline_ms : ENTRY_NO_DEADLINE;
    }
    free((void *)(uintptr_t)field->value.at);
    char *copy = malloc(value.size + 1);
    assert_non_null(copy);
    memcpy(copy, value.at, value.size);
    *field = (struct model_field){
        .exists = true, .value = bytes_of(copy, value.size), .deadline_ms = deadline_ms};
}

static void model_free(struct model *model) {
    for (size_t i = 0; i < model->names; i++) {
        free((void *)(uintptr_t)model->fields[i].value.at);
    }
    free(model);
}

static struct model *model_new(size_t names) {
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    model->names = names;
    model->now_ms = NOW;
    return model;
}

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
    struct hash_write write = {
        .field = bytes_text(field), .value = bytes_text(value), .deadline_ms = ENTRY_NO_DEADLINE};
    return hash_set(hash, limits, &write, NOW);
}

static void assert_value(const struct entry *hash, const char *field, const char *expected,
                         int64_t now_ms) {
    struct hash_value value;
    if (expected == NULL) {
        assert_false(hash_get(hash, bytes_text(field), now_ms, &value));
        assert_false(hash_exists(hash, bytes_text(field), now_ms));
        return;
    }
    assert_true(hash_get(hash, bytes_text(field), now_ms, &value));
    assert_true(hash_exists(hash, bytes_text(field), now_ms));
    assert_int_equal(value.text.size, strlen(expected));
    assert_memory_equal(value.text.at, expected, value.text.size);
}

/* A visited field is one of the model's, with its value and deadline. */
static void note_seen(void *context, const struct hash_field *field) {
    struct model *model = context;
    size_t i = number_of(field->name);
    char room[NAME_SIZE];
    assert_true(bytes_equal(field->name, name_of(i, room)));
    assert_true(model_live(model, i));
    assert_true(bytes_equal(field->value, model->fields[i].value));
    assert_true(field->deadline_ms == model->fields[i].deadline_ms);
    assert_true(field->blob == NULL || bytes_equal(blob_bytes(field->blob), field->value));
    model->fields[i].seen++;
}

static void forget_seen(struct model *model) {
    for (size_t i = 0; i < model->names; i++) {
        model->fields[i].seen = 0;
    }
}

static void assert_all_seen_once(struct model *model) {
    for (size_t i = 0; i < model->names; i++) {
        assert_int_equal(model->fields[i].seen, model_live(model, i) ? 1 : 0);
        model->fields[i].seen = 0;
    }
}

static void assert_same(const struct entry *hash, struct model *model) {
    hash_validate(hash);
    assert_int_equal(hash_length(hash, model->now_ms), model_count(model));
    int64_t earliest_ms = INT64_MAX;
    for (size_t i = 0; i < model->names; i++) {
        char room[NAME_SIZE];
        struct bytes name = name_of(i, room);
        struct hash_value value;
        bool is_there = hash_get(hash, name, model->now_ms, &value);
        assert_int_equal(is_there, model_live(model, i));
        assert_int_equal(hash_exists(hash, name, model->now_ms), is_there);
        int64_t deadline_ms = hash_deadline(hash, name, model->now_ms);
        assert_true(deadline_ms == (is_there ? model->fields[i].deadline_ms : HASH_NO_FIELD));
        if (is_there) {
            assert_true(bytes_equal(value.text, model->fields[i].value));
            if (deadline_ms > 0 && deadline_ms < earliest_ms) {
                earliest_ms = deadline_ms;
            }
        }
    }
    if (earliest_ms != INT64_MAX) {
        assert_true(hash_has_deadlines(hash));
        assert_true(hash_next_deadline(hash) <= earliest_ms);
    }
    forget_seen(model);
    hash_visit(hash, model->now_ms, note_seen, model);
    assert_all_seen_once(model);
}

static struct bytes random_value(struct random *random, char *out, size_t big) {
    switch (random_below(random, 8)) {
    case 0:
        return bytes_of(out, 0);
    case 1:
    case 2:
        return bytes_of(
            out, num_format_i64(out, (int64_t)random_next(random) >> random_below(random, 64)));
    default: {
        static const size_t sizes[] = {1, 7, 8, 30, 60, 64, 65, 200, 999, 1000, 1001, 5000};
        size_t size = sizes[random_below(random, big)];
        memset(out, (int)random_below(random, 256), size);
        return bytes_of(out, size);
    }
    }
}
#define VALUES_SMALL  6
#define VALUES_ALL    12
#define VALUE_SIZE    5000
#define DEADLINES_FAR 100000

static int64_t random_deadline(struct random *random, const struct model *model) {
    return model->now_ms + 1 +
           (int64_t)random_below(random, random_below(random, 2) == 0 ? 300 : DEADLINES_FAR);
}

static void random_set(struct random *random, struct entry *hash, const struct hash_options *limits,
                       struct model *model, size_t i, size_t big) {
    char room[NAME_SIZE];
    char value_room[VALUE_SIZE];
    struct hash_write write = {.field = name_of(i, room),
                               .value = random_value(random, value_room, big)};
    static const int64_t kinds[] = {ENTRY_NO_DEADLINE, HASH_KEEP_DEADLINE, 0};
    write.deadline_ms = kinds[random_below(random, 3)];
    if (write.deadline_ms == 0) {
        write.deadline_ms = random_deadline(random, model);
    }
    if (random_below(random, 3) == 0) {
        write.blob = blob_try_copy(write.value);
        assert_non_null(write.blob);
    }
    int expected = model_live(model, i) ? 0 : 1;
    assert_int_equal(hash_set(hash, limits, &write, model->now_ms), expected);
    model_set(model, i, write.value, write.deadline_ms);
}

static void random_step(struct random *random, struct entry *hash,
                        const struct hash_options *limits, struct model *model, size_t big) {
    size_t i = random_below(random, model->names);
    struct model_field *field = &model->fields[i];
    bool live = model_live(model, i);
    char room[NAME_SIZE];
    struct bytes name = name_of(i, room);
    switch (random_below(random, 10)) {
    case 0:
    case 1:
        assert_int_equal(hash_delete(hash, name, model->now_ms), live);
        field->exists = live ? false : field->exists;
        break;
    case 2: {
        int64_t deadline_ms = random_deadline(random, model);
        int result = hash_set_deadline(hash, name, deadline_ms, model->now_ms);
        assert_int_equal(result, live ? 0 : -ENOENT);
        field->deadline_ms = live ? deadline_ms : field->deadline_ms;
        break;
    }
    case 3: {
        int result = hash_persist(hash, name, model->now_ms);
        bool had = live && field->deadline_ms != ENTRY_NO_DEADLINE;
        assert_int_equal(result, !live ? -ENOENT : had ? 0 : -ENODATA);
        field->deadline_ms = live ? ENTRY_NO_DEADLINE : field->deadline_ms;
        break;
    }
    case 4: {
        model->now_ms += (int64_t)random_below(random, 60);
        bool done;
        size_t max = 1 + random_below(random, 5);
        assert_true(hash_expire_due(hash, model->now_ms, max, &done) <= max);
        break;
    }
    default:
        random_set(random, hash, limits, model, i, big);
    }
}

/* Runs random commands with the given limits, and ends with the hash in that encoding. */
static void run_random(uint64_t seed, const struct hash_options *limits, size_t names, size_t big,
                       const char *encoding) {
    struct random random;
    random_init(&random, seed);
    size_t used_before = mem_used();
    struct model *model = model_new(names);
    struct entry *hash = new_hash();
    for (unsigned i = 0; i < 3000; i++) {
        random_step(&random, hash, limits, model, big);
        if (i % 100 == 0) {
            assert_same(hash, model);
        }
        if (i % 500 == 0) {
            assert_int_equal(mem_used() - used_before,
                             hash_footprint(hash, 0) + entry_footprint(hash));
        }
    }
    assert_same(hash, model);
    assert_string_equal(hash_encoding_name(hash), encoding);

    /* Everything with a deadline goes when its time has come, in slices. */
    model->now_ms += DEADLINES_FAR + 1;
    assert_same(hash, model);
    bool done = false;
    for (unsigned i = 0; !done; i++) {
        assert_true(i < 100000);
        hash_expire_due(hash, model->now_ms, 3, &done);
    }
    assert_same(hash, model);
    assert_false(hash_has_deadlines(hash));
    assert_int_equal(hash_is_empty(hash), model_count(model) == 0);
    free_hash(hash);
    model_free(model);
    assert_int_equal(mem_used(), used_before);
}

static void test_random_commands_on_packs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        run_random(seed, &defaults, 80, VALUES_SMALL, "listpackex");
    }
}

static void test_random_commands_on_tables(void **state) {
    (void)state;
    for (uint64_t seed = 11; seed <= 15; seed++) {
        run_random(seed, &no_packs, 200, VALUES_ALL, "hashtable");
    }
}

static void test_random_commands_through_conversion(void **state) {
    (void)state;
    struct hash_options limits = {.pack_entries_max = 100, .pack_value_max = 64};
    for (uint64_t seed = 21; seed <= 25; seed++) {
        run_random(seed, &limits, 400, VALUES_SMALL, "hashtable");
        run_random(seed, &defaults, 60, VALUES_ALL, "hashtable");
    }
}

static void test_empty(void **state) {
    (void)state;
    struct entry *hash = new_hash();
    assert_string_equal(hash_encoding_name(hash), "listpack");
    assert_int_equal(hash_length(hash, NOW), 0);
    assert_true(hash_is_empty(hash));
    assert_value(hash, "", NULL, NOW);
    assert_false(hash_delete(hash, bytes_text("a"), NOW));
    assert_int_equal(hash_next_deadline(hash), ENTRY_NO_DEADLINE);
    assert_null(hash_due_word(hash));
    assert_int_equal(hash_set_deadline(hash, bytes_text("a"), NOW + 1, NOW), -ENOENT);
    assert_string_equal(hash_encoding_name(hash), "listpack");
    struct model *model = model_new(0);
    struct random random;
    random_init(&random, 1);
    assert_int_equal(hash_random(hash, NOW, &random, 5, note_seen, model), 0);
    assert_int_equal(hash_random_distinct(hash, NOW, &random, 5, note_seen, model), 0);
    assert_int_equal(hash_scan(hash, 0, NOW, note_seen, model), 0);
    assert_int_equal(set(hash, &defaults, "", ""), 1);
    assert_value(hash, "", "", NOW);
    assert_int_equal(set(hash, &defaults, "", "x"), 0);
    assert_int_equal(hash_length(hash, NOW), 1);
    free_hash(hash);
    model_free(model);

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
        assert_true(hash_get(hash, bytes_text("f"), NOW, &value));
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
        struct hash_write write = {.field = bytes_text("f"),
                                   .value = blob_bytes(blob),
                                   .blob = blob,
                                   .deadline_ms = ENTRY_NO_DEADLINE};
        assert_int_equal(hash_set(hash, &defaults, &write, NOW), 1);
        struct hash_value value;
        assert_true(hash_get(hash, bytes_text("f"), NOW, &value));
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
    assert_int_equal(hash_set_deadline(hash, bytes_text("a"), NOW + 100, NOW), 0);
    assert_string_equal(hash_encoding_name(hash), encoding);
    assert_int_equal(hash_deadline(hash, bytes_text("a"), NOW), NOW + 100);
    assert_int_equal(hash_deadline(hash, bytes_text("b"), NOW), ENTRY_NO_DEADLINE);
    assert_int_equal(hash_deadline(hash, bytes_text("d"), NOW), HASH_NO_FIELD);
    assert_true(hash_next_deadline(hash) <= NOW + 100);
    assert_true(hash_next_deadline(hash) > NOW + 100 - 10000);
    assert_int_equal(*hash_due_word(hash), 0);

    /* There up to its deadline, absent from it on, for every read. */
    assert_value(hash, "a", "1", NOW + 99);
    assert_value(hash, "a", NULL, NOW + 100);
    assert_false(hash_is_empty(hash));
    assert_int_equal(hash_length(hash, NOW + 99), 3);
    assert_int_equal(hash_length(hash, NOW + 100), 2);
    assert_false(hash_delete(hash, bytes_text("a"), NOW + 100));
    assert_int_equal(hash_persist(hash, bytes_text("a"), NOW + 100), -ENOENT);
    assert_int_equal(hash_set_deadline(hash, bytes_text("a"), NOW + 500, NOW + 100), -ENOENT);

    /* Set anew it is a new field, without the old deadline even if that is to be kept. */
    struct hash_write write = {
        .field = bytes_text("a"), .value = bytes_text("new"), .deadline_ms = HASH_KEEP_DEADLINE};
    assert_int_equal(hash_set(hash, limits, &write, NOW + 100), 1);
    assert_int_equal(hash_deadline(hash, bytes_text("a"), NOW + 100), ENTRY_NO_DEADLINE);
    assert_int_equal(hash_length(hash, NOW + 100), 3);
    bool done;
    assert_int_equal(hash_expire_due(hash, NOW + 100, 10, &done), 0);
    assert_true(done);

    /* A deadline far out is held as the latest there can be; removal is exact and sliced. */
    assert_int_equal(hash_set_deadline(hash, bytes_text("c"), INT64_MAX, NOW), 0);
    assert_int_equal(hash_deadline(hash, bytes_text("c"), NOW), ENTRY_DEADLINE_MAX);
    hash_set_deadline(hash, bytes_text("a"), NOW + 200, NOW + 100);
    hash_set_deadline(hash, bytes_text("b"), NOW + 201, NOW + 100);
    assert_int_equal(hash_expire_due(hash, NOW + 199, 10, &done), 0);
    assert_true(done);
    assert_int_equal(hash_expire_due(hash, NOW + 200, 10, &done), 1);
    assert_int_equal(hash_length(hash, NOW + 200), 2);
    assert_int_equal(hash_expire_due(hash, NOW + 300, 10, &done), 1);
    assert_int_equal(hash_length(hash, NOW + 300), 1);
    assert_int_equal(hash_persist(hash, bytes_text("c"), NOW + 300), 0);
    assert_int_equal(hash_persist(hash, bytes_text("c"), NOW + 300), -ENODATA);
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
    hash_set_deadline(hash, bytes_text("a"), NOW + 100, NOW);
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
    assert_int_equal(hash_deadline(hash, bytes_text("a"), NOW), NOW + 100);
    free_hash(copy);
    free_hash(hash);
}

static void check_copy(const struct hash_options *limits) {
    struct random random;
    random_init(&random, 5);
    struct model *model = model_new(100);
    struct entry *hash = new_hash();
    for (unsigned i = 0; i < 300; i++) {
        random_set(&random, hash, limits, model, random_below(&random, 100), VALUES_SMALL);
    }
    struct entry_shape shape;
    assert_int_equal(hash_copy(hash, &shape), 0);
    struct entry *copy = entry_try_new(bytes_text("copy"), &shape);
    assert_string_equal(hash_encoding_name(copy), hash_encoding_name(hash));
    /* Neither knows of the other. */
    hash_visit(hash, INT64_MIN, note_seen, model);
    forget_seen(model);
    assert_same(copy, model);
    free_hash(hash);
    assert_same(copy, model);
    bool done;
    model->now_ms += DEADLINES_FAR + 1;
    hash_expire_due(copy, model->now_ms, 1000, &done);
    assert_true(done);
    assert_same(copy, model);
    free_hash(copy);
    model_free(model);
}

static void test_copy(void **state) {
    (void)state;
    check_copy(&defaults);
    check_copy(&no_packs);
}

/* What is there from the first to the last step of a scan is seen, while other fields expire, are
 * deleted and added, and the pack becomes a table in the middle. */
static void test_scan_while_it_changes(void **state) {
    (void)state;
    for (size_t names = 10; names <= NAMES_MAX; names *= 5) {
        struct model *model = model_new(names);
        struct entry *hash = new_hash();
        char room[NAME_SIZE];
        for (size_t i = 0; i < names; i++) {
            struct hash_write write = {.field = name_of(i, room), .value = bytes_text("v")};
            write.deadline_ms = i % 3 == 0 ? NOW + 50 : ENTRY_NO_DEADLINE;
            assert_int_equal(hash_set(hash, &no_packs, &write, NOW), 1);
            model_set(model, i, write.value, write.deadline_ms);
        }
        uint64_t cursor = 0;
        size_t steps = 0;
        size_t next = 1;
        do {
            cursor = hash_scan(hash, cursor, model->now_ms, note_seen, model);
            steps++;
            if (steps == 3) {
                model->now_ms = NOW + 50;
                bool done;
                hash_expire_due(hash, model->now_ms, names / 6, &done);
            }
            if (next < names) {
                assert_true(hash_delete(hash, name_of(next, room), model->now_ms));
                model->fields[next].exists = false;
                next += 3;
            }
            assert_true(steps < 10 * names + 10);
        } while (cursor != 0);
        for (size_t i = 2; i < names; i += 3) {
            assert_true(model->fields[i].seen >= 1);
        }
        assert_same(hash, model);
        free_hash(hash);
        model_free(model);
    }
}

static void check_random(const struct hash_options *limits, size_t names) {
    struct random random;
    random_init(&random, 77);
    struct model *model = model_new(names);
    struct entry *hash = new_hash();
    char room[NAME_SIZE];
    for (size_t i = 0; i < names; i++) {
        struct hash_write write = {.field = name_of(i, room), .value = bytes_text("v")};
        write.deadline_ms = i % 2 == 0 ? NOW + 50 : ENTRY_NO_DEADLINE;
        hash_set(hash, limits, &write, NOW);
        model_set(model, i, write.value, write.deadline_ms);
    }
    for (unsigned turn = 0; turn < 2; turn++) {
        size_t live = model_count(model);
        forget_seen(model);
        /* In so many draws every field comes up sooner or later. */
        size_t draws = live * 60;
        assert_int_equal(hash_random(hash, model->now_ms, &random, draws, note_seen, model), draws);
        for (size_t i = 0; i < names; i++) {
            assert_int_equal(model->fields[i].seen > 0, model_live(model, i));
        }
        size_t counts[] = {0, 1, live / 4, live / 2, live - 1, live, live + 1, SIZE_MAX};
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            forget_seen(model);
            size_t expected = counts[c] < live ? counts[c] : live;
            assert_int_equal(
                hash_random_distinct(hash, model->now_ms, &random, counts[c], note_seen, model),
                expected);
            size_t seen = 0;
            for (size_t i = 0; i < names; i++) {
                assert_true(model->fields[i].seen <= 1);
                seen += model->fields[i].seen;
            }
            assert_int_equal(seen, expected);
        }
        /* The second time with half of them expired and still there. */
        model->now_ms = NOW + 50;
    }
    free_hash(hash);
    model_free(model);
}

static void test_random_fields(void **state) {
    (void)state;
    check_random(&defaults, 8);
    check_random(&defaults, 300);
    check_random(&no_packs, 8);
    check_random(&no_packs, 1000);
}

/* With one live field among many expired ones, it is still found. */
static void test_random_field_among_expired(void **state) {
    (void)state;
    struct model *model = model_new(1000);
    struct entry *hash = new_hash();
    char room[NAME_SIZE];
    for (size_t i = 0; i < 1000; i++) {
        struct hash_write write = {.field = name_of(i, room), .value = bytes_text("v")};
        write.deadline_ms = i == 700 ? ENTRY_NO_DEADLINE : NOW + 1;
        hash_set(hash, &no_packs, &write, NOW);
        model_set(model, i, write.value, write.deadline_ms);
    }
    model->now_ms = NOW + 1;
    struct random random;
    random_init(&random, 3);
    assert_int_equal(hash_random(hash, NOW + 1, &random, 4, note_seen, model), 4);
    assert_int_equal(model->fields[700].seen, 4);
    assert_int_equal(hash_random_distinct(hash, NOW + 1, &random, 4, note_seen, model), 1);
    free_hash(hash);
    model_free(model);
}

static void test_free_in_steps(void **state) {
    (void)state;
    size_t used_before = mem_used();
    struct entry *hash = new_hash();
    assert_int_equal(hash_free_cost(hash), 1);
    char room[NAME_SIZE];
    for (size_t i = 0; i < 1000; i++) {
        struct hash_write write = {
            .field = name_of(i, room), .value = bytes_text("v"), .deadline_ms = NOW + (int64_t)i};
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

/* Fails each allocation in turn that may fail: the hash is unchanged then, and works afterwards. */
static void check_no_memory(bool is_table, bool is_new) {
    char big[3000];
    memset(big, 'z', sizeof big);
    for (uint64_t nth = 1;; nth++) {
        size_t used_before = mem_used();
        struct model *model = model_new(LONG_NAMES_FROM + 4);
        struct entry *hash = new_hash();
        char room[NAME_SIZE];
        for (size_t i = LONG_NAMES_FROM; i < LONG_NAMES_FROM + 3; i++) {
            struct hash_write write = {
                .field = name_of(i, room), .value = bytes_text("v"), .deadline_ms = NOW + 10};
            assert_int_equal(hash_set(hash, is_table ? &no_packs : &long_packs, &write, NOW), 1);
            model_set(model, i, write.value, write.deadline_ms);
        }
        size_t number = LONG_NAMES_FROM + (is_new ? 3 : 1);
        struct hash_write write = {.field = name_of(number, room),
                                   .value = bytes_of(big, sizeof big),
                                   .deadline_ms = ENTRY_NO_DEADLINE};
        mem_fail_after(nth);
        int result = hash_set(hash, &long_packs, &write, NOW);
        mem_fail_after(0);
        if (result >= 0) {
            model_set(model, number, write.value, write.deadline_ms);
        } else {
            assert_int_equal(result, -ENOMEM);
        }
        assert_same(hash, model);
        free_hash(hash);
        model_free(model);
        assert_int_equal(mem_used(), used_before);
        if (result >= 0) {
            assert_true(nth > 1);
            break;
        }
    }
}

static void test_no_memory(void **state) {
    (void)state;
    check_no_memory(false, true);
    check_no_memory(true, true);
    check_no_memory(true, false);
    /* A copy fails as a whole, and so does room for a deadline. */
    struct entry *hash = new_hash();
    char name[NAME_SIZE];
    char other[NAME_SIZE];
    name[name_of(LONG_NAMES_FROM, name).size] = '\0';
    other[name_of(LONG_NAMES_FROM + 1, other).size] = '\0';
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
    assert_int_equal(hash_set_deadline(hash, bytes_text(name), NOW + 5, NOW), -ENOMEM);
    mem_fail_after(0);
    assert_int_equal(hash_deadline(hash, bytes_text(name), NOW), ENTRY_NO_DEADLINE);
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
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_scan_while_it_changes),
        cmocka_unit_test(test_random_fields),
        cmocka_unit_test(test_random_field_among_expired),
        cmocka_unit_test(test_free_in_steps),
        cmocka_unit_test(test_footprint),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_random_commands_on_packs),
        cmocka_unit_test(test_random_commands_on_tables),
        cmocka_unit_test(test_random_commands_through_conversion),
    };
    return cmocka_run_group_tests_name("types/hash", tests, set_up, NULL);
}
