/* value: what is true of a value of any type: its names, its size, copying and freeing it. The one
 * place that knows all types; a new data type adds a row to the table in value.c. */
#ifndef LARDER_TYPES_VALUE_H
#define LARDER_TYPES_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sparse.h"
#include "ds/entry.h"

/* Elements from which freeing is left to the background thread. */
#define VALUE_FREE_LAZILY_MIN 64

/* "string", "hash" ... as TYPE answers. */
const char *value_type_name(enum entry_type type);
/* The other way round, letters fold; -1 when there is no such type. */
int value_type_named(struct bytes name);

/* "int", "embstr", "raw", "listpack", "hashtable" ... as OBJECT ENCODING answers. */
const char *value_encoding_name(const struct entry *entry);

/* How long freeing takes, in elements: the count of a collection; a long string counts as many. */
size_t value_weight(const struct entry *entry);

/* Who watches the elements of a large collection; NULL when nobody does. */
struct entry_watch *value_watch(const struct entry *entry);

/* Frees the entry and all that it refers to, here and now. It is in no dict and no index any
 * more. */
void value_free(struct entry *entry);

/* Frees the value that a shape was made of, if no entry was made of it. An inline one is not
 * its. */
void value_discard(const struct entry_shape *shape);

/* Moves what the value is made of, the entry itself excepted, out of sparse slabs (base/sparse.h).
 * A portion a call, some microseconds: *cursor is 0 at first, and again when that was all. */
void value_settle(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally);

/* Bytes from the allocator for the entry and its value. Collections are extrapolated from `samples`
 * elements, 0 looks at all. */
size_t value_footprint(const struct entry *entry, size_t samples);

/* A copy under another key, with room for a deadline if the original has one (word 0); deadlines of
 * a hash's fields are copied, its place in the keyspace's index is not. NULL when there is no
 * memory. */
struct entry *value_try_copy(const struct entry *entry, struct bytes key);

/* Asserts that the value is sound. For tests. */
void value_validate(const struct entry *entry);

#endif
