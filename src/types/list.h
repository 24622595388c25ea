/* list: the value of a list key: elements in an order, reached by position and from both ends.
 *
 *     encoding      OBJECT ENCODING   the link leads to
 *     ENTRY_PACK    listpack          a strip (ds/strip.h)
 *     ENTRY_CHAIN   quicklist         strips in their order and an index of them by position
 *
 * A list begins as one strip, becomes a chain when it outgrows the limits of a strip, and goes back
 * when what is left is one strip of half the limits. An element of LIST_LARGE_MIN bytes and more
 * is a strip of its own that refers to a blob, so replies can refer to it too. The list's entry
 * stays where it is all the while: only its encoding and link change.
 *
 * Positions count from 0. Nothing here deletes an empty list: the caller looks at list_length after
 * removals.
 *
 * Costs: at the ends, one write into the end strip. Elsewhere a position is found in the index,
 * logarithmic in the number of strips, and then by walking half a strip at most; an edit moves half
 * a strip at most. An element takes 1 to 4 bytes more than its text, a strip of a chain some 24. */
#ifndef LARDER_TYPES_LIST_H
#define LARDER_TYPES_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/option.h"
#include "base/sparse.h"
#include "ds/blob.h"
#include "ds/entry.h"

/* When a strip is full. */
#define LIST_OPTIONS(X)                                                                            \
    X(INT, strip_size, "list-max-listpack-size", "-2", INT32_MIN, INT32_MAX, NULL, 0, NULL,        \
      "Most elements of one block of a list, or its size: -1 to -5 are 4, 8, 16, 32, 64 KiB.")     \
    X(INT, compress_depth, "list-compress-depth", "0", 0, INT32_MAX, NULL, 0, NULL,                \
      "Accepted for compatibility: blocks of lists are not compressed.")
struct list_options {
    LIST_OPTIONS(OPTION_FIELD)
};

/* Declares the options with their older name (list-max-ziplist-size). */
void list_register_options(struct options *registry, struct list_options *fields);

/* Elements from this size on are blobs: the size from which replies refer to a value. */
#ifdef LARDER_TEST_SMALL
#define LIST_LARGE_MIN 100u
#else
#define LIST_LARGE_MIN 16384u
#endif

/* What an empty list is made of, with room for elements of `size` bytes in all as far as a strip
 * has it; list_discard if the keyspace makes no entry from it. */
struct entry_shape list_new_shape(const struct list_options *limits, size_t size);
void list_discard(const struct entry_shape *shape);

/* "listpack" or "quicklist". */
const char *list_encoding_name(const struct entry *list);

size_t list_length(const struct entry *list);

enum list_end { LIST_HEAD, LIST_TAIL };

/* An element to be stored. */
struct list_write {
    struct bytes text; /* must not lie in the list */
    struct blob *blob; /* NULL, or a blob whose bytes are the text: its reference is taken over,
                          whatever the result */
};

/* An element as read. The text is valid until the list's next change, or as long as this struct
 * where it was an integer: hence the struct must not be copied. */
struct list_value {
    struct bytes text;
    struct blob *blob; /* the blob that holds the text, for who wants to refer to it; or NULL */
    char scratch[NUM_I64_SIZE];
};

/* Adds at an end. 0, or -ENOMEM with nothing changed. */
int list_push(struct entry *list, const struct list_options *limits, enum list_end end,
              const struct list_write *write);

/* For what will be done at an end soon: asks for the end strip, the list's value being in the
 * cache; and then, some time later, for the place where the next element will lie. */
void list_prefetch_end(const struct entry *list, enum list_end end);
void list_prefetch_room(const struct entry *list, enum list_end end);

/* Replaces the element at a position below the length, or adds one before a position up to the
 * length. 0, or -ENOMEM with nothing changed. */
int list_set(struct entry *list, const struct list_options *limits, size_t at,
             const struct list_write *write);
int list_insert(struct entry *list, const struct list_options *limits, size_t at,
                const struct list_write *write);

/* Reads the element at a position below the length. */
void list_get(const struct entry *list, size_t at, struct list_value *value);

/* Removes `count` elements from a position on; all of them must be there. */
void list_remove(struct entry *list, const struct list_options *limits, size_t at, size_t count);

/* Removes up to `max` elements that equal the text, the first or the last ones. Returns how
 * many. */
size_t list_remove_equal(struct entry *list, const struct list_options *limits, struct bytes text,
                         size_t max, enum list_end from);

/* Elements that lie behind each other in memory (ds/element.h): how lists are read in bulk.
 *
 *     | first ... | at ...          | end
 *       before      count, the first of them is the one asked for
 *
 * An element in a blob comes alone, with no bytes here. */
struct list_run {
    const uint8_t *first;
    const uint8_t *at;
    const uint8_t *end;
    size_t before;
    size_t count;
    struct blob *blob; /* or NULL */
};

/* The run with the element at a position below the length, valid until the list's next change. To
 * walk a list, go on with the position plus the run's count. */
void list_run_at(const struct entry *list, size_t at, struct list_run *run);

/* Finds elements that equal the text among the `max` ones from a position on, forwards, or
 * backwards with `from` LIST_TAIL; skips the first `skip` found and calls `found` for each
 * further one with its position, until that returns false. */
struct list_search {
    struct bytes text;
    size_t at;
    size_t max;
    enum list_end from;
    size_t skip;
    bool (*found)(void *context, size_t at);
    void *context;
};
void list_find(const struct entry *list, const struct list_search *search);

/* A copy of the value; blobs are shared. 0, or -ENOMEM. */
int list_copy(const struct entry *list, struct entry_shape *copy);

/* How long freeing takes, in elements: a strip counts as one, a blob by its size. */
size_t list_weight(const struct entry *list);

/* Frees the value, not the entry. */
void list_free(struct entry *list);

/* Moves what the value is made of out of sparse slabs, a portion a call: *cursor is 0 at first and
 * again when that was all. */
void list_settle(struct entry *list, uint32_t *cursor, struct sparse_tally *tally);

/* Bytes that the value takes from the allocator, without the entry itself. Looks at `samples`
 * strips and reckons from them; 0 looks at all. */
size_t list_footprint(const struct entry *list, size_t samples);

/* Walks everything and asserts what must hold. For tests. */
void list_validate(const struct entry *list);

#endif
