/* stream_node: some entries of a stream in one allocation, in the order of their ids.
 *
 * Terms. A node's base is the id of the entry that it was made for; it is the key in the stream's
 * index, and ids are kept as what they are beyond it. The node's fields are the names of that
 * entry's fields; entries that have the same need not repeat them.
 *
 *     node    | header 24 | fields: texts | gap | entry | entry | ... | room |
 *                                               ^ start                ^ size   capacity ^
 *     entry   | form 1 | ms 0..8 | seq 0..8 | values: texts | length 1..5 |
 *             | form 1 | ms 0..8 | seq 0..8 | count: text | name, value ... | length 1..5 |
 *     form    bits 0 to 2: bytes of ms, 3 to 5: bytes of seq (of 7: 8); bit 6: has its own names
 *
 * ms is how much later than the base; seq is beyond the base's in the same millisecond, else as it
 * is. The length is that of what is before it, its lowest seven bits last, so that a node can be
 * walked backwards, which is how an id is found without looking at values.
 *
 *     text    0x00 to 0xbf   so many bytes              0xc0 + n   an integer of n + 1 bytes
 *             0xc8, 0xc9     a length of 2, 4 bytes     0xd0 + n   the integer n, 0 to 47
 *
 * A text that is a canonical integer is always an integer. Numbers are little-endian.
 *
 * Invariants (stream_node_validate checks them):
 * 1. Ids grow from entry to entry; the first is not before the base. There are `count` of them.
 * 2. Entries are read with loads of 8 bytes: behind `size` there are STREAM_NODE_SLACK bytes.
 * 3. Walking backwards finds the same entries.
 *
 * Removing moves what is behind, except at the front, where `start` moves: so trimming one by one
 * costs nothing, and the gap goes with the node. */
#ifndef LARDER_TYPES_STREAM_NODE_H
#define LARDER_TYPES_STREAM_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/sparse.h"
#include "ds/id_index.h"

#define STREAM_NODE_SLACK 8u

/* Entries of more bytes than this are refused: sizes and places are 32 bits. */
#define STREAM_ENTRY_SIZE_MAX ((size_t)1 << 30)

struct stream_node {
    uint32_t size;     /* up to where bytes are in use, from the beginning of the node */
    uint32_t capacity; /* of the allocation */
    uint32_t start;    /* of the first entry, likewise */
    uint32_t count;    /* entries */
    uint32_t added;    /* entries there have ever been */
    uint32_t field_count;
    uint8_t bytes[];
};
_Static_assert(sizeof(struct stream_node) == 24, "the header of a node is 24 bytes");

/* An entry as read; valid until the node's next edit. */
struct stream_entry {
    struct stream_id id;
    uint32_t field_count;
    const uint8_t *names;  /* NULL: each stands before its value */
    const uint8_t *values; /* the first text */
};

enum stream_text {
    STREAM_TEXT_SHORT_END = 0xc0,
    STREAM_TEXT_INTEGER = 0xc0, /* plus the number of bytes less 1 */
    STREAM_TEXT_MEDIUM = 0xc8,
    STREAM_TEXT_LONG = 0xc9,
    STREAM_TEXT_SMALL = 0xd0, /* plus the integer */
};
#define STREAM_SMALL_MAX 47

/* Reads texts that are not short. */
const uint8_t *stream_text_read_long(const uint8_t *at, struct bytes *text, char *scratch);

/* Reads a text and returns where the next one is. `scratch` has NUM_I64_SIZE bytes, which hold the
 * text when it is an integer. */
static inline const uint8_t *stream_text_read(const uint8_t *at, struct bytes *text,
                                              char *scratch) {
    if (__builtin_expect(*at < STREAM_TEXT_SHORT_END, 1)) {
        *text = bytes_of(at + 1, *at);
        return at + 1 + *at;
    }
    return stream_text_read_long(at, text, scratch);
}

/* A node for an entry with these names and values, in turn, that is not in it yet. NULL when there
 * is no memory. */
struct stream_node *stream_node_try_new(const struct bytes *pairs, uint32_t count);
void stream_node_free(struct stream_node *node);

/* Appends an entry; its id is greater than those there are and than any there have been. The node
 * may move. NULL when there is no memory, and then nothing has changed. */
struct stream_node *stream_node_try_append(struct stream_node *node, struct stream_id base,
                                           struct stream_id id, const struct bytes *pairs,
                                           uint32_t count);

/* Building a node text by text, where there is no array of pairs: names first, then for each entry
 * a beginning, its texts and an end. `own_count` is 0 for an entry that has the node's names, its
 * values follow then; otherwise so many names and values in turn. `begin` is stream_node_end before
 * the entry was begun. The node may move; NULL: there is no memory, and the node can only be freed
 * then. */
struct stream_node *stream_node_try_empty(void);
struct stream_node *stream_node_try_name(struct stream_node *node, struct bytes name);
struct stream_node *stream_node_try_begin(struct stream_node *node, struct stream_id base,
                                          struct stream_id id, uint32_t own_count);
struct stream_node *stream_node_try_text(struct stream_node *node, struct bytes text);
struct stream_node *stream_node_try_end(struct stream_node *node, uint32_t begin);
/* A node with the same names and no entries. */
struct stream_node *stream_node_try_next(const struct stream_node *node);

/* Gives back room that will not be needed. Returns the node. */
struct stream_node *stream_node_fit(struct stream_node *node);

/* Positions of entries: of the first, behind the last. */
static inline uint32_t stream_node_first(const struct stream_node *node) {
    return node->start;
}

static inline uint32_t stream_node_end(const struct stream_node *node) {
    return node->size;
}

/* Reads the entry there and returns the position of the next one. */
uint32_t stream_node_read(const struct stream_node *node, struct stream_id base, uint32_t at,
                          struct stream_entry *entry);

/* The position of the entry that ends there. */
uint32_t stream_node_previous(const struct stream_node *node, uint32_t end);

/* The position of the first entry whose id is not less, maybe stream_node_end. */
uint32_t stream_node_seek(const struct stream_node *node, struct stream_id base,
                          struct stream_id id);

/* The id of the entry there. */
struct stream_id stream_node_id(const struct stream_node *node, struct stream_id base, uint32_t at);

/* Removes the entry there. Returns the node, which may have moved. */
struct stream_node *stream_node_remove(struct stream_node *node, uint32_t at);

/* NULL when there is no memory. */
struct stream_node *stream_node_try_copy(const struct stream_node *node);

static inline size_t stream_node_footprint(const struct stream_node *node) {
    return mem_class(node->capacity);
}

struct stream_node *stream_node_settle(struct stream_node *node, struct sparse_tally *tally);

/* Walks it both ways and asserts what must hold. Returns the last id. For tests. */
struct stream_id stream_node_validate(const struct stream_node *node, struct stream_id base);

#endif
