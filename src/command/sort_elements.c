/* sort_elements: see the header. Here is what differs between the types. */
#include "command/sort_elements.h"

#include <errno.h>

#include "base/check.h"
#include "base/mem.h"
#include "ds/element.h"
#include "types/list.h"
#include "types/set.h"
#include "types/zset.h"

bool sort_elements_type(enum entry_type type) {
    return type == ENTRY_LIST || type == ENTRY_SET || type == ENTRY_SORTED_SET;
}

size_t sort_elements_length(const struct entry *entry) {
    switch (entry_type(entry)) {
    case ENTRY_LIST:
        return list_length(entry);
    case ENTRY_SET:
        return set_size(entry);
    default:
        return zset_length(entry);
    }
}

static void add_text(struct sort_elements *elements, struct bytes text) {
    check(elements->count < elements->capacity);
    elements->at[elements->count++] = (struct sort_element){.text = text.at, .size = text.size};
    if (text.size > elements->size_max) {
        elements->size_max = text.size;
    }
}

static void add_integer(struct sort_elements *elements, int64_t integer) {
    check(elements->count < elements->capacity);
    elements->at[elements->count++] =
        (struct sort_element){.integer = integer, .size = SORT_INTEGER};
}

static void collect_list(const struct entry *list, size_t from, size_t count,
                         struct sort_elements *elements) {
    while (count > 0) {
        struct list_run run;
        list_run_at(list, from, &run);
        size_t here = run.count < count ? run.count : count;
        if (run.blob != NULL) {
            add_text(elements, blob_bytes(run.blob));
        } else {
            const uint8_t *element = run.at;
            for (size_t i = 0; i < here; i++) {
                if (element_tag_is_text(*element)) {
                    add_text(elements, element_text(element));
                } else {
                    add_integer(elements, element_integer(element));
                }
                element += element_size(element);
            }
        }
        from += here;
        count -= here;
    }
}

static void turn_around(struct sort_elements *elements) {
    for (size_t i = 0; i < elements->count / 2; i++) {
        struct sort_element *other = &elements->at[elements->count - 1 - i];
        struct sort_element swap = elements->at[i];
        elements->at[i] = *other;
        *other = swap;
    }
}

/* A member's name may have been printed for the visit: if it is an integer it is kept as one. */
static void add_name(struct sort_elements *elements, struct bytes name) {
    int64_t integer;
    if (name.size <= NUM_I64_SIZE && num_parse_i64(name, &integer)) {
        add_integer(elements, integer);
    } else {
        add_text(elements, name);
    }
}

static void collect_set(const struct entry *set, struct sort_elements *elements) {
    struct set_walk walk;
    struct set_batch batch;
    set_walk_begin(&walk, set);
    while (set_walk_next(&walk, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
            add_name(elements, batch.members[i]);
        }
    }
}

static void add_member(void *context, const struct zset_member *member) {
    add_name(context, member->name);
}

int sort_elements_collect(const struct entry *entry, size_t from, size_t count, bool reverse,
                          struct sort_elements *elements) {
    *elements = (struct sort_elements){.size_max = NUM_I64_SIZE};
    if (count == 0) {
        return 0;
    }
    elements->at = mem_try_alloc(MEM_OTHER, count * sizeof *elements->at);
    if (elements->at == NULL) {
        return -ENOMEM;
    }
    elements->capacity = count;
    size_t length = sort_elements_length(entry);
    size_t first = reverse ? length - from - count : from;
    if (entry_type(entry) == ENTRY_LIST) {
        collect_list(entry, first, count, elements);
        if (reverse) {
            turn_around(elements);
        }
    } else if (entry_type(entry) == ENTRY_SET) {
        collect_set(entry, elements);
    } else {
        zset_visit(entry, (struct zset_span){first, count}, reverse, add_member, elements);
    }
    return 0;
}

void sort_elements_free(struct sort_elements *elements) {
    mem_free(MEM_OTHER, elements->at, elements->capacity * sizeof *elements->at);
}
