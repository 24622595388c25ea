/* zset_gather: see the header. */
#include "types/zset_gather.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "types/zset_int.h"

#ifdef LARDER_TEST_SMALL
#define CAPACITY_FIRST 2
#define RUN_MIN        3
#else
#define CAPACITY_FIRST 64
/* Shorter runs are made so long by insertion, which is cheaper than merging them. */
#define RUN_MIN        12
#endif
/* Entries that are taken out of the dict at a time. */
#define PORTION 64

void zset_gather_init(struct zset_gather *gather) {
    *gather = (struct zset_gather){0};
    dict_init(&gather->dict, MEM_TABLE, false);
}

static void free_items(struct zset_gather *gather) {
    mem_free(MEM_OTHER, gather->items, gather->capacity * sizeof *gather->items);
    gather->items = NULL;
    gather->capacity = 0;
}

static void free_entries(struct zset_gather *gather) {
    struct entry *elements[PORTION];
    size_t count;
    while ((count = dict_drain(&gather->dict, elements, PORTION)) > 0) {
        for (size_t i = 0; i < count; i++) {
            entry_free(elements[i]);
        }
    }
    dict_clear(&gather->dict);
}

void zset_gather_free(struct zset_gather *gather) {
    free_entries(gather);
    free_items(gather);
}

double *zset_gather_find(struct zset_gather *gather, struct element_name name) {
    uint64_t *slot =
        dict_find(&gather->dict, element_name_hash(&name), name.text.at, name.text.size);
    return slot != NULL ? (double *)(void *)entry_word(dict_slot_entry(*slot)) : NULL;
}

void zset_gather_prefetch(const struct zset_gather *gather, const struct zset_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        dict_prefetch_bucket(&gather->dict, batch->hashes[i]);
    }
    for (size_t i = 0; i < batch->count; i++) {
        dict_prefetch_entry(&gather->dict, batch->hashes[i]);
    }
}

static bool grow(struct zset_gather *gather) {
    size_t capacity = gather->capacity == 0 ? CAPACITY_FIRST : gather->capacity * 2;
    struct ordered_item *items = mem_try_realloc(
        MEM_OTHER, gather->items, gather->capacity * sizeof *items, capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    gather->items = items;
    gather->capacity = capacity;
    return true;
}

bool zset_gather_add(struct zset_gather *gather, struct element_name name, double score) {
    size_t count = zset_gather_count(gather);
    if (count == gather->capacity && !grow(gather)) {
        return false;
    }
    struct entry *element = zset_element_new(name.text, score);
    if (element == NULL) {
        return false;
    }
    gather->items[count].entry = element;
    gather->longest = name.text.size > gather->longest ? name.text.size : gather->longest;
    dict_insert(&gather->dict, element_name_hash(&name), element);
    return true;
}

static inline bool precedes(const struct ordered_item *a, const struct ordered_item *b) {
    if (LIKELY(a->score != b->score)) {
        return a->score < b->score;
    }
    return bytes_compare(entry_key(a->entry), entry_key(b->entry)) < 0;
}

/* Where the run that begins at `from` ends. */
static size_t run_end(const struct ordered_item *items, size_t from, size_t count) {
    size_t end = from + 1;
    while (end < count && precedes(&items[end - 1], &items[end])) {
        end++;
    }
    return end;
}

/* Makes runs of at least RUN_MIN, but for the last one. */
static void make_runs(struct ordered_item *items, size_t count) {
    for (size_t from = 0; from < count;) {
        size_t end = run_end(items, from, count);
        while (end < count && end - from < RUN_MIN) {
            struct ordered_item item = items[end];
            size_t place = end;
            while (place > from && precedes(&item, &items[place - 1])) {
                items[place] = items[place - 1];
                place--;
            }
            items[place] = item;
            end++;
        }
        from = end;
    }
}

static void merge(const struct ordered_item *a, size_t a_count, const struct ordered_item *b,
                  size_t b_count, struct ordered_item *out) {
    while (a_count > 0 && b_count > 0) {
        if (precedes(b, a)) {
            *out++ = *b++;
            b_count--;
        } else {
            *out++ = *a++;
            a_count--;
        }
    }
    if (a_count > 0) {
        memcpy(out, a, a_count * sizeof *out);
    } else {
        memcpy(out, b, b_count * sizeof *out);
    }
}

/* Merges neighbouring runs pair by pair; whether there was only one. */
static bool merge_runs(const struct ordered_item *items, size_t count, struct ordered_item *out) {
    for (size_t from = 0; from < count;) {
        size_t middle = run_end(items, from, count);
        if (from == 0 && middle == count) {
            return true;
        }
        size_t end = middle < count ? run_end(items, middle, count) : count;
        merge(items + from, middle - from, items + middle, end - middle, out + from);
        from = end;
    }
    return false;
}

int zset_gather_sort(struct zset_gather *gather) {
    size_t count = zset_gather_count(gather);
    for (size_t i = 0; i < count; i++) {
        if (i + PORTION / 4 < count) {
            __builtin_prefetch(gather->items[i + PORTION / 4].entry);
        }
        gather->items[i].score = entry_score(gather->items[i].entry);
    }
    make_runs(gather->items, count);
    if (count == 0 || run_end(gather->items, 0, count) == count) {
        return 0;
    }
    size_t size = gather->capacity * sizeof *gather->items;
    struct ordered_item *other = mem_try_alloc(MEM_OTHER, size);
    if (other == NULL) {
        return -ENOMEM;
    }
    while (!merge_runs(gather->items, count, other)) {
        struct ordered_item *merged = other;
        other = gather->items;
        gather->items = merged;
    }
    mem_free(MEM_OTHER, other, size);
    return 0;
}

void zset_gather_visit(const struct zset_gather *gather, zset_visit_fn visit, void *context) {
    size_t count = zset_gather_count(gather);
    for (size_t i = 0; i < count; i++) {
        struct zset_member member = {entry_key(gather->items[i].entry), gather->items[i].score};
        visit(context, &member);
    }
}

void zset_gather_take(struct zset_gather *gather, const struct zset_options *limits,
                      struct entry_shape *shape) {
    *shape = (struct entry_shape){.type = ENTRY_SORTED_SET};
    size_t count = zset_gather_count(gather);
    if (zset_packed_fits(limits, count, gather->longest)) {
        struct packmap *map = packmap_new(2);
        for (size_t i = 0; i < count; i++) {
            map =
                zset_packed_append(map, entry_key(gather->items[i].entry), gather->items[i].score);
        }
        shape->encoding = ENTRY_PACK;
        shape->word = (uintptr_t)map;
        zset_gather_free(gather);
        return;
    }
    struct zset_ordered *ordered = zset_ordered_new();
    for (size_t i = 0; i < count; i++) {
        ordered_append(&ordered->index, gather->items[i].score, gather->items[i].entry);
    }
    ordered->dict = gather->dict;
    dict_init(&gather->dict, MEM_TABLE, false);
    shape->encoding = ENTRY_ORDERED;
    shape->word = (uintptr_t)ordered;
    free_items(gather);
}
