/* sort_order: see the header. */
#include "command/sort_order.h"

#include <string.h>

#include "base/num.h"

/* Few items are sorted faster by inserting them one by one: counting into 256 places costs as much
 * as some hundred comparisons. */
#define RADIX_MIN 64

/* Runs that merging begins with. */
#define RUN 8

#define DIGITS 8 /* bytes of a key */

/* What texts are compared with. */
struct comparison {
    sort_text_fn text;
    void *context;
};

static bool comes_before(const struct comparison *by, const struct sort_item *a,
                         const struct sort_item *b) {
    if (a->key != b->key) {
        return a->key < b->key;
    }
    if (by->text == NULL) {
        return false;
    }
    char scratch[2][NUM_I64_SIZE];
    return bytes_compare(by->text(by->context, a->index, scratch[0]),
                         by->text(by->context, b->index, scratch[1])) < 0;
}

static void insertion_sort(struct sort_item *items, size_t count, const struct comparison *by) {
    for (size_t i = 1; i < count; i++) {
        struct sort_item item = items[i];
        size_t to = i;
        for (; to > 0 && comes_before(by, &item, &items[to - 1]); to--) {
            items[to] = items[to - 1];
        }
        items[to] = item;
    }
}

/* Merges two neighbouring runs into `out`. */
static void merge(const struct sort_item *a, size_t a_count, const struct sort_item *b,
                  size_t b_count, struct sort_item *out, const struct comparison *by) {
    while (a_count > 0 && b_count > 0) {
        if (comes_before(by, b, a)) {
            *out++ = *b++;
            b_count--;
        } else {
            *out++ = *a++;
            a_count--;
        }
    }
    memcpy(out, a, a_count * sizeof *a);
    memcpy(out + a_count, b, b_count * sizeof *b);
}

/* Runs of doubling length, from one array to the other and back. Leaves the result in `items`. */
static void merge_sort(struct sort_item *items, struct sort_item *other, size_t count,
                       const struct comparison *by) {
    for (size_t i = 0; i < count; i += RUN) {
        insertion_sort(items + i, count - i < RUN ? count - i : RUN, by);
    }
    struct sort_item *from = items;
    struct sort_item *to = other;
    for (size_t run = RUN; run < count; run *= 2) {
        for (size_t i = 0; i < count; i += 2 * run) {
            size_t a = count - i < run ? count - i : run;
            size_t b = count - i - a < run ? count - i - a : run;
            merge(from + i, a, from + i + a, b, to + i, by);
        }
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) {
        memcpy(items, from, count * sizeof *items);
    }
}

/* By one byte of the keys; `counts` says how often each of its values is there. */
static void distribute(const struct sort_item *from, struct sort_item *to, size_t count,
                       unsigned digit, const size_t counts[256]) {
    size_t places[256];
    size_t place = 0;
    for (unsigned value = 0; value < 256; value++) {
        places[value] = place;
        place += counts[value];
    }
    for (size_t i = 0; i < count; i++) {
        to[places[from[i].key >> (8 * digit) & 255]++] = from[i];
    }
}

/* Returns which of the two arrays holds the result. */
static struct sort_item *radix_sort(struct sort_item *items, struct sort_item *other,
                                    size_t count) {
    size_t counts[DIGITS][256] = {{0}};
    for (size_t i = 0; i < count; i++) {
        uint64_t key = items[i].key;
        for (unsigned digit = 0; digit < DIGITS; digit++) {
            counts[digit][key >> (8 * digit) & 255]++;
        }
    }
    uint64_t some_key = items[0].key;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (counts[digit][some_key >> (8 * digit) & 255] == count) {
            continue; /* the same in all */
        }
        distribute(items, other, count, digit, counts[digit]);
        struct sort_item *swap = items;
        items = other;
        other = swap;
    }
    return items;
}

struct sort_item *sort_order(struct sort_item *items, struct sort_item *other, size_t count,
                             sort_text_fn text, void *context) {
    struct comparison by = {text, context};
    if (count < RADIX_MIN) {
        merge_sort(items, other, count, &by);
        return items;
    }
    struct sort_item *sorted = radix_sort(items, other, count);
    struct sort_item *rest = sorted == items ? other : items;
    for (size_t i = 0; text != NULL && i < count;) {
        size_t end = i + 1;
        while (end < count && sorted[end].key == sorted[i].key) {
            end++;
        }
        if (end - i > 1) {
            merge_sort(sorted + i, rest + i, end - i, &by);
        }
        i = end;
    }
    return sorted;
}
