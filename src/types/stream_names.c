/* stream_names: see the header. */
#include "types/stream_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define FIRST_CAPACITY 2u

void *stream_named_try_new(size_t size, struct bytes name) {
    struct stream_named *named =
        name.size > UINT32_MAX ? NULL : mem_try_alloc(MEM_DATA, size + name.size);
    if (named == NULL) {
        return NULL;
    }
    memset(named, 0, size);
    named->name_at = (uint32_t)size;
    named->name_size = (uint32_t)name.size;
    if (name.size > 0) {
        memcpy((char *)named + size, name.at, name.size);
    }
    return named;
}

void stream_named_free(void *named) {
    mem_free(MEM_DATA, named, stream_named_size(named));
}

bool stream_names_find(const struct stream_names *names, struct bytes name, uint32_t *index) {
    uint32_t low = 0;
    uint32_t high = names->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(stream_name(names->at[middle]), name);
        if (order == 0) {
            *index = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *index = low;
    return false;
}

void stream_names_add(struct stream_names *names, uint32_t index, struct stream_named *named) {
    if (names->count == names->capacity) {
        uint32_t capacity = names->capacity == 0 ? FIRST_CAPACITY : names->capacity * 2;
        names->at = mem_realloc(MEM_DATA, names->at, names->capacity * sizeof *names->at,
                                capacity * sizeof *names->at);
        names->capacity = capacity;
    }
    memmove(names->at + index + 1, names->at + index, (names->count - index) * sizeof *names->at);
    names->at[index] = named;
    names->count++;
}

void stream_names_append(struct stream_names *names, struct stream_named *named) {
    stream_names_add(names, names->count, named);
}

static int compare_named(const void *a, const void *b) {
    const struct stream_named *const *first = a;
    const struct stream_named *const *second = b;
    return bytes_compare(stream_name(*first), stream_name(*second));
}

/* Whether the names ascend; < 0 if they do, 0 if the worst is that one comes twice, else > 0. */
static int worst_order(const struct stream_names *names) {
    int worst = -1;
    for (uint32_t i = 1; i < names->count && worst <= 0; i++) {
        int order = compare_named(&names->at[i - 1], &names->at[i]);
        worst = order > worst ? order : worst;
    }
    return worst;
}

bool stream_names_sort(struct stream_names *names) {
    int worst = worst_order(names);
    if (worst > 0) {
        qsort(names->at, names->count, sizeof *names->at, compare_named);
        worst = worst_order(names);
    }
    return worst < 0;
}

void stream_names_remove(struct stream_names *names, uint32_t index) {
    names->count--;
    memmove(names->at + index, names->at + index + 1, (names->count - index) * sizeof *names->at);
}

void stream_names_clear(struct stream_names *names) {
    mem_free(MEM_DATA, names->at, names->capacity * sizeof *names->at);
    *names = (struct stream_names){.at = NULL};
}

size_t stream_names_footprint(const struct stream_names *names) {
    return names->capacity == 0 ? 0 : mem_class(names->capacity * sizeof *names->at);
}

void stream_names_validate(const struct stream_names *names) {
    check(names->count <= names->capacity);
    for (uint32_t i = 1; i < names->count; i++) {
        check(bytes_compare(stream_name(names->at[i - 1]), stream_name(names->at[i])) < 0);
    }
}
