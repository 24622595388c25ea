/* load_ahead: threads that read a file ahead of the one that puts its keys into the keyspace, and
 * make the entries: all of loading that does not need the keyspace.
 *
 *     file --scan--> [portion: records] --decode--> [portion: entries] --take--> main thread
 *              one thread at a time      any thread                   <--give--  empty portions
 *
 * A portion is some hundred records, or one that is large. There is a fixed number of them, so that
 * no more is ahead than they hold, whatever the file: a thread that finds none empty sleeps until
 * one is given back. Portions come in no particular order, and nothing depends on it.
 *
 * Invariants:
 * 1. a portion is with one thread, or in one of the lists (empty, scanned, decoded);
 * 2. the file is the scanning thread's alone but for the bytes that records refer to, which nobody
 *    changes;
 * 3. after the first damage no more is scanned; portions that are whole are still handed out, in
 *    that of the damage only what stands before it.
 *
 * The options that decide encodings are those of the time when it begins. */
#ifndef LARDER_PERSIST_LOAD_AHEAD_H
#define LARDER_PERSIST_LOAD_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ds/entry.h"
#include "persist/rdb_file.h"
#include "store/keyspace.h"

/* Enough that locks do not count, few enough that the entries are still in the cache when they
 * are put into the keyspace. */
#ifdef LARDER_TEST_SMALL
#define LOAD_PORTION_RECORDS 7
#define LOAD_PORTION_BYTES   200
#else
#define LOAD_PORTION_RECORDS 256
#define LOAD_PORTION_BYTES   (256 * 1024)
#endif
#define LOAD_THREADS_MAX 32

/* A record, and what was made of it. */
struct load_item {
    struct rdb_record record;
    struct entry *entry; /* a key's; NULL once taken, and for all that are no key to be kept */
    uint64_t hash;       /* of the key's name */
};

struct load_portion {
    struct load_portion *next;
    size_t count;
    uint64_t end;    /* offset behind the last record */
    size_t expired;  /* keys left out because their time was over */
    size_t empty;    /* collections without elements, left out too */
    size_t unwanted; /* keys for which there is no room */
    struct load_item items[LOAD_PORTION_RECORDS];
};

struct load_ahead_setup {
    struct rdb_file *file; /* opened; its reader is the threads' from now on */
    const struct keyspace *keyspace;
    int threads;
    bool keeps_expired;
    /* Called from the threads when something is there for a taker who found nothing. */
    void (*wake)(void *context);
    void *wake_context;
    uint64_t room; /* bytes that keys may take: persist/load_survey.h; 0: no limit */
};

struct load_ahead;

/* Starts the threads; NULL when there can be none. */
struct load_ahead *load_ahead_new(const struct load_ahead_setup *setup);

/* Ends the threads, after the values that they are at, and frees what was not taken. */
void load_ahead_free(struct load_ahead *ahead);

/* The next portion; NULL when none is there now, and then `wake` will be called, unless *over says
 * that there will be none any more. With `wait` it comes back with a portion, or when all is
 * over. */
struct load_portion *load_ahead_take(struct load_ahead *ahead, bool wait, bool *over);

/* Gives an empty portion back: its entries are taken or freed. */
void load_ahead_give(struct load_ahead *ahead, struct load_portion *portion);

/* Once it is over: the damage, NULL when there is none. */
const struct rdb_damage *load_ahead_damage(const struct load_ahead *ahead);

/* Frees the entries that are left in a portion. */
void load_portion_clear(struct load_portion *portion);

#endif
