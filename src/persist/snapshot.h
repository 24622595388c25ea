/* snapshot: all keys as they are at one moment, written in Redis's format while commands go on
 * changing them: no fork, no copy of the memory.
 *
 * Terms. The moment is when the snapshot begins. A key of the moment is old until it is written. A
 * part is a database as it was at the moment, wherever its keys have got to since. A record is a
 * large collection that is written element by element. The stream is what goes to the pump.
 *
 *     keyspace                                         snapshot
 *     +------------------+   walk, a slice a pass
 *     | old old old new  | ---------------------------------------->  stream -> pump -> sink
 *     | old new old old  |                                              ^
 *     +------------------+   whoever changes an old key: first   ------+
 *
 *     while a record is being written:
 *         its elements, walked or about to change              ------> stream
 *         other keys that are about to change                  ------> aside, which follows it
 *         elements of other large collections, likewise        ------> those records' own runs
 *
 * Method: each entry has one bit, its phase (struct entry_watch in ds/entry.h). When the snapshot
 * begins, the present phase of every database changes, so that all keys are old at once. The walk
 * follows the dict's scan, which misses nothing whatever grows or shrinks, writes what is old and
 * gives it the present phase; so does whoever is about to change or remove an old key. New keys are
 * born with the present phase. So each key of the moment is written once, as it was.
 *
 * A collection of more than SNAPSHOT_WHOLE_MAX elements that is a table gets a record when the walk
 * comes to it or somebody is about to change it: its head, with the number of elements, is fixed
 * then, and its elements become old in the same way, by a watch of their own. Who deletes it leaves
 * it to the record, which frees it when it is written. So does a list of more than
 * SNAPSHOT_BLOCKS_MAX blocks, whose blocks are what becomes old.
 *
 * Invariants:
 * 1. Every old key is in a part that has not been walked whole; every old element in a record.
 * 2. A record's element is written once; when it ends it has written as many as its head says.
 * 3. What a record has in store is written before the walk goes on, and its collection is freed or
 *    let go of before the part that it came from is.
 * 4. When a part or record has ended all its entries are of the present phase: also when nothing is
 *    written any more because the sink has failed. Then the walk goes on without writing, which
 *    takes a small part of the time, and the snapshot is over when it ends.
 *
 * Costs: a key that is changed is encoded by who changes it; one that is not, by the walk. What
 * waits for the sink is bounded by the pump; what has to be kept aside, by what clients overwrite
 * while one large collection is written. A slice is bounded in time, up to one value of a compact
 * encoding. */
#ifndef LARDER_PERSIST_SNAPSHOT_H
#define LARDER_PERSIST_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persist/pump.h"
#include "store/keyspace.h"

/* What is written of how a key was used, for a reader with a policy that asks for it. */
enum snapshot_use { SNAPSHOT_USE_NONE, SNAPSHOT_USE_IDLE, SNAPSHOT_USE_FREQUENCY };

struct server_control;

struct snapshot_setup {
    struct keyspace *keyspace;
    struct pump *pump; /* outlives the snapshot, unless that is over */
    bool compress;
    enum snapshot_use use;
    /* Where libraries of functions are found, which stand before the keys; NULL: there are none. */
    const struct server_control *control;
    /* What else the head says, after Larder's own: pairs of name and value, or NULL. */
    const struct bytes *notes;
    size_t note_count;
};

struct snapshot_figures {
    uint64_t keys;       /* done with */
    uint64_t keys_total; /* at the moment */
    uint64_t left_out;   /* keys for which the format has no form */
    size_t kept;         /* bytes that wait for their turn, the pump's not counted */
};

enum snapshot_state {
    SNAPSHOT_WRITING, /* something is to be done, at once or when the pump has room */
    SNAPSHOT_WRITTEN, /* all has gone to the pump */
    SNAPSHOT_FAILED,  /* nothing is written any more, and nothing is old any more */
};

struct snapshot;

/* The moment is now. One at a time for a keyspace. */
struct snapshot *snapshot_begin(const struct snapshot_setup *setup);

/* Writes for about `budget_us`. *more: there is more to do at once; otherwise the pump wakes. */
enum snapshot_state snapshot_slice(struct snapshot *snapshot, int64_t budget_us, bool *more);

/* Nothing is written any more. Slices go on until they say SNAPSHOT_FAILED. */
void snapshot_give_up(struct snapshot *snapshot);

void snapshot_figures(const struct snapshot *snapshot, struct snapshot_figures *figures);

/* In any state; the keyspace must still be there. What is old stays old when it is not over: only
 * for the end of the keyspace. */
void snapshot_free(struct snapshot *snapshot);

#endif
