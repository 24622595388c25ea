/* option: how a module declares what can be configured.
 *
 * A module's header lists its options in an X-macro; from it come the fields of the module's
 * options struct and, in its .c file, the rows of a table. The module hands table and struct to the
 * registry once, at start-up. Whoever walks the registry (configuration file, CONFIG GET, SET,
 * REWRITE, the documentation) knows no module by name.
 *
 *     #define CLIENT_OPTIONS(X) \
 *         X(INT, client_max, "maxclients", "10000", 1, 1000000, NULL, 0, clients_apply_max, \
 *           "Connections at the same time.") \
 *         X(BOOL, protected_mode, "protected-mode", "yes", 0, 0, NULL, 0, NULL, "...")
 *     struct client_options { CLIENT_OPTIONS(OPTION_FIELD) };
 *
 *     static const struct option rows[] = {
 *     #define ROW(...) OPTION_ROW(struct client_options, __VA_ARGS__)
 *         CLIENT_OPTIONS(ROW)
 *     #undef ROW
 *     };
 *     options_register(options, rows, sizeof rows / sizeof rows[0], &module->options, module);
 *
 * Columns: kind, field, name, default as text, least, most, choices, flags, apply, description.
 *
 * Invariants:
 * 1. names are lower-case and unique over all modules;
 * 2. a field always holds a valid value: defaults go through the same parser as a user's text;
 * 3. a failed set changes nothing. */
#ifndef LARDER_BASE_OPTION_H
#define LARDER_BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"

enum option_kind {
    OPTION_KIND_BOOL,   /* yes / no */
    OPTION_KIND_INT,    /* decimal, within [least, most] */
    OPTION_KIND_OCTAL,  /* file permissions */
    OPTION_KIND_MEMORY, /* bytes with units, within [least, most] */
    OPTION_KIND_TEXT,   /* any text; the field owns a NUL-terminated copy (MEM_OTHER) */
    OPTION_KIND_CHOICE, /* one of `choices`, case folded; the field holds its value */
    OPTION_KIND_CUSTOM, /* `custom` parses and prints; the field is whatever it likes */
};

/* The C types of the fields. */
#define OPTION_TYPE_BOOL   bool
#define OPTION_TYPE_INT    int64_t
#define OPTION_TYPE_OCTAL  int64_t
#define OPTION_TYPE_MEMORY int64_t
#define OPTION_TYPE_TEXT   char *
#define OPTION_TYPE_CHOICE int
/* A CUSTOM option's field is an opaque pointer that only its functions touch. */
#define OPTION_TYPE_CUSTOM void *

enum option_flag {
    OPTION_IMMUTABLE = 1, /* only from file and command line */
    OPTION_SECRET = 2,    /* never logged */
    OPTION_REPEATS = 4,   /* CUSTOM, TEXT: several lines in the file add up (`bind`, `save`, ...) */
    OPTION_PROTECTED = 8, /* CONFIG SET only when enable-protected-configs allows it */
    OPTION_HIDDEN = 16,   /* CONFIG GET shows it only by its exact name */
    OPTION_ALWAYS = 64,   /* apply is called also when the value set is the one that was there */
    OPTION_PERCENT = 32,  /* MEMORY: "75%" is allowed and stored as a negative number, -75 */
};

struct option_choice {
    const char *name; /* NULL ends the list */
    int value;
};

/* How a CUSTOM option reads and prints. `set` gets the words of the new value, at least one; false
 * with *error set to a static text when they are wrong, and then nothing has changed. The words
 * always are the whole value: those of `name ""`, of CONFIG SET name "" and of the default "" are
 * one empty word; with OPTION_REPEATS, a line's words come behind those of the lines before it,
 * except that `name ""` starts anew. A default of NULL calls nothing. `get` appends the value's
 * text as CONFIG GET answers it; `set` must accept its words. `rewrite`, if any, appends whole
 * lines for CONFIG REWRITE.
 *
 * A TEXT that repeats holds all words with one space between. */
struct option_custom {
    bool (*set)(void *module, const struct bytes *words, int count, const char **error);
    void (*get)(void *module, struct buffer *out);
    void (*rewrite)(void *module, struct buffer *out);
};

/* Called after a value was changed at run time (not at start-up). False refuses the change, with
 * *error set to a static text; the registry puts the old value back and calls it again. */
typedef bool (*option_apply_fn)(void *module, const char **error);

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* of the field in the module's options struct */
    const char *initial;
    int64_t least;
    int64_t most;
    const void *extra; /* CHOICE: struct option_choice[]; CUSTOM: struct option_custom */
    unsigned flags;
    option_apply_fn apply;
    const char *description;
};

#define OPTION_FIELD(kind, field, ...) OPTION_TYPE_##kind field;
#define OPTION_ROW(type, kind_, field, name_, initial_, least_, most_, extra_, flags_, apply_,     \
                   description_)                                                                   \
    {.name = (name_),                                                                              \
     .kind = OPTION_KIND_##kind_,                                                                  \
     .offset = offsetof(type, field),                                                              \
     .initial = (initial_),                                                                        \
     .least = (least_),                                                                            \
     .most = (most_),                                                                              \
     .extra = (extra_),                                                                            \
     .flags = (flags_),                                                                            \
     .apply = (apply_),                                                                            \
     .description = (description_)},

struct options; /* the registry; main owns it */

struct options *options_new(void);
void options_free(struct options *options);

/* Adds a module's table and gives every field its default. `fields` and `rows` must outlive the
 * registry; `module` is what apply and custom functions get. Asserts that names are new and that
 * defaults are valid. */
void options_register(struct options *options, const struct option *rows, size_t count,
                      void *fields, void *module);

/* An old name for an option, accepted everywhere the new one is. Asserts that `name` exists. */
void options_alias(struct options *options, const char *alias, const char *name);

/* Sets one option at start-up (no apply call). Words are the line's words without the name. 0;
 * -ENOENT for an unknown name; -EINVAL with *error set to a text that is valid until the registry's
 * next error. */
int options_set(struct options *options, struct bytes name, const struct bytes *words, int count,
                const char **error);

/* Sets several options at run time as one: all or none; then calls each apply once, of those
 * options of which the value differs from before. `pairs` holds `count` >= 1 names, each with its
 * value behind. `protected_allowed`: whether OPTION_PROTECTED ones may change. On failure *which is
 * the index of the pair at fault (in pairs) and *error as above. 0, -ENOENT, -EINVAL, -EPERM
 * (immutable or protected), -EEXIST (named twice); the first pair at fault decides, bad values come
 * last. */
int options_change(struct options *options, const struct bytes *pairs, int count,
                   bool protected_allowed, int *which, const char **error);

/* The index of an option by any of its names (letters fold); -1 when unknown. Indexes run from 0 to
 * options_count() - 1 in order of registration and stay valid. */
int options_find(const struct options *options, struct bytes name);
int options_count(const struct options *options);
const struct option *options_row(const struct options *options, int index);

/* Appends the value as CONFIG GET answers it. */
void options_print(const struct options *options, int index, struct buffer *out);

/* Whether the value still is the default. */
bool options_is_default(const struct options *options, int index);

/* Appends the line or lines that would set the option in a file, with newlines. */
void options_print_lines(const struct options *options, int index, struct buffer *out);

/* Walks the aliases: `index` from 0; NULL ends. *target gets the option's index. */
const char *options_alias_at(const struct options *options, int index, int *target);

#endif
