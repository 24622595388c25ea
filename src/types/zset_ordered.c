/* zset_ordered: a large sorted set as a dict of entries and an index of the same entries by score.
 * A member's entry holds its score, so that ZSCORE asks the dict alone; the index holds the score
 * beside the entry's address, so that a search by score asks the index alone. */
#include "types/zset_int.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"

/* How many entries are taken out of the dict, or looked at, at a time. */
#define PORTION 64
/* Members ahead of the visited one whose entries are asked for. */
#define AHEAD 8
/* A cursor of zset_settle with this bit is a rank of the index, without it a bucket. */
#define CURSOR_INDEX ((uint32_t)1 << 31)

struct zset_ordered *zset_ordered_new(void) {
    struct zset_ordered *ordered = mem_alloc(MEM_DATA, sizeof *ordered);
    dict_init(&ordered->dict, MEM_TABLE, false);
    ordered_init(&ordered->index, MEM_TABLE);
    return ordered;
}

/* At most about `max` steps; whether all is freed. */
static bool free_some(struct zset_ordered *ordered, size_t max) {
    if (!ordered_free_some(&ordered->index, max)) {
        return false;
    }
    while (dict_size(&ordered->dict) > 0) {
        struct entry *elements[PORTION];
        size_t portion = max < PORTION ? max : PORTION;
        if (portion == 0) {
            return false;
        }
        size_t count = dict_drain(&ordered->dict, elements, portion);
        for (size_t i = 0; i < count; i++) {
            entry_free(elements[i]);
        }
        max -= count;
    }
    dict_clear(&ordered->dict);
    mem_free(MEM_DATA, ordered, sizeof *ordered);
    return true;
}

void zset_ordered_discard(struct zset_ordered *ordered) {
    free_some(ordered, SIZE_MAX);
}

bool zset_ordered_free_some(struct entry *zset, size_t max) {
    return free_some(zset_ordered_of(zset), max);
}

/* A member as the dict found it. */
struct place {
    uint64_t hash;
    uint64_t *slot; /* NULL when there is no such entry */
    struct entry *element;
};

static inline struct place find(const struct zset_ordered *ordered,
                                const struct element_name *name) {
    struct place place = {.hash = element_name_hash(name)};
    place.slot = dict_find(&ordered->dict, place.hash, name->text.at, name->text.size);
    place.element = place.slot != NULL ? dict_slot_entry(*place.slot) : NULL;
    return place;
}

bool zset_ordered_score(const struct entry *zset, struct element_name name, double *score) {
    struct place place = find(zset_ordered_of(zset), &name);
    if (place.element == NULL) {
        return false;
    }
    *score = entry_score(place.element);
    return true;
}

struct entry *zset_element_new(struct bytes name, double score) {
    struct entry_shape shape = {.type = ENTRY_ELEMENT, .encoding = ENTRY_SCORE};
    memcpy(&shape.word, &score, sizeof score);
    return entry_try_new(name, &shape);
}

enum zset_outcome zset_ordered_set(struct entry *zset, const struct zset_write *write,
                                   double *score) {
    struct zset_ordered *ordered = zset_ordered_of(zset);
    struct place place = find(ordered, &write->name);
    double now = place.element != NULL ? entry_score(place.element) : 0;
    enum zset_outcome outcome = zset_decide(write, place.element != NULL ? &now : NULL, score);
    if (outcome == ZSET_CHANGED) {
        dict_changing(&ordered->dict, place.element);
        ordered_move(&ordered->index, now, place.element, *score);
        memcpy(entry_word(place.element), score, sizeof *score);
    } else if (outcome == ZSET_ADDED) {
        struct entry *element = zset_element_new(write->name.text, *score);
        if (element == NULL) {
            return ZSET_NO_MEMORY;
        }
        dict_insert(&ordered->dict, place.hash, element);
        ordered_insert(&ordered->index, *score, element);
    }
    return outcome;
}

bool zset_ordered_remove(struct entry *zset, struct element_name name) {
    struct zset_ordered *ordered = zset_ordered_of(zset);
    struct place place = find(ordered, &name);
    if (place.element == NULL) {
        return false;
    }
    dict_changing(&ordered->dict, place.element);
    ordered_remove(&ordered->index, entry_score(place.element), place.element);
    dict_remove(&ordered->dict, place.hash, place.slot);
    entry_free(place.element);
    return true;
}

bool zset_ordered_rank(const struct entry *zset, struct element_name name, size_t *rank,
                       double *score) {
    const struct zset_ordered *ordered = zset_ordered_of(zset);
    struct place place = find(ordered, &name);
    if (place.element == NULL) {
        return false;
    }
    *score = entry_score(place.element);
    *rank = ordered_rank(&ordered->index, *score, place.element);
    return true;
}

static bool is_before(const void *context, const struct ordered_item *item) {
    const struct zset_border *border = context;
    struct bytes name = {0};
    if (border->by_name) {
        name = entry_key(item->entry);
    }
    return zset_is_before(border, item->score, name);
}

size_t zset_ordered_count_before(const struct entry *zset, const struct zset_border *border) {
    return ordered_count_before(&zset_ordered_of(zset)->index, is_before, border);
}

static inline void visit_item(const struct ordered_item *item, zset_visit_fn visit, void *context) {
    struct zset_member member = {entry_key(item->entry), item->score};
    visit(context, &member);
}

/* The entries of a leaf lie anywhere, so some are asked for ahead. */
static void visit_forwards(struct ordered_at at, size_t count, zset_visit_fn visit, void *context) {
    while (count > 0) {
        const struct ordered_item *item = ordered_item(&at);
        size_t run = at.leaf->count - at.index;
        run = run < count ? run : count;
        for (size_t i = 0; i < AHEAD && i < run; i++) {
            __builtin_prefetch(item[i].entry);
        }
        for (size_t i = 0; i < run; i++) {
            if (i + AHEAD < run) {
                __builtin_prefetch(item[i + AHEAD].entry);
            }
            visit_item(&item[i], visit, context);
        }
        count -= run;
        at = (struct ordered_at){at.leaf->after, 0};
    }
}

static void visit_backwards(struct ordered_at at, size_t count, zset_visit_fn visit,
                            void *context) {
    struct ordered_at ahead = at;
    for (size_t i = 0; i < AHEAD && i < count; i++) {
        __builtin_prefetch(ordered_item(&ahead)->entry);
        ordered_previous(&ahead);
    }
    for (; count > 0; count--) {
        if (count > AHEAD) {
            __builtin_prefetch(ordered_item(&ahead)->entry);
            ordered_previous(&ahead);
        }
        visit_item(ordered_item(&at), visit, context);
        ordered_previous(&at);
    }
}

void zset_ordered_visit(const struct entry *zset, struct zset_span span, bool reverse,
                        zset_visit_fn visit, void *context) {
    const struct ordered *index = &zset_ordered_of(zset)->index;
    if (span.count == 0) {
        return;
    }
    if (reverse) {
        visit_backwards(ordered_seek(index, span.first + span.count - 1), span.count, visit,
                        context);
    } else {
        visit_forwards(ordered_seek(index, span.first), span.count, visit, context);
    }
}

/* Removes `count` <= PORTION members from this rank on. Entries and their buckets lie anywhere,
 * so all are asked for before the first is needed. */
static void remove_batch(struct zset_ordered *ordered, size_t first, size_t count) {
    struct entry *elements[PORTION];
    uint64_t hashes[PORTION];
    struct ordered_at at = ordered_seek(&ordered->index, first);
    for (size_t i = 0; i < count; i++) {
        elements[i] = ordered_item(&at)->entry;
        __builtin_prefetch(elements[i]);
        ordered_next(&at);
    }
    for (size_t i = 0; i < count; i++) {
        hashes[i] = dict_hash(&ordered->dict, entry_key(elements[i]));
        dict_prefetch_bucket(&ordered->dict, hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        dict_changing(&ordered->dict, elements[i]);
        ordered_remove_at(&ordered->index, first);
        uint64_t *slot = dict_find_entry(&ordered->dict, hashes[i], elements[i]);
        dict_remove(&ordered->dict, hashes[i], slot);
        entry_free(elements[i]);
    }
}

void zset_ordered_remove_span(struct entry *zset, struct zset_span span) {
    struct zset_ordered *ordered = zset_ordered_of(zset);
    while (span.count > 0) {
        size_t count = span.count < PORTION ? span.count : PORTION;
        remove_batch(ordered, span.first, count);
        span.count -= count;
    }
}

/* A batch ends with its leaf. The next batch's entries are asked for meanwhile. */
void zset_ordered_walk_next(struct zset_walk *walk, struct zset_batch *batch) {
    const struct ordered_leaf *leaf = walk->ordered.leaf;
    batch->count = 0;
    if (leaf == NULL) {
        return;
    }
    const struct ordered_item *items = leaf->items + walk->ordered.index;
    size_t rest = leaf->count - walk->ordered.index;
    size_t count = rest < ZSET_BATCH ? rest : ZSET_BATCH;
    struct ordered_at next = {leaf, walk->ordered.index + (unsigned)count};
    if (count == rest) {
        next = (struct ordered_at){leaf->after, 0};
    }
    size_t ahead = next.leaf != NULL ? next.leaf->count - next.index : 0;
    for (size_t i = 0; i < ZSET_BATCH && i < ahead; i++) {
        __builtin_prefetch(next.leaf->items[next.index + i].entry);
    }
    for (size_t i = 0; i < count; i++) {
        batch->names[i] = entry_key(items[i].entry);
        batch->scores[i] = items[i].score;
    }
    batch->count = count;
    walk->ordered = next;
}

struct scanning {
    zset_visit_fn visit;
    void *context;
};

static void scan_element(void *context, struct entry *element) {
    const struct scanning *scanning = context;
    struct zset_member member = {entry_key(element), entry_score(element)};
    scanning->visit(scanning->context, &member);
}

uint64_t zset_ordered_scan(const struct entry *zset, uint64_t cursor, zset_visit_fn visit,
                           void *context) {
    struct scanning scanning = {visit, context};
    return dict_scan(&zset_ordered_of(zset)->dict, cursor, scan_element, &scanning);
}

/* An ordered one being filled in order; goes on without doing anything once there was no memory. */
struct filling {
    struct zset_ordered *ordered;
    bool failed;
};

static void fill(void *context, const struct zset_member *member) {
    struct filling *filling = context;
    if (filling->failed) {
        return;
    }
    struct entry *element = zset_element_new(member->name, member->score);
    if (element == NULL) {
        filling->failed = true;
        return;
    }
    struct dict *dict = &filling->ordered->dict;
    dict_insert(dict, dict_hash(dict, member->name), element);
    ordered_append(&filling->ordered->index, member->score, element);
}

/* NULL when there is no memory. */
static struct zset_ordered *ordered_from(const struct entry *zset, struct zset_span span) {
    struct filling filling = {.ordered = zset_ordered_new()};
    zset_visit(zset, span, false, fill, &filling);
    if (filling.failed) {
        zset_ordered_discard(filling.ordered);
        return NULL;
    }
    return filling.ordered;
}

int zset_become_ordered(struct entry *zset) {
    struct zset_ordered *ordered = ordered_from(zset, (struct zset_span){0, zset_length(zset)});
    if (ordered == NULL) {
        return -ENOMEM;
    }
    packmap_free(entry_pointer(zset));
    zset_become(zset, ENTRY_ORDERED, ordered);
    return 0;
}

int zset_ordered_copy(const struct entry *zset, struct zset_span span, struct entry_shape *copy) {
    struct zset_ordered *ordered = ordered_from(zset, span);
    if (ordered == NULL) {
        return -ENOMEM;
    }
    copy->encoding = ENTRY_ORDERED;
    copy->word = (uintptr_t)ordered;
    return 0;
}

static void element_moved(void *context, struct entry *old, struct entry *element) {
    struct zset_ordered *ordered = context;
    ordered_replace(&ordered->index, entry_score(old), old, element);
}

/* First what the dict has, then the nodes of the index. The struct itself moves with the first
 * portion. */
void zset_ordered_settle(struct entry *zset, uint32_t *cursor, struct sparse_tally *tally) {
    struct zset_ordered *ordered = zset_ordered_of(zset);
    if (*cursor == 0 && ordered->dict.watch == NULL) {
        ordered = sparse_settle(ordered, sizeof *ordered, tally);
        entry_set_pointer(zset, ordered);
    }
    if (*cursor & CURSOR_INDEX) {
        *cursor &= ~CURSOR_INDEX;
        ordered_settle(&ordered->index, cursor, tally);
        *cursor |= *cursor != 0 ? CURSOR_INDEX : 0;
        return;
    }
    uint64_t *slots[SPARSE_BATCH_MAX];
    size_t count = dict_slots(&ordered->dict, cursor, slots, SPARSE_BATCH_MAX, tally);
    for (size_t i = 0; i < count; i++) {
        __builtin_prefetch(dict_slot_entry(*slots[i]));
    }
    dict_settle(slots, count, &(struct dict_mover){.moved = element_moved, .context = ordered},
                tally);
    if (*cursor == 0) {
        *cursor = CURSOR_INDEX;
    }
}

static void add_footprint(void *context, struct entry *element) {
    *(size_t *)context += entry_footprint(element);
}

static size_t elements_footprint(const struct dict *dict, size_t samples) {
    size_t sum = 0;
    if (samples == 0 || samples >= dict_size(dict)) {
        uint64_t cursor = 0;
        do {
            cursor = dict_scan(dict, cursor, add_footprint, &sum);
        } while (cursor != 0);
        return sum;
    }
    struct random random;
    random_init(&random, (uintptr_t)dict);
    size_t seen = 0;
    while (seen < samples) {
        struct entry *elements[PORTION];
        size_t wanted = samples - seen < PORTION ? samples - seen : PORTION;
        size_t count = dict_sample(dict, &random, elements, wanted);
        if (count == 0) {
            break;
        }
        for (size_t i = 0; i < count; i++) {
            sum += entry_footprint(elements[i]);
        }
        seen += count;
    }
    return seen == 0 ? 0 : (size_t)((double)sum / (double)seen * (double)dict_size(dict));
}

size_t zset_ordered_footprint(const struct entry *zset, size_t samples) {
    const struct zset_ordered *ordered = zset_ordered_of(zset);
    return mem_class(sizeof *ordered) + dict_footprint(&ordered->dict) +
           ordered_footprint(&ordered->index) + elements_footprint(&ordered->dict, samples);
}

void zset_ordered_validate(const struct entry *zset) {
    const struct zset_ordered *ordered = zset_ordered_of(zset);
    dict_validate(&ordered->dict);
    ordered_validate(&ordered->index);
    check(dict_size(&ordered->dict) == ordered_size(&ordered->index));
    for (struct ordered_at at = ordered_seek(&ordered->index, 0); at.leaf != NULL;
         ordered_next(&at)) {
        const struct ordered_item *item = ordered_item(&at);
        check(entry_type(item->entry) == ENTRY_ELEMENT);
        check(entry_encoding(item->entry) == ENTRY_SCORE);
        check(entry_score(item->entry) == item->score);
        uint64_t hash = dict_hash(&ordered->dict, entry_key(item->entry));
        check(dict_find_entry(&ordered->dict, hash, item->entry) != NULL);
    }
}
