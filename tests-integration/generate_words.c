/* The words of a command: kept apart from the making up of them (generate.c). */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of a word, a reader sees so many bytes and how many there are. */
#define SHOWN_MAX 120

void words_clear(struct words *words) {
    for (size_t i = 0; i < words->count; i++) {
        free(words->at[i]);
    }
    words->count = 0;
}

void words_add(struct words *words, const void *at, size_t size) {
    if (words->count == WORDS_COUNT_MAX) {
        return;
    }
    char *copy = malloc(size + 1);
    memcpy(copy, at, size);
    copy[size] = 0;
    words->at[words->count] = copy;
    words->sizes[words->count++] = size;
}

void words_add_text(struct words *words, const char *text) {
    words_add(words, text, strlen(text));
}

void words_add_line(struct words *words, const char *line) {
    while (*line != 0) {
        size_t size = strcspn(line, " ");
        words_add(words, line, size);
        line += size;
        line += *line == ' ' ? 1 : 0;
    }
}

bool words_begin_with(const struct words *words, const char *line) {
    size_t i = 0;
    for (; *line != 0; i++) {
        size_t size = strcspn(line, " ");
        if (i >= words->count || words->sizes[i] != size ||
            strncasecmp(words->at[i], line, size) != 0) {
            return false;
        }
        line += size;
        line += *line == ' ' ? 1 : 0;
    }
    return true;
}

static void show_word(FILE *file, const char *at, size_t size) {
    bool plain = size > 0;
    for (size_t i = 0; i < size; i++) {
        plain = plain && at[i] > 32 && at[i] < 127 && at[i] != '"' && at[i] != '\\';
    }
    fputs(plain ? "" : "\"", file);
    for (size_t i = 0; i < size && i < SHOWN_MAX; i++) {
        unsigned char byte = (unsigned char)at[i];
        if (byte < 32 || byte > 126) {
            fprintf(file, "\\x%02x", byte);
        } else {
            fprintf(file, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
        }
    }
    fputs(plain ? "" : "\"", file);
    if (size > SHOWN_MAX) {
        fprintf(file, "...(%zu bytes)", size);
    }
}

char *words_text(const struct words *words) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    for (size_t i = 0; i < words->count; i++) {
        fputs(i == 0 ? "" : " ", file);
        show_word(file, words->at[i], words->sizes[i]);
    }
    fclose(file);
    return text;
}
