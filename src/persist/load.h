/* load: a snapshot file becomes keys. Other threads read and decode ahead (persist/load_ahead.h);
 * the thread that owns the keyspace puts in what they have made, a slice at a time.
 *
 * Terms. Loading is shared when clients use the keyspace meanwhile, and alone when they do not. A
 * key of the file is outdone when clients have written it meanwhile: theirs is the newer one,
 * and the file's is dropped. A database of the file is at the number that SWAPDB has brought it to.
 *
 *     file's database   0    1    2  ...
 *     is at             1    0    2         after SWAPDB 0 1
 *     flushed           no   no   yes       after FLUSHDB of what is at 2
 *
 * What holds while loading is shared:
 * 1. A key that is not there yet is a miss.
 * 2. Once a key was changed, or removed, or has expired or been evicted, or a command that removes
 *    or overwrites without reading has named it, the file has no say about it any more, whether
 *    the key was there or not. So a value that somebody has removed or replaced never comes back.
 * 3. A command that takes something out to have it (LPOP, GETDEL, SPOP) and finds nothing changes
 *    nothing: the file's key comes later. Who waits for a key (BLPOP) is served when it comes.
 * 4. FLUSHDB and FLUSHALL mean also what has not been loaded; SWAPDB swaps also that.
 * 5. Of a transaction or a script no part is in between: slices are passes' own.
 * Rule 2 is kept by a filter of constant size (persist/written.h), which errs towards misses.
 *
 * Expired keys are left out, but for who keeps them (a replica's loading). With a limit of memory
 * and a policy that evicts, keys go by that policy while others come; with noeviction all of the
 * file is loaded, as redis-server does: what cannot be served after a restart would be lost. */
#ifndef LARDER_PERSIST_LOAD_H
#define LARDER_PERSIST_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "persist/rdb_file.h"
#include "store/evict.h"
#include "store/keyspace.h"

struct load_setup {
    const char *path;
    struct keyspace *keyspace;
    struct evict *evict; /* NULL: no limit */
    int threads;         /* that decode */
    bool is_shared;
    bool keeps_expired;
    bool replaces; /* keys that are there already are no damage, but give way */
    bool ignores_sum;
    uint64_t room; /* bytes that its keys may take, the least used ones are left out; 0: any */
    /* From any thread: there is something for load_pass to do. NULL: nobody asks. */
    void (*wake)(void *context);
    void *wake_context;
    /* What is no key, in the file's order with itself, in the calling thread: what the writer
     * says of itself, and the source of a library of functions. NULL: left out. */
    void (*on_note)(void *context, struct bytes name, struct bytes value);
    void (*on_function)(void *context, struct bytes source);
    void *context;
};

enum load_state { LOAD_GOING, LOAD_DONE, LOAD_DAMAGED };

/* Figures since it began. */
struct load_figures {
    uint64_t bytes; /* of the file, done */
    uint64_t bytes_total;
    uint64_t keys; /* loaded */
    uint64_t expired;
    uint64_t empty; /* collections without elements: left out */
    uint64_t outdone;
    uint64_t unwanted;  /* the least used, which a limit of memory leaves no room for */
    uint64_t functions; /* libraries left out */
};

struct load;

/* Opens the file and starts. NULL with *status: -errno; -EBADMSG and the damage. */
struct load *load_begin(const struct load_setup *setup, int *status, struct rdb_damage *damage);

/* Puts keys in for about `budget_us`. *more: there is more to do at once. */
enum load_state load_pass(struct load *load, int64_t budget_us, bool *more);

/* All that is left, without returning before. */
enum load_state load_finish(struct load *load);

/* A command is about to write this key, whether it is there or not. */
void load_outdo(struct load *load, const struct key *key);

const struct load_figures *load_figures(const struct load *load);

/* In state LOAD_DAMAGED. */
const struct rdb_damage *load_damage(const struct load *load);

/* Stops wherever it is, and frees. What was loaded stays. */
void load_free(struct load *load);

#endif
