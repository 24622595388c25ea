/* stream_load: a stream made from its parts as they come from elsewhere: nodes, the names of their
 * first entries' fields, entries, texts. What is out of order is refused; what is there when
 * something fails is freed with the stream.
 *
 * Costs: each text is copied once. A node that has become longer than STREAM_NODE_SIZE_MAX is
 * divided, for an edit moves what is behind it. */
#ifndef LARDER_TYPES_STREAM_LOAD_H
#define LARDER_TYPES_STREAM_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "types/stream.h"

struct stream_load {
    struct stream *stream;
    struct stream_node *node; /* that is being built; NULL: none */
    struct stream_id base;
    struct stream_id last; /* of all entries so far, removed ones too */
    uint32_t begin;        /* of the entry that is being built */
};

void stream_load_begin(struct stream_load *load, struct stream *stream);

/* These return 0; -EBADMSG when an id is not greater than those before it; -ENOMEM. In this order:
 * for each node its names, then entry by entry its texts, as of stream_node_try_begin; or that an
 * entry of that id was removed. */
int stream_load_node(struct stream_load *load, struct stream_id base);
int stream_load_name(struct stream_load *load, struct bytes name);
int stream_load_entry(struct stream_load *load, struct stream_id id, uint32_t own_count);
int stream_load_text(struct stream_load *load, struct bytes text);
int stream_load_entry_end(struct stream_load *load);
int stream_load_removed(struct stream_load *load, struct stream_id id);

/* The node is complete: there is an entry at least. */
void stream_load_node_end(struct stream_load *load);

/* Frees what was not completed. The stream's ids and counts but its length are the caller's. */
void stream_load_end(struct stream_load *load);

#endif
