/* sort_pattern: what SORT's BY and GET name: a key that is made of a pattern and an element.
 *
 *     weight_*            the string under weight_ELEMENT
 *     object_*->field     the field of the hash under object_ELEMENT
 *     #                   the element itself
 *
 * Without an asterisk nothing is found. */
#ifndef LARDER_COMMAND_SORT_PATTERN_H
#define LARDER_COMMAND_SORT_PATTERN_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/num.h"
#include "call/call.h"

struct sort_pattern {
    bool is_element; /* # */
    bool has_star;
    struct bytes prefix; /* in front of the asterisk */
    struct bytes suffix; /* behind it, without the field */
    struct bytes field;  /* empty: a string is looked for */
};

struct sort_pattern sort_pattern_parse(struct bytes text);

/* Where keys' names are made: reserved once, for the longest of them, because its size is a
 * client's choice. */
struct sort_name {
    char *at;
    size_t capacity;
};

/* Room for the pattern with an element of up to `size` bytes. False when there is no memory. */
bool sort_name_reserve(struct sort_name *name, const struct sort_pattern *pattern, size_t size);
void sort_name_free(struct sort_name *name);

/* What was found. The text is valid until the keyspace changes, and the struct must not be
 * copied. */
struct sort_found {
    struct bytes text;
    struct blob *blob; /* that holds the text, or NULL */
    char scratch[NUM_I64_SIZE];
};

/* What the pattern names for an element; false when there is nothing. */
bool sort_pattern_find(struct call *call, const struct sort_pattern *pattern, struct bytes element,
                       const struct sort_name *name, struct sort_found *found);

#endif
