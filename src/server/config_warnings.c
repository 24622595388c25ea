/* config_warnings: what is said once, when the log is open, about lines that were accepted and have
 * no effect. Names are collected as texts with `, ` between: they are few, and read once. */
#include <string.h>

#include "base/mem.h"
#include "server/config.h"
#include "server/config_foreign.h"
#include "server/config_int.h"

/* Names that one line of the log shows. */
#define NAMES_SIZE_MAX 800

/* Whether the list, names with `, ` between, has the name. */
static bool has_name(struct bytes list, struct bytes name) {
    while (list.size > 0) {
        const char *comma = memchr(list.at, ',', list.size);
        size_t size = comma == NULL ? list.size : (size_t)(comma - list.at);
        if (bytes_equal(bytes_of(list.at, size), name)) {
            return true;
        }
        size_t step = comma == NULL ? size : size + 2;
        list = bytes_of(list.at + step, list.size - step);
    }
    return false;
}

void config_note_name(struct buffer *list, struct bytes name) {
    struct buffer folded;
    buffer_init(&folded, MEM_OTHER);
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];
        buffer_append_byte(&folded, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    if (list->size + name.size < NAMES_SIZE_MAX &&
        !has_name(buffer_bytes(list), buffer_bytes(&folded))) {
        buffer_append_text(list, list->size > 0 ? ", " : "");
        buffer_append(list, folded.at, folded.size);
    }
    buffer_clear(&folded);
}

void config_note_command(struct config *config, struct bytes name) {
    config_note_name(&config->strange_commands, name);
}

/* One line for each directive that promises what is not kept. */
static void append_promises(const struct config *config, struct buffer *out) {
    for (int i = 0; i < config->known_count; i++) {
        const struct option *row = options_row(config->options, i);
        const char *warning = config->known[i].is_given && foreign_has(config->foreign, row)
                                  ? foreign_warning(config->foreign, row)
                                  : NULL;
        if (warning != NULL) {
            buffer_printf(out, "%s %s.\n", row->name, warning);
        }
    }
    if (has_name(buffer_bytes(&config->strange_lines), bytes_text("loadmodule"))) {
        buffer_printf(out, "loadmodule %s.\n", foreign_line_warning(bytes_text("loadmodule")));
    }
}

/* The others that were given another value than the default, which here and there is a wish. */
static void append_names(const struct config *config, struct buffer *out) {
    struct buffer names;
    buffer_init(&names, MEM_OTHER);
    for (int i = 0; i < config->known_count; i++) {
        const struct option *row = options_row(config->options, i);
        if (config->known[i].is_given && foreign_has(config->foreign, row) &&
            foreign_warning(config->foreign, row) == NULL &&
            !options_is_default(config->options, i)) {
            config_note_name(&names, bytes_text(row->name));
        }
    }
    struct bytes lines = buffer_bytes(&config->strange_lines);
    while (lines.size > 0) {
        const char *comma = memchr(lines.at, ',', lines.size);
        size_t size = comma == NULL ? lines.size : (size_t)(comma - lines.at);
        if (foreign_line_warning(bytes_of(lines.at, size)) == NULL) {
            config_note_name(&names, bytes_of(lines.at, size));
        }
        size_t step = comma == NULL ? size : size + 2;
        lines = bytes_of(lines.at + step, lines.size - step);
    }
    if (names.size > 0) {
        buffer_printf(out, "These directives are known from Redis and have no effect here: %s\n",
                      buffer_text(&names));
    }
    buffer_clear(&names);
}

void config_warnings(const struct config *config, struct buffer *out) {
    append_promises(config, out);
    append_names(config, out);
    if (config->strange_commands.size > 0) {
        buffer_append_text(out, "rename-command names commands that are not here anyway: ");
        buffer_append(out, config->strange_commands.at, config->strange_commands.size);
        buffer_append_byte(out, '\n');
    }
}
