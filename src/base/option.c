/* option: the registry of what can be configured.
 *
 * One entry for each option, in order of registration, found by walking: there are some two hundred
 * and nobody asks often. A value is parsed into a `struct option_slot`, which can hold a field of
 * any kind, and only then put into the field, so that a text that is wrong changes nothing.
 *
 *     text --parse--> [ slot ] --put--> module's field --print--> text
 *
 * Invariants:
 * 1. a TEXT field points to a copy that only the registry allocates and frees;
 * 2. `initial` is what the option printed right after it was registered;
 * 3. `gathered` holds the words, quoted, of all lines that have added up to the value of an
 *    OPTION_REPEATS option. */
#include "base/option.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/option_int.h"
#include "base/words.h"

struct alias {
    const char *name;
    int target;
};

struct options {
    struct option_entry *entries;
    int count;
    int capacity;
    struct alias *aliases;
    int alias_count;
    int alias_capacity;
    struct buffer message; /* an error text that is built, until the next one */
};

/* A text cut into words, with the memory that this takes. */
struct split {
    struct bytes *words;
    char *scratch;
    size_t size; /* of the text */
    int count;
};

static size_t split_max(size_t size) {
    return size / 2 + 1;
}

static void split_free(struct split *split) {
    mem_free(MEM_OTHER, split->words, split_max(split->size) * sizeof(struct bytes));
    mem_free(MEM_OTHER, split->scratch, split->size + 1);
}

/* Cuts a text as a line of the file would be; an empty one becomes one empty word, as `name ""`
 * does. */
static bool split_text(struct bytes text, struct split *split, const char **error) {
    split->size = text.size;
    split->words = mem_try_alloc(MEM_OTHER, split_max(text.size) * sizeof(struct bytes));
    split->scratch = mem_try_alloc(MEM_OTHER, text.size + 1);
    if (split->words == NULL || split->scratch == NULL) {
        *error = "out of memory";
        goto failed;
    }
    split->count = words_split(text, split->scratch, split->words, (int)split_max(text.size));
    if (split->count < 0) {
        *error = "Unbalanced quotes in configuration line";
        goto failed;
    }
    if (split->count == 0) {
        split->words[0] = bytes_of(split->scratch, 0);
        split->count = 1;
    }
    return true;
failed:
    split_free(split);
    return false;
}

/* Setting. */

/* Hands a text, as CONFIG GET answers it, to a custom option. */
static bool set_custom_text(const struct option_entry *entry, struct bytes text,
                            const char **error) {
    struct split split;
    if (!split_text(text, &split, error)) {
        return false;
    }
    bool good = option_custom_of(entry)->set(entry->module, split.words, split.count, error);
    split_free(&split);
    return good;
}

/* Adds a line's words to those of the lines before. A line of one empty word starts anew. */
static void gather(struct buffer *gathered, const struct bytes *words, int count) {
    if (count == 1 && words[0].size == 0) {
        gathered->size = 0;
        return;
    }
    for (int i = 0; i < count; i++) {
        if (gathered->size > 0) {
            buffer_append_byte(gathered, ' ');
        }
        buffer_append_quoted(gathered, words[i]);
    }
}

/* Sets a TEXT that repeats: all its words, one space between. */
static bool set_joined(struct options *options, struct option_entry *entry, struct bytes gathered,
                       const char **error) {
    struct split split;
    if (!split_text(gathered, &split, error)) {
        return false;
    }
    struct buffer joined;
    buffer_init(&joined, MEM_OTHER);
    for (int i = 0; i < split.count; i++) {
        buffer_append(&joined, " ", i > 0);
        buffer_append(&joined, split.words[i].at, split.words[i].size);
    }
    struct option_slot slot;
    bool good = option_parse(&options->message, entry->row, buffer_bytes(&joined), &slot, error);
    if (good) {
        option_swap(entry, &slot);
        option_slot_free(&slot);
    }
    buffer_clear(&joined);
    split_free(&split);
    return good;
}

static bool set_repeated(struct options *options, struct option_entry *entry,
                         const struct bytes *words, int count, const char **error) {
    struct buffer all;
    buffer_init(&all, MEM_OTHER);
    buffer_append(&all, entry->gathered.at, entry->gathered.size);
    gather(&all, words, count);
    bool good = entry->row->kind == OPTION_KIND_CUSTOM
                    ? set_custom_text(entry, buffer_bytes(&all), error)
                    : set_joined(options, entry, buffer_bytes(&all), error);
    if (good) {
        buffer_clear(&entry->gathered);
        entry->gathered = all;
    } else {
        buffer_clear(&all);
    }
    return good;
}

static bool set_words(struct options *options, struct option_entry *entry,
                      const struct bytes *words, int count, const char **error) {
    if ((entry->row->flags & OPTION_REPEATS) != 0 && count >= 1) {
        return set_repeated(options, entry, words, count, error);
    }
    if (entry->row->kind == OPTION_KIND_CUSTOM && count >= 1) {
        return option_custom_of(entry)->set(entry->module, words, count, error);
    }
    if (count != 1) {
        *error = "wrong number of arguments";
        return false;
    }
    struct option_slot slot;
    if (!option_parse(&options->message, entry->row, words[0], &slot, error)) {
        return false;
    }
    option_swap(entry, &slot);
    option_slot_free(&slot);
    return true;
}

int options_set(struct options *options, struct bytes name, const struct bytes *words, int count,
                const char **error) {
    int index = options_find(options, name);
    if (index < 0) {
        return -ENOENT;
    }
    *error = "argument is invalid";
    return set_words(options, &options->entries[index], words, count, error) ? 0 : -EINVAL;
}

/* Changing at run time: look at all pairs, set them all, then tell the modules; what fails half-way
 * is undone from the end. */

/* What one pair does and how to undo it. */
struct change {
    struct option_entry *entry;
    struct option_slot old; /* the value before, except CUSTOM's */
    struct buffer old_text; /* CUSTOM: the value before, as printed */
    bool differs;           /* from the value before */
};

/* Whether pair `at` names an option that may be changed, and that no pair before it names. */
static int change_find(const struct options *options, const struct bytes *pairs, int at,
                       bool protected_allowed, struct change *changes, const char **error) {
    int index = options_find(options, pairs[2 * at]);
    if (index < 0) {
        *error = "Unknown option";
        return -ENOENT;
    }
    struct option_entry *entry = &options->entries[index];
    if ((entry->row->flags & OPTION_IMMUTABLE) != 0) {
        *error = "can't set immutable config";
        return -EPERM;
    }
    if ((entry->row->flags & OPTION_PROTECTED) != 0 && !protected_allowed) {
        *error = "can't set protected config";
        return -EPERM;
    }
    for (int i = 0; i < at; i++) {
        if (changes[i].entry == entry) {
            *error = "duplicate parameter";
            return -EEXIST;
        }
    }
    changes[at].entry = entry;
    return 0;
}

/* Whether the field holds another value than the slot. */
static bool slot_differs(const struct option_entry *entry, const struct option_slot *slot) {
    const void *field = option_field(entry);
    switch (entry->row->kind) {
    case OPTION_KIND_BOOL:
        return *(const bool *)field != slot->boolean;
    case OPTION_KIND_TEXT:
        return strcmp(*(char *const *)field, slot->text) != 0;
    case OPTION_KIND_CHOICE:
        return *(const int *)field != (int)slot->number;
    default:
        return *(const int64_t *)field != slot->number;
    }
}

/* Sets the new value and keeps the old one. */
static bool change_do(struct options *options, struct change *change, struct bytes value,
                      const char **error) {
    struct option_entry *entry = change->entry;
    if (entry->row->kind != OPTION_KIND_CUSTOM) {
        if (!option_parse(&options->message, entry->row, value, &change->old, error)) {
            return false;
        }
        change->differs =
            (entry->row->flags & OPTION_ALWAYS) != 0 || slot_differs(entry, &change->old);
        option_swap(entry, &change->old);
        return true;
    }
    buffer_init(&change->old_text, MEM_OTHER);
    option_print(entry, &change->old_text);
    change->differs = true;
    if (!set_custom_text(entry, value, error)) {
        buffer_clear(&change->old_text);
        return false;
    }
    return true;
}

static void change_undo(struct change *change) {
    const struct option_entry *entry = change->entry;
    if (entry->row->kind == OPTION_KIND_CUSTOM) {
        /* What the option printed it accepts, unless memory has run out: then the new value stays,
         * which is valid too. */
        const char *ignored = NULL;
        (void)set_custom_text(entry, buffer_bytes(&change->old_text), &ignored);
    } else {
        option_swap(entry, &change->old);
    }
}

static void change_forget(struct change *change) {
    option_slot_free(&change->old);
    buffer_clear(&change->old_text);
}

/* Whether an earlier pair has the same function to call. */
static bool applied_before(const struct change *changes, int at) {
    for (int i = 0; i < at; i++) {
        if (changes[i].differs && changes[i].entry->row->apply == changes[at].entry->row->apply &&
            changes[i].entry->module == changes[at].entry->module) {
            return true;
        }
    }
    return false;
}

/* Calls each function of the first `count` changes once, in order. The index of the change that was
 * refused, or `count`. */
static int apply_all(const struct change *changes, int count, const char **error) {
    for (int i = 0; i < count; i++) {
        const struct option_entry *entry = changes[i].entry;
        if (changes[i].differs && entry->row->apply != NULL && !applied_before(changes, i) &&
            !entry->row->apply(entry->module, error)) {
            return i;
        }
    }
    return count;
}

/* Sets all and applies all, or nothing. */
static int change_all(struct options *options, struct change *changes, const struct bytes *pairs,
                      int count, int *which, const char **error) {
    int done = 0;
    while (done < count && change_do(options, &changes[done], pairs[2 * done + 1], error)) {
        done++;
    }
    int applied = done < count ? 0 : apply_all(changes, count, error);
    bool good = done == count && applied == count;
    if (!good) {
        *which = done < count ? done : applied;
        for (int i = done - 1; i >= 0; i--) {
            change_undo(&changes[i]);
        }
        if (done == count) {
            /* Who was called sees the old values again, the one that refused too. */
            const char *ignored = NULL;
            (void)apply_all(changes, applied + 1, &ignored);
        }
    }
    for (int i = 0; i < done; i++) {
        if (good) {
            buffer_clear(&changes[i].entry->gathered);
        }
        change_forget(&changes[i]);
    }
    return good ? 0 : -EINVAL;
}

int options_change(struct options *options, const struct bytes *pairs, int count,
                   bool protected_allowed, int *which, const char **error) {
    check(count >= 1);
    size_t size = (size_t)count * sizeof(struct change);
    struct change *changes = mem_try_alloc(MEM_OTHER, size);
    if (changes == NULL) {
        *which = 0;
        *error = "out of memory";
        return -EINVAL;
    }
    memset(changes, 0, size);
    int status = 0;
    for (int at = 0; at < count && status == 0; at++) {
        *which = at;
        status = change_find(options, pairs, at, protected_allowed, changes, error);
    }
    if (status == 0) {
        *error = "argument is invalid";
        status = change_all(options, changes, pairs, count, which, error);
    }
    mem_free(MEM_OTHER, changes, size);
    return status;
}

/* Registering. */

struct options *options_new(void) {
    struct options *options = mem_zalloc(MEM_OTHER, sizeof *options);
    buffer_init(&options->message, MEM_OTHER);
    return options;
}

void options_free(struct options *options) {
    if (options == NULL) {
        return;
    }
    for (int i = 0; i < options->count; i++) {
        struct option_entry *entry = &options->entries[i];
        if (entry->row->kind != OPTION_KIND_CUSTOM) {
            struct option_slot slot = {0};
            option_swap(entry, &slot);
            option_slot_free(&slot);
        }
        buffer_clear(&entry->initial);
        buffer_clear(&entry->gathered);
    }
    mem_free(MEM_OTHER, options->entries, (size_t)options->capacity * sizeof(struct option_entry));
    mem_free(MEM_OTHER, options->aliases, (size_t)options->alias_capacity * sizeof(struct alias));
    buffer_clear(&options->message);
    mem_free(MEM_OTHER, options, sizeof *options);
}

/* Makes room for one element more in an array of `size` bytes an element. */
static void *grow(void *at, int count, int *capacity, size_t size) {
    if (count < *capacity) {
        return at;
    }
    int more = *capacity == 0 ? 64 : *capacity * 2;
    at = mem_realloc(MEM_OTHER, at, (size_t)*capacity * size, (size_t)more * size);
    *capacity = more;
    return at;
}

static bool name_is_good(const struct options *options, const char *name) {
    if (name == NULL || name[0] == '\0' || options_find(options, bytes_text(name)) >= 0) {
        return false;
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (!(*at >= 'a' && *at <= 'z') && !(*at >= '0' && *at <= '9') && *at != '-' &&
            *at != '_') {
            return false;
        }
    }
    return true;
}

/* Gives the field its default by the way that a user's text takes. */
static void set_initial(struct options *options, struct option_entry *entry) {
    const struct option *row = entry->row;
    const char *error = NULL;
    if (row->kind == OPTION_KIND_CUSTOM) {
        check(row->extra != NULL);
        check(row->initial == NULL || set_custom_text(entry, bytes_text(row->initial), &error));
    } else {
        struct option_slot slot;
        check(row->kind != OPTION_KIND_CHOICE || row->extra != NULL);
        check((row->flags & OPTION_REPEATS) == 0 || row->kind == OPTION_KIND_TEXT);
        const char *initial = row->initial;
        if (row->kind == OPTION_KIND_TEXT && initial == NULL) {
            initial = "";
        }
        check(option_parse(&options->message, row, bytes_text(initial), &slot, &error));
        memset(option_field(entry), 0, option_field_size(row->kind));
        option_swap(entry, &slot);
    }
    option_print(entry, &entry->initial);
}

void options_register(struct options *options, const struct option *rows, size_t count,
                      void *fields, void *module) {
    for (size_t i = 0; i < count; i++) {
        check(name_is_good(options, rows[i].name));
        options->entries =
            grow(options->entries, options->count, &options->capacity, sizeof(struct option_entry));
        struct option_entry *entry = &options->entries[options->count];
        *entry = (struct option_entry){.row = &rows[i], .fields = fields, .module = module};
        buffer_init(&entry->initial, MEM_OTHER);
        buffer_init(&entry->gathered, MEM_OTHER);
        options->count++;
        set_initial(options, entry);
    }
}

void options_alias(struct options *options, const char *alias, const char *name) {
    int target = options_find(options, bytes_text(name));
    check(target >= 0 && name_is_good(options, alias));
    options->aliases = grow(options->aliases, options->alias_count, &options->alias_capacity,
                            sizeof(struct alias));
    options->aliases[options->alias_count++] = (struct alias){.name = alias, .target = target};
}

/* Telling. */

int options_find(const struct options *options, struct bytes name) {
    for (int i = 0; i < options->count; i++) {
        if (bytes_is(name, options->entries[i].row->name)) {
            return i;
        }
    }
    for (int i = 0; i < options->alias_count; i++) {
        if (bytes_is(name, options->aliases[i].name)) {
            return options->aliases[i].target;
        }
    }
    return -1;
}

int options_count(const struct options *options) {
    return options->count;
}

static const struct option_entry *entry_at(const struct options *options, int index) {
    check(index >= 0 && index < options->count);
    return &options->entries[index];
}

const struct option *options_row(const struct options *options, int index) {
    return entry_at(options, index)->row;
}

void options_print(const struct options *options, int index, struct buffer *out) {
    option_print(entry_at(options, index), out);
}

bool options_is_default(const struct options *options, int index) {
    const struct option_entry *entry = entry_at(options, index);
    struct buffer now;
    buffer_init(&now, MEM_OTHER);
    option_print(entry, &now);
    bool same = bytes_equal(buffer_bytes(&now), buffer_bytes(&entry->initial));
    buffer_clear(&now);
    return same;
}

/* Appends a word as words_split reads it back. */
static void print_word(struct buffer *out, struct bytes word) {
    bool plain = word.size > 0;
    for (size_t i = 0; i < word.size; i++) {
        char c = word.at[i];
        plain = plain && c > ' ' && c <= '~' && c != '"' && c != '\'';
    }
    if (plain) {
        buffer_append(out, word.at, word.size);
    } else {
        buffer_append_quoted(out, word);
    }
}

/* Appends each word of a text that has a space between any two. */
static void print_words(struct buffer *out, struct bytes text) {
    while (text.size > 0) {
        const char *space = memchr(text.at, ' ', text.size);
        size_t size = space == NULL ? text.size : (size_t)(space - text.at);
        print_word(out, bytes_of(text.at, size));
        if (space == NULL) {
            return;
        }
        buffer_append_byte(out, ' ');
        text = bytes_of(space + 1, text.size - size - 1);
    }
}

void options_print_lines(const struct options *options, int index, struct buffer *out) {
    const struct option_entry *entry = entry_at(options, index);
    const struct option *row = entry->row;
    if (row->kind == OPTION_KIND_CUSTOM && option_custom_of(entry)->rewrite != NULL) {
        option_custom_of(entry)->rewrite(entry->module, out);
        return;
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    int64_t bytes = row->kind == OPTION_KIND_MEMORY ? *(const int64_t *)option_field(entry) : -1;
    if (bytes >= 0) {
        char size[24];
        num_format_memory(size, (uint64_t)bytes);
        buffer_append_text(&text, size);
    } else {
        option_print(entry, &text);
    }
    buffer_append_text(out, row->name);
    buffer_append_byte(out, ' ');
    bool many = row->kind == OPTION_KIND_CUSTOM || (row->flags & OPTION_REPEATS) != 0;
    if (many && text.size > 0) {
        print_words(out, buffer_bytes(&text));
    } else {
        print_word(out, buffer_bytes(&text));
    }
    buffer_append_byte(out, '\n');
    buffer_clear(&text);
}

const char *options_alias_at(const struct options *options, int index, int *target) {
    if (index < 0 || index >= options->alias_count) {
        return NULL;
    }
    *target = options->aliases[index].target;
    return options->aliases[index].name;
}
