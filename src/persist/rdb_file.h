/* rdb_file: a snapshot file as Redis and Valkey write it, read record by record: what is around the
 * values. The values stay as they are, for persist/decode to make something of.
 *
 *     "REDIS0010" | "VALKEY080"
 *     AUX name text ...              about the writer
 *     FUNCTION2 library ...
 *     SELECTDB n  RESIZEDB n n       what follows belongs to database n
 *     [AUX larder-x ...] [EXPIRETIME_MS t] [IDLE s | FREQ f] type key value ...
 *     EOF  checksum 8                of all before, by CRC-64; zeros: none was made
 *
 * AUX larder-x is Larder's own and says what the next key carries besides, as `grace=5000`,
 * milliseconds; others step over it. Items are parted by spaces, and unknown ones are left out.
 *
 * Read are versions 1 to 14 of Redis and 80 of Valkey; a newer one is refused, and so is what a
 * version may have but nothing is known of. Slots and modules' own data are stepped over.
 *
 * The file is mapped, not read: a value is one slice of it however large, and what was read needs
 * no memory that could not be had back at once. It must not be cut while it is open. Pages are
 * asked for in windows ahead of the reader, so that a disk that fails is an error here, but for the
 * inside of a single value that is larger than a window.
 *
 * Nothing of it is believed. The first thing that makes no sense ends the reading, with its place
 * and a text.
 *
 * Costs: a pass over the bytes for the checksum, a look at each string. One thread at a time; the
 * slices may be read by any while the file is open. */
#ifndef LARDER_PERSIST_RDB_FILE_H
#define LARDER_PERSIST_RDB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "persist/rdb_bytes.h"

#define RDB_FILE_VERSION_MAX 14

/* The name of the AUX that says what the next key carries besides. */
#define RDB_EXTRAS_NAME "larder-x"

/* Where a file is damaged, and how: a sentence's second half, e.g. "the file ends in a value". */
struct rdb_damage {
    uint64_t offset;
    char text[240];
};

enum rdb_record_kind {
    RDB_RECORD_KEY,
    RDB_RECORD_AUX,
    RDB_RECORD_FUNCTION, /* a library of functions: `value` is its source */
};

/* Slices are of the file and lie there as strings are written: rdb_read_string reads `name`, and
 * `value` unless it is a key's. */
struct rdb_record {
    enum rdb_record_kind kind;
    int type; /* enum rdb_type */
    int database;
    int frequency;       /* 0 to 255; -1: not told */
    int64_t idle_s;      /* -1: not told */
    int64_t deadline_ms; /* ENTRY_NO_DEADLINE: none. Never negative otherwise */
    int64_t grace_ms;    /* how much longer it is kept: 0 to EXTRA_GRACE_MS_MAX */
    uint64_t offset;     /* of its type */
    struct bytes name;
    struct bytes value;
};

struct rdb_file {
    const uint8_t *start;
    size_t size;
    struct rdb_reader reader;
    int version;
    bool is_valkey;
    bool is_mapped;
    bool has_checksum;  /* known at the end */
    bool checks_sum;    /* whether it is looked at */
    int database;       /* that records belong to now */
    int database_count; /* those from here on are refused */
    uint64_t summed;    /* bytes that `sum` is of */
    uint64_t sum;
    uint64_t asked_for;       /* bytes up to which pages were asked for */
    struct rdb_damage damage; /* when something returned -EBADMSG */
};

/* Opens a file and reads its header. 0; -errno; -EBADMSG. rdb_file_close in any case. */
int rdb_file_open(struct rdb_file *file, const char *path, int database_count);
/* The same for bytes that are there and stay. */
int rdb_file_begin(struct rdb_file *file, struct bytes content, int database_count);
void rdb_file_close(struct rdb_file *file);

/* The next record. 1; 0: that was all, and the checksum is right; -EBADMSG. */
int rdb_file_next(struct rdb_file *file, struct rdb_record *record);

static inline uint64_t rdb_file_offset(const struct rdb_file *file, const void *at) {
    return (uint64_t)((const uint8_t *)at - file->start);
}

/* Fills in `damage`; returns -EBADMSG. */
int rdb_damaged(struct rdb_damage *damage, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
