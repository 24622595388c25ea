/* zset_int: what the files of the sorted set share: the compact encoding (zset_pack.c) and the
 * ordered one (zset_ordered.c) behind one set of functions (zset.c). The contracts are those of
 * types/zset.h where names match.
 *
 *     ENTRY_PACK      link -> packmap of width 2: member, score; in order
 *
 *     ENTRY_ORDERED   link -> +------+-------+
 *                             | dict | index |
 *                             +------+-------+
 *                                |       | leaves: score, address
 *                                v       v
 *                             entries ENTRY_ELEMENT, ENTRY_SCORE: the score and the name
 *
 * Invariants (zset_validate checks them):
 * 1. A name is there once; members ascend by (score, name); no score is NaN.
 * 2. Dict and index have the same entries, the index with the scores that the entries have. */
#ifndef LARDER_TYPES_ZSET_INT_H
#define LARDER_TYPES_ZSET_INT_H

#include "ds/dict.h"
#include "ds/ordered.h"
#include "ds/packmap.h"
#include "types/zset.h"

/* The dict comes first: whoever asks for its cache lines ahead of time knows only that. */
struct zset_ordered {
    struct dict dict;
    struct ordered index;
};

static inline struct zset_ordered *zset_ordered_of(const struct entry *zset) {
    return entry_pointer(zset);
}

/* Changes encoding and link of a sorted set's entry in place: both encodings have a link. */
static inline void zset_become(struct entry *zset, enum entry_encoding encoding, void *value) {
    zset->kind = (uint8_t)(encoding << 4 | ENTRY_SORTED_SET);
    entry_set_pointer(zset, value);
}

/* A place between members, to be found by asking members whether they are before it. */
struct zset_border {
    bool by_name;
    bool through; /* it is behind those that are equal */
    double score;
    struct bytes name;
};

static inline bool zset_is_before(const struct zset_border *border, double score,
                                  struct bytes name) {
    if (border->by_name) {
        int order = bytes_compare(name, border->name);
        return border->through ? order <= 0 : order < 0;
    }
    return border->through ? score <= border->score : score < border->score;
}

/* What a write would make of a member's score, NULL if absent: ZSET_ADDED or ZSET_CHANGED tell that
 * it is to be done. */
enum zset_outcome zset_decide(const struct zset_write *write, const double *now, double *score);

static inline bool zset_precedes(double a_score, struct bytes a, double b_score, struct bytes b) {
    return a_score < b_score || (a_score == b_score && bytes_compare(a, b) < 0);
}

bool zset_packed_score(const struct entry *zset, struct element_name name, double *score);
/* -E2BIG when the sorted set has to become ordered for it; 0 with *outcome otherwise. */
int zset_packed_set(struct entry *zset, const struct zset_options *limits,
                    const struct zset_write *write, double *score, enum zset_outcome *outcome);
bool zset_packed_remove(struct entry *zset, struct element_name name);
bool zset_packed_rank(const struct entry *zset, struct element_name name, size_t *rank,
                      double *score);
size_t zset_packed_count_before(const struct entry *zset, const struct zset_border *border);
void zset_packed_visit(const struct entry *zset, struct zset_span span, bool reverse,
                       zset_visit_fn visit, void *context);
void zset_packed_remove_span(struct entry *zset, struct zset_span span);
void zset_packed_walk_next(struct zset_walk *walk, struct zset_batch *batch);
/* Whether so many members, the longest of which has so many bytes, are kept in a pack. */
bool zset_packed_fits(const struct zset_options *limits, size_t count, size_t longest);
struct packmap *zset_packed_append(struct packmap *map, struct bytes name, double score);
void zset_packed_validate(const struct entry *zset);

/* Makes a packed sorted set ordered. 0, or -ENOMEM with nothing changed. */
int zset_become_ordered(struct entry *zset);

struct zset_ordered *zset_ordered_new(void);
/* NULL when there is no memory. */
struct entry *zset_element_new(struct bytes name, double score);
/* Frees it whole; entries that are in the dict too. */
void zset_ordered_discard(struct zset_ordered *ordered);
bool zset_ordered_score(const struct entry *zset, struct element_name name, double *score);
enum zset_outcome zset_ordered_set(struct entry *zset, const struct zset_write *write,
                                   double *score);
bool zset_ordered_remove(struct entry *zset, struct element_name name);
bool zset_ordered_rank(const struct entry *zset, struct element_name name, size_t *rank,
                       double *score);
size_t zset_ordered_count_before(const struct entry *zset, const struct zset_border *border);
void zset_ordered_visit(const struct entry *zset, struct zset_span span, bool reverse,
                        zset_visit_fn visit, void *context);
void zset_ordered_remove_span(struct entry *zset, struct zset_span span);
void zset_ordered_walk_next(struct zset_walk *walk, struct zset_batch *batch);
uint64_t zset_ordered_scan(const struct entry *zset, uint64_t cursor, zset_visit_fn visit,
                           void *context);
/* Makes an ordered one of a span of one of either encoding. 0, or -ENOMEM. */
int zset_ordered_copy(const struct entry *zset, struct zset_span span, struct entry_shape *copy);
bool zset_ordered_free_some(struct entry *zset, size_t max);
void zset_ordered_settle(struct entry *zset, uint32_t *cursor, struct sparse_tally *tally);
size_t zset_ordered_footprint(const struct entry *zset, size_t samples);
void zset_ordered_validate(const struct entry *zset);

#endif
