/* adapt: the policy allkeys-adaptive. What it does and why is in adapt.c. */
#ifndef LARDER_STORE_ADAPT_H
#define LARDER_STORE_ADAPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/ghosts.h"
#include "store/keyspace.h"
#include "store/trial.h"
#include "store/window.h"
#include "store/worth.h"

struct adapt {
    struct keyspace *keyspace;
    uint64_t clock;       /* now in half-lives: worth.h */
    uint64_t step;        /* what a use adds to it */
    uint32_t until_tuned; /* uses until sizes and steps are reckoned anew */
    size_t window_max;    /* items that the window should have */
    size_t ghost_bytes_max;
    struct window window;
    struct ghosts ghosts;
    struct trial trial;
};

struct adapt *adapt_new(struct keyspace *keyspace);
void adapt_free(struct adapt *adapt);

/* Ghosts may take so many bytes; if they take more, they are forgotten. */
void adapt_limit(struct adapt *adapt, size_t ghost_bytes_max);

/* Frees what is kept besides the entries: there is nothing left to evict, and still too much in
 * use. */
void adapt_forget(struct adapt *adapt);

/* An entry was used: gives the new value of its access field. */
uint32_t adapt_used(struct adapt *adapt, uint64_t hash, uint32_t access);

/* An entry was added: sets its access field and lets it into the window. */
void adapt_added(struct adapt *adapt, const struct key *key, struct entry *entry);

/* An entry is about to be evicted. */
void adapt_evicting(struct adapt *adapt, uint64_t hash, uint32_t access);

/* The key whose time in the window is over, or NULL when there is none: then the window is not
 * full. */
struct entry *adapt_leaving(struct adapt *adapt, struct database **database, uint64_t *hash);

/* How much more than another a key from the window must be worth to stay instead of it. */
static inline int32_t adapt_margin(const struct adapt *adapt) {
    return trial_setting(adapt->trial.chosen)->margin;
}

static inline uint32_t adapt_now(const struct adapt *adapt) {
    return worth_now(adapt->clock);
}

#endif
