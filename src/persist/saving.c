/* saving: the options of the file, see the header. */
#include "persist/saving.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "call/context.h"

struct saving {
    struct saving_options options;
    char file_name[NAME_MAX + 1];
};

/* dbfilename: a name and no path, for what is written beside it is renamed to it. */

static bool set_file_name(void *module, const struct bytes *words, int count, const char **error) {
    struct saving *saving = module;
    if (count != 1) {
        *error = "wrong number of arguments";
        return false;
    }
    struct bytes name = words[0];
    bool is_name = name.size > 0 && memchr(name.at, '/', name.size) == NULL &&
                   memchr(name.at, '\0', name.size) == NULL;
    if (!is_name || name.size > NAME_MAX) {
        *error = "dbfilename can't be a path, just a filename";
        return false;
    }
    memcpy(saving->file_name, name.at, name.size);
    saving->file_name[name.size] = '\0';
    return true;
}

static void get_file_name(void *module, struct buffer *out) {
    buffer_append_text(out, ((const struct saving *)module)->file_name);
}

static const struct option_custom saving_file_name_option = {.set = set_file_name,
                                                             .get = get_file_name};

/* Life. */

struct saving *saving_new(struct context *context) {
    static const struct option option_rows[] = {
#define ROW(...) OPTION_ROW(struct saving_options, __VA_ARGS__)
        SAVING_OPTIONS(ROW)
#undef ROW
    };
    struct saving *saving = mem_zalloc(MEM_OTHER, sizeof *saving);
    options_register(context->options, option_rows, sizeof option_rows / sizeof option_rows[0],
                     &saving->options, saving);
    return saving;
}

void saving_free(struct saving *saving) {
    mem_free(MEM_OTHER, saving, sizeof *saving);
}

const struct saving_options *saving_options(const struct saving *saving) {
    return &saving->options;
}

const char *saving_file_name(const struct saving *saving) {
    return saving->file_name;
}
