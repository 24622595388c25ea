/* integers: a sorted array of different integers in one allocation, each as wide as the widest of
 * them needs: 2, 4 or 8 bytes. The compact form of a set whose members are all integers.
 *
 *     0        4       8
 *     +--------+-------+---------+---------+-- ... --+
 *     | count  | width | value 0 | value 1 |         |   count * width bytes, ascending
 *     +--------+-------+---------+---------+-- ... --+
 *
 * The owner holds a pointer that changes with every edit. The allocation's class is that of the
 * bytes in use, so most edits are in place. A value that needs a wider array widens all of it; it
 * never becomes narrower.
 *
 * Invariants (integers_validate): values ascend strictly; width is 2, 4 or 8, and no value is
 * beyond what it can hold.
 *
 * Costs: a find is a binary search; an edit moves what is behind it. */
#ifndef LARDER_DS_INTEGERS_H
#define LARDER_DS_INTEGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sparse.h"

struct integers {
    uint32_t count;
    uint32_t width;
    char values[];
};
_Static_assert(sizeof(struct integers) == 8, "the header of integers is 8 bytes");

/* Empty; allocation purpose is MEM_DATA. */
struct integers *integers_new(void);
void integers_free(struct integers *integers);
/* NULL when there is no memory. */
struct integers *integers_try_copy(const struct integers *integers);

/* Bytes in use, and from the allocator. */
size_t integers_size(const struct integers *integers);
size_t integers_footprint(const struct integers *integers);

/* Bytes in use if this value were added. */
size_t integers_size_with(const struct integers *integers, int64_t value);

/* Moves the array if it lies in a sparse slab. Returns it. */
struct integers *integers_settle(struct integers *integers, struct sparse_tally *tally);

/* The value at an index below the count. */
int64_t integers_at(const struct integers *integers, size_t index);

/* Whether the value is there; *index is its place, or the one that it would have. */
bool integers_find(const struct integers *integers, int64_t value, size_t *index);

/* Puts a value that is not there in at the place that integers_find told. Returns the array, which
 * may have moved; NULL when there is no memory, and then nothing has changed. */
struct integers *integers_try_insert(struct integers *integers, size_t index, int64_t value);

/* Takes the values in [index, index + count) out. Returns the array, which may have moved. */
struct integers *integers_remove(struct integers *integers, size_t index, size_t count);

/* Takes out those that do not stay; asked of each in turn, once. Returns the array, which may have
 * moved. */
struct integers *integers_filter(struct integers *integers,
                                 bool (*stays)(void *context, int64_t value), void *context);

/* Asserts the invariants. For tests. */
void integers_validate(const struct integers *integers);

#endif
