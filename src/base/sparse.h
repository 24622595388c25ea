/* sparse: finds blocks that keep a page of the allocator in use nearly alone, and moves them.
 *
 * The allocator takes small blocks of one class from slabs, a few pages each, and a slab goes back
 * when its last block is freed. When values of one size give way to values of another, the old
 * slabs empty slowly and all at about the same rate, so that nearly all of them stay while half of
 * what they hold is gone. Moving what is left out of those that are emptier than average fills the
 * others up and sets whole slabs free.
 *
 *     before   |x.x...|  |..x...|  |xx.x.x|  |x.xx.x|        emptier than average: the first two
 *     after    |......|  |......|  |xxxxxx|  |xxxxxx|        two slabs to give back
 *
 * A block that moves keeps its size and what it is counted as, so nothing here counts. Whoever
 * moves a block must know all that refer to it.
 *
 * With the C library's allocator nothing is sparse, unless a test says that everything is. */
#ifndef LARDER_BASE_SPARSE_H
#define LARDER_BASE_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks that are asked about at once: as many as a few buckets of a dict hold. */
#define SPARSE_BATCH_MAX 32

/* Steps in which it is told how empty slabs are. */
#define SPARSE_STEPS 128

/* What was found and done, and what shall be. All zero at first; sparse_forget frees. */
struct sparse_tally {
    uint64_t moved;
    uint64_t kept; /* looked at and not moved */
    /* A block should move when its slab is at least so empty, in steps; and emptier than those of
     * its class are on average. */
    unsigned least_steps;
    /* In this round: blocks seen in slabs that empty; those of them that the
     * allocator was asked about, and the bytes that moving these would set free. */
    uint32_t seen[SPARSE_STEPS];
    uint32_t asked[SPARSE_STEPS];
    uint64_t to_gain[SPARSE_STEPS];
    uint32_t *pages;    /* what is known: see sparse.c; NULL: nothing */
    unsigned page_bits; /* there are 2 to the power of this */
    unsigned round;
};

/* Sets least_steps, from what was seen in this round, so that the emptiest slabs are chosen:
 * enough to gain `bytes`, but not so many that more than `moves_max` blocks move. Returns how many
 * bytes that gains. */
uint64_t sparse_choose(struct sparse_tally *tally, uint64_t bytes, uint64_t moves_max);

/* What was found out in an earlier round is not believed any more: everything will be asked anew.
 * With a least_steps of SPARSE_STEPS the round only finds out.
 * `bytes` is about what the allocator has handed out. */
void sparse_begin_round(struct sparse_tally *tally, size_t bytes);

/* Frees what is known, and all is as at first but for `moved` and `kept`. */
void sparse_forget(struct sparse_tally *tally);

/* Whether the allocator tells how full its slabs are. */
bool sparse_is_known(void);

/* Finds out for each of `count` <= SPARSE_BATCH_MAX blocks whether it should move, and counts those
 * that should not. Costs some 5 ns a block whose page was met in this round, 20 otherwise, and 50
 * more for one that may be worth moving. Does not touch the blocks. */
void sparse_find(void *const *blocks, size_t count, bool *sparse, struct sparse_tally *tally);

/* A new place for a block, with its content; the old one is still there. NULL when there is no
 * memory. Counts it as moved. */
void *sparse_copy(const void *at, size_t size, struct sparse_tally *tally);

/* Frees the place that a block was moved from. */
void sparse_free(void *at, size_t size);

/* All three for a block that only the caller refers to: returns where it is now. */
void *sparse_settle(void *at, size_t size, struct sparse_tally *tally);

/* For tests: from now on every block should move. */
void sparse_move_all(bool all);

#endif
