/* sort_elements: the elements of a list, a set or a sorted set in an array, for SORT. Texts are not
 * copied: they lie in the value, which must not change meanwhile. */
#ifndef LARDER_COMMAND_SORT_ELEMENTS_H
#define LARDER_COMMAND_SORT_ELEMENTS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/num.h"
#include "ds/entry.h"

/* An integer is kept as such, with this as its size. */
#define SORT_INTEGER SIZE_MAX
struct sort_element {
    union {
        const char *text;
        int64_t integer;
    };
    size_t size;
};

struct sort_elements {
    struct sort_element *at;
    size_t count;
    size_t capacity;
    size_t size_max; /* of the longest text */
};

/* Whether a value of this type has elements to be sorted. */
bool sort_elements_type(enum entry_type type);

/* `count` elements from a position on, in the order of the value: a list's by position, a sorted
 * set's by rank; if `reverse`, in the reverse of it, positions counted from the end. Of a set all
 * must be asked for, and come in no order. -ENOMEM, or 0. */
int sort_elements_collect(const struct entry *entry, size_t from, size_t count, bool reverse,
                          struct sort_elements *elements);
void sort_elements_free(struct sort_elements *elements);

/* How many there are. */
size_t sort_elements_length(const struct entry *entry);

/* The text; integers are printed into `scratch` (NUM_I64_SIZE bytes). */
static inline struct bytes sort_element_text(const struct sort_element *element, char *scratch) {
    if (element->size == SORT_INTEGER) {
        return bytes_of(scratch, num_format_i64(scratch, element->integer));
    }
    return bytes_of(element->text, element->size);
}

#endif
