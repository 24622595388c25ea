/* config: reads the configuration and writes it back.
 *
 *     larder-server [file] [-] [--name value ...] [-]
 *
 * First the file, then standard input if there is a `-`, then the options of the command line; what
 * comes later wins, and lines of options that repeat add up over all of them. The syntax is that of
 * redis.conf: a line is a name and its values, quoted where needed (base/words.h); `#` starts a
 * line that is a comment; `include path` reads another file at that place (a pattern: all that
 * match, in order; a relative path starts from the working directory).
 *
 * What a line may say is declared by the modules (base/option.h). Directives of Redis that no
 * module declares are accepted and warned about (server/config_foreign.h). A line that is no
 * option, such as rename-command, is handed to a function that main registers.
 *
 * Any error ends the start; the text for it names place, line and reason and says what would be
 * right:
 *
 *     *** FATAL CONFIG FILE ERROR (Larder 1.0.0) ***
 *     Reading the configuration file, at line 3 of /etc/larder.conf
 *     >>> 'maxclients many'
 *     argument couldn't be parsed into an integer
 *     Expected: maxclients <1 to 1000000> */
#ifndef LARDER_SERVER_CONFIG_H
#define LARDER_SERVER_CONFIG_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/option.h"

struct config;

/* To be called when all modules have registered their options; the rest of Redis's directives is
 * registered here. config_free comes after options_free. */
struct config *config_new(struct options *options);
void config_free(struct config *config);

/* What to do with a line that is no option. Words are those behind the name. False with *error set
 * to a text when they are wrong: the start ends with it. */
typedef bool (*config_line_fn)(void *context, const struct bytes *words, int count,
                               const char **error);

/* Has lines of this name handed to `on_line` while they are read. `name` must outlive the config.
 * */
void config_on_line(struct config *config, const char *name, config_line_fn on_line, void *context);

/* Such lines say what CONFIG REWRITE is to write anew: the function appends all of them, with their
 * newlines. What is in them is secret: errors do not show it. */
typedef void (*config_print_fn)(void *context, struct buffer *out);
void config_on_rewrite(struct config *config, const char *name, config_print_fn print,
                       void *context);

/* Reads everything that the command line names; argv[0] is skipped. 0, or -1 with a text of several
 * lines for standard error appended to `problem`. Called once. */
int config_load(struct config *config, int argc, char **argv, struct buffer *problem);

/* The absolute path of the file, "" when there was none. */
const char *config_path(const struct config *config);

/* Notes that a line names a command that is not here, for the warnings. */
void config_note_command(struct config *config, struct bytes name);

/* Appends lines, each with its newline, for the log: one for each directive that was given and
 * promises what is not kept, one that names the others which have no effect, one for the commands
 * that were noted. Nothing when there are none. */
void config_warnings(const struct config *config, struct buffer *out);

/* CONFIG REWRITE: makes the file say what is in force now. Comments, order, includes and the lines
 * of options that still have the value which the file gave them stay as they are; the lines of
 * others are replaced where the first one was; options that the file does not mention and that
 * have changed are added at the end. The file is replaced as a whole or not at all. 0, -ENOENT
 * when the server runs without a file, otherwise -errno. Limit: a repeating option of which lines
 * are in an included file is added to those lines when it is read again; the included file is not
 * written. */
int config_rewrite(struct config *config);

#endif
