/* config_int: what reading and rewriting the configuration share. */
#ifndef LARDER_SERVER_CONFIG_INT_H
#define LARDER_SERVER_CONFIG_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/option.h"
#include "server/config.h"
#include "server/config_foreign.h"

/* A configuration is text by people; whoever names a larger file has named the wrong one. */
#define CONFIG_SIZE_MAX ((size_t)16 << 20)

/* Words of a line. `bind` has 16 at most, and nothing else comes near. */
#define CONFIG_WORDS_MAX 256

/* Functions for lines that are no options. */
#define CONFIG_HANDLERS_MAX 8

struct config_handler {
    const char *name;
    config_line_fn on_line;
    void *context;
    config_print_fn print; /* of CONFIG REWRITE; NULL: such lines stay as they are */
    void *print_context;
};

/* What is known of an option besides its value. */
struct config_known {
    bool is_given;     /* by any source */
    bool is_included;  /* a file that the file includes mentions it */
    struct buffer now; /* the lines that stand for the value which the file gives */
};

struct config {
    struct options *options;
    struct foreign *foreign;
    struct config_handler handlers[CONFIG_HANDLERS_MAX];
    int handler_count;
    struct config_known *known; /* by the option's index */
    int known_count;
    struct buffer strange_lines;    /* names of lines without effect that are no options */
    struct buffer strange_commands; /* names of commands that are not here */
    char *path;                     /* absolute, NULL when there is no file */
    struct buffer file_text;        /* the file as it was when `known` was noted */
};

/* Cuts the next line off `text`, without its newline. False at the end. */
bool config_next_line(struct bytes *text, struct bytes *line);

/* The line without the spaces around it. */
struct bytes config_trim(struct bytes line);

/* Whether a trimmed line says nothing: empty or a comment. */
static inline bool config_is_comment(struct bytes line) {
    return line.size == 0 || line.at[0] == '#';
}

/* Who takes lines of this name; NULL when nobody does. */
const struct config_handler *config_handler_of(const struct config *config, struct bytes name);

/* Notes that every option has the value now which the file gives it. */
void config_note_values(struct config *config);

/* Adds a name, in small letters, to a list with `, ` between, unless it has it or is long
 * enough. */
void config_note_name(struct buffer *list, struct bytes name);

#endif
