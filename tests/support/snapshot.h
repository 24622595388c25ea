/* snapshot: makes files as Redis writes them, part by part, for tests of who reads them. */
#ifndef LARDER_TESTS_SUPPORT_SNAPSHOT_H
#define LARDER_TESTS_SUPPORT_SNAPSHOT_H

#include <stdint.h>

#include "ds/entry.h"
#include "persist/rdb_bytes.h"

/* What stands between keys. */
enum snapshot_part {
    SNAPSHOT_KEY_META = 243,
    SNAPSHOT_SLOT_INFO = 244,
    SNAPSHOT_FUNCTION = 245,
    SNAPSHOT_MODULE = 247,
    SNAPSHOT_IDLE = 248,
    SNAPSHOT_FREQ = 249,
    SNAPSHOT_AUX = 250,
    SNAPSHOT_RESIZE = 251,
    SNAPSHOT_EXPIRE_MS = 252,
    SNAPSHOT_EXPIRE = 253,
    SNAPSHOT_SELECT = 254,
    SNAPSHOT_EOF = 255
};

/* "REDIS0010", "VALKEY080" ... */
void image_begin(struct rdb_writer *writer, const char *header);
void image_text(struct rdb_writer *writer, const char *text);
void image_part(struct rdb_writer *writer, enum snapshot_part part);
/* A part and a length. */
void image_number(struct rdb_writer *writer, enum snapshot_part part, uint64_t number);
void image_deadline(struct rdb_writer *writer, int64_t ms);
/* A key with a text. */
void image_string(struct rdb_writer *writer, const char *key, const char *value);
/* A key with the entry's value, in the form that the codec writes. */
void image_value(struct rdb_writer *writer, const char *key, const struct entry *entry);
/* The end, and the checksum of all. */
void image_end(struct rdb_writer *writer);

void image_write(struct bytes content, const char *path);

#endif
