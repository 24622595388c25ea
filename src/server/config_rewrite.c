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
 * which would override it; so its lines move to the end.
 *
 * The new file is written beside the old one, synchronised, and renamed over it: whoever reads the
 * path finds the old or the new content, after a power failure too. */
#include "base/mem.h"
#include "base/words.h"
#include "server/config.h"
#include "server/config_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The option that a line of the file sets; -1 for comments, includes, and whatever else. */
static int option_of_line(const struct config *config, struct bytes line) {
    line = config_trim(line);
    if (config_is_comment(line)) {
        return -1;
    }
    struct bytes words[CONFIG_WORDS_MAX];
    char *scratch = mem_alloc(MEM_OTHER, line.size);
    int count = words_split(line, scratch, words, CONFIG_WORDS_MAX);
    int index = count > 0 ? options_find(config->options, words[0]) : -1;
    mem_free(MEM_OTHER, scratch, line.size);
    return index;
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
        int index = option_of_line(config, line);
        if (index >= 0 && (fates[index] == MOVED || is_edited)) {
            fates[index] = config->known[index].is_included ? MOVED : REPLACED;
        }
    }
}

static void append_line(struct buffer *out, struct bytes line) {
    buffer_append(out, line.at, line.size);
    buffer_append_byte(out, '\n');
}

/* Writes the new file into `out`. */
static void compose(const struct config *config, struct bytes text, enum fate *fates,
                    struct buffer *out) {
    bool has_heading = false;
    struct bytes line;
    while (config_next_line(&text, &line)) {
        int index = option_of_line(config, line);
        if (index < 0 || fates[index] == SETTLED) {
            has_heading = has_heading || bytes_is(config_trim(line), HEADING);
            append_line(out, line);
        } else if (fates[index] == REPLACED) {
            options_print_lines(config->options, index, out);
            fates[index] = WRITTEN;
        }
    }
    for (int i = 0; i < config->known_count; i++) {
        if (fates[i] == MOVED) {
            if (!has_heading) {
                buffer_append_text(out, out->size > 0 ? "\n" HEADING "\n" : HEADING "\n");
                has_heading = true;
            }
            options_print_lines(config->options, i, out);
        }
    }
}

/* Writing. */

static int write_all(int fd, struct bytes text) {
    while (text.size > 0) {
        ssize_t size = write(fd, text.at, text.size);
        if (size < 0 && errno != EINTR) {
            return -errno;
        }
        size = size < 0 ? 0 : size;
        text = bytes_of(text.at + size, text.size - (size_t)size);
    }
    return 0;
}

/* Gives the new file the old one's owner, where that is allowed, and permissions. */
static int adopt_owner(int fd, const char *path) {
    struct stat status;
    if (stat(path, &status) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (fchown(fd, status.st_uid, status.st_gid) < 0 && errno != EPERM) {
        return -errno;
    }
    return fchmod(fd, status.st_mode & 07777) == 0 ? 0 : -errno;
}

/* Makes a renamed file's name as durable as its content. */
static int synchronise_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    char *folder = mem_copy_text(MEM_OTHER, slash == NULL ? "." : path, size);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
    }
    mem_free(MEM_OTHER, folder, size + 1);
    return status;
}

static int write_temporary(const char *temporary, const char *path, struct bytes text) {
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int status = adopt_owner(fd, path);
    if (status == 0) {
        status = write_all(fd, text);
    }
    if (status == 0 && fsync(fd) < 0) {
        status = -errno;
    }
    close(fd);
    return status;
}

static int replace_file(const char *path, struct bytes text) {
    struct buffer temporary;
    buffer_init(&temporary, MEM_OTHER);
    buffer_printf(&temporary, "%s%s", path, TEMPORARY_SUFFIX);
    const char *name = buffer_text(&temporary);
    int status = write_temporary(name, path, text);
    if (status == 0 && rename(name, path) < 0) {
        status = -errno;
    }
    if (status < 0) {
        unlink(name);
    } else {
        status = synchronise_folder(path);
    }
    buffer_clear(&temporary);
    return status;
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
    int status = config_read_file(config->path, &old);
    if (status == 0 || status == -ENOENT) {
        decide(config, buffer_bytes(&old), fates);
        compose(config, buffer_bytes(&old), fates, &new);
        status = replace_file(config->path, buffer_bytes(&new));
    }
    if (status == 0) {
        remember(config, fates, &new);
    }
    buffer_clear(&old);
    buffer_clear(&new);
    mem_free(MEM_OTHER, fates, size);
    return status;
}
