/* option_int: an option's value by its kind: from text into a slot, between slot and field, and
 * back to text (option_value.c). The registry is option.c. */
#ifndef LARDER_BASE_OPTION_INT_H
#define LARDER_BASE_OPTION_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/option.h"

struct option_entry {
    const struct option *row;
    void *fields;
    void *module;
    struct buffer initial;
    struct buffer gathered;
};

/* A value of any kind but CUSTOM, outside its field. */
struct option_slot {
    bool boolean;
    int64_t number; /* INT, OCTAL, MEMORY, and CHOICE's value */
    char *text;     /* owned */
};

/* Parses a word for a row of any kind but CUSTOM. False with *error set to a static text or to one
 * built in `message`. */
bool option_parse(struct buffer *message, const struct option *row, struct bytes word,
                  struct option_slot *slot, const char **error);

/* Exchanges the field's value with the slot's. */
void option_swap(const struct option_entry *entry, struct option_slot *slot);
void option_slot_free(struct option_slot *slot);

void *option_field(const struct option_entry *entry);
size_t option_field_size(enum option_kind kind);
const struct option_custom *option_custom_of(const struct option_entry *entry);

/* Appends the value as CONFIG GET answers it. */
void option_print(const struct option_entry *entry, struct buffer *out);

#endif
