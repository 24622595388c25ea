/* lib_match: whether a pattern of Lua matches at a place, as section 5.4.1 of the reference manual
 * of Lua 5.1 tells it (and %f, which it does not tell of).
 *
 * It recurses where a part may match in several ways, once for each such item of the pattern:
 * not more than MATCH_DEPTH_MAX deep. Its steps are counted, so it can be interrupted: matching
 * ".-.-.-b" takes a time that grows with the third power of the subject's length. */
#ifndef LARDER_SCRIPT_LIB_MATCH_H
#define LARDER_SCRIPT_LIB_MATCH_H

#include <stddef.h>

#include <lua.h>

#define MATCH_CAPTURES_MAX 32
/* Some 300 bytes of stack each. */
#define MATCH_DEPTH_MAX 3000

/* A capture's size, when it has none. */
#define MATCH_OPEN     (-1)
#define MATCH_POSITION (-2)

struct match {
    lua_State *lua;
    const char *subject;
    const char *subject_end;
    const char *pattern_end; /* a pattern ends with its first zero byte */
    unsigned steps;
    int depth;
    int captures;
    struct {
        const char *at;
        ptrdiff_t size;
    } capture[MATCH_CAPTURES_MAX];
};

/* Both strings have to stay on the stack. */
void match_start(struct match *match, lua_State *lua, const char *subject, size_t size,
                 const char *pattern);

/* Where the match that begins at `at` ends, or NULL. Raises errors of patterns. */
const char *match_at(struct match *match, const char *at, const char *pattern);

/* Pushes capture `i`; without captures the whole match, from `start` to `end`, is capture 0. */
void match_push_capture(struct match *match, int i, const char *start, const char *end);

/* Pushes all captures; the whole match if there are none and `start` is not NULL. Their number. */
int match_push_captures(struct match *match, const char *start, const char *end);

#endif
