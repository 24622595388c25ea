/* tracking_prefix: the prefixes of broadcast mode. All keys that change in a pass are noted with
 * the prefixes that they begin with; at its end each of a prefix's trackers gets them in one
 * message, sorted, each once. Seen by feature/tracking.c and by CLIENT TRACKING alone. */
#ifndef LARDER_FEATURE_TRACKING_PREFIX_H
#define LARDER_FEATURE_TRACKING_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"

struct tracker;
struct tracking;

struct tracking_prefix {
    struct tracker **trackers;
    uint32_t count;
    uint32_t capacity;
    struct buffer keys; /* that changed in this pass: struct noted_key and the bytes, each */
    size_t key_count;
    struct bytes text; /* behind the struct */
};

/* All prefixes, sorted by their text. */
struct tracking_prefixes {
    struct tracking_prefix **at;
    size_t count;
    size_t capacity;
    size_t noted; /* prefixes with keys of this pass */
};

void tracking_prefixes_free(struct tracking_prefixes *prefixes);

/* The tracker is to be told of keys with that prefix; nothing if it is already. */
void tracking_prefixes_add(struct tracking_prefixes *prefixes, struct tracker *tracker,
                           struct bytes text);
/* Of none any more. */
void tracking_prefixes_leave(struct tracking_prefixes *prefixes, struct tracker *tracker);

/* A key has changed, by the hand of that client (0: nobody's). */
void tracking_prefixes_note(struct tracking_prefixes *prefixes, struct bytes key, uint64_t writer);

/* Sends what was noted. */
void tracking_prefixes_send(struct tracking_prefixes *prefixes, struct tracking *tracking);

/* Whether one begins with the other. */
static inline bool tracking_prefixes_overlap(struct bytes a, struct bytes b) {
    return memcmp(a.at, b.at, a.size < b.size ? a.size : b.size) == 0;
}

#endif
