/* estimate: what reuse is told. Sizes are those of the entry and its value, and a key's share of
 * the tables. */
#include "store/estimate.h"

#include "store/keyspace.h"
#include "types/value.h"

/* Elements of a collection that its size is reckoned from. */
#define SIZE_SAMPLES 2
/* Uses after which the size of a collection is reckoned anew: it costs several times what the rest
 * of a use does. A power of two. */
#define SIZE_USES 16
/* What a key takes of the dict. */
#define TABLE_SHARE    12
#define TICKS_A_MINUTE 600

void estimate_init(struct estimate *estimate) {
    *estimate = (struct estimate){.below = 0};
    reuse_init(&estimate->reuse);
    estimate->below = reuse_below(&estimate->reuse);
}

void estimate_free(struct estimate *estimate) {
    reuse_free(&estimate->reuse);
}

static uint64_t reads_of(const struct keyspace *keyspace) {
    return keyspace->metrics.keyspace_hits + keyspace->metrics.keyspace_misses;
}

static void count_reads(struct keyspace *keyspace) {
    struct estimate *estimate = &keyspace->estimate;
    uint64_t reads = reads_of(keyspace);
    estimate->reads += reads > estimate->reads_seen ? reads - estimate->reads_seen : 0;
}

/* It may look away from now on, or at fewer keys. */
static void follow(struct keyspace *keyspace) {
    keyspace->estimate.below = reuse_below(&keyspace->estimate.reuse);
    if (keyspace->estimate.reuse.paused) {
        count_reads(keyspace);
    }
}

static size_t size_of(const struct reuse *reuse, const struct key *key, const struct entry *entry) {
    if (entry_type(entry) != ENTRY_STRING && reuse->used % SIZE_USES != 0) {
        size_t known = reuse_bytes(reuse, key->hash, key->database->id);
        if (known != 0) {
            return known;
        }
    }
    return value_footprint(entry, SIZE_SAMPLES) + TABLE_SHARE;
}

void estimate_read(struct keyspace *keyspace, const struct key *key, const struct entry *entry) {
    struct reuse *reuse = &keyspace->estimate.reuse;
    if (entry != NULL) {
        reuse_found(reuse, key->hash, key->database->id, size_of(reuse, key, entry),
                    entry_deadline(entry));
    } else {
        reuse_missed(reuse, key->hash, key->database->id, keyspace->clock->now_ms);
    }
    follow(keyspace);
}

void estimate_written(struct keyspace *keyspace, const struct key *key, const struct entry *entry) {
    struct reuse *reuse = &keyspace->estimate.reuse;
    reuse_written(reuse, key->hash, key->database->id, size_of(reuse, key, entry),
                  entry_deadline(entry));
    follow(keyspace);
}

void estimate_removed(struct keyspace *keyspace, const struct key *key) {
    /* Also while it looks away: what is gone must not stay in the list. */
    if (key->hash < keyspace->estimate.reuse.threshold) {
        reuse_removed(&keyspace->estimate.reuse, key->hash, key->database->id);
    }
}

void estimate_emptied(struct keyspace *keyspace, int database) {
    reuse_emptied(&keyspace->estimate.reuse, database);
}

void estimate_tick(struct keyspace *keyspace, uint64_t room) {
    struct estimate *estimate = &keyspace->estimate;
    if (!estimate->reuse.paused) {
        count_reads(keyspace);
    }
    reuse_tick(&estimate->reuse, room, estimate->reads);
    estimate->below = reuse_below(&estimate->reuse);
    estimate->reads = 0;
    estimate->reads_seen = reads_of(keyspace);
    if (++estimate->ticks % TICKS_A_MINUTE == 0) {
        reuse_fade(&estimate->reuse);
    }
}
