/* rdb_bytes: lengths and strings, see the header. */
#include "persist/rdb_bytes.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "persist/lzf.h"

/* First bytes. */
enum mark {
    MARK_14_BITS = 0x40,
    MARK_32_BITS = 0x80,
    MARK_64_BITS = 0x81,
    MARK_INT8 = 0xc0,
    MARK_INT16 = 0xc1,
    MARK_INT32 = 0xc2,
    MARK_PACKED = 0xc3,
};

#define CAPACITY_MIN 64u
#define MARKS_MIN    16u
/* Longest text of an integer of 32 bits. */
#define INT32_TEXT_MAX 11u

void rdb_writer_init(struct rdb_writer *writer, bool compress) {
    *writer = (struct rdb_writer){.compress = compress};
}

void rdb_writer_clear(struct rdb_writer *writer) {
    if (writer->at != NULL) {
        mem_free(MEM_BUFFER, writer->at, writer->capacity);
    }
    rdb_writer_init(writer, writer->compress);
}

/* Room for so many bytes behind what is there; NULL when there is no memory. */
static char *room_for(struct rdb_writer *writer, size_t more) {
    if (writer->failed) {
        return NULL;
    }
    if (writer->capacity - writer->size < more) {
        size_t least = 0;
        size_t wanted = writer->capacity * 2 > CAPACITY_MIN ? writer->capacity * 2 : CAPACITY_MIN;
        if (__builtin_add_overflow(writer->size, more, &least)) {
            writer->failed = true;
            return NULL;
        }
        wanted = wanted < least ? least : wanted;
        char *at = mem_try_realloc(MEM_BUFFER, writer->at, writer->capacity, wanted);
        if (at == NULL) {
            writer->failed = true;
            return NULL;
        }
        writer->at = at;
        writer->capacity = wanted;
    }
    return writer->at + writer->size;
}

void rdb_write_raw(struct rdb_writer *writer, const void *at, size_t size) {
    char *room = room_for(writer, size);
    if (room != NULL && size > 0) {
        memcpy(room, at, size);
        writer->size += size;
    }
}

void rdb_write_byte(struct rdb_writer *writer, uint8_t byte) {
    rdb_write_raw(writer, &byte, 1);
}

void rdb_write_number(struct rdb_writer *writer, uint64_t number, unsigned width) {
    uint8_t bytes[8];
    for (unsigned i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(number >> (8 * i));
    }
    rdb_write_raw(writer, bytes, width);
}

static void write_big_endian(struct rdb_writer *writer, uint64_t number, unsigned width) {
    for (unsigned i = width; i > 0; i--) {
        rdb_write_byte(writer, (uint8_t)(number >> (8 * (i - 1))));
    }
}

void rdb_write_length(struct rdb_writer *writer, uint64_t length) {
    if (length < 1u << 6) {
        rdb_write_byte(writer, (uint8_t)length);
    } else if (length < 1u << 14) {
        write_big_endian(writer, (uint64_t)MARK_14_BITS << 8 | length, 2);
    } else if (length <= UINT32_MAX) {
        rdb_write_byte(writer, MARK_32_BITS);
        write_big_endian(writer, length, 4);
    } else {
        rdb_write_byte(writer, MARK_64_BITS);
        write_big_endian(writer, length, 8);
    }
}

static bool write_integer(struct rdb_writer *writer, struct bytes text) {
    int64_t value;
    if (text.size > INT32_TEXT_MAX || !num_parse_i64(text, &value) || value < INT32_MIN ||
        value > INT32_MAX) {
        return false;
    }
    unsigned log = value >= INT8_MIN && value <= INT8_MAX     ? 0
                   : value >= INT16_MIN && value <= INT16_MAX ? 1
                                                              : 2;
    rdb_write_byte(writer, (uint8_t)(MARK_INT8 + log));
    rdb_write_number(writer, (uint64_t)value, 1u << log);
    return true;
}

/* False when there is nothing to win. */
static bool write_packed_by(struct rdb_writer *writer, struct bytes text, char *scratch) {
    if (text.size < RDB_COMPRESS_MIN || text.size > RDB_EXPANDED_MAX) {
        return false;
    }
    size_t size = lzf_compress(text, scratch, text.size - RDB_COMPRESS_GAIN);
    if (size > 0) {
        rdb_write_byte(writer, MARK_PACKED);
        rdb_write_length(writer, size);
        rdb_write_length(writer, text.size);
        rdb_write_raw(writer, scratch, size);
    }
    return size > 0;
}

/* Without memory to try there is nothing to win either: then it goes as it is. */
static bool write_packed(struct rdb_writer *writer, struct bytes text) {
    if (text.size < RDB_COMPRESS_MIN || text.size > RDB_EXPANDED_MAX) {
        return false;
    }
    char *scratch = mem_try_alloc(MEM_BUFFER, text.size);
    if (scratch == NULL) {
        return false;
    }
    bool is_packed = write_packed_by(writer, text, scratch);
    mem_free(MEM_BUFFER, scratch, text.size);
    return is_packed;
}

static void write_plain(struct rdb_writer *writer, struct bytes text) {
    rdb_write_length(writer, text.size);
    rdb_write_raw(writer, text.at, text.size);
}

static void release_blobs(struct rdb_marks *marks) {
    for (size_t i = 0; i < marks->count; i++) {
        if (marks->list[i].blob != NULL) {
            blob_release(marks->list[i].blob);
        }
    }
    marks->count = 0;
    marks->blob_bytes = 0;
}

void rdb_marks_clear(struct rdb_marks *marks) {
    release_blobs(marks);
    mem_free(MEM_BUFFER, marks->list, marks->capacity * sizeof *marks->list);
    *marks = (struct rdb_marks){0};
}

bool rdb_writer_make_room(struct rdb_writer *writer, size_t size, size_t marks) {
    check(writer->at == NULL && size > 0);
    writer->at = mem_try_alloc(MEM_BUFFER, size);
    if (writer->at == NULL) {
        return false;
    }
    writer->capacity = size;
    memset(writer->at, 0, size);
    if (writer->marks != NULL && marks > 0) {
        size_t list_size = marks * sizeof *writer->marks->list;
        writer->marks->list = mem_try_alloc(MEM_BUFFER, list_size);
        if (writer->marks->list == NULL) {
            return false;
        }
        writer->marks->capacity = marks;
        memset(writer->marks->list, 0, list_size);
    }
    return true;
}

void rdb_writer_empty(struct rdb_writer *writer) {
    writer->size = 0;
    if (writer->marks != NULL) {
        release_blobs(writer->marks);
    }
}

static void add_mark(struct rdb_writer *writer, size_t size, struct blob *blob) {
    struct rdb_marks *marks = writer->marks;
    if (writer->failed) {
        return;
    }
    if (marks->count == marks->capacity) {
        size_t capacity = marks->capacity == 0 ? MARKS_MIN : 2 * marks->capacity;
        struct rdb_mark *list = mem_try_realloc(
            MEM_BUFFER, marks->list, marks->capacity * sizeof *list, capacity * sizeof *list);
        if (list == NULL) {
            writer->failed = true;
            return;
        }
        marks->list = list;
        marks->capacity = capacity;
    }
    if (blob != NULL) {
        blob_hold(blob);
        marks->blob_bytes += blob->size;
    }
    marks->list[marks->count++] = (struct rdb_mark){.at = writer->size, .size = size, .blob = blob};
}

void rdb_write_string(struct rdb_writer *writer, struct bytes text) {
    if (write_integer(writer, text)) {
        return;
    }
    if (writer->compress && text.size >= RDB_COMPRESS_MIN) {
        if (writer->marks != NULL) {
            add_mark(writer, text.size, NULL);
            rdb_write_raw(writer, text.at, text.size);
            return;
        }
        if (write_packed(writer, text)) {
            return;
        }
    }
    write_plain(writer, text);
}

void rdb_write_value(struct rdb_writer *writer, struct bytes text, struct blob *blob) {
    if (blob != NULL && writer->marks != NULL && text.size >= RDB_MARK_BLOB_MIN) {
        add_mark(writer, 0, blob);
    } else {
        rdb_write_string(writer, text);
    }
}

void rdb_write_marked(struct rdb_writer *writer, struct bytes text, char *scratch) {
    if (!writer->compress || !write_packed_by(writer, text, scratch)) {
        write_plain(writer, text);
    }
}

void rdb_write_undo(struct rdb_writer *writer, size_t size, size_t marks) {
    writer->size = size;
    while (writer->marks != NULL && writer->marks->count > marks) {
        const struct rdb_mark *mark = &writer->marks->list[--writer->marks->count];
        if (mark->blob != NULL) {
            writer->marks->blob_bytes -= mark->blob->size;
            blob_release(mark->blob);
        }
    }
}

/* ---- reading ---- */

void rdb_text_clear(struct rdb_text *text) {
    if (text->owned != NULL) {
        mem_free(MEM_BUFFER, text->owned, text->text.size);
        text->owned = NULL;
    }
    text->text = bytes_of("", 0);
}

void rdb_text_integer(struct rdb_text *text, int64_t value) {
    rdb_text_clear(text);
    text->text = bytes_of(text->scratch, num_format_i64(text->scratch, value));
}

bool rdb_read_raw(struct rdb_reader *reader, size_t size, const uint8_t **at) {
    if (size > rdb_left(reader)) {
        return false;
    }
    *at = reader->at;
    reader->at += size;
    return true;
}

bool rdb_read_number(struct rdb_reader *reader, unsigned width, uint64_t *number) {
    const uint8_t *at;
    if (!rdb_read_raw(reader, width, &at)) {
        return false;
    }
    *number = 0;
    for (unsigned i = 0; i < width; i++) {
        *number |= (uint64_t)at[i] << (8 * i);
    }
    return true;
}

static bool read_big_endian(struct rdb_reader *reader, unsigned width, uint64_t *number) {
    const uint8_t *at;
    if (!rdb_read_raw(reader, width, &at)) {
        return false;
    }
    *number = 0;
    for (unsigned i = 0; i < width; i++) {
        *number = *number << 8 | at[i];
    }
    return true;
}

/* What follows the first byte of a length. */
static bool length_after(struct rdb_reader *reader, uint8_t first, uint64_t *length) {
    if (first < MARK_14_BITS) {
        *length = first;
        return true;
    }
    if (first < MARK_32_BITS) {
        uint64_t low;
        if (!read_big_endian(reader, 1, &low)) {
            return false;
        }
        *length = (uint64_t)(first & 0x3f) << 8 | low;
        return true;
    }
    if (first == MARK_32_BITS || first == MARK_64_BITS) {
        return read_big_endian(reader, first == MARK_32_BITS ? 4 : 8, length);
    }
    return false;
}

bool rdb_read_length(struct rdb_reader *reader, uint64_t *length) {
    const uint8_t *first;
    return rdb_read_raw(reader, 1, &first) && length_after(reader, *first, length);
}

static int read_packed(struct rdb_reader *reader, struct rdb_text *text) {
    uint64_t packed_size;
    uint64_t size;
    const uint8_t *packed;
    if (!rdb_read_length(reader, &packed_size) || !rdb_read_length(reader, &size) ||
        packed_size > rdb_left(reader) || !rdb_read_raw(reader, (size_t)packed_size, &packed)) {
        return -EBADMSG;
    }
    if (size == 0 || size > RDB_EXPANDED_MAX || size / LZF_GROWTH_MAX > packed_size) {
        return -EBADMSG;
    }
    text->owned = mem_try_alloc(MEM_BUFFER, (size_t)size);
    if (text->owned == NULL) {
        return -ENOMEM;
    }
    text->text = bytes_of(text->owned, (size_t)size);
    return lzf_expand(bytes_of(packed, (size_t)packed_size), text->owned, (size_t)size) ? 0
                                                                                        : -EBADMSG;
}

int rdb_read_string(struct rdb_reader *reader, struct rdb_text *text) {
    rdb_text_clear(text);
    const uint8_t *first;
    if (!rdb_read_raw(reader, 1, &first)) {
        return -EBADMSG;
    }
    if (*first == MARK_PACKED) {
        return read_packed(reader, text);
    }
    if (*first >= MARK_INT8 && *first <= MARK_INT32) {
        uint64_t bits;
        unsigned width = 1u << (*first - MARK_INT8);
        if (!rdb_read_number(reader, width, &bits)) {
            return -EBADMSG;
        }
        unsigned unused = (64 - 8 * width) & 63;
        rdb_text_integer(text, (int64_t)(bits << unused) >> unused);
        return 0;
    }
    uint64_t size;
    const uint8_t *at;
    if (!length_after(reader, *first, &size) || size > rdb_left(reader) ||
        !rdb_read_raw(reader, (size_t)size, &at)) {
        return -EBADMSG;
    }
    text->text = bytes_of(at, (size_t)size);
    return 0;
}
