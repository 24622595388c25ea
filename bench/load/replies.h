/* replies: counts the replies in a stream of bytes, RESP2 or RESP3, however the stream is cut. What
 * they say is not kept, but for errors. */
#ifndef LARDER_LOAD_REPLIES_H
#define LARDER_LOAD_REPLIES_H

#include <stddef.h>
#include <stdint.h>

/* Longest beginning of a line that is kept: enough for any length, and for most errors. */
#define REPLIES_LINE_MAX 128

/* One stream. Begin with replies_init. */
struct replies {
    uint64_t skip;    /* bytes left of a bulk with its CR LF */
    uint64_t pending; /* elements until the reply is whole: itself, and what is in its arrays */
    uint64_t each;    /* replies that count as one, since their commands are one request */
    size_t line_size; /* of a line that was cut */
    char line[REPLIES_LINE_MAX];
};

/* How an element begins that was seen before, and how long such a one is: most replies are like one
 * of the last, and are told by one comparison. All zero: none yet. */
struct replies_form {
    uint64_t first; /* up to eight bytes, the others 0 */
    uint64_t mask;  /* 0xff for each of them */
    size_t size;    /* of the element; 0: no form */
    uint64_t nulls; /* 1 when it stands for no value */
};
/* A value and a status, as in a mix of reads and writes. */
#define REPLIES_FORMS 2

/* Sums over the streams of one thread. All zero to begin with. */
struct replies_tally {
    uint64_t errors;
    uint64_t nulls;
    char first_error[REPLIES_LINE_MAX]; /* "" when there was none */
    struct replies_form forms[REPLIES_FORMS];
    unsigned learned;
};

/* `each` at least 1. */
void replies_init(struct replies *replies, uint64_t each);

/* How many replies, or groups of `each`, end within the bytes; -1 when they are no replies. */
int64_t replies_count(struct replies *replies, const char *at, size_t size,
                      struct replies_tally *tally);

/* Adds sums; the first error is the one that is there first. */
void replies_tally_add(struct replies_tally *tally, const struct replies_tally *from);

#endif
