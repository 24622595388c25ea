/* json: the reader. */
#include "proto/json.h"

#include <stdint.h>
#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int hex_value(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four hexadecimal digits at `at`; -1 when they are none. */
static int32_t read_unit(const char *at, const char *end) {
    int32_t unit = 0;
    if (end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *write_utf8(char *out, uint32_t character) {
    if (character < 0x80) {
        *out++ = (char)character;
    } else if (character < 0x800) {
        *out++ = (char)(0xc0 | character >> 6);
        *out++ = (char)(0x80 | (character & 0x3f));
    } else if (character < 0x10000) {
        *out++ = (char)(0xe0 | character >> 12);
        *out++ = (char)(0x80 | (character >> 6 & 0x3f));
        *out++ = (char)(0x80 | (character & 0x3f));
    } else {
        *out++ = (char)(0xf0 | character >> 18);
        *out++ = (char)(0x80 | (character >> 12 & 0x3f));
        *out++ = (char)(0x80 | (character >> 6 & 0x3f));
        *out++ = (char)(0x80 | (character & 0x3f));
    }
    return out;
}

/* Behind "\u": one or two units; half a pair is written as U+FFFD. It is never longer than what it
 * stands for. NULL when it is malformed. */
static char *read_escape(const char **from, const char *end, char *out) {
    int32_t unit = read_unit(*from, end);
    if (unit < 0) {
        return NULL;
    }
    *from += 4;
    uint32_t character = (uint32_t)unit;
    if (unit >= 0xd800 && unit < 0xe000) {
        character = 0xfffd;
        if (unit < 0xdc00 && end - *from >= 6 && (*from)[0] == '\\' && (*from)[1] == 'u') {
            int32_t low = read_unit(*from + 2, end);
            if (low >= 0xdc00 && low < 0xe000) {
                character = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
                *from += 6;
            }
        }
    }
    return write_utf8(out, character);
}

/* Behind the first quote. */
static enum json_token read_string(struct json *json, struct bytes *text) {
    static const char escapes[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    const char *from = json->at;
    char *out = json->at;
    char *start = json->at;
    while (from < json->end) {
        char c = *from++;
        if (c == '"') {
            *text = bytes_of(start, (size_t)(out - start));
            json->at += from - json->at;
            return JSON_STRING;
        }
        if ((unsigned char)c < 0x20) {
            return JSON_BAD;
        }
        if (c != '\\') {
            *out++ = c;
            continue;
        }
        if (from == json->end) {
            return JSON_BAD;
        }
        c = *from++;
        if (c == 'u') {
            out = read_escape(&from, json->end, out);
            if (out == NULL) {
                return JSON_BAD;
            }
            continue;
        }
        const char *found = memchr(escapes, c, sizeof escapes - 1);
        if (found == NULL) {
            return JSON_BAD;
        }
        *out++ = meant[found - escapes];
    }
    return JSON_BAD;
}

static const char *digits(const char *p, const char *end) {
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p > start ? p : NULL;
}

/* The end of a number at p; NULL when there is none. */
static const char *number_end(const char *p, const char *end) {
    if (p < end && *p == '-') {
        p++;
    }
    const char *whole = p;
    p = digits(p, end);
    if (p == NULL || (*whole == '0' && p - whole > 1)) {
        return NULL;
    }
    if (p < end && *p == '.') {
        p = digits(p + 1, end);
        if (p == NULL) {
            return NULL;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        p = digits(p, end);
    }
    return p;
}

static enum json_token read_word(struct json *json, struct bytes *text) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(json->end - json->at) >= size && memcmp(json->at, words[i], size) == 0) {
            *text = bytes_of(json->at, size);
            json->at += size;
            return JSON_WORD;
        }
    }
    return JSON_BAD;
}

static enum json_token read_value(struct json *json, struct bytes *text) {
    char first = *json->at;
    json->behind_comma = false;
    if (first == '[') {
        if (json->depth == JSON_DEPTH_MAX) {
            return JSON_BAD;
        }
        json->at++;
        json->depth++;
        return JSON_ARRAY;
    }
    json->behind_value = true;
    if (first == '"') {
        json->at++;
        return read_string(json, text);
    }
    if (first == '-' || (first >= '0' && first <= '9')) {
        const char *end = number_end(json->at, json->end);
        if (end == NULL) {
            return JSON_BAD;
        }
        *text = bytes_of(json->at, (size_t)(end - json->at));
        json->at += text->size;
        return JSON_NUMBER;
    }
    return read_word(json, text);
}

static void skip_space(struct json *json) {
    while (json->at < json->end && is_space(*json->at)) {
        json->at++;
    }
}

enum json_token json_next(struct json *json, struct bytes *text) {
    skip_space(json);
    if (json->at == json->end) {
        return json->depth == 0 && json->behind_value ? JSON_END : JSON_BAD;
    }
    if (json->depth > 0 && *json->at == ']' && !json->behind_comma) {
        json->at++;
        json->depth--;
        json->behind_value = true;
        return JSON_ARRAY_END;
    }
    if (json->behind_value) {
        if (json->depth == 0 || *json->at != ',') {
            return JSON_BAD;
        }
        json->at++;
        json->behind_value = false;
        json->behind_comma = true;
        skip_space(json);
        if (json->at == json->end) {
            return JSON_BAD;
        }
    }
    return read_value(json, text);
}

size_t json_utf8(struct bytes text) {
    const unsigned char *p = (const unsigned char *)text.at;
    if (p[0] < 0x80) {
        return 1;
    }
    size_t size = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : 4;
    if (p[0] < 0xc2 || p[0] > 0xf4 || text.size < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* Too long forms, halves of pairs, beyond the last character. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return size;
}
