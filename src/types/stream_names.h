/* stream_names: things with names in the order of their names: the groups of a stream, the
 * consumers of a group. There are few, they are listed in order, and found by binary search.
 *
 *     names   at -> | named * | named * | ...        in the order of bytes_compare
 *     named   | name_size 4 | name_at 4 | the owner's fields ... | name ... |
 *
 * Costs: a name that is new moves the pointers behind it, 8 bytes each: a hundred thousand
 * consumers of one group take 20 us for that. */
#ifndef LARDER_TYPES_STREAM_NAMES_H
#define LARDER_TYPES_STREAM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* What something with a name begins with: where its name is, from its own beginning. */
struct stream_named {
    uint32_t name_size;
    uint32_t name_at;
};

/* All zero: empty. */
struct stream_names {
    struct stream_named **at;
    uint32_t count;
    uint32_t capacity;
};

static inline struct bytes stream_name(const struct stream_named *named) {
    return bytes_of((const char *)named + named->name_at, named->name_size);
}

/* Allocates something of `size` bytes and a name behind them; all but the name is zero. NULL when
 * there is no memory. stream_named_size is what it takes. */
void *stream_named_try_new(size_t size, struct bytes name);
static inline size_t stream_named_size(const struct stream_named *named) {
    return (size_t)named->name_at + named->name_size;
}
void stream_named_free(void *named);

/* Whether there is one of that name; *index is where it is, or would be. */
bool stream_names_find(const struct stream_names *names, struct bytes name, uint32_t *index);

/* Adds at the index that stream_names_find has given. */
void stream_names_add(struct stream_names *names, uint32_t index, struct stream_named *named);

/* Adds behind the others, whatever its name; stream_names_sort before anything is looked for. */
void stream_names_append(struct stream_names *names, struct stream_named *named);
/* Puts them in order; false when a name comes twice. */
bool stream_names_sort(struct stream_names *names);

/* Takes it out without freeing it. */
void stream_names_remove(struct stream_names *names, uint32_t index);

/* Frees the list, not what is in it. */
void stream_names_clear(struct stream_names *names);

size_t stream_names_footprint(const struct stream_names *names);

/* Asserts the order. For tests. */
void stream_names_validate(const struct stream_names *names);

#endif
