/* config_hint: the values that an option takes, and the name that was probably meant. Names are
 * compared by Levenshtein's distance: how many letters must be inserted, removed or replaced. */
#include "server/config_hint.h"

#include <stddef.h>

/* Longer names are not guessed at. */
#define NAME_MAX_SIZE 64

static void append_choices(const struct option_choice *choices, struct buffer *out) {
    for (int i = 0; choices[i].name != NULL; i++) {
        buffer_printf(out, "%s%s", i == 0 ? "" : "|", choices[i].name);
    }
}

static void append_memory(const struct option *row, struct buffer *out) {
    buffer_append_text(out, "<bytes, or with a unit: 64kb, 100mb, 1gb>");
    if ((row->flags & OPTION_PERCENT) != 0) {
        buffer_append_text(out, " or <percentage: 75%>");
    }
    if (row->least > 0) {
        buffer_printf(out, ", at least %lld", (long long)row->least);
    }
}

void config_hint_values(const struct option *row, struct buffer *out) {
    buffer_printf(out, "Expected: %s ", row->name);
    switch (row->kind) {
    case OPTION_KIND_BOOL:
        buffer_append_text(out, "yes|no");
        break;
    case OPTION_KIND_INT:
        buffer_printf(out, "<%lld to %lld>", (long long)row->least, (long long)row->most);
        break;
    case OPTION_KIND_OCTAL:
        buffer_append_text(out, "<permissions in octal, such as 700>");
        break;
    case OPTION_KIND_MEMORY:
        append_memory(row, out);
        break;
    case OPTION_KIND_TEXT:
        buffer_append_text(out, "<text, in quotes if it is empty or holds spaces>");
        break;
    case OPTION_KIND_CHOICE:
        append_choices(row->extra, out);
        break;
    case OPTION_KIND_CUSTOM: {
        const char *initial = row->initial == NULL ? "" : row->initial;
        buffer_printf(out, "values like the default: %s", initial[0] == '\0' ? "\"\"" : initial);
        break;
    }
    }
    buffer_append_byte(out, '\n');
}

static char folded(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t least_of(size_t a, size_t b, size_t c) {
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Both are at most NAME_MAX_SIZE long. */
static size_t distance(struct bytes a, struct bytes b) {
    /* One row of the matrix: row[j] is the distance of the first i letters of a from the first j of
     * b. */
    size_t row[NAME_MAX_SIZE + 1];
    for (size_t j = 0; j <= b.size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t above = row[j];
            size_t replaced = diagonal + (folded(a.at[i - 1]) != b.at[j - 1]);
            row[j] = least_of(replaced, above + 1, row[j - 1] + 1);
            diagonal = above;
        }
    }
    return row[b.size];
}

struct guess {
    struct bytes wanted;
    const char *best;
    size_t distance;
};

static void consider(struct guess *guess, const char *name) {
    struct bytes candidate = bytes_text(name);
    if (candidate.size > NAME_MAX_SIZE) {
        return;
    }
    size_t far = distance(guess->wanted, candidate);
    if (far < guess->distance) {
        guess->distance = far;
        guess->best = name;
    }
}

void config_hint_name(const struct options *options, struct bytes name, struct buffer *out) {
    if (name.size > NAME_MAX_SIZE) {
        return;
    }
    /* A third of the letters wrong, and three at most, is still a slip. */
    size_t limit = name.size / 3 < 3 ? name.size / 3 : 3;
    struct guess guess = {.wanted = name, .distance = limit + 1};
    for (int i = 0; i < options_count(options); i++) {
        consider(&guess, options_row(options, i)->name);
    }
    int target;
    const char *alias;
    for (int i = 0; (alias = options_alias_at(options, i, &target)) != NULL; i++) {
        consider(&guess, alias);
    }
    if (guess.best != NULL) {
        buffer_printf(out, "Did you mean '%s'?\n", guess.best);
    }
}
