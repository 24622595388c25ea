/* command_syntax: the notation in which command references write arguments, as a tree: what COMMAND
 * DOCS answers, and a check that a row's syntax is well formed.
 *
 *     key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]
 *
 *     lower-case word: an argument
 *     UPPER-CASE word, symbol: a token to be written as it is
 *     TOKEN word: an argument that the token introduces
 *     TOKEN word word: a block that it introduces
 *     [ ]: optional, < >: required, | between alternatives within these
 *     TOKEN A|B|C: the token introduces one of the tokens
 *     x [x ...]: x, once or more. */
#ifndef LARDER_CLIENT_COMMAND_SYNTAX_H
#define LARDER_CLIENT_COMMAND_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

enum syntax_type {
    SYNTAX_STRING,
    SYNTAX_INTEGER,
    SYNTAX_DOUBLE,
    SYNTAX_KEY,
    SYNTAX_PATTERN,
    SYNTAX_UNIX_TIME,
    SYNTAX_PURE_TOKEN,
    SYNTAX_ONEOF,
    SYNTAX_BLOCK,
    SYNTAX_TYPES
};
/* "string", "pure-token" ... as COMMAND DOCS says. */
const char *syntax_type_name(enum syntax_type type);

struct syntax_argument {
    const char *name;  /* lower-case */
    const char *token; /* NULL when it has none */
    enum syntax_type type;
    bool optional;
    bool multiple;
    bool multiple_token; /* the token is repeated too */
    int key_index;       /* SYNTAX_KEY: the how-manieth key argument of the command, from 0 */
    int child_count;     /* ONEOF, BLOCK */
    struct syntax_argument *children;
    struct syntax_argument *next; /* sibling */
};

struct syntax {
    struct syntax_argument *first;
    int count; /* of first and its siblings */
    void *memory;
    size_t memory_size;
};

/* False, with nothing to free, when the text is not in the notation. The text need not outlive the
 * tree. */
bool syntax_parse(const char *text, struct syntax *out);
void syntax_free(struct syntax *syntax);

#endif
