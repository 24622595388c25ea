/* strip: a block of elements with room at both ends: what lists are made of. Elements come and go
 * at either end without moving the others. A large text is not copied into a strip: it is a strip
 * of its own that refers to a blob.
 *
 *     +------------+---------+-------+---------+------+----------+----------+------+------+
 *     | capacity 2 | start 2 | end 2 | count 2 | room | element  | element  | ...  | room |
 *     +------------+---------+-------+---------+------+----------+----------+------+------+
 *     0                                        8      start                        end    capacity
 *
 *     +------------+---------+-------+---------+--------+
 *     | 0          | 8       | 8     | 1       | blob 8 |      a large one
 *     +------------+---------+-------+---------+--------+
 *
 * How an element lies in memory is said in ds/element.h. The two lowest bits of the capacity are
 * the owner's (enum strip_mark); a new strip has none of them, and so has one that has moved.
 *
 * Terms. A place is an element's distance from the strip's start, in bytes; 0 is none. Room is
 * `capacity` less what is used.
 *
 * Invariants (strip_validate checks them):
 * 1. `count` elements of the shortest form fill start .. end.
 * 2. 8 <= start <= end <= capacity; an empty strip may have its room anywhere.
 * 3. The allocation is of `capacity` bytes, which fill the allocator's class; of a large one, 16.
 *
 * Costs: an edit at an end moves nothing, but when the room there is used up and there is enough at
 * the other end, all elements move there: at most eight bytes moved for each one added. An edit in
 * the middle moves what is on its shorter side if there is room. Reaching an index walks from the
 * nearer end.
 *
 * Functions that change a strip return it, for it may have moved. */
#ifndef LARDER_DS_STRIP_H
#define LARDER_DS_STRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sparse.h"
#include "ds/blob.h"
#include "ds/element.h"

#define STRIP_HEADER_SIZE 8u
/* Longest allocation of a strip: places are 16 bits, and two of the capacity's are marks. */
#define STRIP_SIZE_MAX 65532u

/* What the owner of a strip remembers of it. */
enum strip_mark {
    STRIP_PHASE = 1, /* of a watch, as ENTRY_PHASE of entries */
    STRIP_LEFT = 2   /* it is in no list any more, but kept for who watches */
};
#define STRIP_MARKS 3u

struct strip {
    uint16_t capacity; /* and marks */
    uint16_t start;
    uint16_t end;
    uint16_t count;
};
_Static_assert(sizeof(struct strip) == STRIP_HEADER_SIZE, "the header of a strip is 8 bytes");

typedef uint32_t strip_at;

static inline size_t strip_capacity(const struct strip *strip) {
    return strip->capacity & ~STRIP_MARKS;
}

static inline bool strip_is_large(const struct strip *strip) {
    return strip_capacity(strip) == 0;
}

static inline unsigned strip_marks(const struct strip *strip) {
    return strip->capacity & STRIP_MARKS;
}

static inline void strip_set_marks(struct strip *strip, unsigned marks) {
    strip->capacity = (uint16_t)((strip->capacity & ~STRIP_MARKS) | marks);
}

/* Of a large one. */
static inline struct blob *strip_blob(const struct strip *strip) {
    struct blob *blob;
    memcpy(&blob, (const char *)strip + STRIP_HEADER_SIZE, sizeof blob);
    return blob;
}

/* Bytes of the elements. */
static inline size_t strip_used(const struct strip *strip) {
    return (size_t)strip->end - strip->start;
}

static inline const uint8_t *strip_element(const struct strip *strip, strip_at at) {
    return (const uint8_t *)strip + at;
}

/* What a strip may hold. */
struct strip_limits {
    uint32_t size;  /* bytes with the header, at most STRIP_SIZE_MAX */
    uint32_t count; /* elements, at most STRIP_SIZE_MAX */
};

/* Whether an element of `total` bytes may be added. */
static inline bool strip_fits(const struct strip *strip, const struct strip_limits *limits,
                              size_t total) {
    return !strip_is_large(strip) && strip->count < limits->count &&
           STRIP_HEADER_SIZE + strip_used(strip) + total <= limits->size;
}

/* Empty, with room for `size` bytes of elements at least. */
struct strip *strip_new(size_t size);
/* A large one; takes the reference over. */
struct strip *strip_new_large(struct blob *blob);
void strip_free(struct strip *strip);
/* A blob is shared; no marks. strip_try_copy gives NULL when there is no memory. */
struct strip *strip_copy(const struct strip *strip);
struct strip *strip_try_copy(const struct strip *strip);

/* The element at an index < count. */
strip_at strip_seek(const struct strip *strip, size_t index);

/* Edits, of strips that are not large. What they take as an end or as room to spare: `spare` is
 * how many bytes more to allocate, if anything is allocated. The form's text must not lie in the
 * strip. */
struct strip *strip_push_front(struct strip *strip, const struct element_form *form, size_t spare);
struct strip *strip_push_back(struct strip *strip, const struct element_form *form, size_t spare);
/* Before the element at `at`, which may be `end`. */
struct strip *strip_insert(struct strip *strip, strip_at at, const struct element_form *form);
struct strip *strip_replace(struct strip *strip, strip_at at, const struct element_form *form);
/* Removes `count` elements from the index on. Gives memory back when most of it is room. */
struct strip *strip_remove(struct strip *strip, size_t index, size_t count);
/* Removes elements that equal the form: `max` of them, the last ones if `from_end`. *removed tells
 * how many. */
struct strip *strip_remove_equal(struct strip *strip, const struct element_form *form, size_t max,
                                 bool from_end, size_t *removed);
/* Cuts the strip in front of the element with this index, 0 < index < count; returns a new one
 * with the rest. */
struct strip *strip_split(struct strip *strip, size_t index);
/* Appends what is in `behind`, and frees that. */
struct strip *strip_join(struct strip *strip, struct strip *behind);

/* Whether an element equals the form. */
bool strip_has(const struct strip *strip, const struct element_form *form);

/* Moves the strip, and a blob that nobody else refers to, if they lie in sparse slabs. */
struct strip *strip_settle(struct strip *strip, struct sparse_tally *tally);

/* Bytes from the allocator, the blob's included. */
size_t strip_footprint(const struct strip *strip);

bool strip_validate(const struct strip *strip);

#endif
