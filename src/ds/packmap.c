/* packmap: reading and finding; packmap_int.h has the picture, packmap_edit.c the rest. */
#include "ds/packmap.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "ds/packmap_int.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes that are compared, or added up, at a time. */
#define LANES 16
/* Tags that are asked for ahead of a find. Asking for sizes and checks as well costs more than the
 * two lines of them that a find reads: 7 % of an HSET. */
#define TAGS_PREFETCHED 512
/* Bytes of records that are. */
#define RECORDS_PREFETCHED 4096

unsigned packmap_width(const struct packmap *map) {
    return map->width;
}

size_t packmap_count(const struct packmap *map) {
    return map_count(map);
}

size_t packmap_size(const struct packmap *map) {
    return map->size;
}

size_t packmap_footprint(const struct packmap *map) {
    return mem_class(map->size);
}

bool packmap_fits(const struct packmap *map, size_t content) {
    /* Each item's tag, with a length or number behind it; the record's size and tag; the count. */
    size_t overhead = PACKMAP_WIDTH_MAX * 9 + 5 + 4;
    return content <= PACKMAP_SIZE_MAX && map->size + content + overhead <= PACKMAP_SIZE_MAX;
}

/* ---- sixteen at a time ---- */

/* A bit for each of LANES bytes that is `tag`. */
static inline unsigned match(const uint8_t *tags, uint8_t tag) {
#ifdef __SSE2__
    __m128i lanes = _mm_loadu_si128((const __m128i *)(const void *)tags);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(lanes, _mm_set1_epi8((char)tag)));
#else
    unsigned matches = 0;
    for (unsigned i = 0; i < LANES; i++) {
        matches |= (unsigned)(tags[i] == tag) << i;
    }
    return matches;
#endif
}

/* The sum of `count` sizes of a byte. At least LANES bytes can be read from each of `sizes` on. */
static inline uint32_t add_bytes(const uint8_t *sizes, size_t count) {
#ifdef __SSE2__
    static const uint8_t mask[2 * LANES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                            255, 255, 255, 255, 255, 255, 255, 255};
    const __m128i zero = _mm_setzero_si128();
    __m128i sums = zero;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        __m128i lanes = _mm_loadu_si128((const __m128i *)(const void *)(sizes + i));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(lanes, zero));
    }
    if (i < count) {
        __m128i lanes = _mm_loadu_si128((const __m128i *)(const void *)(sizes + i));
        const uint8_t *kept = mask + LANES - (count - i);
        lanes = _mm_and_si128(lanes, _mm_loadu_si128((const __m128i *)(const void *)kept));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(lanes, zero));
    }
    return (uint32_t)_mm_cvtsi128_si32(sums) +
           (uint32_t)_mm_cvtsi128_si32(_mm_unpackhi_epi64(sums, sums));
#else
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += sizes[i];
    }
    return sum;
#endif
}

/* The sum of `count` sizes from record `index` on. */
static uint32_t add_sizes(const struct packmap *map, size_t index, size_t count) {
    const uint8_t *sizes = map_at(map, map_end(map));
    /* Behind the sizes are as many tags, so that what is read beyond lies within the map. */
    if (map->form == PACKMAP_SIZES_1 && map_count(map) >= LANES) {
        return add_bytes(sizes + index, count);
    }
    uint32_t sum = 0;
    for (size_t i = index; i < index + count; i++) {
        sum += size_in(sizes, map->form, i);
    }
    return sum;
}

/* Where a record of an indexed map begins, by its index. */
static uint32_t locate(const struct packmap *map, size_t index) {
    size_t behind = map_count(map) - index;
    if (index <= behind) {
        return map_start(map) + add_sizes(map, 0, index);
    }
    return map_end(map) - add_sizes(map, index, behind);
}

/* ---- positions ---- */

packmap_at packmap_first(const struct packmap *map) {
    return map_count(map) > 0 ? at_of(0, map_start(map)) : 0;
}

packmap_at packmap_last(const struct packmap *map) {
    return packmap_seek(map, -1);
}

packmap_at packmap_next(const struct packmap *map, packmap_at at) {
    size_t index = packmap_index(at) + 1;
    return index < map_count(map) ? at_of(index, at_offset(at) + record_size(map, at)) : 0;
}

packmap_at packmap_previous(const struct packmap *map, packmap_at at) {
    size_t index = packmap_index(at);
    if (index == 0) {
        return 0;
    }
    if (map->form == PACKMAP_PLAIN) {
        return packmap_seek(map, (int64_t)index - 1);
    }
    const uint8_t *sizes = map_at(map, map_end(map));
    return at_of(index - 1, at_offset(at) - size_in(sizes, map->form, index - 1));
}

packmap_at packmap_seek(const struct packmap *map, int64_t index) {
    int64_t count = map_count(map);
    if (index >= count || index < -count) {
        return 0;
    }
    if (index < 0) {
        index += count;
    }
    if (map->form != PACKMAP_PLAIN) {
        return at_of((size_t)index, locate(map, (size_t)index));
    }
    packmap_at at = packmap_first(map);
    for (; index > 0; index--) {
        at = at_of(packmap_index(at) + 1, at_offset(at) + record_size(map, at));
    }
    return at;
}

/* ---- finding ---- */

/* Whether the item is what would be written in this form. */
static inline bool item_is(const uint8_t *item, const struct packmap_shape *shape) {
    return *item == shape->head[0] &&
           bytes_same((const char *)item + 1, (const char *)shape->head + 1,
                      shape->head_size - 1u) &&
           bytes_same((const char *)item + shape->head_size, shape->text.at, shape->text.size);
}

static packmap_at find_plain(const struct packmap *map, const struct packmap_shape *key) {
    size_t offset = map_start(map);
    for (unsigned i = 0; i < map->few; i++) {
        const uint8_t *record = map_at(map, offset);
        if (item_is(record, key)) {
            return at_of(i, offset);
        }
        offset += record_size(map, at_of(i, offset));
    }
    return 0;
}

/* Whether the record at this index, whose tag is right, may be the one. */
static inline bool is_candidate(const struct packmap *map, size_t index,
                                const struct packmap_key *key) {
    if (map_has_checks(map)) {
        return map_checks(map)[index] == key->check;
    }
    return size_in(map_at(map, map_end(map)), map->form, index) == key->bare.size;
}

/* Asks whether the record at `at` is the one. For a prefetch, that is enough of a find, and the
 * record's lines have not been there. */
static inline bool accept(const struct packmap *map, packmap_at at, const struct packmap_key *key,
                          bool prefetch) {
    if (prefetch) {
        const char *record = (const char *)map_at(map, at_offset(at));
        __builtin_prefetch(record);
        __builtin_prefetch(record + record_size(map, at));
        return true;
    }
    return bytes_equal(record_bare_key(map, at), key->bare);
}

static inline packmap_at try_each(const struct packmap *map, size_t base, unsigned matches,
                                  const struct packmap_key *key, bool prefetch) {
    for (; matches != 0; matches &= matches - 1) {
        size_t index = base + (unsigned)__builtin_ctz(matches);
        if (is_candidate(map, index, key)) {
            packmap_at at = at_of(index, locate(map, index));
            if (accept(map, at, key, prefetch)) {
                return at;
            }
        }
    }
    return 0;
}

/* The last bytes of the map are its last tags. */
static inline packmap_at find_indexed(const struct packmap *map, const struct packmap_key *key,
                                      bool prefetch) {
    const uint8_t *tags = map_tags(map);
    size_t count = map_count(map);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        unsigned matches = match(tags + i, key->tag);
        packmap_at at = LIKELY(matches == 0) ? 0 : try_each(map, i, matches, key, prefetch);
        if (at != 0) {
            return at;
        }
    }
    if (i == count) {
        return 0;
    }
    if (map->size >= LANES) {
        size_t missing = LANES - (count - i);
        unsigned matches = match(tags + i - missing, key->tag) >> missing;
        return try_each(map, i, matches, key, prefetch);
    }
    unsigned matches = 0;
    for (; i < count; i++) {
        matches |= (unsigned)(tags[i] == key->tag) << i;
    }
    return try_each(map, 0, matches, key, prefetch);
}

/* What find_indexed needs to know. */
static inline void shape_key(struct bytes text, uint64_t hash, struct packmap_key *key) {
    struct packmap_item item = packmap_of_text(text);
    bool is_integer;
    key->bare = packmap_bare_key(&item, key->raw, &is_integer);
    key->tag = packmap_tag(hash, is_integer);
    key->check = packmap_check(hash);
}

static packmap_at find_shape(const struct packmap *map, struct bytes key) {
    struct packmap_item item = packmap_of_text(key);
    struct packmap_shape shape = packmap_shape_of(&item);
    return find_plain(map, &shape);
}

packmap_at packmap_find_hashed(const struct packmap *map, struct bytes text, uint64_t hash) {
    debug_check(hash == hash_bytes(hash_seed(), text.at, text.size));
    if (map->form == PACKMAP_PLAIN) {
        return find_shape(map, text);
    }
    struct packmap_key key;
    shape_key(text, hash, &key);
    return find_indexed(map, &key, false);
}

packmap_at packmap_find(const struct packmap *map, struct bytes text) {
    if (map->form == PACKMAP_PLAIN) {
        return find_shape(map, text);
    }
    return packmap_find_hashed(map, text, hash_bytes(hash_seed(), text.at, text.size));
}

/* Tells the compiler that a function has an effect: it takes one that only prefetches for one
 * without any, and drops the calls. */
static inline void keep_calls(void) {
    __asm__ volatile("");
}

void packmap_prefetch_index(const struct packmap *map) {
    if (map->form == PACKMAP_PLAIN) {
        return;
    }
    const char *at = (const char *)map_tags(map);
    const char *end = (const char *)map_at(map, map->size);
    if (end - at > TAGS_PREFETCHED) {
        end = at + TAGS_PREFETCHED;
    }
    for (; at < end; at += 64) {
        __builtin_prefetch(at);
    }
    keep_calls();
}

void packmap_prefetch_records(const struct packmap *map) {
    size_t end = map_end(map);
    end = end < RECORDS_PREFETCHED ? end : RECORDS_PREFETCHED;
    for (size_t at = 64; at < end; at += 64) {
        __builtin_prefetch(map_at(map, at));
    }
    keep_calls();
}

bool packmap_prefetch_record(const struct packmap *map, struct bytes text, uint64_t hash) {
    if (map->form == PACKMAP_PLAIN) {
        return false;
    }
    struct packmap_key key;
    shape_key(text, hash, &key);
    keep_calls();
    return find_indexed(map, &key, true) != 0;
}

/* ---- items ---- */

static int64_t integer_of(const uint8_t *item) {
    uint8_t tag = *item;
    if (tag >= TAG_SINGLE) {
        return tag & 127;
    }
    if (tag >= TAG_PAIR) {
        return ((int64_t)(tag & 15) << 8 | item[1]) + PAIR_MIN;
    }
    return take_integer(item + 1, tag - TAG_INTEGER);
}

static void read_item(const uint8_t *at, struct packmap_item *item) {
    if (tag_is_text(*at)) {
        unsigned head = 1 + text_length_width(*at);
        *item = packmap_of_text(bytes_of(at + head, item_size(at) - head));
    } else if (*at == TAG_DOUBLE) {
        uint64_t bits = take_number(at + 1, 8);
        *item = packmap_of_double(0);
        memcpy(&item->number, &bits, 8);
    } else {
        *item = packmap_of_integer(integer_of(at));
    }
}

void packmap_get(const struct packmap *map, packmap_at at, unsigned which,
                 struct packmap_item *item) {
    debug_check(which < map->width && packmap_index(at) < map_count(map));
    if (which > 0 || map->form == PACKMAP_PLAIN) {
        read_item(record_item(map, at, which), item);
        return;
    }
    struct bytes key = record_bare_key(map, at);
    if (map_tags(map)[packmap_index(at)] & KEY_IS_INTEGER) {
        *item = packmap_of_integer(take_integer((const uint8_t *)key.at, (unsigned)key.size));
    } else {
        *item = packmap_of_text(key);
    }
}

/* Writes only what the kind says: a whole item at once would be written in other pieces than those
 * in which it is read, for which the processor waits. */
static inline void set_text(struct packmap_item *item, const void *at, size_t size) {
    item->kind = PACKMAP_TEXT;
    item->text.at = at;
    item->text.size = size;
}

static inline void set_integer(struct packmap_item *item, int64_t integer) {
    item->kind = PACKMAP_INTEGER;
    item->integer = integer;
}

packmap_at packmap_read(const struct packmap *map, packmap_at at, struct packmap_item *items) {
    size_t index = packmap_index(at);
    const uint8_t *record = map_at(map, at_offset(at));
    const uint8_t *item = record;
    bool is_plain = map->form == PACKMAP_PLAIN;
    for (unsigned i = is_plain ? 0 : 1; i < map->width; i++) {
        size_t size = item_size(item);
        if (tag_is_text(*item)) {
            unsigned head = 1 + text_length_width(*item);
            set_text(&items[i], item + head, size - head);
        } else if (*item == TAG_DOUBLE) {
            items[i].kind = PACKMAP_DOUBLE;
            uint64_t bits = take_number(item + 1, 8);
            memcpy(&items[i].number, &bits, 8);
        } else {
            set_integer(&items[i], integer_of(item));
        }
        item += size;
    }
    if (!is_plain) {
        uint32_t size = size_in(map_at(map, map_end(map)), map->form, index);
        size_t key_size = size - (size_t)(item - record);
        if (map_tags(map)[index] & KEY_IS_INTEGER) {
            set_integer(&items[0], take_integer(item, (unsigned)key_size));
        } else {
            set_text(&items[0], item, key_size);
        }
        item = record + size;
    }
    return index + 1 < map_count(map) ? at_of(index + 1, at_offset(at) + (size_t)(item - record))
                                      : 0;
}

struct bytes packmap_text(const struct packmap *map, packmap_at at, unsigned which, char *scratch) {
    struct packmap_item item;
    packmap_get(map, at, which, &item);
    debug_check(item.kind != PACKMAP_DOUBLE);
    return packmap_item_text(&item, scratch);
}

double packmap_number(const struct packmap *map, packmap_at at, unsigned which) {
    struct packmap_item item;
    packmap_get(map, at, which, &item);
    debug_check(item.kind != PACKMAP_TEXT);
    return packmap_item_number(&item);
}

int64_t packmap_integer(const struct packmap *map, packmap_at at, unsigned which) {
    struct packmap_item item;
    packmap_get(map, at, which, &item);
    debug_check(item.kind == PACKMAP_INTEGER);
    return item.integer;
}

/* ---- validating ---- */

/* Whether a whole item of the shortest form lies at `at`, with `left` bytes to the end. */
static bool item_is_valid(const uint8_t *at, size_t left, size_t *size) {
    if (left == 0 || (*at > TAG_INTEGER + 8 && *at < TAG_PAIR) || *at == TAG_INTEGER ||
        (tag_is_text(*at) && left < 1u + text_length_width(*at))) {
        return false;
    }
    *size = item_size(at);
    if (*size > left) {
        return false;
    }
    struct packmap_item item;
    read_item(at, &item);
    struct packmap_shape shape = packmap_shape_of(&item);
    return shape.head[0] == *at && shape_size(&shape) == *size;
}

/* Whether a bare key of `size` bytes is in its shortest form. */
static bool bare_key_is_valid(const uint8_t *at, size_t size, bool is_integer) {
    if (is_integer && (size < 1 || size > BARE_INTEGER_MAX)) {
        return false;
    }
    struct packmap_item item = is_integer ? packmap_of_integer(take_integer(at, (unsigned)size))
                                          : packmap_of_text(bytes_of(at, size));
    uint8_t raw[BARE_INTEGER_MAX];
    bool becomes_integer;
    struct bytes bare = packmap_bare_key(&item, raw, &becomes_integer);
    return becomes_integer == is_integer && bare.size == size;
}

/* Whether a record lies at `offset`, and how large it is. */
static bool record_is_valid(const struct packmap *map, size_t index, size_t offset, size_t *size) {
    size_t end = map_end(map);
    if (map->form != PACKMAP_PLAIN) {
        size_t record = size_in(map_at(map, end), map->form, index);
        if (record > end - offset) {
            return false;
        }
        end = offset + record;
    }
    const uint8_t *at = map_at(map, offset);
    size_t left = end - offset;
    for (unsigned i = map->form == PACKMAP_PLAIN ? 0 : 1; i < map->width; i++) {
        size_t item;
        if (!item_is_valid(at, left, &item) || (i == 0 && *at == TAG_DOUBLE)) {
            return false;
        }
        at += item;
        left -= item;
    }
    *size = (size_t)(at - map_at(map, offset));
    if (map->form == PACKMAP_PLAIN) {
        return true;
    }
    *size += left;
    bool is_integer = map_tags(map)[index] & KEY_IS_INTEGER;
    if (!bare_key_is_valid(at, left, is_integer)) {
        return false;
    }
    struct packmap_item item;
    packmap_get(map, at_of(index, offset), 0, &item);
    struct packmap_key key;
    packmap_key_of(&item, &key);
    return key.tag == map_tags(map)[index] &&
           (!map_has_checks(map) || key.check == map_checks(map)[index]);
}

bool packmap_validate(const struct packmap *map, size_t size) {
    if (size < 4 || map->size != size || map->width == 0 ||
        (map->form == PACKMAP_PLAIN ? map->few > PACKMAP_PLAIN_MAX : size < 8)) {
        return false;
    }
    size_t count = map_count(map);
    size_t index_size = map->form == PACKMAP_PLAIN ? 0 : count * map_index_width(map);
    if (map_start(map) + index_size > size) {
        return false;
    }
    size_t offset = map_start(map);
    for (size_t i = 0; i < count; i++) {
        size_t record;
        if (!record_is_valid(map, i, offset, &record)) {
            return false;
        }
        offset += record;
    }
    return offset == map_end(map);
}
