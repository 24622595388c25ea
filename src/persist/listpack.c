/* listpack: writing listpacks, see compact.h. */
#include <string.h>

#include "base/check.h"
#include "base/num.h"
#include "persist/compact.h"

#define HEAD_SIZE 6u
#define END_MARK  0xff
/* Counts from this on are not written: the reader counts. */
#define COUNT_UNKNOWN 0xffffu
/* Redis refuses listpacks from 1 GiB on. */
#define SIZE_MAX_WRITTEN (((size_t)1 << 30) - 1)
/* Sizes of texts by the form of their tags. */
#define SHORT_MAX      63u
#define MEDIUM_MAX     4095u
#define BACK_WIDTH_MAX 5u

void listpack_init(struct listpack *pack, bool all_sizes) {
    rdb_writer_init(&pack->run, false);
    static const char head[HEAD_SIZE];
    rdb_write_raw(&pack->run, head, sizeof head);
    pack->count = 0;
    pack->all_sizes = all_sizes;
    pack->refused = false;
}

void listpack_clear(struct listpack *pack) {
    rdb_writer_clear(&pack->run);
}

/* Size of an element of a text, the backward size not counted. */
static size_t text_total(size_t size) {
    return size + (size <= SHORT_MAX ? 1 : size <= MEDIUM_MAX ? 2 : 5);
}

bool listpack_takes(struct bytes text) {
    size_t total = text_total(text.size);
    return total < SIZE_MAX_WRITTEN && total != (1u << 14) - 1 && total != (1u << 21) - 1 &&
           total != (1u << 28) - 1;
}

/* Bytes of an element's size backwards: from the second byte on, the greatest that would fit has
 * one more. */
static unsigned back_width(size_t size) {
    unsigned width = 1;
    while (width < BACK_WIDTH_MAX && (size + (width > 1)) >> (7 * width) != 0) {
        width++;
    }
    return width;
}

static void end_element(struct listpack *pack, size_t start) {
    size_t size = pack->run.size - start;
    unsigned width = back_width(size);
    for (unsigned i = width; i > 0; i--) {
        uint8_t bits = (uint8_t)(size >> (7 * (i - 1)) & 0x7f);
        rdb_write_byte(&pack->run, (uint8_t)(bits | (i < width ? 0x80 : 0)));
    }
    pack->count++;
    size_t size_max = pack->all_sizes ? UINT32_MAX : SIZE_MAX_WRITTEN;
    pack->refused = pack->refused || pack->run.size >= size_max;
}

void listpack_add_integer(struct listpack *pack, int64_t value) {
    struct rdb_writer *run = &pack->run;
    size_t start = run->size;
    if (value >= 0 && value <= 127) {
        rdb_write_byte(run, (uint8_t)value);
    } else if (value >= -4096 && value <= 4095) {
        rdb_write_byte(run, (uint8_t)(0xc0 | ((uint64_t)value >> 8 & 0x1f)));
        rdb_write_byte(run, (uint8_t)value);
    } else if (value >= INT16_MIN && value <= INT16_MAX) {
        rdb_write_byte(run, 0xf1);
        rdb_write_number(run, (uint64_t)value, 2);
    } else if (value >= -(1 << 23) && value < 1 << 23) {
        rdb_write_byte(run, 0xf2);
        rdb_write_number(run, (uint64_t)value, 3);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        rdb_write_byte(run, 0xf3);
        rdb_write_number(run, (uint64_t)value, 4);
    } else {
        rdb_write_byte(run, 0xf4);
        rdb_write_number(run, (uint64_t)value, 8);
    }
    end_element(pack, start);
}

void listpack_add(struct listpack *pack, struct bytes text) {
    int64_t value;
    if (text.size <= NUM_I64_SIZE && num_parse_i64(text, &value)) {
        listpack_add_integer(pack, value);
        return;
    }
    if (pack->refused || (pack->all_sizes ? text.size >= UINT32_MAX : !listpack_takes(text))) {
        pack->refused = true;
        return;
    }
    struct rdb_writer *run = &pack->run;
    size_t start = run->size;
    if (text.size <= SHORT_MAX) {
        rdb_write_byte(run, (uint8_t)(0x80 | text.size));
    } else if (text.size <= MEDIUM_MAX) {
        rdb_write_byte(run, (uint8_t)(0xe0 | text.size >> 8));
        rdb_write_byte(run, (uint8_t)text.size);
    } else {
        rdb_write_byte(run, 0xf0);
        rdb_write_number(run, text.size, 4);
    }
    rdb_write_raw(run, text.at, text.size);
    end_element(pack, start);
}

void listpack_write(struct listpack *pack, struct rdb_writer *writer) {
    check(!pack->refused);
    rdb_write_byte(&pack->run, END_MARK);
    if (pack->run.failed) {
        writer->failed = true;
        return;
    }
    size_t count = pack->count < COUNT_UNKNOWN ? pack->count : COUNT_UNKNOWN;
    for (unsigned i = 0; i < 4; i++) {
        pack->run.at[i] = (char)(uint8_t)(pack->run.size >> (8 * i));
    }
    pack->run.at[4] = (char)(uint8_t)count;
    pack->run.at[5] = (char)(uint8_t)(count >> 8);
    rdb_write_string(writer, rdb_written(&pack->run));
}
