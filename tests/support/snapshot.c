/* snapshot: see the header. */
#include "support/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "persist/crc64.h"
#include "persist/encode.h"

void image_begin(struct rdb_writer *writer, const char *header) {
    rdb_writer_init(writer, true);
    rdb_write_raw(writer, header, strlen(header));
}

void image_text(struct rdb_writer *writer, const char *text) {
    rdb_write_string(writer, bytes_text(text));
}

void image_part(struct rdb_writer *writer, enum snapshot_part part) {
    rdb_write_byte(writer, (uint8_t)part);
}

void image_number(struct rdb_writer *writer, enum snapshot_part part, uint64_t number) {
    image_part(writer, part);
    rdb_write_length(writer, number);
}

void image_deadline(struct rdb_writer *writer, int64_t ms) {
    image_part(writer, SNAPSHOT_EXPIRE_MS);
    rdb_write_number(writer, (uint64_t)ms, 8);
}

void image_string(struct rdb_writer *writer, const char *key, const char *value) {
    rdb_write_byte(writer, RDB_STRING);
    image_text(writer, key);
    image_text(writer, value);
}

void image_value(struct rdb_writer *writer, const char *key, const struct entry *entry) {
    struct bytes name = bytes_text(key);
    assert_true(encode_value(entry, &name, 0, writer) > 0);
}

void image_end(struct rdb_writer *writer) {
    image_part(writer, SNAPSHOT_EOF);
    struct bytes all = rdb_written(writer);
    rdb_write_number(writer, crc64(0, all.at, all.size), 8);
    assert_false(writer->failed);
}

void image_write(struct bytes content, const char *path) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.at, 1, content.size, file), content.size);
    assert_int_equal(fclose(file), 0);
}
