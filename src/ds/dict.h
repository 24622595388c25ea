/* dict: a hash table of entries that grows and shrinks one bucket at a time.
 *
 * Terms. A slot is 8 bytes that name one entry; a bucket is one cache line of 7 slots and a link; a
 * chain is a bucket and the overflow buckets behind its link; a segment is an array of buckets.
 *
 *     slot    63        48 47                                4 3     0
 *             +-----------+-----------------------------------+-------+
 *             | tag 16    | address of the entry / 16         | hint  |
 *             +-----------+-----------------------------------+-------+
 *     bucket  | slot 0 | slot 1 | ... | slot 6 | link |   64 bytes, aligned to 64
 *
 * Method: linear hashing (Litwin 1980). The table has any number n of buckets, 2^level <= n <
 * 2^(level+1). The bucket of a hash is its low level+1 bits, or its low level bits where that would
 * be beyond n. An insertion that makes the table too full splits the one bucket n - 2^level in two;
 * a removal that leaves it too empty merges the last bucket back. So there is never a second table,
 * never a table that is twice too large, and no step touches more than one chain. Segments keep
 * buckets from ever moving: a table of one segment doubles it by copying, beyond that segments
 * are added, and the list of segments is all that is copied. A table of one segment needs no list:
 * that is a cache miss less on the way to an element of a collection.
 *
 * The tag holds 16 bits of the hash: those from bit 8 * (depth / 8) up, where depth is the number
 * of bits that choose the bucket. So at least 9 of them tell entries of one bucket apart, and a
 * split finds the bit that decides in the tag and need not touch the entries, except at each eighth
 * doubling, when the tags are drawn anew.
 *
 * Invariants (dict_validate checks them):
 * 1. Each entry is in the chain of the bucket that its hash chooses, once, and its slot's tag is
 *    right.
 * 2. Used slots of a chain come first: an empty slot is followed only by empty ones, and the last
 *    overflow bucket of a chain is not empty.
 * 3. size <= bucket_count * 4.5, or 6 by address (an insertion splits first), but for a dict being
 *    drained.
 * 4. The hint of a slot is DICT_SLOT_LINK exactly when the entry has ENTRY_HAS_LINK, 0 otherwise
 *    and by address.
 * 5. While nobody watches, all entries are of the present phase (not by address).
 *
 * Costs: a find reads one bucket and one entry, plus one bucket for each overflow (2 to 8 % of
 * finds) and one entry for each false tag (under 1 %). Memory: 64 bytes for every 4.5 or 6 entries,
 * and overflow buckets.
 *
 * A dict by address finds entries by identity, with hash_mix of the address as hash; it may
 * hold anything aligned to 16, and never looks into it. */
#ifndef LARDER_DS_DICT_H
#define LARDER_DS_DICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sparse.h"
#include "ds/entry.h"

/* Slots of a bucket; the eighth word is the link. */
#define DICT_BUCKET_SLOTS 7

/* The one hint that there is: the entry has a link, which leads to further memory. */
#define DICT_SLOT_LINK 1u

struct dict_bucket {
    uint64_t slots[DICT_BUCKET_SLOTS];
    uint64_t link; /* address of the next bucket of the chain, or 0 */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct dict_bucket) == 64, "a bucket is one cache line");

struct dict {
    struct dict_bucket *first;     /* segment 0 */
    struct dict_bucket **segments; /* all of them; NULL while there is only one */
    size_t size;                   /* entries */
    uint32_t bucket_count;         /* n; 0 until the first insertion */
    uint32_t overflow_count;
    uint8_t level;   /* 2^level <= n < 2^(level+1) */
    uint8_t purpose; /* enum mem_purpose of its memory */
    bool by_address;
    bool draining : 1;         /* buckets have been dropped faster than entries */
    bool later_phase : 1;      /* the present phase is ENTRY_PHASE, not 0 */
    uint8_t shift_low;         /* tag shift at depth level */
    uint8_t shift_high;        /* tag shift at depth level + 1 */
    uint16_t chain_max;        /* no chain has more buckets; 1 while there is no overflow */
    uint32_t first_capacity;   /* buckets allocated in segment 0 */
    uint32_t segment_capacity; /* length of the list of segments; 0: NULL */
    uint64_t seed;
    struct entry_watch *watch; /* NULL: nobody. Its owner's, who asks dict_changing */
};

/* An empty dict; allocates nothing. */
void dict_init(struct dict *dict, enum mem_purpose purpose, bool by_address);

/* Frees the tables at once, not the entries: for small or empty dicts. See dict_drain. */
void dict_clear(struct dict *dict);

static inline size_t dict_size(const struct dict *dict) {
    return dict->size;
}

/* The hash that this dict expects for a key. Not for dicts by address. */
uint64_t dict_hash(const struct dict *dict, struct bytes key);

/* Whether the slot's entry has a link; does not look at the entry. Not by address. */
static inline bool dict_slot_has_link(uint64_t slot) {
    return (slot & DICT_SLOT_LINK) != 0;
}

_Static_assert(ENTRY_HAS_LINK >> 4 == DICT_SLOT_LINK, "the hint is a shifted flag");
static inline uint64_t dict_slot_hint(const struct entry *entry) {
    return (entry->flags & ENTRY_HAS_LINK) >> 4;
}

static inline struct entry *dict_slot_entry(uint64_t slot) {
    return (struct entry *)(uintptr_t)(slot & 0x0000fffffffffff0ULL);
}

/* The present phase of its entries, see struct entry_watch; insertions give it to them. */
static inline unsigned dict_phase(const struct dict *dict) {
    return dict->later_phase ? ENTRY_PHASE : 0;
}

/* What must hold for an entry of it by invariant 5. */
static inline bool dict_is_of_phase(const struct dict *dict, const struct entry *entry) {
    return dict->by_address || dict->watch != NULL || entry_is_of(entry, dict_phase(dict));
}

/* A watch begins and ends; the phase changes when it begins. Not by address. */
static inline void dict_watch_begin(struct dict *dict, struct entry_watch *watch) {
    check(dict->watch == NULL && !dict->by_address);
    dict->watch = watch;
    dict->later_phase = !dict->later_phase;
}

static inline void dict_watch_end(struct dict *dict) {
    check(dict->watch != NULL);
    dict->watch = NULL;
}

/* The entry is about to change or to leave; who changes entries says so. */
static inline void dict_changing(const struct dict *dict, struct entry *entry) {
    if (UNLIKELY(dict->watch != NULL) && !entry_is_of(entry, dict_phase(dict))) {
        dict->watch->changing(dict->watch, entry);
    }
}

/* Finds by key. The slot stays valid until the next insertion or removal; NULL when absent. */
uint64_t *dict_find(const struct dict *dict, uint64_t hash, const char *key, size_t key_size);

/* Finds an entry by its identity, in either sort of dict. */
uint64_t *dict_find_entry(const struct dict *dict, uint64_t hash, const struct entry *entry);

/* Inserts an entry whose key is not there yet. Slots found before are invalid afterwards. */
void dict_insert(struct dict *dict, uint64_t hash, struct entry *entry);

/* Puts another entry with the same key into a found slot. Not by address. */
void dict_replace(uint64_t *slot, struct entry *entry);

/* Takes the entry in a found slot out and returns it. `hash` is the one it was found with. */
struct entry *dict_remove(struct dict *dict, uint64_t hash, uint64_t *slot);

/* The steps of planning: ask for the bucket's cache line; later for the entries whose tags match;
 * and if that says so, because the chain goes on in an overflow bucket, later again for the entries
 * there. None waits, provided that the steps before are some ten requests ago; all are hints. */
void dict_prefetch_bucket(const struct dict *dict, uint64_t hash);
bool dict_prefetch_entry(const struct dict *dict, uint64_t hash);
void dict_prefetch_overflow(const struct dict *dict, uint64_t hash);

/* The entry that dict_prefetch_entry has asked for: one whose tag matches, which is mostly the one
 * that is meant. Reads no entry. NULL when there is none in the first two buckets. */
struct entry *dict_peek(const struct dict *dict, uint64_t hash);

/* Walks the dict in portions, while it may change between the calls. Start with cursor 0, go on
 * with what is returned, stop when that is 0. The cursor is a point in the space of bit-reversed
 * hashes: a bucket covers an interval of it, and is visited whole, so that whatever was in the dict
 * from the first to the last call is visited at least once, whatever grows or shrinks meanwhile.
 * `visit` must not change the dict. Each call visits one chain. */
typedef void (*dict_visit_fn)(void *context, struct entry *entry);
uint64_t dict_scan(const struct dict *dict, uint64_t cursor, dict_visit_fn visit, void *context);

/* Walks a dict that does not change meanwhile, each entry once: stores up to `max` entries and
 * returns how many, 0 at the end. Starts zeroed. Entries are not looked at. */
struct dict_walk {
    uint32_t index;                   /* of the bucket that is next */
    uint32_t slot;                    /* in `bucket` */
    const struct dict_bucket *bucket; /* of a chain that is not done, or NULL */
};
size_t dict_walk(const struct dict *dict, struct dict_walk *walk, struct entry **out, size_t max);

/* A random entry, each with the same chance, or NULL when empty. Some four cache misses at a
 * time. */
struct entry *dict_random(const struct dict *dict, struct random *random);

/* Entries of random whole chains, up to `max`; returns how many. May be fewer, 0 only when
 * empty. */
size_t dict_sample(const struct dict *dict, struct random *random, struct entry **out, size_t max);

/* The entries of the chain that a hash chooses, up to `max`; returns how many, maybe 0. With random
 * hashes a chain is met in proportion to the entries that it should hold, so that each entry is met
 * about equally often. dict_prefetch_bucket asks for the chain ahead of time. */
size_t dict_chain(const struct dict *dict, uint64_t hash, struct entry **out, size_t max);

/* Removes some entries, whichever come cheapest (the last bucket first), and shrinks the table as
 * it goes: up to `max` are stored in `out`, returns how many; 0 when the dict is empty and its
 * tables are freed. `max` at least 1. */
size_t dict_drain(struct dict *dict, struct entry **out, size_t max);

/* For moving entries to other addresses. Gives the used slots of some whole chains, from bucket
 * *bucket on, up to `max` (longer chains are cut); returns how many, and *bucket is the next one
 * then, 0 when that was the last. The slots are valid until the next insertion or removal, and are
 * changed with dict_replace. Overflow buckets in sparse slabs are moved. What is inserted, removed
 * or split meanwhile may be left out. */
size_t dict_slots(struct dict *dict, uint32_t *bucket, uint64_t **slots, size_t max,
                  struct sparse_tally *tally);

/* Moves the entries in these slots, SPARSE_BATCH_MAX at most, that lie in sparse slabs, unless
 * `stays` says otherwise. `moved` is told of each while its old place is still there. Not for dicts
 * by address. */
struct dict_mover {
    bool (*stays)(void *context, struct entry *entry); /* NULL: none does */
    void (*moved)(void *context, struct entry *old, struct entry *entry);
    void *context;
};
void dict_settle(uint64_t *const *slots, size_t count, const struct dict_mover *mover,
                 struct sparse_tally *tally);

/* What the tables take from the allocator, in bytes. */
size_t dict_footprint(const struct dict *dict);

/* Walks everything and asserts the invariants. For tests. */
void dict_validate(const struct dict *dict);

#endif
