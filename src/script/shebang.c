/* shebang: see the header. The line is split as an inline command is. */
#include "script/shebang.h"

#include <stdio.h>
#include <string.h>

#include "base/words.h"

/* A longer line is no shebang, nor is one of more words. */
#define LINE_SIZE_MAX 1024
#define WORDS_MAX     64
/* Of a wrong word, an error shows so much. */
#define SHOWN_MAX 128

static const char *const flag_names[] = {
    "no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys", NULL};

const char *shebang_flag_name(int bit) {
    return flag_names[bit];
}

unsigned shebang_flag(struct bytes name) {
    for (int i = 0; flag_names[i] != NULL; i++) {
        if (name.size == strlen(flag_names[i]) && memcmp(name.at, flag_names[i], name.size) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

static bool begins_with(struct bytes text, const char *start, bool fold) {
    size_t size = strlen(start);
    return text.size >= size &&
           (fold ? bytes_is(bytes_of(text.at, size), start) : memcmp(text.at, start, size) == 0);
}

static bool fail(char error[SHEBANG_ERROR_SIZE], const char *text, struct bytes shown) {
    size_t size = shown.size < SHOWN_MAX ? shown.size : SHOWN_MAX;
    snprintf(error, SHEBANG_ERROR_SIZE, "%s%.*s", text, (int)size, shown.at);
    return false;
}

static const struct bytes nothing = {.at = "", .size = 0};

/* The line's words, the first of which begins with `#!`. How many, or -1 when quotes are not
 * balanced; there is at least one. */
static int split(struct bytes line, char *scratch, struct bytes *words) {
    if (line.size > LINE_SIZE_MAX) {
        return -1;
    }
    int count = words_split(line, scratch, words, WORDS_MAX);
    return count < 1 ? -1 : count;
}

static bool take_flags(struct bytes list, unsigned *flags, char error[SHEBANG_ERROR_SIZE]) {
    while (list.size > 0) {
        const char *comma = memchr(list.at, ',', list.size);
        struct bytes name =
            bytes_of(list.at, comma == NULL ? list.size : (size_t)(comma - list.at));
        unsigned flag = shebang_flag(name);
        if (flag == 0) {
            return fail(error, "Unexpected flag in script shebang: ", name);
        }
        *flags |= flag;
        if (comma == NULL) {
            return true;
        }
        list = bytes_of(comma + 1, list.size - name.size - 1);
        if (list.size == 0) {
            return fail(error, "Unexpected flag in script shebang: ", nothing);
        }
    }
    return true;
}

bool shebang_of_script(struct bytes source, unsigned *flags, struct bytes *code,
                       char error[SHEBANG_ERROR_SIZE]) {
    *flags = SCRIPT_COMPATIBLE;
    *code = source;
    if (!begins_with(source, "#!", false)) {
        return true;
    }
    const char *end = memchr(source.at, '\n', source.size);
    if (end == NULL) {
        return fail(error, "Invalid script shebang", nothing);
    }
    struct bytes line = bytes_of(source.at, (size_t)(end - source.at));
    char scratch[LINE_SIZE_MAX];
    struct bytes words[WORDS_MAX];
    int count = split(line, scratch, words);
    if (count < 0) {
        return fail(error, "Invalid engine in script shebang", nothing);
    }
    if (words[0].size != 5 || memcmp(words[0].at, "#!lua", 5) != 0) {
        return fail(error, "Unexpected engine in script shebang: ", words[0]);
    }
    *flags = 0;
    for (int i = 1; i < count; i++) {
        if (!begins_with(words[i], "flags=", false)) {
            return fail(error, "Unknown lua shebang option: ", words[i]);
        }
        if (!take_flags(bytes_of(words[i].at + 6, words[i].size - 6), flags, error)) {
            return false;
        }
    }
    *code = bytes_of(end, source.size - line.size);
    return true;
}

/* A word of a library's line: its name, which lies in the source again. */
static bool take_name(struct bytes line, struct bytes word, struct bytes *name,
                      char error[SHEBANG_ERROR_SIZE]) {
    if (!begins_with(word, "name=", true)) {
        return fail(error, "Invalid metadata value given: ", word);
    }
    if (name->at != NULL) {
        return fail(error, "Invalid metadata value, name argument was given multiple times",
                    nothing);
    }
    struct bytes value = bytes_of(word.at + 5, word.size - 5);
    /* What has quotes or escapes cannot be a name; what has none stands there as it is. */
    const char *at = value.size == 0 ? line.at : memmem(line.at, line.size, value.at, value.size);
    *name = bytes_of(at == NULL ? line.at : at, at == NULL ? 0 : value.size);
    return true;
}

bool shebang_of_library(struct bytes source, struct bytes *name, struct bytes *code,
                        char error[SHEBANG_ERROR_SIZE]) {
    *name = bytes_of(NULL, 0);
    if (!begins_with(source, "#!", false)) {
        return fail(error, "Missing library metadata", nothing);
    }
    const char *end = memchr(source.at, '\n', source.size);
    if (end == NULL) {
        return fail(error, "Invalid library metadata", nothing);
    }
    struct bytes line = bytes_of(source.at, (size_t)(end - source.at));
    char scratch[LINE_SIZE_MAX];
    struct bytes words[WORDS_MAX];
    int count = split(line, scratch, words);
    if (count < 0) {
        return fail(error, "Invalid library metadata", nothing);
    }
    for (int i = 1; i < count; i++) {
        if (!take_name(line, words[i], name, error)) {
            return false;
        }
    }
    if (name->at == NULL) {
        return fail(error, "Library name was not given", nothing);
    }
    if (!bytes_is(bytes_of(words[0].at + 2, words[0].size - 2), "lua")) {
        char text[SHOWN_MAX + 32];
        snprintf(text, sizeof text, "Engine '%.*s' not found",
                 (int)(words[0].size - 2 < SHOWN_MAX ? words[0].size - 2 : SHOWN_MAX),
                 words[0].at + 2);
        return fail(error, text, nothing);
    }
    *code = bytes_of(end, source.size - line.size);
    return true;
}
