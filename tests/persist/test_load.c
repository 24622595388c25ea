/* Tests of persist/load: files of every kind of value become keys, alone and while somebody writes;
 * damaged ones never become anything that is not sound. What is shared is compared with a
 * model. */
#include "persist/load.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "persist/load_ahead.h"
#include "persist/written.h"
#include "store/access.h"
#include "support/snapshot.h"
#include "types/digest.h"
#include "types/string.h"
#include "types/value.h"

#define START_MS  ((int64_t)1700000000000)
#define DATABASES 4
#define NAMES     400
#define ROUNDS    60
#define FAILURES  60

struct fixture {
    struct clock clock;
    struct options *options;
    struct metrics *metrics;
    struct keyspace keyspace;
    char path[64];
    size_t memory;
};

static uint32_t chance = 1;

static size_t below(size_t limit) {
    chance = chance * 1664525 + 1013904223;
    return (size_t)((uint64_t)chance * limit >> 32);
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->memory = mem_used();
    clock_init(&fixture->clock);
    clock_drive(&fixture->clock, START_MS);
    fixture->options = options_new();
    fixture->metrics = metrics_new();
    keyspace_init(&fixture->keyspace, &fixture->clock, fixture->options, fixture->metrics);
    fixture->keyspace.options.databases = DATABASES;
    keyspace_start(&fixture->keyspace);
    snprintf(fixture->path, sizeof fixture->path, "/tmp/larder-load-XXXXXX");
    int fd = mkstemp(fixture->path);
    assert_true(fd >= 0);
    close(fd);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    unlink(fixture->path);
    keyspace_free(&fixture->keyspace);
    options_free(fixture->options);
    metrics_free(fixture->metrics);
    assert_int_equal(mem_used(), fixture->memory);
    free(fixture);
    return 0;
}

static struct load_setup setup_of(struct fixture *fixture) {
    return (struct load_setup){
        .path = fixture->path, .keyspace = &fixture->keyspace, .threads = 1 + (int)below(3)};
}

/* Writes the file away and loads it, alone; gives the figures. */
static enum load_state load_with(struct fixture *fixture, struct rdb_writer *writer,
                                 const struct load_setup *setup, struct load_figures *figures,
                                 struct rdb_damage *damage) {
    int status;
    image_write(rdb_written(writer), fixture->path);
    struct load *load = load_begin(setup, &status, damage);
    if (load == NULL) {
        assert_int_equal(status, -EBADMSG);
        return LOAD_DAMAGED;
    }
    enum load_state state = load_finish(load);
    *figures = *load_figures(load);
    if (state == LOAD_DAMAGED) {
        *damage = *load_damage(load);
        assert_true(damage->text[0] != '\0');
    }
    load_free(load);
    keyspace_validate(&fixture->keyspace);
    return state;
}

static struct entry *look(struct fixture *fixture, int database, const char *name) {
    struct key key =
        keyspace_key(&fixture->keyspace, &fixture->keyspace.databases[database], bytes_text(name));
    return keyspace_peek(&fixture->keyspace, &key);
}

static void expect_text(struct fixture *fixture, int database, const char *name,
                        const char *value) {
    struct entry *entry = look(fixture, database, name);
    if (value == NULL) {
        assert_null(entry);
        return;
    }
    assert_non_null(entry);
    char scratch[NUM_I64_SIZE];
    struct bytes text = string_bytes(entry, scratch);
    assert_int_equal(text.size, strlen(value));
    assert_memory_equal(text.at, value, text.size);
}

/* ---- values ---- */

enum kind { STRING, LIST, SET, ZSET, HASH, KINDS };

/* An entry with `count` elements. */
static struct entry *make_value(struct fixture *fixture, enum kind kind, size_t count) {
    const struct keyspace *keyspace = &fixture->keyspace;
    char text[64];
    struct entry_shape shape;
    switch (kind) {
    case LIST:
        shape = list_new_shape(&keyspace->list_options, 0);
        break;
    case SET:
        shape = set_new_shape(&keyspace->set_options, bytes_text("0"), 1);
        break;
    case ZSET:
        shape = zset_new_shape();
        break;
    case HASH:
        shape = hash_new_shape();
        break;
    default:
        snprintf(text, sizeof text, "%zu", count);
        assert_true(string_shape(bytes_text(text), &shape));
    }
    struct entry *entry = entry_try_new(bytes_text("k"), &shape);
    for (size_t i = 0; kind != STRING && i < count; i++) {
        snprintf(text, sizeof text, "element %zu of %zu aaaaaaaaaaaaaaaaaaaaaaaa", i, count);
        struct bytes name = bytes_text(text);
        double ignored;
        struct list_write push = {.text = name};
        struct zset_write score = {.name = element_name_of(name), .score = (double)i};
        struct hash_write field = {
            .field = element_name_of(name), .value = name, .deadline_ms = ENTRY_NO_DEADLINE};
        int status;
        if (kind == LIST) {
            status = list_push(entry, &keyspace->list_options, LIST_TAIL, &push);
        } else if (kind == SET) {
            status = set_add(entry, &keyspace->set_options, name, set_hash(name));
        } else if (kind == ZSET) {
            status = (int)zset_set(entry, &keyspace->zset_options, &score, &ignored);
        } else {
            status = hash_set(entry, &keyspace->hash_options, &field, 0);
        }
        assert_true(status >= 0);
    }
    return entry;
}

static struct digest digest_of(const struct entry *entry) {
    struct digest digest = {{0}};
    digest_value(&digest, entry, START_MS);
    return digest;
}

/* A file with every kind of value in several sizes. */
static void write_values(struct fixture *fixture, struct rdb_writer *writer,
                         struct digest digests[NAMES], size_t count) {
    image_begin(writer, "REDIS0010");
    image_part(writer, SNAPSHOT_AUX);
    image_text(writer, "redis-ver");
    image_text(writer, "7.0.15");
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "key%zu", i);
        struct entry *entry = make_value(fixture, (enum kind)(i % KINDS), 1 + i * i % 300);
        if (i % 7 == 0) {
            image_number(writer, SNAPSHOT_SELECT, i % DATABASES);
        }
        image_value(writer, name, entry);
        digests[i] = digest_of(entry);
        value_free(entry);
    }
    image_end(writer);
}

static void every_value_becomes_what_it_was(void **state) {
    struct fixture *fixture = *state;
    static struct digest digests[NAMES];
    struct rdb_writer writer;
    write_values(fixture, &writer, digests, NAMES);
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
    assert_int_equal(figures.keys, NAMES);
    assert_int_equal(figures.bytes, figures.bytes_total);
    int database = 0;
    for (size_t i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "key%zu", i);
        database = i % 7 == 0 ? (int)(i % DATABASES) : database;
        struct entry *entry = look(fixture, database, name);
        assert_non_null(entry);
        struct digest digest = digest_of(entry);
        assert_memory_equal(&digest, &digests[i], sizeof digest);
    }
    rdb_writer_clear(&writer);
}

/* ---- single keys ---- */

static void deadlines_and_use_are_kept(void **state) {
    struct fixture *fixture = *state;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    struct rdb_writer writer;
    for (int keeps = 0; keeps < 2; keeps++) {
        image_begin(&writer, "REDIS0010");
        image_deadline(&writer, START_MS);
        image_string(&writer, "late", "v");
        image_deadline(&writer, START_MS + 1000);
        image_string(&writer, "early", "v");
        image_number(&writer, SNAPSHOT_IDLE, 100);
        image_string(&writer, "idle", "v");
        image_number(&writer, SNAPSHOT_IDLE, (uint64_t)1 << 40);
        image_string(&writer, "very-idle", "v");
        image_string(&writer, "unknown", "v");
        image_end(&writer);
        setup.keeps_expired = keeps;
        assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
        assert_int_equal(figures.expired, !keeps);
        assert_int_equal(figures.keys, 4 + keeps);
        assert_int_equal(entry_deadline(look(fixture, 0, "early")), START_MS + 1000);
        assert_int_equal(access_idle_ms(look(fixture, 0, "idle"), START_MS) / 1000, 100);
        assert_true(access_idle_ms(look(fixture, 0, "very-idle"), START_MS) > 11 * 86400000ll);
        assert_int_equal(access_idle_ms(look(fixture, 0, "unknown"), START_MS), 0);
        keyspace_flush(&fixture->keyspace, -1, false);
        rdb_writer_clear(&writer);
    }
    keyspace_set_access_rule(&fixture->keyspace, ACCESS_FREQUENCY, 10, 1);
    image_begin(&writer, "REDIS0010");
    image_part(&writer, SNAPSHOT_FREQ);
    rdb_write_byte(&writer, 77);
    image_string(&writer, "used", "v");
    image_string(&writer, "new", "v");
    image_end(&writer);
    assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
    uint32_t minute = access_minute(START_MS);
    assert_int_equal(access_counter(look(fixture, 0, "used")->access, minute, 1), 77);
    assert_int_equal(access_counter(look(fixture, 0, "new")->access, minute, 1),
                     ACCESS_COUNTER_NEW);
    rdb_writer_clear(&writer);
}

static void what_is_empty_is_left_out(void **state) {
    struct fixture *fixture = *state;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    struct rdb_writer writer;
    image_begin(&writer, "REDIS0010");
    rdb_write_raw(&writer, "\2\1e\0", 4);
    image_string(&writer, "key", "v");
    image_end(&writer);
    assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
    assert_int_equal(figures.empty, 1);
    assert_int_equal(figures.keys, 1);
    rdb_writer_clear(&writer);
}

static void a_key_twice_is_damage(void **state) {
    struct fixture *fixture = *state;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    struct rdb_writer writer;
    image_begin(&writer, "REDIS0010");
    image_string(&writer, "a", "1");
    image_string(&writer, "b", "1");
    size_t offset = writer.size;
    image_string(&writer, "a", "2");
    image_end(&writer);
    assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DAMAGED);
    assert_int_equal(damage.offset, offset);
    rdb_writer_clear(&writer);
}

static void count_function(void *context, struct bytes source) {
    assert_true(source.size > 40 && memcmp(source.at, "#!lua", 5) == 0);
    ++*(int *)context;
}

static void count_note(void *context, struct bytes name, struct bytes value) {
    assert_true(bytes_is(name, "number") && bytes_is(value, "-12345"));
    ++*(int *)context;
}

static void what_is_no_key_goes_to_who_wants_it(void **state) {
    struct fixture *fixture = *state;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    struct rdb_writer writer;
    image_begin(&writer, "REDIS0010");
    for (int i = 0; i < 3; i++) {
        image_part(&writer, SNAPSHOT_FUNCTION);
        image_text(&writer, "#!lua name=mine aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    }
    image_part(&writer, SNAPSHOT_AUX);
    image_text(&writer, "number");
    image_text(&writer, "-12345");
    image_end(&writer);
    assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
    assert_int_equal(figures.functions, 3);
    int count = 0;
    setup.context = &count;
    setup.on_function = count_function;
    setup.on_note = count_note;
    assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
    assert_int_equal(figures.functions, 0);
    assert_int_equal(count, 4);
    rdb_writer_clear(&writer);
}

/* Of keys that were used differently only the most used ones have room. */
static void the_least_used_are_left_out(void **state) {
    struct fixture *fixture = *state;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    for (int by_frequency = 0; by_frequency < 2; by_frequency++) {
        struct rdb_writer writer;
        image_begin(&writer, "REDIS0010");
        for (int i = 0; i < 100; i++) {
            char name[32];
            snprintf(name, sizeof name, "key%02d", i);
            if (by_frequency) {
                image_part(&writer, SNAPSHOT_FREQ);
                rdb_write_byte(&writer, (uint8_t)(2 * i));
            } else {
                image_number(&writer, SNAPSHOT_IDLE, (uint64_t)1 << (99 - i) % 25);
            }
            image_string(&writer, name, "a value");
        }
        image_end(&writer);
        /* Each takes 22 + 6 + 8 bytes. */
        setup.room = 36 * 20;
        assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
        assert_int_equal(figures.keys + figures.unwanted, 100);
        assert_in_range(figures.keys, 20, 22);
        for (int i = 0; i < 100; i++) {
            char name[32];
            snprintf(name, sizeof name, "key%02d", i);
            bool is_used = by_frequency ? i >= 79 : (99 - i) % 25 < 5;
            assert_int_equal(look(fixture, 0, name) != NULL, is_used);
        }
        keyspace_flush(&fixture->keyspace, -1, false);
        setup.room = 36 * 101;
        assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DONE);
        assert_int_equal(figures.keys, 100);
        keyspace_flush(&fixture->keyspace, -1, false);
        rdb_writer_clear(&writer);
    }
}

/* ---- damage ---- */

static void no_damage_becomes_anything_unsound(void **state) {
    struct fixture *fixture = *state;
    static struct digest digests[NAMES];
    struct rdb_writer writer;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    write_values(fixture, &writer, digests, 12);
    for (size_t i = 0; i < writer.size; i += 1 + below(4)) {
        char was = writer.at[i];
        writer.at[i] = (char)(below(3) == 0 ? below(256) : (size_t)was ^ (size_t)1 << below(8));
        setup.ignores_sum = true;
        (void)load_with(fixture, &writer, &setup, &figures, &damage);
        keyspace_flush(&fixture->keyspace, -1, false);
        setup.ignores_sum = false;
        enum load_state state_then = load_with(fixture, &writer, &setup, &figures, &damage);
        assert_int_equal(state_then, writer.at[i] == was ? LOAD_DONE : LOAD_DAMAGED);
        keyspace_flush(&fixture->keyspace, -1, false);
        writer.at[i] = was;
    }
    size_t size = writer.size;
    for (writer.size = 0; writer.size < size; writer.size += 1 + below(9)) {
        assert_int_equal(load_with(fixture, &writer, &setup, &figures, &damage), LOAD_DAMAGED);
        assert_true(damage.offset <= writer.size);
        keyspace_flush(&fixture->keyspace, -1, false);
    }
    rdb_writer_clear(&writer);
}

static void want_of_memory_is_damage(void **state) {
    struct fixture *fixture = *state;
    static struct digest digests[NAMES];
    struct rdb_writer writer;
    struct load_setup setup = setup_of(fixture);
    struct load_figures figures;
    struct rdb_damage damage;
    int failed = 0;
    write_values(fixture, &writer, digests, 25);
    image_write(rdb_written(&writer), fixture->path);
    for (uint64_t i = 1; i <= FAILURES; i++) {
        setup.is_shared = i % 2;
        mem_fail_after(i * 3);
        int status;
        struct load *load = load_begin(&setup, &status, &damage);
        assert_non_null(load);
        failed += load_finish(load) == LOAD_DAMAGED;
        figures = *load_figures(load);
        assert_true(figures.keys <= 25);
        load_free(load);
        mem_fail_after(0);
        keyspace_validate(&fixture->keyspace);
        keyspace_flush(&fixture->keyspace, -1, false);
    }
    assert_true(failed > FAILURES / 2);
    rdb_writer_clear(&writer);
}

static void it_can_be_left_anywhere(void **state) {
    struct fixture *fixture = *state;
    static struct digest digests[NAMES];
    struct rdb_writer writer;
    struct load_setup setup = setup_of(fixture);
    struct rdb_damage damage;
    write_values(fixture, &writer, digests, 200);
    image_write(rdb_written(&writer), fixture->path);
    for (int passes = 0; passes < 40; passes++) {
        int status;
        bool more;
        setup.threads = 1 + passes % 4;
        setup.is_shared = passes % 2;
        struct load *load = load_begin(&setup, &status, &damage);
        assert_non_null(load);
        for (int i = 0; i < passes; i++) {
            (void)load_pass(load, 0, &more);
        }
        load_free(load);
        keyspace_validate(&fixture->keyspace);
        keyspace_flush(&fixture->keyspace, -1, false);
    }
    rdb_writer_clear(&writer);
}

/* ---- shared, against a model ---- */

/* What a name of a database may be at this time: what was last written, or what the file has, which
 * may be there already or not yet. */
struct named {
    int written; /* the number that was written last; -1: was removed, -2: nothing was written */
    bool in_file;
};

struct model {
    struct named names[DATABASES][NAMES];
};

static void name_of(char *out, size_t size, size_t number) {
    snprintf(out, size, "name:%zu", number);
}

static void check_name(struct fixture *fixture, const struct model *model, int database,
                       size_t number, bool is_over) {
    const struct named *named = &model->names[database][number];
    char name[32];
    char value[32];
    name_of(name, sizeof name, number);
    struct entry *entry = look(fixture, database, name);
    if (named->written >= 0) {
        snprintf(value, sizeof value, "w%d", named->written);
        expect_text(fixture, database, name, value);
    } else if (named->written == -1 || !named->in_file) {
        assert_null(entry);
    } else {
        assert_true(entry != NULL || !is_over);
        if (entry != NULL) {
            char scratch[NUM_I64_SIZE];
            struct bytes text = string_bytes(entry, scratch);
            assert_int_equal(text.at[0], 'f');
        }
    }
}

static void write_model_file(struct rdb_writer *writer, struct model *model) {
    memset(model, 0, sizeof *model);
    image_begin(writer, "REDIS0010");
    for (int database = 0; database < DATABASES; database++) {
        image_number(writer, SNAPSHOT_SELECT, (uint64_t)database);
        for (size_t i = 0; i < NAMES; i++) {
            struct named *named = &model->names[database][i];
            named->written = -2;
            named->in_file = below(4) > 0;
            if (named->in_file) {
                char name[32];
                char value[32];
                name_of(name, sizeof name, i);
                snprintf(value, sizeof value, "f%d:%zu", database, i);
                image_string(writer, name, value);
            }
        }
    }
    image_end(writer);
}

static void do_something(struct fixture *fixture, struct model *model, struct load *load) {
    struct keyspace *keyspace = &fixture->keyspace;
    int database = (int)below(DATABASES);
    size_t number = below(NAMES);
    struct named *named = &model->names[database][number];
    char text[32];
    name_of(text, sizeof text, number);
    struct key key = keyspace_key(keyspace, &keyspace->databases[database], bytes_text(text));
    switch (below(40)) {
    case 0:
        keyspace_flush(keyspace, database, false);
        for (size_t i = 0; i < NAMES; i++) {
            model->names[database][i].written = -1;
        }
        break;
    case 1: {
        int other = (int)below(DATABASES);
        static struct named swapped[NAMES];
        keyspace_swap(keyspace, database, other);
        memcpy(swapped, model->names[database], sizeof swapped);
        memcpy(model->names[database], model->names[other], sizeof swapped);
        memcpy(model->names[other], swapped, sizeof swapped);
        break;
    }
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
        /* As DEL does, whether it is there or not. */
        load_outdo(load, &key);
        if (keyspace_delete(keyspace, &key, false)) {
            keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "del");
        }
        named->written = -1;
        break;
    case 12:
    case 13:
    case 14: {
        /* A key that is there is changed, and expires. */
        struct entry *entry = keyspace_write(keyspace, &key);
        if (entry != NULL) {
            assert_non_null(
                keyspace_set_deadline(keyspace, &key, entry, fixture->clock.now_ms + 1));
            keyspace_changed(keyspace, &key, KEYSPACE_GENERIC, "expire");
            clock_drive(&fixture->clock, fixture->clock.now_ms + 2);
            assert_null(keyspace_peek(keyspace, &key));
            named->written = -1;
        }
        break;
    }
    case 15:
    case 16: {
        /* Room is made. */
        struct entry *entry = keyspace_write(keyspace, &key);
        if (entry != NULL) {
            keyspace_evict(keyspace, key.database, entry);
            named->written = -1;
        }
        break;
    }
    default: {
        static int number_written;
        named->written = number_written++;
        char value[32];
        snprintf(value, sizeof value, "w%d", named->written);
        struct entry *entry = keyspace_write(keyspace, &key);
        assert_non_null(keyspace_assign_text(keyspace, &key, entry, bytes_text(value), NULL,
                                             ENTRY_NO_DEADLINE));
        keyspace_changed(keyspace, &key, KEYSPACE_STRING, "set");
    }
    }
}

static void what_is_written_meanwhile_wins(void **state) {
    struct fixture *fixture = *state;
    static struct model model;
    uint64_t outdone = 0;
    for (int round = 0; round < ROUNDS; round++) {
        chance = (uint32_t)round * 7919 + 1;
        struct rdb_writer writer;
        write_model_file(&writer, &model);
        image_write(rdb_written(&writer), fixture->path);
        rdb_writer_clear(&writer);
        struct load_setup setup = setup_of(fixture);
        struct rdb_damage damage;
        int status;
        bool more;
        setup.is_shared = true;
        struct load *load = load_begin(&setup, &status, &damage);
        assert_non_null(load);
        enum load_state now;
        size_t often = below(4);
        while ((now = load_pass(load, 0, &more)) == LOAD_GOING) {
            for (size_t i = 0; i < often; i++) {
                do_something(fixture, &model, load);
                check_name(fixture, &model, (int)below(DATABASES), below(NAMES), false);
            }
        }
        assert_int_equal(now, LOAD_DONE);
        outdone += load_figures(load)->outdone;
        load_free(load);
        for (int database = 0; database < DATABASES; database++) {
            for (size_t i = 0; i < NAMES; i++) {
                check_name(fixture, &model, database, i, true);
            }
        }
        keyspace_validate(&fixture->keyspace);
        keyspace_flush(&fixture->keyspace, -1, false);
    }
    assert_true(outdone > ROUNDS);
}

static void the_filter_forgets_nothing(void **state) {
    (void)state;
    struct written written;
    written_init(&written, 5000);
    assert_int_equal(written.block_count, 128);
    for (uint64_t i = 0; i < 2000; i++) {
        written_add(&written, hash_mix(i));
    }
    for (uint64_t i = 0; i < 2000; i++) {
        assert_true(written_has(&written, hash_mix(i)));
    }
    size_t mistakes = 0;
    for (uint64_t i = 2000; i < 102000; i++) {
        mistakes += written_has(&written, hash_mix(i));
    }
    /* 32 bits a name. */
    assert_true(mistakes < 200);
    written_clear(&written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_value_becomes_what_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deadlines_and_use_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_empty_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_twice_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_key_goes_to_who_wants_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_used_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_damage_becomes_anything_unsound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(want_of_memory_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_can_be_left_anywhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_meanwhile_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_filter_forgets_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
