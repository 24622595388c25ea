/* pack: a compact list of byte strings and integers in one allocation, for small collections.
 *
 * Scanned from either end; meant for some hundred elements. Integers in canonical form are
 * stored as integers and read back as the same text. The owner holds a pointer that changes with
 * every edit.
 *
 * The implementer's choice of the byte layout is described in pack.c; what counts here: an
 * element of up to 63 bytes costs at most 2 bytes more than its content, small integers 1 to 9
 * bytes in all, the header at most 8 bytes. Growth reallocates to the allocator's class, so that
 * an append is usually in place. */
#ifndef LARDER_DS_PACK_H
#define LARDER_DS_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/sparse.h"

struct pack;

/* An element as read. Text points into the pack, valid until the next edit; integers have no
 * text. */
struct pack_item {
    bool is_integer;
    int64_t integer;
    struct bytes text;
};

/* Empty; allocation purpose is MEM_DATA throughout. */
struct pack *pack_new(void);
void pack_free(struct pack *pack);
struct pack *pack_copy(const struct pack *pack);

size_t pack_count(const struct pack *pack);     /* elements */
size_t pack_size(const struct pack *pack);      /* bytes in use */
size_t pack_footprint(const struct pack *pack); /* bytes from the allocator */

/* Moves the pack if it lies in a sparse slab. Returns it. */
struct pack *pack_settle(struct pack *pack, struct sparse_tally *tally);

/* Largest pack_size there may be; what would exceed it is refused by pack_fits. */
#define PACK_SIZE_MAX ((size_t)1 << 30)
/* Whether elements of `more` bytes in all (with their overhead) can be added. */
bool pack_fits(const struct pack *pack, size_t more);

/* A position: opaque, 0 is none. Positions are invalid after an edit unless said otherwise. */
typedef uint32_t pack_at;

pack_at pack_first(const struct pack *pack);
pack_at pack_last(const struct pack *pack);
pack_at pack_next(const struct pack *pack, pack_at at);
pack_at pack_previous(const struct pack *pack, pack_at at);

/* The element at an index; negative counts from the end (-1 is the last). 0 when out of range. */
pack_at pack_seek(const struct pack *pack, int64_t index);

void pack_get(const struct pack *pack, pack_at at, struct pack_item *item);

/* The element's text; integers are printed into `scratch` (NUM_I64_SIZE bytes). */
struct bytes pack_text(const struct pack *pack, pack_at at, char *scratch);

/* Whether the element equals the text (an integer equals its canonical text). */
bool pack_is(const struct pack *pack, pack_at at, struct bytes text);

/* Finds the first element from `at` on that equals the text, looking at each (step)th: step 1
 * looks at all, 2 at fields of field-value pairs, 3 of triples. 0 when there is none. */
pack_at pack_find(const struct pack *pack, pack_at at, struct bytes text, unsigned step);

/* Edits return the pack, which may have moved. The text must not point into the pack itself. */
struct pack *pack_append(struct pack *pack, struct bytes text);
struct pack *pack_append_integer(struct pack *pack, int64_t integer);
struct pack *pack_prepend(struct pack *pack, struct bytes text);
/* Before the element at *at; *at becomes the new element's position. */
struct pack *pack_insert(struct pack *pack, pack_at *at, struct bytes text);
/* *at becomes the replaced element's position. */
struct pack *pack_replace(struct pack *pack, pack_at *at, struct bytes text);
struct pack *pack_replace_integer(struct pack *pack, pack_at *at, int64_t integer);
/* Removes `count` elements from *at on; *at becomes what follows them, or 0. */
struct pack *pack_remove(struct pack *pack, pack_at *at, size_t count);

/* Whether the bytes are a well-formed pack of that size: for what comes from outside, and for
 * tests. */
bool pack_validate(const struct pack *pack);

#endif
