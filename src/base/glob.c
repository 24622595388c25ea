/* glob: matching without recursion.
 *
 * A pattern is a row of elements: a byte, `?`, a class, each of which takes exactly one byte of the
 * text, and stars. When an element does not match, only the last star need take one byte more: what
 * an earlier star could change, the last one can make up for. So one point to come back to
 * is enough, and no pattern makes the time grow beyond pattern size times text size.
 *
 * What is odd is as clients know it: a class that is not closed ends with the pattern, [z-a] is
 * [a-z], ranges order bytes as signed, a backslash at the end is itself, and an escaped byte in a
 * class does not fold. One thing is not as Redis 7.0 has it: there `**` does not match the empty
 * text. */
#include "base/glob.h"

#include <string.h>

static unsigned char lower(unsigned char byte) {
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + ('a' - 'A')) : byte;
}

static bool same(char a, char b, bool fold) {
    return a == b || (fold && lower((unsigned char)a) == lower((unsigned char)b));
}

/* Bytes are compared as signed, as the platform's char is: 0xff comes before 'a'. */
static bool in_range(char c, char first, char last, bool fold) {
    signed char low = (signed char)first;
    signed char high = (signed char)last;
    signed char byte = (signed char)c;
    if (low > high) {
        signed char swapped = low;
        low = high;
        high = swapped;
    }
    if (fold) {
        low = (signed char)lower((unsigned char)low);
        high = (signed char)lower((unsigned char)high);
        byte = (signed char)lower((unsigned char)byte);
    }
    return byte >= low && byte <= high;
}

/* Matches the class that begins at `at`, behind its bracket. Returns where it ends. */
static const char *match_class(const char *at, const char *end, char c, bool fold, bool *matches) {
    bool negated = at < end && *at == '^';
    at += negated;
    bool found = false;
    while (at < end && *at != ']') {
        if (*at == '\\' && end - at >= 2) {
            found = found || at[1] == c;
            at += 2;
        } else if (end - at >= 3 && at[1] == '-') {
            found = found || in_range(c, at[0], at[2], fold);
            at += 3;
        } else {
            found = found || same(*at, c, fold);
            at++;
        }
    }
    *matches = found != negated;
    return at < end ? at + 1 : end;
}

/* Matches one element that is no star with one byte. Returns where the element ends. */
static const char *match_element(const char *at, const char *end, char c, bool fold,
                                 bool *matches) {
    if (*at == '?') {
        *matches = true;
        return at + 1;
    }
    if (*at == '[') {
        return match_class(at + 1, end, c, fold, matches);
    }
    if (*at == '\\' && end - at >= 2) {
        at++;
    }
    *matches = same(*at, c, fold);
    return at + 1;
}

bool glob_match(struct bytes pattern, struct bytes text, bool fold) {
    const char *element = pattern.at;
    const char *pattern_end = pattern.at + pattern.size;
    const char *at = text.at;
    const char *text_end = text.at + text.size;
    const char *behind_star = NULL; /* the element that follows the last star */
    const char *star_end = NULL;    /* up to where that star has taken the text */

    for (;;) {
        if (element < pattern_end && *element == '*') {
            while (element < pattern_end && *element == '*') {
                element++;
            }
            if (element == pattern_end) {
                return true;
            }
            behind_star = element;
            star_end = at;
        }
        if (at == text_end) {
            return element == pattern_end;
        }
        bool matches = false;
        if (element < pattern_end) {
            const char *next = match_element(element, pattern_end, *at, fold, &matches);
            if (matches) {
                element = next;
                at++;
                continue;
            }
        }
        if (behind_star == NULL) {
            return false;
        }
        star_end++;
        at = star_end;
        element = behind_star;
    }
}

size_t glob_literal_size(struct bytes pattern) {
    size_t size = 0;
    while (size < pattern.size && memchr("*?[\\", pattern.at[size], 4) == NULL) {
        size++;
    }
    return size;
}

bool glob_matches_all(struct bytes pattern) {
    for (size_t i = 0; i < pattern.size; i++) {
        if (pattern.at[i] != '*') {
            return false;
        }
    }
    return pattern.size > 0;
}
