/* packmap: a compact collection of records that is searched by key, in one allocation: a small set
 * (width 1: the member), hash (2: field, value; 3: and deadline) or sorted set (2: member, score).
 *
 * A record is `width` items; item 0 is its key, which the owner keeps unique. Records stay in the
 * order in which they were put, so a sorted set keeps them sorted. An item is a text, an integer (a
 * text that is one in canonical form is stored as such, and reads back as the same text), or a
 * double. The owner holds a pointer that changes with every edit.
 *
 * Costs. Memory: an item of up to 95 bytes takes one byte more than its content, an integer 1 to 9
 * bytes in all, a double 9; the header 4 bytes. From 17 records on a record takes one byte more, or
 * two if it has several items, and the header 8; then a find compares hashes of all the records, 16
 * at a time, and looks at the one: 36 ns among 512. Fewer records are walked. Reaching an
 * index adds up sizes, 16 at a time. An edit moves what is behind it. How it lies in memory stands
 * in packmap_int.h.
 *
 * Hashes are of this process (base/hash.h): a map's bytes mean nothing to another. */
#ifndef LARDER_DS_PACKMAP_H
#define LARDER_DS_PACKMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/sparse.h"

struct packmap;

#define PACKMAP_WIDTH_MAX 3

enum packmap_kind { PACKMAP_TEXT, PACKMAP_INTEGER, PACKMAP_DOUBLE };

/* An item to write, or as read. What was written is not always what is read: a text may come back
 * as an integer, and a double that is a small whole number too; packmap_text and
 * packmap_number see no difference. Text as read points into the map, valid until the next
 * edit. */
struct packmap_item {
    enum packmap_kind kind;
    struct bytes text;
    int64_t integer;
    double number;
};

static inline struct packmap_item packmap_of_text(struct bytes text) {
    return (struct packmap_item){.kind = PACKMAP_TEXT, .text = text};
}

static inline struct packmap_item packmap_of_integer(int64_t integer) {
    return (struct packmap_item){.kind = PACKMAP_INTEGER, .integer = integer};
}

static inline struct packmap_item packmap_of_double(double number) {
    return (struct packmap_item){.kind = PACKMAP_DOUBLE, .number = number};
}

/* Empty, for records of 1 to PACKMAP_WIDTH_MAX items; allocation purpose is MEM_DATA. */
struct packmap *packmap_new(unsigned width);
void packmap_free(struct packmap *map);
struct packmap *packmap_copy(const struct packmap *map);

unsigned packmap_width(const struct packmap *map);
size_t packmap_count(const struct packmap *map);     /* records */
size_t packmap_size(const struct packmap *map);      /* bytes in use */
size_t packmap_footprint(const struct packmap *map); /* bytes from the allocator */

/* Moves the map if it lies in a sparse slab. Returns it. */
struct packmap *packmap_settle(struct packmap *map, struct sparse_tally *tally);

/* The owner keeps packmap_size below this by asking packmap_fits before it adds: an edit moves
 * what is behind it, so that beyond this a table is better anyway. */
#define PACKMAP_SIZE_MAX ((size_t)1 << 20)
/* Whether a record more, or a longer item, with so many bytes of content in all, stays within
 * PACKMAP_SIZE_MAX. */
bool packmap_fits(const struct packmap *map, size_t content);

/* A position: the record's index in the high half, and opaque otherwise; 0 is none. Positions are
 * invalid after an edit unless said otherwise. */
typedef uint64_t packmap_at;

static inline size_t packmap_index(packmap_at at) {
    return (size_t)(at >> 32);
}

packmap_at packmap_first(const struct packmap *map);
packmap_at packmap_last(const struct packmap *map);
packmap_at packmap_next(const struct packmap *map, packmap_at at);
packmap_at packmap_previous(const struct packmap *map, packmap_at at);

/* The record at an index; negative counts from the end (-1 is the last). 0 when out of range. A
 * random record: packmap_seek(map, random_below(random, packmap_count(map))). */
packmap_at packmap_seek(const struct packmap *map, int64_t index);

/* The record with this key; 0 when there is none. */
packmap_at packmap_find(const struct packmap *map, struct bytes key);
/* The same for who has the key's hash_bytes with hash_seed() at hand. */
packmap_at packmap_find_hashed(const struct packmap *map, struct bytes key, uint64_t hash);

/* Item `which` of a record. */
void packmap_get(const struct packmap *map, packmap_at at, unsigned which,
                 struct packmap_item *item);

/* All items of a record at once; returns the position of the record behind it, 0 if it was the
 * last. The way to go through many. */
packmap_at packmap_read(const struct packmap *map, packmap_at at, struct packmap_item *items);

/* What packmap_text makes of an item, and packmap_number. */
static inline struct bytes packmap_item_text(const struct packmap_item *item, char *scratch) {
    return item->kind == PACKMAP_TEXT ? item->text
                                      : bytes_of(scratch, num_format_i64(scratch, item->integer));
}
static inline double packmap_item_number(const struct packmap_item *item) {
    return item->kind == PACKMAP_DOUBLE ? item->number : (double)item->integer;
}

/* The item's text, which must not be a double; integers are printed into `scratch`
 * (NUM_I64_SIZE bytes). */
struct bytes packmap_text(const struct packmap *map, packmap_at at, unsigned which, char *scratch);

/* The item's value, which must be a double or an integer. */
double packmap_number(const struct packmap *map, packmap_at at, unsigned which);
int64_t packmap_integer(const struct packmap *map, packmap_at at, unsigned which);

/* Edits return the map, which may have moved. `items` are `width` of them, the key first: no
 * double. Texts must not point into the map itself. */
struct packmap *packmap_append(struct packmap *map, const struct packmap_item *items);
/* Before the record at *at, or behind the last one if *at is 0; *at becomes the new one's
 * position. */
struct packmap *packmap_insert(struct packmap *map, packmap_at *at,
                               const struct packmap_item *items);
/* Another item in the place of item `which`, from 1 on; *at stays the record's position. */
struct packmap *packmap_replace(struct packmap *map, packmap_at *at, unsigned which,
                                const struct packmap_item *item);
/* Removes up to `count` records from *at on; *at becomes what follows them, or 0. */
struct packmap *packmap_remove(struct packmap *map, packmap_at *at, size_t count);

/* Asks the memory for what a find will read, in three steps some requests apart: the header, whose
 * line nobody has asked for yet; then, when it is there, the hashes; then the record itself
 * (false if there is none). They are hints and do not wait. */
static inline void packmap_prefetch(const struct packmap *map) {
    __builtin_prefetch(map);
}
void packmap_prefetch_index(const struct packmap *map);
/* In the second step, for who will look for a place among the records, and make room there: asks
 * for all of a map that is not large. */
void packmap_prefetch_records(const struct packmap *map);
bool packmap_prefetch_record(const struct packmap *map, struct bytes key, uint64_t hash);

/* Whether these `size` bytes are a well-formed map, but for the uniqueness of its keys: for tests,
 * and good for bytes of any origin. */
bool packmap_validate(const struct packmap *map, size_t size);

#endif
