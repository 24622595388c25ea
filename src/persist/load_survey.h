/* load_survey: which keys of a file are worth loading when not all have room. A file that was
 * written under an LRU or LFU policy tells how long each key was idle, or how often it was used. A
 * first look at all records adds up the sizes of keys by step of use, and the steps that do not
 * fit any more are left out, so that the most used ones are there at once, instead of coming and
 * going by eviction.
 *
 * Steps: 0 is the most used. FREQ f is step 255 - f; IDLE s goes in eighths of a doubling; who
 * tells nothing is in step 0.
 *
 * Sizes are estimates that are rather too small, and LOAD_SURVEY_MORE_PERCENT more than fits is
 * let through: what is too much is evicted as it comes, and nothing is left out for which there
 * would have been room. */
#ifndef LARDER_PERSIST_LOAD_SURVEY_H
#define LARDER_PERSIST_LOAD_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "persist/rdb_file.h"

#define LOAD_SURVEY_STEPS        256
#define LOAD_SURVEY_MORE_PERCENT 10

struct load_survey {
    unsigned last; /* the last step that is loaded */
};

/* Looks at all records of a file that was opened and not read yet, which it leaves so. Room is for
 * so many bytes. `goes_on` is asked now and then. */
void load_survey_make(struct load_survey *survey, const struct rdb_file *file, uint64_t room,
                      bool (*goes_on)(void *context), void *context);

unsigned load_survey_step(const struct rdb_record *record);

static inline bool load_survey_wants(const struct load_survey *survey,
                                     const struct rdb_record *record) {
    return load_survey_step(record) <= survey->last;
}

#endif
