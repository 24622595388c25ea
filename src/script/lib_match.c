/* lib_match: see the header. */
#include "script/lib_match.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "script/lib_int.h"

#define ESCAPE '%'

void match_start(struct match *match, lua_State *lua, const char *subject, size_t size,
                 const char *pattern) {
    match->lua = lua;
    match->subject = subject;
    match->subject_end = subject + size;
    match->pattern_end = pattern + strlen(pattern);
    match->steps = 0;
    match->depth = 0;
    match->captures = 0;
}

/* ---- single characters ---- */

/* %a and the like; a letter that names no class means itself, as other characters do. */
static bool is_in_class(unsigned char c, unsigned char name) {
    bool is_in;
    switch (tolower(name)) {
    case 'a':
        is_in = isalpha(c) != 0;
        break;
    case 'c':
        is_in = iscntrl(c) != 0;
        break;
    case 'd':
        is_in = isdigit(c) != 0;
        break;
    case 'l':
        is_in = islower(c) != 0;
        break;
    case 'p':
        is_in = ispunct(c) != 0;
        break;
    case 's':
        is_in = isspace(c) != 0;
        break;
    case 'u':
        is_in = isupper(c) != 0;
        break;
    case 'w':
        is_in = isalnum(c) != 0;
        break;
    case 'x':
        is_in = isxdigit(c) != 0;
        break;
    case 'z':
        is_in = c == 0;
        break;
    default:
        return name == c;
    }
    return isupper(name) ? !is_in : is_in;
}

/* `set` stands at "[", `last` at its "]". */
static bool is_in_set(unsigned char c, const char *set, const char *last) {
    const unsigned char *at = (const unsigned char *)set + 1;
    const unsigned char *end = (const unsigned char *)last;
    bool wanted = true;
    if (*at == '^') {
        wanted = false;
        at++;
    }
    while (at < end) {
        if (*at == ESCAPE) {
            if (is_in_class(c, at[1])) {
                return wanted;
            }
            at += 2;
        } else if (at[1] == '-' && at + 2 < end) {
            if (at[0] <= c && c <= at[2]) {
                return wanted;
            }
            at += 3;
        } else {
            if (*at == c) {
                return wanted;
            }
            at++;
        }
    }
    return !wanted;
}

/* Behind the item that begins at `at`: a character, an escape, a set. */
static const char *item_end(const struct match *match, const char *at) {
    const char *end = match->pattern_end;
    char first = *at++;
    if (first == ESCAPE) {
        if (at == end) {
            luaL_error(match->lua, "malformed pattern (ends with '%%')");
        }
        return at + 1;
    }
    if (first != '[') {
        return at;
    }
    at += *at == '^';
    do { /* a "]" that comes first is an element */
        if (at == end) {
            luaL_error(match->lua, "malformed pattern (missing ']')");
        }
        if (*at++ == ESCAPE && at < end) {
            at++;
        }
    } while (*at != ']');
    return at + 1;
}

/* Whether the character at `at`, if there is one, is what the item means. */
static bool is_single(const struct match *match, const char *at, const char *item,
                      const char *behind) {
    if (at >= match->subject_end) {
        return false;
    }
    unsigned char c = (unsigned char)*at;
    switch (*item) {
    case '.':
        return true;
    case ESCAPE:
        return is_in_class(c, (unsigned char)item[1]);
    case '[':
        return is_in_set(c, item, behind - 1);
    default:
        return (unsigned char)*item == c;
    }
}

/* ---- what may match in several ways ---- */

static const char *match_longest(struct match *match, const char *at, const char *item,
                                 const char *behind) {
    ptrdiff_t count = 0;
    while (is_single(match, at + count, item, behind)) {
        lib_step(match->lua, &match->steps);
        count++;
    }
    for (; count >= 0; count--) {
        const char *end = match_at(match, at + count, behind + 1);
        if (end != NULL) {
            return end;
        }
    }
    return NULL;
}

static const char *match_shortest(struct match *match, const char *at, const char *item,
                                  const char *behind) {
    for (;;) {
        const char *end = match_at(match, at, behind + 1);
        if (end != NULL) {
            return end;
        }
        if (!is_single(match, at, item, behind)) {
            return NULL;
        }
        at++;
    }
}

static const char *open_capture(struct match *match, const char *at, const char *pattern,
                                ptrdiff_t size) {
    if (match->captures >= MATCH_CAPTURES_MAX) {
        luaL_error(match->lua, "too many captures");
    }
    match->capture[match->captures].at = at;
    match->capture[match->captures].size = size;
    match->captures++;
    const char *end = match_at(match, at, pattern);
    if (end == NULL) {
        match->captures--;
    }
    return end;
}

static const char *close_capture(struct match *match, const char *at, const char *pattern) {
    int i = match->captures - 1;
    while (i >= 0 && match->capture[i].size != MATCH_OPEN) {
        i--;
    }
    if (i < 0) {
        luaL_error(match->lua, "invalid pattern capture");
        return NULL;
    }
    match->capture[i].size = at - match->capture[i].at;
    const char *end = match_at(match, at, pattern);
    if (end == NULL) {
        match->capture[i].size = MATCH_OPEN;
    }
    return end;
}

/* ---- escapes that are more than a character ---- */

/* %bxy: behind the y that belongs to the x at `at`; `pair` stands at x. */
static const char *match_balanced(struct match *match, const char *at, const char *pair) {
    if (pair[0] == '\0' || pair[1] == '\0') {
        luaL_error(match->lua, "unbalanced pattern");
    }
    if (at >= match->subject_end || *at != pair[0]) {
        return NULL;
    }
    size_t open = 1;
    for (at++; at < match->subject_end; at++) {
        lib_step(match->lua, &match->steps);
        if (*at == pair[1]) {
            if (--open == 0) {
                return at + 1;
            }
        } else if (*at == pair[0]) {
            open++;
        }
    }
    return NULL;
}

/* %1: behind the same text as the capture's. */
static const char *match_capture(struct match *match, const char *at, char digit) {
    int i = digit - '1';
    if (i < 0 || i >= match->captures || match->capture[i].size == MATCH_OPEN) {
        luaL_error(match->lua, "invalid capture index");
        return NULL;
    }
    /* A position is a text longer than any. */
    size_t size = (size_t)match->capture[i].size;
    if ((size_t)(match->subject_end - at) < size) {
        return NULL;
    }
    return memcmp(match->capture[i].at, at, size) == 0 ? at + size : NULL;
}

/* %f[set]: whether what stands before is not in the set and what follows is; the subject's ends
 * count as zero bytes. *behind becomes the place behind the set. */
static bool is_frontier(struct match *match, const char *at, const char *set, const char **behind) {
    if (*set != '[') {
        luaL_error(match->lua, "missing '[' after '%%f' in pattern");
    }
    *behind = item_end(match, set);
    unsigned char before = at == match->subject ? 0 : (unsigned char)at[-1];
    unsigned char after = at == match->subject_end ? 0 : (unsigned char)*at;
    return !is_in_set(before, set, *behind - 1) && is_in_set(after, set, *behind - 1);
}

/* An escape: true when it was one of these; *at is then behind its match, or NULL, and *pattern
 * behind the escape. */
static bool match_escape(struct match *match, const char **at, const char **pattern) {
    const char *item = *pattern;
    switch (item[1]) {
    case 'b':
        *at = match_balanced(match, *at, item + 2);
        *pattern = item + 4;
        return true;
    case 'f':
        if (!is_frontier(match, *at, item + 2, pattern)) {
            *at = NULL;
        }
        return true;
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *at = match_capture(match, *at, item[1]);
        *pattern = item + 2;
        return true;
    default:
        return false;
    }
}

/* ---- a pattern ---- */

/* From here on there is one way only until an item says otherwise: then it says what came of it. */
static const char *match_on(struct match *match, const char *at, const char *pattern) {
    while (pattern < match->pattern_end) {
        lib_step(match->lua, &match->steps);
        if (*pattern == '(') {
            return pattern[1] == ')' ? open_capture(match, at, pattern + 2, MATCH_POSITION)
                                     : open_capture(match, at, pattern + 1, MATCH_OPEN);
        }
        if (*pattern == ')') {
            return close_capture(match, at, pattern + 1);
        }
        if (*pattern == '$' && pattern + 1 == match->pattern_end) {
            return at == match->subject_end ? at : NULL;
        }
        if (*pattern == ESCAPE && match_escape(match, &at, &pattern)) {
            if (at == NULL) {
                return NULL;
            }
            continue;
        }
        const char *behind = item_end(match, pattern);
        bool is_there = is_single(match, at, pattern, behind);
        switch (*behind) {
        case '*':
            return match_longest(match, at, pattern, behind);
        case '+':
            return is_there ? match_longest(match, at + 1, pattern, behind) : NULL;
        case '-':
            return match_shortest(match, at, pattern, behind);
        case '?': {
            const char *end = is_there ? match_at(match, at + 1, behind + 1) : NULL;
            if (end != NULL) {
                return end;
            }
            pattern = behind + 1;
            break;
        }
        default:
            if (!is_there) {
                return NULL;
            }
            at++;
            pattern = behind;
        }
    }
    return at;
}

const char *match_at(struct match *match, const char *at, const char *pattern) {
    if (match->depth >= MATCH_DEPTH_MAX) {
        luaL_error(match->lua, "pattern too complex");
    }
    match->depth++;
    const char *end = match_on(match, at, pattern);
    match->depth--;
    return end;
}

/* ---- captures ---- */

void match_push_capture(struct match *match, int i, const char *start, const char *end) {
    if (i >= match->captures) {
        if (i != 0) {
            luaL_error(match->lua, "invalid capture index");
        }
        lua_pushlstring(match->lua, start, (size_t)(end - start));
        return;
    }
    ptrdiff_t size = match->capture[i].size;
    if (size == MATCH_OPEN) {
        luaL_error(match->lua, "unfinished capture");
    }
    if (size == MATCH_POSITION) {
        lua_pushinteger(match->lua, match->capture[i].at - match->subject + 1);
    } else {
        lua_pushlstring(match->lua, match->capture[i].at, (size_t)size);
    }
}

int match_push_captures(struct match *match, const char *start, const char *end) {
    int count = match->captures == 0 && start != NULL ? 1 : match->captures;
    luaL_checkstack(match->lua, count, "too many captures");
    for (int i = 0; i < count; i++) {
        match_push_capture(match, i, start, end);
    }
    return count;
}
