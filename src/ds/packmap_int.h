/* packmap_int: how records lie in memory, for packmap.c, which reads and finds, and packmap_edit.c,
 * which writes.
 *
 * A map of few records is plain: they lie one behind the other and are walked.
 *
 *     +----------+-------------+-------------+---
 *     | header 4 | record      | record      | ...        record: key item, item, item
 *     +----------+-------------+-------------+---
 *     0          4                                size
 *
 * A map of more is indexed: behind the records come the size of each, in 1, 2 or 4 bytes, and the
 * tag of each, a byte; where a record has several items, also the check of each, a byte.
 *
 *     +----------+---------+--------+-----+-------+-----+---------+-----+-------+-----+
 *     | header 4 | count 4 | record | ... | size  | ... | check 1 | ... | tag 1 | ... |
 *     +----------+---------+--------+-----+-------+-----+---------+-----+-------+-----+
 *     0          4         8              end                                         size
 *
 * Here a record is: item, item, key. The key comes last and bare, without a tag of its own, since
 * the record's size says where it ends: that pays for the byte that the size takes. The tag of a
 * record is 7 bits of its key's hash, and a bit that says whether the key is an integer: one
 * comparison of 16 bytes rules out most of 16 records. The check is 8 further bits, looked at
 * where the tag is right, so that of 512 records not three are candidates but one: each is a cache
 * line or two that is waited for. Records of one item go without; there one that has another size
 * than the key is none. Where a record begins is the sum of the
 * sizes before it, which the machine also adds up 16 at a time. (A table of where every 16th record
 * begins would take an eighth of the room, but each candidate would cost a walk over 8 records, 25
 * ns, and an edit in the middle a walk to the end.)
 *
 * The index stands behind the records because most edits append.
 *
 *     item's tag   layout                          bytes in all
 *     0 to 0x5f    tag, text of that many bytes    l + 1
 *     0x60         tag, l - 96 (1), text           l + 2     96 <= l < 352
 *     0x61         tag, l (2), text                l + 3     352 <= l < 65536
 *     0x62         tag, l (4), text                l + 5
 *     0x63         tag, double                     9
 *     0x64 + n     tag, integer of n bytes         n + 1     1 <= n <= 8
 *     0111vvvv     tag, 8 more bits                2         integers -128 to 3967
 *     1vvvvvvv     tag                             1         integers 0 to 127
 *
 * A bare key is its text, or its integer in the fewest bytes, 1 to 8. Numbers are little-endian.
 *
 * Invariants (packmap_validate checks them):
 * 1. The records fill the map up to its end.
 * 2. Each item has the shortest form that can hold it. A text that is a canonical integer is always
 *    an integer, a double that is a whole number takes the integer's form if that is shorter. So
 *    equal keys are equal bytes.
 * 3. A plain map has at most PACKMAP_PLAIN_MAX records.
 * 4. Sizes, checks and tags are those of the records.
 * 5. The allocation is of `size` bytes, which the allocator rounds up to its class. */
#ifndef LARDER_DS_PACKMAP_INT_H
#define LARDER_DS_PACKMAP_INT_H

#include <string.h>

#include "base/check.h"
#include "ds/packmap.h"

#ifdef LARDER_TEST_SMALL
#define PACKMAP_PLAIN_MAX 3
#define PACKMAP_INDEX_MIN 2
#else
/* Most records of a plain map. Walking them takes up to 40 ns, twice what an index would, but an
 * index for 16 pairs takes 36 bytes. */
#define PACKMAP_PLAIN_MAX 16
/* Fewest records of an indexed one: with less it becomes plain again. */
#define PACKMAP_INDEX_MIN 9
#endif

/* How many bytes a record's size has. */
enum packmap_form { PACKMAP_PLAIN, PACKMAP_SIZES_1, PACKMAP_SIZES_2, PACKMAP_SIZES_4 };

struct packmap {
    uint32_t size : 22;
    uint32_t form : 2; /* enum packmap_form */
    uint32_t width : 2;
    uint32_t few : 6; /* records of a plain map */
    uint8_t bytes[];
};
_Static_assert(sizeof(struct packmap) == 4, "the header is 4 bytes");
/* What is behind the limit: sizes may become 4 bytes each after the owner has asked whether a
 * record fits. The smallest record with sizes of one byte takes three. */
_Static_assert(PACKMAP_SIZE_MAX * 2 + 1024 < (size_t)1 << 22, "the header holds any size");
_Static_assert(PACKMAP_WIDTH_MAX == 3, "two bits hold any width, and nothing but 0 is none");
_Static_assert(PACKMAP_PLAIN_MAX < 1 << 6, "the header holds any count of a plain map");

enum item_tag {
    TAG_TEXT_MEDIUM = 0x60,
    TAG_TEXT_LONG = 0x61,
    TAG_TEXT_HUGE = 0x62,
    TAG_DOUBLE = 0x63,
    TAG_INTEGER = 0x64, /* plus the number of bytes */
    TAG_PAIR = 0x70,
    TAG_SINGLE = 0x80,
};

/* Where the forms of text begin and end. */
#define TEXT_SHORT_MAX  95u
#define TEXT_MEDIUM_MIN 96u
#define TEXT_MEDIUM_MAX 351u
#define TEXT_LONG_MAX   65535u

/* What integers of two bytes hold: twelve bits, moved so that some negative ones fit. */
#define PAIR_MIN (-128)
#define PAIR_MAX (PAIR_MIN + 4095)

/* The bit of a record's tag that says that its key is an integer. */
#define KEY_IS_INTEGER 0x80u

/* An item as it is written: what comes first, then the text's bytes. */
struct packmap_shape {
    uint8_t head[9];
    uint8_t head_size;
    struct bytes text;
};

static inline size_t shape_size(const struct packmap_shape *shape) {
    return shape->head_size + shape->text.size;
}

struct packmap_shape packmap_shape_of(const struct packmap_item *item);

/* A key as it stands bare; an integer's bytes are put into `raw`. */
#define BARE_INTEGER_MAX 8
struct bytes packmap_bare_key(const struct packmap_item *key, uint8_t *raw, bool *is_integer);

/* What is known of a key: its bare form, and what the record's tag and check are. */
struct packmap_key {
    struct bytes bare;
    uint8_t raw[BARE_INTEGER_MAX];
    uint8_t tag;
    uint8_t check;
};

static inline uint8_t packmap_tag(uint64_t hash, bool is_integer) {
    return (uint8_t)(hash >> 57 | (is_integer ? KEY_IS_INTEGER : 0));
}

static inline uint8_t packmap_check(uint64_t hash) {
    return (uint8_t)(hash >> 49);
}
/* The key is not to be moved, for what it says may point into it. */
void packmap_key_of(const struct packmap_item *item, struct packmap_key *key);

/* Little-endian, whatever the machine. */
static inline void put_number(uint8_t *at, uint64_t number, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

static inline uint64_t take_number(const uint8_t *at, unsigned width) {
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++) {
        number |= (uint64_t)at[i] << (8 * i);
    }
    return number;
}

static inline int64_t take_integer(const uint8_t *at, unsigned width) {
    unsigned unused = (64 - 8 * width) & 63;
    return (int64_t)(take_number(at, width) << unused) >> unused;
}

static inline uint32_t map_count(const struct packmap *map) {
    if (map->form == PACKMAP_PLAIN) {
        return map->few;
    }
    uint32_t count;
    memcpy(&count, map->bytes, 4);
    return count;
}

/* Bytes of a record's size. */
static inline unsigned map_size_width(const struct packmap *map) {
    return (1u << map->form) >> 1;
}

static inline bool map_has_checks(const struct packmap *map) {
    return map->width > 1;
}

/* Bytes of a record's size, check and tag. */
static inline unsigned map_index_width(const struct packmap *map) {
    return map_size_width(map) + map_has_checks(map) + 1;
}

/* Where the records begin and end, in bytes from the map's start. */
static inline uint32_t map_start(const struct packmap *map) {
    return map->form == PACKMAP_PLAIN ? 4 : 8;
}

static inline uint32_t map_end(const struct packmap *map) {
    if (map->form == PACKMAP_PLAIN) {
        return map->size;
    }
    return map->size - map_count(map) * map_index_width(map);
}

static inline const uint8_t *map_at(const struct packmap *map, size_t offset) {
    return (const uint8_t *)map + offset;
}

static inline uint8_t *map_to_write(struct packmap *map, size_t offset) {
    return (uint8_t *)map + offset;
}

static inline const uint8_t *map_tags(const struct packmap *map) {
    return map_at(map, map->size - map_count(map));
}

/* Only of a map that has them. */
static inline const uint8_t *map_checks(const struct packmap *map) {
    return map_at(map, map->size - 2 * map_count(map));
}

/* The size of record `index`, whose sizes begin at `sizes`. */
static inline uint32_t size_in(const uint8_t *sizes, unsigned form, size_t index) {
    uint16_t two;
    uint32_t four;
    switch (form) {
    case PACKMAP_SIZES_1:
        return sizes[index];
    case PACKMAP_SIZES_2:
        memcpy(&two, sizes + 2 * index, 2);
        return two;
    default:
        memcpy(&four, sizes + 4 * index, 4);
        return four;
    }
}

static inline void size_put(uint8_t *sizes, unsigned form, size_t index, uint32_t size) {
    uint16_t two = (uint16_t)size;
    switch (form) {
    case PACKMAP_SIZES_1:
        sizes[index] = (uint8_t)size;
        break;
    case PACKMAP_SIZES_2:
        memcpy(sizes + 2 * index, &two, 2);
        break;
    default:
        memcpy(sizes + 4 * index, &size, 4);
    }
}

/* The first form whose sizes hold this one. */
static inline enum packmap_form form_for(size_t size) {
    if (size <= UINT8_MAX) {
        return PACKMAP_SIZES_1;
    }
    return size <= UINT16_MAX ? PACKMAP_SIZES_2 : PACKMAP_SIZES_4;
}

static inline bool tag_is_text(uint8_t tag) {
    return tag <= TAG_TEXT_HUGE;
}

/* Bytes of the length that a text's tag is followed by. */
static inline unsigned text_length_width(uint8_t tag) {
    return tag < TAG_TEXT_MEDIUM ? 0 : 1u << (tag - TAG_TEXT_MEDIUM);
}

/* Bytes of an item in all. */
static inline size_t item_size(const uint8_t *item) {
    uint8_t tag = *item;
    if (LIKELY(tag <= TEXT_SHORT_MAX)) {
        return tag + 1u;
    }
    if (tag >= TAG_PAIR) {
        return tag >= TAG_SINGLE ? 1 : 2;
    }
    if (tag > TAG_INTEGER) {
        return tag - TAG_INTEGER + 1u;
    }
    switch (tag) {
    case TAG_TEXT_MEDIUM:
        return item[1] + TEXT_MEDIUM_MIN + 2;
    case TAG_TEXT_LONG:
        return take_number(item + 1, 2) + 3;
    case TAG_TEXT_HUGE:
        return take_number(item + 1, 4) + 5;
    default:
        return 9;
    }
}

static inline packmap_at at_of(size_t index, size_t offset) {
    return (uint64_t)index << 32 | offset;
}

static inline uint32_t at_offset(packmap_at at) {
    return (uint32_t)at;
}

/* The bytes of the record at `at`. */
static inline uint32_t record_size(const struct packmap *map, packmap_at at) {
    if (map->form != PACKMAP_PLAIN) {
        return size_in(map_at(map, map_end(map)), map->form, packmap_index(at));
    }
    const uint8_t *record = map_at(map, at_offset(at));
    const uint8_t *end = record;
    for (unsigned i = 0; i < map->width; i++) {
        end += item_size(end);
    }
    return (uint32_t)(end - record);
}

/* Where item `which`, not the bare key, of the record begins. */
static inline const uint8_t *record_item(const struct packmap *map, packmap_at at, unsigned which) {
    const uint8_t *item = map_at(map, at_offset(at));
    for (unsigned i = map->form == PACKMAP_PLAIN ? 0 : 1; i < which; i++) {
        item += item_size(item);
    }
    return item;
}

/* The bare key of a record of an indexed map. */
static inline struct bytes record_bare_key(const struct packmap *map, packmap_at at) {
    const uint8_t *record = map_at(map, at_offset(at));
    const uint8_t *key = record_item(map, at, map->width);
    return bytes_of(key, record_size(map, at) - (size_t)(key - record));
}

#endif
