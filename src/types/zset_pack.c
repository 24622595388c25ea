/* zset_pack: a small sorted set as a packmap of member and score whose records are kept in order.
 * Places are found by halving: reaching a record by its index adds up a few sizes. A score of minus
 * zero becomes zero here, as in Redis. */
#include "types/zset_int.h"

#include <errno.h>

#include "base/check.h"
#include "base/num.h"

/* Item numbers of a record. */
#define NAME  0
#define SCORE 1

/* What a score takes in a packmap, at most; what a record takes besides the name. */
#define SCORE_SIZE      9
#define RECORD_OVERHEAD 32

static struct packmap *map_of(const struct entry *zset) {
    return entry_pointer(zset);
}

static packmap_at find(const struct packmap *map, const struct element_name *name) {
    return packmap_find_hashed(map, name->text, element_name_hash(name));
}

bool zset_packed_score(const struct entry *zset, struct element_name name, double *score) {
    const struct packmap *map = map_of(zset);
    packmap_at at = find(map, &name);
    if (at == 0) {
        return false;
    }
    *score = packmap_number(map, at, SCORE);
    return true;
}

/* The place where a member belongs: the first record that comes behind it, 0 for the end. The
 * member itself, if it is there, must not be asked about: `skip` is its index, or SIZE_MAX. */
static size_t place_of(const struct packmap *map, double score, struct bytes name, size_t skip) {
    size_t low = 0;
    size_t high = packmap_count(map) - (skip != SIZE_MAX);
    while (low < high) {
        size_t middle = (low + high) / 2;
        packmap_at at = packmap_seek(map, (int64_t)(middle + (middle >= skip)));
        double other = packmap_number(map, at, SCORE);
        char scratch[NUM_I64_SIZE];
        if (other < score ||
            (other == score && bytes_compare(packmap_text(map, at, NAME, scratch), name) < 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct packmap *zset_packed_append(struct packmap *map, struct bytes name, double score) {
    struct packmap_item items[2] = {packmap_of_text(name), packmap_of_double(score + 0.0)};
    return packmap_append(map, items);
}

static struct packmap *insert(struct packmap *map, size_t place, struct bytes name, double score) {
    if (place == packmap_count(map)) {
        return zset_packed_append(map, name, score);
    }
    struct packmap_item items[2] = {packmap_of_text(name), packmap_of_double(score + 0.0)};
    packmap_at at = packmap_seek(map, (int64_t)place);
    return packmap_insert(map, &at, items);
}

static struct packmap *change(struct packmap *map, packmap_at at, struct bytes name, double score) {
    size_t index = packmap_index(at);
    size_t place = place_of(map, score, name, index);
    if (place == index) {
        struct packmap_item item = packmap_of_double(score + 0.0);
        return packmap_replace(map, &at, SCORE, &item);
    }
    map = packmap_remove(map, &at, 1);
    return insert(map, place, name, score);
}

int zset_packed_set(struct entry *zset, const struct zset_options *limits,
                    const struct zset_write *write, double *score, enum zset_outcome *outcome) {
    struct packmap *map = map_of(zset);
    packmap_at at = find(map, &write->name);
    double now = at != 0 ? packmap_number(map, at, SCORE) : 0;
    double wanted;
    *outcome = zset_decide(write, at != 0 ? &now : NULL, &wanted);
    if (*outcome == ZSET_CHANGED) {
        entry_set_pointer(zset, change(map, at, write->name.text, wanted));
    } else if (*outcome == ZSET_ADDED) {
        if (packmap_count(map) >= (uint64_t)limits->pack_entries_max ||
            write->name.text.size > (uint64_t)limits->pack_value_max ||
            !packmap_fits(map, write->name.text.size + SCORE_SIZE)) {
            return -E2BIG;
        }
        size_t place = place_of(map, wanted, write->name.text, SIZE_MAX);
        entry_set_pointer(zset, insert(map, place, write->name.text, wanted));
    }
    *score = wanted;
    return 0;
}

bool zset_packed_remove(struct entry *zset, struct element_name name) {
    struct packmap *map = map_of(zset);
    packmap_at at = find(map, &name);
    if (at == 0) {
        return false;
    }
    entry_set_pointer(zset, packmap_remove(map, &at, 1));
    return true;
}

bool zset_packed_rank(const struct entry *zset, struct element_name name, size_t *rank,
                      double *score) {
    const struct packmap *map = map_of(zset);
    packmap_at at = find(map, &name);
    if (at == 0) {
        return false;
    }
    *rank = packmap_index(at);
    *score = packmap_number(map, at, SCORE);
    return true;
}

size_t zset_packed_count_before(const struct entry *zset, const struct zset_border *border) {
    const struct packmap *map = map_of(zset);
    size_t low = 0;
    size_t high = packmap_count(map);
    while (low < high) {
        size_t middle = (low + high) / 2;
        packmap_at at = packmap_seek(map, (int64_t)middle);
        char scratch[NUM_I64_SIZE];
        struct bytes name = {0};
        if (border->by_name) {
            name = packmap_text(map, at, NAME, scratch);
        }
        if (zset_is_before(border, packmap_number(map, at, SCORE), name)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void zset_packed_visit(const struct entry *zset, struct zset_span span, bool reverse,
                       zset_visit_fn visit, void *context) {
    const struct packmap *map = map_of(zset);
    if (span.count == 0) {
        return;
    }
    size_t first = reverse ? span.first + span.count - 1 : span.first;
    packmap_at at = packmap_seek(map, (int64_t)first);
    for (size_t i = 0; i < span.count; i++) {
        char scratch[NUM_I64_SIZE];
        struct packmap_item items[2];
        packmap_at next = packmap_read(map, at, items);
        struct zset_member member = {packmap_item_text(&items[NAME], scratch),
                                     packmap_item_number(&items[SCORE])};
        visit(context, &member);
        at = reverse ? packmap_previous(map, at) : next;
    }
}

void zset_packed_remove_span(struct entry *zset, struct zset_span span) {
    if (span.count > 0) {
        packmap_at at = packmap_seek(map_of(zset), (int64_t)span.first);
        entry_set_pointer(zset, packmap_remove(map_of(zset), &at, span.count));
    }
}

void zset_packed_walk_next(struct zset_walk *walk, struct zset_batch *batch) {
    const struct packmap *map = map_of(walk->zset);
    size_t i = 0;
    for (; i < ZSET_BATCH && walk->packed != 0; i++) {
        struct packmap_item items[2];
        walk->packed = packmap_read(map, walk->packed, items);
        batch->names[i] = packmap_item_text(&items[NAME], batch->scratch[i]);
        batch->scores[i] = packmap_item_number(&items[SCORE]);
    }
    batch->count = i;
}

/* Content that a pack may have for sure, so that its size need not be added up. */
bool zset_packed_fits(const struct zset_options *limits, size_t count, size_t longest) {
    return count <= (uint64_t)limits->pack_entries_max &&
           longest <= (uint64_t)limits->pack_value_max &&
           (longest + RECORD_OVERHEAD) * count <= PACKMAP_SIZE_MAX / 2;
}

void zset_packed_validate(const struct entry *zset) {
    const struct packmap *map = map_of(zset);
    check(packmap_width(map) == 2);
    check(packmap_validate(map, packmap_size(map)));
    packmap_at before = 0;
    for (packmap_at at = packmap_first(map); at != 0; at = packmap_next(map, at)) {
        char scratch[NUM_I64_SIZE];
        char scratch_before[NUM_I64_SIZE];
        struct bytes name = packmap_text(map, at, NAME, scratch);
        double score = packmap_number(map, at, SCORE);
        check(score == score);
        check(packmap_find(map, name) == at);
        check(before == 0 ||
              zset_precedes(packmap_number(map, before, SCORE),
                            packmap_text(map, before, NAME, scratch_before), score, name));
        before = at;
    }
}
