/* snapshot_int: what the files of the snapshot share: walking (snapshot.c), the streams that are
 * written (snapshot_stream.c) and large collections (snapshot_record.c).
 *
 *     struct snapshot --+-- parts[]   one for each database that had keys
 *                       +-- out       the stream
 *                       +-- aside     what follows the record that is being written
 *                       +-- records   in the order in which they will be written */
#ifndef LARDER_PERSIST_SNAPSHOT_INT_H
#define LARDER_PERSIST_SNAPSHOT_INT_H

#include "persist/snapshot.h"
#include "types/list_watch.h"

/* Elements up to which a collection is written in one go: some tens of microseconds. */
#ifdef LARDER_TEST_SMALL
#define SNAPSHOT_WHOLE_MAX 8u
#else
#define SNAPSHOT_WHOLE_MAX 256u
#endif

/* The same of a list's blocks, each of which takes some ten. */
#ifdef LARDER_TEST_SMALL
#define SNAPSHOT_BLOCKS_MAX 1u
#else
#define SNAPSHOT_BLOCKS_MAX 4u
#endif

/* Bytes at which a run is handed over. */
#ifdef LARDER_TEST_SMALL
#define SNAPSHOT_RUN_SIZE 256u
#else
#define SNAPSHOT_RUN_SIZE ((size_t)128 << 10)
#endif

/* Chains of a dict that are looked at together. */
#ifdef LARDER_TEST_SMALL
#define SNAPSHOT_CHAINS 1
#else
#define SNAPSHOT_CHAINS 8
#endif
/* Entries of them that are kept; a chain that is longer is looked at again. */
#define SNAPSHOT_BATCH 128

/* A run that is being filled and those before it that have nowhere to go yet. */
struct snapshot_stream {
    struct pump_run *open; /* NULL: nothing is in it */
    struct pump_run *first;
    struct pump_run *last;
    int selected; /* the database that what comes next would be taken for; -1: none */
};

struct snapshot_part {
    struct entry_watch watch; /* first: hooks get this address */
    struct snapshot *snapshot;
    int id;       /* at the moment */
    int location; /* where it was found last */
    bool is_own;  /* it was flushed: the tables are here now */
    bool announced;
    bool is_walked;
    uint64_t cursor;
    size_t keys; /* at the moment, with those that have a deadline */
    size_t deadlines;
    struct dict own_keys;
    struct due own_deadlines;
    struct due own_field_deadlines;
    size_t own_bytes;
};

/* The tables of a database that was emptied while records were being written: one of them may be of
 * a collection that has got there. */
struct snapshot_tables {
    struct snapshot_tables *next;
    struct dict keys;
    struct due deadlines;
    struct due field_deadlines;
    size_t bytes;
};

/* A large collection. */
struct snapshot_record {
    union {
        struct entry_watch watch; /* first, and a list's begins with it */
        struct list_watch list;
    };
    struct snapshot *snapshot;
    struct snapshot_record *next;
    struct snapshot_part *part;
    enum entry_type type;
    struct dict *dict;   /* NULL: it is a list */
    struct entry *owner; /* it was deleted: to be freed here */
    struct snapshot_stream stream;
    uint64_t cursor;
    size_t left;     /* elements that are not written, or a list's blocks */
    bool is_writing; /* its turn has come */
    bool is_walked;
    int64_t first_ms; /* of a hash with deadlines: what they are written relative to; or 0 */
};

struct snapshot {
    struct snapshot_setup setup;
    int64_t now_ms; /* the moment */
    enum snapshot_state state;
    bool is_mute;     /* nothing is written any more */
    unsigned version; /* of the format */
    struct snapshot_part *parts;
    size_t part_count;
    size_t part_at; /* being walked */
    struct snapshot_stream out;
    struct snapshot_stream aside;
    struct snapshot_record *first; /* being written, if it is_writing; the others wait */
    struct snapshot_record *last;
    struct snapshot_tables *tables; /* until there are no records */
    struct snapshot_figures figures;
};

/* The writer of what comes next. */
struct rdb_writer *snapshot_stream_writer(struct snapshot *snapshot,
                                          struct snapshot_stream *stream);
/* Something was written: a run that is full goes on its way. */
void snapshot_stream_written(struct snapshot *snapshot, struct snapshot_stream *stream);
/* All that is in a stream goes to the pump, behind what `out` has. */
void snapshot_stream_join(struct snapshot *snapshot, struct snapshot_stream *stream);
void snapshot_stream_clear(struct snapshot *snapshot, struct snapshot_stream *stream);

/* Whether a record has its turn. */
static inline bool snapshot_is_recording(const struct snapshot *snapshot) {
    return snapshot->first != NULL && snapshot->first->is_writing;
}

/* What stands before a key's type: its database, its deadline, its use. */
void snapshot_write_head(struct snapshot_part *part, struct snapshot_stream *stream,
                         const struct entry *entry);

/* Whether it gets a record, and giving it one. */
bool snapshot_record_wanted(const struct entry *entry);
void snapshot_record_open(struct snapshot_part *part, struct entry *entry);
/* A step of the first record. */
void snapshot_record_step(struct snapshot *snapshot);
/* Lets go of it in any state, and of tables that were kept for it. */
void snapshot_record_drop(struct snapshot *snapshot, struct snapshot_record *record);

#endif
