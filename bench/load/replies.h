/* replies: counts the replies in a stream of bytes, RESP2 or RESP3, however the stream is cut. What
 * they say is not kept, but for errors. */
#ifndef LARDER_LOAD_REPLIES_H
#define LARDER_LOAD_REPLIES_H

#include <stddef.h>
#include <stdint.h>

/* Longest beginning of a line that is kept: enough for any length, and for most errors. */
#define REPLIES_LINE_MAX 128

/* One stream. All zero but for `pending`: begin with replies_init. */
struct replies {
    uint64_t skip;    /* bytes left of a bulk with its CR LF */
    uint64_t pending; /* elements until the reply is whole: itself, and what is in its arrays */
    size_t line_size; /* of a line that was cut */
    char line[REPLIES_LINE_MAX];
};

/* Sums over all streams. */
struct replies_tally {
    uint64_t errors;
    uint64_t nulls;
    char first_error[REPLIES_LINE_MAX]; /* "" when there was none */
};

void replies_init(struct replies *replies);

/* How many replies end within the bytes; -1 when they are no replies. */
int64_t replies_count(struct replies *replies, const char *at, size_t size,
                      struct replies_tally *tally);

#endif
