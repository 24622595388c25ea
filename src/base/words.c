/* words: splitting a line, as a small machine that writes behind where it reads: no escape is
 * longer than its source, so the words may be built over the line itself. */
#include "base/words.h"

#include <stdbool.h>

enum quoting { PLAIN, SINGLE_QUOTED, DOUBLE_QUOTED };

/* A line ends at a NUL, as it would in a C string. */
struct reader {
    const char *at;
    const char *end;
    char *out; /* where the next byte of a word goes */
};

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What ends a word outside quotes; vertical tab and form feed do not, though they separate. */
static bool ends_word(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The value of a hexadecimal digit, -1 for anything else. */
static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

static char unescape(char letter) {
    switch (letter) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return letter;
    }
}

/* Takes one byte, escaped or not, from within double quotes. */
static void take_double_quoted(struct reader *reader) {
    const char *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    if (*at == '\\' && left >= 4 && at[1] == 'x' && hex_value(at[2]) >= 0 &&
        hex_value(at[3]) >= 0) {
        *reader->out++ = (char)(hex_value(at[2]) * 16 + hex_value(at[3]));
        reader->at += 4;
    } else if (*at == '\\' && left >= 2) {
        *reader->out++ = unescape(at[1]);
        reader->at += 2;
    } else {
        *reader->out++ = *at;
        reader->at++;
    }
}

static void take_single_quoted(struct reader *reader) {
    if (*reader->at == '\\' && reader->end - reader->at >= 2 && reader->at[1] == '\'') {
        reader->at++;
    }
    *reader->out++ = *reader->at++;
}

/* Reads one word. False when its quotes are not balanced. */
static bool take_word(struct reader *reader) {
    enum quoting quoting = PLAIN;
    while (reader->at < reader->end) {
        char c = *reader->at;
        if (quoting == PLAIN) {
            if (ends_word(c)) {
                return true;
            }
            if (c == '"' || c == '\'') {
                quoting = c == '"' ? DOUBLE_QUOTED : SINGLE_QUOTED;
            } else {
                *reader->out++ = c;
            }
            reader->at++;
        } else if (c == (quoting == DOUBLE_QUOTED ? '"' : '\'')) {
            reader->at++;
            return reader->at == reader->end || is_space(*reader->at);
        } else if (quoting == DOUBLE_QUOTED) {
            take_double_quoted(reader);
        } else {
            take_single_quoted(reader);
        }
    }
    return quoting == PLAIN;
}

int words_split(struct bytes line, char *scratch, struct bytes *words, int max) {
    struct reader reader = {.at = line.at, .end = line.at + line.size, .out = scratch};
    if (line.size > 0) {
        const char *nul = memchr(line.at, '\0', line.size);
        if (nul != NULL) {
            reader.end = nul;
        }
    }
    int count = 0;
    for (;;) {
        while (reader.at < reader.end && is_space(*reader.at)) {
            reader.at++;
        }
        if (reader.at == reader.end) {
            return count;
        }
        const char *word = reader.out;
        if (!take_word(&reader)) {
            return -1;
        }
        if (count == max) {
            return -2;
        }
        words[count++] = bytes_of(word, (size_t)(reader.out - word));
    }
}
