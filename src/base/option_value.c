/* option_value: parsing, printing and exchanging the values of options, by their kind. */
#include "base/option_int.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"

/* Parsing a word into a slot. */

static bool parse_bool(struct bytes word, struct option_slot *slot, const char **error) {
    slot->boolean = bytes_is(word, "yes");
    if (!slot->boolean && !bytes_is(word, "no")) {
        *error = "argument must be 'yes' or 'no'";
        return false;
    }
    return true;
}

/* Whether the number is within the row's bounds. */
static bool in_bounds(struct buffer *message, const struct option *row, int64_t number,
                      const char **error) {
    if (number >= row->least && number <= row->most) {
        return true;
    }
    message->size = 0;
    buffer_printf(message,
                  row->kind == OPTION_KIND_OCTAL
                      ? "argument must be between %llo and %llo inclusive"
                      : "argument must be between %lld and %lld inclusive",
                  (long long)row->least, (long long)row->most);
    *error = buffer_text(message);
    return false;
}

static bool parse_int(struct buffer *message, const struct option *row, struct bytes word,
                      struct option_slot *slot, const char **error) {
    if (!num_parse_i64(word, &slot->number)) {
        *error = "argument couldn't be parsed into an integer";
        return false;
    }
    return in_bounds(message, row, slot->number, error);
}

static bool parse_octal(struct buffer *message, const struct option *row, struct bytes word,
                        struct option_slot *slot, const char **error) {
    /* 20 digits of three bits are less than 63 bits: no overflow. */
    bool good = word.size > 0 && word.size <= 20;
    slot->number = 0;
    for (size_t i = 0; good && i < word.size; i++) {
        good = word.at[i] >= '0' && word.at[i] <= '7';
        slot->number = slot->number * 8 + (word.at[i] - '0');
    }
    if (!good) {
        *error = "argument couldn't be parsed as an octal number";
        return false;
    }
    return in_bounds(message, row, slot->number, error);
}

static bool parse_memory(struct buffer *message, const struct option *row, struct bytes word,
                         struct option_slot *slot, const char **error) {
    bool percent_allowed = (row->flags & OPTION_PERCENT) != 0;
    uint64_t number;
    if (percent_allowed && word.size > 1 && word.at[word.size - 1] == '%' &&
        num_parse_u64(bytes_of(word.at, word.size - 1), &number)) {
        if (number > 100) {
            *error = "percentage argument must be less or equal to 100";
            return false;
        }
        slot->number = -(int64_t)number;
        return true;
    }
    if (!num_parse_memory(word, &number)) {
        *error = percent_allowed ? "argument must be a memory or percent value"
                                 : "argument must be a memory value";
        return false;
    }
    /* Beyond the type is beyond any bound. */
    slot->number = number > INT64_MAX ? -1 : (int64_t)number;
    return in_bounds(message, row, slot->number, error);
}

static bool parse_choice(struct buffer *message, const struct option *row, struct bytes word,
                         struct option_slot *slot, const char **error) {
    const struct option_choice *choices = row->extra;
    for (int i = 0; choices[i].name != NULL; i++) {
        if (bytes_is(word, choices[i].name)) {
            slot->number = choices[i].value;
            return true;
        }
    }
    message->size = 0;
    buffer_append_text(message, "argument(s) must be one of the following: ");
    for (int i = 0; choices[i].name != NULL; i++) {
        buffer_printf(message, "%s%s", i == 0 ? "" : ", ", choices[i].name);
    }
    *error = buffer_text(message);
    return false;
}

static bool parse_text(struct bytes word, struct option_slot *slot, const char **error) {
    if (word.size > 0 && memchr(word.at, '\0', word.size) != NULL) {
        *error = "argument must not contain a NUL byte";
        return false;
    }
    slot->text = mem_try_alloc(MEM_OTHER, word.size + 1);
    if (slot->text == NULL) {
        *error = "out of memory";
        return false;
    }
    if (word.size > 0) {
        memcpy(slot->text, word.at, word.size);
    }
    slot->text[word.size] = '\0';
    return true;
}

bool option_parse(struct buffer *message, const struct option *row, struct bytes word,
                  struct option_slot *slot, const char **error) {
    *slot = (struct option_slot){0};
    switch (row->kind) {
    case OPTION_KIND_BOOL:
        return parse_bool(word, slot, error);
    case OPTION_KIND_INT:
        return parse_int(message, row, word, slot, error);
    case OPTION_KIND_OCTAL:
        return parse_octal(message, row, word, slot, error);
    case OPTION_KIND_MEMORY:
        return parse_memory(message, row, word, slot, error);
    case OPTION_KIND_TEXT:
        return parse_text(word, slot, error);
    case OPTION_KIND_CHOICE:
        return parse_choice(message, row, word, slot, error);
    case OPTION_KIND_CUSTOM:
        break;
    }
    check(!"a custom option has no slot");
    return false;
}

/* Between slot and field. */

void *option_field(const struct option_entry *entry) {
    return (char *)entry->fields + entry->row->offset;
}

size_t option_field_size(enum option_kind kind) {
    static const size_t sizes[] = {
        [OPTION_KIND_BOOL] = sizeof(OPTION_TYPE_BOOL),
        [OPTION_KIND_INT] = sizeof(OPTION_TYPE_INT),
        [OPTION_KIND_OCTAL] = sizeof(OPTION_TYPE_OCTAL),
        [OPTION_KIND_MEMORY] = sizeof(OPTION_TYPE_MEMORY),
        [OPTION_KIND_TEXT] = sizeof(OPTION_TYPE_TEXT),
        [OPTION_KIND_CHOICE] = sizeof(OPTION_TYPE_CHOICE),
        [OPTION_KIND_CUSTOM] = sizeof(OPTION_TYPE_CUSTOM),
    };
    return sizes[kind];
}

void option_swap(const struct option_entry *entry, struct option_slot *slot) {
    struct option_slot old = {0};
    void *field = option_field(entry);
    switch (entry->row->kind) {
    case OPTION_KIND_BOOL:
        old.boolean = *(bool *)field;
        *(bool *)field = slot->boolean;
        break;
    case OPTION_KIND_INT:
    case OPTION_KIND_OCTAL:
    case OPTION_KIND_MEMORY:
        old.number = *(int64_t *)field;
        *(int64_t *)field = slot->number;
        break;
    case OPTION_KIND_TEXT:
        old.text = *(char **)field;
        *(char **)field = slot->text;
        break;
    case OPTION_KIND_CHOICE:
        old.number = *(int *)field;
        *(int *)field = (int)slot->number;
        break;
    case OPTION_KIND_CUSTOM:
        break;
    }
    *slot = old;
}

void option_slot_free(struct option_slot *slot) {
    if (slot->text != NULL) {
        mem_free(MEM_OTHER, slot->text, strlen(slot->text) + 1);
        slot->text = NULL;
    }
}

const struct option_custom *option_custom_of(const struct option_entry *entry) {
    return entry->row->extra;
}

void option_print(const struct option_entry *entry, struct buffer *out) {
    const struct option *row = entry->row;
    const void *field = option_field(entry);
    switch (row->kind) {
    case OPTION_KIND_BOOL:
        buffer_append_text(out, *(const bool *)field ? "yes" : "no");
        break;
    case OPTION_KIND_INT:
        buffer_printf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case OPTION_KIND_OCTAL:
        buffer_printf(out, "%llo", (unsigned long long)*(const int64_t *)field);
        break;
    case OPTION_KIND_MEMORY: {
        int64_t bytes = *(const int64_t *)field;
        if (bytes < 0) {
            buffer_printf(out, "%lld%%", (long long)-bytes);
        } else {
            buffer_printf(out, "%lld", (long long)bytes);
        }
        break;
    }
    case OPTION_KIND_TEXT:
        buffer_append_text(out, *(char *const *)field);
        break;
    case OPTION_KIND_CHOICE: {
        const struct option_choice *choice = row->extra;
        while (choice->name != NULL && choice->value != *(const int *)field) {
            choice++;
        }
        buffer_append_text(out, choice->name == NULL ? "unknown" : choice->name);
        break;
    }
    case OPTION_KIND_CUSTOM:
        option_custom_of(entry)->get(entry->module, out);
        break;
    }
}
