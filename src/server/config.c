/* config: reading. A source (a file, standard input, the command line) gives lines; a line is cut
 * into words and goes to the options, to a handler, or to another source (include).
 *
 * Bounds: a source has CONFIG_SIZE_MAX bytes, a line CONFIG_WORDS_MAX words, includes are nested
 * INCLUDE_DEPTH_MAX deep, so that a file that includes itself ends with an error. */
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/words.h"
#include "call/control.h"
#include "server/config.h"
#include "server/config_hint.h"
#include "server/config_int.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INCLUDE_DEPTH_MAX 16

/* What glob takes for a pattern. */
#define PATTERN_LETTERS "*?["

/* Redis's words for a line that it cannot make sense of. */
#define BAD_LINE "Bad directive or wrong number of arguments"

/* Where a line comes from. */
struct source {
    struct config *config;
    struct buffer *problem;
    const char *name; /* of the file; NULL: the command line */
    int line;         /* from 1 */
    int depth;        /* of includes */
    bool is_main;     /* the file that is rewritten, or included by it */
};

/* Errors. */

const struct config_handler *config_handler_of(const struct config *config, struct bytes name) {
    for (int i = 0; i < config->handler_count; i++) {
        if (bytes_is(name, config->handlers[i].name)) {
            return &config->handlers[i];
        }
    }
    return NULL;
}

/* Whether the values of a line are nobody's business. `index`: its option's, or -1. */
static bool is_secret(const struct config *config, int index, const struct bytes *words,
                      int count) {
    if (index >= 0) {
        return (options_row(config->options, index)->flags & OPTION_SECRET) != 0;
    }
    const struct config_handler *handler = count > 0 ? config_handler_of(config, words[0]) : NULL;
    return handler != NULL && handler->print != NULL;
}

static bool has_late_comment(const struct bytes *words, int count) {
    for (int i = 1; i < count; i++) {
        if (words[i].size > 0 && words[i].at[0] == '#') {
            return true;
        }
    }
    return false;
}

/* Reports a line that is wrong. words[0] is its name; `index` its option's, or -1. Always -1. */
static int report(const struct source *source, struct bytes line, const struct bytes *words,
                  int count, int index, const char *reason) {
    const struct options *options = source->config->options;
    struct buffer *out = source->problem;
    buffer_printf(out, "\n*** FATAL CONFIG FILE ERROR (Larder %s) ***\n", LARDER_VERSION);
    if (source->name == NULL) {
        buffer_append_text(out, "Reading the command line\n");
    } else {
        buffer_printf(out, "Reading the configuration file, at line %d of %s\n", source->line,
                      source->name);
    }
    buffer_append_text(out, ">>> '");
    if (is_secret(source->config, index, words, count)) {
        buffer_append(out, words[0].at, words[0].size);
        buffer_append_text(out, " (not shown)");
    } else {
        buffer_append(out, line.at, line.size);
    }
    buffer_printf(out, "'\n%s\n", reason);
    if (index >= 0) {
        config_hint_values(options_row(options, index), out);
        if (source->name != NULL && has_late_comment(words, count)) {
            buffer_append_text(out, "A comment needs a line of its own.\n");
        }
    } else if (count > 0 && config_handler_of(source->config, words[0]) == NULL) {
        config_hint_name(options, words[0], out);
    }
    return -1;
}

/* Reports a line that says what Redis would do and Larder cannot. Always -1. */
static int report_refusal(const struct source *source, struct bytes line, struct bytes name,
                          const char *refusal) {
    struct buffer reason;
    buffer_init(&reason, MEM_OTHER);
    buffer_printf(&reason, "%.*s %s.", (int)name.size, name.at, refusal);
    report(source, line, NULL, 0, -1, buffer_text(&reason));
    buffer_clear(&reason);
    return -1;
}

/* Files. */

/* Lines. */

bool config_next_line(struct bytes *text, struct bytes *line) {
    if (text->size == 0) {
        return false;
    }
    const char *end = memchr(text->at, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->at);
    *line = bytes_of(text->at, size);
    size += end != NULL;
    *text = bytes_of(text->at + size, text->size - size);
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

struct bytes config_trim(struct bytes line) {
    while (line.size > 0 && is_blank(line.at[0])) {
        line = bytes_of(line.at + 1, line.size - 1);
    }
    while (line.size > 0 && is_blank(line.at[line.size - 1])) {
        line.size--;
    }
    return line;
}

static int read_text(struct source *source, struct bytes text);

/* Reads one file that a line includes. */
static int include_file(const struct source *source, struct bytes line, const char *path) {
    struct source included = *source;
    included.name = path;
    included.depth++;
    if (included.depth > INCLUDE_DEPTH_MAX) {
        return report(source, line, NULL, 0, -1, "Files are included too deeply, or in a circle");
    }
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    int status = file_read(path, CONFIG_SIZE_MAX, &text);
    if (status < 0) {
        char reason[512];
        snprintf(reason, sizeof reason, "can't open config file '%s': %s", path, strerror(-status));
        status = report(source, line, NULL, 0, -1, reason);
    } else {
        status = read_text(&included, buffer_bytes(&text));
    }
    buffer_clear(&text);
    return status;
}

/* A pattern that nothing matches is no error, a path that is not there is one. */
static int include(const struct source *source, struct bytes line, struct bytes path) {
    char *name = mem_copy_text(MEM_OTHER, path.at, path.size);
    int status = 0;
    if (strpbrk(name, PATTERN_LETTERS) == NULL) {
        status = include_file(source, line, name);
    } else {
        glob_t found = {0};
        if (glob(name, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc && status == 0; i++) {
                status = include_file(source, line, found.gl_pathv[i]);
            }
        }
        globfree(&found);
    }
    mem_free(MEM_OTHER, name, path.size + 1);
    return status;
}

/* Sets an option. A single word that holds several, as in `bind "127.0.0.1 ::1"`, is cut up if the
 * option can make sense of the parts; a path with a space in it stays whole. */
static int set_option(const struct source *source, int index, const struct bytes *words, int count,
                      const char **error) {
    struct config *config = source->config;
    const struct option *row = options_row(config->options, index);
    struct bytes name = bytes_text(row->name);
    struct config_known *known = &config->known[index];
    known->is_given = true;
    if (source->is_main) {
        known->is_included = known->is_included || source->depth > 0;
    }
    if (row->kind != OPTION_KIND_CUSTOM || count != 1 || words[0].size == 0) {
        return options_set(config->options, name, words, count, error);
    }
    struct bytes several[CONFIG_WORDS_MAX];
    size_t size = words[0].size;
    char *scratch = mem_alloc(MEM_OTHER, size);
    int found = words_split(words[0], scratch, several, CONFIG_WORDS_MAX);
    int status = -EINVAL;
    if (found > 1) {
        status = options_set(config->options, name, several, found, error);
    }
    if (status < 0) {
        status = options_set(config->options, name, words, count, error);
    }
    mem_free(MEM_OTHER, scratch, size);
    return status;
}

/* Does what the words say; the first is the name. */
static int run_words(const struct source *source, struct bytes line, const struct bytes *words,
                     int count) {
    struct config *config = source->config;
    const char *error = BAD_LINE;
    int index = options_find(config->options, words[0]);
    if (index >= 0) {
        int status = set_option(source, index, words + 1, count - 1, &error);
        if (status < 0) {
            return report(source, line, words, count, index, error);
        }
        const struct option *row = options_row(config->options, index);
        const char *refusal =
            foreign_has(config->foreign, row) ? foreign_refusal(config->foreign, row) : NULL;
        return refusal == NULL ? 0 : report_refusal(source, line, words[0], refusal);
    }
    if (bytes_is(words[0], "include") && count == 2) {
        return include(source, line, words[1]);
    }
    const struct config_handler *handler = config_handler_of(config, words[0]);
    if (handler != NULL) {
        bool good = handler->on_line(handler->context, words + 1, count - 1, &error);
        return good ? 0 : report(source, line, words, count, -1, error);
    }
    const char *refusal = foreign_line_refusal(words[0]);
    if (refusal != NULL) {
        return report_refusal(source, line, words[0], refusal);
    }
    if (foreign_is_line(words[0]) && count > 1) {
        config_note_name(&config->strange_lines, words[0]);
        return 0;
    }
    return report(source, line, words, count, -1, error);
}

static int read_line(const struct source *source, struct bytes line) {
    if (memchr(line.at, '\0', line.size) != NULL) {
        return report(source, bytes_text(line.at), NULL, 0, -1, "The line contains a NUL byte");
    }
    struct bytes words[CONFIG_WORDS_MAX];
    char *scratch = mem_alloc(MEM_OTHER, line.size);
    int count = words_split(line, scratch, words, CONFIG_WORDS_MAX);
    int status = 0;
    if (count == -1) {
        status = report(source, line, NULL, 0, -1, "Unbalanced quotes in configuration line");
    } else if (count < 0) {
        status = report(source, line, NULL, 0, -1, "The line has too many words");
    } else if (count > 0) {
        status = run_words(source, line, words, count);
    }
    mem_free(MEM_OTHER, scratch, line.size);
    return status;
}

static int read_text(struct source *source, struct bytes text) {
    struct bytes line;
    int status = 0;
    source->line = 0;
    while (status == 0 && config_next_line(&text, &line)) {
        source->line++;
        line = config_trim(line);
        if (!config_is_comment(line)) {
            status = read_line(source, line);
        }
    }
    return status;
}

/* The three sources. */

static int report_unreadable(struct buffer *problem, const char *name, int status) {
    buffer_printf(problem, "\nFatal error, can't open config file '%s': %s\n", name,
                  strerror(-status));
    return -1;
}

static int load_file(struct config *config, const char *path, struct buffer *problem) {
    char *absolute = realpath(path, NULL);
    if (absolute == NULL) {
        return report_unreadable(problem, path, -errno);
    }
    config->path = mem_copy_text(MEM_OTHER, absolute, strlen(absolute));
    free(absolute);
    int status = file_read(config->path, CONFIG_SIZE_MAX, &config->file_text);
    if (status < 0) {
        return report_unreadable(problem, path, status);
    }
    struct source source = {
        .config = config, .problem = problem, .name = config->path, .is_main = true};
    status = read_text(&source, buffer_bytes(&config->file_text));
    config_note_values(config);
    return status;
}

static int load_standard_input(struct config *config, struct buffer *problem) {
    struct buffer text;
    buffer_init(&text, MEM_OTHER);
    int status = file_read_descriptor(STDIN_FILENO, CONFIG_SIZE_MAX, &text);
    if (status < 0) {
        status = report_unreadable(problem, "standard input", status);
    } else {
        struct source source = {.config = config, .problem = problem, .name = "standard input"};
        status = read_text(&source, buffer_bytes(&text));
    }
    buffer_clear(&text);
    return status;
}

static bool is_option(const char *argument) {
    return strncmp(argument, "--", 2) == 0 && argument[2] != '\0';
}

/* Reads one option with its values, `count` arguments. */
static int load_option(const struct source *source, char **arguments, int count) {
    struct bytes words[CONFIG_WORDS_MAX];
    struct buffer line;
    buffer_init(&line, MEM_OTHER);
    int status;
    for (int i = 0; i < count; i++) {
        buffer_printf(&line, "%s%s", i == 0 ? "" : " ", arguments[i]);
    }
    if (count > CONFIG_WORDS_MAX - 1) {
        status = report(source, buffer_bytes(&line), NULL, 0, -1, "The option has too many values");
    } else {
        for (int i = 0; i < count; i++) {
            words[i] = bytes_text(arguments[i]);
        }
        words[0] = bytes_text(arguments[0] + 2);
        /* `--save` alone means `save ""`. */
        if (count == 1 && bytes_is(words[0], "save")) {
            words[count++] = bytes_text("");
        }
        status = run_words(source, buffer_bytes(&line), words, count);
    }
    buffer_clear(&line);
    return status;
}

static int load_command_line(struct config *config, int count, char **arguments,
                             struct buffer *problem) {
    struct source source = {.config = config, .problem = problem};
    for (int at = 0; at < count;) {
        if (!is_option(arguments[at])) {
            return report(&source, bytes_text(arguments[at]), NULL, 0, -1,
                          "Expected: [file] [-] [--name value ...] [-]");
        }
        int size = 1;
        while (at + size < count && !is_option(arguments[at + size])) {
            size++;
        }
        int status = load_option(&source, arguments + at, size);
        if (status < 0) {
            return status;
        }
        at += size;
    }
    return 0;
}

/* The API. */

struct config *config_new(struct options *options) {
    struct config *config = mem_zalloc(MEM_OTHER, sizeof *config);
    config->options = options;
    config->foreign = foreign_new(options);
    buffer_init(&config->file_text, MEM_OTHER);
    buffer_init(&config->strange_lines, MEM_OTHER);
    buffer_init(&config->strange_commands, MEM_OTHER);
    config->known_count = options_count(options);
    config->known = mem_zalloc(MEM_OTHER, (size_t)config->known_count * sizeof *config->known);
    for (int i = 0; i < config->known_count; i++) {
        buffer_init(&config->known[i].now, MEM_OTHER);
    }
    return config;
}

void config_free(struct config *config) {
    if (config == NULL) {
        return;
    }
    for (int i = 0; i < config->known_count; i++) {
        buffer_clear(&config->known[i].now);
    }
    mem_free(MEM_OTHER, config->known, (size_t)config->known_count * sizeof *config->known);
    if (config->path != NULL) {
        mem_free(MEM_OTHER, config->path, strlen(config->path) + 1);
    }
    buffer_clear(&config->file_text);
    buffer_clear(&config->strange_lines);
    buffer_clear(&config->strange_commands);
    foreign_free(config->foreign);
    mem_free(MEM_OTHER, config, sizeof *config);
}

void config_on_line(struct config *config, const char *name, config_line_fn on_line,
                    void *context) {
    check(config->handler_count < CONFIG_HANDLERS_MAX);
    config->handlers[config->handler_count++] =
        (struct config_handler){.name = name, .on_line = on_line, .context = context};
}

void config_on_rewrite(struct config *config, const char *name, config_print_fn print,
                       void *context) {
    for (int i = 0; i < config->handler_count; i++) {
        if (strcmp(config->handlers[i].name, name) == 0) {
            config->handlers[i].print = print;
            config->handlers[i].print_context = context;
            return;
        }
    }
    check(false);
}

int config_load(struct config *config, int argc, char **argv, struct buffer *problem) {
    check(options_count(config->options) == config->known_count);
    int first = 1;
    int end = argc;
    int status = 0;
    bool reads_input = false;
    if (first < end && argv[first][0] != '-') {
        status = load_file(config, argv[first], problem);
        first++;
    }
    if (first < end && strcmp(argv[first], "-") == 0) {
        reads_input = true;
        first++;
    }
    if (first < end && strcmp(argv[end - 1], "-") == 0) {
        reads_input = true;
        end--;
    }
    if (status == 0 && reads_input) {
        status = load_standard_input(config, problem);
    }
    if (status == 0) {
        status = load_command_line(config, end - first, argv + first, problem);
    }
    return status;
}

const char *config_path(const struct config *config) {
    return config->path == NULL ? "" : config->path;
}
