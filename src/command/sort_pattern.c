/* sort_pattern: see the header. */
#include "command/sort_pattern.h"

#include <string.h>

#include "base/mem.h"
#include "types/hash.h"
#include "types/string.h"

/* Where "->" begins, or NULL. */
static const char *find_arrow(struct bytes text) {
    return text.size < 2 ? NULL : memmem(text.at, text.size, "->", 2);
}

struct sort_pattern sort_pattern_parse(struct bytes text) {
    struct sort_pattern pattern = {.is_element = text.size == 1 && text.at[0] == '#'};
    const char *star = text.size > 0 ? memchr(text.at, '*', text.size) : NULL;
    if (star == NULL) {
        return pattern;
    }
    pattern.has_star = true;
    pattern.prefix = bytes_of(text.at, (size_t)(star - text.at));
    pattern.suffix = bytes_of(star + 1, text.size - pattern.prefix.size - 1);
    const char *arrow = find_arrow(pattern.suffix);
    /* An arrow at the very end is part of the key's name. */
    if (arrow != NULL && arrow + 2 < text.at + text.size) {
        pattern.field = bytes_of(arrow + 2, (size_t)(text.at + text.size - arrow - 2));
        pattern.suffix.size = (size_t)(arrow - pattern.suffix.at);
    }
    return pattern;
}

bool sort_name_reserve(struct sort_name *name, const struct sort_pattern *pattern, size_t size) {
    size_t capacity = pattern->prefix.size + size + pattern->suffix.size + 1;
    if (capacity > name->capacity) {
        char *at = mem_try_realloc(MEM_OTHER, name->at, name->capacity, capacity);
        if (at == NULL) {
            return false;
        }
        name->at = at;
        name->capacity = capacity;
    }
    return true;
}

void sort_name_free(struct sort_name *name) {
    mem_free(MEM_OTHER, name->at, name->capacity);
}

static char *append(char *at, struct bytes text) {
    if (text.size > 0) {
        memcpy(at, text.at, text.size);
    }
    return at + text.size;
}

static struct bytes make_name(const struct sort_name *name, const struct sort_pattern *pattern,
                              struct bytes element) {
    char *end = append(append(append(name->at, pattern->prefix), element), pattern->suffix);
    check((size_t)(end - name->at) <= name->capacity);
    return bytes_of(name->at, (size_t)(end - name->at));
}

static bool found_string(const struct entry *entry, struct sort_found *found) {
    if (entry_type(entry) != ENTRY_STRING) {
        return false;
    }
    found->text = string_bytes(entry, found->scratch);
    if (entry_encoding(entry) == ENTRY_BLOB) {
        found->blob = entry_pointer(entry);
    }
    return true;
}

static bool found_field(const struct call *call, const struct entry *entry, struct bytes field,
                        struct sort_found *found) {
    struct hash_value value;
    if (entry_type(entry) != ENTRY_HASH ||
        !hash_get(entry, element_name_of(field), call->now_ms, &value)) {
        return false;
    }
    found->text = value.text;
    found->blob = value.blob;
    if (value.text.at == value.scratch) {
        memcpy(found->scratch, value.scratch, value.text.size);
        found->text.at = found->scratch;
    }
    return true;
}

bool sort_pattern_find(struct call *call, const struct sort_pattern *pattern, struct bytes element,
                       const struct sort_name *name, struct sort_found *found) {
    found->blob = NULL;
    if (pattern->is_element) {
        found->text = element;
        return true;
    }
    if (!pattern->has_star) {
        return false;
    }
    struct key key =
        keyspace_key(call->keyspace, call->database, make_name(name, pattern, element));
    struct entry *entry = keyspace_read(call->keyspace, &key);
    if (entry == NULL) {
        return false;
    }
    return pattern->field.size > 0 ? found_field(call, entry, pattern->field, found)
                                   : found_string(entry, found);
}
