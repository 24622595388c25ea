/* zset: chooses between the encodings. A compact one is tried first when a member is set; when it
 * would outgrow its limits, the sorted set becomes ordered and stays so. */
#include "types/zset.h"

#include <errno.h>
#include <math.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "types/zset_int.h"

static const struct option rows[] = {
#define ROW(...) OPTION_ROW(struct zset_options, __VA_ARGS__)
    ZSET_OPTIONS(ROW)
#undef ROW
};

void zset_register_options(struct options *registry, struct zset_options *fields) {
    options_register(registry, rows, sizeof rows / sizeof rows[0], fields, fields);
    options_alias(registry, "zset-max-ziplist-entries", "zset-max-listpack-entries");
    options_alias(registry, "zset-max-ziplist-value", "zset-max-listpack-value");
}

static inline bool is_ordered(const struct entry *zset) {
    return entry_encoding(zset) == ENTRY_ORDERED;
}

struct entry_shape zset_new_shape(void) {
    return (struct entry_shape){
        .type = ENTRY_SORTED_SET, .encoding = ENTRY_PACK, .word = (uintptr_t)packmap_new(2)};
}

void zset_discard(const struct entry_shape *shape) {
    if (shape->encoding == ENTRY_ORDERED) {
        zset_ordered_discard((struct zset_ordered *)(uintptr_t)shape->word);
    } else {
        packmap_free((struct packmap *)(uintptr_t)shape->word);
    }
}

const char *zset_encoding_name(const struct entry *zset) {
    return is_ordered(zset) ? "skiplist" : "listpack";
}

size_t zset_length(const struct entry *zset) {
    return is_ordered(zset) ? dict_size(&zset_ordered_of(zset)->dict)
                            : packmap_count(entry_pointer(zset));
}

bool zset_score(const struct entry *zset, struct element_name name, double *score) {
    return is_ordered(zset) ? zset_ordered_score(zset, name, score)
                            : zset_packed_score(zset, name, score);
}

enum zset_outcome zset_decide(const struct zset_write *write, const double *now, double *score) {
    *score = write->score;
    if (now == NULL) {
        return write->flags & ZSET_IF_PRESENT ? ZSET_REFUSED : ZSET_ADDED;
    }
    if (write->flags & ZSET_IF_ABSENT) {
        return ZSET_REFUSED;
    }
    if (write->flags & ZSET_ADD) {
        *score += *now;
        if (isnan(*score)) {
            return ZSET_NAN;
        }
    }
    if ((write->flags & ZSET_IF_GREATER && *score <= *now) ||
        (write->flags & ZSET_IF_LESS && *score >= *now)) {
        return ZSET_REFUSED;
    }
    return *score == *now ? ZSET_SAME : ZSET_CHANGED;
}

enum zset_outcome zset_set(struct entry *zset, const struct zset_options *limits,
                           const struct zset_write *write, double *score) {
    if (!is_ordered(zset)) {
        enum zset_outcome outcome;
        if (zset_packed_set(zset, limits, write, score, &outcome) == 0) {
            return outcome;
        }
        if (zset_become_ordered(zset) != 0) {
            return ZSET_NO_MEMORY;
        }
    }
    return zset_ordered_set(zset, write, score);
}

bool zset_remove(struct entry *zset, struct element_name name) {
    return is_ordered(zset) ? zset_ordered_remove(zset, name) : zset_packed_remove(zset, name);
}

bool zset_rank(const struct entry *zset, struct element_name name, size_t *rank, double *score) {
    return is_ordered(zset) ? zset_ordered_rank(zset, name, rank, score)
                            : zset_packed_rank(zset, name, rank, score);
}

static size_t count_before(const struct entry *zset, const struct zset_border *border) {
    return is_ordered(zset) ? zset_ordered_count_before(zset, border)
                            : zset_packed_count_before(zset, border);
}

static struct zset_span span_between(size_t first, size_t end) {
    return (struct zset_span){first, end > first ? end - first : 0};
}

struct zset_span zset_span_of_scores(const struct entry *zset, const struct zset_scores *range) {
    struct zset_border least = {.score = range->least, .through = range->above};
    struct zset_border most = {.score = range->most, .through = !range->below};
    /* Many ranges have no end on one side or the other. */
    size_t first = range->least == -INFINITY && !range->above ? 0 : count_before(zset, &least);
    size_t end =
        range->most == INFINITY && !range->below ? zset_length(zset) : count_before(zset, &most);
    return span_between(first, end);
}

/* How many members are before a limit, which is a range's upper one or its lower one. */
static size_t count_before_limit(const struct entry *zset, const struct zset_limit *limit,
                                 bool is_upper) {
    if (limit->kind == ZSET_LOWEST) {
        return 0;
    }
    if (limit->kind == ZSET_HIGHEST) {
        return zset_length(zset);
    }
    struct zset_border border = {.by_name = true,
                                 .name = limit->name,
                                 .through = (limit->kind == ZSET_INCLUDED) == is_upper};
    return count_before(zset, &border);
}

struct zset_span zset_span_of_names(const struct entry *zset, const struct zset_names *range) {
    return span_between(count_before_limit(zset, &range->least, false),
                        count_before_limit(zset, &range->most, true));
}

void zset_visit(const struct entry *zset, struct zset_span span, bool reverse, zset_visit_fn visit,
                void *context) {
    if (is_ordered(zset)) {
        zset_ordered_visit(zset, span, reverse, visit, context);
    } else {
        zset_packed_visit(zset, span, reverse, visit, context);
    }
}

void zset_remove_span(struct entry *zset, struct zset_span span) {
    if (is_ordered(zset)) {
        zset_ordered_remove_span(zset, span);
    } else {
        zset_packed_remove_span(zset, span);
    }
}

void zset_walk_begin(struct zset_walk *walk, const struct entry *zset) {
    *walk = (struct zset_walk){.zset = zset};
    if (is_ordered(zset)) {
        walk->ordered = ordered_seek(&zset_ordered_of(zset)->index, 0);
    } else {
        walk->packed = packmap_first(entry_pointer(zset));
    }
}

bool zset_walk_next(struct zset_walk *walk, struct zset_batch *batch) {
    if (is_ordered(walk->zset)) {
        zset_ordered_walk_next(walk, batch);
    } else {
        zset_packed_walk_next(walk, batch);
    }
    return batch->count > 0;
}

void zset_batch_hash(struct zset_batch *batch) {
    uint64_t seed = hash_seed();
    for (size_t i = 0; i < batch->count; i++) {
        batch->hashes[i] = hash_bytes(seed, batch->names[i].at, batch->names[i].size);
    }
}

void zset_batch_prefetch(const struct zset_batch *batch, const struct entry *collection) {
    enum entry_encoding encoding = entry_encoding(collection);
    if (encoding != ENTRY_ORDERED && encoding != ENTRY_TABLE) {
        return;
    }
    const struct dict *dict = entry_pointer(collection); /* see ds/element_name.h */
    for (size_t i = 0; i < batch->count; i++) {
        dict_prefetch_bucket(dict, batch->hashes[i]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        dict_prefetch_entry(dict, batch->hashes[i]);
    }
}

uint64_t zset_scan(const struct entry *zset, uint64_t cursor, zset_visit_fn visit, void *context) {
    if (is_ordered(zset)) {
        return zset_ordered_scan(zset, cursor, visit, context);
    }
    zset_packed_visit(zset, (struct zset_span){0, zset_length(zset)}, false, visit, context);
    return 0;
}

/* ---- at random: by rank, so that each member has the same chance ---- */

static void visit_rank(const struct entry *zset, size_t rank, zset_visit_fn visit, void *context) {
    zset_visit(zset, (struct zset_span){rank, 1}, false, visit, context);
}

void zset_random(const struct entry *zset, struct random *random, size_t count, zset_visit_fn visit,
                 void *context) {
    size_t length = zset_length(zset);
    for (size_t i = 0; i < count; i++) {
        visit_rank(zset, random_below(random, length), visit, context);
    }
}

/* Walks once, and takes each member that comes with the chance that makes every choice of them
 * equally likely (Knuth's algorithm S). */
struct selecting {
    struct random *random;
    size_t wanted;
    size_t left;
    zset_visit_fn visit;
    void *context;
};

static void select_member(void *context, const struct zset_member *member) {
    struct selecting *selecting = context;
    if (random_below(selecting->random, selecting->left) < selecting->wanted) {
        selecting->visit(selecting->context, member);
        selecting->wanted--;
    }
    selecting->left--;
}

/* Of this many members and more, the few that are wanted are drawn instead of walking. */
#define DRAW_LENGTH_MIN 64
/* ... if no more than one in so many is wanted: then few draws are in vain. */
#define DRAW_SHARE 4

void zset_random_distinct(const struct entry *zset, struct random *random, size_t count,
                          zset_visit_fn visit, void *context) {
    size_t length = zset_length(zset);
    if (length < DRAW_LENGTH_MIN || count > length / DRAW_SHARE) {
        struct selecting selecting = {random, count, length, visit, context};
        zset_visit(zset, (struct zset_span){0, length}, false, select_member, &selecting);
        return;
    }
    /* Ranks that were drawn, as addresses that stand for them: multiples of 16 from 16 on. */
    struct dict drawn;
    dict_init(&drawn, MEM_OTHER, true);
    while (dict_size(&drawn) < count) {
        size_t rank = random_below(random, length);
        struct entry *mark = (struct entry *)(uintptr_t)((rank + 1) << 4);
        uint64_t hash = hash_mix((uintptr_t)mark);
        if (dict_find_entry(&drawn, hash, mark) == NULL) {
            dict_insert(&drawn, hash, mark);
            visit_rank(zset, rank, visit, context);
        }
    }
    dict_clear(&drawn);
}

/* ---- what is asked of a value of any type ---- */

int zset_copy(const struct entry *zset, struct entry_shape *copy) {
    *copy = (struct entry_shape){.type = ENTRY_SORTED_SET};
    if (is_ordered(zset)) {
        return zset_ordered_copy(zset, (struct zset_span){0, zset_length(zset)}, copy);
    }
    copy->encoding = ENTRY_PACK;
    copy->word = (uintptr_t)packmap_copy(entry_pointer(zset));
    return 0;
}

static void note_longest(void *context, const struct zset_member *member) {
    size_t *longest = context;
    *longest = member->name.size > *longest ? member->name.size : *longest;
}

static void append(void *context, const struct zset_member *member) {
    struct packmap **map = context;
    *map = zset_packed_append(*map, member->name, member->score);
}

int zset_copy_span(const struct entry *zset, struct zset_span span,
                   const struct zset_options *limits, struct entry_shape *copy) {
    *copy = (struct entry_shape){.type = ENTRY_SORTED_SET};
    size_t longest = 0;
    if (zset_packed_fits(limits, span.count, 0)) {
        zset_visit(zset, span, false, note_longest, &longest);
    }
    if (!zset_packed_fits(limits, span.count, longest)) {
        return zset_ordered_copy(zset, span, copy);
    }
    struct packmap *map = packmap_new(2);
    zset_visit(zset, span, false, append, &map);
    copy->encoding = ENTRY_PACK;
    copy->word = (uintptr_t)map;
    return 0;
}

void zset_prefetch(const struct entry *zset) {
    if (is_ordered(zset)) {
        ordered_prefetch(&zset_ordered_of(zset)->index);
    }
}

void zset_prefetch_score(const struct entry *zset, double score, unsigned level) {
    if (is_ordered(zset)) {
        ordered_prefetch_score(&zset_ordered_of(zset)->index, score, level);
    }
}

bool zset_is_tall(const struct entry *zset) {
    return zset_ordered_of(zset)->index.height > 2;
}

size_t zset_free_cost(const struct entry *zset) {
    return is_ordered(zset) ? zset_length(zset) : 1;
}

bool zset_free_some(struct entry *zset, size_t max) {
    if (is_ordered(zset)) {
        return zset_ordered_free_some(zset, max);
    }
    packmap_free(entry_pointer(zset));
    return true;
}

void zset_free(struct entry *zset) {
    zset_free_some(zset, SIZE_MAX);
}

void zset_settle(struct entry *zset, uint32_t *cursor, struct sparse_tally *tally) {
    if (is_ordered(zset)) {
        zset_ordered_settle(zset, cursor, tally);
    } else {
        entry_set_pointer(zset, packmap_settle(entry_pointer(zset), tally));
        *cursor = 0;
    }
}

size_t zset_footprint(const struct entry *zset, size_t samples) {
    return is_ordered(zset) ? zset_ordered_footprint(zset, samples)
                            : packmap_footprint(entry_pointer(zset));
}

void zset_validate(const struct entry *zset) {
    check(entry_type(zset) == ENTRY_SORTED_SET);
    if (is_ordered(zset)) {
        zset_ordered_validate(zset);
    } else {
        zset_packed_validate(zset);
    }
}
