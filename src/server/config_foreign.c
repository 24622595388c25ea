/* config_foreign: makes rows of the registry from the table in config_foreign_table.c when the
 * program starts, and judges what is given by the promises in config_promise.c.
 *
 *     specs[i]  ->  rows[i], offset i * 8  ->  values[i], 8 bytes: bool, int64_t, int or char *
 *
 * Each row's module is its directive, so that a change at run time knows what it is about. One
 * directive has a grammar of its own and is a CUSTOM option; its text is kept here. */
#include "server/config_foreign.h"

#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"
#include "server/config_foreign_int.h"

#define DESCRIPTION "Accepted for the sake of configurations written for Redis; has no effect."

/* Numbers of one directive: no sensible line has more. */
#define NUMBERS_MAX 256

union value {
    bool boolean;
    int64_t number;
    int choice;
    char *text;
    void *custom;
};

/* What a row's functions get. */
struct directive {
    struct foreign *foreign;
    const struct promise *promise; /* or NULL */
    int index;                     /* in the registry; -1: a module has taken the name */
};

struct foreign {
    struct options *options;
    size_t count;
    struct option *rows;
    union value *values;
    struct directive *directives;
    struct buffer texts[FOREIGN_CUSTOMS];
    struct buffer message; /* why a change was refused, until the next one */
};

/* Custom options: module is the struct directive. */

static void text_set(struct foreign *foreign, enum foreign_custom which,
                     const struct buffer *text) {
    struct buffer *kept = &foreign->texts[which];
    kept->size = 0;
    buffer_append(kept, text->at, text->size);
}

static void text_get(const struct foreign *foreign, enum foreign_custom which, struct buffer *out) {
    buffer_append(out, foreign->texts[which].at, foreign->texts[which].size);
}

/* Reads decimal numbers from words, each of which may hold several. The
 * number of numbers, or -1. */
static int read_numbers(const struct bytes *words, int count, int64_t *numbers) {
    int found = 0;
    for (int i = 0; i < count; i++) {
        struct bytes rest = words[i];
        while (rest.size > 0) {
            const char *space = memchr(rest.at, ' ', rest.size);
            size_t size = space == NULL ? rest.size : (size_t)(space - rest.at);
            if (found == NUMBERS_MAX || !num_parse_i64(bytes_of(rest.at, size), &numbers[found])) {
                return -1;
            }
            found++;
            size += space != NULL;
            rest = bytes_of(rest.at + size, rest.size - size);
        }
    }
    return found;
}

static void keep_numbers(struct foreign *foreign, enum foreign_custom which, const int64_t *numbers,
                         int count) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    for (int i = 0; i < count; i++) {
        buffer_printf(&text, "%s%lld", i == 0 ? "" : " ", (long long)numbers[i]);
    }
    text_set(foreign, which, &text);
    buffer_clear(&text);
}

/* How many parts there are between spaces, numbers or not. */
static int count_parts(const struct bytes *words, int count) {
    int parts = 0;
    for (int i = 0; i < count; i++) {
        for (size_t j = 0; j < words[i].size; j++) {
            parts += words[i].at[j] != ' ' && (j == 0 || words[i].at[j - 1] == ' ');
        }
    }
    return parts;
}

static bool adjustments_set(void *module, const struct bytes *words, int count,
                            const char **error) {
    int64_t numbers[NUMBERS_MAX];
    /* How many there are is asked before what they are. */
    if (count_parts(words, count) != 3) {
        *error = "wrong number of arguments";
        return false;
    }
    int found = read_numbers(words, count, numbers);
    for (int i = 0; i < 3; i++) {
        if (found != 3 || numbers[i] < -2000 || numbers[i] > 2000) {
            *error = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
            return false;
        }
    }
    keep_numbers(((struct directive *)module)->foreign, FOREIGN_ADJUSTMENTS, numbers, found);
    return true;
}

static void adjustments_get(void *module, struct buffer *out) {
    text_get(((const struct directive *)module)->foreign, FOREIGN_ADJUSTMENTS, out);
}

static const struct option_custom customs[FOREIGN_CUSTOMS] = {
    [FOREIGN_ADJUSTMENTS] = {.set = adjustments_set, .get = adjustments_get},
};

/* Promises. */

/* The promise that the directive makes with the value that it has, or NULL. */
static const struct promise *promise_made(const struct directive *directive) {
    const struct promise *promise = directive->promise;
    if (promise == NULL || directive->index < 0 || promise->harmless == NULL) {
        return NULL;
    }
    struct buffer now;
    buffer_init(&now, MEM_OTHER);
    options_print(directive->foreign->options, directive->index, &now);
    bool is_harmless = bytes_is(buffer_bytes(&now), promise->harmless);
    buffer_clear(&now);
    return is_harmless ? NULL : promise;
}

/* What is only warned about at the start is refused later: somebody is there to read the answer. */
static bool apply(void *module, const char **error) {
    const struct directive *directive = module;
    const struct promise *promise = promise_made(directive);
    if (promise == NULL) {
        return true;
    }
    struct buffer *message = &directive->foreign->message;
    message->size = 0;
    buffer_printf(message, "%s %s", promise->name, promise->reason);
    *error = buffer_text(message);
    return false;
}

const char *foreign_refusal(const struct foreign *foreign, const struct option *row) {
    const struct promise *promise = promise_made(&foreign->directives[row - foreign->rows]);
    return promise != NULL && promise->is_refused ? promise->reason : NULL;
}

const char *foreign_warning(const struct foreign *foreign, const struct option *row) {
    const struct promise *promise = promise_made(&foreign->directives[row - foreign->rows]);
    return promise != NULL ? promise->reason : NULL;
}

/* Registering. */

static void register_spec(struct foreign *foreign, size_t i, const struct foreign_spec *spec) {
    struct options *options = foreign->options;
    struct directive *directive = &foreign->directives[i];
    *directive = (struct directive){.foreign = foreign, .index = -1};
    if (options_find(options, bytes_text(spec->name)) >= 0) {
        return;
    }
    directive->promise = promise_find(bytes_text(spec->name));
    bool is_custom = spec->kind == OPTION_KIND_CUSTOM;
    foreign->rows[i] =
        (struct option){.name = spec->name,
                        .kind = spec->kind,
                        .offset = i * sizeof *foreign->values,
                        .initial = spec->initial,
                        .least = spec->least,
                        .most = spec->most,
                        .extra = is_custom ? (const void *)&customs[spec->custom] : spec->extra,
                        .flags = spec->flags,
                        .apply = directive->promise != NULL ? apply : NULL,
                        .description = DESCRIPTION};
    options_register(options, &foreign->rows[i], 1, foreign->values, directive);
    directive->index = options_count(options) - 1;
}

struct foreign *foreign_new(struct options *options) {
    size_t count;
    const struct foreign_spec *specs = foreign_specs(&count);
    struct foreign *foreign = mem_zalloc(MEM_OTHER, sizeof *foreign);
    foreign->options = options;
    foreign->count = count;
    foreign->rows = mem_zalloc(MEM_OTHER, count * sizeof *foreign->rows);
    foreign->values = mem_zalloc(MEM_OTHER, count * sizeof *foreign->values);
    foreign->directives = mem_zalloc(MEM_OTHER, count * sizeof *foreign->directives);
    buffer_init(&foreign->message, MEM_OTHER);
    for (int i = 0; i < FOREIGN_CUSTOMS; i++) {
        buffer_init(&foreign->texts[i], MEM_OTHER);
    }
    for (size_t i = 0; i < count; i++) {
        register_spec(foreign, i, &specs[i]);
    }
    const struct foreign_old_name *names = foreign_old_names(&count);
    for (size_t i = 0; i < count; i++) {
        if (options_find(options, bytes_text(names[i].old)) < 0 &&
            options_find(options, bytes_text(names[i].name)) >= 0) {
            options_alias(options, names[i].old, names[i].name);
        }
    }
    return foreign;
}

void foreign_free(struct foreign *foreign) {
    if (foreign == NULL) {
        return;
    }
    for (int i = 0; i < FOREIGN_CUSTOMS; i++) {
        buffer_clear(&foreign->texts[i]);
    }
    buffer_clear(&foreign->message);
    mem_free(MEM_OTHER, foreign->directives, foreign->count * sizeof *foreign->directives);
    mem_free(MEM_OTHER, foreign->values, foreign->count * sizeof *foreign->values);
    mem_free(MEM_OTHER, foreign->rows, foreign->count * sizeof *foreign->rows);
    mem_free(MEM_OTHER, foreign, sizeof *foreign);
}

bool foreign_has(const struct foreign *foreign, const struct option *row) {
    return row >= foreign->rows && row < foreign->rows + foreign->count;
}

bool foreign_is_line(struct bytes name) {
    size_t count;
    const struct foreign_line *lines = foreign_lines(&count);
    for (size_t i = 0; i < count; i++) {
        struct bytes start = name;
        size_t size = strlen(lines[i].name);
        if (lines[i].is_prefix && start.size > size) {
            start.size = size;
        }
        if (bytes_is(start, lines[i].name)) {
            return true;
        }
    }
    return false;
}

const char *foreign_line_refusal(struct bytes name) {
    const struct promise *promise = promise_find(name);
    return promise != NULL && promise->harmless == NULL && promise->is_refused ? promise->reason
                                                                               : NULL;
}

const char *foreign_line_warning(struct bytes name) {
    const struct promise *promise = promise_find(name);
    return promise != NULL && promise->harmless == NULL ? promise->reason : NULL;
}
