/* dict: linear hashing over buckets of one cache line. The header explains the method; the order
 * here is: addressing, chains, splitting and merging, the API. */
#include "ds/dict.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Buckets of a segment: 256 KiB. Large enough that the list of segments of a table for 20 million
 * keys fits the first-level cache, small enough that a segment is nothing against the table. */
#ifdef LARDER_TEST_SMALL
#define SEGMENT_BITS 2
#else
#define SEGMENT_BITS 12
#endif
#define SEGMENT_BUCKETS (1u << SEGMENT_BITS)

/* Entries a bucket at which the table grows, in halves: 4.5 of 7 slots. More saves memory and costs
 * overflow buckets, each another cache miss; at 4.5 they serve 3 to 7 % of the finds and an entry
 * costs 16 bytes of table. A dict by address is an index in the background, where memory counts
 * more: at 6 an entry costs 13.5 bytes. */
#define FILL_MAX_HALVES            9
#define FILL_MAX_HALVES_BY_ADDRESS 12
/* ... and at which it shrinks, in quarters: half of that, so that a table does not swing. */
#define FILL_MIN_QUARTERS 9

/* Bits of the tag that splits may use up before the tags are drawn anew. */
#define TAG_STEP 8

#define ADDRESS_MASK 0x0000fffffffffff0ULL

/* Chains tried at random before dict_sample walks on to the next bucket that is not empty. */
#define RANDOM_TRIES 64

/* Places that dict_random draws together, so that their cache lines are asked for at once: one in
 * three to eight is not empty. */
#define DRAWS_AHEAD 4
/* Draws before dict_random counts entries instead, which is as uniform and takes a walk. A dict is
 * never so sparse that this comes by chance: with one place in a hundred it would once in 30,000
 * times. */
#ifdef LARDER_TEST_SMALL
#define DRAWS_MAX 8
#else
#define DRAWS_MAX 1024
#endif

/* ---- addressing ---- */

static inline uint32_t low_mask(const struct dict *dict) {
    return ((uint32_t)1 << dict->level) - 1;
}

static inline size_t fill_max_halves(const struct dict *dict) {
    return dict->by_address ? FILL_MAX_HALVES_BY_ADDRESS : FILL_MAX_HALVES;
}

static inline uint32_t bucket_index(const struct dict *dict, uint64_t hash) {
    uint32_t low = low_mask(dict);
    uint32_t index = (uint32_t)hash & (low << 1 | 1);
    return index < dict->bucket_count ? index : index & low;
}

static inline struct dict_bucket *bucket_at(const struct dict *dict, uint32_t index) {
    if (dict->segments == NULL) {
        return dict->first + index;
    }
    return dict->segments[index >> SEGMENT_BITS] + (index & (SEGMENT_BUCKETS - 1));
}

/* Bits of the hash that choose this bucket. */
static inline unsigned bucket_depth(const struct dict *dict, uint32_t index) {
    uint32_t low = low_mask(dict);
    return dict->level + ((index & low) < dict->bucket_count - low - 1);
}

static inline unsigned tag_shift(unsigned depth) {
    return depth / TAG_STEP * TAG_STEP;
}

static inline uint16_t tag_at(const struct dict *dict, uint32_t index, uint64_t hash) {
    uint32_t low = low_mask(dict);
    bool split = (index & low) < dict->bucket_count - low - 1;
    return (uint16_t)(hash >> (split ? dict->shift_high : dict->shift_low));
}

static inline uint16_t slot_tag(uint64_t slot) {
    return (uint16_t)(slot >> 48);
}

static inline uint64_t slot_make(uint16_t tag, const struct entry *entry) {
    debug_check(((uintptr_t)entry & ~ADDRESS_MASK) == 0);
    return (uint64_t)tag << 48 | (uintptr_t)entry;
}

static inline uint64_t slot_retag(uint64_t slot, uint16_t tag) {
    return (slot & ~((uint64_t)UINT16_MAX << 48)) | (uint64_t)tag << 48;
}

static inline struct dict_bucket *bucket_next(const struct dict_bucket *bucket) {
    return (struct dict_bucket *)(uintptr_t)bucket->link;
}

static uint64_t entry_hash(const struct dict *dict, const struct entry *entry) {
    if (dict->by_address) {
        return hash_mix((uintptr_t)entry);
    }
    struct bytes key = entry_key(entry);
    return hash_bytes(dict->seed, key.at, key.size);
}

/* A bit for each slot whose tag is this one. Empty slots look like tag 0: callers check. */
static inline unsigned bucket_match(const struct dict_bucket *bucket, uint16_t tag) {
#ifdef __SSE2__
    /* The tags are the top 16 bits of each 64: gather the high halves of eight slots, bring the
     * tags down with their sign, narrow them to eight 16-bit lanes, compare all at once. */
    const float *slots = (const float *)(const void *)bucket->slots;
    __m128 a = _mm_load_ps(slots);
    __m128 b = _mm_load_ps(slots + 4);
    __m128 c = _mm_load_ps(slots + 8);
    __m128 d = _mm_load_ps(slots + 12);
    __m128i ab = _mm_srai_epi32(_mm_castps_si128(_mm_shuffle_ps(a, b, 0xdd)), 16);
    __m128i cd = _mm_srai_epi32(_mm_castps_si128(_mm_shuffle_ps(c, d, 0xdd)), 16);
    __m128i equal = _mm_cmpeq_epi16(_mm_packs_epi32(ab, cd), _mm_set1_epi16((short)tag));
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) & 0x7f;
#else
    unsigned match = 0;
    for (unsigned i = 0; i < DICT_BUCKET_SLOTS; i++) {
        match |= (unsigned)(slot_tag(bucket->slots[i]) == tag) << i;
    }
    return match;
#endif
}

/* ---- chains ---- */

static struct dict_bucket *overflow_new(struct dict *dict) {
    struct dict_bucket *bucket = mem_alloc(dict->purpose, sizeof *bucket);
    memset(bucket, 0, sizeof *bucket);
    dict->overflow_count++;
    return bucket;
}

static void overflow_free(struct dict *dict, struct dict_bucket *bucket) {
    dict->overflow_count--;
    if (dict->overflow_count == 0) {
        dict->chain_max = 1;
    }
    mem_free(dict->purpose, bucket, sizeof *bucket);
}

static void chain_append(struct dict *dict, struct dict_bucket *bucket, uint64_t slot) {
    unsigned length = 1;
    while (bucket->slots[DICT_BUCKET_SLOTS - 1] != 0) {
        if (bucket->link == 0) {
            bucket->link = (uintptr_t)overflow_new(dict);
        }
        bucket = bucket_next(bucket);
        length++;
    }
    if (UNLIKELY(length > dict->chain_max)) {
        dict->chain_max = (uint16_t)(length < UINT16_MAX ? length : UINT16_MAX);
    }
    unsigned i = 0;
    while (bucket->slots[i] != 0) {
        i++;
    }
    bucket->slots[i] = slot;
}

/* Takes the last slot of a chain away and returns it; an overflow bucket that it empties is freed.
 * 0 when the chain is empty. */
static uint64_t chain_pop(struct dict *dict, struct dict_bucket *bucket) {
    struct dict_bucket *before = NULL;
    while (bucket->link != 0) {
        before = bucket;
        bucket = bucket_next(bucket);
    }
    unsigned i = DICT_BUCKET_SLOTS;
    while (i > 0 && bucket->slots[i - 1] == 0) {
        i--;
    }
    if (i == 0) {
        return 0;
    }
    uint64_t slot = bucket->slots[i - 1];
    bucket->slots[i - 1] = 0;
    if (i == 1 && before != NULL) {
        before->link = 0;
        overflow_free(dict, bucket);
    }
    return slot;
}

/* ---- splitting and merging ---- */

static void set_level(struct dict *dict, unsigned level) {
    dict->level = (uint8_t)level;
    dict->shift_low = (uint8_t)tag_shift(level);
    dict->shift_high = (uint8_t)tag_shift(level + 1);
}

static void set_first(struct dict *dict, struct dict_bucket *first) {
    dict->first = first;
    if (dict->segments != NULL) {
        dict->segments[0] = first;
    }
}

/* Makes sure that bucket `index`, the next one, has memory, and zeroes it. */
static void bucket_create(struct dict *dict, uint32_t index) {
    uint32_t segment = index >> SEGMENT_BITS;
    if (segment > 0 && segment >= dict->segment_capacity) {
        uint32_t capacity = dict->segment_capacity == 0 ? 2 : dict->segment_capacity * 2;
        dict->segments = mem_realloc(dict->purpose, dict->segments,
                                     dict->segment_capacity * sizeof *dict->segments,
                                     capacity * sizeof *dict->segments);
        memset(dict->segments + dict->segment_capacity, 0,
               (capacity - dict->segment_capacity) * sizeof *dict->segments);
        dict->segments[0] = dict->first;
        dict->segment_capacity = capacity;
    }
    if (segment > 0) {
        if (dict->segments[segment] == NULL) {
            dict->segments[segment] =
                mem_alloc(dict->purpose, SEGMENT_BUCKETS * sizeof(struct dict_bucket));
        }
    } else if (index >= dict->first_capacity) {
        uint32_t capacity = dict->first_capacity == 0 ? 1 : dict->first_capacity * 2;
        struct dict_bucket *grown = mem_alloc(dict->purpose, capacity * sizeof *grown);
        if (dict->first_capacity > 0) {
            memcpy(grown, dict->first, dict->first_capacity * sizeof *grown);
            mem_free(dict->purpose, dict->first, dict->first_capacity * sizeof *grown);
        }
        set_first(dict, grown);
        dict->first_capacity = capacity;
    }
    memset(bucket_at(dict, index), 0, sizeof(struct dict_bucket));
}

/* Frees memory behind the last bucket, keeping one segment so that a table that swings does not
 * allocate. Called after each bucket that goes, so there is at most one segment to free. */
static void trim(struct dict *dict) {
    uint32_t n = dict->bucket_count;
    uint32_t needed = (n + SEGMENT_BUCKETS - 1) >> SEGMENT_BITS;
    uint32_t excess = n <= SEGMENT_BUCKETS / 2 ? 1 : needed + 1;
    if (excess < dict->segment_capacity && dict->segments[excess] != NULL) {
        mem_free(dict->purpose, dict->segments[excess],
                 SEGMENT_BUCKETS * sizeof(struct dict_bucket));
        dict->segments[excess] = NULL;
    }
    if (dict->first_capacity > 4 && n <= dict->first_capacity / 4) {
        uint32_t capacity = dict->first_capacity / 2;
        struct dict_bucket *shrunk = mem_alloc(dict->purpose, capacity * sizeof *shrunk);
        memcpy(shrunk, dict->first, n * sizeof *shrunk);
        mem_free(dict->purpose, dict->first, dict->first_capacity * sizeof *shrunk);
        set_first(dict, shrunk);
        dict->first_capacity = capacity;
    }
}

/* Draws the tags of a chain anew from the entries' hashes. */
static void retag(struct dict *dict, struct dict_bucket *bucket, unsigned shift) {
    for (; bucket != NULL; bucket = bucket_next(bucket)) {
        for (unsigned i = 0; i < DICT_BUCKET_SLOTS && bucket->slots[i] != 0; i++) {
            struct entry *entry = dict_slot_entry(bucket->slots[i]);
            bucket->slots[i] =
                slot_retag(bucket->slots[i], (uint16_t)(entry_hash(dict, entry) >> shift));
        }
    }
}

/* Splits one bucket. The entries that stay are moved up within their chain as it is read, which is
 * safe because the place written to is never ahead of the one read from. */
static void split(struct dict *dict) {
    if (dict->bucket_count == 0) {
        bucket_create(dict, 0);
        dict->bucket_count = 1;
        set_level(dict, 0);
        return;
    }
    uint32_t index = dict->bucket_count - low_mask(dict) - 1;
    unsigned depth = dict->level;
    bucket_create(dict, dict->bucket_count);
    struct dict_bucket *source = bucket_at(dict, index);
    struct dict_bucket *target = bucket_at(dict, dict->bucket_count);
    unsigned shift = tag_shift(depth);
    unsigned shift_after = tag_shift(depth + 1);
    dict->bucket_count++;
    if (dict->bucket_count == (uint32_t)2 << dict->level) {
        set_level(dict, dict->level + 1u);
    }

    struct dict_bucket *keep = source;
    unsigned kept = 0;
    for (struct dict_bucket *b = source; b != NULL; b = bucket_next(b)) {
        for (unsigned i = 0; i < DICT_BUCKET_SLOTS && b->slots[i] != 0; i++) {
            uint64_t slot = b->slots[i];
            b->slots[i] = 0;
            bool moves = slot_tag(slot) >> (depth - shift) & 1;
            if (shift_after != shift) {
                uint64_t hash = entry_hash(dict, dict_slot_entry(slot));
                slot = slot_retag(slot, (uint16_t)(hash >> shift_after));
            }
            if (moves) {
                chain_append(dict, target, slot);
                continue;
            }
            if (kept == DICT_BUCKET_SLOTS) {
                keep = bucket_next(keep);
                kept = 0;
            }
            keep->slots[kept++] = slot;
        }
    }
    struct dict_bucket *rest = bucket_next(keep);
    keep->link = 0;
    while (rest != NULL) {
        struct dict_bucket *next = bucket_next(rest);
        overflow_free(dict, rest);
        rest = next;
    }
}

/* Takes the last bucket out of the addressing and returns it; entries that it holds are in nobody's
 * reach until the caller has moved them. Its sibling's tags become those of the shallower depth. */
static struct dict_bucket *drop_last(struct dict *dict) {
    struct dict_bucket *last = bucket_at(dict, dict->bucket_count - 1);
    if (dict->bucket_count == (uint32_t)1 << dict->level) {
        set_level(dict, dict->level - 1u);
    }
    dict->bucket_count--;
    if (dict->shift_low != dict->shift_high) {
        retag(dict, last, dict->shift_low);
        retag(dict, bucket_at(dict, dict->bucket_count & low_mask(dict)), dict->shift_low);
    }
    return last;
}

/* Merges the last bucket into the one that it was split from. */
static void merge(struct dict *dict) {
    struct dict_bucket *source = drop_last(dict);
    struct dict_bucket *target = bucket_at(dict, dict->bucket_count & low_mask(dict));
    for (uint64_t slot = chain_pop(dict, source); slot != 0; slot = chain_pop(dict, source)) {
        chain_append(dict, target, slot);
    }
    trim(dict);
}

/* ---- API ---- */

void dict_init(struct dict *dict, enum mem_purpose purpose, bool by_address) {
    *dict = (struct dict){
        .purpose = (uint8_t)purpose, .by_address = by_address, .chain_max = 1, .seed = hash_seed()};
    set_level(dict, 0);
}

void dict_clear(struct dict *dict) {
    for (uint32_t i = 0; i < dict->bucket_count; i++) {
        struct dict_bucket *rest = bucket_next(bucket_at(dict, i));
        while (rest != NULL) {
            struct dict_bucket *next = bucket_next(rest);
            overflow_free(dict, rest);
            rest = next;
        }
    }
    mem_free(dict->purpose, dict->first, dict->first_capacity * sizeof(struct dict_bucket));
    for (uint32_t i = 1; i < dict->segment_capacity; i++) {
        mem_free(dict->purpose, dict->segments[i], SEGMENT_BUCKETS * sizeof(struct dict_bucket));
    }
    mem_free(dict->purpose, dict->segments, dict->segment_capacity * sizeof *dict->segments);
    dict_init(dict, dict->purpose, dict->by_address);
}

uint64_t dict_hash(const struct dict *dict, struct bytes key) {
    return hash_bytes(dict->seed, key.at, key.size);
}

uint64_t *dict_find(const struct dict *dict, uint64_t hash, const char *key, size_t key_size) {
    if (UNLIKELY(dict->size == 0)) {
        return NULL;
    }
    uint32_t index = bucket_index(dict, hash);
    uint16_t tag = tag_at(dict, index, hash);
    struct dict_bucket *bucket = bucket_at(dict, index);
    do {
        for (unsigned match = bucket_match(bucket, tag); match != 0; match &= match - 1) {
            uint64_t *slot = &bucket->slots[__builtin_ctz(match)];
            const struct entry *entry = dict_slot_entry(*slot);
            if (LIKELY(entry != NULL) && LIKELY(entry_key_is(entry, key, key_size))) {
                return slot;
            }
        }
        bucket = bucket_next(bucket);
    } while (UNLIKELY(bucket != NULL));
    return NULL;
}

uint64_t *dict_find_entry(const struct dict *dict, uint64_t hash, const struct entry *entry) {
    if (dict->size == 0) {
        return NULL;
    }
    uint32_t index = bucket_index(dict, hash);
    uint64_t wanted = slot_make(tag_at(dict, index, hash), entry);
    for (struct dict_bucket *b = bucket_at(dict, index); b != NULL; b = bucket_next(b)) {
        for (unsigned i = 0; i < DICT_BUCKET_SLOTS; i++) {
            if ((b->slots[i] & ~(uint64_t)DICT_SLOT_LINK) == wanted) {
                return &b->slots[i];
            }
        }
    }
    return NULL;
}

void dict_insert(struct dict *dict, uint64_t hash, struct entry *entry) {
    if ((dict->size + 1) * 2 > dict->bucket_count * fill_max_halves(dict)) {
        split(dict);
    }
    uint32_t index = bucket_index(dict, hash);
    uint64_t slot = slot_make(tag_at(dict, index, hash), entry);
    if (!dict->by_address) {
        slot |= dict_slot_hint(entry);
        entry_set_phase(entry, dict_phase(dict));
    }
    chain_append(dict, bucket_at(dict, index), slot);
    dict->size++;
}

void dict_replace(uint64_t *slot, struct entry *entry) {
    *slot = slot_make(slot_tag(*slot), entry) | dict_slot_hint(entry);
}

struct entry *dict_remove(struct dict *dict, uint64_t hash, uint64_t *slot) {
    struct entry *entry = dict_slot_entry(*slot);
    /* The chain's last slot fills the gap; the slot's own memory may be what chain_pop frees, but
     * then it was the last one itself. */
    uint64_t gap = *slot;
    uint64_t last = chain_pop(dict, bucket_at(dict, bucket_index(dict, hash)));
    if (last != gap) {
        *slot = last;
    }
    dict->size--;
    if (dict->bucket_count > 1 && dict->size * 4 < (size_t)dict->bucket_count * FILL_MIN_QUARTERS) {
        merge(dict);
    }
    return entry;
}

/* Tells the compiler that a function has an effect. It takes one that only prefetches for a
 * function without any, and drops the calls. */
static inline void keep_calls(void) {
    __asm__ volatile("");
}

void dict_prefetch_bucket(const struct dict *dict, uint64_t hash) {
    if (LIKELY(dict->bucket_count > 0)) {
        __builtin_prefetch(bucket_at(dict, bucket_index(dict, hash)));
        keep_calls();
    }
}

/* Asks for the entries of one bucket that the tag says may be meant; whether there were any. */
static inline bool prefetch_matches(const struct dict_bucket *bucket, uint16_t tag) {
    unsigned match = bucket_match(bucket, tag);
    for (unsigned m = match; m != 0; m &= m - 1) {
        const char *entry = (const char *)dict_slot_entry(bucket->slots[__builtin_ctz(m)]);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + 64);
    }
    return match != 0;
}

bool dict_prefetch_entry(const struct dict *dict, uint64_t hash) {
    if (UNLIKELY(dict->bucket_count == 0)) {
        return false;
    }
    uint32_t index = bucket_index(dict, hash);
    const struct dict_bucket *bucket = bucket_at(dict, index);
    bool found = prefetch_matches(bucket, tag_at(dict, index, hash));
    keep_calls();
    if (LIKELY(found || bucket->link == 0)) {
        return false;
    }
    __builtin_prefetch(bucket_next(bucket));
    return true;
}

void dict_prefetch_overflow(const struct dict *dict, uint64_t hash) {
    if (dict->bucket_count > 0) {
        uint32_t index = bucket_index(dict, hash);
        const struct dict_bucket *bucket = bucket_next(bucket_at(dict, index));
        if (bucket != NULL) {
            prefetch_matches(bucket, tag_at(dict, index, hash));
        }
        keep_calls();
    }
}

struct entry *dict_peek(const struct dict *dict, uint64_t hash) {
    if (UNLIKELY(dict->bucket_count == 0)) {
        return NULL;
    }
    uint32_t index = bucket_index(dict, hash);
    uint16_t tag = tag_at(dict, index, hash);
    const struct dict_bucket *bucket = bucket_at(dict, index);
    unsigned match = bucket_match(bucket, tag);
    if (UNLIKELY(match == 0 && bucket->link != 0)) {
        bucket = bucket_next(bucket);
        match = bucket_match(bucket, tag);
    }
    return match == 0 ? NULL : dict_slot_entry(bucket->slots[__builtin_ctz(match)]);
}

static uint64_t reverse_bits(uint64_t v) {
    v = (v >> 1 & 0x5555555555555555ULL) | (v & 0x5555555555555555ULL) << 1;
    v = (v >> 2 & 0x3333333333333333ULL) | (v & 0x3333333333333333ULL) << 2;
    v = (v >> 4 & 0x0f0f0f0f0f0f0f0fULL) | (v & 0x0f0f0f0f0f0f0f0fULL) << 4;
    return __builtin_bswap64(v);
}

uint64_t dict_scan(const struct dict *dict, uint64_t cursor, dict_visit_fn visit, void *context) {
    if (dict->bucket_count == 0) {
        return 0;
    }
    uint32_t index = bucket_index(dict, cursor);
    for (struct dict_bucket *b = bucket_at(dict, index); b != NULL; b = bucket_next(b)) {
        for (unsigned i = 0; i < DICT_BUCKET_SLOTS && b->slots[i] != 0; i++) {
            visit(context, dict_slot_entry(b->slots[i]));
        }
    }
    /* The next point behind this bucket's interval: add one to the reversed index bits, which all
     * lower bits of the reversed cursor being ones turns into a carry. */
    cursor |= ~(((uint64_t)1 << bucket_depth(dict, index)) - 1);
    return reverse_bits(reverse_bits(cursor) + 1);
}

size_t dict_walk(const struct dict *dict, struct dict_walk *walk, struct entry **out, size_t max) {
    size_t count = 0;
    while (count < max) {
        if (walk->bucket == NULL) {
            if (walk->index >= dict->bucket_count) {
                break;
            }
            walk->bucket = bucket_at(dict, walk->index++);
            walk->slot = 0;
        }
        uint64_t slot = walk->slot < DICT_BUCKET_SLOTS ? walk->bucket->slots[walk->slot] : 0;
        if (slot != 0) {
            out[count++] = dict_slot_entry(slot);
            walk->slot++;
        } else {
            walk->bucket = bucket_next(walk->bucket);
            walk->slot = 0;
        }
    }
    return count;
}

static size_t chain_size(const struct dict_bucket *bucket) {
    size_t size = 0;
    while (bucket->link != 0) {
        size += DICT_BUCKET_SLOTS;
        bucket = bucket_next(bucket);
    }
    unsigned used = 0;
    while (used < DICT_BUCKET_SLOTS && bucket->slots[used] != 0) {
        used++;
    }
    return size + used;
}

/* The first bucket that is not empty among some random ones, else the next such behind the last one
 * tried. The dict is not empty. */
static struct dict_bucket *random_chain(const struct dict *dict, struct random *random) {
    uint32_t index = 0;
    for (int i = 0; i < RANDOM_TRIES; i++) {
        index = (uint32_t)random_below(random, dict->bucket_count);
        if (bucket_at(dict, index)->slots[0] != 0) {
            return bucket_at(dict, index);
        }
    }
    while (bucket_at(dict, index)->slots[0] == 0) {
        index = index + 1 == dict->bucket_count ? 0 : index + 1;
    }
    return bucket_at(dict, index);
}

/* The slot at a place of a chain; 0 when it is empty or beyond the chain. */
static uint64_t chain_slot(const struct dict_bucket *bucket, size_t place) {
    while (place >= DICT_BUCKET_SLOTS && bucket != NULL) {
        place -= DICT_BUCKET_SLOTS;
        bucket = bucket_next(bucket);
    }
    return bucket == NULL ? 0 : bucket->slots[place];
}

/* The nth entry in the order of the buckets; `nth` is below the size. */
static struct entry *entry_at(const struct dict *dict, size_t nth) {
    uint32_t index = 0;
    for (;;) {
        size_t size = chain_size(bucket_at(dict, index));
        if (nth < size) {
            return dict_slot_entry(chain_slot(bucket_at(dict, index), nth));
        }
        nth -= size;
        index++;
    }
}

/* Every chain has as many places as the longest, so a place that is drawn is any entry's with the
 * same chance; an empty one is drawn again. */
struct entry *dict_random(const struct dict *dict, struct random *random) {
    if (dict->size == 0) {
        return NULL;
    }
    size_t places = (size_t)dict->chain_max * DICT_BUCKET_SLOTS;
    for (unsigned draws = 0; draws < DRAWS_MAX; draws += DRAWS_AHEAD) {
        const struct dict_bucket *buckets[DRAWS_AHEAD];
        for (unsigned i = 0; i < DRAWS_AHEAD; i++) {
            buckets[i] = bucket_at(dict, (uint32_t)random_below(random, dict->bucket_count));
            __builtin_prefetch(buckets[i]);
        }
        for (unsigned i = 0; i < DRAWS_AHEAD; i++) {
            uint64_t slot = chain_slot(buckets[i], random_below(random, places));
            if (slot != 0) {
                return dict_slot_entry(slot);
            }
        }
    }
    return entry_at(dict, random_below(random, dict->size));
}

size_t dict_sample(const struct dict *dict, struct random *random, struct entry **out, size_t max) {
    size_t count = 0;
    size_t wanted = max < dict->size ? max : dict->size;
    /* Each chain gives at least one; the bound only matters when the same ones are hit again. */
    for (size_t tries = 0; count < wanted && tries < max; tries++) {
        struct dict_bucket *b = random_chain(dict, random);
        for (; b != NULL && count < max; b = bucket_next(b)) {
            for (unsigned i = 0; i < DICT_BUCKET_SLOTS && b->slots[i] != 0 && count < max; i++) {
                out[count++] = dict_slot_entry(b->slots[i]);
            }
        }
    }
    return count;
}

size_t dict_chain(const struct dict *dict, uint64_t hash, struct entry **out, size_t max) {
    size_t count = 0;
    const struct dict_bucket *b =
        dict->bucket_count == 0 ? NULL : bucket_at(dict, bucket_index(dict, hash));
    for (; b != NULL && count < max; b = bucket_next(b)) {
        for (unsigned i = 0; i < DICT_BUCKET_SLOTS && b->slots[i] != 0 && count < max; i++) {
            out[count++] = dict_slot_entry(b->slots[i]);
        }
    }
    return count;
}

size_t dict_drain(struct dict *dict, struct entry **out, size_t max) {
    size_t count = 0;
    while (count < max && dict->bucket_count > 0) {
        struct dict_bucket *bucket = bucket_at(dict, dict->bucket_count - 1);
        uint64_t slot = chain_pop(dict, bucket);
        if (slot != 0) {
            out[count++] = dict_slot_entry(slot);
            dict->size--;
        } else if (dict->bucket_count == 1) {
            break;
        } else {
            drop_last(dict);
            dict->draining = true;
            trim(dict);
        }
    }
    if (dict->size == 0) {
        dict_clear(dict);
    }
    return count;
}

/* The used slots of a chain, which may move its overflow buckets. */
static size_t chain_slots(struct dict_bucket *bucket, uint64_t **slots, size_t max,
                          struct sparse_tally *tally) {
    size_t count = 0;
    for (;;) {
        for (unsigned i = 0; i < DICT_BUCKET_SLOTS && bucket->slots[i] != 0 && count < max; i++) {
            slots[count++] = &bucket->slots[i];
        }
        struct dict_bucket *next = bucket_next(bucket);
        if (next == NULL) {
            return count;
        }
        bucket->link = (uintptr_t)sparse_settle(next, sizeof *next, tally);
        bucket = bucket_next(bucket);
    }
}

size_t dict_slots(struct dict *dict, uint32_t *bucket, uint64_t **slots, size_t max,
                  struct sparse_tally *tally) {
    size_t count = 0;
    while (*bucket < dict->bucket_count) {
        struct dict_bucket *first = bucket_at(dict, *bucket);
        if (count > 0 && count + chain_size(first) > max) {
            return count;
        }
        count += chain_slots(first, slots + count, max - count, tally);
        ++*bucket;
    }
    *bucket = 0;
    return count;
}

void dict_settle(uint64_t *const *slots, size_t count, const struct dict_mover *mover,
                 struct sparse_tally *tally) {
    void *entries[SPARSE_BATCH_MAX] = {NULL};
    bool sparse[SPARSE_BATCH_MAX];
    if (count == 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = dict_slot_entry(*slots[i]);
    }
    sparse_find(entries, count, sparse, tally);
    for (size_t i = 0; i < count; i++) {
        struct entry *old = entries[i];
        if (sparse[i] && (mover->stays == NULL || !mover->stays(mover->context, old))) {
            size_t size = entry_size(old);
            struct entry *entry = sparse_copy(old, size, tally);
            if (entry != NULL) {
                dict_replace(slots[i], entry);
                mover->moved(mover->context, old, entry);
                sparse_free(old, size);
            }
        }
    }
}

size_t dict_footprint(const struct dict *dict) {
    size_t total = (size_t)dict->overflow_count * mem_class(sizeof(struct dict_bucket));
    if (dict->first_capacity > 0) {
        total += mem_class(dict->first_capacity * sizeof(struct dict_bucket));
    }
    if (dict->segment_capacity > 0) {
        total += mem_class(dict->segment_capacity * sizeof *dict->segments);
    }
    for (uint32_t i = 1; i < dict->segment_capacity; i++) {
        if (dict->segments[i] != NULL) {
            total += mem_class(SEGMENT_BUCKETS * sizeof(struct dict_bucket));
        }
    }
    return total;
}

void dict_validate(const struct dict *dict) {
    size_t size = 0;
    size_t overflow = 0;
    if (dict->bucket_count > 0) {
        check(dict->bucket_count >= (uint32_t)1 << dict->level);
        check(dict->bucket_count < (uint32_t)2 << dict->level);
    }
    for (uint32_t index = 0; index < dict->bucket_count; index++) {
        const struct dict_bucket *first = bucket_at(dict, index);
        bool ended = false;
        size_t length = 0;
        for (const struct dict_bucket *b = first; b != NULL; b = bucket_next(b)) {
            overflow += b != first;
            check(++length <= dict->chain_max);
            check(b == first || b->slots[0] != 0);
            for (unsigned i = 0; i < DICT_BUCKET_SLOTS; i++) {
                uint64_t slot = b->slots[i];
                if (slot == 0) {
                    ended = true;
                    continue;
                }
                check(!ended);
                bool hinted = !dict->by_address && dict_slot_entry(slot)->flags & ENTRY_HAS_LINK;
                check((slot & 15) == (hinted ? DICT_SLOT_LINK : 0));
                check(dict_is_of_phase(dict, dict_slot_entry(slot)));
                uint64_t hash = entry_hash(dict, dict_slot_entry(slot));
                check(bucket_index(dict, hash) == index);
                check(slot_tag(slot) == tag_at(dict, index, hash));
                size++;
            }
            check(b->link == 0 || !ended);
        }
    }
    check(size == dict->size);
    check(overflow == dict->overflow_count);
    check(dict->draining || dict->size * 2 <= dict->bucket_count * fill_max_halves(dict));
}
