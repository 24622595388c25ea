/* packmap_edit: making and changing maps; packmap_int.h has the picture.
 *
 * An edit first makes the allocation large enough, moves what is behind it, the hindmost first,
 * and writes; or moves the foremost first, and then makes the allocation smaller. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "ds/packmap_int.h"

#define PLAIN_START   4
#define INDEXED_START 8
/* Largest size that the header holds. */
#define SIZE_HELD_MAX (((uint32_t)1 << 22) - 1)

struct packmap *packmap_new(unsigned width) {
    check(width >= 1 && width <= PACKMAP_WIDTH_MAX);
    struct packmap *map = mem_alloc(MEM_DATA, sizeof *map);
    *map = (struct packmap){.size = sizeof *map, .form = PACKMAP_PLAIN, .width = width & 3};
    return map;
}

void packmap_free(struct packmap *map) {
    if (map != NULL) {
        mem_free(MEM_DATA, map, map->size);
    }
}

struct packmap *packmap_copy(const struct packmap *map) {
    struct packmap *copy = mem_alloc(MEM_DATA, map->size);
    memcpy(copy, map, map->size);
    return copy;
}

struct packmap *packmap_settle(struct packmap *map, struct sparse_tally *tally) {
    return sparse_settle(map, map->size, tally);
}

/* ---- shapes ---- */

static unsigned integer_width(int64_t integer) {
    /* Folds the sign away: what is left must fit one bit less than the bytes have. */
    uint64_t folded = (uint64_t)integer ^ (uint64_t)(integer >> 63);
    unsigned width = 1;
    while (width < 8 && folded >> (8 * width - 1) != 0) {
        width++;
    }
    return width;
}

static struct packmap_shape shape_of_integer(int64_t integer) {
    struct packmap_shape shape = {.head_size = 1};
    if (integer >= 0 && integer <= 127) {
        shape.head[0] = (uint8_t)(TAG_SINGLE | integer);
    } else if (integer >= PAIR_MIN && integer <= PAIR_MAX) {
        unsigned moved = (unsigned)(integer - PAIR_MIN);
        shape.head[0] = (uint8_t)(TAG_PAIR | moved >> 8);
        shape.head[1] = (uint8_t)moved;
        shape.head_size = 2;
    } else {
        unsigned width = integer_width(integer);
        shape.head[0] = (uint8_t)(TAG_INTEGER + width);
        put_number(shape.head + 1, (uint64_t)integer, width);
        shape.head_size = (uint8_t)(width + 1);
    }
    return shape;
}

static struct packmap_shape shape_of_text(struct bytes text) {
    struct packmap_shape shape = {.text = text};
    unsigned width = 0;
    uint64_t number = text.size;
    if (text.size <= TEXT_SHORT_MAX) {
        shape.head[0] = (uint8_t)text.size;
    } else if (text.size <= TEXT_MEDIUM_MAX) {
        shape.head[0] = TAG_TEXT_MEDIUM;
        number -= TEXT_MEDIUM_MIN;
        width = 1;
    } else if (text.size <= TEXT_LONG_MAX) {
        shape.head[0] = TAG_TEXT_LONG;
        width = 2;
    } else {
        shape.head[0] = TAG_TEXT_HUGE;
        width = 4;
    }
    put_number(shape.head + 1, number, width);
    shape.head_size = (uint8_t)(1 + width);
    return shape;
}

/* A whole number that its integer's form holds in less; minus zero is none. */
static bool double_is_short(double number, int64_t *integer) {
    if (!(number >= -1e15 && number <= 1e15)) {
        return false;
    }
    *integer = (int64_t)number;
    return (double)*integer == number && !(number == 0 && signbit(number));
}

static struct packmap_shape shape_of_double(double number) {
    int64_t integer;
    if (double_is_short(number, &integer)) {
        return shape_of_integer(integer);
    }
    struct packmap_shape shape = {.head = {TAG_DOUBLE}, .head_size = 9};
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    put_number(shape.head + 1, bits, 8);
    return shape;
}

static bool item_integer(const struct packmap_item *item, int64_t *integer) {
    if (item->kind == PACKMAP_INTEGER) {
        *integer = item->integer;
        return true;
    }
    return item->text.size <= NUM_I64_SIZE && num_parse_i64(item->text, integer);
}

struct packmap_shape packmap_shape_of(const struct packmap_item *item) {
    if (item->kind == PACKMAP_DOUBLE) {
        return shape_of_double(item->number);
    }
    int64_t integer;
    return item_integer(item, &integer) ? shape_of_integer(integer) : shape_of_text(item->text);
}

struct bytes packmap_bare_key(const struct packmap_item *key, uint8_t *raw, bool *is_integer) {
    int64_t integer;
    debug_check(key->kind != PACKMAP_DOUBLE);
    *is_integer = item_integer(key, &integer);
    if (!*is_integer) {
        return key->text;
    }
    unsigned width = integer_width(integer);
    put_number(raw, (uint64_t)integer, width);
    return bytes_of(raw, width);
}

void packmap_key_of(const struct packmap_item *item, struct packmap_key *key) {
    char scratch[NUM_I64_SIZE];
    struct bytes text = item->text;
    bool is_integer;
    key->bare = packmap_bare_key(item, key->raw, &is_integer);
    if (item->kind == PACKMAP_INTEGER) {
        text = bytes_of(scratch, num_format_i64(scratch, item->integer));
    }
    uint64_t hash = hash_bytes(hash_seed(), text.at, text.size);
    key->tag = packmap_tag(hash, is_integer);
    key->check = packmap_check(hash);
}

static uint8_t *put_bytes(uint8_t *at, const void *from, size_t size) {
    if (size > 0) {
        memcpy(at, from, size);
    }
    return at + size;
}

static uint8_t *put_shape(uint8_t *at, const struct packmap_shape *shape) {
    /* The analyser does not follow that each item has its shape. */
    /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
    at = put_bytes(at, shape->head, shape->head_size);
    return put_bytes(at, shape->text.at, shape->text.size);
}

/* ---- changing the form ---- */

static void set_count(struct packmap *map, uint32_t count) {
    if (map->form == PACKMAP_PLAIN) {
        map->few = count & 63;
    } else {
        memcpy(map->bytes, &count, 4);
    }
}

static struct packmap *resize(struct packmap *map, size_t size) {
    check(size <= SIZE_HELD_MAX);
    map = mem_realloc(MEM_DATA, map, map->size, size);
    map->size = (uint32_t)size & SIZE_HELD_MAX;
    return map;
}

/* The sizes of an indexed map become as wide as this form says, which is wider. */
static struct packmap *widen(struct packmap *map, enum packmap_form form) {
    size_t count = map_count(map);
    size_t end = map_end(map);
    unsigned old_form = map->form;
    unsigned old_width = map_size_width(map);
    size_t behind = count * (map_index_width(map) - old_width);
    map = resize(map, map->size + count * ((1u << form >> 1) - old_width));
    map->form = form;
    uint8_t *sizes = map_to_write(map, end);
    memmove(sizes + count * map_size_width(map), sizes + count * old_width, behind);
    for (size_t i = count; i > 0; i--) {
        size_put(sizes, form, i - 1, size_in(sizes, old_form, i - 1));
    }
    return map;
}

/* The arrays of the index, in the order in which they stand: how wide each one's elements are. */
#define ARRAYS 3
struct arrays {
    unsigned widths[ARRAYS];
};

static struct arrays arrays_of(const struct packmap *map) {
    return (struct arrays){{map_size_width(map), map_has_checks(map), 1}};
}

static inline void move(uint8_t *to, const uint8_t *from, size_t size) {
    if (size > 0 && to != from) {
        memmove(to, from, size);
    }
}

/* The index at `from` moves to `to`, behind it, with a gap for one record at `index`. */
static void open_index(const struct packmap *map, uint8_t *to, const uint8_t *from, size_t count,
                       size_t index) {
    struct arrays arrays = arrays_of(map);
    unsigned before = map_index_width(map);
    for (unsigned i = ARRAYS; i > 0; i--) {
        unsigned width = arrays.widths[i - 1];
        before -= width;
        uint8_t *array = to + (count + 1) * before;
        const uint8_t *old = from + count * before;
        move(array + (index + 1) * width, old + index * width, (count - index) * width);
        move(array, old, index * width);
    }
}

/* The index at `from` moves to `to`, before it, without `removed` records from `index` on. */
static void close_index(const struct packmap *map, uint8_t *to, const uint8_t *from, size_t count,
                        size_t index, size_t removed) {
    struct arrays arrays = arrays_of(map);
    unsigned before = 0;
    size_t after = index + removed;
    for (unsigned i = 0; i < ARRAYS; i++) {
        unsigned width = arrays.widths[i];
        uint8_t *array = to + (count - removed) * before;
        const uint8_t *old = from + count * before;
        move(array, old, index * width);
        move(array + index * width, old + after * width, (count - after) * width);
        before += width;
    }
}

/* Writes what the index says of a record. */
static void put_in_index(struct packmap *map, size_t index, size_t size,
                         const struct packmap_key *key) {
    uint8_t *sizes = map_to_write(map, map_end(map));
    size_t count = map_count(map);
    uint8_t *tags = map_to_write(map, map->size - count);
    size_put(sizes, map->form, index, (uint32_t)size);
    tags[index] = key->tag;
    if (map_has_checks(map)) {
        *(tags + index - count) = key->check;
    }
}

/* A record of a plain map: its key is an item like the others, and there are these behind it. */
struct plain_record {
    struct packmap_item item;
    struct packmap_key key;
    const uint8_t *rest;
    size_t rest_size;
};

static void read_plain(const struct packmap *map, packmap_at at, struct plain_record *record) {
    packmap_get(map, at, 0, &record->item);
    packmap_key_of(&record->item, &record->key);
    const uint8_t *key = map_at(map, at_offset(at));
    record->rest = key + item_size(key);
    record->rest_size = record_size(map, at) - item_size(key);
}

/* An indexed map with the records of a plain one, which is freed. */
static struct packmap *become_indexed(struct packmap *plain) {
    struct plain_record record;
    size_t records = 0;
    size_t largest = 0;
    for (packmap_at at = packmap_first(plain); at != 0; at = packmap_next(plain, at)) {
        read_plain(plain, at, &record);
        size_t size = record.rest_size + record.key.bare.size;
        records += size;
        largest = size > largest ? size : largest;
    }
    struct packmap shape = {.form = form_for(largest), .width = plain->width};
    size_t size = INDEXED_START + records + plain->few * map_index_width(&shape);
    check(size <= SIZE_HELD_MAX);
    struct packmap *map = mem_alloc(MEM_DATA, size);
    *map = shape;
    map->size = (uint32_t)size & SIZE_HELD_MAX;
    set_count(map, plain->few);
    uint8_t *to = map_to_write(map, INDEXED_START);
    for (packmap_at at = packmap_first(plain); at != 0; at = packmap_next(plain, at)) {
        read_plain(plain, at, &record);
        put_in_index(map, packmap_index(at), record.rest_size + record.key.bare.size, &record.key);
        to = put_bytes(to, record.rest, record.rest_size);
        to = put_bytes(to, record.key.bare.at, record.key.bare.size);
    }
    packmap_free(plain);
    return map;
}

/* The other way round. */
static struct packmap *become_plain(struct packmap *indexed) {
    size_t size = PLAIN_START;
    struct packmap_item key;
    for (packmap_at at = packmap_first(indexed); at != 0; at = packmap_next(indexed, at)) {
        packmap_get(indexed, at, 0, &key);
        struct packmap_shape shape = packmap_shape_of(&key);
        size += record_size(indexed, at) - record_bare_key(indexed, at).size + shape_size(&shape);
    }
    struct packmap *map = mem_alloc(MEM_DATA, size);
    *map = (struct packmap){
        .size = (uint32_t)size & SIZE_HELD_MAX, .form = PACKMAP_PLAIN, .width = indexed->width};
    set_count(map, map_count(indexed));
    uint8_t *to = map_to_write(map, PLAIN_START);
    for (packmap_at at = packmap_first(indexed); at != 0; at = packmap_next(indexed, at)) {
        packmap_get(indexed, at, 0, &key);
        struct packmap_shape shape = packmap_shape_of(&key);
        to = put_shape(to, &shape);
        size_t rest = record_size(indexed, at) - record_bare_key(indexed, at).size;
        to = put_bytes(to, map_at(indexed, at_offset(at)), rest);
    }
    packmap_free(indexed);
    return map;
}

/* ---- edits ---- */

/* Room for one record more at `index`, which begins at `offset`, and in the index. */
static struct packmap *open_record(struct packmap *map, size_t index, size_t offset, size_t size) {
    size_t count = map_count(map);
    size_t end = map_end(map);
    bool is_indexed = map->form != PACKMAP_PLAIN;
    map = resize(map, map->size + size + (is_indexed ? map_index_width(map) : 0));
    if (is_indexed) {
        open_index(map, map_to_write(map, end + size), map_at(map, end), count, index);
    }
    uint8_t *record = map_to_write(map, offset);
    move(record + size, record, end - offset);
    set_count(map, (uint32_t)count + 1);
    return map;
}

static struct packmap *insert_plain(struct packmap *map, size_t index, size_t offset,
                                    const struct packmap_item *items) {
    struct packmap_shape shapes[PACKMAP_WIDTH_MAX];
    size_t size = 0;
    for (unsigned i = 0; i < map->width; i++) {
        shapes[i] = packmap_shape_of(&items[i]);
        size += shape_size(&shapes[i]);
    }
    map = open_record(map, index, offset, size);
    uint8_t *to = map_to_write(map, offset);
    for (unsigned i = 0; i < map->width; i++) {
        to = put_shape(to, &shapes[i]);
    }
    return map;
}

static struct packmap *insert_indexed(struct packmap *map, size_t index, size_t offset,
                                      const struct packmap_item *items) {
    struct packmap_key key;
    packmap_key_of(&items[0], &key);
    struct packmap_shape shapes[PACKMAP_WIDTH_MAX];
    size_t size = key.bare.size;
    for (unsigned i = 1; i < map->width; i++) {
        shapes[i] = packmap_shape_of(&items[i]);
        size += shape_size(&shapes[i]);
    }
    if (form_for(size) > map->form) {
        map = widen(map, form_for(size));
    }
    map = open_record(map, index, offset, size);
    put_in_index(map, index, size, &key);
    uint8_t *to = map_to_write(map, offset);
    for (unsigned i = 1; i < map->width; i++) {
        to = put_shape(to, &shapes[i]);
    }
    put_bytes(to, key.bare.at, key.bare.size);
    return map;
}

struct packmap *packmap_insert(struct packmap *map, packmap_at *at,
                               const struct packmap_item *items) {
    size_t index = *at == 0 ? map_count(map) : packmap_index(*at);
    bool is_full = map->form == PACKMAP_PLAIN && map->few == PACKMAP_PLAIN_MAX;
    if (is_full) {
        map = become_indexed(map);
        *at = packmap_seek(map, (int64_t)index);
    }
    size_t offset = *at == 0 ? map_end(map) : at_offset(*at);
    *at = at_of(index, offset);
    return map->form == PACKMAP_PLAIN ? insert_plain(map, index, offset, items)
                                      : insert_indexed(map, index, offset, items);
}

struct packmap *packmap_append(struct packmap *map, const struct packmap_item *items) {
    packmap_at at = 0;
    return packmap_insert(map, &at, items);
}

/* All behind an item moves with the sizes and tags. */
struct packmap *packmap_replace(struct packmap *map, packmap_at *at, unsigned which,
                                const struct packmap_item *item) {
    debug_check(which > 0 && which < map->width);
    struct packmap_shape shape = packmap_shape_of(item);
    size_t size = shape_size(&shape);
    const uint8_t *old = record_item(map, *at, which);
    size_t old_size = item_size(old);
    size_t offset = (size_t)(old - map_at(map, 0));
    if (size != old_size) {
        size_t record = record_size(map, *at) - old_size + size;
        if (map->form != PACKMAP_PLAIN) {
            if (form_for(record) > map->form) {
                map = widen(map, form_for(record));
            }
            size_put(map_to_write(map, map_end(map)), map->form, packmap_index(*at),
                     (uint32_t)record);
        }
        size_t behind = map->size - offset - old_size;
        size_t total = map->size - old_size + size;
        if (size > old_size) {
            map = resize(map, total);
        }
        uint8_t *to = map_to_write(map, offset);
        move(to + size, to + old_size, behind);
        if (size < old_size) {
            map = resize(map, total);
        }
    }
    put_shape(map_to_write(map, offset), &shape);
    return map;
}

struct packmap *packmap_remove(struct packmap *map, packmap_at *at, size_t count) {
    size_t index = packmap_index(*at);
    size_t offset = at_offset(*at);
    size_t old_count = map_count(map);
    size_t end = map_end(map);
    packmap_at behind = *at;
    size_t removed = 0;
    while (removed < count && behind != 0) {
        behind = packmap_next(map, behind);
        removed++;
    }
    size_t size = (behind == 0 ? end : at_offset(behind)) - offset;
    size_t total = map->size - size;
    uint8_t *record = map_to_write(map, offset);
    move(record, record + size, end - offset - size);
    if (map->form != PACKMAP_PLAIN) {
        total -= removed * map_index_width(map);
        close_index(map, map_to_write(map, end - size), map_at(map, end), old_count, index,
                    removed);
    }
    set_count(map, (uint32_t)(old_count - removed));
    map = resize(map, total);
    *at = behind == 0 ? 0 : at_of(index, offset);
    if (map->form != PACKMAP_PLAIN && map_count(map) < PACKMAP_INDEX_MIN) {
        map = become_plain(map);
        *at = behind == 0 ? 0 : packmap_seek(map, (int64_t)index);
    }
    return map;
}
