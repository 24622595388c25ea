/* Tests of persist/rdb_file: all that may stand in a file, of every version; files that end
 * anywhere, and files with any bit turned. */
#include "persist/rdb_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "persist/rdb_skip.h"
#include "support/snapshot.h"

#define DATABASES 16

/* Reads all of it, in memory of its own size, so that a sanitizer sees a read beyond it. */
static int read_all(struct bytes content, size_t *count, struct rdb_damage *damage) {
    struct rdb_file file;
    struct rdb_record record;
    char *copy = malloc(content.size > 0 ? content.size : 1);
    memcpy(copy, content.at, content.size);
    int status = rdb_file_begin(&file, bytes_of(copy, content.size), DATABASES);
    *count = 0;
    while (status == 0) {
        status = rdb_file_next(&file, &record);
        if (status == 0) {
            break;
        }
        if (status == 1) {
            ++*count;
            status = 0;
            assert_true(record.value.at >= copy);
            assert_true(record.value.at + record.value.size <= copy + content.size);
        }
    }
    if (status != 0) {
        assert_int_equal(status, -EBADMSG);
        assert_true(file.damage.text[0] != '\0');
        assert_true(file.damage.offset <= content.size);
    }
    *damage = file.damage;
    rdb_file_close(&file);
    free(copy);
    return status;
}

static void headers_are_known_or_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int status;
    } samples[] = {
        {"REDIS0001", 0},
        {"REDIS0006", 0},
        {"REDIS0010", 0},
        {"REDIS0012", 0},
        {"REDIS0014", 0},
        {"VALKEY080", 0},
        {"REDIS0000", -EBADMSG},
        {"REDIS0015", -EBADMSG},
        {"REDIS9999", -EBADMSG},
        {"REDIS00x1", -EBADMSG},
        {"VALKEY011", -EBADMSG},
        {"VALKEY081", -EBADMSG},
        {"redis0010", -EBADMSG},
        {"REDIS001", -EBADMSG},
        {"", -EBADMSG},
        {"\x7f"
         "ELF\2\1\1\0\0",
         -EBADMSG},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct rdb_writer writer;
        struct rdb_damage damage;
        size_t count;
        image_begin(&writer, samples[i].text);
        if (samples[i].status == 0) {
            image_end(&writer);
        }
        assert_int_equal(read_all(rdb_written(&writer), &count, &damage), samples[i].status);
        rdb_writer_clear(&writer);
    }
}

/* A module's value and its parts. */
static void write_module_parts(struct rdb_writer *writer) {
    rdb_write_length(writer, 1);
    rdb_write_length(writer, 77);
    rdb_write_length(writer, 2);
    rdb_write_length(writer, 1u << 20);
    rdb_write_length(writer, 3);
    rdb_write_number(writer, 0, 4);
    rdb_write_length(writer, 4);
    rdb_write_number(writer, 0, 8);
    rdb_write_length(writer, 5);
    image_text(writer, "text");
    rdb_write_length(writer, 0);
}

/* A bit of all. 9 records. */
static void write_all(struct rdb_writer *writer, const char *header, bool is_valkey) {
    image_begin(writer, header);
    image_part(writer, SNAPSHOT_AUX);
    image_text(writer, "redis-ver");
    image_text(writer, "7.0.15");
    image_part(writer, SNAPSHOT_AUX);
    image_text(writer, "ctime");
    image_text(writer, "1700000000");
    image_part(writer, SNAPSHOT_MODULE);
    rdb_write_length(writer, UINT64_MAX / 3);
    rdb_write_length(writer, 2);
    rdb_write_length(writer, 1);
    write_module_parts(writer);
    image_part(writer, SNAPSHOT_FUNCTION);
    image_text(writer, "#!lua name=mine\nredis.register_function('f', function() end)");
    if (is_valkey) {
        image_part(writer, SNAPSHOT_KEY_META);
        image_text(writer, "0123456789abcdefghij0123456789abcdefghij");
        rdb_write_length(writer, 2);
        for (uint64_t i = 0; i < 4; i++) {
            rdb_write_length(writer, i * 1000);
        }
    }
    image_number(writer, SNAPSHOT_SELECT, 3);
    image_number(writer, SNAPSHOT_RESIZE, 100000);
    rdb_write_length(writer, 5);
    image_number(writer, SNAPSHOT_SLOT_INFO, 16383);
    rdb_write_length(writer, 1);
    rdb_write_length(writer, 70000);
    image_string(writer, "plain", "value");
    image_deadline(writer, 1234567890123);
    image_number(writer, SNAPSHOT_IDLE, 300);
    image_string(writer, "12345", "-7");
    image_part(writer, SNAPSHOT_EXPIRE);
    rdb_write_number(writer, 1700000000, 4);
    image_part(writer, SNAPSHOT_FREQ);
    rdb_write_byte(writer, 200);
    image_string(writer, "a-key-that-repeats-itself-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "v");
    image_deadline(writer, -5);
    image_string(writer, "before", "1970");
    rdb_write_byte(writer, 7);
    image_text(writer, "of a module");
    rdb_write_length(writer, 99);
    write_module_parts(writer);
    image_number(writer, SNAPSHOT_SELECT, 15);
    image_string(writer, "last", "");
    image_end(writer);
}

static void expect_key(struct rdb_file *file, const char *name, int64_t deadline_ms, int64_t idle_s,
                       int frequency, int database) {
    struct rdb_record record;
    struct rdb_text text = {0};
    assert_int_equal(rdb_file_next(file, &record), 1);
    assert_int_equal(record.kind, RDB_RECORD_KEY);
    struct rdb_reader reader = rdb_reader_of(record.name);
    assert_int_equal(rdb_read_string(&reader, &text), 0);
    assert_int_equal(text.text.size, strlen(name));
    assert_memory_equal(text.text.at, name, text.text.size);
    assert_int_equal(record.deadline_ms, deadline_ms);
    assert_int_equal(record.idle_s, idle_s);
    assert_int_equal(record.frequency, frequency);
    assert_int_equal(record.database, database);
    rdb_text_clear(&text);
}

static void all_parts_are_read(void **state) {
    (void)state;
    for (int is_valkey = 0; is_valkey < 2; is_valkey++) {
        struct rdb_writer writer;
        write_all(&writer, is_valkey ? "VALKEY080" : "REDIS0012", is_valkey);
        struct rdb_file file;
        struct rdb_record record;
        assert_int_equal(rdb_file_begin(&file, rdb_written(&writer), DATABASES), 0);
        assert_int_equal(file.version, is_valkey ? 80 : 12);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(rdb_file_next(&file, &record), 1);
            assert_int_equal(record.kind, RDB_RECORD_AUX);
        }
        assert_int_equal(rdb_file_next(&file, &record), 1);
        assert_int_equal(record.kind, RDB_RECORD_FUNCTION);
        expect_key(&file, "plain", ENTRY_NO_DEADLINE, -1, -1, 3);
        expect_key(&file, "12345", 1234567890123, 300, -1, 3);
        expect_key(&file, "a-key-that-repeats-itself-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                   1700000000000, -1, 200, 3);
        expect_key(&file, "before", 0, -1, -1, 3);
        expect_key(&file, "of a module", ENTRY_NO_DEADLINE, -1, -1, 3);
        expect_key(&file, "last", ENTRY_NO_DEADLINE, -1, -1, 15);
        assert_int_equal(rdb_file_next(&file, &record), 0);
        assert_true(file.has_checksum);
        rdb_writer_clear(&writer);
    }
}

static void a_file_that_ends_anywhere_is_damaged(void **state) {
    (void)state;
    struct rdb_writer writer;
    write_all(&writer, "VALKEY080", true);
    struct bytes all = rdb_written(&writer);
    size_t count;
    struct rdb_damage damage;
    assert_int_equal(read_all(all, &count, &damage), 0);
    assert_int_equal(count, 9);
    for (size_t size = 0; size < all.size; size++) {
        assert_int_equal(read_all(bytes_of(all.at, size), &count, &damage), -EBADMSG);
        assert_true(count <= 9);
    }
    rdb_writer_clear(&writer);
}

/* Of this version no single bit makes one that has no checksum. */
static void any_bit_that_turns_is_seen(void **state) {
    (void)state;
    struct rdb_writer writer;
    write_all(&writer, "REDIS0010", false);
    size_t count;
    struct rdb_damage damage;
    for (size_t i = 0; i < 8 * writer.size; i++) {
        writer.at[i / 8] ^= (char)(1 << i % 8);
        assert_int_equal(read_all(rdb_written(&writer), &count, &damage), -EBADMSG);
        writer.at[i / 8] ^= (char)(1 << i % 8);
    }
    rdb_writer_clear(&writer);
}

static void a_checksum_of_zero_is_none(void **state) {
    (void)state;
    struct rdb_writer writer;
    write_all(&writer, "REDIS0012", false);
    memset(writer.at + writer.size - 8, 0, 8);
    size_t count;
    struct rdb_damage damage;
    assert_int_equal(read_all(rdb_written(&writer), &count, &damage), 0);
    /* What stands behind is nobody's. */
    rdb_write_raw(&writer, "more", 4);
    assert_int_equal(read_all(rdb_written(&writer), &count, &damage), 0);
    rdb_writer_clear(&writer);
    /* The first versions have none. */
    image_begin(&writer, "REDIS0004");
    image_string(&writer, "key", "value");
    image_part(&writer, SNAPSHOT_EOF);
    assert_int_equal(read_all(rdb_written(&writer), &count, &damage), 0);
    assert_int_equal(count, 1);
    rdb_writer_clear(&writer);
}

static void what_is_not_known_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } samples[] = {
        {"\xf2\0\0", 3},         /* templates of hashes */
        {"\xf3\1\0\0\0\0\0", 7}, /* modules' notes about a key */
        {"\xf6\1a\1b\0\1c", 7},  /* functions of an early version */
        {"\x06\1k\1v", 5},       /* modules of an early version */
        {"\x08\1k\1v", 5},       {"\x1c\1k\1\0\0\0\1a", 8},
        {"\x64\1k\1v", 5},       {"\xfe\x10\0\1k\1v", 6}, /* a key in database 16 */
        {"\xfe\xc0\1", 3},       {"\x07\1k\1\6\0", 6},    /* a module's part of no kind */
        {"\xf7\1\2\1\6\0", 6},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct rdb_writer writer;
        struct rdb_damage damage;
        size_t count;
        image_begin(&writer, "REDIS0012");
        rdb_write_raw(&writer, samples[i].bytes, samples[i].size);
        image_end(&writer);
        assert_int_equal(read_all(rdb_written(&writer), &count, &damage), -EBADMSG);
        assert_int_equal(count, 0);
        rdb_writer_clear(&writer);
    }
}

/* Forms that the codec does not write; what is behind each must be found. */
static void values_of_every_type_are_stepped_over(void **state) {
    (void)state;
#define SAMPLE(type_, bytes_, version_)                                                            \
    { (type_), (bytes_), sizeof(bytes_) - 1, (version_) }
#define ID "0123456789abcdef"
    static const struct {
        int type;
        const char *bytes;
        size_t size;
        int version;
    } samples[] = {
        SAMPLE(0, "\xc1\1\2", 10),
        SAMPLE(0,
               "\xc3\4\x20"
               "abcd",
               10),
        SAMPLE(1, "\2\1a\xc2\1\2\3\4", 10),
        SAMPLE(3,
               "\4\1a\3"
               "1.5\1b\xfd\1c\xfe\1d\xff",
               6),
        SAMPLE(4, "\1\1f\1v", 10),
        SAMPLE(5, "\1\1m12345678", 10),
        SAMPLE(9, "\3abc", 6),
        SAMPLE(14, "\2\1a\1b", 9),
        SAMPLE(18, "\2\1\1a\2\1b", 10),
        SAMPLE(15, "\1\x10" ID "\3abc\1\2\3\0", 9),
        SAMPLE(19, "\0\0\0\0\0\0\0\0\0\1\1g\1\2\3\1" ID "12345678\1\1\1c12345678\1" ID, 10),
        SAMPLE(21, "\0\0\0\0\0\0\0\0\0\1\1g\1\2\3\0\1\1c1234567812345678\0", 11),
        SAMPLE(26, "\0\0\0\0\0\0\0\0\0\0\1\1\1\1p\1\1i\1\1\1\1", 13),
        SAMPLE(27, "\0\0\0\0\0\0\0\0\0\1\1g\1\2\3\0\0\1" ID "\1\1\0\0\0", 14),
        SAMPLE(22, "\1\1f\1v12345678", 80),
        SAMPLE(22, "\1\5\1f\1v", 12),
        SAMPLE(23, "\3abc", 12),
        SAMPLE(24, "12345678\1\5\1f\1v", 12),
        SAMPLE(25, "12345678\3abc", 12),
    };
#undef ID
#undef SAMPLE
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        for (size_t cut = 0; cut <= samples[i].size; cut++) {
            char *copy = malloc(samples[i].size + 1);
            size_t size = samples[i].size - cut;
            memcpy(copy, samples[i].bytes, size);
            struct rdb_reader reader = rdb_reader_of(bytes_of(copy, size));
            assert_int_equal(rdb_skip_value(&reader, samples[i].type, samples[i].version),
                             cut == 0 ? 0 : -EBADMSG);
            assert_true(cut > 0 || rdb_left(&reader) == 0);
            free(copy);
        }
        assert_string_not_equal(rdb_type_name(samples[i].type), "unknown");
    }
    assert_string_equal(rdb_type_name(8), "unknown");
    assert_string_equal(rdb_type_name(-1), "unknown");
    assert_string_equal(rdb_type_name(255), "unknown");
}

static void files_are_mapped(void **state) {
    (void)state;
    char path[] = "/tmp/larder-rdb-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct rdb_file file;
    assert_int_equal(rdb_file_open(&file, path, DATABASES), -EBADMSG); /* it is empty */
    rdb_file_close(&file);
    struct rdb_writer writer;
    write_all(&writer, "REDIS0012", false);
    image_write(rdb_written(&writer), path);
    rdb_writer_clear(&writer);
    assert_int_equal(rdb_file_open(&file, path, DATABASES), 0);
    struct rdb_record record;
    size_t count = 0;
    while (rdb_file_next(&file, &record) == 1) {
        count++;
    }
    assert_int_equal(count, 9);
    assert_string_equal(file.damage.text, "");
    rdb_file_close(&file);
    unlink(path);
    assert_int_equal(rdb_file_open(&file, path, DATABASES), -ENOENT);
    rdb_file_close(&file);
    assert_int_equal(rdb_file_open(&file, "/", DATABASES), -EISDIR);
    rdb_file_close(&file);
    assert_int_equal(rdb_file_open(&file, "/dev/null", DATABASES), -EINVAL);
    rdb_file_close(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_known_or_refused),
        cmocka_unit_test(all_parts_are_read),
        cmocka_unit_test(a_file_that_ends_anywhere_is_damaged),
        cmocka_unit_test(any_bit_that_turns_is_seen),
        cmocka_unit_test(a_checksum_of_zero_is_none),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(values_of_every_type_are_stepped_over),
        cmocka_unit_test(files_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
