/* acl_list: see the header. */
#include "feature/acl_list.h"

#include "base/glob.h"
#include "base/mem.h"

#define FIRST_CAPACITY 4

static void free_text(struct bytes text) {
    mem_free(MEM_FEATURE, (void *)(uintptr_t)text.at, text.size + 1);
}

void acl_list_clear(struct acl_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free_text(list->items[i].text);
    }
    mem_free(MEM_FEATURE, list->items, list->capacity * sizeof *list->items);
    *list = (struct acl_list){0};
}

void acl_list_add(struct acl_list *list, struct bytes text, unsigned tag) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? FIRST_CAPACITY : list->capacity * 2;
        list->items = mem_realloc(MEM_FEATURE, list->items, list->capacity * sizeof *list->items,
                                  capacity * sizeof *list->items);
        list->capacity = capacity;
    }
    char *copy = mem_copy_text(MEM_FEATURE, text.at, text.size);
    size_t literal = glob_literal_size(text);
    bool is_prefix = glob_matches_all(bytes_of(text.at + literal, text.size - literal));
    list->items[list->count++] = (struct acl_item){
        .text = bytes_of(copy, text.size), .tag = tag, .is_prefix = is_prefix, .literal = literal};
}

void acl_list_remove(struct acl_list *list, size_t index) {
    free_text(list->items[index].text);
    list->count--;
    memmove(list->items + index, list->items + index + 1,
            (list->count - index) * sizeof *list->items);
}

void acl_list_copy(struct acl_list *list, const struct acl_list *from) {
    for (size_t i = 0; i < from->count; i++) {
        acl_list_add(list, from->items[i].text, from->items[i].tag);
    }
}

struct acl_item *acl_list_find(const struct acl_list *list, struct bytes text) {
    for (size_t i = 0; i < list->count; i++) {
        if (bytes_equal(list->items[i].text, text)) {
            return &list->items[i];
        }
    }
    return NULL;
}
