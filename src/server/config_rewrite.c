/* config_rewrite: CONFIG REWRITE.
 *
 * An option is settled if it still has the value that the file gave it. To know that, its lines are
 * noted when the file was read (config_note_values), before standard input and the command line,
 * which the file knows nothing of. The note is worth nothing if somebody has edited the file since:
 * then every option that the file mentions is written anew, and of the others those that are not at
 * their default.
 *
 *     old file                          new file
 *     # my cache                        # my cache
 *     maxmemory 1gb      (settled)      maxmemory 1gb
 *     maxclients 100     (now 200)      maxclients 200
 *     include tls.conf   (no option)    include tls.conf
 *                        (timeout: 5)   # Added by CONFIG REWRITE
 *                                       timeout 5
 *
 * An option that an included file mentions cannot be changed there, nor above the include line,
 * which would override it; so its lines move to the end. */
#include "server/config.h"

#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/words.h"
#include "server/config_int.h"

#define HEADING "# Added by CONFIG REWRITE"

#define TEMPORARY_SUFFIX ".rewrite"

enum fate {
    SETTLED, /* its lines, if any, stay */
    REPLACED,
    WRITTEN, /* replaced, and the first line has been written */
    MOVED,   /* its lines go, and new ones are added at the end */
};

void config_note_values(struct config *config) {
    for (int i = 0; i < config->known_count; i++) {
        struct buffer *now = &config->known[i].now;
        now->size = 0;
        options_print_lines(config->options, i, now);
    }
}

static bool has_noted_value(const struct config *config, int index, struct buffer *scratch) {
    scratch->size = 0;
    options_print_lines(config->options, index, scratch);
    return bytes_equal(buffer_bytes(scratch), buffer_bytes(&config->known[index].now));
}

/* What a line of the file is: an option's, by its index, or -1; and one that somebody prints, or
 * NULL. */
struct line_kind {
    int index;
    const struct config_handler *printed;
};

static struct line_kind kind_of_line(const struct config *config, struct bytes line) {
    struct line_kind kind = {.index = -1};
    line = config_trim(line);
    if (config_is_comment(line)) {
        return kind;
    }
    struct bytes words[CONFIG_WORDS_MAX];
    char *scratch = mem_alloc(MEM_OTHER, line.size);
    int count = words_split(line, scratch, words, CONFIG_WORDS_MAX);
    if (count > 0) {
        const struct config_handler *handler = config_handler_of(config, words[0]);
        kind.index = options_find(config->options, words[0]);
        kind.printed = handler != NULL && handler->print != NULL ? handler : NULL;
    }
    mem_free(MEM_OTHER, scratch, line.size);
    return kind;
}

/* Decides about options that the file, as it is now, mentions or that differ from what it gives. */
static void decide(const struct config *config, struct bytes text, enum fate *fates) {
    bool is_edited = !bytes_equal(text, buffer_bytes(&config->file_text));
    struct buffer scratch;
    buffer_init(&scratch, MEM_OTHER);
    for (int i = 0; i < config->known_count; i++) {
        bool settled = is_edited ? options_is_default(config->options, i)
                                 : has_noted_value(config, i, &scratch);
        fates[i] = settled ? SETTLED : MOVED;
    }
    buffer_clear(&scratch);
    struct bytes line;
    while (config_next_line(&text, &line)) {
        int index = kind_of_line(config, line).index;
        if (index >= 0 && (fates[index] == MOVED || is_edited)) {
            fates[index] = config->known[index].is_included ? MOVED : REPLACED;
        }
    }
}

static void append_line(struct buffer *out, struct bytes line) {
    buffer_append(out, line.at, line.size);
    buffer_append_byte(out, '\n');
}

static void append_heading(struct buffer *out, bool *has_heading) {
    if (!*has_heading) {
        buffer_append_text(out, out->size > 0 ? "\n" HEADING "\n" : HEADING "\n");
        *has_heading = true;
    }
}

/* The lines of those that print theirs, each where the file had its first one, or at the end. */
struct printing {
    bool done[CONFIG_HANDLERS_MAX];
};

static void print_handler(const struct config *config, struct printing *printing, int i,
                          struct buffer *out) {
    const struct config_handler *handler = &config->handlers[i];
    if (!printing->done[i]) {
        handler->print(handler->print_context, out);
        printing->done[i] = true;
    }
}

static void print_rest(const struct config *config, struct printing *printing, bool *has_heading,
                       struct buffer *out) {
    for (int i = 0; i < config->handler_count; i++) {
        if (config->handlers[i].print == NULL || printing->done[i]) {
            continue;
        }
        struct buffer lines;
        buffer_init(&lines, MEM_OTHER);
        print_handler(config, printing, i, &lines);
        if (lines.size > 0) {
            append_heading(out, has_heading);
            buffer_append(out, lines.at, lines.size);
        }
        buffer_clear(&lines);
    }
}

/* Writes the new file into `out`. */
static void compose(const struct config *config, struct bytes text, enum fate *fates,
                    struct buffer *out) {
    bool has_heading = false;
    struct printing printing = {0};
    struct bytes line;
    while (config_next_line(&text, &line)) {
        struct line_kind kind = kind_of_line(config, line);
        if (kind.printed != NULL) {
            print_handler(config, &printing, (int)(kind.printed - config->handlers), out);
        } else if (kind.index < 0 || fates[kind.index] == SETTLED) {
            has_heading = has_heading || bytes_is(config_trim(line), HEADING);
            append_line(out, line);
        } else if (fates[kind.index] == REPLACED) {
            options_print_lines(config->options, kind.index, out);
            fates[kind.index] = WRITTEN;
        }
    }
    for (int i = 0; i < config->known_count; i++) {
        if (fates[i] == MOVED) {
            append_heading(out, &has_heading);
            options_print_lines(config->options, i, out);
        }
    }
    print_rest(config, &printing, &has_heading, out);
}

/* From now on `text` is the file, and gives every option the value that it has. */
static void remember(struct config *config, const enum fate *fates, const struct buffer *text) {
    config->file_text.size = 0;
    buffer_append(&config->file_text, text->at, text->size);
    config_note_values(config);
    for (int i = 0; i < config->known_count; i++) {
        if (fates[i] != SETTLED) {
            config->known[i].is_included = false;
        }
    }
}

int config_rewrite(struct config *config) {
    if (config->path == NULL) {
        return -ENOENT;
    }
    size_t size = (size_t)config->known_count * sizeof(enum fate);
    enum fate *fates = mem_alloc(MEM_OTHER, size);
    struct buffer old;
    struct buffer new;
    buffer_init(&old, MEM_OTHER);
    buffer_init(&new, MEM_OTHER);
    int status = file_read(config->path, CONFIG_SIZE_MAX, &old);
    if (status == 0 || status == -ENOENT) {
        decide(config, buffer_bytes(&old), fates);
        compose(config, buffer_bytes(&old), fates, &new);
        status = file_replace(config->path, TEMPORARY_SUFFIX, buffer_bytes(&new));
    }
    if (status == 0) {
        remember(config, fates, &new);
    }
    buffer_clear(&old);
    buffer_clear(&new);
    mem_free(MEM_OTHER, fates, size);
    return status;
}
