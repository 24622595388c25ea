/* adapt: allkeys-adaptive, Larder's own policy.
 *
 *     new key ---> window, a tenth of the keys ---> compared with the least worth of a sample
 *        ^             |                                 |                     |
 *        |             | (used: worth more)              v                     v
 *     ghosts <---------+------------------------- the loser goes       the winner stays
 *
 * A key's worth (worth.h) weighs how often it was used against how long ago. New keys spend some
 * time in a queue, the window, before they are judged. Then the key and the least worth of a random
 * sample of all keys are compared, and one goes: the old one only if the new one is worth more by a
 * margin, so that a scan or a loop, whose keys are all worth the same, does not wash out what is
 * there. What a key was worth when it was evicted is remembered by its ghost and found again if it
 * comes back. How fast a use loses its weight, and the margin, are settings; trial.h finds out
 * which suits the requests.
 *
 * It has of W-TinyLFU (Einziger et al. 2017) the window and the admission by comparison; of LRFU
 * (Lee et al. 2001) the number that is compared; of ARC (Megiddo and Modha 2003) the ghosts; of
 * Waldspurger et al. 2017 the miniature caches. It was chosen by measurement, see
 * bench/EVICTION.md.
 *
 * An entry takes no more memory than under any other policy. What is shared takes 8 bytes for each
 * key in the window, 4 for each ghost, at most a fiftieth of the limit, and 20 KiB for the
 * trial. */
#include "store/adapt.h"

#include "base/mem.h"
#include "store/worth.h"

/* The window's part of the keys. Between a twentieth and a fifth the traces show no difference. */
#define WINDOW_PART 10
/* Uses between two looks at how many keys there are. */
#define TUNE_USES 1024
/* Ghosts are given another size when they should be this much more or fewer, in quarters. */
#define RESIZE_QUARTERS 5
#define GHOST_BYTES     4

static void tune(struct adapt *adapt) {
    size_t keys = keyspace_size(adapt->keyspace);
    adapt->until_tuned = TUNE_USES;
    adapt->step = worth_step(trial_setting(adapt->trial.chosen)->half_life, keys);
    adapt->window_max = keys / WINDOW_PART;
    trial_resize(&adapt->trial, keys);
    ghosts_tidy(&adapt->ghosts);
}

struct adapt *adapt_new(struct keyspace *keyspace) {
    struct adapt *adapt = mem_zalloc(MEM_OTHER, sizeof *adapt);
    adapt->keyspace = keyspace;
    /* In the middle, so that nothing that is found in an entry seems to be of long ago. */
    adapt->clock = (uint64_t)1 << (WORTH_CLOCK_BITS + 16);
    window_init(&adapt->window);
    ghosts_init(&adapt->ghosts);
    trial_init(&adapt->trial);
    tune(adapt);
    return adapt;
}

void adapt_free(struct adapt *adapt) {
    if (adapt != NULL) {
        window_clear(&adapt->window);
        ghosts_clear(&adapt->ghosts);
        mem_free(MEM_OTHER, adapt, sizeof *adapt);
    }
}

void adapt_limit(struct adapt *adapt, size_t ghost_bytes_max) {
    adapt->ghost_bytes_max = ghost_bytes_max;
    if (ghosts_footprint(&adapt->ghosts) > ghost_bytes_max) {
        ghosts_clear(&adapt->ghosts);
    }
}

void adapt_forget(struct adapt *adapt) {
    ghosts_clear(&adapt->ghosts);
    window_clear(&adapt->window);
}

/* One use of any key: the clock goes on, and a key of the share takes part in the trial. */
static inline void count_use(struct adapt *adapt, uint64_t hash) {
    adapt->clock += adapt->step;
    if (UNLIKELY(trial_wants(&adapt->trial, hash))) {
        trial_see(&adapt->trial, hash);
    }
    if (UNLIKELY(--adapt->until_tuned == 0)) {
        tune(adapt);
    }
}

uint32_t adapt_used(struct adapt *adapt, uint64_t hash, uint32_t access) {
    count_use(adapt, hash);
    return worth_used(access, adapt_now(adapt));
}

void adapt_added(struct adapt *adapt, const struct key *key, struct entry *entry) {
    count_use(adapt, key->hash);
    uint32_t now = adapt_now(adapt);
    uint32_t worth;
    if (ghosts_take(&adapt->ghosts, key->hash, now, &worth)) {
        worth = worth_used(worth, now);
    } else {
        worth = now - (uint32_t)trial_setting(adapt->trial.chosen)->discount;
    }
    entry->access = worth & WORTH_MASK;
    window_push(&adapt->window, key->database, key->hash, entry);
    if (adapt->window.size > 2 * adapt->window_max + TUNE_USES) {
        /* Nothing is evicted, so nothing is compared: the oldest just leave. */
        struct database *database;
        uint64_t hash;
        window_pop(&adapt->window, adapt->keyspace, &database, &hash);
    }
}

/* Ghosts are made when the first key is evicted: before, the number of keys says nothing. */
static void size_ghosts(struct adapt *adapt) {
    size_t wanted = keyspace_size(adapt->keyspace);
    size_t most = adapt->ghost_bytes_max / GHOST_BYTES;
    wanted = (wanted < most ? wanted : most) + GHOSTS_PER_LINE;
    size_t have = (size_t)adapt->ghosts.line_count * GHOSTS_PER_LINE;
    if (wanted * 4 > have * RESIZE_QUARTERS || wanted * RESIZE_QUARTERS < have * 4) {
        ghosts_resize(&adapt->ghosts, wanted);
    }
}

void adapt_evicting(struct adapt *adapt, uint64_t hash, uint32_t access) {
    if (adapt->ghosts.line_count == 0 || adapt->until_tuned % 256 == 0) {
        size_ghosts(adapt);
    }
    ghosts_put(&adapt->ghosts, hash, access, adapt_now(adapt));
}

struct entry *adapt_leaving(struct adapt *adapt, struct database **database, uint64_t *hash) {
    while (adapt->window.size > adapt->window_max && adapt->window.size > 0) {
        struct entry *entry = window_pop(&adapt->window, adapt->keyspace, database, hash);
        if (entry != NULL) {
            return entry;
        }
    }
    return NULL;
}
