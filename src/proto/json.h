/* json: reads arrays of scalars (RFC 8259), the form in which commands come over HTTP, token by
 * token. Pure functions over bytes; strings are unescaped in place, so the input is writable and
 * what is found are slices of it.
 *
 *     [["SET","k",5],["GET","k"]]   ->   [ [ "SET" "k" 5 ] [ "GET" "k" ] ] end
 *
 * Objects are refused, since no command takes one. Depth is bounded by the caller's JSON_DEPTH_MAX,
 * and nothing recurses. */
#ifndef LARDER_PROTO_JSON_H
#define LARDER_PROTO_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define JSON_DEPTH_MAX 4

enum json_token {
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_STRING,
    JSON_NUMBER, /* as it is written */
    JSON_WORD,   /* true, false, null */
    JSON_END,
    JSON_BAD,
};

struct json {
    char *at;
    char *end;
    int depth;
    bool behind_value; /* a comma or an end comes next */
    bool behind_comma; /* a value does */
};

static inline void json_begin(struct json *json, char *at, size_t size) {
    *json = (struct json){.at = at, .end = at + size};
}

/* The next token; *text is that of a scalar. Behind JSON_BAD the parser must not be used. */
enum json_token json_next(struct json *json, struct bytes *text);

/* How many bytes of `text` are one character of UTF-8 at its beginning; 0 when it is none. The text
 * is not empty. */
size_t json_utf8(struct bytes text);

#endif
