/* acl_list: a list of texts, each with a number: patterns with rights, passwords, rules. Few, so an
 * array that is walked. */
#ifndef LARDER_FEATURE_ACL_LIST_H
#define LARDER_FEATURE_ACL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct acl_item {
    struct bytes text; /* owned */
    unsigned tag;
    bool is_prefix; /* as a pattern: `literal` bytes that stand for themselves, and a star */
    size_t literal;
};

/* Empty when zeroed. */
struct acl_list {
    struct acl_item *items;
    size_t count;
    size_t capacity;
};

void acl_list_clear(struct acl_list *list);
void acl_list_add(struct acl_list *list, struct bytes text, unsigned tag);
void acl_list_remove(struct acl_list *list, size_t index);
/* `list` must be empty. */
void acl_list_copy(struct acl_list *list, const struct acl_list *from);
/* The first item of that text; NULL when there is none. */
struct acl_item *acl_list_find(const struct acl_list *list, struct bytes text);

#endif
