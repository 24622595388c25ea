/* stream: the value of a stream key: entries of fields and values in the order of their ids, and
 * the groups of consumers that share them.
 *
 *     entry's word -> struct stream: counters
 *                       nodes    index of nodes by their base:   types/stream_node.h
 *                       groups   by name:                        types/stream_group.h
 *                       producers  what they have sent lately:   types/stream_producer.h, or NULL
 *
 * Invariants (stream_validate checks them):
 * 1. Entries' ids grow from node to node, and the last is not beyond last_id.
 * 2. No node is empty, and `length` is the sum of what they hold.
 * 3. max_deleted_id is not before any entry that stream_delete has removed.
 *
 * Costs: adding writes behind the last entry; an id is found with a binary search over nodes and a
 * walk over the entries of one; trimming drops nodes whole. An entry takes its values, a byte each
 * for their lengths, and some four bytes; integers take what they need in binary. */
#ifndef LARDER_TYPES_STREAM_H
#define LARDER_TYPES_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/option.h"
#include "base/sparse.h"
#include "ds/entry.h"
#include "ds/id_index.h"
#include "types/stream_names.h"
#include "types/stream_node.h"

/* When a node is full. */
#define STREAM_OPTIONS(X)                                                                          \
    X(MEMORY, node_size_max, "stream-node-max-bytes", "4096", 0, INT64_MAX, NULL, 0, NULL,         \
      "Bytes of a stream's entries that are kept together; 0: no limit but the other.")            \
    X(INT, node_entries_max, "stream-node-max-entries", "100", 0, INT64_MAX, NULL, 0, NULL,        \
      "Entries of a stream that are kept together; 0: no limit but the other.")                    \
    X(INT, sent_duration_s, "stream-idmp-duration", "100", 1, 86400, NULL, 0, NULL,                \
      "Seconds for which the ids of what a producer has sent are remembered (XADD IDMP).")         \
    X(INT, sent_size_max, "stream-idmp-maxsize", "100", 1, 10000, NULL, 0, NULL,                   \
      "Ids that are remembered of each producer.")
struct stream_options {
    STREAM_OPTIONS(OPTION_FIELD)
};
void stream_register_options(struct options *registry, struct stream_options *fields);

/* Settings of producers, which a stream may have of its own (XCFGSET). */
#define STREAM_DURATION_DEFAULT  100
#define STREAM_DURATION_MAX      86400
#define STREAM_SENT_SIZE_DEFAULT 100
#define STREAM_SENT_SIZE_MAX     10000

/* A node never grows beyond this by adding to it, whatever the options say: an edit moves what is
 * behind it. */
#define STREAM_NODE_SIZE_MAX ((size_t)256 << 10)

struct stream_producers;

struct stream {
    struct id_index nodes; /* of struct stream_place */
    uint64_t length;
    uint64_t entries_added; /* ever, as far as is known; INT64_MAX at most */
    struct stream_id last_id;
    struct stream_id max_deleted_id;
    struct stream_names groups;
    struct stream_producers *producers;
};

/* An item of the index. */
struct stream_place {
    struct stream_id base;
    struct stream_node *node;
};

static inline struct stream *stream_of(const struct entry *entry) {
    return entry_pointer(entry);
}

/* What an empty stream is made of, for the keyspace to make an entry from; stream_discard if it
 * does not. */
struct entry_shape stream_new_shape(void);
void stream_discard(const struct entry_shape *shape);

/* The id after this one; false when there is none. */
bool stream_id_after(struct stream_id *id);
/* The id before; false when there is none. */
bool stream_id_before(struct stream_id *id);

/* The id of the first entry; zero when there is none. */
struct stream_id stream_first_id(const struct stream *stream);
/* And of the last one. */
struct stream_id stream_last_entry_id(const struct stream *stream);

/* Adds an entry of names and values in turn; the id is greater than last_id, the texts are of less
 * than STREAM_ENTRY_SIZE_MAX bytes in all. 0, or -ENOMEM and nothing has changed. */
int stream_add(struct stream *stream, const struct stream_options *limits, struct stream_id id,
               const struct bytes *pairs, uint32_t count);

/* Whether there is such an entry. stream_get reads it. */
bool stream_has(const struct stream *stream, struct stream_id id);
bool stream_get(const struct stream *stream, struct stream_id id, struct stream_entry *entry);

/* Removes an entry; false when there is none. */
bool stream_delete(struct stream *stream, struct stream_id id);

/* Entries from `first` to `last`, both included, in order, or from the last to the first. Valid
 * until the stream's next change. */
struct stream_range {
    const struct stream *stream;
    struct stream_id first;
    struct stream_id last;
    bool reverse;
    struct id_place place;
    const struct stream_place *node; /* NULL: that was all */
    uint32_t at;                     /* of the entry that comes; in reverse: behind it */
    bool within;                     /* all the node's entries are wanted */
};
void stream_range_begin(struct stream_range *range, const struct stream *stream,
                        struct stream_id first, struct stream_id last, bool reverse);
bool stream_range_next(struct stream_range *range, struct stream_entry *entry);

/* What trimming leaves: at most so many entries, or those from an id on. */
struct stream_trim {
    bool by_id;
    uint64_t length_max;
    struct stream_id id_min;
    bool approximate; /* only whole nodes */
    uint64_t limit;   /* most entries to look at, or rather not to begin with a node beyond it;
                         0: no limit */
    /* Asked for each entry before it goes; false: it stays. NULL: all go. */
    bool (*may_go)(void *context, struct stream_id id);
    void *context;
};

/* Removes from the front and returns how many entries have gone. */
uint64_t stream_trim(struct stream *stream, const struct stream_trim *trim);

/* Which one of all the entries ever added this id is, counted from 1, or would be behind: -1 when
 * that cannot be told, because entries have been deleted in the middle. */
int64_t stream_count_until(const struct stream *stream, struct stream_id id);

/* Whether an entry behind this id may have been deleted, not counting those before the first. */
bool stream_has_gap_after(const struct stream *stream, struct stream_id id);

/* For types/value.c; the contracts are those of types/value.h. */
const char *stream_encoding_name(const struct entry *entry);
size_t stream_weight(const struct entry *entry);
void stream_free(struct entry *entry);
void stream_settle(struct entry *entry, uint32_t *cursor, struct sparse_tally *tally);
size_t stream_footprint(const struct entry *entry, size_t samples);
int stream_copy(const struct entry *entry, struct entry_shape *copy);
void stream_validate(const struct entry *entry);

#endif
