/* rdb_bytes: the bytes that Redis's files and DUMP payloads are made of: lengths and strings,
 * written into a run that grows and read from a slice whose every byte may be wrong.
 *
 *     00nnnnnn                 length of 6 bits        11000000 i     integer of 1 byte, as text
 *     01nnnnnn nnnnnnnn        of 14 bits              11000001 i i   of 2
 *     10000000 n*4             of 32, big-endian       11000010 i*4   of 4, little-endian
 *     10000001 n*8             of 64                   11000011 packed size, size, LZF
 *
 * A string is a length and so many bytes, or one of the forms on the right. */
#ifndef LARDER_PERSIST_RDB_BYTES_H
#define LARDER_PERSIST_RDB_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "ds/blob.h"

/* Strings from this size on are tried to be compressed: below it there is nothing to win. */
#define RDB_COMPRESS_MIN 21u
/* What compressing has to save. */
#define RDB_COMPRESS_GAIN 4u
/* Longest string that a compressed one may expand to: Redis's own limit of a string's size. */
#define RDB_EXPANDED_MAX ((uint64_t)512 << 20)

/* Types of values as they are written before them. Those not named here are refused. */
enum rdb_type {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3, /* scores as text */
    RDB_HASH = 4,
    RDB_ZSET_2 = 5, /* scores in binary */
    RDB_MODULE = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14, /* of ziplists */
    RDB_STREAM = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18, /* of listpacks and single elements */
    RDB_STREAM_2 = 19,
    RDB_SET_LISTPACK = 20,
    RDB_STREAM_3 = 21,
    RDB_HASH_VALKEY = 22, /* with deadlines; in Redis's files something that was withdrawn */
    RDB_HASH_TIMED_LISTPACK_EARLY = 23, /* withdrawn too */
    RDB_HASH_TIMED = 24,                /* with deadlines, of Redis 7.4 */
    RDB_HASH_TIMED_LISTPACK = 25,       /* likewise */
    RDB_STREAM_4 = 26,                  /* with producers, of Redis 8.6 */
    RDB_STREAM_5 = 27                   /* with what was given back, of Redis 8.8 */
};

/* Versions of the format: what Redis 7.0 reads, Redis 7.4, 8.6 and 8.8, and Valkey 9's own. */
#define RDB_VERSION           10
#define RDB_VERSION_TIMED     12
#define RDB_VERSION_PRODUCERS 13
#define RDB_VERSION_UNOWNED   14
#define RDB_VERSION_VALKEY    80
/* Latest of Redis's that is read, as far as the types above go. */
#define RDB_VERSION_LATEST 15

/* ---- writing ---- */

/* Texts that another thread shall compress, or that are too large to be copied: a string is to
 * stand at this place of what is written, and is not there yet.
 *
 *     written   ...bytes | text, raw | bytes... bytes | bytes...
 *     marks              ^ at, size                   ^ at, and the blob that is the text
 */
struct rdb_mark {
    size_t at;
    size_t size;       /* of the raw text; 0 when it is the blob's */
    struct blob *blob; /* NULL, or a reference held */
};
struct rdb_marks {
    struct rdb_mark *list;
    size_t count;
    size_t capacity;
    size_t blob_bytes; /* of all blobs in it */
};
/* Gives the references back, and the memory. */
void rdb_marks_clear(struct rdb_marks *marks);

/* Texts of blobs from this size on are marked and not copied. */
#define RDB_MARK_BLOB_MIN 4096u

/* What is written. Once there is no memory it has failed, and what is written further goes
 * nowhere. */
struct rdb_writer {
    char *at;
    size_t size;
    size_t capacity;
    bool compress;
    bool failed;
    struct rdb_marks *marks; /* NULL: strings are written and compressed at once */
};

void rdb_writer_init(struct rdb_writer *writer, bool compress);
void rdb_writer_clear(struct rdb_writer *writer);
/* Room for so many bytes and, if it has marks, so many of those, which are touched. False when
 * there is no memory. Of an empty writer. */
bool rdb_writer_make_room(struct rdb_writer *writer, size_t size, size_t marks);
/* Empty as it was in the beginning, but for its room. */
void rdb_writer_empty(struct rdb_writer *writer);

static inline struct bytes rdb_written(const struct rdb_writer *writer) {
    return bytes_of(writer->at == NULL ? "" : writer->at, writer->size);
}

void rdb_write_raw(struct rdb_writer *writer, const void *at, size_t size);
void rdb_write_byte(struct rdb_writer *writer, uint8_t byte);
/* Little-endian, `width` bytes. */
void rdb_write_number(struct rdb_writer *writer, uint64_t number, unsigned width);
void rdb_write_length(struct rdb_writer *writer, uint64_t length);
/* In the shortest form. */
void rdb_write_string(struct rdb_writer *writer, struct bytes text);
/* The same of a text that is a blob's, if `blob` is not NULL. */
void rdb_write_value(struct rdb_writer *writer, struct bytes text, struct blob *blob);
/* Not as an integer: for who has marked the text and now has the time. `scratch` has room for
 * text.size bytes. */
void rdb_write_marked(struct rdb_writer *writer, struct bytes text, char *scratch);
/* Back to what it was at that size and number of marks. */
void rdb_write_undo(struct rdb_writer *writer, size_t size, size_t marks);

/* ---- reading ---- */

struct rdb_reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct rdb_reader rdb_reader_of(struct bytes text) {
    const uint8_t *at = (const uint8_t *)text.at;
    return (struct rdb_reader){.at = at, .end = at + text.size};
}

static inline size_t rdb_left(const struct rdb_reader *reader) {
    return (size_t)(reader->end - reader->at);
}

/* A string as read: a slice of what it was read from, or of `scratch`, or memory of its own. Must
 * not be copied; rdb_text_clear when done. Zeroed to begin with. */
struct rdb_text {
    struct bytes text;
    char *owned; /* text.size bytes of it, or NULL */
    char scratch[NUM_I64_SIZE];
};
void rdb_text_clear(struct rdb_text *text);
/* Makes it the decimal digits of an integer. */
void rdb_text_integer(struct rdb_text *text, int64_t value);

/* These return false when there is too little, or it makes no sense. */
bool rdb_read_raw(struct rdb_reader *reader, size_t size, const uint8_t **at);
bool rdb_read_number(struct rdb_reader *reader, unsigned width, uint64_t *number);
bool rdb_read_length(struct rdb_reader *reader, uint64_t *length);

/* 0, -EBADMSG, or -ENOMEM. What `text` held before is cleared. */
int rdb_read_string(struct rdb_reader *reader, struct rdb_text *text);

#endif
