/* compact: the runs of bytes in which Redis keeps small collections, and writes them as they are:
 * listpacks are written and read, ziplists, zipmaps and arrays of integers, which older versions
 * wrote, are read.
 *
 *     listpack   size 4 | count 2 | element ... | ff            tag, text, size backwards
 *     ziplist    size 4 | last 4 | count 2 | element ... | ff   size of the one before, tag, text
 *     zipmap     count 1 | (size key size free value unused) ... | ff
 *     intset     width 4 | count 4 | integers ascending
 *
 * A run from outside is checked while it is walked: every size against what there is, the counts,
 * and that the walk ends where the run does. Costs: one pass, no memory. */
#ifndef LARDER_PERSIST_COMPACT_H
#define LARDER_PERSIST_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "persist/rdb_bytes.h"

enum compact_kind { COMPACT_LISTPACK, COMPACT_ZIPLIST, COMPACT_ZIPMAP, COMPACT_INTSET };

struct compact_walk {
    enum compact_kind kind;
    struct rdb_reader reader; /* of what comes next */
    const uint8_t *start;     /* of the run */
    const uint8_t *last;      /* ziplist: the last element, as its header says; then as it was */
    uint64_t count;           /* elements, as the header says; UINT64_MAX: not said */
    uint64_t seen;
    size_t before;   /* ziplist: size of the element before */
    unsigned width;  /* intset */
    bool is_integer; /* the last element read was written as an integer */
    int64_t integer; /* which one, of listpacks and intsets */
};

/* False when the head of the run is wrong. The run must stay where it is. */
bool compact_begin(struct compact_walk *walk, enum compact_kind kind, struct bytes run);

/* Reads the next element. 1; 0 when that was all, and the run was whole; -EBADMSG. `text` refers to
 * the run. */
int compact_next(struct compact_walk *walk, struct rdb_text *text);

/* ---- writing listpacks ---- */

struct listpack {
    struct rdb_writer run;
    size_t count;
    bool all_sizes; /* of elements, and of the whole up to 4 GiB: the streams' way, for which there
                       is no other form */
    bool refused;   /* an element has a size that some versions cannot walk over, or all is too
                       long */
};

void listpack_init(struct listpack *pack, bool all_sizes);
void listpack_clear(struct listpack *pack);
void listpack_add(struct listpack *pack, struct bytes text);
void listpack_add_integer(struct listpack *pack, int64_t value);

/* Whether an element of this text may be in a listpack that does not take all sizes: those at
 * which the width of the backward size changes are read differently by different versions. Where
 * they must be written, it is as all versions before 2026 do. */
bool listpack_takes(struct bytes text);

/* Writes it as a string. It must not be refused. */
void listpack_write(struct listpack *pack, struct rdb_writer *writer);

#endif
