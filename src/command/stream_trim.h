/* stream_trim: the options by which XADD and XTRIM make a stream shorter. */
#ifndef LARDER_COMMAND_STREAM_TRIM_H
#define LARDER_COMMAND_STREAM_TRIM_H

#include "command/stream_call.h"

/* What becomes of references in consumer groups when an entry is deleted. */
enum stream_references {
    STREAM_KEEP_REFERENCES,   /* KEEPREF: they stay */
    STREAM_DELETE_REFERENCES, /* DELREF: they go as well */
    STREAM_ACKNOWLEDGED,      /* ACKED: only what no group needs is deleted */
};

/* Reads KEEPREF, DELREF or ACKED; false when the argument is none of them. */
bool stream_references_parse(struct call *call, int index, enum stream_references *references);

struct stream_trimming {
    struct stream_trim trim;
    bool is_given; /* MAXLEN or MINID */
    bool limit_given;
    enum stream_references references;
};

/* Reads the option at *index, if it is one, and moves *index to its last argument. 1: it was one,
 * 0: it is none, -1: an error has been replied. */
int stream_trimming_option(struct call *call, int *index, struct stream_trimming *trimming);

/* When all options have been read; false when an error has been replied. */
bool stream_trimming_complete(struct call *call, struct stream_trimming *trimming);

/* Trims the stream; how many entries have gone. */
uint64_t stream_trimming_do(struct stream_call *on, struct stream_trimming *trimming);

/* The words that trim another copy of the stream in the same way, now that it is done here. */
#define STREAM_TRIMMING_WORDS 4
struct stream_trimming_words {
    struct bytes words[STREAM_TRIMMING_WORDS];
    int count;
    char scratch[STREAM_ID_SIZE];
};
void stream_trimming_words(const struct stream_call *on, const struct stream_trimming *trimming,
                           struct stream_trimming_words *words);

#endif
